"""The command `preflight`: checks each hop between a page and a working chat separately, without a browser.

In: the configuration. Out: a line for each hop, the findings, `preflight.json` in the run's folder, an exit code.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console

from harness.analysis.smoke.preflight import judged
from harness.commands.printing import PLAIN
from harness.commands.session import run_session
from harness.config.reading import Config
from harness.config.tables import PreflightSettings, Project
from harness.errors import BundleError, ConfigError, ExitCode
from harness.model.hops import PreflightResult
from harness.model.redaction import Redactor
from harness.report.bundle import write_json
from harness.report.preflight import (
    hop_line,
    preflight_dict,
    render_findings,
    render_head,
    render_outcome,
    render_proxies,
)
from harness.report.run_folder import shown
from harness.servers.scenarios import scenario_named
from harness.servers.server import serve_stack
from harness.servers.web_server import WebServerCommand, WebServerProcess
from harness.visit.preflight_walk import PreflightPlan, asker_of, plan_of, walk

PREFLIGHT_FILE = "preflight.json"
EXIT_CODES = {
    "passed": ExitCode.PASSED,
    "failed": ExitCode.PREFLIGHT_FAILED,
    "environment": ExitCode.BROKEN_ENVIRONMENT,
}


def run_preflight(console: Console, config: Config, environ: Mapping[str, str], *, as_json: bool = False) -> int:
    """Return 0 when every hop is good, 12 when one is not, 13 when this machine cannot judge. Raises SecretFound."""
    said = Console(stderr=True) if as_json else console
    with run_session(said, config, environ=environ) as session:
        redactor, run = session.redactor, session.folder
        with reachable(config.project(), folder=run, redactor=redactor) as project:
            result = fly(Console(quiet=True) if as_json else console, plan_of(config, project), redactor, environ, run)
    if as_json:
        print(json.dumps(redactor.value(preflight_dict(result)), ensure_ascii=False, indent=1))
    return EXIT_CODES[result.outcome]


def fly(
    console: Console, plan: PreflightPlan, redactor: Redactor, environ: Mapping[str, str], folder: Path
) -> PreflightResult:
    """Check a plan's hops, print each one and the findings, and write the result into a folder."""
    settings = plan.settings
    expected = ", ".join(filter(None, (settings.organization, settings.project)))
    _say(console, redactor, *render_head(plan.project, plan.page_url, plan.key.shown, expected))
    preflight = walk(
        plan,
        asker_of(plan, redactor, environ),
        environ=environ,
        on_hop=lambda hop: _say(console, redactor, hop_line(hop)),
    )
    result = judged(preflight)
    _say(console, redactor, *render_proxies(preflight), *render_findings(result))
    problem = saved(lambda: write_json(folder / PREFLIGHT_FILE, redactor.value(preflight_dict(result))))
    style = "bold green" if result.outcome == "passed" else "bold red"
    console.print(redactor.shown(render_outcome(result)), style=style, **PLAIN)
    _say(console, redactor, problem or f"  result:    {shown(folder / PREFLIGHT_FILE)}")
    return result


def saved(write: Callable[[], None]) -> str:
    """Write a file; return why it is missing, or "". A full disk does not stop the preflight."""
    try:
        write()
    except BundleError as error:
        return f"  warning:   {error}"
    return ""


def _say(console: Console, redactor: Redactor, *lines: str) -> None:
    for line in lines:
        console.print(redactor.shown(line), **PLAIN)


@contextmanager
def reachable(project: Project, *, folder: Path, redactor: Redactor) -> Iterator[Project]:
    """Yield the project with reachable addresses: its web server, or the embedded page, is started.

    Raises ConfigError for a scenario without an address on loopback, ServerError for a web server that does not start.
    """
    with ExitStack() as resources:
        if project.web_server is not None:
            command = WebServerCommand(**asdict(project.web_server))
            log = folder / "web-server.log"
            resources.callback(WebServerProcess.start(command, log=log, clean=redactor.text).stop)
        yield resources.enter_context(_embedded(project)) if project.is_embedded else project


@contextmanager
def _embedded(project: Project) -> Iterator[Project]:
    """Serve the embedded page on loopback until the block ends."""
    scenario = scenario_named(project.scenario)
    if scenario.origin != "local":
        raise ConfigError(
            f"the scenario {scenario.name!r} is on {scenario.origin}, which only a routed browser reaches"
        )
    with serve_stack(scenario=scenario, is_for_people=True) as stack:
        written, key = project.preflight or PreflightSettings(), stack.app_key
        settings = replace(
            written,
            api_key=written.api_key or key,
            workflows=written.workflows or tuple(workflow.id for workflow in stack.world.workflows_of_key(key)),
            session_url=written.session_url or "/api/chatkit/session",
            backend_url=written.backend_url or ("/chatkit" if scenario.mode == "custom" else ""),
            api_base=stack.api_url,
            cdn_base=stack.cdn_url,
        )
        yield replace(project, base_url=stack.app_url, scenario="", network="live", preflight=settings)

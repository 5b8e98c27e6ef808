"""The command `smoke`: run the preflight, then real visits, then send notifications about changes.

In: the configuration. Out: text on the console, a line in the history, notifications about changes, metrics, an exit code.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Error
from rich.console import Console

from harness import __version__
from harness.analysis.smoke.smoke import may_pass, verdict_of
from harness.analysis.smoke.smoke_states import Patience
from harness.commands.notifications import Teller
from harness.commands.preflight import fly, reachable, saved
from harness.commands.printing import PLAIN
from harness.commands.session import run_session
from harness.config.reading import Config
from harness.config.tables import Project, Smoke
from harness.drive.notify import post_json
from harness.errors import (
    BundleError,
    ConfigError,
    ConversationFailed,
    EnvironmentFailure,
    MountFailed,
    PageError,
    worst_of,
)
from harness.model.history import Attempt, Record
from harness.model.hops import HopKind, PreflightResult
from harness.model.redaction import Redactor
from harness.report.bundle import write_json, write_text
from harness.report.ci_systems import CiSystem
from harness.report.context import render_cause, render_verdict
from harness.report.history import read_history
from harness.report.notice import (
    render_metrics,
    render_smoke,
)
from harness.report.otlp import endpoint_of, headers_of, trace_json
from harness.report.trend import Night, nights_of
from harness.visit.browser import launched_browser, opened
from harness.visit.preflight_walk import PreflightPlan, plan_of
from harness.visit.target import keep_of, target_of

LONGEST_ANSWER = 3  # multiplied by the limit for the first words of a reply
STYLES = {"ok": "bold green", "degraded": "bold yellow", "failing": "bold red", "environment": "bold yellow"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The inputs of a run from its environment, so that a test can replace them."""

    environ: Mapping[str, str]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep
    ci: CiSystem | None = None


def run_smoke(console: Console, config: Config, around: Surroundings, *, is_all: bool = False) -> int:
    """Return the worst exit code of the projects: 0 ok, 7 degraded, 12, 1 or 14 failing, 13 no result. Raises SecretFound."""
    names = _projects(config, is_all=is_all)
    codes: list[int] = []
    with (
        run_session(
            console, config, "smoke", project=", ".join(names), network="live", environ=around.environ, ci=around.ci
        ) as session,
        ExitStack() as resources,
    ):
        run, redactor = session.folder, session.redactor
        for name in names:
            project = resources.enter_context(reachable(config.project(name), folder=run / name, redactor=redactor))
            smoke = _Smoke(console, config, project, redactor, run, around)
            codes.append(smoke.run())
            session.problems += [f"{name}: {smoke.told}"] if codes[-1] else []
        session.exit_code = worst_of(codes)
        session.nights = _nights(config, names)
    return session.exit_code


def _nights(config: Config, names: tuple[str, ...]) -> tuple[Night, ...]:
    """The history of these projects, for the report's trend; unreadable lines are skipped."""
    nights: dict[Night, None] = {}
    for path in dict.fromkeys(config.root / config.project(name).smoke.history for name in names):
        with suppress(BundleError):
            nights |= dict.fromkeys(nights_of(read_history(path)))
    return tuple(nights)


def _projects(config: Config, *, is_all: bool) -> tuple[str, ...]:
    """The projects to test: the selected one, or all live ones. Raises ConfigError when no project is live."""
    if is_all:
        live = tuple(name for name in config.project_names if config.project(name).network == "live")
        if not live:
            raise ConfigError(f'no project of {config.where} has network = "live"')
        return live
    project = config.project()
    if project.network != "live" and not project.is_embedded:
        raise ConfigError(
            f"project {project.name!r} is hermetic, and a smoke test needs a live project\n"
            f"  in:       {config.where}\n"
            f'  to fix:   set network = "live" in [projects.{project.name}], or use chatkit-harness gate'
        )
    return (project.name,)


class _Smoke:
    """One project's run."""

    def __init__(
        self, console: Console, config: Config, project: Project, redactor: Redactor, run: Path, around: Surroundings
    ) -> None:
        self._console = console
        self._config = config
        self._project = project
        self._settings: Smoke = project.smoke
        self._redactor = redactor
        self._run = run
        self._around = around
        self.told = ""  # the result, as printed on the console

    def run(self) -> int:
        folder = self._run / self._project.name
        started = self._around.now()
        plan = plan_of(self._config, self._project)
        preflight, earlier = self._preflight(plan, folder)
        attempts, environment = self._visits(preflight, folder)
        verdict = verdict_of(
            preflight,
            attempts,
            at=self._around.now().astimezone(UTC).isoformat(timespec="seconds"),
            run=self._run.name,
            patience=Patience(slow_mount_ms=self._settings.slow_mount_ms, first_token_ms=self._settings.first_token_ms),
            earlier=earlier,
            environment=environment,
        )
        path = self._config.root / self._settings.history
        record = Teller(self._console, self._settings, path, self._redactor).remember(verdict)
        self.told = render_smoke(record)
        self._say(self.told, style=STYLES[verdict.outcome])
        kept = self._redactor.value(_saved(record, attempts))
        self._save(lambda: write_json(folder / "smoke.json", kept))
        if self._settings.metrics_file:
            metrics = self._redactor.text(render_metrics(record))
            self._save(lambda: write_text(self._config.root / self._settings.metrics_file, metrics))
        self._trace(record, preflight, attempts, started)
        return verdict.exit_code

    def _trace(
        self, record: Record, preflight: PreflightResult, attempts: tuple[Attempt, ...], started: datetime
    ) -> None:
        """Send the run to a collector, if OpenTelemetry's variables name one."""
        environ = self._around.environ
        url, headers = endpoint_of(environ), headers_of(environ)
        if not url:
            return
        for value in headers.values():
            self._redactor.learn("token", value.rpartition(" ")[2])
        trace = trace_json(
            record,
            preflight.preflight,
            attempts,
            started=started,
            ended=self._around.now(),
            environ=environ,
            version=__version__,
        )
        timeout_s = self._settings.notify_timeout_ms / 1000
        wrong = post_json(url, self._redactor.value(trace), headers=headers, timeout_s=timeout_s)
        if wrong:
            self._say(f"  warning:   the trace was not accepted: {wrong}")

    def _save(self, write: Callable[[], None]) -> None:
        problem = saved(write)
        if problem:
            self._say(problem)

    def _preflight(self, plan: PreflightPlan, folder: Path) -> tuple[PreflightResult, tuple[str, ...]]:
        """The first preflight that passes or that cannot succeed on a retry, and the causes of the earlier ones."""
        earlier: list[str] = []
        while True:
            result = fly(self._console, plan, self._redactor, self._around.environ, folder)
            if len(earlier) + 1 >= self._settings.attempts or not may_pass(result):
                return result, tuple(earlier)
            earlier += [result.cause.rule] if result.cause else []
            self._pause(len(earlier))

    def _pause(self, number: int) -> None:
        """Wait before the next attempt, twice as long each time."""
        self._around.sleep(self._settings.backoff_ms * 2 ** (number - 1) / 1000)

    def _say(self, text: str, **style: Any) -> None:
        self._console.print(self._redactor.shown(text), **PLAIN, **style)

    # --- visits

    def _visits(self, preflight: PreflightResult, folder: Path) -> tuple[tuple[Attempt, ...], str]:
        """All attempts at all entries, and what this machine lacked for them."""
        page = next(iter(preflight.preflight.of(HopKind.PAGE)), None)
        if preflight.outcome == "environment" or page is None or not page.is_answered:
            self._say("  visits:    none, because there is no page to visit")
            return (), ""
        attempts: list[Attempt] = []
        try:
            with launched_browser(self._config) as browser:
                for entry in self._project.entries:
                    attempts += self._attempts(browser, entry.name, folder)
        except EnvironmentFailure as failure:
            self._say(f"  visits:    {failure}")
            return tuple(attempts), str(failure).splitlines()[0]
        return tuple(attempts), ""

    def _attempts(self, browser: Browser, entry: str, folder: Path) -> Iterator[Attempt]:
        """Try an entry until it passes, with doubling pauses; the last attempt counts."""
        for number in range(1, self._settings.attempts + 1):
            attempt = self._visit(browser, entry, number, folder)
            is_last = attempt.is_passed or number == self._settings.attempts
            self._say(f"  visit:     {_told(attempt, is_last=is_last)}")
            yield attempt
            if attempt.is_passed:
                return
            if number < self._settings.attempts:
                self._pause(number)

    def _visit(self, browser: Browser, entry: str, number: int, folder: Path) -> Attempt:
        target = target_of(self._project, entry=entry)
        place = folder / f"{entry}-{number}"
        settings, problem, told, first_token_ms = self._settings, "", "", -1.0
        result = None
        with opened(
            browser, target, place, config=self._config, keep=keep_of(self._config.use), redactor=self._redactor
        ) as visit:
            try:
                visit.open()
                result = visit.wait_until_decided()
                if result.is_mounted and settings.message:
                    reply = visit.send(
                        settings.message, timeout_ms=max(settings.first_token_ms * LONGEST_ANSWER, 30_000)
                    )
                    first_token_ms = reply.first_token_ms
            except PageError as error:
                problem, told = "page", str(error)
            except Error as error:  # from Playwright: the page closed itself, or was a download
                if not browser.is_connected():
                    raise
                problem, told = "page", error.message
            except (ConversationFailed, MountFailed) as error:
                problem, told = "conversation", str(error)
            bundle = visit.folder_shown
            result = visit.finish() if result is not None else None
            for loss in visit.losses:
                self._say(f"  warning:   {loss.file} is missing: {loss.reason}")
        return Attempt(
            entry=entry,
            number=number,
            bundle=bundle,
            result=result,
            problem=problem,
            told=told,
            first_token_ms=first_token_ms,
        )


def _saved(record: Record, attempts: tuple[Attempt, ...]) -> dict[str, Any]:
    """The content of `smoke.json`: the record, and each attempt with its bundle, which has the visit's result."""
    tried = [
        {"entry": a.entry, "number": a.number, "is_passed": a.is_passed, "mount_ms": a.mount_ms,
         "first_token_ms": a.first_token_ms, "problem": a.problem, "told": a.told, "bundle": a.bundle}
        for a in attempts
    ]  # fmt: skip
    return {"format": "chatkit-harness/smoke", "version": 1, "record": asdict(record), "attempts": tried}


def _told(attempt: Attempt, *, is_last: bool) -> str:
    """The result of one visit, with its cause and bundle."""
    result = attempt.result
    lines = [
        f"{attempt.entry}, attempt {attempt.number}: {attempt.told or (render_verdict(result) if result else 'nothing')}"
    ]
    if result and not result.is_mounted and is_last:
        lines += [f"           {line}" for line in render_cause(result)]
    if attempt.first_token_ms >= 0:
        lines[0] += f"; first words after {attempt.first_token_ms:.0f} ms"
    return "\n".join([*lines, f"             bundle:    {attempt.bundle}"])

"""The pytest plugin: options, and where the results of a run go. Its fixtures are in `harness.pytest_fixtures`.

In: pytest's configuration. Out: one folder for the run, made by the controller, and exit code 13 for a broken environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from harness import pytest_fixtures
from harness.chatkit import Chatkit
from harness.config import Config, Overrides, read_config
from harness.errors import EmbedError, EnvironmentFailure, HarnessError, RecordingError, SecretFound
from harness.model.bounds import Allowance
from harness.model.redaction import Redactor
from harness.model.results import TestOutcome
from harness.outcomes import BUNDLE, EXIT_CODE, Outcomes
from harness.pytest_fixtures import ALLOWANCE, CONFIG, REDACTOR, STACK
from harness.report.run_folder import new_run_folder, publish, shown
from harness.report.search import NOT_SEARCHED, Secret, prove, redact_file, render_proof
from harness.report.trace import is_trace, learn_from_trace, rewrite_trace
from harness.reports import attach_learned, redact_report, take_learned
from harness.servers.scenarios import FOREIGN_BACKEND
from harness.servers.server import Stack, serve_stack, stack_at
from harness.servers.web_server import WebServerCommand, WebServerProcess, openai_environ

CHECKS = Path(__file__).with_name("checks.py")
BUILT_IN = "built-in"
OUTPUT = "chatkit_output"  # what a worker of pytest-xdist is told: the run's folder,
SERVERS = "chatkit_servers"  # and the addresses of the controller's servers, when the page's backend talks to them


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options; pytest-playwright's own (--browser, --headed, --output, …) go on to work."""
    group = parser.getgroup("chatkit", "chatkit-harness: does the ChatKit widget mount?")
    group.addoption("--chatkit-config", metavar="FILE", help="the configuration (default: playwright.config.toml)")
    group.addoption("--chatkit-project", metavar="NAME", help="the project of the configuration to run")
    group.addoption("--chatkit-scenario", metavar="NAME", default="", help="the scenario of the embedded default")
    group.addoption("--chatkit-prefetch", choices=("required", "allowed"), help="what the client secret must be")
    group.addoption("--chatkit-mount-timeout-ms", type=int, metavar="MS", help="how long an undecided mount is awaited")
    group.addoption("--chatkit-trace", choices=("off", "on", "retain-on-failure"), help="when trace.zip is kept")
    group.addoption(
        "--chatkit-no-secret-scan", action="store_true", help="do not search what the run wrote for secrets afterwards"
    )
    group.addoption("--chatkit-debug", action="store_true", help="show tracebacks of our own errors")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Read the configuration; on the controller, take charge of the run."""
    # Registered here, when every plugin found by entry point is there: our fixtures extend pytest-playwright's.
    config.pluginmanager.register(pytest_fixtures, "chatkit-harness-fixtures")
    config.stash[CONFIG] = ours = _read(config)
    config.stash[REDACTOR] = Redactor(ours.secrets)
    config.stash[ALLOWANCE] = Allowance(processes=int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    if not config.option.browser:
        config.option.browser = [ours.use.browser]
    if hasattr(config, "workerinput"):
        config.option.output = config.workerinput[OUTPUT]
        if config.workerinput[SERVERS]:
            config.stash[STACK] = stack_at(config.workerinput[SERVERS], scenario=FOREIGN_BACKEND)
    elif not config.option.collectonly:
        config.pluginmanager.register(Controller(config, ours), "chatkit-harness-controller")


def _read(config: pytest.Config) -> Config:
    option = config.option
    given = Path(option.chatkit_config) if option.chatkit_config else None
    overrides = Overrides(
        project=option.chatkit_project,
        browser=option.browser[0] if option.browser else None,
        headless=False if option.headed else None,
        mount_timeout_ms=option.chatkit_mount_timeout_ms,
        prefetch=option.chatkit_prefetch,
        trace=option.chatkit_trace,
    )
    try:
        return read_config(given, environ=os.environ, overrides=overrides, root=None if given else config.rootpath)
    except HarnessError as error:
        raise pytest.UsageError(f"{type(error).__name__}: {error}") from None


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Give the built-in checks a short name, wherever the package is installed."""
    if module_path != CHECKS:
        return None
    module: pytest.Module = pytest.Module.from_parent(parent, path=module_path, nodeid=BUILT_IN)
    return module


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that take `chatkit_entry` once for every entry of the project."""
    if "chatkit_entry" in metafunc.fixturenames:
        try:
            names = [entry.name for entry in metafunc.config.stash[CONFIG].project().entries]
        except HarnessError as error:
            raise pytest.UsageError(f"{type(error).__name__}: {error}") from None
        metafunc.parametrize("chatkit_entry", names)


def pytest_make_parametrize_id(config: pytest.Config, val: object) -> str | None:
    """Name a parameter that holds a secret without it: a test's id stands in every report."""
    if not isinstance(val, str):
        return None
    shown = config.stash[REDACTOR].text(val)
    return shown.encode("unicode_escape").decode("ascii") if shown != val else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let an error of ours speak for itself: its message, and no traceback where that says nothing to the user."""
    report = yield
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, HarnessError):
        report.user_properties.append((EXIT_CODE, error.exit_code))
    found = getattr(item, "funcargs", {}).get("chatkit")
    opened = found if isinstance(found, Chatkit) else None  # a user's own fixture may have that name
    if report.when == "teardown" and opened is not None:
        report.user_properties += [(BUNDLE, str(visit.folder)) for visit in opened.visits]
    is_telling = isinstance(error, HarnessError) or (isinstance(error, EmbedError) and item.path == CHECKS)
    if is_telling and not item.config.option.chatkit_debug:
        report.longrepr = f"{type(error).__name__}: {error}"
    _without_secrets(report, item.config, opened)
    return report


def _without_secrets(report: pytest.TestReport, config: pytest.Config, opened: Chatkit | None) -> None:
    """Redact a report with all that is known in this process, and let it carry what its test taught."""
    of_run = config.stash[REDACTOR]
    redactors = [of_run]
    if opened is not None:
        if report.failed:
            opened.learn_secrets()
        home, known = str(opened.folder), set(config.stash[CONFIG].secrets)
        learned = [pair for pair in opened.redactor.learned if pair not in known]
        attach_learned(report, (Secret(kind=kind, value=value, home=home) for kind, value in learned))
        for kind, value in learned:
            of_run.learn(kind, value)
        redactors.insert(0, opened.redactor)
    redact_report(report, redactors)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Redact what is said about a file that cannot be collected."""
    report = yield
    redact_report(report, [collector.config.stash[REDACTOR]])
    return report


class Controller:
    """What only the controller does: make the run's folder, run the project's web server, set the exit code."""

    def __init__(self, config: pytest.Config, ours: Config) -> None:
        self._ours = ours
        self._resources = ExitStack()
        self._stack: Stack | None = None
        self._session: pytest.Session | None = None
        self._redactor = config.stash[REDACTOR]
        self._secrets = {Secret(kind=kind, value=value): None for kind, value in self._redactor.learned}
        self._is_searched = not config.option.chatkit_no_secret_scan
        self.proof = ""  # what the search for secrets says at the end, when it says something
        self.on_outcome: Callable[[TestOutcome], None] = lambda _outcome: None
        named = Path(config.option.output)
        output_dir = ours.output_dir if config.option.output == "test-results" else named.absolute()
        try:
            self.folder = new_run_folder(output_dir, keep_runs=ours.keep_runs)
        except HarnessError as error:
            raise pytest.UsageError(f"{type(error).__name__}: {error}") from None
        self.outcomes = Outcomes(self.folder)
        config.option.output = str(self.folder)  # pytest-playwright's `output_path` is below it
        config.option.xmlpath = config.option.xmlpath or str(self.folder / "junit.xml")

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of pytest-xdist the run's folder: it reads the command line again, and would miss it."""
        node.workerinput[OUTPUT] = str(self.folder)
        node.workerinput[SERVERS] = self._stack.addresses if self._stack else {}

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Start the project's own web server; in a hermetic run its backend finds an OpenAI API on this machine."""
        self._session = session
        try:
            project = self._ours.project()
            if project.web_server is None or (project.network == "replay" and project.record == "none"):
                return
            environ: dict[str, str] = {}
            if project.network == "hermetic":
                stack = self._resources.enter_context(serve_stack(scenario=FOREIGN_BACKEND))
                session.config.stash[STACK] = self._stack = stack
                environ = openai_environ(stack.api_url, os.environ)
            command = WebServerCommand(**asdict(project.web_server))
            log = self.folder / "web-server.log"
            server = WebServerProcess.start(command, log=log, environ=environ, clean=Redactor(self._ours.secrets).text)
            self._resources.callback(server.stop)
        except HarnessError as error:
            pytest.exit(f"{type(error).__name__}: {error}", returncode=error.exit_code)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what the test learned, before another plugin could write it; save the outcome of each finished test."""
        for secret in take_learned(report):
            self._secrets.setdefault(secret)
            self._redactor.learn(secret.kind, secret.value)
        outcome = self.outcomes.add(report)
        if outcome is not None:
            self.on_outcome(outcome)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Stop the servers; exit with 13 when the environment was at fault, with 11 when a recording was."""
        self._resources.close()
        codes = {outcome.exit_code for outcome in self.outcomes.finished}
        for code in (RecordingError.exit_code, EnvironmentFailure.exit_code):
            if code in codes:
                session.exitstatus = code

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Search what the run wrote for secrets; put its reports where CI systems look for them: they are complete only now."""
        self.proof, code = self._proved()
        if code and self._session is not None:
            self._session.exitstatus = code
        terminal = config.pluginmanager.get_plugin("terminalreporter")
        if self.proof and terminal is not None:
            terminal.write_line(self.proof)
        publish(self.folder)

    def _proved(self) -> tuple[str, int]:
        """What is to be said about secrets in the run's folder, and the exit code it asks for."""
        refused = [f"not redacted: a secret of the kind {kind}, because {why}" for kind, why in self._redactor.refused]
        if not self._is_searched:
            return "\n".join([*refused, NOT_SEARCHED]), 0
        for file in self.folder.iterdir():  # the run's own reports were written while secrets were still being learned
            with suppress(HarnessError, OSError):
                redact_file(file, self._redactor)
        for trace in self.folder.rglob("*.zip"):  # of pytest-playwright's own --tracing
            if is_trace(trace):
                _rewrite(trace, self._redactor)
        proof = prove(self.folder, self._secrets)
        told = render_proof(proof, folder=shown(self.folder))
        return "\n".join(filter(None, [*refused, told])), SecretFound.exit_code if proof.hits else 0


def _rewrite(trace: Path, redactor: Redactor) -> None:
    """Rewrite a trace in place; one that cannot be rewritten is deleted."""
    try:
        learn_from_trace(trace, redactor)
        rewrite_trace(trace, trace, redactor)
    except HarnessError:
        trace.unlink()

"""The pytest plugin: options, and where the results of a run go. Its fixtures are in `harness.pytest_fixtures`.

In: pytest's configuration. Out: one folder for the run, made by the controller, and exit code 13 for a broken environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from harness import pytest_fixtures
from harness.chatkit import Chatkit
from harness.config import Config, Overrides, read_config
from harness.errors import EmbedError, EnvironmentFailure, HarnessError
from harness.model.results import TestOutcome
from harness.outcomes import BUNDLE, EXIT_CODE, Outcomes
from harness.pytest_fixtures import CONFIG, STACK
from harness.report.run_folder import new_run_folder, publish
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
    group.addoption("--chatkit-debug", action="store_true", help="show tracebacks of our own errors")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Read the configuration; on the controller, take charge of the run."""
    # Registered here, when every plugin found by entry point is there: our fixtures extend pytest-playwright's.
    config.pluginmanager.register(pytest_fixtures, "chatkit-harness-fixtures")
    config.stash[CONFIG] = ours = _read(config)
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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let an error of ours speak for itself: its message, and no traceback where that says nothing to the user."""
    report = yield
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, HarnessError):
        report.user_properties.append((EXIT_CODE, error.exit_code))
    if report.when == "teardown":
        opened = getattr(item, "funcargs", {}).get("chatkit")
        visits = opened.visits if isinstance(opened, Chatkit) else []  # a user's own fixture may have that name
        report.user_properties += [(BUNDLE, str(visit.folder)) for visit in visits]
    is_telling = isinstance(error, HarnessError) or (isinstance(error, EmbedError) and item.path == CHECKS)
    if is_telling and not item.config.option.chatkit_debug:
        report.longrepr = f"{type(error).__name__}: {error}"
    return report


class Controller:
    """What only the controller does: make the run's folder, run the project's web server, set the exit code."""

    def __init__(self, config: pytest.Config, ours: Config) -> None:
        self._ours = ours
        self._resources = ExitStack()
        self._stack: Stack | None = None
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
        try:
            project = self._ours.project()
            if project.web_server is None:
                return
            environ: dict[str, str] = {}
            if project.network == "hermetic":
                stack = self._resources.enter_context(serve_stack(scenario=FOREIGN_BACKEND))
                session.config.stash[STACK] = self._stack = stack
                environ = openai_environ(stack.api_url, os.environ)
            command = WebServerCommand(**asdict(project.web_server))
            log = self.folder / "web-server.log"
            server = WebServerProcess.start(command, log=log, environ=environ)
            self._resources.callback(server.stop)
        except HarnessError as error:
            pytest.exit(f"{type(error).__name__}: {error}", returncode=error.exit_code)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Save the outcome of each finished test."""
        outcome = self.outcomes.add(report)
        if outcome is not None:
            self.on_outcome(outcome)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Stop the servers; exit with 13 when the environment was at fault."""
        self._resources.close()
        if any(outcome.exit_code == EnvironmentFailure.exit_code for outcome in self.outcomes.finished):
            session.exitstatus = EnvironmentFailure.exit_code

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Put the run's reports where CI systems look for them: they are complete only now."""
        publish(self.folder)

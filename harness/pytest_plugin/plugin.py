"""The pytest plugin: options, hooks, and the folder of a run. Its fixtures are in `harness.pytest_plugin.fixtures`.

In: pytest's configuration. Out: one folder for the run, made by the controller, and exit code 13 for a broken environment.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Generator
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from harness.config.sdk_source import SdkSource
from harness.config.tables import Project
from harness.drive.interrupts import driver_in_a_group_of_its_own, interrupts
from harness.errors import EmbedError, EnvironmentFailure, ExitCode, HarnessError, RecordingError, SecretFound, worst_of
from harness.files import reason_of
from harness.model.bounds import Allowance
from harness.model.file_names import JUNIT_NAME, REPORT_NAME
from harness.model.redaction import Redactor
from harness.model.results import Loss, TestOutcome
from harness.model.run_record import RunRecord
from harness.pytest_plugin import fixtures as pytest_fixtures
from harness.pytest_plugin.chatkit import Chatkit
from harness.pytest_plugin.fixtures import ALLOWANCE, CONFIG, REDACTOR, SDK_SOURCE, SHARED_NAMES, STACK
from harness.pytest_plugin.outcomes import BUNDLE, EXIT_CODE, MISSING, Outcomes, told_loss
from harness.pytest_plugin.report_redaction import attach_learned, redact_report, take_learned
from harness.pytest_plugin.run import RUN, SENT, Run, add_options, run_of, sent
from harness.report.bundle import write_text
from harness.report.ci_systems import ci_system
from harness.report.folders import shared_names
from harness.report.losses import render_first_loss, render_losses
from harness.report.run_files import WRITTEN_LAST, RunFiles, record_of
from harness.report.run_folder import TESTS_NAME, free_room, publish, run_folder_for, shown
from harness.report.search import NOT_SEARCHED, Secret, prove, redact_file, render_proof
from harness.report.terminal import verdict_of
from harness.report.trace import is_trace, learn_from_trace, rewrite_trace
from harness.servers.scenarios import FOREIGN_BACKEND
from harness.servers.server import Stack, serve_stack, stack_at
from harness.servers.web_server import WebServerCommand, WebServerProcess, openai_environ

CHECKS = Path(__file__).with_name("builtin_checks.py")
BUILT_IN = "built-in"
OF_THE_RUN = (RecordingError.exit_code, EnvironmentFailure.exit_code)  # codes of one test that are the whole run's
SCAN_NAME = "secret-scan.txt"  # what the search after the run has to say, or that there was none
WEB_SERVER_LOG = "web-server.log"
OUTPUT = "chatkit_output"  # what a worker of pytest-xdist receives: the run's folder,
SERVERS = "chatkit_servers"  # and the addresses of the controller's servers, when the page's backend talks to them


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options; pytest-playwright's own (--browser, --headed, --output, …) go on to work."""
    add_options(parser.getgroup("chatkit", "chatkit-harness: test pages that embed ChatKit"))


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Read the configuration; on the controller, set up the run."""
    # Registered here, when every plugin found by entry point is there: our fixtures extend pytest-playwright's.
    config.pluginmanager.register(pytest_fixtures, "chatkit-harness-fixtures")
    run, sdk = _run(config)
    shard_of(run.shard)
    ours = run.config
    config.stash[RUN], config.stash[CONFIG], config.stash[SDK_SOURCE] = run, ours, sdk
    config.stash[REDACTOR] = Redactor(ours.secrets)
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    config.stash[ALLOWANCE] = Allowance(ours.run_megabytes * 1_000_000, processes=workers)
    resources = ExitStack()
    resources.enter_context(interrupts())
    config.add_cleanup(resources.close)
    if not config.option.browser:
        config.option.browser = [ours.use.browser]
    if hasattr(config, "workerinput"):
        config.option.output = config.workerinput[OUTPUT]
        if config.workerinput[SERVERS]:
            config.stash[STACK] = stack_at(config.workerinput[SERVERS], scenario=FOREIGN_BACKEND, sdk_url=sdk.url)
    elif not config.option.collectonly:
        config.pluginmanager.register(Controller(config, run), "chatkit-harness-controller")


def _run(config: pytest.Config) -> tuple[Run, SdkSource]:
    try:
        run = run_of(config)
        return run, run.config.sdk()
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


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, None, None]:
    """Find the tests whose folders would be the same, then deselect tests by node id or by shard."""
    # Before any is deselected: a folder's name depends on no option.
    config.stash[SHARED_NAMES] = shared_names(item.nodeid for item in items)
    run = config.stash[RUN]
    if run.only is not None:
        _keep_named(config, run.only, items)
    yield
    if run.only is None:
        keep_shard(config, run.shard, items)


def _keep_named(config: pytest.Config, only: str, items: list[pytest.Item]) -> None:
    try:
        asked = set(Path(only).read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise pytest.UsageError(f"--chatkit-only: {only} cannot be read: {error}") from None
    left_out = [item for item in items if item.nodeid not in asked]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item.nodeid in asked]


def pytest_make_parametrize_id(config: pytest.Config, val: object) -> str | None:
    """Name a parameter that holds a secret without it: a test's id stands in every report."""
    if not isinstance(val, str):
        return None
    shown = config.stash[REDACTOR].text(val)
    return shown.encode("unicode_escape").decode("ascii") if shown != val else None


def keep_shard(config: pytest.Config, text: str, items: list[pytest.Item]) -> None:
    """Keep the tests of this shard: every N-th test in the order of their ids, the same on every machine."""
    shard = shard_of(text)
    if shard is None:
        return
    number, of = shard
    mine = set(sorted(item.nodeid for item in items)[number - 1 :: of])
    left = [item for item in items if item.nodeid not in mine]
    items[:] = [item for item in items if item.nodeid in mine]
    if left:
        config.hook.pytest_deselected(items=left)


def shard_of(text: str) -> tuple[int, int] | None:
    """Return "2/5" as (2, 5); None for an empty text. Raises UsageError for anything else."""
    if not text:
        return None
    number, _, of = text.partition("/")
    if number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of):
        return int(number), int(of)
    raise pytest.UsageError(f"ConfigError: a shard is K/N with K from 1 to N, such as 2/5, not {text!r}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show only the message of our own errors, without a traceback."""
    report = yield
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, HarnessError):
        report.user_properties.append((EXIT_CODE, int(error.exit_code)))
    found = getattr(item, "funcargs", {}).get("chatkit")
    opened = found if isinstance(found, Chatkit) else None  # a user's own fixture may have that name
    if report.when == "teardown" and opened is not None:
        report.user_properties += [(BUNDLE, str(visit.folder)) for visit in opened.visits]
        report.user_properties += _told(opened)
        report.user_properties += [(MISSING, told_loss(loss)) for visit in opened.visits for loss in visit.losses]
    if report.when == "teardown":
        report.user_properties.append(("chatkit_attempts", getattr(item, "execution_count", 1)))
    is_telling = isinstance(error, HarnessError) or (isinstance(error, EmbedError) and item.path == CHECKS)
    if is_telling and not item.config.stash[RUN].is_debug:
        report.longrepr = f"{type(error).__name__}: {error}"
    _without_secrets(report, item.config, opened)
    return report


def _told(opened: Chatkit) -> list[tuple[str, str]]:
    """The JUnit properties of each visit of a test: its verdict, the cause, other findings."""
    results = [visit.final for visit in opened.visits if visit.final is not None]
    told = [("chatkit_verdict", verdict_of(result)) for result in results]
    told += [("chatkit_cause", result.cause.rule) for result in results if result.cause]
    return told + [("chatkit_finding", finding.rule) for result in results for finding in result.also]


def _without_secrets(report: pytest.TestReport, config: pytest.Config, opened: Chatkit | None) -> None:
    """Redact a report with all known secrets, and attach the secrets that its test learned."""
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


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
    """Start pytest-playwright's driver where Ctrl-C does not reach it: bundles are written after that, too."""
    with driver_in_a_group_of_its_own() if fixturedef.argname == "playwright" else nullcontext():
        return (yield)


class Controller:
    """The tasks of the controller: create the run's folder, run the project's web server, set the exit code."""

    def __init__(self, config: pytest.Config, told: Run) -> None:
        self._told, self._ours = told, told.config
        self._resources = ExitStack()
        self._stack: Stack | None = None
        self._session: pytest.Session | None = None
        self._redactor = config.stash[REDACTOR]
        self._secrets = {Secret(kind=kind, value=value): None for kind, value in self._redactor.learned}
        self._is_interrupted = False
        self._is_searched = told.is_searched
        self.kind = "pytest"  # or "gate", which says so
        self.told_losses = ""  # what is missing in the results, at the end
        self.proof = ""  # what the search for secrets says at the end, when it says something
        self.on_outcome: Callable[[TestOutcome], None] = lambda _outcome: None
        self.on_loss: Callable[[str], None] = self._write_line
        self.losses: list[Loss] = []
        run = run_folder_for(told.config.output_dir, keep_runs=told.config.keep_runs)
        self.folder, self.problem = run.path, run.problem
        self._config = config
        self.outcomes = Outcomes(self.folder)
        self.files = RunFiles(self.folder, self._redactor, ci=ci_system(told.ci, os.environ), environ=os.environ)
        self.files.mask(value for _, value in self._redactor.learned)
        self._problems: list[str] = []
        self._masked: set[str] = set()
        config.option.output = str(self.folder)  # pytest-playwright's `output_path` is below it
        config.option.xmlpath = config.option.xmlpath or str(self.folder / JUNIT_NAME)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of pytest-xdist what the run was told, the run's folder, and where its servers are."""
        node.workerinput[SENT] = sent(self._told)
        node.workerinput[OUTPUT] = str(self.folder)
        node.workerinput[SERVERS] = self._stack.addresses if self._stack else {}

    @property
    def redactor(self) -> Redactor:
        """What knows every secret that the configuration held and the run learned."""
        return self._redactor

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Start the project's own web server; in a hermetic run its backend finds an OpenAI API on this machine."""
        self._session = session
        if self.problem:
            self.on_loss(self.problem)
        if session.config.stash[SDK_SOURCE].warning:
            self.on_loss(session.config.stash[SDK_SOURCE].warning)
        try:
            project = self._ours.project()
            self.files.begin(self._record(project, session.config))
            if project.web_server is None or (project.network == "replay" and project.record == "none"):
                return
            environ: dict[str, str] = {}
            if project.network == "hermetic":
                sdk = session.config.stash[SDK_SOURCE]
                stack = self._resources.enter_context(
                    serve_stack(scenario=FOREIGN_BACKEND, sdk_dir=sdk.folder, sdk_url=sdk.url)
                )
                session.config.stash[STACK] = self._stack = stack
                environ = openai_environ(stack.api_url, os.environ)
            command = WebServerCommand(**asdict(project.web_server))
            log = self.folder / WEB_SERVER_LOG
            server = WebServerProcess.start(command, log=log, environ=environ, clean=Redactor(self._ours.secrets).text)
            self._resources.callback(self._stop, server)
        except HarnessError as error:
            self._problems.append(f"{type(error).__name__}: {error}")
            pytest.exit(f"{type(error).__name__}: {error}", returncode=error.exit_code)

    def _record(self, project: Project, config: pytest.Config) -> RunRecord:
        return record_of(
            self.kind,
            project=project.name,
            network=project.network,
            browser=config.option.browser[0],
            environ=os.environ,
            clean=self._redactor,
            shard=self._told.shard,
        )

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember collection errors: a test that cannot be collected counts as failed."""
        if report.failed:
            self._problems.append(f"{report.nodeid} cannot be collected:\n{report.longrepr}")

    def _stop(self, server: WebServerProcess) -> None:
        server.stop()
        if server.log_problem:
            self.lose(Loss(file=WEB_SERVER_LOG, reason=server.log_problem))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what the test learned, before another plugin could write it; save the outcome of each finished test."""
        for secret in take_learned(report):
            self._secrets.setdefault(secret)
            self._redactor.learn(secret.kind, secret.value)
            self._mask(secret.value)
        outcome = self.outcomes.add(report)
        if outcome is not None:
            self.on_outcome(outcome)
            for loss in outcome.missing:
                self.lose(loss)

    def _mask(self, value: str) -> None:
        if value not in self._masked:
            self._masked.add(value)
            self.files.mask([value])

    def lose(self, loss: Loss) -> None:
        """Note a file that could not be written; the first one is reported at once, all of them at the end."""
        self.losses.append(loss)
        if len(self.losses) == 1 and not self.problem:
            self.on_loss(render_first_loss(loss, folder=shown(self.folder)))

    def _write_line(self, text: str) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            terminal.ensure_newline()
            terminal.write_line(text, red=True)

    def pytest_keyboard_interrupt(self) -> None:
        """Remember that the run is being stopped: later errors are not reported."""
        self._is_interrupted = True

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Stop the servers; exit with 13 or 11 when environment or recording was at fault. A report without room costs nothing else."""
        free_room(self.folder)
        try:
            yield
        except OSError as error:  # pytest's own reporters do not expect it
            self.lose(Loss(file=_below(self.folder, session.config.option.xmlpath), reason=reason_of(error)))
            with suppress(OSError):  # half of it is no XML
                Path(session.config.option.xmlpath).unlink()
        except Exception as error:
            if not self._is_interrupted:
                raise
            self._write_line(f"while the run was ended: {type(error).__name__}: {error}")  # a browser that is gone, too
        finally:
            self._resources.close()
            if self._is_interrupted:
                # What hangs on Playwright's broken-off greenlets goes now: inside of a compile, CPython 3.11 takes it for a fault.
                gc.collect()
        shard = shard_of(self._told.shard)
        if session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and shard is not None and shard[0] > 1:
            session.exitstatus = pytest.ExitCode.OK  # a shard beyond the last test has nothing to run
        codes = {outcome.exit_code for outcome in self.outcomes.finished} & {*OF_THE_RUN}
        session.exitstatus = worst_of((session.exitstatus, *codes))

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Search the files of the run for secrets, then copy its complete reports to the places where CI systems expect them."""
        cut = self.outcomes.close()
        if cut:
            self.lose(Loss(file=TESTS_NAME, reason=cut))
        self.proof, code = self._proved()
        if code and self._session is not None:
            self._session.exitstatus = code
        if self.proof:
            with suppress(HarnessError):
                write_text(self.folder / SCAN_NAME, self.proof + "\n")
        self._report(self._exit_code(), problems=[self.proof] if code else [])
        publish(self.folder)
        self.told_losses = "\n".join(
            filter(None, (self.problem, render_losses(self.losses, folder=shown(self.folder))))
        )
        for told in filter(None, (self.told_losses, self.proof)):
            self._write_line(told)
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None and self._has_visits():
            terminal.write_line(f"report: {shown(self.folder / REPORT_NAME)}")

    def amend(self, exit_code: int, problem: str) -> None:
        """Write the run's own files again: what was found out after the run has changed how it ended."""
        self._report(exit_code, problems=[problem])
        publish(self.folder)

    def _exit_code(self) -> int:
        """What the run ends with, as far as it is known here."""
        code = int(self._session.exitstatus) if self._session is not None else 0
        is_flaky = any(outcome.is_flaky for outcome in self.outcomes.finished)
        return ExitCode.PASSED_AFTER_RETRY if code == 0 and self.kind == "gate" and is_flaky else code

    def _has_visits(self) -> bool:
        is_written = (self.folder / REPORT_NAME).is_file()
        return is_written and any(outcome.bundles for outcome in self.outcomes.finished)

    def _report(self, exit_code: int, *, problems: list[str]) -> None:
        """Write the run's own files from what is on disk now, and search them too. Whatever fails is said, and changes nothing."""
        for loss in self.files.end(exit_code=exit_code, problems=(*self._problems, *problems)):
            self.lose(loss)
        if not self._is_searched:
            return
        written = [self.folder / name for name in WRITTEN_LAST if (self.folder / name).is_file()]
        proof = prove(self.folder, self._secrets, written)
        self.proof = "\n".join(filter(None, [self.proof, render_proof(proof, folder=shown(self.folder))]))
        if proof.hits and self._session is not None:
            self._session.exitstatus = SecretFound.exit_code

    def _proved(self) -> tuple[str, int]:
        """What is to be said about secrets in the run's folder, and the exit code it asks for."""
        refused = [f"not redacted: a secret of the kind {kind}, because {why}" for kind, why in self._redactor.refused]
        if not self._is_searched:
            return "\n".join([*refused, NOT_SEARCHED]), 0
        with suppress(OSError):  # no folder, nothing to search
            for (
                file
            ) in self.folder.iterdir():  # the run's own reports were written while secrets were still being learned
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
        with suppress(OSError):  # the search names what is still there
            trace.unlink()


def _below(folder: Path, file: str) -> str:
    path = Path(file)
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()

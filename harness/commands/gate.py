"""The command `gate`: run the built-in checks for every entry and the project's own tests with pytest.

In: what the run is told, its configuration above all. Out: progress, failures and a table on a console, a run folder, an exit code.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.commands.baseline import BaselineOptions, BaselineOutcome, BaselinePlan, judge_run, plan_of
from harness.commands.printing import PLAIN
from harness.config.reading import Config
from harness.config.sdk_source import STAND_IN
from harness.drive.browsers import BrowserChoice, find_browser
from harness.errors import ExitCode, HarnessError, SecretFound
from harness.files import Appender
from harness.model.file_names import REPORT_NAME
from harness.model.results import Loss, TestOutcome, VisitResult
from harness.pytest_plugin import again
from harness.pytest_plugin.plugin import CHECKS, Controller
from harness.pytest_plugin.run import RUN, Run, sent
from harness.report.bundle import read_result, write_text
from harness.report.run_folder import LATEST, runs_in, shown
from harness.report.run_on_disk import UNFINISHED, read_run
from harness.report.terminal import failure_text, run_table, test_line

PYTEST_LOG = "pytest.log"
SENTENCES: dict[int, str] = {
    ExitCode.PASSED: "passed",
    ExitCode.FAILED: "failed: {bad} of {all} tests",
    ExitCode.INTERRUPTED: "interrupted",
    ExitCode.INTERNAL_ERROR: "internal error in pytest",
    ExitCode.WRONG_USAGE: "wrong usage of pytest",
    ExitCode.NO_TEST_RAN: "failed: no test ran",
    ExitCode.PASSED_AFTER_RETRY: "passed, but only after a retry: {flaky} of {all} tests",
    ExitCode.SECRET_FOUND: "failed: a secret was found in the files of the run",
    ExitCode.BAD_RECORDING: "failed: a recording is too old, or cannot be read",
    ExitCode.BROKEN_ENVIRONMENT: "broken environment: the page was not judged",
}


Row = tuple[TestOutcome, tuple[VisitResult, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateOptions:
    """What the command line says about a gate that is not about the run of its tests."""

    only: str = ""  # pytest's -k
    baseline: BaselineOptions = field(default_factory=BaselineOptions)
    pytest_args: tuple[str, ...] = ()


def run_gate(console: Console, told: Run, options: GateOptions) -> int:
    """Return the exit code of the gate. Raises EnvironmentFailure when no browser can be started."""
    config = told.config
    plan = plan_of(config, options.baseline)
    introduction_of(config)  # raises before pytest starts
    reporter = GateReporter(console)
    run = replace(told, is_controlled=plan is not None)
    arguments = _arguments(config, options)
    code = int(pytest.main(arguments, plugins=[run, reporter]))
    if code == 0 and all(outcome.outcome == "skipped" for outcome in reporter.finished):
        code = ExitCode.NO_TEST_RAN
    if code == 0 and any(outcome.is_flaky for outcome in reporter.finished):
        code = ExitCode.PASSED_AFTER_RETRY
    reporter.print_table(code)
    judged = _judged(console, run, arguments, plan, reporter, code) if plan is not None else BaselineOutcome()
    if code in (ExitCode.PASSED, ExitCode.PASSED_AFTER_RETRY) and (judged.regressions or judged.is_refused):
        code = ExitCode.FAILED
        if reporter.controller is not None:
            reporter.controller.amend(code, judged.words)
    reporter.close(code, judged)
    return code


def introduction_of(config: Config) -> list[str]:
    """Return what is run, in lines. Raises ConfigError, RecordingError, EnvironmentFailure for what cannot be run."""
    project, sdk, use = config.project(), config.sdk(), config.use
    choice = find_browser(use.browser, use.executable_path, os.environ, headless=use.headless)
    is_sdk_told = sdk.name != STAND_IN.name and (project.network == "hermetic" or config.is_sdk_chosen)
    return [
        f"gate: project {project.name}, {project.network} network, {_told(choice)}",
        *([f"sdk: {sdk.name}"] if is_sdk_told else []),
    ]


def _judged(
    console: Console, run: Run, arguments: list[str], plan: BaselinePlan, reporter: GateReporter, code: int
) -> BaselineOutcome:
    """Compare the run with the baseline, or save it as the baseline; neither when it was interrupted or ran no test."""
    controller = reporter.controller
    if controller is None or code not in (ExitCode.PASSED, ExitCode.FAILED, ExitCode.PASSED_AFTER_RETRY):
        why = "no test ran" if code == ExitCode.NO_TEST_RAN else f"the run did not complete (exit code {code})"
        left = f"; {shown(plan.path.absolute())} is unchanged" if plan.is_updated else ""
        return BaselineOutcome(words=f"baseline: not compared, because {why}{left}")

    def say(text: str) -> None:
        console.print(text, **PLAIN)

    def repeat(tests: list[str], folder: Path) -> Path | None:
        return _repeat(run, arguments, tests, folder)

    return judge_run(
        plan, controller.folder, run.config, code=code, redactor=controller.redactor, repeat=repeat, say=say
    )


def _repeat(run: Run, arguments: list[str], tests: list[str], folder: Path) -> Path | None:
    """Run only these tests again in another process, and return the folder of that run; None when it wrote none.

    Raises SecretFound when the new files contain a secret, BundleError when nothing can be written.
    """
    asked = folder / "tests.txt"
    write_text(asked, "".join(f"{test}\n" for test in tests))
    config = run.config.changed({"output_dir": str(folder.absolute())})
    own = replace(run, config=config, only=str(asked), ci="off", is_controlled=True)
    with (folder / PYTEST_LOG).open("wb") as log:
        done = subprocess.run(
            [sys.executable, "-m", again.__name__, *arguments, f"--junitxml={folder / 'junit.xml'}"],
            input=sent(own),
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode == SecretFound.exit_code:
        raise SecretFound(f"when tests ran again, a secret was found in their files: {shown(folder)}")
    return next(iter(runs_in(folder)), None)


def _told(choice: BrowserChoice) -> str:
    where = f" at {choice.executable_path}" if choice.executable_path else ""
    return f"{choice.name} ({choice.source}{where})"


def _arguments(config: Config, options: GateOptions) -> list[str]:
    """What only pytest and other plugins can be told; the plugin of this package is given its `Run`."""
    arguments = [f"--rootdir={config.root}", "-p", "no:cacheprovider"]
    arguments += [f"--reruns={config.retries}"] if config.retries else []
    arguments += ["-n", str(config.workers)] if config.workers > 1 else []
    arguments += [f"--ignore-glob={config.root / glob}" for glob in config.test_ignore]
    arguments += ["-k", options.only] if options.only else []
    paths = [CHECKS, *([config.test_dir] if config.test_dir.exists() else [])]
    return [*arguments, *options.pytest_args, *map(str, paths)]


class GateReporter:
    """A pytest plugin that reports progress on the console; pytest's own output goes to a log in the run's folder."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._folder: Path | None = None
        self.controller: Controller | None = None
        self._log: _Log | None = None
        self._rows: list[Row] = []

    @property
    def finished(self) -> list[TestOutcome]:
        """The outcomes so far."""
        return [outcome for outcome, _ in self._rows]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Say what is run, as the tests are told it; send what pytest prints to a file, and listen to outcomes."""
        config = session.config.stash[RUN].config  # with the options that were given to pytest
        try:
            for line in introduction_of(config):
                self._console.print(line, **PLAIN)
        except HarnessError as error:
            pytest.exit(f"{type(error).__name__}: {error}", returncode=error.exit_code)
        controller = session.config.pluginmanager.get_plugin("chatkit-harness-controller")
        if not isinstance(controller, Controller):
            return
        self.controller, self._folder = controller, controller.folder
        controller.kind = "gate"
        controller.on_outcome = self._on_outcome
        controller.on_loss = self._on_loss
        terminal: Any = session.config.pluginmanager.get_plugin("terminalreporter")
        self._log = _Log(controller.folder / PYTEST_LOG)
        session.config.add_cleanup(self._log.close)
        # pytest has no public way to redirect its output; its plugins expect the reporter itself to exist.
        terminal._tw = type(terminal._tw)(self._log)

    @pytest.hookimpl(tryfirst=True)
    def pytest_unconfigure(self) -> None:
        """Add the log to the missing files, before the controller reports them."""
        if self.controller is not None and self._log is not None and self._log.problem:
            self.controller.lose(Loss(file=PYTEST_LOG, reason=self._log.problem))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Print collection errors."""
        if report.failed:
            self._console.print(f"  error   {report.nodeid}", style="bold red", markup=False, highlight=False)
            self._console.print(str(report.longrepr), markup=False, highlight=False)

    def _on_outcome(self, outcome: TestOutcome) -> None:
        visits = tuple(filter(None, (self._result(bundle) for bundle in outcome.bundles)))
        self._rows.append((outcome, visits))
        self._console.print(test_line(outcome, visits), highlight=False, soft_wrap=True)
        if not outcome.is_good:
            self._console.print(failure_text(outcome), highlight=False, soft_wrap=True)

    def _on_loss(self, told: str) -> None:
        self._console.print(told, style="bold red", **PLAIN)

    def _result(self, bundle: str) -> VisitResult | None:
        try:
            return read_result(self._folder / bundle) if self._folder else None
        except HarnessError:
            return None

    def _unfinished(self) -> list[Row]:
        """The visits that were unfinished when the run was interrupted, read from their bundles."""
        try:
            tests = read_run(self._folder).tests if self._folder else ()
        except HarnessError:
            return []
        return [(test.outcome, test.results) for test in tests if test.outcome.outcome == UNFINISHED]

    def print_table(self, code: int) -> None:
        """Print the table and the folder; after a failed run, also the unfinished visits."""
        rows = [*self._rows, *(self._unfinished() if code else ())]
        if self._folder is not None and rows:
            self._console.print()
            self._console.print(run_table(rows, folder=shown(self._folder)), highlight=False, soft_wrap=True)
            self._console.print()
            self._console.print(f"results: {shown(self._folder)} (also as {LATEST})", markup=False, highlight=False)
            if (self._folder / REPORT_NAME).is_file():
                report = shown(self._folder.parent / REPORT_NAME)
                self._console.print(f"report:  {report}", **PLAIN)
        if self.controller is not None:
            for told in filter(None, (self.controller.told_losses, self.controller.proof)):
                self._console.print(told, style="bold red", **PLAIN)

    def close(self, code: int, judged: BaselineOutcome) -> None:
        """Print the comparison with the baseline, and the result."""
        finished = self.finished
        if judged.words:
            style = "bold red" if judged.regressions or judged.is_refused else None
            self._console.print(judged.words, style=style, **PLAIN)
        sentence = SENTENCES.get(code, f"ended with exit code {code}").format(
            bad=sum(not outcome.is_good for outcome in finished),
            flaky=sum(outcome.is_flaky for outcome in finished),
            all=len(finished),
        )
        if code == ExitCode.FAILED and all(outcome.is_good for outcome in finished):
            sentence = _failed_by_baseline(judged)
        if self.controller is not None and self.controller.told_losses:
            sentence += "; some results are missing or in another folder: see above"
        style = "bold green" if code == 0 else "bold red"
        self._console.print(f"gate: {sentence}", style=style, highlight=False, soft_wrap=True)


def _failed_by_baseline(judged: BaselineOutcome) -> str:
    """The result of a run that failed although all tests passed."""
    if judged.is_refused:
        return "failed: the baseline was not updated"
    count = judged.regressions
    return f"failed: {'1 regression' if count == 1 else f'{count} regressions'} against the baseline"


class _Log(io.TextIOBase):
    """A file with pytest's output. When the disk is full, only the rest of the output is lost."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = Appender(path)

    @property
    def problem(self) -> str:
        """Why the rest is missing; "" when nothing is missing."""
        return self._file.problem

    def writable(self) -> bool:
        """Return that it is writable."""
        return True

    def write(self, text: str) -> int:
        """Append a text."""
        self._file.write(text.encode("utf-8", "replace"))
        return len(text)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()

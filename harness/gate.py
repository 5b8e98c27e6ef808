"""The regression gate: the built-in checks for every entry, then the project's own tests, through pytest.

In: the configuration. Out: progress, failures and a table on a console, a run folder, an exit code.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.config import Config
from harness.drive.browsers import BrowserChoice, find_browser
from harness.errors import BundleError
from harness.model.results import TestOutcome, VisitResult
from harness.plugin import CHECKS, Controller
from harness.report.bundle import read_result
from harness.report.run_folder import LATEST, shown
from harness.report.terminal import failure_text, run_table, test_line

PASSED_AFTER_RETRY = 7
PYTEST_LOG = "pytest.log"
SENTENCES = {
    0: "passed",
    1: "failed: {bad} of {all} tests",
    2: "interrupted",
    3: "pytest met an internal error",
    4: "pytest was used wrongly",
    5: "failed: no test ran, and a gate that ran nothing is not green",
    PASSED_AFTER_RETRY: "passed, but only after a retry: {flaky} of {all} tests",
    10: "failed: a secret was found in what the run wrote",
    11: "failed: a recording is stale, or cannot be read",
    13: "broken environment: the page was not judged",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GateOptions:
    """What the command line says about this run."""

    config_file: Path | None = None
    is_debug: bool = False
    only: str = ""  # pytest's -k
    is_searched: bool = True  # for secrets, after the run
    pytest_args: tuple[str, ...] = ()


def run_gate(console: Console, config: Config, options: GateOptions) -> int:
    """Return the exit code of the gate. Raises EnvironmentFailure when there is no browser to start with."""
    project = config.project()
    choice = find_browser(config.use.browser, config.use.executable_path, os.environ, headless=config.use.headless)
    sentence = f"gate: project {project.name}, {project.network} network, {_told(choice)}"
    console.print(sentence, markup=False, highlight=False, soft_wrap=True)
    reporter = GateReporter(console)
    code = int(pytest.main(_arguments(config, options), plugins=[reporter]))
    if code == 0 and any(outcome.is_flaky for outcome in reporter.finished):
        code = PASSED_AFTER_RETRY
    reporter.close(code)
    return code


def _told(choice: BrowserChoice) -> str:
    where = f" at {choice.executable_path}" if choice.executable_path else ""
    return f"{choice.name} ({choice.source}{where})"


def _arguments(config: Config, options: GateOptions) -> list[str]:
    use = config.use
    arguments = [f"--rootdir={config.root}", f"--chatkit-project={config.project_name}", f"--browser={use.browser}"]
    arguments += [f"--chatkit-config={options.config_file}"] if options.config_file else []
    arguments += [f"--output={config.output_dir}", f"--chatkit-trace={use.trace}", "-p", "no:cacheprovider"]
    arguments += [f"--chatkit-mount-timeout-ms={config.chatkit.mount_timeout_ms}"]
    arguments += [f"--chatkit-prefetch={config.chatkit.prefetch}"] if _is_given(config, "chatkit.prefetch") else []
    arguments += [] if use.headless else ["--headed"]
    arguments += [f"--reruns={config.retries}"] if config.retries else []
    arguments += ["-n", str(config.workers)] if config.workers > 1 else []
    arguments += [f"--ignore-glob={config.root / glob}" for glob in config.test_ignore]
    arguments += ["-k", options.only] if options.only else []
    arguments += [] if options.is_searched else ["--chatkit-no-secret-scan"]
    arguments += ["--chatkit-debug"] if options.is_debug else []
    arguments += options.pytest_args
    return [*arguments, str(CHECKS), *([str(config.test_dir)] if config.test_dir.exists() else [])]


def _is_given(config: Config, name: str) -> bool:
    return config.settings[name].source == "command line"


class GateReporter:
    """A pytest plugin that tells the run to a person; pytest's own words go to a log in the run's folder."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._folder: Path | None = None
        self._controller: Controller | None = None
        self._rows: list[tuple[TestOutcome, tuple[VisitResult, ...]]] = []

    @property
    def finished(self) -> list[TestOutcome]:
        """The outcomes so far."""
        return [outcome for outcome, _ in self._rows]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Send what pytest prints to a file, and listen to outcomes."""
        controller = session.config.pluginmanager.get_plugin("chatkit-harness-controller")
        if not isinstance(controller, Controller):
            return
        self._controller, self._folder = controller, controller.folder
        controller.on_outcome = self._on_outcome
        terminal: Any = session.config.pluginmanager.get_plugin("terminalreporter")
        log = (controller.folder / PYTEST_LOG).open("w", encoding="utf-8", buffering=1)
        session.config.add_cleanup(log.close)
        # pytest has no public way to print somewhere else; its plugins expect the reporter itself to be there.
        terminal._tw = type(terminal._tw)(log)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Say what could not be collected."""
        if report.failed:
            self._console.print(f"  error   {report.nodeid}", style="bold red", markup=False, highlight=False)
            self._console.print(str(report.longrepr), markup=False, highlight=False)

    def _on_outcome(self, outcome: TestOutcome) -> None:
        visits = tuple(filter(None, (self._result(bundle) for bundle in outcome.bundles)))
        self._rows.append((outcome, visits))
        self._console.print(test_line(outcome, visits), highlight=False, soft_wrap=True)
        if not outcome.is_good:
            self._console.print(failure_text(outcome), highlight=False, soft_wrap=True)

    def _result(self, bundle: str) -> VisitResult | None:
        try:
            return read_result(self._folder / bundle) if self._folder else None
        except BundleError:
            return None

    def close(self, code: int) -> None:
        """Print the table, where everything is, and how it ended."""
        finished = self.finished
        if self._folder is not None and self._rows:
            self._console.print()
            self._console.print(run_table(self._rows, folder=shown(self._folder)), highlight=False, soft_wrap=True)
            self._console.print()
            self._console.print(f"results: {shown(self._folder)} (also as {LATEST})", markup=False, highlight=False)
        if self._controller is not None and self._controller.proof:
            self._console.print(self._controller.proof, style="bold red", markup=False, highlight=False, soft_wrap=True)
        sentence = SENTENCES.get(code, f"ended with exit code {code}").format(
            bad=sum(not outcome.is_good for outcome in finished),
            flaky=sum(outcome.is_flaky for outcome in finished),
            all=len(finished),
        )
        self._console.print(f"gate: {sentence}", style="bold green" if code == 0 else "bold red", highlight=False)

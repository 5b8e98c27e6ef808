"""Test reports in, one outcome for each finished test out, saved while the run goes on.

In: pytest's reports, of this process or of xdist's workers. Out: `TestOutcome` values and the lines of `tests.jsonl`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import worst_of
from harness.files import Appender, reason_of, write_whole
from harness.model.codec import json_text, plain
from harness.model.results import Loss, TestOutcome
from harness.model.texts import in_json
from harness.report.folders import is_folder_of, names_of
from harness.report.run_folder import TESTS_NAME
from harness.report.run_on_disk import visits_below

EXIT_CODE = "chatkit_exit_code"  # user property of a report: the exit code of a HarnessError
BUNDLE = "chatkit_bundle"  # user property of a report: the folder of one visit
MISSING = "chatkit_missing"  # user property of a report: a file that could not be written, and why


class Outcomes:
    """Combines the three reports of each test."""

    def __init__(self, folder: Path) -> None:
        self.finished: list[TestOutcome] = []
        self._folder = folder
        self._file = Appender(folder / TESTS_NAME)
        self._reports: dict[str, list[pytest.TestReport]] = {}
        self._attempts: dict[str, int] = {}

    def add(self, report: pytest.TestReport) -> TestOutcome | None:
        """Return the outcome when this report was the test's last; it is on disk by then."""
        self._reports.setdefault(report.nodeid, []).append(report)
        if _is_rerun(report):
            self._attempts[report.nodeid] = self._attempts.get(report.nodeid, 0) + 1
        if report.when not in ("setup", "call", "teardown"):
            return self._crashed(report)
        if report.when != "teardown":
            return None
        reports = self._reports.pop(report.nodeid)
        if any(map(_is_rerun, reports)):
            return None
        outcome = _outcome_of(reports, self._attempts.get(report.nodeid, 0) + 1, self._folder)
        return self._finish(outcome)

    def _crashed(self, report: pytest.TestReport) -> TestOutcome | None:
        """The outcome of a test whose worker died: pytest-xdist reports it without saying when. Its reruns, if any, go on."""
        reports = self._reports.pop(report.nodeid)
        if _is_rerun(report):
            return None
        visits, names = visits_below(self._folder), names_of([report.nodeid])
        bundles = [visit.bundle for visit in visits if is_folder_of(visit.bundle, names) and not visit.is_whole]
        outcome = _outcome_of(reports, self._attempts.get(report.nodeid, 0) + 1, self._folder)
        return self._finish(replace(outcome, outcome="error", message=str(report.longrepr), bundles=tuple(bundles)))

    def _finish(self, outcome: TestOutcome) -> TestOutcome:
        self.finished.append(outcome)
        self._file.write(_line(outcome))
        return outcome

    def close(self) -> str:
        """End; return "" or why outcomes are missing on disk. Those that found no room are tried once more."""
        self._file.close()
        if not self._file.problem:
            return ""
        try:
            write_whole(self._file.path, map(_line, self.finished))
        except OSError as error:
            return reason_of(error)
        return ""


def _line(outcome: TestOutcome) -> bytes:
    return f"{in_json(json_text(plain(outcome)))}\n".encode("utf-8", "replace")


def _is_rerun(report: pytest.TestReport) -> bool:
    return str(report.outcome) == "rerun"  # pytest-rerunfailures' own word


def _outcome_of(reports: list[pytest.TestReport], attempts: int, folder: Path) -> TestOutcome:
    failed = next((r for r in reports if r.failed), None)
    skipped = next((r for r in reports if r.skipped), None)
    properties = [(name, value) for r in reports[-1:] for name, value in r.user_properties]
    word = "passed" if failed is None else "failed" if failed.when == "call" else "error"
    return TestOutcome(
        nodeid=reports[0].nodeid,
        outcome="skipped" if skipped and failed is None else word,
        attempts=attempts,
        duration_s=round(sum(r.duration for r in reports), 3),
        message=_message_of(failed or skipped),
        exit_code=worst_of(
            (0, *(int(str(value)) for r in reports for name, value in r.user_properties if name == EXIT_CODE))
        ),
        bundles=tuple(_below(folder, str(value)) for name, value in properties if name == BUNDLE),
        missing=tuple(_loss(folder, str(value)) for name, value in properties if name == MISSING),
    )


def _message_of(report: pytest.TestReport | None) -> str:
    if report is None:
        return ""
    if report.skipped and isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else str(report.longrepr)
    return str(text).removeprefix("harness.errors.")


def _below(folder: Path, bundle: str) -> str:
    path = Path(bundle)
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()


def told_loss(loss: Loss) -> str:
    """Return a loss as the user property of a report."""
    return f"{loss.file}: {loss.reason}"


def _loss(folder: Path, told: str) -> Loss:
    file, _, reason = told.rpartition(": ")
    return Loss(file=_below(folder, file), reason=reason)

"""Test reports in, one outcome for each finished test out, saved while the run goes on.

In: pytest's reports, of this process or of xdist's workers. Out: `TestOutcome` values and the lines of `tests.jsonl`.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from harness.errors import BundleError
from harness.model.results import TestOutcome
from harness.model.texts import in_json

TESTS_NAME = "tests.jsonl"
EXIT_CODE = "chatkit_exit_code"  # user property of a report: the exit code of a HarnessError
BUNDLE = "chatkit_bundle"  # user property of a report: the folder of one visit


class Outcomes:
    """Puts the three reports of each test together."""

    def __init__(self, folder: Path) -> None:
        self.finished: list[TestOutcome] = []
        self._folder = folder
        self._reports: dict[str, list[pytest.TestReport]] = {}
        self._attempts: dict[str, int] = {}

    def add(self, report: pytest.TestReport) -> TestOutcome | None:
        """Return the outcome when this report was the test's last; it is on disk by then."""
        self._reports.setdefault(report.nodeid, []).append(report)
        if _is_rerun(report):
            self._attempts[report.nodeid] = self._attempts.get(report.nodeid, 0) + 1
        if report.when != "teardown":
            return None
        reports = self._reports.pop(report.nodeid)
        if any(map(_is_rerun, reports)):
            return None
        outcome = _outcome_of(reports, self._attempts.get(report.nodeid, 0) + 1, self._folder)
        self.finished.append(outcome)
        self._save(outcome)
        return outcome

    def _save(self, outcome: TestOutcome) -> None:
        path = self._folder / TESTS_NAME
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(in_json(json.dumps(asdict(outcome), ensure_ascii=False)) + "\n")
        except OSError as error:
            raise BundleError(f"cannot write {path}: {error.strerror}") from error


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
        exit_code=max(
            (int(str(value)) for r in reports for name, value in r.user_properties if name == EXIT_CODE), default=0
        ),
        bundles=tuple(_below(folder, str(value)) for name, value in properties if name == BUNDLE),
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

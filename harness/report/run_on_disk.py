"""Reads what a run left on disk, also when it was killed in the middle.

In: a run's folder. Out: `RunOnDisk`: the record, each test with its visits, visits that no finished test owns. Never raises for a damaged
bundle: what cannot be read is said.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from harness.analysis.result import result_of
from harness.analysis.verdict import Limits
from harness.errors import BundleError, HarnessError
from harness.model.results import Loss, TestOutcome, VisitResult
from harness.model.run_record import RunRecord
from harness.model.timeline import Entry, read_timeline
from harness.report.bundle import TIMELINE_NAME, read_result, write_json
from harness.report.folders import is_folder_of
from harness.report.run_folder import RUN_NAME, TESTS_NAME

RECORD_NAME = "run.json"
RECORD_FORMAT = "chatkit-harness/run"
RECORD_VERSION = 1
CONTROL = "control"  # visits of our own page, by which a gate tells how fast the machine is
WITHOUT_TESTS = ("check", "smoke")  # commands that make visits and run no tests
UNFINISHED = "unfinished"  # the outcome of a visit whose test never ended


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitOnDisk:
    """One bundle."""

    folder: Path
    bundle: str  # its path below the run's folder
    result: VisitResult | None  # None: there is nothing that can be read
    is_whole: bool  # False: the visit was cut short, and judged by its timeline
    trouble: str = ""  # why it cannot be read

    @property
    def is_good(self) -> bool:
        """Whether the visit came to all that its project asks for."""
        return self.result is not None and self.result.is_good


@dataclass(frozen=True, slots=True, kw_only=True)
class TestOnDisk:
    """One test with its visits."""

    __test__ = False  # its name starts with Test, and it is none

    outcome: TestOutcome
    visits: tuple[VisitOnDisk, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOnDisk:
    """One run: tests in the order of their names, those first that are not good."""

    folder: Path
    record: RunRecord
    tests: tuple[TestOnDisk, ...]


def read_run(folder: Path) -> RunOnDisk:
    """Return what is there. Raises BundleError when the folder holds no run at all."""
    if not folder.is_dir():
        raise BundleError(f"there is no folder {folder}")
    record = read_record(folder)
    outcomes = read_outcomes(folder)
    tests = [_test(folder, outcome) for outcome in outcomes]
    owned = {visit.bundle for test in tests for visit in test.visits}
    for visit in _visits_below(folder):
        if visit.bundle not in owned and not _is_earlier_attempt(visit, outcomes):
            tests.append(_ownerless(record, visit))
    if record is None and not tests:
        raise BundleError(f"{folder} holds no run: no {RECORD_NAME}, no {TESTS_NAME}, no {TIMELINE_NAME} below it")
    tests.sort(key=_order)
    return RunOnDisk(folder=folder, record=record or _guessed(tests), tests=tuple(tests))


def _order(test: TestOnDisk) -> tuple[int, str]:
    outcome = test.outcome
    rank = 0 if not outcome.is_good else 1 if outcome.is_flaky else 3 if outcome.outcome == "skipped" else 2
    return rank, outcome.nodeid


# --- the record ---------------------------------------------------------------------------------------------------


def write_record(folder: Path, record: RunRecord) -> None:
    """Write `run.json`. Raises BundleError."""
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    write_json(folder / RECORD_NAME, {"format": RECORD_FORMAT, "version": RECORD_VERSION, **values})


def read_record(folder: Path) -> RunRecord | None:
    """Return the record of a run; None when it has none that can be read."""
    try:
        data = json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))
        if data.pop("format") != RECORD_FORMAT or data.pop("version") > RECORD_VERSION:
            return None
        known = {field.name for field in fields(RunRecord)}
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in data.items() if name in known
        }
        return RunRecord(**values)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _guessed(tests: list[TestOnDisk]) -> RunRecord:
    """What the visits tell of a run without a record."""
    results = [visit.result for test in tests for visit in test.visits if visit.result is not None]
    first = min(results, key=lambda result: result.started_at, default=None)
    return RunRecord(
        kind="pytest",
        command="",
        started_at=first.started_at if first else "",
        project=first.project if first else "",
        network=first.network if first else "",
        browser=first.browser if first else "",
    )


# --- tests and visits ---------------------------------------------------------------------------------------------


def read_outcomes(folder: Path) -> list[TestOutcome]:
    """Return the finished tests; a last line that was cut short is none. Of a test that ran twice, the last word counts."""
    try:
        lines = (folder / TESTS_NAME).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found = (_outcome(line) for line in lines)
    return list({outcome.nodeid: outcome for outcome in found if outcome is not None}.values())


def _outcome(line: str) -> TestOutcome | None:
    try:
        data: dict[str, Any] = json.loads(line)
        known = {field.name for field in fields(TestOutcome)}
        values = {name: value for name, value in data.items() if name in known}
        missing = tuple(Loss(**item) for item in data.get("missing", ()))
        return TestOutcome(**values | {"bundles": tuple(map(str, data["bundles"])), "missing": missing})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _test(folder: Path, outcome: TestOutcome) -> TestOnDisk:
    visits = (read_visit(folder, folder / bundle) for bundle in outcome.bundles)
    return TestOnDisk(outcome=outcome, visits=tuple(visits))


def _ownerless(record: RunRecord | None, visit: VisitOnDisk) -> TestOnDisk:
    """A visit of a command that runs no tests, or of a test that never ended."""
    is_free = record is not None and record.kind in WITHOUT_TESTS
    verdict = "passed" if visit.result is not None and visit.result.is_mounted else "failed"
    outcome = TestOutcome(
        nodeid=visit.bundle,
        outcome=verdict if is_free and visit.is_whole else UNFINISHED,
        attempts=1,
        duration_s=0.0,
        message="",
        exit_code=0,
        bundles=(visit.bundle,),
    )
    return TestOnDisk(outcome=outcome, visits=(visit,))


def _is_earlier_attempt(visit: VisitOnDisk, outcomes: list[TestOutcome]) -> bool:
    """Whether it is a whole visit of a test that was tried again, and that its last attempt speaks for."""
    return visit.is_whole and any(is_folder_of(visit.bundle, outcome.nodeid) for outcome in outcomes)


def _visits_below(folder: Path) -> Iterator[VisitOnDisk]:
    """The bundles of the run itself: not those of its controls, nor of tests that were run again to be measured."""
    for timeline in sorted(folder.glob(f"**/{TIMELINE_NAME}")):
        parts = timeline.relative_to(folder).parts
        if parts[0] != CONTROL and not any(map(RUN_NAME.fullmatch, parts)):
            yield read_visit(folder, timeline.parent)


def read_visit(run: Path, folder: Path) -> VisitOnDisk:
    """Return a bundle's result: the written one, or what its timeline comes to when the visit was cut short."""
    bundle = folder.relative_to(run).as_posix() if folder.is_relative_to(run) else folder.as_posix()
    visit = VisitOnDisk(folder=folder, bundle=bundle, result=None, is_whole=False)
    if (folder / "result.json").is_file():
        try:
            return replace(visit, result=read_result(folder), is_whole=True)
        except BundleError as error:
            visit = replace(visit, trouble=str(error))
    try:
        entries, started_at = read_entries(folder)
        return replace(visit, result=result_of(entries, limits=Limits(), started_at=started_at))
    except (HarnessError, ValueError) as error:
        return replace(visit, trouble=visit.trouble or str(error))


def read_entries(folder: Path) -> tuple[tuple[Entry, ...], str]:
    """Return a bundle's timeline and when it began. Raises BundleError, or RecordingError when it cannot be read."""
    path = folder / TIMELINE_NAME
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror or error}") from error
    entries = read_timeline(lines)
    return entries, str(json.loads(lines[0]).get("started_at", ""))

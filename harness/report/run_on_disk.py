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

from harness.analysis.mount.verdict import Limits
from harness.analysis.result import result_of
from harness.errors import BundleError, HarnessError
from harness.model.events import VisitEnded
from harness.model.results import Loss, TestOutcome, VisitResult
from harness.model.run_record import RunRecord
from harness.model.timeline import Entry, read_timeline
from harness.report.bundle import RESULT_NAME, TIMELINE_NAME, read_result, write_json
from harness.report.folders import is_folder_of, names_of
from harness.report.run_folder import RUN_NAME, TESTS_NAME

RECORD_NAME = "run.json"
RECORD_FORMAT = "chatkit-harness/run"
RECORD_VERSION = 1
CONTROL = "control"  # visits of our own page, by which a gate tells how fast the machine is
WITHOUT_TESTS = ("check", "record", "repro", "smoke")  # commands that make visits and run no tests
UNFINISHED = "unfinished"  # the outcome of a visit whose test never ended
NEVER_ENDED = "unfinished: it was killed, or is still going on"
NO_RESULT = f"its {RESULT_NAME} is missing; this is what its timeline says"


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitOnDisk:
    """One bundle."""

    folder: Path
    bundle: str  # its path below the run's folder
    result: VisitResult | None  # None: there is nothing that can be read
    is_finished: bool  # whether the visit came to its end
    trouble: str = ""  # why the bundle is not whole; "" when it is

    @property
    def is_whole(self) -> bool:
        """Whether it has all that was written at its end; otherwise it was judged by its timeline, where that can be read."""
        return not self.trouble

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

    @property
    def results(self) -> tuple[VisitResult, ...]:
        """The results of its visits, of those that can be read."""
        return tuple(visit.result for visit in self.visits if visit.result is not None)


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
    names = names_of(outcome.nodeid for outcome in outcomes)
    for bundle in _bundles_below(folder):
        if bundle.relative_to(folder).as_posix() in owned:
            continue
        visit = read_visit(folder, bundle)
        is_earlier_attempt = visit.is_whole and is_folder_of(visit.bundle, names)
        if not is_earlier_attempt:
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
    results = [result for test in tests for result in test.results]
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
    """Return the finished tests; a line that cannot be read is none. Of a test that ran twice, the last word counts."""
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
    is_judged = record is not None and record.kind in WITHOUT_TESTS and visit.is_whole
    verdict = "passed" if visit.result is not None and visit.result.is_mounted else "failed"
    outcome = TestOutcome(
        nodeid=visit.bundle,  # its test's name was not written yet
        outcome=verdict if is_judged else UNFINISHED,
        attempts=1,
        duration_s=0.0,
        message="" if is_judged else visit.trouble or "its test did not finish",
        exit_code=0,
        bundles=(visit.bundle,),
    )
    return TestOnDisk(outcome=outcome, visits=(visit,))


def visits_below(folder: Path) -> Iterator[VisitOnDisk]:
    """Yield the visits of the run itself: not those of its controls, nor of tests that were run again to be measured."""
    return (read_visit(folder, bundle) for bundle in _bundles_below(folder))


def _bundles_below(folder: Path) -> Iterator[Path]:
    found = {path.parent for name in (TIMELINE_NAME, RESULT_NAME) for path in folder.glob(f"**/{name}")}
    for bundle in sorted(found):
        parts = bundle.relative_to(folder).parts
        if CONTROL not in parts[:1] and not any(map(RUN_NAME.fullmatch, parts)):
            yield bundle


def read_visit(run: Path, folder: Path) -> VisitOnDisk:
    """Return a bundle's result: the written one, or what its timeline comes to when there is none that can be read."""
    bundle = folder.relative_to(run).as_posix() if folder.is_relative_to(run) else folder.as_posix()
    visit = VisitOnDisk(folder=folder, bundle=bundle, result=None, is_finished=True)
    trouble = ""
    if (folder / RESULT_NAME).is_file():
        try:
            return replace(visit, result=read_result(folder))
        except BundleError as error:
            trouble = str(error)
    try:
        entries, started_at = read_entries(folder)
        result = result_of(entries, limits=Limits(), started_at=started_at)
    except (HarnessError, ValueError) as error:  # killed before its first fact, or damaged
        return replace(visit, is_finished=bool(trouble), trouble=trouble or f"{NEVER_ENDED}; {error}")
    is_finished = bool(trouble) or any(isinstance(entry.event, VisitEnded) for entry in entries)
    trouble = trouble or (NO_RESULT if is_finished else NEVER_ENDED)
    return replace(visit, result=result, is_finished=is_finished, trouble=trouble)


def read_entries(folder: Path) -> tuple[tuple[Entry, ...], str]:
    """Return a bundle's timeline and when it began. Raises BundleError, or RecordingError when it cannot be read."""
    path = folder / TIMELINE_NAME
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror or error}") from error
    entries = read_timeline(lines)
    return entries, str(json.loads(lines[0]).get("started_at", ""))

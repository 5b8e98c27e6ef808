"""What a run left on disk, however it ended: its tests, and its visits with those that never came to their end.

In: a run's folder. Out: outcomes and results. A visit without `result.json` is judged by its timeline, up to the last line that is whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.analysis.result import result_of
from harness.analysis.verdict import Limits
from harness.errors import BundleError, RecordingError
from harness.model.events import VisitEnded
from harness.model.results import Loss, TestOutcome, VisitResult
from harness.model.timeline import read_timeline
from harness.report.bundle import TIMELINE_NAME, read_result
from harness.report.folders import is_folder_of
from harness.report.run_folder import TESTS_NAME

RESULT_NAME = "result.json"
NEVER_ENDED = "unfinished: it was killed, or is still going on"
NO_RESULT = "its result.json is missing; this is what its timeline says"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedVisit:
    """A visit as its bundle tells it."""

    bundle: str  # its folder, below the run's
    result: VisitResult | None  # None: nothing could be read
    is_finished: bool  # whether the visit came to its end
    problem: str = ""  # why the bundle is not whole; "" when it is

    @property
    def is_whole(self) -> bool:
        """Whether it has all that was written at its end."""
        return not self.problem


def visits_in(run: Path) -> tuple[SavedVisit, ...]:
    """Return every visit that left something in the run's folder, in the order of their names; unreadable ones too."""
    found = {path.parent for name in (TIMELINE_NAME, RESULT_NAME) for path in run.rglob(name)}
    return tuple(_visit(run, folder) for folder in sorted(found))


def _visit(run: Path, folder: Path) -> SavedVisit:
    bundle = folder.relative_to(run).as_posix()
    if (folder / RESULT_NAME).exists():
        try:
            return SavedVisit(bundle=bundle, result=read_result(folder), is_finished=True)
        except BundleError as error:
            return SavedVisit(bundle=bundle, result=None, is_finished=True, problem=str(error))
    try:
        lines = (folder / TIMELINE_NAME).read_text(encoding="utf-8", errors="replace").splitlines()
        entries = read_timeline(lines)
        result = result_of(entries, limits=Limits(), started_at=json.loads(lines[0])["started_at"])
    except (OSError, RecordingError, LookupError, ValueError) as error:  # killed before its first fact
        told = f"{NEVER_ENDED}; {TIMELINE_NAME}: {error}"
        return SavedVisit(bundle=bundle, result=None, is_finished=False, problem=told)
    is_finished = any(isinstance(entry.event, VisitEnded) for entry in entries)
    problem = NO_RESULT if is_finished else NEVER_ENDED
    return SavedVisit(bundle=bundle, result=result, is_finished=is_finished, problem=problem)


def outcomes_in(run: Path) -> tuple[TestOutcome, ...]:
    """Return the tests that finished, in that order; a last line cut short is left out. Raises BundleError for other damage."""
    path = run / TESTS_NAME
    try:
        rows = [line for line in path.read_text(encoding="utf-8", errors="replace").split("\n") if line]
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}") from error
    outcomes = []
    for number, row in enumerate(rows, start=1):
        try:
            outcomes.append(_outcome(json.loads(row)))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            if number != len(rows):
                raise BundleError(f"{path} is damaged in line {number}: {error!r}") from error
    return tuple(outcomes)


def _outcome(data: dict[str, Any]) -> TestOutcome:
    missing = tuple(Loss(**item) for item in data.get("missing", ()))
    return TestOutcome(**data | {"bundles": tuple(data["bundles"]), "missing": missing})


def rows_of(run: Path) -> tuple[tuple[TestOutcome, tuple[VisitResult, ...]], ...]:
    """Return each test with the results of its visits, and each visit of a test that never finished as one of its own.

    Raises BundleError when the list of tests is damaged.
    """
    visits = {visit.bundle: visit for visit in visits_in(run)}
    return tuple(_rows(outcomes_in(run), visits))


def _rows(
    outcomes: tuple[TestOutcome, ...], visits: dict[str, SavedVisit]
) -> Iterator[tuple[TestOutcome, tuple[VisitResult, ...]]]:
    for outcome in outcomes:
        own = [visits.pop(bundle, None) for bundle in outcome.bundles]
        yield outcome, tuple(visit.result for visit in own if visit is not None and visit.result is not None)
    for visit in visits.values():
        if visit.is_whole and any(is_folder_of(visit.bundle, outcome.nodeid) for outcome in outcomes):
            continue  # an earlier attempt of a test that was tried again
        outcome = TestOutcome(
            nodeid=visit.bundle,  # its test's name was not written yet
            outcome="unfinished",
            attempts=1,
            duration_s=0.0,
            message=visit.problem or "its test did not finish",
            exit_code=0,
            bundles=(visit.bundle,),
        )
        yield outcome, () if visit.result is None else (visit.result,)

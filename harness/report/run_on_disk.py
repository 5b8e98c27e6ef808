"""Reads the files of a run, also of a run that was killed.

In: a run's folder. Out: `RunOnDisk`: the record, each test with its visits, visits that no finished test owns. Never raises for a damaged
bundle: unreadable parts are reported.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from harness.analysis.result import result_of
from harness.errors import BundleError, HarnessError, RecordingError
from harness.files import is_partial
from harness.model import codec
from harness.model.codec import Format
from harness.model.events import VisitEnded
from harness.model.file_names import RECORD_NAME, RESULT_NAME, TIMELINE_NAME
from harness.model.limits import Limits
from harness.model.results import TestOutcome, VisitResult
from harness.model.run_record import RunRecord
from harness.model.texts import one_line
from harness.model.timeline import Entry, read_saved
from harness.report.bundle import read_result, write_json
from harness.report.folders import is_folder_of, names_of
from harness.report.run_folder import RUN_NAME, TESTS_NAME
from harness.report.untrusted import read_json, read_lines, read_text

RECORD = Format(name="chatkit-harness/run", version=1)
CONTROL = "control"  # visits of our own page, by which a gate tells how fast the machine is
WITHOUT_TESTS = ("check", "record", "repro", "smoke")  # commands that make visits and run no tests
UNFINISHED = "unfinished"  # the outcome of a visit whose test never ended
NEVER_ENDED = "unfinished: it was killed, or is still running"
MOST_NAMED = 5
LEADS_OUT = "damaged: its path leads out of the run's folder and is not followed"
NO_RESULT = f"its {RESULT_NAME} is missing; this is the result of its timeline"


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitOnDisk:
    """One bundle."""

    folder: Path
    bundle: str  # its path below the run's folder
    result: VisitResult | None  # None: there is nothing that can be read
    is_finished: bool  # whether the visit ended
    trouble: str = ""  # why the bundle is not whole; "" when it is
    files: tuple[str, ...] = ()  # the names of what is there; no links

    @property
    def is_whole(self) -> bool:
        """Whether it has all that was written at its end; otherwise it was judged by its timeline, where that can be read."""
        return not self.trouble

    @property
    def is_good(self) -> bool:
        """Whether the visit has everything that its project requires."""
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
    record, damage = record_in(folder)
    outcomes, damaged_lines = outcomes_in(folder)
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
        raise BundleError(f"{folder} contains no run: no {RECORD_NAME}, no {TESTS_NAME}, no {TIMELINE_NAME} below it")
    tests.sort(key=_order)
    record = record or _guessed(tests)
    record = replace(record, problems=(*record.problems, *damage, *damaged_lines))
    return RunOnDisk(folder=folder, record=record, tests=tuple(tests))


def _order(test: TestOnDisk) -> tuple[int, str]:
    outcome = test.outcome
    rank = 0 if not outcome.is_good else 1 if outcome.is_flaky else 3 if outcome.outcome == "skipped" else 2
    return rank, outcome.nodeid


# --- the record ---------------------------------------------------------------------------------------------------


def write_record(folder: Path, record: RunRecord) -> None:
    """Write `run.json`. Raises BundleError."""
    write_json(folder / RECORD_NAME, {**RECORD.header, **codec.plain(record)})


def record_in(folder: Path) -> tuple[RunRecord | None, tuple[str, ...]]:
    """Return the record of a run, None when it has none that can be read; and what is damaged, as sentences."""
    path = folder / RECORD_NAME
    if not path.is_symlink() and not path.exists():
        return None, ()
    try:
        data = RECORD.opened(read_json(path), RECORD_NAME)
        return codec.decoded(RunRecord, data, where=RECORD_NAME), ()
    except HarnessError as error:
        return None, (one_line(str(error)),)


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
    return outcomes_in(folder)[0]


def outcomes_in(folder: Path) -> tuple[list[TestOutcome], tuple[str, ...]]:
    """Return the finished tests, and which lines are damaged, as sentences; a last one that a killed run has cut is not."""
    path = folder / TESTS_NAME
    if not path.is_symlink() and not path.exists():
        return [], ()
    try:
        text = read_text(path)
    except BundleError as error:
        return [], (one_line(str(error)),)
    found: dict[str, TestOutcome] = {}
    damage: list[str] = []
    *lines, last = text.split("\n")
    for number, line in enumerate((*lines, last), start=1):
        where = f"{TESTS_NAME}, line {number}"
        if line.strip():
            try:
                outcome = codec.decoded(TestOutcome, codec.parsed(line, where), where=where)
                found[outcome.nodeid] = outcome
            except RecordingError as error:
                damage += [one_line(str(error))] if number <= len(lines) else []
    return list(found.values()), tuple(damage[:MOST_NAMED])


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
    """Return a bundle's result: the written one, or the result of its timeline when the written one cannot be read."""
    bundle = folder.relative_to(run).as_posix() if folder.is_relative_to(run) else folder.as_posix()
    visit = VisitOnDisk(folder=folder, bundle=bundle, result=None, is_finished=True)
    if not is_within(run, folder):
        return replace(visit, trouble=LEADS_OUT)
    files, others = _files_in(folder)
    trouble = f"{', '.join(others[:MOST_NAMED])}: a link or special file, which is not followed" if others else ""
    visit = replace(visit, files=files, trouble=trouble)
    if RESULT_NAME in files:
        try:
            return replace(visit, result=read_result(folder))
        except HarnessError as error:
            trouble = one_line(str(error))
    try:
        entries, started_at = read_entries(folder)
        result = result_of(entries, limits=Limits(), started_at=started_at)
    except (HarnessError, ValueError) as error:  # killed before its first fact, or damaged
        told = trouble or f"{NEVER_ENDED}; {one_line(str(error))}"
        return replace(visit, is_finished=bool(trouble), trouble=told)
    is_finished = bool(trouble) or any(isinstance(entry.event, VisitEnded) for entry in entries)
    trouble = trouble or (NO_RESULT if is_finished else NEVER_ENDED)
    return replace(visit, result=result, is_finished=is_finished, trouble=trouble)


def is_within(run: Path, folder: Path) -> bool:
    """Whether a folder lies in that of a run, and no link is on the way."""
    if not folder.is_relative_to(run) or ".." in folder.parts or "\0" in str(folder):
        return False
    way = folder.relative_to(run).parts
    try:
        return not any(run.joinpath(*way[: depth + 1]).is_symlink() for depth in range(len(way)))
    except OSError:  # its name is longer than any
        return False


def _files_in(folder: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the files in a bundle, and of what is neither a file nor a folder."""
    files, others = [], []
    try:
        for path in sorted(folder.iterdir()):
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                files += [path.name] if not is_partial(path) else []
            elif not stat.S_ISDIR(mode):
                others.append(path.name)
    except OSError:  # it is not there, or another process deletes it just now
        pass
    return tuple(files), tuple(others)


def read_entries(folder: Path) -> tuple[tuple[Entry, ...], str]:
    """Return a bundle's timeline and when it began. Raises BundleError, or RecordingError when it cannot be read."""
    path = folder / TIMELINE_NAME
    return read_saved(read_lines(path), str(path))

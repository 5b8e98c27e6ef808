"""Writes `report.html` of a run from what is on disk, also after a kill.

In: a run's folder. Out: the file, whole or not at all. Raises BundleError when the folder holds no run or cannot be written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.analysis.facts.exchanges import exchanges_of
from harness.errors import BundleError, HarnessError
from harness.files import reason_of, replacing
from harness.model.file_names import REPORT_NAME
from harness.report.islands import Beside, Clean, Islands
from harness.report.page import render_page
from harness.report.page_model import ReportPage, TestRow, VisitRow, cleaned, page_of
from harness.report.run_folder import runs_in
from harness.report.run_on_disk import RunOnDisk, VisitOnDisk, read_entries, read_outcomes, read_run, read_visit
from harness.report.side_by_side import Side, compare
from harness.report.trend import Night, trend_of


def write_report(
    folder: Path, *, version: str, clean: Clean = str, nights: tuple[Night, ...] = (), run: RunOnDisk | None = None
) -> Path:
    """Write the report of a run and return its path. `clean` replaces secrets once more in all that is written."""
    run = run or read_run(folder)
    page: ReportPage = cleaned(page_of(run, version=version, trend=trend_of(nights, run.record.project)), clean)
    islands = Islands(run.record, clean, Greens(folder, run).beside)
    path = folder / REPORT_NAME
    try:
        with (
            replacing(path) as partial,
            partial.open("w", encoding="utf-8", errors="replace", newline="\n") as file,
        ):
            for piece in render_page(page, islands.of(page.tests)):
                file.write(piece)
            file.write("\n")
    except OSError as error:
        raise BundleError(f"cannot write {path}: {reason_of(error)}") from error
    return path


@dataclass(slots=True)
class Greens:
    """Finds the last good visit beside one that is not: in earlier runs of the same folder, else in this run."""

    folder: Path
    run: RunOnDisk
    _earlier: list[tuple[Path, dict[str, tuple[str, ...]]]] | None = field(default=None, init=False)

    def beside(self, test: TestRow, visit: VisitRow) -> Beside | None:
        """Return the comparison; None when the visit is good, or nothing good is there."""
        result = visit.on_disk.result
        if result is None or test.is_good or result.is_good:
            return None
        found = next(self._candidates(test, visit), None)
        if found is None or found.result is None:
            return None
        try:
            here, there = (exchanges_of(read_entries(one.folder)[0]) for one in (visit.on_disk, found))
        except HarnessError:
            return None
        bundle = found.folder.relative_to(self.folder.parent).as_posix()
        sides = Side(result=result, exchanges=here), Side(result=found.result, exchanges=there)
        return Beside(comparison=compare(*sides, bundle=bundle), folder=found.folder)

    def _candidates(self, test: TestRow, visit: VisitRow) -> Iterator[VisitOnDisk]:
        position = test.visits.index(visit)
        for folder, bundles in self._runs():
            of_test = bundles.get(test.nodeid, ())
            if position < len(of_test):
                found = read_visit(folder, folder / of_test[position])
                if found.is_good:
                    yield found
        result = visit.on_disk.result
        for other in self.run.tests:
            for candidate in other.visits:
                same = candidate.result is not None and result is not None and candidate.result.entry == result.entry
                if same and candidate.is_good and candidate.folder.is_relative_to(self.folder):
                    yield candidate

    def _runs(self) -> list[tuple[Path, dict[str, tuple[str, ...]]]]:
        """The bundles of each earlier run by test, newest run first."""
        if self._earlier is None:
            earlier = [run for run in runs_in(self.folder.parent) if run.name < self.folder.name]
            self._earlier = [(run, {o.nodeid: o.bundles for o in read_outcomes(run)}) for run in earlier]
        return self._earlier

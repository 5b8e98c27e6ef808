"""The files of a run as a whole: `run.json` from its start on, and at its end `report.html` and what CI systems read and show.

In: a run's folder and how it ended. Out: files, and a `Loss` for each that could not be written: none of them changes a run's outcome.
"""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from harness import __version__
from harness.errors import HarnessError
from harness.files import reason_of
from harness.model.file_names import CTRF_NAME, JUNIT_NAME, RECORD_NAME, REPORT_NAME
from harness.model.redaction import Redactor
from harness.model.results import Loss
from harness.model.run_record import RunRecord
from harness.report.bundle import write_json
from harness.report.ci_systems import CI_SYSTEMS, CiSystem, ci_commit, ci_url, tell_ci
from harness.report.ctrf import render_ctrf
from harness.report.junit import keep_last_attempts
from harness.report.run_on_disk import RunOnDisk, read_run, write_record
from harness.report.run_report import write_report
from harness.report.trend import Night

PACKAGES = ("playwright", "pytest")
WRITTEN_LAST = (
    RECORD_NAME, REPORT_NAME, JUNIT_NAME, CTRF_NAME, *(name for system in CI_SYSTEMS for name in system.files)
)  # fmt: skip


def record_of(
    kind: str, *, project: str, network: str, browser: str, environ: Mapping[str, str], clean: Redactor, shard: str = ""
) -> RunRecord:
    """Return the record of a run that begins now, in this process."""
    return RunRecord(
        kind=kind,
        command=clean.text(typed_command(sys.argv)),
        started_at=_now(),
        project=project,
        network=network,
        browser=browser,
        shard=shard,
        versions=versions(),
        commit=ci_commit(environ),
        ci_url=clean.text(ci_url(environ)),
    )


def typed_command(argv: list[str]) -> str:
    """Return a command line as a person would type it: the program by its name, not by where it lies."""
    path = Path(argv[0]) if argv else Path("pytest")
    known = {"__main__.py": path.parent.name, "cli.py": "chatkit-harness"}
    name = known.get(path.name, path.name)
    return shlex.join([name, *argv[1:]])


def versions() -> tuple[str, ...]:
    """Return what runs, each with its version."""
    found = [f"chatkit-harness {__version__}", f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return (*found, f"{platform.system()} {platform.release()}")


class RunFiles:
    """Keeps the record of one run, and writes the run's own files."""

    def __init__(
        self, folder: Path, redactor: Redactor, *, ci: CiSystem | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.record: RunRecord | None = None
        self.ci = ci
        self._redactor = redactor
        self._environ = environ or {}

    def begin(self, record: RunRecord) -> list[Loss]:
        """Write the record; a killed run leaves it like this. Return what could not be written."""
        self.record = record
        return self._tried(RECORD_NAME, lambda: write_record(self.folder, record))

    def end(self, *, exit_code: int, problems: tuple[str, ...], nights: tuple[Night, ...] = ()) -> list[Loss]:
        """Complete the record and write the report; return what could not be written."""
        if self.record is None:
            return []
        clean = self._redactor.text
        self.record = record = replace(
            self.record, ended_at=_now(), exit_code=exit_code, problems=tuple(map(clean, problems))
        )
        told = self._tried(RECORD_NAME, lambda: write_record(self.folder, record))
        try:
            run = read_run(self.folder)
        except HarnessError as error:
            return [*told, Loss(file=REPORT_NAME, reason=str(error))]
        return [
            *told,
            *self._tried(
                REPORT_NAME, lambda: write_report(self.folder, version=__version__, clean=clean, nights=nights, run=run)
            ),
            *self._tried(JUNIT_NAME, lambda: keep_last_attempts(self.folder / JUNIT_NAME)),
            *self._tried(CTRF_NAME, lambda: write_ctrf(run, self._redactor)),
            *self._tried(
                f"output for {self.ci.name}" if self.ci else "",
                lambda: tell_ci(run, self.ci, self._environ, self._redactor),
            ),
        ]

    def mask(self, values: Iterable[str]) -> None:
        """Have the CI system hide these in its log, before anything can show them."""
        for command in self.ci.masks(values) if self.ci else ():
            print(command, flush=True)

    @staticmethod
    def _tried(name: str, write: Callable[[], object]) -> list[Loss]:
        try:
            write()
        except OSError as error:
            return [Loss(file=name, reason=reason_of(error))]
        except HarnessError as error:
            cause = error.__cause__
            return [Loss(file=name, reason=reason_of(cause) if isinstance(cause, OSError) else str(error))]
        except Exception as error:
            # A defect in a report must not change the outcome of the run; it is reported.
            return [Loss(file=name, reason=f"a defect of chatkit-harness, {error!r}")]
        return []


def write_ctrf(run: RunOnDisk, redactor: Redactor) -> None:
    """Write `ctrf-report.json`. Raises BundleError."""
    write_json(run.folder / CTRF_NAME, redactor.value(render_ctrf(run, version=__version__)))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")

"""The files of a run as a whole: `run.json` from its start on, and at its end `report.html` and what CI systems read.

In: a run's folder and how it ended. Out: files, and a sentence for each that could not be written: none of them changes a run's outcome.
"""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from harness import __version__
from harness.errors import HarnessError
from harness.model.redaction import Redactor
from harness.model.run_record import RunRecord
from harness.report.run_on_disk import write_record
from harness.report.run_report import write_report

PACKAGES = ("playwright", "pytest")


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
        commit=environ.get("GITHUB_SHA") or environ.get("CI_COMMIT_SHA") or "",
        ci_url=clean.text(ci_url(environ)),
    )


def typed_command(argv: list[str]) -> str:
    """Return a command line as a person would type it: the program by its name, not by where it lies."""
    path = Path(argv[0]) if argv else Path("pytest")
    known = {"__main__.py": path.parent.name, "cli.py": "chatkit-harness"}
    name = known.get(path.name, path.name)
    return shlex.join([name, *argv[1:]])


def ci_url(environ: Mapping[str, str]) -> str:
    """Return the page of the CI job that this is; "" outside of GitHub Actions and GitLab."""
    parts = [environ.get(name, "") for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")]
    if all(parts):
        return f"{parts[0]}/{parts[1]}/actions/runs/{parts[2]}"
    return environ.get("CI_JOB_URL", "")


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

    def __init__(self, folder: Path, redactor: Redactor) -> None:
        self.folder = folder
        self.record: RunRecord | None = None
        self._redactor = redactor

    def begin(self, record: RunRecord) -> list[str]:
        """Write the record; a killed run leaves it like this."""
        self.record = record
        return self._tried("run.json", lambda: write_record(self.folder, record))

    def end(self, *, exit_code: int, problems: tuple[str, ...]) -> list[str]:
        """Complete the record and write the report; return what could not be written, each in a sentence."""
        if self.record is None:
            return []
        clean = self._redactor.text
        self.record = record = replace(
            self.record, ended_at=_now(), exit_code=exit_code, problems=tuple(map(clean, problems))
        )
        return [
            *self._tried("run.json", lambda: write_record(self.folder, record)),
            *self._tried("report.html", lambda: write_report(self.folder, version=__version__, clean=clean)),
        ]

    @staticmethod
    def _tried(name: str, write: Callable[[], object]) -> list[str]:
        try:
            write()
        except (HarnessError, OSError) as error:
            return [f"{name} is not written: {error}"]
        except Exception as error:
            # A fault of ours in a report must not cost a run its outcome; it is said, by its name.
            return [f"{name} is not written, by a fault of chatkit-harness: {error!r}"]
        return []


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")

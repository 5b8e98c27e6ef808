"""The folder of one run: made once at its start, named by its time, with `latest` pointing to the newest.

In: the output folder. Out: an empty folder below it. Older runs beyond a number are deleted; nothing else ever is.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import BundleError

LATEST = "latest"
RUN_NAME = re.compile(r"run-\d{8}-\d{6}-[0-9a-f]{4}")
COPIED_UP = ("junit.xml", "report.html", "ctrf-report.json")


def new_run_folder(output_dir: Path, *, keep_runs: int, now: datetime | None = None) -> Path:
    """Return a new folder for a run. Raises BundleError when the output folder cannot be written."""
    stamp = (now or datetime.now(UTC)).strftime("%Y%m%d-%H%M%S")
    folder = output_dir / f"run-{stamp}-{secrets.token_hex(2)}"
    try:
        folder.mkdir(parents=True)
        _point_latest(output_dir, folder)
    except OSError as error:
        raise BundleError(
            f"cannot write results to {output_dir}: {error.strerror}\n"
            "  to fix: make it a writable folder, or choose another one (--output-dir, output_dir in the configuration)"
        ) from error
    for old in runs_in(output_dir)[keep_runs:]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


def runs_in(output_dir: Path) -> tuple[Path, ...]:
    """Return the folders of the runs there, newest first."""
    found = [path for path in output_dir.iterdir() if RUN_NAME.fullmatch(path.name) and path.is_dir()]
    return tuple(sorted(found, key=lambda path: (path.name[4:19], path.stat().st_mtime_ns), reverse=True))


def publish(folder: Path) -> None:
    """Copy the run's reports to the output folder itself, where CI systems look for them."""
    for name in COPIED_UP:
        if (folder / name).is_file():
            partial = folder.parent / f".{name}.partial"
            with contextlib.suppress(OSError):  # the originals are in the run's folder
                shutil.copyfile(folder / name, partial)
                partial.replace(folder.parent / name)


def _point_latest(output_dir: Path, folder: Path) -> None:
    """Make `latest` a link to the folder; where the file system has no links, a text file with its name."""
    link, partial = output_dir / LATEST, output_dir / f".{LATEST}-{secrets.token_hex(4)}"
    try:
        partial.symlink_to(folder.name, target_is_directory=True)
    except (NotImplementedError, PermissionError):
        partial.write_text(folder.name + "\n", encoding="utf-8")
    partial.replace(link)

"""The folder of one run: made once at its start, named by its time, with `latest` pointing to the newest.

In: the output folder. Out: an empty folder below it. Older runs beyond a number are deleted; nothing else ever is.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import BundleError

LATEST = "latest"
RUNNING = ".running"  # holds the id of the process while a run goes on
RUN_NAME = re.compile(r"run-\d{8}-\d{6}-[0-9a-f]{4}")
HEAD_BYTES = 4096
BUNDLES_HERE = b'<meta name="bundles" content="">'
BUNDLES_IN = b'<meta name="bundles" content="%s/">'
COPIED_UP = ("junit.xml", "report.html", "ctrf-report.json", "gl-code-quality-report.json")


def new_run_folder(output_dir: Path, *, keep_runs: int, now: datetime | None = None) -> Path:
    """Return a new folder for a run. Raises BundleError when the output folder cannot be written."""
    stamp = (now or datetime.now(UTC)).strftime("%Y%m%d-%H%M%S")
    folder = output_dir / f"run-{stamp}-{secrets.token_hex(2)}"
    try:
        folder.mkdir(parents=True)
        (folder / RUNNING).write_text(str(os.getpid()), encoding="ascii")
        _point_latest(output_dir, folder)
    except OSError as error:
        raise BundleError(
            f"cannot write results to {output_dir}: {error.strerror}\n"
            "  to fix: make it a writable folder, or choose another one (--output-dir, output_dir in the configuration)"
        ) from error
    for old in runs_in(output_dir)[keep_runs:]:
        if not _is_going_on(old):
            shutil.rmtree(old, ignore_errors=True)
    return folder


def runs_in(output_dir: Path) -> tuple[Path, ...]:
    """Return the folders of the runs there, newest first."""
    found = [path for path in output_dir.iterdir() if RUN_NAME.fullmatch(path.name) and path.is_dir()]
    return tuple(sorted(found, key=lambda path: (path.name[4:19], path.stat().st_mtime_ns), reverse=True))


def _is_going_on(run: Path) -> bool:
    """Whether the process that made the folder still runs and has not said that it is done."""
    try:
        os.kill(int((run / RUNNING).read_text(encoding="ascii")), 0)
    except (OSError, ValueError):
        return False
    return True


def shown(folder: Path) -> str:
    """Return a folder as a person would type it: relative to the current one where it is below it."""
    here = Path.cwd()
    return (folder.relative_to(here) if folder.is_relative_to(here) else folder).as_posix()


def publish(folder: Path) -> None:
    """End a run: copy its reports to the output folder itself, where CI systems look for them."""
    with contextlib.suppress(OSError):
        (folder / RUNNING).unlink(missing_ok=True)
    for name in COPIED_UP:
        if (folder / name).is_file():
            partial = folder.parent / f".{name}.partial"
            with contextlib.suppress(OSError):  # the originals are in the run's folder
                _copy_up(folder / name, partial)
                partial.replace(folder.parent / name)


def _copy_up(source: Path, target: Path) -> None:
    """Copy a file; the links of a report are relative to its folder, and say so once, near its beginning."""
    with source.open("rb") as old, target.open("wb") as new:
        head = old.read(HEAD_BYTES)
        new.write(head.replace(BUNDLES_HERE, BUNDLES_IN % source.parent.name.encode(), 1))
        shutil.copyfileobj(old, new)


def _point_latest(output_dir: Path, folder: Path) -> None:
    """Make `latest` a link to the folder; where the file system has no links, a text file with its name."""
    link, partial = output_dir / LATEST, output_dir / f".{LATEST}-{secrets.token_hex(4)}"
    try:
        partial.symlink_to(folder.name, target_is_directory=True)
    except (NotImplementedError, PermissionError):
        partial.write_text(folder.name + "\n", encoding="utf-8")
    partial.replace(link)

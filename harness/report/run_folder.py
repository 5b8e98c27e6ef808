"""The folder of one run: made once at its start, named by its time, with `latest` pointing to the newest.

In: the output folder. Out: an empty folder below it. Older runs beyond a number are deleted, and nothing else that has a name.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import socket
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import BundleError
from harness.files import is_partial, reason_of, replacing
from harness.model.file_names import CTRF_NAME, JUNIT_NAME, REPORT_NAME
from harness.report.losses import remedy_of

LATEST = "latest"
TESTS_NAME = "tests.jsonl"  # one line for each finished test
RUNNING = ".running"  # holds the id of the process, and its machine, while a run goes on
RESERVE = ".reserve"
SHARED_BODIES = ".bodies"  # which several visits have in their bundles; a link to each is in every one of those
RESERVE_BYTES = 64_000
DELETING = ".deleting-"
RUN_NAME = re.compile(r"run-\d{8}-\d{6}-[0-9a-f]{4}")
HALF_MADE = re.compile(rf"\.(?:{RUN_NAME.pattern}|{LATEST}-[0-9a-f]{{8}})")
HALF_MADE_S = 60.0
LINKS_OF_ONE = 2  # of a body that one visit has: its own, and that of the folder of shared ones
FOREIGN_S = 86_400.0
HEAD_BYTES = 4096
BUNDLES_HERE = b'<meta name="bundles" content="">'
BUNDLES_IN = b'<meta name="bundles" content="%s/">'
COPIED_UP = (JUNIT_NAME, REPORT_NAME, CTRF_NAME, "gl-code-quality-report.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """Where a run's results go, and why that is not where they were asked for, if so."""

    path: Path
    problem: str = ""


def run_folder_for(output_dir: Path, *, keep_runs: int) -> RunFolder:
    """Return a new folder for a run: in the output folder, or, where that cannot be written, among the temporary files."""
    try:
        return RunFolder(path=new_run_folder(output_dir, keep_runs=keep_runs))
    except BundleError as error:
        problem = str(error)
    try:
        elsewhere = new_run_folder(Path(tempfile.mkdtemp(prefix="chatkit-results-")), keep_runs=keep_runs)
    except (BundleError, OSError):  # no folder can be written; the run is judged anyway
        return RunFolder(path=output_dir / _new_name(None), problem=f"{problem}\n  instead: no results are written")
    return RunFolder(path=elsewhere, problem=f"{problem}\n  instead: the results of this run are in {elsewhere}")


def new_run_folder(output_dir: Path, *, keep_runs: int, now: datetime | None = None) -> Path:
    """Return a new folder for a run. Raises BundleError when the output folder cannot be written."""
    folder = output_dir / _new_name(now)
    hidden = output_dir / f".{folder.name}"
    try:
        # It has its name, which another run may delete, only once it says that it is in use.
        hidden.mkdir(parents=True)
        (hidden / RUNNING).write_text(f"{os.getpid()} {socket.gethostname()}", encoding="utf-8")
        _reserve_room(hidden)
        hidden.rename(folder)
        _point_latest(output_dir, folder)
    except OSError as error:
        shutil.rmtree(hidden, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        reason = reason_of(error)
        raise BundleError(f"cannot write results to {output_dir}: {reason}\n  to fix: {remedy_of(reason)}") from error
    with contextlib.suppress(OSError):
        _delete_old(output_dir, keep_runs)
    return folder


def _reserve_room(folder: Path) -> None:
    """Keep some of the disk for the reports at the run's end, which are worth more than another picture."""
    with contextlib.suppress(OSError):  # the disk is full already
        (folder / RESERVE).write_bytes(os.urandom(RESERVE_BYTES))


def free_room(folder: Path) -> None:
    """Give back what was kept for the run's reports; call just before they are written."""
    with contextlib.suppress(OSError):
        (folder / RESERVE).unlink()


def _new_name(now: datetime | None) -> str:
    stamp = (now or datetime.now(UTC)).strftime("%Y%m%d-%H%M%S")
    return f"run-{stamp}-{secrets.token_hex(2)}"


def _delete_old(output_dir: Path, keep_runs: int) -> None:
    """Delete the runs beyond the number, and what a run that was killed left half made or half deleted."""
    for old in runs_in(output_dir)[keep_runs:]:
        if not _is_going_on(old):
            # Out of sight first: a reader finds a run whole, or not at all. Another run may be deleting it, too.
            with contextlib.suppress(OSError):
                old.rename(old.with_name(f"{DELETING}{old.name}"))
    for path in output_dir.iterdir():
        is_left = is_partial(path) or HALF_MADE.fullmatch(path.name) is not None
        if path.name.startswith(DELETING) or (is_left and _is_old(path, HALF_MADE_S) and not _is_going_on(path)):
            shutil.rmtree(path, ignore_errors=True)
            with contextlib.suppress(OSError):
                path.unlink()


def runs_in(output_dir: Path) -> tuple[Path, ...]:
    """Return the folders of the runs there, newest first."""
    found = []
    for path in output_dir.iterdir():
        with contextlib.suppress(OSError):  # another run deletes it just now
            if RUN_NAME.fullmatch(path.name) and path.is_dir():
                found.append((path.name[4:19], path.stat().st_mtime_ns, path))
    return tuple(path for *_, path in sorted(found, reverse=True))


def _is_going_on(run: Path) -> bool:
    """Whether the process that made the folder still runs and has not said that it is done."""
    try:
        pid, _, host = (run / RUNNING).read_text(encoding="utf-8").partition(" ")
        if host and host != socket.gethostname():  # another container's processes cannot be seen from here
            return not _is_old(run, FOREIGN_S)
        os.kill(int(pid), 0)
    except PermissionError:  # it runs, as somebody else
        return True
    except (OSError, ValueError):
        return False
    return True


def _is_old(folder: Path, seconds: float) -> bool:
    """Whether nothing was made in the folder for so long."""
    try:
        return time.time() - folder.stat().st_mtime > seconds
    except OSError:
        return False


def shared_bodies_of(folder: Path) -> Path | None:
    """Return where the visits of the run that goes on in this folder, or above it, share bodies; None outside of a run."""
    run = next((place for place in (folder, *folder.parents) if (place / RUNNING).is_file()), None)
    return run / SHARED_BODIES if run else None


def written_bytes(folder: Path) -> int:
    """Return how much of the disk a visit's files take; bodies that other visits of the run have too are theirs."""
    statuses = [path.stat() for path in folder.rglob("*") if path.is_file()]
    return sum(status.st_size for status in statuses if status.st_nlink <= LINKS_OF_ONE)


def shown(folder: Path) -> str:
    """Return a folder as a person would type it: relative to the current one where it is below it."""
    here = Path.cwd()
    return (folder.relative_to(here) if folder.is_relative_to(here) else folder).as_posix()


def publish(folder: Path) -> None:
    """End a run: copy its reports to the output folder itself, where CI systems look for them."""
    for name in COPIED_UP:
        with contextlib.suppress(OSError):  # the originals are in the run's folder
            if (folder / name).is_file() and not (folder / name).is_symlink():
                with replacing(folder.parent / name) as partial:
                    _copy_up(folder / name, partial)
    free_room(folder)
    with contextlib.suppress(OSError):
        delete_partials(folder)
        shutil.rmtree(folder / SHARED_BODIES, ignore_errors=True)
        (folder / RUNNING).unlink(missing_ok=True)


def delete_partials(folder: Path) -> None:
    """Delete what a process that was killed had begun to write; call when nobody writes there any more."""
    for path in filter(is_partial, folder.rglob(".*")):
        with contextlib.suppress(OSError):
            path.unlink()


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
        try:
            partial.symlink_to(folder.name, target_is_directory=True)
        except (NotImplementedError, PermissionError):
            partial.write_text(folder.name + "\n", encoding="utf-8")
        partial.replace(link)
    except OSError:  # for example a folder of that name: the run has its own folder anyway
        with contextlib.suppress(OSError):
            partial.unlink()

"""Messages about results that could not be written: what is missing, where, why, and what to do.

In: losses. Out: text. The run continues and is judged without the missing files.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from harness.model.results import Loss

MOST_FOLDERS = 6
ANOTHER = "or choose another folder (--output-dir, output_dir in the configuration)"
REMEDIES = {
    errno.ENOSPC: f"free space on its disk, {ANOTHER}",
    errno.EDQUOT: f"free space within the disk quota, {ANOTHER}",
    errno.EFBIG: "allow this user larger files (ulimit -f)",
    errno.ENAMETOOLONG: "choose a folder with a shorter path (--output-dir, output_dir in the configuration)",
    errno.EMFILE: "allow this user more open files (ulimit -n)",
}
WRITABLE = f"make it a writable folder, {ANOTHER}"


def remedy_of(reason: str) -> str:
    """Return what to do about a folder that cannot be written for this reason, in the system's words."""
    return next((told for number, told in REMEDIES.items() if os.strerror(number) == reason), WRITABLE)


def render_losses(losses: Iterable[Loss], *, folder: str) -> str:
    """Return the message at the end of a run about missing files; "" when there are none."""
    by_reason: dict[str, dict[str, None]] = {}
    for loss in losses:
        by_reason.setdefault(loss.reason, {})[loss.file] = None
    lines = []
    for reason, files in by_reason.items():
        lines += [f"RESULTS ARE MISSING in {folder}: {reason}", "  missing or incomplete:", *_by_folder(files)]
        lines += [f"  to fix: {remedy_of(reason)}", "  The tests ran, and their verdicts are valid."]
    return "\n".join(lines)


def _by_folder(files: Iterable[str]) -> Iterator[str]:
    folders: dict[str, list[str]] = {}
    for file in files:
        path = PurePosixPath(file)
        folders.setdefault(path.parent.as_posix(), []).append(path.name)
    for folder, names in list(folders.items())[:MOST_FOLDERS]:
        yield f"    {'' if folder == '.' else f'{folder}: '}{', '.join(names)}"
    if len(folders) > MOST_FOLDERS:
        yield f"    and in {len(folders) - MOST_FOLDERS} more folders"


def render_first_loss(loss: Loss, *, folder: str) -> str:
    """Return the message for the first file of a run that cannot be written."""
    return (
        f"cannot write {folder}/{loss.file}: {loss.reason}; the run continues, and all missing files are listed "
        "at its end"
    )

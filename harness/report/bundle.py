"""The module that writes a visit's files, each one atomically.

In: values and texts. Out: files in a visit's folder. Raises BundleError with the path and the reason.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.analysis.har import BODIES
from harness.errors import BundleError
from harness.files import halve_lines, is_partial, link_or_copy, reason_of, write_whole
from harness.model.codec import Format, decoded, json_text, pairs
from harness.model.file_names import CONSOLE_NAME, DOM_NAME, HAR_NAME, RESULT_NAME, TIMELINE_NAME, TRACE_NAME
from harness.model.results import Loss, VisitResult
from harness.model.texts import in_json
from harness.report.untrusted import read_json

RESULT = Format(name="chatkit-harness/result", version=1)
FULL = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT)))
# Files that are deleted, in this order, when the disk is too full for the verdict.
DISPENSABLE = (
    TRACE_NAME,
    "screenshot-element.png",
    "screenshot-page.png",
    DOM_NAME,
    HAR_NAME,
    BODIES,
    CONSOLE_NAME,
    *[TIMELINE_NAME] * 20,  # its second half, each time: of a small one only the last halves free a block of the disk
)


class Bundle:
    """A visit's folder. Each file is written separately: a file that cannot be written is reported and does not affect the others."""

    def __init__(self, folder: Path, shared: Path | None = None) -> None:
        """`shared`: a folder for bodies that several visits of a run have in common; without it, each visit has its own copies."""
        self.folder = folder
        self._shared = shared
        self._missing: dict[str, str] = {}

    @property
    def missing(self) -> tuple[Loss, ...]:
        """The files that could not be written so far."""
        return tuple(Loss(file=name, reason=reason) for name, reason in self._missing.items())

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the written files."""
        try:
            return tuple(path.name for path in self.folder.iterdir() if path.is_file() and not is_partial(path))
        except OSError:
            return ()

    def lose(self, name: str, reason: str) -> None:
        """Note that a file could not be written."""
        self._missing.setdefault(name, reason)

    def write(self, name: str, content: bytes) -> str:
        """Write a file atomically, and return "" or the reason why it failed."""
        try:
            write_whole(self.folder / name, (content,))
        except OSError as error:
            self.lose(name, reason_of(error))
            return reason_of(error)
        self._missing.pop(name, None)
        return ""

    def write_bodies(self, bodies: Mapping[str, bytes]) -> None:
        """Write response bodies, each under its name; a body that another visit of the run has written is stored only once."""
        for name, content in bodies.items():
            try:
                if self._shared is None:
                    write_whole(self.folder / name, (content,))
                else:
                    self._write_shared(self._shared / Path(name).name, self.folder / name, content)
            except OSError as error:
                self.lose(name, reason_of(error))

    @staticmethod
    def _write_shared(kept: Path, path: Path, content: bytes) -> None:
        is_there = kept.is_file() and kept.stat().st_size == len(content)
        if not is_there:
            write_whole(kept, (content,))
        link_or_copy(kept, path)

    def replace(self, name: str, content: bytes) -> None:
        """Replace an existing file if there is room; otherwise it stays unchanged."""
        with suppress(OSError):
            write_whole(self.folder / name, (content,))

    def write_above_all(self, name: str, content: Callable[[], bytes]) -> None:
        """Write the most important file; on a full disk other files of the visit are deleted for it. `content` is called for each try."""
        reason = self.write(name, content())
        for victim in DISPENSABLE:
            if reason not in FULL:
                return
            if self._give_up(victim, reason):
                self._missing.pop(name, None)  # its own entry is correct if it can be written now
                reason = self.write(name, content())

    def _give_up(self, name: str, reason: str) -> bool:
        try:
            if name == TIMELINE_NAME:
                halve_lines(self.folder / name)
            elif name == BODIES:
                shutil.rmtree(self.folder / name)
                if self._shared is not None:  # a deleted file whose content is only here takes room too
                    shutil.rmtree(self._shared, ignore_errors=True)
            else:
                (self.folder / name).unlink()
        except OSError:
            return False
        self.lose(name, reason)
        return True


def write_text(path: Path, text: str) -> None:
    """Write a file atomically: after a crash it has the old content or the new."""
    write_bytes(path, text_bytes(text))


def text_bytes(text: str) -> bytes:
    """Return a text as UTF-8, with a replacement character for half of a surrogate pair."""
    return text.encode("utf-8", "replace")


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes atomically."""
    try:
        write_whole(path, (content,))
    except OSError as error:
        raise BundleError(f"cannot write {path}: {reason_of(error)}") from error


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON."""
    write_bytes(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """Return a value as JSON for a file."""
    return text_bytes(in_json(json_text(value, indent=1)) + "\n")


def saved_result(result: VisitResult) -> dict[str, Any]:
    """Return the content of `result.json`: format, version, and every field of `VisitResult` under its name."""
    return {**RESULT.header, **result_dict(result)}


def result_dict(result: VisitResult) -> dict[str, Any]:
    """Return a result as plain values, with the tracks as an object."""
    return {**asdict(result), "tracks": dict(result.tracks)}


def read_result(folder: Path) -> VisitResult:
    """Return the result in a bundle. Raises BundleError when there is none, RecordingError for a damaged or newer one."""
    path = folder / RESULT_NAME
    data = RESULT.opened(read_json(path), str(path))
    return decoded(VisitResult, pairs(data, "tracks"), where=str(path))

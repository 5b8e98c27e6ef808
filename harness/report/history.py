"""The history of smoke runs: a JSON Lines file that several jobs may append to, and in which an incomplete line is skipped.

In: records. Out: lines, each written whole under a lock, and read back. The file is small and only ever grows; one run is some 600 bytes.
Format: {"format": "chatkit-harness/history", "version": 1, "kind": "run" | "delivery", …the fields of `Record` or `Delivery`}.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.errors import BundleError, RecordingError
from harness.model import codec
from harness.model.codec import Format, NewerFormat, Unfit
from harness.model.history import Delivery, Record

if sys.platform != "win32":
    import fcntl

FORMAT = Format(name="chatkit-harness/history", version=1)
WHERE = "a line of the history"
LOCK_TIMEOUT_S = 30.0
LOCK_RETRY_S = 0.05
Line = Record | Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The content of a file."""

    lines: tuple[Line, ...] = ()
    unreadable: int = 0  # number of skipped lines that are incomplete or damaged
    newer: int = 0  # number of skipped lines with a newer format


def read_history(path: Path) -> History:
    """Return the content of the file; empty when there is no file. Raises BundleError when it cannot be read."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return History()
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror or error}") from error
    lines: list[Line] = []
    unreadable = newer = 0
    for text in content.decode("utf-8", "replace").split("\n"):
        if not text.strip():
            continue
        try:
            lines.append(_line_of(text))
        except NewerFormat:
            newer += 1
        except RecordingError:
            unreadable += 1
    return History(lines=tuple(lines), unreadable=unreadable, newer=newer)


def _line_of(text: str) -> Line:
    data = FORMAT.opened(codec.parsed(text, WHERE), WHERE)
    if data.get("kind") == "delivery":
        return codec.decoded(Delivery, data, where=WHERE)
    if data.get("kind") != "run":
        raise Unfit(WHERE, at="kind", expected="run or delivery", found=f"{data.get('kind')!r:.40}")
    return codec.decoded(Record, {**data, "verdict": codec.pairs(data.get("verdict"), "sdk")}, where=WHERE)


def append_to_history(path: Path, decide: Callable[[History], Line]) -> tuple[Line, History]:
    """Append what `decide` makes of the lines so far, and return both. No other job reads or writes in between.

    Raises BundleError when the file cannot be written, or another job holds it for too long.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            history = read_history(path)
            line = decide(history)
            _append(path, line)
    except OSError as error:
        raise BundleError(f"cannot write {path}: {error.strerror or error}") from error
    return line, history


def _append(path: Path, line: Line) -> None:
    """Write one line whole; what a killed job has left of its own ends before it."""
    text = codec.json_text(saved_line(line)) + "\n"
    with path.open("ab+") as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            text = text if file.read(1) == b"\n" else f"\n{text}"
        file.write(text.encode("utf-8", "replace"))
        file.flush()
        os.fsync(file.fileno())


def saved_line(line: Line) -> dict[str, Any]:
    """Return the content of the file."""
    values = asdict(line)
    if isinstance(line, Record):
        values["verdict"]["sdk"] = dict(line.verdict.sdk)
    return {**FORMAT.header, "kind": "run" if isinstance(line, Record) else "delivery", **values}


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the file's lock, which the system takes back from a job that is killed. On Windows there is none."""
    with path.open("ab") as file:
        deadline = time.monotonic() + LOCK_TIMEOUT_S
        while not _is_locked_now(file.fileno()):
            if time.monotonic() > deadline:
                raise BundleError(f"{path} was locked by another job for more than {LOCK_TIMEOUT_S:g} s")
            time.sleep(LOCK_RETRY_S)
        yield


def _is_locked_now(file: int) -> bool:
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

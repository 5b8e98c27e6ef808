"""Files that are never left incomplete: written atomically, or line by line without a partial line.

In: paths and bytes. Out: files. A failed write is an OSError, or the `problem` of an `Appender`, with the system's message.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path


def partial_of(path: Path) -> Path:
    """Return the temporary path of a file while it is written: hidden, and unique to this writer, because two may write the same file."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")


def is_partial(path: Path) -> bool:
    """Whether this is the unfinished file of a killed process."""
    return path.name.startswith(".") and path.name.endswith(".partial")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to. It replaces the file when the block succeeds, and is deleted when the block fails."""
    partial = partial_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):  # its folder may be missing
            partial.unlink()
        raise


def write_whole(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file atomically: after a crash the file has the old content or the new. Raises OSError."""
    with replacing(path) as partial, partial.open("wb") as file:
        for piece in pieces:
            file.write(piece)


def link_or_copy(source: Path, target: Path) -> None:
    """Give `target` the content of `source`, as a hard link if the file system supports it. Raises OSError.

    Neither is changed in place later: `write_whole` replaces a file with a new one and does not change the other link.
    """
    with replacing(target) as partial:
        try:
            os.link(source, partial)
        except OSError:  # another file system, one without links, or too many links
            shutil.copyfile(source, partial)


class Appender:
    """A file that is appended to. Each piece reaches the system when it is written, and a full disk leaves no partial piece.

    After a failed write nothing more is written: `problem` says why, and the earlier pieces stay readable.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem = ""
        self._size_bytes = 0
        self._file: FileIO | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = FileIO(path, "wb")
        except OSError as error:
            self._give_up(error)

    def write(self, piece: bytes) -> None:
        """Append a piece completely or not at all. Does nothing after `close`."""
        if self._file is None:
            return
        rest = memoryview(piece)
        try:
            while rest:
                written = self._file.write(rest)  # an almost full disk may write only a part
                if not written:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                rest = rest[written:]
            self._size_bytes += len(piece)
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:  # network file systems may report only now that the disk is full
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.problem = reason_of(error)
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    file.truncate(self._size_bytes)
                    if self._size_bytes == 0:  # nothing could be written: no file is clearer than an empty file
                        self.path.unlink()
            with contextlib.suppress(OSError):
                file.close()


def halve_lines(path: Path) -> None:
    """Shorten a file of lines to about half, to free disk space; it ends with a complete line. Raises OSError."""
    with path.open("rb+") as file:
        half = path.stat().st_size // 2
        head = file.read(half)
        file.truncate(head.rfind(b"\n") + 1)


def reason_of(error: OSError) -> str:
    """Return why a write failed, with the system's message if there is one."""
    return error.strerror or str(error) or type(error).__name__

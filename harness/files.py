"""Files that are whole whatever happens: written in one piece or not at all, or line by line with no line cut.

In: paths and bytes. Out: files. What cannot be written is an OSError, or the `problem` of a file of lines, in the system's own words.
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
    """Return where a file is written before it has its name: hidden, and this writer's own, for two may write the same file."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")


def is_partial(path: Path) -> bool:
    """Whether this is what a process that was killed had not finished writing."""
    return path.name.startswith(".") and path.name.endswith(".partial")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to; it takes the file's place when the block ends well, and is gone when it does not."""
    partial = partial_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):  # its folder may be what is missing
            partial.unlink()
        raise


def write_whole(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file atomically: a reader, or a crash, sees the old content or the new. Raises OSError."""
    with replacing(path) as partial, partial.open("wb") as file:
        for piece in pieces:
            file.write(piece)


def link_or_copy(source: Path, target: Path) -> None:
    """Make `target` the same content as `source`: the same bytes on the disk where the file system has links. Raises OSError.

    Both are never changed in place: `write_whole` puts a new file where the old one was, and leaves the other link as it is.
    """
    with replacing(target) as partial:
        try:
            os.link(source, partial)
        except OSError:  # another file system, one without links, or too many of them
            shutil.copyfile(source, partial)


class Appender:
    """A file that grows piece by piece; each is the system's as soon as it is written, and none is cut by a full disk.

    After the first piece that cannot be written no other is: `problem` says why, and what was written before stays readable.
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
        """Append a piece, whole or not at all. Harmless after the end."""
        if self._file is None:
            return
        rest = memoryview(piece)
        try:
            while rest:
                written = self._file.write(rest)  # a disk that is almost full takes less than it is given
                if not written:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                rest = rest[written:]
            self._size_bytes += len(piece)
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """End. Harmless the second time."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:  # file systems on a network may say only now that there is no room
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.problem = reason_of(error)
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    file.truncate(self._size_bytes)
                    if self._size_bytes == 0:  # nothing found room: no file is clearer than an empty one
                        self.path.unlink()
            with contextlib.suppress(OSError):
                file.close()


def halve_lines(path: Path) -> None:
    """Shorten a file of lines to about half, which gives back room; it ends in a whole line again. Raises OSError."""
    with path.open("rb+") as file:
        half = path.stat().st_size // 2
        head = file.read(half)
        file.truncate(head.rfind(b"\n") + 1)


def reason_of(error: OSError) -> str:
    """Return why something could not be written, in the system's words where it has some."""
    return error.strerror or str(error) or type(error).__name__

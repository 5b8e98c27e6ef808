"""Reads a bundle from an untrusted source, a folder or a zip. It may try to write outside of its folder, or to fill memory and disk.

In: a path. Out: a folder of plain files, and their texts. What is not as a bundle may be is one BundleError that says what, where and
which limit. All names and sizes are looked at before the first byte is written; what turns out to be damaged later leaves nothing behind.
"""

from __future__ import annotations

import os
import shutil
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from harness.errors import BundleError
from harness.model.codec import parsed

PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # how much memory the others need is for the archive to say
END_SIGNATURE, END_BYTES, LONGEST_COMMENT = b"PK\x05\x06", 22, 65_535
IS_ENCRYPTED = 0x1
RATIO_FROM_BYTES = 10_000_000  # a smaller file may be packed as well as it likes
LONGEST_SHOWN = 80
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    LookupError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLimits:
    """How much of a bundle there may be. Sizes are of what is unpacked; a bundle of our own stays far below all of them."""

    archive_bytes: int = 500_000_000
    directory_bytes: int = 2_000_000  # of the archive's list of files
    files: int = 2_000
    file_bytes: int = 450_000_000  # a trace is kept up to 400 MB
    total_bytes: int = 1_000_000_000
    ratio: int = 400  # unpacked to packed
    name_bytes: int = 200  # of each part of a name
    depth: int = 10
    text_bytes: int = 64_000_000  # of a file that is read into memory
    line_chars: int = 4_000_000


LIMITS = ReadLimits()


@contextmanager
def opened_bundle(path: Path, limits: ReadLimits = LIMITS) -> Iterator[Path]:
    """Yield the folder of a bundle: the one that is given, or what a zip holds, unpacked until the block ends.

    A zip holds the files of a bundle, or one folder with them. Raises BundleError.
    """
    if path.is_dir():
        _require_plain_files(path, limits)
        yield path
    else:
        with TemporaryDirectory(prefix="chatkit-bundle-") as folder:
            inside = unpacked(path, Path(folder) / "bundle", limits)
            only = list(inside.iterdir())
            yield only[0] if len(only) == 1 and only[0].is_dir() else inside


def unpacked(archive: Path, into: Path, limits: ReadLimits = LIMITS) -> Path:
    """Unpack a zip to a folder that does not exist yet, whole or not at all, and return it. Raises BundleError."""
    if os.path.lexists(into):
        raise BundleError(f"cannot unpack {archive}: {into} exists already")
    partial = into.with_name(into.name + ".partial")
    try:
        _require_small_directory(archive, limits)
        partial.mkdir(parents=True)
        with zipfile.ZipFile(archive) as opened:
            for info in _checked(archive, opened.infolist(), limits):
                _write(opened, info, partial.joinpath(*PurePosixPath(info.filename).parts))
        partial.replace(into)
    except DAMAGED as error:
        raise BundleError(f"{archive} is damaged: {str(error) or type(error).__name__}") from error
    except OSError as error:
        raise BundleError(f"cannot unpack {archive}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return into


def read_text(path: Path, limits: ReadLimits = LIMITS) -> str:
    """Return a text of a bundle, wrong bytes replaced. Raises BundleError when it is missing, no plain file, or too large."""
    return read_bytes(path, limits).decode("utf-8", "replace")


def read_bytes(path: Path, limits: ReadLimits = LIMITS) -> bytes:
    """Return a file of a bundle. Raises BundleError when it is missing, no plain file, or too large."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise BundleError(f"{path} is not a regular file")
        with path.open("rb") as file:
            content = file.read(limits.text_bytes + 1)
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror or error}") from error
    if len(content) > limits.text_bytes:
        raise BundleError(f"{path} is larger than {limits.text_bytes} bytes")
    return content


def read_json(path: Path, limits: ReadLimits = LIMITS) -> Any:
    """Return the JSON of a bundle's file. Raises BundleError when it is missing or too large, RecordingError when it is no JSON."""
    return parsed(read_text(path, limits), str(path))


def read_lines(path: Path, limits: ReadLimits = LIMITS) -> list[str]:
    """Return the lines of a bundle's JSON Lines. Raises BundleError when there is too much, in all or in one line."""
    lines = read_text(path, limits).split("\n")
    for number, line in enumerate(lines, start=1):
        if len(line) > limits.line_chars:
            raise BundleError(f"{path}: line {number} is longer than {limits.line_chars} characters")
    return lines


def _require_small_directory(archive: Path, limits: ReadLimits) -> None:
    """Look at the end of the archive before `zipfile` takes its whole directory into memory."""
    if not archive.is_file():
        raise BundleError(f"{archive} is {'not a regular file' if archive.exists() else 'missing'}")
    size = archive.stat().st_size
    if size > limits.archive_bytes:
        raise BundleError(f"{archive} has {size} bytes; the limit is {limits.archive_bytes}")
    with archive.open("rb") as file:
        file.seek(max(size - END_BYTES - LONGEST_COMMENT, 0))
        tail = file.read()
    at = tail.rfind(END_SIGNATURE)
    if at < 0 or len(tail) - at < END_BYTES:
        raise BundleError(f"{archive} is not a zip, or its end is missing")
    files, directory_bytes = (int.from_bytes(tail[at + a : at + b], "little") for a, b in ((10, 12), (12, 16)))
    if files == 0xFFFF or directory_bytes == 0xFFFFFFFF:
        raise BundleError(f"{archive} is a zip64 archive, which is not supported for bundles")
    if directory_bytes > limits.directory_bytes:
        raise BundleError(
            f"{archive}: its list of files has {directory_bytes} bytes; the limit is {limits.directory_bytes}"
        )


def _checked(archive: Path, infos: list[zipfile.ZipInfo], limits: ReadLimits) -> list[zipfile.ZipInfo]:
    """Return the members when all of them are what a bundle may hold."""
    if len(infos) > limits.files:
        raise BundleError(f"{archive} holds {len(infos)} files; the limit is {limits.files}")
    total = sum(info.file_size for info in infos)
    if total > limits.total_bytes:
        raise BundleError(f"{archive} unpacks to {total} bytes; the limit is {limits.total_bytes}")
    seen: set[str] = set()
    for info in infos:
        # Some file systems know no difference.
        name = unicodedata.normalize("NFC", info.filename).casefold().rstrip("/")
        problem = "occurs twice" if name in seen else _problem(info, limits)
        if problem:
            raise BundleError(f"{archive}: the file {info.orig_filename[:LONGEST_SHOWN]!a} {problem}")
        seen.add(name)
    return infos


def _problem(info: zipfile.ZipInfo, limits: ReadLimits) -> str:
    """What a member does that none of a bundle does, or nothing."""
    if problem := name_problem(info.orig_filename, limits):
        return problem
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFDIR if info.is_dir() else stat.S_IFREG):
        return "is a link or special file"
    if info.flag_bits & IS_ENCRYPTED:
        return "is encrypted"
    if info.compress_type not in PACKINGS:
        return "has an unsupported compression: use deflate"
    if info.file_size > limits.file_bytes:
        return f"unpacks to {info.file_size} bytes; the limit is {limits.file_bytes}"
    if info.file_size > max(RATIO_FROM_BYTES, info.compress_size * limits.ratio):
        return f"unpacks to more than {limits.ratio} times its size"
    return ""


def name_problem(name: str, limits: ReadLimits = LIMITS) -> str:
    """Return why no file of a bundle has this name: it leads elsewhere, here or on another system; or nothing."""
    parts = name.removesuffix("/").split("/")
    if not name.isprintable() or any(sign in name for sign in '\\:*?"<>|'):
        return "has a name with invalid characters"
    if any(part in ("", ".", "..") or part != part.strip(" ") or part.endswith(".") for part in parts):
        return "has a name that leads out of the folder, or is empty"
    if len(parts) > limits.depth or any(len(part.encode("utf-8", "replace")) > limits.name_bytes for part in parts):
        return "has a name that is too long"
    return ""


def _write(opened: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> None:
    """Write one member; `zipfile` hands over no more than the size that was looked at, and compares the checksum at the end."""
    if info.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(info) as packed, path.open("xb") as file:
        shutil.copyfileobj(packed, file)
    if path.stat().st_size != info.file_size:
        raise zipfile.BadZipFile(f"{info.filename} ends too early")


def _require_plain_files(folder: Path, limits: ReadLimits) -> None:
    """Raise BundleError when a folder holds links, devices or pipes, or too much."""
    number = total = 0
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(root) / name
            status = path.lstat()
            if not stat.S_ISDIR(status.st_mode) and not stat.S_ISREG(status.st_mode):
                raise BundleError(f"{path} is a link or special file")
            number, total = number + 1, total + (status.st_size if stat.S_ISREG(status.st_mode) else 0)
            if number > limits.files or total > limits.total_bytes:
                raise BundleError(f"{folder} holds more than {limits.files} files or {limits.total_bytes} bytes")

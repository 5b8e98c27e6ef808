"""Places that cannot be written, for real: a disk that is full, one that is read-only, files that may not grow."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.commands import TIMEOUT_S


@contextmanager
def disk(folder: Path, *, size: str) -> Iterator[Path]:
    """Yield a disk of this size, in memory; skip the test where none may be mounted."""
    folder.mkdir()
    mounted = _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    if mounted.returncode != 0:
        pytest.skip(f"a disk of its own cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        _run("umount", "--lazy", str(folder))


def make_read_only(folder: Path) -> None:
    """Let nobody write to a disk any more, the superuser neither."""
    assert _run("mount", "-o", "remount,ro", str(folder)).returncode == 0


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except FileNotFoundError as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """Let this process write no file beyond a size: needs no rights, and fails in the middle of a write as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

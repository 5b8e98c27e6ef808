"""Files are whole or not there; a file of lines ends in a whole one, on a disk that is full too."""

from __future__ import annotations

from pathlib import Path

import pytest
from disks import disk, largest_file

from harness.files import Appender, halve_lines, is_partial, replacing, write_whole

LINE = b'{"seq":1}\n'


def test_a_file_that_finds_no_room_leaves_the_old_one(tmp_path: Path) -> None:
    """The disk is full in the middle of the new one; no reader sees it, and nothing is left over."""
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    with largest_file(1_000), pytest.raises(OSError, match="File too large"):
        write_whole(path, [b"x" * 600, b"y" * 600])
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    """What a killed process leaves is hidden, and no two writers share it."""
    path = tmp_path / "a.json"
    with replacing(path) as first, replacing(path) as second:
        first.write_bytes(b"first")
        second.write_bytes(b"second")
        assert not path.exists()
        assert all(map(is_partial, tmp_path.iterdir()))
    assert path.read_bytes() == b"first"  # whoever ends last
    assert list(tmp_path.iterdir()) == [path]
    assert not is_partial(path)


def test_lines_end_with_the_last_whole_one(tmp_path: Path) -> None:
    """The system takes a part of a line before it says that there is no more room."""
    path = tmp_path / "t.jsonl"
    with largest_file(55):
        file = Appender(path)
        for _ in range(8):
            file.write(LINE)
    file.close()
    assert file.problem == "File too large"
    assert path.read_bytes() == LINE * 5


def test_nothing_is_appended_behind_a_gap(tmp_path: Path) -> None:
    """A line that is missing in the middle could not be told from one that never was."""
    path = tmp_path / "t.jsonl"
    file = Appender(path)
    with largest_file(15):
        file.write(LINE)
        file.write(LINE)
    file.write(LINE)
    assert path.read_bytes() == LINE


def test_a_full_disk_is_told_in_the_systems_words(tmp_path: Path) -> None:
    """`/dev/full` is one; and a disk of its own, where that may be mounted."""
    file = Appender(Path("/dev/full"))
    assert file.problem == ""
    file.write(LINE)
    assert file.problem == "No space left on device"
    with disk(tmp_path / "disk", size="8k") as small:
        file = Appender(small / "t.jsonl")
        for _ in range(1_000):
            file.write(LINE)
        assert file.problem == "No space left on device"
        assert set((small / "t.jsonl").read_bytes().splitlines(keepends=True)) == {LINE}
        file.close()


def test_a_file_that_cannot_be_made_is_a_problem_and_no_error(tmp_path: Path) -> None:
    """A file stands where its folder should be; the name is too long for any file system."""
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file" / "t.jsonl", tmp_path / ("x" * 300)):
        file = Appender(path)
        file.write(LINE)
        file.close()
        assert file.problem in ("Not a directory", "File exists", "File name too long")


def test_half_of_the_lines_give_their_room_back(tmp_path: Path) -> None:
    """The last one is whole; a single long line goes altogether."""
    path = tmp_path / "t.jsonl"
    path.write_bytes(LINE * 5)
    halve_lines(path)
    assert path.read_bytes() == LINE * 2
    path.write_bytes(b"x" * 100 + b"\n")
    halve_lines(path)
    assert path.read_bytes() == b""

"""The timeline on disk: whole lines, everything that fits, no secret that was learned later."""

from __future__ import annotations

import json
from pathlib import Path

from builders import console_message
from disks import disk, largest_file

from harness.model.file_names import TIMELINE_NAME
from harness.model.redaction import Redactor
from harness.model.timeline import read_timeline
from harness.observe.recorder import Recorder

SECRET = "correct horse battery staple 0123"


def recorder(folder: Path) -> Recorder:
    """Return a recorder that watches nothing yet."""
    return Recorder(folder=folder, redactor=Redactor())


def lines(folder: Path) -> list[str]:
    """Return the lines on disk, each of which parses."""
    found = (folder / TIMELINE_NAME).read_text(encoding="utf-8").splitlines()
    assert all(map(json.loads, found))
    return found


def test_a_full_disk_ends_the_file_and_not_the_visit(tmp_path: Path) -> None:
    """In memory the timeline goes on; what is on disk can be read."""
    with largest_file(2_000):
        visit = recorder(tmp_path)
        for number in range(50):
            visit.timeline.append(console_message(f"{number} " + "x" * 100))
        assert visit.settle() == "File too large"
    assert len(visit.timeline.entries) == 50
    on_disk = read_timeline(lines(tmp_path))
    assert 0 < len(on_disk) < 50
    assert on_disk == visit.timeline.entries[: len(on_disk)]


def test_lines_that_found_no_room_are_written_when_there_is_some(tmp_path: Path) -> None:
    """At the visit's end, in one piece."""
    visit = recorder(tmp_path)
    with largest_file(2_000):
        for number in range(50):
            visit.timeline.append(console_message(f"{number} " + "x" * 100))
    assert visit.settle() == ""
    assert read_timeline(lines(tmp_path)) == visit.timeline.entries


def test_a_folder_that_cannot_be_made_does_not_stop_a_visit(tmp_path: Path) -> None:
    """The reason is told at the end."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    visit = recorder(tmp_path / "file" / "test-a")
    visit.timeline.append(console_message())
    assert visit.settle() in ("Not a directory", "File exists")
    assert len(visit.timeline.entries) == 1


def test_a_secret_that_was_learned_late_is_replaced_on_disk(tmp_path: Path) -> None:
    """And nothing is left beside the file."""
    visit = recorder(tmp_path)
    visit.timeline.append(console_message(f"it is {SECRET}"))
    visit.timeline.redactor.learn("client_secret", SECRET)
    assert SECRET in (tmp_path / TIMELINE_NAME).read_text(encoding="utf-8")
    assert visit.settle() == ""
    assert SECRET not in (tmp_path / TIMELINE_NAME).read_text(encoding="utf-8")
    assert len(lines(tmp_path)) == 2
    assert [path.name for path in tmp_path.iterdir()] == [TIMELINE_NAME]


def test_no_timeline_is_better_than_one_with_a_secret(tmp_path: Path) -> None:
    """There is no room for a second copy: the first one makes room, and where that is not enough, nothing is kept."""
    with disk(tmp_path / "disk", size="40k") as small:
        visit = recorder(small)
        for number in range(60):
            visit.timeline.append(console_message(f"{number} {SECRET} " + "x" * 250))
        visit.timeline.redactor.learn("client_secret", SECRET)
        assert visit.settle() == ""
        assert len(lines(small)) == 61
        assert SECRET not in (small / TIMELINE_NAME).read_text(encoding="utf-8")
    with largest_file(2_000):
        visit = recorder(tmp_path / "other")
        for _ in range(50):
            visit.timeline.append(console_message(f"{SECRET} " + "x" * 100))
        visit.timeline.redactor.learn("client_secret", SECRET)
        assert visit.settle() == "File too large"
    assert list((tmp_path / "other").iterdir()) == []

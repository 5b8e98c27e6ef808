"""Files are written whole or not at all, and an error says which file and why."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from builders import TRANSCRIPTS, entries, pause, visit_ended, visit_started
from disks import disk, largest_file

from harness.analysis.result import result_of
from harness.errors import BundleError, RecordingError
from harness.files import reason_of
from harness.model.file_names import TIMELINE_NAME
from harness.model.limits import Limits
from harness.model.results import Loss, OtherEmbed, VisitResult
from harness.report.bundle import Bundle, read_result, result_dict, saved_result, write_bytes, write_json, write_text

RESULTS: dict[str, VisitResult] = {
    name: result_of(
        entries(visit_started(), steps, pause(30_000), visit_ended()),
        limits=Limits(),
        started_at="2026-11-24T08:00:00.000+00:00",
    )
    for name, steps in TRANSCRIPTS.items()
}


def test_a_file_is_written_with_its_folders(tmp_path: Path) -> None:
    """Nothing else is left behind."""
    path = tmp_path / "a" / "b" / "file.txt"
    write_text(path, "ä\r\nb")
    assert path.read_bytes() == b"\xc3\xa4\r\nb"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """The new content, or the old one when it cannot be written."""
    path = tmp_path / "file.txt"
    write_text(path, "old and long")
    write_text(path, "new")
    assert path.read_text(encoding="utf-8") == "new"


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    """A full disk in the middle of a file is seen by no reader."""
    path = tmp_path / "file.txt"
    write_text(path, "old")
    with largest_file(100), pytest.raises(BundleError, match=r"cannot write .*file\.txt: File too large"):
        write_text(path, "new and long" * 20)
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_costs_no_other(tmp_path: Path) -> None:
    """It is named with the reason, until it is written after all."""
    bundle = Bundle(tmp_path)
    with largest_file(100):
        assert bundle.write("network.har", b"x" * 200) == "File too large"
        assert bundle.write("console.log", b"x") == ""
    assert bundle.missing == (Loss(file="network.har", reason="File too large"),)
    assert bundle.files == ("console.log",)
    bundle.write("network.har", b"{}")
    assert bundle.missing == ()


def test_the_verdict_is_worth_more_than_pictures(tmp_path: Path) -> None:
    """On a full disk other files make room for it, the dearest last; what is given up is named in it."""
    with disk(tmp_path / "disk", size="40k") as small:
        bundle = Bundle(small)
        timeline = b'{"seq":1}\n' * 700
        (small / TIMELINE_NAME).write_bytes(timeline)
        bundle.write("console.log", b"x" * 4_000)
        bundle.write("dom.html", b"x" * 4_000)
        bundle.write("screenshot-page.png", b"x" * 20_000)
        (small / "rest").write_bytes(b"x" * 4_000)
        result = json.dumps({"verdict": "y" * 22_000}).encode()
        said: list[list[str]] = []

        def content() -> bytes:
            said.append([loss.file for loss in bundle.missing])
            return result

        bundle.write_above_all("result.json", content)
        assert said[-1] == ["screenshot-page.png", "dom.html"]  # and not itself
        assert (small / "result.json").read_bytes() == result
        assert [loss.file for loss in bundle.missing] == ["screenshot-page.png", "dom.html"]
        bundle.write_above_all("error-context.md", lambda: b"x" * 8_000)
        assert len((small / "error-context.md").read_bytes()) == 8_000
        assert [loss.file for loss in bundle.missing][2:] == ["console.log", TIMELINE_NAME]
        assert (small / TIMELINE_NAME).read_bytes() == timeline[: len(timeline) // 2]
        assert {loss.reason for loss in bundle.missing} == {"No space left on device"}


def test_nothing_is_given_up_where_that_makes_no_room(tmp_path: Path) -> None:
    """A read-only disk, a file that may not be so large."""
    bundle = Bundle(tmp_path)
    bundle.write("dom.html", b"x")
    with largest_file(100):
        bundle.write_above_all("result.json", lambda: b"x" * 200)
    assert [loss.file for loss in bundle.missing] == ["result.json"]
    assert bundle.files == ("dom.html",)


def test_an_error_names_the_file_and_the_reason(tmp_path: Path) -> None:
    """A file where a folder should be, and a folder where the file should be."""
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(BundleError, match=r"cannot write .*/file/a\.json: \w+") as caught:
        write_json(tmp_path / "file" / "a.json", {})
    assert "None" not in str(caught.value)
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    with pytest.raises(BundleError, match=r"cannot write .*/folder: \w+"):
        write_bytes(tmp_path / "folder", b"x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_an_error_without_words_has_a_reason_too() -> None:
    """Not every OSError comes from the system."""
    assert reason_of(OSError("the share went away")) == "the share went away"
    assert reason_of(OSError()) == "OSError"


def test_half_a_character_can_be_written(tmp_path: Path) -> None:
    """A page may say anything."""
    write_json(tmp_path / "a.json", {"text": "\ud83d ✖"})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"text": "? ✖"}


def test_a_result_says_what_is_missing_beside_it(tmp_path: Path) -> None:
    """One that was saved before results said so can be read, too."""
    result = replace(RESULTS["hosted"], missing=(Loss(file="network.har", reason="No space left on device"),))
    write_json(tmp_path / "result.json", saved_result(result))
    assert read_result(tmp_path) == result
    data = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert data.pop("missing") == [{"file": "network.har", "reason": "No space left on device"}]
    write_json(tmp_path / "result.json", data)
    assert read_result(tmp_path) == RESULTS["hosted"]


def test_the_verdicts_on_other_embeds_come_back(tmp_path: Path) -> None:
    """With a cause, and without one."""
    cause = next(result.cause for result in RESULTS.values() if result.cause)
    others = tuple(
        OtherEmbed(seq=9, outcome=outcome, reason=reason, explanation="So it is.", cause=why)
        for outcome, reason, why in (("failed", "frame-failed", cause), ("mounted", "none", None))
    )
    result = replace(RESULTS["hosted"], others=others)
    write_json(tmp_path / "result.json", saved_result(result))
    assert read_result(tmp_path) == result


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_comes_back(tmp_path: Path, name: str) -> None:
    """Every field, as it was."""
    write_json(tmp_path / "result.json", saved_result(RESULTS[name]))
    assert read_result(tmp_path) == RESULTS[name]


def test_a_result_file_says_what_it_is(tmp_path: Path) -> None:
    """Format and version first, tracks as an object."""
    write_json(tmp_path / "result.json", saved_result(RESULTS["hosted"]))
    data = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert list(data)[:2] == ["format", "version"]
    assert (data["format"], data["version"]) == ("chatkit-harness/result", 1)
    assert data["tracks"] == dict(RESULTS["hosted"].tracks) == result_dict(RESULTS["hosted"])["tracks"]


DAMAGED = {
    "no file": (None, "cannot read"),
    "no JSON": ("{", "damaged"),
    "another format": ('{"format": "har", "version": 1}', "is not a chatkit-harness/result file"),
    "no format": ("{}", "is not a chatkit-harness/result file"),
    "a newer version": (
        '{"format": "chatkit-harness/result", "version": 2}',
        "newer than the 1 that this version reads; update",
    ),
    "no version": ('{"format": "chatkit-harness/result"}', "damaged"),
    "a version that is none": ('{"format": "chatkit-harness/result", "version": "x"}', "damaged"),
    "fields missing": ('{"format": "chatkit-harness/result", "version": 1}', "damaged"),
    "a list": ("[]", "is not a chatkit-harness/result file"),
    "a number": ("1", "is not a chatkit-harness/result file"),
    "no text": (b"\xff\xfe", "damaged"),
}


@pytest.mark.parametrize(("content", "message"), DAMAGED.values(), ids=DAMAGED.keys())
def test_a_result_that_cannot_be_read_is_named(tmp_path: Path, content: str | bytes | None, message: str) -> None:
    """Its path, and what is wrong with it."""
    path = tmp_path / "result.json"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RecordingError if content is not None else BundleError, match=message) as caught:
        read_result(tmp_path)
    assert str(path) in str(caught.value)

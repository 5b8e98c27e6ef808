"""Snapshots of the SDK: what differs, which paths are safe, and what a listing may not say."""

from __future__ import annotations

from typing import Any

import pytest

from harness.errors import RecordingError
from harness.model.snapshot import (
    FORMAT,
    Snapshot,
    content_digest,
    difference,
    digest_of,
    file_of,
    is_safe_path,
    saved_snapshot,
    snapshot_of,
)

LOADER = file_of("deployments/chatkit/chatkit.js", b"loader", "text/javascript")
FRAME = file_of("deployments/chatkit/index-1.html", b"<html>")
CHUNK = file_of("assets/ck1/a.js", b"a")
SNAPSHOT = Snapshot(
    base_url="https://cdn.test", taken_at="2026-11-24T00:00:00+00:00", files=(LOADER, FRAME), missing=("assets/b.js",)
)


def test_a_difference_names_what_is_new_gone_and_changed() -> None:
    """By path; the media type alone is no difference."""
    changed = file_of(LOADER.path, b"loader 2")
    found = difference((LOADER, FRAME), (changed, CHUNK))
    assert (found.new, found.gone, found.changed) == ((CHUNK,), (FRAME,), ((LOADER, changed),))
    assert not found.is_nothing
    assert difference((LOADER,), (file_of(LOADER.path, b"loader", "application/javascript"),)).is_nothing


def test_the_digest_is_of_paths_and_contents() -> None:
    """Not of their order, the date or the CDN; a file that has another name is another content."""
    assert content_digest((LOADER, FRAME)) == content_digest((FRAME, LOADER)) == SNAPSHOT.digest
    assert content_digest((LOADER,)) != content_digest((file_of("other.js", b"loader"),))
    assert LOADER.sha256 == digest_of(b"loader")


@pytest.mark.parametrize("path", ["a", "assets/ck1/index-1.js", "a/.b", "a b.js", "ä.js", "a@2/~b.js"])
def test_paths_below_a_folder_are_safe(path: str) -> None:
    """On any system."""
    assert is_safe_path(path)


@pytest.mark.parametrize(
    "path",
    ["", "/a", "../a", "a/../b", "a//b", "a/", ".", "a/./b", "a\\b", "C:/a", "a\0", "a\n", "snapshot.json", "x" * 201,
     "a/" * 120 + "b", "a /b", "a/...", "a?b"],
)  # fmt: skip
def test_paths_that_lead_elsewhere_are_not(path: str) -> None:
    """Or that some system has no name for, or that are our own."""
    assert not is_safe_path(path)


def test_a_listing_reads_as_it_was_written() -> None:
    """Nothing is lost."""
    assert snapshot_of(saved_snapshot(SNAPSHOT), "snapshot.json") == SNAPSHOT


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format_version": FORMAT.version + 1}, "format 2 is newer"),
        ({"format_version": "1"}, "at: +format_version"),
        ({"format_version": True}, "at: +format_version"),
        ({"files": None}, "at: +files"),
        ({"files": ["a"]}, r"at: +files\[0\]"),
        (
            {"files": [{"path": "../a", "sha256": "0" * 64, "bytes": 1}]},
            r"at: +files\[0\].path\n +expected: a path below the folder",
        ),
        (
            {"files": [{"path": "con/..x/" + "b" * 201, "sha256": "0" * 64, "bytes": 1}]},
            "expected: a path below the folder",
        ),
        ({"files": [{"path": "a", "sha256": "0", "bytes": 1}]}, "expected: a SHA-256"),
        ({"files": [{"path": "a", "sha256": "0" * 64, "bytes": -1}]}, "found: +-1"),
    ],
)
def test_a_listing_that_is_none_is_refused(change: dict[str, Any], sentence: str) -> None:
    """With a sentence that says why."""
    with pytest.raises(RecordingError, match=sentence):
        snapshot_of(saved_snapshot(SNAPSHOT) | change, "snapshot.json")


@pytest.mark.parametrize("saved", [None, [], "text", 1])
def test_json_that_is_no_listing_is_refused(saved: object) -> None:
    """Whatever it is."""
    with pytest.raises(RecordingError, match="is not a listing file"):
        snapshot_of(saved, "snapshot.json")

"""Every test has a folder of its own, whatever its name is, with a name that every file system takes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.folders import LONGEST_CHARS, folder_of, is_folder_of, names_of, shared_names

BASE = "tests/test_it.py::test_it"
ODD = (
    *("a/b", "a-b", "A-B", "a_b", "a\\b", "a b", "a'b", 'a"b', "a\nb", "a\0b", "a&b"),
    *("🙂", "🙃", "..", "../../etc/passwd", ".", "", " ", "CON", "nul", "con.txt", "COM1", "\ud83d", "é", "e", "E"),
    *("x" * 300, "X" * 300, "x" * 299 + "y", "1,000", "1000", "-retry1", "-again2", "latest", ".running"),
)
SAFE = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")


def folders(nodeids: list[str]) -> list[str]:
    """Return the folders of a run with these tests."""
    shared = shared_names(nodeids)
    return [folder_of(nodeid, is_shared=nodeid in shared) for nodeid in nodeids]


def test_odd_names_have_folders_of_their_own() -> None:
    """Slashes, quotes, emoji, line breaks, 300 characters, case only, names that Windows keeps for itself, `..`."""
    nodeids = [f"{BASE}[{name}]" for name in ODD]
    named = folders(nodeids)
    assert len(set(named)) == len(nodeids)
    for name in named:
        assert SAFE.fullmatch(name), name
        assert len(name) <= LONGEST_CHARS


@given(st.lists(st.text(max_size=300), unique=True, max_size=8))
def test_any_names_have_folders_of_their_own(names: list[str]) -> None:
    """Also in a run with retries."""
    nodeids = [f"{BASE}[{name}]" for name in names]
    shared = shared_names(nodeids)
    named = [folder_of(nodeid, retry=retry, is_shared=nodeid in shared) for nodeid in nodeids for retry in range(2)]
    assert len(set(named)) == len(named)
    assert all(SAFE.fullmatch(name) for name in named)


def test_usual_names_stay_as_they_are() -> None:
    """As pytest-playwright names them; the folder of a test does not depend on what else is run, unless two would share it."""
    assert folders([f"{BASE}[chromium]", f"{BASE}[firefox]"]) == [
        "tests-test-it-py-test-it-chromium",
        "tests-test-it-py-test-it-firefox",
    ]
    assert folder_of(f"{BASE}[chromium]", retry=2) == "tests-test-it-py-test-it-chromium-retry2"


@pytest.mark.parametrize("suffix", ["", "-retry1", "-again2"])
@pytest.mark.parametrize("inner", ["", "/visit-2"])
def test_a_bundle_is_found_to_be_a_tests(suffix: str, inner: str) -> None:
    """Any attempt, any visit; and no other test's."""
    names = names_of([f"{BASE}[A-b]"])
    for is_shared in (False, True):
        name = folder_of(f"{BASE}[A-b]", is_shared=is_shared)
        assert is_folder_of(f"{name}{suffix}{inner}", names)
    assert not is_folder_of(folder_of(f"{BASE}[a-b]", is_shared=True), names)
    assert not is_folder_of(f"tests-test-it-py-test-other{suffix}{inner}", names)

"""What a console error says without what differs from run to run, and that what matters stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.facts.stable_wording import LONGEST, wording_of

SAME = [
    ("ports", "GET http://127.0.0.1:45123/api failed", "GET http://127.0.0.1:8080/api failed"),
    ("numbers", "took 12.5 ms, retry 3", "took 9 ms, retry 14"),
    ("queries", "https://a.test/x?t=1712#top", "https://a.test/x?t=99"),
    ("uuids", "no 550e8400-e29b-41d4-a716-446655440000", "no 6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
    ("prefixed ids", "workflow wf_68ab12cd is gone", "workflow wf_9f is gone"),
    ("hashes", "chunk index-BxY12abZ.js failed", "chunk index-9Zq4kLm.js failed"),
    ("lines", "chat.js:12:34 failed", "chat.js:7:1 failed"),
    ("ids in a path", "https://a.test/t/cthr_8f2e/items", "https://a.test/t/cthr_01ab/items"),
    ("placeholders", "<redacted:client_secret:1> refused", "<redacted:client_secret:27> refused"),
    ("tokens", "got Xk9-aB3_dEfGhIjKlMnOpQ==", "got Zz8-yT4_aBcDeFgHiJkLmN=="),
    ("stacks", "Error: x\n    at f (http://a.test/a.js:1:2)", "Error: x\n    at g (http://a.test/b.js:3:4)"),
    ("line breaks", "one\n  two", "one two"),
]
DIFFERENT = [
    ("statuses", "responded with a status of 401 ()", "responded with a status of 404 ()"),
    ("statuses by name", "HTTP 500 from the backend", "HTTP 502 from the backend"),
    ("words", "x is not defined", "y is not defined"),
    ("hosts", "GET https://a.test/x failed", "GET https://b.test/x failed"),
    ("paths", "GET https://a.test/x failed", "GET https://a.test/y failed"),
    ("short names", "no h1 here", "no h2 here"),
    ("long names of words", "chat-component-version-a failed", "chat-component-version-b failed"),
]


@pytest.mark.parametrize(("one", "other"), [case[1:] for case in SAME], ids=[case[0] for case in SAME])
def test_what_differs_from_run_to_run_is_left_out(one: str, other: str) -> None:
    """Two runs of the same fault have the same words."""
    assert wording_of(one) == wording_of(other)


@pytest.mark.parametrize(("one", "other"), [case[1:] for case in DIFFERENT], ids=[case[0] for case in DIFFERENT])
def test_what_tells_two_errors_apart_stays(one: str, other: str) -> None:
    """Another error has other words."""
    assert wording_of(one) != wording_of(other)


@given(st.text(max_size=3_000))
def test_any_text_has_a_wording_that_is_final(text: str) -> None:
    """One line, bounded, and the wording of a wording is itself, so that a baseline may be normalised twice."""
    words = wording_of(text)
    assert len(words) <= LONGEST
    assert "\n" not in words
    assert wording_of(words) == words


def test_a_huge_text_is_read_at_once() -> None:
    """A megabyte of one error costs no more than its beginning."""
    assert len(wording_of("a-" * 500_000)) == LONGEST

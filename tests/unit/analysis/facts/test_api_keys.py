"""What a key is, judged by how it looks, without any of it being told."""

from __future__ import annotations

import pytest

from harness.analysis.facts.api_keys import cleaned, key_of

KINDS = [
    ("sk-proj-test-0123456789", "project key", "sk-proj-", True),
    ("sk-svcacct-test-0123456789", "service account key", "sk-svcacct-", True),
    ("sk-test-0123456789abcdef", "API key", "sk-", True),
    ("SK-PROJ-test-0123456789", "project key", "sk-proj-", True),
    ("sk-admin-test-0123456789", "admin key", "sk-admin-", False),
    ("sk-ant-test-0123456789", "key of another vendor", "sk-ant-", False),
    ("ek_test0123456789_00eyJhIjoxfQ", "client secret", "ek_", False),
    ("domain_pk_test_0123456789", "domain key", "domain_pk_", False),
    ("wf_0123456789abcdef0", "workflow id", "wf_", False),
    ("proj_0123456789abcdef0", "project id", "proj_", False),
    ("org-0123456789abcdef0", "organisation id", "org-", False),
    ("sess-0123456789abcdef0", "browser session token", "sess-", False),
    (".".join(("eyJ" + "hbGciOiJIUzI1NiJ9", "eyJ" + "zdWIiOiIxIn0", "c2lnbmF0dXJl")), "access token", "", False),
    ("Bearer sk-test-0123456789", "whole authorization header", "", False),
    ("${OPENAI_API_KEY}", "placeholder", "", False),
    ("<your key here please>", "placeholder", "", False),
    ("0123456789abcdef0123", "text of no known kind", "", False),
]


@pytest.mark.parametrize(("text", "kind", "prefix", "is_usable"), KINDS)
def test_a_kind_is_known_by_how_it_begins(text: str, kind: str, prefix: str, is_usable: bool) -> None:
    """And only keys that can make sessions are sent anywhere."""
    key = key_of(text)
    assert (key.kind, key.prefix, key.is_usable) == (kind, prefix, is_usable)
    assert key.shown == f"{kind} {prefix}…{text[-4:]}"


@pytest.mark.parametrize(
    ("text", "has_quotes", "has_spaces"),
    [
        ("sk-test-0123456789abcdef", False, False),
        ('"sk-test-0123456789abcdef"', True, False),
        ("'sk-test-0123456789abcdef'", True, False),
        ("\u201csk-test-0123456789abcdef\u201d", True, False),
        (" sk-test-0123456789abcdef\n", False, True),
        ('"sk-test-0123456789abcdef" ', True, True),
        ("\ufeffsk-test-0123456789abcdef", False, True),
    ],
)
def test_what_a_copy_left_on_a_key_is_named_and_taken_off(text: str, has_quotes: bool, has_spaces: bool) -> None:
    """Quotes, spaces, line breaks and what cannot be seen."""
    key = key_of(text, variable="KEY")
    assert (key.has_quotes, key.has_spaces) == (has_quotes, has_spaces)
    assert key.is_usable
    assert cleaned(text) == "sk-test-0123456789abcdef"


@pytest.mark.parametrize("text", ["sk-test 0123456789abcdef", "sk-test-Ï0123456789abcdef", "", "  ", '""'])
def test_what_cannot_be_a_header_is_not_usable(text: str) -> None:
    """A space inside, a letter that is none, or nothing at all."""
    assert not key_of(text).is_usable


def test_a_short_text_is_not_shown() -> None:
    """Four characters would be too much of it."""
    assert key_of("sk-short").shown == "API key sk-…"
    assert key_of("").shown == "none"


def test_a_key_does_not_hold_the_key() -> None:
    """Not even its representation does."""
    assert "0123456789ab" not in repr(key_of("sk-proj-0123456789abcdef"))

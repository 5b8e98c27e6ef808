"""What a page's Content-Security-Policy allows of what ChatKit needs."""

from __future__ import annotations

import pytest

from harness.analysis.facts.content_security_policy import inline_style_refusal_of, policies_of, refusal_of

CDN = "https://cdn.platform.openai.com/deployments/chatkit/chatkit.js"
PAGE = "https://staging.example.com/chat"
SCRIPT, FRAME, CONNECT = "script-src-elem", "frame-src", "connect-src"

ALLOWED = [
    ("", SCRIPT),
    ("img-src 'self'", SCRIPT),
    ("script-src *", SCRIPT),
    ("script-src https:", SCRIPT),
    ("script-src http:", SCRIPT),  # the secure scheme is included
    ("script-src cdn.platform.openai.com", SCRIPT),
    ("script-src https://cdn.platform.openai.com", SCRIPT),
    ("script-src http://cdn.platform.openai.com", SCRIPT),
    ("script-src *.openai.com", SCRIPT),
    ("SCRIPT-SRC *.platform.openai.com:443", SCRIPT),
    ("script-src https://cdn.platform.openai.com/deployments/", SCRIPT),
    ("script-src https://cdn.platform.openai.com:*", SCRIPT),
    ("script-src 'none'; script-src-elem https://cdn.platform.openai.com", SCRIPT),
    ("script-src 'self'; frame-src https://cdn.platform.openai.com", FRAME),
    ("default-src 'none'; child-src https:", FRAME),
]
REFUSED = [
    ("script-src 'self'", SCRIPT, "script-src"),
    ("script-src", SCRIPT, "script-src"),
    ("script-src 'none'", SCRIPT, "script-src"),
    ("default-src 'self'", SCRIPT, "default-src"),
    ("script-src openai.com", SCRIPT, "script-src"),  # a host is not those below it
    ("script-src *.cdn.platform.openai.com", SCRIPT, "script-src"),
    ("script-src https://cdn.platform.openai.com:8443", SCRIPT, "script-src"),
    ("script-src https://cdn.platform.openai.com/other/", SCRIPT, "script-src"),
    ("script-src https://cdn.platform.openai.com/deployments", SCRIPT, "script-src"),
    ("script-src data: blob:", SCRIPT, "script-src"),
    ("script-src *; script-src-elem 'self'", SCRIPT, "script-src-elem"),
    ("script-src 'self'; script-src *", SCRIPT, "script-src"),  # the first of a name counts
    ("frame-src 'self'", FRAME, "frame-src"),
    ("child-src 'self'; default-src *", FRAME, "child-src"),
    ("script-src *, script-src 'self'", SCRIPT, "script-src"),  # two policies: both have to allow it
]


@pytest.mark.parametrize(("header", "use"), ALLOWED)
def test_an_address_is_allowed(header: str, use: str) -> None:
    """By host, scheme, port, path, wildcard, or because nobody says anything of it."""
    assert refusal_of(policies_of([header]), use, CDN, PAGE) is None


@pytest.mark.parametrize(("header", "use", "directive"), REFUSED)
def test_an_address_is_refused_and_the_directive_named(header: str, use: str, directive: str) -> None:
    """The one that is asked for the use, or the one that it falls back to."""
    refusal = refusal_of(policies_of([header]), use, CDN, PAGE)
    assert refusal is not None
    assert refusal.directive == directive
    assert not refusal.is_open_question


@pytest.mark.parametrize(
    "header", ["script-src 'nonce-abc' 'self'", "script-src 'strict-dynamic' https:", "script-src 'sha256-x'"]
)
def test_a_nonce_leaves_it_open(header: str) -> None:
    """The tag may carry it, and no header tells."""
    refusal = refusal_of(policies_of([header]), SCRIPT, CDN, PAGE)
    assert refusal is not None
    assert refusal.is_open_question


def test_self_is_the_pages_own_origin() -> None:
    """Scheme, host and port."""
    policies = policies_of(["connect-src 'self'"])
    assert refusal_of(policies, CONNECT, "https://staging.example.com:443/api/session", PAGE) is None
    assert refusal_of(policies, CONNECT, "https://staging.example.com:8443/api/session", PAGE) is not None
    assert refusal_of(policies, CONNECT, "http://staging.example.com/api/session", PAGE) is not None


@pytest.mark.parametrize(
    ("header", "is_refused"),
    [
        ("", False),
        ("style-src 'self' 'unsafe-inline'", False),
        ("script-src 'self'", False),
        ("style-src 'self'", True),
        ("default-src 'self'", True),
        ("style-src 'unsafe-inline' 'nonce-abc'", True),  # a nonce makes 'unsafe-inline' void
        ("style-src *; style-src-elem 'unsafe-inline'", False),
    ],
)
def test_inline_styles(header: str, is_refused: bool) -> None:
    """The element puts a style sheet into its shadow root."""
    assert (inline_style_refusal_of(policies_of([header])) is not None) is is_refused

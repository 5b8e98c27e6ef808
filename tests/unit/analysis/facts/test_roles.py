"""What a request is to ChatKit, by its address, its method, and what came back."""

from __future__ import annotations

from typing import Any

import pytest
from builders import (
    CONVERSATION,
    FRAME,
    LOADER,
    PAGE,
    SESSION,
    VERIFY,
    VERIFY_HOSTED,
    asked,
    body_read,
    entries,
    frame_requested,
    request_failed,
    request_finished,
    request_started,
    response_received,
    secret_read,
)

from harness.analysis.facts import roles
from harness.analysis.facts.exchanges import Exchange, exchanges_of
from harness.model.events import Event


def exchange_of(*events: Event) -> Exchange:
    """Return the one exchange of these events."""
    [exchange] = exchanges_of(entries(*events))
    return exchange


LOADERS = {
    LOADER: True,
    "https://app.test/vendor/chatkit.js?v=2": True,
    "https://cdn.openai.com/chatkit/v1/chatkit.js": True,
    "https://app.test/my-chatkit.js": False,
    "https://app.test/chatkit.json": False,
    FRAME: False,
}


@pytest.mark.parametrize(("url", "expected"), LOADERS.items())
def test_the_loader_is_known_by_its_file(url: str, expected: bool) -> None:
    """Also a copy, and a wrong address that somebody made up."""
    assert roles.is_loader(url) is expected


def test_the_frames_own_calls_are_known_by_their_path() -> None:
    """On any host of OpenAI's, and on any that stands in for one."""
    for url, is_check, is_call in (
        (VERIFY_HOSTED, True, False),
        (VERIFY, True, False),
        (CONVERSATION, False, True),
        ("https://api.openai.com/v1/chatkit/conversations", False, False),
        (SESSION, False, False),
    ):
        exchange = exchange_of(asked("r1", url))
        assert (roles.is_verification(exchange), roles.is_conversation(exchange)) == (is_check, is_call)


def test_documents_are_of_the_page_or_of_an_iframe() -> None:
    """By the frame that navigates."""
    frame, page, other = (
        exchange_of(frame_requested()),
        exchange_of(request_started(is_navigation=True)),
        asked("r1", PAGE),
    )
    assert (roles.is_frame_document(frame), roles.is_page_document(frame)) == (True, False)
    assert (roles.is_frame_document(page), roles.is_page_document(page)) == (False, True)
    assert (roles.is_frame_document(exchange_of(other)), roles.is_page_document(exchange_of(other))) == (False, False)


SESSIONS: dict[tuple[str, str], bool] = {
    ("POST", "/api/chatkit/session"): True,
    ("GET", "/api/chatkit/session"): True,
    ("POST", "/api/chatkit-session"): True,
    ("POST", "/api/chatkit_session"): True,
    ("POST", "/api/chatkitSession"): True,
    ("POST", "/functions/v1/create-chatkit-session"): True,
    ("POST", "/chatkit/sessions/"): True,
    ("POST", "/api/chatkit/start"): True,
    ("POST", "/api/chatkit/refresh"): True,
    ("POST", "/api/ChatKit/token"): True,
    ("POST", "/api/createChatKitSession"): True,
    ("POST", "/api/chat-kit/session"): True,
    ("POST", "/api/chatkit/client-secret"): True,
    ("GET", "/api/clientSecret"): True,
    ("GET", "/api/client_secret"): True,
    ("POST", "/api/create-session"): True,
    ("POST", "/api/createSession"): True,
    ("POST", "/v1/chatkit/sessions"): True,
    ("GET", "/api/create-session"): False,
    ("POST", "/api/session"): False,
    ("GET", "/api/auth/session"): False,
    ("POST", "/api/create-session/log"): False,
    ("POST", "/support/chatkit"): False,
    ("GET", "/openai-chatkit-starter-app/config.json"): False,
    ("GET", "/chatkit/restart"): False,
    ("GET", "/session/chatkit"): False,
    ("POST", "/v1/chatkit/conversation"): False,
    ("POST", "/v1/chatkit/domain_keys/verify_hosted"): False,
    ("GET", "/"): False,
}


@pytest.mark.parametrize(
    ("call", "expected"), SESSIONS.items(), ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_a_session_request_is_known_by_its_name(call: tuple[str, str], expected: bool) -> None:
    """The names that apps use, as whole words; a starter app or a login session is another thing."""
    method, path = call
    exchange = exchange_of(request_started(url=f"https://app.test{path}", method=method))
    assert roles.is_session_request(exchange) is expected


def test_only_the_pages_code_asks_for_sessions() -> None:
    """A script or a document with such a name is none."""
    for kind, expected in (("fetch", True), ("xhr", True), ("script", False), ("document", False)):
        assert roles.is_session_request(exchange_of(request_started(url=SESSION, resource_type=kind))) is expected


GLOBS = {
    "**/api/start-chat": True,
    "https://app.test/api/*": True,
    "**/api/Start-chat": False,
    "**/api/chatkit/session": False,
}


@pytest.mark.parametrize(("glob", "expected"), GLOBS.items())
def test_a_configured_endpoint_is_the_only_one(glob: str, expected: bool) -> None:
    """By the whole address, with or without its query; names do not count any more."""
    for url in ("https://app.test/api/start-chat", "https://app.test/api/start-chat?user=1"):
        assert roles.is_session_request(exchange_of(request_started(url=url)), glob) is expected
    assert not roles.is_session_request(exchange_of(request_started(url=SESSION)), "**/api/start-chat")


ANSWERS: dict[str, tuple[list[Event], bool, bool]] = {
    "a secret": ([response_received(), request_finished(), body_read(**secret_read())], True, False),
    "a refusal": ([response_received(status=401)], False, True),
    "a refusal with a body": ([response_received(status=500), body_read()], False, True),
    "a failure": ([request_failed()], False, True),
    "JSON without one": ([response_received(), body_read()], False, True),
    "nothing": ([response_received(status=204), body_read(body=None, unread_reason="no body")], False, True),
    "an empty body": ([response_received(), body_read(body=None)], False, True),
    "a picture": ([response_received(), body_read(body=None, unread_reason="not text")], False, True),
    "no answer yet": ([], False, False),
    "headers only": ([response_received()], False, False),
    "a redirect": ([response_received(status=307), body_read(body=None, unread_reason="no body")], False, False),
    "a body that could not be read": (
        [response_received(), body_read(body=None, unread_reason="page closed")],
        False,
        False,
    ),
}


@pytest.mark.parametrize(("answer", "has", "lacks"), ANSWERS.values(), ids=ANSWERS.keys())
def test_an_answer_has_a_secret_or_lacks_one_or_nobody_knows(answer: list[Event], has: bool, lacks: bool) -> None:
    """A redirect and an unread body say nothing."""
    exchange = exchange_of(asked("r1", SESSION), *answer)
    assert (roles.has_secret(exchange), roles.lacks_secret(exchange)) == (has, lacks)


@pytest.mark.parametrize(
    ("url", "expected"),
    [(SESSION, True), (PAGE, True), ("https://api.openai.com/v1/chatkit/sessions", True), ("https://app.test/v1/chat", True),
     (CONVERSATION, False)],
)  # fmt: skip
def test_a_secret_in_an_answer_of_the_frames_own_calls_is_none_for_the_page(url: str, expected: bool) -> None:
    """What OpenAI answers to the frame is no source of the secret; what it answers to the page is."""
    read: dict[str, Any] = secret_read()
    assert roles.has_secret(exchange_of(asked("r1", url), response_received(), body_read(**read))) is expected

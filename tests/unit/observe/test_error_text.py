"""What an error answer says: the words of APIs and frameworks, in the shapes that they give them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.observe.network import LONGEST_MESSAGE, error_text_of

ANSWERS: dict[str, tuple[Any, str]] = {
    "OpenAI": ({"error": {"message": "Workflow not found.", "type": "invalid_request_error", "code": None}}, "Workflow not found."),
    "a handler": ({"error": "OPENAI_API_KEY is not set"}, "OPENAI_API_KEY is not set"),
    "Express": ({"message": "no"}, "no"),
    "FastAPI": ({"detail": "Not Found here"}, "Not Found here"),
    "FastAPI, a body that does not fit": ({"detail": [{"loc": ["body", "user"], "msg": "Field required"}]}, "Field required"),
    "RFC 9457": ({"type": "about:blank", "title": "Out of credit", "detail": "Your balance is 30."}, "Your balance is 30.: Out of credit"),
    "NestJS": ({"statusCode": 500, "message": "no key", "error": "Internal Server Error"}, "no key"),
    "NestJS, without words": ({"statusCode": 500, "message": "Internal server error"}, "Internal server error"),
    "NestJS, a list": ({"statusCode": 400, "message": ["user must be a string"], "error": "Bad Request"}, "user must be a string"),
    "Nitro": ({"error": True, "statusCode": 500, "statusMessage": "no key", "message": "no key", "stack": ["at x"]}, "no key"),
    "Nitro, in production": ({"error": True, "url": "/api/session", "statusMessage": "no key"}, "no key"),
    "GraphQL": ({"errors": [{"message": "first"}, {"message": "second"}], "data": None}, "first: second"),
    "OAuth": ({"error": "invalid_token", "error_description": "The token expired"}, "invalid_token: The token expired"),
    "an app that passes OpenAI's answer on": (
        {"error": "Failed to create ChatKit session", "details": {"error": {"message": "You must send the header."}}},
        "Failed to create ChatKit session: You must send the header.",
    ),
    "nothing that is known": ({"ok": False}, ""),
    "an empty text": ({"error": "", "message": "no key"}, "no key"),
    "a list": ([1], ""),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_an_error_answer_is_told_in_its_own_words(name: str) -> None:
    """Whatever the shape; a status phrase only where nothing else is said."""
    answer, told = ANSWERS[name]
    assert error_text_of(answer, json.dumps(answer)) == told


def test_of_a_page_the_first_words_are_told() -> None:
    """Without its markup."""
    assert error_text_of(None, "<title>502 Bad Gateway</title><h1>nginx</h1>") == "502 Bad Gateway nginx"


def test_what_is_deep_or_long_has_an_end() -> None:
    """A server can send anything."""
    deep: Any = "the end"
    for _ in range(50):
        deep = {"error": deep, "message": "x" * 10_000}
    assert len(error_text_of(deep, "")) == LONGEST_MESSAGE
    nested: Any = "the end"
    for _ in range(2_000):
        nested = [nested]
    assert error_text_of({"error": nested}, "") == ""
    assert error_text_of({"errors": [{"message": str(n)} for n in range(100)]}, "") == "0: 1: 2"

"""Which recorded exchange answers a request, and what is said when none does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.analysis.replay.matching import Matcher, stable_body, stable_url
from harness.model.faults import operation_of
from harness.model.recording import RecordedExchange

SESSION = "https://app.test/api/chatkit/session"
CONVERSATION = "https://us.api.openai.com/v1/chatkit/conversation"
UUIDS = ("11111111-2222-4333-8444-555555555555", "99999999-8888-4777-8666-555555555555")


def recorded(*requests: tuple[str, str, str]) -> Matcher:
    """Return a matcher for these methods, URLs and bodies, in this order."""
    return Matcher(
        RecordedExchange(
            number=number,
            method=method,
            url=url,
            resource_type="fetch",
            request_body=body,
            operation=operation_of(body),
        )
        for number, (method, url, body) in enumerate(requests, start=1)
    )


def taken(matcher: Matcher, method: str, url: str, body: str = "") -> int:
    """Return the number of the exchange that answers, 0 for none."""
    found = matcher.take(method, url, body)
    return found.number if found else 0


def asked(kind: str, **params: Any) -> str:
    """Return the body of a backend call."""
    return json.dumps({"type": kind, "params": params})


def test_the_same_request_is_answered_in_order_of_occurrence() -> None:
    """1, 2, 3 and not 1, 1, 1; beyond what was recorded the last answers again."""
    matcher = recorded(*[("GET", SESSION, "")] * 3)
    assert [taken(matcher, "GET", SESSION) for _ in range(5)] == [1, 2, 3, 3, 3]
    assert [x.number for x in matcher.repeats] == [3, 3]


def test_the_body_is_a_tie_break() -> None:
    """Requests that overtake each other get their own answers."""
    matcher = recorded(
        ("POST", CONVERSATION, asked("items.list", a=1)), ("POST", CONVERSATION, asked("items.list", a=2))
    )
    assert taken(matcher, "POST", CONVERSATION, asked("items.list", a=2)) == 2
    assert taken(matcher, "POST", CONVERSATION, asked("items.list", a=1)) == 1


def test_of_answers_that_were_all_given_the_one_to_the_same_body_is_given_again() -> None:
    """The last one only where no body is the same."""
    matcher = recorded(("POST", SESSION, "tea"), ("POST", SESSION, "coffee"))
    assert [taken(matcher, "POST", SESSION, body) for body in ("tea", "coffee", "tea", "water")] == [1, 2, 1, 2]


def test_another_operation_is_another_request() -> None:
    """One URL serves all of them."""
    matcher = recorded(("POST", CONVERSATION, asked("threads.list")))
    assert taken(matcher, "POST", CONVERSATION, asked("threads.create")) == 0
    assert taken(matcher, "POST", CONVERSATION, asked("threads.list", limit=5)) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("https://a.test/x?_=1", "https://a.test/x?_=2"),
        ("https://a.test/x?t=1700000000000&q=tea", "https://a.test/x?t=1800000000000&q=tea"),
        (f"https://a.test/t/{UUIDS[0]}/items", f"https://a.test/t/{UUIDS[1]}/items"),
        ("https://a.test/x?at=1700000000", "https://a.test/x?at=1700000999"),
        ("https://a.test/f/file_0123456789abcdef0123", "https://a.test/f/file_fedcba98765432100123"),
        ("https://a.test/x?at=2026-01-01T00:00:00Z", "https://a.test/x?at=2027-02-02T01:02:03.456Z"),
        ("https://a.test/x#one", "https://a.test/x#two"),
    ],
)
def test_what_is_different_each_time_does_not_count(first: str, second: str) -> None:
    """Ids, times, and numbers against caches."""
    assert stable_url(first) == stable_url(second)
    assert taken(recorded(("GET", first.split("#")[0], "")), "GET", second.split("#")[0]) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("https://a.test/x?q=tea", "https://a.test/x?q=coffee"),
        ("https://a.test/x", "https://a.test/y"),
        ("https://a.test/x", "http://a.test/x"),
        ("https://a.test/x", "https://b.test/x"),
        (
            "https://a.test/deployments/chatkit/index-a1b2c3.html",
            "https://a.test/deployments/chatkit/index-d4e5f6.html",
        ),
        ("https://a.test/workflow/2024", "https://a.test/workflow/2025"),
    ],
)
def test_what_is_another_request_counts(first: str, second: str) -> None:
    """A near miss is a miss."""
    assert stable_url(first) != stable_url(second)
    assert taken(recorded(("GET", first, "")), "GET", second) == 0


def test_the_exact_url_comes_first() -> None:
    """Two that differ only in a volatile part keep their own answers while they can."""
    one, two = f"https://a.test/t/{UUIDS[0]}", f"https://a.test/t/{UUIDS[1]}"
    matcher = recorded(("GET", one, ""), ("GET", two, ""))
    assert [taken(matcher, "GET", two), taken(matcher, "GET", two)] == [2, 1]


def test_bodies_are_compared_without_order_ids_and_times() -> None:
    """JSON in any order; forms without their boundary."""
    first = json.dumps({"a": 1, "id": UUIDS[0], "timestamp": 5})
    second = json.dumps({"timestamp": 6, "id": UUIDS[1], "a": 1})
    assert stable_body(first) == stable_body(second)
    assert stable_body(first) != stable_body(first.replace('"a": 1', '"a": 2'))
    form = '------WebKitFormBoundary{0}\r\nname="file"\r\n\r\nx\r\n------WebKitFormBoundary{0}--'
    assert stable_body(form.format("AbCdEf0123456789")) == stable_body(form.format("ZyXwVu9876543210"))


@pytest.mark.parametrize(
    ("method", "url", "body", "difference"),
    [
        ("GET", SESSION, "", "method differs"),
        ("POST", SESSION + "s", "", "path differs"),
        ("POST", SESSION.replace("https", "http"), "", "scheme differs"),
        ("POST", SESSION.replace("app.test", "api.test"), "", "host differs"),
        ("POST", SESSION + "?user=me", "", "query differs"),
        ("PUT", SESSION + "s", "", "method and path differ"),
    ],
)
def test_a_miss_names_the_nearest_and_the_difference(method: str, url: str, body: str, difference: str) -> None:
    """What a person has to look at."""
    miss = recorded(("POST", SESSION, ""), ("GET", "https://fonts.test/a.woff", "")).miss_of(method, url, body)
    assert miss.nearest == f"POST {SESSION}"
    assert miss.difference == difference


def test_a_miss_without_anything_like_it_names_nothing() -> None:
    """A far-fetched neighbour would only mislead."""
    assert recorded(("GET", "https://a.test/", "")).miss_of("POST", "wss://quite.else/where/to/go?x=1").nearest == ""
    assert recorded().miss_of("GET", SESSION).nearest == ""

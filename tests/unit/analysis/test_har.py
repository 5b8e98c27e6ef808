"""The network of a visit in the shape of HAR 1.2, as its readers demand it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from builders import (
    SESSION,
    TRANSCRIPTS,
    Step,
    Steps,
    answered,
    asked,
    body,
    body_read,
    entries,
    exchange,
    hosted,
    request_failed,
    request_finished,
    request_started,
    response_received,
)

from harness.analysis.facts.exchanges import exchanges_of
from harness.analysis.har import har_of

STARTED_AT = "2026-11-24T08:00:00.000+00:00"


def har(*steps: Step | Steps, browser: str = "chromium 156.0.8078.79") -> dict[str, Any]:
    """Return the HAR of these steps; a body's hash is its text here."""
    return har_of(
        exchanges_of(entries(*steps)),
        content_of=lambda kept: kept.sha256,
        started_at=STARTED_AT,
        page_title="https://app.test/chat",
        browser=browser,
        version="0.1.0",
    )


def har_entry(*steps: Step | Steps) -> dict[str, Any]:
    """Return the one HAR entry of these steps."""
    [entry] = har(*steps)["log"]["entries"]
    return entry  # type: ignore[no-any-return]


# What the specification demands, and of which type (http://www.softwareishard.com/blog/har-12-spec/).
LOG = {"version": str, "creator": dict, "browser": dict, "pages": list, "entries": list}
PAGE = {"startedDateTime": str, "id": str, "title": str, "pageTimings": dict}
ENTRY = {
    "startedDateTime": str,
    "time": (int, float),
    "request": dict,
    "response": dict,
    "cache": dict,
    "timings": dict,
}
REQUEST = {"method": str, "url": str, "httpVersion": str, "cookies": list, "headers": list, "queryString": list,
           "headersSize": int, "bodySize": int}  # fmt: skip
RESPONSE = {"status": int, "statusText": str, "httpVersion": str, "cookies": list, "headers": list, "content": dict,
            "redirectURL": str, "headersSize": int, "bodySize": int}  # fmt: skip
CONTENT = {"size": int, "mimeType": str}
PAIR = {"name": str, "value": str}
TIMES = ("blocked", "dns", "connect", "ssl", "send", "wait", "receive")


def demand(value: dict[str, Any], shape: dict[str, Any]) -> None:
    """Fail unless the value has every field of the shape, of its type."""
    for name, kind in shape.items():
        assert isinstance(value[name], kind), f"{name}: {value[name]!r}"


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_every_transcript_has_the_shape_of_har_1_2(name: str) -> None:
    """Field by field; what is ours has an underscore."""
    value = json.loads(json.dumps(har(TRANSCRIPTS[name])))
    log = value["log"]
    demand(log, LOG)
    assert log["version"] == "1.2"
    assert log["creator"] == {"name": "chatkit-harness", "version": "0.1.0"}
    assert log["browser"] == {"name": "chromium", "version": "156.0.8078.79"}
    [page] = log["pages"]
    demand(page, PAGE)
    for entry in log["entries"]:
        demand(entry, ENTRY)
        demand(entry["request"], REQUEST)
        demand(entry["response"], RESPONSE)
        demand(entry["response"]["content"], CONTENT)
        for pair in (*entry["request"]["headers"], *entry["response"]["headers"], *entry["request"]["queryString"]):
            demand(pair, PAIR)
        assert entry["pageref"] == page["id"]
        assert datetime.fromisoformat(entry["startedDateTime"]) >= datetime.fromisoformat(STARTED_AT)
        own = set(entry) - set(ENTRY) - {"pageref"}
        assert all(field.startswith("_") for field in own)


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_the_time_of_an_entry_is_the_sum_of_its_parts(name: str) -> None:
    """-1 is a part that does not apply, and ssl is a part of connect."""
    for entry in har(TRANSCRIPTS[name])["log"]["entries"]:
        timings = entry["timings"]
        assert set(timings) <= set(TIMES)
        assert {"send", "wait", "receive"} <= set(timings)
        assert all(timings[part] >= -1 for part in timings)
        assert all(timings[part] >= 0 for part in ("send", "wait", "receive"))
        parts = [timings[part] for part in timings if part != "ssl" and timings[part] >= 0]
        assert entry["time"] == pytest.approx(sum(parts))


def test_an_exchange_is_told_in_full() -> None:
    """Method, address with its query in parts, headers, bodies, and where it stands in the timeline."""
    posted = asked("r1", f"{SESSION}?user=a%20b&empty=", body=body('{"a": 1}'), headers=(("accept", "*/*"),))
    entry = har_entry(posted, answered("r1", body=body('{"b": 2}'), headers=(("x-a", "1"), ("x-a", "2"))))
    assert entry["_seq"] == 1
    assert entry["_resourceType"] == "fetch"
    assert entry["request"] | {"headersSize": -1} == {
        "method": "POST",
        "url": f"{SESSION}?user=a%20b&empty=",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": [{"name": "accept", "value": "*/*"}],
        "queryString": [{"name": "user", "value": "a b"}, {"name": "empty", "value": ""}],
        "headersSize": -1,
        "bodySize": 8,
        "postData": {"mimeType": "application/json", "text": '{"a": 1}'},
    }
    response = entry["response"]
    assert response["headers"] == [{"name": "x-a", "value": "1"}, {"name": "x-a", "value": "2"}]
    assert (response["status"], response["statusText"], response["bodySize"]) == (200, "OK", 8)
    assert response["content"] == {"size": 8, "mimeType": "application/json", "text": '{"b": 2}'}


def test_times_count_from_the_start_of_the_visit() -> None:
    """An entry's instant is the timeline's zero and its own milliseconds."""
    assert har_entry(request_started())["startedDateTime"] == "2026-11-24T08:00:00.001+00:00"


def test_the_browsers_own_times_are_used() -> None:
    """What the harness measured beyond them is time in a queue."""
    times = {"dns_ms": 0.5, "connect_ms": 0.4, "tls_ms": 0.3, "wait_ms": 0.2, "receive_ms": 0.1}
    steps: Steps = [request_started(), response_received(), request_finished(**times)]
    entry = har_entry(steps)
    assert entry["time"] == 2
    assert entry["timings"] == {
        "blocked": pytest.approx(0.8),
        "dns": 0.5,
        "connect": 0.4,
        "ssl": 0.3,
        "send": 0,
        "wait": 0.2,
        "receive": 0.1,
    }
    # The browser may have measured more than there was time for on our clock.
    assert har_entry(steps[:2], request_finished())["timings"]["blocked"] == -1
    assert har_entry(steps[:2], request_finished(wait_ms=-1.0, receive_ms=-1.0))["timings"]["wait"] == 0


ENDS: dict[str, tuple[Steps, dict[str, Any]]] = {
    "a failure": ([request_failed("r1", "net::ERR_FAILED")], {"status": 0, "_error": "net::ERR_FAILED"}),
    "no answer": ([], {"status": 0, "_error": "no answer"}),
    "a failure after the headers": (
        [response_received("r1"), request_failed("r1", "net::ERR_ABORTED")],
        {"status": 200, "_error": "net::ERR_ABORTED"},
    ),
    "a redirect": (
        [
            response_received("r1", 302, headers=(("x-a", "1"), ("Location", "/login"), ("x-b", "2"))),
            request_finished("r1"),
        ],
        {"status": 302, "redirectURL": "/login"},
    ),
}


@pytest.mark.parametrize(("end", "expected"), ENDS.values(), ids=ENDS.keys())
def test_other_ends(end: Steps, expected: dict[str, Any]) -> None:
    """What went wrong is told where HAR readers look for it."""
    response = har_entry(asked("r1", SESSION), end)["response"]
    assert expected.items() <= response.items()
    assert ("_error" in response) is ("_error" in expected)


CONTENTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "cut": (
        {"body": body("part", size_bytes=90_000, is_truncated=True)},
        {"size": 90_000, "text": "part", "comment": "cut; the whole body had 90000 bytes"},
    ),
    "not text": ({"body": None, "unread_reason": "not text"}, {"size": 0, "comment": "not kept: not text"}),
    "empty": ({"body": None}, {"size": 0}),
}


@pytest.mark.parametrize(("read", "expected"), CONTENTS.values(), ids=CONTENTS.keys())
def test_what_was_left_out_is_said(read: dict[str, Any], expected: dict[str, Any]) -> None:
    """A body that was cut, or not kept, has a comment."""
    content = har_entry(asked("r1", SESSION), response_received("r1"), body_read("r1", **read))["response"]["content"]
    assert content == {"mimeType": "application/json"} | expected


def test_an_address_that_is_none_has_no_query() -> None:
    """Nothing a page asks for makes the report fail."""
    assert har_entry(request_started(url="http://[::1"))["request"]["queryString"] == []
    assert har(hosted(), browser="chromium")["log"]["browser"] == {"name": "chromium", "version": ""}


def test_bodies_stand_in_the_har_up_to_a_bound_and_what_is_left_out_is_said() -> None:
    """A body that came a thousand times would stand there as often; a visit's other omissions are the log's comment."""
    lines = entries(*(exchange(f"r{n}", SESSION, body=body("x" * 100)) for n in range(5)))
    log = har_of(
        exchanges_of(lines),
        content_of=lambda kept: kept.sha256,
        started_at=STARTED_AT,
        page_title="",
        browser="",
        version="",
        most_chars=350,
        omitted=("requests (limit: 3)",),
    )["log"]
    contents = [entry["response"]["content"] for entry in log["entries"]]
    assert ["text" in content for content in contents] == [True, True, True, False, False]
    assert contents[-1]["comment"] == "left out: the bodies of this file are too large; it had 100 bytes"
    assert log["comment"] == "left out: requests (limit: 3)"

"""A recording is read from HARs of any tool; what is missing is said, and what does not fit is left out."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from builders import (
    SESSION,
    asked,
    body,
    body_read,
    console_message,
    entries,
    pause,
    request_failed,
    request_finished,
    request_started,
    response_received,
    secret_text,
    stream_timed,
)

from harness.analysis.facts.cors_refusals import cors_headers_of
from harness.analysis.facts.exchanges import exchanges_of
from harness.analysis.har import har_of
from harness.analysis.replay.recording import MOST_ENTRIES, recording_of
from harness.errors import RecordingError
from harness.model.manifest import FileSeal, Manifest, manifest_from, saved_manifest
from harness.model.recording import NEVER, Action, Environment, RecordedExchange, RecordedVerdict
from harness.model.shapes import shape_of
from harness.observe.secrets import format_of

STARTED_AT = "2026-11-24T08:00:00.000+00:00"
PLACEHOLDER = "<redacted:client_secret:1>"
MANIFEST = Manifest(
    written_at="2026-11-24T08:00:09+00:00",
    harness="0.1.0",
    url="https://app.test/chat",
    started_at=STARTED_AT,
    network="hermetic",
    project="local",
    entry="chat",
    environment=Environment(
        browser="chromium", width=1280, height=720, locale="de-DE", timezone="Europe/Berlin", scale=2
    ),
    actions=(Action(action="click", target="Open chat"),),
    storage={"cookies": [{"name": "sid", "value": PLACEHOLDER}], "origins": []},
    judged=RecordedVerdict(
        outcome="failed", reason="session-refused", cause="session-unauthorized", console_allow=("a", "b")
    ),
    shapes=((PLACEHOLDER, shape_of(secret_text("c0ffee00" * 6))),),
    files=(FileSeal(name="network.har", sha256="00" * 32, size_bytes=7),),
    missing=("the body of a font",),
)


ONE = (asked("r1", SESSION), response_received("r1"), request_finished("r1"), body_read("r1", body=body("a")))
TWO = (asked("r2", SESSION), response_received("r2"), request_finished("r2"), body_read("r2", body=body("a")))


def har(*steps: Any, texts: dict[str, str] | None = None) -> dict[str, Any]:
    """Return our own HAR of these events."""
    known = texts or {}
    return har_of(
        exchanges_of(entries(*steps)),
        content_of=lambda kept: known.get(kept.sha256, kept.sha256),
        started_at=STARTED_AT,
        page_title="https://app.test/chat",
        browser="chromium 156",
        version="0.1.0",
        cors=cors_headers_of(entries(*steps)),
    )


def only(value: dict[str, Any], **changes: Any) -> RecordedExchange:
    """Return the one exchange of a recording."""
    [exchange] = recording_of(value, name="x.har", **changes).exchanges
    return exchange


def test_an_exchange_is_read_as_it_was_written() -> None:
    """Request, answer, times and body."""
    steps = [
        asked("r1", SESSION, body=body("q")),
        pause(40),
        response_received("r1", 401),
        pause(10),
        request_finished("r1"),
        body_read("r1", body=body("a")),
    ]
    found = only(har(*steps, texts={"q": '{"type": "threads.list"}', "a": '{"error": "no"}'}))
    assert (found.method, found.url, found.status) == ("POST", SESSION, 401)
    assert found.request_body == '{"type": "threads.list"}'
    assert found.operation == "threads.list"
    assert (round(found.answered_ms), round(found.ended_ms)) == (41, 52)
    assert found.text == '{"error": "no"}'
    assert found.missing == ""


def test_what_never_came_never_comes() -> None:
    """No answer, or an answer without an end."""
    found = only(har(asked("r1", SESSION)))
    assert (found.status, found.failure, found.answered_ms, found.ended_ms) == (0, "", NEVER, NEVER)
    found = only(har(asked("r1", SESSION), response_received("r1", 200)))
    assert (found.status, found.ended_ms) == (200, NEVER)


def test_a_failure_keeps_the_browsers_words() -> None:
    """A replay breaks the request off with the same."""
    assert only(har(asked("r1", SESSION), request_failed("r1", "net::ERR_TIMED_OUT"))).failure == "net::ERR_TIMED_OUT"


CORS = "Access to fetch at '{url}' from origin 'https://app.test' has been blocked by CORS policy: {why}"


@pytest.mark.parametrize(
    ("why", "header"),
    [
        ("No 'Access-Control-Allow-Origin' header is present on the requested resource.", ""),
        (
            "The 'Access-Control-Allow-Origin' header has a value 'https://b.test' that is not equal to the supplied origin.",
            "https://b.test",
        ),
        (
            "The value of the 'Access-Control-Allow-Origin' header in the response must not be the wildcard '*' when",
            "*",
        ),
    ],
)
def test_an_answer_that_was_kept_from_the_page_keeps_the_header_it_had(why: str, header: str) -> None:
    """The console is the only one who tells it."""
    said = console_message(CORS.format(url=SESSION, why=why), "error")
    assert only(har(asked("r1", SESSION), said, request_failed("r1", "net::ERR_FAILED"))).cors_header == header
    assert (
        only(
            har(asked("r1", SESSION), console_message("CORS is fun"), request_failed("r1", "net::ERR_FAILED"))
        ).cors_header
        is None
    )


def test_a_stream_keeps_its_pieces() -> None:
    """Their times count from the first."""
    steps = [
        asked("r1", SESSION),
        response_received("r1", media_type="text/event-stream"),
        request_finished("r1"),
        body_read("r1", body=body("s")),
        stream_timed("r1", offsets_ms=(5.0, 40.5, 90.0), sizes=(3, 2, 4)),
    ]
    found = only(har(*steps, texts={"s": "abcdefghi"}))
    assert [(chunk.at_ms, chunk.text) for chunk in found.chunks] == [(0, "abc"), (35.5, "de"), (85, "fghi")]
    found = only(har(*steps[:-1], stream_timed("r1", sizes=(3, 2)), texts={"s": "abcdefghi"}))
    assert [chunk.text for chunk in found.chunks] == ["abcdefghi"]


def test_a_body_that_came_twice_stands_there_once() -> None:
    """The later entry names the earlier."""
    text = "x" * 2_000
    script = {"media_type": "text/javascript"}
    steps = []
    for name in ("r1", "r2"):
        steps += [
            request_started(name, f"https://a.test/{name}.js", resource_type="script"),
            response_received(name, **script),
        ]
        steps += [request_finished(name), body_read(name, body=body("same"))]
    value = har(*steps, texts={"same": text})
    assert [entry["response"]["content"].get("text") for entry in value["log"]["entries"]] == [text, None]
    assert [x.text for x in recording_of(value, name="x").exchanges] == [text, text]


@pytest.mark.parametrize(
    ("read", "missing"),
    [
        ({"body": None, "unread_reason": "the visit passed"}, "the visit passed"),
        ({"body": body("part", is_truncated=True)}, "it is cut"),
    ],
)
def test_a_body_that_is_not_there_is_missing(read: dict[str, Any], missing: str) -> None:
    """A person is told which, and why."""
    value = har(
        request_started("r1", "https://a.test/app.js", resource_type="script"),
        response_received("r1", media_type="text/javascript"),
        request_finished("r1"),
        body_read("r1", **read),
    )
    assert only(value).missing == missing
    assert recording_of(value, name="x").missing == (f"the body of GET https://a.test/app.js is missing: {missing}",)


def test_an_image_is_not_missed() -> None:
    """No mount hangs on it."""
    value = har(
        request_started("r1", "https://a.test/a.png", resource_type="image"),
        response_received("r1", media_type="image/png"),
        request_finished("r1"),
        body_read("r1", body=None, unread_reason="not text"),
    )
    assert recording_of(value, name="x").missing == ()


# --- the manifest -------------------------------------------------------------------------------------------------


def test_a_manifest_comes_back_from_json() -> None:
    """Every field."""
    assert manifest_from(saved_manifest(MANIFEST), "manifest.json") == MANIFEST


def test_secrets_are_made_up_where_they_stood() -> None:
    """In bodies and cookies the same value, in the format that decided."""
    value = har(asked("r1", SESSION), response_received("r1"), request_finished("r1"), body_read("r1", body=body("a")),
                texts={"a": f'{{"client_secret": "{PLACEHOLDER}"}}'})  # fmt: skip
    recording = recording_of(value, name="x", manifest=MANIFEST)
    cookie = recording.storage["cookies"][0]["value"]
    assert format_of(cookie) == "v00"
    assert recording.exchanges[0].text == f'{{"client_secret": "{cookie}"}}'
    assert recording.judged.cause == "session-unauthorized"
    assert recording.missing == ("the body of a font",)
    assert recording.warnings == ()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"format": "something else"}, "is not a chatkit-harness/bundle file"),
        ({"version": 99}, "newer"),
        ({"version": "1"}, "at: +version"),
        ({"environment": []}, "damaged"),
        ({"environment": {"width": "wide"}}, "damaged"),
        ({"actions": [{"action": 7, "target": ""}]}, "damaged"),
        ({"actions": [{}]}, "damaged"),
        ({"placeholders": {"a": "b"}}, "damaged"),
        ({"storage": 7}, "damaged"),
        ({"url": 7}, "damaged"),
        ({"judged": {"console_allow": "x"}}, "damaged"),
        ({"left_out": "many"}, "damaged"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(change: dict[str, Any], word: str) -> None:
    """One sentence, and exit code 11."""
    with pytest.raises(RecordingError, match=word) as raised:
        manifest_from(saved_manifest(MANIFEST) | change, "bundle.zip: manifest.json")
    assert raised.value.exit_code == 11


def test_a_manifest_may_know_more() -> None:
    """Of a later version of the same format."""
    saved = saved_manifest(MANIFEST)
    saved["environment"]["gpu"] = "yes"
    assert manifest_from(saved | {"mood": "good"}, "x").environment == MANIFEST.environment


# --- other people's HARs ------------------------------------------------------------------------------------------


def foreign(**response: Any) -> dict[str, Any]:
    """Return a HAR as developer tools write it."""
    answer = {"status": 200, "statusText": "OK", "headers": [{"name": "Content-Type", "value": "text/html"}],
              "content": {"size": 5, "mimeType": "text/html; charset=utf-8", "text": "<p>hi"}}  # fmt: skip
    entry = {
        "startedDateTime": "2026-11-24T08:00:01.500Z",
        "time": 120,
        "request": {"method": "GET", "url": "https://shop.test/#top", "headers": [{"name": ":method", "value": "GET"}]},
        "response": answer | response,
        "timings": {"blocked": 10, "dns": -1, "connect": -1, "send": 0, "wait": 80, "receive": 30, "ssl": -1},
    }
    return {"log": {"version": "1.2", "creator": {"name": "WebInspector"}, "pages": [], "entries": [entry]}}


def test_a_har_of_developer_tools_is_read() -> None:
    """Times come from its timings; that there is no manifest is said."""
    recording = recording_of(foreign(), name="shop.har")
    [found] = recording.exchanges
    assert (found.url, found.resource_type, found.text) == ("https://shop.test/", "document", "<p>hi")
    assert (found.answered_ms, found.ended_ms) == (90, 120)
    assert recording.url == "https://shop.test/"
    assert "no manifest (made by WebInspector)" in recording.warnings[0]


def test_a_packed_body_is_unpacked_also_one_that_is_no_text() -> None:
    """Developer tools write base64."""
    packed = {"size": 5, "mimeType": "text/html", "text": base64.b64encode(b"<p>hi").decode(), "encoding": "base64"}
    assert only(foreign(content=packed)).text == "<p>hi"
    binary = packed | {"text": base64.b64encode(b"\x89PNG\xff").decode()}
    assert only(foreign(content=binary)).raw == b"\x89PNG\xff"
    assert only(foreign(content=binary | {"text": "A"})).missing == "it is damaged"


def test_a_body_beside_the_har_is_looked_for_there() -> None:
    """Playwright keeps bodies in files of their own."""
    content = {"size": -1, "mimeType": "text/html", "_file": "0123.html"}
    assert only(foreign(content=content), read_file={"0123.html": b"<p>hi"}.get).text == "<p>hi"
    assert only(foreign(content=content)).missing == "0123.html is not in the recording"


def test_a_failure_of_another_tool_is_one() -> None:
    """Each has its own name for it."""
    for failed in ({"status": 0, "_error": "net::ERR_FAILED"}, {"status": -1, "_failureText": "net::ERR_FAILED"}):
        found = only(foreign(**failed))
        assert (found.status, found.failure) == (0, "net::ERR_FAILED")


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        7,
        {},
        {"log": []},
        {"log": {}},
        {"log": {"entries": {}}},
        {"log": {"entries": []}},
        {"log": {"entries": [7]}},
    ],
)
def test_what_is_no_har_is_refused(value: Any) -> None:
    """One sentence."""
    with pytest.raises(RecordingError, match=r"is not a HAR|contains no request"):
        recording_of(value, name="x.har")


DAMAGES: dict[str, Any] = {
    "no request": {"request": None},
    "no response": {"response": None},
    "a data URL": {"request": {"method": "GET", "url": "data:,x"}},
    "a status that is none": {"response": {"status": "fine"}},
    "headers that are none": {"response": {"status": 200, "headers": 7}},
    "a header that is none": {"response": {"status": 200, "headers": [7]}},
    "no method": {"request": {"url": "https://a.test/"}},
    "timings that are none": {"timings": 7},
    "times that are none": {"_times": {"started_ms": "now"}},
    "chunks that are none": {"response": {"status": 200, "content": {"text": "ab", "_chunks": [7]}}},
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_an_entry_that_does_not_fit_is_left_out(damage: dict[str, Any]) -> None:
    """The others are read, and it is said how many are not."""
    value = foreign()
    value["log"]["entries"].append(value["log"]["entries"][0] | damage)
    recording = recording_of(value, name="x.har")
    assert [x.number for x in recording.exchanges] == [1]
    assert recording.warnings[0] == "1 entries could not be read and were skipped"


def test_a_strange_start_or_page_does_no_harm() -> None:
    """They are only hints."""
    value = foreign()
    value["log"]["pages"] = [{"title": 7}]
    value["log"]["entries"][0]["startedDateTime"] = "yesterday"
    assert recording_of(value, name="x.har").url == "https://shop.test/"


# --- absurd numbers -----------------------------------------------------------------------------------------------


def test_a_har_with_too_many_entries_is_refused() -> None:
    """Before anything is made of them."""
    row = har(*ONE)["log"]["entries"][0]
    with pytest.raises(
        RecordingError, match=r"(?s)big\.har is damaged.*at most 20000 entries.*found: +20001"
    ) as raised:
        recording_of({"log": {"entries": [row] * (MOST_ENTRIES + 1)}}, name="big.har")
    assert raised.value.exit_code == 11


@pytest.mark.parametrize(
    "times", [{"started_ms": 1e300}, {"answered_ms": float("nan")}, {"ended_ms": -1e12}, {"started_ms": "x"}]
)
def test_an_entry_with_an_absurd_time_is_left_out(times: dict[str, Any]) -> None:
    """And counted: nothing waits for it."""
    value = har(*ONE, *TWO)
    first = value["log"]["entries"][0]
    first["_times"] = {**first["_times"], **times}
    recording = recording_of(value, name="x")
    assert len(recording.exchanges) == 1
    assert recording.warnings[0] == "1 entries could not be read and were skipped"

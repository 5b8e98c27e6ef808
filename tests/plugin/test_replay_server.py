"""The replay server: every request of its clients is answered from the recording, in its order, pieces, times and failures."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from harness.model.faults import Asked, parse_fault
from harness.model.recording import Chunk, RecordedExchange, Recording
from harness.servers.healing import Healer
from harness.servers.replay import FAST, RECORDED, Replay, ReplayServer, serve_replay
from tests.commands import BROKEN, TIMEOUT_S

PAGE = "https://app.test/chat"
PLAIN = "http://127.0.0.1:8123/api/session"
STREAM = "https://us.api.openai.com/v1/chatkit/conversation"
PIECES = (
    Chunk(at_ms=0, text="data: a\n\n"),
    Chunk(at_ms=35, text="data: b\n\n"),
    Chunk(at_ms=250.5, text="data: \u00e4\n\n"),
)


def exchange(method: str, url: str, text: str = "", **changes: Any) -> RecordedExchange:
    """Return an exchange that went well, at once."""
    defaults = {"status": 200, "answered_ms": 0.0, "ended_ms": 0.0, "headers": (("content-type", "text/plain"),)}
    chunks = (Chunk(at_ms=0, text=text),) if text else ()
    return RecordedExchange(
        **{"number": 0, "method": method, "url": url, "resource_type": "fetch", "chunks": chunks} | defaults | changes
    )


def recording(*exchanges: RecordedExchange, **changes: Any) -> Recording:
    """Return a recording of these, numbered in order."""
    numbered = tuple(replace(x, number=number) for number, x in enumerate(exchanges, start=1))
    return Recording(name="x", url=PAGE, started_at="2026-11-24T08:00:00+00:00", exchanges=numbered, **changes)


@contextmanager
def client(*exchanges: RecordedExchange, **options: Any) -> Iterator[tuple[httpx.Client, ReplayServer]]:
    """Yield a client whose proxy answers from a recording of these."""
    with (
        serve_replay(recording(*exchanges), timing=FAST, **options) as server,
        httpx.Client(proxy=server.url, verify=False, trust_env=False, timeout=TIMEOUT_S) as asking,
    ):
        yield asking, server


def test_what_is_on_its_way_to_the_replay_may_be_overtaken() -> None:
    """By a request with another body, and by one that nothing answers; an upload shows the browser no body."""
    upload, first, second = (exchange("POST", STREAM, answer) for answer in ("u", "1", "2"))
    first = replace(first, request_body='{"type": "threads.list"}', operation="threads.list")
    second = replace(second, request_body='{"type": "threads.create"}', operation="threads.create")
    replay = Replay(recording(upload, first, second), timing=FAST)
    asked = Asked(method="POST", url=STREAM)
    unknown = '{"type": "items.list"}'
    for body in ("", first.request_body, second.request_body):
        assert replay.aborted(asked, body) is None
    taken = [replay.take("POST", STREAM, body) for body in (second.request_body, "binary", first.request_body)]
    assert [one and one.chunks[0].text for one in taken] == ["2", "u", "1"]
    later = Replay(recording(first, second), timing=FAST)
    for body in ("", unknown):
        assert later.aborted(asked, body) is None
    assert later.take("POST", STREAM, unknown) is None
    assert later.take("POST", STREAM, "") is not None


def test_both_schemes_are_answered_for_any_host() -> None:
    """Also for this machine, and for what no name server knows; redirects lead back to the recording."""
    first = exchange(
        "GET", PAGE, "page", headers=(("content-type", "text/html"), ("x-own", "1"), ("content-length", "999"))
    )
    moved = exchange("GET", "http://app.test/", status=302, headers=(("location", PAGE),))
    with client(first, moved, exchange("POST", PLAIN, "secret")) as (asking, _):
        answer = asking.get(PAGE)
        assert (answer.text, answer.headers["x-own"], answer.headers["content-length"]) == ("page", "1", "4")
        assert asking.post(PLAIN, content="{}").text == "secret"
        assert asking.get("http://app.test/", follow_redirects=True).url == PAGE


def test_the_same_request_gets_one_answer_after_the_other() -> None:
    """On one connection."""
    with client(*(exchange("GET", PAGE, str(n)) for n in (1, 2, 3))) as (asking, _):
        assert [asking.get(PAGE).text for _ in range(4)] == ["1", "2", "3", "3"]


def test_what_was_never_recorded_is_a_miss() -> None:
    """With what is nearest; nothing is asked anywhere else."""
    with client(exchange("GET", PAGE, "x")) as (asking, server):
        heard: list[str] = []
        server.replay.on_miss = lambda miss: heard.append(miss.difference)
        assert asking.get(PAGE + "s").status_code == 502
        assert [miss.nearest for miss in server.replay.misses] == [f"GET {PAGE}"]
        assert heard == ["path differs"]


def test_several_cookies_are_several_headers() -> None:
    """Playwright joins them with line breaks."""
    cookies = exchange("GET", PAGE, "x", headers=(("set-cookie", "a=1; Path=/\nb=2"),))
    with client(cookies) as (asking, _):
        assert asking.get(PAGE).headers.get_list("set-cookie") == ["a=1; Path=/", "b=2"]


@pytest.mark.parametrize(
    "failed",
    [
        exchange("GET", PAGE, status=0, failure="net::ERR_CONNECTION_RESET"),
        exchange(
            "GET", PAGE, status=200, failure="net::ERR_CONTENT_LENGTH_MISMATCH", headers=(("content-length", "90"),)
        ),
        exchange("GET", PAGE, "part", status=200, failure="net::ERR_INCOMPLETE_CHUNKED_ENCODING"),
    ],
    ids=["reset", "cut", "cut in pieces"],
)
def test_what_broke_off_breaks_off(failed: RecordedExchange) -> None:
    """As the browser had it."""
    with client(failed) as (asking, _), pytest.raises(BROKEN):
        asking.get(PAGE)


@pytest.mark.parametrize(
    "open_end",
    [
        exchange("GET", PAGE, status=0, answered_ms=-1, ended_ms=-1),
        exchange("GET", PAGE, status=0, answered_ms=-1, failure="net::ERR_ABORTED"),
        exchange("GET", PAGE, "part", ended_ms=-1),
    ],
    ids=["never answered", "given up by the page", "never ended"],
)
def test_what_never_came_does_not_come(open_end: RecordedExchange) -> None:
    """Whoever waits, waits."""
    with client(open_end) as (asking, _), pytest.raises(httpx.ReadTimeout):
        asking.get(PAGE, timeout=httpx.Timeout(TIMEOUT_S, read=0.3))


def test_a_refusal_that_the_browser_calls_aborted_ends() -> None:
    """Chromium calls a script aborted that is answered 404; an answer that the page gave up has no end."""
    refused = exchange("GET", PAGE, status=404, failure="net::ERR_ABORTED", chunks=())
    with client(refused) as (asking, _):
        assert asking.get(PAGE).status_code == 404
    with client(replace(refused, status=200)) as (asking, _), pytest.raises(httpx.ReadTimeout):
        asking.get(PAGE, timeout=httpx.Timeout(TIMEOUT_S, read=0.3))


PREFLIGHT = {
    "origin": "https://app.test",
    "access-control-request-method": "POST",
    "access-control-request-headers": "x-a",
}


def test_a_browser_that_asks_first_may_ask() -> None:
    """No recording holds that question when requests were intercepted."""
    with client(exchange("POST", STREAM, "{}")) as (asking, server):
        answer = asking.options(STREAM, headers=PREFLIGHT)
        assert answer.status_code == 204
        assert answer.headers["access-control-allow-origin"] == "https://app.test"
        assert answer.headers["access-control-allow-headers"] == "x-a"
        assert not server.replay.misses


def test_a_browser_that_might_not_read_still_may_not() -> None:
    """Neither the question nor the answer has the header."""
    with client(exchange("POST", STREAM, status=0, failure="net::ERR_FAILED", cors_header="")) as (asking, _):
        assert "access-control-allow-origin" not in asking.options(STREAM, headers=PREFLIGHT).headers
        assert "access-control-allow-origin" not in asking.post(STREAM, headers=PREFLIGHT).headers
    with client(exchange("POST", STREAM, status=0, failure="net::ERR_FAILED", cors_header="https://b.test")) as (
        asking,
        _,
    ):
        assert asking.post(STREAM).headers["access-control-allow-origin"] == "https://b.test"


def test_a_fault_is_brought_in_as_anywhere() -> None:
    """The language is the same."""
    fault = parse_fault("status:**/conversation#2=500")
    with client(exchange("POST", STREAM, "1"), exchange("POST", STREAM, "2"), faults=(fault,)) as (asking, server):
        met: list[str] = []
        server.on_fault = lambda asked, _faults: met.append(asked.url)
        assert [asking.post(STREAM).status_code for _ in range(2)] == [200, 500]
        assert met == [STREAM]


def test_what_is_healed_is_answered_healthily() -> None:
    """In place of what was recorded; and so is what nobody could record, but nothing else."""
    session = "https://app.test/api/chatkit/session"
    refused = exchange("POST", session, '{"error": "no"}', status=401)
    page = exchange(
        "GET", PAGE, "<p>", headers=(("content-type", "text/html"), ("content-security-policy", "script-src 'self'"))
    )
    value = recording(refused, page)
    healer = Healer((parse_fault("session=healthy"), parse_fault("page=healthy")), value)
    with client(refused, page, elsewhere=healer) as (asking, _):
        secret = asking.post(session, json={}).json()["client_secret"]
        listed = asking.post(
            STREAM, json={"type": "threads.list", "params": {}}, headers={"authorization": f"Bearer {secret}"}
        )
        assert listed.status_code == 200
        assert "data" in listed.json()
        assert "OpenAIChatKit" in asking.get("https://cdn.platform.openai.com/deployments/chatkit/chatkit.js").text
        assert asking.post("https://us.api.openai.com/v1/chatkit/domain_keys/verify_hosted").json() == {
            "verified": True
        }
        document = asking.get(PAGE, headers={"sec-fetch-dest": "document"})
        assert (document.text, "content-security-policy" in document.headers) == ("<p>", False)
        assert asking.get("https://elsewhere.test/").status_code == 502


def test_a_smaller_recording_answers_the_rest_with_nothing() -> None:
    """What was left out was not needed."""
    with (
        serve_replay(recording(exchange("GET", PAGE, "x"), left_out=5), timing=FAST) as server,
        httpx.Client(proxy=server.url, verify=False, trust_env=False, timeout=TIMEOUT_S) as asking,
    ):
        script = asking.get("https://ads.test/t.js", headers={"sec-fetch-dest": "script"})
        assert (script.status_code, script.text) == (200, "")
        assert script.headers["content-type"] == "text/javascript; charset=utf-8"
        assert asking.get("https://ads.test/x").status_code == 204
        assert not server.replay.misses


# --- streams ------------------------------------------------------------------------------------------------------


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 100.0

    async def sleep(self, seconds: float) -> None:
        """Let so much of it pass."""
        self.now_s += seconds


def sent(value: RecordedExchange, timing: str) -> list[tuple[float, bytes]]:
    """Return the pieces of an answer, and when each was sent, in milliseconds after the request."""
    clock = Clock()
    replay = Replay(recording(value), timing=timing, clock_s=lambda: clock.now_s, sleep=clock.sleep)
    told: list[tuple[float, bytes]] = []

    async def receive() -> dict[str, Any]:
        if not told and not getattr(receive, "is_asked", False):
            receive.is_asked = True  # type: ignore[attr-defined]
            return {"type": "http.request", "body": b"", "more_body": False}
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body" and message["body"]:
            told.append((round((clock.now_s - 100) * 1000, 1), message["body"]))

    scope = {"type": "http", "method": "POST", "scheme": "https", "raw_path": b"/v1/chatkit/conversation", "query_string": b"",
             "headers": [(b"host", b"us.api.openai.com")], "state": {"transport": None}}  # fmt: skip
    with ThreadPoolExecutor(1) as elsewhere:  # Playwright's loop may run in this thread
        elsewhere.submit(asyncio.run, replay(scope, receive, send)).result()  # type: ignore[arg-type]
    return told


def test_a_stream_comes_in_its_pieces_and_at_their_times() -> None:
    """Times count from the answer, so that no lateness adds up."""
    stream = exchange("POST", STREAM, answered_ms=120.0, ended_ms=400.0, chunks=PIECES)
    expected = [piece.text.encode() for piece in PIECES]
    assert sent(stream, RECORDED) == list(zip((120, 155, 370.5), expected, strict=True))
    assert sent(stream, FAST) == list(zip((0, 0, 0), expected, strict=True))


def test_a_stream_reaches_its_client_piece_by_piece() -> None:
    """Through the proxy and TLS."""
    stream = exchange("POST", STREAM, chunks=tuple(replace(piece, at_ms=piece.at_ms * 2) for piece in PIECES))
    with (
        serve_replay(recording(stream), timing=RECORDED) as server,
        httpx.Client(proxy=server.url, verify=False, trust_env=False, timeout=TIMEOUT_S) as asking,
        asking.stream("POST", STREAM) as answer,
    ):
        assert list(answer.iter_text()) == [piece.text for piece in PIECES]


def test_a_body_is_the_tie_break_across_the_wire() -> None:
    """Two operations at one address."""
    bodies = [json.dumps({"type": kind}) for kind in ("threads.list", "items.list")]
    with client(*(exchange("POST", STREAM, b, request_body=b, operation=json.loads(b)["type"]) for b in bodies)) as (
        asking,
        _,
    ):
        assert [asking.post(STREAM, content=b).text for b in reversed(bodies)] == list(reversed(bodies))


# --- requests that are given up, and made again ---------------------------------------------------------------------


GIVEN_UP = exchange("POST", PLAIN, status=0, failure="net::ERR_ABORTED", answered_ms=-1.0, ended_ms=0.5)
MADE_AGAIN = exchange("POST", PLAIN, "secret", started_ms=0.3)


def test_what_was_given_up_at_once_may_never_come_here() -> None:
    """React's StrictMode gives its first request up before the browser has sent it; the second is the one that is answered."""
    with client(GIVEN_UP, MADE_AGAIN) as (asking, server):
        asked = Asked(method="POST", url=PLAIN)
        for _ in range(2):  # as the browser announces both
            assert server.replay.aborted(asked, "") is None
        assert asking.post(PLAIN).text == "secret"
    with client(GIVEN_UP, MADE_AGAIN) as (asking, _):
        assert asking.post(PLAIN).text == "secret"


def test_what_was_given_up_at_once_may_come_last() -> None:
    """Then it has the answer of the other, until it is given up here too."""
    slow = replace(MADE_AGAIN, answered_ms=1_500.0, ended_ms=1_500.0)
    with (
        serve_replay(recording(GIVEN_UP, slow), timing=RECORDED) as server,
        httpx.Client(proxy=server.url, verify=False, trust_env=False, timeout=TIMEOUT_S) as asking,
        ThreadPoolExecutor(1) as other,
    ):
        real = other.submit(asking.post, PLAIN)
        with pytest.raises(httpx.ReadTimeout):
            asking.post(PLAIN, timeout=0.4)
        assert real.result().text == "secret"


def test_a_request_that_ran_out_of_time_does_not_get_the_answer_of_the_next() -> None:
    """The page's own limit, seconds later, is part of what was recorded."""
    late = replace(GIVEN_UP, ended_ms=3_000.0)
    again = replace(MADE_AGAIN, started_ms=3_001.0)
    with client(late, again) as (asking, _):
        with pytest.raises(httpx.ReadTimeout):
            asking.post(PLAIN, timeout=1.5)
        assert asking.post(PLAIN).text == "secret"

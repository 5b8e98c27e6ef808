"""Faults on real sockets: what each verb does to an embedded server, and to what passes the forwarder."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from harness.model.faults import Asked, Fault, parse_fault, render_fault
from harness.model.injection import Injector
from harness.servers import faulty
from harness.servers.forwarder import Forwarder, serve_forwarder
from harness.servers.named_faults import faults_of
from harness.servers.scenarios import Scenario
from harness.servers.server import Stack, serve_stack
from tests.commands import BROKEN, TIMEOUT_S

HEALTHY = Scenario(name="healthy")
WEB = httpx.Client(verify=False, trust_env=False, timeout=TIMEOUT_S)
LOADER = "/deployments/chatkit/chatkit.js"
FRAME = "/deployments/chatkit/index-standin01.html"
ENTRY = "/assets/ck1/index-standin01.js"
SESSION = "/api/chatkit/session"
TOPICS = {"workflow_id": "wf_test_topic_generation"}


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    """The servers, started once."""
    with serve_stack(scenario=HEALTHY) as stack:
        yield stack


@pytest.fixture
def stack(running: Stack) -> Stack:
    """The servers, with nothing wrong."""
    running.use(HEALTHY)
    return running


def broken(stack: Stack, *texts: str) -> Stack:
    """The servers with these faults."""
    stack.use(replace(HEALTHY, faults=faults_of(texts)))
    return stack


def read_until_broken(response: httpx.Response) -> bytes:
    """What arrives before the connection breaks; fails when it does not."""
    got = b""
    try:
        for chunk in response.iter_raw():
            got += chunk
    except BROKEN:
        return got
    raise AssertionError(f"the answer ended as it should, after {len(got)} bytes")


def session(stack: Stack, **headers: str) -> httpx.Response:
    """What the app's session endpoint answers."""
    return WEB.post(stack.app_url + SESSION, json=TOPICS, headers=headers)


# --- answers ------------------------------------------------------------------------------------------------------


def test_status_comes_with_the_body_that_belongs_to_who_is_asked(stack: Stack) -> None:
    """The app answers in JSON, the CDN with a page, OpenAI in its own shape with its own headers."""
    broken(stack, "status:session=503", "status:script=404", "status:verify=429")
    refused = session(stack)
    assert (refused.status_code, refused.json()) == (503, {"error": "Service Unavailable"})
    script = WEB.get(stack.cdn_url + LOADER)
    assert (script.status_code, script.headers["content-type"]) == (404, "text/html; charset=utf-8")
    verify = WEB.post(f"{stack.api_url}/v1/chatkit/domain_keys/verify", json={})
    assert verify.status_code == 429
    assert verify.json()["error"]["code"] == "rate_limit_exceeded"
    assert verify.headers["retry-after"]
    assert verify.headers["x-request-id"].startswith("req_")
    assert WEB.get(stack.cdn_url + FRAME).status_code == 200


def test_answer_of_ours_can_be_read_by_the_page_that_asked(stack: Stack) -> None:
    """With an origin it allows that origin, unless a fault takes the header away; nothing is asked of the app."""
    broken(stack, "status:session=401")
    allowed = session(stack, origin="https://shop.test")
    assert allowed.headers["access-control-allow-origin"] == "https://shop.test"
    assert allowed.headers["access-control-allow-credentials"] == "true"
    assert stack.answers("api") == ()
    broken(stack, "status:session=401", "header:session=-access-control-allow-origin")
    assert "access-control-allow-origin" not in session(stack, origin="https://shop.test").headers


def test_body_and_type_replace_the_answer(stack: Stack) -> None:
    """A body says what it looks like, unless another type is named; a type alone leaves the body."""
    broken(stack, "body:session=<p>hello", "type:script=text/plain", 'body:frame={"a":1}', "type:frame=text/css")
    html = session(stack)
    assert (html.status_code, html.text, html.headers["content-type"]) == (200, "<p>hello", "text/html; charset=utf-8")
    script = WEB.get(stack.cdn_url + LOADER)
    assert script.headers.get_list("content-type") == ["text/plain"]
    assert "customElements" in script.text
    frame = WEB.get(stack.cdn_url + FRAME)
    assert (frame.json(), frame.headers["content-type"]) == ({"a": 1}, "text/css")


def test_headers_are_set_once_and_taken_away(stack: Stack) -> None:
    """A header that is there already is replaced, in any case of its name."""
    broken(
        stack,
        "header:page=content-security-policy: script-src 'self'",
        "header:page=CONTENT-TYPE: text/plain",
        "header:entry=-Access-Control-Allow-Origin",
    )
    page = WEB.get(f"{stack.app_url}/test-chatkit")
    assert page.headers["content-security-policy"] == "script-src 'self'"
    assert page.headers.get_list("content-type") == ["text/plain"]
    assert "access-control-allow-origin" not in WEB.get(stack.cdn_url + ENTRY).headers
    assert WEB.get(f"{stack.cdn_url}/assets/ck1/app-standin01.js").headers["access-control-allow-origin"] == "*"


def test_redirect_names_the_place(stack: Stack) -> None:
    """302, or the status that is named too."""
    broken(stack, "redirect:session=/login")
    answer = session(stack)
    assert (answer.status_code, answer.headers["location"]) == (302, "/login")
    broken(stack, "redirect:session=/login", "status:session=307")
    assert session(stack).status_code == 307


def test_only_the_nth_request_is_met(stack: Stack) -> None:
    """Counted from the start of the visit; a new visit counts anew."""
    for _ in range(2):
        broken(stack, "status:session#2=500")
        assert [session(stack).status_code for _ in range(3)] == [200, 500, 200]


def test_operation_is_told_by_the_body_which_arrives_whole(stack: Stack) -> None:
    """One operation of the backend fails, the others get their whole request."""
    broken(stack, "status:custom.threads.list=500")
    url = f"{stack.app_url}/chatkit"
    content = [{"type": "input_text", "text": "tea" + "a" * 250_000}]
    message = {"content": content, "attachments": [], "quoted_text": "", "inference_options": {}}
    assert WEB.post(url, json={"type": "threads.list", "params": {}}).status_code == 500
    created = WEB.post(url, json={"type": "threads.create", "params": {"input": message}})
    assert created.status_code == 200
    assert "thread.created" in created.text


def test_glob_meets_the_address_that_the_page_asked_for(stack: Stack) -> None:
    """The CDN's own name, which these servers stand for."""
    broken(stack, "status:https://cdn.platform.openai.com/assets/*=418")
    assert WEB.get(stack.cdn_url + ENTRY).status_code == 418
    assert WEB.get(stack.cdn_url + LOADER).status_code == 200


def test_preflight_is_left_alone(stack: Stack) -> None:
    """What is asked before a request is no such request."""
    broken(stack, "status:conversation#1=500")
    url = f"{stack.api_url}/v1/chatkit/conversation"
    asking = {"origin": "https://cdn.platform.openai.com", "access-control-request-method": "POST"}
    assert WEB.options(url, headers=asking).status_code == 200
    assert WEB.post(url, json={}).status_code == 500


def test_log_says_what_was_done_on_purpose(stack: Stack) -> None:
    """Also of what was never answered."""
    broken(stack, "status:session#1=401", "abort:session#2")
    session(stack)
    with pytest.raises(BROKEN):
        session(stack)
    said = [(answer.status, answer.note) for answer in stack.answers("app", SESSION)]
    assert said == [(401, "fault status:session#1=401"), (0, "fault abort:session#2=failed")]


# --- time and connections -----------------------------------------------------------------------------------------


class Pauses:
    """The pauses of faults: each lasts until the test says go on, and its length is written down."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lengths_s: list[float] = []
        self._gone_on = threading.Semaphore(0)
        monkeypatch.setattr(faulty, "asyncio", SimpleNamespace(**vars(asyncio) | {"sleep": self._sleep}))

    def go_on(self) -> None:
        """End one pause, whether it has begun or not."""
        self._gone_on.release()

    async def _sleep(self, length_s: float) -> None:
        self.lengths_s.append(length_s)
        assert await asyncio.to_thread(self._gone_on.acquire, timeout=TIMEOUT_S)


def test_delay_is_waited_before_anything_else(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is the usual one, later."""
    broken(stack, "delay:session=400ms")
    pauses = Pauses(monkeypatch)
    with pytest.raises(httpx.ReadTimeout):
        WEB.post(stack.app_url + SESSION, json=TOPICS, timeout=httpx.Timeout(TIMEOUT_S, read=0.4))
    pauses.go_on()
    pauses.go_on()
    assert session(stack).status_code == 200
    assert pauses.lengths_s == [0.4, 0.4]


def test_hang_never_answers_and_holds_nobody_else_up(stack: Stack) -> None:
    """The asker gives up; other requests go on."""
    broken(stack, "hang:session")
    with pytest.raises(httpx.ReadTimeout):
        WEB.post(stack.app_url + SESSION, json=TOPICS, timeout=httpx.Timeout(TIMEOUT_S, read=0.4))
    assert WEB.get(f"{stack.app_url}/health").status_code == 200


@pytest.mark.parametrize("scheme", ["", "_tls"])
def test_abort_breaks_the_connection(stack: Stack, scheme: str) -> None:
    """No byte of an answer comes, with and without TLS."""
    broken(stack, "abort:script")
    with pytest.raises(BROKEN):
        WEB.get(getattr(stack, f"cdn{scheme}_url") + LOADER)
    assert WEB.get(stack.cdn_url + FRAME).status_code == 200


@pytest.mark.parametrize("scheme", ["", "_tls"])
def test_truncate_breaks_off_after_so_many_bytes(stack: Stack, scheme: str) -> None:
    """The length that was announced is the whole one, and the first bytes are the right ones."""
    url = getattr(stack, f"cdn{scheme}_url") + LOADER
    whole = WEB.get(url).content
    broken(stack, "truncate:script=1000")
    with WEB.stream("GET", url) as response:
        assert int(response.headers["content-length"]) == len(whole)
        got = read_until_broken(response)
    assert got == whole[:1000]


def test_truncate_leaves_what_is_short_enough(stack: Stack) -> None:
    """A limit that the body does not reach changes nothing."""
    whole = WEB.get(stack.cdn_url + FRAME).content
    broken(stack, f"truncate:frame={len(whole)}")
    assert WEB.get(stack.cdn_url + FRAME).content == whole


def test_truncate_cuts_a_stream(stack: Stack) -> None:
    """One without an announced length ends in the middle: its server, which waits for minutes before each word, has not said all."""
    stack.use(replace(HEALTHY, faults=faults_of(["truncate:custom.threads.create=40"]), chunk_gap_ms=TIMEOUT_S * 1000))
    message = {
        "content": [{"type": "input_text", "text": "tea? " * 100}],
        "attachments": [],
        "quoted_text": "",
        "inference_options": {},
    }
    body = {"type": "threads.create", "params": {"input": message}}
    with WEB.stream("POST", f"{stack.app_url}/chatkit", json=body) as response:
        got = read_until_broken(response)
    assert len(got) == 40
    assert got.startswith(b"data: ")


def test_drip_sends_a_little_at_a_time(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of the named size, so far apart, each on its way before the next pause, and nothing is lost."""
    whole = WEB.get(stack.cdn_url + FRAME).content
    size = len(whole) // 4 + 1
    broken(stack, f"drip:frame={size}/100ms")
    pauses, pieces = Pauses(monkeypatch), []
    with WEB.stream("GET", stack.cdn_url + FRAME) as response:
        for piece in response.iter_raw():
            pieces.append(piece)
            pauses.go_on()
    assert b"".join(pieces) == whole
    assert [len(piece) for piece in pieces] == [size, size, size, len(whole) - 3 * size]
    assert pauses.lengths_s == [0.1] * 3


# --- the forwarder ------------------------------------------------------------------------------------------------


@dataclass
class Upstream:
    """A server of somebody else, and what it was asked."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    goes_on: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))  # once for each further piece


@contextmanager
def somebody() -> Iterator[Upstream]:
    """Yield a running server that answers every path in its own way."""
    upstream = Upstream()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            upstream.asked.append({"path": self.path, "headers": dict(self.headers), "body": body})
            self.send_response(302 if self.path == "/moved" else 200)
            self.send_header("set-cookie", "a=1; Path=/; HttpOnly")
            self.send_header("set-cookie", "b=2; Path=/")
            self.send_header("content-type", "text/event-stream")
            if self.path == "/moved":
                self.send_header("location", "elsewhere?x=1")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for number in range(3 if self.path != "/moved" else 0):
                if number and self.path == "/events":
                    assert upstream.goes_on.acquire(timeout=TIMEOUT_S)
                text = f"data: {number}\n\n".encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")

        do_POST = do_GET  # noqa: N815 (the name that http.server looks for)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    upstream.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield upstream
    finally:
        server.shutdown()
        server.server_close()


class Between:
    """A forwarder, the cookies that it was given to keep, and the faults that it reported."""

    def __init__(self) -> None:
        self.cookies: list[tuple[str, list[str]]] = []
        self.faults: list[tuple[str, list[str]]] = []

    def keep(self, url: str, headers: list[str]) -> Future[None]:
        """Take cookies."""
        self.cookies.append((url, headers))
        kept: Future[None] = Future()
        kept.set_result(None)
        return kept

    def report(self, asked: Asked, faults: tuple[Fault, ...]) -> None:
        """Take a report."""
        self.faults.append((asked.url, list(map(render_fault, faults))))

    @contextmanager
    def forwarder(self, *texts: str) -> Iterator[Forwarder]:
        """Yield a forwarder with these faults."""
        faults = tuple(map(parse_fault, texts))
        with serve_forwarder(Injector(faults), on_fault=self.report, keep_cookies=self.keep) as forwarder:
            yield forwarder


def test_what_passes_is_the_same_on_both_sides() -> None:
    """Method, body, headers and the given cookies go; status, headers and body come; the host is the real one."""
    between = Between()
    with somebody() as upstream, between.forwarder("delay:https://nobody.test/*=1s") as forwarder:
        url = f"{upstream.url}/api/session?x=1"
        address = forwarder.address_of(Asked(method="POST", url=url), upstream=url, cookie="sid=7; theme=dark")
        answer = WEB.post(address, json={"a": 1}, headers={"x-own": "yes", "origin": "https://shop.test"})
        moved_url = f"{upstream.url}/moved"
        moved = WEB.get(forwarder.address_of(Asked(method="GET", url=moved_url), upstream=moved_url, cookie=""))
        unknown = WEB.get(f"{address.rpartition('/')[0]}/4711")
    asked = upstream.asked[0]
    assert (asked["path"], json.loads(asked["body"])) == ("/api/session?x=1", {"a": 1})
    assert {name.lower(): value for name, value in asked["headers"].items()}.items() >= {
        "host": upstream.url.removeprefix("http://"),
        "cookie": "sid=7; theme=dark",
        "x-own": "yes",
        "origin": "https://shop.test",
    }.items()
    assert answer.headers["content-type"] == "text/event-stream"
    assert "set-cookie" not in answer.headers
    assert between.cookies[0] == (url, ["a=1; Path=/; HttpOnly", "b=2; Path=/"])
    assert (moved.status_code, moved.headers["location"]) == (302, f"{upstream.url}/elsewhere?x=1")
    assert "cookie" not in {name.lower() for name in upstream.asked[1]["headers"]}
    assert unknown.status_code == 404
    assert between.faults == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_stream_passes_as_it_comes(scheme: str) -> None:
    """A chunk arrives before the next one is sent; the fault on top alters only the header it names."""
    between = Between()
    with somebody() as upstream, between.forwarder("header:*/events=x-broken: yes") as forwarder:
        url = f"{upstream.url}/events"
        asked = Asked(method="GET", url=url.replace("http:", f"{scheme}:"))
        got = b""
        with WEB.stream("GET", forwarder.address_of(asked, upstream=url, cookie="")) as response:
            assert response.headers["x-broken"] == "yes"
            for chunk in response.iter_raw():
                got += chunk
                upstream.goes_on.release()
    assert got == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert between.faults == [(asked.url, ["header:*/events=x-broken: yes"])]


def test_fault_that_answers_asks_nobody() -> None:
    """The real server never hears of a request that is answered here."""
    between = Between()
    with somebody() as upstream, between.forwarder("status:session=401") as forwarder:
        url = f"{upstream.url}/api/chatkit/session"
        answer = WEB.post(forwarder.address_of(Asked(method="POST", url=url), upstream=url, cookie=""), json={})
    assert answer.status_code == 401
    assert upstream.asked == []
    assert between.faults == [(url, ["status:session=401"])]


def test_server_that_is_not_there_breaks_the_connection() -> None:
    """Whoever asks sees a failed request, as without us."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
        with Between().forwarder("delay:session=1ms") as forwarder, pytest.raises(BROKEN):
            WEB.get(forwarder.address_of(Asked(method="GET", url=url), upstream=url, cookie=""))

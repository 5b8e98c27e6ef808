"""Answers every request of a browser from a recording, as its proxy: no request leaves this machine.

In: a recording, faults to inject, and a browser that has this server as its proxy. Out: the recorded responses, piece by piece and in the
recorded time, including failures; a 502 and a `Miss` for requests that were never recorded. Requests that the browser itself must abort
are not answered here.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Protocol
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from harness.analysis.facts.exchanges import ABORTED
from harness.analysis.replay.matching import BODY_MISSING, Matcher, Miss, is_given_up_at_once, is_twin
from harness.model.faults import Asked, Fault, operation_of
from harness.model.injection import Injector
from harness.model.recording import NEVER, Chunk, RecordedExchange, Recording
from harness.servers.faulty import TRANSPORT, Faulty
from harness.servers.listening import HOST, listening, make_proxy, running

RECORDED, FAST = "recorded", "fast"
# Headers of one connection or of the compression, which are generated again.
NOT_REPLAYED = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "upgrade", "alt-svc",
                          "date", "server", "strict-transport-security", "proxy-connection", "trailer"})  # fmt: skip
KEPT_FROM_PAGE = (
    "net::ERR_BLOCKED_BY_ORB"  # a script's answer was a page: Chromium hands no such thing over, nor says more
)
PAGE = "<!doctype html><title>not a script</title>"
LARGEST_ASKED_BYTES = 5_000_000
DOUBTED_S, MOST_DOUBTS = 0.25, 40
MISSING = "chatkit-harness: no recorded response for this request"

OnMiss = Callable[[Miss], None]


class Elsewhere(Protocol):
    """An application that answers some requests instead of the recording."""

    def concerns(self, asked: Asked, exchange: RecordedExchange | None = None, /) -> bool:
        """Whether a request may be one of them."""

    def __call__(self, asked: Asked, exchange: RecordedExchange | None, /) -> ASGIApp | None:
        """Return what answers a request; None leaves it to the recorded exchange, or to be a miss."""


class Replay:
    """The responses of a recording, for one visit. `elsewhere` may return another application for a request."""

    def __init__(
        self,
        recording: Recording,
        *,
        timing: str,
        elsewhere: Elsewhere | None = None,
        clock_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.recording = recording
        self.matcher = Matcher(recording.exchanges)
        self.misses: list[Miss] = []
        self.lacks: list[str] = []  # bodies that were asked for and are not in the recording, as sentences
        self.on_miss: OnMiss = _ignore  # called in the server's thread
        self._is_timed = timing == RECORDED
        self._clock_s = clock_s
        self._sleep = sleep
        self._elsewhere = elsewhere
        # By method and URL: the bodies of the requests that are on their way here, and what answers each.
        self._reserved: dict[tuple[str, str], list[tuple[str, RecordedExchange | None]]] = {}
        # By method and URL: requests that may have got the exchange of another, which the page gave up.
        self._doubted: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def aborted(self, asked: Asked, body: str) -> RecordedExchange | None:
        """Return the exchange of this request if the browser itself must abort it.

        Called in the browser's name before the request is made; any other exchange is kept for it until it comes here.
        """
        with self._lock:
            found = self.matcher.take(asked.method, asked.url, body)
            is_healed = self._elsewhere is not None and self._elsewhere.concerns(asked, found)
            if found is not None and is_aborted(found) and not is_healed:
                return found
            self._reserved.setdefault((asked.method, asked.url), []).append((body, found))
            return None

    def take(self, method: str, url: str, body: str) -> RecordedExchange | None:
        """Return the exchange that answers a request which has come here; None is a miss."""
        with self._lock:
            waiting = self._reserved.get((method, url), [])
            # Requests overtake each other, so the body decides; the browser shows "" for one that is no text.
            bodies = [kept for kept, _ in waiting]
            kept = body if body in bodies else ""
            return waiting.pop(bodies.index(kept))[1] if kept in bodies else self.matcher.take(method, url, body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        body = await _body_of(receive)
        asked = asked_of(scope, operation_of(body))
        is_preflight = asked.method == "OPTIONS" and "access-control-request-method" in Headers(scope=scope)
        if is_preflight and not self.matcher.has("OPTIONS", asked.url):
            await self._preflight(asked, scope)(scope, receive, send)
            return
        text = body.decode("utf-8", "replace")
        exchange = self.take(asked.method, asked.url, text)
        if exchange is not None and is_given_up_at_once(exchange):
            exchange = await self._overtaken(exchange, asked, text, receive)
        other = self._elsewhere(asked, exchange) if self._elsewhere else None
        if other is not None:
            await other(scope, _again(body, receive), send)
        elif exchange is None and self.recording.left_out:
            await _nothing(asked, scope)(scope, receive, send)
        elif exchange is None:
            await self._miss(asked, text)(scope, receive, send)
        else:
            self._note_lack(exchange)
            await self._serve(exchange, asked, scope, receive, send)

    def _miss(self, asked: Asked, body: str) -> Response:
        with self._lock:
            miss = self.matcher.miss_of(asked.method, asked.url, body)
            self.misses.append(miss)
        self.on_miss(miss)
        return PlainTextResponse(MISSING, status_code=502, headers={"access-control-allow-origin": "*"})

    def _note_lack(self, exchange: RecordedExchange) -> None:
        if exchange.lack and exchange.lack not in self.lacks:
            self.lacks.append(exchange.lack)
            self.on_miss(
                Miss(
                    method=exchange.method,
                    url=exchange.url,
                    nearest=f"{exchange.method} {exchange.url}",
                    difference=f"{BODY_MISSING}{exchange.missing}",
                )
            )

    def _preflight(self, asked: Asked, scope: Scope) -> Response:
        """The response to a CORS preflight: allowed, unless the recorded page was not allowed."""
        headers = Headers(scope=scope)
        method = headers.get("access-control-request-method", "")
        with self._lock:
            coming = self.matcher.look(method, asked.url)
        allowed = {
            "access-control-allow-origin": headers.get("origin", "*"),
            "access-control-allow-credentials": "true",
            "access-control-allow-methods": method,
            "access-control-allow-headers": headers.get("access-control-request-headers", ""),
        }
        is_healed = self._elsewhere is not None and self._elsewhere.concerns(asked, coming)
        is_refused = coming is not None and coming.cors_header is not None and not is_healed
        return Response(status_code=204, headers={} if is_refused else allowed)

    async def _overtaken(
        self, given_up: RecordedExchange, asked: Asked, body: str, receive: Receive
    ) -> RecordedExchange:
        """Return what answers a request that got an exchange which the recorded page gave up at once, and the next one like it is here.

        React's StrictMode sends a request, aborts it and sends it again. The first one may never arrive here, or may arrive last: which
        one this is becomes clear only when the page aborts it, or does not.
        """
        key = (asked.method, asked.url)
        gone = asyncio.ensure_future(_until_gone(receive))
        self._doubted[key] += 1
        try:
            for _ in range(MOST_DOUBTS):
                await asyncio.wait({gone}, timeout=DOUBTED_S)
                if gone.done():
                    return given_up
                with self._lock:
                    twin = self._twin(given_up, key, body)
                if twin is not None:
                    return twin
            return given_up
        finally:
            self._doubted[key] -= 1
            gone.cancel()

    def _twin(self, given_up: RecordedExchange, key: tuple[str, str], body: str) -> RecordedExchange | None:
        """Take the exchange of the request that was made when this one was given up, where no other request has it."""
        waiting = self._reserved.get(key, [])
        for kept, found in waiting:
            if found is not None and kept in (body, "") and is_twin(given_up, found):
                waiting.remove((kept, found))
                return found
        coming = self.matcher.look(*key, body)
        is_next = coming is not None and not self.matcher.is_used(coming) and is_twin(given_up, coming)
        return self.matcher.take(*key, body) if is_next else None

    async def _serve(
        self, exchange: RecordedExchange, asked: Asked, scope: Scope, receive: Receive, send: Send
    ) -> None:
        key = (asked.method, asked.url)
        began = self._clock_s()
        gone = asyncio.ensure_future(_until_gone(receive))
        answering = asyncio.ensure_future(self._answer(exchange, began, scope, send))
        try:
            await asyncio.wait({gone, answering}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not answering.done():
                answering.cancel()
                if gone.done() and self._doubted[key]:  # this one is given up; another waits for its answer
                    with self._lock:
                        self._reserved.setdefault(key, []).insert(0, ("", exchange))
        if answering.done() and not answering.cancelled():
            answering.result()

    async def _answer(self, exchange: RecordedExchange, began: float, scope: Scope, send: Send) -> None:
        transport = scope["state"][TRANSPORT]
        if exchange.cors_header is not None:
            await self._until(began, exchange.ended_ms)
            await send(_start(200, _cors_headers(exchange)))
            await send({"type": "http.response.body", "body": b"{}"})
            return
        if exchange.failure == KEPT_FROM_PAGE:
            await self._until(began, exchange.ended_ms)
            await HTMLResponse(PAGE, headers={"x-content-type-options": "nosniff"})(scope, _nobody, send)
            return
        if exchange.status == 0:
            if exchange.failure and exchange.failure not in ABORTED:
                await self._until(began, exchange.ended_ms)
                transport.abort()
                return
            await _for_ever()
        await self._until(began, exchange.answered_ms)
        await self._send_whole(exchange, began, scope, send)

    async def _send_whole(self, exchange: RecordedExchange, began: float, scope: Scope, send: Send) -> None:
        headers = _headers_of(exchange)
        is_cut = exchange.failure not in ("", *ABORTED) and "BLOCKED" not in exchange.failure
        # A stream that is read to its end may be called aborted, and so is a script that is refused.
        is_given_up = exchange.failure in ABORTED and not exchange.chunks and exchange.status < 400
        is_endless = exchange.ended_ms == NEVER or is_given_up
        chunks = exchange.chunks or ((Chunk(at_ms=0, text=""),) if exchange.raw else ())
        whole = [exchange.raw] if exchange.raw else [c.text.encode("utf-8", "surrogatepass") for c in chunks]
        if is_cut and "CHUNKED" not in exchange.failure:
            size = int(next((v for n, v in exchange.headers if n.lower() == "content-length" and v.isdigit()), "0"))
            headers.append((b"content-length", str(max(size, sum(map(len, whole)) + 1)).encode()))
        elif len(whole) == 1 and not is_endless and not is_cut:
            headers.append((b"content-length", str(len(whole[0])).encode()))
        await send(_start(exchange.status, headers))
        answered = self._clock_s()
        for chunk, content in zip(chunks, whole, strict=True):
            await self._until(answered, chunk.at_ms)
            await send({"type": "http.response.body", "body": content, "more_body": True})
        if is_cut:
            scope["state"][TRANSPORT].close()
            await _for_ever()
        if is_endless:
            await _for_ever()
        if len(exchange.chunks) <= 1:
            await self._until(began, exchange.ended_ms)
        await send({"type": "http.response.body", "body": b""})

    async def _until(self, began: float, at_ms: float) -> None:
        left_s = began + at_ms / 1000 - self._clock_s()
        if self._is_timed and left_s > 0:
            await self._sleep(left_s)


def _nothing(asked: Asked, scope: Scope) -> Response:
    """The response to a request that was removed from a recording: an empty body of the right type."""
    media_type = {"script": "text/javascript", "style": "text/css", "document": "text/html", "iframe": "text/html"}.get(
        asked.destination
    )
    origin = Headers(scope=scope).get("origin", "*")
    headers = {"access-control-allow-origin": origin, "access-control-allow-credentials": "true"}
    return Response("", status_code=200 if media_type else 204, media_type=media_type, headers=headers)


def is_aborted(exchange: RecordedExchange) -> bool:
    """Whether only the browser can reproduce this failure: there was no response, and neither the page nor a policy caused it."""
    return (
        exchange.status == 0
        and exchange.failure.startswith(("net::", "NS_ERROR"))
        and exchange.failure not in (*ABORTED, KEPT_FROM_PAGE)
        and exchange.cors_header is None
    )


def asked_of(scope: Scope, operation: str) -> Asked:
    """Return a proxied request for matching with faults."""
    headers = Headers(scope=scope)
    target = scope["raw_path"].decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    if not target.startswith("http://"):
        target = f"{scope['scheme']}://{headers.get('host', '')}{target}"
    return Asked(
        method=scope["method"],
        url=_without_port(target) + (f"?{query}" if query else ""),
        destination=headers.get("sec-fetch-dest", ""),
        operation=operation,
    )


def _without_port(url: str) -> str:
    """A URL as pages write it: without the port that its scheme has anyway."""
    parts = urlsplit(url)
    usual = {"http": ":80", "https": ":443"}[parts.scheme]
    return url.replace(parts.netloc, parts.netloc.removesuffix(usual), 1) if parts.netloc.endswith(usual) else url


@contextmanager
def serve_replay(
    recording: Recording,
    *,
    timing: str = RECORDED,
    faults: tuple[Fault, ...] = (),
    elsewhere: Elsewhere | None = None,
) -> Iterator[ReplayServer]:
    """Yield a running replay server, and stop it afterwards. Raises ServerError."""
    replay = Replay(recording, timing=timing, elsewhere=elsewhere)
    with listening("replay", 0) as bound:
        server = ReplayServer(replay=replay, faults=faults, url=f"http://{HOST}:{bound.getsockname()[1]}")

        def report(scope: Scope, met: tuple[Fault, ...]) -> None:
            server.on_fault(asked_of(scope, ""), met)

        app = Faulty(replay, injector=lambda: server.injector, asked_of=asked_of, on_fault=report)
        with running([(make_proxy(app), bound)]):
            yield server


class ReplayServer:
    """A running replay: the proxy's address, its responses, and the injected faults. The listeners are those of a visit."""

    def __init__(self, *, replay: Replay, faults: tuple[Fault, ...], url: str) -> None:
        self.replay = replay
        self.injector = Injector(faults)
        self.url = url
        self.on_fault: Callable[[Asked, tuple[Fault, ...]], None] = _ignore


def _ignore(*_facts: object) -> None:
    """The listener between visits."""


# --- what goes over the wire --------------------------------------------------------------------------------------


def _start(status: int, headers: list[tuple[bytes, bytes]]) -> dict[str, object]:
    return {"type": "http.response.start", "status": status, "headers": headers}


def _headers_of(exchange: RecordedExchange) -> list[tuple[bytes, bytes]]:
    headers = []
    for name, value in exchange.headers:
        if name.lower() not in NOT_REPLAYED:
            # Playwright joins what comes several times: cookies with a line break, everything else with a comma.
            headers += [(name.lower().encode("latin-1", "replace"), _header_value(one)) for one in value.split("\n")]
    return headers


def _cors_headers(exchange: RecordedExchange) -> list[tuple[bytes, bytes]]:
    headers = [(b"content-type", b"application/json")]
    if exchange.cors_header:
        headers.append((b"access-control-allow-origin", _header_value(exchange.cors_header)))
    return headers


def _header_value(value: str) -> bytes:
    return value.replace("\r", " ").encode("utf-8", "replace")


async def _body_of(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while sum(map(len, parts)) < LARGEST_ASKED_BYTES:
        message = await receive()
        parts.append(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body", False):
            break
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """A request whose body was read, as if it had not been."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> dict[str, object]:
        return waiting.pop() if waiting else dict(await receive())

    return again


async def _nobody() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _for_ever() -> None:
    await asyncio.Event().wait()

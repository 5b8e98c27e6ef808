"""Carries faults out on real sockets: ASGI middleware around an embedded server, or around what passes requests on.

In: requests, and the `Injector` in force. Out: the inner server's answer, altered; an answer of our own in its place; a
silence; or a connection that breaks. What an answer of our own looks like fits what was asked: OpenAI's API has its
error shape, documents and scripts get a page, everything else JSON.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from harness.model.addresses import API, split_url
from harness.model.faults import Asked, Fault, operation_of, render_fault
from harness.model.injection import Injector
from harness.servers.openai_api import errors

TRANSPORT = "transport"  # in a scope's `state`: the connection, which ASGI itself cannot break
LARGEST_LOOKED_INTO_BYTES = 1_000_000
PAGE = """<!doctype html>
<html lang="en"><head><title>Error {status}</title></head>
<body><h1>{status}</h1><p>{reason}</p></body></html>
"""
BAD_REQUEST = "HTTP Error 400. The request is badly formed."  # as the real CDN words it


class Faulty:
    """ASGI middleware that does to each request what the injector says.

    `injector` is asked again for every request; `asked_of` says what a request is, given its body's operation.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        injector: Callable[[], Injector],
        asked_of: Callable[[Scope, str], Asked],
        on_fault: Callable[[Scope, tuple[Fault, ...]], None],
    ) -> None:
        self.app = app
        self._injector = injector
        self._asked_of = asked_of
        self._on_fault = on_fault

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        injector = self._injector()
        if scope["type"] != "http" or scope["method"] == "OPTIONS" or not injector.faults:
            await self.app(scope, receive, send)
            return
        operation = ""
        if injector.needs_operation and scope["method"] == "POST":
            operation, receive = await _looked_into(receive)
        asked = self._asked_of(scope, operation)
        faults = injector.take(asked)
        if faults:
            self._on_fault(scope, faults)
        await _carry_out(faults, asked, self.app, scope, receive, send)


async def _carry_out(
    faults: tuple[Fault, ...], asked: Asked, app: ASGIApp, scope: Scope, receive: Receive, send: Send
) -> None:
    by_verb = {fault.verb: fault for fault in faults}
    if "delay" in by_verb:
        await asyncio.sleep(by_verb["delay"].duration_ms / 1000)
    if "hang" in by_verb:
        await _until_gone(receive)
        return
    if "abort" in by_verb:
        scope["state"][TRANSPORT].abort()
        await _until_gone(receive)
        return
    answer = _answer_of(by_verb, asked, scope)
    outlet = _Outlet(faults, send, transport=scope.get("state", {}).get(TRANSPORT)) if faults else send
    await (answer or app)(scope, receive, outlet)


def describe(faults: tuple[Fault, ...]) -> str:
    """Return what a log says of a request that met these faults."""
    return "fault " + ", ".join(map(render_fault, faults))


# --- requests -----------------------------------------------------------------------------------------------------


async def _looked_into(receive: Receive) -> tuple[str, Receive]:
    """Return the operation that a JSON body names, "" when it names none, and the request as it was."""
    read: list[Message] = []
    size = 0
    while size <= LARGEST_LOOKED_INTO_BYTES:
        message = await receive()
        read.append(message)
        size += len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body", False):
            break

    async def again() -> Message:
        return read.pop(0) if read else await receive()

    return operation_of(b"".join(message.get("body", b"") for message in read)), again


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


# --- answers ------------------------------------------------------------------------------------------------------


def _answer_of(by_verb: dict[str, Fault], asked: Asked, scope: Scope) -> Response | None:
    """Return the answer that takes the inner server's place; None when that server is to answer."""
    status = by_verb["status"].number if "status" in by_verb else 0
    if "redirect" in by_verb:
        answer = Response(status_code=status or 302, headers={"location": by_verb["redirect"].value})
    elif "body" in by_verb:
        text = by_verb["body"].value
        answer = Response(text, status_code=status or 200, media_type=_media_type(text))
    elif status:
        answer = error_answer(asked, status)
    else:
        return None
    origin = Headers(scope=scope).get("origin")
    if origin:  # or the page could not see the answer; a fault of its own takes the header away
        answer.headers["access-control-allow-origin"] = origin
        answer.headers["access-control-allow-credentials"] = "true"
        answer.headers["access-control-expose-headers"] = "X-Request-ID"
        answer.headers["vary"] = "Origin"
    return answer


def error_answer(asked: Asked, status: int) -> Response:
    """Return what a server of the asked kind says with this status."""
    path = split_url(asked.url).path
    if status in (204, 304):
        return Response(status_code=status)
    if path.startswith(API):
        error = errors.of_status(status)
        return JSONResponse(error.body, status_code=status, headers=errors.common_headers(1) | error.headers)
    reason = _reason(status)
    if asked.destination not in ("", "empty") or PurePosixPath(path).suffix in (".html", ".js", ".css"):
        reason = BAD_REQUEST if status == 400 else reason
        return HTMLResponse(PAGE.format(status=status, reason=reason), status_code=status)
    return JSONResponse({"error": reason} if status >= 400 else {}, status_code=status)


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # a status that nobody has named
        return f"Status {status}"


def _media_type(text: str) -> str:
    if text.lstrip().startswith("<"):
        return "text/html"
    return "application/json" if text.lstrip().startswith(("{", "[", '"')) else "text/plain"


class _Outlet:
    """The way out of a server: changes headers, cuts, and slows down what passes."""

    def __init__(self, faults: tuple[Fault, ...], send: Send, *, transport: Any) -> None:
        self._send = send
        self._transport = transport
        self._headers = [fault.header for fault in faults if fault.verb == "header"]
        self._headers += [("content-type", fault.value) for fault in faults if fault.verb == "type"]
        by_verb = {fault.verb: fault for fault in faults}
        self._left = by_verb["truncate"].number if "truncate" in by_verb else None
        self._drip = by_verb["drip"].drip if "drip" in by_verb else None
        self._has_begun = False
        self._is_cut = False

    async def __call__(self, message: Message) -> None:
        """Send one ASGI message on, altered."""
        if self._is_cut:
            return
        if message["type"] == "http.response.start":
            await self._send({**message, "headers": self._altered(message.get("headers", []))})
            return
        body, has_more = message.get("body", b""), message.get("more_body", False)
        self._is_cut = self._left is not None and len(body) > self._left
        if self._left is not None:
            body = body[: self._left]
            self._left -= len(body)
        await self._pass(body, has_more or self._is_cut)
        if self._is_cut:
            self._transport.close()  # after what was written has left

    async def _pass(self, body: bytes, has_more: bool) -> None:
        size, gap_ms = self._drip or (max(1, len(body)), 0)
        pieces = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
        for number, piece in enumerate(pieces, start=1):
            if gap_ms and piece and self._has_begun:
                await asyncio.sleep(gap_ms / 1000)
            self._has_begun = True
            is_last = number == len(pieces)
            await self._send({"type": "http.response.body", "body": piece, "more_body": has_more or not is_last})

    def _altered(self, headers: Any) -> list[tuple[bytes, bytes]]:
        changed = [(bytes(name), bytes(value)) for name, value in headers]
        for name, text in self._headers:
            key = name.lower().encode("latin-1")
            changed = [(other, value) for other, value in changed if other.lower() != key]
            if text is not None:
                changed.append((key, text.encode("utf-8")))
        return changed

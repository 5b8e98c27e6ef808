"""Forwards the requests of a replay that its recording must not answer: the only requests that leave this machine.

In: requests that the user chose to forward. Out: an application for each that forwards it to the real server, piece by piece.
"""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

import httpx
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from harness.config.authorities import trusted
from harness.model.addresses import ASSETS, split_url
from harness.model.chatkit import CDN_ORIGIN
from harness.model.faults import EXCHANGES, Asked
from harness.model.recording import RecordedExchange

CONNECT_TIMEOUT_S = 30.0
SDK_TARGETS = ("script", "frame", "entry", "assets")
HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade",
                        b"content-encoding", b"content-length", b"alt-svc", b"accept-encoding", b"host"})  # fmt: skip


class LiveSdk:
    """Forwards requests for the SDK's files to the CDN, instead of the recording."""

    def __init__(self, cdn: str = CDN_ORIGIN) -> None:
        self._cdn = urlsplit(cdn)

    def concerns(self, asked: Asked, _exchange: RecordedExchange | None = None, /) -> bool:
        """Whether a request is for a file of the SDK."""
        return any(EXCHANGES[name].is_it(asked) for name in SDK_TARGETS) or split_url(asked.url).path.startswith(ASSETS)

    def __call__(self, asked: Asked, _exchange: RecordedExchange | None, /) -> ASGIApp | None:
        """Return what fetches a file of the SDK; None for everything else."""
        if asked.method != "GET" or not self.concerns(asked):
            return None
        parts = split_url(asked.url)
        return passed_to(urlunsplit((self._cdn.scheme, self._cdn.netloc, parts.path, parts.query, "")))


class LiveRest:
    """Forwards requests that were never recorded to the real server."""

    def concerns(self, _asked: Asked, _exchange: RecordedExchange | None = None, /) -> bool:
        """Never: what is recorded is answered from there."""
        return False

    def __call__(self, asked: Asked, exchange: RecordedExchange | None, /) -> ASGIApp | None:
        """Return what passes a request on that nothing recorded answers."""
        return passed_to(asked.url) if exchange is None else None


def passed_to(url: str) -> ASGIApp:
    """Return an application that has another server answer, under its own name."""

    async def passed_on(scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        headers = [(name, value) for name, value in scope["headers"] if name.lower() not in HOP_BY_HOP]
        timeout = httpx.Timeout(None, connect=CONNECT_TIMEOUT_S)  # how long an answer may take is the page's affair
        try:
            async with (
                httpx.AsyncClient(timeout=timeout, verify=trusted()) as client,
                client.stream(scope["method"], url, headers=headers, content=message.get("body", b"")) as answer,
            ):
                kept = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() not in HOP_BY_HOP]
                await send({"type": "http.response.start", "status": answer.status_code, "headers": kept})
                async for chunk in answer.aiter_bytes():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
        except httpx.ConnectError as error:
            await PlainTextResponse(f"{url} cannot be reached: {error}", status_code=502)(scope, receive, send)

    return passed_on

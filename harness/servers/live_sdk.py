"""Fetches the SDK's own files from where they are now, in a replay that asks for that: the one way out that there is.

In: a CDN's address. Out: for each request of the loader, the frame and their assets an application that passes it on.
"""

from __future__ import annotations

import httpx
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from harness.model.addresses import ASSETS, split_url
from harness.model.faults import EXCHANGES, Asked
from harness.model.recording import RecordedExchange
from harness.servers.app import CDN_ORIGIN

TIMEOUT_S = 30.0
SDK_TARGETS = ("script", "frame", "entry", "assets")
LEFT_OUT = frozenset(
    {"content-encoding", "content-length", "transfer-encoding", "connection", "alt-svc", "strict-transport-security"}
)


class LiveSdk:
    """What answers for the SDK in place of a recording: the CDN itself."""

    def __init__(self, cdn: str = CDN_ORIGIN) -> None:
        self._cdn = cdn.rstrip("/")

    def concerns(self, asked: Asked) -> bool:
        """Whether a request is for a file of the SDK."""
        return any(EXCHANGES[name].is_it(asked) for name in SDK_TARGETS) or split_url(asked.url).path.startswith(ASSETS)

    def __call__(self, asked: Asked, _exchange: RecordedExchange | None, /) -> ASGIApp | None:
        """Return what fetches a file of the SDK; None for everything else."""
        if asked.method != "GET" or not self.concerns(asked):
            return None
        parts = split_url(asked.url)

        async def passed_on(scope: Scope, receive: Receive, send: Send) -> None:
            response = await self._fetched(f"{self._cdn}{parts.path}" + (f"?{parts.query}" if parts.query else ""))
            await response(scope, receive, send)

        return passed_on

    async def _fetched(self, url: str) -> Response:
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=True) as client:
                answer = await client.get(url)
        except httpx.HTTPError as error:
            return PlainTextResponse(f"{url} cannot be fetched: {error}", status_code=502)
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in LEFT_OUT}
        return Response(answer.content, status_code=answer.status_code, headers=headers)

"""Stands between a browser and other people's servers, so that faults can be carried out on what passes.

In: requests under addresses of this machine, each made by `Forwarder.address_of` for one URL. Out: the real server's
answer, chunk by chunk as it comes, altered by the faults. The browser takes this server for the page's own, so cookies
do not find their way by themselves: those that go are given to `address_of`, those that come to `keep_cookies`.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from harness.config.authorities import trusted
from harness.model.faults import Asked, Fault
from harness.model.injection import Injector
from harness.servers.faulty import TRANSPORT, Faulty
from harness.servers.listening import HOST, listening, make_server, running, tls_context

# What belongs to one connection, and not to the exchange.
HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer",
                        b"transfer-encoding", b"upgrade", b"host", b"cookie", b"proxy-connection"})  # fmt: skip
CONNECT_TIMEOUT_S = 30.0

KeepCookies = Callable[[str, list[str]], "Future[None]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passing:
    """One request on its way: what it is, and what goes with it."""

    asked: Asked
    upstream: str  # where it really goes; another URL than the page's in a hermetic run
    cookie: str


class Forwarder:
    """Gives out addresses, and passes on what is asked for under them."""

    def __init__(
        self, *, http_url: str, https_url: str, keep_cookies: KeepCookies, is_trusting: bool, proxy_url: str
    ) -> None:
        self._bases = {"http": http_url, "https": https_url}
        self._keep_cookies = keep_cookies
        self._is_trusting = is_trusting
        self._proxy_url = proxy_url or None
        self._passing: dict[str, Passing] = {}
        self._lock = threading.Lock()

    def address_of(self, asked: Asked, *, upstream: str, cookie: str) -> str:
        """Return where a browser gets the answer to this request. Called from any thread."""
        with self._lock:
            key = secrets.token_hex(16)  # not to be guessed: who asks gets what the page's own cookies get
            self._passing[key] = Passing(asked=asked, upstream=upstream, cookie=cookie)
        return f"{self._bases[urlsplit(asked.url).scheme]}/{key}"

    def passing_of(self, scope: Scope) -> Passing | None:
        """Return the request that an address was made for."""
        return self._passing.get(scope["path"].strip("/"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, and its answer back. A server that cannot be reached breaks the connection."""
        passing = self.passing_of(scope)
        if passing is None:
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b"nothing is forwarded here"})
            return
        try:
            async with self._answer_to(passing, scope, receive) as response:
                await self._send_back(passing, response, send)
        except httpx.HTTPError:
            scope["state"][TRANSPORT].abort()

    @asynccontextmanager
    async def _answer_to(self, passing: Passing, scope: Scope, receive: Receive) -> AsyncIterator[httpx.Response]:
        headers = [(name, value) for name, value in scope["headers"] if name.lower() not in HOP_BY_HOP]
        headers.append((b"host", urlsplit(passing.asked.url).netloc.encode("latin-1")))
        if passing.cookie:
            headers.append((b"cookie", passing.cookie.encode("latin-1")))
        body = await _body_of(receive)
        timeout = httpx.Timeout(None, connect=CONNECT_TIMEOUT_S)  # how long an answer may take is the page's affair
        async with (
            httpx.AsyncClient(
                timeout=timeout,
                verify=False if self._is_trusting else trusted(),
                trust_env=not self._is_trusting,
                proxy=self._proxy_url,
            ) as client,
            client.stream(scope["method"], passing.upstream, headers=headers, content=body) as response,
        ):
            yield response

    async def _send_back(self, passing: Passing, response: httpx.Response, send: Send) -> None:
        url = passing.asked.url
        cookies = [value for name, value in response.headers.multi_items() if name.lower() == "set-cookie"]
        if cookies:
            await asyncio.wrap_future(self._keep_cookies(url, cookies))
        headers = [
            (name.lower(), _absolute(value, url) if name.lower() == b"location" else value)
            for name, value in response.headers.raw
            if name.lower() not in HOP_BY_HOP and name.lower() != b"set-cookie"
        ]
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        async for chunk in response.aiter_raw():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@contextmanager
def serve_forwarder(
    injector: Injector,
    *,
    on_fault: Callable[[Asked, tuple[Fault, ...]], None],
    keep_cookies: KeepCookies,
    is_trusting: bool = False,
    proxy_url: str = "",
) -> Iterator[Forwarder]:
    """Yield a running forwarder, and stop it afterwards.

    `is_trusting`: it goes to servers of this machine, whose certificates nobody has signed. `proxy_url`: of the proxy that it asks, the
    one that the browser has.
    """
    with listening("forwarder", 0) as plain, listening("forwarder", 0) as secure:
        forwarder = Forwarder(
            http_url=f"http://{HOST}:{plain.getsockname()[1]}",
            https_url=f"https://{HOST}:{secure.getsockname()[1]}",
            keep_cookies=keep_cookies,
            is_trusting=is_trusting,
            proxy_url=proxy_url,
        )

        def asked_of(scope: Scope, _operation: str) -> Asked:
            passing = forwarder.passing_of(scope)
            return passing.asked if passing else Asked(method=scope["method"], url="")

        def report(scope: Scope, faults: tuple[Fault, ...]) -> None:
            on_fault(asked_of(scope, ""), faults)

        app: ASGIApp = Faulty(forwarder, injector=lambda: injector, asked_of=asked_of, on_fault=report)
        servers = [(make_server(app, None), plain), (make_server(app, tls_context()), secure)]
        with running(servers):
            yield forwarder


async def _body_of(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body", False):
            return b"".join(parts)


def _absolute(location: bytes, url: str) -> bytes:
    """A redirect is relative to the URL that the page asked for, not to ours."""
    return urljoin(url, location.decode("latin-1")).encode("latin-1")

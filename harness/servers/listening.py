"""Runs ASGI applications on sockets of loopback, in a background thread, until a block ends.

In: applications and ports. Out: sockets that listen before they are handed out, and servers that have started. What is
served is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trustme
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from harness.errors import ServerError
from harness.servers.faulty import TRANSPORT

HOST = "127.0.0.1"
NAMES = (HOST, "localhost", "cdn.platform.openai.com", "*.openai.com", "chatgpt.com", "app.test")
START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0


def listening(name: str, port: int) -> socket.socket:
    """Return a socket that listens on loopback. Raises ServerError that names the port when it is taken."""
    # asyncio turns Nagle's algorithm off only for a socket that names its protocol; with it, answers wait 40 ms for an ACK.
    bound = socket.socket(proto=socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOST, port))
        bound.listen(128)
    except OSError as error:
        bound.close()
        raise ServerError(
            f"the embedded {name} server cannot listen on {HOST}:{port}: {error.strerror}\n"
            "  to fix: stop what uses that port, or give another one (0 takes any that is free)"
        ) from error
    return bound


def tls_context() -> ssl.SSLContext:
    """Return a server context with a certificate of an authority that lives only as long as this process."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert(*NAMES).configure_cert(context)
    return context


class _Server(uvicorn.Server):
    """A uvicorn server that says when it has started."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.has_started = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as usual, then tell."""
        await super().startup(sockets)
        self.has_started.set()


class _Protocol(H11Protocol):
    """HTTP/1.1 that tells the application which connection a request came on: a fault may break it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin as usual."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, TRANSPORT: transport}


class _ProxyProtocol(_Protocol):
    """A proxy's end of a connection: what is to be tunnelled elsewhere is answered here, in TLS."""

    tls: ssl.SSLContext
    _securing: asyncio.Future[None] | None = None

    def data_received(self, data: bytes) -> None:
        """Begin TLS where a tunnel is asked for; everything else is a request."""
        if self._securing is not None and not self._securing.done():
            self._early.append(data)  # the first request, before the handshake has been told to be over
        elif data.startswith(b"CONNECT "):
            self.transport.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self._early: list[bytes] = []
            self._securing = asyncio.ensure_future(self._secure(self.transport))
        else:
            super().data_received(data)

    async def _secure(self, transport: asyncio.Transport) -> None:
        try:
            secured = await asyncio.get_running_loop().start_tls(transport, self, self.tls, server_side=True)
        except (OSError, ssl.SSLError):  # the browser changed its mind
            transport.abort()
            return
        if secured is not None:
            self.connection_made(secured)
            for data in self._early:
                super().data_received(data)


def make_proxy(app: ASGIApp) -> _Server:
    """Return a proxy, not running yet, that answers by itself for every host, on http and https."""
    return _make(app, None, type("Proxy", (_ProxyProtocol,), {"tls": tls_context()}))


def make_server(app: ASGIApp, tls: ssl.SSLContext | None) -> _Server:
    """Return a server that is not running yet; `running` runs it."""
    return _make(app, tls, _Protocol)


def _make(app: ASGIApp, tls: ssl.SSLContext | None, protocol: type[H11Protocol]) -> _Server:
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # who the peer is, is for the socket to say
        timeout_graceful_shutdown=1,
    )
    config.load()
    config.ssl = tls
    return _Server(config)


@contextmanager
def running(servers: list[tuple[_Server, socket.socket]]) -> Iterator[None]:
    """Run servers in a thread of their own until the block ends."""
    has_started = threading.Event()
    faults: list[BaseException] = []

    async def serve_all() -> None:
        tasks = [asyncio.create_task(server.serve(sockets=[bound])) for server, bound in servers]
        started = asyncio.gather(*(server.has_started.wait() for server, _ in servers))
        waited_for: list[asyncio.Future[Any]] = [started, *tasks]
        await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)
        if started.done():
            has_started.set()
        await asyncio.gather(*tasks)

    def run() -> None:
        try:
            asyncio.run(serve_all())
        except BaseException as error:  # SystemExit too: uvicorn leaves that way, and no one else sees it in a thread
            faults.append(error)
        finally:
            has_started.set()

    thread = threading.Thread(target=run, name="chatkit-servers", daemon=True)
    thread.start()
    try:
        if not has_started.wait(START_TIMEOUT_S):
            raise ServerError(f"the embedded servers did not start on {HOST} within {START_TIMEOUT_S:.0f} s")
        if faults:
            raise ServerError(f"the embedded servers did not start on {HOST}: {faults[0]!r}") from faults[0]
        yield
    finally:
        for server, _ in reversed(servers):
            server.force_exit = True
            server.should_exit = True
        thread.join(STOP_TIMEOUT_S)

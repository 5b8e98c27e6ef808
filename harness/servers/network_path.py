"""The network path of a hermetic visit: a proxy on loopback that decides by host where each connection goes.

In: connections of a browser that has this server as its proxy, and the addresses of the embedded servers. Out: bytes, spliced to one of
those servers and changed by nobody; a report of each request for anywhere else, which is refused. The embedded servers have
certificates for the hosts that they stand for, so names, pre-flights, cookies, sockets and streams are as in production.
"""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from harness.errors import ServerError
from harness.model.addresses import is_loopback
from harness.model.chatkit import CDN_HOST
from harness.servers.listening import HOST, START_TIMEOUT_S, STOP_TIMEOUT_S, listening

APP_HOST = "app.test"
OPENAI_HOSTS = ("openai.com", "chatgpt.com")
LARGEST_HEAD_BYTES = 64 * 1024
HEAD_TIMEOUT_S = 30.0  # for the first line and the headers: who sends them slower is no browser
PIECE_BYTES = 64 * 1024
HTTPS, HTTP = 443, 80
REFUSAL = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
# Of one connection; what passes here is one request on a connection of its own.
OF_THE_CONNECTION = re.compile(rb"^(?:proxy-[a-z-]+|connection|keep-alive):", re.IGNORECASE)

# How a connection ends that was not closed as it should be; the last one is the end of the visit.
BROKEN = (
    OSError,
    asyncio.IncompleteReadError,
    asyncio.LimitOverrunError,
    TimeoutError,
    ValueError,
    asyncio.CancelledError,
)

OnRefused = Callable[[str, str], object]  # method and URL; "CONNECT" and "https://host" where only the host is known
Address = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Destinations:
    """Where a hermetic visit's requests go: URLs on loopback, without a path; `cdn` may be any URL that answers for the CDN."""

    cdn: str
    api: str
    app: str
    app_http: str = ""  # of the app once more, for a page without TLS

    def address_of(self, host: str, port: int) -> Address | None:
        """Return host and port of the server that answers for a name; None when it is neither ours nor this machine."""
        if is_loopback(host):
            return host.strip("[]"), port
        if port == HTTP:
            return _address(self.app_http) if host == APP_HOST and self.app_http else None
        if port != HTTPS:
            return None
        if host == CDN_HOST:
            return _address(self.cdn)
        if host == APP_HOST:
            return _address(self.app)
        if any(host == name or host.endswith("." + name) for name in OPENAI_HOSTS):
            return _address(self.api)
        return None


def _ignore(_method: str, _url: str) -> None:
    """The listener between visits."""


@dataclass(slots=True)
class NetworkPath:
    """A running proxy. `on_refused` is called in its thread."""

    to: Destinations
    on_refused: OnRefused = _ignore
    url: str = ""
    _open: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection of the browser."""
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            with suppress(*BROKEN):
                async with asyncio.timeout(HEAD_TIMEOUT_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                await self._connect(head, reader, writer)
        finally:
            self._open.discard(task)
            writer.transport.abort()

    async def _connect(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
        is_tunnel = method == "CONNECT"
        parts = urlsplit(f"//{target}" if is_tunnel else target)
        host, port = (parts.hostname or "").rstrip("."), parts.port or (HTTPS if is_tunnel else HTTP)
        address = self.to.address_of(host, port)
        if address is None:
            self.on_refused(method, _origin(host, port) if is_tunnel else target)
        try:
            upstream = await asyncio.open_connection(*address) if address is not None else None
        except OSError:  # nobody listens there
            upstream = None
        if upstream is None:
            if is_tunnel:
                writer.write(REFUSAL)
                writer.close()  # when it has been sent
                await writer.wait_closed()
            return
        if is_tunnel:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            upstream[1].write(_origin_form(head, method, target))
        await _splice((reader, writer), upstream)

    def end(self) -> None:
        """Break every connection that is still open."""
        for task in self._open:
            task.cancel()


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _splice(one: Stream, other: Stream) -> None:
    """Pass on what comes from either side until both have ended; a side that breaks breaks the other."""
    pumps = [asyncio.ensure_future(_pump(one[0], other[1])), asyncio.ensure_future(_pump(other[0], one[1]))]
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for pump in pumps:
            pump.cancel()
        other[1].transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(PIECE_BYTES):
        writer.write(piece)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


def _origin_form(head: bytes, method: str, target: str) -> bytes:
    """Return a proxied request's first line and headers as its server gets them (RFC 9112, 3.2.1), for a connection of its own."""
    path = re.sub(r"^[a-z]+://[^/?#]*", "", target, flags=re.IGNORECASE)
    path = path if path.startswith("/") else f"/{path}"
    lines = head.rstrip(b"\r\n").split(b"\r\n")[1:]
    is_upgrade = any(line.lower().startswith(b"upgrade:") for line in lines)
    kept = [line for line in lines if OF_THE_CONNECTION.match(line) is None]
    kept.append(b"Connection: Upgrade" if is_upgrade else b"Connection: close")
    return b"\r\n".join([f"{method} {path} HTTP/1.1".encode("latin-1"), *kept, b"", b""])


def _origin(host: str, port: int) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"https://{name}" if port == HTTPS else f"https://{name}:{port}"


def _address(url: str) -> Address:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (HTTPS if parts.scheme == "https" else HTTP)


@contextmanager
def serve_network_path(to: Destinations) -> Iterator[NetworkPath]:
    """Yield a running proxy, and stop it afterwards. Raises ServerError when it does not start."""
    path = NetworkPath(to=to)
    with listening("proxy", 0) as bound:
        path.url = f"http://{HOST}:{bound.getsockname()[1]}"
        loop = asyncio.new_event_loop()
        has_started = threading.Event()
        thread = threading.Thread(target=_run, args=(loop, path, bound, has_started), name="chatkit-proxy", daemon=True)
        thread.start()
        try:
            if not has_started.wait(START_TIMEOUT_S):
                raise ServerError(f"the proxy did not start on {path.url} within {START_TIMEOUT_S:.0f} s")
            yield path
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(STOP_TIMEOUT_S)


def _run(loop: asyncio.AbstractEventLoop, path: NetworkPath, bound: socket.socket, started: threading.Event) -> None:
    asyncio.set_event_loop(loop)
    server = loop.run_until_complete(asyncio.start_server(path.serve, sock=bound, limit=LARGEST_HEAD_BYTES))
    started.set()
    try:
        loop.run_forever()
    finally:
        server.close()
        path.end()
        pending = asyncio.all_tasks(loop)
        loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        loop.close()

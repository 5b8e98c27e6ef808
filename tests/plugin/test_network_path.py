"""The proxy of a hermetic visit on real sockets: what it connects, what it refuses, and what it does with those who are no browser."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from harness.servers import network_path
from harness.servers.network_path import Destinations, NetworkPath, serve_network_path
from tests.commands import TIMEOUT_S


class Server:
    """A server that keeps what it gets, and answers "<name>" to the end of a request's headers."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.got: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=500)
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            got = b""
            while b"\r\n\r\n" not in got and (piece := connection.recv(65536)):
                got += piece
            self.got.append(got)
            connection.sendall(self.name.encode())

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()


class Path:
    """A running proxy between four servers, and what it refused."""

    def __init__(self, path: NetworkPath, servers: dict[str, Server]) -> None:
        self.servers = servers
        self.refused: list[tuple[str, str]] = []
        self._address = ("127.0.0.1", int(path.url.rpartition(":")[2]))
        path.on_refused = lambda method, url: self.refused.append((method, url))

    def connected(self) -> socket.socket:
        """Return a connection to the proxy."""
        return socket.create_connection(self._address, timeout=TIMEOUT_S)

    def asked(self, text: bytes) -> bytes:
        """Send bytes, and return everything that comes until the proxy closes the connection."""
        with self.connected() as connection:
            connection.sendall(text)
            return whole(connection)

    def tunnelled(self, host: str) -> str:
        """Return which server a tunnel leads to, "" when it is refused."""
        with self.connected() as connection:
            connection.sendall(f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            answer = connection.recv(1000)
            if not answer.startswith(b"HTTP/1.1 200 "):
                return ""
            connection.sendall(b"x\r\n\r\n")
            return whole(connection).decode()


def whole(connection: socket.socket) -> bytes:
    """Return what comes until the other side ends."""
    got = b""
    with suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            got += piece
    return got


@contextmanager
def running() -> Iterator[Path]:
    """Yield a running proxy."""
    servers = {name: Server(name) for name in ("cdn", "api", "app", "app_http")}
    urls = {
        name: f"http{'' if name == 'app_http' else 's'}://127.0.0.1:{server.port}" for name, server in servers.items()
    }
    with serve_network_path(Destinations(**urls)) as path:
        yield Path(path, servers)
    for server in servers.values():
        server.close()


@pytest.fixture(scope="module")
def path_of_the_module() -> Iterator[Path]:
    """A proxy, started once."""
    with running() as path:
        yield path


@pytest.fixture
def path(path_of_the_module: Path) -> Path:
    """A proxy that has refused nothing yet."""
    path_of_the_module.refused.clear()
    for server in path_of_the_module.servers.values():
        server.got.clear()
    return path_of_the_module


@pytest.mark.parametrize(
    ("host", "server"),
    [
        ("cdn.platform.openai.com:443", "cdn"),
        ("CDN.Platform.OpenAI.com:443", "cdn"),
        ("api.openai.com:443", "api"),
        ("eu.api.openai.com.:443", "api"),
        ("chatgpt.com:443", "api"),
        ("app.test:443", "app"),
        ("app.test:80", "app_http"),
    ],
)
def test_a_tunnel_leads_to_the_server_that_answers_for_its_host(path: Path, host: str, server: str) -> None:
    """In any case, and with the dot of a full name."""
    assert path.tunnelled(host) == server
    assert path.refused == []


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("tracker.example:443", "https://tracker.example"),
        ("api.openai.com:8443", "https://api.openai.com:8443"),
        ("api.openai.com:22", "https://api.openai.com:22"),
        ("api.openai.com:80", "https://api.openai.com:80"),
        ("notopenai.com:443", "https://notopenai.com"),
        ("api.openai.com.evil.test:443", "https://api.openai.com.evil.test"),
        ("93.184.216.34:443", "https://93.184.216.34"),
        ("169.254.169.254:80", "https://169.254.169.254:80"),
        ("[2606:2800::1]:443", "https://[2606:2800::1]"),
        ("xn--bcher-kva.example:443", "https://xn--bcher-kva.example"),
        ("bücher.example:443", "https://bã¼cher.example"),
    ],
)
def test_a_tunnel_anywhere_else_is_refused_and_reported(path: Path, host: str, url: str) -> None:
    """A host that is no ASCII is nobody's; browsers send its other form."""
    assert path.tunnelled(host) == ""
    assert path.refused == [("CONNECT", url)]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "x.localhost", "127.1.2.3", "0.0.0.0"])
def test_servers_of_this_machine_are_reached(path: Path, host: str) -> None:
    """By any name and address of loopback, on any port."""
    assert path.tunnelled(f"{host}:{path.servers['app'].port}") in ("app", "")  # systems without x.localhost refuse it
    assert path.refused == []


def test_a_port_of_this_machine_that_nobody_listens_on_is_no_tunnel(path: Path) -> None:
    """It is not reported: nothing would have left."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert path.tunnelled(f"127.0.0.1:{free.getsockname()[1]}") == ""
    assert path.refused == []


def test_a_plain_request_is_sent_in_the_form_that_servers_expect(path: Path) -> None:
    """Path and query, without the proxy's headers, on a connection that ends with it."""
    text = b"GET http://app.test/a?b=c#d HTTP/1.1\r\nHost: app.test\r\nProxy-Connection: keep-alive\r\nX-A: b\r\nConnection: x\r\n\r\n"
    assert path.asked(text) == b"app_http"
    assert path.servers["app_http"].got == [
        b"GET /a?b=c#d HTTP/1.1\r\nHost: app.test\r\nX-A: b\r\nConnection: close\r\n\r\n"
    ]


def test_a_plain_upgrade_keeps_its_header(path: Path) -> None:
    """A WebSocket without TLS, from a client that does not use a tunnel for it."""
    assert (
        path.asked(b"GET http://app.test HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n") == b"app_http"
    )
    assert path.servers["app_http"].got == [b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"]


def test_a_plain_request_for_elsewhere_breaks_its_connection(path: Path) -> None:
    """The page sees a failed request, and no answer of ours."""
    assert path.asked(b"POST http://tracker.example/t?x=1 HTTP/1.1\r\nHost: tracker.example\r\n\r\n") == b""
    assert path.refused == [("POST", "http://tracker.example/t?x=1")]


@pytest.mark.parametrize(
    "text",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"CONNECT api.openai.com:99999 HTTP/1.1\r\n\r\n",
        b"CONNECT [::1 HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x00\x05hello\r\n\r\n",
        b"GET http://app.test/" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    ],
    ids=["nothing", "one word", "no port", "no host", "TLS", "too long"],
)
def test_what_is_no_request_ends_its_connection_only(path: Path, text: bytes) -> None:
    """The next one is served."""
    assert path.asked(text) == b""
    assert path.tunnelled("api.openai.com:443") == "api"


def test_who_never_ends_its_headers_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a time, and holds nobody up before."""
    monkeypatch.setattr(network_path, "HEAD_TIMEOUT_S", 0.2)
    with running() as path, path.connected() as slow:
        slow.sendall(b"CONNECT api.openai.com:443 HT")
        assert path.tunnelled("api.openai.com:443") == "api"
        assert whole(slow) == b""


def test_hundreds_of_connections_at_once_are_served(path: Path) -> None:
    """More than a browser ever opens."""
    waiting = [path.connected() for _ in range(300)]
    try:
        assert path.tunnelled("api.openai.com:443") == "api"
        for connection in waiting:
            connection.sendall(b"CONNECT api.openai.com:443 HTTP/1.1\r\n\r\n")
        assert all(connection.recv(1000).startswith(b"HTTP/1.1 200 ") for connection in waiting)
    finally:
        for connection in waiting:
            connection.close()


def proxies() -> int:
    """Return how many threads of proxies there are."""
    return sum(thread.name == "chatkit-proxy" for thread in threading.enumerate())


def test_the_end_of_a_visit_breaks_what_is_open() -> None:
    """No thread and no connection is left."""
    before = proxies()
    with running() as path:
        connection = path.connected()
        connection.sendall(b"CONNECT api.openai.com:443 HTTP/1.1\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
    assert whole(connection) == b""
    connection.close()
    assert proxies() == before

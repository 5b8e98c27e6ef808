"""A host page and a custom-mode backend that answer exactly what a test says, over http and https on loopback.

In: answers by operation, and the HTML of the page. Out: a running server, and the requests that it got. It knows
nothing of ChatKit but that a body has a `type`.
"""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trustme

EMPTY_PAGE = {"data": [], "has_more": False}
HOLD_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer: JSON, or any text with its media type."""

    status: int = 200
    json: Any = None
    text: str | None = None
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Server-sent events: each a dict (one line of JSON), a str (verbatim), or `HOLD` (wait for `release`)."""

    events: tuple[Any, ...]
    status: int = 200
    media_type: str = "text/event-stream"


HOLD = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What reached the backend. Header names are lower case."""

    path: str
    headers: dict[str, str]
    body: Any
    raw: bytes

    @property
    def operation(self) -> str:
        """The `type` of a ChatKit request, "" for anything else."""
        return str(self.body.get("type", "")) if isinstance(self.body, dict) else ""

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of a ChatKit request."""
        return dict(self.body["params"])


class HostServer:
    """The page and the backend of one test. Answers to one operation are used up in order; the last one stays."""

    def __init__(self, url: str, tls_url: str) -> None:
        self.url = url
        self.tls_url = tls_url
        self.page = ""
        self.page_headers: dict[str, str] = {}
        self.requests: list[Request] = []
        self._answers: dict[str, list[Answer | Stream]] = {}
        self._released = threading.Event()
        self._lock = threading.Lock()

    def reset(self) -> None:
        """Forget the last test."""
        self._released.set()  # lets go of what still waits
        self._released = threading.Event()
        self.page, self.page_headers = "", {}
        self.requests = []
        self._answers = {"threads.list": [Answer(json=EMPTY_PAGE)]}

    def on(self, operation: str, *answers: Answer | Stream) -> None:
        """Answer an operation, or a path such as "/upload", this way from now on."""
        self._answers[operation] = list(answers)

    def release(self) -> None:
        """Let streams that hold go on."""
        self._released.set()

    def requests_of(self, operation: str) -> list[Request]:
        """Return the requests of one operation, in order."""
        return [request for request in self.requests if request.operation == operation]

    def next_answer(self, key: str) -> Answer | Stream:
        """Return the answer for an operation; 404 when the test has none."""
        with self._lock:
            answers = self._answers.get(key)
            if not answers:
                return Answer(status=404, json={"message": f"nothing answers {key}"})
            return answers.pop(0) if len(answers) > 1 else answers[0]

    def wait(self) -> None:
        """Wait for `release`, or the end of the test."""
        self._released.wait(HOLD_TIMEOUT_S)


@contextlib.contextmanager
def serve_host() -> Iterator[HostServer]:
    """Yield the running server."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1", "localhost", "app.test").configure_cert(context)
    plain, secure = (_Listener(("127.0.0.1", 0), _Handler) for _ in range(2))
    secure.socket = context.wrap_socket(secure.socket, server_side=True, do_handshake_on_connect=False)
    host = HostServer(f"http://127.0.0.1:{plain.server_port}", f"https://127.0.0.1:{secure.server_port}")
    host.reset()
    threads = []
    for listener in (plain, secure):
        listener.host = host
        threads.append(threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True))
        threads[-1].start()
    try:
        yield host
    finally:
        host.release()
        for listener, thread in zip((plain, secure), threads, strict=True):
            listener.shutdown()
            thread.join()
            listener.server_close()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    host: HostServer

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        """A browser that goes away is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: _Listener

    def do_GET(self) -> None:
        """Answer with the page, or what the test has for the path."""
        if self.path.split("?")[0] == "/":
            host = self.server.host
            self._send(Answer(text=host.page, media_type="text/html; charset=utf-8", headers=host.page_headers))
        else:
            self._send(self.server.host.next_answer(self.path.split("?")[0]))

    def do_POST(self) -> None:
        """Answer an operation of ChatKit, or whatever else the path is for."""
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(path=self.path, headers=headers, body=body, raw=raw)
        self.server.host.requests.append(request)
        self._send(self.server.host.next_answer(request.operation or self.path))

    def do_PUT(self) -> None:
        """Answer an upload."""
        self.do_POST()

    def _send(self, answer: Answer | Stream) -> None:
        self.send_response(answer.status)
        self.send_header("content-type", answer.media_type)
        self.send_header("cache-control", "no-store")
        for name, value in (answer.headers if isinstance(answer, Answer) else {}).items():
            self.send_header(name, value)
        self.end_headers()
        if isinstance(answer, Stream):
            self._stream(answer)
        else:
            self.wfile.write((answer.text if answer.text is not None else json.dumps(answer.json)).encode())

    def _stream(self, stream: Stream) -> None:
        for event in stream.events:
            if event is HOLD:
                self.server.host.wait()
            else:
                text = event if isinstance(event, str) else f"data: {json.dumps(event)}\n\n"
                self.wfile.write(text.encode())
                self.wfile.flush()

    def log_message(self, *_args: Any) -> None:
        """Stay silent; the requests are kept."""

"""A web site on loopback for tests: paths and what they answer, the endless and the hostile included."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE_GAP_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one path answers."""

    body: bytes = b""
    media_type: str = "text/html"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    never_ends: bool = False  # the headers and the body are sent, and then nothing more
    never_begins: bool = False
    times: int = 1  # the body is sent this often; more than once: its length is not announced
    pieces: tuple[bytes, ...] = ()  # a body that comes in pieces, PIECE_GAP_S apart
    echoes_cookies: bool = False  # the body is the request's Cookie header


@contextmanager
def serve_site(
    answers: Mapping[str, Answer],
    asked: list[str] | None = None,
    tls: ssl.SSLContext | None = None,
    got: dict[str, dict[str, str]] | None = None,
) -> Iterator[str]:
    """Yield the site's URL, without a slash at the end.

    `asked` gets the path of every request, and `got` the headers of the last one to each path, in small letters; with `tls` it is https.
    """
    is_over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if asked is not None:
                asked.append(self.path)
            if got is not None:
                got[self.path] = {name.lower(): value for name, value in self.headers.items()}
            answer = answers.get(self.path.split("?")[0], Answer(status=404, body=b"nothing here"))
            if answer.never_begins:
                is_over.wait()
                return
            self.send_response(answer.status)
            self.send_header("content-type", answer.media_type)
            for name, value in answer.headers:
                self.send_header(name, value)
            body = (self.headers.get("cookie") or "").encode() if answer.echoes_cookies else answer.body
            size = len(body) + sum(map(len, answer.pieces)) + (1_000 if answer.never_ends else 0)
            if answer.times == 1:
                self.send_header("content-length", str(size))
            self.end_headers()
            for _ in range(answer.times):
                self.wfile.write(body)
            for piece in answer.pieces:
                self.wfile.write(piece)
                self.wfile.flush()
                time.sleep(PIECE_GAP_S)
            if answer.never_ends:
                self.wfile.flush()
                is_over.wait()

        do_POST = do_GET  # noqa: N815 (the name that http.server looks for)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        is_over.set()
        server.shutdown()
        server.server_close()

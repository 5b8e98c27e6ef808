"""A web site on loopback for tests: paths and what they answer, the endless and the hostile included."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


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


@contextmanager
def serve_site(answers: Mapping[str, Answer]) -> Iterator[str]:
    """Yield the site's URL, without a slash at the end."""
    is_over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = answers.get(self.path.split("?")[0], Answer(status=404, body=b"nothing here"))
            if answer.never_begins:
                is_over.wait()
                return
            self.send_response(answer.status)
            self.send_header("content-type", answer.media_type)
            for name, value in answer.headers:
                self.send_header(name, value)
            if answer.times == 1:
                self.send_header("content-length", str(len(answer.body) + (1_000 if answer.never_ends else 0)))
            self.end_headers()
            for _ in range(answer.times):
                self.wfile.write(answer.body)
            if answer.never_ends:
                self.wfile.flush()
                is_over.wait()

        do_POST = do_GET  # noqa: N815 (the name that http.server looks for)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        is_over.set()
        server.shutdown()
        server.server_close()

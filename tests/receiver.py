"""Whoever is told of a smoke run, on loopback: a webhook, a collector of traces, and as much of GitHub's issues as is asked of it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.commands import TIMEOUT_S

REPO, TOKEN = "example/chat", "github-test-token-0123456789"
ISSUES = re.compile(rf"/repos/{REPO}/issues(?:/(\d+)(/comments)?)?")


@dataclass
class Receiver:
    """What was received. `webhook_status` is what the webhook answers; 0: it hangs."""

    url: str = ""
    webhook_status: int = 200
    github_status: int = 0  # 0: as GitHub would
    messages: list[dict[str, Any]] = field(default_factory=list)
    traces: list[dict[str, Any]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    authorizations: set[str] = field(default_factory=set)
    is_over: threading.Event = field(default_factory=threading.Event)

    @property
    def webhook(self) -> str:
        """The webhook's address; like a real one it is a secret."""
        return f"{self.url}/services/T000/B000/webhook-test-secret-1"

    def open_issues(self) -> list[dict[str, Any]]:
        """Return the issues that are open."""
        return [issue for issue in self.issues if issue["state"] == "open"]

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Return status and JSON for a request to the API."""
        parts = urlsplit(path)
        if parts.path == "/v1/traces":
            self.traces.append(body)
            return 200, {}
        match = ISSUES.fullmatch(parts.path)
        if self.github_status or match is None:
            return self.github_status or 404, {"message": "no"}
        number, comments = match[1], match[2]
        if number is None and method == "GET":
            query = parse_qs(parts.query)
            assert query["state"] == ["open"]
            return 200, [issue for issue in self.open_issues() if query["labels"][0] in issue["labels"]]
        if number is None:
            issue = {"number": len(self.issues) + 1, "state": "open", "comments": [], **body}
            self.issues.append(issue)
            return 201, issue
        issue = self.issues[int(number) - 1]
        if comments:
            issue["comments"].append(body["body"])
            return 201, {}
        issue.update(body)
        return 200, issue


@contextmanager
def serve_receiver() -> Iterator[Receiver]:
    """Yield a receiver that listens."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            if self.path.startswith("/services/"):
                if receiver.webhook_status == 0:
                    receiver.is_over.wait(TIMEOUT_S)
                    return
                if receiver.webhook_status == 200:
                    receiver.messages.append(body)
                status, answer = receiver.webhook_status, "ok"
            else:
                receiver.authorizations.add(self.headers["authorization"])
                status, answer = receiver.answer(self.command, self.path, body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = _handle  # noqa: N815 (the names that http.server looks for)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.is_over.set()
        server.shutdown()
        server.server_close()

"""Client secrets in the format that the frame reads, and the API's answers to them.

In: claims. Out: `<prefix>_<vv><base64 JSON>`. The values open nothing.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import BrowserContext, Request, Route

ENDPOINTS = re.compile(r"^https://(?:us\.|eu\.)?api\.openai\.com/v1/chatkit/")
EMPTY_PAGE: dict[str, Any] = {"data": [], "has_more": False}
EMPTY_STREAM: dict[str, Any] = {"status": 200, "content_type": "text/event-stream", "body": ""}


def make_secret(version: str = "00", *, prefix: str = "ek_test", lasts_s: int = 3_600, **claims: Any) -> str:
    """Return a client secret that expires so many seconds from now."""
    body = {"expires_at": int(time.time()) + lasts_s} | claims
    return f"{prefix}_{version}{base64.b64encode(json.dumps(body).encode()).decode()}"


class Api:
    """Routed hosted endpoints: every request is kept, and answered as the test says."""

    def __init__(self, context: BrowserContext) -> None:
        self.requests: list[Request] = []
        self.answer: Callable[[Request], dict[str, Any]] = lambda _request: {"json": EMPTY_PAGE}
        context.route(ENDPOINTS, self._handle)

    def _handle(self, route: Route) -> None:
        request = route.request
        self.requests.append(request)
        answer = self.answer(request)
        if answer.get("abort"):
            route.abort()
        elif answer:
            route.fulfill(**answer)

    def of(self, path: str) -> list[Request]:
        """Return the requests for a path such as "conversation"."""
        return [request for request in self.requests if request.url.endswith(f"/v1/chatkit/{path}")]

    def bearers(self, path: str) -> list[str]:
        """Return the bearer of each request for a path, "" for an empty one."""
        return [request.headers.get("authorization", "").removeprefix("Bearer").strip() for request in self.of(path)]


def operation_of(request: Request) -> str:
    """Return the `type` of a conversation request."""
    body = request.post_data_json
    return str(body.get("type", "")) if isinstance(body, dict) else ""

"""Routes a hermetic visit: sends requests for OpenAI's hosts to the embedded servers, and aborts all others that would leave this
machine.

In: a context and the servers' addresses. Out: routes, and a report of each request that was blocked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Route

from harness.model.chatkit import CDN_HOST

LEAVES_LOOPBACK = re.compile(r"^(?:https?|wss?)://(?!(?:127(?:\.\d+){3}|localhost|\[::1\])(?::\d+)?(?:/|$))")
APP_HOST = "app.test"
OPENAI_HOSTS = ("openai.com", "chatgpt.com")


@dataclass(frozen=True, slots=True, kw_only=True)
class Destinations:
    """Where a hermetic visit's requests go: URLs on loopback, without a path."""

    cdn: str
    api: str
    app: str
    app_http: str = ""  # of the app once more, for a page without TLS


def install_routes(context: BrowserContext, to: Destinations, *, on_blocked: Callable[[str, str], None]) -> None:
    """Keep every request of the context on this machine."""

    def handle(route: Route) -> None:
        url = route.request.url
        target = destination_of(url, to)
        if target is None:
            on_blocked(route.request.method, url)
            route.abort("internetdisconnected")
            return
        route.continue_(url=target)

    context.route(LEAVES_LOOPBACK, handle)


def install_sdk_route(context: BrowserContext, sdk_url: str) -> None:
    """Have a server on this machine answer for ChatKit's CDN; nothing else about the context's requests is changed."""
    context.route(
        f"https://{CDN_HOST}/**", lambda route: route.continue_(url=sdk_destination_of(route.request.url, sdk_url))
    )


def sdk_destination_of(url: str, sdk_url: str) -> str | None:
    """Return the URL that answers in place of one of the CDN's, None for any other."""
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.hostname != CDN_HOST:
        return None
    return sdk_url + (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def destination_of(url: str, to: Destinations) -> str | None:
    """Return the loopback URL that answers in place of this one, path and query unchanged; None when nothing does."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host == APP_HOST and parts.scheme == "http" and to.app_http:
        base = to.app_http
    elif parts.scheme != "https":
        return None
    elif host == CDN_HOST:
        base = to.cdn
    elif host == APP_HOST:
        base = to.app
    elif any(host == name or host.endswith("." + name) for name in OPENAI_HOSTS):
        base = _under_its_name(to.api, host)
    else:
        return None
    return base + (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _under_its_name(base: str, host: str) -> str:
    """Return a loopback URL that still says which host was asked: browsers take every name in `localhost` for this machine.

    One server answers for all of OpenAI's hosts, and a region's secret is good on the region's host only.
    """
    port = urlsplit(base).port
    return f"https://{host}.localhost:{port}"

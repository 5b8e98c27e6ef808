"""Routes a hermetic visit: OpenAI's hosts to the embedded servers, everything else that would leave this machine nowhere.

In: a context and the servers' addresses. Out: routes, and a report of each request that was blocked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Route

LEAVES_LOOPBACK = re.compile(r"^(?:https?|wss?)://(?!(?:127(?:\.\d+){3}|localhost|\[::1\])(?::\d+)?(?:/|$))")
CDN_HOST = "cdn.platform.openai.com"
APP_HOST = "app.test"
OPENAI_HOSTS = ("openai.com", "chatgpt.com")


@dataclass(frozen=True, slots=True, kw_only=True)
class Destinations:
    """Where a hermetic visit's requests go. All are https URLs on loopback, without a path."""

    cdn: str
    api: str
    app: str


def install_routes(
    context: BrowserContext, to: Destinations, *, blocked_glob: str, on_blocked: Callable[[str, str], None]
) -> None:
    """Keep every request of the context on this machine. `blocked_glob` names URLs that are aborted on purpose."""

    def handle(route: Route) -> None:
        url = route.request.url
        if blocked_glob and fnmatch(url, blocked_glob):
            route.abort("blockedbyclient")
            return
        target = destination_of(url, to)
        if target is None:
            on_blocked(route.request.method, url)
            route.abort("internetdisconnected")
            return
        route.continue_(url=target)

    context.route(LEAVES_LOOPBACK, handle)
    if blocked_glob:
        context.route(re.compile(r"^http://(?:127\.0\.0\.1|localhost)"), lambda route: (
            route.abort("blockedbyclient") if fnmatch(route.request.url, blocked_glob) else route.continue_()
        ))  # fmt: skip


def destination_of(url: str, to: Destinations) -> str | None:
    """Return the loopback URL that answers in place of this one, path and query unchanged; None when nothing does."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        return None
    if host == CDN_HOST:
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

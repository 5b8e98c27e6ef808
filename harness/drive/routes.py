"""Sends a live visit's requests for ChatKit's CDN to a server on this machine, where the SDK is chosen.

In: a context and the server's address. Out: a route.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext

from harness.model.chatkit import CDN_HOST


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

"""Sends headers of the configuration with the requests to the page's own origin, and with no others.

In: a context, the page's URL, headers. A header that signs in has no business at OpenAI or on a CDN, and would make every request there ask
for leave first. Playwright keeps added headers when the page's own server redirects elsewhere.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Route


def install_headers(context: BrowserContext, url: str, headers: tuple[tuple[str, str], ...]) -> None:
    """Add these headers to every request that goes to the origin of the URL."""
    own = _origin(url)
    added = {name.lower(): value for name, value in headers}

    def add(route: Route) -> None:
        request = route.request
        if _origin(request.url) == own:
            route.fallback(headers={**request.headers, **added})
        else:
            route.fallback()

    context.route(lambda asked: _origin(asked) == own, add)


def _origin(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", url
    return parts.scheme, parts.netloc

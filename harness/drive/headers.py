"""Adds configured headers to the requests to the page's own origin only.

In: a context, a page, its URL, headers. A header that signs in has no business at OpenAI, on a CDN, or at the sign-in page of somebody
else that the page's own server redirects to; and it would make every request there ask for leave first. Playwright keeps added headers
when a request is redirected, so in Chromium they are added through the DevTools protocol, where they end at a redirect
(https://chromedevtools.github.io/devtools-protocol/tot/Fetch/#method-continueRequest). Other engines have Playwright's way only.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from playwright.sync_api import BrowserContext, Error, Page, Route

from harness.model.addresses import split_url


def install_headers(context: BrowserContext, page: Page, url: str, headers: tuple[tuple[str, str], ...]) -> None:
    """Add these headers to every request that goes to the origin of the URL, from this page and those that it opens."""
    own = _origin(url)
    added = {name.lower(): value for name, value in headers}
    try:
        _add_in(page, own, added)
    except Error:  # "CDP session is only available in Chromium"
        context.route(lambda asked: _origin(asked) == own, _adding(added))
        return
    context.on("page", _quietly(lambda opened: _add_in(opened, own, added)))


def _add_in(page: Page, own: tuple[str, str], added: dict[str, str]) -> None:
    session = page.context.new_cdp_session(page)

    def paused(asked: dict[str, Any]) -> None:
        answer: dict[str, Any] = {"requestId": asked["requestId"]}
        if _origin(asked["request"]["url"]) == own:
            sent = {name.lower(): value for name, value in asked["request"]["headers"].items()} | added
            answer["headers"] = [{"name": name, "value": value} for name, value in sent.items()]
        session.send("Fetch.continueRequest", answer)

    session.on("Fetch.requestPaused", _quietly(paused))
    scheme, place = own
    session.send("Fetch.enable", {"patterns": [{"urlPattern": f"{scheme}://{place}/*", "requestStage": "Request"}]})


def _quietly(handle: Callable[[Any], None]) -> Callable[[Any], None]:
    """The page may be gone, and its requests with it."""

    def handled(given: Any) -> None:
        with suppress(Error):
            handle(given)

    return handled


def _adding(added: dict[str, str]) -> Callable[[Route], None]:
    return lambda route: route.fallback(headers={**route.request.headers, **added})


def _origin(url: str) -> tuple[str, str]:
    parts = split_url(url)
    return parts.scheme, parts.netloc

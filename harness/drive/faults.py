"""Injects faults in the browser: requests are aborted here, and requests whose response is changed are sent to the forwarder.

In: a context, an injector, and the forwarder. Out: routes only for the requests that the faults can match. They are installed last, so
they have priority.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from concurrent.futures import Future
from email.utils import parsedate_to_datetime
from http.cookies import CookieError, Morsel, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Error, Request, Route

from harness.model.faults import ABORT, EXCHANGES, Asked, Fault, operation_of
from harness.model.injection import Injector
from harness.observe.playwright_private import add_cookie, loop_of

DESTINATIONS = {"fetch": "empty", "xhr": "empty", "stylesheet": "style", "eventsource": "empty", "ping": "empty"}
SAME_SITE: dict[str, str] = {"strict": "Strict", "lax": "Lax", "none": "None"}

OnFault = Callable[[Asked, tuple[Fault, ...]], None]
AddressOf = Callable[[Asked, str], str]  # of a request with its Cookie header


def asked_of(request: Request) -> Asked:
    """Return a browser's request for matching with faults."""
    try:
        is_top = request.frame.parent_frame is None
    except Error:  # of a service worker, or of a frame that is not there yet
        is_top = True
    kind = request.resource_type
    destination = (
        ("document" if is_top else "iframe") if request.is_navigation_request() else DESTINATIONS.get(kind, kind)
    )
    try:
        body = request.post_data
    except UnicodeDecodeError:  # no text
        body = None
    return Asked(
        method=request.method, url=request.url.split("#")[0], destination=destination, operation=operation_of(body)
    )


def install_aborts(context: BrowserContext, injector: Injector, on_fault: OnFault) -> None:
    """Abort requests in the browser according to the faults; other faults are injected elsewhere."""
    aborting = [fault for fault in injector.faults if fault.verb == ABORT]
    injector.aborts_elsewhere = True
    if not aborting:
        return

    def handle(route: Route) -> None:
        asked = asked_of(route.request)
        fault = injector.take_abort(asked)
        if fault is None:
            route.fallback()
            return
        on_fault(asked, (fault,))
        route.abort(fault.value)

    context.route(urls_of(aborting), handle)


def install_forwarding(context: BrowserContext, injector: Injector, address_of: AddressOf, on_fault: OnFault) -> None:
    """Abort requests according to the faults, and send other matching requests to the forwarder."""
    altering = [fault for fault in injector.faults if fault.verb != ABORT]

    def handle(route: Route) -> None:
        asked = asked_of(route.request)
        if asked.method == "OPTIONS" or not any(fault.concerns(asked) for fault in altering):
            route.fallback()
            return
        route.continue_(url=address_of(asked, _cookie(context, route.request)))

    if altering:
        context.route(urls_of(altering), handle)
    install_aborts(context, injector, on_fault)  # afterwards, so that it comes first


def urls_of(faults: list[Fault]) -> re.Pattern[str]:
    """Return what the URLs have in common that these faults can concern; the browser then asks about no others."""
    hints = []
    for fault in faults:
        exchange = EXCHANGES.get(fault.target)
        hints.append(exchange.hint if exchange else "^" + _plain_glob(fault.target))
    return re.compile("|".join(f"(?:{hint})" for hint in dict.fromkeys(hints)), re.IGNORECASE)


def _plain_glob(glob: str) -> str:
    """Return a glob as an expression that JavaScript reads too; what follows a character class is left open."""
    plain, bracket, _ = glob.partition("[")
    return "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in plain) + (".*" if bracket else "")


# --- cookies ------------------------------------------------------------------------------------------------------


def _cookie(context: BrowserContext, request: Request) -> str:
    """Return the Cookie header that the browser would send to the URL itself.

    Whether a script asked for them (`credentials`) cannot be seen: across sites those go that say `SameSite=None`.
    """
    cookies: list[Any] = context.cookies(request.url)
    if not _is_same_site(request):
        cookies = [cookie for cookie in cookies if cookie.get("sameSite") == "None"]
    return "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in cookies)


def _is_same_site(request: Request) -> bool:
    try:
        is_top_navigation = request.is_navigation_request() and request.frame.parent_frame is None
        return is_top_navigation or _site(request.frame.url) == _site(request.url)
    except Error:
        return True


def _site(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, ".".join((parts.hostname or "").split(".")[-2:])


def cookie_keeper(context: BrowserContext) -> Callable[[str, list[str]], Future[None]]:
    """Return what puts the cookies of a forwarded answer where the page's own would be; called from any thread."""

    def keep(url: str, headers: list[str]) -> Future[None]:
        cookies = [cookie for header in headers for cookie in cookies_of(url, header)]
        # Only the loop that Playwright runs on may speak to the browser; it runs whenever the test waits for something.
        return asyncio.run_coroutine_threadsafe(_add(context, cookies), loop_of(context))

    return keep


async def _add(context: BrowserContext, cookies: list[dict[str, Any]]) -> None:
    for cookie in cookies:
        try:
            await add_cookie(context, cookie)
        except Error:  # one that a browser refuses too
            continue


def cookies_of(url: str, header: str) -> list[dict[str, Any]]:
    """Return the cookies of one Set-Cookie header as Playwright takes them."""
    parsed: SimpleCookie = SimpleCookie()
    try:
        parsed.load(header)
    except CookieError:
        return []
    return [_cookie_of(url, morsel) for morsel in parsed.values()]


def _cookie_of(url: str, morsel: Morsel[str]) -> dict[str, Any]:
    parts = urlsplit(url)
    cookie: dict[str, Any] = {
        "name": morsel.key,
        "value": morsel.value,
        "domain": morsel["domain"] or parts.hostname or "",  # with a dot: for all below it too
        "path": morsel["path"] if morsel["path"].startswith("/") else _directory(parts.path),
        "httpOnly": bool(morsel["httponly"]),
        "secure": bool(morsel["secure"]),
    }
    if morsel["domain"] and not morsel["domain"].startswith("."):
        cookie["domain"] = f".{morsel['domain']}"
    expires = _expires(morsel)
    if expires is not None:
        cookie["expires"] = expires
    if morsel["samesite"].lower() in SAME_SITE:
        cookie["sameSite"] = SAME_SITE[morsel["samesite"].lower()]
    return cookie


def _directory(path: str) -> str:
    """The path that a cookie without one belongs to (RFC 6265, 5.1.4)."""
    return path.rpartition("/")[0] or "/"


def _expires(morsel: Morsel[str]) -> float | None:
    """When a cookie ends, in Unix seconds; None when it lasts as long as the browser."""
    try:
        if morsel["max-age"]:
            return time.time() + int(morsel["max-age"])
        return parsedate_to_datetime(morsel["expires"]).timestamp() if morsel["expires"] else None
    except (ValueError, TypeError):  # no date, no number: as if it were not there
        return None

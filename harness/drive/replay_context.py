"""Prepares a browser context for a replay: its proxy, its clock, and the requests that it aborts.

In: a recording, the proxy's address. Out: options for the context, and routes. All requests go to the proxy, and none leaves this
machine.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from playwright.sync_api import BrowserContext, Error, Request, Route, WebSocketRoute

from harness.analysis.replay.matching import stable_url
from harness.drive.environment import clock_script
from harness.drive.faults import asked_of
from harness.model.addresses import is_loopback, server_of
from harness.model.codec import Unfit
from harness.model.faults import NET_ERRORS, Asked
from harness.model.recording import RecordedExchange, Recording
from harness.observe.playwright_private import send_later

REFUSED = re.compile(r"time ?zone|locale|storage ?state|cookie|color_scheme|viewport|scale", re.IGNORECASE)
# How a request failed that a hermetic visit kept on its machine; the second one in older recordings, whose requests were intercepted.
KEPT_HERE = ("net::ERR_TUNNEL_CONNECTION_FAILED", "net::ERR_INTERNET_DISCONNECTED")
KEPT_HERE_WITHOUT_TLS = "net::ERR_EMPTY_RESPONSE"
Aborted = Callable[[Asked, str], RecordedExchange | None]
FIREFOX_ERRORS = {"CONNECTION_REFUSED": "connectionrefused", "UNKNOWN_HOST": "namenotresolved", "NET_RESET": "connectionreset",
                  "NET_TIMEOUT": "timedout", "NET_INTERRUPT": "connectionclosed"}  # fmt: skip


def replay_options(recording: Recording, proxy_url: str, *, browser: str) -> dict[str, Any]:
    """Return what `new_context` needs for a recording: the proxy, and what the page could see of its browser."""
    known = recording.environment
    options: dict[str, Any] = {
        # What stands for this machine goes through the proxy too: "<-loopback>" is Chromium's word for that.
        "proxy": {"server": proxy_url, "bypass": "<-loopback>"} if browser == "chromium" else {"server": proxy_url},
        "ignore_https_errors": True,  # the proxy signs its own certificates
        "service_workers": "block",
    }
    if known.width and known.height:
        options["viewport"] = {"width": known.width, "height": known.height}
    if known.scale != 1:
        options["device_scale_factor"] = known.scale
    for name, value in (
        ("locale", known.locale),
        ("timezone_id", known.timezone),
        ("color_scheme", known.color_scheme),
    ):
        if value:
            options[name] = value
    if recording.storage:
        options["storage_state"] = recording.storage
    return options


@contextmanager
def taken_by_browser(recording: Recording) -> Iterator[None]:
    """Raise RecordingError where a browser does not take what a recording says of its own: a time zone, a locale, cookies."""
    try:
        yield
    except Error as error:
        if REFUSED.search(error.message) is None:
            raise
        raise Unfit(
            f"{recording.name}: manifest.json",
            at="environment or storage",
            expected="what this browser takes",
            found=error.message.splitlines()[-1],
        ) from error


def install_replay(
    context: BrowserContext,
    recording: Recording,
    *,
    aborted: Aborted,
    is_intercepted: bool,
    on_blocked: Callable[[str, str], None],
    on_aborted: Callable[[Request, str], None],
) -> None:
    """Set the page's clock, and abort the requests that the recorded browser aborted.

    `is_intercepted`: some have to be aborted; Playwright answers pre-flights by itself then.
    """
    recorded_ms = _instant_ms(recording.started_at)
    if recorded_ms:
        context.add_init_script(clock_script(recorded_ms, time.time() * 1000))
    _install_sockets(context, recording)
    if not is_intercepted:
        return

    def handle(route: Route) -> None:
        request = route.request
        found = aborted(asked_of(request), _body_of(request))
        if found is None:
            route.continue_()
            return
        code = net_error_of(found.failure)
        if code == "failed":  # as near as Playwright's words come
            on_aborted(request, found.failure)
        if recording.network == "hermetic" and _was_kept_here(found):
            on_blocked(request.method, request.url)
        route.abort(code)

    context.route("**/*", handle)


def _was_kept_here(exchange: RecordedExchange) -> bool:
    """Whether the proxy of a hermetic visit refused a request, and not a server on that machine."""
    is_plain = exchange.url.startswith("http:") and not is_loopback(server_of(exchange.url)[0])
    return exchange.failure in KEPT_HERE or (is_plain and exchange.failure == KEPT_HERE_WITHOUT_TLS)


def _install_sockets(context: BrowserContext, recording: Recording) -> None:
    """Let every WebSocket of the page open and stay open, with the messages of the recorded one; those that failed fail again.

    A development server's client that cannot connect would ask for the server again and again, and then reload the page.
    """
    waiting = [socket for socket in recording.sockets if socket.has_opened]
    refused = {stable_url(socket.url) for socket in recording.sockets if not socket.has_opened}

    def answer(route: WebSocketRoute) -> None:
        same = [socket for socket in waiting if stable_url(socket.url) == stable_url(route.url)]
        # A development server's page names itself in the query, and by another name each time.
        same = same or [socket for socket in waiting if socket.url.split("?")[0] == route.url.split("?")[0]]
        found = same[0] if same else None
        if found is None:  # one more than was recorded: it hears nothing, above all not to reload
            return
        waiting.remove(found)
        for message in found.messages:
            send_later(context, route, message.content, message.at_ms / 1000)

    context.route_web_socket(lambda url: stable_url(url) not in refused, answer)


def net_error_of(failure: str) -> str:
    """Return Playwright's word for a browser's failure, as near as there is one."""
    if failure.startswith("NS_ERROR_"):
        return FIREFOX_ERRORS.get(failure.removeprefix("NS_ERROR_"), "failed")
    word = failure.removeprefix("net::ERR_").partition(".")[0].replace("_", "").lower()
    return word if word in NET_ERRORS else "failed"


def _instant_ms(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp() * 1000
    except ValueError:
        return 0.0


def _body_of(request: Request) -> str:
    try:
        return request.post_data or ""
    except UnicodeDecodeError:  # a binary upload
        return ""

"""The environment of a page: what it can see of its browser, and its storage at the start; saved for a replay.

In: a page, a context. Out: an `Environment`, and Playwright's storage state with its values redacted. Never raises for the page's sake.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from playwright.sync_api import BrowserContext, Error, Page

from harness.model.codec import fits
from harness.model.recording import Environment
from harness.model.redaction import Redactor
from harness.observe.playwright_private import evaluated, run_on_loop

ANSWER_TIMEOUT_S = 2
MOST_STORED = 200  # cookies, and values of an origin's storage
LONGEST_STORED_CHARS = 20_000
SEEN = ("user_agent", "locale", "timezone", "scale", "color_scheme")
LOOK = """(isWhole) => ({
  user_agent: navigator.userAgent, locale: navigator.language, scale: devicePixelRatio,
  color_scheme: matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light',
  timezone: isWhole ? Intl.DateTimeFormat().resolvedOptions().timeZone : '',
})"""
SHIFT = """(() => {
  const Native = Date, offset = OFFSET, clock = Native.now.bind(Native);
  const now = { now() { return clock() + offset; } }.now;
  const shifted = function Date(...given) {
    if (!new.target) return new Native(now()).toString();
    return Reflect.construct(Native, given.length ? given : [now()], new.target);
  };
  Object.defineProperties(shifted, Object.getOwnPropertyDescriptors(Native));
  Object.defineProperty(shifted, 'now', { value: now, writable: true, configurable: true });
  shifted.prototype.constructor = shifted;
  window.Date = shifted;
})();
"""


def environment_of(page: Page, *, is_whole: bool = True, is_asked: bool = True) -> Environment:
    """Return what the page sees; only what Playwright knows by itself where the page does not answer, or is not asked.

    `is_whole`: with the time zone, whose name costs a page as much time as many a mount.
    """
    browser, size = page.context.browser, page.viewport_size
    known = Environment(
        browser=browser.browser_type.name if browser else "",
        browser_version=browser.version if browser else "",
        width=size["width"] if size else 0,
        height=size["height"] if size else 0,
    )
    seen = {} if page.is_closed() or not is_asked else run_on_loop(page, _seen(page, is_whole))
    # A page may have changed what its scripts see of the browser, to anything.
    return replace(
        known, **{name: value for name, value in seen.items() if name in SEEN and fits(Environment, {name: value})}
    )


async def _seen(page: Page, is_whole: bool) -> dict[str, Any]:
    try:
        answer = await asyncio.wait_for(evaluated(page.main_frame, LOOK, is_whole), ANSWER_TIMEOUT_S)
    except (Error, TimeoutError):  # a page that is busy, or gone
        return {}
    return answer if isinstance(answer, dict) else {}


def storage_of(context: BrowserContext, redactor: Redactor) -> dict[str, Any]:
    """Return the cookies and the local storage that a context begins with, their values as placeholders."""
    try:
        state: Any = context.storage_state()
    except Error:
        return {}
    cookies = [{**cookie, "value": redactor.cookie(cookie["value"])} for cookie in state["cookies"][:MOST_STORED]]
    origins = [
        {
            "origin": origin["origin"],
            "localStorage": [
                {"name": redactor.text(item["name"]), "value": redactor.cut(item["value"], LONGEST_STORED_CHARS)}
                for item in origin["localStorage"][:MOST_STORED]
            ],
        }
        for origin in state["origins"][:MOST_STORED]
    ]
    return {"cookies": cookies, "origins": origins} if cookies or origins else {}


def clock_script(recorded_ms: float, now_ms: float) -> str:
    """Return a script that sets a page's `Date` to the time of a recording; it goes on from there as fast as ever.

    Both are Unix times. Timers and `performance.now()` are left alone.
    """
    return SHIFT.replace("OFFSET", str(round(recorded_ms - now_ms)))

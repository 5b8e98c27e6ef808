"""Finds the listeners of an action on an element: the browser's own behaviour, or listeners on the element and its ancestors.

In: an element's handle. Out: an `Audience`. Chromium knows listeners through its DevTools protocol
(https://chromedevtools.github.io/devtools-protocol/tot/Runtime/#method-evaluate, `includeCommandLineAPI`); other engines do not report
them.
"""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, ElementHandle, Error, JSHandle, Page

from harness.analysis.action_moves import Audience
from harness.drive.waiting import answer_within
from harness.observe.playwright_private import behind

ANSWER_TIMEOUT_S = 1.0

POINTER = ("click", "mousedown", "mouseup", "pointerdown", "pointerup", "touchstart", "touchend", "submit")
KEYS = ("keydown", "keypress", "keyup", "beforeinput", "input", "submit")
FIELDS = ("input", "change", "beforeinput", "keydown", "keyup", "blur", "focusout")

# What acts by itself, without a line of script. A link to a place on the same page is what scripts hang on to.
NATIVE = """(element) => {
  const field = 'area[href], summary, label, input:not([type=button]):not([type=image]):not([type=submit]), select, textarea, option, '
    + '[popovertarget], [commandfor], [contenteditable=""], [contenteditable=true]';
  const isLoaded = document.readyState === 'complete';
  if (!element.isConnected) return null;
  if (element.closest(field)) return { isNative: true, isLoaded };
  const link = element.closest('a[href]'), button = element.closest('button, input');
  const goes = link && !/^(#|javascript:|$)/i.test(link.getAttribute('href').trim());
  const submits = button && button.form && button.type !== 'button' && button.form.hasAttribute('action');
  return { isNative: !!(goes || submits), isLoaded };
}"""
# What is really hit may be a part of the element; from there the event passes every root on its way up.
STASH = """(element, { stash, watch }) => {
  const box = element.getBoundingClientRect(), root = element.getRootNode();
  const hit = root.elementFromPoint ? root.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2) : null;
  const path = [];
  const first = hit && element.contains(hit) ? hit : element;
  for (let node = first; node; node = node.assignedSlot || node.parentNode || node.host) path.push(node);
  path.push(window);
  Object.defineProperty(window, stash, { value: { path, watch }, configurable: true });
}"""


@cache
def _source() -> str:
    return Path(__file__).with_name("audience.js").read_text(encoding="utf-8").strip().removesuffix(";")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Who hears an action on an element, and whether its document has loaded."""

    audience: Audience
    is_loaded: bool
    count: int = 0  # of handlers that hear it, those behind the nearest not counted


class Ear:
    """Asks one page who listens. Use `close` when it is not needed any more."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._session: CDPSession | None = None
        self._is_deaf = False

    def heard_by(self, element: ElementHandle, types: tuple[str, ...], watch: JSHandle | None = None) -> Listening:
        """Return who hears events of these types on the element; the listeners of `watch` do not count.

        A page that does not answer within a second is one that nobody can be asked about, and one that has not loaded.
        """
        found = answer_within(self._page, lambda: behind(element).evaluate(NATIVE), ANSWER_TIMEOUT_S)
        if not isinstance(found, dict):  # it was taken out, its document is gone, or it is busy
            return Listening(audience=Audience.UNKNOWN, is_loaded=False)
        is_loaded = bool(found["isLoaded"])
        if found["isNative"]:
            return Listening(audience=Audience.NATIVE, is_loaded=is_loaded)
        audience, count = self._listening(element, types, watch)
        return Listening(audience=audience, count=count, is_loaded=is_loaded)

    def _listening(
        self, element: ElementHandle, types: tuple[str, ...], watch: JSHandle | None
    ) -> tuple[Audience, int]:
        session = self._opened()
        if session is None or element.owner_frame() != self._page.main_frame:
            return Audience.UNKNOWN, 0
        stash = f"stash_{secrets.token_hex(8)}"
        given = {"stash": stash, "watch": behind(watch) if watch else None}
        command = {
            "expression": f"{_source()}({json.dumps(stash)}, {json.dumps(types)})",
            "includeCommandLineAPI": True,
            "returnByValue": True,
        }

        async def asked() -> Any:
            await behind(element).evaluate(STASH, given)
            return await behind(session).send("Runtime.evaluate", command)

        answer = answer_within(self._page, asked, ANSWER_TIMEOUT_S)
        value = answer.get("result", {}).get("value") if isinstance(answer, dict) else None
        return (Audience(value["audience"]), int(value["count"])) if isinstance(value, dict) else (Audience.UNKNOWN, 0)

    def _opened(self) -> CDPSession | None:
        if self._session is None and not self._is_deaf:
            try:
                self._session = self._page.context.new_cdp_session(self._page)
            except Error:  # "CDP session is only available in Chromium"
                self._is_deaf = True
        return self._session

    def close(self) -> None:
        """End the session."""
        session, self._session = self._session, None
        if session is not None:
            with suppress(Error):  # the page is gone, and the session with it
                session.detach()

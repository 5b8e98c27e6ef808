"""Acts on a page when the page is ready for it: clicks, fields, keys and waits, by the names that a user sees.

In: an `Action`. Out: `ActionTaken`, `ActionRepeated` and `ActionEnded` in the timeline, or a PageError that lists the existing elements.
On a server-rendered page a button exists before its handler is attached. So an action waits for a listener, its effect is observed, and
it is repeated only when no handler can have received it (`analysis.action_moves` decides).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from playwright.sync_api import ElementHandle, Error, Frame, JSHandle, Locator, Page
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from harness.analysis.action_moves import WEAK, Audience, Move, Observed, effect_of, next_move
from harness.drive.audience import FIELDS, KEYS, POINTER, Ear, Listening
from harness.drive.waiting import Waiter, answer_within
from harness.errors import PageError
from harness.model.addresses import is_telemetry
from harness.model.events import (
    ActionEnded,
    ActionRepeated,
    ActionTaken,
    ConsoleMessage,
    DialogOpened,
    FrameNavigated,
    PageErrorRaised,
    RequestFailed,
    RequestFinished,
    RequestStarted,
)
from harness.model.recording import Action
from harness.model.timeline import Timeline
from harness.observe.playwright_private import behind, run_on_loop

FIND_TIMEOUT_MS = 5_000  # until what is acted on can be seen
ACT_TIMEOUT_MS = 5_000  # until Playwright can act on it: enabled, at rest, not covered
WAIT_TIMEOUT_MS = 15_000  # of the steps that wait
LOAD_TIMEOUT_MS = 10_000  # after this time the action is done even if the page is still loading
LISTEN_TIMEOUT_MS = 5_000  # after the load event, for somebody to listen
REPEAT_TIMEOUT_MS = 8_000  # after the first attempt
FRESH_MS = 6_000  # after the first attempt: whoever hears it without a sign is given so long
FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 250, 2_000
SURE_PAUSE_MS = 1_500  # before what may have been heard is repeated: an effect may take as long
FIRST_LOOK_MS, NEXT_LOOK_MS = 50, 250
LONGEST_LOOK_MS = 500
SOON_MS = 1_000  # what changes later than that, and was not put off, changes by itself
LAST_LOOK_S = 5  # until the page says once more that it is not there
IN_FRAMES_AFTER_MS = 1_000  # what is in no frame but the page's own is found there first
ASKED_FOR = ("document", "script", "stylesheet", "fetch", "xhr", "eventsource", "websocket")  # and no pictures or pings
LONGEST_REQUEST_MS = 3_000  # of one that is awaited; a longer one, such as a poll, never ends
SETTLED_MS = 750  # after the last request ended
MOST_NAMES = 12
MOST_TAG_CHARS = 120
COVERED = re.compile(r"(<[^<>]*>).* intercepts pointer events")
NOT_READY = {
    "element is not enabled": "it is disabled; does the page need more time, or another step first?",
    "element is not stable": "it is moving",
    "element is outside of the viewport": "it cannot be scrolled to",
}
BUTTONS = "button:visible, a:visible, [role=button]:visible, [role=tab]:visible, [role=menuitem]:visible"
FIELD_NAMES = """() => {
  const own = (label) => label && [...label.childNodes].filter((node) => !node.contains(label.control))
    .map((node) => node.textContent).join(' ').trim();
  return [...document.querySelectorAll('input:not([type=hidden]), textarea, select, [contenteditable]')]
    .filter((field) => !field.checkVisibility || field.checkVisibility())
    .map((field) => field.getAttribute('aria-label') || own(field.labels && field.labels[0])
      || field.placeholder || field.name || field.localName);
}"""
OPTIONS = "(field) => field.options ? [...field.options].map((option) => option.label) : []"
HAS_CLOSED = """() => [...document.querySelectorAll('*')]
  .filter((element) => element.localName.includes('-') && customElements.get(element.localName))
  .filter((element) => !element.shadowRoot && !element.childElementCount)
  .slice(0, 3).map((element) => element.localName)"""
Where = Page | Frame


@cache
def _watcher() -> str:
    return Path(__file__).with_name("effects.js").read_text(encoding="utf-8")


class Actor:
    """Acts on one page, and records the result."""

    def __init__(self, page: Page, timeline: Timeline, waiter: Waiter) -> None:
        self.page = page
        self._timeline = timeline
        self._waiter = waiter

    def do(self, action: Action) -> None:
        """Do one step. Raises PageError when it cannot be done; ValueError for an action that is not done on a page."""
        name, text = action.target, action.text
        match action.action:
            case "click":
                target = self._found(lambda where: clickable(where, name), lambda: self._no_button(name))
                self._act(action, target, POINTER, lambda: target.click(timeout=ACT_TIMEOUT_MS))
            case "fill":
                target = self._field(name)
                if target.get_attribute("type", timeout=ACT_TIMEOUT_MS) == "password":
                    self._timeline.redactor.learn("password", text)
                self._enter(action, target, lambda: target.fill(text, timeout=ACT_TIMEOUT_MS))
            case "select":
                target = self._field(name)
                self._enter(action, target, lambda: self._select(target, name, text))
            case "press":
                self._press(action)
            case "wait_for_text":
                self._timeline.append(ActionTaken(action=action.action, target=name))
                self._found(lambda where: where.get_by_text(name), lambda: self._no_text(name), WAIT_TIMEOUT_MS)
            case "wait_for_url":
                self._wait_for_url(action)
            case _:
                raise ValueError(f"{action.action} is not an action on a page")

    # --- finding --------------------------------------------------------------------------------------------------

    def _found(
        self, of: Callable[[Where], Locator], told: Callable[[], str], timeout_ms: float = FIND_TIMEOUT_MS
    ) -> Locator:
        """Return what is visible first: in the page, or after a second in one of its frames. Raises PageError."""
        deadline_ms = self._timeline.now_ms + timeout_ms
        target, look_ms = of(self.page).filter(visible=True).first, float(IN_FRAMES_AFTER_MS)
        while True:
            try:
                target.wait_for(state="visible", timeout=max(min(look_ms, timeout_ms), 1))
                return target
            except PlaywrightTimeout as error:
                for frame in self.page.frames[1:]:
                    inside = of(frame).filter(visible=True).first
                    if answer_within(self.page, behind(inside).is_visible, 1):
                        return inside
                if self._timeline.now_ms >= deadline_ms:
                    # A busy machine may not have let the page answer in time: it has the last word.
                    if answer_within(self.page, behind(target).is_visible, LAST_LOOK_S):
                        return target
                    raise PageError(told()) from error
            except Error as error:
                raise PageError(f"{self.page.url} was closed: {error.message.splitlines()[0]}") from error
            look_ms = NEXT_LOOK_MS

    def _field(self, name: str) -> Locator:
        return self._found(lambda where: field_named(where, name), lambda: self._no_field(name))

    # --- acting ---------------------------------------------------------------------------------------------------

    def _act(self, action: Action, target: Locator, types: tuple[str, ...], do: Callable[[], object]) -> None:
        """Act until it was heard, or nobody can be expected to hear it."""
        ear, attempts, waited_ms = Ear(self.page), 0, 0.0
        first_ms = 0.0
        try:
            while True:
                attempts += 1
                with _Watched(self.page, target) as watched:
                    began_ms = self._timeline.now_ms
                    heard = self._await_listener(ear, watched, types, is_first=attempts == 1)
                    waited_ms = waited_ms or self._timeline.now_ms - began_ms
                    was_busy = not heard.is_loaded or self._is_busy()
                    seq = self._tell(action, attempts)
                    first_ms = first_ms or self._timeline.now_ms
                    self._try(action.target, do)
                    move, observed = self._observe(
                        ear, watched, types, heard, _Attempt(attempts, seq, first_ms, was_busy)
                    )
                if move is Move.REPEAT:
                    continue
                self._timeline.append(
                    ActionEnded(
                        action=action.action,
                        target=action.target,
                        attempts=attempts,
                        audience=observed.audience.value,
                        effect=effect_of(observed),
                        waited_ms=round(waited_ms, 1),
                        is_loaded=heard.is_loaded,
                    )
                )
                return
        finally:
            ear.close()

    def _tell(self, action: Action, attempt: int) -> int:
        """Write down that it is tried, and return that line's number."""
        first, again = ActionTaken, ActionRepeated
        if attempt == 1:
            self._timeline.append(first(action=action.action, target=action.target))
        else:
            self._timeline.append(again(action=action.action, target=action.target, attempt=attempt))
        return self._timeline.entries[-1].seq

    def _await_listener(self, ear: Ear, watched: _Watched, types: tuple[str, ...], *, is_first: bool) -> Listening:
        """Return as soon as a handler is near; else when the page has loaded and somebody listens; at the latest after a while."""
        began_ms, loaded_ms, pause_ms = self._timeline.now_ms, -1.0, float(FIRST_LOOK_MS)
        while True:
            heard = self._asked(ear, watched, types)
            now_ms = self._timeline.now_ms
            is_loaded = heard is not None and heard.is_loaded
            audience = heard.audience if heard else Audience.UNKNOWN
            if audience is Audience.NEAR or not is_first:
                return Listening(audience=audience, is_loaded=is_loaded)
            if is_loaded or now_ms - began_ms >= LOAD_TIMEOUT_MS:
                loaded_ms = loaded_ms if loaded_ms >= 0 else now_ms
                if audience is not Audience.NONE or now_ms - loaded_ms >= LISTEN_TIMEOUT_MS:
                    return Listening(audience=audience, is_loaded=is_loaded)
            self._waiter.pause(pause_ms)
            pause_ms = min(pause_ms * 1.5, NEXT_LOOK_MS)
            if heard is None or audience is Audience.UNKNOWN:  # the element may have been replaced
                watched.renew()

    def _asked(self, ear: Ear, watched: _Watched, types: tuple[str, ...]) -> Listening | None:
        return ear.heard_by(watched.element, types, watched.handle) if watched.element else None

    def _observe(
        self, ear: Ear, watched: _Watched, types: tuple[str, ...], heard: Listening, attempt: _Attempt
    ) -> tuple[Move, Observed]:
        """Watch what comes of an attempt until it is known what to do next."""
        began_ms, pause_ms = self._timeline.now_ms, float(FIRST_PAUSE_MS)
        recent_ms = min(SURE_PAUSE_MS * 1.5 ** (attempt.number - 1), LONGEST_PAUSE_MS)
        soon, is_soon = frozenset[str](), True
        while True:
            report = watched.report(pause_ms)
            followed = report.followed | self._followed(attempt.seq)
            if report.is_awaited or is_soon:
                soon = followed
            is_soon = self._timeline.now_ms - began_ms < SOON_MS
            is_known = report.audience is not None and heard.audience is not Audience.NATIVE
            audience = report.audience if report.audience is not None and is_known else heard.audience
            is_open = not report.caused - WEAK and audience in (Audience.NONE, Audience.FAR, Audience.ROOT)
            now = self._asked(ear, watched, types) if is_open else None
            elapsed_ms = self._timeline.now_ms - attempt.first_ms
            observed = Observed(
                audience=audience,
                audience_now=now.audience if now else audience,
                has_more=now is not None and is_known and now.audience is audience and now.count > report.count,
                caused=report.caused | ({"timer"} if report.is_awaited else frozenset()),
                followed=followed,
                soon=soon,
                was_silent=attempt.number > 1,
                was_busy=attempt.was_busy,
                is_awaited=report.is_awaited,
                is_becoming_ready=(now is not None and not now.is_loaded) or self._is_busy(),
                is_recent=self._timeline.now_ms - began_ms < recent_ms,
                is_fresh=elapsed_ms < FRESH_MS,
                is_over=elapsed_ms >= REPEAT_TIMEOUT_MS,
            )
            move = next_move(observed)
            if move is not Move.WATCH:
                return move, observed
            pause_ms = min(pause_ms * 1.5, float(LONGEST_LOOK_MS))

    def _followed(self, seq: int) -> frozenset[str]:
        """What the timeline has seen since a line that an action may have done; what the page did before, too, is its own."""
        found, before = set(), set()
        for entry in self._timeline.entries:
            is_since = entry.seq > seq
            match entry.event:
                case RequestStarted(resource_type=kind, url=url) if kind in ASKED_FOR and not is_telemetry(url):
                    found.add("network") if is_since and _address(url) not in before else before.add(_address(url))
                case ConsoleMessage(text=text):
                    found.add("console") if is_since and text not in before else before.add(text)
                case PageErrorRaised() if is_since:
                    found.add("error")
                case DialogOpened() if is_since:
                    found.add("dialog")
                case FrameNavigated(is_top=is_top) if is_since:
                    found.add("navigation" if is_top else "frame")
        return frozenset(found)

    def _is_busy(self) -> bool:
        """Whether the page asks for something still, or did a moment ago; what never ends, or is asked for again, does not count."""
        open_at: dict[str, float] = {}
        known: set[str] = set()
        last_ms = float(-SETTLED_MS)
        for entry in self._timeline.entries:
            match entry.event:
                case RequestStarted(request_id=number, url=url) if _address(url) not in known:
                    open_at[number] = entry.at_ms
                    known.add(_address(url))
                case RequestFinished(request_id=number) | RequestFailed(request_id=number) if number in open_at:
                    del open_at[number]
                    last_ms = entry.at_ms
        now_ms = self._timeline.now_ms
        return now_ms - last_ms < SETTLED_MS or any(now_ms - at < LONGEST_REQUEST_MS for at in open_at.values())

    def _try(self, name: str, do: Callable[[], object]) -> None:
        try:
            do()
        except PlaywrightTimeout as error:
            raise PageError(f"cannot act on {name!r} on {self.page.url}: {obstacle(error.message)}") from error
        except Error as error:
            raise PageError(f"cannot act on {name!r}: {error.message.splitlines()[0]}") from error

    def _enter(self, action: Action, target: Locator, do: Callable[[], object]) -> None:
        """Put something into a field; once more when a page that is still becoming ready has thrown it away."""
        entered: list[str] = []

        def enter() -> None:
            do()
            entered.append(self._value(target))

        self._act(action, target, FIELDS, enter)
        began_ms = self._timeline.now_ms
        while self._timeline.now_ms - began_ms < REPEAT_TIMEOUT_MS:
            if self._value(target) != entered[0]:
                self._tell(action, len(entered) + 1)
                self._try(action.target, enter)
            if not self._is_busy():
                return
            self._waiter.pause(FIRST_PAUSE_MS)

    def _value(self, target: Locator) -> str:
        value = answer_within(self.page, lambda: behind(target).input_value(timeout=1000), 1.5)
        return str(value)

    def _select(self, target: Locator, name: str, option: str) -> None:
        options = [str(one) for one in target.evaluate(OPTIONS)]
        if option not in options:
            there = ", ".join(f'"{one}"' for one in options[:MOST_NAMES]) or "none"
            raise PageError(f'"{name}" on {self.page.url} has no option "{option}"; there are: {there}')
        target.select_option(label=option, timeout=ACT_TIMEOUT_MS)

    def _press(self, action: Action) -> None:
        if action.target:
            target = self._field(action.target)
            self._act(action, target, KEYS, lambda: target.press(action.text, timeout=ACT_TIMEOUT_MS))
        else:
            focused = self.page.locator(":focus").or_(self.page.locator("body")).last
            self._act(action, focused, KEYS, lambda: self.page.keyboard.press(action.text))

    def _wait_for_url(self, action: Action) -> None:
        self._timeline.append(ActionTaken(action=action.action, target=action.target))
        try:
            self.page.wait_for_url(action.target, wait_until="commit", timeout=WAIT_TIMEOUT_MS)
        except PlaywrightTimeout as error:
            raise PageError(
                f"waited {WAIT_TIMEOUT_MS / 1000:g} s for the URL {action.target}; the page is at {self.page.url}"
            ) from error
        except Error as error:
            raise PageError(f"waiting for the URL {action.target}: {error.message.splitlines()[0]}") from error

    # --- what there is --------------------------------------------------------------------------------------------

    def _no_button(self, name: str) -> str:
        texts = answer_within(self.page, behind(self.page.locator(BUTTONS)).all_inner_texts, 2) or []
        return f'no button, link or text "{name}" on {self.page.url}; there are: {_listed(texts)}{self._closed()}'

    def _no_field(self, name: str) -> str:
        texts = answer_within(self.page, lambda: behind(self.page.main_frame).evaluate(FIELD_NAMES), 2) or []
        return f'no field "{name}" on {self.page.url}; there are: {_listed(texts)}{self._closed()}'

    def _no_text(self, text: str) -> str:
        texts = answer_within(self.page, behind(self.page.locator("h1:visible, h2:visible")).all_inner_texts, 2) or []
        shown = f"; its headings are: {_listed(texts)}" if texts else ""
        return f'waited {WAIT_TIMEOUT_MS / 1000:g} s for the text "{text}" on {self.page.url}{shown}'

    def _closed(self) -> str:
        names = answer_within(self.page, lambda: behind(self.page.main_frame).evaluate(HAS_CLOSED), 2) or []
        return (
            f"; elements in a closed shadow root cannot be found: {', '.join(f'<{name}>' for name in names)}"
            if names
            else ""
        )


@dataclass(frozen=True, slots=True)
class _Attempt:
    number: int
    seq: int  # of its line in the timeline
    first_ms: float  # when the first one was
    was_busy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    caused: frozenset[str] = frozenset()
    followed: frozenset[str] = frozenset()
    audience: Audience | None = None  # while the event was dispatched, where the browser tells
    count: int = 0
    is_awaited: bool = False  # what a handler put off is still to come


class _Watched:
    """An element that is watched for the effect of one attempt."""

    def __init__(self, page: Page, target: Locator) -> None:
        self._page, self._target = page, target
        self.element: ElementHandle | None = None
        self.handle: JSHandle | None = None

    def __enter__(self) -> _Watched:
        self.renew()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _stop(self) -> None:
        handle, self.handle = self.handle, None
        if handle is not None:
            answer_within(self._page, lambda: behind(handle).evaluate("(watch) => watch.stop()"), 1)

    def renew(self) -> None:
        """Watch what the locator names now, and no longer what it named before."""
        self._stop()
        try:
            self.element = self._target.element_handle(timeout=ACT_TIMEOUT_MS)
        except Error:
            self.element = None
            return
        element = self.element
        found = answer_within(self._page, lambda: behind(element).evaluate_handle(_watcher()), 2)
        self.handle = JSHandle(found) if found is not None else None

    def report(self, timeout_ms: float) -> _Report:
        """Return what happened while the event was dispatched, and since; at the next of either, or when the time is over."""
        handle = self.handle
        if handle is None:
            return _Report()
        asked = "(watch, ms) => watch.report(ms)"
        try:
            answer = run_on_loop(self._page, _asked(handle, asked, timeout_ms))
        except Error:  # the document is gone: that is an effect
            return _Report(followed=frozenset({"navigation"}))
        if not isinstance(answer, dict):
            return _Report()
        heard = answer["heard"]
        return _Report(
            caused=frozenset(answer["caused"]),
            followed=frozenset(answer["followed"]),
            audience=Audience(heard["audience"]) if heard["audience"] else None,
            count=int(heard["count"]),
            is_awaited=bool(answer["isAwaited"]),
        )


async def _asked(handle: JSHandle, question: str, timeout_ms: float) -> object:
    with suppress(TimeoutError):  # a page that hangs has no words
        return await asyncio.wait_for(behind(handle).evaluate(question, timeout_ms), timeout_ms / 1000 + 2)
    return None


# --- names --------------------------------------------------------------------------------------------------------


def _address(url: str) -> str:
    return url.partition("?")[0]


def clickable(where: Where, name: str) -> Locator:
    """Return what can be clicked by this accessible name, or shows exactly this text."""
    roles = ("button", "link", "tab", "menuitem", "checkbox", "radio", "switch", "option")
    found = where.get_by_text(name, exact=True)
    for role in roles:
        found = found.or_(where.get_by_role(role, name=name))  # type: ignore[arg-type]
    return found


def field_named(where: Where, name: str) -> Locator:
    """Return the field with this label, accessible name or placeholder."""
    found = where.get_by_label(name).or_(where.get_by_placeholder(name))
    for role in ("textbox", "searchbox", "combobox", "spinbutton"):
        found = found.or_(where.get_by_role(role, name=name))
    return found


def _listed(texts: list[str]) -> str:
    names = list(dict.fromkeys(" ".join(text.split()) for text in texts if text.strip()))
    return ", ".join(f'"{text[:60]}"' for text in names[:MOST_NAMES]) or "none at all"


def obstacle(log: str) -> str:
    """Return what kept an action from happening, as the last of Playwright's attempts says it."""
    for line in reversed(log.splitlines()):
        covering = COVERED.search(line)
        if covering:
            return f"{covering[1][:MOST_TAG_CHARS]} covers it; close the banner first"
        for sign, meaning in NOT_READY.items():
            if sign in line:
                return meaning
    return "the click timed out"

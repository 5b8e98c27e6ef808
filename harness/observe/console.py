"""Records console messages, uncaught errors, dialogs, crashes and frame navigations of a context's pages.

In: Playwright's events. Out: events. Dialogs are dismissed, as in Playwright without a listener.
"""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Dialog, Error, Frame, Page
from playwright.sync_api import ConsoleMessage as PlaywrightConsole

from harness.model.bounds import FULL, Bounds
from harness.model.events import (
    ConsoleMessage,
    DialogOpened,
    FrameDetached,
    FrameNavigated,
    Omitted,
    PageCrashed,
    PageErrorRaised,
)
from harness.model.timeline import Timeline

# What has another name than an identifier was thrown by nobody: over WebDriver BiDi, Firefox's own words arrive as page errors,
# such as "Cross-Origin Request Blocked: …" and "Content-Security-Policy: …".
THROWN = re.compile(r"[\w$.]+")
MESSAGE_CHARS = 50  # what a message costs in addition to its text


class PageObserver:
    """Attaches to a page and appends what it says and how it moves."""

    def __init__(self, timeline: Timeline, bounds: Bounds = FULL) -> None:
        self._timeline = timeline
        self._bounds = bounds
        self._chars = 0
        self._frames: dict[Frame, str] = {}

    def attach(self, page: Page) -> None:
        """Start listening."""
        page.on("console", self._on_console)
        page.on("pageerror", self._on_error)
        page.on("crash", self._on_crash)
        page.on("dialog", self._on_dialog)
        page.on("framenavigated", self._on_navigated)
        page.on("framedetached", self._on_detached)
        if page.context.browser is not None:
            page.context.browser.on("disconnected", self._on_disconnected)

    def detach(self, page: Page) -> None:
        """Stop listening."""
        page.remove_listener("console", self._on_console)
        page.remove_listener("pageerror", self._on_error)
        page.remove_listener("crash", self._on_crash)
        page.remove_listener("dialog", self._on_dialog)
        page.remove_listener("framenavigated", self._on_navigated)
        page.remove_listener("framedetached", self._on_detached)
        if page.context.browser is not None:
            page.context.browser.remove_listener("disconnected", self._on_disconnected)

    def _on_console(self, message: PlaywrightConsole) -> None:
        if self._has_room() and self._has_room_for(text := self._cut(message.text)):
            place = message.location
            self._timeline.append(
                ConsoleMessage(level=message.type, text=text, url=place.get("url", ""), line=place.get("lineNumber", 0))
            )

    def _on_error(self, error: Error) -> None:
        if self._has_room():
            name, message, stack = error.name or "Error", self._cut(error.message), self._cut(error.stack or "")
            if not self._has_room_for(message + stack):
                return
            if not THROWN.fullmatch(name):
                self._timeline.append(ConsoleMessage(level="error", text=f"{name}: {message}", url="", line=0))
            else:
                self._timeline.append(PageErrorRaised(name=name, message=message, stack=stack))

    def _has_room(self) -> bool:
        return self._chars <= self._bounds.console_chars

    def _has_room_for(self, text: str) -> bool:
        """Count a message; the first one that is too much is where the console ends."""
        self._chars += len(text) + MESSAGE_CHARS
        if not self._has_room():
            self._timeline.append(Omitted(what="console", limit=f"{self._bounds.console_chars} characters"))
        return self._has_room()

    def _cut(self, text: str) -> str:
        """The beginning of a text, redacted before it is cut: half a secret would not be known as one."""
        return self._timeline.redactor.cut(text, self._bounds.message_chars)

    def _on_crash(self, _page: Page) -> None:
        self._timeline.append(PageCrashed(what="page"))

    def _on_disconnected(self, _browser: Browser) -> None:
        self._timeline.append(PageCrashed(what="browser"))

    def _on_dialog(self, dialog: Dialog) -> None:
        if self._has_room() and self._has_room_for(text := self._cut(dialog.message)):
            self._timeline.append(DialogOpened(type=dialog.type, message=text))
        dialog.dismiss()

    def _on_navigated(self, frame: Frame) -> None:
        url, _, payload = frame.url.partition("#")
        self._timeline.append(
            FrameNavigated(
                frame=self._id(frame),
                name=frame.name,
                url=url,
                has_hash_payload=bool(payload),
                has_bare_hash=frame.url.endswith("#"),
                is_top=frame.parent_frame is None,
            )
        )

    def _on_detached(self, frame: Frame) -> None:
        self._timeline.append(FrameDetached(frame=self._id(frame), name=frame.name, url=frame.url.split("#")[0]))

    def _id(self, frame: Frame) -> str:
        return self._frames.setdefault(frame, f"f{len(self._frames) + 1}")

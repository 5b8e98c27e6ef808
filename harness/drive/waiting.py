"""Waits for the next timeline entry or a moment, whichever is first, while Playwright goes on working.

In: a page, and a timeline that calls `wake`. Out: nothing but the return. No polling, no sleeping.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from playwright.sync_api import Error, Page

from harness.model.timeline import Timeline
from harness.observe.playwright_private import loop_of, run_on_loop


def answer_within(page: Page, question: Callable[[], Awaitable[Any]], timeout_s: float) -> Any:
    """Return what the browser answers to a question of Playwright's asynchronous layer; None when it does not, or not in time.

    The synchronous `evaluate` has no time limit: a page that hangs would keep it for ever.
    """

    async def asked() -> Any:
        try:
            return await asyncio.wait_for(question(), timeout_s)
        except (Error, TimeoutError):
            return None

    return run_on_loop(page, asked())


class Waiter:
    """Connects a timeline to the event loop that the synchronous Playwright API runs on."""

    def __init__(self, page: Page, timeline: Timeline) -> None:
        self._page = page
        self._news = asyncio.Event()
        # Waking the loop costs a system call, and most entries come while nobody waits.
        self._lock = threading.Lock()
        self._has_news = False
        self._is_waiting = False
        timeline.wake = self._wake

    def wait(self, timeout_ms: float) -> None:
        """Return when something was appended since the last call, or the time is over."""
        with self._lock:
            has_news, self._has_news = self._has_news, False
            self._is_waiting = not has_news and timeout_ms > 0
        if self._is_waiting:
            run_on_loop(self._page, self._wait_for_news(timeout_ms / 1000))

    async def _wait_for_news(self, timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), timeout_s)
        with self._lock:
            self._is_waiting = self._has_news = False
            self._news.clear()

    def pause(self, timeout_ms: float) -> None:
        """Return when the time is over, whatever is appended until then."""
        end_s = time.monotonic() + timeout_ms / 1000
        while (left_s := end_s - time.monotonic()) > 0:
            self.wait(left_s * 1000)

    def _wake(self) -> None:
        with self._lock:
            is_first, self._has_news = not self._has_news, True
            if not (self._is_waiting and is_first):
                return
        # The loop may be closed already when a server thread reports its last answer.
        with contextlib.suppress(RuntimeError):
            loop_of(self._page).call_soon_threadsafe(self._news.set)

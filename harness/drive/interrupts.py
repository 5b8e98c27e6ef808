"""Handles Ctrl-C and SIGTERM during Playwright calls: the block ends with KeyboardInterrupt, and its clean-up can still use the browser.

In: signals. Out: KeyboardInterrupt in the code that waits for Playwright, never inside of its event loop, which would not go on after it.
The driver runs in a process group of its own, since a terminal sends Ctrl-C to everything in the foreground's.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import greenlet  # type: ignore[import-untyped]

SIGNALS = (signal.SIGINT, signal.SIGTERM)
UNTOUCHED = (signal.SIG_DFL, signal.default_int_handler)  # whoever has set another handler keeps it


@contextmanager
def interrupts() -> Iterator[None]:
    """Let SIGINT and SIGTERM raise KeyboardInterrupt where nothing breaks by it, until the block ends."""
    is_main = threading.current_thread() is threading.main_thread()
    numbers = [number for number in SIGNALS if is_main and signal.getsignal(number) in UNTOUCHED]
    previous = {number: signal.signal(number, _interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    name = signal.Signals(number).name
    try:
        # Playwright's loop runs in a greenlet of its own. A task or a listener there must not be what is interrupted: a callback
        # that raises is, and Playwright passes that on to the code that waits.
        loop = asyncio.get_running_loop() if greenlet.getcurrent().parent is not None else None
    except RuntimeError:
        loop = None
    if loop is None:
        raise KeyboardInterrupt(name)
    loop.call_soon_threadsafe(_raise, name)


def _raise(name: str) -> None:
    raise KeyboardInterrupt(name)


@contextmanager
def driver_in_a_group_of_its_own() -> Iterator[None]:
    """Start Playwright's driver, which this block does, out of the terminal's reach; it ends with its standard input."""
    start = asyncio.create_subprocess_exec

    async def start_apart(*command: Any, **options: Any) -> asyncio.subprocess.Process:
        return await start(*command, **{"process_group": 0} | options)

    # Playwright has no option for it.
    asyncio.create_subprocess_exec = start_apart
    try:
        yield
    finally:
        asyncio.create_subprocess_exec = start

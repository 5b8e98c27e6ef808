"""Waits for work no longer than a limit, whatever the work does.

In: a function and seconds. Out: its result, or None when it has not ended; it is left behind then, in a thread that ends with the process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def within(limit_s: float, work: Callable[[], T]) -> T | None:
    """Return what the work returns, None when it has not ended by the limit or has raised."""
    result: list[T] = []
    thread = threading.Thread(target=lambda: result.append(work()), name="within", daemon=True)
    thread.start()
    thread.join(limit_s)
    return result[0] if result else None

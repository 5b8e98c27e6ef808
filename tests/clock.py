"""A clock that stands still until a test moves it."""

from __future__ import annotations

NEW_YEAR = 1_767_225_600.0  # 2026-01-01T00:00:00Z


class Clock:
    """The servers' time in Unix seconds."""

    def __init__(self) -> None:
        self.seconds = NEW_YEAR

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds

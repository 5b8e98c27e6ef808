"""Decides which faults apply to a request, and counts the matching requests, so that `#2` is the second one.

In: faults, then one request after another, from any thread. Out: the faults that are to be carried out. It does nothing
to any request itself.
"""

from __future__ import annotations

import threading

from harness.model.addresses import SESSIONS, split_url
from harness.model.faults import ABORT, EVERY, EXCHANGES, Asked, Fault


class Injector:
    """The faults of one visit, and how many requests each has seen.

    `aborts_elsewhere` is set when the browser aborts its own requests: then only requests that no browser sends are aborted here.
    """

    def __init__(self, faults: tuple[Fault, ...] = ()) -> None:
        self.faults = faults
        self.aborts_elsewhere = False
        self._seen = [0] * len(faults)
        self._lock = threading.Lock()

    @property
    def needs_operation(self) -> bool:
        """Whether somebody has to look into a request's body to know what it is."""
        return any(f.operation or f.target == "custom" for f in self.faults if f.target in EXCHANGES)

    def take(self, asked: Asked) -> tuple[Fault, ...]:
        """Count a request, and return the faults that are done to it."""
        is_left_alone = self.aborts_elsewhere and split_url(asked.url).path != SESSIONS
        with self._lock:
            taken = [i for i, f in enumerate(self.faults) if not (is_left_alone and f.verb == ABORT)]
            return self._count(asked, taken)

    def take_abort(self, asked: Asked) -> Fault | None:
        """Count a request for the faults that break it off, and return the one that does; the others count it then too."""
        with self._lock:
            aborting = self._count(asked, [i for i, f in enumerate(self.faults) if f.verb == ABORT])
            if aborting:
                self._count(asked, [i for i, f in enumerate(self.faults) if f.verb != ABORT])
        return aborting[-1] if aborting else None

    def _count(self, asked: Asked, numbers: list[int]) -> tuple[Fault, ...]:
        met = []
        for number in numbers:
            fault = self.faults[number]
            if fault.concerns(asked):
                self._seen[number] += 1
                if fault.occurrence in (EVERY, self._seen[number]):
                    met.append(fault)
        return tuple(met)

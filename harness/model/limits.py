"""How long a visit waits for what: the one value that the configuration, the live wait, the report and a recording have of it.

In: nothing. Out: `Limits`. It needs no codec, so that `--help` can name the defaults.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long to wait for what."""

    mount_timeout_ms: float = 15_000  # after the visit began or the last action; for the undecidable
    stable_for_ms: float = 2_000  # after the last deciding fact, while the domain check is unanswered or unseen
    settled_stable_for_ms: float = 300  # once it was answered yes, or skipped
    quiet_ms: float = 750  # nothing relevant in flight after a failure: the app does not try again
    idle_ms: float = 2_000  # nothing relevant at all: nobody is going to mount anything any more

    @property
    def limits(self) -> Limits:
        """These alone, of a value that holds more: the settings of `[chatkit]`, how a recorded visit was judged."""
        return Limits(**self.limits_by_name)

    @property
    def limits_by_name(self) -> dict[str, Any]:
        """Each limit, to make a value that holds more."""
        return {item.name: getattr(self, item.name) for item in fields(Limits)}

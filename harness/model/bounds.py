"""The limits of a visit and of a run. Data over a limit is omitted, and an `Omitted` event records it.

In: what was written. Out: the bounds of the next visit. A run that has written enough keeps little of each further visit: its verdict,
its causes and the beginning of its timeline, and nothing of what fills disks.
"""

from __future__ import annotations

from dataclasses import dataclass

RUN_BYTES = 2_000_000_000  # the default of `run_megabytes`


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one visit keeps at most. Characters are those of the redacted text."""

    entries: int = 50_000  # of the timeline
    timeline_chars: int = 24_000_000
    field_chars: int = 16_000  # one text of an event: URLs and headers have no bound of their own
    requests: int = 3_000
    requests_alike: int = 300  # in one folder of one server
    bodies: int = 1_000
    body_bytes: int = 32_000_000
    packed_body_bytes: int = 8_000_000  # of a compressed body, whose real size is known only when it is there
    read_bytes: int = 256_000_000  # of all bodies together
    body_chars: int = 32_000_000  # kept of one: a replay needs scripts whole
    passed_body_chars: int = 64_000  # of one in the HAR of a visit that passed
    bodies_chars: int = 256_000_000  # of all bodies together; bytes, of those that are no text
    har_chars: int = 12_000_000  # of bodies that stand in the HAR itself
    inline_chars: int = 4_000  # of one that does: less than a block of the disk, which a file of its own takes
    sockets: int = 50
    socket_messages: int = 200  # of one
    socket_chars: int = 2_000_000  # of all messages of all sockets
    message_chars: int = 4_000
    console_chars: int = 1_000_000
    dom_chars: int = 400_000  # of each frame
    frames: int = 20
    screenshot_px: int = 16_000_000
    trace_bytes: int = 400_000_000


FULL = Bounds()
SPARSE = Bounds(
    entries=5_000,
    timeline_chars=1_000_000,
    bodies_chars=0,
    har_chars=0,
    console_chars=50_000,
    dom_chars=0,
    screenshot_px=0,
    trace_bytes=0,
)


class Allowance:
    """What one process may write in a run; its visits come one after the other."""

    def __init__(self, run_bytes: int = RUN_BYTES, *, processes: int = 1) -> None:
        self._run_bytes = run_bytes
        self._left_bytes = run_bytes // max(processes, 1)

    @property
    def bounds(self) -> Bounds:
        """Those of the next visit."""
        return FULL if self._left_bytes > 0 else SPARSE

    def spend(self, size_bytes: int) -> None:
        """Count what a visit wrote."""
        self._left_bytes -= size_bytes

    @property
    def reason(self) -> str:
        """Why the next visit keeps little; "" while it keeps everything."""
        return "" if self._left_bytes > 0 else f"this run's files are larger than {self._run_bytes} bytes"

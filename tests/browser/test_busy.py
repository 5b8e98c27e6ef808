"""A machine that is too busy to listen to the page makes no failure of a mount."""

from __future__ import annotations

import time

from harness import Chatkit, expect
from harness.drive.embed import Embed
from harness.model.events import CaughtUp, ResponseReceived

DEAF_S = 2.0  # more than twice the quiet period after a failure


def deafen(embed: Embed, *, at_status: int) -> list[int]:
    """Keep the harness from hearing anything for a while from the first respond with this status on; return the lines."""
    told, lines = embed.timeline.wake, []

    def wake() -> None:
        last = embed.timeline.entries[-1]
        if not lines and isinstance(last.event, ResponseReceived) and last.event.status == at_status:
            lines.append(last.seq)
            time.sleep(DEAF_S)
        told()

    embed.timeline.wake = wake
    return lines


def test_second_try_that_is_heard_late_still_counts(chatkit: Chatkit) -> None:
    """The frame asks for a new secret at once; the harness hears of it long after the quiet period."""
    # The frame is so late that the harness is deaf before it asks.
    visit = chatkit.open("topic-generation", scenario="threads-401-once", fault="delay:frame=3s")
    lines = deafen(visit.embed, at_status=401)
    expect(visit).to_be_mounted()
    assert lines, "the harness was never deaf"
    assert any(isinstance(entry.event, CaughtUp) for entry in visit.embed.timeline.since(lines[0]))

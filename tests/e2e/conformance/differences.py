"""What the real SDK does otherwise than this suite says, each with what was seen, and of which generation.

In: nothing. Out: one table. On a snapshot or on the CDN such a test is expected to fail, with these words; on the stand-in it has to pass.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.model.sdk_generations import FRAME_2026, Generation


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One test that does not hold for the real SDK."""

    test: str  # file::function
    seen: str
    generation: Generation = FRAME_2026  # with which it was seen


DIFFERENCES = (
    Difference(
        test="test_custom.py::test_set_thread_id_and_fetch_updates",
        seen="fetchUpdates() fires thread.load.start and .end, and sends no request to the backend",
    ),
    Difference(
        test="test_custom.py::test_send_user_message",
        seen="the model of sendUserMessage() is not sent if composer.models does not list it",
    ),
    Difference(
        test="test_widget.py::test_scroll_to_bottom",
        seen='"Scroll to bottom" is always in the document; after scrolling by script it stays hidden',
    ),
)
BY_TEST = {difference.test: difference for difference in DIFFERENCES}

"""A replay beside its recording."""

from __future__ import annotations

from dataclasses import replace

from builders import TRANSCRIPTS, entries, pause, visit_ended, visit_started

from harness.analysis.replay.comparison import compared
from harness.analysis.result import result_of
from harness.model.limits import Limits
from harness.model.recording import RecordedVerdict
from harness.model.results import VisitResult


def result(name: str) -> VisitResult:
    """Return what a transcript comes to."""
    steps = entries(visit_started(), TRANSCRIPTS[name], pause(30_000), visit_ended())
    return result_of(steps, limits=Limits(), started_at="2026-11-24T08:00:00.000+00:00")


FAILED = next(found for found in map(result, TRANSCRIPTS) if not found.is_mounted and found.cause)
MOUNTED = next(found for found in map(result, TRANSCRIPTS) if found.is_mounted)
JUDGED = RecordedVerdict(outcome=FAILED.outcome, reason=FAILED.reason, cause=FAILED.cause.rule if FAILED.cause else "")


def test_the_same_verdict_for_the_same_cause_is_reproduced() -> None:
    """Whatever was missed on the way."""
    told = compared(JUDGED, FAILED, misses=["GET https://a.test/"])
    assert (told.is_same, told.sentence) == (True, "reproduced: same verdict, same cause")
    told = compared(RecordedVerdict(outcome="mounted"), MOUNTED)
    assert (told.is_same, told.sentence) == (True, "reproduced: same verdict")


def test_another_cause_is_not_reproduced() -> None:
    """What differs is said, and what was not answered."""
    told = compared(replace(JUDGED, cause="frame-refused"), FAILED, missing=["a body"])
    assert (told.is_same, told.is_possible) == (False, True)
    assert (
        told.differences[0].startswith("recorded NOT MOUNTED (frame-refused)") or "frame-refused" in told.differences[0]
    )
    assert "not in the recording: a body" in told.differences


def test_another_verdict_is_not_reproduced() -> None:
    """A widget that mounts now."""
    assert compared(JUDGED, MOUNTED).is_same is False


def test_many_misses_are_counted() -> None:
    """Five are named."""
    told = compared(JUDGED, MOUNTED, misses=[f"GET https://a.test/{n}" for n in range(9)])
    assert told.differences[-1] == "and 4 more"


def test_what_asks_for_more_than_was_recorded_is_not_judged() -> None:
    """Another verdict may be the recording's fault."""
    told = compared(replace(JUDGED, cause="frame-refused"), FAILED, misses=["GET https://a.test/"], missing=["a body"])
    assert (told.is_same, told.is_possible) == (None, False)
    assert told.sentence == "cannot be reproduced: no recorded response for GET https://a.test/"
    assert "not in the recording: a body" in told.differences


def test_a_page_without_a_body_that_it_asked_for_is_not_judged_unless_it_mounts() -> None:
    """Also where the verdict is the recorded one: it may have another reason."""
    lack = "the body of GET https://a.test/app.js is missing: larger than 32000000 bytes"
    told = compared(JUDGED, FAILED, lacks=[lack])
    assert (told.is_same, told.is_possible, told.sentence) == (None, False, f"cannot be reproduced: {lack}")
    told = compared(RecordedVerdict(outcome="mounted"), MOUNTED, lacks=[lack])
    assert (told.is_same, told.is_possible) == (True, True)


def test_without_a_recorded_verdict_there_is_nothing_to_compare() -> None:
    """As in a HAR of another tool."""
    assert compared(RecordedVerdict(), FAILED).is_same is None

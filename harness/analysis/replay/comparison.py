"""The comparison of a replay with the recording: the same verdict and cause, or the differences.

In: the recorded verdict, the replay's result, what the recording could not answer. Out: a `ReplayComparison` in sentences.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.model.recording import RecordedVerdict
from harness.model.results import VisitResult

MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayComparison:
    """Whether a replay has the recorded verdict; `is_same` is None when no verdict was recorded, or the visit could not be replayed."""

    is_same: bool | None
    sentence: str
    differences: tuple[str, ...] = ()
    is_possible: bool = (
        True  # whether the recording has what the replay asked for; otherwise its verdict is not the page's
    )


def compared(
    judged: RecordedVerdict,
    result: VisitResult,
    *,
    misses: Iterable[str] = (),
    missing: Iterable[str] = (),
    lacks: Iterable[str] = (),
) -> ReplayComparison:
    """Return how a result stands to the recorded verdict: by outcome and cause.

    `lacks`: bodies that were asked for and are not in the recording, as sentences. A page that mounts did not need them; the failure of a
    page that does not mount cannot be explained.
    """
    misses, lacks = tuple(misses), tuple(lacks)
    if lacks and not result.is_mounted:
        return _impossible(judged, result, lacks, missing)
    if not judged.outcome:
        return ReplayComparison(is_same=None, sentence="replayed; the recording has no verdict to compare with")
    recorded, replayed = (judged.outcome, judged.cause), (result.outcome, result.cause.rule if result.cause else "")
    if recorded == replayed:
        sentence = "same verdict, same cause" if result.cause else "same verdict"
        return ReplayComparison(is_same=True, sentence=f"reproduced: {sentence}")
    if misses:
        return _impossible(judged, result, [f"no recorded response for {miss}" for miss in misses], missing)
    differences = [f"recorded {verdict_told(*recorded)}; replayed {verdict_told(*replayed)}"]
    if judged.reason != result.reason:
        differences.append(f"the reason was {judged.reason}, and is {result.reason}")
    differences += _cut([f"not in the recording: {what}" for what in missing])
    return ReplayComparison(is_same=False, sentence="NOT reproduced", differences=tuple(differences))


def _impossible(
    judged: RecordedVerdict, result: VisitResult, lacks: Sequence[str], missing: Iterable[str]
) -> ReplayComparison:
    recorded, replayed = (judged.outcome, judged.cause), (result.outcome, result.cause.rule if result.cause else "")
    others = [f"not in the recording: {what}" for what in missing if what not in lacks]
    told = f"recorded {verdict_told(*recorded)}; replayed without the missing parts: {verdict_told(*replayed)}"
    return ReplayComparison(
        is_same=None,
        sentence=f"cannot be reproduced: {lacks[0]}",
        differences=(told, *_cut(list(lacks)), *_cut(others)),
        is_possible=False,
    )


def verdict_told(outcome: str, cause: str) -> str:
    """Return a verdict in a word or two, with its cause."""
    words = {"mounted": "mounted", "failed": "NOT MOUNTED", "timeout": "NOT MOUNTED in time"}
    return words.get(outcome, outcome or "nothing") + (f" ({cause})" if cause else "")


def _cut(lines: list[str]) -> list[str]:
    return lines if len(lines) <= MOST_NAMED else [*lines[:MOST_NAMED], f"and {len(lines) - MOST_NAMED} more"]

"""What to do after an action on the page: it is done, it is tried again, or the page is watched for longer.

In: who listened, what changed, and whether the page is still becoming ready. Out: the next move. An action that somebody near heard, or
that changed something, is never repeated: it may have been a toggle.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.model.events import ActionEnded


class Audience(StrEnum):
    """Who hears an action on an element, as the browser tells."""

    NATIVE = "native"  # the browser itself acts: a link, a field, a form's button
    NEAR = "near"  # a handler on the element, or on an ancestor that is no root
    FAR = "far"  # handlers on a root, the document or the window only: frameworks that delegate, and analytics
    NONE = "none"  # nobody
    UNKNOWN = "unknown"  # the engine does not tell


class Move(StrEnum):
    """What comes next."""

    DONE = "done"
    REPEAT = "repeat"
    WATCH = "watch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """An attempt, and the page since then."""

    audience: Audience  # at the attempt
    audience_now: Audience
    caused: frozenset[str] = frozenset()  # what happened while the event was dispatched
    followed: frozenset[str] = frozenset()  # what happened later, by the action or by itself
    is_becoming_ready: bool = False  # the page loads, or asks for something still
    is_fresh: bool = False  # it was acted on a moment ago: somebody may begin to listen
    is_over: bool = False  # there is no time left


def next_move(seen: Observed) -> Move:
    """Return what to do after an attempt."""
    if seen.caused or "navigation" in seen.followed or seen.audience in (Audience.NATIVE, Audience.NEAR):
        return Move.DONE
    has_grown = RANK[seen.audience_now] > RANK[seen.audience]
    if has_grown and not seen.is_over:  # who listens now could not have heard it
        return Move.REPEAT
    if seen.is_over:
        return Move.DONE
    match seen.audience:
        case Audience.NONE:  # whatever changed, changed by itself
            return Move.WATCH if seen.is_becoming_ready else Move.DONE
        case Audience.FAR | Audience.UNKNOWN if not seen.followed and (seen.is_becoming_ready or seen.is_fresh):
            return (
                Move.REPEAT
            )  # a framework's root hears everything, and knows its handlers only when they are rendered
        case _:
            return Move.DONE


def effect_of(seen: Observed) -> tuple[str, ...]:
    """Return what the action changed; where nobody listened, what changed later changed by itself."""
    return tuple(sorted(seen.caused if seen.audience is Audience.NONE else seen.caused | seen.followed))


RANK = {Audience.UNKNOWN: 0, Audience.NONE: 0, Audience.FAR: 1, Audience.NEAR: 2, Audience.NATIVE: 0}


LISTENERS = {
    Audience.NATIVE: "the browser acts on it by itself",
    Audience.NEAR: "a handler listens on it",
    Audience.FAR: "handlers listen on the document or on a root only",
    Audience.NONE: "nobody listens to it",
    Audience.UNKNOWN: "this browser does not tell who listens",
}


def action_outcome(ended: ActionEnded) -> str:
    """Return what became of an action, as a clause."""
    changed = f"changed {', '.join(ended.effect)}" if ended.effect else "changed nothing"
    tries = f" after {ended.attempts} attempts" if ended.attempts > 1 else ""
    waited = f", {ended.waited_ms / 1000:.1f} s after it was visible" if ended.waited_ms >= 1000 else ""
    loading = "" if ended.is_loaded else "; the page had not finished loading"
    listeners = LISTENERS[Audience(ended.audience)] if ended.audience in tuple(Audience) else ended.audience
    return f'the {ended.action} on "{ended.target}" {changed}{tries}{waited} ({listeners}{loading})'

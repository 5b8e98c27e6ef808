"""Decides what happens after an action on the page: it is done, it is repeated, or the harness waits longer.

In: who listened, what changed, and whether the page is still becoming ready. Out: the next move. An action that somebody near heard, or
that changed something, is never repeated: it may have been a toggle.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.model.events import ActionEnded


class Audience(StrEnum):
    """The listeners of an action on an element, as the browser reports them."""

    NATIVE = "native"  # the browser itself acts: a link, a field, a form's button
    NEAR = "near"  # a handler on the element, or on an ancestor that is no root
    ROOT = "root"  # handlers on a framework's root, which hears everything before the components behind it are there
    FAR = "far"  # handlers on the document or the window only: delegation, and analytics
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
    has_more: bool = False  # more handlers hear it now than at the attempt
    caused: frozenset[str] = frozenset()  # what happened while the event was dispatched
    followed: frozenset[str] = frozenset()  # what happened later, by the action or by itself
    soon: frozenset[str] = frozenset()  # the part of it within a second, or when what a handler put off was done
    was_silent: bool = False  # an attempt before this one was without a sign
    was_busy: bool = False  # the page did things of its own at the attempt: what followed may be theirs
    is_awaited: bool = False  # what a handler put off is still to come
    is_becoming_ready: bool = False  # the page loads, or asks for something still
    is_recent: bool = False  # this attempt was a moment ago: an effect may come still
    is_fresh: bool = False  # the first attempt was a moment ago: somebody may begin to listen
    is_over: bool = False  # there is no time left


# A handler that measures does as much with every click; one that was rendered for the button does more.
WEAK = frozenset({"network", "console", "timer"})


def next_move(seen: Observed) -> Move:
    """Return what to do after an attempt."""
    is_conclusive = seen.caused - WEAK or "navigation" in seen.followed
    if is_conclusive or seen.is_over or seen.audience in (Audience.NATIVE, Audience.NEAR):
        return Move.DONE
    if RANK[seen.audience_now] > RANK[seen.audience]:  # who listens now could not have heard it
        return Move.REPEAT
    if seen.audience is Audience.NONE:  # whatever changed, changed by itself
        return Move.WATCH if seen.is_becoming_ready else Move.DONE
    is_early = seen.is_becoming_ready or seen.is_fresh
    # Routers and measuring put things off at every click; on a page that is busy that says nothing.
    if seen.caused - {"timer"} if seen.was_busy else seen.caused:  # somebody did hear it
        return Move.WATCH if is_early else Move.DONE
    if _has_followed(seen):
        return Move.WATCH if is_early and seen.audience is not Audience.UNKNOWN and seen.followed <= WEAK else Move.DONE
    if seen.has_more and not seen.soon:
        return Move.REPEAT
    return _move_without_sign(seen, is_early=is_early)


def _has_followed(seen: Observed) -> bool:
    """Whether what has changed since may well be the action's, though no handler was seen to cause it."""
    if seen.was_busy:
        return False
    if seen.audience is Audience.UNKNOWN:
        return bool(seen.followed)
    # A root that let one attempt pass without a sign gets its handlers meanwhile, and the page changes as they come.
    return bool(seen.soon) and not (seen.audience is Audience.ROOT and seen.was_silent)


def _move_without_sign(seen: Observed, *, is_early: bool) -> Move:
    """Return what to do when somebody may have heard it, and nothing that has changed since need be of its doing."""
    if seen.is_recent or seen.is_awaited:  # an effect may come still
        return Move.WATCH
    # A framework's root hears everything, and knows its handlers only when they are rendered.
    if seen.audience is not Audience.FAR:
        return Move.REPEAT if is_early else Move.DONE
    if seen.was_busy and not seen.is_becoming_ready:
        return Move.REPEAT
    return Move.WATCH if is_early else Move.DONE


def effect_of(seen: Observed) -> tuple[str, ...]:
    """Return what the action changed; where nobody listened, what changed later changed by itself."""
    return tuple(sorted(seen.caused if seen.audience is Audience.NONE else seen.caused | seen.followed))


RANK = {Audience.UNKNOWN: 0, Audience.NONE: 0, Audience.FAR: 1, Audience.ROOT: 2, Audience.NEAR: 3, Audience.NATIVE: 0}


LISTENERS = {
    Audience.NATIVE: "the browser acts on it by itself",
    Audience.NEAR: "a handler listens on it",
    Audience.ROOT: "handlers listen on a framework's root only",
    Audience.FAR: "handlers listen on the document only",
    Audience.NONE: "no handler listens",
    Audience.UNKNOWN: "the listeners are unknown in this browser",
}


def action_outcome(ended: ActionEnded) -> str:
    """Return the result of an action as a clause."""
    changed = f"changed {', '.join(ended.effect)}" if ended.effect else "changed nothing"
    tries = f" after {ended.attempts} attempts" if ended.attempts > 1 else ""
    waited = f", {ended.waited_ms / 1000:.1f} s after it was visible" if ended.waited_ms >= 1000 else ""
    loading = "" if ended.is_loaded else "; the page had not finished loading"
    listeners = LISTENERS[Audience(ended.audience)] if ended.audience in tuple(Audience) else ended.audience
    return f'the {ended.action} on "{ended.target}" {changed}{tries}{waited} ({listeners}{loading})'

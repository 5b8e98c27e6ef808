"""After an action: done, tried again, or watched for longer; and how that is said."""

from __future__ import annotations

import pytest
from builders import action_ended

from harness.analysis.action_moves import Audience, Move, Observed, action_outcome, effect_of, next_move

NATIVE, NEAR, ROOT, FAR, NONE, UNKNOWN = Audience


def seen(audience: Audience, now: Audience | None = None, **changes: object) -> Observed:
    """Return an attempt; `now`: who listens since."""
    return Observed(audience=audience, audience_now=now or audience, **changes)  # type: ignore[arg-type]


WEAK: dict[str, object] = {"caused": frozenset({"network"})}
BUSY: dict[str, object] = {"was_busy": True}
CAUSED, LATER = {"caused": frozenset({"dom"})}, {"followed": frozenset({"dom"})}
FOLLOWED = {"followed": frozenset({"dom"}), "soon": frozenset({"dom"})}
WEAKLY = {"followed": frozenset({"network", "console"}), "soon": frozenset({"network", "console"})}
SILENT = {"was_silent": True}
READY, FRESH, OVER = {"is_becoming_ready": True}, {"is_fresh": True}, {"is_over": True}
RECENT, AWAITED, MORE = {"is_recent": True}, {"is_awaited": True}, {"has_more": True}
TIMER = {"caused": frozenset({"timer"})}


@pytest.mark.parametrize(
    ("observed", "move"),
    [
        # an effect of its own ends it, whoever listens
        (seen(NONE, NEAR, **CAUSED), Move.DONE),
        (seen(FAR, NEAR, **CAUSED), Move.DONE),
        (seen(FAR, NEAR, followed=frozenset({"navigation"})), Move.DONE),
        # who heard it is not asked twice, whatever can be seen of it: a toggle
        (seen(NEAR, **READY), Move.DONE),
        (seen(NEAR, **FRESH), Move.DONE),
        (seen(NATIVE, NEAR, **READY), Move.DONE),
        # nobody heard it: what changes by itself does not matter
        (seen(NONE, NEAR), Move.REPEAT),
        (seen(NONE, FAR), Move.REPEAT),
        (seen(NONE, NEAR, **FOLLOWED), Move.REPEAT),
        (seen(NONE, **READY), Move.WATCH),
        (seen(NONE, **READY, **FOLLOWED), Move.WATCH),
        (seen(NONE, **FRESH), Move.DONE),
        # what asks for something, or puts it off, may only measure: it is not repeated for that, but somebody near may come
        (seen(FAR, NEAR, **WEAK), Move.REPEAT),
        (seen(FAR, **WEAK, **READY), Move.WATCH),
        (seen(FAR, **WEAK, **FRESH), Move.WATCH),
        (seen(FAR, **WEAK, **BUSY), Move.DONE),
        (seen(ROOT, **TIMER, **FRESH), Move.WATCH),
        (seen(ROOT, **TIMER), Move.DONE),
        (seen(ROOT, **TIMER, **BUSY, **FRESH), Move.REPEAT),
        (seen(ROOT, **TIMER, **BUSY, **FRESH, **AWAITED), Move.WATCH),
        (seen(ROOT, **WEAK, **BUSY, **FRESH), Move.WATCH),
        # what follows on a busy page may be its own
        (seen(ROOT, **FOLLOWED, **BUSY, **FRESH), Move.REPEAT),
        (seen(ROOT, **FOLLOWED, **BUSY), Move.DONE),
        (seen(FAR, **FOLLOWED, **BUSY), Move.REPEAT),
        (seen(FAR, **FOLLOWED, **FRESH), Move.DONE),
        # only those far away heard it, and somebody near has come
        (seen(FAR, NEAR), Move.REPEAT),
        (seen(FAR, NEAR, **FOLLOWED), Move.REPEAT),
        (seen(FAR, ROOT), Move.REPEAT),
        (seen(ROOT, NEAR, **FOLLOWED), Move.REPEAT),
        (seen(NEAR, ROOT, **READY), Move.DONE),
        (seen(FAR, **MORE, **RECENT), Move.REPEAT),
        (seen(FAR, **MORE, **WEAKLY), Move.DONE),
        (seen(FAR, **MORE, **FOLLOWED), Move.DONE),
        # those on the document may have heard it: an effect may come still, and it is repeated once, when the page has become ready
        (seen(FAR, **RECENT, **BUSY), Move.WATCH),
        (seen(FAR, **READY, **BUSY), Move.WATCH),
        (seen(FAR, **BUSY), Move.REPEAT),
        (seen(FAR, **FRESH), Move.WATCH),
        (seen(FAR), Move.DONE),
        (seen(FAR, **READY, **FOLLOWED), Move.DONE),
        # a root knows its handlers only when they are rendered
        (seen(ROOT, **RECENT, **READY), Move.WATCH),
        (seen(ROOT, **READY), Move.REPEAT),
        (seen(ROOT, **FRESH), Move.REPEAT),
        (seen(ROOT, **FRESH, **FOLLOWED), Move.DONE),
        (seen(ROOT), Move.DONE),
        # what comes later, or after an attempt without a sign, brings the handlers themselves
        (seen(ROOT, **FRESH, **LATER), Move.REPEAT),
        (seen(ROOT, **FRESH, **LATER, **AWAITED), Move.WATCH),
        (seen(ROOT, **FRESH, **FOLLOWED, **SILENT), Move.REPEAT),
        (seen(ROOT, **FRESH, **CAUSED, **SILENT), Move.DONE),
        (seen(FAR, **FRESH, **LATER), Move.WATCH),
        (seen(FAR, **FRESH, **FOLLOWED, **SILENT), Move.DONE),
        (seen(FAR, **MORE, **LATER), Move.REPEAT),
        (seen(UNKNOWN, **FRESH, **LATER), Move.DONE),
        # measuring asks and writes with every click: that alone neither ends it nor repeats it
        (seen(FAR, **FRESH, **WEAKLY), Move.WATCH),
        (seen(FAR, NEAR, **FRESH, **WEAKLY), Move.REPEAT),
        (seen(ROOT, **READY, **WEAKLY), Move.WATCH),
        (seen(FAR, **WEAKLY), Move.DONE),
        # an engine that does not tell: only when nothing at all changed
        (seen(UNKNOWN, **FRESH, **RECENT), Move.WATCH),
        (seen(UNKNOWN, **FRESH), Move.REPEAT),
        (seen(UNKNOWN, **READY), Move.REPEAT),
        (seen(UNKNOWN, **FRESH, **WEAKLY), Move.DONE),
        (seen(UNKNOWN, **READY, **FOLLOWED), Move.DONE),
        (seen(UNKNOWN), Move.DONE),
        # it ends
        (seen(NONE, NEAR, **OVER), Move.DONE),
        (seen(NONE, **READY, **OVER), Move.DONE),
        (seen(FAR, **READY, **OVER), Move.DONE),
        (seen(UNKNOWN, **READY, **OVER), Move.DONE),
        (seen(ROOT, **READY, **OVER), Move.DONE),
        (seen(FAR, NEAR, **OVER), Move.DONE),
    ],
)
def test_an_action_is_repeated_only_when_nobody_can_have_heard_it(observed: Observed, move: Move) -> None:
    """Never after an effect, never when a handler near it heard it, never without an end."""
    assert next_move(observed) is move


def test_what_changes_while_nobody_listens_is_no_effect() -> None:
    """A clock ticks whether its page is clicked or not."""
    assert effect_of(seen(NONE, **FOLLOWED)) == ()
    assert effect_of(seen(FAR, followed=frozenset({"network", "dom"}))) == ("dom", "network")


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        (action_ended("dom", "network"), "changed dom, network (a handler listens on it)"),
        (
            action_ended(audience="none", waited_ms=5_200),
            "changed nothing, 5.2 s after it was visible (nobody listens to it)",
        ),
        (action_ended("dom", attempts=3), "changed dom after 3 attempts"),
        (action_ended(audience="far", is_loaded=False), "on the document only; the page had not finished loading)"),
    ],
)
def test_what_became_of_an_action_is_one_clause(ended: object, told: str) -> None:
    """It says what changed, how often it was tried, and who listened."""
    assert told in action_outcome(ended)  # type: ignore[arg-type]

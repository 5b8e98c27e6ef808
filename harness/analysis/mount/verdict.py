"""Decides when a mount has a verdict, and which one: the same function for the live wait and for the report.

In: entries and limits. Out: a `Verdict`, as soon as the facts are sufficient. The clock is the timeline's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from harness.analysis.mount.fold import advance
from harness.analysis.mount.state import Backend, EmbedId, Milestone, Mount, Reached, Verification
from harness.analysis.mount.tracks import Element, Frame, Script, Session, Signal
from harness.model.events import ActionRepeated, ActionTaken, CaughtUp, Navigated, VisitEnded, VisitStarted, is_message
from harness.model.limits import Limits
from harness.model.timeline import Entry

MOST_OTHERS = 8  # embeds of one page that are judged beside the first


BACK_OFF = 2.5  # how much longer the next pause of a page that repeats a request may be: twice, with some chance in it


class Outcome(StrEnum):
    """The outcome of a mount."""

    MOUNTED = "mounted"
    FAILED = "failed"
    TIMEOUT = "timeout"


class Reason(StrEnum):
    """Why the embed is not mounted: the first track that failed."""

    NONE = "none"
    PAGE_CRASHED = "page-crashed"
    SCRIPT_FAILED = "script-failed"
    NOT_CHATKIT = "no-chatkit"
    NOT_DEFINED = "element-not-defined"
    NO_ELEMENT = "element-absent"
    NOT_CONFIGURED = "options-not-set"
    ELEMENT_GONE = "element-removed"
    ELEMENT_MOVED = "element-moved"
    SESSION_REFUSED = "session-refused"
    SECRET_AWAITED = "secret-not-answered"
    SECRET_REJECTED = "secret-rejected"
    FRAME_FAILED = "frame-failed"
    FRAME_SILENT = "frame-silent"
    OPTIONS_REJECTED = "options-rejected"
    DOMAIN_UNVERIFIED = "domain-not-verified"
    WIDGET_REMOVED = "widget-removed"
    BACKEND_REFUSED = "backend-refused"
    BACKEND_FAILING = "backend-failing"
    NOT_VISIBLE = "not-visible"
    UNDECIDED = "undecided"


# An app asks again for a session that it did not get, and the libraries that do so wait for a second first.
QUIET_OF = {Reason.SESSION_REFUSED: 5 / 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The end of a wait. `decided_at_ms` is when all was heard that decides; `fact_at_ms` when the deciding fact happened."""

    outcome: Outcome
    reason: Reason
    decided_at_ms: float
    fact_at_ms: float
    evidence: tuple[int, ...]
    mount: Mount  # as it was then; whatever the page does later belongs to no verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A mount and, once there is one, its verdict."""

    limits: Limits
    mount: Mount = field(default_factory=Mount)
    verdict: Verdict | None = None
    seen_at_ms: float = 0.0  # of the last entry that was followed
    is_over: bool = False  # the visit has ended; what comes later changes nothing

    @property
    def due_ms(self) -> float:
        """When to look again if nothing happens before."""
        return _ruling(self.mount, self.limits)[0]


def follow(judgement: Judgement, entry: Entry) -> Judgement:
    """Return the judgement after one more entry.

    Time alone decides nothing: an entry may be late because the machine is busy, and what was late still counts. What is
    due is decided where the page was asked and had nothing more to say, and at the end of the visit.
    """
    if judgement.is_over:
        return judgement
    if isinstance(entry.event, VisitEnded):
        return replace(settle(judgement, entry.at_ms), is_over=True)
    judgement = replace(judgement, seen_at_ms=entry.at_ms)
    if isinstance(entry.event, CaughtUp):
        return settle(judgement, entry.at_ms)
    mount = advance(judgement.mount, entry)
    verdict = judgement.verdict
    if verdict is not None and (_is_reopening(entry) or _is_lost(verdict, mount)):
        verdict = None
        mount = _without_mounted(mount)
    return replace(judgement, mount=mount, verdict=verdict)


def settle(judgement: Judgement, now_ms: float) -> Judgement:
    """Return the judgement at a moment: decided if it was due by then."""
    if judgement.verdict is not None or judgement.is_over:
        return judgement
    due_ms, outcome, reason = _ruling(judgement.mount, judgement.limits)
    if due_ms > now_ms:
        return judgement
    mount = judgement.mount
    if outcome is Outcome.MOUNTED:
        at = Reached(
            at_ms=max(due_ms, judgement.seen_at_ms), seq=max((r.seq for r in mount.milestones.values()), default=0)
        )
        mount = replace(mount, milestones={**mount.milestones, Milestone.MOUNTED: at})
    # Where silence decides, the last sign of life is the deciding fact.
    is_silence = outcome is Outcome.FAILED and failure_of(mount) is None
    verdict = Verdict(
        outcome=outcome,
        reason=reason,
        decided_at_ms=max(due_ms, judgement.seen_at_ms),
        fact_at_ms=mount.active_at_ms if is_silence else mount.decided_at_ms,
        evidence=_evidence(mount, reason),
        mount=mount,
    )
    return replace(judgement, mount=mount, verdict=verdict)


def judge(
    entries: Iterable[Entry],
    limits: Limits,
    *,
    session_endpoint: str = "",
    wanted: EmbedId | None = None,
    now_ms: float | None = None,
) -> Judgement:
    """Return the judgement of a timeline, as the live wait would have passed it.

    `wanted`: the embed to judge, in place of the first that the page does something with. `now_ms`: when it is not over yet.
    """
    judgement = Judgement(limits=limits, mount=Mount(session_endpoint=session_endpoint, wanted=wanted))
    for entry in entries:
        judgement = follow(judgement, entry)
    return judgement if now_ms is None else settle(judgement, now_ms)


def judge_others(entries: Sequence[Entry], judgement: Judgement) -> tuple[Judgement, ...]:
    """Return the judgements of the page's other embeds that have got their options, each by itself.

    If two embeds send equal requests, they count for both.
    """
    endpoint, limits = judgement.mount.session_endpoint, judgement.limits
    others = list(judgement.mount.others)[:MOST_OTHERS]
    judged = (judge(entries, limits, session_endpoint=endpoint, wanted=other) for other in others)
    return tuple(one for one in judged if Milestone.OPTIONS_ACCEPTED in one.mount.milestones)


def _ruling(mount: Mount, limits: Limits) -> tuple[float, Outcome, Reason]:
    """When the mount will be decided if nothing more happens, and how."""
    deadline_ms = mount.opened_at_ms + limits.mount_timeout_ms
    since_ms = max(mount.active_at_ms, mount.decided_at_ms)
    failure = failure_of(mount)
    if failure is Reason.PAGE_CRASHED:
        return mount.decided_at_ms, Outcome.FAILED, failure
    if failure is not None:
        quiet_ms = max(limits.quiet_ms * QUIET_OF.get(failure, 1), _next_pause_ms(mount))
        # A failure just before the time limit has its quiet period too: a page that tries again is no failure.
        latest_ms = max(deadline_ms, mount.decided_at_ms + quiet_ms)
        return min(max(since_ms + quiet_ms, mount.busy_until_ms), latest_ms), Outcome.FAILED, failure
    if is_whole(mount):
        return _stable_at_ms(mount, limits), Outcome.MOUNTED, Reason.NONE
    missing = missing_of(mount)
    due_ms = max(since_ms + max(limits.idle_ms, _next_pause_ms(mount)), mount.busy_until_ms)
    if missing in SHOWN_BY_SILENCE and mount.has_loaded and due_ms < deadline_ms:
        return due_ms, Outcome.FAILED, missing
    return deadline_ms, Outcome.TIMEOUT, missing


def _next_pause_ms(mount: Mount) -> float:
    """For how long a page that repeats what fails may be silent before it does so again: pauses double, as a rule."""
    return mount.pause_ms * BACK_OFF


def _stable_at_ms(mount: Mount, limits: Limits) -> float:
    """When a whole mount has stayed whole for long enough."""
    if mount.opened_at_ms > mount.decided_at_ms:  # it was whole before the harness acted on the page: will it stay?
        return mount.opened_at_ms + limits.stable_for_ms
    is_checked = mount.verification in (Verification.VERIFIED, Verification.SKIPPED)
    is_complete = mount.frame is Frame.READY and mount.backend is not Backend.ANNOUNCED
    return mount.decided_at_ms + (limits.settled_stable_for_ms if is_checked and is_complete else limits.stable_for_ms)


def is_whole(mount: Mount) -> bool:
    """Whether everything that makes a mounted widget is there, stability aside."""
    return mount.is_visible and _lacks_only_sight(mount)


def _lacks_only_sight(mount: Mount) -> bool:
    """Whether the widget works as far as can be seen, whether anybody sees it or not."""
    return (
        mount.frame in (Frame.BOOTED, Frame.READY)
        and mount.element is Element.LOADED
        and not mount.asked
        and mount.backend in (Backend.UNSEEN, Backend.ANNOUNCED, Backend.ACCEPTED)
        and mount.verification is not Verification.PENDING
    )


def failure_of(mount: Mount) -> Reason | None:
    """The fact that excludes a mount, unless the app tries again; None when there is none."""
    if mount.is_crashed:
        return Reason.PAGE_CRASHED
    if mount.frame is Frame.REJECTED:
        return Reason.OPTIONS_REJECTED
    if mount.frame is Frame.UNMOUNTED:
        return Reason.DOMAIN_UNVERIFIED
    if mount.element is Element.REMOVED:
        return Reason.WIDGET_REMOVED
    if mount.element is Element.MOVED:
        return Reason.ELEMENT_MOVED
    if mount.script is Script.FAILED:
        return Reason.SCRIPT_FAILED
    if mount.session is Session.REFUSED and not mount.needs_no_secret:
        return Reason.SESSION_REFUSED
    if mount.frame is Frame.FAILED:
        return Reason.FRAME_FAILED
    if mount.session is Session.REJECTED:
        return Reason.SECRET_REJECTED
    if mount.backend is Backend.REFUSED:
        return Reason.BACKEND_REFUSED
    return None


def missing_of(mount: Mount) -> Reason:
    """Why a mount in which nothing happens any more is not whole."""
    if mount.element is Element.DISCONNECTED:
        return Reason.ELEMENT_GONE
    match mount.next_milestone:
        case Milestone.PAGE_LOADED:
            return Reason.UNDECIDED
        case Milestone.SCRIPT_REQUESTED if mount.element is Element.ABSENT:
            return Reason.NOT_CHATKIT
        case Milestone.SCRIPT_REQUESTED | Milestone.ELEMENT_DEFINED:
            return Reason.NOT_DEFINED
        case Milestone.ELEMENT_CONNECTED if mount.element is Element.ABSENT:
            return Reason.NO_ELEMENT
        case Milestone.ELEMENT_CONNECTED:
            return Reason.NOT_DEFINED  # in the document that the element stands in
        case Milestone.OPTIONS_ACCEPTED:
            return Reason.NOT_CONFIGURED
        # Scripts of a frame run before its load event: until then it may only be slow.
        case Milestone.FRAME_DELIVERED if mount.element is Element.LOADED:
            return Reason.FRAME_FAILED
        case Milestone.FRAME_BOOTED if mount.element is Element.LOADED:
            return Reason.FRAME_SILENT
        case _:
            return _unfinished(mount)


def _unfinished(mount: Mount) -> Reason:
    """What a frame that booted still waits for."""
    if "onGetClientSecret" in mount.asked.values():
        return Reason.SECRET_AWAITED
    if mount.backend is Backend.FAILING:
        return Reason.BACKEND_FAILING
    is_unseen = mount.box is not None and not mount.is_visible
    return Reason.NOT_VISIBLE if is_unseen and _lacks_only_sight(mount) else Reason.UNDECIDED


# What silence proves. Everything else may be slow: the time limit ends it.
SHOWN_BY_SILENCE = (
    Reason.NOT_CHATKIT,
    Reason.NOT_DEFINED,
    Reason.NO_ELEMENT,
    Reason.ELEMENT_GONE,
    Reason.NOT_CONFIGURED,
    Reason.FRAME_FAILED,
    Reason.FRAME_SILENT,
    Reason.NOT_VISIBLE,
)

SIGNALS_OF: dict[Reason, tuple[Signal, ...]] = {
    Reason.SCRIPT_FAILED: (Signal.SCRIPT_FAILED,),
    Reason.SESSION_REFUSED: (Signal.SESSION_REFUSED,),
    Reason.SECRET_REJECTED: (Signal.SECRET_REJECTED,),
    Reason.FRAME_FAILED: (Signal.FRAME_FAILED,),
    Reason.OPTIONS_REJECTED: (Signal.OPTIONS_REJECTED,),
    Reason.DOMAIN_UNVERIFIED: (Signal.UNVERIFIED,),
    Reason.WIDGET_REMOVED: (Signal.WRAPPER_REMOVED,),
    Reason.ELEMENT_MOVED: (Signal.MOVED,),
    Reason.ELEMENT_GONE: (Signal.DISCONNECTED,),
    Reason.BACKEND_REFUSED: (Signal.BACKEND_REFUSED,),
    Reason.BACKEND_FAILING: (Signal.BACKEND_REFUSED,),
    Reason.SECRET_AWAITED: (Signal.SECRET_ASKED,),
    Reason.NOT_VISIBLE: (Signal.BOX_SEEN,),
    Reason.PAGE_CRASHED: (Signal.CRASHED,),
}


def _evidence(mount: Mount, reason: Reason) -> tuple[int, ...]:
    """The lines that decided: the failing signal's, else the last milestone's."""
    lines = tuple(mount.last_signal[s] for s in SIGNALS_OF.get(reason, ()) if s in mount.last_signal)
    last = mount.last_milestone
    return lines or ((mount.milestones[last].seq,) if last else ())


def _is_reopening(entry: Entry) -> bool:
    event = entry.event
    return isinstance(event, (VisitStarted, Navigated, ActionTaken, ActionRepeated)) and not is_message(event)


def _is_lost(verdict: Verdict, mount: Mount) -> bool:
    return verdict.outcome is Outcome.MOUNTED and failure_of(mount) in (
        Reason.PAGE_CRASHED,
        Reason.DOMAIN_UNVERIFIED,
        Reason.WIDGET_REMOVED,
        Reason.ELEMENT_MOVED,
        Reason.OPTIONS_REJECTED,
    )


def _without_mounted(mount: Mount) -> Mount:
    return replace(mount, milestones={m: r for m, r in mount.milestones.items() if m is not Milestone.MOUNTED})

"""When a mount is decided, and how; and that the live wait and the report cannot disagree.

Times are the timeline's. `after` is how long after the last deciding fact the verdict comes.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from builders import (
    LOADER,
    PAGE,
    SESSION,
    STYLE,
    TRANSCRIPTS,
    Pause,
    Step,
    Steps,
    action_taken,
    answered,
    asked,
    box_changed,
    caught_up,
    command,
    console_message,
    conversation,
    conversation_asked,
    custom,
    custom_call,
    deadlock,
    document_loaded,
    document_started,
    element_connected,
    element_disconnected,
    element_shown,
    entries,
    exchange,
    frame_arrived,
    frame_error,
    frame_requested,
    heard,
    hidden_box,
    hosted,
    hosted_boot,
    iframe_loaded,
    loader_requested,
    log,
    metadata_asked,
    navigated,
    never_answered,
    options_rejected,
    page_crashed,
    page_opened,
    page_with_loader,
    pause,
    re_parented,
    rejection,
    request_failed,
    request_started,
    response,
    response_received,
    script_blocked,
    secret_read,
    session_refused,
    shadow_changed,
    unmount,
    unverified,
    verification,
    verification_skipped,
    visit_ended,
    visit_started,
)
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.mount.state import Milestone, Mount
from harness.analysis.mount.tracks import Element
from harness.analysis.mount.verdict import Judgement, Outcome, Reason, Verdict, follow, judge, settle
from harness.model.events import BodyRead, Event, RequestFailed, RequestFinished, RequestStarted, ResponseReceived
from harness.model.limits import Limits
from harness.model.timeline import Entry

LIMITS = Limits()
FOR_A_SESSION_MS = 1_250  # an app's second try is awaited for that long
MOUNTED, FAILED, TIMEOUT = Outcome.MOUNTED, Outcome.FAILED, Outcome.TIMEOUT


def verdict_of(*steps: Step | Steps, **settings: Any) -> Verdict:
    """Return the verdict when nothing happens after these steps."""
    verdict = judge(entries(*steps), LIMITS, now_ms=1e9, **settings).verdict
    assert verdict is not None
    return verdict


def seen_mounted() -> Steps:
    """Return a mount, and the moment at which it was decided: two lines follow the deciding one."""
    return [*hosted(), *heard(LIMITS.settled_stable_for_ms - 2)]


def told(verdict: Verdict) -> tuple[Outcome, Reason, float]:
    """Return how a mount was decided, and how long after the deciding fact."""
    return verdict.outcome, verdict.reason, verdict.decided_at_ms - verdict.fact_at_ms


# --- each transcript ----------------------------------------------------------------------------------------------

VERDICTS: dict[str, tuple[Outcome, Reason, float]] = {
    "hosted": (MOUNTED, Reason.NONE, 300),
    "hosted-development": (MOUNTED, Reason.NONE, 300),
    "hosted-without-history": (MOUNTED, Reason.NONE, 300),
    "custom": (MOUNTED, Reason.NONE, 300),
    "custom-development": (MOUNTED, Reason.NONE, 300),
    "on-demand": (MOUNTED, Reason.NONE, 300),
    "deadlock": (FAILED, Reason.NO_ELEMENT, 2_000),
    "script-blocked": (FAILED, Reason.SCRIPT_FAILED, 750),
    "session-refused": (FAILED, Reason.SESSION_REFUSED, 1_252),
    "unverified": (FAILED, Reason.DOMAIN_UNVERIFIED, 750),
    "frame-refused": (FAILED, Reason.FRAME_FAILED, 751),
    "options-rejected": (FAILED, Reason.OPTIONS_REJECTED, 751),
    "mock-secret": (FAILED, Reason.SECRET_REJECTED, 750),
    "hidden": (FAILED, Reason.NOT_VISIBLE, 2_000),
    "backend-refused": (FAILED, Reason.BACKEND_REFUSED, 750),
    "re-parented": (FAILED, Reason.ELEMENT_MOVED, 752),
    "crashed": (FAILED, Reason.PAGE_CRASHED, 0),
}
TIMEOUTS: dict[str, Reason] = {"never-answered": Reason.SECRET_AWAITED, "backend-failing": Reason.BACKEND_FAILING}


def test_every_transcript_has_a_verdict_here() -> None:
    """A new one has to say how it ends."""
    assert {*VERDICTS, *TIMEOUTS} == set(TRANSCRIPTS)


@pytest.mark.parametrize(("name", "expected"), VERDICTS.items(), ids=VERDICTS.keys())
def test_a_transcript_is_decided_soon_after_its_last_fact(name: str, expected: tuple[Outcome, Reason, float]) -> None:
    """Long before the time limit."""
    verdict = verdict_of(TRANSCRIPTS[name])
    outcome, reason, after_ms = expected
    assert told(verdict) == (outcome, reason, after_ms)
    assert verdict.decided_at_ms < 3_000


@pytest.mark.parametrize(("name", "reason"), TIMEOUTS.items(), ids=TIMEOUTS.keys())
def test_what_cannot_be_decided_ends_with_the_time_limit(name: str, reason: Reason) -> None:
    """Counted from the beginning of the visit."""
    verdict = verdict_of(TRANSCRIPTS[name])
    assert (verdict.outcome, verdict.reason) == (TIMEOUT, reason)
    assert verdict.decided_at_ms == 1 + LIMITS.mount_timeout_ms


EVIDENCE: dict[str, str] = {
    "script-blocked": "RequestFailed",
    "session-refused": "ResponseReceived",
    "unverified": "FrameMessage",
    "frame-refused": "ResponseReceived",
    "options-rejected": "FrameMessage",
    "mock-secret": "FrameMessage",
    "hidden": "BoxChanged",
    "backend-refused": "ResponseReceived",
    "re-parented": "ShadowChanged",
    "crashed": "PageCrashed",
    "backend-failing": "ResponseReceived",
    "never-answered": "FrameMessage",
    "deadlock": "ElementDefined",
}


@pytest.mark.parametrize(("name", "kind"), EVIDENCE.items(), ids=EVIDENCE.keys())
def test_the_evidence_is_the_line_that_says_it(name: str, kind: str) -> None:
    """The failing fact's, or the last milestone's when nothing failed."""
    lines = entries(TRANSCRIPTS[name])
    [seq] = verdict_of(TRANSCRIPTS[name]).evidence
    assert type(lines[seq - 1].event).__name__ == kind


MESSAGES = {
    "unverified": "unmount",
    "options-rejected": "error",
    "mock-secret": "error",
    "never-answered": "onGetClientSecret",
}


@pytest.mark.parametrize(("name", "message"), MESSAGES.items(), ids=MESSAGES.keys())
def test_of_many_messages_the_evidence_is_the_one_that_decided(name: str, message: str) -> None:
    """Not the last one that came."""
    [seq] = verdict_of(TRANSCRIPTS[name]).evidence
    assert getattr(entries(TRANSCRIPTS[name])[seq - 1].event, "name", "") == message


# --- mounted: the stability window --------------------------------------------------------------------------------

WINDOWS: dict[str, tuple[Steps, float]] = {
    "verified": (hosted(), 300),
    "skipped": (hosted(check=[verification_skipped()]), 300),
    "unseen": (hosted(check=[]), 2_000),
    "refused, but not removed": (hosted(check=verification(503)), 2_000),
    "verified without history": (hosted(backend=[]), 300),
    "verified, and a call is to come": (hosted(backend=metadata_asked()), 2_000),
    "verified, and no composer yet": ([s for s in hosted() if s != log("composer.ready")], 2_000),
    "custom, skipped": (custom(check=[verification_skipped()]), 300),
    "custom, a call is to come": (custom(backend=custom_call()[:1]), 2_000),
}


@pytest.mark.parametrize(("steps", "window_ms"), WINDOWS.values(), ids=WINDOWS.keys())
def test_the_window_is_short_once_everything_has_answered(steps: Steps, window_ms: float) -> None:
    """DESIGN: 2,000 ms while verification is unanswered or unseen, 300 ms once it said yes or was skipped.

    A widget whose composer, or whose announced first call, is still to come has not answered yet either.
    """
    assert told(verdict_of(steps)) == (MOUNTED, Reason.NONE, window_ms)


def test_a_change_within_the_window_starts_it_anew() -> None:
    """A box that flickers, a second check, a secret that is asked for again."""
    whole = hosted()
    for change in ([hidden_box(), box_changed()], verification(request_id="r9"), [command(nonce="n9"), response("n9")]):
        verdict = verdict_of(whole, pause(200), change)
        assert verdict.outcome is MOUNTED
        assert verdict.decided_at_ms >= len(entries(whole)) + 200 + 300


NOT_YET: dict[str, Steps] = {
    "no box": [s for s in hosted() if s != box_changed()],
    "a frame that has not spoken": [s for s in hosted(check=[], backend=[]) if type(s) is not type(log())],
    "an iframe that has not loaded": [s for s in hosted() if s != shadow_changed(data_loaded=True)],
    "a question without answer": [*hosted(), command(nonce="n9")],
    "metadata without answer": [*hosted(), command("onAddMetadataToRequest", "m9")],
    "a check without answer": hosted(check=verification()[:1]),
    "a call without answer": hosted(backend=[conversation_asked()]),
}


@pytest.mark.parametrize("steps", NOT_YET.values(), ids=NOT_YET.keys())
def test_nothing_short_of_whole_is_mounted(steps: Steps) -> None:
    """Each of these alone keeps it open to the time limit."""
    assert verdict_of(steps).outcome is not MOUNTED


UNINVOLVED: dict[str, Steps] = {
    "a long poll": [asked("r90", "https://app.test/poll")],
    "an answer that nobody reads": [asked("r90", "https://app.test/log"), response_received("r90")],
    "a session request of another widget": [asked("r90", SESSION)],
    "a refused session request": session_refused(request_id="r90"),
    "the anti-abuse script": [request_started("r90", "https://sentinel.openai.com/sdk.js", resource_type="script")],
    "an error of the app": [console_message("oops", "error")],
    "an error of the anti-abuse script": [frame_error("FatalAppError", "Failed to load Sentinel SDK script")],
}


@pytest.mark.parametrize("steps", UNINVOLVED.values(), ids=UNINVOLVED.keys())
def test_what_a_healthy_widget_does_not_depend_on_delays_nothing(steps: Steps) -> None:
    """Whatever else the page has in flight or got wrong."""
    assert told(verdict_of(hosted(), steps)) == (MOUNTED, Reason.NONE, 300)


def test_a_page_that_never_fires_its_load_event_can_have_a_mounted_widget() -> None:
    """A picture that hangs is no matter, also after a navigation of the page's own."""
    steps = [s for s in hosted() if s not in (document_loaded(), navigated())]
    assert told(verdict_of(steps)) == (MOUNTED, Reason.NONE, 300)


def test_mounted_is_a_milestone_at_the_end_of_the_window() -> None:
    """Where the wait ended, on the line of the last fact."""
    mount = verdict_of(hosted()).mount
    last = max(r.seq for m, r in mount.milestones.items() if m is not Milestone.MOUNTED)
    assert (mount.last_milestone, mount.next_milestone) == (Milestone.MOUNTED, None)
    assert mount.milestones[Milestone.MOUNTED].seq == last
    assert mount.milestones[Milestone.MOUNTED].at_ms == verdict_of(hosted()).decided_at_ms


# --- failed: a fact and a quiet period ----------------------------------------------------------------------------


def test_a_failing_session_call_that_the_app_retries_in_time_is_no_failure() -> None:
    """A new request after a second, as the usual libraries make it, reopens everything; later it comes too late."""
    refused = [*page_with_loader(), *session_refused(500)]
    again = [
        *exchange("r5", SESSION, **secret_read()),
        *element_shown(),
        *hosted_boot(),
        *verification(),
        *conversation(),
    ]
    assert verdict_of(refused, heard(1_200), again).outcome is MOUNTED
    late = verdict_of(refused, heard(1_260), again)
    assert (late.outcome, late.reason) == (FAILED, Reason.SESSION_REFUSED)


def test_a_refusal_waits_for_the_question_that_is_open() -> None:
    """`getClientSecret` may try again for as long as it likes, within the time limit."""
    booted = [
        *page_with_loader(),
        *element_shown(),
        *frame_arrived(),
        command(),
        log(),
        *iframe_loaded(),
        log("composer.ready"),
    ]
    refused = [*booted, *session_refused(503)]
    again = [*exchange("r5", SESSION, **secret_read()), response(), *verification(), *conversation()]
    assert verdict_of(refused, pause(4_000), again).outcome is MOUNTED
    assert told(verdict_of(refused, rejection()))[:2] == (FAILED, Reason.SESSION_REFUSED)
    verdict = verdict_of(refused)
    assert (verdict.outcome, verdict.reason, verdict.decided_at_ms) == (FAILED, Reason.SESSION_REFUSED, 15_001)


IN_FLIGHT: dict[str, tuple[Steps, float]] = {
    "nothing": ([], 750),
    "a request that ended": ([asked("r9", "https://app.test/x"), request_failed("r9")], 752),
    "a beacon": ([asked("r9", "https://chatgpt.com/ces"), request_failed("r9")], 750),
    "a long poll": ([asked("r9", "https://app.test/poll")], 10_001),
    "an answer that nobody reads": ([asked("r9", "https://app.test/log"), response_received("r9")], 2_002),
    "a refusal that nobody reads": ([asked("r9", "https://app.test/log"), response_received("r9", 500)], 752),
    "a stream": ([asked("r9", "https://app.test/s"), response_received("r9", media_type="text/event-stream")], 752),
    "a session request": ([asked("r9", SESSION)], 15_000),
    "a loader": ([request_started("r9", LOADER, resource_type="script")], 15_000),
}


@pytest.mark.parametrize(("steps", "after_ms"), IN_FLIGHT.values(), ids=IN_FLIGHT.keys())
def test_a_failure_waits_for_what_can_still_change_it(steps: Steps, after_ms: float) -> None:
    """What the mount depends on to the time limit; what else the app does, for a while."""
    refused = [visit_started(), *page_opened(), navigated(), frame_error("FatalAppError", "ChatKit.create(): no")]
    failing = [*page_with_loader(), *element_shown(), *frame_arrived(), *refused[-1:]]
    verdict = verdict_of(failing, steps)
    assert (verdict.outcome, verdict.reason) == (FAILED, Reason.OPTIONS_REJECTED)
    failed_at_ms = len(entries(failing))
    assert verdict.decided_at_ms == (failed_at_ms + after_ms if after_ms < 15_000 else 15_001)


def test_a_failure_in_an_old_frame_does_not_wait_for_its_questions() -> None:
    """The frame that asked is gone."""
    steps = [*hosted(check=verification(401)), command(nonce="n9"), unmount(), shadow_changed(STYLE, data_loaded=True)]
    assert told(verdict_of(steps)) == (FAILED, Reason.DOMAIN_UNVERIFIED, 750)


FAILURES: dict[str, tuple[Steps, Reason]] = {
    "a widget that the SDK removes without a word": ([*hosted(), shadow_changed(STYLE, data_loaded=True)], Reason.WIDGET_REMOVED),
    "an unverified domain before its removal is seen": ([*hosted(), unmount()], Reason.DOMAIN_UNVERIFIED),
    "a loader of 404": ([*page_opened(), *loader_requested(), response_received("r2", 404), document_loaded()], Reason.SCRIPT_FAILED),
    "a rejected promise": ([*never_answered(), rejection()], Reason.SECRET_REJECTED),
    "two failures at once": ([*options_rejected(), *session_refused(request_id="r9")], Reason.OPTIONS_REJECTED),
    "a crash above all": ([*unverified(), page_crashed()], Reason.PAGE_CRASHED),
    "a custom backend that refuses": (custom(backend=custom_call(401)), Reason.BACKEND_REFUSED),
    "a session that is refused before the composer": (
        [*page_with_loader(), *session_refused(), *element_shown(), *frame_arrived(), log(), *iframe_loaded()],
        Reason.SESSION_REFUSED,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("steps", "reason"), FAILURES.values(), ids=FAILURES.keys())
def test_the_reason_is_the_first_track_that_broke(steps: Steps, reason: Reason) -> None:
    """One reason, however much else is wrong."""
    verdict = verdict_of(visit_started(), steps)
    assert (verdict.outcome, verdict.reason) == (FAILED, reason)
    assert verdict.decided_at_ms < 3_000


# --- failed: what silence proves ----------------------------------------------------------------------------------

SILENCES: dict[str, tuple[Steps, Reason]] = {
    "a page without ChatKit": ([*page_opened(), navigated(), document_loaded()], Reason.NOT_CHATKIT),
    "an element without a script": ([*page_opened(), navigated(), element_connected(), document_loaded()], Reason.NOT_DEFINED),
    "a script that defines nothing": (
        [*page_opened(), navigated(), *loader_requested(), *answered("r2"), element_connected(), document_loaded()],
        Reason.NOT_DEFINED,
    ),
    "a definition in another document": (
        [*page_with_loader(), document_started("d5", url=PAGE, is_top=False), element_connected(document="d5")],
        Reason.NOT_DEFINED,
    ),
    "no element": (deadlock(), Reason.NO_ELEMENT),
    "an element that was taken out": ([*hosted(), element_disconnected()], Reason.ELEMENT_GONE),
    "no options": ([*page_with_loader(), element_connected(), shadow_changed(STYLE)], Reason.NOT_CONFIGURED),
    "an iframe that loaded something, and no request": ([*page_with_loader(), *element_shown(), *iframe_loaded()], Reason.FRAME_FAILED),
    "a frame that never speaks": ([*page_with_loader(), *element_shown(), *frame_arrived(), *iframe_loaded()], Reason.FRAME_SILENT),
    "a widget without height": ([*hosted(), box_changed(886, 0)], Reason.NOT_VISIBLE),
}  # fmt: skip


@pytest.mark.parametrize(("steps", "reason"), SILENCES.values(), ids=SILENCES.keys())
def test_silence_proves_what_is_missing(steps: Steps, reason: Reason) -> None:
    """Two seconds after the last sign of life of a page that has loaded."""
    verdict = verdict_of(visit_started(), steps)
    assert (verdict.outcome, verdict.reason) == (FAILED, reason)
    assert verdict.decided_at_ms == len(entries(visit_started(), steps)) + LIMITS.idle_ms


def test_silence_proves_nothing_while_the_page_loads() -> None:
    """Its scripts may take their time on a slow machine."""
    for name, (steps, reason) in SILENCES.items():
        unloaded = [step for step in steps if step != document_loaded()]
        verdict = verdict_of(visit_started(), unloaded)
        assert (verdict.outcome, verdict.reason) == (TIMEOUT, reason), name


def test_silence_proves_nothing_while_the_frame_loads() -> None:
    """A module script runs before the iframe's load event, and may run for long."""
    for steps in ([*element_shown()], [*element_shown(), *frame_arrived()]):
        verdict = verdict_of(page_with_loader(), steps)
        assert (verdict.outcome, verdict.reason) == (TIMEOUT, Reason.UNDECIDED)


@pytest.mark.parametrize(
    ("steps", "decided_at_ms"),
    [
        ([asked("r9", "https://app.test/x")], 10_001),
        ([asked("r9", "https://app.test/x"), response_received("r9")], 2_002),
        ([asked("r9", SESSION)], 15_001),
        ([request_started("r9", "https://app.test/big.js", resource_type="script"), response_received("r9")], 2_002),
    ],
)
def test_silence_waits_for_what_is_in_flight(steps: Steps, decided_at_ms: float) -> None:
    """As a failure does."""
    verdict = verdict_of(deadlock(), steps)
    assert verdict.reason is Reason.NO_ELEMENT
    base = len(entries(deadlock())) if decided_at_ms < 15_000 else 0
    assert verdict.decided_at_ms == base + decided_at_ms


def test_the_last_change_counts_as_a_sign_of_life() -> None:
    """A widget that is hidden late has its two seconds to come back."""
    late = [*hosted(check=[]), pause(1_900), hidden_box()]
    assert verdict_of(late).decided_at_ms == len(entries(late)) + 1_900 + LIMITS.idle_ms
    assert verdict_of(late, pause(1_000), box_changed()).outcome is MOUNTED


# --- the difficult ones -------------------------------------------------------------------------------------------


def test_a_healthy_embed_after_one_that_failed_is_mounted() -> None:
    """The app shows a widget that fails, takes it out within the quiet period, and shows another one."""
    second = [
        *element_shown(2),
        *hosted_boot(embed=2, nonce="n5", frame_request="r14"),
        *verification(request_id="r15"),
    ]
    for first in (options_rejected(), unverified(), TRANSCRIPTS["mock-secret"], TRANSCRIPTS["frame-refused"]):
        verdict = verdict_of(first, pause(300), element_disconnected(1), second, conversation(request_id="r16"))
        assert told(verdict) == (MOUNTED, Reason.NONE, 300)
        assert verdict.mount.embed == ("d1", 2)


def test_a_frame_that_renews_its_secret_later_stays_mounted() -> None:
    """Also when the renewal is refused: the widget stands, and the verdict was passed."""
    renewal = [pause(5_000), command(nonce="n9", has_current=True), asked("r9", SESSION)]
    for end in ([*answered("r9", **secret_read("digest-b")), response("n9", "digest-b")],
                [response_received("r9", 401), rejection("n9")]):  # fmt: skip
        judgement = judge(entries(seen_mounted(), renewal, end), LIMITS, now_ms=1e9)
        assert judgement.verdict is not None
        assert judgement.verdict.outcome is MOUNTED
        assert judgement.verdict == verdict_of(hosted())


def test_a_first_failure_of_the_domain_check_decides_nothing() -> None:
    """The frame asks once more after a 5xx or a failure of the network; only its farewell is a failure."""
    for first in (verification(503), [*verification()[:1], request_failed("r5")]):
        assert told(verdict_of(hosted(check=[*first, *verification(request_id="r7")]))) == (MOUNTED, Reason.NONE, 300)
        error = frame_error("DomainVerificationRequestError", "Domain verification request failed with 503")
        twice = [*first, *verification(503, request_id="r7"), error, unmount()]
        verdict = verdict_of(hosted(check=twice))
        assert (verdict.outcome, verdict.reason) == (FAILED, Reason.DOMAIN_UNVERIFIED)


def test_a_domain_check_that_takes_its_time_is_waited_for() -> None:
    """The widget stands for ten seconds, and is removed when the check times out: no window ends before the answer."""
    slow = [*hosted(check=verification()[:1]), pause(9_900)]
    assert verdict_of(slow, request_failed("r5", "net::ERR_ABORTED"), unmount()).reason is Reason.DOMAIN_UNVERIFIED
    assert verdict_of(slow, verification()[1:]).outcome is MOUNTED


def test_a_backend_that_fails_is_no_failure_by_itself() -> None:
    """The frame repeats a 5xx or a failure of the network with growing pauses; one success is enough.

    While it does, the mount is not whole: the first answer counts. The time limit ends it, and the reason is the backend's.
    """
    for first in (conversation(500), [conversation_asked(), request_failed("r6")]):
        assert verdict_of(hosted(backend=[*first, pause(3_000), *conversation(request_id="r7")])).outcome is MOUNTED
        repeats = [step for n in range(5) for step in (pause(1_500), *conversation(502, f"r{n + 7}"))]
        verdict = verdict_of(hosted(backend=[*first, *repeats]))
        assert (verdict.outcome, verdict.reason, verdict.decided_at_ms) == (TIMEOUT, Reason.BACKEND_FAILING, 15_001)


def test_a_widget_without_history_needs_no_backend_call() -> None:
    """With history disabled nothing is asked at boot; verification alone settles it."""
    assert told(verdict_of(hosted(backend=[]))) == (MOUNTED, Reason.NONE, 300)
    assert told(verdict_of(custom(check=[verification_skipped()], backend=[]))) == (MOUNTED, Reason.NONE, 300)


@pytest.mark.parametrize(
    "steps",
    [
        [s for s in hosted() if s != box_changed()],
        [*hosted(backend=[conversation_asked()]), hidden_box()],
        [*hosted(check=verification()[:1]), hidden_box()],
    ],
    ids=["its box was not seen", "its first call is unanswered", "its domain check is unanswered"],
)
def test_a_widget_is_called_hidden_only_when_nothing_else_is_missing(steps: Steps) -> None:
    """And when its box was seen."""
    verdict = verdict_of(steps)
    assert (verdict.outcome, verdict.reason) == (TIMEOUT, Reason.UNDECIDED)


def test_a_ready_composer_in_a_hidden_container_is_not_mounted() -> None:
    """`composer.ready` comes in a container with display:none too; a launcher that opens in time makes it whole."""
    hidden = TRANSCRIPTS["hidden"]
    assert (verdict_of(hidden).outcome, verdict_of(hidden).reason) == (FAILED, Reason.NOT_VISIBLE)
    assert verdict_of(hidden, pause(1_500), box_changed()).outcome is MOUNTED


def test_too_many_requests_at_boot_are_a_refusal() -> None:
    """429 is not repeated by the frame: the first backend answer counts, and it is no."""
    assert told(verdict_of(hosted(backend=conversation(429)))) == (FAILED, Reason.BACKEND_REFUSED, 750)


def test_an_expired_secret_that_is_renewed_at_once_is_no_refusal() -> None:
    """After a 401 the frame asks for another secret and repeats its call once."""
    again = [
        command(nonce="n9", has_current=True),
        pause(1_200),
        response("n9", "digest-b"),
        *conversation(request_id="r7"),
    ]
    assert verdict_of(hosted(backend=[*conversation(401), *again])).outcome is MOUNTED
    again = [command(nonce="n9", has_current=True), response("n9", "digest-b"), *conversation(401, "r7")]
    assert told(verdict_of(hosted(backend=[*conversation(401), *again]))) == (FAILED, Reason.BACKEND_REFUSED, 750)


def test_a_custom_page_may_fail_to_fetch_a_secret_that_nobody_needs() -> None:
    """A frame that came to its composer without asking does not depend on any session."""
    verdict = verdict_of(page_with_loader(), session_refused(), custom()[len(page_with_loader()) :])
    assert verdict.outcome is MOUNTED
    assert verdict.mount.last_milestone is Milestone.MOUNTED


def test_a_secret_of_a_format_nobody_knows_yet_may_be_accepted() -> None:
    """The frame refuses what it does not accept; when it does not, there is no reason to."""
    steps = [
        replace(s, value_format="other") if s == response() else s
        for s in hosted(backend=[], check=[verification_skipped()])
    ]  # type: ignore[call-arg]  # only a FrameMessage is equal
    assert verdict_of(steps).outcome is MOUNTED


def test_a_widget_without_any_backend_or_check_is_mounted_after_two_seconds() -> None:
    """Nothing was seen that could still refuse it."""
    assert told(verdict_of(hosted(check=[], backend=[]))) == (MOUNTED, Reason.NONE, 2_000)


# --- reopened, and lost -------------------------------------------------------------------------------------------


def final(*steps: Step | Steps) -> Judgement:
    """Return the judgement when nothing happens after these steps."""
    return judge(entries(*steps), LIMITS, now_ms=1e9)


def is_decided(*steps: Step | Steps) -> bool:
    """Return whether the live wait has its verdict at the end of these steps."""
    return judge(entries(*steps), LIMITS).verdict is not None


def test_a_click_reopens_a_verdict() -> None:
    """What was whole before has to stay so for the long window; what had failed may succeed."""
    whole = [*seen_mounted(), pause(5_000), action_taken()]
    assert is_decided(whole[:-1])
    assert not is_decided(whole)
    verdict = verdict_of(whole)
    assert verdict.outcome is MOUNTED
    assert verdict.decided_at_ms == entries(whole)[-1].at_ms + LIMITS.stable_for_ms
    second = [element_disconnected(), *element_shown(2), frame_requested("r14"), response_received("r14", 500)]
    assert verdict_of(whole, pause(900), second).reason is Reason.FRAME_FAILED
    refused = [*page_with_loader(), *session_refused(), *heard(FOR_A_SESSION_MS)]
    failed = [*refused, pause(5_000), action_taken("click", "Retry")]
    assert is_decided(refused)
    again = [
        *exchange("r5", SESSION, **secret_read()),
        *element_shown(),
        *hosted_boot(),
        *verification(),
        *conversation(),
    ]
    assert verdict_of(failed, again).outcome is MOUNTED
    assert verdict_of(failed).decided_at_ms == entries(failed)[-1].at_ms + FOR_A_SESSION_MS


def test_a_page_that_is_opened_again_is_judged_again() -> None:
    """The answer to a reload that the harness asked for reopens a verdict, and so does the visit's beginning."""
    for opening in (navigated(), visit_started()):
        assert not is_decided(seen_mounted(), pause(5_000), opening)
    refused = [*page_with_loader(), *session_refused(), *heard(FOR_A_SESSION_MS)]
    reloaded = page_opened(document="d9", request_id="r20")
    verdict = verdict_of(
        refused, pause(5_000), action_taken("reload", PAGE), reloaded, navigated(), document_loaded("d9")
    )
    assert (verdict.outcome, verdict.reason) == (FAILED, Reason.NOT_CHATKIT)


def test_a_page_that_repeats_what_failed_is_given_the_time_to_do_so_again() -> None:
    """Twice the pause that it took before, and a little; a page that does not repeat has the usual quiet period."""
    once = [*page_with_loader(), *session_refused(503)]
    twice = [*once, pause(700), *session_refused(503, "r5")]
    assert verdict_of(once).decided_at_ms == len(entries(once)) + FOR_A_SESSION_MS
    assert 2 * 700 < verdict_of(twice).decided_at_ms - verdict_of(twice).fact_at_ms < 3 * 700
    served = [
        *exchange("r7", SESSION, **secret_read()),
        *element_shown(),
        *hosted_boot(),
        *verification(),
        *conversation(),
    ]
    assert verdict_of(twice, pause(1_400), served).outcome is MOUNTED
    other = [*once, pause(700), *exchange("r5", "https://app.test/api/profile")]
    assert verdict_of(other).decided_at_ms <= len(entries(other)) + 700 + FOR_A_SESSION_MS


def test_a_request_that_the_page_aborted_itself_is_no_failure_that_it_repeats() -> None:
    """A component that is rendered twice gives its first request up: the next one comes when it likes, not after a pause."""
    given_up = [*page_with_loader(), asked("r4", SESSION), request_failed("r4", "net::ERR_ABORTED")]
    refused = [*given_up, pause(700), *session_refused(503, "r5")]
    assert verdict_of(refused).decided_at_ms == entries(refused)[-1].at_ms + FOR_A_SESSION_MS
    failed = [
        *page_with_loader(),
        *session_refused(503),
        asked("r5", SESSION),
        request_failed("r5", "net::ERR_ABORTED"),
    ]
    again = [*failed, pause(700), *session_refused(503, "r6")]
    assert verdict_of(again).decided_at_ms > entries(again)[-1].at_ms + 2 * 700


def test_the_time_limit_counts_from_the_last_action() -> None:
    """A click on a page that waits begins a new wait."""
    waiting = [*never_answered(), pause(10_000), action_taken()]
    assert verdict_of(waiting).decided_at_ms == len(entries(waiting)) + 10_000 + LIMITS.mount_timeout_ms


def test_a_message_to_the_widget_reopens_nothing() -> None:
    """It is no reason to doubt that the widget is there."""
    verdict = verdict_of(seen_mounted(), action_taken("send", "three topics about tea"))
    assert verdict == verdict_of(hosted())


@pytest.mark.parametrize(
    ("loss", "reason"),
    [
        ([unmount()], Reason.DOMAIN_UNVERIFIED),
        ([shadow_changed(STYLE, data_loaded=True)], Reason.WIDGET_REMOVED),
        ([page_crashed()], Reason.PAGE_CRASHED),
        (re_parented()[len(hosted()) :], Reason.ELEMENT_MOVED),
        ([frame_error("FatalAppError", "ChatKit.create(): late")], Reason.OPTIONS_REJECTED),
    ],
    ids=lambda value: value.value if isinstance(value, Reason) else "",
)
def test_a_mounted_widget_that_is_lost_afterwards_was_not_mounted(loss: Steps, reason: Reason) -> None:
    """The verdict is taken back, and so is its milestone."""
    assert is_decided(seen_mounted())
    judgement = final(seen_mounted(), pause(4_000), loss)
    assert judgement.verdict is not None
    assert (judgement.verdict.outcome, judgement.verdict.reason) == (FAILED, reason)
    assert Milestone.MOUNTED not in judgement.mount.milestones
    assert judgement.verdict.decided_at_ms >= 4_000


KEEPERS: dict[str, Steps] = {
    "the page takes the element out": [element_disconnected()],
    "the page hides it": [hidden_box()],
    "a later call is refused": conversation(401, "r9"),
    "a later call fails": conversation(500, "r9"),
    "the page goes elsewhere": [
        *page_opened("https://app.test/other", document="d9", request_id="r20"),
        document_loaded("d9"),
    ],
    "the loader is asked for again, and fails": [*loader_requested("r9"), request_failed("r9")],
}


@pytest.mark.parametrize("later", KEEPERS.values(), ids=KEEPERS.keys())
def test_what_happens_to_a_page_after_the_verdict_does_not_change_it(later: Steps) -> None:
    """People close chats and follow links; the verdict and the mount it was passed on stay."""
    verdict = verdict_of(seen_mounted(), pause(4_000), later)
    assert verdict == verdict_of(hosted())
    assert verdict.mount.element is Element.LOADED


def test_a_failed_verdict_stays_whatever_comes_later() -> None:
    """An app that tries again after the quiet period was not there in time."""
    late = [
        *heard(FOR_A_SESSION_MS),
        pause(2_000),
        *exchange("r5", SESSION, **secret_read()),
        *element_shown(),
        *hosted_boot(),
    ]
    refused = [*page_with_loader(), *session_refused()]
    assert verdict_of(refused, late) == verdict_of(refused)
    # The page may crash, too: what stopped the mount is known already.
    assert verdict_of(refused, *late[:2], pause(2_000), page_crashed()) == verdict_of(refused)


def test_a_crash_is_decided_at_once() -> None:
    """There is nothing to wait for."""
    for steps in ([visit_started()], [visit_started(), *page_opened()], never_answered()):
        verdict = verdict_of(steps, pause(50), page_crashed())
        assert told(verdict) == (FAILED, Reason.PAGE_CRASHED, 0)


# --- limits and time ----------------------------------------------------------------------------------------------


def test_a_failure_that_something_keeps_open_is_still_a_failure_at_the_time_limit() -> None:
    """Not a time-out: it is known what failed."""
    failing = [*script_blocked(), asked("r9", SESSION)]
    verdict = verdict_of(failing)
    assert (verdict.outcome, verdict.reason, verdict.decided_at_ms) == (FAILED, Reason.SCRIPT_FAILED, 15_001)


def test_a_failure_just_before_the_time_limit_has_its_quiet_period() -> None:
    """A page that replaces its widget again and again has not failed because the limit falls on an aborted request."""
    opened = [*page_with_loader(), *element_shown(), frame_requested("r8")]
    aborted = [*opened, pause(14_990 - len(entries(opened))), request_failed("r8", "net::ERR_ABORTED")]
    assert told(verdict_of(aborted)) == (FAILED, Reason.FRAME_FAILED, LIMITS.quiet_ms)
    again = [element_disconnected(), *element_shown(2), frame_requested("r9")]
    assert verdict_of(aborted, pause(100), again).outcome is TIMEOUT


def test_silence_that_is_not_over_at_the_time_limit_is_a_time_out() -> None:
    """It did not prove anything yet."""
    slow = [visit_started(), pause(14_000), *deadlock()[1:]]
    verdict = verdict_of(slow)
    assert (verdict.outcome, verdict.reason, verdict.decided_at_ms) == (TIMEOUT, Reason.NO_ELEMENT, 15_001)


def test_a_widget_that_is_whole_at_the_time_limit_may_prove_itself() -> None:
    """The window is over soon, one way or the other."""
    late = [visit_started(), pause(14_900), *hosted()[1:]]
    assert verdict_of(late).outcome is MOUNTED


def test_limits_are_the_projects_to_set() -> None:
    """Each one is used where it belongs."""
    limits = Limits(mount_timeout_ms=9_000, stable_for_ms=900, settled_stable_for_ms=90, quiet_ms=70, idle_ms=80)
    for steps, decided_at_ms in (
        (hosted(), len(entries(hosted())) - 2 + 90),
        (hosted(check=[], backend=[]), len(entries(hosted(check=[], backend=[]))) + 900),
        (script_blocked(), len(entries(script_blocked())) + 70),
        (deadlock(), len(entries(deadlock())) + 80),
        (never_answered(), 9_001),
    ):
        verdict = judge(entries(steps), limits, now_ms=1e9).verdict
        assert verdict is not None
        assert verdict.decided_at_ms == decided_at_ms


def test_due_is_when_to_look_again() -> None:
    """A wait that sleeps until then misses nothing, and does not look before."""
    for name, steps in TRANSCRIPTS.items():
        judgement = judge(entries(steps), LIMITS)
        if judgement.verdict is None:
            assert settle(judgement, judgement.due_ms - 0.001).verdict is None, name
            assert settle(judgement, judgement.due_ms).verdict is not None, name


def test_nothing_is_decided_before_it_is_due() -> None:
    """A timeline that ends early is undecided, and stays so."""
    assert judge(entries(hosted()), LIMITS).verdict is None
    assert judge((), LIMITS, now_ms=14_999).verdict is None
    assert judge(entries(hosted(), visit_ended()), LIMITS).verdict is None
    assert judge(entries(hosted(), pause(299), visit_ended(), pause(5_000), page_crashed()), LIMITS).verdict is not None
    assert judge(entries(visit_ended(), page_crashed()), LIMITS, now_ms=1e9).verdict is None


# --- the law ------------------------------------------------------------------------------------------------------


def lived(lines: tuple[Entry, ...], rng: random.Random) -> tuple[Judgement, tuple[Entry, ...]]:
    """Return the judgement of a wait that reads and asks at any moments, and the timeline that it leaves.

    It looks in between, which decides nothing, and asks the page when something is due, or some time later: so it is in
    `Embed.wait_until_decided`.
    """
    judgement, recorded = Judgement(limits=LIMITS), []
    for line in lines:
        is_due = judgement.verdict is None and judgement.due_ms <= line.at_ms
        settle(judgement, line.at_ms)
        if is_due and rng.random() < 0.8:
            after_ms = recorded[-1].at_ms if recorded else 0.0
            at_ms = rng.uniform(max(judgement.due_ms, after_ms), line.at_ms)
            recorded.append(Entry(seq=0, at_ms=at_ms, event=caught_up()))
            judgement = follow(judgement, recorded[-1])
        recorded.append(line)
        judgement = follow(judgement, line)
    return judgement, tuple(recorded)


LATER: list[Steps] = [
    [],
    [pause(700)],
    [pause(800), *conversation(request_id="r30")],
    [pause(2_500), action_taken(), pause(100), element_disconnected(), *element_shown(2)],
    [pause(2_500), unmount(), shadow_changed(STYLE, data_loaded=True)],
    [pause(16_000), box_changed()],
    [pause(20_000), page_crashed()],
    [
        pause(3_000),
        *page_opened(document="d9", request_id="r20"),
        document_loaded("d9"),
        pause(3_000),
        *custom_call(500, "r31"),
    ],
]


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_the_live_wait_and_the_report_agree(name: str) -> None:
    """However often and whenever the wait looks and asks, it comes to what the timeline says afterwards."""
    for number, later in enumerate(LATER):
        lines = entries(TRANSCRIPTS[name], later, pause(30_000), visit_ended())
        for seed in range(4):
            judgement, recorded = lived(lines, random.Random(seed))
            assert judgement.verdict is not None
            assert judgement == judge(recorded, LIMITS), (name, number, seed)


PAUSES = (0.0, 0.5, 289.0, 299.0, 749.0, 750.0, 1_999.0, 2_000.0, 15_000.0)


@given(
    st.sampled_from(sorted(TRANSCRIPTS)),
    st.sampled_from(LATER),
    st.integers(0, 2**32),
)
def test_the_live_wait_and_the_report_agree_at_any_speed(name: str, later: Steps, seed: int) -> None:
    """Also when pauses fall exactly on what is due."""
    rng, steps = random.Random(seed), []
    for step in (*TRANSCRIPTS[name], *later):
        steps += [pause(rng.choice(PAUSES))] if rng.random() < 0.2 else []
        steps.append(step)
    judgement, recorded = lived(entries(steps, pause(40_000), visit_ended()), rng)
    assert judgement == judge(recorded, LIMITS)


def test_what_arrives_late_still_counts() -> None:
    """A machine that is too busy to hear the page for two seconds makes no failure of a second try."""
    refused = [*page_with_loader(), *session_refused(500)]
    again = [
        *exchange("r5", SESSION, **secret_read()),
        *element_shown(),
        *hosted_boot(),
        *verification(),
        *conversation(),
    ]
    assert verdict_of(refused, pause(2_000), again).outcome is MOUNTED
    assert verdict_of(refused, pause(2_000), caught_up(), again).outcome is FAILED


def test_a_verdict_is_passed_where_the_page_was_heard() -> None:
    """Not at the moment at which it was due: what came in between belongs to it."""
    verdict = judge(entries(hosted(), heard(400)), LIMITS).verdict
    assert verdict is not None
    assert verdict.decided_at_ms == len(entries(hosted())) + 400
    assert judge(entries(hosted(), heard(297)), LIMITS).verdict is None


NETWORK = (RequestStarted, ResponseReceived, RequestFinished, BodyRead, RequestFailed)
OPENING = 8  # lines of a transcript until the page has introduced itself


def witness(event: Event) -> str:
    """Return who reports an event: the network, a document, or the browser. Each keeps its own order."""
    if isinstance(event, NETWORK):
        return "network"
    return getattr(event, "document", "browser")


def reordered(steps: Steps, rng: random.Random) -> Steps:
    """Return the steps as they may arrive: what one witness reports in its order, several of them in any."""
    said: dict[str, Steps] = {}
    for step in steps[OPENING:]:
        if not isinstance(step, Pause):
            said.setdefault(witness(step), []).append(step)
    mixed = steps[:OPENING]
    while said:
        name = rng.choice(sorted(said))
        mixed.append(said[name].pop(0))
        said = {who: left for who, left in said.items() if left}
    return mixed


REORDERED: dict[str, Steps] = {
    **TRANSCRIPTS,
    "custom, refused": custom(backend=custom_call(401)),
    "custom, failing": custom(backend=custom_call(500)),
    "rejected": [*never_answered(), rejection()],
    "checked twice": hosted(check=[*verification(503), *verification(request_id="r7")]),
    "refused on demand": [
        *page_with_loader(),
        *element_shown(),
        *frame_arrived(),
        command(),
        *session_refused(),
        rejection(),
        log(),
        *iframe_loaded(),
        log("composer.ready"),
        *metadata_asked(),
        *conversation(401, bearer="empty"),
    ],
}


@pytest.mark.parametrize("name", REORDERED)
def test_witnesses_may_report_in_any_order(name: str) -> None:
    """The network, the page, the frame and the browser each report on their own; the verdict is the same."""
    expected = verdict_of(REORDERED[name])
    for seed in range(15):
        verdict = verdict_of(reordered(REORDERED[name], random.Random(seed)))
        assert (verdict.outcome, verdict.reason) == (expected.outcome, expected.reason), seed


def test_a_verdict_looks_at_the_mount_alone() -> None:
    """The clock decides whether it is due, never what it is."""
    lines = entries(TRANSCRIPTS["session-refused"])
    soon = judge(lines, LIMITS, now_ms=2_000)
    late = judge(lines, LIMITS, now_ms=100_000)
    assert soon.verdict == late.verdict
    assert isinstance(soon.mount, Mount)

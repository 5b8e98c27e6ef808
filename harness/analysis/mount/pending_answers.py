"""The responses of the domain check and the backend so far, and the calls that the frame waits for.

In: a mount, and an entry that it remembers already. Out: the mount with both brought up to date.
"""

from __future__ import annotations

from dataclasses import replace

from harness.analysis.facts.exchanges import Exchange
from harness.analysis.facts.roles import is_frame_document, is_verification
from harness.analysis.mount.state import Backend, Milestone, Mount, Reached, Verification
from harness.analysis.mount.tracks import Signal
from harness.model.events import (
    BodyRead,
    ConsoleMessage,
    FrameMessage,
    RequestFailed,
    RequestStarted,
    ResponseReceived,
)
from harness.model.timeline import Entry

CALLS = ("fetch", "fetchEventSource")  # what the frame has the page do in custom mode
VERIFICATION_SKIPPED = "Domain verification skipped for "


def with_answers(mount: Mount, entry: Entry) -> Mount:
    """Return the mount with verification, backend and unanswered questions up to date."""
    event = entry.event
    if isinstance(event, ConsoleMessage):
        # The frame can be heard before the page has said that there is one.
        has_frame = mount.embed is not None or any(map(is_frame_document, mount.special_exchanges))
        is_skipped = event.text.startswith(VERIFICATION_SKIPPED) and has_frame
        return _with_verification(mount, Verification.SKIPPED, entry) if is_skipped else mount
    if isinstance(event, FrameMessage):
        mount = _with_announcement(_with_answer(mount, event), event)
        if mount.backend is Backend.ANNOUNCED and _is_failed_call(mount, event):
            mount = _with_backend(mount, Backend.FAILING, entry)
    if isinstance(event, (RequestStarted, ResponseReceived, RequestFailed, BodyRead)):
        checks = [x for x in mount.special_exchanges if is_verification(x)]
        mount = _with_verification(mount, _verification_of(checks[-1]), entry) if checks else mount
    if isinstance(event, (RequestStarted, ResponseReceived, RequestFailed, BodyRead, FrameMessage)):
        calls = [x for x in mount.special_exchanges if mount.is_backend(x) and not x.is_aborted]
        mount = _with_backend(mount, _backend_of(calls), entry) if calls else mount
    return mount


def _with_answer(mount: Mount, event: FrameMessage) -> Mount:
    """The mount without the question that was answered."""
    if event.direction == "to_frame" and event.nonce in mount.asked:
        return replace(mount, asked={nonce: name for nonce, name in mount.asked.items() if nonce != event.nonce})
    return mount


def _with_announcement(mount: Mount, event: FrameMessage) -> Mount:
    """The mount that knows that a backend call is to come: the frame asked for it, or for what goes with it."""
    is_asked = event.direction == "to_host" and event.document in mount.documents
    is_call = event.name == "onAddMetadataToRequest" or event.type in CALLS
    if is_asked and is_call and mount.backend is Backend.UNSEEN:
        return replace(mount, backend=Backend.ANNOUNCED)
    return mount


def _is_failed_call(mount: Mount, event: FrameMessage) -> bool:
    """Whether the page has told the frame that its call failed: one that policy forbids never gets to the network.

    Question and answer are reported by two documents, and so in any order.
    """
    is_question = event.direction == "to_host" and event.type in CALLS
    answer = mount.early.get(event.nonce) if is_question else event
    if answer is None or answer.direction != "to_frame" or event.nonce not in mount.backend_calls:
        return False
    return answer.type == "response" and bool(answer.error_name or answer.error_message)


def _with_verification(mount: Mount, verification: Verification, entry: Entry) -> Mount:
    milestones = mount.milestones
    if verification in (Verification.VERIFIED, Verification.SKIPPED):
        milestones = {Milestone.DOMAIN_VERIFIED: Reached(at_ms=entry.at_ms, seq=entry.seq)} | milestones
    return replace(mount, verification=verification, milestones=milestones)


def _with_backend(mount: Mount, backend: Backend, entry: Entry) -> Mount:
    milestones, last_signal = mount.milestones, mount.last_signal
    if backend is Backend.ACCEPTED:
        milestones = {Milestone.BACKEND_ACCEPTED: Reached(at_ms=entry.at_ms, seq=entry.seq)} | milestones
    elif backend is not mount.backend and backend in (Backend.REFUSED, Backend.FAILING):
        last_signal = {**last_signal, Signal.BACKEND_REFUSED: entry.seq}
    return replace(mount, backend=backend, milestones=milestones, last_signal=last_signal)


def _verification_of(check: Exchange) -> Verification:
    if check.failure or check.status >= 400:
        return Verification.REFUSED
    if check.body is None:
        return Verification.PENDING
    if check.body.is_verified is None and check.body.unread_reason:
        return Verification.UNSEEN  # answered, but nobody could read how
    return Verification.VERIFIED if check.body.is_verified else Verification.REFUSED


def _backend_of(calls: list[Exchange]) -> Backend:
    """One accepted call is enough; otherwise the newest answer counts."""
    if any(200 <= call.status < 300 for call in calls):
        return Backend.ACCEPTED
    last = calls[-1]
    if last.failure or last.status >= 500:
        return Backend.FAILING
    if last.status >= 400:
        return Backend.REFUSED
    return Backend.ANNOUNCED if last.status >= 300 else Backend.PENDING  # a redirect: the call goes on elsewhere

"""A timeline's result: verdict, milestones, pre-fetch and console as one value.

In: entries, limits, what the project accepts. Out: `VisitResult`. The same for a live visit and for a saved timeline.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.analysis.exchanges import Exchange, exchanges_of
from harness.analysis.mount import Milestone, Mount, is_loader, is_session_request
from harness.analysis.prefetch import prefetch_of
from harness.analysis.tracks import Session
from harness.analysis.verdict import Judgement, Limits, Reason, judge
from harness.model.events import (
    BodyRead,
    ConsoleMessage,
    FrameMessage,
    PageErrorRaised,
    RequestBlocked,
    VisitStarted,
    WidgetEvent,
)
from harness.model.results import ConsoleProblem, MilestoneReached, VisitResult
from harness.model.timeline import Entry

MOST_FACTS = 8
# Console errors that every browser prints for an answer of 400 and above; the exchange itself is the fact.
STATUS_ECHO = "Failed to load resource: the server responded with a status of"


def result_of(
    entries: Iterable[Entry],
    *,
    limits: Limits,
    started_at: str,
    prefetch_expected: str = "required",
    console_allow: tuple[str, ...] = (),
    session_endpoint: str = "",
    judgement: Judgement | None = None,
) -> VisitResult:
    """Return what a visit came to. Raises ValueError for a timeline without a `VisitStarted`.

    `judgement`: that of these entries, when the caller has followed them already; otherwise they are judged here.
    """
    entries = tuple(entries)
    start = next((e.event for e in entries if isinstance(e.event, VisitStarted)), None)
    if start is None:
        raise ValueError("this timeline holds no visit")
    judgement = judgement or judge(entries, limits, session_endpoint=session_endpoint)
    mount, verdict = judgement.mount, judgement.verdict
    prefetch = prefetch_of(entries)
    exchanges = exchanges_of(entries)
    reason = verdict.reason if verdict else Reason.UNDECIDED
    last, following = mount.last_milestone, mount.next_milestone
    return VisitResult(
        project=start.project,
        entry=start.entry,
        url=start.url,
        scenario=start.scenario,
        network=start.network,
        browser=f"{start.browser} {start.browser_version}",
        started_at=started_at,
        outcome=verdict.outcome.value if verdict else "undecided",
        reason=reason.value,
        explanation=explain(reason, mount, exchanges, entries),
        last_milestone=last.value if last else "",
        next_milestone=following.value if following else "",
        opened_at_ms=mount.opened_at_ms,
        decided_at_ms=round(verdict.decided_at_ms, 1) if verdict else -1,
        after_fact_ms=round(verdict.decided_at_ms - verdict.fact_at_ms, 1) if verdict else -1,
        evidence=verdict.evidence if verdict else (),
        milestones=_milestones(judgement),
        tracks=(
            ("script", mount.script.value),
            ("element", mount.element.value),
            ("session", mount.session.value),
            ("frame", mount.frame.value),
        ),
        mode=_mode(mount, exchanges),
        has_ready_event=mount.has_ready_event,
        verification=mount.verification.value,
        backend=mount.backend.value,
        prefetch=prefetch.outcome.value,
        prefetch_expected=prefetch_expected,
        connected_page_ms=prefetch.connected_page_ms,
        secret_ended_page_ms=prefetch.response_ended_page_ms,
        secret_url=prefetch.url,
        console=_console(entries, console_allow),
        facts=_facts(entries, exchanges, session_endpoint),
    )


def _milestones(judgement: Judgement) -> tuple[MilestoneReached, ...]:
    mount = judgement.mount
    return tuple(
        MilestoneReached(
            name=m.value,
            at_ms=round(mount.milestones[m].at_ms, 1),
            seq=mount.milestones[m].seq,
        )
        for m in Milestone
        if m in mount.milestones
    )


def _mode(mount: Mount, exchanges: tuple[Exchange, ...]) -> str:
    if mount.backend_urls or any(x.path == "/v1/chatkit/domain_keys/verify" for x in exchanges):
        return "custom"
    return "hosted" if mount.session is not Session.NONE else "unknown"


def _console(entries: tuple[Entry, ...], allowed: tuple[str, ...]) -> tuple[ConsoleProblem, ...]:
    problems = []
    for entry in entries:
        match entry.event:
            case ConsoleMessage(level="error", text=text):
                kind = "console.error"
            case PageErrorRaised(name=name, message=message):
                kind, text = "uncaught", message if message.startswith(name) else f"{name}: {message}"
            case _:
                continue
        is_allowed = any(part in text for part in allowed)
        problems.append(ConsoleProblem(seq=entry.seq, kind=kind, text=text, is_allowed=is_allowed))
    return tuple(problems)


def explain(reason: Reason, mount: Mount, exchanges: tuple[Exchange, ...], entries: tuple[Entry, ...]) -> str:
    """Return the reason as a sentence with the facts it rests on."""
    error = _last_error(entries)
    match reason:
        case Reason.NONE:
            return "The widget mounted, and stayed."
        case Reason.PAGE_CRASHED:
            return "The page crashed."
        case Reason.SCRIPT_FAILED:
            return f"The ChatKit loader did not arrive: {_told(_last(exchanges, lambda x: is_loader(x.url)))}."
        case Reason.NOT_CHATKIT:
            return "There is no ChatKit on this page: no <openai-chatkit> element, and no request for a loader script."
        case Reason.NOT_DEFINED if Milestone.SCRIPT_REQUESTED not in mount.milestones:
            return "<openai-chatkit> is in the page, but no script that defines it was ever requested."
        case Reason.NOT_DEFINED:
            return "The loader script arrived, but <openai-chatkit> was never defined."
        case Reason.NO_ELEMENT:
            return f"<openai-chatkit> is defined, but none was put into the page{_session_said(mount)}."
        case Reason.NOT_CONFIGURED:
            return "<openai-chatkit> is in the page, but never got its options."
        case Reason.SESSION_REFUSED:
            sessions = [x for x in exchanges if is_session_request(x, mount.session_endpoint)]
            told = _told(sessions[-1] if sessions else None)
            return f"The page asked for a client secret and got none: {told}."
        case Reason.SECRET_REJECTED:
            return f"The frame got no client secret that it accepts{error}."
        case Reason.FRAME_FAILED:
            frame = _last(exchanges, lambda x: x.request.is_navigation and not x.request.is_top_frame)
            ready = "; chatkit.ready fired all the same" if mount.has_ready_event else ""
            return f"The frame's document did not arrive: {_told(frame)}{ready}."
        case Reason.FRAME_SILENT:
            return "The frame's document arrived, but its app never said anything."
        case Reason.OPTIONS_REJECTED:
            return f"The frame refused the options{error}."
        case Reason.DOMAIN_UNVERIFIED:
            return f"The widget was removed again: the domain check failed{error}."
        case Reason.WIDGET_REMOVED:
            return f"The widget was removed again by the SDK{error}."
        case Reason.BACKEND_REFUSED:
            backend = _last(exchanges, lambda x: x.path == "/v1/chatkit/conversation" or x.url in mount.backend_urls)
            return f"The backend refused the widget's first request: {_told(backend)}."
        case Reason.NOT_VISIBLE:
            return f"The widget works, but nobody can see it: {_box_told(mount)}."
        case Reason.UNDECIDED:
            return _waiting_for(mount, exchanges)


def _session_said(mount: Mount) -> str:
    if mount.session is Session.NONE:
        return "; no client secret was asked for either (does each wait for the other?)"
    return f" (session: {mount.session.value})"


def _waiting_for(mount: Mount, exchanges: tuple[Exchange, ...]) -> str:
    if mount.asked:
        return "Still undecided: the frame asked for a client secret, and getClientSecret has not answered."
    is_open = [x for x in exchanges if x.is_open and x.is_relevant]
    if is_open:
        return f"Still undecided: {is_open[0].request.method} {is_open[0].url} has not been answered."
    if mount.backend.value == "failing":
        backend = _last(exchanges, lambda x: x.path == "/v1/chatkit/conversation" or x.url in mount.backend_urls)
        return f"Still undecided: the backend keeps failing ({_told(backend)})."
    following = mount.next_milestone
    return f"Still undecided: waiting for {following.value if following else 'the widget to stay'}."


def _last(exchanges: tuple[Exchange, ...], matches: object) -> Exchange | None:
    assert callable(matches)
    return next((x for x in reversed(exchanges) if matches(x)), None)


def _told(exchange: Exchange | None) -> str:
    if exchange is None:
        return "no request for it was seen"
    what = f"{exchange.request.method} {exchange.url}"
    if exchange.failure:
        return f"{what} failed with {exchange.failure}"
    if exchange.response is None:
        return f"{what} was not answered"
    error = exchange.body.error_text if exchange.body else ""
    if exchange.status < 400 and exchange.body is not None and not exchange.body.secret_key:
        return f"{what} answered {exchange.status}, without a client secret in it"
    return f"{what} answered {exchange.status}" + (f" ({error})" if error else "")


def _box_told(mount: Mount) -> str:
    box = mount.box
    if box is None:
        return "its box was never seen"
    if not box.is_rendered:
        return f"hidden by {box.hidden_by}"
    if box.width_px <= 0 or box.height_px <= 0:
        return f"its box is {box.width_px:g}x{box.height_px:g} px; give its container a size"
    return "its box is outside of what can be scrolled to"


def one_line(text: str) -> str:
    """Return a text without line breaks and arrows, as it fits into a sentence."""
    return " ".join(text.split())


def _last_error(entries: tuple[Entry, ...]) -> str:
    for entry in reversed(entries):
        match entry.event:
            case WidgetEvent(name="chatkit.error", detail_name=name, message=message):
                return f": {name}: {one_line(message)}".rstrip(".")
            case FrameMessage(error_message=message, error_name=name) if message:
                return f": {name}: {one_line(message)}".rstrip(".")
    return ""


def _facts(entries: tuple[Entry, ...], exchanges: tuple[Exchange, ...], session_endpoint: str) -> tuple[str, ...]:
    """The lines worth reading first: failed exchanges, ChatKit's errors, uncaught errors, mock answers, blocked requests."""
    facts: list[tuple[int, str]] = []
    for x in exchanges:
        if (x.failure or x.status >= 400) and x.is_relevant and x.failure != "net::ERR_ABORTED":
            facts.append((x.failure_seq or x.seq, _told(x)))
        elif is_session_request(x, session_endpoint) and x.body is not None and not x.body.secret_key:
            facts.append((x.seq, _told(x)))
    for entry in entries:
        match entry.event:
            case WidgetEvent(name="chatkit.error", detail_name=name, message=message):
                facts.append((entry.seq, f"chatkit.error {name}: {one_line(message)}"))
            case PageErrorRaised(name=name, message=message):
                facts.append((entry.seq, f"uncaught {name}: {one_line(message)}"))
            case BodyRead(is_mock=True):
                facts.append((entry.seq, "an answer calls itself a mock"))
            case BodyRead(secret_format="other"):
                facts.append((entry.seq, "the client secret is not in the format the SDK accepts"))
            case RequestBlocked(method=method, url=url):
                facts.append((entry.seq, f"{method} {url} was blocked: this run is hermetic"))
    return tuple(f"{text}  [line {seq}]" for seq, text in sorted(dict(reversed(facts)).items())[:MOST_FACTS])

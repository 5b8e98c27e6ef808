"""The result of a timeline: verdict, milestones, pre-fetch and console as one value.

In: entries, limits, the project's settings. Out: `VisitResult`, the same for a live visit and for a saved timeline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from harness.analysis.diagnosis import diagnose
from harness.analysis.facts.console_policy import console_of
from harness.analysis.facts.exchanges import Exchange, exchanges_of
from harness.analysis.facts.gathering import facts_of
from harness.analysis.facts.roles import is_frame_document, is_loader, is_verification, lacks_secret
from harness.analysis.mount.prefetch import prefetch_of
from harness.analysis.mount.state import Backend, Milestone, Mount
from harness.analysis.mount.tracks import Script, Session
from harness.analysis.mount.verdict import Judgement, Outcome, Reason, judge, judge_others
from harness.model.events import (
    BodyRead,
    FaultInjected,
    FrameMessage,
    PageErrorRaised,
    PolicyViolated,
    RequestBlocked,
    VisitStarted,
    WidgetEvent,
)
from harness.model.limits import Limits
from harness.model.results import MilestoneReached, OtherEmbed, VisitResult
from harness.model.texts import one_line, visible, with_texts
from harness.model.timeline import Entry

MOST_FACTS = 8


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
    """Return the result of a visit. Raises ValueError for a timeline without a `VisitStarted`.

    `judgement`: the judgement of these entries, if the caller already has it.
    """
    entries = tuple(entries)
    start = next((e.event for e in entries if isinstance(e.event, VisitStarted)), None)
    if start is None:
        raise ValueError("this timeline contains no visit")
    judgement = judgement or judge(entries, limits, session_endpoint=session_endpoint)
    verdict = judgement.verdict
    mount = verdict.mount if verdict else judgement.mount
    told = tuple(e for e in entries if verdict is None or e.at_ms <= verdict.decided_at_ms)
    prefetch = prefetch_of(entries, mount.embed)
    exchanges = exchanges_of(entries)
    reason = verdict.reason if verdict else Reason.UNDECIDED
    console = console_of(entries, console_allow)
    others = others_of(entries, judgement)
    different = tuple(other for other in others if other.reason != reason)
    facts = facts_of(entries, mount=mount, verdict=verdict, prefetch=prefetch, others=different)
    last, following = mount.last_milestone, mount.next_milestone
    result = VisitResult(
        project=start.project,
        entry=start.entry,
        url=start.url,
        scenario=start.scenario,
        network=start.network,
        browser=f"{start.browser} {start.browser_version}".strip(),
        started_at=started_at,
        outcome=verdict.outcome.value if verdict else "undecided",
        reason=reason.value,
        explanation=explain(reason, mount, exchanges_of(told), told),
        last_milestone=last.value if last else "",
        next_milestone=following.value if following else "",
        opened_at_ms=mount.opened_at_ms,
        decided_at_ms=round(verdict.decided_at_ms, 1) if verdict else -1,
        after_fact_ms=round(verdict.decided_at_ms - verdict.fact_at_ms, 1) if verdict else -1,
        evidence=verdict.evidence if verdict else (),
        milestones=_milestones(mount),
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
        console=console,
        facts=_facts(entries, exchanges, mount, different, is_in_url=prefetch.is_in_url),
        findings=diagnose(facts, console, entries),
        others=others,
    )
    return with_texts(result, visible)


def others_of(entries: tuple[Entry, ...], judgement: Judgement) -> tuple[OtherEmbed, ...]:
    """Return the verdicts on the page's other embeds that received options."""
    return tuple(_other(entries, other) for other in judge_others(entries, judgement))


def _other(entries: tuple[Entry, ...], judgement: Judgement) -> OtherEmbed:
    """The verdict on another embed of the page, and its own cause."""
    verdict = judgement.verdict
    mount = verdict.mount if verdict else judgement.mount
    facts = facts_of(entries, mount=mount, verdict=verdict, prefetch=prefetch_of(entries, mount.embed))
    reason = verdict.reason if verdict else Reason.UNDECIDED
    told = tuple(e for e in entries if verdict is None or e.at_ms <= verdict.decided_at_ms)
    return OtherEmbed(
        seq=facts.embed.connected[0] if facts.embed else 0,
        outcome=verdict.outcome.value if verdict else "undecided",
        reason=reason.value,
        explanation=explain(reason, mount, exchanges_of(told), told),
        cause=next((finding for finding in diagnose(facts, (), entries) if finding.role == "cause"), None),
    )


def _milestones(mount: Mount) -> tuple[MilestoneReached, ...]:
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
    """Return "custom" when the page sends the frame's calls, or the frame needs no secret; "hosted" when the frame asks for one."""
    is_custom_check = any(is_verification(x) and not x.path.endswith("_hosted") for x in exchanges)
    if mount.backend_urls or is_custom_check or mount.needs_no_secret:
        return "custom"
    return "hosted" if mount.session is not Session.NONE else "unknown"


def explain(reason: Reason, mount: Mount, exchanges: tuple[Exchange, ...], entries: tuple[Entry, ...]) -> str:
    """Return the reason as a sentence with its facts."""
    match reason:
        case Reason.NONE:
            return "The widget mounted and stayed."
        case Reason.PAGE_CRASHED:
            return "The page crashed."
        case Reason.SCRIPT_FAILED:
            return f"The ChatKit loader was not delivered: {_told(_last(exchanges, _is_bad_loader))}."
        case Reason.NOT_CHATKIT:
            return "There is no ChatKit on this page: no <openai-chatkit> element, and no request for a loader script."
        case Reason.NOT_DEFINED:
            return _undefined(mount, exchanges)
        case Reason.NO_ELEMENT:
            return f"<openai-chatkit> is defined, but the page never inserted one{_session_said(mount)}."
        case Reason.ELEMENT_GONE:
            return "<openai-chatkit> was in the page, and the page removed it."
        case Reason.ELEMENT_MOVED:
            return (
                "<openai-chatkit> was moved within the page: its frame was loaded again, but its messages are "
                "not answered."
            )
        case Reason.NOT_CONFIGURED:
            return "<openai-chatkit> is in the page, but never received options."
        case Reason.SESSION_REFUSED:
            told = _told(_last(exchanges, lambda x: mount.is_session(x) and lacks_secret(x)), needs_secret=True)
            return f"The page requested a client secret and received none: {told}."
        case Reason.SECRET_AWAITED:
            return "The frame asked for a client secret, and the promise of getClientSecret has not settled."
        case Reason.SECRET_REJECTED:
            return f"The frame received no client secret that it accepts{_error(entries, _is_about_the_secret)}."
        case Reason.FRAME_FAILED:
            ready = "; chatkit.ready fired although the frame failed" if mount.has_ready_event else ""
            return f"The frame's document was not delivered: {_told(_last(exchanges, _is_in_iframe(mount)))}{ready}."
        case Reason.FRAME_SILENT:
            return "The frame's document was delivered, but its app sent no message."
        case Reason.OPTIONS_REJECTED:
            return f"The frame rejected the options{_error(entries, _is_about_options)}."
        case Reason.DOMAIN_UNVERIFIED:
            return f"The widget was removed: the domain check failed{_error(entries, _is_about_the_domain)}."
        case Reason.WIDGET_REMOVED:
            return f"The widget was removed by the SDK{_error(entries, _is_any)}."
        case Reason.BACKEND_REFUSED:
            return f"The backend refused the widget's first request: {_told(_last(exchanges, mount.is_backend))}."
        case Reason.BACKEND_FAILING:
            return f"The backend fails, and the frame keeps retrying: {_told(_last(exchanges, mount.is_backend))}."
        case Reason.NOT_VISIBLE:
            return f"The widget works, but is not visible: {_box_told(mount)}."
        case Reason.UNDECIDED:
            return f"Not decided: {_waiting_for(mount, exchanges)}."


def _undefined(mount: Mount, exchanges: tuple[Exchange, ...]) -> str:
    loader = _last(exchanges, lambda x: is_loader(x.url))
    if Milestone.SCRIPT_REQUESTED not in mount.milestones:
        return "<openai-chatkit> is in the page, but no script that defines it was ever requested."
    if mount.script is Script.REQUESTED:
        return f"The loader script was not delivered yet: {_told(loader)}."
    if mount.script is Script.DEFINED:
        return (
            "<openai-chatkit> is defined, but the one in the page was not upgraded: it is in another document, or "
            "a script other than ChatKit's defined it."
        )
    return "The loader script was delivered, but <openai-chatkit> was never defined."


def _session_said(mount: Mount) -> str:
    if mount.session is Session.NONE:
        return "; the page requested no client secret either (each may wait for the other)"
    return f" (session: {mount.session.value})"


def _waiting_for(mount: Mount, exchanges: tuple[Exchange, ...]) -> str:
    if mount.asked:
        return f"the frame waits for the page's reply to {next(iter(mount.asked.values()))}"
    is_open = [x for x in exchanges if x.is_open and x.is_relevant]
    if is_open:
        return f"{is_open[0].request.method} {is_open[0].url} has not been answered"
    if mount.backend is Backend.FAILING:
        return f"the backend keeps failing ({_told(_last(exchanges, mount.is_backend))})"
    following = mount.next_milestone
    return f"waiting for {following.value if following else 'the widget to stay'}"


def _last(exchanges: tuple[Exchange, ...], matches: Callable[[Exchange], bool]) -> Exchange | None:
    return next((x for x in reversed(exchanges) if matches(x)), None)


def _is_bad_loader(exchange: Exchange) -> bool:
    return is_loader(exchange.url) and (exchange.failure != "" or exchange.status >= 400)


def _is_in_iframe(mount: Mount) -> Callable[[Exchange], bool]:
    src = mount.shadow.iframe_src if mount.shadow else ""
    return lambda exchange: is_frame_document(exchange) and exchange.url == src


def _told(exchange: Exchange | None, *, needs_secret: bool = False) -> str:
    """Return what became of a request."""
    if exchange is None:
        return "no request for it was seen"
    what = f"{exchange.request.method} {exchange.url}"
    if exchange.failure:
        return f"{what} failed with {exchange.failure}"
    if exchange.response is None:
        return f"{what} was not answered"
    error = exchange.error_text
    if needs_secret and exchange.status < 400 and lacks_secret(exchange):
        return f"{what} answered {exchange.status}, without a client secret in it"
    return f"{what} answered {exchange.status}" + (f" ({one_line(error)})" if error else "")


def _box_told(mount: Mount) -> str:
    box = mount.box
    if box is None:
        return "its box is unknown"
    if not box.is_rendered:
        return f"hidden by {box.hidden_by}"
    if box.width_px <= 0 or box.height_px <= 0:
        return f"its box is {box.width_px:g}x{box.height_px:g} px; give its container a size"
    return "its box is outside of the scrollable area"


# --- ChatKit's own errors -----------------------------------------------------------------------------------------


def _error(entries: tuple[Entry, ...], is_about: Callable[[str, str], bool]) -> str:
    """Return the last matching error of ChatKit, as the end of a sentence."""
    for entry in reversed(entries):
        match entry.event:
            case WidgetEvent(name="chatkit.error", detail_name=name, message=message) if is_about(name, message):
                return f": {name}: {one_line(message)}".rstrip(".")
            case FrameMessage(error_name=name, error_message=message) if message and is_about(name, message):
                return f": {name}: {one_line(message)}".rstrip(".")
    return ""


def _is_about_the_secret(name: str, message: str) -> bool:
    # An error of getClientSecret is shown with the app's own message.
    return "getClientSecret" in message or not (name.endswith("AppError") or _is_about_the_domain(name, message))


def _is_about_options(name: str, message: str) -> bool:
    return message.startswith("ChatKit.create()") or (name.endswith("Error") and "Sentinel" not in message)


def _is_about_the_domain(name: str, message: str) -> bool:
    return name == "DomainVerificationRequestError" or "omain verification" in message


def _is_any(_name: str, message: str) -> bool:
    return "Sentinel" not in message


# --- facts --------------------------------------------------------------------------------------------------------


def _facts(
    entries: tuple[Entry, ...],
    exchanges: tuple[Exchange, ...],
    mount: Mount,
    others: tuple[OtherEmbed, ...],
    *,
    is_in_url: bool,
) -> tuple[str, ...]:
    """The most important lines: failed exchanges, ChatKit's errors, uncaught errors, mock responses, blocked requests."""
    facts = [
        (other.seq, "another <openai-chatkit> of the page mounted")
        for other in others
        if other.outcome == Outcome.MOUNTED
    ]
    for x in exchanges:
        if (x.failure or x.status >= 400) and x.is_relevant and not x.is_aborted:
            facts.append((x.failure_seq or x.seq, _told(x)))
        elif mount.is_session(x) and lacks_secret(x) and not x.is_aborted:
            facts.append((x.seq, _told(x, needs_secret=True)))
    for entry in entries:
        match entry.event:
            case WidgetEvent(name="chatkit.error", detail_name=name, message=message):
                facts.append((entry.seq, f"chatkit.error {name}: {message}"))
            case PageErrorRaised(name=name, message=message):
                facts.append((entry.seq, f"uncaught {name}: {message}"))
            case PolicyViolated(directive=directive, blocked_url=url, is_enforced=True):
                facts.append((entry.seq, f"the page's Content-Security-Policy blocked {url} ({directive})"))
            case BodyRead(is_mock=True):
                facts.append((entry.seq, "a response says that it is a mock"))
            case BodyRead(secret_format="other"):
                facts.append((entry.seq, "the client secret is not in the format the SDK accepts"))
            case FaultInjected(fault=fault, method=method, url=url):
                facts.append((entry.seq, f"the harness injected a fault into {method} {url}: {fault}"))
            case RequestBlocked(method=method, url=url):
                facts.append((entry.seq, f"{method} {url} was blocked: this run is hermetic"))
            case VisitStarted() if is_in_url:
                facts.append((entry.seq, "the client secret is in the page's address, which logs receive"))
    unique = sorted(dict(reversed(facts)).items())[:MOST_FACTS]
    return tuple(f"{one_line(text)}  [line {seq}]" for seq, text in unique)

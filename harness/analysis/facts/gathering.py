"""How facts are gathered: the entries of the current page, joined by request, message and embed.

In: entries, and the judgement of them. Out: `Facts`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from harness.analysis.facts.exchanges import Exchange, exchanges_of, is_telemetry
from harness.analysis.facts.facts import (
    MOST_CONSOLE_LINES,
    SOUNDS_LIKE_IT,
    E,
    EmbedFacts,
    Facts,
    FrameCall,
    Handover,
    PageFacts,
    Seen,
    SessionCall,
    WidgetError,
    is_loader_candidate,
    is_official,
)
from harness.analysis.facts.roles import (
    has_secret,
    is_frame_document,
    is_page_document,
    is_verification,
    lacks_secret,
)
from harness.analysis.mount.prefetch import PrefetchReport
from harness.analysis.mount.state import EmbedId, Mount
from harness.analysis.mount.tracks import Element
from harness.analysis.mount.verdict import Outcome, Verdict
from harness.model.chatkit import ERROR
from harness.model.events import (
    ActionEnded,
    ActionRepeated,
    ActionTaken,
    BodyRead,
    BoxChanged,
    ConsoleMessage,
    DocumentLoaded,
    DocumentStarted,
    ElementConnected,
    ElementDefined,
    ElementDisconnected,
    FrameMessage,
    LookalikeSeen,
    Navigated,
    NoticeShown,
    OptionsSeen,
    PageCrashed,
    PageErrorRaised,
    PolicyViolated,
    RequestBlocked,
    ResourceTimed,
    ScriptReferenced,
    ShadowChanged,
    VisitStarted,
    WidgetEvent,
)
from harness.model.results import OtherEmbed
from harness.model.timeline import Entry

# What functions throw that find no secret in an answer.
WANT_OF_DATA = re.compile(r"JSON|secret|token|reading '|fetch|network|status", re.IGNORECASE)


def facts_of(
    entries: tuple[Entry, ...],
    *,
    mount: Mount,
    verdict: Verdict | None,
    prefetch: PrefetchReport,
    others: tuple[OtherEmbed, ...] = (),
) -> Facts:
    """Return the facts of a visit. What happened after a mount had failed does not count."""
    told = _told(entries, verdict)
    start_seq = _page_start(told)
    of_page = tuple(entry for entry in told if entry.seq >= start_seq)
    exchanges = exchanges_of(of_page)
    loaders = tuple(x for x in exchanges if x.request.resource_type == "script" and _is_meant_as_loader(x))
    ours = _embed_filter(mount)
    messages = tuple(s for s in _seen(of_page, FrameMessage) if _is_to_host_of(mount, s.event))
    handovers = _handovers(_seen(of_page, FrameMessage), messages)
    shadows = tuple(s for s in _seen(of_page, ShadowChanged) if ours(s.event))
    iframe_urls = {s.event.iframe_src for s in shadows if s.event.iframe_src}
    documents = tuple(x for x in exchanges if is_frame_document(x) and x.url in iframe_urls)
    document = mount.embed[0] if mount.embed else mount.top_document
    options = tuple(s for s in _seen(of_page, OptionsSeen) if ours(s.event))
    boxes = tuple(s for s in _seen(of_page, BoxChanged) if ours(s.event))
    starts = _seen(of_page, DocumentStarted)
    return Facts(
        mount=mount,
        outcome=verdict.outcome if verdict else None,
        decided_at_ms=verdict.decided_at_ms if verdict else -1,
        page=_page(told, of_page, mount, document, start_seq),
        prefetch=prefetch,
        exchanges=exchanges,
        scripts=_seen(of_page, ScriptReferenced),
        loaders=loaders,
        defined=tuple(s for s in _seen(of_page, ElementDefined) if s.event.document == document),
        lookalikes=_seen(of_page, LookalikeSeen),
        notices=_seen(of_page, NoticeShown),
        timings=tuple(s for s in _seen(of_page, ResourceTimed) if s.event.document == document),
        embeds=_embeds(of_page, mount),
        options=options[-1] if options else None,
        shadows=shadows,
        box=boxes[-1] if boxes else None,
        messages=messages,
        errors=_errors(of_page, messages, ours),
        events=tuple(s for s in _seen(of_page, WidgetEvent) if ours(s.event)),
        frame_starts=tuple(s for s in starts if _is_same_document(s.event.url, iframe_urls)),
        frame_documents=documents,
        frame_scripts=tuple(
            x
            for x in exchanges
            if x.request.resource_type == "script" and _is_same_document(x.request.frame_url, iframe_urls)
        ),
        handovers=handovers,
        frame_calls=_frame_calls(_seen(of_page, FrameMessage), messages),
        sessions=_sessions(exchanges, mount, handovers, _windows(of_page, messages, handovers, exchanges)),
        checks=tuple(x for x in exchanges if is_verification(x)),
        calls=tuple(x for x in exchanges if mount.is_backend(x)),
        console=tuple(s for s in _seen(of_page, ConsoleMessage) if s.event.level in ("error", "warning"))[
            :MOST_CONSOLE_LINES
        ],
        page_errors=_seen(of_page, PageErrorRaised)[:MOST_CONSOLE_LINES],
        violations=tuple(s for s in _seen(of_page, PolicyViolated) if s.event.is_enforced),
        blocked=_seen(of_page, RequestBlocked),
        crashes=_seen(of_page, PageCrashed),
        others=others,
        acted_seq=max((s.seq for kind in (ActionTaken, ActionRepeated) for s in _seen(of_page, kind)), default=0),
        actions=_seen(of_page, ActionEnded),
    )


def _seen(entries: Iterable[Entry], kind: type[E]) -> tuple[Seen[E], ...]:
    return tuple(Seen(seq=e.seq, at_ms=e.at_ms, event=e.event) for e in entries if isinstance(e.event, kind))


def _told(entries: tuple[Entry, ...], verdict: Verdict | None) -> tuple[Entry, ...]:
    """The entries up to the verdict, with the bodies that were read of them later; all of them for a widget that stands."""
    if verdict is None or verdict.outcome is Outcome.MOUNTED:
        return entries
    return tuple(e for e in entries if e.at_ms <= verdict.decided_at_ms or isinstance(e.event, BodyRead))


def _is_meant_as_loader(exchange: Exchange) -> bool:
    """Whether a script's address says that it is the loader; whatever a page takes from ChatKit's CDN is meant to be."""
    is_taken_by_page = is_official(exchange.url) and not is_official(exchange.request.frame_url)
    return is_loader_candidate(exchange.url) or is_taken_by_page


def _page_start(entries: Iterable[Entry]) -> int:
    """The first line of the current page: its request, or the first line when there is none."""
    starts = [x.seq for x in exchanges_of(entries) if is_page_document(x)]
    return starts[-1] if starts else 0


def _page(
    told: tuple[Entry, ...], of_page: tuple[Entry, ...], mount: Mount, document: str, start_seq: int
) -> PageFacts:
    request = next((x for x in exchanges_of(of_page) if is_page_document(x)), None)
    started = next((s for s in _seen(of_page, DocumentStarted) if s.event.document == document), None)
    loaded = next((s.seq for s in _seen(of_page, DocumentLoaded) if s.event.document == mount.top_document), 0)
    navigated = next((s.event for s in reversed(_seen(told, Navigated))), None)
    visit = next((s.event for s in _seen(told, VisitStarted)), None)
    headers = request.response.headers if request and request.response else ()
    status = request.status if request and request.status else navigated.status if navigated else 0
    return PageFacts(
        url=started.event.url if started else request.url if request else navigated.url if navigated else "",
        origin=started.event.origin if started else "",
        is_top=started.event.is_top if started else True,
        is_secure_context=started.event.is_secure_context if started else True,
        asked_url=visit.url if visit else "",
        status=status,
        headers=tuple((name.lower(), value) for name, value in headers),
        seq=start_seq or (told[0].seq if told else 0),
        loaded_seq=loaded,
    )


def _embed_filter(mount: Mount) -> Callable[[ShadowChanged | BoxChanged | OptionsSeen | WidgetEvent], bool]:
    return lambda event: mount.embed == (event.document, event.embed)


def _is_to_host_of(mount: Mount, event: FrameMessage) -> bool:
    is_here = event.direction == "to_host" and event.document in mount.documents
    is_ours = mount.embed is None or (event.document == mount.embed[0] and event.embed in (0, mount.embed[1]))
    return is_here and is_ours


def _is_same_document(url: str, documents: set[str]) -> bool:
    return url != "" and any(url.split("?")[0] == document.split("?")[0] for document in documents)


def _embeds(entries: tuple[Entry, ...], mount: Mount) -> tuple[EmbedFacts, ...]:
    came: dict[EmbedId, list[int]] = {}
    went: dict[EmbedId, list[int]] = {}
    for entry in entries:
        match entry.event:
            case ElementConnected(document=document, embed=embed) if document in mount.documents:
                came.setdefault((document, embed), []).append(entry.seq)
            case ElementDisconnected(document=document, embed=embed) if (document, embed) in came:
                went.setdefault((document, embed), []).append(entry.seq)
            case _:
                pass
    return tuple(
        EmbedFacts(id=embed, connected=tuple(seqs), disconnected=tuple(went.get(embed, ())))
        for embed, seqs in came.items()
    )


def _errors(
    entries: tuple[Entry, ...], messages: tuple[Seen[FrameMessage], ...], ours: Callable[[WidgetEvent], bool]
) -> tuple[WidgetError, ...]:
    """ChatKit's errors, each once: what the frame says appears on the element too."""
    found = [
        WidgetError(seq=s.seq, name=s.event.error_name, message=s.event.error_message, is_from_frame=True)
        for s in messages
        if s.event.name == "error" and (s.event.error_name or s.event.error_message)
    ]
    told = {error.message for error in found}
    found += [
        WidgetError(seq=s.seq, name=s.event.detail_name, message=s.event.message, is_from_frame=False)
        for s in _seen(entries, WidgetEvent)
        if s.event.name == ERROR and ours(s.event) and s.event.message not in told
    ]
    return tuple(sorted(found, key=lambda error: error.seq))


def _answers(messages: tuple[Seen[FrameMessage], ...]) -> dict[str, Seen[FrameMessage]]:
    """The page's answers to the frame's calls, by nonce."""
    return {s.event.nonce: s for s in messages if s.event.direction == "to_frame" and s.event.type == "response"}


def _handovers(
    all_messages: tuple[Seen[FrameMessage], ...], messages: tuple[Seen[FrameMessage], ...]
) -> tuple[Handover, ...]:
    answers = _answers(all_messages)
    found = []
    for asked in messages:
        if asked.event.name != "onGetClientSecret" or asked.event.type != "command":
            continue
        answer = answers.get(asked.event.nonce)
        told = answer.event if answer else None
        found.append(
            Handover(
                asked_seq=asked.seq,
                has_current=asked.event.has_current,
                answered_seq=answer.seq if answer else 0,
                kind=told.value_kind if told else "",
                format=told.value_format if told else "",
                digest=told.value_digest if told else "",
                error=(told.error_message or told.error_name) if told else "",
            )
        )
    return tuple(found)


def _frame_calls(
    all_messages: tuple[Seen[FrameMessage], ...], messages: tuple[Seen[FrameMessage], ...]
) -> tuple[FrameCall, ...]:
    answers = _answers(all_messages)
    calls = []
    for asked in messages:
        if asked.event.type == "fetch":
            answer = answers.get(asked.event.nonce)
            error = (answer.event.error_message or answer.event.error_name) if answer else ""
            calls.append(
                FrameCall(
                    asked_seq=asked.seq,
                    answered_seq=answer.seq if answer else 0,
                    error=error,
                )
            )
    return tuple(calls)


def _sessions(
    exchanges: tuple[Exchange, ...], mount: Mount, handovers: tuple[Handover, ...], asked: frozenset[str]
) -> tuple[SessionCall, ...]:
    """The page's requests for a secret. `asked`: the ids of those that it made between the frame's question and its answer."""
    handed = {handover.digest for handover in handovers if handover.digest}
    is_unserved = bool(handovers) and _is_for_want_of_data(handovers[-1])
    calls = []
    for x in exchanges:
        is_carrier = has_secret(x) or (x.body is not None and not handed.isdisjoint(x.body.string_digests))
        is_app_call = x.request.is_top_frame and x.request.resource_type in ("fetch", "xhr")
        is_named = mount.is_session(x) or (is_carrier and is_app_call)
        is_in_answer = is_app_call and x.request.request_id in asked and not is_telemetry(x.url)
        is_guessed = is_in_answer or (is_app_call and _is_before(x, mount, handovers))
        if mount.is_backend(x) or not (is_named or is_guessed):
            continue
        # Of what has no name, a good answer was one to the frame's question only when the frame got nothing good.
        is_empty = is_named or (is_in_answer and is_unserved)
        is_refused = (
            not is_carrier
            and not x.is_aborted
            and (lacks_secret(x) if is_empty else x.failure != "" or x.status >= 400)
        )
        calls.append(SessionCall(exchange=x, is_named=is_named, has_secret=is_carrier, is_refused=is_refused))
    named = [call for call in calls if call.is_named]
    return tuple(named or calls)


def _is_for_want_of_data(handover: Handover) -> bool:
    """Whether the page answered the frame with something that a bad answer of its own server explains."""
    is_told = handover.answered_seq > 0 and not handover.is_real
    return is_told and (not handover.error or WANT_OF_DATA.search(handover.error) is not None)


def _is_before(exchange: Exchange, mount: Mount, handovers: tuple[Handover, ...]) -> bool:
    """Whether the page failed to get something that sounds like it, before the widget asked, and has nothing to hand over since."""
    is_failed = exchange.failure != "" or exchange.status >= 400
    if handovers:
        is_early = _is_for_want_of_data(handovers[-1]) and exchange.seq < handovers[-1].asked_seq
    else:
        is_early = mount.element in (Element.ABSENT, Element.CONNECTED, Element.UPGRADED)
    return (
        is_failed and is_early and not is_telemetry(exchange.url) and SOUNDS_LIKE_IT.search(exchange.path) is not None
    )


def _windows(
    entries: tuple[Entry, ...],
    messages: tuple[Seen[FrameMessage], ...],
    handovers: tuple[Handover, ...],
    exchanges: tuple[Exchange, ...],
) -> frozenset[str]:
    """The ids of the requests that the page made between a question for a secret and its answer.

    The page's words and the network's come by different ways, so that the order of their lines says little about what happened
    within some milliseconds of each other. The page's own clock does, for every request that it has timed.
    """
    asked_of = {s.seq: s.event for s in messages}
    found = set()
    for handover in handovers:
        question = asked_of[handover.asked_seq]
        zero_ms = _zero_of(entries, question.document)
        started_ms = _starts(entries, question.document, exchanges)
        for x in exchanges:
            is_before_answer = handover.answered_seq == 0 or x.seq < handover.answered_seq
            moment = started_ms.get(x.request.request_id, x.started_at_ms - zero_ms)
            if is_before_answer and (x.seq > handover.asked_seq or moment >= question.page_ms):
                found.add(x.request.request_id)
    return frozenset(found)


def _zero_of(entries: tuple[Entry, ...], document: str) -> float:
    """Where the zero of a document's clock lies on the timeline's: by the report that came quickest."""
    of_document = (e for e in entries if getattr(e.event, "document", "") == document and hasattr(e.event, "page_ms"))
    return min((e.at_ms - getattr(e.event, "page_ms", 0.0) for e in of_document), default=0.0)


def _starts(entries: tuple[Entry, ...], document: str, exchanges: tuple[Exchange, ...]) -> dict[str, float]:
    """When the page made each request that it has timed, on its own clock: of one address, the first with the first."""
    timed: dict[str, list[float]] = {}
    for s in _seen(entries, ResourceTimed):
        if s.event.document == document:
            timed.setdefault(s.event.url.split("#")[0], []).append(s.event.started_page_ms)
    starts = {}
    for x in exchanges:
        if x.ended_at_ms is not None and timed.get(x.url):
            moments = sorted(timed[x.url])
            starts[x.request.request_id] = moments[0]
            timed[x.url] = moments[1:]
    return starts

"""How facts are gathered: the entries of the current page, joined by request, message and embed.

In: entries, and the judgement of them. Out: `Facts`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from harness.analysis.exchanges import Exchange, exchanges_of, is_telemetry
from harness.analysis.facts import (
    MOST_CONSOLE_LINES,
    SOUNDS_LIKE_IT,
    E,
    EmbedFacts,
    Facts,
    Handover,
    PageFacts,
    Seen,
    SessionCall,
    WidgetError,
    is_loader_candidate,
)
from harness.analysis.prefetch import PrefetchReport
from harness.analysis.roles import (
    has_secret,
    is_frame_document,
    is_page_document,
    is_verification,
    lacks_secret,
)
from harness.analysis.state import EmbedId, Mount
from harness.analysis.tracks import Element
from harness.analysis.verdict import Outcome, Verdict
from harness.model.events import (
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
    loaders = tuple(x for x in exchanges if x.request.resource_type == "script" and is_loader_candidate(x.url))
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
        sessions=_sessions(exchanges, mount, handovers),
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
        acted_seq=max((s.seq for s in _seen(of_page, ActionTaken)), default=0),
    )


def _seen(entries: Iterable[Entry], kind: type[E]) -> tuple[Seen[E], ...]:
    return tuple(Seen(seq=e.seq, at_ms=e.at_ms, event=e.event) for e in entries if isinstance(e.event, kind))


def _told(entries: tuple[Entry, ...], verdict: Verdict | None) -> tuple[Entry, ...]:
    """The entries up to the verdict, with the bodies that were read of them later; all of them for a widget that stands."""
    if verdict is None or verdict.outcome is Outcome.MOUNTED:
        return entries
    return tuple(e for e in entries if e.at_ms <= verdict.decided_at_ms or isinstance(e.event, BodyRead))


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
        if s.event.name == "chatkit.error" and ours(s.event) and s.event.message not in told
    ]
    return tuple(sorted(found, key=lambda error: error.seq))


def _handovers(
    all_messages: tuple[Seen[FrameMessage], ...], messages: tuple[Seen[FrameMessage], ...]
) -> tuple[Handover, ...]:
    answers = {s.event.nonce: s for s in all_messages if s.event.direction == "to_frame" and s.event.type == "response"}
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


def _sessions(
    exchanges: tuple[Exchange, ...], mount: Mount, handovers: tuple[Handover, ...]
) -> tuple[SessionCall, ...]:
    handed = {handover.digest for handover in handovers if handover.digest}
    calls = []
    for x in exchanges:
        is_carrier = has_secret(x) or (x.body is not None and not handed.isdisjoint(x.body.string_digests))
        is_app_call = x.request.is_top_frame and x.request.resource_type in ("fetch", "xhr")
        is_named = mount.is_session(x) or (is_carrier and is_app_call)
        is_guessed = is_app_call and (_is_in_answer_to(x, handovers) or _is_before_any(x, mount, handovers))
        if mount.is_backend(x) or not (is_named or is_guessed):
            continue
        is_refused = (
            not is_carrier
            and not x.is_aborted
            and (lacks_secret(x) if is_named else x.failure != "" or x.status >= 400)
        )
        calls.append(SessionCall(exchange=x, is_named=is_named, has_secret=is_carrier, is_refused=is_refused))
    named = [call for call in calls if call.is_named]
    return tuple(named or calls)


def _is_before_any(exchange: Exchange, mount: Mount, handovers: tuple[Handover, ...]) -> bool:
    """Whether the page failed to get something that sounds like it, and has not come to the widget since."""
    is_failed = (exchange.failure != "" and not exchange.is_aborted) or exchange.status >= 400
    is_early = not handovers and mount.element in (Element.ABSENT, Element.CONNECTED, Element.UPGRADED)
    return (
        is_failed and is_early and not is_telemetry(exchange.url) and SOUNDS_LIKE_IT.search(exchange.path) is not None
    )


def _is_in_answer_to(exchange: Exchange, handovers: tuple[Handover, ...]) -> bool:
    """Whether the page asked for something between the frame's question for a secret and its answer."""
    if is_telemetry(exchange.url):
        return False
    return any(h.asked_seq < exchange.seq and (h.answered_seq == 0 or exchange.seq < h.answered_seq) for h in handovers)

"""What is known of one visit, in the shape that rules ask for: computed once, about the judged embed of the current page.

In: entries, and the judgement of them. Out: a frozen `Facts`. It selects and joins; what any of it means is the rules' business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from harness.analysis.exchanges import Exchange, exchanges_of, is_telemetry, split_url
from harness.analysis.prefetch import PrefetchReport
from harness.analysis.roles import (
    has_secret,
    is_frame_document,
    is_loader,
    is_page_document,
    is_verification,
    lacks_secret,
)
from harness.analysis.state import EmbedId, Mount
from harness.analysis.tracks import Element, Frame
from harness.analysis.verdict import Outcome, Verdict
from harness.model.events import (
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
from harness.model.timeline import Entry

LOADER_URL = "https://cdn.platform.openai.com/deployments/chatkit/chatkit.js"
CDN_HOST = "cdn.platform.openai.com"
# A file of this name is meant to be the loader, wherever it is said to be.
LOADER_NAME = re.compile(
    r"(openai-)?chatkit([.-](min|umd|iife|esm|bundle|loader|sdk|latest|v?\d[\w.]*))*\.m?js", re.IGNORECASE
)
REAL_FORMATS = ("v00", "v01")
MOST_CONSOLE_LINES = 2_000

E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen(Generic[E_co]):
    """An event of one kind, and the line it stands on."""

    seq: int
    at_ms: float
    event: E_co


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFacts:
    """The document that the embed stands in, or the page's own when there is no embed."""

    url: str
    origin: str  # "null" when opaque; "" when the probe never spoke
    is_top: bool
    is_secure_context: bool
    asked_url: str  # where the visit was to go
    status: int  # of the page; 0 when unknown
    headers: tuple[tuple[str, str], ...]  # of the page's answer, names in lower case
    seq: int  # of the page's request, or the first line
    loaded_seq: int  # of the load event; 0 when it did not fire

    def header(self, name: str) -> str:
        """Return a header of the page's answer; "" when it has none."""
        return ", ".join(value for key, value in self.headers if key == name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """One question of the frame for a client secret, and the page's answer."""

    asked_seq: int
    has_current: bool  # the frame had a secret already and wants a new one
    answered_seq: int = 0  # 0 while unanswered
    kind: str = ""  # of the answer: "string" | "undefined" | …; "" when it was an error
    format: str = ""
    digest: str = ""
    error: str = ""

    @property
    def is_real(self) -> bool:
        """Whether the frame got a secret of the format that it accepts."""
        return self.format in REAL_FORMATS


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCall:
    """A request of the page that is to bring a client secret."""

    exchange: Exchange
    is_named: bool  # known by its address or its answer; else only by the moment it was made
    has_secret: bool
    is_refused: bool  # failed, was refused, or came without a secret

    @property
    def error_text(self) -> str:
        """What the answer says is wrong."""
        return self.exchange.body.error_text if self.exchange.body else ""

    @property
    def evidence(self) -> tuple[int, ...]:
        """The lines of the request and of its end."""
        return evidence_of(self.exchange)


@dataclass(frozen=True, slots=True, kw_only=True)
class WidgetError:
    """An error that ChatKit itself reports, from its frame or on its element."""

    seq: int
    name: str
    message: str
    is_from_frame: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedFacts:
    """One element and its comings and goings."""

    id: EmbedId
    connected: tuple[int, ...]  # lines
    disconnected: tuple[int, ...]

    @property
    def is_there(self) -> bool:
        """Whether it stands in the document."""
        return len(self.connected) > len(self.disconnected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What rules may look at. Tuples are in the order of the timeline."""

    mount: Mount
    outcome: Outcome | None  # None while the mount is undecided: nothing can be concluded from silence then
    decided_at_ms: float
    page: PageFacts
    prefetch: PrefetchReport
    exchanges: tuple[Exchange, ...]
    scripts: tuple[Seen[ScriptReferenced], ...]
    loaders: tuple[Exchange, ...]
    defined: tuple[Seen[ElementDefined], ...]
    lookalikes: tuple[Seen[LookalikeSeen], ...]
    notices: tuple[Seen[NoticeShown], ...]
    timings: tuple[Seen[ResourceTimed], ...]  # of the document that matters
    embeds: tuple[EmbedFacts, ...]
    options: Seen[OptionsSeen] | None
    shadows: tuple[Seen[ShadowChanged], ...]
    box: Seen[BoxChanged] | None
    messages: tuple[Seen[FrameMessage], ...]  # of the embed's frame to the page
    errors: tuple[WidgetError, ...]
    events: tuple[Seen[WidgetEvent], ...]
    frame_starts: tuple[Seen[DocumentStarted], ...]  # the probe's first words in the frame's documents
    frame_documents: tuple[Exchange, ...]
    frame_scripts: tuple[Exchange, ...]
    handovers: tuple[Handover, ...]
    sessions: tuple[SessionCall, ...]
    checks: tuple[Exchange, ...]
    calls: tuple[Exchange, ...]
    console: tuple[Seen[ConsoleMessage], ...]  # errors and warnings
    page_errors: tuple[Seen[PageErrorRaised], ...]
    violations: tuple[Seen[PolicyViolated], ...]  # enforced ones
    blocked: tuple[Seen[RequestBlocked], ...]
    crashes: tuple[Seen[PageCrashed], ...]

    @property
    def is_mounted(self) -> bool:
        """Whether the widget really mounted."""
        return self.outcome is Outcome.MOUNTED

    @property
    def is_settled(self) -> bool:
        """Whether the mount is decided and the page has loaded, or had all its time: what is missing stays missing."""
        return self.outcome is Outcome.TIMEOUT or (self.outcome is not None and self.page.loaded_seq > 0)

    @property
    def embed(self) -> EmbedFacts | None:
        """The judged embed; None when the page has none."""
        return next((embed for embed in self.embeds if embed.id == self.mount.embed), None)

    @property
    def is_defined(self) -> bool:
        """Whether the element is defined in the document that matters."""
        return bool(self.defined)

    @property
    def is_configured(self) -> bool:
        """Whether the element took its options, at any time."""
        return self.mount.element in (Element.CONFIGURED, Element.LOADED, Element.REMOVED, Element.MOVED)

    @property
    def has_frame_spoken(self) -> bool:
        """Whether any message of the frame arrived."""
        return bool(self.messages)

    @property
    def is_frame_alive(self) -> bool:
        """Whether the frame's app runs, with options that it accepts."""
        return self.mount.frame in (Frame.BOOTED, Frame.READY)

    @property
    def real_secret_seq(self) -> int:
        """The line on which the frame last got a secret of the real format; 0 when never."""
        return max((handover.answered_seq for handover in self.handovers if handover.is_real), default=0)

    @property
    def is_custom(self) -> bool:
        """Whether the frame does without a client secret."""
        keys = self.options.event.api_keys if self.options else ()
        return self.mount.needs_no_secret or ("url" in keys and "getClientSecret" not in keys)

    @property
    def failed_session(self) -> SessionCall | None:
        """The page's last request for a secret when it brought none, and no other has brought one since."""
        ended = [call for call in self.sessions if call.has_secret or call.is_refused]
        if not ended or ended[-1].has_secret or self.is_custom:
            return None
        return None if self.real_secret_seq > ended[-1].evidence[-1] else ended[-1]

    @property
    def failed_loader(self) -> Exchange | None:
        """The last request for the loader when it failed, and the element was never defined."""
        if self.is_defined or not self.loaders:
            return None
        last = self.loaders[-1]
        return last if last.failure or last.status >= 400 else None

    @property
    def frame_document(self) -> Exchange | None:
        """The last request for the document of the embed's iframe."""
        return self.frame_documents[-1] if self.frame_documents else None

    @property
    def last_check(self) -> Exchange | None:
        """The last domain check."""
        return self.checks[-1] if self.checks else None

    @property
    def failed_call(self) -> Exchange | None:
        """The last backend call when it failed, and none has been accepted since; renewed ones count as the last."""
        ended = [x for x in self.calls if x.status or (x.failure and not x.is_aborted)]
        return ended[-1] if ended and not 200 <= ended[-1].status < 400 else None

    def names_session(self, url: str) -> bool:
        """Whether an address is one that the page's requests for a secret have: by the configuration, else by its name."""
        return self.mount.is_session_url(url)

    def console_about(self, *needles: str, pattern: str = "") -> tuple[Seen[ConsoleMessage], ...]:
        """Return the console's errors and warnings that contain all of these texts, and match the pattern."""
        found = (seen for seen in self.console if all(needle in seen.event.text for needle in needles))
        return tuple(seen for seen in found if re.search(pattern, seen.event.text, re.IGNORECASE))

    def notices_about(self, pattern: str) -> tuple[Seen[NoticeShown], ...]:
        """Return the texts about the chat that the page has shown and that match the pattern."""
        return tuple(seen for seen in self.notices if re.search(pattern, seen.event.text, re.IGNORECASE))

    def page_errors_about(self, pattern: str) -> tuple[Seen[PageErrorRaised], ...]:
        """Return the uncaught errors whose name and message match the pattern."""
        return tuple(
            seen
            for seen in self.page_errors
            if re.search(pattern, f"{seen.event.name}: {seen.event.message}", re.IGNORECASE)
        )

    def errors_about(self, pattern: str) -> tuple[WidgetError, ...]:
        """Return ChatKit's own errors whose name and message match the pattern."""
        return tuple(e for e in self.errors if re.search(pattern, f"{e.name}: {e.message}", re.IGNORECASE))

    def violations_of(self, exchange: Exchange, directives: tuple[str, ...]) -> tuple[Seen[PolicyViolated], ...]:
        """Return the violations of these directives that are about a request's address."""
        return tuple(
            seen
            for seen in self.violations
            if seen.event.directive.startswith(directives) and is_same_target(seen.event.blocked_url, exchange.url)
        )


def evidence_of(exchange: Exchange) -> tuple[int, ...]:
    """Return the lines of a request, of its failure and of its body, as far as they are known."""
    return tuple(seq for seq in (exchange.seq, exchange.answer_seq, exchange.failure_seq, exchange.body_seq) if seq)


def is_same_target(blocked_url: str, url: str) -> bool:
    """Whether a violation's address is that of a request; browsers may report the origin only."""
    if blocked_url.split("?")[0] == url.split("?")[0]:
        return True
    blocked, wanted = split_url(blocked_url), split_url(url)
    is_origin = blocked.path in ("", "/") and blocked.netloc != ""
    return is_origin and (blocked.scheme, blocked.netloc) == (wanted.scheme, wanted.netloc)


def is_official(url: str) -> bool:
    """Whether an address is on ChatKit's own CDN."""
    return split_url(url).hostname == CDN_HOST


def is_loader_candidate(url: str) -> bool:
    """Whether a script's address says that it is the ChatKit loader."""
    path = split_url(url).path
    return is_loader(url) or LOADER_NAME.fullmatch(path.rpartition("/")[2]) is not None


# --- from entries to facts ----------------------------------------------------------------------------------------


def facts_of(entries: tuple[Entry, ...], *, mount: Mount, verdict: Verdict | None, prefetch: PrefetchReport) -> Facts:
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
        if mount.is_backend(x) or not (is_named or (is_app_call and _is_in_answer_to(x, handovers))):
            continue
        is_refused = (
            not is_carrier
            and not x.is_aborted
            and (lacks_secret(x) if is_named else x.failure != "" or x.status >= 400)
        )
        calls.append(SessionCall(exchange=x, is_named=is_named, has_secret=is_carrier, is_refused=is_refused))
    named = [call for call in calls if call.is_named]
    return tuple(named or calls)


def _is_in_answer_to(exchange: Exchange, handovers: tuple[Handover, ...]) -> bool:
    """Whether the page asked for something between the frame's question for a secret and its answer."""
    if is_telemetry(exchange.url):
        return False
    return any(h.asked_seq < exchange.seq and (h.answered_seq == 0 or exchange.seq < h.answered_seq) for h in handovers)

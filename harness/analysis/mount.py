"""How far one embed got: the fold of a timeline into four tracks and their milestones.

In: entries, one by one. Out: a frozen `Mount`. Knows what proves a state and what does not; passes no verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from fnmatch import fnmatch
from math import inf
from urllib.parse import urlsplit

from harness.analysis import exchanges as network
from harness.analysis.exchanges import Exchange
from harness.analysis.tracks import ELEMENT, FRAME, SCRIPT, SESSION, Element, Frame, Script, Session, Signal
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
    FrameNavigated,
    Navigated,
    PageCrashed,
    RequestFailed,
    RequestFinished,
    RequestStarted,
    ResponseReceived,
    ShadowChanged,
    VisitStarted,
    WidgetEvent,
)
from harness.model.timeline import Entry

WRAPPER = "div.ck-wrapper"
LONGEST_UNREAD_MS = 2_000  # an app's request that is answered, but whose end is not reported
LONGEST_UNANSWERED_MS = 10_000  # an app's request without an answer: a long poll, unless it is the session's
VERIFICATION_SKIPPED = "Domain verification skipped for "


class Milestone(StrEnum):
    """What a healthy mount reaches, in this order."""

    PAGE_LOADED = "page-loaded"
    SCRIPT_REQUESTED = "script-requested"
    ELEMENT_DEFINED = "element-defined"
    ELEMENT_CONNECTED = "element-connected"
    OPTIONS_ACCEPTED = "options-accepted"
    FRAME_DELIVERED = "frame-delivered"
    FRAME_BOOTED = "frame-booted"
    SECRET_DELIVERED = "secret-delivered"
    COMPOSER_READY = "composer-ready"
    DOMAIN_VERIFIED = "domain-verified"
    BACKEND_ACCEPTED = "backend-accepted"
    MOUNTED = "mounted"


class Verification(Enum):
    """What is known of the domain check."""

    UNSEEN = "unseen"
    PENDING = "pending"
    VERIFIED = "verified"
    SKIPPED = "skipped"
    REFUSED = "refused"


class Backend(Enum):
    """How the first backend calls went."""

    UNSEEN = "unseen"
    PENDING = "pending"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    FAILING = "failing"  # a 5xx or a network error: the frame tries again by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """When a milestone was first seen, and on which line."""

    at_ms: float
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """The state of one embed. `embed` is its document and its number there."""

    script: Script = Script.ABSENT
    element: Element = Element.ABSENT
    session: Session = Session.NONE
    frame: Frame = Frame.ABSENT
    verification: Verification = Verification.UNSEEN
    backend: Backend = Backend.UNSEEN
    milestones: dict[Milestone, Reached] = field(default_factory=dict)
    last_signal: dict[Signal, int] = field(default_factory=dict)  # seq of the newest entry that meant it
    embed: tuple[str, int] | None = None
    top_document: str = ""
    documents: frozenset[str] = frozenset()  # of the current page, as far as they spoke
    shadow: ShadowChanged | None = None
    box: BoxChanged | None = None
    kept: dict[str, Exchange] = field(default_factory=dict)  # open ones, and those a track depends on
    asked: frozenset[str] = frozenset()  # nonces of unanswered onGetClientSecret commands
    early: dict[str, FrameMessage] = field(default_factory=dict)  # answers whose question is not seen yet, by nonce
    backend_urls: frozenset[str] = frozenset()  # what the frame asked the host page to fetch (custom mode)
    session_endpoint: str = ""  # glob from the configuration; "" to find it by its answer and its name
    is_crashed: bool = False
    opened_at_ms: float = 0.0
    active_at_ms: float = 0.0  # the last sign of life that a mount can depend on
    decided_at_ms: float = 0.0  # the last change of anything a verdict depends on
    has_ready_event: bool = False  # `chatkit.ready` fired, which proves little

    @property
    def is_visible(self) -> bool:
        """Whether the element has a box that a person could see."""
        box = self.box
        return box is not None and box.is_rendered and box.is_reachable and box.width_px > 0 and box.height_px > 0

    @property
    def busy_until_ms(self) -> float:
        """Until when something in flight can still change a mount that looks lost; infinite for ChatKit's own requests."""
        if self.asked:
            return inf
        return max((_awaited_until_ms(self, x) for x in self.kept.values() if x.is_open), default=0.0)

    @property
    def last_milestone(self) -> Milestone | None:
        """The last milestone before the first one that is missing, optional ones left aside."""
        last = None
        for milestone in Milestone:
            if milestone in self.milestones:
                last = milestone
            elif not self.is_optional(milestone):
                break
        return last

    @property
    def next_milestone(self) -> Milestone | None:
        """The first milestone that is missing; None when there is none."""
        return next((m for m in Milestone if m not in self.milestones and not self.is_optional(m)), None)

    def is_optional(self, milestone: Milestone) -> bool:
        """Whether this mount may be whole without it: no secret was asked for, no check or backend call was made."""
        match milestone:
            case Milestone.SECRET_DELIVERED:
                return self.session is Session.NONE or (
                    self.session is Session.FETCHED and Milestone.COMPOSER_READY in self.milestones
                )
            case Milestone.DOMAIN_VERIFIED:
                return self.verification is Verification.UNSEEN
            case Milestone.BACKEND_ACCEPTED:
                return self.backend is Backend.UNSEEN
            case _:
                return False


def mount_of(entries: Iterable[Entry], *, session_endpoint: str = "") -> Mount:
    """Return the mount a timeline ends in."""
    mount = Mount(session_endpoint=session_endpoint)
    for entry in entries:
        mount = advance(mount, entry)
    return mount


def advance(mount: Mount, entry: Entry) -> Mount:
    """Return the mount after one more timeline entry."""
    before = mount
    mount = _remember(mount, entry)
    for signal in signals_of(before, mount, entry):
        mount = apply(mount, signal, entry)
    mount = _settle_checks(mount, entry)
    if _is_activity(entry, mount):
        mount = replace(mount, active_at_ms=entry.at_ms)
    if _deciding(before) != _deciding(mount):
        mount = replace(mount, decided_at_ms=entry.at_ms)
    return mount


def apply(mount: Mount, signal: Signal, entry: Entry) -> Mount:
    """Return the mount with one signal on all four tracks."""
    milestones = mount.milestones
    for milestone in MILESTONE_OF.get(signal, ()):
        if milestone not in milestones:
            milestones = {**milestones, milestone: Reached(at_ms=entry.at_ms, seq=entry.seq)}
    return replace(
        mount,
        script=SCRIPT.get((mount.script, signal), mount.script),
        element=ELEMENT.get((mount.element, signal), mount.element),
        session=SESSION.get((mount.session, signal), mount.session),
        frame=FRAME.get((mount.frame, signal), mount.frame),
        milestones=milestones,
        last_signal={**mount.last_signal, signal: entry.seq},
    )


MILESTONE_OF: dict[Signal, tuple[Milestone, ...]] = {
    Signal.PAGE_LOADED: (Milestone.PAGE_LOADED,),
    Signal.SCRIPT_REQUESTED: (Milestone.SCRIPT_REQUESTED,),
    Signal.DEFINED: (Milestone.SCRIPT_REQUESTED, Milestone.ELEMENT_DEFINED),
    Signal.UPGRADED: (Milestone.ELEMENT_CONNECTED,),
    Signal.CONFIGURED: (Milestone.ELEMENT_CONNECTED, Milestone.OPTIONS_ACCEPTED),
    Signal.FRAME_DELIVERED: (Milestone.FRAME_DELIVERED,),
    Signal.FRAME_BOOTED: (Milestone.FRAME_DELIVERED, Milestone.FRAME_BOOTED),
    Signal.SECRET_DELIVERED: (Milestone.SECRET_DELIVERED,),
    Signal.COMPOSER_READY: (Milestone.FRAME_DELIVERED, Milestone.FRAME_BOOTED, Milestone.COMPOSER_READY),
}


def _remember(mount: Mount, entry: Entry) -> Mount:
    """Keep what later entries are understood by; a new element or page takes the place of the old one."""
    event = entry.event
    match event:
        case VisitStarted() | ActionTaken():
            return replace(mount, opened_at_ms=entry.at_ms, active_at_ms=entry.at_ms)
        case RequestStarted(is_navigation=True, is_top_frame=True):
            # The probe's first words can come later than the new page's first requests, so the request is what resets.
            fresh = Mount(
                session_endpoint=mount.session_endpoint, opened_at_ms=mount.opened_at_ms, decided_at_ms=entry.at_ms
            )
            return replace(fresh, kept=_kept(fresh, entry))
        case DocumentStarted():
            top = event.document if event.is_top else mount.top_document
            return replace(mount, top_document=top, documents=mount.documents | {event.document})
        case ElementConnected() if event.document in mount.documents and _is_new_embed(mount, event):
            return replace(_without_embed(mount), embed=(event.document, event.embed))
        case ShadowChanged() if _is_ours(mount, event):
            return replace(mount, shadow=event)
        case BoxChanged() if _is_ours(mount, event):
            return replace(mount, box=event)
        case WidgetEvent(name="chatkit.ready") if _is_ours(mount, event):
            return replace(mount, has_ready_event=True)
        case PageCrashed():
            return replace(mount, is_crashed=True)
        case FrameMessage(direction="to_host", type="command", name="onGetClientSecret"):
            return mount if event.nonce in mount.early else replace(mount, asked=mount.asked | {event.nonce})
        case FrameMessage(direction="to_frame", type="response") if event.nonce not in mount.asked:
            # Question and answer are reported by two documents, and so in any order.
            return replace(mount, early={**mount.early, event.nonce: event})
        case FrameMessage(direction="to_host", type="fetch" | "fetchEventSource") if event.detail_name:
            return replace(mount, backend_urls=mount.backend_urls | {event.detail_name})
        case RequestStarted() | ResponseReceived() | RequestFinished() | RequestFailed() | BodyRead():
            return replace(mount, kept=_kept(mount, entry))
        case _:
            return mount


def _without_embed(mount: Mount) -> Mount:
    """The mount with everything gone that belonged to an earlier element."""
    lasting = (Milestone.PAGE_LOADED, Milestone.SCRIPT_REQUESTED, Milestone.ELEMENT_DEFINED)
    return replace(
        mount,
        milestones={m: reached for m, reached in mount.milestones.items() if m in lasting},
        element=Element.ABSENT,
        frame=Frame.ABSENT,
        verification=Verification.UNSEEN,
        backend=Backend.UNSEEN,
        shadow=None,
        box=None,
        asked=frozenset(),
        early={},
        has_ready_event=False,
        kept={k: e for k, e in mount.kept.items() if not _is_backend(mount, e) and not _is_verification(e)},
    )


def _is_new_embed(mount: Mount, event: ElementConnected) -> bool:
    if mount.embed is None:
        return True
    return mount.element is Element.DISCONNECTED and (event.document, event.embed) != mount.embed


def _is_ours(
    mount: Mount, event: ShadowChanged | BoxChanged | WidgetEvent | ElementConnected | ElementDisconnected
) -> bool:
    return mount.embed == (event.document, event.embed)


def _kept(mount: Mount, entry: Entry) -> dict[str, Exchange]:
    """The exchanges worth keeping after a network entry: open and relevant ones, and those a track depends on."""
    exchanges = network.add(mount.kept, entry)
    if isinstance(entry.event, RequestStarted):
        return exchanges if exchanges[entry.event.request_id].is_relevant else mount.kept
    if isinstance(entry.event, (BodyRead, RequestFailed)):
        exchange = exchanges.get(entry.event.request_id)
        if exchange is not None and not _is_special(mount, exchange):
            return {key: value for key, value in exchanges.items() if value is not exchange}
    return exchanges


def _awaited_until_ms(mount: Mount, exchange: Exchange) -> float:
    """Until when an open exchange counts: the app's others may be long polls, or answers whose body nobody reads."""
    is_ours = _is_special(mount, exchange) or is_loader(exchange.url) or exchange.request.is_navigation
    if is_ours or is_session_request(exchange, mount.session_endpoint):
        return inf
    if exchange.response_at_ms is not None:
        return exchange.response_at_ms + LONGEST_UNREAD_MS
    return exchange.started_at_ms + LONGEST_UNANSWERED_MS


def _is_special(mount: Mount, exchange: Exchange) -> bool:
    is_frame = exchange.request.is_navigation and not exchange.request.is_top_frame
    return is_frame or _is_verification(exchange) or _is_backend(mount, exchange)


def is_loader(url: str) -> bool:
    """Whether a script URL is the ChatKit loader: the real one's path, wherever it is served from."""
    return urlsplit(url).path.endswith("/chatkit.js")


def _is_verification(exchange: Exchange) -> bool:
    return exchange.path.startswith("/v1/chatkit/domain_keys/verify")


def _is_backend(mount: Mount, exchange: Exchange) -> bool:
    return exchange.path == "/v1/chatkit/conversation" or exchange.url in mount.backend_urls


def is_session_request(exchange: Exchange, endpoint: str = "") -> bool:
    """Whether a request asks the app for a client secret: by the configured glob, else by method and name."""
    if endpoint:
        return fnmatch(exchange.url, endpoint)
    if exchange.request.resource_type not in ("fetch", "xhr") or exchange.path.startswith("/v1/chatkit/"):
        return False
    path = exchange.path.lower().replace("_", "-")
    names_chatkit = "chatkit" in path and any(
        word in path for word in ("session", "secret", "start", "refresh", "token")
    )
    return (
        names_chatkit
        or "client-secret" in path
        or (exchange.request.method == "POST" and path.endswith("/create-session"))
    )


def signals_of(before: Mount, mount: Mount, entry: Entry) -> Iterator[Signal]:
    """Yield what one entry means, given the mount before and after it was remembered."""
    event = entry.event
    match event:
        case Navigated() | DocumentLoaded() if isinstance(event, Navigated) or event.document == mount.top_document:
            yield Signal.PAGE_LOADED
        case ElementDefined() if event.document in mount.documents:
            yield Signal.DEFINED
        case ElementConnected() if _is_ours(mount, event):
            yield Signal.CONNECTED
        case ElementDisconnected() if _is_ours(mount, event):
            yield Signal.DISCONNECTED
        case ShadowChanged() if _is_ours(mount, event):
            yield from _shadow_signals(event)
        case FrameMessage():
            yield from _message_signals(before, event)
        case RequestStarted() | ResponseReceived() | RequestFailed() | BodyRead():
            exchange = mount.kept.get(event.request_id) or network.add(before.kept, entry).get(event.request_id)
            if exchange is not None:
                yield from _exchange_signals(mount, exchange, event)
        case _:
            pass
    if mount.shadow is not None and isinstance(event, (ShadowChanged, RequestStarted, ResponseReceived, RequestFailed)):
        yield from _frame_signals(mount)


def _shadow_signals(event: ShadowChanged) -> Iterator[Signal]:
    if event.children:
        yield Signal.UPGRADED
    if WRAPPER in event.children:
        yield Signal.CONFIGURED
        if event.data_loaded:
            yield Signal.IFRAME_LOADED
    elif event.children:
        yield Signal.WRAPPER_REMOVED


def _frame_signals(mount: Mount) -> Iterator[Signal]:
    """What the network knows of the document in the iframe; it may have known before the iframe was seen."""
    assert mount.shadow is not None
    for exchange in mount.kept.values():
        if (
            exchange.request.is_navigation
            and not exchange.request.is_top_frame
            and exchange.url == mount.shadow.iframe_src
        ):
            yield Signal.FRAME_REQUESTED
            if exchange.failure or exchange.status >= 400:
                yield Signal.FRAME_FAILED
            elif 200 <= exchange.status < 300:
                yield Signal.FRAME_DELIVERED


def _message_signals(before: Mount, event: FrameMessage) -> Iterator[Signal]:
    if event.direction == "to_frame":
        if event.type == "response" and event.nonce in before.asked:
            yield from _answer_signals(event)
        return
    if event.name == "error":
        yield from _error_signals(before, event)
    elif event.type == "event" and event.name == "unmount":
        yield Signal.UNVERIFIED
    elif event.type in ("event", "command", "fetch", "fetchEventSource"):
        yield Signal.FRAME_BOOTED
    if event.name == "onGetClientSecret":
        yield Signal.SECRET_ASKED
        if event.nonce in before.early:
            yield from _answer_signals(before.early[event.nonce])
    if event.name == "log" and event.detail_name == "composer.ready":
        yield Signal.COMPOSER_READY


def _answer_signals(answer: FrameMessage) -> Iterator[Signal]:
    if answer.error_name or answer.error_message:
        yield Signal.SECRET_REJECTED
    elif answer.value_format in ("v00", "v01"):
        yield Signal.SECRET_DELIVERED


def _error_signals(before: Mount, event: FrameMessage) -> Iterator[Signal]:
    if event.error_name == "IntegrationError" and "getClientSecret" in event.error_message:
        yield Signal.SECRET_REJECTED
    elif _is_refusal_of_options(before, event):
        yield Signal.OPTIONS_REJECTED


def _is_refusal_of_options(before: Mount, event: FrameMessage) -> bool:
    is_named = event.error_message.startswith("ChatKit.create()") or event.error_name == "InvalidFrameParamsError"
    return is_named or (event.error_name == "FatalAppError" and before.frame not in (Frame.BOOTED, Frame.READY))


def _exchange_signals(
    mount: Mount, exchange: Exchange, event: RequestStarted | ResponseReceived | RequestFailed | BodyRead
) -> Iterator[Signal]:
    if exchange.request.resource_type == "script" and is_loader(exchange.url):
        yield from _script_signals(exchange, event)
    elif isinstance(event, BodyRead) and event.secret_key and not exchange.path.startswith("/v1/"):
        yield Signal.SECRET_FETCHED
    elif is_session_request(exchange, mount.session_endpoint):
        if isinstance(event, RequestStarted):
            yield Signal.SESSION_REQUESTED
        elif isinstance(event, (RequestFailed, BodyRead)) or exchange.status >= 400:
            yield Signal.SESSION_REFUSED
    elif (
        isinstance(event, RequestStarted)
        and exchange.request.bearer not in ("", "empty")
        and mount.session is Session.ASKED
        and (_is_backend(mount, exchange) or _is_verification(exchange))
    ):
        yield Signal.SECRET_DELIVERED


def _script_signals(
    exchange: Exchange, event: RequestStarted | ResponseReceived | RequestFailed | BodyRead
) -> Iterator[Signal]:
    match event:
        case RequestStarted():
            yield Signal.SCRIPT_REQUESTED
        case ResponseReceived():
            yield Signal.SCRIPT_FAILED if exchange.status >= 400 else Signal.SCRIPT_LOADED
        case RequestFailed():
            yield Signal.SCRIPT_FAILED
        case BodyRead():
            pass


def _settle_checks(mount: Mount, entry: Entry) -> Mount:
    """Bring verification, backend and unanswered questions up to date."""
    event = entry.event
    if isinstance(event, FrameMessage) and event.direction == "to_frame" and event.nonce in mount.asked:
        mount = replace(mount, asked=mount.asked - {event.nonce})
    verification, backend = mount.verification, mount.backend
    if isinstance(event, ConsoleMessage) and event.text.startswith(VERIFICATION_SKIPPED):
        verification = Verification.SKIPPED
    if isinstance(event, (RequestStarted, ResponseReceived, RequestFailed, BodyRead)):
        checks = [e for e in mount.kept.values() if _is_verification(e)]
        calls = [e for e in mount.kept.values() if _is_backend(mount, e)]
        verification = _verification_of(checks[-1]) if checks else verification
        backend = _backend_of(calls) if calls else backend
    if verification is mount.verification and backend is mount.backend:
        return mount
    milestones = dict(mount.milestones)
    if verification in (Verification.VERIFIED, Verification.SKIPPED):
        milestones.setdefault(Milestone.DOMAIN_VERIFIED, Reached(at_ms=entry.at_ms, seq=entry.seq))
    if backend is Backend.ACCEPTED:
        milestones.setdefault(Milestone.BACKEND_ACCEPTED, Reached(at_ms=entry.at_ms, seq=entry.seq))
    return replace(mount, verification=verification, backend=backend, milestones=milestones)


def _verification_of(exchange: Exchange) -> Verification:
    if exchange.failure or exchange.status >= 400:
        return Verification.REFUSED
    if exchange.body is None:
        return Verification.PENDING
    return Verification.VERIFIED if exchange.body.is_verified else Verification.REFUSED


def _backend_of(calls: list[Exchange]) -> Backend:
    """One accepted call is enough; otherwise the newest answer counts."""
    if any(200 <= call.status < 300 for call in calls):
        return Backend.ACCEPTED
    last = calls[-1]
    if last.failure or last.status >= 500:
        return Backend.FAILING
    return Backend.REFUSED if last.status >= 400 else Backend.PENDING


def _deciding(mount: Mount) -> tuple[object, ...]:
    return (mount.script, mount.element, mount.session, mount.frame, mount.verification, mount.backend, mount.is_visible,
            mount.is_crashed, len(mount.milestones))  # fmt: skip


def _is_activity(entry: Entry, mount: Mount) -> bool:
    match entry.event:
        case RequestStarted() | ResponseReceived() | RequestFinished() | RequestFailed() | BodyRead():
            return entry.event.request_id in mount.kept or isinstance(
                entry.event, (RequestFailed, BodyRead, RequestFinished)
            )
        case (
            ActionTaken()
            | DocumentStarted()
            | DocumentLoaded()
            | ElementDefined()
            | ElementConnected()
            | ElementDisconnected()
        ):
            return True
        case ShadowChanged() | WidgetEvent() | FrameMessage() | FrameNavigated() | Navigated():
            return True
        case _:
            return False

"""The fold of a timeline into the four tracks of one embed and their milestones.

In: entries, one by one. Out: a frozen `Mount`, without a verdict.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar
from urllib.parse import urljoin

from harness.analysis.facts import exchanges as network
from harness.analysis.facts.exchanges import Exchange
from harness.analysis.facts.roles import is_frame_document, is_verification
from harness.analysis.mount.pending_answers import CALLS, with_answers
from harness.analysis.mount.signals import is_ours, signals_of
from harness.analysis.mount.state import Backend, EmbedId, Milestone, Mount, Reached, Verification, is_in_sight
from harness.analysis.mount.tracks import ELEMENT, FRAME, SCRIPT, SESSION, Element, Frame, Session, Signal
from harness.model.chatkit import WRAPPER
from harness.model.events import (
    ActionRepeated,
    ActionTaken,
    BodyRead,
    BoxChanged,
    DocumentLoaded,
    DocumentStarted,
    ElementConnected,
    ElementDefined,
    ElementDisconnected,
    Event,
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
    is_message,
)
from harness.model.timeline import Entry

# What the frame waits for before it goes on; it asks for the metadata before every backend call in hosted mode.
AWAITED = ("onGetClientSecret", "onAddMetadataToRequest")
NOBODY_ANSWERS = (Element.MOVED, Element.REMOVED, Element.DISCONNECTED)
E = TypeVar("E")
MOST_SAID = 5_000  # lines about one embed: it may have to be judged from its beginning
MOST_REMEMBERED = 50  # answers and requests that nobody has asked about yet


def advance(mount: Mount, entry: Entry) -> Mount:
    """Return the mount after one more timeline entry."""
    about = _embed_of(mount, entry.event)
    if about is not None and about != (mount.wanted or mount.embed):
        mount = _set_aside(mount, about, entry)
        return _with_the_one_to_see(mount, entry)
    before = mount
    mount = _remember(mount, entry)
    if mount.embed is not None and (about == mount.embed or mount.embed != before.embed):
        mount = replace(mount, said=_and(mount.said, entry))
    for signal in signals_of(before, mount, entry):
        mount = apply(mount, signal, entry)
    mount = with_answers(mount, entry)
    if _is_activity(before, mount, entry):
        mount = replace(mount, active_at_ms=entry.at_ms)
    if mount.element is Element.DISCONNECTED and mount.others and mount.wanted is None:
        mount = _with_next_embed(mount)
    if _deciding(before) != _deciding(mount):
        mount = replace(mount, decided_at_ms=entry.at_ms)
    return _with_the_one_to_see(mount, entry)


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
        milestones=_still_reached(milestones, mount, signal),
        last_signal={**mount.last_signal, signal: entry.seq},
        asked=_still_asked(mount.asked, signal),
    )


def _still_reached(milestones: dict[Milestone, Reached], mount: Mount, signal: Signal) -> dict[Milestone, Reached]:
    """The milestones after a signal; a document that may not be shown was not delivered, unless its app spoke."""
    if signal is Signal.FRAME_FAILED and mount.frame is Frame.DELIVERED:
        return {m: reached for m, reached in milestones.items() if m is not Milestone.FRAME_DELIVERED}
    return milestones


def _still_asked(asked: dict[str, str], signal: Signal) -> dict[str, str]:
    """What the frame waits for after a signal; it has its secret when its next call carries one, seen answered or not."""
    if signal in ENDS_THE_FRAME:
        return {}
    if signal is Signal.SECRET_DELIVERED:
        return {nonce: name for nonce, name in asked.items() if name != "onGetClientSecret"}
    return asked


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

# After these nobody is left who could answer what the frame asked, or who would wait for it.
ENDS_THE_FRAME = (Signal.OPTIONS_REJECTED, Signal.UNVERIFIED, Signal.WRAPPER_REMOVED, Signal.MOVED, Signal.DISCONNECTED)

# What an embed leaves behind for the next one of the page.
LASTING_MILESTONES = (Milestone.PAGE_LOADED, Milestone.SCRIPT_REQUESTED, Milestone.ELEMENT_DEFINED)
LASTING_SIGNALS = (
    Signal.PAGE_LOADED,
    Signal.SCRIPT_REQUESTED,
    Signal.SCRIPT_FAILED,
    Signal.SCRIPT_LOADED,
    Signal.DEFINED,
    Signal.SESSION_REQUESTED,
    Signal.SESSION_REFUSED,
    Signal.SECRET_FETCHED,
)


# --- what is remembered -------------------------------------------------------------------------------------------


def _remember(mount: Mount, entry: Entry) -> Mount:
    """Keep what later entries are understood by; a new element or page takes the place of the old one."""
    event = entry.event
    match event:
        case VisitStarted() | ActionTaken() | ActionRepeated() if not is_message(event):
            return replace(mount, opened_at_ms=entry.at_ms)
        case RequestStarted(is_navigation=True, is_top_frame=True):
            # The probe's first words can come later than the new page's first requests, so the request is what resets.
            fresh = Mount(
                session_endpoint=mount.session_endpoint,
                wanted=mount.wanted,
                opened_at_ms=mount.opened_at_ms,
                decided_at_ms=entry.at_ms,
            )
            return replace(fresh, kept=_kept(fresh, entry))
        case DocumentStarted():
            top = event.document if event.is_top else mount.top_document
            return replace(mount, top_document=top, documents={**mount.documents, event.document: event.url})
        case DocumentLoaded() if event.document == mount.top_document:
            return replace(mount, has_loaded=True)
        case ElementConnected() if event.document in mount.documents and _is_new_embed(mount, event):
            return _with_embed(mount, (event.document, event.embed))
        case ShadowChanged() if is_ours(mount, event):
            return replace(mount, shadow=event)
        case BoxChanged() if is_ours(mount, event):
            return replace(mount, box=event)
        case WidgetEvent(name="chatkit.ready") if is_ours(mount, event):
            return replace(mount, has_ready_event=True)
        case PageCrashed():
            return replace(mount, is_crashed=True)
        case FrameMessage(direction="to_host") if event.document in mount.documents:
            return _with_message(mount, event)
        case FrameMessage(direction="to_frame", type="response") if event.nonce not in mount.asked:
            # Question and answer are reported by two documents, and so in any order.
            return replace(mount, early=dict([*mount.early.items(), (event.nonce, event)][-MOST_REMEMBERED:]))
        case RequestStarted() | ResponseReceived() | RequestFinished() | RequestFailed() | BodyRead():
            kept = _kept(mount, entry)
            return replace(
                mount,
                kept=kept,
                special=_special(mount, entry, kept),
                ended=_ended(mount, entry),
                pause_ms=max(mount.pause_ms, _pause_before(mount, entry)),
            )
        case _:
            return mount


def _pause_before(mount: Mount, entry: Entry) -> float:
    """How long the page's code let pass before it repeated a request that had failed; 0 when this is no repetition."""
    event = entry.event
    if not isinstance(event, RequestStarted) or event.resource_type not in ("fetch", "xhr") or not event.is_top_frame:
        return 0.0
    known = (*mount.ended, *mount.kept.values())
    same = [x for x in known if (x.url, x.request.method) == (event.url, event.method) and not x.is_aborted]
    failed = [x for x in same if x.failure or x.status >= 400]
    if not failed or failed[-1] is not same[-1]:
        return 0.0
    ended_ms = [ms for ms in (failed[-1].response_at_ms, failed[-1].ended_at_ms) if ms is not None]
    return entry.at_ms - min(ended_ms, default=entry.at_ms)


def _with_message(mount: Mount, event: FrameMessage) -> Mount:
    """The mount that knows what the frame waits for, and which addresses it has the page fetch."""
    if event.type == "command" and event.name in AWAITED:
        if event.nonce in mount.early:
            return replace(mount, early={n: answer for n, answer in mount.early.items() if n != event.nonce})
        if mount.element not in NOBODY_ANSWERS:
            return replace(mount, asked={**mount.asked, event.nonce: event.name})
    if event.type in CALLS and event.detail_name:
        mount = replace(mount, backend_calls=mount.backend_calls | {event.nonce})
        return _with_backend_url(mount, _absolute(mount, event))
    return mount


def _with_backend_url(mount: Mount, url: str) -> Mount:
    """The mount that knows an address of the custom backend; the page may have been answered before the frame was heard."""
    calls = {x.request.request_id: x for x in mount.ended if x.url == url}
    others = tuple(x for x in mount.ended if x.url != url)
    mount = replace(mount, backend_urls=mount.backend_urls | {url}, kept={**calls, **mount.kept}, ended=others)
    return replace(mount, special=tuple(key for key, exchange in mount.kept.items() if mount.is_special(exchange)))


def _absolute(mount: Mount, event: FrameMessage) -> str:
    """The address as the network has it; options often name a path only."""
    try:
        return urljoin(mount.documents[event.document], event.detail_name)
    except ValueError:  # no URL at all
        return event.detail_name


def _kept(mount: Mount, entry: Entry) -> dict[str, Exchange]:
    """The exchanges worth keeping after a network entry: open and relevant ones, and those a track depends on."""
    exchanges = network.add(mount.kept, entry)
    if isinstance(entry.event, RequestStarted):
        return exchanges if exchanges[entry.event.request_id].is_relevant else mount.kept
    if isinstance(entry.event, (BodyRead, RequestFailed)):
        exchange = exchanges.get(entry.event.request_id)
        if exchange is not None and not mount.is_special(exchange):
            return {key: value for key, value in exchanges.items() if value is not exchange}
    return exchanges


def _special(mount: Mount, entry: Entry, kept: dict[str, Exchange]) -> tuple[str, ...]:
    """The ids of what a track depends on, after a network entry."""
    exchange = kept.get(entry.event.request_id) if isinstance(entry.event, RequestStarted) else None
    is_special = exchange is not None and mount.is_special(exchange)
    return (*mount.special, exchange.request.request_id) if exchange and is_special else mount.special


def _ended(mount: Mount, entry: Entry) -> tuple[Exchange, ...]:
    """The last requests of the app's own code that are not kept any more."""
    if isinstance(entry.event, (BodyRead, RequestFailed)):
        exchange = network.add(mount.kept, entry).get(entry.event.request_id)
        is_code = exchange is not None and exchange.request.resource_type in ("fetch", "xhr")
        if exchange is not None and is_code and not mount.is_special(exchange):
            return (*mount.ended, exchange)[-MOST_REMEMBERED:]
    return mount.ended


# --- one embed after another --------------------------------------------------------------------------------------


def _is_new_embed(mount: Mount, event: ElementConnected) -> bool:
    """Whether this element is judged from now on. The same one put back is none: it is dead, or nothing happened to it."""
    if mount.wanted is not None:
        return mount.embed is None and mount.wanted == (event.document, event.embed)
    return mount.embed is None or (mount.element is Element.DISCONNECTED and not is_ours(mount, event))


def _with_embed(mount: Mount, embed: EmbedId) -> Mount:
    """The mount with another embed in the place of the old one, and everything gone that belonged to that."""
    if mount.embed is None:
        return replace(mount, embed=embed)
    return replace(
        mount,
        embed=embed,
        milestones={m: reached for m, reached in mount.milestones.items() if m in LASTING_MILESTONES},
        last_signal={s: seq for s, seq in mount.last_signal.items() if s in LASTING_SIGNALS},
        element=Element.ABSENT,
        session=_session_for_the_next(mount),
        frame=Frame.ABSENT,
        verification=Verification.UNSEEN,
        backend=Backend.UNSEEN,
        said=(),
        shadow=None,
        box=None,
        asked={},
        has_ready_event=False,
        kept={k: x for k, x in mount.kept.items() if not _is_of_its_frame(mount, x)},
    )


def _is_of_its_frame(mount: Mount, exchange: Exchange) -> bool:
    """Whether an exchange belongs to the embed that is gone; a document that was just asked for may be the next one's."""
    if is_frame_document(exchange):
        return exchange.response is not None or exchange.failure != ""
    return is_verification(exchange) or mount.is_backend(exchange)


def _session_for_the_next(mount: Mount) -> Session:
    """What the page has done about a secret so far; what was said to the old frame does not count."""
    if Signal.SECRET_ASKED not in mount.last_signal:
        return mount.session
    return Session.FETCHED if Signal.SECRET_FETCHED in mount.last_signal else Session.NONE


def _embed_of(mount: Mount, event: Event) -> EmbedId | None:
    """The embed of the page that an event is about; None when it is about none, or one that is to be judged from now on."""
    match event:
        case ElementConnected() if event.document not in mount.documents or _is_new_embed(mount, event):
            return None
        case ElementConnected() | ElementDisconnected() | ShadowChanged() | BoxChanged() | WidgetEvent():
            embed = (event.document, event.embed)
        case FrameMessage(direction="to_host") if event.embed:
            embed = (event.document, event.embed)
        case FrameMessage(direction="to_frame") if event.nonce in mount.asked:
            return mount.embed
        case FrameMessage(direction="to_frame"):
            return next((e for e, said in mount.others.items() if any(_asks(x.event, event.nonce) for x in said)), None)
        case _:
            return None
    return embed if (mount.wanted or mount.embed) is not None and embed[0] in mount.documents else None


def _asks(event: Event, nonce: str) -> bool:
    return isinstance(event, FrameMessage) and event.type == "command" and event.nonce == nonce


def _set_aside(mount: Mount, embed: EmbedId, entry: Entry) -> Mount:
    """The mount that remembers what was said of another embed; it may be the one that stays."""
    if embed not in mount.others and not isinstance(entry.event, ElementConnected):
        return mount  # the last words of one that is gone
    others = {other: said for other, said in mount.others.items() if other != embed}
    if isinstance(entry.event, ElementDisconnected):
        return replace(mount, others=others)
    return replace(mount, others={**others, embed: _and(mount.others.get(embed, ()), entry)})


def _and(said: tuple[Entry, ...], entry: Entry) -> tuple[Entry, ...]:
    return (*said, entry) if len(said) < MOST_SAID else said


def _with_the_one_to_see(mount: Mount, entry: Entry) -> Mount:
    """The mount of another embed, when the judged one is a spare: without options, or hidden, while that one is in use."""
    if not mount.others or mount.embed is None or mount.wanted is not None:
        return mount
    other = next((other for other, said in mount.others.items() if _is_in_use(said) and _is_spare(mount, said)), None)
    if other is None:
        return mount
    spare, said = mount.embed, mount.said
    mount = _with_embed_of(mount, other)
    return replace(mount, others={spare: said, **mount.others}, active_at_ms=entry.at_ms, decided_at_ms=entry.at_ms)


def _is_in_use(said: tuple[Entry, ...]) -> bool:
    shadow = _last(said, ShadowChanged)
    return shadow is not None and WRAPPER in shadow.children


def _is_spare(mount: Mount, said_of_other: tuple[Entry, ...]) -> bool:
    if mount.element in (Element.ABSENT, Element.CONNECTED, Element.UPGRADED):
        return True
    other = _last(said_of_other, BoxChanged)
    return mount.box is not None and not is_in_sight(mount.box) and other is not None and is_in_sight(other)


def _last(said: tuple[Entry, ...], kind: type[E]) -> E | None:
    return next((x.event for x in reversed(said) if isinstance(x.event, kind)), None)


def _with_next_embed(mount: Mount) -> Mount:
    """The mount of the embed that was spoken of last, now that the judged one is gone."""
    return _with_embed_of(mount, list(mount.others)[-1])


def _with_embed_of(mount: Mount, embed: EmbedId) -> Mount:
    """The mount of one of the others, as all that was said of it has it."""
    active_at_ms = mount.active_at_ms
    others = {other: about for other, about in mount.others.items() if other != embed}
    said = mount.others[embed]
    mount = replace(_with_embed(mount, embed), others={})
    for entry in said:
        mount = advance(mount, entry)
    return replace(mount, others=others, active_at_ms=active_at_ms)


# --- time ---------------------------------------------------------------------------------------------------------


def _deciding(mount: Mount) -> tuple[object, ...]:
    """What a verdict depends on; a stability window counts from its last change."""
    return (mount.embed, mount.script, mount.element, mount.session, mount.frame, mount.verification, mount.backend,
            mount.is_visible, mount.is_crashed, mount.has_loaded, frozenset(mount.milestones))  # fmt: skip


def _is_activity(before: Mount, mount: Mount, entry: Entry) -> bool:
    """Whether an entry is a sign of life that a mount can depend on."""
    match entry.event:
        case RequestStarted() | ResponseReceived() | RequestFinished() | RequestFailed() | BodyRead():
            return entry.event.request_id in before.kept or entry.event.request_id in mount.kept
        case (
            VisitStarted()
            | ActionTaken()
            | ActionRepeated()
            | Navigated()
            | DocumentStarted()
            | DocumentLoaded()
            | FrameNavigated()
        ):
            return True
        case ElementDefined() | ElementConnected() | ElementDisconnected() | ShadowChanged():
            return True
        case WidgetEvent() | FrameMessage():
            return True
        case _:
            return False

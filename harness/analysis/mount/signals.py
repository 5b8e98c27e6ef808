"""Converts timeline entries to signals for a mount.

In: the mount before and after the line was remembered, and the line. Out: signals, in the order of their effect.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.facts import exchanges as network
from harness.analysis.facts.exchanges import Exchange
from harness.analysis.facts.roles import (
    has_secret,
    is_frame_document,
    is_loader,
    is_verification,
    lacks_secret,
)
from harness.analysis.mount.state import Mount
from harness.analysis.mount.tracks import Frame, Session, Signal
from harness.model.chatkit import WRAPPER
from harness.model.events import (
    BodyRead,
    BoxChanged,
    DocumentLoaded,
    ElementConnected,
    ElementDefined,
    ElementDisconnected,
    FrameMessage,
    Navigated,
    PageCrashed,
    RequestFailed,
    RequestStarted,
    ResponseReceived,
    ShadowChanged,
    WidgetEvent,
)
from harness.model.timeline import Entry

STYLE = "style"
OfElement = ElementConnected | ElementDisconnected | ShadowChanged | BoxChanged | WidgetEvent
OfNetwork = RequestStarted | ResponseReceived | RequestFailed | BodyRead


def is_ours(mount: Mount, event: OfElement) -> bool:
    """Whether an element's fact is about the embed that is judged."""
    return mount.embed == (event.document, event.embed)


def signals_of(before: Mount, mount: Mount, entry: Entry) -> Iterator[Signal]:
    """Yield what one entry means, given the mount before and after it was remembered."""
    event = entry.event
    match event:
        case Navigated():
            yield Signal.PAGE_LOADED
        case DocumentLoaded() if event.document == mount.top_document:
            yield Signal.PAGE_LOADED
        case ElementDefined() if event.document in mount.documents:
            yield Signal.DEFINED
        case ElementConnected() if is_ours(mount, event):
            yield Signal.CONNECTED
        case ElementDisconnected() if is_ours(mount, event):
            yield Signal.DISCONNECTED
        case ShadowChanged() if is_ours(mount, event):
            yield from _shadow_signals(before, mount, event)
        case BoxChanged() if is_ours(mount, event):
            yield Signal.BOX_SEEN
        case FrameMessage():
            yield from _message_signals(before, mount, event)
        case RequestStarted() | ResponseReceived() | RequestFailed() | BodyRead():
            exchange = mount.kept.get(event.request_id) or network.add(before.kept, entry).get(event.request_id)
            if exchange is not None:
                yield from _exchange_signals(mount, exchange, event)
        case PageCrashed():
            yield Signal.CRASHED
        case _:
            pass


# --- element ------------------------------------------------------------------------------------------------------


def _shadow_signals(before: Mount, mount: Mount, event: ShadowChanged) -> Iterator[Signal]:
    if event.children:
        yield Signal.UPGRADED
    if WRAPPER not in event.children:
        if event.children:
            yield Signal.WRAPPER_REMOVED
        return
    yield Signal.CONFIGURED
    if event.data_loaded:
        yield Signal.IFRAME_LOADED
    if before.shadow is not None and WRAPPER in before.shadow.children and _trailing(event) > _trailing(before.shadow):
        yield Signal.MOVED
    # The network may have known the iframe's document before the iframe was seen.
    if before.shadow is None or before.shadow.iframe_src != event.iframe_src:
        documents = [x for x in mount.special_exchanges if is_frame_document(x) and x.url == event.iframe_src]
        yield from _frame_signals(documents[-1]) if documents else ()


def _trailing(shadow: ShadowChanged) -> int:
    """How many style sheets stand behind the wrapper: one more each time the element is put into the document again."""
    return shadow.children[shadow.children.index(WRAPPER) :].count(STYLE)


# --- messages -----------------------------------------------------------------------------------------------------


def _message_signals(before: Mount, mount: Mount, event: FrameMessage) -> Iterator[Signal]:
    if event.direction == "to_frame":
        yield from _answer_signals(before, event)
        return
    if event.document not in mount.documents:  # of the page before this one
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
            yield from _verdict_on_secret(before.early[event.nonce])
    if event.name == "log" and event.detail_name == "composer.ready":
        yield Signal.COMPOSER_READY


def _answer_signals(before: Mount, event: FrameMessage) -> Iterator[Signal]:
    if event.type == "response" and before.asked.get(event.nonce) == "onGetClientSecret":
        yield from _verdict_on_secret(event)


def _verdict_on_secret(answer: FrameMessage) -> Iterator[Signal]:
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
    # The anti-abuse script is missed by a FatalAppError too, which is none: the widget works without it.
    is_fatal = event.error_name == "FatalAppError" and "Sentinel" not in event.error_message
    return is_named or (is_fatal and before.frame not in (Frame.BOOTED, Frame.READY))


# --- network ------------------------------------------------------------------------------------------------------


def _exchange_signals(mount: Mount, exchange: Exchange, event: OfNetwork) -> Iterator[Signal]:
    if exchange.request.resource_type == "script" and is_loader(exchange.url):
        yield from _script_signals(exchange, event)
    elif isinstance(event, BodyRead) and has_secret(exchange):
        yield Signal.SECRET_FETCHED
    elif mount.is_session(exchange):
        if isinstance(event, RequestStarted):
            yield Signal.SESSION_REQUESTED
        elif lacks_secret(exchange) and not (isinstance(event, BodyRead) and exchange.status >= 400):
            yield Signal.SESSION_REFUSED  # said by the status already, when there is one that says it
    elif is_frame_document(exchange):
        is_in_our_iframe = mount.shadow is not None and exchange.url == mount.shadow.iframe_src
        if is_in_our_iframe and not isinstance(event, BodyRead):
            yield from _frame_signals(exchange)
    elif _carries_the_secret(mount, exchange) and isinstance(event, RequestStarted):
        yield Signal.SECRET_DELIVERED


def _carries_the_secret(mount: Mount, exchange: Exchange) -> bool:
    """Whether a call of the frame shows that it has the secret it asked for, whether its answer was seen or not."""
    is_own = mount.is_backend(exchange) or is_verification(exchange)
    return is_own and mount.session is Session.ASKED and exchange.request.bearer not in ("", "empty")


def _script_signals(exchange: Exchange, event: OfNetwork) -> Iterator[Signal]:
    match event:
        case RequestStarted():
            yield Signal.SCRIPT_REQUESTED
        case ResponseReceived():
            yield Signal.SCRIPT_FAILED if exchange.status >= 400 else Signal.SCRIPT_LOADED
        case RequestFailed():
            yield Signal.SCRIPT_FAILED
        case BodyRead():
            pass


def _frame_signals(exchange: Exchange) -> Iterator[Signal]:
    yield Signal.FRAME_REQUESTED
    if exchange.is_aborted and 200 <= exchange.status < 300:
        return  # a frame that went away while its document was arriving
    if exchange.failure or exchange.status >= 400:
        yield Signal.FRAME_FAILED
    elif 200 <= exchange.status < 300:
        yield Signal.FRAME_DELIVERED

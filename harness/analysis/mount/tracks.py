"""The four tracks of a mount, as tables: state and signal in, next state out.

Several small tracks beat one long chain, because real pages interleave them. `docs/architecture.md` draws these tables.
"""

from __future__ import annotations

from enum import Enum


class Signal(Enum):
    """The meaning of one timeline entry for a mount."""

    PAGE_LOADED = "page loaded"
    SCRIPT_REQUESTED = "loader requested"
    SCRIPT_FAILED = "loader failed"
    SCRIPT_LOADED = "loader delivered"
    DEFINED = "element defined"
    CONNECTED = "element connected"
    UPGRADED = "element upgraded"
    CONFIGURED = "options accepted"
    IFRAME_LOADED = "iframe loaded"
    WRAPPER_REMOVED = "wrapper removed"
    DISCONNECTED = "element disconnected"
    SESSION_REQUESTED = "session requested"
    SESSION_REFUSED = "session refused"
    SECRET_FETCHED = "secret fetched"
    SECRET_ASKED = "secret asked for"
    SECRET_DELIVERED = "secret delivered"
    SECRET_REJECTED = "secret rejected"
    FRAME_REQUESTED = "frame requested"
    FRAME_FAILED = "frame failed"
    FRAME_DELIVERED = "frame delivered"
    FRAME_BOOTED = "frame spoke"
    COMPOSER_READY = "composer ready"
    OPTIONS_REJECTED = "options rejected"
    UNVERIFIED = "domain not verified"
    MOVED = "element moved"
    BOX_SEEN = "box seen"
    BACKEND_REFUSED = "backend refused"
    CRASHED = "page crashed"


class Script(Enum):
    """The loader script, up to the definition of the element."""

    ABSENT = "absent"
    REQUESTED = "requested"
    FAILED = "failed"
    LOADED = "loaded"
    DEFINED = "defined"


class Element(Enum):
    """The `<openai-chatkit>` element of this embed."""

    ABSENT = "absent"
    CONNECTED = "connected"
    UPGRADED = "upgraded"
    CONFIGURED = "configured"
    LOADED = "loaded"
    REMOVED = "removed"  # by the SDK: the wrapper is gone
    MOVED = "moved"  # put elsewhere by the page: its frame loads again, and nobody answers it
    DISCONNECTED = "disconnected"


class Session(Enum):
    """The client secret, from the app's endpoint into the frame."""

    NONE = "none"
    REQUESTED = "requested"
    REFUSED = "refused"
    FETCHED = "fetched"
    ASKED = "asked"
    DELIVERED = "delivered"
    REJECTED = "rejected"


class Frame(Enum):
    """The frame document and the app in it."""

    ABSENT = "absent"
    REQUESTED = "requested"
    FAILED = "failed"
    DELIVERED = "delivered"
    BOOTED = "booted"
    READY = "ready"
    REJECTED = "rejected"
    UNMOUNTED = "unmounted"


SCRIPT: dict[tuple[Script, Signal], Script] = {
    (Script.ABSENT, Signal.SCRIPT_REQUESTED): Script.REQUESTED,
    (Script.FAILED, Signal.SCRIPT_REQUESTED): Script.REQUESTED,
    (Script.REQUESTED, Signal.SCRIPT_FAILED): Script.FAILED,
    (Script.REQUESTED, Signal.SCRIPT_LOADED): Script.LOADED,
    (Script.LOADED, Signal.SCRIPT_FAILED): Script.FAILED,  # what arrived was another script, or it defined nothing
    (Script.ABSENT, Signal.DEFINED): Script.DEFINED,
    (Script.REQUESTED, Signal.DEFINED): Script.DEFINED,
    (Script.FAILED, Signal.DEFINED): Script.DEFINED,
    (Script.LOADED, Signal.DEFINED): Script.DEFINED,
}

ELEMENT: dict[tuple[Element, Signal], Element] = {
    (Element.ABSENT, Signal.CONNECTED): Element.CONNECTED,
    (Element.DISCONNECTED, Signal.CONNECTED): Element.CONNECTED,
    (Element.CONNECTED, Signal.UPGRADED): Element.UPGRADED,
    (Element.CONNECTED, Signal.CONFIGURED): Element.CONFIGURED,
    (Element.UPGRADED, Signal.CONFIGURED): Element.CONFIGURED,
    (Element.CONFIGURED, Signal.IFRAME_LOADED): Element.LOADED,
    (Element.CONFIGURED, Signal.WRAPPER_REMOVED): Element.REMOVED,
    (Element.LOADED, Signal.WRAPPER_REMOVED): Element.REMOVED,
    (Element.CONFIGURED, Signal.MOVED): Element.MOVED,
    (Element.LOADED, Signal.MOVED): Element.MOVED,
    **{
        (state, Signal.DISCONNECTED): Element.DISCONNECTED
        for state in Element
        if state not in (Element.ABSENT, Element.DISCONNECTED)
    },
}

SESSION: dict[tuple[Session, Signal], Session] = {
    (Session.NONE, Signal.SESSION_REQUESTED): Session.REQUESTED,
    (Session.REFUSED, Signal.SESSION_REQUESTED): Session.REQUESTED,
    (Session.REQUESTED, Signal.SESSION_REFUSED): Session.REFUSED,
    (Session.REQUESTED, Signal.SECRET_FETCHED): Session.FETCHED,
    (Session.NONE, Signal.SECRET_FETCHED): Session.FETCHED,
    (Session.REFUSED, Signal.SECRET_FETCHED): Session.FETCHED,  # of two requests at once, one was refused or given up
    (Session.ASKED, Signal.SESSION_REFUSED): Session.REFUSED,
    (Session.REJECTED, Signal.SESSION_REFUSED): Session.REFUSED,  # which explains it, whichever was reported first
    **{
        (state, Signal.SECRET_ASKED): Session.ASKED
        for state in (Session.NONE, Session.REQUESTED, Session.FETCHED, Session.DELIVERED, Session.REJECTED)
    },
    **{
        (state, Signal.SECRET_DELIVERED): Session.DELIVERED
        for state in (
            Session.NONE,
            Session.REQUESTED,
            Session.FETCHED,
            Session.ASKED,
            Session.REJECTED,
            Session.REFUSED,
        )
    },
    **{
        (state, Signal.SECRET_REJECTED): Session.REJECTED
        for state in (Session.NONE, Session.REQUESTED, Session.FETCHED, Session.ASKED, Session.DELIVERED)
    },
}

FRAME: dict[tuple[Frame, Signal], Frame] = {
    (Frame.ABSENT, Signal.FRAME_REQUESTED): Frame.REQUESTED,
    (Frame.FAILED, Signal.FRAME_REQUESTED): Frame.REQUESTED,
    (Frame.REQUESTED, Signal.FRAME_FAILED): Frame.FAILED,
    (Frame.REQUESTED, Signal.FRAME_DELIVERED): Frame.DELIVERED,
    (Frame.DELIVERED, Signal.FRAME_FAILED): Frame.FAILED,  # it was answered, and what it said forbids to show it
    **{
        (state, Signal.FRAME_BOOTED): Frame.BOOTED
        for state in (Frame.ABSENT, Frame.REQUESTED, Frame.FAILED, Frame.DELIVERED)
    },
    **{
        (state, Signal.COMPOSER_READY): Frame.READY
        for state in (Frame.ABSENT, Frame.REQUESTED, Frame.FAILED, Frame.DELIVERED, Frame.BOOTED)
    },
    **{
        (state, Signal.OPTIONS_REJECTED): Frame.REJECTED
        for state in (Frame.ABSENT, Frame.REQUESTED, Frame.DELIVERED, Frame.BOOTED, Frame.READY)
    },
    **{(state, Signal.UNVERIFIED): Frame.UNMOUNTED for state in (Frame.DELIVERED, Frame.BOOTED, Frame.READY)},
}

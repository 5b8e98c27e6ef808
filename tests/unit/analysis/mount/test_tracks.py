"""The four tables: every state can be reached, and ends where it should."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest

from harness.analysis.mount.tracks import ELEMENT, FRAME, SCRIPT, SESSION, Element, Frame, Script, Session, Signal

TABLES: list[tuple[type[Enum], dict[tuple[Any, Signal], Any]]] = [
    (Script, SCRIPT),
    (Element, ELEMENT),
    (Session, SESSION),
    (Frame, FRAME),
]


def run(table: dict[tuple[Any, Signal], Any], *signals: Signal, start: Any) -> Any:
    """Return the state after these signals; one that the table does not name changes nothing."""
    for signal in signals:
        start = table.get((start, signal), start)
    return start


@pytest.mark.parametrize(("states", "table"), TABLES, ids=lambda value: getattr(value, "__name__", ""))
def test_every_state_can_be_reached_from_the_first(states: type[Enum], table: dict[tuple[Any, Signal], Any]) -> None:
    """A state that nothing leads to would be a mistake in the table."""
    reached = {next(iter(states))}
    while new := {after for (before, _), after in table.items() if before in reached} - reached:
        reached |= new
    assert reached == set(states)


@pytest.mark.parametrize(("states", "table"), TABLES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_line_in_a_table_changes_something(states: type[Enum], table: dict[tuple[Any, Signal], Any]) -> None:
    """Staying is what happens without a line."""
    assert {type(state) for before, after in table.items() for state in (before[0], after)} == {states}
    assert all(before != after for (before, _), after in table.items())


S = Signal
SCRIPTS: dict[str, tuple[tuple[Signal, ...], Script]] = {
    "arrives": ((S.SCRIPT_REQUESTED, S.SCRIPT_LOADED, S.DEFINED), Script.DEFINED),
    "is defined before its answer is seen": ((S.SCRIPT_REQUESTED, S.DEFINED, S.SCRIPT_LOADED), Script.DEFINED),
    "comes in the app's own bundle": ((S.DEFINED,), Script.DEFINED),
    "fails": ((S.SCRIPT_REQUESTED, S.SCRIPT_FAILED), Script.FAILED),
    "fails and is asked for again": ((S.SCRIPT_REQUESTED, S.SCRIPT_FAILED, S.SCRIPT_REQUESTED), Script.REQUESTED),
    "fails after another of that name came": ((S.SCRIPT_REQUESTED, S.SCRIPT_LOADED, S.SCRIPT_FAILED), Script.FAILED),
    "fails before another of that name came": ((S.SCRIPT_REQUESTED, S.SCRIPT_FAILED, S.SCRIPT_LOADED), Script.FAILED),
    "is loaded twice, and one fails": ((S.SCRIPT_REQUESTED, S.DEFINED, S.SCRIPT_FAILED), Script.DEFINED),
}


@pytest.mark.parametrize(("signals", "expected"), SCRIPTS.values(), ids=SCRIPTS.keys())
def test_the_script(signals: tuple[Signal, ...], expected: Script) -> None:
    """What defined the element is what counts in the end."""
    assert run(SCRIPT, *signals, start=Script.ABSENT) is expected


ELEMENTS: dict[str, tuple[tuple[Signal, ...], Element]] = {
    "mounts": ((S.CONNECTED, S.UPGRADED, S.CONFIGURED, S.IFRAME_LOADED), Element.LOADED),
    "is configured before its first look": ((S.CONNECTED, S.CONFIGURED), Element.CONFIGURED),
    "is removed by the SDK": ((S.CONNECTED, S.CONFIGURED, S.IFRAME_LOADED, S.WRAPPER_REMOVED), Element.REMOVED),
    "is removed before its iframe loaded": ((S.CONNECTED, S.CONFIGURED, S.WRAPPER_REMOVED), Element.REMOVED),
    "has only a style sheet": ((S.CONNECTED, S.UPGRADED, S.WRAPPER_REMOVED), Element.UPGRADED),
    "is moved": ((S.CONNECTED, S.CONFIGURED, S.IFRAME_LOADED, S.MOVED), Element.MOVED),
    "is moved and looks alive": ((S.CONNECTED, S.CONFIGURED, S.MOVED, S.CONFIGURED, S.IFRAME_LOADED), Element.MOVED),
    "is taken out": ((S.CONNECTED, S.DISCONNECTED), Element.DISCONNECTED),
    "is taken out after it was removed": ((S.CONNECTED, S.CONFIGURED, S.WRAPPER_REMOVED, S.DISCONNECTED), Element.DISCONNECTED),
    "is taken out after it was moved": ((S.CONNECTED, S.CONFIGURED, S.MOVED, S.DISCONNECTED), Element.DISCONNECTED),
    "is put back": ((S.CONNECTED, S.DISCONNECTED, S.CONNECTED), Element.CONNECTED),
    "was never there": ((S.DISCONNECTED, S.CONFIGURED), Element.ABSENT),
}  # fmt: skip


@pytest.mark.parametrize(("signals", "expected"), ELEMENTS.values(), ids=ELEMENTS.keys())
def test_the_element(signals: tuple[Signal, ...], expected: Element) -> None:
    """From the document to its iframe's load event, and out again."""
    assert run(ELEMENT, *signals, start=Element.ABSENT) is expected


SESSIONS: dict[str, tuple[tuple[Signal, ...], Session]] = {
    "pre-fetched": ((S.SESSION_REQUESTED, S.SECRET_FETCHED, S.SECRET_ASKED, S.SECRET_DELIVERED), Session.DELIVERED),
    "on demand": ((S.SECRET_ASKED, S.SESSION_REQUESTED, S.SECRET_FETCHED, S.SECRET_DELIVERED), Session.DELIVERED),
    "out of a cache": ((S.SECRET_ASKED, S.SECRET_DELIVERED), Session.DELIVERED),
    "refused": ((S.SESSION_REQUESTED, S.SESSION_REFUSED), Session.REFUSED),
    "refused on demand": ((S.SECRET_ASKED, S.SESSION_REQUESTED, S.SESSION_REFUSED, S.SECRET_REJECTED), Session.REFUSED),
    "refused, and reported late": ((S.SECRET_ASKED, S.SECRET_REJECTED, S.SESSION_REQUESTED, S.SESSION_REFUSED), Session.REFUSED),
    "refused, then asked again": ((S.SESSION_REQUESTED, S.SESSION_REFUSED, S.SESSION_REQUESTED), Session.REQUESTED),
    "one of two given up": ((S.SESSION_REQUESTED, S.SESSION_REFUSED, S.SECRET_FETCHED), Session.FETCHED),
    "one of two refused late": ((S.SESSION_REQUESTED, S.SECRET_FETCHED, S.SESSION_REFUSED), Session.FETCHED),
    "refused, but there was another": ((S.SESSION_REQUESTED, S.SESSION_REFUSED, S.SECRET_ASKED, S.SECRET_DELIVERED), Session.DELIVERED),
    "rejected": ((S.SECRET_ASKED, S.SECRET_REJECTED), Session.REJECTED),
    "rejected, then asked again": ((S.SECRET_ASKED, S.SECRET_REJECTED, S.SECRET_ASKED, S.SECRET_DELIVERED), Session.DELIVERED),
    "renewed": ((S.SECRET_ASKED, S.SECRET_DELIVERED, S.SECRET_ASKED, S.SECRET_DELIVERED), Session.DELIVERED),
    "not renewed": ((S.SECRET_ASKED, S.SECRET_DELIVERED, S.SECRET_ASKED, S.SESSION_REFUSED), Session.REFUSED),
}  # fmt: skip


@pytest.mark.parametrize(("signals", "expected"), SESSIONS.values(), ids=SESSIONS.keys())
def test_the_session(signals: tuple[Signal, ...], expected: Session) -> None:
    """From the app's endpoint into the frame."""
    assert run(SESSION, *signals, start=Session.NONE) is expected


FRAMES: dict[str, tuple[tuple[Signal, ...], Frame]] = {
    "boots": ((S.FRAME_REQUESTED, S.FRAME_DELIVERED, S.FRAME_BOOTED, S.COMPOSER_READY), Frame.READY),
    "speaks before its answer is seen": ((S.FRAME_REQUESTED, S.FRAME_BOOTED, S.FRAME_DELIVERED), Frame.BOOTED),
    "speaks again": ((S.FRAME_BOOTED, S.COMPOSER_READY, S.FRAME_BOOTED), Frame.READY),
    "fails": ((S.FRAME_REQUESTED, S.FRAME_FAILED), Frame.FAILED),
    "fails, and loads the second time": ((S.FRAME_REQUESTED, S.FRAME_FAILED, S.FRAME_REQUESTED, S.FRAME_DELIVERED), Frame.DELIVERED),
    "speaks although it seemed to fail": ((S.FRAME_REQUESTED, S.FRAME_FAILED, S.COMPOSER_READY), Frame.READY),
    "boots although it seemed to fail": ((S.FRAME_REQUESTED, S.FRAME_FAILED, S.FRAME_BOOTED), Frame.BOOTED),
    "refuses its options": ((S.FRAME_REQUESTED, S.FRAME_DELIVERED, S.OPTIONS_REJECTED, S.FRAME_BOOTED), Frame.REJECTED),
    "is not verified": ((S.FRAME_REQUESTED, S.FRAME_BOOTED, S.COMPOSER_READY, S.UNVERIFIED, S.COMPOSER_READY), Frame.UNMOUNTED),
    "is not verified before it is ready": ((S.FRAME_REQUESTED, S.FRAME_BOOTED, S.UNVERIFIED), Frame.UNMOUNTED),
}  # fmt: skip


@pytest.mark.parametrize(("signals", "expected"), FRAMES.values(), ids=FRAMES.keys())
def test_the_frame(signals: tuple[Signal, ...], expected: Frame) -> None:
    """From its document to its composer, or to its end."""
    assert run(FRAME, *signals, start=Frame.ABSENT) is expected

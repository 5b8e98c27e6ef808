"""Injects the probe into every document of a context and converts its messages to events.

In: versioned JSON from `probe.js`. Out: events. A message that does not fit becomes a `HarnessFault`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page

from harness.errors import RecordingError
from harness.model import codec, events
from harness.model.chatkit import with_names
from harness.model.codec import Unfit
from harness.model.events import Event, HarnessFault
from harness.model.timeline import Timeline, event_from

VERSION = 1
BINDING = "__chatkitProbe"
WHERE = "the probe's message"
KINDS: dict[str, type[Event]] = {
    "document-started": events.DocumentStarted,
    "document-loaded": events.DocumentLoaded,
    "script-referenced": events.ScriptReferenced,
    "lookalike-seen": events.LookalikeSeen,
    "notice-shown": events.NoticeShown,
    "element-defined": events.ElementDefined,
    "element-connected": events.ElementConnected,
    "element-disconnected": events.ElementDisconnected,
    "shadow-changed": events.ShadowChanged,
    "options-seen": events.OptionsSeen,
    "box-changed": events.BoxChanged,
    "widget-event": events.WidgetEvent,
    "frame-message": events.FrameMessage,
    "resource-timed": events.ResourceTimed,
    "policy-violated": events.PolicyViolated,
    "request-blocked": events.RequestBlocked,  # of `seal.js`
}


@cache
def probe_source() -> str:
    """Return the probe's source, with placeholders for the salt and for the names of ChatKit."""
    return Path(__file__).with_name("probe.js").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRead:
    """Some pieces of a stream that a document read, not redacted yet. `number` counts the streams of the document from 1."""

    document: str
    url: str
    number: int
    at_ms: tuple[float, ...]  # after the stream was opened
    texts: tuple[str, ...]


class Probe:
    """Appends what the in-page script reports; what it says of streams goes to those who have their bodies."""

    def __init__(
        self, timeline: Timeline, salt: str, on_stream: Callable[[StreamRead], None] = lambda _read: None
    ) -> None:
        self._timeline = timeline
        self._salt = salt
        self._on_stream = on_stream

    def install(self, context: BrowserContext, page: Page) -> None:
        """Put the probe into every document that starts from now on; listen to those of one page, not to its pop-ups."""

        def on_message(source: Any, text: str) -> None:
            if source["page"] == page:
                self.receive(text)

        context.expose_binding(BINDING, on_message)
        context.add_init_script(with_names(probe_source()).replace("__SALT__", self._salt))

    def receive(self, text: str) -> None:
        """Append the facts of one message."""
        try:
            message = codec.decoded(_Message, codec.parsed(text, WHERE), where=WHERE)
            if message.v != VERSION:
                raise Unfit(WHERE, at="v", expected=f"probe version {VERSION}", found=str(message.v))
            for fact in message.facts:
                if fact.get("kind") == "stream-read":
                    self._on_stream(stream_of(fact))
                else:
                    self._timeline.append(event_of(fact))
        except RecordingError as error:
            self._timeline.append(HarnessFault(where="probe", message=f"unusable message: {error}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """What `probe.js` posts."""

    v: int
    facts: tuple[dict[str, Any], ...]


def stream_of(fact: dict[str, Any]) -> StreamRead:
    """Return what a fact says of a stream. Raises RecordingError when it does not fit."""
    read = codec.decoded(StreamRead, fact, where=WHERE, at="stream-read")
    if len(read.at_ms) != len(read.texts):
        raise Unfit(WHERE, at="stream-read.at_ms", expected=f"{len(read.texts)} times", found=str(len(read.at_ms)))
    return read


def event_of(fact: dict[str, Any]) -> Event:
    """Return the event for one fact of the probe. Raises RecordingError when the two do not fit."""
    kind = fact.get("kind")
    if kind == "omitted":
        return events.Omitted(what="facts of the in-page probe", limit="4000")
    type_ = KINDS.get(kind) if isinstance(kind, str) else None
    if type_ is None:
        raise Unfit(WHERE, at="kind", expected="a fact that the probe knows", found=f"{kind!r:.40}")
    unknown = fact.keys() - {"kind", *(field.name for field in fields(type_))}
    if unknown:
        raise Unfit(WHERE, at=str(kind), expected="its fields only", found=", ".join(sorted(unknown)))
    return event_from(type_.__name__, fact, WHERE)

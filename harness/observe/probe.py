"""Puts the probe into every document of a context and turns its messages into events.

In: versioned JSON from `probe.js`. Out: events. A message that does not fit becomes a `HarnessFault`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page

from harness.model import events
from harness.model.chatkit import with_names
from harness.model.events import Event, HarnessFault
from harness.model.timeline import Timeline, event_from

VERSION = 1
BINDING = "__chatkitProbe"
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
            message = json.loads(text)
            if message["v"] != VERSION:
                raise ValueError(f"probe version {message['v']}, expected {VERSION}")
            for fact in message["facts"]:
                if isinstance(fact, dict) and fact.get("kind") == "stream-read":
                    self._on_stream(stream_of(fact))
                else:
                    self._timeline.append(event_of(fact))
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            self._timeline.append(HarnessFault(where="probe", message=f"unusable message: {error!r}"))


def stream_of(fact: dict[str, Any]) -> StreamRead:
    """Return what a fact says of a stream. Raises KeyError or TypeError when it does not fit."""
    at_ms, texts = fact["at_ms"], fact["texts"]
    if not all(isinstance(fact[name], str) for name in ("document", "url")) or type(fact["number"]) is not int:
        raise TypeError("a stream has a document, a URL and a number")
    if not (isinstance(at_ms, list) and isinstance(texts, list) and len(at_ms) == len(texts)):
        raise TypeError("a stream has as many times as pieces")
    if not all(isinstance(text, str) and type(at) in (int, float) for text, at in zip(texts, at_ms, strict=True)):
        raise TypeError("a stream's times are numbers, and its pieces texts")
    return StreamRead(
        document=fact["document"],
        url=fact["url"],
        number=fact["number"],
        at_ms=tuple(map(float, at_ms)),
        texts=tuple(texts),
    )


def event_of(fact: Any) -> Event:
    """Return the event for one fact of the probe. Raises KeyError or TypeError when the two do not fit."""
    if not isinstance(fact, dict):
        raise TypeError(f"a fact is an object, not {fact!r:.40}")
    kind = fact["kind"]
    if kind == "omitted":
        return events.Omitted(what="facts of the in-page probe", limit="4000")
    type_ = KINDS[kind]
    unknown = fact.keys() - {"kind", *(field.name for field in fields(type_))}
    if unknown:
        raise TypeError(f"{kind} has no {', '.join(sorted(unknown))}")
    return event_from(type_.__name__, fact)

"""Puts the probe into every document of a context and turns its messages into events.

In: versioned JSON from `probe.js`. Out: events. A message that does not fit becomes a `HarnessFault`.
"""

from __future__ import annotations

import json
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page

from harness.model import events
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
    """Return the probe's source, with a placeholder for the salt."""
    return Path(__file__).with_name("probe.js").read_text(encoding="utf-8")


class Probe:
    """Appends what the in-page script reports."""

    def __init__(self, timeline: Timeline, salt: str) -> None:
        self._timeline = timeline
        self._salt = salt

    def install(self, context: BrowserContext, page: Page) -> None:
        """Put the probe into every document that starts from now on; listen to those of one page, not to its pop-ups."""

        def on_message(source: Any, text: str) -> None:
            if source["page"] == page:
                self.receive(text)

        context.expose_binding(BINDING, on_message)
        context.add_init_script(probe_source().replace("__SALT__", self._salt))

    def receive(self, text: str) -> None:
        """Append the facts of one message."""
        try:
            message = json.loads(text)
            if message["v"] != VERSION:
                raise ValueError(f"probe version {message['v']}, expected {VERSION}")
            for fact in message["facts"]:
                self._timeline.append(event_of(fact))
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            self._timeline.append(HarnessFault(where="probe", message=f"unusable message: {error!r}"))


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

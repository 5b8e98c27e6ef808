"""Puts the probe into every document of a context and turns its messages into events.

In: versioned JSON from `probe.js`. Out: events. A message that does not fit becomes a `HarnessFault`.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext

from harness.model import events
from harness.model.events import Event, HarnessFault
from harness.model.timeline import Timeline

VERSION = 1
BINDING = "__chatkitProbe"
KINDS: dict[str, type[Event]] = {
    "document-started": events.DocumentStarted,
    "document-loaded": events.DocumentLoaded,
    "script-referenced": events.ScriptReferenced,
    "element-defined": events.ElementDefined,
    "element-connected": events.ElementConnected,
    "element-disconnected": events.ElementDisconnected,
    "shadow-changed": events.ShadowChanged,
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

    def install(self, context: BrowserContext) -> None:
        """Put the probe into every document that starts from now on."""
        context.expose_binding(BINDING, lambda _source, text: self.receive(text))
        context.add_init_script(probe_source().replace("__SALT__", self._salt))

    def receive(self, text: str) -> None:
        """Append the facts of one message."""
        try:
            message = json.loads(text)
            if message["v"] != VERSION:
                raise ValueError(f"probe version {message['v']}, expected {VERSION}")
            for fact in message["facts"]:
                self._timeline.append(event_of(fact))
        except (KeyError, TypeError, ValueError) as error:
            self._timeline.append(HarnessFault(where="probe", message=f"unusable message: {error!r}"))


def event_of(fact: dict[str, Any]) -> Event:
    """Return the event for one fact of the probe. Raises KeyError or TypeError when the two do not fit."""
    kind = fact.pop("kind")
    if kind == "omitted":
        return events.Omitted(what="facts of the in-page probe", limit="4000")
    type_: type[Any] = KINDS[kind]
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in fact.items()}
    event: Event = type_(**values)
    return event

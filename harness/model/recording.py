"""A recording: the exchanges of one visit in order, and the environment of the visit.

In: nothing. Out: frozen values, made by `analysis.recording` from a bundle and served by `servers.replay`. Redacted secrets are replaced
by generated ones, so that the exchanges can be served directly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from harness.model.codec import ColorScheme, Locale, Pixels, Scale, Text, Timezone
from harness.model.limits import Limits
from harness.model.shapes import MadeUp

NEEDED = ("document", "script", "stylesheet", "fetch", "xhr")
NEVER = -1.0  # a time that did not come


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of a body, and when it came, in milliseconds after the first byte of the answer."""

    at_ms: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedExchange:
    """One request of a recorded visit and what became of it. Times are milliseconds; `started_ms` counts from the visit's start."""

    number: int  # its place in the recording, from 1
    method: str
    url: str
    resource_type: str  # in Playwright's words
    request_body: str = ""
    operation: str = ""  # of a backend call
    started_ms: float = 0
    answered_ms: float = NEVER  # after the start
    ended_ms: float = NEVER  # after the start
    status: int = 0  # 0: no answer
    status_text: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    media_type: str = ""
    chunks: tuple[Chunk, ...] = ()
    raw: bytes = b""  # the whole body, where it is no text; then there are no chunks
    failure: str = ""  # the browser's words, e.g. "net::ERR_CONNECTION_REFUSED"
    cors_header: str | None = (
        None  # the page was not allowed to read it: the Access-Control-Allow-Origin it had, "" for none
    )
    missing: str = ""  # why its body is not in the recording
    seq: int = 0  # the line of the recorded timeline

    @property
    def lack(self) -> str:
        """What a replay has to leave out of this exchange, as a sentence; "" where the page can do without, or nothing is missing."""
        is_needed = self.missing and self.resource_type in NEEDED
        return f"the body of {self.method} {self.url.split('?')[0]} is missing: {self.missing}" if is_needed else ""

    @property
    def text(self) -> str:
        """The whole body."""
        return "".join(chunk.text for chunk in self.chunks)


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketMessage:
    """What a server sent on a WebSocket, and when, in milliseconds after the page asked for the socket."""

    at_ms: float
    content: str | bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSocket:
    """A WebSocket of a recorded visit. Times are milliseconds; `started_ms` counts from the visit's start."""

    url: str
    started_ms: float = 0
    ended_ms: float = NEVER  # after the start
    failure: str = ""  # the browser's words
    messages: tuple[SocketMessage, ...] = ()

    @property
    def has_opened(self) -> bool:
        """Whether there ever was a connection."""
        return not self.failure or bool(self.messages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What the page could see of its browser."""

    browser: Text = ""
    browser_version: Text = ""
    width: Pixels = 0
    height: Pixels = 0
    user_agent: Text = ""
    locale: Locale = ""
    timezone: Timezone = ""
    scale: Scale = 1
    color_scheme: ColorScheme = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One step on the page, in the words of Playwright's locators."""

    action: str  # "click" | "fill" | "select" | "press" | "wait_for_text" | "wait_for_url" | "send" | "reload"
    target: Text  # the accessible name of what is acted on, the text or URL to wait for, or how a message is sent
    text: Text = ""  # what is filled in, the option, the key, the message


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedVerdict(Limits):
    """The verdict of the visit, and the limits that it was judged within."""

    outcome: str = ""
    reason: str = ""
    cause: str = ""  # the rule; "" without one
    findings: tuple[str, ...] = ()  # the rules that found something which follows from nothing else, the cause first
    prefetch: str = ""
    prefetch_expected: str = "required"
    console_allow: tuple[str, ...] = ()
    session_endpoint: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A visit that can be replayed."""

    name: str  # where it was read, for messages
    url: str
    started_at: str  # ISO 8601
    network: str = "live"
    project: str = ""
    entry: str = ""
    exchanges: tuple[RecordedExchange, ...]
    sockets: tuple[RecordedSocket, ...] = ()
    environment: Environment = field(default_factory=Environment)
    actions: tuple[Action, ...] = ()
    storage: dict[str, Any] = field(default_factory=dict)  # as Playwright's `storage_state`
    judged: RecordedVerdict = field(default_factory=RecordedVerdict)
    made_up: MadeUp = field(default_factory=lambda: MadeUp({}))
    left_out: int = 0  # exchanges that are not needed, and are answered with nothing
    missing: tuple[str, ...] = ()  # what a replay would need and does not have, as sentences
    warnings: tuple[str, ...] = ()  # what is strange about the files

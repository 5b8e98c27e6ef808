"""Requests and their answers, put together from the timeline.

In: entries. Out: one `Exchange` for each request, in the order they started.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from harness.model.addresses import TELEMETRY_HOSTS as TELEMETRY_HOSTS
from harness.model.addresses import is_telemetry as is_telemetry
from harness.model.addresses import split_url as split_url
from harness.model.events import (
    BodyRead,
    RequestFailed,
    RequestFinished,
    RequestStarted,
    ResponseReceived,
    StreamTimed,
)
from harness.model.timeline import Entry

ABORTED = ("net::ERR_ABORTED", "NS_BINDING_ABORTED", "cancelled")  # the page changed its mind, as each engine says it


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its result. Times are on the harness's clock."""

    seq: int
    started_at_ms: float
    request: RequestStarted
    response: ResponseReceived | None = None
    response_at_ms: float | None = None
    ended_at_ms: float | None = None
    finished: RequestFinished | None = None
    body: BodyRead | None = None
    stream: StreamTimed | None = None
    failure: str = ""
    failure_seq: int = 0
    answer_seq: int = 0
    body_seq: int = 0

    @property
    def url(self) -> str:
        """The URL the page asked for."""
        return self.request.url

    @property
    def path(self) -> str:
        """The URL's path."""
        return split_url(self.request.url).path

    @property
    def status(self) -> int:
        """The HTTP status; 0 when no answer came."""
        return self.response.status if self.response else 0

    @property
    def media_type(self) -> str:
        """The media type of the response, such as "text/html"; "" without a response."""
        return self.response.media_type if self.response else ""

    @property
    def error_text(self) -> str:
        """The error message in the response; "" when there is none, or it was not read."""
        return self.body.error_text if self.body else ""

    @property
    def headers(self) -> dict[str, str]:
        """The answer's headers by their names in lower case."""
        return {name.lower(): value for name, value in self.response.headers} if self.response else {}

    @property
    def wants_stream(self) -> bool:
        """Whether it requests an event stream, as each message does."""
        return any(name.lower() == "accept" and "text/event-stream" in value for name, value in self.request.headers)

    @property
    def is_aborted(self) -> bool:
        """Whether the page, not the network, ended it."""
        return self.failure in ABORTED

    @property
    def took_ms(self) -> float:
        """How long it lasted; 0 while it does."""
        return self.ended_at_ms - self.started_at_ms if self.ended_at_ms is not None else 0.0

    @property
    def is_open(self) -> bool:
        """Whether the browser still waits for it. A stream that has begun counts as answered, and so does a refusal:
        the end of a body that the page never reads is never reported.
        """
        is_answered = self.response is not None and (
            self.response.status >= 400 or self.response.media_type == "text/event-stream"
        )
        return self.ended_at_ms is None and not is_answered

    @property
    def is_relevant(self) -> bool:
        """Whether a mount can depend on it: no image, font, beacon, socket or telemetry."""
        return self.request.resource_type in (
            "document",
            "script",
            "fetch",
            "xhr",
            "stylesheet",
            "other",
        ) and not is_telemetry(self.url)


def add(exchanges: dict[str, Exchange], entry: Entry) -> dict[str, Exchange]:
    """Return the exchanges after one more entry; the same object when it is not about the network."""
    exchange = _changed(exchanges, entry)
    return exchanges if exchange is None else {**exchanges, exchange.request.request_id: exchange}


def _changed(exchanges: dict[str, Exchange], entry: Entry) -> Exchange | None:
    """The exchange that an entry begins or goes on with; None when it is not about one of these."""
    event = entry.event
    match event:
        case RequestStarted():
            return Exchange(seq=entry.seq, started_at_ms=entry.at_ms, request=event)
        case ResponseReceived() if event.request_id in exchanges:
            return replace(
                exchanges[event.request_id], response=event, response_at_ms=entry.at_ms, answer_seq=entry.seq
            )
        case RequestFinished() if event.request_id in exchanges:
            return replace(exchanges[event.request_id], finished=event, ended_at_ms=entry.at_ms)
        case RequestFailed() if event.request_id in exchanges:
            return replace(
                exchanges[event.request_id],
                failure=event.error_text or "failed",
                failure_seq=entry.seq,
                ended_at_ms=entry.at_ms,
            )
        case BodyRead() if event.request_id in exchanges:
            return replace(exchanges[event.request_id], body=event, body_seq=entry.seq)
        case StreamTimed() if event.request_id in exchanges:
            return replace(exchanges[event.request_id], stream=event)
        case _:
            return None


def exchanges_of(entries: Iterable[Entry]) -> tuple[Exchange, ...]:
    """Return every exchange of a timeline."""
    exchanges: dict[str, Exchange] = {}
    for entry in entries:
        exchange = _changed(exchanges, entry)
        if exchange is not None:
            exchanges[exchange.request.request_id] = exchange
    return tuple(exchanges.values())

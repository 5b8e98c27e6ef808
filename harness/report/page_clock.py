"""The time of events by the page's own clocks, mapped to the timeline's clock.

In: entries. Out: milliseconds on the timeline's axis. The harness hears of things a little later than they happen, and of two of them
in the wrong order at times; the page's clock (`performance.now()`) knows better. For a picture only: verdicts compare page times.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from harness.analysis.facts.exchanges import Exchange
from harness.model.events import DocumentStarted, ResourceTimed
from harness.model.timeline import Entry

LONGEST_DELAY_MS = 3_000  # by which an event may be reported late and the documents' clock still be believed


class PageClock:
    """Knows, for each document of a visit, where its zero lies on the timeline's axis."""

    def __init__(self, entries: tuple[Entry, ...], *, started_at: str) -> None:
        self._zero = _zeros(entries, started_at)
        self._timings = _timings(entries, self._zero)

    def at_ms(self, entry: Entry) -> float:
        """Return when it happened; when it was reported, where no page's clock says more."""
        page_ms = getattr(entry.event, "page_ms", None)
        zero = self._zero.get(getattr(entry.event, "document", ""))
        if page_ms is None or zero is None:
            return entry.at_ms
        return max(0.0, min(entry.at_ms, float(page_ms) + zero))

    def spans_of(self, exchanges: Iterable[Exchange]) -> dict[str, tuple[float, float | None]]:
        """Return start and end by request id; no end for what never ended."""
        of_url: dict[str, list[Exchange]] = {}
        for exchange in exchanges:
            of_url.setdefault(exchange.url, []).append(exchange)
        spans: dict[str, tuple[float, float | None]] = {}
        for url, members in of_url.items():
            timed = self._timings.get(url, [])
            for number, exchange in enumerate(members):
                span: tuple[float, float | None] = (exchange.started_at_ms, exchange.ended_at_ms)
                if len(timed) == len(members) and exchange.ended_at_ms is not None:
                    started_ms, ended_ms = timed[number]
                    if started_ms <= exchange.started_at_ms + 5:
                        span = (max(0.0, started_ms), ended_ms if ended_ms > started_ms else exchange.ended_at_ms)
                spans[exchange.request.request_id] = span
        return spans


def _zeros(entries: tuple[Entry, ...], started_at: str) -> dict[str, float]:
    """The zero of each document's clock: by the two wall clocks where they agree with the reports, else by the quickest report."""
    quickest: dict[str, float] = {}
    for entry in entries:
        document, page_ms = getattr(entry.event, "document", None), getattr(entry.event, "page_ms", None)
        if document is not None and page_ms is not None:
            quickest[document] = min(quickest.get(document, float("inf")), entry.at_ms - page_ms)
    try:
        began_ms = datetime.fromisoformat(started_at).timestamp() * 1000
    except ValueError:
        return quickest
    for entry in entries:
        if isinstance(entry.event, DocumentStarted):
            wall = entry.event.time_origin_ms - began_ms
            if 0 <= quickest[entry.event.document] - wall <= LONGEST_DELAY_MS:
                quickest[entry.event.document] = wall
    return quickest


def _timings(entries: tuple[Entry, ...], zeros: dict[str, float]) -> dict[str, list[tuple[float, float]]]:
    """Start and end of each resource, by URL, in order. A navigation is reported again when it is complete."""
    latest: dict[tuple[str, str, float], tuple[float, float]] = {}
    for entry in entries:
        event = entry.event
        if isinstance(event, ResourceTimed) and event.document in zeros:
            zero = zeros[event.document]
            latest[event.url, event.document, event.started_page_ms] = (
                event.started_page_ms + zero,
                event.response_ended_page_ms + zero,
            )
    timings: dict[str, list[tuple[float, float]]] = {}
    for (url, _document, _start), span in sorted(latest.items(), key=lambda item: item[1]):
        timings.setdefault(url, []).append(span)
    return timings

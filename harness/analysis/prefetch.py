"""Whether the client secret was there before the widget: an order between two facts of the page's own clock.

In: entries. Out: one outcome and what it rests on. The exchange that carried the secret is found from the other end too:
the frame reports a digest of the string it was handed, and the body, document or URL in which that string stood is the one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from harness.analysis.exchanges import Exchange, exchanges_of
from harness.model.events import ElementConnected, FrameMessage, ResourceTimed
from harness.model.timeline import Entry


class Prefetch(StrEnum):
    """How the secret got to the widget."""

    PREFETCHED = "pre-fetched"
    ON_DEMAND = "on demand"
    LATE = "late"  # asked for before the element was connected, arrived after it
    NEVER = "never"
    TWICE = "fetched twice"
    NOT_USED = "pre-fetched but not used"
    UNSEEN = "used, but never seen on the network"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefetchReport:
    """The outcome with its two times, in `performance.now()` of the page; -1 when there is none."""

    outcome: Prefetch
    connected_page_ms: float
    response_ended_page_ms: float
    url: str
    evidence: tuple[int, ...]


def prefetch_of(entries: Iterable[Entry]) -> PrefetchReport:
    """Return how the secret of the first embed was fetched."""
    entries = tuple(entries)
    connected = next((e for e in entries if isinstance(e.event, ElementConnected)), None)
    carriers = [
        x for x in exchanges_of(entries) if x.body is not None and x.body.secret_key and not x.path.startswith("/v1/")
    ]
    used = _used_digests(entries)
    if not carriers:
        document = _elsewhere(entries, used)
        if document is None:
            outcome = Prefetch.UNSEEN if used else Prefetch.NEVER
            return _report(outcome, connected, -1, "", ())
        return _report(Prefetch.PREFETCHED, connected, 0, document.url, (document.seq,))
    first = carriers[0]
    ended_ms, started_ms = _page_times(entries, first, connected)
    evidence = (first.seq, *((connected.seq,) if connected else ()))
    before = _timing(first, connected, started_ms, ended_ms)
    sessions = list(dict.fromkeys(x.body.secret_digest for x in carriers if x.body))
    if len(sessions) > 1:
        thrown_away = before is not Prefetch.ON_DEMAND and bool(used) and sessions[0] not in used
        before = Prefetch.NOT_USED if thrown_away else Prefetch.TWICE
    return _report(before, connected, ended_ms, first.url, evidence)


def _report(
    outcome: Prefetch, connected: Entry | None, ended_ms: float, url: str, evidence: tuple[int, ...]
) -> PrefetchReport:
    return PrefetchReport(
        outcome=outcome,
        connected_page_ms=connected.event.page_ms
        if connected and isinstance(connected.event, ElementConnected)
        else -1,
        response_ended_page_ms=ended_ms,
        url=url,
        evidence=evidence,
    )


def _timing(carrier: Exchange, connected: Entry | None, started_ms: float, ended_ms: float) -> Prefetch:
    if connected is None:
        return Prefetch.PREFETCHED
    assert isinstance(connected.event, ElementConnected)
    if ended_ms < 0:  # the page's clock says nothing about it: the harness's has to do
        ended_ms, started_ms = carrier.ended_at_ms or carrier.started_at_ms, carrier.started_at_ms
        moment = connected.at_ms
    else:
        moment = connected.event.page_ms
    if ended_ms <= moment:
        return Prefetch.PREFETCHED
    return Prefetch.LATE if started_ms < moment else Prefetch.ON_DEMAND


def _used_digests(entries: tuple[Entry, ...]) -> tuple[str, ...]:
    """Digests of the strings the frame was handed as secrets, in order."""
    asked = {
        e.event.nonce for e in entries if isinstance(e.event, FrameMessage) and e.event.name == "onGetClientSecret"
    }
    return tuple(
        e.event.value_digest
        for e in entries
        if isinstance(e.event, FrameMessage)
        and e.event.direction == "to_frame"
        and e.event.nonce in asked
        and e.event.value_digest
    )


def _elsewhere(entries: tuple[Entry, ...], used: tuple[str, ...]) -> Exchange | None:
    """The exchange in whose body or URL the used secret stood under a name nobody knows."""
    wanted = set(used)
    for exchange in exchanges_of(entries):
        in_body = exchange.body is not None and wanted.intersection(exchange.body.string_digests)
        if in_body or (exchange.request.is_navigation and wanted.intersection(exchange.request.string_digests)):
            return exchange
    return None


def _page_times(entries: tuple[Entry, ...], carrier: Exchange, connected: Entry | None) -> tuple[float, float]:
    """When the carrier's response ended and its request started, on the clock of the element's document; (-1, -1) unknown."""
    if connected is None or not isinstance(connected.event, ElementConnected):
        return -1, -1
    earlier = sum(1 for x in exchanges_of(entries) if x.url == carrier.url and x.seq < carrier.seq)
    timings = sorted(
        (
            e.event
            for e in entries
            if isinstance(e.event, ResourceTimed)
            and e.event.document == connected.event.document
            and e.event.url == carrier.url
        ),
        key=lambda timing: timing.started_page_ms,
    )
    if earlier >= len(timings):
        return -1, -1
    return timings[earlier].response_ended_page_ms, timings[earlier].started_page_ms

"""Whether the client secret was pre-fetched: the order of two times on the page's own clock.

In: entries, and the embed. Out: one outcome and what it rests on. The exchange that carried the secret is found from both ends: by
the name the secret has in an answer, and by the digest of the string that the frame was handed, wherever that string stood.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from harness.analysis.facts.exchanges import Exchange, exchanges_of
from harness.analysis.facts.roles import has_secret, is_page_document
from harness.analysis.mount.state import EmbedId
from harness.model.events import ElementConnected, ElementDisconnected, FrameMessage, RequestStarted, ResourceTimed
from harness.model.timeline import Entry


class Prefetch(StrEnum):
    """How the secret was fetched."""

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
    is_in_url: bool = False  # the secret stood in the page's address, where logs and other sites can see it


@dataclass(frozen=True, slots=True, kw_only=True)
class _Story:
    """What the entries say about one embed and its secrets."""

    connected: Entry | None
    carriers: tuple[Exchange, ...]  # answers of this page that held a secret of this embed, renewals left aside
    renewals: tuple[Exchange, ...]  # the same, after the frame asked with a secret in its hand
    earlier: tuple[Exchange, ...]  # the same of pages before this one
    used: tuple[str, ...]  # digests of what the frame was handed, in order
    waiting: int  # other embeds of the page that were handed no secret yet: one of those seen may be theirs
    page_exchanges: tuple[Exchange, ...]
    timings: tuple[ResourceTimed, ...]


def prefetch_of(entries: Iterable[Entry], embed: EmbedId | None = None) -> PrefetchReport:
    """Return how the secret of an embed was fetched; of the first one when none is named."""
    story = _story_of(tuple(entries), embed)
    used = next((x for digest in story.used for x in _all(story) if digest in _digests(x)), None)
    wasted = [x for x in story.carriers if story.used and not _digests(x).intersection(story.used)]
    if used is None and story.used:
        return _report(story, Prefetch.NOT_USED if wasted else Prefetch.UNSEEN, wasted[0] if wasted else None)
    carrier = used or next(iter(story.carriers), None)
    if carrier is None:
        return _report(story, Prefetch.NEVER, None)
    outcome = _timing(story, carrier)
    sessions = {x.body.secret_digest for x in (wasted if story.used else story.carriers[1:]) if x.body is not None}
    if len(sessions - {carrier.body.secret_digest if carrier.body else ""}) <= story.waiting:
        return _report(story, outcome, carrier)
    if wasted and outcome is Prefetch.ON_DEMAND and _timing(story, wasted[0]) is not Prefetch.ON_DEMAND:
        return _report(story, Prefetch.NOT_USED, wasted[0])
    return _report(story, Prefetch.TWICE, carrier)


def _story_of(entries: tuple[Entry, ...], embed: EmbedId | None) -> _Story:
    connected = next(
        (
            entry
            for entry in entries
            if isinstance(entry.event, ElementConnected) and embed in (None, (entry.event.document, entry.event.embed))
        ),
        None,
    )
    page_seq, end_seq = _page_of(entries, connected)
    of_page = [entry for entry in entries if page_seq <= entry.seq < end_seq]
    asked = [e for e in of_page if isinstance(e.event, FrameMessage) and e.event.name == "onGetClientSecret"]
    ours = {e.event.nonce for e in asked if isinstance(e.event, FrameMessage) and _is_by(e.event, connected)}
    theirs = {e.event.nonce for e in asked if isinstance(e.event, FrameMessage)} - ours
    renewed_seq = min((e.seq for e in asked if _is_renewal(e.event, ours)), default=end_seq)
    used, foreign = _handed(of_page, ours), _handed(of_page, theirs)
    known = [x for x in exchanges_of(entries) if has_secret(x) or _digests(x).intersection(used)]
    mine = [x for x in known if not _digests(x).intersection(set(foreign) - set(used))]
    return _Story(
        connected=connected,
        carriers=tuple(x for x in mine if page_seq <= x.seq < renewed_seq),
        renewals=tuple(x for x in mine if renewed_seq <= x.seq < end_seq),
        earlier=tuple(x for x in mine if x.seq < page_seq),
        used=used,
        waiting=_waiting(of_page, connected, theirs),
        page_exchanges=exchanges_of(of_page),
        timings=tuple(e.event for e in of_page if isinstance(e.event, ResourceTimed)),
    )


def _waiting(of_page: list[Entry], connected: Entry | None, answerable: set[str]) -> int:
    """How many other embeds stand in the page and were not handed a secret yet."""
    there: set[EmbedId] = set()
    answered = {
        e.event.nonce for e in of_page if isinstance(e.event, FrameMessage) and e.event.value_digest
    } & answerable
    for entry in of_page:
        match entry.event:
            case ElementConnected(document=document, embed=embed) if entry is not connected:
                there.add((document, embed))
            case ElementDisconnected(document=document, embed=embed):
                there.discard((document, embed))
            case FrameMessage(document=document, embed=embed, nonce=nonce) if nonce in answered:
                there.discard((document, embed))
            case _:
                pass
    return len(there)


def _page_of(entries: tuple[Entry, ...], connected: Entry | None) -> tuple[int, float]:
    """The lines of the page that the element stands in, or of the last page: the first one, and the first that is none."""
    starts = [
        entry.seq
        for entry in entries
        if isinstance(entry.event, RequestStarted) and entry.event.is_navigation and entry.event.is_top_frame
    ]
    if connected is None:
        return (starts[-1] if starts else 0), float("inf")
    before = [seq for seq in starts if seq < connected.seq]
    after = [seq for seq in starts if seq > connected.seq]
    return (before[-1] if before else 0), (after[0] if after else float("inf"))


def _is_by(message: FrameMessage, connected: Entry | None) -> bool:
    """Whether the frame that asks is the element's; 0 is one that nobody could tell."""
    if connected is None or not isinstance(connected.event, ElementConnected):
        return True
    is_told = message.embed == 0 or message.embed == connected.event.embed
    return is_told and message.document == connected.event.document


def _is_renewal(event: object, ours: set[str]) -> bool:
    return isinstance(event, FrameMessage) and event.has_current and event.nonce in ours


def _handed(entries: Iterable[Entry], nonces: set[str]) -> tuple[str, ...]:
    """Digests of the strings that were answered to these questions, in order."""
    return tuple(
        e.event.value_digest
        for e in entries
        if isinstance(e.event, FrameMessage)
        and e.event.direction == "to_frame"
        and e.event.nonce in nonces
        and e.event.value_digest
    )


def _all(story: _Story) -> tuple[Exchange, ...]:
    return (*story.carriers, *story.earlier, *story.renewals)


def _digests(exchange: Exchange) -> frozenset[str]:
    """Digests of the strings that came with an exchange: in its answer, or in the address of the page."""
    answered = (exchange.body.secret_digest, *exchange.body.string_digests) if exchange.body else ()
    asked = exchange.request.string_digests if is_page_document(exchange) else ()
    return frozenset(digest for digest in (*answered, *asked) if digest)


def _timing(story: _Story, carrier: Exchange) -> Prefetch:
    connected = story.connected
    if connected is None or is_page_document(carrier) or carrier in story.earlier:
        return Prefetch.PREFETCHED
    assert isinstance(connected.event, ElementConnected)
    started_ms, ended_ms = _page_times(story, carrier)
    moment = connected.event.page_ms
    if ended_ms < 0:  # the page's clock says nothing about it: the harness's has to do
        started_ms, ended_ms = carrier.started_at_ms, _ended_at_ms(carrier)
        moment = connected.at_ms
    if ended_ms <= moment:
        return Prefetch.PREFETCHED
    return Prefetch.LATE if started_ms < moment else Prefetch.ON_DEMAND


def _ended_at_ms(exchange: Exchange) -> float:
    return exchange.ended_at_ms if exchange.ended_at_ms is not None else exchange.started_at_ms


def _page_times(story: _Story, carrier: Exchange) -> tuple[float, float]:
    """When the carrier's request started and its response ended, on the clock of the element's document; (-1, -1) unknown."""
    if story.connected is None or not isinstance(story.connected.event, ElementConnected):
        return -1, -1
    document = story.connected.event.document
    earlier = sum(1 for x in story.page_exchanges if x.url == carrier.url and x.seq < carrier.seq)
    timings = sorted(
        (timing for timing in story.timings if timing.document == document and timing.url == carrier.url),
        key=lambda timing: timing.started_page_ms,
    )
    if earlier >= len(timings) or timings[earlier].response_ended_page_ms <= 0:
        return -1, -1
    return timings[earlier].started_page_ms, timings[earlier].response_ended_page_ms


def _report(story: _Story, outcome: Prefetch, carrier: Exchange | None) -> PrefetchReport:
    connected = story.connected
    is_rendered_in = carrier is not None and is_page_document(carrier)
    ended_ms = -1.0
    if carrier is not None and carrier not in story.earlier:
        ended_ms = 0.0 if is_rendered_in else _page_times(story, carrier)[1]
    in_url = set(carrier.request.string_digests) if carrier is not None and is_rendered_in else set()
    return PrefetchReport(
        outcome=outcome,
        connected_page_ms=connected.event.page_ms
        if connected is not None and isinstance(connected.event, ElementConnected)
        else -1,
        response_ended_page_ms=ended_ms,
        url=carrier.url if carrier else "",
        evidence=tuple(found.seq for found in (carrier, connected) if found is not None),
        is_in_url=bool(in_url.intersection(story.used)),
    )

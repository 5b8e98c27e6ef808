"""The drawing of one visit in the report: lanes, bars, network, console, milestones, the order of secret and element.

In: a `VisitResult` and its entries. Out: one `VisitView`, bounded, of plain values for JSON. Omitted items are counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.analysis.facts.exchanges import Exchange, exchanges_of
from harness.analysis.facts.roles import (
    has_secret,
    is_conversation,
    is_frame_document,
    is_loader,
    is_page_document,
    is_session_request,
    is_verification,
)
from harness.model.events import (
    BodyRead,
    CaughtUp,
    ConsoleMessage,
    ElementConnected,
    PageErrorRaised,
    RequestFinished,
    ResourceTimed,
    ResponseReceived,
)
from harness.model.file_names import CONSOLE_NAME, HAR_NAME, TIMELINE_NAME
from harness.model.results import VisitResult
from harness.model.timeline import Entry
from harness.report.page_clock import PageClock
from harness.report.sentences import FRAME, LANES, NETWORK, PAGE, SCRIPT, SECRET, sentence_of

MOST_LINES = 400
MOST_REQUESTS = 200
MOST_CONSOLE = 200
LONGEST_TEXT = 400
LONGEST_CONSOLE = 1_200
# Told by the request's own line, or about the harness only; in the list where something is proven with them.
LEFT_UNSAID = (ResponseReceived, RequestFinished, BodyRead, ResourceTimed, CaughtUp)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One entry in words."""

    seq: int
    ms: float  # on the axis; -1: beyond it
    lane: int
    text: str
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One exchange: a row of the network table, and a bar in its lane."""

    seq: int
    lane: int
    role: str  # "page", "loader", "session", "frame", "domain check", "backend", "" for any other
    method: str
    url: str
    type: str
    status: int
    said: str  # the failure, or what an error answer says
    state: str  # "ok" | "bad" | "aborted" | "open"
    from_ms: float
    to_ms: float  # -1: it never ended
    size_bytes: int  # -1: unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleLine:
    """One message of the console."""

    seq: int
    ms: float
    level: str
    text: str
    place: str
    is_allowed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One milestone, reached or not."""

    name: str
    ms: float
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefetchView:
    """The order that pre-fetch is about, on the page's own clock."""

    outcome: str
    secret_ms: float  # on the axis; -1: unknown
    element_ms: float
    lead_ms: float  # how long before the element the secret was there; 0 when unknown
    is_known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitView:
    """One visit, as the report draws it."""

    from_ms: float
    to_ms: float
    decided_ms: float
    lanes: tuple[str, ...]
    lines: tuple[Line, ...]
    requests: tuple[Request, ...]
    console: tuple[ConsoleLine, ...]
    steps: tuple[Step, ...]
    prefetch: PrefetchView
    left_out: tuple[str, ...]  # sentences


def view_of(result: VisitResult, entries: Iterable[Entry]) -> VisitView:
    """Return what is drawn of a visit."""
    entries = tuple(entries)
    clock = PageClock(entries, started_at=result.started_at)
    exchanges = exchanges_of(entries)
    cited = _cited(result)
    to_ms = _end_ms(result, entries)
    requests, more_requests = _requests(exchanges, clock, cited)
    lines, more_lines = _lines(entries, clock, cited, {x.seq: x for x in exchanges}, to_ms)
    console, more_console = _console(entries, result, clock)
    left_out = [
        f"{number} more {what}; all of them are in {file}"
        for number, what, file in (
            (more_lines, "lines", TIMELINE_NAME),
            (more_requests, "requests", HAR_NAME),
            (more_console, "console lines", CONSOLE_NAME),
        )
        if number
    ]
    return VisitView(
        from_ms=0.0,
        to_ms=to_ms,
        decided_ms=round(result.decided_at_ms, 1),
        lanes=LANES,
        lines=lines,
        requests=requests,
        console=console,
        steps=_steps(result, entries, clock),
        prefetch=_prefetch(result, entries, clock),
        left_out=tuple(left_out),
    )


def _cited(result: VisitResult) -> frozenset[int]:
    """The lines that something is proven with."""
    of_findings = (seq for finding in result.findings for seq in finding.evidence)
    return frozenset((*result.evidence, *of_findings, *(m.seq for m in result.milestones)))


def _end_ms(result: VisitResult, entries: tuple[Entry, ...]) -> float:
    """Where the axis ends: a little after the verdict, or with the last entry when there is none."""
    last_ms = entries[-1].at_ms if entries else 0.0
    if result.decided_at_ms < 0:
        return round(max(last_ms, 1.0), 1)
    reached = max((m.at_ms for m in result.milestones), default=0.0)
    return round(max(result.decided_at_ms, reached, 1.0) * 1.03, 1)


# --- lines --------------------------------------------------------------------------------------------------------


def _lines(
    entries: tuple[Entry, ...],
    clock: PageClock,
    cited: frozenset[int],
    exchanges: dict[int, Exchange],
    to_ms: float,
) -> tuple[tuple[Line, ...], int]:
    told = [entry for entry in entries if entry.seq in cited or not isinstance(entry.event, LEFT_UNSAID)]
    room = MOST_LINES - sum(entry.seq in cited for entry in told)
    lines: list[Line] = []
    for entry in told:
        room -= entry.seq not in cited
        if entry.seq in cited or room >= 0:
            lines.append(_line(entry, clock, exchanges.get(entry.seq), to_ms))
    lines.sort(key=lambda line: line.seq)
    return tuple(lines), len(told) - len(lines)


def _line(entry: Entry, clock: PageClock, exchange: Exchange | None, to_ms: float) -> Line:
    sentence = sentence_of(entry.event)
    text, lane = sentence.text, sentence.lane
    if exchange is not None:
        text += f" → {_outcome(exchange)}"
        lane = _lane_and_role(exchange)[0]
    at_ms = clock.at_ms(entry)
    return Line(
        seq=entry.seq,
        ms=round(at_ms, 1) if at_ms <= to_ms else -1,
        lane=LANES.index(lane),
        text=_cut(text, LONGEST_TEXT),
        weight=sentence.weight,
    )


def _outcome(exchange: Exchange) -> str:
    if exchange.failure:
        return exchange.failure
    return str(exchange.status) if exchange.response else "not answered"


def _cut(text: str, limit: int) -> str:
    text = text if len(text) <= limit else f"{text[: limit - 1]}…"
    return text.replace("\x00", "�")


# --- network ------------------------------------------------------------------------------------------------------


def _requests(
    exchanges: tuple[Exchange, ...], clock: PageClock, cited: frozenset[int]
) -> tuple[tuple[Request, ...], int]:
    spans = clock.spans_of(exchanges)
    first = [x for x in exchanges if x.seq in cited or _lane_and_role(x)[1] or x.failure or x.status >= 400]
    vital = {x.seq for x in first[:MOST_REQUESTS]}
    others = [x.seq for x in exchanges if x.seq not in vital]
    kept = vital.union(others[: MOST_REQUESTS - len(vital)])
    rows = tuple(_request(x, spans[x.request.request_id]) for x in exchanges if x.seq in kept)
    return rows, len(exchanges) - len(rows)


def _request(exchange: Exchange, span: tuple[float, float | None]) -> Request:
    lane, role = _lane_and_role(exchange)
    body = exchange.body
    return Request(
        seq=exchange.seq,
        lane=LANES.index(lane),
        role=role,
        method=exchange.request.method,
        url=_cut(exchange.url, LONGEST_TEXT),
        type=exchange.request.resource_type,
        status=exchange.status,
        said=_cut(exchange.failure or (body.error_text if body else ""), LONGEST_TEXT),
        state=_state(exchange),
        from_ms=round(span[0], 1),
        to_ms=round(span[1], 1) if span[1] is not None else -1,
        size_bytes=body.body.size_bytes if body and body.body else _declared_bytes(exchange),
    )


def _declared_bytes(exchange: Exchange) -> int:
    headers = exchange.response.headers if exchange.response else ()
    value = next((value for name, value in headers if name.lower() == "content-length"), "")
    return int(value) if value.isdecimal() and len(value) < 16 else -1


def _state(exchange: Exchange) -> str:
    if exchange.is_aborted:
        return "aborted"
    if exchange.failure or exchange.status >= 400:
        return "bad"
    return "open" if exchange.ended_at_ms is None else "ok"


def _lane_and_role(exchange: Exchange) -> tuple[str, str]:
    if is_page_document(exchange):
        return PAGE, "page"
    if is_loader(exchange.url):
        return SCRIPT, "loader"
    if has_secret(exchange) or is_session_request(exchange):
        return SECRET, "session"
    if is_frame_document(exchange):
        return FRAME, "frame"
    if is_verification(exchange):
        return NETWORK, "domain check"
    return NETWORK, "backend" if is_conversation(exchange) else ""


# --- console ------------------------------------------------------------------------------------------------------


def _console(entries: tuple[Entry, ...], result: VisitResult, clock: PageClock) -> tuple[tuple[ConsoleLine, ...], int]:
    allowed = {problem.seq for problem in result.console if problem.is_allowed}
    lines: list[ConsoleLine] = []
    left_out = 0
    for entry in entries:
        match entry.event:
            case ConsoleMessage(level=level, text=text, url=url, line=number):
                place = f"{url}:{number}" if url else ""
            case PageErrorRaised(name=name, message=message, stack=stack):
                level, text, place = "uncaught", stack or f"{name}: {message}", ""
            case _:
                continue
        if len(lines) >= MOST_CONSOLE:
            left_out += 1
            continue
        lines.append(
            ConsoleLine(
                seq=entry.seq,
                ms=round(clock.at_ms(entry), 1),
                level=level,
                text=_cut(text, LONGEST_CONSOLE),
                place=_cut(place, LONGEST_TEXT),
                is_allowed=entry.seq in allowed,
            )
        )
    return tuple(lines), left_out


# --- milestones and pre-fetch -------------------------------------------------------------------------------------


def _steps(result: VisitResult, entries: tuple[Entry, ...], clock: PageClock) -> tuple[Step, ...]:
    of_seq = {entry.seq: entry for entry in entries}
    steps = [
        Step(name=m.name, ms=round(clock.at_ms(of_seq[m.seq]), 1) if m.seq in of_seq else m.at_ms, seq=m.seq)
        for m in result.milestones
    ]
    return (*steps, Step(name=result.next_milestone, ms=-1, seq=0)) if result.next_milestone else tuple(steps)


def _prefetch(result: VisitResult, entries: tuple[Entry, ...], clock: PageClock) -> PrefetchView:
    is_known = result.secret_ended_page_ms >= 0 and result.connected_page_ms >= 0
    connected = next(
        (
            entry
            for entry in entries
            if isinstance(entry.event, ElementConnected) and entry.event.page_ms == result.connected_page_ms
        ),
        None,
    )
    element_ms = clock.at_ms(connected) if connected is not None else -1.0
    lead_ms = result.connected_page_ms - result.secret_ended_page_ms if is_known else 0.0
    secret_ms = element_ms - lead_ms if is_known and element_ms >= 0 else -1.0
    return PrefetchView(
        outcome=result.prefetch,
        secret_ms=round(secret_ms, 1),
        element_ms=round(element_ms, 1),
        lead_ms=round(lead_ms, 1),
        is_known=is_known,
    )

"""Two visits side by side: a failed one, and the last good one of the same test.

In: results and exchanges. Out: a `SideBySide` of rows; what differs is marked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from harness.analysis.facts.exchanges import Exchange
from harness.analysis.facts.roles import is_loader
from harness.analysis.facts.stable_wording import place_of
from harness.model.results import VisitResult

MOST_REQUESTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the comparison."""

    name: str
    here: str
    green: str
    is_different: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SideBySide:
    """A visit beside a good one."""

    bundle: str  # of the good one, relative to the output folder
    when: str
    rows: tuple[Row, ...]
    more: int = 0  # requests that differ, and are left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two visits."""

    result: VisitResult
    exchanges: tuple[Exchange, ...]


def compare(here: Side, green: Side, *, bundle: str) -> SideBySide:
    """Return the rows that say what is different now."""
    requests = tuple(_requests(here.exchanges, green.exchanges))
    return SideBySide(
        bundle=bundle,
        when=green.result.started_at,
        rows=(*_facts(here, green), *_milestones(here.result, green.result), *requests[:MOST_REQUESTS]),
        more=max(len(requests) - MOST_REQUESTS, 0),
    )


def _facts(here: Side, green: Side) -> Iterable[Row]:
    told: tuple[tuple[str, Callable[[Side], str]], ...] = (
        ("verdict", lambda side: side.result.outcome),
        ("client secret", lambda side: side.result.prefetch),
        ("mode", lambda side: side.result.mode),
        ("domain check", lambda side: side.result.verification),
        ("backend", lambda side: side.result.backend),
        ("console errors", lambda side: str(sum(not problem.is_allowed for problem in side.result.console))),
        ("browser", lambda side: side.result.browser),
        ("SDK loader", _sdk),
    )
    for name, of in told:
        yield _row(name, of(here), of(green))


def _row(name: str, here: str, green: str) -> Row:
    return Row(name=name, here=here, green=green, is_different=here != green)


def _sdk(side: Side) -> str:
    """The loader by what the server says of it: the body's hash where it was read, else ETag, date or size."""
    for exchange in side.exchanges:
        if not is_loader(exchange.url) or exchange.response is None:
            continue
        headers = {name.lower(): value for name, value in exchange.response.headers}
        for name in ("etag", "last-modified", "content-length"):
            if name in headers:
                return f"{name} {headers[name]}"
        return f"answered {exchange.status}"
    return "none"


def _milestones(here: VisitResult, green: VisitResult) -> Iterable[Row]:
    ours = {m.name: m.at_ms for m in here.milestones}
    theirs = {m.name: m.at_ms for m in green.milestones}
    for name in dict.fromkeys((*theirs, *ours)):
        yield Row(
            name=name,
            here=f"{ours[name]:.0f} ms" if name in ours else "not reached",
            green=f"{theirs[name]:.0f} ms" if name in theirs else "not reached",
            is_different=(name in ours) != (name in theirs),
        )


def _requests(here: tuple[Exchange, ...], green: tuple[Exchange, ...]) -> Iterable[Row]:
    """The requests that only one of the two made, or that were answered in another way."""
    ours, theirs = _answers(here), _answers(green)
    for key in dict.fromkeys((*ours, *theirs)):
        if ours.get(key) != theirs.get(key):
            yield Row(name=key, here=ours.get(key, "not made"), green=theirs.get(key, "not made"), is_different=True)


def _answers(exchanges: tuple[Exchange, ...]) -> dict[str, str]:
    answers: dict[str, str] = {}
    for exchange in exchanges:
        if exchange.is_relevant:
            key = f"{exchange.request.method} {place_of(exchange.url)}"
            answers[key] = exchange.failure or (str(exchange.status) if exchange.response else "not answered")
    return answers

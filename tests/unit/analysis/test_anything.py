"""Whatever a recorded timeline has been through, it has a result: cut, shuffled, doubled, with a clock that jumps."""

from __future__ import annotations

from dataclasses import replace

from builders import ONE_OF_EACH, TRANSCRIPTS, entries, renumbered, visit_started
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.exchanges import exchanges_of
from harness.analysis.har import har_of
from harness.analysis.result import result_of
from harness.analysis.verdict import Limits, judge
from harness.model.timeline import Entry, decode, encode, header_line, read_timeline
from harness.report.context import render_console, render_error_context, render_failure

STARTED_AT = "2026-11-24T08:00:00.000+00:00"
VISIT = entries(visit_started())
NAMES = st.sampled_from(sorted(TRANSCRIPTS))
MOMENTS = st.one_of(st.none(), st.floats(-1e9, 1e12))


def reported(lines: tuple[Entry, ...], now_ms: float | None = 1e9) -> None:
    """Fail unless everything that is made from a timeline can be made from these lines."""
    judgement = judge(lines, Limits(), now_ms=now_ms)
    result = result_of(lines, limits=Limits(), started_at=STARTED_AT, judgement=judgement)
    assert result.outcome in ("mounted", "failed", "timeout", "undecided")
    assert result.is_mounted == (result.reason == "none")
    failure = render_failure(result, bundle="test-results/x", expected="expected the widget to be mounted")
    assert len(failure.splitlines()) <= 12
    for text in (failure, render_error_context(result, bundle="test-results/x", files=["a"]), render_console(lines)):
        assert text
    har_of(
        exchanges_of(lines),
        text_of=lambda body: body.sha256,
        started_at=STARTED_AT,
        page_title=result.url,
        browser=result.browser,
        version="0",
    )


def visit(name: str) -> tuple[Entry, ...]:
    """Return a recorded transcript, begun as every visit is."""
    return renumbered((*VISIT, *entries(TRANSCRIPTS[name])))


@given(NAMES, st.integers(1, 80), st.integers(0, 80), MOMENTS)
def test_any_part_of_a_timeline_has_a_result(name: str, length: int, gap: int, now_ms: float | None) -> None:
    """A killed run, and one whose beginning was lost."""
    lines = visit(name)
    reported(lines[:length], now_ms)
    reported(renumbered((*VISIT, *lines[gap:])), now_ms)


@given(NAMES, st.randoms(use_true_random=False))
def test_lines_in_any_order_have_a_result(name: str, rng: object) -> None:
    """The network, the page and the servers report on their own; an order that cannot be is no crash."""
    lines = list(visit(name)[1:])
    rng.shuffle(lines)  # type: ignore[attr-defined]  # Hypothesis makes a random.Random
    reported(renumbered((*VISIT, *lines)))
    reported((*VISIT, *lines))


@given(NAMES, st.lists(st.integers(0, 80), max_size=20))
def test_lines_that_stand_twice_have_a_result(name: str, again: list[int]) -> None:
    """Two observers may see the same."""
    lines = visit(name)
    doubled = [line for n, line in enumerate(lines) for _ in range(1 + again.count(n))]
    reported(renumbered(doubled))


@given(NAMES, st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=80))
def test_times_that_jump_have_a_result(name: str, jumps: list[float]) -> None:
    """A clock that is set, and a machine that sleeps."""
    lines = visit(name)
    jumped = tuple(replace(line, at_ms=line.at_ms + jumps[n % len(jumps)]) for n, line in enumerate(lines))
    reported(jumped)
    reported(jumped, None)


@given(st.lists(st.sampled_from(ONE_OF_EACH), max_size=40), MOMENTS)
def test_any_events_have_a_result(chosen: list[object], now_ms: float | None) -> None:
    """Also such as never come together."""
    reported(renumbered((*VISIT, *entries(chosen))), now_ms)  # type: ignore[arg-type]  # a list of events


@given(st.data())
def test_events_of_several_visits_have_a_result(data: st.DataObject) -> None:
    """Two transcripts in one another, as two widgets, two pages, or a mistake would make them."""
    names = data.draw(st.tuples(NAMES, NAMES))
    both = [line for name in names for line in visit(name)[1:]]
    chosen = data.draw(st.lists(st.sampled_from(both), max_size=100))
    reported(renumbered((*VISIT, *chosen)))


@given(NAMES, st.integers(0, 20_000))
def test_a_saved_timeline_may_be_cut_anywhere(name: str, length: int) -> None:
    """Whatever was written before a process was killed is read, and judged as it was judged then."""
    lines = visit(name)
    text = "\n".join((header_line(started_at=STARTED_AT), *map(encode, lines)))
    first_line = text.index("\n") + len(encode(lines[0])) + 1
    read = read_timeline(text[: first_line + length].splitlines())
    assert read == lines[: len(read)]
    assert judge(read, Limits()) == judge(lines[: len(read)], Limits())
    assert decode(encode(lines[0])) == lines[0]
    reported(read)

"""Whatever a recorded timeline has been through, it has a result: cut, shuffled, doubled, with a clock that jumps."""

from __future__ import annotations

import json
import types
import typing
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from builders import (
    CONVERSATION,
    CUSTOM,
    DOCUMENT,
    FRAME,
    LOADER,
    ONE_OF_EACH,
    ORIGIN,
    PAGE,
    SESSION,
    TRANSCRIPTS,
    VERIFY_HOSTED,
    entries,
    renumbered,
    visit_started,
)
from hypothesis import given
from hypothesis import strategies as st
from rule_cases import FIRES

from harness.analysis.facts.exchanges import exchanges_of
from harness.analysis.har import har_of
from harness.analysis.mount.verdict import judge
from harness.analysis.result import result_of
from harness.errors import RecordingError
from harness.model import events
from harness.model.limits import Limits
from harness.model.timeline import EVENT_TYPES, FORMAT, Entry, decode, encode, header_line, read_timeline
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
    known = {line.seq for line in lines}
    assert all(finding.evidence and known.issuperset(finding.evidence) for finding in result.findings)
    assert "rule-crashed" not in [finding.rule for finding in result.findings]
    failure = render_failure(result, bundle="test-results/x", expected="expected the widget to be mounted")
    assert len(failure.splitlines()) <= 12
    for text in (failure, render_error_context(result, bundle="test-results/x", files=["a"]), render_console(lines)):
        assert text
    har_of(
        exchanges_of(lines),
        content_of=lambda body: body.sha256,
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


# --- events of any content ----------------------------------------------------------------------------------------

# What rules look for: addresses, words of browsers and of ChatKit, names of events, and nonsense.
WORDS = st.sampled_from(
    ["", "x", "\u2028", "null", DOCUMENT, ORIGIN, PAGE, LOADER, FRAME, SESSION, CONVERSATION, VERIFY_HOSTED, CUSTOM, "/login", "http://[",
     "GET", "POST", "document", "script", "fetch", "text/html", "text/event-stream", "error", "warning", "to_host", "to_frame", "event",
     "command", "response", "log", "unmount", "onGetClientSecret", "app.init", "composer.ready", "chatkit.error", "chatkit.ready",
     "div.ck-wrapper", "style", "empty", "digest-a", "string", "other", "v00", "csp", "net::ERR_FAILED", "net::ERR_BLOCKED_BY_RESPONSE",
     "net::ERR_ABORTED", "script-src-elem", "frame-src", "connect-src", "inline", "getClientSecret", "url", "placeholder", "file://x",
     "ChatKit.create(): Invalid input → at api", "Invalid client secret format", "Missing OPENAI_API_KEY", "Domain verification failed for",
     "display:none on div", "Access to fetch has been blocked by CORS policy", "setOptions is not a function", "Loading chat"]
)  # fmt: skip
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: WORDS,
    int: st.integers(-1, 600),
    float: st.floats(-1e9, 1e12),
    bool: st.booleans(),
}


def _value(hint: Any) -> st.SearchStrategy[Any]:
    """Return any value of a field's type."""
    if isinstance(hint, types.UnionType):
        return st.one_of(*map(_value, typing.get_args(hint)))
    if hint is types.NoneType:
        return st.none()
    if typing.get_origin(hint) is tuple:
        inner = typing.get_args(hint)
        is_list = inner[-1] is ...
        return st.lists(_value(inner[0]), max_size=3).map(tuple) if is_list else st.tuples(*map(_value, inner))
    return PLAIN[hint] if hint in PLAIN else _event(hint)


def _event(kind: type[Any]) -> st.SearchStrategy[Any]:
    return st.builds(kind, **{name: _value(hint) for name, hint in typing.get_type_hints(kind, vars(events)).items()})


ANY_EVENT = st.one_of(*map(_event, EVENT_TYPES.values()))


@given(st.lists(ANY_EVENT, max_size=30), st.sampled_from(sorted(FIRES)), st.integers(0, 60))
def test_events_of_any_content_have_a_result(chosen: list[Any], name: str, place: int) -> None:
    """Whatever pages, browsers and older versions may have written, alone and in the middle of a visit."""
    reported(renumbered((*VISIT, *entries(chosen))))
    steps = FIRES[name]
    reported(renumbered((*VISIT, *entries(steps[:place], chosen, steps[place:]))))


# --- files --------------------------------------------------------------------------------------------------------

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


def read_or_refused(rows: list[str]) -> tuple[Entry, ...]:
    """Return the entries of a file; none when it is refused with the one error that there is for it."""
    with suppress(RecordingError):
        return read_timeline(rows)
    return ()


@given(NAMES, st.data())
def test_a_file_with_any_line_changed_is_read_or_refused(name: str, data: st.DataObject) -> None:
    """One clear error, or a timeline that has a result."""
    rows = [json.loads(encode(line)) for line in visit(name)]
    row = data.draw(st.sampled_from(rows[1:]))
    row[data.draw(st.sampled_from([*row, "new"]))] = data.draw(ANY_JSON)
    lines = read_or_refused([header_line(started_at=STARTED_AT), *map(json.dumps, rows)])
    if lines:
        reported(renumbered(lines))


@given(st.lists(st.one_of(WORDS, ANY_JSON.map(json.dumps)), max_size=5), st.booleans())
def test_a_file_of_anything_is_read_or_refused(rows: list[str], has_header: bool) -> None:
    """Also one that is no timeline at all."""
    head = [header_line(started_at=STARTED_AT)] if has_header else []
    read_or_refused([*head, *rows])


@given(st.integers(FORMAT.version + 1, 10**9), NAMES)
def test_a_file_of_a_newer_format_is_refused(version: int, name: str) -> None:
    """With a sentence that says what to do, whatever else is in it."""
    head = json.dumps({**FORMAT.header, "version": version, "started_at": STARTED_AT})
    with pytest.raises(RecordingError, match=f"format {version} is newer than .* update chatkit-harness"):
        read_timeline([head, *map(encode, visit(name))])

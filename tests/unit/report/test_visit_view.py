"""What is drawn of a visit: every fact in its lane, in the page's own order, within bounds."""

from __future__ import annotations

import json

import pytest
from builders import (
    ONE_OF_EACH,
    SESSION,
    TRANSCRIPTS,
    Steps,
    console_message,
    document_started,
    element_connected,
    entries,
    exchange,
    hosted,
    on_demand,
    visit_started,
)

from harness.analysis.facts.exchanges import exchanges_of
from harness.analysis.mount.verdict import judge
from harness.analysis.result import result_of
from harness.model.events import Event
from harness.model.limits import Limits
from harness.report.islands import encoded_json
from harness.report.page_clock import PageClock
from harness.report.sentences import LANES, sentence_of
from harness.report.visit_view import MOST_CONSOLE, MOST_LINES, MOST_REQUESTS, VisitView, view_of

STARTED = "2026-11-24T08:00:00.000+00:00"


def view(steps: Steps) -> VisitView:
    """Return the view of a visit in which nothing happens after these steps."""
    lines = entries(visit_started(), *steps[1:])
    judgement = judge(lines, Limits(), now_ms=1e9)
    return view_of(result_of(lines, limits=Limits(), started_at=STARTED, judgement=judgement), lines)


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: type(event).__name__)
def test_every_kind_of_event_has_a_sentence_and_a_lane(event: Event) -> None:
    """Nothing in a timeline is without words."""
    sentence = sentence_of(event)
    assert sentence.lane in LANES
    assert sentence.text.strip() == sentence.text != ""


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_what_proves_a_finding_is_always_listed(name: str) -> None:
    """A link from a piece of evidence or a milestone never leads nowhere."""
    lines = entries(visit_started(), *TRANSCRIPTS[name][1:])
    judgement = judge(lines, Limits(), now_ms=1e9)
    result = result_of(lines, limits=Limits(), started_at=STARTED, judgement=judgement)
    listed = {line.seq for line in view_of(result, lines).lines}
    cited = {
        *result.evidence,
        *(seq for f in result.findings for seq in f.evidence),
        *(m.seq for m in result.milestones),
    }
    assert cited <= listed


def test_a_large_visit_is_bounded_and_says_so() -> None:
    """Lines, requests and console lines end at a bound; what is left out is counted, what proves something is kept."""
    noise: Steps = [
        step
        for n in range(900)
        for step in (console_message(f"noise {n}"), *exchange(f"x{n}", f"https://app.test/{n}"))
    ]
    seen = view([*hosted(), *noise])
    assert len(seen.lines) <= MOST_LINES
    assert len(seen.requests) == MOST_REQUESTS
    assert len(seen.console) == MOST_CONSOLE
    assert len(seen.left_out) == 3
    assert any(request.url == SESSION for request in seen.requests), "the session's request is never left out"


def test_the_order_of_secret_and_element_is_the_pages_own() -> None:
    """Pre-fetched: the secret is left of the element, by as much as the page's clock says; on demand it is right of it."""
    prefetch = view(hosted()).prefetch
    assert prefetch.is_known
    assert prefetch.lead_ms == 40
    assert prefetch.element_ms - prefetch.secret_ms == pytest.approx(40)
    assert view(on_demand()).prefetch.lead_ms < 0


def test_a_page_event_stands_where_it_happened_not_where_it_was_reported() -> None:
    """The document's wall clock gives its zero, as long as it agrees with the reports."""
    began_ms = 1_795_507_200_000  # the instant of STARTED
    lines = entries(
        document_started(page_ms=10, time_origin_ms=began_ms + 2), element_connected(page_ms=100), start_ms=500
    )
    assert PageClock(lines, started_at=STARTED).at_ms(lines[1]) == pytest.approx(102)
    wrong = entries(
        document_started(page_ms=10, time_origin_ms=began_ms + 9_000), element_connected(page_ms=100), start_ms=500
    )
    clock = PageClock(wrong, started_at=STARTED)
    assert clock.at_ms(wrong[0]) == pytest.approx(wrong[0].at_ms, abs=91), "another machine's clock is not believed"
    assert clock.at_ms(wrong[1]) <= wrong[1].at_ms


def test_requests_that_cannot_be_matched_keep_the_harness_times() -> None:
    """Two requests and one timing of the same address: nobody knows whose it is."""
    lines = entries(visit_started(), *exchange("a", SESSION), *exchange("b", SESSION))
    spans = PageClock(lines, started_at=STARTED).spans_of(exchanges_of(lines))
    assert spans["a"][0] < spans["b"][0]


@pytest.mark.parametrize("text", ["</script><script>x</script>", "<!--", "]]>", "\u2028\u2029", "\x00", '"\\', "&lt;"])
def test_json_in_the_page_cannot_end_its_element(text: str) -> None:
    """The block holds no character that means anything to HTML, and is still the same value."""
    encoded = encoded_json((text,), str)
    assert not set("<>&\u2028\u2029") & set(encoded)
    assert json.loads(encoded) == [text]

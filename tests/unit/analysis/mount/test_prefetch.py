"""Whether the secret was there before the widget: every outcome, both clocks, and wherever the secret stood."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import (
    PAGE,
    SESSION,
    TRANSCRIPTS,
    Step,
    Steps,
    answered,
    asked,
    command,
    conversation,
    custom,
    deadlock,
    document_loaded,
    element_connected,
    element_defined,
    element_disconnected,
    element_shown,
    entries,
    exchange,
    frame_arrived,
    hosted,
    hosted_boot,
    on_demand,
    page_opened,
    page_with_loader,
    pause,
    rejection,
    request_failed,
    request_started,
    resource_timed,
    response,
    secret_read,
    session_fetched,
    session_refused,
)

from harness.analysis.mount.prefetch import Prefetch, PrefetchReport, prefetch_of

OTHER = "https://app.test/api/bootstrap"
UNKNOWN: dict[str, Any] = {"string_digests": ("digest-x", "digest-a")}  # an answer that names its secret as nobody does


def report(*steps: Step | Steps, embed: tuple[str, int] | None = None) -> PrefetchReport:
    """Return what these steps say about the secret."""
    return prefetch_of(entries(*steps), embed)


def handed(digest: str = "digest-a", nonce: str = "n1", *, embed: int = 1, has_current: bool = False) -> Steps:
    """Return the frame's question and its answer."""
    return [command(nonce=nonce, embed=embed, has_current=has_current), response(nonce, digest)]


def shown(page_ms: float = 100.0, *, embed: int = 1) -> Step:
    """Return an element that is connected."""
    return element_connected(embed, page_ms)


# --- one session, both clocks -------------------------------------------------------------------------------------

ORDERS: dict[str, tuple[Steps, Prefetch, float, float]] = {
    "ended before": ([*session_fetched(ended=60.0), shown(100.0)], Prefetch.PREFETCHED, 60, 100),
    "ended at the same moment": ([*session_fetched(ended=100.0), shown(100.0)], Prefetch.PREFETCHED, 100, 100),
    "ended after, asked before": ([*session_fetched(ended=110.0), shown(100.0)], Prefetch.LATE, 110, 100),
    "asked after": ([shown(20.0), *session_fetched(ended=110.0)], Prefetch.ON_DEMAND, 110, 20),
    "asked at the same moment": ([shown(80.0), *session_fetched(ended=110.0)], Prefetch.ON_DEMAND, 110, 80),
    "reported late, and was before all the same": ([shown(100.0), *session_fetched(ended=60.0)], Prefetch.PREFETCHED, 60, 100),
    "reported early, and was after all the same": ([*session_fetched(ended=60.0), shown(20.0)], Prefetch.ON_DEMAND, 60, 20),
}  # fmt: skip


@pytest.mark.parametrize(("steps", "outcome", "ended", "connected"), ORDERS.values(), ids=ORDERS.keys())
@pytest.mark.parametrize("use", [[], handed()], ids=["unused", "used"])
def test_the_order_is_that_of_the_pages_own_clock(
    steps: Steps, outcome: Prefetch, ended: float, connected: float, use: Steps
) -> None:
    """In whatever order the two were reported."""
    got = report(page_opened(), steps, use)
    assert (got.outcome, got.response_ended_page_ms, got.connected_page_ms) == (outcome, ended, connected)
    assert got.url == SESSION


def untimed(steps: Steps) -> Steps:
    """Return the steps without anything from the page's resource timings."""
    return [step for step in steps if type(step) is not type(resource_timed())]


@pytest.mark.parametrize(
    ("steps", "outcome"),
    [
        ([*session_fetched(), shown()], Prefetch.PREFETCHED),
        ([shown(), *session_fetched()], Prefetch.ON_DEMAND),
        ([session_fetched()[0], shown(), *session_fetched()[1:]], Prefetch.LATE),
    ],
    ids=["before", "after", "between"],
)
def test_without_the_pages_clock_the_harnesss_has_to_do(steps: Steps, outcome: Prefetch) -> None:
    """A browser that does not time a resource; the element's own time is known all the same."""
    got = report(page_opened(), untimed(steps), handed())
    assert (got.outcome, got.response_ended_page_ms, got.connected_page_ms) == (outcome, -1, 100)


def test_a_time_that_is_none_and_another_documents_time_are_not_used() -> None:
    """0 is what a browser says when it must not say; a frame has a clock of its own."""
    for timed in (
        resource_timed(ended=0.0),
        resource_timed(ended=500.0, document="d2"),
        resource_timed("https://x.test/"),
    ):
        got = report(page_opened(), untimed(session_fetched()), timed, shown())
        assert (got.outcome, got.response_ended_page_ms) == (Prefetch.PREFETCHED, -1)


def test_an_answer_without_an_end_counts_from_its_start() -> None:
    """Its end may not have been reported."""
    begun = [asked("r3", SESSION), *answered("r3", **secret_read())[::2]]
    assert report(page_opened(), begun, shown()).outcome is Prefetch.PREFETCHED
    assert report(page_opened(), shown(), begun).outcome is Prefetch.ON_DEMAND


def test_each_request_has_its_own_times() -> None:
    """The same address may be asked for several times: the first time refused, the second time not."""
    twice = [*session_refused(request_id="r3"), *exchange("r5", SESSION, **secret_read())]
    times = [resource_timed(started=150.0, ended=180.0), resource_timed(started=20.0, ended=40.0)]
    got = report(page_opened(), twice, times, shown(100.0), handed())
    assert (got.outcome, got.response_ended_page_ms) == (Prefetch.ON_DEMAND, 180)


# --- no session ---------------------------------------------------------------------------------------------------


def test_no_secret_was_fetched() -> None:
    """Nothing was asked for, or it was refused."""
    for steps in (
        deadlock(),
        custom(),
        [*page_with_loader(), *session_refused()],
        [asked("r3", SESSION), request_failed("r3")],
    ):
        got = report(steps)
        assert (got.outcome, got.url, got.response_ended_page_ms) == (Prefetch.NEVER, "", -1)
    assert report().outcome is Prefetch.NEVER


def test_a_secret_that_is_there_without_an_element_was_pre_fetched() -> None:
    """Whatever keeps the element away."""
    got = report(page_with_loader(), session_fetched())
    assert (got.outcome, got.connected_page_ms) == (Prefetch.PREFETCHED, -1)


def test_a_secret_that_nobody_saw_was_used() -> None:
    """It was in the browser's storage, or came over a socket."""
    got = report(page_opened(), shown(), handed("digest-z"))
    assert (got.outcome, got.url) == (Prefetch.UNSEEN, "")


# --- by digest ----------------------------------------------------------------------------------------------------


def test_the_answer_is_found_by_the_string_that_was_handed_over() -> None:
    """Whatever the endpoint and the key are called; the order of the two times decides as ever."""
    before = [*exchange("r3", OTHER, **UNKNOWN), resource_timed(OTHER, 20, 50)]
    after = [*exchange("r3", OTHER, **UNKNOWN), resource_timed(OTHER, 120, 150)]
    assert report(page_opened(), before, shown(), handed()).outcome is Prefetch.PREFETCHED
    got = report(page_opened(), shown(), handed(), after)
    assert (got.outcome, got.url, got.response_ended_page_ms) == (Prefetch.ON_DEMAND, OTHER, 150)
    assert report(page_opened(), before, shown()).outcome is Prefetch.NEVER


def document(request: dict[str, Any] | None = None, **read: Any) -> Steps:
    """Return the page's document with what is known of its address and its body."""
    asking = request_started("r1", PAGE, resource_type="document", is_navigation=True, **request or {})
    opened = [s for s in page_opened() if type(s) not in (type(asking), type(answered("r1")[2]))]
    return [asking, *opened, answered("r1", **read)[2]]


RENDERED: dict[str, dict[str, Any]] = {
    "under an unknown name": UNKNOWN,
    "in its real shape": secret_read(secret_key="(text)"),
}


@pytest.mark.parametrize("read", RENDERED.values(), ids=RENDERED.keys())
def test_a_secret_in_the_document_was_pre_fetched(read: dict[str, Any]) -> None:
    """The server rendered it; the document may end after the element was connected, for it is streamed."""
    late = [shown(20.0), resource_timed(PAGE, 1, 500, initiator="navigation")]
    got = report(document(**read), late, handed())
    assert (got.outcome, got.url, got.response_ended_page_ms, got.is_in_url) == (Prefetch.PREFETCHED, PAGE, 0, False)


def test_a_secret_in_the_address_was_pre_fetched_and_is_told() -> None:
    """Logs and other sites can see it there."""
    got = report(document({"string_digests": ("digest-a",)}), shown(), handed())
    assert (got.outcome, got.url, got.is_in_url) == (Prefetch.PREFETCHED, PAGE, True)


def test_a_secret_that_is_sent_is_no_source_of_it() -> None:
    """A page may post its current secret; only what comes back counts."""
    posted = [asked("r3", OTHER, string_digests=("digest-a",)), *answered("r3")]
    assert report(page_opened(), posted, shown(), handed()).outcome is Prefetch.UNSEEN


def test_a_question_about_metadata_is_none_about_a_secret() -> None:
    """Its answer is another string."""
    other = [command("onAddMetadataToRequest", "m1"), response("m1", "digest-z")]
    assert report(page_opened(), session_fetched(), shown(), handed(), other).outcome is Prefetch.PREFETCHED


# --- more than one session ----------------------------------------------------------------------------------------


def second(digest: str = "digest-b", started: float = 120.0) -> Steps:
    """Return another session, after the element was connected."""
    timed = resource_timed(started=started, ended=started + 30)
    return [*exchange("r5", SESSION, **secret_read(digest)), timed]


SESSIONS: dict[str, tuple[Steps, Prefetch]] = {
    "one is pre-fetched and thrown away": ([*session_fetched(), shown(), *second(), *handed("digest-b")], Prefetch.NOT_USED),
    "one is pre-fetched, another used": ([*session_fetched(), shown(), *handed("digest-z")], Prefetch.NOT_USED),
    "two before, the first used": (
        [*session_fetched(), *second(started=62), shown(), *handed("digest-a")], Prefetch.TWICE),
    "two before, the second used": (
        [*session_fetched(), *second(started=62), shown(), *handed("digest-b")], Prefetch.TWICE),
    "two on demand": ([shown(10.0), *session_fetched(), *second(), *handed("digest-b")], Prefetch.TWICE),
    "two, and none used yet": ([*session_fetched(), *second(started=62), shown()], Prefetch.TWICE),
    "the same secret twice": ([*session_fetched(), shown(), *second("digest-a"), *handed("digest-a")], Prefetch.PREFETCHED),
    "a refused one first": ([*session_refused(request_id="r2"), *untimed(session_fetched()), shown(), *handed()], Prefetch.PREFETCHED),
}  # fmt: skip


@pytest.mark.parametrize(("steps", "outcome"), SESSIONS.values(), ids=SESSIONS.keys())
def test_two_sessions_for_one_widget_are_told(steps: Steps, outcome: Prefetch) -> None:
    """Fetched twice, or fetched and not used; the same secret is one session."""
    assert report(page_opened(), steps).outcome is outcome


def test_what_was_thrown_away_is_named() -> None:
    """The report shows the request that was for nothing."""
    got = report(page_opened(), exchange("r3", OTHER, **secret_read()), shown(), second(), handed("digest-b"))
    assert (got.outcome, got.url) == (Prefetch.NOT_USED, OTHER)


def test_a_renewal_is_not_a_second_session() -> None:
    """The frame asks for another secret with the current one in its hand: that one expired, or was refused."""
    first = [*page_opened(), *session_fetched(), shown(), *handed()]
    renewal = [command(nonce="n2", has_current=True), *second(), response("n2", "digest-b")]
    assert report(first, pause(60_000), renewal).outcome is Prefetch.PREFETCHED
    refused = [command(nonce="n2", has_current=True), *second(), rejection("n2")]
    assert report(first, refused).outcome is Prefetch.PREFETCHED
    assert report(on_demand(), renewal).outcome is Prefetch.ON_DEMAND


def test_a_renewal_may_be_reported_before_the_first_session() -> None:
    """The page reports on its own; what was handed over is found all the same."""
    early = [command(nonce="n2", has_current=True), *untimed(session_fetched()), shown(), *handed()]
    assert report(page_opened(), early).outcome is Prefetch.PREFETCHED


def test_a_widget_that_asks_again_for_want_of_a_good_secret_has_used_them_all() -> None:
    """A backend that makes up a new mock each time; each one was handed over."""
    other = {"secret_format": "other"}
    steps = [
        *page_opened(),
        *exchange("r3", SESSION, **secret_read("digest-m", **other)),
        shown(),
        *handed("digest-m"),
        *exchange("r5", SESSION, **secret_read("digest-n", **other)),
        *handed("digest-n", "n2"),
    ]
    assert report(steps).outcome is Prefetch.PREFETCHED


# --- the judged embed ---------------------------------------------------------------------------------------------


def test_each_embed_has_a_secret_of_its_own() -> None:
    """A widget that replaces another one fetches its own: that is no second session for the first, nor for itself."""
    steps = [
        *page_opened(),
        *session_fetched(),
        shown(100.0),
        *handed("digest-a"),
        element_disconnected(),
        shown(300.0, embed=2),
        *second(started=320),
        *handed("digest-b", "n2", embed=2),
    ]
    first, other = report(steps, embed=("d1", 1)), report(steps, embed=("d1", 2))
    assert (first.outcome, first.response_ended_page_ms, first.connected_page_ms) == (Prefetch.PREFETCHED, 60, 100)
    assert (other.outcome, other.response_ended_page_ms, other.connected_page_ms) == (Prefetch.ON_DEMAND, 350, 300)


def test_a_secret_may_wait_for_another_embed() -> None:
    """One that was not handed its secret yet: as many as there are such. One that is gone waits for none."""
    waiting = [*session_fetched(), *second(started=62), shown(), shown(embed=2), *handed("digest-a")]
    assert report(waiting).outcome is Prefetch.PREFETCHED
    third = exchange("r10", SESSION, **secret_read("digest-c"))
    assert report(waiting, third).outcome is Prefetch.TWICE
    assert report(waiting, element_disconnected(2)).outcome is Prefetch.TWICE
    assert report(waiting, handed("digest-b", "n2", embed=2), third).outcome is Prefetch.TWICE


def test_a_question_that_nobody_can_place_is_the_embeds() -> None:
    """0 is what the probe says when it cannot tell which iframe spoke."""
    got = report(page_opened(), session_fetched(), shown(), second(), handed("digest-b", embed=0))
    assert got.outcome is Prefetch.NOT_USED


def reloaded(*steps: Step | Steps) -> Steps:
    """Return a second page with its own document."""
    opened = [replace(s, document="d9") if hasattr(s, "document") else s for s in page_opened(request_id="r20")]
    return [*opened, *(step for part in steps for step in (part if isinstance(part, list) else [part]))]  # type: ignore[list-item]  # only events have a document


def test_a_page_is_judged_by_its_own_requests() -> None:
    """A reload fetches another secret, as it has to."""
    again = [
        *exchange("r25", SESSION, **secret_read("digest-b")),
        resource_timed(started=10, ended=40, document="d9"),
        element_connected(1, 50.0, "d9"),
        command(nonce="n5", document="d9"),
        response("n5", "digest-b"),
    ]
    got = report(page_opened(), session_fetched(), shown(), handed(), reloaded(again), embed=("d9", 1))
    assert (got.outcome, got.response_ended_page_ms, got.connected_page_ms) == (Prefetch.PREFETCHED, 40, 50)
    first = report(page_opened(), session_fetched(), shown(), handed(), reloaded(again), embed=("d1", 1))
    assert (first.outcome, first.response_ended_page_ms, first.connected_page_ms) == (Prefetch.PREFETCHED, 60, 100)


def test_a_secret_that_an_earlier_page_fetched_was_pre_fetched() -> None:
    """A login page stores it, and the chat's page takes it out of the store; the old page's clock says nothing here."""
    use = [element_connected(1, 50.0, "d9"), command(nonce="n5", document="d9"), response("n5", "digest-a")]
    got = report(page_opened(), session_fetched(), reloaded(use), embed=("d9", 1))
    assert (got.outcome, got.url, got.response_ended_page_ms) == (Prefetch.PREFETCHED, SESSION, -1)


def test_without_an_element_the_last_page_counts() -> None:
    """What the page before it fetched is no matter of this one."""
    assert report(page_opened(), session_fetched(), reloaded(document_loaded("d9"))).outcome is Prefetch.NEVER


# --- evidence -----------------------------------------------------------------------------------------------------


def test_the_evidence_is_the_request_and_the_element() -> None:
    """The two facts whose order it is."""
    lines = entries(page_opened(), session_fetched(), element_shown(), handed())
    got = prefetch_of(lines)
    assert [type(lines[seq - 1].event).__name__ for seq in got.evidence] == ["RequestStarted", "ElementConnected"]
    assert report(page_with_loader()).evidence == ()


OUTCOMES = {
    "hosted": Prefetch.PREFETCHED,
    "custom": Prefetch.NEVER,
    "on-demand": Prefetch.ON_DEMAND,
    "deadlock": Prefetch.NEVER,
    "session-refused": Prefetch.NEVER,
    "mock-secret": Prefetch.PREFETCHED,
    "never-answered": Prefetch.NEVER,
    "re-parented": Prefetch.PREFETCHED,
}


@pytest.mark.parametrize(("name", "outcome"), OUTCOMES.items(), ids=OUTCOMES.keys())
def test_whole_transcripts(name: str, outcome: Prefetch) -> None:
    """The same in its surroundings."""
    assert report(TRANSCRIPTS[name]).outcome is outcome


def test_the_backends_answers_carry_no_secret() -> None:
    """Whatever they are made of."""
    steps = [*page_opened(), shown(), *frame_arrived(), *conversation()]
    assert report(steps, element_defined()).outcome is Prefetch.NEVER
    assert report(hosted(), hosted_boot(embed=2, nonce="n7")).outcome is Prefetch.PREFETCHED

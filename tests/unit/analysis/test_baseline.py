"""Profiles of visits, and what counts as a regression between two: tables of what fires, what is silent, and the near miss."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import (
    SESSION,
    Step,
    Steps,
    asked,
    console_message,
    entries,
    exchange,
    hosted,
    page_error,
    pause,
    request_blocked,
    request_started,
    secret_read,
    session_fetched,
    visit_ended,
)

from harness.analysis.baseline import (
    MOST_TEXTS,
    BaselineComparison,
    RunProfile,
    Tolerance,
    VisitProfile,
    compare,
    confirmed,
    control_ms_of,
    profile_of,
    updated,
)
from harness.analysis.result import result_of
from harness.model.limits import Limits

TEST = "test_chat.py::test_mounts[chromium]"
TIMES: dict[str, float | None] = {"page-loaded": 100.0, "element-connected": 400.0, "composer-ready": 800.0}


def profiled(*more: Step | Steps, session_endpoint: str = "", console_allow: tuple[str, ...] = ()) -> VisitProfile:
    """Return the profile of a healthy visit in which this happens too."""
    lines = entries(hosted(), *more, pause(5_000), visit_ended())
    result = result_of(lines, limits=Limits(), started_at="2026-11-24T08:00:00.000+00:00", console_allow=console_allow)
    return profile_of(lines, result, test=TEST, session_endpoint=session_endpoint)


def visit(times: dict[str, float | None] | None = None, **changes: Any) -> VisitProfile:
    """Return a profile of a visit that mounted."""
    told = {"test": TEST, "number": 1, "entry": "chat", "outcome": "mounted", "console_errors": (), "outside_hosts": (),
            "session_requests": 1, "milestones": tuple((TIMES if times is None else times).items())}  # fmt: skip
    return VisitProfile(**told | changes)


def run(*visits: VisitProfile, control_ms: float | None = 400.0) -> RunProfile:
    """Return a run of these visits."""
    return RunProfile(tests=tuple(dict.fromkeys(v.test for v in visits)), visits=visits, control_ms=control_ms)


def found(before: RunProfile, now: RunProfile, tolerance: Tolerance | None = None) -> list[tuple[str, str]]:
    """Return kind and subject of each regression."""
    return [(r.kind, r.what) for r in compare(before, now, tolerance or Tolerance()).regressions]


# --- profiles -----------------------------------------------------------------------------------------------------


def test_a_healthy_visit_has_a_profile() -> None:
    """Outcome, hosts other than the page's, one session request, milestones since the visit began."""
    profile = profiled()
    assert profile.outcome == "mounted"
    assert profile.outside_hosts == ("cdn.platform.openai.com", "us.api.openai.com")
    assert profile.session_requests == 1
    assert profile.console_errors == ()
    times = dict(profile.milestones)
    assert 0 < (times["page-loaded"] or 0) < (times["composer-ready"] or 0)
    assert times["mounted"] is None, "when the verdict was passed depends on our window, not on the page"


def test_hosts_are_those_that_something_was_asked_of() -> None:
    """With or without an answer, blocked or not, in any case; the page's own host on any port is none."""
    profile = profiled(
        request_started("a", "https://STATS.example/x"),
        request_blocked(url="wss://live.example/socket"),
        request_started("b", "https://app.test:8443/other-port"),
        request_started("c", "data:text/plain,hello"),
        request_started("d", "blob:https://blob.example/1"),
    )
    hosts = {"cdn.platform.openai.com", "us.api.openai.com", "stats.example", "live.example"}
    assert set(profile.outside_hosts) == hosts


def test_session_requests_are_counted_by_name_answer_and_configuration() -> None:
    """A second fetch, one under another name that brings a secret, and one that only the configuration knows."""
    assert profiled(session_fetched("digest-b", "s2")).session_requests == 2
    assert profiled(exchange("s2", "https://app.test/api/other", **secret_read("digest-b"))).session_requests == 2
    assert profiled(exchange("s2", "https://app.test/chat/begin"), session_endpoint="**/chat/*").session_requests == 2
    assert profiled(asked("s2", SESSION, method="OPTIONS")).session_requests == 1
    assert profiled(exchange("s2", "https://app.test/api/topics")).session_requests == 1


def test_console_errors_are_those_that_are_not_allowed() -> None:
    """Each wording once; the echo of an answer is told with its address, because its text is always the same."""
    echo = "Failed to load resource: the server responded with a status of 404 (Not Found)"
    profile = profiled(
        console_message("retry 1 failed", "error"),
        console_message("retry 2 failed", "error"),
        console_message(echo, "error", url="https://app.test/a.png?v=1"),
        console_message(echo, "error", url="https://app.test/b.png"),
        console_message("a warning", "warning"),
        console_message("known noise", "error"),
        page_error(),
        console_allow=("known noise",),
    )
    assert profile.console_errors == (
        f"{echo} (https://app.test/a.png)",
        f"{echo} (https://app.test/b.png)",
        "ReferenceError: x is not defined",
        "retry # failed",
    )


def test_a_control_is_the_median_of_those_that_mounted() -> None:
    """One that did not mount, or did not get that far, is none; without any there is no control."""
    times = [visit({"composer-ready": at}) for at in (500.0, 300.0, 9_000.0)]
    assert control_ms_of([*times, visit({"composer-ready": 1.0}, outcome="failed"), visit({})]) == 500.0
    assert control_ms_of([visit(outcome="failed")]) is None
    assert control_ms_of([]) is None


# --- what is worse ------------------------------------------------------------------------------------------------

SLOW: dict[str, float | None] = {"page-loaded": 100.0, "element-connected": 3_400.0, "composer-ready": 3_800.0}
WORSE: list[tuple[str, VisitProfile, list[tuple[str, str]]]] = [
    ("nothing", visit(), []),
    ("host", visit(outside_hosts=("stats.example",)), [("new outside host", "stats.example")]),
    ("console", visit(console_errors=("x is not defined",)), [("new console error", "x is not defined")]),
    ("session", visit(session_requests=2), [("more session requests", "requests for a client secret")]),
    ("lost", visit({"page-loaded": 100.0}), [("lost milestone", "element-connected")]),
    ("slower, told once", visit(SLOW), [("slower milestone", "element-connected")]),
    (
        "late twice by itself",
        visit(SLOW | {"composer-ready": 9_000.0}),
        [("slower milestone", "element-connected"), ("slower milestone", "composer-ready")],
    ),
    (
        "everything",
        visit(SLOW, outside_hosts=("stats.example",), console_errors=("x",), session_requests=3),
        [
            ("slower milestone", "element-connected"),
            ("more session requests", "requests for a client secret"),
            ("new outside host", "stats.example"),
            ("new console error", "x"),
        ],
    ),
]
NOT_WORSE: list[tuple[str, VisitProfile, VisitProfile]] = [
    ("fewer hosts", visit(outside_hosts=("a.example", "b.example")), visit(outside_hosts=("a.example",))),
    ("an error that is gone", visit(console_errors=("x",)), visit()),
    ("fewer session requests", visit(session_requests=2), visit()),
    ("a milestone more", visit({"page-loaded": 100.0}), visit()),
    ("faster", visit(SLOW), visit()),
    ("a milestone whose time nobody knows", visit(TIMES | {"mounted": None}), visit(TIMES | {"mounted": None})),
    ("no verdict was awaited now", visit(), visit({"page-loaded": 9_000.0}, outcome="undecided")),
    ("no verdict was awaited then", visit(outcome="undecided"), visit({"page-loaded": 9_000.0})),
]


@pytest.mark.parametrize(("now", "expected"), [case[1:] for case in WORSE], ids=[case[0] for case in WORSE])
def test_what_is_worse_is_named(now: VisitProfile, expected: list[tuple[str, str]]) -> None:
    """Each kind by itself and all at once, with the test, both values, and what to do."""
    assert found(run(visit()), run(now)) == expected
    for regression in compare(run(visit()), run(now), Tolerance()).regressions:
        assert regression.test == TEST
        assert regression.before != regression.now
        assert regression.remedy


@pytest.mark.parametrize(("before", "now"), [case[1:] for case in NOT_WORSE], ids=[case[0] for case in NOT_WORSE])
def test_what_is_better_or_unknown_is_no_regression(before: VisitProfile, now: VisitProfile) -> None:
    """Silence where something went away, and where there is nothing to compare."""
    assert found(run(before), run(now)) == []


TIMING: list[tuple[str, float, float, float, float, bool]] = [
    # what                                    then   control  now   control  is slower
    ("the same machine, on the edge", 2_000, 400, 3_000, 400, False),
    ("the same machine, past the edge", 2_000, 400, 3_001, 400, True),
    ("past the ratio, within half a second", 300, 400, 790, 400, False),
    ("past half a second, within the ratio", 5_000, 400, 7_000, 400, False),
    ("a machine half as fast", 2_000, 400, 5_900, 800, False),
    ("a machine half as fast, and slower", 2_000, 400, 6_100, 800, True),
    ("half a control late on a machine that is busy now", 300, 400, 300 * 7.5 + 1_500, 3_000, False),
    ("more than half a control late there", 300, 400, 300 * 7.5 + 1_501, 3_000, True),
    ("half a control late on a machine that was busy then", 300, 3_000, 1_800, 400, False),
    ("more than half a control late on a machine that was busy then", 300, 3_000, 1_801, 400, True),
    ("a faster machine does not hasten a page that waits", 2_000, 400, 2_900, 100, False),
    ("slower on a faster machine", 2_000, 400, 3_100, 100, True),
    ("at once before", 0, 400, 501, 400, True),
]


@pytest.mark.parametrize(
    ("then_ms", "control_then", "now_ms", "control_now", "is_slower"),
    [case[1:] for case in TIMING],
    ids=[case[0] for case in TIMING],
)
def test_slower_is_what_passes_both_bounds_in_times_of_the_control(
    then_ms: float, control_then: float, now_ms: float, control_now: float, is_slower: bool
) -> None:
    """The machine's speed is taken out; a ratio alone would tell trifles, a difference alone would tell slow pages."""
    before = run(visit({"composer-ready": then_ms}), control_ms=control_then)
    now = run(visit({"composer-ready": now_ms}), control_ms=control_now)
    assert found(before, now) == ([("slower milestone", "composer-ready")] if is_slower else [])


def test_both_bounds_can_be_set() -> None:
    """As the configuration says."""
    before, now = run(visit({"composer-ready": 1_000.0})), run(visit({"composer-ready": 1_300.0}))
    assert found(before, now) == []
    assert found(before, now, Tolerance(ratio=1.2, by_ms=200)) == [("slower milestone", "composer-ready")]
    assert found(before, now, Tolerance(ratio=1.4, by_ms=200)) == []
    assert found(before, now, Tolerance(ratio=1.2, by_ms=400)) == []


@pytest.mark.parametrize(("then", "now"), [(None, 400.0), (400.0, None), (None, None)])
def test_without_a_control_times_are_left_and_that_is_said(then: float | None, now: float | None) -> None:
    """Everything else is compared all the same."""
    worse = visit(SLOW, session_requests=2)
    comparison = compare(run(visit(), control_ms=then), run(worse, control_ms=now), Tolerance())
    assert [r.kind for r in comparison.regressions] == ["more session requests"]
    assert comparison.notes[0].startswith("times are not compared")


def test_a_lost_milestone_takes_what_follows_along() -> None:
    """One regression, which names the first and lists the rest."""
    (regression,) = compare(run(visit()), run(visit({}, outcome="failed")), Tolerance()).regressions
    assert regression.what == "page-loaded"
    assert regression.now == "not reached, nor the later ones: element-connected, composer-ready"
    assert not regression.is_timing, "a mount that failed is no chance"


def test_a_visit_with_too_many_console_errors_is_not_compared_by_them() -> None:
    """The limit is said; of a flood in the new run only so many are told."""
    flood = tuple(f"error {chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(MOST_TEXTS + 1))
    assert len(found(run(visit()), run(visit(console_errors=flood)))) == MOST_TEXTS
    comparison = compare(run(visit(console_errors=flood)), run(visit(console_errors=("x",))), Tolerance())
    assert comparison.regressions == ()
    assert "console errors are not compared" in comparison.notes[0]


def test_new_and_missing_tests_and_visits_are_named_and_no_regression() -> None:
    """A test or a visit that only one run has; a test that is new as a whole is named once."""
    second = replace(visit(), number=2)
    other, another = visit(test="test_other.py::test"), visit(test="test_another.py::test")
    comparison = compare(run(visit(), other), run(visit(), second, another), Tolerance())
    assert comparison.regressions == ()
    assert comparison.new == ("test_another.py::test", f"{TEST}, visit 2")
    assert comparison.missing == ("test_other.py::test",)
    assert compare(run(visit(), second), run(visit()), Tolerance()).missing == (f"{TEST}, visit 2",)


def test_regressions_stand_in_the_order_of_the_tests() -> None:
    """Two workers finish in any order, and two files of the same regressions are the same."""
    one, other = visit(test="test_a.py::test"), visit(test="test_b.py::test")
    worse = [replace(v, session_requests=2) for v in (other, one)]
    comparison = compare(run(one, other), run(*worse), Tolerance())
    assert [r.test for r in comparison.regressions] == ["test_a.py::test", "test_b.py::test"]


# --- seen again ---------------------------------------------------------------------------------------------------


def judged(now: VisitProfile) -> BaselineComparison:
    """Return the comparison of one visit with a healthy one."""
    return compare(run(visit()), run(now), Tolerance())


def test_what_is_slow_once_and_not_again_is_no_regression() -> None:
    """It is told as what it was; facts that chance cannot make stay."""
    first = judged(visit(SLOW, session_requests=2))
    left = confirmed(first, judged(visit()), [visit()])
    assert [r.kind for r in left.regressions] == ["more session requests"]
    assert [(r.kind, r.what) for r in left.passing] == [("slower milestone", "element-connected")]


def test_what_is_slow_again_stays() -> None:
    """Even when another milestone is the first that is late; and when the visit could not be made again."""
    first = judged(visit(SLOW))
    elsewhere = visit(TIMES | {"composer-ready": 4_000.0})
    for again, visits in ((judged(elsewhere), [elsewhere]), (compare(run(visit()), run(), Tolerance()), [])):
        left = confirmed(first, again, visits)
        assert (left.regressions, left.passing) == (first.regressions, ())


def test_a_mounted_visit_that_lost_a_milestone_is_looked_at_again() -> None:
    """A step that comes after the verdict may be missed; the same step has to be missing again."""
    lost = visit({"page-loaded": 100.0, "element-connected": 400.0})
    other = visit({"page-loaded": 100.0, "composer-ready": 800.0})
    assert judged(lost).regressions[0].is_timing
    assert confirmed(judged(lost), judged(visit()), [visit()]).regressions == ()
    assert confirmed(judged(lost), judged(other), [other]).regressions == ()
    assert len(confirmed(judged(lost), judged(lost), [lost]).regressions) == 1


# --- update -------------------------------------------------------------------------------------------------------


def test_the_first_baseline_is_the_run_itself() -> None:
    """There is nothing to keep."""
    assert updated(None, run(visit()), Tolerance()) == run(visit())


def test_an_update_keeps_the_times_that_are_near() -> None:
    """So that a diff shows what changed: facts at once, times when they left the tolerance, either way."""
    before = run(visit({"a": 100.0, "b": 400.0, "c": 5_000.0, "d": 9_000.0}))
    now = run(visit({"a": 180.0, "b": 2_000.0, "c": 4_000.0, "d": 1_000.0, "e": 50.0}, session_requests=2))
    (after,) = updated(before, now, Tolerance()).visits
    assert dict(after.milestones) == {"a": 100.0, "b": 2_000.0, "c": 5_000.0, "d": 1_000.0, "e": 50.0}
    assert after.session_requests == 2


def test_an_update_on_another_machine_is_written_in_times_of_the_first() -> None:
    """The control stays, and what is measured with another one is converted; without any the old times stay."""
    before = run(visit({"a": 400.0}), control_ms=400.0)
    after = updated(before, run(visit({"a": 6_000.0, "b": 800.0}), control_ms=800.0), Tolerance())
    assert after.control_ms == 400.0
    assert dict(after.visits[0].milestones) == {"a": 3_000.0, "b": 400.0}
    unmeasured = updated(before, run(visit({"a": 6_000.0, "b": 1.0}), control_ms=None), Tolerance())
    assert dict(unmeasured.visits[0].milestones) == {"a": 400.0, "b": None}


def test_a_partial_update_leaves_the_other_tests() -> None:
    """A whole one drops the tests that are gone."""
    other = visit(test="test_other.py::test", session_requests=5)
    before, now = run(visit(), other), run(visit(session_requests=2))
    assert updated(before, now, Tolerance()).tests == (TEST,)
    partial = updated(before, now, Tolerance(), is_partial=True)
    assert {v.test: v.session_requests for v in partial.visits} == {TEST: 2, "test_other.py::test": 5}
    assert set(partial.tests) == {TEST, "test_other.py::test"}


def test_an_updated_baseline_accepts_its_run() -> None:
    """Whatever was worse before, the same run against the new baseline is clean."""
    worse = run(visit(SLOW, outside_hosts=("stats.example",), console_errors=("x",), session_requests=3))
    assert found(run(visit()), worse)
    assert found(updated(run(visit()), worse, Tolerance()), worse) == []

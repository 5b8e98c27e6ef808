"""The profile of each visit of a run, and the regressions between two runs.

In: entries and results of visits. Out: profiles, and regressions between two of them. Times are compared between machines by a control:
the duration of a visit of the embedded healthy page in the same run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from statistics import median

from harness.analysis.facts.console_policy import STATUS_ECHO
from harness.analysis.facts.exchanges import exchanges_of
from harness.analysis.facts.roles import has_secret, is_session_request
from harness.analysis.facts.stable_wording import place_of, wording_of
from harness.analysis.mount.state import Milestone
from harness.model.addresses import split_url
from harness.model.events import ConsoleMessage, RequestBlocked, RequestStarted, VisitStarted
from harness.model.results import VisitResult
from harness.model.timeline import Entry

CHANCE = 0.5  # of a control: on a machine that needs seconds for a control, a second more or less says nothing
CONTROL_MILESTONE = Milestone.COMPOSER_READY
MOST_TEXTS = 200  # different console errors of one visit; one that has more is not compared by them
UNDECIDED = "undecided"

CONSOLE_ERROR = "new console error"
OUTSIDE_HOST = "new outside host"
SESSION_REQUESTS = "more session requests"
SLOWER = "slower milestone"
LOST = "lost milestone"


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitProfile:
    """The compared values of one visit. Times are milliseconds since the visit began; None when they were not measured."""

    test: str  # the test's node id
    number: int  # of the visit in its test, from 1
    entry: str
    outcome: str  # "mounted" | "failed" | "timeout" | "undecided"
    console_errors: tuple[str, ...]  # the wording of each, sorted
    outside_hosts: tuple[str, ...]  # other than the page's own, sorted
    session_requests: int
    milestones: tuple[tuple[str, float | None], ...]

    @property
    def name(self) -> str:
        """The visit as reports name it."""
        return self.test if self.number == 1 else f"{self.test}, visit {self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProfile:
    """The compared values of a run."""

    tests: tuple[str, ...]  # that ran, whether they opened a page or not
    visits: tuple[VisitProfile, ...]
    control_ms: float | None  # what a control took; None when none succeeded


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How much later than expected a milestone may be: a regression must exceed both bounds."""

    ratio: float = 1.5
    by_ms: float = 500.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How the baseline's times are converted to this machine."""

    slowness: float  # how many times as long things take, never less than 1
    chance_ms: float  # how much later than expected a milestone may come by chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """One regression against the baseline."""

    test: str
    visit: int
    kind: str
    what: str
    before: str
    now: str
    remedy: str
    is_timing: bool = False  # chance can look like it: it counts when it is seen again


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineComparison:
    """The comparison of a run with a baseline."""

    regressions: tuple[Regression, ...]
    passing: tuple[Regression, ...] = ()  # seen once, and not again when measured again
    new: tuple[str, ...] = ()  # tests and visits that the baseline does not know
    missing: tuple[str, ...] = ()  # tests and visits of the baseline that did not run
    notes: tuple[str, ...] = ()  # what could not be compared, and why


# --- profiles -----------------------------------------------------------------------------------------------------


def profile_of(
    entries: Iterable[Entry],
    result: VisitResult,
    *,
    test: str,
    number: int = 1,
    session_endpoint: str = "",
    clean: Callable[[str], str] = str,
) -> VisitProfile:
    """Return the profile of a visit; its entries and its result belong together.

    `clean` removes secrets from a text; it must run first, because a secret without its digits is no longer recognised.
    """
    entries = tuple(entries)
    begun_ms = next((entry.at_ms for entry in entries if isinstance(entry.event, VisitStarted)), 0.0)
    return VisitProfile(
        test=test,
        number=number,
        entry=result.entry,
        outcome=result.outcome,
        console_errors=_console_errors(entries, result, clean),
        outside_hosts=tuple(map(clean, _outside_hosts(entries, result.url))),
        session_requests=_session_requests(entries, result, session_endpoint),
        milestones=tuple(
            # The verdict's own time is our window, not the page's.
            (m.name, None if m.name == Milestone.MOUNTED else round(m.at_ms - begun_ms, 1))
            for m in result.milestones
        ),
    )


def _console_errors(entries: tuple[Entry, ...], result: VisitResult, clean: Callable[[str], str]) -> tuple[str, ...]:
    """The text of each error that the project does not allow; the browser's message about a response is combined with its address."""
    events = {entry.seq: entry.event for entry in entries}
    texts = set()
    for problem in result.console:
        if problem.is_allowed:
            continue
        event = events.get(problem.seq)
        is_echo = isinstance(event, ConsoleMessage) and event.url and problem.text.startswith(STATUS_ECHO)
        where = f" ({place_of(clean(event.url))})" if is_echo and isinstance(event, ConsoleMessage) else ""
        texts.add(wording_of(clean(problem.text)) + where)
    return tuple(sorted(texts))


def _outside_hosts(entries: tuple[Entry, ...], page_url: str) -> tuple[str, ...]:
    """The hosts of all requests, including blocked ones."""
    own = split_url(page_url).hostname
    urls = (entry.event.url for entry in entries if isinstance(entry.event, RequestStarted | RequestBlocked))
    hosts = {split_url(url).hostname for url in urls if url.startswith(("http:", "https:", "ws:", "wss:"))}
    return tuple(sorted(host for host in hosts if host and host != own))


def _session_requests(entries: tuple[Entry, ...], result: VisitResult, endpoint: str) -> int:
    """The number of requests for a client secret; a document that contains one does not count."""
    asked = [x for x in exchanges_of(entries) if not x.request.is_navigation and x.request.method != "OPTIONS"]
    return sum(is_session_request(x, endpoint) or has_secret(x) or x.url == result.secret_url for x in asked)


def control_ms_of(controls: Iterable[VisitProfile]) -> float | None:
    """Return the control of this run: the median of the control visits that mounted; None when none did."""
    times = [
        at_ms
        for control in controls
        if control.outcome == "mounted"
        for name, at_ms in control.milestones
        if name == CONTROL_MILESTONE and at_ms
    ]
    return round(median(times), 1) if times else None


# --- comparison ---------------------------------------------------------------------------------------------------


def compare(before: RunProfile, now: RunProfile, tolerance: Tolerance) -> BaselineComparison:
    """Return the regressions of the second run, and the tests that only one of the runs has."""
    known = {(visit.test, visit.number): visit for visit in before.visits}
    seen = {(visit.test, visit.number): visit for visit in now.visits}
    pace = pace_of(before.control_ms, now.control_ms, tolerance)
    pairs = [(known[key], visit) for key, visit in sorted(seen.items()) if key in known]
    new_tests = [test for test in now.tests if test not in before.tests]
    missing_tests = [test for test in before.tests if test not in now.tests]
    new_visits = [v.name for key, v in seen.items() if key not in known and v.test not in new_tests]
    missing_visits = [v.name for key, v in known.items() if key not in seen and v.test not in missing_tests]
    return BaselineComparison(
        regressions=tuple(r for old, new in pairs for r in regressions_of(old, new, pace, tolerance)),
        new=(*new_tests, *new_visits),
        missing=(*missing_tests, *missing_visits),
        notes=tuple(_notes(before, now, pairs)),
    )


def _notes(before: RunProfile, now: RunProfile, pairs: list[tuple[VisitProfile, VisitProfile]]) -> Iterator[str]:
    if pairs and not now.control_ms:
        yield "times are not compared, because no control visit of this run mounted"
    elif pairs and not before.control_ms:
        yield "times are not compared, because the baseline has no control visit"
    for old, new in pairs:
        if UNDECIDED in (old.outcome, new.outcome):
            yield f"milestones are not compared, because the test did not wait for a verdict: {new.name}"
        if len(old.console_errors) > MOST_TEXTS:
            yield (
                f"console errors are not compared, because the baseline has more than {MOST_TEXTS} of them: {new.name}"
            )


def pace_of(control_before_ms: float | None, control_now_ms: float | None, tolerance: Tolerance) -> Pace | None:
    """Return the pace that two controls tell; None when one of them is missing.

    A slower machine increases the expected time; a faster one does not reduce it, because a page also waits for things that do not depend
    on the processor.
    """
    if not control_before_ms or not control_now_ms:
        return None
    slower_ms = max(control_before_ms, control_now_ms)
    return Pace(slowness=slower_ms / control_before_ms, chance_ms=max(tolerance.by_ms, CHANCE * slower_ms))


def regressions_of(
    before: VisitProfile, now: VisitProfile, pace: Pace | None, tolerance: Tolerance
) -> Iterator[Regression]:
    """Yield the regressions of the second visit; without a pace its times are not compared."""

    def regression(kind: str, what: str, old: str, new: str, *, is_timing: bool = False) -> Regression:
        return Regression(
            test=now.test, visit=now.number, kind=kind, what=what, before=old, now=new, remedy=REMEDIES[kind],
            is_timing=is_timing,
        )  # fmt: skip

    if UNDECIDED not in (before.outcome, now.outcome):
        lost = [name for name, _ in before.milestones if name not in dict(now.milestones)]
        if lost:
            rest = f", nor the later ones: {', '.join(lost[1:])}" if lost[1:] else ""
            yield regression(LOST, lost[0], "reached", f"not reached{rest}", is_timing=now.outcome == "mounted")
        for name, expected_ms, at_ms in _late(before, now, pace, tolerance):
            ratio = f"{at_ms / expected_ms:.1f} times as long" if expected_ms >= 1 else "late"
            yield regression(SLOWER, name, f"{expected_ms:.0f} ms expected", f"{at_ms:.0f} ms, {ratio}", is_timing=True)
    if now.session_requests > before.session_requests:
        counts = (str(before.session_requests), str(now.session_requests))
        yield regression(SESSION_REQUESTS, "requests for a client secret", *counts)
    for host in now.outside_hosts:
        if host not in before.outside_hosts:
            yield regression(OUTSIDE_HOST, host, "not contacted", "contacted")
    for text in now.console_errors[:MOST_TEXTS] if len(before.console_errors) <= MOST_TEXTS else ():
        if text not in before.console_errors:
            yield regression(CONSOLE_ERROR, text, "not there", "on the console")


def _late(
    before: VisitProfile, now: VisitProfile, pace: Pace | None, tolerance: Tolerance
) -> Iterator[tuple[str, float, float]]:
    """Yield milestone, expected and actual time of each that is late, and not only because an earlier one was."""
    if pace is None:
        return
    times = dict(before.milestones)
    inherited_ms = 0.0
    for name, at_ms in sorted(((n, t) for n, t in now.milestones if t is not None), key=lambda item: item[1]):
        old_ms = times.get(name)
        if old_ms is None:
            continue
        expected_ms = old_ms * pace.slowness
        own_ms = at_ms - inherited_ms
        if own_ms > tolerance.ratio * expected_ms and own_ms - expected_ms > pace.chance_ms:
            yield name, expected_ms, at_ms
            inherited_ms = at_ms - expected_ms


REMEDIES = {
    LOST: "see the cause in the visit's error-context.md",
    SLOWER: "find the slow requests in the visit's network.har",
    SESSION_REQUESTS: "fetch the client secret once, and return it from getClientSecret",
    OUTSIDE_HOST: "find the script that sends the request in the visit's network.har",
    CONSOLE_ERROR: "fix the error, or add a part of its text to console_allow",
}


def confirmed(
    comparison: BaselineComparison, again: BaselineComparison, visits: Iterable[VisitProfile]
) -> BaselineComparison:
    """Return the comparison without regressions that were not reproduced; `visits` are the repeated ones."""
    repeated = {(visit.test, visit.number) for visit in visits}
    keys = {_key(regression) for regression in again.regressions}
    gone = tuple(
        regression
        for regression in comparison.regressions
        if regression.is_timing and (regression.test, regression.visit) in repeated and _key(regression) not in keys
    )
    kept = tuple(regression for regression in comparison.regressions if regression not in gone)
    return replace(comparison, regressions=kept, passing=(*comparison.passing, *gone))


def _key(regression: Regression) -> tuple[object, ...]:
    """The identity of a regression; which of two adjacent milestones is late may differ."""
    what = "" if regression.kind == SLOWER else regression.what
    return regression.test, regression.visit, regression.kind, what


# --- update -------------------------------------------------------------------------------------------------------


def updated(
    before: RunProfile | None, now: RunProfile, tolerance: Tolerance, *, is_partial: bool = False
) -> RunProfile:
    """Return the new baseline. A time within the tolerance stays as it was, so that a diff shows what really changed.

    `is_partial`: only some of the tests were meant to run, so those that did not keep their place.
    """
    if before is None:
        return now
    old = {(visit.test, visit.number): visit for visit in before.visits}
    kept_tests = tuple(test for test in before.tests if is_partial and test not in now.tests)
    visits = [_with_old_times(old.get((v.test, v.number)), v, _scale(before, now), tolerance) for v in now.visits]
    return RunProfile(
        tests=(*kept_tests, *now.tests),
        visits=(*(v for v in before.visits if v.test in kept_tests), *visits),
        control_ms=before.control_ms or now.control_ms,
    )


def _scale(before: RunProfile, now: RunProfile) -> float | None:
    """What turns a time of this run into one of the machine that the baseline was made on; None when nobody knows."""
    if not now.control_ms:
        return None
    return before.control_ms / now.control_ms if before.control_ms else 1.0


def _with_old_times(
    old: VisitProfile | None, new: VisitProfile, scale: float | None, tolerance: Tolerance
) -> VisitProfile:
    times = dict(old.milestones) if old else {}

    def time_of(name: str, at_ms: float | None) -> float | None:
        kept_ms, scaled_ms = times.get(name), at_ms * scale if at_ms is not None and scale is not None else None
        if kept_ms is None or scaled_ms is None:
            return kept_ms if scaled_ms is None else scaled_ms
        low_ms, high_ms = sorted((kept_ms, scaled_ms))
        is_near = high_ms - low_ms <= tolerance.by_ms or high_ms <= tolerance.ratio * low_ms
        return kept_ms if is_near else scaled_ms

    return replace(new, milestones=tuple((name, time_of(name, at_ms)) for name, at_ms in new.milestones))

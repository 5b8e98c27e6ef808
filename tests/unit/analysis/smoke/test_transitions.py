"""What is new in a run: nights in a row, and the one alert of each that is worth one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from nights import broken, flight, mounted, night, offline, verdict

from harness.analysis.smoke.transitions import Escalation, next_record, undelivered
from harness.model.history import Delivery, PastVerdict, Record

NEVER = Escalation(after_runs=0)
NIGHTS = {
    "o": lambda n: verdict(n, None, mounted()),
    "d": lambda n: verdict(n, None, mounted(2)),
    "s": lambda n: verdict(n, None, mounted(first_token_ms=12_000.0)),
    "F": lambda n: verdict(n, None, broken("loader-refused")),
    "G": lambda n: verdict(n, None, broken("frame-refused")),
    "e": lambda n: verdict(n, offline()),
}
VERDICTS: dict[tuple[str, int], PastVerdict] = {}


def of_night(letter: str, number: int) -> PastVerdict:
    """Return a night's verdict; each is made once."""
    if (letter, number) not in VERDICTS:
        VERDICTS[letter, number] = NIGHTS[letter](number)
    return VERDICTS[letter, number]


def records(script: str, escalation: Escalation = NEVER) -> list[Record]:
    """Return the records of nights in a row: o ok, d and s degraded, F and G failing, e no statement."""
    history: tuple[Record, ...] = ()
    for number, letter in enumerate(script, start=1):
        history += (next_record(history, of_night(letter, number), escalation),)
    return list(history)


ALERTS = [
    ("ooo", ["", "", ""]),
    ("F", ["failing"]),
    ("d", ["degraded"]),
    ("oFFF", ["", "failing", "", ""]),
    ("oFFo", ["", "failing", "", "recovered"]),
    ("odFo", ["", "degraded", "failing", "recovered"]),
    ("oFdo", ["", "failing", "recovered", "recovered"]),
    ("odddoo", ["", "degraded", "", "", "recovered", ""]),
    ("odsds", ["", "degraded", "degraded", "", ""]),  # each cause once in a row of nights
    ("oFGFG", ["", "failing", "failing", "", ""]),
    ("oFoF", ["", "failing", "recovered", "failing"]),
    ("oeo", ["", "", ""]),  # no statement is no change
    ("oFeFeo", ["", "failing", "", "", "", "recovered"]),
    ("eo", ["", ""]),
]


@pytest.mark.parametrize(("script", "alerts"), ALERTS)
def test_only_what_is_new_is_told(script: str, alerts: list[str]) -> None:
    """Each transition once, each cause once."""
    assert [record.alert for record in records(script)] == alerts


@pytest.mark.parametrize(
    ("script", "escalation", "alerts"),
    [
        ("oFFFFF", Escalation(after_runs=3), ["", "failing", "", "escalated", "", ""]),
        ("oFFFoFFF", Escalation(after_runs=3), ["", "failing", "", "escalated", "recovered", "failing", "", "escalated"]),
        ("oFGF", Escalation(after_runs=3), ["", "failing", "failing", "escalated"]),
        ("oFFF", Escalation(after_runs=0, after_minutes=2_000), ["", "failing", "", "escalated"]),
        ("oFFF", Escalation(after_runs=0, after_minutes=5_000), ["", "failing", "", ""]),
        ("odddd", Escalation(after_runs=2), ["", "degraded", "", "", ""]),
        ("oeeee", Escalation(after_runs=3), ["", "", "", "blind", ""]),
        ("oeeeo", Escalation(after_runs=3), ["", "", "", "blind", "sighted"]),
        ("oeeeF", Escalation(after_runs=3), ["", "", "", "blind", "failing"]),
        ("FeeeF", Escalation(after_runs=3), ["failing", "", "", "blind", "sighted"]),
    ],
)  # fmt: skip
def test_what_lasts_is_told_once_more(script: str, escalation: Escalation, alerts: list[str]) -> None:
    """After so many runs or minutes, once in an outage; and when nobody could tell for as long."""
    assert [record.alert for record in records(script, escalation)] == alerts


def test_a_record_says_since_when_and_how_often() -> None:
    """Of the outcome, and of the cause in all of the history."""
    last = records("oFFoFF")[-1]
    assert (last.since, last.runs) == (night(5), 2)
    assert (last.first_seen, last.times_seen) == (night(2), 4)
    assert (last.before, last.before_since) == ("ok", night(4))
    recovered = records("oFFo")[-1]
    assert recovered.before_title.endswith("(loader-refused)")
    assert recovered.before_since == night(2)


def test_nights_without_a_statement_do_not_end_an_outage() -> None:
    """It is as long as if they had not been."""
    last = records("FeF")[-1]
    assert (last.since, last.runs) == (night(1), 2)


def test_projects_do_not_know_each_other() -> None:
    """One history can hold several."""
    other = replace(of_night("F", 1), project="other")
    history = (next_record((), other, NEVER),)
    assert next_record(history, of_night("o", 2), NEVER).alert == ""


def test_a_changed_sdk_is_told_until_the_next_green_run() -> None:
    """Compared with the last run that was ok, not with the last one."""
    old = next_record((), verdict(1, flight("a" * 64), mounted()), NEVER)
    bad = next_record((old,), verdict(2, flight("b" * 64), broken("frame-refused")), NEVER)
    again = next_record((old, bad), verdict(3, flight("b" * 64), broken("frame-refused")), NEVER)
    good = next_record((old, bad, again), verdict(4, flight("b" * 64), mounted()), NEVER)
    after = next_record((old, bad, again, good), verdict(5, flight("b" * 64), mounted()), NEVER)
    assert [bool(r.sdk_changed) for r in (old, bad, again, good, after)] == [False, True, True, True, False]
    assert bad.sdk_changed == (f"loader: {'a' * 16} -> {'b' * 16}",)


def test_an_alert_that_did_not_get_through_is_told_again() -> None:
    """Until it does, or until there is something newer to tell; also when nobody lived to say whether it did."""
    bad = next_record((), of_night("F", 1), NEVER)
    assert next_record((bad,), of_night("F", 2), NEVER).pending == "failing"
    failed = Delivery(run="run-01", project="staging", alert="failing", failed=("webhook",))
    pending = next_record((bad, failed), of_night("F", 2), NEVER)
    assert (pending.alert, pending.pending) == ("", "failing")
    assert undelivered((bad, failed), pending) == ("webhook",)
    done = Delivery(run="run-02", project="staging", alert="failing")
    assert next_record((bad, failed, pending, done), of_night("F", 3), NEVER).pending == ""
    assert next_record((bad, failed), of_night("o", 2), NEVER).pending == ""  # it has recovered, and that is told

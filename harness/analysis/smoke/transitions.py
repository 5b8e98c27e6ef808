"""The change in a run: a changed outcome, a new cause, or an outage that lasts too long.

In: the records so far, a verdict. Out: the next `Record`, with at most one alert. Runs without a result do not change the state; they
have their own alert when they continue.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from harness.model.history import ENVIRONMENT, FAILING, OK, Delivery, PastVerdict, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """When a lasting outage is reported a second time; 0 for never."""

    after_runs: int = 3
    after_minutes: int = 0


def next_record(history: tuple[Record | Delivery, ...], verdict: PastVerdict, escalation: Escalation) -> Record:
    """Return the record of a run, given the earlier records of its project."""
    runs = tuple(line for line in history if isinstance(line, Record) and line.verdict.project == verdict.project)
    told = tuple(record for record in runs if record.verdict.outcome != ENVIRONMENT)
    streak = _streak(runs if verdict.outcome == ENVIRONMENT else told, verdict.outcome)
    same_cause = [r for r in runs if verdict.fingerprint and r.verdict.fingerprint == verdict.fingerprint]
    alert = _alert(runs, told, streak, verdict, escalation)
    before = next((record for record in reversed(told) if record.verdict.outcome != verdict.outcome), None)
    return Record(
        verdict=verdict,
        since=streak[0].verdict.at if streak else verdict.at,
        runs=len(streak) + 1,
        first_seen=same_cause[0].verdict.at if same_cause else verdict.at if verdict.fingerprint else "",
        times_seen=len(same_cause) + 1 if verdict.fingerprint else 0,
        before=before.verdict.outcome if before else "",
        before_title=f"{before.verdict.title} ({before.verdict.cause})" if before and before.verdict.cause else "",
        before_since=before.since if before else "",
        sdk_changed=_sdk_changed(told, verdict),
        alert=alert,
        pending="" if alert else _pending(history, runs),
        is_escalated=alert == "escalated" or any(record.is_escalated for record in streak),
    )


def _streak(runs: tuple[Record, ...], outcome: str) -> tuple[Record, ...]:
    """The most recent consecutive runs with this outcome."""
    first = len(runs)
    while first and runs[first - 1].verdict.outcome == outcome:
        first -= 1
    return runs[first:]


def _alert(
    runs: tuple[Record, ...],
    told: tuple[Record, ...],
    streak: tuple[Record, ...],
    verdict: PastVerdict,
    escalation: Escalation,
) -> str:
    was_blind = (
        bool(runs)
        and runs[-1].verdict.outcome == ENVIRONMENT
        and any(r.alert == "blind" for r in _streak(runs, ENVIRONMENT))
    )
    match verdict.outcome:
        case "environment":
            is_long = escalation.after_runs and len(streak) + 1 >= escalation.after_runs
            return "blind" if is_long and not any(record.alert == "blind" for record in streak) else ""
        case "ok":
            last = told[-1].verdict.outcome if told else OK
            return "recovered" if last != OK else "sighted" if was_blind else ""
        case "degraded" if told and told[-1].verdict.outcome == FAILING:
            return "recovered"
        case outcome:
            if all(record.verdict.fingerprint != verdict.fingerprint for record in streak):
                return outcome
            return "escalated" if _is_too_long(streak, verdict, escalation) else "sighted" if was_blind else ""


def _is_too_long(streak: tuple[Record, ...], verdict: PastVerdict, escalation: Escalation) -> bool:
    if verdict.outcome != FAILING or any(record.is_escalated for record in streak):
        return False
    minutes = (_time(verdict.at) - _time(streak[0].verdict.at)).total_seconds() / 60
    by_runs = escalation.after_runs > 0 and len(streak) + 1 >= escalation.after_runs
    return by_runs or (escalation.after_minutes > 0 and minutes >= escalation.after_minutes)


def _time(at: str) -> datetime:
    return datetime.fromisoformat(at)


def _sdk_changed(told: tuple[Record, ...], verdict: PastVerdict) -> tuple[str, ...]:
    """The parts of the SDK that changed since the last run that was ok."""
    green = next((record for record in reversed(told) if record.verdict.outcome == OK and record.verdict.sdk), None)
    if green is None or not verdict.sdk:
        return ()
    before, now = dict(green.verdict.sdk), dict(verdict.sdk)
    return tuple(
        f"{name}: {before[name]} -> {now[name]}" for name in before if name in now and before[name] != now[name]
    )


def _pending(history: tuple[Record | Delivery, ...], runs: tuple[Record, ...]) -> str:
    """The last alert if a channel did not receive it, also when the run was killed before it sent the alert."""
    last = next((record for record in reversed(runs) if record.alert), None)
    if last is None:
        return ""
    deliveries = [
        line for line in history
        if isinstance(line, Delivery) and line.project == last.verdict.project and line.alert == last.alert
        and line.run in {record.verdict.run for record in runs[runs.index(last) :]}
    ]  # fmt: skip
    return last.alert if not deliveries or deliveries[-1].failed else ""


def undelivered(history: tuple[Record | Delivery, ...], record: Record) -> tuple[str, ...] | None:
    """Return the channels that did not receive a pending alert; None when no channel was notified."""
    deliveries = [
        line for line in history
        if isinstance(line, Delivery) and line.project == record.verdict.project and line.alert == record.pending
    ]  # fmt: skip
    return deliveries[-1].failed if deliveries else None

"""One smoke run in the history: one small line with the data that the next run needs to find changes.

In: nothing. Out: frozen values. They hold no secret and no address that is one.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.model.codec import Count, ExitCode, Instant
from harness.model.results import VisitResult

OK, DEGRADED, FAILING, ENVIRONMENT = "ok", "degraded", "failing", "environment"
# The alerts that people are notified about.
ALERTS = ("degraded", "failing", "escalated", "recovered", "blind", "sighted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One visit to one entry, and what came of it."""

    entry: str
    number: int  # from 1
    bundle: str = ""
    result: VisitResult | None = None  # None when the page could not be visited
    problem: str = ""  # "" | "page": it cannot be visited | "conversation": it mounted, and does not answer
    told: str = ""  # the problem in words
    first_token_ms: float = -1  # of the message's reply

    @property
    def is_passed(self) -> bool:
        """Whether the widget mounted, and answered where it was asked to."""
        return self.problem == "" and self.result is not None and self.result.is_mounted

    @property
    def mount_ms(self) -> float:
        """From the opening, or the last click, to the verdict; -1 without a mount."""
        result = self.result
        return round(result.decided_at_ms - result.opened_at_ms, 1) if result and result.is_mounted else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class PastVerdict:
    """What one run found, before anybody looks at the runs before it."""

    at: str  # ISO 8601, UTC
    run: str  # the name of its folder
    project: str
    outcome: str  # OK | DEGRADED | FAILING | ENVIRONMENT
    cause: str = ""  # a rule's name; the first reason when it is degraded
    title: str = ""
    summary: str = ""
    remedy: str = ""
    blame: str = ""
    fingerprint: str = ""  # the same for the same cause
    reasons: tuple[str, ...] = ()  # why it is degraded
    exit_code: ExitCode = 0
    attempts: Count = 0
    mount_ms: Instant = -1  # the slowest entry's
    first_token_ms: Instant = -1
    preflight_ms: Instant = -1
    sdk: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One run in the history: its verdict, and what it means after the runs before it."""

    verdict: PastVerdict
    since: str  # when this outcome began
    runs: Count  # with this outcome in a row
    first_seen: str = ""  # this cause, ever
    times_seen: Count = 0
    before: str = ""  # the last outcome that was another one, "" when there was none
    before_title: str = ""  # what it was, with the rule's name
    before_since: str = ""
    sdk_changed: tuple[str, ...] = ()  # since the last run that was ok
    alert: str = ""  # one of ALERTS, "" when there is nothing new
    pending: str = ""  # an earlier alert that was not delivered, and is sent again
    is_escalated: bool = False  # in this outage


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The channels that received an alert."""

    run: str
    project: str
    alert: str
    failed: tuple[str, ...] = ()  # channels

"""States of a smoke run without a rule: it was slow, needed a retry, or was not possible.

In: nothing. Out: their texts by name, and why a passed run is degraded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.analysis.diagnosis import General
from harness.analysis.rules.rule import Layer, Party
from harness.analysis.smoke.blame import party_of
from harness.model.history import Attempt
from harness.model.hops import PreflightResult
from harness.model.results import Finding

PAGE_NOT_VISITED = "page-not-visited"
CONVERSATION_FAILED = "conversation-failed"
BROWSER_MISSING = "browser-missing"
RETRIED = "passed-after-retry"
SLOW_MOUNT = "slow-mount"
SLOW_REPLY = "slow-reply"
NOT_PREFETCHED = "secret-not-prefetched"

STATES: dict[str, General] = {
    PAGE_NOT_VISITED: General(
        layer=Layer.PAGE,
        owner=Party.APP,
        title="The page cannot be visited",
        cause="There is no server, the response is not a web page, or the page has no such button.",
        remedy="Open the page in a browser, and compare base_url, page and entries with the deployment.",
    ),
    CONVERSATION_FAILED: General(
        layer=Layer.BACKEND,
        owner=Party.APP,  # in hosted mode it is the API
        title="The widget mounted and does not reply",
        cause="The widget mounted, and the message of the smoke test received no reply, or an error that no rule "
        "explains.",
        remedy="Read the timeline of the bundle from the line on which the message was sent.",
    ),
    BROWSER_MISSING: General(
        layer=Layer.NETWORK,
        owner=Party.NETWORK,
        title="This machine cannot visit the page",
        cause="There is no browser, or it does not start, or it crashed.",
        remedy="Run chatkit-harness doctor to check this machine.",
    ),
    RETRIED: General(
        layer=Layer.NETWORK,
        owner=Party.NOBODY,
        title="It passed only after a retry",
        cause="A failure did not occur again: a server was starting, a deployment was running, a server was "
        "overloaded, or the network was interrupted.",
        remedy="Read the result of the first attempt. If it happens often, create an alert for it.",
    ),
    SLOW_MOUNT: General(
        layer=Layer.PAGE,
        owner=Party.APP,
        title="The widget was slow to mount",
        cause="One of the steps was slow; the milestones of the visit show which one.",
        remedy="Compare the milestones with an earlier run's; set smoke.slow_mount_ms to what is acceptable.",
    ),
    SLOW_REPLY: General(
        layer=Layer.BACKEND,
        owner=Party.APP,
        title="The first words of the reply were slow",
        cause="The model, earlier steps of the workflow, or the backend was slow.",
        remedy="Compare with earlier runs; set smoke.first_token_ms to what is acceptable.",
    ),
    NOT_PREFETCHED: General(
        layer=Layer.SESSION,
        owner=Party.APP,
        title="The client secret was not pre-fetched",
        cause='The project has prefetch = "required", and the secret was not pre-fetched.',
        remedy='Fetch the secret before the element is rendered, or set prefetch = "allowed".',
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """The time limits for "slow"."""

    slow_mount_ms: float
    first_token_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DegradedReason:
    """One reason why a passed run is degraded."""

    rule: str
    title: str
    told: str
    remedy: str
    blame: str

    @property
    def line(self) -> str:
        """The reason with its name."""
        return f"{self.rule}: {self.told}"


def reasons_of(
    preflight: PreflightResult,
    stopping: tuple[Finding, ...],
    attempts: tuple[Attempt, ...],
    patience: Patience,
    earlier: tuple[str, ...],
) -> Iterator[DegradedReason]:
    """Yield why a passed run is degraded. `stopping`: findings that would have failed it. `earlier`: causes of earlier preflights."""
    for finding in preflight.findings:
        if finding not in stopping:
            is_disproved = finding.rule not in preflight.warnings
            yield _of_finding(finding, "; the visits passed" if is_disproved else "")
    if earlier:
        yield _state(RETRIED, f"the preflight passed at attempt {len(earlier) + 1}, before it: {', '.join(earlier)}")
    last = {attempt.entry: attempt for attempt in attempts}
    for attempt in last.values():
        yield from _of_attempt(attempt, attempts, patience)


def _of_attempt(attempt: Attempt, attempts: Iterable[Attempt], patience: Patience) -> Iterator[DegradedReason]:
    entry, result = attempt.entry, attempt.result
    if attempt.number > 1:
        before = [_name(other) for other in attempts if other.entry == entry and other is not attempt]
        yield _state(RETRIED, f"{entry} passed at attempt {attempt.number}, before it: {', '.join(before)}")
    if attempt.mount_ms > patience.slow_mount_ms:
        yield _state(SLOW_MOUNT, f"{entry} took {attempt.mount_ms / 1000:.1f} s")
    if attempt.first_token_ms > patience.first_token_ms:
        yield _state(SLOW_REPLY, f"{entry} took {attempt.first_token_ms / 1000:.1f} s")
    if result is not None and not result.is_prefetch_accepted:
        yield _state(NOT_PREFETCHED, f"{entry}: {result.prefetch}")
    for finding in result.also if result is not None else ():
        yield _of_finding(finding, "")


def _name(attempt: Attempt) -> str:
    """The name of the cause of a failed attempt."""
    if attempt.result is None or attempt.problem:
        return PAGE_NOT_VISITED if attempt.problem != "conversation" else CONVERSATION_FAILED
    return attempt.result.cause.rule if attempt.result.cause else attempt.result.reason


def _state(name: str, told: str) -> DegradedReason:
    state = STATES[name]
    return DegradedReason(rule=name, title=state.title, told=told, remedy=state.remedy, blame=state.owner.value)


def _of_finding(finding: Finding, more: str) -> DegradedReason:
    return DegradedReason(
        rule=finding.rule,
        title=finding.title,
        told=finding.summary + more,
        remedy=finding.remedy,
        blame=party_of(finding.rule).value,
    )

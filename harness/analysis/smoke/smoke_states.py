"""States of a smoke run that are no finding about a page: it was slow, needed a retry, or could not be made.

In: nothing. Out: their texts by name, and what a run that passed has to say for itself.
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
        cause="Nothing listens there, it is no web page, or the button that opens the chat is not on it.",
        remedy="Open it by hand; compare base_url, page and entries with the deployment.",
    ),
    CONVERSATION_FAILED: General(
        layer=Layer.BACKEND,
        owner=Party.APP,  # in hosted mode it is the API
        title="The widget stands and does not answer",
        cause="It mounted, and the message that the smoke test sent was not answered, or with an error that no rule knows.",
        remedy="Read the bundle from the line on which the message was sent.",
    ),
    BROWSER_MISSING: General(
        layer=Layer.NETWORK,
        owner=Party.NETWORK,
        title="This machine cannot make visits",
        cause="There is no browser, or it does not start or died.",
        remedy="chatkit-harness doctor says what works here.",
    ),
    RETRIED: General(
        layer=Layer.NETWORK,
        owner=Party.NOBODY,
        title="It passed only after a retry",
        cause="Something failed once, and not the next time: a server that wakes up, a deployment, an overload, a network that drops.",
        remedy="Look at what the first attempt says; when it happens often, raise an alarm for that.",
    ),
    SLOW_MOUNT: General(
        layer=Layer.PAGE,
        owner=Party.APP,
        title="The widget took long to mount",
        cause="One of the steps took its time; the milestones of the visit say which.",
        remedy="Compare the milestones with an earlier run's; set smoke.slow_mount_ms to what is acceptable.",
    ),
    SLOW_REPLY: General(
        layer=Layer.BACKEND,
        owner=Party.APP,
        title="The first words of the reply took long",
        cause="The model, the workflow's steps before it, or the backend.",
        remedy="Compare with earlier runs; set smoke.first_token_ms to what is acceptable.",
    ),
    NOT_PREFETCHED: General(
        layer=Layer.SESSION,
        owner=Party.APP,
        title="The client secret was not fetched as it has to be",
        cause='The project says prefetch = "required", and the secret came another way.',
        remedy='Fetch it before the element is rendered, or set prefetch = "allowed".',
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """From where on something is slow."""

    slow_mount_ms: float
    first_token_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a run that passed is not quite well."""

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
) -> Iterator[Reason]:
    """Yield why a run that passed is not quite well. `stopping`: what it would have failed with. `earlier`: causes of preflights before."""
    for finding in preflight.findings:
        if finding not in stopping:
            is_disproved = finding.rule not in preflight.warnings
            yield _of_finding(finding, "; the visits came through" if is_disproved else "")
    if earlier:
        yield _state(RETRIED, f"the preflight passed at attempt {len(earlier) + 1}, before it: {', '.join(earlier)}")
    last = {attempt.entry: attempt for attempt in attempts}
    for attempt in last.values():
        yield from _of_attempt(attempt, attempts, patience)


def _of_attempt(attempt: Attempt, attempts: Iterable[Attempt], patience: Patience) -> Iterator[Reason]:
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
    """What stopped an attempt, by its name."""
    if attempt.result is None or attempt.problem:
        return PAGE_NOT_VISITED if attempt.problem != "conversation" else CONVERSATION_FAILED
    return attempt.result.cause.rule if attempt.result.cause else attempt.result.reason


def _state(name: str, told: str) -> Reason:
    state = STATES[name]
    return Reason(rule=name, title=state.title, told=told, remedy=state.remedy, blame=state.owner.value)


def _of_finding(finding: Finding, more: str) -> Reason:
    return Reason(
        rule=finding.rule,
        title=finding.title,
        told=finding.summary + more,
        remedy=finding.remedy,
        blame=party_of(finding.rule).value,
    )

"""What a smoke run came to: preflight and visits together, with one cause and whose it is.

In: a `PreflightResult` and attempts. Out: a `Verdict`. It knows nothing of the runs before.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.analysis.blame import Party, party_of
from harness.analysis.diagnosis import GENERAL
from harness.model.history import DEGRADED, ENVIRONMENT, FAILING, OK, Attempt, Verdict
from harness.model.hops import PreflightResult
from harness.model.results import Finding, VisitResult

MOST_REASONS = 12
PASSED_AFTER_RETRY = 7
EXIT_CODES = {"preflight": 12, "visit": 1, "environment": 13, "page": 14}
VARYING = re.compile(r"\d+|[0-9a-f]{8,}|<redacted:[^>]*>", re.IGNORECASE)
# States of a run that are no finding of a rule.
PAGE_NOT_VISITED = "page-not-visited"
CONVERSATION_FAILED = "conversation-failed"
BROWSER_MISSING = "browser-missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """From where on something is slow."""

    slow_mount_ms: float
    first_token_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a run is not ok."""

    rule: str
    title: str
    summary: str
    remedy: str
    blame: str
    source: str  # a key of EXIT_CODES


def verdict_of(
    preflight: PreflightResult,
    attempts: tuple[Attempt, ...],
    *,
    at: str,
    run: str,
    patience: Patience,
    environment: str = "",
) -> Verdict:
    """Return what a run came to. `environment`: what this machine lacked for the visits, "" for nothing."""
    last = {attempt.entry: attempt for attempt in attempts}
    cause = _cause(preflight, tuple(last.values()), environment)
    reasons = tuple(dict.fromkeys(_reasons(preflight, last.values(), patience)))[:MOST_REASONS]
    if cause is None and reasons:
        cause = _degraded(reasons, preflight)
    outcome = OK if cause is None else DEGRADED if cause.source == DEGRADED else _outcome(cause)
    return Verdict(
        at=at,
        run=run,
        project=preflight.preflight.project,
        outcome=outcome,
        cause=cause.rule if cause else "",
        title=cause.title if cause else "",
        summary=cause.summary if cause else "",
        remedy=cause.remedy if cause else "",
        blame=cause.blame if cause else "",
        fingerprint=fingerprint_of(cause.rule, cause.summary) if cause else "",
        reasons=reasons if outcome == DEGRADED else (),
        exit_code=_exit_code(outcome, cause),
        attempts=len(attempts),
        mount_ms=max((a.mount_ms for a in last.values()), default=-1),
        first_token_ms=max((a.first_token_ms for a in last.values()), default=-1),
        preflight_ms=round(sum(max(hop.total_ms, 0) for hop in preflight.preflight.hops), 1),
        sdk=preflight.preflight.sdk,
    )


def _outcome(cause: Cause) -> str:
    return ENVIRONMENT if cause.source == "environment" else FAILING


def _exit_code(outcome: str, cause: Cause | None) -> int:
    if outcome == DEGRADED:
        return PASSED_AFTER_RETRY
    return EXIT_CODES[cause.source] if cause else 0


def fingerprint_of(rule: str, summary: str) -> str:
    """Return what is the same for the same cause: a rule is a cause, and what no rule knows is told apart by its words."""
    words = VARYING.sub("#", summary) if rule in GENERAL or rule in (PAGE_NOT_VISITED, CONVERSATION_FAILED) else ""
    return hashlib.sha256(f"{rule}\n{words}".encode()).hexdigest()[:12]


# --- causes -------------------------------------------------------------------------------------------------------


def _cause(preflight: PreflightResult, last: tuple[Attempt, ...], environment: str) -> Cause | None:
    """Why it is failing, or cannot be told: of preflight and visit the one that is nearer to the root."""
    if preflight.outcome == "environment" and preflight.cause:
        return _of_finding(preflight.cause, "environment")
    failed = next((attempt for attempt in last if not attempt.is_passed), None)
    if preflight.cause and (failed is None or _says_more(preflight.cause, failed)):
        return _of_finding(preflight.cause, "preflight")
    if failed is not None:
        return _of_attempt(failed)
    if environment:
        return Cause(
            rule=BROWSER_MISSING,
            title="This machine cannot make visits",
            summary=environment,
            remedy="chatkit-harness doctor says what works here.",
            blame=Party.NETWORK.value,
            source="environment",
        )
    return None


def _says_more(finding: Finding, failed: Attempt) -> bool:
    """Whether the preflight's cause is about the link at which the visit broke, or an earlier one that explains it."""
    cause = failed.result.cause if failed.result else None
    return cause is None or cause.rule == "unexplained" or cause.layer == finding.layer


def _of_finding(finding: Finding, source: str) -> Cause:
    return Cause(
        rule=finding.rule,
        title=finding.title,
        summary=finding.summary,
        remedy=finding.remedy,
        blame=party_of(finding.rule, finding.layer).value,
        source=source,
    )


def _of_attempt(attempt: Attempt) -> Cause:
    result = attempt.result
    if attempt.problem == "page" or result is None:
        return Cause(
            rule=PAGE_NOT_VISITED,
            title="The page cannot be visited",
            summary=_first_line(attempt.told),
            remedy="Open it by hand; compare base_url, page and entries with the deployment.",
            blame=Party.APP.value,
            source="page",
        )
    if attempt.problem == "conversation":
        return _of_conversation(attempt, result)
    if result.cause:
        return _of_finding(result.cause, "visit")
    return Cause(
        rule=result.reason,
        title=f"The widget did not mount: {result.reason}",
        summary=result.explanation,
        remedy="Read the bundle.",
        blame=Party.NOBODY.value,
        source="visit",
    )


def _of_conversation(attempt: Attempt, result: VisitResult) -> Cause:
    """The widget stands and does not answer; a finding about the backend says why, where there is one."""
    finding = next(
        (f for f in result.findings if f.layer in ("chat backend", "session endpoint", "OpenAI sessions API")), None
    )
    if finding:
        return _of_finding(finding, "visit")
    is_hosted = result.mode != "custom"
    return Cause(
        rule=CONVERSATION_FAILED,
        title="The widget stands and does not answer",
        summary=_first_line(attempt.told),
        remedy="Read the bundle from the line on which the message was sent.",
        blame=(Party.API if is_hosted else Party.APP).value,
        source="visit",
    )


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


# --- degraded -----------------------------------------------------------------------------------------------------


def _reasons(preflight: PreflightResult, last: Iterable[Attempt], patience: Patience) -> Iterator[str]:
    """Why a run that passed is not quite well. Numbers vary from run to run, and stand behind a colon."""
    for finding in preflight.findings:
        if finding.rule in preflight.warnings:
            yield f"{finding.rule}: {finding.summary}"
    for attempt in last:
        entry, result = attempt.entry, attempt.result
        if attempt.number > 1:
            yield f"retried {entry}: passed at attempt {attempt.number}"
        if attempt.mount_ms > patience.slow_mount_ms:
            yield f"slow mount of {entry}: {attempt.mount_ms / 1000:.1f} s"
        if attempt.first_token_ms > patience.first_token_ms:
            yield f"slow reply of {entry}: first words after {attempt.first_token_ms / 1000:.1f} s"
        if result is None:
            continue
        if not result.is_prefetch_accepted:
            yield f"secret of {entry}: {result.prefetch}"
        for found in result.also:
            yield f"{found.rule}: {found.summary}"


def _degraded(reasons: tuple[str, ...], preflight: PreflightResult) -> Cause:
    name = reasons[0].partition(":")[0]
    finding = next((f for f in preflight.findings if f.rule == name), None)
    blame = party_of(name, finding.layer).value if finding else party_of(name, "").value
    return Cause(
        rule=name, title=name if finding is None else finding.title, summary="; ".join(reasons),
        remedy=finding.remedy if finding else "Compare with earlier runs; the bundle has the details.", blame=blame, source=DEGRADED,
    )  # fmt: skip

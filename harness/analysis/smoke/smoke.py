"""The verdict of a smoke run: preflight and visits together, with one cause and the party that has to act.

In: a `PreflightResult` and attempts. Out: a `PastVerdict`. Earlier runs are not considered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.analysis.diagnosis import GENERAL
from harness.analysis.fingerprint import digest_of
from harness.analysis.rules.rule import Party
from harness.analysis.smoke.blame import party_of
from harness.analysis.smoke.smoke_states import (
    BROWSER_MISSING,
    CONVERSATION_FAILED,
    PAGE_NOT_VISITED,
    STATES,
    DegradedReason,
    Patience,
    reasons_of,
)
from harness.errors import ExitCode
from harness.model.history import DEGRADED, ENVIRONMENT, FAILING, OK, Attempt, PastVerdict
from harness.model.hops import HopKind, PreflightResult
from harness.model.results import Finding, VisitResult

MOST_REASONS = 12
EXIT_CODES = {
    "preflight": ExitCode.PREFLIGHT_FAILED,
    "visit": ExitCode.FAILED,
    "environment": ExitCode.BROKEN_ENVIRONMENT,
    "page": ExitCode.PAGE_NOT_VISITED,
}
SEEN_BY_VISITS = (HopKind.PAGE, HopKind.LOADER, HopKind.FRAME, HopKind.APP_SESSION, HopKind.BACKEND)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeCause:
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
    earlier: tuple[str, ...] = (),
    environment: str = "",
) -> PastVerdict:
    """Return the verdict of a run.

    `earlier`: the causes of earlier preflights of this run. `environment`: what this machine lacked for the visits.
    """
    last = {attempt.entry: attempt for attempt in attempts}
    stopping = _stopping(preflight, tuple(last.values()))
    cause = _cause(preflight, stopping, tuple(last.values()), environment)
    reasons = tuple(dict.fromkeys(reasons_of(preflight, stopping, attempts, patience, earlier)))[:MOST_REASONS]
    if cause is None and reasons:
        cause = _degraded(reasons)
    outcome = OK if cause is None else DEGRADED if cause.source == DEGRADED else _outcome(cause)
    return PastVerdict(
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
        reasons=tuple(reason.line for reason in reasons) if outcome == DEGRADED else (),
        exit_code=_exit_code(outcome, cause),
        attempts=len(attempts),
        mount_ms=max((a.mount_ms for a in last.values()), default=-1),
        first_token_ms=max((a.first_token_ms for a in last.values()), default=-1),
        preflight_ms=round(sum(max(hop.total_ms, 0) for hop in preflight.preflight.hops), 1),
        sdk=preflight.preflight.sdk,
    )


def _outcome(cause: SmokeCause) -> str:
    return ENVIRONMENT if cause.source == "environment" else FAILING


def _exit_code(outcome: str, cause: SmokeCause | None) -> int:
    if outcome == DEGRADED:
        return ExitCode.PASSED_AFTER_RETRY
    return EXIT_CODES[cause.source] if cause else ExitCode.PASSED


def fingerprint_of(rule: str, summary: str) -> str:
    """Return the identity of a cause: its rule, or its text when no rule explains it."""
    is_told_by_words = rule in GENERAL or rule in (PAGE_NOT_VISITED, CONVERSATION_FAILED)
    return digest_of(rule, summary if is_told_by_words else "")


# --- causes -------------------------------------------------------------------------------------------------------


def _stopping(preflight: PreflightResult, last: tuple[Attempt, ...]) -> tuple[Finding, ...]:
    """The preflight's findings that no visit disproves: a browser that mounted the widget overrules the preflight."""
    fatal = tuple(f for f in preflight.findings if f.rule not in preflight.warnings)
    if preflight.outcome != "failed" or not last or not all(attempt.is_passed for attempt in last):
        return fatal
    kinds = {hop.number: hop.kind for hop in preflight.preflight.hops}
    return tuple(f for f in fatal if not all(kinds[number] in SEEN_BY_VISITS for number in f.evidence))


def _cause(
    preflight: PreflightResult, stopping: tuple[Finding, ...], last: tuple[Attempt, ...], environment: str
) -> SmokeCause | None:
    """Why it is failing or has no result: the cause of the preflight or of the visit, whichever is earlier in the chain."""
    if preflight.outcome == "environment" and preflight.cause:
        return _of_finding(preflight.cause, "environment")
    failed = next((attempt for attempt in last if not attempt.is_passed), None)
    if stopping and (failed is None or _says_more(stopping[0], failed)):
        return _of_finding(stopping[0], "preflight")
    if failed is not None:
        return _of_attempt(failed)
    if environment:
        return _of_state(BROWSER_MISSING, environment, "environment")
    return None


def _says_more(finding: Finding, failed: Attempt) -> bool:
    """Whether the preflight's cause concerns the layer at which the visit failed, or an earlier one that explains it."""
    cause = failed.result.cause if failed.result else None
    return cause is None or cause.rule == "unexplained" or cause.layer == finding.layer


def _of_finding(finding: Finding, source: str) -> SmokeCause:
    return SmokeCause(
        rule=finding.rule,
        title=finding.title,
        summary=finding.summary,
        remedy=finding.remedy,
        blame=party_of(finding.rule).value,
        source=source,
    )


def _of_attempt(attempt: Attempt) -> SmokeCause:
    result = attempt.result
    if attempt.problem == "page" or result is None:
        return _of_state(PAGE_NOT_VISITED, _first_line(attempt.told), "page")
    if attempt.problem == "conversation":
        return _of_conversation(attempt, result)
    if result.cause:
        return _of_finding(result.cause, "visit")
    return SmokeCause(
        rule=result.reason,
        title=f"The widget did not mount: {result.reason}",
        summary=result.explanation,
        remedy="Read the bundle.",
        blame=Party.NOBODY.value,
        source="visit",
    )


def _of_conversation(attempt: Attempt, result: VisitResult) -> SmokeCause:
    """The widget mounted and does not reply; a finding about the backend explains it, if there is one."""
    finding = next(
        (f for f in result.findings if f.layer in ("chat backend", "session endpoint", "OpenAI sessions API")), None
    )
    if finding:
        return _of_finding(finding, "visit")
    failed = _of_state(CONVERSATION_FAILED, _first_line(attempt.told), "visit")
    return failed if result.mode == "custom" else replace(failed, blame=Party.API.value)


def _of_state(name: str, summary: str, source: str) -> SmokeCause:
    state = STATES[name]
    return SmokeCause(
        rule=name, title=state.title, summary=summary, remedy=state.remedy, blame=state.owner.value, source=source
    )


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def may_pass(preflight: PreflightResult) -> bool:
    """Whether a failed preflight may pass on a retry: something was unavailable or failed temporarily."""
    hops = {hop.number: hop for hop in preflight.preflight.hops}
    of_cause = [hops[number] for number in preflight.cause.evidence] if preflight.cause else []
    return any(hop.failure or hop.status >= 500 or hop.status == 429 for hop in of_cause)


def _degraded(reasons: tuple[DegradedReason, ...]) -> SmokeCause:
    first = reasons[0]
    return SmokeCause(
        rule=first.rule,
        title=first.title,
        summary="; ".join(reason.told for reason in reasons),
        remedy=first.remedy,
        blame=first.blame,
        source=DEGRADED,
    )

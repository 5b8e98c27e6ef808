"""The result of a visit, as one value for all reports."""

from __future__ import annotations

from dataclasses import dataclass

from harness.model.codec import Count, ExitCode, Instant, Seconds, Text


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneReached:
    """One step of the mount and when it was seen, on the timeline's clock."""

    name: str
    at_ms: Instant
    seq: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleProblem:
    """An error on the console, or an uncaught one."""

    seq: Count
    kind: str  # "console.error" | "uncaught"
    text: str
    is_allowed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One failing state of a visit, with its name, its evidence and what to do about it."""

    rule: str
    layer: str
    title: str
    summary: str  # what was seen in this visit
    cause: str  # why that happens
    remedy: str
    confidence: str  # "certain" | "likely" | "possible"
    evidence: tuple[Count, ...]  # lines of the timeline, never empty
    role: str  # "cause" | "also" | "consequence"
    caused_by: str = ""  # the rule of the finding that this one is a consequence of
    is_prediction: bool = False  # nothing broke yet: this is what would stop the mount next
    doc: str = ""  # a public page about it


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A file of a run that could not be written, or only in part."""

    file: str  # below the folder that is spoken of: the visit's in its result, the run's everywhere else
    reason: str  # in the system's words: "No space left on device"


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherEmbed:
    """The verdict on another embed of the page that has got its options."""

    seq: Count  # the line on which it was put into the page
    outcome: str  # as that of a visit
    reason: str
    explanation: str
    cause: Finding | None  # None when it mounted, or nothing is decided


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitResult:
    """The verdict on one embed of one visit, with all that is said of it."""

    project: str
    entry: str
    url: str
    scenario: str
    network: str
    browser: str
    started_at: str
    outcome: str  # "mounted" | "failed" | "timeout" | "undecided"
    reason: str
    explanation: str  # the reason as a sentence, with the facts it rests on
    last_milestone: str  # "" when none was reached
    next_milestone: str  # the first missing one; "" when none is
    opened_at_ms: Instant  # when the visit, or the last action on the page, began
    decided_at_ms: Instant  # -1 when undecided
    after_fact_ms: Instant  # from the deciding fact to the verdict
    evidence: tuple[Count, ...]
    milestones: tuple[MilestoneReached, ...]
    tracks: tuple[tuple[str, str], ...]
    mode: str  # "hosted" | "custom" | "unknown"
    has_ready_event: bool
    verification: str
    backend: str
    prefetch: str
    prefetch_expected: str  # "required" | "allowed"
    connected_page_ms: Instant
    secret_ended_page_ms: Instant
    secret_url: str
    console: tuple[ConsoleProblem, ...]
    facts: tuple[str, ...]  # the timeline lines worth reading first, as sentences
    findings: tuple[Finding, ...] = ()  # by earliest evidence
    others: tuple[OtherEmbed, ...] = ()  # each judged for itself
    missing: tuple[Loss, ...] = ()  # what should be in the bundle, and could not be written
    unreplayable: tuple[str, ...] = ()  # what a replay of it lacks, or, of a replay, what this one lacked: sentences

    @property
    def cause(self) -> Finding | None:
        """The finding that stopped the mount; None when the widget mounted, or nothing is decided."""
        return next((finding for finding in self.findings if finding.role == "cause"), None)

    @property
    def also(self) -> tuple[Finding, ...]:
        """Further faults that do not follow from the cause, predictions included."""
        return tuple(finding for finding in self.findings if finding.role == "also")

    @property
    def is_mounted(self) -> bool:
        """Whether the widget really mounted."""
        return self.outcome == "mounted"

    @property
    def is_console_clean(self) -> bool:
        """Whether every error on the console is one the project allows."""
        return all(problem.is_allowed for problem in self.console)

    @property
    def is_good(self) -> bool:
        """Whether the visit is all that its project asks for."""
        return self.is_mounted and self.is_prefetch_accepted and self.is_console_clean

    @property
    def is_prefetch_accepted(self) -> bool:
        """Whether the secret was fetched in a way the project accepts."""
        accepted = ("pre-fetched",) if self.prefetch_expected == "required" else ("pre-fetched", "on demand")
        return self.mode == "custom" or self.prefetch in accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class TestOutcome:
    """One test of a run, its last attempt."""

    __test__ = False  # its name starts with Test, and it is none

    nodeid: Text
    outcome: str  # "passed" | "failed" | "error" | "skipped" | "unfinished"
    attempts: Count
    duration_s: Seconds
    message: str  # why it failed or was skipped; "" when it passed
    exit_code: ExitCode  # of the HarnessError that failed it; 0 otherwise
    bundles: tuple[str, ...]  # folders, relative to the run's
    missing: tuple[Loss, ...] = ()  # what its bundles should hold, and could not be written

    @property
    def is_good(self) -> bool:
        """Whether the run can be green with it."""
        return self.outcome in ("passed", "skipped")

    @property
    def is_flaky(self) -> bool:
        """Whether it passed only after a retry."""
        return self.outcome == "passed" and self.attempts > 1

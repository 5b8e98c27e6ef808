"""The content of the report's page as values: the verdict, causes, tests and environment.

In: a `RunOnDisk`. Out: one frozen `ReportPage`. It chooses texts and order; the template has only headings.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from typing import Any

from harness.analysis.fingerprint import digest_of, fingerprint_of
from harness.errors import ExitCode
from harness.model.results import Finding, TestOutcome, VisitResult
from harness.model.run_record import RunRecord
from harness.report.context import render_verdict
from harness.report.run_on_disk import UNFINISHED, RunOnDisk, TestOnDisk, VisitOnDisk
from harness.report.terminal import short_name, verdict_of
from harness.report.trend import Trend

MOST_PLACES = 12
LONGEST_MESSAGE = 6_000
LONGEST_TITLE = 160
OURS = re.compile(r"^(?:EmbedError|MountFailed|MountTimeout|ConversationFailed): ")  # the sentence behind it says more
ONE_VISIT = ("check", "record", "repro")  # commands that make one
WORDS = ("failed", "error", UNFINISHED, "flaky", "passed", "skipped")  # worst first


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One segment of the bar that counts the tests."""

    word: str
    x: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One test or visit that a cause stopped."""

    name: str
    nodeid: str
    target: str  # the id of what the link leads to
    visit: str = ""
    evidence: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCause:
    """Failures with one fingerprint, or one finding of mounted visits."""

    id: str
    fingerprint: str
    title: str
    rule: str = ""
    confidence: str = ""
    layer: str = ""
    seen: str = ""
    why: str = ""
    remedy: str = ""
    doc: str = ""
    count_text: str
    places: tuple[Place, ...]
    more: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitRow:
    """One visit below its test."""

    id: str
    label: str
    headline: str
    explanation: str
    bundle: str
    on_disk: VisitOnDisk


@dataclass(frozen=True, slots=True, kw_only=True)
class TestRow:
    """One test of the list."""

    __test__ = False  # its name starts with Test, and it is none

    id: str
    name: str
    nodeid: str
    word: str
    is_good: bool
    verdict: str
    took: str
    message: str
    visits: tuple[VisitRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPage:
    """The whole page, without what is drawn later."""

    title: str
    kicker: str
    word: str  # "passed" | "failed" | …, of the whole run
    headline: str
    lead: str
    tally: tuple[Part, ...]
    tally_text: str
    meta: tuple[tuple[str, str], ...]
    problems: tuple[str, ...]
    causes: tuple[ShownCause, ...]
    causes_heading: str
    notes: tuple[ShownCause, ...]  # what was found in visits that mounted
    tests: tuple[TestRow, ...]
    tests_heading: str
    trend: Trend | None
    environment: tuple[tuple[str, str], ...]
    command: str
    version: str


def page_of(run: RunOnDisk, *, version: str, trend: Trend | None = None) -> ReportPage:
    """Return the page of a run."""
    rows = tuple(_rows(run))
    record = run.record
    causes, notes = _causes(run, rows), _notes(rows, record)
    word = _word(record, rows)
    headline = _headline(record, rows, word)
    counts = Counter(row.word for row in rows)
    return ReportPage(
        title=f"{headline} · {record.project or 'chatkit-harness'}",
        kicker=_kicker(record),
        word=word,
        headline=headline,
        lead=_lead(causes, notes, rows, record),
        tally=_tally(counts) if len(rows) > 1 else (),
        tally_text=_counted(counts),
        meta=_meta(record),
        problems=_problems(record),
        causes=causes,
        causes_heading=_causes_heading(causes, record, rows),
        notes=notes,
        tests=rows,
        tests_heading="Visit" if record.kind in ONE_VISIT else "Visits" if record.kind == "smoke" else "Tests",
        trend=trend,
        environment=_environment(record, run.folder.name, rows),
        command=record.command,
        version=version,
    )


def cleaned(value: Any, clean: Callable[[str], str]) -> Any:
    """Return a value of the page with every text in it cleaned; what is on disk stays as it is."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, tuple):
        return tuple(cleaned(item, clean) for item in value)
    if is_dataclass(value) and not isinstance(value, type) and not isinstance(value, VisitOnDisk):
        changes = {field.name: cleaned(getattr(value, field.name), clean) for field in fields(value)}
        return replace(value, **changes)
    return value


# --- the verdict --------------------------------------------------------------------------------------------------


def _word(record: RunRecord, rows: tuple[TestRow, ...]) -> str:
    """Return the word for the run: by its exit code, or by its worst test while it has none."""
    if record.kind == "smoke" and record.is_finished:
        return {0: "passed", 7: "flaky", 13: "error"}.get(record.exit_code, "failed")
    if not record.is_finished and record.kind != "merge":
        return UNFINISHED if not any(row.word == "failed" for row in rows) else "failed"
    is_worse = record.exit_code == 1 and record.kind not in ONE_VISIT  # than its tests: a baseline says so
    if is_worse and all(row.word in ("passed", "skipped", "flaky") for row in rows):
        return "failed"
    if record.exit_code in (0, 1, -1):
        words = {row.word for row in rows}
        return next((word for word in WORDS if word in words and word != "skipped"), "passed" if rows else "failed")
    return "flaky" if record.exit_code == 7 else UNFINISHED if record.exit_code == 2 else "error"


HEADLINES: dict[int, str] = {
    ExitCode.INTERRUPTED: "The run was interrupted",
    ExitCode.INTERNAL_ERROR: "Internal error in pytest",
    ExitCode.WRONG_USAGE: "The configuration or usage is wrong",
    ExitCode.NO_TEST_RAN: "No test ran",
    ExitCode.SECRET_FOUND: "A secret was found in the files of the run",
    ExitCode.BROKEN_ENVIRONMENT: "The environment is broken: the page was not judged",
    ExitCode.PAGE_NOT_VISITED: "The page could not be visited",
}


SMOKE_HEADLINES: dict[int, str] = {
    ExitCode.PASSED: "It works",
    ExitCode.PASSED_AFTER_RETRY: "The chat works, but is degraded",
    ExitCode.SECRET_FOUND: HEADLINES[ExitCode.SECRET_FOUND],
    ExitCode.BROKEN_ENVIRONMENT: "No result: this machine cannot visit the page",
}


def _headline(record: RunRecord, rows: tuple[TestRow, ...], word: str) -> str:
    if record.kind == "smoke" and record.is_finished:
        return SMOKE_HEADLINES.get(record.exit_code, "The chat does not work")
    if record.kind in ONE_VISIT and rows:
        return "The widget mounts" if rows[0].word == "passed" else "The widget does not mount"
    if record.exit_code in HEADLINES:
        return HEADLINES[record.exit_code]
    bad = sum(row.word not in ("passed", "skipped", "flaky") for row in rows)
    if not rows:
        return "No test ran"
    if not record.is_finished and record.kind != "merge":
        return f"The run was interrupted after {_tests(len(rows))}" + (f", {bad} of them did not pass" if bad else "")
    if record.exit_code == 1 and not bad:
        return "The run failed, although every test passed"
    if bad:
        return f"{bad} of {_tests(len(rows))} failed" if len(rows) > 1 else "The test failed"
    if word == "flaky":
        return "Passed, but only after a retry"
    return f"All {_tests(len(rows))} passed" if len(rows) > 1 else "The test passed"


def _lead(
    causes: tuple[ShownCause, ...], notes: tuple[ShownCause, ...], rows: tuple[TestRow, ...], record: RunRecord
) -> str:
    if len(causes) == 1:
        return causes[0].title.rstrip(".") + "."
    if causes:
        return f"{len(causes)} causes. The most frequent: {causes[0].title.rstrip('.')}."
    flaky = [row.name for row in rows if row.word == "flaky"]
    if flaky:
        return f"Flaky: {', '.join(flaky[:3])}" + (f" and {len(flaky) - 3} more." if len(flaky) > 3 else ".")
    if record.problems:
        return record.problems[0].splitlines()[0]
    return f"Worth knowing: {'; '.join(note.title.rstrip('.') for note in notes[:2])}." if notes else ""


def _tally(counts: Counter[str]) -> tuple[Part, ...]:
    total, x = sum(counts.values()), 0.0
    parts = []
    for word in WORDS:
        width = round(1000 * counts[word] / total, 2)
        if width:
            parts.append(Part(word=word, x=round(x, 2), width=max(width - 2, 1)))
        x += width
    return tuple(parts)


def _counted(counts: Counter[str]) -> str:
    return " · ".join(f"{counts[word]} {word}" for word in WORDS if counts[word])


def _tests(number: int) -> str:
    return f"{number} test" if number == 1 else f"{number} tests"


def _kicker(record: RunRecord) -> str:
    what = {
        "gate": "regression gate",
        "check": "check",
        "record": "recording",
        "repro": "replay of a recording",
        "pytest": "pytest",
        "merge": "merged report",
        "smoke": "smoke test",
    }
    shard = f", shard {record.shard}" if record.shard else f", {record.shards} shards" if record.shards else ""
    return what.get(record.kind, record.kind) + shard


# --- causes -------------------------------------------------------------------------------------------------------


def _causes(run: RunOnDisk, rows: tuple[TestRow, ...]) -> tuple[ShownCause, ...]:
    groups: dict[str, list[tuple[TestRow, VisitRow | None]]] = {}
    for test, row in zip(run.tests, rows, strict=True):
        if test.outcome.is_good:
            continue
        for key, visit in _stopped_by(test, row):
            groups.setdefault(key, []).append((row, visit))
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[1][0][0].name, item[0]))
    kind = run.record.kind
    return tuple(
        _cause(f"cause-{number}", key, members, kind) for number, (key, members) in enumerate(ordered, start=1)
    )


def _notes(rows: tuple[TestRow, ...], record: RunRecord) -> tuple[ShownCause, ...]:
    """Findings of mounted visits, each rule once, the most frequent first."""
    groups: dict[str, list[tuple[TestRow, VisitRow, Finding]]] = {}
    for row in rows:
        for visit in row.visits:
            result = visit.on_disk.result
            for finding in result.also if result and result.is_mounted else ():
                groups.setdefault(finding.rule, []).append((row, visit, finding))
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(
        _named(
            f"note-{number}",
            rule,
            found[0][2],
            _counted_members([(row, visit) for row, visit, _ in found], record.kind),
            tuple(_place(row, visit, finding) for row, visit, finding in found[:MOST_PLACES]),
            max(len(found) - MOST_PLACES, 0),
        )
        for number, (rule, found) in enumerate(ordered, start=1)
    )


def _stopped_by(test: TestOnDisk, row: TestRow) -> Iterator[tuple[str, VisitRow | None]]:
    """Yield the fingerprint of each visit of a failed test that went wrong; that of the test's own words when none did."""
    failed = [visit for visit in row.visits if visit.on_disk.result is not None and not visit.on_disk.result.is_mounted]
    for visit in failed:
        assert visit.on_disk.result is not None
        yield fingerprint_of(visit.on_disk.result), visit
    if not failed:
        first = next((visit for visit in row.visits), None)
        yield digest_of(test.outcome.outcome, _first_line(test.outcome.message)), first


def _cause(identity: str, key: str, members: list[tuple[TestRow, VisitRow | None]], kind: str) -> ShownCause:
    row, visit = members[0]
    result = visit.on_disk.result if visit else None
    finding = result.cause if result and not result.is_mounted else None
    count = _counted_members(members, kind)
    places = tuple(_place(row, visit, _cause_of(visit)) for row, visit in members[:MOST_PLACES])
    more = max(len(members) - MOST_PLACES, 0)
    if finding is not None:
        return _named(identity, key, finding, count, places, more)
    if result is not None and not result.is_mounted:
        title = result.explanation
        return ShownCause(
            id=identity, fingerprint=key, title=title, rule=result.reason, count_text=count, places=places, more=more
        )
    title = _first_line(row.message) or f"The test ended with {row.word} and has no message"
    return ShownCause(id=identity, fingerprint=key, title=title, count_text=count, places=places, more=more)


def _named(
    identity: str, fingerprint: str, finding: Finding, count: str, places: tuple[Place, ...], more: int
) -> ShownCause:
    return ShownCause(
        id=identity,
        fingerprint=fingerprint,
        title=finding.title,
        rule=finding.rule,
        confidence=finding.confidence,
        layer=finding.layer,
        seen=finding.summary,
        why=finding.cause,
        remedy=finding.remedy,
        doc=finding.doc if finding.doc.startswith("https://") else "",
        count_text=count,
        places=places,
        more=more,
    )


def _counted_members(members: Sequence[tuple[TestRow, VisitRow | None]], kind: str) -> str:
    tests = len({row.id for row, _ in members})
    visits = len({visit.id for _, visit in members if visit is not None})
    if kind in (*ONE_VISIT, "smoke"):  # their rows are visits, and no tests
        return f"{max(visits, tests)} visit" + ("s" if max(visits, tests) != 1 else "")
    return _tests(tests) if visits <= tests else f"{_tests(tests)}, {visits} visits"


def _cause_of(visit: VisitRow | None) -> Finding | None:
    result = visit.on_disk.result if visit else None
    return result.cause if result else None


def _place(row: TestRow, visit: VisitRow | None, finding: Finding | None) -> Place:
    several = len(row.visits) > 1 and visit is not None
    name = f"{row.name}, {visit.label}" if several and visit else row.name
    if visit is None:
        return Place(name=name, nodeid=row.nodeid, target=row.id)
    evidence = finding.evidence[:6] if finding else ()
    return Place(name=name, nodeid=row.nodeid, target=visit.id, visit=visit.id, evidence=evidence)


def _causes_heading(causes: tuple[ShownCause, ...], record: RunRecord, rows: tuple[TestRow, ...]) -> str:
    if len(causes) > 1:
        return f"{len(causes)} causes"
    if causes:
        return "Cause"
    if record.problems:
        return "What went wrong"
    return "Nothing failed" if rows else "Nothing to show"


def _first_line(message: str) -> str:
    line = next((line.strip() for line in message.splitlines() if line.strip()), "")
    line = OURS.sub("", line, count=1)
    return line if len(line) <= LONGEST_TITLE else f"{line[: LONGEST_TITLE - 1]}…"


# --- tests --------------------------------------------------------------------------------------------------------


def _rows(run: RunOnDisk) -> Iterator[TestRow]:
    number = 0
    for index, test in enumerate(run.tests, start=1):
        visits = []
        for position, visit in enumerate(test.visits, start=1):
            number += 1
            visits.append(_visit_row(f"v{number}", f"visit {position}", visit))
        yield _test_row(f"t{index}", test, tuple(visits), run.record)


def _test_row(identity: str, test: TestOnDisk, visits: tuple[VisitRow, ...], record: RunRecord) -> TestRow:
    outcome = test.outcome
    results = [visit.on_disk.result for visit in visits if visit.on_disk.result is not None]
    said = "; ".join(dict.fromkeys(verdict_of(result) for result in results))
    name = results[0].url if record.kind in ONE_VISIT and results else short_name(outcome.nodeid)
    return TestRow(
        id=identity,
        name=name,
        nodeid=outcome.nodeid,
        word="flaky" if outcome.is_flaky else outcome.outcome,
        is_good=outcome.is_good and not outcome.is_flaky,
        verdict=said or _first_line(outcome.message),
        took=_took(outcome),
        message=_message(outcome),
        visits=visits,
    )


def _took(outcome: TestOutcome) -> str:
    attempts = f", {outcome.attempts} attempts" if outcome.attempts > 1 else ""
    return f"{outcome.duration_s:.1f} s{attempts}" if outcome.duration_s else attempts.removeprefix(", ")


def _message(outcome: TestOutcome) -> str:
    text = outcome.message
    return (
        text
        if len(text) <= LONGEST_MESSAGE
        else (f"{text[:LONGEST_MESSAGE]}\n… truncated; see tests.jsonl for the rest")
    )


def _visit_row(identity: str, label: str, visit: VisitOnDisk) -> VisitRow:
    result = visit.result
    if result is None:
        headline, explanation = "This visit cannot be read.", visit.trouble
    else:
        headline = f"{render_verdict(result)}."
        explanation = result.explanation if not result.is_mounted else _mounted(result)
        if not visit.is_finished:
            explanation = (
                f"{explanation} The visit was interrupted; this is the result of its timeline up to that point."
            )
        elif not visit.is_whole:
            explanation = f"{explanation} The bundle is incomplete: {visit.trouble}."
    return VisitRow(
        id=identity, label=label, headline=headline, explanation=explanation, bundle=visit.bundle, on_disk=visit
    )


def _mounted(result: VisitResult) -> str:
    also = ", ".join(dict.fromkeys(finding.title for finding in result.also))
    return f"Also found: {also}." if also else ""


# --- environment --------------------------------------------------------------------------------------------------


def _meta(record: RunRecord) -> tuple[tuple[str, str], ...]:
    return _filled(
        ("Project", record.project),
        ("Network", record.network),
        ("Browser", record.browser),
        ("Started", moment(record.started_at)),
        ("Took", duration(record.started_at, record.ended_at)),
        ("Commit", record.commit[:12]),
    )


def _environment(record: RunRecord, folder: str, rows: tuple[TestRow, ...]) -> tuple[tuple[str, str], ...]:
    browsers = {visit.on_disk.result.browser for row in rows for visit in row.visits if visit.on_disk.result}
    return _filled(
        ("Project", record.project),
        ("Network", record.network),
        ("Browser", ", ".join(sorted(filter(None, browsers))) or record.browser),
        *(tuple(version.rsplit(" ", 1)) for version in record.versions if " " in version),  # type: ignore[arg-type]
        ("Started", moment(record.started_at)),
        ("Ended", moment(record.ended_at) if record.is_finished else "no: it was interrupted, or is still running"),
        ("Exit code", str(record.exit_code) if record.exit_code >= 0 else ""),
        ("Shard", record.shard),
        ("Shards joined", str(record.shards) if record.shards else ""),
        ("Commit", record.commit),
        ("CI job", record.ci_url),
        ("Run", folder),
    )


def _problems(record: RunRecord) -> tuple[str, ...]:
    return record.problems


def _filled(*pairs: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in pairs if value)


def moment(instant: str) -> str:
    """Return an ISO instant as people write it: "24 November 2026, 10:43:51 UTC"; as it is when it is none."""
    try:
        at = datetime.fromisoformat(instant)
    except ValueError:
        return instant
    return f"{at.day} {at:%B %Y, %H:%M:%S} UTC"


def duration(started_at: str, ended_at: str) -> str:
    """Return the time between two instants in words; nothing when one is missing."""
    try:
        seconds = (datetime.fromisoformat(ended_at) - datetime.fromisoformat(started_at)).total_seconds()
    except (ValueError, TypeError):
        return ""
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"

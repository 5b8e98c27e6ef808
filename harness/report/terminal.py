"""A run on a terminal: one line for each test as it finishes, and the table at the end.

In: outcomes and visit results. Out: rich renderables; colour only marks what the words say too.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.model.results import TestOutcome, VisitResult

STYLES = {"passed": "green", "failed": "bold red", "error": "bold red", "skipped": "yellow"}
Rows = Iterable[tuple[TestOutcome, tuple[VisitResult, ...]]]


def test_line(outcome: TestOutcome, visits: tuple[VisitResult, ...]) -> Text:
    """Return the line that says how one test ended."""
    line = Text("  ")
    line.append(f"{outcome.outcome:8}", STYLES[outcome.outcome])
    line.append(short_name(outcome.nodeid))
    said = "; ".join(dict.fromkeys(_verdict(visit) for visit in visits))
    retried = f"after {outcome.attempts} attempts" if outcome.attempts > 1 else ""
    line.append("  " + ", ".join(filter(None, (f"{outcome.duration_s:.1f} s", retried, said))), "dim")
    return line


def failure_text(outcome: TestOutcome) -> RenderableType:
    """Return what a test has to say for itself, indented below its line."""
    return Padding(Text(outcome.message), (0, 0, 1, 10))


def run_table(rows: Rows) -> RenderableType:
    """Return the table: test, verdict, milestones with milliseconds after the visit began, pre-fetch, bundle."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("test", "verdict", "pre-fetch", "milestones (ms after the page was opened)  ·  bundle"):
        table.add_column(heading, overflow="fold", header_style="bold")
    for outcome, visits in rows:
        name = short_name(outcome.nodeid)
        if not visits:
            table.add_row(Text(name), Text(outcome.outcome, STYLES[outcome.outcome]), "", Text("no visit", "dim"))
        for visit, bundle in zip(visits, outcome.bundles, strict=False):
            verdict = Text(_verdict(visit), "green" if visit.is_mounted else "bold red")
            details = Group(Text(milestones(visit)), Text(bundle, "dim"))
            table.add_row(Text(name), verdict, Text(visit.prefetch), details)
            name = ""
    return table


def milestones(visit: VisitResult) -> str:
    """Return the milestones in the order in which they are reached, each with its time after the visit began."""
    reached = " → ".join(f"{m.name} {m.at_ms - visit.opened_at_ms:.0f}" for m in visit.milestones)
    return reached or "none"


def short_name(nodeid: str) -> str:
    """Return a test's name as a person would say it: no browser in brackets, no `test_`."""
    return nodeid.replace("[chromium-", "[").replace("[chromium]", "").replace("::test_", "::")


def _verdict(visit: VisitResult) -> str:
    if visit.is_mounted:
        return f"mounted {visit.decided_at_ms - visit.opened_at_ms:.0f} ms"
    return visit.outcome if visit.outcome == "undecided" else f"{visit.outcome}: {visit.reason}"

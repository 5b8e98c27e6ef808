"""A run on a terminal: one line for each finished test, and the table at the end.

In: outcomes and visit results. Out: rich renderables; colour repeats what the text says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from harness.model.results import TestOutcome, VisitResult

STYLES = {"passed": "green", "failed": "bold red", "error": "bold red", "skipped": "yellow", "unfinished": "bold red"}
SEPARATOR = " · "
Rows = Iterable[tuple[TestOutcome, tuple[VisitResult, ...]]]


def test_line(outcome: TestOutcome, visits: tuple[VisitResult, ...]) -> Text:
    """Return the line that says how one test ended."""
    line = Text("  ")
    line.append(f"{outcome.outcome:8}", STYLES[outcome.outcome])
    line.append(short_name(outcome.nodeid))
    said = "; ".join(dict.fromkeys(verdict_of(visit) for visit in visits))
    retried = f"after {outcome.attempts} attempts" if outcome.attempts > 1 else ""
    line.append("  " + ", ".join(filter(None, (f"{outcome.duration_s:.1f} s", retried, said))), "dim")
    return line


def failure_text(outcome: TestOutcome) -> Text:
    """Return the message of a test, indented below its line."""
    return Text("".join(f"{'':10}{line}\n" for line in outcome.message.splitlines()))


def run_table(rows: Rows, *, folder: str) -> RenderableType:
    """Return the table: test, verdict, pre-fetch, and below each visit its milestones, its cause and its bundle.

    `folder` is the run's, as a person would type it.
    """
    cells = [cell for outcome, visits in rows for cell in _cells(outcome, visits)]
    heading = ("test", "verdict", "client secret")
    widths = [max(len(row[column]) for row in (heading, *(cell.row for cell in cells))) for column in range(3)]
    lines: list[Text] = [_line(heading, widths, "bold")]
    for cell in cells:
        lines.append(_line(cell.row, widths, STYLES[cell.style]))
        lines += [Text(f"  {detail}", "dim") for detail in cell.details]
        lines += [Text(f"  {folder}/{cell.bundle}", "dim")] if cell.bundle else []
    return Group(*lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    """One visit in the table, or one test without any."""

    row: tuple[str, str, str]
    style: str
    details: tuple[str, ...] = ()
    bundle: str = ""


def _cells(outcome: TestOutcome, visits: tuple[VisitResult, ...]) -> Iterator[_Cell]:
    name = short_name(outcome.nodeid)
    if not visits:
        bundle = outcome.bundles[0] if outcome.bundles else ""
        yield _Cell(row=(name, outcome.outcome, ""), style=outcome.outcome, bundle=bundle)
    for visit, bundle in zip(visits, outcome.bundles, strict=False):
        said = verdict_of(visit)
        row = (name, f"unfinished, {said}" if outcome.outcome == "unfinished" else said, visit.prefetch)
        details = tuple(_folded(milestones(visit)))
        details += (f"cause: {visit.cause.title}",) if visit.cause else ()
        details += (f"also: {also_line(visit)}",) if visit.also else ()
        yield _Cell(row=row, style=outcome.outcome, details=details, bundle=bundle)


def _line(row: tuple[str, str, str], widths: list[int], style: str) -> Text:
    padded = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
    return Text("  ".join(padded[:1])).append("  ").append(padded[1], style).append(f"  {row[2]}")


def _folded(text: str, width: int = 118) -> Iterator[str]:
    """Yield the text in lines that break at the dots between milestones."""
    line = ""
    for part in text.split(SEPARATOR):
        if line and len(line) + len(part) + len(SEPARATOR) > width:
            yield line
            line = ""
        line += (SEPARATOR if line else "") + part
    yield line


def milestones(visit: VisitResult) -> str:
    """Return the milestones in the order they stand for, each with milliseconds since the visit began."""
    return SEPARATOR.join(f"{m.name} {m.at_ms:.0f}" for m in visit.milestones) or "no milestone reached"


def short_name(nodeid: str) -> str:
    """Return a test's name without what is the same everywhere: the usual browser, `test_`."""
    return (
        nodeid.replace("-chromium]", "]").replace("[chromium-", "[").replace("[chromium]", "").replace("::test_", "::")
    )


def verdict_of(visit: VisitResult) -> str:
    """Return the verdict in a few words."""
    if visit.is_mounted:
        return f"mounted in {visit.decided_at_ms - visit.opened_at_ms:.0f} ms"
    return visit.outcome if visit.outcome == "undecided" else f"{visit.outcome}: {cause_of(visit)}"


def cause_of(visit: VisitResult) -> str:
    """Return the rule or reason that stopped a mount."""
    return visit.cause.rule if visit.cause else visit.reason


def also_line(visit: VisitResult) -> str:
    """Return the names of the other findings; "" when there are none."""
    return ", ".join(f"{f.rule} (prediction)" if f.is_prediction else f.rule for f in visit.also)

"""Regressions against the baseline: as text for a terminal, and as a file for other programs.

In: a `ReplayComparison`, and the paths of the bundles. Out: text, plain values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from harness.analysis.baseline import BaselineComparison, Regression
from harness.report.terminal import short_name

FORMAT = "chatkit-harness/regressions"
VERSION = 1
FILE_NAME = "regressions.json"
ACCEPT = "chatkit-harness gate --update-baseline"
MOST_NAMES = 10
Bundles = Mapping[tuple[str, int], str]  # the folder of a visit by test and number, relative to the current folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The two sides of a comparison."""

    file: str  # the baseline's path, relative to the current folder
    project: str
    browser: str
    visits: int  # how many there are in both
    control_ms: float | None
    baseline_control_ms: float | None


def render_comparison(
    compared: Compared, comparison: BaselineComparison, bundles: Bundles, *, is_accepted: bool = False
) -> str:
    """Return the comparison in lines: the regressions with their remedies first, then what was not compared."""
    lines = [_heading(compared, comparison)]
    for regression in comparison.regressions:
        lines += _regression(regression, bundles, "accepted" if is_accepted else "REGRESSION")
    if comparison.regressions and not is_accepted:
        lines.append(f"  to accept intended changes: {ACCEPT} {compared.file}")
    for regression in comparison.passing:
        lines.append(
            f"  not reproduced, so not a regression: {_what(regression)} in {_where(regression)}: {regression.now}"
        )
    lines += _named("new", comparison.new, "" if is_accepted else f"to add: {ACCEPT} {compared.file}")
    lines += _named("in the baseline, but not in this run", comparison.missing)
    lines += [f"  note: {note}" for note in comparison.notes]
    return "\n".join(lines)


def _heading(compared: Compared, comparison: BaselineComparison) -> str:
    count = len(comparison.regressions)
    said = "no regression" if not count else "1 regression" if count == 1 else f"{count} regressions"
    visits = "1 visit" if compared.visits == 1 else f"{compared.visits} visits"
    machine = ""
    if compared.control_ms and compared.baseline_control_ms:
        machine = (
            f"; control visit: {compared.control_ms:.0f} ms, in the baseline {compared.baseline_control_ms:.0f} ms"
        )
    return f"baseline: {said} in {visits} against {compared.file}{machine}"


def _regression(regression: Regression, bundles: Bundles, label: str) -> Iterator[str]:
    bundle = bundles.get((regression.test, regression.visit), "")
    yield f"  {label}: {_what(regression)}"
    yield f"    in:       {_where(regression)}"
    yield f"    baseline: {regression.before}"
    yield f"    now:      {regression.now}"
    if label == "REGRESSION":
        yield f"    to fix:   {regression.remedy}"
    if bundle:
        yield f"    bundle:   {bundle}"


def _what(regression: Regression) -> str:
    return f"{regression.kind}: {regression.what}"


def _where(regression: Regression) -> str:
    number = f", visit {regression.visit}" if regression.visit > 1 else ""
    return short_name(regression.test) + number


def _named(what: str, names: Iterable[str], fix: str = "") -> list[str]:
    shown = [short_name(name) for name in names]
    if not shown:
        return []
    more = f", and {len(shown) - MOST_NAMES} more" if len(shown) > MOST_NAMES else ""
    return [f"  {what}: {', '.join(shown[:MOST_NAMES])}{more}" + (f" ({fix})" if fix else "")]


def saved_comparison(compared: Compared, comparison: BaselineComparison, bundles: Bundles) -> dict[str, Any]:
    """Return the content of `regressions.json`."""

    def rows(regressions: Iterable[Regression]) -> list[dict[str, Any]]:
        return [asdict(r) | {"bundle": bundles.get((r.test, r.visit), "")} for r in regressions]

    return {
        "format": FORMAT,
        "version": VERSION,
        **asdict(compared),
        "regressions": rows(comparison.regressions),
        "not_seen_again": rows(comparison.passing),
        "new": list(comparison.new),
        "missing": list(comparison.missing),
        "notes": list(comparison.notes),
    }

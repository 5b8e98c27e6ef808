"""A visit in words: the sentences of a failed expectation, `error-context.md`, `console.log`.

In: a `VisitResult` and entries. Out: text. The cause comes first, raw data last.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.model.events import ConsoleMessage, PageErrorRaised
from harness.model.results import VisitResult
from harness.model.timeline import Entry

MOST_LINES = 12
MOST_FACTS = 5
LONGEST_LINE = 400


def render_verdict(result: VisitResult) -> str:
    """Return the verdict as one line."""
    where = f"{result.entry or 'page'} on {result.url}"
    if result.is_mounted:
        return f"mounted: {where} after {result.decided_at_ms - result.opened_at_ms:.0f} ms"
    word = {"failed": "NOT MOUNTED", "timeout": "NOT MOUNTED in time"}.get(result.outcome, "UNDECIDED")
    return f"{word}: {where} ({result.reason})"


def render_failure(result: VisitResult, *, bundle: str, expected: str = "") -> str:
    """Return what a failed expectation says: cause, last milestone, facts, where the bundle lies; 12 lines at most."""
    said = [
        *expected.splitlines(),
        render_verdict(result),
        f"  why:       {result.explanation}",
        f"  reached:   {result.last_milestone or 'nothing'}; missing: {result.next_milestone or 'nothing'}",
        f"  tracks:    {', '.join(f'{name} {state}' for name, state in result.tracks)}",
        f"  secret:    {render_prefetch(result)}",
    ]
    room = min(MOST_FACTS, max(MOST_LINES - 1 - len(said), 0))
    lines = [*said, *(f"  fact:      {fact}" for fact in result.facts[:room]), f"  bundle:    {bundle}"]
    return "\n".join(line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 3] + "..." for line in lines)


def render_prefetch(result: VisitResult) -> str:
    """Return the pre-fetch outcome with its two times on the page's clock."""
    text = result.prefetch
    if result.secret_ended_page_ms >= 0 and result.connected_page_ms >= 0:
        text += f" (secret there at {result.secret_ended_page_ms:.0f} ms, element connected at {result.connected_page_ms:.0f} ms)"
    return text


def render_error_context(result: VisitResult, *, bundle: str, files: Iterable[str]) -> str:
    """Return the failure on one page, for people and for coding agents."""
    rows = "\n".join(f"| {m.name} | {m.at_ms:.0f} | {m.seq} |" for m in result.milestones)
    facts = "\n".join(f"- {fact}" for fact in result.facts) or "- none: nothing failed visibly"
    console = (
        "\n".join(f"- {p.kind}: {p.text.splitlines()[0]}  [line {p.seq}]" for p in result.console[:10]) or "- clean"
    )
    evidence = ", ".join(map(str, result.evidence)) or "none"
    return f"""# {render_verdict(result)}

{result.explanation}

- Verdict: **{result.outcome}**, reason `{result.reason}`{_times(result)}
- Last milestone reached: `{result.last_milestone or "none"}`; first one missing: `{result.next_milestone or "none"}`
- Tracks: {", ".join(f"{name} `{state}`" for name, state in result.tracks)}
- Mode: {result.mode}; domain check: {result.verification}; backend: {result.backend}; \
`chatkit.ready` fired: {"yes (it only means that the iframe loaded something)" if result.has_ready_event else "no"}
- Client secret: {render_prefetch(result)}{f", from {result.secret_url}" if result.secret_url else ""}
- Lines of `timeline.jsonl` that decided it: {evidence}

## What happened

{facts}

## Milestones

| milestone | ms | timeline line |
|---|---|---|
{rows or "| none | | |"}

## Console errors

{console}

## Where

- Page: {result.url}
- Project `{result.project}`, entry `{result.entry or "page"}`{f", scenario `{result.scenario}`" if result.scenario else ""}, \
network {result.network}, {result.browser or "unknown browser"}, {result.started_at}
- Bundle: `{bundle}` with {", ".join(f"`{name}`" for name in files)}
"""


def _times(result: VisitResult) -> str:
    """When the verdict was passed; nothing when there is none."""
    if result.decided_at_ms < 0:
        return ""
    after_start_ms = result.decided_at_ms - result.opened_at_ms
    return f", {after_start_ms:.0f} ms after the start, {result.after_fact_ms:.0f} ms after the deciding fact"


def render_console(entries: Iterable[Entry]) -> str:
    """Return the console of a visit as text, one line a message: milliseconds, level, text, place."""
    lines = []
    for entry in entries:
        match entry.event:
            case ConsoleMessage(level=level, text=text, url=url, line=line):
                place = f"  ({url}:{line})" if url else ""
                lines.append(f"{entry.at_ms:9.1f} {level:8} {text}{place}")
            case PageErrorRaised(name=name, message=message, stack=stack):
                lines.append(f"{entry.at_ms:9.1f} uncaught {stack or f'{name}: {message}'}")
            case _:
                pass
    return "\n".join(lines) + "\n" if lines else "(the console stayed empty)\n"

"""A visit as text: the message of a failed expectation, `error-context.md`, `console.log`.

In: a `VisitResult` and entries. Out: text. The cause comes first, raw data last.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.model.events import ConsoleMessage, Omitted, PageErrorRaised
from harness.model.results import Finding, VisitResult
from harness.model.texts import first_line, markdown, one_line, visible
from harness.model.timeline import Entry

MOST_LINES = 12
LONGEST_LINE = 400


def render_verdict(result: VisitResult) -> str:
    """Return the verdict as one line."""
    where = f"{result.entry or 'page'} on {result.url}"
    if result.is_mounted:
        return f"mounted: {where} after {result.decided_at_ms - result.opened_at_ms:.0f} ms"
    cause = result.cause.rule if result.cause else result.reason
    word = {"failed": "NOT MOUNTED", "timeout": "NOT MOUNTED in time"}.get(result.outcome, "UNDECIDED")
    return f"{word}: {where} ({cause})"


def render_failure(result: VisitResult, *, bundle: str, expected: str = "") -> str:
    """Return the message of a failed expectation: the cause first, then other findings; 12 lines at most."""
    lines = [*expected.splitlines()[: MOST_LINES // 2], render_verdict(result), *render_cause(result)]
    lines.append(f"  reached:   {result.last_milestone or 'nothing'}; missing: {result.next_milestone or 'nothing'}")
    lines.append(f"  secret:    {render_prefetch(result)}")
    also = [f"  also:      {_also(finding)}" for finding in result.also]
    room = MOST_LINES - 1 - len(lines)
    if len(also) > room > 0:
        also = [*also[: room - 1], f"  also:      and {len(also) - room + 1} more, see error-context.md"]
    lines += also[: max(room, 0)]
    lines += (
        [f"  fact:      {fact}" for fact in result.facts[: max(MOST_LINES - 1 - len(lines), 0)]]
        if _is_unexplained(result)
        else []
    )
    lines.append(f"  bundle:    {bundle}")
    lines = [
        line.replace("\n", " ") for line in lines
    ]  # a line break in a page's text must not start a line of the message
    return "\n".join(line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 3] + "..." for line in lines)


def render_cause(result: VisitResult) -> list[str]:
    """Return the cause in four lines: title, observation, explanation, remedy. Without a cause: the explanation of the verdict."""
    cause = result.cause
    if cause is None:
        return [] if result.is_mounted else [f"  why:       {result.explanation}"]
    return [
        f"  cause:     {cause.title} ({cause.rule}, {cause.confidence})",
        f"  seen:      {cause.summary}  {_lines(cause)}",
        f"  why:       {cause.cause}",
        f"  to fix:    {cause.remedy}",
    ]


def _also(finding: Finding) -> str:
    kind = "prediction, " if finding.is_prediction else ""
    return f"{finding.title} ({finding.rule}, {kind}{finding.confidence}): {finding.summary}  {_lines(finding)}"


def _lines(finding: Finding) -> str:
    return f"[line{'s' if len(finding.evidence) > 1 else ''} {', '.join(map(str, finding.evidence))}]"


def _is_unexplained(result: VisitResult) -> bool:
    return not result.is_mounted and (result.cause is None or result.cause.rule == "unexplained")


def render_prefetch(result: VisitResult) -> str:
    """Return the pre-fetch outcome with its two times on the page's clock."""
    text = result.prefetch
    if result.secret_ended_page_ms >= 0 and result.connected_page_ms >= 0:
        text += f" (secret received at {result.secret_ended_page_ms:.0f} ms, element connected at {result.connected_page_ms:.0f} ms)"
    return text


def omissions_of(entries: Iterable[Entry]) -> tuple[str, ...]:
    """Return what the visit omitted, each with the limit that was reached."""
    found = (f"{e.event.what} (limit: {e.event.limit})" for e in entries if isinstance(e.event, Omitted))
    return tuple(one_line(text) for text in found)


def render_error_context(result: VisitResult, *, bundle: str, files: Iterable[str], omitted: Iterable[str] = ()) -> str:
    """Return the failure on one page, for people and for coding agents."""
    rows = "\n".join(f"| {m.name} | {m.at_ms:.0f} | {m.seq} |" for m in result.milestones)
    facts = "\n".join(f"- {markdown(fact)}" for fact in result.facts) or "- none"
    console = (
        "\n".join(f"- {p.kind}: {markdown(first_line(p.text))}  [line {p.seq}]" for p in result.console[:10])
        or "- clean"
    )
    evidence = ", ".join(map(str, result.evidence)) or "none"
    left_out = "".join(f"\n- Omitted: {markdown(what)}" for what in omitted)
    return f"""# {markdown(render_verdict(result))}

{markdown(result.explanation)}

{_findings(result)}## Verdict

- Verdict: **{result.outcome}**, reason `{result.reason}`{_times(result)}
- Last milestone reached: `{result.last_milestone or "none"}`; first one missing: `{result.next_milestone or "none"}`
- Tracks: {", ".join(f"{name} `{state}`" for name, state in result.tracks)}
- Mode: {result.mode}; domain check: {result.verification}; backend: {result.backend}; \
`chatkit.ready` fired: {"yes (it only means that the iframe loaded a document)" if result.has_ready_event else "no"}
- Client secret: {render_prefetch(result)}{f", from {markdown(result.secret_url)}" if result.secret_url else ""}
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

- Page: {markdown(result.url)}
- Project `{result.project}`, entry `{result.entry or "page"}`{f", scenario `{result.scenario}`" if result.scenario else ""}, \
network {result.network}, {result.browser or "unknown browser"}, {result.started_at}
{"".join(f"- Cannot be replayed exactly: {markdown(what)}{chr(10)}" for what in result.unreplayable)}\
- Bundle: `{bundle}` with {", ".join(f"`{name}`" for name in files)}{left_out}
{"".join(f"- Missing or incomplete: `{loss.file}` ({loss.reason}){chr(10)}" for loss in result.missing)}"""


def _times(result: VisitResult) -> str:
    """The time of the verdict; "" when there is none."""
    if result.decided_at_ms < 0:
        return ""
    after_start_ms = result.decided_at_ms - result.opened_at_ms
    return f", {after_start_ms:.0f} ms after the start, {result.after_fact_ms:.0f} ms after the deciding fact"


def _findings(result: VisitResult) -> str:
    """The cause, other findings and consequences, each with its evidence and its remedy."""
    headings = {"cause": "Cause", "also": "Also wrong", "consequence": "Consequences"}
    parts = []
    for role, heading in headings.items():
        findings = [finding for finding in result.findings if finding.role == role]
        parts += [f"## {heading}\n"] if findings else []
        parts += [_finding(finding) for finding in findings]
    return "\n".join(parts) + ("\n" if parts else "")


def _finding(finding: Finding) -> str:
    lines = [
        f"### {_own(finding.title)}",
        "",
        f"`{finding.rule}`, {finding.confidence}"
        + (", a prediction: this did not fail yet, but would stop the mount next" if finding.is_prediction else "")
        + (f", follows from `{finding.caused_by}`" if finding.caused_by else ""),
        "",
        f"- Seen: {markdown(finding.summary)}",
        f"- Evidence: timeline {_lines(finding)[1:-1]}",
    ]
    if finding.role != "consequence":
        lines += [f"- Why: {_own(finding.cause)}", f"- To fix: {_own(finding.remedy)}"]
        lines += [f"- See: {finding.doc}"] if finding.doc else []
    return "\n".join(lines) + "\n"


def render_console(entries: Iterable[Entry]) -> str:
    """Return the console of a visit as text: milliseconds, level, text, source; further lines of a text start with a bar."""
    lines = []
    for entry in entries:
        match entry.event:
            case ConsoleMessage(level=level, text=text, url=url, line=line):
                place = f"  ({one_line(url)}:{line})" if url else ""
                lines.append(f"{entry.at_ms:9.1f} {level:8} {_block(text)}{place}")
            case PageErrorRaised(name=name, message=message, stack=stack):
                lines.append(f"{entry.at_ms:9.1f} uncaught {_block(stack or f'{name}: {message}')}")
            case Omitted(what="console", limit=limit):
                lines.append(f"{entry.at_ms:9.1f} (the rest is omitted: limit {limit})")
            case _:
                pass
    return "\n".join(lines) + "\n" if lines else "(no console messages)\n"


def _block(text: str) -> str:
    """A text whose further lines cannot be mistaken for messages."""
    return visible(text).replace("\n", f"\n{'':18} | ")


def _own(text: str) -> str:
    """Our own text as Markdown: code stays code, and tags are shown as text."""
    return text.replace("<", "\\<")

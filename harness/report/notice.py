"""Notifications of a smoke run: the lines on the terminal, the message to a webhook, the GitHub issue, the metrics.

In: a `Record`. Out: texts. A changed SDK comes first, because it often explains a failure.
"""

from __future__ import annotations

from typing import Any

from harness.model.history import OK, Record

SIGNS = {"failing": ":red_circle:", "escalated": ":rotating_light:", "degraded": ":large_yellow_circle:",
         "recovered": ":large_green_circle:", "blind": ":white_circle:", "sighted": ":white_circle:"}  # fmt: skip
HEADLINES = {
    "failing": "{project} is FAILING: {title}",
    "escalated": "{project} is STILL failing since {since}, {runs} runs in a row: {title}",
    "degraded": "{project} is degraded: {title}",
    "recovered": "{project} has recovered ({outcome})",
    "blind": "{project}: no result for {runs} runs in a row, because this machine cannot judge: {title}",
    "sighted": "{project}: results are available again: {outcome}",
    "": "{project} is {outcome}",
}
BAD = ("degraded", "failing", "escalated")
LABEL = "chatkit-smoke"
OUTCOMES = ("ok", "degraded", "failing", "environment")


def marker_of(project: str) -> str:
    """Return the marker in an issue's text by which later runs find it."""
    return f"<!-- chatkit-harness smoke: {project} -->"


def headline(record: Record, alert: str) -> str:
    """Return the change in one line; a changed SDK comes first."""
    verdict = record.verdict
    first = "SDK changed since last green; " if record.sdk_changed and alert in BAD else ""
    return first + HEADLINES[alert].format(
        project=verdict.project, title=verdict.title, outcome=verdict.outcome, since=record.since, runs=record.runs
    )


def details(record: Record) -> list[str]:
    """Return the message about a run, in lines: the changed SDK first, then cause, owner, remedy and the earlier state."""
    verdict = record.verdict
    lines = sdk_lines(record)
    if verdict.cause:
        lines += [f"cause: {verdict.title} ({verdict.cause})", f"seen: {verdict.summary}"]
        lines += [f"who acts: {verdict.blame}", f"to fix: {verdict.remedy}"]
        again = f", {record.times_seen} times in this history" if record.times_seen > 1 else ""
        lines += [f"first seen: {record.first_seen}{again}"]
    if record.before and verdict.outcome != "environment":
        was = f": {record.before_title}" if record.before_title else ""
        lines += [f"before: {record.before} since {record.before_since}{was}"]
    times = [("mount", verdict.mount_ms), ("first words", verdict.first_token_ms), ("preflight", verdict.preflight_ms)]
    told = ", ".join(f"{name} {ms / 1000:.1f} s" for name, ms in times if ms >= 0)
    return [*lines, *([f"times: {told}"] if told else []), f"run: {verdict.run}, {verdict.at}"]


def sdk_lines(record: Record) -> list[str]:
    """Return the changes of the SDK since the last green run; "" when there are none."""
    return [f"SDK changed since last green: {'; '.join(record.sdk_changed)}"] if record.sdk_changed else []


def render_smoke(record: Record) -> str:
    """Return the end of a smoke run for a terminal."""
    verdict = record.verdict
    changed = sdk_lines(record)
    lines = [f"  {line}" for line in details(record)[len(changed) :]]
    streak = f", {record.runs} runs in a row since {record.since}" if record.runs > 1 else ""
    word = {"ok": "ok", "environment": "NO RESULT"}.get(verdict.outcome, verdict.outcome.upper())
    return "\n".join([*changed, f"smoke: {verdict.project} is {word}{streak}", *lines])


def webhook_json(record: Record, alert: str) -> dict[str, Any]:
    """Return the message in the format of Slack's incoming webhooks and compatible ones.

    Source: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
    """
    text = f"{SIGNS[alert]} {headline(record, alert)}"
    body = "\n".join(details(record))
    blocks = [_section(f"*{_escaped(headline(record, alert))}*"), _section(_escaped(body))]
    return {"text": _escaped(text), "blocks": blocks}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:2900]}}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def issue_of(record: Record, alert: str) -> dict[str, Any]:
    """Return a new issue as GitHub's API takes it."""
    project = record.verdict.project
    return {
        "title": f"Smoke test: {headline(record, 'failing' if alert == 'escalated' else alert)}"[:250],
        "body": f"{comment_of(record, alert)}\n\n{marker_of(project)}\n",
        "labels": [LABEL],
    }


def comment_of(record: Record, alert: str) -> str:
    """Return the text of an issue or a comment, in Markdown."""
    rows = "\n".join(f"- {line}" for line in details(record))
    return f"**{headline(record, alert)}**\n\n{rows}"


def render_metrics(record: Record) -> str:
    """Return the run as Prometheus's text format, for the node exporter's textfile collector.

    Source: https://prometheus.io/docs/instrumenting/exposition_formats/
    """
    verdict = record.verdict
    labels = f'project="{_label(verdict.project)}"'
    metrics: list[tuple[str, str, list[tuple[str, float]]]] = [
        ("up", "1 when the last run was ok or degraded", [(labels, float(verdict.outcome in (OK, "degraded")))]),
        ("outcome", "1 for the outcome of the last run",
         [(f'{labels},outcome="{name}"', float(name == verdict.outcome)) for name in OUTCOMES]),
        ("runs_in_a_row", "runs with this outcome", [(labels, float(record.runs))]),
        ("attempts", "visits of the last run", [(labels, float(verdict.attempts))]),
        ("exit_code", "of the last run", [(labels, float(verdict.exit_code))]),
    ]  # fmt: skip
    times = [("mount", verdict.mount_ms), ("first_token", verdict.first_token_ms), ("preflight", verdict.preflight_ms)]
    metrics += [(f"{name}_seconds", "of the last run", [(labels, ms / 1000)]) for name, ms in times if ms >= 0]
    if verdict.cause:
        cause = f'{labels},rule="{_label(verdict.cause)}",blame="{_label(verdict.blame)}"'
        metrics.append(("cause", "findings of the last run", [(cause, 1.0)]))
    if verdict.sdk:
        sdk = ",".join(f'{name}="{_label(value)}"' for name, value in verdict.sdk)
        metrics.append(("sdk_info", "the SDK that the CDN serves", [(f"{labels},{sdk}", 1.0)]))
    lines: list[str] = []
    for name, about, samples in metrics:
        lines += [f"# HELP chatkit_smoke_{name} {about}", f"# TYPE chatkit_smoke_{name} gauge"]
        lines += [f"chatkit_smoke_{name}{{{labelled}}} {value:g}" for labelled, value in samples]
    return "\n".join(lines) + "\n"


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

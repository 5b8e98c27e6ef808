"""What CI systems are told: GitHub's annotations, job summary and masks, GitLab's code quality report.

In: a `Page`. Out: texts, escaped for where they go and within its limits. https://docs.github.com/actions/reference/workflow-commands
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from typing import Any

from harness.report.page_model import Cause, Page, TestRow

MOST_ANNOTATIONS = 10  # of one kind that GitHub shows for a step
LARGEST_SUMMARY_BYTES = 1_000_000  # GitHub takes 1 MiB, and drops the whole when it is more
MOST_SUMMARY_TESTS = 200
SHORTEST_MASK = 4
MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~@-])")
CUT = "\n\n… cut here; the whole is in report.html\n"


# --- GitHub -------------------------------------------------------------------------------------------------------


def mask_commands(values: Iterable[str]) -> Iterator[str]:
    """Yield the commands that make GitHub hide values in its log from then on; a value of several lines line by line."""
    for value in values:
        for line in re.split(r"[\r\n]+", value):
            if len(line.strip()) >= SHORTEST_MASK:
                yield f"::add-mask::{_data(line)}"


def render_annotations(page: Page) -> tuple[str, ...]:
    """Return an error for each cause, a warning for each flaky test and for a smoke test that is degraded, within GitHub's limits."""
    # A smoke test that passed at its second attempt has causes, too.
    kind = "warning" if page.word == "flaky" else "error"
    told = [_annotation(kind, "Run", problem) for problem in page.problems]
    told += [_of_cause(kind, cause) for cause in page.causes]
    flaky = [row for row in page.tests if row.word == "flaky"]
    warnings = [_annotation("warning", "Flaky test", f"{row.name} passed only after a retry", row) for row in flaky]
    if kind == "warning":
        return _bounded("warning", [*told, *warnings], "warnings")
    return (*_bounded("error", told, "causes"), *_bounded("warning", warnings, "flaky tests"))


def _of_cause(kind: str, cause: Cause) -> str:
    lines = [cause.seen, f"Why: {cause.why}" if cause.why else "", f"To fix: {cause.remedy}" if cause.remedy else ""]
    where = ", ".join(place.name for place in cause.places[:5])
    lines += [f"Where: {where}" + (f" and {len(cause.places) + cause.more - 5} more" if len(cause.places) > 5 else "")]
    title = f"{cause.title} ({cause.rule})" if cause.rule else cause.title
    return _annotation(kind, title, "\n".join(filter(None, lines)), cause.places[0] if cause.places else None)


def _annotation(kind: str, title: str, message: str, place: Any = None) -> str:
    nodeid = getattr(place, "nodeid", "")
    path = nodeid.partition("::")[0]
    file = f"file={_property(path)}," if path.endswith(".py") else ""
    return f"::{kind} {file}title={_property(title)}::{_data(message)}"


def _bounded(kind: str, commands: list[str], what: str) -> tuple[str, ...]:
    if len(commands) <= MOST_ANNOTATIONS:
        return tuple(commands)
    kept = commands[: MOST_ANNOTATIONS - 1]
    return (*kept, f"::{kind} title=More::{len(commands) - len(kept)} more {what}, see report.html")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def render_summary(page: Page, *, room_bytes: int = LARGEST_SUMMARY_BYTES) -> str:
    """Return the job summary: the verdict, the causes with their remedies, the tests that are not good. Markdown."""
    marks = {"passed": "✅", "flaky": "⚠️"}
    lines = [f"## {marks.get(page.word, '❌')} {markdown(page.headline)}", ""]
    lines += [markdown(page.lead), ""] if page.lead else []
    lines += [markdown(" · ".join(filter(None, [page.tally_text, *(value for _, value in page.meta)]))), ""]
    lines += [f"> {markdown(problem.splitlines()[0])}\n" for problem in page.problems]
    for cause in page.causes:
        lines += [f"### {markdown(cause.title)}", ""]
        lines += [f"**{name}:** {markdown(text)}  " for name, text in _told(cause) if text]
        lines += [f"**Where:** {', '.join(markdown(place.name) for place in cause.places)}", ""]
    bad = [row for row in page.tests if not row.is_good]
    if bad:
        lines += ["| test | outcome | verdict |", "|---|---|---|", *map(_row, bad[:MOST_SUMMARY_TESTS])]
        lines += [f"\n{len(bad) - MOST_SUMMARY_TESTS} more are not good."] if len(bad) > MOST_SUMMARY_TESTS else []
    return _cut("\n".join(lines).rstrip() + "\n", room_bytes)


def _told(cause: Cause) -> tuple[tuple[str, str], ...]:
    rule = f"{cause.rule}, {cause.confidence}" if cause.confidence else cause.rule
    return (("Rule", rule), ("Seen", cause.seen), ("Why", cause.why), ("To fix", cause.remedy))


def _row(row: TestRow) -> str:
    return f"| {markdown(row.name)} | {markdown(row.word)} | {markdown(row.verdict)} |"


def markdown(text: str) -> str:
    """Return a text that Markdown shows as it is, in one line."""
    return MARKDOWN.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False))


def _cut(text: str, room_bytes: int) -> str:
    content = text.encode("utf-8", "replace")
    if len(content) <= room_bytes:
        return content.decode()
    room = room_bytes - len(CUT.encode())
    return content[:room].decode("utf-8", "ignore") + CUT if room > 0 else ""


# --- GitLab -------------------------------------------------------------------------------------------------------


def code_quality(page: Page) -> list[dict[str, Any]]:
    """Return GitLab's code quality report: one issue for each cause and place."""
    return [
        {
            "description": f"{cause.title}. {cause.remedy}".strip(),
            "check_name": cause.rule or "test-failed",
            "fingerprint": f"{cause.fingerprint}-{place.nodeid}",
            "severity": "major",
            "location": {"path": place.nodeid.partition("::")[0] or "playwright.config.toml", "lines": {"begin": 1}},
        }
        for cause in page.causes
        for place in cause.places
    ]

"""A visit in words: the twelve lines of a failed expectation, the page of the bundle, the console."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from builders import (
    TRANSCRIPTS,
    Step,
    Steps,
    console_message,
    entries,
    hosted,
    mock_secret,
    page_error,
    page_with_loader,
    pause,
    session_refused,
    visit_started,
)

from harness.analysis.mount.verdict import judge
from harness.analysis.result import result_of
from harness.model.limits import Limits
from harness.model.results import ConsoleProblem, VisitResult
from harness.model.texts import visible, with_texts
from harness.report.context import render_console, render_error_context, render_failure, render_prefetch, render_verdict

BUNDLE = "test-results/run-1/test-topic-generation"


def result(*steps: Step | Steps, now_ms: float | None = 1e9, **visit: Any) -> VisitResult:
    """Return the result of a visit when nothing happens after these steps."""
    lines = entries(visit_started(**visit), *steps)
    judgement = judge(lines, Limits(), now_ms=now_ms)
    return result_of(lines, limits=Limits(), started_at="2026-11-24T08:00:00.000+00:00", judgement=judgement)


NOISY: Steps = [*mock_secret(), *(page_error(f"line one\nline two {n}\r\nline three") for n in range(30))]

RESULTS: dict[str, VisitResult] = {
    **{name: result(steps[1:]) for name, steps in TRANSCRIPTS.items()},
    "noisy": result(NOISY),
    "undecided": result(page_with_loader(), now_ms=None),
    "nothing": result(now_ms=None),
    "without names": result(hosted()[1:], entry="", scenario="", browser="", browser_version="", viewport=""),
    "a long address": result(session_refused(error_text="x" * 5_000), url="https://app.test/" + "p" * 5_000),
}
every_result = pytest.mark.parametrize("got", RESULTS.values(), ids=RESULTS.keys())


# --- the failure --------------------------------------------------------------------------------------------------


@every_result
@pytest.mark.parametrize("expected", ["", "expected the widget to be mounted"])
def test_a_failure_is_told_in_twelve_lines(got: VisitResult, expected: str) -> None:
    """However much went wrong, and however long its words are."""
    lines = render_failure(got, bundle=BUNDLE, expected=expected).splitlines()
    assert len(lines) <= 12
    assert all(len(line) <= 400 for line in lines)
    assert sum(line.startswith("  fact:") for line in lines) <= 5
    assert lines[0] == expected or not expected
    assert lines[-1] == f"  bundle:    {BUNDLE}"


@every_result
def test_nothing_is_told_that_is_not_there(got: VisitResult) -> None:
    """No None, no -1, no empty pair of quotes."""
    for text in (render_failure(got, bundle=BUNDLE), render_error_context(got, bundle=BUNDLE, files=["dom.html"])):
        assert "None" not in text
        assert " -1" not in text
        assert "``" not in text


def test_a_failure_says_why_how_far_and_where() -> None:
    """Cause first, with its evidence and its remedy; then milestones, the secret, and the bundle."""
    assert render_failure(result(page_with_loader()[1:], session_refused()), bundle=BUNDLE, expected="expected it") == (
        "expected it\n"
        "NOT MOUNTED: topic-generation on https://app.test/chat (session-unauthorized)\n"
        "  cause:     The app's session endpoint rejects the user (session-unauthorized, certain)\n"
        "  seen:      POST https://app.test/api/chatkit/session answered 401 (Sign in first.)  [lines 15, 16, "
        "18]\n"
        "  why:       The app's own authentication answers 401: no user is signed in, the session has expired, or "
        "the cookie or token was not sent.\n"
        "  to fix:    Sign in before the widget is rendered. Send credentials: 'include', or the bearer token, "
        "with the request.\n"
        "  reached:   element-defined; missing: element-connected\n"
        "  secret:    never\n"
        f"  bundle:    {BUNDLE}"
    )


def test_words_of_the_page_do_not_break_a_line() -> None:
    """A message of several lines is told on one, also what was expected."""
    noisy = result(hosted()[1:], NOISY[-30:])
    text = render_failure(noisy, bundle=BUNDLE, expected="expected a clean console;\nthere were 2 errors")
    assert "line one line two" in text
    assert text.splitlines()[:2] == ["expected a clean console;", "there were 2 errors"]
    assert len(text.splitlines()) == 12


VERDICTS = {
    "hosted": "mounted: topic-generation on https://app.test/chat after 341 ms",
    "session-refused": "NOT MOUNTED: topic-generation on https://app.test/chat (session-unauthorized)",
    "never-answered": "NOT MOUNTED in time: topic-generation on https://app.test/chat (secret-never-answered)",
    "undecided": "UNDECIDED: topic-generation on https://app.test/chat (undecided)",
    "without names": "mounted: page on https://app.test/chat after 341 ms",
}


@pytest.mark.parametrize(("name", "line"), VERDICTS.items(), ids=VERDICTS.keys())
def test_the_verdict_is_one_line(name: str, line: str) -> None:
    """For the head of every report."""
    assert render_verdict(RESULTS[name]) == line


def test_the_prefetch_shows_its_two_times() -> None:
    """In the page's milliseconds, when both are known."""
    assert render_prefetch(RESULTS["hosted"]) == "pre-fetched (secret received at 60 ms, element connected at 100 ms)"
    assert render_prefetch(RESULTS["deadlock"]) == "never"


# --- the page of the bundle ---------------------------------------------------------------------------------------


@every_result
def test_the_page_has_everything_in_its_place(got: VisitResult) -> None:
    """Headings, the verdict first, raw data last; each milestone a row."""
    text = render_error_context(got, bundle=BUNDLE, files=["console.log", "timeline.jsonl"])
    lines = text.splitlines()
    assert lines[0] == f"# {render_verdict(got)}"
    assert lines[2].replace("\\<", "<") == got.explanation
    headings = [line for line in lines if line.startswith("## ")]
    roles = {finding.role for finding in got.findings}
    told = [("cause", "## Cause"), ("also", "## Also wrong"), ("consequence", "## Consequences")]
    assert headings == [
        *(heading for role, heading in told if role in roles),
        "## Verdict",
        "## What happened",
        "## Milestones",
        "## Console errors",
        "## Where",
    ]
    assert all(f"| {milestone.name} | " in text for milestone in got.milestones)
    assert f"- Bundle: `{BUNDLE}` with `console.log`, `timeline.jsonl`" in lines
    assert text.endswith("\n")


def test_an_undecided_page_does_not_invent_times() -> None:
    """There is no verdict that could have come after something."""
    text = render_error_context(RESULTS["undecided"], bundle=BUNDLE, files=[])
    assert "- Verdict: **undecided**, reason `undecided`\n" in text
    assert "ms after" not in text


def test_console_errors_stand_one_on_a_line() -> None:
    """The first ten, by their first line; one without a text is told all the same."""
    errors = [console_message(text, "error") for text in ("", "a\nb", " \n", *map(str, range(20)))]
    text = render_error_context(result(hosted()[1:], errors), bundle=BUNDLE, files=[])
    section = text.partition("## Console errors\n\n")[2].partition("\n\n")[0].splitlines()
    assert len(section) == 10
    assert section[0].startswith("- console.error: (without text)  [line ")
    assert section[1].startswith("- console.error: a  [line ")
    assert section[2].startswith("- console.error: (without text)  [line ")
    assert "- clean\n" in render_error_context(RESULTS["hosted"], bundle=BUNDLE, files=[])


# --- console ------------------------------------------------------------------------------------------------------


def test_the_console_is_text_with_times_and_places() -> None:
    """One line a message; an uncaught error with its stack, behind a bar."""
    lines = entries(
        console_message("hello", "log", url="", line=0),
        pause(1_234.5),
        console_message("careful", "warning", url="https://app.test/a.js", line=7),
        page_error("x is not defined", stack="ReferenceError: x is not defined\n    at a.js:1"),
        page_error("y is not defined"),
        *hosted(),
    )
    assert render_console(lines) == (
        "      1.0 log      hello\n"
        "   1236.5 warning  careful  (https://app.test/a.js:7)\n"
        "   1237.5 uncaught ReferenceError: x is not defined\n                   |     at a.js:1\n"
        "   1238.5 uncaught ReferenceError: y is not defined\n"
    )


def test_an_empty_console_says_so() -> None:
    """An empty file looks like a mistake."""
    assert render_console(entries(hosted(check=[]))) == "(no console messages)\n"


# --- a page that wants to write the report itself -----------------------------------------------------------------

EVIL = "x\n# MOUNTED\n  bundle:    /tmp/evil\n- Seen: nothing <img src=https://evil.example/> \x1b[2J\u202e`"


def test_a_page_cannot_write_lines_of_ours() -> None:
    """Its messages end no line, move no cursor, and are no markup: in what fails, in the page of the bundle, in the console."""
    found = RESULTS["deadlock"].findings[0]
    evil = replace(
        RESULTS["deadlock"],
        url="https://app.test/" + EVIL,
        explanation=EVIL,
        facts=(EVIL,),
        secret_url=EVIL,
        findings=(replace(found, summary=EVIL, role="cause"), replace(found, summary=EVIL, role="also")),
        console=(ConsoleProblem(seq=1, kind="uncaught", text=EVIL, is_allowed=False),),
    )
    evil = with_texts(evil, visible)  # as every result is made
    told = render_failure(evil, bundle=BUNDLE, expected="expected a widget")
    assert [line for line in told.splitlines() if line.startswith("  bundle:")] == [f"  bundle:    {BUNDLE}"]
    assert len(told.splitlines()) <= 12
    page = render_error_context(evil, bundle=BUNDLE, files=[])
    assert [line for line in page.splitlines() if line.startswith("# ")] == [page.splitlines()[0]]
    assert page.splitlines()[0].startswith("# NOT MOUNTED")
    assert len([line for line in page.splitlines() if line.startswith("- Seen: nothing")]) == 0
    assert re.search(r"(?<!\\)<img", page) is None
    console = render_console(entries(console_message(EVIL), page_error(EVIL, stack=EVIL)))
    assert len([line for line in console.splitlines() if not line.startswith(" " * 19 + "| ")]) == 2
    for text in (told, page, console):
        assert visible(text) == text


def test_an_empty_console_error_has_a_line() -> None:
    """A page may log nothing at all as an error."""
    empty = replace(
        RESULTS["hosted"], console=(ConsoleProblem(seq=7, kind="console.error", text="", is_allowed=False),)
    )
    assert "- console.error:   [line 7]" in render_error_context(empty, bundle=BUNDLE, files=[])

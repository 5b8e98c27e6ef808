"""A run as a page, merged from shards, for CI systems: what is said first, and that the same run says the same."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from builders import TRANSCRIPTS, box_changed, hosted, mock_secret
from runs import bundle_of, outcome, record, write_bundle, write_outcomes, write_run

from harness.errors import BundleError
from harness.model.events import BoxChanged
from harness.model.history import Delivery, PastVerdict, Record
from harness.report.bundle import write_text
from harness.report.ci_systems import (
    GITHUB,
    GITLAB,
    MOST_ANNOTATIONS,
    CiSystem,
    ci_commit,
    ci_system,
    ci_url,
    code_quality,
    mask_commands,
    render_annotations,
    render_summary,
)
from harness.report.ctrf import render_ctrf
from harness.report.history import History
from harness.report.islands import LARGEST_PICTURE_BYTES
from harness.report.merge import merge_runs, runs_named
from harness.report.page_model import ReportPage, page_of
from harness.report.run_on_disk import read_run, write_record
from harness.report.run_report import write_report
from harness.report.trend import Night, nights_of, trend_of

RUN = "run-20261124-080000-abcd"
SEVERAL = {name: TRANSCRIPTS[name] for name in ("hosted", "mock-secret", "frame-refused", "hidden", "custom")}


def page(folder: Path) -> ReportPage:
    """Return the page of a run."""
    return page_of(read_run(folder), version="0.1.0")


# --- the page -----------------------------------------------------------------------------------------------------


def test_the_verdict_and_the_causes_come_first(tmp_path: Path) -> None:
    """One cause that stopped two tests stands once, before another that stopped one."""
    seen = page(write_run(tmp_path / RUN, {**SEVERAL, "mock-secret-2": mock_secret()}))
    assert seen.headline == "4 of 6 tests failed"
    assert seen.causes[0].rule == "mock-secret"
    assert seen.causes[0].count_text == "2 tests"
    assert len(seen.causes) == 3
    assert [row.is_good for row in seen.tests] == [False] * 4 + [True] * 2
    assert seen.tally_text == "4 failed · 2 passed"


def test_a_failure_that_a_test_expects_is_no_cause(tmp_path: Path) -> None:
    """A passing test with a visit that does not mount, as tests of an app's error handling have, stops nobody."""
    folder = tmp_path / RUN
    write_bundle(folder / bundle_of("a"), mock_secret())
    write_outcomes(folder, [outcome("a")])
    write_record(folder, record(exit_code=0))
    assert page(folder).causes == ()
    assert page(folder).headline == "The test passed"


def test_what_was_found_in_visits_that_mounted_is_told_after_the_causes(tmp_path: Path) -> None:
    """Each kind of finding once, with the visits it was found in; a failed visit's other findings stand with that visit."""
    covered = [box_changed(covered_by="div.overlay") if isinstance(s, BoxChanged) else s for s in hosted()]
    seen = page(write_run(tmp_path / RUN, {"a": hosted(), "b": covered, "c": covered, "mock-secret": mock_secret()}))
    assert [note.rule for note in seen.notes] == ["element-covered"]
    assert [place.nodeid for place in seen.notes[0].places] == [
        "tests/test_it.py::test_b[chromium]",
        "tests/test_it.py::test_c[chromium]",
    ]
    assert seen.notes[0].places[0].evidence
    assert seen.notes[0].count_text == "2 tests"
    assert seen.lead == seen.causes[0].title.rstrip(".") + "."
    green = page(write_run(tmp_path / "green", {"a": hosted(), "b": covered}))
    assert green.lead == "Worth knowing: Another element covers the widget."
    assert page(write_run(tmp_path / "clean", {"a": hosted()})).notes == ()


def test_the_report_of_one_visit_counts_visits(tmp_path: Path) -> None:
    """`check` makes a visit and runs no test."""
    folder = write_run(tmp_path / RUN, {"check": mock_secret()})
    write_record(folder, record(exit_code=1, kind="check"))
    assert page(folder).causes[0].count_text == "1 visit"


@pytest.mark.parametrize(
    ("changes", "headline", "word"),
    [
        ({"exit_code": 0}, "All 2 tests passed", "passed"),
        ({"exit_code": 13}, "The environment is broken: the page was not judged", "error"),
        ({"exit_code": 10}, "A secret was found in the files of the run", "error"),
        ({"exit_code": 2}, "The run was interrupted", "unfinished"),
        ({"exit_code": -1, "ended_at": ""}, "The run was interrupted after 2 tests", "unfinished"),
    ],
)
def test_the_headline_is_that_of_the_exit_code(
    tmp_path: Path, changes: dict[str, Any], headline: str, word: str
) -> None:
    """A run is not green because its tests are."""
    seen = page(write_run(tmp_path / RUN, {"hosted": hosted(), "custom": TRANSCRIPTS["custom"]}, **changes))
    assert (seen.headline, seen.word) == (headline, word)


def test_a_flaky_test_is_not_good(tmp_path: Path) -> None:
    """It stands above those that passed at once, and the run is not simply green."""
    folder = write_run(tmp_path / RUN, {"hosted": hosted()}, exit_code=7)
    write_outcomes(folder, [replace(test.outcome, attempts=2) for test in read_run(folder).tests])
    seen = page(folder)
    assert seen.headline == "Passed, but only after a retry"
    assert (seen.tests[0].word, seen.tests[0].is_good) == ("flaky", False)


def test_what_is_damaged_is_said_and_costs_nothing_else(tmp_path: Path) -> None:
    """A torn last line, a result that is no JSON, a bundle that is gone, a record of another format: the rest is shown."""
    folder = write_run(tmp_path / RUN, SEVERAL)
    with (folder / "tests.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"nodeid": "cut')
    gone, torn, *_ = sorted(path for path in folder.iterdir() if path.is_dir())
    for path in gone.iterdir():
        path.unlink()
    gone.rmdir()
    write_text(torn / "result.json", "{")
    write_text(folder / "run.json", "[]")
    write_report(folder, version="0.1.0")
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "This visit cannot be read." in text
    assert "The bundle is incomplete" in text
    assert len(page(folder).tests) == len(SEVERAL)


def test_an_earlier_attempt_is_no_test_of_its_own(tmp_path: Path) -> None:
    """The folder of a first attempt is whole, and its test has an outcome; one that was cut short belongs to nobody yet."""
    folder = write_run(tmp_path / RUN, {"hosted": hosted()}, exit_code=7)
    name = bundle_of("tests/test_it.py::test_hosted[chromium]")
    write_bundle(folder / f"{name}-retry1", mock_secret())
    assert len(page(folder).tests) == 1
    write_bundle(folder / f"{name}-retry2", mock_secret(), is_whole=False)
    assert [row.word for row in page(folder).tests] == ["unfinished", "passed"]


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    """The message says what was looked for."""
    with pytest.raises(BundleError, match="contains no run"):
        runs_named(tmp_path)
    with pytest.raises(BundleError, match="contains no run"):
        read_run(tmp_path)


def test_pictures_are_kept_once_and_within_bounds(tmp_path: Path) -> None:
    """The same picture twice is one block; one that is too large is a link."""
    folder = write_run(tmp_path / RUN, {"hosted": hosted(), "custom": TRANSCRIPTS["custom"]})
    (folder / bundle_of("tests/test_it.py::test_hosted[chromium]") / "screenshot-element.png").write_bytes(
        bytes(LARGEST_PICTURE_BYTES + 1)
    )
    text = write_report(folder, version="0.1.0").read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") == 2, "one picture, and the script's own check"


def test_secrets_are_replaced_once_more(tmp_path: Path) -> None:
    """What was learned after a bundle was written does not come into the report through it."""
    folder = tmp_path / RUN
    write_bundle(folder / bundle_of("a"), hosted(), entry="hush-hush-1")
    write_outcomes(folder, [outcome("a", message="hush-hush-1")])
    write_record(folder, record())
    text = write_report(
        folder, version="0.1.0", clean=lambda text: text.replace("hush-hush-1", "<redacted:x:1>")
    ).read_text()
    assert "hush-hush-1" not in text
    assert "<redacted:x:1>" not in text, "a placeholder is text like any other"


def test_a_visit_that_failed_stands_beside_the_last_good_one(tmp_path: Path) -> None:
    """The good one is that of the same test in the newest earlier run; what differs is marked."""
    name = {"mock-secret": hosted()}
    write_run(tmp_path / "run-20261123-080000-aaaa", name, exit_code=0)
    folder = write_run(tmp_path / RUN, {"mock-secret": mock_secret()})
    text = write_report(folder, version="0.1.0").read_text(encoding="utf-8")
    (island,) = re.findall(r'id="data-v1">(.*?)</script>', text)
    green = json.loads(island)["green"]
    assert green["bundle"].startswith("run-20261123-080000-aaaa/")
    rows = {row["name"]: row for row in green["rows"]}
    assert (rows["verdict"]["here"], rows["verdict"]["green"]) == ("failed", "mounted")
    assert rows["verdict"]["is_different"]
    assert not rows["mode"]["is_different"]
    assert rows["mounted"]["here"] == "not reached"
    assert json.loads(island)["green_picture"]["id"] == "p1", "it looks the same, and is kept once"


# --- shards -------------------------------------------------------------------------------------------------------


def content(seen: ReportPage) -> Any:
    """What a page says of its tests and causes, without the command and the times of the run."""
    rows = [
        (r.name, r.word, r.verdict, r.message, [(v.headline, v.explanation, v.bundle) for v in r.visits])
        for r in seen.tests
    ]
    causes = [(c.fingerprint, c.title, c.seen, c.count_text, [p.nodeid for p in c.places]) for c in seen.causes]
    return seen.headline, seen.lead, seen.tally_text, rows, causes


def test_three_shards_joined_say_what_the_whole_run_says(tmp_path: Path) -> None:
    """Every test, every verdict, every cause, every picture: only the times of the run and its command are others."""
    whole = write_run(tmp_path / "whole" / RUN, SEVERAL)
    names = sorted(SEVERAL)
    for number in (1, 2, 3):
        part = {name: SEVERAL[name] for name in names[number - 1 :: 3]}
        shard = tmp_path / "parts" / f"shard-{number}" / f"run-20261124-08000{number}-abcd"
        write_run(
            shard,
            part,
            shard=f"{number}/3",
            exit_code=int(any(n in ("mock-secret", "frame-refused", "hidden") for n in part)),
        )
        write_text(shard / "junit.xml", f'<testsuites><testsuite name="{number}" tests="{len(part)}"/></testsuites>')
    joined = tmp_path / "joined" / RUN
    joined.mkdir(parents=True)
    told = merge_runs(runs_named(tmp_path / "parts"), joined, command="chatkit-harness report --merge parts")
    assert (told.shards, told.exit_code, told.problems) == (3, 1, ())
    assert content(page(joined)) == content(page(whole))
    ours, theirs = (write_report(folder, version="0.1.0").read_text(encoding="utf-8") for folder in (joined, whole))
    islands = re.compile(r'<script type="application/json" id="(data-[vp]\d+)">(.*?)</script>')
    assert dict(islands.findall(ours)) == {
        name: island.replace('"command', '"command') for name, island in islands.findall(theirs)
    }
    suites = ElementTree.parse(joined / "junit.xml").getroot().iter("testsuite")
    assert [suite.get("name") for suite in suites] == ["1", "2", "3"]
    tests = [render_ctrf(read_run(folder), version="0.1.0")["results"]["tests"] for folder in (joined, whole)]
    assert tests[0] == tests[1]


def test_a_missing_and_a_killed_shard_are_named(tmp_path: Path) -> None:
    """Nobody takes two of three shards for the whole."""
    first = write_run(tmp_path / "run-20261124-080000-aaaa", {"hosted": hosted()}, shard="1/3", exit_code=0)
    second = write_run(
        tmp_path / "run-20261124-080001-bbbb", {"custom": TRANSCRIPTS["custom"]}, shard="3/3", ended_at="", exit_code=-1
    )
    joined = tmp_path / "joined"
    joined.mkdir()
    problems = merge_runs([first, second], joined, command="").problems
    assert problems[0].startswith("Missing: the results of shard 2/3.")
    assert problems[1] == "Not finished: shard 3/3."
    assert page(joined).problems == problems


def test_a_shard_that_ran_again_replaces_its_earlier_results(tmp_path: Path) -> None:
    """Of the same test the later run counts, with its own bundle."""
    first = write_run(tmp_path / "run-20261124-080000-aaaa", {"a": mock_secret()}, shard="1/1")
    again = write_run(
        tmp_path / "run-20261124-090000-bbbb", {"a": hosted()}, shard="1/1", started_at="2026-11-24T09:00:00.000+00:00"
    )
    joined = tmp_path / "joined"
    joined.mkdir()
    merge_runs([again, first], joined, command="")
    (test,) = [test for test in read_run(joined).tests if test.outcome.nodeid.endswith("]")]
    assert test.outcome.outcome == "passed"
    assert test.visits[0].is_good


# --- CI -----------------------------------------------------------------------------------------------------------


def test_annotations_name_the_cause_first_and_stay_within_the_limit(tmp_path: Path) -> None:
    """Ten errors at most, the last of which counts the rest; what would end a command is escaped."""
    seen = page(write_run(tmp_path / RUN, SEVERAL))
    first = render_annotations(seen)[0]
    assert first.startswith("::error file=tests/test_it.py,title=")
    assert "%0ATo fix: " in first
    assert "\n" not in first
    many = replace(seen, causes=seen.causes * 9)
    errors = [line for line in render_annotations(many) if line.startswith("::error")]
    assert len(errors) == MOST_ANNOTATIONS
    assert errors[-1].endswith("::18 more causes, see report.html")
    evil = replace(seen.causes[0], title="a:b,c%\r\n::set-output::x", seen="100%\n::error::forged")
    (line,) = render_annotations(replace(seen, causes=(evil,)))
    assert "title=a%3Ab%2Cc%25%0D%0A%3A%3Aset-output" in line
    assert "100%25%0A::error::forged" in line


def test_the_summary_fits_and_shows_hostile_words_as_words(tmp_path: Path) -> None:
    """A job summary beyond GitHub's limit would be dropped whole; Markdown and HTML of a page are only text."""
    seen = page(write_run(tmp_path / RUN, SEVERAL))
    summary = render_summary(seen)
    assert summary.startswith("## ❌ 3 of 5 tests failed\n")
    assert "**To fix:** " in summary
    evil = replace(seen.causes[0], title="<img src=x> [a](javascript:1) | `b` **c**\n# d")
    shown = render_summary(replace(seen, causes=(evil,)))
    assert "### &lt;img src=x&gt; \\[a\\]\\(javascript:1\\) \\| \\`b\\` \\*\\*c\\*\\* \\# d\n" in shown
    huge = replace(seen, causes=(replace(evil, seen="ä" * 900_000),))
    assert len(render_summary(huge, room_bytes=10_000).encode()) <= 10_000
    assert render_summary(huge, room_bytes=0) == ""


def test_masks_are_one_for_each_line_and_never_of_nothing() -> None:
    """A mask of a short piece would take every log apart; a value of two lines needs two."""
    assert list(mask_commands(["abcdef", "one-line%\r\ntwo-line\n\nab"])) == [
        "::add-mask::abcdef",
        "::add-mask::one-line%25",
        "::add-mask::two-line",
    ]


def test_ctrf_counts_what_the_page_counts(tmp_path: Path) -> None:
    """The document has the required fields, statuses of the specification, integers for times, and the cause as message."""
    folder = write_run(tmp_path / RUN, SEVERAL)
    document = render_ctrf(read_run(folder), version="0.1.0")
    assert (document["reportFormat"], document["specVersion"]) == ("CTRF", "1.0.0")
    summary = document["results"]["summary"]
    assert {key: summary[key] for key in ("tests", "passed", "failed", "skipped", "pending", "other")} == {
        "tests": 5, "passed": 2, "failed": 3, "skipped": 0, "pending": 0, "other": 0,
    }  # fmt: skip
    assert summary["stop"] - summary["start"] == 65_000
    failed = next(test for test in document["results"]["tests"] if "mock-secret" in test["name"])
    assert failed["status"] == "failed"
    assert failed["message"].startswith("The backend returns a mock secret (mock-secret): ")
    assert failed["suite"] == ["tests/test_it.py"]
    assert all(type(test["duration"]) is int for test in document["results"]["tests"])


def test_gitlab_gets_an_issue_for_each_place(tmp_path: Path) -> None:
    """Fingerprints are unique, as GitLab demands."""
    issues = code_quality(page(write_run(tmp_path / RUN, SEVERAL)))
    assert {issue["check_name"] for issue in issues} >= {"mock-secret"}
    assert len({issue["fingerprint"] for issue in issues}) == len(issues) == 3


# --- the trend ----------------------------------------------------------------------------------------------------


def test_the_trend_counts_and_marks_changes() -> None:
    """Shapes tell outcomes apart; the SDK's change stands between the two runs; what was delivered is no run."""
    rows = [("ok", 900, "a"), ("degraded", 4_000, "a"), ("failing", -1, ""), ("ok", 1_000, "b")]
    lines = tuple(
        Record(
            verdict=PastVerdict(
                at=f"2026-11-0{n}T03:00:00+00:00",
                run=f"run-{n}",
                project="p",
                outcome=word,
                mount_ms=ms,
                sdk=(("loader", sdk),) if sdk else (),
            ),
            since="2026-11-01T03:00:00+00:00",
            runs=1,
        )
        for n, (word, ms, sdk) in enumerate(rows, start=1)
    )
    nights = nights_of(History(lines=(*lines, Delivery(run="run-3", project="p", alert="failing"))))
    assert len(nights) == 4
    trend = trend_of(nights, "p")
    assert trend is not None
    assert [point.shape for point in trend.points] == ["circle", "triangle", "cross", "circle"]
    assert len(trend.changes) == 1
    assert trend.points[2].x < trend.changes[0].x < trend.points[3].x
    assert (
        trend.sentence
        == "4 runs: 2 ok, 1 degraded, 1 failing, half of the mounts took 1 s or less, the SDK changed once."
    )


@pytest.mark.parametrize("mounts", [(0,), (1,), (99_999, 3), (-1, -1)])
def test_the_trend_is_drawn_within_its_picture(mounts: tuple[float, ...]) -> None:
    """Whatever the numbers, no point lies outside; without runs there is no trend."""
    trend = trend_of(tuple(Night(at=f"2026-11-0{n + 1}", outcome="ok", mount_ms=ms) for n, ms in enumerate(mounts)))
    assert trend is not None
    assert all(50 <= p.x <= 990 and 20 <= p.y <= 190 for p in trend.points)
    assert trend_of(()) is None


@pytest.mark.parametrize(
    ("choice", "environ", "system"),
    [
        ("auto", {"GITHUB_ACTIONS": "true"}, GITHUB),
        ("auto", {"GITLAB_CI": "true"}, GITLAB),
        ("auto", {"GITHUB_ACTIONS": "false"}, None),
        ("off", {"GITHUB_ACTIONS": "true"}, None),
        ("gitlab", {"GITHUB_ACTIONS": "true"}, GITLAB),
    ],
)
def test_the_ci_system_is_the_chosen_one_or_the_one_that_this_is(
    choice: str, environ: dict[str, str], system: CiSystem | None
) -> None:
    """Its own variable says so; a choice goes before it."""
    assert ci_system(choice, environ) is system


def test_a_ci_job_has_a_page_and_a_commit() -> None:
    """By the variables of its system, whatever is shown; an address that lacks a part is none."""
    github = {
        "GITHUB_SERVER_URL": "https://github.test",
        "GITHUB_REPOSITORY": "a/b",
        "GITHUB_RUN_ID": "7",
        "GITHUB_SHA": "abc",
    }
    gitlab = {"CI_JOB_URL": "https://gitlab.test/a/b/-/jobs/7", "CI_COMMIT_SHA": "def"}
    assert (ci_url(github), ci_commit(github)) == ("https://github.test/a/b/actions/runs/7", "abc")
    assert (ci_url(gitlab), ci_commit(gitlab)) == ("https://gitlab.test/a/b/-/jobs/7", "def")
    assert (ci_url({**github, "GITHUB_RUN_ID": ""}), ci_commit({})) == ("", "")

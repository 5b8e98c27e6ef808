"""What is read of a run's folder, however the run ended."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from builders import TRANSCRIPTS, entries, visit_ended, visit_started

from harness.analysis.result import result_of
from harness.model.limits import Limits
from harness.model.results import Loss, TestOutcome
from harness.model.timeline import encode, header_line
from harness.report.bundle import saved_result, write_json
from harness.report.ctrf import render_ctrf
from harness.report.merge import merge_runs
from harness.report.run_on_disk import read_outcomes, read_run, visits_below
from harness.report.run_report import write_report

STARTED = "2026-11-24T08:00:00.000+00:00"
HOSTED = entries(visit_started(), TRANSCRIPTS["hosted"])
OUTCOME = TestOutcome(
    nodeid="test_it.py::test_a",
    outcome="passed",
    attempts=1,
    duration_s=1.0,
    message="",
    exit_code=0,
    bundles=("test-it-py-test-a",),
    missing=(Loss(file="test-it-py-test-a/dom.html", reason="No space left on device"),),
)


def timeline(folder: Path, *, more: str = "", is_ended: bool = False) -> None:
    """Write a visit's timeline, as a process leaves it that is killed."""
    folder.mkdir(parents=True)
    steps = entries(visit_started(), TRANSCRIPTS["hosted"], visit_ended()) if is_ended else HOSTED
    lines = [header_line(started_at=STARTED), *map(encode, steps)]
    (folder / "timeline.jsonl").write_text("\n".join(lines) + "\n" + more, encoding="utf-8")


def finished(folder: Path) -> None:
    """Write a whole bundle."""
    timeline(folder, is_ended=True)
    write_json(folder / "result.json", saved_result(result_of(HOSTED, limits=Limits(), started_at=STARTED)))


def test_a_visit_that_was_killed_is_judged_by_its_timeline(tmp_path: Path) -> None:
    """Up to its last whole line; it is unfinished, and told so."""
    timeline(tmp_path / "a", more='{"seq":999,"at_')
    (visit,) = visits_below(tmp_path)
    assert not visit.is_finished
    assert not visit.is_whole
    assert visit.trouble.startswith("unfinished")
    assert visit.result is not None
    assert visit.result.last_milestone == result_of(HOSTED, limits=Limits(), started_at=STARTED).last_milestone
    assert visit.result.started_at == STARTED


@pytest.mark.parametrize("text", ["", '{"format', header_line(started_at=STARTED) + "\n", "something else\n"])
def test_a_visit_without_a_fact_is_unfinished_too(tmp_path: Path, text: str) -> None:
    """It was killed before anything happened; nothing can be said of it, and nothing raises."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "timeline.jsonl").write_text(text, encoding="utf-8")
    (visit,) = visits_below(tmp_path)
    assert (visit.is_finished, visit.result) == (False, None)


def test_a_finished_visit_without_its_result_is_not_called_unfinished(tmp_path: Path) -> None:
    """The disk was full; a damaged result is told, and not passed over."""
    timeline(tmp_path / "a", is_ended=True)
    finished(tmp_path / "b")
    (tmp_path / "b" / "result.json").write_text("{", encoding="utf-8")
    finished(tmp_path / "c")
    without, damaged, whole = visits_below(tmp_path)
    assert without.is_finished
    assert "result.json is missing" in without.trouble
    assert "damaged" in damaged.trouble
    assert whole.is_whole


def test_every_visit_of_a_run_has_its_row(tmp_path: Path) -> None:
    """A test with its visit; one that never finished; no row for an earlier attempt of a test that was tried again."""
    finished(tmp_path / "test-it-py-test-a")
    finished(tmp_path / "test-it-py-test-a-retry1")
    timeline(tmp_path / "test-it-py-test-b")
    timeline(tmp_path / "test-it-py-test-b" / "visit-2")
    (tmp_path / "tests.jsonl").write_text(json.dumps(asdict(OUTCOME)) + "\n", encoding="utf-8")
    tests = {test.outcome.nodeid: test for test in read_run(tmp_path).tests}
    own = tests.pop(OUTCOME.nodeid)
    assert own.outcome == OUTCOME
    assert len(own.results) == 1
    assert {(test.outcome.outcome, test.outcome.bundles) for test in tests.values()} == {
        ("unfinished", ("test-it-py-test-b",)),
        ("unfinished", ("test-it-py-test-b/visit-2",)),
    }
    assert not any(test.outcome.is_good for test in tests.values())
    assert all(test.outcome.message.startswith("unfinished: it was killed") for test in tests.values())


def test_controls_and_measurements_are_no_visits_of_the_run(tmp_path: Path) -> None:
    """A gate's control visits, and the tests that it ran again, stand in the run's folder too."""
    finished(tmp_path / "test-it-py-test-a")
    timeline(tmp_path / "control" / "1")
    finished(tmp_path / "again" / "run-20261124-080000-abcd" / "test-it-py-test-a")
    assert [visit.bundle for visit in visits_below(tmp_path)] == ["test-it-py-test-a"]


def test_a_line_of_the_tests_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    """A killed run cut it; no file is no test."""
    assert read_outcomes(tmp_path) == []
    line = json.dumps(asdict(OUTCOME), ensure_ascii=False)
    for text in (f"{line}\n{line[:40]}", f"{line[:40]}\n{line}\n"):
        (tmp_path / "tests.jsonl").write_text(text, encoding="utf-8")
        assert read_outcomes(tmp_path) == [OUTCOME]


def test_an_outcome_of_an_earlier_version_can_be_read(tmp_path: Path) -> None:
    """It said nothing about what is missing."""
    data = asdict(OUTCOME)
    del data["missing"]
    (tmp_path / "tests.jsonl").write_text(json.dumps(data) + "\n", encoding="utf-8")
    assert read_outcomes(tmp_path)[0].missing == ()


# --- what leads out of the folder ---------------------------------------------------------------------------------


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A whole bundle that is not the run's."""
    finished(tmp_path / "outside")
    (tmp_path / "outside" / "secret.txt").write_text("what nobody was to see", encoding="utf-8")
    return tmp_path / "outside"


def run_with(folder: Path, bundle: str) -> Path:
    """Write a run of one test with one bundle."""
    folder.mkdir(exist_ok=True)
    outcome = replace(OUTCOME, bundles=(bundle,), missing=())
    (folder / "tests.jsonl").write_text(json.dumps(asdict(outcome)) + "\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "bundle", ["../outside", "a/../../outside", "{outside}", "link", "a/link", "..", "a\x00b", "x" * 5_000]
)
def test_a_bundle_outside_of_the_run_is_damaged_and_not_read(tmp_path: Path, outside: Path, bundle: str) -> None:
    """By its name, or by a link on the way; nothing of it stands in the report."""
    run = run_with(tmp_path / "run", bundle.format(outside=outside))
    (run / "a").mkdir()
    for link in (run / "link", run / "a" / "link"):
        link.symlink_to(outside)
    (test,) = read_run(run).tests
    (visit,) = test.visits
    assert (visit.result, visit.files) == (None, ())
    assert "leads out of the run's folder and is not followed" in visit.trouble
    report = write_report(run, version="0.1.0").read_text(encoding="utf-8")
    assert "not followed" in report
    assert "secret.txt" not in report
    assert render_ctrf(read_run(run), version="0.1.0")["results"]["tests"][0].get("attachments", []) == []


@pytest.mark.parametrize("name", ["screenshot-page.png", "result.json", "timeline.jsonl", "manifest.json"])
def test_a_link_in_a_bundle_is_damage_and_not_followed(tmp_path: Path, name: str) -> None:
    """Wherever it leads; what else is there is read."""
    run = run_with(tmp_path / "run", "a")
    finished(run / "a")
    (tmp_path / "elsewhere").write_bytes(b"what nobody was to see")
    (run / "a" / name).unlink(missing_ok=True)
    (run / "a" / name).symlink_to(tmp_path / "elsewhere")
    (test,) = read_run(run).tests
    (visit,) = test.visits
    assert visit.result is not None
    assert not visit.is_whole
    assert f"{name}: a link or special file, which is not followed" in visit.trouble
    assert name not in visit.files
    report = write_report(run, version="0.1.0").read_text(encoding="utf-8")
    assert "not followed" in report
    assert b64encode(b"what nobody was to see").decode() not in report


def test_links_are_not_followed_when_runs_are_merged(tmp_path: Path, outside: Path) -> None:
    """Neither to a folder, nor to the tables of a run."""
    run = run_with(tmp_path / "run", "../outside")
    finished(run / "a")
    (run / "a" / "screenshot-page.png").symlink_to(outside / "secret.txt")
    (run / "link").symlink_to(outside)
    (run / "junit.xml").symlink_to(outside / "junit.xml")
    (outside / "junit.xml").write_text('<testsuites><testsuite name="theirs"/></testsuites>', encoding="utf-8")
    (tmp_path / "joined").mkdir()
    merge_runs([run], tmp_path / "joined", command="")
    assert not (tmp_path / "joined" / "link").exists()
    assert not (tmp_path / "joined" / "junit.xml").exists()
    troubles = [visit.trouble for test in read_run(tmp_path / "joined").tests for visit in test.visits]
    assert any("leads out" in trouble for trouble in troubles)
    assert any("screenshot-page.png: a link" in trouble for trouble in troubles)


def test_what_is_damaged_in_a_run_is_a_problem_of_the_run(tmp_path: Path) -> None:
    """A record and a line of the tests that cannot be read; but not the line that a killed run was writing."""
    run = run_with(tmp_path / "run", "a")
    finished(run / "a")
    good = (run / "tests.jsonl").read_text(encoding="utf-8")
    (run / "tests.jsonl").write_text('{"nodeid": 7}\n' + good + good[:30], encoding="utf-8")
    (run / "run.json").write_text('{"format": "chatkit-harness/run", "version": 9}', encoding="utf-8")
    seen = read_run(run)
    assert [test.outcome.nodeid for test in seen.tests] == [OUTCOME.nodeid]
    record, line = seen.record.problems
    assert record.startswith("run.json: format 9 is newer than the 1")
    assert line.startswith("tests.jsonl, line 1 is damaged at: nodeid expected: a text found: 7")
    (tmp_path / "joined").mkdir()
    assert merge_runs([run], tmp_path / "joined", command="").problems[-2:] == (record, line)


def test_tables_of_a_run_that_are_links_are_not_followed(tmp_path: Path) -> None:
    """They are named, and the visits are read."""
    run = tmp_path / "run"
    finished(run / "a")
    other = run_with(tmp_path / "other", "b")
    (run / "tests.jsonl").symlink_to(other / "tests.jsonl")
    (run / "run.json").symlink_to(tmp_path / "nowhere")
    seen = read_run(run)
    assert [test.outcome.bundles for test in seen.tests] == [("a",)]
    assert ["not a regular file" in problem for problem in seen.record.problems] == [True, True]

"""What is read of a run's folder, however the run ended."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from builders import TRANSCRIPTS, entries, visit_ended, visit_started

from harness.analysis.mount.verdict import Limits
from harness.analysis.result import result_of
from harness.model.results import Loss, TestOutcome
from harness.model.timeline import encode, header_line
from harness.report.bundle import write_result
from harness.report.run_on_disk import read_outcomes, read_run, visits_below

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
    write_result(folder / "result.json", result_of(HOSTED, limits=Limits(), started_at=STARTED))


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

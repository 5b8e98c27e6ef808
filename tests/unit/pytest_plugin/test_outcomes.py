"""The list of a run's tests: on disk as soon as one has finished, with those whose worker died, and on a full disk as far as it goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from disks import largest_file

from harness.model.results import Loss
from harness.pytest_plugin.outcomes import BUNDLE, MISSING, Outcomes, told_loss
from harness.report.run_folder import TESTS_NAME
from harness.report.run_on_disk import read_outcomes

NODEID = "test_it.py::test_a[A]"


def report(when: str, outcome: str = "passed", *, nodeid: str = NODEID, **properties: str) -> pytest.TestReport:
    """Return a report as pytest, or pytest-xdist for a worker that died, makes one."""
    more: dict[str, Any] = {"user_properties": list(properties.items())}
    return pytest.TestReport(
        nodeid=nodeid,
        location=("test_it.py", None, "test_it.py"),
        keywords={},
        outcome=outcome,  # type: ignore[arg-type]
        longrepr=None if outcome == "passed" else f"worker 'gw0' crashed while running {nodeid!r}",
        when=when,  # type: ignore[arg-type]
        **more,
    )


def passed(outcomes: Outcomes, nodeid: str, **properties: str) -> None:
    """Let a test pass."""
    for when in ("setup", "call"):
        assert outcomes.add(report(when, nodeid=nodeid)) is None
    assert outcomes.add(report("teardown", nodeid=nodeid, **properties)) is not None


def unfinished(folder: Path) -> None:
    """Leave the beginning of a visit there."""
    folder.mkdir()
    (folder / "timeline.jsonl").write_text("", encoding="utf-8")


def test_a_test_that_finished_is_on_disk(tmp_path: Path) -> None:
    """With its bundle, and what that lacks, both as the run's folder names them."""
    outcomes = Outcomes(tmp_path)
    loss = told_loss(Loss(file=f"{tmp_path}/test-a/dom.html", reason="No space left on device"))
    passed(outcomes, NODEID, **{BUNDLE: f"{tmp_path}/test-a", MISSING: loss})
    (saved,) = read_outcomes(tmp_path)
    assert saved.bundles == ("test-a",)
    assert saved.missing == (Loss(file="test-a/dom.html", reason="No space left on device"),)
    assert outcomes.close() == ""


SKIP = ("test_it.py", 1, "Skipped: no browser")


@pytest.mark.parametrize(
    ("phases", "word", "message"),
    [
        ({"setup": "skipped", "teardown": "passed"}, "skipped", "no browser"),
        ({"setup": "passed", "call": "skipped", "teardown": "passed"}, "skipped", "no browser"),
        ({"setup": "passed", "call": "skipped", "teardown": "failed"}, "error", "teardown broke"),
        ({"setup": "skipped", "teardown": "failed"}, "error", "teardown broke"),
        ({"setup": "passed", "call": "failed", "teardown": "failed"}, "failed", "call broke"),
        ({"setup": "failed", "teardown": "passed"}, "error", "setup broke"),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else "",
)
def test_a_test_is_as_bad_as_its_worst_phase(tmp_path: Path, phases: dict[str, str], word: str, message: str) -> None:
    """One that skipped itself and could not be cleaned up after is no skipped test."""
    outcomes = Outcomes(tmp_path)
    for when, said in phases.items():
        one = report(when, said)
        one.longrepr = SKIP if said == "skipped" else None if said == "passed" else f"{when} broke"
        finished = outcomes.add(one)
    assert finished is not None
    assert (finished.outcome, finished.message) == (word, message)
    assert read_outcomes(tmp_path) == [finished]


def test_a_test_whose_worker_died_is_an_error_with_what_it_left(tmp_path: Path) -> None:
    """pytest-xdist reports it without a phase; the bundle of another test is not its."""
    outcomes = Outcomes(tmp_path)
    unfinished(tmp_path / "test-it-py-test-a-a")
    unfinished(tmp_path / "test-it-py-test-b")
    assert outcomes.add(report("setup")) is None
    died = outcomes.add(report("???", "failed"))
    assert died is not None
    assert (died.outcome, died.bundles) == ("error", ("test-it-py-test-a-a",))
    assert "crashed while running" in died.message
    assert read_outcomes(tmp_path) == [died]


def test_a_test_that_is_tried_again_after_its_worker_died_is_told_once(tmp_path: Path) -> None:
    """When its last attempt ended."""
    outcomes = Outcomes(tmp_path)
    assert outcomes.add(report("???", "rerun")) is None
    passed(outcomes, NODEID)
    (saved,) = read_outcomes(tmp_path)
    assert (saved.outcome, saved.attempts) == ("passed", 2)


def test_outcomes_that_found_no_room_are_saved_at_the_end(tmp_path: Path) -> None:
    """On a disk that stays full the reason is told, and the lines that are there are whole."""
    outcomes = Outcomes(tmp_path)
    with largest_file(500):
        for number in range(5):
            passed(outcomes, f"test_it.py::test_{number}")
        assert outcomes.close() == "File too large"
    some = read_outcomes(tmp_path)
    assert 0 < len(some) < 5
    assert some == outcomes.finished[: len(some)]
    assert outcomes.close() == ""
    assert read_outcomes(tmp_path) == outcomes.finished
    assert [path.name for path in tmp_path.iterdir()] == [TESTS_NAME]

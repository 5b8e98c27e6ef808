"""The history of smoke runs: lines that outlive cuts, damage, other formats, and other jobs."""

from __future__ import annotations

import json
import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest
from nights import broken, mounted, verdict

from harness.analysis.smoke.transitions import Escalation, next_record
from harness.errors import BundleError
from harness.model.history import Delivery, Record
from harness.report.history import History, append_to_history, read_history
from tests.commands import TIMEOUT_S

NEVER = Escalation(after_runs=0)


def append(path: Path, number: int, *, is_good: bool = True) -> Record:
    """Append a night."""
    result = verdict(number, None, mounted() if is_good else broken("loader-refused"))
    line, _ = append_to_history(path, lambda history: next_record(history.lines, result, NEVER))
    assert isinstance(line, Record)
    return line


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Runs and deliveries, in order, equal in every field."""
    path = tmp_path / "below" / "history.jsonl"
    assert read_history(path) == History()
    written = [append(path, 1), append(path, 2, is_good=False)]
    delivery = Delivery(run="run-02", project="staging", alert="failing", failed=("webhook",))
    append_to_history(path, lambda _: delivery)
    assert read_history(path).lines == (*written, delivery)


@pytest.mark.parametrize("cut", [1, 40, 300])
def test_a_line_that_was_cut_costs_only_itself(tmp_path: Path, cut: int) -> None:
    """As a job leaves it that is killed while it writes; the next line begins on a line of its own."""
    path = tmp_path / "history.jsonl"
    append(path, 1)
    append(path, 2)
    path.write_bytes(path.read_bytes()[:-cut])
    record = append(path, 3, is_good=False)
    history = read_history(path)
    kept = 2 if cut == 1 else 1  # only the line break is gone: the line is whole
    assert len(history.lines) == kept + 1
    assert history.unreadable == (0 if cut == 1 else 1)
    assert history.lines[-1] == record
    assert record.alert == "failing"


def test_other_lines_are_left_out_and_counted(tmp_path: Path) -> None:
    """Damage, another format, a newer version, another kind, an empty line."""
    path = tmp_path / "history.jsonl"
    append(path, 1)
    good = json.loads(path.read_text(encoding="utf-8"))
    others = [
        {**good, "version": 99},
        {**good, "kind": "x"},
        {**good, "format": "x"},
        {"format": good["format"]},
        [],
        3,
        None,
    ]
    lines = [*map(json.dumps, others), "\x00\xff", "", "{" * 100_000]
    path.write_bytes(path.read_bytes() + "\n".join(lines).encode("latin-1") + b"\n")
    history = read_history(path)
    assert (len(history.lines), history.newer, history.unreadable) == (1, 1, 8)


def test_a_history_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    """It names the file."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(BundleError, match=r"history\.jsonl"):
        append(tmp_path / "file" / "history.jsonl", 1)


def append_many(path: Path, job: int) -> None:
    """Append ten lines, as one of several jobs."""
    base = verdict(1, None, mounted())
    for number in range(10):
        result = replace(base, run=f"job-{job}-{number}")
        append_to_history(path, lambda history, result=result: next_record(history.lines, result, NEVER))


def test_two_jobs_at_once_lose_nothing(tmp_path: Path) -> None:
    """Each line is whole, and each run has counted all that stand before it."""
    path = tmp_path / "history.jsonl"
    jobs = [multiprocessing.get_context("fork").Process(target=append_many, args=(path, job)) for job in range(2)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(TIMEOUT_S)
    history = read_history(path)
    assert (len(history.lines), history.unreadable) == (20, 0)
    assert [line.runs for line in history.lines if isinstance(line, Record)] == list(range(1, 21))

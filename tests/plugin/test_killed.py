"""A run that is killed loses nothing that was finished, and the visit under way is on disk up to its last fact."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from harness.analysis.result import result_of
from harness.model.limits import Limits
from harness.model.timeline import read_timeline
from harness.report.bundle import read_result
from tests.commands import clean_environ

SUITE = """
from pathlib import Path

from harness import expect


def test_finished(chatkit):
    expect(chatkit.open("topic-generation")).to_be_mounted()


def test_under_way(chatkit):
    embed = chatkit.open("topic-generation", scenario="secret-never")
    embed.page.wait_for_function("document.querySelector('openai-chatkit')?.dataset.loaded")
    Path("under-way").write_text("now")
    embed.wait_until_decided()
"""


def test_sigkill_costs_no_finished_test_and_not_the_timeline(tmp_path: Path) -> None:
    """After SIGKILL the finished test's bundle parses, and the running one's timeline can be judged."""
    tmp_path.joinpath("test_it.py").write_text(SUITE, encoding="utf-8")
    os.mkfifo(tmp_path / "under-way")
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=clean_environ(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        (tmp_path / "under-way").read_text()  # returns when the test says so: opening a FIFO waits for its writer
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
    folder = tmp_path / "test-results" / "latest"
    (line,) = (folder / "tests.jsonl").read_text(encoding="utf-8").splitlines()
    finished = json.loads(line)
    assert finished["outcome"] == "passed"
    assert read_result(folder / finished["bundles"][0]).is_mounted
    (running,) = [path for path in folder.iterdir() if "under-way" in path.name]
    entries = read_timeline((running / "timeline.jsonl").read_text(encoding="utf-8").splitlines())
    result = result_of(entries, limits=Limits(), started_at="")
    assert result.outcome == "undecided"
    assert result.last_milestone == "frame-booted"

"""Runs whose worker, browser and driver are killed at a set moment; `benchmarks/kills.py` kills many more, at random ones."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from benchmarks.kills import kill_one_run

TESTS = """
from harness import expect


def test_first(chatkit):
    expect(chatkit.open("topic-generation", project="local")).to_be_mounted()


def test_second(chatkit):
    expect(chatkit.open("post-writer", project="local", scenario="session-401")).not_to_be_mounted()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks for what goes on in /proc")
@pytest.mark.parametrize("victim", ["worker", "browser", "driver"])
def test_a_kill_costs_nothing_that_was_finished(tmp_path: Path, victim: str) -> None:
    """At a moment that is always the same part of the seconds in which there is something to lose."""
    after_s = random.Random(victim).uniform(0.5, 4)
    killed = kill_one_run(tmp_path, victim=victim, is_parallel=victim == "worker", after_s=after_s, tests=TESTS)
    assert killed.was_hit, killed
    assert killed.wrong == []

"""The files of a run as a whole, in runs without a browser: record, report, CTRF, JUnit properties, what GitHub is told, shards."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
from builders import TRANSCRIPTS
from runs import write_run

from harness.model.history import PastVerdict, Record
from harness.pytest_plugin.plugin import keep_shard
from harness.report.history import saved_line
from tests.commands import TIMEOUT_S, clean_environ, run_command

SUITE = """
import os
from pathlib import Path


def test_fails():
    assert 1 + 1 == 3, "100% wrong, says " + os.environ["OPENAI_API_KEY"]


def test_flaky():
    marker = Path("was-here")
    if not marker.exists():
        marker.write_text("")
        raise AssertionError("not at once")


def test_passes():
    pass
"""
KEY = "sk-test-0123456789abcdefghij"


def run_pytest(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in the folder and return what came of it."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env=clean_environ() | {"OPENAI_API_KEY": KEY} | environ,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def test_a_run_on_github_is_told_masked_and_summed_up(tmp_path: Path) -> None:
    """Masks come before everything else, annotations at the end; the summary is appended; files are there, without the key."""
    tmp_path.joinpath("test_it.py").write_text(SUITE, encoding="utf-8")
    summary = tmp_path / "summary.md"
    summary.write_text("before\n", encoding="utf-8")
    done = run_pytest(
        tmp_path, "--reruns=1", GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary), GITHUB_SHA="abc123"
    )
    assert done.returncode == 1, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"::add-mask::{KEY}"
    assert done.stdout.count(KEY) == 1, "the mask itself, and nothing else"
    (error,) = [line for line in lines if line.startswith("::error")]
    assert error.startswith(
        "::error file=test_it.py,title=AssertionError%3A 100%25 wrong%2C says <redacted%3Aapi_key%3A1>::"
    )
    assert "::warning file=test_it.py,title=Flaky test::test_it.py::flaky passed only after a retry" in lines
    told = summary.read_text(encoding="utf-8")
    assert told.startswith("before\n## ❌ 1 of 3 tests failed\n")
    folder = tmp_path / "test-results"
    record = json.loads((folder / "latest" / "run.json").read_text(encoding="utf-8"))
    assert (record["kind"], record["exit_code"], record["commit"]) == ("pytest", 1, "abc123")
    assert record["command"] == "pytest -q -p no:cacheprovider --reruns=1"
    assert "1 of 3 tests failed" in (folder / "report.html").read_text(encoding="utf-8")
    tests = {test["name"]: test for test in json.loads((folder / "ctrf-report.json").read_text())["results"]["tests"]}
    assert (tests["test_it.py::test_flaky"]["flaky"], tests["test_it.py::test_flaky"]["retries"]) == (True, 1)
    cases = list(ElementTree.parse(folder / "junit.xml").getroot().iter("testcase"))
    attempts = {
        case.get("name"): [p.get("value") for p in case.iter("property") if p.get("name") == "chatkit_attempts"]
        for case in cases
    }
    assert sorted(case.get("name", "") for case in cases) == ["test_fails", "test_flaky", "test_passes"]
    assert attempts == {"test_fails": ["2"], "test_flaky": ["2"], "test_passes": ["1"]}
    for path in folder.rglob("*"):
        assert path.is_dir() or KEY not in path.read_text(encoding="utf-8", errors="replace"), path


def test_elsewhere_nothing_is_printed_and_a_report_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    """No command of a CI system on a person's terminal; what stands in the report's way is said, and the exit code stays."""
    in_the_way = """
import pytest
from pathlib import Path


def test_passes(output_path):
    Path(output_path).parent.joinpath("report.html", "in-the-way").mkdir(parents=True)
"""
    tmp_path.joinpath("test_it.py").write_text(in_the_way, encoding="utf-8")
    done = run_pytest(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "::" not in done.stdout.replace("test_it.py::", "")
    assert "RESULTS ARE MISSING" in done.stdout
    assert "    report.html\n" in done.stdout
    assert (tmp_path / "test-results" / "ctrf-report.json").is_file()


def test_a_file_that_cannot_be_collected_stands_in_the_report(tmp_path: Path) -> None:
    """A run without tests is not simply empty."""
    tmp_path.joinpath("test_it.py").write_text("import nothing_of_that_name\n", encoding="utf-8")
    assert run_pytest(tmp_path).returncode == 2
    text = (tmp_path / "test-results" / "report.html").read_text(encoding="utf-8")
    assert "test_it.py cannot be collected" in text


def test_a_shard_without_tests_is_green_and_one_that_cannot_be_is_refused(tmp_path: Path) -> None:
    """Three shards for one test: the second has nothing to do. The fourth of three is a mistake."""
    tmp_path.joinpath("test_it.py").write_text("def test_one():\n    pass\n", encoding="utf-8")
    assert run_pytest(tmp_path, "--chatkit-shard=2/3").returncode == 0
    refused = run_pytest(tmp_path, "--chatkit-shard=4/3")
    assert refused.returncode == 4
    assert "a shard is K/N" in refused.stderr


def test_the_command_joins_shards_and_tells_github(tmp_path: Path) -> None:
    """Downloaded artifacts in, a new run with report, CTRF and JUnit out, with the trend; on GitHub also the annotations."""
    for number, name in enumerate(("hosted", "mock-secret"), start=1):
        folder = tmp_path / "shards" / f"chatkit-shard-{number}" / f"run-20261124-08000{number}-abcd"
        write_run(folder, {name: TRANSCRIPTS[name]}, shard=f"{number}/3", exit_code=number - 1)
    night = PastVerdict(at="2026-11-23T03:17:00+00:00", run="run-1", project="staging", outcome="ok", mount_ms=900.0)
    line = json.dumps(saved_line(Record(verdict=night, since=night.at, runs=1)))
    (tmp_path / "history.jsonl").write_text(f'{line}\n{{"cut', encoding="utf-8")
    done = run_command(
        "report",
        "--merge",
        "shards",
        "--history",
        "history.jsonl",
        cwd=tmp_path,
        GITHUB_ACTIONS="true",
        OPENAI_API_KEY=KEY,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stdout.splitlines()
    assert "history.jsonl: 1 lines cannot be read, and were skipped" in told
    assert "merged 2 runs" in told
    assert any(line.strip().startswith("Missing: the results of shard 3/3") for line in told)
    assert any(
        line.startswith("::error file=tests/test_it.py,title=The backend returns a mock secret") for line in told
    )
    text = (tmp_path / "test-results" / "report.html").read_text(encoding="utf-8")
    assert "1 of 2 tests failed" in text
    assert "1 run: 1 ok" in text
    assert run_command("report", "nowhere", cwd=tmp_path).returncode == 4


@pytest.mark.parametrize(("tests", "shards"), [(1, 1), (7, 3), (2, 5), (100, 4)])
def test_shards_hold_every_test_once(tests: int, shards: int) -> None:
    """Whatever the order of collection, and evenly."""
    ids = [f"test_{n}" for n in range(tests)]
    parts = [shard_of(ids if number % 2 else ids[::-1], f"{number}/{shards}") for number in range(1, shards + 1)]
    assert sorted(nodeid for part in parts for nodeid in part) == sorted(ids)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def shard_of(ids: list[str], shard: str) -> list[str]:
    """Return the ids that are left of these in a shard."""
    items: list[Any] = [SimpleNamespace(nodeid=nodeid) for nodeid in ids]
    hook = SimpleNamespace(pytest_deselected=lambda **_items: None)
    config: Any = SimpleNamespace(hook=hook)
    keep_shard(config, shard, items)
    return [item.nodeid for item in items]

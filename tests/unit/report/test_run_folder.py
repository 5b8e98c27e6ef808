"""The folders of runs: a new one each time, `latest` on the newest, old ones deleted, none that is still in use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.errors import BundleError
from harness.report.run_folder import LATEST, RUNNING, new_run_folder, publish, runs_in

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def folders(output_dir: Path, count: int, *, keep_runs: int) -> list[Path]:
    """Make runs one second apart, each of them ended."""
    made = []
    for number in range(count):
        now = START + timedelta(seconds=number)
        made.append(new_run_folder(output_dir, keep_runs=keep_runs, now=now))
        publish(made[-1])
    return made


def test_latest_points_to_the_newest_run(tmp_path: Path) -> None:
    """A relative link, so that the folder can be moved."""
    newest = folders(tmp_path, 3, keep_runs=5)[-1]
    assert (tmp_path / LATEST).readlink() == Path(newest.name)
    assert newest.name.startswith("run-20260102-030407-")


def test_runs_beyond_the_number_are_deleted_and_nothing_else(tmp_path: Path) -> None:
    """The oldest go first; what is no run's folder stays."""
    other = tmp_path / "notes"
    other.mkdir()
    made = folders(tmp_path, 4, keep_runs=2)
    assert runs_in(tmp_path) == (made[3], made[2])
    assert other.is_dir()


def test_a_run_that_is_going_on_is_not_deleted(tmp_path: Path) -> None:
    """Another process may still write there; one that was killed left its mark, and is gone."""
    going_on = new_run_folder(tmp_path, keep_runs=1, now=START)
    killed = new_run_folder(tmp_path, keep_runs=5, now=START + timedelta(seconds=1))
    (killed / RUNNING).write_text("999999999", encoding="ascii")
    newest = new_run_folder(tmp_path, keep_runs=1, now=START + timedelta(seconds=2))
    assert runs_in(tmp_path) == (newest, going_on)


def test_reports_are_copied_to_where_ci_systems_look(tmp_path: Path) -> None:
    """The newest run's, beside the folders of the runs."""
    folder = new_run_folder(tmp_path, keep_runs=5)
    (folder / "junit.xml").write_text("<testsuites/>", encoding="utf-8")
    publish(folder)
    assert (tmp_path / "junit.xml").read_text(encoding="utf-8") == "<testsuites/>"
    assert not (folder / RUNNING).exists()


def test_output_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    """The message says which folder, and what to do."""
    (tmp_path / "results").write_text("", encoding="utf-8")
    with pytest.raises(BundleError, match=r"cannot write results to .*results: (?s:.*)to fix:"):
        new_run_folder(tmp_path / "results", keep_runs=5)

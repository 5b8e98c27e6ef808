"""The folders of runs: a new one each time, `latest` on the newest, old ones deleted, none that is still in use."""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from disks import disk, make_read_only

from harness.errors import BundleError
from harness.report.run_folder import (
    LATEST,
    RESERVE,
    RESERVE_BYTES,
    RUNNING,
    new_run_folder,
    publish,
    run_folder_for,
    runs_in,
)

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


def test_a_run_of_another_container_is_not_deleted(tmp_path: Path) -> None:
    """Its processes cannot be seen from here; one that was quiet for a day is over."""
    elsewhere = new_run_folder(tmp_path, keep_runs=1, now=START)
    (elsewhere / RUNNING).write_text("1 another-machine", encoding="utf-8")
    newest = new_run_folder(tmp_path, keep_runs=1, now=START + timedelta(seconds=1))
    assert runs_in(tmp_path) == (newest, elsewhere)
    os.utime(elsewhere, (0, 0))
    publish(newest)
    assert runs_in(tmp_path)[1:] == (elsewhere,)
    last = new_run_folder(tmp_path, keep_runs=1, now=START + timedelta(seconds=2))
    assert runs_in(tmp_path) == (last,)


def test_runs_that_begin_at_once_do_not_delete_each_other(tmp_path: Path) -> None:
    """Each is in use before it has its name."""
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: new_run_folder(tmp_path, keep_runs=1, now=START), range(40)))
    assert len(made) == 40
    assert set(runs_in(tmp_path)) == made
    assert (tmp_path / LATEST).resolve() in made
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_reports_of_runs_that_end_at_once_are_whole(tmp_path: Path) -> None:
    """The last one's stays; none is a mixture."""
    runs = [new_run_folder(tmp_path, keep_runs=50) for _ in range(12)]
    for number, run in enumerate(runs):
        (run / "junit.xml").write_text(f"{number:02}" * 100_000, encoding="utf-8")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(publish, runs))
    content = (tmp_path / "junit.xml").read_text(encoding="utf-8")
    assert content == content[:2] * 100_000
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_a_killed_run_left_half_made_is_deleted_by_the_next(tmp_path: Path) -> None:
    """Not what another run makes just now, and nothing that has a name of its own."""
    old = [tmp_path / name for name in (".run-20260102-030405-abcd", ".deleting-run-20260102-030405-abcd")]
    for folder in (*old, tmp_path / ".run-20260102-030406-abcd", tmp_path / ".hidden"):
        (folder / "inner").mkdir(parents=True)
    for file in (".junit.xml.0123abcd.partial", ".latest-0123abcd"):
        (tmp_path / file).write_text("", encoding="utf-8")
        os.utime(tmp_path / file, (0, 0))
    os.utime(old[0], (0, 0))
    os.utime(tmp_path / ".hidden", (0, 0))
    new_run_folder(tmp_path, keep_runs=5)
    assert {path.name for path in tmp_path.iterdir() if path.name.startswith(".")} == {
        ".run-20260102-030406-abcd",
        ".hidden",
    }


def test_half_written_files_of_a_killed_worker_are_deleted_at_the_end(tmp_path: Path) -> None:
    """And what was kept for the reports is given back."""
    run = new_run_folder(tmp_path, keep_runs=5)
    (run / "test-a").mkdir()
    (run / "test-a" / ".network.har.0123abcd.partial").write_text("{", encoding="utf-8")
    assert (run / RESERVE).stat().st_size == RESERVE_BYTES
    publish(run)
    assert list(run.rglob(".*")) == []


def test_a_folder_named_latest_is_left_alone(tmp_path: Path) -> None:
    """The run has its own folder all the same."""
    (tmp_path / LATEST / "mine").mkdir(parents=True)
    run = new_run_folder(tmp_path, keep_runs=5)
    assert run.is_dir()
    assert (tmp_path / LATEST / "mine").is_dir()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("what", ["a file", "read-only", "full", "too long"])
def test_results_go_elsewhere_where_they_cannot_be_written(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason and what to do are told, and where the results are instead; a run is worth more than its folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with ExitStack() as resources:
        target = tmp_path / "results"
        match what:
            case "a file":
                target.write_text("", encoding="utf-8")
            case "too long":
                target = tmp_path.joinpath(*["x" * 250] * 20)
            case _:
                resources.enter_context(disk(target, size="8k"))
                (target / "rest").write_bytes(b"x" * 8_192)
                if what == "read-only":
                    make_read_only(target)
        found = run_folder_for(target, keep_runs=5)
        assert found.path.is_dir()
        assert found.path.is_relative_to(tmp_path)
        assert not found.path.is_relative_to(target)
        assert f"cannot write results to {target}: " in found.problem
        assert "to fix:" in found.problem
        assert f"instead: the results of this run are in {found.path}" in found.problem


@pytest.mark.parametrize("length", [1, 250])
def test_a_run_goes_on_when_nothing_can_be_written_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    """It says so, and has a folder that is not there."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    found = run_folder_for(tmp_path.joinpath("file", *["x" * length] * 20), keep_runs=5)
    assert "no results are written" in found.problem
    publish(found.path)


def test_output_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    """The message says which folder, and what to do."""
    (tmp_path / "results").write_text("", encoding="utf-8")
    with pytest.raises(BundleError, match=r"cannot write results to .*results: (?s:.*)to fix:"):
        new_run_folder(tmp_path / "results", keep_runs=5)

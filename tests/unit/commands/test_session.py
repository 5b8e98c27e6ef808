"""What commands have around their visits: however the block ends, its run is recorded, searched and published."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from harness.commands.session import RunSession, run_session
from harness.config.reading import Config, read_config
from harness.errors import SecretFound, ServerError
from harness.report.run_folder import RUNNING

SECRET = "correct-horse-battery-staple"
KEY = "SESSION_API_KEY"  # what a variable with such a name holds is secret


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A configuration without a file, whose environment has a secret."""
    return read_config(None, environ={KEY: SECRET}, root=tmp_path)


def console() -> tuple[Console, io.StringIO]:
    """Return a console, and what is printed on it."""
    said = io.StringIO()
    return Console(file=said, width=200), said


def record_of(session: RunSession) -> dict[str, object]:
    """Return what the run's record says at its end."""
    found: dict[str, object] = json.loads((session.folder / "run.json").read_text(encoding="utf-8"))
    return found


def test_a_run_is_recorded_and_published(config: Config, tmp_path: Path) -> None:
    """Its report is in its folder and above it, and it is not in use any more."""
    with run_session(console()[0], config, "check", project="page", network="live") as session:
        assert (session.folder / RUNNING).is_file()
        assert record_of(session)["kind"] == "check"
        session.exit_code = 7
        session.problems.append("it was slow")
    record = record_of(session)
    assert (record["project"], record["network"], record["browser"]) == ("page", "live", "chromium")
    assert (record["exit_code"], record["problems"]) == (7, ["it was slow"])
    assert not (session.folder / RUNNING).exists()
    assert session.folder.parent == tmp_path / "test-results"
    assert (session.folder.parent / "report.html").is_file()


def test_a_run_without_a_kind_has_neither_record_nor_report(config: Config) -> None:
    """A preflight alone, and experiments; they are searched and published all the same."""
    with run_session(console()[0], config) as session:
        pass
    assert not (session.folder / "run.json").exists()
    assert not (session.folder / "report.html").exists()
    assert not (session.folder / RUNNING).exists()
    with pytest.raises(SecretFound), run_session(console()[0], config) as session:
        (session.folder / "said.txt").write_text(SECRET, encoding="utf-8")
    assert not (session.folder / "said.txt").exists()


def test_a_run_that_fails_says_why(config: Config) -> None:
    """With the exit code of its error; the error goes on."""
    with (
        pytest.raises(ServerError, match="no port"),
        run_session(console()[0], config, "smoke", project="page", network="live") as session,
    ):
        raise ServerError("no port")
    record = record_of(session)
    assert (record["exit_code"], record["problems"]) == (13, ["ServerError: no port"])
    assert not (session.folder / RUNNING).exists()


def test_a_run_that_is_interrupted_says_where_it_left_what_it_saw(config: Config) -> None:
    """Every command does."""
    out, said = console()
    with (
        pytest.raises(KeyboardInterrupt),
        run_session(out, config, "record", project="page", network="live") as session,
    ):
        raise KeyboardInterrupt
    assert f"the unfinished visit is in {session.folder}" in said.getvalue()
    assert record_of(session)["exit_code"] == 2


def test_the_search_can_be_left_out_and_that_is_said(config: Config) -> None:
    """`--no-secret-scan`."""
    out, said = console()
    with run_session(out, config, "check", project="page", network="live", is_searched=False) as session:
        (session.folder / "said.txt").write_text(SECRET, encoding="utf-8")
    assert (session.folder / "said.txt").exists()
    assert "NOT searched" in said.getvalue()


def test_a_folder_that_cannot_be_made_is_said(config: Config, tmp_path: Path) -> None:
    """By every command: the results are elsewhere then."""
    (tmp_path / "test-results").write_text("a file in the way", encoding="utf-8")
    out, said = console()
    with run_session(out, config, "record", project="page", network="live") as session:
        pass
    assert "the results of this run are in" in said.getvalue().replace("\n", " ")
    assert session.folder.parent != tmp_path / "test-results"

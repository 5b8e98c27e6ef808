"""A broken environment is told apart from a broken page: exit code 13, one sentence, no traceback unless asked for."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.commands import run_command

NO_BROWSER = {"CHATKIT_HARNESS_EXECUTABLE_PATH": "/nowhere/chromium"}
BROKEN_BROWSER = {"CHATKIT_HARNESS_EXECUTABLE_PATH": "/bin/false"}


@pytest.mark.parametrize(
    "command", [("gate",), pytest.param(("check", "http://127.0.0.1:9999"), marks=pytest.mark.soak)]
)
@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        (NO_BROWSER, "the browser /nowhere/chromium cannot be started: it does not exist"),
        (BROKEN_BROWSER, "/bin/false did not start"),
    ],
)
def test_browser_that_does_not_start(
    tmp_path: Path, command: tuple[str, ...], environ: dict[str, str], sentence: str
) -> None:
    """What is wrong with the browser, in one sentence, with what to do."""
    done = run_command(*command, cwd=tmp_path, **environ)
    told = done.stdout + done.stderr
    assert done.returncode == 13, told
    assert f"EnvironmentFailure: {sentence}" in told
    assert "to fix:" in told
    assert "Traceback" not in told


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    """`--debug` is for us."""
    done = run_command("check", "http://127.0.0.1:9999", "--debug", cwd=tmp_path, **NO_BROWSER)
    assert "Traceback" in done.stderr


def test_taken_port_is_named(tmp_path: Path) -> None:
    """`serve --port` on a port in use says which one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_command("serve", "--port", str(port), cwd=tmp_path)
    assert done.returncode == 13
    assert (
        f"ServerError: the embedded app server cannot listen on 127.0.0.1:{port}: Address already in use" in done.stderr
    )
    assert "Traceback" not in done.stderr


def test_unknown_scenario_lists_those_there_are(tmp_path: Path) -> None:
    """A typo in the name of a scenario is a usage error with the names."""
    done = run_command("serve", "--scenario", "session-402", cwd=tmp_path)
    assert done.returncode == 4
    assert "session-401" in done.stderr


def test_output_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A file where the output folder should be: which one, what to do, where the results are instead; the page is judged."""
    tmp_path.joinpath("results").write_text("a file", encoding="utf-8")
    for command, code in ((("gate", "-k", "post-writer"), 0), (("check", "http://127.0.0.1:9999"), 14)):
        done = run_command(*command, "--output-dir", "results", cwd=tmp_path, TMPDIR=str(tmp_path))
        told = done.stdout + done.stderr
        assert done.returncode == code, told
        assert f"cannot write results to {tmp_path}/results: " in told
        assert "to fix: make it a writable folder" in told
        assert "instead: the results of this run are in " in told
        assert "Traceback" not in told

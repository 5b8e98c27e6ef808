"""Ctrl-C and SIGTERM in the middle of a visit: exit code 2, a sentence, and the bundle of what was seen so far."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.report.run_on_disk import read_run, visits_below
from tests.commands import TIMEOUT_S, clean_environ, heed_ctrl_c

TEST = """
from pathlib import Path


def test_under_way(chatkit):
    embed = chatkit.open("topic-generation", scenario="secret-never")
    embed.page.wait_for_function("document.querySelector('openai-chatkit')?.dataset.loaded")
    Path("under-way").write_text("now")
    embed.page.wait_for_timeout(60_000)
"""
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py")
GATE = (sys.executable, "-m", "harness.cli", "gate", "-k", "under_way")
WHOLE = {"timeline.jsonl", "result.json", "network.har", "console.log", "dom.html", "screenshot-page.png", "trace.zip"}


@pytest.mark.parametrize(
    ("command", "number", "is_terminal"),
    [
        pytest.param((*PYTEST, "-n", "2"), signal.SIGTERM, False, id="pytest -n 2, SIGTERM", marks=pytest.mark.soak),
        pytest.param(GATE, signal.SIGINT, True, id="gate, Ctrl-C"),
    ],
)
def test_an_interrupted_run_keeps_what_it_saw(
    tmp_path: Path, command: tuple[str, ...], number: signal.Signals, is_terminal: bool
) -> None:
    """A terminal sends Ctrl-C to every process in the foreground; the visit under way has its whole bundle all the same."""
    tests = tmp_path / "tests" / "e2e" if "gate" in command else tmp_path
    tests.mkdir(parents=True, exist_ok=True)
    tests.joinpath("test_it.py").write_text(TEST, encoding="utf-8")
    os.mkfifo(tmp_path / "under-way")
    run = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=clean_environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=heed_ctrl_c,
    )
    try:
        (tmp_path / "under-way").read_text()  # returns when the test says so: opening a FIFO waits for its writer
        os.killpg(run.pid, number) if is_terminal else os.kill(run.pid, number)
        told, _ = run.communicate(timeout=TIMEOUT_S)
    finally:
        run.kill()
        run.wait()
    assert run.returncode == 2, told
    assert "Traceback" not in told
    folder = (tmp_path / "test-results" / "latest").resolve()
    (visit,) = visits_below(folder)
    assert visit.is_whole
    assert {path.name for path in (folder / visit.bundle).iterdir()} >= WHOLE
    (test,) = read_run(folder).tests
    assert test.outcome.outcome == "unfinished"
    assert list(folder.rglob(".*")) == []
    if "gate" in command:
        assert told.splitlines()[-1] == "gate: interrupted"
        assert f"{visit.bundle}  unfinished, undecided" in told


def test_an_interrupted_check_says_where_its_bundle_is(tmp_path: Path) -> None:
    """The page never ends, and its visit has a bundle all the same."""
    was_asked = threading.Event()

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            was_asked.set()
            self.rfile.read(1)  # until the browser goes away

    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        command = [sys.executable, "-m", "harness.cli", "check", url]
        with subprocess.Popen(
            command, cwd=tmp_path, env=clean_environ(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as run:
            assert was_asked.wait(TIMEOUT_S)
            run.send_signal(signal.SIGTERM)
            told, _ = run.communicate(timeout=TIMEOUT_S)
        server.shutdown()
    assert run.returncode == 2, told
    assert "Traceback" not in told
    assert told.splitlines()[-1] == "interrupted"
    folder = tmp_path / told.split("the unfinished visit is in ")[1].split()[0]
    assert (folder / "check" / "result.json").is_file()
    # It answered nothing: it is asked once, and there is no picture of what nobody can search for secrets.
    assert "this document did not answer" in (folder / "check" / "dom.html").read_text(encoding="utf-8")
    assert list((folder / "check").glob("*.png")) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_stops_when_it_is_asked_to(tmp_path: Path, number: signal.Signals) -> None:
    """For a server that is the way to end: exit code 0, and the last word."""
    with subprocess.Popen(
        [sys.executable, "-m", "harness.cli", "serve"],
        cwd=tmp_path,
        env=clean_environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=heed_ctrl_c,
    ) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if "Press Ctrl-C to stop" in line:
                break
        run.send_signal(number)
        told, _ = run.communicate(timeout=TIMEOUT_S)
    assert run.returncode == 0, told
    assert told.splitlines()[-1] == "stopped"

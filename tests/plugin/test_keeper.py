"""A web server ends with the run that started it, however that ended, and so does everything that the server started."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from harness.servers import keeper
from tests.commands import TIMEOUT_S

# What goes on holds its end of the pipe; that all have ended is when the pipe says so.
SERVER = "echo up; sh -c 'exec sleep 300' & exec sleep 300"
STUBBORN = """trap "" TERM; sh -c 'trap "" TERM; echo up; while :; do sleep 0.1; done' & wait; wait"""
RUN = "import subprocess, sys; subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE).wait()"
ENDED_S = keeper.GRACE_S + TIMEOUT_S


def keeping(command: str) -> list[str]:
    """Return the command line of the keeper."""
    return [sys.executable, "-I", "-S", keeper.__file__, command]


@pytest.mark.parametrize("command", [SERVER, STUBBORN], ids=["usual", "does not listen to SIGTERM"])
def test_nothing_goes_on_when_the_run_is_killed(command: str) -> None:
    """SIGKILL leaves the run no word; the keeper's standard input ends all the same."""
    with subprocess.Popen([sys.executable, "-c", RUN, *keeping(command)], stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"up\n"
        run.send_signal(signal.SIGKILL)
        run.communicate(timeout=ENDED_S)


def test_signals_of_a_terminal_do_not_end_the_server_before_the_run() -> None:
    """The run stops it, after its last test; and then at once."""
    with subprocess.Popen(keeping(SERVER), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        assert server.stdout.readline() == b"up\n"
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            server.send_signal(number)
        with pytest.raises(subprocess.TimeoutExpired):
            server.wait(0.3)
        server.stdin.close()
        assert server.wait(ENDED_S) == 128 + signal.SIGTERM
        assert server.stdout.read() == b""


@pytest.mark.parametrize(("command", "code"), [("exit 3", 3), ("nowhere-to-be-found", 127), ("kill -9 $$", 137)])
def test_the_exit_code_is_the_commands(command: str, code: int) -> None:
    """As a shell says it; what the command left behind ends with it."""
    with subprocess.Popen(
        keeping(f"sleep 300 & {command}"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as server:
        assert server.wait(ENDED_S) == code
        assert server.stdout is not None
        assert server.stdout.read() == b""

"""Runs a command until it ends, or until the process that started it has ended, even by a kill; then it ends all child processes.

In: the shell command as the only argument, and a pipe on standard input that closes when the caller ends. Out: the output of the command,
and its exit code. A program of its own, started by `servers.web_server`; standard library only, since it starts before everything else.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

GRACE_S = 4.0
LOOK_EVERY_S = 0.02


def keep(command: str) -> int:
    """Run the command and return its exit code, as a shell says it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # not ignored: that would be passed on to the command
    process = subprocess.Popen(command, shell=True, stdin=subprocess.DEVNULL, start_new_session=True)
    threading.Thread(target=_end_when_alone, args=(process.pid,), daemon=True).start()
    code = process.wait()
    end_group(process.pid)
    return code if code >= 0 else 128 - code


def _end_when_alone(group: int) -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    end_group(group)


def end_group(group: int) -> None:
    """Ask every process of a group to end, and end those that have not after a while."""
    with contextlib.suppress(
        ProcessLookupError, PermissionError
    ):  # all gone; macOS says so of what only waits for its parent
        os.killpg(group, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_S
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(LOOK_EVERY_S)
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(keep(sys.argv[1]))

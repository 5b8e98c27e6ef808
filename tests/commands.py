"""Runs the command line as a user does: in a process of its own, in an empty folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx

# What has to come is awaited for so long, on a machine that is as busy as can be; what does not come any more ends a test then.
TIMEOUT_S = 600

# How a connection looks that was closed in the middle: closed, or reset where something of the request was not read yet.
BROKEN = (httpx.RemoteProtocolError, httpx.ReadError)


def run_command(
    *arguments: str, cwd: Path, timeout_s: float = TIMEOUT_S, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Return what `chatkit-harness …` printed and its exit code. No variable of ours leaks in from outside."""
    return subprocess.run(
        [sys.executable, "-m", "harness.cli", *arguments],
        cwd=cwd,
        env=clean_environ() | environ,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def heed_ctrl_c() -> None:
    """Let a process that is about to start hear Ctrl-C, as in a terminal; what a script starts in the background ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def clean_environ() -> dict[str, str]:
    """Return the environment without the variables of the harness, of pytest, and of CI systems; bytecode is kept."""
    ours = ("CHATKIT_", "PYTEST_", "GITHUB_", "GITLAB_", "CI_", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}

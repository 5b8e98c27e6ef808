"""Starts the server of the page under test, waits until it is ready, and stops it with all that it started.

In: a command, and how to tell that it is ready. Out: a running process group, and its output in a log file.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from harness.errors import ServerError

LOOK_EVERY_S = 0.1
STOP_TIMEOUT_S = 5.0
LAST_LINES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class WebServerCommand:
    """How to start a server, and how to tell that it is ready."""

    command: str  # for the shell
    url: str
    log_ready: str = ""  # a text in its output; "": an answer from the URL is enough
    timeout_ms: int = 60_000


class WebServerProcess:
    """A web server that was started for the run; one that was there already is left alone."""

    def __init__(self, process: subprocess.Popen[bytes] | None) -> None:
        self._process = process

    @classmethod
    def start(
        cls, server: WebServerCommand, *, log: Path, environ: Mapping[str, str] | None = None
    ) -> WebServerProcess:
        """Return the server once it is ready. Raises ServerError when it ends before, or is not ready in time."""
        if _answers(server.url):
            return cls(None)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            process = subprocess.Popen(
                server.command,
                shell=True,
                env={**os.environ, **(environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started = cls(process)
        try:
            _wait_until_ready(process, server, log)
        except BaseException:
            started.stop()
            raise
        return started

    def stop(self) -> None:
        """End the process and what it started; harmless the second time."""
        process, self._process = self._process, None
        if process is None:
            return
        for end in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, end)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_TIMEOUT_S)
                return


def openai_environ(api_url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that send a backend's OpenAI calls to an embedded API instead.

    `OPENAI_BASE_URL` is read by OpenAI's own clients, `CHATKIT_API_BASE` by the ChatKit starter apps. A key that is
    there is kept: the embedded API takes any.
    """
    key = environ.get("OPENAI_API_KEY", "sk-test-embedded-api")
    return {"OPENAI_BASE_URL": f"{api_url}/v1", "CHATKIT_API_BASE": api_url, "OPENAI_API_KEY": key}


def _wait_until_ready(process: subprocess.Popen[bytes], server: WebServerCommand, log: Path) -> None:
    # A foreign process has no event to wait for: its exit, its output and its port are looked at in turn.
    deadline = time.monotonic() + server.timeout_ms / 1000
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerError(_told(f"`{server.command}` ended with exit code {process.returncode}", server, log))
        said = not server.log_ready or server.log_ready in log.read_text(encoding="utf-8", errors="replace")
        if said and _answers(server.url):
            return
        time.sleep(LOOK_EVERY_S)
    raise ServerError(_told(f"`{server.command}` was not ready within {server.timeout_ms / 1000:g} s", server, log))


def _answers(url: str) -> bool:
    """Whether anything answers there, with any status."""
    try:
        httpx.get(url, timeout=2, verify=False, trust_env=False)
    except httpx.HTTPError:
        return False
    return True


def _told(what: str, server: WebServerCommand, log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
    awaited = f"an answer from {server.url}" + (f" and {server.log_ready!r} in its output" if server.log_ready else "")
    shown = "".join(f"\n    {line[:200]}" for line in lines) or " nothing"
    return f"{what}; awaited {awaited}\n  log:       {log}\n  it said:  {shown}"

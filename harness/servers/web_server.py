"""Starts the server of the page under test, waits until it is ready, and stops it with all that it started.

In: a command, and how to tell that it is ready. Out: a running process group, and its output in a log file, cleaned line by line.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from harness.errors import ServerError

LOOK_EVERY_S = 0.1
STOP_TIMEOUT_S = 5.0
LAST_LINES = 8
UNFINISHED_LINE_S = 0.5  # a line that does not end, such as a prompt, is written after this silence
CHUNK_BYTES = 65_536
LONGEST_LINE_BYTES = 1_000_000
LARGEST_LOG_BYTES = 20_000_000
Clean = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebServerCommand:
    """How to start a server, and how to tell that it is ready."""

    command: str  # for the shell
    url: str
    log_ready: str = ""  # a text in its output; "": an answer from the URL is enough
    timeout_ms: int = 60_000


class WebServerProcess:
    """A web server that was started for the run; one that was there already is left alone."""

    def __init__(self, process: subprocess.Popen[bytes] | None, writer: threading.Thread | None = None) -> None:
        self._process = process
        self._writer = writer

    @classmethod
    def start(
        cls, server: WebServerCommand, *, log: Path, environ: Mapping[str, str] | None = None, clean: Clean = str
    ) -> WebServerProcess:
        """Return the server once it is ready. Raises ServerError when it ends before, or is not ready in time.

        `clean` is given whole lines of what the server says, and returns what is written of them.
        """
        if _answers(server.url):
            return cls(None)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")
        process = subprocess.Popen(
            server.command,
            shell=True,
            env={**os.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        writer = threading.Thread(target=_write_log, args=(process, log, clean), name="web-server-log", daemon=True)
        writer.start()
        started = cls(process, writer)
        try:
            _wait_until_ready(process, server, log, writer)
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
                break
        if self._writer is not None:
            self._writer.join(STOP_TIMEOUT_S)


def _write_log(process: subprocess.Popen[bytes], log: Path, clean: Clean) -> None:
    """Write what the process says until it, and all it started, says nothing more."""
    assert process.stdout is not None
    source, waiting, left = process.stdout.fileno(), b"", LARGEST_LOG_BYTES
    with process.stdout, log.open("ab", buffering=0) as file:
        while True:
            is_ready = bool(select.select([source], [], [], UNFINISHED_LINE_S if waiting else None)[0])
            chunk = os.read(source, CHUNK_BYTES) if is_ready else b""
            head, newline, tail = (waiting + chunk).rpartition(b"\n") if chunk else (waiting, b"", b"")
            if len(tail) > LONGEST_LINE_BYTES:
                head, newline, tail = waiting + chunk, b"", b""
            waiting = tail
            text = clean((head + newline).decode("utf-8", "replace")).encode("utf-8", "replace")
            if text and left > 0:
                # A full disk must not stop the server: what it says is read on.
                with contextlib.suppress(OSError):
                    file.write(text if len(text) <= left else b"(the rest is left out: this log is too long)\n")
                left -= len(text)
            if is_ready and not chunk:
                return


def openai_environ(api_url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that send a backend's OpenAI calls to an embedded API instead.

    `OPENAI_BASE_URL` is read by OpenAI's own clients, `CHATKIT_API_BASE` by the ChatKit starter apps. A key that is
    there is kept: the embedded API takes any.
    """
    key = environ.get("OPENAI_API_KEY", "sk-test-embedded-api")
    return {"OPENAI_BASE_URL": f"{api_url}/v1", "CHATKIT_API_BASE": api_url, "OPENAI_API_KEY": key}


def _wait_until_ready(
    process: subprocess.Popen[bytes], server: WebServerCommand, log: Path, writer: threading.Thread
) -> None:
    # A foreign process has no event to wait for: its exit, its output and its port are looked at in turn.
    deadline = time.monotonic() + server.timeout_ms / 1000
    while time.monotonic() < deadline:
        if process.poll() is not None:
            writer.join(1)
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

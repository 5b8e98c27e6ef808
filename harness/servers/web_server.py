"""Starts the web server of the page under test, waits until it is ready, and stops it with its child processes.

In: a command, and how to tell that it is ready. Out: a running process group, and its output in a log file, cleaned line by line.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from harness.errors import ServerError
from harness.files import Appender
from harness.servers import keeper

LOOK_EVERY_S = 0.1
STOP_TIMEOUT_S = keeper.GRACE_S + 2
LAST_LINES = 8
TAIL_CHARS = 20_000
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
    reuse_existing_server: bool = False


class WebServerProcess:
    """A web server that was started for the run; one that was there already is left alone."""

    def __init__(self, process: subprocess.Popen[bytes] | None, output: _Output | None = None) -> None:
        self._process = process
        self._output = output

    @classmethod
    def start(
        cls, server: WebServerCommand, *, log: Path, environ: Mapping[str, str] | None = None, clean: Clean = str
    ) -> WebServerProcess:
        """Return the server once it is ready. Raises ServerError when it ends before, is not ready in time, or when another one answers.

        `clean` is given whole lines of what the server says, and returns what is written of them.
        """
        if _answers(server.url):
            if server.reuse_existing_server:
                return cls(None)
            raise ServerError(
                f"a server already answers at {server.url}, so `{server.command}` was not started\n"
                "  to fix: stop that server, or set web_server.reuse_existing_server = true to test it; its own calls to OpenAI are "
                "then not answered on this machine"
            )
        # The keeper ends the server when this process is gone, whatever ended it: its standard input is a pipe from here.
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", keeper.__file__, server.command],
            env={**os.environ, **(environ or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        output = _Output(process, log, server.log_ready, clean)
        started = cls(process, output)
        try:
            _wait_until_ready(process, server, output)
        except BaseException:
            started.stop()
            raise
        return started

    @property
    def log_problem(self) -> str:
        """Why the log is cut; "" when it is not."""
        return self._output.log.problem if self._output is not None else ""

    def stop(self) -> None:
        """End the process and what it started; harmless the second time."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._output is not None:
            self._output.join(STOP_TIMEOUT_S)


class _Output:
    """What a server says: its end in memory, everything in the log, and whether it said that it is ready."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, log_ready: str, clean: Clean) -> None:
        self.log = Appender(log)
        self.tail = ""
        self.is_ready = not log_ready
        self._log_ready = log_ready
        self._clean = clean
        self._left_bytes = LARGEST_LOG_BYTES
        self._thread = threading.Thread(target=self._follow, args=(process,), name="web-server-log", daemon=True)
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait until nothing more can be said."""
        self._thread.join(timeout_s)

    def _follow(self, process: subprocess.Popen[bytes]) -> None:
        """Write what the process says until it, and all it started, says nothing more."""
        assert process.stdout is not None
        source, waiting = process.stdout.fileno(), b""
        with process.stdout, contextlib.closing(self.log):
            while True:
                is_ready = bool(select.select([source], [], [], UNFINISHED_LINE_S if waiting else None)[0])
                chunk = os.read(source, CHUNK_BYTES) if is_ready else b""
                head, newline, tail = (waiting + chunk).rpartition(b"\n") if chunk else (waiting, b"", b"")
                if len(tail) > LONGEST_LINE_BYTES:
                    head, newline, tail = waiting + chunk, b"", b""
                waiting = tail
                self._add(self._clean((head + newline).decode("utf-8", "replace")))
                if is_ready and not chunk:
                    return

    def _add(self, text: str) -> None:
        said = self.tail + text
        self.is_ready = self.is_ready or self._log_ready in said
        self.tail = said[-TAIL_CHARS:]
        content = text.encode("utf-8", "replace")
        if content and self._left_bytes > 0:
            # A full disk must not stop the server: what it says is read on.
            self.log.write(
                content if len(content) <= self._left_bytes else b"(the rest is left out: this log is too long)\n"
            )
            self._left_bytes -= len(content)


def openai_environ(api_url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that send a backend's OpenAI calls to an embedded API instead.

    `OPENAI_BASE_URL` is read by OpenAI's own clients, `CHATKIT_API_BASE` by the ChatKit starter apps. A key that is
    there is kept: the embedded API takes any.
    """
    key = environ.get("OPENAI_API_KEY", "sk-test-embedded-api")
    return {"OPENAI_BASE_URL": f"{api_url}/v1", "CHATKIT_API_BASE": api_url, "OPENAI_API_KEY": key}


def _wait_until_ready(process: subprocess.Popen[bytes], server: WebServerCommand, output: _Output) -> None:
    # A foreign process has no event to wait for: its exit, its output and its port are looked at in turn.
    deadline = time.monotonic() + server.timeout_ms / 1000
    while time.monotonic() < deadline:
        if process.poll() is not None:
            output.join(1)
            raise ServerError(_told(f"`{server.command}` ended with exit code {process.returncode}", server, output))
        if output.is_ready and _answers(server.url):
            return
        time.sleep(LOOK_EVERY_S)
    raise ServerError(_told(f"`{server.command}` was not ready within {server.timeout_ms / 1000:g} s", server, output))


def _answers(url: str) -> bool:
    """Whether anything answers there, with any status."""
    try:
        httpx.get(url, timeout=2, verify=False, trust_env=False)
    except httpx.HTTPError:
        return False
    return True


def _told(what: str, server: WebServerCommand, output: _Output) -> str:
    lines = output.tail.splitlines()[-LAST_LINES:]
    awaited = f"an answer from {server.url}" + (f" and {server.log_ready!r} in its output" if server.log_ready else "")
    shown = "".join(f"\n    {line[:200]}" for line in lines) or " nothing"
    return f"{what}; expected {awaited}\n  log:       {output.log.path}\n  output:   {shown}"

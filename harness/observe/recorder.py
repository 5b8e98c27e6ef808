"""Observes one visit from all sources and saves its timeline during the visit.

In: a context and a page. Out: a `Timeline` in memory and on disk, line by line, flushed.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, Request

from harness.files import Appender, reason_of, write_whole
from harness.model.bounds import FULL, Bounds
from harness.model.file_names import TIMELINE_NAME
from harness.model.recording import RecordedSocket
from harness.model.redaction import Redactor
from harness.model.timeline import Entry, Timeline, encode, header_line
from harness.observe.bodies import BodyStore
from harness.observe.console import PageObserver
from harness.observe.network import NetworkObserver
from harness.observe.probe import Probe
from harness.observe.sockets import SocketObserver


class Recorder:
    """All observers of one visit. Use it as a context manager around the visit."""

    def __init__(self, *, folder: Path, redactor: Redactor, bounds: Bounds = FULL) -> None:
        self.bounds = bounds
        self.started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.folder = folder
        self._file = Appender(folder / TIMELINE_NAME)
        self._file.write(f"{header_line(started_at=self.started_at)}\n".encode())
        self.timeline = Timeline(
            clock_ms=lambda: time.perf_counter() * 1000, redactor=redactor, sink=self._write, bounds=bounds
        )
        self.bodies = BodyStore(redactor, bounds)
        salt = secrets.token_hex(16)
        self._network = NetworkObserver(self.timeline, self.bodies, salt, bounds)
        self._probe = Probe(self.timeline, salt, self._network.on_stream)
        self._pages = PageObserver(self.timeline, bounds)
        self._sockets = SocketObserver(self.timeline, bounds)

    def attach(self, context: BrowserContext, page: Page) -> None:
        """Start observing; call once, before the first navigation."""
        self._probe.install(context, page)
        self._network.attach(context, page)
        self._pages.attach(page)
        self._sockets.attach(page)

    def detach(self, context: BrowserContext, page: Page) -> None:
        """Stop observing and close the file."""
        self._network.detach(context)
        self._pages.detach(page)
        self._sockets.detach(page)
        self.close()

    @property
    def sockets(self) -> tuple[RecordedSocket, ...]:
        """The page's WebSockets, and what their servers sent."""
        return self._sockets.sockets

    def read_bodies(self) -> None:
        """Fetch the bodies that a verdict can depend on."""
        self._network.read_bodies(judged_only=True)

    def read_all_bodies(self) -> None:
        """Fetch the bodies of scripts and styles too."""
        self._network.read_bodies(judged_only=False)

    def leave_bodies(self, reason: str) -> None:
        """Leave out the bodies that were not fetched, and say why."""
        self._network.leave_bodies(reason)

    def tell_failure(self, request: Request, failure: str) -> None:
        """Record this failure for a request that a replay aborts, instead of the browser's similar one."""
        self._network.tell_failure(request, failure)

    def end_streams(self) -> None:
        """Write down when the pieces of unfinished streams came."""
        self._network.end_streams()

    def settle(self) -> str:
        """Close the timeline's file, and return "" or why lines are missing in it.

        What was learned to be secret later is replaced in its earlier lines; lines that found no room are tried once more.
        """
        self.close()
        is_clean = all(self.timeline.redactor.text(line) == line for line in self._lines())
        if is_clean and not self._file.problem:
            return ""
        reason = ""
        for _ in range(2):
            try:
                write_whole(self._file.path, map(self._clean, self._lines()))
            except OSError as error:
                reason = reason_of(error)
            else:
                return ""
            if is_clean:  # the lines that are there can stay
                break
            with contextlib.suppress(OSError):  # better no timeline than one with a secret; and its room may suffice
                self._file.path.unlink()
        return reason

    def close(self) -> None:
        """Close the timeline's file. Harmless the second time."""
        self._file.close()

    def _lines(self) -> Iterator[str]:
        yield header_line(started_at=self.started_at)
        yield from map(encode, self.timeline.entries)

    def _clean(self, line: str) -> bytes:
        return f"{self.timeline.redactor.text(line)}\n".encode("utf-8", "replace")

    def _write(self, entry: Entry) -> None:
        self._file.write(f"{encode(entry)}\n".encode("utf-8", "replace"))

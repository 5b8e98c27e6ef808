"""Observes one visit from all sources and saves its timeline while it happens.

In: a context and a page. Out: a `Timeline` in memory and on disk, line by line, flushed.
"""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, Request

from harness.errors import BundleError
from harness.model.bounds import FULL, Bounds
from harness.model.redaction import Redactor
from harness.model.timeline import Entry, Timeline, encode, header_line
from harness.observe.bodies import BodyStore
from harness.observe.console import PageObserver
from harness.observe.network import NetworkObserver
from harness.observe.probe import Probe

TIMELINE_NAME = "timeline.jsonl"


class Recorder:
    """Everything that watches one visit. Use as a context manager around the visit."""

    def __init__(self, *, folder: Path, redactor: Redactor, bounds: Bounds = FULL) -> None:
        self.bounds = bounds
        self.started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.folder = folder
        self._file = self._open(folder / TIMELINE_NAME)
        self.timeline = Timeline(
            clock_ms=lambda: time.perf_counter() * 1000, redactor=redactor, sink=self._write, bounds=bounds
        )
        self.bodies = BodyStore(redactor, bounds)
        salt = secrets.token_hex(16)
        self._network = NetworkObserver(self.timeline, self.bodies, salt, bounds)
        self._probe = Probe(self.timeline, salt, self._network.on_stream)
        self._pages = PageObserver(self.timeline, bounds)

    def attach(self, context: BrowserContext, page: Page) -> None:
        """Start observing; call once, before the first navigation."""
        self._probe.install(context, page)
        self._network.attach(context, page)
        self._pages.attach(page)

    def detach(self, context: BrowserContext, page: Page) -> None:
        """Stop observing and close the file."""
        self._network.detach(context)
        self._pages.detach(page)
        self.close()

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
        """Write down this failure of a request that is broken off in a recording's name, and not the browser's nearest one."""
        self._network.tell_failure(request, failure)

    def end_streams(self) -> None:
        """Write down when the pieces of unfinished streams came."""
        self._network.end_streams()

    def settle(self) -> None:
        """Close the timeline's file, and replace in its earlier lines what was learned to be secret later."""
        self.close()
        path, redactor = self.folder / TIMELINE_NAME, self.timeline.redactor
        partial = path.with_name(path.name + ".partial")
        try:
            with path.open(encoding="utf-8", errors="replace") as old, partial.open("w", encoding="utf-8") as new:
                is_changed = False
                for line in old:
                    clean = redactor.text(line)
                    is_changed |= clean != line
                    new.write(clean)
            if is_changed:
                partial.replace(path)
            partial.unlink(missing_ok=True)
        except OSError as error:
            raise BundleError(f"cannot write {path}: {error.strerror}") from error

    def close(self) -> None:
        """Close the timeline's file. Harmless the second time."""
        self._file.close()

    def _open(self, path: Path) -> FileIO:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("wb", buffering=0)  # each line is the system's as soon as it is written
            file.write(f"{header_line(started_at=self.started_at)}\n".encode())
        except OSError as error:
            raise BundleError(f"cannot write {path}: {error.strerror}; choose another output_dir") from error
        return file

    def _write(self, entry: Entry) -> None:
        if self._file.closed:
            return
        self._file.write(f"{encode(entry)}\n".encode("utf-8", "replace"))

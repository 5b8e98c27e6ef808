"""Playwright's trace of a visit: started with it, stopped at its end, and kept without a secret, with the verdict as its last action.

In: a browser context. Out: `trace.zip` in the bundle, or a line of the timeline that says why there is none.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import BrowserContext, Error

from harness.errors import BundleError
from harness.files import reason_of
from harness.model.events import Omitted
from harness.model.file_names import CONSOLE_NAME, TRACE_NAME
from harness.model.results import VisitResult
from harness.model.texts import with_texts
from harness.observe.recorder import Recorder
from harness.report.bundle import Bundle
from harness.report.context import render_console, render_error_context, render_verdict
from harness.report.run_folder import shown
from harness.report.trace import Evidence, learn_from_trace, rewrite_trace
from harness.visit.target import Keep, is_wanted


class Tracing:
    """The trace of one visit."""

    def __init__(self, context: BrowserContext, recorder: Recorder, bundle: Bundle, keep: Keep) -> None:
        self._context, self._recorder, self._bundle, self._keep = context, recorder, bundle, keep
        self._is_on = False

    def start(self) -> None:
        """Start, where the visit keeps a trace and pytest-playwright's own --tracing has not started one."""
        if self._keep.trace == "off" or not self._recorder.bounds.trace_bytes:
            return
        try:
            self._context.tracing.start(screenshots=self._keep.films, snapshots=True)
            self._is_on = True
        except Error:
            self._is_on = False  # pytest-playwright's own --tracing is on

    def stop(self, result: VisitResult) -> None:
        """Stop, and keep the trace where a visit with this result does."""
        if not self._is_on:
            return
        self._is_on = False
        try:
            # Playwright's own words never reach the bundle.
            with TemporaryDirectory(prefix="chatkit-trace-", ignore_cleanup_errors=True) as folder:
                raw = Path(folder) / TRACE_NAME
                try:
                    self._context.tracing.stop(path=raw if is_wanted(self._keep.trace, result) else None)
                except Error:  # the browser died, or there is no room; there is no trace to keep
                    return
                if raw.is_file():
                    self._rewrite(raw, result)
        except OSError as error:
            self._bundle.lose(TRACE_NAME, reason_of(error))

    def _rewrite(self, raw: Path, result: VisitResult) -> None:
        timeline = self._recorder.timeline
        try:
            learn_from_trace(raw, timeline.redactor)  # first: what it teaches may stand in the evidence too
            rewrite_trace(raw, self._recorder.folder / TRACE_NAME, timeline.redactor, self._told(result))
        except BundleError as error:  # better no trace than one with a secret, and no reason to fail a test
            if isinstance(error.__cause__, OSError):
                self._bundle.lose(TRACE_NAME, reason_of(error.__cause__))
            timeline.append(Omitted(what=TRACE_NAME, limit=str(error)))

    def _told(self, result: VisitResult) -> Evidence:
        """What a trace is told, with all that is known to be secret by now left out."""
        timeline = self._recorder.timeline
        redact = timeline.redactor.text
        known = with_texts(result, redact)
        told = render_error_context(known, bundle=shown(self._recorder.folder.absolute()), files=())
        return Evidence(
            title=render_verdict(known),
            error="" if result.is_mounted else known.explanation,
            attachments={"verdict.md": redact(told), CONSOLE_NAME: redact(render_console(timeline.entries))},
        )

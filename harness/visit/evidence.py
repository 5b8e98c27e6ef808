"""What the bundle of a visit holds: the last look at its page, and every file that is made of it and of the timeline.

In: the page of a visit that ends, and what was recorded of it. Out: files, each whole or not at all, and the result with what is missing.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from playwright.sync_api import BrowserContext

from harness import __version__
from harness.analysis.facts.cors_refusals import cors_headers_of
from harness.analysis.facts.exchanges import exchanges_of
from harness.analysis.har import har_of
from harness.analysis.replay.recording import lacks_in, recording_of
from harness.drive.capture import NO_DOM, dom_html, element_screenshot, page_screenshot, secret_elements
from harness.drive.embed import Embed
from harness.drive.environment import environment_of, storage_of
from harness.model.file_names import (
    CONSOLE_NAME,
    DOM_NAME,
    ERROR_CONTEXT_NAME,
    HAR_NAME,
    MANIFEST_NAME,
    RESULT_NAME,
    TIMELINE_NAME,
)
from harness.model.manifest import Manifest, saved_manifest
from harness.model.recording import Environment, RecordedVerdict
from harness.model.redaction import in_markup
from harness.model.results import Loss, VisitResult
from harness.model.texts import with_texts
from harness.observe.recorder import Recorder
from harness.report.bundle import Bundle, json_bytes, saved_result, text_bytes
from harness.report.context import omissions_of, render_console, render_error_context
from harness.report.recordings import sealed, shapes_in
from harness.report.run_folder import shared_bodies_of, shown
from harness.visit.target import Keep, Target, is_wanted

PLACEHOLDER_START = b"<redacted:"


class VisitEvidence:
    """Collects what one visit leaves behind, and writes it."""

    def __init__(
        self, *, embed: Embed, target: Target, recorder: Recorder, keep: Keep, recorded_network: str = ""
    ) -> None:
        self.bundle = Bundle(recorder.folder, shared_bodies_of(recorder.folder))
        self._embed, self._target, self._recorder, self._keep = embed, target, recorder, keep
        self._recorded_network = recorded_network  # of the recording that answers this visit
        self._screenshots: dict[str, bytes] = {}
        self._dom = ""
        self._is_deaf = False  # the page answered nothing when it was last asked
        self._storage: dict[str, Any] = {}
        self._environment = Environment()

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What could not be written, each file with the folder it should be in."""
        folder = self._recorder.folder
        return tuple(Loss(file=str(folder / loss.file), reason=loss.reason) for loss in self.bundle.missing)

    # --- while there is a page

    def store_first(self, context: BrowserContext) -> None:
        """Keep what the browser has stored before the page is opened."""
        self._storage = storage_of(context, self._recorder.timeline.redactor)

    def take_screenshots(self, result: VisitResult) -> None:
        """Take the screenshots, once, where a visit with this result keeps them."""
        page, most_px = self._embed.page, self._recorder.bounds.screenshot_px
        if self._screenshots or not is_wanted(self._keep.screenshot, result):
            return
        if page.is_closed() or self._embed.is_crashed or not most_px:
            return
        mask = secret_elements(page, self._recorder.timeline.redactor)
        self._is_deaf = mask is None
        if mask is None:  # nor would it be painted; and nobody knows which secrets it shows
            return
        for name, image in (
            ("screenshot-page.png", page_screenshot(page, mask)),
            ("screenshot-element.png", element_screenshot(page, mask, most_px)),
        ):
            if image is not None:
                self._screenshots[name] = image

    def read_bodies(self) -> None:
        """Read the answers that came since the verdict; what they hold is redacted from now on."""
        if not self._embed.page.is_closed():
            self._recorder.read_bodies()

    def look(self, result: VisitResult) -> None:
        """Ask the page, for the last time, what a bundle still needs."""
        page, bounds = self._embed.page, self._recorder.bounds
        self._is_deaf = False
        is_whole = is_wanted(self._keep.bodies, result)
        if not page.is_closed() and is_whole:
            self._recorder.read_all_bodies()
        if result.is_good:
            self._recorder.leave_bodies("the visit passed")
        self.take_screenshots(result)
        if not page.is_closed() and not self._embed.is_crashed and bounds.dom_chars > 0:
            self._dom = NO_DOM if self._is_deaf else dom_html(page, self._recorder.timeline.redactor, bounds)
        self._environment = environment_of(page, is_whole=is_whole, is_asked=not self._is_deaf)

    # --- when there is none any more

    def write(self, result: VisitResult) -> VisitResult:
        """Write the bundle, and return the result with what could not be written."""
        recorder, bundle = self._recorder, self.bundle
        cut = recorder.settle()
        if cut:
            bundle.lose(TIMELINE_NAME, cut)
        entries, redactor = recorder.timeline.entries, recorder.timeline.redactor
        exchanges = exchanges_of(entries)
        is_whole = is_wanted(self._keep.bodies, result)
        bodies: dict[str, bytes] = {}
        har = har_of(
            exchanges,
            content_of=recorder.bodies.content,
            started_at=recorder.started_at,
            page_title=result.url,
            browser=result.browser,
            version=__version__,
            most_chars=recorder.bounds.har_chars,
            longest_chars=recorder.bounds.body_chars if is_whole else recorder.bounds.passed_body_chars,
            inline_chars=recorder.bounds.inline_chars,
            files=bodies if is_whole else None,
            omitted=omissions_of(entries),
            cors=cors_headers_of(entries),
            sockets=recorder.sockets,
        )
        saved_har = redactor.value(har)
        lacks = _lacks_of(saved_har, bodies)
        gaps = lacks if is_whole else ()
        result = replace(result, unreplayable=lacks_in(entries) if self._target.network == "replay" else gaps)
        bundle.write(CONSOLE_NAME, text_bytes(redactor.text(render_console(entries))))
        bundle.write(HAR_NAME, json_bytes(saved_har))
        bundle.write_bodies(bodies)
        if self._dom:
            bundle.write(DOM_NAME, text_bytes(in_markup(redactor.text(self._dom))))
        for name, image in self._screenshots.items():
            bundle.write(name, image)
        if not result.is_good:
            bundle.write_above_all(ERROR_CONTEXT_NAME, lambda: text_bytes(redactor.text(self._told(result))))
        bundle.write_above_all(RESULT_NAME, lambda: self._saved(result))
        manifest = sealed(self._manifest(result, saved_har, bodies, lacks), recorder.folder)
        if bundle.write(MANIFEST_NAME, json_bytes(saved_manifest(manifest))):
            bundle.replace(RESULT_NAME, self._saved(result))
        return self._with_losses(result)

    def _saved(self, result: VisitResult) -> bytes:
        return json_bytes(self._recorder.timeline.redactor.value(saved_result(self._with_losses(result))))

    def _manifest(
        self, result: VisitResult, har: dict[str, Any], bodies: dict[str, bytes], lacks: tuple[str, ...]
    ) -> Manifest:
        """Return what a replay of the visit needs in addition to its network."""
        target, timeline = self._target, self._recorder.timeline
        storage = timeline.redactor.value(self._storage)
        done = [action.text for action in self._embed.done]
        texts = [json.dumps(value, ensure_ascii=False) for value in (har, storage, timeline.redactor.value(done))]
        texts += [body.decode("utf-8", "replace") for body in bodies.values() if PLACEHOLDER_START in body]
        return Manifest(
            written_at=datetime.now(UTC).isoformat(timespec="seconds"),
            harness=__version__,
            url=timeline.redactor.text(result.url),
            started_at=result.started_at,
            network=self._recorded_network or result.network,
            project=result.project,
            entry=result.entry,
            environment=self._environment,
            actions=tuple(with_texts(action, timeline.redactor.text) for action in self._embed.done),
            storage=storage,
            judged=RecordedVerdict(
                outcome=result.outcome,
                reason=result.reason,
                cause=result.cause.rule if result.cause else "",
                findings=tuple(f.rule for f in (*([result.cause] if result.cause else []), *result.also)),
                prefetch=result.prefetch,
                **target.limits.limits_by_name,
                prefetch_expected=target.prefetch,
                console_allow=target.console_allow,
                session_endpoint=target.session_endpoint,
            ),
            shapes=shapes_in(texts, timeline.redactor.placeholders),
            missing=lacks,
        )

    def _with_losses(self, result: VisitResult) -> VisitResult:
        return replace(result, missing=self.bundle.missing)

    def _told(self, result: VisitResult) -> str:
        files = sorted({ERROR_CONTEXT_NAME, RESULT_NAME, *self.bundle.files})
        timeline = self._recorder.timeline
        # Redacted before it is marked up: that would hide what was learned late.
        known = with_texts(self._with_losses(result), timeline.redactor.text)
        omitted = omissions_of(timeline.entries)
        return render_error_context(known, bundle=shown(self._recorder.folder.absolute()), files=files, omitted=omitted)


def _lacks_of(har: dict[str, Any], bodies: dict[str, bytes]) -> tuple[str, ...]:
    """Return what a replay of this HAR lacks, as sentences."""
    if not har["log"]["entries"]:
        return ("every request: the page sent none",)
    return recording_of(har, name=HAR_NAME, read_file=bodies.get).missing

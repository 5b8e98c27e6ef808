"""One visit of a page: it opens the page, acts on it, waits for the verdict, and returns the result.

In: a page that is observed and answered. Out: a `VisitResult`. What its bundle holds is collected in `evidence`, its trace in `tracing`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from playwright.sync_api import BrowserContext, FrameLocator, Locator, Page

from harness.analysis.result import result_of
from harness.drive import conversation as talk
from harness.drive.conversation import Reply
from harness.drive.embed import Embed
from harness.errors import ConversationFailed, MountFailed
from harness.model.events import PageCrashed, VisitEnded, VisitStarted
from harness.model.recording import Action
from harness.model.results import Loss, VisitResult
from harness.observe.playwright_private import is_driver_gone
from harness.observe.recorder import Recorder
from harness.report.context import render_failure
from harness.report.run_folder import shown
from harness.visit.evidence import VisitEvidence
from harness.visit.target import Keep, Target
from harness.visit.tracing import Tracing

NAVIGATION_TIMEOUT_MS = 30_000


class Visit:
    """One page visit: its embed, its result, its bundle."""

    def __init__(
        self,
        *,
        context: BrowserContext,
        page: Page,
        target: Target,
        recorder: Recorder,
        keep: Keep,
        recorded_network: str = "",
    ) -> None:
        self.target = target
        self.folder: Path = recorder.folder
        self.embed = Embed(
            page=page,
            timeline=recorder.timeline,
            limits=target.limits,
            session_endpoint=target.session_endpoint,
            read_bodies=recorder.read_bodies,
        )
        self._context = context
        self._recorder = recorder
        self._evidence = VisitEvidence(
            embed=self.embed, target=target, recorder=recorder, keep=keep, recorded_network=recorded_network
        )
        self._tracing = Tracing(context, recorder, self._evidence.bundle, keep)
        self._has_begun = False
        self._final: VisitResult | None = None

    @property
    def final(self) -> VisitResult | None:
        """The result that the bundle was written with; None until then."""
        return self._final

    @property
    def page(self) -> Page:
        """Playwright's page."""
        return self.embed.page

    @property
    def element(self) -> Locator:
        """The first `<openai-chatkit>` of the page."""
        return self.embed.element

    @property
    def frame(self) -> FrameLocator:
        """The widget's frame, for Playwright's locators."""
        return talk.frame_locator(self.embed)

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What could not be written, each file with the folder it should be in."""
        return self._evidence.losses

    @property
    def folder_shown(self) -> str:
        """The bundle's folder as messages name it: relative to the current one where it is below it."""
        return shown(self.folder.absolute())

    def open(self) -> None:
        """Open the page and click the entry. Raises PageError when that is not possible."""
        self._begin()
        self._evidence.store_first(self._context)
        self._tracing.start()
        self.embed.goto(self.target.url, timeout_ms=NAVIGATION_TIMEOUT_MS)
        self.act(self.target.actions)

    def _begin(self) -> None:
        self._has_begun = True
        target, browser = self.target, self._context.browser
        size = self.embed.page.viewport_size
        self._recorder.timeline.append(
            VisitStarted(
                url=target.url,
                project=target.project,
                entry=target.entry,
                scenario=target.scenario.name if target.scenario else "",
                browser=browser.browser_type.name if browser else "",
                browser_version=browser.version if browser else "",
                viewport=f"{size['width']}x{size['height']}" if size else "",
                network=target.network,
            )
        )

    def act(self, actions: Iterable[Action]) -> None:
        """Do these steps on the page, in order. Raises PageError for one that cannot be done.

        A message that is not answered ends them: what became of it is in the timeline.
        """
        for action in actions:
            match action.action:
                case "send":
                    try:
                        self.send(action.text, via=action.target)
                    except (MountFailed, ConversationFailed):
                        return
                case "reload":
                    self.page.reload(wait_until="commit")
                case _:
                    self.embed.do(action)

    def send(self, text: str, *, via: str = "composer", timeout_ms: float = 30_000) -> Reply:
        """Send a message and return the whole reply; the mount is awaited first.

        `via`: "composer" types as a person does, "method" calls `sendUserMessage`. Raises MountFailed, ConversationFailed.
        """
        self._require_mount()
        self.embed.done.append(Action(action="send", target=via, text=text))
        try:
            return talk.send(self.embed, text, via=via, timeout_ms=timeout_ms)
        except ConversationFailed as failure:
            raise ConversationFailed(f"{failure}\n  bundle:    {self.folder_shown}") from failure

    def new_thread(self) -> None:
        """Begin a new conversation, as its button does."""
        self._require_mount()
        talk.new_thread(self.embed)

    def open_history(self) -> None:
        """Open the list of earlier conversations."""
        self._require_mount()
        talk.open_history(self.embed)

    def _require_mount(self) -> None:
        result = self.wait_until_decided()
        if not result.is_mounted:
            raise MountFailed(
                render_failure(result, bundle=self.folder_shown, expected="expected a mounted widget for the message")
            )

    def wait_until_decided(self) -> VisitResult:
        """Return the result as soon as the mount, and that of every other chat of the page, is decided; take the screenshots then."""
        self.embed.wait_until_decided()
        self.embed.wait_for_others()
        result = self.result()
        self._evidence.take_screenshots(result)
        return result

    def result(self) -> VisitResult:
        """Return what the timeline says so far."""
        target = self.target
        judgement, entries = self.embed.judged()
        return result_of(
            entries,
            judgement=judgement,
            limits=target.limits,
            started_at=self._recorder.started_at,
            prefetch_expected=target.prefetch,
            console_allow=target.console_allow,
            session_endpoint=target.session_endpoint,
        )

    def learn_secrets(self) -> None:
        """Read the answers that came since the verdict; what they hold is redacted from now on."""
        if self._final is None:
            self._evidence.read_bodies()

    def finish(self) -> VisitResult:
        """Write the bundle and return the final result; the second time, only return it."""
        if self._final is not None:
            return self._final
        timeline, fault = self._recorder.timeline, None
        if not self._has_begun:  # interrupted before it was opened
            self._begin()
        try:
            self._look()
        except Exception as error:  # whatever it is, what was seen so far is written
            fault = error
            if is_driver_gone(self.embed.page):
                timeline.append(PageCrashed(what="browser"))
        self._recorder.end_streams()
        self._recorder.leave_bodies("the page was closed")
        timeline.append(VisitEnded(reason="finished"))
        self._final = self._evidence.write(self.result())
        self.embed.raise_fault()
        if fault is not None:
            raise fault
        return self._final

    def _look(self) -> None:
        """Ask the page for what the bundle still needs, and end the trace."""
        self._evidence.read_bodies()
        result = self.result()
        self._evidence.look(result)
        self._tracing.stop(result)

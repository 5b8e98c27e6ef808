"""The page object of one visit: opens the page, acts, and waits until the mount is decided.

In: a Playwright page and the visit's timeline. Out: judgements. Every wait has a deadline, and ends when it is decided.
"""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Error, Locator, Page
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from harness.analysis.mount.state import Mount
from harness.analysis.mount.verdict import Judgement, follow, judge_others, settle
from harness.drive.actions import Actor
from harness.drive.waiting import Waiter
from harness.errors import EnvironmentFailure, HarnessError, PageError
from harness.model.addresses import server_of
from harness.model.chatkit import TAG
from harness.model.events import CaughtUp, HarnessFault, Navigated, PageCrashed, RequestBlocked, ResponseReceived
from harness.model.limits import Limits
from harness.model.recording import Action
from harness.model.timeline import Entry, Timeline

ANSWER_TIMEOUT_MS = 1_000  # a page whose main thread hangs for longer is judged by what was seen


class Embed:
    """One ChatKit embed on one page, as a test sees it."""

    def __init__(
        self, *, page: Page, timeline: Timeline, limits: Limits, session_endpoint: str, read_bodies: Callable[[], None]
    ) -> None:
        self.page = page
        self.timeline = timeline
        self._read_bodies = read_bodies
        self._waiter = Waiter(page, timeline)
        self._judgement = Judgement(limits=limits, mount=Mount(session_endpoint=session_endpoint))
        self._seen = 0
        self._faults: list[HarnessError] = []
        self.done: list[Action] = []  # what was done on the page, in order; a replay does it again

    @property
    def element(self) -> Locator:
        """The first `<openai-chatkit>` of the page."""
        return self.page.locator(TAG).first

    def goto(self, url: str, *, timeout_ms: float) -> None:
        """Open the page and return once its document arrives. Raises PageError when it does not, or is no page."""
        try:
            response = self.page.goto(url, wait_until="commit", timeout=timeout_ms)
        except PlaywrightTimeout as error:
            raise PageError(
                f"{url} did not answer within {timeout_ms / 1000:g} s; is the server up, and the URL right?"
            ) from error
        except Error as error:
            blocked = [entry.event for entry in self.timeline.entries if isinstance(entry.event, RequestBlocked)]
            if blocked:
                place = (
                    f"{url} is not on this machine"
                    if server_of(blocked[-1].url) == server_of(url)
                    else (f"{url} leads to {blocked[-1].url}, which is not on this machine")
                )
                raise PageError(f'{place}, and this run is hermetic; set network = "live" to visit it') from error
            raise _navigation_error(url, error, self._last_media_type()) from error
        if response is None:
            return
        media_type = response.headers.get("content-type", "").split(";")[0].strip().lower()
        if media_type and media_type not in ("text/html", "application/xhtml+xml"):
            raise PageError(f"{url} is {media_type}, not a web page; use the URL of the page that embeds ChatKit")
        self.timeline.append(Navigated(url=url, status=response.status, media_type=media_type))
        if response.status >= 400:
            raise PageError(
                f"{url} answered {response.status} {response.status_text}; use the URL of the page that embeds ChatKit"
            )

    def _last_media_type(self) -> str:
        answers = (e.event for e in reversed(self.timeline.entries) if isinstance(e.event, ResponseReceived))
        return next((answer.media_type for answer in answers), "")

    def do(self, action: Action) -> None:
        """Do one step on the page, so that the page hears it. Raises PageError that says what there is, or what is in the way."""
        self.done.append(action)
        Actor(self.page, self.timeline, self._waiter).do(action)

    def click(self, name: str) -> None:
        """Click the button, link or text of this name. Raises PageError."""
        self.do(Action(action="click", target=name))

    def wait_until_decided(self) -> Judgement:
        """Return the judgement as soon as there is a verdict; at the latest when the mount's time is over."""
        while True:
            self._read_bodies()
            self.raise_fault()
            if self._judgement.verdict is not None:
                return self._judgement
            remaining_ms = self._judgement.due_ms - self.timeline.now_ms
            if remaining_ms > 0:
                self._waiter.wait(remaining_ms)
            else:
                self.catch_up()

    def read_bodies(self) -> None:
        """Read the answers that have come and that a verdict, or a reply, can depend on."""
        self._read_bodies()

    def wait_for_others(self) -> None:
        """Return when the page's other embeds that have got their options are decided too; at the latest when their time is over."""
        while not self.page.is_closed() and not self.is_crashed:
            self._read_bodies()
            judgement, entries = self.judged()
            due_ms = [other.due_ms for other in judge_others(entries, judgement) if other.verdict is None]
            if not due_ms:
                return
            remaining_ms = min(due_ms) - self.timeline.now_ms
            if remaining_ms > 0:
                self._waiter.wait(remaining_ms)
            else:
                self.catch_up()

    def wait_for(self, matches: Callable[[Entry], bool], *, after: int, timeout_ms: float) -> Entry | None:
        """Return the first entry after a line that matches; None when there is none in time."""
        deadline_ms = self.timeline.now_ms + timeout_ms
        seen, is_over = after, False
        while True:
            entries = self.timeline.since(seen)
            found = next((entry for entry in entries if matches(entry)), None)
            self.raise_fault()
            if found is not None or is_over:
                return found
            seen = entries[-1].seq if entries else seen
            is_over = self.timeline.now_ms >= deadline_ms
            if is_over:
                self.catch_up()
            else:
                self._waiter.wait(deadline_ms - self.timeline.now_ms)

    def catch_up(self) -> None:
        """Hear all that the browser has said up to now: whatever the page did before it answers stands above that line."""
        is_answered = not self._judgement.mount.is_crashed
        try:
            if is_answered:
                self.page.locator("html").wait_for(state="attached", timeout=ANSWER_TIMEOUT_MS)
        except Error:  # it hangs, or is gone
            is_answered = False
        self.timeline.append(CaughtUp(is_answered=is_answered))

    def judged(self) -> tuple[Judgement, tuple[Entry, ...]]:
        """Return what is known at this moment, without waiting, and the entries it rests on. It ends no wait."""
        now_ms = self.timeline.now_ms  # before the entries: whatever comes later is stamped later
        self._follow()
        return settle(self._judgement, now_ms), self.timeline.entries[: self._seen]

    def raise_fault(self) -> None:
        """Raise what went wrong on our side since the last time, if anything: HarnessError, EnvironmentFailure."""
        self._follow()
        faults, self._faults = self._faults, []
        for fault in faults:
            raise fault

    @property
    def is_crashed(self) -> bool:
        """Whether the page or the browser is gone."""
        return self.judged()[0].mount.is_crashed

    def _follow(self) -> None:
        for entry in self.timeline.since(self._seen):
            self._judgement = follow(self._judgement, entry)
            self._seen = entry.seq
            if isinstance(entry.event, PageCrashed) and entry.event.what == "browser":
                self._faults.append(EnvironmentFailure("the browser crashed during the visit"))
            if isinstance(entry.event, HarnessFault):
                message = f"internal error of the harness in {entry.event.where}: {entry.event.message}"
                self._faults.append(HarnessError(message))


def _navigation_error(url: str, error: Error, media_type: str) -> HarnessError:
    text = error.message.splitlines()[0].removeprefix("Page.goto: ")
    if "ERR_CONNECTION_REFUSED" in text or "NS_ERROR_CONNECTION_REFUSED" in text:
        return PageError(f"{url}: connection refused; check that the server is running and that the port is right")
    if "ERR_UNSAFE_PORT" in text:
        return PageError(f"{url}: browsers block this port (net::ERR_UNSAFE_PORT); check the port")
    if "ERR_NAME_NOT_RESOLVED" in text or "NS_ERROR_UNKNOWN_HOST" in text:
        return PageError(f"{url}: unknown host name; check the spelling, and the DNS of this machine")
    if "ERR_CERT" in text or "SEC_ERROR" in text:
        return PageError(f"{url}: the TLS certificate is not accepted ({text.split(' at ')[0]})")
    if "Download is starting" in text or "ERR_ABORTED" in text:
        what = f"a download ({media_type})" if media_type else "a download"
        return PageError(f"{url} is {what}, not a web page; use the URL of the page that embeds ChatKit")
    if "has been closed" in text or "crash" in text.lower():
        return EnvironmentFailure(f"the browser was closed while opening {url}: {text}")
    return PageError(f"{url} cannot be opened: {text}")

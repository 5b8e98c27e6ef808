"""Wires one run together: servers, routes, observation, judgement and artifacts around each visit.

In: configuration, and a browser context of the caller's. Out: a `Visit` while it lasts, and its bundle afterwards.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import BrowserContext, Error, FrameLocator, Locator, Page

from harness import __version__
from harness.analysis.facts.cors_refusals import cors_headers_of
from harness.analysis.facts.exchanges import exchanges_of
from harness.analysis.har import har_of
from harness.analysis.replay.matching import Miss
from harness.analysis.replay.recording import lacks_in, recording_of
from harness.analysis.result import result_of
from harness.config.reading import Config, Project, Use
from harness.config.storage_state import read_storage_state
from harness.config.tables import Entry
from harness.drive import conversation as talk
from harness.drive.browsers import require_rerouting
from harness.drive.capture import NO_DOM, dom_html, element_screenshot, page_screenshot, secret_elements
from harness.drive.conversation import Reply
from harness.drive.embed import Embed
from harness.drive.environment import environment_of, storage_of
from harness.drive.faults import cookie_keeper, install_aborts, install_forwarding
from harness.drive.headers import install_headers
from harness.drive.replay_context import install_replay
from harness.drive.routes import (
    LEAVES_LOOPBACK,
    Destinations,
    destination_of,
    install_routes,
    install_sdk_route,
    sdk_destination_of,
)
from harness.errors import BundleError, ConfigError, ConversationFailed, MountFailed
from harness.files import reason_of
from harness.model.bounds import Allowance
from harness.model.events import (
    FaultInjected,
    Omitted,
    PageCrashed,
    ReplayMissed,
    RequestBlocked,
    VisitEnded,
    VisitStarted,
)
from harness.model.faults import ABORT, Asked, Fault, combined, render_fault
from harness.model.injection import Injector
from harness.model.limits import Limits
from harness.model.manifest import Manifest, saved_manifest
from harness.model.recording import Action, Environment, Judged
from harness.model.redaction import Redactor, in_markup
from harness.model.results import Loss, VisitResult
from harness.model.texts import with_texts
from harness.observe.playwright_private import check_parts, is_driver_gone
from harness.observe.recorder import TIMELINE_NAME, Recorder
from harness.report.bundle import RESULT_NAME, Bundle, json_bytes, saved_result, text_bytes
from harness.report.context import omissions_of, render_console, render_error_context, render_failure, render_verdict
from harness.report.recordings import HAR, MANIFEST, sealed, shapes_in
from harness.report.run_folder import shared_bodies_of, written_bytes
from harness.report.trace import Evidence, learn_from_trace, rewrite_trace
from harness.servers.forwarder import serve_forwarder
from harness.servers.named_faults import faults_of
from harness.servers.replay import ReplayServer, is_broken_off
from harness.servers.scenarios import Scenario, scenario_named
from harness.servers.server import Stack

NAVIGATION_TIMEOUT_MS = 30_000
SPARED = "bodies, DOM, screenshots, trace, and most of console and timeline"
TRACE_NAME = "trace.zip"
PLACEHOLDER_START = b"<redacted:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What to visit, and what is expected of it."""

    url: str
    project: str
    entry: str = ""
    actions: tuple[Action, ...] = ()  # what is done on the page, in order
    storage_state: dict[str, Any] | None = field(
        default=None, repr=False
    )  # what the browser begins with, as Playwright has it
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # of requests to the page's own origin
    scenario: Scenario | None = None
    network: str = "live"  # "hermetic" | "live" | "replay"
    faults: tuple[Fault, ...] = ()  # injected on a page of somebody else; an embedded one's are its scenario's
    limits: Limits
    prefetch: str = "required"
    console_allow: tuple[str, ...] = ()
    session_endpoint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Which of the costlier artifacts a visit keeps: "on", "off", "only-on-failure" or "retain-on-failure"."""

    trace: str = "off"
    films: bool = False  # whether a trace holds a film of the page
    screenshot: str = "on"
    bodies: str = "only-on-failure"  # of scripts and styles: what a replay needs


def keep_of(use: Use, *, bodies: str = "only-on-failure") -> Keep:
    """Return what the configuration has a visit keep."""
    return Keep(trace=use.trace, films=use.trace_screenshots, screenshot=use.screenshot, bodies=bodies)


def target_of(
    project: Project,
    *,
    entry: str = "",
    scenario: str = "",
    click: str = "",
    steps: tuple[Action, ...] = (),
    fault: str = "",
    stack: Stack | None = None,
) -> Target:
    """Return the target for an entry of a project. `click` takes the place of the entry's own actions, `steps` follow them.

    Raises ConfigError for an entry, scenario, fault or storage state that is not there.
    """
    faults = faults_of([fault] if fault else [])
    known = {e.name: e for e in project.entries}
    if entry and entry not in known:
        raise ConfigError(f"project {project.name!r} has no entry {entry!r}; it has: {', '.join(known) or 'none'}")
    chosen = scenario_named(scenario or project.scenario) if project.is_embedded else None
    if scenario and chosen is None:
        raise ConfigError(f"project {project.name!r} is not the embedded default, so it has no scenario {scenario!r}")
    base_url = project.base_url or (project.web_server.url if project.web_server else "")
    if chosen is not None:
        assert stack is not None, "the embedded default needs its servers"
        chosen = replace(chosen, faults=combined((*chosen.faults, *faults)))
        base_url = stack.app_url if chosen.origin == "local" else chosen.origin
    elif any(fault.target == "openai-sessions" for fault in faults):
        raise ConfigError(
            f"the fault {fault!r} is between the app's server and OpenAI, where no browser can bring it in"
        )
    chosen_entry = known[entry] if entry else Entry(name="")
    own = (Action(action="click", target=click),) if click else chosen_entry.actions
    return Target(
        url=base_url.rstrip("/") + (chosen_entry.page or project.page),
        project=project.name,
        entry=entry,
        actions=(*own, *steps),
        storage_state=(
            read_storage_state(chosen_entry.storage_state, now_s=time.time()) if chosen_entry.storage_state else None
        ),
        headers=chosen_entry.headers,
        scenario=chosen,
        network=project.network,
        faults=() if chosen is not None else combined(faults),
        limits=project.chatkit.limits,
        prefetch=project.chatkit.prefetch,
        console_allow=project.chatkit.console_allow,
        session_endpoint=project.session_endpoint,
    )


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
        replayed_network: str = "",
    ) -> None:
        self.target = target
        self.folder = recorder.folder
        self.bundle = Bundle(recorder.folder, shared_bodies_of(recorder.folder))
        self.embed = Embed(
            page=page,
            timeline=recorder.timeline,
            limits=target.limits,
            session_endpoint=target.session_endpoint,
            read_bodies=recorder.read_bodies,
        )
        self._context = context
        self._recorder = recorder
        self._keep = keep
        self._screenshots: dict[str, bytes] = {}
        self._is_traced = False
        self._is_deaf = False  # the page answered nothing when it was last asked
        self._has_begun = False
        self._storage: dict[str, Any] = {}
        self._environment = Environment()
        self._recorded_network = replayed_network  # of the recording that answers this visit
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
    def losses(self) -> tuple[Loss, ...]:
        """What could not be written, each file with the folder it should be in."""
        return tuple(Loss(file=str(self.folder / loss.file), reason=loss.reason) for loss in self.bundle.missing)

    @property
    def folder_shown(self) -> str:
        """The bundle's folder as messages name it: relative to the current one where it is below it."""
        folder = self.folder.absolute()
        return (folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder).as_posix()

    def open(self) -> None:
        """Open the page and click the entry. Raises PageError when that is not possible."""
        target = self.target
        self._begin()
        self._storage = storage_of(self._context, self._recorder.timeline.redactor)
        if self._recorder.bounds.trace_bytes and self._keep.trace != "off":
            self._start_trace()
        self.embed.goto(target.url, timeout_ms=NAVIGATION_TIMEOUT_MS)
        self.act(target.actions)

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

    @property
    def frame(self) -> FrameLocator:
        """The widget's frame, for Playwright's locators."""
        return talk.frame_locator(self.embed)

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
            raise MountFailed(render_failure(result, bundle=self.folder_shown, expected="expected a widget to talk to"))

    def wait_until_decided(self) -> VisitResult:
        """Return the result as soon as the mount, and that of every other chat of the page, is decided; take the screenshots then."""
        self.embed.wait_until_decided()
        self.embed.wait_for_others()
        result = self.result()
        if not self._screenshots and self._wants(self._keep.screenshot, result):
            self._take_screenshots()
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
        if self._final is None and not self.embed.page.is_closed():
            self._recorder.read_bodies()

    def finish(self) -> VisitResult:
        """Write the bundle and return the final result; the second time, only return it."""
        if self._final is not None:
            return self._final
        timeline, dom, fault = self._recorder.timeline, "", None
        if not self._has_begun:  # interrupted before it was opened
            self._begin()
        try:
            dom = self._last_look()
        except Exception as error:  # whatever it is, what was seen so far is written
            fault = error
            if is_driver_gone(self.embed.page):
                timeline.append(PageCrashed(what="browser"))
        self._recorder.end_streams()
        self._recorder.leave_bodies("the page was gone")
        timeline.append(VisitEnded(reason="finished"))
        self._final = self._written(self.result(), dom)
        self.embed.raise_fault()
        if fault is not None:
            raise fault
        return self._final

    def _last_look(self) -> str:
        """Ask the page for what a bundle still needs, and return its DOM; "" when there is none any more."""
        page, bounds = self.embed.page, self._recorder.bounds
        self._is_deaf = False
        if not page.is_closed():
            self._recorder.read_bodies()
        before = self.result()
        if not page.is_closed() and self._wants(self._keep.bodies, before):
            self._recorder.read_all_bodies()
        if before.is_good:
            self._recorder.leave_bodies("the visit passed")
        if not self._screenshots and self._wants(self._keep.screenshot, before):
            self._take_screenshots()
        is_there = not page.is_closed() and not self.embed.is_crashed and bounds.dom_chars > 0
        dom = ""
        if is_there:
            dom = NO_DOM if self._is_deaf else dom_html(page, self._recorder.timeline.redactor, bounds)
        is_whole = self._wants(self._keep.bodies, before)
        self._environment = environment_of(page, is_whole=is_whole, is_asked=not self._is_deaf)
        self._stop_trace(before)
        return dom

    def _written(self, result: VisitResult, dom: str) -> VisitResult:
        """Write the bundle, and return the result with what could not be written."""
        recorder, bundle = self._recorder, self.bundle
        cut = recorder.settle()
        if cut:
            bundle.lose(TIMELINE_NAME, cut)
        entries, redactor = recorder.timeline.entries, recorder.timeline.redactor
        exchanges = exchanges_of(entries)
        is_whole = self._wants(self._keep.bodies, result)
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
        result = replace(result, unreplayable=lacks_in(entries) if self.target.network == "replay" else gaps)
        bundle.write("console.log", text_bytes(redactor.text(render_console(entries))))
        bundle.write(HAR, json_bytes(saved_har))
        bundle.write_bodies(bodies)
        if dom:
            bundle.write("dom.html", text_bytes(in_markup(redactor.text(dom))))
        for name, image in self._screenshots.items():
            bundle.write(name, image)
        if not result.is_good:
            bundle.write_above_all("error-context.md", lambda: text_bytes(redactor.text(self._told(result))))
        bundle.write_above_all(RESULT_NAME, lambda: self._saved(result))
        manifest = sealed(self._manifest(result, saved_har, bodies, lacks), self.folder)
        if bundle.write(MANIFEST, json_bytes(saved_manifest(manifest))):
            bundle.replace(RESULT_NAME, self._saved(result))
        return self._with_losses(result)

    def _saved(self, result: VisitResult) -> bytes:
        return json_bytes(self._recorder.timeline.redactor.value(saved_result(self._with_losses(result))))

    def _manifest(
        self, result: VisitResult, har: dict[str, Any], bodies: dict[str, bytes], lacks: tuple[str, ...]
    ) -> Manifest:
        """Return what the visit needs to be had again, beyond its network."""
        target, timeline = self.target, self._recorder.timeline
        storage = timeline.redactor.value(self._storage)
        done = [action.text for action in self.embed.done]
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
            actions=tuple(with_texts(action, timeline.redactor.text) for action in self.embed.done),
            storage=storage,
            judged=Judged(
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
        files = sorted({"error-context.md", RESULT_NAME, *self.bundle.files})
        timeline = self._recorder.timeline
        # Redacted before it is marked up: that would hide what was learned late.
        known = with_texts(self._with_losses(result), timeline.redactor.text)
        omitted = omissions_of(timeline.entries)
        return render_error_context(known, bundle=self.folder_shown, files=files, omitted=omitted)

    def _take_screenshots(self) -> None:
        page = self.embed.page
        most_px = self._recorder.bounds.screenshot_px
        if page.is_closed() or self.embed.is_crashed or not most_px:
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

    @staticmethod
    def _wants(mode: str, result: VisitResult) -> bool:
        return mode == "on" or (mode != "off" and not result.is_good)

    def _start_trace(self) -> None:
        try:
            self._context.tracing.start(screenshots=self._keep.films, snapshots=True)
            self._is_traced = True
        except Error:
            self._is_traced = False  # pytest-playwright's own --tracing is on

    def _stop_trace(self, result: VisitResult) -> None:
        if not self._is_traced:
            return
        self._is_traced = False
        try:
            # Playwright's own words never reach the bundle.
            with TemporaryDirectory(prefix="chatkit-trace-", ignore_cleanup_errors=True) as folder:
                raw = Path(folder) / "trace.zip"
                try:
                    self._context.tracing.stop(path=raw if self._wants(self._keep.trace, result) else None)
                except Error:  # the browser died, or there is no room; there is no trace to keep
                    return
                if raw.is_file():
                    self._keep_trace(raw, result)
        except OSError as error:
            self.bundle.lose(TRACE_NAME, reason_of(error))

    def _keep_trace(self, raw: Path, result: VisitResult) -> None:
        timeline = self._recorder.timeline
        try:
            learn_from_trace(raw, timeline.redactor)  # first: what it teaches may stand in the evidence too
            rewrite_trace(raw, self.folder / TRACE_NAME, timeline.redactor, self._evidence(result))
        except BundleError as error:  # better no trace than one with a secret, and no reason to fail a test
            if isinstance(error.__cause__, OSError):
                self.bundle.lose(TRACE_NAME, reason_of(error.__cause__))
            timeline.append(Omitted(what=TRACE_NAME, limit=str(error)))

    def _evidence(self, result: VisitResult) -> Evidence:
        """What a trace is told, with all that is known to be secret by now left out."""
        timeline = self._recorder.timeline
        redact = timeline.redactor.text
        known = with_texts(result, redact)
        told = render_error_context(known, bundle=self.folder_shown, files=())
        return Evidence(
            title=render_verdict(known),
            error="" if result.is_mounted else known.explanation,
            attachments={"verdict.md": redact(told), "console.log": redact(render_console(timeline.entries))},
        )


def _lacks_of(har: dict[str, Any], bodies: dict[str, bytes]) -> tuple[str, ...]:
    """Return what a replay of this HAR lacks, as sentences."""
    if not har["log"]["entries"]:
        return ("every request: the page asked for nothing",)
    return recording_of(har, name=HAR, read_file=bodies.get).missing


@contextmanager
def open_visit(
    *,
    context: BrowserContext,
    page: Page,
    target: Target,
    folder: Path,
    redactor: Redactor,
    keep: Keep,
    stack: Stack | None,
    replay: ReplayServer | None = None,
    allowance: Allowance | None = None,
) -> Iterator[Visit]:
    """Observe a page from before its first navigation until the block ends; then write the bundle.

    `replay` answers a visit whose target's network is "replay"; the context has it as its proxy. `stack`: answers a hermetic visit, and
    the CDN's URLs of a live one. `allowance`: what this process
    may still write in its run; without one, the visit is the only one.
    """
    check_parts(context)
    allowance = allowance or Allowance()
    recorder = Recorder(folder=folder, redactor=redactor, bounds=allowance.bounds)
    recorder.attach(context, page)
    if target.headers and replay is None:
        install_headers(context, page, target.url, target.headers)
    if replay is not None:
        _replay(context, replay, recorder)
    to = _destinations(stack) if target.network == "hermetic" else None
    if to is not None:
        _route(context, to, recorder)
    elif target.network == "live" and stack is not None:
        install_sdk_route(context, stack.sdk_url)
    if stack is not None and target.scenario is not None:
        stack.use(target.scenario)
        stack.on_answer = recorder.timeline.append
        install_aborts(context, stack.injector, _on_fault(recorder))
    forwarding = ExitStack()
    if target.faults:
        sdk_url = stack.sdk_url if stack is not None else ""
        forwarding.enter_context(_faults_on_the_way(context, target.faults, to, recorder, sdk_url))
    visit = Visit(
        context=context,
        page=page,
        target=target,
        recorder=recorder,
        keep=keep,
        replayed_network=replay.replay.recording.network if replay else "",
    )
    if allowance.reason:
        recorder.timeline.append(Omitted(what=SPARED, limit=allowance.reason))
    try:
        yield visit
    finally:
        try:
            visit.finish()
        finally:
            with suppress(OSError):  # a disk that is full or gone: then there is nothing to count
                allowance.spend(written_bytes(folder))
            if stack is not None:
                stack.on_answer = ignore_answer
            if replay is not None:
                replay.replay.on_miss = replay.on_fault = ignore_answer
            forwarding.close()
            with suppress(Exception) if is_driver_gone(page) else nullcontext():  # nothing is left to listen to
                recorder.detach(context, page)
            recorder.close()


def _replay(context: BrowserContext, server: ReplayServer, recorder: Recorder) -> None:
    """Have a recording answer, and write down what it does not answer."""
    timeline, replay = recorder.timeline, server.replay

    def on_miss(miss: Miss) -> None:
        timeline.append(
            ReplayMissed(method=miss.method, url=miss.url, nearest=miss.nearest, difference=miss.difference)
        )

    def on_blocked(method: str, url: str) -> None:
        timeline.append(RequestBlocked(method=method, url=url))

    replay.on_miss, server.on_fault = on_miss, _on_fault(recorder)
    recording = replay.recording
    install_replay(
        context,
        recording,
        broken_off=replay.broken_off,
        is_intercepted=recording.network == "hermetic" or any(map(is_broken_off, recording.exchanges)),
        on_blocked=on_blocked,
        on_broken_off=recorder.tell_failure,
    )
    if any(fault.verb == ABORT for fault in server.injector.faults):
        install_aborts(context, server.injector, server.on_fault)


def ignore_answer(*_answer: object) -> None:
    """The listener between visits."""


def _destinations(stack: Stack | None) -> Destinations:
    assert stack is not None, "a hermetic visit needs the embedded servers"
    return Destinations(cdn=stack.sdk_url, api=stack.api_tls_url, app=stack.app_tls_url, app_http=stack.app_url)


def _route(context: BrowserContext, to: Destinations, recorder: Recorder) -> None:
    def on_blocked(method: str, url: str) -> None:
        recorder.timeline.append(RequestBlocked(method=method, url=url))

    install_routes(context, to, on_blocked=on_blocked)


def _on_fault(recorder: Recorder) -> Callable[[Asked, tuple[Fault, ...]], None]:
    """Return what writes down each fault that was carried out; called from the forwarder's thread too."""

    def on_fault(asked: Asked, faults: tuple[Fault, ...]) -> None:
        for fault in faults:
            recorder.timeline.append(FaultInjected(fault=render_fault(fault), method=asked.method, url=asked.url))

    return on_fault


@contextmanager
def _faults_on_the_way(
    context: BrowserContext, faults: tuple[Fault, ...], to: Destinations | None, recorder: Recorder, sdk_url: str
) -> Iterator[None]:
    """Do what the faults say to the requests between the page and its servers, until the block ends."""
    injector, on_fault = Injector(faults), _on_fault(recorder)
    with serve_forwarder(
        injector, on_fault=on_fault, keep_cookies=cookie_keeper(context), is_trusting=to is not None or bool(sdk_url)
    ) as forwarder:

        def address_of(asked: Asked, cookie: str) -> str | None:
            leaves = to is not None and LEAVES_LOOPBACK.match(asked.url)
            upstream = destination_of(asked.url, to) if to is not None and leaves else asked.url
            if to is None and sdk_url:
                upstream = sdk_destination_of(asked.url, sdk_url) or asked.url
            return forwarder.address_of(asked, upstream=upstream, cookie=cookie) if upstream else None

        install_forwarding(context, injector, address_of, on_fault)
        yield


def context_options(
    config: Config,
    network: str,
    *,
    has_faults: bool = False,
    has_servers: bool = False,
    storage_state: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what a browser context needs for a project's visits; `has_servers`: ours answer a part of a live one.

    Raises EnvironmentFailure for a browser that cannot be sent to other servers where the visit needs that.
    """
    viewport = config.use.viewport
    options: dict[str, Any] = {"viewport": {"width": viewport.width, "height": viewport.height}}
    if storage_state:
        options["storage_state"] = storage_state
    if network == "hermetic" or has_faults or has_servers:
        require_rerouting(config.use.browser, config.use.executable_path, os.environ)
        options["ignore_https_errors"] = True  # our own servers sign their own certificates
        # A page that is not on loopback itself may otherwise not reach the loopback servers it is routed to.
        if config.use.browser == "chromium":
            options["permissions"] = ["local-network-access"]
    return options

"""Opens a visit: a context for its target, an observer, whoever answers, and the bundle at the end. Every visit there is begins here.

In: a way to make browser contexts, and a target. Out: a `Visit` while it lasts, and its bundle afterwards.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page

from harness.config.reading import Config
from harness.drive.browsers import require_rerouting
from harness.drive.replay_context import replay_options, taken_by_browser
from harness.drive.sealing import proxy_options
from harness.model.bounds import Allowance
from harness.model.events import Omitted
from harness.model.redaction import Redactor
from harness.observe.playwright_private import check_parts, is_driver_gone
from harness.observe.recorder import Recorder
from harness.report.run_folder import written_bytes
from harness.servers.network_path import Destinations, NetworkPath, serve_network_path
from harness.servers.replay import ReplayServer
from harness.servers.server import Stack
from harness.visit.answering import answered
from harness.visit.target import Keep, Target
from harness.visit.visit import Visit

NewContext = Callable[..., BrowserContext]
SPARED = "bodies, DOM, screenshots, trace, and most of the console and timeline"


@contextmanager
def open_visit(
    new_context: NewContext,
    target: Target,
    folder: Path,
    *,
    config: Config,
    keep: Keep,
    redactor: Redactor | None = None,
    engine: str = "",
    stack: Stack | None = None,
    replay: ReplayServer | None = None,
    allowance: Allowance | None = None,
) -> Iterator[Visit]:
    """Yield a visit in a context of its own, observed from before its first navigation until the block ends; then write the bundle.

    `new_context` is Playwright's; whoever has it closes the context. `engine`: of its browser, by default the configured one.
    `stack` answers a hermetic visit, and the CDN's URLs of a live one; `replay` answers a visit whose target's network is "replay".
    `allowance`: what this process may still write in its run; without one, the visit is the only one.
    Raises EnvironmentFailure for a browser that cannot do it, RecordingError where it does not take what a recording says of its own.
    """
    redactor = Redactor(config.secrets) if redactor is None else redactor
    allowance = allowance or Allowance()
    with _path_of(target, stack) as path:
        if replay is None:
            options = context_options(
                config,
                target.network,
                has_faults=bool(target.faults),
                has_servers=stack is not None,
                storage_state=target.storage_state,
                proxy_url=path.url if path is not None else "",
            )
        else:
            recording = replay.replay.recording
            options = replay_options(recording, replay.url, browser=engine or config.use.browser)
            # What was secret when it was recorded is secret here too, in its made-up form.
            for placeholder, value in recording.made_up.known:
                redactor.learn(placeholder.split(":")[1], value)
        with _taken(replay):
            context = new_context(**options)
            page = context.new_page()
        check_parts(context)
        with (
            _recorded(context, page, Recorder(folder=folder, redactor=redactor, bounds=allowance.bounds)) as recorder,
            answered(context, page, target, recorder, stack=stack, path=path, replay=replay),
        ):
            visit = Visit(
                context=context,
                page=page,
                target=target,
                recorder=recorder,
                keep=keep,
                recorded_network=replay.replay.recording.network if replay else "",
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


@contextmanager
def _recorded(context: BrowserContext, page: Page, recorder: Recorder) -> Iterator[Recorder]:
    """Yield a recorder that observes a context until the block ends."""
    recorder.attach(context, page)
    try:
        yield recorder
    finally:
        with suppress(Exception) if is_driver_gone(page) else nullcontext():  # nothing is left to listen to
            recorder.detach(context, page)
        recorder.close()


def _path_of(target: Target, stack: Stack | None) -> AbstractContextManager[NetworkPath | None]:
    """Return the proxy of a hermetic visit, which nothing gets past; None for any other."""
    if target.network != "hermetic":
        return nullcontext()
    assert stack is not None, "a hermetic visit needs the embedded servers"
    return serve_network_path(destinations_of(stack))


def destinations_of(stack: Stack) -> Destinations:
    """Return where the embedded servers answer a hermetic visit."""
    return Destinations(cdn=stack.sdk_url, api=stack.api_tls_url, app=stack.app_tls_url, app_http=stack.app_url)


def _taken(replay: ReplayServer | None) -> AbstractContextManager[None]:
    return taken_by_browser(replay.replay.recording) if replay is not None else nullcontext()


def context_options(
    config: Config,
    network: str,
    *,
    has_faults: bool = False,
    has_servers: bool = False,
    storage_state: dict[str, Any] | None = None,
    proxy_url: str = "",
) -> dict[str, Any]:
    """Return what a browser context needs for a project's visits; `has_servers`: ours answer a part of a live one.

    `proxy_url`: of a hermetic visit's network path.

    Raises EnvironmentFailure for a browser that cannot be sent to other servers where the visit needs that.
    """
    viewport = config.use.viewport
    options: dict[str, Any] = {"viewport": {"width": viewport.width, "height": viewport.height}}
    if storage_state:
        options["storage_state"] = storage_state
    if proxy_url:
        options["proxy"] = proxy_options(proxy_url, config.use.browser)
    if has_faults or (has_servers and network == "live"):
        require_rerouting(config.use.browser, config.use.executable_path, os.environ)
    if network == "hermetic" or has_faults or has_servers:
        options["ignore_https_errors"] = True  # our own servers sign their own certificates
        # A page that is not on loopback itself may otherwise not reach the loopback servers it is routed to.
        if config.use.browser == "chromium":
            options["permissions"] = ["local-network-access"]
    return options

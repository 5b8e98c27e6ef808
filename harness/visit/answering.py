"""Who answers the requests of a visit: the embedded servers, a recording, or the network, with the faults that are injected on the way.

In: a browser context that a recorder listens to, and the proxy that it has. Out: routes of that context, for as long as a visit lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from playwright.sync_api import BrowserContext, Page

from harness.analysis.replay.matching import Miss
from harness.drive.faults import cookie_keeper, install_aborts, install_forwarding
from harness.drive.headers import install_headers
from harness.drive.replay_context import install_replay
from harness.drive.routes import install_sdk_route, sdk_destination_of
from harness.drive.sealing import install_seal
from harness.model.events import FaultInjected, ReplayMissed, RequestBlocked
from harness.model.faults import ABORT, Asked, Fault, render_fault
from harness.model.injection import Injector
from harness.observe.recorder import Recorder
from harness.servers.forwarder import serve_forwarder
from harness.servers.network_path import NetworkPath
from harness.servers.replay import ReplayServer, is_aborted
from harness.servers.server import Stack
from harness.visit.target import Target


@contextmanager
def answered(
    context: BrowserContext,
    page: Page,
    target: Target,
    recorder: Recorder,
    *,
    stack: Stack | None,
    path: NetworkPath | None,
    replay: ReplayServer | None,
) -> Iterator[None]:
    """Have the requests of a context answered as its target says, until the block ends. `path`: of a hermetic visit."""
    if target.headers and replay is None:
        install_headers(context, page, target.url, target.headers)
    if replay is not None:
        _replay(context, replay, recorder)
    if path is not None or replay is not None:
        install_seal(context)
    if path is not None:
        path.on_refused = _on_blocked(recorder)
    elif target.network == "live" and stack is not None:
        install_sdk_route(context, stack.sdk_url)
    if stack is not None and target.scenario is not None:
        stack.use(target.scenario)
        stack.on_answer = recorder.timeline.append
        install_aborts(context, stack.injector, _on_fault(recorder))
    with ExitStack() as forwarding:
        if target.faults:
            sdk_url = stack.sdk_url if stack is not None else ""
            forwarding.enter_context(_faults_on_the_way(context, target.faults, path, recorder, sdk_url))
        try:
            yield
        finally:
            if stack is not None:
                stack.on_answer = ignore_answer
            if path is not None:
                path.on_refused = ignore_answer
            if replay is not None:
                replay.replay.on_miss = replay.on_fault = ignore_answer


def _replay(context: BrowserContext, server: ReplayServer, recorder: Recorder) -> None:
    """Have a recording answer, and write down what it does not answer."""
    timeline, replay = recorder.timeline, server.replay

    def on_miss(miss: Miss) -> None:
        timeline.append(
            ReplayMissed(method=miss.method, url=miss.url, nearest=miss.nearest, difference=miss.difference)
        )

    replay.on_miss, server.on_fault = on_miss, _on_fault(recorder)
    recording = replay.recording
    install_replay(
        context,
        recording,
        aborted=replay.aborted,
        is_intercepted=any(map(is_aborted, recording.exchanges)),
        on_blocked=_on_blocked(recorder),
        on_aborted=recorder.tell_failure,
    )
    if any(fault.verb == ABORT for fault in server.injector.faults):
        install_aborts(context, server.injector, server.on_fault)


def ignore_answer(*_answer: object) -> None:
    """The listener between visits."""


def _on_blocked(recorder: Recorder) -> Callable[[str, str], None]:
    """Return what writes down each request that may not leave this machine; called from the proxy's thread too."""

    def on_blocked(method: str, url: str) -> None:
        recorder.timeline.append(RequestBlocked(method=method, url=url))

    return on_blocked


def _on_fault(recorder: Recorder) -> Callable[[Asked, tuple[Fault, ...]], None]:
    """Return what writes down each fault that was carried out; called from the forwarder's thread too."""

    def on_fault(asked: Asked, faults: tuple[Fault, ...]) -> None:
        for fault in faults:
            recorder.timeline.append(FaultInjected(fault=render_fault(fault), method=asked.method, url=asked.url))

    return on_fault


@contextmanager
def _faults_on_the_way(
    context: BrowserContext, faults: tuple[Fault, ...], path: NetworkPath | None, recorder: Recorder, sdk_url: str
) -> Iterator[None]:
    """Do what the faults say to the requests between the page and its servers, until the block ends."""
    injector, on_fault = Injector(faults), _on_fault(recorder)
    with serve_forwarder(
        injector,
        on_fault=on_fault,
        keep_cookies=cookie_keeper(context),
        is_trusting=path is not None or bool(sdk_url),
        proxy_url=path.url if path is not None else "",
    ) as forwarder:

        def address_of(asked: Asked, cookie: str) -> str:
            elsewhere = sdk_destination_of(asked.url, sdk_url) if path is None and sdk_url else None
            return forwarder.address_of(asked, upstream=elsewhere or asked.url, cookie=cookie)

        install_forwarding(context, injector, address_of, on_fault)
        yield

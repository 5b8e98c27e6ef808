"""Runs the three embedded servers, each on http and https, in one background thread.

In: a scenario. Out: a `Stack` whose six sockets listen on loopback before it is yielded. What the servers say is in
`app`, `openai_api` and `cdn`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import trustme
import uvicorn
from starlette.types import ASGIApp

from harness.errors import ServerError
from harness.servers.app import make_app
from harness.servers.cdn import make_cdn
from harness.servers.openai_api import make_openai_api
from harness.servers.scenarios import Scenario, fixtures_dir
from harness.servers.stack import Clock, Listener, Recorded, Stack, ignore
from harness.servers.world import read_world

__all__ = ["Stack", "serve_stack"]

HOST = "127.0.0.1"
NAMES = (HOST, "localhost", "cdn.platform.openai.com", "*.openai.com", "chatgpt.com", "app.test")
START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0


@contextmanager
def serve_stack(
    *,
    scenario: Scenario,
    on_answer: Listener = ignore,
    is_for_people: bool = False,
    app_port: int = 0,
    sdk_dir: Path | None = None,
    now: Clock = time.time,
) -> Iterator[Stack]:
    """Yield the running stack, and stop it afterwards. Raises ServerError when a port is taken or nothing starts.

    `is_for_people`: for a browser that routes nothing, so the page and the frame refer to loopback addresses.
    `sdk_dir`: a folder in the layout of ChatKit's CDN; the stand-in when not given. `now`: the servers' clock.
    """
    with ExitStack() as resources:
        ports = {"app": app_port, "app_tls": 0, "cdn": 0, "cdn_tls": 0, "api": 0, "api_tls": 0}
        sockets = {name: resources.enter_context(_listening(name, port)) for name, port in ports.items()}
        addresses = {
            name: f"{'https' if name.endswith('_tls') else 'http'}://{HOST}:{bound.getsockname()[1]}"
            for name, bound in sockets.items()
        }
        stack = Stack(
            addresses=addresses,
            world=read_world(),
            sdk_dir=sdk_dir or fixtures_dir() / "sdk",
            scenario=scenario,
            is_for_people=is_for_people,
            now=now,
        )
        stack.on_answer = on_answer
        apps: dict[str, ASGIApp] = {
            "app": Recorded(make_app(stack), name="app", stack=stack),
            "cdn": Recorded(make_cdn(stack), name="cdn", stack=stack),
            "api": Recorded(make_openai_api(stack), name="api", stack=stack),
        }
        tls = _tls_context()
        servers = [
            (_server(apps[name.removesuffix("_tls")], tls if name.endswith("_tls") else None), bound)
            for name, bound in sockets.items()
        ]
        resources.enter_context(_running(servers))
        yield stack
    stack.raise_listener_fault()


def stack_at(addresses: dict[str, str], *, scenario: Scenario) -> Stack:
    """Return the stack that another process runs: its addresses; what is asked of it is not heard here."""
    return Stack(
        addresses=addresses,
        world=read_world(),
        sdk_dir=fixtures_dir() / "sdk",
        scenario=scenario,
        is_for_people=False,
    )


def _listening(name: str, port: int) -> socket.socket:
    # asyncio turns Nagle's algorithm off only for a socket that names its protocol; with it, answers wait 40 ms for an ACK.
    bound = socket.socket(proto=socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOST, port))
        bound.listen(128)
    except OSError as error:
        bound.close()
        raise ServerError(
            f"the embedded {name} server cannot listen on {HOST}:{port}: {error.strerror}\n"
            "  to fix: stop what uses that port, or give another one (0 takes any that is free)"
        ) from error
    return bound


def _tls_context() -> ssl.SSLContext:
    """Return a server context with a certificate of an authority that lives only as long as this process."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert(*NAMES).configure_cert(context)
    return context


class _Server(uvicorn.Server):
    """A uvicorn server that says when it has started."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.has_started = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as usual, then tell."""
        await super().startup(sockets)
        self.has_started.set()


def _server(app: ASGIApp, tls: ssl.SSLContext | None) -> _Server:
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    config.load()
    config.ssl = tls
    return _Server(config)


@contextmanager
def _running(servers: list[tuple[_Server, socket.socket]]) -> Iterator[None]:
    """Run servers in a thread of their own until the block ends."""
    has_started = threading.Event()
    faults: list[BaseException] = []

    async def serve_all() -> None:
        tasks = [asyncio.create_task(server.serve(sockets=[bound])) for server, bound in servers]
        started = asyncio.gather(*(server.has_started.wait() for server, _ in servers))
        waited_for: list[asyncio.Future[Any]] = [started, *tasks]
        await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)
        if started.done():
            has_started.set()
        await asyncio.gather(*tasks)

    def run() -> None:
        try:
            asyncio.run(serve_all())
        except BaseException as error:  # SystemExit too: uvicorn leaves that way, and no one else sees it in a thread
            faults.append(error)
        finally:
            has_started.set()

    thread = threading.Thread(target=run, name="chatkit-servers", daemon=True)
    thread.start()
    try:
        if not has_started.wait(START_TIMEOUT_S):
            raise ServerError(f"the embedded servers did not start on {HOST} within {START_TIMEOUT_S:.0f} s")
        if faults:
            raise ServerError(f"the embedded servers did not start on {HOST}: {faults[0]!r}") from faults[0]
        yield
    finally:
        for server, _ in reversed(servers):
            server.force_exit = True
            server.should_exit = True
        thread.join(STOP_TIMEOUT_S)

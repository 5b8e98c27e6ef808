"""Runs the three embedded servers, each on http and https, in one background thread.

In: a scenario. Out: a `Stack` whose six sockets listen on loopback before it is yielded. What the servers say is in
`app`, `openai_api` and `cdn`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Scope

from harness.model.chatkit import CDN_ORIGIN
from harness.model.events import ServerAnswered
from harness.model.faults import Asked, Fault
from harness.servers.app import PAGE_PATH, make_app
from harness.servers.cdn import make_cdn
from harness.servers.faulty import Faulty, describe
from harness.servers.listening import HOST, listening, make_server, running, tls_context
from harness.servers.openai_api import make_openai_api
from harness.servers.scenarios import Scenario, fixtures_dir
from harness.servers.stack import Clock, Listener, Recorded, Stack, ignore
from harness.servers.world import read_world

__all__ = ["Stack", "serve_stack"]


@contextmanager
def serve_stack(
    *,
    scenario: Scenario,
    on_answer: Listener = ignore,
    is_for_people: bool = False,
    app_port: int = 0,
    sdk_dir: Path | None = None,
    sdk_url: str = "",
    now: Clock = time.time,
) -> Iterator[Stack]:
    """Yield the running stack, and stop it afterwards. Raises ServerError when a port is taken or nothing starts.

    `is_for_people`: for a browser that routes nothing, so the page and the frame refer to loopback addresses.
    `sdk_dir`: a folder in the layout of ChatKit's CDN; the stand-in when not given. `sdk_url`: a CDN that pages get the
    SDK from in place of that folder, such as the real one. `now`: the servers' clock.
    """
    with ExitStack() as resources:
        ports = {"app": app_port, "app_tls": 0, "cdn": 0, "cdn_tls": 0, "api": 0, "api_tls": 0}
        sockets = {name: resources.enter_context(listening(name, port)) for name, port in ports.items()}
        addresses = {
            name: f"{'https' if name.endswith('_tls') else 'http'}://{HOST}:{bound.getsockname()[1]}"
            for name, bound in sockets.items()
        }
        stack = Stack(
            addresses=addresses,
            world=read_world(),
            sdk_dir=sdk_dir or fixtures_dir() / "sdk",
            sdk_url=sdk_url,
            scenario=scenario,
            is_for_people=is_for_people,
            now=now,
        )
        stack.on_answer = on_answer
        apps: dict[str, ASGIApp] = {
            "app": _with_faults(make_app(stack), "app", stack),
            "cdn": _with_faults(make_cdn(stack), "cdn", stack),
            "api": _with_faults(make_openai_api(stack), "api", stack),
        }
        tls = tls_context()
        servers = [
            (make_server(apps[name.removesuffix("_tls")], tls if name.endswith("_tls") else None), bound)
            for name, bound in sockets.items()
        ]
        resources.enter_context(running(servers))
        yield stack
    stack.raise_listener_fault()


def stack_at(addresses: dict[str, str], *, scenario: Scenario, sdk_url: str = "") -> Stack:
    """Return the stack that another process runs: its addresses; what is asked of it is not heard here."""
    return Stack(
        addresses=addresses,
        world=read_world(),
        sdk_dir=fixtures_dir() / "sdk",
        sdk_url=sdk_url,
        scenario=scenario,
        is_for_people=False,
    )


def _with_faults(app: ASGIApp, name: str, stack: Stack) -> ASGIApp:
    """Return a server's application with the faults of the scenario in force, recorded as the answers leave."""

    def asked_of(scope: Scope, operation: str) -> Asked:
        return _asked_of(scope, operation, name, stack)

    def on_fault(scope: Scope, faults: tuple[Fault, ...]) -> None:
        scope["chatkit_note"] = describe(faults)
        if any(fault.verb in ("hang", "abort") for fault in faults):  # no answer will say so
            path, said = scope["path"], describe(faults)
            stack.record(ServerAnswered(server=name, method=scope["method"], path=path, status=0, note=said))

    faulty = Faulty(app, injector=lambda: stack.injector, asked_of=asked_of, on_fault=on_fault)
    return Recorded(faulty, name=name, stack=stack)


def _asked_of(scope: Scope, operation: str, name: str, stack: Stack) -> Asked:
    """Return a request as the page made it: under the name of the host that this server stands for."""
    headers = Headers(scope=scope)
    host = headers.get("host", "")
    origin = f"{scope['scheme']}://{host}"
    if name == "cdn":
        origin = CDN_ORIGIN
    elif name == "api":
        known = host.partition(":")[0]
        origin = f"https://{known if known.endswith(('openai.com', 'chatgpt.com')) else 'api.openai.com'}"
    elif stack.scenario.origin != "local":
        origin = stack.scenario.origin
    path: str = scope["path"]
    query = scope["query_string"].decode("latin-1")
    destination = headers.get("sec-fetch-dest", "")
    return Asked(
        method=scope["method"],
        url=origin + path + (f"?{query}" if query else ""),
        destination="document" if name == "app" and path == PAGE_PATH else destination,
        operation=operation,
    )

"""The common parts of the three embedded servers: their addresses, the current scenario, and the log of their responses.

In: a scenario, and somebody who listens. Out: `ServerAnswered` events. It opens no socket; `server` does.
"""

from __future__ import annotations

import mimetypes
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from harness.errors import ServerError
from harness.model.events import ServerAnswered
from harness.model.injection import Injector
from harness.servers.scenarios import Scenario
from harness.servers.visit import ServedVisit
from harness.servers.world import World

LOG_LIMIT = 10_000
# Modules run only as JavaScript, and some systems' own table says text/plain.
MEDIA_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css"}
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
LOCAL_ADDRESS = re.compile(r"127(\.\d{1,3}){3}|::1")
LOCAL_HOST = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?", re.IGNORECASE)
PASSED_ON = ("x-forwarded-for", "x-forwarded-host", "x-real-ip")

Listener = Callable[[ServerAnswered], None]
Clock = Callable[[], float]  # Unix seconds


def ignore(_answer: ServerAnswered) -> None:
    """Ignore an answer; it is in the log anyway."""


class Stack:
    """The running servers. Addresses have no slash at the end; `on_answer` is called in the servers' thread.

    `now` is what the servers take for the time: when sessions expire, and what threads are dated.
    """

    def __init__(
        self,
        *,
        addresses: dict[str, str],
        world: World,
        sdk_dir: Path,
        scenario: Scenario,
        is_for_people: bool,
        sdk_url: str = "",
        now: Clock = time.time,
    ) -> None:
        self.addresses = addresses
        self.app_url = addresses["app"]
        self.app_tls_url = addresses["app_tls"]
        self.cdn_url = addresses["cdn"]
        self.cdn_tls_url = addresses["cdn_tls"]
        self.api_url = addresses["api"]
        self.api_tls_url = addresses["api_tls"]
        self.world = world
        self.sdk_dir = sdk_dir
        self.is_for_people = is_for_people
        self.sdk_url = sdk_url or (self.cdn_url if is_for_people else self.cdn_tls_url)  # what answers for the CDN
        self.now = now
        self.on_answer: Listener = ignore
        self.visit = ServedVisit(scenario=scenario)
        self.injector = Injector(scenario.faults)
        self._log: deque[ServerAnswered] = deque(maxlen=LOG_LIMIT)
        self._lock = threading.Lock()
        self._listener_fault: Exception | None = None

    @property
    def scenario(self) -> Scenario:
        """The scenario that the next request is answered by."""
        return self.visit.scenario

    @property
    def app_key(self) -> str:
        """The API key that the app's backend is configured with."""
        return self.scenario.api_key or self.world.app.api_key

    @property
    def log(self) -> tuple[ServerAnswered, ...]:
        """What was answered since the scenario was last set, oldest first; the newest ten thousand."""
        with self._lock:
            return tuple(self._log)

    def use(self, scenario: Scenario) -> None:
        """Answer by this scenario from now on, and forget sessions, threads and the log."""
        self.raise_listener_fault()
        self.visit = ServedVisit(scenario=scenario)
        self.injector = Injector(scenario.faults)
        with self._lock:
            self._log.clear()

    def answers(self, server: str, path: str = "") -> tuple[ServerAnswered, ...]:
        """Return the logged answers of one server, optionally those to one path."""
        return tuple(answer for answer in self.log if answer.server == server and path in ("", answer.path))

    def record(self, answer: ServerAnswered) -> None:
        """Log an answer and tell the listener. A listener that raises must not look like a fault of the page."""
        with self._lock:
            self._log.append(answer)
        try:
            self.on_answer(answer)
        except Exception as error:
            self._listener_fault = self._listener_fault or error

    def raise_listener_fault(self) -> None:
        """Raise ServerError when a listener raised in the servers' thread since the last time."""
        fault, self._listener_fault = self._listener_fault, None
        if fault is not None:
            raise ServerError(f"a listener for the embedded servers' answers failed: {fault!r}") from fault


class Recorded:
    """ASGI middleware that reports every answer just before its first byte leaves."""

    def __init__(self, app: ASGIApp, *, name: str, stack: Stack) -> None:
        self.app = app
        self.name = name
        self.stack = stack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on unchanged."""

        async def report_and_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.stack.record(
                    ServerAnswered(
                        server=self.name,
                        method=scope["method"],
                        path=scope["path"],
                        status=message["status"],
                        note=scope.get("chatkit_note", ""),
                    )
                )
                message["headers"] = [*message["headers"], (b"cache-control", b"no-store")]
            await send(message)

        await self.app(scope, receive, report_and_send)


def note(request: HTTPConnection, text: str) -> None:
    """Say in the log what is special about the answer to this request."""
    request.scope["chatkit_note"] = text


def file_answer(path: Path, *, headers: dict[str, str] | None = None) -> Response:
    """Return a small file at once; a `FileResponse` would take a detour through worker threads."""
    media_type = MEDIA_TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Response(path.read_bytes(), media_type=media_type, headers=headers)


def file_below(folder: Path, path: str) -> Path | None:
    """Return the file that a request's path names below a folder; None when there is none, or it is not below it.

    Links are followed first, so that one which leads out of the folder names nothing.
    """
    try:
        wanted = (folder / path).resolve()
        return wanted if wanted.is_relative_to(folder.resolve()) and wanted.is_file() else None
    except (OSError, ValueError, RuntimeError):  # too long, with characters that no name has, or a link to itself
        return None


def is_local(request: HTTPConnection, own_origin: str = "") -> bool:
    """Tell whether a request was made on this machine, for this machine, by a page of this machine.

    The peer alone proves nothing: a public page reaches it by a name of its own that resolves to loopback (DNS rebinding), and a
    proxy by passing on what came from elsewhere. `own_origin` is one more origin that pages may have.
    """
    headers = request.headers
    origin = headers.get("origin", own_origin)
    passed_on = [name for header in PASSED_ON for name in headers.get(header, "").split(",") if name.strip()]
    return (
        request.client is not None
        and bool(LOCAL_ADDRESS.fullmatch(request.client.host))
        and bool(LOCAL_HOST.fullmatch(headers.get("host", "")))
        and (origin == own_origin or is_loopback_origin(origin))
        and all(LOCAL_HOST.fullmatch(name.strip()) or LOCAL_ADDRESS.fullmatch(name.strip()) for name in passed_on)
        and "forwarded" not in headers
    )


def is_loopback_origin(origin: str) -> bool:
    """Tell whether an origin such as "http://localhost:3000" names this machine."""
    return (urlsplit(origin).hostname or "") in LOOPBACK

"""Answers healthy exchanges instead of the recording, and requests that were never recorded because the mount stopped before them.

In: which exchanges are to be healthy, a folder in the layout of ChatKit's CDN. Out: applications for single requests. Healthy is what
the embedded servers say: loader and frame from the folder, sessions, domain check and chat from the stand-in of OpenAI's API.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from harness.analysis.facts.exchanges import ABORTED
from harness.analysis.replay.suspects import session_of
from harness.model.addresses import is_loader, split_url
from harness.model.chatkit import LOADER_PATH
from harness.model.faults import EVERY, EXCHANGES, HEALTHY, Asked, Fault
from harness.model.injection import Injector
from harness.model.recording import RecordedExchange, Recording
from harness.model.shapes import Packed, shape_of
from harness.servers.app import make_app
from harness.servers.custom import CHAT_PATH
from harness.servers.openai_api import make_openai_api
from harness.servers.openai_api.access import EU_HOST, PLAIN_HOST
from harness.servers.openai_api.sessions import LIFETIME_S, REQUESTS_PER_MINUTE, new_secret
from harness.servers.scenarios import FOREIGN_BACKEND, fixtures_dir
from harness.servers.stack import Stack, file_answer
from harness.servers.visit import Configuration, ServedSession
from harness.servers.world import read_world

# What a page's own answer must not say if it is to hold a chat.
BINDING_HEADERS = frozenset({"content-security-policy", "content-security-policy-report-only", "x-frame-options",
                             "cross-origin-embedder-policy", "cross-origin-opener-policy", "cross-origin-resource-policy",
                             "permissions-policy", "refresh"})  # fmt: skip
BINDING_META = re.compile(rb"""<meta[^>]+http-equiv=["']?content-security-policy[^>]*>""", re.IGNORECASE)
BY_POLICY = ("csp", "mixed-content", "net::ERR_BLOCKED_BY_RESPONSE")
GIVEN_UP_MS = 2_000  # later it was rather a time limit of the page's own
SDK_TARGETS = ("script", "frame", "entry", "assets")


class Healer:
    """The healthy answers of one replay. Asked for every request; `None` leaves it to the recording."""

    def __init__(
        self,
        heals: tuple[Fault, ...],
        recording: Recording,
        *,
        sdk_dir: Path | None = None,
        is_complete: bool = True,
    ) -> None:
        """`is_complete`: what nothing recorded answers is answered healthily too."""
        self.heals = heals
        self.sdk_dir = sdk_dir or fixtures_dir() / "sdk"
        self._injector = Injector(heals)
        self._is_complete = is_complete
        self._stack = _stack(self.sdk_dir, recording)
        self._api = make_openai_api(self._stack)
        self._app = make_app(self._stack)
        session = session_of(recording)
        self._session_at = (session.method, session.url) if session else ("", "")
        self._loader_failed = any(is_loader(x.url) and x.status != 200 for x in recording.exchanges)

    def concerns(self, asked: Asked, exchange: RecordedExchange | None = None, /) -> bool:
        """Whether a request must be healthy, without its occurrence, or never reached its server."""
        is_untold = self._is_complete and exchange is not None and never_came(exchange)
        return is_untold or self._is_healed_session(asked) or any(heal.concerns(asked) for heal in self.heals)

    def __call__(self, asked: Asked, exchange: RecordedExchange | None, /) -> ASGIApp | None:
        """Return what answers a request in place of the recording."""
        met = self._injector.take(asked)
        if not met and self._is_healed_session(asked):
            return self._session_answer()
        if met:
            return self._healthy(met[-1].target, asked, exchange)
        if self._is_complete and (exchange is None or never_came(exchange)):
            target = next((name for name in GUESSED if EXCHANGES[name].is_it(asked)), "")
            return self._healthy(target, asked, None) if target else None
        return None

    def _is_healed_session(self, asked: Asked) -> bool:
        """Whether this is the request for a secret, though its name does not say so, and every one of them is to be healthy."""
        is_every = any(heal.target == "session" and heal.occurrence == EVERY for heal in self.heals)
        return is_every and (asked.method, asked.url) == self._session_at

    def secret(self) -> str:
        """Return a client secret that the healthy backend accepts."""
        session = self._session("")
        secret = new_secret(session)
        self._stack.visit.sessions[secret] = session
        return secret

    def _healthy(self, target: str, asked: Asked, exchange: RecordedExchange | None) -> ASGIApp | None:
        match target:
            case "script" | "frame" | "entry" | "assets":
                return self._sdk_file(target, asked)
            case "session":
                return self._session_answer()
            case "verify":
                return _readable(JSONResponse({"verified": True}))
            case "conversation" | "sentinel" | "telemetry":
                return self._conversing if target == "conversation" else self._api
            case "custom":
                return _readable(_at(CHAT_PATH, self._app))
            case _:
                return unbound(exchange) if exchange is not None and exchange.chunks else None

    def _sdk_file(self, target: str, asked: Asked) -> ASGIApp:
        path = split_url(asked.url).path
        wanted = self.sdk_dir / path.lstrip("/")
        if target == "script":
            wanted = self.sdk_dir / LOADER_PATH.lstrip("/")
        elif target == "frame" and not wanted.is_file():
            wanted = next(iter(sorted((self.sdk_dir / LOADER_PATH.lstrip("/")).parent.glob("index-*.html"))), wanted)
        elif target == "entry" and not wanted.is_file():
            wanted = next(iter(sorted((self.sdk_dir / "assets/ck1").glob("index-*.js"))), wanted)
        if not wanted.resolve().is_relative_to(self.sdk_dir.resolve()) or not wanted.is_file():
            return Response("Not found", status_code=404)
        if target == "frame":
            return HTMLResponse(wanted.read_text(encoding="utf-8"))
        headers = {"access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin"}
        return file_answer(wanted, headers=headers)

    def _session_answer(self) -> ASGIApp:
        secret, expires_at = self.secret(), int(self._stack.now()) + LIFETIME_S
        known = ("client_secret", "clientSecret", "client_token", "secret")
        return _readable(JSONResponse({**dict.fromkeys(known, secret), "expires_at": expires_at}))

    async def _conversing(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the API does; a secret of the recording counts as valid until it expires."""
        headers = dict(scope["headers"])
        scheme, _, secret = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() == "bearer" and secret:
            host = headers.get(b"host", b"").decode("latin-1").partition(":")[0]
            locality = {PLAIN_HOST: "none", EU_HOST: "EU"}.get(host, "")
            session = self._session(locality)
            expires_at = min(session.expires_at, expiry_of(secret.strip()) or session.expires_at)
            self._stack.visit.sessions.setdefault(secret.strip(), replace(session, expires_at=expires_at))
        await self._api(scope, receive, send)

    def _session(self, locality: str) -> ServedSession:
        now = int(self._stack.now())
        project = self._stack.world.organizations[0].projects[0]
        return ServedSession(
            id=f"cksess_{secrets.token_hex(24)}",
            project_id=project.id,
            data_locality=locality,
            workflow_id=project.workflows[0].id if project.workflows else "",
            workflow_version=None,
            state_variables=None,
            is_traced=False,
            user="replay",
            created_at=now,
            expires_at=now + LIFETIME_S,
            max_requests_per_1_minute=REQUESTS_PER_MINUTE * 100,
            configuration=Configuration(),
        )


def expiry_of(secret: str) -> int:
    """Return when a client secret says that it ends, in Unix seconds; 0 when it says nothing."""
    for part in shape_of(secret):
        expires_at = dict(part.claims).get("expires_at") if isinstance(part, Packed) else None
        if isinstance(expires_at, int | float):
            return int(expires_at)
    return 0


def never_came(exchange: RecordedExchange) -> bool:
    """Whether a policy kept a request from being answered, or the page gave it up at once: what its server says is not recorded."""
    is_given_up = exchange.failure in ABORTED and exchange.ended_ms < GIVEN_UP_MS
    return exchange.status == 0 and (is_given_up or exchange.failure in BY_POLICY)


# What an unrecorded request is taken for, in this order.
GUESSED = ("script", "frame", "entry", "assets", "verify", "conversation", "custom", "sentinel", "telemetry", "session")


def sdk_only(recording: Recording, sdk_dir: Path | None) -> Healer:
    """Return what has the SDK's files come from a folder, whatever was recorded; everything else is left to the recording."""
    heals = tuple(Fault(verb=HEALTHY, target=target) for target in SDK_TARGETS)
    return Healer(heals, recording, sdk_dir=sdk_dir, is_complete=False)


def unbound(exchange: RecordedExchange) -> ASGIApp:
    """Return a recorded document without the policies that it was bound by."""
    content = BINDING_META.sub(b"", exchange.text.encode("utf-8", "surrogatepass"))
    headers = {
        name.lower(): value
        for name, value in exchange.headers
        if name.lower()
        not in BINDING_HEADERS | {"content-length", "content-encoding", "transfer-encoding", "set-cookie"}
    }
    return Response(content, status_code=exchange.status if exchange.status < 400 else 200, headers=headers)


def _stack(sdk_dir: Path, recording: Recording) -> Stack:
    """Return the embedded servers' state without their sockets, at the time of the recording."""
    names = ("app", "app_tls", "cdn", "cdn_tls", "api", "api_tls")
    return Stack(
        addresses=dict.fromkeys(names, "http://127.0.0.1"),
        world=read_world(),
        sdk_dir=sdk_dir,
        scenario=FOREIGN_BACKEND,
        is_for_people=False,
        now=_clock(recording.started_at),
    )


def _clock(started_at: str) -> Callable[[], float]:
    try:
        offset = datetime.fromisoformat(started_at).timestamp() - time.time()
    except ValueError:
        offset = 0.0
    return lambda: time.time() + offset


def _at(path: str, app: ASGIApp) -> ASGIApp:
    """An application that is asked for one path, whatever the request's is."""

    async def there(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "path": path, "raw_path": path.encode()}, receive, send)

    return there


def _readable(app: ASGIApp) -> ASGIApp:
    """An application whose answers every page may read."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        origin = next((value for name, value in scope["headers"] if name == b"origin"), b"*")

        async def with_origin(message: Message) -> None:
            if message["type"] == "http.response.start":
                allowed = [(b"access-control-allow-origin", origin), (b"access-control-allow-credentials", b"true")]
                message = {**message, "headers": [*message["headers"], *allowed]}
            await send(message)

        await app(scope, receive, with_origin)

    return answer


def session_request(recording: Recording) -> dict[str, Any] | None:
    """Return how the page asked for its client secret: URL, method, headers and body; None when it never did."""
    exchange = session_of(recording)
    if exchange is None:
        return None
    body = exchange.request_body
    is_json = body[:1] in ("{", "[") and _is_json(body)
    headers = {"content-type": "application/json"} if is_json else {}
    return {"url": exchange.url, "method": exchange.method, "headers": headers, "body": body or None}


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True

"""Sends one request of a preflight over HTTP and records the result: stages, times, headers, content of the response.

In: a question with a time limit. Out: a `Hop`, redacted, and beside it what must not be kept: the secret and the session's id. It does
not judge, and it always returns: a request that is not finished at the limit is abandoned.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from harness import __version__
from harness.config.authorities import trusted
from harness.model.addresses import FRAME_FILE, split_url
from harness.model.hops import Failure, Hop, HopKind
from harness.model.redaction import Redactor
from harness.model.snapshot import digest_of
from harness.model.waiting import within
from harness.observe.network import error_text_of, media_type_of
from harness.observe.secrets import format_of, found_secret, parsed_json

USER_AGENT = ("user-agent", f"chatkit-harness/{__version__}")
LARGEST_BODY_BYTES = 4_000_000
GRACE_S = 0.5  # after the limit, for a question that notices by itself
MOST_REDIRECTS = 8
LOOPBACK = re.compile(r"(localhost|.*\.localhost|127(\.\d+){3}|::1)")
ASSET = re.compile(r"/assets/ck\d*/index-[\w-]+\.(?:js|css)")
Clock = Callable[[], float]  # seconds
Resolve = Callable[[str, int], object]  # raises OSError


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What to ask. `hop` has the number, the kind and the names; the rest is sent, and not kept."""

    hop: Hop
    headers: tuple[tuple[str, str], ...] = ()
    body: Any = None  # JSON
    follows: bool = False  # redirects


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedHop:
    """How it went, and what is in force only as long as the preflight lasts."""

    hop: Hop
    secret: str = field(default="", repr=False)
    session_id: str = field(default="", repr=False)


class Asker:
    """Asks questions. The environment's proxies count, for everything but this machine."""

    def __init__(
        self,
        *,
        redactor: Redactor,
        environ: Mapping[str, str],
        limit_ms: float,
        clock: Clock = time.monotonic,
        resolve: Resolve = socket.getaddrinfo,
    ) -> None:
        self._redactor = redactor
        self._environ = environ
        self._limit_ms = limit_ms
        self._clock = clock
        self._resolve = resolve
        self._tls = trusted(environ)

    @property
    def limit_ms(self) -> float:
        """How long one question may take."""
        return self._limit_ms

    def ask(self, question: Question) -> ProbedHop:
        """Return how one question went. It raises nothing, and takes no longer than the limit."""
        question = replace(question, hop=replace(question.hop, limit_ms=self._limit_ms))
        attempt = _Attempt(question, self._environ, self._tls, self._clock, self._resolve, self._limit_ms / 1000)
        began = self._clock()
        done = within(self._limit_ms / 1000 + GRACE_S, attempt.run)
        heard = attempt.left_behind() if done is None else done
        total_ms = round((self._clock() - began) * 1000, 1)
        return replace(heard, hop=self._redacted(replace(heard.hop, total_ms=total_ms)))

    def _redacted(self, hop: Hop) -> Hop:
        clean = self._redactor
        return replace(
            hop,
            url=clean.text(hop.url),
            final_url=clean.text(hop.final_url),
            failure_text=clean.text(hop.failure_text),
            error_text=clean.shown(hop.error_text),
            headers=tuple((name, clean.header(name, value)) for name, value in hop.headers),
        )

    def learn(self, kind: str, value: str) -> None:
        """Have a value replaced from now on."""
        self._redactor.learn(kind, value)


class _Attempt:
    """One question on its way. What it has noted can be read while it is still under way."""

    def __init__(
        self,
        question: Question,
        environ: Mapping[str, str],
        tls: ssl.SSLContext,
        clock: Clock,
        resolve: Resolve,
        limit_s: float,
    ) -> None:
        self._question = question
        self._hop = question.hop
        self._tls = tls
        self._clock = clock
        self._resolve = resolve
        self._deadline = clock() + limit_s
        self._limit_s = limit_s
        self._proxy = proxy_for(question.hop.url, environ)
        self._marks: dict[str, float] = {}

    def left_behind(self) -> ProbedHop:
        """Return what is known of an attempt that did not end."""
        hop = self._timed()
        is_connected = hop.status > 0 or "http11.send_request_headers.started" in self._marks
        failure = Failure.SLOW_ANSWER if is_connected else Failure.SLOW_CONNECT
        return ProbedHop(hop=replace(hop, failure=failure, failure_text=f"timed out after {self._limit_s:g} s"))

    def run(self) -> ProbedHop:
        """Ask, and return how it went."""
        try:
            return self._asked()
        except Exception as error:  # whatever it is, it is what came of this hop
            failure, text = self._failure_of(error)
            return ProbedHop(hop=replace(self._timed(), failure=failure, failure_text=text))

    def _asked(self) -> ProbedHop:
        hop, question = self._hop, self._question
        if self._proxy:
            self._hop = hop = replace(hop, proxy=without_password(self._proxy))
        else:
            began = self._clock()
            parts = urlsplit(hop.url)
            self._resolve(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
            self._hop = hop = replace(hop, dns_ms=_ms(began, self._clock()))
        with httpx.Client(
            verify=self._tls,
            trust_env=False,
            proxy=self._proxy or None,
            timeout=max(self._deadline - self._clock(), 0.05),
            follow_redirects=question.follows,
            max_redirects=MOST_REDIRECTS,
        ) as client:
            request = client.build_request(
                hop.method,
                hop.url,
                headers=[USER_AGENT, *question.headers],
                json=question.body,
                extensions={"trace": self._mark},
            )
            response = client.send(request, stream=True)
            try:
                return self._heard(response)
            finally:
                response.close()

    def _heard(self, response: httpx.Response) -> ProbedHop:
        headers = tuple((name.lower(), value) for name, value in response.headers.multi_items())
        self._hop = replace(
            self._hop,
            status=response.status_code,
            headers=headers,
            media_type=media_type_of(headers),
            final_url=str(response.url) if response.history else "",
        )
        content = b""
        for chunk in response.iter_bytes():
            content += chunk
            if self._clock() > self._deadline:
                raise httpx.ReadTimeout("the response began and did not finish")
            if len(content) > LARGEST_BODY_BYTES:
                break
        self._hop = replace(self._timed(), size_bytes=len(content), digest=digest_of(content))
        return _read(self._hop, content.decode("utf-8", "replace"))

    def _mark(self, name: str, _info: Mapping[str, Any]) -> None:
        self._marks.setdefault(name, self._clock())

    def _timed(self) -> Hop:
        """The hop with the times of its stages."""
        return replace(
            self._hop,
            connect_ms=self._span("connection.connect_tcp.started", "connection.connect_tcp.complete"),
            tls_ms=self._span("connection.start_tls.started", "connection.start_tls.complete"),
        )

    def _span(self, start: str, end: str) -> float:
        return _ms(self._marks[start], self._marks[end]) if start in self._marks and end in self._marks else -1

    def _failure_of(self, error: Exception) -> tuple[Failure, str]:
        text = str(error) or type(error).__name__
        origin = _root_of(error)
        if isinstance(error, socket.gaierror) or isinstance(origin, socket.gaierror):
            return (Failure.PROXY if self._proxy else Failure.NAME), text
        if isinstance(error, UnicodeError | httpx.InvalidURL) and "connection.connect_tcp.started" not in self._marks:
            return Failure.NAME, text  # no name that could be looked up
        if isinstance(origin, ssl.SSLCertVerificationError):
            return Failure.CERTIFICATE, origin.verify_message or text
        if isinstance(error, httpx.ProxyError | ImportError) or (self._proxy and isinstance(error, httpx.ConnectError)):
            return Failure.PROXY, text
        if isinstance(origin, ssl.SSLError):
            return Failure.TLS, text
        if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
            return (Failure.PROXY if self._proxy else Failure.SLOW_CONNECT), text
        if isinstance(error, httpx.TimeoutException):
            return Failure.SLOW_ANSWER, text
        if isinstance(origin, ConnectionRefusedError):
            return Failure.REFUSED, text
        is_connected = "connection.connect_tcp.complete" in self._marks
        return (Failure.BROKEN if is_connected else Failure.UNREACHABLE), text


def _root_of(error: BaseException) -> BaseException:
    """The exception at which it began."""
    while True:
        before = error.__cause__ or error.__context__
        if before is None:
            return error
        error = before


def _ms(start: float, end: float) -> float:
    return round((end - start) * 1000, 1)


# --- what an answer holds -----------------------------------------------------------------------------------------


def _read(hop: Hop, text: str) -> ProbedHop:
    parsed = parsed_json(text) if hop.kind not in (HopKind.LOADER, HopKind.FRAME, HopKind.PAGE) else None
    table = parsed if isinstance(parsed, dict) else {}
    items = table.get("data")
    secret = found_secret(text, parsed) if hop.kind in (HopKind.API_SESSION, HopKind.APP_SESSION) else None
    verified = table.get("verified")
    hop = replace(
        hop,
        error_text=error_text_of(parsed, text) if hop.status >= 400 else "",
        secret_key=secret.key if secret else "",
        secret_format=format_of(secret.value) if secret else "",
        is_mock=bool(table.get("_mock") or table.get("mock")),
        is_verified=verified if isinstance(verified, bool) else None,
        is_list=isinstance(items, list),
        count=len(items) if isinstance(items, list) else -1,
        references=_references(hop.kind, text),
        policies=tuple(_policies(text)) if hop.kind is HopKind.PAGE else (),
    )
    session_id = table.get("id")
    return ProbedHop(
        hop=hop,
        secret=secret.value if secret else "",
        session_id=session_id if isinstance(session_id, str) and hop.kind is HopKind.API_SESSION else "",
    )


def _references(kind: HopKind, text: str) -> tuple[str, ...]:
    """The frame's file that a loader names; the scripts and styles that a frame names. Never what differs each time."""
    pattern = {HopKind.LOADER: FRAME_FILE, HopKind.FRAME: ASSET}.get(kind)
    return tuple(dict.fromkeys(pattern.findall(text))) if pattern else ()


class _Meta(HTMLParser):
    """Collects the policies of a page's `<meta http-equiv>`."""

    def __init__(self) -> None:
        super().__init__()
        self.policies: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a policy."""
        given = {name: value or "" for name, value in attrs}
        if tag == "meta" and given.get("http-equiv", "").lower() == "content-security-policy":
            self.policies.append(given.get("content", ""))


def _policies(text: str) -> list[str]:
    parser = _Meta()
    parser.feed(text)
    return parser.policies


# --- proxies ------------------------------------------------------------------------------------------------------


def proxy_for(url: str, environ: Mapping[str, str]) -> str:
    """Return the proxy that the environment names for an address, "" for none. This machine is never asked through one."""
    parts = split_url(url)
    host = parts.hostname or ""
    lower = {name.lower(): value for name, value in environ.items() if value}
    proxy = lower.get(f"{parts.scheme}_proxy") or lower.get("all_proxy") or ""
    if not proxy or LOOPBACK.fullmatch(host):
        return ""
    exceptions = [name.strip().lower() for name in lower.get("no_proxy", "").split(",") if name.strip()]
    if any(_is_excepted(host, parts.netloc.rpartition("@")[2], name) for name in exceptions):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_excepted(host: str, host_port: str, name: str) -> bool:
    """Whether an entry of NO_PROXY names a host, alone or with all below it."""
    plain = name.removeprefix("*").lstrip(".")
    return name == "*" or plain in (host, host_port) or host.endswith(f".{plain}")


def without_password(url: str) -> str:
    """Return an address without user and password."""
    parts = split_url(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, parts.fragment))


def proxies_in(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the environment's proxy settings as they may be shown."""
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
    found = [(name, environ.get(name) or environ.get(name.lower()) or "") for name in names]
    return tuple(
        f"{name}={value if name == 'NO_PROXY' else without_password(value if '://' in value else f'http://{value}')}"
        for name, value in found
        if value
    )

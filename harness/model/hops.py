"""The observations of a preflight: each hop between a page and a working chat, and its result.

In: nothing. Out: frozen values that say what happened, never what it means. No client secret and no key is in them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from harness.model.events import Headers
from harness.model.results import Finding

SIGN_IN = re.compile(r"(^|[/_-])(log-?in|sign-?in|auth(orize)?|sso|oauth2?)([/_.?-]|$)", re.IGNORECASE)


class HopKind(StrEnum):
    """What a hop asks for."""

    PAGE = "page"
    LOADER = "loader"
    FRAME = "frame"
    MODELS = "models"
    API_SESSION = "api session"
    DOMAIN = "domain"
    CANCEL = "cancel"
    APP_SESSION = "app session"
    BACKEND = "backend"


class Failure(StrEnum):
    """How far a hop got that was not answered."""

    NONE = ""
    NAME = "the name does not resolve"
    REFUSED = "connection refused"
    UNREACHABLE = "no connection"
    CERTIFICATE = "the certificate is not trusted"
    TLS = "TLS failed"
    PROXY = "the proxy failed"
    SLOW_CONNECT = "no connection in time"
    SLOW_ANSWER = "no answer in time"
    BROKEN = "the connection broke"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One question and its answer. Times are milliseconds, -1 where a stage was not reached or is not known."""

    number: int  # from 1, in the order of asking; findings cite it
    kind: HopKind
    name: str  # as the table says it: "page", "session wf_…"
    method: str = "GET"
    url: str  # that was asked
    known_as: str = ""  # the URL that a page would ask for, when another one stands in for it
    skipped: str = ""  # why it was not asked; "" when it was
    proxy: str = ""  # without its password
    failure: Failure = Failure.NONE
    failure_text: str = ""
    dns_ms: float = -1
    connect_ms: float = -1
    tls_ms: float = -1
    total_ms: float = -1
    began_ms: float = 0  # after the preflight's first hop
    limit_ms: float = 0
    status: int = 0
    headers: Headers = ()
    media_type: str = ""
    final_url: str = ""  # after redirects that were followed
    error_text: str = ""  # what an error answer says
    size_bytes: int = 0
    digest: str = ""  # SHA-256 of the body as it came
    secret_key: str = ""  # where a client secret stood in the answer
    secret_format: str = ""  # "v00" | "v01" | "other"
    is_mock: bool = False
    is_verified: bool | None = None
    is_list: bool = False  # a JSON object with a list under `data`
    count: int = -1  # of that list
    references: tuple[str, ...] = ()  # a loader's frame file, a frame's assets
    policies: tuple[str, ...] = ()  # Content-Security-Policy of a page's <meta> elements
    workflow: str = ""
    origin: str = ""  # that a domain is asked for, or that is said to ask
    is_signed_in: bool = False  # an authorization was sent
    is_protected: bool = False  # the same endpoint is asked with an authorization too, so it is to refuse this one

    def header(self, name: str) -> str:
        """Return a header of the answer; "" when it has none."""
        return ", ".join(value for key, value in self.headers if key.lower() == name)

    @property
    def is_answered(self) -> bool:
        """Whether the response was complete."""
        return self.status > 0 and self.failure is Failure.NONE

    @property
    def is_good(self) -> bool:
        """Whether it was answered with success."""
        return self.is_answered and 200 <= self.status < 300

    @property
    def is_guarded(self) -> bool:
        """Whether the app refuses a caller that sent no authorization, as it should."""
        is_ours = self.kind in (HopKind.APP_SESSION, HopKind.BACKEND) and self.is_answered and not self.is_signed_in
        to_sign_in = 300 <= self.status < 400 and SIGN_IN.search(self.header("location")) is not None
        return is_ours and (self.status in (401, 403, 419) or to_sign_in)

    @property
    def page_url(self) -> str:
        """The URL as a page would ask for it."""
        return self.known_as or self.url

    @property
    def request_id(self) -> str:
        """What the other side calls this request in its logs."""
        return self.header("x-request-id") or self.header("cf-ray")

    @property
    def organization(self) -> str:
        """The organisation that OpenAI's API names as the key's."""
        return self.header("openai-organization")

    @property
    def project(self) -> str:
        """The project that OpenAI's API names as the key's."""
        return self.header("openai-project")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """An API key without the key."""

    kind: str = ""  # see `analysis.keys`; "" when there is none
    prefix: str = ""  # what its kind is known by, and nothing more of it
    last_four: str = ""
    is_usable: bool = False  # of a kind that can make sessions
    has_spaces: bool = False  # around it, or in it
    has_quotes: bool = False
    variable: str = ""  # where it is said to come from

    @property
    def shown(self) -> str:
        """The key as it may be shown."""
        return f"{self.kind} {self.prefix}…{self.last_four}" if self.kind else "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightFacts:
    """Everything that a preflight saw, with what was expected."""

    project: str  # of the configuration
    page_url: str
    started_at: str = ""
    key: ApiKey = ApiKey()
    expected_organization: str = ""
    expected_project: str = ""
    proxies: tuple[str, ...] = ()  # "HTTPS_PROXY=http://proxy:3128", without passwords
    hops: tuple[Hop, ...] = ()

    def of(self, *kinds: HopKind) -> tuple[Hop, ...]:
        """Return the hops of these kinds that were asked."""
        return tuple(hop for hop in self.hops if hop.kind in kinds and not hop.skipped)

    @property
    def sdk(self) -> tuple[tuple[str, str], ...]:
        """What identifies the SDK that the CDN serves: the loader's digest, its frame's file, the frame's entry."""
        loader = next((hop for hop in self.of(HopKind.LOADER) if hop.is_good), None)
        frame = next((hop for hop in self.of(HopKind.FRAME) if hop.is_good), None)
        found = {
            "loader": loader.digest[:16] if loader else "",
            "frame": loader.references[0] if loader and loader.references else "",
            "assets": " ".join(frame.references) if frame else "",
        }
        return tuple((name, value) for name, value in found.items() if value)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightResult:
    """The result of a preflight."""

    preflight: PreflightFacts
    outcome: str  # "passed" | "failed" | "environment": this machine cannot tell
    findings: tuple[Finding, ...] = ()  # by layer; the evidence are numbers of hops
    warnings: tuple[str, ...] = ()  # the rules of those findings that the preflight does not fail with
    blame: str = ""  # whose it is, see `analysis.blame`; "" when it passed

    @property
    def cause(self) -> Finding | None:
        """The finding that the preflight failed with; None when it passed."""
        return next((finding for finding in self.findings if finding.role == "cause"), None)

"""Checks a project's hops in order, from the page to the chat backend, each with its own request.

In: a plan, and an `Asker`. Out: a `PreflightFacts`. A failed hop does not stop the others; created sessions are always cancelled.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from harness.analysis.facts.api_keys import cleaned, key_of
from harness.config.reading import Config
from harness.config.secrets import REFERENCE
from harness.config.tables import PreflightSettings, Project
from harness.model.chatkit import CDN_ORIGIN, LOADER_PATH
from harness.model.hops import ApiKey, Hop, HopKind, PreflightFacts
from harness.model.redaction import Redactor
from harness.observe.http_probe import Asker, ProbedHop, Question, proxies_in

API = "https://api.openai.com"
SESSIONS = "/v1/chatkit/sessions"
BETA = ("openai-beta", "chatkit_beta=v1")
SESSION_LIFETIME_S = 60
HOST_OF_SECRET = {"v00": "https://us.api.openai.com"}  # the locality of a v01 secret is in the secret
LOCALITY_HOSTS = {"US": "https://us.api.openai.com", "EU": "https://eu.api.openai.com"}
DEVELOPMENT = ("localhost", "0.0.0.0", "::1")
THREADS_LIST = {"type": "threads.list", "params": {"limit": 1, "order": "desc"}}
Told = Callable[[Hop], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightPlan:
    """The requests to send. It contains secrets; a `Hop` contains none."""

    project: str
    page_url: str
    settings: PreflightSettings = field(repr=False)
    session_url: str = ""
    key: ApiKey = field(default_factory=ApiKey)
    key_text: str = field(default="", repr=False)

    @property
    def origin(self) -> str:
        """The page's origin."""
        parts = urlsplit(self.page_url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def plan_of(config: Config, project: Project) -> PreflightPlan:
    """Return the plan for a project; hops that are not configured are skipped and named."""
    settings = project.preflight or PreflightSettings()
    base_url = (project.base_url or (project.web_server.url if project.web_server else "")).rstrip("/")
    page_url = base_url + project.page
    written = config.tables.get(project.name, {}).get("preflight", {}).get("api_key", "")
    variable = next(iter(REFERENCE.findall(written)), "") if isinstance(written, str) else ""
    return PreflightPlan(
        project=project.name,
        page_url=page_url,
        settings=settings,
        session_url=_session_url(settings.session_url, project.session_endpoint, page_url),
        key=key_of(settings.api_key, variable=variable),
        key_text=cleaned(settings.api_key),
    )


def _session_url(written: str, endpoint: str, page_url: str) -> str:
    """The address of the app's session endpoint: as configured, else from a glob that names one address."""
    if written:
        return urljoin(page_url, written)
    plain = endpoint.removeprefix("**")
    is_one = bool(plain) and not any(sign in plain for sign in "*?[") and plain.startswith(("/", "http"))
    return urljoin(page_url, plain) if is_one else ""


def walk(
    plan: PreflightPlan, asker: Asker, *, environ: Mapping[str, str], on_hop: Told = lambda _hop: None
) -> PreflightFacts:
    """Return the result of every hop. `on_hop` is called for each finished hop."""
    for kind, value in (
        ("api_key", plan.key_text),
        ("token", plan.settings.session_token),
        ("token", plan.settings.backend_token),
    ):
        asker.learn(kind, value)
    walker = _Walker(plan, asker, on_hop)
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    walker.page()
    walker.cdn()
    walker.models()
    with walker.sessions() as sessions:
        walker.domains(sessions)
    walker.app()
    walker.backend()
    return PreflightFacts(
        project=plan.project,
        page_url=plan.page_url,
        started_at=started_at,
        key=plan.key,
        expected_organization=plan.settings.organization,
        expected_project=plan.settings.project,
        proxies=proxies_in(environ),
        hops=tuple(walker.hops),
    )


class _Walker:
    """The hops so far, and how each kind is asked."""

    def __init__(self, plan: PreflightPlan, asker: Asker, on_hop: Told) -> None:
        self._plan = plan
        self._settings = plan.settings
        self._asker = asker
        self._on_hop = on_hop
        self._began = time.monotonic()
        self.hops: list[Hop] = []

    def _ask(self, kind: HopKind, name: str, url: str, *, method: str = "GET", **more: Any) -> ProbedHop:
        """Ask one question. `headers`, `body` and `follows` are sent; everything else describes the hop."""
        sent = {key: more.pop(key) for key in ("headers", "body", "follows") if key in more}
        began_ms = round((time.monotonic() - self._began) * 1000, 1)
        hop = Hop(number=len(self.hops) + 1, kind=kind, name=name, method=method, url=url, began_ms=began_ms, **more)
        heard = self._asker.ask(Question(hop=hop, **sent))
        if heard.secret:
            self._asker.learn("client_secret", heard.secret)
        return self._kept(heard)

    def _kept(self, heard: ProbedHop) -> ProbedHop:
        self.hops.append(heard.hop)
        self._on_hop(heard.hop)
        return heard

    def _skip(self, kind: HopKind, name: str, url: str, why: str, **more: Any) -> None:
        hop = Hop(number=len(self.hops) + 1, kind=kind, name=name, url=url, skipped=why, **more)
        self._kept(ProbedHop(hop=hop))

    # --- page and CDN

    def page(self) -> None:
        """Ask for the page."""
        self._ask(HopKind.PAGE, "page", self._plan.page_url, follows=True, headers=(("accept", "text/html,*/*"),))

    def cdn(self) -> None:
        """Ask the CDN for the loader, and for the frame that it names."""
        base = self._settings.cdn_base.rstrip("/")
        loader = self._ask(HopKind.LOADER, "CDN loader", base + LOADER_PATH, known_as=CDN_ORIGIN + LOADER_PATH).hop
        folder = LOADER_PATH.rpartition("/")[0]
        if not loader.references:
            why = "the loader names no frame" if loader.is_good else "its address is only in the loader"
            self._skip(HopKind.FRAME, "CDN frame", f"{base}{folder}/", why, known_as=f"{CDN_ORIGIN}{folder}/index.html")
            return
        path = f"{folder}/{loader.references[0]}"
        self._ask(HopKind.FRAME, "CDN frame", base + path, known_as=CDN_ORIGIN + path)

    # --- OpenAI's API

    def _api(self, path: str) -> dict[str, str]:
        base = self._settings.api_base.rstrip("/").removesuffix("/v1")
        return {"url": base + path, "known_as": API + path if base == API else ""}

    def _why_not(self) -> str:
        """Why the API is not asked; "" when it is."""
        if not self._plan.key.kind:
            return "there is no API key"
        return "" if self._plan.key.is_usable else f"a {self._plan.key.kind} is not sent to OpenAI"

    def _authorization(self) -> tuple[str, str]:
        return ("authorization", f"Bearer {self._plan.key_text}")

    def models(self) -> None:
        """Ask for the models that the key may use: proof that it is valid, and whose it is."""
        where, why = self._api("/v1/models"), self._why_not()
        if why and (self._settings.workflows or self._plan.key.kind or self._plan.key.variable):
            self._skip(HopKind.MODELS, "models", why=why, **where)
        elif not why:
            self._ask(HopKind.MODELS, "models", headers=(self._authorization(),), is_signed_in=True, **where)

    @contextmanager
    def sessions(self) -> Iterator[list[ProbedHop]]:
        """Make a session for each workflow, and cancel them when the block ends."""
        made: list[ProbedHop] = []
        try:
            for workflow in self._settings.workflows:
                heard = self._session(workflow)
                if heard is not None and heard.session_id:
                    made.append(heard)
            yield made
        finally:
            for heard in made:
                self._cancel(heard)

    def _session(self, workflow: str) -> ProbedHop | None:
        where, why, name = self._api(SESSIONS), self._why_not(), f"session {workflow}"
        if why:
            self._skip(HopKind.API_SESSION, name, why=why, workflow=workflow, **where)
            return None
        body = {
            "workflow": {"id": workflow},
            "user": self._settings.user,
            "expires_after": {"anchor": "created_at", "seconds": SESSION_LIFETIME_S},
        }
        headers = (self._authorization(), BETA)
        return self._ask(
            HopKind.API_SESSION,
            name,
            method="POST",
            headers=headers,
            body=body,
            workflow=workflow,
            is_signed_in=True,
            **where,
        )

    def _cancel(self, heard: ProbedHop) -> None:
        hop = heard.hop
        where = self._api(f"{SESSIONS}/{heard.session_id}/cancel")
        headers = (self._authorization(), BETA)
        name = f"cancel {hop.workflow}"
        self._ask(
            HopKind.CANCEL, name, method="POST", headers=headers, workflow=hop.workflow, is_signed_in=True, **where
        )

    # --- the allowlist

    def domains(self, sessions: list[ProbedHop]) -> None:
        """Ask whether the domains are allowed, as the widget's frame would ask."""
        origins = [_origin_of(domain) for domain in self._settings.domains] or [self._plan.origin]
        for origin in origins:
            name = f"domain {origin}"
            path = "/v1/chatkit/domain_keys/" + ("verify" if self._settings.domain_key else "verify_hosted")
            where = self._api(path)
            if is_development(origin):
                self._skip(
                    HopKind.DOMAIN, name, why="ChatKit does not check a development origin", origin=origin, **where
                )
            elif self._settings.domain_key:
                body = {"referrer_origin": origin, "domain_key": self._settings.domain_key}
                self._ask(HopKind.DOMAIN, name, method="POST", body=body, origin=origin, **where)
            elif sessions:
                self._hosted_domain(name, origin, sessions[0], where)
            elif self._settings.domains or self._settings.workflows:
                self._skip(
                    HopKind.DOMAIN,
                    name,
                    why="the request needs a client secret, and there is none",
                    origin=origin,
                    **where,
                )

    def _hosted_domain(self, name: str, origin: str, session: ProbedHop, where: dict[str, str]) -> None:
        host = host_of_secret(session.secret, session.hop.secret_format)
        if where["known_as"] and host:  # the real API: each secret has a host of its own
            where = {"url": where["url"].replace(API, host), "known_as": ""}
        headers = (("authorization", f"Bearer {session.secret}"),)
        self._ask(
            HopKind.DOMAIN,
            name,
            method="POST",
            headers=headers,
            body={"referrer_origin": origin},
            origin=origin,
            is_signed_in=True,
            **where,
        )

    # --- the app

    def app(self) -> None:
        """Ask the app for a client secret: as a stranger, and with the authorization that is configured."""
        url, token = self._plan.session_url, self._settings.session_token
        if not url:
            self._skip(HopKind.APP_SESSION, "app session", self._plan.page_url, "preflight.session_url is not set")
            return
        more: dict[str, Any] = {"method": "POST", "body": self._session_body(), "origin": self._plan.origin}
        origin = ("origin", self._plan.origin)
        self._ask(HopKind.APP_SESSION, "app session", url, headers=(origin,), is_protected=bool(token), **more)
        if token:
            headers = (origin, ("authorization", f"Bearer {token}"))
            self._ask(HopKind.APP_SESSION, "app session, signed in", url, headers=headers, is_signed_in=True, **more)

    def _session_body(self) -> Any:
        if self._settings.session_body:
            return json.loads(self._settings.session_body)
        workflow = {"workflow": {"id": self._settings.workflows[0]}} if self._settings.workflows else {}
        return workflow | {"user": self._settings.user}

    def backend(self) -> None:
        """Ask the app's chat backend for its threads, as the page would on the frame's behalf."""
        if not self._settings.backend_url:
            return
        url, token = urljoin(self._plan.page_url, self._settings.backend_url), self._settings.backend_token
        headers = [("origin", self._plan.origin), *([("authorization", f"Bearer {token}")] if token else [])]
        self._ask(
            HopKind.BACKEND, "chat backend", url, method="POST", body=THREADS_LIST, headers=tuple(headers), origin=self._plan.origin,
            is_signed_in=bool(token),
        )  # fmt: skip


def is_development(origin: str) -> bool:
    """Whether ChatKit skips the domain check for an origin: this machine, *.local, or a port of one's own."""
    parts = urlsplit(origin)
    host = parts.hostname or ""
    has_port = parts.port not in (None, 443 if parts.scheme == "https" else 80)
    return has_port or host in DEVELOPMENT or host.endswith(".local") or host.startswith("127.")


def _origin_of(domain: str) -> str:
    return domain.rstrip("/") if "://" in domain else f"https://{domain.rstrip('/')}"


def host_of_secret(secret: str, format: str) -> str:
    """Return the host that a frame with this secret talks to, "" for the plain one."""
    if format != "v01":
        return HOST_OF_SECRET.get(format, "")
    packed = secret.rpartition("_")[2][2:]
    try:
        locality = json.loads(base64.b64decode(packed + "=" * (-len(packed) % 4))).get("data_locality")
    except (ValueError, AttributeError):
        return ""
    return LOCALITY_HOSTS.get(locality or "", "")


def asker_of(plan: PreflightPlan, redactor: Redactor, environ: Mapping[str, str]) -> Asker:
    """Return what asks a plan's questions."""
    return Asker(redactor=redactor, environ=environ, limit_ms=plan.settings.timeout_ms)

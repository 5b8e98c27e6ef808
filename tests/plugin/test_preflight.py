"""The preflight against the embedded OpenAI side and CDN: each fault is found at its hop, under its name, with its exit code."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.analysis.facts.api_keys import cleaned, key_of
from harness.analysis.smoke.preflight import judged
from harness.commands.preflight import EXIT_CODES, fly, run_preflight
from harness.config.reading import read_config
from harness.config.schema import literal
from harness.config.tables import PreflightSettings
from harness.model.hops import Failure, HopKind, PreflightResult
from harness.model.redaction import Redactor
from harness.observe.http_probe import Asker, ProbedHop, Question
from harness.report.preflight import hop_line, preflight_dict, render_findings, render_outcome
from harness.servers.named_faults import faults_of
from harness.servers.scenarios import scenario_named
from harness.servers.server import Stack, serve_stack
from harness.servers.session import access_token_of
from harness.visit.preflight_walk import PreflightPlan, asker_of, walk
from tests.commands import run_command
from tests.ports import free_port
from tests.site import Answer, serve_site

TOPICS, BILLING, EUROPE = "sk-test-topic-project", "sk-test-billing-project", "sk-test-europe-project"
RESTRICTED = "sk-test-topic-restricted"
WORKFLOW = "wf_test_topic_generation"
BETA = "You must provide the 'OpenAI-Beta' header to access the Chatkit API."
REGION = "Attempted to access resource with incorrect regional hostname. Please make your request to eu.api.openai.com"
PORTAL = "<!doctype html><title>Sign in to the network</title><p>Welcome"
LIMIT_MS = 8_000
SHORT_MS = 300  # for the one hop that hangs


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A fault, and what is to be said of it."""

    rule: str
    hop: str  # at which it is found
    code: int = 12
    faults: tuple[str, ...] = ()
    scenario: str = "healthy"
    settings: dict[str, Any] = field(default_factory=dict)
    session_url: str = "/api/chatkit/session"
    api: bool = True  # OpenAI's API is asked
    also: tuple[str, ...] = ()  # further findings that are right
    says: tuple[str, ...] = ()
    hangs: bool = False


def api_error(message: str) -> str:
    """Return an error answer of the API."""
    return json.dumps({"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}})


def closed_port() -> str:
    """Return an address at which nothing listens."""
    return f"http://127.0.0.1:{free_port()}"


CUSTOM = {"backend_url": "/chatkit"}
CASES = {
    # the page
    "page-503": Case(rule="page-refused", hop="page", faults=("status:page=503",), api=False),
    "page-hangs": Case(rule="page-unanswered", hop="page", faults=("hang:page",), hangs=True, api=False),
    "page-breaks": Case(rule="page-unreachable", hop="page", faults=("abort:page",), api=False),
    "page-sign-in": Case(
        rule="page-behind-sign-in",
        hop="page",
        faults=("redirect:page=/auth/login", "body:*/auth/login=<!doctype html><title>Sign in</title>"),
        api=False,
    ),
    "csp-script": Case(
        rule="loader-blocked-by-csp",
        hop="CDN loader",
        faults=("header:page=content-security-policy: script-src 'self'",),
        api=False,
    ),
    "csp-frame": Case(
        rule="frame-blocked-by-csp",
        hop="CDN frame",
        faults=("header:page=content-security-policy: default-src *; frame-src 'self'; style-src 'unsafe-inline'",),
        api=False,
    ),
    "csp-connect": Case(
        rule="session-blocked-by-csp",
        hop="app session",
        faults=("header:page=content-security-policy: connect-src https://api.example.com",),
        api=False,
    ),
    "csp-styles": Case(
        rule="styles-blocked-by-csp",
        hop="page",
        code=0,
        faults=("header:page=content-security-policy: style-src 'self'",),
        api=False,
    ),
    "coep": Case(
        rule="frame-blocked-by-coep",
        hop="CDN frame",
        faults=("header:page=cross-origin-embedder-policy: require-corp",),
        api=False,
        also=("loader-blocked-by-coep",),
    ),
    # the CDN
    "loader-503": Case(
        rule="loader-refused", hop="CDN loader", faults=("status:script=503",), api=False, says=("GET http://127.0.0.1:",)
    ),
    "loader-challenge": Case(
        rule="loader-challenged",
        hop="CDN loader",
        faults=("status:script=403", "body:script=<!doctype html><title>Just a moment...</title>"),
        api=False,
    ),
    "loader-portal": Case(
        rule="loader-answered-by-page", hop="CDN loader", faults=(f"body:script={PORTAL}",), api=False
    ),
    "loader-breaks": Case(rule="loader-unreachable", hop="CDN loader", faults=("abort:script",), api=False),
    "loader-hangs": Case(
        rule="loader-never-arrives", hop="CDN loader", faults=("hang:script",), hangs=True, api=False
    ),
    "frame-400": Case(rule="frame-refused", hop="CDN frame", faults=("status:frame=400",), api=False),
    "frame-breaks": Case(rule="frame-unreachable", hop="CDN frame", faults=("abort:frame",), api=False),
    "frame-hangs": Case(
        rule="frame-unanswered", hop="CDN frame", faults=("hang:frame",), hangs=True, api=False
    ),
    "frame-shut": Case(
        rule="frame-forbids-embedding", hop="CDN frame", faults=("header:frame=x-frame-options: DENY",), api=False
    ),
    # the key
    "key-unset": Case(rule="api-key-not-set", hop="models", settings={"api_key": ""}),
    "key-unknown": Case(
        rule="api-key-incorrect", hop="models", settings={"api_key": "sk-test-nobody-knows-this-one"}, says=("*******",)
    ),
    "key-is-client-secret": Case(
        rule="api-key-of-wrong-kind",
        hop="models",
        settings={"api_key": "ek_test_0123456789abcdef_00eyJhIjoxfQ"},
        says=("client secret ek_…",),
    ),
    "key-is-admin": Case(
        rule="api-key-of-wrong-kind",
        hop="models",
        settings={"api_key": "sk-admin-test-test-test-0001"},
        says=("admin key sk-admin-…0001",),
    ),
    "key-in-quotes": Case(
        rule="api-key-with-wrapping", hop="models", code=0, settings={"api_key": f'"{TOPICS}" '}, says=("quotes and spaces",)
    ),
    "key-restricted": Case(rule="api-key-restricted", hop=f"session {WORKFLOW}", settings={"api_key": RESTRICTED}),
    "key-of-other-project": Case(
        rule="key-of-other-project",
        hop="models",
        settings={"api_key": BILLING, "workflows": ("wf_test_invoice_clerk",)},
        session_url="",
        says=("proj_test_billing", "proj_test_topics is expected"),
    ),
    "key-of-other-organization": Case(
        rule="key-of-other-organization",
        hop="models",
        settings={"organization": "test-elsewhere"},
        says=("test-publishing", "test-elsewhere is expected"),
    ),
    "key-of-other-region": Case(
        rule="api-host-of-other-region",
        hop="models",
        faults=("status:*/v1/models=401", f"body:*/v1/models={api_error(REGION)}"),
        says=("eu.api.openai.com",),
    ),
    # the API
    "workflow-of-other-project": Case(
        rule="workflow-not-visible",
        hop=f"session {WORKFLOW}",
        settings={"api_key": BILLING},
        says=("workflow not visible to this project", "proj_test_topics", "proj_test_billing"),
    ),
    "workflow-unknown": Case(
        rule="workflow-not-found",
        hop="session wf_test_gone",
        settings={"workflows": ("wf_test_gone",)},
        session_url="",
        says=("the key's project is proj_test_topics, as expected",),
    ),
    "beta-header": Case(
        rule="beta-header-missing",
        hop=f"session {WORKFLOW}",
        faults=("status:openai-sessions=400", f"body:openai-sessions={api_error(BETA)}"),
        session_url="",
    ),
    "rate-limit": Case(
        rule="quota-exceeded", hop=f"session {WORKFLOW}", faults=("status:openai-sessions=429",), session_url=""
    ),
    "region": Case(
        rule="region-not-supported", hop=f"session {WORKFLOW}", faults=("status:openai-sessions=403",), session_url=""
    ),
    "api-500": Case(
        rule="sessions-api-failing", hop=f"session {WORKFLOW}", faults=("status:openai-sessions=500",), session_url=""
    ),
    "api-418": Case(
        rule="api-answer-unknown", hop=f"session {WORKFLOW}", faults=("status:openai-sessions=418",), session_url=""
    ),
    "api-breaks": Case(rule="api-unreachable", hop="models", faults=("abort:*/v1/models",), session_url=""),
    "api-hangs": Case(
        rule="api-unanswered", hop="models", faults=("hang:*/v1/models",), hangs=True, session_url=""
    ),
    "api-portal": Case(
        rule="api-answered-by-page", hop="models", faults=(f"body:*/v1/models={PORTAL}",), session_url=""
    ),
    "api-path": Case(rule="wrong-api-path", hop="models", settings={"api_base": "<api>/openai"}, session_url=""),
    "cancel-fails": Case(
        rule="session-left-behind", hop=f"cancel {WORKFLOW}", code=0, faults=("status:*/cancel=500",), session_url=""
    ),
    # the allowlist
    "domain-unknown": Case(
        rule="domain-not-registered",
        hop="domain https://unlisted.test",
        settings={"domains": ("app.test", "https://unlisted.test")},
        session_url="",
    ),
    "domain-key-unknown": Case(
        rule="domain-not-registered",
        hop="domain https://app.test",
        settings={"domains": ("app.test",), "domain_key": "domain_pk_of_another_page"},
        session_url="",
    ),
    "domain-500": Case(
        rule="verification-failing",
        hop="domain https://app.test",
        faults=("status:verify=500",),
        settings={"domains": ("app.test",)},
        session_url="",
    ),
    # the app
    "user-missing": Case(rule="user-missing", hop="app session", scenario="user-missing", api=False),
    "session-401": Case(
        rule="session-unauthorized",
        hop="app session, signed in",
        settings={"session_token": "of-nobody-1"},
        scenario="session-401",
        api=False,
    ),
    "session-403": Case(
        rule="session-forbidden",
        hop="app session, signed in",
        faults=("status:session=403",),
        settings={"session_token": "<token>"},
        api=False,
    ),
    "session-429": Case(rule="session-rate-limited", hop="app session", faults=("status:session=429",), api=False),
    "session-500": Case(rule="session-server-error", hop="app session", faults=("status:session=500",), api=False),
    "session-502": Case(rule="session-gateway-failed", hop="app session", faults=("status:session=502",), api=False),
    "session-no-key": Case(
        rule="api-key-missing-in-app",
        hop="app session",
        faults=("status:session=500", 'body:session={"error":"Missing OPENAI_API_KEY environment variable"}'),
        api=False,
    ),
    "session-elsewhere": Case(rule="session-route-missing", hop="app session", session_url="/api/nowhere/session", api=False),
    "session-html": Case(rule="session-answered-by-page", hop="app session", faults=(f"body:session={PORTAL}",), api=False),
    "session-empty": Case(rule="session-without-secret", hop="app session", faults=("body:session={}",), api=False),
    "session-redirect": Case(rule="session-redirected", hop="app session", faults=("redirect:session=/elsewhere",), api=False),
    "session-hangs": Case(
        rule="session-unanswered", hop="app session", faults=("hang:session",), hangs=True, api=False
    ),
    "session-breaks": Case(rule="session-unreachable", hop="app session", faults=("abort:session",), api=False),
    "session-mock": Case(rule="mock-secret", hop="app session", scenario="mock-secret", api=False),
    "session-quoted": Case(rule="secret-malformed", hop="app session", scenario="secret-quoted", api=False),
    "session-open": Case(
        rule="session-open-to-anyone",
        hop="app session",
        code=0,
        settings={"session_token": "<token>"},
        api=False,
    ),
    "session-guard": Case(
        rule="session-guard-broken",
        hop="app session",
        code=0,
        faults=("status:session#1=500",),
        settings={"session_token": "<token>"},
        api=False,
    ),
    "app-key-of-other-project": Case(
        rule="workflow-not-found", hop="app session", scenario="workflow-404", api=False
    ),
    # the custom mode's backend
    "backend-401": Case(
        rule="custom-backend-unauthorized",
        hop="chat backend",
        faults=("status:custom=401",),
        settings=CUSTOM | {"backend_token": "of-nobody-1"},
        api=False,
    ),
    "backend-404": Case(
        rule="custom-backend-not-found", hop="chat backend", settings={"backend_url": "/no-chatkit"}, api=False
    ),
    "backend-500": Case(
        rule="custom-backend-failing", hop="chat backend", faults=("status:custom=500",), settings=CUSTOM, api=False
    ),
    "backend-portal": Case(
        rule="custom-backend-answers-page", hop="chat backend", faults=(f"body:custom={PORTAL}",), settings=CUSTOM, api=False
    ),
    "backend-other": Case(
        rule="backend-answers-otherwise",
        hop="chat backend",
        faults=('body:custom={"threads": []}',),
        settings=CUSTOM,
        api=False,
    ),
    "backend-breaks": Case(
        rule="custom-backend-unreachable", hop="chat backend", faults=("abort:custom",), settings=CUSTOM, api=False
    ),
    "backend-hangs": Case(
        rule="backend-unanswered", hop="chat backend", faults=("hang:custom",), settings=CUSTOM, hangs=True, api=False
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Return the embedded servers, for a client that routes nothing."""
    with serve_stack(scenario=scenario_named("healthy"), is_for_people=True) as running:
        yield running


def plan_for(
    stack: Stack, *, api: bool = True, session_url: str = "/api/chatkit/session", **settings: Any
) -> PreflightPlan:
    """Return a plan for the embedded app; everything in it is as it should be unless `settings` say otherwise."""
    token = access_token_of("a-user", secret=stack.world.app.jwt_secret)
    chosen = {
        "api_base": stack.api_url,
        "cdn_base": stack.cdn_url,
        "timeout_ms": LIMIT_MS,
        "domains": ("http://localhost:3000",),
    }
    if api:
        chosen |= {
            "api_key": TOPICS,
            "workflows": (WORKFLOW,),
            "project": "proj_test_topics",
            "organization": "test-publishing",
        }
    chosen |= settings
    filled = {
        name: value.replace("<api>", stack.api_url).replace("<token>", token) if isinstance(value, str) else value
        for name, value in chosen.items()
    }
    made = PreflightSettings(**filled)
    return PreflightPlan(
        project="night",
        page_url=f"{stack.app_url}/test-chatkit",
        settings=made,
        session_url=stack.app_url + session_url if session_url else "",
        key=key_of(made.api_key, variable="OPENAI_API_KEY" if api else ""),
        key_text=cleaned(made.api_key),
    )


def flown(plan: PreflightPlan, environ: dict[str, str] | None = None) -> PreflightResult:
    """Return what a preflight comes to."""
    environ = environ or {}
    return judged(walk(plan, asker_of(plan, Redactor(), environ), environ=environ))


class Impatient(Asker):
    """Asks as usual, and waits less long for the hop that never answers."""

    hop = ""

    def ask(self, question: Question) -> ProbedHop:
        """Return how one question went."""
        self._limit_ms = SHORT_MS if question.hop.name == self.hop else LIMIT_MS
        return super().ask(question)


def told(result: PreflightResult) -> str:
    """Return everything that is printed of a preflight."""
    return "\n".join([*map(hop_line, result.preflight.hops), *render_findings(result), render_outcome(result)])


@pytest.mark.parametrize("name", CASES)
def test_a_fault_is_found_at_its_hop(stack: Stack, name: str) -> None:
    """Under the right name, at the right hop, with the right exit code; and nothing else is said, the cases' `also` aside."""
    case = CASES[name]
    scenario = scenario_named(case.scenario)
    stack.use(replace(scenario, faults=(*scenario.faults, *faults_of(case.faults))))
    workflows = (
        {} if case.api or "workflows" in case.settings else {"session_body": json.dumps({"workflow": {"id": WORKFLOW}})}
    )
    plan = plan_for(stack, api=case.api, session_url=case.session_url, **workflows | case.settings)
    asker = Impatient(redactor=Redactor(), environ={}, limit_ms=LIMIT_MS)
    asker.hop = case.hop if case.hangs else ""
    result = judged(walk(plan, asker, environ={}))
    found = {finding.rule: finding for finding in result.findings}
    assert {case.rule, *case.also} == set(found), told(result)
    names = {hop.number: hop.name for hop in result.preflight.hops}
    assert case.hop in [names[number] for number in found[case.rule].evidence]
    assert EXIT_CODES[result.outcome] == case.code
    assert all(text in found[case.rule].summary for text in case.says), found[case.rule].summary
    assert (case.rule in result.warnings) is (case.code == 0)


def test_a_healthy_app_passes(stack: Stack) -> None:
    """Every hop is answered, the sessions that were made are cancelled, and there is nothing to say."""
    stack.use(replace(scenario_named("healthy"), session_auth="required"))
    plan = plan_for(
        stack, domains=("app.test",), workflows=(WORKFLOW, "wf_test_post_writer"), session_token="<token>", **CUSTOM
    )
    result = flown(plan)
    assert result.findings == (), told(result)
    assert [hop.kind for hop in result.preflight.hops] == [
        HopKind.PAGE, HopKind.LOADER, HopKind.FRAME, HopKind.MODELS, HopKind.API_SESSION, HopKind.API_SESSION, HopKind.DOMAIN,
        HopKind.CANCEL, HopKind.CANCEL, HopKind.APP_SESSION, HopKind.APP_SESSION, HopKind.BACKEND,
    ]  # fmt: skip
    assert all(session.is_cancelled for session in stack.visit.sessions.values() if session.user == plan.settings.user)
    assert len(stack.answers("api", "/v1/chatkit/sessions")) == 3  # two of the preflight's, one of the app's
    signed_out, signed_in = result.preflight.of(HopKind.APP_SESSION)
    assert (signed_out.status, signed_in.status) == (401, 200)
    models = result.preflight.of(HopKind.MODELS)[0]
    assert (models.organization, models.project, models.count) == ("test-publishing", "proj_test_topics", 1)
    assert models.request_id.startswith("req_")
    assert dict(result.preflight.sdk)["frame"] == "index-standin01.html"


@pytest.mark.parametrize("fault", ["status:session=401", "status:session=403", "redirect:session=/auth/sign-in?next=/"])
def test_an_endpoint_that_guards_itself_is_not_at_fault(stack: Stack, fault: str) -> None:
    """Without an authorization to send, a refusal is as it should be; the line says so."""
    stack.use(replace(scenario_named("healthy"), faults=faults_of([fault, "status:custom=401"])))
    result = flown(plan_for(stack, api=False, **CUSTOM))
    assert result.findings == (), told(result)
    assert told(result).count("refuses requests without an authorization, as expected") == 2


def test_sessions_are_cancelled_when_a_later_hop_raises(stack: Stack) -> None:
    """Whatever happens between the making of a session and its end."""
    stack.use(scenario_named("healthy"))
    plan = plan_for(stack, domains=("app.test",))

    def fail(hop: Any) -> None:
        if hop.kind is HopKind.DOMAIN:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        walk(plan, asker_of(plan, Redactor(), {}), environ={}, on_hop=fail)
    assert [session.is_cancelled for session in stack.visit.sessions.values()] == [True]


def test_no_secret_is_told_or_kept(stack: Stack) -> None:
    """Neither a key nor a client secret nor a token is in what is printed and saved."""
    stack.use(scenario_named("healthy"))
    plan = plan_for(stack, session_token="<token>", domains=("app.test",), api_key=f" '{TOPICS}'")
    result = flown(plan)
    text = told(result) + json.dumps(preflight_dict(result)) + repr(plan) + repr(result)
    assert stack.visit.sessions
    for secret in (TOPICS, plan.settings.session_token, *stack.visit.sessions):
        assert secret not in text
    assert "API key sk-…ject" in plan.key.shown


def test_a_self_signed_certificate_is_named_once(stack: Stack) -> None:
    """The certificate, and not also that page and endpoint cannot be reached."""
    stack.use(scenario_named("healthy"))
    page_url = f"{stack.app_tls_url}/test-chatkit"
    plan = plan_for(stack, api=False)
    result = flown(replace(plan, page_url=page_url, session_url=f"{stack.app_tls_url}/api/chatkit/session"))
    assert [finding.rule for finding in result.findings] == ["certificate-untrusted"]
    assert "unable to get local issuer certificate" in result.findings[0].summary
    assert [hop.failure for hop in result.preflight.of(HopKind.PAGE, HopKind.APP_SESSION)] == [Failure.CERTIFICATE] * 2
    assert EXIT_CODES[result.outcome] == 12


def test_a_page_that_is_away_is_not_a_missing_network(stack: Stack) -> None:
    """The CDN answers, so it is the page's server."""
    stack.use(scenario_named("healthy"))
    nowhere = closed_port()
    result = flown(replace(plan_for(stack, api=False), page_url=nowhere, session_url=f"{nowhere}/api/chatkit/session"))
    assert [finding.rule for finding in result.findings] == ["page-unreachable", "session-unreachable"]
    assert result.blame == "our app"
    assert (result.outcome, EXIT_CODES[result.outcome]) == ("failed", 12)


def no_names(_host: str, _port: int) -> object:
    """Fail as a resolver does on a machine without a network."""
    raise socket.gaierror(-3, "Temporary failure in name resolution")


def test_without_a_network_there_is_no_statement(stack: Stack) -> None:
    """Exit code 13, one finding, and no word of our app, the CDN or OpenAI."""
    plan = plan_for(stack, api_base="https://api.example.test", cdn_base="https://cdn.example.test")
    plan = replace(
        plan, page_url="https://staging.example.test/", session_url="https://staging.example.test/api/session"
    )
    asker = asker_of(plan, Redactor(), {})
    asker._resolve = no_names
    result = judged(walk(plan, asker, environ={}))
    assert [finding.rule for finding in result.findings] == ["network-missing"], told(result)
    assert (result.outcome, EXIT_CODES[result.outcome], result.blame) == ("environment", 13, "the network")


def test_a_proxy_that_is_away_is_the_environments(stack: Stack) -> None:
    """It is named without its password; what is on this machine is asked without it."""
    stack.use(scenario_named("healthy"))
    proxy = closed_port().replace("http://", "http://user:proxy-password-1@")
    environ = {"HTTPS_PROXY": proxy, "HTTP_PROXY": proxy, "NO_PROXY": "internal.test"}
    plan = replace(plan_for(stack, api=False, cdn_base="https://cdn.example.test"), session_url="")
    result = flown(plan, environ)
    assert [finding.rule for finding in result.findings] == ["proxy-failed"], told(result)
    assert result.preflight.of(HopKind.PAGE)[0].is_good
    assert EXIT_CODES[result.outcome] == 13
    assert "proxy-password-1" not in told(result) + repr(result)


def test_a_proxy_that_wants_a_password_is_named() -> None:
    """407 from the proxy, for an address of plain http."""
    with serve_site({"http://staging.example.test/": Answer(status=407)}) as proxy:
        plan = PreflightPlan(
            project="night", page_url="http://staging.example.test/", settings=PreflightSettings(cdn_base=proxy)
        )
        result = flown(plan, {"HTTP_PROXY": proxy})
    assert result.findings[0].rule == "proxy-failed"
    assert "407" in result.findings[0].summary


def test_an_answer_that_drips_is_given_up() -> None:
    """A hop ends with its limit, whatever the other side does."""
    page = {"/": Answer(body=b"<html>", never_ends=True)}
    with serve_site(page) as site:
        plan = PreflightPlan(
            project="night", page_url=f"{site}/", settings=PreflightSettings(cdn_base=site, timeout_ms=500)
        )
        hop = flown(plan).preflight.of(HopKind.PAGE)[0]
    assert hop.failure is Failure.SLOW_ANSWER


# --- the command --------------------------------------------------------------------------------------------------


def test_the_command_tells_and_saves(tmp_path: Path) -> None:
    """Nothing configured: the embedded default passes, with a line for each hop and the result in the run's folder."""
    done = run_command("preflight", cwd=tmp_path, CHATKIT_TEST="1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "preflight: passed" in done.stdout
    saved = json.loads((tmp_path / "test-results/latest/preflight.json").read_text(encoding="utf-8"))
    assert (saved["outcome"], saved["format"]) == ("passed", "chatkit-harness/preflight")
    assert len(saved["preflight"]["hops"]) == done.stdout.count(" ms") + 1  # a domain that nobody is asked about


def write_project(folder: Path, stack: Stack, **more: str) -> None:
    """Write a configuration with a live project, and one with a web server of its own."""
    preflight = {
        "api_key": "${OPENAI_API_KEY}", "project": "proj_test_topics", "workflows": [WORKFLOW], "api_base": stack.api_url,
        "cdn_base": stack.cdn_url, "session_token": "${STAGING_TOKEN}",
    }  # fmt: skip
    (folder / "index.html").write_text("<!doctype html><title>Own page</title>", encoding="utf-8")
    (folder / "playwright.config.toml").write_text(
        f"""
[projects.staging]
base_url = "${{STAGING_URL}}"
network = "live"
page = "/test-chatkit"
session_endpoint = "**/api/chatkit/session"
preflight = {literal(preflight)}

[projects.own]
web_server = {literal({"command": f"exec {sys.executable} -m http.server --bind 127.0.0.1 {more.get('port', '1')}",
                       "url": f"http://127.0.0.1:{more.get('port', '1')}/"})}
network = "live"
preflight = {literal({"cdn_base": stack.cdn_url})}
""",
        encoding="utf-8",
    )  # fmt: skip


def run(folder: Path, project: str, environ: dict[str, str], *, as_json: bool = False) -> tuple[int, str]:
    """Run the command in this process; return its exit code and its words."""
    config = read_config(folder / "playwright.config.toml", environ=environ, overrides={"project": project})
    said = StringIO()
    return run_preflight(Console(file=said, width=300), config, environ, as_json=as_json), said.getvalue()


def test_the_command_ends_with_12_and_json(tmp_path: Path, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """A project of a configuration, its key from a variable; the whole answer is JSON, without the key."""
    stack.use(scenario_named("healthy"))
    write_project(tmp_path, stack)
    environ = {"STAGING_URL": stack.app_url, "OPENAI_API_KEY": BILLING}
    code, said = run(tmp_path, "staging", environ, as_json=True)
    answer = json.loads(capsys.readouterr().out)
    assert (code, said) == (12, "")
    assert next(f["rule"] for f in answer["findings"] if f["role"] == "cause") == "workflow-not-visible"
    assert BILLING not in json.dumps(answer)
    hops = {hop["name"]: hop for hop in answer["preflight"]["hops"]}
    assert hops["app session"]["status"] == 200  # found from the glob; STAGING_TOKEN is not set, and need not be


def test_without_a_key_the_other_hops_are_asked(tmp_path: Path, stack: Stack) -> None:
    """An unset variable is a finding, and no error of the configuration."""
    stack.use(scenario_named("healthy"))
    write_project(tmp_path, stack)
    code, said = run(tmp_path, "staging", {"STAGING_URL": stack.app_url})
    assert code == 12
    assert "OPENAI_API_KEY is not set, so OpenAI's API was not called" in said
    assert "client secret (v00)" in said


def test_a_web_server_of_ones_own_is_started(tmp_path: Path, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the time of the preflight."""
    monkeypatch.chdir(tmp_path)
    write_project(tmp_path, stack, port=closed_port().rpartition(":")[2])
    code, said = run(tmp_path, "own", {})
    assert code == 0, said
    assert "preflight: passed" in said


def test_a_result_that_cannot_be_kept_is_a_warning(tmp_path: Path, stack: Stack) -> None:
    """The hops are judged all the same."""
    stack.use(scenario_named("healthy"))
    (tmp_path / "folder").write_text("", encoding="utf-8")
    said = StringIO()
    result = fly(
        Console(file=said, width=300), plan_for(stack, api=False, session_url=""), Redactor(), {}, tmp_path / "folder"
    )
    assert result.outcome == "passed"
    assert "warning:   cannot write" in said.getvalue()
    assert "preflight: passed" in said.getvalue()

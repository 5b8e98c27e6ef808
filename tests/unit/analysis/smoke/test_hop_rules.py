"""Every rule of the preflight fires on what it is about, misses what only looks like it, and is silent on good hops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from nights import PAGE_URL, hop, hops

from harness.analysis.facts.api_keys import key_of
from harness.analysis.rules import BY_ID
from harness.analysis.rules.ahead import AHEAD
from harness.analysis.rules.hops import HOP_RULES, HOP_RULES_BY_ID, SHARED
from harness.analysis.smoke.preflight import judged
from harness.model.hops import Failure, Hop, HopKind, PreflightFacts

GOOD = hops()
ORIGIN = "https://staging.example.com"
API = "https://api.openai.com"
OWNED = (("openai-organization", "acme"), ("openai-project", "proj_a"))
KEY = key_of("sk-proj-test-0123456789", variable="KEY")


def seen(*more: Hop, base: PreflightFacts = GOOD, **changes: Any) -> PreflightFacts:
    """Return a preflight with further hops after page, loader and frame."""
    numbered = tuple(replace(one, number=4 + index) for index, one in enumerate(more))
    return replace(base, hops=(*base.hops, *numbered), **changes)


def models(**changes: Any) -> Hop:
    """Return the models' hop, with the key's owner."""
    return hop(HopKind.MODELS, 4, headers=OWNED, is_list=True, count=3, **changes)


def session(**changes: Any) -> Hop:
    """Return a session's hop."""
    plain = {
        "method": "POST",
        "workflow": "wf_1",
        "secret_key": "client_secret",
        "secret_format": "v00",
        "headers": OWNED,
    }
    return hop(HopKind.API_SESSION, 5, **plain | changes)


def lost(workflow: str = "wf_1", **changes: Any) -> Hop:
    """Return the hop of a workflow that is not found."""
    return session(status=404, secret_key="", error_text=f"Workflow with id '{workflow}' not found.", **changes)


def app(**changes: Any) -> Hop:
    """Return the hop of the app's session endpoint."""
    plain = {
        "method": "POST",
        "url": f"{ORIGIN}/api/session",
        "secret_key": "client_secret",
        "secret_format": "v00",
        "origin": ORIGIN,
    }
    return hop(HopKind.APP_SESSION, 6, **plain | changes)


def backend(**changes: Any) -> Hop:
    """Return the hop of the custom mode's backend."""
    plain = {
        "method": "POST",
        "url": f"{ORIGIN}/chatkit",
        "is_list": True,
        "origin": ORIGIN,
        "media_type": "application/json",
    }
    return hop(HopKind.BACKEND, 7, **plain | changes)


def page(*headers: tuple[str, str], **changes: Any) -> PreflightFacts:
    """Return a preflight whose page has these headers."""
    return hops(page={"headers": headers, **changes})


def csp(text: str) -> PreflightFacts:
    """Return a preflight whose page has a policy."""
    return page(("content-security-policy", text))


def unasked(kind: HopKind = HopKind.MODELS) -> Hop:
    """Return a hop that was not asked."""
    return hop(kind, 4, status=0, skipped="for want of a key", total_ms=-1)


BAD: dict[str, Any] = {"status": 0, "failure": Failure.NAME, "failure_text": "no such name"}
HELD: dict[str, Any] = {"status": 0, "failure": Failure.SLOW_ANSWER}
ISOLATED = ("cross-origin-embedder-policy", "require-corp")
# For each rule: where it fires, and where it misses by a hair.
CASES: dict[str, tuple[Callable[[], PreflightFacts], Callable[[], PreflightFacts]]] = {
    "network-missing": (lambda: hops(page=BAD, loader=BAD, frame=BAD), lambda: hops(page=BAD, loader=BAD)),
    "proxy-failed": (
        lambda: hops(page={"status": 0, "failure": Failure.PROXY, "proxy": "http://p:1"}),
        lambda: hops(page={"status": 407}),  # from the page's own server
    ),
    "certificate-untrusted": (
        lambda: hops(page={"status": 0, "failure": Failure.CERTIFICATE}),
        lambda: hops(page={"status": 0, "failure": Failure.TLS}),
    ),
    "hop-slow": (lambda: hops(page={"total_ms": 5_001}), lambda: hops(page={"total_ms": 5_000})),
    "page-unreachable": (lambda: hops(page=BAD), lambda: hops(loader=BAD)),
    "page-unanswered": (lambda: hops(page=HELD), lambda: hops(loader=HELD)),
    "api-key-not-set": (lambda: seen(unasked()), lambda: seen(models())),
    "api-key-of-wrong-kind": (
        lambda: seen(unasked(), key=key_of("ek_test_0123456789")),
        lambda: seen(models(), key=KEY),
    ),
    "api-key-with-wrapping": (
        lambda: seen(models(), key=key_of(" sk-proj-test-0123456789")),
        lambda: seen(models(), key=KEY),
    ),
    "api-unreachable": (lambda: seen(models(**BAD)), lambda: seen(app(**BAD))),
    "api-unanswered": (lambda: seen(models(**HELD)), lambda: seen(app(**HELD))),
    "api-answered-by-page": (
        lambda: seen(models(media_type="text/html")),
        lambda: seen(models(media_type="application/json")),
    ),
    "api-host-of-other-region": (
        lambda: seen(models(status=401, error_text="Attempted to access resource with incorrect regional hostname.")),
        lambda: seen(models(status=401, error_text="Incorrect API key provided")),
    ),
    "api-answer-unknown": (
        lambda: seen(session(status=418, secret_key="", error_text="I am a teapot.")),
        lambda: seen(session(status=401, secret_key="", error_text="Incorrect API key provided")),
    ),
    "workflow-not-visible": (
        lambda: seen(models(), lost(), expected_project="proj_b", key=KEY),
        lambda: seen(models(), lost(), expected_project="proj_a", key=KEY),
    ),
    "key-of-other-project": (
        lambda: seen(models(), expected_project="proj_b", key=KEY),
        lambda: seen(models(), expected_project="proj_a", key=KEY),
    ),
    "key-of-other-organization": (
        lambda: seen(models(), expected_organization="other", key=KEY),
        lambda: seen(models(), expected_organization="acme", key=KEY),
    ),
    "session-left-behind": (
        lambda: seen(hop(HopKind.CANCEL, 8, status=500)),
        lambda: seen(hop(HopKind.CANCEL, 8, status=200)),
    ),
    "session-open-to-anyone": (lambda: seen(app(is_protected=True)), lambda: seen(app(is_signed_in=True))),
    "session-guard-broken": (
        lambda: seen(app(is_protected=True, status=500, secret_key="")),
        lambda: seen(app(is_protected=True, status=401, secret_key="")),
    ),
    "backend-answers-otherwise": (lambda: seen(backend(is_list=False)), lambda: seen(backend())),
    # ahead of the browser
    "loader-blocked-by-csp": (lambda: csp("script-src 'self'"), lambda: csp("script-src *.openai.com")),
    "frame-blocked-by-csp": (
        lambda: csp("frame-src 'self'"),
        lambda: page(("content-security-policy-report-only", "frame-src 'self'")),  # it only reports
    ),
    "session-blocked-by-csp": (
        lambda: seen(app(url="https://other.test/session"), base=csp("connect-src 'self'")),
        lambda: seen(app(), base=csp("connect-src 'self'")),
    ),
    "custom-backend-blocked-by-csp": (
        lambda: seen(backend(url="https://other.test/chatkit"), base=csp("connect-src 'self'")),
        lambda: seen(backend(), base=csp("connect-src 'self'")),
    ),
    "styles-blocked-by-csp": (
        lambda: hops(page={"policies": ("style-src 'self'",)}),  # of a <meta>
        lambda: hops(page={"policies": ("style-src 'self' 'unsafe-inline'",)}),
    ),
    "loader-blocked-by-coep": (
        lambda: page(ISOLATED),
        lambda: hops(page={"headers": (ISOLATED,)}, loader={"headers": (("cross-origin-resource-policy", "cross-origin"),)}),
    ),
    "frame-blocked-by-coep": (
        lambda: page(("cross-origin-embedder-policy", "credentialless; report-to=x")),
        lambda: hops(page={"headers": (ISOLATED,)}, frame={"headers": (ISOLATED,)}),
    ),
    "frame-forbids-embedding": (
        lambda: hops(frame={"headers": (("content-security-policy", "frame-ancestors https://chatgpt.com"),)}),
        lambda: hops(frame={"headers": (("x-frame-options", "DENY"), ("content-security-policy", "frame-ancestors https://*.example.com"))}),
    ),
    "page-not-secure": (
        lambda: hops(page={"url": "http://192.168.0.7:3000/chat"}),
        lambda: hops(page={"url": "http://localhost:3000/chat"}),
    ),
    "session-blocked-by-cors": (
        lambda: seen(app(url="https://other.test/session")),
        lambda: seen(app(url="https://other.test/session", headers=(("access-control-allow-origin", ORIGIN),))),
    ),
    "custom-backend-blocked-by-cors": (
        lambda: seen(backend(url="https://other.test/chatkit", headers=(("access-control-allow-origin", "https://x.test"),))),
        lambda: seen(backend(url="https://other.test/chatkit", headers=(("access-control-allow-origin", "*"),))),
    ),
    "session-over-plain-http": (
        lambda: seen(app(url="http://other.test/session", headers=(("access-control-allow-origin", "*"),))),
        lambda: seen(app(url="http://127.0.0.1:3000/session", headers=(("access-control-allow-origin", "*"),))),
    ),
    "custom-backend-over-plain-http": (
        lambda: seen(backend(url="http://other.test/chatkit")),
        lambda: seen(backend(url="http://other.test/chatkit"), page_url="http://staging.example.com/"),
    ),
    "sessions-api-failing": (
        lambda: seen(session(status=503, secret_key="", media_type="text/html")),
        lambda: seen(session(status=404, secret_key="", error_text="Invalid URL (POST /v1/x)")),
    ),
    "workflow-not-found": (
        lambda: seen(models(), lost(), expected_project="proj_a", key=KEY),
        lambda: seen(models(), session(status=404, secret_key="", error_text="Chatkit Session with id 'x' not found.")),
    ),
}  # fmt: skip
FINDERS = {rule.id: rule.finds for rule in HOP_RULES} | {ahead.rule: ahead.finds for ahead in AHEAD}


@pytest.mark.parametrize("rule", FINDERS)
def test_a_rule_fires(rule: str) -> None:
    """With numbers of hops as evidence; and the judgement keeps it."""
    preflight = CASES[rule][0]()
    found = list(FINDERS[rule](preflight))
    assert found
    numbers = {one.number for one in preflight.hops}
    assert all(one.evidence and set(one.evidence) <= numbers for one in found)
    assert all(one.summary and "None" not in one.summary for one in found)
    assert rule in [finding.rule for finding in judged(preflight).findings]


@pytest.mark.parametrize("rule", FINDERS)
def test_a_rule_misses_what_only_looks_like_it(rule: str) -> None:
    """On hops that differ in the one thing that the rule is about."""
    assert not list(FINDERS[rule](CASES[rule][1]()))


def test_good_hops_have_no_findings() -> None:
    """Of all kinds."""
    good = seen(
        models(), session(), app(), backend(), hop(HopKind.DOMAIN, 8, is_verified=True, origin=ORIGIN), hop(HopKind.CANCEL, 9),
        expected_project="proj_a", expected_organization="acme", key=KEY,
    )  # fmt: skip
    result = judged(good)
    assert (result.findings, result.outcome, result.blame) == ((), "passed", "")


def test_the_tables_are_sound() -> None:
    """Every name has its cases; names of visits are taken from there, and only new states have new names."""
    assert set(CASES) == set(FINDERS)
    assert not set(HOP_RULES_BY_ID) & set(BY_ID)
    assert {ahead.rule for ahead in AHEAD} <= set(BY_ID)
    assert {name for names in SHARED.values() for name in names} <= set(BY_ID)
    for rule in HOP_RULES:
        assert set(rule.hides) <= {*BY_ID, *HOP_RULES_BY_ID}
        assert rule.title
        assert rule.cause.endswith(".")
        assert rule.remedy.endswith(".")
        assert not rule.doc or rule.doc.startswith("https://")


def test_texts_are_those_of_the_visit() -> None:
    """The same state has the same title, reason and remedy, wherever it is found."""
    found = judged(csp("script-src 'self'")).findings[0]
    rule = BY_ID["loader-blocked-by-csp"]
    assert (found.title, found.cause, found.remedy, found.layer) == (
        rule.title,
        rule.cause,
        rule.remedy,
        rule.layer.value,
    )
    assert found.is_prediction


def test_a_restricted_key_need_not_list_models() -> None:
    """A key that may make sessions and nothing else is a good one; one that may not make them is found there."""
    words = "You have insufficient permissions for this operation. Missing scopes: "
    listing = models(status=403, error_text=f"{words}api.model.read.")
    assert judged(seen(listing, session(), key=KEY)).findings == ()
    refused = session(status=401, secret_key="", error_text=f"{words}api.chatkit.write.")
    assert [f.rule for f in judged(seen(listing, refused, key=KEY)).findings] == ["api-key-restricted"]


def test_a_page_policy_with_a_nonce_is_a_warning() -> None:
    """The loader's tag may carry it."""
    result = judged(csp("script-src 'nonce-abc'"))
    assert (result.outcome, result.warnings) == ("passed", ("loader-blocked-by-csp",))


def test_what_explains_a_hop_hides_what_else_it_means() -> None:
    """And leaves standing what the same rule says of another hop."""
    of_app = app(status=404, secret_key="", error_text="Workflow with id 'wf_1' not found.")
    result = judged(seen(models(), lost(), of_app, expected_project="proj_b", key=KEY))
    found = {finding.rule: finding.evidence for finding in result.findings}
    assert found == {"workflow-not-visible": (4, 5), "workflow-not-found": (6,)}


def test_whose_fault_it_is_is_said() -> None:
    """By the cause."""
    assert judged(hops(loader={"status": 503})).blame == "the CDN"
    assert judged(hops(page={"status": 503})).blame == "our app"
    assert PAGE_URL.startswith(ORIGIN)

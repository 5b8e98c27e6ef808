"""What headers show before a browser loads the page, reported under the rules of a visit.

In: the hops. Out: findings of those rules, with their texts.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.facts.content_security_policy import Refusal, inline_style_refusal_of, policies_of, refusal_of
from harness.analysis.rules.hop_rule import (
    API_KINDS,
    LOOPBACK,
    Ahead,
    numbers_of,
    origin_of,
    owner_of,
    page_of,
    workflow_404s,
)
from harness.analysis.rules.rule import Confidence, Found, on_one_line
from harness.model.addresses import split_url
from harness.model.hops import Hop, HopKind, PreflightFacts


def _refused(preflight: PreflightFacts, use: str, *kinds: HopKind) -> Iterator[Found]:
    page = page_of(preflight)
    if page is None:
        return
    policies = policies_of([*(v for name, v in page.headers if name == "content-security-policy"), *page.policies])
    url = page.final_url or page.url
    for hop in (hop for hop in preflight.hops if hop.kind in kinds):
        refusal = refusal_of(policies, use, hop.page_url, url)
        if refusal is not None:
            yield _foretold(refusal, hop.page_url, page, hop)
            return


def _foretold(refusal: Refusal, url: str, page: Hop, hop: Hop) -> Found:
    but = "; a nonce on its tag may still allow it" if refusal.is_open_question else ""
    return Found(
        summary=f"{refusal.directive} of the page's Content-Security-Policy does not allow {url}{but}",
        evidence=numbers_of(page, hop),
        confidence=Confidence.POSSIBLE if refusal.is_open_question else None,
        is_prediction=True,
    )


def loader_csp(preflight: PreflightFacts) -> Iterator[Found]:
    """The page's policy does not allow the loader."""
    yield from _refused(preflight, "script-src-elem", HopKind.LOADER)


def frame_csp(preflight: PreflightFacts) -> Iterator[Found]:
    """The page's policy does not allow the frame."""
    yield from _refused(preflight, "frame-src", HopKind.FRAME)


def session_csp(preflight: PreflightFacts) -> Iterator[Found]:
    """The page's policy does not allow the session endpoint."""
    yield from _refused(preflight, "connect-src", HopKind.APP_SESSION)


def backend_csp(preflight: PreflightFacts) -> Iterator[Found]:
    """The page's policy does not allow the chat backend."""
    yield from _refused(preflight, "connect-src", HopKind.BACKEND)


def styles_csp(preflight: PreflightFacts) -> Iterator[Found]:
    """The page's policy does not allow the element's own styles."""
    page = page_of(preflight)
    if page is not None:
        values = [v for name, v in page.headers if name == "content-security-policy"]
        refusal = inline_style_refusal_of(policies_of([*values, *page.policies]))
        if refusal is not None:
            yield Found(
                summary=f"{refusal.directive} of the page's Content-Security-Policy has no 'unsafe-inline'",
                evidence=numbers_of(page),
                confidence=Confidence.POSSIBLE,  # a hash can allow it, and the page's own styles can replace it
                is_prediction=True,
            )


def loader_coep(preflight: PreflightFacts) -> Iterator[Found]:
    """The page isolates itself, and the loader does not consent."""
    page, policy = _isolation(preflight)
    for hop in preflight.of(HopKind.LOADER):
        if page and policy == "require-corp" and hop.is_good and not _has_corp(hop):
            yield _isolated(page, hop, policy, "Cross-Origin-Resource-Policy: cross-origin", Confidence.LIKELY)


def frame_coep(preflight: PreflightFacts) -> Iterator[Found]:
    """The page isolates itself, and the frame does not consent."""
    page, policy = _isolation(preflight)
    for hop in preflight.of(HopKind.FRAME):
        own = hop.header("cross-origin-embedder-policy").partition(";")[0].strip()
        if page and policy and hop.is_good and own not in ("require-corp", "credentialless"):
            yield _isolated(page, hop, policy, "Cross-Origin-Embedder-Policy", None)


def _isolated(page: Hop, hop: Hop, policy: str, lacking: str, confidence: Confidence | None) -> Found:
    return Found(
        summary=f"the page sends Cross-Origin-Embedder-Policy: {policy}, and {hop.page_url} comes without {lacking}",
        evidence=numbers_of(page, hop),
        confidence=confidence,
        is_prediction=True,
    )


def frame_forbidden(preflight: PreflightFacts) -> Iterator[Found]:
    """The headers of the frame's document forbid embedding it in the page."""
    page = page_of(preflight)
    for hop in preflight.of(HopKind.FRAME):
        policies = policies_of([v for name, v in hop.headers if name == "content-security-policy"])
        ancestors = next((policy["frame-ancestors"] for policy in policies if "frame-ancestors" in policy), None)
        options = hop.header("x-frame-options").upper()
        is_shut = ancestors is not None and not _may_embed(ancestors, page)
        if hop.is_good and (is_shut or (ancestors is None and options in ("DENY", "SAMEORIGIN"))):
            sent = f"frame-ancestors {' '.join(ancestors or ())}" if is_shut else f"X-Frame-Options: {options}"
            yield Found(summary=f"{hop.page_url} is sent with {sent}", evidence=numbers_of(hop), is_prediction=True)


def page_insecure(preflight: PreflightFacts) -> Iterator[Found]:
    """The page is not a secure context, and the frame needs one."""
    page = page_of(preflight)
    if page is not None:
        parts = split_url(page.final_url or page.url)
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            yield Found(
                summary=f"http://{parts.netloc} is neither https nor localhost: the frame will have no "
                "crypto.randomUUID",
                evidence=numbers_of(page),
                is_prediction=True,
            )


def _without_cors(preflight: PreflightFacts, kind: HopKind) -> Iterator[Found]:
    for hop in preflight.of(kind):
        allowed = hop.header("access-control-allow-origin")
        if hop.is_good and hop.origin and origin_of(hop.url) != hop.origin and allowed not in ("*", hop.origin):
            yield Found(
                summary=f"{hop.url} answered {hop.origin} with "
                + (f"access-control-allow-origin: {allowed}" if allowed else "no access-control-allow-origin"),
                evidence=numbers_of(hop),
                is_prediction=True,
            )
            return


def session_cors(preflight: PreflightFacts) -> Iterator[Found]:
    """The session endpoint is on another origin and does not allow the page's."""
    yield from _without_cors(preflight, HopKind.APP_SESSION)


def backend_cors(preflight: PreflightFacts) -> Iterator[Found]:
    """The chat backend is on another origin and does not allow the page's."""
    yield from _without_cors(preflight, HopKind.BACKEND)


def _plain_http(preflight: PreflightFacts, kind: HopKind) -> Iterator[Found]:
    for hop in preflight.of(kind)[:1]:
        parts = split_url(hop.url)
        is_here = parts.hostname in LOOPBACK
        if preflight.page_url.startswith("https://") and parts.scheme == "http" and not is_here:
            yield Found(summary=f"an https page may not call {hop.url}", evidence=numbers_of(hop), is_prediction=True)


def session_plain_http(preflight: PreflightFacts) -> Iterator[Found]:
    """An https page has a session endpoint with a plain http address."""
    yield from _plain_http(preflight, HopKind.APP_SESSION)


def backend_plain_http(preflight: PreflightFacts) -> Iterator[Found]:
    """A secure page has a chat backend of plain http."""
    yield from _plain_http(preflight, HopKind.BACKEND)


def workflow_unknown(preflight: PreflightFacts) -> Iterator[Found]:
    """The workflow is not found, and the key's project is the expected one or unknown."""
    owner = owner_of(preflight)
    for hop in workflow_404s(preflight):
        actual = hop.project or (owner.project if owner else "")
        known = {"": "; no response names the key's project", preflight.expected_project: ", as expected"}.get(
            actual, ""
        )
        of = f"; the key's project is {actual}{known}" if actual else known
        yield Found(
            summary=f"{hop.method} {hop.url} answered 404 ({on_one_line(hop.error_text)}){of}", evidence=numbers_of(hop)
        )


def api_failing(preflight: PreflightFacts) -> Iterator[Found]:
    """OpenAI's API answers with a server error."""
    failed = [hop for hop in preflight.of(*API_KINDS) if hop.is_answered and hop.status >= 500]
    if failed:
        said = f" ({on_one_line(failed[0].error_text, 160)})" if failed[0].error_text else ""
        yield Found(
            summary=f"{failed[0].method} {failed[0].url} answered {failed[0].status}{said}",
            evidence=numbers_of(*failed),
        )


def _isolation(preflight: PreflightFacts) -> tuple[Hop | None, str]:
    page = page_of(preflight)
    policy = page.header("cross-origin-embedder-policy").partition(";")[0].strip() if page else ""
    return page, policy if policy in ("require-corp", "credentialless") else ""


def _has_corp(hop: Hop) -> bool:
    return hop.header("cross-origin-resource-policy") == "cross-origin"


def _may_embed(ancestors: tuple[str, ...], page: Hop | None) -> bool:
    if page is None or "'none'" in ancestors:
        return "'none'" not in ancestors
    url = page.final_url or page.url
    return (
        refusal_of(({"frame-src": tuple(a for a in ancestors if a != "'self'")},), "frame-src", origin_of(url), "")
        is None
    )


AHEAD = (
    Ahead(rule="loader-blocked-by-csp", finds=loader_csp),
    Ahead(rule="frame-blocked-by-csp", finds=frame_csp),
    Ahead(rule="session-blocked-by-csp", finds=session_csp),
    Ahead(rule="custom-backend-blocked-by-csp", finds=backend_csp),
    Ahead(rule="styles-blocked-by-csp", finds=styles_csp),
    Ahead(rule="loader-blocked-by-coep", finds=loader_coep),
    Ahead(rule="frame-blocked-by-coep", finds=frame_coep),
    Ahead(rule="frame-forbids-embedding", finds=frame_forbidden),
    Ahead(rule="page-not-secure", finds=page_insecure),
    Ahead(rule="session-blocked-by-cors", finds=session_cors),
    Ahead(rule="custom-backend-blocked-by-cors", finds=backend_cors),
    Ahead(rule="session-over-plain-http", finds=session_plain_http),
    Ahead(rule="custom-backend-over-plain-http", finds=backend_plain_http),
    Ahead(rule="sessions-api-failing", finds=api_failing),
    Ahead(rule="workflow-not-found", finds=workflow_unknown),
)

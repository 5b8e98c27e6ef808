"""What a preflight can find. A state that a visit can find too has the visit's rule, with the same name and texts; this file has the
other rules.

In: the hops. Out: findings whose evidence are the numbers of hops. `SHARED` lists the visit's rules that a single hop can match;
`HOP_RULES` lists the rules that only a preflight has.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.rules import api_hops, custom, domain, session, session_delivery, upstream
from harness.analysis.rules.hop_rule import UNREACHED, HopRule, is_here, numbers_of, waited
from harness.analysis.rules.rule import MDN, Found, Layer, Party
from harness.analysis.smoke.hop_facts import failure_told
from harness.model.addresses import split_url
from harness.model.hops import Failure, HopKind, PreflightFacts

SLOW_MS = 5_000
OFFLINE = (Failure.NAME, Failure.UNREACHABLE, Failure.SLOW_CONNECT, Failure.PROXY)

SHARED: dict[HopKind, tuple[str, ...]] = {
    HopKind.PAGE: ("page-refused", "page-behind-sign-in"),
    HopKind.LOADER: ("loader-challenged", "loader-refused", "loader-unreachable", "loader-answered-by-page", "loader-never-arrives"),
    HopKind.FRAME: ("frame-challenged", "frame-refused", "frame-unreachable", "frame-unanswered"),
    # A restricted key may lack the permission to list models.
    HopKind.MODELS: tuple(rule.id for rule in upstream.RULES if rule.id != "api-key-restricted"),
    HopKind.API_SESSION: tuple(rule.id for rule in upstream.RULES if rule.id != "workflow-not-found"),
    HopKind.APP_SESSION: (
        *(rule.id for rule in (*session.RULES, *session_delivery.RULES, *upstream.RULES)),
        "mock-secret",
        "secret-malformed",
    ),
    HopKind.DOMAIN: tuple(rule.id for rule in domain.RULES if rule.id != "verification-unreachable"),
    HopKind.BACKEND: (*(rule.id for rule in custom.RULES), "backend-unanswered"),
}  # fmt: skip


def network_missing(preflight: PreflightFacts) -> Iterator[Found]:
    """No host outside of this machine can be reached."""
    outside = [hop for hop in preflight.hops if not hop.skipped and not is_here(hop)]
    hosts = {split_url(hop.url).hostname for hop in outside}
    if len(hosts) > 1 and all(hop.failure in OFFLINE for hop in outside):
        named = ", ".join(sorted(host for host in hosts if host))
        yield Found(
            summary=f"no connection to any of {named}: {failure_told(outside[0])}", evidence=numbers_of(*outside)
        )


NETWORK_MISSING = HopRule(
    id="network-missing",
    layer=Layer.NETWORK,
    owner=Party.NETWORK,
    title="This machine has no network connection",
    cause="No host outside of this machine could be reached, so the preflight cannot judge the page, the CDN or "
    "OpenAI's API.",
    remedy="Check the network, the DNS resolver and the firewall of this machine, and the variable HTTPS_PROXY.",
    finds=network_missing,
    is_of_machine=True,
    hides_all=True,
)


def proxy_failed(preflight: PreflightFacts) -> Iterator[Found]:
    """The environment names a proxy, and the proxy does not forward the request."""
    failed = [hop for hop in preflight.hops if hop.failure is Failure.PROXY or (hop.proxy and hop.status == 407)]
    if failed:
        first = failed[0]
        told = "answered 407: it requires a password" if first.status == 407 else failure_told(first)
        yield Found(summary=f"{first.proxy or 'the proxy'} for {first.url}: {told}", evidence=numbers_of(*failed))


PROXY_FAILED = HopRule(
    id="proxy-failed",
    layer=Layer.NETWORK,
    owner=Party.NETWORK,
    title="The proxy in the environment variables does not work",
    cause="HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names a proxy that does not exist, refuses the request, or "
    "requires a password.",
    remedy="Correct the variable, or list the host in NO_PROXY.",
    finds=proxy_failed,
    doc="https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Status/407",
    is_of_machine=True,
    hides_all=True,
)


def certificate_untrusted(preflight: PreflightFacts) -> Iterator[Found]:
    """A server's certificate is not accepted."""
    failed = [hop for hop in preflight.hops if hop.failure is Failure.CERTIFICATE]
    if failed:
        hosts = dict.fromkeys(split_url(hop.url).netloc for hop in failed)
        yield Found(summary=f"{', '.join(hosts)}: {failed[0].failure_text}", evidence=numbers_of(*failed))


CERTIFICATE_UNTRUSTED = HopRule(
    id="certificate-untrusted",
    layer=Layer.NETWORK,
    owner=Party.CONFIGURATION,
    title="A certificate is not accepted",
    cause="The certificate is self-signed, expired, issued for another name, or issued by an authority that this "
    "machine does not trust, such as that of a proxy that inspects TLS. A browser shows a warning instead "
    "of the page.",
    remedy="Install a certificate of a public authority. For your own authority, set SSL_CERT_FILE to its file.",
    finds=certificate_untrusted,
    hides_all=True,
)


def hop_slow(preflight: PreflightFacts) -> Iterator[Found]:
    """A hop was answered slowly."""
    slow = [hop for hop in preflight.hops if hop.is_answered and hop.total_ms > SLOW_MS]
    if slow:
        told = ", ".join(f"{hop.name} {hop.total_ms / 1000:.1f} s" for hop in slow)
        yield Found(summary=told, evidence=numbers_of(*slow))


HOP_SLOW = HopRule(
    id="hop-slow",
    layer=Layer.NETWORK,
    owner=Party.NETWORK,
    title="A response was slow",
    cause="The server was starting, the network is slow, or the server is overloaded.",
    remedy="Compare with the other hops and with earlier runs. If only one hop is slow, its server is the cause.",
    finds=hop_slow,
    is_fatal=False,
)


def page_unreachable(preflight: PreflightFacts) -> Iterator[Found]:
    """The page's server cannot be reached."""
    for hop in preflight.of(HopKind.PAGE):
        if hop.failure in UNREACHED:
            yield Found(summary=f"{hop.url} failed with {failure_told(hop)}", evidence=numbers_of(hop))


PAGE_UNREACHABLE = HopRule(
    id="page-unreachable",
    layer=Layer.PAGE,
    owner=Party.APP,
    title="The page's server cannot be reached",
    cause="The server is not running, its name cannot be resolved, or a firewall blocks the connection.",
    remedy="Compare base_url with the address of the deployed app, and check that the app is running.",
    finds=page_unreachable,
    hides=("session-unreachable", "custom-backend-unreachable"),
)


def page_unanswered(preflight: PreflightFacts) -> Iterator[Found]:
    """The page's server accepts the request and does not answer."""
    for hop in preflight.of(HopKind.PAGE):
        if hop.failure is Failure.SLOW_ANSWER:
            yield Found(summary=f"{hop.url} {waited(hop)}", evidence=numbers_of(hop))


PAGE_UNANSWERED = HopRule(
    id="page-unanswered",
    layer=Layer.PAGE,
    owner=Party.APP,
    title="The page's server does not answer",
    cause="The server accepts connections and hangs: an overload, a deadlock, or a database that is not available.",
    remedy="Read the server's log at the time of the request.",
    finds=page_unanswered,
    hides=("session-unanswered",),
)


def session_open_to_anyone(preflight: PreflightFacts) -> Iterator[Found]:
    """The app returns a secret to a request without an authorization."""
    for hop in preflight.of(HopKind.APP_SESSION):
        if hop.is_protected and hop.is_good and hop.secret_key:
            yield Found(
                summary=f"{hop.method} {hop.url} without an authorization answered {hop.status} with a client secret",
                evidence=numbers_of(hop),
            )


SESSION_OPEN_TO_ANYONE = HopRule(
    id="session-open-to-anyone",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="The session endpoint accepts requests without an authorization",
    cause="An authorization is configured for the endpoint, but the endpoint also returns a secret without it. "
    "Everyone who knows the address can chat at your expense.",
    remedy="Answer such requests with 401. If the endpoint is intended to be open, remove session_token from the "
    "configuration.",
    finds=session_open_to_anyone,
    is_fatal=False,
)


def session_guard_broken(preflight: PreflightFacts) -> Iterator[Found]:
    """The app answers a request without an authorization with an unexpected status."""
    for hop in preflight.of(HopKind.APP_SESSION):
        if hop.is_protected and hop.is_answered and not hop.is_good and hop.status not in (400, 401, 403, 419, 422):
            if 300 <= hop.status < 400 or hop.status == 429:
                continue
            yield Found(
                summary=f"{hop.method} {hop.url} without an authorization answered {hop.status} instead of the "
                "expected 401",
                evidence=numbers_of(hop),
            )


SESSION_GUARD_BROKEN = HopRule(
    id="session-guard-broken",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="The session endpoint does not answer 401 to a request without an authorization",
    cause="A request without an authorization gets another error than 401. Probably the code fails before it "
    "checks the authorization.",
    remedy="Check the authorization first, and answer 401.",
    finds=session_guard_broken,
    is_fatal=False,
    doc=f"{MDN}HTTP/Reference/Status/401",
)


def backend_answers_otherwise(preflight: PreflightFacts) -> Iterator[Found]:
    """The chat backend answers with a success status and without a list of threads."""
    for hop in preflight.of(HopKind.BACKEND):
        if hop.is_good and not hop.is_list and hop.media_type != "text/html":
            yield Found(
                summary=f"threads.list: {hop.url} answered {hop.status} with {hop.media_type or 'no media type'}, "
                "without a list in `data`",
                evidence=numbers_of(hop),
            )


BACKEND_ANSWERS_OTHERWISE = HopRule(
    id="backend-answers-otherwise",
    layer=Layer.BACKEND,
    owner=Party.APP,
    title="The chat backend's response does not have ChatKit's format",
    cause="The server at backend_url answers, but not with the JSON that ChatKit expects for threads.list.",
    remedy="Pass the request's body to ChatKitServer.process, and return its result unchanged.",
    finds=backend_answers_otherwise,
)


HOP_RULES = (
    NETWORK_MISSING,
    PROXY_FAILED,
    CERTIFICATE_UNTRUSTED,
    HOP_SLOW,
    PAGE_UNREACHABLE,
    PAGE_UNANSWERED,
    *api_hops.RULES,
    SESSION_OPEN_TO_ANYONE,
    SESSION_GUARD_BROKEN,
    BACKEND_ANSWERS_OTHERWISE,
)
HOP_RULES_BY_ID = {rule.id: rule for rule in HOP_RULES}

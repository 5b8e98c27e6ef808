"""The delivery of the loader: what blocks it, and what is delivered instead.

In: facts. Out: findings of the script's layer. They apply only when the element was never defined.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.facts.facts import Facts, evidence_of, is_loader_candidate, is_same_target
from harness.analysis.mount.verdict import Outcome
from harness.analysis.rules.network import (
    INTEGRITY,
    Obstacle,
    is_challenge,
    is_isolated,
    is_page,
    mentions,
    network_confidence,
    obstacle_of,
    says_challenge,
)
from harness.analysis.rules.rule import (
    CHATKIT_JS,
    LOAD_IT,
    MDN,
    Confidence,
    Found,
    Layer,
    Party,
    Rule,
    lines_of,
    on_one_line,
    told,
)
from harness.model.chatkit import LOADER_URL


def loader_challenged(facts: Facts) -> Iterator[Found]:
    """Bot protection answered instead of the CDN."""
    loader = facts.failed_loader
    if loader is not None and is_challenge(loader):
        yield Found(
            summary=f"{told(loader)}: a challenge page of the CDN's bot protection",
            evidence=evidence_of(loader),
            confidence=None if says_challenge(loader) else Confidence.LIKELY,
        )


LOADER_CHALLENGED = Rule(
    id="loader-challenged",
    layer=Layer.SCRIPT,
    owner=Party.CDN,
    title="The CDN answers with a bot challenge instead of the loader",
    cause="Bot protection in front of the CDN does not trust the browser or its IP address. Headless browsers, "
    "data centres and VPNs are affected most. The environment is the cause, not the app.",
    remedy="Use another network or a full browser; report it to OpenAI with the ray id of the response.",
    finds=loader_challenged,
    covers=("script-cloudflare-challenge-403",),
)


def loader_at_wrong_address(facts: Facts) -> Iterator[Found]:
    """The page requests a ChatKit script from an address that does not have it."""
    loader = facts.failed_loader
    if loader is None or _is_on_cdn(loader.url):
        return
    nothing_there = (Obstacle.UNREACHABLE, Obstacle.HERMETIC, Obstacle.NO_SCRIPT)
    is_refused, obstacle = loader.status in (404, 410), obstacle_of(facts, loader)
    if is_refused or obstacle in nothing_there:
        kept = "; this run is hermetic, so the request was not sent" if obstacle is Obstacle.HERMETIC else ""
        yield Found(
            summary=f"{told(loader)}{kept}; the loader's only official address is {LOADER_URL}",
            evidence=evidence_of(loader),
            confidence=None if is_refused else Confidence.LIKELY,  # it may be a mirror that is down or unreachable
        )


LOADER_AT_WRONG_ADDRESS = Rule(
    id="loader-at-wrong-address",
    layer=Layer.SCRIPT,
    owner=Party.APP,
    title="The page requests ChatKit from a wrong address",
    cause="The address is invented, copied from old documentation, or refers to a copy that is not served.",
    remedy=LOAD_IT,
    finds=loader_at_wrong_address,
    covers=("script-wrong-url",),
    doc=CHATKIT_JS,
)


def loader_refused(facts: Facts) -> Iterator[Found]:
    """The loader's own address answers with an error."""
    loader = facts.failed_loader
    if loader is None or loader.status < 400 or is_challenge(loader):
        return
    if loader.status in (404, 410) and not _is_on_cdn(loader.url):
        return
    yield Found(summary=told(loader), evidence=evidence_of(loader))


LOADER_REFUSED = Rule(
    id="loader-refused",
    layer=Layer.SCRIPT,
    owner=Party.CDN,
    title="The request for the loader is answered with an error",
    cause="The server answered the request for the loader with an error. If the address is the CDN's own, there "
    "is an outage, or a proxy on the path answers.",
    remedy="Open the address in a browser on the same network; try another network; check OpenAI's status page.",
    finds=loader_refused,
)


def loader_unreachable(facts: Facts) -> Iterator[Found]:
    """The network between the browser and the CDN does not deliver the loader."""
    loader = facts.failed_loader
    if loader is not None and _is_on_cdn(loader.url) and obstacle_of(facts, loader) is Obstacle.UNREACHABLE:
        yield Found(summary=told(loader), evidence=evidence_of(loader), confidence=network_confidence(loader))


LOADER_UNREACHABLE = Rule(
    id="loader-unreachable",
    layer=Layer.SCRIPT,
    owner=Party.CDN,
    title="The loader cannot be fetched from the CDN",
    cause="DNS, a firewall, a proxy or a broken connection between this browser and the CDN.",
    remedy="Allow cdn.platform.openai.com, *.api.openai.com and sentinel.openai.com on this network.",
    finds=loader_unreachable,
    covers=("script-network-blocked",),
)


def loader_blocked_by_client(facts: Facts) -> Iterator[Found]:
    """The browser itself blocks the loader."""
    loader = facts.failed_loader
    if loader is not None and obstacle_of(facts, loader) is Obstacle.CLIENT:
        yield Found(summary=told(loader), evidence=evidence_of(loader))


LOADER_BLOCKED_BY_CLIENT = Rule(
    id="loader-blocked-by-client",
    layer=Layer.SCRIPT,
    owner=Party.NETWORK,
    title="The browser blocks the loader",
    cause="An extension, an ad blocker or a rule of the browser blocked the request (net::ERR_BLOCKED_BY_CLIENT). "
    "The request was never sent.",
    remedy="Exempt cdn.platform.openai.com from the blocker on this site.",
    finds=loader_blocked_by_client,
    covers=("policy-adblock",),
)


def loader_blocked_by_csp(facts: Facts) -> Iterator[Found]:
    """The page's Content-Security-Policy does not allow the loader."""
    if facts.is_defined:
        return
    sources = [
        *[x.url for x in facts.loaders],
        *[s.event.src for s in facts.scripts if is_loader_candidate(s.event.src)],
    ]
    hits = [
        s for s in facts.violations
        if s.event.directive.startswith(("script-src", "default-src"))
        and any(is_same_target(s.event.blocked_url, src) for src in sources)
    ]  # fmt: skip
    loader = facts.failed_loader
    if hits and not any(200 <= x.status < 400 and not x.failure for x in facts.loaders):
        yield Found(
            summary=f"{hits[0].event.directive} of the page's Content-Security-Policy does not allow {hits[0].event.blocked_url}",
            evidence=(*lines_of(hits), *(evidence_of(loader) if loader else ())),
        )
    elif loader is not None and obstacle_of(facts, loader) is Obstacle.CSP:
        yield Found(summary=f"the page's Content-Security-Policy blocked {loader.url}", evidence=evidence_of(loader))


LOADER_BLOCKED_BY_CSP = Rule(
    id="loader-blocked-by-csp",
    layer=Layer.SCRIPT,
    owner=Party.APP,
    title="The page's Content-Security-Policy blocks the loader",
    cause="script-src (or default-src, when script-src is missing) does not list the CDN, so the browser blocks "
    "the request.",
    remedy="Add https://cdn.platform.openai.com to script-src; frame-src needs it too.",
    finds=loader_blocked_by_csp,
    covers=("policy-csp-script-src",),
    doc=f"{MDN}HTTP/Reference/Headers/Content-Security-Policy/script-src",
)


def loader_blocked_by_coep(facts: Facts) -> Iterator[Found]:
    """The page sends Cross-Origin-Embedder-Policy, and the loader does not opt in."""
    loader = facts.failed_loader
    if loader is not None and obstacle_of(facts, loader) is Obstacle.RESPONSE:
        policy = facts.page.header("cross-origin-embedder-policy")
        yield Found(
            summary=f"{told(loader)}" + (f"; the page sends Cross-Origin-Embedder-Policy: {policy}" if policy else ""),
            evidence=(facts.page.seq, *evidence_of(loader)) if policy else evidence_of(loader),
            confidence=None if is_isolated(policy, loader) else Confidence.LIKELY,
        )


LOADER_BLOCKED_BY_COEP = Rule(
    id="loader-blocked-by-coep",
    layer=Layer.SCRIPT,
    owner=Party.APP,
    title="The page's isolation headers block the loader",
    cause="With Cross-Origin-Embedder-Policy, every resource of another origin must opt in with CORS or a "
    "Cross-Origin-Resource-Policy header.",
    remedy="Remove the header on this page, or try the value credentialless.",
    finds=loader_blocked_by_coep,
    covers=("policy-coep-host",),
    doc=f"{MDN}HTTP/Reference/Headers/Cross-Origin-Embedder-Policy",
)


def loader_blocked_by_cors(facts: Facts) -> Iterator[Found]:
    """The tag requests the loader with CORS, and the response has no CORS headers for the page."""
    loader = facts.failed_loader
    if loader is not None and obstacle_of(facts, loader) is Obstacle.CORS:
        yield Found(
            summary=f"{told(loader)}: the response does not allow the page's origin",
            evidence=(*evidence_of(loader), *lines_of(mentions(facts, loader)[:2])),
        )


LOADER_BLOCKED_BY_CORS = Rule(
    id="loader-blocked-by-cors",
    layer=Layer.SCRIPT,
    owner=Party.APP,
    title="The script tag requests the loader with CORS, and the server does not allow it",
    cause='The attributes crossorigin, integrity and type="module" make it a CORS request. If the response has no '
    "CORS headers, the browser discards the script.",
    remedy=LOAD_IT,
    finds=loader_blocked_by_cors,
    doc=f"{MDN}HTML/Reference/Attributes/crossorigin",
)


def loader_over_plain_http(facts: Facts) -> Iterator[Found]:
    """An https page requests the loader over http."""
    if facts.is_defined:
        return
    sources = {x.url for x in facts.loaders} | {s.event.src for s in facts.scripts}
    insecure = [url for url in sources if url.startswith("http://") and is_loader_candidate(url)]
    if insecure and facts.page.url.startswith("https://"):
        hits = facts.console_about("Mixed Content", insecure[0])
        failed = [x for x in facts.loaders if x.failure and x.url in insecure]
        if hits or failed:
            yield Found(
                summary=f"an https page may not run {insecure[0]}",
                evidence=(*lines_of(hits), *(seq for x in failed for seq in evidence_of(x))),
                confidence=None if hits else Confidence.LIKELY,
            )


LOADER_OVER_PLAIN_HTTP = Rule(
    id="loader-over-plain-http",
    layer=Layer.SCRIPT,
    owner=Party.APP,
    title="An https page requests the loader over plain http",
    cause="Browsers do not run http scripts on https pages.",
    remedy=LOAD_IT,
    finds=loader_over_plain_http,
    doc=f"{MDN}Security/Mixed_content",
)


def loader_integrity_mismatch(facts: Facts) -> Iterator[Found]:
    """The script tag has an integrity hash that does not match the loader."""
    hits = facts.console_about("integrity", pattern=INTEGRITY)
    if hits and not facts.is_defined:
        yield Found(summary=on_one_line(hits[0].event.text), evidence=lines_of(hits))


LOADER_INTEGRITY_MISMATCH = Rule(
    id="loader-integrity-mismatch",
    layer=Layer.SCRIPT,
    owner=Party.APP,
    title="The loader does not match the hash on its script tag",
    cause="The loader's address has no version and its content changes without notice, so a fixed integrity hash "
    "stops matching.",
    remedy="Remove the integrity attribute from the tag.",
    finds=loader_integrity_mismatch,
    doc=f"{MDN}Security/Subresource_Integrity",
)


def loader_answered_by_page(facts: Facts) -> Iterator[Found]:
    """The file that was delivered under the loader's name is not a script."""
    arrived = [x for x in facts.loaders if 200 <= x.status < 300 and not x.failure]
    loader = facts.failed_loader
    if facts.is_settled and not facts.is_defined and arrived and is_page(arrived[-1]):
        yield Found(
            summary=f"{arrived[-1].url} answered {arrived[-1].status} with text/html, a web page instead of the script",
            evidence=evidence_of(arrived[-1]),
        )
    elif loader is not None and obstacle_of(facts, loader) is Obstacle.NO_SCRIPT and _is_on_cdn(loader.url):
        yield Found(
            summary=f"{told(loader)}: a web page or another response that is not a script", evidence=evidence_of(loader)
        )


LOADER_ANSWERED_BY_PAGE = Rule(
    id="loader-answered-by-page",
    layer=Layer.SCRIPT,
    owner=Party.CDN,
    title="The response to the loader's request is not a script",
    cause="A web page was delivered instead of the file: a bot challenge (headless browsers, data centres and "
    "VPNs are affected most), an error page, a sign-in page of the network, or a single-page fallback. "
    "Browsers hide such a response and its status from the page.",
    remedy="Open the address in a browser on the same network to see the page; try another network, or a full browser.",
    finds=loader_answered_by_page,
    covers=("script-wrong-url", "script-cloudflare-challenge-403", "script-network-blocked"),
)


def loader_never_arrives(facts: Facts) -> Iterator[Found]:
    """The loader was requested, and no response arrives."""
    is_waiting = facts.outcome is Outcome.TIMEOUT and not facts.is_defined
    if is_waiting and facts.loaders and facts.loaders[-1].is_open:
        loader = facts.loaders[-1]
        waited_ms = facts.decided_at_ms - loader.started_at_ms
        yield Found(
            summary=f"{loader.request.method} {loader.url} has not received a complete response for "
            f"{waited_ms / 1000:.1f} s",
            evidence=evidence_of(loader),
        )


LOADER_NEVER_ARRIVES = Rule(
    id="loader-never-arrives",
    layer=Layer.SCRIPT,
    owner=Party.CDN,
    title="The request for the loader is not answered",
    cause="The connection stays open without a response: a proxy, a firewall that drops packets, or a very slow "
    "network.",
    remedy="Try another network; allow cdn.platform.openai.com in the firewall.",
    finds=loader_never_arrives,
    covers=("script-network-blocked",),
)


def _is_on_cdn(url: str) -> bool:
    """Whether an address is the loader's own."""
    return url.split("?")[0] == LOADER_URL


RULES = (
    LOADER_CHALLENGED,
    LOADER_AT_WRONG_ADDRESS,
    LOADER_REFUSED,
    LOADER_UNREACHABLE,
    LOADER_BLOCKED_BY_CLIENT,
    LOADER_BLOCKED_BY_CSP,
    LOADER_BLOCKED_BY_COEP,
    LOADER_BLOCKED_BY_CORS,
    LOADER_OVER_PLAIN_HTTP,
    LOADER_INTEGRITY_MISMATCH,
    LOADER_ANSWERED_BY_PAGE,
    LOADER_NEVER_ARRIVES,
)

"""Why a request failed, derived from what the browser reports.

In: facts and an exchange. Out: one obstacle. The rules of all layers that use the network share this module.
"""

from __future__ import annotations

import re
from enum import Enum

from harness.analysis.facts.exchanges import Exchange, split_url
from harness.analysis.facts.facts import Facts, Seen
from harness.analysis.rules.rule import Confidence
from harness.model.addresses import server_of
from harness.model.events import ConsoleMessage

CHALLENGE = re.compile(
    r"just a moment|checking your browser|cf-chl|challenge-platform|attention required", re.IGNORECASE
)
LOCAL_NETWORK = re.compile(
    r"local.network|private.network|loopback. address space|`(loopback|local|private)`", re.IGNORECASE
)

# What Chromium (with and without CORS) and Firefox report when a script does not match its integrity hash.
INTEGRITY = r"chatkit[^/]*\.js.*(digest|integrity cannot be enforced|CORS enabled)|(digest|hash).*chatkit[^/]*\.js"
# What browsers report when they hide the cause: a policy, CORS, a filter, a broken connection.
UNTELLING = ("net::ERR_FAILED", "NS_ERROR_FAILURE", "NS_ERROR_NET_PARTIAL_TRANSFER", "NS_ERROR_ABORT", "failed")
# Firefox's words for a frame whose headers forbid embedding it, and Chromium's and Firefox's for headers that forbid a use.
NO_EMBEDDING = ("NS_ERROR_XFO_VIOLATION", "NS_ERROR_CSP_FRAME_ANCESTOR_VIOLATION")
NO_USE = ("BLOCKED_BY_RESPONSE", "NS_ERROR_DOM_COEP_FAILED", "NS_ERROR_DOM_CORP_FAILED", *NO_EMBEDDING)


class Obstacle(Enum):
    """Why a request failed."""

    NONE = "answered"
    ABORTED = "the page aborted it"
    HERMETIC = "this hermetic run does not let it leave this machine"
    CLIENT = "an extension or a rule in the browser"
    CSP = "the page's Content-Security-Policy"
    CORS = "the response does not allow the page's origin"
    OPAQUE = "the page's origin is opaque: its own server is another origin to it"
    MIXED = "plain http from an https page"
    LOCAL_NETWORK = "the browser protects the local network"
    NO_SCRIPT = "the response is not a script"
    RESPONSE = "the headers of the response forbid this use"
    UNREACHABLE = "the network"


def obstacle_of(facts: Facts, exchange: Exchange) -> Obstacle:
    """Return why a request failed."""
    text = exchange.failure
    if not text or exchange.status >= 400:
        return Obstacle.NONE
    if exchange.is_aborted:
        return Obstacle.ABORTED
    if facts.is_kept_here(exchange):
        return Obstacle.HERMETIC
    if "BLOCKED_BY_CLIENT" in text:
        return Obstacle.CLIENT
    if text == "csp" or "BLOCKED_BY_CSP" in text or facts.violations_of(exchange, ("",)):
        return Obstacle.CSP
    if text == "mixed-content" or mentions(facts, exchange, "Mixed Content"):
        return Obstacle.MIXED
    if "LOCAL_NETWORK_ACCESS" in text or "PRIVATE_NETWORK_ACCESS" in text or _is_local_network(facts, exchange):
        return Obstacle.LOCAL_NETWORK
    if mentions(facts, exchange, "blocked by CORS policy") or mentions(facts, exchange, "Cross-Origin Request Blocked"):
        is_own = server_of(exchange.url) == server_of(facts.page.url)
        return Obstacle.OPAQUE if is_own and facts.page.origin == "null" else Obstacle.CORS
    if "BLOCKED_BY_ORB" in text:
        return Obstacle.NO_SCRIPT
    if any(word in text for word in NO_USE) or text.startswith(("coep", "corp", "coop")):
        return Obstacle.RESPONSE
    return Obstacle.UNREACHABLE


def network_confidence(exchange: Exchange) -> Confidence | None:
    """Return the confidence that the network failed: lower than the rule's when the browser does not report the cause."""
    return Confidence.LIKELY if exchange.failure in UNTELLING else None


def route_confidence(exchange: Exchange) -> Confidence | None:
    """Return the confidence that the endpoint does not exist: an app may pass on the 404 of another server."""
    is_plain = exchange.status in (405, 501) or is_page(exchange)
    return None if is_plain else Confidence.LIKELY


def mentions(facts: Facts, exchange: Exchange, *needles: str) -> tuple[Seen[ConsoleMessage], ...]:
    """Return the console lines with these words about a request's address."""
    bare = exchange.url.split("?")[0]
    return tuple(
        s for s in facts.console_about(*needles) if bare in s.event.text or _host_and_path(bare) in s.event.text
    )


def _host_and_path(url: str) -> str:
    parts = split_url(url)
    return f"{parts.netloc}{parts.path}" if parts.path not in ("", "/") else url


def _is_local_network(facts: Facts, exchange: Exchange) -> bool:
    return any(LOCAL_NETWORK.search(s.event.text) for s in mentions(facts, exchange))


def is_challenge(exchange: Exchange) -> bool:
    """Whether an answer is a page of bot protection rather than what was asked for."""
    if exchange.status not in (403, 429, 503):
        return False
    return says_challenge(exchange) or (exchange.status == 403 and is_page(exchange))


def says_challenge(exchange: Exchange) -> bool:
    """Whether a response says that it is a challenge."""
    return "cf-mitigated" in exchange.headers or CHALLENGE.search(exchange.error_text) is not None


def is_isolated(policy: str, exchange: Exchange) -> bool:
    """Whether the page's embedder policy blocks a response, and not the response's own policy."""
    # A resource whose own policy forbids other origins is blocked as NotSameOrigin, whatever the page's policy is.
    return policy.startswith(("require-corp", "credentialless")) and not exchange.failure.endswith(
        ("NotSameOrigin", "NotSameSite")
    )


def is_page(exchange: Exchange) -> bool:
    """Whether the response is declared as a web page."""
    return exchange.media_type == "text/html"

"""Requests for a client secret that get no response from the app's session endpoint.

In: facts. Out: findings of the session's layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import inf

from harness.analysis.facts.exchanges import is_telemetry
from harness.analysis.facts.facts import SOUNDS_LIKE_IT, Facts, SessionCall, is_loader_candidate
from harness.analysis.mount.verdict import Outcome
from harness.analysis.rules.network import Obstacle, mentions, network_confidence, obstacle_of
from harness.analysis.rules.rule import (
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


def _failed(facts: Facts, obstacle: Obstacle) -> Iterator[Found]:
    """The page's last request for a secret failed for the reason in the title."""
    call = facts.failed_session
    if call is not None and obstacle_of(facts, call.exchange) is obstacle:
        if obstacle is Obstacle.UNREACHABLE and call.exchange.status:
            return  # it was reached
        said = mentions(facts, call.exchange)
        hits = facts.violations_of(call.exchange, ("",)) if obstacle is Obstacle.CSP else ()
        yield Found(
            summary=told(call.exchange) + (f": {on_one_line(said[0].event.text, 160)}" if said else ""),
            evidence=(*call.evidence, *lines_of(hits), *lines_of(said[:2])),
            confidence=_confidence(call, obstacle),
        )


SESSION_UNREACHABLE = Rule(
    id="session-unreachable",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="The session endpoint cannot be reached",
    cause="The backend is not running, or the scheme or port is wrong.",
    remedy="Start the backend, and compare the address with the one that the backend listens on.",
    finds=partial(_failed, obstacle=Obstacle.UNREACHABLE),
    covers=("session-app-no-response",),
)

SESSION_BLOCKED_BY_CORS = Rule(
    id="session-blocked-by-cors",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="The session endpoint does not allow the page's origin",
    cause="The endpoint is on another origin and its response has no CORS headers for the page's origin. "
    "getClientSecret runs in the page.",
    remedy="Allow the page's origin, and credentials if the request uses them. Or serve the endpoint from the "
    "page's origin.",
    finds=partial(_failed, obstacle=Obstacle.CORS),
    covers=("session-app-cors",),
    doc=f"{MDN}HTTP/Guides/CORS",
)

SESSION_OVER_PLAIN_HTTP = Rule(
    id="session-over-plain-http",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="An https page requests its secret over plain http",
    cause="Browsers block requests from https pages to http addresses.",
    remedy="Serve the endpoint over https, or from the page's own origin.",
    finds=partial(_failed, obstacle=Obstacle.MIXED),
    doc=f"{MDN}Security/Mixed_content",
)

SESSION_BLOCKED_BY_CLIENT = Rule(
    id="session-blocked-by-client",
    layer=Layer.SESSION,
    owner=Party.NETWORK,
    title="The browser blocks the session endpoint",
    cause="An extension, an ad blocker or a rule of the browser blocks the request.",
    remedy="Exempt the site from the blocker, or rename the endpoint if a block list matches it.",
    finds=partial(_failed, obstacle=Obstacle.CLIENT),
    covers=("policy-adblock",),
)

SESSION_BLOCKED_FOR_LOCAL_NETWORK = Rule(
    id="session-blocked-for-local-network",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="The browser blocks requests to an endpoint on the local network",
    cause="A public page needs the permission local-network-access to reach this machine or its network.",
    remedy="Serve the page and the endpoint from the same host, or grant the permission.",
    finds=partial(_failed, obstacle=Obstacle.LOCAL_NETWORK),
)

SESSION_KEPT_ON_MACHINE = Rule(
    id="session-kept-on-machine",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="The session endpoint is not on this machine, and this run is hermetic",
    cause="A hermetic run answers requests to OpenAI's hosts itself and blocks all other requests that would "
    "leave this machine.",
    remedy='Use network = "live" for this project, or point the page to a backend on this machine.',
    finds=partial(_failed, obstacle=Obstacle.HERMETIC),
)


def _confidence(call: SessionCall, obstacle: Obstacle) -> Confidence | None:
    if not call.is_named:
        return Confidence.LIKELY
    return network_confidence(call.exchange) if obstacle is Obstacle.UNREACHABLE else None


def session_answer_broken(facts: Facts) -> Iterator[Found]:
    """The response began, and the connection was closed."""
    call = facts.failed_session
    if call is not None and call.exchange.failure and 200 <= call.exchange.status < 300:
        yield Found(
            summary=told(call.exchange),
            evidence=call.evidence,
            confidence=None if call.is_named else Confidence.LIKELY,
        )


SESSION_ANSWER_BROKEN = Rule(
    id="session-answer-broken",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="The session endpoint's response is incomplete",
    cause="The backend, or a proxy in front of it, closed the connection before the end: a crash, a timeout, or a "
    "wrong content-length.",
    remedy="Check the server's log and the proxy's timeouts.",
    finds=session_answer_broken,
    covers=("session-app-no-response",),
)


def session_given_up(facts: Facts) -> Iterator[Found]:
    """The page aborted its own request for a secret before the response."""
    if facts.outcome is None or facts.is_custom or facts.real_secret_seq or not facts.sessions:
        return
    last = facts.sessions[-1].exchange
    if any(call.has_secret for call in facts.sessions) or not last.is_aborted or last.response is not None:
        return
    rejected = [h.answered_seq for h in facts.handovers if h.error]
    yield Found(
        summary=f"{last.request.method} {last.url} was aborted by the page after {last.took_ms / 1000:.1f} s, "
        "before it was answered",
        evidence=(*facts.sessions[-1].evidence, *rejected[-1:]),
        confidence=None if facts.sessions[-1].is_named or rejected else Confidence.POSSIBLE,
    )


SESSION_GIVEN_UP = Rule(
    id="session-given-up",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="The page aborts its own request for a secret",
    cause="An AbortController aborted the request: the backend was slower than the app's own timeout, or the "
    "clean-up of an effect that runs twice (React's StrictMode) or of a replaced component aborted it. The "
    "page did not send the request again.",
    remedy="Send the request again after the clean-up, or fetch outside of the effect. Use a longer timeout.",
    finds=session_given_up,
    confidence=Confidence.LIKELY,
)


def session_blocked_by_csp(facts: Facts) -> Iterator[Found]:
    """The page's policy does not allow the session endpoint."""
    found = tuple(_failed(facts, Obstacle.CSP))
    yield from found
    if found or facts.is_custom or facts.real_secret_seq or any(call.has_secret for call in facts.sessions):
        return
    # A request that the policy blocks never reaches the network; the violation is its only trace.
    hits = [s for s in facts.violations if s.event.directive.startswith(("connect-src", "default-src"))]
    hits = [
        s for s in hits if not is_telemetry(s.event.blocked_url) and s.event.blocked_url not in facts.mount.backend_urls
    ]
    named = [s for s in hits if facts.names_session(s.event.blocked_url)]
    asked_seq = min((h.asked_seq for h in facts.handovers if h.error), default=inf)
    likely = [s for s in hits if s.seq > asked_seq or _sounds_like_it(s.event.blocked_url)]
    if named or likely:
        first = (named or likely)[0]
        yield Found(
            summary=f"{first.event.directive} of the page's Content-Security-Policy does not allow {first.event.blocked_url}",
            evidence=lines_of((named or likely)[:4]),
            confidence=None if named else Confidence.LIKELY,
        )


SESSION_BLOCKED_BY_CSP = Rule(
    id="session-blocked-by-csp",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="The page's Content-Security-Policy blocks the session endpoint",
    cause="connect-src does not list the endpoint's origin.",
    remedy="Add the origin to connect-src. Do not add api.openai.com: the frame makes those calls.",
    finds=session_blocked_by_csp,
    covers=("policy-csp-connect-src",),
    doc=f"{MDN}HTTP/Reference/Headers/Content-Security-Policy/connect-src",
)


def _sounds_like_it(url: str) -> bool:
    return SOUNDS_LIKE_IT.search(url) is not None and not is_loader_candidate(url)


def session_unanswered(facts: Facts) -> Iterator[Found]:
    """The endpoint received the request and did not answer."""
    open_calls = [call for call in facts.sessions if call.exchange.is_open]
    if facts.is_custom or facts.real_secret_seq or not open_calls:
        return
    if any(call.has_secret for call in facts.sessions):
        return
    exchange = open_calls[-1].exchange
    waited_ms = facts.decided_at_ms - exchange.started_at_ms
    if facts.outcome is Outcome.TIMEOUT:
        yield Found(
            summary=f"{exchange.request.method} {exchange.url} has had no answer for {waited_ms / 1000:.1f} s",
            evidence=open_calls[-1].evidence,
            confidence=None if open_calls[-1].is_named else Confidence.LIKELY,
        )


SESSION_UNANSWERED = Rule(
    id="session-unanswered",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="The session endpoint does not answer",
    cause="The backend hangs, usually in its own call to OpenAI, and no timeout is set.",
    remedy="Set a timeout for the backend's call and for the page's fetch, and reject when it is reached.",
    finds=session_unanswered,
    covers=("session-secret-never-resolves", "session-app-no-response"),
)


RULES = (
    SESSION_UNREACHABLE,
    SESSION_ANSWER_BROKEN,
    SESSION_BLOCKED_BY_CORS,
    SESSION_BLOCKED_BY_CSP,
    SESSION_OVER_PLAIN_HTTP,
    SESSION_BLOCKED_BY_CLIENT,
    SESSION_BLOCKED_FOR_LOCAL_NETWORK,
    SESSION_KEPT_ON_MACHINE,
    SESSION_GIVEN_UP,
    SESSION_UNANSWERED,
)

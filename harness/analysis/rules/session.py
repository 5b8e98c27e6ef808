"""The app's session endpoint, and the secret on its way into the frame.

In: facts. Out: findings of this layer. What OpenAI's own API says through the endpoint is `upstream`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from harness.analysis.exchanges import is_telemetry, split_url
from harness.analysis.facts import Facts, SessionCall
from harness.analysis.rules.network import Obstacle, mentions, obstacle_of
from harness.analysis.rules.rule import (
    CHATKIT_GUIDE,
    MDN,
    Confidence,
    Found,
    Layer,
    Rule,
    lines_of,
    on_one_line,
    told,
)
from harness.analysis.rules.upstream import is_upstream_text
from harness.analysis.verdict import Outcome

UNNAMED = re.compile(r"/(undefined|null|NaN)(/|$)|[?&](user|user_?id|uid)=(undefined|null)?(&|$)", re.IGNORECASE)
CSRF = re.compile(r"csrf|xsrf|cross.site request forgery|nonce (is )?(invalid|expired)|invalid nonce", re.IGNORECASE)
NO_KEY = re.compile(
    r"openai_api_key|(missing|no|unset)[^.]{0,20}api key|api key (is )?(missing|not (set|configured))", re.IGNORECASE
)
NO_WORKFLOW = re.compile(
    r"(missing|no|unset|invalid) workflow|workflow_?id[^.]{0,20}(missing|not set|required)", re.IGNORECASE
)
OLD_SDK = re.compile(
    r"(attribute|property)[^.]{0,20}chatkit|chatkit[^.]{0,30}(is not a function|undefined)|reading '(chatkit|sessions|beta)'",
    re.IGNORECASE,
)
SIGNATURE = r"Invalid client secret format|Unsupported token version|getClientSecret\(\)"
NOT_CONFIGURED = r"getClientSecret is not configured"


def _refused(facts: Facts, matches: Callable[[SessionCall], bool]) -> Iterator[Found]:
    """The page's last request for a secret, when it was refused in this way and in no way that OpenAI's API has."""
    call = facts.failed_session
    if (
        call is None
        or (call.exchange.failure and call.exchange.status < 400)
        or is_upstream_text(call.error_text)
        or not matches(call)
    ):
        return
    yield Found(
        summary=told(call.exchange),
        evidence=call.evidence,
        confidence=None if call.is_named else Confidence.LIKELY,
    )


def session_for_nobody(facts: Facts) -> Iterator[Found]:
    """The request names no user."""
    yield from _refused(facts, _names_nobody)


def session_unauthorized(facts: Facts) -> Iterator[Found]:
    """The app's own sign-in refuses the caller."""
    yield from _refused(facts, lambda call: call.exchange.status == 401 and not _names_nobody(call))


def session_refused_by_csrf(facts: Facts) -> Iterator[Found]:
    """The framework wants a token against forged requests."""
    yield from _refused(facts, lambda call: call.exchange.status in (400, 403, 419) and _is_csrf(call))


def session_forbidden(facts: Facts) -> Iterator[Found]:
    """The app knows the caller and says no."""
    yield from _refused(
        facts, lambda call: call.exchange.status == 403 and not _is_csrf(call) and not _names_nobody(call)
    )


def session_route_missing(facts: Facts) -> Iterator[Found]:
    """There is no such endpoint, or it does not take this method."""
    yield from _refused(
        facts,
        lambda call: (
            call.exchange.status in (404, 405, 410, 501)
            and not _names_nobody(call)
            and not NO_WORKFLOW.search(call.error_text)
        ),
    )


def session_answered_by_page(facts: Facts) -> Iterator[Found]:
    """A web page answers in place of the endpoint."""
    yield from _refused(facts, lambda call: _is_good_status(call) and _media_type(call) == "text/html")


def session_without_secret(facts: Facts) -> Iterator[Found]:
    """The endpoint says that all is well, and sends no secret."""
    for found in _refused(facts, lambda call: _is_good_status(call) and _media_type(call) != "text/html"):
        yield Found(
            summary=f"{found.summary}, without a client secret in it",
            evidence=found.evidence,
            confidence=found.confidence,
        )


def api_key_missing_in_app(facts: Facts) -> Iterator[Found]:
    """The app's server has no API key."""
    yield from _refused(facts, lambda call: call.exchange.status >= 400 and NO_KEY.search(call.error_text) is not None)


def workflow_missing_in_app(facts: Facts) -> Iterator[Found]:
    """The app's server does not know which workflow to use."""
    yield from _refused(
        facts, lambda call: call.exchange.status >= 400 and NO_WORKFLOW.search(call.error_text) is not None
    )


def server_sdk_too_old(facts: Facts) -> Iterator[Found]:
    """The server's OpenAI library does not know ChatKit."""
    yield from _refused(facts, lambda call: call.exchange.status >= 500 and OLD_SDK.search(call.error_text) is not None)


def session_gateway_failed(facts: Facts) -> Iterator[Found]:
    """The app, or what stands before it, got no answer from behind."""
    yield from _refused(facts, lambda call: call.exchange.status in (502, 503, 504) and not _has_name(call))


def session_server_error(facts: Facts) -> Iterator[Found]:
    """The endpoint fails."""
    yield from _refused(
        facts,
        lambda call: (
            call.exchange.status >= 500 and call.exchange.status not in (501, 502, 503, 504) and not _has_name(call)
        ),
    )


def session_rate_limited(facts: Facts) -> Iterator[Found]:
    """The endpoint has had enough of this caller."""
    yield from _refused(facts, lambda call: call.exchange.status == 429)


def session_request_invalid(facts: Facts) -> Iterator[Found]:
    """The endpoint does not understand the request."""
    known = (401, 403, 404, 405, 410, 429)
    yield from _refused(
        facts,
        lambda call: (
            400 <= call.exchange.status < 500
            and call.exchange.status not in known
            and not (_has_name(call) or _names_nobody(call) or _is_csrf(call))
        ),
    )


def session_redirected(facts: Facts) -> Iterator[Found]:
    """The request for a secret was sent elsewhere."""
    if facts.outcome is None or facts.real_secret_seq or any(call.has_secret for call in facts.sessions):
        return
    moved = [call for call in facts.sessions if 300 <= call.exchange.status < 400 and call.exchange.status != 304]
    if moved and facts.sessions[-1] is moved[-1]:
        to = next((v for name, v in _headers(moved[-1]) if name.lower() == "location"), "")
        after = [
            x.seq
            for x in facts.exchanges
            if x.seq > moved[-1].exchange.seq and to and x.url.endswith(split_url(to).path or to)
        ]
        yield Found(
            summary=f"{told(moved[-1].exchange)}" + (f" and led to {to}" if to else ""),
            evidence=(*moved[-1].evidence, *after[:1]),
        )


def _failed(facts: Facts, obstacle: Obstacle) -> Iterator[Found]:
    call = facts.failed_session
    if call is not None and call.exchange.failure and obstacle_of(facts, call.exchange) is obstacle:
        if obstacle is Obstacle.UNREACHABLE and call.exchange.status:
            return  # it was reached
        said = mentions(facts, call.exchange)
        hits = facts.violations_of(call.exchange, ("",)) if obstacle is Obstacle.CSP else ()
        yield Found(
            summary=told(call.exchange) + (f": {on_one_line(said[0].event.text, 160)}" if said else ""),
            evidence=(*call.evidence, *lines_of(hits), *lines_of(said[:2])),
            confidence=None if call.is_named else Confidence.LIKELY,
        )


def session_unreachable(facts: Facts) -> Iterator[Found]:
    """Nothing answers at the endpoint's address."""
    yield from _failed(facts, Obstacle.UNREACHABLE)


def session_answer_broken(facts: Facts) -> Iterator[Found]:
    """The endpoint began to answer, and the connection broke."""
    call = facts.failed_session
    is_begun = call is not None and call.exchange.failure != "" and 200 <= call.exchange.status < 300
    if call is not None and is_begun and not call.exchange.is_aborted:
        yield Found(summary=told(call.exchange), evidence=call.evidence)


def session_blocked_by_cors(facts: Facts) -> Iterator[Found]:
    """The endpoint is elsewhere and does not allow the page."""
    yield from _failed(facts, Obstacle.CORS)


def session_blocked_by_csp(facts: Facts) -> Iterator[Found]:
    """The page may not talk to its own endpoint."""
    found = tuple(_failed(facts, Obstacle.CSP))
    yield from found
    if found or facts.is_custom or facts.real_secret_seq or any(call.has_secret for call in facts.sessions):
        return
    # What policy forbids never gets to the network; all that is left of it is the violation.
    hits = [s for s in facts.violations if s.event.directive.startswith(("connect-src", "default-src"))]
    hits = [
        s for s in hits if not is_telemetry(s.event.blocked_url) and s.event.blocked_url not in facts.mount.backend_urls
    ]
    named = [s for s in hits if facts.names_session(s.event.blocked_url)]
    if hits and (named or not facts.is_configured or any(h.error for h in facts.handovers)):
        first = (named or hits)[0]
        yield Found(
            summary=f"{first.event.directive} of the page's Content-Security-Policy does not allow {first.event.blocked_url}",
            evidence=lines_of((named or hits)[:4]),
            confidence=None if named else Confidence.LIKELY,
        )


def session_over_plain_http(facts: Facts) -> Iterator[Found]:
    """A secure page asks for its secret over plain http."""
    yield from _failed(facts, Obstacle.MIXED)


def session_blocked_by_client(facts: Facts) -> Iterator[Found]:
    """Something in the browser keeps the request back."""
    yield from _failed(facts, Obstacle.CLIENT)


def session_blocked_for_local_network(facts: Facts) -> Iterator[Found]:
    """The browser guards this machine and its network against the page."""
    yield from _failed(facts, Obstacle.LOCAL_NETWORK)


def session_kept_on_machine(facts: Facts) -> Iterator[Found]:
    """The endpoint is outside, and this run stays inside."""
    yield from _failed(facts, Obstacle.HERMETIC)


def session_unanswered(facts: Facts) -> Iterator[Found]:
    """The endpoint has the request, and says nothing."""
    open_calls = [call for call in facts.sessions if call.exchange.is_open and not call.exchange.failure]
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


def _names_nobody(call: SessionCall) -> bool:
    return call.exchange.status in (400, 401, 403, 404, 422) and UNNAMED.search(call.exchange.url) is not None


def _is_csrf(call: SessionCall) -> bool:
    return CSRF.search(call.error_text) is not None


def _has_name(call: SessionCall) -> bool:
    return any(pattern.search(call.error_text) for pattern in (NO_KEY, NO_WORKFLOW, OLD_SDK))


def _is_good_status(call: SessionCall) -> bool:
    return 200 <= call.exchange.status < 300


def _media_type(call: SessionCall) -> str:
    return call.exchange.response.media_type if call.exchange.response else ""


def _headers(call: SessionCall) -> tuple[tuple[str, str], ...]:
    return call.exchange.response.headers if call.exchange.response else ()


RULES = (
    Rule(
        id="session-for-nobody",
        layer=Layer.SESSION,
        title="The session is asked for before the user is known",
        cause="getClientSecret runs as soon as the frame boots, with a user id that is still empty.",
        remedy="Render the widget once the user is known, or read the id inside the function.",
        finds=session_for_nobody,
        confidence=Confidence.LIKELY,
        covers=("session-app-race-empty-user",),
    ),
    Rule(
        id="session-unauthorized",
        layer=Layer.SESSION,
        title="The app's session endpoint does not accept the caller",
        cause="The app's own authentication answers 401: nobody is signed in, the session has expired, or cookie or token was not sent.",
        remedy="Sign in before the widget is rendered; send credentials: 'include', or the bearer token, with the request.",
        finds=session_unauthorized,
        covers=("session-app-401",),
    ),
    Rule(
        id="session-refused-by-csrf",
        layer=Layer.SESSION,
        title="The session endpoint wants a token against forged requests",
        cause="The framework's CSRF protection refuses a POST without its token; a cached page carries an old one.",
        remedy="Send the token with the request, or exempt the endpoint; keep the page out of full-page caches.",
        finds=session_refused_by_csrf,
        covers=("session-app-csrf",),
    ),
    Rule(
        id="session-forbidden",
        layer=Layer.SESSION,
        title="The app forbids this caller a session",
        cause="The app knows who asks and refuses: a missing role, a nonce or CSRF check without words, a firewall before the app.",
        remedy="Look at the answer's body and at what stands before the app; try with a user who may.",
        finds=session_forbidden,
        covers=("session-app-csrf",),
    ),
    Rule(
        id="session-route-missing",
        layer=Layer.SESSION,
        title="The session endpoint is not where the page looks for it",
        cause="A wrong path, a missing trailing slash, GET in place of POST, or a route that is not deployed.",
        remedy="Call the deployed route, with the method that it takes.",
        finds=session_route_missing,
        covers=("session-app-wrong-route",),
    ),
    Rule(
        id="session-answered-by-page",
        layer=Layer.SESSION,
        title="The session endpoint answers with a web page",
        cause="A single-page fallback, a sign-in page or an error page in place of the JSON that the app expects.",
        remedy="Check path and method; make the API route come before the fallback.",
        finds=session_answered_by_page,
        covers=("session-app-wrong-route",),
    ),
    Rule(
        id="session-without-secret",
        layer=Layer.SESSION,
        title="The session endpoint answers without a secret",
        cause="The answer is a success in which the secret is missing, null, or under a name that the page does not read; often an "
        "upstream error that was passed on with status 200.",
        remedy="Return the upstream's client_secret as a plain string, and pass its status codes on.",
        finds=session_without_secret,
        covers=("session-app-no-client-secret",),
        doc=CHATKIT_GUIDE,
    ),
    Rule(
        id="api-key-missing-in-app",
        layer=Layer.SESSION,
        title="The app's server has no API key",
        cause="OPENAI_API_KEY is not set where the server runs.",
        remedy="Set it there and restart or deploy again.",
        finds=api_key_missing_in_app,
        covers=("session-app-500-missing-key",),
    ),
    Rule(
        id="workflow-missing-in-app",
        layer=Layer.SESSION,
        title="The app's server has no workflow id",
        cause="The workflow's id is neither in the request nor in the server's environment.",
        remedy="Set the variable where the server runs, or send the id.",
        finds=workflow_missing_in_app,
        covers=("session-app-500-missing-key", "app-workflow-env-missing"),
    ),
    Rule(
        id="server-sdk-too-old",
        layer=Layer.SESSION,
        title="The server's OpenAI library does not know ChatKit",
        cause="An old version, or a call outside of the beta namespace.",
        remedy="Upgrade the library and call client.beta.chatkit.sessions.create, or the REST endpoint.",
        finds=server_sdk_too_old,
        covers=("session-server-sdk-missing",),
    ),
    Rule(
        id="session-gateway-failed",
        layer=Layer.SESSION,
        title="Nothing behind the session endpoint answers",
        cause="502, 503 and 504 come from what stands before a server that is down, overloaded or unable to reach OpenAI.",
        remedy="Look at the server's log; check that it runs and can reach api.openai.com.",
        finds=session_gateway_failed,
        covers=("session-app-no-response", "openai-sessions-5xx"),
    ),
    Rule(
        id="session-server-error",
        layer=Layer.SESSION,
        title="The session endpoint fails",
        cause="An exception in the app's own code, or configuration that is missing on the server.",
        remedy="Look at the server's log at this moment; make the endpoint pass on what OpenAI answers.",
        finds=session_server_error,
        covers=("session-app-500-missing-key", "session-server-sdk-missing"),
    ),
    Rule(
        id="session-rate-limited",
        layer=Layer.SESSION,
        title="The session endpoint refuses for too many requests",
        cause="A limit of the app, of what stands before it, or of the API key.",
        remedy="Make fewer sessions: one for a user, kept until it expires. Raise the limit for tests.",
        finds=session_rate_limited,
    ),
    Rule(
        id="session-request-invalid",
        layer=Layer.SESSION,
        title="The session endpoint does not accept the request",
        cause="The request lacks something that the endpoint wants, or has another shape.",
        remedy="Compare the request's body with what the endpoint expects; its answer says more.",
        finds=session_request_invalid,
    ),
    Rule(
        id="session-redirected",
        layer=Layer.SESSION,
        title="The request for a secret is sent elsewhere",
        cause="A redirect, most often to a sign-in page or to another spelling of the address; a POST becomes a GET on its way.",
        remedy="Answer an API call with 401 instead of a redirect; call the final address.",
        finds=session_redirected,
        confidence=Confidence.LIKELY,
        covers=("session-app-401", "session-app-wrong-route"),
    ),
    Rule(
        id="session-unreachable",
        layer=Layer.SESSION,
        title="The session endpoint cannot be reached",
        cause="The backend is not running, or scheme or port are wrong.",
        remedy="Start the backend; compare the address with the one that it listens on.",
        finds=session_unreachable,
        covers=("session-app-no-response",),
    ),
    Rule(
        id="session-answer-broken",
        layer=Layer.SESSION,
        title="The session endpoint's answer breaks off",
        cause="The backend, or a proxy before it, closed the connection in the middle: a crash, a time limit, a wrong content-length.",
        remedy="Look at the server's log and at the proxy's time limits.",
        finds=session_answer_broken,
        covers=("session-app-no-response",),
    ),
    Rule(
        id="session-blocked-by-cors",
        layer=Layer.SESSION,
        title="The session endpoint does not allow the page's origin",
        cause="The endpoint is on another origin and answers without CORS headers for this one. getClientSecret runs in the page.",
        remedy="Allow the page's origin, and credentials if they are used; or serve the endpoint from the same origin.",
        finds=session_blocked_by_cors,
        covers=("session-app-cors",),
        doc=f"{MDN}HTTP/Guides/CORS",
    ),
    Rule(
        id="session-blocked-by-csp",
        layer=Layer.SESSION,
        title="The page's Content-Security-Policy blocks the session endpoint",
        cause="connect-src does not name the endpoint's origin.",
        remedy="Add it. api.openai.com is not needed there: the frame makes those calls.",
        finds=session_blocked_by_csp,
        covers=("policy-csp-connect-src",),
        doc=f"{MDN}HTTP/Reference/Headers/Content-Security-Policy/connect-src",
    ),
    Rule(
        id="session-over-plain-http",
        layer=Layer.SESSION,
        title="A secure page asks for its secret over plain http",
        cause="Browsers do not send requests of https pages to http addresses.",
        remedy="Serve the endpoint over https, or from the page's own origin.",
        finds=session_over_plain_http,
        doc=f"{MDN}Security/Mixed_content",
    ),
    Rule(
        id="session-blocked-by-client",
        layer=Layer.SESSION,
        title="The browser blocks the session endpoint",
        cause="An extension, an ad blocker or a rule inside the browser.",
        remedy="Exempt the site from the blocker; rename the endpoint if lists name it.",
        finds=session_blocked_by_client,
        covers=("policy-adblock",),
    ),
    Rule(
        id="session-blocked-for-local-network",
        layer=Layer.SESSION,
        title="The browser keeps the page from an endpoint on the local network",
        cause="A public page may reach this machine or its network only with the permission local-network-access.",
        remedy="Serve page and endpoint from the same place, or grant the permission.",
        finds=session_blocked_for_local_network,
    ),
    Rule(
        id="session-kept-on-machine",
        layer=Layer.SESSION,
        title="The session endpoint is outside, and this run is hermetic",
        cause="A hermetic run answers OpenAI's hosts itself and lets nothing else leave this machine.",
        remedy='Use network = "live" for this project, or point the page to a backend on this machine.',
        finds=session_kept_on_machine,
    ),
    Rule(
        id="session-unanswered",
        layer=Layer.SESSION,
        title="The session endpoint does not answer",
        cause="The backend hangs, mostly in its own call to OpenAI, and nobody set a time limit.",
        remedy="Give the backend's call and the page's fetch a time limit, and reject when it is over.",
        finds=session_unanswered,
        covers=("session-secret-never-resolves", "session-app-no-response"),
    ),
)

"""The app's session endpoint: how it refuses a request for a client secret.

In: facts. Out: findings of this layer. Errors of OpenAI's API that the endpoint passes on are found in `upstream`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from harness.analysis.facts.exchanges import split_url
from harness.analysis.facts.facts import Facts, SessionCall
from harness.analysis.rules.network import is_page, route_confidence
from harness.analysis.rules.rule import (
    CHATKIT_GUIDE,
    Confidence,
    Found,
    Layer,
    Party,
    Rule,
    told,
)
from harness.analysis.rules.upstream import is_upstream_text

UNNAMED = re.compile(r"/(undefined|null|NaN)(/|$)|[?&](user|user_?id|uid)=(undefined|null)?(&|$)", re.IGNORECASE)
CSRF = re.compile(r"csrf|xsrf|cross.site request forgery|nonce (is )?(invalid|expired)|invalid nonce", re.IGNORECASE)
NO_KEY = re.compile(
    r"openai_api_key|(missing|no|unset)[^.]{0,20}api key|api key (is )?(missing|not (set|configured))", re.IGNORECASE
)
NO_OPENAI_KEY = re.compile(
    r"(missing|no|unset|without)[^.]{0,20}openai_api_key"
    r"|openai_api_key[^.]{0,30}(missing|not (set|configured|found|defined)|required|unset)",
    re.IGNORECASE,
)
CREDENTIALS = re.compile(
    r"\b(sign(ed)?|log(ged)?)[ -]?in\b|token|\bjwt\b|cookie|credential|authenticat|session (has )?expired|bearer",
    re.IGNORECASE,
)
NO_WORKFLOW = re.compile(
    r"(missing|no|unset|invalid) workflow|workflow_?id[^.]{0,20}(missing|not set|required)", re.IGNORECASE
)
OLD_SDK = re.compile(
    r"(attribute|property)[^.]{0,20}chatkit|chatkit[^.]{0,30}(is not a function|undefined)|reading '(chatkit|sessions|beta)'",
    re.IGNORECASE,
)


def _refused(
    facts: Facts, matches: Callable[[SessionCall], bool], is_proof: Callable[[SessionCall], bool] = lambda _: True
) -> Iterator[Found]:
    """The page's last request for a secret, when the app itself refused it in this way.

    `is_proof`: whether the response proves it. An app can pass on the status of OpenAI's response without its message.
    """
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
        confidence=None if call.is_named and is_proof(call) else Confidence.LIKELY,
    )


def session_for_nobody(facts: Facts) -> Iterator[Found]:
    """The request has no user."""
    yield from _refused(facts, _names_nobody)


SESSION_FOR_NOBODY = Rule(
    id="session-for-nobody",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="The page requests a session before the user is known",
    cause="getClientSecret runs as soon as the frame starts, and the user id is still empty.",
    remedy="Render the widget when the user is known, or read the id inside getClientSecret.",
    finds=session_for_nobody,
    confidence=Confidence.LIKELY,
    covers=("session-app-race-empty-user",),
)


def session_unauthorized(facts: Facts) -> Iterator[Found]:
    """The app's own authentication rejects the request."""
    yield from _refused(
        facts, lambda call: call.exchange.status == 401 and not _names_nobody(call), _asks_for_credentials
    )


SESSION_UNAUTHORIZED = Rule(
    id="session-unauthorized",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="The app's session endpoint rejects the user",
    cause="The app's own authentication answers 401: no user is signed in, the session has expired, or the cookie "
    "or token was not sent.",
    remedy="Sign in before the widget is rendered. Send credentials: 'include', or the bearer token, with the request.",
    finds=session_unauthorized,
    covers=("session-app-401",),
)


def session_refused_by_csrf(facts: Facts) -> Iterator[Found]:
    """The framework requires a CSRF token."""
    yield from _refused(facts, lambda call: call.exchange.status in (400, 403, 419) and _is_csrf(call))


SESSION_REFUSED_BY_CSRF = Rule(
    id="session-refused-by-csrf",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="The session endpoint requires a CSRF token",
    cause="The framework's CSRF protection rejects a POST without a valid token. A cached page has an old token.",
    remedy="Send the token with the request, or exempt the endpoint. Do not put the page into a full-page cache.",
    finds=session_refused_by_csrf,
    covers=("session-app-csrf",),
)


def session_forbidden(facts: Facts) -> Iterator[Found]:
    """The app answers 403."""
    yield from _refused(
        facts, lambda call: call.exchange.status == 403 and not _is_csrf(call) and not _names_nobody(call)
    )


SESSION_FORBIDDEN = Rule(
    id="session-forbidden",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="The app does not allow this user a session",
    cause="The app knows the user and answers 403: a missing role, a nonce or CSRF check without a message, or a "
    "firewall in front of the app.",
    remedy="Read the body of the response, check the firewall or proxy in front of the app, and try with a user "
    "who has the role.",
    finds=session_forbidden,
    confidence=Confidence.LIKELY,
    covers=("session-app-csrf",),
)


def session_route_missing(facts: Facts) -> Iterator[Found]:
    """The endpoint does not exist, or it does not accept this method."""
    yield from _refused(
        facts,
        lambda call: (
            call.exchange.status in (404, 405, 410, 501)
            and not _names_nobody(call)
            and not NO_WORKFLOW.search(call.error_text)
        ),
        lambda call: route_confidence(call.exchange) is None,
    )


SESSION_ROUTE_MISSING = Rule(
    id="session-route-missing",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="The session endpoint is not at the address that the page requests",
    cause="The path is wrong, a trailing slash is missing, the method is GET instead of POST, or the route is not "
    "deployed.",
    remedy="Call the deployed route with the method that it accepts.",
    finds=session_route_missing,
    covers=("session-app-wrong-route",),
)


def session_answered_by_page(facts: Facts) -> Iterator[Found]:
    """A web page is delivered instead of the endpoint's JSON."""
    yield from _refused(facts, lambda call: _is_good_status(call) and is_page(call.exchange))


SESSION_ANSWERED_BY_PAGE = Rule(
    id="session-answered-by-page",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="The session endpoint answers with a web page",
    cause="A single-page fallback, a sign-in page or an error page is delivered instead of the JSON that the app "
    "expects.",
    remedy="Check the path and the method; register the API route before the fallback.",
    finds=session_answered_by_page,
    covers=("session-app-wrong-route",),
)


def session_without_secret(facts: Facts) -> Iterator[Found]:
    """The endpoint answers with a success status and without a secret."""
    for found in _refused(facts, lambda call: _is_good_status(call) and not is_page(call.exchange)):
        yield Found(
            summary=f"{found.summary}, without a client secret in it",
            evidence=found.evidence,
            confidence=found.confidence,
        )


SESSION_WITHOUT_SECRET = Rule(
    id="session-without-secret",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="The session endpoint answers without a secret",
    cause="The response has a success status, but the secret is missing, null, or under a name that the page does "
    "not read. Often an error of OpenAI was passed on with status 200.",
    remedy="Return OpenAI's client_secret as a plain string, and pass on OpenAI's status codes.",
    finds=session_without_secret,
    covers=("session-app-no-client-secret",),
    doc=CHATKIT_GUIDE,
)


def api_key_missing_in_app(facts: Facts) -> Iterator[Found]:
    """The app's server has no API key."""
    yield from _refused(
        facts,
        lambda call: call.exchange.status >= 400 and NO_KEY.search(call.error_text) is not None,
        lambda call: NO_OPENAI_KEY.search(call.error_text) is not None,
    )


API_KEY_MISSING_IN_APP = Rule(
    id="api-key-missing-in-app",
    layer=Layer.SESSION,
    owner=Party.CONFIGURATION,
    title="The app's server has no API key",
    cause="OPENAI_API_KEY is not set in the server's environment.",
    remedy="Set it there, then restart or redeploy the server.",
    finds=api_key_missing_in_app,
    covers=("session-app-500-missing-key",),
)


def workflow_missing_in_app(facts: Facts) -> Iterator[Found]:
    """The app's server has no workflow id."""
    yield from _refused(
        facts, lambda call: call.exchange.status >= 400 and NO_WORKFLOW.search(call.error_text) is not None
    )


WORKFLOW_MISSING_IN_APP = Rule(
    id="workflow-missing-in-app",
    layer=Layer.SESSION,
    owner=Party.CONFIGURATION,
    title="The app's server has no workflow id",
    cause="The workflow id is neither in the request nor in the server's environment.",
    remedy="Set the variable in the server's environment, or send the id with the request.",
    finds=workflow_missing_in_app,
    confidence=Confidence.LIKELY,
    covers=("session-app-500-missing-key", "app-workflow-env-missing"),
)


def server_sdk_too_old(facts: Facts) -> Iterator[Found]:
    """The server's OpenAI library does not know ChatKit."""
    yield from _refused(facts, lambda call: call.exchange.status >= 500 and OLD_SDK.search(call.error_text) is not None)


SERVER_SDK_TOO_OLD = Rule(
    id="server-sdk-too-old",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="The server's OpenAI library does not know ChatKit",
    cause="The version is old, or the call is not in the beta namespace.",
    remedy="Upgrade the library and call client.beta.chatkit.sessions.create, or the REST endpoint.",
    finds=server_sdk_too_old,
    confidence=Confidence.LIKELY,
    covers=("session-server-sdk-missing",),
)


def session_gateway_failed(facts: Facts) -> Iterator[Found]:
    """The endpoint answers 502, 503 or 504."""
    yield from _refused(facts, lambda call: call.exchange.status in (502, 503, 504) and not _has_name(call))


SESSION_GATEWAY_FAILED = Rule(
    id="session-gateway-failed",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="The proxy gets no answer from the session endpoint's server",
    cause="502, 503 and 504 come from a proxy or load balancer. The server behind it is down, overloaded or "
    "cannot reach OpenAI.",
    remedy="Read the server's log; check that the server runs and can reach api.openai.com.",
    finds=session_gateway_failed,
    confidence=Confidence.LIKELY,
    covers=("session-app-no-response", "openai-sessions-5xx"),
)


def session_server_error(facts: Facts) -> Iterator[Found]:
    """The endpoint answers with a server error."""
    yield from _refused(
        facts,
        lambda call: (
            call.exchange.status >= 500 and call.exchange.status not in (501, 502, 503, 504) and not _has_name(call)
        ),
    )


SESSION_SERVER_ERROR = Rule(
    id="session-server-error",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="The session endpoint has an internal error",
    cause="An exception in the app's own code, missing configuration on the server, or an error of OpenAI that "
    "the app passes on without its message.",
    remedy="Read the server's log at the time of the request; make the endpoint pass on OpenAI's response.",
    finds=session_server_error,
    covers=("session-app-500-missing-key", "session-server-sdk-missing"),
)


def session_rate_limited(facts: Facts) -> Iterator[Found]:
    """The endpoint answers 429."""
    yield from _refused(facts, lambda call: call.exchange.status == 429)


SESSION_RATE_LIMITED = Rule(
    id="session-rate-limited",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="The session endpoint rejects the request because of a rate limit",
    cause="The limit is the app's own, or that of a proxy, or that of the API key.",
    remedy="Create fewer sessions: one for each user, kept until it expires. Raise the limit for tests.",
    finds=session_rate_limited,
)


def session_request_invalid(facts: Facts) -> Iterator[Found]:
    """The endpoint answers with a client error."""
    known = (401, 403, 404, 405, 410, 429)
    yield from _refused(
        facts,
        lambda call: (
            400 <= call.exchange.status < 500
            and call.exchange.status not in known
            and not (_has_name(call) or _names_nobody(call) or _is_csrf(call))
        ),
    )


SESSION_REQUEST_INVALID = Rule(
    id="session-request-invalid",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="The session endpoint rejects the request as invalid",
    cause="The request lacks a value that the endpoint requires, or has the wrong shape.",
    remedy="Compare the request's body with what the endpoint expects, and read the response.",
    finds=session_request_invalid,
)


def session_redirected(facts: Facts) -> Iterator[Found]:
    """The request for a secret was redirected."""
    if facts.outcome is None or facts.real_secret_seq or any(call.has_secret for call in facts.sessions):
        return
    moved = [call for call in facts.sessions if 300 <= call.exchange.status < 400 and call.exchange.status != 304]
    if moved and facts.sessions[-1] is moved[-1]:
        to = moved[-1].exchange.headers.get("location", "")
        yield Found(
            summary=f"{told(moved[-1].exchange)}" + (f" and led to {to}" if to else ""),
            evidence=(*moved[-1].evidence, *_arrival(facts, moved[-1], to)),
        )


SESSION_REDIRECTED = Rule(
    id="session-redirected",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="The request for a secret is redirected",
    cause="The endpoint redirects, often to a sign-in page or to another spelling of the address. The redirect "
    "turns a POST into a GET.",
    remedy="Answer unauthenticated API calls with 401 instead of a redirect. Call the final address.",
    finds=session_redirected,
    confidence=Confidence.LIKELY,
    covers=("session-app-401", "session-app-wrong-route"),
)


def _arrival(facts: Facts, moved: SessionCall, to: str) -> tuple[int, ...]:
    """The line of the request that followed the redirect."""
    path = split_url(to).path or to
    after = [x.seq for x in facts.exchanges if to and x.seq > moved.exchange.seq and x.url.endswith(path)]
    return tuple(after[:1])


def _asks_for_credentials(call: SessionCall) -> bool:
    return "www-authenticate" in call.exchange.headers or CREDENTIALS.search(call.error_text) is not None


def _names_nobody(call: SessionCall) -> bool:
    return call.exchange.status in (400, 401, 403, 404, 422) and UNNAMED.search(call.exchange.url) is not None


def _is_csrf(call: SessionCall) -> bool:
    return CSRF.search(call.error_text) is not None


def _has_name(call: SessionCall) -> bool:
    return any(pattern.search(call.error_text) for pattern in (NO_KEY, NO_WORKFLOW, OLD_SDK))


def _is_good_status(call: SessionCall) -> bool:
    return 200 <= call.exchange.status < 300


RULES = (
    SESSION_FOR_NOBODY,
    SESSION_UNAUTHORIZED,
    SESSION_REFUSED_BY_CSRF,
    SESSION_FORBIDDEN,
    SESSION_ROUTE_MISSING,
    SESSION_ANSWERED_BY_PAGE,
    SESSION_WITHOUT_SECRET,
    API_KEY_MISSING_IN_APP,
    WORKFLOW_MISSING_IN_APP,
    SERVER_SDK_TOO_OLD,
    SESSION_GATEWAY_FAILED,
    SESSION_SERVER_ERROR,
    SESSION_RATE_LIMITED,
    SESSION_REQUEST_INVALID,
    SESSION_REDIRECTED,
)

"""The app's own chat backend: in custom mode, the page calls it for the frame.

In: facts. Out: findings of the backend's layer. A failed call that was repeated with success is not a finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from harness.analysis.facts.facts import Facts, evidence_of, is_same_target
from harness.analysis.rules.app import other_failures
from harness.analysis.rules.backend import NO_THREAD, answered, answered_by_page, call_rule, failed_call
from harness.analysis.rules.network import (
    Obstacle,
    mentions,
    network_confidence,
    obstacle_of,
    route_confidence,
)
from harness.analysis.rules.rule import (
    CHATKIT_JS,
    CHATKIT_PYTHON,
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

GIVEN_UP = re.compile(r"abort", re.IGNORECASE)  # by the frame, or by the user


def custom_backend_unauthorized(facts: Facts) -> Iterator[Found]:
    """The app's backend rejects the user."""
    # 403 has other reasons too: a CSRF token, a firewall, a role.
    yield from answered(
        facts,
        lambda x: x.status in (401, 403),
        hosted=False,
        confidence=lambda x: None if x.status == 401 else Confidence.LIKELY,
    )


CUSTOM_BACKEND_UNAUTHORIZED = call_rule(
    id="custom-backend-unauthorized",
    owner=Party.APP,
    title="The app's chat backend rejects the user",
    cause="The request has no valid cookie, header or token for the app's own authentication. ChatKit does not "
    "show this error.",
    remedy="Pass a fetch function in `api` that adds the credentials.",
    finds=custom_backend_unauthorized,
    covers=("custom-backend-401",),
    doc=CHATKIT_JS,
)


def custom_backend_not_found(facts: Facts) -> Iterator[Found]:
    """The server has no backend at api.url."""
    if not facts.errors_about(NO_THREAD):
        yield from answered(
            facts, lambda x: x.status in (404, 405, 410, 501), hosted=False, confidence=route_confidence
        )


CUSTOM_BACKEND_NOT_FOUND = call_rule(
    id="custom-backend-not-found",
    owner=Party.APP,
    title="There is no chat backend at api.url",
    cause="The path is wrong, the route is not registered, or the route does not accept POST.",
    remedy="Register the endpoint there, and test it with a real request such as "
    '{"type": "threads.list", "params": {}}.',
    finds=custom_backend_not_found,
    covers=("custom-backend-404-or-500",),
    doc=CHATKIT_PYTHON,
)


def custom_backend_refuses(facts: Facts) -> Iterator[Found]:
    """The app's backend answers with a client error."""
    known = (401, 403, 404, 405, 410)
    yield from answered(facts, lambda x: 400 <= x.status < 500 and x.status not in known, hosted=False)


CUSTOM_BACKEND_REFUSES = call_rule(
    id="custom-backend-refuses",
    owner=Party.APP,
    title="The app's chat backend refuses the call",
    cause="The endpoint does not accept ChatKit's requests, or it refuses this one.",
    remedy="Pass the request's body unchanged to the ChatKit server library.",
    finds=custom_backend_refuses,
    doc=CHATKIT_PYTHON,
)


def custom_backend_failing(facts: Facts) -> Iterator[Found]:
    """The app's backend answers with a server error."""
    yield from answered(facts, lambda x: x.status >= 500 and x.status != 501, hosted=False)


CUSTOM_BACKEND_FAILING = call_rule(
    id="custom-backend-failing",
    owner=Party.APP,
    title="The app's chat backend has an internal error",
    cause="The endpoint or its store threw an exception: a method does not have the arguments that the library "
    "passes, or the database is not available.",
    remedy="Read the server's log at the time of the request.",
    finds=custom_backend_failing,
    covers=("custom-backend-404-or-500", "conversation-5xx-or-not-sse"),
    doc=CHATKIT_PYTHON,
)


def _blocked(facts: Facts, obstacles: tuple[Obstacle, ...]) -> Iterator[Found]:
    """The last call to the chat backend failed for the reason in the title."""
    call = failed_call(facts, hosted=False)
    if call is not None and obstacle_of(facts, call) in obstacles:
        said = mentions(facts, call)
        hits = facts.violations_of(call, ("",))
        yield Found(
            summary=told(call) + (f": {on_one_line(said[0].event.text, 160)}" if said else ""),
            evidence=(*evidence_of(call), *lines_of(hits[:2]), *lines_of(said[:2])),
            confidence=network_confidence(call) if obstacle_of(facts, call) is Obstacle.UNREACHABLE else None,
        )


CUSTOM_BACKEND_BLOCKED_BY_CORS = call_rule(
    id="custom-backend-blocked-by-cors",
    owner=Party.APP,
    title="The app's chat backend does not allow the page's origin",
    cause="In custom mode the page itself sends the calls. They have headers of ChatKit that the CORS "
    "configuration must allow.",
    remedy="Allow the page's origin, POST and OPTIONS, and the headers content-type, accept-language and chatkit-frame-instance-id.",
    finds=partial(_blocked, obstacles=(Obstacle.CORS,)),
    covers=("custom-backend-cors",),
    doc=f"{MDN}HTTP/Guides/CORS",
)

CUSTOM_BACKEND_OVER_PLAIN_HTTP = call_rule(
    id="custom-backend-over-plain-http",
    owner=Party.APP,
    title="An https page calls its chat backend over plain http",
    cause="Browsers block requests from https pages to http addresses. The domain check is then skipped too, "
    "which hides the problem.",
    remedy="Serve the backend over https.",
    finds=partial(_blocked, obstacles=(Obstacle.MIXED,)),
    covers=("custom-backend-mixed-content",),
    doc=f"{MDN}Security/Mixed_content",
)

CUSTOM_BACKEND_BLOCKED_BY_BROWSER = call_rule(
    id="custom-backend-blocked-by-browser",
    owner=Party.APP,
    title="The browser blocks requests to the chat backend",
    cause="A blocker, or the browser's protection of the local network against public pages.",
    remedy="Exempt the site from the blocker, or serve the page and the backend from the same host.",
    finds=partial(_blocked, obstacles=(Obstacle.LOCAL_NETWORK, Obstacle.CLIENT)),
    covers=("policy-adblock",),
)

CUSTOM_BACKEND_UNREACHABLE = call_rule(
    id="custom-backend-unreachable",
    owner=Party.APP,
    title="The app's chat backend cannot be reached",
    cause="The backend is not running, or the scheme, host or port of api.url is wrong.",
    remedy="Start the backend, and compare api.url with the address that it listens on.",
    finds=partial(_blocked, obstacles=(Obstacle.UNREACHABLE, Obstacle.RESPONSE)),
    covers=("custom-backend-404-or-500",),
)

CUSTOM_BACKEND_KEPT_ON_MACHINE = call_rule(
    id="custom-backend-kept-on-machine",
    owner=Party.APP,
    title="The app's chat backend is not on this machine, and this run is hermetic",
    cause="A hermetic run answers requests to OpenAI's hosts itself and blocks all other requests that would "
    "leave this machine.",
    remedy='Use network = "live" for this project, or point api.url to a backend on this machine.',
    finds=partial(_blocked, obstacles=(Obstacle.HERMETIC,)),
)


def custom_backend_blocked_by_csp(facts: Facts) -> Iterator[Found]:
    """The page's policy does not allow the chat backend."""
    found = tuple(_blocked(facts, (Obstacle.CSP,)))
    yield from found
    # A request that the policy blocks never reaches the network; the violation is its only trace.
    urls = facts.mount.backend_urls
    hits = [
        s for s in facts.violations
        if s.event.directive.startswith(("connect-src", "default-src"))
        and any(is_same_target(s.event.blocked_url, url) for url in urls)
    ]  # fmt: skip
    if hits and not found and not any(200 <= x.status < 300 for x in facts.calls):
        yield Found(
            summary=f"{hits[0].event.directive} of the page's Content-Security-Policy does not allow {hits[0].event.blocked_url}",
            evidence=lines_of(hits[:4]),
        )


CUSTOM_BACKEND_BLOCKED_BY_CSP = call_rule(
    id="custom-backend-blocked-by-csp",
    owner=Party.APP,
    title="The page's Content-Security-Policy blocks its chat backend",
    cause="In custom mode the page itself sends the calls, and connect-src does not list the origin of api.url.",
    remedy="Add the origin to connect-src.",
    finds=custom_backend_blocked_by_csp,
    covers=("policy-csp-connect-src",),
    doc=f"{MDN}HTTP/Reference/Headers/Content-Security-Policy/connect-src",
)


def custom_backend_answers_page(facts: Facts) -> Iterator[Found]:
    """A web page answers at api.url."""
    yield from answered_by_page(facts, hosted=False)


CUSTOM_BACKEND_ANSWERS_PAGE = Rule(
    id="custom-backend-answers-page",
    layer=Layer.BACKEND,
    owner=Party.APP,
    title="A web page is delivered instead of the chat backend's response",
    cause="A single-page fallback or a sign-in page answers at api.url. ChatKit treats it as an empty response: "
    "it shows no history and no reply.",
    remedy="Register the endpoint there, before the fallback.",
    finds=custom_backend_answers_page,
    stops_mount=False,
    covers=("custom-backend-404-or-500", "conversation-5xx-or-not-sse"),
    doc=CHATKIT_PYTHON,
)


def custom_fetch_without_answer(facts: Facts) -> Iterator[Found]:
    """The page's own `api.fetch` returns no response to the frame, and no failed request explains it."""
    last = facts.frame_calls[-1] if facts.frame_calls else None
    stopped = [
        s for s in facts.violations
        if s.event.directive.startswith(("connect-src", "default-src"))
        and any(is_same_target(s.event.blocked_url, url) for url in facts.mount.backend_urls)
    ]  # fmt: skip
    if last is None or facts.outcome is None or facts.failed_call is not None or stopped or GIVEN_UP.search(last.error):
        return
    if last.error:
        said, lines = other_failures(facts)
        yield Found(
            summary="the page reported to the frame that its call failed with "
            f"{on_one_line(last.error, 160)!r}{said or '; no request failed'}",
            evidence=(last.asked_seq, last.answered_seq, *lines),
        )


CUSTOM_FETCH_WITHOUT_ANSWER = call_rule(
    id="custom-fetch-without-answer",
    owner=Party.APP,
    title="The page's own api.fetch returns no response",
    cause="In custom mode the page sends the calls for the frame. It uses the option `api.fetch` when it is set. "
    "This function throws, or returns nothing.",
    remedy="Always return the Response of fetch from api.fetch, and pass on the method, headers and body.",
    finds=custom_fetch_without_answer,
    confidence=Confidence.LIKELY,
    doc=CHATKIT_JS,
)


RULES = (
    CUSTOM_BACKEND_UNAUTHORIZED,
    CUSTOM_BACKEND_NOT_FOUND,
    CUSTOM_BACKEND_ANSWERS_PAGE,
    CUSTOM_BACKEND_REFUSES,
    CUSTOM_BACKEND_FAILING,
    CUSTOM_BACKEND_BLOCKED_BY_CORS,
    CUSTOM_BACKEND_OVER_PLAIN_HTTP,
    CUSTOM_BACKEND_BLOCKED_BY_CSP,
    CUSTOM_BACKEND_BLOCKED_BY_BROWSER,
    CUSTOM_BACKEND_UNREACHABLE,
    CUSTOM_BACKEND_KEPT_ON_MACHINE,
    CUSTOM_FETCH_WITHOUT_ANSWER,
)

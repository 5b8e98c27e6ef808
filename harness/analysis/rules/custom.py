"""The app's own chat backend: the calls that the page makes for the frame in custom mode.

In: facts. Out: findings of the backend's layer. Calls that failed and were repeated with success are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from harness.analysis.facts.facts import Facts, evidence_of, is_same_target
from harness.analysis.rules.app import besides
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

GIVEN_UP = re.compile(r"abort", re.IGNORECASE)  # by the frame, or by the person


def custom_backend_unauthorized(facts: Facts) -> Iterator[Found]:
    """The app's backend does not accept the caller."""
    # 403 has other reasons, too: a token against forged requests, a firewall, a role.
    yield from answered(
        facts,
        lambda x: x.status in (401, 403),
        hosted=False,
        confidence=lambda x: None if x.status == 401 else Confidence.LIKELY,
    )


CUSTOM_BACKEND_UNAUTHORIZED = call_rule(
    id="custom-backend-unauthorized",
    owner=Party.APP,
    title="The app's chat backend does not accept the caller",
    cause="Its own authentication misses a cookie, a header or a token. ChatKit shows nothing of it.",
    remedy="Pass a fetch function in `api` that adds the credentials.",
    finds=custom_backend_unauthorized,
    covers=("custom-backend-401",),
    doc=CHATKIT_JS,
)


def custom_backend_not_found(facts: Facts) -> Iterator[Found]:
    """There is no backend at api.url."""
    if not facts.errors_about(NO_THREAD):
        yield from answered(
            facts, lambda x: x.status in (404, 405, 410, 501), hosted=False, confidence=route_confidence
        )


CUSTOM_BACKEND_NOT_FOUND = call_rule(
    id="custom-backend-not-found",
    owner=Party.APP,
    title="There is no chat backend at api.url",
    cause="A wrong path, a route that is not mounted, or one that does not take POST.",
    remedy='Mount the endpoint there; test it with a real request such as {"type": "threads.list", "params": {}}.',
    finds=custom_backend_not_found,
    covers=("custom-backend-404-or-500",),
    doc=CHATKIT_PYTHON,
)


def custom_backend_refuses(facts: Facts) -> Iterator[Found]:
    """The app's backend does not understand the call."""
    known = (401, 403, 404, 405, 410)
    yield from answered(facts, lambda x: 400 <= x.status < 500 and x.status not in known, hosted=False)


CUSTOM_BACKEND_REFUSES = call_rule(
    id="custom-backend-refuses",
    owner=Party.APP,
    title="The app's chat backend refuses the call",
    cause="The endpoint does not understand ChatKit's requests, or refuses this one.",
    remedy="Hand the request's body to the ChatKit server library unchanged.",
    finds=custom_backend_refuses,
    doc=CHATKIT_PYTHON,
)


def custom_backend_failing(facts: Facts) -> Iterator[Found]:
    """The app's backend fails."""
    yield from answered(facts, lambda x: x.status >= 500 and x.status != 501, hosted=False)


CUSTOM_BACKEND_FAILING = call_rule(
    id="custom-backend-failing",
    owner=Party.APP,
    title="The app's chat backend fails",
    cause="An exception in the endpoint or in its store: a method with other arguments than the library's, a database that is away.",
    remedy="Look at the server's log at this moment.",
    finds=custom_backend_failing,
    covers=("custom-backend-404-or-500", "conversation-5xx-or-not-sse"),
    doc=CHATKIT_PYTHON,
)


def _blocked(facts: Facts, obstacles: tuple[Obstacle, ...]) -> Iterator[Found]:
    """The last call failed, and one of these stood in its way."""
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
    cause="In custom mode the page itself makes the calls, with headers of ChatKit's own that CORS must allow.",
    remedy="Allow the page's origin, POST and OPTIONS, and the headers content-type, accept-language and chatkit-frame-instance-id.",
    finds=partial(_blocked, obstacles=(Obstacle.CORS,)),
    covers=("custom-backend-cors",),
    doc=f"{MDN}HTTP/Guides/CORS",
)

CUSTOM_BACKEND_OVER_PLAIN_HTTP = call_rule(
    id="custom-backend-over-plain-http",
    owner=Party.APP,
    title="A secure page has a chat backend of plain http",
    cause="Browsers do not send requests of https pages to http addresses. Verification is skipped then too, which hides it.",
    remedy="Serve the backend over https.",
    finds=partial(_blocked, obstacles=(Obstacle.MIXED,)),
    covers=("custom-backend-mixed-content",),
    doc=f"{MDN}Security/Mixed_content",
)

CUSTOM_BACKEND_BLOCKED_BY_BROWSER = call_rule(
    id="custom-backend-blocked-by-browser",
    owner=Party.APP,
    title="The browser keeps the page from its chat backend",
    cause="A blocker, or the guard of the local network against public pages.",
    remedy="Exempt the site from the blocker; serve page and backend from the same place.",
    finds=partial(_blocked, obstacles=(Obstacle.LOCAL_NETWORK, Obstacle.CLIENT)),
    covers=("policy-adblock",),
)

CUSTOM_BACKEND_UNREACHABLE = call_rule(
    id="custom-backend-unreachable",
    owner=Party.APP,
    title="The app's chat backend cannot be reached",
    cause="The backend is not running, or scheme, host or port of api.url are wrong.",
    remedy="Start it; compare api.url with the address that it listens on.",
    finds=partial(_blocked, obstacles=(Obstacle.UNREACHABLE, Obstacle.RESPONSE)),
    covers=("custom-backend-404-or-500",),
)

CUSTOM_BACKEND_KEPT_ON_MACHINE = call_rule(
    id="custom-backend-kept-on-machine",
    owner=Party.APP,
    title="The app's chat backend is outside, and this run is hermetic",
    cause="A hermetic run answers OpenAI's hosts itself and lets nothing else leave this machine.",
    remedy='Use network = "live" for this project, or point api.url to a backend on this machine.',
    finds=partial(_blocked, obstacles=(Obstacle.HERMETIC,)),
)


def custom_backend_blocked_by_csp(facts: Facts) -> Iterator[Found]:
    """The page may not talk to its own backend."""
    found = tuple(_blocked(facts, (Obstacle.CSP,)))
    yield from found
    # What policy forbids never gets to the network; all that is left of it is the violation.
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
    cause="In custom mode the page itself makes the calls, and connect-src does not name api.url's origin.",
    remedy="Add it to connect-src.",
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
    title="A web page answers in place of the chat backend",
    cause="A single-page fallback or a sign-in page stands at api.url. ChatKit takes it for an empty answer: no history, no reply.",
    remedy="Mount the endpoint there, before the fallback.",
    finds=custom_backend_answers_page,
    stops_mount=False,
    covers=("custom-backend-404-or-500", "conversation-5xx-or-not-sse"),
    doc=CHATKIT_PYTHON,
)


def custom_fetch_without_answer(facts: Facts) -> Iterator[Found]:
    """The page's own `api.fetch` gives the frame no answer, and no request is to blame for it."""
    last = facts.frame_calls[-1] if facts.frame_calls else None
    stopped = [
        s for s in facts.violations
        if s.event.directive.startswith(("connect-src", "default-src"))
        and any(is_same_target(s.event.blocked_url, url) for url in facts.mount.backend_urls)
    ]  # fmt: skip
    if last is None or facts.outcome is None or facts.failed_call is not None or stopped or GIVEN_UP.search(last.error):
        return
    if last.error:
        said, lines = besides(facts)
        yield Found(
            summary=f"the page told the frame that its call failed with {on_one_line(last.error, 160)!r}{said or '; no request did'}",
            evidence=(last.asked_seq, last.answered_seq, *lines),
        )


CUSTOM_FETCH_WITHOUT_ANSWER = call_rule(
    id="custom-fetch-without-answer",
    owner=Party.APP,
    title="The page's own api.fetch gives no answer",
    cause="In custom mode the page makes the calls of the frame, with `api.fetch` of the options when there is one. This one throws, "
    "or returns nothing.",
    remedy="Return the Response of fetch from it, always; pass method, headers and body on.",
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

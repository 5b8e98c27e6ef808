"""The chat backend in hosted mode: OpenAI's API, called by the frame.

In: facts. Out: findings of this layer. A failed call that was repeated with success is not a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from harness.analysis.facts.exchanges import Exchange
from harness.analysis.facts.facts import Facts, evidence_of
from harness.analysis.facts.roles import is_conversation
from harness.analysis.mount.verdict import Outcome
from harness.analysis.rules.network import is_page, network_confidence
from harness.analysis.rules.rule import (
    CHATKIT_JS,
    Confidence,
    Found,
    Layer,
    Party,
    Rule,
    lines_of,
    on_one_line,
    told,
)

NO_THREAD = r"InitialThreadLoadError|Failed to load initial thread"
# A call can fail while the widget is created, and also later.
call_rule = partial(Rule, layer=Layer.BACKEND, outlives_mount=True)


def failed_call(facts: Facts, *, hosted: bool) -> Exchange | None:
    """Return the last backend call of this mode when it failed."""
    call = facts.failed_call
    return call if call is not None and is_conversation(call) is hosted else None


def answered(
    facts: Facts,
    matches: Callable[[Exchange], bool],
    *,
    hosted: bool,
    confidence: Callable[[Exchange], Confidence | None] = lambda _: None,
) -> Iterator[Found]:
    """Yield the last backend call of this mode when its error matches."""
    call = failed_call(facts, hosted=hosted)
    if call is not None and call.status >= 400 and matches(call):
        same = [x.seq for x in facts.calls if x.status == call.status and x is not call]
        yield Found(summary=told(call), evidence=(*same[-3:], *evidence_of(call)), confidence=confidence(call))


def answered_by_page(facts: Facts, *, hosted: bool) -> Iterator[Found]:
    """Yield the last backend call of this mode when a web page answered it."""
    last = facts.calls[-1] if facts.calls else None
    if last is not None and is_conversation(last) is hosted and 200 <= last.status < 300 and is_page(last):
        yield Found(summary=f"{told(last)} with text/html", evidence=evidence_of(last))


def backend_without_secret(facts: Facts) -> Iterator[Found]:
    """The frame sends a call without a secret."""
    yield from answered(facts, lambda x: x.status in (401, 403) and x.request.bearer in ("", "empty"), hosted=True)


BACKEND_WITHOUT_SECRET = call_rule(
    id="backend-without-secret",
    owner=Party.APP,
    title="The frame calls the backend without a secret",
    cause="getClientSecret returned no secret that the frame accepts, and the frame continued with an empty "
    "bearer token.",
    remedy="Find out why getClientSecret returned no usable secret.",
    finds=backend_without_secret,
    symptom_of=(Layer.SESSION, Layer.UPSTREAM, Layer.DOMAIN, "workflow-id-missing"),
    covers=("conversation-401-at-boot", "session-secret-rejected-silently"),
)


def backend_rejects_secret(facts: Facts) -> Iterator[Found]:
    """The backend rejects the secret."""
    yield from answered(facts, lambda x: x.status in (401, 403) and x.request.bearer not in ("", "empty"), hosted=True)


BACKEND_REJECTS_SECRET = call_rule(
    id="backend-rejects-secret",
    owner=Party.APP,
    title="OpenAI rejects the client secret",
    cause="The secret is expired, cancelled, or belongs to another project or region.",
    remedy="Create a new session whenever getClientSecret is called; do not store secrets.",
    finds=backend_rejects_secret,
    confidence=Confidence.LIKELY,
    symptom_of=("mock-secret", "stale-secret-returned", "verification-unauthorized"),
    covers=("conversation-401-at-boot", "conversation-4xx-on-send", "session-secret-stale-returned"),
    doc=f"{CHATKIT_JS}guides/authentication",
)


def backend_rate_limited(facts: Facts) -> Iterator[Found]:
    """The backend answers 429."""
    yield from answered(facts, lambda x: x.status == 429, hosted=True)


BACKEND_RATE_LIMITED = call_rule(
    id="backend-rate-limited",
    owner=Party.APP,
    title="The session's rate limit is reached",
    cause="By default a session allows ten requests per minute. Requests for the history and retries count too.",
    remedy="Raise rate_limits.max_requests_per_1_minute when the session is created, or slow the test down.",
    finds=backend_rate_limited,
    covers=("conversation-429",),
)


def initial_thread_missing(facts: Facts) -> Iterator[Found]:
    """The initial thread does not exist."""
    errors, call = facts.errors_about(NO_THREAD), facts.failed_call
    if errors and (call is None or 400 <= call.status < 500):
        refused = facts.refused_call  # later calls are accepted: the chat continues with a new thread
        yield Found(
            summary=on_one_line(errors[0].message),
            evidence=(*(evidence_of(refused) if refused else ()), *(e.seq for e in errors[:2])),
        )


INITIAL_THREAD_MISSING = call_rule(
    id="initial-thread-missing",
    owner=Party.APP,
    title="The initial thread does not exist",
    cause="initialThread is the id of a thread that was deleted, or that belongs to another user or project.",
    remedy="Delete the stored id when this error occurs.",
    finds=initial_thread_missing,
    covers=("conversation-initial-thread-missing",),
)


def backend_refuses(facts: Facts) -> Iterator[Found]:
    """OpenAI's backend refuses the call."""
    if not facts.errors_about(NO_THREAD):
        yield from answered(facts, lambda x: 400 <= x.status < 500 and x.status not in (401, 403, 429), hosted=True)


BACKEND_REFUSES = call_rule(
    id="backend-refuses",
    owner=Party.API,
    title="OpenAI's backend refuses the call",
    cause="The thread is unknown, or the request does not match the session.",
    remedy="Read the body of the response; start a new thread.",
    finds=backend_refuses,
    covers=("conversation-4xx-on-send",),
)


def backend_failing(facts: Facts) -> Iterator[Found]:
    """OpenAI's backend answers with a server error."""
    yield from answered(facts, lambda x: x.status >= 500, hosted=True)


BACKEND_FAILING = call_rule(
    id="backend-failing",
    owner=Party.API,
    title="OpenAI's backend has an internal error",
    cause="OpenAI's server or the workflow failed. The frame retries up to five times.",
    remedy="Check the workflow's run log and https://status.openai.com.",
    finds=backend_failing,
    covers=("conversation-5xx-or-not-sse", "domain-sudden-failure"),
    doc="https://status.openai.com",
)


def backend_answers_page(facts: Facts) -> Iterator[Found]:
    """A web page is delivered instead of OpenAI's response."""
    yield from answered_by_page(facts, hosted=True)


BACKEND_ANSWERS_PAGE = Rule(
    id="backend-answers-page",
    layer=Layer.BACKEND,
    owner=Party.APP,
    title="A web page is delivered instead of OpenAI's response",
    cause="A captive portal, a proxy or a filter answers instead of OpenAI. ChatKit treats the page as an empty "
    "response: it shows no history and no reply.",
    remedy="Open the address in a browser on the same network to see the page. Allow api.openai.com and its "
    "regional hosts.",
    finds=backend_answers_page,
    stops_mount=False,
    covers=("conversation-5xx-or-not-sse",),
)


def backend_unreachable(facts: Facts) -> Iterator[Found]:
    """The frame cannot reach OpenAI's backend."""
    call = failed_call(facts, hosted=True)
    if call is None or not call.failure or call.is_aborted:
        return
    said = facts.console_about("blocked by CORS policy", "/v1/chatkit/conversation")
    if "QUIC" not in call.failure and not said:
        yield Found(summary=told(call), evidence=evidence_of(call), confidence=network_confidence(call))


BACKEND_UNREACHABLE = call_rule(
    id="backend-unreachable",
    owner=Party.API,
    title="The frame cannot reach OpenAI's backend",
    cause="A firewall, a blocker or DNS prevents the browser from reaching OpenAI's API.",
    remedy="Allow api.openai.com, us.api.openai.com and eu.api.openai.com on this network.",
    finds=backend_unreachable,
    covers=("policy-adblock",),
)


def backend_error_behind_cors(facts: Facts) -> Iterator[Found]:
    """An error of OpenAI's backend is reported as a CORS error."""
    call = failed_call(facts, hosted=True)
    said = facts.console_about("blocked by CORS policy", "/v1/chatkit/conversation")
    if call is not None and call.failure and said:
        yield Found(summary=on_one_line(said[0].event.text), evidence=(*evidence_of(call), *lines_of(said[:2])))


BACKEND_ERROR_BEHIND_CORS = call_rule(
    id="backend-error-behind-cors",
    owner=Party.API,
    title="An error of the backend is reported as a CORS error",
    cause="The error response has no CORS headers, so the browser reports a CORS error instead of the status.",
    remedy="Check the status of the response. For tool results, check their size and shape.",
    finds=backend_error_behind_cors,
    confidence=Confidence.LIKELY,
    covers=("conversation-client-tool-output",),
)


def backend_unanswered(facts: Facts) -> Iterator[Found]:
    """The first call to the backend is not answered."""
    waiting = [x for x in facts.calls if x.is_open]
    if facts.outcome is not Outcome.TIMEOUT or not waiting or any(200 <= x.status < 300 for x in facts.calls):
        return
    waited_ms = facts.decided_at_ms - waiting[-1].started_at_ms
    yield Found(
        summary=f"{waiting[-1].request.method} {waiting[-1].url} has received no response for {waited_ms / 1000:.1f} s",
        evidence=evidence_of(waiting[-1]),
    )


BACKEND_UNANSWERED = Rule(
    id="backend-unanswered",
    layer=Layer.BACKEND,
    owner=Party.API,
    title="The chat backend does not answer",
    cause="The backend is waiting for something, or a proxy keeps the connection open.",
    remedy="Check the server's log; set a timeout in the backend.",
    finds=backend_unanswered,
)


def sentinel_blocked(facts: Facts) -> Iterator[Found]:
    """OpenAI's anti-abuse script does not load."""
    errors = facts.errors_about(r"Failed to load Sentinel")
    if errors:
        yield Found(
            summary=f"{on_one_line(errors[0].message)}; the widget works without it, but the backend may refuse "
            "its messages",
            evidence=(*_sentinels(facts), *(e.seq for e in errors[:2])),
        )


SENTINEL_BLOCKED = Rule(
    id="sentinel-blocked",
    layer=Layer.BACKEND,
    owner=Party.NETWORK,
    title="OpenAI's anti-abuse script is blocked",
    cause="A blocker or a firewall blocks sentinel.openai.com. The widget works without the script.",
    remedy="Allow sentinel.openai.com and chatgpt.com.",
    finds=sentinel_blocked,
    stops_mount=False,
    covers=("policy-sentinel-blocked", "policy-coep-sentinel"),
)


def _sentinels(facts: Facts) -> tuple[int, ...]:
    """The lines of the failed requests for the script."""
    return tuple(x.seq for x in facts.exchanges if "/sentinel/" in x.path and (x.failure or x.status >= 400))[:2]


RULES = (
    BACKEND_WITHOUT_SECRET,
    BACKEND_REJECTS_SECRET,
    BACKEND_RATE_LIMITED,
    INITIAL_THREAD_MISSING,
    BACKEND_REFUSES,
    BACKEND_ANSWERS_PAGE,
    BACKEND_FAILING,
    BACKEND_UNREACHABLE,
    BACKEND_ERROR_BEHIND_CORS,
    BACKEND_UNANSWERED,
    SENTINEL_BLOCKED,
)

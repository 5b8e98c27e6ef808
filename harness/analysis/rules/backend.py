"""The chat's backend: OpenAI's in hosted mode, the app's own in custom mode, and the streams of both.

In: facts. Out: findings of this layer. Calls that failed and were repeated with success are none.
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
# A call can fail while the widget is made, and later just as well.
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
    """Yield the last backend call of this mode when it was refused in this way."""
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
    """The frame's call goes out without a secret."""
    yield from answered(facts, lambda x: x.status in (401, 403) and x.request.bearer in ("", "empty"), hosted=True)


BACKEND_WITHOUT_SECRET = call_rule(
    id="backend-without-secret",
    owner=Party.APP,
    title="The frame asks the backend without a secret",
    cause="getClientSecret gave none that the frame accepts, and the frame went on with an empty bearer.",
    remedy="Find out why getClientSecret gave no usable secret.",
    finds=backend_without_secret,
    symptom_of=(Layer.SESSION, Layer.UPSTREAM, Layer.DOMAIN, "workflow-id-missing"),
    covers=("conversation-401-at-boot", "session-secret-rejected-silently"),
)


def backend_rejects_secret(facts: Facts) -> Iterator[Found]:
    """The backend does not accept the secret."""
    yield from answered(facts, lambda x: x.status in (401, 403) and x.request.bearer not in ("", "empty"), hosted=True)


BACKEND_REJECTS_SECRET = call_rule(
    id="backend-rejects-secret",
    owner=Party.APP,
    title="OpenAI does not accept the client secret",
    cause="The secret is expired, cancelled, or of another project or region.",
    remedy="Make a fresh session whenever getClientSecret is called; do not keep secrets.",
    finds=backend_rejects_secret,
    confidence=Confidence.LIKELY,
    symptom_of=("mock-secret", "stale-secret-returned", "verification-unauthorized"),
    covers=("conversation-401-at-boot", "conversation-4xx-on-send", "session-secret-stale-returned"),
    doc=f"{CHATKIT_JS}guides/authentication",
)


def backend_rate_limited(facts: Facts) -> Iterator[Found]:
    """The session has used up its requests."""
    yield from answered(facts, lambda x: x.status == 429, hosted=True)


BACKEND_RATE_LIMITED = call_rule(
    id="backend-rate-limited",
    owner=Party.APP,
    title="The session's requests are used up",
    cause="Sessions allow ten requests a minute unless told otherwise, and history and repeats count.",
    remedy="Raise rate_limits.max_requests_per_1_minute when the session is made; slow the test down.",
    finds=backend_rate_limited,
    covers=("conversation-429",),
)


def initial_thread_missing(facts: Facts) -> Iterator[Found]:
    """The thread to begin with does not exist."""
    errors, call = facts.errors_about(NO_THREAD), facts.failed_call
    if errors and (call is None or 400 <= call.status < 500):
        yield Found(
            summary=on_one_line(errors[0].message),
            evidence=(*(evidence_of(call) if call else ()), *(e.seq for e in errors[:2])),
        )


INITIAL_THREAD_MISSING = call_rule(
    id="initial-thread-missing",
    owner=Party.APP,
    title="The thread to begin with does not exist",
    cause="initialThread names a thread that was deleted, or that belongs to another user or project.",
    remedy="Forget the stored id when this error comes.",
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
    cause="An unknown thread, or a request that does not fit the session.",
    remedy="Read the answer's body; start with a new thread.",
    finds=backend_refuses,
    covers=("conversation-4xx-on-send",),
)


def backend_failing(facts: Facts) -> Iterator[Found]:
    """OpenAI's backend fails, and the frame repeats."""
    yield from answered(facts, lambda x: x.status >= 500, hosted=True)


BACKEND_FAILING = call_rule(
    id="backend-failing",
    owner=Party.API,
    title="OpenAI's backend fails",
    cause="An error on OpenAI's side, or of the workflow; the frame repeats up to five times.",
    remedy="Look at the workflow's run log and at https://status.openai.com.",
    finds=backend_failing,
    covers=("conversation-5xx-or-not-sse", "domain-sudden-failure"),
    doc="https://status.openai.com",
)


def backend_answers_page(facts: Facts) -> Iterator[Found]:
    """A web page answers in place of OpenAI's backend."""
    yield from answered_by_page(facts, hosted=True)


BACKEND_ANSWERS_PAGE = Rule(
    id="backend-answers-page",
    layer=Layer.BACKEND,
    owner=Party.APP,
    title="A web page answers in place of OpenAI's backend",
    cause="Something on the path answers for OpenAI: a portal, a proxy, a filter. ChatKit takes the page for an empty answer: no "
    "history, no reply.",
    remedy="Open the address in a browser on the same network and look; allow api.openai.com and its regional hosts.",
    finds=backend_answers_page,
    stops_mount=False,
    covers=("conversation-5xx-or-not-sse",),
)


def backend_unreachable(facts: Facts) -> Iterator[Found]:
    """The frame does not reach OpenAI's backend."""
    call = failed_call(facts, hosted=True)
    if call is None or not call.failure or call.is_aborted:
        return
    said = facts.console_about("blocked by CORS policy", "/v1/chatkit/conversation")
    if "QUIC" not in call.failure and not said:
        yield Found(summary=told(call), evidence=evidence_of(call), confidence=network_confidence(call))


BACKEND_UNREACHABLE = call_rule(
    id="backend-unreachable",
    owner=Party.API,
    title="The frame does not reach OpenAI's backend",
    cause="A firewall, a blocker or DNS keeps the browser from OpenAI's API.",
    remedy="Allow api.openai.com, us.api.openai.com and eu.api.openai.com on this network.",
    finds=backend_unreachable,
    covers=("policy-adblock",),
)


def backend_error_behind_cors(facts: Facts) -> Iterator[Found]:
    """A failure of OpenAI's backend wears the words of CORS."""
    call = failed_call(facts, hosted=True)
    said = facts.console_about("blocked by CORS policy", "/v1/chatkit/conversation")
    if call is not None and call.failure and said:
        yield Found(summary=on_one_line(said[0].event.text), evidence=(*evidence_of(call), *lines_of(said[:2])))


BACKEND_ERROR_BEHIND_CORS = call_rule(
    id="backend-error-behind-cors",
    owner=Party.API,
    title="A failure of the backend looks like CORS",
    cause="An error answer without CORS headers makes the browser hide its status behind a CORS message.",
    remedy="Look at the answer's own status; for tool results check size and shape.",
    finds=backend_error_behind_cors,
    confidence=Confidence.LIKELY,
    covers=("conversation-client-tool-output",),
)


def backend_unanswered(facts: Facts) -> Iterator[Found]:
    """The first call to the backend has no answer."""
    waiting = [x for x in facts.calls if x.is_open]
    if facts.outcome is not Outcome.TIMEOUT or not waiting or any(200 <= x.status < 300 for x in facts.calls):
        return
    waited_ms = facts.decided_at_ms - waiting[-1].started_at_ms
    yield Found(
        summary=f"{waiting[-1].request.method} {waiting[-1].url} has had no answer for {waited_ms / 1000:.1f} s",
        evidence=evidence_of(waiting[-1]),
    )


BACKEND_UNANSWERED = Rule(
    id="backend-unanswered",
    layer=Layer.BACKEND,
    owner=Party.API,
    title="The chat backend does not answer",
    cause="The first call hangs: a backend that waits for something, or a connection that is held open.",
    remedy="Look at the server's log; give the backend a time limit.",
    finds=backend_unanswered,
)


def sentinel_blocked(facts: Facts) -> Iterator[Found]:
    """OpenAI's anti-abuse script does not load."""
    errors = facts.errors_about(r"Failed to load Sentinel")
    if errors:
        yield Found(
            summary=f"{on_one_line(errors[0].message)}; the widget works without, and the backend may refuse its messages",
            evidence=(*_sentinels(facts), *(e.seq for e in errors[:2])),
        )


SENTINEL_BLOCKED = Rule(
    id="sentinel-blocked",
    layer=Layer.BACKEND,
    owner=Party.NETWORK,
    title="OpenAI's anti-abuse script is blocked",
    cause="A blocker or a firewall stops sentinel.openai.com. The widget goes on without it.",
    remedy="Allow sentinel.openai.com and chatgpt.com.",
    finds=sentinel_blocked,
    stops_mount=False,
    covers=("policy-sentinel-blocked", "policy-coep-sentinel"),
)


def _sentinels(facts: Facts) -> tuple[int, ...]:
    """The lines of the requests for the script that failed."""
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

"""The client secret on its way into the frame: what getClientSecret returned, if anything.

In: facts. Out: findings of the session's layer. Why the endpoint gave none is the business of `session` and `upstream`.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.facts.facts import Facts
from harness.analysis.mount.verdict import Outcome
from harness.analysis.rules.rule import (
    CHATKIT_GUIDE,
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

SIGNATURE = r"Invalid client secret format|Unsupported token version|getClientSecret\(\)"
NOT_CONFIGURED = r"getClientSecret is not configured"


def mock_secret(facts: Facts) -> Iterator[Found]:
    """A mock secret hides that the backend has none."""
    mocks = [call for call in facts.sessions if call.is_mock]
    if not mocks or facts.real_secret_seq:
        return
    is_other = mocks[-1].secret_format == "other"
    errors = facts.errors_about(SIGNATURE)
    yield Found(
        summary=f"{told(mocks[-1].exchange)}, and the answer calls itself a mock"
        + ("; the secret in it is not in the format that ChatKit accepts" if is_other else ""),
        evidence=(*mocks[-1].evidence, *(e.seq for e in errors[:2])),
        is_prediction=not any(h.digest in mocks[-1].digests for h in facts.handovers),
        confidence=None if is_other else Confidence.LIKELY,
    )


MOCK_SECRET = Rule(
    id="mock-secret",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="The backend hands out a mock secret",
    cause="A mock mode hides that no session could be made: the app is content, and ChatKit refuses the secret or works on nothing.",
    remedy="Switch the mock mode off and solve what it hides: look for the answer of OpenAI's sessions API in the server's log.",
    finds=mock_secret,
    covers=("session-secret-bad-format",),
)


def secret_malformed(facts: Facts) -> Iterator[Found]:
    """The secret is not in the format that ChatKit parses."""
    if facts.is_custom:
        return
    bad = [h for h in facts.handovers if h.kind == "string" and h.format == "other"]
    errors = facts.errors_about(SIGNATURE)
    if bad and facts.real_secret_seq < bad[-1].answered_seq:
        yield Found(
            summary="the frame was handed a text that is no client secret of the form <prefix>_<version><base64 of JSON>"
            + (f": {on_one_line(errors[0].message, 120)}" if errors else ""),
            evidence=(bad[-1].answered_seq, *_carrier(facts, bad[-1].digest), *(e.seq for e in errors[:2])),
            confidence=None if errors else Confidence.LIKELY,  # a newer frame may know a newer form
        )
        return
    unused = [call for call in facts.sessions if call.secret_format == "other"]
    if unused and not facts.handovers and facts.sessions[-1] is unused[-1]:
        yield Found(
            summary=f"{told(unused[-1].exchange)} with a secret that is not in the format that ChatKit accepts; nobody has used it yet",
            evidence=unused[-1].evidence,
            is_prediction=True,
        )


SECRET_MALFORMED = Rule(
    id="secret-malformed",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="What was handed over is not a client secret",
    cause="A mock, a truncated or quoted value, an API key, a session id or an own token: ChatKit parses the secret and drops "
    "what does not fit.",
    remedy="Hand over the string client_secret of OpenAI's answer, unchanged.",
    finds=secret_malformed,
    symptom_of=("mock-secret", "session-without-secret", "session-answered-by-page"),
    covers=("session-secret-bad-format",),
    doc=CHATKIT_GUIDE,
)


def secret_not_a_string(facts: Facts) -> Iterator[Found]:
    """getClientSecret returned something else than a text."""
    bad = [h for h in facts.handovers if h.kind not in ("", "string")]
    if bad and facts.real_secret_seq < bad[-1].answered_seq:
        errors = facts.errors_about(SIGNATURE)
        yield Found(
            summary=f"getClientSecret answered {bad[-1].kind} where a string is expected{_but_sent(facts)}",
            evidence=(
                *(seq for call in facts.sessions[-1:] for seq in call.evidence),
                bad[-1].asked_seq,
                bad[-1].answered_seq,
                *(e.seq for e in errors[:2]),
            ),
        )


def _but_sent(facts: Facts) -> str:
    """Return where the secret was that the page did not hand over, as the end of a sentence."""
    bodies = [(call.exchange, call.exchange.body) for call in facts.sessions if call.has_secret]
    named = [f"; {told(x)} with a client secret under the name {body.secret_key}" for x, body in bodies if body]
    return named[-1] if named else ""


SECRET_NOT_A_STRING = Rule(
    id="secret-not-a-string",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="getClientSecret returns something else than a string",
    cause="The whole answer, a field that does not exist, or nothing is returned.",
    remedy="Return the string itself: (await response.json()).client_secret.",
    finds=secret_not_a_string,
    symptom_of=(
        Layer.UPSTREAM,
        "session-without-secret",
        "session-unauthorized",
        "session-server-error",
        "session-route-missing",
        "session-answered-by-page",
        "session-forbidden",
        "session-refused-by-csrf",
        "session-gateway-failed",
        "session-rate-limited",
        "session-request-invalid",
        "session-for-nobody",
        "api-key-missing-in-app",
        "workflow-missing-in-app",
        "session-answer-broken",
        "session-unreachable",
        "session-blocked-by-cors",
        "session-blocked-by-csp",
        "server-sdk-too-old",
        "session-redirected",
        "session-given-up",
    ),
    covers=("session-app-no-client-secret",),
    doc=CHATKIT_GUIDE,
)


def secret_callback_threw(facts: Facts) -> Iterator[Found]:
    """getClientSecret rejected, which ChatKit keeps to itself."""
    bad = [h for h in facts.handovers if h.error]
    if bad and facts.real_secret_seq < bad[-1].answered_seq:
        yield Found(
            summary=f"getClientSecret rejected with {on_one_line(bad[-1].error, 160)!r}",
            evidence=(bad[-1].asked_seq, bad[-1].answered_seq),
        )


SECRET_CALLBACK_THREW = Rule(
    id="secret-callback-threw",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="getClientSecret rejects",
    cause="The page's function threw or rejected. ChatKit says nothing about it and asks never again: what follows looks like a "
    "failure of the domain or of the backend.",
    remedy="Log inside getClientSecret, and correct what it meets.",
    finds=secret_callback_threw,
    symptom_of=(Layer.UPSTREAM, Layer.SESSION, "workflow-id-missing"),
    covers=("session-secret-rejected-silently",),
)


def secret_never_answered(facts: Facts) -> Iterator[Found]:
    """getClientSecret was called and does not come back."""
    waiting = [h for h in facts.handovers if h.answered_seq == 0]
    if facts.outcome is not None and waiting and "onGetClientSecret" in facts.mount.asked.values():
        yield Found(
            summary="the frame asked for a client secret, and the promise of getClientSecret has not settled",
            evidence=(waiting[-1].asked_seq,),
            confidence=None if facts.outcome is Outcome.TIMEOUT else Confidence.LIKELY,
        )


SECRET_NEVER_ANSWERED = Rule(
    id="secret-never-answered",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="getClientSecret never settles",
    cause="The promise waits for something that does not come: a request without a time limit, a sign-in dialog, a state.",
    remedy="Give it a time limit, and reject when it is over.",
    finds=secret_never_answered,
    symptom_of=(Layer.UPSTREAM, Layer.SESSION),
    covers=("session-secret-never-resolves",),
)


def stale_secret_returned(facts: Facts) -> Iterator[Found]:
    """Asked for a new secret, the page hands out the old one."""
    known: set[str] = set()
    for handover in facts.handovers:
        if handover.has_current and handover.digest and handover.digest in known:
            yield Found(
                summary="the frame asked for a new secret and was handed the one that it had",
                evidence=(handover.asked_seq, handover.answered_seq),
            )
            return
        known.add(handover.digest)


STALE_SECRET_RETURNED = Rule(
    id="stale-secret-returned",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="getClientSecret returns the old secret",
    cause="Called with the current secret, the function must make a new one; this one returns its argument or a cached value.",
    remedy="Make a new session whenever the function is called with a secret.",
    finds=stale_secret_returned,
    covers=("session-secret-stale-returned",),
    doc=f"{CHATKIT_JS}guides/authentication",
)


def refresh_not_configured(facts: Facts) -> Iterator[Found]:
    """The options that are in force have no getClientSecret."""
    errors, uncaught = facts.errors_about(NOT_CONFIGURED), facts.page_errors_about(NOT_CONFIGURED)
    if errors or uncaught:
        said = errors[0].message if errors else uncaught[0].event.message
        yield Found(summary=on_one_line(said), evidence=(*(e.seq for e in errors), *lines_of(uncaught)))


REFRESH_NOT_CONFIGURED = Rule(
    id="refresh-not-configured",
    layer=Layer.SESSION,
    owner=Party.APP,
    title="The options in force have no getClientSecret",
    cause="A later setOptions replaced `api` without it; options are never merged.",
    remedy="Keep getClientSecret in every options object.",
    finds=refresh_not_configured,
    covers=("session-refresh-without-getclientsecret",),
)


def _carrier(facts: Facts, digest: str) -> tuple[int, ...]:
    return next((call.evidence for call in facts.sessions if digest in call.digests), ())


RULES = (
    MOCK_SECRET,
    SECRET_MALFORMED,
    SECRET_NOT_A_STRING,
    SECRET_CALLBACK_THREW,
    SECRET_NEVER_ANSWERED,
    STALE_SECRET_RETURNED,
    REFRESH_NOT_CONFIGURED,
)

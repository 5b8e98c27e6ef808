"""The chat's backend: OpenAI's in hosted mode, the app's own in custom mode, and the streams of both.

In: facts. Out: findings of this layer. Calls that failed and were repeated with success are none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from harness.analysis.exchanges import Exchange
from harness.analysis.facts import Facts, evidence_of, is_same_target
from harness.analysis.roles import is_conversation
from harness.analysis.rules.network import Obstacle, mentions, obstacle_of
from harness.analysis.rules.rule import (
    CHATKIT_JS,
    CHATKIT_PYTHON,
    MDN,
    Confidence,
    Found,
    Layer,
    Rule,
    lines_of,
    on_one_line,
    told,
)
from harness.analysis.verdict import Outcome

NO_THREAD = r"InitialThreadLoadError|Failed to load initial thread"
NO_HISTORY = r"HistoryViewError|Failed to load conversation"
BAD_EVENT = r"StreamEventParsingError|Failed to parse stream event"
FAILED_REPLY = r"^StreamError|error while generating the assistant"


def _failed(facts: Facts, *, hosted: bool) -> Exchange | None:
    call = facts.failed_call
    return call if call is not None and is_conversation(call) is hosted else None


def _answered(facts: Facts, matches: Callable[[Exchange], bool], *, hosted: bool) -> Iterator[Found]:
    call = _failed(facts, hosted=hosted)
    if call is not None and call.status >= 400 and matches(call):
        same = [x.seq for x in facts.calls if x.status == call.status and x is not call]
        yield Found(summary=told(call), evidence=(*same[-3:], *evidence_of(call)))


def backend_without_secret(facts: Facts) -> Iterator[Found]:
    """The frame's call goes out without a secret."""
    yield from _answered(facts, lambda x: x.status in (401, 403) and x.request.bearer in ("", "empty"), hosted=True)


def backend_rejects_secret(facts: Facts) -> Iterator[Found]:
    """The backend does not accept the secret."""
    yield from _answered(facts, lambda x: x.status in (401, 403) and x.request.bearer not in ("", "empty"), hosted=True)


def backend_rate_limited(facts: Facts) -> Iterator[Found]:
    """The session has used up its requests."""
    yield from _answered(facts, lambda x: x.status == 429, hosted=True)


def initial_thread_missing(facts: Facts) -> Iterator[Found]:
    """The thread to begin with does not exist."""
    errors = facts.errors_about(NO_THREAD)
    if errors:
        call = facts.failed_call
        yield Found(
            summary=on_one_line(errors[0].message),
            evidence=(*(evidence_of(call) if call else ()), *(e.seq for e in errors[:2])),
        )


def backend_refuses(facts: Facts) -> Iterator[Found]:
    """OpenAI's backend refuses the call."""
    if not facts.errors_about(NO_THREAD):
        yield from _answered(facts, lambda x: 400 <= x.status < 500 and x.status not in (401, 403, 429), hosted=True)


def backend_failing(facts: Facts) -> Iterator[Found]:
    """OpenAI's backend fails, and the frame repeats."""
    yield from _answered(facts, lambda x: x.status >= 500, hosted=True)


def backend_unreachable(facts: Facts) -> Iterator[Found]:
    """The frame does not reach OpenAI's backend."""
    call = _failed(facts, hosted=True)
    if call is None or not call.failure or call.is_aborted:
        return
    said = facts.console_about("blocked by CORS policy", "/v1/chatkit/conversation")
    if "QUIC" not in call.failure and not said:
        yield Found(summary=told(call), evidence=evidence_of(call))


def backend_error_behind_cors(facts: Facts) -> Iterator[Found]:
    """A failure of OpenAI's backend wears the words of CORS."""
    call = _failed(facts, hosted=True)
    said = facts.console_about("blocked by CORS policy", "/v1/chatkit/conversation")
    if call is not None and call.failure and said:
        yield Found(summary=on_one_line(said[0].event.text), evidence=(*evidence_of(call), *lines_of(said[:2])))


def stream_dropped(facts: Facts) -> Iterator[Found]:
    """The transport dropped a stream."""
    dropped = [x for x in facts.calls if "QUIC" in x.failure]
    said = facts.console_about("ERR_QUIC_PROTOCOL_ERROR")
    if dropped or said:
        evidence = tuple(seq for x in dropped[:2] for seq in evidence_of(x)) + lines_of(said[:2])
        yield Found(summary=told(dropped[0]) if dropped else on_one_line(said[0].event.text), evidence=evidence)


# --- custom mode --------------------------------------------------------------------------------------------------


def custom_backend_unauthorized(facts: Facts) -> Iterator[Found]:
    """The app's backend does not accept the caller."""
    yield from _answered(facts, lambda x: x.status in (401, 403), hosted=False)


def custom_backend_not_found(facts: Facts) -> Iterator[Found]:
    """There is no backend at api.url."""
    if not facts.errors_about(NO_THREAD):
        yield from _answered(facts, lambda x: x.status in (404, 405, 410, 501), hosted=False)


def custom_backend_refuses(facts: Facts) -> Iterator[Found]:
    """The app's backend does not understand the call."""
    known = (401, 403, 404, 405, 410)
    yield from _answered(facts, lambda x: 400 <= x.status < 500 and x.status not in known, hosted=False)


def custom_backend_failing(facts: Facts) -> Iterator[Found]:
    """The app's backend fails."""
    yield from _answered(facts, lambda x: x.status >= 500 and x.status != 501, hosted=False)


def _blocked(facts: Facts, *obstacles: Obstacle) -> Iterator[Found]:
    call = _failed(facts, hosted=False)
    if call is not None and call.failure and obstacle_of(facts, call) in obstacles:
        said = mentions(facts, call)
        hits = facts.violations_of(call, ("",))
        yield Found(
            summary=told(call) + (f": {on_one_line(said[0].event.text, 160)}" if said else ""),
            evidence=(*evidence_of(call), *lines_of(hits[:2]), *lines_of(said[:2])),
        )


def custom_backend_blocked_by_cors(facts: Facts) -> Iterator[Found]:
    """The app's backend does not allow the page's origin."""
    yield from _blocked(facts, Obstacle.CORS)


def custom_backend_over_plain_http(facts: Facts) -> Iterator[Found]:
    """A secure page has a backend of plain http."""
    yield from _blocked(facts, Obstacle.MIXED)


def custom_backend_blocked_by_csp(facts: Facts) -> Iterator[Found]:
    """The page may not talk to its own backend."""
    found = tuple(_blocked(facts, Obstacle.CSP))
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


def custom_backend_answers_page(facts: Facts) -> Iterator[Found]:
    """A web page answers at api.url."""
    pages = [
        x for x in facts.calls
        if not is_conversation(x) and 200 <= x.status < 300 and x.response and x.response.media_type == "text/html"
    ]  # fmt: skip
    if pages and pages[-1] is facts.calls[-1]:
        yield Found(summary=f"{told(pages[-1])} with text/html", evidence=evidence_of(pages[-1]))


def custom_backend_blocked_by_browser(facts: Facts) -> Iterator[Found]:
    """The browser keeps the page from its backend."""
    yield from _blocked(facts, Obstacle.LOCAL_NETWORK, Obstacle.CLIENT)


def custom_backend_unreachable(facts: Facts) -> Iterator[Found]:
    """Nothing answers at api.url."""
    yield from _blocked(facts, Obstacle.UNREACHABLE, Obstacle.HERMETIC, Obstacle.RESPONSE)


def backend_unanswered(facts: Facts) -> Iterator[Found]:
    """The first call to the backend has no answer."""
    waiting = [x for x in facts.calls if x.is_open and not x.failure]
    if facts.outcome is not Outcome.TIMEOUT or not waiting or any(200 <= x.status < 300 for x in facts.calls):
        return
    waited_ms = facts.decided_at_ms - waiting[-1].started_at_ms
    yield Found(
        summary=f"{waiting[-1].request.method} {waiting[-1].url} has had no answer for {waited_ms / 1000:.1f} s",
        evidence=evidence_of(waiting[-1]),
    )


# --- streams ------------------------------------------------------------------------------------------------------


def stream_of_wrong_type(facts: Facts) -> Iterator[Found]:
    """A stream was asked for, and something else came."""
    wrong = [
        x for x in facts.calls
        if _wants_stream(x) and 200 <= x.status < 300 and x.response and x.response.media_type != "text/event-stream"
    ]  # fmt: skip
    if wrong:
        kind = wrong[-1].response.media_type if wrong[-1].response else ""
        yield Found(
            summary=f"{told(wrong[-1])} with {kind or 'no content type'} where text/event-stream is expected",
            evidence=tuple(seq for x in wrong[-3:] for seq in evidence_of(x)),
        )


def stream_event_unreadable(facts: Facts) -> Iterator[Found]:
    """A stream holds what is no event."""
    errors = facts.errors_about(BAD_EVENT)
    if errors:
        yield Found(summary=on_one_line(errors[0].message), evidence=tuple(e.seq for e in errors[:4]))


def stream_of_foreign_protocol(facts: Facts) -> Iterator[Found]:
    """A stream came, and nothing in it meant anything to ChatKit."""
    streams = [x for x in facts.calls if _wants_stream(x) and 200 <= x.status < 300 and not is_conversation(x)]
    names = {s.event.name: s.seq for s in facts.events}
    is_over = "chatkit.response.start" in names and "chatkit.response.end" in names
    is_mute = is_over and "chatkit.thread.change" not in names and not facts.errors
    if streams and is_mute and streams[-1].response and streams[-1].response.media_type == "text/event-stream":
        yield Found(
            summary=f"{streams[-1].url} streamed, and no thread came of it: ChatKit ignores events that it does not know",
            evidence=(*evidence_of(streams[-1]), names["chatkit.response.start"], names["chatkit.response.end"]),
        )


def reply_failed(facts: Facts) -> Iterator[Found]:
    """The backend began to answer, and failed."""
    errors = facts.errors_about(FAILED_REPLY)
    if errors:
        yield Found(
            summary=on_one_line(f"{errors[0].name}: {errors[0].message}"), evidence=tuple(e.seq for e in errors[:4])
        )


def history_unreadable(facts: Facts) -> Iterator[Found]:
    """A thread of the history cannot be loaded."""
    errors = facts.errors_about(NO_HISTORY)
    if errors:
        yield Found(summary=on_one_line(errors[0].message), evidence=tuple(e.seq for e in errors[:4]))


def sentinel_blocked(facts: Facts) -> Iterator[Found]:
    """OpenAI's anti-abuse script does not load."""
    errors = facts.errors_about(r"Failed to load Sentinel")
    if errors:
        failed = [x.seq for x in facts.exchanges if "/sentinel/" in x.path and (x.failure or x.status >= 400)]
        yield Found(
            summary=f"{on_one_line(errors[0].message)}; the widget works without, and the backend may refuse its messages",
            evidence=(*failed[:2], *(e.seq for e in errors[:2])),
        )


def _wants_stream(exchange: Exchange) -> bool:
    return any(name.lower() == "accept" and "text/event-stream" in value for name, value in exchange.request.headers)


RULES = (
    Rule(
        id="backend-without-secret",
        layer=Layer.BACKEND,
        outlives_mount=True,
        title="The frame asks the backend without a secret",
        cause="getClientSecret gave none that the frame accepts, and the frame went on with an empty bearer.",
        remedy="Find out why getClientSecret gave no usable secret.",
        finds=backend_without_secret,
        symptom_of=(Layer.SESSION, Layer.UPSTREAM, Layer.DOMAIN, "workflow-id-missing"),
        covers=("conversation-401-at-boot", "session-secret-rejected-silently"),
    ),
    Rule(
        id="backend-rejects-secret",
        layer=Layer.BACKEND,
        outlives_mount=True,
        title="OpenAI does not accept the client secret",
        cause="The secret is expired, cancelled, or of another project or region.",
        remedy="Make a fresh session whenever getClientSecret is called; do not keep secrets.",
        finds=backend_rejects_secret,
        confidence=Confidence.LIKELY,
        symptom_of=("mock-secret", "stale-secret-returned", "verification-unauthorized"),
        covers=("conversation-401-at-boot", "conversation-4xx-on-send", "session-secret-stale-returned"),
        doc=f"{CHATKIT_JS}guides/authentication",
    ),
    Rule(
        id="backend-rate-limited",
        layer=Layer.BACKEND,
        outlives_mount=True,
        title="The session's requests are used up",
        cause="Sessions allow ten requests a minute unless told otherwise, and history and repeats count.",
        remedy="Raise rate_limits.max_requests_per_1_minute when the session is made; slow the test down.",
        finds=backend_rate_limited,
        covers=("conversation-429",),
    ),
    Rule(
        id="initial-thread-missing",
        layer=Layer.BACKEND,
        outlives_mount=True,
        title="The thread to begin with does not exist",
        cause="initialThread names a thread that was deleted, or that belongs to another user or project.",
        remedy="Forget the stored id when this error comes.",
        finds=initial_thread_missing,
        covers=("conversation-initial-thread-missing",),
    ),
    Rule(
        id="backend-refuses",
        layer=Layer.BACKEND,
        outlives_mount=True,
        title="OpenAI's backend refuses the call",
        cause="An unknown thread, or a request that does not fit the session.",
        remedy="Read the answer's body; start with a new thread.",
        finds=backend_refuses,
        covers=("conversation-4xx-on-send",),
    ),
    Rule(
        id="backend-failing",
        layer=Layer.BACKEND,
        outlives_mount=True,
        title="OpenAI's backend fails",
        cause="An error on OpenAI's side, or of the workflow; the frame repeats up to five times.",
        remedy="Look at the workflow's run log and at https://status.openai.com.",
        finds=backend_failing,
        covers=("conversation-5xx-or-not-sse", "domain-sudden-failure"),
        doc="https://status.openai.com",
    ),
    Rule(
        id="backend-unreachable",
        layer=Layer.BACKEND,
        outlives_mount=True,
        title="The frame does not reach OpenAI's backend",
        cause="A firewall, a blocker or DNS keeps the browser from OpenAI's API.",
        remedy="Allow api.openai.com, us.api.openai.com and eu.api.openai.com on this network.",
        finds=backend_unreachable,
        covers=("policy-adblock",),
    ),
    Rule(
        id="backend-error-behind-cors",
        layer=Layer.BACKEND,
        outlives_mount=True,
        title="A failure of the backend looks like CORS",
        cause="An error answer without CORS headers makes the browser hide its status behind a CORS message.",
        remedy="Look at the answer's own status; for tool results check size and shape.",
        finds=backend_error_behind_cors,
        confidence=Confidence.LIKELY,
        covers=("conversation-client-tool-output",),
    ),
    Rule(
        id="stream-dropped",
        layer=Layer.BACKEND,
        title="The transport drops the stream",
        cause="A long stream over QUIC broke.",
        remedy="Try again in a new thread; switch QUIC off to confirm it.",
        finds=stream_dropped,
        outlives_mount=True,
        covers=("conversation-quic-drop",),
    ),
    Rule(
        id="custom-backend-unauthorized",
        layer=Layer.BACKEND,
        outlives_mount=True,
        title="The app's chat backend does not accept the caller",
        cause="Its own authentication misses a cookie, a header or a token. ChatKit shows nothing of it.",
        remedy="Pass a fetch function in `api` that adds the credentials.",
        finds=custom_backend_unauthorized,
        covers=("custom-backend-401",),
        doc=CHATKIT_JS,
    ),
    Rule(
        id="custom-backend-not-found",
        layer=Layer.BACKEND,
        outlives_mount=True,
        title="There is no chat backend at api.url",
        cause="A wrong path, a route that is not mounted, or one that does not take POST.",
        remedy='Mount the endpoint there; test it with a real request such as {"type": "threads.list", "params": {}}.',
        finds=custom_backend_not_found,
        covers=("custom-backend-404-or-500",),
        doc=CHATKIT_PYTHON,
    ),
    Rule(
        id="custom-backend-answers-page",
        layer=Layer.BACKEND,
        title="A web page answers in place of the chat backend",
        cause="A single-page fallback or a sign-in page stands at api.url. ChatKit takes it for an empty answer: no history, no reply.",
        remedy="Mount the endpoint there, before the fallback.",
        finds=custom_backend_answers_page,
        stops_mount=False,
        covers=("custom-backend-404-or-500", "conversation-5xx-or-not-sse"),
        doc=CHATKIT_PYTHON,
    ),
    Rule(
        id="custom-backend-refuses",
        layer=Layer.BACKEND,
        outlives_mount=True,
        title="The app's chat backend refuses the call",
        cause="The endpoint does not understand ChatKit's requests, or refuses this one.",
        remedy="Hand the request's body to the ChatKit server library unchanged.",
        finds=custom_backend_refuses,
        doc=CHATKIT_PYTHON,
    ),
    Rule(
        id="custom-backend-failing",
        layer=Layer.BACKEND,
        outlives_mount=True,
        title="The app's chat backend fails",
        cause="An exception in the endpoint or in its store: a method with other arguments than the library's, a database that is away.",
        remedy="Look at the server's log at this moment.",
        finds=custom_backend_failing,
        covers=("custom-backend-404-or-500", "conversation-5xx-or-not-sse"),
        doc=CHATKIT_PYTHON,
    ),
    Rule(
        id="custom-backend-blocked-by-cors",
        layer=Layer.BACKEND,
        outlives_mount=True,
        title="The app's chat backend does not allow the page's origin",
        cause="In custom mode the page itself makes the calls, with headers of ChatKit's own that CORS must allow.",
        remedy="Allow the page's origin, POST and OPTIONS, and the headers content-type, accept-language and chatkit-frame-instance-id.",
        finds=custom_backend_blocked_by_cors,
        covers=("custom-backend-cors",),
        doc=f"{MDN}HTTP/Guides/CORS",
    ),
    Rule(
        id="custom-backend-over-plain-http",
        layer=Layer.BACKEND,
        outlives_mount=True,
        title="A secure page has a chat backend of plain http",
        cause="Browsers do not send requests of https pages to http addresses. Verification is skipped then too, which hides it.",
        remedy="Serve the backend over https.",
        finds=custom_backend_over_plain_http,
        covers=("custom-backend-mixed-content",),
        doc=f"{MDN}Security/Mixed_content",
    ),
    Rule(
        id="custom-backend-blocked-by-csp",
        layer=Layer.BACKEND,
        outlives_mount=True,
        title="The page's Content-Security-Policy blocks its chat backend",
        cause="In custom mode the page itself makes the calls, and connect-src does not name api.url's origin.",
        remedy="Add it to connect-src.",
        finds=custom_backend_blocked_by_csp,
        covers=("policy-csp-connect-src",),
        doc=f"{MDN}HTTP/Reference/Headers/Content-Security-Policy/connect-src",
    ),
    Rule(
        id="custom-backend-blocked-by-browser",
        layer=Layer.BACKEND,
        outlives_mount=True,
        title="The browser keeps the page from its chat backend",
        cause="A blocker, or the guard of the local network against public pages.",
        remedy="Exempt the site from the blocker; serve page and backend from the same place.",
        finds=custom_backend_blocked_by_browser,
        covers=("policy-adblock",),
    ),
    Rule(
        id="custom-backend-unreachable",
        layer=Layer.BACKEND,
        outlives_mount=True,
        title="The app's chat backend cannot be reached",
        cause="The backend is not running, or scheme, host or port of api.url are wrong.",
        remedy="Start it; compare api.url with the address that it listens on.",
        finds=custom_backend_unreachable,
        covers=("custom-backend-404-or-500",),
    ),
    Rule(
        id="backend-unanswered",
        layer=Layer.BACKEND,
        title="The chat backend does not answer",
        cause="The first call hangs: a backend that waits for something, or a connection that is held open.",
        remedy="Look at the server's log; give the backend a time limit.",
        finds=backend_unanswered,
    ),
    Rule(
        id="stream-of-wrong-type",
        layer=Layer.BACKEND,
        title="The backend answers a stream request with something else",
        cause="The endpoint, or a proxy before it, sends JSON or HTML, or leaves the content type out.",
        remedy="Answer with content-type text/event-stream, and switch buffering and rewriting off in proxies.",
        finds=stream_of_wrong_type,
        stops_mount=False,
        covers=("conversation-5xx-or-not-sse",),
        doc=CHATKIT_PYTHON,
    ),
    Rule(
        id="stream-event-unreadable",
        layer=Layer.BACKEND,
        title="The stream holds what is no event",
        cause="Chunks that were formatted already are wrapped in `data:` again, or the backend writes something of its own.",
        remedy="Forward the ChatKit server's chunks as they are.",
        finds=stream_event_unreadable,
        stops_mount=False,
        covers=("custom-backend-double-wrapped-sse",),
        doc=CHATKIT_PYTHON,
    ),
    Rule(
        id="stream-of-foreign-protocol",
        layer=Layer.BACKEND,
        title="The backend streams events that ChatKit does not know",
        cause="Other event names than those of ChatKit's threads are ignored without a word.",
        remedy="Use the ChatKit server library, or send its events.",
        finds=stream_of_foreign_protocol,
        confidence=Confidence.POSSIBLE,
        stops_mount=False,
        covers=("custom-backend-foreign-protocol",),
        doc=CHATKIT_PYTHON,
    ),
    Rule(
        id="reply-failed",
        layer=Layer.BACKEND,
        title="The backend fails while it answers",
        cause="The workflow or the backend failed after the stream had begun: a model the organisation may not use, an unsupported "
        "setting, a version that does not exist, a tool that failed, replies that were not kept.",
        remedy="Open the run in the platform's log by the thread's id; try with a plain model and without a version.",
        finds=reply_failed,
        confidence=Confidence.LIKELY,
        stops_mount=False,
        covers=(
            "conversation-stream-error-event",
            "openai-sessions-version-latest",
            "conversation-org-verification",
            "custom-backend-zero-data-retention",
        ),
    ),
    Rule(
        id="history-unreadable",
        layer=Layer.BACKEND,
        title="A thread of the history cannot be loaded",
        cause="The store does not have its items, or cannot read them; or the session has expired.",
        remedy="Keep items when they are done; look at the server's log.",
        finds=history_unreadable,
        stops_mount=False,
        covers=("conversation-history-fails",),
    ),
    Rule(
        id="sentinel-blocked",
        layer=Layer.BACKEND,
        title="OpenAI's anti-abuse script is blocked",
        cause="A blocker or a firewall stops sentinel.openai.com. The widget goes on without it.",
        remedy="Allow sentinel.openai.com and chatgpt.com.",
        finds=sentinel_blocked,
        stops_mount=False,
        covers=("policy-sentinel-blocked", "policy-coep-sentinel"),
    ),
)

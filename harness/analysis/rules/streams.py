"""Failures of replies and histories in a conversation.

In: facts. Out: findings of the backend's layer; most of them concern mounted widgets.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.facts.facts import Facts, evidence_of
from harness.analysis.facts.roles import is_conversation
from harness.analysis.rules.rule import (
    CHATKIT_PYTHON,
    Confidence,
    Found,
    Layer,
    Party,
    Rule,
    lines_of,
    on_one_line,
    told,
)

FAILED_REPLY = r"^StreamError|error while generating the assistant"
BAD_EVENT = r"StreamEventParsingError|Failed to parse stream event"
NO_HISTORY = r"HistoryViewError|Failed to load conversation"


def stream_dropped(facts: Facts) -> Iterator[Found]:
    """The connection of a stream was lost."""
    dropped = [x for x in facts.calls if "QUIC" in x.failure]
    said = facts.console_about("ERR_QUIC_PROTOCOL_ERROR")
    if dropped or said:
        evidence = tuple(seq for x in dropped[:2] for seq in evidence_of(x)) + lines_of(said[:2])
        yield Found(summary=told(dropped[0]) if dropped else on_one_line(said[0].event.text), evidence=evidence)


STREAM_DROPPED = Rule(
    id="stream-dropped",
    layer=Layer.BACKEND,
    owner=Party.NETWORK,
    title="The connection of the stream was lost",
    cause="A long stream over QUIC was interrupted.",
    remedy="Try again in a new thread. To confirm the cause, disable QUIC.",
    finds=stream_dropped,
    outlives_mount=True,
    covers=("conversation-quic-drop",),
)


def stream_of_wrong_type(facts: Facts) -> Iterator[Found]:
    """A stream was requested, and the response is not a stream."""
    wrong = [
        x for x in facts.calls
        if x.wants_stream and 200 <= x.status < 300 and x.media_type != "text/event-stream"
    ]  # fmt: skip
    if wrong:
        yield Found(
            summary=f"{told(wrong[-1])} with {wrong[-1].media_type or 'no content type'} where text/event-stream is expected",
            evidence=tuple(seq for x in wrong[-3:] for seq in evidence_of(x)),
        )


STREAM_OF_WRONG_TYPE = Rule(
    id="stream-of-wrong-type",
    layer=Layer.BACKEND,
    owner=Party.APP,
    title="The backend's response to a stream request is not a stream",
    cause="The endpoint, or a proxy in front of it, sends JSON or HTML, or no content type.",
    remedy="Answer with content-type text/event-stream, and disable buffering and rewriting in proxies.",
    finds=stream_of_wrong_type,
    stops_mount=False,
    covers=("conversation-5xx-or-not-sse",),
    doc=CHATKIT_PYTHON,
)


def stream_event_unreadable(facts: Facts) -> Iterator[Found]:
    """A stream contains data that is not an event."""
    errors = facts.errors_about(BAD_EVENT)
    if errors:
        yield Found(summary=on_one_line(errors[0].message), evidence=tuple(e.seq for e in errors[:4]))


STREAM_EVENT_UNREADABLE = Rule(
    id="stream-event-unreadable",
    layer=Layer.BACKEND,
    owner=Party.APP,
    title="The stream contains data that is not an event",
    cause="The backend wraps chunks that are already formatted in `data:` again, or writes other text into the stream.",
    remedy="Forward the ChatKit server's chunks unchanged.",
    finds=stream_event_unreadable,
    stops_mount=False,
    covers=("custom-backend-double-wrapped-sse",),
    doc=CHATKIT_PYTHON,
)


def stream_of_foreign_protocol(facts: Facts) -> Iterator[Found]:
    """A stream was received, and ChatKit knows none of its events."""
    streams = [x for x in facts.calls if x.wants_stream and 200 <= x.status < 300 and not is_conversation(x)]
    names = {s.event.name: s.seq for s in facts.events}
    is_over = "chatkit.response.start" in names and "chatkit.response.end" in names
    is_mute = is_over and "chatkit.thread.change" not in names and not facts.errors
    if streams and is_mute and streams[-1].media_type == "text/event-stream":
        yield Found(
            summary=f"{streams[-1].url} streamed events, but no thread was created: ChatKit ignores events that it "
            "does not know",
            evidence=(*evidence_of(streams[-1]), names["chatkit.response.start"], names["chatkit.response.end"]),
        )


STREAM_OF_FOREIGN_PROTOCOL = Rule(
    id="stream-of-foreign-protocol",
    layer=Layer.BACKEND,
    owner=Party.APP,
    title="The backend streams events that ChatKit does not know",
    cause="ChatKit ignores other event names than those of its threads and reports no error.",
    remedy="Use the ChatKit server library, or send its events.",
    finds=stream_of_foreign_protocol,
    confidence=Confidence.POSSIBLE,
    stops_mount=False,
    covers=("custom-backend-foreign-protocol",),
    doc=CHATKIT_PYTHON,
)


def reply_failed(facts: Facts) -> Iterator[Found]:
    """The backend failed after its reply had begun."""
    errors = facts.errors_about(FAILED_REPLY)
    if errors:
        yield Found(
            summary=on_one_line(f"{errors[0].name}: {errors[0].message}"), evidence=tuple(e.seq for e in errors[:4])
        )


REPLY_FAILED = Rule(
    id="reply-failed",
    layer=Layer.BACKEND,
    owner=Party.API,
    title="The backend fails during its reply",
    cause="The workflow or the backend failed after the stream had begun: a model that the organisation may not "
    "use, an unsupported setting, a version that does not exist, a failed tool, or replies that were not "
    "stored.",
    remedy="Find the run in the platform's log by the thread's id. Try a standard model, and no version.",
    finds=reply_failed,
    confidence=Confidence.LIKELY,
    stops_mount=False,
    covers=(
        "conversation-stream-error-event",
        "openai-sessions-version-latest",
        "conversation-org-verification",
        "custom-backend-zero-data-retention",
    ),
)


def history_unreadable(facts: Facts) -> Iterator[Found]:
    """A thread of the history cannot be loaded."""
    errors = facts.errors_about(NO_HISTORY)
    if errors:
        yield Found(summary=on_one_line(errors[0].message), evidence=tuple(e.seq for e in errors[:4]))


HISTORY_UNREADABLE = Rule(
    id="history-unreadable",
    layer=Layer.BACKEND,
    owner=Party.APP,
    title="A thread of the history cannot be loaded",
    cause="The store does not have the thread's items or cannot read them, or the session has expired.",
    remedy="Store the items when they are complete; check the server's log.",
    finds=history_unreadable,
    stops_mount=False,
    covers=("conversation-history-fails",),
)


RULES = (
    STREAM_DROPPED,
    STREAM_OF_WRONG_TYPE,
    STREAM_EVENT_UNREADABLE,
    STREAM_OF_FOREIGN_PROTOCOL,
    REPLY_FAILED,
    HISTORY_UNREADABLE,
)

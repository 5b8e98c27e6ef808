"""The messages between the frame and the page: whether they are delivered.

In: facts. Out: findings of this layer.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.facts.facts import Facts, evidence_of
from harness.analysis.rules.backend import failed_call
from harness.analysis.rules.network import Obstacle, obstacle_of
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
    with_loaded,
)

MISADDRESSED = r"Failed to execute 'postMessage'.{0,40}target origin provided \('([^']*)'\)"


def page_from_file(facts: Facts) -> Iterator[Found]:
    """The page is a file, and the frame cannot send messages to a file."""
    said = facts.console_about("target origin provided ('file://')")
    if said or (
        facts.page.url.startswith("file:") and facts.is_settled and facts.is_configured and not facts.has_frame_spoken
    ):
        yield Found(
            summary="the page was opened from a file, so the frame's messages cannot be delivered to it",
            evidence=lines_of(said[:4]) or with_loaded(facts, facts.page.seq),
            confidence=None if said else Confidence.LIKELY,
        )


PAGE_FROM_FILE = Rule(
    id="page-from-file",
    layer=Layer.HANDSHAKE,
    owner=Party.APP,
    title="The page is opened from a file",
    cause="A file has an opaque origin, so the frame cannot send messages to it.",
    remedy="Serve the page over http or https; localhost is enough. A web view needs an https base URL.",
    finds=page_from_file,
    covers=("handshake-file-origin", "policy-webview"),
)


def page_of_opaque_origin(facts: Facts) -> Iterator[Found]:
    """The page's document has an opaque origin."""
    session, backend = facts.failed_session, failed_call(facts, hosted=False)
    for exchange in (session.exchange if session else None, backend):
        if exchange is not None and obstacle_of(facts, exchange) is Obstacle.OPAQUE:
            yield Found(
                summary="the document has an opaque origin (a sandbox without allow-same-origin): the page's own server is another "
                f"origin to it, and {told(exchange)}",
                evidence=evidence_of(exchange),
            )
            return
    is_deaf = facts.is_settled and facts.is_configured and not facts.has_frame_spoken
    is_delivered = facts.frame_document is not None and 200 <= facts.frame_document.status < 300
    if facts.page.origin == "null" and not facts.page.url.startswith("file:") and is_deaf and is_delivered:
        yield Found(
            summary="the document that holds the element has an opaque origin (a sandbox without "
            "allow-same-origin): the frame was loaded, and its messages are not delivered",
            evidence=with_loaded(facts, *(evidence_of(facts.frame_document) if facts.frame_document else ())),
        )


PAGE_OF_OPAQUE_ORIGIN = Rule(
    id="page-of-opaque-origin",
    layer=Layer.HANDSHAKE,
    owner=Party.APP,
    title="The page's document has an opaque origin",
    cause="The page is in a sandboxed iframe, or its policy has `sandbox`, without allow-same-origin. Previews of "
    "site builders and portals often do that.",
    remedy="Add allow-same-origin, or open the page outside of the sandbox.",
    finds=page_of_opaque_origin,
    covers=("handshake-opaque-sandbox", "policy-webview"),
    doc=f"{MDN}HTML/Reference/Elements/iframe#sandbox",
)


def messages_misaddressed(facts: Facts) -> Iterator[Found]:
    """The frame sends its messages to another origin than the page's."""
    said = [s for s in facts.console_about(pattern=MISADDRESSED) if "('file://')" not in s.event.text]
    said = [s for s in said if "openai.com')" not in s.event.text.split("does not match")[0]]
    if said and facts.is_configured and not facts.has_frame_spoken and facts.page.origin != "null":
        yield Found(summary=on_one_line(said[0].event.text), evidence=lines_of(said[:4]))


MESSAGES_MISADDRESSED = Rule(
    id="messages-misaddressed",
    layer=Layer.HANDSHAKE,
    owner=Party.APP,
    title="The frame sends its messages to another origin than the page's",
    cause="The page's origin changed after the frame was loaded, or the page's referrer is another page.",
    remedy="Do not set document.domain or rewrite referrers on this page.",
    finds=messages_misaddressed,
    confidence=Confidence.LIKELY,
)


RULES = (
    PAGE_FROM_FILE,
    PAGE_OF_OPAQUE_ORIGIN,
    MESSAGES_MISADDRESSED,
)

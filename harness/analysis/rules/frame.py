"""The frame: its document, its scripts, and the app in it.

In: facts. Out: findings of the layers frame and handshake. `chatkit.ready` and `data-loaded` prove nothing here: any loaded document
causes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.analysis.facts.exchanges import Exchange, split_url
from harness.analysis.facts.facts import Facts, evidence_of, is_official, is_same_target
from harness.analysis.mount.tracks import Element
from harness.analysis.mount.verdict import Outcome
from harness.analysis.rules.network import (
    NO_EMBEDDING,
    Obstacle,
    is_challenge,
    is_isolated,
    is_page,
    network_confidence,
    obstacle_of,
)
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
from harness.model.addresses import SENTINEL
from harness.model.chatkit import RESPONSE_START

NO_UUID = r"crypto\.randomUUID is not a function|randomUUID.{0,20}not a function"
INSECURE = r"(DOMException|SecurityError)?.*The operation is insecure|Failed to read the '(local|session)Storage'"
NO_PARAMETERS = r"Invalid ChatKit frame parameters"
ASSET = re.compile(r"/assets/ck\d*/index-[\w-]+\.js|/index-[\w-]+\.js")
MANY_LOADS = 3
SENT = RESPONSE_START  # the frame accepted a message, and did not call its backend yet
_NETWORK = "Try another network, without VPN or proxy. Report it to OpenAI with the ray id of the response."


def _failed_document(facts: Facts) -> Exchange | None:
    document = facts.frame_document
    if document is None or facts.has_frame_spoken or not (document.failure or document.status >= 400):
        return None
    return document


NOT_THERE = (404, 410)  # no other error shows that the copy's address is wrong


def _copy(facts: Facts) -> Exchange | None:
    """The loader that did not come from the CDN: a script with the loader's name, or one in the folder where the frame is requested."""
    frame = facts.frame_document
    arrived = [
        x for x in facts.exchanges
        if x.request.resource_type == "script" and 200 <= x.status < 300 and not is_official(x.url)
    ]  # fmt: skip
    named = [x for x in arrived if x in facts.loaders]
    beside = [x for x in arrived if frame and x.url.rpartition("/")[0] == frame.url.rpartition("/")[0]]
    return next(iter((*named, *beside)), None)


def frame_beside_copied_loader(facts: Facts) -> Iterator[Found]:
    """A copy of the loader requests the frame from its own folder."""
    document = facts.frame_document
    loader = _copy(facts)
    if document is None or loader is None or facts.has_frame_spoken or is_official(document.url):
        return
    if document.status in NOT_THERE:
        yield Found(
            summary=f"the loader came from {loader.url}, so it requests its frame from the same folder: "
            f"{told(document)}",
            evidence=(loader.seq, *evidence_of(document)),
        )
    elif 200 <= document.status < 300 and facts.is_settled and not _failed_scripts(facts):
        yield Found(
            summary=f"the loader came from {loader.url}, so it requests its frame from the same folder, and the "
            "document there is not ChatKit's",
            evidence=(loader.seq, *evidence_of(document)),
            confidence=Confidence.LIKELY,
        )


FRAME_BESIDE_COPIED_LOADER = Rule(
    id="frame-beside-copied-loader",
    layer=Layer.FRAME,
    owner=Party.APP,
    title="A copied loader requests its frame from the wrong server",
    cause="The loader requests its frame from its own folder. When a copy, a proxy or an optimiser serves the "
    "loader from another address, the frame is not there.",
    remedy="Load the script from the CDN, and exempt it from the optimiser. A mirror must also serve the frame "
    "and /assets/ck1.",
    finds=frame_beside_copied_loader,
    covers=("script-self-hosted-relative-frame",),
)


def frame_challenged(facts: Facts) -> Iterator[Found]:
    """Bot protection answers instead of the frame or its script."""
    document = _failed_document(facts)
    if document is not None and is_challenge(document):
        yield Found(summary=f"{told(document)}: a challenge page", evidence=evidence_of(document))
        return
    scripts = [x for x in _failed_scripts(facts) if is_challenge(x)]
    if scripts:
        yield Found(summary=f"{told(scripts[0])}: a challenge page", evidence=evidence_of(scripts[0]))


FRAME_CHALLENGED = Rule(
    id="frame-challenged",
    layer=Layer.FRAME,
    owner=Party.CDN,
    title="The CDN answers with a bot challenge instead of the frame",
    cause="Bot protection in front of the CDN does not trust the browser or its IP address. Its challenge cannot "
    "be solved inside a frame.",
    remedy=_NETWORK,
    finds=frame_challenged,
    confidence=Confidence.LIKELY,
    covers=("frame-bundle-challenge", "frame-challenge-loop"),
)


def frame_refused(facts: Facts) -> Iterator[Found]:
    """The request for the frame's document is answered with an error."""
    document = _failed_document(facts)
    if (
        document is None
        or document.status < 400
        or is_challenge(document)
        or (document.status in NOT_THERE and _copy(facts) and not is_official(document.url))
    ):
        return
    ready = "; chatkit.ready fired although the frame failed" if facts.mount.has_ready_event else ""
    yield Found(summary=f"{told(document)}{ready}", evidence=evidence_of(document))


FRAME_REFUSED = Rule(
    id="frame-refused",
    layer=Layer.FRAME,
    owner=Party.CDN,
    title="The request for the frame's document is answered with an error",
    cause='The loader was delivered, its frame was not. Status 400 ("badly formed") is known to come from '
    "internet providers and networks on the path; the app cannot change it.",
    remedy=_NETWORK,
    finds=frame_refused,
    covers=("frame-cdn-400",),
)


def frame_blocked_by_csp(facts: Facts) -> Iterator[Found]:
    """The page's policy does not allow the frame."""
    if facts.has_frame_spoken or not facts.is_configured:
        return
    sources = {s.event.iframe_src for s in facts.shadows if s.event.iframe_src}
    hits = [
        s for s in facts.violations
        if s.event.directive.startswith(("frame-src", "child-src", "default-src"))
        and any(is_same_target(s.event.blocked_url, src) for src in sources)
    ]  # fmt: skip
    document = _failed_document(facts)
    if hits:
        yield Found(
            summary=f"{hits[0].event.directive} of the page's Content-Security-Policy does not allow {hits[0].event.blocked_url}",
            evidence=(*lines_of(hits), *(evidence_of(document) if document else ())),
        )
    elif document is not None and obstacle_of(facts, document) is Obstacle.CSP:
        yield Found(summary=told(document), evidence=evidence_of(document))


FRAME_BLOCKED_BY_CSP = Rule(
    id="frame-blocked-by-csp",
    layer=Layer.FRAME,
    owner=Party.APP,
    title="The page's Content-Security-Policy blocks the frame",
    cause="frame-src (or child-src or default-src, when frame-src is missing) does not list the CDN.",
    remedy="Add https://cdn.platform.openai.com to frame-src.",
    finds=frame_blocked_by_csp,
    covers=("policy-csp-frame-src",),
    doc=f"{MDN}HTTP/Reference/Headers/Content-Security-Policy/frame-src",
)


def frame_forbids_embedding(facts: Facts) -> Iterator[Found]:
    """The headers of the frame's document forbid embedding it in another page."""
    document = _failed_document(facts)
    if document is None:
        return
    said = facts.console_about(
        split_url(document.url).netloc,
        pattern=r"(Refused to display|Framing) [^\n]{0,200}(X-Frame-Options|frame-ancestors)",
    )
    policy = document.headers.get("content-security-policy", "")
    forbids = "x-frame-options" in document.headers or "frame-ancestors" in policy
    if said or document.failure in NO_EMBEDDING or (forbids and obstacle_of(facts, document) is Obstacle.RESPONSE):
        yield Found(
            summary=on_one_line(said[0].event.text) if said else f"{told(document)}; its headers forbid embedding",
            evidence=(*evidence_of(document), *lines_of(said)),
        )


FRAME_FORBIDS_EMBEDDING = Rule(
    id="frame-forbids-embedding",
    layer=Layer.FRAME,
    owner=Party.CDN,
    title="The frame's document forbids embedding",
    cause="The response has X-Frame-Options or frame-ancestors. The CDN does not send these headers, so a proxy "
    "or mirror on the path adds them.",
    remedy="Find the proxy or mirror that adds the header.",
    finds=frame_forbids_embedding,
    doc=f"{MDN}HTTP/Reference/Headers/X-Frame-Options",
)


def frame_blocked_by_coep(facts: Facts) -> Iterator[Found]:
    """The page sends Cross-Origin-Embedder-Policy, and the frame does not opt in."""
    document = _failed_document(facts)
    if document is None or obstacle_of(facts, document) is not Obstacle.RESPONSE:
        return
    if any(frame_forbids_embedding(facts)):
        return
    policy = facts.page.header("cross-origin-embedder-policy")
    yield Found(
        summary=told(document) + (f"; the page sends Cross-Origin-Embedder-Policy: {policy}" if policy else ""),
        evidence=(facts.page.seq, *evidence_of(document)) if policy else evidence_of(document),
        confidence=None if is_isolated(policy, document) else Confidence.LIKELY,
    )


FRAME_BLOCKED_BY_COEP = Rule(
    id="frame-blocked-by-coep",
    layer=Layer.FRAME,
    owner=Party.APP,
    title="The page's isolation headers block the frame",
    cause="With Cross-Origin-Embedder-Policy: require-corp, every frame must send the header too, and ChatKit's "
    "frame does not.",
    remedy="Remove the header on this page, or try the value credentialless.",
    finds=frame_blocked_by_coep,
    covers=("policy-coep-host",),
    doc=f"{MDN}HTTP/Reference/Headers/Cross-Origin-Embedder-Policy",
)


def frame_blocked_by_client(facts: Facts) -> Iterator[Found]:
    """The browser itself blocks the frame or its script."""
    document = _failed_document(facts)
    blocked = [
        x
        for x in (*([document] if document else []), *_failed_scripts(facts))
        if obstacle_of(facts, x) is Obstacle.CLIENT
    ]
    if blocked:
        yield Found(summary=told(blocked[0]), evidence=evidence_of(blocked[0]))


FRAME_BLOCKED_BY_CLIENT = Rule(
    id="frame-blocked-by-client",
    layer=Layer.FRAME,
    owner=Party.NETWORK,
    title="The browser blocks the frame",
    cause="An extension, an ad blocker or a rule of the browser blocks the request.",
    remedy="Exempt cdn.platform.openai.com from the blocker on this site.",
    finds=frame_blocked_by_client,
    covers=("policy-adblock",),
)


def frame_unreachable(facts: Facts) -> Iterator[Found]:
    """The network does not deliver the frame's document."""
    document = _failed_document(facts)
    if document is not None and obstacle_of(facts, document) in (
        Obstacle.UNREACHABLE,
        Obstacle.ABORTED,
        Obstacle.HERMETIC,
    ):
        if facts.mount.element is Element.DISCONNECTED:
            return
        yield Found(
            summary=told(document),
            evidence=evidence_of(document),
            confidence=network_confidence(document)
            if obstacle_of(facts, document) is Obstacle.UNREACHABLE
            else Confidence.LIKELY,
        )


FRAME_UNREACHABLE = Rule(
    id="frame-unreachable",
    layer=Layer.FRAME,
    owner=Party.CDN,
    title="The frame's document cannot be fetched",
    cause="The connection to the CDN failed after the loader was delivered.",
    remedy=_NETWORK,
    finds=frame_unreachable,
    symptom_of=("widget-remounted",),
    covers=("script-network-blocked",),
)


def frame_unanswered(facts: Facts) -> Iterator[Found]:
    """The request for the frame's document or script is not answered."""
    if facts.outcome is not Outcome.TIMEOUT or facts.has_frame_spoken:
        return
    waiting = [x for x in (*facts.frame_documents[-1:], *facts.frame_scripts) if x.is_open]
    if waiting:
        waited_s = (facts.decided_at_ms - waiting[0].started_at_ms) / 1000
        yield Found(
            summary=f"{waiting[0].request.method} {waiting[0].url} has not received a complete response for "
            f"{waited_s:.1f} s",
            evidence=evidence_of(waiting[0]),
        )


FRAME_UNANSWERED = Rule(
    id="frame-unanswered",
    layer=Layer.FRAME,
    owner=Party.CDN,
    title="The request for the frame's document or script is not answered",
    cause="The connection to the CDN stays open without a response.",
    remedy=_NETWORK,
    finds=frame_unanswered,
    symptom_of=("widget-remounted",),
)


def frame_script_missing(facts: Facts) -> Iterator[Found]:
    """The frame's document was delivered, and its script was not."""
    scripts = [
        x for x in _failed_scripts(facts)
        if not is_challenge(x) and obstacle_of(facts, x) is not Obstacle.CLIENT
    ]  # fmt: skip
    if scripts:
        yield Found(
            summary=f"the frame's document arrived, and {told(scripts[0])}",
            evidence=(*(evidence_of(facts.frame_document) if facts.frame_document else ()), *evidence_of(scripts[0])),
            confidence=None if ASSET.search(scripts[0].url) else Confidence.LIKELY,  # the frame may work without it
        )


FRAME_SCRIPT_MISSING = Rule(
    id="frame-script-missing",
    layer=Layer.FRAME,
    owner=Party.CDN,
    title="The frame's script is not delivered",
    cause="The document refers to the files of its build. A cache, a proxy or an incomplete mirror does not have them.",
    remedy="Reload without the cache. A mirror must also serve /assets/ck1. " + _NETWORK,
    finds=frame_script_missing,
    covers=("frame-bundle-challenge",),
)


def frame_script_no_script(facts: Facts) -> Iterator[Found]:
    """The file delivered as the frame's script is not a script."""
    if facts.has_frame_spoken or not facts.is_settled:
        return
    wrong = [x for x in facts.frame_scripts if 200 <= x.status < 300 and is_page(x)]
    if wrong:
        yield Found(
            summary=f"{wrong[0].url} answered {wrong[0].status} with text/html instead of a script",
            evidence=evidence_of(wrong[0]),
            confidence=None if ASSET.search(wrong[0].url) else Confidence.LIKELY,
        )


FRAME_SCRIPT_NO_SCRIPT = Rule(
    id="frame-script-no-script",
    layer=Layer.FRAME,
    owner=Party.CDN,
    title="A web page is delivered instead of the frame's script",
    cause="A fallback, a captive portal or a bot challenge answers with HTML, which browsers do not run as a script.",
    remedy="A mirror must also serve /assets/ck1. " + _NETWORK,
    finds=frame_script_no_script,
    covers=("frame-bundle-challenge",),
)


def page_not_secure(facts: Facts) -> Iterator[Found]:
    """The page is not a secure context, and the frame needs one."""
    if facts.has_frame_spoken or facts.page.is_secure_context:
        return
    errors = facts.page_errors_about(NO_UUID)
    insecure = [s.seq for s in facts.frame_starts if not s.event.is_secure_context]
    if errors or (insecure and facts.is_settled):
        yield Found(
            summary=f"{facts.page.origin} is neither https nor localhost, so the frame has no crypto.randomUUID "
            "and crashes at once",
            evidence=(*insecure[:1], *lines_of(errors[:2])),
            confidence=None if errors else Confidence.LIKELY,
        )
    elif facts.is_settled and not facts.is_configured and facts.page.origin.startswith("http://"):
        yield Found(
            summary=f"{facts.page.origin} is neither https nor localhost: the frame will have no crypto.randomUUID",
            evidence=with_loaded(facts),
            is_prediction=True,
        )


PAGE_NOT_SECURE = Rule(
    id="page-not-secure",
    layer=Layer.FRAME,
    owner=Party.APP,
    title="The page is not a secure context",
    cause="The page is served over plain http from a host other than localhost. The page and its frame cannot use "
    "the APIs that browsers offer only in secure contexts.",
    remedy="Open it as localhost, or serve it over https.",
    finds=page_not_secure,
    covers=("frame-insecure-context",),
    doc=f"{MDN}Security/Secure_Contexts",
)


def frame_address_stripped(facts: Facts) -> Iterator[Found]:
    """The frame's address no longer contains the options."""
    errors, uncaught = facts.errors_about(NO_PARAMETERS), facts.page_errors_about(NO_PARAMETERS)
    if (errors or uncaught) and not facts.is_frame_alive:
        said = errors[0].message if errors else uncaught[0].event.message
        yield Found(summary=on_one_line(said), evidence=(*(e.seq for e in errors), *lines_of(uncaught)))


FRAME_ADDRESS_STRIPPED = Rule(
    id="frame-address-stripped",
    layer=Layer.FRAME,
    owner=Party.APP,
    title="The frame does not find its options in its address",
    cause="The frame was opened directly, or a consent manager or link rewriter changed the iframe's address and "
    "removed the fragment.",
    remedy="Let the loader create the iframe, and exempt it from rewriting.",
    finds=frame_address_stripped,
    covers=("frame-direct-or-hash-stripped",),
)


def frame_storage_refused(facts: Facts) -> Iterator[Found]:
    """The browser blocks storage in the frame, and the frame fails because of it."""
    if facts.has_frame_spoken or facts.frame_document is None:
        return
    errors = [s for s in facts.page_errors_about(INSECURE) if ASSET.search(s.event.stack) or not s.event.stack]
    if errors:
        yield Found(
            summary=on_one_line(f"{errors[0].event.name}: {errors[0].event.message}"), evidence=lines_of(errors[:4])
        )


FRAME_STORAGE_REFUSED = Rule(
    id="frame-storage-refused",
    layer=Layer.FRAME,
    owner=Party.NETWORK,
    title="The browser blocks storage in the frame",
    cause="Tracking protection blocks third-party storage, and this build of the frame does not handle the error.",
    remedy="Use the current build from the CDN. To confirm the cause, disable the protection for this site.",
    finds=frame_storage_refused,
    confidence=Confidence.LIKELY,
    covers=("frame-firefox-storage",),
)


def frame_reload_loop(facts: Facts) -> Iterator[Found]:
    """The frame is loaded many times."""
    if facts.is_frame_alive or facts.mount.element is Element.MOVED or len(facts.frame_documents) <= MANY_LOADS:
        return
    if len(facts.embeds) <= 1 and not _failed_document(facts):
        yield Found(
            summary=f"the frame's document was loaded {len(facts.frame_documents)} times, and its app never started",
            evidence=tuple(x.seq for x in facts.frame_documents[:8]),
        )


FRAME_RELOAD_LOOP = Rule(
    id="frame-reload-loop",
    layer=Layer.FRAME,
    owner=Party.CDN,
    title="The frame reloads again and again",
    cause="A bot challenge in the frame reloads the document each time.",
    remedy=_NETWORK,
    finds=frame_reload_loop,
    confidence=Confidence.LIKELY,
    covers=("frame-challenge-loop",),
)


def frame_app_crashed(facts: Facts) -> Iterator[Found]:
    """The frame's own script threw an error."""
    if facts.has_frame_spoken or facts.frame_document is None or _failed_scripts(facts):
        return
    errors = [s for s in facts.page_errors if ASSET.search(s.event.stack)]
    known = (
        *facts.page_errors_about(NO_UUID),
        *facts.page_errors_about(INSECURE),
        *facts.page_errors_about(NO_PARAMETERS),
    )
    unknown = [s for s in errors if s not in known]
    if unknown:
        yield Found(
            summary=f"uncaught in the frame: {on_one_line(f'{unknown[0].event.name}: {unknown[0].event.message}')}",
            evidence=lines_of(unknown[:4]),
        )


FRAME_APP_CRASHED = Rule(
    id="frame-app-crashed",
    layer=Layer.FRAME,
    owner=Party.CDN,
    title="The app in the frame crashed",
    cause="ChatKit's own code threw an exception while it started.",
    remedy="Try another browser version; report the error to OpenAI.",
    finds=frame_app_crashed,
    confidence=Confidence.LIKELY,
    symptom_of=("frame-script-missing", "page-not-secure", "frame-challenged"),
)


def sentinel_unanswered(facts: Facts) -> Iterator[Found]:
    """The request for the frame's anti-abuse script is not answered, and the load event or a message waits for it."""
    waiting = [x for x in facts.exchanges if SENTINEL in x.path and x.request.resource_type == "script" and x.is_open]
    if not waiting:
        return
    script = f"{waiting[-1].request.method} {waiting[-1].url}"
    if facts.outcome is Outcome.TIMEOUT and facts.mount.element is Element.CONFIGURED:
        waited_s = (facts.decided_at_ms - waiting[-1].started_at_ms) / 1000
        yield Found(
            summary=f"{script} has received no response for {waited_s:.1f} s: the frame's load event waits for it, "
            "and chatkit.ready waits for the load event",
            evidence=evidence_of(waiting[-1]),
        )
    elif facts.is_mounted:
        sent = [s for s in facts.events if s.event.name == SENT]
        if sent and not any(x.seq > sent[-1].seq for x in facts.calls if x.wants_stream):
            yield Found(
                summary=f"{script} has received no response, and the sent message waits for it",
                evidence=(*evidence_of(waiting[-1]), sent[-1].seq),
            )


SENTINEL_UNANSWERED = Rule(
    id="sentinel-unanswered",
    layer=Layer.FRAME,
    owner=Party.NETWORK,
    title="The request for OpenAI's anti-abuse script is not answered",
    cause="A firewall or a proxy keeps the connection to sentinel.openai.com open without a response. (If the "
    "request failed, the frame would continue without the script.) While the frame waits, it does not send "
    "messages. When the request begins before the load event, the frame never finishes loading.",
    remedy="Allow sentinel.openai.com and chatgpt.com, or make the firewall reject the connections at once.",
    finds=sentinel_unanswered,
    outlives_mount=True,
    covers=("policy-sentinel-blocked",),
)


def _failed_scripts(facts: Facts) -> list[Exchange]:
    """The scripts of the frame's document that failed, when its app has not started."""
    if facts.has_frame_spoken:
        return []
    return [x for x in facts.frame_scripts if (x.failure and not x.is_aborted) or x.status >= 400]


RULES = (
    FRAME_BESIDE_COPIED_LOADER,
    FRAME_CHALLENGED,
    FRAME_REFUSED,
    FRAME_BLOCKED_BY_CSP,
    FRAME_FORBIDS_EMBEDDING,
    FRAME_BLOCKED_BY_COEP,
    FRAME_BLOCKED_BY_CLIENT,
    FRAME_UNREACHABLE,
    FRAME_UNANSWERED,
    FRAME_SCRIPT_MISSING,
    FRAME_SCRIPT_NO_SCRIPT,
    PAGE_NOT_SECURE,
    FRAME_ADDRESS_STRIPPED,
    FRAME_STORAGE_REFUSED,
    FRAME_RELOAD_LOOP,
    FRAME_APP_CRASHED,
    SENTINEL_UNANSWERED,
)

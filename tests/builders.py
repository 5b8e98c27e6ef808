"""Builders with defaults for every event, and whole transcripts of visits.

In: only what a test is about. Out: events, and entries stamped with `seq` and `at_ms`. A transcript is a list of steps: events
one millisecond apart, and `pause(ms)` between them. All of it happens on one page, in one document, unless told otherwise.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from harness.model import events
from harness.model.events import Body, Event, Headers
from harness.model.timeline import Entry

ORIGIN = "https://app.test"
PAGE = "https://app.test/chat"
LOADER = "https://cdn.platform.openai.com/deployments/chatkit/chatkit.js"
FRAME = "https://cdn.platform.openai.com/deployments/chatkit/index-abc.html"
SESSION = "https://app.test/api/chatkit/session"
CONVERSATION = "https://us.api.openai.com/v1/chatkit/conversation"
VERIFY_HOSTED = "https://us.api.openai.com/v1/chatkit/domain_keys/verify_hosted"
VERIFY = "https://api.openai.com/v1/chatkit/domain_keys/verify"
CUSTOM = "https://app.test/support/chatkit"
SKIPPED = "Domain verification skipped for https://app.test:8443 - this check is required in production."

DOCUMENT = "d1"  # the page's
FRAME_DOCUMENT = "d2"  # the ChatKit frame's
STYLE = "style"
WRAPPER = "div.ck-wrapper"


def secret_text(name: str = "0123", *, version: str = "00", **claims: Any) -> str:
    """Return a client secret of the real format, put together so that no file holds one."""
    told = json.dumps({"expires_at": 1767226200} | claims)
    return f"ek_{name}_{version}" + base64.b64encode(told.encode()).decode()


# --- entries ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Time that passes between two events."""

    ms: float


Step = Event | Pause
Steps = list[Step]


def pause(ms: float) -> Pause:
    """Return a step in which nothing happens for a while."""
    return Pause(ms=ms)


def entries(*steps: Step | Iterable[Step], start_ms: float = 0.0) -> tuple[Entry, ...]:
    """Return the steps as entries: numbered from 1, each a millisecond and the pauses later than the one before."""
    at_ms, stamped = start_ms, []
    for step in _flat(steps):
        if isinstance(step, Pause):
            at_ms += step.ms
            continue
        at_ms += 1
        stamped.append(Entry(seq=len(stamped) + 1, at_ms=at_ms, event=step))
    return tuple(stamped)


def renumbered(kept: Iterable[Entry]) -> tuple[Entry, ...]:
    """Return the entries with `seq` counted anew, their times untouched."""
    return tuple(replace(entry, seq=seq) for seq, entry in enumerate(kept, start=1))


def _flat(steps: Iterable[Step | Iterable[Step]]) -> Iterator[Step]:
    for step in steps:
        if isinstance(step, Iterable):
            yield from _flat(step)
        else:
            yield step


# --- harness ------------------------------------------------------------------------------------------------------


def visit_started(**changes: Any) -> events.VisitStarted:
    """Return the first line of a visit."""
    defaults = {
        "url": PAGE,
        "project": "app",
        "entry": "topic-generation",
        "scenario": "",
        "browser": "chromium",
        "browser_version": "156.0",
        "viewport": "1280x720",
        "network": "hermetic",
    }
    return events.VisitStarted(**defaults | changes)


def action_taken(action: str = "click", target: str = "Topic Generation") -> events.ActionTaken:
    """Return a click of the harness."""
    return events.ActionTaken(action=action, target=target)


def action_repeated(attempt: int = 2, target: str = "Topic Generation") -> events.ActionRepeated:
    """Return another attempt of the same click."""
    return events.ActionRepeated(action="click", target=target, attempt=attempt)


def action_ended(
    *effect: str, audience: str = "near", attempts: int = 1, waited_ms: float = 0.0, is_loaded: bool = True
) -> events.ActionEnded:
    """Return what became of a click; without an effect it changed nothing."""
    return events.ActionEnded(
        action="click",
        target="Topic Generation",
        attempts=attempts,
        audience=audience,
        effect=effect,
        waited_ms=waited_ms,
        is_loaded=is_loaded,
    )


def navigated(url: str = PAGE, status: int = 200, media_type: str = "text/html") -> events.Navigated:
    """Return the answer to the visit's first navigation."""
    return events.Navigated(url=url, status=status, media_type=media_type)


def caught_up(*, is_answered: bool = True) -> events.CaughtUp:
    """Return the line at which the page had nothing more to say."""
    return events.CaughtUp(is_answered=is_answered)


def heard(ms: float) -> Steps:
    """Return silence of so many milliseconds, and the page's answer that there was nothing."""
    return [Pause(ms=ms - 1), caught_up()]


def harness_fault(where: str = "probe", message: str = "unusable message") -> events.HarnessFault:
    """Return a fault of our own."""
    return events.HarnessFault(where=where, message=message)


def visit_ended(reason: str = "finished") -> events.VisitEnded:
    """Return the last line of a visit."""
    return events.VisitEnded(reason=reason)


def omitted(what: str = "console", limit: str = "1000000 characters") -> events.Omitted:
    """Return the line that stands for what was left out."""
    return events.Omitted(what=what, limit=limit)


# --- in-page probe ------------------------------------------------------------------------------------------------


def document_started(document: str = DOCUMENT, **changes: Any) -> events.DocumentStarted:
    """Return the probe's first words in a document; the page's, unless it is another one."""
    is_top = document == DOCUMENT
    defaults = {
        "url": PAGE if is_top else FRAME,
        "origin": ORIGIN if is_top else "https://cdn.platform.openai.com",
        "is_top": is_top,
        "is_secure_context": True,
        "page_ms": 1.0,
        "time_origin_ms": 1_795_505_737_369.6,
    }
    return events.DocumentStarted(document=document, **defaults | changes)


def document_loaded(document: str = DOCUMENT, page_ms: float = 90.0) -> events.DocumentLoaded:
    """Return the load event of the page's document."""
    return events.DocumentLoaded(document=document, page_ms=page_ms)


def script_referenced(src: str = LOADER, **changes: Any) -> events.ScriptReferenced:
    """Return a script tag that points to the loader."""
    return events.ScriptReferenced(**{"document": DOCUMENT, "page_ms": 2.0, "src": src, "type": ""} | changes)


def lookalike_seen(tag: str = "chatkit-widget", **changes: Any) -> events.LookalikeSeen:
    """Return an element of a name that resembles ChatKit's."""
    return events.LookalikeSeen(**{"document": DOCUMENT, "page_ms": 1_100.0, "tag": tag} | changes)


def notice_shown(text: str = "Initializing ChatKit...", **changes: Any) -> events.NoticeShown:
    """Return a text about the chat: one that asks for patience."""
    return events.NoticeShown(**{"document": DOCUMENT, "page_ms": 99.0, "text": text} | changes)


def options_seen(*api_keys: str, embed: int = 1, **changes: Any) -> events.OptionsSeen:
    """Return the names of a hosted embed's options, or of these under `api`."""
    defaults = {"document": DOCUMENT, "page_ms": 101.0, "keys": ("api", "theme"), "domain_key_format": ""}
    return events.OptionsSeen(embed=embed, api_keys=api_keys or ("getClientSecret",), **defaults | changes)


def element_defined(document: str = DOCUMENT, page_ms: float = 80.0) -> events.ElementDefined:
    """Return the definition of the custom element."""
    return events.ElementDefined(document=document, page_ms=page_ms)


def element_connected(embed: int = 1, page_ms: float = 100.0, document: str = DOCUMENT) -> events.ElementConnected:
    """Return an element that was put into the document."""
    return events.ElementConnected(document=document, embed=embed, page_ms=page_ms)


def element_disconnected(embed: int = 1, page_ms: float = 900.0) -> events.ElementDisconnected:
    """Return an element that was taken out again."""
    return events.ElementDisconnected(document=DOCUMENT, embed=embed, page_ms=page_ms)


def shadow_changed(*children: str, embed: int = 1, data_loaded: bool = False, **changes: Any) -> events.ShadowChanged:
    """Return the shadow root's children; those of a configured element when none are named."""
    shown = children or (STYLE, WRAPPER)
    has_frame = WRAPPER in shown
    defaults = {
        "document": DOCUMENT,
        "page_ms": 101.0,
        "iframe_src": FRAME if has_frame else "",
        "color_scheme": "light" if has_frame or data_loaded else "",
    }
    return events.ShadowChanged(embed=embed, children=shown, data_loaded=data_loaded, **defaults | changes)


def box_changed(width_px: float = 886, height_px: float = 588, *, embed: int = 1, **changes: Any) -> events.BoxChanged:
    """Return a box that a person can see."""
    defaults = {
        "document": DOCUMENT,
        "page_ms": 102.0,
        "is_rendered": True,
        "is_reachable": True,
        "hidden_by": "",
        "covered_by": "",
        "container": "div#chat",
        "container_height_px": 588,
        "height_css": "100%",
    }
    return events.BoxChanged(width_px=width_px, height_px=height_px, embed=embed, **defaults | changes)


def hidden_box(hidden_by: str = "display:none on div#chat", *, embed: int = 1) -> events.BoxChanged:
    """Return the box of an element that nobody can see."""
    return box_changed(0, 0, embed=embed, is_rendered=False, hidden_by=hidden_by)


def widget_event(name: str = "chatkit.ready", *, embed: int = 1, **changes: Any) -> events.WidgetEvent:
    """Return a DOM event of the element."""
    defaults = {"document": DOCUMENT, "page_ms": 160.0, "detail_name": "", "message": ""}
    return events.WidgetEvent(name=name, embed=embed, **defaults | changes)


def frame_message(**changes: Any) -> events.FrameMessage:
    """Return a message from the frame to the page: the log entry `app.init`."""
    defaults = {
        "document": DOCUMENT,
        "page_ms": 150.0,
        "direction": "to_host",
        "embed": 1,
        "type": "event",
        "name": "log",
        "nonce": "",
        "detail_name": "",
        "error_name": "",
        "error_message": "",
        "value_kind": "",
        "value_digest": "",
        "value_format": "",
        "has_current": False,
    }
    return events.FrameMessage(**defaults | changes)


def log(name: str = "app.init", *, embed: int = 1) -> events.FrameMessage:
    """Return a `chatkit.log` of the frame."""
    return frame_message(detail_name=name, embed=embed)


def command(
    name: str = "onGetClientSecret", nonce: str = "n1", *, embed: int = 1, **changes: Any
) -> events.FrameMessage:
    """Return a call of the frame that the page has to answer."""
    return frame_message(type="command", name=name, nonce=nonce, embed=embed, **changes)


def response(nonce: str = "n1", digest: str = "digest-a", **changes: Any) -> events.FrameMessage:
    """Return the page's answer to a call of the frame: a secret of the real format."""
    defaults = {"value_kind": "string", "value_digest": digest, "value_format": "v00"}
    told = {"document": FRAME_DOCUMENT, "direction": "to_frame", "embed": 0, "type": "response", "name": ""}
    return frame_message(nonce=nonce, **told | defaults | changes)


def rejection(nonce: str = "n1", message: str = "the session endpoint answered 401") -> events.FrameMessage:
    """Return the page's answer when `getClientSecret` rejects."""
    return response(nonce, "", value_kind="", value_format="", error_name="Error", error_message=message)


def frame_error(name: str, message: str, *, embed: int = 1) -> events.FrameMessage:
    """Return an error that the frame reports to the page."""
    return frame_message(name="error", error_name=name, error_message=message, embed=embed)


def unmount(embed: int = 1) -> events.FrameMessage:
    """Return the frame's wish to be removed."""
    return frame_message(name="unmount", embed=embed)


def resource_timed(
    url: str = SESSION, started: float = 30.0, ended: float = 60.0, **changes: Any
) -> events.ResourceTimed:
    """Return a resource on the page's own clock."""
    defaults = {"document": DOCUMENT, "page_ms": ended + 1, "initiator": "fetch"}
    return events.ResourceTimed(url=url, started_page_ms=started, response_ended_page_ms=ended, **defaults | changes)


def policy_violated(directive: str = "frame-src", blocked_url: str = FRAME, **changes: Any) -> events.PolicyViolated:
    """Return a violation of the page's Content-Security-Policy."""
    defaults = {"document": DOCUMENT, "page_ms": 101.0, "is_enforced": True, "source": ""}
    return events.PolicyViolated(directive=directive, blocked_url=blocked_url, **defaults | changes)


# --- network ------------------------------------------------------------------------------------------------------


def body(text: str = "{}", media_type: str = "application/json", **changes: Any) -> Body:
    """Return a reference to a kept body; its hash is the text itself, so that a test can read it back."""
    return Body(**{"sha256": text, "size_bytes": len(text), "media_type": media_type} | changes)


def request_started(request_id: str = "r1", url: str = PAGE, **changes: Any) -> events.RequestStarted:
    """Return a request of the page's own code."""
    defaults = {
        "method": "GET",
        "resource_type": "fetch",
        "frame_url": PAGE,
        "is_top_frame": True,
        "is_navigation": False,
        "headers": (("accept", "*/*"),),
        "body": None,
        "string_digests": (),
        "bearer": "",
    }
    return events.RequestStarted(request_id=request_id, url=url, **defaults | changes)


def response_received(request_id: str = "r1", status: int = 200, **changes: Any) -> events.ResponseReceived:
    """Return the headers of an answer."""
    media_type = changes.pop("media_type", "application/json")
    defaults: dict[str, Any] = {
        "status_text": {200: "OK", 401: "Unauthorized", 404: "Not Found"}.get(status, ""),
        "headers": (("content-type", media_type),),
    }
    return events.ResponseReceived(request_id=request_id, status=status, media_type=media_type, **defaults | changes)


def request_finished(request_id: str = "r1", **changes: Any) -> events.RequestFinished:
    """Return the end of an answer."""
    defaults = {"dns_ms": -1.0, "connect_ms": 2.0, "tls_ms": 1.5, "wait_ms": 8.0, "receive_ms": 4.0}
    return events.RequestFinished(request_id=request_id, **defaults | changes)


def body_read(request_id: str = "r1", **changes: Any) -> events.BodyRead:
    """Return a body in which nothing of interest stood."""
    defaults = {
        "body": body(),
        "secret_key": "",
        "secret_digest": "",
        "secret_format": "",
        "is_mock": False,
        "is_verified": None,
        "error_text": "",
        "string_digests": (),
        "unread_reason": "",
    }
    return events.BodyRead(request_id=request_id, **defaults | changes)


def stream_timed(request_id: str = "r1", **changes: Any) -> events.StreamTimed:
    """Return a stream that came in two pieces."""
    return events.StreamTimed(request_id=request_id, **{"offsets_ms": (5.0, 40.5), "sizes": (10, 20)} | changes)


def socket_opened(url: str = "wss://app.test/hot") -> events.SocketOpened:
    """Return a WebSocket that the page asked for."""
    return events.SocketOpened(url=url)


def socket_ended(url: str = "wss://app.test/hot", error_text: str = "") -> events.SocketEnded:
    """Return the end of a WebSocket."""
    return events.SocketEnded(url=url, error_text=error_text)


def replay_missed(method: str = "POST", url: str = SESSION, **changes: Any) -> events.ReplayMissed:
    """Return a request that no recording answers."""
    defaults = {"nearest": f"GET {SESSION}", "difference": "method differs"}
    return events.ReplayMissed(method=method, url=url, **defaults | changes)


def request_failed(request_id: str = "r1", error_text: str = "net::ERR_CONNECTION_REFUSED") -> events.RequestFailed:
    """Return the end of a request without an answer."""
    return events.RequestFailed(request_id=request_id, error_text=error_text)


def fault_injected(fault: str = "status:session=401", method: str = "POST", url: str = SESSION) -> events.FaultInjected:
    """Return what the harness did to a request on purpose."""
    return events.FaultInjected(fault=fault, method=method, url=url)


def request_blocked(method: str = "GET", url: str = "https://tracker.example/t.js") -> events.RequestBlocked:
    """Return a request that a hermetic run kept on this machine."""
    return events.RequestBlocked(method=method, url=url)


def frame_navigated(url: str = FRAME, **changes: Any) -> events.FrameNavigated:
    """Return the commit of the frame's document."""
    defaults = {"frame": "f2", "name": "chatkit", "has_hash_payload": True, "has_bare_hash": False, "is_top": False}
    return events.FrameNavigated(url=url, **defaults | changes)


def frame_detached(url: str = FRAME, frame: str = "f2", name: str = "chatkit") -> events.FrameDetached:
    """Return the removal of the frame."""
    return events.FrameDetached(frame=frame, name=name, url=url)


# --- console, errors, servers -------------------------------------------------------------------------------------


def console_message(text: str = "hello", level: str = "log", **changes: Any) -> events.ConsoleMessage:
    """Return a line of the console."""
    return events.ConsoleMessage(text=text, level=level, **{"url": f"{PAGE}.js", "line": 7} | changes)


def page_error(
    message: str = "x is not defined", name: str = "ReferenceError", stack: str = ""
) -> events.PageErrorRaised:
    """Return an uncaught error."""
    return events.PageErrorRaised(name=name, message=message, stack=stack)


def page_crashed(what: str = "page") -> events.PageCrashed:
    """Return the death of the page's process."""
    return events.PageCrashed(what=what)


def dialog_opened(type: str = "alert", message: str = "Hello") -> events.DialogOpened:
    """Return a dialog that was dismissed."""
    return events.DialogOpened(type=type, message=message)


def server_answered(
    server: str = "app", path: str = "/chat", status: int = 200, **changes: Any
) -> events.ServerAnswered:
    """Return an answer of an embedded server."""
    return events.ServerAnswered(server=server, path=path, status=status, **{"method": "GET", "note": ""} | changes)


ONE_OF_EACH: tuple[Event, ...] = (
    visit_started(),
    action_taken(),
    action_repeated(),
    action_ended("dom"),
    socket_opened(),
    socket_ended(),
    navigated(),
    caught_up(),
    harness_fault(),
    visit_ended(),
    omitted(),
    document_started(),
    document_loaded(),
    script_referenced(),
    lookalike_seen(),
    notice_shown(),
    element_defined(),
    element_connected(),
    element_disconnected(),
    shadow_changed(),
    options_seen(),
    box_changed(),
    widget_event(),
    command(),
    resource_timed(),
    policy_violated(),
    request_started(body=body("q"), string_digests=("a", "b"), bearer="digest-a"),
    response_received(),
    request_finished(),
    body_read(is_verified=True),
    stream_timed(),
    replay_missed(),
    request_failed(),
    request_blocked(),
    fault_injected(),
    frame_navigated(),
    frame_detached(),
    console_message(),
    page_error(),
    page_crashed(),
    dialog_opened(),
    server_answered(),
)


# --- parts of a transcript ----------------------------------------------------------------------------------------


def asked(request_id: str, url: str, **changes: Any) -> events.RequestStarted:
    """Return a POST of the page's own code."""
    return request_started(request_id, url, **{"method": "POST"} | changes)


def answered(request_id: str, status: int = 200, *, headers: Headers | None = None, **read: Any) -> Steps:
    """Return an answer to its last byte, and its body."""
    more = {} if headers is None else {"headers": headers}
    return [response_received(request_id, status, **more), request_finished(request_id), body_read(request_id, **read)]


def exchange(request_id: str, url: str, status: int = 200, **read: Any) -> Steps:
    """Return a POST of the page's own code with its answer."""
    return [asked(request_id, url), *answered(request_id, status, **read)]


def page_opened(url: str = PAGE, *, document: str = DOCUMENT, request_id: str = "r1") -> Steps:
    """Return a page's document up to its load event."""
    return [
        request_started(request_id, url, resource_type="document", is_navigation=True, frame_url="about:blank"),
        response_received(request_id, media_type="text/html"),
        document_started(document, url=url, is_top=True),
        request_finished(request_id),
        body_read(request_id, body=body("<html>", "text/html")),
    ]


def loader_requested(request_id: str = "r2") -> Steps:
    """Return the request for the loader script."""
    return [script_referenced(), request_started(request_id, LOADER, resource_type="script")]


def loader_arrived(request_id: str = "r2", *, document: str = DOCUMENT) -> Steps:
    """Return the loader script, which defines the element, and the page's load event."""
    arrived = answered(request_id, body=body("(() => {})()", "text/javascript"))
    return [*loader_requested(request_id), *arrived, element_defined(document), document_loaded(document)]


def secret_read(digest: str = "digest-a", **changes: Any) -> dict[str, Any]:
    """Return what is known of a body that holds a client secret."""
    told = {"secret_key": "client_secret", "secret_digest": digest, "secret_format": "v00", "string_digests": (digest,)}
    return told | changes


def session_fetched(digest: str = "digest-a", request_id: str = "r3", *, ended: float = 60.0) -> Steps:
    """Return a session request that is answered with a secret, and its times on the page's clock."""
    timed = resource_timed(started=ended - 30, ended=ended)
    return [*exchange(request_id, SESSION, **secret_read(digest)), timed]


def session_refused(status: int = 401, request_id: str = "r3", error_text: str = "Sign in first.") -> Steps:
    """Return a session request that is refused."""
    return exchange(request_id, SESSION, status, error_text=error_text)


def element_shown(embed: int = 1, page_ms: float = 100.0) -> Steps:
    """Return an element that is connected, configured and visible."""
    return [element_connected(embed, page_ms), shadow_changed(embed=embed), box_changed(embed=embed)]


def frame_requested(request_id: str = "r4") -> events.RequestStarted:
    """Return the navigation of the iframe."""
    told = {"resource_type": "document", "is_navigation": True, "is_top_frame": False, "frame_url": ""}
    return request_started(request_id, FRAME, **told)


def frame_arrived(request_id: str = "r4") -> Steps:
    """Return the frame's document, and the probe in it."""
    read = {"body": body("<html>", "text/html")}
    return [
        frame_requested(request_id),
        *answered(request_id, **read),
        frame_navigated(),
        document_started(FRAME_DOCUMENT),
    ]


def iframe_loaded(embed: int = 1) -> Steps:
    """Return the load event of the iframe, as the element shows it."""
    return [shadow_changed(embed=embed, data_loaded=True), widget_event(embed=embed)]


def secret_handed_over(digest: str = "digest-a", nonce: str = "n1") -> Steps:
    """Return the page's answer to the frame's question for a secret."""
    return [response(nonce, digest)]


def verification(
    status: int = 200, *, is_verified: bool | None = True, request_id: str = "r5", url: str = VERIFY_HOSTED
) -> Steps:
    """Return the domain check with its answer."""
    return [
        asked(request_id, url, is_top_frame=False, frame_url=FRAME, bearer="digest-a"),
        *answered(request_id, status, is_verified=is_verified),
    ]


def verification_skipped() -> events.ConsoleMessage:
    """Return what the frame says on a development origin."""
    return console_message(SKIPPED, "warning")


def conversation_asked(request_id: str = "r6", bearer: str = "digest-a") -> events.RequestStarted:
    """Return a backend call of the frame in hosted mode."""
    return asked(request_id, CONVERSATION, is_top_frame=False, frame_url=FRAME, bearer=bearer)


def conversation(status: int = 200, request_id: str = "r6", bearer: str = "digest-a") -> Steps:
    """Return a backend call of the frame in hosted mode with its answer. The body of a refusal is not read."""
    asking = conversation_asked(request_id, bearer)
    return [asking, *answered(request_id)] if status < 400 else [asking, response_received(request_id, status)]


def metadata_asked(nonce: str = "m1") -> Steps:
    """Return the question that precedes every backend call in hosted mode, with its answer."""
    return [
        command("onAddMetadataToRequest", nonce),
        response(nonce, "", value_kind="null", value_format=""),
    ]


def custom_call(status: int = 200, request_id: str = "r6", url: str = CUSTOM) -> Steps:
    """Return a backend call in custom mode: the frame asks, the page fetches."""
    return [
        frame_message(type="fetch", name="", nonce=f"f-{request_id}", detail_name=url),
        *exchange(request_id, CUSTOM, status),
    ]


# --- transcripts --------------------------------------------------------------------------------------------------


def page_with_loader() -> Steps:
    """Return a visit up to a page on which the element is defined."""
    return [visit_started(), *page_opened(), navigated(), *loader_arrived()]


def hosted_boot(*, embed: int = 1, digest: str = "digest-a", nonce: str = "n1", frame_request: str = "r4") -> Steps:
    """Return the frame of a hosted embed from its document to the composer."""
    return [
        *frame_arrived(frame_request),
        command(nonce=nonce, embed=embed),
        log("app.init", embed=embed),
        *iframe_loaded(embed),
        *secret_handed_over(digest, nonce),
        log("composer.ready", embed=embed),
    ]


def hosted(*, check: Steps | None = None, backend: Steps | None = None) -> Steps:
    """Return a healthy hosted mount with a pre-fetched secret; `check` and `backend` take the place of healthy answers."""
    return [
        *page_with_loader(),
        *session_fetched(),
        *element_shown(),
        *hosted_boot(),
        *(metadata_asked() if backend != [] else []),
        *(verification() if check is None else check),
        *(conversation() if backend is None else backend),
    ]


def custom(*, check: Steps | None = None, backend: Steps | None = None) -> Steps:
    """Return a healthy mount in custom mode: no secret, and the page talks to its own backend."""
    return [
        *page_with_loader(),
        *element_shown(),
        *frame_arrived(),
        log("app.init"),
        *(verification(url=VERIFY) if check is None else check),
        *iframe_loaded(),
        log("composer.ready"),
        *(custom_call() if backend is None else backend),
    ]


def on_demand() -> Steps:
    """Return a hosted mount whose secret is fetched because the frame asks for it."""
    return [
        *page_with_loader(),
        *element_shown(),
        *frame_arrived(),
        command(),
        *session_fetched(ended=150.0),
        *secret_handed_over(),
        log("app.init"),
        *iframe_loaded(),
        log("composer.ready"),
        *metadata_asked(),
        *verification(),
        *conversation(),
    ]


def deadlock() -> Steps:
    """Return a page that waits for a secret before it shows the element, and the other way round."""
    return page_with_loader()


def script_blocked() -> Steps:
    """Return a page whose loader script does not arrive."""
    return [
        visit_started(),
        *page_opened(),
        navigated(),
        *loader_requested(),
        request_failed("r2", "net::ERR_BLOCKED_BY_CLIENT"),
        document_loaded(),
    ]


def unverified() -> Steps:
    """Return a widget that is removed again because its domain is not on the allowlist."""
    return [
        *hosted(check=verification(is_verified=False)),
        frame_error(
            "IntegrationError", "Domain verification failed for https://app.test. Please register your domain."
        ),
        unmount(),
        shadow_changed(STYLE, data_loaded=True),
        frame_detached(),
    ]


def frame_refused(status: int = 400) -> Steps:
    """Return a frame whose document is refused; the iframe fires `load` all the same."""
    return [
        *page_with_loader(),
        *session_fetched(),
        *element_shown(),
        frame_requested(),
        response_received("r4", status, media_type="text/html"),
        *iframe_loaded(),
    ]


def options_rejected() -> Steps:
    """Return a frame that refuses its options."""
    return [
        *page_with_loader(),
        *session_fetched(),
        *element_shown(),
        *frame_arrived(),
        frame_error("FatalAppError", "ChatKit.create():\n✖ Invalid input\n  → at api"),
        *iframe_loaded(),
    ]


def mock_secret() -> Steps:
    """Return a widget that is handed a secret it does not accept, and asks again for each request."""
    invalid = "ChatKitOptions.api.getClientSecret():\n✖ Invalid client secret format"
    read = secret_read("digest-m", secret_format="other", is_mock=True)
    return [
        *page_with_loader(),
        *exchange("r3", SESSION, **read),
        *element_shown(),
        *frame_arrived(),
        command(nonce="n1"),
        log("app.init"),
        *iframe_loaded(),
        response("n1", "digest-m", value_format="other"),
        frame_error("IntegrationError", invalid),
        log("composer.ready"),
        *metadata_asked(),
        command(nonce="n2"),
        *exchange("r5", SESSION, **read),
        response("n2", "digest-m", value_format="other"),
        frame_error("IntegrationError", invalid),
        *conversation(401, "r6", bearer="empty"),
        page_error(invalid, "IntegrationError"),
    ]


def hidden() -> Steps:
    """Return a widget that works in a container with display:none."""
    return [hidden_box() if isinstance(step, events.BoxChanged) else step for step in hosted()]


def never_answered() -> Steps:
    """Return a widget whose `getClientSecret` never answers."""
    return [
        *page_with_loader(),
        *element_shown(),
        *frame_arrived(),
        command(),
        log("app.init"),
        *iframe_loaded(),
        log("composer.ready"),
        command("onAddMetadataToRequest", "m1"),
        response("m1", "", value_kind="null", value_format=""),
    ]


def re_parented() -> Steps:
    """Return a mounted element that the page moves: its frame loads again, and nobody answers it any more."""
    return [
        *hosted(),
        shadow_changed(STYLE, WRAPPER, STYLE, data_loaded=True),
        *frame_arrived("r7"),
        command(nonce="n9"),
        log("app.init"),
        log("composer.ready"),
    ]


TRANSCRIPTS: dict[str, Steps] = {
    "hosted": hosted(),
    "hosted-development": hosted(check=[verification_skipped()]),
    "hosted-without-history": hosted(backend=[]),
    "custom": custom(),
    "custom-development": custom(check=[verification_skipped()]),
    "on-demand": on_demand(),
    "deadlock": deadlock(),
    "script-blocked": script_blocked(),
    "session-refused": [*page_with_loader(), *session_refused()],
    "unverified": unverified(),
    "frame-refused": frame_refused(),
    "options-rejected": options_rejected(),
    "mock-secret": mock_secret(),
    "hidden": hidden(),
    "never-answered": never_answered(),
    "backend-refused": hosted(backend=conversation(404)),
    "backend-failing": hosted(backend=[*conversation(500), pause(1_500), *conversation(500, "r7")]),
    "re-parented": re_parented(),
    "crashed": [*hosted(), page_crashed()],
}

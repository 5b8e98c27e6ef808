"""One visit for each rule in which it fires, one that misses it by a hair, and what every other rule says of both.

In: builders. Out: `FIRES` and `NEAR_MISSES`, transcripts by rule, and `cases()`: these and more with all that is to be found on them. A near
miss differs in the one thing that the rule is about.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from builders import (
    CONVERSATION,
    CUSTOM,
    FRAME,
    LOADER,
    PAGE,
    SESSION,
    STYLE,
    TRANSCRIPTS,
    VERIFY,
    WRAPPER,
    Steps,
    answered,
    asked,
    body,
    body_read,
    box_changed,
    command,
    console_message,
    conversation,
    custom,
    custom_call,
    document_loaded,
    element_connected,
    element_defined,
    element_disconnected,
    element_shown,
    entries,
    exchange,
    frame_arrived,
    frame_error,
    frame_message,
    frame_requested,
    hidden_box,
    hosted,
    hosted_boot,
    iframe_loaded,
    loader_arrived,
    loader_requested,
    log,
    lookalike_seen,
    navigated,
    notice_shown,
    options_seen,
    page_crashed,
    page_error,
    page_opened,
    page_with_loader,
    pause,
    policy_violated,
    re_parented,
    rejection,
    request_blocked,
    request_failed,
    request_finished,
    request_started,
    resource_timed,
    response,
    response_received,
    script_referenced,
    secret_read,
    session_fetched,
    session_refused,
    shadow_changed,
    unmount,
    verification,
    visit_ended,
    visit_started,
    widget_event,
)

from harness.analysis.facts import Facts
from harness.analysis.gathering import facts_of
from harness.analysis.prefetch import prefetch_of
from harness.analysis.rules import RULES
from harness.analysis.rules.rule import Rule
from harness.analysis.verdict import Limits, judge
from harness.model import events
from harness.model.events import Event

OPENED: Steps = [visit_started(), *page_opened(), navigated()]
ELEMENT: Steps = [element_connected(), box_changed(0, 0, container_height_px=400, height_css="auto")]
HEALTHY = ("hosted", "hosted-development", "hosted-without-history", "custom", "custom-development", "on-demand")
INVALID = "ChatKit.create():\n✖ Invalid input\n  → at "
BAD_SECRET = "ChatKitOptions.api.getClientSecret():\n✖ Invalid client secret format"
HTML = "text/html"
MOVED: Steps = re_parented()


def bare(*steps: Event | Steps) -> Steps:
    """Return a page without the loader."""
    return [*OPENED, *_flat(steps), document_loaded()]


def with_loader(*answer: Event | Steps, src: str = LOADER, type: str = "") -> Steps:
    """Return a page whose script tag names the loader, with the end of that request, and an element that waits."""
    asked_for = request_started("r2", src, resource_type="script")
    return bare(script_referenced(src, type=type), asked_for, *answer, ELEMENT)


def refused(status: int, media_type: str = HTML, error_text: str = "", request_id: str = "r2", **more: Any) -> Steps:
    """Return an answer that is an error."""
    return [
        response_received(request_id, status, media_type=media_type, **more),
        request_finished(request_id),
        body_read(request_id, error_text=error_text),
    ]


def idle(*steps: Event | Steps, type: str = "") -> Steps:
    """Return a page on which the element is defined, and what happens then."""
    del type
    return [*page_with_loader(), *_flat(steps)]


def upgraded(*steps: Event | Steps) -> Steps:
    """Return an element that is alive and has no options."""
    return idle(element_connected(), shadow_changed(STYLE), box_changed(), *steps)


def framed(*steps: Event | Steps) -> Steps:
    """Return an element with its options, whose frame has been asked for."""
    return idle(session_fetched(), element_shown(), *steps)


def booting(*steps: Event | Steps) -> Steps:
    """Return a hosted frame that boots on demand, up to its question for a secret."""
    return idle(element_shown(), frame_arrived(), command(), log(), iframe_loaded(), *steps)


def session(
    status: int, error_text: str = "", *, url: str = SESSION, media_type: str = "application/json", **read: Any
) -> Steps:
    """Return a page that asks for its secret before it renders, and is answered like that."""
    return idle(
        asked("r3", url),
        response_received("r3", status, media_type=media_type),
        request_finished("r3"),
        body_read("r3", error_text=error_text, **read),
    )


def session_failed(error_text: str, *said: Event) -> Steps:
    """Return a request for a secret that the browser gave up on."""
    return idle(asked("r3", SESSION), *said, request_failed("r3", error_text))


def rejected_options(message: str, *api_keys: str, name: str = "FatalAppError", **seen: Any) -> Steps:
    """Return a frame that refuses its options with a message."""
    return framed(options_seen(*api_keys, **seen), frame_arrived(), frame_error(name, message), iframe_loaded())


def removed(check: Steps, *said: Event, before: Steps | None = None) -> Steps:
    """Return a widget that a domain check has removed."""
    gone = shadow_changed(STYLE, data_loaded=True)
    return [*hosted(check=check), *(before or []), *said, unmount(), gone]


def check(status: int = 200, bearer: str = "digest-a", *, is_verified: bool | None = None, **more: Any) -> Steps:
    """Return a domain check with this answer."""
    first, *rest = verification(status, is_verified=is_verified, **more)
    assert isinstance(first, events.RequestStarted)
    return [replace(first, bearer=bearer), *rest]


def check_failed(error_text: str, *, after_ms: float = 0) -> Steps:
    """Return a domain check that ends without an answer."""
    return [verification()[0], pause(after_ms), request_failed("r5", error_text)]


def custom_failed(error_text: str, *said: Event) -> Steps:
    """Return a call of custom mode that the browser gave up on."""
    return custom(
        backend=[
            frame_message(type="fetch", name="", nonce="f1", detail_name=CUSTOM),
            asked("r6", CUSTOM),
            *said,
            request_failed("r6", error_text),
        ]
    )


def streamed(media_type: str = "text/event-stream", *after: Event, url: str = CUSTOM) -> Steps:
    """Return a custom widget that was sent a message."""
    return [
        *custom(),
        frame_message(type="fetchEventSource", name="", nonce="f9", detail_name=url),
        asked("r9", url, headers=(("accept", "text/event-stream"),)),
        response_received("r9", media_type=media_type),
        request_finished("r9"),
        *after,
    ]


def cors(url: str) -> Event:
    """Return the browser's complaint about a foreign origin."""
    return console_message(
        f"Access to fetch at '{url}' from origin 'https://app.test' has been blocked by CORS policy: No", "error"
    )


def mixed(url: str) -> Event:
    """Return the browser's complaint about plain http."""
    return console_message(f"Mixed Content: The page at '{PAGE}' requested an insecure resource '{url}'.", "error")


def boxed(**box: Any) -> Steps:
    """Return a widget that works, in another box."""
    return [box_changed(**box) if isinstance(step, events.BoxChanged) else step for step in hosted()]


def without_box(*said: Event) -> Steps:
    """Return a widget that works, in a page that could not be looked at."""
    return [*[step for step in hosted() if not isinstance(step, events.BoxChanged)], *said]


def page_headers(steps: Steps, *headers: tuple[str, str]) -> Steps:
    """Return the visit with these headers on the page's own answer."""
    return [
        replace(s, headers=headers) if isinstance(s, events.ResponseReceived) and s.request_id == "r1" else s
        for s in steps
    ]


def as_document(steps: Steps, **changes: Any) -> Steps:
    """Return the visit with another kind of page document."""
    return [replace(s, **changes) if isinstance(s, events.DocumentStarted) and s.is_top else s for s in steps]


def frame_script(*end: Event | Steps) -> Steps:
    """Return a frame whose document came, and the request for its script."""
    url = "https://cdn.platform.openai.com/assets/ck1/index-x.js"
    told = request_started("r8", url, resource_type="script", frame_url=FRAME, is_top_frame=False)
    return framed(frame_arrived(), told, *end, iframe_loaded())


def frame_ended(*end: Event | Steps, said: Steps | None = None) -> Steps:
    """Return a frame whose document ends like that."""
    return framed(*(said or []), frame_requested(), *end, iframe_loaded())


def copied(status: int = 404, frame: str = "https://app.test/vendor/index-abc.html") -> Steps:
    """Return a loader of the app's own, and the frame that it looks for beside itself."""
    src = "https://app.test/vendor/chatkit.js"
    asking = replace(frame_requested(), url=frame)
    return [
        *OPENED,
        script_referenced(src),
        request_started("r2", src, resource_type="script"),
        *answered("r2", body=body("(() => {})()", "text/javascript")),
        element_defined(),
        document_loaded(),
        element_connected(),
        shadow_changed(iframe_src=frame),
        box_changed(),
        asking,
        response_received("r4", status, media_type=HTML),
        request_finished("r4"),
        shadow_changed(iframe_src=frame, data_loaded=True),
        widget_event(),
    ]


def _flat(steps: tuple[Any, ...]) -> Steps:
    return [inner for step in steps for inner in (step if isinstance(step, list) else [step])]


def no_answer(name: str, message: str) -> Steps:
    """Return a widget whose frame says this, while the composer stands."""
    return [*hosted(), frame_error(name, message)]


UPSTREAM = {
    "workflow-not-found": (404, "Workflow with id 'wf_1' not found."),
    "user-missing": (400, "Missing required parameter: 'user'."),
    "workflow-parameter-missing": (400, "Missing required parameter: 'workflow'."),
    "workflow-not-an-object": (400, "Invalid type for 'workflow': expected an object, but got a string instead."),
    "parameter-unknown": (400, "Unknown parameter: 'workflow_id'."),
    "beta-header-missing": (400, "You must provide the 'OpenAI-Beta' header to access the Chatkit API."),
    "api-key-not-sent": (401, "Missing bearer or basic authentication in header"),
    "api-key-incorrect": (401, "Incorrect API key provided: domain_p***."),
    "api-key-restricted": (401, "You have insufficient permissions for this operation. Missing scopes: x."),
    "region-not-supported": (403, "Country, region, or territory not supported"),
    "sessions-api-failing": (500, "The server had an error while processing your request. Sorry about that!"),
    "refresh-endpoint-invented": (404, "Invalid URL (POST /v1/chatkit/sessions/refresh)"),
    "wrong-api-path": (404, "Invalid URL (POST /v1/v1/chatkit/sessions)"),
    "session-unknown": (404, "Chatkit Session with id 'cksess_1' not found."),
    "quota-exceeded": (429, "You exceeded your current quota, please check your plan and billing details."),
    "hosted-workflows-ended": (410, "Agent Builder workflows are no longer available."),
}

FIRES: dict[str, Steps] = {
    # --- page
    "page-refused": [
        visit_started(),
        *page_opened()[:1],
        response_received("r1", 403, media_type=HTML),
        navigated(status=403),
    ],
    "page-crashed": [*hosted(), page_crashed()],
    "page-behind-sign-in": [visit_started(), *page_opened("https://app.test/login"), navigated(), document_loaded()],
    "render-deadlock": idle(notice_shown()),
    "element-never-rendered": idle(session_fetched()),
    "workflow-id-missing": idle(
        console_message("Set NEXT_PUBLIC_CHATKIT_WORKFLOW_ID in your .env.local file.", "warning")
    ),
    "sdk-global-awaited": idle(console_message("Beepi ChatKit: ChatKit SDK not loaded.", "error")),
    "handler-on-server-component": idle(
        page_error("Event handlers cannot be passed to Client Component props.", "Error")
    ),
    "widget-remounted": idle(
        *[[element_connected(n), shadow_changed(embed=n), element_disconnected(n)] for n in (1, 2, 3)],
        element_connected(4),
        shadow_changed(embed=4),
        box_changed(embed=4),
    ),
    "method-before-mount": [*hosted(), console_message("ChatKit element is not mounted", "warning")],
    "page-script-blocked-by-csp": idle(policy_violated("script-src-elem", "inline")),
    "secret-fetched-twice": [*hosted(), *exchange("r9", SESSION, **secret_read("digest-b"))],
    "secret-in-address": hosted(),
    # --- script
    "loader-not-referenced": bare(ELEMENT),
    "page-without-chatkit": bare(),
    "types-package-imported": bare(
        page_error(
            'Failed to resolve module specifier "@openai/chatkit". Relative references must start with', "TypeError"
        )
    ),
    "loader-not-executed": bare(script_referenced(type="text/plain"), ELEMENT),
    "loader-tag-inert": bare(script_referenced(), ELEMENT),
    "loader-only-preloaded": bare(
        request_started("r2", LOADER, resource_type="script"),
        answered("r2", body=body("x", "text/javascript")),
        resource_timed(LOADER, initiator="link"),
        ELEMENT,
    ),
    "loader-run-as-module": with_loader(
        answered("r2", body=body("x", "text/javascript")),
        page_error("Unable to determine the ChatKit frame URL.", "Error"),
        type="module",
    ),
    "loader-challenged": with_loader(
        refused(403, error_text="Just a moment... Enable JavaScript and cookies to continue")
    ),
    "loader-at-wrong-address": with_loader(refused(404), src="https://cdn.chatkit.test/v1/chatkit.js"),
    "loader-refused": with_loader(refused(500, "text/plain")),
    "loader-unreachable": with_loader(request_failed("r2", "net::ERR_NAME_NOT_RESOLVED")),
    "loader-blocked-by-client": with_loader(request_failed("r2", "net::ERR_BLOCKED_BY_CLIENT")),
    "loader-blocked-by-csp": with_loader(policy_violated("script-src-elem", LOADER), request_failed("r2", "csp")),
    "loader-blocked-by-coep": page_headers(
        with_loader(request_failed("r2", "net::ERR_BLOCKED_BY_RESPONSE.NotSameOriginAfterDefaultedToSameOriginByCoep")),
        ("Cross-Origin-Embedder-Policy", "require-corp"),
    ),
    "loader-blocked-by-cors": with_loader(cors(LOADER), request_failed("r2", "net::ERR_FAILED")),
    "loader-over-plain-http": with_loader(
        mixed("http://cdn.platform.openai.com/deployments/chatkit/chatkit.js"),
        request_failed("r2", "mixed-content"),
        src="http://cdn.platform.openai.com/deployments/chatkit/chatkit.js",
    ),
    "loader-integrity-mismatch": with_loader(
        console_message(f"Failed to find a valid digest in the 'integrity' attribute for resource '{LOADER}'", "error"),
        answered("r2", body=body("x", "text/javascript")),
    ),
    "loader-answered-by-page": with_loader(
        response_received("r2", media_type=HTML), request_finished("r2"), body_read("r2", body=body("<html>", HTML))
    ),
    "loader-never-arrives": with_loader(),
    "loader-defines-nothing": with_loader(
        response_received("r2", media_type="text/javascript"),
        request_finished("r2"),
        body_read("r2", body=body("x", "text/javascript")),
    ),
    "loader-too-late": [
        *OPENED,
        *loader_requested(),
        console_message("ChatKit web component is unavailable. Verify that the script URL is reachable.", "error"),
        *answered("r2"),
        element_defined(),
        document_loaded(),
    ],
    # --- element
    "wrong-tag": idle(lookalike_seen()),
    "options-before-upgrade": upgraded(page_error("chat.setOptions is not a function", "TypeError")),
    "options-undefined": upgraded(
        widget_event(
            "chatkit.error",
            detail_name="TypeError",
            message="Cannot read properties of undefined (reading 'threadItemActions')",
        )
    ),
    "options-not-serialisable": upgraded(
        widget_event("chatkit.error", detail_name="TypeError", message="Converting circular structure to JSON")
    ),
    "set-options-threw": upgraded(widget_event("chatkit.error", detail_name="RangeError", message="Invalid theme")),
    "options-never-set": upgraded(),
    "element-moved": MOVED,
    "element-taken-out": [*hosted(backend=[]), element_disconnected()],
    "command-not-available": [
        *hosted(),
        page_error('ChatKit command "shareThread" is not available for the "chatkit" profile.', "IntegrationError"),
    ],
    # --- options
    "api-mixes-modes": rejected_options(INVALID + "api", "getClientSecret", "domainKey"),
    "api-without-domain-key": rejected_options(INVALID + "api", "url"),
    "api-with-ready-secret": rejected_options(INVALID + "api", "clientToken"),
    "api-empty": framed(
        replace(options_seen(), api_keys=()),
        frame_arrived(),
        frame_error("FatalAppError", INVALID + "api"),
        iframe_loaded(),
    ),
    "api-invalid": rejected_options(INVALID + "api", "getClientSecret"),
    "theme-invalid": rejected_options(INVALID + "theme"),
    "prompt-icon-unknown": rejected_options(INVALID + "startScreen.prompts[0].icon"),
    "header-shape-wrong": rejected_options(
        "ChatKit.create():\n✖ Invalid input: expected object, received string\n  → at header.title"
    ),
    "option-unknown": rejected_options('ChatKit.create():\n✖ Unrecognized key: "colour"'),
    "option-of-wrong-type": rejected_options(
        "ChatKit.create():\n✖ Invalid input: expected string, received undefined\n  → at disclaimer.text"
    ),
    "attachments-without-strategy": rejected_options(
        "ChatKit.create():\n✖ When attachments are enabled, uploadStrategy must be provided in options.api."
    ),
    "options-refused": rejected_options(INVALID + "history"),
    "frame-left-behind": framed(
        frame_arrived(), iframe_loaded(), page_error("Command onSetOptions not supported", "IntegrationError")
    ),
    "update-refused": [
        *hosted(),
        page_error('chatKit.setOptions():\n✖ Unrecognized key: "colour"', "IntegrationError"),
    ],
    "api-url-change-ignored": [
        *custom(),
        console_message('chatKit.setOptions(): An attempt to change "api.url" from "a" to "b" was ignored.', "warning"),
    ],
    "handler-missing": no_answer(
        "IntegrationError", "No handler for client tool calls. You'll need to add onClientTool."
    ),
    "metadata-of-wrong-shape": no_answer(
        "IntegrationError", "ChatKit: addMetadataToRequest must return an object or null."
    ),
    # --- session
    "session-for-nobody": session(404, "No such user", url=f"{SESSION}?user_id=undefined"),
    "session-unauthorized": session(401, "Sign in first."),
    "session-refused-by-csrf": session(403, "CSRF token missing or incorrect.", media_type=HTML),
    "session-forbidden": session(403, "Forbidden"),
    "session-route-missing": session(404, media_type=HTML),
    "session-answered-by-page": session(200, media_type=HTML),
    "session-without-secret": session(200),
    "api-key-missing-in-app": session(500, "Missing OPENAI_API_KEY environment variable"),
    "workflow-missing-in-app": session(400, "Missing workflow id"),
    "server-sdk-too-old": session(500, "'OpenAI' object has no attribute 'chatkit'"),
    "session-gateway-failed": session(502, "Bad Gateway"),
    "session-server-error": session(500, "Unexpected error"),
    "session-rate-limited": session(429, "Too Many Requests"),
    "session-request-invalid": session(422, "Field required"),
    "session-redirected": idle(
        asked("r3", SESSION),
        response_received("r3", 302, headers=(("location", "/login"),)),
        request_finished("r3"),
        body_read("r3", unread_reason="no body"),
    ),
    "session-unreachable": session_failed("net::ERR_CONNECTION_REFUSED"),
    "session-answer-broken": idle(
        asked("r3", SESSION), response_received("r3"), request_failed("r3", "net::ERR_CONTENT_LENGTH_MISMATCH")
    ),
    "session-blocked-by-cors": session_failed("net::ERR_FAILED", cors(SESSION)),
    "session-blocked-by-csp": idle(policy_violated("connect-src", SESSION)),
    "session-over-plain-http": session_failed("mixed-content", mixed(SESSION)),
    "session-blocked-by-client": session_failed("net::ERR_BLOCKED_BY_CLIENT"),
    "session-blocked-for-local-network": session_failed(
        "net::ERR_FAILED",
        console_message(
            f"Access to fetch at '{SESSION}' was blocked: Permission was denied for the `loopback` address space",
            "error",
        ),
    ),
    "session-kept-on-machine": session_failed("net::ERR_INTERNET_DISCONNECTED", request_blocked("POST", SESSION)),
    "session-unanswered": idle(asked("r3", SESSION)),
    "mock-secret": [
        *page_with_loader(),
        *exchange("r3", SESSION, **secret_read("digest-m", secret_format="other", is_mock=True)),
    ],
    "secret-malformed": booting(
        exchange("r3", SESSION, **secret_read("digest-m", secret_format="other")),
        response("n1", "digest-m", value_format="other"),
        frame_error("IntegrationError", BAD_SECRET),
    ),
    "secret-not-a-string": booting(
        response("n1", "", value_kind="undefined", value_format=""), frame_error("IntegrationError", BAD_SECRET)
    ),
    "secret-callback-threw": booting(rejection()),
    "secret-never-answered": booting(),
    "stale-secret-returned": [
        *hosted(backend=conversation(401)),
        command(nonce="n2", has_current=True),
        response("n2"),
        *conversation(401, "r8"),
    ],
    "refresh-not-configured": [
        *hosted(),
        frame_error(
            "IntegrationError",
            "Could not refresh the session because ChatKitOptions.api.getClientSecret is not configured.",
        ),
    ],
    **{name: session(status, text) for name, (status, text) in UPSTREAM.items()},
    "api-key-in-browser": [
        *hosted(),
        asked("r9", "https://api.openai.com/v1/chatkit/sessions", bearer="digest-k"),
        *answered("r9", **secret_read()),
    ],
    # --- frame
    "frame-beside-copied-loader": copied(),
    "frame-challenged": frame_ended(refused(403, error_text="Just a moment...", request_id="r4")),
    "frame-refused": frame_ended(refused(400, error_text="Bad Request", request_id="r4")),
    "frame-blocked-by-csp": frame_ended(request_failed("r4", "csp"), said=[policy_violated("frame-src", FRAME)]),
    "frame-forbids-embedding": frame_ended(
        response_received("r4", media_type=HTML, headers=(("x-frame-options", "DENY"),)),
        request_failed("r4", "net::ERR_BLOCKED_BY_RESPONSE"),
    ),
    "frame-blocked-by-coep": page_headers(
        frame_ended(request_failed("r4", "net::ERR_BLOCKED_BY_RESPONSE")),
        ("cross-origin-embedder-policy", "require-corp"),
    ),
    "frame-blocked-by-client": frame_ended(request_failed("r4", "net::ERR_BLOCKED_BY_CLIENT")),
    "frame-unreachable": frame_ended(request_failed("r4", "net::ERR_CONNECTION_RESET")),
    "frame-unanswered": framed(frame_requested()),
    "frame-script-missing": frame_script(refused(404, "text/plain", request_id="r8")),
    "frame-script-no-script": frame_script(response_received("r8", media_type=HTML), request_finished("r8")),
    "page-not-secure": as_document(
        framed(frame_arrived(), iframe_loaded(), page_error("crypto.randomUUID is not a function", "TypeError")),
        is_secure_context=False,
        origin="http://app.test",
    ),
    "frame-address-stripped": framed(
        frame_arrived(),
        frame_error("FatalAppError", "Invalid ChatKit frame parameters. Do not try to frame ChatKit"),
        iframe_loaded(),
    ),
    "frame-storage-refused": framed(
        frame_arrived(), iframe_loaded(), page_error("The operation is insecure.", "DOMException")
    ),
    "frame-reload-loop": framed(*[frame_arrived(f"r4{n}") for n in range(4)], iframe_loaded()),
    "frame-app-crashed": framed(
        frame_arrived(),
        iframe_loaded(),
        page_error(
            "x is null",
            "TypeError",
            stack="TypeError: x is null\n  at https://cdn.platform.openai.com/assets/ck1/index-x.js:1",
        ),
    ),
    "page-from-file": as_document(
        framed(
            frame_arrived(),
            iframe_loaded(),
            console_message(
                "Failed to execute 'postMessage' on 'DOMWindow': The target origin provided ('file://') does not match",
                "error",
            ),
        ),
        url="file:///tmp/chat.html",
        origin="null",
    ),
    "page-of-opaque-origin": as_document(framed(frame_arrived(), iframe_loaded()), origin="null"),
    "messages-misaddressed": framed(
        frame_arrived(),
        iframe_loaded(),
        console_message(
            "Failed to execute 'postMessage' on 'DOMWindow': The target origin provided ('https://a.test') does not match",
            "error",
        ),
    ),
    # --- domain
    "domain-not-registered": removed(
        check(is_verified=False),
        frame_error("IntegrationError", "Domain verification failed for https://app.test. Please register"),
    ),
    "domain-key-placeholder": [
        *custom(check=verification(404, url=VERIFY)),
        options_seen("url", "domainKey", domain_key_format="placeholder"),
        unmount(),
        shadow_changed(STYLE, data_loaded=True),
    ],
    "verification-without-secret": removed(check(401, "empty")),
    "verification-unauthorized": removed(check(401)),
    "verification-failing": removed([*check(503), *check(503, request_id="r7")]),
    "verification-rate-limited": removed(check(429)),
    "verification-timed-out": removed(check_failed("net::ERR_ABORTED", after_ms=10_000)),
    "verification-unreachable": removed(check_failed("net::ERR_NAME_NOT_RESOLVED")),
    "widget-removed": [*hosted(check=[]), unmount(), shadow_changed(STYLE, data_loaded=True)],
    # --- backend
    "backend-without-secret": booting(rejection(), log("composer.ready"), conversation(401, bearer="empty")),
    "backend-rejects-secret": hosted(backend=conversation(401)),
    "backend-rate-limited": hosted(backend=conversation(429)),
    "initial-thread-missing": [
        *hosted(backend=conversation(404)),
        frame_error("InitialThreadLoadError", "Failed to load initial thread: Not Found"),
    ],
    "backend-refuses": hosted(backend=conversation(404)),
    "backend-failing": hosted(backend=conversation(503)),
    "backend-unreachable": hosted(backend=[conversation()[0], request_failed("r6", "net::ERR_CONNECTION_RESET")]),
    "backend-error-behind-cors": hosted(
        backend=[conversation()[0], cors(CONVERSATION), request_failed("r6", "net::ERR_FAILED")]
    ),
    "stream-dropped": [*hosted(), conversation()[0], request_failed("r6", "net::ERR_QUIC_PROTOCOL_ERROR")],
    "custom-backend-unauthorized": custom(backend=custom_call(401)),
    "custom-backend-not-found": custom(backend=custom_call(405)),
    "custom-backend-answers-page": custom(
        backend=[*custom_call()[:2], response_received("r6", media_type=HTML), request_finished("r6"), body_read("r6")]
    ),
    "custom-backend-refuses": custom(backend=custom_call(422)),
    "custom-backend-failing": custom(backend=custom_call(500)),
    "custom-backend-blocked-by-cors": custom_failed("net::ERR_FAILED", cors(CUSTOM)),
    "custom-backend-over-plain-http": custom_failed("net::ERR_FAILED", mixed(CUSTOM)),
    "custom-backend-blocked-by-csp": custom_failed("csp", policy_violated("connect-src", CUSTOM)),
    "custom-backend-blocked-by-browser": custom_failed("net::ERR_BLOCKED_BY_CLIENT"),
    "custom-backend-unreachable": custom_failed("net::ERR_CONNECTION_REFUSED"),
    "custom-backend-kept-on-machine": custom_failed("net::ERR_INTERNET_DISCONNECTED", request_blocked("POST", CUSTOM)),
    "backend-unanswered": hosted(backend=conversation()[:1]),
    "stream-of-wrong-type": streamed("application/json"),
    "stream-event-unreadable": no_answer(
        "StreamEventParsingError", "Failed to parse stream event: Unexpected token 'b'"
    ),
    "stream-of-foreign-protocol": streamed(
        "text/event-stream", widget_event("chatkit.response.start"), widget_event("chatkit.response.end")
    ),
    "reply-failed": no_answer("StreamError", "There was an error while generating the assistant's response."),
    "history-unreadable": no_answer("HistoryViewError", "Failed to load conversation: 500"),
    "sentinel-blocked": no_answer("FatalAppError", "Failed to load Sentinel SDK script"),
    # --- sight
    "styles-blocked-by-csp": [
        *boxed(width_px=0, height_px=0),
        policy_violated("style-src-elem", "inline", source=LOADER),
    ],
    "element-without-height": boxed(height_px=0, container_height_px=0),
    "element-without-width": boxed(width_px=0),
    "container-hidden": without_box(hidden_box()),
    "element-transparent": without_box(hidden_box("opacity:0 on div.chat")),
    "element-clipped": without_box(hidden_box("clipped by div.chat")),
    "element-not-painted": without_box(hidden_box("content-visibility on details")),
    "element-off-screen": boxed(is_reachable=False),
    "element-covered": boxed(covered_by="div.overlay"),
}

NEAR_MISSES: dict[str, Steps] = {
    # --- page
    "page-refused": [visit_started(), *page_opened(), navigated(status=304)],
    "page-crashed": hosted(),
    "page-behind-sign-in": [
        visit_started(url="https://app.test/login"),
        *page_opened("https://app.test/login"),
        navigated(),
        document_loaded(),
    ],
    "render-deadlock": idle(notice_shown("Your chat has ended.")),
    "element-never-rendered": idle(session_fetched(), element_connected()),
    "workflow-id-missing": idle(console_message("workflow id wf_1 chosen", "warning")),
    "sdk-global-awaited": [*hosted(), console_message("ChatKit SDK not loaded.", "error")],
    "handler-on-server-component": [
        *hosted(),
        page_error("Event handlers cannot be passed to Client Component props.", "Error"),
    ],
    "widget-remounted": idle(
        *[[element_connected(n), shadow_changed(embed=n), element_disconnected(n)] for n in (1, 2)],
        element_connected(3),
        shadow_changed(embed=3),
        box_changed(embed=3),
    ),
    "method-before-mount": [*hosted(), console_message("ChatKit element is mounted", "warning")],
    "page-script-blocked-by-csp": idle(policy_violated("script-src-elem", "inline", is_enforced=False)),
    "secret-fetched-twice": [
        *hosted(),
        command(nonce="n9", has_current=True),
        *exchange("r9", SESSION, **secret_read("digest-b")),
        response("n9", "digest-b"),
    ],
    "secret-in-address": hosted(),
    # --- script
    "loader-not-referenced": bare(script_referenced(), ELEMENT),
    "page-without-chatkit": bare(lookalike_seen()),
    "types-package-imported": bare(
        page_error('Failed to resolve module specifier "@openai/chatkit-react".', "TypeError")
    ),
    "loader-not-executed": bare(script_referenced(type="text/javascript"), ELEMENT),
    "loader-tag-inert": bare(script_referenced(), policy_violated("script-src-elem", LOADER), ELEMENT),
    "loader-only-preloaded": bare(
        request_started("r2", LOADER, resource_type="script"),
        answered("r2"),
        resource_timed(LOADER, initiator="link"),
        script_referenced(),
        ELEMENT,
    ),
    "loader-run-as-module": [*page_with_loader(), page_error("Unable to determine the ChatKit frame URL.", "Error")],
    "loader-challenged": with_loader(refused(403, "text/plain", "Forbidden")),
    "loader-at-wrong-address": with_loader(refused(404)),
    "loader-refused": with_loader(refused(404), src="https://cdn.chatkit.test/v1/chatkit.js"),
    "loader-unreachable": with_loader(request_failed("r2", "net::ERR_BLOCKED_BY_CLIENT")),
    "loader-blocked-by-client": [*with_loader(request_failed("r2", "net::ERR_BLOCKED_BY_CLIENT")), element_defined()],
    "loader-blocked-by-csp": with_loader(
        policy_violated("script-src-elem", "https://tracker.test/t.js"), request_failed("r2", "net::ERR_FAILED")
    ),
    "loader-blocked-by-coep": with_loader(request_failed("r2", "net::ERR_BLOCKED_BY_CLIENT")),
    "loader-blocked-by-cors": with_loader(cors("https://elsewhere.test/x.js"), request_failed("r2", "net::ERR_FAILED")),
    "loader-over-plain-http": with_loader(request_failed("r2", "net::ERR_FAILED")),
    "loader-integrity-mismatch": with_loader(
        console_message(
            "Failed to find a valid digest in the 'integrity' attribute for resource 'https://app.test/app.js'", "error"
        )
    ),
    "loader-answered-by-page": with_loader(answered("r2", body=body("x", "text/javascript"))),
    "loader-never-arrives": with_loader(answered("r2")),
    "loader-defines-nothing": with_loader(request_failed("r2")),
    "loader-too-late": [
        *OPENED,
        *loader_arrived(),
        console_message("ChatKit web component is unavailable. Verify that the script URL is reachable.", "error"),
    ],
    # --- element
    "wrong-tag": idle(lookalike_seen(), element_connected(), shadow_changed(STYLE)),
    "options-before-upgrade": [*hosted(), page_error("chat.setOptions is not a function", "TypeError")],
    "options-undefined": upgraded(
        widget_event(
            "chatkit.error", detail_name="TypeError", message="Cannot read properties of undefined (reading 'theme')"
        )
    ),
    "options-not-serialisable": framed(
        frame_arrived(), log(), iframe_loaded(), page_error("Converting circular structure to JSON", "TypeError")
    ),
    "set-options-threw": framed(
        frame_arrived(), iframe_loaded(), widget_event("chatkit.error", detail_name="RangeError", message="no")
    ),
    "options-never-set": framed(),
    "element-moved": [*hosted(), shadow_changed(STYLE, WRAPPER, data_loaded=True)],
    "element-taken-out": [*hosted(), element_disconnected(), element_connected(2), shadow_changed(embed=2)],
    "command-not-available": [*hosted(), page_error("ChatKit command is running", "Error")],
    # --- options
    "api-mixes-modes": rejected_options(INVALID + "api", "getClientSecret", "addMetadataToRequest"),
    "api-without-domain-key": rejected_options(INVALID + "api", "url", "domainKey"),
    "api-with-ready-secret": rejected_options(INVALID + "api", "clientToken", "getClientSecret"),
    "api-empty": rejected_options(INVALID + "api", "getClientSecret"),
    "api-invalid": rejected_options(INVALID + "api", "url"),
    "theme-invalid": rejected_options(INVALID + "header.theme"),
    "prompt-icon-unknown": rejected_options(INVALID + "startScreen.prompts[0].label"),
    "header-shape-wrong": rejected_options(INVALID + "theme.header"),
    "option-unknown": rejected_options('ChatKit.create():\n✖ Unrecognized key: "content"\n  → at header.title'),
    "option-of-wrong-type": rejected_options(
        "ChatKit.create():\n✖ Invalid input: expected object, received string\n  → at header.title"
    ),
    "attachments-without-strategy": rejected_options(INVALID + "composer.attachments"),
    "options-refused": rejected_options(INVALID + "theme"),
    "frame-left-behind": framed(
        frame_arrived(), iframe_loaded(), page_error("Command onShareThread not supported", "IntegrationError")
    ),
    "update-refused": rejected_options('ChatKit.create():\n✖ Unrecognized key: "colour"'),
    "api-url-change-ignored": [*custom(), console_message("api.url is /chatkit", "warning")],
    "handler-missing": no_answer("IntegrationError", "No active thread."),
    "metadata-of-wrong-shape": no_answer("IntegrationError", "ChatKit: something else."),
    # --- session
    "session-for-nobody": session(404, "No such user", url=f"{SESSION}?user_id=undefined-behaviour"),
    "session-unauthorized": [*session(401, "Sign in first."), *exchange("r9", SESSION, **secret_read())],
    "session-refused-by-csrf": session(403, "Forbidden"),
    "session-forbidden": session(403, "CSRF token missing or incorrect."),
    "session-route-missing": session(404, "Workflow with id 'wf_1' not found."),
    "session-answered-by-page": session(401, media_type=HTML),
    "session-without-secret": session(200, **secret_read()),
    "api-key-missing-in-app": session(401, "Incorrect API key provided: sk-***."),
    "workflow-missing-in-app": session(400, "Missing required parameter: 'workflow'."),
    "server-sdk-too-old": session(500, "chatkit is down"),
    "session-gateway-failed": session(500, "Bad Gateway"),
    "session-server-error": session(500, "The server had an error while processing your request. Sorry about that!"),
    "session-rate-limited": session(
        429, "You exceeded your current quota, please check your plan and billing details."
    ),
    "session-request-invalid": session(400, "Missing required parameter: 'user'."),
    "session-redirected": [
        *idle(
            asked("r3", SESSION),
            response_received("r3", 307),
            request_finished("r3"),
            body_read("r3", unread_reason="no body"),
        ),
        *exchange("r4", SESSION + "/", **secret_read()),
    ],
    "session-unreachable": session_failed("net::ERR_ABORTED"),
    "session-answer-broken": idle(
        asked("r3", SESSION), response_received("r3"), request_failed("r3", "net::ERR_ABORTED")
    ),
    "session-blocked-by-cors": session_failed("net::ERR_FAILED", cors("https://elsewhere.test/x")),
    "session-blocked-by-csp": idle(policy_violated("connect-src", SESSION, is_enforced=False)),
    "session-over-plain-http": session_failed("net::ERR_FAILED", mixed("http://elsewhere.test/x")),
    "session-blocked-by-client": [
        *session_failed("net::ERR_BLOCKED_BY_CLIENT"),
        *exchange("r9", SESSION, **secret_read()),
    ],
    "session-blocked-for-local-network": session_failed("net::ERR_FAILED"),
    "session-kept-on-machine": session_failed(
        "net::ERR_INTERNET_DISCONNECTED", request_blocked("GET", "https://elsewhere.test/x")
    ),
    "session-unanswered": idle(asked("r3", "https://app.test/api/profile")),
    "mock-secret": [*page_with_loader(), *exchange("r3", SESSION, **secret_read("digest-m", secret_format="other"))],
    "secret-malformed": booting(response("n1", "digest-m", value_format="other"), command(nonce="n2"), response("n2")),
    "secret-not-a-string": booting(
        response("n1", "", value_kind="undefined", value_format=""), command(nonce="n2"), response("n2")
    ),
    "secret-callback-threw": booting(rejection(), command(nonce="n2"), response("n2")),
    "secret-never-answered": booting(response()),
    "stale-secret-returned": [*hosted(), command(nonce="n2", has_current=True), response("n2", "digest-b")],
    "refresh-not-configured": no_answer("IntegrationError", "Could not refresh the session."),
    **{name: session(status, f"{text[:4]} (told differently)") for name, (status, text) in UPSTREAM.items()},
    "api-key-in-browser": [
        *hosted(),
        asked("r9", "https://app.test/v1/chatkit/sessions", bearer="digest-k"),
        *answered("r9"),
    ],
    # --- frame
    "frame-beside-copied-loader": frame_ended(refused(404, request_id="r4")),
    "frame-challenged": frame_ended(refused(400, error_text="Bad Request", request_id="r4")),
    "frame-refused": frame_ended(request_failed("r4", "net::ERR_FAILED")),
    "frame-blocked-by-csp": frame_ended(
        request_failed("r4", "net::ERR_FAILED"), said=[policy_violated("frame-src", "https://ads.test/")]
    ),
    "frame-forbids-embedding": frame_ended(request_failed("r4", "net::ERR_BLOCKED_BY_RESPONSE")),
    "frame-blocked-by-coep": frame_ended(
        response_received("r4", media_type=HTML, headers=(("x-frame-options", "DENY"),)),
        request_failed("r4", "net::ERR_BLOCKED_BY_RESPONSE"),
    ),
    "frame-blocked-by-client": frame_ended(request_failed("r4", "net::ERR_FAILED")),
    "frame-unreachable": frame_ended(request_failed("r4", "net::ERR_BLOCKED_BY_CLIENT")),
    "frame-unanswered": framed(frame_arrived(), log()),
    "frame-script-missing": frame_script(request_failed("r8", "net::ERR_ABORTED")),
    "frame-script-no-script": frame_script(
        response_received("r8", media_type="text/javascript"), request_finished("r8")
    ),
    "page-not-secure": framed(
        frame_arrived(), iframe_loaded(), page_error("crypto.randomUUID is not a function", "TypeError")
    ),
    "frame-address-stripped": [*hosted(), page_error("Invalid ChatKit frame parameters.", "FatalAppError")],
    "frame-storage-refused": [*hosted(), page_error("The operation is insecure.", "DOMException")],
    "frame-reload-loop": framed(*[frame_arrived(f"r4{n}") for n in range(3)], iframe_loaded()),
    "frame-app-crashed": framed(
        frame_arrived(), iframe_loaded(), page_error("x is null", "TypeError", stack="at https://app.test/app.js:1")
    ),
    "page-from-file": as_document(framed(frame_arrived(), log(), iframe_loaded()), url="file:///tmp/chat.html"),
    "page-of-opaque-origin": as_document(framed(frame_arrived(), log(), iframe_loaded()), origin="null"),
    "messages-misaddressed": [
        *hosted(),
        console_message(
            "Failed to execute 'postMessage' on 'DOMWindow': The target origin provided ('https://a.test') does not match",
            "error",
        ),
    ],
    # --- domain
    "domain-not-registered": [*hosted(check=check(is_verified=False))],
    "domain-key-placeholder": [
        *custom(check=verification(404, url=VERIFY)),
        options_seen("url", "domainKey", domain_key_format="domain_pk"),
        unmount(),
        shadow_changed(STYLE, data_loaded=True),
    ],
    "verification-without-secret": removed(check(401)),
    "verification-unauthorized": removed(check(401, "empty")),
    "verification-failing": hosted(check=[*check(503), *verification(request_id="r7")]),
    "verification-rate-limited": hosted(check=[*check(429), *verification(request_id="r7")]),
    "verification-timed-out": removed(check_failed("net::ERR_ABORTED", after_ms=100)),
    "verification-unreachable": removed(check_failed("net::ERR_ABORTED", after_ms=10_000)),
    "widget-removed": removed(check(401)),
    # --- backend
    "backend-without-secret": hosted(backend=conversation(401)),
    "backend-rejects-secret": hosted(backend=[*conversation(401), *conversation(request_id="r8")]),
    "backend-rate-limited": hosted(backend=[*conversation(429), *conversation(request_id="r8")]),
    "initial-thread-missing": hosted(backend=conversation(404)),
    "backend-refuses": custom(backend=custom_call(404)),
    "backend-failing": hosted(backend=[*conversation(503), *conversation(request_id="r8")]),
    "backend-unreachable": hosted(backend=[conversation()[0], request_failed("r6", "net::ERR_ABORTED")]),
    "backend-error-behind-cors": hosted(backend=[conversation()[0], request_failed("r6", "net::ERR_FAILED")]),
    "stream-dropped": [*hosted(), conversation()[0], request_failed("r6", "net::ERR_ABORTED")],
    "custom-backend-unauthorized": custom(backend=[*custom_call(401), *custom_call(request_id="r8")]),
    "custom-backend-not-found": hosted(backend=conversation(404)),
    "custom-backend-answers-page": custom(),
    "custom-backend-refuses": custom(backend=custom_call(404)),
    "custom-backend-failing": custom(backend=custom_call(501)),
    "custom-backend-blocked-by-cors": custom_failed("net::ERR_FAILED", cors("https://elsewhere.test/x")),
    "custom-backend-over-plain-http": custom_failed("net::ERR_FAILED"),
    "custom-backend-blocked-by-csp": custom_failed(
        "net::ERR_FAILED", policy_violated("connect-src", "https://elsewhere.test/x")
    ),
    "custom-backend-blocked-by-browser": custom_failed("net::ERR_FAILED"),
    "custom-backend-unreachable": custom_failed("net::ERR_ABORTED"),
    "custom-backend-kept-on-machine": custom_failed(
        "net::ERR_INTERNET_DISCONNECTED", request_blocked("POST", "https://elsewhere.test/x")
    ),
    "backend-unanswered": hosted(),
    "stream-of-wrong-type": streamed("text/event-stream"),
    "stream-event-unreadable": no_answer("StreamError", "Failed"),
    "stream-of-foreign-protocol": streamed(
        "text/event-stream",
        widget_event("chatkit.response.start"),
        widget_event("chatkit.thread.change"),
        widget_event("chatkit.response.end"),
    ),
    "reply-failed": no_answer("StreamStopError", "Failed to stop stream"),
    "history-unreadable": no_answer("WidgetItemError", "no"),
    "sentinel-blocked": no_answer("FatalAppError", "Failed to load something else"),
    # --- sight
    "styles-blocked-by-csp": [*hosted(), policy_violated("style-src-elem", "inline", source="https://app.test/app.js")],
    "element-without-height": [
        *boxed(width_px=0, height_px=0),
        policy_violated("style-src-elem", "inline", source=LOADER),
    ],
    "element-without-width": boxed(width_px=0, height_px=0),
    "container-hidden": without_box(hidden_box(), box_changed()),
    "element-transparent": without_box(hidden_box("display:none on div.chat")),
    "element-clipped": without_box(hidden_box("opacity:0 on div.chat")),
    "element-not-painted": without_box(hidden_box("display:none on details")),
    "element-off-screen": boxed(is_reachable=False, width_px=0),
    "element-covered": boxed(covered_by="div.overlay", is_reachable=False),
}

# The one rule that asks how the visit's secret got there, which no event says by itself.
IN_URL = [
    replace(step, string_digests=("digest-a",))
    if isinstance(step, events.RequestStarted) and step.is_navigation and step.is_top_frame
    else step
    for step in hosted()
    if not (
        isinstance(step, events.RequestStarted | events.ResponseReceived | events.RequestFinished | events.BodyRead)
        and step.request_id == "r3"
    )
]
FIRES["secret-in-address"] = IN_URL


# --- what every rule says of every case ---------------------------------------------------------------------------

BESIDES: dict[str, str] = {
    "page-refused": "page-refused page-without-chatkit",
    "page-behind-sign-in": "page-behind-sign-in page-without-chatkit",
    "workflow-id-missing": "element-never-rendered workflow-id-missing",
    "sdk-global-awaited": "element-never-rendered sdk-global-awaited",
    "handler-on-server-component": "element-never-rendered handler-on-server-component",
    "page-script-blocked-by-csp": "element-never-rendered page-script-blocked-by-csp",
    "types-package-imported": "page-without-chatkit types-package-imported",
    "loader-too-late": "element-never-rendered loader-too-late",
    "options-before-upgrade": "options-before-upgrade~ options-never-set",
    "session-blocked-by-csp": "element-never-rendered session-blocked-by-csp",
    "mock-secret": "element-never-rendered mock-secret* secret-malformed*",
    "stale-secret-returned": "backend-rejects-secret stale-secret-returned",
    "backend-without-secret": "backend-without-secret secret-callback-threw",
}
INSTEAD: dict[str, str] = {
    "page-refused": "page-without-chatkit",
    "page-behind-sign-in": "page-without-chatkit",
    "render-deadlock": "element-never-rendered",
    "workflow-id-missing": "element-never-rendered",
    "page-script-blocked-by-csp": "element-never-rendered",
    "loader-not-referenced": "loader-tag-inert",
    "page-without-chatkit": "loader-not-referenced~ wrong-tag~",
    "types-package-imported": "page-without-chatkit",
    "loader-not-executed": "loader-tag-inert",
    "loader-tag-inert": "loader-blocked-by-csp",
    "loader-only-preloaded": "loader-defines-nothing",
    "loader-run-as-module": "element-never-rendered",
    "loader-defines-nothing": "loader-unreachable",
    "loader-too-late": "element-never-rendered",
    "loader-challenged": "loader-refused",
    "loader-at-wrong-address": "loader-refused",
    "loader-refused": "loader-at-wrong-address",
    "loader-unreachable": "loader-blocked-by-client",
    "loader-blocked-by-csp": "loader-unreachable~ page-script-blocked-by-csp~",
    "loader-blocked-by-coep": "loader-blocked-by-client",
    "loader-blocked-by-cors": "loader-unreachable~",
    "loader-over-plain-http": "loader-unreachable~",
    "loader-integrity-mismatch": "loader-never-arrives",
    "loader-answered-by-page": "loader-defines-nothing",
    "loader-never-arrives": "loader-defines-nothing",
    "wrong-tag": "options-never-set",
    "options-undefined": "set-options-threw",
    "api-mixes-modes": "api-invalid",
    "api-without-domain-key": "api-invalid",
    "api-with-ready-secret": "api-invalid",
    "api-empty": "api-invalid",
    "api-invalid": "api-without-domain-key",
    "theme-invalid": "header-shape-wrong",
    "prompt-icon-unknown": "options-refused",
    "header-shape-wrong": "theme-invalid",
    "option-unknown": "header-shape-wrong",
    "option-of-wrong-type": "header-shape-wrong",
    "attachments-without-strategy": "options-refused",
    "options-refused": "theme-invalid",
    "update-refused": "option-unknown",
    "session-for-nobody": "session-route-missing~",
    "session-unauthorized": "element-never-rendered",
    "session-refused-by-csrf": "session-forbidden",
    "session-forbidden": "session-refused-by-csrf",
    "session-route-missing": "workflow-not-found",
    "session-answered-by-page": "session-unauthorized~",
    "session-without-secret": "element-never-rendered",
    "api-key-missing-in-app": "api-key-incorrect",
    "workflow-missing-in-app": "workflow-parameter-missing",
    "server-sdk-too-old": "session-server-error",
    "session-gateway-failed": "session-server-error",
    "session-server-error": "sessions-api-failing",
    "session-rate-limited": "quota-exceeded",
    "session-request-invalid": "user-missing",
    "session-redirected": "element-never-rendered",
    "session-blocked-by-cors": "session-unreachable~",
    "session-blocked-by-csp": "element-never-rendered",
    "session-over-plain-http": "session-unreachable~",
    "session-blocked-by-client": "element-never-rendered",
    "session-blocked-for-local-network": "session-unreachable~",
    "session-kept-on-machine": "session-unreachable",
    "session-unanswered": "element-never-rendered",
    "mock-secret": "element-never-rendered secret-malformed*",
    "workflow-not-found": "session-route-missing~",
    "user-missing": "session-request-invalid",
    "workflow-parameter-missing": "session-request-invalid",
    "workflow-not-an-object": "session-request-invalid",
    "parameter-unknown": "session-request-invalid",
    "beta-header-missing": "session-request-invalid",
    "api-key-not-sent": "session-unauthorized~",
    "api-key-incorrect": "session-unauthorized~",
    "api-key-restricted": "session-unauthorized~",
    "region-not-supported": "session-forbidden",
    "sessions-api-failing": "session-server-error",
    "refresh-endpoint-invented": "session-route-missing~",
    "wrong-api-path": "session-route-missing~",
    "session-unknown": "session-route-missing~",
    "quota-exceeded": "session-rate-limited",
    "hosted-workflows-ended": "session-route-missing~",
    "frame-beside-copied-loader": "frame-refused",
    "frame-challenged": "frame-refused",
    "frame-refused": "frame-unreachable~",
    "frame-blocked-by-csp": "frame-unreachable~",
    "frame-forbids-embedding": "frame-blocked-by-coep~",
    "frame-blocked-by-coep": "frame-forbids-embedding",
    "frame-blocked-by-client": "frame-unreachable~",
    "frame-unreachable": "frame-blocked-by-client",
    "domain-key-placeholder": "domain-not-registered",
    "verification-without-secret": "verification-unauthorized",
    "verification-unauthorized": "verification-without-secret",
    "verification-unreachable": "verification-timed-out",
    "widget-removed": "verification-unauthorized",
    "backend-without-secret": "backend-rejects-secret",
    "initial-thread-missing": "backend-refuses",
    "backend-refuses": "custom-backend-not-found~",
    "backend-error-behind-cors": "backend-unreachable~",
    "custom-backend-not-found": "backend-refuses",
    "custom-backend-refuses": "custom-backend-not-found~",
    "custom-backend-failing": "custom-backend-not-found",
    "custom-backend-blocked-by-cors": "custom-backend-unreachable~",
    "custom-backend-over-plain-http": "custom-backend-unreachable~",
    "custom-backend-blocked-by-csp": "custom-backend-unreachable~",
    "custom-backend-blocked-by-browser": "custom-backend-unreachable~",
    "custom-backend-kept-on-machine": "custom-backend-unreachable",
    "stream-event-unreadable": "reply-failed",
    "element-without-height": "styles-blocked-by-csp",
    "element-without-width": "element-without-height~",
    "element-transparent": "container-hidden",
    "element-clipped": "element-transparent",
    "element-not-painted": "container-hidden",
    "element-off-screen": "element-without-width",
    "element-covered": "element-off-screen",
}

# --- more ---

def arriving(*more: Event | Steps, status: int = 200, media_type: str = "text/javascript", **loader: Any) -> Steps:
    """Return a loader that arrives with this answer."""
    return with_loader(
        response_received("r2", status, media_type=media_type), request_finished("r2"), body_read("r2"), *more, **loader
    )


def page_status(steps: Steps, status: int) -> Steps:
    """Return the visit with another status on the page itself."""
    return [
        replace(s, status=status) if isinstance(s, events.ResponseReceived) and s.request_id == "r1" else s for s in steps
    ]


def other(url: str, *end: Event | Steps, kind: str = "script") -> Steps:
    """Return a request of the page for something else."""
    return _flat((request_started("o1", url, resource_type=kind), *end))


def copy_named(src: str, status: int, *, kind: str = "script", loader_status: int = 200) -> Steps:
    """Return a loader of no known name, and the refused frame that it looks for beside /vendor."""
    steps = copied(status)
    return [
        replace(s, url=src, resource_type=kind) if isinstance(s, events.RequestStarted) and s.request_id == "r2"
        else replace(s, status=loader_status) if isinstance(s, events.ResponseReceived) and s.request_id == "r2"
        else s
        for s in steps if not isinstance(s, events.ScriptReferenced)
    ]  # fmt: skip


def frame_other_script(*end: Event | Steps) -> Steps:
    """Return a frame whose document came, and the request for a script that is not of its build."""
    return [
        replace(s, url="https://cdn.platform.openai.com/cdn-cgi/challenge.js")
        if isinstance(s, events.RequestStarted) and s.request_id == "r8"
        else s
        for s in frame_script(*end)
    ]


def insecure_frame(steps: Steps) -> Steps:
    """Return the visit on a page that is not secure, nor its frame."""
    return [replace(s, is_secure_context=False) if isinstance(s, events.DocumentStarted) else s for s in steps]


MORE: dict[str, tuple[Steps, str]] = {
    # --- page
    "a chat that works on a page with status 404": (page_status(hosted(), 404), ""),
    "an element on a page with status 404": (page_status(bare(ELEMENT), 404), "loader-not-referenced"),
    "a tag on a page with status 404": (page_status(bare(script_referenced()), 404), "loader-tag-inert"),
    "a loader on a page with status 404": (page_status(arriving(), 404), "loader-defines-nothing"),
    "another page, without sign-in": ([visit_started(), *page_opened("https://app.test/home"), navigated(), document_loaded()], "page-without-chatkit"),
    "one sign-in page after another": (
        [visit_started(url="https://app.test/login"), *page_opened("https://app.test/sign-in"), navigated(), document_loaded()], "page-without-chatkit"),
    "a sign-in page with the element": ([visit_started(), *page_opened("https://app.test/login"), navigated(), *ELEMENT, document_loaded()], "loader-not-referenced"),
    "a sign-in page with the loader": ([visit_started(), *page_opened("https://app.test/login"), navigated(), *loader_arrived()], "element-never-rendered"),
    "patience after a secret": (idle(session_fetched(), notice_shown()), "element-never-rendered"),
    "patience with a secret that is refused": (idle(session_refused(), notice_shown()), "session-unauthorized"),
    "a wrong tag, and nothing else": (idle(lookalike_seen("chat-kit-box")), "wrong-tag~"),
    "no workflow id, and a secret": (idle(session_fetched(), console_message("workflow id is missing", "warning")), "element-never-rendered"),
    "no workflow id, and a secret of another source": (booting(response(), console_message("workflow id is missing", "warning")), ""),
    "getClientSecret rejects for want of a workflow id": (booting(rejection(message="Set NEXT_PUBLIC_CHATKIT_WORKFLOW_ID in your .env.local file.")), "workflow-id-missing secret-callback-threw"),
    "a missing global, and no loader": (bare(console_message("ChatKit SDK not loaded.", "error"), ELEMENT), "loader-not-referenced"),
    "four widgets side by side": (idle(*[[element_connected(n), shadow_changed(embed=n), box_changed(embed=n)] for n in (1, 2, 3, 4)]), ""),
    "three widgets, all taken out": (idle(*[[element_connected(n), shadow_changed(embed=n), element_disconnected(n)] for n in (1, 2, 3)]), "element-taken-out"),
    "a widget that works, under a policy that stops an inline script": ([*hosted(), policy_violated("script-src-elem", "inline")], ""),
    "a policy that stops a file of the app": (idle(policy_violated("script-src-elem", "https://app.test/app.js")), "page-script-blocked-by-csp element-never-rendered"),
    "a policy that stops a file of others": (idle(policy_violated("script-src-elem", "https://ads.test/a.js")), "page-script-blocked-by-csp~ element-never-rendered"),
    "a policy that stops files of both": (idle(policy_violated("script-src-elem", "https://ads.test/a.js"), policy_violated("script-src-elem", "https://app.test/app.js")), "page-script-blocked-by-csp element-never-rendered"),
    "two secrets for two widgets": ([*hosted(), *exchange("r9", SESSION, **secret_read("digest-b")), element_connected(2), shadow_changed(embed=2)], ""),
    "a secret that the page changes on its way": ([replace(s, value_digest="digest-x") if isinstance(s, events.FrameMessage) and s.value_digest else s for s in hosted()], ""),
    # --- script
    "an element that was defined by nobody": ([*OPENED, element_defined(), document_loaded(), element_connected(), shadow_changed(STYLE), box_changed()], "options-never-set"),
    "no loader, and a script that fails": (bare(other("https://app.test/a.js", request_failed("o1")), ELEMENT), "loader-not-referenced~"),
    "no loader, and a script that is refused": (bare(other("https://app.test/a.js", response_received("o1", 404)), ELEMENT), "loader-not-referenced~"),
    "no loader, and a script that comes": (bare(other("https://app.test/a.js", response_received("o1")), ELEMENT), "loader-not-referenced"),
    "no loader, and a picture that fails": (bare(other("https://app.test/a.png", request_failed("o1"), kind="image"), ELEMENT), "loader-not-referenced"),
    "no loader, and a script that is stopped": (bare(policy_violated("script-src-elem", "https://ads.test/a.js"), ELEMENT), "loader-not-referenced~ page-script-blocked-by-csp~"),
    "no loader, and an error": (bare(page_error(), ELEMENT), "loader-not-referenced~"),
    "no loader, and a page that never ends": ([s for s in bare(ELEMENT) if s != document_loaded()], "loader-not-referenced~"),
    "a loader that was pasted into the page": (bare(page_error("Unable to determine the ChatKit frame URL.", "Error"), ELEMENT), "loader-run-as-module"),
    "a loader that was pasted into a page without element": (bare(page_error("Unable to determine the ChatKit frame URL.", "Error")), "loader-run-as-module"),
    "a package of types from a CDN": (bare(other("https://esm.test/@openai/chatkit@1.0.0", answered("o1")), ELEMENT), "types-package-imported~ loader-not-referenced"),
    "a package for React from a CDN": (bare(other("https://esm.test/@openai/chatkit-react@1.0.0", answered("o1")), ELEMENT), "loader-not-referenced"),
    "a description of the package": (bare(other("https://npm.test/@openai/chatkit", answered("o1"), kind="fetch"), ELEMENT), "loader-not-referenced"),
    "a package of types from a CDN beside the loader": (arriving(other("https://esm.test/@openai/chatkit@1.0.0", answered("o1"))), "loader-defines-nothing"),
    "a package of types beside the loader": (arriving(page_error('Failed to resolve module specifier "@openai/chatkit".', "TypeError")), "types-package-imported~ loader-defines-nothing"),
    "a tag of data on a page that works": ([*hosted(), script_referenced(type="text/plain")], ""),
    "a tag of data, and one that runs": (bare(script_referenced(type="text/plain"), script_referenced(), ELEMENT), "loader-tag-inert"),
    "a tag of data whose file was fetched": (bare(script_referenced(type="text/plain"), request_started("r2", LOADER, resource_type="script"), answered("r2", body=body("x", "text/javascript")), ELEMENT), ""),
    "a script of a similar name": (bare(script_referenced("https://app.test/chatkit-wrapper.js"), ELEMENT), "loader-not-referenced"),
    "a tag that does nothing, on a page that works": ([*OPENED, script_referenced(), element_defined(), document_loaded()], "element-never-rendered"),
    "an imported loader": (bare(request_started("r2", LOADER, resource_type="script"), answered("r2", body=body("x", "text/javascript")), resource_timed("https://app.test/b.js", initiator="script"), resource_timed(LOADER, initiator="script"), ELEMENT), "loader-run-as-module~"),
    "a preloaded loader beside an imported file": (bare(request_started("r2", LOADER, resource_type="script"), answered("r2", body=body("x", "text/javascript")), resource_timed("https://app.test/b.js", initiator="script"), resource_timed(LOADER, initiator="link"), ELEMENT), "loader-only-preloaded"),
    "a preloaded loader that breaks off": (bare(request_started("r2", LOADER, resource_type="script"), response_received("r2", media_type="text/javascript"), request_failed("r2"), ELEMENT), "loader-unreachable"),
    "a preloaded loader that is refused": (bare(request_started("r2", LOADER, resource_type="script"), refused(500), ELEMENT), "loader-refused"),
    "a preloaded page in place of the loader": (bare(request_started("r2", LOADER, resource_type="script"), response_received("r2", media_type=HTML), request_finished("r2"), ELEMENT), "loader-answered-by-page"),
    "a preloaded loader that is evaluated": (bare(request_started("r2", LOADER, resource_type="script"), answered("r2"), page_error("Unable to determine the ChatKit frame URL.", "Error"), ELEMENT), "loader-run-as-module"),
    "a module of the app's own beside a pasted loader": (arriving(script_referenced("https://app.test/app.js", type="module"), page_error("Unable to determine the ChatKit frame URL.", "Error")), "loader-run-as-module"),
    "a loader that arrives and breaks off": (with_loader(response_received("r2", media_type="text/javascript"), request_failed("r2")), "loader-unreachable"),
    "a loader whose body never ends": (with_loader(response_received("r2", media_type="text/javascript")), "loader-never-arrives"),
    "a loader that defines nothing, as data": (arriving(type="application/json"), ""),
    "a loader that defines nothing, and a wrong tag": ([s for s in arriving(lookalike_seen()) if s not in ELEMENT], "wrong-tag~"),
    "a loader that defines nothing, an element, and a wrong tag": (arriving(lookalike_seen()), "loader-defines-nothing"),
    "a loader that defines nothing, without an element": ([s for s in arriving() if s not in ELEMENT], "loader-defines-nothing"),
    "a loader with a wrong hash, fetched": (arriving(console_message(f"Failed to find a valid digest in the 'integrity' attribute for resource '{LOADER}'", "error")), "loader-integrity-mismatch"),
    "a loader with a hash, without CORS": (arriving(console_message(f"Subresource Integrity: The resource '{LOADER}' has an integrity attribute, but the resource requires the request to be CORS enabled", "error")), "loader-integrity-mismatch"),
    "a loader with a wrong hash in Firefox": (arriving(console_message(f'None of the "sha384" hashes in the integrity attribute match the content of the subresource at "{LOADER}".', "error")), "loader-integrity-mismatch"),
    "a wrong hash on a second tag": ([*hosted(), console_message(f"Failed to find a valid digest in the 'integrity' attribute for resource '{LOADER}'", "error")], ""),
    "an app that gave up for good": (bare(loader_requested(), console_message("ChatKit script failed to load", "error"), request_failed("r2")), "loader-unreachable"),
    "an app that gave up too early, and then did not": ([*OPENED, *loader_requested(), console_message("ChatKit script timed out", "error"), *answered("r2"), element_defined(), document_loaded(), *hosted()[len(page_with_loader()):]], ""),
    # --- the loader on its way
    "a challenge that says so in a header": (with_loader(refused(403, "application/json", headers=(("content-type", "application/json"), ("cf-mitigated", "challenge")))), "loader-challenged"),
    "a refusal that looks like a challenge": (with_loader(refused(403, headers=(("content-type", "text/html"), ("cf-ray", "1")))), "loader-challenged~"),
    "too many requests for the loader": (with_loader(refused(429)), "loader-refused"),
    "a failure in the words of a challenge": (with_loader(refused(500, error_text="Just a moment...")), "loader-refused"),
    "another address that fails": (with_loader(refused(500), src="https://cdn.chatkit.test/v1/chatkit.js"), "loader-refused"),
    "another address that is not reached": (with_loader(request_failed("r2"), src="https://cdn.chatkit.test/v1/chatkit.js"), "loader-at-wrong-address~"),
    "another address out of reach for this run": (with_loader(request_blocked("GET", "https://cdn.chatkit.test/v1/chatkit.js"), request_failed("r2", "net::ERR_INTERNET_DISCONNECTED"), src="https://cdn.chatkit.test/v1/chatkit.js"), "loader-at-wrong-address~"),
    "another address that answers with no script": (with_loader(request_failed("r2", "net::ERR_BLOCKED_BY_ORB"), src="https://cdn.chatkit.test/v1/chatkit.js"), "loader-at-wrong-address~"),
    "the CDN answers with no script": (with_loader(request_failed("r2", "net::ERR_BLOCKED_BY_ORB")), "loader-answered-by-page"),
    "a policy that stops the loader under csp's other name": (with_loader(request_failed("r2", "net::ERR_BLOCKED_BY_CSP")), "loader-blocked-by-csp"),
    "a policy against reading the loader": (with_loader(policy_violated("connect-src", LOADER), refused(500)), "loader-refused"),
    "a policy against the loader and others": (with_loader(script_referenced("https://app.test/chatkit.js"), policy_violated("script-src-elem", LOADER), request_failed("r2", "csp")), "loader-blocked-by-csp"),
    "a policy against a loader that came": (arriving(policy_violated("script-src-elem", LOADER)), "loader-defines-nothing"),
    "a loader of the page's own policy": (with_loader(request_failed("r2", "net::ERR_BLOCKED_BY_RESPONSE.NotSameOrigin")), "loader-blocked-by-coep~"),
    "a loader that is nobody's to embed, on an isolated page": (page_headers(with_loader(request_failed("r2", "net::ERR_BLOCKED_BY_RESPONSE.NotSameOrigin")), ("Cross-Origin-Embedder-Policy", "require-corp")), "loader-blocked-by-coep~"),
    "an http loader that fails": (with_loader(request_failed("r2"), src="http://cdn.platform.openai.com/deployments/chatkit/chatkit.js"), "loader-over-plain-http~ loader-at-wrong-address~"),
    "an http loader that is only named": (bare(script_referenced("http://cdn.platform.openai.com/deployments/chatkit/chatkit.js"), ELEMENT), "loader-tag-inert"),
    "an http loader that is only complained of": (bare(script_referenced("http://cdn.platform.openai.com/deployments/chatkit/chatkit.js"), mixed("http://cdn.platform.openai.com/deployments/chatkit/chatkit.js"), ELEMENT), "loader-over-plain-http loader-tag-inert"),
    "an https loader that fails beside http": (with_loader(mixed(LOADER), request_failed("r2")), ""),
    "a page that was a page, and works": ([*hosted(), request_started("r8", LOADER, resource_type="script"), response_received("r8", media_type=HTML), request_finished("r8")], ""),
    "a page in place of the loader that breaks off": (with_loader(response_received("r2", media_type=HTML), request_failed("r2")), "loader-unreachable"),
    "a second loader that hangs on a page that waits": ([*page_with_loader(), request_started("r8", LOADER, resource_type="script"), *element_shown(), *frame_arrived(), command(), log(), *iframe_loaded()], "secret-never-answered"),
    "a loader that was given up": (with_loader(request_failed("r2", "net::ERR_ABORTED")), ""),
    # --- element
    "a wrong tag of OpenAI's": (idle(lookalike_seen("openai-chat-kit")), "wrong-tag"),
    "a wrong tag of Open AI's": (idle(lookalike_seen("open-ai-chatkit")), "wrong-tag"),
    "a wrong tag that is given options": (idle(lookalike_seen("my-chat-kit"), page_error("chat.setOptions is not a function", "TypeError")), "wrong-tag options-before-upgrade~"),
    "a wrong tag that is invented, without loader": (bare(lookalike_seen()), "wrong-tag~ loader-not-referenced~"),
    "options before the loader": ([*OPENED, *loader_requested(), element_connected(), page_error("chat.setOptions is not a function", "TypeError"), *answered("r2"), element_defined(), document_loaded(), shadow_changed(STYLE), box_changed()], "options-before-upgrade options-never-set"),
    "options before the loader, logged": ([*OPENED, *loader_requested(), element_connected(), console_message("TypeError: chat.setOptions is not a function", "error"), *answered("r2"), element_defined(), document_loaded(), shadow_changed(STYLE), box_changed()], "options-before-upgrade options-never-set"),
    "options for an element that was not found": ([*OPENED, *loader_requested(), page_error("Cannot read properties of null (reading 'setOptions')", "TypeError"), *answered("r2"), element_defined(), document_loaded(), element_connected(), shadow_changed(STYLE), box_changed()], "options-before-upgrade~ options-never-set"),
    "options before the loader, and no element": ([*OPENED, *loader_requested(), page_error("chat.setOptions is not a function", "TypeError"), *answered("r2"), element_defined(), document_loaded()], "options-before-upgrade~ element-never-rendered"),
    "options before a loader that never comes": (bare(page_error("chat.setOptions is not a function", "TypeError"), ELEMENT), "options-before-upgrade~ loader-not-referenced~"),
    "no options, uncaught": (upgraded(page_error("Cannot read properties of undefined (reading 'threadItemActions')", "TypeError")), "options-undefined options-never-set"),
    "options in a circle, uncaught": (upgraded(page_error("Converting circular structure to JSON", "TypeError")), "options-not-serialisable~ options-never-set"),
    "something in a circle, and no element": (idle(page_error("Converting circular structure to JSON", "TypeError")), "element-never-rendered"),
    "an error of an element whose frame speaks": (upgraded(log(), widget_event("chatkit.error", detail_name="RangeError", message="no")), ""),
    "an error of a frame before its options": (upgraded(frame_error("FatalAppError", "no")), ""),
    "an element without a shadow": (idle(element_connected(), box_changed()), ""),
    "an element of an undefined kind": (bare(script_referenced(), request_started("r2", LOADER, resource_type="script"), refused(500), element_connected(), shadow_changed(STYLE), box_changed()), "loader-refused"),
    "a method that is refused, by ChatKit's own error": (no_answer("IntegrationError", 'ChatKit command "shareThread" is not available for the "chatkit" profile.'), "command-not-available"),
    # --- options
    "options that are refused, unseen": (framed(frame_arrived(), frame_error("FatalAppError", INVALID + "api"), iframe_loaded()), "api-invalid"),
    "api with an unknown key": (rejected_options('ChatKit.create():\n✖ Unrecognized key: "x"\n  → at api', "getClientSecret"), "api-invalid"),
    "api with a key of no meaning": (rejected_options(INVALID + "api", "endpoint"), "api-invalid"),
    "api with a url alone, refused elsewhere": (rejected_options(INVALID + "theme", "url"), "theme-invalid"),
    "an unknown key where a type is named": (rejected_options('ChatKit.create():\n✖ Unrecognized key: "x"; expected string, received undefined\n  → at composer'), "option-unknown"),
    "no strategy where a type is named": (rejected_options("ChatKit.create():\n✖ uploadStrategy must be provided; expected object, received undefined\n  → at composer"), "attachments-without-strategy"),
    "an api of another type": (rejected_options("ChatKit.create():\n✖ Invalid input: expected object, received string\n  → at api", "getClientSecret"), "api-invalid"),
    "a theme of another type": (rejected_options("ChatKit.create():\n✖ Invalid input: expected string, received null\n  → at theme.color"), "theme-invalid"),
    "an icon of another type": (rejected_options("ChatKit.create():\n✖ Invalid input: expected string, received null\n  → at startScreen.prompts[0].icon"), "prompt-icon-unknown"),
    "a refusal that a frame survives": ([*hosted(), page_error("Command onSetOptions not supported", "IntegrationError")], ""),
    "a tool without a handler, uncaught": ([*hosted(), page_error("No handler for client tool calls.", "IntegrationError")], "handler-missing"),
    "metadata of another shape, uncaught": ([*hosted(), page_error("ChatKit: addMetadataToRequest must return an object or null.", "IntegrationError")], "metadata-of-wrong-shape"),
    # --- session
    "a 401 without words": (session(401), "session-unauthorized~"),
    "a 401 in the words of somebody else": (session(401, "Failed to create session"), "session-unauthorized~"),
    "a 401 that asks for credentials": (idle(asked("r3", SESSION), response_received("r3", 401, headers=(("content-type", "x"), ("www-authenticate", "Bearer"))), request_finished("r3"), body_read("r3")), "session-unauthorized"),
    "a 401 for nobody": (session(401, "Sign in first.", url=f"{SESSION}?user=undefined"), "session-for-nobody"),
    "a secret for nobody": (idle(exchange("r3", f"{SESSION}?user=undefined", **secret_read())), "element-never-rendered"),
    "a 500 for nobody": (session(500, "oops", url=f"{SESSION}?user=undefined"), "session-server-error"),
    "a 403 for nobody": (session(403, "no", url=f"{SESSION}?user=undefined"), "session-for-nobody"),
    "a 422 for nobody": (session(422, "no", url=f"{SESSION}?user=undefined"), "session-for-nobody"),
    "a 400 about CSRF": (session(400, "CSRF token missing"), "session-refused-by-csrf"),
    "a 500 about CSRF": (session(500, "CSRF token missing"), "session-server-error"),
    "a 404 in JSON": (session(404, "Not Found"), "session-route-missing~"),
    "a 405 in JSON": (session(405, "Method Not Allowed"), "session-route-missing"),
    "a 404 for want of a workflow": (session(404, "Missing workflow id"), "workflow-missing-in-app"),
    "an API key of some kind": (session(401, "Missing API key"), "api-key-missing-in-app~ session-unauthorized~"),
    "a success that mentions a key": (session(200, "Missing OPENAI_API_KEY"), "session-without-secret"),
    "a success that mentions a workflow": (session(200, "Missing workflow id"), "session-without-secret"),
    "a refusal that mentions an old library": (session(400, "'OpenAI' object has no attribute 'chatkit'"), ""),
    "a gateway that mentions a key": (session(502, "Missing OPENAI_API_KEY"), "api-key-missing-in-app"),
    "a redirection that is none": (idle(asked("r3", SESSION), response_received("r3", 304, headers=(("location", "/login"),)), request_finished("r3"), body_read("r3", unread_reason="no body")), ""),
    "a redirection, and a secret before": (idle(exchange("r2b", SESSION, **secret_read()), asked("r3", SESSION), response_received("r3", 302), request_finished("r3"), body_read("r3", unread_reason="no body")), ""),
    "a redirection, and a secret of another source": (booting(asked("r3", SESSION), response_received("r3", 302), request_finished("r3"), body_read("r3", unread_reason="no body"), response()), ""),
    "a redirection, and a refusal": (idle(asked("r3", SESSION), response_received("r3", 302), request_finished("r3"), body_read("r3", unread_reason="no body"), session_refused(request_id="r4")), "session-unauthorized"),
    "a request of another name that fails in answer to the frame": (booting(request_started("r3", "https://app.test/start"), response_received("r3", 401), request_finished("r3"), body_read("r3", error_text="Sign in first."), rejection()), "session-unauthorized~ secret-callback-threw"),
    "a request of another name that is not answered": (booting(request_started("r3", "https://app.test/start")), "session-unanswered~ secret-never-answered"),
    # --- the session endpoint on its way
    "an endpoint that fails for a reason of its own": (session_failed("net::ERR_FAILED"), "session-unreachable~"),
    "an endpoint that fails in answer to the frame": (booting(request_started("r3", "https://app.test/start"), request_failed("r3"), rejection()), "session-unreachable~ secret-callback-threw"),
    "an answer that the page gives up": (idle(asked("r3", SESSION), response_received("r3", 500), request_failed("r3", "net::ERR_CONTENT_LENGTH_MISMATCH")), "session-server-error"),
    "a policy against an endpoint that failed": (session_failed("csp", policy_violated("connect-src", SESSION)), "session-blocked-by-csp"),
    "a policy against an endpoint, in other words": (session_failed("net::ERR_BLOCKED_BY_CSP"), "session-blocked-by-csp"),
    "a policy against an endpoint, in the words of the violation": (session_failed("net::ERR_FAILED", policy_violated("connect-src", SESSION)), "session-blocked-by-csp"),
    "a policy against an endpoint of another name": (booting(policy_violated("connect-src", "https://app.test/start"), rejection()), "session-blocked-by-csp~ secret-callback-threw"),
    "a policy against an endpoint that sounds like it": (upgraded(policy_violated("connect-src", "https://api.test/assistant")), "session-blocked-by-csp~ options-never-set"),
    "a policy against measuring": (booting(policy_violated("connect-src", "https://chatgpt.com/ces/v1/t"), rejection()), "secret-callback-threw"),
    "a policy against an endpoint, and a secret": (idle(policy_violated("connect-src", SESSION), session_fetched()), "element-never-rendered"),
    "a policy against an endpoint, and a secret of another source": (booting(policy_violated("connect-src", SESSION), response()), ""),
    "a policy against an endpoint that nobody needs": (custom(backend=[]) + [policy_violated("connect-src", SESSION)], ""),
    "a policy against a backend": (custom_failed("net::ERR_FAILED", policy_violated("connect-src", CUSTOM)), "custom-backend-blocked-by-csp"),
    "an endpoint over http, in the words of the failure": (session_failed("mixed-content"), "session-over-plain-http"),
    "an endpoint on the local network, in the words of the failure": (session_failed("net::ERR_BLOCKED_BY_LOCAL_NETWORK_ACCESS_CHECKS"), "session-blocked-for-local-network"),
    "an endpoint on the private network, in the words of the failure": (session_failed("net::ERR_BLOCKED_BY_PRIVATE_NETWORK_ACCESS_CHECKS"), "session-blocked-for-local-network"),
    "an endpoint without CORS, in Firefox": (session_failed("NS_ERROR_FAILURE", console_message(f"Cross-Origin Request Blocked: The Same Origin Policy disallows reading the remote resource at {SESSION}.", "error")), "session-blocked-by-cors"),
    "an endpoint without CORS, told without its scheme": (session_failed("net::ERR_FAILED", console_message("app.test/api/chatkit/session has been blocked by CORS policy", "error")), "session-blocked-by-cors"),
    "an endpoint that hangs, after one that answered": (idle(exchange("r2b", SESSION, **secret_read()), asked("r3", SESSION)), ""),
    "an endpoint that hangs, and a secret of another source": ([*hosted(), asked("r9", SESSION)], ""),
    "an endpoint that hangs, and nobody needs it": ([*page_with_loader(), asked("r9", SESSION), *custom(backend=custom_call(500))[len(page_with_loader()) :]], "custom-backend-failing"),
    "an endpoint that was given up": (idle(asked("r3", SESSION), request_failed("r3", "net::ERR_ABORTED")), ""),
    # --- the secret
    "a mock of the real form": (booting(exchange("r3", SESSION, **secret_read("digest-m", is_mock=True)), response("n1", "digest-m", value_format="other")), "mock-secret~ secret-malformed~"),
    "a mock, and a real secret": ([*hosted(), *exchange("r9", SESSION, **secret_read("digest-a", is_mock=True))], ""),
    "a mock without a secret": (idle(exchange("r3", SESSION, is_mock=True)), "session-without-secret"),
    "a mock that was handed over": (booting(exchange("r3", SESSION, **secret_read("digest-m", secret_format="other", is_mock=True)), response("n1", "digest-m", value_format="other"), frame_error("IntegrationError", BAD_SECRET)), "mock-secret secret-malformed"),
    "a mock beside another secret": (booting(exchange("r3", SESSION, **secret_read("digest-m", secret_format="other", is_mock=True)), response("n1", "digest-x", value_format="other"), frame_error("IntegrationError", BAD_SECRET)), "mock-secret* secret-malformed"),
    "a secret of another form that the frame takes": (booting(response("n1", "digest-m", value_format="other")), "secret-malformed~"),
    "a number of another form": (booting(response("n1", "", value_kind="number", value_format="other"), frame_error("IntegrationError", BAD_SECRET)), "secret-not-a-string"),
    "a secret of another form, and then a good one": (idle(exchange("r3", SESSION, **secret_read("digest-m", secret_format="other")), exchange("r9", SESSION, **secret_read())), "element-never-rendered"),
    "a secret of another form that nobody has used": (idle(exchange("r3", SESSION, **secret_read("digest-m", secret_format="other"))), "secret-malformed* element-never-rendered"),
    "a secret of another form, and the frame waits": (booting(exchange("r3", SESSION, **secret_read("digest-m", secret_format="other"))), "secret-never-answered"),
    "an answer of another form without a secret": (idle(exchange("r3", SESSION, secret_format="other")), "session-without-secret"),
    "a secret that is awaited by a frame that dies": (booting(frame_error("FatalAppError", INVALID + "theme")), "theme-invalid"),
    "a secret that is handed out twice": ([*hosted(), command(nonce="n2"), response("n2")], ""),
    "no secret, twice": (booting(response("n1", "", value_kind="undefined", value_format=""), command(nonce="n2", has_current=True), response("n2", "", value_kind="undefined", value_format="")), "secret-not-a-string"),
    "a refresh without its function, uncaught": ([*hosted(), page_error("Could not refresh the session because ChatKitOptions.api.getClientSecret is not configured.", "IntegrationError")], "refresh-not-configured"),
    # --- OpenAI's words
    "OpenAI's words from the page": (booting(rejection(message="Workflow with id 'wf_1' not found.")), "workflow-not-found~ secret-callback-threw"),
    "OpenAI's words from the page, and a refusal without words": (booting(session(404)[len(page_with_loader()) :], rejection(message="Workflow with id 'wf_1' not found.")), "workflow-not-found~ session-route-missing~ secret-callback-threw"),
    "OpenAI's words from the page, and other words of the endpoint": (booting(session_refused(), rejection(message="Workflow with id 'wf_1' not found.")), "session-unauthorized secret-callback-threw"),
    "OpenAI's words from the page, and a secret": (booting(rejection(message="Workflow with id 'wf_1' not found."), command(nonce="n2"), response("n2")), ""),
    "OpenAI's words in an answer that never came": (idle(asked("r3", SESSION), request_failed("r3"), body_read("r3", error_text="Workflow with id 'wf_1' not found.")), "session-unreachable"),
    "an app's own unknown parameter": (session(400, "Unknown parameter in the form"), "session-request-invalid"),
    "a page that asks OpenAI without a key": ([*hosted(), asked("r9", "https://api.openai.com/v1/chatkit/sessions"), *answered("r9", **secret_read())], ""),
    "a page that asks OpenAI for something else": ([*hosted(), asked("r9", "https://api.openai.com/v1/models", bearer="digest-k"), *answered("r9")], ""),
    "a key on an address that is none": ([*hosted(), asked("r9", "/v1/chatkit/sessions", bearer="digest-k"), *answered("r9")], ""),
    # --- the frame
    "a copy of the loader under another name": (copy_named("https://app.test/vendor/ck.js", 404), "frame-beside-copied-loader"),
    "a copy of the loader somewhere else": (copy_named("https://app.test/js/ck.js", 404), "frame-refused"),
    "a picture beside the frame": (copy_named("https://app.test/vendor/ck.png", 404, kind="image"), "frame-refused"),
    "a copy of the loader that was refused beside another script": (copy_named("https://app.test/vendor/ck.js", 404, loader_status=500), "frame-refused"),
    "a copy of the loader with a page beside it": (copied(200), "frame-beside-copied-loader~"),
    "a copy of the loader with a frame beside it that speaks": ([*copied(200), log()], ""),
    "a copy of the loader with a refused frame beside it that speaks": ([*copied(404), log()], ""),
    "a copy of the loader whose frame is redirected": (copied(302), ""),
    "a copy of the loader with a frame that is not finished": ([s for s in copied(200) if s != document_loaded()], "frame-beside-copied-loader~"),
    "a copy of the loader with a frame that misses its script": ([*copied(200)[:-2], request_started("r8", "https://app.test/assets/ck1/index-x.js", resource_type="script", frame_url="https://app.test/vendor/index-abc.html", is_top_frame=False), response_received("r8", 404), request_finished("r8"), *copied(200)[-2:]], "frame-script-missing"),
    "a copy of the loader with an official frame": (copied(404, FRAME), "frame-refused"),
    "a copy of the loader that is gone": (copied(410), "frame-beside-copied-loader"),
    "a frame on the CDN that is not there": (frame_ended(refused(404, request_id="r4")), "frame-refused"),
    "a frame that is refused and speaks": ([*frame_ended(refused(400, request_id="r4")), log()], ""),
    "a frame that is challenged by a header": (frame_ended(refused(503, "application/json", headers=(("a", "b"), ("cf-mitigated", "challenge")), request_id="r4")), "frame-challenged"),
    "a frame that is busy": (frame_ended(refused(503, request_id="r4")), "frame-refused"),
    "a frame that is forbidden, as JSON": (frame_ended(refused(403, "application/json", request_id="r4")), "frame-refused"),
    "a frame that fails while its page says 403": (frame_ended(refused(403, request_id="r4")), "frame-challenged"),
    "a frame under a policy, and another iframe": (framed(shadow_changed(iframe_src="https://a.test/x.html"), shadow_changed(), policy_violated("frame-src", FRAME), frame_requested(), request_failed("r4", "csp"), iframe_loaded()), "frame-blocked-by-csp"),
    "a policy against what is no frame": (frame_ended(refused(400, request_id="r4"), said=[policy_violated("connect-src", FRAME)]), "frame-refused"),
    "a policy against a frame that speaks": ([*hosted(), policy_violated("frame-src", FRAME)], ""),
    "a policy against a frame that was never made": (upgraded(shadow_changed(STYLE, iframe_src=FRAME), policy_violated("frame-src", FRAME)), "options-never-set"),
    "a frame that forbids others by frame-ancestors": (frame_ended(response_received("r4", media_type=HTML, headers=(("content-security-policy", "frame-ancestors 'none'"),)), request_failed("r4", "net::ERR_BLOCKED_BY_RESPONSE")), "frame-forbids-embedding"),
    "a frame that forbids others, on the console": (frame_ended(console_message("Refused to display 'https://cdn.platform.openai.com/' in a frame because it set 'X-Frame-Options' to 'deny'.", "error"), request_failed("r4", "net::ERR_BLOCKED_BY_RESPONSE")), "frame-forbids-embedding"),
    "a frame that would forbid others, and breaks off": (frame_ended(response_received("r4", media_type=HTML, headers=(("x-frame-options", "DENY"),)), request_failed("r4", "net::ERR_CONNECTION_RESET")), "frame-unreachable"),
    "a frame that consents to nobody, in Firefox": (page_headers(frame_ended(request_failed("r4", "corp-failed")), ("cross-origin-embedder-policy", "require-corp")), "frame-blocked-by-coep"),
    "a frame of another origin only": (page_headers(frame_ended(request_failed("r4", "net::ERR_BLOCKED_BY_RESPONSE.NotSameOrigin")), ("cross-origin-embedder-policy", "require-corp")), "frame-blocked-by-coep~"),
    "a frame out of reach for this run": (frame_ended(request_blocked("GET", FRAME), request_failed("r4", "net::ERR_INTERNET_DISCONNECTED")), "frame-unreachable~"),
    "a frame that was given up": (frame_ended(request_failed("r4", "net::ERR_ABORTED")), "frame-unreachable~"),
    "a frame that hangs and speaks": (framed(frame_requested(), log()), ""),
    "a script of the frame that fails and is not awaited": (framed(frame_arrived(), request_started("r8", "https://cdn.platform.openai.com/assets/ck1/index-x.js", resource_type="script", frame_url=FRAME, is_top_frame=False), request_failed("r8", "net::ERR_ABORTED")), ""),
    "a frame's script that is challenged": (frame_script(refused(403, request_id="r8")), "frame-challenged"),
    "a frame's script that is blocked": (frame_script(request_failed("r8", "net::ERR_BLOCKED_BY_CLIENT")), "frame-blocked-by-client"),
    "a frame's script that breaks off": (frame_script(request_failed("r8", "net::ERR_CONNECTION_RESET")), "frame-script-missing"),
    "a frame's script that is missing, and it speaks": ([*frame_script(refused(404, "text/plain", request_id="r8")), log()], ""),
    "another script of the frame that is missing": (frame_other_script(refused(404, "text/plain", request_id="r8")), "frame-script-missing~"),
    "another script of the frame that is a page": (frame_other_script(response_received("r8", media_type=HTML), request_finished("r8")), "frame-script-no-script~"),
    "a frame's script that is a page, and it speaks": ([*frame_script(response_received("r8", media_type=HTML), request_finished("r8")), log()], ""),
    "a frame's script that is a page of an error": (frame_script(response_received("r8", 500, media_type=HTML), request_finished("r8")), "frame-script-missing"),
    "a frame on a page that is not secure, and it speaks": (as_document([*framed(frame_arrived(), log(), iframe_loaded()), command(), response()], is_secure_context=False), ""),
    "a frame on a page that is not secure, without an error": (insecure_frame(framed(frame_arrived(), iframe_loaded())), "page-not-secure~"),
    "a secure frame on a page that is not": (as_document(framed(frame_arrived(), iframe_loaded()), is_secure_context=False, origin="http://app.test"), ""),
    "a page that is not secure, before its frame": (as_document(bare(ELEMENT), is_secure_context=False, origin="http://app.test"), "page-not-secure* loader-not-referenced"),
    "a page of no origin, before its frame": (as_document(bare(ELEMENT), is_secure_context=False, origin="null"), "loader-not-referenced"),
    "an address without its options, uncaught": (framed(frame_arrived(), page_error("Invalid ChatKit frame parameters.", "FatalAppError"), iframe_loaded()), "frame-address-stripped"),
    "storage that is refused to the frame's own script": (framed(frame_arrived(), page_error("The operation is insecure.", "DOMException", stack="at https://cdn.platform.openai.com/assets/ck1/index-x.js:1"), iframe_loaded()), "frame-storage-refused"),
    "storage that is refused to the page": (framed(frame_arrived(), page_error("The operation is insecure.", "DOMException", stack="at https://app.test/app.js:1"), iframe_loaded()), ""),
    "storage that is refused before there is a frame": (upgraded(page_error("The operation is insecure.", "DOMException")), "options-never-set"),
    "a frame that loads often and lives": ([*hosted(), *[frame_arrived(f"r4{n}") for n in range(4)]], ""),
    "a frame that loads often after a move": ([*MOVED, *_flat(tuple(frame_arrived(f"r4{n}") for n in range(4)))], "element-moved"),
    "a frame that loads often and is refused": (framed(*[frame_arrived(f"r4{n}") for n in range(4)], frame_requested("r5"), response_received("r5", 400), request_finished("r5"), iframe_loaded()), "frame-refused"),
    "frames of several widgets": (framed(*[frame_arrived(f"r4{n}") for n in range(4)], element_connected(2), iframe_loaded()), ""),
    "a crash of a frame that speaks": ([*framed(frame_arrived(), log(), iframe_loaded()), page_error("x", "TypeError", stack="at https://cdn.platform.openai.com/assets/ck1/index-x.js:1"), command(), response()], ""),
    "a crash in a file of a similar name, without a frame": (upgraded(page_error("x", "TypeError", stack="at https://app.test/assets/index-x.js:1")), "options-never-set"),
    "a crash of a frame that misses its script": (frame_script(refused(404, "text/plain", request_id="r8"), page_error("x", "TypeError", stack="at https://cdn.platform.openai.com/assets/ck1/index-x.js:1")), "frame-script-missing"),
    # --- handshake
    "a file whose frame is silent": (as_document(framed(frame_arrived(), iframe_loaded()), url="file:///tmp/chat.html"), "page-from-file~"),
    "a file without options": (as_document(upgraded(), url="file:///tmp/chat.html"), "options-never-set"),
    "a page of no origin without options": (as_document(upgraded(frame_arrived()), origin="null"), "options-never-set"),
    "a page of no origin whose frame is refused": (as_document(frame_ended(refused(400, request_id="r4")), origin="null"), "frame-refused"),
    "messages of somebody else, before the options": (upgraded(console_message("Failed to execute 'postMessage' on 'DOMWindow': The target origin provided ('https://a.test') does not match", "error")), "options-never-set"),
    "messages to a page of no origin": (as_document(framed(frame_arrived(), iframe_loaded(), console_message("Failed to execute 'postMessage' on 'DOMWindow': The target origin provided ('https://a.test') does not match", "error")), origin="null"), "page-of-opaque-origin"),
    # --- domain
    "a custom domain check with an empty bearer": ([*custom(check=[replace(verification(401, url=VERIFY)[0], bearer="empty"), *verification(401, url=VERIFY)[1:]]), unmount(), shadow_changed(STYLE, data_loaded=True)], "verification-unauthorized"),
    "a domain that is unknown": (removed(check(404)), "domain-not-registered"),
    "a domain that is refused in words": ([*hosted(check=[]), frame_error("IntegrationError", "Domain verification failed for https://app.test."), unmount(), shadow_changed(STYLE, data_loaded=True)], "domain-not-registered"),
    "a domain that is not verified for want of a secret": (removed(check(404, "empty")), ""),
    "a domain that is not verified for want of a secret, in words": (removed(check(404, "empty"), frame_error("IntegrationError", "Domain verification failed for https://app.test.")), "domain-not-registered"),
    "a farewell of a wrapper that stays": ([*hosted(check=check(401)), unmount()], "verification-unauthorized"),
    "a wrapper that goes without farewell": ([*hosted(check=check(401)), shadow_changed(STYLE, data_loaded=True)], "verification-unauthorized"),
    "a placeholder that nobody checked": ([*custom(check=[]), options_seen("url", "domainKey", domain_key_format="placeholder"), unmount()], "widget-removed"),
    "a placeholder whose check failed": ([*custom(check=verification(500, url=VERIFY)), options_seen("url", "domainKey", domain_key_format="placeholder"), unmount()], "verification-failing"),
    "a placeholder that nobody minds": ([*custom(), options_seen("url", "domainKey", domain_key_format="placeholder")], ""),
    "a placeholder whose check was refused": ([*custom(check=verification(401, url=VERIFY)), options_seen("url", "domainKey", domain_key_format="placeholder"), unmount()], "domain-key-placeholder"),
    "a real key whose check was refused": ([*custom(check=verification(401, url=VERIFY)), options_seen("url", "domainKey", domain_key_format="domain_pk"), unmount()], "verification-unauthorized"),
    "a check for want of a secret that fails": (removed(check(503, "empty")), "verification-failing"),
    "a check that is refused, of a widget that stays": (hosted(check=check(401)), ""),
    "a check that times out in the frame's words": (removed(check_failed("net::ERR_FAILED"), frame_error("DomainVerificationRequestError", "Domain verification request timed out")), "verification-timed-out"),
    "a check that is answered late": (removed([verification()[0], pause(10_000), *verification(401)[1:]], frame_error("DomainVerificationRequestError", "verification request timed out")), "verification-unauthorized"),
    "a check that fails after long": (removed(check_failed("net::ERR_CONNECTION_RESET", after_ms=10_000)), "verification-unreachable"),
    "a check that fails for a reason of its own": (removed(check_failed("net::ERR_FAILED")), "verification-unreachable~"),
    "a check that is never answered": (removed(verification()[:1]), ""),
    "a removal in the words of a time limit": ([*hosted(check=[]), frame_error("DomainVerificationRequestError", "verification request timed out"), unmount()], ""),
    # --- backend
    "a backend that fails without a secret": (hosted(backend=conversation(500, bearer="empty")), "backend-failing"),
    "a backend that fails for the first thread": ([*hosted(backend=conversation(500)), frame_error("InitialThreadLoadError", "Failed to load initial thread")], "backend-failing"),
    "a first thread that is missing, and no call": (no_answer("InitialThreadLoadError", "Failed to load initial thread: Not Found"), "initial-thread-missing"),
    "a backend call that was given up": (hosted(backend=[conversation()[0], request_failed("r6", "net::ERR_ABORTED")]), ""),
    "a backend that refuses in the words of CORS": (hosted(backend=[*conversation(404), cors(CONVERSATION)]), "backend-refuses"),
    "a backend that hangs after it answered": (hosted(backend=[*conversation(500), *conversation(request_id="r8")[:1]]), "backend-unanswered backend-failing"),
    "a backend that hangs at last": ([*hosted(check=[*verification()[:1]]), *conversation(request_id="r8")[:1]], ""),
    "a backend that fails for a reason of its own": (hosted(backend=[conversation()[0], request_failed("r6", "net::ERR_FAILED")]), "backend-unreachable~"),
    # --- the app's own backend
    "an own backend that forbids": (custom(backend=custom_call(403)), "custom-backend-unauthorized~"),
    "an own backend that is not found, in JSON": (custom(backend=custom_call(404)), "custom-backend-not-found~"),
    "OpenAI's backend answers with a page": (hosted(backend=[conversation()[0], response_received("r6", media_type=HTML), request_finished("r6")]), ""),
    "an own backend that refuses with a page": (custom(backend=[*custom_call()[:2], response_received("r6", 500, media_type=HTML), request_finished("r6"), body_read("r6")]), "custom-backend-failing"),
    "an own backend that answers with a page at first": (custom(backend=[*custom_call()[:2], response_received("r6", media_type=HTML), request_finished("r6"), *custom_call(request_id="r8")]), ""),
    "a policy against an own backend, before the network": (custom(backend=[*custom_call()[:1], policy_violated("connect-src", CUSTOM)]), "custom-backend-blocked-by-csp"),
    "a policy against an own backend that works": ([*custom(), policy_violated("connect-src", CUSTOM)], ""),
    "a policy against a picture of the backend's": (custom(backend=[*custom_call()[:1], policy_violated("img-src", CUSTOM)]), ""),
    "a policy against an own backend that refused": (custom(backend=[*custom_call(500), policy_violated("connect-src", CUSTOM)]), "custom-backend-blocked-by-csp custom-backend-failing"),
    "an own backend that fails for a reason of its own": (custom_failed("net::ERR_FAILED"), "custom-backend-unreachable~"),
    # --- streams
    "a stream that is dropped, on the console": ([*hosted(), console_message("net::ERR_QUIC_PROTOCOL_ERROR.QUIC_NETWORK_IDLE_TIMEOUT", "error")], "stream-dropped"),
    "a stream among other headers": ([*custom(), asked("r9", CUSTOM, headers=(("x", "y"), ("Accept", "text/event-stream"), ("content-type", "application/json"))), response_received("r9"), request_finished("r9")], "stream-of-wrong-type"),
    "a stream in another header": ([*custom(), asked("r9", CUSTOM, headers=(("x-accept", "text/event-stream"),)), response_received("r9"), request_finished("r9")], ""),
    "a stream that is refused": ([*custom(), asked("r9", CUSTOM, headers=(("accept", "text/event-stream"),)), response_received("r9", 500), request_finished("r9")], "custom-backend-failing"),
    "a reply that has not ended": (streamed("text/event-stream", widget_event("chatkit.response.start")), ""),
    "a reply that has not begun": (streamed("text/event-stream", widget_event("chatkit.response.end")), ""),
    "a reply with an error": (streamed("text/event-stream", widget_event("chatkit.response.start"), frame_error("StreamError", "no"), widget_event("chatkit.response.end")), "reply-failed"),
    "a reply without a stream": ([*custom(), widget_event("chatkit.response.start"), widget_event("chatkit.response.end")], ""),
    "a reply of OpenAI's": ([*hosted(), asked("r9", CONVERSATION, headers=(("accept", "text/event-stream"),)), response_received("r9", media_type="text/event-stream"), widget_event("chatkit.response.start"), widget_event("chatkit.response.end")], ""),
    "a reply of another type": (streamed("application/json", widget_event("chatkit.response.start"), widget_event("chatkit.response.end")), "stream-of-wrong-type"),
    # --- sight
    "an element without height that says auto": (boxed(height_px=0, height_css="auto"), "element-without-height"),
    "an element without height in a container that has one": (boxed(height_px=0), "element-without-height~"),
    "an element that will have no height": (bare(element_connected(), box_changed(0, 0, container_height_px=0, height_css="auto")), "loader-not-referenced element-without-height~*"),
    "an element that will have a height of its own": (bare(element_connected(), box_changed(0, 0, container_height_px=0, height_css="400px")), "loader-not-referenced"),
    "an element that has a height already": (bare(element_connected(), box_changed(300, 20, container_height_px=0, height_css="auto")), "loader-not-referenced"),
    "an element that is hidden for now": (bare(element_connected(), box_changed(0, 0, container_height_px=0, height_css="auto", is_rendered=False)), "loader-not-referenced"),
    "an element that is taken out, once without height": ([*hosted(backend=[]), box_changed(0, 0, container_height_px=0, height_css="auto"), element_disconnected()], "element-taken-out"),
    "a hidden element without width": (boxed(width_px=0, is_rendered=False, hidden_by="display:none on div"), "container-hidden"),
    "a hidden element off the screen": (boxed(is_reachable=False, is_rendered=False, hidden_by="opacity:0 on div"), "element-transparent"),
    "a hidden element under a cover": (boxed(covered_by="div.x", is_rendered=False, hidden_by="opacity:0 on div"), "element-transparent"),
    "an element without height off the screen": (boxed(is_reachable=False, height_px=0, container_height_px=0), "element-without-height"),
    "a policy against other styles": ([*hosted(), policy_violated("img-src", "inline", source=LOADER)], ""),

}  # fmt: skip


# --- end of more ---

# Rules that conclude from what is missing, or from how things stand: they wait until the mount is decided.
WAIT = frozenset(
    [
        "backend-unanswered",
        "container-hidden",
        "element-clipped",
        "element-covered",
        "element-never-rendered",
        "element-not-painted",
        "element-off-screen",
        "element-taken-out",
        "element-transparent",
        "element-without-height",
        "element-without-width",
        "frame-script-no-script",
        "frame-unanswered",
        "loader-answered-by-page",
        "loader-defines-nothing",
        "loader-never-arrives",
        "loader-not-referenced",
        "loader-only-preloaded",
        "loader-tag-inert",
        "options-never-set",
        "page-behind-sign-in",
        "page-of-opaque-origin",
        "page-script-blocked-by-csp",
        "page-without-chatkit",
        "render-deadlock",
        "secret-fetched-twice",
        "secret-never-answered",
        "session-redirected",
        "session-unanswered",
        "styles-blocked-by-csp",
    ]
)
# What stays true of a widget that came to life all the same; the diagnosis drops it then.
STAYS_SAID = frozenset({"stale-secret-returned", "refresh-not-configured", "page-from-file"})

# What happens on a page besides, and has nothing to do with the chat.
_ELSEWHERE = "https://elsewhere.test"
NOISE: Steps = [
    cors(f"{_ELSEWHERE}/x"),
    mixed("http://elsewhere.test/x"),
    console_message(f"Refused to display '{_ELSEWHERE}/' in a frame because it set 'X-Frame-Options' to 'deny'.", "error"),
    console_message(f"Failed to find a valid digest in the 'integrity' attribute for resource '{_ELSEWHERE}/app.js'", "error"),
    *[policy_violated(f"{kind}-src", f"{_ELSEWHERE}/x") for kind in ("img", "connect", "frame")],
    policy_violated("style-src-elem", "inline", source="https://app.test/app.js"),
    policy_violated("script-src-elem", LOADER, is_enforced=False),
    request_started("z1", f"{_ELSEWHERE}/collect"),
    request_failed("z1", "net::ERR_BLOCKED_BY_CLIENT"),
    request_started("z2", f"{_ELSEWHERE}/i.png", resource_type="image"),
    request_failed("z2", "net::ERR_FAILED"),
    request_started("z3", "https://app.test/api/profile"),
    response_received("z3", 401),
    request_started("z4", f"{_ELSEWHERE}/ad", resource_type="document", is_navigation=True, is_top_frame=False),
    response_received("z4", 404, media_type=HTML),
    request_started("z5", f"{_ELSEWHERE}/ad.js", resource_type="script", frame_url=f"{_ELSEWHERE}/ad", is_top_frame=False),
    request_failed("z5", "net::ERR_FAILED"),
    request_blocked(),
    notice_shown("Your order was sent."),
]  # fmt: skip

# What makes a chat of a page on which something went wrong before.
RECOVERY: Steps = [
    *loader_arrived("x2"),
    *session_fetched(request_id="x3"),
    *element_shown(),
    *hosted_boot(frame_request="x4", nonce="x1"),
    *verification(request_id="x5"),
    *conversation(request_id="x6"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A visit, and the rules that find something on it."""

    name: str
    facts: Facts
    told: frozenset[str]  # rules; with "~" when less sure than the rule, with "*" when it is a prediction


def facts(steps: Steps) -> Facts:
    """Return the facts of a visit after which nothing happens any more."""
    lines = entries(steps, pause(20_000), visit_ended())
    verdict = judge(lines, Limits()).verdict
    assert verdict is not None
    return facts_of(lines, mount=verdict.mount, verdict=verdict, prefetch=prefetch_of(lines, verdict.mount.embed))


def undecided_facts(steps: Steps) -> Facts:
    """Return the facts of a visit that goes on."""
    lines = entries(steps)
    mount = judge(lines, Limits()).mount
    return facts_of(lines, mount=mount, verdict=None, prefetch=prefetch_of(lines, mount.embed))


def told_by(rule: Rule, of: Facts) -> str:
    """Return what a rule says of a visit: its name with the marks of a case, or "" when it is silent."""
    found = next(iter(rule.finds(of)), None)
    if found is None:
        return ""
    is_less_sure = found.confidence not in (None, rule.confidence)
    return rule.id + ("~" if is_less_sure else "") + ("*" if found.is_prediction else "")


@cache
def cases() -> tuple[Case, ...]:
    """Return every case, and what follows for it when it is undecided, stands in noise, or comes right in the end."""
    return tuple(_cases())


def _cases() -> Iterator[Case]:
    for rule in RULES:
        steps = FIRES[rule.id]
        told = frozenset(BESIDES.get(rule.id, rule.id).split())
        yield Case(name=f"{rule.id} fires", facts=facts(steps), told=told)
        yield Case(name=f"{rule.id} fires, undecided", facts=undecided_facts(steps), told=told - WAIT)
        yield Case(name=f"{rule.id} fires, in noise", facts=facts(_in_noise(steps)), told=_less_sure(told))
        yield Case(
            name=f"{rule.id} is missed",
            facts=facts(NEAR_MISSES[rule.id]),
            told=frozenset(INSTEAD.get(rule.id, "").split()),
        )
    for name in HEALTHY:
        yield Case(name=name, facts=facts(TRANSCRIPTS[name]), told=frozenset())
        yield Case(name=f"{name}, in noise", facts=facts(_in_noise(TRANSCRIPTS[name])), told=frozenset())
    for name, (steps, all_told) in MORE.items():
        yield Case(name=name, facts=facts(steps), told=frozenset(all_told.split()))


def _in_noise(steps: Steps) -> Steps:
    start = 1 + next((n for n, step in enumerate(steps) if isinstance(step, events.Navigated)), 0)
    return [*steps[:start], *NOISE, *steps[start:]]


def _less_sure(told: frozenset[str]) -> frozenset[str]:
    # A script that did not arrive may have been the one that is missed.
    return frozenset("loader-not-referenced~" if name == "loader-not-referenced" else name for name in told)

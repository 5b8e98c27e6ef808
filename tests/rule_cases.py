"""One visit for each rule in which it fires, and one that misses it by a hair.

In: builders. Out: `FIRES` and `NEAR_MISSES`, transcripts by rule. A near miss differs in the one thing that the rule is about.
"""

from __future__ import annotations

from dataclasses import replace

from builders import (
    CONVERSATION,
    CUSTOM,
    FRAME,
    LOADER,
    SESSION,
    STYLE,
    VERIFY,
    WRAPPER,
    Steps,
    action_ended,
    action_taken,
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
    exchange,
    frame_arrived,
    frame_error,
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
    policy_violated,
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
    shadow_changed,
    unmount,
    verification,
    visit_started,
    widget_event,
)
from rule_steps import (
    BAD_SECRET,
    ELEMENT,
    HTML,
    INVALID,
    MOVED,
    OPENED,
    as_document,
    bare,
    booting,
    boxed,
    call_answered,
    check,
    check_failed,
    copied,
    cors,
    custom_failed,
    frame_call,
    frame_ended,
    frame_script,
    framed,
    idle,
    mixed,
    no_answer,
    other,
    page_headers,
    refused,
    rejected_options,
    removed,
    session,
    session_failed,
    streamed,
    taken_name,
    upgraded,
    with_loader,
    without_box,
)

from harness.model import events

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
    "page-scripts-disabled": page_headers(bare(), ("content-security-policy", "sandbox allow-forms")),
    "page-script-missing": idle(other("https://app.test/assets/index.js", *answered("o1", 404))),
    "app-request-failed": idle(
        other("https://app.test/api/settings", response_received("o1", media_type=HTML), kind="fetch"),
        page_error("Unexpected token '<', \"<!doctype \"... is not valid JSON", "SyntaxError"),
    ),
    "action-without-effect": bare(action_taken(), action_ended(audience="none")),
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
    "element-defined-by-another": taken_name(20),
    "options-never-set": upgraded(),
    "element-moved": MOVED,
    "element-taken-out": [*hosted(backend=[]), element_disconnected()],
    "another-embed-failed": [
        *hosted(),
        *element_shown(2),
        *frame_arrived("r14"),
        frame_error("FatalAppError", "ChatKit.create():\n✖ Invalid input\n  → at api", embed=2),
        *iframe_loaded(2),
    ],
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
    "option-misspelled": rejected_options('ChatKit.create():\n✖ Unrecognized key: "placeHolder"\n  → at composer'),
    "option-newer-than-frame": rejected_options('ChatKit.create():\n✖ Unrecognized key: "commands"'),
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
    "session-given-up": idle(asked("r3", SESSION), request_failed("r3", "net::ERR_ABORTED")),
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
    "backend-answers-page": hosted(
        backend=[conversation()[0], response_received("r6", media_type=HTML), request_finished("r6")]
    ),
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
    "custom-fetch-without-answer": custom(backend=[frame_call(), call_answered(error_message="no token yet")]),
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
    "page-scripts-disabled": page_headers(bare(), ("content-security-policy", "sandbox allow-scripts")),
    "page-script-missing": idle(other("https://app.test/assets/index.js", *answered("o1"))),
    "app-request-failed": idle(
        other("https://app.test/api/settings", response_received("o1"), kind="fetch"),
        page_error("Unexpected token '<', \"<html>\" is not valid JSON", "SyntaxError"),
    ),
    "action-without-effect": bare(action_taken(), action_ended("dom", audience="none")),
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
    "element-defined-by-another": [*taken_name(20), shadow_changed(STYLE)],
    "options-never-set": framed(),
    "element-moved": [*hosted(), shadow_changed(STYLE, WRAPPER, data_loaded=True)],
    "element-taken-out": [*hosted(), element_disconnected(), element_connected(2), shadow_changed(embed=2)],
    "another-embed-failed": [
        *hosted(),
        element_connected(2),
        shadow_changed(embed=2),
        hidden_box(embed=2),
        *hosted_boot(embed=2, nonce="n9", frame_request="r14"),
    ],
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
    "option-misspelled": rejected_options('ChatKit.create():\n✖ Unrecognized key: "colour"\n  → at composer'),
    "option-newer-than-frame": rejected_options('ChatKit.create():\n✖ Unrecognized key: "commands"\n  → at composer'),
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
    "session-given-up": idle(asked("r3", SESSION), request_failed("r3", "net::ERR_ABORTED"), *session_fetched()),
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
    "backend-answers-page": hosted(
        backend=[
            conversation()[0],
            response_received("r6", media_type=HTML),
            request_finished("r6"),
            *conversation(request_id="r8"),
        ]
    ),
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
    "custom-fetch-without-answer": custom(backend=[frame_call(), call_answered(value_kind="object")]),
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

SENTINEL = request_started(
    "s1",
    "https://sentinel.openai.com/backend-api/sentinel/sdk.js",
    resource_type="script",
    frame_url=FRAME,
    is_top_frame=False,
)
HELD_BACK = [  # the frame's load event never comes, and with it neither chatkit.ready nor data-loaded
    step
    for step in hosted()
    if not (isinstance(step, events.WidgetEvent) and step.name == "chatkit.ready")
    and not (isinstance(step, events.ShadowChanged) and step.data_loaded)
]
FIRES["sentinel-unanswered"] = [*HELD_BACK, SENTINEL]
NEAR_MISSES["sentinel-unanswered"] = [*hosted(), SENTINEL]

"""Further visits, each for one condition of a rule, and all that the rules find there.

In: builders. Out: `MORE`, transcripts and findings by what they show. "~": less sure than the rule; "*": a prediction.
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
    hosted,
    iframe_loaded,
    loader_arrived,
    loader_requested,
    log,
    lookalike_seen,
    navigated,
    notice_shown,
    options_seen,
    page_error,
    page_opened,
    page_with_loader,
    pause,
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
    session_refused,
    shadow_changed,
    unmount,
    verification,
    visit_started,
    widget_event,
)
from rule_cases import HELD_BACK, SENTINEL
from rule_steps import (
    BAD_SECRET,
    ELEMENT,
    HTML,
    INVALID,
    MOVED,
    OPENED,
    _flat,
    arriving,
    as_document,
    asked_at,
    bare,
    booting,
    boxed,
    call_answered,
    check,
    check_failed,
    copied,
    copy_named,
    cors,
    custom_failed,
    frame_call,
    frame_ended,
    frame_other_script,
    frame_script,
    framed,
    idle,
    insecure_frame,
    mixed,
    no_answer,
    other,
    page_headers,
    page_status,
    refused,
    rejected_options,
    removed,
    session,
    session_failed,
    streamed,
    taken_name,
    upgraded,
    with_loader,
)

from harness.model import events

MORE: dict[str, tuple[Steps, str]] = {
    # --- page
    "a chat that works on a page with status 404": (page_status(hosted(), 404), ""),
    "an element on a page with status 404": (page_status(bare(ELEMENT), 404), "loader-not-referenced"),
    "a tag on a page with status 404": (page_status(bare(script_referenced()), 404), "loader-tag-inert"),
    "a loader on a page with status 404": (page_status(arriving(), 404), "loader-defines-nothing"),
    "another page, without sign-in": (
        [visit_started(), *page_opened("https://app.test/home"), navigated(), document_loaded()],
        "page-without-chatkit",
    ),
    "one sign-in page after another": (
        [
            visit_started(url="https://app.test/login"),
            *page_opened("https://app.test/sign-in"),
            navigated(),
            document_loaded(),
        ],
        "page-without-chatkit",
    ),
    "a sign-in page with the element": (
        [visit_started(), *page_opened("https://app.test/login"), navigated(), *ELEMENT, document_loaded()],
        "loader-not-referenced",
    ),
    "a sign-in page with the loader": (
        [visit_started(), *page_opened("https://app.test/login"), navigated(), *loader_arrived()],
        "element-never-rendered",
    ),
    "patience after a secret": (idle(session_fetched(), notice_shown()), "element-never-rendered"),
    "patience with a secret that is refused": (idle(session_refused(), notice_shown()), "session-unauthorized"),
    "a wrong tag, and nothing else": (idle(lookalike_seen("chat-kit-box")), "wrong-tag~"),
    "no workflow id, and a secret": (
        idle(session_fetched(), console_message("workflow id is missing", "warning")),
        "element-never-rendered",
    ),
    "no workflow id, and a secret of another source": (
        booting(response(), console_message("workflow id is missing", "warning")),
        "",
    ),
    "getClientSecret rejects for want of a workflow id": (
        booting(rejection(message="Set NEXT_PUBLIC_CHATKIT_WORKFLOW_ID in your .env.local file.")),
        "workflow-id-missing secret-callback-threw",
    ),
    "a missing global, and no loader": (
        bare(console_message("ChatKit SDK not loaded.", "error"), ELEMENT),
        "loader-not-referenced",
    ),
    "four widgets side by side": (
        idle(*[[element_connected(n), shadow_changed(embed=n), box_changed(embed=n)] for n in (1, 2, 3, 4)]),
        "",
    ),
    "three widgets, all taken out": (
        idle(*[[element_connected(n), shadow_changed(embed=n), element_disconnected(n)] for n in (1, 2, 3)]),
        "element-taken-out",
    ),
    "a widget that works, under a policy that stops an inline script": (
        [*hosted(), policy_violated("script-src-elem", "inline")],
        "",
    ),
    "a policy that stops a file of the app": (
        idle(policy_violated("script-src-elem", "https://app.test/app.js")),
        "page-script-blocked-by-csp element-never-rendered",
    ),
    "a policy that stops a file of others": (
        idle(policy_violated("script-src-elem", "https://ads.test/a.js")),
        "page-script-blocked-by-csp~ element-never-rendered",
    ),
    "a policy that stops files of both": (
        idle(
            policy_violated("script-src-elem", "https://ads.test/a.js"),
            policy_violated("script-src-elem", "https://app.test/app.js"),
        ),
        "page-script-blocked-by-csp element-never-rendered",
    ),
    "two secrets, of which one was fetched for a widget that is gone": (
        [
            *page_with_loader(),
            *exchange("r9", SESSION, **secret_read("digest-b")),
            element_connected(7),
            element_disconnected(7),
            *hosted()[len(page_with_loader()) :],
        ],
        "",
    ),
    "two secrets for two widgets": (
        [*hosted(), *exchange("r9", SESSION, **secret_read("digest-b")), element_connected(2), shadow_changed(embed=2)],
        "another-embed-failed",
    ),
    "a secret that the page changes on its way": (
        [
            replace(s, value_digest="digest-x") if isinstance(s, events.FrameMessage) and s.value_digest else s
            for s in hosted()
        ],
        "",
    ),
    # --- script
    "an element that was defined by nobody": (
        [*OPENED, element_defined(), document_loaded(), element_connected(), shadow_changed(STYLE), box_changed()],
        "options-never-set",
    ),
    "no loader, and a script that fails": (
        bare(other("https://app.test/a.js", request_failed("o1")), ELEMENT),
        "loader-not-referenced~",
    ),
    "no loader, and a script that is refused": (
        bare(other("https://app.test/a.js", response_received("o1", 404)), ELEMENT),
        "loader-not-referenced~",
    ),
    "no loader, and a script that comes": (
        bare(other("https://app.test/a.js", response_received("o1")), ELEMENT),
        "loader-not-referenced",
    ),
    "no loader, and a picture that fails": (
        bare(other("https://app.test/a.png", request_failed("o1"), kind="image"), ELEMENT),
        "loader-not-referenced",
    ),
    "no loader, and a script that is stopped": (
        bare(policy_violated("script-src-elem", "https://ads.test/a.js"), ELEMENT),
        "loader-not-referenced~ page-script-blocked-by-csp~",
    ),
    "no loader, and an error": (bare(page_error(), ELEMENT), "loader-not-referenced~"),
    "no loader, and a page that never ends": (
        [s for s in bare(ELEMENT) if s != document_loaded()],
        "loader-not-referenced~",
    ),
    "a loader that was pasted into the page": (
        bare(page_error("Unable to determine the ChatKit frame URL.", "Error"), ELEMENT),
        "loader-run-as-module",
    ),
    "a loader that was pasted into a page without element": (
        bare(page_error("Unable to determine the ChatKit frame URL.", "Error")),
        "loader-run-as-module",
    ),
    "a package of types from a CDN": (
        bare(other("https://esm.test/@openai/chatkit@1.0.0", answered("o1")), ELEMENT),
        "types-package-imported~ loader-not-referenced",
    ),
    "a package for React from a CDN": (
        bare(other("https://esm.test/@openai/chatkit-react@1.0.0", answered("o1")), ELEMENT),
        "loader-not-referenced",
    ),
    "a description of the package": (
        bare(other("https://npm.test/@openai/chatkit", answered("o1"), kind="fetch"), ELEMENT),
        "loader-not-referenced",
    ),
    "a package of types from a CDN beside the loader": (
        arriving(other("https://esm.test/@openai/chatkit@1.0.0", answered("o1"))),
        "loader-defines-nothing",
    ),
    "a package of types beside the loader": (
        arriving(page_error('Failed to resolve module specifier "@openai/chatkit".', "TypeError")),
        "types-package-imported~ loader-defines-nothing",
    ),
    "a tag of data on a page that works": ([*hosted(), script_referenced(type="text/plain")], ""),
    "a tag of data, and one that runs": (
        bare(script_referenced(type="text/plain"), script_referenced(), ELEMENT),
        "loader-tag-inert",
    ),
    "a tag of data whose file was fetched": (
        bare(
            script_referenced(type="text/plain"),
            request_started("r2", LOADER, resource_type="script"),
            answered("r2", body=body("x", "text/javascript")),
            ELEMENT,
        ),
        "",
    ),
    "a script of a similar name": (
        bare(script_referenced("https://app.test/chatkit-wrapper.js"), ELEMENT),
        "loader-not-referenced",
    ),
    "a tag that does nothing, on a page that works": (
        [*OPENED, script_referenced(), element_defined(), document_loaded()],
        "element-never-rendered",
    ),
    "an imported loader": (
        bare(
            request_started("r2", LOADER, resource_type="script"),
            answered("r2", body=body("x", "text/javascript")),
            resource_timed("https://app.test/b.js", initiator="script"),
            resource_timed(LOADER, initiator="script"),
            ELEMENT,
        ),
        "loader-run-as-module~",
    ),
    "a preloaded loader beside an imported file": (
        bare(
            request_started("r2", LOADER, resource_type="script"),
            answered("r2", body=body("x", "text/javascript")),
            resource_timed("https://app.test/b.js", initiator="script"),
            resource_timed(LOADER, initiator="link"),
            ELEMENT,
        ),
        "loader-only-preloaded",
    ),
    "a preloaded loader that breaks off": (
        bare(
            request_started("r2", LOADER, resource_type="script"),
            response_received("r2", media_type="text/javascript"),
            request_failed("r2"),
            ELEMENT,
        ),
        "loader-unreachable",
    ),
    "a preloaded loader that is refused": (
        bare(request_started("r2", LOADER, resource_type="script"), refused(500), ELEMENT),
        "loader-refused",
    ),
    "a preloaded page in place of the loader": (
        bare(
            request_started("r2", LOADER, resource_type="script"),
            response_received("r2", media_type=HTML),
            request_finished("r2"),
            ELEMENT,
        ),
        "loader-answered-by-page",
    ),
    "a preloaded loader that is evaluated": (
        bare(
            request_started("r2", LOADER, resource_type="script"),
            answered("r2"),
            page_error("Unable to determine the ChatKit frame URL.", "Error"),
            ELEMENT,
        ),
        "loader-run-as-module",
    ),
    "a module of the app's own beside a pasted loader": (
        arriving(
            script_referenced("https://app.test/app.js", type="module"),
            page_error("Unable to determine the ChatKit frame URL.", "Error"),
        ),
        "loader-run-as-module",
    ),
    "a loader that arrives and breaks off": (
        with_loader(response_received("r2", media_type="text/javascript"), request_failed("r2")),
        "loader-unreachable",
    ),
    "a loader whose body never ends": (
        with_loader(response_received("r2", media_type="text/javascript")),
        "loader-never-arrives",
    ),
    "a loader that defines nothing, as data": (arriving(type="application/json"), ""),
    "a loader that defines nothing, and a wrong tag": (
        [s for s in arriving(lookalike_seen()) if s not in ELEMENT],
        "wrong-tag~",
    ),
    "a loader that defines nothing, an element, and a wrong tag": (
        arriving(lookalike_seen()),
        "loader-defines-nothing",
    ),
    "a loader that defines nothing, without an element": (
        [s for s in arriving() if s not in ELEMENT],
        "loader-defines-nothing",
    ),
    "a loader with a wrong hash, fetched": (
        arriving(
            console_message(
                f"Failed to find a valid digest in the 'integrity' attribute for resource '{LOADER}'", "error"
            )
        ),
        "loader-integrity-mismatch",
    ),
    "a loader with a hash, without CORS": (
        arriving(
            console_message(
                f"Subresource Integrity: The resource '{LOADER}' has an integrity attribute, but requires the request to be CORS enabled",
                "error",
            )
        ),
        "loader-integrity-mismatch",
    ),
    "a loader with a wrong hash in Firefox": (
        arriving(
            console_message(
                f'None of the "sha384" hashes in the integrity attribute match the content of the subresource at "{LOADER}".',
                "error",
            )
        ),
        "loader-integrity-mismatch",
    ),
    "a wrong hash on a second tag": (
        [
            *hosted(),
            console_message(
                f"Failed to find a valid digest in the 'integrity' attribute for resource '{LOADER}'", "error"
            ),
        ],
        "",
    ),
    "an app that gave up for good": (
        bare(loader_requested(), console_message("ChatKit script failed to load", "error"), request_failed("r2")),
        "loader-unreachable",
    ),
    "an app that gave up too early, and then did not": (
        [
            *OPENED,
            *loader_requested(),
            console_message("ChatKit script timed out", "error"),
            *answered("r2"),
            element_defined(),
            document_loaded(),
            *hosted()[len(page_with_loader()) :],
        ],
        "",
    ),
    # --- the loader on its way
    "a challenge that says so in a header": (
        with_loader(
            refused(
                403, "application/json", headers=(("content-type", "application/json"), ("cf-mitigated", "challenge"))
            )
        ),
        "loader-challenged",
    ),
    "a refusal that looks like a challenge": (
        with_loader(refused(403, headers=(("content-type", "text/html"), ("cf-ray", "1")))),
        "loader-challenged~",
    ),
    "too many requests for the loader": (with_loader(refused(429)), "loader-refused"),
    "a failure in the words of a challenge": (
        with_loader(refused(500, error_text="Just a moment...")),
        "loader-refused",
    ),
    "another address that fails": (
        with_loader(refused(500), src="https://cdn.chatkit.test/v1/chatkit.js"),
        "loader-refused",
    ),
    "another address that is not reached": (
        with_loader(request_failed("r2"), src="https://cdn.chatkit.test/v1/chatkit.js"),
        "loader-at-wrong-address~",
    ),
    "another address out of reach for this run": (
        with_loader(
            request_blocked("GET", "https://cdn.chatkit.test/v1/chatkit.js"),
            request_failed("r2", "net::ERR_INTERNET_DISCONNECTED"),
            src="https://cdn.chatkit.test/v1/chatkit.js",
        ),
        "loader-at-wrong-address~",
    ),
    "another address that answers with no script": (
        with_loader(request_failed("r2", "net::ERR_BLOCKED_BY_ORB"), src="https://cdn.chatkit.test/v1/chatkit.js"),
        "loader-at-wrong-address~",
    ),
    "the CDN answers with no script": (
        with_loader(request_failed("r2", "net::ERR_BLOCKED_BY_ORB")),
        "loader-answered-by-page",
    ),
    "a policy that stops the loader under csp's other name": (
        with_loader(request_failed("r2", "net::ERR_BLOCKED_BY_CSP")),
        "loader-blocked-by-csp",
    ),
    "a policy against reading the loader": (
        with_loader(policy_violated("connect-src", LOADER), refused(500)),
        "loader-refused",
    ),
    "a policy against the loader and others": (
        with_loader(
            script_referenced("https://app.test/chatkit.js"),
            policy_violated("script-src-elem", LOADER),
            request_failed("r2", "csp"),
        ),
        "loader-blocked-by-csp",
    ),
    "a policy against a loader that came": (
        arriving(policy_violated("script-src-elem", LOADER)),
        "loader-defines-nothing",
    ),
    "a loader of the page's own policy": (
        with_loader(request_failed("r2", "net::ERR_BLOCKED_BY_RESPONSE.NotSameOrigin")),
        "loader-blocked-by-coep~",
    ),
    "a loader that is nobody's to embed, on an isolated page": (
        page_headers(
            with_loader(request_failed("r2", "net::ERR_BLOCKED_BY_RESPONSE.NotSameOrigin")),
            ("Cross-Origin-Embedder-Policy", "require-corp"),
        ),
        "loader-blocked-by-coep~",
    ),
    "an http loader that fails": (
        with_loader(request_failed("r2"), src="http://cdn.platform.openai.com/deployments/chatkit/chatkit.js"),
        "loader-over-plain-http~ loader-at-wrong-address~",
    ),
    "an http loader that is only named": (
        bare(script_referenced("http://cdn.platform.openai.com/deployments/chatkit/chatkit.js"), ELEMENT),
        "loader-tag-inert",
    ),
    "an http loader that is only complained of": (
        bare(
            script_referenced("http://cdn.platform.openai.com/deployments/chatkit/chatkit.js"),
            mixed("http://cdn.platform.openai.com/deployments/chatkit/chatkit.js"),
            ELEMENT,
        ),
        "loader-over-plain-http loader-tag-inert",
    ),
    "an https loader that fails beside http": (with_loader(mixed(LOADER), request_failed("r2")), ""),
    "a page that was a page, and works": (
        [
            *hosted(),
            request_started("r8", LOADER, resource_type="script"),
            response_received("r8", media_type=HTML),
            request_finished("r8"),
        ],
        "",
    ),
    "a page in place of the loader that breaks off": (
        with_loader(response_received("r2", media_type=HTML), request_failed("r2")),
        "loader-unreachable",
    ),
    "a second loader that hangs on a page that waits": (
        [
            *page_with_loader(),
            request_started("r8", LOADER, resource_type="script"),
            *element_shown(),
            *frame_arrived(),
            command(),
            log(),
            *iframe_loaded(),
        ],
        "secret-never-answered",
    ),
    "a loader that was given up": (with_loader(request_failed("r2", "net::ERR_ABORTED")), ""),
    # --- element
    "a wrong tag of OpenAI's": (idle(lookalike_seen("openai-chat-kit")), "wrong-tag"),
    "a wrong tag of Open AI's": (idle(lookalike_seen("open-ai-chatkit")), "wrong-tag"),
    "a wrong tag that is given options": (
        idle(lookalike_seen("my-chat-kit"), page_error("chat.setOptions is not a function", "TypeError")),
        "wrong-tag options-before-upgrade~",
    ),
    "a wrong tag that is invented, without loader": (bare(lookalike_seen()), "wrong-tag~ loader-not-referenced~"),
    "options before the loader": (
        [
            *OPENED,
            *loader_requested(),
            element_connected(),
            page_error("chat.setOptions is not a function", "TypeError"),
            *answered("r2"),
            element_defined(),
            document_loaded(),
            shadow_changed(STYLE),
            box_changed(),
        ],
        "options-before-upgrade options-never-set",
    ),
    "options before the loader, logged": (
        [
            *OPENED,
            *loader_requested(),
            element_connected(),
            console_message("TypeError: chat.setOptions is not a function", "error"),
            *answered("r2"),
            element_defined(),
            document_loaded(),
            shadow_changed(STYLE),
            box_changed(),
        ],
        "options-before-upgrade options-never-set",
    ),
    "options for an element that was not found": (
        [
            *OPENED,
            *loader_requested(),
            page_error("Cannot read properties of null (reading 'setOptions')", "TypeError"),
            *answered("r2"),
            element_defined(),
            document_loaded(),
            element_connected(),
            shadow_changed(STYLE),
            box_changed(),
        ],
        "options-before-upgrade~ options-never-set",
    ),
    "options before the loader, and no element": (
        [
            *OPENED,
            *loader_requested(),
            page_error("chat.setOptions is not a function", "TypeError"),
            *answered("r2"),
            element_defined(),
            document_loaded(),
        ],
        "options-before-upgrade~ element-never-rendered",
    ),
    "options before a loader that never comes": (
        bare(page_error("chat.setOptions is not a function", "TypeError"), ELEMENT),
        "options-before-upgrade~ loader-not-referenced~",
    ),
    "no options, uncaught": (
        upgraded(page_error("Cannot read properties of undefined (reading 'threadItemActions')", "TypeError")),
        "options-undefined options-never-set",
    ),
    "options in a circle, uncaught": (
        upgraded(page_error("Converting circular structure to JSON", "TypeError")),
        "options-not-serialisable~ options-never-set",
    ),
    "something in a circle, and no element": (
        idle(page_error("Converting circular structure to JSON", "TypeError")),
        "element-never-rendered",
    ),
    "an error of an element whose frame speaks": (
        upgraded(log(), widget_event("chatkit.error", detail_name="RangeError", message="no")),
        "",
    ),
    "an error of a frame before its options": (upgraded(frame_error("FatalAppError", "no")), ""),
    "an element without a shadow": (idle(element_connected(), box_changed()), "element-defined-by-another~"),
    "an element of an undefined kind": (
        bare(
            script_referenced(),
            request_started("r2", LOADER, resource_type="script"),
            refused(500),
            element_connected(),
            shadow_changed(STYLE),
            box_changed(),
        ),
        "loader-refused",
    ),
    "a method that is refused, by ChatKit's own error": (
        no_answer("IntegrationError", 'ChatKit command "shareThread" is not available for the "chatkit" profile.'),
        "command-not-available",
    ),
    # --- options
    "options that are refused, unseen": (
        framed(frame_arrived(), frame_error("FatalAppError", INVALID + "api"), iframe_loaded()),
        "api-invalid",
    ),
    "api with an unknown key": (
        rejected_options('ChatKit.create():\n✖ Unrecognized key: "x"\n  → at api', "getClientSecret"),
        "api-invalid",
    ),
    "api with a key of no meaning": (rejected_options(INVALID + "api", "endpoint"), "api-invalid"),
    "api with a url alone, refused elsewhere": (rejected_options(INVALID + "theme", "url"), "theme-invalid"),
    "an unknown key where a type is named": (
        rejected_options(
            'ChatKit.create():\n✖ Unrecognized key: "x"; expected string, received undefined\n  → at composer'
        ),
        "option-unknown",
    ),
    "an option of an upper-case name in a list": (
        rejected_options('ChatKit.create():\n✖ Unrecognized key: "Label"\n  → at startScreen.prompts[0]'),
        "option-misspelled",
    ),
    "a key that is not named as others are": (
        rejected_options("ChatKit.create():\n✖ Unrecognized key(s) in object"),
        "option-unknown",
    ),
    "an option one level too high": (
        rejected_options('ChatKit.create():\n✖ Unrecognized key: "greeting"'),
        "option-misspelled",
    ),
    "a misspelled key of the header": (
        rejected_options('ChatKit.create():\n✖ Unrecognized key: "Title"\n  → at header'),
        "option-misspelled",
    ),
    "a key of React beside a key that the types have": (
        rejected_options('ChatKit.create():\n✖ Unrecognized keys: "style", "commands"'),
        "option-unknown option-newer-than-frame",
    ),
    "two complaints, the second one about a key": (
        rejected_options(
            "ChatKit.create():\n✖ Invalid input: expected string, received number\n  → at frameTitle\n"
            '✖ Unrecognized key: "placeHolder"\n  → at composer'
        ),
        "option-misspelled",
    ),
    "no strategy where a type is named": (
        rejected_options(
            "ChatKit.create():\n✖ uploadStrategy must be provided; expected object, received undefined\n  → at composer"
        ),
        "attachments-without-strategy",
    ),
    "an api of another type": (
        rejected_options(
            "ChatKit.create():\n✖ Invalid input: expected object, received string\n  → at api", "getClientSecret"
        ),
        "api-invalid",
    ),
    "a theme of another type": (
        rejected_options("ChatKit.create():\n✖ Invalid input: expected string, received null\n  → at theme.color"),
        "theme-invalid",
    ),
    "an icon of another type": (
        rejected_options(
            "ChatKit.create():\n✖ Invalid input: expected string, received null\n  → at startScreen.prompts[0].icon"
        ),
        "prompt-icon-unknown",
    ),
    "a refusal that a frame survives": (
        [*hosted(), page_error("Command onSetOptions not supported", "IntegrationError")],
        "",
    ),
    "a tool without a handler, uncaught": (
        [*hosted(), page_error("No handler for client tool calls.", "IntegrationError")],
        "handler-missing",
    ),
    "metadata of another shape, uncaught": (
        [*hosted(), page_error("ChatKit: addMetadataToRequest must return an object or null.", "IntegrationError")],
        "metadata-of-wrong-shape",
    ),
    # --- session
    "a 401 without words": (session(401), "session-unauthorized~"),
    "a 401 in the words of somebody else": (session(401, "Failed to create session"), "session-unauthorized~"),
    "a 401 that asks for credentials": (
        idle(
            asked("r3", SESSION),
            response_received("r3", 401, headers=(("content-type", "x"), ("www-authenticate", "Bearer"))),
            request_finished("r3"),
            body_read("r3"),
        ),
        "session-unauthorized",
    ),
    "a 401 for nobody": (session(401, "Sign in first.", url=f"{SESSION}?user=undefined"), "session-for-nobody"),
    "a secret for nobody": (
        idle(exchange("r3", f"{SESSION}?user=undefined", **secret_read())),
        "element-never-rendered",
    ),
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
    "a redirection that is none": (
        idle(
            asked("r3", SESSION),
            response_received("r3", 304, headers=(("location", "/login"),)),
            request_finished("r3"),
            body_read("r3", unread_reason="no body"),
        ),
        "",
    ),
    "a redirection, and a secret before": (
        idle(
            exchange("r2b", SESSION, **secret_read()),
            asked("r3", SESSION),
            response_received("r3", 302),
            request_finished("r3"),
            body_read("r3", unread_reason="no body"),
        ),
        "",
    ),
    "a redirection, and a secret of another source": (
        booting(
            asked("r3", SESSION),
            response_received("r3", 302),
            request_finished("r3"),
            body_read("r3", unread_reason="no body"),
            response(),
        ),
        "",
    ),
    "a redirection, and a refusal": (
        idle(
            asked("r3", SESSION),
            response_received("r3", 302),
            request_finished("r3"),
            body_read("r3", unread_reason="no body"),
            session_refused(request_id="r4"),
        ),
        "session-unauthorized",
    ),
    "a request of another name that fails in answer to the frame": (
        booting(
            request_started("r3", "https://app.test/start"),
            response_received("r3", 401),
            request_finished("r3"),
            body_read("r3", error_text="Sign in first."),
            rejection(),
        ),
        "session-unauthorized~ secret-callback-threw",
    ),
    "a request of another name that is not answered": (
        booting(request_started("r3", "https://app.test/start")),
        "session-unanswered~ secret-never-answered",
    ),
    # --- the session endpoint on its way
    "an endpoint that fails for a reason of its own": (session_failed("net::ERR_FAILED"), "session-unreachable~"),
    "an endpoint that fails in answer to the frame": (
        booting(request_started("r3", "https://app.test/start"), request_failed("r3"), rejection()),
        "session-unreachable~ secret-callback-threw",
    ),
    "an answer that the page gives up": (
        idle(
            asked("r3", SESSION), response_received("r3", 500), request_failed("r3", "net::ERR_CONTENT_LENGTH_MISMATCH")
        ),
        "session-server-error",
    ),
    "a policy against an endpoint that failed": (
        session_failed("csp", policy_violated("connect-src", SESSION)),
        "session-blocked-by-csp",
    ),
    "a policy against an endpoint, in other words": (
        session_failed("net::ERR_BLOCKED_BY_CSP"),
        "session-blocked-by-csp",
    ),
    "a policy against an endpoint, in the words of the violation": (
        session_failed("net::ERR_FAILED", policy_violated("connect-src", SESSION)),
        "session-blocked-by-csp",
    ),
    "a policy against an endpoint of another name": (
        booting(policy_violated("connect-src", "https://app.test/start"), rejection()),
        "session-blocked-by-csp~ secret-callback-threw",
    ),
    "a policy against an endpoint that sounds like it": (
        upgraded(policy_violated("connect-src", "https://api.test/assistant")),
        "session-blocked-by-csp~ options-never-set",
    ),
    "a policy against measuring": (
        booting(policy_violated("connect-src", "https://chatgpt.com/ces/v1/t"), rejection()),
        "secret-callback-threw",
    ),
    "a policy against an endpoint, and a secret": (
        idle(policy_violated("connect-src", SESSION), session_fetched()),
        "element-never-rendered",
    ),
    "a policy against an endpoint, and a secret of another source": (
        booting(policy_violated("connect-src", SESSION), response()),
        "",
    ),
    "a policy against an endpoint that nobody needs": (
        [*custom(backend=[]), policy_violated("connect-src", SESSION)],
        "",
    ),
    "a policy against a backend": (
        custom_failed("net::ERR_FAILED", policy_violated("connect-src", CUSTOM)),
        "custom-backend-blocked-by-csp",
    ),
    "an endpoint over http, in the words of the failure": (session_failed("mixed-content"), "session-over-plain-http"),
    "an endpoint on the local network, in the words of the failure": (
        session_failed("net::ERR_BLOCKED_BY_LOCAL_NETWORK_ACCESS_CHECKS"),
        "session-blocked-for-local-network",
    ),
    "an endpoint on the private network, in the words of the failure": (
        session_failed("net::ERR_BLOCKED_BY_PRIVATE_NETWORK_ACCESS_CHECKS"),
        "session-blocked-for-local-network",
    ),
    "an endpoint without CORS, in Firefox": (
        session_failed(
            "NS_ERROR_FAILURE",
            console_message(
                f"Cross-Origin Request Blocked: The Same Origin Policy disallows reading the remote resource at {SESSION}.",
                "error",
            ),
        ),
        "session-blocked-by-cors",
    ),
    "an endpoint without CORS, told without its scheme": (
        session_failed(
            "net::ERR_FAILED", console_message("app.test/api/chatkit/session has been blocked by CORS policy", "error")
        ),
        "session-blocked-by-cors",
    ),
    "an endpoint that hangs, after one that answered": (
        idle(exchange("r2b", SESSION, **secret_read()), asked("r3", SESSION)),
        "",
    ),
    "an endpoint that hangs, and a secret of another source": ([*hosted(), asked("r9", SESSION)], ""),
    "an endpoint that hangs, and nobody needs it": (
        [*page_with_loader(), asked("r9", SESSION), *custom(backend=custom_call(500))[len(page_with_loader()) :]],
        "custom-backend-failing",
    ),
    "an endpoint that was given up": (
        idle(asked("r3", SESSION), request_failed("r3", "net::ERR_ABORTED")),
        "session-given-up",
    ),
    # --- the secret
    "a mock of the real form": (
        booting(
            exchange("r3", SESSION, **secret_read("digest-m", is_mock=True)),
            response("n1", "digest-m", value_format="other"),
        ),
        "mock-secret~ secret-malformed~",
    ),
    "a mock, and a real secret": ([*hosted(), *exchange("r9", SESSION, **secret_read("digest-a", is_mock=True))], ""),
    "a mock without a secret": (idle(exchange("r3", SESSION, is_mock=True)), "session-without-secret"),
    "a mock that was handed over": (
        booting(
            exchange("r3", SESSION, **secret_read("digest-m", secret_format="other", is_mock=True)),
            response("n1", "digest-m", value_format="other"),
            frame_error("IntegrationError", BAD_SECRET),
        ),
        "mock-secret secret-malformed",
    ),
    "a mock beside another secret": (
        booting(
            exchange("r3", SESSION, **secret_read("digest-m", secret_format="other", is_mock=True)),
            response("n1", "digest-x", value_format="other"),
            frame_error("IntegrationError", BAD_SECRET),
        ),
        "mock-secret* secret-malformed",
    ),
    "a secret of another form that the frame takes": (
        booting(response("n1", "digest-m", value_format="other")),
        "secret-malformed~",
    ),
    "a number of another form": (
        booting(
            response("n1", "", value_kind="number", value_format="other"), frame_error("IntegrationError", BAD_SECRET)
        ),
        "secret-not-a-string",
    ),
    "a secret of another form, and then a good one": (
        idle(
            exchange("r3", SESSION, **secret_read("digest-m", secret_format="other")),
            exchange("r9", SESSION, **secret_read()),
        ),
        "element-never-rendered",
    ),
    "a secret of another form that nobody has used": (
        idle(exchange("r3", SESSION, **secret_read("digest-m", secret_format="other"))),
        "secret-malformed* element-never-rendered",
    ),
    "a secret of another form, and the frame waits": (
        booting(exchange("r3", SESSION, **secret_read("digest-m", secret_format="other"))),
        "secret-never-answered",
    ),
    "an answer of another form without a secret": (
        idle(exchange("r3", SESSION, secret_format="other")),
        "session-without-secret",
    ),
    "a secret that is awaited by a frame that dies": (
        booting(frame_error("FatalAppError", INVALID + "theme")),
        "theme-invalid",
    ),
    "a secret that is handed out twice": ([*hosted(), command(nonce="n2"), response("n2")], ""),
    "no secret, and the endpoint sent one under another name": (
        booting(
            exchange("r3", SESSION, **secret_read(secret_key="clientSecret")),
            response("n1", "", value_kind="undefined", value_format=""),
        ),
        "secret-not-a-string",
    ),
    "no secret, and the endpoint sent none": (
        booting(exchange("r3", SESSION, secret_key=""), response("n1", "", value_kind="undefined", value_format="")),
        "session-without-secret secret-not-a-string",
    ),
    "no secret, twice": (
        booting(
            response("n1", "", value_kind="undefined", value_format=""),
            command(nonce="n2", has_current=True),
            response("n2", "", value_kind="undefined", value_format=""),
        ),
        "secret-not-a-string",
    ),
    "a refresh without its function, uncaught": (
        [
            *hosted(),
            page_error(
                "Could not refresh the session because ChatKitOptions.api.getClientSecret is not configured.",
                "IntegrationError",
            ),
        ],
        "refresh-not-configured",
    ),
    # --- OpenAI's words
    "OpenAI's words from the page": (
        booting(rejection(message="Workflow with id 'wf_1' not found.")),
        "workflow-not-found~ secret-callback-threw",
    ),
    "OpenAI's words from the page, and a refusal without words": (
        booting(session(404)[len(page_with_loader()) :], rejection(message="Workflow with id 'wf_1' not found.")),
        "workflow-not-found~ session-route-missing~ secret-callback-threw",
    ),
    "OpenAI's words from the page, and other words of the endpoint": (
        booting(session_refused(), rejection(message="Workflow with id 'wf_1' not found.")),
        "session-unauthorized secret-callback-threw",
    ),
    "OpenAI's words from the page, and a secret": (
        booting(rejection(message="Workflow with id 'wf_1' not found."), command(nonce="n2"), response("n2")),
        "",
    ),
    "OpenAI's words in an answer that never came": (
        idle(
            asked("r3", SESSION), request_failed("r3"), body_read("r3", error_text="Workflow with id 'wf_1' not found.")
        ),
        "session-unreachable",
    ),
    "an app's own unknown parameter": (session(400, "Unknown parameter in the form"), "session-request-invalid"),
    "a page that asks OpenAI without a key": (
        [*hosted(), asked("r9", "https://api.openai.com/v1/chatkit/sessions"), *answered("r9", **secret_read())],
        "",
    ),
    "a page that asks OpenAI for something else": (
        [*hosted(), asked("r9", "https://api.openai.com/v1/models", bearer="digest-k"), *answered("r9")],
        "",
    ),
    "a key on an address that is none": (
        [*hosted(), asked("r9", "/v1/chatkit/sessions", bearer="digest-k"), *answered("r9")],
        "",
    ),
    # --- the frame
    "a copy of the loader under another name": (
        copy_named("https://app.test/vendor/ck.js", 404),
        "frame-beside-copied-loader",
    ),
    "a copy of the loader somewhere else": (copy_named("https://app.test/js/ck.js", 404), "frame-refused"),
    "a picture beside the frame": (copy_named("https://app.test/vendor/ck.png", 404, kind="image"), "frame-refused"),
    "a copy of the loader that was refused beside another script": (
        copy_named("https://app.test/vendor/ck.js", 404, loader_status=500),
        "frame-refused",
    ),
    "a copy of the loader with a page beside it": (copied(200), "frame-beside-copied-loader~"),
    "a copy of the loader with a frame beside it that speaks": ([*copied(200), log()], ""),
    "a copy of the loader with a refused frame beside it that speaks": ([*copied(404), log()], ""),
    "a copy of the loader whose frame is redirected": (copied(302), ""),
    "a copy of the loader with a frame that is not finished": (
        [s for s in copied(200) if s != document_loaded()],
        "frame-beside-copied-loader~",
    ),
    "a copy of the loader with a frame that misses its script": (
        [
            *copied(200)[:-2],
            request_started(
                "r8",
                "https://app.test/assets/ck1/index-x.js",
                resource_type="script",
                frame_url="https://app.test/vendor/index-abc.html",
                is_top_frame=False,
            ),
            response_received("r8", 404),
            request_finished("r8"),
            *copied(200)[-2:],
        ],
        "frame-script-missing",
    ),
    "a copy of the loader with an official frame": (copied(404, FRAME), "frame-refused"),
    "a copy of the loader that is gone": (copied(410), "frame-beside-copied-loader"),
    "a frame on the CDN that is not there": (frame_ended(refused(404, request_id="r4")), "frame-refused"),
    "a frame that is refused and speaks": ([*frame_ended(refused(400, request_id="r4")), log()], ""),
    "a frame that is challenged by a header": (
        frame_ended(
            refused(503, "application/json", headers=(("a", "b"), ("cf-mitigated", "challenge")), request_id="r4")
        ),
        "frame-challenged",
    ),
    "a frame that is busy": (frame_ended(refused(503, request_id="r4")), "frame-refused"),
    "a frame that is forbidden, as JSON": (
        frame_ended(refused(403, "application/json", request_id="r4")),
        "frame-refused",
    ),
    "a frame that fails while its page says 403": (frame_ended(refused(403, request_id="r4")), "frame-challenged"),
    "a frame under a policy, and another iframe": (
        framed(
            shadow_changed(iframe_src="https://a.test/x.html"),
            shadow_changed(),
            policy_violated("frame-src", FRAME),
            frame_requested(),
            request_failed("r4", "csp"),
            iframe_loaded(),
        ),
        "frame-blocked-by-csp",
    ),
    "a policy against what is no frame": (
        frame_ended(refused(400, request_id="r4"), said=[policy_violated("connect-src", FRAME)]),
        "frame-refused",
    ),
    "a policy against a frame that speaks": ([*hosted(), policy_violated("frame-src", FRAME)], ""),
    "a policy against a frame that was never made": (
        upgraded(shadow_changed(STYLE, iframe_src=FRAME), policy_violated("frame-src", FRAME)),
        "options-never-set",
    ),
    "a frame that forbids others by frame-ancestors": (
        frame_ended(
            response_received("r4", media_type=HTML, headers=(("content-security-policy", "frame-ancestors 'none'"),)),
            request_failed("r4", "net::ERR_BLOCKED_BY_RESPONSE"),
        ),
        "frame-forbids-embedding",
    ),
    "a frame that forbids others, on the console": (
        frame_ended(
            console_message(
                "Refused to display 'https://cdn.platform.openai.com/' in a frame because it set 'X-Frame-Options' to 'deny'.",
                "error",
            ),
            request_failed("r4", "net::ERR_BLOCKED_BY_RESPONSE"),
        ),
        "frame-forbids-embedding",
    ),
    "a frame that would forbid others, and breaks off": (
        frame_ended(
            response_received("r4", media_type=HTML, headers=(("x-frame-options", "DENY"),)),
            request_failed("r4", "net::ERR_CONNECTION_RESET"),
        ),
        "frame-unreachable",
    ),
    "a frame that forbids others, in Firefox": (
        frame_ended(request_failed("r4", "NS_ERROR_XFO_VIOLATION")),
        "frame-forbids-embedding",
    ),
    "a frame that forbids others by frame-ancestors, in Firefox": (
        frame_ended(request_failed("r4", "NS_ERROR_CSP_FRAME_ANCESTOR_VIOLATION")),
        "frame-forbids-embedding",
    ),
    "a frame of another policy, in an installed Firefox": (
        page_headers(
            frame_ended(request_failed("r4", "NS_ERROR_DOM_COEP_FAILED")),
            ("cross-origin-embedder-policy", "require-corp"),
        ),
        "frame-blocked-by-coep",
    ),
    "a frame that consents to nobody, in Firefox": (
        page_headers(
            frame_ended(request_failed("r4", "corp-failed")), ("cross-origin-embedder-policy", "require-corp")
        ),
        "frame-blocked-by-coep",
    ),
    "a frame of another origin only": (
        page_headers(
            frame_ended(request_failed("r4", "net::ERR_BLOCKED_BY_RESPONSE.NotSameOrigin")),
            ("cross-origin-embedder-policy", "require-corp"),
        ),
        "frame-blocked-by-coep~",
    ),
    "a frame out of reach for this run": (
        frame_ended(request_blocked("GET", FRAME), request_failed("r4", "net::ERR_INTERNET_DISCONNECTED")),
        "frame-unreachable~",
    ),
    "a frame that was given up": (frame_ended(request_failed("r4", "net::ERR_ABORTED")), "frame-unreachable~"),
    "a frame that hangs and speaks": (framed(frame_requested(), log()), ""),
    "a script of the frame that fails and is not awaited": (
        framed(
            frame_arrived(),
            request_started(
                "r8",
                "https://cdn.platform.openai.com/assets/ck1/index-x.js",
                resource_type="script",
                frame_url=FRAME,
                is_top_frame=False,
            ),
            request_failed("r8", "net::ERR_ABORTED"),
        ),
        "",
    ),
    "a frame's script that is challenged": (frame_script(refused(403, request_id="r8")), "frame-challenged"),
    "a frame's script that is blocked": (
        frame_script(request_failed("r8", "net::ERR_BLOCKED_BY_CLIENT")),
        "frame-blocked-by-client",
    ),
    "a frame's script that breaks off": (
        frame_script(request_failed("r8", "net::ERR_CONNECTION_RESET")),
        "frame-script-missing",
    ),
    "a frame's script that is missing, and it speaks": (
        [*frame_script(refused(404, "text/plain", request_id="r8")), log()],
        "",
    ),
    "another script of the frame that is missing": (
        frame_other_script(refused(404, "text/plain", request_id="r8")),
        "frame-script-missing~",
    ),
    "another script of the frame that is a page": (
        frame_other_script(response_received("r8", media_type=HTML), request_finished("r8")),
        "frame-script-no-script~",
    ),
    "a frame's script that is a page, and it speaks": (
        [*frame_script(response_received("r8", media_type=HTML), request_finished("r8")), log()],
        "",
    ),
    "a frame's script that is a page of an error": (
        frame_script(response_received("r8", 500, media_type=HTML), request_finished("r8")),
        "frame-script-missing",
    ),
    "a frame on a page that is not secure, and it speaks": (
        as_document([*framed(frame_arrived(), log(), iframe_loaded()), command(), response()], is_secure_context=False),
        "",
    ),
    "a frame on a page that is not secure, without an error": (
        insecure_frame(framed(frame_arrived(), iframe_loaded())),
        "page-not-secure~",
    ),
    "a secure frame on a page that is not": (
        as_document(framed(frame_arrived(), iframe_loaded()), is_secure_context=False, origin="http://app.test"),
        "",
    ),
    "a page that is not secure, before its frame": (
        as_document(bare(ELEMENT), is_secure_context=False, origin="http://app.test"),
        "page-not-secure* loader-not-referenced",
    ),
    "a page of no origin, before its frame": (
        as_document(bare(ELEMENT), is_secure_context=False, origin="null"),
        "loader-not-referenced",
    ),
    "an address without its options, uncaught": (
        framed(frame_arrived(), page_error("Invalid ChatKit frame parameters.", "FatalAppError"), iframe_loaded()),
        "frame-address-stripped",
    ),
    "storage that is refused to the frame's own script": (
        framed(
            frame_arrived(),
            page_error(
                "The operation is insecure.",
                "DOMException",
                stack="at https://cdn.platform.openai.com/assets/ck1/index-x.js:1",
            ),
            iframe_loaded(),
        ),
        "frame-storage-refused",
    ),
    "storage that is refused to the page": (
        framed(
            frame_arrived(),
            page_error("The operation is insecure.", "DOMException", stack="at https://app.test/app.js:1"),
            iframe_loaded(),
        ),
        "",
    ),
    "storage that is refused before there is a frame": (
        upgraded(page_error("The operation is insecure.", "DOMException")),
        "options-never-set",
    ),
    "a frame that loads often and lives": ([*hosted(), *[frame_arrived(f"r4{n}") for n in range(4)]], ""),
    "a frame that loads often after a move": (
        [*MOVED, *_flat(tuple(frame_arrived(f"r4{n}") for n in range(4)))],
        "element-moved",
    ),
    "a frame that loads often and is refused": (
        framed(
            *[frame_arrived(f"r4{n}") for n in range(4)],
            frame_requested("r5"),
            response_received("r5", 400),
            request_finished("r5"),
            iframe_loaded(),
        ),
        "frame-refused",
    ),
    "frames of several widgets": (
        framed(*[frame_arrived(f"r4{n}") for n in range(4)], element_connected(2), iframe_loaded()),
        "",
    ),
    "a crash of a frame that speaks": (
        [
            *framed(frame_arrived(), log(), iframe_loaded()),
            page_error("x", "TypeError", stack="at https://cdn.platform.openai.com/assets/ck1/index-x.js:1"),
            command(),
            response(),
        ],
        "",
    ),
    "a crash in a file of a similar name, without a frame": (
        upgraded(page_error("x", "TypeError", stack="at https://app.test/assets/index-x.js:1")),
        "options-never-set",
    ),
    "a crash of a frame that misses its script": (
        frame_script(
            refused(404, "text/plain", request_id="r8"),
            page_error("x", "TypeError", stack="at https://cdn.platform.openai.com/assets/ck1/index-x.js:1"),
        ),
        "frame-script-missing",
    ),
    # --- handshake
    "a file whose frame is silent": (
        as_document(framed(frame_arrived(), iframe_loaded()), url="file:///tmp/chat.html"),
        "page-from-file~",
    ),
    "a file without options": (as_document(upgraded(), url="file:///tmp/chat.html"), "options-never-set"),
    "a page of no origin without options": (as_document(upgraded(frame_arrived()), origin="null"), "options-never-set"),
    "a page of no origin whose frame is refused": (
        as_document(frame_ended(refused(400, request_id="r4")), origin="null"),
        "frame-refused",
    ),
    "messages of somebody else, before the options": (
        upgraded(
            console_message(
                "Failed to execute 'postMessage' on 'DOMWindow': The target origin provided ('https://a.test') does not match",
                "error",
            )
        ),
        "options-never-set",
    ),
    "messages to a page of no origin": (
        as_document(
            framed(
                frame_arrived(),
                iframe_loaded(),
                console_message(
                    "Failed to execute 'postMessage' on 'DOMWindow': The target origin provided ('https://a.test') does not match",
                    "error",
                ),
            ),
            origin="null",
        ),
        "page-of-opaque-origin",
    ),
    "a page of no origin whose own server does not allow it": (
        as_document(session_failed("net::ERR_FAILED", cors(SESSION)), origin="null"),
        "page-of-opaque-origin",
    ),
    "a page of no origin whose own chat backend does not allow it": (
        as_document(custom_failed("net::ERR_FAILED", cors(CUSTOM)), origin="null"),
        "page-of-opaque-origin",
    ),
    "a page of no origin that another server does not allow": (
        as_document(
            idle(
                asked("r3", "https://elsewhere.test/api/chatkit/session"),
                cors("https://elsewhere.test/api/chatkit/session"),
                request_failed("r3", "net::ERR_FAILED"),
            ),
            origin="null",
        ),
        "session-blocked-by-cors",
    ),
    # --- domain
    "a custom domain check with an empty bearer": (
        [
            *custom(
                check=[replace(verification(401, url=VERIFY)[0], bearer="empty"), *verification(401, url=VERIFY)[1:]]
            ),
            unmount(),
            shadow_changed(STYLE, data_loaded=True),
        ],
        "verification-unauthorized",
    ),
    "a domain that is unknown": (removed(check(404)), "domain-not-registered"),
    "a domain that is refused in words": (
        [
            *hosted(check=[]),
            frame_error("IntegrationError", "Domain verification failed for https://app.test."),
            unmount(),
            shadow_changed(STYLE, data_loaded=True),
        ],
        "domain-not-registered",
    ),
    "a domain that is not verified for want of a secret": (removed(check(404, "empty")), ""),
    "a domain that is not verified for want of a secret, in words": (
        removed(
            check(404, "empty"), frame_error("IntegrationError", "Domain verification failed for https://app.test.")
        ),
        "domain-not-registered",
    ),
    "a farewell of a wrapper that stays": ([*hosted(check=check(401)), unmount()], "verification-unauthorized"),
    "a wrapper that goes without farewell": (
        [*hosted(check=check(401)), shadow_changed(STYLE, data_loaded=True)],
        "verification-unauthorized",
    ),
    "a placeholder that nobody checked": (
        [*custom(check=[]), options_seen("url", "domainKey", domain_key_format="placeholder"), unmount()],
        "widget-removed",
    ),
    "a placeholder whose check failed": (
        [
            *custom(check=verification(500, url=VERIFY)),
            options_seen("url", "domainKey", domain_key_format="placeholder"),
            unmount(),
        ],
        "verification-failing",
    ),
    "a placeholder that nobody minds": (
        [*custom(), options_seen("url", "domainKey", domain_key_format="placeholder")],
        "",
    ),
    "a placeholder whose check was refused": (
        [
            *custom(check=verification(401, url=VERIFY)),
            options_seen("url", "domainKey", domain_key_format="placeholder"),
            unmount(),
        ],
        "domain-key-placeholder",
    ),
    "a real key whose check was refused": (
        [
            *custom(check=verification(401, url=VERIFY)),
            options_seen("url", "domainKey", domain_key_format="domain_pk"),
            unmount(),
        ],
        "verification-unauthorized",
    ),
    "a check for want of a secret that fails": (removed(check(503, "empty")), "verification-failing"),
    "a check that is refused, of a widget that stays": (hosted(check=check(401)), ""),
    "a check that times out in the frame's words": (
        removed(
            check_failed("net::ERR_FAILED"),
            frame_error("DomainVerificationRequestError", "Domain verification request timed out"),
        ),
        "verification-timed-out",
    ),
    "a check that is answered late": (
        removed(
            [verification()[0], pause(10_000), *verification(401)[1:]],
            frame_error("DomainVerificationRequestError", "verification request timed out"),
        ),
        "verification-unauthorized",
    ),
    "a check that fails after long": (
        removed(check_failed("net::ERR_CONNECTION_RESET", after_ms=10_000)),
        "verification-unreachable",
    ),
    "a check that fails for a reason of its own": (
        removed(check_failed("net::ERR_FAILED")),
        "verification-unreachable~",
    ),
    "a check that is never answered": (removed(verification()[:1]), ""),
    "a removal in the words of a time limit": (
        [*hosted(check=[]), frame_error("DomainVerificationRequestError", "verification request timed out"), unmount()],
        "",
    ),
    # --- backend
    "a backend that fails without a secret": (hosted(backend=conversation(500, bearer="empty")), "backend-failing"),
    "a backend that fails for the first thread": (
        [*hosted(backend=conversation(500)), frame_error("InitialThreadLoadError", "Failed to load initial thread")],
        "backend-failing",
    ),
    "a first thread that is missing, and no call": (
        no_answer("InitialThreadLoadError", "Failed to load initial thread: Not Found"),
        "initial-thread-missing",
    ),
    "a backend call that was given up": (
        hosted(backend=[conversation()[0], request_failed("r6", "net::ERR_ABORTED")]),
        "",
    ),
    "a backend that refuses in the words of CORS": (
        hosted(backend=[*conversation(404), cors(CONVERSATION)]),
        "backend-refuses",
    ),
    "a backend that hangs after it answered": (
        hosted(backend=[*conversation(500), *conversation(request_id="r8")[:1]]),
        "backend-unanswered backend-failing",
    ),
    "a backend that hangs at last": (
        [*hosted(check=[*verification()[:1]]), *conversation(request_id="r8")[:1]],
        "verification-timed-out",
    ),
    "a check that is not answered in the mount's time": (hosted(check=verification()[:1]), "verification-timed-out"),
    "a message that waits for a script": (
        [*hosted(), SENTINEL, widget_event("chatkit.response.start")],
        "sentinel-unanswered",
    ),
    "a message that did not wait for the script": (
        [
            *hosted(),
            SENTINEL,
            widget_event("chatkit.response.start"),
            replace(conversation(request_id="r9")[0], headers=(("accept", "text/event-stream"),)),
        ],
        "",
    ),
    "a message that went out after the script had come": (
        [*hosted(), SENTINEL, *answered("s1"), widget_event("chatkit.response.start")],
        "",
    ),
    "a load event that waits for something else": (
        [*HELD_BACK, replace(SENTINEL, url="https://cdn.platform.openai.com/assets/ck1/late.js")],
        "",
    ),
    "a load event, and a request that it does not wait for": (
        [*HELD_BACK, replace(SENTINEL, resource_type="fetch")],
        "",
    ),
    "a backend that hangs, and a script": ([*hosted(backend=conversation()[:1]), SENTINEL], "backend-unanswered"),
    "a check that is not answered by the time of another failure": (
        hosted(check=verification()[:1], backend=conversation(401)),
        "backend-rejects-secret",
    ),
    "a backend that fails for a reason of its own": (
        hosted(backend=[conversation()[0], request_failed("r6", "net::ERR_FAILED")]),
        "backend-unreachable~",
    ),
    # --- the app's own backend
    "an own backend that forbids": (custom(backend=custom_call(403)), "custom-backend-unauthorized~"),
    "an own backend that is not found, in JSON": (custom(backend=custom_call(404)), "custom-backend-not-found~"),
    "an own backend that refuses with a page": (
        custom(
            backend=[
                *custom_call()[:2],
                response_received("r6", 500, media_type=HTML),
                request_finished("r6"),
                body_read("r6"),
            ]
        ),
        "custom-backend-failing",
    ),
    "an own backend that answers with a page at first": (
        custom(
            backend=[
                *custom_call()[:2],
                response_received("r6", media_type=HTML),
                request_finished("r6"),
                *custom_call(request_id="r8"),
            ]
        ),
        "",
    ),
    "a policy against an own backend, before the network": (
        custom(backend=[*custom_call()[:1], policy_violated("connect-src", CUSTOM)]),
        "custom-backend-blocked-by-csp",
    ),
    "a policy against an own backend that works": ([*custom(), policy_violated("connect-src", CUSTOM)], ""),
    "a policy against a picture of the backend's": (
        custom(backend=[*custom_call()[:1], policy_violated("img-src", CUSTOM)]),
        "",
    ),
    "a policy against an own backend that refused": (
        custom(backend=[*custom_call(500), policy_violated("connect-src", CUSTOM)]),
        "custom-backend-blocked-by-csp custom-backend-failing",
    ),
    "an own backend that fails for a reason of its own": (
        custom_failed("net::ERR_FAILED"),
        "custom-backend-unreachable~",
    ),
    # --- streams
    "a stream that is dropped, on the console": (
        [*hosted(), console_message("net::ERR_QUIC_PROTOCOL_ERROR.QUIC_NETWORK_IDLE_TIMEOUT", "error")],
        "stream-dropped",
    ),
    "a stream among other headers": (
        [
            *custom(),
            asked(
                "r9",
                CUSTOM,
                headers=(("x", "y"), ("Accept", "text/event-stream"), ("content-type", "application/json")),
            ),
            response_received("r9"),
            request_finished("r9"),
        ],
        "stream-of-wrong-type",
    ),
    "a stream in another header": (
        [
            *custom(),
            asked("r9", CUSTOM, headers=(("x-accept", "text/event-stream"),)),
            response_received("r9"),
            request_finished("r9"),
        ],
        "",
    ),
    "a stream that is refused": (
        [
            *custom(),
            asked("r9", CUSTOM, headers=(("accept", "text/event-stream"),)),
            response_received("r9", 500),
            request_finished("r9"),
        ],
        "custom-backend-failing",
    ),
    "a reply that has not ended": (streamed("text/event-stream", widget_event("chatkit.response.start")), ""),
    "a reply that has not begun": (streamed("text/event-stream", widget_event("chatkit.response.end")), ""),
    "a reply with an error": (
        streamed(
            "text/event-stream",
            widget_event("chatkit.response.start"),
            frame_error("StreamError", "no"),
            widget_event("chatkit.response.end"),
        ),
        "reply-failed",
    ),
    "a reply without a stream": (
        [*custom(), widget_event("chatkit.response.start"), widget_event("chatkit.response.end")],
        "",
    ),
    "a reply of OpenAI's": (
        [
            *hosted(),
            asked("r9", CONVERSATION, headers=(("accept", "text/event-stream"),)),
            response_received("r9", media_type="text/event-stream"),
            widget_event("chatkit.response.start"),
            widget_event("chatkit.response.end"),
        ],
        "",
    ),
    "a reply of another type": (
        streamed("application/json", widget_event("chatkit.response.start"), widget_event("chatkit.response.end")),
        "stream-of-wrong-type",
    ),
    # --- sight
    "an element without height that says auto": (boxed(height_px=0, height_css="auto"), "element-without-height"),
    "an element without height in a container that has one": (boxed(height_px=0), "element-without-height~"),
    "an element that will have no height": (
        bare(element_connected(), box_changed(0, 0, container_height_px=0, height_css="auto")),
        "loader-not-referenced element-without-height~*",
    ),
    "an element that will have a height of its own": (
        bare(element_connected(), box_changed(0, 0, container_height_px=0, height_css="400px")),
        "loader-not-referenced",
    ),
    "an element that has a height already": (
        bare(element_connected(), box_changed(300, 20, container_height_px=0, height_css="auto")),
        "loader-not-referenced",
    ),
    "an element that is hidden for now": (
        bare(element_connected(), box_changed(0, 0, container_height_px=0, height_css="auto", is_rendered=False)),
        "loader-not-referenced",
    ),
    "an element that is taken out, once without height": (
        [*hosted(backend=[]), box_changed(0, 0, container_height_px=0, height_css="auto"), element_disconnected()],
        "element-taken-out",
    ),
    "a hidden element without width": (
        boxed(width_px=0, is_rendered=False, hidden_by="display:none on div"),
        "container-hidden",
    ),
    "a hidden element off the screen": (
        boxed(is_reachable=False, is_rendered=False, hidden_by="opacity:0 on div"),
        "element-transparent",
    ),
    "a hidden element under a cover": (
        boxed(covered_by="div.x", is_rendered=False, hidden_by="opacity:0 on div"),
        "element-transparent",
    ),
    "an element without height off the screen": (
        boxed(is_reachable=False, height_px=0, container_height_px=0),
        "element-without-height",
    ),
    "a policy against other styles": ([*hosted(), policy_violated("img-src", "inline", source=LOADER)], ""),
    # --- what the page's own clock tells, and the app's own code
    "a refusal of an address without a telling name, asked for by the frame": (
        asked_at(201, answered("r3", 403)),
        "session-forbidden secret-callback-threw",
    ),
    "a page in place of an answer to the frame": (
        asked_at(201, response_received("r3", media_type=HTML), request_finished("r3"), body_read("r3")),
        "session-answered-by-page~ secret-callback-threw",
    ),
    "an answer to the frame that breaks off": (
        asked_at(201, response_received("r3"), request_failed("r3", "net::ERR_CONTENT_DECODING_FAILED")),
        "session-answer-broken~ secret-callback-threw",
    ),
    "an answer to the frame that the page does not await": (
        asked_at(201, request_failed("r3", "net::ERR_ABORTED")),
        "session-given-up secret-callback-threw",
    ),
    "a refusal of something that the page had asked for before": (
        asked_at(199, answered("r3", 403)),
        "secret-callback-threw",
    ),
    "a good answer of no telling name to a frame that got its secret": (
        [*asked_at(201, answered("r3"))[:-1], response()],
        "",
    ),
    "a request that sounds like it is given up": (
        idle(asked("r3", "https://app.test/assistant/open"), request_failed("r3", "net::ERR_ABORTED")),
        "session-given-up~",
    ),
    "a session that is given up after its answer": (
        idle(asked("r3", SESSION), response_received("r3"), request_failed("r3", "net::ERR_ABORTED")),
        "",
    ),
    "a session that is given up, and a custom backend": (
        [*custom(), asked("r3", SESSION), request_failed("r3", "net::ERR_ABORTED")],
        "",
    ),
    "a session that is given up, and a secret of another source": (
        booting(asked("r3", SESSION), request_failed("r3", "net::ERR_ABORTED"), response()),
        "",
    ),
    "a second session that is given up": (
        idle(session_fetched(), asked("r9", SESSION), request_failed("r9", "net::ERR_ABORTED")),
        "",
    ),
    "a policy without a sandbox": (
        page_headers(bare(), ("content-security-policy", "default-src 'self'")),
        "page-without-chatkit",
    ),
    "a loader that is a web page, and no element": (
        bare(
            script_referenced(),
            request_started("r2", LOADER, resource_type="script"),
            response_received("r2", media_type=HTML),
            request_finished("r2"),
            body_read("r2"),
        ),
        "loader-answered-by-page",
    ),
    "measuring that does not arrive": (
        idle(other("https://browser-intake-datadoghq.com/a.js", *answered("o1", 404))),
        "element-never-rendered",
    ),
    "a request that is given up, and an error about a failed line": (
        idle(
            other("https://app.test/api/x", request_failed("o1", "net::ERR_ABORTED"), kind="fetch"),
            page_error("Failed to fetch", "TypeError"),
        ),
        "element-never-rendered",
    ),
    "a request that policy forbids, and an error about data": (
        idle(
            policy_violated("connect-src", "https://elsewhere.test/v1/go"),
            page_error("Unexpected token 'x', \"xx\" is not valid JSON", "SyntaxError"),
        ),
        "element-never-rendered",
    ),
    "an element without life on a page that still loads": (
        [*[s for s in taken_name(80) if not isinstance(s, events.DocumentLoaded)], *session_refused()],
        "session-unauthorized",
    ),
    "an element of a taken name that goes": ([*taken_name(80), element_disconnected()], "element-taken-out"),
    "a sandboxed page whose widget works": (
        page_headers([*hosted()], ("content-security-policy", "sandbox allow-forms")),
        "",
    ),
    "a sandboxed page whose element is defined": (
        page_headers(idle(), ("content-security-policy", "sandbox allow-forms")),
        "element-never-rendered",
    ),
    "a sandboxed page with an element": (
        page_headers(bare(ELEMENT), ("content-security-policy", "sandbox allow-forms")),
        "loader-not-referenced",
    ),
    "a file of others that does not arrive": (
        idle(other("https://ads.test/a.js", *answered("o1", 404))),
        "page-script-missing~ element-never-rendered",
    ),
    "files of both that do not arrive": (
        idle(
            request_started("o2", "https://ads.test/a.js", resource_type="script"),
            answered("o2", 404),
            other("https://app.test/a.js", *answered("o1", 404)),
        ),
        "page-script-missing element-never-rendered",
    ),
    "a module that is a web page": (
        idle(other("https://app.test/a.js", response_received("o1", media_type=HTML))),
        "page-script-missing element-never-rendered",
    ),
    "a module that is answered 404 and given up": (
        idle(other("https://app.test/a.js", response_received("o1", 404), request_failed("o1", "net::ERR_ABORTED"))),
        "page-script-missing element-never-rendered",
    ),
    "a file that the page gave up": (
        idle(other("https://app.test/a.js", request_failed("o1", "net::ERR_ABORTED"))),
        "element-never-rendered",
    ),
    "a file that this run keeps on the machine": (
        idle(
            request_blocked("GET", "https://app.test/a.js"),
            other("https://app.test/a.js", request_failed("o1", "net::ERR_INTERNET_DISCONNECTED")),
        ),
        "element-never-rendered",
    ),
    "a file that policy stops": (
        idle(
            policy_violated("script-src-elem", "https://app.test/a.js"),
            other("https://app.test/a.js", request_failed("o1", "csp")),
        ),
        "page-script-blocked-by-csp element-never-rendered",
    ),
    "a file that is missing, and an element that lacks its loader": (
        bare(other("https://app.test/a.js", *answered("o1", 404)), ELEMENT),
        "loader-not-referenced~",
    ),
    "a file that is missing, and a secret that is refused": (
        idle(other("https://app.test/a.js", *answered("o1", 404)), session_refused()),
        "session-unauthorized",
    ),
    "a file that is missing, and a loader that is too": (
        bare(
            other("https://app.test/a.js", *answered("o1", 404)),
            script_referenced(),
            request_started("r2", LOADER, resource_type="script"),
            answered("r2", 403),
        ),
        "loader-refused",
    ),
    "a request that fails, and the app's error": (
        idle(
            other("https://app.test/api/x", request_failed("o1", "net::ERR_CONNECTION_REFUSED"), kind="xhr"),
            page_error("Failed to fetch", "TypeError"),
        ),
        "app-request-failed element-never-rendered",
    ),
    "a request that policy forbids, and the app's error": (
        idle(
            policy_violated("connect-src", "https://elsewhere.test/v1/go"), page_error("Failed to fetch", "TypeError")
        ),
        "app-request-failed element-never-rendered",
    ),
    "measuring that policy forbids, and an error of something else": (
        idle(
            policy_violated("connect-src", "https://browser-intake-datadoghq.com/x"),
            page_error("Failed to fetch", "TypeError"),
        ),
        "element-never-rendered",
    ),
    "a click that changed nothing, heard by a handler": (
        idle(action_taken(), action_ended()),
        "action-without-effect~ element-never-rendered",
    ),
    "a click that changed nothing, and a request after it": (
        idle(action_taken(), action_ended(), other("https://app.test/api/x", *answered("o1"), kind="fetch")),
        "element-never-rendered",
    ),
    "a click that changed nothing, and an error after it": (
        idle(action_taken(), action_ended(), page_error("no", "Error")),
        "element-never-rendered",
    ),
    "a click that changed nothing the first time only": (
        idle(action_taken(), action_ended(audience="far"), action_taken(), action_ended("dom")),
        "element-never-rendered",
    ),
    "a refusal, and an error about a failed line": (
        idle(
            other("https://app.test/api/x", *answered("o1", 500), kind="fetch"),
            page_error("Failed to fetch", "TypeError"),
        ),
        "element-never-rendered",
    ),
    "a refusal, and an error that says so": (
        idle(
            other("https://app.test/api/x", *answered("o1", 500), kind="fetch"),
            page_error("Request failed with status code 500", "AxiosError"),
        ),
        "app-request-failed element-never-rendered",
    ),
    "a refusal, and an error in the console that names its status": (
        idle(
            other("https://app.test/api/x", *answered("o1", 404), kind="fetch"),
            console_message('no settings FetchError: [POST] "/api/x": 404 Page not found', "error"),
        ),
        "app-request-failed element-never-rendered",
    ),
    "a refusal, and a warning in the console that names its status": (
        idle(
            other("https://app.test/api/x", *answered("o1", 404), kind="fetch"),
            console_message("HTTP 404", "warning"),
        ),
        "element-never-rendered",
    ),
    "a refusal, and the browser's own line about it": (
        idle(
            other("https://app.test/api/x", *answered("o1", 404), kind="fetch"),
            console_message("Failed to load resource: the server responded with a status of 404 (Not Found)", "error"),
        ),
        "element-never-rendered",
    ),
    "a refusal of what sounds like a session, before the widget asks for what it then lacks": (
        idle(
            other("https://app.test/api/session", *answered("o1", 500), kind="fetch"),
            element_shown(),
            frame_arrived(),
            command(),
            log(),
            iframe_loaded(),
            response("n1", "", value_kind="undefined", value_format=""),
        ),
        "session-server-error~ secret-not-a-string",
    ),
    "a refusal, and an error that names its status": (
        idle(other("https://app.test/api/x", *answered("o1", 403), kind="fetch"), page_error("HTTP 403", "Error")),
        "app-request-failed element-never-rendered",
    ),
    "a refusal, and an error that names another status": (
        idle(other("https://app.test/api/x", *answered("o1", 500), kind="fetch"), page_error("HTTP 403", "Error")),
        "element-never-rendered",
    ),
    "a good answer in between, and an error of something else": (
        [*asked_at(201, answered("r3"))[:-1], rejection(message="cfg is undefined")],
        "secret-callback-threw",
    ),
    "a good answer without a secret, and an error about that": (
        [
            *asked_at(201, answered("r3"))[:-1],
            rejection(message="Cannot read properties of undefined (reading 'value')"),
        ],
        "session-without-secret~ secret-callback-threw",
    ),
    "a request that fails, and an error with a number": (
        idle(
            other("https://app.test/api/x", request_failed("o1", "net::ERR_CONNECTION_REFUSED"), kind="fetch"),
            page_error("Error 10", "Error"),
        ),
        "element-never-rendered",
    ),
    "a failed request, and an error of something else": (
        idle(
            other("https://app.test/api/x", *answered("o1", 500), kind="fetch"),
            page_error("x is not a function", "TypeError"),
        ),
        "element-never-rendered",
    ),
    "a script of the CDN that is not the loader": (
        bare(
            request_started("r2", LOADER.replace("chatkit.js", "chatkti.js"), resource_type="script"),
            answered("r2", 404),
            ELEMENT,
        ),
        "loader-at-wrong-address",
    ),
    "a name that is defined after the loader, and an element without life": (
        taken_name(80),
        "element-defined-by-another~",
    ),
    "a name that is defined before the loader, and no element": (
        [s for s in taken_name(20) if not isinstance(s, (events.ElementConnected, events.BoxChanged))],
        "element-defined-by-another~ element-never-rendered",
    ),
    "an icon of a tool": (
        rejected_options(
            "ChatKit.create():\n✖ Invalid input: expected string, received undefined\n  → at composer.tools[0].icon"
        ),
        "option-of-wrong-type",
    ),
    "an icon of the header": (rejected_options(INVALID + "header.leftAction.icon"), "header-shape-wrong"),
    "a call that the page has not made yet": (custom(backend=[frame_call()]), ""),
    "a call that fails, and a picture that policy forbids": (
        custom(backend=[frame_call(), policy_violated("img-src", CUSTOM), call_answered(error_message="no user")]),
        "custom-fetch-without-answer",
    ),
    "a call that is under way": (custom(backend=[frame_call(), asked("r6", CUSTOM)]), "backend-unanswered"),
    "a call that the page has not had the time to make": ([*custom(), pause(19_900), frame_call("f2")], ""),
    "a call that is refused, and told to the frame": (
        custom(backend=[frame_call(), asked("r6", CUSTOM), *answered("r6", 500), call_answered(error_message="500")]),
        "custom-backend-failing",
    ),
    "a call that the person broke off": (
        custom(backend=[frame_call(), call_answered(error_name="AbortError", error_message="aborted")]),
        "",
    ),
    "a call that failed at first": (
        [
            *custom(),
            frame_call("f2"),
            call_answered("f2", error_message="no token"),
            frame_call("f3"),
            call_answered("f3"),
        ],
        "",
    ),
    "a call that policy forbids": (
        custom(
            backend=[
                frame_call(),
                policy_violated("connect-src", CUSTOM),
                call_answered(error_message="Failed to fetch"),
            ]
        ),
        "custom-backend-blocked-by-csp",
    ),
}

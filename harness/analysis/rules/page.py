"""The page and its app: whether the page is delivered, whether the app runs, and whether it puts the element into the document.

In: facts. Out: findings of this layer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.analysis.facts.exchanges import split_url
from harness.analysis.facts.facts import Facts, Seen, is_loader_candidate
from harness.analysis.rules.app import other_failures
from harness.analysis.rules.rule import (
    CHATKIT_JS,
    MDN,
    Confidence,
    Found,
    Layer,
    Party,
    Rule,
    lines_of,
    on_one_line,
    with_loaded,
)
from harness.model.events import ConsoleMessage, NoticeShown, PageErrorRaised

SIGN_IN = re.compile(r"(^|[/_-])(log-?in|sign-?in|auth(orize)?|sso|oauth2?)([/_.-]|$)", re.IGNORECASE)
WORKFLOW_UNSET = (
    r"(workflow[ _]?id)[^\n]{0,60}(not set|is missing|missing|undefined|not configured|\.env)|set \w*workflow_id"
)
GLOBAL = (
    r"chatkit (sdk|script|library)[^\n]{0,20}(not (loaded|found|available|defined)|missing)"
    r"|window\.(openai\.)?(OpenAI)?ChatKit\b[^\n]{0,40}(undefined|not)"
    r"|\b(ChatKit|OpenAIChatKit) is (not defined|undefined)|reading '(OpenAI)?ChatKit'"
)
SERVER_COMPONENT = r"Event handlers cannot be passed to Client Component props"
NOT_MOUNTED_YET = r"ChatKit element is not mounted"
PATIENCE = r"initiali[sz]|loading|connecting|preparing|starting|waiting"
MOST_REMOUNTS = 3


def page_refused(facts: Facts) -> Iterator[Found]:
    """The server answers the page itself with an error, and no ChatKit script or element comes with it."""
    is_alive = facts.embeds or facts.scripts or facts.loaders  # some servers deliver the app as their error page
    if facts.page.status >= 400 and not is_alive:
        yield Found(
            summary=f"{facts.page.url or facts.page.asked_url} answered {facts.page.status}", evidence=(facts.page.seq,)
        )


PAGE_REFUSED = Rule(
    id="page-refused",
    layer=Layer.PAGE,
    owner=Party.APP,
    title="The page itself cannot be opened",
    cause="The server answers the request for the page with an error: not found, not allowed, or, behind a "
    "tunnel, a development server that does not accept the host name of the request.",
    remedy="Open the address in a browser. Behind a tunnel, add the host to the development server's allowed hosts.",
    finds=page_refused,
    covers=("app-dev-server-host-blocked",),
)


def page_crashed(facts: Facts) -> Iterator[Found]:
    """The page's process ended."""
    if facts.crashes:
        yield Found(summary=f"the {facts.crashes[0].event.what} crashed", evidence=lines_of(facts.crashes))


PAGE_CRASHED = Rule(
    id="page-crashed",
    layer=Layer.PAGE,
    owner=Party.NETWORK,
    title="The page crashed",
    cause="The browser's process for this page ended: it ran out of memory, or the browser has a defect.",
    remedy="Run it again. If it crashes again, give the machine more memory, or try another browser version.",
    finds=page_crashed,
)


def page_behind_sign_in(facts: Facts) -> Iterator[Found]:
    """The visit ended on another page than the requested one, and that page asks the user to sign in."""
    asked, there = (SIGN_IN.search(split_url(url).path) for url in (facts.page.asked_url, facts.page.url))
    is_bare = facts.is_settled and not facts.embeds and not facts.loaders
    if is_bare and there and not asked:
        yield Found(
            summary=f"{facts.page.asked_url} led to {facts.page.url}", evidence=with_loaded(facts, facts.page.seq)
        )


PAGE_BEHIND_SIGN_IN = Rule(
    id="page-behind-sign-in",
    layer=Layer.PAGE,
    owner=Party.APP,
    title="The visit ended on a sign-in page",
    cause="The page with the chat is for signed-in users, and this browser is not signed in.",
    remedy="Sign in before the page is opened: with a saved storage state, a header, or a development bypass.",
    finds=page_behind_sign_in,
    confidence=Confidence.LIKELY,
)


def render_deadlock(facts: Facts) -> Iterator[Found]:
    """The app waits for a client secret before it renders the element that asks for one."""
    waiting = facts.notices_about(PATIENCE)
    if _is_never_rendered(facts) and waiting and not facts.sessions:
        yield Found(
            summary=f"the page shows {on_one_line(waiting[0].event.text, 80)!r}, it requested no client secret, "
            "and it put no <openai-chatkit> into the document",
            evidence=with_loaded(facts, facts.defined[0].seq, waiting[0].seq),
        )


RENDER_DEADLOCK = Rule(
    id="render-deadlock",
    layer=Layer.PAGE,
    owner=Party.APP,
    title="The widget waits for a secret that only the widget asks for",
    cause="The app renders the element only when it has a client secret. It fetches the secret in "
    "getClientSecret, but only the rendered element calls that function.",
    remedy="Render the element at once and put the spinner above it, or fetch the secret earlier, outside of "
    "getClientSecret.",
    finds=render_deadlock,
    confidence=Confidence.LIKELY,
    symptom_of=(
        Layer.SCRIPT,
        Layer.SESSION,
        Layer.UPSTREAM,
        "workflow-id-missing",
        "sdk-global-awaited",
        "uncaught-error",
    ),
    covers=("app-init-deadlock",),
)


def element_never_rendered(facts: Facts) -> Iterator[Found]:
    """The element is defined, and the app never creates one."""
    if not _is_never_rendered(facts) or (facts.notices_about(PATIENCE) and not facts.sessions):
        return
    if any(not call.has_secret for call in facts.sessions[-1:]):
        return
    secret = "; the client secret was fetched" if facts.sessions else "; the page requested no secret either"
    said, lines = ("", ()) if facts.sessions else other_failures(facts)
    yield Found(
        summary=f"<openai-chatkit> is defined, but the page never put one into the document{secret}{said}",
        evidence=with_loaded(facts, facts.defined[0].seq, *(s.evidence[0] for s in facts.sessions[-1:]), *lines),
    )


ELEMENT_NEVER_RENDERED = Rule(
    id="element-never-rendered",
    layer=Layer.PAGE,
    owner=Party.APP,
    title="The app never puts the element into the document",
    cause="The loader works, but the app's own condition for rendering the chat is not met: configuration is "
    "missing in this build, a state never changes, or an error occurs before that point.",
    remedy="If a button opens the chat, click it first. If not, make the component log why it renders nothing, "
    "and check its configuration in this build.",
    finds=element_never_rendered,
    confidence=Confidence.LIKELY,
    symptom_of=(
        Layer.SCRIPT,
        Layer.SESSION,
        Layer.UPSTREAM,
        "workflow-id-missing",
        "sdk-global-awaited",
        "page-script-blocked-by-csp",
        "page-script-missing",
        "app-request-failed",
        "action-without-effect",
        "handler-on-server-component",
        "uncaught-error",
        # errors thrown before the element is put into the document
        "options-before-upgrade",
        "options-undefined",
        "options-not-serialisable",
        "set-options-threw",
        "element-defined-by-another",
    ),
    covers=("app-widget-returns-null", "app-init-deadlock"),
)


def workflow_id_missing(facts: Facts) -> Iterator[Found]:
    """The page reports that it has no workflow id."""
    told = (
        *facts.console_about(pattern=WORKFLOW_UNSET),
        *facts.page_errors_about(WORKFLOW_UNSET),
        *facts.notices_about(WORKFLOW_UNSET),
    )
    if facts.real_secret_seq or any(call.has_secret for call in facts.sessions):
        return
    rejected = [h.answered_seq for h in facts.handovers if re.search(WORKFLOW_UNSET, h.error, re.IGNORECASE)]
    if told or rejected:
        said = on_one_line(_text(told[0])) if told else "no secret was requested: no workflow id"
        yield Found(summary=said, evidence=(*lines_of(told), *rejected))


WORKFLOW_ID_MISSING = Rule(
    id="workflow-id-missing",
    layer=Layer.PAGE,
    owner=Party.CONFIGURATION,
    title="The app does not know its workflow",
    cause="The variable with the workflow id is unset or a placeholder. Variables that begin with NEXT_PUBLIC_ or "
    "VITE_ are read when the app is built, and .env.local is not deployed to the production host.",
    remedy="Set the variable in the environment that builds the app, and build it again.",
    finds=workflow_id_missing,
    confidence=Confidence.LIKELY,
    covers=("app-workflow-env-missing", "app-widget-returns-null"),
)


def sdk_global_awaited(facts: Facts) -> Iterator[Found]:
    """The app looks for a global object that the loader does not create."""
    if facts.is_configured or not facts.is_defined:
        return
    told = (*facts.console_about(pattern=GLOBAL), *facts.page_errors_about(GLOBAL), *facts.notices_about(GLOBAL))
    if told:
        yield Found(
            summary=f"the page said {on_one_line(_text(told[0]), 120)!r}, while <openai-chatkit> is defined",
            evidence=(*lines_of(told), facts.defined[0].seq),
        )


SDK_GLOBAL_AWAITED = Rule(
    id="sdk-global-awaited",
    layer=Layer.PAGE,
    owner=Party.APP,
    title="The app waits for a global that ChatKit does not have",
    cause="The loader defines a custom element and nothing on window; code that looks for window.ChatKit never finds it.",
    remedy="Wait for customElements.whenDefined('openai-chatkit'), then call setOptions on the element.",
    finds=sdk_global_awaited,
    confidence=Confidence.LIKELY,
    covers=("app-wrong-global-api",),
    doc=CHATKIT_JS,
)


def handler_on_server_component(facts: Facts) -> Iterator[Found]:
    """A framework refuses an event handler on the script tag."""
    told = (*facts.console_about(pattern=SERVER_COMPONENT), *facts.page_errors_about(SERVER_COMPONENT))
    if told and not facts.is_configured:
        yield Found(summary=SERVER_COMPONENT, evidence=lines_of(told))


HANDLER_ON_SERVER_COMPONENT = Rule(
    id="handler-on-server-component",
    layer=Layer.PAGE,
    owner=Party.APP,
    title="A server component gives event handlers to the script tag",
    cause="onLoad or onError on a <Script> inside a server component makes Next.js fail to render the page.",
    remedy="Move the tag into a client component, or remove the handlers.",
    finds=handler_on_server_component,
    confidence=Confidence.LIKELY,  # it may be another tag's handler
    covers=("app-next-script-handler-in-server-component",),
)


def widget_remounted(facts: Facts) -> Iterator[Found]:
    """The page creates and removes one element after another."""
    gone = [embed for embed in facts.embeds if embed.disconnected]
    if len(facts.embeds) > MOST_REMOUNTS and len(gone) >= MOST_REMOUNTS:
        yield Found(
            summary=f"{len(facts.embeds)} <openai-chatkit> elements were created, and {len(gone)} of them were removed",
            evidence=tuple(seq for embed in facts.embeds for seq in embed.connected)[:8],
        )


WIDGET_REMOUNTED = Rule(
    id="widget-remounted",
    layer=Layer.PAGE,
    owner=Party.APP,
    title="The app removes and creates the widget again and again",
    cause="A key changes, a parent is unstable, or a provider is created on every render. Each new element starts "
    "a new frame, asks for a new secret, and loses the open thread.",
    remedy="Keep one element: use a stable key and memoised providers, and pass the theme as an option, not as a key.",
    finds=widget_remounted,
    symptom_of=(
        Layer.SESSION,
        Layer.UPSTREAM,
        Layer.OPTIONS,
        Layer.DOMAIN,
        "frame-refused",
        "frame-challenged",
        "frame-blocked-by-csp",
        "frame-blocked-by-client",
        "frame-script-missing",
        "page-not-secure",
    ),  # apps that retry by creating a new element
    confidence=Confidence.LIKELY,
    covers=("app-react-remount-loop", "app-theme-key-remount"),
)


def method_before_mount(facts: Facts) -> Iterator[Found]:
    """A method of the widget is called before the widget is rendered or after it is removed."""
    told = facts.console_about(NOT_MOUNTED_YET)
    if told:
        yield Found(summary=on_one_line(told[0].event.text), evidence=lines_of(told[:8]))


METHOD_BEFORE_MOUNT = Rule(
    id="method-before-mount",
    layer=Layer.PAGE,
    owner=Party.APP,
    title="A method is called when no widget is rendered",
    cause="Before <ChatKit> is rendered and after it is removed, the React hook's methods only log a warning. "
    "Early versions of the wrapper also lose the ref.",
    remedy="Call methods after chatkit.ready, with a current version of @openai/chatkit-react.",
    finds=method_before_mount,
    confidence=Confidence.LIKELY,
    stops_mount=False,
    covers=("app-method-before-mount", "app-react-wrapper-old"),
    doc=CHATKIT_JS,
)


def page_script_blocked_by_csp(facts: Facts) -> Iterator[Found]:
    """The page's policy blocks the page's own code."""
    if facts.is_configured or facts.outcome is None:
        return
    hits = [
        s for s in facts.violations
        if s.event.directive.startswith(("script-src", "require-trusted-types-for", "trusted-types"))
        and not is_loader_candidate(s.event.blocked_url)
    ]  # fmt: skip
    if hits:
        is_own = any(_is_of_page(s.event.blocked_url, facts) for s in hits)
        yield Found(
            summary=f"{hits[0].event.directive} of the page's policy blocked "
            f"{_script_named(hits[0].event.blocked_url)}",
            evidence=lines_of(hits[:8]),
            confidence=None
            if is_own
            else Confidence.POSSIBLE,  # analytics and advertising scripts mostly come from other sites
        )


PAGE_SCRIPT_BLOCKED_BY_CSP = Rule(
    id="page-script-blocked-by-csp",
    layer=Layer.PAGE,
    owner=Party.APP,
    title="The page's Content-Security-Policy blocks the page's own code",
    cause="The policy does not allow an inline script, an eval or a file of the app, so the code that sets up the "
    "chat never runs.",
    remedy="Give the script a nonce or a hash, or allow its origin in script-src.",
    finds=page_script_blocked_by_csp,
    confidence=Confidence.LIKELY,
    symptom_of=(Layer.SCRIPT, Layer.SESSION, Layer.UPSTREAM),
    doc=f"{MDN}HTTP/Reference/Headers/Content-Security-Policy/script-src",
)


def secret_fetched_twice(facts: Facts) -> Iterator[Found]:
    """Two sessions were created for one widget."""
    carriers = [call for call in facts.sessions if call.has_secret]
    is_alone = len(facts.embeds) == 1  # a removed element may have fetched a secret and never used it
    if (
        facts.is_mounted
        and is_alone
        and len(carriers) > 1
        and facts.prefetch.outcome.value in ("fetched twice", "pre-fetched but not used")
    ):
        calls = [call.exchange.seq for call in facts.sessions]
        yield Found(
            summary="the page fetched one secret before the element existed and discarded it; the widget uses "
            "another one"
            if facts.prefetch.outcome.value == "pre-fetched but not used"
            else "the page fetched two different secrets for one widget",
            evidence=tuple(dict.fromkeys((*calls, *facts.prefetch.evidence))),
        )


SECRET_FETCHED_TWICE = Rule(
    id="secret-fetched-twice",
    layer=Layer.PAGE,
    owner=Party.APP,
    title="Two sessions are created for one widget",
    cause="The app fetches a secret before it renders, discards it, and lets the widget ask for another one; or "
    "its effect runs twice.",
    remedy="Return the fetched secret from the first call of getClientSecret, and fetch a new one only on later calls.",
    finds=secret_fetched_twice,
    stops_mount=False,
)


def secret_in_address(facts: Facts) -> Iterator[Found]:
    """The client secret is in the page's address."""
    if facts.prefetch.is_in_url:
        yield Found(
            summary="the client secret is a parameter of the page's address, which logs, browser histories and "
            "other sites receive",
            evidence=facts.prefetch.evidence,
        )


SECRET_IN_ADDRESS = Rule(
    id="secret-in-address",
    layer=Layer.PAGE,
    owner=Party.APP,
    title="The client secret is in the page's address",
    cause="Logs, browser histories and referrers contain the address. Everyone who reads it can use the session.",
    remedy="Send the secret in the body of a response.",
    finds=secret_in_address,
    stops_mount=False,
)


def _script_named(blocked_url: str) -> str:
    return f"an {blocked_url} script" if blocked_url in ("inline", "eval") else blocked_url


def _is_of_page(blocked_url: str, facts: Facts) -> bool:
    """Whether a blocked script is inline, or comes from the page's own site."""
    return "://" not in blocked_url or split_url(blocked_url).netloc == split_url(facts.page.url).netloc


def _is_never_rendered(facts: Facts) -> bool:
    return facts.is_settled and facts.is_defined and not facts.embeds and not facts.lookalikes


def _text(seen: Seen[object]) -> str:
    match seen.event:
        case ConsoleMessage(text=text) | NoticeShown(text=text):
            return text
        case PageErrorRaised(name=name, message=message):
            return f"{name}: {message}"
    return ""


RULES = (
    PAGE_REFUSED,
    PAGE_CRASHED,
    PAGE_BEHIND_SIGN_IN,
    RENDER_DEADLOCK,
    ELEMENT_NEVER_RENDERED,
    WORKFLOW_ID_MISSING,
    SDK_GLOBAL_AWAITED,
    HANDLER_ON_SERVER_COMPONENT,
    WIDGET_REMOUNTED,
    METHOD_BEFORE_MOUNT,
    PAGE_SCRIPT_BLOCKED_BY_CSP,
    SECRET_FETCHED_TWICE,
    SECRET_IN_ADDRESS,
)

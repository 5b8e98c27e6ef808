"""The page and its app: was it delivered, does it live, does it ever put the element into the document.

In: facts. Out: findings of this layer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.analysis.facts.exchanges import split_url
from harness.analysis.facts.facts import Facts, Seen, is_loader_candidate
from harness.analysis.rules.app import besides
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
    """The page itself is answered with an error, and nothing of a chat comes with it."""
    is_alive = facts.embeds or facts.scripts or facts.loaders  # an app that is served by the server's page for errors
    if facts.page.status >= 400 and not is_alive:
        yield Found(
            summary=f"{facts.page.url or facts.page.asked_url} answered {facts.page.status}", evidence=(facts.page.seq,)
        )


PAGE_REFUSED = Rule(
    id="page-refused",
    layer=Layer.PAGE,
    owner=Party.APP,
    title="The page itself cannot be opened",
    cause="The server answers the page with an error: not there, not allowed, or, behind a tunnel, a development server that "
    "does not know the host name it is asked by.",
    remedy="Open the address by hand; list the host in the development server's allowed hosts.",
    finds=page_refused,
    covers=("app-dev-server-host-blocked",),
)


def page_crashed(facts: Facts) -> Iterator[Found]:
    """The page's process died."""
    if facts.crashes:
        yield Found(summary=f"the {facts.crashes[0].event.what} crashed", evidence=lines_of(facts.crashes))


PAGE_CRASHED = Rule(
    id="page-crashed",
    layer=Layer.PAGE,
    owner=Party.NETWORK,
    title="The page crashed",
    cause="The browser's process for this page died: out of memory, or a defect of the browser.",
    remedy="Repeat it; give the machine more memory, or try another browser version.",
    finds=page_crashed,
)


def page_behind_sign_in(facts: Facts) -> Iterator[Found]:
    """The visit ended on another page than it was to go to, and that one asks who is there."""
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
    cause="The page with the chat is for signed-in users, and this browser is not one.",
    remedy="Sign in first (a stored session, a header, a development bypass), then open the page.",
    finds=page_behind_sign_in,
    confidence=Confidence.LIKELY,
)


def render_deadlock(facts: Facts) -> Iterator[Found]:
    """The app waits for a client secret before it renders what would ask for one."""
    waiting = facts.notices_about(PATIENCE)
    if _is_never_rendered(facts) and waiting and not facts.sessions:
        yield Found(
            summary=f"the page shows {on_one_line(waiting[0].event.text, 80)!r}, no request for a client secret "
            "was made, and no <openai-chatkit> was put into the document",
            evidence=with_loaded(facts, facts.defined[0].seq, waiting[0].seq),
        )


RENDER_DEADLOCK = Rule(
    id="render-deadlock",
    layer=Layer.PAGE,
    owner=Party.APP,
    title="The widget waits for a secret that only the widget asks for",
    cause="The app renders the element once it holds a client secret, and fetches the secret in getClientSecret, which "
    "nobody calls before the element is rendered.",
    remedy="Render the element at once and put the spinner above it, or fetch the secret before, outside of ChatKit.",
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
    """The element is defined, and the app never makes one."""
    if not _is_never_rendered(facts) or (facts.notices_about(PATIENCE) and not facts.sessions):
        return
    if any(not call.has_secret for call in facts.sessions[-1:]):
        return
    secret = "; the client secret was fetched" if facts.sessions else "; no request for a client secret was made either"
    said, lines = ("", ()) if facts.sessions else besides(facts)
    yield Found(
        summary=f"<openai-chatkit> is defined, and none was ever put into the document{secret}{said}",
        evidence=with_loaded(facts, facts.defined[0].seq, *(s.evidence[0] for s in facts.sessions[-1:]), *lines),
    )


ELEMENT_NEVER_RENDERED = Rule(
    id="element-never-rendered",
    layer=Layer.PAGE,
    owner=Party.APP,
    title="The app never puts the element into the document",
    cause="The loader is there and works, but the app's own condition for rendering the chat is not met: configuration that "
    "is missing in this build, a state that never changes, an error before that point.",
    remedy="Click first what opens the chat, if something does. Else make the component that renders it say why it renders nothing, "
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
        # what they throw before the element is put into the document
        "options-before-upgrade",
        "options-undefined",
        "options-not-serialisable",
        "set-options-threw",
        "element-defined-by-another",
    ),
    covers=("app-widget-returns-null", "app-init-deadlock"),
)


def workflow_id_missing(facts: Facts) -> Iterator[Found]:
    """The page says that it does not know which workflow to use."""
    told = (
        *facts.console_about(pattern=WORKFLOW_UNSET),
        *facts.page_errors_about(WORKFLOW_UNSET),
        *facts.notices_about(WORKFLOW_UNSET),
    )
    if facts.real_secret_seq or any(call.has_secret for call in facts.sessions):
        return
    rejected = [h.answered_seq for h in facts.handovers if re.search(WORKFLOW_UNSET, h.error, re.IGNORECASE)]
    if told or rejected:
        said = on_one_line(_text(told[0])) if told else "the page refused the secret for want of a workflow id"
        yield Found(summary=said, evidence=(*lines_of(told), *rejected))


WORKFLOW_ID_MISSING = Rule(
    id="workflow-id-missing",
    layer=Layer.PAGE,
    owner=Party.CONFIGURATION,
    title="The app does not know its workflow",
    cause="The variable with the workflow id is unset or a placeholder. Values that begin with NEXT_PUBLIC_ or VITE_ are frozen "
    "when the app is built, and .env.local does not travel to the production host.",
    remedy="Set the variable where the app is built, and build it again.",
    finds=workflow_id_missing,
    confidence=Confidence.LIKELY,
    covers=("app-workflow-env-missing", "app-widget-returns-null"),
)


def sdk_global_awaited(facts: Facts) -> Iterator[Found]:
    """The app looks for a global object that the loader does not make."""
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
    title="The script tag has handlers where only a client component may",
    cause="onLoad or onError on a <Script> inside a server component makes Next.js refuse the page.",
    remedy="Move the tag into a client component, or drop the handlers.",
    finds=handler_on_server_component,
    confidence=Confidence.LIKELY,  # it may be another tag's handler
    covers=("app-next-script-handler-in-server-component",),
)


def widget_remounted(facts: Facts) -> Iterator[Found]:
    """One element after another is made and thrown away."""
    gone = [embed for embed in facts.embeds if embed.disconnected]
    if len(facts.embeds) > MOST_REMOUNTS and len(gone) >= MOST_REMOUNTS:
        yield Found(
            summary=f"{len(facts.embeds)} <openai-chatkit> elements were made, and {len(gone)} of them taken out again",
            evidence=tuple(seq for embed in facts.embeds for seq in embed.connected)[:8],
        )


WIDGET_REMOUNTED = Rule(
    id="widget-remounted",
    layer=Layer.PAGE,
    owner=Party.APP,
    title="The widget is thrown away and made again, over and over",
    cause="A key that changes, an unstable parent or a provider that is rebuilt on every render: each new element boots a new "
    "frame, asks for a new secret, and loses the open thread.",
    remedy="Keep one element alive: a stable key, memoised providers, the theme as an option instead of a key.",
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
    ),  # apps that try again by making a new element
    confidence=Confidence.LIKELY,
    covers=("app-react-remount-loop", "app-theme-key-remount"),
)


def method_before_mount(facts: Facts) -> Iterator[Found]:
    """A method of the widget is called while there is none."""
    told = facts.console_about(NOT_MOUNTED_YET)
    if told:
        yield Found(summary=on_one_line(told[0].event.text), evidence=lines_of(told[:8]))


METHOD_BEFORE_MOUNT = Rule(
    id="method-before-mount",
    layer=Layer.PAGE,
    owner=Party.APP,
    title="A method of the widget is called while there is no widget",
    cause="The React hook's methods only warn before <ChatKit> is rendered and after it is gone; early wrappers also lose the ref.",
    remedy="Call methods after chatkit.ready, with a current version of @openai/chatkit-react.",
    finds=method_before_mount,
    confidence=Confidence.LIKELY,
    stops_mount=False,
    covers=("app-method-before-mount", "app-react-wrapper-old"),
    doc=CHATKIT_JS,
)


def page_script_blocked_by_csp(facts: Facts) -> Iterator[Found]:
    """The page's policy stops the page's own code."""
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
            summary=f"{hits[0].event.directive} of the page's policy stopped {_script_named(hits[0].event.blocked_url)}",
            evidence=lines_of(hits[:8]),
            confidence=None if is_own else Confidence.POSSIBLE,  # measuring and advertising come from elsewhere, mostly
        )


PAGE_SCRIPT_BLOCKED_BY_CSP = Rule(
    id="page-script-blocked-by-csp",
    layer=Layer.PAGE,
    owner=Party.APP,
    title="The page's Content-Security-Policy blocks the page's own code",
    cause="An inline script, an eval or a file of the app is not allowed by the policy, so what would set up the chat never runs.",
    remedy="Give the script a nonce or a hash, or allow its origin in script-src.",
    finds=page_script_blocked_by_csp,
    confidence=Confidence.LIKELY,
    symptom_of=(Layer.SCRIPT, Layer.SESSION, Layer.UPSTREAM),
    doc=f"{MDN}HTTP/Reference/Headers/Content-Security-Policy/script-src",
)


def secret_fetched_twice(facts: Facts) -> Iterator[Found]:
    """Two sessions were made for one widget."""
    carriers = [call for call in facts.sessions if call.has_secret]
    is_alone = len(facts.embeds) == 1  # one that is gone may have fetched a secret, and never asked for it
    if (
        facts.is_mounted
        and is_alone
        and len(carriers) > 1
        and facts.prefetch.outcome.value in ("fetched twice", "pre-fetched but not used")
    ):
        calls = [call.exchange.seq for call in facts.sessions]
        yield Found(
            summary="one secret was fetched before the element was there and thrown away, another one is used"
            if facts.prefetch.outcome.value == "pre-fetched but not used"
            else "two different secrets were fetched for one widget",
            evidence=tuple(dict.fromkeys((*calls, *facts.prefetch.evidence))),
        )


SECRET_FETCHED_TWICE = Rule(
    id="secret-fetched-twice",
    layer=Layer.PAGE,
    owner=Party.APP,
    title="Two sessions are made for one widget",
    cause="The app fetches a secret before it renders, throws it away, and lets the widget ask for another; or its effect runs twice.",
    remedy="Hand the fetched secret to the first call of getClientSecret, and fetch a new one only on later calls.",
    finds=secret_fetched_twice,
    stops_mount=False,
)


def secret_in_address(facts: Facts) -> Iterator[Found]:
    """The client secret stands in the page's address."""
    if facts.prefetch.is_in_url:
        yield Found(
            summary="the client secret is a parameter of the page's address, where logs, histories and other sites see it",
            evidence=facts.prefetch.evidence,
        )


SECRET_IN_ADDRESS = Rule(
    id="secret-in-address",
    layer=Layer.PAGE,
    owner=Party.APP,
    title="The client secret stands in the page's address",
    cause="Whoever sees the address can use the session: logs, browser histories, referrers.",
    remedy="Send it in the body of an answer.",
    finds=secret_in_address,
    stops_mount=False,
)


def _script_named(blocked_url: str) -> str:
    return f"an {blocked_url} script" if blocked_url in ("inline", "eval") else blocked_url


def _is_of_page(blocked_url: str, facts: Facts) -> bool:
    """Whether a blocked script stands in the page, or comes from where the page comes from."""
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

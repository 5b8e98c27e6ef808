"""The loader and the element: protocol facts §1.1 to §1.5, §1.7 to §1.9."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from conformance.facts import Fact, assert_facts
from conformance.host import LOADER, Host
from conformance.server import HostServer

MINIMAL = "{ api: { url: '/chatkit', domainKey: 'local-dev' }, disableTelemetry: true }"

SHAPE = """
  const shape = (el) => ({
    children: [...el.shadowRoot.children].map((node) => node.className ? `${node.tagName}.${node.className}` : node.tagName),
    inside: [...el.shadowRoot.querySelectorAll('.ck-wrapper > *')].map((node) => `${node.tagName}.${node.className}`),
    scheme: el.getAttribute('data-color-scheme'),
    loaded: el.getAttribute('data-loaded'),
    opacity: [...el.shadowRoot.querySelectorAll('.ck-wrapper')].map((node) => getComputedStyle(node).opacity),
  });
  const stages = {};
"""


def stage(name: str) -> str:
    """Return an expression for what was noted at a stage."""
    return f"() => stages[{name!r}]"


def shape(
    children: list[str], *, scheme: str | None = None, loaded: str | None = None, opacity: list[str] | None = None
) -> dict[str, object]:
    """Return the shape of an element."""
    inside = ["IFRAME.ck-iframe"] * sum(child.startswith("DIV") for child in children)
    return {"children": children, "inside": inside, "scheme": scheme, "loaded": loaded, "opacity": opacity or []}


WRAPPED = ["STYLE", "DIV.ck-wrapper"]

STAGES = (
    Fact("1.3", "constructed: an empty shadow root", stage("constructed"), shape([])),
    Fact("1.3", "connected without options: a style, nothing else", stage("connected"), shape(["STYLE"])),
    Fact("1.3", "initialised: an invisible frame", stage("initialised"), shape(WRAPPED, scheme="dark", opacity=["0"])),
    Fact("1.3", "loaded: visible", stage("loaded"), shape(WRAPPED, scheme="dark", loaded="true", opacity=["1"])),
    Fact(
        "1.3",
        "attached again: a second style, the same frame",
        stage("again"),
        shape([*WRAPPED, "STYLE"], scheme="dark", loaded="true", opacity=["1"]),
    ),
    Fact("1.2", "attached again: no second chatkit.ready", "() => seen.bubbled.filter((n) => n === 'ready').length", 1),
    Fact("1.2", "the host element is a block", "() => getComputedStyle(el).display", "block"),
    Fact(
        "1.3",
        "the host element is positioned and fills its parent",
        "() => [getComputedStyle(el).position, el.offsetWidth, el.offsetHeight]",
        ["relative", 400, 640],
    ),
)


def test_shadow_root_at_each_stage(host: Host) -> None:
    """§1.3: each stage of the life cycle has its own shape, and a node that is attached again is a dead widget."""
    host.open(
        SHAPE
        + f"""
        const el = watch(document.createElement('openai-chatkit'));
        stages.constructed = shape(el);
        const at = slot();
        at.append(el);
        stages.connected = shape(el);
        el.setOptions({{ ...{MINIMAL}, theme: 'dark' }});
        stages.initialised = shape(el);
        """
    )
    host.wait_for_log("composer.ready")
    host.evaluate("() => { stages.loaded = shape(el); }")
    messages = len(host.messages)
    with host.page.expect_response(lambda response: "/index-" in response.url and ".html" in response.url):
        host.evaluate("() => { el.remove(); at.append(el); stages.again = shape(el); }")
    host.page.wait_for_timeout(600)
    assert_facts(host, STAGES)
    # Its frame boots and talks, and nobody listens: no event, no command that settles.
    assert host.names().count("log:app.init") == 1
    assert len(host.messages) > messages, "§1.2 the frame that was reloaded does not even speak"
    assert is_pending(host, "el.setThreadId(null)"), "§1.2 a command to a dead widget settles"


def is_pending(host: Host, call: str, for_ms: int = 400) -> bool:
    """Tell whether a promise is still open after a while."""
    return bool(
        host.evaluate(
            f"""() => Promise.race([
                  Promise.resolve({call}).then(() => false, () => false),
                  new Promise((resolve) => setTimeout(resolve, {for_ms}, true))])"""
        )
    )


FRAME = "chat.shadowRoot.querySelector('iframe')"
IFRAME = tuple(
    Fact("1.4", f"the frame's {name}", f"() => {FRAME}.getAttribute('{name}')", value)
    for name, value in {
        "class": "ck-iframe",
        "name": "chatkit",
        "tabindex": "0",
        "role": None,
        "title": "Support chat",
        "allowtransparency": "true",
        "frameborder": "0",
        "scrolling": "no",
        "allow": "clipboard-read; clipboard-write; microphone",
        "sandbox": None,
        "loading": None,
        "referrerpolicy": None,
    }.items()
)


def payload_of(src: str) -> dict[str, Any]:
    """Return what a frame's URL carries in its hash."""
    encoded = src.partition("#")[2]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    return decoded


def test_frame_attributes_and_hash(host: Host) -> None:
    """§1.4, §1.5: the frame's attributes, and the options in its hash with every function replaced."""
    host.boot(
        host.custom(
            "frameTitle: 'Support chat', startScreen: { greeting: 'Grüß Gott ☕ ÿ?>' }, "
            "header: { leftAction: { icon: 'menu', onClick: () => {} } }, "
            "composer: { tools: [{ id: 'a', label: 'A', icon: 'globe' }] }, "
            "threadItemActions: { feedback: true, share: true }",
            "fetch: (...args) => fetch(...args)",
        )
    )
    assert_facts(host, IFRAME)
    src = host.evaluate(f"() => {FRAME}.src")
    encoded = src.partition("#")[2]
    payload = payload_of(src)
    options = payload["options"]
    directory = LOADER.rpartition("/")[0]
    assert src.startswith(f"{directory}/index-"), "§1.1 the frame is not resolved beside the loader"
    assert not set(encoded) & set("+/="), "§1.5 the hash is not in the URL-safe alphabet without padding"
    assert set(payload) == {"options", "referrer", "profile", "iframeInitStartedAt"}, "§1.5 the keys of the hash"
    assert (payload["referrer"], payload["profile"]) == (host.server.url, "chatkit"), "§1.5"
    assert isinstance(payload["iframeInitStartedAt"], int), "§1.5"
    assert options["startScreen"]["greeting"] == "Grüß Gott ☕ ÿ?>", "§1.5 the hash is not UTF-8"
    assert options["api"]["fetch"] == options["header"]["leftAction"]["onClick"] == "[ChatKitMethod]", "§1.5"
    assert options["composer"]["tools"] == [{"id": "a", "label": "A", "icon": "globe"}], "§1.5"
    assert options["threadItemActions"] == {"feedback": True}, "§1.2 threadItemActions.share is not deleted"
    assert host.frame.url.endswith("#"), "§1.5 the frame does not clear its hash to a bare #"
    assert host.frame.evaluate("document.title") == "ChatKit", "§1.1"
    assert host.frame.evaluate("!!document.getElementById('root')"), "§1.1"


SCRIPT_TAGS = (
    pytest.param(f'<script async src="{LOADER}"></script>', id="async"),
    pytest.param(f'<script defer src="{LOADER}"></script>', id="defer"),
    pytest.param(
        f"<script>document.head.append(Object.assign(document.createElement('script'), {{src: '{LOADER}'}}))</script>",
        id="inserted",
    ),
    pytest.param(f'<script src="{LOADER}"></script>' * 2, id="twice"),
)


@pytest.mark.parametrize("loader", SCRIPT_TAGS)
def test_classic_script_defines_the_element(host: Host, loader: str) -> None:
    """§1.1: async, deferred, inserted and doubled script tags all work, and leave no global behind."""
    host.open(
        "const before = new Set(Object.getOwnPropertyNames(window));"
        f"customElements.whenDefined('openai-chatkit').then(() => mount({MINIMAL}));",
        loader=loader,
    )
    host.wait_for_log("composer.ready")
    new = "() => Object.getOwnPropertyNames(window).filter((name) => !before.has(name) && name !== 'chat')"
    assert_facts(host, (Fact("1.1", "the loader makes no global", new, []),))
    assert host.page_errors == []


@pytest.mark.parametrize(
    "loader",
    [
        pytest.param(f'<script type="module" src="{LOADER}"></script>', id="module"),
        pytest.param(
            f"<script>import('{LOADER}').catch((error) => seen.errors.push(error.message))</script>", id="import"
        ),
    ],
)
def test_module_script_defines_nothing(host: Host, loader: str) -> None:
    """§1.1: without a current script the loader throws, and the element is never defined."""
    host.open("", loader=loader)
    host.wait_until(lambda: bool(host.page_errors) or bool(host.evaluate("() => seen.errors.length")), "an error")
    said = " ".join([*host.page_errors, *host.evaluate("() => seen.errors")])
    assert "Unable to determine the ChatKit frame URL" in said, "§1.1"
    assert_facts(host, (Fact("1.1", "not defined", "() => !customElements.get('openai-chatkit')"),))


BAD_CALLS = (
    pytest.param("undefined", "Cannot read properties of undefined", id="undefined"),
    pytest.param("null", "Cannot read properties of null", id="null"),
    pytest.param("cyclic", "circular structure", id="cyclic"),
)


@pytest.mark.parametrize(("options", "message"), BAD_CALLS)
def test_set_options_that_throws(host: Host, browser_name: str, options: str, message: str) -> None:
    """§1.2: an exception of setOptions is dispatched and thrown, and leaves the style alone in the shadow root."""
    host.open(
        SHAPE
        + f"""
        const cyclic = {MINIMAL};
        cyclic.api.self = cyclic;
        const el = watch(document.createElement('openai-chatkit'));
        slot().append(el);
        let thrown = null;
        try {{ el.setOptions({options}); }} catch (error) {{ thrown = {{ name: error.name, message: error.message }}; }}
        """
    )
    thrown = host.evaluate("() => thrown")
    assert thrown["name"] == "TypeError", "§1.2"
    assert host.errors() == [("TypeError", thrown["message"])], "§1.2 the exception is not dispatched as well"
    assert_facts(host, (Fact("1.3", "style only", "() => shape(el).children", ["STYLE"]),))
    if browser_name == "chromium":  # engines word it differently
        assert message in thrown["message"]


def test_live_options(host: Host) -> None:
    """§1.2: a later setOptions changes the host element at once and hands the full set to the frame."""
    host.boot(host.custom("theme: 'light', startScreen: { greeting: 'One' }"))
    host.widget.get_by_text("One", exact=True).wait_for()
    scheme = host.evaluate(
        f"""() => {{
          chat.setOptions({{ ...{MINIMAL}, theme: {{ colorScheme: 'dark' }}, frameTitle: 'Two',
                             startScreen: {{ greeting: 'Two' }} }});
          return [chat.dataset.colorScheme, {FRAME}.title];
        }}"""
    )
    assert scheme == ["dark", "Two"], "§1.2, §1.4 not at once"
    host.widget.get_by_text("Two", exact=True).wait_for()
    assert host.errors() == []


DOCUMENTS = (
    pytest.param({"status": 400, "content_type": "text/html", "body": "<h1>Bad Request</h1>"}, id="400"),
    pytest.param({"status": 500, "content_type": "text/html", "body": "<h1>Error</h1>"}, id="500"),
    pytest.param({"status": 200, "content_type": "text/html", "body": "<div id=root></div>"}, id="no-app"),
    pytest.param(None, id="aborted"),
)

READY_ANYWAY = (
    Fact("1.7", "ready was dispatched once", "() => seen.events.filter((e) => e.name === 'ready').length", 1),
    Fact("1.3", "the element says loaded", "() => chat.dataset.loaded", "true"),
    Fact("1.3", "the wrapper is visible", "() => shape(chat).opacity", ["1"]),
    Fact("1.11", "the frame stays", "() => shape(chat).children", WRAPPED),
    Fact("1.11", "the frame says nothing", "() => seen.messages.length", 0),
    Fact("1.11", "no other event", "() => seen.events.length", 1),
)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_ready_means_only_that_the_frame_loaded(host: Host, document: dict[str, Any] | None) -> None:
    """§1.7: ready comes for any document, an error page or none at all included; commands then never settle."""
    pattern = "https://cdn.platform.openai.com/deployments/chatkit/index-*"
    host.page.context.route(pattern, lambda route: route.fulfill(**document) if document else route.abort())
    host.open(f"{SHAPE} mount({MINIMAL});")
    host.wait_for_event("ready")
    assert is_pending(host, "chat.focusComposer()", 200), "§1.8 a frame that never answers settles nothing"
    assert_facts(host, READY_ANYWAY)


def test_methods_wait_for_the_frame(host: Host) -> None:
    """§1.8: a command is pending until the frame has loaded, and settles afterwards."""
    held: list[Any] = []
    pattern = "https://cdn.platform.openai.com/deployments/chatkit/index-*"
    host.page.context.route(pattern, lambda route: held.append(route), times=1)
    host.open(
        f"mount({MINIMAL}); let settled = 0;"
        "for (const call of [chat.setThreadId(null), chat.focusComposer()]) call.then(() => { settled += 1; });"
    )
    host.wait_until(lambda: bool(held), "the request for the frame")
    assert host.evaluate("() => [settled, seen.events.length]") == [0, 0], "§1.8"
    held[0].fallback()
    host.wait_for("() => settled === 2")
    assert host.frame.evaluate("document.activeElement.getAttribute('role')") == "textbox", "§1.8 focusComposer"
    assert host.evaluate(f"() => chat.shadowRoot.activeElement === {FRAME}"), "§1.8 the frame is not focused"


METHODS = tuple(
    Fact("1.8", f"{name} is a method", f"() => typeof chat.{name}", "function")
    for name in (
        "setOptions",
        "focusComposer",
        "fetchUpdates",
        "sendUserMessage",
        "setComposerValue",
        "setThreadId",
        "sendCustomAction",
        "showHistory",
        "hideHistory",
        "shareThread",
        "setTrainingOptOut",
    )
)
THROWN = "() => { try { %s; return null; } catch (error) { return error.name; } }"
SYNCHRONOUS = (
    Fact("1.8", "shareThread throws synchronously", THROWN % "chat.shareThread()", "IntegrationError"),
    Fact("1.8", "setTrainingOptOut throws synchronously", THROWN % "chat.setTrainingOptOut(true)", "IntegrationError"),
    Fact("1.8", "setOptions returns nothing", f"() => chat.setOptions({MINIMAL})", None),
)


def test_methods(host: Host) -> None:
    """§1.8: the methods there are, and those that this profile refuses at once."""
    host.boot(MINIMAL)
    assert_facts(host, (*METHODS, *SYNCHRONOUS))


REFUSED = {
    "setThreadId(null)": "Command onSetThreadId not supported",
    "focusComposer()": "Command onFocusComposer not supported",
    "sendUserMessage({ text: 'x' })": "Command onSendUserMessage not supported",
    "fetchUpdates()": "Command onFetchUpdates not supported",
    "showHistory()": "Command onShowHistory not supported",
}


def test_commands_after_refused_options(host: Host) -> None:
    """§1.6, §1.8: a frame that rejected its options refuses every command."""
    host.mount("{ api: {} }")
    host.wait_for_event("error")
    host.wait_for_event("ready")
    said = "(error) => [error.name, error.message, error instanceof Error]"
    assert_facts(
        host,
        [
            Fact("1.6", call, f"() => chat.{call}.then(() => null, {said})", ["IntegrationError", message, True])
            for call, message in REFUSED.items()
        ],
    )
    host.evaluate(f"() => chat.setOptions({MINIMAL})")
    host.wait_for_uncaught("IntegrationError: Command onSetOptions not supported")


def test_only_ready_bubbles(host: Host, server: HostServer) -> None:
    """§1.9: only chatkit.ready bubbles and is composed; a capturing listener on the document sees all of them."""
    host.boot(MINIMAL)
    kinds = {(event["name"], event["bubbles"], event["composed"]) for event in host.events}
    assert ("ready", True, True) in kinds
    assert all(not bubbles and not composed for name, bubbles, composed in kinds if name != "ready"), "§1.9"
    host.evaluate("() => document.addEventListener('chatkit.log', () => seen.calls.push({ name: 'captured' }), true)")
    server.on("threads.create", server.next_answer("none"))
    host.send_and_wait("hello")
    assert any(call["name"] == "captured" for call in host.calls), "§1.9"

"""Strict validation of the options in the frame: protocol facts §1.6."""

from __future__ import annotations

import pytest

from conformance.facts import Fact, assert_facts
from conformance.host import Host

CUSTOM = "api: { url: '/chatkit', domainKey: 'local-dev' }"
HOSTED = "api: { getClientSecret: () => new Promise(() => {}) }"
AT_API = "✖ Invalid input\n  → at api"
AT_THEME = "✖ Invalid input\n  → at theme"

REJECTED = {
    # which backend
    "api: {}": AT_API,
    "theme: 'dark'": AT_API,
    "api: { getClientSecret: async () => '', domainKey: 'k' }": AT_API,
    "api: { getClientSecret: async () => '', url: '/chatkit', domainKey: 'k' }": AT_API,
    "api: { url: '/chatkit' }": AT_API,
    "api: { clientToken: 'x' }": AT_API,
    "api: { getClientSecret: 'a string' }": AT_API,
    f"{CUSTOM.replace(' }', ', headers: {} }')}": AT_API,
    # names that do not exist
    f"{HOSTED}, foo: 1": '✖ Unrecognized key: "foo"',
    f"{HOSTED}, foo: 1, bar: 2": '✖ Unrecognized keys: "foo", "bar"',
    f"{HOSTED}, commands: {{ enabled: true }}": '✖ Unrecognized key: "commands"',
    f"{HOSTED}, history: {{ show: true }}": '✖ Unrecognized key: "show"\n  → at history',
    f"{HOSTED}, startScreen: {{ prompts: [{{ name: 'a', label: 'a', prompt: 'b' }}] }}": (
        '✖ Unrecognized key: "name"\n  → at startScreen.prompts[0]'
    ),
    f"{HOSTED}, composer: {{ placeHolder: 'x' }}": '✖ Unrecognized key: "placeHolder"\n  → at composer',
    f"{HOSTED}, header: {{ title: {{ content: 'x' }} }}": '✖ Unrecognized key: "content"\n  → at header.title',
    # values of the wrong kind
    f"{HOSTED}, header: {{ title: 'x' }}": "✖ Invalid input: expected object, received string\n  → at header.title",
    f"{HOSTED}, disclaimer: {{}}": "✖ Invalid input: expected string, received undefined\n  → at disclaimer.text",
    f"{HOSTED}, history: {{ enabled: 'no' }}": (
        "✖ Invalid input: expected boolean, received string\n  → at history.enabled"
    ),
    f"{HOSTED}, startScreen: {{ greeting: 7 }}": (
        "✖ Invalid input: expected string, received number\n  → at startScreen.greeting"
    ),
    f"{HOSTED}, startScreen: {{ prompts: [{{ label: 'a', prompt: 'b', icon: 'no-such-icon' }}] }}": (
        "✖ Invalid input\n  → at startScreen.prompts[0].icon"
    ),
    f"{HOSTED}, history: {{ search: true }}": (
        "✖ Invalid input: expected object, received boolean\n  → at history.search"
    ),
    f"{HOSTED}, startScreen: {{ prompts: [{{ label: 'a', prompt: 'b', markdown: 'yes' }}] }}": (
        "✖ Invalid input: expected boolean, received string\n  → at startScreen.prompts[0].markdown"
    ),
    f"{HOSTED}, startScreen: {{ prompts: [{{ label: 'a', prompt: 'b', accent: 'red' }}] }}": (
        "✖ Invalid input: expected object, received string\n  → at startScreen.prompts[0].accent"
    ),
    f"{HOSTED}, startScreen: {{ prompts: [{{ label: 'a', prompt: 'b', icon: 'dot' }}] }}": (
        "✖ Invalid input\n  → at startScreen.prompts[0].icon"
    ),
    f"{HOSTED}, composer: {{ entityTags: {{}} }}": (
        "✖ Invalid input: expected boolean, received object\n  → at composer.entityTags"
    ),
    f"{HOSTED}, externalVendors: {{ logRocket: true }}": (
        "✖ Invalid input: expected object, received boolean\n  → at externalVendors.logRocket"
    ),
    f"{HOSTED}, onClientTool: 'a name'": "✖ Expected function, received a name\n  → at onClientTool",
    f"{HOSTED}, widgets: {{ onAction: 'a name' }}": (
        '✖ Invalid input: expected "[ChatKitMethod]"\n  → at widgets.onAction'
    ),
    "api: { url: new URL('/chatkit', location.href), domainKey: 'k' }": AT_API,
    # themes
    f"{HOSTED}, theme: 'auto'": AT_THEME,
    f"{HOSTED}, theme: 'system'": AT_THEME,
    f"{HOSTED}, theme: {{ colorScheme: 'auto' }}": AT_THEME,
    f"{HOSTED}, theme: {{ radius: 'large' }}": AT_THEME,
    f"{HOSTED}, theme: {{ density: 'dense' }}": AT_THEME,
    f"{HOSTED}, theme: {{ typography: {{ baseSize: 20 }} }}": AT_THEME,
    f"{HOSTED}, theme: {{ color: {{ accent: {{ primary: '#123', level: 4 }} }} }}": AT_THEME,
    f"{HOSTED}, theme: {{ color: {{ surface: {{ background: '#fff' }} }} }}": AT_THEME,
    f"{HOSTED}, theme: {{ color: {{ background: '#fff' }} }}": AT_THEME,
    f"{HOSTED}, theme: {{ unsafeVariables: {{ radius: 4 }} }}": AT_THEME,
    # uploads
    f"{CUSTOM}, composer: {{ attachments: {{ enabled: true }} }}": (
        "✖ When attachments are enabled, uploadStrategy must be provided in options.api."
    ),
}

ACCEPTED = (
    HOSTED,
    CUSTOM,
    f"{HOSTED}, theme: 'dark', locale: 'de-DE', frameTitle: 'x', initialThread: null, onClientTool: async () => ({{}})",
    f"{HOSTED}, theme: {{ colorScheme: 'light', radius: 'soft', density: 'compact', typography: {{ baseSize: 14 }}, "
    "color: { accent: { primary: '#123456', level: 3 }, surface: { background: '#fff', foreground: '#111' } } }",
    f"{HOSTED}, header: {{ enabled: true, title: {{ enabled: true, text: 'x' }}, "
    "rightAction: { icon: 'close', onClick: () => {} } }, history: { enabled: false, showDelete: false, showRename: true }",
    f"{HOSTED}, startScreen: {{ greeting: 'x', prompts: [{{ label: 'a', prompt: 'b', icon: 'lucide:leaf' }}] }}",
    f"{HOSTED}, threadItemActions: {{ feedback: true, retry: true, share: true }}, disclaimer: {{ text: 'x', more: 1 }}",
    f"{HOSTED}, composer: {{ attachments: {{ enabled: true, maxCount: 2 }}, dictation: {{ enabled: false }}, "
    "tools: [{ id: 'a', label: 'A', icon: 'globe', pinned: true }], models: [{ id: 'm', label: 'M' }] }",
    f"{HOSTED}, entities: {{ onTagSearch: async () => [] }}, widgets: {{ onAction: async () => {{}} }}",
    # keys that the types do not list
    f"{HOSTED.replace(' }', ', addMetadataToRequest: () => null }')}, disableTelemetry: true, history: {{ search: "
    "{ enabled: true } }, startScreen: { enabled: true, prompts: [{ label: 'a', prompt: 'b', markdown: true, accent: { label: 'x' } }] "
    "}, composer: { visuallyDisableSubmitWhenEmpty: true, entityTags: true }, theme: { unsafeVariables: { radius: '4px' } }",
    f"{HOSTED}, header: {{ leftAction: {{ icon: 'vendor:logo', onClick: () => {{}} }} }}",
    "api: { url: '/chatkit', domainKey: 'k', uploadStrategy: { type: 'two_phase' } }, "
    "composer: { attachments: { enabled: true } }",
)

MOUNT_ALL = """
  const elements = %s.map((make) => mount(make(), Object.assign(slot(), { style: 'height: 200px' })));
  const errorsOf = (index) => elements[index].seen.filter((e) => e.name === 'error').map((e) => e.detail.error);
  const namesOf = (index) => elements[index].seen.map((e) => e.name === 'log' ? e.detail.name : e.name);
"""


def mount_all(host: Host, options: list[str]) -> None:
    """Open the page with one element for each set of options."""
    host.open(MOUNT_ALL % f"[{','.join(f'() => ({{ {text} }})' for text in options)}]")


AT_ONCE = 8  # elements on one page


@pytest.mark.parametrize("first", range(0, len(REJECTED), AT_ONCE))
def test_rejected_options(host: Host, first: int) -> None:
    """§1.6: each of these sets ends the boot with one FatalAppError of these words, and leaves the root empty."""
    rejected = dict(list(REJECTED.items())[first : first + AT_ONCE])
    mount_all(host, list(rejected))
    host.wait_for("() => elements.every((element) => element.seen.some((e) => e.name === 'ready'))")
    host.wait_for("() => elements.every((element) => element.seen.some((e) => e.name === 'error'))")
    error = {"name": "FatalAppError", "isError": True}
    assert_facts(
        host,
        [
            Fact("1.6", text, f"() => errorsOf({index})", [error | {"message": f"ChatKit.create():\n{message}"}])
            for index, (text, message) in enumerate(rejected.items())
        ],
    )
    frames = [frame for frame in host.page.frames if frame.name == "chatkit"]
    assert len(frames) == len(rejected)
    for frame in frames:
        assert frame.evaluate("document.getElementById('root').childElementCount") == 0, "§1.6 the root is not empty"
        assert frame.url.endswith("#"), "§1.11 the hash is not cleared"
    assert not any(call["name"] == "getClientSecret" for call in host.calls), "§1.6"


@pytest.mark.parametrize("first", range(0, len(ACCEPTED), AT_ONCE))
def test_accepted_options(host: Host, first: int) -> None:
    """§1.6: each of these sets is accepted, those with keys that the types do not list included."""
    accepted = ACCEPTED[first : first + AT_ONCE]
    mount_all(host, list(accepted))
    booted = "(element) => element.seen.some((e) => e.name === 'error' || e.detail?.name === 'composer.ready')"
    host.wait_for(f"() => elements.every({booted})")
    assert_facts(host, [Fact("1.6", text, f"() => errorsOf({index})", []) for index, text in enumerate(accepted)])


LATER = {
    "foo: 1": '✖ Unrecognized key: "foo"',
    "theme: 'auto'": AT_THEME,
    "header: { title: 'x' }": "✖ Invalid input: expected object, received string\n  → at header.title",
}


def test_later_options_that_are_rejected(host: Host) -> None:
    """§1.6: the old options stay, the host element has changed already, and only an uncaught rejection tells."""
    host.boot(f"{{ {CUSTOM}, disableTelemetry: true, startScreen: {{ greeting: 'Old' }} }}")
    for options, message in LATER.items():
        more = f"theme: 'dark', startScreen: {{ greeting: 'New' }}, {options}"  # a later key wins
        host.evaluate(f"() => chat.setOptions({{ {CUSTOM}, {more} }})")
        host.wait_for_uncaught(f"IntegrationError: chatKit.setOptions():\n{message}")
    assert host.widget.get_by_text("Old", exact=True).is_visible(), "§1.6 the old options do not stay"
    assert host.errors() == [], "§1.6 there is a chatkit.error"
    assert_facts(host, (Fact("1.6", "the scheme has changed", "() => chat.dataset.colorScheme", "dark"),))


def test_api_url_cannot_change(host: Host) -> None:
    """§1.6: another api.url is ignored with a warning, the rest of the options applies."""
    host.boot(f"{{ {CUSTOM}, disableTelemetry: true }}")
    host.evaluate("() => chat.setOptions({ api: { url: '/other', domainKey: 'k' }, startScreen: { greeting: 'New' } })")
    host.widget.get_by_text("New", exact=True).wait_for()
    host.send_and_wait("hello")
    assert [request.path for request in host.server.requests] == ["/chatkit"] * 2, "§1.6"
    assert any('change "api.url" from "/chatkit" to "/other" was ignored' in text for text in host.texts("warning"))

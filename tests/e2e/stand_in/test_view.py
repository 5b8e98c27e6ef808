"""The stand-in's look and handling: no text is HTML, nothing overflows at 320 px, the keyboard reaches everything."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import expect

from conformance.events import answer, assistant, done, item, page, part, thread, updated, user
from conformance.facts import Fact, assert_facts
from conformance.host import Host
from conformance.server import HOLD, Answer, HostServer, Stream
from harness.servers.scenarios import Scenario
from harness.servers.server import serve_stack

EVIL = "<img src=x onerror='window.isHacked = true'><script>window.isHacked = true</script>"
EVIL_JS = json.dumps(EVIL).replace("<", "\\u003c")
LONG = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenhalterung" * 3


def test_no_text_is_html(host: Host, server: HostServer) -> None:
    """Whatever server, page and person write is shown as it is written."""
    source = {"type": "annotation", "source": {"type": "url", "url": "https://a.test", "title": EVIL}}
    content = part(EVIL) | {"annotations": [source]}
    server.on("threads.list", Answer(json=page(thread("thr_9", title=EVIL))))
    server.on(
        "threads.create",
        answer(
            {"type": "progress_update", "text": EVIL},
            done(item("assistant_message", "m1", content=[content])),
            done(item("widget", "w1", widget={"type": "Card", "children": [{"type": "Text", "value": EVIL}]})),
            done(item("task", "t1", task={"type": "custom", "title": EVIL, "content": EVIL})),
            {"type": "notice", "level": "info", "title": EVIL, "message": EVIL},
            {"type": "thread.updated", "thread": thread(title=EVIL)},
            {"type": "error", "code": "custom", "message": EVIL, "allow_retry": True},
            asked=EVIL,
        ),
    )
    prompts = f"startScreen: {{ greeting: {EVIL_JS}, prompts: [{{ label: {EVIL_JS}, prompt: 'x' }}] }}"
    host.boot(host.custom(f"{prompts}, disclaimer: {{ text: {EVIL_JS} }}"))
    assert EVIL in host.widget.get_by_role("heading", level=2).inner_text()
    host.send_and_wait("hello")
    host.button("Conversation history").click()
    host.button(EVIL).wait_for()
    assert host.frame.evaluate("window.isHacked") is None
    assert host.frame.locator("img, #root script").count() == 0


OVERFLOW = "document.documentElement.scrollWidth - innerWidth"


def test_nothing_overflows_at_320_px(host: Host, server: HostServer) -> None:
    """At 320 px there is no sideways scrolling: start screen, long words, code, tables, history."""
    text = f"{LONG}\n\n```\n{LONG}\n```\n\n| {LONG} | b |\n|---|---|\n| 1 | 2 |\n\n`{LONG}` [{LONG}](https://a.test/{LONG})"
    server.on("threads.list", Answer(json=page(thread("thr_9", title=LONG))))
    titled = {"type": "thread.updated", "thread": thread(title=LONG)}
    error = {"type": "error", "code": "custom", "message": LONG, "allow_retry": True}
    server.on("threads.create", answer(done(assistant(text)), titled, error, asked=LONG))
    options = f"""startScreen: {{ prompts: [{{ label: '{LONG}', prompt: 'x' }}] }}, disclaimer: {{ text: '{LONG}' }},
      composer: {{ tools: [{{ id: 'a', label: '{LONG}', icon: 'globe', pinned: true }}], models: [{{ id: 'm', label: '{LONG}' }}] }}"""
    host.open(f"mount({host.custom(options)}, Object.assign(slot(), {{ style: 'width: 320px; height: 600px' }}));")
    host.wait_for_log("composer.ready")
    overflow = {"start": host.frame.evaluate(OVERFLOW)}
    host.send_and_wait("hello")
    overflow["thread"] = host.frame.evaluate(OVERFLOW)
    overflow["turns"] = host.frame.evaluate(
        "(() => { const m = document.querySelector('main'); return m.scrollWidth - m.clientWidth; })()"
    )
    for name in ("Conversation history", "New chat", "Send message"):
        box = host.button(name).bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 320
    host.button("Conversation history").click()
    host.button(LONG).wait_for()
    overflow["history"] = host.frame.evaluate(OVERFLOW)
    assert overflow == {"start": 0, "thread": 0, "turns": 0, "history": 0}


def test_keyboard(host: Host, server: HostServer) -> None:
    """Without a pointer: from the editor to the history and back, and through a menu."""
    server.on("threads.list", Answer(json=page(thread("thr_1", title="First thread"))))
    server.on("threads.delete", Answer(json={}))
    host.boot(host.custom())
    press = host.page.keyboard.press
    host.button("Conversation history").focus()
    press("Enter")
    host.widget.get_by_text("First thread").wait_for()
    press("Escape")
    expect(host.editor).to_be_visible()
    host.widget.get_by_text("First thread").evaluate("(text) => text.setAttribute('data-old', '')")
    press("Enter")
    expect(host.button("Back to chat")).to_be_focused()
    expect(host.widget.locator("[data-old]")).to_have_count(0)  # the list is asked for again, and drawn anew
    host.widget.get_by_text("First thread").wait_for()
    press("Tab")
    press("Tab")
    expect(host.button("More for First thread")).to_be_focused()
    press("Enter")
    expect(host.widget.get_by_role("menuitem", name="Rename")).to_be_focused()
    press("ArrowDown")
    press("Enter")
    host.widget.get_by_role("dialog").wait_for()
    host.button("Delete").press("Enter")
    host.wait_until(lambda: bool(server.requests_of("threads.delete")), "the request")
    assert server.requests_of("threads.delete")[0].params == {"thread_id": "thr_1"}
    host.widget.get_by_text("No conversations yet.").wait_for()


def test_rename(host: Host, server: HostServer) -> None:
    """A conversation gets a new title, in the list and on the backend."""
    server.on("threads.list", Answer(json=page(thread("thr_1", title="First thread"))))
    server.on("threads.update", Answer(json=thread(title="Renamed")))
    host.boot(host.custom())
    host.button("Conversation history").click()
    host.button("More for First thread").click()
    host.widget.get_by_role("menuitem", name="Rename").click()
    host.page.keyboard.type("Renamed")
    host.page.keyboard.press("Enter")
    host.button("Renamed").wait_for()
    host.wait_until(lambda: bool(server.requests_of("threads.update")), "the request")
    assert server.requests_of("threads.update")[0].params == {"thread_id": "thr_1", "title": "Renamed"}


def test_list_that_cannot_be_loaded(host: Host, server: HostServer) -> None:
    """The history says so."""
    server.on("threads.list", Answer(status=403, json={}))
    host.boot(host.custom())
    host.button("Conversation history").click()
    expect(host.widget.get_by_role("alert")).to_contain_text("could not be loaded")


FORM: dict[str, Any] = {
    "type": "Card",
    "asForm": True,
    "children": [
        {"type": "Title", "value": "Order"},
        {"type": "Input", "name": "size", "placeholder": "Size"},
        {"type": "Checkbox", "name": "gift", "label": "As a gift"},
        {
            "type": "Select",
            "name": "tea",
            "options": [{"value": "g", "label": "Green"}, {"value": "b", "label": "Black"}],
        },
    ],
    "confirm": {"label": "Order", "action": {"type": "order", "payload": {"shop": 7}}},
    "cancel": {"label": "No", "action": {"type": "no"}},
}


def test_form_widget(host: Host, server: HostServer) -> None:
    """The values of a form go out with its action's own payload."""
    server.on("threads.create", answer(done(item("widget", "w1", widget=FORM))))
    server.on("threads.custom_action", Stream(events=(done(assistant("Ordered.")),)))
    host.boot(host.custom())
    host.send_and_wait("hello")
    host.widget.get_by_label("Size").fill("250 g")
    host.widget.get_by_label("As a gift").check()
    host.widget.get_by_label("tea").select_option("Black")
    host.button("Order").click()
    host.widget.get_by_text("Ordered.").wait_for()
    action = server.requests_of("threads.custom_action")[0].params["action"]
    assert action == {"type": "order", "payload": {"shop": 7, "size": "250 g", "gift": "on", "tea": "b"}}


def test_streaming_widget(host: Host, server: HostServer) -> None:
    """Updates reach a component by its id, wherever it is."""
    text = {"type": "Text", "id": "t", "value": "One", "streaming": True}
    widget = {"type": "Card", "children": [{"type": "Row", "children": [text]}]}
    delta = updated("w1", "widget.streaming_text.value_delta", component_id="t", delta=" two", done=True)
    server.on("threads.create", answer(done(item("widget", "w1", widget=widget)), delta))
    host.boot(host.custom())
    host.send_and_wait("hello")
    host.widget.get_by_text("One two", exact=True).wait_for()


QUESTIONS = [
    {
        "id": "q1",
        "type": "multiple_choice",
        "question": "Which tea?",
        "options": [{"value": "Green"}, {"value": "Black"}],
    },
    {"id": "q2", "type": "freeform", "question": "Anything else?"},
]


def test_structured_input(host: Host, server: HostServer) -> None:
    """Chosen and written answers are sent, what is left empty counts as skipped."""
    server.on("threads.create", answer(done(item("structured_input", "si_1", status="pending", inputs=QUESTIONS))))
    server.on("threads.add_structured_input", Stream(events=(done(assistant("Noted.")),)))
    host.boot(host.custom())
    host.send_and_wait("hello")
    host.widget.get_by_label("Green").check()
    host.button("Send answers").click()
    host.widget.get_by_text("Noted.").wait_for()
    answers = {"q1": {"values": ["Green"], "skipped": False}, "q2": {"values": [], "skipped": True}}
    assert server.requests_of("threads.add_structured_input")[0].params == {
        "thread_id": "thr_1",
        "item_id": "si_1",
        "input": {"status": "answered", "answers": answers},
    }


def test_file_picker(host: Host, server: HostServer) -> None:
    """The host page opens the dialog of custom mode; its input is gone from the shadow root afterwards."""
    server.on("/upload", Answer(json={"id": "atc_1", "name": "tea.txt", "mime_type": "text/plain", "type": "file"}))
    more = "composer: { attachments: { enabled: true, maxCount: 1, accept: { 'text/plain': ['.txt'] } } }"
    host.boot(host.custom(more, "uploadStrategy: { type: 'direct', uploadUrl: '/upload' }"))
    host.frame.locator("#chatkit-composer-tools-button").click()
    with host.page.expect_file_chooser() as chooser:
        host.widget.get_by_role("menuitem", name="Add files").click()
    inputs = "() => [...chat.shadowRoot.querySelectorAll('input[type=file]')].map((node) => node.accept)"
    assert_facts(host, (Fact("1.3", "a transient input", inputs, ["text/plain,.txt"]),))
    chooser.value.set_files({"name": "tea.txt", "mimeType": "text/plain", "buffer": b"leaf"})
    host.button("Remove tea.txt").wait_for()
    assert_facts(host, (Fact("1.3", "… that goes away", inputs, []),))
    host.wait_until(lambda: any(request.path == "/upload" for request in server.requests), "the upload")


def test_too_large_file_is_refused(host: Host, server: HostServer) -> None:
    """The limit of its type counts, and nothing is uploaded."""
    more = "composer: { attachments: { enabled: true, maxSize: { 'text/*': 3, '*': 1000 } } }"
    host.boot(host.custom(more, "uploadStrategy: { type: 'direct', uploadUrl: '/upload' }"))
    host.evaluate("() => chat.setComposerValue({ files: [new File(['leaf'], 'tea.txt', { type: 'text/plain' })] })")
    host.wait_for_event("error")
    assert host.errors()[0][0] == "FileAttachmentError"
    assert not any(request.path == "/upload" for request in server.requests)


def test_stop_is_refused_when_the_server_says_so(host: Host, server: HostServer) -> None:
    """`allow_cancel: false` disables the button until the answer has ended."""
    options = {"type": "stream_options", "stream_options": {"allow_cancel": False}}
    server.on("threads.create", answer(options, HOLD))
    host.boot(host.custom())
    host.send("hello")
    host.wait_for_event("thread.change")
    expect(host.button("Stop response")).to_be_disabled()
    server.release()
    expect(host.button("Send message")).to_be_enabled()


def test_locked_thread(host: Host, server: HostServer) -> None:
    """A locked thread says why, and takes no message."""
    locked = thread(items=page(user("hello")), status={"type": "locked", "reason": "Closed by support."})
    server.on("threads.get_by_id", Answer(json=locked))
    host.boot(host.custom("initialThread: 'thr_1'"))
    host.widget.get_by_role("textbox", name="Closed by support.").wait_for()
    expect(host.button("Send message")).to_be_disabled()


COLOURS = "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).colorScheme]"


@pytest.mark.parametrize(
    ("theme", "ground"),
    [
        ("'light'", ["rgb(255, 255, 255)", "light"]),
        ("'dark'", ["rgb(27, 28, 29)", "dark"]),
        (
            "{ colorScheme: 'dark', color: { surface: { background: '#102030', foreground: '#fff' } } }",
            ["rgb(16, 32, 48)", "dark"],
        ),
    ],
)
def test_theme(host: Host, theme: str, ground: list[str]) -> None:
    """The theme decides the colours."""
    host.boot(host.custom(f"theme: {theme}"))
    assert host.frame.evaluate(COLOURS) == ground


def test_says_that_it_is_a_stand_in(host: Host) -> None:
    """Nobody mistakes it for the real one."""
    host.boot(host.custom())
    assert host.widget.get_by_text("stand-in").is_visible()


def test_person_without_routing(page: Any) -> None:
    """In a browser that routes nothing the test page mounts and answers from loopback alone."""
    outside: list[str] = []
    page.on(
        "request", lambda r: outside.append(r.url) if not r.url.startswith(("http://127.0.0.1:", "data:")) else None
    )
    with serve_stack(scenario=Scenario(name="healthy"), is_for_people=True) as stack:
        page.goto(f"{stack.app_url}/test-chatkit")
        page.get_by_role("button", name="Topic Generation").click()
        widget = page.frame_locator("iframe.ck-iframe")
        widget.get_by_role("textbox").click()
        page.keyboard.type("three topics about tea")
        page.keyboard.press("Enter")
        widget.get_by_text("You asked: “three topics about tea”").wait_for()
        assert outside == []

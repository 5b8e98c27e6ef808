"""The protocol between frame and host page: protocol facts §2.1, §2.5 and §2.6."""

from __future__ import annotations

import re
from typing import Any

from conformance.events import added, answer, assistant, created, done, item, tool_call
from conformance.facts import Fact, assert_facts
from conformance.host import Host
from conformance.server import Answer, HostServer, Stream

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

ENVELOPE = (
    Fact("2.1", "every message has the marker", "() => seen.messages.every((m) => m.__oaiChatKit === true)"),
    Fact(
        "2.1",
        "every message comes from the frame's origin",
        "() => [...new Set(seen.messages.map((m) => m.origin))]",
        ["https://cdn.platform.openai.com"],
    ),
    Fact(
        "2.1", "events have no nonce", "() => seen.messages.filter((m) => m.type === 'event' && 'nonce' in m).length", 0
    ),
    Fact(
        "2.1",
        "commands and requests are of these types",
        "() => [...new Set(seen.messages.filter((m) => m.type !== 'event').map((m) => m.type))].sort()",
        ["command", "fetch", "fetchEventSource", "response"],
    ),
    Fact(
        "2.6",
        "a public event is a list of name and payload",
        "() => seen.messages.filter((m) => m.event === 'public_event').every((m) => Array.isArray(m.data))",
    ),
    Fact(
        "2.3",
        "a stream is asked for with openWhenHidden",
        "() => seen.messages.find((m) => m.type === 'fetchEventSource').params.openWhenHidden",
    ),
)


def test_envelope(host: Host, server: HostServer) -> None:
    """§2.1: marker, origin, type and nonce of the frame's messages."""
    server.on("threads.create", answer(done(tool_call("ask", question="why"))))
    server.on("threads.add_client_tool_output", Stream(events=()))
    host.boot(host.custom("onClientTool: () => ({})"))
    host.send_and_wait("hello")
    host.evaluate("() => chat.setThreadId(null)")
    assert_facts(host, ENVELOPE)
    nonces = [
        message["nonce"] for message in host.messages if message["type"] in ("command", "fetch", "fetchEventSource")
    ]
    assert all(UUID.fullmatch(nonce) for nonce in nonces), "§2.1"
    assert len(set(nonces)) == len(nonces), "§2.1"


def test_messages_of_others_are_ignored(host: Host) -> None:
    """§2.1: without the marker, from another window or origin, a message does nothing."""
    host.boot(host.custom())
    before = len(host.events)
    host.evaluate(
        """() => {
          const event = { type: 'event', event: 'public_event', data: ['effect', { name: 'forged' }] };
          postMessage({ __oaiChatKit: true, ...event }, '*');
          const other = document.createElement('iframe');
          other.srcdoc = `<script>parent.postMessage(${JSON.stringify({ __oaiChatKit: true, ...event })}, '*');
                          parent.postMessage('done', '*')</` + 'script>';
          addEventListener('message', ({ data }) => { if (data === 'done') seen.done = true; });
          document.body.append(other);
        }"""
    )
    host.wait_for("() => seen.done === true")
    assert len(host.events) == before, "§2.1"


HANDLERS = """
  onClientTool: noting('onClientTool', ({ name, params }) => ({ echoed: params, by: name })),
"""


def test_client_tool_round_trip(host: Host, server: HostServer) -> None:
    """§2.5, §5.3: the page is called with name and params; its answer goes to the backend after the stream has ended."""
    server.on("threads.create", answer(done(tool_call("lookup", city="Paris"))))
    server.on("threads.add_client_tool_output", Stream(events=(done(assistant("It is sunny.")),)))
    host.boot(host.custom(HANDLERS))
    host.send_and_wait("hello")
    host.widget.get_by_text("It is sunny.").wait_for()
    assert host.calls == [{"name": "onClientTool", "args": [{"name": "lookup", "params": {"city": "Paris"}}]}], "§2.5"
    (request,) = server.requests_of("threads.add_client_tool_output")
    assert request.params == {"thread_id": "thr_1", "result": {"echoed": {"city": "Paris"}, "by": "lookup"}}, "§5.1"
    command = next(m for m in host.messages if m["type"] == "command")
    assert (command["command"], command["data"]) == (
        "onClientToolCall",
        {"name": "lookup", "params": {"city": "Paris"}},
    )


def test_client_tool_call_that_is_completed_is_passed_on(host: Host, server: HostServer) -> None:
    """§5.3: whatever its status says, a call in a stream is one for the page."""
    finished = tool_call("lookup") | {"status": "completed", "output": {}}
    server.on("threads.create", answer(done(finished), done(assistant("Done."))))
    host.boot(host.custom(HANDLERS))
    host.send_and_wait("hello")
    assert [call["args"] for call in host.calls] == [[{"name": "lookup", "params": {}}]]


NO_TOOL = "No handler for client tool calls. You'll need to add onClientTool to your ChatKit options."


def test_missing_client_tool_handler(host: Host, server: HostServer) -> None:
    """§2.5: without onClientTool a call is a chatkit.error, and the backend is told nothing."""
    server.on("threads.create", answer(done(tool_call("lookup"))))
    host.boot(host.custom())
    host.send_and_wait("hello")
    assert host.errors() == [("IntegrationError", NO_TOOL)], "§2.5"
    assert server.requests_of("threads.add_client_tool_output") == [], "§2.5"


CARD: dict[str, Any] = {
    "type": "Card",
    "children": [
        {
            "type": "Button",
            "label": "On the page",
            "onClickAction": {"type": "open", "payload": {"id": 1}, "handler": "client"},
        },
        {"type": "Button", "label": "On the server", "onClickAction": {"type": "save", "payload": {"id": 2}}},
        {
            "type": "Button",
            "label": "At once",
            "onClickAction": {"type": "mark", "payload": {"id": 3}, "streaming": False},
        },
    ],
}


def test_widget_actions(host: Host, server: HostServer) -> None:
    """§2.5, §5.3: an action goes to the page, to a stream of the backend, or to a single answer of it."""
    widget = item("widget", "wid_1", widget=CARD)
    changed = item("widget", "wid_1", widget={"type": "Card", "children": [{"type": "Text", "value": "Marked."}]})
    server.on("threads.create", answer(done(widget)))
    server.on("threads.custom_action", Stream(events=(added(assistant("Saved.")), done(assistant("Saved.")))))
    server.on("threads.sync_custom_action", Answer(json={"updated_item": changed}))
    host.boot(host.custom("widgets: { onAction: noting('onAction') }"))
    host.send_and_wait("hello")
    host.button("On the page").click()
    host.wait_for("() => seen.calls.length === 1")
    assert host.calls[0]["args"] == [{"type": "open", "payload": {"id": 1}}, {"id": "wid_1", "widget": CARD}], "§2.5"
    host.button("On the server").click()
    host.widget.get_by_text("Saved.").wait_for()
    (request,) = server.requests_of("threads.custom_action")
    action = {"type": "save", "payload": {"id": 2}}
    assert request.params == {"thread_id": "thr_1", "item_id": "wid_1", "action": action}, "§5.1"
    host.wait_for_event("response.end", 2)
    host.button("At once").click()
    host.widget.get_by_text("Marked.").wait_for()
    (request,) = server.requests_of("threads.sync_custom_action")
    assert request.params["action"] == {"type": "mark", "payload": {"id": 3}}, "§5.1"


def test_missing_widget_action_handler(host: Host, server: HostServer) -> None:
    """§2.5: without widgets.onAction an action for the page is a chatkit.error."""
    server.on("threads.create", answer(done(item("widget", "wid_1", widget=CARD))))
    host.boot(host.custom())
    host.send_and_wait("hello")
    host.button("On the page").click()
    host.wait_for_event("error")
    message = "No handler for widget actions. You'll need to add widgets.onAction to your ChatKit options."
    host.wait_for_event("error", 2)
    assert host.errors() == [("IntegrationError", message), ("WidgetItemError", message)], "§2.5"


def test_widget_action_without_an_answer(host: Host, server: HostServer) -> None:
    """§1.9: it is a response once its stream adds something; one that only finishes an item is none."""
    server.on("threads.create", answer(done(item("widget", "wid_1", widget=CARD))))
    server.on("threads.custom_action", Stream(events=(done(assistant("Saved.")),)))
    host.boot(host.custom())
    host.send_and_wait("hello")
    host.button("On the server").click()
    host.widget.get_by_text("Saved.").wait_for()
    assert host.names().count("response.start") == 1, "§1.9"


def test_unknown_widget_cannot_be_drawn(host: Host, server: HostServer) -> None:
    """§2.7: for a root that is no Card, ListView or Basic there are words in its place; only the console says why."""
    server.on("threads.create", answer(done(item("widget", "wid_1", widget={"type": "Nonsense", "children": []}))))
    host.boot(host.custom())
    host.send_and_wait("hello")
    host.widget.get_by_text("Something went wrong. Please try again later.").wait_for()
    assert any(text.startswith("Error rendering thread items in turn") for text in host.texts("error")), "§2.6"
    assert host.errors() == [], "§2.6"


def test_entity_search(host: Host) -> None:
    """§2.5: what is typed after an @ is searched for by the page; the chosen entity goes out as a tag."""
    entities = (
        "[{ id: 'doc_1', title: 'Annual report', group: 'Documents', data: { year: '2025' }, interactive: true }]"
    )
    host.boot(host.custom(f"entities: {{ onTagSearch: noting('onTagSearch', {entities}) }}"))
    host.editor.click()
    host.page.keyboard.type("see @Ann")
    host.wait_for("() => seen.calls.some(({ args }) => args[0] === 'Ann')")
    host.widget.get_by_text("Annual report").wait_for()
    assert {call["name"] for call in host.calls} == {"onTagSearch"}, "§2.5"
    host.page.keyboard.press("Enter")
    host.page.keyboard.type("please")
    host.page.keyboard.press("Enter")
    host.wait_until(lambda: bool(host.server.requests_of("threads.create")), "the message")
    content = host.server.requests_of("threads.create")[0].params["input"]["content"]
    tags = [part for part in content if part["type"] == "input_tag"]
    assert [(tag["id"], tag["text"], tag["data"]) for tag in tags] == [("doc_1", "Annual report", {"year": "2025"})], (
        "§5.1"
    )
    assert "".join(part["text"] for part in content if part["type"] == "input_text").split() == ["see", "please"]


def test_entity_search_that_fails(host: Host) -> None:
    """§2.6: a search that throws is an EntitySearchError."""
    host.boot(host.custom("entities: { onTagSearch: async () => { throw new Error('no index'); } }"))
    host.editor.click()
    host.page.keyboard.type("@")
    host.wait_for_event("error")
    assert host.errors()[0][0] == "EntitySearchError", "§2.6"


def test_header_buttons(host: Host) -> None:
    """§2.6: a custom header button calls the page, and is logged."""
    host.boot(
        host.custom(
            "header: { leftAction: { icon: 'menu', onClick: noting('left') },"
            " rightAction: { icon: 'close', onClick: noting('right') } }"
        )
    )
    buttons = host.frame.locator("#chatkit-header button")
    buttons.first.click()
    buttons.last.click()
    host.wait_for("() => seen.calls.length === 2")
    assert [call["name"] for call in host.calls] == ["left", "right"], "§2.6"
    assert {"log:header.customButtonLeft.click", "log:header.customButtonRight.click"} <= set(host.names()), "§1.9"


def test_effect(host: Host, server: HostServer) -> None:
    """§1.9: a client_effect of the server is dispatched as chatkit.effect."""
    effect = {"type": "client_effect", "name": "confetti", "data": {"colour": "red"}}
    server.on("threads.create", Stream(events=(created(), effect)))
    host.boot(host.custom())
    host.send_and_wait("hello")
    details = [event["detail"] for event in host.events if event["name"] == "effect"]
    assert details == [{"name": "confetti", "data": {"colour": "red"}}], "§1.9"

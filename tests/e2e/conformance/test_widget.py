"""What a person meets in the frame: protocol facts §1.12, and the log entries of §1.9."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from conformance.events import answer, assistant, created, done, page, thread, user
from conformance.facts import Fact, assert_facts, is_in_order
from conformance.host import Host
from conformance.server import Answer, HostServer, Stream

IDS = tuple(
    Fact("1.12", f"#{name} is there", lambda host, name=name: host.frame.locator(f"#{name}").count(), count)
    for name, count in {
        "root": 1,
        "chatkit-container": 1,
        "chatkit-header": 1,
        "chatkit-footer": 1,
        "chatkit-thread-container": 0,  # only with turns
        "chatkit-composer-input": 1,
        "chatkit-theme-sheet": 1,
    }.items()
)


def attribute(selector: str, name: str) -> object:
    """Return a function that reads an attribute in the frame."""
    return lambda host: host.frame.locator(selector).first.get_attribute(name)


EDITOR = "[contenteditable=true][role=textbox]"
COMPOSER = (
    Fact(
        "1.12",
        "the input is hidden from people",
        lambda h: h.frame.locator("#chatkit-composer-input").is_visible(),
        False,
    ),
    Fact("1.12", "… and from screen readers", attribute("#chatkit-composer-input", "aria-hidden"), "true"),
    Fact("1.12", "the editor is a textbox", lambda host: host.frame.locator(EDITOR).count(), 1),
    Fact("1.12", "its name is the placeholder", attribute(EDITOR, "aria-label"), "Message the AI"),
    Fact("1.12", "Send message submits", lambda host: host.button("Send message").get_attribute("type"), "submit"),
    Fact("1.12", "… and is not disabled when empty", lambda host: host.button("Send message").is_enabled()),
    Fact("1.12", "New chat", lambda host: host.button("New chat").count(), 1),
    Fact("1.12", "Conversation history", lambda host: host.button("Conversation history").count(), 1),
    Fact("1.12", "the greeting", lambda host: host.widget.get_by_text("What can I help with today?").is_visible()),
)
ONCE = (
    Fact("1.9", "app.init once", lambda host: host.names().count("log:app.init"), 1),
    Fact("1.9", "composer.ready once", lambda host: host.names().count("log:composer.ready"), 1),
    Fact(
        "1.9",
        "the layout has a size",
        "() => seen.events.find((e) => e.name === 'composer.layout.change').detail.width > 100",
    ),
    Fact("1.9", "a log entry has name, data and timestamp", "() => Object.keys(seen.events.find((e) => e.name === 'log').detail)",
         ["name", "data", "timestamp"]),
)  # fmt: skip


def test_start_screen_and_composer(host: Host) -> None:
    """§1.12, §1.9: ids, roles and names before the first message, and what is logged once."""
    host.boot(host.custom())
    host.wait_for_event("composer.layout.change", 2)
    assert_facts(host, (*IDS, *COMPOSER, *ONCE))


def test_turns(host: Host, server: HostServer) -> None:
    """§1.12: a conversation's turns say who speaks; Enter submits, Shift+Enter breaks the line."""
    server.on("threads.create", answer(done(assistant("Hello back.")), asked="two\nlines"))
    host.boot(host.custom())
    host.editor.click()
    host.page.keyboard.type("two")
    host.page.keyboard.press("Shift+Enter")
    host.page.keyboard.type("lines")
    host.page.keyboard.press("Enter")
    host.wait_for_event("response.end")
    (request,) = server.requests_of("threads.create")
    assert request.params["input"]["content"] == [{"type": "input_text", "text": "two\nlines"}], "§1.12"
    said = " ".join(host.frame.locator("#chatkit-thread-container").inner_text().split())
    assert re.search(r"You said: two lines.*The assistant said: Hello back\.", said), "§1.12"
    submits = [event["detail"] for event in host.events if event["name"] == "composer.submit"]
    assert [re.sub(r"_\w{8}$", "_…", submit["threadId"]) for submit in submits] == ["client_thread_…"], "§1.9"
    logged = next(
        e["detail"]["data"] for e in host.events if e["name"] == "log" and e["detail"]["name"] == "composer.submit"
    )
    assert logged["text"] == [{"type": "input_text", "text": "two\nlines"}], "§1.9"
    assert logged["attachmentsCount"] == 0, "§1.9"


def test_send_button(host: Host, server: HostServer) -> None:
    """§1.12: the button sends what is typed, and does nothing when nothing is."""
    server.on("threads.create", answer())
    host.boot(host.custom())
    host.button("Send message").click()
    host.editor.click()
    host.page.keyboard.type("hello")
    host.button("Send message").click()
    host.wait_for_event("response.end")
    assert len(server.requests_of("threads.create")) == 1, "§1.12"
    assert host.editor.inner_text().strip() == ""


def test_new_chat(host: Host, server: HostServer) -> None:
    """§1.9: New chat leaves the thread, and is logged."""
    server.on("threads.create", answer())
    host.boot(host.custom())
    host.send_and_wait("hello")
    host.button("New chat").click()
    host.widget.get_by_text("What can I help with today?").wait_for()
    assert "log:newChat.create" in host.names(), "§1.9"
    assert [e["detail"]["threadId"] for e in host.events if e["name"] == "thread.change"] == ["thr_1", None], "§1.9"
    assert host.frame.locator("#chatkit-thread-container").count() == 0, "§1.12"


THREADS = page(thread("thr_2", title="Second thread"), thread("thr_1", title="First thread"))


def test_history(host: Host, server: HostServer) -> None:
    """§1.9, §1.12: the history is opened and left by its buttons; a thread in it opens; only log entries tell."""
    server.on("threads.list", Answer(json=THREADS))
    server.on("threads.get_by_id", Answer(json=thread(items=page(user("Stored question")), title="First thread")))
    host.boot(host.custom())
    host.button("Conversation history").click()
    host.widget.get_by_text("Second thread").wait_for()
    host.button("Back to chat").click()
    host.editor.wait_for()
    host.button("Conversation history").click()
    host.widget.get_by_text("First thread").click()
    host.widget.get_by_text("Stored question").wait_for()
    assert server.requests_of("threads.get_by_id")[0].params == {"thread_id": "thr_1"}, "§5.1"
    names = host.names()
    assert names.count("log:history.open") == 2, "§1.9"
    assert {"log:history.close", "log:history.thread.select"} <= set(names), "§1.9"
    assert not {"history.open", "history.close"} & set(names), "§1.9 denied for this profile"


def test_history_by_method(host: Host, server: HostServer) -> None:
    """§1.8: showHistory and hideHistory are allowed."""
    server.on("threads.list", Answer(json=THREADS))
    host.boot(host.custom())
    host.evaluate("() => chat.showHistory()")
    host.widget.get_by_text("Second thread").wait_for()
    host.evaluate("() => chat.hideHistory()")
    host.editor.wait_for()
    assert host.errors() == []


def test_feedback(host: Host, server: HostServer) -> None:
    """§1.12, §5.1: the thumbs are there unless feedback is off, and tell the backend."""
    server.on("threads.create", answer(done(assistant("Hello back."))))
    server.on("items.feedback", Answer(json={}))
    host.boot(host.custom())
    host.send_and_wait("hello")
    host.button("Thumbs down").wait_for()
    host.button("Thumbs up").click()
    host.wait_until(lambda: bool(server.requests_of("items.feedback")), "the feedback")
    params = server.requests_of("items.feedback")[0].params
    assert (params["thread_id"], params["kind"]) == ("thr_1", "positive"), "§5.1"
    assert "msg_assistant" in params["item_ids"], "§5.1"


def test_no_feedback_when_it_is_off(host: Host, server: HostServer) -> None:
    """§1.12: with the option off there are no thumbs."""
    server.on("threads.create", answer(done(assistant("Hello back."))))
    host.boot(host.custom("threadItemActions: { feedback: false }"))
    host.send_and_wait("hello")
    host.widget.get_by_text("Hello back.").wait_for()
    assert host.widget.get_by_role("button", name=re.compile("^Thumbs")).count() == 0, "§1.12"


def test_scroll_to_bottom(host: Host, server: HostServer) -> None:
    """§1.12: the button is there while the end is out of sight, and leads to it."""
    text = "\n\n".join(f"Paragraph {number}" for number in range(60))
    server.on("threads.get_by_id", Answer(json=thread(items=page(user("Long?"), assistant(text)))))
    host.boot(host.custom("history: { enabled: false }"))
    host.evaluate("() => chat.setThreadId('thr_1')")
    host.widget.get_by_text("Paragraph 59").wait_for()
    host.widget.get_by_text("Paragraph 3", exact=True).scroll_into_view_if_needed()
    host.button("Scroll to bottom").click()
    expect(host.widget.get_by_text("Paragraph 59")).to_be_in_viewport()
    expect(host.button("Scroll to bottom")).to_have_count(0)


OPTIONS = (
    pytest.param("composer: { placeholder: 'Ask about tea' }", "[aria-label='Ask about tea']", id="placeholder"),
    pytest.param("startScreen: { greeting: 'Good morning' }", "text=Good morning", id="greeting"),
    pytest.param("header: { title: { text: 'Tea house' } }", "#chatkit-header >> text=Tea house", id="title"),
    pytest.param("disclaimer: { text: 'May be wrong' }", "text=May be wrong", id="disclaimer"),
)


@pytest.mark.parametrize(("option", "selector"), OPTIONS)
def test_option_is_shown(host: Host, option: str, selector: str) -> None:
    """§1.6: texts of the options stand in the frame."""
    host.boot(host.custom(option))
    host.frame.locator(selector).first.wait_for()


def test_starter_prompt(host: Host, server: HostServer) -> None:
    """§1.9: a prompt sends its text, and is logged."""
    server.on("threads.create", answer(asked="Three topics about tea"))
    host.boot(host.custom("startScreen: { prompts: [{ label: 'Topics', prompt: 'Three topics about tea' }] }"))
    host.button("Topics").click()
    host.wait_for_event("response.end")
    content = server.requests_of("threads.create")[0].params["input"]["content"]
    assert content == [{"type": "input_text", "text": "Three topics about tea"}], "§5.1"
    assert "log:startScreenPrompt.select" in host.names(), "§1.9"


def test_deeplink(host: Host, server: HostServer) -> None:
    """§1.9: a click on a chatkit-link:// link is an event with its name and parameters."""
    server.on("threads.create", answer(done(assistant("Open [order 7](chatkit-link://order?id=7&tab=info)."))))
    host.boot(host.custom())
    host.send_and_wait("hello")
    host.widget.get_by_role("button", name="order 7").click()
    host.wait_for_event("deeplink")
    details = [event["detail"] for event in host.events if event["name"] == "deeplink"]
    assert details == [{"name": "order", "data": {"id": "7", "tab": "info"}}], "§1.9"


def test_tools(host: Host, server: HostServer) -> None:
    """§1.9, §5.1: a chosen tool is an event, goes out with the message, and is cleared afterwards."""
    tools = "composer: { tools: [{ id: 'search', label: 'Search the web', icon: 'globe' }] }"
    server.on("threads.create", Stream(events=(created(),)))
    host.boot(host.custom(tools))
    host.frame.locator("#chatkit-composer-tools-button").click()
    host.widget.get_by_text("Search the web").click()
    host.send_and_wait("hello")
    inference = server.requests_of("threads.create")[0].params["input"]["inference_options"]
    assert inference == {"tool_choice": {"id": "search"}}, "§5.1"
    changes = [event["detail"]["toolId"] for event in host.events if event["name"] == "tool.change"]
    assert changes == ["search", None], "§1.9"
    assert is_in_order(host.names(), "tool.change", "log:composer.tool.select"), "§1.9"


def test_composer_value(host: Host, server: HostServer) -> None:
    """§1.8: the page can fill the composer without sending."""
    server.on("threads.create", answer())
    host.boot(host.custom())
    host.evaluate("() => chat.setComposerValue({ text: 'From the page' })")
    expect(host.editor).to_have_text("From the page")
    assert "response.start" not in host.names(), "§1.8"


def test_hidden_element(host: Host) -> None:
    """§1.11: in a hidden container the frame boots all the same; its composer has no place.

    Chromium lays the document out all the same, 300 pixels wide; other engines do not.
    """
    host.open(f"mount({host.custom()}, Object.assign(slot(), {{ style: 'display: none' }}));")
    host.wait_for_log("composer.ready")
    host.wait_for_event("composer.layout.change")
    first = next(event["detail"] for event in host.events if event["name"] == "composer.layout.change")
    assert (first["x"], first["y"]) == (0, 0), "§1.9"
    assert 0 <= first["width"] < 300, "§1.9"
    assert host.errors() == [], "§1.11"


def test_insecure_context(host: Host) -> None:
    """§1.11, §4: on a page that is no secure context the frame's script ends at once, and ready fires all the same."""
    host.page.context.route("http://shop.test/", lambda route: route.continue_(url=f"{host.server.url}/"))
    host.mount(host.custom(), origin="http://shop.test")
    host.wait_for_event("ready")
    host.wait_until(lambda: bool(host.page_errors), "an uncaught error")
    assert any("crypto.randomUUID is not a function" in error for error in host.page_errors), "§1.11"
    assert host.frame.evaluate("document.getElementById('root').childElementCount") == 0, "§1.11"
    assert not host.frame.url.endswith("#"), "§1.11 the hash was cleared"
    assert host.messages == [], "§1.11"

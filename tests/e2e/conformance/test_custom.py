"""Custom mode: the host page makes the requests, the frame follows the stream. Protocol facts §2.2, §2.3, §4 and §5."""

from __future__ import annotations

import re
from typing import Any

import pytest

from conformance.events import added, answer, assistant, created, done, item, page, part, thread, updated, user
from conformance.facts import is_in_order
from conformance.host import DEADLINE_MS, Host
from conformance.server import HOLD, Answer, HostServer, Stream

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NO_ANSWER = "There was an error while generating the assistant's response."


def test_requests_are_the_pages_own(host: Host, server: HostServer) -> None:
    """§2.2, §4: origin and headers of a request, and the body of the first one."""
    host.boot(host.custom())
    host.wait_until(lambda: bool(server.requests), "the thread list")
    request = server.requests[0]
    assert request.body == {"type": "threads.list", "params": {"limit": 9999, "order": "desc"}}, "§5.1"
    assert request.headers["origin"] == server.url, "§1.12 not sent by the host page"
    assert request.headers["content-type"] == "application/json", "§4"
    assert UUID.fullmatch(request.headers["chatkit-frame-instance-id"]), "§4"
    assert re.fullmatch(r"[A-Za-z-]+", request.headers["accept-language"]), "§4 not a single value"
    assert "authorization" not in request.headers, "§4"
    assert [m["type"] for m in host.messages if m["type"] != "event"] == ["fetch"], "§2.1"


LOCALES = (
    pytest.param("de-DE", "de-DE", id="known"),
    pytest.param("tlh", "en", id="unknown"),
)


@pytest.mark.parametrize(("locale", "language"), LOCALES)
def test_language_of_the_requests(host: Host, server: HostServer, locale: str, language: str) -> None:
    """§1.12, §4: the active locale goes with every request; an unknown one is English."""
    host.boot(host.custom(f"locale: '{locale}'"))
    host.wait_until(lambda: bool(server.requests), "the thread list")
    assert server.requests[0].headers["accept-language"].startswith(language), "§4"


def test_custom_fetch(host: Host, server: HostServer) -> None:
    """§2.2: `api.fetch` makes every request, streams included."""
    own = "fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, 'x-mine': 'yes' } })"
    server.on("threads.create", answer(done(assistant("Hello back."))))
    host.boot(host.custom("", own))
    host.send_and_wait("hello")
    assert [request.headers.get("x-mine") for request in server.requests] == ["yes", "yes"], "§2.2"


def test_first_and_second_message(host: Host, server: HostServer) -> None:
    """§5.1: the first message creates the thread, the next one is added to it; quoted text and options are always sent."""
    server.on("threads.create", answer(done(assistant("Hello back."))))
    server.on(
        "threads.add_user_message", Stream(events=(done(user("more", "msg_2")), done(assistant("Again.", "msg_3"))))
    )
    host.boot(host.custom())
    host.send_and_wait("hello")
    host.send_and_wait("more")
    sent = {"attachments": [], "quoted_text": "", "inference_options": {}}
    (first,), (second,) = server.requests_of("threads.create"), server.requests_of("threads.add_user_message")
    assert first.params == {"input": {"content": [{"type": "input_text", "text": "hello"}]} | sent}, "§5.1"
    more = {"content": [{"type": "input_text", "text": "more"}]} | sent
    assert second.params == {"thread_id": "thr_1", "input": more}, "§5.1"
    assert first.headers["accept"] == "text/event-stream", "§2.3"
    names = [name for name in host.names() if name in ("response.start", "response.end", "thread.change")]
    assert names == ["response.start", "thread.change", "response.end", "response.start", "response.end"], "§1.9"
    changes = [event["detail"] for event in host.events if event["name"] == "thread.change"]
    assert changes == [{"threadId": "thr_1"}], "§1.9"
    for text in ("hello", "Hello back.", "more", "Again."):
        host.widget.get_by_text(text, exact=True).first.wait_for()


NO_ANSWER = "There was an error while generating the assistant's response."
STREAMED = (
    added(item("assistant_message", "msg_a", content=[])),
    updated("msg_a", "assistant_message.content_part.added", content_index=0, content=part("")),
    updated("msg_a", "assistant_message.content_part.text_delta", content_index=0, delta="The quick "),
    updated("msg_a", "assistant_message.content_part.text_delta", content_index=0, delta="brown fox"),
    updated("msg_a", "assistant_message.content_part.text_delta", content_index=0, delta=" jumps over"),
)
WHOLE = "The quick brown fox jumps over"


def test_streamed_text(host: Host, server: HostServer) -> None:
    """§5.3: deltas appear while the stream is open, the last word once more comes; the finished item replaces them."""
    server.on("threads.create", answer(*STREAMED, HOLD, done(assistant(f"{WHOLE} it.", "msg_a"))))
    host.boot(host.custom())
    host.send("hello")
    host.widget.get_by_text("The quick brown").wait_for()
    assert host.widget.get_by_text("over").count() == 0, "§5.3 the last word is there"
    assert host.button("Stop response").is_visible(), "§1.12"
    assert "response.end" not in host.names(), "§1.9"
    server.release()
    host.widget.get_by_text(f"{WHOLE} it.", exact=True).wait_for()
    host.wait_for_event("response.end")
    assert host.widget.get_by_text("The quick").count() == 1, "§5.3 the item is there twice"


def test_items_are_replaced_and_removed(host: Host, server: HostServer) -> None:
    """§5.3: an item of a known id replaces the old one; a removed one disappears; unknown events and items are ignored."""
    server.on(
        "threads.create",
        answer(
            done(assistant("First version", "msg_a")),
            done(assistant("Second version", "msg_a")),
            done(assistant("To be removed", "msg_b")),
            done(assistant("To be replaced", "msg_c")),
            {"type": "thread.item.removed", "item_id": "msg_b"},
            {"type": "thread.item.replaced", "item": assistant("Replaced", "msg_c")},
            {"type": "response.text.delta", "delta": "foreign"},
            done(item("hologram", "holo_1", text="foreign")),
            done(item("end_of_turn", "eot_1")),
        ),
    )
    host.boot(host.custom())
    host.send_and_wait("hello")
    host.widget.get_by_text("Second version").wait_for()
    host.widget.get_by_text("Replaced", exact=True).wait_for()
    for text in ("First version", "To be removed", "To be replaced", "foreign"):
        assert host.widget.get_by_text(text).count() == 0, f"§5.3 {text}"
    assert host.errors() == [], "§5.2"


def test_error_event(host: Host, server: HostServer) -> None:
    """§1.11, §5.3: an error in the stream is a StreamError and a notice; Retry asks for the answer after the message."""
    server.on("threads.create", answer({"type": "error", "code": "stream.error", "allow_retry": True}))
    server.on("threads.retry_after_item", Stream(events=(done(assistant("Better now.")),)))
    host.boot(host.custom())
    host.send_and_wait("hello")
    assert host.errors() == [("StreamError", NO_ANSWER)], "§1.11"
    assert host.page_errors == [], "§2.6 only an IntegrationError is thrown again"
    host.widget.get_by_text(NO_ANSWER).wait_for()
    host.button("Retry").click()
    host.widget.get_by_text("Better now.").wait_for()
    (request,) = server.requests_of("threads.retry_after_item")
    assert request.params == {"thread_id": "thr_1", "item_id": "msg_user"}, "§5.1"
    assert "log:errorNotice.retry" in host.names(), "§1.9"
    assert host.widget.get_by_text(NO_ANSWER).count() == 0


def test_error_event_without_retry(host: Host, server: HostServer) -> None:
    """§5.3: a message of the server's own, and no Retry button unless it is allowed."""
    error = {"type": "error", "code": "custom", "message": "The kitchen is closed.", "allow_retry": False}
    server.on("threads.create", answer(error))
    host.boot(host.custom())
    host.send_and_wait("hello")
    host.widget.get_by_text("The kitchen is closed.").wait_for()
    assert host.errors() == [("StreamError", "The kitchen is closed.")], "§1.11"
    assert host.button("Retry").count() == 0, "§5.3"


def test_events_before_the_thread_are_dropped(host: Host, server: HostServer) -> None:
    """§5.3: until thread.created everything is dropped, an error becomes a toast, too."""
    early = (done(assistant("Too early")), {"type": "error", "code": "stream.error", "allow_retry": True})
    server.on(
        "threads.create", Stream(events=(*early, created(), done(user("hello")), done(assistant("In time", "m2"))))
    )
    host.boot(host.custom())
    host.send_and_wait("hello")
    host.widget.get_by_text("In time").wait_for()
    assert host.widget.get_by_text("Too early").count() == 0, "§5.3"
    assert (host.names().count("toast.show"), host.errors()) == (1, [("StreamError", NO_ANSWER)]), "§5.3"


def test_notice_and_progress(host: Host, server: HostServer) -> None:
    """§5.3: a notice stays, progress is shown until something else is."""
    progress = {"type": "progress_update", "text": "Looking it up"}
    notice = {"type": "notice", "level": "warning", "title": "Nearly full", "message": "Two messages are left."}
    server.on("threads.create", answer(progress, HOLD, notice, done(assistant("Found it."))))
    host.boot(host.custom())
    host.send("hello")
    host.widget.get_by_text("Looking it up").wait_for()
    server.release()
    host.widget.get_by_text("Found it.").wait_for()
    host.widget.get_by_text("Two messages are left.").wait_for()
    host.widget.get_by_text("Looking it up").wait_for(state="detached")


UNREADABLE = Stream(events=("data: {not json\n\n", "data: \n\n", ": a comment\n\n", created(), done(user("hello"))))


def test_unreadable_event(host: Host, server: HostServer) -> None:
    """§5.2: what is no JSON is a StreamEventParsingError, and the rest of the stream counts; blank data is ignored."""
    server.on("threads.create", UNREADABLE)
    host.boot(host.custom())
    host.send_and_wait("hello")
    ((name, message),) = host.errors()
    assert name == "StreamEventParsingError", "§5.2"
    assert message.startswith("Failed to parse stream event"), "§5.2"
    assert [event["detail"] for event in host.events if event["name"] == "thread.change"] == [{"threadId": "thr_1"}]


def test_foreign_stream_draws_nothing(host: Host, server: HostServer) -> None:
    """§5.2: a stream of another protocol ends without an error, and the start screen comes back."""
    server.on("threads.create", Stream(events=({"type": "response.text.delta", "delta": "Hi"},)))
    host.boot(host.custom())
    host.send_and_wait("hello")
    host.widget.get_by_text("What can I help with today?").wait_for()
    assert host.errors() == [], "§5.2"


REFUSALS = (
    pytest.param(404, 0, id="404"),
    pytest.param(401, 0, id="401"),
    pytest.param(429, 1, id="429"),
)


@pytest.mark.parametrize(("status", "toasts"), REFUSALS)
def test_stream_that_is_refused(host: Host, server: HostServer, status: int, toasts: int) -> None:
    """§1.11, §2.3: a 4xx is not repeated; custom mode shows nothing but a toast on 429."""
    server.on("threads.create", Answer(status=status, json={"message": "no"}))
    host.boot(host.custom())
    host.send_and_wait("hello")
    assert len(server.requests_of("threads.create")) == 1, "§2.3"
    assert (host.errors(), host.names().count("toast.show")) == ([], toasts), "§1.11"
    assert host.widget.get_by_text("hello", exact=True).count() == 0, "§1.11 the message stays"
    if toasts:
        text = "You’ve sent too many requests. Please try again later."  # noqa: RUF001
        assert host.widget.get_by_text(text).is_visible(), "§1.11"
    assert is_refused_once(host)


def is_refused_once(host: Host) -> bool:
    """Tell whether the events are those of one response that came to nothing."""
    names = [name for name in host.names() if name.startswith(("response", "thread"))]
    return names == ["response.start", "thread.change", "response.end"]


def test_second_message_that_is_refused(host: Host, server: HostServer) -> None:
    """§1.11: the message vanishes, the thread stays as it was."""
    server.on("threads.create", answer(done(assistant("Hello back."))))
    server.on("threads.add_user_message", Answer(status=400, json={}))
    host.boot(host.custom())
    host.send_and_wait("hello")
    host.send_and_wait("more")
    assert host.widget.get_by_text("more", exact=True).count() == 0, "§1.11 the message stays"
    host.widget.get_by_text("Hello back.").wait_for()
    assert host.names().count("thread.change") == 1, "§1.9"


REPEATED = (
    pytest.param(Answer(status=503, json={}), id="503"),
    pytest.param(Stream(events=(), status=503), id="503-stream"),
    pytest.param(Answer(json={"hello": "world"}), id="not-a-stream"),
)


@pytest.mark.parametrize("first", REPEATED)
def test_stream_that_is_repeated(host: Host, server: HostServer, first: Answer | Stream) -> None:
    """§2.3: a 5xx, or a success that is no stream, is tried again after a second or two."""
    server.on("threads.create", first, answer(done(assistant("At last."))))
    host.boot(host.custom())
    host.send("hello")
    host.wait_until(lambda: len(server.requests_of("threads.create")) == 1, "the first try")
    host.page.wait_for_timeout(300)
    assert len(server.requests_of("threads.create")) == 1, "§2.3 repeated at once"
    assert "response.end" not in host.names(), "§1.11"
    host.widget.get_by_text("At last.").wait_for(timeout=DEADLINE_MS)
    assert len(server.requests_of("threads.create")) == 2, "§2.3"
    assert host.errors() == [], "§1.11"


def test_list_that_is_repeated(host: Host, server: HostServer) -> None:
    """§1.11: a thread list that fails with 5xx is asked for again, one that is refused is not."""
    server.on("threads.list", Answer(status=500, json={}), Answer(json=page()))
    host.boot(host.custom())
    host.wait_until(lambda: len(server.requests_of("threads.list")) == 2, "§1.11 the repeat")
    server.reset()
    server.on("threads.list", Answer(status=403, json={}))
    host.boot(host.custom())
    host.page.wait_for_timeout(2_500)
    assert len(server.requests_of("threads.list")) == 1, "§1.11"
    assert host.errors() == [], "§1.11"


def test_stop(host: Host, server: HostServer) -> None:
    """§1.9, §2.1, §5.3: stopping aborts the request on the client, and no operation tells the server."""
    server.on("threads.create", answer(*STREAMED, HOLD))
    host.boot(host.custom())
    host.send("hello")
    host.widget.get_by_text("The quick brown").wait_for()
    host.button("Stop response").click()
    host.wait_for_event("response.end")
    names = [name for name in host.names() if name.startswith("response")]
    assert names == ["response.start", "response.stop", "response.end"], "§1.9"
    stream = next(m for m in host.messages if m["type"] == "fetchEventSource")
    aborted = [m["nonce"] for m in host.messages if m["type"] == "abortSignal"]
    assert aborted == [stream["nonce"]], "§2.1"
    host.wait_until(lambda: f"POST {server.url}/chatkit" in host.failed, "§5.3 the host page gives up the request")
    assert {request.operation for request in server.requests} == {"threads.list", "threads.create"}, "§5.3"
    assert host.errors() == []
    host.widget.get_by_text(WHOLE).wait_for()
    host.button("Send message").wait_for()


def test_pages_of_threads(host: Host, server: HostServer) -> None:
    """§5.1: the list is read to its end, each page after the last element of the one before."""
    pages = (page(thread("thr_3"), thread("thr_2"), has_more=True) | {"after": "ignored"}, page(thread("thr_1")))
    server.on("threads.list", *(Answer(json=known) for known in pages))
    host.boot(host.custom())
    host.wait_until(lambda: len(server.requests_of("threads.list")) == 2, "the second page")
    assert [r.params.get("after") for r in server.requests_of("threads.list")] == [None, "thr_2"], "§5.1"


def test_no_history_no_list(host: Host, server: HostServer) -> None:
    """§1.10: without history and initial thread nothing is asked of the backend at boot."""
    host.boot(host.custom("history: { enabled: false }"))
    host.page.wait_for_timeout(400)
    assert server.requests == [], "§1.10"
    assert host.button("Conversation history").count() == 0


def stored(*items: dict[str, Any], has_more: bool = False, **more: Any) -> Answer:
    """Return the answer of threads.get_by_id."""
    return Answer(json=thread(items=page(*items, has_more=has_more), title="Stored thread", **more))


def test_initial_thread(host: Host, server: HostServer) -> None:
    """§1.6, §1.9, §5.1: it is loaded at boot, with all its items."""
    server.on("threads.get_by_id", stored(user("A question", "m1"), has_more=True))
    server.on("items.list", Answer(json=page(assistant("An answer", "m2"))))
    host.boot(host.custom("initialThread: 'thr_1', history: { enabled: false }"))
    host.widget.get_by_text("An answer").wait_for()
    assert host.widget.get_by_text("A question").is_visible()
    (got,), (listed,) = server.requests_of("threads.get_by_id"), server.requests_of("items.list")
    assert got.params == {"thread_id": "thr_1"}, "§5.1"
    assert listed.params == {"thread_id": "thr_1", "order": "asc", "limit": 9999, "after": "m1"}, "§5.1"
    loads = [event for event in host.events if event["name"].startswith("thread.load")]
    assert [(event["name"], event["detail"]) for event in loads] == [
        ("thread.load.start", {"threadId": "thr_1"}),
        ("thread.load.end", {"threadId": "thr_1"}),
    ], "§1.9"


def test_initial_thread_that_is_gone(host: Host, server: HostServer) -> None:
    """§1.11: an InitialThreadLoadError, and the new-thread view."""
    server.on("threads.get_by_id", Answer(status=404, json={}))
    host.boot(host.custom("initialThread: 'thr_gone', history: { enabled: false }"))
    host.wait_for_event("thread.change")
    ((name, message),) = host.errors()
    assert name == "InitialThreadLoadError", "§1.11"
    assert message.startswith("Failed to load initial thread"), "§1.11"
    names = [name for name in host.names() if name.startswith("thread")]
    assert names == ["thread.load.start", "thread.load.end", "thread.change"], "§1.11"
    assert next(event["detail"] for event in host.events if event["name"] == "thread.change") == {"threadId": None}, (
        "§1.11"
    )
    host.widget.get_by_text("What can I help with today?").wait_for()
    assert len(server.requests_of("threads.get_by_id")) == 1, "§1.11"


def test_set_thread_id_and_fetch_updates(host: Host, server: HostServer) -> None:
    """§1.8: a thread is opened by its id, loaded again, and left."""
    server.on("threads.get_by_id", stored(user("A question", "m1")), stored(user("Another question", "m1")))
    host.boot(host.custom())
    host.evaluate("() => chat.setThreadId('thr_1')")
    host.widget.get_by_text("A question").wait_for()
    host.evaluate("() => chat.fetchUpdates()")
    host.widget.get_by_text("Another question").wait_for()
    host.evaluate("() => chat.setThreadId(null)")
    host.widget.get_by_text("What can I help with today?").wait_for()
    changes = [event["detail"]["threadId"] for event in host.events if event["name"] == "thread.change"]
    assert changes == ["thr_1", None], "§1.9"


def test_thread_that_cannot_be_loaded(host: Host, server: HostServer) -> None:
    """§1.9: the start screen is there again, and the page is told of no error."""
    server.on("threads.get_by_id", Answer(status=404, json={}))
    host.boot(host.custom())
    host.evaluate("() => { chat.setThreadId('thr_gone').catch(() => {}); }")
    host.wait_for_event("thread.change", 2)
    names = [name for name in host.names() if name.startswith("thread.")]
    assert names == ["thread.change", "thread.load.start", "thread.load.end", "thread.change"], "§1.9"
    host.widget.get_by_text("What can I help with today?").wait_for()
    assert host.errors() == [], "§2.6"


def test_chosen_thread_that_cannot_be_loaded(host: Host, server: HostServer) -> None:
    """§1.11: who chose it from the history is told, by a toast; the page is not."""
    server.on("threads.get_by_id", Answer(status=404, json={}))
    server.on("threads.list", Answer(json=page(thread("thr_9", title="An old one"))))
    host.boot(host.custom())
    host.button("Conversation history").click()
    host.widget.get_by_text("An old one").first.click()
    host.widget.get_by_text("Failed to load conversation.").wait_for()
    host.widget.get_by_text("What can I help with today?").wait_for()
    assert host.errors() == [], "§2.6"


BROKEN = Answer(text=": a stream that breaks\n\n", media_type="text/event-stream", headers={"content-length": "99"})


def test_first_stream_that_breaks(host: Host, server: HostServer) -> None:
    """§1.11: a StreamError, the same words as a toast, and the start screen again; it is not repeated."""
    server.on("threads.create", BROKEN)
    host.boot(host.custom())
    host.send_and_wait("hello")
    host.wait_for_event("toast.show")
    assert host.errors() == [("StreamError", NO_ANSWER)], "§1.11"
    said = next(e["detail"] for e in host.events if e["name"] == "log" and e["detail"]["name"] == "toast.show")
    assert said["data"] == {"toastTitle": None, "toastMessage": NO_ANSWER}, "§1.9"
    assert is_in_order(host.names(), "error", "log:toast.show", "response.end"), "§1.9"
    host.widget.get_by_text("What can I help with today?").wait_for()
    assert len(server.requests_of("threads.create")) == 1, "§2.3"


def test_second_stream_that_breaks(host: Host, server: HostServer) -> None:
    """§1.11: a StreamError, and its words in the thread, with a button to try again."""
    server.on("threads.create", answer(done(assistant("Hello back."))))
    server.on("threads.add_user_message", BROKEN)
    host.boot(host.custom())
    host.send_and_wait("hello")
    host.send_and_wait("more")
    assert host.errors() == [("StreamError", NO_ANSWER)], "§1.11"
    host.widget.get_by_text(NO_ANSWER).wait_for()
    host.button("Retry").wait_for()
    assert "toast.show" not in host.names(), "§1.11"


def test_send_user_message(host: Host, server: HostServer) -> None:
    """§1.8: it resolves when the request has started, and is refused when empty or while an answer is under way."""
    server.on("threads.create", answer(*STREAMED, HOLD, asked="From the page"))
    host.boot(host.custom())
    said = "(error) => error.name"
    assert host.evaluate(f"() => chat.sendUserMessage({{ text: '' }}).then(() => null, {said})") == "IntegrationError"
    options = "{ text: 'From the page', toolChoice: { id: 'search' }, model: 'fast', reply: 'quoted' }"
    host.evaluate(f"() => chat.sendUserMessage({options})")
    assert "response.end" not in host.names(), "§1.8"
    assert host.evaluate(f"() => chat.sendUserMessage({{ text: 'x' }}).then(() => null, {said})") == "IntegrationError"
    host.widget.get_by_text("The quick brown").wait_for()
    host.widget.get_by_text("From the page", exact=True).wait_for()
    (request,) = server.requests_of("threads.create")
    sent = request.params["input"]
    assert sent["inference_options"] == {"tool_choice": {"id": "search"}, "model": "fast"}, "§5.1"
    assert sent["quoted_text"] == "quoted", "§5.1"
    server.release()
    host.wait_for_event("response.end")
    assert "composer.submit" not in host.names(), "§1.9 submit is of the UI only"


def test_send_user_message_to_a_new_thread(host: Host, server: HostServer) -> None:
    """§1.8: `newThread` leaves the active one."""
    server.on("threads.create", answer(), answer(thread_id="thr_2"))
    host.boot(host.custom())
    host.send_and_wait("hello")
    host.evaluate("() => chat.sendUserMessage({ text: 'hello', newThread: true })")
    host.wait_for_event("response.end", 2)
    assert len(server.requests_of("threads.create")) == 2, "§1.8"


def test_custom_action(host: Host, server: HostServer) -> None:
    """§1.8: an action of the page goes to the active thread, and is refused without one."""
    server.on("threads.create", answer())
    server.on("threads.custom_action", Stream(events=(done(assistant("Acted.")),)))
    host.boot(host.custom())
    call = "chat.sendCustomAction({ type: 'go', payload: { x: 1 } }, 'wid_1')"
    assert host.evaluate(f"() => {call}.then(() => null, (error) => error.name)") == "IntegrationError", "§1.8"
    host.send_and_wait("hello")
    host.evaluate(f"() => {call}")
    host.widget.get_by_text("Acted.").wait_for()
    (request,) = server.requests_of("threads.custom_action")
    action = {"type": "go", "payload": {"x": 1}}
    assert request.params == {"thread_id": "thr_1", "item_id": "wid_1", "action": action}, "§5.1"

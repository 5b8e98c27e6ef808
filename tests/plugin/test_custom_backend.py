"""The embedded backend of the custom mode, held against OpenAI's own server: the same requests, the same answers."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from harness.servers.chat.scripts import SCRIPTS
from harness.servers.chat.store import ChatStore
from harness.servers.scenarios import Scenario
from harness.servers.server import Stack, serve_stack
from tests.commands import BROKEN, TIMEOUT_S

pytest.importorskip("chatkit", reason="the real server is not installed: pip install 'chatkit-harness[clients]'")

if TYPE_CHECKING:  # it takes seconds to import: only the worker that asks for it does so
    from tests.reference_backend import Reference

pytestmark = pytest.mark.filterwarnings("ignore:Direct usage of named widget classes:DeprecationWarning")

FAST = Scenario(name="fast", chunk_gap_ms=0)
ID = re.compile(r"\b(thr|msg|tc|call|tsk|wf|atc)_[0-9a-f]{8}\b")
TIME = re.compile(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?\b")
BLOCK = re.compile(r"data: (\{.*\})\n\n")
# What the library has no type for, and what no library answers in an orderly way.
UNTYPED = {"unknown"}


class Chat:
    """A frame that writes down what it is answered, with ids and times made comparable."""

    def __init__(self, base: str) -> None:
        self.base = base
        # No certificates to load, and no connection used twice: the real server closes one after an exception.
        self._client = httpx.Client(
            verify=False, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0), timeout=TIMEOUT_S
        )
        self.answers: list[Any] = []
        self._names: dict[str, str] = {}

    def send(self, operation: str, params: Any, **more: Any) -> Any:
        """Send one operation, and return its JSON, or its events and how the stream ended."""
        return self.send_raw(json.dumps({"type": operation, "params": params, **more}))

    def send_raw(self, body: str) -> Any:
        """Send a body as it is."""
        text, ending = "", "complete"
        with self._client.stream("POST", f"{self.base}/chatkit", content=body) as response:
            try:
                for chunk in response.iter_text():
                    text += chunk
            except BROKEN:
                ending = "broken"
        media_type = response.headers["content-type"]
        answer: Any = json.loads(text) if media_type == "application/json" else text
        if media_type.startswith("text/event-stream"):
            assert BLOCK.sub("", text) == "", "every event is one line of data and an empty line"
            answer = [json.loads(block) for block in BLOCK.findall(text)]
        self.answers.append((response.status_code, media_type, ending, self._comparable(answer)))
        return answer

    def _comparable(self, answer: Any) -> Any:
        text = json.dumps(answer).replace(self.base, "BASE")
        return json.loads(TIME.sub("TIME", ID.sub(self._name, text)))

    def _name(self, match: re.Match[str]) -> str:
        kind = match[1]
        number = sum(name.startswith(kind + "#") for name in self._names.values()) + 1
        return self._names.setdefault(match[0], f"{kind}#{number}")


def message(text: str, **more: Any) -> dict[str, Any]:
    """Return a message as the composer sends it."""
    return {
        "content": [{"type": "input_text", "text": text}],
        "attachments": [],
        "quoted_text": "",
        "inference_options": {},
        **more,
    }


def start(chat: Chat, text: str, **more: Any) -> tuple[str, list[Any]]:
    """Begin a thread, and return its id and the events."""
    events = chat.send("threads.create", {"input": message(text, **more)})
    return events[0]["thread"]["id"], events


def done(events: list[Any], kind: str) -> dict[str, Any]:
    """Return the last complete item of a type."""
    items = [event["item"] for event in events if event["type"] == "thread.item.done"]
    return [item for item in items if item["type"] == kind][-1]


@pytest.fixture(scope="module")
def reference() -> Iterator[Reference]:
    """The real server."""
    from tests.reference_backend import serve_reference

    with serve_reference() as server:
        yield server


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    """The embedded servers, without pauses."""
    with serve_stack(scenario=FAST) as stack:
        yield stack


@pytest.fixture
def compare(running: Stack, reference: Reference) -> Callable[[Callable[[Chat], None]], list[Any]]:
    """Holds one talk with both servers, and returns the answers, which are the same."""
    running.use(FAST)
    reference.store.forget()

    def both(talk: Callable[[Chat], None]) -> list[Any]:
        real, embedded = Chat(reference.url), Chat(running.app_url)
        talk(real)
        talk(embedded)
        assert embedded.answers == real.answers
        return embedded.answers

    return both


Compare = Callable[[Callable[[Chat], None]], list[Any]]


@pytest.mark.parametrize("word", ["what is tea?", *sorted(SCRIPTS.keys() - UNTYPED - {"drop"})])
def test_every_script_is_streamed_and_stored_as_the_real_server_does(compare: Compare, word: str) -> None:
    """The events of a first and a second message, and the thread read again, are the real server's."""

    def talk(chat: Chat) -> None:
        thread_id, _ = start(chat, word)
        chat.send("threads.get_by_id", {"thread_id": thread_id})
        if word not in ("tool", "form"):
            chat.send("threads.add_user_message", {"thread_id": thread_id, "input": message(word)})
        chat.send("items.list", {"thread_id": thread_id, "order": "asc"})

    answers = compare(talk)
    events = answers[0][3]
    assert [event["type"] for event in events[:3]] == ["thread.created", "thread.item.done", "stream_options"]
    assert answers[0][:3] == (200, "text/event-stream; charset=utf-8", "complete")


@pytest.mark.parametrize("result", [{"ok": True, "detail": None}, "dark", 7, None, []])
def test_client_tool_call_goes_round(compare: Compare, result: Any) -> None:
    """The output completes the call and is answered; a second output, or one without a call, breaks the stream."""

    def talk(chat: Chat) -> None:
        thread_id, events = start(chat, "tool")
        assert done(events, "client_tool_call")["name"] == "switch_theme"
        output = {"thread_id": thread_id, "result": result}
        answer = chat.send("threads.add_client_tool_output", output)
        assert answer[0]["type"] == "stream_options"
        chat.send("threads.get_by_id", {"thread_id": thread_id})
        assert chat.send("threads.add_client_tool_output", output) == []

    assert compare(talk)[-1][:3] == (200, "text/event-stream; charset=utf-8", "broken")


def test_unanswered_tool_call_stays_until_the_next_one_is_answered(compare: Compare) -> None:
    """Of two pending calls the older is dropped when the newer is answered."""

    def talk(chat: Chat) -> None:
        thread_id, _ = start(chat, "tool")
        chat.send("threads.add_user_message", {"thread_id": thread_id, "input": message("tool")})
        chat.send("threads.get_by_id", {"thread_id": thread_id})
        chat.send("threads.add_client_tool_output", {"thread_id": thread_id, "result": 1})
        items = chat.send("threads.get_by_id", {"thread_id": thread_id})["items"]["data"]
        assert [item["type"] for item in items].count("client_tool_call") == 1

    compare(talk)


def test_thread_is_continued_listed_renamed_and_deleted(compare: Compare) -> None:
    """A second message, the list, the items by page, a new title, feedback and deletion are answered alike."""

    def talk(chat: Chat) -> None:
        first, _ = start(chat, "one")
        second, _ = start(
            chat, "two", quoted_text="a quotation", inference_options={"model": "m", "tool_choice": {"id": "t"}}
        )
        chat.send("threads.add_user_message", {"thread_id": first, "input": message("more")})
        chat.send("threads.list", {"limit": 1, "order": "asc"})
        page = chat.send("threads.list", {"limit": 1})
        chat.send("threads.list", {"limit": 9999, "order": "desc", "after": page["data"][-1]["id"]})
        items = chat.send("items.list", {"thread_id": first, "limit": 3, "order": "asc"})
        chat.send("items.list", {"thread_id": first, "limit": 9999, "order": "asc", "after": items["data"][-1]["id"]})
        chat.send("items.list", {"thread_id": first, "limit": 1})
        chat.send("threads.update", {"thread_id": second, "title": "Another"}, metadata={"page": "settings"})
        chat.send("items.feedback", {"thread_id": first, "item_ids": [items["data"][0]["id"]], "kind": "positive"})
        chat.send("threads.delete", {"thread_id": first})
        assert chat.send("threads.get_by_id", {"thread_id": first}) == "Internal Server Error"
        chat.send("threads.delete", {"thread_id": second})

    compare(talk)


def test_message_may_carry_tags(compare: Compare) -> None:
    """A tag keeps its data; what is not known of it is dropped."""
    tag = {"type": "input_tag", "id": "t1", "text": "@tea", "data": {"a": None}, "group": "drinks", "colour": "green"}
    bare = {"type": "input_tag", "id": "t2", "text": "@x", "data": {}, "interactive": True}

    def talk(chat: Chat) -> None:
        content = [{"type": "input_text", "text": "about"}, tag, bare]
        _, events = start(chat, "", content=content)
        assert done(events, "assistant_message")["content"][0]["text"].startswith("You asked: “about @tea @x”.")

    compare(talk)


def test_answer_is_repeated_after_a_message(compare: Compare) -> None:
    """A retry forgets what followed the message; an item that is no message, or is not there, is treated alike."""

    def talk(chat: Chat) -> None:
        thread_id, events = start(chat, "one")
        question, answer = done(events, "user_message")["id"], done(events, "assistant_message")["id"]
        chat.send("threads.add_user_message", {"thread_id": thread_id, "input": message("two")})
        chat.send("threads.retry_after_item", {"thread_id": thread_id, "item_id": question})
        items = chat.send("threads.get_by_id", {"thread_id": thread_id})["items"]["data"]
        assert [item["type"] for item in items] == ["user_message", "assistant_message"]
        chat.send("threads.retry_after_item", {"thread_id": thread_id, "item_id": answer})
        chat.send("threads.retry_after_item", {"thread_id": thread_id, "item_id": items[1]["id"]})
        assert chat.send("threads.retry_after_item", {"thread_id": thread_id, "item_id": "msg_nowhere"}) == []

    compare(talk)


def test_widget_actions_are_handled(compare: Compare) -> None:
    """Streamed and at once, with a sender, without one, with one that is no widget, and for an unknown action."""

    def talk(chat: Chat) -> None:
        thread_id, events = start(chat, "widget")
        item_id, question_id = done(events, "widget")["id"], done(events, "user_message")["id"]
        for operation in ("threads.custom_action", "threads.sync_custom_action"):
            for kind in ("count.add", "count.add_at_once", "count.nonsense"):
                for sender in ({"item_id": item_id}, {"item_id": question_id}, {}, {"item_id": "msg_nowhere"}):
                    action = {"type": kind, "payload": {"step": 1}}
                    chat.send(operation, {"thread_id": thread_id, "action": action, **sender})
        shown = chat.send("items.list", {"thread_id": thread_id, "order": "asc"})["data"][1]
        assert shown["widget"]["children"][1]["value"] == "2"

    compare(talk)


@pytest.mark.parametrize(
    "answers",
    [
        {"status": "answered", "answers": {"tea": {"values": ["Green", "Black"]}, "name": {"values": ["Ada"]}}},
        {"answers": {"tea": {"values": [], "skipped": True}, "nonsense": {"values": ["x"]}}},
        {"status": "skipped", "answers": {"tea": {"values": ["Green"]}}},
        {},
    ],
    ids=["answered", "partly", "skipped", "empty"],
)
def test_form_is_answered(compare: Compare, answers: dict[str, Any]) -> None:
    """Answers are kept as the real server keeps them; a form that is complete takes no second set."""

    def talk(chat: Chat) -> None:
        thread_id, events = start(chat, "form")
        params = {"thread_id": thread_id, "item_id": done(events, "structured_input")["id"], "input": answers}
        chat.send("threads.add_structured_input", params)
        chat.send("threads.get_by_id", {"thread_id": thread_id})
        chat.send("threads.add_structured_input", params)
        question = done(events, "user_message")["id"]
        chat.send("threads.add_structured_input", params | {"item_id": question})

    compare(talk)


def test_attachments_are_announced_sent_and_removed(compare: Compare) -> None:
    """An attachment has its upload address, belongs to the thread of its message, and can be removed."""

    def talk(chat: Chat) -> None:
        file = chat.send("attachments.create", {"name": "a.pdf", "size": 7, "mime_type": "application/pdf"})
        image = chat.send("attachments.create", {"name": "b.png", "size": 9, "mime_type": "image/png"})
        start(chat, "look", attachments=[file["id"], image["id"]])
        chat.send("attachments.delete", {"attachment_id": file["id"]})
        chat.send("attachments.delete", {"attachment_id": file["id"]})
        events = chat.send("threads.create", {"input": message("again", attachments=[file["id"]])})
        assert [event["type"] for event in events] == ["thread.created"]

    assert compare(talk)[-1][2] == "broken"


def test_speech_is_transcribed(compare: Compare) -> None:
    """Sound becomes text; what is not base64 becomes an error."""

    def talk(chat: Chat) -> None:
        chat.send("input.transcribe", {"audio_base64": "A" * 1600, "mime_type": "audio/webm;codecs=opus"})
        chat.send("input.transcribe", {"audio_base64": "x", "mime_type": "audio/webm"})

    compare(talk)


UNKNOWN_THREAD = {"thread_id": "thr_nowhere"}


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("threads.get_by_id", UNKNOWN_THREAD),
        ("threads.update", UNKNOWN_THREAD | {"title": "x"}),
        ("threads.delete", UNKNOWN_THREAD),
        ("items.list", UNKNOWN_THREAD),
        ("items.feedback", UNKNOWN_THREAD | {"item_ids": [], "kind": "negative"}),
        ("threads.add_user_message", UNKNOWN_THREAD | {"input": message("hello")}),
        ("threads.add_client_tool_output", UNKNOWN_THREAD | {"result": 1}),
        ("threads.add_structured_input", UNKNOWN_THREAD | {"item_id": "msg_1", "input": {}}),
        ("threads.retry_after_item", UNKNOWN_THREAD | {"item_id": "msg_1"}),
        ("threads.custom_action", UNKNOWN_THREAD | {"action": {"type": "x"}}),
        ("threads.sync_custom_action", UNKNOWN_THREAD | {"action": {"type": "x"}}),
        ("threads.list", {"after": "thr_nowhere"}),
        ("threads.list", {"limit": None, "order": "desc", "after": None}),
    ],
)
def test_unknown_thread_is_treated_alike(compare: Compare, operation: str, params: dict[str, Any]) -> None:
    """Where the real server raises before it streams, both answer 500 or break the stream."""
    compare(lambda chat: chat.send(operation, params))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not json",
        "[]",
        "{}",
        '{"type": 7, "params": {}}',
        '{"type": "threads.list"}',
        '{"type": "threads.list", "params": []}',
        '{"type": "threads.list", "params": {"limit": "many"}}',
        '{"type": "threads.list", "params": {"order": "sideways"}}',
        '{"type": "threads.list", "params": {"order": null}}',
        '{"type": "threads.list", "params": {}, "metadata": null}',
        '{"type": "threads.list", "params": {}, "metadata": []}',
        '{"type": "threads.list", "params": {"unknown": 1}, "unknown": 2}',
        '{"type": "threads.get_by_id", "params": {"thread_id": 7}}',
        '{"type": "threads.stop", "params": {"thread_id": "thr_1"}}',
        '{"type": "attachments.get_preview", "params": {}}',
        '{"type": "threads.update", "params": {"thread_id": "thr_1", "title": null}}',
        '{"type": "threads.create", "params": {"input": {"content": []}}}',
        '{"type": "threads.create", "params": {"input": {"content": [], "attachments": []}}}',
        '{"type": "threads.create", "params": {"input": {"content": [], "attachments": [], "inference_options": null}}}',
        '{"type": "threads.create", "params": {"input": {"content": [{}], "attachments": [], "inference_options": {}}}}',
        '{"type": "threads.create", "params": {"input": {"content": [], "attachments": [1], "inference_options": {}}}}',
        '{"type": "threads.create", "params": {"input": {"content": [{"type": "input_image"}], "attachments": [],'
        ' "inference_options": {}}}}',
        '{"type": "threads.create", "params": {"input": {"content": [{"type": "input_tag", "id": "1", "text": "x"}],'
        ' "attachments": [], "inference_options": {}}}}',
        '{"type": "threads.create", "params": {"input": {"content": [], "attachments": [], "quoted_text": null,'
        ' "inference_options": {"tool_choice": null, "model": null, "unknown": 1}}}}',
        '{"type": "threads.create", "params": {"input": {"content": [], "attachments": [],'
        ' "inference_options": {"tool_choice": {}}}}}',
        '{"type": "threads.add_client_tool_output", "params": {"thread_id": "thr_1"}}',
        '{"type": "threads.custom_action", "params": {"thread_id": "thr_1", "action": {}}}',
        '{"type": "items.feedback", "params": {"thread_id": "t", "item_ids": ["i"], "kind": "mixed"}}',
        '{"type": "attachments.create", "params": {"name": "a", "mime_type": "b"}}',
    ],
)
def test_malformed_request_is_treated_alike(compare: Compare, body: str) -> None:
    """What the library's types refuse is a bare 500, and what they accept is accepted."""
    status = compare(lambda chat: chat.send_raw(body))[0][0]
    assert status in (200, 500)


def test_unknown_operation_is_named_in_the_log(running: Stack) -> None:
    """A person finds out why: the log says what the bare 500 does not."""
    running.use(FAST)
    Chat(running.app_url).send("threads.stop", {})
    Chat(running.app_url).send("threads.retry_after_item", UNKNOWN_THREAD | {"item_id": "msg_1"})
    first, second = running.answers("app", "/chatkit")
    assert (first.status, first.note[:50]) == (500, "the backend raises: Invalid value: 'threads.stop'.")
    assert (second.status, second.note) == (200, "the stream was aborted: Thread with id 'thr_nowhere' not found.")


def test_connection_breaks_when_asked_to(running: Stack) -> None:
    """`drop` sends the beginning of an answer, and then nothing that would end the stream."""
    running.use(FAST)
    chat = Chat(running.app_url)
    _, events = start(chat, "drop")
    assert chat.answers[0][2] == "broken"
    assert events[-1]["update"]["delta"] == " because"


def test_unknown_events_stand_around_a_reply(running: Stack) -> None:
    """`unknown` is a whole reply between events that no frame knows."""
    running.use(FAST)
    _, events = start(Chat(running.app_url), "unknown")
    kinds = [event["type"] for event in events]
    assert kinds[3] == "stand_in.nonsense"
    assert kinds[-1] == "thread.item.levitated"
    assert "thread.item.done" in kinds[4:]


def test_stopped_reply_is_kept_as_far_as_it_was_shown(running: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame that stops reading leaves the words it has seen in the thread, and no more."""
    running.use(replace(FAST, chunk_gap_ms=20))
    kept: list[str] = []
    is_kept = threading.Event()
    put_item = ChatStore.put_item

    def watch(store: ChatStore, thread_id: str, item: Any) -> None:
        put_item(store, thread_id, item)
        if item["type"] == "assistant_message":
            kept.append(item["content"][0]["text"])
            is_kept.set()

    monkeypatch.setattr(ChatStore, "put_item", watch)
    body = {"type": "threads.create", "params": {"input": message("long")}}
    shown = ""
    with httpx.stream("POST", f"{running.app_url}/chatkit", json=body, timeout=TIMEOUT_S) as response:
        lines = (json.loads(line.removeprefix("data: ")) for line in response.iter_lines() if line)
        while len(shown.split()) < 5:
            shown += next(lines).get("update", {}).get("delta", "")
    assert is_kept.wait(TIMEOUT_S), "nothing was kept of the stopped reply"
    assert kept[0].startswith(shown)
    assert len(kept[0].split()) < 400


def test_file_is_put_where_it_was_announced(running: Stack) -> None:
    """The address takes a PUT once announced, gives the file back, and knows no other name."""
    running.use(FAST)
    chat = Chat(running.app_url)
    content = bytes(range(256)) + b"\r\n--x\n\r\r\n"
    image = chat.send("attachments.create", {"name": "a.png", "size": len(content), "mime_type": "image/png"})
    url = image["upload_descriptor"]["url"]
    assert httpx.get(url, timeout=TIMEOUT_S).status_code == 404
    assert httpx.put(url, content=content, timeout=TIMEOUT_S).status_code == 200
    answer = httpx.get(image["preview_url"], timeout=TIMEOUT_S)
    assert (answer.content, answer.headers["content-type"]) == (content, "image/png")
    assert httpx.put(url + "0", content=content, timeout=TIMEOUT_S).status_code == 404
    _, events = start(chat, "look", attachments=[image["id"]])
    assert "upload_descriptor" not in done(events, "user_message")["attachments"][0]


def test_file_may_be_posted_as_a_form(running: Stack) -> None:
    """A direct upload is an attachment at once, byte for byte."""
    running.use(FAST)
    content = bytes(range(256)) * 3 + b"\r\n\r\n--boundary--\r\n"
    url = f"{running.app_url}/chatkit/upload"
    answer = httpx.post(url, files={"file": ("tëa.png", content, "image/png")}, data={"other": "x"}, timeout=TIMEOUT_S)
    attachment = answer.json()
    assert (attachment["name"], attachment["mime_type"], attachment["type"]) == ("tëa.png", "image/png", "image")
    assert "upload_descriptor" not in attachment
    assert httpx.get(attachment["preview_url"], timeout=TIMEOUT_S).content == content
    assert httpx.post(url, data={"other": "x"}, timeout=TIMEOUT_S).status_code == 400


def test_upload_address_is_the_pages_own_origin(running: Stack) -> None:
    """Behind a route the page's origin is another than the server's address."""
    running.use(FAST)
    body = {"type": "attachments.create", "params": {"name": "a", "size": 1, "mime_type": "text/plain"}}
    answer = httpx.post(
        f"{running.app_url}/chatkit", json=body, headers={"origin": "https://app.test"}, timeout=TIMEOUT_S
    ).json()
    assert answer["upload_descriptor"]["url"] == f"https://app.test/chatkit/attachments/{answer['id']}"

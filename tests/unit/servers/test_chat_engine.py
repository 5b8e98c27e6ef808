"""The engine of both chat backends, without a socket: what is stored when a reply is stopped, and what is checked first."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar

import pytest

from harness.servers.chat.engine import ConflictError, Engine
from harness.servers.chat.requests import operation_of
from harness.servers.chat.store import ChatStore, NotFoundError
from harness.servers.custom import IDS

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a thread of its own: a browser test of the same process may keep a loop in this one."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, work).result()


def engine(store: ChatStore | None = None, **more: Any) -> Engine:
    """Return an engine without pauses, in which it is always New Year."""
    defaults: dict[str, Any] = {
        "store": store or ChatStore(),
        "ids": IDS,
        "now": lambda: datetime(2026, 1, 1),
        "gap_s": 0,
        "attachment_url": lambda attachment_id: f"https://app.test/{attachment_id}",
    }
    return Engine(**(defaults | more))


def operation(kind: str, **params: Any) -> Any:
    """Return an operation."""
    return operation_of({"type": kind, "params": params})


def asked(text: str, **more: Any) -> Any:
    """Return the first message of a thread."""
    content = [{"type": "input_text", "text": text}]
    return operation("threads.create", input={"content": content, "attachments": [], "inference_options": {}, **more})


async def played(backend: Engine, what: Any, *, until: int | None = None) -> list[Any]:
    """Return the events of a stream, or so many of them; then nobody reads any more."""
    events = []
    stream = backend.stream(what)
    async for event in stream:
        events.append(event)
        if len(events) == until:
            break
    await stream.aclose()
    return events


def stored(store: ChatStore) -> list[Any]:
    """Return the items of the only thread."""
    (thread_id,) = store.threads
    return list(store.items_of(thread_id))


@pytest.mark.parametrize(("events", "text"), [(4, None), (5, None), (7, "This answer"), (9, "This answer goes on")])
def test_reply_that_nobody_reads_is_kept_as_far_as_it_came(events: int, text: str | None) -> None:
    """The words that were sent are in the thread; a message without a word is not."""
    store = ChatStore()
    run(played(engine(store), asked("long"), until=events))
    answers = [item for item in stored(store) if item["type"] == "assistant_message"]
    assert [answer["content"][0]["text"] for answer in answers] == ([] if text is None else [text])


def test_reply_that_is_cancelled_is_kept_too() -> None:
    """A server ends a stream by cancelling its task while it waits for the next word."""
    store = ChatStore()
    words: list[str] = []

    async def read(is_under_way: asyncio.Event) -> None:
        async for event in engine(store, gap_s=0.001).stream(asked("long")):
            words.append(event.get("update", {}).get("delta", ""))
            if len(words) > 8:
                is_under_way.set()

    async def stop() -> None:
        is_under_way = asyncio.Event()
        task = asyncio.create_task(read(is_under_way))
        await is_under_way.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    run(stop())
    assert stored(store)[1]["content"][0]["text"] == "".join(words)


def test_titles_are_given_once_and_only_where_they_are_wanted() -> None:
    """The first message names the thread; without titles, or with one, nothing changes."""

    def title_of(store: ChatStore) -> str | None:
        return next(iter(store.threads.values())).title

    store = ChatStore()
    events = run(played(engine(store), asked("  three topics about tea  " + "x" * 100)))
    assert title_of(store) == "three topics about tea  " + "x" * 36
    assert [event["type"] for event in events].count("thread.updated") == 1
    (thread_id,) = store.threads
    more = operation(
        "threads.add_user_message",
        thread_id=thread_id,
        input={"content": [], "attachments": [], "inference_options": {}},
    )
    again = run(played(engine(store), more))
    assert "thread.updated" not in [event["type"] for event in again]
    untitled = ChatStore()
    run(played(engine(untitled, has_titles=False), asked("tea")))
    assert title_of(untitled) is None
    nameless = ChatStore()
    run(played(engine(nameless), asked("")))
    assert title_of(nameless) == "New chat"


def test_thread_that_is_deleted_under_a_reply_stays_deleted() -> None:
    """The reply goes on, and nothing of it is kept."""
    store = ChatStore()

    async def talk() -> None:
        stream = engine(store).stream(asked("hello"))
        first = await anext(stream)
        store.delete_thread(first["thread"]["id"], "")
        rest = [event["type"] async for event in stream]
        assert rest[-1] == "thread.item.done"

    run(talk())
    assert (store.threads, store.items) == ({}, {})


@pytest.mark.parametrize(
    ("kind", "params", "error"),
    [
        (
            "threads.create",
            {"input": {"content": [], "attachments": ["atc_x"], "inference_options": {}}},
            NotFoundError,
        ),
        ("threads.add_client_tool_output", {"thread_id": "THREAD", "result": 1}, ConflictError),
        ("threads.add_client_tool_output", {"thread_id": "thr_x", "result": 1}, NotFoundError),
        ("threads.add_structured_input", {"thread_id": "THREAD", "item_id": "ANSWER", "input": {}}, ConflictError),
        ("threads.add_structured_input", {"thread_id": "THREAD", "item_id": "msg_x", "input": {}}, NotFoundError),
        ("threads.retry_after_item", {"thread_id": "THREAD", "item_id": "ANSWER"}, ConflictError),
        ("threads.custom_action", {"thread_id": "THREAD", "item_id": "msg_x", "action": {"type": "x"}}, NotFoundError),
    ],
)
def test_what_would_break_a_stream_is_known_before(kind: str, params: dict[str, Any], error: type[Exception]) -> None:
    """`check` raises what the stream would raise, and the stream raises it too."""
    store = ChatStore()
    run(played(engine(store), asked("hello")))
    (thread_id,) = store.threads
    names = {"THREAD": thread_id, "ANSWER": stored(store)[1]["id"]}
    what = operation(
        kind, **{name: names.get(value, value) if isinstance(value, str) else value for name, value in params.items()}
    )
    with pytest.raises(error):
        engine(store).check(what)
    with pytest.raises(error):
        run(played(engine(store), what))

"""The items and events of a custom backend, in the shapes of protocol facts §5.

In: what differs. Out: dicts as the real server library sends them.
"""

from __future__ import annotations

from typing import Any

from conformance.server import Stream

Event = dict[str, Any]


def thread(thread_id: str = "thr_1", **more: Any) -> Event:
    """Return a thread without items."""
    return {
        "id": thread_id,
        "created_at": "2026-01-02T10:00:00",
        "status": {"type": "active"},
        "metadata": {},
        "items": {"data": [], "has_more": False},
    } | more


def item(kind: str, item_id: str, **fields: Any) -> Event:
    """Return an item of the thread."""
    return {"id": item_id, "thread_id": "thr_1", "created_at": "2026-01-02T10:00:00", "type": kind} | fields


def user(text: str, item_id: str = "msg_user") -> Event:
    """Return a user message."""
    content = [{"type": "input_text", "text": text}]
    return item("user_message", item_id, content=content, attachments=[], inference_options={})


def assistant(text: str, item_id: str = "msg_assistant") -> Event:
    """Return an assistant message."""
    return item("assistant_message", item_id, content=[part(text)])


def part(text: str) -> Event:
    """Return one content part of an assistant message."""
    return {"type": "output_text", "text": text, "annotations": []}


def tool_call(name: str, item_id: str = "tc_1", **arguments: Any) -> Event:
    """Return a client tool call that waits."""
    return item("client_tool_call", item_id, status="pending", call_id="call_1", name=name, arguments=arguments)


def created(thread_id: str = "thr_1", **more: Any) -> Event:
    """Return the event of a new thread."""
    return {"type": "thread.created", "thread": thread(thread_id, **more)}


def done(finished: Event) -> Event:
    """Return the event of a finished item."""
    return {"type": "thread.item.done", "item": finished}


def added(begun: Event) -> Event:
    """Return the event of an item that has begun."""
    return {"type": "thread.item.added", "item": begun}


def updated(item_id: str, kind: str, **fields: Any) -> Event:
    """Return an update of an item."""
    return {"type": "thread.item.updated", "item_id": item_id, "update": {"type": kind} | fields}


def answer(*events: Any, asked: str = "hello", thread_id: str = "thr_1") -> Stream:
    """Return the stream of a first message: the thread, the message, then some events."""
    options = {"type": "stream_options", "stream_options": {"allow_cancel": True}}
    return Stream(events=(created(thread_id), done(user(asked)), options, *events))


def page(*data: Event, has_more: bool = False) -> Event:
    """Return a page of a list."""
    return {"data": list(data), "has_more": has_more}

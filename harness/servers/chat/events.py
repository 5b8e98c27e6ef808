"""The stream events and thread shapes of the self-hosted protocol, as JSON.

In: threads, items and what changes. Out: plain JSON in the shapes of `openai-chatkit`: fields that are null are left
out, fields that have a default are there.
"""

from __future__ import annotations

from typing import Any

from harness.servers.chat.requests import Json
from harness.servers.chat.store import ListPage, Thread


def thread_json(thread: Thread, items: ListPage[Json] | None = None) -> Json:
    """Return a thread as the frame reads it, with no items unless some are given."""
    return {
        **({} if thread.title is None else {"title": thread.title}),
        "id": thread.id,
        "created_at": thread.created_at.isoformat(),
        "status": thread.status,
        "metadata": {},
        "items": page_json(items) if items else {"data": [], "has_more": False},
    }


def page_json(page: ListPage[Json]) -> Json:
    """Return a page; `after` names its last element when there are more."""
    after = {"after": page.data[-1]["id"]} if page.has_more and page.data else {}
    return {"data": list(page.data), "has_more": page.has_more, **after}


def thread_created(thread: Thread) -> Json:
    """Return the event that opens the stream of a new thread."""
    return {"type": "thread.created", "thread": thread_json(thread)}


def thread_updated(thread: Thread) -> Json:
    """Return the event for a changed title or status."""
    return {"type": "thread.updated", "thread": thread_json(thread)}


def stream_options(*, allow_cancel: bool = True) -> Json:
    """Return the event that allows the Stop button."""
    return {"type": "stream_options", "stream_options": {"allow_cancel": allow_cancel}}


def item_added(item: Json) -> Json:
    """Return the event for an item that will still change."""
    return {"type": "thread.item.added", "item": item}


def item_done(item: Json) -> Json:
    """Return the event for an item that is complete."""
    return {"type": "thread.item.done", "item": item}


def item_replaced(item: Json) -> Json:
    """Return the event that puts an item in the place of the one with its id."""
    return {"type": "thread.item.replaced", "item": item}


def item_removed(item_id: str) -> Json:
    """Return the event that takes an item away."""
    return {"type": "thread.item.removed", "item_id": item_id}


def item_updated(item: Json, kind: str, **fields: Any) -> Json:
    """Return the event for one change of an item, such as "assistant_message.content_part.text_delta"."""
    return {"type": "thread.item.updated", "item_id": item["id"], "update": {"type": kind, **fields}}


def progress(text: str, icon: str | None = None) -> Json:
    """Return the event that shows what is going on."""
    return {"type": "progress_update", **({} if icon is None else {"icon": icon}), "text": text}


def notice(level: str, message: str, title: str | None = None) -> Json:
    """Return the event that shows a notice of level "info", "warning" or "danger"."""
    return {
        "type": "notice",
        "level": level,
        "message": message,
        **({} if title is None else {"title": title}),
    }


def client_effect(name: str, data: Json) -> Json:
    """Return the event that the page sees as `chatkit.effect`."""
    return {"type": "client_effect", "name": name, "data": data}


def error(*, code: str = "stream.error", message: str | None = None, allow_retry: bool) -> Json:
    """Return the event that ends a reply with an error; without a message the frame shows its own."""
    return {
        "type": "error",
        "code": code,
        **({} if message is None else {"message": message}),
        "allow_retry": allow_retry,
    }

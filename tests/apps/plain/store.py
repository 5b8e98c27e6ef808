"""Threads in memory, for one process: what OpenAI's library asks of a store."""

# The library names the methods and hands over the parameters.
# ruff: noqa: D102, ARG002

from __future__ import annotations

from typing import Any

from chatkit.store import NotFoundError, Store
from chatkit.types import Page, ThreadItem, ThreadMetadata

Context = dict[str, str]


class MemoryStore(Store[Context]):
    """Keeps everything until the process ends, in the order in which it came; no attachments."""

    def __init__(self) -> None:
        self._threads: dict[str, ThreadMetadata] = {}
        self._items: dict[str, dict[str, ThreadItem]] = {}

    async def load_thread(self, thread_id: str, context: Context) -> ThreadMetadata:
        return _found(self._threads, thread_id).model_copy(deep=True)

    async def save_thread(self, thread: ThreadMetadata, context: Context) -> None:
        self._threads[thread.id] = ThreadMetadata(
            **{name: getattr(thread, name) for name in ThreadMetadata.model_fields}
        )
        self._items.setdefault(thread.id, {})

    async def load_threads(self, limit: int, after: str | None, order: str, context: Context) -> Page[ThreadMetadata]:
        return _page(self._threads, limit, after, order)

    async def delete_thread(self, thread_id: str, context: Context) -> None:
        self._threads.pop(thread_id, None)
        self._items.pop(thread_id, None)

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Context
    ) -> Page[ThreadItem]:
        return _page(_found(self._items, thread_id), limit, after, order)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Context) -> None:
        self._items[thread_id][item.id] = item

    save_item = add_thread_item

    async def load_item(self, thread_id: str, item_id: str, context: Context) -> ThreadItem:
        return _found(_found(self._items, thread_id), item_id)

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Context) -> None:
        self._items[thread_id].pop(item_id, None)

    async def save_attachment(self, attachment: Any, context: Context) -> None:
        raise NotImplementedError

    async def load_attachment(self, attachment_id: str, context: Context) -> Any:
        raise NotFoundError(attachment_id)

    async def delete_attachment(self, attachment_id: str, context: Context) -> None:
        raise NotFoundError(attachment_id)


def _found(rows: dict[str, Any], key: str) -> Any:
    if key not in rows:
        raise NotFoundError(key)
    return rows[key]


def _page(rows: dict[str, Any], limit: int, after: str | None, order: str) -> Page[Any]:
    ids = list(rows) if order == "asc" else list(rows)[::-1]
    rest = ids[ids.index(after) + 1 :] if after in rows else ids
    has_more = len(rest) > limit
    return Page(
        data=[rows[one] for one in rest[:limit]], has_more=has_more, after=rest[limit - 1] if has_more else None
    )

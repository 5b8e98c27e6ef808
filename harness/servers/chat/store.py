"""Keeps the threads, items and attachments of one backend in memory, in the order in which they came.

In: threads, and items as JSON in the shapes of `events`. Out: the same, and pages of them. It is asked and changed in
the servers' thread only.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, TypeVar

from harness.servers.chat.requests import Json

T = TypeVar("T")


class NotFoundError(Exception):
    """There is no thread, item or attachment of this id."""

    def __init__(self, kind: str, wanted: str) -> None:
        super().__init__(f"{kind} with id '{wanted}' not found.")


@dataclass(slots=True, kw_only=True)
class Thread:
    """A thread without its items. Title and status may change while a reply runs."""

    id: str
    owner: str  # who may see it; "" when all callers share the threads
    created_at: datetime  # without zone, as everything a backend says
    title: str | None = None
    status: Json = field(default_factory=lambda: {"type": "active"})  # or {type: locked | closed, reason?}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage(Generic[T]):
    """Part of a list."""

    data: tuple[T, ...]
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class IdScheme:
    """How a backend names what it creates: a prefix for each kind, and so many hexadecimal digits."""

    prefixes: dict[str, str]
    digits: int

    def new(self, kind: str) -> str:
        """Return a new id of a kind: "thread", "message", "tool_call", "call", "task", "workflow" or "attachment"."""
        return f"{self.prefixes[kind]}_{secrets.token_hex(self.digits // 2)}"


@dataclass(slots=True, kw_only=True)
class ChatStore:
    """What one backend remembers."""

    threads: dict[str, Thread] = field(default_factory=dict)
    items: dict[str, dict[str, Json]] = field(default_factory=dict)  # by thread, then by id
    attachments: dict[str, Json] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)  # by attachment
    feedback: list[tuple[str, tuple[str, ...], str]] = field(default_factory=list)  # thread, items, kind

    def add_thread(self, thread: Thread) -> None:
        """Keep a new thread."""
        self.threads[thread.id] = thread
        self.items[thread.id] = {}

    def thread(self, thread_id: str, owner: str) -> Thread:
        """Return an owner's thread, a copy. Raises NotFoundError."""
        found = self.threads.get(thread_id)
        if found is None or found.owner != owner:
            raise NotFoundError("Thread", thread_id)
        return replace(found)

    def save_thread(self, thread: Thread) -> None:
        """Keep a thread's title and status, unless it was deleted meanwhile."""
        if thread.id in self.threads:
            self.threads[thread.id] = replace(thread)

    def delete_thread(self, thread_id: str, owner: str) -> None:
        """Forget an owner's thread and its items. Raises NotFoundError."""
        self.thread(thread_id, owner)
        del self.threads[thread_id]
        del self.items[thread_id]

    def thread_page(
        self, owner: str, *, limit: int, order: str, after: str | None, newest: int | None = None
    ) -> ListPage[Thread]:
        """Return a page of an owner's threads, of so many newest ones. Raises NotFoundError for an unknown `after`."""
        own = [thread for thread in self.threads.values() if thread.owner == owner]
        threads = _ordered(own if newest is None else own[max(len(own) - newest, 0) :], order)
        return page_of(threads, [thread.id for thread in threads], "Thread", limit=limit, after=after)

    def put_item(self, thread_id: str, item: Json) -> None:
        """Add an item, or put it in the place of the one with its id. A deleted thread keeps nothing."""
        if thread_id in self.items:
            self.items[thread_id][item["id"]] = item

    def item(self, thread_id: str, item_id: str) -> Json:
        """Return an item. Raises NotFoundError."""
        found = self.items.get(thread_id, {}).get(item_id)
        if found is None:
            raise NotFoundError("Item", item_id)
        return found

    def delete_item(self, thread_id: str, item_id: str) -> None:
        """Forget an item."""
        self.items.get(thread_id, {}).pop(item_id, None)

    def items_of(self, thread_id: str) -> tuple[Json, ...]:
        """Return a thread's items, oldest first."""
        return tuple(self.items.get(thread_id, {}).values())

    def item_page(self, thread_id: str, *, limit: int, order: str, after: str | None) -> ListPage[Json]:
        """Return a page of a thread's items. Raises NotFoundError when there is no item `after`."""
        items = _ordered(self.items_of(thread_id), order)
        return page_of(items, [item["id"] for item in items], "Item", limit=limit, after=after)

    def attachment(self, attachment_id: str) -> Json:
        """Return an attachment. Raises NotFoundError."""
        if attachment_id not in self.attachments:
            raise NotFoundError("Attachment", attachment_id)
        return self.attachments[attachment_id]

    def delete_attachment(self, attachment_id: str) -> None:
        """Forget an attachment and what was uploaded. Raises NotFoundError."""
        self.attachment(attachment_id)
        del self.attachments[attachment_id]
        self.uploads.pop(attachment_id, None)


def page_of(
    rows: Sequence[T], ids: Sequence[str], kind: str, *, limit: int, after: str | None = None, before: str | None = None
) -> ListPage[T]:
    """Return the rows that follow `after`, or the nearest ones that precede `before`. Raises NotFoundError for either."""
    start = _place(ids, after, kind) + 1 if after is not None else 0
    stop = _place(ids, before, kind) if before is not None else len(rows)
    within = rows[start:stop]
    if before is not None and after is None:
        return ListPage(data=tuple(within[max(len(within) - limit, 0) :]), has_more=len(within) > limit)
    return ListPage(data=tuple(within[:limit]), has_more=len(within) > limit)


def _place(ids: Sequence[str], wanted: str, kind: str) -> int:
    if wanted not in ids:
        raise NotFoundError(kind, wanted)
    return ids.index(wanted)


def _ordered(rows: Sequence[T], order: str) -> list[T]:
    return list(rows) if order == "asc" else list(reversed(rows))


def status(kind: str, reason: str | None = None) -> dict[str, Any]:
    """Return a thread's status: "active", "locked" or "closed"."""
    return {"type": kind} if reason is None else {"type": kind, "reason": reason}

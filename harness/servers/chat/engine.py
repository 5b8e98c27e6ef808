"""Answers the operations of a ChatKit frame as the server library does, on a store in memory.

In: an operation. Out: one JSON object, or stream events in the library's order: `thread.created`, the user's message,
`stream_options`, the scripted reply, and `thread.updated` as soon as title or status change. What the library answers
with an exception is a `NotFoundError` or a `ConflictError` here: before the stream begins when `check` is asked, and out
of the stream when it is not.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from harness.servers.chat import events, replies
from harness.servers.chat.requests import (
    PAGE_SIZE,
    AddClientToolOutput,
    AddStructuredInput,
    AddUserMessage,
    CreateAttachment,
    CreateThread,
    CustomAction,
    DeleteAttachment,
    DeleteThread,
    GetThread,
    GiveFeedback,
    Json,
    JsonOperation,
    ListItems,
    ListThreads,
    RetryAfterItem,
    StreamOperation,
    SyncCustomAction,
    Transcribe,
    UpdateThread,
    UserInput,
)
from harness.servers.chat.store import ChatStore, IdScheme, ListPage, Thread
from harness.servers.chat.turn import ScriptedError, Turn

Events = AsyncIterator[Json]


class ConflictError(Exception):
    """What is there is not what the operation needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The backend of one owner's chats. `gap_s` lies between the chunks of a reply."""

    store: ChatStore
    ids: IdScheme
    now: Callable[[], datetime]
    gap_s: float
    attachment_url: Callable[[str], str]  # where a file is put, and read again
    owner: str = ""
    has_titles: bool = True
    recent_threads: int | None = None  # how many threads may be listed

    # --- answered with one object -------------------------------------------------------------------------------------

    def answer(self, operation: JsonOperation) -> Json:
        """Return the answer. Raises NotFoundError and ConflictError."""
        match operation:
            case ListThreads():
                return self._threads(operation)
            case GetThread():
                thread = self.store.thread(operation.thread_id, self.owner)
                items = self.store.item_page(thread.id, limit=PAGE_SIZE, order="asc", after=None)
                return events.thread_json(thread, items)
            case UpdateThread():
                thread = self.store.thread(operation.thread_id, self.owner)
                thread.title = operation.title
                self.store.save_thread(thread)
                return events.thread_json(thread)
            case DeleteThread():
                self.store.delete_thread(operation.thread_id, self.owner)
                return {}
            case ListItems():
                thread = self.store.thread(operation.thread_id, self.owner)
                return events.page_json(
                    self.store.item_page(thread.id, limit=operation.limit, order=operation.order, after=operation.after)
                )
            case GiveFeedback():
                self.store.feedback.append((operation.thread_id, operation.item_ids, operation.kind))
                return {}
            case CreateAttachment():
                return self._new_attachment(operation)
            case DeleteAttachment():
                self.store.delete_attachment(operation.attachment_id)
                return {}
            case Transcribe():
                return {"text": _transcript(operation)}
            case SyncCustomAction():
                return self._act_at_once(operation)
            case _:
                assert_never(operation)

    def _threads(self, operation: ListThreads) -> Json:
        page = self.store.thread_page(
            self.owner,
            limit=operation.limit,
            order=operation.order,
            after=operation.after,
            newest=self.recent_threads,
        )
        return events.page_json(ListPage(data=tuple(map(events.thread_json, page.data)), has_more=page.has_more))

    def _new_attachment(self, operation: CreateAttachment) -> Json:
        attachment_id = self.ids.new("attachment")
        url = self.attachment_url(attachment_id)
        is_image = operation.mime_type.startswith("image/")
        attachment: Json = {
            "id": attachment_id,
            "name": operation.name,
            "mime_type": operation.mime_type,
            "upload_descriptor": {"url": url, "method": "PUT", "headers": {}},
            "type": "image" if is_image else "file",
            **({"preview_url": url} if is_image else {}),
        }
        self.store.attachments[attachment_id] = attachment
        return attachment

    def _act_at_once(self, operation: SyncCustomAction) -> Json:
        thread = self.store.thread(operation.thread_id, self.owner)
        sender = self.store.item(thread.id, operation.item_id) if operation.item_id else None
        if sender is not None and sender["type"] != "widget":
            raise ConflictError("threads.sync_custom_action requires a widget sender item")
        try:
            updated = replies.sync_action(operation.action, sender)
        except ScriptedError as error:
            raise ConflictError(str(error)) from error
        self.store.put_item(thread.id, updated)
        return {"updated_item": updated}

    # --- answered with a stream ---------------------------------------------------------------------------------------

    def check(self, operation: StreamOperation) -> None:
        """Raise NotFoundError or ConflictError for whatever would break the stream before the reply begins."""
        if isinstance(operation, CreateThread | AddUserMessage):
            for attachment_id in operation.input.attachments:
                self.store.attachment(attachment_id)
        if isinstance(operation, CreateThread):
            return
        thread = self.store.thread(operation.thread_id, self.owner)
        match operation:
            case AddUserMessage():
                return
            case AddClientToolOutput():
                self._pending_tool_call(thread)
            case AddStructuredInput():
                self._pending_form(thread, operation)
            case RetryAfterItem():
                self._after(thread, operation.item_id)
            case CustomAction():
                self._sender(thread, operation)
            case _:
                assert_never(operation)

    async def stream(self, operation: StreamOperation) -> Events:
        """Yield the events of the answer. Raises NotFoundError, ConflictError and DroppedError in between."""
        if isinstance(operation, CreateThread):
            thread = Thread(id=self.ids.new("thread"), owner=self.owner, created_at=self.now())
            self.store.add_thread(replace(thread))
            yield events.thread_created(thread)
        else:
            thread = self.store.thread(operation.thread_id, self.owner)
        match operation:
            case CreateThread() | AddUserMessage():
                reply = self._message(thread, operation.input)
            case AddClientToolOutput():
                reply = self._tool_output(thread, operation)
            case AddStructuredInput():
                reply = self._form(thread, operation)
            case RetryAfterItem():
                reply = self._retry(thread, operation)
            case CustomAction():
                reply = self._act(thread, operation)
            case _:
                assert_never(operation)
        async for event in reply:
            yield event

    async def _message(self, thread: Thread, asked: UserInput) -> Events:
        attachments = [self.store.attachment(each) | {"thread_id": thread.id} for each in asked.attachments]
        self.store.attachments.update({each["id"]: each for each in attachments})
        turn = self._turn(thread)
        turn.message = turn.last = turn.item(
            "user_message",
            content=list(asked.content),
            attachments=attachments,
            **({} if asked.quoted_text is None else {"quoted_text": asked.quoted_text}),
            inference_options=asked.inference_options,
        )
        self.store.put_item(thread.id, turn.message)
        yield events.item_done(turn.message)
        async for event in self._play(thread, replies.respond(turn)):
            yield event

    async def _tool_output(self, thread: Thread, operation: AddClientToolOutput) -> Events:
        call = self._pending_tool_call(thread)
        output = {} if operation.result is None else {"output": operation.result}
        self.store.put_item(thread.id, call | {"status": "completed", **output})
        for item in self.store.items_of(thread.id):
            if item["type"] == "client_tool_call" and item["status"] == "pending":
                self.store.delete_item(thread.id, item["id"])
        async for event in self._play(thread, replies.respond(self._turn(thread))):
            yield event

    async def _form(self, thread: Thread, operation: AddStructuredInput) -> Events:
        form = _answered(self._pending_form(thread, operation), operation)

        async def reply() -> Events:
            yield events.item_replaced(form)
            async for event in replies.respond(self._turn(thread)):
                yield event

        async for event in self._play(thread, reply()):
            yield event

    async def _retry(self, thread: Thread, operation: RetryAfterItem) -> Events:
        message, later = self._after(thread, operation.item_id)
        if message is None:
            return
        for item in later:
            self.store.delete_item(thread.id, item["id"])
        turn = self._turn(thread)
        turn.message = message
        async for event in self._play(thread, replies.respond(turn)):
            yield event

    async def _act(self, thread: Thread, operation: CustomAction) -> Events:
        sender = self._sender(thread, operation)
        if sender is not None and sender["type"] != "widget":
            yield events.error(allow_retry=False)
            return
        async for event in self._play(thread, replies.action(self._turn(thread), operation.action, sender)):
            yield event

    async def _play(self, thread: Thread, reply: Events) -> Events:
        """Yield the events of a reply; keep what is complete, and what was shown of a reply that is stopped."""
        yield events.stream_options()
        before = replace(thread)
        unfinished: dict[str, Json] = {}
        try:
            async for event in reply:
                self._keep(thread, event, unfinished)
                yield event
                if thread != before:
                    before = replace(thread)
                    self.store.save_thread(thread)
                    yield events.thread_updated(thread)
        except (asyncio.CancelledError, GeneratorExit):
            for item in unfinished.values():
                if any(part["text"].strip() for part in item["content"]):
                    self.store.put_item(thread.id, item)
            raise
        except ScriptedError:
            yield events.error(allow_retry=True)
        if thread != before:
            self.store.save_thread(thread)
            yield events.thread_updated(thread)

    def _keep(self, thread: Thread, event: Json, unfinished: dict[str, Json]) -> None:
        match event:
            case {"type": "thread.item.added", "item": {"type": "assistant_message"} as item}:
                unfinished[item["id"]] = item | {"content": []}
            case {"type": "thread.item.updated", "item_id": item_id, "update": update} if item_id in unfinished:
                unfinished[item_id] = _with_update(unfinished[item_id], update)
            case {"type": "thread.item.done" | "thread.item.replaced", "item": item}:
                self.store.put_item(thread.id, item)
                unfinished.pop(item["id"], None)
            case {"type": "thread.item.removed", "item_id": item_id}:
                self.store.delete_item(thread.id, item_id)
                unfinished.pop(item_id, None)
            case _:
                return

    # --- what an operation needs to find ------------------------------------------------------------------------------

    def _turn(self, thread: Thread) -> Turn:
        items = self.store.items_of(thread.id)

        async def pause(gaps: float) -> None:
            await asyncio.sleep(self.gap_s * gaps)

        return Turn(
            thread=thread,
            message=None,
            last=items[-1] if items else None,
            ids=self.ids,
            now=self.now,
            pause=pause,
            has_titles=self.has_titles,
        )

    def _pending_tool_call(self, thread: Thread) -> Json:
        items = self.store.items_of(thread.id)
        if not items or items[-1]["type"] != "client_tool_call" or items[-1]["status"] != "pending":
            raise ConflictError(f"Last thread item in {thread.id} was not a ClientToolCallItem")
        return items[-1]

    def _pending_form(self, thread: Thread, operation: AddStructuredInput) -> Json:
        form = self.store.item(thread.id, operation.item_id)
        if form["type"] != "structured_input":
            raise ConflictError(f"Item {form['id']} is not a StructuredInputItem")
        if form["status"] != "pending":
            raise ConflictError(f"Structured input item {form['id']} is not pending")
        return form

    def _after(self, thread: Thread, item_id: str) -> tuple[Json | None, tuple[Json, ...]]:
        """Return a user message and what follows it; no message when it is not in the thread."""
        items = self.store.items_of(thread.id)
        place = next((index for index, item in enumerate(items) if item["id"] == item_id), None)
        if place is None:
            return None, ()
        if items[place]["type"] != "user_message":
            raise ConflictError(f"Item {item_id} is not a user message")
        return items[place], items[place + 1 :]

    def _sender(self, thread: Thread, operation: CustomAction) -> Json | None:
        return self.store.item(thread.id, operation.item_id) if operation.item_id else None


def _answered(form: Json, operation: AddStructuredInput) -> Json:
    inputs = []
    for question in form["inputs"]:
        given = operation.answers.get(question["id"], {"values": [], "skipped": True})
        is_skipped = operation.status == "skipped" or given["skipped"] or not given["values"]
        is_single = question["type"] == "multiple_choice" and not question["multiple"]
        values = [] if is_skipped else given["values"][:1] if is_single else given["values"]
        inputs.append(question | {"answer": {"values": values, "skipped": is_skipped}})
    return form | {"inputs": inputs, "status": operation.status}


def _with_update(item: Json, update: Json) -> Json:
    """Return an assistant message after one change of its content."""
    index = update["content_index"]
    empty: Json = {"type": "output_text", "text": "", "annotations": []}
    content = [*item["content"], *[empty] * (index + 1 - len(item["content"]))]
    match update:
        case {"content": part}:
            content[index] = part
        case {"delta": delta}:
            content[index] = content[index] | {"text": content[index]["text"] + delta}
        case {"annotation": annotation}:
            content[index] = content[index] | {"annotations": [*content[index]["annotations"], annotation]}
    return item | {"content": content}


def _transcript(operation: Transcribe) -> str:
    try:
        size_bytes = len(base64.b64decode(operation.audio_base64))
    except binascii.Error as error:
        raise ConflictError(f"audio_base64 is not base64: {error}") from error
    return f"This is what the stand-in heard in {size_bytes} bytes of {operation.mime_type.split(';')[0]}."

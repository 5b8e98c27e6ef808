"""OpenAI's own self-hosted server on loopback: `ChatKitServer` with a store in memory and the embedded servers' scripts.

The scripts' events go through the library's types, so one that the library does not know cannot pass.
"""

# The library names the methods and hands over the parameters.
# ruff: noqa: D102, ARG002

from __future__ import annotations

import socket
import ssl
import threading
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import trustme
import uvicorn
from pydantic import TypeAdapter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from harness.servers.chat import replies
from harness.servers.chat.store import Thread
from harness.servers.chat.turn import Turn
from harness.servers.custom import IDS

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of the library's own widgets
    from chatkit.server import ChatKitServer, StreamingResult
    from chatkit.store import AttachmentStore, NotFoundError, Store
    from chatkit.types import (
        Attachment,
        AttachmentCreateParams,
        AudioInput,
        Page,
        SyncCustomActionResponse,
        ThreadItem,
        ThreadMetadata,
        ThreadStatus,
        ThreadStreamEvent,
        TranscriptionResult,
        UserMessageItem,
        WidgetItem,
    )

Context = dict[str, str]

EVENT: TypeAdapter[Any] = TypeAdapter(ThreadStreamEvent)
ITEM: TypeAdapter[Any] = TypeAdapter(ThreadItem)
ATTACHMENT: TypeAdapter[Any] = TypeAdapter(Attachment)
STATUS: TypeAdapter[Any] = TypeAdapter(ThreadStatus)


class MemoryStore(Store[Context]):
    """Keeps copies, in the order in which things came, as the library's samples do."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin with nothing."""
        self.threads: dict[str, ThreadMetadata] = {}
        self.items: dict[str, dict[str, Any]] = {}
        self.attachments: dict[str, Any] = {}

    async def load_thread(self, thread_id: str, context: Context) -> ThreadMetadata:
        if thread_id not in self.threads:
            raise NotFoundError(thread_id)
        return self.threads[thread_id].model_copy(deep=True)

    async def save_thread(self, thread: ThreadMetadata, context: Context) -> None:
        fields = {name: getattr(thread, name) for name in ThreadMetadata.model_fields}
        self.threads[thread.id] = ThreadMetadata(**fields)
        self.items.setdefault(thread.id, {})

    async def load_threads(self, limit: int, after: str | None, order: str, context: Context) -> Page[ThreadMetadata]:
        return _page(list(self.threads.values()), limit, after, order)

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Context
    ) -> Page[ThreadItem]:
        await self.load_thread(thread_id, context)
        return _page(list(self.items[thread_id].values()), limit, after, order)

    async def add_thread_item(self, thread_id: str, item: Any, context: Context) -> None:
        self.items[thread_id][item.id] = item.model_copy(deep=True)

    save_item = add_thread_item

    async def load_item(self, thread_id: str, item_id: str, context: Context) -> Any:
        if item_id not in self.items[thread_id]:
            raise NotFoundError(item_id)
        return self.items[thread_id][item_id].model_copy(deep=True)

    async def delete_thread(self, thread_id: str, context: Context) -> None:
        await self.load_thread(thread_id, context)
        del self.threads[thread_id], self.items[thread_id]

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Context) -> None:
        self.items[thread_id].pop(item_id, None)

    async def save_attachment(self, attachment: Any, context: Context) -> None:
        self.attachments[attachment.id] = attachment

    async def load_attachment(self, attachment_id: str, context: Context) -> Any:
        if attachment_id not in self.attachments:
            raise NotFoundError(attachment_id)
        return self.attachments[attachment_id]

    async def delete_attachment(self, attachment_id: str, context: Context) -> None:
        await self.load_attachment(attachment_id, context)
        del self.attachments[attachment_id]


class Uploads(AttachmentStore[Context]):
    """Announces where a file is to be put."""

    async def create_attachment(self, input: AttachmentCreateParams, context: Context) -> Any:
        attachment_id = self.generate_attachment_id(input.mime_type, context)
        url = f"{context['base']}/chatkit/attachments/{attachment_id}"
        is_image = input.mime_type.startswith("image/")
        return ATTACHMENT.validate_python(
            {
                "id": attachment_id,
                "name": input.name,
                "mime_type": input.mime_type,
                "upload_descriptor": {"url": url, "method": "PUT"},
                "type": "image" if is_image else "file",
                **({"preview_url": url} if is_image else {}),
            }
        )

    async def delete_attachment(self, attachment_id: str, context: Context) -> None:
        """Nothing was uploaded."""


class ReferenceServer(ChatKitServer[Context]):
    """The real server, with the embedded servers' scripts as its answers."""

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        turn = await self._turn(thread, input_user_message, context)
        async for event in _played(turn, thread, replies.respond(turn)):
            yield event

    async def action(
        self, thread: ThreadMetadata, action: Any, sender: WidgetItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        turn = await self._turn(thread, None, context)
        script = replies.action(turn, _json(action), _json(sender) if sender else None)
        async for event in _played(turn, thread, script):
            yield event

    async def sync_action(
        self, thread: ThreadMetadata, action: Any, sender: WidgetItem | None, context: Context
    ) -> SyncCustomActionResponse:
        item = ITEM.validate_python(replies.sync_action(_json(action), _json(sender) if sender else None))
        await self.store.save_item(thread.id, item, context)
        return SyncCustomActionResponse(updated_item=item)

    async def transcribe(self, audio_input: AudioInput, context: Context) -> TranscriptionResult:
        heard = f"{len(audio_input.data)} bytes of {audio_input.media_type}"
        return TranscriptionResult(text=f"This is what the stand-in heard in {heard}.")

    async def _turn(self, thread: ThreadMetadata, message: UserMessageItem | None, context: Context) -> Turn:
        async def pause(_gaps: float) -> None:
            return None

        newest = await self.store.load_thread_items(thread.id, None, 1, "desc", context)
        return Turn(
            thread=Thread(
                id=thread.id,
                owner="",
                created_at=thread.created_at,
                title=thread.title,
                status=thread.status.model_dump(exclude_none=True),
            ),
            message=_json(message) if message else None,
            last=_json(newest.data[0]) if newest.data else None,
            ids=IDS,
            now=datetime.now,
            pause=pause,
            has_titles=True,
        )


async def _played(turn: Turn, thread: ThreadMetadata, script: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for event in script:
        _tell(turn, thread)
        yield EVENT.validate_python(event)
    _tell(turn, thread)


def _tell(turn: Turn, thread: ThreadMetadata) -> None:
    thread.title = turn.thread.title
    thread.status = STATUS.validate_python(turn.thread.status)


def _json(model: Any) -> Any:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def _page(rows: list[Any], limit: int, after: str | None, order: str) -> Page[Any]:
    rows = rows if order == "asc" else rows[::-1]
    ids = [row.id for row in rows]
    if after is not None and after not in ids:
        raise NotFoundError(after)
    rest = rows[ids.index(after) + 1 :] if after is not None else rows
    data = [row.model_copy(deep=True) for row in rest[:limit]]
    has_more = len(rest) > limit
    return Page(data=data, has_more=has_more, after=data[-1].id if has_more and data else None)


def make_reference_app(store: MemoryStore) -> Starlette:
    """Return an app with the handler of OpenAI's sample apps."""
    server = ReferenceServer(store, Uploads())

    async def chatkit(request: Request) -> Response:
        context = {"base": str(request.base_url).rstrip("/")}
        result = await server.process(await request.body(), context)
        if isinstance(result, StreamingResult):
            return StreamingResponse(result, media_type="text/event-stream")
        return Response(content=result.json, media_type="application/json")

    return Starlette(routes=[Route("/chatkit", chatkit, methods=["POST"])])


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A running reference server; its URL has no slash at the end."""

    url: str
    store: MemoryStore


@contextmanager
def serve_reference(*, tls: bool = False) -> Iterator[Reference]:
    """Yield the running reference server; with `tls`, it signs its own certificate."""
    store = MemoryStore()
    config = uvicorn.Config(
        make_reference_app(store), http="h11", lifespan="off", log_config=None, log_level="critical"
    )
    config.load()
    if tls:
        config.ssl = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(config.ssl)
    server = uvicorn.Server(config)
    with socket.socket(proto=socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()  # connections wait in the queue until the server has started
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield Reference(url=f"{'https' if tls else 'http'}://127.0.0.1:{listening.getsockname()[1]}", store=store)
        finally:
            server.should_exit = True
            thread.join(5)

"""The app's own chat backend for the custom mode: `POST /chatkit`, and the files of its messages.

In: the self-hosted protocol, as the page sends it on the frame's behalf. Out: JSON or server-sent events, byte for byte
framed as `openai-chatkit` does. Like OpenAI's sample apps it knows no users, allows no other origin, answers whatever
it does not understand with a bare 500, and aborts a stream that fails before its reply begins. What to write to see
which feature is in `chat.scripts`. Files are put where `attachments.create` says, or posted as a form to
`/chatkit/upload`.
"""

from __future__ import annotations

import json
from datetime import datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from harness.servers.chat.engine import ConflictError, Engine
from harness.servers.chat.requests import CreateAttachment, JsonOperation, operation_of
from harness.servers.chat.sse import stream_answer
from harness.servers.chat.store import IdScheme, NotFoundError
from harness.servers.fields import FieldError
from harness.servers.stack import Stack, note
from harness.servers.uploads import content_answer, upload_of

CHAT_PATH = "/chatkit"
IDS = IdScheme(
    prefixes={
        "thread": "thr",
        "message": "msg",
        "tool_call": "tc",
        "call": "call",
        "task": "tsk",
        "workflow": "wf",
        "attachment": "atc",
    },
    digits=8,
)


def custom_routes(stack: Stack) -> list[Route]:
    """Return the routes of the backend."""

    async def chat(request: Request) -> Response:
        return await converse(request, stack)

    async def upload(request: Request) -> Response:
        return await take_file(request, stack)

    async def content(request: Request) -> Response:
        answer = await content_answer(request, stack.visit.custom, request.path_params["attachment_id"])
        return answer or PlainTextResponse("Not Found", status_code=404)

    return [
        Route(CHAT_PATH, chat, methods=["POST"]),
        Route(f"{CHAT_PATH}/upload", upload, methods=["POST"]),
        Route(f"{CHAT_PATH}/attachments/{{attachment_id}}", content, methods=["GET", "PUT"]),
    ]


async def converse(request: Request, stack: Stack) -> Response:
    """Answer one operation `{type, params, metadata?}`."""
    engine = _engine(request, stack)
    try:
        operation = operation_of(json.loads(await request.body()))
        if isinstance(operation, JsonOperation):
            return JSONResponse(engine.answer(operation))
    except (ValueError, FieldError, NotFoundError, ConflictError) as error:
        note(request, f"the backend raises: {error}")
        return PlainTextResponse("Internal Server Error", status_code=500)
    try:
        engine.check(operation)
    except (NotFoundError, ConflictError) as error:
        note(request, f"the stream was aborted: {error}")
    return stream_answer(engine.stream(operation))


async def take_file(request: Request, stack: Stack) -> Response:
    """Answer a direct upload, a form with the field `file`, with the attachment that it became."""
    file = upload_of(request.headers.get("content-type", ""), await request.body())
    if file is None:
        return PlainTextResponse("There is no file in this form.", status_code=400)
    announced = CreateAttachment(name=file.name, size_bytes=len(file.content), mime_type=file.mime_type)
    store = stack.visit.custom
    attachment_id = _engine(request, stack).answer(announced)["id"]
    store.uploads[attachment_id] = file.content
    store.attachments[attachment_id].pop("upload_descriptor")
    return JSONResponse(store.attachments[attachment_id])


def _engine(request: Request, stack: Stack) -> Engine:
    # Behind a route the request's host is this machine's, and only the origin tells which one the page knows.
    base = request.headers.get("origin") or str(request.base_url).rstrip("/")
    return Engine(
        store=stack.visit.custom,
        ids=IDS,
        now=lambda: datetime.fromtimestamp(stack.now()),
        gap_s=stack.scenario.chunk_gap_ms / 1000,
        attachment_url=lambda attachment_id: f"{base}{CHAT_PATH}/attachments/{attachment_id}",
    )

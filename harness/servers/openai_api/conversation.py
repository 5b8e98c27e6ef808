"""The hosted chat, asked by the frame with a client secret: `conversation`, and `files` for uploads.

In: the operations of the self-hosted protocol. Out: JSON, or server-sent events. Whatever the custom backend breaks
over, an unknown thread for one, is an error answer here. Streams are those of the library; recorded hosted ones agree but
for `stream_options`, which they do not show.
"""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from harness.servers.chat.engine import ConflictError, Engine
from harness.servers.chat.requests import CreateAttachment, JsonOperation, Operation, operation_of
from harness.servers.chat.sse import stream_answer
from harness.servers.chat.store import IdScheme, NotFoundError
from harness.servers.openai_api import errors
from harness.servers.openai_api.access import PLAIN_HOST, count_request, session_of
from harness.servers.openai_api.bodies import json_of
from harness.servers.openai_api.errors import ApiError
from harness.servers.openai_api.threads import owner_of
from harness.servers.stack import Stack
from harness.servers.uploads import content_answer, upload_of
from harness.servers.visit import ServedSession

IDS = IdScheme(
    prefixes={
        "thread": "cthr",
        "message": "cti",
        "tool_call": "cti",
        "call": "call",
        "task": "cti",
        "workflow": "cti",
        "attachment": "cfile",
    },
    digits=48,
)
MEGABYTE = 1024 * 1024


def engine_of(session: ServedSession, stack: Stack) -> Engine:
    """Return the backend of a session: its user's threads in its project."""
    configuration = session.configuration
    base = stack.api_url if stack.is_for_people else f"https://{PLAIN_HOST}"  # nothing is routed in a person's browser
    return Engine(
        store=stack.visit.hosted,
        ids=IDS,
        now=lambda: datetime.fromtimestamp(stack.now(), UTC).replace(tzinfo=None),
        gap_s=stack.scenario.chunk_gap_ms / 1000,
        attachment_url=lambda attachment_id: f"{base}/v1/chatkit/files/{attachment_id}",
        owner=owner_of(session.project_id, session.user),
        has_titles=configuration.has_titles,
        recent_threads=configuration.recent_threads if configuration.has_history else 0,
    )


async def converse(request: Request, stack: Stack) -> Response:
    """Answer one operation `{type, params}`. Raises ApiError and FieldError."""
    session = session_of(request, stack)
    count_request(session, stack)
    return await _answer(operation_of(await json_of(request)), engine_of(session, stack))


async def _answer(operation: Operation, engine: Engine) -> Response:
    try:
        if isinstance(operation, JsonOperation):
            return JSONResponse(engine.answer(operation))
        engine.check(operation)
    except NotFoundError as error:
        raise ApiError(404, str(error)) from error
    except ConflictError as error:
        raise ApiError(400, str(error)) from error
    return stream_answer(engine.stream(operation))


async def upload(request: Request, stack: Stack) -> Response:
    """Answer `POST /v1/chatkit/files`, a form with the field `file`, with the attachment that it became."""
    session = session_of(request, stack)
    count_request(session, stack)
    limits = session.configuration
    if not limits.has_file_upload:
        raise ApiError(400, "File uploads are not enabled for this session.")
    file = upload_of(request.headers.get("content-type", ""), await request.body())
    if file is None:
        raise ApiError(400, "Missing required parameter: 'file'.", param="file", code="missing_required_parameter")
    if len(file.content) > limits.max_file_size_mb * MEGABYTE:
        raise ApiError(400, f"The file is larger than {limits.max_file_size_mb} MB.", param="file")
    announced = CreateAttachment(name=file.name, size_bytes=len(file.content), mime_type=file.mime_type)
    store = stack.visit.hosted
    attachment_id = engine_of(session, stack).answer(announced)["id"]
    store.uploads[attachment_id] = file.content
    url = store.attachments[attachment_id].pop("upload_descriptor")["url"]
    store.attachments[attachment_id]["upload_url"] = url
    return JSONResponse(store.attachments[attachment_id])


async def file_content(request: Request, stack: Stack) -> Response:
    """Answer `GET` and `PUT` for `/v1/chatkit/files/{file_id}`: the content of an attachment, for whoever knows its id."""
    content = await content_answer(request, stack.visit.hosted, request.path_params["file_id"])
    if content is None:
        raise errors.not_found("File", request.path_params["file_id"])
    return content

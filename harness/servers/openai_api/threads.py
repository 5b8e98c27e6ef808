"""Threads and items as an app's backend sees them: list, retrieve, delete, and the items of one.

In: an API key, and the project's threads in the frame's shapes. Out: the REST shapes, whose item types begin with
`chatkit.`, whose times are Unix seconds, and which have no form or picture: such items are left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from harness.servers.chat.requests import PAGE_SIZE, Json
from harness.servers.chat.store import ListPage, NotFoundError, Thread, page_of
from harness.servers.fields import FieldError, Fields, within
from harness.servers.openai_api import errors
from harness.servers.openai_api.access import chatkit_project_of
from harness.servers.stack import Stack

MAX_LIMIT = 100
MAX_USER_LENGTH = 512
ID_PREFIX = "cthr"
OWNER_SEPARATOR = "\n"
ORDERS = ("asc", "desc")

T = TypeVar("T")


def owner_of(project_id: str, user: str) -> str:
    """Return whose a hosted thread is: a user's in a project."""
    return f"{project_id}{OWNER_SEPARATOR}{user}"


async def list_threads(request: Request, stack: Stack) -> Response:
    """Answer `GET /v1/chatkit/threads` with the threads of the key's project, or of one of its users."""
    project = chatkit_project_of(request, stack)
    query = Fields(request.query_params)
    query.only("limit", "order", "after", "before", "user")
    user = query.text_or_none("user", at_least=1, at_most=MAX_USER_LENGTH)
    threads = [
        thread
        for thread in stack.visit.hosted.threads.values()
        if thread.owner.split(OWNER_SEPARATOR)[0] == project.id
        and user in (None, thread.owner.split(OWNER_SEPARATOR)[1])
    ]
    return _list(_page(threads, [thread.id for thread in threads], query, "Thread"), thread_json)


async def get_thread(request: Request, stack: Stack) -> Response:
    """Answer `GET /v1/chatkit/threads/{thread_id}`."""
    return JSONResponse(thread_json(_thread(request, stack)))


async def delete_thread(request: Request, stack: Stack) -> Response:
    """Answer `DELETE /v1/chatkit/threads/{thread_id}`."""
    thread = _thread(request, stack)
    stack.visit.hosted.delete_thread(thread.id, thread.owner)
    return JSONResponse({"id": thread.id, "object": "chatkit.thread.deleted", "deleted": True})


async def list_items(request: Request, stack: Stack) -> Response:
    """Answer `GET /v1/chatkit/threads/{thread_id}/items`."""
    thread = _thread(request, stack)
    query = Fields(request.query_params)
    query.only("limit", "order", "after", "before")
    items = [item for item in map(item_json, stack.visit.hosted.items_of(thread.id)) if item is not None]
    return _list(_page(items, [item["id"] for item in items], query, "Thread item"), dict)


def _thread(request: Request, stack: Stack) -> Thread:
    project = chatkit_project_of(request, stack)
    wanted: str = request.path_params["thread_id"]
    if not wanted.startswith(f"{ID_PREFIX}_"):
        raise errors.malformed_id("thread_id", wanted, ID_PREFIX)
    thread = stack.visit.hosted.threads.get(wanted)
    if thread is None or thread.owner.split(OWNER_SEPARATOR)[0] != project.id:
        raise errors.not_found("Thread", wanted)
    return thread


def _page(rows: Sequence[T], ids: Sequence[str], query: Fields, kind: str) -> ListPage[T]:
    limit = _limit(query)
    if query.text_or("order", "desc", one_of=ORDERS) == "desc":
        rows, ids = rows[::-1], ids[::-1]
    after, before = query.text_or_none("after"), query.text_or_none("before")
    try:
        return page_of(rows, ids, kind, limit=limit, after=after, before=before)
    except NotFoundError as error:
        raise errors.ApiError(404, str(error)) from error


def _limit(query: Fields) -> int:
    """Return the limit, which a query states in digits."""
    if not query.has("limit"):
        return PAGE_SIZE
    text = query.text("limit")
    try:
        return within(int(text), "limit", at_least=0, at_most=MAX_LIMIT)
    except ValueError:
        raise FieldError(
            f"Invalid type for 'limit': expected an integer, but got '{text}' instead.",
            param="limit",
            code="invalid_type",
        ) from None


def _list(page: ListPage[T], shape: Any) -> Response:
    data = [shape(row) for row in page.data]
    return JSONResponse(
        {
            "object": "list",
            "data": data,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
            "has_more": page.has_more,
        }
    )


def thread_json(thread: Thread) -> Json:
    """Return a thread in the REST shape."""
    state = thread.status
    return {
        "id": thread.id,
        "object": "chatkit.thread",
        "created_at": _seconds(thread.created_at),
        "title": thread.title,
        "user": thread.owner.split(OWNER_SEPARATOR)[1],
        "status": state if state["type"] == "active" else {"type": state["type"], "reason": state.get("reason")},
    }


def item_json(item: Json) -> Json | None:
    """Return an item in the REST shape, None when it has none."""
    shape = _special(item)
    if shape is None:
        return None
    kind, fields = shape
    return {
        "id": item["id"],
        "object": "chatkit.thread_item",
        "thread_id": item["thread_id"],
        "created_at": _seconds(datetime.fromisoformat(item["created_at"])),
        "type": f"chatkit.{kind}",
        **fields,
    }


def _special(item: Json) -> tuple[str, Json] | None:
    """Return type and own fields of an item."""
    match item["type"]:
        case "user_message":
            return "user_message", {
                "content": _user_content(item),
                "attachments": [_attachment(each) for each in item["attachments"]],
                "inference_options": _inference_options(item["inference_options"]),
            }
        case "assistant_message":
            return "assistant_message", {"content": [_output(part) for part in item["content"]]}
        case "widget":
            return "widget", {"widget": json.dumps(item["widget"])}
        case "client_tool_call":
            return "client_tool_call", {
                "call_id": item["call_id"],
                "name": item["name"],
                "arguments": json.dumps(item["arguments"]),
                "status": "in_progress" if item["status"] == "pending" else "completed",
                "output": json.dumps(item["output"]) if "output" in item else None,
            }
        case "task":
            task = _task(item["task"])
            return "task", {"task_type": task["type"], "heading": task["heading"], "summary": task["summary"]}
        case "workflow":
            return "task_group", {"tasks": [_task(task) for task in item["workflow"]["tasks"]]}
        case _:
            return None


def _user_content(item: Json) -> list[Json]:
    quoted = [{"type": "quoted_text", "text": item["quoted_text"]}] if item.get("quoted_text") else []
    return [*quoted, *({"type": "input_text", "text": part["text"]} for part in item["content"])]


def _attachment(attachment: Json) -> Json:
    return {name: attachment.get(name) for name in ("id", "type", "name", "mime_type", "preview_url")}


def _inference_options(options: Mapping[str, Any]) -> Json | None:
    return {"model": options.get("model"), "tool_choice": options.get("tool_choice")} if options else None


def _output(part: Json) -> Json:
    sources = [annotation["source"] for annotation in part["annotations"]]
    kept = {"url": "url", "file": "filename"}
    return {
        "type": "output_text",
        "text": part["text"],
        "annotations": [
            {"type": kind, "source": {"type": kind, kept[kind]: source[kept[kind]]}}
            for source in sources
            if (kind := source["type"]) in kept
        ],
    }


def _task(task: Json) -> Json:
    kind = "thought" if task["type"] == "thought" else "custom"
    return {"type": kind, "heading": task.get("title"), "summary": task.get("content")}


def _seconds(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp())

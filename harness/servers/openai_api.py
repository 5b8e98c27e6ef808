"""The OpenAI side as far as a ChatKit page can see it: sessions, domain verification, conversations.

In: requests of the app's backend (API key) and of the frame (client secret). Out: answers in the shapes and with the
headers recorded from the real API. What it knows beforehand is the `World`; what it learns is in `Visit`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from harness.servers.stack import Session, Stack, Visit, is_loopback_origin
from harness.servers.world import Project

SESSION_LIFETIME_S = 600
CHUNK_GAP_S = 0.03
BETA_HEADER = "chatkit_beta=v1"
FRAME_HEADERS = (
    "accept",
    "authorization",
    "content-type",
    "chatkit-device-id",
    "chatkit-frame-instance-id",
    "openai-sentinel-token",
)
SENTINEL_JS = """(() => {
  window.SentinelSDK = { init: async () => {}, token: async () => 'stand-in-sentinel-token' };
})();
"""
GARBAGE = "<!doctype html><title>Welcome</title><p>This is not the API you are looking for."

Endpoint = Callable[[Request], Awaitable[Response]]


class ApiError(Exception):
    """An error answer of the API."""

    def __init__(self, status: int, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {
            "error": {"message": message, "type": _error_type(status), "param": param, "code": code},
        }


def _error_type(status: int) -> str:
    return "server_error" if status >= 500 else "invalid_request_error"


def make_openai_api(stack: Stack) -> Starlette:
    """Return the API server; it answers for api, us.api, eu.api, sentinel and chatgpt.com alike."""

    def bound(handle: Callable[[Request, Stack], Awaitable[Response]]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            try:
                response = await handle(request, stack)
            except ApiError as error:
                response = JSONResponse(error.body, status_code=error.status)
                if error.status == 401:
                    response.headers["www-authenticate"] = 'Bearer realm="OpenAI API"'
            response.headers.update(_common_headers() | request.scope.get("openai_owner", {}))
            return response

        return endpoint

    return Starlette(
        routes=[
            Route("/v1/models", bound(list_models)),
            Route("/v1/chatkit/sessions", bound(create_session), methods=["POST"]),
            Route("/v1/chatkit/domain_keys/verify_hosted", bound(verify_hosted), methods=["POST"]),
            Route("/v1/chatkit/domain_keys/verify", bound(verify), methods=["POST"]),
            Route("/v1/chatkit/conversation", bound(converse), methods=["POST"]),
            Route("/backend-api/sentinel/sdk.js", bound(sentinel)),
            Route("/ces/v1/projects/oai/settings", bound(telemetry)),
            Route("/ces/v1/{rest:path}", bound(telemetry), methods=["POST"]),
        ],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=["*"],
                allow_methods=["GET", "POST"],
                allow_headers=FRAME_HEADERS,
                expose_headers=["X-Request-ID"],
            )
        ],
    )


def _common_headers() -> dict[str, str]:
    return {
        "openai-version": "2020-10-01",
        "openai-processing-ms": "3",
        "x-request-id": f"req_{secrets.token_hex(16)}",
        "x-content-type-options": "nosniff",
    }


# --- asked by the app's backend, with an API key ------------------------------------------------------------------


async def list_models(request: Request, stack: Stack) -> Response:
    """Answer `GET /v1/models`: proof that a key is valid."""
    _project(request, stack)
    model = {"id": "gpt-4.1", "object": "model", "created": 1744316542, "owned_by": "system"}
    return JSONResponse({"object": "list", "data": [model]})


async def create_session(request: Request, stack: Stack) -> Response:
    """Answer `POST /v1/chatkit/sessions` with a session whose secret is in the real format."""
    if stack.scenario.upstream == "invalid":
        return Response(GARBAGE, media_type="text/html")
    project = _project(request, stack)
    if BETA_HEADER not in request.headers.get("openai-beta", ""):
        raise ApiError(400, "You must provide the 'OpenAI-Beta' header to access the Chatkit API.", code="invalid_beta")
    body = await _body(request)
    workflow = body.get("workflow")
    workflow_id = workflow.get("id") if isinstance(workflow, dict) else None
    for name, value in (("workflow.id", workflow_id), ("user", body.get("user"))):
        if value is None:
            raise ApiError(400, f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter")
        if not isinstance(value, str):
            raise ApiError(
                400, f"Invalid type for '{name}': expected a string, but got something else instead.", param=name
            )
    if all(known.id != workflow_id for known in project.workflows):
        raise ApiError(404, f"Workflow with id '{workflow_id}' not found.")
    return _new_session(stack.visit, project, str(workflow_id), body)


def _new_session(visit: Visit, project: Project, workflow_id: str, body: dict[str, Any]) -> Response:
    expires_at = int(time.time()) + SESSION_LIFETIME_S
    tail = base64.b64encode(json.dumps({"expires_at": expires_at}).encode()).decode()
    secret = f"ek_{secrets.token_hex(24)}_00{tail}"
    visit.sessions[secret] = Session(
        project_id=project.id, workflow_id=workflow_id, user=body["user"], expires_at=expires_at
    )
    return JSONResponse(
        {
            "id": f"cksess_{secrets.token_hex(16)}",
            "object": "chatkit.session",
            "status": "active",
            "client_secret": secret,
            "expires_at": expires_at,
            "user": body["user"],
            "workflow": {"id": workflow_id, "version": None, "state_variables": None, "tracing": {"enabled": True}},
            "rate_limits": {"max_requests_per_1_minute": 10},
            "max_requests_per_1_minute": 10,
            "chatkit_configuration": {
                "automatic_thread_titling": {"enabled": True},
                "file_upload": {"enabled": False, "max_file_size": 512, "max_files": 10},
                "history": {"enabled": True, "recent_threads": None},
            },
        }
    )


def _project(request: Request, stack: Stack) -> Project:
    key = _bearer(request)
    project = stack.world.project_of_key(key)
    if project is None:
        masked = f"{key[:7]}{'*' * 8}{key[-4:]}" if len(key) > 15 else "*" * len(key)
        raise ApiError(
            401,
            f"Incorrect API key provided: {masked}. You can find your API key at https://platform.openai.com/account/api-keys.",
            code="invalid_api_key",
        )
    # Answers to a known key name its owner, whatever their status.
    slug = stack.world.organization_of_project(project.id).slug
    request.scope["openai_owner"] = {"openai-organization": slug, "openai-project": project.id}
    return project


# --- asked by the frame -------------------------------------------------------------------------------------------


async def verify_hosted(request: Request, stack: Stack) -> Response:
    """Answer whether the session's organisation allows the page's origin; body `{referrer_origin}`."""
    session = _live_session(request, stack.visit)
    origin = str((await _body(request)).get("referrer_origin", ""))
    return _verified(origin, stack, is_known=stack.world.is_domain_of_project(origin, session.project_id))


async def verify(request: Request, stack: Stack) -> Response:
    """Answer whether a domain key was issued for the page's origin; body `{referrer_origin, domain_key}`."""
    body = await _body(request)
    origin = str(body.get("referrer_origin", ""))
    is_known = stack.world.is_domain_of_key(origin, str(body.get("domain_key", "")))
    return _verified(origin, stack, is_known=is_known)


def _verified(origin: str, stack: Stack, *, is_known: bool) -> Response:
    if not stack.scenario.domain_verified:
        return JSONResponse({"verified": False})
    if is_loopback_origin(origin) and not is_known:
        return JSONResponse({"verified": True, "dev_local_warning": "The domain is not on the allowlist."})
    return JSONResponse({"verified": is_known})


async def converse(request: Request, stack: Stack) -> Response:
    """Answer one operation `{type, params}` of the frame, as JSON or as a stream of server-sent events."""
    visit = stack.visit
    _live_session(request, visit)
    body = await _body(request)
    operation, params = body.get("type"), body.get("params") or {}
    match operation:
        case "threads.list":
            if stack.scenario.threads_status != 200:
                raise ApiError(stack.scenario.threads_status, "The server could not list the threads.")
            return JSONResponse({"data": [_summary(thread) for thread in visit.threads.values()], "has_more": False})
        case "threads.get_by_id":
            return JSONResponse(_thread(params, visit))
        case "threads.create":
            thread = _new_thread(visit)
            return _stream(_reply(thread, params.get("input") or {}, is_new=True))
        case "threads.add_user_message":
            return _stream(_reply(_thread(params, visit), params.get("input") or {}, is_new=False))
        case _:
            raise ApiError(400, f"Unknown operation {operation!r}.", param="type")


async def sentinel(_request: Request, _stack: Stack) -> Response:
    """Answer with a script that defines a `SentinelSDK` whose token means nothing."""
    return Response(SENTINEL_JS, media_type="text/javascript")


async def telemetry(_request: Request, _stack: Stack) -> Response:
    """Take telemetry, and forget it."""
    return JSONResponse({})


def _new_thread(visit: Visit) -> dict[str, Any]:
    thread: dict[str, Any] = {
        "id": f"cthr_{secrets.token_hex(12)}",
        "created_at": _now(),
        "status": {"type": "active"},
        "metadata": {},
        "items": {"data": [], "has_more": False},
    }
    visit.threads[thread["id"]] = thread
    return thread


def _thread(params: dict[str, Any], visit: Visit) -> dict[str, Any]:
    thread = visit.threads.get(str(params.get("thread_id")))
    if thread is None:
        raise ApiError(404, f"Thread with id '{params.get('thread_id')}' not found.")
    return thread


def _summary(thread: dict[str, Any]) -> dict[str, Any]:
    return thread | {"items": {"data": [], "has_more": False}}


async def _reply(thread: dict[str, Any], message: dict[str, Any], *, is_new: bool) -> AsyncIterator[dict[str, Any]]:
    """Yield the events of one turn in the order of the real server, a few words at a time."""
    items: list[dict[str, Any]] = thread["items"]["data"]
    if is_new:
        yield {"type": "thread.created", "thread": _summary(thread)}
    question = " ".join(str(part.get("text", "")) for part in message.get("content", []))
    asked = _item(thread, "user_message", content=message.get("content", []), attachments=[], inference_options={})
    items.append(asked)
    yield {"type": "thread.item.done", "item": asked}
    yield {"type": "stream_options", "stream_options": {"allow_cancel": True}}
    answer = _item(thread, "assistant_message", content=[])
    yield {"type": "thread.item.added", "item": answer}
    content: dict[str, Any] = {"type": "output_text", "text": "", "annotations": []}
    yield _update(answer, "content_part.added", content=content)
    for word in f"You asked: “{question}”. This answer comes from the stand-in, one word at a time.".split(" "):
        await asyncio.sleep(CHUNK_GAP_S)
        delta = word + " "
        content["text"] += delta
        yield _update(answer, "content_part.text_delta", delta=delta)
    content["text"] = content["text"].rstrip()
    yield _update(answer, "content_part.done", content=content)
    done = answer | {"content": [content]}
    items.append(done)
    yield {"type": "thread.item.done", "item": done}
    if is_new:
        thread["title"] = question[:60] or "New chat"
        yield {"type": "thread.updated", "thread": _summary(thread)}


def _item(thread: dict[str, Any], kind: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"cthi_{secrets.token_hex(12)}",
        "thread_id": thread["id"],
        "created_at": _now(),
        "type": kind,
    } | fields


def _update(item: dict[str, Any], kind: str, **fields: Any) -> dict[str, Any]:
    update = {"type": f"assistant_message.{kind}", "content_index": 0} | fields
    return {"type": "thread.item.updated", "item_id": item["id"], "update": update}


def _stream(events: AsyncIterator[dict[str, Any]]) -> Response:
    async def lines() -> AsyncIterator[str]:
        async for event in events:
            yield f"data: {json.dumps(event)}\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream")


def _live_session(request: Request, visit: Visit) -> Session:
    session = visit.sessions.get(_bearer(request))
    if session is None or session.expires_at <= time.time():
        raise ApiError(401, "The client secret is missing, expired or not valid.", code="invalid_client_secret")
    return session


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError as error:
        raise ApiError(400, "We could not parse the JSON body of your request.") from error
    if not isinstance(body, dict):
        raise ApiError(400, "The body of your request must be a JSON object.")
    return body


def _now() -> str:
    return datetime.now(UTC).replace(tzinfo=None).isoformat()

"""The API server: which path is answered by what, and what every answer has in common.

In: requests for api, us.api, eu.api, sentinel and chatgpt.com alike. Out: answers with the headers recorded from the
real API. Left out are `strict-transport-security` and `alt-svc`, which would change how a browser speaks to this
machine, and cookies. What is not known is a 404 in the API's own shape, and is noted in the log.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route

from harness.servers.fields import FieldError
from harness.servers.openai_api import errors
from harness.servers.openai_api.access import project_of
from harness.servers.openai_api.conversation import converse, file_content, upload
from harness.servers.openai_api.errors import ApiError
from harness.servers.openai_api.sessions import cancel_session, create_session
from harness.servers.openai_api.threads import delete_thread, get_thread, list_items, list_threads
from harness.servers.openai_api.verification import verify, verify_hosted
from harness.servers.stack import Stack, note

Handler = Callable[[Request, Stack], Awaitable[Response]]

FRAME_HEADERS = (
    "accept",
    "authorization",
    "content-type",
    "chatkit-device-id",
    "chatkit-frame-instance-id",
    "openai-sentinel-token",
)
# Each token is a new one. One that stood in the script would be a secret that every page's files hold.
SENTINEL_JS = """(() => {
  const token = async () => ['stand-in', ...crypto.getRandomValues(new Uint32Array(4))].join('-');
  window.SentinelSDK = { init: async () => {}, token };
})();
"""


def make_openai_api(stack: Stack) -> Starlette:
    """Return the API server."""

    def route(path: str, handle: Handler, *methods: str) -> Route:
        async def endpoint(request: Request) -> Response:
            return await _answered(handle, request, stack)

        return Route(path, endpoint, methods=methods or ("GET",))

    known = [
        route("/v1/models", list_models),
        route("/v1/chatkit/sessions", create_session, "POST"),
        route("/v1/chatkit/sessions/{session_id}/cancel", cancel_session, "POST"),
        route("/v1/chatkit/threads", list_threads),
        route("/v1/chatkit/threads/{thread_id}", get_thread),
        route("/v1/chatkit/threads/{thread_id}", delete_thread, "DELETE"),
        route("/v1/chatkit/threads/{thread_id}/items", list_items),
        route("/v1/chatkit/domain_keys/verify_hosted", verify_hosted, "POST"),
        route("/v1/chatkit/domain_keys/verify", verify, "POST"),
        route("/v1/chatkit/conversation", converse, "POST"),
        route("/v1/chatkit/files", upload, "POST"),
        route("/v1/chatkit/files/{file_id}", file_content, "GET", "PUT"),
        route("/backend-api/sentinel/sdk.js", sentinel),
        route("/ces/v1/projects/oai/settings", telemetry),
        route("/ces/v1/{rest:path}", telemetry, "POST"),
    ]

    async def unknown(request: Request, _stack: Stack) -> Response:
        method, path = request.method, request.url.path
        note(request, f"nothing is known here about {method} {path}")
        is_path_known = any(each.matches(request.scope)[0] is not Match.NONE for each in known)
        raise errors.wrong_method(method, path) if is_path_known else errors.unknown_url(method, path)

    return Starlette(
        routes=[*known, route("/{rest:path}", unknown, "GET", "POST", "PUT", "PATCH", "DELETE")],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=["*"],
                allow_methods=["GET", "POST", "PUT"],
                allow_headers=FRAME_HEADERS,
                expose_headers=["X-Request-ID"],
            )
        ],
    )


async def _answered(handle: Handler, request: Request, stack: Stack) -> Response:
    """Return what a handler answers, errors included, with the headers of every answer."""
    began = time.perf_counter()
    try:
        response = await handle(request, stack)
    except FieldError as error:
        response = _error_answer(errors.from_field(error))
    except ApiError as error:
        response = _error_answer(error)
    owner: dict[str, str] = request.scope.get("openai_owner", {}) if response.status_code < 500 else {}
    took_ms = max(1, round((time.perf_counter() - began) * 1000))
    for name, value in (errors.common_headers(took_ms) | owner).items():
        response.headers[name] = value
    return response


def _error_answer(error: ApiError) -> Response:
    return JSONResponse(error.body, status_code=error.status, headers=error.headers)


async def list_models(request: Request, stack: Stack) -> Response:
    """Answer `GET /v1/models`: proof that a key is valid."""
    project_of(request, stack)
    model = {"id": "gpt-4.1", "object": "model", "created": 1744316542, "owned_by": "system"}
    return JSONResponse({"object": "list", "data": [model]})


async def sentinel(_request: Request, _stack: Stack) -> Response:
    """Answer with a script that defines a `SentinelSDK` whose token means nothing."""
    return Response(SENTINEL_JS, media_type="text/javascript")


async def telemetry(_request: Request, _stack: Stack) -> Response:
    """Take telemetry, and forget it."""
    return JSONResponse({})

"""The test app: the page with its modules, a health check, the session API, and the chat backend of the custom mode.

In: the files of `fixtures/pages`. Out: the page with its configuration in a JSON island, and the loader referenced as
the scenario wants it.
"""

from __future__ import annotations

import json
from fnmatch import fnmatch
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from harness.servers.custom import custom_routes
from harness.servers.scenarios import fixtures_dir
from harness.servers.session import NOBODY_LISTENS, access_token_of, create_session, find_workflows, wrong_method
from harness.servers.stack import Stack, file_answer

CDN_ORIGIN = "https://cdn.platform.openai.com"
LOADER_PATH = "/deployments/chatkit/chatkit.js"
SIGNED_IN_USER = "00000000-0000-4000-8000-000000000001"


def make_app(stack: Stack) -> Starlette:
    """Return the app server."""
    pages = fixtures_dir() / "pages"
    template = pages / "test-chatkit.html"

    async def page(_request: Request) -> HTMLResponse:
        html = template.read_text(encoding="utf-8")
        return HTMLResponse(html.replace("<!-- loader -->", _loader(stack)).replace("<!-- config -->", _island(stack)))

    async def static(request: Request) -> Response:
        wanted = (pages / request.path_params["path"]).resolve()
        if not wanted.is_relative_to(pages.resolve()) or not wanted.is_file() or wanted.suffix == ".html":
            return PlainTextResponse("Not found", status_code=404)
        return file_answer(wanted)

    async def home(_request: Request) -> Response:
        return RedirectResponse("/test-chatkit")

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def session(request: Request) -> Response:
        return await create_session(request, stack)

    async def workflows(request: Request) -> Response:
        return await find_workflows(request, stack)

    return Starlette(
        routes=[
            Route("/", home),
            Route("/test-chatkit", page),
            Route("/health", health),
            Route("/api/chatkit/session", session, methods=["POST"]),
            Route("/api/chatkit/session", wrong_method, methods=["GET", "PUT", "PATCH", "DELETE"]),
            Route("/api/chatkit/workflows", workflows),
            Route("/static/{path:path}", static),
            *custom_routes(stack),
        ]
    )


def _loader(stack: Stack) -> str:
    if stack.scenario.script == "none":
        return ""
    origin = stack.cdn_url if stack.is_for_people else CDN_ORIGIN
    if stack.is_for_people and fnmatch(CDN_ORIGIN + LOADER_PATH, stack.scenario.block):
        origin = NOBODY_LISTENS  # nothing is routed in a person's browser, so what is blocked is not there
    return f'<script src="{origin}{LOADER_PATH}" async></script>'


def _island(stack: Stack) -> str:
    settings = stack.world.app
    is_signed_in = stack.scenario.session_auth == "signed-in"
    config: dict[str, Any] = {
        "scenario": stack.scenario.name,
        "about": stack.scenario.about,
        "wrapper": stack.scenario.wrapper,
        "workflows": [{"id": w.id, "name": w.name} for w in stack.world.workflows_of_key(stack.app_key)],
        "accessToken": access_token_of(SIGNED_IN_USER, secret=settings.jwt_secret) if is_signed_in else None,
    }
    text = json.dumps(config).replace("<", "\\u003c")
    return f'<script type="application/json" id="test-config">{text}</script>'

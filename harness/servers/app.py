"""The test app: the page with its modules, a health check, the session API, and the chat backend of the custom mode.

In: the files of `fixtures/pages`. Out: the page with its configuration in a JSON island, and the loader referenced as
the scenario wants it.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from harness.model.chatkit import CDN_ORIGIN, LOADER_PATH
from harness.servers.custom import custom_routes
from harness.servers.scenarios import fixtures_dir
from harness.servers.session import access_token_of, create_session, find_workflows, new_secret, wrong_method
from harness.servers.stack import Stack, file_answer, file_below
from harness.servers.world import Workflow

WRONG_LOADER = "https://cdn.openai.com/chatkit/v1/chatkit.js"  # an address that people make up
PAGE_PATH = "/test-chatkit"
BROUGHT_BY_SCRIPT = ("late", "import", "pasted")
OLD_HASH = "sha384-oqVuAfXRKap7fdgcCY5uykM6+R9GqQ8K/uxy9rx7HNQlGYl1kPzQho1wx4JwY8wC"
INJECTOR = "<script>document.head.append(Object.assign(document.createElement('script'), {src: '%s'}))</script>"
UNKNOWN_DOMAIN_KEY = "domain_pk_localhost_dev"
SIGNED_IN_USER = "00000000-0000-4000-8000-000000000001"


def make_app(stack: Stack) -> Starlette:
    """Return the app server."""
    pages = fixtures_dir() / "pages"
    template = pages / "test-chatkit.html"

    async def page(request: Request) -> Response:
        if stack.scenario.session == "in-url" and "client_secret" not in request.query_params:
            return RedirectResponse(f"{PAGE_PATH}?{urlencode({'client_secret': await new_secret(stack)})}")
        html = template.read_text(encoding="utf-8")
        return HTMLResponse(html.replace("<!-- loader -->", _loader(stack)).replace("<!-- config -->", _island(stack)))

    async def static(request: Request) -> Response:
        wanted = file_below(pages, request.path_params["path"])
        if wanted is None or wanted.suffix == ".html":
            return PlainTextResponse("Not found", status_code=404)
        return file_answer(wanted)

    async def vendored(_request: Request) -> Response:
        return file_answer(stack.sdk_dir / LOADER_PATH.lstrip("/"))

    async def home(_request: Request) -> Response:
        return RedirectResponse(PAGE_PATH)

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def session(request: Request) -> Response:
        return await create_session(request, stack)

    async def workflows(request: Request) -> Response:
        return await find_workflows(request, stack)

    return Starlette(
        routes=[
            Route("/", home),
            Route(PAGE_PATH, page),
            Route("/health", health),
            Route("/api/chatkit/session", session, methods=["POST"]),
            Route("/api/chatkit/session", wrong_method, methods=["GET", "PUT", "PATCH", "DELETE"]),
            Route("/api/chatkit/workflows", workflows),
            Route("/vendor/chatkit.js", vendored),
            Route("/static/{path:path}", static),
            *custom_routes(stack),
        ]
    )


def _workflows(stack: Stack) -> tuple[Workflow, ...]:
    """Return the workflows that the page offers, those of the right key when the app's own is good for nothing."""
    world = stack.world
    return world.workflows_of_key(stack.app_key) or world.workflows_of_key(world.app.api_key)


def _loader(stack: Stack) -> str:
    """Return the tags that reference the loader; two variants bring it in by script, later."""
    tag = f'<script src="{_loader_url(stack)}" async></script>'
    match stack.scenario.script:
        case variant if variant == "none" or variant in BROUGHT_BY_SCRIPT:
            return ""
        case "module":
            return tag.replace(" async", ' type="module"')
        case "twice":
            return tag + tag
        case "pinned":
            return tag.replace(" async", f' integrity="{OLD_HASH}" async')
        case "inline":
            return INJECTOR % _loader_url(stack)
        case _:
            return tag


def _loader_url(stack: Stack) -> str:
    if stack.scenario.script == "self-hosted":
        return "/vendor/chatkit.js"
    if stack.scenario.script == "wrong-url":
        return f"{stack.api_url}/chatkit/v1/chatkit.js" if stack.is_for_people else WRONG_LOADER
    return (stack.sdk_url if stack.is_for_people else CDN_ORIGIN) + LOADER_PATH


def _island(stack: Stack) -> str:
    settings, scenario = stack.world.app, stack.scenario
    is_signed_in = scenario.session_auth == "signed-in"
    config: dict[str, Any] = {
        "scenario": scenario.name,
        "about": scenario.about,
        "mode": scenario.mode,
        "wrapper": scenario.wrapper,
        "container": scenario.container,
        "options": scenario.options,
        "session": scenario.session,
        "backend": scenario.backend,
        "extras": scenario.extras,
        "script": scenario.script,
        "loader": _loader_url(stack) if scenario.script in BROUGHT_BY_SCRIPT else "",
        "domainKey": stack.world.key_of_domain(scenario.origin) or UNKNOWN_DOMAIN_KEY,
        "workflows": [{"id": w.id, "name": w.name} for w in _workflows(stack)],
        "accessToken": access_token_of(SIGNED_IN_USER, secret=settings.jwt_secret) if is_signed_in else None,
    }
    text = json.dumps(config).replace("<", "\\u003c")
    return f'<script type="application/json" id="test-config">{text}</script>'

"""Serves ChatKit's loader, frame and assets from a folder in the layout of the real CDN.

In: the stand-in in `fixtures/sdk`, or another folder of that layout. Out: its files; failures are `faulty`'s.
The stand-in's frame HTML gets `<meta>` lines with settings that the real frame does not have.
"""

from __future__ import annotations

import re

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from harness.servers.stack import Stack, file_answer, file_below

FRAME = re.compile(r"deployments/chatkit/index-[\w-]+\.html")
ANY_ORIGIN = {"access-control-allow-origin": "*"}


def make_cdn(stack: Stack) -> Starlette:
    """Return the CDN server."""

    async def deliver(request: Request) -> Response:
        path: str = request.path_params["path"]
        wanted = file_below(stack.sdk_dir, path)
        if wanted is None:
            return PlainTextResponse("Not found", status_code=404)
        if FRAME.fullmatch(path):
            return HTMLResponse(_with_meta(wanted.read_text(encoding="utf-8"), stack))
        return file_answer(wanted, headers=ANY_ORIGIN)

    return Starlette(routes=[Route("/{path:path}", deliver)])


def _with_meta(html: str, stack: Stack) -> str:
    lines = []
    if stack.is_for_people:
        lines.append(f'<meta name="chatkit-stand-in-api" content="{stack.api_url}">')
    if stack.scenario.early_sentinel:
        lines.append('<meta name="chatkit-stand-in-early-sentinel" content="true">')
    if stack.scenario.always_verify:
        lines.append('<meta name="chatkit-stand-in-always-verify" content="true">')
    if stack.scenario.generation != "newest":
        lines.append(f'<meta name="chatkit-stand-in-generation" content="{stack.scenario.generation}">')
    return html.replace("</title>", "</title>\n    " + "\n    ".join(lines), 1) if lines else html

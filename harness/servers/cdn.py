"""Serves ChatKit's loader, frame and assets from a folder in the layout of the real CDN.

In: the stand-in in `fixtures/sdk`, or another folder of that layout. Out: its files, or the failures of the scenario.
The stand-in's frame HTML gets two `<meta>` lines that tell it what the real one cannot be told.
"""

from __future__ import annotations

import re

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from harness.servers.scenarios import Scenario
from harness.servers.stack import Stack, file_answer

LOADER = re.compile(r"deployments/chatkit/chatkit\.js")
FRAME = re.compile(r"deployments/chatkit/index-[\w-]+\.html")
ENTRY = re.compile(r"assets/ck1/index-[\w-]+\.js")
ANY_ORIGIN = {"access-control-allow-origin": "*"}

ERROR_PAGE = """<!doctype html>
<html lang="en"><head><title>Error {status}</title></head>
<body><h1>{status}</h1><p>{reason}</p></body></html>
"""


def make_cdn(stack: Stack) -> Starlette:
    """Return the CDN server."""

    async def deliver(request: Request) -> Response:
        path: str = request.path_params["path"]
        status = _status_of(path, stack.scenario)
        if status != 200:
            return HTMLResponse(_error_page(status), status_code=status)
        wanted = (stack.sdk_dir / path).resolve()
        if not wanted.is_relative_to(stack.sdk_dir.resolve()) or not wanted.is_file():
            return PlainTextResponse("Not found", status_code=404)
        if FRAME.fullmatch(path):
            return HTMLResponse(_with_meta(wanted.read_text(encoding="utf-8"), stack))
        return file_answer(wanted, headers=ANY_ORIGIN)

    return Starlette(routes=[Route("/{path:path}", deliver)])


def _status_of(path: str, scenario: Scenario) -> int:
    for pattern, status in (
        (LOADER, scenario.loader_status),
        (FRAME, scenario.frame_status),
        (ENTRY, scenario.entry_status),
    ):
        if pattern.fullmatch(path):
            return status
    return 200


def _error_page(status: int) -> str:
    reason = "The request is badly formed." if status == 400 else "The request could not be answered."
    return ERROR_PAGE.format(status=status, reason=reason)


def _with_meta(html: str, stack: Stack) -> str:
    lines = []
    if stack.is_for_people:
        lines.append(f'<meta name="chatkit-stand-in-api" content="{stack.api_url}">')
    if stack.scenario.always_verify:
        lines.append('<meta name="chatkit-stand-in-always-verify" content="true">')
    return html.replace("</title>", "</title>\n    " + "\n    ".join(lines), 1) if lines else html

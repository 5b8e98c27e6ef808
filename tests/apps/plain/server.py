"""A small backend: the page of a folder, a hosted session at /api/session, and a chat of its own at /support/chatkit.

In: the variables PORT, APP_FAULT, STATIC (the folder; its own by default), and OpenAI's own. It runs until it is ended.
"""

# The library names the method and hands over the parameters.
# ruff: noqa: ARG002

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvicorn
from chatkit.server import ChatKitServer, StreamingResult
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    ThreadItemDoneEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
)
from openai import AsyncOpenAI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from store import MemoryStore

FAULT = os.environ.get("APP_FAULT", "")
STATIC = Path(os.environ.get("STATIC", Path(__file__).parent)).resolve()
LOADER = '<script src="https://cdn.platform.openai.com/deployments/chatkit/chatkit.js" async></script>'
POLICIES = {
    "csp-without-frame": "default-src 'self'; script-src 'self' https://cdn.platform.openai.com; "
    "style-src 'self' 'unsafe-inline'; connect-src 'self' https://api.openai.com; img-src 'self' data:",
    "csp-without-backend": "default-src 'self'; script-src 'self' https://cdn.platform.openai.com; "
    "style-src 'self' 'unsafe-inline'; frame-src https://cdn.platform.openai.com; connect-src https://api.openai.com; "
    "img-src 'self' data:",
}


class Scripted(ChatKitServer[dict[str, str]]):
    """Answers every message with the same sentence."""

    async def respond(
        self,
        thread: ThreadMetadata,
        input_user_message: UserMessageItem | None,
        context: dict[str, str],
    ) -> AsyncIterator[ThreadStreamEvent]:
        """Yield one sentence, word by word."""
        if FAULT == "model-throws":
            raise RuntimeError("the model's key is not set")
        if FAULT == "reply-forgotten":
            return
        yield ThreadItemDoneEvent(
            item=AssistantMessageItem(
                id=self.store.generate_item_id("message", thread, context),
                thread_id=thread.id,
                created_at=thread.created_at,
                content=[AssistantMessageContent(text="Have you tried turning it off and on again?")],
            )
        )


SERVER = Scripted(MemoryStore())


async def chat(request: Request) -> Response:
    """Hand the request to OpenAI's library, as its samples do."""
    if FAULT == "backend-throws":
        raise RuntimeError("cannot read the user")
    if FAULT == "sign-in-required" and "authorization" not in request.headers:
        return JSONResponse({"detail": "Not authenticated"}, status_code=401)
    process: Any = SERVER.process
    result = (
        process(await request.body(), {}) if FAULT == "await-forgotten" else await process(await request.body(), {})
    )
    if isinstance(result, StreamingResult):
        media_type = "text/plain" if FAULT == "stream-as-text" else "text/event-stream"
        return StreamingResponse(result, media_type=media_type)
    return Response(result.json, media_type="application/json")


async def session(_: Request) -> Response:
    """Make a ChatKit session, and hand out its secret."""
    if FAULT == "backend-throws":
        raise RuntimeError("cannot read the user")
    if FAULT == "key-missing":
        del os.environ["OPENAI_API_KEY"]
    headers = {"OpenAI-Beta": ""} if FAULT == "beta-header-missing" else {}
    made = await AsyncOpenAI().beta.chatkit.sessions.create(
        user="visitor", workflow={"id": "wf_support"}, extra_headers=headers
    )
    return JSONResponse({"clientSecret" if FAULT == "json-key-wrong" else "client_secret": made.client_secret})


async def page(request: Request) -> Response:
    """Return a file of the folder, or the page."""
    wanted = (STATIC / request.url.path.lstrip("/")).resolve()
    if wanted.is_relative_to(STATIC) and wanted.is_file() and wanted.suffix in {".js", ".css"}:
        return FileResponse(wanted)
    html = (STATIC / "index.html").read_text(encoding="utf-8").replace("%FAULT%", FAULT)
    policy = {"Content-Security-Policy": POLICIES[FAULT]} if FAULT in POLICIES else {}
    return HTMLResponse(html.replace(LOADER, "") if FAULT == "script-missing" else html, headers=policy)


CHAT_METHODS = ["PUT"] if FAULT == "method-wrong" else ["POST"]
ROUTES = [
    Route("/api/session", session, methods=["POST"]),
    # The fault is a route that was never mounted: what serves the page answers in its place.
    *([] if FAULT == "route-not-mounted" else [Route("/support/chatkit", chat, methods=CHAT_METHODS)]),
    Route("/{path:path}", page, methods=["GET", "POST"] if FAULT == "route-not-mounted" else ["GET"]),
]

if __name__ == "__main__":
    uvicorn.run(Starlette(routes=ROUTES), host="localhost", port=int(os.environ["PORT"]), access_log=False)

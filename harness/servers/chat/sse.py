"""Server-sent events as the server library frames them: each is `data: `, one line of JSON, and an empty line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from starlette.responses import Response, StreamingResponse

from harness.servers.chat.requests import Json


def stream_answer(events: AsyncIterator[Json]) -> Response:
    """Return the answer that sends each event as soon as it is there, and then ends."""

    async def blocks() -> AsyncIterator[str]:
        async for event in events:
            yield f"data: {json.dumps(event, ensure_ascii=False, separators=(',', ':'))}\n\n"

    return StreamingResponse(blocks(), media_type="text/event-stream")

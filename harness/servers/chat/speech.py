"""How the assistant speaks: a message that grows by a word at a time."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

from harness.servers.chat import events
from harness.servers.chat.requests import Json
from harness.servers.chat.turn import Turn

Events = AsyncIterator[Json]


async def say(
    turn: Turn, text: str, *, gaps: float = 1, annotations: Sequence[Json] = (), until: int | None = None
) -> Events:
    """Yield an assistant message that grows by a word with each gap; `until`: it stops after this many words."""
    message = turn.item("assistant_message", content=[])
    yield events.item_added(message)
    part: Json = {"annotations": [], "text": "", "type": "output_text"}
    yield _part(message, "added", content=part)
    for piece in words_of(text)[:until]:
        await turn.pause(gaps)
        yield _part(message, "text_delta", delta=piece)
    if until is not None:
        return
    for index, annotation in enumerate(annotations):
        yield _part(message, "annotation_added", annotation_index=index, annotation=annotation)
    part = part | {"text": text, "annotations": list(annotations)}
    yield _part(message, "done", content=part)
    yield events.item_done(message | {"content": [part]})


def words_of(text: str) -> list[str]:
    """Return a text in pieces: each a word with the space before it."""
    return re.findall(r"\s*\S+", text)


def _part(message: Json, kind: str, **fields: Any) -> Json:
    return events.item_updated(message, f"assistant_message.content_part.{kind}", content_index=0, **fields)

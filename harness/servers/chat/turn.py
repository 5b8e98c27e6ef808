"""What a scripted reply knows and may use while it runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from harness.servers.chat.requests import Json
from harness.servers.chat.store import IdScheme, Thread

TITLE_LENGTH = 60


class ScriptedError(Exception):
    """The reply fails after its stream began, as a backend's own exception would make it fail."""


class DroppedError(Exception):
    """The connection breaks in the middle of the stream."""


@dataclass(slots=True, kw_only=True)
class Turn:
    """One reply. A script may change the thread's title and status; whoever plays it says so in the stream."""

    thread: Thread
    message: Json | None  # the user message to answer; None after a tool's output or a form
    last: Json | None  # the newest item of the thread
    ids: IdScheme
    now: Callable[[], datetime]
    pause: Callable[[float], Awaitable[None]]  # for so many chunk gaps
    has_titles: bool

    @property
    def text(self) -> str:
        """What the person wrote, tags included; "" when there is no message."""
        parts = self.message["content"] if self.message else []
        return " ".join(part["text"] for part in parts)

    def item(self, kind: str, *, id_kind: str = "message", **fields: Any) -> Json:
        """Return a new item of the thread."""
        return {
            "id": self.ids.new(id_kind),
            "thread_id": self.thread.id,
            "created_at": self.now().isoformat(),
            "type": kind,
            **fields,
        }

    def entitle(self) -> None:
        """Give a thread without a title one: what was asked first."""
        if self.has_titles and self.thread.title is None and self.message is not None:
            self.thread.title = self.text.strip()[:TITLE_LENGTH] or "New chat"

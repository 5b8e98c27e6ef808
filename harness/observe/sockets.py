"""Records the WebSockets of a page: URL, whether it opened, and the messages of the server.

In: Playwright's events. Out: events, and the sockets with their messages for the HAR. What a page sends is not kept: nothing is answered
to it in a replay. A token in a socket's address (a development server has one there) is secret from then on.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from urllib.parse import parse_qsl

from playwright.sync_api import Page, WebSocket

from harness.model.addresses import split_url
from harness.model.bounds import FULL, Bounds
from harness.model.events import Omitted, SocketEnded, SocketOpened
from harness.model.recording import NEVER, RecordedSocket, SocketMessage
from harness.model.redaction import Redactor
from harness.model.timeline import Timeline

SECRET_IN_NAME = ("token", "secret", "auth", "ticket", "key")


@dataclass(slots=True)
class _Socket:
    url: str
    started_ms: float
    ended_ms: float = NEVER
    failure: str = ""
    messages: list[SocketMessage] = field(default_factory=list)


class SocketObserver:
    """Attaches to a page and keeps what its sockets receive."""

    def __init__(self, timeline: Timeline, bounds: Bounds = FULL) -> None:
        self._timeline = timeline
        self._bounds = bounds
        self._sockets: list[_Socket] = []
        self._chars = 0
        self._is_over = False  # there were too many of them, or too much in them

    def attach(self, page: Page) -> None:
        """Start listening."""
        page.on("websocket", self._on_socket)

    def detach(self, page: Page) -> None:
        """Stop listening."""
        page.remove_listener("websocket", self._on_socket)

    @property
    def sockets(self) -> tuple[RecordedSocket, ...]:
        """The record of each socket, redacted."""
        redactor = self._timeline.redactor
        return tuple(
            RecordedSocket(
                url=redactor.text(socket.url),
                started_ms=socket.started_ms,
                ended_ms=socket.ended_ms,
                failure=socket.failure,
                messages=tuple(replace(m, content=_redacted(m.content, redactor)) for m in socket.messages),
            )
            for socket in self._sockets
        )

    def _on_socket(self, opened: WebSocket) -> None:
        for name, value in parse_qsl(split_url(opened.url).query):
            if any(word in name.lower() for word in SECRET_IN_NAME):
                self._timeline.redactor.learn("token", value)
        if len(self._sockets) >= self._bounds.sockets:
            self._omit("sockets", self._bounds.sockets)
            return
        socket = _Socket(url=opened.url, started_ms=self._timeline.now_ms)
        self._timeline.append(SocketOpened(url=opened.url))
        self._sockets.append(socket)
        opened.on("framereceived", partial(self._on_message, socket))
        opened.on("socketerror", partial(self._on_error, socket))
        opened.on("close", partial(self._on_close, socket))

    def _on_message(self, socket: _Socket, payload: str | bytes) -> None:
        self._chars += len(payload)
        if self._chars > self._bounds.socket_chars or len(socket.messages) >= self._bounds.socket_messages:
            self._omit("messages of sockets", self._bounds.socket_messages)
            return
        at_ms = self._timeline.now_ms - socket.started_ms
        socket.messages.append(
            SocketMessage(at_ms=round(at_ms, 1), content=_redacted(payload, self._timeline.redactor))
        )

    def _on_error(self, socket: _Socket, error: str) -> None:
        socket.failure = self._timeline.redactor.cut(error, self._bounds.message_chars)

    def _on_close(self, socket: _Socket, _opened: WebSocket) -> None:
        socket.ended_ms = round(self._timeline.now_ms - socket.started_ms, 1)
        self._timeline.append(SocketEnded(url=socket.url, error_text=socket.failure))

    def _omit(self, what: str, limit: int) -> None:
        if not self._is_over:
            self._is_over = True
            self._timeline.append(Omitted(what=what, limit=str(limit)))


def _redacted(content: str | bytes, redactor: Redactor) -> str | bytes:
    return redactor.text(content) if isinstance(content, str) else redactor.content(content)

"""Reads a recording from HAR 1.2 and, if there is one, a bundle's manifest.

In: parsed JSON, of our own or as browser developer tools and Playwright write it. Out: a `Recording`, and what it lacks, as sentences.
Invalid entries are skipped and reported; only a file that is not a HAR is a RecordingError.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from harness.analysis.har import BINARY_FRAME, CUT, TEXT_FRAME
from harness.analysis.replay.matching import BODY_MISSING
from harness.analysis.replay.minimising import is_socket
from harness.errors import RecordingError
from harness.model.codec import DAY_MS, Unfit
from harness.model.events import ReplayMissed
from harness.model.faults import operation_of
from harness.model.manifest import Manifest
from harness.model.recording import NEVER, Chunk, RecordedExchange, RecordedSocket, Recording, SocketMessage
from harness.model.shapes import MadeUp
from harness.model.timeline import Entry

BODILESS = (204, 205, 301, 302, 303, 304, 307, 308)
MOST_NAMED = 6
LARGEST_SECONDS = 1e11  # in milliseconds, the year 1973
MOST_ENTRIES = 20_000  # of a HAR; a visit of our own keeps 3,000 requests
NOTHING = Manifest(written_at="", harness="", url="", started_at="", network="live")
ReadFile = Callable[[str], bytes | None]


def recording_of(
    har: Any, *, name: str, manifest: Manifest | None = None, read_file: ReadFile = lambda _name: None
) -> Recording:
    """Return the recording. Raises RecordingError for what is no HAR, or holds no request.

    `read_file` returns the content of a file beside the HAR, where bodies are kept; None when there is none.
    """
    log = har.get("log") if isinstance(har, dict) else None
    rows = log.get("entries") if isinstance(log, dict) else None
    if not isinstance(log, dict) or not isinstance(rows, list):
        raise RecordingError(f"{name} is not a HAR: it has no log with entries")
    if len(rows) > MOST_ENTRIES:
        raise Unfit(
            name,
            at="log.entries",
            expected=f"at most {MOST_ENTRIES} entries",
            found=f"{len(rows)}",
            fix="record less: one visit, or only the requests of the page",
        )
    made_up = MadeUp(dict(manifest.shapes) if manifest else {})
    reader = _Reader(made_up=made_up, read_file=read_file, origin=_origin(rows))
    exchanges = [
        exchange
        for number, row in enumerate(rows, start=1)
        if not is_socket(row) and (exchange := reader.exchange(row, number))
    ]
    sockets = [row for row in rows if is_socket(row)]
    if not exchanges:
        raise RecordingError(f"{name} contains no request")
    known = manifest or NOTHING
    exchanges.sort(key=lambda exchange: exchange.started_ms)
    return Recording(
        name=name,
        url=made_up.url(known.url) or _url_of(log, exchanges),
        started_at=known.started_at or str(rows[0].get("startedDateTime", "")),
        network=known.network,
        project=known.project,
        entry=known.entry,
        exchanges=tuple(exchanges),
        sockets=tuple(socket for row in sockets if (socket := reader.socket(row))),
        environment=known.environment,
        actions=tuple(replace(action, text=made_up.text(action.text)) for action in known.actions),
        storage=_expanded(known.storage, made_up),
        judged=known.judged,
        made_up=made_up,
        left_out=known.left_out,
        missing=tuple(dict.fromkeys((*known.missing, *_missing(exchanges)))),
        warnings=_warnings(len(rows) - len(sockets) - len(exchanges), manifest, log),
    )


def _warnings(left_out: int, manifest: Manifest | None, log: dict[str, Any]) -> tuple[str, ...]:
    creator = log.get("creator")
    maker = str(creator.get("name", "")) if isinstance(creator, dict) else ""
    warnings = []
    if left_out:
        warnings.append(f"{left_out} entries could not be read and were skipped")
    if manifest is None:
        made = f" (made by {maker})" if maker and maker != "chatkit-harness" else ""
        warnings.append(f"there is no manifest{made}: clicks, cookies, viewport and the recorded verdict are unknown")
    return tuple(warnings)


def _missing(exchanges: Iterable[RecordedExchange]) -> tuple[str, ...]:
    lacking = list(dict.fromkeys(x.lack for x in exchanges if x.lack))
    named = lacking[:MOST_NAMED]
    more = len(lacking) - len(named)
    return (*named, *([f"{more} more bodies of documents, scripts and responses"] if more > 0 else []))


def _text_or_bytes(content: bytes | None) -> str | bytes | None:
    try:
        return content.decode() if content is not None else None
    except UnicodeDecodeError:
        return content


def lacks_in(entries: Iterable[Entry]) -> tuple[str, ...]:
    """Return what a replay asked for and its recording does not have, as sentences."""
    lacks = []
    for entry in entries:
        match entry.event:
            case ReplayMissed(method=method, url=url, difference=difference) if difference.startswith(BODY_MISSING):
                lacks.append(
                    f"the body of {method} {url.split('?')[0]} is missing: {difference.removeprefix(BODY_MISSING)}"
                )
            case ReplayMissed(method=method, url=url):
                lacks.append(f"no recorded response for {method} {url}")
            case _:
                pass
    return tuple(dict.fromkeys(lacks))[:MOST_NAMED]


def _origin(rows: list[Any]) -> float:
    times = [_instant(row.get("startedDateTime")) for row in rows if isinstance(row, dict)]
    return min((time for time in times if time is not None), default=0.0)


def _ms(value: Any) -> float:
    """Return a time of a HAR. Raises ValueError for one that no visit takes."""
    ms = float(value)
    if not -DAY_MS < ms < DAY_MS:
        raise ValueError(f"a time of {ms:g} ms")
    return ms


def _instant(text: Any) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp() * 1000
    except (TypeError, ValueError):
        return None


def _in_ms(time: Any) -> float:
    """An instant in milliseconds: Chrome's developer tools write seconds."""
    instant = float(time)
    return instant * 1000 if instant < LARGEST_SECONDS else instant


def _url_of(log: dict[str, Any], exchanges: list[RecordedExchange]) -> str:
    documents = [x for x in exchanges if x.resource_type == "document" or x.media_type == "text/html"]
    pages = log.get("pages")
    title = pages[0].get("title", "") if isinstance(pages, list) and pages and isinstance(pages[0], dict) else ""
    if any(x.url == title for x in exchanges):
        return str(title)
    return (documents or exchanges)[0].url


def _expanded(value: Any, made_up: MadeUp) -> Any:
    match value:
        case str():
            return made_up.text(value)
        case list():
            return [_expanded(item, made_up) for item in value]
        case dict():
            return {name: _expanded(item, made_up) for name, item in value.items()}
        case _:
            return value


@dataclass(slots=True, kw_only=True)
class _Reader:
    """Reads one HAR entry after another; later ones may refer to earlier ones."""

    made_up: MadeUp
    read_file: ReadFile
    origin: float
    texts: dict[int, str] | None = None  # by `_seq`

    def exchange(self, row: Any, number: int) -> RecordedExchange | None:
        """Return the exchange of a HAR entry; None when it is none."""
        try:
            return self._exchange(row, row["request"], row["response"], number)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            return None

    def _exchange(
        self, row: dict[str, Any], request: dict[str, Any], response: dict[str, Any], number: int
    ) -> RecordedExchange:
        url = self.made_up.url(str(request["url"])).split("#")[0]
        if not url.startswith(("http://", "https://")):
            raise ValueError("not a network request")
        body = self._request_body(request.get("postData") or {})
        content = response.get("content", {})
        media_type = str(content.get("mimeType", "")).split(";")[0].strip().lower()
        status = max(int(response.get("status", 0)), 0)
        started, answered, ended = self._times(row, status)
        exchange = RecordedExchange(
            number=number,
            method=str(request["method"]).upper(),
            url=url,
            resource_type=self._resource_type(row, media_type),
            request_body=body,
            operation=operation_of(body),
            started_ms=started,
            answered_ms=answered,
            ended_ms=ended,
            status=status,
            status_text=str(response.get("statusText", "")),
            headers=tuple(
                (str(h["name"]), self.made_up.text(str(h["value"])))
                for h in response.get("headers", [])
                if not str(h["name"]).startswith(":")
            ),
            media_type="" if media_type == "x-unknown" else media_type,
            failure=self._failure(response, status),
            cors_header=row.get("_corsHeader"),
            seq=int(row.get("_seq", 0)),
        )
        return self._with_body(exchange, content, is_bodiless=status == 0 or status in BODILESS)

    def socket(self, row: Any) -> RecordedSocket | None:
        """Return the WebSocket of a HAR entry; None when it cannot be read."""
        try:
            response = row.get("response") or {}
            began = _instant(row.get("startedDateTime")) or self.origin
            started, _, ended = self._times(row, 101)
            return RecordedSocket(
                url=self.made_up.url(str(row["request"]["url"])).split("#")[0],
                started_ms=started,
                ended_ms=ended if "_times" in row else NEVER,
                failure=str(response.get("_error") or response.get("_failureText") or ""),
                messages=tuple(
                    SocketMessage(
                        at_ms=max(_in_ms(message.get("time")) - began, 0), content=self._socket_content(message)
                    )
                    for message in self._messages(row, response.get("content") or {})
                    if message.get("type") == "receive"
                    and message.get("opcode", TEXT_FRAME) in (TEXT_FRAME, BINARY_FRAME)
                ),
            )
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            return None

    def _socket_content(self, message: dict[str, Any]) -> str | bytes:
        data = str(message["data"])
        return base64.b64decode(data) if message.get("opcode") == BINARY_FRAME else self.made_up.text(data)

    def _messages(self, row: dict[str, Any], content: dict[str, Any]) -> list[dict[str, Any]]:
        """The messages of a WebSocket: in the entry, or, as Playwright attaches them, one JSON line each in a file beside it."""
        if isinstance(content.get("_file"), str):
            lines = (self.read_file(content["_file"]) or b"").decode("utf-8", "replace").splitlines()
            return [json.loads(line) for line in lines if line]
        return list(row.get("_webSocketMessages") or [])

    def _with_body(self, exchange: RecordedExchange, content: dict[str, Any], *, is_bodiless: bool) -> RecordedExchange:
        text, missing = self._text(content, exchange.seq)
        if isinstance(text, bytes):
            return replace(exchange, raw=text)
        if text is None:
            is_empty = is_bodiless or exchange.method == "HEAD" or (content.get("size") in (0, None) and not missing)
            return replace(exchange, missing="" if is_empty else missing or "it was not stored")
        chunks = self._chunks(text, content.get("_chunks"), exchange.media_type)
        return replace(
            exchange,
            chunks=chunks,
            missing="it is cut" if str(content.get("comment", "")).startswith(f"{CUT};") else "",
        )

    def _request_body(self, data: dict[str, Any]) -> str:
        text = str(data.get("text") or "")
        if isinstance(data.get("_file"), str):
            content = self.read_file(data["_file"])
            text = content.decode("utf-8", "replace") if content is not None else text
        return self.made_up.text(text, str(data.get("mimeType", "")).split(";")[0])

    def _text(self, content: dict[str, Any], seq: int) -> tuple[str | bytes | None, str]:
        """Return a body as it was redacted: a text, what is none as bytes; or None, and why there is none."""
        self.texts = self.texts if self.texts is not None else {}
        if "_sameAs" in content:
            return self.texts.get(int(content["_sameAs"])), "the entry that it stands in is missing"
        if isinstance(content.get("_file"), str):
            data = self.read_file(content["_file"])
            return _text_or_bytes(data), f"{content['_file']} is not in the recording"
        text = content.get("text")
        if not isinstance(text, str):
            return None, str(content.get("comment", "")).removeprefix("not kept: ")
        if content.get("encoding") == "base64":
            try:
                return _text_or_bytes(base64.b64decode(text)), ""
            except binascii.Error:
                return None, "it is damaged"
        if seq:
            self.texts[seq] = text
        return text, ""

    def _chunks(self, text: str, saved: Any, media_type: str) -> tuple[Chunk, ...]:
        whole = (Chunk(at_ms=0, text=self.made_up.text(text, media_type)),)
        if not isinstance(saved, list) or sum(size for _, size in saved) != len(text):
            return whole
        chunks, at, first_ms = [], 0, _ms(saved[0][0]) if saved else 0.0
        for at_ms, size in saved:
            part = self.made_up.text(text[at : at + size], media_type)
            chunks.append(Chunk(at_ms=round(_ms(at_ms) - first_ms, 1), text=part))
            at += size
        return tuple(chunks)

    def _times(self, row: dict[str, Any], status: int) -> tuple[float, float, float]:
        times = row.get("_times")
        if isinstance(times, dict):
            return (
                _ms(times.get("started_ms", 0)),
                _ms(times.get("answered_ms", NEVER)),
                _ms(times.get("ended_ms", NEVER)),
            )
        started = max((_instant(row.get("startedDateTime")) or self.origin) - self.origin, 0.0)
        timings = {part: max(_ms(ms), 0) for part, ms in row.get("timings", {}).items() if isinstance(ms, int | float)}
        waited = sum(timings.get(part, 0) for part in ("blocked", "dns", "connect", "send", "wait"))
        ended = max(_ms(row.get("time", 0) or 0), waited + timings.get("receive", 0))
        return (round(started, 1), round(waited, 1) if status else NEVER, round(ended, 1))

    @staticmethod
    def _failure(response: dict[str, Any], status: int) -> str:
        failure = response.get("_error") or response.get("_failureText") or ""
        if failure == "no answer":
            return ""
        return str(failure) or ("" if status else str(response.get("comment", "")))

    @staticmethod
    def _resource_type(row: dict[str, Any], media_type: str) -> str:
        kind = row.get("_resourceType")
        if isinstance(kind, str) and kind:
            return kind
        if "html" in media_type:
            return "document"
        return "script" if "javascript" in media_type else "stylesheet" if "css" in media_type else "fetch"

"""The network of a visit as HAR 1.2 (http://www.softwareishard.com/blog/har-12-spec/).

In: exchanges and the kept bodies. Out: a plain value for `json.dumps`; everything in it was redacted before.
"""

from __future__ import annotations

import hashlib
import mimetypes
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from harness.analysis.facts.exchanges import Exchange, split_url
from harness.model.bounds import FULL
from harness.model.events import Body, Headers

SHORTEST_SHARED_CHARS = 1_000
BODIES = "bodies"  # the folder of a bundle where they are files
CUT = "cut"


def har_of(
    exchanges: Iterable[Exchange],
    *,
    content_of: Callable[[Body], str | bytes],
    started_at: str,
    page_title: str,
    browser: str,
    version: str,
    most_chars: int = FULL.har_chars,
    longest_chars: int = FULL.body_chars,
    inline_chars: int = FULL.inline_chars,
    files: dict[str, bytes] | None = None,
    omitted: Iterable[str] = (),
    cors: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the HAR of a visit. `started_at` is the ISO 8601 instant of the timeline's zero.

    Bodies stand in it up to a number of characters, each and all together. With `files`, those longer than `inline_chars` are put there
    instead, by the name under which the HAR refers to them, as Playwright's own HAR does (`_file`): the SHA-256 of the content, and an
    ending for its type. `omitted` is what the visit left out, and becomes the log's comment. `cors`: URLs whose answers were kept from
    the page, with the Access-Control-Allow-Origin header that they had.
    """
    origin = datetime.fromisoformat(started_at)
    texts = _Texts(
        content_of,
        most_chars=most_chars,
        longest_chars=longest_chars,
        inline_chars=inline_chars,
        files=files,
    )
    entries = []
    for exchange in exchanges:
        entry = _har_entry(exchange, texts, origin)
        if cors and exchange.failure and exchange.response is None and exchange.url in cors:
            entry["_corsHeader"] = cors[exchange.url]
        entries.append(entry)
    comment = "; ".join(omitted)
    return {
        "log": {
            "version": "1.2",
            "creator": {"name": "chatkit-harness", "version": version},
            "browser": {"name": browser.partition(" ")[0], "version": browser.partition(" ")[2]},
            "pages": [{"startedDateTime": started_at, "id": "page_1", "title": page_title, "pageTimings": {}}],
            "entries": entries,
            **({"comment": f"left out: {comment}"} if comment else {}),
        }
    }


class _Texts:
    """The contents of bodies: in the HAR until there is enough of them, or beside it.

    In a HAR without files, one that came before is only referred to, by its entry's `_seq`.
    """

    def __init__(
        self,
        content_of: Callable[[Body], str | bytes],
        *,
        most_chars: int,
        longest_chars: int,
        inline_chars: int,
        files: dict[str, bytes] | None,
    ) -> None:
        self._content_of = content_of
        self._left_chars = most_chars
        self._longest_chars = longest_chars
        self._inline_chars = inline_chars
        self._files = files
        self._first: dict[str, int] = {}
        self._names: dict[str, str] = {}  # of files, by the hash of the body

    def content(self, body: Body, seq: int = 0) -> dict[str, Any]:
        """The text and what is to be said of it, as fields of HAR's `content` and `postData`; `seq`: of an answer's entry."""
        whole = self._content_of(body)
        if isinstance(whole, bytes):
            return self._data(body, whole)
        text = whole[: self._longest_chars]
        is_cut = body.is_truncated or len(text) < len(whole)
        cut = {"comment": f"{CUT}; the whole body had {body.size_bytes} bytes"} if is_cut else {}
        if self._files is not None and len(text) > self._inline_chars:
            return {"_file": self._file(body, text.encode("utf-8", "replace")), **cut}
        if seq and len(text) >= SHORTEST_SHARED_CHARS and self._files is None:
            if body.sha256 in self._first:
                return {"_sameAs": self._first[body.sha256], **cut}
            self._first[body.sha256] = seq
        self._left_chars -= len(text)
        if self._left_chars < 0:
            self._first.pop(body.sha256, None)
            return {"comment": f"left out: the bodies of this file are too large; it had {body.size_bytes} bytes"}
        return {"text": text, **cut}

    def _data(self, body: Body, content: bytes) -> dict[str, Any]:
        if body.is_truncated or (self._files is None and len(content) > self._left_chars):
            return {"comment": f"left out: the bodies of this visit are too large; it had {body.size_bytes} bytes"}
        if self._files is not None:
            return {"_file": self._file(body, content)}
        self._left_chars -= len(content)
        return {"text": b64encode(content).decode(), "encoding": "base64"}

    def _file(self, body: Body, content: bytes) -> str:
        """Return the name of the file that holds the content, by its own hash: it may be redacted since the body was kept."""
        assert self._files is not None
        if body.sha256 not in self._names:
            name = f"{BODIES}/{hashlib.sha256(content).hexdigest()}{_ending_of(body.media_type)}"
            self._files[name] = content
            self._names[body.sha256] = name
        return self._names[body.sha256]


def _ending_of(media_type: str) -> str:
    return ".js" if "javascript" in media_type else mimetypes.guess_extension(media_type, strict=True) or ".dat"


def _har_entry(exchange: Exchange, texts: _Texts, origin: datetime) -> dict[str, Any]:
    timings = _timings(exchange)
    return {
        "pageref": "page_1",
        "startedDateTime": (origin + timedelta(milliseconds=exchange.started_at_ms)).isoformat(timespec="milliseconds"),
        "time": _sum(timings),
        "request": _request(exchange, texts),
        "response": _response(exchange, texts),
        "cache": {},
        "timings": timings,
        "_resourceType": exchange.request.resource_type,
        "_seq": exchange.seq,
        "_times": _times(exchange),
    }


def _times(exchange: Exchange) -> dict[str, float]:
    """What a replay goes by: milliseconds since the visit began, and after the request; without what did not happen."""
    times = {"started_ms": round(exchange.started_at_ms, 1)}
    if exchange.response_at_ms is not None:
        times["answered_ms"] = round(exchange.response_at_ms - exchange.started_at_ms, 1)
    if exchange.ended_at_ms is not None:
        times["ended_ms"] = round(exchange.ended_at_ms - exchange.started_at_ms, 1)
    return times


def _request(exchange: Exchange, texts: _Texts) -> dict[str, Any]:
    request = exchange.request
    value: dict[str, Any] = {
        "method": request.method,
        "url": request.url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _headers(request.headers),
        "queryString": [
            {"name": name, "value": text}
            for name, text in parse_qsl(split_url(request.url).query, keep_blank_values=True)
        ],
        "headersSize": -1,
        "bodySize": request.body.size_bytes if request.body else 0,
    }
    if request.body is not None:
        value["postData"] = {"mimeType": request.body.media_type, **texts.content(request.body)}
    return value


def _response(exchange: Exchange, texts: _Texts) -> dict[str, Any]:
    response, read = exchange.response, exchange.body
    if response is None:
        return {
            "status": 0, "statusText": "", "httpVersion": "HTTP/1.1", "cookies": [], "headers": [], "redirectURL": "",
            "headersSize": -1, "bodySize": -1, "content": {"size": 0, "mimeType": "x-unknown"}, "_error": exchange.failure or "no answer",
        }  # fmt: skip
    content: dict[str, Any] = {"size": 0, "mimeType": response.media_type or "x-unknown"}
    if read is not None and read.body is not None:
        content |= {"size": read.body.size_bytes, **texts.content(read.body, exchange.seq)}
        if exchange.stream is not None and exchange.stream.sizes:
            content["_chunks"] = [
                list(chunk) for chunk in zip(exchange.stream.offsets_ms, exchange.stream.sizes, strict=True)
            ]
    elif read is not None and read.unread_reason:
        content["comment"] = f"not kept: {read.unread_reason}"
    return {
        "status": response.status,
        "statusText": response.status_text,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _headers(response.headers),
        "redirectURL": next((value for name, value in response.headers if name.lower() == "location"), ""),
        "headersSize": -1,
        "bodySize": read.body.size_bytes if read and read.body else -1,
        "content": content,
        **({"_error": exchange.failure} if exchange.failure else {}),
    }


def _timings(exchange: Exchange) -> dict[str, float]:
    """The parts of an entry's time: the browser's own, and what the harness measured beyond them as time in a queue."""
    finished = exchange.finished
    ended_ms = exchange.ended_at_ms if exchange.ended_at_ms is not None else exchange.started_at_ms
    span_ms = round(max(ended_ms - exchange.started_at_ms, 0), 3)
    if finished is None:
        return {"send": 0, "wait": span_ms, "receive": 0}
    parts = {
        "dns": finished.dns_ms,
        "connect": finished.connect_ms,
        "ssl": finished.tls_ms,
        "send": 0,
        "wait": max(finished.wait_ms, 0),
        "receive": max(finished.receive_ms, 0),
    }
    blocked_ms = round(span_ms - _sum(parts), 3)
    return {"blocked": blocked_ms if blocked_ms > 0 else -1, **parts}


def _sum(timings: dict[str, float]) -> float:
    """The sum of the parts, as the specification defines an entry's time: -1 does not apply, ssl is a part of connect."""
    return round(sum(ms for part, ms in timings.items() if part != "ssl" and ms > 0), 3)


def _headers(headers: Headers) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers]

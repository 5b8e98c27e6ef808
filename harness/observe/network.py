"""Records the network of a browser context: requests with the page's URL, responses, bodies, failures.

In: Playwright's context events. Out: events. Bodies are read in one place, `read_bodies`, outside the listeners.
"""

from __future__ import annotations

import asyncio
import html
import re
from collections import Counter
from collections.abc import Coroutine, Iterator
from http import HTTPStatus
from typing import Any, TypeVar

from playwright.sync_api import BrowserContext, Error, Page, Request, Response

from harness.model.addresses import API, is_loader, names_a_session, split_url
from harness.model.bounds import FULL, Bounds
from harness.model.events import (
    Body,
    BodyRead,
    Headers,
    Omitted,
    RequestFailed,
    RequestFinished,
    RequestStarted,
    ResponseReceived,
    StreamTimed,
)
from harness.model.timeline import Timeline
from harness.observe.bodies import BodyStore
from harness.observe.playwright_private import body_bytes_of, body_of, headers_of, run_on_loop
from harness.observe.probe import StreamRead
from harness.observe.secrets import digest_of, format_of, found_secret, parsed_json, string_digests, url_digests
from harness.observe.streams import kept_sizes

TEXT_TYPES = (
    "text/",
    "application/json",
    "application/javascript",
    "application/xml",
    "image/svg",
    "application/x-ndjson",
)
JUDGED_TYPES = ("text/html", "application/json", "text/plain")
STREAM_TYPE = "text/event-stream"
NOT_NEEDED = ("image/", "audio/", "video/", "font/")  # a replay does not need them
DATA_ASKED_BY = ("fetch", "xhr", "script", "document")
BODIES_AT_ONCE = 32
LARGE_BODIES_AT_ONCE = 3  # each of them takes a multiple of its size in memory until it is there
LARGE_BYTES = 200_000
ALL_REQUESTS = ""  # the key of all requests together
SILENCE_S = 10.0  # after which a frame that hands over nothing is not asked again
JUDGED_SILENCE_S = 5.0  # while a page is still being watched
SILENCE_S_PER_BYTE = 3e-6  # on a machine that is as busy as can be
READING_S = 180.0  # all bodies together
NOT_IN_TIME = "the browser did not return it in time"
LONGEST_MESSAGE = 500
WORDS_OF_ERRORS = (
    "error", "message", "detail", "details", "statusMessage", "title", "error_description", "msg", "reason", "errors", "cause",
)  # fmt: skip
STATUS_PHRASES = frozenset(status.phrase.casefold() for status in HTTPStatus)
DEEPEST_WORDS, MOST_ERRORS = 4, 3
Answer = TypeVar("Answer")
LONGEST_PAGE = 20_000
UNSHOWN = re.compile(r"<(script|style)\b.*?(</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
TAGS = re.compile(r"<[^>]*>")


def media_type_of(headers: Headers) -> str:
    """Return the media type without parameters, in lower case."""
    return next((value for name, value in headers if name.lower() == "content-type"), "").split(";")[0].strip().lower()


def is_text(media_type: str) -> bool:
    """Whether bodies of this type are text."""
    return media_type.startswith(TEXT_TYPES) or media_type.endswith(("+json", "+xml"))


def is_data(media_type: str, resource_type: str) -> bool:
    """Whether a body that need be no text is kept: a page that asks for one (WebAssembly, say) does not work without it."""
    return resource_type in DATA_ASKED_BY and not media_type.startswith(NOT_NEEDED)


class NetworkObserver:
    """Attaches to a context and appends what its network does."""

    def __init__(self, timeline: Timeline, bodies: BodyStore, salt: str, bounds: Bounds = FULL) -> None:
        self._timeline = timeline
        self._bounds = bounds
        self._alike: Counter[str] = Counter()  # requests by what they have in common
        self._bodies = bodies
        self._salt = salt
        self._page: Page | None = None
        self._ids: dict[Request, str] = {}
        self._answers: dict[Request, tuple[Response, ResponseReceived]] = {}
        self._unread: list[Request] = []
        self._context: BrowserContext | None = None
        self._read_bodies = 0
        self._read_bytes = 0
        self._failures: dict[Request, str] = {}
        self._urls: dict[Request, str] = {}  # the page's own: a request that is routed elsewhere changes its later
        self._told_streams: set[Request] = set()
        self._streams: dict[tuple[str, str, int], list[StreamRead]] = {}  # by URL, document and number in it

    def tell_failure(self, request: Request, failure: str) -> None:
        """Take this for a request's failure when it comes."""
        self._failures[request] = failure

    def on_stream(self, read: StreamRead) -> None:
        """Keep what a document says of a stream, until its body is there."""
        self._streams.setdefault((read.url, read.document, read.number), []).append(read)

    def attach(self, context: BrowserContext, page: Page) -> None:
        """Start listening. Only a navigation of this page is one of the top frame, not that of a pop-up."""
        self._context, self._page = context, page
        context.on("request", self._on_request)
        context.on("response", self._on_response)
        context.on("requestfinished", self._on_finished)
        context.on("requestfailed", self._on_failed)

    def detach(self, context: BrowserContext) -> None:
        """Stop listening."""
        context.remove_listener("request", self._on_request)
        context.remove_listener("response", self._on_response)
        context.remove_listener("requestfinished", self._on_finished)
        context.remove_listener("requestfailed", self._on_failed)

    def read_bodies(self, *, judged_only: bool) -> None:
        """Ask the browser for the bodies of what has finished; all at once, since each question costs a round trip.

        `judged_only`: those that a verdict can depend on; scripts and styles are left for a later call.
        """
        wanted = [r for r in self._unread if not judged_only or self._is_judged(r)]
        if not wanted or self._context is None:
            return
        taken = set(wanted)
        self._unread = [r for r in self._unread if r not in taken]
        reader = _BodyReader(self._bounds, silence_s=JUDGED_SILENCE_S if judged_only else SILENCE_S)
        for start in range(0, len(wanted), BODIES_AT_ONCE):
            part = wanted[start : start + BODIES_AT_ONCE]
            asked = [request for request in part if not self._unread_reason(request)]
            bodies = dict(
                zip(
                    asked,
                    run_on_loop(self._context, reader.bodies_of([(self._answers[r][0], _frame_key(r)) for r in asked])),
                    strict=True,
                )
            )
            self._read_bodies += len(asked)
            self._read_bytes += sum(len(content) for content, _ in bodies.values())
            for request in part:
                content, reason = bodies.pop(request, (b"", self._unread_reason(request)))
                text, data = _text_or_data(content, self._answers[request][1].media_type)
                self._append_body(self._answers[request][1], text, reason, data)
                self._append_stream(request, text)

    def end_streams(self) -> None:
        """Keep the received pieces of streams that were aborted or did not end, because browsers do not return their bodies."""
        told = set(self._unread) | self._told_streams
        for request, (_, answer) in self._answers.items():
            if request not in told and answer.media_type == STREAM_TYPE:
                self._append_stream(request, None)

    def _append_stream(self, request: Request, text: str | None) -> None:
        """Append when the pieces of a stream came, and how long they are in its kept body; without a body, they are it."""
        answer = self._answers[request][1]
        if answer.media_type != STREAM_TYPE:
            return
        self._told_streams.add(request)
        url = self._urls[request]
        same = [r for r, (_, a) in self._answers.items() if a.media_type == STREAM_TYPE and self._urls[r] == url]
        reads = [reads for (read_url, _, _), reads in self._streams.items() if read_url == url]
        number = same.index(request)
        if number >= len(reads):
            return
        at_ms = tuple(at for read in reads[number] for at in read.at_ms)
        pieces = tuple(piece for read in reads[number] for piece in read.texts)
        if text is None:
            self._append_body(answer, "".join(pieces), "")
        is_whole = text is None or "".join(pieces) == text
        sizes = kept_sizes(pieces, self._timeline.redactor) if is_whole else ()
        self._timeline.append(StreamTimed(request_id=answer.request_id, offsets_ms=at_ms, sizes=sizes))

    def leave_bodies(self, reason: str) -> None:
        """Say of the bodies that are not read yet why they are left out."""
        for request in self._unread:
            self._append_body(self._answers[request][1], "", self._unread_reason(request) or reason)
        self._unread.clear()

    def _is_judged(self, request: Request) -> bool:
        return self._answers[request][1].media_type in JUDGED_TYPES or request.resource_type in ("fetch", "xhr")

    def _on_request(self, request: Request) -> None:
        if request.url.startswith(("data:", "blob:")) or self._is_too_many(request):
            return
        request_id = self._ids[request] = f"r{len(self._ids) + 1}"
        self._urls[request] = request.url.split("#")[0]  # the hash never travels, and ChatKit's holds the options
        frame_url, is_top = _frame_of(request, self._page)
        headers = tuple(request.headers.items())
        body = _post_text(request)
        bearer = next((value for name, value in headers if name.lower() == "authorization"), None)
        digests = url_digests(request.url, self._salt)
        if body:
            digests += string_digests(body, parsed_json(body), self._salt)
        self._timeline.append(
            RequestStarted(
                request_id=request_id,
                method=request.method,
                url=self._urls[request],
                resource_type=request.resource_type,
                frame_url=frame_url,
                is_top_frame=is_top,
                is_navigation=request.is_navigation_request(),
                headers=headers,
                body=self._bodies.keep(body, media_type_of(headers)) if body else None,
                string_digests=digests,
                bearer=_bearer_digest(bearer, self._salt),
            )
        )

    def _is_too_many(self, request: Request) -> bool:
        """Whether a request is left out, with all that follows on it: a page may poll, or show thousands of pictures.

        What a mount can depend on is counted for itself, so that it is still seen when everything else is not.
        """
        path = split_url(request.url).path
        is_vital = request.is_navigation_request() or is_loader(request.url) or API in path
        is_vital = is_vital or names_a_session(path, request.method)
        base = request.url.split("?")[0]
        alike = f"{request.method} {base if is_vital else base.rpartition('/')[0] + '/'}"
        self._alike[alike] += 1
        if self._alike[alike] > self._bounds.requests_alike:
            if self._alike[alike] == self._bounds.requests_alike + 1:
                self._omit(f"requests like {alike[:LONGEST_MESSAGE]}", self._bounds.requests_alike)
            return True
        if len(self._ids) >= self._bounds.requests * (2 if is_vital else 1):
            if ALL_REQUESTS not in self._alike:
                self._alike[ALL_REQUESTS] += 1
                self._omit("requests", self._bounds.requests)
            return True
        return False

    def _omit(self, what: str, limit: int) -> None:
        self._timeline.append(Omitted(what=what, limit=str(limit)))

    def _on_response(self, response: Response) -> None:
        request_id = self._ids.get(response.request)
        if request_id is None:
            return
        headers = tuple(response.headers.items())
        event = ResponseReceived(
            request_id=request_id,
            status=response.status,
            status_text=response.status_text,
            headers=headers,
            media_type=media_type_of(headers),
        )
        self._answers[response.request] = (response, event)
        self._timeline.append(event)

    def _on_finished(self, request: Request) -> None:
        if request not in self._ids:
            return
        t = request.timing
        self._timeline.append(
            RequestFinished(
                request_id=self._ids[request],
                dns_ms=_span(t["domainLookupStart"], t["domainLookupEnd"]),
                connect_ms=_span(t["connectStart"], t["connectEnd"]),
                tls_ms=_span(t["secureConnectionStart"], t["connectEnd"]),
                wait_ms=_span(t["requestStart"], t["responseStart"]),
                receive_ms=_span(t["responseStart"], t["responseEnd"]),
            )
        )
        if request in self._answers:
            self._unread.append(request)

    def _on_failed(self, request: Request) -> None:
        if request in self._ids:
            failure = self._failures.pop(request, "") or request.failure or ""
            self._timeline.append(RequestFailed(request_id=self._ids[request], error_text=failure))

    def _append_body(self, answer: ResponseReceived, text: str, reason: str, data: bytes = b"") -> None:
        parsed = (
            parsed_json(text)
            if (text and answer.media_type in JUDGED_TYPES) or answer.media_type.endswith("json")
            else None
        )
        secret = found_secret(text, parsed) if answer.media_type in JUDGED_TYPES else None
        if secret is not None:
            self._timeline.redactor.learn("client_secret", secret.value)
        self._timeline.append(
            BodyRead(
                request_id=answer.request_id,
                body=self._kept(text, data, answer.media_type),
                secret_key=secret.key if secret else "",
                secret_digest=digest_of(secret.value.strip(), self._salt) if secret else "",
                secret_format=format_of(secret.value) if secret else "",
                is_mock=isinstance(parsed, dict) and bool(parsed.get("_mock") or parsed.get("mock")),
                is_verified=parsed.get("verified") if isinstance(parsed, dict) and "verified" in parsed else None,
                error_text=error_text_of(parsed, text) if answer.status >= 400 else "",
                string_digests=string_digests(text, parsed, self._salt) if answer.media_type in JUDGED_TYPES else (),
                unread_reason=reason,
            )
        )

    def _kept(self, text: str, data: bytes, media_type: str) -> Body | None:
        if data:
            return self._bodies.keep_bytes(data, media_type)
        return self._bodies.keep(text, media_type) if text else None

    def _unread_reason(self, request: Request) -> str:
        answer = self._answers[request][1]
        length = next((value for name, value in answer.headers if name.lower() == "content-length"), "")
        if not is_text(answer.media_type) and not is_data(answer.media_type, request.resource_type):
            return "not text"
        if length.isdigit() and int(length) > self._bounds.body_bytes:
            return f"larger than {self._bounds.body_bytes} bytes"
        if self._read_bytes > self._bounds.read_bytes:
            return f"this visit's bodies are larger than {self._bounds.read_bytes} bytes"
        if self._read_bodies >= self._bounds.bodies:
            return f"this visit has more than {self._bounds.bodies} bodies"
        return "no body" if answer.status in (204, 301, 302, 303, 304, 307, 308) else ""


class _BodyReader:
    """Requests bodies from the browser, many at once, as long as it keeps returning them.

    A frame that hangs hands over nothing. What it is asked for takes no longer than the time of silence, once.
    """

    def __init__(self, bounds: Bounds, *, silence_s: float) -> None:
        self._bounds = bounds
        self._silence_s = silence_s
        self._ends_at: float | None = None
        self._last_at = 0.0  # when anything was handed over
        self._silent: set[int] = set()  # frames, by identity

    async def bodies_of(self, responses: list[tuple[Response, int]]) -> list[tuple[bytes, str]]:
        """Return for each response, given with the identity of its frame, its body and "", or b"" and why there is none."""
        if self._ends_at is None:
            self._ends_at = asyncio.get_running_loop().time() + READING_S
        large = asyncio.Semaphore(LARGE_BODIES_AT_ONCE)

        async def one(response: Response, frame: int) -> tuple[bytes, str]:
            try:
                size = await self._answer(self._size_of(response), frame, 0)
                if reason := self._too_large(response, size):
                    return b"", reason
                if size <= LARGE_BYTES:
                    content = await self._answer(body_of(response), frame, size)
                else:
                    async with large:
                        content = await self._answer(body_of(response), frame, size)
            except Error as error:
                return b"", error.message.splitlines()[0]
            except TimeoutError:
                self._silent.add(frame)
                return b"", NOT_IN_TIME
            limit = self._bounds.body_bytes
            return (b"", f"larger than {limit} bytes") if len(content) > limit else (content, "")

        return list(await asyncio.gather(*(one(response, frame) for response, frame in responses)))

    async def _answer(self, question: Coroutine[Any, Any, Answer], frame: int, size: int) -> Answer:
        """Return the driver's answer. Raises TimeoutError when nothing at all was answered for a while."""
        loop = asyncio.get_running_loop()
        asked_at, allowed_s = loop.time(), self._silence_s + size * SILENCE_S_PER_BYTE
        task = asyncio.ensure_future(question)
        assert self._ends_at is not None
        while True:
            until = min(max(asked_at, self._last_at) + allowed_s, self._ends_at)
            if frame in self._silent or loop.time() >= until:
                task.cancel()
                await asyncio.wait({task})
                raise TimeoutError
            await asyncio.wait({task}, timeout=until - loop.time())
            if task.done():
                self._last_at = loop.time()
                return task.result()

    @staticmethod
    async def _size_of(response: Response) -> int:
        """How many bytes a body has on its way: as its headers say, or as the browser counted them where they do not."""
        length = headers_of(response).get("content-length", "")
        return int(length) if length.isdigit() else await body_bytes_of(response)

    def _too_large(self, response: Response, size: int) -> str:
        is_packed = headers_of(response).get("content-encoding", "identity") != "identity"
        limit = self._bounds.packed_body_bytes if is_packed else self._bounds.body_bytes
        return f"larger than {limit} bytes{' compressed' if is_packed else ''}" if size > limit else ""


def _text_or_data(content: bytes, media_type: str) -> tuple[str, bytes]:
    """Return a body as text, or, where it is none, as it is."""
    if is_text(media_type):
        return content.decode("utf-8", "replace"), b""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return "", content
    return ("", content) if "\0" in text else (text, b"")


def _frame_key(request: Request) -> int:
    """The identity of the frame that asked, the same for all that have none."""
    try:
        return id(request.frame)
    except Error:  # service workers never have one
        return 0


def _frame_of(request: Request, page: Page | None) -> tuple[str, bool]:
    """The URL of the frame that asks, and whether it is the page's top frame."""
    try:
        frame = request.frame
        return frame.url.split("#")[0], frame.parent_frame is None and frame.page == page
    except Error:  # the first navigation of a pop-up has no frame yet, service workers never have one
        return "", False


def _post_text(request: Request) -> str:
    try:
        return request.post_data or ""
    except (Error, UnicodeDecodeError):  # a binary upload
        return ""


def _bearer_digest(value: str | None, salt: str) -> str:
    if value is None:
        return ""
    token = value.partition(" ")[2].strip()
    return digest_of(token, salt) if token else "empty"


def _span(start: float, end: float) -> float:
    return round(end - start, 3) if start >= 0 and end >= start else -1


def error_text_of(parsed: object, text: str) -> str:
    """What an error answer says, in the shapes that APIs and frameworks use; of what is no JSON, a page's first words.

    Shapes: `{error: {message}}` (OpenAI), `{error}`, `{message}`, `{detail}` (FastAPI, RFC 9457), `{error: true, statusMessage}` (Nitro),
    `{statusCode, message, error}` (NestJS), `{errors: [{message}]}`, and an answer of OpenAI's passed on in `details`.
    """
    if not isinstance(parsed, dict):
        return _first_words(text) if parsed is None else ""
    said = list(dict.fromkeys(_said(parsed, DEEPEST_WORDS)))
    told = [one for one in said if one.casefold() not in STATUS_PHRASES]
    return ": ".join(told or said)[:LONGEST_MESSAGE]


def _said(value: object, depth: int) -> Iterator[str]:
    """The texts under the names that errors are told by, from the outside to the inside."""
    match value:
        case str() if value.strip():
            yield value.strip()[:LONGEST_MESSAGE]
        case list() if depth:
            yield from (text for one in value[:MOST_ERRORS] for text in _said(one, depth - 1))
        case dict() if depth:
            yield from (text for name in WORDS_OF_ERRORS if name in value for text in _said(value[name], depth - 1))


def _first_words(text: str) -> str:
    """The title and the first words of a page, or of plain text."""
    shown = UNSHOWN.sub(" ", text[:LONGEST_PAGE])
    return " ".join(html.unescape(TAGS.sub(" ", shown)).split())[:LONGEST_MESSAGE]

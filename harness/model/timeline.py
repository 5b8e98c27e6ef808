"""The only source of truth about a visit: an append-only list of stamped, redacted events.

In: events from any thread. Out: entries, in memory and as JSON Lines (one header line, then one line for each entry).
"""

from __future__ import annotations

import json
import threading
import types
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from typing import Any, cast

from harness.errors import RecordingError
from harness.model import events
from harness.model.events import Event
from harness.model.redaction import Redactor

FORMAT = "chatkit-harness/timeline"
VERSION = 1

# Never a secret, and long hexadecimal strings would only cost time.
NOT_TEXT = frozenset({"request_id", "document", "frame", "string_digests", "value_digest", "secret_digest", "sha256"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a timeline. Order is `seq`; `at_ms` counts from the start of the timeline on the harness's clock."""

    seq: int
    at_ms: float
    event: Event


class Timeline:
    """Stamps, redacts and keeps events; calls `sink` with each entry and `wake` afterwards."""

    def __init__(
        self,
        *,
        clock_ms: Callable[[], float],
        redactor: Redactor,
        sink: Callable[[Entry], None] | None = None,
        limit: int = 50_000,
    ) -> None:
        self._clock_ms = clock_ms
        self._started_ms = clock_ms()
        self._redactor = redactor
        self._sink = sink
        self._limit = limit
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self.wake: Callable[[], None] = lambda: None

    def append(self, event: Event) -> None:
        """Stamp and keep one event. Past the limit, one `Omitted` stands for all that follows."""
        with self._lock:
            seq = len(self._entries) + 1
            if seq > self._limit and not isinstance(event, events.VisitEnded):
                if isinstance(self._entries[-1].event, events.Omitted):
                    return
                event = events.Omitted(what="timeline entries", limit=str(self._limit))
            entry = Entry(seq=seq, at_ms=round(self.now_ms, 3), event=redacted(event, self._redactor))
            self._entries.append(entry)
            if self._sink is not None:
                self._sink(entry)
        self.wake()

    @property
    def now_ms(self) -> float:
        """Milliseconds since the timeline began."""
        return self._clock_ms() - self._started_ms

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries so far, in order."""
        with self._lock:
            return tuple(self._entries)

    def since(self, seq: int) -> tuple[Entry, ...]:
        """The entries after the one numbered `seq`."""
        with self._lock:
            return tuple(self._entries[seq:])

    @property
    def redactor(self) -> Redactor:
        """What replaces secrets on append."""
        return self._redactor


def redacted(event: Event, redactor: Redactor) -> Event:
    """Return the event with secrets replaced in every text it holds."""
    changes = {}
    for name in _text_fields(type(event).__name__):
        value = getattr(event, name)
        clean = _clean(name, value, redactor)
        if clean is not value:
            changes[name] = clean
    return replace(event, **changes) if changes else event


@cache
def _text_fields(kind: str) -> tuple[str, ...]:
    return tuple(
        f.name
        for f in fields(EVENT_TYPES[kind])
        if f.name not in NOT_TEXT and str(f.type) in ("str", "Headers", "tuple[str, ...]")
    )


def _clean(name: str, value: Any, redactor: Redactor) -> Any:
    if isinstance(value, str):
        clean = redactor.text(value) if len(value) > 5 else value
        return value if clean == value else clean
    if name == "headers":
        return tuple((key, redactor.header(key, text)) for key, text in value)
    return tuple(redactor.text(text) for text in value)


def header_line(*, started_at: str) -> str:
    """Return line one of a saved timeline. `started_at` is ISO 8601 in UTC."""
    return json.dumps(
        {"format": FORMAT, "version": VERSION, "started_at": started_at,
         "clocks": {"at_ms": "harness, monotonic, since started_at", "page_ms": "performance.now() of the document"}},
        separators=(",", ":"),
    )  # fmt: skip


def encode(entry: Entry) -> str:
    """Return an entry as one line of JSON."""
    return json.dumps(
        {"seq": entry.seq, "at_ms": entry.at_ms, "kind": type(entry.event).__name__, **_plain(entry.event)},
        ensure_ascii=False,
        separators=(",", ":"),
    )


def _plain(value: Any) -> dict[str, Any]:
    return {f.name: _plain(item) if is_dataclass(item := getattr(value, f.name)) else item for f in fields(value)}


def decode(line: str) -> Entry:
    """Return the entry a line of JSON stands for. Raises RecordingError for an unknown kind or a missing field."""
    try:
        data = json.loads(line)
        name = data.pop("kind")
        kind: type[Any] = EVENT_TYPES[name]
        seq, at_ms = data.pop("seq"), data.pop("at_ms")
        values = {field: _value(hint, data[field]) for field, hint in _hints(name).items()}
        return Entry(seq=seq, at_ms=at_ms, event=kind(**values))
    except (KeyError, TypeError, ValueError) as error:
        raise RecordingError(f"not a timeline line: {line[:80]!r} ({error!r})") from error


def read_timeline(lines: Iterable[str]) -> tuple[Entry, ...]:
    """Return the entries of a saved timeline. A last line cut short by a killed process is left out.

    Raises RecordingError when line one is not ours, or is of a newer format.
    """
    rows = [line for line in lines if line.strip()]
    try:
        head = json.loads(rows[0]) if rows else {}
    except ValueError:
        head = {}
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise RecordingError(f"line one is not a {FORMAT} header")
    if head.get("version", 0) > VERSION:
        raise RecordingError(
            f"timeline format {head['version']} is newer than the {VERSION} this version reads; update chatkit-harness"
        )
    entries = []
    for number, line in enumerate(rows[1:], start=2):
        try:
            entries.append(decode(line))
        except RecordingError:
            if number != len(rows):
                raise
    return tuple(entries)


EVENT_TYPES: dict[str, type[Event]] = {kind.__name__: kind for kind in typing.get_args(Event)}


@cache
def _hints(kind: str) -> dict[str, Any]:
    return typing.get_type_hints(EVENT_TYPES[kind], vars(events))


def _value(hint: Any, raw: Any) -> Any:
    if isinstance(hint, types.UnionType):
        if raw is None:
            return None
        hint = typing.get_args(hint)[0]
    if is_dataclass(hint):
        return cast(Any, hint)(**raw)
    if typing.get_origin(hint) is tuple:
        return tuple(tuple(item) if isinstance(item, list) else item for item in raw)
    return raw

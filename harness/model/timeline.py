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
from typing import Any

from harness.errors import RecordingError
from harness.model import events
from harness.model.bounds import FULL, Bounds
from harness.model.events import Event
from harness.model.redaction import Redactor
from harness.model.texts import in_json

FORMAT = "chatkit-harness/timeline"
VERSION = 1

# What is still kept when the bound is reached: the end, and what a run must not miss.
VITAL = (events.VisitEnded, events.HarnessFault, events.PageCrashed)

CUT = "… (cut) of"

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
        bounds: Bounds = FULL,
    ) -> None:
        self._clock_ms = clock_ms
        self._started_ms = clock_ms()
        self._redactor = redactor
        self._sink = sink
        self._bounds = bounds
        self._chars = 0
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._is_full = False
        self.wake: Callable[[], None] = lambda: None

    def append(self, event: Event) -> None:
        """Stamp and keep one event. Past the limit, one `Omitted` stands for all that follows and is not vital."""
        with self._lock:
            seq = len(self._entries) + 1
            limit = self._limit_reached(seq)
            if limit and not isinstance(event, VITAL):
                if self._is_full:
                    return
                self._is_full = True
                event = events.Omitted(what="timeline entries", limit=limit)
            entry = Entry(seq=seq, at_ms=self.now_ms, event=redacted(event, self._redactor, self._bounds.field_chars))
            self._chars += _chars_of(entry.event)
            self._entries.append(entry)
            if self._sink is not None:
                self._sink(entry)
        self.wake()

    def _limit_reached(self, seq: int) -> str:
        if seq > self._bounds.entries:
            return str(self._bounds.entries)
        return f"{self._bounds.timeline_chars} characters" if self._chars > self._bounds.timeline_chars else ""

    @property
    def now_ms(self) -> float:
        """Milliseconds since the timeline began, in the same digits as the entries: what is stamped later is not less."""
        return round(self._clock_ms() - self._started_ms, 3)

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


def redacted(event: Event, redactor: Redactor, most_chars: int = FULL.field_chars) -> Event:
    """Return the event with secrets replaced in every text it holds, and the end of a longer one left out."""
    changes = {}
    for name in _text_fields(type(event).__name__):
        value = getattr(event, name)
        clean = _clean(name, value, redactor, most_chars)
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


def _clean(name: str, value: Any, redactor: Redactor, most_chars: int) -> Any:
    if isinstance(value, str):
        clean = _redacted_text(value, redactor, most_chars) if len(value) > 5 else value
        return value if clean == value else clean
    if name == "headers":
        return tuple((key, _header(key, text, redactor, most_chars)) for key, text in value)
    return tuple(_redacted_text(text, redactor, most_chars) for text in value)


def _redacted_text(text: str, redactor: Redactor, most_chars: int) -> str:
    if len(text) <= most_chars:
        return redactor.text(text)
    return f"{redactor.cut(text, most_chars)}{CUT} {len(text)} characters"


def _header(name: str, value: str, redactor: Redactor, most_chars: int) -> str:
    clean = redactor.header(name, value)
    return clean if len(clean) <= most_chars else f"{clean[:most_chars]}{CUT} {len(value)} characters"


def _chars_of(event: Event) -> int:
    """About how long an event's line is."""
    values = (getattr(event, name) for name in _text_fields(type(event).__name__))
    return 200 + sum(len(value) if isinstance(value, str) else sum(map(_len, value)) for value in values)


def _len(value: str | tuple[str, str]) -> int:
    return len(value) if isinstance(value, str) else len(value[0]) + len(value[1])


def header_line(*, started_at: str) -> str:
    """Return line one of a saved timeline. `started_at` is ISO 8601 in UTC."""
    return json.dumps(
        {"format": FORMAT, "version": VERSION, "started_at": started_at,
         "clocks": {"at_ms": "harness, monotonic, since started_at", "page_ms": "performance.now() of the document"}},
        separators=(",", ":"),
    )  # fmt: skip


def encode(entry: Entry) -> str:
    """Return an entry as one line of JSON, whatever counts as a line break, or would be obeyed where it is shown."""
    line = json.dumps(
        {"seq": entry.seq, "at_ms": entry.at_ms, "kind": type(entry.event).__name__, **_plain(entry.event)},
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return in_json(line)


def _plain(value: Any) -> dict[str, Any]:
    return {f.name: _plain(item) if is_dataclass(item := getattr(value, f.name)) else item for f in fields(value)}


def decode(line: str) -> Entry:
    """Return the entry a line of JSON stands for. Raises RecordingError for an unknown kind, or a field that does not fit."""
    try:
        data = _value(dict[str, Any], json.loads(line))
        return Entry(
            seq=_value(int, data["seq"]),
            at_ms=_value(float, data["at_ms"]),
            event=event_from(_value(str, data["kind"]), data),
        )
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise RecordingError(f"not a timeline line: {line[:80]!r} ({error!r})") from error


def event_from(kind: str, data: dict[str, Any]) -> Event:
    """Return the event of this kind with these plain values; what it does not know is passed over.

    Raises KeyError for an unknown kind or a missing field, TypeError for a value of another type.
    """
    type_: type[Any] = EVENT_TYPES[kind]
    event: Event = type_(**{name: _value(hint, data[name]) for name, hint in _hints(kind).items()})
    return event


def read_timeline(lines: Iterable[str]) -> tuple[Entry, ...]:
    """Return the entries of a saved timeline. A last line cut short by a killed process is left out.

    Raises RecordingError when line one is not ours, or is of a newer format.
    """
    rows = [line for line in lines if line.strip()]
    try:
        head = json.loads(rows[0]) if rows else {}
    except ValueError:
        head = {}
    is_ours = isinstance(head, dict) and head.get("format") == FORMAT and type(head.get("version")) is int
    if not is_ours:
        raise RecordingError(f"line one is not a {FORMAT} header")
    if head["version"] > VERSION:
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
    """Return a plain value as the type that is asked for. Raises TypeError when it is of another one."""
    if isinstance(hint, types.UnionType):
        return None if raw is None else _value(typing.get_args(hint)[0], raw)
    origin = typing.get_origin(hint)
    if origin is tuple and isinstance(raw, list | tuple):
        inner = typing.get_args(hint)
        if inner[-1] is ...:
            return tuple(_value(inner[0], item) for item in raw)
        return tuple(_value(one, item) for one, item in zip(inner, raw, strict=True))
    if hint is events.Body and isinstance(raw, dict):
        return events.Body(**{name: _value(inner, raw[name]) for name, inner in BODY_HINTS.items()})
    is_number = hint is float and type(raw) in (int, float)
    if is_number or (isinstance(hint, type) and type(raw) is hint) or (origin is dict and type(raw) is dict):
        return raw
    raise TypeError(f"expected {hint}, found {raw!r:.40}")


BODY_HINTS = typing.get_type_hints(events.Body)

"""The only source of truth about a visit: an append-only list of stamped, redacted events.

In: events from any thread. Out: entries, in memory and as JSON Lines (one header line, then one line for each entry).
"""

from __future__ import annotations

import threading
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from typing import Any

from harness.errors import RecordingError
from harness.model import codec, events
from harness.model.bounds import FULL, Bounds
from harness.model.codec import Count, Format, Instant, Unfit
from harness.model.events import Event
from harness.model.redaction import Redactor
from harness.model.texts import in_json

FORMAT = Format(name="chatkit-harness/timeline", version=1)

# What is still kept when the bound is reached: the end, and what a run must not miss.
VITAL = (events.VisitEnded, events.HarnessFault, events.PageCrashed)

CUT = "… (cut) of"
FURTHEST = 1e15  # no time, size or status of an event is as large: in milliseconds, 30,000 years

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
    clocks = {"at_ms": "harness, monotonic, since started_at", "page_ms": "performance.now() of the document"}
    return codec.json_text({**FORMAT.header, "started_at": started_at, "clocks": clocks})


def encode(entry: Entry) -> str:
    """Return an entry as one line of JSON, whatever counts as a line break, or would be obeyed where it is shown."""
    line = {"seq": entry.seq, "at_ms": entry.at_ms, "kind": type(entry.event).__name__, **_plain(entry.event)}
    return in_json(codec.json_text(line))


def _plain(value: Any) -> dict[str, Any]:
    return {f.name: _plain(item) if is_dataclass(item := getattr(value, f.name)) else item for f in fields(value)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stamp:
    """What every line begins with."""

    seq: Count
    at_ms: Instant
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """Line one."""

    started_at: str = ""


def decode(line: str, where: str = "a timeline's line") -> Entry:
    """Return the entry a line of JSON stands for. Raises RecordingError for an unknown kind, or a field that does not fit."""
    data = codec.parsed(line, where)
    stamp = codec.decoded(_Stamp, data, where=where)
    return Entry(seq=stamp.seq, at_ms=stamp.at_ms, event=event_from(stamp.kind, data, where))


def event_from(kind: str, data: Any, where: str) -> Event:
    """Return the event of this kind with these plain values; what it does not know is passed over.

    Raises RecordingError for an unknown kind, and for a field that is missing or does not fit.
    """
    type_ = EVENT_TYPES.get(kind)
    if type_ is None:
        raise Unfit(where, at="kind", expected="the name of an event", found=repr(kind[:60]))
    event: Event = codec.decoded(type_, data, where=where)
    for name in _numbers(kind):
        if not -FURTHEST < getattr(event, name) < FURTHEST:
            raise Unfit(where, at=name, expected=f"a number below {FURTHEST:g}", found=f"{getattr(event, name):g}")
    return event


def read_timeline(lines: Iterable[str], where: str = "the timeline") -> tuple[Entry, ...]:
    """Return the entries of a saved timeline. A last line cut short by a killed process is left out.

    Raises RecordingError when line one is not ours, or is of a newer format, or another line is damaged.
    """
    return read_saved(lines, where)[0]


def read_saved(lines: Iterable[str], where: str = "the timeline") -> tuple[tuple[Entry, ...], str]:
    """Return the entries of a saved timeline, and when it began, as its header says. Raises RecordingError."""
    rows = [line for line in lines if line.strip()]
    first = f"{where}, line 1"
    header = codec.decoded(_Header, FORMAT.opened(codec.parsed(rows[0] if rows else "null", first), first), where=first)
    entries = []
    for number, line in enumerate(rows[1:], start=2):
        try:
            entries.append(decode(line, f"{where}, line {number}"))
        except RecordingError:
            if number != len(rows):
                raise
    return tuple(entries), header.started_at


EVENT_TYPES: dict[str, type[Event]] = {kind.__name__: kind for kind in typing.get_args(Event)}


@cache
def _numbers(kind: str) -> tuple[str, ...]:
    return tuple(f.name for f in fields(EVENT_TYPES[kind]) if str(f.type) in ("int", "float"))

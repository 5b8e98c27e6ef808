"""Finds the recorded exchange that answers a request: by method and URL, in order of occurrence, with the body as a tie-break.

In: a recording's exchanges, and requests as they come. Out: an exchange, or the nearest one and how it differs. Parts of URLs and bodies
that are different each time (ids, times, numbers against caches) are taken for the same.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

from harness.analysis.facts.exchanges import ABORTED
from harness.model.addresses import split_url
from harness.model.faults import operation_of
from harness.model.recording import RecordedExchange

ANY = "*"
# Query parameters that exist to be different, or name what is made anew each time.
VOLATILE_NAMES = frozenset({"_", "t", "ts", "time", "timestamp", "cb", "cachebust", "cachebuster", "nonce", "rand", "random",
                            "r", "requestid", "request_id", "traceid", "trace_id", "state", "session_id", "sid"})  # fmt: skip
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
VOLATILE = re.compile(
    rf"(?P<uuid>{UUID})"
    r"|\b(?P<instant>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?)"
    r"|(?<![0-9A-Za-z])(?P<epoch>1[5-9]\d{8}(?:\d{3})?(?:\.\d+)?)(?![0-9A-Za-z])"
    r"|(?P<hex>(?<![0-9A-Za-z])(?=[0-9a-f]*\d)[0-9a-f]{16,}(?![0-9A-Za-z]))"
    r"|(?P<id>(?<=_)(?=[0-9A-Za-z]*\d)[0-9A-Za-z]{16,}(?![0-9A-Za-z]))",
    re.IGNORECASE,
)
LEAST_LIKENESS = 0.6
BODY_MISSING = "its body is missing: "  # how a recorded exchange differs that has no body
BOUNDARY = re.compile(r"-{4,}[0-9A-Za-z]{8,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """A request that nothing answers. `nearest` is "" when the recording has nothing like it."""

    method: str
    url: str
    nearest: str
    difference: str


@lru_cache(maxsize=4096)
def stable_url(url: str) -> str:
    """Return a URL with what is different each time taken out."""
    parts = split_url(url)
    if not parts.scheme:
        return url.split("#")[0]
    query = [
        (name, ANY if name.lower() in VOLATILE_NAMES else VOLATILE.sub(ANY, value))
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    ]
    path = VOLATILE.sub(ANY, parts.path or "/")
    return f"{parts.scheme}://{parts.netloc}{path}" + (f"?{urlencode(query, safe=ANY)}" if query else "")


@lru_cache(maxsize=4096)
def stable_body(text: str) -> str:
    """Return a body with what is different each time taken out; JSON in one order."""
    try:
        text = json.dumps(_stable(json.loads(text)), sort_keys=True)
    except (ValueError, RecursionError):
        text = BOUNDARY.sub(ANY, text)
    return VOLATILE.sub(ANY, text)


def _stable(value: Any) -> Any:
    match value:
        case dict():
            return {
                name: ANY if name.lower() in VOLATILE_NAMES and not isinstance(item, dict | list) else _stable(item)
                for name, item in value.items()
            }
        case list():
            return [_stable(item) for item in value]
        case _:
            return value


AT_ONCE_MS = 300  # within which a request that is aborted was aborted by a clean-up, and not after a long wait


def is_given_up_at_once(exchange: RecordedExchange) -> bool:
    """Whether the recorded page aborted a request before anybody could answer it."""
    return exchange.status == 0 and exchange.failure in ABORTED and 0 <= exchange.ended_ms <= AT_ONCE_MS


def is_twin(given_up: RecordedExchange, other: RecordedExchange) -> bool:
    """Whether a request was made again when it was aborted, as React's StrictMode does it."""
    return not is_given_up_at_once(other) and abs(other.started_ms - given_up.started_ms) <= AT_ONCE_MS


class Matcher:
    """The exchanges of a recording, and which of them have answered already."""

    def __init__(self, exchanges: Iterable[RecordedExchange]) -> None:
        self._exchanges = tuple(exchanges)
        self._used: set[int] = set()
        self.repeats: list[RecordedExchange] = []  # that answered once more than they were recorded

    def take(self, method: str, url: str, body: str = "") -> RecordedExchange | None:
        """Return what answers this request, and count it as used; None when nothing does."""
        found = self.look(method, url, body)
        if found is None:
            return None
        if found.number in self._used:
            self.repeats.append(found)
        self._used.add(found.number)
        return found

    def look(self, method: str, url: str, body: str = "") -> RecordedExchange | None:
        """Return what would answer this request.

        Of those that are not used yet the first with the same body, else the first; when all are used, the last again.
        """
        wanted, operation = stable_url(url), operation_of(body)
        same = [
            x
            for x in self._exchanges
            if x.method == method
            and (x.url == url or stable_url(x.url) == wanted)
            and (not operation or not x.operation or x.operation == operation)
        ]
        exact = [x for x in same if x.url == url]
        fresh = [x for x in exact or same if x.number not in self._used] or [
            x for x in same if x.number not in self._used
        ]
        if fresh:
            return min(fresh, key=lambda x: (_distance(x, body), x.number))
        return min(same, key=lambda x: (_distance(x, body), -x.number), default=None)

    def is_used(self, exchange: RecordedExchange) -> bool:
        """Whether an exchange has answered already."""
        return exchange.number in self._used

    def has(self, method: str, url: str) -> bool:
        """Whether a request like this was recorded, whatever its body."""
        return any(x.method == method and stable_url(x.url) == stable_url(url) for x in self._exchanges)

    def miss_of(self, method: str, url: str, body: str = "") -> Miss:
        """Return what is nearest to a request that nothing answers."""
        wanted = f"{method} {stable_url(url)}"
        likeness = {
            x: difflib.SequenceMatcher(None, f"{x.method} {stable_url(x.url)}", wanted).ratio() for x in self._exchanges
        }
        near = max(likeness, key=lambda x: likeness[x], default=None)
        if near is None or likeness[near] < LEAST_LIKENESS:
            return Miss(method=method, url=url, nearest="", difference="")
        return Miss(
            method=method, url=url, nearest=f"{near.method} {near.url}", difference=_difference(near, method, url, body)
        )


def _distance(exchange: RecordedExchange, body: str) -> int:
    """How far a body is from the recorded one: 0 the same, 1 the same but for what always differs, 2 another."""
    if exchange.request_body == body:
        return 0
    return 1 if stable_body(exchange.request_body) == stable_body(body) else 2


def _difference(near: RecordedExchange, method: str, url: str, body: str) -> str:
    ours, theirs = split_url(url), split_url(near.url)
    differences = [
        name
        for name, is_same in (
            ("method", near.method == method),
            ("scheme", ours.scheme == theirs.scheme),
            ("host", ours.netloc == theirs.netloc),
            ("path", ours.path == theirs.path),
            ("query", ours.query == theirs.query),
            ("operation", not operation_of(body) or near.operation == operation_of(body)),
        )
        if not is_same
    ]
    return f"{' and '.join(differences)} {'differ' if len(differences) > 1 else 'differs'}" if differences else ""

"""Removes the parts of a recording that are not needed for the same cause.

In: a recording, and the results of experiments. Out: the remaining exchanges, and a HAR with only those entries.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from harness.analysis.replay.suspects import targets_of
from harness.model.addresses import split_url
from harness.model.recording import RecordedExchange, Recording

MOST_EXPERIMENTS = 60


def relevant(recording: Recording) -> frozenset[int]:
    """Return the exchanges that are likely to be needed: the page, what its own server gave it to run, and ChatKit's."""
    host = split_url(recording.url).netloc
    return frozenset(
        x.number
        for x in recording.exchanges
        if any(targets_of(x, recording))
        or x.resource_type == "document"
        or (split_url(x.url).netloc == host and x.resource_type in ("script", "stylesheet"))
    )


def minimal(
    recording: Recording, works: Callable[[frozenset[int]], bool], *, most: int = MOST_EXPERIMENTS
) -> tuple[frozenset[int], int]:
    """Return the exchanges that have to stay, by number, and how many experiments that took.

    Delta debugging: ever smaller groups are left out for good when it `works` without them. At the limit the rest stays.
    """
    left = [x.number for x in recording.exchanges]
    experiments = 0

    def tried(numbers: Iterable[int]) -> bool:
        nonlocal experiments
        experiments += 1
        return works(frozenset(numbers))

    likely = [number for number in left if number in relevant(recording)]
    if len(likely) < len(left) and tried(likely):
        left = likely
    size = max(len(left) // 2, 1)
    while size >= 1:
        start = 0
        while start < len(left) and experiments < most:
            without = left[:start] + left[start + size :]
            if without and tried(without):
                left = without
            else:
                start += size
        size //= 2
    return frozenset(left), experiments


def is_socket(row: Any) -> bool:
    """Whether a HAR entry is a WebSocket."""
    return isinstance(row, dict) and row.get("_resourceType") == "websocket"


def filtered(har: dict[str, Any], numbers: frozenset[int]) -> dict[str, Any]:
    """Return a HAR with only these entries, counted from 1; a body that stood in one that is gone stands in the next."""
    har = json.loads(json.dumps(har))  # a copy of its own
    rows = har["log"]["entries"]
    texts = {row.get("_seq"): row["response"]["content"].get("text") for row in rows if "response" in row}
    kept = [row for number, row in enumerate(rows, start=1) if number in numbers or is_socket(row)]
    there: set[int] = set()
    for row in kept:
        content = row["response"]["content"]
        first = content.get("_sameAs")
        if first is not None and first not in there:
            del content["_sameAs"]
            content["text"] = texts.get(first) or ""
            texts[row.get("_seq")] = content["text"]
        there.add(row.get("_seq"))
    har["log"]["entries"] = kept
    return dict(har)


def files_of(har: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of the files beside a HAR that its entries refer to."""
    parts = [
        part
        for row in har["log"]["entries"]
        for part in (row["request"].get("postData"), row["response"].get("content"))
        if isinstance(part, dict)
    ]
    return tuple(dict.fromkeys(part["_file"] for part in parts if isinstance(part.get("_file"), str)))


def dropped(recording: Recording, numbers: frozenset[int]) -> tuple[RecordedExchange, ...]:
    """Return the exchanges that are left out."""
    return tuple(x for x in recording.exchanges if x.number not in numbers)

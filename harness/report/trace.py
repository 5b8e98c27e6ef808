"""Rewrites Playwright's trace without secrets: actions, network, DOM snapshots, stored bodies, screenshots, attachments.

In: the `trace.zip` that Playwright wrote to a place of its own. Out: one that its viewer opens just as well, with our findings as an
action at its end. A stored body that changes gets the name of its new content (SHA-1), everywhere it is referred to.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from harness.errors import BundleError
from harness.files import replacing
from harness.model.redaction import Redactor

REWRITTEN = b"chatkit-harness: without secrets"  # the archive's comment
LINES = (".trace", ".network")
PICTURES = ("screencast/", "screenshots/")
VERDICT_ID = "chatkit@verdict"
UNREADABLE = (OSError, ValueError, KeyError, RecursionError, zipfile.BadZipFile, NotImplementedError)
LARGEST_LINE_BYTES = 8_000_000
TOO_LONG = (
    b'{"type":"stderr","timestamp":0,"text":"chatkit-harness: an event of the trace is left out, it is too long"}'
)
LARGEST_FILE_BYTES = 16_000_000
LARGEST_TRACE_BYTES = 400_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is added to the trace: one sentence, and texts to attach by name."""

    title: str
    error: str = ""  # what went wrong, for the viewer's list of errors
    attachments: Mapping[str, str] | None = None


def is_trace(path: Path) -> bool:
    """Whether a file is an archive of Playwright's tracing that was not rewritten yet."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.comment != REWRITTEN and any(name.endswith(".trace") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def rewrite_trace(source: Path, target: Path, redactor: Redactor, evidence: Evidence | None = None) -> None:
    """Write the trace without secrets, whole or not at all; call `learn_from_trace` before.

    Raises BundleError when it cannot be read or written.
    """
    try:
        with (
            replacing(target) as partial,
            zipfile.ZipFile(source) as old,
            zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
        ):
            _Rewriter(old, new, redactor).run(evidence)
            new.comment = REWRITTEN
    except UNREADABLE as error:
        raise BundleError(f"cannot rewrite the trace for {target}: {error}") from error


def learn_from_trace(source: Path, redactor: Redactor) -> None:
    """Teach the redactor what the trace holds, before anything is written: an answer may hold what an earlier action shows.

    Raises BundleError when it cannot be read.
    """
    try:
        with zipfile.ZipFile(source) as old:
            for info in old.infolist():
                if info.filename.endswith(".network"):
                    for line in _lines(old, info):
                        redactor.value(json.loads(line))
                elif info.filename.startswith("resources/") and info.file_size <= LARGEST_FILE_BYTES:
                    redactor.content(old.read(info))
    except UNREADABLE as error:
        raise BundleError(f"cannot read the trace {source}: {error}") from error


class _Rewriter:
    """One pass over an archive."""

    def __init__(self, old: zipfile.ZipFile, new: zipfile.ZipFile, redactor: Redactor) -> None:
        self._old, self._new, self._redactor = old, new, redactor
        self._names: dict[str, str] = {}  # of stored bodies whose content changed
        self._left_out: list[str] = []
        self._has_shown_secret = False
        self._left_bytes = LARGEST_TRACE_BYTES

    def run(self, evidence: Evidence | None) -> None:
        """Write everything: what is referred to before what refers to it, pictures last."""
        infos = self._old.infolist()
        lines = [info for info in infos if info.filename.endswith(LINES)]
        pictures = [info for info in infos if info.filename.startswith(PICTURES)]
        for info in infos:
            if info not in lines and info not in pictures:
                self._store(info)
        self._has_shown_secret = any(self._shows_secret(line) for info in lines for line in _lines(self._old, info))
        if (
            not self._has_shown_secret
        ):  # a picture cannot be searched: those of a page that showed a secret are left out
            for info in pictures:
                self._copy(info)
        elif pictures:
            self._left_out.append(f"{len(pictures)} screenshots: the page showed a secret")
        for info in lines:
            with self._new.open(info.filename, "w") as out:
                last = self._rewrite_lines(info, out)
                if evidence is not None and info.filename == "trace.trace":
                    out.write(b"".join(_verdict_lines(evidence, last, self._left_out)))
        if evidence is not None:
            for name, text in (evidence.attachments or {}).items():
                self._new.writestr(f"attachments/{name}", text)

    def _store(self, info: zipfile.ZipInfo) -> None:
        if not self._fits(info):
            return
        content = self._old.read(info)
        clean = self._redactor.content(content)
        name = info.filename
        if clean != content and name.startswith("resources/"):
            name = f"resources/{hashlib.sha1(clean, usedforsecurity=False).hexdigest()}{PurePosixPath(name).suffix}"
            self._names[info.filename] = name
        if name not in self._new.namelist():
            self._new.writestr(name, clean)

    def _copy(self, info: zipfile.ZipInfo) -> None:
        if self._fits(info):
            self._new.writestr(zipfile.ZipInfo(info.filename), self._old.read(info))

    def _fits(self, info: zipfile.ZipInfo) -> bool:
        if info.is_dir() or info.file_size > min(LARGEST_FILE_BYTES, self._left_bytes):
            self._left_out.append(f"{info.filename}: {info.file_size} bytes") if not info.is_dir() else None
            return False
        self._left_bytes -= info.file_size
        return True

    def _rewrite_lines(self, info: zipfile.ZipInfo, out: IO[bytes]) -> float:
        """Write the lines and return the last moment that one of them names, in the trace's own milliseconds."""
        last = 0.0
        for line in _lines(self._old, info):
            event = json.loads(line)
            if self._has_shown_secret and event.get("type") in ("screencast-frame", "screenshot"):
                continue
            last = max(last, *(float(event.get(name) or 0) for name in ("endTime", "time", "startTime")))
            clean = self._renamed(self._redactor.value(event))
            # Once more as it is written: a secret may stand across two values, or inside of a longer encoding.
            out.write(
                self._redactor.text(json.dumps(clean, ensure_ascii=False, separators=(",", ":"))).encode() + b"\n"
            )
        return last

    def _renamed(self, value: Any) -> Any:
        match value:
            case str():
                return (
                    self._names.get(value)
                    or self._names.get(f"resources/{value}", "").removeprefix("resources/")
                    or value
                )
            case list():
                return [self._renamed(item) for item in value] if self._names else value
            case dict():
                return {name: self._renamed(item) for name, item in value.items()} if self._names else value
            case _:
                return value

    def _shows_secret(self, line: bytes) -> bool:
        if b'"frame-snapshot"' not in line[:40]:
            return False
        shown = json.dumps(list(_texts(json.loads(line)["snapshot"].get("html"))), ensure_ascii=False)
        return self._redactor.text(shown) != shown


def _lines(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the lines of a member; one that is too long to be looked at becomes a line that says so."""
    with archive.open(info) as file:
        while line := file.readline(LARGEST_LINE_BYTES):
            is_whole = len(line) < LARGEST_LINE_BYTES or line.endswith(b"\n")
            while not is_whole and (rest := file.readline(LARGEST_LINE_BYTES)):
                is_whole = rest.endswith(b"\n")
                line = TOO_LONG
            if line.strip():
                yield line


def _texts(node: Any) -> Iterator[str]:
    """Yield what a DOM snapshot shows: texts, and values of fields. A node is `[name, {attributes}, child, …]`."""
    waiting = [node]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, list) and item and isinstance(item[0], str):
            attributes = next((part for part in item[1:2] if isinstance(part, dict)), {})
            yield from (
                str(value) for name, value in attributes.items() if name in ("__playwright_value_", "value", "title")
            )
            waiting += item[1:]
        elif isinstance(item, list):
            waiting += [part for part in item if isinstance(part, list)]


def _verdict_lines(evidence: Evidence, at_ms: float, left_out: list[str]) -> Iterator[bytes]:
    """Yield an action for the viewer's list: the verdict, its error, what is attached, what was left out."""
    attachments = [
        {
            "name": name,
            "contentType": "text/markdown" if name.endswith(".md") else "text/plain",
            "file": f"attachments/{name}",
        }
        for name in evidence.attachments or {}
    ]
    events: list[dict[str, Any]] = [
        {"type": "before", "callId": VERDICT_ID, "startTime": at_ms, "class": "ChatKit", "method": "verdict",
         "title": evidence.title, "params": {}},
        *({"type": "log", "callId": VERDICT_ID, "time": at_ms, "message": f"left out: {what}"} for what in left_out),
        {"type": "after", "callId": VERDICT_ID, "endTime": at_ms, "attachments": attachments}
        | ({"error": {"name": "ChatKit", "message": evidence.error}} if evidence.error else {}),
    ]  # fmt: skip
    for event in events:
        yield json.dumps(event, ensure_ascii=False).encode() + b"\n"

"""The report's data of each visit: one block of JSON for each visit, drawn when it is opened, and each screenshot once.

In: the visits of a page. Out: `Island` values, one at a time, so that a large run is never whole in memory.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.model.file_names import MANIFEST_NAME
from harness.model.results import Finding, VisitResult
from harness.model.run_record import RunRecord
from harness.report.context import render_prefetch
from harness.report.page_model import TestRow, VisitRow
from harness.report.run_on_disk import WITHOUT_TESTS, read_entries
from harness.report.side_by_side import SideBySide
from harness.report.visit_view import VisitView, view_of

PICTURES = (("the page", "screenshot-page.png"), ("the element", "screenshot-element.png"))
LARGEST_PICTURE_BYTES = 600_000
LARGEST_PICTURES_BYTES = 6_000_000  # of all together, as they are on disk
UNSAFE = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029", "\x7f": "\\u007f"}
)
Clean = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Island:
    """One block: the id it is found by, and JSON that cannot end its element."""

    id: str
    json: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One screenshot: by the id of its block, or by its file when there was no room for it."""

    label: str
    file: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitIsland:
    """All that is drawn when a visit is opened."""

    bundle: str
    files: tuple[str, ...]
    view: VisitView | None  # None: the timeline cannot be read
    trouble: str
    missing: tuple[str, ...]  # files that could not be written, each with the reason, and what a replay lacks
    findings: tuple[Finding, ...]
    about: tuple[tuple[str, str], ...]
    pictures: tuple[Picture, ...]
    commands: tuple[str, ...]
    green: SideBySide | None
    green_picture: Picture | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """The last good visit, compared."""

    comparison: SideBySide
    folder: Path


class Islands:
    """Makes the blocks of a page, pictures before the visits that show them."""

    def __init__(self, record: RunRecord, clean: Clean, green_of: Callable[[TestRow, VisitRow], Beside | None]) -> None:
        self._record = record
        self._clean = clean
        self._green_of = green_of
        self._known: dict[str, str] = {}  # ids of pictures by digest
        self._room_bytes = LARGEST_PICTURES_BYTES

    def of(self, tests: Iterable[TestRow]) -> Iterator[Island]:
        """Yield the blocks of these tests; those that come first have their pictures first."""
        for test in tests:
            for visit in test.visits:
                pictures = []
                for label, name in (one for one in PICTURES if one[1] in visit.on_disk.files):
                    picture, island = self._picture(visit.on_disk.folder / name, label, name)
                    pictures += [picture] if picture else []
                    if island is not None:
                        yield island
                beside, picture = self._green_of(test, visit), None
                if beside is not None:
                    label, name = PICTURES[0]
                    picture, island = self._picture(beside.folder / name, f"{label} of the good visit", name)
                    if island is not None:
                        yield island
                yield self._visit(test, visit, tuple(pictures), beside, picture)

    def _picture(self, path: Path, label: str, name: str) -> tuple[Picture | None, Island | None]:
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode):  # a link leads elsewhere
                return None, None
            size = status.st_size
            if size > min(LARGEST_PICTURE_BYTES, self._room_bytes):
                return Picture(label=label, file=name, id=""), None
            content = path.read_bytes()
        except OSError:
            return None, None
        digest = hashlib.sha256(content).hexdigest()[:16]
        if digest in self._known:
            return Picture(label=label, file=name, id=self._known[digest]), None
        self._known[digest] = identity = f"p{len(self._known) + 1}"
        self._room_bytes -= len(content)
        encoded = base64.b64encode(content).decode("ascii")
        return Picture(label=label, file=name, id=identity), Island(
            id=identity, json=f'"data:image/png;base64,{encoded}"'
        )

    def _visit(
        self,
        test: TestRow,
        visit: VisitRow,
        pictures: tuple[Picture, ...],
        beside: Beside | None,
        green_picture: Picture | None,
    ) -> Island:
        result, folder = visit.on_disk.result, visit.on_disk.folder
        view, trouble = None, visit.on_disk.trouble if result is None else ""
        try:
            if result is not None:
                view = view_of(result, read_entries(folder)[0])
        except HarnessError as error:
            trouble = str(error)
        island = VisitIsland(
            bundle=visit.bundle,
            files=visit.on_disk.files,
            view=view,
            trouble=trouble,
            missing=_gaps(result) if result else (),
            findings=result.findings if result else (),
            about=about(result) if result else (),
            pictures=pictures,
            commands=(*commands(self._record, test, result), *_replay(visit)),
            green=beside.comparison if beside else None,
            green_picture=green_picture if green_picture and green_picture.id else None,
        )
        return Island(id=visit.id, json=encoded_json(island, self._clean))


def encoded_json(value: Any, clean: Clean) -> str:
    """Return a value as JSON that may stand in a `<script>` element: nothing in it ends the element or begins a comment."""
    text = json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))
    return clean(text).translate(UNSAFE)


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def about(result: VisitResult) -> tuple[tuple[str, str], ...]:
    """Return the facts of a visit as names and values, the most important first."""
    rows = (
        ("Client secret", render_prefetch(result)),
        ("Fetched from", result.secret_url),
        ("Mode", result.mode),
        ("Domain check", result.verification),
        ("Backend", result.backend),
        (
            "chatkit.ready fired",
            "yes (it only means that the iframe loaded a document)" if result.has_ready_event else "no",
        ),
        ("Script", dict(result.tracks).get("script", "")),
        ("Element", dict(result.tracks).get("element", "")),
        ("Session", dict(result.tracks).get("session", "")),
        ("Frame", dict(result.tracks).get("frame", "")),
        ("Page", result.url),
        ("Project", f"{result.project}, entry {result.entry or 'page'}"),
        ("Scenario", result.scenario),
        ("Network", result.network),
        ("Browser", result.browser),
        ("Started", result.started_at),
    )
    return tuple((name, value) for name, value in rows if value)


def _replay(visit: VisitRow) -> tuple[str, ...]:
    if MANIFEST_NAME not in visit.on_disk.files:
        return ()
    return (f"chatkit-harness repro {shlex.quote(visit.bundle)}  # in the folder of this report",)


def commands(record: RunRecord, test: TestRow, result: VisitResult | None) -> tuple[str, ...]:
    """Return the commands that reproduce the visit, for copying."""
    if record.kind in WITHOUT_TESTS:
        return (record.command,) if record.command else ()
    project = f" -p {shlex.quote(result.project)}" if result is not None and result.project else ""
    if record.kind in ("gate", "merge"):
        name = test.nodeid.rpartition("::")[2].partition("[")
        words = [name[0], *([result.entry] if result is not None and result.entry and name[1] else [])]
        return (f"chatkit-harness gate{project} -k {shlex.quote(' and '.join(words))}",)
    return (f"pytest {shlex.quote(test.nodeid)}",)


def _gaps(result: VisitResult) -> tuple[str, ...]:
    return (
        *(f"{loss.file} is missing: {loss.reason}" for loss in result.missing),
        *(f"it cannot be replayed exactly: {what}" for what in result.unreplayable),
    )

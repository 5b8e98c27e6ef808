"""Searches the files of a run for secrets, nested archives included: the proof that redaction missed nothing.

In: a run's folder and every secret that was known or learned. Out: hits, whose files are deleted, and files that were redacted late.
A value is never in what is returned.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from harness.analysis.har import BODIES
from harness.errors import BundleError
from harness.files import reason_of
from harness.model import packing
from harness.model.redaction import SHAPES, Redactor, encodings_of, in_markup
from harness.model.texts import visible
from harness.report.bundle import write_bytes
from harness.report.recordings import reseal
from harness.report.trace import learn_from_trace, rewrite_trace

CHUNK_BYTES = 8_000_000
OVERLAP_BYTES = 64_000  # longer than any secret in any encoding
DEEPEST = 4  # archives inside of archives
LARGEST_UNPACKED_BYTES = 2_000_000_000
NOT_SEARCHED = (
    "WARNING: the files of this run were NOT searched for secrets (no-secret-scan): check them before you publish them"
)
BY_SHAPE = "recognised by its shape"
UNSEARCHABLE = "cannot be searched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A value that must not be found. `home`: the folder of the visit that learned it, "" when it was known from the start."""

    kind: str
    value: str
    home: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A file that held a secret, and is deleted. `place` names the members of archives too."""

    place: str
    kind: str
    rule: str  # how the secret was known: what should have been replaced, and by what

    def __str__(self) -> str:
        return f"{self.place}: {self.kind}, {self.rule}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the search found."""

    hits: tuple[Hit, ...] = ()
    late: tuple[str, ...] = ()  # redacted after the run: only a later visit taught what is secret there
    unread: tuple[str, ...] = ()
    searched_files: int = 0


def prove(folder: Path, secrets: Iterable[Secret], paths: Iterable[Path] | None = None) -> Proof:
    """Search every file below the folder, or only these; delete those with a secret that should have been replaced."""
    secrets = tuple(secrets)
    redactor = Redactor((secret.kind, secret.value) for secret in secrets)
    search = _Search(folder, secrets)
    hits: list[Hit] = []
    late: list[str] = []
    unread: list[str] = []
    number = 0
    for path in _paths(folder) if paths is None else paths:
        place = visible(redactor.text(path.relative_to(folder).as_posix()))
        try:
            found = search.found_in(path)
            number += path.is_file()
            if found and not any(hit.rule for hit in found):
                with contextlib.suppress(BundleError):  # the second search finds it, and it is deleted
                    redact_file(path, redactor)
                late.append(place)
                reseal(path.parent.parent if path.parent.name == BODIES else path.parent)
                found = [replace(hit, rule="not replaced by the late redaction") for hit in search.found_in(path)]
        except OSError as error:
            unread.append(f"{place}: {error.strerror}")
            continue
        if found:
            kept = _delete(path)
            hits += [
                replace(hit, place=visible(redactor.text(hit.place)), rule=f"{hit.rule}{kept}")
                for hit in found
                if hit.rule
            ]
    return Proof(hits=tuple(dict.fromkeys(hits)), late=tuple(late), unread=tuple(unread), searched_files=number)


MOST_NAMED = 5


def render_proof(proof: Proof, *, folder: str) -> str:
    """Return what is said about the search when it found something, or nothing."""
    lines = [f"redacted after the run: {place}" for place in proof.late[:MOST_NAMED]]
    if len(proof.late) > MOST_NAMED:
        lines.append(f"redacted after the run: {len(proof.late) - MOST_NAMED} more")
    lines += [f"not searched: {what}" for what in proof.unread]
    if proof.hits:
        count = len({hit.place.split("!")[0] for hit in proof.hits})
        lines += [f"SECRET FOUND in the files of this run; {count} {'file is' if count == 1 else 'files are'} deleted:"]
        lines += [f"  {folder}/{hit}" for hit in proof.hits]
        lines += [
            "  to fix: do not publish earlier copies, and report it as a defect of chatkit-harness, or of the "
            "tool that wrote the file"
        ]
    return "\n".join(lines)


class _Search:
    """Looks for the same patterns in many places."""

    def __init__(self, folder: Path, secrets: tuple[Secret, ...]) -> None:
        self._folder = folder
        self._kinds: dict[str, str] = {}
        self._homes: dict[str, set[str]] = {}  # "" among them: known before the run
        for secret in secrets:
            self._kinds.setdefault(secret.value, secret.kind)
            self._homes.setdefault(secret.value, set()).add(secret.home)
        self._patterns = {pattern: value for value in self._kinds for pattern in _patterns_of(value)}
        self._left_bytes = LARGEST_UNPACKED_BYTES
        self._clean: set[tuple[int, ...]] = set()

    def found_in(self, path: Path) -> list[Hit]:
        """Return a hit for each secret in a file or in its name; without a rule where only a later visit taught it."""
        place = path.relative_to(self._folder).as_posix()
        self._left_bytes = LARGEST_UNPACKED_BYTES
        found = list(self._in_bytes(path.name.encode("utf-8", "surrogateescape"), place))
        if path.is_file() and not self._is_known_clean(path):
            before = len(found)
            with path.open("rb") as file:
                found += self._in_stream(file, place, depth=0)
            if len(found) == before:
                self._clean.add(_identity(path))
        return list(dict.fromkeys(found))

    def _is_known_clean(self, path: Path) -> bool:
        """Whether the same bytes of the disk were searched under another name, as those of bodies that visits share."""
        return path.stat().st_nlink > 1 and _identity(path) in self._clean

    def _in_stream(self, file: IO[bytes], place: str, *, depth: int) -> Iterator[Hit]:
        head = file.read(CHUNK_BYTES)
        if head[:2] == b"PK" and depth < DEEPEST:
            yield from self._in_archive(file, place, depth=depth)
        elif (unpacked := packing.unpacked(head)) is not None:
            content = io.BytesIO(unpacked.content)
            yield from (
                self._in_stream(content, f"{place}!", depth=depth + 1) if depth < DEEPEST else self._unsearchable(place)
            )
            if unpacked.is_cut:
                yield from self._unsearchable(place)
        elif head[:2] == b"PK":
            yield from self._unsearchable(place)
        before = b""
        while head:
            yield from self._in_bytes(before[-OVERLAP_BYTES:] + head, place)
            before, head = head, file.read(CHUNK_BYTES)

    def _in_archive(self, file: IO[bytes], place: str, *, depth: int) -> Iterator[Hit]:
        here = file.tell()
        try:
            with zipfile.ZipFile(file) as archive:
                for info in archive.infolist():
                    inside = f"{place}!{info.filename}"
                    yield from self._in_bytes(info.filename.encode("utf-8", "surrogateescape"), inside)
                    self._left_bytes -= info.file_size
                    if self._left_bytes < 0:
                        yield from self._unsearchable(inside)
                        return
                    with archive.open(info) as member:
                        yield from self._in_stream(member, inside, depth=depth + 1)
        except zipfile.BadZipFile:  # it only begins like one: its bytes are searched as they are
            pass
        except (RuntimeError, NotImplementedError, ValueError, EOFError):  # encrypted, or packed in a way unknown here
            yield from self._unsearchable(place)
        finally:
            file.seek(here)

    def _in_bytes(self, content: bytes, place: str) -> Iterator[Hit]:
        for pattern, value in self._patterns.items():
            if pattern in content:
                yield Hit(place=place, kind=self._kinds[value], rule=self._rule(value, place))
        try:
            text = content.decode()
        except UnicodeDecodeError:
            return
        for kind, shape in SHAPES:
            if any("<redacted:" not in match[0] for match in shape.finditer(text)):
                yield Hit(place=place, kind=kind, rule=BY_SHAPE)

    def _rule(self, value: str, place: str) -> str:
        """How the secret was known where it was found; nothing where only a later visit taught it."""
        homes = self._homes[value]
        if "" in homes:
            return "known before the run"
        path = self._folder / place.split("!")[0]
        return "learned by this visit" if any(path.is_relative_to(home) for home in homes) else ""

    @staticmethod
    def _unsearchable(place: str) -> Iterator[Hit]:
        yield Hit(place=place, kind="archive", rule=UNSEARCHABLE)


def _identity(path: Path) -> tuple[int, ...]:
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _patterns_of(value: str) -> Iterator[bytes]:
    yield value.encode("utf-16-le", "replace")
    for written in (value, *encodings_of(value)):
        yield written.encode("utf-8", "replace")


def _paths(folder: Path) -> Iterator[Path]:
    """Yield files and folders, the innermost first; a link is not followed, and its name is no content."""
    for root, folders, files in os.walk(folder, topdown=False):
        yield from (Path(root) / name for name in sorted((*files, *folders)) if not (Path(root) / name).is_symlink())


def redact_file(path: Path, redactor: Redactor) -> None:
    """Replace what is secret in a file that was written before anybody could know it; what holds nothing is not touched.

    Raises BundleError, or OSError, when that is not possible.
    """
    if zipfile.is_zipfile(path):
        learn_from_trace(path, redactor)
        rewrite_trace(path, path, redactor)
    elif path.is_file() and path.stat().st_size <= packing.LARGEST_BYTES:
        content = path.read_bytes()
        clean = redactor.content(content)
        if clean != content:
            is_markup = path.parent.name != BODIES and path.suffix in (".xml", ".html", ".svg")
            write_bytes(
                path,
                in_markup(clean.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
                if is_markup
                else clean,
            )


def _delete(path: Path) -> str:
    """Delete a file or folder, and return "" or what is to be added where that is not possible."""
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    except OSError as error:
        return f"; it CANNOT BE DELETED: {reason_of(error)}"
    return ""

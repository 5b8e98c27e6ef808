"""A snapshot of ChatKit's SDK: which files there are, what identifies each, and how two snapshots differ.

In: the contents of files, or the JSON of a `snapshot.json`. Out: frozen values. It touches no disk and no network.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from harness.model import codec
from harness.model.codec import Count, Format, RelativePath, Sha256, Text, Unfit
from harness.model.sdk_generations import SdkTraits

SNAPSHOT_FILE = "snapshot.json"
FORMAT = Format(name="", version=1, version_key="format_version")
LONGEST_PATH = 240
LONGEST_NAME_BYTES = 200
SAFE_PATH = re.compile(r"[^\x00-\x1f\x7f\\:*?\"<>|]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFile:
    """One file of the SDK, below the base."""

    path: RelativePath  # "deployments/chatkit/chatkit.js"
    sha256: Sha256
    bytes: Count
    media_type: str = ""  # as the CDN said; not compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a CDN served at one time; files by path."""

    base_url: Text
    taken_at: Text  # ISO 8601, UTC
    files: tuple[SnapshotFile, ...]
    missing: tuple[str, ...] = ()  # named by a file, as a text at least, and not there
    outside: tuple[str, ...] = ()  # URLs elsewhere that a file refers to: not stored
    traits: SdkTraits = field(default_factory=SdkTraits)  # what it can do, as its scripts say

    @property
    def digest(self) -> str:
        """What identifies the content: the same for the same files, whenever and wherever they were stored."""
        return content_digest(self.files)

    @property
    def total_bytes(self) -> int:
        """The size of all files."""
        return sum(file.bytes for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What is in one snapshot and not, or not so, in another."""

    new: tuple[SnapshotFile, ...] = ()
    gone: tuple[SnapshotFile, ...] = ()
    changed: tuple[tuple[SnapshotFile, SnapshotFile], ...] = ()  # before, after

    @property
    def is_nothing(self) -> bool:
        """Whether both hold the same files."""
        return not (self.new or self.gone or self.changed)


def digest_of(content: bytes) -> str:
    """Return what identifies a file of the SDK: SHA-256 of it as it came, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def content_digest(files: Iterable[SnapshotFile]) -> str:
    """Return one digest for all the files."""
    lines = sorted(f"{file.path}\0{file.sha256}\n" for file in files)
    return digest_of("".join(lines).encode("utf-8", "surrogatepass"))


def file_of(path: str, content: bytes, media_type: str = "") -> SnapshotFile:
    """Return the entry for a file."""
    return SnapshotFile(path=path, sha256=digest_of(content), bytes=len(content), media_type=media_type)


def difference(before: Iterable[SnapshotFile], after: Iterable[SnapshotFile]) -> Difference:
    """Return which files are new, gone and changed, each by path."""
    old, new = {file.path: file for file in before}, {file.path: file for file in after}
    return Difference(
        new=tuple(new[path] for path in sorted(new.keys() - old.keys())),
        gone=tuple(old[path] for path in sorted(old.keys() - new.keys())),
        changed=tuple(
            (old[path], new[path])
            for path in sorted(old.keys() & new.keys())
            if (old[path].sha256, old[path].bytes) != (new[path].sha256, new[path].bytes)
        ),
    )


def is_safe_path(path: str) -> bool:
    """Whether a path, decoded, names a file below whatever folder it is put in, on any system."""
    parts = path.split("/")
    return (
        len(path) <= LONGEST_PATH
        and SAFE_PATH.fullmatch(path) is not None
        and path != SNAPSHOT_FILE
        and all(0 < len(part.encode("utf-8", "surrogatepass")) <= LONGEST_NAME_BYTES for part in parts)
        and not any(part.strip(".") == "" or part != part.strip() for part in parts)
    )


def saved_snapshot(snapshot: Snapshot) -> dict[str, Any]:
    """Return a snapshot as `snapshot.json` has it.

    {"format_version": 1, "base_url": …, "taken_at": …, "files": [{"path", "sha256", "bytes", "media_type"}, …], "missing": [path, …],
    "outside": [url, …],
    "sdk": {"options": [path, …], "events": [name, …], "log_lines": [name, …]}}
    """
    return {
        **FORMAT.header,
        "base_url": snapshot.base_url,
        "taken_at": snapshot.taken_at,
        "files": [asdict(file) for file in snapshot.files],
        "missing": list(snapshot.missing),
        "outside": list(snapshot.outside),
        "sdk": asdict(snapshot.traits),
    }


def snapshot_of(saved: Any, where: str) -> Snapshot:
    """Return the snapshot that `snapshot.json` describes. Raises RecordingError for anything else, or a newer format."""
    listing = FORMAT.opened(saved, where)
    snapshot = codec.decoded(Snapshot, {**listing, "traits": listing.get("sdk", {})}, where=where)
    for number, file in enumerate(snapshot.files):
        if not is_safe_path(file.path):
            raise Unfit(
                where, at=f"files[{number}].path", expected="a path below the folder", found=ascii(file.path[:80])
            )
    return snapshot

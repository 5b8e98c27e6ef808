"""Folders with ChatKit's SDK in the layout of its CDN: read, verified against their `snapshot.json`, and stored atomically.

In: a folder, or files in memory. Out: snapshots, and a folder (default: below the user's cache folder).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BundleError, RecordingError
from harness.files import partial_of, reason_of
from harness.model.chatkit import LOADER_PATH
from harness.model.codec import json_text, parsed
from harness.model.sdk_generations import SdkTraits
from harness.model.sdk_traits import traits_of_files
from harness.model.snapshot import (
    SNAPSHOT_FILE,
    Difference,
    Snapshot,
    SnapshotFile,
    difference,
    file_of,
    saved_snapshot,
    snapshot_of,
)

LOADER = LOADER_PATH.lstrip("/")
MOST_FILES = 10_000
MOST_FILE_BYTES = 50_000_000
MOST_BYTES = 300_000_000
LISTING_BYTES = 5_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SdkFolder:
    """The files in a folder, and the content of its listing."""

    path: Path
    listed: Snapshot | None  # None: there is no snapshot.json
    found: tuple[SnapshotFile, ...]  # the current files

    @property
    def damage(self) -> Difference:
        """The differences from the listing; none without a listing."""
        return difference(self.listed.files, self.found) if self.listed else Difference()


def cache_folder(environ: Mapping[str, str], home: Path) -> Path:
    """Return the default folder of snapshots."""
    given = Path(environ.get("XDG_CACHE_HOME") or "")
    return (given if given.is_absolute() else home / ".cache") / "chatkit-harness" / "sdk"


def newest_in(folder: Path) -> Path | None:
    """Return the newest snapshot in a folder; None when there is none."""
    taken: list[tuple[str, Path]] = []
    for listing in folder.glob(f"*/{SNAPSHOT_FILE}"):
        with suppress(RecordingError):
            taken.append((_listed(listing).taken_at, listing.parent))
    return max(taken)[1] if taken else None


def read_folder(path: Path) -> SdkFolder:
    """Return the content of a folder. Raises RecordingError when it cannot be read, or is too large to be an SDK."""
    listing = path / SNAPSHOT_FILE
    listed = _listed(listing) if listing.is_file() else None
    found: list[SnapshotFile] = []
    total = 0
    try:
        if not path.is_dir():
            raise RecordingError(f"there is no folder {path}")
        for file in sorted(path.rglob("*")):
            if not file.is_file() or file == listing:
                continue
            size = file.stat().st_size
            total += size
            if len(found) >= MOST_FILES or size > MOST_FILE_BYTES or total > MOST_BYTES:
                raise RecordingError(
                    f"{path} is too large for a snapshot of the SDK: more than {MOST_FILES} files, or {MOST_BYTES} bytes"
                )
            found.append(file_of(file.relative_to(path).as_posix(), file.read_bytes()))
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {reason_of(error)}") from error
    return SdkFolder(path=path, listed=listed, found=tuple(found))


def read_traits(folder: SdkFolder) -> SdkTraits:
    """Return the traits of the SDK in a folder, from its scripts. Raises RecordingError."""
    try:
        scripts = [file.path for file in folder.found if file.path.endswith((".js", ".mjs"))]
        return traits_of_files({path: (folder.path / path).read_bytes() for path in scripts})
    except OSError as error:
        raise RecordingError(f"{folder.path} cannot be read: {reason_of(error)}") from error


def _listed(listing: Path) -> Snapshot:
    try:
        if listing.stat().st_size > LISTING_BYTES:
            raise RecordingError(f"{listing} is too large for a snapshot's listing")
        text = listing.read_bytes()
    except OSError as error:
        raise RecordingError(f"{listing} cannot be read: {reason_of(error)}") from error
    try:
        saved = parsed(text, str(listing))
    except RecordingError as error:
        raise RecordingError(
            f"{listing} is not JSON; it may be incomplete\n"
            "  to fix: pull another snapshot (chatkit-harness sdk pull), or delete the listing to use the files "
            "as they are"
        ) from error
    return snapshot_of(saved, str(listing))


def same_in(folder: Path, snapshot: Snapshot) -> Path | None:
    """Return an undamaged snapshot with exactly these files; None when there is none."""
    for listing in sorted(folder.glob(f"*/{SNAPSHOT_FILE}")):
        with suppress(RecordingError):
            if _listed(listing).digest == snapshot.digest and read_folder(listing.parent).damage.is_nothing:
                return listing.parent
    return None


def stage(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files below a folder. Raises BundleError."""
    try:
        for path, content in contents.items():
            wanted = folder / path
            wanted.parent.mkdir(parents=True, exist_ok=True)
            wanted.write_bytes(content)
    except OSError as error:
        raise BundleError(f"{folder} cannot be written: {reason_of(error)}") from error


def staging_of(folder: Path) -> Path:
    """Return the temporary folder in which a snapshot is assembled."""
    return partial_of(folder)


def seal(staging: Path, folder: Path, snapshot: Snapshot) -> bool:
    """Write the listing of a staged snapshot and rename it; return False when the same snapshot exists already.

    Raises RecordingError when another folder has the name, BundleError when it cannot be written.
    """
    stage(staging, {SNAPSHOT_FILE: json_text(saved_snapshot(snapshot), indent=1).encode("utf-8")})
    if _is_taken(folder):
        there = read_folder(folder)
        discard(staging)
        if difference(there.found, snapshot.files).is_nothing:
            return False
        raise RecordingError(
            f"{folder} exists with other content, and existing folders are never overwritten\n  to fix: choose "
            "another --out, or delete it"
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging.replace(folder)
    except OSError as error:
        discard(staging)
        raise BundleError(f"{folder} cannot be written: {reason_of(error)}") from error
    return True


def _is_taken(folder: Path) -> bool:
    return folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))


def discard(staging: Path) -> None:
    """Delete the temporary folder."""
    shutil.rmtree(staging, ignore_errors=True)


def has_loader(files: Iterable[SnapshotFile]) -> bool:
    """Whether these paths have the layout of the CDN."""
    return any(file.path == LOADER for file in files)

"""Writes what makes a visit's folder a bundle, packs it, and reads a recording back: from a folder, a zip, or a HAR of any tool.

In: folders and files. Out: `manifest.json`, a zip, a `Recording`. What was not written by us is read with limits, see `untrusted`.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.analysis.har import BODIES
from harness.analysis.replay.minimising import files_of, filtered
from harness.analysis.replay.recording import ReadFile, recording_of
from harness.errors import BundleError, RecordingError
from harness.files import is_partial, reason_of, replacing
from harness.model.file_names import ERROR_CONTEXT_NAME, HAR_NAME, MANIFEST_NAME, RESULT_NAME, TIMELINE_NAME
from harness.model.manifest import FileSeal, Manifest, manifest_from, saved_manifest
from harness.model.recording import Recording
from harness.model.shapes import PLACEHOLDER, Shape, shape_of
from harness.report.bundle import write_bytes, write_json, write_text
from harness.report.salvage import salvaged
from harness.report.untrusted import name_problem, opened_bundle, read_bytes, read_json, read_text

PACKED_FIRST = (MANIFEST_NAME, HAR_NAME, TIMELINE_NAME, RESULT_NAME)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `manifest.json`, with a seal for every file that is there. Raises BundleError."""
    write_json(folder / MANIFEST_NAME, saved_manifest(sealed(manifest, folder)))


def sealed(manifest: Manifest, folder: Path) -> Manifest:
    """Return the manifest with a seal for every file that is there and can be read."""
    seals = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != MANIFEST_NAME and not is_partial(path):
            with suppress(BundleError):
                seals.append(_seal(path, path.relative_to(folder).as_posix()))
    return replace(manifest, files=tuple(seals))


def reseal(folder: Path) -> None:
    """Seal a bundle's files once more, after one of them had to be redacted late; a folder that is not a bundle is not changed."""
    try:
        manifest = (
            manifest_from(read_json(folder / MANIFEST_NAME), MANIFEST_NAME)
            if (folder / MANIFEST_NAME).is_file()
            else None
        )
        if manifest is not None:
            write_manifest(folder, manifest)
    except (BundleError, RecordingError):
        return


def shapes_in(texts: Iterable[str], placeholders: Iterable[tuple[str, str]]) -> tuple[tuple[str, Shape], ...]:
    """Return the shapes of the placeholders in these texts. `placeholders`: with the values they stand for."""
    present = {found[0] for text in texts for found in PLACEHOLDER.finditer(text)}
    return tuple(
        (placeholder, shape_of(value, placeholder.split(":")[1]))
        for placeholder, value in placeholders
        if placeholder in present
    )


def _seal(path: Path, name: str) -> FileSeal:
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return FileSeal(name=name, sha256=sha256, size_bytes=path.stat().st_size)
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror or error}") from error


def pack(folder: Path, archive: Path) -> Path:
    """Write a bundle's folder as one zip, and return it. Raises BundleError when it is not a bundle, or cannot be written."""
    if not (folder / HAR_NAME).is_file():
        raise BundleError(f"{folder} is not a bundle: it has no {HAR_NAME}")
    names = [
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()
    ]
    names.sort(key=lambda name: (PACKED_FIRST.index(name) if name in PACKED_FIRST else len(PACKED_FIRST), name))
    try:
        with replacing(archive) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as packed:
            for name in names:
                if not is_partial(folder / name) and (folder / name).resolve() != archive.resolve():
                    packed.write(folder / name, name)
    except OSError as error:
        raise BundleError(f"cannot write {archive}: {reason_of(error)}") from error
    return archive


@contextmanager
def opened_recording(path: Path) -> Iterator[tuple[Recording, Path | None]]:
    """Yield a recording and the folder of its bundle, None for a bare HAR, until the block ends.

    Raises RecordingError when it is not a recording, is damaged, or has a newer format.
    """
    try:
        if path.is_file() and not _is_zip(path):
            yield recording_of(read_json(path), name=path.name, read_file=_reader_in(path.parent)), None
            return
        with ExitStack() as resources:
            recording, folder = _read(path, resources)
            yield recording, folder
    except BundleError as error:
        raise RecordingError(str(error)) from error


def _read(path: Path, resources: ExitStack) -> tuple[Recording, Path]:
    """Return the recording of a folder or a zip; of a damaged zip what is whole in it. Raises RecordingError, BundleError."""
    try:
        folder = resources.enter_context(opened_bundle(path))
    except BundleError as error:
        if not path.is_file():
            raise
        rest = Path(resources.enter_context(TemporaryDirectory(prefix="chatkit-salvage-"))) / "bundle"
        found = salvaged(path, rest)
        if HAR_NAME not in found:
            raise
        recording = read_recording(rest, name=path.name, is_whole=False)
        told = [name for name in found if not name.startswith(f"{BODIES}/")]
        warning = f"{error}; only {' and '.join(told)} could be read"
        return replace(recording, warnings=(warning, *recording.warnings)), rest
    return read_recording(folder, name=path.name), folder


def read_recording(folder: Path, *, name: str, is_whole: bool = True) -> Recording:
    """Return what a bundle's folder holds. Raises RecordingError, BundleError."""
    har = _har_in(folder)
    manifest = (
        manifest_from(read_json(folder / MANIFEST_NAME), f"{name}: {MANIFEST_NAME}")
        if (folder / MANIFEST_NAME).is_file()
        else None
    )

    recording = recording_of(read_json(har), name=name, manifest=manifest, read_file=_reader_in(har.parent))
    return replace(recording, warnings=(*recording.warnings, *(_broken_seals(folder, manifest) if is_whole else ())))


def _reader_in(folder: Path) -> ReadFile:
    """Return what reads a file beside a HAR, and gives None for one that is not there, or leads elsewhere."""

    def read_file(wanted: str) -> bytes | None:
        if name_problem(wanted):
            return None
        try:
            return read_bytes(folder / wanted)
        except BundleError:
            return None

    return read_file


def write_smaller(folder: Path, into: Path, smaller: Recording, kept: frozenset[int]) -> None:
    """Write the bundle again with only these exchanges, as redacted as it was. Screenshots, trace and DOM stay behind."""
    manifest = (
        manifest_from(read_json(folder / MANIFEST_NAME), MANIFEST_NAME)
        if (folder / MANIFEST_NAME).is_file()
        else _manifest_of(smaller)
    )
    har = filtered(read_json(_har_in(folder)), kept)
    write_json(into / HAR_NAME, har)
    bodies = [name for name in files_of(har) if not name_problem(name) and (folder / name).is_file()]
    for name in bodies:
        write_bytes(into / name, read_bytes(folder / name))
    for name in (TIMELINE_NAME, RESULT_NAME, ERROR_CONTEXT_NAME):
        if (folder / name).is_file():
            write_text(into / name, read_text(folder / name))
    present = {found[0] for found in PLACEHOLDER.finditer(json.dumps(har, ensure_ascii=False))}
    storage = manifest.storage if smaller.storage else {}
    for name in bodies:
        present |= {found[0] for found in PLACEHOLDER.finditer(read_text(folder / name))}
    present |= {found[0] for found in PLACEHOLDER.finditer(json.dumps(storage, ensure_ascii=False))}
    shapes = tuple((placeholder, shape) for placeholder, shape in manifest.shapes if placeholder in present)
    write_manifest(into, replace(manifest, storage=storage, shapes=shapes, left_out=smaller.left_out, missing=()))


def _manifest_of(recording: Recording) -> Manifest:
    """The manifest of what had none: a HAR of another tool."""
    return Manifest(
        written_at=datetime.now(UTC).isoformat(timespec="seconds"),
        harness="",
        url=recording.url,
        started_at=recording.started_at,
        network=recording.network,
    )


def _har_in(folder: Path) -> Path:
    if (folder / HAR_NAME).is_file():
        return folder / HAR_NAME
    others = sorted(folder.glob("*.har"))
    if not others:
        raise RecordingError(f"{folder} is not a bundle: it has no {HAR_NAME}, and no other HAR")
    return others[0]


def _broken_seals(folder: Path, manifest: Manifest | None) -> Iterator[str]:
    """Yield what is not as it was when the manifest was written; a file that a replay does not read is only missed."""
    for seal in manifest.files if manifest else ():
        if name_problem(seal.name):
            yield f"the manifest lists a file that bundles do not have: {seal.name[:80]!a}"
        elif not (folder / seal.name).is_file():
            yield f"{seal.name} is missing"
        elif _seal(folder / seal.name, seal.name) != seal:
            yield f"{seal.name} was changed after the bundle was written"


def _is_zip(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(2) == b"PK"
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}") from error

"""`manifest.json` of a bundle: the data that a replay needs in addition to the network, and a list of the files.

In: values. Out: plain JSON and back. A manifest of a newer format is refused; what is missing in one has its usual value.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from harness.model.codec import Count, Format, Origin, RelativePath, Sha256, Text, Timeout, UnixTime, decoded
from harness.model.limits import Limits
from harness.model.recording import Action, Environment, RecordedVerdict
from harness.model.shapes import Shape, read_shape, saved_shape

FORMAT = Format(name="chatkit-harness/bundle", version=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSeal:
    """A file of the bundle as it was written."""

    name: RelativePath
    sha256: Sha256
    size_bytes: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What stands in `manifest.json`."""

    written_at: Text  # ISO 8601
    harness: Text  # its version
    url: Text
    started_at: Text
    network: Text
    project: Text = ""
    entry: Text = ""
    environment: Environment = field(default_factory=Environment)
    actions: tuple[Action, ...] = ()
    storage: dict[str, Any] = field(default_factory=dict)
    judged: RecordedVerdict = field(default_factory=RecordedVerdict)
    shapes: tuple[tuple[str, Shape], ...] = ()  # by placeholder
    files: tuple[FileSeal, ...] = ()
    left_out: Count = 0  # exchanges that were not needed to see the same cause; what asks for one gets nothing
    missing: tuple[str, ...] = ()


REQUIRED = dict.fromkeys(("written_at", "harness", "url", "started_at", "network"), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCookie:
    """What Playwright needs of a cookie; it looks at the rest."""

    name: Text
    value: Text
    domain: Text = ""
    path: Text = ""
    expires: UnixTime = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredValue:
    """One value of an origin's storage."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOrigin:
    """What an origin has stored."""

    origin: Origin
    localStorage: tuple[StoredValue, ...] = ()  # noqa: N815 - as Playwright writes it


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageState:
    """Playwright's `storage_state`, as far as a manifest's is checked; it is kept as it is."""

    cookies: tuple[StoredCookie, ...] = ()
    origins: tuple[StoredOrigin, ...] = ()


def saved_manifest(manifest: Manifest) -> dict[str, Any]:
    """Return what `manifest.json` holds."""
    plain = {name: getattr(manifest, name) for name in ("written_at", "harness", "url", "started_at", "network")}
    return {
        **FORMAT.header,
        **plain,
        "project": manifest.project,
        "entry": manifest.entry,
        "missing": list(manifest.missing),
        "left_out": manifest.left_out,
        "environment": asdict(manifest.environment),
        "actions": [asdict(action) for action in manifest.actions],
        "judged": asdict(manifest.judged),
        "storage": manifest.storage,
        "placeholders": {placeholder: saved_shape(shape) for placeholder, shape in manifest.shapes},
        "files": [asdict(seal) for seal in manifest.files],
    }


def manifest_from(data: Any, where: str) -> Manifest:
    """Return the manifest that JSON holds. Raises RecordingError when it is not ours, newer, or damaged."""
    known = FORMAT.opened(data, where)
    decoded(StorageState, known.get("storage", {}), where=where, at="storage")
    decoded(dict[str, Timeout], _limits_in(known.get("judged")), where=where, at="judged")
    given = decoded(dict[str, Any], known.get("placeholders", {}), where=where, at="placeholders")
    shapes = tuple((name, read_shape(shape, where, f"placeholders.{name}")) for name, shape in given.items())
    return replace(decoded(Manifest, {**REQUIRED, **known, "shapes": []}, where=where), shapes=shapes)


def _limits_in(judged: Any) -> dict[str, Any]:
    """Return what stands there of the limits, which bound themselves only here: the command line has them without the codec."""
    names = {item.name for item in fields(Limits)}
    return {name: value for name, value in judged.items() if name in names} if isinstance(judged, dict) else {}

"""`manifest.json` of a bundle: what the visit needs to be had again, beyond its network, and what the files are.

In: values. Out: plain JSON and back. A manifest of a newer format is refused; what is missing in one has its usual value.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

from harness.errors import RecordingError
from harness.model.recording import Action, Environment, Judged
from harness.model.shapes import Shape, read_shape, saved_shape

FORMAT = "chatkit-harness/bundle"
VERSION = 1
Value = TypeVar("Value", Environment, Judged, Action, "FileSeal")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSeal:
    """A file of the bundle as it was written."""

    name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What stands in `manifest.json`."""

    written_at: str  # ISO 8601
    harness: str  # its version
    url: str
    started_at: str
    network: str
    project: str = ""
    entry: str = ""
    environment: Environment = field(default_factory=Environment)
    actions: tuple[Action, ...] = ()
    storage: dict[str, Any] = field(default_factory=dict)
    judged: Judged = field(default_factory=Judged)
    shapes: tuple[tuple[str, Shape], ...] = ()  # by placeholder
    files: tuple[FileSeal, ...] = ()
    left_out: int = 0  # exchanges that were not needed to see the same cause; what asks for one gets nothing
    missing: tuple[str, ...] = ()


def saved_manifest(manifest: Manifest) -> dict[str, Any]:
    """Return what `manifest.json` holds."""
    plain = {name: getattr(manifest, name) for name in ("written_at", "harness", "url", "started_at", "network")}
    return {
        "format": FORMAT,
        "version": VERSION,
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
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise RecordingError(f"{where} is not a {FORMAT} file")
    version = data.get("version")
    if type(version) is not int:
        raise RecordingError(f"{where} does not say of which version it is")
    if version > VERSION:
        raise RecordingError(
            f"{where} is of format {version}, newer than the {VERSION} this version reads; update chatkit-harness"
        )
    try:
        return Manifest(
            **{name: _text(data, name) for name in ("written_at", "harness", "url", "started_at", "network")},
            project=_text(data, "project"),
            entry=_text(data, "entry"),
            environment=_value(Environment, data.get("environment", {})),
            actions=tuple(_value(Action, item) for item in data.get("actions", [])),
            storage=_table(data.get("storage", {})),
            judged=_value(Judged, data.get("judged", {})),
            shapes=tuple((str(name), read_shape(s)) for name, s in _table(data.get("placeholders", {})).items()),
            files=tuple(_value(FileSeal, item) for item in data.get("files", [])),
            left_out=int(data.get("left_out", 0)),
            missing=tuple(map(str, data.get("missing", []))),
        )
    except (TypeError, ValueError, KeyError, RecursionError) as error:
        raise RecordingError(f"{where} is damaged: {error}") from error


def _text(data: dict[str, Any], name: str) -> str:
    value = data.get(name, "")
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"expected an object, found {value!r:.40}")
    return value


def _value(kind: type[Value], data: Any) -> Value:
    """Return a flat value from an object with its fields; those that are not there keep their default, others are passed over."""
    known = {f.name: f for f in fields(kind)}
    given: dict[str, Any] = {}
    for name, value in _table(data).items():
        if name not in known:
            continue
        hint = str(known[name].type)
        is_right = {
            "str": isinstance(value, str),
            "int": type(value) is int,
            "float": type(value) in (int, float),
        }.get(hint, isinstance(value, list | tuple) and all(isinstance(item, str) for item in value))
        if not is_right:
            raise TypeError(f"{name}: expected {hint}, found {value!r:.40}")
        given[name] = tuple(value) if isinstance(value, list | tuple) else value
    return kind(**given)

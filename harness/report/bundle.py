"""The one module that writes reports to disk: each file whole or not at all.

In: values and texts. Out: files in a visit's folder. Raises BundleError with the path and the reason.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.errors import BundleError
from harness.model.results import ConsoleProblem, Finding, MilestoneReached, VisitResult
from harness.model.texts import in_json

RESULT_FORMAT = "chatkit-harness/result"
RESULT_VERSION = 1


def write_text(path: Path, text: str) -> None:
    """Write a file atomically: a reader, or a crash, sees the old content or the new."""
    write_bytes(path, text.encode("utf-8", "replace"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes atomically."""
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):  # its folder may be what is missing
            partial.unlink()
        raise BundleError(f"cannot write {path}: {error.strerror or error}") from error


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON."""
    write_text(path, in_json(json.dumps(value, ensure_ascii=False, indent=1)) + "\n")


def write_result(path: Path, result: VisitResult) -> None:
    """Write `result.json`: format, version, and every field of `VisitResult` under its name."""
    write_json(path, saved_result(result))


def saved_result(result: VisitResult) -> dict[str, Any]:
    """Return what `result.json` holds."""
    return {"format": RESULT_FORMAT, "version": RESULT_VERSION, **result_dict(result)}


def result_dict(result: VisitResult) -> dict[str, Any]:
    """Return a result as plain values, with the tracks as an object."""
    return {**asdict(result), "tracks": dict(result.tracks)}


def read_result(folder: Path) -> VisitResult:
    """Return the result that a bundle holds. Raises BundleError when there is none, or it is damaged or newer."""
    path = folder / "result.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data.pop("format") != RESULT_FORMAT:
            raise BundleError(f"{path} is not a {RESULT_FORMAT} file")
        if data.pop("version") > RESULT_VERSION:
            raise BundleError(f"{path} is of a newer format; update chatkit-harness")
        return VisitResult(
            **data
            | {"milestones": tuple(MilestoneReached(**item) for item in data["milestones"])}
            | {"console": tuple(ConsoleProblem(**item) for item in data["console"])}
            | {"findings": tuple(_finding(item) for item in data["findings"])}
            | {"tracks": tuple(data["tracks"].items())}
            | {name: tuple(data[name]) for name in ("evidence", "facts")}
        )
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BundleError(f"{path} is damaged: {error!r}") from error


def _finding(item: dict[str, Any]) -> Finding:
    return Finding(**item | {"evidence": tuple(item["evidence"])})

"""Faults by name, read from `fixtures/faults.toml`: `session-401` is `status:session=401`, and so on.

In: a name, or an expression of the fault language itself. Out: faults. A name may stand for several.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.errors import ConfigError
from harness.model.faults import Fault, nearest_of, parse_fault


def fixtures_dir() -> Path:
    """Return the folder of the embedded default: inside the wheel, or at the top of a checkout."""
    packaged = Path(__file__).parents[1] / "fixtures"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "fixtures"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFault:
    """A name for what is often wrong."""

    name: str
    about: str
    faults: tuple[Fault, ...]


def read_faults(path: Path) -> dict[str, NamedFault]:
    """Return every named fault of a file. Raises ConfigError that names file, fault and key."""
    return {name: _named(path, name, table) for name, table in tomllib.loads(path.read_text("utf-8")).items()}


@cache
def named_faults() -> Mapping[str, NamedFault]:
    """Return the named faults that come with the harness."""
    return read_faults(fixtures_dir() / "faults.toml")


def faults_of(texts: Iterable[str]) -> tuple[Fault, ...]:
    """Return what names and expressions stand for, in this order. Raises ConfigError with the nearest names.

    What is to be `healthy` is still among them: `combined` takes it back, when all that comes together is there.
    """
    return tuple(fault for text in texts for fault in _faults_of(text))


def _faults_of(text: str) -> tuple[Fault, ...]:
    known = named_faults()
    if text in known:
        return known[text].faults
    if ":" in text or "=" in text:
        return (parse_fault(text),)
    nearest = nearest_of(text, known)
    raise ConfigError(
        f"there is no fault {text!r}"
        + (f"\n  nearest:  {nearest}" if nearest else "")
        + "\n  expected: a name that `chatkit-harness faults` lists, or <verb>:<target>[=<value>]"
    )


def _named(path: Path, name: str, table: object) -> NamedFault:
    wanted = {"about": str, "faults": list}
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: {name} must be a table [{name}]")
    for key in table:
        if key not in wanted:
            raise ConfigError(
                f"{path}: fault {name!r} has the unknown key {key!r}\n  expected: {', '.join(wanted)}"
                f"\n  nearest:  {nearest_of(key, wanted) or 'none'}"
            )
    about, texts = table.get("about"), table.get("faults")
    if not isinstance(about, str) or not about:
        raise ConfigError(f"{path}: fault {name!r}, key 'about': expected a sentence, found {about!r}")
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise ConfigError(f"{path}: fault {name!r}, key 'faults': expected a list of expressions, found {texts!r}")
    try:
        return NamedFault(name=name, about=about, faults=tuple(parse_fault(text) for text in texts))
    except ConfigError as error:
        raise ConfigError(f"{path}: fault {name!r}, key 'faults': {error}") from None

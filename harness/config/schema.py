"""The shape of the configuration file: its tables, checked against the keys that there are.

In: the file. Out: its validated tables, or a ConfigError in the common form. It does not read the environment.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.config.kinds import STEPS, WEB_URL
from harness.config.secrets import REFERENCE, masked, secrets_in_file
from harness.config.steps import EXAMPLES, step_of
from harness.config.tables import KEYS, ConfigKey
from harness.errors import ConfigError

FILE_NAME = "playwright.config.toml"


def problem(what: str, *, where: str, key: str, expected: str, found: str, fix: str) -> ConfigError:
    """Return an error in the common form of configuration errors."""
    lines = {"in": where, "key": key, "expected": expected, "found": found, "to fix": fix}
    return ConfigError("\n".join([what, *(f"  {f'{name}:':<9} {text}" for name, text in lines.items() if text)]))


def wrong_value(key: ConfigKey, name: str, value: Any, where: str, fix: str = "") -> ConfigError:
    """Return the error for a value that its key does not accept."""
    example = f"write {name.rsplit('.', 1)[-1]} = {literal(key.default)}" if key.default else "correct the value"
    if key.kind is WEB_URL and isinstance(value, str) and re.fullmatch(r"[\w.-]+\.?\w+(:\d+)?(/\S*)?", value):
        example = f"add the scheme: https://{value}"
    return problem(
        f"{name} is not {key.kind.expects}",
        where=where,
        key=name,
        expected=key.kind.expects,
        found=shown(value),
        fix=fix or example,
    )


def read_tables(path: Path) -> dict[str, Any]:
    """Return the validated tables of a file. Raises ConfigError when it is unreadable or invalid, or contains a secret."""

    def refused(what: str, found: object, fix: str) -> ConfigError:
        return problem(
            f"{path} {what}", where=str(path), key="", expected="a TOML file in UTF-8", found=str(found), fix=fix
        )

    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise refused("cannot be read", error.strerror, "correct the path, or the permissions of the file") from error
    except UnicodeDecodeError as error:
        raise refused("is not UTF-8", error.reason, "save the file as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise refused("is not valid TOML", error, "correct that line") from error
    _refuse_secrets(written, str(path))
    tree = checked(written, str(path))
    for name, table in tree.get("projects", {}).items():
        _refuse_contradictions(name, table, str(path))
    return tree


def _refuse_secrets(written: Mapping[str, Any], where: str) -> None:
    for path, kind in secrets_in_file(written):
        key = ".".join(path)
        variable = re.sub(r"\W", "_", path[-1]).upper()
        raise problem(
            f"{key} contains a secret",
            where=where,
            key=key,
            expected=f'a reference to a variable, such as "${{{variable}}}"',
            found=f"a value that looks like a {kind} (not shown)",
            fix="move the value to the environment or to .env; if it was already shared, revoke it and create a "
            "new one",
        )


def _refuse_contradictions(name: str, table: Mapping[str, Any], where: str) -> None:
    key = f"projects.{name}"
    server = table.get("web_server", {})
    for missing in [part for part in ("command", "url") if "web_server" in table and part not in server]:
        raise problem(
            f"{key}.web_server has no {missing}",
            where=where,
            key=f"{key}.web_server.{missing}",
            expected=KEYS[f"projects.*.web_server.{missing}"].kind.expects,
            found="nothing",
            fix='write web_server = { command = "npm run dev", url = "http://localhost:3000" }',
        )
    if "scenario" in table and ("base_url" in table or "web_server" in table):
        raise problem(
            f"{key} has both a scenario and its own page",
            where=where,
            key=f"{key}.scenario",
            expected="no scenario: a scenario is for the embedded page, which this project does not use",
            found=shown(table["scenario"]),
            fix="remove scenario, or remove base_url and web_server",
        )


def checked(table: Mapping[str, Any], where: str, path: tuple[str, ...] = (), pattern: str = "") -> dict[str, Any]:
    """Return the validated table; lists become tuples. Raises ConfigError for the first error."""
    known = _children(pattern)
    result: dict[str, Any] = {}
    for name, value in table.items():
        segment = name if name in known else "*"
        if segment not in known:
            raise _unknown((*path, name), known, where)
        inner, dotted = f"{pattern}.{segment}".lstrip("."), ".".join((*path, name))
        if inner in KEYS:
            result[name] = _checked_value(KEYS[inner], dotted, value, where)
        elif isinstance(value, Mapping):
            result[name] = checked(value, where, (*path, name), inner)
        else:
            raise problem(
                f"{dotted} is not a table",
                where=where,
                key=dotted,
                expected=f"a table with {', '.join(_children(inner))}",
                found=shown(value),
                fix=f"write [{dotted}]",
            )
    return result


def _checked_value(key: ConfigKey, name: str, value: Any, where: str) -> Any:
    if key.kind is STEPS and key.kind.accepts(value):
        return tuple(_checked_step(item, f"{name}[{number}]", where) for number, item in enumerate(value))
    awaits_variable = key.kind.is_text and isinstance(value, str) and bool(REFERENCE.search(value))
    if not awaits_variable and not key.kind.accepts(value):
        raise wrong_value(key, name, value, where)
    return tuple(value) if isinstance(value, list) else value


def _checked_step(item: Any, name: str, where: str) -> Any:
    """Return a validated step's table; its variables are resolved later. Raises ConfigError."""
    try:
        step_of(item)
    except ValueError as error:
        raise problem(
            f"{name}: {error}", where=where, key=name, expected=EXAMPLES, found=shown(item), fix="correct this step"
        ) from None
    return item


def _children(pattern: str) -> tuple[str, ...]:
    depth = len(pattern.split(".")) if pattern else 0
    inside = [name.split(".") for name in KEYS if not pattern or name.startswith(f"{pattern}.")]
    return tuple(dict.fromkeys(parts[depth] for parts in inside))


def _unknown(path: tuple[str, ...], known: tuple[str, ...], where: str) -> ConfigError:
    close = difflib.get_close_matches(path[-1], known, n=1)
    return problem(
        f"unknown key {'.'.join(path)}",
        where=where,
        key=".".join(path),
        expected=f"one of {', '.join(known)}",
        found=path[-1],
        fix=f"did you mean {close[0]}?" if close else "remove the key, or correct its name",
    )


def shown(value: Any) -> str:
    """Return a value for an error message: as TOML, shortened, without secrets."""
    text = masked(literal(value))
    return text if len(text) <= 80 else f"{text[:79]}…"


def literal(value: Any) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{bare(name)} = {literal(inner)}" for name, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False, default=str)


def bare(name: str) -> str:
    """Return a key as TOML writes it: quoted only when it must be."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)

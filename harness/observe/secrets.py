"""Finds client secrets in texts, and turns strings into salted digests that can be compared but not read.

In: bodies as the browser had them. Out: where a secret stood, its format, digests. The salt never leaves the process.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

# The response keys seen in apps; separators and case are ignored when comparing.
SECRET_KEYS = frozenset({"clientsecret", "clienttoken", "chatkitclientsecret", "chatkitsecret"})
REAL_SHAPE = re.compile(r"\bek_[A-Za-z0-9]+_(?:00|01)[A-Za-z0-9+/=_\-]{8,}")
QUOTED = re.compile(r"""["']([^"'\s<>]{12,4096})["']""")
MOST_STRINGS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSecret:
    """A client secret in a body. `key` is its path, e.g. "data.client_secret"; "(text)" outside JSON."""

    key: str
    value: str


def digest_of(text: str, salt: str) -> str:
    """Return the salted digest the probe computes too: 16 hexadecimal digits."""
    return hashlib.sha256((salt + text).encode()).hexdigest()[:16]


def format_of(secret: str) -> str:
    """Return "v00" or "v01" for a secret the SDK accepts, else "other": `<prefix>_<vv><base64 of JSON with expires_at>`."""
    head, separator, tail = secret.rpartition("_")
    if not (head and separator and tail[:2] in ("00", "01")):
        return "other"
    try:
        known = json.loads(base64.b64decode(tail[2:], validate=True))
    except (binascii.Error, ValueError):
        return "other"
    return f"v{tail[:2]}" if isinstance(known, dict) and isinstance(known.get("expires_at"), (int, float)) else "other"


def parsed_json(text: str) -> Any:
    """Return the parsed JSON, or None when it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def found_secret(text: str, parsed: Any) -> FoundSecret | None:
    """Return the first client secret in a body, by its key in JSON or by its real shape anywhere."""
    for path, value in _leaves(parsed, ""):
        key = path.rpartition(".")[2].replace("_", "").replace("-", "").lower()
        if value and (key in SECRET_KEYS or REAL_SHAPE.fullmatch(value)):
            return FoundSecret(key=path, value=value)
    match = REAL_SHAPE.search(text) if parsed is None else None
    return FoundSecret(key="(text)", value=match.group()) if match else None


def string_digests(text: str, parsed: Any, salt: str) -> tuple[str, ...]:
    """Return digests of the longer strings of a body: JSON leaves, or quoted strings of any other text."""
    strings = (value for _, value in _leaves(parsed, "")) if parsed is not None else QUOTED.findall(text)
    return _digests((value for value in strings if len(value) >= 8), salt)


def url_digests(url: str, salt: str) -> tuple[str, ...]:
    """Return digests of the longer values in a URL's query."""
    return _digests((value for _, value in parse_qsl(urlsplit(url).query) if len(value) >= 12), salt)


def _digests(strings: Iterator[str] | Any, salt: str) -> tuple[str, ...]:
    unique: dict[str, None] = {}
    for value in strings:
        unique[digest_of(value, salt)] = None
        if len(unique) == MOST_STRINGS:
            break
    return tuple(unique)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for item in value[:MOST_STRINGS]:
            yield from _leaves(item, path)

"""Finds client secrets in texts, and turns strings into salted digests that can be compared but not read.

In: bodies as the browser had them. Out: where a secret stood, its format, digests. The salt never leaves the process.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

# The response keys seen in apps; separators and case are ignored when comparing.
SECRET_KEYS = frozenset({"clientsecret", "clienttoken", "chatkitclientsecret", "chatkitsecret"})
REAL_SHAPE = re.compile(r"\bek_[A-Za-z0-9]+_(?:00|01)[A-Za-z0-9+/=_\-]{8,}")
QUOTED = re.compile(r"""["']([^"'\s<>]{12,4096})["']""")
ADDRESS = (
    "/",
    "./",
    "../",
    "http://",
    "https://",
    "data:",
    "blob:",
)  # the most frequent long strings, and never a secret
SPACES = re.compile(r"[\t\n\f\r ]")
BASE64 = re.compile(r"[A-Za-z0-9+/]*")
MOST_STRINGS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSecret:
    """A client secret in a body. `key` is its path, e.g. "data.client_secret"; "(text)" outside JSON."""

    key: str
    value: str


def digest_of(text: str, salt: str) -> str:
    """Return the salted digest the probe computes too: 16 hexadecimal digits."""
    return hashlib.sha256(_utf8(salt + text)).hexdigest()[:16]


def _utf8(text: str) -> bytes:
    """The bytes as the browser's encoder makes them: half a character becomes U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def format_of(secret: str) -> str:
    """Return "v00" or "v01" for a secret the SDK accepts, else "other": `<prefix>_<vv><base64 of JSON with expires_at>`."""
    head, separator, tail = secret.rpartition("_")
    if not (head and separator and tail[:2] in ("00", "01")):
        return "other"
    try:
        known = json.loads(_atob(tail[2:]), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return "other"
    expires_at = known.get("expires_at") if isinstance(known, dict) else None
    return f"v{tail[:2]}" if type(expires_at) in (int, float) else "other"


def _atob(text: str) -> str:
    """Decode as the browser's `atob` does: padding and white space do not matter, other characters do."""
    packed = SPACES.sub("", text)
    if len(packed) % 4 == 0:
        packed = packed[:-2] + packed[-2:].rstrip("=")
    if len(packed) % 4 == 1 or not BASE64.fullmatch(packed):
        raise ValueError("not base64")
    return base64.b64decode(packed + "=" * (-len(packed) % 4)).decode("latin-1")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def parsed_json(text: str) -> Any:
    """Return the parsed JSON, or None when it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def found_secret(text: str, parsed: Any) -> FoundSecret | None:
    """Return the first client secret in a body, by its key in JSON or by its real shape anywhere."""
    for path, value in _leaves(parsed, ""):
        key = path.rpartition(".")[2].replace("_", "").replace("-", "").lower()
        if value and (key in SECRET_KEYS or REAL_SHAPE.fullmatch(value)):
            return FoundSecret(key=path or "(text)", value=value)
    match = REAL_SHAPE.search(text) if parsed is None else None
    return FoundSecret(key="(text)", value=match.group()) if match else None


def string_digests(text: str, parsed: Any, salt: str) -> tuple[str, ...]:
    """Return digests of the longer strings of a body: JSON leaves, or quoted strings of any other text."""
    # A text that is nothing but the secret; and what stands around one is no part of it, for browsers neither.
    strings = (
        value.strip() for value in ((v for _, v in _leaves(parsed, "")) if parsed is not None else _quoted(text))
    )
    return _digests((value for value in strings if len(value) >= 8 and not value.startswith(ADDRESS)), salt)


def url_digests(url: str, salt: str) -> tuple[str, ...]:
    """Return digests of the longer values in a URL's query."""
    return _digests((value for _, value in parse_qsl(urlsplit(url).query) if len(value) >= 12), salt)


def _quoted(text: str) -> Iterator[str]:
    """The quoted strings of a text; quotes may be escaped for a script or for an attribute."""
    readings = (text, html.unescape(text)) if "&" in text else (text,)
    for reading in readings:
        for match in QUOTED.finditer(reading):
            yield match[1].rstrip("\\")


def _digests(strings: Iterable[str], salt: str) -> tuple[str, ...]:
    unique: dict[str, None] = {}
    for value in strings:
        unique[digest_of(value, salt)] = None
        if len(unique) == MOST_STRINGS:
            break
    return tuple(unique)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """The strings of parsed JSON with their paths, in order; without recursion, for it may be deep."""
    waiting = [(path, value)]
    while waiting:
        where, item = waiting.pop()
        if isinstance(item, str):
            yield where, item
        elif isinstance(item, dict):
            waiting += [(f"{where}.{key}" if where else str(key), inner) for key, inner in reversed(item.items())]
        elif isinstance(item, list):
            waiting += [(where, inner) for inner in reversed(item[:MOST_STRINGS])]

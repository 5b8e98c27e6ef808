"""Secrets in a configuration: found in variables, refused in the file, masked in output.

In: names and texts. Out: kinds of secrets, and texts without them. It reads no file and raises nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

from harness.model.redaction import SHAPES, SHORTEST_SECRET

REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

# Shapes that are always a secret; a word after "Bearer " may also be ordinary text.
SECRET_SHAPES = tuple((kind, shape) for kind, shape in SHAPES if kind != "bearer")
SECRET_KEY = re.compile(r"(^|[_-])(api_?key|password|passwd|token|secret|webhook)s?$", re.IGNORECASE)

# The first of these that a variable's name contains is the kind of its value.
VARIABLE_KINDS = {
    "PASSW": "password",
    "JWT": "jwt",
    "TOKEN": "token",
    "SECRET": "secret",
    "KEY": "api_key",
}
NAMES_A_SECRET = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|JWT)S?(_?\d+)?$")
PLAIN_WORD = re.compile(r"[A-Za-z][a-z]*|\d+")


def texts_of(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield every string of a parsed file with the names of its keys; an item of a list has the name of the list."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from texts_of(inner, (*path, name))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts_of(inner, path)


def secrets_in_file(written: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the key and kind of every secret in the file itself, recognised by its shape or key; never the value."""
    for path, text in texts_of(written):
        is_literal = bool(text) and not REFERENCE.fullmatch(text)
        kind = secret_kind(text) or ("secret" if is_literal and is_secret_key(path) else "")
        if kind:
            yield path, kind


def secrets_of(written: Mapping[str, Any], variables: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return (kind, value) of every secret variable: by its name, by its shape, or because a secret key refers to it."""
    texts = [(path, REFERENCE.findall(text)) for path, text in texts_of(written)]
    referred = {name for path, names in texts if is_secret_key(path) for name in names}
    # The text that a user types to sign in, and headers that identify the user.
    entered = {name for path, names in texts if "steps" in path or "headers" in path for name in names}
    found: dict[str, str] = {}
    for name, value in variables.items():
        kind = variable_kind(name, value) or ("api_key" if name in referred else "secret" if name in entered else "")
        if kind:
            found.setdefault(value, kind)
        for password in _passwords_in(value):
            found.setdefault(password, "password")
    return tuple((kind, value) for value, kind in found.items())


def is_secret_key(path: tuple[str, ...]) -> bool:
    """Whether the key has a name of a secret: api_key, password, token, secret."""
    return bool(path) and bool(SECRET_KEY.search(path[-1]))


def secret_kind(text: str) -> str:
    """Return the kind of a secret that is recognised by its shape, or ""."""
    return next((kind for kind, shape in SECRET_SHAPES if shape.search(text)), "")


def variable_kind(name: str, value: str) -> str:
    """Return the kind of a variable's secret, by its shape and then by its name, or ""."""
    by_name = next((kind for part, kind in VARIABLE_KINDS.items() if part in name.upper()), "")
    return secret_kind(value) or ("" if _is_harmless(name, value) else by_name)


def _is_harmless(name: str, value: str) -> bool:
    """Whether a value is not a secret although its name suggests it: TOKEN_URL=https://…, JWT_AUDIENCE=authenticated."""
    is_setting = bool(PLAIN_WORD.fullmatch(value)) and not NAMES_A_SECRET.search(name.upper())
    is_address = value.startswith(("http://", "https://")) and not any(sign in value for sign in "@?")
    return is_setting or is_address or len(value) < SHORTEST_SECRET


def _passwords_in(url: str) -> tuple[str, ...]:
    """Return the password of a URL, as written and decoded."""
    try:
        password = urlsplit(url).password if "://" in url else None
    except ValueError:  # an unclosed bracket of an IPv6 host
        return ()
    return (password, unquote(password)) if password else ()


def masked(text: str, secrets: tuple[tuple[str, str], ...] = ()) -> str:
    """Return the text with every secret, known or recognised, reduced to its kind and its last four characters."""
    for kind, value in sorted(secrets, key=lambda secret: len(secret[1]), reverse=True):
        text = text.replace(value, _mask(kind, value))
    for kind, shape in SECRET_SHAPES:
        text = shape.sub(partial(_mask_match, kind), text)
    return text


def _mask_match(kind: str, match: re.Match[str]) -> str:
    return _mask(kind, match[0])


def _mask(kind: str, value: str) -> str:
    # Four characters of a short secret would show too much of it.
    return f"{kind} …{value[-4:]} (masked)" if len(value) >= 16 else f"{kind} … (masked)"

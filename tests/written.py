"""How secrets may be written, worked out here for tests and not by the code under test."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable


def percent(text: str, digits: str = "02X") -> str:
    """Everything but letters and digits in percent signs."""
    return "".join(
        c if (c.isascii() and c.isalnum()) or c in "_.-~" else "".join(f"%{byte:{digits}}" for byte in c.encode())
        for c in text
    )


def in_json(text: str) -> str:
    """The inside of a JSON string, other letters as escapes."""
    return json.dumps(text)[1:-1]


def in_attribute(text: str) -> str:
    """As browsers write the value of an attribute."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


# Encodings of characters: two texts one after the other are written as the one and then the other.
CHARACTERS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "URL": percent,
    "URL in small letters": lambda text: percent(text, "02x"),
    "form": lambda text: percent(text).replace("%20", "+"),
    "JSON": in_json,
    "JSON with its own letters": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON with escaped slashes": lambda text: in_json(text).replace("/", "\\/"),
    "HTML": html.escape,
    "HTML text": lambda text: html.escape(text, quote=False),
    "an attribute": in_attribute,
    "a URL in a URL": lambda text: percent(percent(text)),
    "JSON in JSON": lambda text: in_json(in_json(text)),
    "JSON in an attribute": lambda text: in_attribute(in_json(text)),
    "JSON in a URL": lambda text: percent(in_json(text)),
    "a URL in JSON": lambda text: in_json(percent(text)),
}


def sure_base64(before: bytes, secret: bytes, *, is_url_safe: bool = False) -> str:
    """The characters of a longer text's base64 that the secret alone decides."""
    written = base64.b64encode(before + secret + bytes(3)).decode()
    sure = written[-(-len(before) * 4 // 3) : (len(before) + len(secret)) * 4 // 3]
    return sure.replace("+", "-").replace("/", "_") if is_url_safe else sure

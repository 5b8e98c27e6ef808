"""Replaces secrets by stable numbered placeholders, before a text is kept anywhere.

In: texts, and values known to be secret. Out: texts without them. It knows a secret because it was told (`learn`), by its shape,
or by the name it stands under; a text that holds none comes back as it was.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from urllib.parse import quote, quote_plus

SENSITIVE_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "apikey", "x-auth-token",
     "x-csrf-token", "x-xsrf-token", "openai-sentinel-token"}
)  # fmt: skip
SENSITIVE_KEYS = ("client_?secret", "client_?token", "access_?token", "refresh_?token", "id_?token", "api_?key", "password",
                  "current_?client_?secret")  # fmt: skip

# A value shorter than this is too common to be replaced wherever it stands.
SHORTEST_SECRET = 6

# A digit, or a long run without a separator, tells a token from words: "Bearer authentication", "sk-loading-spinner". What a
# pattern begins with is literal, and the word boundary is looked for behind it: so a large text is searched fast.
SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("client_secret", re.compile(r"ek_(?<!\wek_)[A-Za-z0-9_\-]{6,}(?:[+/=A-Za-z0-9]|%2B|%2F|%3D)*")),
    ("api_key", re.compile(r"sk-(?<!\wsk-)(?=[A-Za-z_\-]*\d|[\w\-]*?[A-Za-z0-9]{20})[A-Za-z0-9_\-]{12,}")),
    ("jwt", re.compile(r"eyJ(?<!\weyJ)[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}")),
    (
        "bearer",
        re.compile(r"(?<=(?i:bearer) )(?=[A-Za-z._~+/\-]*\d|[\w.~+/\-]*?[A-Za-z0-9]{24})[A-Za-z0-9._~+/\-]{6,}=*"),
    ),
)
TOKEN = re.compile(r"(?=[^\d]*\d|[^A-Za-z0-9]*[A-Za-z0-9]{24})[^\s\"'<>&;,\\]{8,}")
QUOTED_VALUE = re.compile(r"""[:=]\s*\\?["']([^"'\\\s<>]{8,})""")  # in JSON and scripts
QUERY_VALUE = re.compile(rf"""(?:[?&]|\A)(?:{"|".join(SENSITIVE_KEYS)})=([^&\s"'<>#]{{8,}})""", re.IGNORECASE)
SECRET_NAME = re.compile(rf"""(?:{"|".join(SENSITIVE_KEYS)})\\?["']?\s*\Z""", re.IGNORECASE)
LONGEST_NAME = 40


class Redactor:
    """Knows secrets and replaces them; the same value always gets the same placeholder."""

    def __init__(self, known: Iterable[tuple[str, str]] = ()) -> None:
        self._placeholders: dict[str, str] = {}  # by value
        self._counts: dict[str, int] = {}
        self._written: dict[str, str] = {}  # placeholders by what is replaced: values in every encoding
        self._longest_first: tuple[str, ...] = ()
        for kind, value in known:
            self.learn(kind, value)

    def learn(self, kind: str, value: str) -> str:
        """Return the placeholder of a value that is secret from now on; short values are left alone and returned."""
        if len(value) < SHORTEST_SECRET or value.startswith("<redacted:"):
            return value
        if value in self._written:
            return self._written[value]
        placeholder = self._placeholder(kind, value)
        for variant in (value, *encodings_of(value)):
            self._written.setdefault(variant, placeholder)
        self._longest_first = tuple(sorted(self._written, key=len, reverse=True))
        return placeholder

    def text(self, text: str) -> str:
        """Return the text with every known or recognisable secret replaced."""
        for kind, value in _recognised(text):
            self.learn(kind, value)
        present = [value for value in self._longest_first if value in text]
        if not present:
            return text
        # In one pass, so that no value is looked for in a placeholder.
        return re.sub("|".join(map(re.escape, present)), lambda match: self._written[match[0]], text)

    def header(self, name: str, value: str) -> str:
        """Return a header's value, with the whole value replaced when the header is secret by its name."""
        lower = name.lower()
        if lower not in SENSITIVE_HEADERS or not value.strip():
            return self.text(value)
        if lower in ("authorization", "proxy-authorization"):
            scheme, separator, token = value.partition(" ")
            return f"{scheme} {self._hidden('bearer', token)}" if separator else self._hidden("bearer", value)
        if "cookie" not in lower:
            return self._hidden("token", value)
        for part in re.split("[;\n]", value):
            cookie = part.partition("=")[2].strip()
            if TOKEN.fullmatch(cookie):  # "theme=dark" is no secret wherever "dark" stands
                self.learn("cookie", cookie)
        return self._placeholder("cookie", value)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every value that is replaced, for a search of what was written."""
        return tuple(self._written)

    def _hidden(self, kind: str, value: str) -> str:
        """The placeholder of a value that must not be seen; a long one is looked for everywhere from now on."""
        if not value.strip() or value.startswith("<redacted:"):
            return value
        return self.learn(kind, value) if len(value) >= SHORTEST_SECRET else self._placeholder(kind, value)

    def _placeholder(self, kind: str, value: str) -> str:
        if value not in self._placeholders:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._placeholders[value] = f"<redacted:{kind}:{self._counts[kind]}>"
        return self._placeholders[value]


def _recognised(text: str) -> Iterator[tuple[str, str]]:
    """Yield kind and value of what is secret by its shape, or by the name it stands under."""
    for kind, shape in SHAPES:
        if kind != "bearer" or "earer " in text or "EARER " in text:  # the one shape without a literal to begin with
            for match in shape.finditer(text):
                yield kind, match[0]
    for match in QUERY_VALUE.finditer(text):
        if TOKEN.fullmatch(match[1]):
            yield "secret", match[1]
    for match in QUOTED_VALUE.finditer(text):
        start = match.start()
        if TOKEN.fullmatch(match[1]) and SECRET_NAME.search(text[max(start - LONGEST_NAME, 0) : start]):
            yield "secret", match[1]


@cache
def encodings_of(value: str) -> tuple[str, ...]:
    """Return how else a value may be written: in URLs, JSON, HTML, and inside of base64."""
    encoded = quote(value, safe="")
    in_json = json.dumps(value)[1:-1]
    written = (
        encoded,
        quote_plus(value),
        quote(value, safe="/"),
        re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), encoded),
        in_json,
        in_json.replace("/", "\\/"),
        json.dumps(value, ensure_ascii=False)[1:-1],
        re.sub(r"[^A-Za-z0-9_.~ -]", lambda match: f"\\u{ord(match[0]):04x}", value),
        re.sub(r"[^A-Za-z0-9_.~ -]", lambda match: f"\\u{ord(match[0]):04X}", value),
        html.escape(value),
        html.escape(value, quote=False),
        *_in_base64(value),
    )
    return tuple(dict.fromkeys(text for text in written if text != value and len(text) >= SHORTEST_SECRET))


def _in_base64(value: str) -> Iterator[str]:
    """The characters that every base64 text with the value in it has in common, for each place in a group of three."""
    content = value.encode("utf-8", "replace")
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + content)
        sure = encoded[-(-offset * 8 // 6) : (offset + len(content)) * 8 // 6].decode()
        if len(sure) >= 10:
            yield sure
            yield sure.translate(str.maketrans("+/", "-_"))

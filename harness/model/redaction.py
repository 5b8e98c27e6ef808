"""Replaces secrets by stable numbered placeholders, before a text is kept anywhere.

In: texts, bytes and parsed JSON, and values known to be secret. Out: the same without them. It knows a secret because it was told
(`learn`), by its shape, or by the name it stands under; what holds none comes back as it was.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

from harness.model import packing

SENSITIVE_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "apikey", "x-auth-token",
     "x-csrf-token", "x-xsrf-token", "openai-sentinel-token"}
)  # fmt: skip
SENSITIVE_KEYS = ("client_?secret", "client_?token", "access_?token", "refresh_?token", "id_?token", "api_?key", "password",
                  "current_?client_?secret")  # fmt: skip

# A value shorter than this is too common to be replaced wherever it stands.
SHORTEST_SECRET = 6

# Words that stand as a placeholder for a secret in many set-ups, and everywhere else with their own meaning.
COMMON_WORDS = frozenset(
    {"access-token", "accesstoken", "anonymous", "api-key", "api_key", "apikey", "application", "authenticated",
     "authorization", "bearer", "changeme", "chatkit", "client_secret", "client-secret", "clientsecret", "cookie",
     "default", "development", "disabled", "enabled", "example", "undefined", "function", "localhost",
     "mock-secret", "openai", "password", "placeholder", "production", "public", "refresh_token", "secret",
     "session", "staging", "string", "supabase", "test-secret", "testing", "unknown", "username", "your-api-key",
     "your_api_key"}
)  # fmt: skip
DATE_OR_TIME = re.compile(r"\d{4}-\d\d(-\d\d)?([T ][\d:.]+(Z|[+-]\d\d:?\d\d)?)?|\d\d:\d\d(:\d\d)?|v?\d+(\.\d+){1,3}")
LONGEST_NUMBER = (
    9  # digits that may be a port, a size, or a year and a month; from here on a number is rarely met by chance
)

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
PACKED_JSON = re.compile(
    r"eyJ(?<![\w+/]eyJ)[A-Za-z0-9+/_\-]{20,}"
)  # base64 of `{"…`: ChatKit's hash payload, a token's claims
QUERY_VALUE = re.compile(rf"""(?:[?&]|\A)(?:{"|".join(SENSITIVE_KEYS)})=([^&\s"'<>#]{{8,}})""", re.IGNORECASE)
SECRET_NAME = re.compile(rf"""(?:{"|".join(SENSITIVE_KEYS)})\\?["']?\s*\Z""", re.IGNORECASE)
SECRET_FIELD = re.compile(rf"""(?:{"|".join(SENSITIVE_KEYS)})""", re.IGNORECASE)
LONGEST_NAME = 40
LONGEST_SECRET_CHARS = 8_000
ELLIPSIS = "..."
PLACEHOLDER = re.compile(r"<(redacted:\w+:\d+)>")
SHORTEST_IN_BASE64 = 7  # what the shortest secret leaves there; 42 bits are not met by chance
SHORTEST_PIECE = 4  # of a secret that was cut in the middle


def unfit(value: str) -> str:
    """Return why a value cannot be replaced wherever it stands, or nothing: it would take ordinary texts apart."""
    if len(value) < SHORTEST_SECRET:
        return f"it is shorter than {SHORTEST_SECRET} characters"
    if len(set(value)) < 3:
        return "it repeats one or two characters"
    if value.lower() in COMMON_WORDS:
        return "it is a common word"
    if value.isdigit() and len(value) <= LONGEST_NUMBER:
        return f"it is a number of no more than {LONGEST_NUMBER} digits"
    return "it is a date, a time or a version" if DATE_OR_TIME.fullmatch(value) else ""


def in_markup(text: str) -> str:
    """Return HTML or XML whose placeholders are texts that a reader sees, and not tags of an unknown name."""
    return PLACEHOLDER.sub(r"&lt;\1&gt;", text)


class Redactor:
    """Knows secrets and replaces them; the same value always gets the same placeholder."""

    def __init__(self, known: Iterable[tuple[str, str]] = ()) -> None:
        self._placeholders: dict[str, str] = {}  # by value
        self._counts: dict[str, int] = {}
        self._written: dict[str, str] = {}  # placeholders by what is replaced: values in every encoding
        self._longest_first: tuple[str, ...] = ()
        self._learned: dict[str, str] = {}  # kinds by value
        self._refused: dict[tuple[str, str], None] = {}
        for kind, value in known:
            self.learn(kind, value)

    @property
    def version(self) -> int:
        """A number that is another one when more is known to be secret: what was redacted since is redacted."""
        return len(self._written)

    def learn(self, kind: str, value: str) -> str:
        """Return the placeholder of a value that is secret from now on; one that is unfit is left alone and returned."""
        if not value or value.startswith("<redacted:"):
            return value
        if value in self._written:
            return self._written[value]
        reason = unfit(value)
        if reason:
            self._refused[kind, reason] = None
            return value
        placeholder = self._placeholder(kind, value)
        self._learned[value] = kind
        for variant in (value, *encodings_of(value)):
            self._written.setdefault(variant, placeholder)
        self._longest_first = tuple(sorted(self._written, key=len, reverse=True))
        return placeholder

    def text(self, text: str) -> str:
        """Return the text with every known or recognisable secret replaced."""
        for kind, value in recognised(text):
            self.learn(kind, value)
        present = [value for value in self._longest_first if value in text]
        if not present:
            return text
        # In one pass, so that no value is looked for in a placeholder.
        return re.sub("|".join(map(re.escape, present)), lambda match: self._written[match[0]], text)

    def header(self, name: str, value: str) -> str:
        """Return a header's value, with the whole value replaced when the header is secret by its name."""
        lower = name.lower()
        if lower not in SENSITIVE_HEADERS or not value.strip() or value.startswith("<redacted:"):
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

    def cookie(self, value: str) -> str:
        """Return the placeholder of a cookie's value, which is looked for elsewhere only when it looks like a token."""
        if not value or value.startswith("<redacted:"):
            return value
        return self.learn("cookie", value) if TOKEN.fullmatch(value) else self._placeholder("cookie", value)

    def cut(self, text: str, limit: int) -> str:
        """Return the redacted text, no longer than the limit, and without half a secret at its end."""
        part = text[: limit + LONGEST_SECRET_CHARS]
        clean = self.text(part)
        # Where placeholders made it shorter, its end may still be half a secret.
        safe = len(clean) if len(part) == len(text) else max(len(clean) - LONGEST_SECRET_CHARS, 0)
        return clean[: min(limit, safe)]

    def shown(self, text: str) -> str:
        """Return the redacted text for people; secrets that were shortened to their two ends ("ek_12...9f") are redacted too."""
        text = self.text(text)
        at = text.find(ELLIPSIS)
        while at >= 0 and self._written:
            before, after = text[:at], text[at + len(ELLIPSIS) :]
            for value, placeholder in self._written.items():
                head = next((n for n in range(len(value) - 1, SHORTEST_PIECE - 1, -1) if before.endswith(value[:n])), 0)
                tail = next(
                    (n for n in range(len(value) - 1, SHORTEST_PIECE - 1, -1) if after.startswith(value[-n:])), 0
                )
                if (head and tail) or max(head, tail) > SHORTEST_SECRET:
                    before, after = (before[:-head] if head else before) + placeholder, after[tail:]
                    break
            text = before + ELLIPSIS + after
            at = text.find(ELLIPSIS, len(before) + len(ELLIPSIS))
        return text

    def value(self, value: Any) -> Any:
        """Return parsed JSON with every text in it redacted, headers and fields that are secret by their name whole."""
        match value:
            case str():
                return self.text(value)
            case list() | tuple():
                return [self.value(item) for item in value]
            case {"name": str() as name, "value": str() as header, **rest}:  # a header, as HAR and traces write one
                return {"name": self.text(name), "value": self.header(name, header), **self.value(rest)}
            case dict():
                return {self.text(str(name)): self._field(str(name), item) for name, item in value.items()}
            case _:
                return value

    def content(self, content: bytes) -> bytes:
        """Return a file's or a body's bytes redacted: text, compressed text, or anything else, where length is kept."""
        unpacked = packing.unpacked(content)
        if unpacked is not None:
            clean = self.content(unpacked.content)
            return content if clean == unpacked.content and not unpacked.is_cut else unpacked.pack(clean)
        try:
            text = content.decode()
        except UnicodeDecodeError:
            return self._binary(content)
        clean_text = self.text(text)
        return content if clean_text == text else clean_text.encode()

    def _binary(self, content: bytes) -> bytes:
        for value in self._longest_first:
            for written in (value.encode("utf-8", "replace"), value.encode("utf-16-le", "replace")):
                if written in content:
                    content = content.replace(written, b"*" * len(written))
        return content

    def _field(self, name: str, item: Any) -> Any:
        if name.lower() == "cookies" and isinstance(item, list):
            return [
                {**self.value(c), "value": self.header("cookie", c["value"])}
                if isinstance(c, dict) and isinstance(c.get("value"), str)
                else self.value(c)
                for c in item
            ]
        if isinstance(item, str):
            if name.lower() in SENSITIVE_HEADERS:
                return self.header(name, item)
            if SECRET_FIELD.fullmatch(name) and TOKEN.fullmatch(item):
                return self.learn("secret", item)
        return self.value(item)

    @property
    def placeholders(self) -> tuple[tuple[str, str], ...]:
        """Placeholder and value of everything that was replaced."""
        return tuple((placeholder, value) for value, placeholder in self._placeholders.items())

    @property
    def learned(self) -> tuple[tuple[str, str], ...]:
        """Kind and value of every secret that is replaced."""
        return tuple((kind, value) for value, kind in self._learned.items())

    @property
    def refused(self) -> tuple[tuple[str, str], ...]:
        """Kind and reason of what is not replaced although it is secret by its name; never the value."""
        return tuple(self._refused)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every value that is replaced, for a search of what was written."""
        return tuple(self._written)

    def _hidden(self, kind: str, value: str) -> str:
        """The placeholder of a value that must not be seen; a long one is looked for everywhere from now on."""
        if not value.strip() or value.startswith("<redacted:"):
            return value
        return self._placeholder(kind, value) if unfit(value) else self.learn(kind, value)

    def _placeholder(self, kind: str, value: str) -> str:
        if value not in self._placeholders:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._placeholders[value] = f"<redacted:{kind}:{self._counts[kind]}>"
        return self._placeholders[value]


def recognised(text: str) -> Iterator[tuple[str, str]]:
    """Yield kind and value of what is secret by its shape, or by the name it stands under, also inside of packed JSON."""
    yield from _recognised(text)
    if "eyJ" in text:
        for match in PACKED_JSON.finditer(text):
            yield from _recognised(_unpacked_json(match[0]))


@lru_cache(maxsize=64)
def _unpacked_json(packed: str) -> str:
    whole = packed.translate(str.maketrans("-_", "+/"))[: len(packed) // 4 * 4]
    return base64.b64decode(whole).decode("utf-8", "replace")


def _recognised(text: str) -> Iterator[tuple[str, str]]:
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


@lru_cache(maxsize=4096)
def encodings_of(value: str) -> tuple[str, ...]:
    """Return how else a value may be written: in URLs, JSON, HTML, in one of these inside of another, and inside of base64."""
    once = tuple(dict.fromkeys(_encoded(value)))
    # A URL is a parameter of another, JSON is a string of JSON or an attribute of HTML, and base64 holds any of them.
    twice = (text for first in once if first != value for text in _encoded(first))
    packed = (text for first in (value, *once) for text in _in_base64(first))
    written = dict.fromkeys((*once, *twice, *packed))
    return tuple(text for text in written if text != value and len(text) >= SHORTEST_SECRET)


def _encoded(value: str) -> tuple[str, ...]:
    encoded = quote(value, safe="")
    in_json = json.dumps(value)[1:-1]
    return (
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
        html.escape(value, quote=False).replace('"', "&quot;"),  # as browsers write an attribute
    )


def _in_base64(value: str) -> Iterator[str]:
    """The characters that every base64 text with the value in it has in common, for each place in a group of three."""
    content = value.encode("utf-8", "replace")
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + content)
        sure = encoded[-(-offset * 8 // 6) : (offset + len(content)) * 8 // 6].decode()
        if len(sure) >= SHORTEST_IN_BASE64:
            yield sure
            yield sure.translate(str.maketrans("+/", "-_"))

"""Replaces secrets by stable numbered placeholders, before a text is kept anywhere.

In: texts, and values known to be secret. Out: texts without them. It knows a secret because it was told (`learn`) or by its shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

SENSITIVE_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "openai-sentinel-token"}
)
SENSITIVE_KEYS = frozenset(
    {"client_secret", "clientsecret", "clienttoken", "client_token", "access_token", "refresh_token", "id_token",
     "api_key", "apikey", "password", "currentclientsecret", "current_client_secret"}
)  # fmt: skip

# A value shorter than this is too common to be replaced wherever it stands.
SHORTEST_SECRET = 6

# None of the shapes can match a text that holds none of these.
MARKS = ("ek_", "sk-", "eyJ", "earer ")
SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("client_secret", re.compile(r"\bek_[A-Za-z0-9_\-]{6,}(?:[+/=A-Za-z0-9]|%2B|%2F|%3D)*")),
    ("api_key", re.compile(r"\bsk-[A-Za-z0-9_\-]{8,}")),
    ("jwt", re.compile(r"\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}")),
    ("bearer", re.compile(r"(?<=[Bb]earer )[A-Za-z0-9._~+/\-]{6,}=*")),
)


class Redactor:
    """Knows secrets and replaces them; the same value always gets the same placeholder."""

    def __init__(self, known: Iterable[tuple[str, str]] = ()) -> None:
        self._placeholders: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        for kind, value in known:
            self.learn(kind, value)

    def learn(self, kind: str, value: str) -> str:
        """Return the placeholder of a value that is secret from now on; short values are left alone and returned."""
        if len(value) < SHORTEST_SECRET or value.startswith("<redacted:"):
            return value
        if value not in self._placeholders:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._placeholders[value] = f"<redacted:{kind}:{self._counts[kind]}>"
            for variant in (quote(value, safe=""), value.replace("/", "\\/")):
                self._placeholders.setdefault(variant, self._placeholders[value])
        return self._placeholders[value]

    def text(self, text: str) -> str:
        """Return the text with every known or recognisable secret replaced."""
        if any(mark in text for mark in MARKS):
            for kind, shape in SHAPES:
                for match in shape.findall(text):
                    self.learn(kind, match)
        for value in sorted(self._placeholders, key=len, reverse=True):
            if value in text:
                text = text.replace(value, self._placeholders[value])
        return text

    def header(self, name: str, value: str) -> str:
        """Return a header's value, with the whole value replaced when the header is secret by its name."""
        lower = name.lower()
        if lower in ("authorization", "proxy-authorization"):
            scheme, _, token = value.partition(" ")
            if token:
                return f"{scheme} {self.learn('bearer', token)}" if len(token) >= SHORTEST_SECRET else scheme
            return self.learn("bearer", value)
        if lower in SENSITIVE_HEADERS:
            return self.learn("cookie" if "cookie" in lower else "token", value)
        return self.text(value)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every value that is replaced, for a search of what was written."""
        return tuple(self._placeholders)

"""What a redacted secret was like, without the secret: enough to make another one that is taken and refused in the same places.

In: a secret. Out: a shape, which stands in a bundle's manifest; and, from a shape, a made-up value. A shape keeps lengths, public
prefixes (`ek_`), the version and the expiry of a client secret or a token, the names and attributes of cookies; nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from harness.model import codec
from harness.model.codec import Filler

PLACEHOLDER = re.compile(r"<redacted:([a-z_]+):(\d+)>")
PUBLIC_PREFIX = re.compile(r"(?:ek_|sk-proj-|sk-|cksess_|domain_pk_|pk_)")
KEPT_CLAIMS = ("alg", "typ", "exp", "iat", "nbf", "expires_at", "data_locality")
LONGEST_FILLER = 8_000
Claim = str | int | float | bool | None
FAR_FUTURE = 4_102_444_800  # Unix seconds: of a client secret whose shape is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """JSON in base64 inside of a secret: a client secret's expiry, a token's header and claims."""

    claims: tuple[tuple[str, Claim], ...]
    is_for_urls: bool = False  # base64url without padding, as in a JSON Web Token


Part = str | int | Packed  # a text that is no secret; so many characters; packed claims
Shape = tuple[Part, ...]


def shape_of(value: str, kind: str = "") -> Shape:
    """Return the shape of a secret; of a whole header when the kind is "cookie" and it holds names."""
    if kind == "cookie" and "=" in value:
        return _cookie_shape(value)
    if "%" in value and unquote(value) != value:
        return shape_of(unquote(value))
    inner = value.strip("\"'` ")
    if inner and inner != value:
        before, _, after = value.partition(inner)
        return (before, *shape_of(inner), after)
    parts = value.split(".")
    if len(parts) == 3 and all(_claims_of(part, is_for_urls=True) is not None for part in parts[:2]):
        return (_packed(parts[0], True), ".", _packed(parts[1], True), ".", len(parts[2]))
    head, underscore, tail = value.rpartition("_")
    prefix = _prefix(value)
    if underscore and _claims_of(tail[2:], is_for_urls=False) is not None:
        return (prefix, max(len(head) - len(prefix), 0), "_" + tail[:2], _packed(tail[2:], False))
    return (prefix, len(value) - len(prefix))


def _cookie_shape(header: str) -> Shape:
    parts: list[Part] = []
    for line in header.split("\n"):
        parts += ["\n"] if parts else []
        for number, piece in enumerate(line.split(";")):
            name, equals, value = piece.partition("=")
            is_attribute = name.strip().lower() in ("path", "domain", "expires", "max-age", "samesite", "priority")
            parts += [";"] if number else []
            parts += [piece] if is_attribute or not equals else [name + equals, *shape_of(value.strip())]
    return tuple(part for part in parts if part != "")


def _prefix(value: str) -> str:
    found = PUBLIC_PREFIX.match(value)
    return found[0] if found else ""


def _claims_of(packed: str, *, is_for_urls: bool) -> dict[str, Any] | None:
    text = packed.translate(str.maketrans("-_", "+/")) if is_for_urls else packed
    try:
        known = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    except (ValueError, RecursionError):
        return None
    return known if isinstance(known, dict) else None


def _packed(text: str, is_for_urls: bool) -> Packed:
    claims = _claims_of(text, is_for_urls=is_for_urls) or {}
    kept = {name: claims[name] for name in KEPT_CLAIMS if name in claims}
    return Packed(
        claims=tuple((name, value) for name, value in kept.items() if isinstance(value, str | int | float | None)),
        is_for_urls=is_for_urls,
    )


# --- made up again ------------------------------------------------------------------------------------------------


def made_up(shape: Shape, seed: str) -> str:
    """Return a value of this shape; the same for the same seed."""
    text = ""
    for number, part in enumerate(shape):
        match part:
            case str():
                text += part
            case int():
                text += _filler(f"{seed}:{number}", part)
            case Packed():
                text += _encoded(part)
    return text


def _filler(seed: str, length: int) -> str:
    """Letters and digits that are no base64 of anything, and hold no underscore."""
    block = hashlib.sha256(seed.encode()).hexdigest()
    length = min(length, LONGEST_FILLER)
    return (block * (length // len(block) + 1))[:length]


def _encoded(part: Packed) -> str:
    content = json.dumps(dict(part.claims), separators=(",", ":")).encode()
    if part.is_for_urls:
        return base64.urlsafe_b64encode(content).decode().rstrip("=")
    return base64.b64encode(content).decode()


class MadeUp:
    """Gives every placeholder of a bundle a value, always the same one."""

    def __init__(self, shapes: Mapping[str, Shape]) -> None:
        self._shapes = dict(shapes)
        self._values: dict[str, str] = {}

    @property
    def known(self) -> tuple[tuple[str, str], ...]:
        """Every placeholder whose shape is known, with its value."""
        return tuple((placeholder, self.value(placeholder)) for placeholder in self._shapes)

    def value(self, placeholder: str) -> str:
        """Return the value that stands for a placeholder; one that works where its shape is not known."""
        if placeholder not in self._values:
            found = PLACEHOLDER.fullmatch(placeholder)
            shape = self._shapes.get(placeholder) or _usual_shape(found[1] if found else "")
            self._values[placeholder] = made_up(shape, placeholder)
        return self._values[placeholder]

    def text(self, text: str, media_type: str = "") -> str:
        """Return a text with every placeholder replaced, written as a text of this type needs it."""
        if "<redacted:" not in text:
            return text
        is_json = media_type.endswith("json")

        def written(found: re.Match[str]) -> str:
            value = self.value(found[0])
            return json.dumps(value)[1:-1] if is_json else value

        return PLACEHOLDER.sub(written, text)

    def url(self, url: str) -> str:
        """Return a URL with every placeholder replaced."""
        if "redacted:" not in url:
            return url
        plain = url.replace("%3Credacted:", "<redacted:").replace("%3Credacted%3A", "<redacted:").replace("%3E", ">")
        return PLACEHOLDER.sub(lambda found: quote(self.value(found[0]), safe=""), plain)


def _usual_shape(kind: str) -> Shape:
    if kind == "client_secret":
        return ("ek_", 48, "_00", Packed(claims=(("expires_at", FAR_FUTURE),)))
    return (32,)


# --- as JSON ------------------------------------------------------------------------------------------------------


def saved_shape(shape: Shape) -> list[Any]:
    """Return a shape as a manifest holds it: texts, numbers, and `{"base64": {…}}` or `{"base64url": {…}}`."""
    return [
        {"base64url" if part.is_for_urls else "base64": dict(part.claims)} if isinstance(part, Packed) else part
        for part in shape
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _SavedClaims:
    """Packed claims in a manifest: one of the two is there."""

    base64: dict[str, Claim] | None = None
    base64url: dict[str, Claim] | None = None

    def __post_init__(self) -> None:
        if (self.base64 is None) == (self.base64url is None):
            raise ValueError("base64 or base64url")


_SavedShape = tuple[str | Filler | _SavedClaims, ...]


def read_shape(saved: Any, where: str = "a shape", at: str = "") -> Shape:
    """Return the shape that a manifest holds. Raises RecordingError for what is none."""
    parts = codec.decoded(_SavedShape, saved, where=where, at=at)
    return tuple(_packed_of(part) if isinstance(part, _SavedClaims) else part for part in parts)


def _packed_of(part: _SavedClaims) -> Packed:
    claims = part.base64 if part.base64 is not None else part.base64url or {}
    return Packed(claims=tuple(claims.items()), is_for_urls=part.base64 is None)

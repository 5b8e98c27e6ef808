"""Keeps the bodies of a visit once each, redacted and bounded.

In: texts and bytes. Out: `Body` references by hash, and what is kept, by hash, for the HAR.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from harness.model.bounds import FULL, Bounds
from harness.model.events import Body
from harness.model.redaction import LONGEST_SECRET_CHARS, Redactor


@dataclass(slots=True)
class _Kept:
    """A body as it was last redacted, and what the redactor knew then."""

    content: str | bytes
    version: int


class BodyStore:
    """Bodies by the SHA-256 of what is kept of them."""

    def __init__(self, redactor: Redactor, bounds: Bounds = FULL) -> None:
        self._redactor = redactor
        self._bounds = bounds
        self._kept: dict[str, _Kept] = {}
        self._total = 0

    def keep(self, text: str, media_type: str) -> Body:
        """Return a reference to the redacted text, cut to the bound of one body and of the visit."""
        size = len(text.encode("utf-8", "replace"))
        part = text[: 2 * self._bounds.body_chars]  # the rest would be redacted only to be thrown away
        clean = self._redactor.text(part)
        if len(part) < len(text):
            clean = clean[: len(clean) - LONGEST_SECRET_CHARS]  # its end may be half a secret
        kept = clean[: self._bounds.body_chars]
        if _sha256(kept) not in self._kept:
            kept = kept[: self._left]
        return Body(
            sha256=self._stored(kept),
            size_bytes=size,
            media_type=media_type,
            is_truncated=len(kept) < len(clean) or len(part) < len(text),
        )

    def keep_bytes(self, content: bytes, media_type: str) -> Body:
        """Return a reference to a redacted body that is no text; half of one is of no use, so it is kept whole or not at all."""
        clean = self._redactor.content(content)
        has_room = _sha256(clean) in self._kept or len(clean) <= self._left
        return Body(
            sha256=self._stored(clean if has_room else b""),
            size_bytes=len(content),
            media_type=media_type,
            is_truncated=not has_room,
        )

    def text(self, body: Body) -> str:
        """Return the kept text, "" for a body that is none; without secrets that were learned later."""
        content = self.content(body)
        return content if isinstance(content, str) else ""

    def content(self, body: Body) -> str | bytes:
        """Return what is kept of a body; without secrets that were learned later."""
        kept = self._kept.get(body.sha256)
        if kept is None:
            return ""
        if kept.version != self._redactor.version:
            redact = self._redactor
            kept.content = redact.text(kept.content) if isinstance(kept.content, str) else redact.content(kept.content)
            kept.version = redact.version
        return kept.content

    @property
    def _left(self) -> int:
        return max(self._bounds.bodies_chars - self._total, 0)

    def _stored(self, content: str | bytes) -> str:
        sha256 = _sha256(content)
        if sha256 not in self._kept:
            self._kept[sha256] = _Kept(content, self._redactor.version)
            self._total += len(content)
        return sha256


def _sha256(content: str | bytes) -> str:
    return hashlib.sha256(content.encode("utf-8", "replace") if isinstance(content, str) else content).hexdigest()

"""Keeps the text bodies of a visit once each, redacted and bounded.

In: texts. Out: `Body` references by hash, and the texts by hash for the HAR.
"""

from __future__ import annotations

import hashlib

from harness.model.bounds import FULL, Bounds
from harness.model.events import Body
from harness.model.redaction import LONGEST_SECRET_CHARS, Redactor


class BodyStore:
    """Texts by the SHA-256 of what is kept of them."""

    def __init__(self, redactor: Redactor, bounds: Bounds = FULL) -> None:
        self._redactor = redactor
        self._bounds = bounds
        self._texts: dict[str, str] = {}
        self._total_chars = 0

    def keep(self, text: str, media_type: str) -> Body:
        """Return a reference to the redacted text, cut to the bound of one body and of the visit."""
        size = len(text.encode("utf-8", "replace"))
        part = text[: 2 * self._bounds.body_chars]  # the rest would be redacted only to be thrown away
        clean = self._redactor.text(part)
        if len(part) < len(text):
            clean = clean[: len(clean) - LONGEST_SECRET_CHARS]  # its end may be half a secret
        kept = clean[: self._bounds.body_chars]
        if _sha256(kept) not in self._texts:
            kept = kept[: max(self._bounds.bodies_chars - self._total_chars, 0)]
        sha256 = _sha256(kept)
        if sha256 not in self._texts:
            self._texts[sha256] = kept
            self._total_chars += len(kept)
        return Body(
            sha256=sha256,
            size_bytes=size,
            media_type=media_type,
            is_truncated=len(kept) < len(clean) or len(part) < len(text),
        )

    def text(self, body: Body) -> str:
        """Return the kept text; redacted once more, for secrets that were learned later."""
        return self._redactor.text(self._texts.get(body.sha256, ""))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()

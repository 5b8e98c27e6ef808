"""Whether two failures are the same one: a short digest of the cause, without what changes from run to run.

A rule is a cause, whatever address it was met at; what no rule knows is told apart by its words. In: a result. Out: twelve
hexadecimal digits.
"""

from __future__ import annotations

import hashlib
import re

from harness.analysis.diagnosis import GENERAL
from harness.model.results import VisitResult

LOOPBACK = re.compile(r"\b(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?")
IDS = re.compile(r"\b(?:[0-9a-f]{8,}(?:-[0-9a-f]{4,})*|(?=\w*\d)\w+_\w{12,})\b", re.IGNORECASE)
NUMBERS = re.compile(r"\d+(?:\.\d+)?")
PLACEHOLDERS = re.compile(r"<redacted:(\w+):\d+>")


def fingerprint_of(result: VisitResult) -> str:
    """Return the digest of what stopped a mount; "" for a widget that mounted."""
    if result.is_mounted:
        return ""
    cause = result.cause
    if cause is None:
        return digest_of(result.reason, result.explanation)
    return digest_of(cause.rule, cause.summary if cause.rule in GENERAL else "")


def digest_of(name: str, sentence: str) -> str:
    """Return the digest of a named cause and of what was seen."""
    return hashlib.sha256(f"{name}\n{normalised(sentence)}".encode("utf-8", "replace")).hexdigest()[:12]


def normalised(sentence: str) -> str:
    """Return a sentence without ports of loopback, ids, numbers but those of HTTP, and which placeholder it is."""
    text = PLACEHOLDERS.sub(r"<redacted:\1>", sentence)
    text = IDS.sub("*", LOOPBACK.sub("loopback", text))
    return NUMBERS.sub(lambda found: found[0] if re.fullmatch("[1-5][0-9][0-9]", found[0]) else "#", text)

"""The identity of a failure: a short digest of the cause, without the parts that differ between runs.

Failures with the same rule are the same, at any address; failures without a rule are distinguished by their text. In: a result. Out:
twelve hexadecimal digits.
"""

from __future__ import annotations

import hashlib

from harness.analysis.diagnosis import GENERAL
from harness.analysis.facts.stable_wording import wording_of
from harness.model.results import VisitResult


def fingerprint_of(result: VisitResult) -> str:
    """Return the digest of what stopped a mount; "" for a widget that mounted."""
    if result.is_mounted:
        return ""
    cause = result.cause
    if cause is None:
        return digest_of(result.reason, result.explanation)
    return digest_of(cause.rule, cause.summary if cause.rule in GENERAL else "")


def digest_of(name: str, sentence: str) -> str:
    """Return the digest of a named cause and of what was seen, without what belongs to one run only."""
    return hashlib.sha256(f"{name}\n{wording_of(sentence)}".encode("utf-8", "replace")).hexdigest()[:12]

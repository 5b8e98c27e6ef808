"""Everyday faults of the apps, and the cause that each should be given: written down before the first run.

In: nothing. Out: the name of a fault (the value of APP_FAULT) → the rule that names it. Where a framework's or a library's own way
of failing hides the words, the rule is the one that can still be right.
"""

from __future__ import annotations

HOSTED = {
    "session-route-typo": "session-route-missing",
    "await-forgotten": "secret-not-a-string",
    "json-key-wrong": "session-without-secret",
    "secret-as-object": "secret-not-a-string",
    "never-rendered": "element-never-rendered",
    "script-missing": "loader-not-referenced",
    "no-height": "element-without-height",
    "csp-without-frame": "frame-blocked-by-csp",
    "key-missing": "api-key-missing-in-app",
    "backend-throws": "session-server-error",
    "beta-header-missing": "beta-header-missing",
    "fetched-twice": "secret-fetched-twice",
}
CUSTOM = {
    "url-typo": "custom-backend-not-found",
    "domain-key-missing": "api-without-domain-key",
    "backend-throws": "custom-backend-failing",
    "await-forgotten": "custom-backend-failing",
    "sign-in-required": "custom-backend-unauthorized",
    "route-not-mounted": "custom-backend-answers-page",
    "method-wrong": "custom-backend-not-found",
    "other-origin": "custom-backend-blocked-by-cors",
    "csp-without-backend": "custom-backend-blocked-by-csp",
    "script-missing": "loader-not-referenced",
    "never-rendered": "element-never-rendered",
    "no-height": "element-without-height",
}
# Seen only when a message is sent.
CUSTOM_SENDING = {
    "model-throws": "reply-failed",
    "stream-as-text": "stream-of-wrong-type",
}
# OpenAI's client for Python raises, and Starlette answers 500 without a word.
_PYTHON = {"key-missing": "session-server-error", "beta-header-missing": "session-server-error"}
OTHERWISE = {
    "vite": _PYTHON,
    "plain": _PYTHON,
    # Nitro passes the status of a refused $fetch on, and keeps its words to itself.
    "nuxt": {"beta-header-missing": "session-request-invalid"},
}


def expected_cause(app: str, mode: str, fault: str) -> str:
    """Return the rule that should name this fault of this app; mode is "hosted", "custom" or "sending"."""
    plain = {"hosted": HOSTED, "custom": CUSTOM, "sending": CUSTOM_SENDING}[mode][fault]
    return OTHERWISE.get(app, {}).get(fault, plain) if mode == "hosted" else plain

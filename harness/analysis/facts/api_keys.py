"""The kind of an API key, recognised by its form, and characters that were copied with it.

In: the text of a variable. Out: a `ApiKey` that does not hold it, and the key as it was meant. It asks nobody.
"""

from __future__ import annotations

import re

from harness.model.hops import ApiKey

QUOTES = "\"'`\u201c\u201d\u2018\u2019"
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"
SHORTEST_SHOWN = 16  # of a shorter text, four characters are too much
# The first that fits. Whether sessions can be made with one of this kind; what is no key of OpenAI's is not sent there.
KINDS: tuple[tuple[str, str, bool], ...] = (
    (r"sk-proj-", "project key", True),
    (r"sk-svcacct-", "service account key", True),
    (r"sk-admin-", "admin key", False),
    (r"sk-ant-", "key of another vendor", False),
    (r"sk-or-", "key of another vendor", False),
    (r"sk-", "API key", True),
    (r"sess-", "browser session token", False),
    (r"ek_", "client secret", False),
    (r"domain_pk_", "domain key", False),
    (r"wf_", "workflow id", False),
    (r"proj_", "project id", False),
    (r"org-", "organisation id", False),
    (r"cksess_", "session id", False),
    (r"whsec_", "webhook secret", False),
    (r"eyJ[\w-]+\.[\w-]+\.", "access token", False),
    (r"Bearer\b", "whole authorization header", False),
    (r"\$\{?[A-Z_]|<|your|xxx|changeme|replace", "placeholder", False),
    (r"", "text of no known kind", False),
)


def cleaned(text: str) -> str:
    """Return a key as it was meant: without quotes and spaces around it, and without what cannot be seen."""
    visible = "".join(character for character in text if character not in INVISIBLE)
    return visible.strip().strip(QUOTES).strip()


def key_of(text: str, *, variable: str = "") -> ApiKey:
    """Return the public properties of a key, without the key."""
    key = cleaned(text)
    if not key:
        return ApiKey(variable=variable, has_quotes=any(sign in text for sign in QUOTES))
    pattern, kind, is_usable = next(known for known in KINDS if re.match(known[0], key, re.IGNORECASE))
    return ApiKey(
        kind=kind,
        prefix=pattern if re.fullmatch(r"[a-z]+[-_][a-z_-]*", pattern) else "",
        last_four=key[-4:] if len(key) >= SHORTEST_SHOWN else "",
        is_usable=is_usable and key.isascii() and not re.search(r"\s", key),
        has_spaces=text != text.strip() or bool(re.search(r"\s", key)) or any(sign in text for sign in INVISIBLE),
        has_quotes=text.strip() != text.strip().strip(QUOTES),
        variable=variable,
    )

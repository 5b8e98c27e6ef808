"""What an API key is, judged by how it looks: its kind, and what a copy from somewhere left on it.

In: the text of a variable. Out: a `Key` that does not hold it, and the key as it was meant. It asks nobody.
"""

from __future__ import annotations

import re

from harness.model.hops import Key

QUOTES = "\"'`\u201c\u201d\u2018\u2019"
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"
SHORTEST_SHOWN = 16  # of a shorter text, four characters are too much
# The first that fits. Whether sessions can be made with one of this kind; what is no key of OpenAI's is not sent there.
KINDS: tuple[tuple[str, str, bool], ...] = (
    (r"sk-proj-", "project key (sk-proj-)", True),
    (r"sk-svcacct-", "service account key (sk-svcacct-)", True),
    (r"sk-admin-", "admin key (sk-admin-)", False),
    (r"sk-ant-", "key of another vendor (sk-ant-)", False),
    (r"sk-or-", "key of another vendor (sk-or-)", False),
    (r"sk-", "key (sk-)", True),
    (r"sess-", "browser session token (sess-)", False),
    (r"ek_", "client secret (ek_)", False),
    (r"domain_pk_", "domain key (domain_pk_)", False),
    (r"wf_", "workflow id (wf_)", False),
    (r"proj_", "project id (proj_)", False),
    (r"org-", "organisation id (org-)", False),
    (r"cksess_", "session id (cksess_)", False),
    (r"whsec_", "webhook secret (whsec_)", False),
    (r"eyJ[\w-]+\.[\w-]+\.", "access token (JWT)", False),
    (r"Bearer\b", "whole authorization header (Bearer …)", False),
    (r"\$\{?[A-Z_]|<|your|xxx|changeme|replace", "placeholder", False),
    (r"", "text of no known kind", False),
)


def cleaned(text: str) -> str:
    """Return a key as it was meant: without quotes and spaces around it, and without what cannot be seen."""
    visible = "".join(character for character in text if character not in INVISIBLE)
    return visible.strip().strip(QUOTES).strip()


def key_of(text: str, *, variable: str = "") -> Key:
    """Return what can be told of a key without telling it."""
    key = cleaned(text)
    if not key:
        return Key(variable=variable, has_quotes=any(sign in text for sign in QUOTES))
    _, kind, is_usable = next(known for known in KINDS if re.match(known[0], key, re.IGNORECASE))
    return Key(
        kind=kind,
        last_four=key[-4:] if len(key) >= SHORTEST_SHOWN else "",
        is_usable=is_usable and key.isascii() and not re.search(r"\s", key),
        has_spaces=text != text.strip() or bool(re.search(r"\s", key)) or any(sign in text for sign in INVISIBLE),
        has_quotes=text.strip() != text.strip().strip(QUOTES),
        variable=variable,
    )

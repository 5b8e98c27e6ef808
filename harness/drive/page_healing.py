"""Replaces parts of a page by healthy ones, for experiments: its script tag, its options, its layout, or its whole embedding of the
widget.

In: the parts, and how the page requests its client secret. Out: an init script for a context.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext

from harness.model.chatkit import with_names

DOMAIN_KEY = "domain_pk_localhost_dev"


@cache
def _source() -> str:
    return with_names(Path(__file__).with_name("page_healing.js").read_text(encoding="utf-8"))


def install_mending(
    context: BrowserContext, names: Iterable[str], *, session: dict[str, Any] | None, secret: str, custom_url: str
) -> None:
    """Replace these parts in every new document.

    `session`: how the page asks for its secret; without it `secret` is handed out. `custom_url`: of the page's own backend, "" for none.
    """
    facts = {
        "names": list(names),
        "session": session,
        "secret": secret,
        "custom": custom_url,
        "domainKey": DOMAIN_KEY,
    }
    if facts["names"]:
        context.add_init_script(_source().replace("__FACTS__", json.dumps(facts).replace("<", "\\u003c")))

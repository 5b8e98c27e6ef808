"""The name of a test's folder: readable, short, unique, and valid on every file system.

In: pytest's node ids. Out: names. The usual name is pytest-playwright's; tests that would get the same name get different ones.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

from slugify import slugify

LONGEST_CHARS = 140  # 143 bytes are the least that a common file system takes
KEPT_CHARS = 110
ATTEMPT = re.compile(r"-(?:retry|again)\d+$")


def shared_names(nodeids: Iterable[str]) -> frozenset[str]:
    """Return the node ids whose usual folder is also another test's: they differ only in case, punctuation or emoji."""
    usual = {nodeid: slugify(nodeid) for nodeid in dict.fromkeys(nodeids)}
    counts = Counter(usual.values())
    return frozenset(nodeid for nodeid, name in usual.items() if counts[name] > 1)


def folder_of(nodeid: str, *, retry: int = 0, is_shared: bool = False) -> str:
    """Return the name of a test's folder; each retry has its own folder, as in Playwright Test."""
    name = slugify(nodeid)
    if is_shared or not name or len(name) > LONGEST_CHARS or ATTEMPT.search(name):
        digest = hashlib.sha256(nodeid.encode("utf-8", "surrogatepass")).hexdigest()[:10]
        name = f"{name[:KEPT_CHARS]}-{digest}".lstrip("-")
    return f"{name}-retry{retry}" if retry else name


def names_of(nodeids: Iterable[str]) -> frozenset[str]:
    """Return the names that the folders of these tests may have, whichever attempt it was."""
    return frozenset(folder_of(nodeid, is_shared=is_shared) for nodeid in nodeids for is_shared in (False, True))


def is_folder_of(bundle: str, names: frozenset[str]) -> bool:
    """Whether a bundle, named by its folder below the run's, is one of the tests with these names."""
    return ATTEMPT.sub("", PurePosixPath(bundle).parts[0]) in names

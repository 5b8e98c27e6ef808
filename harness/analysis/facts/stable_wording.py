"""The text of a console error without the parts that differ between runs: numbers, ids, ports, hashes.

In: the text of an error. Out: the same words on one line, with `#` for each value that only this run had.
"""

from __future__ import annotations

import re

from harness.model.addresses import split_url

LONGEST = 300
LONGEST_READ = 4_000
URL = re.compile(r"\b(?:https?|wss?)://[^\s\"'<>()\[\]]+", re.IGNORECASE)
STACK = re.compile(r"\n\s+at |\n[^\n]*@(?:https?|file):")  # where a stack begins, as each engine writes it
# The first that fits wins. A status is kept, because 401 and 404 are two errors; so are short names such as h1 and utf8.
VALUE = re.compile(
    r"(?P<status>\b(?i:status(?: code)?(?: of)?:?|HTTP(?:/[\d.]+)?) [1-5]\d\d\b)"
    r"|(?P<redacted><redacted:[^:>]+:\d+>)"
    r"|(?P<uuid>\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b)"
    r"|(?P<encoded>\b(?=[\w-]*[a-z])(?=[\w-]*[A-Z])(?=[\w-]*\d)[\w-]{20,}=*)"
    r"|(?P<name>\b[a-z]{1,4}\d\b)"
    r"|(?P<piece>(?<![A-Za-z0-9])(?=[A-Za-z]*\d)[A-Za-z0-9]+(?:[.,:]\d+)*)"
)


def wording_of(text: str) -> str:
    """Return the text on one line without what belongs to this run only, its stack left out."""
    said = STACK.split(text, maxsplit=1)[0][:LONGEST_READ]
    parts, end = [], 0
    for url in URL.finditer(said):
        parts += [_plain(said[end : url.start()]), place_of(url[0])]
        end = url.end()
    words = " ".join("".join([*parts, _plain(said[end:])]).split())
    return words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"


def place_of(url: str) -> str:
    """Return an address without port, query and fragment, and without the ids in its path."""
    parts = split_url(url)
    return f"{parts.scheme}://{parts.hostname or ''}{_plain(parts.path)}" if parts.scheme else _plain(url)


def _plain(text: str) -> str:
    return VALUE.sub(_stand_in, text)


def _stand_in(found: re.Match[str]) -> str:
    match found.lastgroup:
        case "status" | "name":
            return found[0]
        case "redacted":
            return found[0].rpartition(":")[0] + ">"
        case _:
            return "#"

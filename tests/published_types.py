"""Reads what OpenAI's published TypeScript types say of the options and events: no compiler, their one form only.

In: the text of `types/index.d.ts` of `@openai/chatkit`. Out: dotted paths and names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
TYPE = re.compile(r"export type (\w+)(?:<[^=]*>)? =\s*")
FIELD = re.compile(r"\s*'?([\w.]+)'?\??\s*:\s*")
NAME = re.compile(r"\b[A-Z]\w+\b")
EVENTS = "ChatKitEvents"
OPTIONS = "ChatKitOptions"


def options_in(types: str) -> set[str]:
    """Return the dotted paths of the options, without the indices of lists."""
    return set(_paths(_declared(types), "", OPTIONS, frozenset()))


def events_in(types: str) -> set[str]:
    """Return the names of the events, without `chatkit.`."""
    declared = _declared(types)[EVENTS]
    return {name.removeprefix("chatkit.") for name, _ in _fields(declared, declared.index("{"))}


def _declared(types: str) -> dict[str, str]:
    text = COMMENT.sub("", types)
    found = {}
    for match in TYPE.finditer(text):
        found[match[1]] = text[match.end() : _end(text, match.end())]
    return found


def _paths(declared: dict[str, str], above: str, name: str, seen: frozenset[str]) -> Iterator[str]:
    if name in declared and name not in seen:
        yield from _inside(declared, above, declared[name], seen | {name})


def _inside(declared: dict[str, str], above: str, value: str, seen: frozenset[str]) -> Iterator[str]:
    if value.lstrip().startswith("("):  # a function: what it takes and returns is no option
        return
    at = 0
    rest = ""
    while at < len(value):
        if value[at] == "{":
            for name, inner in _fields(value, at):
                path = f"{above}.{name}" if above else name
                yield path
                yield from _inside(declared, path, inner, seen)
            at = _after(value, at)
        else:
            rest += value[at]
            at += 1
    for name in dict.fromkeys(NAME.findall(rest)):
        yield from _paths(declared, above, name, seen)


def _fields(text: str, brace: int) -> Iterator[tuple[str, str]]:
    at = brace + 1
    while found := FIELD.match(text, at):
        end = _end(text, found.end())
        yield found[1], text[found.end() : end]
        at = end + 1


def _end(text: str, start: int) -> int:
    """Return where a type ends: at a semicolon, or a bracket that closes more than it opened."""
    at = start
    while at < len(text) and text[at] not in ";})]":
        at = _after(text, at) if text[at] in "{([" else at + 1
    return at


def _after(text: str, start: int) -> int:
    depth, at = 0, start
    while at < len(text):
        depth += text[at] in "{(["
        depth -= text[at] in "})]"
        at += 1
        if not depth:
            break
    return at

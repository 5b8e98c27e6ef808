"""What an SDK can do, read from its own scripts: which options its frame accepts, which events and log lines it has.

In: the texts of the loader and of the frame's scripts, minified or not. Out: `SdkTraits`. Nothing is run; what is written in a form
that this does not know gives no name, never a wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from harness.model.chatkit import LOADER_PATH
from harness.model.sdk_generations import LOG_LINES, SHELL_ONLY, SdkTraits

ANCHOR = "uploadStrategy must be provided in options.api"  # said by the schema's last check, so the schema is before it
ROOT = re.compile(r"[(=]\s*\{(?=\s*api\s*:)")
KEY = re.compile(r"""\s*(?:([\w$]+)|'([\w$]+)\??'|"([\w$]+)\??")\s*:""")
SHORT_KEY = re.compile(r"\s*([A-Za-z_$][\w$]*)\s*(?=[,}])")
NAME = re.compile(r"(?<![\w$.'\"-])([A-Za-z_$][\w$]*)(?![\w$]|\s*[(:'\"])")
LIST = re.compile(r"""\[\s*(?:["'][\w.-]+["']\s*,\s*)+["'][\w.-]+["']\s*,?\s*\]""")
TEXT = re.compile(r"""["']([\w.-]+)["']""")
STRINGS = "\"'`"
DEEPEST = 8
LONGEST_VALUE = 20_000
AN_EVENT = "thread.load.start"


def traits_of(loader: str, scripts: Mapping[str, str]) -> SdkTraits:
    """Return what an SDK can do. `scripts`: the frame's, by path."""
    schemas = [text for text in scripts.values() if ANCHOR in text]
    every = [loader, *scripts.values()]
    return SdkTraits(
        options=tuple(sorted(_options_in(schemas[0]))) if schemas else (),
        events=tuple(sorted(_events_in(loader))),
        log_lines=tuple(
            name for name in LOG_LINES if any(f'"{name}"' in text or f"'{name}'" in text for text in every)
        ),
    )


def traits_of_files(files: Mapping[str, bytes]) -> SdkTraits:
    """Return what an SDK can do. `files`: its scripts at least, by path in the layout of the CDN."""
    texts = {
        path: content.decode("utf-8", "replace") for path, content in files.items() if path.endswith((".js", ".mjs"))
    }
    return traits_of(texts.pop(LOADER_PATH.lstrip("/"), ""), texts)


def _events_in(loader: str) -> set[str]:
    """Return the events that the loader passes on: the first list with one of them; in the real one each begins with `event.`."""
    for found in LIST.finditer(loader):
        names = TEXT.findall(found[0])
        if f"event.{AN_EVENT}" in names:
            return {name.removeprefix("event.") for name in names if name.startswith("event.")}
        if AN_EVENT in names:
            return {*names, "ready"}  # the loader's own, which no frame sends
    return set()


def _options_in(text: str) -> set[str]:
    """Return the dotted paths of the options that a strict schema names, without the indices of lists."""
    end = text.index(ANCHOR)
    starts = [found.end() for found in ROOT.finditer(text, 0, end)]
    if not starts:
        return set()
    return {path for path in _paths(text, starts[-1] - 1, end, "", frozenset()) if path not in SHELL_ONLY}


def _paths(text: str, brace: int, anchor: int, above: str, open_names: frozenset[str]) -> Iterator[str]:
    """Yield the paths of an object literal that begins at `brace`, and of what its values are made of."""
    if above.count(".") >= DEEPEST:
        return
    for key, value in _entries(text, brace):
        path = f"{above}.{key}" if above else key
        yield path
        yield from _inside(text, value, anchor, path, open_names)


def _inside(text: str, value: tuple[int, int], anchor: int, path: str, open_names: frozenset[str]) -> Iterator[str]:
    """Yield the paths below a value: of the objects in it, and of the objects that the names in it stand for."""
    start, end = value
    rest, at = [], start
    while at < end:
        if text[at] in STRINGS:
            at = _after_string(text, at)
        elif text[at] == "{":
            if not re.search(r"error\s*:\s*$|,\s*$", text[max(start, at - 20) : at]):  # not a check's second argument
                yield from _paths(text, at, anchor, path, open_names)
            at = _after_bracket(text, at)
        else:
            rest.append(text[at])
            at += 1
    for name in dict.fromkeys(NAME.findall("".join(rest))):
        if name not in open_names and (found := _defined(text, name, anchor)):
            yield from _inside(text, found, anchor, path, open_names | {name})


def _defined(text: str, name: str, anchor: int) -> tuple[int, int] | None:
    """Return where the value of a name stands, the last one before the anchor."""
    assigned = re.compile(rf"(?<![\w$.]){re.escape(name)}\s*=(?![=>])")
    at = anchor
    while (at := text.rfind(name, 0, at)) >= 0:
        if at and (found := assigned.match(text, at)):
            return found.end(), _value_end(text, found.end())
    return None


def _entries(text: str, brace: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the keys of an object literal, and where each one's value stands."""
    at = brace + 1
    while at < len(text):
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
        if found := KEY.match(text, at):
            start, at = found.end(), _value_end(text, found.end())
            yield found[1] or found[2] or found[3], (start, at)
        elif found := SHORT_KEY.match(text, at):
            at = found.end()
            yield found[1], (found.start(1), at)
        else:
            return


def _value_end(text: str, start: int) -> int:
    """Return where an expression ends: at a comma, a semicolon or a bracket that closes more than it opened."""
    at = start
    while at < min(len(text), start + LONGEST_VALUE):
        if text[at] in STRINGS:
            at = _after_string(text, at)
        elif text[at] in "([{":
            at = _after_bracket(text, at)
        elif text[at] in ")]},;":
            return at
        else:
            at += 1
    return at


def _after_bracket(text: str, start: int) -> int:
    depth, at = 0, start
    while at < min(len(text), start + LONGEST_VALUE):
        if text[at] in STRINGS:
            at = _after_string(text, at)
            continue
        depth += text[at] in "([{"
        depth -= text[at] in ")]}"
        at += 1
        if depth == 0:
            return at
    return at


def _after_string(text: str, start: int) -> int:
    at = start + 1
    while at < min(len(text), start + LONGEST_VALUE) and text[at] != text[start]:
        at += 2 if text[at] == "\\" else 1
    return at + 1

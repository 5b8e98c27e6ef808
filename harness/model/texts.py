"""Makes what a page said harmless where it is shown: nothing of it moves a cursor, turns a line around, ends a line or begins markup.

In: texts that anybody may have written. Out: the same, with what would be obeyed instead of shown written as an escape.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

T = TypeVar("T")

# Control characters but tab and line feed, line separators, direction marks, and characters that take no room.
OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
COLOUR = re.compile(r"\x1b\[[\d;]*m")  # as Playwright marks its own words
MARKDOWN = re.compile(r"[\\`\[\]]|<(?!redacted:\w+:\d+>)")


def visible(text: str) -> str:
    """Return the text with every character that is obeyed and not shown as an escape, such as \\x1b; lines stay lines."""
    return OBEYED.sub(_escape, text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Return the text on one line, visible."""
    return " ".join(visible(text).split())


def first_line(text: str) -> str:
    """Return the first line that says something, visible."""
    return visible(text).strip().partition("\n")[0]


def for_terminal(text: str) -> str:
    """Return an error's text for a terminal: visible, and without the colours that others gave it."""
    return visible(COLOUR.sub("", text))


def markdown(text: str) -> str:
    """Return the text on one line as Markdown that shows it and nothing else: no markup, link, picture or code."""
    return MARKDOWN.sub(r"\\\g<0>", one_line(text))


def in_json(text: str) -> str:
    """Return JSON that means the same, and shows in an editor or on a terminal what it holds."""
    return text if text.isascii() else OBEYED.sub(lambda match: json.dumps(match[0])[1:-1], text)


def with_texts(value: T, change: Callable[[str], str]) -> T:
    """Return a frozen value with every text in it changed, however deep it lies in tuples and further values."""
    changed: Any = value
    if isinstance(value, str):
        changed = change(value)
    elif isinstance(value, tuple):
        changed = tuple(with_texts(item, change) for item in value)
    elif is_dataclass(value) and not isinstance(value, type):
        changed = replace(value, **{f.name: with_texts(getattr(value, f.name), change) for f in fields(value)})
    return changed  # type: ignore[no-any-return]


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

"""What a value of the configuration may be: texts, numbers, choices, URLs, and how a variable's text becomes one.

In: a value, or a variable's text. Out: whether it fits. It knows no key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from harness.config.steps import EXAMPLES


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueKind:
    """The type of a value, and how to parse it from a variable's text."""

    expects: str  # as in error messages
    accepts: Callable[[Any], bool]
    parse: Callable[[str], Any] = str  # raises ValueError
    is_text: bool = True  # a string may contain a ${REFERENCE}
    is_folder: bool = False  # a path below the root of the configuration
    names: tuple[str, ...] = ()  # of a choice
    metavar: str = "TEXT"  # as `--help` calls the value
    flag: bool | None = None  # what its option means, which has no value then


def choice(*names: str) -> ValueKind:
    """Return the kind of a string that must be one of these."""
    return ValueKind(expects=listed(names), accepts=lambda value: value in names, names=names)


def whole(least: int, metavar: str = "N") -> ValueKind:
    """Return the kind of a whole number with a lower bound."""
    return ValueKind(
        expects=f"a whole number, {least} or more",
        accepts=lambda value: type(value) is int and value >= least,  # a bool is an int too
        parse=int,
        is_text=False,
        metavar=metavar,
    )


def number(least: float) -> ValueKind:
    """Return the kind of a number with a lower bound."""
    return ValueKind(
        expects=f"a number, {least:g} or more",
        accepts=lambda value: type(value) in (int, float) and value >= least,
        parse=float,
        is_text=False,
    )


def listed(names: tuple[str, ...]) -> str:
    """Return the names for a sentence: "a", "b" or "c"."""
    quoted = [f'"{name}"' for name in names]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else quoted[0]


def flag(text: str) -> bool:
    """Return a variable's text as true or false. Raises ValueError for anything else."""
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError(text)


def is_web_url(value: Any) -> bool:
    """Whether the value is an absolute http or https URL."""
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:  # an unclosed bracket of an IPv6 host
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def is_json(value: Any) -> bool:
    """Whether the value is a string that contains JSON."""
    try:
        json.loads(value)
    except (TypeError, ValueError):
        return False
    return isinstance(value, str)


def is_filled(value: Any) -> bool:
    """Whether the value is a text that says something."""
    return isinstance(value, str) and bool(value.strip())


def matches(pattern: str) -> Callable[[Any], bool]:
    """Return what says whether a value is a text of this form."""
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def is_path(value: Any) -> bool:
    """Whether the value is a path of a page."""
    return isinstance(value, str) and value.startswith("/")


TEXT = ValueKind(expects="a text", accepts=lambda value: isinstance(value, str))
FILE = ValueKind(expects="a text", accepts=TEXT.accepts, metavar="FILE")
FILLED = ValueKind(expects="a non-empty string", accepts=is_filled)
FOLDER = ValueKind(expects=FILLED.expects, accepts=is_filled, is_folder=True, metavar="FOLDER")
NAME = ValueKind(expects=FILLED.expects, accepts=is_filled, metavar="NAME")
PATH = ValueKind(expects="a path that starts with /", accepts=is_path)
WEB_URL = ValueKind(expects="a URL that starts with http:// or https://", accepts=is_web_url)
FLAG = ValueKind(
    expects="true or false", accepts=lambda value: isinstance(value, bool), parse=flag, is_text=False, flag=True
)
HEADLESS = ValueKind(
    expects="true or false", accepts=FLAG.accepts, parse=lambda text: not flag(text), is_text=False, flag=False
)
TEXTS = ValueKind(
    expects="a list of strings",
    accepts=lambda value: isinstance(value, list | tuple) and all(isinstance(item, str) for item in value),
    is_text=False,
)
STEPS = ValueKind(
    expects=f"a list of steps: {EXAMPLES}", accepts=lambda value: isinstance(value, list | tuple), is_text=False
)
NETWORK = ValueKind(
    expects='"hermetic", "live" or "replay:<recording>", such as "replay:recordings/happy.zip"',
    accepts=matches(r"hermetic|live|replay:.*\S.*"),
)
RECORD = choice("none", "once", "new_episodes", "all")
ADDRESS = ValueKind(
    expects="a URL, or a path of the page's own origin that starts with /",
    accepts=lambda value: is_web_url(value) or is_path(value),
)
JSON_TEXT = ValueKind(expects="a string that contains JSON", accepts=is_json)
REPO = ValueKind(expects="a repository, owner/name", accepts=matches(r"[\w.-]+/[\w.-]+"))
SDK = ValueKind(
    expects='"stand-in", "live" or "snapshot:<folder>"',
    accepts=matches(r"stand-in|live|snapshot:\s*\S.*"),
    metavar="SOURCE",
)
BROWSER = choice("chromium", "firefox", "webkit")
TRACE = choice("off", "on", "retain-on-failure")
SCREENSHOT = choice("off", "on", "only-on-failure")
PREFETCH = choice("required", "allowed")

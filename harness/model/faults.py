"""Faults: changes that are injected into an exchange, and the language for them.

In: `<verb>:<target>[#n][=<value>]`, such as `status:session=401`, `delay:session#1=8s`, `abort:script=blockedbyclient`;
`<target>=healthy` removes all faults of a target. Out: frozen `Fault` values, which know the requests they apply to. A
target is the name of an exchange, optionally with an operation (`conversation.threads.list`), or a URL glob; the
first `=` after it begins the value, so write one of the URL's own as `?`. `#n` means the n-th such request only.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from harness.errors import ConfigError
from harness.model.addresses import (
    API,
    ASSETS,
    CONVERSATION,
    SENTINEL,
    SESSIONS,
    VERIFY,
    is_loader,
    is_telemetry,
    names_a_session,
    split_url,
)

EVERY = 0  # occurrence: not only the n-th
FRAME_DOCUMENT = re.compile(r"/index-[\w-]+\.html$")
FRAME_ENTRY = re.compile(re.escape(ASSETS) + r"index-[\w-]+\.js$")
OPERATION = re.compile(r"(?:threads|items|attachments|input)\.[a-z_]+")
LONGEST_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The parts of a request that a fault can match. The URL is the one that the page requested, without a hash."""

    method: str
    url: str
    destination: str = ""  # as in Sec-Fetch-Dest: "document", "iframe", "script", "empty", …; "" when unknown
    operation: str = ""  # the `type` of a backend call's JSON body: "threads.list", …


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedExchange:
    """A name for a kind of exchange, and how to recognise it."""

    name: str
    about: str
    hint: str  # a case-insensitive part of a regular expression for the URLs of such exchanges; JavaScript uses it too
    is_it: Callable[[Asked], bool]
    has_operations: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One change to the exchanges of one target. `value` is as `render_fault` writes it, "" without one."""

    verb: str
    target: str  # an exchange's name, or a glob
    operation: str = ""
    occurrence: int = EVERY
    value: str = ""

    @property
    def number(self) -> int:
        """The status, or the number of bytes."""
        return int(self.value)

    @property
    def duration_ms(self) -> int:
        """The time of a delay."""
        return _milliseconds(self.value)

    @property
    def header(self) -> tuple[str, str | None]:
        """A header's name and its text; None when the header is removed."""
        name, _, text = self.value.partition(":")
        return (name, text.strip()) if not name.startswith("-") else (name[1:], None)

    @property
    def drip(self) -> tuple[int, int]:
        """The number of bytes in each piece, and the milliseconds between pieces."""
        size, _, gap = self.value.partition("/")
        return int(size), _milliseconds(gap)

    def concerns(self, asked: Asked) -> bool:
        """Whether this fault matches a request, without its occurrence."""
        exchange = EXCHANGES.get(self.target)
        if exchange is None:
            return fnmatchcase(asked.url, self.target) or fnmatchcase(asked.url.partition("?")[0], self.target)
        return exchange.is_it(asked) and self.operation in ("", asked.operation)


def operation_of(body: bytes | str | None) -> str:
    """Return the `type` of a JSON object, "" of anything else."""
    try:
        parsed = json.loads(body or "null")
    except ValueError:  # no JSON, or no text
        return ""
    kind = parsed.get("type") if isinstance(parsed, dict) else None
    return kind if isinstance(kind, str) else ""


# --- exchanges ----------------------------------------------------------------------------------------------------


def _path(asked: Asked) -> str:
    return split_url(asked.url).path


def _is_session(asked: Asked) -> bool:
    path = _path(asked)
    is_request = asked.destination in ("", "empty")  # the name of a page or a script may also contain chatkit-session
    return is_request and not path.startswith(API) and names_a_session(path, asked.method)


def _is_telemetry(asked: Asked) -> bool:
    path = _path(asked)
    return path.startswith("/ces/v1/") or (is_telemetry(asked.url) and not path.startswith(SENTINEL))


def _is_custom(asked: Asked) -> bool:
    return bool(OPERATION.fullmatch(asked.operation)) and _path(asked) != CONVERSATION


ALL_EXCHANGES = (
    NamedExchange(
        name="page", about="the page's own document", hint=r".", is_it=lambda asked: asked.destination == "document"
    ),
    NamedExchange(
        name="script", about="the loader, chatkit.js", hint=r"/chatkit\.js", is_it=lambda asked: is_loader(asked.url)
    ),
    NamedExchange(
        name="frame",
        about="the document of the widget's frame",
        hint=r"/index-[\w-]+\.html",
        is_it=lambda asked: bool(FRAME_DOCUMENT.search(_path(asked))) and asked.destination != "document",
    ),
    NamedExchange(
        name="entry",
        about="the frame's entry module",
        hint=re.escape(ASSETS) + "index-",
        is_it=lambda asked: bool(FRAME_ENTRY.search(_path(asked))),
    ),
    NamedExchange(
        name="assets",
        about="the frame's other scripts and styles",
        hint=re.escape(ASSETS),
        is_it=lambda asked: _path(asked).startswith(ASSETS) and not FRAME_ENTRY.search(_path(asked)),
    ),
    NamedExchange(
        name="session",
        about="the app's endpoint that returns a client secret",
        hint=r"session|secret|chat[-_]?kit",
        is_it=_is_session,
    ),
    NamedExchange(
        name="verify",
        about="the frame's domain check",
        hint=re.escape(VERIFY),
        is_it=lambda asked: _path(asked).startswith(VERIFY),
    ),
    NamedExchange(
        name="conversation",
        about="backend calls in hosted mode",
        hint=re.escape(CONVERSATION),
        is_it=lambda asked: _path(asked) == CONVERSATION,
        has_operations=True,
    ),
    NamedExchange(
        name="custom",
        about="backend calls in custom mode, to the app's own server",
        hint=r".",
        is_it=_is_custom,
        has_operations=True,
    ),
    NamedExchange(
        name="sentinel",
        about="OpenAI's anti-abuse script",
        hint=re.escape(SENTINEL),
        is_it=lambda asked: _path(asked).startswith(SENTINEL),
    ),
    NamedExchange(name="telemetry", about="hosts for telemetry", hint=r".", is_it=_is_telemetry),
    NamedExchange(
        name="openai-sessions",
        about="the app's server requesting a session from OpenAI; not visible in the browser",
        hint=re.escape(SESSIONS),
        is_it=lambda asked: _path(asked) == SESSIONS,
    ),
)
EXCHANGES = {exchange.name: exchange for exchange in ALL_EXCHANGES}


# --- verbs --------------------------------------------------------------------------------------------------------

# Playwright's names for network errors.
NET_ERRORS = ("aborted", "accessdenied", "addressunreachable", "blockedbyclient", "blockedbyresponse",
              "connectionaborted", "connectionclosed", "connectionfailed", "connectionrefused", "connectionreset",
              "failed", "internetdisconnected", "namenotresolved", "timedout")  # fmt: skip
HEADER = re.compile(r"(?:-[!#$%&'*+.^_`|~0-9A-Za-z-]+|[!#$%&'*+.^_`|~0-9A-Za-z][!#$%&'*+.^_`|~0-9A-Za-z-]*:.*)", re.S)
UNITS_MS = {"ms": 1.0, "s": 1_000.0}
DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s)")
HEALED = ("healthy", "ok")


class _WrongError(ValueError):
    """A value that its verb does not accept; with the expected form and the nearest valid value."""

    def __init__(self, expected: str, nearest: str = "") -> None:
        super().__init__(expected)
        self.expected = expected
        self.nearest = nearest


def _milliseconds(text: str) -> int:
    found = DURATION.fullmatch(text)
    time_ms = round(float(found[1]) * UNITS_MS[found[2]]) if found else LONGEST_MS + 1
    if time_ms > LONGEST_MS:
        raise _WrongError("a time up to one hour, such as 300ms or 8s")
    return time_ms


def _duration(text: str) -> str:
    time_ms = _milliseconds(text)
    return f"{time_ms // 1000}s" if time_ms >= 1000 and time_ms % 1000 == 0 else f"{time_ms}ms"


def _status(text: str) -> str:
    if not re.fullmatch(r"[2-5]\d\d", text):
        raise _WrongError("an HTTP status from 200 to 599")
    return text


def _net_error(text: str) -> str:
    word = text.lower().removeprefix("net::err_").replace("_", "") or "failed"
    if word not in NET_ERRORS:
        raise _WrongError(f"one of {', '.join(NET_ERRORS)}", nearest_of(word, NET_ERRORS))
    return word


def _bytes(text: str) -> str:
    if not re.fullmatch(r"\d{1,9}", text):
        raise _WrongError("a number of bytes")
    return str(int(text))


def _header(text: str) -> str:
    if not HEADER.fullmatch(text) or "\n" in text or "\r" in text:
        raise _WrongError('"name: text" to set a header, or "-name" to remove it')
    name, colon, content = text.partition(":")
    return f"{name.lower()}: {content.strip()}" if colon else name.lower()


def _drip(text: str) -> str:
    size, slash, gap = text.partition("/")
    if not slash or not re.fullmatch(r"\d{1,9}", size) or int(size) == 0:
        raise _WrongError("<bytes>/<time>, such as 1024/100ms")
    return f"{int(size)}/{_duration(gap)}"


def _filled(text: str) -> str:
    if not text.strip() or "\n" in text or "\r" in text:
        raise _WrongError("some text on one line")
    return text.strip()


def _any(text: str) -> str:
    return text


def _none(text: str) -> str:
    if text:
        raise _WrongError("no value")
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One verb of the fault language. `canonical` returns the value in its canonical form, or raises."""

    name: str
    about: str
    example: str
    canonical: Callable[[str], str]


ALL_VERBS = (
    Verb(name="status", about="respond with this status", example="status:session=401", canonical=_status),
    Verb(name="body", about="respond with this text", example='body:session={"ok": true}', canonical=_any),
    Verb(name="type", about="respond with this content type", example="type:frame=text/plain", canonical=_filled),
    Verb(
        name="header",
        about="set a header of the response, or remove it",
        example="header:page=content-security-policy: script-src 'self'",
        canonical=_header,
    ),
    Verb(name="redirect", about="redirect the browser", example="redirect:session=/login", canonical=_filled),
    Verb(name="delay", about="delay the response", example="delay:session=8s", canonical=_duration),
    Verb(name="hang", about="never answer", example="hang:verify", canonical=_none),
    Verb(name="abort", about="abort the request", example="abort:script=blockedbyclient", canonical=_net_error),
    Verb(
        name="truncate",
        about="truncate the response after this many bytes",
        example="truncate:entry=512",
        canonical=_bytes,
    ),
    Verb(
        name="drip",
        about="send the response in pieces of this many bytes",
        example="drip:script=1024/100ms",
        canonical=_drip,
    ),
    Verb(name="healthy", about="remove all faults of this target", example="session=healthy", canonical=_none),
)
VERBS = {verb.name: verb for verb in ALL_VERBS}
HEALTHY = "healthy"
ABORT = "abort"


# --- the language -------------------------------------------------------------------------------------------------


def parse_fault(text: str) -> Fault:
    """Return the fault of an expression. Raises ConfigError that names the wrong part and the nearest valid words."""
    verb, target, value = _parts(text)
    if verb not in VERBS:
        raise _error(text, f"unknown verb {verb!r}", nearest_of(verb, VERBS), f"verbs are {', '.join(VERBS)}")
    name, occurrence = _occurrence(text, target)
    exchange, operation = _target(text, name)
    try:
        canonical = VERBS[verb].canonical(value)
    except _WrongError as wrong:
        found = f"the value {value!r}" if value else "no value"
        raise _error(text, f"{verb} has {found}", wrong.nearest, f"it needs {wrong.expected}") from None
    return Fault(verb=verb, target=exchange, operation=operation, occurrence=occurrence, value=canonical)


def render_fault(fault: Fault) -> str:
    """Return a fault as an expression that `parse_fault` reads."""
    target = fault.target + (f".{fault.operation}" if fault.operation else "")
    target += f"#{fault.occurrence}" if fault.occurrence else ""
    if fault.verb == HEALTHY:
        return f"{target}={HEALTHY}"
    is_valueless = VERBS[fault.verb].canonical is _none
    return f"{fault.verb}:{target}" if is_valueless else f"{fault.verb}:{target}={fault.value}"


def combined(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Return the faults that remain after each `healthy` has removed the earlier ones of its target."""
    left: list[Fault] = []
    for fault in faults:
        if fault.verb == HEALTHY:
            left = [other for other in left if not _heals(fault, other)]
        else:
            left.append(fault)
    return tuple(left)


def nearest_of(word: str, known: Iterable[str]) -> str:
    """Return the most similar known words, with commas; "" when there are none."""
    return ", ".join(difflib.get_close_matches(word, list(known), n=3, cutoff=0.5))


def _heals(healthy: Fault, other: Fault) -> bool:
    is_same = healthy.target == other.target and healthy.operation in ("", other.operation)
    return is_same and healthy.occurrence in (EVERY, other.occurrence)


def _parts(text: str) -> tuple[str, str, str]:
    """Return verb, target with its occurrence, and value. Raises ConfigError when the text is not an expression."""
    target, equals, value = text.partition("=")
    if equals and value in HEALED and target.partition(":")[0] not in VERBS:
        return HEALTHY, target, ""
    verb, colon, rest = text.partition(":")
    if not colon or not re.fullmatch(r"[A-Za-z_-]+", verb) or rest.startswith("//"):
        raise _error(
            text, "it is not a fault", "", "a fault is <verb>:<target>[#n][=<value>], such as status:session=401"
        )
    target, _, value = rest.partition("=")
    return verb, target, value


def _occurrence(text: str, target: str) -> tuple[str, int]:
    name, mark, number = target.rpartition("#")
    if not mark:
        return target, EVERY
    if not re.fullmatch(r"[1-9]\d{0,5}", number):
        raise _error(text, f"{number!r} is not an occurrence", "", "#1 is the first request, #2 the second")
    return name, int(number)


def _target(text: str, target: str) -> tuple[str, str]:
    """Return the name or glob of a target, and its operation."""
    if re.search(r"[/*?\[]", target):
        return target, ""
    name, _, operation = target.partition(".")
    if name not in EXCHANGES:
        raise _error(
            text,
            f"unknown exchange {name!r}" if name else "it has no target",
            nearest_of(name, EXCHANGES),
            f"exchanges are {', '.join(EXCHANGES)}; anything else is a URL glob, with a * or a / in it",
        )
    if operation and not EXCHANGES[name].has_operations:
        with_some = [exchange.name for exchange in ALL_EXCHANGES if exchange.has_operations]
        raise _error(text, f"{name} has no operation {operation!r}", "", f"only {' and '.join(with_some)} have")
    if operation and not OPERATION.fullmatch(operation):
        raise _error(text, f"{operation!r} is not an operation", "", "such as threads.list, threads.create, items.list")
    return name, operation


def _error(text: str, what: str, nearest: str, known: str) -> ConfigError:
    did_you_mean = f"\n  nearest:  {nearest}" if nearest else ""
    expected = f"\n  expected: {known}" if known else ""
    return ConfigError(f"the fault {text!r}: {what}{did_you_mean}{expected}")

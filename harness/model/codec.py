"""The one place where saved JSON becomes our values and our values become JSON: timeline, results, manifests, records, history.

In: JSON text, or the plain values of one, and the type that is wanted. Out: values of that type; its fields say what fits (types, bounds
and patterns, see below). Whatever does not fit is one RecordingError that says which file, which field, what was expected, what was found
and what to do. Nothing else in the package imports msgspec.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any, NoReturn, TypeVar

import msgspec

from harness.errors import RecordingError

T = TypeVar("T")

DAY_MS = 86_400_000
REPAIR = "restore the original file, or create it again; it was truncated or changed"
LONGEST_SHOWN = 60
MOST_KEYS = 1_000  # of an object whose damaged key is looked for

# --- what fits into a field ---------------------------------------------------------------------------------------

A_SHA256 = r"^[0-9a-f]{64}\Z"
A_RELATIVE_PATH = r"^(?!/)(?!(.*/)?\.{1,2}(/|\Z))[^\x00-\x1f\x7f\\:]+\Z"  # never out of its folder, on any system
A_TEXT = r"^[^\x00]*\Z"
A_LOCALE = r"^([A-Za-z]{1,8}([-_][A-Za-z0-9]{1,8}){0,8})?\Z"  # BCP 47, roughly
A_TIMEZONE = r"^[A-Za-z0-9_+/-]{0,64}\Z"  # a name of the IANA database
A_ORIGIN = r"^https?://[^\x00-\x20/]+/?\Z"
A_COLOR_SCHEME = r"^(light|dark|no-preference)?\Z"

Sha256 = Annotated[str, msgspec.Meta(pattern=A_SHA256)]
RelativePath = Annotated[str, msgspec.Meta(pattern=A_RELATIVE_PATH, max_length=1_000)]
Text = Annotated[str, msgspec.Meta(pattern=A_TEXT)]
Locale = Annotated[str, msgspec.Meta(pattern=A_LOCALE)]
Timezone = Annotated[str, msgspec.Meta(pattern=A_TIMEZONE)]
Origin = Annotated[str, msgspec.Meta(pattern=A_ORIGIN)]
ColorScheme = Annotated[str, msgspec.Meta(pattern=A_COLOR_SCHEME)]
Count = Annotated[int, msgspec.Meta(ge=0, le=10**12)]
ExitCode = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**32)]  # -1 where there is none yet; Windows has large ones
Pixels = Annotated[int, msgspec.Meta(ge=0, le=20_000)]
Scale = Annotated[float, msgspec.Meta(gt=0, le=20)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=30 * DAY_MS / 1000)]
Timeout = Annotated[float, msgspec.Meta(ge=0, le=DAY_MS)]  # milliseconds
Instant = Annotated[float, msgspec.Meta(ge=-DAY_MS, le=30 * DAY_MS)]  # milliseconds of a run's clock; -1: never
Filler = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]  # characters of a secret
UnixTime = Annotated[float, msgspec.Meta(ge=-1, le=1e13)]  # seconds; -1: none
Amount = Annotated[float, msgspec.Meta(ge=0, le=10**12)]

TYPES = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
}
PATTERNS = {
    A_SHA256: "a SHA-256: 64 hexadecimal digits",
    A_RELATIVE_PATH: "a path below the folder: no .., no leading /, no \\, : or control character",
    A_TEXT: "a text without NUL",
    A_LOCALE: "a locale, such as en-US",
    A_TIMEZONE: "a time zone, such as Europe/Berlin",
    A_ORIGIN: "an origin, such as https://app.test",
    A_COLOR_SCHEME: "light, dark or no-preference",
}  # fmt: skip


class Unfit(RecordingError):
    """A value that is not what its field holds: where it stands, what was expected there, and what was found."""

    def __init__(self, where: str, *, at: str, expected: str, found: str, fix: str = REPAIR) -> None:
        self.where, self.at, self.expected, self.found = where, at, expected, found
        rows = {"at": at, "expected": expected, "found": found, "to fix": fix}
        told = (f"  {f'{name}:':<9} {text}" for name, text in rows.items() if text)
        super().__init__("\n".join((f"{where} is damaged", *told)))


# --- reading ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """What a saved file says that it is; its version is the newest that is read."""

    name: str  # "chatkit-harness/result"; "" where the file names none
    version: int
    version_key: str = "version"

    @property
    def header(self) -> dict[str, Any]:
        """What stands first in the file."""
        return {**({"format": self.name} if self.name else {}), self.version_key: self.version}

    def opened(self, data: Any, where: str) -> dict[str, Any]:
        """Return a file's values. Raises RecordingError when it is another kind of file, or of a newer version."""
        if not isinstance(data, dict) or (self.name and data.get("format") != self.name):
            raise RecordingError(
                f"{where} is not a {self.name or 'listing'} file: it is {_shown(data)}\n  to fix: name the right file"
            )
        version = data.get(self.version_key)
        if type(version) is not int or version < 1:
            raise Unfit(where, at=self.version_key, expected="a whole number, 1 or more", found=_shown(version))
        if version > self.version:
            raise NewerFormat(
                f"{where}: format {version} is newer than the {self.version} that this version reads; "
                f"update chatkit-harness"
            )
        return data


class NewerFormat(RecordingError):
    """A file was written by a later version of this program."""


def parsed(text: str | bytes, where: str) -> Any:
    """Return the values that JSON holds. Raises RecordingError: no JSON, not UTF-8, nested too deeply, or with NaN or Infinity."""
    try:
        return _decode(text)
    except msgspec.ValidationError as error:  # a number that no float holds
        raise Unfit(where, at="", expected="numbers that a computer has", found=str(error)) from error
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return _parsed_slowly(text, where)


_decode = msgspec.json.Decoder().decode


def _parsed_slowly(text: str | bytes, where: str) -> Any:
    """Also reads halves of characters, which a page may say and `JSON.stringify` escapes; and says what is wrong, and where."""
    try:
        text = text.decode("utf-8") if isinstance(text, bytes) else text
        return json.loads(text, parse_constant=_refused_constant, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise Unfit(where, at="", expected="JSON in UTF-8", found="bytes that are not UTF-8") from error
    except RecursionError as error:
        raise Unfit(where, at="", expected="JSON", found="values that are nested too deeply") from error
    except ValueError as error:
        raise Unfit(where, at="", expected="JSON", found=f"not JSON: {error}") from error


def _refused_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refused_constant(text[:LONGEST_SHOWN])


def decoded(kind: type[T], data: Any, *, where: str, at: str = "") -> T:
    """Return plain values as a value of a type; fields that are not there have their default, unknown ones are passed over.

    `at`: where in the file these values stand. Raises `Unfit`, a RecordingError, for the first that does not fit.
    """
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise _unfit(kind, data, str(error), where, at) from error
    except RecursionError as error:
        raise Unfit(where, at=at, expected="plain values", found="values that are nested too deeply") from error
    except UnicodeEncodeError as error:  # half a character where no text is expected
        raise Unfit(where, at=at, expected="other values", found=ascii(error.object[:LONGEST_SHOWN])) from error


def fits(kind: type[Any], data: Any) -> bool:
    """Whether plain values can be read as a type."""
    try:
        msgspec.convert(data, kind)
    except (msgspec.ValidationError, RecursionError, UnicodeEncodeError):
        return False
    return True


def pairs(data: Any, name: str) -> dict[str, Any]:
    """Return an object's values with one of them, that is an object in the file, as the list of pairs that it is in memory."""
    known = data if isinstance(data, dict) else {}
    value = known.get(name)
    return {**known, name: list(value.items())} if isinstance(value, dict) else known


def _unfit(kind: type[Any], data: Any, message: str, where: str, at: str) -> Unfit:
    text, _, place = message.partition(" - at ")
    steps = _steps(kind, data, message, place)
    found = data
    for step in steps:
        found = found[step]
    names = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    full = f"{at}{names}" if at else names.lstrip(".")
    if missing := re.fullmatch(r"Object missing required field `(.*)`", text):
        return Unfit(where, at=full, expected=f"a field {missing[1]}", found="none")
    return Unfit(where, at=full, expected=_expected(text), found=_shown(found))


def _expected(text: str) -> str:
    """Return what msgspec expected, in words: "Expected `int` >= 0", "Expected `str` matching regex '…'"."""
    for pattern, words in PATTERNS.items():
        if text.endswith(f"matching regex {pattern!r}"):
            return words
    expected = text.removeprefix("Expected ").partition(", got ")[0]
    return re.sub(
        r"`([^`]*)`", lambda found: " or ".join(TYPES.get(one, one) for one in found[1].split(" | ")), expected
    ).replace(" matching regex", ":")


def _steps(kind: type[Any], data: Any, message: str, place: str) -> list[str | int]:
    """Return the way to what does not fit. msgspec names fields and places, not an object's keys: "$.tests[...][0]"."""
    steps: list[str | int] = []
    here: Any = data
    for name, index, _ in re.findall(r"\.(\w+)|\[(\d+)\]|(\[\.\.\.\])", place.partition("` in `")[2] or place):
        step: str | int = name or (int(index) if index else _key(kind, data, here, message))
        try:
            here = here[step]
        except (KeyError, IndexError, TypeError):  # it is of another type, or its key is what does not fit
            break
        steps.append(step)
    return steps


def _key(kind: Any, data: Any, here: dict[str, Any], message: str) -> str:
    """Return which of an object's keys has what does not fit: the one with which alone it does not fit, either."""
    whole = dict(here)
    try:
        for key in list(whole)[:MOST_KEYS]:
            here.clear()
            here[key] = whole[key]
            try:
                msgspec.convert(data, kind)
            except msgspec.ValidationError as error:
                if str(error) == message:
                    return key
    finally:
        here.clear()
        here.update(whole)
    return ""


def _shown(value: Any) -> str:
    try:
        text = json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        text = type(value).__name__
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


# --- writing ------------------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """Return a value as JSON has it: objects and lists all the way down, and -1, as for a time that is not known, for NaN."""
    if isinstance(value, float):
        return value if math.isfinite(value) else -1
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    return value


def json_text(value: Any, *, indent: int | None = None) -> str:
    """Return plain values as JSON that every reader takes."""
    separators = (",", ":") if indent is None else None
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)
    except ValueError:  # NaN or Infinity, which JSON does not have
        return json.dumps(plain(value), ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)

"""Reads the fields of a JSON object one by one, and says what is wrong in the words of the OpenAI API.

In: a parsed JSON object. Out: typed values, or a `FieldError` that names the field as `param` does: `workflow.id`.
Which status and body an error becomes is not decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "a boolean"),  # before int, which it is too
    (int, "an integer"),
    (float, "a decimal"),
    (str, "a string"),
    ((list, tuple), "an array"),
    (Mapping, "an object"),
)


class FieldError(Exception):
    """A field is missing or not as it must be; `param` and `code` are those of an error body."""

    def __init__(self, message: str, *, param: str, code: str) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


class Fields:
    """The fields of one JSON object. `path` leads to it; `allows_null`: where None can be returned, null may stand."""

    def __init__(self, values: Any, path: str = "", *, allows_null: bool = False) -> None:
        self.path = path
        self._allows_null = allows_null
        if not isinstance(values, Mapping):
            raise wrong_type(path, "an object", values)
        self._values = values

    def has(self, name: str) -> bool:
        """Tell whether an optional field is there."""
        return name in self._values

    def is_given(self, name: str) -> bool:
        """Tell whether an optional field is there, and is not a null that stands for its absence."""
        return self.has(name) and not (self._allows_null and self._values[name] is None)

    def only(self, *names: str) -> None:
        """Raise FieldError for the first field that is none of these."""
        for name in self._values:
            if name not in names:
                path = self.param(name)
                raise FieldError(f"Unknown parameter: '{path}'.", param=path, code="unknown_parameter")

    def param(self, name: str) -> str:
        """Return the path of a field."""
        return f"{self.path}.{name}" if self.path else name

    def anything(self, name: str) -> Any:
        """Return a field that must be there, whatever it holds."""
        if name not in self._values:
            path = self.param(name)
            raise FieldError(f"Missing required parameter: '{path}'.", param=path, code="missing_required_parameter")
        return self._values[name]

    def text(self, name: str, *, at_least: int = 0, at_most: int | None = None, one_of: Iterable[str] = ()) -> str:
        """Return a string; its length and its values may be limited."""
        value, path = self.anything(name), self.param(name)
        if not isinstance(value, str):
            raise wrong_type(path, "a string", value)
        known = tuple(one_of)
        if known and value not in known:
            raise unsupported(path, value, known)
        if len(value) < at_least:
            got = f"a string with length {len(value)}" if value else "an empty string"
            raise FieldError(
                f"Invalid '{path}': {'string too short' if value else 'empty string'}. "
                f"Expected a string with minimum length {at_least}, but got {got} instead.",
                param=path,
                code="string_below_min_length" if value else "empty_string",
            )
        if at_most is not None and len(value) > at_most:
            raise FieldError(
                f"Invalid '{path}': string too long. "
                f"Expected a string with maximum length {at_most}, but got a string with length {len(value)} instead.",
                param=path,
                code="string_above_max_length",
            )
        return value

    def text_or(self, name: str, default: str, *, one_of: Iterable[str] = ()) -> str:
        """Return an optional string."""
        return self.text(name, one_of=one_of) if self.has(name) else default

    def text_or_none(self, name: str, *, at_least: int = 0, at_most: int | None = None) -> str | None:
        """Return an optional string, None without one."""
        return self.text(name, at_least=at_least, at_most=at_most) if self.is_given(name) else None

    def integer(self, name: str, *, at_least: int | None = None, at_most: int | None = None) -> int:
        """Return a whole number; its size may be limited."""
        value, path = self.anything(name), self.param(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise wrong_type(path, "an integer", value)
        return within(value, path, at_least=at_least, at_most=at_most)

    def integer_or(self, name: str, default: int, *, at_least: int | None = None, at_most: int | None = None) -> int:
        """Return an optional whole number."""
        return self.integer(name, at_least=at_least, at_most=at_most) if self.has(name) else default

    def integer_or_none(self, name: str, *, at_least: int | None = None) -> int | None:
        """Return an optional whole number, None without one."""
        return self.integer(name, at_least=at_least) if self.is_given(name) else None

    def flag_or(self, name: str, default: bool) -> bool:
        """Return an optional boolean."""
        if not self.has(name):
            return default
        value = self._values[name]
        if not isinstance(value, bool):
            raise wrong_type(self.param(name), "a boolean", value)
        return value

    def table(self, name: str) -> Fields:
        """Return the fields of an object that must be there."""
        return Fields(self.anything(name), self.param(name), allows_null=self._allows_null)

    def table_or_empty(self, name: str) -> Fields:
        """Return the fields of an optional object; none without it."""
        return self.table(name) if self.has(name) else Fields({}, self.param(name), allows_null=self._allows_null)

    def mapping(self, name: str) -> dict[str, Any]:
        """Return an object as it is."""
        return dict(self.table(name)._values)

    def array(self, name: str) -> list[Any]:
        """Return an array as it is."""
        value = self.anything(name)
        if not isinstance(value, list):
            raise wrong_type(self.param(name), "an array", value)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return an array of strings."""
        values = self.array(name)
        for index, value in enumerate(values):
            if not isinstance(value, str):
                raise wrong_type(f"{self.param(name)}[{index}]", "a string", value)
        return tuple(values)

    def tables(self, name: str) -> list[Fields]:
        """Return an array of objects, each as fields."""
        path = self.param(name)
        return [
            Fields(value, f"{path}[{index}]", allows_null=self._allows_null)
            for index, value in enumerate(self.array(name))
        ]


def within(value: int, path: str, *, at_least: int | None, at_most: int | None) -> int:
    """Return a whole number that keeps its limits. Raises FieldError when it does not."""
    if at_least is not None and value < at_least:
        raise FieldError(
            f"Invalid '{path}': integer below minimum value. Expected a value >= {at_least}, but got {value} instead.",
            param=path,
            code="integer_below_min_value",
        )
    if at_most is not None and value > at_most:
        raise FieldError(
            f"Invalid '{path}': integer above maximum value. Expected a value <= {at_most}, but got {value} instead.",
            param=path,
            code="integer_above_max_value",
        )
    return value


def wrong_type(path: str, expected: str, value: Any) -> FieldError:
    """Return the error for a value of another type."""
    return FieldError(
        f"Invalid type for '{path}': expected {expected}, but got {kind_of(value)} instead.",
        param=path,
        code="invalid_type",
    )


def unsupported(path: str, value: str, known: tuple[str, ...]) -> FieldError:
    """Return the error for a string that is none of the known ones."""
    names = [f"'{name}'" for name in known]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return FieldError(f"Invalid value: '{value}'. Supported values are: {listed}.", param=path, code="invalid_value")


def kind_of(value: Any) -> str:
    """Return what a JSON value is, with its article."""
    if value is None:
        return "null"
    return next((name for types, name in KINDS if isinstance(value, types)), type(value).__name__)

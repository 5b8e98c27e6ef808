"""Fields of JSON objects: what is read, and in which words the rest is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.servers.fields import FieldError, Fields

VALUES: dict[str, Any] = {
    "text": "tea",
    "empty": "",
    "whole": 7,
    "flag": True,
    "part": 0.5,
    "nothing": None,
    "array": ["a", 1],
    "table": {"inner": {"deep": 1}},
}


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (lambda f: f.text("text"), "tea"),
        (lambda f: f.text("text", at_least=3, at_most=3, one_of=("tea", "coffee")), "tea"),
        (lambda f: f.text_or("missing", "x"), "x"),
        (lambda f: f.text_or_none("missing"), None),
        (lambda f: f.integer("whole", at_least=7, at_most=7), 7),
        (lambda f: f.integer_or("missing", 3), 3),
        (lambda f: f.integer_or_none("whole"), 7),
        (lambda f: f.flag_or("flag", False), True),
        (lambda f: f.flag_or("missing", False), False),
        (lambda f: f.table("table").table("inner").integer("deep"), 1),
        (lambda f: f.table_or_empty("missing").text_or("deep", "default"), "default"),
        (lambda f: f.mapping("table"), {"inner": {"deep": 1}}),
        (lambda f: f.anything("nothing"), None),
        (lambda f: f.has("nothing"), True),
        (lambda f: f.only(*VALUES), None),
    ],
)
def test_field_is_read(read: Callable[[Fields], Any], value: Any) -> None:
    """A field of the right type comes back as it is, and an optional one has its default."""
    assert read(Fields(VALUES)) == value


@pytest.mark.parametrize(
    ("read", "param", "code", "message"),
    [
        (lambda f: f.anything("x"), "x", "missing_required_parameter", "Missing required parameter: 'x'."),
        (lambda f: f.text("whole"), "whole", "invalid_type", "expected a string, but got an integer instead."),
        (lambda f: f.text("part"), "part", "invalid_type", "expected a string, but got a decimal instead."),
        (lambda f: f.text("array"), "array", "invalid_type", "expected a string, but got an array instead."),
        (lambda f: f.text("nothing"), "nothing", "invalid_type", "expected a string, but got null instead."),
        (lambda f: f.text_or_none("nothing"), "nothing", "invalid_type", "but got null instead."),
        (lambda f: f.integer("flag"), "flag", "invalid_type", "expected an integer, but got a boolean instead."),
        (lambda f: f.integer("part"), "part", "invalid_type", "expected an integer, but got a decimal instead."),
        (
            lambda f: f.flag_or("whole", True),
            "whole",
            "invalid_type",
            "expected a boolean, but got an integer instead.",
        ),
        (lambda f: f.table("text"), "text", "invalid_type", "expected an object, but got a string instead."),
        (lambda f: f.array("text"), "text", "invalid_type", "expected an array, but got a string instead."),
        (lambda f: f.texts("array"), "array[1]", "invalid_type", "expected a string, but got an integer instead."),
        (lambda f: f.tables("array"), "array[0]", "invalid_type", "expected an object, but got a string instead."),
        (lambda f: f.table("table").text("inner"), "table.inner", "invalid_type", "but got an object instead."),
        (lambda f: f.text("empty", at_least=1), "empty", "empty_string", "but got an empty string instead."),
        (lambda f: f.text("text", at_least=4), "text", "string_below_min_length", "a string with length 3 instead."),
        (lambda f: f.text("text", at_most=2), "text", "string_above_max_length", "maximum length 2, but got"),
        (
            lambda f: f.text("text", one_of=("milk", "water", "juice")),
            "text",
            "invalid_value",
            "Invalid value: 'tea'. Supported values are: 'milk', 'water' and 'juice'.",
        ),
        (
            lambda f: f.integer("whole", at_least=8),
            "whole",
            "integer_below_min_value",
            "Expected a value >= 8, but got 7",
        ),
        (
            lambda f: f.integer("whole", at_most=6),
            "whole",
            "integer_above_max_value",
            "Expected a value <= 6, but got 7",
        ),
        (lambda f: f.only("text"), "empty", "unknown_parameter", "Unknown parameter: 'empty'."),
        (lambda f: f.table("table").only(), "table.inner", "unknown_parameter", "Unknown parameter: 'table.inner'."),
    ],
)
def test_field_that_is_wrong_is_named(read: Callable[[Fields], Any], param: str, code: str, message: str) -> None:
    """The error has the field's path, the API's code, and a message of the API's wording."""
    with pytest.raises(FieldError) as caught:
        read(Fields(VALUES))
    assert (caught.value.param, caught.value.code) == (param, code)
    assert message in str(caught.value)


def test_null_stands_for_absence_only_where_it_may() -> None:
    """With `allows_null` an optional field may be null, down to the fields of its objects; a required one may not."""
    lenient = Fields({"a": None, "inner": {"b": None}}, allows_null=True)
    assert lenient.text_or_none("a") is None
    assert lenient.table("inner").integer_or_none("b") is None
    assert not lenient.is_given("a")
    with pytest.raises(FieldError):
        lenient.text("a")
    with pytest.raises(FieldError):
        lenient.text_or("a", "default")


@pytest.mark.parametrize("values", [None, [], "text", 7])
def test_only_objects_have_fields(values: Any) -> None:
    """Anything else is refused as a whole."""
    with pytest.raises(FieldError, match="expected an object"):
        Fields(values)

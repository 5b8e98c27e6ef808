"""What was saved is read as it was written, also by earlier versions; what does not fit is one error that says what and where."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import RecordingError
from harness.model import codec
from harness.model.codec import Format, NewerFormat, RelativePath, Text, Timeout, Unfit
from harness.model.manifest import manifest_from, saved_manifest
from harness.model.results import TestOutcome, VisitResult
from harness.model.snapshot import saved_snapshot, snapshot_of
from harness.model.timeline import encode, read_saved
from harness.report.baseline_file import read_baseline, render_baseline
from harness.report.bundle import read_result, saved_result
from harness.report.history import read_history, saved_line
from harness.report.run_on_disk import outcomes_in, record_in

SAVED = Path(__file__).parent / "saved_v1"  # written by the version before there was a codec


def saved(name: str) -> Any:
    """Return what a saved file holds."""
    return json.loads((SAVED / name).read_text(encoding="utf-8"))


def lines_of(name: str) -> list[str]:
    """Return the lines of a saved file."""
    return (SAVED / name).read_text(encoding="utf-8").splitlines()


# --- files of earlier versions ------------------------------------------------------------------------------------


def test_an_earlier_timeline_is_read() -> None:
    """Every line, with every value; and it is written as it was."""
    rows = lines_of("timeline.jsonl")
    entries, started_at = read_saved(rows)
    assert started_at == json.loads(rows[0])["started_at"]
    assert [json.loads(encode(entry)) for entry in entries] == [json.loads(row) for row in rows[1:]]


def test_an_earlier_result_is_read() -> None:
    """And written as it was."""
    result = read_result(SAVED)
    assert (result.outcome, result.cause.rule if result.cause else "") == ("failed", "loader-not-referenced")
    assert json.loads(json.dumps(saved_result(result))) == {**saved("result.json"), "unreplayable": []}


def test_an_earlier_manifest_is_read() -> None:
    """And written as it was."""
    data = saved("manifest.json")
    manifest = manifest_from(data, "manifest.json")
    assert [action.target for action in manifest.actions] == ["Topic Generation"]
    assert json.loads(json.dumps(saved_manifest(manifest))) == data


def test_an_earlier_run_is_read() -> None:
    """Its record and its tests."""
    record, damage = record_in(SAVED)
    assert record is not None
    assert codec.plain(record) | {"format": "chatkit-harness/run", "version": 1} == saved("run.json")
    outcomes, damaged = outcomes_in(SAVED)
    assert [codec.plain(outcome) for outcome in outcomes] == list(map(json.loads, lines_of("tests.jsonl")))
    assert damage == damaged == ()


def test_an_earlier_history_baseline_and_snapshot_are_read() -> None:
    """And written as they were."""
    history = read_history(SAVED / "history.jsonl")
    assert [json.loads(json.dumps(saved_line(line))) for line in history.lines] == list(
        map(json.loads, lines_of("history.jsonl"))
    )
    assert json.loads(render_baseline(read_baseline(SAVED / "baseline.json"))) == saved("baseline.json")
    assert saved_snapshot(snapshot_of(saved("snapshot.json"), "snapshot.json")) == {
        **saved("snapshot.json"),
        "outside": [],
        "sdk": {"options": (), "events": (), "log_lines": ()},
    }


# --- files that somebody changed ----------------------------------------------------------------------------------

ABSURD: list[tuple[str, Any, str]] = [
    ("judged.mount_timeout_ms", 1e9, "a number <= 86400000"),
    ("judged.quiet_ms", -1, "a number >= 0"),
    ("judged.prefetch", None, "a text"),
    ("environment.width", 1e12, "a whole number"),
    ("environment.width", 10**12, "a whole number <= 20000"),
    ("environment.height", True, "a whole number"),
    ("environment.scale", 0, "a number > 0"),
    ("environment.locale", "../../en", "a locale"),
    ("environment.timezone", "Europe/Berlin\x00", "a time zone"),
    ("environment.color_scheme", "purple", "light, dark or no-preference"),
    ("url", "https://app.test/\x00", "a text without NUL"),
    ("left_out", 1e300, "a whole number"),
    ("storage", {"cookies": 7}, "a list"),
    ("storage", {"cookies": [{"name": "a", "value": 7}]}, "a text"),
    ("storage", {"cookies": [{"name": "a", "value": "b", "expires": -5}]}, "a number >= -1"),
    ("storage", {"origins": [{"origin": "file:///etc/passwd"}]}, "an origin"),
    ("files", [{"name": "../../.ssh/id", "sha256": "0" * 64, "size_bytes": 1}], "a path below the folder"),
    ("files", [{"name": "/etc/passwd", "sha256": "0" * 64, "size_bytes": 1}], "a path below the folder"),
    ("files", [{"name": "C:\\a", "sha256": "0" * 64, "size_bytes": 1}], "a path below the folder"),
    ("files", [{"name": "a", "sha256": "0" * 63, "size_bytes": 1}], "a SHA-256"),
    ("placeholders", {"<redacted:cookie:1>": [10**9]}, "a whole number <= 1000000"),
    ("placeholders", {"<redacted:cookie:1>": [{}]}, "base64 or base64url"),
]


@pytest.mark.parametrize(("place", "value", "expected"), ABSURD, ids=[f"{p}={v!r:.30}" for p, v, _ in ABSURD])
def test_what_no_manifest_holds_is_one_error(place: str, value: Any, expected: str) -> None:
    """The file, the field, what was expected, what was found, what to do; exit code 11."""
    data = saved("manifest.json")
    *way, last = place.split(".")
    table = data
    for step in way:
        table = table[step]
    table[last] = value
    with pytest.raises(Unfit) as raised:
        manifest_from(data, "sent.zip: manifest.json")
    told = str(raised.value)
    assert raised.value.exit_code == 11
    assert told.startswith("sent.zip: manifest.json is damaged\n")
    assert f"  at:       {place}" in told
    assert f"  expected: {expected}" in told
    assert "\n  to fix:   " in told


def replaced_somewhere(data: Any, choose: Callable[[int], int], value: Any) -> Any:
    """Return JSON with one value in it, however deep, replaced."""
    if isinstance(data, dict | list) and data and choose(3):
        keys: list[Any] = list(data) if isinstance(data, dict) else list(range(len(data)))
        key = keys[choose(len(keys) - 1)]
        data[key] = replaced_somewhere(data[key], choose, value)
        return data
    return value


ANY_JSON = st.recursive(
    st.sampled_from([None, True, -1, 0, 2**70, 1e308, "", "\x00", "\ud800", "../..", "x" * 5_000]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "base64", "\x00"]), inner),
    max_leaves=4,
)
READERS: dict[str, Callable[[Any], Any]] = {
    "manifest.json": lambda data: saved_manifest(manifest_from(data, "manifest.json")),
    "snapshot.json": lambda data: saved_snapshot(snapshot_of(data, "snapshot.json")),
    "result.json": lambda data: codec.decoded(VisitResult, codec.pairs(data, "tracks"), where="result.json"),
    "tests.jsonl": lambda data: codec.decoded(TestOutcome, data, where="tests.jsonl"),
}


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
def test_any_change_is_read_or_is_that_error(name: str, data: st.DataObject) -> None:
    """Never another exception, and never a message without its place."""
    value = replaced_somewhere(saved(name), lambda most: data.draw(st.integers(0, most)), data.draw(ANY_JSON))
    told = refusal(lambda: READERS[name](value))
    assert not told or told.startswith(name)
    assert not told or "to fix" in told or "update" in told


def refusal(read: Callable[[], Any]) -> str:
    """Return what the one error says that there is, "" without one."""
    try:
        read()
    except RecordingError as error:
        return str(error)
    return ""


# --- JSON ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["NaN", "[Infinity]", "[-Infinity]", "[1e999]", "9" * 5_000, "[" * 100_000, '{"a":' * 100_000, "{", "", b"\xff"],
)
def test_what_is_no_json_is_refused(text: str | bytes) -> None:
    """Also what Python would read as JSON, and what has no end."""
    with pytest.raises(Unfit, match=r"x\.json is damaged"):
        codec.parsed(text, "x.json")


def test_half_a_character_is_read() -> None:
    """A page may say one, and `JSON.stringify` writes it as an escape."""
    assert codec.parsed('["\\ud83d", 1.5, 10000000000000000000000]', "x") == ["\ud83d", 1.5, 10**22]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_no_number_is_written_that_json_does_not_have(number: float) -> None:
    """A time that is none is written as one that is not known."""
    assert json.loads(codec.json_text({"a": [number, 1.5], "b": {"c": number}})) == {"a": [-1, 1.5], "b": {"c": -1}}
    assert codec.plain((number, 2)) == [-1, 2]


# --- versions -----------------------------------------------------------------------------------------------------


def test_a_header_is_checked_in_one_place() -> None:
    """Another kind of file, no version, a newer one; an older one is read."""
    of_two = Format(name="ours", version=2)
    assert of_two.opened({"format": "ours", "version": 1, "a": 7}, "f")["a"] == 7
    assert of_two.opened({**of_two.header}, "f") == {"format": "ours", "version": 2}
    with pytest.raises(NewerFormat, match=r"^f: format 3 is newer than the 2 that .*; update chatkit-harness$"):
        of_two.opened({"format": "ours", "version": 3}, "f")
    for data in ([], None, {"format": "theirs", "version": 1}, {"version": 1}):
        with pytest.raises(RecordingError, match=r"^f is not a ours file: it is "):
            of_two.opened(data, "f")
    for version in (None, True, "1", 1.0, 0, -1):
        with pytest.raises(Unfit, match=r"at: +version"):
            of_two.opened({"format": "ours", "version": version}, "f")


# --- the place in a message ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """A value in a value."""

    limit_ms: Timeout
    name: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    """What the messages are about."""

    tables: dict[str, tuple[Inner, ...]]
    paths: dict[str, RelativePath] | None = None


PLACES: list[tuple[Any, str, str]] = [
    (
        {"tables": {"a": [{"limit_ms": 1}], "b": [{"limit_ms": 1}, {"limit_ms": "2"}]}},
        "top.tables.b[1].limit_ms",
        '"2"',
    ),
    ({"tables": {"a": [{"limit_ms": 1}], "b": {}}}, "top.tables.b", "{}"),
    ({"tables": {}, "paths": {"x": "ok", "y": "a/../b"}}, "top.paths.y", '"a/../b"'),
    ({"tables": {"a": [{}]}}, "top.tables.a[0]", "none"),
    ({"tables": {"a": [{"limit_ms": 1, "name": "\x00"}]}}, "top.tables.a[0].name", '"\\u0000"'),
    ([], "top", "[]"),
]


@pytest.mark.parametrize(("data", "at", "found"), PLACES, ids=[at for _, at, _ in PLACES])
def test_the_place_is_named_in_full(data: Any, at: str, found: str) -> None:
    """Also where it is below a key of an object, which the library does not name; and the values are left as they were."""
    before = json.dumps(data)
    with pytest.raises(Unfit) as raised:
        codec.decoded(Outer, data, where="f", at="top")
    assert (raised.value.at, raised.value.found) == (at, found)
    assert json.dumps(data) == before


def test_a_field_that_is_missing_is_named() -> None:
    """And a long value is cut."""
    with pytest.raises(Unfit, match="expected: a field limit_ms\n"):
        codec.decoded(Inner, {}, where="f")
    with pytest.raises(Unfit) as raised:
        codec.decoded(Inner, {"limit_ms": "x" * 1_000_000}, where="f")
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize("path", ["a", "a/b.c", "visit-1/dom.html", "..a", "a..", "a/...b", "ä/✖"])
def test_paths_below_a_folder_fit(path: str) -> None:
    """With any name."""
    assert codec.fits(RelativePath, path)


@pytest.mark.parametrize(
    "path", ["", ".", "..", "../a", "a/..", "a/../b", "./a", "/a", "a\\b", "C:a", "a\x00", "a\n", "x" * 1_001]
)
def test_paths_that_lead_elsewhere_do_not(path: str) -> None:
    """On any system."""
    assert not codec.fits(RelativePath, path)

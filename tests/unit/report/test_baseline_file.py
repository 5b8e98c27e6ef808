"""The baseline on disk: the same again after a round, the same text for the same run, and one clear error for what is no baseline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.baseline import RunProfile, VisitProfile
from harness.errors import ConfigError
from harness.report.baseline_file import Baseline, read_baseline, render_baseline, write_baseline


def visit(test: str = "test_a.py::test[chromium]", number: int = 1, **changes: Any) -> VisitProfile:
    """Return a profile of a visit."""
    told: dict[str, Any] = {
        "entry": "chat",
        "outcome": "mounted",
        "console_errors": ("x is not defined", "äöü \u2028"),
        "outside_hosts": ("cdn.platform.openai.com",),
        "session_requests": 1,
        "milestones": (("page-loaded", 200.0), ("composer-ready", 640.0), ("mounted", None)),
    }
    return VisitProfile(test=test, number=number, **told | changes)


RUN = RunProfile(
    tests=("test_b.py::test", "test_a.py::test[chromium]"), visits=(visit(number=2), visit()), control_ms=400.0
)
BASELINE = (
    Baseline().with_run("staging", "chromium", RUN).with_run("app", "firefox", RUN).with_run("app", "chromium", RUN)
)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """Every project and browser, times within a hundredth of a control; a second round changes nothing any more."""
    path = tmp_path / "baseline.json"
    write_baseline(path, BASELINE)
    read = read_baseline(path).run("app", "firefox")
    assert read is not None
    assert set(read.tests) == set(RUN.tests)
    assert read.visits == (visit(), visit(number=2))
    assert read.control_ms == 400.0
    assert read_baseline(path).run("app", "webkit") is None
    assert render_baseline(read_baseline(path)) == path.read_text(encoding="utf-8") == render_baseline(BASELINE)


def test_the_text_does_not_depend_on_the_order_in_which_tests_ran() -> None:
    """Two workers finish in any order; hosts and errors are sorted too."""
    hosts = visit(outside_hosts=("b.example", "a.example"), console_errors=("y", "x"))
    sorted_hosts = visit(outside_hosts=("a.example", "b.example"), console_errors=("x", "y"))
    one = RunProfile(tests=("t", "s"), visits=(hosts, visit("s")), control_ms=400.0)
    other = RunProfile(tests=("s", "t"), visits=(visit("s"), sorted_hosts), control_ms=400.0)
    assert render_baseline(Baseline().with_run("p", "b", one)) == render_baseline(Baseline().with_run("p", "b", other))


def test_times_are_told_in_controls_and_may_be_unknown() -> None:
    """So that they mean something elsewhere; without a control the milestones are there without times."""
    text = render_baseline(BASELINE)
    milestones = json.loads(text)["projects"]["app"]["chromium"]["tests"]["test_a.py::test[chromium]"][0]["milestones"]
    assert milestones == {"page-loaded": 0.5, "composer-ready": 1.6, "mounted": None}
    unmeasured = RunProfile(tests=("t",), visits=(visit("t"),), control_ms=None)
    saved = json.loads(render_baseline(Baseline().with_run("p", "b", unmeasured)))["projects"]["p"]["b"]
    assert saved["control_ms"] is None
    assert set(saved["tests"]["t"][0]["milestones"].values()) == {None}


def changed(**values: Any) -> str:
    """Return the text of a baseline of which one visit, run or head has other values."""
    data = json.loads(render_baseline(BASELINE))
    run = data["projects"]["app"]["chromium"]
    for name, value in values.items():
        place = data if name in data else run if name in run else run["tests"]["test_a.py::test[chromium]"][0]
        place[name] = value
    return json.dumps(data)


BAD = [
    ("empty", "", "the baseline is damaged", "not JSON"),
    ("cut", render_baseline(BASELINE)[:400], "the baseline is damaged", "not JSON"),
    ("a merge conflict", "<<<<<<< HEAD\n" + render_baseline(BASELINE), "the baseline is damaged", "not JSON"),
    ("too deep", "[" * 100_000, "the baseline is damaged", "nested too deeply"),
    ("a list", "[]", "this is not a baseline", "another kind of JSON"),
    ("another format", changed(format="chatkit-harness/result"), "this is not a baseline", "name the right file"),
    ("newer", changed(version=2), "format 2 is newer than the 1", "update chatkit-harness"),
    ("version as a text", changed(version="1"), "the baseline is damaged", 'found:    "1"'),
    ("version true", changed(version=True), "the baseline is damaged", "found:    true"),
    (
        "no projects",
        changed(projects=None),
        "the baseline is damaged",
        "key:      projects\n  expected: an object\n  found:    null",
    ),
    (
        "tests as a list",
        changed(tests=[]),
        "damaged",
        "projects.app.chromium.tests\n  expected: an object\n  found:    []",
    ),
    ("a test that is no list", changed(tests={"t": {}}), "damaged", "tests.t\n  expected: a list\n  found:    {}"),
    (
        "a negative control",
        changed(control_ms=-1),
        "damaged",
        "control_ms\n  expected: a number >= 0.0\n  found:    -1",
    ),
    ("an infinite time", changed(milestones={"a": float("inf")}), "damaged", "Infinity is not a number"),
    (
        "a huge time",
        changed(milestones={"a": 1e300}),
        "damaged",
        "milestones.a\n  expected: a number <= 1000000000000.0",
    ),
    ("a count as a text", changed(session_requests="1"), "damaged", "session_requests\n  expected: a whole number"),
    ("an unknown outcome", changed(outcome="well"), "damaged", "[0].outcome"),
    (
        "a host as a number",
        changed(outside_hosts=[1]),
        "damaged",
        "outside_hosts[0]\n  expected: a text\n  found:    1",
    ),
]


@pytest.mark.parametrize(("text", "what", "detail"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_what_is_no_baseline_is_refused(tmp_path: Path, text: str, what: str, detail: str) -> None:
    """One error that names the file, what is wrong with it, and what to do."""
    path = tmp_path / "baseline.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        read_baseline(path)
    told = str(raised.value)
    assert what in told.splitlines()[0]
    assert detail in told
    assert f"in:       {path}" in told
    assert "to fix:" in told
    assert "--update-baseline" in told


def test_what_cannot_be_read_or_written_is_refused(tmp_path: Path) -> None:
    """A file that is not there says how to make it; a folder, and bytes that are no text."""
    with pytest.raises(ConfigError, match=r"(?s)there is no baseline.*to fix: +create one.*gate --update-baseline"):
        read_baseline(tmp_path / "none.json")
    with pytest.raises(ConfigError, match=r"(?s)cannot be read.*directory"):
        read_baseline(tmp_path)
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_baseline(tmp_path / "bytes.json")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_baseline(tmp_path / "file" / "baseline.json", BASELINE)


def test_unknown_keys_are_passed_over(tmp_path: Path) -> None:
    """A later version 1 may say more."""
    data = json.loads(render_baseline(BASELINE))
    data["projects"]["app"]["chromium"]["more"] = 1
    path = tmp_path / "baseline.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    assert read_baseline(path).runs.keys() == BASELINE.runs.keys()

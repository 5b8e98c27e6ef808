"""A comparison in words: each regression with its place, both values and what to do; and as a file for programs."""

from __future__ import annotations

from harness.analysis.baseline import BaselineComparison, Regression
from harness.report.comparison import FORMAT, Compared, render_comparison, saved_comparison

REGRESSION = Regression(
    test="built-in::test_embed[chromium-chat]",
    visit=1,
    kind="new outside host",
    what="stats.example",
    before="not contacted",
    now="contacted",
    remedy="find out which script contacts it",
)
COMPARED = Compared(
    file="chatkit-baseline.json",
    project="app",
    browser="chromium",
    visits=2,
    control_ms=812.4,
    baseline_control_ms=400.0,
)
BUNDLES = {("built-in::test_embed[chromium-chat]", 1): "test-results/run-1/chat"}


def test_a_regression_is_told_with_place_values_and_remedy() -> None:
    """Six lines for each, and how to accept them."""
    told = render_comparison(COMPARED, BaselineComparison(regressions=(REGRESSION,)), BUNDLES)
    assert told.splitlines() == [
        "baseline: 1 regression in 2 visits against chatkit-baseline.json; control visit: 812 ms, in the baseline 400 ms",
        "  REGRESSION: new outside host: stats.example",
        "    in:       built-in::embed[chat]",
        "    baseline: not contacted",
        "    now:      contacted",
        "    to fix:   find out which script contacts it",
        "    bundle:   test-results/run-1/chat",
        "  to accept intended changes: chatkit-harness gate --update-baseline chatkit-baseline.json",
    ]


def test_what_an_update_accepts_is_no_regression() -> None:
    """It is listed without what to do."""
    told = render_comparison(COMPARED, BaselineComparison(regressions=(REGRESSION,)), BUNDLES, is_accepted=True)
    assert "  accepted: new outside host: stats.example" in told
    assert "REGRESSION" not in told
    assert "to fix" not in told


def test_what_was_not_compared_is_named() -> None:
    """New, missing, not seen again, notes; of very many names the first ten."""
    names = tuple(f"test_{number}.py::test" for number in range(12))
    comparison = BaselineComparison(
        regressions=(), passing=(REGRESSION,), new=names, missing=("gone.py::test",), notes=("why",)
    )
    told = render_comparison(COMPARED, comparison, BUNDLES)
    assert told.startswith("baseline: no regression in 2 visits")
    assert (
        "not reproduced, so not a regression: new outside host: stats.example in built-in::embed[chat]: contacted"
        in told
    )
    assert "  new: test_0.py::test, " in told
    assert "test_9.py::test, and 2 more (to add: chatkit-harness gate --update-baseline chatkit-baseline.json)" in told
    assert "  in the baseline, but not in this run: gone.py::test" in told
    assert "  note: why" in told


def test_the_file_for_programs_has_everything() -> None:
    """Format, version, what was compared, and each regression with its bundle."""
    saved = saved_comparison(
        COMPARED, BaselineComparison(regressions=(REGRESSION,), missing=("gone.py::test",)), BUNDLES
    )
    assert (saved["format"], saved["version"], saved["visits"]) == (FORMAT, 1, 2)
    (row,) = saved["regressions"]
    assert (row["kind"], row["what"], row["bundle"]) == ("new outside host", "stats.example", "test-results/run-1/chat")
    assert (row["before"], row["now"], row["test"]) == ("not contacted", "contacted", REGRESSION.test)
    assert saved["missing"] == ["gone.py::test"]

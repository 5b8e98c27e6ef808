"""Every scenario of the embedded default ends as `fixtures/scenarios.toml` says: verdict, last milestone, findings, in time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from visits import visited

from harness.analysis.diagnosis import GENERAL
from harness.analysis.rules import BY_ID
from harness.config.reading import Config
from harness.model.results import VisitResult
from harness.servers.scenarios import Scenario, read_scenarios
from harness.servers.server import Stack

SCENARIOS = read_scenarios()


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario_ends_as_it_says(
    name: str,
    chatkit_config: Config,
    chatkit_stack: Callable[[], Stack],
    new_context: Callable[..., Any],
    output_path: str,
) -> None:
    """The verdict and the last milestone are those of the scenario, and a failure is told soon after it happened."""
    scenario = SCENARIOS[name]
    result = visited(
        scenario, config=chatkit_config, stack=chatkit_stack(), new_context=new_context, folder=Path(output_path)
    )
    told = f"{result.reason}: {result.explanation}"
    assert (result.outcome, result.last_milestone) == (scenario.verdict, scenario.milestone), told
    if result.outcome == "failed":
        assert result.after_fact_ms <= 3_000
    assert_named(result, scenario)


def assert_named(result: VisitResult, scenario: Scenario) -> None:
    """Fail unless the findings that follow from no other are exactly those of the scenario, each with its evidence."""
    cause = [result.cause.rule] if result.cause else []
    assert bool(cause) == (not result.is_mounted)
    assert [*cause, *sorted(f.rule for f in result.also)] == [
        *scenario.rules[: len(cause)],
        *sorted(scenario.rules[len(cause) :]),
    ]
    assert all(finding.evidence and finding.evidence[0] > 0 for finding in result.findings)
    assert all(finding.caused_by for finding in result.findings if finding.role == "consequence")
    if scenario.name == "first-report":
        assert all(finding.is_prediction for finding in result.also)


def test_the_first_report_is_told_layer_by_layer() -> None:
    """One visit names the cause and what would stop the mount next; when it is mended, the next one is the cause."""
    first, second, third = (SCENARIOS[name] for name in ("first-report", "first-report-2", "first-report-3"))
    assert first.rules == ("loader-not-referenced", "mock-secret", "element-without-height")
    assert second.rules == ("mock-secret", "element-without-height")
    assert third.rules == ("element-without-height",)


def test_every_expected_finding_has_a_rule() -> None:
    """A name that nobody explains would never be found."""
    known = {*BY_ID, *GENERAL}
    assert {name for scenario in SCENARIOS.values() for name in scenario.rules} <= known
    assert all(scenario.rules for scenario in SCENARIOS.values() if scenario.verdict != "mounted")

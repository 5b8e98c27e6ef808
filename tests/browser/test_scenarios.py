"""Every scenario of the embedded default ends as `fixtures/scenarios.toml` says: verdict, last milestone, in time."""

from __future__ import annotations

import pytest

from harness import Chatkit, expect
from harness.servers.scenarios import Scenario, read_scenarios

SCENARIOS = read_scenarios().values()
FAILING = [scenario for scenario in SCENARIOS if scenario.verdict != "mounted"]
MOUNTING = [scenario for scenario in SCENARIOS if scenario.verdict == "mounted"]


def _name(scenario: Scenario) -> str:
    return scenario.name


@pytest.mark.parametrize("scenario", MOUNTING, ids=_name)
def test_scenario_mounts(chatkit: Chatkit, scenario: Scenario) -> None:
    """The widget mounts, whatever else is unusual."""
    embed = chatkit.open("topic-generation", scenario=scenario.name)
    expect(embed).to_be_mounted()
    assert embed.result().last_milestone == scenario.milestone == "mounted"


@pytest.mark.parametrize("scenario", FAILING, ids=_name)
def test_scenario_fails(chatkit: Chatkit, scenario: Scenario) -> None:
    """The mount fails after the milestone that the scenario names, decided soon after the deciding fact."""
    embed = chatkit.open("topic-generation", scenario=scenario.name)
    expect(embed).not_to_be_mounted(last_milestone=scenario.milestone)
    result = embed.result()
    assert result.outcome == scenario.verdict
    if result.outcome == "failed":
        assert result.after_fact_ms <= 3_000

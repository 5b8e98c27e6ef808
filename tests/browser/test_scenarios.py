"""Scenarios of the embedded default end in a real browser as `fixtures/scenarios.toml` says: verdict, last milestone, findings.

How every scenario's visit is judged, the recorded timelines prove without a browser (`tests/unit/test_timelines.py`). Here are those
that differ in how they are carried out; the others are part of `make soak`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from timelines import NOT_SETTINGS, expected, told
from visits import visited

from harness.analysis.diagnosis import GENERAL
from harness.analysis.rules import BY_ID
from harness.config.reading import Config
from harness.servers.scenarios import Scenario, read_scenarios
from harness.servers.server import Stack

SCENARIOS = read_scenarios()
PLAIN = Scenario(name="")
# The values are data that the same code hands over: one for each end that they lead to is enough.
HANDED_OVER_ALIKE = ("options", "secret")
# Each value of any other setting is carried out by code of its own: the page's, the app's, or a server's.
CARRIED_OUT_APART = set(PLAIN.__slots__) - {*NOT_SETTINGS, *HANDED_OVER_ALIKE, "name", "faults"}


def ways_of(scenario: Scenario) -> set[tuple[str, ...]]:
    """Return how a scenario is carried out: every unusual setting, each fault's verb, each fault's target, and where its mount ends.

    One injector carries out every verb at every target (`tests/plugin/test_faults.py`): their pairs are not seen here again.
    """
    end = (scenario.verdict, scenario.milestone)
    unusual = {name for name in PLAIN.__slots__ if getattr(scenario, name) != getattr(PLAIN, name)}
    return {
        ("end", *end),
        *((name, str(getattr(scenario, name))) for name in unusual.intersection(CARRIED_OUT_APART)),
        *((name, *end) for name in unusual.intersection(HANDED_OVER_ALIKE)),
        *(("verb", fault.verb) for fault in scenario.faults),
        *(("target", fault.target) for fault in scenario.faults),
    }


def carried_out_apart() -> set[str]:
    """Return the names of a few scenarios that are carried out in every way there is: those of the most new ways first, the quick ones."""
    ways = {name: ways_of(scenario) for name, scenario in SCENARIOS.items()}
    left, chosen = set().union(*ways.values()), set()
    while left:
        best = max(ways, key=lambda name: (len(ways[name] & left), SCENARIOS[name].verdict != "timeout"))
        chosen.add(best)
        left -= ways[best]
    return chosen


CHOSEN = carried_out_apart()


@pytest.mark.parametrize("name", [n if n in CHOSEN else pytest.param(n, marks=pytest.mark.soak) for n in SCENARIOS])
def test_scenario_ends_as_it_says(
    name: str,
    chatkit_config: Config,
    chatkit_stack: Callable[[], Stack],
    new_context: Callable[..., Any],
    output_path: str,
) -> None:
    """The verdict, the last milestone, the cause and what else is wrong are those of the scenario; the saved timeline says the same."""
    scenario = SCENARIOS[name]
    result = visited(
        scenario, config=chatkit_config, stack=chatkit_stack(), new_context=new_context, folder=Path(output_path)
    )
    assert told(result) == expected(scenario), f"{result.reason}: {result.explanation}"
    assert all(finding.evidence and finding.evidence[0] > 0 for finding in result.findings)
    if name == "first-report":
        assert all(finding.is_prediction for finding in result.also)


def test_every_way_in_which_a_scenario_is_carried_out_is_seen_here() -> None:
    """Each unusual setting of the page, the app and the servers, each verb and each target of a fault, and each end of a mount."""
    seen = set().union(*(ways_of(SCENARIOS[name]) for name in CHOSEN))
    assert seen == set().union(*map(ways_of, SCENARIOS.values()))


def test_the_first_report_is_told_layer_by_layer() -> None:
    """One visit names the cause and what would stop the mount next; when it is fixed, the next one is the cause."""
    first, second, third = (SCENARIOS[name] for name in ("first-report", "first-report-2", "first-report-3"))
    assert first.rules == ("loader-not-referenced", "mock-secret", "element-without-height")
    assert second.rules == ("mock-secret", "element-without-height")
    assert third.rules == ("element-without-height",)


def test_every_expected_finding_has_a_rule() -> None:
    """A name that nobody explains would never be found."""
    known = {*BY_ID, *GENERAL}
    assert {name for scenario in SCENARIOS.values() for name in scenario.rules} <= known
    assert all(scenario.rules for scenario in SCENARIOS.values() if scenario.verdict != "mounted")

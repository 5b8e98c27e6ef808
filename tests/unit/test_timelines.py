"""Every scenario's recorded timeline comes to what `fixtures/scenarios.toml` says, followed line by line and judged afterwards.

What no recording can show - that a browser, the page and the servers still do this - is for `tests/browser/test_scenarios.py`.
"""

from __future__ import annotations

from functools import cache

import pytest
from timelines import FOLDER, expected, read_golden, settings_of, told
from visits import limits_of

from harness.analysis.mount.verdict import Judgement, Outcome, follow, judge
from harness.analysis.result import result_of
from harness.model.limits import Limits
from harness.model.results import VisitResult
from harness.model.timeline import decode, encode
from harness.servers.scenarios import Scenario, read_scenarios

SCENARIOS = read_scenarios()
LATEST_MS = 3_000  # after the fact that excludes a mount
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
golden = cache(read_golden)


def limits(scenario: Scenario) -> Limits:
    """Return how long the recorded visit was waited for."""
    return limits_of(scenario, Limits())


def judged(scenario: Scenario) -> VisitResult:
    """Return what the recorded timeline comes to afterwards."""
    recorded = golden(scenario.name)
    return result_of(recorded.entries, limits=limits(scenario), started_at=recorded.started_at)


def test_every_scenario_has_a_timeline_and_none_is_left_over() -> None:
    """Recorded with the settings that the scenario has now."""
    assert {path.name.removesuffix(".jsonl.gz") for path in FOLDER.glob("*.gz")} == set(SCENARIOS)
    outdated = [s.name for s in SCENARIOS.values() if golden(s.name).settings != settings_of(s)]
    assert not outdated, f"record them again: make timelines ARGS='{' '.join(outdated)}'"


@every_scenario
def test_a_timeline_comes_to_what_its_scenario_says(scenario: Scenario) -> None:
    """The verdict, the last milestone, the cause, what else is wrong, and how the secret came; each finding cites lines that are there."""
    result = judged(scenario)
    assert told(result) == expected(scenario), result.explanation
    lines = {entry.seq for entry in golden(scenario.name).entries}
    assert all(finding.evidence and lines.issuperset(finding.evidence) for finding in result.findings)
    assert all(finding.caused_by for finding in result.findings if finding.role == "consequence")


@every_scenario
def test_the_live_wait_comes_to_the_same(scenario: Scenario) -> None:
    """It has its verdict by the end of the visit, soon after the fact that excludes a mount, and keeps it."""
    followed, before = Judgement(limits=limits(scenario)), None
    for entry in golden(scenario.name).entries:
        last, followed = followed, follow(followed, entry)
        before = last if followed.verdict is not None and last.verdict is None else before
    assert followed == judge(golden(scenario.name).entries, limits(scenario))
    verdict = followed.verdict
    assert verdict is not None
    assert before is not None
    assert (verdict.outcome, verdict.mount.last_milestone) == (scenario.verdict, scenario.milestone)
    if verdict.outcome is Outcome.FAILED:
        assert before.due_ms - verdict.fact_at_ms <= LATEST_MS


@every_scenario
def test_a_line_is_written_as_it_was_read(scenario: Scenario) -> None:
    """Nothing of a real visit is lost between the disk and the judgement."""
    entries = golden(scenario.name).entries
    assert tuple(decode(encode(entry)) for entry in entries) == entries

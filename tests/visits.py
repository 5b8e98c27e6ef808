"""Visits of the embedded default in a real browser, and what their saved timelines say afterwards.

In: a scenario, and pytest-playwright's contexts. Out: its result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.analysis.mount.verdict import Judgement, follow, judge
from harness.analysis.result import result_of
from harness.config.reading import Config
from harness.model.limits import Limits
from harness.model.results import VisitResult
from harness.model.timeline import read_timeline
from harness.servers.scenarios import Scenario
from harness.servers.server import Stack
from harness.visit.opening import open_visit
from harness.visit.target import Keep, target_of
from harness.visit.visit import Visit

QUICK_MS = 6_000  # how long what cannot be decided is awaited here; every other visit has the usual time


def visited(
    scenario: Scenario, *, config: Config, stack: Stack, new_context: Callable[..., Any], folder: Path
) -> VisitResult:
    """Return what a visit without trace and screenshots comes to, live; its timeline says the same afterwards."""
    target = target_of(config.project("local"), entry="topic-generation", stack=stack)
    url = stack.app_url if scenario.origin == "local" else scenario.origin
    target = replace(target, scenario=scenario, url=url + config.project("local").page)
    target = replace(target, limits=limits_of(scenario, target.limits))
    keep = Keep(trace="off", screenshot="off")
    with open_visit(new_context, target, folder, config=config, keep=keep, stack=stack) as visit:
        visit.open()
        result = visit.wait_until_decided()
        assert_same_afterwards(visit, result)
    return result


def limits_of(scenario: Scenario, usual: Limits) -> Limits:
    """Return how long a scenario is waited for."""
    return replace(usual, mount_timeout_ms=QUICK_MS) if scenario.verdict == "timeout" else usual


def assert_same_afterwards(visit: Visit, live: VisitResult) -> None:
    """Fail unless the saved timeline, followed event by event or judged as a whole, comes to the live verdict."""
    judgement, entries = visit.embed.judged()
    saved = read_timeline((visit.folder / "timeline.jsonl").read_text(encoding="utf-8").splitlines())[: len(entries)]
    followed = Judgement(limits=visit.target.limits)
    for entry in saved:
        followed = follow(followed, entry)
    assert followed == judge(saved, visit.target.limits) == judgement
    again = result_of(
        saved, limits=visit.target.limits, started_at=live.started_at, prefetch_expected=visit.target.prefetch
    )
    assert (again.outcome, again.reason, again.decided_at_ms) == (live.outcome, live.reason, live.decided_at_ms)
    assert [(f.rule, f.role, f.evidence) for f in again.findings] == [
        (f.rule, f.role, f.evidence) for f in live.findings
    ]

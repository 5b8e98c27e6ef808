"""Every scenario: recorded, redacted, and had again by a fresh process while every server is down. And what experiments find."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from harness.replaying import cause_of
from harness.report.recordings import opened_recording
from harness.servers.scenarios import Scenario, read_scenarios, scenario_named
from harness.servers.server import serve_stack
from tests.commands import run_command
from tests.recorded import plain_config, record_scenario

SCENARIOS = read_scenarios()
FAILING = [name for name, scenario in SCENARIOS.items() if scenario.verdict != "mounted"]
# Of those that fail: what the experiments should name, where that is not the target of the scenario's one fault.
OF_FIELD = {
    "wrapper": {"embed"},
    "container": {"layout"},
    "options": {"options", "verify", "embed"},
    "script": {"tag", "script", "embed", "frame"},
    "session": {"session"},
    "secret": {"session", "conversation", "embed"},
    "session_auth": {"session"},
    "backend": {"custom", "options"},
    "api_key": {"session"},
    "send_user": {"session"},
    "workflow_visible": {"session"},
    "mock_mode": {"session"},
    "domain_verified": {"verify"},
}
LEAST_FOUND = 0.9


@pytest.fixture(scope="module")
def bundles(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bundle for each scenario; the servers are gone."""
    folder = tmp_path_factory.mktemp("bundles")
    with serve_stack(scenario=scenario_named("healthy")) as stack:
        for name in SCENARIOS:
            record_scenario(browser, stack, name, folder / name)
    return folder


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_is_reproduced(bundles: Path, tmp_path: Path, name: str) -> None:
    """The same verdict, and the same cause where there is one; no request was missed."""
    done = run_command("repro", str(bundles / name), "--json", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert told["comparison"]["is_same"], (told["comparison"], told["misses"])
    assert done.returncode == 0


def expected_of(scenario: Scenario) -> set[str]:
    """Return what healing should let a scenario's widget mount, any of it; nothing where several faults come together."""
    plain = Scenario(name=scenario.name)
    changed = {field for field in OF_FIELD if getattr(scenario, field) != getattr(plain, field)}
    changed -= {"mock_mode"} if "workflow_visible" in changed else set()
    if scenario.session_auth == "signed-in":
        changed.discard("session_auth")
    targets = {fault.target for fault in scenario.faults}
    if len(changed) + len(targets) != 1:
        return set()
    expected = set().union(*(OF_FIELD[field] for field in changed)) or {
        "session" if t == "openai-sessions" else t for t in targets
    }
    return expected | ({"options"} if expected == {"custom"} else set())


def test_experiments_find_the_fault(browser: Browser, bundles: Path, tmp_path: Path) -> None:
    """In nine of ten scenarios with a single fault; and in the first report all three."""
    config, wrong = plain_config(tmp_path), {}
    single = [name for name in FAILING if expected_of(SCENARIOS[name])]
    for name in single:
        with opened_recording(bundles / name) as (recording, _):
            found = cause_of(browser, recording, tmp_path / name, config=config).found.names
        if not found or not set(found) <= expected_of(SCENARIOS[name]):
            wrong[name] = found
    assert len(wrong) <= (1 - LEAST_FOUND) * len(single), wrong
    with opened_recording(bundles / "first-report") as (recording, _):
        found = cause_of(browser, recording, tmp_path / "first-report", config=config).found.names
    assert set(found) == {"tag", "session", "layout"}

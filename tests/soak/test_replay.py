"""Every scenario: recorded, redacted, and had again by a fresh process while every server is down. And what experiments find."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from harness.report.recordings import opened_recording
from harness.servers.scenarios import Scenario, read_scenarios, scenario_named
from harness.servers.server import serve_stack
from harness.visit.replay import cause_of
from tests.commands import clean_environ, run_command
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


# --- smaller ------------------------------------------------------------------------------------------------------

UNRELATED = 200


def test_a_bundle_with_many_unrelated_requests_is_made_smaller(bundles: Path, tmp_path: Path) -> None:
    """The relevant ones are left, and show the same cause."""
    folder = tmp_path / "noisy"
    shutil.copytree(bundles / "session-401", folder)
    har = json.loads((folder / "network.har").read_text(encoding="utf-8"))
    entries = har["log"]["entries"]
    for number in range(UNRELATED):
        request = {**entries[0]["request"], "url": f"https://ads.test/{number}.gif"}
        entries.append({**entries[0], "request": request, "_seq": 10_000 + number, "_resourceType": "image"})
    (folder / "network.har").write_text(json.dumps(har))
    done = run_command("repro", str(folder), "--minimise", "small.zip", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    with opened_recording(tmp_path / "small.zip") as (recording, _):
        assert 0 < len(recording.exchanges) < len(entries) - UNRELATED
        assert not any("ads.test" in exchange.url for exchange in recording.exchanges)
    again = run_command("repro", "small.zip", cwd=tmp_path)
    assert again.stdout.splitlines()[2] == "reproduced: same verdict, same cause", again.stdout


def test_a_bundle_becomes_a_test_of_the_users_own(bundles: Path, tmp_path: Path) -> None:
    """It passes, by itself, in an empty project."""
    done = run_command("repro", str(bundles / "session-401"), "--to-scenario", "Chat is down", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    test = tmp_path / "tests" / "e2e" / "test_chat_is_down.py"
    passed = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(test)],
        cwd=tmp_path,
        env=clean_environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert passed.returncode == 0, passed.stdout


# --- projects -----------------------------------------------------------------------------------------------------

PROJECT = """
[projects.recorded]
base_url = "{base_url}"
page = "/test-chatkit"
network = "replay:recordings/{{entry}}.zip"
record = "once"
max_age_days = 30
entries = {{ topic = {{ click = "Topic Generation" }} }}
"""


def test_a_project_is_recorded_once_and_answered_from_that(tmp_path: Path) -> None:
    """The second gate passes although no server is there any more; when the recording is too old, it ends with 11."""
    with serve_stack(scenario=scenario_named("healthy"), is_for_people=True) as stack:
        (tmp_path / "playwright.config.toml").write_text(PROJECT.format(base_url=stack.app_url))
        first = run_command("gate", cwd=tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr
    archive = tmp_path / "recordings" / "topic.zip"
    second = run_command("gate", cwd=tmp_path)
    assert second.returncode == 0, second.stdout + second.stderr
    with zipfile.ZipFile(archive) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    manifest = json.loads(members["manifest.json"]) | {"started_at": "2020-01-01T00:00:00+00:00"}
    with zipfile.ZipFile(archive, "w") as packed:
        for name, content in (members | {"manifest.json": json.dumps(manifest)}).items():
            packed.writestr(name, content)
    third = run_command("gate", cwd=tmp_path)
    assert third.returncode == 11, third.stdout + third.stderr
    assert "max_age_days is 30" in third.stdout

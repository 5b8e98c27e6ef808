"""Scenario and fault files: what they may say, and how a mistake in one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.mount.state import Milestone
from harness.errors import ConfigError
from harness.model.faults import render_fault
from harness.servers.named_faults import faults_of, fixtures_dir, named_faults, read_faults
from harness.servers.scenarios import ALLOWED, Scenario, read_scenarios, scenario_named

SCENARIOS = read_scenarios()
PAGES = fixtures_dir() / "pages"


def test_scenarios_are_many_and_whole() -> None:
    """Each says what it is about, ends in a milestone that there is, and fails exactly when it is not mounted."""
    assert len(SCENARIOS) >= 60
    for scenario in SCENARIOS.values():
        assert scenario.about.endswith("."), scenario.name
        assert scenario.milestone in list(Milestone), scenario.name
        assert (scenario.verdict == "mounted") is (scenario.milestone == "mounted"), scenario.name


def test_every_named_fault_is_in_a_scenario_or_means_something_of_its_own() -> None:
    """No two names say the same, and each says what it does."""
    said = [tuple(map(render_fault, fault.faults)) for fault in named_faults().values()]
    assert len(set(said)) == len(said)
    assert all(fault.about.endswith(".") for fault in named_faults().values())


@pytest.mark.parametrize(
    ("key", "module", "table"),
    [
        ("wrapper", "wrappers.js", "wrappers"),
        ("options", "options.js", "options"),
        ("extras", "extras.js", "extras"),
    ],
)
def test_page_has_every_variant(key: str, module: str, table: str) -> None:
    """What a scenario may name is what the page's module has, no more and no less."""
    text = (PAGES / module).read_text(encoding="utf-8")
    body = text.split(f"export const {table} = {{\n")[1].split("\n};")[0]
    names = {line.strip().split(":")[0].split(",")[0].strip("'") for line in body.splitlines() if line[2:3] not in " }"}
    assert names == set(ALLOWED[key])


def test_style_sheet_has_every_container() -> None:
    """Each container but the plain one, and those that a script makes, has its looks."""
    css = (PAGES / "test-chatkit.css").read_text(encoding="utf-8")
    assert {name for name in ALLOWED["container"] if f".is-{name}" not in css} == {"plain", "covered"}


def _written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "scenarios.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[a]\nwraper = 'prefetch'", ("scenario 'a', key 'wraper'", "nearest:  wrapper")),
        ("[a]\nname = 'b'", ("scenario 'a', key 'name'", "expected: one of about,")),
        ("[a]\nwrapper = 'prefech'", ("key 'wrapper': found 'prefech'", "nearest:  prefetch")),
        ("[a]\nmock_mode = 'yes'", ("key 'mock_mode': found 'yes'", "a value of type bool")),
        ("[a]\nchunk_gap_ms = true", ("key 'chunk_gap_ms': found True", "a value of type int")),
        ("[a]\nfaults = 'session-401'", ("key 'faults': found 'session-401'", "a list of strings")),
        ("[a]\nrules = [1]", ("key 'rules'", "a list of strings")),
        (
            "[a]\nfaults = ['session-402']",
            ("scenario 'a', key 'faults'", "no fault 'session-402'", "nearest:  session-4"),
        ),
        ("[a]\nfaults = ['stauts:session=1']", ("scenario 'a', key 'faults'", "unknown verb 'stauts'")),
        ("[a]\nverdict = 'lost'", ("key 'verdict'", "mounted, failed, timeout")),
        ("a = 1", ("a is outside of a table",)),
        ("[a", ("is not TOML",)),
    ],
)
def test_mistake_in_a_scenario_file_is_named(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    """File, scenario and key, what was expected, and the nearest."""
    path = _written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_scenarios(path)
    said = str(caught.value)
    assert said.startswith(str(path))
    assert all(word in said for word in words), said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[a]\nabout = 'x'", ("fault 'a', key 'faults'", "found None")),
        ("[a]\nfaults = ['hang:session']", ("fault 'a', key 'about'",)),
        ("[a]\nabout = 'x'\nfaults = []", ("fault 'a', key 'faults'", "found []")),
        ("[a]\nabout = 'x'\nfault = ['hang:session']", ("unknown key 'fault'", "nearest:  faults")),
        ("[a]\nabout = 'x'\nfaults = ['hang:sesion']", ("fault 'a', key 'faults'", "nearest:  session")),
        ("a = 'x'", ("a must be a table",)),
    ],
)
def test_mistake_in_a_fault_file_is_named(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    """File, fault and key."""
    path = _written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_faults(path)
    said = str(caught.value)
    assert said.startswith(str(path))
    assert all(word in said for word in words), said


def test_scenario_states_faults_by_name_and_in_the_language(tmp_path: Path) -> None:
    """Both may be mixed, and a later one can take back an earlier one."""
    path = _written(tmp_path, "[a]\nfaults = ['session-401', 'frame-400', 'session=healthy', 'delay:verify=2s']")
    assert [render_fault(f) for f in read_scenarios(path)["a"].faults] == ["status:frame=400", "delay:verify=2s"]
    assert Scenario(name="a").faults == ()


def test_name_that_is_not_there_is_answered_with_the_nearest() -> None:
    """For faults and for scenarios alike."""
    with pytest.raises(ConfigError, match=r"no fault 'session401'\n  nearest:  session-401"):
        faults_of(["session401"])
    with pytest.raises(ConfigError, match=r"no scenario 'first-raport'\n  nearest:  first-report"):
        scenario_named("first-raport")

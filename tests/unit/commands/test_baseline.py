"""What a gate does with a baseline: which file, compared or updated or neither, and when an update is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import Steps, console_message, entries, hosted, pause, request_started, session_fetched, visit_ended

from harness.analysis.result import result_of
from harness.commands.baseline import BaselineOptions, BaselineOutcome, judge_run, plan_of, read_run
from harness.config.reading import read_config
from harness.errors import ConfigError
from harness.model.codec import json_text, plain
from harness.model.file_names import TIMELINE_NAME
from harness.model.limits import Limits
from harness.model.redaction import Redactor
from harness.model.results import TestOutcome
from harness.model.timeline import encode, header_line
from harness.pytest_plugin.speed_control import FOLDER, WARM_UP
from harness.report.bundle import saved_result, write_json, write_text

STARTED = "2026-11-24T08:00:00.000+00:00"
TEST = "test_chat.py::test_mounts[chromium]"
SLOW: Steps = [*hosted()[:8], pause(4_000), *hosted()[8:]]


def write_bundle(folder: Path, steps: Steps) -> None:
    """Write a visit as the harness does."""
    lines = entries(steps, pause(5_000), visit_ended())
    write_json(folder / "result.json", saved_result(result_of(lines, limits=Limits(), started_at=STARTED)))
    text = "\n".join([header_line(started_at=STARTED), *map(encode, lines)])
    write_text(folder / TIMELINE_NAME, text + "\n")


def write_run(folder: Path, *tests: tuple[str, str, Steps | None], control: Steps | None = None) -> Path:
    """Write a run: for each test its node id, its outcome, and what happened in its one visit."""
    rows = []
    for number, (nodeid, outcome, steps) in enumerate(tests):
        bundles = [] if steps is None else [f"visit-{number}"]
        if steps is not None:
            write_bundle(folder / bundles[0], steps)
        row = TestOutcome(
            nodeid=nodeid,
            outcome=outcome,
            attempts=1,
            duration_s=0.1,
            message="",
            exit_code=0,
            bundles=tuple(bundles),
        )
        rows.append(json_text(plain(row)))
    write_bundle(folder / FOLDER / "gw0" / WARM_UP, SLOW)
    write_bundle(folder / FOLDER / "gw0" / "visit-1", hosted() if control is None else control)
    write_text(folder / "tests.jsonl", "".join(f"{row}\n" for row in rows))
    return folder


class Gate:
    """A gate without pytest: it is given runs, and judges them."""

    def __init__(self, root: Path, toml: str = "") -> None:
        self.root = root
        (root / "playwright.config.toml").write_text(toml, encoding="utf-8")
        self.config = read_config(None, environ={}, root=root)
        self.file = root / "chatkit-baseline.json"
        self.repeated: list[list[str]] = []
        self.said: list[str] = []

    def judge(
        self,
        *tests: tuple[str, str, Steps | None],
        code: int = 0,
        again: Callable[[int], Steps] | None = None,
        **options: Any,
    ) -> BaselineOutcome:
        """Judge a run of these tests; `again` says what a visit is like when it is repeated."""
        plan = plan_of(self.config, BaselineOptions(**options))
        assert plan is not None
        number = sum(1 for _ in self.root.glob("run-*"))

        def repeat(names: list[str], folder: Path) -> Path | None:
            self.repeated.append(names)
            steps = again(len(self.repeated)) if again else None
            return write_run(folder, *((name, "passed", steps) for name in names)) if steps else None

        return judge_run(
            plan,
            write_run(self.root / f"run-{number}", *tests),
            self.config,
            code=code,
            redactor=Redactor((("api_key", "sk-test-known-0123456789"),)),
            repeat=repeat,
            say=self.said.append,
        )

    def saved(self) -> Any:
        """The newest `regressions.json`."""
        newest = max(self.root.glob("run-*"), key=lambda path: path.name)
        return json.loads((newest / "regressions.json").read_text(encoding="utf-8"))


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """A gate with a baseline of one healthy visit."""
    made = Gate(tmp_path)
    made.judge((TEST, "passed", hosted()), updated="")
    return made


# --- which baseline -----------------------------------------------------------------------------------------------


def test_without_a_word_there_is_no_baseline(gate: Gate) -> None:
    """A file of the default name that lies there is not asked for."""
    assert plan_of(gate.config, BaselineOptions()) is None


def test_a_file_in_the_configuration_is_compared_with_each_run(gate: Gate) -> None:
    """Unless the command line says no; relative to the configuration's folder, where the option is to the current one."""
    toml = '[baseline]\nfile = "chatkit-baseline.json"\nslower_ratio = 2\nslower_by_ms = 100\n'
    config = Gate(gate.root, toml).config
    plan = plan_of(config, BaselineOptions())
    assert plan is not None
    assert (plan.path, plan.is_updated) == (gate.file, False)
    assert (plan.tolerance.ratio, plan.tolerance.by_ms) == (2, 100)
    assert plan_of(config, BaselineOptions(is_left_out=True)) is None
    update = plan_of(config, BaselineOptions(updated=""))
    assert update is not None
    assert (update.path, update.is_updated) == (gate.file, True)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"compared": "", "updated": ""}, "--baseline and --update-baseline cannot be combined"),
        (
            {"compared": "", "is_left_out": True},
            "--no-baseline cannot be combined with --baseline or --update-baseline",
        ),
        ({"is_forced": True}, "--force requires --update-baseline"),
        ({"compared": "nowhere.json"}, "there is no baseline"),
        ({"updated": "no/such/folder/baseline.json"}, "no such folder"),
    ],
)
def test_what_contradicts_itself_is_refused_before_anything_runs(
    gate: Gate, options: dict[str, Any], told: str
) -> None:
    """A usage error, and a file that is not there."""
    with pytest.raises(ConfigError, match=told):
        plan_of(gate.config, BaselineOptions(**options))


def test_an_update_of_a_damaged_file_is_refused(gate: Gate) -> None:
    """It may be a good one, badly merged."""
    gate.file.write_text("<<<<<<<", encoding="utf-8")
    with pytest.raises(ConfigError, match="damaged"):
        plan_of(gate.config, BaselineOptions(updated=""))


# --- compared -----------------------------------------------------------------------------------------------------

EXTRA: Steps = [
    request_started("x", "https://stats.example/collect"),
    console_message("boom 17", "error"),
    *session_fetched("digest-b", "s2"),
]


def test_the_same_run_again_has_no_regression(gate: Gate) -> None:
    """And nothing is repeated."""
    judged = gate.judge((TEST, "passed", hosted()), compared="")
    assert (judged.regressions, gate.repeated) == (0, [])
    assert judged.words.startswith("baseline: no regression in 1 visit against ")
    assert gate.saved()["regressions"] == []


def test_regressions_are_counted_told_and_saved(gate: Gate) -> None:
    """What chance cannot make is not measured again."""
    judged = gate.judge((TEST, "passed", [*hosted(), *EXTRA]), compared="")
    kinds = ["more session requests", "new outside host", "new console error"]
    assert [row["kind"] for row in gate.saved()["regressions"]] == kinds
    assert judged.regressions == 3
    assert gate.repeated == []
    assert "REGRESSION: new console error: boom #" in judged.words
    assert str(gate.saved()["regressions"][0]["bundle"]).endswith("run-1/visit-0")


def test_what_is_slow_is_measured_again_and_stays_when_it_is_slow_each_time(gate: Gate) -> None:
    """Twice more, only that test; the second attempt acquits."""
    slow = gate.judge((TEST, "passed", SLOW), compared="", again=lambda _: SLOW)
    assert slow.regressions == 1
    assert gate.repeated == [[TEST], [TEST]]
    assert "measuring again (2 of 2)" in gate.said[1]
    gate.repeated.clear()
    lucky = gate.judge((TEST, "passed", SLOW), compared="", again=lambda n: SLOW if n == 1 else hosted())
    assert lucky.regressions == 0
    assert "not reproduced, so not a regression: slower milestone" in lucky.words
    assert len(gate.saved()["not_seen_again"]) == 1


def test_what_cannot_be_measured_again_stays(gate: Gate) -> None:
    """No second run is no acquittal."""
    assert gate.judge((TEST, "passed", SLOW), compared="").regressions == 1


def test_the_last_attempt_and_tests_that_ran_are_what_is_compared(gate: Gate) -> None:
    """A skipped test did not run; a failed one is compared too; a bundle that cannot be read is left out."""
    judged = gate.judge((TEST, "skipped", None), ("test_new.py::test", "failed", hosted()), code=1, compared="")
    assert judged.regressions == 0
    assert gate.saved()["missing"] == [TEST]
    assert gate.saved()["new"] == ["test_new.py::test"]
    run = write_run(gate.root / "broken", (TEST, "passed", hosted()))
    (run / "visit-0" / TIMELINE_NAME).write_text("nonsense", encoding="utf-8")
    assert read_run(run, gate.config, Redactor()).profile.visits == ()


def test_a_baseline_without_this_project_compares_nothing_and_says_so(gate: Gate) -> None:
    """All tests are new, and named."""
    gate.config = replace(gate.config, use=replace(gate.config.use, browser="firefox"))
    judged = gate.judge((TEST, "passed", [*hosted(), *EXTRA]), compared="")
    assert judged.regressions == 0
    assert "in 0 visits" in judged.words
    assert gate.saved()["new"] == [TEST]


def test_names_and_controls_mean_the_same_elsewhere(gate: Gate) -> None:
    """No absolute path in a node id; the warm-up is no control."""
    run = write_run(gate.root / "elsewhere", (f"{gate.root}/shared/test_a.py::test", "passed", hosted()))
    profile = read_run(run, gate.config, Redactor()).profile
    assert profile.tests == ("shared/test_a.py::test",)
    assert profile.control_ms is not None
    assert profile.control_ms < 1_000


# --- updated ------------------------------------------------------------------------------------------------------


def test_an_update_tells_what_it_accepts(gate: Gate) -> None:
    """And the next run of that kind is clean."""
    run = (TEST, "passed", [*hosted(), *EXTRA])
    judged = gate.judge(run, updated="")
    assert (judged.regressions, judged.is_refused) == (0, False)
    assert "accepted: new outside host: stats.example" in judged.words
    assert "REGRESSION" not in judged.words
    assert gate.judge(run, compared="").regressions == 0


@pytest.mark.parametrize("code", [1, 2, 3, 5, 10, 13])
@pytest.mark.parametrize("is_forced", [False, True])
def test_a_run_that_did_not_end_well_leaves_the_baseline(gate: Gate, code: int, is_forced: bool) -> None:
    """Except when tests failed and the user insists."""
    before = gate.file.read_text(encoding="utf-8")
    judged = gate.judge((TEST, "failed", [*hosted(), *EXTRA]), code=code, updated="", is_forced=is_forced)
    is_taken = code == 1 and is_forced
    assert judged.is_refused is not is_taken
    assert (gate.file.read_text(encoding="utf-8") != before) is is_taken
    assert ("is unchanged" in judged.words) is not is_taken


@pytest.mark.parametrize("tests", [(), ((TEST, "skipped", None),), ((TEST, "passed", None),)])
def test_an_empty_run_never_takes_the_place_of_a_good_baseline(gate: Gate, tests: Any) -> None:
    """Forced or not: no visit, no baseline."""
    before = gate.file.read_text(encoding="utf-8")
    judged = gate.judge(*tests, updated="", code=1, is_forced=True)
    assert judged.is_refused
    assert "no test of this run opened a page" in judged.words
    assert gate.file.read_text(encoding="utf-8") == before


def test_a_run_that_passed_after_a_retry_may_become_the_baseline(gate: Gate) -> None:
    """The last attempt counts."""
    assert not gate.judge((TEST, "passed", hosted()), code=7, updated="").is_refused


def test_a_known_secret_never_reaches_the_baseline(gate: Gate) -> None:
    """Should one have come as far as a profile, it goes before the digits in it do."""
    gate.judge((TEST, "passed", [*hosted(), console_message("key sk-test-known-0123456789", "error")]), updated="")
    text = gate.file.read_text(encoding="utf-8")
    assert "sk-test-known" not in text
    assert "key <redacted:api_key>" in text


def test_other_projects_and_browsers_keep_their_place(gate: Gate) -> None:
    """One file for all."""
    gate.config = replace(gate.config, use=replace(gate.config.use, browser="firefox"))
    gate.judge((TEST, "passed", hosted()), updated="")
    saved = json.loads(gate.file.read_text(encoding="utf-8"))
    assert list(saved["projects"]["local"]) == ["chromium", "firefox"]

"""`gate --baseline` on a real page: a baseline is made, what gets worse is named, and a run without tests changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

from tests.commands import run_command

TESTS = """
import os

from harness import expect

WORSE = os.environ.get("IS_WORSE")


def test_pages(chatkit):
    for worse in ("console-noise", "double-fetch", "healthy"):
        expect(chatkit.open("topic-generation", scenario=worse if WORSE else "healthy")).to_be_mounted()
"""
CONFIG = '[use]\nscreenshot = "off"\n\n[baseline]\nfile = "kept/baseline.json"\n'
LONGEST_S = 400  # of a machine that is very busy
TEST = "tests/e2e/test_chat.py::test_pages[chromium]"


def test_what_gets_worse_is_named_and_nothing_else(tmp_path: Path) -> None:
    """The file that the configuration names is written, compared with, and left alone by a run without tests."""
    pages = tmp_path / "tests/e2e/test_chat.py"
    pages.parent.mkdir(parents=True)
    (tmp_path / "kept").mkdir()
    pages.write_text(TESTS, encoding="utf-8")
    tmp_path.joinpath("playwright.config.toml").write_text(CONFIG, encoding="utf-8")
    made = run_command("gate", "-k", "test_pages", "--update-baseline", cwd=tmp_path, timeout_s=LONGEST_S)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "baseline: kept/baseline.json holds 1 test with 3 visits of project local on chromium" in made.stdout
    written = (tmp_path / "kept/baseline.json").read_text(encoding="utf-8")
    (controls,) = [run["control_ms"] for run in json.loads(written)["projects"]["local"].values()]
    assert controls > 0
    assert "127.0.0.1" not in written
    assert str(tmp_path) not in written
    worse = run_command("gate", "-k", "test_pages", cwd=tmp_path, timeout_s=LONGEST_S, IS_WORSE="1")
    assert worse.returncode == 1, worse.stdout + worse.stderr
    assert "REGRESSION: new console error: Warning: Each child in a list should have" in worse.stdout
    assert "gate: failed: 2 regressions against the baseline" in worse.stdout
    saved = json.loads((tmp_path / "test-results/latest/regressions.json").read_text(encoding="utf-8"))
    found = {(row["test"], row["visit"], row["kind"]) for row in saved["regressions"]}
    assert found == {(TEST, 1, "new console error"), (TEST, 2, "more session requests")}
    empty = run_command("gate", "-k", "no_such_test", "--update-baseline", "--force", cwd=tmp_path, timeout_s=LONGEST_S)
    assert empty.returncode == 5, empty.stdout + empty.stderr
    assert "baseline: not compared, because no test ran;  kept/baseline.json is unchanged" in empty.stdout
    assert "failed: no test ran" in empty.stdout
    assert (tmp_path / "kept/baseline.json").read_text(encoding="utf-8") == written

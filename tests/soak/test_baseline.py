"""`gate --baseline` on real pages: a baseline is made, and what gets worse in the next run is named, and only that."""

from __future__ import annotations

import json
from pathlib import Path

from tests.commands import run_command

TESTS = """
import os

from harness import expect


def visit(chatkit, worse):
    scenario = worse if os.environ.get("IS_WORSE") else "healthy"
    expect(chatkit.open("topic-generation", scenario=scenario)).to_be_mounted()


def test_console(chatkit):
    visit(chatkit, "console-noise")


def test_host(chatkit):
    visit(chatkit, "analytics-4xx")


def test_session(chatkit):
    visit(chatkit, "double-fetch")


def test_slow(chatkit):
    visit(chatkit, "session-slow")


def test_as_before(chatkit):
    visit(chatkit, "healthy")
"""
CONFIG = '[use]\nscreenshot = "off"\n\n[baseline]\nslower_by_ms = 1500\n'
LONGEST_S = 600
ECHO = "Failed to load resource: the server responded with a status of 404 (Not Found)"
FILE = "tests/e2e/test_pages.py"


def test_what_gets_worse_is_named_and_nothing_else(tmp_path: Path) -> None:
    """Console, host, session request and time, each in its own test and in two workers; the fifth test stays silent."""
    pages = tmp_path / FILE
    pages.parent.mkdir(parents=True)
    pages.write_text(TESTS, encoding="utf-8")
    tmp_path.joinpath("playwright.config.toml").write_text(CONFIG, encoding="utf-8")
    made = run_command("gate", "-n", "2", "-k", "test_pages", "--update-baseline", cwd=tmp_path, timeout_s=LONGEST_S)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "baseline: chatkit-baseline.json holds 5 tests with 5 visits of project local on chromium" in made.stdout
    written = tmp_path.joinpath("chatkit-baseline.json").read_text(encoding="utf-8")
    assert "127.0.0.1" not in written
    assert str(tmp_path) not in written
    worse = run_command(
        "gate", "-n", "2", "-k", "test_pages", "--baseline", cwd=tmp_path, timeout_s=LONGEST_S, IS_WORSE="1"
    )
    assert worse.returncode == 1, worse.stdout + worse.stderr
    saved = json.loads((tmp_path / "test-results/latest/regressions.json").read_text(encoding="utf-8"))
    found = {(row["test"].removeprefix(f"{FILE}::"), row["kind"]): row["what"] for row in saved["regressions"]}
    assert found == {
        (
            "test_console[chromium]",
            "new console error",
        ): 'Warning: Each child in a list should have a unique "key" prop.',
        ("test_host[chromium]", "new outside host"): "www.google-analytics.com",
        ("test_host[chromium]", "new console error"): f"{ECHO} (http://127.0.0.1/metrics/collect)",
        ("test_session[chromium]", "more session requests"): "requests for a client secret",
        ("test_slow[chromium]", "slower milestone"): "element-connected",
    }
    assert "REGRESSION: new outside host: www.google-analytics.com" in worse.stdout
    assert "measured again (2 of 2)" in worse.stdout
    assert worse.stdout.rstrip().endswith("gate: failed: 5 regressions against the baseline")

"""Smoke runs in a browser on a live project with something wrong at each hop: outcome, cause, whose fault, exit code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from harness.commands.smoke import Surroundings, run_smoke
from harness.config.reading import read_config
from harness.model.history import Record
from harness.report.history import read_history
from harness.servers.named_faults import faults_of
from harness.servers.scenarios import scenario_named
from harness.servers.server import Stack, serve_stack

# scenario or faults, outcome, cause, whose fault, exit code
CASES = {
    "healthy": ("", "ok", "", "", 0),
    "frame-400": ("status:frame=400", "failing", "frame-refused", "the CDN", 12),
    "loader-503": ("status:script=503", "failing", "loader-refused", "the CDN", 12),
    "loader-503-once": ("status:script#1=503", "degraded", "passed-after-retry", "nobody yet", 7),
    "loader-404-once": ("status:script#1=404", "degraded", "loader-refused", "the CDN", 7),
    "page-500": ("status:page=500", "failing", "page-refused", "our app", 12),
    "session-500": ("status:session=500", "failing", "session-server-error", "our app", 12),
    "session-500-later": ("status:session#2=500 status:session#3=500", "failing", "session-server-error", "our app", 1),
    "api-500": ("status:openai-sessions=500", "failing", "sessions-api-failing", "OpenAI's API", 12),
    "csp": ("header:page=content-security-policy: script-src 'self'", "failing", "loader-blocked-by-csp", "our app", 12),
    "deadlock": ("deadlock", "failing", "render-deadlock", "our app", 1),
    "reply-fails": ("status:conversation.threads.create=400", "failing", "backend-refuses", "OpenAI's API", 1),
    "no-button": ("no-button", "failing", "page-not-visited", "our app", 14),
}  # fmt: skip


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Return the embedded servers, for a browser that routes nothing."""
    with serve_stack(scenario=scenario_named("healthy"), is_for_people=True) as running:
        yield running


@pytest.mark.parametrize("name", CASES)
def test_a_smoke_run_says_whose_fault_it_is(tmp_path: Path, stack: Stack, name: str) -> None:
    """The preflight and the browser meet the same fault."""
    what, outcome, cause, blame, code = CASES[name]
    is_fault = ":" in what
    scenario = scenario_named(what if what == "deadlock" else "healthy")
    faults = faults_of([what] if " status" not in what else what.split()) if is_fault else ()
    stack.use(replace(scenario, faults=faults))
    button = "Nobody has this" if what == "no-button" else "Topic Generation"
    (tmp_path / "playwright.config.toml").write_text(
        f"""
use = {{ screenshot = "off", trace = "off" }}
[projects.staging]
base_url = "{stack.app_url}"
network = "live"
page = "/test-chatkit"
prefetch = "allowed"
session_endpoint = "**/api/chatkit/session"
entries = {{ topic = {{ click = "{button}" }} }}
[projects.staging.preflight]
api_key = "${{KEY}}"
workflows = ["wf_test_topic_generation"]
api_base = "{stack.api_url}"
cdn_base = "{stack.cdn_url}"
[projects.staging.smoke]
attempts = 2
backoff_ms = 0
message = "hello"
slow_mount_ms = 60_000
first_token_ms = 20_000
""",
        encoding="utf-8",
    )
    environ = {"KEY": "sk-test-topic-project"}
    config = read_config(tmp_path / "playwright.config.toml", environ=environ)
    said = StringIO()
    found = run_smoke(Console(file=said, width=300), config, Surroundings(environ=environ))
    lines = read_history(tmp_path / "smoke-history.jsonl").lines
    verdict = next(line.verdict for line in lines if isinstance(line, Record))
    assert (verdict.outcome, verdict.cause, verdict.blame, found) == (outcome, cause, blame, code), said.getvalue()

"""`chatkit-harness smoke` with a real browser on a live project: ok, then degraded, then failing, with one history."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from harness.commands.smoke import Surroundings, run_smoke
from harness.config.reading import read_config
from harness.errors import ConfigError
from harness.model.history import Record
from harness.report.ci_systems import GITHUB
from harness.report.history import read_history
from harness.servers.named_faults import faults_of
from harness.servers.scenarios import scenario_named
from harness.servers.server import Stack, serve_stack
from tests.receiver import Receiver, serve_receiver

CONFIG = """
use = {{ screenshot = "off", trace = "off" }}

[projects.staging]
base_url = "${{STAGING_URL}}"
network = "live"
page = "/test-chatkit"
session_endpoint = "**/api/chatkit/session"
entries = {{ topic = {{ click = "Topic Generation" }} }}
preflight = {{ api_key = "${{OPENAI_API_KEY}}", workflows = ["wf_test_topic_generation"], project = "proj_test_topics", api_base = "{api}", cdn_base = "{cdn}" }}
smoke = {{ webhook = "${{SMOKE_WEBHOOK}}", message = "three topics about tea", attempts = 2, backoff_ms = 1_000, slow_mount_ms = 60_000, first_token_ms = 60_000, metrics_file = "smoke.prom" }}
"""  # noqa: E501 (an inline table of TOML is one line)
KEY = "sk-test-topic-project"


def smoke(tmp_path: Path, stack: Stack, receiver: Receiver, key: str, pauses: list[float]) -> tuple[int, str]:
    """Run a smoke test of the embedded app as a live project; return its exit code and its words."""
    (tmp_path / "playwright.config.toml").write_text(
        CONFIG.format(api=stack.api_url, cdn=stack.cdn_url), encoding="utf-8"
    )
    environ = {
        "STAGING_URL": stack.app_url,
        "OPENAI_API_KEY": key,
        "SMOKE_WEBHOOK": receiver.webhook,
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }
    config = read_config(tmp_path / "playwright.config.toml", environ=environ)
    said = StringIO()
    console = Console(file=said, width=300, color_system=None)
    around = Surroundings(environ=environ, sleep=pauses.append, ci=GITHUB)
    with ThreadPoolExecutor(1) as apart:  # pytest-playwright's event loop runs in this thread, once a test has used it
        code = apart.submit(run_smoke, console, config, around).result()
    return code, said.getvalue()


def annotations(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What GitHub was told since the last call, without what it is to hide."""
    lines = capsys.readouterr().out.splitlines()
    assert f"::add-mask::{KEY}" in lines
    return [line for line in lines if line.startswith("::") and not line.startswith("::add-mask::")]


def test_three_nights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A good one with a message, one that needs a second attempt, one without a page."""
    pauses: list[float] = []
    healthy = scenario_named("healthy")
    with serve_receiver() as receiver, serve_stack(scenario=healthy, is_for_people=True) as stack:
        code, said = smoke(tmp_path, stack, receiver, KEY, pauses)
        assert code == 0, said
        assert "smoke: staging is ok" in said
        assert "first words after" in said
        assert pauses == []
        assert annotations(capsys) == []

        # The preflight is the first to ask for a session, the first visit the second.
        stack.use(replace(healthy, faults=faults_of(["status:session#2=500"])))
        code, said = smoke(tmp_path, stack, receiver, KEY, pauses)
        assert code == 7, said
        assert "smoke: staging is DEGRADED" in said
        assert "topic passed at attempt 2, before it: session-server-error" in said
        assert pauses == [1.0]
        told, attempt = annotations(capsys)
        assert told.startswith("::warning title=Run::staging: smoke: staging is DEGRADED")
        assert attempt.startswith("::warning title=The session endpoint")

        stack.use(replace(healthy, faults=faults_of(["abort:page"])))
        code, said = smoke(tmp_path, stack, receiver, KEY, pauses)
        assert code == 12, said
        assert "smoke: staging is FAILING" in said
        assert "visits:    none, because there is no page to visit" in said
        assert "who acts: our app" in said
        assert pauses == [1.0, 1.0]  # the preflight was made again
        (told,) = annotations(capsys)
        assert told.startswith("::error title=Run::staging: smoke: staging is FAILING")
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert [line[3:] for line in summary.splitlines() if line.startswith("## ")] == [
        "✅ It works",
        "⚠️ The chat works, but is degraded",
        "❌ The chat does not work",
    ]
    lines = read_history(tmp_path / "smoke-history.jsonl").lines
    records = [line for line in lines if isinstance(line, Record)]
    assert [record.verdict.outcome for record in records] == ["ok", "degraded", "failing"]
    assert [record.alert for record in records] == ["", "degraded", "failing"]
    assert records[0].verdict.first_token_ms > 0
    assert [message["text"].split()[0] for message in receiver.messages] == [":large_yellow_circle:", ":red_circle:"]
    roots = [trace["resourceSpans"][0]["scopeSpans"][0]["spans"][0] for trace in receiver.traces]
    assert [root["status"]["code"] for root in roots] == [1, 1, 2]
    latest = tmp_path / "test-results" / "latest" / "staging"
    saved = json.loads((latest / "smoke.json").read_text(encoding="utf-8"))
    assert (saved["attempts"], saved["record"]["verdict"]["cause"]) == ([], "page-unreachable")
    bundles = {path.name for path in latest.parents[1].glob("run-*/staging/*")}
    assert {"preflight.json", "smoke.json", "topic-1", "topic-2"} == bundles
    assert 'chatkit_smoke_outcome{project="staging",outcome="failing"} 1' in (tmp_path / "smoke.prom").read_text()
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def test_a_machine_without_a_browser_makes_no_statement(tmp_path: Path) -> None:
    """Exit code 13; the run is in the history, and nobody is told. Nothing is configured: the embedded default is asked."""
    config = read_config(None, environ={}, overrides={"use.executable_path": "/nowhere/chromium"}, root=tmp_path)
    said = StringIO()
    code = run_smoke(Console(file=said, width=300), config, Surroundings(environ={}))
    assert code == 13, said.getvalue()
    assert "smoke: local is NO RESULT" in said.getvalue()
    assert "the browser /nowhere/chromium cannot be started" in said.getvalue()
    record = read_history(tmp_path / "smoke-history.jsonl").lines[0]
    assert isinstance(record, Record)
    assert (record.verdict.outcome, record.verdict.cause, record.alert) == ("environment", "browser-missing", "")


@pytest.mark.parametrize(
    ("toml", "is_all", "words"),
    [
        ('[projects.a]\nbase_url = "http://a.test"\nnetwork = "hermetic"\n', False, "project 'a' is hermetic"),
        ("[projects.local]\n", True, 'no project of .* has network = "live"'),
    ],
)
def test_a_smoke_test_is_about_something_live(tmp_path: Path, toml: str, is_all: bool, words: str) -> None:
    """A hermetic project is the gate's."""
    (tmp_path / "playwright.config.toml").write_text(toml, encoding="utf-8")
    config = read_config(None, environ={}, root=tmp_path)
    with pytest.raises(ConfigError, match=words):
        run_smoke(Console(file=StringIO()), config, Surroundings(environ={}), is_all=is_all)

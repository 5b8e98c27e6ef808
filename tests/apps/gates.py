"""The gate on an app, as its developer runs it: a folder with a configuration, a `web_server`, and one command.

In: an app, how it is served, what is broken. Out: the exit code, and what the visit's result says.
"""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.apps import APPS, built, one_at_a_time, served
from tests.commands import clean_environ, run_command

READY_TIMEOUT_MS = 180_000  # a development server compiles its first page on a busy machine
GATE_TIMEOUT_S = 420
PAGES = {"hosted": "/", "custom": "/custom", "sending": "/custom"}
SENDING_TEST = '''
from harness import expect


def test_it_answers(chatkit):
    """The backend answers a message."""
    expect(chatkit.open("chat")).to_reply("It does not start.", containing="off and on")
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """What a gate came to."""

    exit_code: int
    printed: str
    bundle: Path
    result: dict[str, Any]  # result.json of the visit; {} when there is none

    @property
    def causes(self) -> list[str]:
        """The rules that the visit is explained by; "" for none."""
        return [one["rule"] for one in self.result.get("findings", []) if one["role"] == "cause"]

    @property
    def said(self) -> str:
        """The cause; without one, the first finding that is no prediction; without any, the outcome."""
        others = [one["rule"] for one in self.result.get("findings", []) if one["role"] != "prediction"]
        return (self.causes + others + [self.result.get("reason", "none")])[0]


def gate(
    app: str, way: str, kind: str, folder: Path, *, fault: str = "", page: str = "", click: str = "Open chat"
) -> Gated:
    """Run the gate in an empty folder. Raises AppError when the app cannot be built."""
    folder.mkdir(parents=True, exist_ok=True)
    write_project(app, way, kind, folder, fault=fault, page=page, click=click)
    # The processes that npm starts must find the node that the test found, and nothing of this machine's keys.
    environ = {name: "" for name in clean_environ() if name.startswith("OPENAI_")}
    with one_at_a_time(APPS[app], way):
        done = run_command("gate", "--project", "app", cwd=folder, timeout_s=GATE_TIMEOUT_S, **environ)
    bundles = sorted((folder / "test-results" / "latest").glob("*/result.json"))
    chosen = next((path for path in bundles if kind != "sending" or "answers" in path.parent.name), None)
    return Gated(
        exit_code=done.returncode,
        printed=done.stdout + done.stderr,
        bundle=chosen.parent if chosen else folder,
        result=json.loads(chosen.read_text(encoding="utf-8")) if chosen else {},
    )


def write_project(app: str, way: str, kind: str, folder: Path, *, fault: str, page: str, click: str) -> str:
    """Write a project that serves the app, and a test that sends a message where one is sent; return the app's URL."""
    start = served(APPS[app], built(APPS[app]), way, fault=fault)
    text = f"""
        [projects.app]
        page = {json.dumps(page or PAGES[kind])}
        entries = {{ chat = {{ click = {json.dumps(click)} }} }}

        [projects.app.web_server]
        command = {json.dumps(start.command)}
        url = {json.dumps(start.url)}
        log_ready = {json.dumps(start.log_ready)}
        timeout_ms = {READY_TIMEOUT_MS}
        """
    (folder / "playwright.config.toml").write_text(textwrap.dedent(text), encoding="utf-8")
    if kind == "sending":
        tests = folder / "tests" / "e2e"
        tests.mkdir(parents=True, exist_ok=True)
        (tests / "test_reply.py").write_text(SENDING_TEST, encoding="utf-8")
    return start.url

"""What a visit leaves behind: every file there, readable, true to what happened, and free of secrets."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from harness import Chatkit, expect
from harness.config.reading import Config
from harness.drive.capture import page_screenshot, secret_elements
from harness.errors import RecordingError
from harness.model.redaction import Redactor
from harness.model.timeline import read_timeline
from harness.report.bundle import read_result
from harness.report.recordings import opened_recording
from harness.servers.server import Stack
from harness.visit.opening import open_visit
from harness.visit.target import Keep, keep_of, target_of
from tests.commands import TIMEOUT_S

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="session")
def chatkit_config(chatkit_config: Config) -> Config:
    """The usual configuration with traces, whatever the command line says."""
    return replace(chatkit_config, use=replace(chatkit_config.use, trace="retain-on-failure"))


def test_bundle_of_a_mounted_visit_is_complete(chatkit: Chatkit) -> None:
    """Timeline, result, console, HAR, DOM with frame and shadow root, and two screenshots."""
    embed = chatkit.open("topic-generation")
    expect(embed).to_be_mounted()
    result = embed.finish()
    folder = embed.folder
    entries = read_timeline((folder / "timeline.jsonl").read_text(encoding="utf-8").splitlines())
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert read_result(folder) == result
    assert result.is_mounted
    har = json.loads((folder / "network.har").read_text(encoding="utf-8"))
    assert har["log"]["version"] == "1.2"
    urls = [entry["request"]["url"] for entry in har["log"]["entries"]]
    assert "https://cdn.platform.openai.com/deployments/chatkit/chatkit.js" in urls
    assert "https://us.api.openai.com/v1/chatkit/conversation" in urls
    dom = (folder / "dom.html").read_text(encoding="utf-8")
    assert "<openai-chatkit" in dom
    assert "ck-wrapper" in dom
    assert "What can I help with today?" in dom
    assert "Domain verification skipped" in (folder / "console.log").read_text(encoding="utf-8")
    for name in ("screenshot-page.png", "screenshot-element.png"):
        assert (folder / name).read_bytes().startswith(PNG)
    assert not (folder / "error-context.md").exists()


def test_bundle_of_a_failed_visit_tells_the_failure(chatkit: Chatkit) -> None:
    """A failure adds error-context.md and the trace."""
    embed = chatkit.open("topic-generation", scenario="frame-400")
    expect(embed).not_to_be_mounted(reason="frame-failed")
    embed.finish()
    told = (embed.folder / "error-context.md").read_text(encoding="utf-8")
    assert told.startswith("# NOT MOUNTED: topic-generation")
    assert "chatkit.ready fired although the frame failed" in told
    with zipfile.ZipFile(embed.folder / "trace.zip") as trace:
        assert trace.testzip() is None


def test_no_file_holds_the_client_secret(chatkit: Chatkit) -> None:
    """The secret that the page used stands in no text of the bundle, and its placeholder does."""
    embed = chatkit.open("topic-generation")
    expect(embed).to_be_mounted()
    secret = embed.page.evaluate(
        "fetch('/api/chatkit/session', {method: 'POST', headers: {'content-type': 'application/json'},"
        " body: JSON.stringify({workflow_id: 'wf_test_topic_generation'})}).then((r) => r.json()).then((b) => b.client_secret)"
    )
    embed.page.evaluate("(secret) => { console.log('secret ' + secret); document.title = secret; }", secret)
    embed.finish()
    assert secret.startswith("ek_")
    texts = {path: path.read_text(encoding="utf-8") for path in _text_files(embed.folder)}
    assert [path.name for path, text in texts.items() if secret in text] == []
    assert any("<redacted:client_secret:" in text for text in texts.values())


PAGE_FETCHES_AND_SHOWS_A_SECRET = """fetch('/api/chatkit/session', {
  method: 'POST', headers: {'content-type': 'application/json'}, body: '{"workflow_id": "wf_test_topic_generation"}',
}).then((answer) => answer.json()).then(({ client_secret: secret }) => {
  console.log(`secret ${secret}`);
  document.body.append(secret);
  return secret;
})"""


def test_trace_opens_in_playwright_and_holds_no_secret(chatkit: Chatkit, tmp_path: Path) -> None:
    """Playwright's own command line reads actions, requests, errors and attachments of the rewritten trace."""
    embed = chatkit.open("topic-generation", scenario="frame-400")
    expect(embed).not_to_be_mounted(reason="frame-failed")
    secret = embed.page.evaluate(PAGE_FETCHES_AND_SHOWS_A_SECRET)
    embed.page.locator("body").click(position={"x": 2, "y": 2})
    embed.finish()
    with zipfile.ZipFile(embed.folder / "trace.zip") as trace:
        assert [name for name in trace.namelist() if secret.encode() in trace.read(name)] == []
    opened = _trace_command(tmp_path, "open", str(embed.folder.absolute() / "trace.zip"))
    assert re.search(r"Attachments: +2\n", opened)
    assert re.search(r"Pages: +1\n", opened)
    actions = _trace_command(tmp_path, "actions")
    assert "Navigate" in actions
    assert "NOT MOUNTED: topic-generation" in actions
    assert "The frame's document was not delivered" in _trace_command(tmp_path, "errors")
    assert "chatkit.js" in _trace_command(tmp_path, "requests")
    assert "secret <redacted:client_secret:" in _trace_command(tmp_path, "console")
    assert "verdict.md" in _trace_command(tmp_path, "attachments")
    with zipfile.ZipFile(embed.folder / "trace.zip") as trace:
        assert trace.read("attachments/verdict.md").startswith(b"# NOT MOUNTED: topic-generation")


SHOWS_SECRETS = """(secret) => {
  const inShadow = document.createElement('div');
  inShadow.attachShadow({ mode: 'open' }).textContent = `in a shadow root: ${secret}`;
  const frame = document.createElement('iframe');
  frame.srcdoc = `<p>in a frame: ${secret}</p>`;
  const field = document.createElement('input');
  field.value = secret;
  const parts = { text: document.createElement('p'), shadow: inShadow, frame, field };
  parts.text.textContent = `in a text: ${secret}`;
  document.body.replaceChildren(parts[PART]);
  return PART === 'frame' ? new Promise((done) => { frame.onload = done; }) : undefined;
}"""
# Playwright covers with #FF00FF. A browser reads the picture: PNG is not worth a library here.
COVERED = """async (png) => {
  const image = new Image();
  image.src = `data:image/png;base64,${png}`;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height), context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4) if (data[at] === 255 && data[at + 1] === 0 && data[at + 2] === 255) count += 1;
  return count;
}"""


@pytest.mark.parametrize("part", ["text", "shadow", "frame", "field"])
def test_what_shows_a_secret_is_covered_in_screenshots(page: Page, part: str) -> None:
    """In a text, a shadow root, a frame and a field; a page that shows none is not touched."""
    secret = "4f7qm2zxw9vb11aa"  # no shape: it has to be known
    page.evaluate(SHOWS_SECRETS.replace("PART", repr(part)), secret)
    redactor = Redactor()
    assert secret_elements(page, redactor) == []
    redactor.learn("token", secret)
    image = page_screenshot(page, secret_elements(page, redactor) or ())
    assert image is not None
    assert page.evaluate(COVERED, base64.b64encode(image).decode()) > 1_000


def _trace_command(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "playwright", "trace", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=True).stdout


def _text_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix in (".jsonl", ".json", ".log", ".har", ".html", ".md")]


@pytest.mark.parametrize("films", [False, True])
def test_a_trace_films_the_page_when_it_is_asked_to(
    new_context: Callable[..., Any],
    chatkit_config: Config,
    chatkit_stack: Callable[[], Stack],
    output_path: str,
    films: bool,
) -> None:
    """A film costs more than the visit; without one every action still has its DOM before and after."""
    stack, folder = chatkit_stack(), Path(output_path)
    target = target_of(chatkit_config.project("local"), entry="topic-generation", scenario="frame-400", stack=stack)
    use = replace(chatkit_config.use, trace="on", trace_screenshots=films)
    with open_visit(
        new_context, target, folder, config=chatkit_config, keep=keep_of(use), redactor=Redactor(), stack=stack
    ) as visit:
        visit.open()
        visit.wait_until_decided()
    with zipfile.ZipFile(folder / "trace.zip") as trace:
        told = trace.read("trace.trace")
    assert b'"type":"frame-snapshot"' in told
    assert (b'"type":"screencast-frame"' in told) is films


def test_a_visit_that_never_asked_for_anything_has_its_bundle_too(
    new_context: Callable[..., Any], chatkit_config: Config, chatkit_stack: Callable[[], Stack], output_path: str
) -> None:
    """It was interrupted before its page was opened, or the browser refused the address: what it lacks is said."""
    stack, folder = chatkit_stack(), Path(output_path)
    target = target_of(chatkit_config.project("local"), entry="topic-generation", stack=stack)
    with open_visit(
        new_context, target, folder, config=chatkit_config, keep=Keep(), redactor=Redactor(), stack=stack
    ) as visit:
        pass
    assert visit.losses == ()
    assert read_result(folder).outcome == "undecided"
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["missing"] == ["every request: the page sent none"]
    with pytest.raises(RecordingError, match="contains no request"), opened_recording(folder):
        pass

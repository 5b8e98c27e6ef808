"""Pages that are too much: the visit is still judged, the harness stays small, and the bundle says what it left out."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.commands import clean_environ
from tests.site import Answer, serve_site

MOST_MEGABYTES = 300
TIMEOUT_S = 580
# In a process of its own, which tells its greatest size; the browser and Playwright's driver are others.
VISIT = """
import json, resource, sys
from harness.cli import cli
try:
    code = cli.main(["check", sys.argv[1], "--trace", sys.argv[2], "--json"], standalone_mode=False)
finally:
    print(json.dumps({"megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}), file=sys.stderr)
"""
DONE = "document.title = 'done';"
MANY = """let left = 10_000;
  const many = async () => { while (left > 0) { left -= 1; const n = left; await fetch(ADDRESS).then((a) => a.text()); } };
  await Promise.all(Array.from({ length: 20 }, many));"""
PAGES = {
    "10 MB of console": "for (let n = 0; n < 2000; n += 1) console.log(n + ' '.repeat(10) + 'x'.repeat(5000));",
    "10 MB in one line": "console.log('x'.repeat(10_000_000));",
    "a DOM of 30 MB": "document.body.append('x'.repeat(30_000_000));",
    "an answer of 200 MB": "fetch('/large').then((answer) => answer.blob());",
    "an endless stream": "fetch('/endless').then((answer) => answer.text());",
    "10,000 requests of one kind": MANY.replace("ADDRESS", "'/small?' + n"),
    "10,000 requests to places of their own": MANY.replace("ADDRESS", "`/folder-${n}/x`"),
    "10,000 uncaught errors": "for (let n = 0; n < 10_000; n += 1) Promise.reject(new Error('x'.repeat(2_000) + n));",
    "addresses and headers without an end": """for (let n = 0; n < 500; n += 1)
      await fetch('/small?' + 'x'.repeat(60_000), { headers: { 'x-long': 'y'.repeat(60_000) } }).then((a) => a.text());""",
    "one large body, a thousand times": """for (let n = 0; n < 1_000; n += 1)
      await fetch('/page', { method: 'POST', body: 'x'.repeat(60_000) }).then((a) => a.text());""",
    "300 frames": """const frame = () => Object.assign(document.createElement('iframe'), { srcdoc: 'x'.repeat(50_000) });
      for (let n = 0; n < 300; n += 1) document.body.append(frame());""",
}
SITE = {
    "/large": Answer(media_type="text/plain", body=b"x" * 1_000_000, times=200),
    "/endless": Answer(media_type="text/plain", body=b"x" * 1_000, never_ends=True),
    "/small": Answer(media_type="text/plain", body=b"x"),
    "/page": Answer(media_type="text/plain", body=b"x" * 60_000),
}


def visit(folder: Path, name: str, *, trace: str = "off") -> tuple[dict[str, Any], int]:
    """Check a page that does this, and return the result and the greatest size in megabytes."""
    page = f"<!doctype html><body><script type=module>{PAGES[name]}{DONE}</script>".encode()
    with serve_site(SITE | {"/": Answer(body=page)}) as site:
        done = subprocess.run(
            [sys.executable, "-c", VISIT, site, trace],
            cwd=folder,
            env=clean_environ(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    assert done.stdout, done.stderr[-3_000:]
    return json.loads(done.stdout), json.loads(done.stderr.splitlines()[-1])["megabytes"]


# What the bundle has to say that it left out, and where.
SAID = {
    "10 MB of console": ("timeline.jsonl", '"kind":"Omitted","what":"console"'),
    "10 MB in one line": ("console.log", "x" * 3_000),
    "a DOM of 30 MB": ("dom.html", "<!-- truncated after 400000 of 30", "<!-- this document did not answer"),
    "an answer of 200 MB": ("timeline.jsonl", "larger than 2000000 bytes"),
    "10,000 requests of one kind": ("network.har", "left out: requests like GET "),
    "10,000 requests to places of their own": ("error-context.md", "- Omitted: requests (limit: 3000)"),
    "10,000 uncaught errors": ("console.log", "(the rest is omitted: limit 1000000 characters)"),
    "addresses and headers without an end": ("timeline.jsonl", "… (cut) of 60"),
    "300 frames": ("dom.html", "more frames are omitted"),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_that_is_too_much_is_still_judged(
    tmp_path: Path, name: str, record_property: Callable[..., None]
) -> None:
    """There is a verdict, every file parses and says what it left out, and the process stays under its bound."""
    started_at = time.monotonic()
    result, megabytes = visit(tmp_path, name)
    record_property("megabytes", megabytes)
    print(f"{name}: {time.monotonic() - started_at:.1f} s, {megabytes} MB, {result['outcome']}")
    assert result["outcome"] in ("failed", "undecided", "timeout"), result
    assert megabytes < MOST_MEGABYTES
    bundle = tmp_path / result["bundle"]
    for line in (bundle / "timeline.jsonl").read_text(encoding="utf-8").splitlines():
        json.loads(line)
    json.loads((bundle / "network.har").read_text(encoding="utf-8"))
    assert sum(path.stat().st_size for path in bundle.iterdir()) < 60_000_000
    if name in SAID:
        file, *words = SAID[name]
        assert any(word in (bundle / file).read_text(encoding="utf-8") for word in words)


@pytest.mark.parametrize("name", ["10 MB of console", "10,000 requests of one kind", "a DOM of 30 MB"])
def test_a_trace_of_a_page_that_is_too_much_is_rewritten_within_the_bound(tmp_path: Path, name: str) -> None:
    """Playwright stores the DOM, the network and the console whole."""
    started_at = time.monotonic()
    result, megabytes = visit(tmp_path, name, trace="on")
    print(f"trace of {name}: {time.monotonic() - started_at:.1f} s, {megabytes} MB, {result['outcome']}")
    assert megabytes < MOST_MEGABYTES
    assert (tmp_path / result["bundle"] / "trace.zip").is_file()


BUSY = """
import resource

NOISE = "() => { window.left = 10_000; const many = async () => { while (window.left > 0) { window.left -= 1; " \
    "await fetch('/health?' + window.left).then((a) => a.text()); console.log('x'.repeat(900)); } }; " \
    "window.all = Promise.all(Array.from({ length: 20 }, many)).then(() => { window.done = true; }); }"


def test_busy(chatkit):
    embed = chatkit.open("topic-generation")
    embed.page.evaluate(NOISE)
    first = embed.wait_until_decided()
    embed.page.wait_for_function("window.done", timeout=500_000)
    result = embed.finish()
    print("SEEN", first.outcome, result.outcome, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    assert first.is_mounted
    assert result.is_mounted
"""


def test_a_widget_on_a_page_that_is_too_much_is_judged_rightly(tmp_path: Path) -> None:
    """10,000 requests and 9 MB of console beside it: it mounts, and that is what the verdict says."""
    (tmp_path / "test_busy.py").write_text(BUSY, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-s", "-q", "test_busy.py"]
    done = subprocess.run(
        command, cwd=tmp_path, env=clean_environ(), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stdout[-3_000:]
    seen = next(line for line in done.stdout.splitlines() if "SEEN" in line)
    print(seen)
    assert int(seen.split()[-1]) < MOST_MEGABYTES


RUN = """
import pytest
from harness.model import bounds


@pytest.mark.parametrize("number", range(4))
def test_visit(chatkit, number):
    embed = chatkit.open("topic-generation")
    assert embed.wait_until_decided().is_mounted
    embed.finish()
"""


def test_a_run_that_wrote_enough_keeps_little_of_what_comes(tmp_path: Path) -> None:
    """Every visit is judged; the later ones keep their verdict and the beginning of their timeline, and say so."""
    (tmp_path / "test_run.py").write_text(RUN, encoding="utf-8")
    (tmp_path / "playwright.config.toml").write_text('run_megabytes = 1\n[use]\ntrace = "on"\n', encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "test_run.py"]
    done = subprocess.run(
        command, cwd=tmp_path, env=clean_environ(), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stdout[-3_000:]
    bundles = sorted(path.parent for path in (tmp_path / "test-results" / "latest").resolve().rglob("result.json"))
    names = [{path.name for path in bundle.iterdir()} for bundle in bundles]
    assert {"trace.zip", "dom.html", "screenshot-page.png"} <= names[0]
    assert not {"trace.zip", "dom.html", "screenshot-page.png"} & names[-1]
    assert "this run's files are larger than 1000000 bytes" in (bundles[-1] / "timeline.jsonl").read_text("utf-8")
    assert "this run's files are larger than 1000000 bytes" in (bundles[-1] / "network.har").read_text("utf-8")

"""Pages that are too much: the visit is still judged, the harness stays small, and the bundle says what it left out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.commands import clean_environ
from tests.site import Answer, serve_site

MOST_MEGABYTES = 300
TIMEOUT_S = 280
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
PAGES = {
    "10 MB of console": "for (let n = 0; n < 2000; n += 1) console.log(n + ' '.repeat(10) + 'x'.repeat(5000));",
    "10 MB in one line": "console.log('x'.repeat(10_000_000));",
    "a DOM of 30 MB": "document.body.append('x'.repeat(30_000_000));",
    "an answer of 200 MB": "fetch('/large').then((answer) => answer.blob());",
    "an endless stream": "fetch('/endless').then((answer) => answer.text());",
    "2,000 requests": """const many = async () => { for (let n = 0; n < 100; n += 1) await fetch('/small?' + n).then((a) => a.text()); };
      await Promise.all(Array.from({ length: 20 }, many));""",
}
SITE = {
    "/large": Answer(media_type="text/plain", body=b"x" * 1_000_000, times=200),
    "/endless": Answer(media_type="text/plain", body=b"x" * 1_000, never_ends=True),
    "/small": Answer(media_type="text/plain", body=b"x"),
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


@pytest.mark.parametrize("name", PAGES)
def test_a_page_that_is_too_much_is_still_judged(tmp_path: Path, name: str) -> None:
    """There is a verdict, every file parses, and the process stays under its bound."""
    result, megabytes = visit(tmp_path, name)
    assert result["outcome"] in ("failed", "undecided", "timeout"), result
    assert megabytes < MOST_MEGABYTES
    bundle = tmp_path / result["bundle"]
    for line in (bundle / "timeline.jsonl").read_text(encoding="utf-8").splitlines():
        json.loads(line)
    json.loads((bundle / "network.har").read_text(encoding="utf-8"))
    assert sum(path.stat().st_size for path in bundle.iterdir()) < 40_000_000
    timeline = (bundle / "timeline.jsonl").read_text(encoding="utf-8")
    if name == "10 MB of console":
        assert '"kind":"Omitted","what":"console"' in timeline
    if name == "an answer of 200 MB":
        assert "larger than 2000000 bytes" in timeline
    if name == "a DOM of 30 MB":
        assert "<!-- cut after 400000 of 30" in (bundle / "dom.html").read_text(encoding="utf-8")


def test_a_trace_of_a_page_that_is_too_much_is_rewritten_within_the_bound(tmp_path: Path) -> None:
    """Playwright stores the DOM and the console whole."""
    result, megabytes = visit(tmp_path, "10 MB of console", trace="on")
    assert megabytes < MOST_MEGABYTES
    assert (tmp_path / result["bundle"] / "trace.zip").is_file()

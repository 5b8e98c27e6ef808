"""A snapshot that was pulled with one mount, and visits that it is served to at the CDN's own addresses."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from harness.config.sdk_folders import read_folder
from harness.config.sdk_source import sdk_source_of
from harness.servers.scenarios import fixtures_dir, scenario_named
from harness.servers.server import Stack, serve_stack
from tests.commands import run_command
from tests.recorded import plain_config
from tests.visits import visited

HEALTHY = scenario_named("healthy")
HIDDEN = "assets/ck1/hidden-standin01.js"


@pytest.fixture(scope="module")
def cdn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A CDN with one file that no other file names: only a running widget asks for it."""
    folder = tmp_path_factory.mktemp("cdn") / "sdk"
    shutil.copytree(fixtures_dir() / "sdk", folder)
    entry = folder / "assets/ck1/index-standin01.js"
    entry.write_text("import(['./hidden', 'standin01.js'].join('-'));\n" + entry.read_text())
    (folder / HIDDEN).write_text("export {};\n")
    with serve_stack(scenario=HEALTHY, sdk_dir=folder) as stack:
        yield stack


def test_a_widget_mounts_from_a_snapshot(
    cdn: Stack, tmp_path: Path, new_context: Callable[..., BrowserContext]
) -> None:
    """The mount finds the file that nothing names; with the CDN out of reach, a visit from the folder mounts, by its own files."""
    done = run_command("sdk", "pull", "--from", cdn.cdn_url, "--out", str(tmp_path / "sdk"), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the widget mounts with this SDK" in done.stdout
    assert HIDDEN in [file.path for file in read_folder(tmp_path / "sdk").found]
    assert not list(tmp_path.glob(".*")), "nothing unfinished is left"

    config = plain_config(tmp_path)
    source = sdk_source_of(f"snapshot:{tmp_path / 'sdk'}", root=tmp_path, where="here")
    cdn.use(HEALTHY)
    with serve_stack(scenario=HEALTHY, sdk_dir=source.folder, sdk_url=source.url) as stack:
        result = visited(HEALTHY, config=config, stack=stack, new_context=new_context, folder=tmp_path / "visit")
        assert result.is_mounted, result.explanation
        assert [answer.status for answer in stack.answers("cdn", f"/{HIDDEN}")] == [200]
    assert not cdn.log


def test_another_cdn_is_let_through(cdn: Stack, tmp_path: Path, new_context: Callable[..., BrowserContext]) -> None:
    """What `live` does, with a CDN on this machine in the real one's place: the SDK is from there, and all else is embedded."""
    cdn.use(HEALTHY)
    with serve_stack(scenario=HEALTHY, sdk_url=cdn.cdn_tls_url) as stack:
        result = visited(
            HEALTHY, config=plain_config(tmp_path), stack=stack, new_context=new_context, folder=tmp_path / "visit"
        )
        assert result.is_mounted, result.explanation
        assert cdn.answers("cdn", f"/{HIDDEN}")
        assert not stack.answers("cdn")
        assert stack.answers("api")

"""`sdk pull`, `diff` and `verify` against CDNs on loopback: the embedded one, and ones that answer badly."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from harness.commands.sdk import PullOptions, run_diff, run_pull, run_show, run_verify
from harness.config.reading import Config, read_config
from harness.config.sdk_source import sdk_source_of
from harness.drive.sdk_download import PullLimits, pull
from harness.errors import ConfigError, EnvironmentFailure, HarnessError, RecordingError
from harness.servers.scenarios import fixtures_dir, scenario_named
from harness.servers.server import serve_stack
from tests.commands import TIMEOUT_S
from tests.site import Answer, serve_site

STAND_IN = fixtures_dir() / "sdk"
LOADER = Answer(body=b'new URL("index-1.html", document.currentScript.src)', media_type="text/javascript")
FRAME = Answer(body=b'<script type=module src="/assets/ck1/index-1.js"></script>')
ENTRY = Answer(body=b'import"./a.js";const d=["assets/ck1/gone.js"]', media_type="text/javascript")
CHUNK = Answer(body=b"export {}", media_type="text/javascript")
SITE = {
    "/deployments/chatkit/chatkit.js": LOADER,
    "/deployments/chatkit/index-1.html": FRAME,
    "/assets/ck1/index-1.js": ENTRY,
    "/assets/ck1/a.js": CHUNK,
}


@pytest.fixture(scope="module")
def cdn() -> Iterator[str]:
    """The embedded CDN's address."""
    with serve_stack(scenario=scenario_named("healthy")) as stack:
        yield stack.cdn_url


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment with a cache folder of its own."""
    return {"XDG_CACHE_HOME": str(tmp_path / "cache")}


class Said:
    """A console that remembers."""

    def __init__(self, root: Path, environ: dict[str, str]) -> None:
        self.config: Config = read_config(None, environ={}, root=root)
        self.environ = environ
        self._file = io.StringIO()
        self.console = Console(file=self._file, width=300)

    @property
    def text(self) -> str:
        """What was said since the last time."""
        said = self._file.getvalue()
        self._file.seek(0)
        self._file.truncate()
        return said

    def pull(self, base_url: str, out: Path | None = None) -> int:
        """Pull without a mount."""
        options = PullOptions(base_url=base_url, out=out, is_mounted=False)
        return run_pull(self.console, self.config, options, self.environ)


@pytest.fixture
def said(tmp_path: Path, environ: dict[str, str]) -> Said:
    """The commands' console."""
    return Said(tmp_path, environ)


def files_below(folder: Path) -> dict[str, bytes]:
    """Return every file but the listing."""
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    found.pop("snapshot.json", None)
    return found


def test_the_whole_sdk_is_stored_in_the_layout_of_the_cdn(cdn: str, said: Said, tmp_path: Path) -> None:
    """Every file of the stand-in, byte for byte; the second time it is there already; then a change is named everywhere."""
    assert said.pull(cdn) == 0
    [folder] = (tmp_path / "cache/chatkit-harness/sdk").iterdir()
    assert files_below(folder) == files_below(STAND_IN)
    listing = json.loads((folder / "snapshot.json").read_text())
    assert (listing["base_url"], listing["missing"], len(listing["files"])) == (cdn, [], len(files_below(STAND_IN)))
    assert {file["media_type"] for file in listing["files"]} == {"text/javascript", "text/css", "text/html"}
    told = said.text
    assert told.count(f"stored: {folder}") == 1
    assert "is:        another one than the frame of June 2026: with commands" in told
    assert "commands.onSearch" in listing["sdk"]["options"]
    assert {"history.open"}.isdisjoint(listing["sdk"]["events"])

    assert said.pull(cdn) == 0
    assert f"unchanged, already stored: {folder}" in said.text
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert run_verify(said.console, None, said.environ) == 0
    assert run_diff(said.console, "", "", cdn, said.environ) == 0
    assert run_diff(said.console, str(folder), "stand-in", cdn, said.environ) == 0
    said.text  # noqa: B018 (forgets it)

    chunk = folder / "assets/ck1/sse-standin01.js"
    chunk.write_bytes(chunk.read_bytes() + b"//")
    (folder / "assets/ck1/menu-standin01.js").unlink()
    (folder / "more.js").write_bytes(b"x")
    assert run_diff(said.console, "stand-in", str(folder), cdn, said.environ) == 1
    told = said.text
    assert "changed  assets/ck1/sse-standin01.js  1,909 → 1,911 bytes (+2)" in told
    assert "removed  assets/ck1/menu-standin01.js" in told
    assert "new      more.js  1 bytes" in told
    assert run_diff(said.console, str(folder), "live", cdn, said.environ) == 1
    assert "changed  assets/ck1/sse-standin01.js  1,911 → 1,909 bytes (-2)" in said.text
    assert run_verify(said.console, folder, said.environ) == 11
    assert "damaged" in said.text
    assert run_show(said.console, said.config, None, said.environ) == 0
    assert "it does not match its snapshot.json" in said.text

    app = folder / "assets/ck1/app-standin01.js"
    app.write_text(app.read_text().replace("'frameTitle?':", "'frameTitel?':"))
    assert run_diff(said.console, "stand-in", str(folder), cdn, said.environ) == 1
    assert "new option: frameTitel\n  removed option: frameTitle\n" in said.text
    (folder / "snapshot.json").unlink()
    assert run_show(said.console, said.config, folder, said.environ, is_verbose=True) == 0
    assert "    more: frameTitel\n    fewer: frameTitle\n" in said.text.replace("    more: commands.onSelect\n", "")


def test_a_file_that_only_a_mount_asks_for_is_no_difference(cdn: str, said: Said, tmp_path: Path) -> None:
    """What the CDN serves is asked for by the snapshot's own list, too; one that the CDN has no more is gone."""
    said.pull(cdn, tmp_path / "sdk")
    with serve_site(SITE | {"/assets/ck1/hidden.js": CHUNK}) as site:
        said.pull(site, tmp_path / "other")
        (tmp_path / "other/assets/ck1/hidden.js").write_bytes(CHUNK.body)
        assert run_diff(said.console, str(tmp_path / "other"), "live", site, said.environ) == 0
    with serve_site(SITE) as site:
        assert run_diff(said.console, str(tmp_path / "other"), "live", site, said.environ) == 1
        assert "removed  assets/ck1/hidden.js" in said.text


def test_what_is_only_named_may_be_missing(said: Said, tmp_path: Path) -> None:
    """It is said, and stands in the listing; so does nothing that answers with a web page."""
    start_page = Answer(body=b"<!doctype html>")
    for answers in (SITE, SITE | {"/assets/ck1/gone.js": start_page}):
        with serve_site(answers) as site:
            shutil.rmtree(tmp_path / "sdk", ignore_errors=True)
            said.pull(site, tmp_path / "sdk")
        assert "missing:   assets/ck1/gone.js" in said.text
        assert json.loads((tmp_path / "sdk/snapshot.json").read_text())["missing"] == ["assets/ck1/gone.js"]


def test_what_is_loaded_later_may_be_missing(said: Said, tmp_path: Path) -> None:
    """Targets of `import()`, fonts and pictures; also what such a target needs itself: one line says it, the listing has all."""
    icons = [f"icon-{number}" for number in range(40)]
    entry = Answer(
        body="".join(f'import("./{name}.js");' for name in ["all", *icons]).encode(), media_type="text/javascript"
    )
    every = Answer(body=b'import"./icon-7.js";import"./shared.js"', media_type="text/javascript")
    frame = Answer(body=FRAME.body + b'<link rel=stylesheet href="/a.css"><link rel=icon href="/i.ico">')
    style = Answer(body=b"a{b:url(f.woff2)}", media_type="text/css")
    changes = {"/assets/ck1/index-1.js": entry, "/assets/ck1/all.js": every, "/a.css": style}
    with serve_site(SITE | changes | {"/deployments/chatkit/index-1.html": frame}) as site:
        said.pull(site, tmp_path / "sdk")
        missing = {f"assets/ck1/{name}.js" for name in [*icons, "shared"]} | {"f.woff2", "i.ico"}
        assert set(json.loads((tmp_path / "sdk/snapshot.json").read_text())["missing"]) == missing
        told = said.text
        assert "missing:   43 files that are loaded later, or only mentioned; snapshot.json lists them" in told
        assert len(told.splitlines()) < 10
        options = PullOptions(base_url=site, out=tmp_path / "2", is_mounted=False, is_verbose=True)
        run_pull(said.console, said.config, options, said.environ)
        assert "assets/ck1/shared.js: it answers 404" in said.text


def test_as_many_files_as_the_cdn_has_are_stored(said: Said, tmp_path: Path) -> None:
    """Some 1,700, most of them icons that are loaded later; `diff` and `verify` say little of many."""
    icons = {f"/assets/ck1/icon-{number}.js": CHUNK for number in range(1_700)}
    lines = "".join(f'()=>import("./{path.rpartition("/")[2]}");' for path in icons)
    entry = Answer(body=lines.encode(), media_type="text/javascript")
    asked: list[str] = []
    with serve_site(SITE | icons | {"/assets/ck1/index-1.js": entry}, asked) as site:
        said.pull(site, tmp_path / "sdk")
    assert len(asked) == len(set(asked)) == 1_703
    assert set(files_below(tmp_path / "sdk")) == {path[1:] for path in asked}
    said.text  # noqa: B018 (forgets it)
    for number in range(300):
        (tmp_path / f"sdk/assets/ck1/icon-{number}.js").unlink()
    assert run_verify(said.console, tmp_path / "sdk", said.environ) == 11
    told = said.text
    assert told.count("  removed  ") == 20
    assert "280 more files are removed (-v names them)" in told
    assert run_verify(said.console, tmp_path / "sdk", said.environ, is_verbose=True) == 11
    assert said.text.count("  removed  ") == 300


@pytest.mark.parametrize("kept", [0, 200, -2])
def test_a_listing_that_was_cut_off_is_unreadable(cdn: str, said: Said, tmp_path: Path, kept: int) -> None:
    """For `verify`, `show`, `diff` and a visit alike, with one sentence that says what to do."""
    said.pull(cdn, tmp_path / "sdk")
    listing = tmp_path / "sdk/snapshot.json"
    listing.write_bytes(listing.read_bytes()[:kept])
    asked: list[Callable[[], object]] = [
        lambda: run_verify(said.console, tmp_path / "sdk", said.environ),
        lambda: run_show(said.console, said.config, tmp_path / "sdk", said.environ),
        lambda: run_diff(said.console, "stand-in", str(tmp_path / "sdk"), cdn, said.environ),
        lambda: sdk_source_of(f"snapshot:{tmp_path / 'sdk'}", root=tmp_path, where="here"),
    ]
    for ask in asked:
        with pytest.raises(
            RecordingError, match=r"snapshot\.json is (not JSON|cut off)[^\n]*\n  to fix: .*sdk pull"
        ) as raised:
            ask()
        assert raised.value.exit_code == 11


def test_a_file_that_was_cut_off_is_damage(cdn: str, said: Said, tmp_path: Path) -> None:
    """And so is one that never came: a visit on it is refused, with the file's name."""
    said.pull(cdn, tmp_path / "sdk")
    loader = tmp_path / "sdk/deployments/chatkit/chatkit.js"
    loader.write_bytes(loader.read_bytes()[:1_000])
    (tmp_path / "sdk/assets/ck1/sse-standin01.js").unlink()
    assert run_verify(said.console, tmp_path / "sdk", said.environ) == 11
    with pytest.raises(
        RecordingError, match="chatkit\\.js, assets/ck1/sse-standin01\\.js\n  to fix: pull another snapshot"
    ):
        sdk_source_of(f"snapshot:{tmp_path / 'sdk'}", root=tmp_path, where="here")


ENDLESS = Answer(body=b"x" * 1_000, media_type="text/javascript", times=100)
CUT = replace(CHUNK, headers=(("content-length", "50"),), times=2)


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"/assets/ck1/a.js": None}, RecordingError, r"a\.js is missing: it answers 404\n +needed by: assets/ck1/index-1\.js"),
        ({"/assets/ck1/a.js": Answer(body=b"<html>")}, RecordingError, r"a\.js is missing: the response is a web page"),
        ({"/assets/ck1/a.js": Answer(status=503)}, RecordingError, r"it answers 503"),
        ({"/assets/ck1/a.js": CUT}, RecordingError, r"ended before it was complete, after 18 bytes"),
        ({"/assets/ck1/a.js": ENDLESS}, RecordingError, r"a\.js is larger than 10,000 bytes"),
        ({"/deployments/chatkit/chatkit.js": None}, RecordingError, r"chatkit\.js is missing: it answers 404"),
        ({"/deployments/chatkit/chatkit.js": Answer(status=302, headers=(("location", "/x.js"),))}, RecordingError, "302"),
        ({"/deployments/chatkit/chatkit.js": CHUNK}, RecordingError, r"refers to no frame.*\n.*'export \{\}'"),
        ({"/deployments/chatkit/index-1.html": None}, RecordingError, r"index-1\.html is missing"),
        ({"/deployments/chatkit/index-1.html": Answer(body=b'<img src="/..%2f..%2fx.png">')}, RecordingError, "leads out"),
    ],
)  # fmt: skip
def test_what_is_no_whole_sdk_is_not_stored(
    said: Said,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, Answer | None],
    error: type[HarnessError],
    sentence: str,
) -> None:
    """A sentence says which file, and why; nothing is left behind."""
    monkeypatch.setattr(
        "harness.commands.sdk.pull", lambda base_url: pull(base_url, limits=PullLimits(file_bytes=10_000))
    )
    answers = {path: answer for path, answer in (SITE | change).items() if answer is not None}
    with serve_site(answers) as site, pytest.raises(error, match=sentence):
        said.pull(site, tmp_path / "sdk")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [(PullLimits(files=3), "more than 3 files"), (PullLimits(total_bytes=120), "serves more than 120 bytes")],
)
def test_there_is_an_end_to_what_is_downloaded(limits: PullLimits, sentence: str) -> None:
    """In number and in size."""
    with serve_site(SITE) as site, pytest.raises(RecordingError, match=sentence):
        pull(site, limits=limits)
    assert len(SITE) == 4


def test_a_cdn_that_cannot_be_reached_is_no_fault_of_the_sdk(said: Said, tmp_path: Path) -> None:
    """It is this machine's; nothing is left behind."""
    with serve_site(SITE) as site:
        pass
    with pytest.raises(EnvironmentFailure, match="cannot be downloaded"):
        said.pull(site, tmp_path / "sdk")
    assert list(tmp_path.iterdir()) == []


def test_only_the_base_is_asked(said: Said, tmp_path: Path) -> None:
    """A file elsewhere is named and not fetched; no path is asked twice."""
    asked: list[str] = []
    elsewhere: list[str] = []
    with serve_site({"/f.woff2": CHUNK}, elsewhere) as other:
        style = Answer(body=f"a{{b:url({other}/f.woff2)}}".encode(), media_type="text/css")
        frame = Answer(body=FRAME.body + b'<link rel=stylesheet href="/a.css">')
        with serve_site(SITE | {"/a.css": style, "/deployments/chatkit/index-1.html": frame}, asked) as site:
            said.pull(site, tmp_path / "sdk")
        assert f"elsewhere: {other}/f.woff2 (not stored)" in said.text
    assert elsewhere == []
    assert len(asked) == len(set(asked)) == 6


def test_another_snapshot_is_not_overwritten(cdn: str, said: Said, tmp_path: Path) -> None:
    """It stays as it is."""
    with serve_site(SITE) as site:
        said.pull(site, tmp_path / "sdk")
    before = files_below(tmp_path / "sdk")
    with pytest.raises(RecordingError, match="never overwritten"):
        said.pull(cdn, tmp_path / "sdk")
    assert files_below(tmp_path / "sdk") == before
    assert [path.name for path in tmp_path.iterdir()] == ["sdk"]


def test_without_a_snapshot_there_is_nothing_to_compare(said: Said, tmp_path: Path) -> None:
    """`show` says so, the others end with what to do."""
    assert run_show(said.console, said.config, None, said.environ) == 0
    assert "in use:    stand-in (default)\nno snapshot in" in said.text
    with pytest.raises(ConfigError, match="sdk pull"):
        run_verify(said.console, None, said.environ)
    with pytest.raises(RecordingError, match="no hashes to verify"):
        run_verify(said.console, STAND_IN, said.environ)
    with pytest.raises(RecordingError, match="there is no folder"):
        run_diff(said.console, str(tmp_path / "none"), "stand-in", "http://127.0.0.1:9", said.environ)


def test_a_folder_is_served_at_the_addresses_of_the_cdn(tmp_path: Path) -> None:
    """Its own files in place of the stand-in's, and a CDN by its address where one is named."""
    with serve_site(SITE) as site:
        for path, answer in SITE.items():
            (tmp_path / path[1:]).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path[1:]).write_bytes(answer.body)
        healthy = scenario_named("healthy")
        with serve_stack(scenario=healthy, sdk_dir=tmp_path, sdk_url=site) as stack:
            served = httpx.get(f"{stack.cdn_url}/assets/ck1/index-1.js", trust_env=False, timeout=TIMEOUT_S)
            assert (served.content, stack.sdk_url) == (ENTRY.body, site)

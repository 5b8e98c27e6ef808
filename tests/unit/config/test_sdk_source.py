"""Where the SDK comes from: the words, the folder, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.config.reading import Config, read_config
from harness.config.sdk_folders import LOADER, cache_folder, newest_in, read_folder, same_in, seal, stage, staging_of
from harness.config.sdk_source import sdk_source_of
from harness.errors import ConfigError, RecordingError
from harness.model.chatkit import CDN_ORIGIN
from harness.model.snapshot import Snapshot, file_of

CONTENTS = {LOADER: b"loader", "deployments/chatkit/index-1.html": b"<html>"}


def listing(contents: dict[str, bytes], taken_at: str = "2026-11-24T00:00:00+00:00") -> Snapshot:
    """Return the listing of files."""
    files = tuple(file_of(path, content) for path, content in contents.items())
    return Snapshot(base_url="https://cdn.test", taken_at=taken_at, files=files)


def stored(folder: Path, contents: dict[str, bytes] = CONTENTS, taken_at: str = "2026-11-24T00:00:00+00:00") -> bool:
    """Store a snapshot, and return whether it was not there."""
    staging = staging_of(folder)
    stage(staging, contents)
    return seal(staging, folder, listing(contents, taken_at))


def configured(root: Path, text: str = "", sdk: str | None = None, **environ: str) -> Config:
    """Return a configuration."""
    (root / "playwright.config.toml").write_text(text)
    return read_config(None, environ=environ, overrides={"chatkit.sdk": sdk}, root=root)


def test_the_stand_in_is_the_default(tmp_path: Path) -> None:
    """Without a folder and without a CDN."""
    source = configured(tmp_path).sdk()
    assert (source.name, source.folder, source.url, source.warning) == ("stand-in", None, "", "")


def test_the_cdn_itself_is_let_through_when_it_is_asked_for(tmp_path: Path) -> None:
    """From the environment, as from the file."""
    assert configured(tmp_path, CHATKIT_HARNESS_SDK="live").sdk().url == CDN_ORIGIN
    assert configured(tmp_path, '[chatkit]\nsdk = "live"').sdk().is_live


def test_a_folder_of_the_file_is_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the command line is below the current folder."""
    root, here = tmp_path / "project", tmp_path / "here"
    root.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    stored(root / "mine")
    stored(here / "yours")
    text = '[chatkit]\nsdk = "snapshot:mine"'
    assert configured(root, text).sdk().folder == root / "mine"
    assert configured(root, text, sdk="snapshot:yours").sdk().folder == here / "yours"


def test_only_the_command_line_replaces_the_sdk_of_a_live_page(tmp_path: Path) -> None:
    """And not with the SDK that it has anyway."""
    assert configured(tmp_path, sdk="stand-in").is_sdk_chosen
    assert not configured(tmp_path, sdk="live").is_sdk_chosen
    assert not configured(tmp_path, '[chatkit]\nsdk = "snapshot:x"').is_sdk_chosen


@pytest.mark.parametrize("text", ["", "standin", "snapshot:", "snapshot: ", "Live", "live:x", "recorded", "/folder"])
def test_other_words_are_refused(tmp_path: Path, text: str) -> None:
    """In the configuration, and on a command line of its own."""
    with pytest.raises(ConfigError, match='expected: "stand-in", "live" or "snapshot:<folder>"'):
        sdk_source_of(text, root=tmp_path, where="--sdk")
    with pytest.raises(ConfigError, match=r"key: +chatkit.sdk"):
        configured(tmp_path, f'[chatkit]\nsdk = "{text}"')


def test_a_folder_that_is_no_sdk_is_refused(tmp_path: Path) -> None:
    """It is not there, or not laid out as the CDN is."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="there is no folder"):
        sdk_source_of("snapshot:none", root=tmp_path, where="--sdk")
    with pytest.raises(ConfigError, match="does not have the layout of ChatKit's CDN"):
        sdk_source_of("snapshot:empty", root=tmp_path, where="--sdk")


def test_a_folder_without_a_listing_is_served_with_a_warning(tmp_path: Path) -> None:
    """Nothing says what it is."""
    stored(tmp_path / "sdk")
    assert sdk_source_of("snapshot:sdk", root=tmp_path, where="--sdk").warning == ""
    (tmp_path / "sdk" / "snapshot.json").unlink()
    assert "has no snapshot.json" in sdk_source_of("snapshot:sdk", root=tmp_path, where="--sdk").warning


@pytest.mark.parametrize("harm", ["changed", "gone", "new"])
def test_a_damaged_snapshot_is_refused(tmp_path: Path, harm: str) -> None:
    """A changed, missing or additional file is named."""
    stored(tmp_path / "sdk")
    frame = tmp_path / "sdk/deployments/chatkit/index-1.html"
    if harm == "gone":
        frame.unlink()
    else:
        (frame if harm == "changed" else frame.with_name("index-2.html")).write_bytes(b"other")
    named = "index-2.html" if harm == "new" else "index-1.html"
    with pytest.raises(RecordingError, match=named):
        sdk_source_of("snapshot:sdk", root=tmp_path, where="--sdk")


def test_a_snapshot_is_never_overwritten(tmp_path: Path) -> None:
    """The same is there already; something else is refused and left as it was; nothing unfinished stays."""
    assert stored(tmp_path / "sdk")
    assert not stored(tmp_path / "sdk")
    with pytest.raises(RecordingError, match="never overwritten"):
        stored(tmp_path / "sdk", {LOADER: b"another"})
    assert read_folder(tmp_path / "sdk").damage.is_nothing
    assert [path.name for path in tmp_path.iterdir()] == ["sdk"]


def test_snapshots_are_found_again_by_date_and_by_content(tmp_path: Path) -> None:
    """A damaged one is not the same; a folder with a broken listing is passed over."""
    stored(tmp_path / "b", {LOADER: b"old"}, "2026-11-23T00:00:00+00:00")
    stored(tmp_path / "a", CONTENTS, "2026-11-24T00:00:00+00:00")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "snapshot.json").write_text("{")
    assert newest_in(tmp_path) == tmp_path / "a"
    assert same_in(tmp_path, listing({LOADER: b"old"})) == tmp_path / "b"
    (tmp_path / "b" / LOADER).write_bytes(b"harmed")
    assert same_in(tmp_path, listing({LOADER: b"old"})) is None
    assert newest_in(tmp_path / "none") is None


@pytest.mark.parametrize("text", ["{", "[]", '{"format_version": 2}', "[" * 100_000])
def test_a_listing_that_cannot_be_read_is_said(tmp_path: Path, text: str) -> None:
    """Never with a traceback."""
    (tmp_path / "snapshot.json").write_text(text)
    with pytest.raises(RecordingError, match=r"snapshot\.json"):
        read_folder(tmp_path)


def test_the_cache_is_where_the_user_says(tmp_path: Path) -> None:
    """A relative XDG_CACHE_HOME counts as none, as its specification has it."""
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path / "c")}, tmp_path) == tmp_path / "c/chatkit-harness/sdk"
    for environ in ({}, {"XDG_CACHE_HOME": ""}, {"XDG_CACHE_HOME": "relative"}):
        assert cache_folder(environ, tmp_path) == tmp_path / ".cache/chatkit-harness/sdk"

"""A bundle is written, packed and read again; one that is damaged, newer or of another tool is told about, never a traceback."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.replay.recording import recording_of
from harness.errors import BundleError, RecordingError
from harness.model.file_names import MANIFEST_NAME
from harness.model.manifest import Manifest
from harness.model.recording import RecordedVerdict, Recording
from harness.report.recordings import opened_recording, pack, reseal, shapes_in, write_manifest, write_smaller
from harness.report.scenario_test import render_scenario_test, scenario_name
from harness.visit.record_modes import require_fresh

PAGE = "https://app.test/chat"


def har(*urls: str) -> dict[str, Any]:
    """Return a HAR of pages that say hello."""
    entries = [
        {"startedDateTime": "2026-11-24T08:00:00Z", "time": 5, "timings": {"wait": 5}, "_seq": number, "_resourceType": "document",
         "request": {"method": "GET", "url": url, "headers": []},
         "response": {"status": 200, "headers": [], "content": {"mimeType": "text/html", "text": f"hello {number}"}}}
        for number, url in enumerate(urls, start=1)
    ]  # fmt: skip
    return {"log": {"version": "1.2", "creator": {"name": "chatkit-harness"}, "entries": entries}}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle of two exchanges."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "network.har").write_text(json.dumps(har(PAGE, PAGE + "2")))
    (folder / "timeline.jsonl").write_text("{}\n")
    manifest = Manifest(
        written_at="",
        harness="",
        url=PAGE,
        started_at="2026-11-24T08:00:00+00:00",
        network="live",
        judged=RecordedVerdict(outcome="mounted"),
    )
    write_manifest(folder, manifest)
    return folder


def read(path: Path) -> Recording:
    """Return what is there."""
    with opened_recording(path) as (recording, _):
        return recording


def test_a_bundle_is_the_same_as_a_folder_and_as_a_zip(bundle: Path, tmp_path: Path) -> None:
    """Also when the zip was unpacked somewhere else, and packed with a folder around it."""
    archive = pack(bundle, tmp_path / "elsewhere" / "b.zip")
    elsewhere = tmp_path / "moved"
    with zipfile.ZipFile(archive) as packed:
        assert packed.namelist()[:2] == ["manifest.json", "network.har"]
        packed.extractall(elsewhere)
    around = tmp_path / "around.zip"
    with zipfile.ZipFile(around, "w") as packed:
        for path in bundle.iterdir():
            packed.write(path, f"my-bundle/{path.name}")
    found = [read(path) for path in (bundle, archive, elsewhere, around)]
    assert {(x.url, len(x.exchanges), x.warnings, x.judged.outcome) for x in found} == {(PAGE, 2, (), "mounted")}


def test_a_changed_or_missing_file_is_told(bundle: Path) -> None:
    """The rest is read."""
    (bundle / "network.har").write_text(json.dumps(har(PAGE)))
    (bundle / "timeline.jsonl").unlink()
    found = read(bundle)
    assert len(found.exchanges) == 1
    assert found.warnings == (
        "network.har was changed after the bundle was written",
        "timeline.jsonl is missing",
    )
    reseal(bundle)
    assert read(bundle).warnings == ()


def test_a_bare_har_is_read(tmp_path: Path) -> None:
    """By itself, or in a folder under any name."""
    (tmp_path / "shop.har").write_text(json.dumps(har(PAGE)))
    assert read(tmp_path / "shop.har").exchanges[0].text == "hello 1"
    assert read(tmp_path).name == tmp_path.name


def _without_end(content: bytes) -> bytes:
    return content[:-30]


def _garbled_manifest(content: bytes) -> bytes:
    at = content.index(b"manifest.json") + 20
    return content[:at] + b"\0" * 30 + content[at + 30 :]


@pytest.mark.parametrize(
    ("damage", "verdict"), [(_without_end, "mounted"), (_garbled_manifest, "")], ids=["cut at its end", "garbled"]
)
def test_of_a_damaged_zip_is_read_what_is_whole(
    bundle: Path, tmp_path: Path, damage: Callable[[bytes], bytes], verdict: str
) -> None:
    """And it is said what that is."""
    archive = pack(bundle, tmp_path / "b.zip")
    archive.write_bytes(damage(archive.read_bytes()))
    found = read(archive)
    assert (len(found.exchanges), found.judged.outcome) == (2, verdict)
    assert "could be read" in found.warnings[0]


@pytest.mark.parametrize("kept", [3, 40, 200])
def test_a_zip_without_its_har_is_one_sentence(bundle: Path, tmp_path: Path, kept: int) -> None:
    """With exit code 11, and no more than that."""
    archive = pack(bundle, tmp_path / "b.zip")
    archive.write_bytes(archive.read_bytes()[:kept])
    with pytest.raises(RecordingError) as raised:
        read(archive)
    assert raised.value.exit_code == 11
    assert "b.zip" in str(raised.value)


def _write(name: str, text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(text) and None


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_write(MANIFEST_NAME, '{"format": "chatkit-harness/bundle", "version": 2}'), "newer than the 1"),
        (_write(MANIFEST_NAME, "{"), "damaged"),
        (_write(MANIFEST_NAME, "[]"), "is not a chatkit-harness/bundle file"),
        (_write("network.har", "<html>"), "damaged"),
        (_write("network.har", "[" * 100_000), "nested too deeply"),
        (_write("network.har", "{}"), "is not a HAR"),
        (lambda folder: (folder / "network.har").unlink(), "has no network.har"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(bundle: Path, damage: Callable[[Path], None], words: str) -> None:
    """It says what, and where."""
    damage(bundle)
    with pytest.raises(RecordingError, match=words):
        read(bundle)


def test_what_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    """A typo."""
    with pytest.raises(RecordingError, match="nowhere"):
        read(tmp_path / "nowhere.zip")


def test_a_file_beside_the_har_cannot_lead_out_of_the_bundle(tmp_path: Path) -> None:
    """A HAR of somebody else may name any file."""
    (tmp_path / "secret.txt").write_text("do not read")
    folder = tmp_path / "b"
    folder.mkdir()
    value = har(PAGE)
    value["log"]["entries"][0]["response"]["content"] = {"mimeType": "text/html", "_file": "../secret.txt"}
    (folder / "network.har").write_text(json.dumps(value))
    assert read(folder).exchanges[0].text == ""


def test_only_a_bundle_is_packed(tmp_path: Path) -> None:
    """Anything else is told."""
    with pytest.raises(BundleError, match="is not a bundle"):
        pack(tmp_path, tmp_path / "x.zip")


def test_a_smaller_bundle_holds_only_what_is_kept(bundle: Path, tmp_path: Path) -> None:
    """And says how much was left out."""
    whole = read(bundle)
    smaller = Recording(name="x", url=PAGE, started_at="", exchanges=whole.exchanges[1:], left_out=1)
    write_smaller(bundle, tmp_path / "small", smaller, frozenset({2}))
    found = read(tmp_path / "small")
    assert [x.text for x in found.exchanges] == ["hello 2"]
    assert (found.left_out, found.warnings, found.judged.outcome) == (1, (), "mounted")


def test_only_the_placeholders_of_the_bundle_have_shapes() -> None:
    """Other visits of a run share the numbers, and are nobody's business."""
    known = [("<redacted:client_secret:1>", "ek_0123456789"), ("<redacted:bearer:2>", "0123456789abcdef")]
    assert [name for name, _ in shapes_in(["a <redacted:bearer:2> b"], known)] == ["<redacted:bearer:2>"]


# --- age ----------------------------------------------------------------------------------------------------------

NOW = datetime(2026, 12, 24, 8, tzinfo=UTC)


def test_a_recording_may_be_too_old() -> None:
    """One sentence, exit code 11; without a limit it never is."""
    old = recording_of(har(PAGE), name="happy.zip")
    require_fresh(old, None, now=NOW)
    require_fresh(old, 30, now=NOW)
    with pytest.raises(RecordingError, match=r"happy\.zip is 30 days old; max_age_days is 29") as raised:
        require_fresh(old, 29, now=NOW)
    assert raised.value.exit_code == 11


def test_a_recording_without_a_date_is_too_old() -> None:
    """Where a limit is set."""
    value = har(PAGE)
    value["log"]["entries"][0]["startedDateTime"] = ""
    with pytest.raises(RecordingError, match="does not say when"):
        require_fresh(recording_of(value, name="happy.zip"), 29, now=NOW)


# --- a test of it -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("judged", "line"),
    [
        (RecordedVerdict(outcome="mounted"), "expect(embed).to_be_mounted()"),
        (
            RecordedVerdict(outcome="failed", reason="frame-failed", cause="frame-refused"),
            'not_to_be_mounted(reason="frame-failed")',
        ),
        (
            RecordedVerdict(outcome="failed", reason="frame-failed", cause="frame-refused"),
            'cause.rule == "frame-refused"',
        ),
    ],
)
def test_a_recording_becomes_a_test(judged: RecordedVerdict, line: str) -> None:
    """It is Python, and expects what was recorded."""
    recording = Recording(name="x", url='https://a.test/"""', started_at="2026-11-24", exchanges=(), judged=judged)
    text = render_scenario_test(recording, name="My Chat!", path="tests/recordings/my_chat.zip")
    compile(text, "test_my_chat.py", "exec")
    assert line in text
    assert "def test_my_chat(" in text
    assert scenario_name("!!") == "recorded"

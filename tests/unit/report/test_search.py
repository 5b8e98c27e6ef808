"""The search after a run: what it finds, deletes, redacts late and leaves alone."""

from __future__ import annotations

import base64
import gzip
import html
import io
import json
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from written import in_json, percent

from harness.model import packing
from harness.report import search as module
from harness.report.search import Hit, Secret, prove, render_proof

VALUE = "4f7qm2zxw9vb/1aa"
KNOWN = Secret(kind="token", value=VALUE)


def archive_of(**files: bytes) -> bytes:
    """A zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


HIDDEN = {
    "plain": VALUE.encode(),
    "URL-encoded": b"s=4f7qm2zxw9vb%2F1aa&",
    "JSON with escaped slashes": b'"4f7qm2zxw9vb\\/1aa"',
    "HTML among other bytes": b"\xff\x00" + VALUE.encode(),
    "base64 of more": base64.b64encode(b"me:" + VALUE.encode() + b"!"),
    "UTF-16": VALUE.encode("utf-16"),
    "gzip": gzip.compress(VALUE.encode()),
    "zlib": zlib.compress(VALUE.encode()),
    "an archive": archive_of(a=VALUE.encode()),
    "gzip in an archive in an archive": archive_of(a=archive_of(b=gzip.compress(VALUE.encode()))),
    "the name of a member": archive_of(**{f"a{VALUE}": b""}),
    "what only begins like an archive": b"PK\x03\x04" + VALUE.encode(),
}


@pytest.mark.parametrize("content", HIDDEN.values(), ids=HIDDEN.keys())
def test_a_file_with_a_secret_is_deleted_and_named(tmp_path: Path, content: bytes) -> None:
    """Wherever it is hidden; the value is in nothing that is said."""
    tmp_path.joinpath("bundle").mkdir()
    tmp_path.joinpath("bundle", "planted").write_bytes(content)
    tmp_path.joinpath("clean").write_bytes(b"nothing")
    proof = prove(tmp_path, [KNOWN])
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["clean"]
    assert proof.hits
    assert all(hit.place.startswith("bundle/planted") for hit in proof.hits)
    assert {(hit.kind, hit.rule) for hit in proof.hits} == {("token", "known before the run")}
    told = render_proof(proof, folder="test-results")
    assert "1 file is deleted" in told
    assert VALUE not in told


# Every kind of file that a run writes, with a secret as that kind of file would hold it.
ARTIFACTS = {
    "bundle/timeline.jsonl": json.dumps({"seq": 1, "kind": "ConsoleMessage", "text": f"got {VALUE}"}).encode(),
    "bundle/result.json": json.dumps({"explanation": f"asked {percent(VALUE)}"}).encode(),
    "bundle/network.har": json.dumps({"text": json.dumps({"key": VALUE})}).encode(),
    "bundle/dom.html": f"<p title='{html.escape(VALUE)}'>".encode(),
    "bundle/console.log": f"      1.0 log      {in_json(VALUE)}\n".encode(),
    "bundle/error-context.md": f"# NOT MOUNTED ({VALUE})\n".encode(),
    "bundle/screenshot-page.png": b"\x89PNG\r\n\x1a\n\x00\x00tEXtcomment\x00" + VALUE.encode() + b"\xff",
    "bundle/trace.zip": archive_of(**{"resources/a.br": b"\xff\xfe" + VALUE.encode()}),
    "bundle/nested.zip": archive_of(**{"trace.zip": archive_of(**{"trace.network": gzip.compress(VALUE.encode())})}),
    "junit.xml": f"<failure message='{html.escape(VALUE)}'/>".encode(),
    "tests.jsonl": json.dumps({"message": f"assert '{VALUE}' == 'x'"}).encode(),
    "pytest.log": f"E   assert {VALUE!r} == 'x'\n".encode(),
    "web-server.log": base64.b64encode(f"key={VALUE}".encode()),
    "report.html": f'<script type="application/json">{json.dumps({"a": json.dumps(VALUE)})}</script>'.encode(),
}


@pytest.mark.parametrize("name", ARTIFACTS)
def test_a_secret_that_redaction_missed_is_found_in_every_kind_of_file(tmp_path: Path, name: str) -> None:
    """The same files without it are left alone."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(ARTIFACTS[name].replace(VALUE.encode(), b"nothing of that kind"))
    if not name.endswith(".zip"):
        prove(tmp_path, [replace(KNOWN, value="another-4711-one")])
        assert path.exists()
    path.write_bytes(ARTIFACTS[name])
    assert prove(tmp_path, [KNOWN]).hits
    assert not path.exists()


def test_a_secret_at_the_border_of_two_chunks_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large files are read in pieces that overlap."""
    monkeypatch.setattr(module, "CHUNK_BYTES", 1_000)
    for before in (990, 1_990, 2_001):
        tmp_path.joinpath("large").write_bytes(b"x" * before + VALUE.encode() + b"x" * 3_000)
        assert prove(tmp_path, [KNOWN]).hits


def test_a_secret_in_a_name_is_found(tmp_path: Path) -> None:
    """Of a file and of a folder; what is below is deleted with it, and the name is not told."""
    secret = Secret(kind="token", value="4f7qm2zxw9vb11aa")
    folder = tmp_path / f"test-{secret.value}"
    folder.mkdir()
    folder.joinpath("inside.txt").write_text("nothing")
    proof = prove(tmp_path, [secret])
    assert list(tmp_path.iterdir()) == []
    assert [hit.place for hit in proof.hits] == ["test-<redacted:token:1>"]


SHAPES = {"ek_" + "4f7qm2zxw9vb11aa": "client_secret", "sk-" + "proj-4f7Qm2ZxW9vBk3": "api_key"}


@pytest.mark.parametrize(("text", "kind"), SHAPES.items(), ids=SHAPES.values())
def test_a_shape_is_found_without_knowing_the_value(tmp_path: Path, text: str, kind: str) -> None:
    """What a killed worker could not hand over is still found by its shape."""
    tmp_path.joinpath("log").write_text(f"got {text}!")
    assert prove(tmp_path, []).hits == (Hit(place="log", kind=kind, rule="recognised by its shape"),)


def test_what_only_a_later_visit_taught_is_redacted_late(tmp_path: Path) -> None:
    """The earlier file could not know; in the visit's own folder it is a hit."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        folder.joinpath("page.html").write_text(f"<p>{VALUE}</p>")
    proof = prove(tmp_path, [Secret(kind="cookie", value=VALUE, home=str(second))])
    assert proof.late == ("first/page.html",)
    assert first.joinpath("page.html").read_text() == "<p>&lt;redacted:cookie:1&gt;</p>"
    assert [hit.place for hit in proof.hits] == ["second/page.html"]
    assert not second.joinpath("page.html").exists()


def test_a_secret_of_two_visits_is_a_hit_in_both(tmp_path: Path) -> None:
    """One cookie, two visits."""
    homes = [tmp_path / name for name in ("first", "second")]
    for folder in homes:
        folder.mkdir()
        folder.joinpath("page.html").write_text(VALUE)
    proof = prove(tmp_path, [Secret(kind="cookie", value=VALUE, home=str(home)) for home in homes])
    assert [hit.place for hit in proof.hits] == ["first/page.html", "second/page.html"]


def test_placeholders_links_and_ordinary_files_are_left_alone(tmp_path: Path) -> None:
    """Nothing is deleted that holds nothing; a link is not followed."""
    outside = tmp_path / "outside"
    outside.write_text(VALUE)
    run = tmp_path / "run"
    run.mkdir()
    run.joinpath("link").symlink_to(outside)
    run.joinpath("a.json").write_text(
        '{"authorization": "Bearer <redacted:bearer:1>", "cookie": "<redacted:cookie:2>"}'
    )
    run.joinpath("empty").write_bytes(b"")
    proof = prove(run, [KNOWN])
    assert (proof.hits, proof.late, proof.unread) == ((), (), ())
    assert proof.searched_files == 2
    assert render_proof(proof, folder="run") == ""
    assert outside.exists()


def test_what_cannot_be_searched_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bomb, and archives nested without an end, cost no memory and prove nothing."""
    monkeypatch.setattr(packing, "LARGEST_BYTES", 10_000)
    monkeypatch.setattr(module, "LARGEST_UNPACKED_BYTES", 100_000)
    nested = b"deep"
    for _ in range(8):
        nested = archive_of(a=nested)
    for name, content in {
        "bomb.gz": gzip.compress(bytes(1_000_000)),
        "bomb.zip": archive_of(a=bytes(1_000_000)),
        "nested.zip": nested,
    }.items():
        tmp_path.joinpath(name).write_bytes(content)
    proof = prove(tmp_path, [KNOWN])
    assert {hit.place.split("!")[0] for hit in proof.hits} == {"bomb.gz", "bomb.zip", "nested.zip"}
    assert {hit.rule for hit in proof.hits} == {"cannot be searched"}
    assert list(tmp_path.iterdir()) == []


def test_only_the_files_that_are_named_are_searched(tmp_path: Path) -> None:
    """The report is written after the search, and searched by itself; a secret in it deletes it, and nothing else."""
    report, bundle = tmp_path / "report.html", tmp_path / "console.log"
    for path in (report, bundle):
        path.write_text(f"<p>{VALUE}</p>", encoding="utf-8")
    proof = prove(tmp_path, [KNOWN], [report])
    assert [hit.place for hit in proof.hits] == ["report.html"]
    assert not report.exists()
    assert bundle.exists()

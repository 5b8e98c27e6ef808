"""A bundle may come from anybody: what is in it writes nowhere else, and fills neither memory nor disk."""

from __future__ import annotations

import json
import os
import stat
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import BundleError, RecordingError
from harness.report.untrusted import (
    LIMITS,
    ReadLimits,
    name_problem,
    opened_bundle,
    read_json,
    read_lines,
    read_text,
    unpacked,
)

FILES = {"timeline.jsonl": b'{"seq":1}\n', "result.json": b"{}", "deeper/screenshot-page.png": b"\x89PNG"}


def zip_of(path: Path, files: dict[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write a zip with these files."""
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def content_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its name."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_zip_is_unpacked_whole(tmp_path: Path) -> None:
    """Its files are there, and nothing else."""
    archive = zip_of(tmp_path / "bundle.zip", FILES)
    folder = unpacked(archive, tmp_path / "out")
    assert content_of(folder) == FILES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle.zip", "out"]


@pytest.mark.parametrize("prefix", ["", "bundle/"])
def test_a_bundle_is_a_folder_or_a_zip_of_files_or_of_one_folder(tmp_path: Path, prefix: str) -> None:
    """All of them are opened alike; what was unpacked goes when the block ends."""
    archive = zip_of(tmp_path / "bundle.zip", {prefix + name: content for name, content in FILES.items()})
    with opened_bundle(archive) as folder:
        assert content_of(folder) == FILES
        with opened_bundle(folder) as same:
            assert same == folder
    assert not folder.exists()


@pytest.mark.parametrize(
    "name",
    ["../evil", "a/../../evil", "/etc/evil", "..", ".", "a//b", "./a", "C:/evil", "C:evil", "..\\evil", "a\\b", "a\0b", "a\nb", "a\x1b[2Jb",
     "a\u202egnp.exe", "con.", "a /b", " ", "", "name:stream", "x" * 201, "/".join("x" * 11)],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    """Up, absolute, of another system, with control or direction characters, empty, or too long."""
    assert name_problem(name)
    archive = tmp_path / "evil.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("result.json", "{}")
        info = zipfile.ZipInfo("x")
        info.filename = name  # `ZipInfo` itself would make it harmless
        opened.writestr(info, "evil")
    refused(archive, r"has a name|leads|damaged", tmp_path)


def refused(archive: Path, message: str, folder: Path, limits: ReadLimits = LIMITS) -> None:
    """Require that an archive is not unpacked, for this reason, and leaves nothing behind."""
    before = content_of(folder)
    with pytest.raises(BundleError, match=message) as caught:
        unpacked(archive, folder / "out", limits)
    assert str(archive) in str(caught.value)
    assert str(caught.value).isprintable()
    assert content_of(folder) == before
    assert not (folder / "out").exists()


def member(archive: Path, change: Callable[[zipfile.ZipInfo], None], content: bytes = b"x") -> Path:
    """Write a zip whose second member is changed before it is written."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("result.json", "{}")
        info = zipfile.ZipInfo("second")
        change(info)
        opened.writestr(info, content)
    return archive


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK, stat.S_IFDIR])
def test_a_link_or_device_is_refused(tmp_path: Path, kind: int) -> None:
    """A link would point wherever it says."""

    def change(info: zipfile.ZipInfo) -> None:
        info.create_system, info.external_attr = 3, (kind | 0o777) << 16

    refused(member(tmp_path / "links.zip", change, b"/etc/passwd"), "'second' is a link or special file", tmp_path)


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_another_packing_is_refused(tmp_path: Path, packing: int) -> None:
    """LZMA asks for as much memory as it likes."""
    archive = zip_of(tmp_path / "other.zip", {"result.json": b"{}" * 100}, packing)
    refused(archive, "unsupported compression", tmp_path)


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    """There is nobody to ask for a password."""
    archive = zip_of(tmp_path / "bundle.zip", {"result.json": b"{}"})
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    refused(archive, "is encrypted", tmp_path)


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    """Two readers would see two bundles; some file systems know no upper case."""
    refused(zip_of(tmp_path / "twice.zip", {"a.txt": b"1", "A.TXT": b"2"}), "'A.TXT' occurs twice", tmp_path)
    archive = tmp_path / "file-and-folder.zip"
    refused(zip_of(archive, {"a": b"1", "a/b": b"2"}), "cannot unpack", tmp_path)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    """By its ratio, its number, its size, and the size of its list."""
    refused(zip_of(tmp_path / "ratio.zip", {"a": bytes(12_000_000)}), "more than 400 times its size", tmp_path)
    small = ReadLimits(files=3, file_bytes=1_000, total_bytes=2_000, archive_bytes=100_000, directory_bytes=400)
    refused(zip_of(tmp_path / "many.zip", {f"{n}": b"" for n in range(4)}), "4 files; the limit is 3", tmp_path, small)
    refused(zip_of(tmp_path / "file.zip", {"a": bytes(1_001)}), "'a' unpacks to 1001 bytes", tmp_path, small)
    in_all = zip_of(tmp_path / "all.zip", {f"{n}": bytes(900) for n in range(3)})
    refused(in_all, "unpacks to 2700 bytes; the limit is 2000", tmp_path, small)
    large = zip_of(tmp_path / "large.zip", {"a": os.urandom(100_001)}, zipfile.ZIP_STORED)
    refused(large, "large.zip has 1001.. bytes", tmp_path, small)
    refused(
        zip_of(tmp_path / "list.zip", {"x" * 190 + str(n): b"" for n in range(2)}), "its list of files", tmp_path, small
    )


def test_a_size_that_is_a_lie_is_not_believed(tmp_path: Path) -> None:
    """A member that says it is small is not unpacked any further than that; one that ends early is damaged."""
    for told in (10, 50_000_000):
        archive = zip_of(tmp_path / f"lie-{told}.zip", {"a": bytes(20_000_000)})
        content = bytearray(archive.read_bytes())
        at = content.index(b"PK\x01\x02")
        content[at + 24 : at + 28] = struct.pack("<I", told)
        archive.write_bytes(content)
        refused(archive, "damaged|more than 400 times", tmp_path)


def test_a_list_of_millions_is_not_read(tmp_path: Path) -> None:
    """Its entries would fill the memory before anybody could count them."""
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"x"
    directory = entry * 1_000_000
    for files in (0xFFFF, 1):
        end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, files, files, len(directory), 0, 0)
        archive = tmp_path / f"million-{files}.zip"
        archive.write_bytes(directory + end)
        tracemalloc.start()
        refused(archive, "zip64|its list of files", tmp_path.joinpath(str(files)))
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
        tracemalloc.stop()


@settings(max_examples=200, deadline=None)
@given(where=st.integers(min_value=0, max_value=99), cut=st.booleans(), bits=st.integers(min_value=1, max_value=255))
def test_a_damaged_zip_is_one_error_or_unpacked(
    tmp_path_factory: pytest.TempPathFactory, where: int, cut: bool, bits: int
) -> None:
    """Cut anywhere, or with any byte changed: never another error, never a file elsewhere."""
    folder = tmp_path_factory.mktemp("damaged")
    archive = zip_of(folder / "bundle.zip", FILES)
    content = bytearray(archive.read_bytes())
    at = len(content) * where // 100
    if cut:
        del content[at:]
    else:
        content[at] ^= bits
    archive.write_bytes(content)
    try:
        unpacked(archive, folder / "out")
    except BundleError:
        assert not (folder / "out").exists()
    assert {path.name for path in folder.iterdir()} <= {"bundle.zip", "out"}


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=200))
def test_what_is_no_zip_is_one_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Whatever its bytes are."""
    path = tmp_path_factory.mktemp("other") / "file.zip"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"file\.zip"), opened_bundle(path):
        pass


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    """A path that is not there, or is a pipe, is neither waited for nor a traceback."""
    with pytest.raises(BundleError, match=r"gone\.zip is missing"), opened_bundle(tmp_path / "gone.zip"):
        pass
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BundleError, match="pipe is not a regular file"), opened_bundle(tmp_path / "pipe"):
        pass
    (tmp_path / "here").mkdir()
    with pytest.raises(BundleError, match="here exists already"):
        unpacked(zip_of(tmp_path / "bundle.zip", FILES), tmp_path / "here")


def test_a_folder_with_a_link_or_a_pipe_is_refused(tmp_path: Path) -> None:
    """A bundle out of somebody's repository may link to the reader's own files."""
    for name in ("link", "pipe"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "result.json").symlink_to("/etc/hostname") if name == "link" else os.mkfifo(folder / "result.json")
        with pytest.raises(BundleError, match=r"result\.json is a link or special file"), opened_bundle(folder):
            pass
        with pytest.raises(BundleError, match="not a regular file"):
            read_text(folder / "result.json")


def test_a_text_is_read_up_to_its_limit(tmp_path: Path) -> None:
    """More is an error, as is a line that is too long."""
    path = tmp_path / "timeline.jsonl"
    path.write_bytes(b"one\ntwo \xff\n")
    assert read_lines(path) == ["one", "two \ufffd", ""]
    with pytest.raises(BundleError, match="larger than 5 bytes"):
        read_text(path, ReadLimits(text_bytes=5))
    with pytest.raises(BundleError, match="line 2 is longer than 3 characters"):
        read_lines(path, ReadLimits(line_chars=3))
    with pytest.raises(BundleError, match=r"cannot read .*gone: No such file"):
        read_text(tmp_path / "gone")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        "9" * 10_000,
        "{",
        "",
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    ],
)
def test_json_that_is_none_or_too_much_is_one_error(tmp_path: Path, text: str) -> None:
    """Nested as deep as it likes, a number without an end, or broken off."""
    path = tmp_path / "result.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(RecordingError, match=r"result\.json is damaged"):
        read_json(path)
    path.write_text(json.dumps({"a": [1]}), encoding="utf-8")
    assert read_json(path) == {"a": [1]}

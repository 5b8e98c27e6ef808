"""A rewritten trace: nothing secret in any member, every reference leads somewhere, and what holds no secret is not touched."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import secret_text
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from written import CHARACTERS, sure_base64

from harness.errors import BundleError
from harness.model.redaction import Redactor, unfit
from harness.report import trace as module
from harness.report.trace import Evidence, is_trace, learn_from_trace, rewrite_trace

SECRET = secret_text()
COOKIE = "4f7qm2zxw9vb11aa"
PICTURE = b"\xff\xd8\xff\xe0 a picture"
PLAIN_BODY = b'{"fine": true}'


def name_of(content: bytes, suffix: str) -> str:
    """The name under which Playwright stores a body."""
    return f"resources/{hashlib.sha1(content, usedforsecurity=False).hexdigest()}{suffix}"


def snapshot(*children: Any) -> dict[str, Any]:
    """A DOM snapshot in the trace."""
    return {
        "type": "frame-snapshot",
        "snapshot": {"html": ["HTML", {}, ["BODY", {}, *children]], "frameUrl": "about:blank"},
    }


def exchange(body: str, *, headers: list[dict[str, str]] | None = None) -> dict[str, Any]:
    """An exchange in the trace, whose answer is stored under a name."""
    response = {"headers": headers or [], "cookies": [], "content": {"_file": body}}
    return {
        "type": "resource-snapshot",
        "snapshot": {"request": {"url": f"https://app.test/?s={SECRET}"}, "response": response},
    }


def write(path: Path, events: list[dict[str, Any]], network: list[dict[str, Any]], **files: bytes) -> Path:
    """Write an archive in the shape of Playwright's."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("trace.trace", "".join(json.dumps(event) + "\n" for event in events))
        archive.writestr("trace.network", "".join(json.dumps(event) + "\n" for event in network))
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def rewritten(source: Path, evidence: Evidence | None = None) -> dict[str, bytes]:
    """Rewrite with an empty redactor, and return every member."""
    redactor = Redactor()
    target = source.with_name("trace.zip")
    learn_from_trace(source, redactor)
    rewrite_trace(source, target, redactor, evidence)
    with zipfile.ZipFile(target) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


OPTIONS = {"type": "context-options", "version": 10, "monotonicTime": 1.0}
FRAME = {"type": "screencast-frame", "pageId": "page@1", "file": "screencast/1.jpeg", "timestamp": 3}
BODIES = {
    "as text": f'{{"client_secret": "{SECRET}"}}'.encode(),
    "gzip": gzip.compress(SECRET.encode()),
    "zlib": zlib.compress(f"s={SECRET}".encode()),
    "base64 in text": base64.b64encode(f"user:{SECRET}".encode()),
    "between bytes that are no text": b"\xff\xfe\x00" + SECRET.encode() + b"\xff",
    "UTF-16": b"\xff\xfe" + SECRET.encode("utf-16-le") + b"\x80\xff",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_stored_body_is_rewritten_and_found_under_its_new_name(tmp_path: Path, body: bytes) -> None:
    """The exchange refers to the new content's hash, and no member holds the secret."""
    old = name_of(body, ".json")
    source = write(tmp_path / "raw.zip", [OPTIONS], [exchange(old)], **{old: body})
    members = rewritten(source)
    (event,) = map(json.loads, members["trace.network"].splitlines())
    new = event["snapshot"]["response"]["content"]["_file"]
    assert new != old
    assert old not in members
    assert new == name_of(members[new], ".json")
    assert event["snapshot"]["request"]["url"] == "https://app.test/?s=<redacted:client_secret:1>"
    for content in members.values():
        for reading in (content, *unpacked(content)):
            assert SECRET.encode() not in reading
            assert SECRET.encode("utf-16-le") not in reading
            assert SECRET not in "".join(decoded(reading))


def unpacked(content: bytes) -> list[bytes]:
    """What is compressed there."""
    return (
        [gzip.decompress(content)]
        if content[:2] == b"\x1f\x8b"
        else [zlib.decompress(content)]
        if content[:1] == b"x"
        else []
    )


def decoded(content: bytes) -> list[str]:
    """What is base64 there."""
    try:
        return [base64.b64decode(content, validate=True).decode("utf-8", "replace")]
    except ValueError:
        return []


def test_what_holds_no_secret_keeps_name_and_bytes(tmp_path: Path) -> None:
    """Bodies, pictures and lines come back as they were."""
    name = name_of(PLAIN_BODY, ".json")
    events = [OPTIONS, FRAME, snapshot("hello")]
    source = write(tmp_path / "raw.zip", events, [], **{name: PLAIN_BODY, "screencast/1.jpeg": PICTURE})
    members = rewritten(source)
    assert members[name] == PLAIN_BODY
    assert members["screencast/1.jpeg"] == PICTURE
    assert [json.loads(line) for line in members["trace.trace"].splitlines()] == events


def test_a_secret_that_is_learned_later_is_replaced_in_what_came_before(tmp_path: Path) -> None:
    """A cookie is known from the raw headers in the network's part; the page printed it before."""
    events = [OPTIONS, {"type": "console", "text": f"sid is {COOKIE}", "time": 2}]
    network = [exchange("", headers=[{"name": "Set-Cookie", "value": f"sid={COOKIE}; HttpOnly"}])]
    members = rewritten(write(tmp_path / "raw.zip", events, network))
    assert not [name for name, content in members.items() if COOKIE.encode() in content]
    assert b"sid is <redacted:cookie:1>" in members["trace.trace"]
    assert b'"value":"<redacted:cookie:2>"' in members["trace.network"]


SHOWING = {
    "a text": snapshot(f"your secret: {SECRET}"),
    "a field's value": snapshot(["INPUT", {"__playwright_value_": SECRET}]),
}


@pytest.mark.parametrize("shown", SHOWING.values(), ids=SHOWING.keys())
def test_pictures_of_a_page_that_showed_a_secret_are_left_out(tmp_path: Path, shown: dict[str, Any]) -> None:
    """A picture cannot be searched; that it is missing is said in the verdict's log."""
    source = write(tmp_path / "raw.zip", [OPTIONS, FRAME, shown], [], **{"screencast/1.jpeg": PICTURE})
    members = rewritten(source, Evidence(title="MOUNTED"))
    assert "screencast/1.jpeg" not in members
    assert b"screencast-frame" not in members["trace.trace"]
    assert b"left out: 1 screenshots: the page showed a secret" in members["trace.trace"]


def test_pictures_stay_when_the_secret_is_in_an_address_only(tmp_path: Path) -> None:
    """The frame's URL holds the options; nobody sees it on the screen."""
    hidden = snapshot(["IFRAME", {"src": f"https://cdn.test/#{SECRET}"}])
    source = write(tmp_path / "raw.zip", [OPTIONS, FRAME, hidden], [], **{"screencast/1.jpeg": PICTURE})
    members = rewritten(source)
    assert "screencast/1.jpeg" in members
    assert SECRET.encode() not in members["trace.trace"]


def test_the_verdict_is_the_last_action_with_what_is_attached(tmp_path: Path) -> None:
    """It begins after everything else, and its attachments are in the archive."""
    before = {"type": "before", "callId": "1", "startTime": 5.5}
    evidence = Evidence(title="NOT MOUNTED: page", error="refused", attachments={"verdict.md": "# told"})
    members = rewritten(write(tmp_path / "raw.zip", [OPTIONS, before], []), evidence)
    *_, start, end = map(json.loads, members["trace.trace"].splitlines())
    assert (start["title"], start["startTime"]) == ("NOT MOUNTED: page", 5.5)
    assert end["error"]["message"] == "refused"
    assert members[end["attachments"][0]["file"]] == b"# told"


def test_what_is_too_large_to_be_looked_at_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member over the bound does not reach the bundle; the verdict's log names it."""
    monkeypatch.setattr(module, "LARGEST_FILE_BYTES", 100)
    source = write(tmp_path / "raw.zip", [OPTIONS], [], **{"resources/large.txt": b"x" * 101})
    members = rewritten(source, Evidence(title="MOUNTED"))
    assert "resources/large.txt" not in members
    assert b"left out: resources/large.txt: 101 bytes" in members["trace.trace"]


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut"], ids=["empty", "text", "cut"])
def test_what_is_no_archive_is_an_error_and_leaves_nothing(tmp_path: Path, content: bytes) -> None:
    """No half-written trace stays behind."""
    source = tmp_path / "raw.zip"
    source.write_bytes(content)
    assert not is_trace(source)
    with pytest.raises(BundleError):
        learn_from_trace(source, Redactor())
    with pytest.raises(BundleError):
        rewrite_trace(source, tmp_path / "trace.zip", Redactor())
    assert [path.name for path in tmp_path.iterdir()] == ["raw.zip"]


def test_a_rewritten_trace_is_known_as_such(tmp_path: Path) -> None:
    """What was rewritten is not rewritten again after the run; what another tool wrote is."""
    source = write(tmp_path / "raw.zip", [OPTIONS], [])
    assert is_trace(source)
    rewritten(source)
    assert not is_trace(tmp_path / "trace.zip")


# --- any trace ----------------------------------------------------------------------------------------------------

VALUES = st.text(st.characters(codec="utf-8", exclude_characters="<>"), min_size=12, max_size=40)
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Nd"], exclude_characters="_"), max_size=12)
ENCODE = [*CHARACTERS.values(), lambda s: base64.b64encode(f"user:{s}".encode()).decode()]
PACK: list[Callable[[bytes], bytes]] = [bytes, gzip.compress, zlib.compress, lambda content: b"\xff\xfe" + content]


@st.composite
def traces(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> tuple[list[Any], list[Any], dict[str, bytes]]:
    """Events, network and files of a trace, with these texts anywhere: in values, in names, in headers, in bodies."""
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=8,
    )
    headers = st.lists(st.fixed_dictionaries({"name": WORDS, "value": texts}), max_size=2)
    event = st.fixed_dictionaries({"type": st.sampled_from(["console", "event", "before", "log"]), "params": values})
    events = [OPTIONS, *draw(st.lists(event, max_size=4)), snapshot(draw(texts), ["A", {draw(WORDS): draw(texts)}])]
    bodies = [draw(st.sampled_from(PACK))(draw(texts).encode()) for _ in range(draw(st.integers(0, 3)))]
    files = {name_of(body, ".txt"): body for body in bodies}
    network = [exchange(name, headers=draw(headers)) for name in files]
    for entry in network:
        entry["snapshot"]["request"]["url"] = f"https://app.test/{draw(texts)}"
    return events, network, files


@settings(max_examples=60)
@given(data=st.data(), secret=VALUES)
def test_no_secret_survives_in_any_trace(
    data: st.DataObject, secret: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """In any place and encoding, compressed or not; and every line is still JSON, every reference leads somewhere."""
    assume(not unfit(secret))
    written = st.tuples(WORDS, st.sampled_from(ENCODE), WORDS).map(lambda t: f"{t[0]} {t[1](secret)} {t[2]}")
    events, network, files = data.draw(traces(written | WORDS))
    source = write(tmp_path_factory.mktemp("trace") / "raw.zip", events, network, **files)
    redactor = Redactor([("token", secret)])
    target = source.with_name("trace.zip")
    learn_from_trace(source, redactor)
    rewrite_trace(source, target, redactor)
    with zipfile.ZipFile(target) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    forms = [*(write_it(secret) for write_it in CHARACTERS.values()), sure_base64(b"user:", secret.encode())]
    for name, content in members.items():
        for reading in (name.encode(), content, *unpacked(content)):
            assert not [form for form in forms if form.encode() in reading]
    for name in ("trace.trace", "trace.network"):
        for line in members[name].splitlines():
            json.loads(line)
    for line in members["trace.network"].splitlines():
        assert json.loads(line)["snapshot"]["response"]["content"]["_file"] in members


@settings(max_examples=40)
@given(data=st.data(), secret=VALUES)
def test_any_trace_without_secrets_is_the_same(
    data: st.DataObject, secret: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Names and bytes of files, and every line as a value."""
    events, network, files = data.draw(traces(WORDS))
    redactor = Redactor([("token", secret)])
    raw = json.dumps([events, network], ensure_ascii=False).encode() + b"".join(files.values())
    assume(not any(value.encode() in raw for value in redactor.secrets))
    source = write(tmp_path_factory.mktemp("trace") / "raw.zip", events, network, **files)
    learn_from_trace(source, redactor)
    rewrite_trace(source, source.with_name("trace.zip"), redactor)
    with zipfile.ZipFile(source.with_name("trace.zip")) as archive:
        assert {name: archive.read(name) for name in files} == files
        for name, lines in (("trace.trace", events), ("trace.network", network)):
            assert [json.loads(line) for line in archive.read(name).splitlines()] == lines

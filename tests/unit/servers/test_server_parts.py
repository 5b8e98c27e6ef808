"""The parts of the embedded servers that need no socket."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.servers.chat import scripts
from harness.servers.chat.scripts import SCRIPTS
from harness.servers.chat.speech import words_of
from harness.servers.chat.store import NotFoundError, page_of
from harness.servers.fields import Fields
from harness.servers.openai_api.errors import masked
from harness.servers.openai_api.sessions import new_secret, session_from
from harness.servers.scenarios import fixtures_dir
from harness.servers.uploads import upload_of
from harness.servers.world import WorldProject, read_world

ROWS = ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    ("after", "before", "limit", "data", "has_more"),
    [
        (None, None, 5, "abcde", False),
        (None, None, 4, "abcd", True),
        (None, None, 0, "", True),
        ("a", None, 2, "bc", True),
        ("c", None, 2, "de", False),
        ("e", None, 2, "", False),
        (None, "e", 2, "cd", True),
        (None, "c", 2, "ab", False),
        (None, "a", 2, "", False),
        (None, "c", 0, "", True),
        ("a", "e", 2, "bc", True),
        ("a", "d", 2, "bc", False),
    ],
)
def test_page_lies_between_its_cursors(
    after: str | None, before: str | None, limit: int, data: str, has_more: bool
) -> None:
    """After a cursor the rows that follow it, before one those next to it, and whether the rest has more."""
    page = page_of(ROWS, ROWS, "Row", limit=limit, after=after, before=before)
    assert ("".join(page.data), page.has_more) == (data, has_more)


def test_page_needs_its_cursor() -> None:
    """A cursor that is not there is not found."""
    for cursors in ({"after": "x"}, {"before": "x"}):
        with pytest.raises(NotFoundError, match="Row with id 'x' not found"):
            page_of(ROWS, ROWS, "Row", limit=1, **cursors)


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("sk-test-0123456789-abcd", "sk-test-***********abcd"),
        ("domain_pk_test_app", "domain_p******_app"),
        ("undefined", "undefined"),
        ("null", "null"),
        ("123456789012", "123456789012"),
        ("1234567890123", "12345678*0123"),
    ],
)
def test_key_is_masked_between_its_ends(key: str, shown: str) -> None:
    """Eight characters at the start and four at the end stay."""
    assert masked(key) == shown


@pytest.mark.parametrize(
    ("locality", "version", "claims"),
    [
        ("", "00", {"expires_at": 1600}),
        ("US", "01", {"expires_at": 1600, "data_locality": "US"}),
        ("EU", "01", {"expires_at": 1600, "data_locality": "EU"}),
        ("none", "01", {"expires_at": 1600, "data_locality": None}),
    ],
)
def test_secret_says_where_its_data_is(locality: str, version: str, claims: dict[str, object]) -> None:
    """The tail after the last underscore is the version, and standard base64 of exactly these claims."""
    project = WorldProject(id="p", keys=("k",), workflows=(), data_locality=locality)
    session = session_from(Fields({"user": "u", "workflow": {"id": "wf"}}), project, now=1000)
    tail = new_secret(session).rpartition("_")[2]
    assert (tail[:2], json.loads(base64.b64decode(tail[2:], validate=True))) == (version, claims)
    assert new_secret(session) != new_secret(session)


def test_every_word_that_plays_a_script_is_documented() -> None:
    """The table in the module's docstring has the scripts, all of them, in their order."""
    words = re.findall(r"^\| (\w+) +\|", scripts.__doc__ or "", re.MULTILINE)
    assert words[1:] == list(SCRIPTS)
    assert all(script.__doc__ for script in SCRIPTS.values())


@pytest.mark.parametrize("text", ["one", "one two  three", "a\n\nb c", "”x” y."])
def test_words_are_the_whole_text(text: str) -> None:
    """Nothing is lost between the pieces that are streamed."""
    assert "".join(words_of(text)) == text


def form(*parts: bytes, boundary: str = "x") -> tuple[str, bytes]:
    """Return content type and body of a form."""
    body = b"".join(f"--{boundary}\r\n".encode() + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
    return f'multipart/form-data; boundary="{boundary}"', body


NOTE = b'Content-Disposition: form-data; name="note"\r\n\r\nhello'


@pytest.mark.parametrize(
    ("head", "name", "mime_type"),
    [
        (
            b'Content-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png',
            "a.png",
            "image/png",
        ),
        (b'content-disposition: form-data; filename="b"; name="file"', "b", "application/octet-stream"),
        (
            'Content-Disposition: form-data; name="file"; filename="tëa.txt"'.encode(),
            "tëa.txt",
            "application/octet-stream",
        ),
        (b'Content-Disposition: form-data; name="file"', "upload", "application/octet-stream"),
    ],
)
@pytest.mark.parametrize("content", [b"", b"\r\n", b"\r\n\r\n--\r\n", bytes(range(256)), b"no end of line"])
def test_file_is_read_out_of_a_form_byte_for_byte(head: bytes, name: str, mime_type: str, content: bytes) -> None:
    """Whatever its content, whatever stands around it."""
    upload = upload_of(*form(NOTE, head + b"\r\n\r\n" + content, NOTE))
    assert upload is not None
    assert (upload.name, upload.mime_type, upload.content) == (name, mime_type, content)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [("", b""), ("application/json", b"{}"), form(NOTE), form(), ("multipart/form-data; boundary=x", b"--x")],
)
def test_there_may_be_no_file(content_type: str, body: bytes) -> None:
    """Another body, or a form without the field, has none."""
    assert upload_of(content_type, body) is None


def test_world_has_what_the_scenarios_need() -> None:
    """Every key belongs to one project, and every project has a workflow of its own."""
    world = read_world()
    projects = [project for organization in world.organizations for project in organization.projects]
    keys = [key for project in projects for key in (*project.keys, *project.restricted_keys)]
    workflows = [workflow.id for project in projects for workflow in project.workflows]
    assert len(keys) == len(set(keys))
    assert len(workflows) == len(set(workflows))
    assert all(project.workflows for project in projects)
    assert {project.data_locality for project in projects} == {"", "EU"}
    assert len(world.organizations) == 2
    assert world.is_restricted("sk-test-topic-restricted")
    assert not world.is_restricted("sk-test-topic-project")
    assert replace(world, organizations=()).project_of_key("sk-test-topic-project") is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('data_locality = "EU"', 'data_locality = "Mars"', "data_locality 'Mars' is none of US, EU, none"),
        ('data_locality = "EU"', 'datalocality = "EU"', "datalocality"),
        ('slug = "test-elsewhere"', 'slug = "test-elsewhere"\ncolour = "green"', "colour"),
        ('keys = ["sk-test-europe-project"]', "", "keys"),
        ("[app]", "[app", "not a world"),
    ],
)
def test_world_that_is_wrong_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    """The message names the file and what is wrong in it."""
    text = (fixtures_dir() / "world.toml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "world.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError, match=re.escape(words)) as caught:
        read_world(path)
    assert str(path) in str(caught.value)

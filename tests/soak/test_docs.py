"""The documents are run: every command that they show, every Python block, every configuration. It takes some minutes.

A command runs in a copy of one prepared folder, with servers of this machine in the place of the staging deployment, OpenAI's API, the
CDN, the webhook and GitHub. `tests/unit/test_docs.py` says within seconds what is wrong by its form alone.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from harness.servers.scenarios import scenario_named
from harness.servers.server import serve_stack
from harness.servers.session import access_token_of
from tests.commands import TIMEOUT_S, clean_environ
from tests.docs import ROOT, Block, blocks, commands_in, missing_lines
from tests.receiver import REPO, TOKEN, serve_receiver
from tests.site import Answer, serve_site

BLOCKS = tuple(blocks())
KEY = "sk-test-topic-project"
STAGING = next(block for block in BLOCKS if block.page == "docs/staging.md" and block.language == "toml")

# What the documents say, and what stands for it here. `{…}` is an address of the prepared servers.
SUBSTITUTIONS = {
    "https://staging.example.com/chat": "{app}/test-chatkit",
    "https://staging.example.com/login": "{sign_in}/login",
    'page = "/chat"': 'page = "/test-chatkit"',
    "Open chat": "Topic Generation",
    "**/api/create-session": "**/api/chatkit/session",
    '"acme"': '"test-publishing"',
    "proj_0123": "proj_test_topics",
    "wf_0123": "wf_test_topic_generation",
    '"staging.example.com"': '"127.0.0.1"',
    "acme/chat": REPO,
    "[projects.staging.preflight]": '[projects.staging.preflight]\napi_base = "{api}"\ncdn_base = "{cdn}"',
    # How fast it is, is this machine's business.
    "[projects.staging.smoke]": '[projects.staging.smoke]\ngithub_api = "{receiver}"\nslow_mount_ms = 60_000\nfirst_token_ms = 60_000',
    "first_token_ms < 5_000": "first_token_ms < 60_000",
    "<test>": "check",
    "FOLDER": "test-results/latest/check",
    "FILE": "bundle.zip",
    "BUNDLE": "s401.zip",
    "RULE": "mock-secret",
    "sdk pull": "sdk pull --from {cdn}",
    "sdk diff": "sdk diff --from {cdn}",
}
NOT_RUN = {
    "git clone <this repository> chatkit-harness": "a placeholder",
    "cd chatkit-harness": "of the clone",
    "make gate": "the gate of this repository, which tests/e2e/test_workflows.py is a part of",
    "make test": "what runs the tests",
    'make test ARGS="tests/unit"': "what runs the tests",
    "make format": "changes this repository",
    "make soak": "what runs this test",
    "make clean": "deletes what runs this test",
    "make rules": "changes this repository; tests/unit holds docs/rules.md against the rules",
    "pip install chatkit-harness": "asks a registry; tests/plugin/test_wheel.py installs the wheel",
    "pip wheel .": "tests/plugin/test_wheel.py builds the wheel",
    "docker --env-file": "an option's name",
    "chatkit-harness record": "a command's name: it needs a URL",
    "docker build -t chatkit-harness .": "needs Docker and a network, as the page says",
    'docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/repo" chatkit-harness gate': "needs Docker",
    "python benchmarks/baseline.py": "20 gates on a machine that is kept busy",
}
# Every other command promises 0.
EXIT_CODES = {
    'chatkit-harness check https://staging.example.com/chat --click "Open chat" --fault session-401': 1,  # does not mount
    "chatkit-harness repro BUNDLE --what-if delay:session=8s": 1,  # it was refused, and is: late
    "chatkit-harness repro BUNDLE --what-if 'status:**/conversation=500'": 1,  # the same
    "chatkit-harness sdk diff sdk-of-monday sdk-of-friday": 1,  # different files
}
# The command whose real output has the lines of a block, by the block's first words.
SHOWN = {
    "chatkit-harness repro s401.zip": ("recording: s401.zip",),
    "chatkit-harness repro s401.zip --cause": ("  healthy script:",),
    "python benchmarks/five_faults.py": (
        "AssertionError: Locator",
        "NOT MOUNTED: topic-generation on http://127.0.0.1:35835",
    ),
}
CONFTEST = """
import pytest


@pytest.fixture
def url():
    return "{app}/test-chatkit"


@pytest.fixture
def fault():
    return "healthy"
"""
SIGN_IN = """<!doctype html><title>Sign in</title>
<form onsubmit="document.cookie = 'signed_in=yes-0123456789'; location = '/chat'; return false">
<label>E-mail <input name="user"></label><label>Password <input type="password"></label><button>Sign in</button></form>"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A folder in which everything is that the documents speak of, and the addresses that stand for theirs."""

    folder: Path
    addresses: dict[str, str]
    environ: dict[str, str]

    def translated(self, text: str) -> str:
        """Return a text of the documents as it is true here."""
        for said, here in SUBSTITUTIONS.items():
            for name, address in self.addresses.items():
                here = here.replace(f"{{{name}}}", address)
            text = text.replace(said, here)
        return text

    def run(self, command: str, folder: Path, *, code: int = 0, **environ: str) -> str:
        """Run a command of the documents in a folder, and return what it printed. It ends as it is said to."""
        program, *arguments = shlex.split(self.translated(command))
        interpreter = [sys.executable] if program == "python" else [sys.executable, "-m", "harness.cli"]
        done = subprocess.run(
            [*interpreter, *arguments],
            cwd=ROOT if program == "python" else folder,
            env=self.environ | environ,
            capture_output=True,
            text=True,
            timeout=3 * TIMEOUT_S,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, f"{command}: {done.returncode}, not {code}\n{said}"
        assert "Traceback" not in said
        return said

    def copied_to(self, folder: Path) -> Path:
        """Copy the prepared folder, and return the copy."""
        return shutil.copytree(self.folder, folder, symlinks=True)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """What a person has who followed the documents so far. Whatever is not on this machine is out of reach."""
    folder = tmp_path_factory.mktemp("docs") / "desk"
    folder.mkdir()
    site = {"/login": Answer(body=SIGN_IN.encode()), "/chat": Answer(body=b"<!doctype html><title>Chat</title>")}
    staging = replace(scenario_named("healthy"), session_auth="signed-in")
    with (
        serve_receiver() as receiver,
        serve_site(site) as sign_in,
        serve_stack(scenario=staging, is_for_people=True) as stack,
    ):
        nowhere = "http://127.0.0.1:9"
        environ = {
            **{name: value for name, value in clean_environ().items() if not name.lower().endswith("_proxy")},
            **{"HTTP_PROXY": nowhere, "HTTPS_PROXY": nowhere, "NO_PROXY": "127.0.0.1,localhost"},
            "XDG_CACHE_HOME": str(folder / "cache"),
            "BROWSER": "true",  # what `--open` starts
            "STAGING_URL": stack.app_url,
            "OPENAI_API_KEY": KEY,
            "STAGING_TOKEN": access_token_of("a-user", secret=stack.world.app.jwt_secret),
            "SMOKE_WEBHOOK": receiver.webhook,
            "GITHUB_TOKEN": TOKEN,
            "TEST_USER_PASSWORD": "test-only-password-0123456789",
        }
        addresses = {"app": stack.app_url, "api": stack.api_url, "cdn": stack.cdn_url}
        made = Desk(
            folder=folder, addresses=addresses | {"receiver": receiver.url, "sign_in": sign_in}, environ=environ
        )
        _prepare(made)
        yield made


def _prepare(desk: Desk) -> None:
    folder, page = desk.folder, "https://staging.example.com/chat --click 'Open chat'"
    (folder / "playwright.config.toml").write_text(
        "[projects.local]\n" + desk.translated(STAGING.text), encoding="utf-8"
    )
    desk.run("chatkit-harness smoke -p staging", folder)  # the history
    for number in (1, 2):
        desk.run(f"chatkit-harness gate --shard {number}/2 --output-dir shards/{number}", folder)
    desk.run("chatkit-harness sdk pull --no-mount", folder)
    [snapshot] = (folder / "cache" / "chatkit-harness" / "sdk").iterdir()
    shutil.copytree(snapshot, folder / "sdk-of-monday")
    shutil.copytree(snapshot, folder / "sdk-of-friday")
    (folder / "sdk-of-friday" / "snapshot.json").unlink()
    loader = folder / "sdk-of-friday" / "deployments" / "chatkit" / "chatkit.js"
    loader.write_text(loader.read_text(encoding="utf-8") + "\n// of Friday\n", encoding="utf-8")
    desk.run(f"chatkit-harness check {page} --fault session-401", folder, code=1)
    desk.run("chatkit-harness pack test-results/latest/check --out s401.zip", folder)


def with_commands() -> list[Block]:
    """Return the blocks with a command to run; of those that say the same, the first."""
    found = {tuple(commands_of(block)): block for block in reversed(BLOCKS)}
    return [block for commands, block in reversed(found.items()) if not NOT_RUN.keys() >= set(commands)]


def commands_of(block: Block) -> list[str]:
    """Return the commands of a block. There is none in Python, configuration and JSON."""
    return list(commands_in(block.text)) if block.language not in ("python", "toml", "json") else []


@pytest.mark.parametrize("block", with_commands(), ids=str)
def test_commands_do_what_is_said(block: Block, desk: Desk, tmp_path: Path) -> None:
    """Each ends with its exit code, without a traceback; what it prints has the words that the page shows."""
    folder = desk.copied_to(tmp_path / "desk")
    for command in commands_of(block):
        if command in NOT_RUN:
            continue
        if " serve " in command and "--list" not in command:
            assert "page:     http://127.0.0.1" in _served(desk, command, folder)
            continue
        said = desk.run(command, folder, code=EXIT_CODES.get(command, 0))
        for shown in shown_by(command):
            assert not missing_lines(shown.text, said), f"{shown} is shown otherwise:\n{said}"


def shown_by(command: str) -> list[Block]:
    """Return the blocks that show what a command prints."""
    return [block for block in BLOCKS if block.language == "" and block.text.startswith(SHOWN.get(command, ("\0",)))]


def _served(desk: Desk, command: str, folder: Path) -> str:
    """Start a server, stop it as Ctrl-C does once it says where the page is, and return what it printed."""
    server = subprocess.Popen(
        [sys.executable, "-m", "harness.cli", *shlex.split(command)[1:]],
        cwd=folder,
        env=desk.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert server.stdout is not None
    said = ""
    for line in server.stdout:
        said += line
        if line.startswith("Press Ctrl-C"):
            server.send_signal(signal.SIGINT)
    assert server.wait(TIMEOUT_S) == 0, said
    return said


def test_the_preflight_of_another_projects_key(desk: Desk) -> None:
    """What the README shows is what a key of another project comes to."""
    said = desk.run(
        "chatkit-harness preflight --project staging", desk.folder, code=12, OPENAI_API_KEY="sk-test-billing-project"
    )
    [shown] = [block for block in BLOCKS if block.text.startswith("    4    200  models")]
    assert not missing_lines(shown.text, said), said


@pytest.mark.parametrize("name", sorted({block.page for block in BLOCKS if block.language == "python"}))
def test_python_passes(name: str, desk: Desk, tmp_path: Path) -> None:
    """Each block is a test module of a project with an own configuration; it has all its imports, and passes."""
    folder = desk.copied_to(tmp_path / "desk")
    tests = folder / "tests" / "e2e"
    (tests / "recordings").mkdir(parents=True)
    shutil.copy(folder / "s401.zip", tests / "recordings" / "chat_is_down.zip")
    (tests / "conftest.py").write_text(CONFTEST.replace("{app}", desk.addresses["app"]), encoding="utf-8")
    written = [block for block in BLOCKS if block.page == name and block.language == "python"]
    for block in written:
        (tests / f"test_line_{block.line}.py").write_text(desk.translated(block.text), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests)],
        cwd=folder,
        env=desk.environ,
        capture_output=True,
        text=True,
        timeout=5 * TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= len(written)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "toml"], ids=str)
def test_configuration_is_in_force(block: Block, desk: Desk, tmp_path: Path) -> None:
    """The command that prints what is in force has each key of the page, with a source other than the default."""
    (tmp_path / "playwright.config.toml").write_text(block.text, encoding="utf-8")
    written = tomllib.loads(block.text)
    projects = written.pop("projects", {"": {}})
    keys = {key for name, value in written.items() for key in (value if isinstance(value, dict) else [name])}
    for name, project in projects.items():
        said = desk.run("chatkit-harness config" + (f" --project {name}" if name else ""), tmp_path)
        in_force = re.findall(r"^(\w+) = .*  # (?!default$)", said, re.MULTILINE)
        assert keys | project.keys() <= set(in_force), said


def test_a_baseline_and_what_a_run_leaves_are_as_shown(desk: Desk, tmp_path: Path) -> None:
    """The baseline's keys, and the files of a run with one and of a visit that failed."""
    folder = desk.copied_to(tmp_path / "desk")
    desk.run("chatkit-harness gate --update-baseline", folder)
    desk.run("chatkit-harness gate --baseline", folder)
    [block] = [block for block in BLOCKS if block.language == "json"]
    written = json.loads((folder / "chatkit-baseline.json").read_text(encoding="utf-8"))
    assert _shape(json.loads(block.text)) == _shape(written)
    [tree] = [block for block in BLOCKS if block.text.startswith("test-results/latest/")]
    assert set(_files_in(tree)) <= {path.name for path in (folder / "test-results").rglob("*")}


def _shape(value: Any) -> Any:
    """The keys of a baseline; names of tests and of milestones stand for each other."""
    if isinstance(value, dict):
        names = {re.sub(r"^built-in::.*", "TEST", name): _shape(inner) for name, inner in value.items()}
        return "MILESTONES" if "page-loaded" in names else names
    return (
        [_shape(inner) for inner in value[:1] if isinstance(inner, dict)]
        if isinstance(value, list)
        else type(value).__name__
    )


def _files_in(tree: Block) -> list[str]:
    return re.findall(r"(?<![\w/.-])[\w-]+(?:\.\w+)+(?=[ ,\n])", tree.text)


def test_a_snapshot_is_as_shown(desk: Desk) -> None:
    """The files of a snapshot that was pulled, in the CDN's layout."""
    [block] = [block for block in BLOCKS if block.text.startswith("<cache>/")]
    [snapshot] = (desk.folder / "cache" / "chatkit-harness" / "sdk").iterdir()
    for line in block.text.splitlines()[1:]:
        assert list(snapshot.glob(line.split()[0].replace("…", "*"))), line


def test_every_entry_of_the_tables_is_used() -> None:
    """What no document says any more has no exception."""
    commands = {command for block in BLOCKS for command in commands_of(block)}
    assert {*NOT_RUN, *EXIT_CODES, *SHOWN} <= commands
    assert not EXIT_CODES.keys() & NOT_RUN.keys()
    assert [said for said in SUBSTITUTIONS if not any(said in block.text for block in BLOCKS)] == []
    assert [command for command in SHOWN if not shown_by(command)] == []

"""The documentation's code is right: commands are understood, Python compiles, configuration is accepted, rules exist.

All of it is run in `tests/soak/test_docs.py`, and the README's Python in `tests/browser/test_init.py`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import click
import pytest

from harness.analysis.diagnosis import GENERAL
from harness.analysis.rules import BY_ID
from harness.analysis.rules.hops import HOP_RULES_BY_ID
from harness.config.reading import read_config
from harness.servers.scenarios import fixtures_dir
from tests.docs import PAGES, ROOT, Block, blocks, check_command, commands_in, missing_lines

BLOCKS = tuple(blocks())
RULE = re.compile(r"\(([a-z]+(?:-[a-z0-9]+)+), (?:prediction, )?(?:certain|likely|possible)\)")
# A path in backticks with a folder of ours in front, or a bare Python file.
MODULE = re.compile(
    r"`((?:harness|model|analysis|observe|drive|servers|report|tests|benchmarks|fixtures|docs)/[\w./-]+|\w+\.py)`"
)
VARIABLES = {
    "STAGING_URL": "https://staging.example.com",
    "OPENAI_API_KEY": "sk-test-0123456789abcdefghij",
    "PREVIEW_TOKEN": "preview-of-monday",
    "TEST_USER": "ada@example.org",
    "TEST_PASSWORD": "open-sesame",
}


def of(*languages: str) -> pytest.MarkDecorator:
    """Run a test for each block of these languages."""
    chosen = [block for block in BLOCKS if block.language in languages]
    return pytest.mark.parametrize("block", chosen, ids=str)


@of("", "sh", "bash", "console", "inline", "yaml")
def test_commands_are_understood(block: Block) -> None:
    """Every command of ours exists, with these arguments and options; every target of make exists."""
    for command in commands_in(block.text):
        check_command(command)


def test_a_wrong_command_would_be_found() -> None:
    """The check above can fail: an option and a target that are not there."""
    with pytest.raises(click.UsageError):
        check_command("chatkit-harness gate --no-such-option")
    with pytest.raises(AssertionError):
        check_command("chatkit-harness no-such-command")
    with pytest.raises(AssertionError):
        check_command("make no-such-target")


@of("python")
def test_python_compiles(block: Block) -> None:
    """And is a test module: it asserts or expects something."""
    compile(block.text, str(block), "exec")
    assert re.search(r"\b(assert|expect)\b", block.text)


@of("toml")
def test_configuration_is_accepted(block: Block, tmp_path: Path) -> None:
    """Every key is known, every value is of its type, every project resolves."""
    path = tmp_path / "playwright.config.toml"
    path.write_text(block.text, encoding="utf-8")
    config = read_config(path, environ=VARIABLES)
    for name in config.project_names:
        config.project(name)


@of("json")
def test_json_parses(block: Block) -> None:
    """Up to what an ellipsis stands for."""
    json.loads(re.sub(r",?\s*…", "", block.text))


@of("")
def test_rules_that_are_shown_exist(block: Block) -> None:
    """An example of a verdict names rules that `explain` knows."""
    for name in RULE.findall(block.text):
        assert name in BY_ID or name in HOP_RULES_BY_ID or name in GENERAL


def test_every_language_is_looked_at() -> None:
    """A block in another language would be one that nobody checks."""
    assert {block.language for block in BLOCKS} <= {
        "",
        "sh",
        "bash",
        "console",
        "inline",
        "python",
        "toml",
        "json",
        "yaml",
    }
    assert {"", "inline", "python", "toml"} <= {block.language for block in BLOCKS}


@pytest.mark.parametrize("name", ["chatkit-gate.yml", "chatkit-nightly.yml"])
def test_the_workflows_run_commands_that_exist(name: str) -> None:
    """With `${{ … }}` in the place of a number."""
    text = (fixtures_dir() / "starter" / name).read_text(encoding="utf-8")
    runs = [re.sub(r"\$\{\{[^}]*\}\}", "1", line) for line in re.findall(r"- run: (.*)", text)]
    commands = [command for run in runs for command in commands_in(run)]
    assert sum(command.startswith("chatkit-harness") for command in commands) >= 2
    for command in commands:
        check_command(command)


def test_output_that_is_shown_otherwise_would_be_found() -> None:
    """Ports, times, numbers and what a page cuts out may differ; a word may not."""
    shown = "NOT MOUNTED: page on http://127.0.0.1:1/chat (no-loader)\n  why:   It was 404, and … so\n  seen: that  [lines 1, 2]"
    real = "NOT MOUNTED: page on http://127.0.0.1:2/chat (no-loader)\n  why: It was 503, and it stayed so\n  seen:  that [line 7]"
    assert missing_lines(shown, real) == []
    assert missing_lines(shown, real.replace("no-loader", "loader")) == [shown.splitlines()[0]]
    assert missing_lines(shown, real.replace("so", "no")) == [shown.splitlines()[1]]


@of("yaml")
def test_steps_are_those_of_a_workflow(block: Block) -> None:
    """Steps that a page shows stand in a workflow that `init` writes, line by line."""
    workflow = (fixtures_dir() / "starter" / "chatkit-nightly.yml").read_text(encoding="utf-8")
    lines = [re.sub(r"\s+#.*", "", line) for line in workflow.splitlines()]
    assert block.text in "\n".join(line.removeprefix(" " * 6) for line in lines)


def anchors_in(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    """A relative link names a file that is there, and a heading that is in it."""
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", path.read_text(encoding="utf-8")):
        named = path.parent / target if target else path
        assert named.exists(), f"{path.name} links to {target}"
        if anchor:
            assert anchor in anchors_in(named.read_text(encoding="utf-8")), f"{path.name} links to {target}#{anchor}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_modules_that_are_named_exist(path: Path) -> None:
    """`report/run_on_disk.py` is below harness/ or this repository, or beside what was named so; `drive/interrupts` as well."""
    for name in MODULE.findall(path.read_text(encoding="utf-8")):
        assert any(
            (folder / name).exists() or (folder / f"{name}.py").exists() for folder in (ROOT / "harness", ROOT)
        ), name

"""The documentation's code is right: commands are understood, Python compiles, configuration is accepted, rules exist.

The Python of the README is also run, in `tests/browser/test_init.py`.
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
from harness.config import Overrides, read_config
from harness.servers.scenarios import fixtures_dir
from tests.docs import ROOT, Block, blocks, check_command, commands_in

BLOCKS = tuple(blocks())
RULE = re.compile(r"\(([a-z]+(?:-[a-z0-9]+)+), (?:prediction, )?(?:certain|likely|possible)\)")
VARIABLES = {"STAGING_URL": "https://staging.example.com", "OPENAI_API_KEY": "sk-test-0123456789abcdefghij"}


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
    config = read_config(path, environ=VARIABLES, overrides=Overrides())
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


def test_links_lead_somewhere() -> None:
    """A relative link of a page names a file that is there."""
    for page in ("README.md", "CONTRIBUTING.md", "docs/architecture.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
            assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"

"""`init` in an empty repository, and the two commands that it prints: a green gate. The README's Python runs in it too."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from harness.commands.init import COMMANDS, FILES
from tests.commands import run_command
from tests.docs import Block, blocks


def _readme_python() -> list[Block]:
    return [block for block in blocks() if block.language == "python" and block.page == "README.md"]


def test_an_empty_repository_gets_a_green_gate(tmp_path: Path) -> None:
    """What is written is complete: browser, built-in checks, the example test, the README's own tests, a report."""
    done = run_command("init", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    printed = [line.strip() for line in done.stdout.split("Now run:")[1].splitlines() if line.strip()]
    assert printed == list(COMMANDS)
    assert all((tmp_path / name).stat().st_size for _, name in FILES)
    for number, block in enumerate(_readme_python()):
        text = re.sub(r"(first_token_ms < )[\d_]+", r"\g<1>60_000", block.text)  # how fast is this machine's business
        (tmp_path / "tests" / "e2e" / f"test_docs_{number}.py").write_text(text, encoding="utf-8")
    for command in printed:
        done = run_command(*shlex.split(command)[1:], cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "gate: passed" in done.stdout
    assert "report:  test-results/report.html" in done.stdout
    assert (tmp_path / "test-results" / "report.html").stat().st_size > 10_000


def test_what_is_there_is_kept_unless_forced(tmp_path: Path) -> None:
    """A second `init` changes nothing and says so; what must stay out of the repository is named when nothing keeps it out."""
    (tmp_path / "playwright.config.toml").write_text("# mine\n", encoding="utf-8")
    (tmp_path / ".gitignore").write_text("dist\n", encoding="utf-8")
    done = run_command("init", cwd=tmp_path)
    assert "kept     playwright.config.toml" in done.stdout
    assert "add to .gitignore: .env, test-results/" in done.stdout
    assert (tmp_path / "playwright.config.toml").read_text(encoding="utf-8") == "# mine\n"
    assert "replaced playwright.config.toml" in run_command("init", "--force", cwd=tmp_path).stdout
    assert (tmp_path / "playwright.config.toml").read_text(encoding="utf-8") != "# mine\n"
    assert run_command("init", "nowhere", cwd=tmp_path).returncode == 4

"""What a gate and its parts say where no page is opened: tests chosen by node id, and runs in which nothing ran."""

from __future__ import annotations

from pathlib import Path

from tests.commands import run_command
from tests.plugin.test_plugin import outcomes_of, run_pytest

TWO_TESTS = "def test_one():\n    pass\n\n\ndef test_two():\n    pass\n"
SKIPPED = 'import pytest\n\n\n@pytest.mark.skip(reason="not today")\ndef test_later():\n    pass\n'


def test_tests_can_be_chosen_by_node_id(tmp_path: Path) -> None:
    """As a gate does that measures some of them again; a file that is not there is a usage error."""
    asked = tmp_path / "asked.txt"
    asked.write_text("test_it.py::test_two\ntest_gone.py::test\n", encoding="utf-8")
    done = run_pytest(tmp_path, f"--chatkit-only={asked}", test_it__py=TWO_TESTS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [test["nodeid"] for test in outcomes_of(tmp_path)] == ["test_it.py::test_two"]
    assert "1 passed, 1 deselected" in done.stdout
    missing = run_pytest(tmp_path, "--chatkit-only=nowhere.txt")
    assert missing.returncode == 4
    assert "--chatkit-only: nowhere.txt cannot be read" in missing.stderr


def test_a_gate_in_which_all_tests_were_skipped_is_not_green(tmp_path: Path) -> None:
    """Nothing ran, whatever pytest says."""
    tests = tmp_path / "tests/e2e"
    tests.mkdir(parents=True)
    (tests / "test_it.py").write_text(SKIPPED, encoding="utf-8")
    done = run_command("gate", "-k", "test_later", cwd=tmp_path)
    assert done.returncode == 5, done.stdout + done.stderr
    assert "skipped" in done.stdout
    assert "failed: no test ran" in done.stdout

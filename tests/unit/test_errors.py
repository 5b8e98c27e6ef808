"""What a command ends with: one list of exit codes, one order among them, and the same words wherever they are listed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli import cli
from harness.errors import ExitCode, worst_of

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_lists_the_exit_codes_and_their_order() -> None:
    """The table by number, and one sentence with the order of precedence."""
    text = README.read_text(encoding="utf-8").partition("## Exit codes\n")[2]
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", text.partition("\n## ")[0], re.MULTILINE)
    assert rows == [(str(int(code)), code.meaning) for code in sorted(ExitCode)]
    order = text.partition("the first of these is the result: ")[2].partition(".")[0]
    assert order.split(", ") == [str(int(code)) for code in ExitCode]


def test_help_lists_the_exit_codes() -> None:
    """One a line, with the words of the table."""
    told = CliRunner().invoke(cli, ["--help"]).output.partition("Exit codes:\n")[2]
    rows = [tuple(line.split(None, 1)) for line in told.splitlines() if line.strip()]
    assert rows == [(str(int(code)), code.meaning.replace("`", "")) for code in sorted(ExitCode)]


@pytest.mark.parametrize(
    ("codes", "worst"),
    [
        ((0, 7), 7),
        ((5, 0, 7), 7),
        ((0, 5), 5),
        ((7, 1), 1),
        ((1, 11), 11),
        ((12, 14, 1), 14),
        ((12, 13), 13),
        ((13, 1), 13),
        ((13, 10), 10),
        ((13, 3), 3),
        ((0, 99), 99),  # of another plugin: it is a failure
        ((-1, 0), -1),  # of a run that has not ended
        ((-1, 2), 2),
        ((), 1),
    ],
)
def test_of_several_codes_the_worst_is_the_result(codes: tuple[int, ...], worst: int) -> None:
    """In whatever order they come."""
    assert worst_of(codes) == worst
    assert worst_of(reversed(codes)) == worst

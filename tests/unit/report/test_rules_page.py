"""Rules in words: `explain`, and the page of all of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from harness.analysis.diagnosis import GENERAL
from harness.analysis.rules import BY_ID, RULES
from harness.analysis.rules.hops import HOP_RULES, HOP_RULES_BY_ID
from harness.analysis.smoke.smoke_states import STATES
from harness.commands.explain import run_explain
from harness.errors import ConfigError
from harness.report.rules import first_sentence, render_list, render_rule, render_rules

PAGE = Path(__file__).parents[3] / "docs" / "rules.md"


def explained(name: str) -> str:
    """Return what `explain` prints."""
    console = Console(record=True, width=100, quiet=False, file=None, force_terminal=False)
    with console.capture() as printed:
        assert run_explain(console, name) == 0
    return printed.get()


def test_the_page_of_all_rules_is_up_to_date() -> None:
    """`make rules` writes it anew."""
    assert PAGE.read_text(encoding="utf-8") == render_rules(RULES, HOP_RULES)


@pytest.mark.parametrize("name", [*BY_ID, *HOP_RULES_BY_ID, *GENERAL, *STATES])
def test_every_name_is_explained(name: str) -> None:
    """What it is, why it happens, what to do."""
    text = explained(name)
    assert text.startswith(f"{name}: ")
    assert "  why:  " in text
    assert "  to fix:  " in text


def test_without_a_name_all_are_listed() -> None:
    """By layer, one a line."""
    text = render_list(RULES, HOP_RULES)
    assert text == explained("").rstrip("\n")
    assert all(f"  {name} " in text for name in (*BY_ID, *HOP_RULES_BY_ID))
    assert "loader script:" in text.splitlines()


def test_a_mistyped_name_is_answered_with_the_nearest() -> None:
    """And with the way to all of them."""
    with pytest.raises(
        ConfigError, match=r"did you mean: loader-not-referenced, .*\n  to fix: chatkit-harness explain lists"
    ):
        run_explain(Console(quiet=True), "loader-not-refered")
    with pytest.raises(ConfigError, match="no rule is named 'xyzzy'\n"):
        run_explain(Console(quiet=True), "xyzzy")


def test_what_a_rule_looks_for_is_a_sentence() -> None:
    """The first line of its function, or of what it is made from."""
    assert all(first_sentence(rule).endswith(".") for rule in (*RULES, *HOP_RULES))
    assert "None" not in render_rule(RULES[0])

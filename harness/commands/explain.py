"""The command `explain`: one rule in detail, or a list of all rules.

In: a name. Out: text on a console, an exit code. `python -m harness.commands.explain FILE` writes the page with all rules.
"""

from __future__ import annotations

import sys
from difflib import get_close_matches
from pathlib import Path

from rich.console import Console

from harness.analysis.diagnosis import GENERAL
from harness.analysis.rules import BY_ID, RULES
from harness.analysis.rules.hops import HOP_RULES, HOP_RULES_BY_ID
from harness.analysis.smoke.smoke_states import STATES
from harness.commands.printing import PLAIN
from harness.errors import ConfigError
from harness.report.bundle import write_text
from harness.report.rules import render_hop_rule, render_list, render_rule, render_rules

UNRULED = {**GENERAL, **STATES}  # names of findings that have no rule


def run_explain(console: Console, name: str) -> int:
    """Print one rule, or all rules without a name, and return 0. Raises ConfigError with similar names."""
    console.print(_told(name), **PLAIN)
    return 0


def _told(name: str) -> str:
    if not name:
        return render_list(RULES, HOP_RULES)
    if name in BY_ID:
        return render_rule(BY_ID[name])
    if name in HOP_RULES_BY_ID:
        return render_hop_rule(HOP_RULES_BY_ID[name])
    if name in UNRULED:
        general = UNRULED[name]
        return f"{name}: {general.title}\n\n  why:         {general.cause}\n  to fix:      {general.remedy}"
    near = get_close_matches(name, [*BY_ID, *HOP_RULES_BY_ID, *UNRULED], n=4, cutoff=0.4)
    raise ConfigError(
        f"no rule is named {name!r}" + (f"; did you mean: {', '.join(near)}?" if near else "")
        + "\n  to fix: chatkit-harness explain lists all of them"
    )  # fmt: skip


if __name__ == "__main__":
    write_text(Path(sys.argv[1]), render_rules(RULES, HOP_RULES))

"""Whose fault a finding is: the owner that its rule names.

In: the name of a rule. Out: a `Party`.
"""

from __future__ import annotations

from harness.analysis.diagnosis import GENERAL
from harness.analysis.rules import BY_ID
from harness.analysis.rules.hops import HOP_RULES_BY_ID
from harness.analysis.rules.rule import Party


def party_of(rule: str) -> Party:
    """Return who has to act on a finding; nobody, for a name that this version does not know."""
    known = BY_ID.get(rule) or HOP_RULES_BY_ID.get(rule) or GENERAL.get(rule)
    return known.owner if known else Party.NOBODY

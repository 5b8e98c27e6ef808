"""The party that has to act on a finding: the owner of its rule.

In: the name of a rule. Out: a `Party`.
"""

from __future__ import annotations

from harness.analysis.diagnosis import GENERAL
from harness.analysis.rules import BY_ID
from harness.analysis.rules.hops import HOP_RULES_BY_ID
from harness.analysis.rules.rule import Party


def party_of(rule: str) -> Party:
    """Return the party that has to act on a finding; NOBODY for an unknown rule."""
    known = BY_ID.get(rule) or HOP_RULES_BY_ID.get(rule) or GENERAL.get(rule)
    return known.owner if known else Party.NOBODY

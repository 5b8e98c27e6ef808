"""The cases of the rules notice a rule that is broken: gone, turned round, or with any one of its conditions dropped."""

from __future__ import annotations

from dataclasses import replace

from mutants import Mutant, mutants
from rule_told import Case, cases, told_by

from harness.analysis.rules import RULES
from harness.analysis.rules.rule import Found, Rule

# Conditions that say the same as another one, for a type checker or a reader.
MOST_UNNOTICED = 46


def test_a_rule_that_is_gone_is_noticed() -> None:
    """Each has a visit that it is told on, and without it something is missing there."""
    for rule in RULES:
        assert _is_noticed((replace(rule, finds=lambda _: iter(())),)), rule.id


def test_a_rule_that_always_fires_is_noticed() -> None:
    """Each has a visit on which it has nothing to say."""
    found = Found(summary="so it is", evidence=(1,))
    for rule in RULES:
        assert _is_noticed((replace(rule, finds=lambda _: iter((found,))),)), rule.id


def test_a_rule_that_is_as_sure_as_can_be_is_noticed() -> None:
    """A finding that lowers its rule's confidence has a visit that says so."""
    for rule in RULES:
        lowered = [case for case in cases() if any(told.startswith(f"{rule.id}~") for told in case.told)]
        if lowered:
            sure = replace(
                rule, finds=lambda facts, finds=rule.finds: (replace(f, confidence=None) for f in finds(facts))
            )
            assert _is_noticed((sure,)), rule.id


def test_conditions_that_are_dropped_or_turned_round_are_noticed() -> None:
    """Nearly all of them; the rest says what another condition says already."""
    every = list(mutants())
    unnoticed = [mutant for mutant in every if not _is_mutant_noticed(mutant)]
    assert len(every) > 1_000
    assert len(unnoticed) <= MOST_UNNOTICED, "\n".join(map(str, unnoticed))


def _is_mutant_noticed(mutant: Mutant) -> bool:
    with mutant.in_place():
        return _is_noticed(mutant.rules)


def _is_noticed(broken: tuple[Rule, ...]) -> bool:
    """Whether any case comes out otherwise with these rules; the rules' own cases are asked first."""
    names = tuple(f"{rule.id} " for rule in broken)
    own = sorted(cases(), key=lambda case: not case.name.startswith(names))
    return any(_told(rule, case) not in case.told | _silence(rule, case) for case in own for rule in broken)


def _told(rule: Rule, case: Case) -> str:
    try:
        return told_by(rule, case.facts)
    except Exception as error:  # a rule that crashes is a finding of its own
        return repr(error)


def _silence(rule: Rule, case: Case) -> set[str]:
    """What a rule may say where it is not expected: nothing."""
    return set() if any(told.rstrip("~*") == rule.id for told in case.told) else {""}

"""Every rule fires on what it is about, misses what only looks like it, and is silent on healthy visits."""

from __future__ import annotations

import pytest
from builders import TRANSCRIPTS, Steps, entries, pause, visit_ended, visit_started
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_cases import FIRES, NEAR_MISSES
from rule_told import BENIGN, HEALTHY, RECOVERY, STAYS_SAID, WAIT, cases, facts, told_by

from harness.analysis.result import result_of
from harness.analysis.rules import BY_ID, RULES
from harness.analysis.rules.rule import Confidence, Layer, Rule
from harness.model.limits import Limits
from harness.model.results import Finding


def findings(steps: Steps) -> dict[str, Finding]:
    """Return the findings of a visit by rule."""
    started = [] if any(type(step) is type(visit_started()) for step in steps) else [visit_started()]
    found = result_of(entries(started, steps, pause(20_000), visit_ended()), limits=Limits(), started_at="").findings
    return {finding.rule: finding for finding in found}


every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)


@every_rule
def test_a_rule_fires(rule: Rule) -> None:
    """On the visit it is about, with lines of that visit as evidence; and the diagnosis keeps it."""
    steps = FIRES[rule.id]
    found = list(rule.finds(facts(steps)))
    assert found, "it is silent"
    lines = len(entries(steps))
    assert all(
        one.evidence and all(0 <= seq <= lines for seq in one.evidence) and max(one.evidence) > 0 for one in found
    )
    assert all(one.summary and "None" not in one.summary for one in found)
    named = findings(steps)[rule.id]
    assert (named.title, named.layer) == (rule.title, rule.layer.value)


@pytest.mark.parametrize("group", ["fires", "undecided", "in noise", "is missed", ""])
def test_every_visit_is_told_by_its_rules_and_by_no_other(group: str) -> None:
    """Whatever rule fires there, how sure it is, and whether it predicts; every other one is silent.

    A visit that is undecided, that stands in noise, that differs in the one thing that a rule is about, and healthy ones.
    """
    groups = ("fires", "undecided", "in noise", "is missed")
    chosen = [c for c in cases() if (c.name.endswith(group) if group else not c.name.endswith(groups))]
    wrong = {
        case.name: sorted(said ^ case.told)
        for case in chosen
        if (said := {told for rule in RULES if (told := told_by(rule, case.facts))}) != case.told
    }
    assert len(chosen) > len(HEALTHY)
    assert wrong == {}


@pytest.mark.parametrize("steps", [*map(TRANSCRIPTS.get, HEALTHY), *BENIGN.values()], ids=[*HEALTHY, *BENIGN])
def test_a_healthy_visit_has_no_findings(steps: Steps) -> None:
    """Zero, of any kind; nor has one with what only looks like a failure."""
    assert findings(steps) == {}


def test_a_widget_that_comes_to_life_after_all_disproves_what_was_wrong() -> None:
    """Whatever stopped the mount is no finding any more: not of the rules, and not of the diagnosis."""
    for rule in RULES:
        healed = facts([*FIRES[rule.id], *RECOVERY])
        if healed.is_mounted:
            said = {told.rstrip("~*") for other in RULES if (told := told_by(other, healed))}
            stopping = {name for name in said if BY_ID[name].stops_mount and not BY_ID[name].outlives_mount}
            assert stopping <= STAYS_SAID, rule.id
            assert not stopping & set(findings([*FIRES[rule.id], *RECOVERY]))


def test_every_rule_has_its_cases() -> None:
    """And no case is left over from a rule that is gone."""
    assert set(FIRES) == set(NEAR_MISSES) == set(BY_ID)
    assert set(BY_ID) >= WAIT


# --- the table ----------------------------------------------------------------------------------------------------


def test_the_table_is_sound() -> None:
    """Names are unique and speak of a state; links lead to rules or layers; every rule says why and what to do."""
    assert len(BY_ID) == len(RULES)
    places = {*BY_ID, *(layer.value for layer in Layer), "uncaught-error"}
    for rule in RULES:
        assert rule.id == rule.id.lower().strip("-")
        assert not rule.id.startswith(("check-", "no-", "is-"))
        assert set(rule.symptom_of) <= places, rule.id
        assert rule.id not in rule.symptom_of
        assert rule.title, rule.id
        assert rule.cause.endswith((".", "?")), rule.id
        last_word = rule.remedy.split()[-1]
        assert last_word.endswith((".", "}", ")")) or last_word.startswith("https://"), rule.id
        assert not rule.doc or rule.doc.startswith("https://")


def test_links_between_rules_never_lead_in_a_circle() -> None:
    """What follows from something does not explain it."""
    named = {rule.id: {name for name in rule.symptom_of if name in BY_ID} for rule in RULES}

    def above(name: str, seen: tuple[str, ...] = ()) -> None:
        assert name not in seen, (*seen, name)
        for other in named[name]:
            above(other, (*seen, name))

    for name in named:
        above(name)


def test_known_failures_are_covered() -> None:
    """All of the catalogue's 126 entries but three that are harmless (`BENIGN`) and two that leave nothing to be seen."""
    assert len({entry for rule in RULES for entry in rule.covers}) == 121


def test_no_two_rules_have_the_same_title() -> None:
    """A person must be able to tell them apart."""
    assert len({rule.title for rule in RULES}) == len(RULES)


@given(st.sampled_from(sorted(FIRES)), st.randoms(use_true_random=False), st.integers(0, 80))
@settings(max_examples=100, deadline=None)
def test_no_rule_crashes(name: str, rng: object, length: int) -> None:
    """Whatever order the lines of a visit come in, and wherever it is cut."""
    steps = [step for step in FIRES[name] if not isinstance(step, type(pause(1)))]
    shuffled = list(steps)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis makes a random.Random
    for some in (steps[:length], shuffled, shuffled[:length]):
        lines = entries(visit_started(), some, pause(20_000), visit_ended())
        found = result_of(lines, limits=Limits(), started_at="").findings
        assert "rule-crashed" not in [finding.rule for finding in found]
        assert all(finding.evidence for finding in found)
        assert sum(finding.role == "cause" for finding in found) <= 1


def test_certain_is_said_of_states_only_the_evidence_leaves() -> None:
    """Rules that conclude from silence, or from words of the app, are never certain by themselves."""
    for name in ("render-deadlock", "element-never-rendered", "options-never-set", "workflow-id-missing", "widget-removed",
                 "sdk-global-awaited", "page-script-blocked-by-csp", "reply-failed", "verification-unauthorized"):  # fmt: skip
        assert BY_ID[name].confidence is not Confidence.CERTAIN

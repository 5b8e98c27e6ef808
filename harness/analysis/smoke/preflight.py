"""The result of a preflight: the hops, judged by the rules of visits and by the rules of hops.

In: a `PreflightFacts`. Out: `PreflightResult`. A finding that another finding of the same hops explains is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from harness.analysis.rules import BY_ID
from harness.analysis.rules.ahead import AHEAD
from harness.analysis.rules.hop_rule import HopRule
from harness.analysis.rules.hops import HOP_RULES, HOP_RULES_BY_ID, NETWORK_MISSING, SHARED
from harness.analysis.rules.rule import Confidence, Found, Layer, Rule
from harness.analysis.smoke.blame import party_of
from harness.analysis.smoke.hop_facts import facts_of_hop
from harness.model.hops import Hop, PreflightFacts, PreflightResult
from harness.model.results import Finding

ORDER = {layer.value: number for number, layer in enumerate(Layer)}
Told = dict[str, tuple[Rule | HopRule, list[Found]]]


def judged(preflight: PreflightFacts) -> PreflightResult:
    """Return the result of a preflight."""
    told = _without_explained(_found(preflight))
    findings = [_finding(rule, found) for rule, found in told.values()]
    findings.sort(key=lambda f: (ORDER[f.layer], f.evidence[0], f.rule))
    cause = next((f for f in findings if _is_here(f)), None) or next((f for f in findings if _is_fatal(f)), None)
    outcome = "passed" if cause is None else "environment" if _is_here(cause) else "failed"
    return PreflightResult(
        preflight=preflight,
        outcome=outcome,
        findings=tuple(replace(f, role="cause" if f is cause else "also") for f in findings),
        warnings=tuple(f.rule for f in findings if not _is_fatal(f)),
        blame=party_of(cause.rule).value if cause else "",
    )


def _is_here(finding: Finding) -> bool:
    own = HOP_RULES_BY_ID.get(finding.rule)
    return own is not None and own.is_of_machine


def _is_fatal(finding: Finding) -> bool:
    if finding.confidence == Confidence.POSSIBLE and finding.rule in BY_ID:
        return False
    own = HOP_RULES_BY_ID.get(finding.rule)
    rule = BY_ID.get(finding.rule)
    # A backend that does not answer leaves a widget standing that is good for nothing.
    return own.is_fatal if own else rule is None or rule.stops_mount or rule.layer is Layer.BACKEND


def _found(preflight: PreflightFacts) -> Told:
    """The findings of all rules, by rule."""
    told: Told = {}

    def add(rule: Rule | HopRule, more: Iterable[Found]) -> None:
        for one in more:
            told.setdefault(rule.id, (rule, []))[1].append(one)

    for rule in HOP_RULES:
        add(rule, rule.finds(preflight))
    for ahead in AHEAD:
        add(BY_ID[ahead.rule], ahead.finds(preflight))
    for hop in preflight.hops:
        if not (hop.skipped or hop.is_protected or hop.is_guarded):
            facts = facts_of_hop(hop)
            for name in SHARED.get(hop.kind, ()):
                add(BY_ID[name], (_as_asked(one, hop) for one in BY_ID[name].finds(facts)))
    return told


def _as_asked(found: Found, hop: Hop) -> Found:
    """A finding about the requested address, if it stands for the address that a page would request."""
    return replace(found, summary=found.summary.replace(hop.known_as, hop.url)) if hop.known_as else found


def _without_explained(told: Told) -> Told:
    """The findings without those that another rule explains for the same hops."""
    explained: dict[str, set[int]] = {name: set() for name in told}
    for name, (rule, found) in told.items():
        for other in _hidden_by(rule, told):
            if other in told:
                explained[other].update(number for one in found for number in one.evidence)
        if isinstance(rule, Rule):
            for other in rule.symptom_of:
                explained[name].update(number for one in told.get(other, (rule, []))[1] for number in one.evidence)
    left = {
        name: [one for one in found if not set(one.evidence) <= explained[name]] for name, (_, found) in told.items()
    }
    return {name: (told[name][0], found) for name, found in left.items() if found}


def _hidden_by(rule: Rule | HopRule, told: Told) -> Iterable[str]:
    """The rules that a rule explains for its own hops; one that explains all excludes rules about the key's text and others of its kind.

    Without a network, those are explained too.
    """
    if isinstance(rule, Rule):
        return ()
    return (name for name, (other, _) in told.items() if _hides(rule, other)) if rule.hides_all else rule.hides


def _hides(rule: HopRule, other: Rule | HopRule) -> bool:
    if isinstance(other, Rule):
        return True
    return other is not rule and not other.is_about_key and (rule is NETWORK_MISSING or not other.hides_all)


def _finding(rule: Rule | HopRule, found: list[Found]) -> Finding:
    first = found[0]
    return Finding(
        rule=rule.id,
        layer=rule.layer.value,
        title=rule.title,
        summary=first.summary,
        cause=rule.cause,
        remedy=rule.remedy,
        confidence=(first.confidence or rule.confidence).value,
        evidence=tuple(sorted({number for one in found for number in one.evidence})),
        role="also",
        is_prediction=first.is_prediction,
        doc=rule.doc,
    )

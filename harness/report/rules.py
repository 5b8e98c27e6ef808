"""Rules as text: one rule in detail, and the page with all rules.

In: rules. Out: text. `docs/rules.md` is `render_rules` of all rules, written by `make rules`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from harness.analysis.rules.hop_rule import HopRule
from harness.analysis.rules.rule import Rule

HEAD = """# Rules

All rules of chatkit-harness. `make rules` generates this page from `harness/analysis/rules/`; `chatkit-harness explain RULE`
       prints one rule.

*certain*: the evidence excludes other causes. *likely*: the best explanation, but another cause is possible. *possible*: a hint. A
       finding can have a lower confidence than its rule when the evidence is weaker. Rules that *do not stop the mount* are also reported
       for mounted widgets.
"""


PREFLIGHT_HEAD = """## Preflight

These rules are found only by `chatkit-harness preflight` and `smoke`, which check each hop separately, without a
                 browser. Most of their findings have the rules above. *Warning*: the preflight passes anyway.
"""


def render_rule(rule: Rule) -> str:
    """Return the long form of one rule, for a terminal."""
    lines = [
        f"{rule.id}: {rule.title}",
        "",
        f"  layer:       {rule.layer.value}",
        f"  who acts:    {rule.owner.value}",
        f"  confidence:  {rule.confidence.value}",
        f"  found when:  {first_sentence(rule)}",
        f"  why:         {rule.cause}",
        f"  to fix:      {rule.remedy}",
    ]
    lines += [f"  follows from: {', '.join(rule.symptom_of)}"] if rule.symptom_of else []
    lines += (
        ["  the mount:   not stopped; also reported for mounted widgets"]
        if rule.outlives_mount or not rule.stops_mount
        else []
    )
    lines += [f"  see:         {rule.doc}"] if rule.doc else []
    return "\n".join(lines)


def render_hop_rule(rule: HopRule) -> str:
    """Return the long form of a rule of the preflight, for a terminal."""
    lines = [
        f"{rule.id}: {rule.title}",
        "",
        f"  layer:       {rule.layer.value} (preflight)",
        f"  who acts:    {rule.owner.value}",
        f"  confidence:  {rule.confidence.value}",
        f"  found when:  {first_sentence(rule)}",
        f"  why:         {rule.cause}",
        f"  to fix:      {rule.remedy}",
    ]
    lines += [] if rule.is_fatal else ["  the preflight: passes, with a warning"]
    lines += [f"  see:         {rule.doc}"] if rule.doc else []
    return "\n".join(lines)


def first_sentence(rule: Rule | HopRule) -> str:
    """Return when the rule applies: the first line of its function's docstring."""
    told = getattr(rule.finds, "func", rule.finds).__doc__ or ""
    return " ".join(told.strip().splitlines()[:1])


def render_list(rules: Iterable[Rule], hop_rules: Iterable[HopRule]) -> str:
    """Return all rules, one per line, by layer; the preflight's rules last."""
    lines = []
    for layer, members in groupby(rules, key=lambda rule: rule.layer):
        lines += ["", f"{layer.value}:"]
        lines += [f"  {rule.id:34} {rule.title}" for rule in members]
    lines += ["", "preflight:", *(f"  {rule.id:34} {rule.title}" for rule in hop_rules)]
    return "\n".join(lines[1:])


def render_rules(rules: Iterable[Rule], hop_rules: Iterable[HopRule]) -> str:
    """Return the page of all rules, as Markdown."""
    parts = [HEAD]
    for layer, members in groupby(rules, key=lambda rule: rule.layer):
        parts.append(f"## {layer.value[0].upper()}{layer.value[1:]}\n")
        parts += [_entry(rule) for rule in members]
    parts += [PREFLIGHT_HEAD, *(_hop_entry(rule) for rule in hop_rules)]
    return "\n".join(parts)


def _hop_entry(rule: HopRule) -> str:
    lines = [f"### {rule.id}", "", f"**{rule.title}.** {rule.cause}", "", f"- Found when: {first_sentence(rule)}"]
    lines += [f"- To fix: {rule.remedy}", f"- Who acts: {rule.owner.value}"]
    lines.append(f"- Confidence: {rule.confidence.value}" + ("" if rule.is_fatal else "; a warning"))
    lines += [f"- See: <{rule.doc}>"] if rule.doc else []
    return "\n".join(lines) + "\n"


def _entry(rule: Rule) -> str:
    lines = [f"### {rule.id}", "", f"**{rule.title}.** {rule.cause}", "", f"- Found when: {first_sentence(rule)}"]
    lines += [f"- To fix: {rule.remedy}", f"- Who acts: {rule.owner.value}"]
    lines.append(f"- Confidence: {rule.confidence.value}" + ("" if rule.stops_mount else "; does not stop the mount"))
    lines += [f"- Follows from: {', '.join(rule.symptom_of)}"] if rule.symptom_of else []
    lines += [f"- See: <{rule.doc}>"] if rule.doc else []
    return "\n".join(lines) + "\n"

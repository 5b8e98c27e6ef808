"""A preflight as text: one line for each hop, then the findings; and the same as plain values.

In: hops and a `PreflightResult`. Out: lines of text, and what `preflight.json` holds.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from harness.analysis.smoke.hop_facts import failure_told
from harness.model.hops import Hop, HopKind, PreflightFacts, PreflightResult
from harness.model.results import Finding

FORMAT = "chatkit-harness/preflight"
VERSION = 1
LONGEST = 300
SENTENCES = {
    "passed": "passed",
    "failed": "FAILED: {cause} ({rule}), who acts: {blame}",
    "environment": "NO RESULT: {cause} ({rule}); this machine cannot judge",
}


def render_head(preflight_of: str, url: str, key: str, expected: str) -> list[str]:
    """Return the lines above the hops: the URL, the key, and the expected project."""
    return [
        f"preflight: project {preflight_of}, {url}",
        f"  key:       {key}{f'; expected: {expected}' if expected else ''}",
    ]


def hop_line(hop: Hop) -> str:
    """Return a hop as one line: number, how it went, name, times by stage, whose it is, request id."""
    if hop.skipped:
        return f"  {hop.number:>3}  {'-':>5}  {hop.name:<34} skipped: {hop.skipped}"
    how = str(hop.status) if hop.is_answered else "FAIL"
    parts = [_times(hop), *_said(hop)]
    return f"  {hop.number:>3}  {how:>5}  {hop.name:<34} {'; '.join(filter(None, parts))}"


def _times(hop: Hop) -> str:
    stages = [("dns", hop.dns_ms), ("connect", hop.connect_ms), ("tls", hop.tls_ms)]
    told = " · ".join(f"{name} {ms:.0f}" for name, ms in stages if ms >= 1)
    return f"{hop.total_ms:.0f} ms" + (f" ({told})" if told else "")


def _said(hop: Hop) -> list[str]:
    """The facts about a hop, without its time."""
    said = [] if hop.is_answered else [failure_told(hop)]
    if hop.kind is HopKind.MODELS and hop.is_good:
        said.append(f"{hop.count} model{'' if hop.count == 1 else 's'}")
    if hop.secret_key:
        said.append("mock secret" if hop.is_mock else f"client secret ({hop.secret_format or 'other'})")
    if hop.is_verified is not None:
        said.append("allowed" if hop.is_verified else "not on the allowlist")
    if hop.project or hop.organization:
        said.append(" / ".join(filter(None, (hop.organization, hop.project))))
    if hop.is_guarded:
        said.append("refuses requests without an authorization, as expected")
    if hop.final_url and hop.final_url != hop.url:
        said.append(f"led to {hop.final_url}")
    if hop.error_text:
        said.append(hop.error_text if len(hop.error_text) <= LONGEST else hop.error_text[: LONGEST - 1] + "…")
    return [*said, *([f"via {hop.proxy}"] if hop.proxy else []), *([hop.request_id] if hop.request_id else [])]


def render_findings(result: PreflightResult) -> list[str]:
    """Return the findings, the cause first and in detail."""
    lines: list[str] = []
    for finding in sorted(result.findings, key=lambda f: f.role != "cause"):
        kind = "cause" if finding.role == "cause" else "warning" if finding.rule in result.warnings else "also"
        lines += [f"  {f'{kind}:':<10} {finding.title} ({finding.rule}, {finding.confidence})"]
        lines += [f"  {'seen:':<10} {finding.summary}  {_hops(finding)}"]
        if kind == "cause":
            lines += [f"  {'why:':<10} {finding.cause}"]
        lines += [f"  {'to fix:':<10} {finding.remedy}"]
    return lines


def render_outcome(result: PreflightResult) -> str:
    """Return the result in one line."""
    cause = result.cause
    sentence = SENTENCES[result.outcome].format(
        cause=cause.title if cause else "", rule=cause.rule if cause else "", blame=result.blame
    )
    number = len(result.warnings)
    return f"preflight: {sentence}" + (f", with {number} warning{'' if number == 1 else 's'}" if number else "")


def _hops(finding: Finding) -> str:
    return f"[hop{'s' if len(finding.evidence) > 1 else ''} {', '.join(map(str, finding.evidence))}]"


def render_proxies(preflight: PreflightFacts) -> list[str]:
    """Return the proxies of the environment, which asks and browser alike go through."""
    return [f"  proxy:     {', '.join(preflight.proxies)}"] if preflight.proxies else []


def preflight_dict(result: PreflightResult) -> dict[str, Any]:
    """Return the content of `preflight.json`: format, version, the result, every hop."""
    values = asdict(result)
    for hop, values_of_hop in zip(result.preflight.hops, values["preflight"]["hops"], strict=True):
        values_of_hop["request_id"] = hop.request_id
        values_of_hop["headers"] = [{"name": name, "value": value} for name, value in hop.headers]
    values["preflight"]["sdk"] = dict(result.preflight.sdk)
    return {"format": FORMAT, "version": VERSION, **values}

"""Smoke runs without a browser: what real transcripts of visits and hops come to, as verdicts.

In: transcripts of `builders` and `rule_cases`. Out: `VisitResult`s, `PreflightResult`s and `PastVerdict`s.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from builders import TRANSCRIPTS, Steps, entries, pause, visit_ended, visit_started
from rule_cases import FIRES

from harness.analysis.result import result_of
from harness.analysis.smoke.preflight import judged
from harness.analysis.smoke.smoke import verdict_of
from harness.analysis.smoke.smoke_states import Patience
from harness.model.history import Attempt, PastVerdict
from harness.model.hops import Failure, Hop, HopKind, PreflightFacts, PreflightResult
from harness.model.limits import Limits
from harness.model.results import VisitResult

FIRST_NIGHT = datetime(2026, 1, 1, 2, 0, tzinfo=UTC)
PAGE_URL = "https://staging.example.com/chat"
PATIENCE = Patience(slow_mount_ms=8_000, first_token_ms=10_000)


def night(number: int) -> str:
    """Return when the n-th night's run was, from 1."""
    return (FIRST_NIGHT + timedelta(days=number - 1)).isoformat(timespec="seconds")


def visit(steps: Steps) -> VisitResult:
    """Return the result of a visit."""
    started = [] if any(type(step) is type(visit_started()) for step in steps) else [visit_started()]
    return result_of(entries(started, steps, pause(20_000), visit_ended()), limits=Limits(), started_at="")


def mounted(number: int = 1, **changes: Any) -> Attempt:
    """Return an attempt that passed."""
    return replace(Attempt(entry="chat", number=number, bundle="b", result=_mounted()), **changes)


def broken(rule: str, number: int = 3) -> Attempt:
    """Return the last of three attempts, stopped by what a rule is about."""
    return Attempt(entry="chat", number=number, bundle="b", result=_stopped_by(rule))


@cache
def _mounted() -> VisitResult:
    return visit(TRANSCRIPTS["hosted"])


@cache
def _stopped_by(rule: str) -> VisitResult:
    return visit(FIRES[rule])


def hop(kind: HopKind, number: int, **changes: Any) -> Hop:
    """Return a hop that went well."""
    url = {
        HopKind.PAGE: PAGE_URL,
        HopKind.LOADER: "https://cdn.platform.openai.com/deployments/chatkit/chatkit.js",
    }.get(kind, f"https://api.openai.com/{kind.value}")
    plain = Hop(number=number, kind=kind, name=kind.value, url=url, status=200, total_ms=100, limit_ms=10_000)
    return replace(plain, **changes)


def hops(sdk: str = "a" * 64, **changes: dict[str, Any]) -> PreflightFacts:
    """Return what a preflight saw: page, loader and frame, with changes by kind."""
    seen = [
        hop(HopKind.PAGE, 1),
        hop(HopKind.LOADER, 2, digest=sdk, references=("index-one.html",)),
        hop(HopKind.FRAME, 3),
    ]
    seen = [replace(one, **changes.get(one.kind.value, {})) for one in seen]
    return PreflightFacts(project="staging", page_url=PAGE_URL, hops=tuple(seen))


def flight(sdk: str = "a" * 64, **changes: dict[str, Any]) -> PreflightResult:
    """Return what such a preflight came to."""
    return judged(hops(sdk, **changes))


def offline() -> PreflightResult:
    """Return a preflight on a machine without a network."""
    lost = {"failure": Failure.NAME, "status": 0, "failure_text": "no such name"}
    return flight(page=lost, loader=lost, frame=lost)


def verdict(
    number: int,
    preflight: PreflightResult | None = None,
    *attempts: Attempt,
    earlier: tuple[str, ...] = (),
    environment: str = "",
) -> PastVerdict:
    """Return a night's verdict."""
    return verdict_of(
        preflight or flight(),
        attempts,
        at=night(number),
        run=f"run-{number:02}",
        patience=PATIENCE,
        earlier=earlier,
        environment=environment,
    )

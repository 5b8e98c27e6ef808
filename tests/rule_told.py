"""What every rule says of every case: a rule that is broken says something else of one of them.

In: the cases. Out: `cases()`, facts of visits with all that is to be found on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from builders import (
    LOADER,
    TRANSCRIPTS,
    Steps,
    answered,
    body,
    console_message,
    conversation,
    element_disconnected,
    element_shown,
    entries,
    hosted,
    hosted_boot,
    loader_arrived,
    loader_requested,
    notice_shown,
    page_with_loader,
    pause,
    policy_violated,
    request_blocked,
    request_failed,
    request_started,
    response_received,
    session_fetched,
    verification,
    visit_ended,
)
from rule_cases import FIRES, NEAR_MISSES
from rule_more import MORE
from rule_steps import (
    HTML,
    cors,
    mixed,
)

from harness.analysis.facts.facts import Facts
from harness.analysis.facts.gathering import facts_of
from harness.analysis.mount.prefetch import prefetch_of
from harness.analysis.mount.verdict import judge
from harness.analysis.result import others_of
from harness.analysis.rules import RULES
from harness.analysis.rules.rule import Rule
from harness.model import events
from harness.model.limits import Limits

HEALTHY = ("hosted", "hosted-development", "hosted-without-history", "custom", "custom-development", "on-demand")

# What is told on a visit of `FIRES` when it is not the rule alone, and what a near miss is told as.
BESIDES: dict[str, str] = {
    "page-refused": "page-refused page-without-chatkit",
    "page-behind-sign-in": "page-behind-sign-in page-without-chatkit",
    "workflow-id-missing": "element-never-rendered workflow-id-missing",
    "sdk-global-awaited": "element-never-rendered sdk-global-awaited",
    "handler-on-server-component": "element-never-rendered handler-on-server-component",
    "page-script-blocked-by-csp": "element-never-rendered page-script-blocked-by-csp",
    "page-scripts-disabled": "page-scripts-disabled page-without-chatkit",
    "page-script-missing": "element-never-rendered page-script-missing",
    "app-request-failed": "app-request-failed element-never-rendered",
    "action-without-effect": "action-without-effect page-without-chatkit",
    "types-package-imported": "page-without-chatkit types-package-imported",
    "loader-too-late": "element-never-rendered loader-too-late",
    "options-before-upgrade": "options-before-upgrade~ options-never-set",
    "session-blocked-by-csp": "element-never-rendered session-blocked-by-csp",
    "mock-secret": "element-never-rendered mock-secret* secret-malformed*",
    "stale-secret-returned": "backend-rejects-secret stale-secret-returned",
    "backend-without-secret": "backend-without-secret secret-callback-threw",
}
INSTEAD: dict[str, str] = {
    "page-refused": "page-without-chatkit",
    "page-behind-sign-in": "page-without-chatkit",
    "render-deadlock": "element-never-rendered",
    "workflow-id-missing": "element-never-rendered",
    "page-script-blocked-by-csp": "element-never-rendered",
    "element-never-rendered": "element-defined-by-another~",
    "page-scripts-disabled": "page-without-chatkit",
    "page-script-missing": "element-never-rendered",
    "app-request-failed": "element-never-rendered",
    "action-without-effect": "page-without-chatkit",
    "element-defined-by-another": "options-never-set",
    "session-given-up": "element-never-rendered",
    "loader-not-referenced": "loader-tag-inert",
    "page-without-chatkit": "loader-not-referenced~ wrong-tag~",
    "types-package-imported": "page-without-chatkit",
    "loader-not-executed": "loader-tag-inert",
    "loader-tag-inert": "loader-blocked-by-csp",
    "loader-only-preloaded": "loader-defines-nothing",
    "loader-run-as-module": "element-never-rendered",
    "loader-defines-nothing": "loader-unreachable",
    "loader-too-late": "element-never-rendered",
    "loader-challenged": "loader-refused",
    "loader-at-wrong-address": "loader-refused",
    "loader-refused": "loader-at-wrong-address",
    "loader-unreachable": "loader-blocked-by-client",
    "loader-blocked-by-client": "element-defined-by-another~",
    "loader-blocked-by-csp": "loader-unreachable~ page-script-blocked-by-csp~",
    "loader-blocked-by-coep": "loader-blocked-by-client",
    "loader-blocked-by-cors": "loader-unreachable~",
    "loader-over-plain-http": "loader-unreachable~",
    "loader-integrity-mismatch": "loader-never-arrives",
    "loader-answered-by-page": "loader-defines-nothing",
    "loader-never-arrives": "loader-defines-nothing",
    "wrong-tag": "options-never-set",
    "options-undefined": "set-options-threw",
    "api-mixes-modes": "api-invalid",
    "api-without-domain-key": "api-invalid",
    "api-with-ready-secret": "api-invalid",
    "api-empty": "api-invalid",
    "api-invalid": "api-without-domain-key",
    "theme-invalid": "header-shape-wrong",
    "prompt-icon-unknown": "options-refused",
    "header-shape-wrong": "theme-invalid",
    "option-unknown": "header-shape-wrong",
    "option-misspelled": "option-unknown",
    "option-newer-than-frame": "option-misspelled",
    "option-of-wrong-type": "header-shape-wrong",
    "attachments-without-strategy": "options-refused",
    "options-refused": "theme-invalid",
    "update-refused": "option-unknown",
    "session-for-nobody": "session-route-missing~",
    "session-unauthorized": "element-never-rendered",
    "session-refused-by-csrf": "session-forbidden",
    "session-forbidden": "session-refused-by-csrf",
    "session-route-missing": "workflow-not-found",
    "session-answered-by-page": "session-unauthorized~",
    "session-without-secret": "element-never-rendered",
    "api-key-missing-in-app": "api-key-incorrect",
    "workflow-missing-in-app": "workflow-parameter-missing",
    "server-sdk-too-old": "session-server-error",
    "session-gateway-failed": "session-server-error",
    "session-server-error": "sessions-api-failing",
    "session-rate-limited": "quota-exceeded",
    "session-request-invalid": "user-missing",
    "session-redirected": "element-never-rendered",
    "session-unreachable": "session-given-up",
    "session-blocked-by-cors": "session-unreachable~",
    "session-blocked-by-csp": "element-never-rendered",
    "session-over-plain-http": "session-unreachable~",
    "session-blocked-by-client": "element-never-rendered",
    "session-blocked-for-local-network": "session-unreachable~",
    "session-kept-on-machine": "session-unreachable",
    "session-unanswered": "element-never-rendered",
    "mock-secret": "element-never-rendered secret-malformed*",
    "workflow-not-found": "session-route-missing~",
    "user-missing": "session-request-invalid",
    "workflow-parameter-missing": "session-request-invalid",
    "workflow-not-an-object": "session-request-invalid",
    "parameter-unknown": "session-request-invalid",
    "beta-header-missing": "session-request-invalid",
    "api-key-not-sent": "session-unauthorized~",
    "api-key-incorrect": "session-unauthorized~",
    "api-key-restricted": "session-unauthorized~",
    "region-not-supported": "session-forbidden",
    "sessions-api-failing": "session-server-error",
    "refresh-endpoint-invented": "session-route-missing~",
    "wrong-api-path": "session-route-missing~",
    "session-unknown": "session-route-missing~",
    "quota-exceeded": "session-rate-limited",
    "hosted-workflows-ended": "session-route-missing~",
    "frame-beside-copied-loader": "frame-refused",
    "frame-challenged": "frame-refused",
    "frame-refused": "frame-unreachable~",
    "frame-blocked-by-csp": "frame-unreachable~",
    "frame-forbids-embedding": "frame-blocked-by-coep~",
    "frame-blocked-by-coep": "frame-forbids-embedding",
    "frame-blocked-by-client": "frame-unreachable~",
    "frame-unreachable": "frame-blocked-by-client",
    "domain-key-placeholder": "domain-not-registered",
    "verification-without-secret": "verification-unauthorized",
    "verification-unauthorized": "verification-without-secret",
    "verification-unreachable": "verification-timed-out",
    "widget-removed": "verification-unauthorized",
    "backend-without-secret": "backend-rejects-secret",
    "initial-thread-missing": "backend-refuses",
    "backend-refuses": "custom-backend-not-found~",
    "backend-error-behind-cors": "backend-unreachable~",
    "custom-backend-not-found": "backend-refuses",
    "custom-backend-refuses": "custom-backend-not-found~",
    "custom-backend-failing": "custom-backend-not-found",
    "custom-backend-blocked-by-cors": "custom-backend-unreachable~",
    "custom-backend-over-plain-http": "custom-backend-unreachable~",
    "custom-backend-blocked-by-csp": "custom-backend-unreachable~",
    "custom-backend-blocked-by-browser": "custom-backend-unreachable~",
    "custom-backend-kept-on-machine": "custom-backend-unreachable",
    "stream-event-unreadable": "reply-failed",
    "element-without-height": "styles-blocked-by-csp",
    "element-without-width": "element-without-height~",
    "element-transparent": "container-hidden",
    "element-clipped": "element-transparent",
    "element-not-painted": "container-hidden",
    "element-off-screen": "element-without-width",
    "element-covered": "element-off-screen",
}


# Rules that conclude from what is missing, or from how things stand: they wait until the mount is decided.
WAIT = frozenset(
    [
        "action-without-effect",
        "another-embed-failed",
        "app-request-failed",
        "backend-unanswered",
        "sentinel-unanswered",
        "container-hidden",
        "custom-fetch-without-answer",
        "element-clipped",
        "element-covered",
        "element-never-rendered",
        "element-not-painted",
        "element-off-screen",
        "element-taken-out",
        "element-transparent",
        "element-without-height",
        "element-without-width",
        "frame-script-no-script",
        "frame-unanswered",
        "loader-answered-by-page",
        "loader-defines-nothing",
        "loader-never-arrives",
        "loader-not-referenced",
        "loader-only-preloaded",
        "loader-tag-inert",
        "options-never-set",
        "page-behind-sign-in",
        "page-of-opaque-origin",
        "page-script-missing",
        "page-script-blocked-by-csp",
        "page-without-chatkit",
        "render-deadlock",
        "secret-fetched-twice",
        "secret-never-answered",
        "session-given-up",
        "session-redirected",
        "session-unanswered",
        "styles-blocked-by-csp",
    ]
)
# What stays true of a widget that came to life all the same; the diagnosis drops it then.
STAYS_SAID = frozenset({"stale-secret-returned", "refresh-not-configured", "page-from-file"})

# What the catalogue of failures lists, and calls harmless: it is no finding, of any rule.
_NO_HANDLER = console_message("No handler found for nonce 1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", "error")
BENIGN: dict[str, Steps] = {
    "the loader comes twice": [
        *page_with_loader()[:-1],
        *loader_requested("r2b"),
        *answered("r2b", body=body("(() => {})()", "text/javascript")),
        *hosted()[len(page_with_loader()) - 1 :],
    ],
    "the element is removed, and made anew": [
        *hosted(),
        element_disconnected(),
        *session_fetched("digest-b", "x3"),
        *element_shown(2),
        *hosted_boot(embed=2, digest="digest-b", nonce="x1", frame_request="x4"),
        *verification(request_id="x5"),
        *conversation(request_id="x6"),
    ],
    "an answer comes for a message that is forgotten": [*hosted(), _NO_HANDLER],
}

# What happens on a page besides, and has nothing to do with the chat.
_ELSEWHERE = "https://elsewhere.test"
NOISE: Steps = [
    cors(f"{_ELSEWHERE}/x"),
    mixed("http://elsewhere.test/x"),
    console_message(f"Refused to display '{_ELSEWHERE}/' in a frame because it set 'X-Frame-Options' to 'deny'.", "error"),
    console_message(f"Failed to find a valid digest in the 'integrity' attribute for resource '{_ELSEWHERE}/app.js'", "error"),
    *[policy_violated(f"{kind}-src", f"{_ELSEWHERE}/x") for kind in ("img", "connect", "frame")],
    policy_violated("style-src-elem", "inline", source="https://app.test/app.js"),
    policy_violated("script-src-elem", LOADER, is_enforced=False),
    request_started("z1", f"{_ELSEWHERE}/collect"),
    request_failed("z1", "net::ERR_BLOCKED_BY_CLIENT"),
    request_started("z2", f"{_ELSEWHERE}/i.png", resource_type="image"),
    request_failed("z2", "net::ERR_FAILED"),
    request_started("z3", "https://app.test/api/profile"),
    response_received("z3", 401),
    request_started("z4", f"{_ELSEWHERE}/ad", resource_type="document", is_navigation=True, is_top_frame=False),
    response_received("z4", 404, media_type=HTML),
    request_started("z5", f"{_ELSEWHERE}/ad.js", resource_type="script", frame_url=f"{_ELSEWHERE}/ad", is_top_frame=False),
    request_failed("z5", "net::ERR_FAILED"),
    request_blocked(),
    notice_shown("Your order was sent."),
]  # fmt: skip

# What makes a chat of a page on which something went wrong before.
RECOVERY: Steps = [
    *loader_arrived("x2"),
    *session_fetched(request_id="x3"),
    *element_shown(),
    *hosted_boot(frame_request="x4", nonce="x1"),
    *verification(request_id="x5"),
    *conversation(request_id="x6"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A visit, and the rules that find something on it."""

    name: str
    facts: Facts
    told: frozenset[str]  # rules; with "~" when less sure than the rule, with "*" when it is a prediction


def facts(steps: Steps) -> Facts:
    """Return the facts of a visit after which nothing happens any more."""
    lines = entries(steps, pause(20_000), visit_ended())
    judgement = judge(lines, Limits())
    verdict = judgement.verdict
    assert verdict is not None
    prefetch = prefetch_of(lines, verdict.mount.embed)
    others = tuple(other for other in others_of(lines, judgement) if other.reason != verdict.reason)
    return facts_of(lines, mount=verdict.mount, verdict=verdict, prefetch=prefetch, others=others)


def undecided_facts(steps: Steps) -> Facts:
    """Return the facts of a visit that goes on."""
    lines = entries(steps)
    judgement = judge(lines, Limits())
    mount, others = judgement.mount, others_of(lines, judgement)
    return facts_of(lines, mount=mount, verdict=None, prefetch=prefetch_of(lines, mount.embed), others=others)


def told_by(rule: Rule, of: Facts) -> str:
    """Return what a rule says of a visit: its name with the marks of a case, or "" when it is silent."""
    found = next(iter(rule.finds(of)), None)
    if found is None:
        return ""
    is_less_sure = found.confidence not in (None, rule.confidence)
    return rule.id + ("~" if is_less_sure else "") + ("*" if found.is_prediction else "")


@cache
def cases() -> tuple[Case, ...]:
    """Return every case, and what follows for it when it is undecided, stands in noise, or comes right in the end."""
    return tuple(_cases())


def _cases() -> Iterator[Case]:
    for rule in RULES:
        steps = FIRES[rule.id]
        told = frozenset(BESIDES.get(rule.id, rule.id).split())
        yield Case(name=f"{rule.id} fires", facts=facts(steps), told=told)
        yield Case(name=f"{rule.id} fires, undecided", facts=undecided_facts(steps), told=told - WAIT)
        yield Case(name=f"{rule.id} fires, in noise", facts=facts(_in_noise(steps)), told=_less_sure(told))
        yield Case(
            name=f"{rule.id} is missed",
            facts=facts(NEAR_MISSES[rule.id]),
            told=frozenset(INSTEAD.get(rule.id, "").split()),
        )
    for name, steps in BENIGN.items():
        yield Case(name=name, facts=facts(steps), told=frozenset())
    for name in HEALTHY:
        yield Case(name=name, facts=facts(TRANSCRIPTS[name]), told=frozenset())
        yield Case(name=f"{name}, in noise", facts=facts(_in_noise(TRANSCRIPTS[name])), told=frozenset())
    for name, (steps, all_told) in MORE.items():
        yield Case(name=name, facts=facts(steps), told=frozenset(all_told.split()))


def _in_noise(steps: Steps) -> Steps:
    start = 1 + next((n for n, step in enumerate(steps) if isinstance(step, events.Navigated)), 0)
    return [*steps[:start], *NOISE, *steps[start:]]


def _less_sure(told: frozenset[str]) -> frozenset[str]:
    # A script that did not arrive may have been the one that is missed.
    return frozenset("loader-not-referenced~" if name == "loader-not-referenced" else name for name in told)

"""The app's own code: whether it may run, whether it is delivered, and whether its own requests succeed before it creates a chat.

In: facts. Out: findings of the page's layer. Other rules cover the loader and the client secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.analysis.action_moves import Audience, action_outcome
from harness.analysis.facts.content_security_policy import policies_of
from harness.analysis.facts.exchanges import Exchange, is_telemetry, split_url
from harness.analysis.facts.facts import Facts, evidence_of
from harness.analysis.rules.network import is_page
from harness.analysis.rules.rule import MDN, Confidence, Found, Layer, Party, Rule, lines_of, told, with_loaded

# Rules for a loader that is delivered and does not run.
LOADER_UNRUN = (
    "types-package-imported",
    "loader-not-executed",
    "loader-tag-inert",
    "loader-only-preloaded",
    "loader-run-as-module",
    "loader-defines-nothing",
)
SANDBOXED = r"Blocked script execution in .*sandboxed"
NO_MODULE = r"Failed to load module script|Loading module from .* was blocked because of a disallowed MIME type"
# What each engine throws when a request fails, and when the response is not the expected JSON.
UNFETCHED = re.compile(r"Failed to fetch|NetworkError when attempting|Load failed|Network Error", re.IGNORECASE)
LOGGED = r"^(?!Failed to load resource|Access to |Refused to |Blocked )"  # by the page's code, and not by the browser
UNREADABLE = re.compile(r"is not valid JSON|JSON\.parse:|Unexpected (end of JSON|token '?<)", re.IGNORECASE)


def page_scripts_disabled(facts: Facts) -> Iterator[Found]:
    """The page is sandboxed without allow-scripts."""
    policies = policies_of(value for name, value in facts.page.headers if name == "content-security-policy")
    is_forbidden = any("sandbox" in policy and "allow-scripts" not in policy["sandbox"] for policy in policies)
    said = facts.console_about(pattern=SANDBOXED)
    if not facts.embeds and not facts.is_defined and is_forbidden:
        yield Found(
            summary="the page's Content-Security-Policy has the directive sandbox without allow-scripts",
            evidence=(facts.page.seq, *lines_of(said[:2])),
        )


PAGE_SCRIPTS_DISABLED = Rule(
    id="page-scripts-disabled",
    layer=Layer.PAGE,
    owner=Party.APP,
    title="The page's policy allows no scripts",
    cause="The page's policy has the directive sandbox without allow-scripts, so the browser runs none of the "
    "page's scripts.",
    remedy="Remove sandbox from the policy, or add allow-scripts and allow-same-origin to it.",
    finds=page_scripts_disabled,
    doc=f"{MDN}HTTP/Reference/Headers/Content-Security-Policy/sandbox",
)


def page_script_missing(facts: Facts) -> Iterator[Found]:
    """A script of the page is not delivered, and no chat appears."""
    if not _is_barren(facts):
        return
    missing = [x for x in facts.missed if x.request.resource_type == "script"]
    missing = [x for x in missing if not facts.violations_of(x, ("script-src", "default-src"))]
    missing = [x for x in missing if _is_own(facts, x)] or missing
    if missing:
        said = facts.console_about(pattern=NO_MODULE) if is_page(missing[0]) else ()
        yield Found(
            summary=_missed(missing[0]),
            evidence=with_loaded(facts, *evidence_of(missing[0]), *lines_of(said[:2])),
            confidence=None if _is_own(facts, missing[0]) else Confidence.POSSIBLE,
        )


PAGE_SCRIPT_MISSING = Rule(
    id="page-script-missing",
    layer=Layer.PAGE,
    owner=Party.APP,
    title="A script of the page is not delivered",
    cause="A bundle, or a part of it that is loaded later, is not at the address that the page requests: a cached "
    "page refers to files of an earlier build, the base path is wrong, or a single-page fallback answers "
    "with HTML.",
    remedy="Deploy the page and its files together, and answer 404 for missing files. Then load the page without "
    "the cache.",
    finds=page_script_missing,
    confidence=Confidence.LIKELY,
    symptom_of=(
        *LOADER_UNRUN,
        "page-scripts-disabled",
        "page-script-blocked-by-csp",
        "workflow-id-missing",
        "sdk-global-awaited",
        "handler-on-server-component",
        "uncaught-error",
    ),
)


def app_request_failed(facts: Facts) -> Iterator[Found]:
    """The app threw an error that its own failed request explains, and no chat appears afterwards."""
    if not _is_barren(facts):
        return
    # Uncaught, or caught and logged: an app that says so was not indifferent to it.
    uncaught = [(error.seq, f"{error.event.name}: {error.event.message}") for error in facts.page_errors]
    logged = [(s.seq, s.event.text) for s in facts.console_about(pattern=LOGGED) if s.event.level == "error"]
    for seq, text in (*uncaught, *logged):
        asked = [x for x in facts.missed if x.request.resource_type != "script"]
        if UNFETCHED.search(text):
            asked = [x for x in asked if x.failure]
        elif not UNREADABLE.search(text):
            asked = [x for x in asked if x.status >= 400 and str(x.status) in text]
        # A request that the policy blocks never reaches the network; the violation is its only trace.
        stopped = [s for s in facts.violations if s.event.directive.startswith(("connect-src", "default-src"))]
        stopped = [s for s in stopped if UNFETCHED.search(text) and not is_telemetry(s.event.blocked_url)]
        if asked:
            yield Found(summary=_missed(asked[-1]), evidence=(*evidence_of(asked[-1]), seq))
        elif stopped:
            first = stopped[-1].event
            yield Found(
                summary=f"{first.directive} of the page's Content-Security-Policy does not allow {first.blocked_url}",
                evidence=(stopped[-1].seq, seq),
            )


APP_REQUEST_FAILED = Rule(
    id="app-request-failed",
    layer=Layer.PAGE,
    owner=Party.APP,
    title="A request that the app depends on fails",
    cause="Before the app creates the chat, it sends a request of its own. The app does not handle the response: "
    "an error, a web page instead of data, or no response.",
    remedy="Fix the request (address, server, CORS, policy), and catch the error in the app, so that the app can "
    "show it.",
    finds=app_request_failed,
    confidence=Confidence.LIKELY,
    symptom_of=(*LOADER_UNRUN, "page-scripts-disabled", "workflow-id-missing", "sdk-global-awaited"),
)


def action_without_effect(facts: Facts) -> Iterator[Found]:
    """The action that should open the chat changed nothing, and no other finding explains it."""
    if not _is_barren(facts) or not facts.actions:
        return
    last = facts.actions[-1]
    is_followed = any(x.seq > facts.acted_seq for x in facts.exchanges if not is_telemetry(x.url))
    is_answered = is_followed or any(s.seq > facts.acted_seq for s in (*facts.notices, *facts.page_errors))
    if not last.event.effect and not is_answered:
        yield Found(
            summary=action_outcome(last.event),
            evidence=with_loaded(facts, facts.acted_seq, last.seq),
            confidence=None if last.event.audience == Audience.NONE else Confidence.LIKELY,
        )


ACTION_WITHOUT_EFFECT = Rule(
    id="action-without-effect",
    layer=Layer.PAGE,
    owner=Party.APP,
    title="The action that opens the chat has no effect",
    cause="The page received the action that should open the chat, and nothing changed: no handler is attached, "
    "the code that attaches it did not run, or the handler returns early.",
    remedy="Click it by hand with the browser's developer tools open. Check that the component is hydrated (no "
    "failed script, no hydration error), that the handler is attached to this element, and what the "
    "handler waits for.",
    finds=action_without_effect,
    symptom_of=(
        *LOADER_UNRUN,
        "page-scripts-disabled",
        "page-script-blocked-by-csp",
        "page-script-missing",
        "app-request-failed",
        "workflow-id-missing",
        "sdk-global-awaited",
        "handler-on-server-component",
        "uncaught-error",
    ),
)


def other_failures(facts: Facts) -> tuple[str, tuple[int, ...]]:
    """Return the result of the app's last failed request as the end of a sentence, and its lines; nothing when none failed."""
    missed = [x for x in facts.missed if _is_own(facts, x)]
    return (f"; before that, {_missed(missed[-1])}", evidence_of(missed[-1])) if missed else ("", ())


def _missed(exchange: Exchange) -> str:
    is_good = 200 <= exchange.status < 300 and not exchange.failure
    return told(exchange) + (" with a web page" if is_good and is_page(exchange) else "")


def _is_barren(facts: Facts) -> bool:
    """Whether there is no element, and neither the loader nor the secret explains it."""
    return facts.is_settled and not facts.embeds and not facts.sessions and facts.failed_loader is None


def _is_own(facts: Facts, exchange: Exchange) -> bool:
    return split_url(exchange.url).netloc == split_url(facts.page.url).netloc


RULES = (
    PAGE_SCRIPTS_DISABLED,
    PAGE_SCRIPT_MISSING,
    APP_REQUEST_FAILED,
    ACTION_WITHOUT_EFFECT,
)

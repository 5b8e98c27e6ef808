"""The app's own code: whether it may run, whether it arrives, and whether it gets what it asks for before it makes a chat.

In: facts. Out: findings of the page's layer. What is known to be about the loader, or about a client secret, is other rules' business.
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

# What keeps a loader from running that nothing keeps from arriving.
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
# What is thrown when a request fails on its way, and when its answer is not what was expected; as each engine says it.
UNFETCHED = re.compile(r"Failed to fetch|NetworkError when attempting|Load failed|Network Error", re.IGNORECASE)
LOGGED = r"^(?!Failed to load resource|Access to |Refused to |Blocked )"  # by the page's code, and not by the browser
UNREADABLE = re.compile(r"is not valid JSON|JSON\.parse:|Unexpected (end of JSON|token '?<)", re.IGNORECASE)


def page_scripts_disabled(facts: Facts) -> Iterator[Found]:
    """The page is sandboxed, and no script of it may run."""
    policies = policies_of(value for name, value in facts.page.headers if name == "content-security-policy")
    is_forbidden = any("sandbox" in policy and "allow-scripts" not in policy["sandbox"] for policy in policies)
    said = facts.console_about(pattern=SANDBOXED)
    if not facts.embeds and not facts.is_defined and is_forbidden:
        yield Found(
            summary="the page's Content-Security-Policy says sandbox, without allow-scripts",
            evidence=(facts.page.seq, *lines_of(said[:2])),
        )


PAGE_SCRIPTS_DISABLED = Rule(
    id="page-scripts-disabled",
    layer=Layer.PAGE,
    owner=Party.APP,
    title="No script of the page may run",
    cause="The page's policy has the directive sandbox without allow-scripts: browsers run nothing of the page then.",
    remedy="Take sandbox out of the policy, or add allow-scripts and allow-same-origin to it.",
    finds=page_scripts_disabled,
    doc=f"{MDN}HTTP/Reference/Headers/Content-Security-Policy/sandbox",
)


def page_script_missing(facts: Facts) -> Iterator[Found]:
    """A script of the page does not arrive, and nothing of a chat comes."""
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
    title="A script of the page does not arrive",
    cause="A bundle or a part of it that is loaded later is not where the page looks for it: an old page that names the files of "
    "the build before, a wrong base path, or a single-page fallback that answers for it with HTML.",
    remedy="Deploy page and files together, and answer 404 for files that are not there; then load the page without its cache.",
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
    """The app met an error that a failed request of its own explains, and nothing of a chat comes after it."""
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
        # What policy forbids never gets to the network; all that is left of it is the violation.
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
    cause="Before it makes the chat, the app asks its own server for something, and does not survive the answer: an error, a web page "
    "in place of data, or none.",
    remedy="Mend what the request meets (address, server, CORS, policy), and catch the error in the app, so that it can say so.",
    finds=app_request_failed,
    confidence=Confidence.LIKELY,
    symptom_of=(*LOADER_UNRUN, "page-scripts-disabled", "workflow-id-missing", "sdk-global-awaited"),
)


def action_without_effect(facts: Facts) -> Iterator[Found]:
    """What was done on the page to open the chat changed nothing, and nothing is known to be the reason."""
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
    title="What was clicked does nothing",
    cause="The page got the action that is to open the chat, and nothing changed: no handler was attached to it, the app's code that "
    "attaches it did not run, or the handler returns early.",
    remedy="Click it by hand with the browser's developer tools open. Check that the component is hydrated (no script of the page "
    "fails, no hydration error), that the handler is on this element, and what the handler waits for.",
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


def besides(facts: Facts) -> tuple[str, tuple[int, ...]]:
    """Return what the app's last failed request came to, as the end of a sentence, and its lines; nothing when none failed."""
    missed = [x for x in facts.missed if _is_own(facts, x)]
    return (f"; before that, {_missed(missed[-1])}", evidence_of(missed[-1])) if missed else ("", ())


def _missed(exchange: Exchange) -> str:
    is_good = 200 <= exchange.status < 300 and not exchange.failure
    return told(exchange) + (" with a web page" if is_good and is_page(exchange) else "")


def _is_barren(facts: Facts) -> bool:
    """Whether there is no element, and neither loader nor secret is known to be the reason."""
    return facts.is_settled and not facts.embeds and not facts.sessions and facts.failed_loader is None


def _is_own(facts: Facts, exchange: Exchange) -> bool:
    return split_url(exchange.url).netloc == split_url(facts.page.url).netloc


RULES = (
    PAGE_SCRIPTS_DISABLED,
    PAGE_SCRIPT_MISSING,
    APP_REQUEST_FAILED,
    ACTION_WITHOUT_EFFECT,
)

"""What a smoke run comes to: ok, degraded, failing or no statement; with one cause, and whose it is."""

from __future__ import annotations

from typing import Any

import pytest
from nights import broken, flight, mounted, offline, verdict

from harness.analysis.rules import BY_ID, RULES
from harness.analysis.rules.hops import HOP_RULES
from harness.analysis.rules.rule import Party
from harness.analysis.smoke.blame import party_of
from harness.analysis.smoke.smoke import fingerprint_of, may_pass
from harness.model.history import Attempt
from harness.model.hops import Failure


def test_a_good_night_is_ok() -> None:
    """No cause, no reasons, exit code 0; the times are the visit's."""
    result = verdict(1, None, mounted(first_token_ms=800))
    assert (result.outcome, result.cause, result.reasons, result.exit_code) == ("ok", "", (), 0)
    assert result.mount_ms > 0
    assert (result.first_token_ms, result.attempts) == (800, 1)
    assert dict(result.sdk)["frame"] == "index-one.html"


BLAMED = [
    ("session-server-error", Party.APP),
    ("workflow-not-found", Party.CONFIGURATION),
    ("sessions-api-failing", Party.API),
    ("loader-refused", Party.CDN),
    ("frame-refused", Party.CDN),
    ("domain-not-registered", Party.CONFIGURATION),
    ("verification-failing", Party.API),
    ("loader-blocked-by-csp", Party.APP),
    ("page-refused", Party.APP),
]


@pytest.mark.parametrize(("rule", "party"), BLAMED)
def test_a_failing_visit_has_a_cause_and_somebody_who_has_to_act(rule: str, party: Party) -> None:
    """By the visit's own cause."""
    result = verdict(1, None, broken(rule, 1), broken(rule, 2), broken(rule, 3))
    assert (result.outcome, result.cause, result.blame, result.exit_code) == ("failing", rule, party.value, 1)
    assert result.title == BY_ID[rule].title
    assert result.attempts == 3


def test_a_preflight_that_failed_is_failing_whatever_the_visit_says() -> None:
    """What is configured to be checked is part of what has to work."""
    lost = {"kind": "api session", "method": "POST", "status": 401, "error_text": "Incorrect API key provided"}
    result = verdict(1, flight(frame=lost), mounted())
    assert (result.outcome, result.cause, result.exit_code) == ("failing", "api-key-incorrect", 12)
    assert result.blame == "our configuration"


def test_a_visit_that_comes_through_disproves_what_was_asked_before() -> None:
    """The CDN that said no to the preflight, or a policy that the browser did not mind: that is no outage."""
    result = verdict(1, flight(loader={"status": 503}), mounted())
    assert (result.outcome, result.cause, result.blame, result.exit_code) == (
        "degraded",
        "loader-refused",
        "the CDN",
        7,
    )
    assert result.reasons[0].endswith("; the visits passed")
    failed = verdict(1, flight(loader={"status": 503}), broken("loader-refused"))
    assert (failed.outcome, failed.exit_code) == ("failing", 12)


def test_a_preflight_that_was_made_again_is_a_retry() -> None:
    """It passed at last."""
    result = verdict(1, None, mounted(), earlier=("loader-refused",))
    assert result.reasons == ("passed-after-retry: the preflight passed at attempt 2, before it: loader-refused",)


@pytest.mark.parametrize(
    ("changes", "is_worth_it"),
    [
        ({"loader": {"status": 503}}, True),
        ({"loader": {"status": 429}}, True),
        ({"page": {"status": 0, "failure": Failure.SLOW_ANSWER}}, True),
        ({"page": {"status": 404}}, False),
        ({"page": {"headers": (("content-security-policy", "script-src 'self'"),)}}, False),
        ({}, False),
    ],
)
def test_only_what_may_pass_is_made_again(changes: dict[str, Any], is_worth_it: bool) -> None:
    """A workflow that is not there will not be there in ten seconds."""
    assert may_pass(flight(**changes)) is is_worth_it


def test_of_preflight_and_visit_the_one_about_the_broken_link_is_the_cause() -> None:
    """The preflight knows more about the same link; about another one the visit is right."""
    api = {"kind": "api session", "method": "POST", "workflow": "wf_1", "status": 404,
           "error_text": "Workflow with id 'wf_1' not found.", "headers": (("openai-project", "proj_b"),)}  # fmt: skip
    preflight = flight(frame=api)
    assert preflight.cause is not None
    assert verdict(1, preflight, broken("workflow-not-found")).exit_code == 12
    other = verdict(1, preflight, broken("element-never-rendered"))
    assert (other.cause, other.exit_code) == ("element-never-rendered", 1)


def test_a_machine_without_a_network_says_nothing() -> None:
    """Neither about us nor about OpenAI: exit code 13."""
    result = verdict(1, offline())
    assert (result.outcome, result.cause, result.exit_code) == ("environment", "network-missing", 13)


def test_a_machine_without_a_browser_says_nothing() -> None:
    """As long as the preflight found nothing."""
    result = verdict(1, None, environment="no chromium to run")
    assert (result.outcome, result.cause, result.summary, result.exit_code) == (
        "environment", "browser-missing", "no chromium to run", 13,
    )  # fmt: skip
    assert verdict(1, flight(loader={"status": 503}), environment="no chromium to run").exit_code == 12


def test_a_page_that_cannot_be_visited_is_failing() -> None:
    """Such as one without the button; exit code 14."""
    result = verdict(
        1, None, Attempt(entry="chat", number=3, problem="page", told="no button 'Open chat'\n  to fix: …")
    )
    assert (result.outcome, result.cause, result.summary, result.exit_code) == (
        "failing", "page-not-visited", "no button 'Open chat'", 14,
    )  # fmt: skip


def test_a_widget_that_does_not_answer_is_failing() -> None:
    """It mounts, and the message gets no reply."""
    result = verdict(1, None, mounted(3, problem="conversation", told="waited 30 s for the end of the response"))
    assert (result.outcome, result.cause, result.blame, result.exit_code) == (
        "failing", "conversation-failed", "OpenAI's API", 1,
    )  # fmt: skip


DEGRADED = [
    (lambda: (None, mounted(2)), "passed-after-retry"),
    (lambda: (None, mounted(first_token_ms=12_000.0)), "slow-reply"),
    (lambda: (flight(page={"total_ms": 6_000.0}), mounted()), "hop-slow"),
    (lambda: (flight(page={"headers": (("content-security-policy", "style-src 'self'"),)}), mounted()), "styles-blocked-by-csp"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "cause"), DEGRADED, ids=[cause for _, cause in DEGRADED])
def test_what_is_not_quite_well_is_degraded(make: object, cause: str) -> None:
    """Retried, slow, or with findings: exit code 7."""
    preflight, attempt = make()  # type: ignore[operator]
    result = verdict(1, preflight, attempt)
    assert (result.outcome, result.cause, result.exit_code) == ("degraded", cause, 7)
    assert result.reasons[0].startswith(cause)


def test_the_last_attempt_counts() -> None:
    """Two that failed before one that passed are a retry, and no outage."""
    assert verdict(1, None, broken("loader-refused", 1), broken("loader-refused", 2), mounted(3)).outcome == "degraded"
    result = verdict(1, None, broken("loader-refused", 1), broken("frame-refused", 2), mounted(3))
    assert result.summary == "chat passed at attempt 3, before it: loader-refused, frame-refused"


def test_the_same_cause_has_the_same_fingerprint() -> None:
    """A rule is a cause; what no rule knows is told apart by its words, and not by its numbers."""
    assert fingerprint_of("loader-refused", "answered 503") == fingerprint_of("loader-refused", "answered 502")
    assert fingerprint_of("loader-refused", "") != fingerprint_of("frame-refused", "")
    first, second = "reached 3, missing composer", "reached 14, missing composer"
    assert fingerprint_of("unexplained", first) == fingerprint_of("unexplained", second)
    assert fingerprint_of("unexplained", first) != fingerprint_of("unexplained", "reached 3, missing element")


def test_every_rule_has_somebody_who_has_to_act() -> None:
    """Only what nothing explains is nobody's; a name of another version is nobody's too."""
    for rule in (*RULES, *HOP_RULES):
        assert party_of(rule.id) is rule.owner is not Party.NOBODY
    assert party_of("uncaught-error") is Party.APP
    assert {party_of(name) for name in ("unexplained", "rule-crashed", "of-another-version")} == {Party.NOBODY}

"""One cause, what else is wrong, and what follows from either: two faults at once, console errors, and rules that crash."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from time import process_time

import pytest
from builders import (
    FRAME,
    LOADER,
    SESSION,
    STYLE,
    TRANSCRIPTS,
    Steps,
    action_ended,
    action_taken,
    answered,
    box_changed,
    console_message,
    conversation,
    custom,
    custom_call,
    document_loaded,
    element_connected,
    element_disconnected,
    entries,
    exchange,
    frame_arrived,
    frame_error,
    hidden_box,
    hosted,
    iframe_loaded,
    lookalike_seen,
    notice_shown,
    options_seen,
    page_error,
    pause,
    policy_violated,
    rejection,
    request_failed,
    request_started,
    script_referenced,
    secret_read,
    session_refused,
    shadow_changed,
    unmount,
    verification,
    visit_ended,
    visit_started,
)
from rule_steps import (
    ELEMENT,
    INVALID,
    as_document,
    asked_at,
    bare,
    booting,
    boxed,
    check,
    frame_ended,
    framed,
    idle,
    other,
    refused,
    upgraded,
    with_loader,
)
from rule_told import facts

from harness.analysis.diagnosis import diagnose
from harness.analysis.facts.facts import Facts
from harness.analysis.mount.verdict import judge
from harness.analysis.result import result_of
from harness.analysis.rules import RULES
from harness.analysis.rules.rule import Found, Layer, Party, Rule
from harness.model.limits import Limits
from harness.model.results import VisitResult

MOCK = exchange("r3", SESSION, **secret_read("digest-m", secret_format="other", is_mock=True))
FLAT = box_changed(886, 0)
TO_BE_FLAT = box_changed(0, 0, container_height_px=0, height_css="auto")
GONE = [unmount(), shadow_changed(STYLE, data_loaded=True)]


def result(*steps: Steps, console_allow: tuple[str, ...] = (), now_ms: float | None = 1e9) -> VisitResult:
    """Return the result of a visit after which nothing happens any more."""
    started = [] if any(type(step) is type(visit_started()) for step in steps[0]) else [visit_started()]
    lines = entries(started, *steps, pause(20_000), visit_ended())
    judgement = judge(lines, Limits(), now_ms=now_ms)
    return result_of(lines, limits=Limits(), started_at="", judgement=judgement, console_allow=console_allow)


def told(got: VisitResult) -> tuple[str, tuple[str, ...]]:
    """Return the cause and what else is wrong; predictions with a star."""
    also = sorted(finding.rule + ("*" if finding.is_prediction else "") for finding in got.also)
    return got.cause.rule if got.cause else "", tuple(also)


def flat(steps: Steps) -> Steps:
    """Return the visit with an element of no height."""
    return [FLAT if type(step) is type(FLAT) else step for step in steps]


COMBINED: dict[str, tuple[Steps, str, tuple[str, ...]]] = {
    "no loader, a mock secret, a container without height": (
        bare(MOCK, element_connected(), TO_BE_FLAT), "loader-not-referenced", ("element-without-height*", "mock-secret*")),
    "no loader, and nobody is signed in": (bare(session_refused(), ELEMENT), "loader-not-referenced", ("session-unauthorized",)),
    "no loader, and a wrong tag": (bare(lookalike_seen()), "loader-not-referenced", ("wrong-tag",)),
    "no loader, and options too early": (
        bare(ELEMENT, page_error("chat.setOptions is not a function", "TypeError")), "loader-not-referenced", ()),
    "a wrong address, and a session that is refused": (
        bare(script_referenced("https://cdn.test/chatkit.js"), request_started("r2", "https://cdn.test/chatkit.js", resource_type="script"),
             refused(404), session_refused(500, error_text="oops")),
        "loader-at-wrong-address", ("session-server-error",)),
    "a policy against the loader, and a container without height": (
        [s for s in with_loader(policy_violated("script-src-elem", LOADER), request_failed("r2", "csp")) if type(s) is not type(FLAT)]
        + [TO_BE_FLAT],
        "loader-blocked-by-csp", ("element-without-height*",)),
    "a policy against the loader, and a secret of the wrong form": (
        [*exchange("r3", SESSION, **secret_read("digest-m", secret_format="other"))][:0]
        + with_loader(policy_violated("script-src-elem", LOADER), request_failed("r2", "csp"),
                      exchange("r3", SESSION, **secret_read("digest-m", secret_format="other"))),
        "loader-blocked-by-csp", ("secret-malformed*",)),
    "options that are refused, in a container without height": (
        flat(framed(options_seen(), frame_arrived(), frame_error("FatalAppError", INVALID + "theme"), iframe_loaded())),
        "theme-invalid", ("element-without-height",)),
    "a frame that is refused, in a container without height": (
        flat(frame_ended(refused(400, request_id="r4"))), "frame-refused", ("element-without-height",)),
    "a policy against the frame, and a mock secret": (
        [*idle(MOCK, element_connected(), shadow_changed(), box_changed(), policy_violated("frame-src", FRAME)), *iframe_loaded()],
        "frame-blocked-by-csp", ("mock-secret*",)),
    "nobody is signed in, on a domain that asks": (
        [*booting(session_refused(), rejection()), *check(401, "empty"),
         frame_error("DomainVerificationRequestError", "Domain verification request failed with 401"), *GONE],
        "session-unauthorized", ()),
    "a domain that is not registered, in a container without height": (
        flat([*hosted(check=check(is_verified=False)), frame_error("IntegrationError", "Domain verification failed for x."), *GONE]),
        "domain-not-registered", ("element-without-height",)),
    "a mock secret, in a container without height": (flat(TRANSCRIPTS["mock-secret"]), "mock-secret", ("element-without-height",)),
    "a backend that fails, in a hidden container": (
        [hidden_box() if type(s) is type(FLAT) else s for s in custom(backend=custom_call(500))],
        "custom-backend-failing", ("container-hidden",)),
    "a backend that rejects the secret, under an overlay": (
        [box_changed(covered_by="div.overlay") if type(s) is type(FLAT) else s for s in hosted(backend=conversation(401))],
        "backend-rejects-secret", ("element-covered",)),
    "a workflow that is not found, on a page that is not secure": (
        as_document(idle(session_refused(404, error_text="Workflow with id 'wf_1' not found.")), is_secure_context=False, origin="http://app.test"),
        "workflow-not-found", ("page-not-secure*",)),
    "a frame that is refused, and an error of another script before": (
        frame_ended(refused(400, request_id="r4"), said=[page_error("no banner", "TypeError")]), "frame-refused", ("uncaught-error",)),
    "a frame that is refused, and an error of the app after": (
        [*frame_ended(refused(400, request_id="r4")), page_error("the chat is broken", "Error")], "frame-refused", ()),
    "a hidden container, and noise on the console": (
        [*hosted(), hidden_box(), console_message("Warning: unique key", "error")], "container-hidden", ()),
    "a deadlock, and an error of another script": (
        idle(page_error("no banner", "TypeError"), action_taken(), notice_shown()), "render-deadlock", ()),
    "a button that nobody listens to": (
        bare(action_taken(), action_ended(audience="none", waited_ms=5_000)), "action-without-effect", ()),
    "a button of a page with a loader that does nothing": (
        idle(action_taken(), action_ended(audience="far")), "action-without-effect", ()),
    "a button that does something, and no chat": (idle(action_taken(), action_ended("dom")), "element-never-rendered", ()),
    "a button that does something later": (
        idle(action_taken(), action_ended(), notice_shown("Connecting to the chat…")), "render-deadlock", ()),
    "a button that is dead because the app threw": (
        idle(page_error("no user", "TypeError"), action_taken(), action_ended(audience="none")), "uncaught-error", ()),
    "a button that is dead because a script is missing": (
        bare(other("https://app.test/app.js", *answered("o1", 404)), action_taken(), action_ended(audience="none")),
        "page-script-missing", ()),
    "a spinner, because the app threw": (idle(action_taken(), notice_shown(), page_error("no user", "TypeError")), "uncaught-error", ()),
    "an unknown failure, in a container without height": (
        flat(framed(frame_arrived(), iframe_loaded())), "unexplained", ("element-without-height",)),
    "a session endpoint of no known name": (
        idle(exchange("r3", "https://app.test/api/assistant/credentials", 401, error_text="no")), "session-unauthorized", ()),
    "a widget that is made again and again for want of a session": (
        idle(session_refused(), *[[element_connected(n), shadow_changed(embed=n), element_disconnected(n)] for n in (1, 2, 3)],
             element_connected(4), shadow_changed(embed=4), box_changed(embed=4)),
        "session-unauthorized", ()),
    "a spinner that hides a frame that is refused": (
        [hidden_box("opacity:0 on div.chat") if type(s) is type(FLAT) else s for s in frame_ended(refused(400, request_id="r4"))],
        "frame-refused", ()),
    "no options, because the app threw": (upgraded(page_error("user is undefined", "TypeError")), "uncaught-error", ()),
    "a file of the app that is missing": (
        bare(other("https://app.test/app.js", *answered("o1", 404))), "page-script-missing", ()),
    "a file that is missing, and an error of the app": (
        idle(other("https://app.test/banner.js", *answered("o1", 404)), action_taken(), page_error("no chat root", "TypeError")),
        "uncaught-error", ()),
    "no options, and therefore no element": (
        idle(page_error("Cannot read properties of null (reading 'threadItemActions')", "TypeError")), "options-undefined", ()),
    "a refusal in answer to the frame": (asked_at(201, answered("r3", 503)), "session-gateway-failed", ()),
    "two secrets, and a reply that fails": (
        [*hosted(), *exchange("r9", SESSION, **secret_read("digest-b")), frame_error("StreamError", "There was an error while generating")],
        "", ("reply-failed", "secret-fetched-twice")),
}  # fmt: skip


@pytest.mark.parametrize(("steps", "cause", "also"), COMBINED.values(), ids=COMBINED.keys())
def test_of_two_faults_one_is_the_cause(steps: Steps, cause: str, also: tuple[str, ...]) -> None:
    """The one at which the chain broke first; the other is told too, unless it only follows."""
    assert told(result(steps)) == (cause, also)


def test_a_symptom_names_what_it_follows_from() -> None:
    """A refusal of the domain check is no second diagnosis."""
    steps, cause, _ = COMBINED["nobody is signed in, on a domain that asks"]
    links = {finding.rule: (finding.role, finding.caused_by) for finding in result(steps).findings}
    assert links[cause] == ("cause", "")
    assert links["verification-without-secret"] == ("consequence", cause)
    assert links["secret-callback-threw"] == ("consequence", cause)


def test_findings_come_by_their_earliest_evidence() -> None:
    """Causes before symptoms."""
    for steps, _, _ in COMBINED.values():
        firsts = [finding.evidence[0] for finding in result(steps).findings]
        assert firsts == sorted(firsts)
        assert all(finding.evidence == tuple(sorted(set(finding.evidence))) for finding in result(steps).findings)


def test_a_prediction_is_no_cause_and_is_dropped_when_it_did_not_come_true() -> None:
    """It says what would stop the mount next; a widget that stands has disproved it."""
    steps = COMBINED["no loader, a mock secret, a container without height"][0]
    assert [finding.role for finding in result(steps).findings if finding.is_prediction] == [
        "also",
        "consequence",
        "also",
    ]
    assert result([*hosted(), *exchange("r9", SESSION, **secret_read())]).findings == ()


def test_a_standing_widget_has_no_cause() -> None:
    """What is wrong all the same is told as such."""
    got = result([*boxed(covered_by="div.overlay")])
    assert (got.is_mounted, told(got)) == (True, ("", ("element-covered",)))


def test_an_undecided_mount_is_not_explained_away() -> None:
    """While it is open, nothing is concluded from silence."""
    lines = entries(visit_started(), TRANSCRIPTS["deadlock"])
    got = result_of(lines, limits=Limits(), started_at="", judgement=judge(lines, Limits()))
    assert (got.outcome, got.cause, got.findings) == ("undecided", None, ())


def test_what_no_rule_knows_is_called_so() -> None:
    """With the first milestone that is missing, and the lines nearest to it."""
    got = result(framed(frame_arrived(), iframe_loaded()))
    assert got.cause is not None
    assert (got.cause.rule, got.cause.confidence) == ("unexplained", "possible")
    assert "frame-delivered was reached, frame-booted was not" in got.cause.summary
    assert got.cause.evidence[0] > 0


def test_a_failure_has_exactly_one_cause() -> None:
    """Whatever it is."""
    for steps in (*TRANSCRIPTS.values(), *(steps for steps, _, _ in COMBINED.values())):
        got = result(steps)
        assert sum(finding.role == "cause" for finding in got.findings) == (not got.is_mounted)


def test_a_retry_that_succeeds_leaves_no_trace() -> None:
    """Only what is wrong at the end counts."""
    again = [*session_refused(503), action_taken(), *hosted()[len(hosted()) :]]
    mounted = [*hosted()[:13], *again[:4], *hosted()[13:]]
    assert result(mounted).findings == ()
    assert result(hosted(backend=[*conversation(503), *conversation(request_id="r8")])).findings == ()
    assert result(hosted(check=[*verification(503), *verification(request_id="r8")])).findings == ()


# --- console ------------------------------------------------------------------------------------------------------


def test_an_error_that_a_finding_explains_is_its_evidence() -> None:
    """The browser's echo of a refused request, and ChatKit's message thrown once more, are not counted twice."""
    echo = console_message("Failed to load resource: the server responded with a status of 401", "error", url=SESSION)
    got = result([*TRANSCRIPTS["session-refused"], echo, console_message(f"POST {SESSION} 401", "error", url="")])
    assert [finding.rule for finding in got.findings] == ["session-unauthorized"]
    assert got.findings[0].evidence[-2:] == tuple(problem.seq for problem in got.console)


def test_an_echo_of_a_request_that_matters_to_nobody_is_no_finding() -> None:
    """It is on the console, and in the network."""
    echo = console_message(
        "Failed to load resource: the server responded with a status of 404",
        "error",
        url="https://app.test/favicon.ico",
    )
    got = result([*hosted(), echo])
    assert (got.findings, len(got.console)) == ((), 1)


def test_errors_of_the_page_are_findings_unless_they_are_allowed() -> None:
    """Each text once, with its lines."""
    noise = [
        console_message("Warning: key", "error"),
        console_message("Warning: key", "error"),
        page_error("banner", "TypeError"),
    ]
    got = result([*hosted(), *noise])
    assert [(f.rule, f.role, len(f.evidence)) for f in got.findings] == [
        ("console-error", "also", 2),
        ("uncaught-error", "also", 1),
    ]
    assert got.findings[0].summary == "Warning: key (2 times)"
    assert [f.rule for f in result([*hosted(), *noise], console_allow=("Warning: key",)).findings] == ["uncaught-error"]


FAILED_REPLY = frame_error("StreamError", "There was an error while generating the assistant's response.")
ITS_ERROR = page_error("Cannot read properties of undefined (reading 'id')", "TypeError")


@pytest.mark.parametrize(
    ("steps", "caused_by"),
    [
        ([FAILED_REPLY, ITS_ERROR], "reply-failed"),
        ([ITS_ERROR, FAILED_REPLY], ""),
        ([FAILED_REPLY, pause(2_000), ITS_ERROR], ""),
        ([frame_error("WidgetItemError", "Invalid widget"), ITS_ERROR], ""),
        ([FAILED_REPLY, frame_error("WidgetItemError", "Invalid widget"), ITS_ERROR], "reply-failed"),
    ],
    ids=["after it", "before it", "much later", "after an error without a finding", "after both"],
)
def test_an_uncaught_error_that_the_widgets_failure_brings_is_its_consequence(steps: Steps, caused_by: str) -> None:
    """What the page makes of an error that ChatKit has just reported; not one that was there before, or comes much later."""
    found = {f.rule: f for f in result([*hosted(), *steps]).findings}
    error = found["uncaught-error"]
    assert (error.role, error.caused_by) == ("consequence" if caused_by else "also", caused_by)


OWN_STACK = "HttpError: Not Found\n    at fetch (https://cdn.platform.openai.com/assets/ck1/index-abc.js:1:2)"


@pytest.mark.parametrize(
    ("stack", "after_ms", "caused_by"),
    [(OWN_STACK, 10, "backend-refuses"), (OWN_STACK, 2_000, ""), ("at https://app.test/app.js:1:2", 10, "")],
    ids=["of the frame", "of the frame, much later", "of the page"],
)
def test_what_the_frame_throws_when_a_request_fails_follows_from_that(
    stack: str, after_ms: int, caused_by: str
) -> None:
    """Before it reports anything; what the page throws at that moment is not known to be about the request."""
    thrown = page_error("the backend says: Not Found", "HttpError", stack)
    steps = [*hosted(), *conversation(404, request_id="r8"), pause(after_ms), thrown]
    error = {f.rule: f for f in result(steps).findings}["uncaught-error"]
    assert (error.role, error.caused_by) == ("consequence" if caused_by else "also", caused_by)


def test_a_thread_that_is_missing_explains_what_the_frame_throws_although_the_next_call_is_accepted() -> None:
    """The refused call is evidence, whatever has been answered since."""
    steps = [
        *conversation(404, request_id="r8"),
        page_error("the backend says: Not Found", "HttpError", OWN_STACK),
        *conversation(request_id="r9"),
        frame_error("InitialThreadLoadError", "Failed to load initial thread: Not Found"),
    ]
    found = {f.rule: f for f in result([*hosted(), *steps]).findings}
    assert set(found) == {"initial-thread-missing", "uncaught-error"}
    assert found["uncaught-error"].caused_by == "initial-thread-missing"


def test_an_uncaught_error_that_follows_from_a_consequence_names_the_root() -> None:
    """The chain is told from where it begins."""
    steps = [
        *booting(rejection()),
        frame_error("IntegrationError", "ChatKitOptions.api.getClientSecret(): refused"),
        ITS_ERROR,
    ]
    got = {f.rule: f for f in result(steps).findings}
    cause = next(f for f in got.values() if f.role == "cause")
    assert got["uncaught-error"].caused_by == cause.rule


def test_an_error_that_is_thrown_and_written_is_one_finding() -> None:
    """Frameworks log what they throw once more; what is only written, or too short to compare, is another one."""
    thrown = page_error("the cart is empty", "TypeError")
    written = console_message("Uncaught TypeError: the cart is empty\n    at render", "error")
    got = result([*hosted(), written, thrown, console_message("the cart is full", "error")])
    assert [(f.rule, len(f.evidence)) for f in got.findings] == [("uncaught-error", 2), ("console-error", 1)]
    short = result([*hosted(), console_message("Error: x in a box", "error"), page_error("x", "Error")])
    assert [f.rule for f in short.findings] == ["console-error", "uncaught-error"]


@pytest.mark.parametrize(
    "words",
    [
        f"Loading the script '{LOADER}' violates the following Content Security Policy directive: \"script-src 'self'\".",
        f"Fetch API cannot load {LOADER}. Refused to connect because it violates the document's Content Security Policy.",
        f"Content-Security-Policy: The page's settings blocked a script (script-src-elem) at {LOADER} from being executed",
    ],
)
def test_what_browsers_write_of_a_violation_is_its_evidence(words: str) -> None:
    """In the words of Chromium and of Firefox; of another address it is an error of its own."""
    steps = with_loader(policy_violated("script-src-elem", LOADER), request_failed("r2", "csp"))
    got = result([*steps, console_message(words, "error")])
    assert [f.rule for f in got.findings] == ["loader-blocked-by-csp"]
    assert got.console[0].seq in got.findings[0].evidence
    other = console_message(words.replace(LOADER, "https://ads.test/a.js"), "error")
    assert [f.rule for f in result([other, *steps]).findings] == ["console-error", "loader-blocked-by-csp"]


def test_an_error_of_every_finding_is_allowed_or_told_once() -> None:
    """No line of the console is in two findings of the console, nor in one of them and in a rule's."""
    for steps in (*TRANSCRIPTS.values(), *(steps for steps, _, _ in COMBINED.values())):
        echoes = [console_message("the chat is broken", "error"), page_error("the chat is broken", "Error")]
        got = result([*steps, *echoes])
        lines = [line for f in got.findings if f.rule in ("uncaught-error", "console-error") for line in f.evidence]
        ruled = {line for f in got.findings if f.rule not in ("uncaught-error", "console-error") for line in f.evidence}
        assert len(lines) == len(set(lines))
        assert ruled.isdisjoint(lines)


def test_a_hundred_thousand_lines_are_few_findings_soon() -> None:
    """Bounded in number, in evidence, and in time."""
    noise = [console_message(f"error number {n}", "error") for n in range(100_000)]
    lines = entries(visit_started(), TRANSCRIPTS["session-refused"], noise, pause(20_000), visit_ended())
    judgement = judge(lines[:60], Limits(), now_ms=1e9)
    started_s = process_time()
    got = result_of(lines, limits=Limits(), started_at="", judgement=judgement)
    assert process_time() - started_s < 30
    assert told(got)[0] == "session-unauthorized"
    assert len(got.findings) <= 20
    assert all(len(finding.evidence) <= 12 for finding in got.findings)


# --- the rules' table ---------------------------------------------------------------------------------------------


def broken(_facts: Facts) -> Iterator[Found]:
    """Crash, as a rule with a defect would."""
    raise ZeroDivisionError("of no use")
    yield


def unfounded(_facts: Facts) -> Iterator[Found]:
    """Claim something without evidence."""
    yield Found(summary="it must be so", evidence=())


def test_a_rule_that_crashes_is_one_finding_and_costs_no_other() -> None:
    """A defect of ours is said, and the cause is named all the same."""
    lines = entries(TRANSCRIPTS["session-refused"], pause(20_000), visit_ended())
    rules = (replace(RULES[0], id="defect", finds=broken), *RULES)
    found = diagnose(facts(TRANSCRIPTS["session-refused"]), (), lines, rules)
    assert [(f.rule, f.role) for f in found] == [("session-unauthorized", "cause"), ("rule-crashed", "also")]
    assert "defect failed: ZeroDivisionError" in found[1].summary


def test_nothing_is_found_without_evidence() -> None:
    """A claim that cites no line is dropped."""
    rule = Rule(id="claim", layer=Layer.PAGE, owner=Party.APP, title="t", cause="c", remedy="r", finds=unfounded)
    assert diagnose(facts(hosted()), (), (), (replace(rule, stops_mount=False),)) == ()


@pytest.mark.parametrize(
    "name", ["session-refused", "frame-refused", "unverified", "mock-secret", "hidden", "script-blocked"]
)
def test_without_its_rule_a_failure_is_told_as_unexplained_or_by_its_symptom(name: str) -> None:
    """Each rule of the table carries its own weight: take it out, and the cause is no longer named."""
    got = result(TRANSCRIPTS[name])
    assert got.cause is not None
    rules = tuple(rule for rule in RULES if got.cause is not None and rule.id != got.cause.rule)
    lines = entries(TRANSCRIPTS[name], pause(20_000), visit_ended())
    found = diagnose(facts(TRANSCRIPTS[name]), (), lines, rules)
    assert got.cause.rule not in [finding.rule for finding in found]
    assert sum(finding.role == "cause" for finding in found) == 1


def test_the_page_loads_in_vain_only_once() -> None:
    """An element in a document that is never finished is judged when its time is over, and with less confidence."""
    unfinished = [step for step in bare(ELEMENT) if step != document_loaded()]
    got = result(unfinished)
    assert got.cause is not None
    assert (got.outcome, got.cause.rule, got.cause.confidence) == ("timeout", "loader-not-referenced", "likely")

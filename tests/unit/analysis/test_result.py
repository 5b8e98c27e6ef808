"""A timeline's result: every reason is a sentence with the facts it rests on, and nothing in it contradicts the rest."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from builders import (
    CUSTOM,
    FRAME,
    LOADER,
    PAGE,
    SESSION,
    STYLE,
    TRANSCRIPTS,
    Step,
    Steps,
    action_taken,
    answered,
    asked,
    body_read,
    box_changed,
    command,
    console_message,
    conversation,
    conversation_asked,
    custom,
    custom_call,
    deadlock,
    document_loaded,
    document_started,
    element_connected,
    element_disconnected,
    element_shown,
    entries,
    exchange,
    frame_arrived,
    frame_error,
    frame_requested,
    heard,
    hidden_box,
    hosted,
    hosted_boot,
    iframe_loaded,
    loader_requested,
    mock_secret,
    navigated,
    never_answered,
    options_rejected,
    page_crashed,
    page_error,
    page_opened,
    page_with_loader,
    pause,
    policy_violated,
    re_parented,
    rejection,
    request_blocked,
    request_failed,
    request_started,
    response,
    response_received,
    script_blocked,
    secret_read,
    session_fetched,
    session_refused,
    shadow_changed,
    unmount,
    unverified,
    verification,
    visit_ended,
    visit_started,
    widget_event,
)

from harness.analysis.facts.exchanges import exchanges_of
from harness.analysis.mount.verdict import Judgement, Reason, judge
from harness.analysis.result import explain, result_of
from harness.model.limits import Limits
from harness.model.results import VisitResult

STARTED_AT = "2026-11-24T08:00:00.000+00:00"


def result(*steps: Step | Steps, now_ms: float | None = 1e9, **settings: Any) -> VisitResult:
    """Return the result when nothing happens after these steps."""
    lines = entries(*steps)
    judgement = judge(lines, Limits(), session_endpoint=settings.get("session_endpoint", ""), now_ms=now_ms)
    return result_of(lines, limits=Limits(), started_at=STARTED_AT, judgement=judgement, **settings)


# --- explanations -------------------------------------------------------------------------------------------------

EXPLANATIONS: dict[str, tuple[Steps, Reason, str]] = {
    "mounted": (hosted(), Reason.NONE, "The widget mounted and stayed."),
    "crashed": ([*hosted(), page_crashed()], Reason.PAGE_CRASHED, "The page crashed."),
    "script blocked": (
        script_blocked(),
        Reason.SCRIPT_FAILED,
        f"The ChatKit loader was not delivered: GET {LOADER} failed with net::ERR_BLOCKED_BY_CLIENT.",
    ),
    "script 404, with another of its name": (
        [
            *page_opened(),
            navigated(),
            request_started("r9", "https://app.test/js/chatkit.js", resource_type="script"),
            *loader_requested(),
            *answered("r9"),
            response_received("r2", 404),
            document_loaded(),
        ],
        Reason.SCRIPT_FAILED,
        f"The ChatKit loader was not delivered: GET {LOADER} answered 404.",
    ),
    "no ChatKit": (
        [*page_opened(), navigated(), document_loaded()],
        Reason.NOT_CHATKIT,
        "There is no ChatKit on this page: no <openai-chatkit> element, and no request for a loader script.",
    ),
    "no script": (
        [*page_opened(), navigated(), element_connected(), document_loaded()],
        Reason.NOT_DEFINED,
        "<openai-chatkit> is in the page, but no script that defines it was ever requested.",
    ),
    "a script that defines nothing": (
        [*page_opened(), navigated(), *loader_requested(), *answered("r2"), element_connected(), document_loaded()],
        Reason.NOT_DEFINED,
        "The loader script was delivered, but <openai-chatkit> was never defined.",
    ),
    "a script that does not come": (
        [*page_opened(), navigated(), *loader_requested(), element_connected(), document_loaded()],
        Reason.NOT_DEFINED,
        f"The loader script was not delivered yet: GET {LOADER} was not answered.",
    ),
    "a definition elsewhere": (
        [*page_with_loader(), document_started("d5", url=PAGE, is_top=False), element_connected(document="d5")],
        Reason.NOT_DEFINED,
        "<openai-chatkit> is defined, but the one in the page was not upgraded: it is in another document, or a "
        "script other than ChatKit's defined it.",
    ),
    "deadlock": (
        deadlock(),
        Reason.NO_ELEMENT,
        "<openai-chatkit> is defined, but the page never inserted one; the page requested no client secret either "
        "(each may wait for the other).",
    ),
    "no element although there is a secret": (
        [*page_with_loader(), *session_fetched()],
        Reason.NO_ELEMENT,
        "<openai-chatkit> is defined, but the page never inserted one (session: fetched).",
    ),
    "taken out": (
        [*hosted(), element_disconnected()],
        Reason.ELEMENT_GONE,
        "<openai-chatkit> was in the page, and the page removed it.",
    ),
    "moved": (
        re_parented(),
        Reason.ELEMENT_MOVED,
        "<openai-chatkit> was moved within the page: its frame was loaded again, but its messages are not answered.",
    ),
    "no options": (
        [*page_with_loader(), element_connected(), shadow_changed(STYLE)],
        Reason.NOT_CONFIGURED,
        "<openai-chatkit> is in the page, but never received options.",
    ),
    "session 401": (
        [*page_with_loader(), *session_refused()],
        Reason.SESSION_REFUSED,
        f"The page requested a client secret and received none: POST {SESSION} answered 401 (Sign in first.).",
    ),
    "session without a secret": (
        [*page_with_loader(), *exchange("r3", SESSION)],
        Reason.SESSION_REFUSED,
        f"The page requested a client secret and received none: POST {SESSION} answered 200, without a client secret in it.",
    ),
    "session unreachable": (
        [*page_with_loader(), asked("r3", SESSION), request_failed("r3")],
        Reason.SESSION_REFUSED,
        f"The page requested a client secret and received none: POST {SESSION} failed with net::ERR_CONNECTION_REFUSED.",
    ),
    "no answer from getClientSecret": (
        never_answered(),
        Reason.SECRET_AWAITED,
        "The frame asked for a client secret, and the promise of getClientSecret has not settled.",
    ),
    "a mock secret": (
        mock_secret(),
        Reason.SECRET_REJECTED,
        "The frame received no client secret that it accepts: IntegrationError: "
        "ChatKitOptions.api.getClientSecret(): ✖ Invalid client secret format.",
    ),
    "a rejected promise": (
        [*never_answered(), rejection(), frame_error("FatalAppError", "Failed to load Sentinel SDK script")],
        Reason.SECRET_REJECTED,
        "The frame received no client secret that it accepts: Error: the session endpoint answered 401.",
    ),
    "a frame of 400": (
        TRANSCRIPTS["frame-refused"],
        Reason.FRAME_FAILED,
        f"The frame's document was not delivered: GET {FRAME} answered 400; chatkit.ready fired although the frame "
        "failed.",
    ),
    "a frame that was never asked for": (
        [*page_with_loader(), *element_shown(), shadow_changed(data_loaded=True)],
        Reason.FRAME_FAILED,
        "The frame's document was not delivered: no request for it was seen.",
    ),
    "a silent frame": (
        [*page_with_loader(), *element_shown(), *frame_arrived(), *iframe_loaded()],
        Reason.FRAME_SILENT,
        "The frame's document was delivered, but its app sent no message.",
    ),
    "rejected options": (
        options_rejected(),
        Reason.OPTIONS_REJECTED,
        "The frame rejected the options: FatalAppError: ChatKit.create(): ✖ Invalid input → at api.",
    ),
    "an unverified domain": (
        [*unverified(), frame_error("FatalAppError", "Failed to load Sentinel SDK script")],
        Reason.DOMAIN_UNVERIFIED,
        "The widget was removed: the domain check failed: IntegrationError: Domain verification failed for "
        "https://app.test. Please register your domain.",
    ),
    "a domain check that failed": (
        [*hosted(), frame_error("DomainVerificationRequestError", "Failed to fetch"), unmount()],
        Reason.DOMAIN_UNVERIFIED,
        "The widget was removed: the domain check failed: DomainVerificationRequestError: Failed to fetch.",
    ),
    "removed without a word": (
        [*hosted(), shadow_changed(STYLE, data_loaded=True)],
        Reason.WIDGET_REMOVED,
        "The widget was removed by the SDK.",
    ),
    "removed with an error": (
        [*hosted(), widget_event("chatkit.error", detail_name="AppError", message="gone"), shadow_changed(STYLE)],
        Reason.WIDGET_REMOVED,
        "The widget was removed by the SDK: AppError: gone.",
    ),
    "a backend of 404": (
        hosted(backend=conversation(404)),
        Reason.BACKEND_REFUSED,
        "The backend refused the widget's first request: "
        "POST https://us.api.openai.com/v1/chatkit/conversation answered 404.",
    ),
    "a custom backend of 401": (
        custom(backend=custom_call(401)),
        Reason.BACKEND_REFUSED,
        f"The backend refused the widget's first request: POST {CUSTOM} answered 401.",
    ),
    "a backend of 500": (
        hosted(backend=conversation(500)),
        Reason.BACKEND_FAILING,
        "The backend fails, and the frame keeps retrying: "
        "POST https://us.api.openai.com/v1/chatkit/conversation answered 500.",
    ),
    "hidden": (
        TRANSCRIPTS["hidden"],
        Reason.NOT_VISIBLE,
        "The widget works, but is not visible: hidden by display:none on div#chat.",
    ),
    "without height": (
        [*hosted(), box_changed(886, 0)],
        Reason.NOT_VISIBLE,
        "The widget works, but is not visible: its box is 886x0 px; give its container a size.",
    ),
    "out of reach": (
        [*hosted(), box_changed(is_reachable=False)],
        Reason.NOT_VISIBLE,
        "The widget works, but is not visible: its box is outside of the scrollable area.",
    ),
    "a call that hangs": (
        hosted(backend=[conversation_asked()]),
        Reason.UNDECIDED,
        "Not decided: POST https://us.api.openai.com/v1/chatkit/conversation has not been answered.",
    ),
    "metadata that hangs": (
        [*hosted(), command("onAddMetadataToRequest", "m9")],
        Reason.UNDECIDED,
        "Not decided: the frame waits for the page's reply to onAddMetadataToRequest.",
    ),
    "an iframe that does not load": (
        [*page_with_loader(), *element_shown()],
        Reason.UNDECIDED,
        "Not decided: waiting for frame-delivered.",
    ),
    "no box": (
        [step for step in hosted() if step != box_changed()],
        Reason.UNDECIDED,
        "Not decided: waiting for mounted.",
    ),
}


@pytest.mark.parametrize(("steps", "reason", "sentence"), EXPLANATIONS.values(), ids=EXPLANATIONS.keys())
def test_a_reason_is_a_sentence_with_its_facts(steps: Steps, reason: Reason, sentence: str) -> None:
    """What a person reads first; one line, whatever the page's own words are."""
    got = result(visit_started(), steps)
    assert (got.reason, got.explanation) == (reason.value, sentence)


def test_every_reason_is_explained_here() -> None:
    """A new one has to say what it means."""
    assert {reason for _, reason, _ in EXPLANATIONS.values()} == set(Reason)


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("name", ["hosted", "deadlock", "backend-failing"])
def test_every_reason_has_a_sentence_whatever_is_known(reason: Reason, name: str) -> None:
    """Also without the facts that belong to it."""
    lines = entries(TRANSCRIPTS[name])
    for told in (lines, ()):
        mount = judge(told, Limits()).mount
        sentence = explain(reason, mount, exchanges_of(told), told)
        assert sentence.endswith(".")
        assert not sentence.endswith("..")
        assert "None" not in sentence
        assert "\n" not in sentence


def test_the_explanation_ends_where_the_verdict_was_passed() -> None:
    """An app that tries again when it is too late does not change why it was too late."""
    refused = [*page_with_loader(), *session_refused()]
    late = [*heard(1_250), pause(2_000), *exchange("r5", SESSION, **secret_read()), *element_shown(), *hosted_boot()]
    got = result(refused, late)
    assert got.explanation == result(refused).explanation
    assert (got.tracks, got.last_milestone, got.milestones) == (
        result(refused).tracks,
        result(refused).last_milestone,
        result(refused).milestones,
    )


# --- the rest of a result -----------------------------------------------------------------------------------------


def test_a_result_tells_the_visit() -> None:
    """What was visited, with what, how it ended, and when."""
    got = result(visit_started(scenario="healthy"), hosted()[1:])
    assert (got.project, got.entry, got.url, got.scenario, got.network) == (
        "app",
        "topic-generation",
        PAGE,
        "healthy",
        "hermetic",
    )
    assert (got.browser, got.started_at) == ("chromium 156.0", STARTED_AT)
    assert (got.outcome, got.reason, got.is_mounted) == ("mounted", "none", True)
    assert (got.last_milestone, got.next_milestone) == ("mounted", "")
    assert (got.opened_at_ms, got.decided_at_ms, got.after_fact_ms) == (1, len(entries(hosted())) - 2 + 300, 300)
    assert got.tracks == (("script", "defined"), ("element", "loaded"), ("session", "delivered"), ("frame", "ready"))
    assert (got.verification, got.backend, got.has_ready_event) == ("verified", "accepted", True)
    assert (got.prefetch, got.secret_url, got.secret_ended_page_ms, got.connected_page_ms) == (
        "pre-fetched",
        SESSION,
        60,
        100,
    )
    assert [m.name for m in got.milestones][-2:] == ["backend-accepted", "mounted"]
    assert next(m.name for m in got.milestones) == "page-loaded"
    assert got.facts == ()


def test_an_undecided_result_says_so() -> None:
    """A visit that ended early, or was killed."""
    for steps, now_ms in ((hosted(), None), ([*hosted(), visit_ended()], None), (hosted(), 100.0)):
        got = result(steps, now_ms=now_ms)
        assert (got.outcome, got.reason, got.decided_at_ms, got.after_fact_ms, got.evidence) == (
            "undecided",
            "undecided",
            -1,
            -1,
            (),
        )
        assert got.explanation == "Not decided: waiting for mounted."


def test_a_timeline_without_a_visit_has_no_result() -> None:
    """It is another kind of file, or the visit was never begun."""
    with pytest.raises(ValueError, match="contains no visit"):
        result(page_opened())


MODES: dict[str, tuple[Steps, str]] = {
    "hosted": (hosted(), "hosted"),
    "hosted, refused": ([*page_with_loader(), *session_refused()], "hosted"),
    "custom": (custom(), "custom"),
    "custom by its check": (custom(backend=[]), "custom"),
    "custom by not asking": (custom(check=[], backend=[]), "custom"),
    "custom, and the page fetches a secret": ([*page_with_loader(), *session_fetched(), *custom()[12:]], "custom"),
    "unknown": (deadlock(), "unknown"),
}


@pytest.mark.parametrize(("steps", "mode"), MODES.values(), ids=MODES.keys())
def test_the_mode_is_what_was_seen(steps: Steps, mode: str) -> None:
    """Who talks to the backend, and whether the frame asks for a secret."""
    assert result(visit_started(), steps).mode == mode


ACCEPTED = {
    ("pre-fetched", "required"): True,
    ("pre-fetched", "allowed"): True,
    ("on demand", "required"): False,
    ("on demand", "allowed"): True,
    ("fetched twice", "allowed"): False,
    ("never", "allowed"): False,
}


@pytest.mark.parametrize(
    ("case", "expected"), ACCEPTED.items(), ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_the_project_says_which_prefetch_is_good(case: tuple[str, str], expected: bool) -> None:
    """Custom mode needs none."""
    prefetch, wanted = case
    got = result(hosted())
    told = {f.name: getattr(got, f.name) for f in fields(VisitResult)}
    assert VisitResult(**told | {"prefetch": prefetch, "prefetch_expected": wanted}).is_prefetch_accepted is expected
    custom_told = told | {"prefetch": prefetch, "prefetch_expected": wanted, "mode": "custom"}
    assert VisitResult(**custom_told).is_prefetch_accepted
    assert result(custom(check=[], backend=[])).is_prefetch_accepted


def test_the_prefetch_is_that_of_the_judged_embed() -> None:
    """The one that took the place of another one."""
    second = [*element_shown(2, 300.0), *hosted_boot(embed=2, nonce="n5", digest="digest-b", frame_request="r14")]
    fetched = [*exchange("r15", SESSION, **secret_read("digest-b"))]
    got = result(hosted(), element_disconnected(1), second, fetched, unmount(1), now_ms=1e9)
    assert (got.is_mounted, got.prefetch, got.connected_page_ms) == (True, "on demand", 300)


# --- console ------------------------------------------------------------------------------------------------------

TELEMETRY = "https://chatgpt.com/ces/v1/projects/oai/settings"
CONSOLE: dict[str, tuple[Step, tuple[str, str, bool] | None]] = {
    "an error": (console_message("oops", "error"), ("console.error", "oops", False)),
    "an error that the project allows": (console_message("Download the tools", "error"), ("console.error", "Download the tools", True)),
    "an error without a text": (console_message("", "error"), ("console.error", "(without text)", False)),
    "a warning": (console_message("careful", "warning"), None),
    "an uncaught error": (page_error("x is not defined"), ("uncaught", "ReferenceError: x is not defined", False)),
    "an uncaught error with its name": (page_error("ReferenceError: x"), ("uncaught", "ReferenceError: x", False)),
    "a measuring host that refuses": (
        console_message("Failed to load resource: net::ERR_BLOCKED_BY_CLIENT", "error", url=TELEMETRY),
        ("console.error", "Failed to load resource: net::ERR_BLOCKED_BY_CLIENT", True),
    ),
    "a measuring host that lacks CORS": (
        console_message(f"Access to fetch at '{TELEMETRY}' from origin 'https://x.test' has been blocked", "error"),
        ("console.error", f"Access to fetch at '{TELEMETRY}' from origin 'https://x.test' has been blocked", True),
    ),
    "an app's host that refuses": (
        console_message("Failed to load resource: 404", "error", url=f"{PAGE}/a.png"),
        ("console.error", "Failed to load resource: 404", False),
    ),
    "a text that names a measuring host": (
        console_message(f"cannot reach {TELEMETRY}", "error"),
        ("console.error", f"cannot reach {TELEMETRY}", False),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("step", "expected"), CONSOLE.values(), ids=CONSOLE.keys())
def test_errors_of_the_console(step: Step, expected: tuple[str, str, bool] | None) -> None:
    """Errors and uncaught exceptions; what a measuring host answers is nobody's problem."""
    got = result(hosted(), step, console_allow=("Download the",))
    told = [(p.kind, p.text, p.is_allowed) for p in got.console]
    assert told == ([expected] if expected else [])
    assert got.is_console_clean is (expected is None or expected[2])
    assert all(problem.seq == len(entries(hosted(), step)) for problem in got.console)


# --- facts --------------------------------------------------------------------------------------------------------

FACTS: dict[str, tuple[Step | Steps, str]] = {
    "a refused request": (exchange("r9", f"{PAGE}/api", 500, error_text="out\nof order"), f"POST {PAGE}/api answered 500 (out of order)"),
    "a failed request": ([asked("r9", f"{PAGE}/api"), request_failed("r9")], f"POST {PAGE}/api failed with net::ERR_CONNECTION_REFUSED"),
    "a session without a secret": (exchange("r9", SESSION), f"POST {SESSION} answered 200, without a client secret in it"),
    "an error of ChatKit": (widget_event("chatkit.error", detail_name="StreamError", message="a\nb"), "chatkit.error StreamError: a b"),
    "an uncaught error": (page_error(), "uncaught ReferenceError: x is not defined"),
    "a blocked frame": (policy_violated(), f"the page's Content-Security-Policy blocked {FRAME} (frame-src)"),
    "a mock": (body_read("r9", is_mock=True), "a response says that it is a mock"),
    "a secret of another format": (body_read("r9", secret_format="other"), "the client secret is not in the format the SDK accepts"),
    "a blocked request": (request_blocked(), "GET https://tracker.example/t.js was blocked: this run is hermetic"),
}  # fmt: skip


@pytest.mark.parametrize(("steps", "fact"), FACTS.values(), ids=FACTS.keys())
def test_facts_worth_reading_are_told_with_their_line(steps: Step | Steps, fact: str) -> None:
    """One line each."""
    got = result(hosted(), steps)
    assert [text.partition("  [line ")[0] for text in got.facts] == [fact]
    line = int(got.facts[0].partition("[line ")[2].rstrip("]"))
    assert len(entries(hosted())) < line <= len(entries(hosted(), steps))


NO_FACTS: dict[str, Step | Steps] = {
    "an aborted request": [asked("r9", f"{PAGE}/api"), request_failed("r9", "net::ERR_ABORTED")],
    "an aborted request in Firefox": [asked("r9", SESSION), request_failed("r9", "NS_BINDING_ABORTED")],
    "a beacon that failed": [asked("r9", TELEMETRY), request_failed("r9")],
    "a picture that is missing": [request_started("r9", resource_type="image"), response_received("r9", 404)],
    "a report-only policy": policy_violated(is_enforced=False),
    "a warning": console_message("careful", "warning"),
    "a secret": body_read("r9", **secret_read()),
}


@pytest.mark.parametrize("steps", NO_FACTS.values(), ids=NO_FACTS.keys())
def test_what_is_not_worth_reading_first_is_not_there(steps: Step | Steps) -> None:
    """Near misses."""
    assert result(hosted(), steps).facts == ()


def test_a_secret_in_the_address_is_told() -> None:
    """It can be seen by whoever sees the address."""
    opened = request_started("r1", PAGE, is_navigation=True, resource_type="document", string_digests=("digest-a",))
    got = result(visit_started(), opened, page_opened()[1:], element_connected(), command(), response())
    assert got.facts == ("the client secret is in the page's address, which logs receive  [line 1]",)


def test_the_first_facts_are_told_in_their_order_and_not_too_many() -> None:
    """Causes come before symptoms."""
    many = [step for n in range(20) for step in (page_error(f"error {n}"), action_taken("send"))]
    got = result(hosted(), many)
    assert [fact.split("[")[0].strip() for fact in got.facts] == [
        f"uncaught ReferenceError: error {n}" for n in range(8)
    ]


def test_a_line_is_told_once() -> None:
    """An answer that is a mock and of another format is one line."""
    got = result(hosted(), body_read("r9", is_mock=True, secret_format="other"))
    assert [fact.partition("  [")[0] for fact in got.facts] == ["a response says that it is a mock"]


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_no_result_contradicts_itself(name: str) -> None:
    """At many moments of every transcript."""
    lines = entries(
        visit_started(), TRANSCRIPTS[name], hidden_box(), frame_requested("r40"), verification(request_id="r41")
    )
    for end in range(1, len(lines) + 1, 7):
        for now_ms in (None, 1e9):
            judgement = judge(lines[:end], Limits(), now_ms=now_ms)
            got = result_of(lines[:end], limits=Limits(), started_at=STARTED_AT, judgement=judgement)
            reached = [m.name for m in got.milestones]
            assert got.is_mounted == ("mounted" in reached) == (got.next_milestone == "") == (got.reason == "none")
            assert (got.last_milestone in reached) or (not got.last_milestone)
            assert (got.outcome == "undecided") == (got.decided_at_ms == -1)
            assert all(1 <= seq <= end for seq in got.evidence)
            assert got.after_fact_ms >= -1


def test_a_result_is_what_the_live_wait_found() -> None:
    """The same function judges both."""
    judgement: Judgement = judge(entries(hosted()), Limits(), now_ms=1e9)
    assert judgement.verdict is not None
    assert result(hosted()).decided_at_ms == judgement.verdict.decided_at_ms


# --- several embeds -----------------------------------------------------------------------------------------------

SECOND_REFUSED = [
    *element_shown(2),
    *frame_arrived("r14"),
    frame_error("FatalAppError", "ChatKit.create():\n✖ Invalid input\n  → at api", embed=2),
    *iframe_loaded(2),
]
SECOND_MOUNTED = [*element_shown(2), *hosted_boot(embed=2, nonce="n9", frame_request="r14")]


def over(*steps: Step | Steps) -> VisitResult:
    """Return the result of a visit that has ended."""
    return result(visit_started(), *steps, pause(20_000), visit_ended())


def test_each_embed_of_a_page_is_judged_for_itself() -> None:
    """The verdict is the first one's; of the other its own verdict and cause are told, as a finding and as it is."""
    got = over(hosted(), SECOND_REFUSED)
    (other,) = got.others
    assert got.is_mounted
    assert (other.outcome, other.reason, other.cause and other.cause.rule) == (
        "failed",
        "options-rejected",
        "api-invalid",
    )
    (finding,) = [finding for finding in got.also if finding.rule == "another-embed-failed"]
    assert finding.evidence[0] == other.seq
    assert "api-invalid" in finding.summary


def test_another_embed_that_mounted_is_a_fact_of_a_failed_visit() -> None:
    """Whoever sees a chat on the picture of a failed visit is told which one it is."""
    got = over(options_rejected(), SECOND_MOUNTED)
    (other,) = got.others
    assert (got.reason, other.outcome, other.cause) == ("options-rejected", "mounted", None)
    assert got.facts[-1] == f"another <openai-chatkit> of the page mounted  [line {other.seq}]"
    assert "another-embed-failed" not in {finding.rule for finding in got.findings}


def test_what_stops_all_embeds_of_a_page_is_told_once() -> None:
    """The other one fails for the same reason: its verdict stands beside the first one's, and is no finding."""
    got = over(options_rejected(), SECOND_REFUSED)
    assert [other.reason for other in got.others] == [got.reason]
    assert "another-embed-failed" not in {finding.rule for finding in got.findings}


def test_an_embed_without_options_has_no_verdict() -> None:
    """It is a spare one."""
    assert over(hosted(), element_connected(2)).others == ()

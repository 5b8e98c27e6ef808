"""How far an embed got: both orders of everything, one page and one embed after another, hosted and custom."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from builders import (
    CUSTOM,
    DOCUMENT,
    FRAME,
    LOADER,
    PAGE,
    SESSION,
    STYLE,
    TRANSCRIPTS,
    VERIFY,
    WRAPPER,
    Step,
    Steps,
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
    document_loaded,
    document_started,
    element_connected,
    element_defined,
    element_disconnected,
    element_shown,
    entries,
    exchange,
    frame_arrived,
    frame_error,
    frame_message,
    frame_navigated,
    frame_requested,
    hidden_box,
    hosted,
    hosted_boot,
    iframe_loaded,
    log,
    metadata_asked,
    mock_secret,
    navigated,
    on_demand,
    options_rejected,
    page_crashed,
    page_opened,
    page_with_loader,
    pause,
    re_parented,
    rejection,
    request_failed,
    request_finished,
    request_started,
    response,
    response_received,
    secret_read,
    session_fetched,
    session_refused,
    shadow_changed,
    unmount,
    unverified,
    verification,
    verification_skipped,
    visit_started,
    widget_event,
)

from harness.analysis.mount.fold import advance
from harness.analysis.mount.state import Backend, EmbedId, Milestone, Mount, Verification
from harness.analysis.mount.tracks import Element, Frame, Script, Session, Signal
from harness.model.events import BoxChanged, RequestStarted
from harness.model.timeline import Entry


def mount_of(lines: Iterable[Entry], *, wanted: EmbedId | None = None, **settings: Any) -> Mount:
    """Return the mount that a timeline ends in."""
    state = Mount(wanted=wanted, **settings)
    for line in lines:
        state = advance(state, line)
    return state


def mount(*steps: Step | Steps, **settings: Any) -> Mount:
    """Return the mount that these steps end in."""
    return mount_of(entries(*steps), **settings)


# --- a whole mount ------------------------------------------------------------------------------------------------


def test_a_healthy_hosted_mount_reaches_every_milestone_but_the_verdicts() -> None:
    """In their order, each at its first sight."""
    got = mount(hosted())
    assert (got.script, got.element, got.session, got.frame) == (
        Script.DEFINED,
        Element.LOADED,
        Session.DELIVERED,
        Frame.READY,
    )
    assert (got.verification, got.backend) == (Verification.VERIFIED, Backend.ACCEPTED)
    assert set(got.milestones) == set(Milestone) - {Milestone.MOUNTED}
    assert (got.last_milestone, got.next_milestone) == (Milestone.BACKEND_ACCEPTED, Milestone.MOUNTED)


def test_a_milestone_keeps_the_line_on_which_it_was_first_seen() -> None:
    """Later lines that mean the same do not move it."""
    lines = entries(hosted(), widget_event(), log("app.init"), *conversation(request_id="r9"))
    first = next(line for line in lines if isinstance(line.event, type(command())) and line.event.name)
    reached = mount_of(lines).milestones[Milestone.FRAME_BOOTED]
    assert (reached.seq, reached.at_ms) == (first.seq, first.at_ms)
    backend = mount_of(lines).milestones[Milestone.BACKEND_ACCEPTED]
    assert lines[backend.seq - 1].event == response_received("r6")


def test_a_healthy_custom_mount_needs_no_secret() -> None:
    """The page talks to its own backend on the frame's behalf."""
    got = mount(custom())
    assert (got.session, got.frame, got.verification, got.backend) == (
        Session.NONE,
        Frame.READY,
        Verification.VERIFIED,
        Backend.ACCEPTED,
    )
    assert got.backend_urls == {CUSTOM}
    assert got.needs_no_secret
    assert got.next_milestone is Milestone.MOUNTED
    assert Milestone.SECRET_DELIVERED not in got.milestones


@pytest.mark.parametrize("url", [CUSTOM, "/support/chatkit", "../support/chatkit", "//app.test/support/chatkit"])
def test_the_backend_of_custom_mode_may_be_named_by_its_path(url: str) -> None:
    """What the frame asks for is resolved against the page, as the page's fetch does it."""
    assert mount(custom(backend=custom_call(url=url))).backend is Backend.ACCEPTED


LATE_WORDS: dict[str, tuple[Steps, Backend]] = {
    "before the request": (custom_call(401), Backend.REFUSED),
    "after the request": ([asked("r6", CUSTOM), custom_call()[0], response_received("r6", 401)], Backend.REFUSED),
    "after the answer": ([asked("r6", CUSTOM), response_received("r6", 401), custom_call()[0]], Backend.REFUSED),
    "after the body": ([*exchange("r6", CUSTOM, 401), custom_call()[0]], Backend.REFUSED),
    "after a good body": ([*exchange("r6", CUSTOM), custom_call()[0]], Backend.ACCEPTED),
    "after a failure": ([asked("r6", CUSTOM), request_failed("r6"), custom_call()[0]], Backend.FAILING),
    "after its own answer": ([response("f-r6", value_kind="object"), *exchange("r6", CUSTOM), custom_call()[0]], Backend.ACCEPTED),
    "after a call of another address": ([*exchange("r6", f"{CUSTOM}/x"), custom_call()[0]], Backend.ANNOUNCED),
}  # fmt: skip


@pytest.mark.parametrize(("calls", "expected"), LATE_WORDS.values(), ids=LATE_WORDS.keys())
def test_the_frame_may_be_heard_later_than_the_network(calls: Steps, expected: Backend) -> None:
    """The page reports on its own, a little later; a quick backend has answered by then."""
    got = mount(custom(backend=[]), calls)
    assert got.backend is expected
    assert (Milestone.BACKEND_ACCEPTED in got.milestones) is (expected is Backend.ACCEPTED)


FAILED_CALL = {"value_kind": "", "value_format": "", "error_name": "TypeError", "error_message": "Failed to fetch"}
UNSENT: dict[str, tuple[Steps, Backend]] = {
    "forbidden": ([custom_call()[0], response("f-r6", **FAILED_CALL)], Backend.FAILING),
    "forbidden, and the frame is heard later": ([response("f-r6", **FAILED_CALL), custom_call()[0]], Backend.FAILING),
    "answered with a value": ([custom_call()[0], response("f-r6", value_kind="object")], Backend.ANNOUNCED),
    "another call failed": ([custom_call()[0], response("n9", **FAILED_CALL)], Backend.ANNOUNCED),
    "the network knows better": ([*custom_call(401), response("f-r6", **FAILED_CALL)], Backend.REFUSED),
    "the network is heard later": (
        [custom_call()[0], response("f-r6", **FAILED_CALL), *custom_call(401)[1:]],
        Backend.REFUSED,
    ),
}


@pytest.mark.parametrize(("calls", "expected"), UNSENT.values(), ids=UNSENT.keys())
def test_a_call_that_policy_forbids_never_gets_to_the_network(calls: Steps, expected: Backend) -> None:
    """What the page tells the frame about its call counts when no request of that call was seen."""
    got = mount(custom(backend=[]), calls)
    assert got.backend is expected
    assert (Signal.BACKEND_REFUSED in got.last_signal) is (expected is not Backend.ANNOUNCED)


def test_only_the_last_requests_are_remembered() -> None:
    """A page that polls for hours does not grow."""
    polls = [step for n in range(200) for step in exchange(f"p{n}", "https://app.test/poll")]
    answers = [response(f"x{n}") for n in range(200)]
    got = mount(hosted(), polls, answers)
    assert len(got.ended) == len(got.early) == 50
    assert got.ended[-1].request.request_id == "p199"
    assert "x199" in got.early


def test_an_address_that_is_none_harms_nobody() -> None:
    """Options come from the app."""
    assert mount(custom(backend=custom_call(url="http://[::1"))).backend is Backend.ANNOUNCED


# --- script and element -------------------------------------------------------------------------------------------


def test_element_may_connect_before_it_is_defined() -> None:
    """Both orders of connect and define end in an upgraded element."""
    page = [visit_started(), *page_opened(), navigated()]
    for both in ([element_connected(), element_defined()], [element_defined(), element_connected()]):
        got = mount(page, both, shadow_changed(STYLE))
        assert (got.script, got.element) == (Script.DEFINED, Element.UPGRADED)
        assert got.next_milestone is Milestone.OPTIONS_ACCEPTED


def test_a_tag_in_the_document_is_not_a_connected_element_yet() -> None:
    """Only a shadow root proves that it was upgraded."""
    got = mount(page_opened(), element_connected())
    assert got.element is Element.CONNECTED
    assert Milestone.ELEMENT_CONNECTED not in got.milestones
    assert mount(page_opened(), element_connected(), shadow_changed(STYLE)).milestones.keys() >= {
        Milestone.ELEMENT_CONNECTED
    }


def test_a_script_in_the_document_is_not_requested_yet() -> None:
    """A request is what proves it, or a definition."""
    assert mount(page_opened(), request_started("r2", LOADER, resource_type="script")).script is Script.REQUESTED
    assert mount(page_opened(), request_started("r2", LOADER, resource_type="fetch")).script is Script.ABSENT


@pytest.mark.parametrize("end", [[response_received("r2", 404)], [request_failed("r2")]])
def test_a_loader_that_does_not_arrive_has_failed(end: Steps) -> None:
    """By its status, or by the network."""
    got = mount(page_opened(), request_started("r2", LOADER, resource_type="script"), end)
    assert got.script is Script.FAILED
    assert got.last_signal[Signal.SCRIPT_FAILED] == len(entries(page_opened())) + 2


def test_an_element_that_is_moved_is_dead() -> None:
    """Its frame boots again and looks alive; a second style sheet behind the wrapper gives it away."""
    got = mount(re_parented())
    assert (got.element, got.frame) == (Element.MOVED, Frame.READY)
    assert got.asked == {}  # nobody will answer


def test_an_element_that_is_taken_out_and_put_back_is_dead() -> None:
    """The same node in two tasks."""
    back = [element_disconnected(), element_connected(), shadow_changed(STYLE, WRAPPER, STYLE, data_loaded=True)]
    assert mount(hosted(), back).element is Element.MOVED


@pytest.mark.parametrize("gone", [[element_disconnected()], [shadow_changed(STYLE, data_loaded=True)]])
def test_nobody_answers_the_last_words_of_a_frame(gone: Steps) -> None:
    """Its element was taken out, or its wrapper: what it asked before, and is heard after, keeps nobody waiting."""
    assert mount(hosted(), command(nonce="n7")).asked == {"n7": "onGetClientSecret"}
    assert mount(hosted(), gone, command(nonce="n7")).asked == {}


def test_an_element_that_is_moved_before_it_has_options_is_alive() -> None:
    """Style sheets before the wrapper do not matter, and neither does a wrapper that always had one behind it."""
    early = [
        element_connected(),
        shadow_changed(STYLE),
        shadow_changed(STYLE, STYLE),
        shadow_changed(STYLE, STYLE, WRAPPER),
    ]
    assert mount(page_with_loader(), early).element is Element.CONFIGURED
    other_loader = [
        element_connected(),
        shadow_changed(WRAPPER, STYLE),
        shadow_changed(WRAPPER, STYLE, data_loaded=True),
    ]
    assert mount(page_with_loader(), other_loader).element is Element.LOADED


def test_a_wrapper_that_vanishes_was_removed() -> None:
    """`data-loaded` stays true when the frame had itself removed."""
    got = mount(hosted(), shadow_changed(STYLE, data_loaded=True))
    assert got.element is Element.REMOVED


BOXES = {
    "shown": (box_changed(), True),
    "without height": (box_changed(886, 0), False),
    "without width": (box_changed(0, 588), False),
    "hidden": (hidden_box(), False),
    "out of reach": (box_changed(is_reachable=False), False),
    "covered": (box_changed(covered_by="div.overlay"), True),
}


@pytest.mark.parametrize(("box", "expected"), BOXES.values(), ids=BOXES.keys())
def test_a_box_is_visible_when_a_person_could_see_it(box: BoxChanged, expected: bool) -> None:
    """It has a size, is rendered, and can be scrolled to."""
    assert mount(hosted(), box).is_visible is expected


def test_an_element_without_a_box_is_not_visible() -> None:
    """Nobody has looked yet."""
    assert not mount(page_with_loader(), element_connected()).is_visible


# --- frame --------------------------------------------------------------------------------------------------------


def framed() -> Steps:
    """Return a page with a configured element."""
    return [*page_with_loader(), *element_shown()]


def test_the_iframe_may_be_seen_before_or_after_its_request() -> None:
    """The network and the page report on their own."""
    for steps in (
        [*page_with_loader(), frame_requested(), response_received("r4"), *element_shown()],
        [*framed(), frame_requested(), response_received("r4")],
        [*page_with_loader(), frame_requested(), *element_shown(), response_received("r4")],
    ):
        got = mount(steps)
        assert got.frame is Frame.DELIVERED
        assert Milestone.FRAME_DELIVERED in got.milestones


def test_a_frame_fails_by_its_own_document_only() -> None:
    """Another iframe of the page is no matter; the evidence is the line of the answer, whatever comes later."""
    other = request_started("r7", "https://ads.test/", is_navigation=True, is_top_frame=False, resource_type="document")
    assert mount(framed(), other, response_received("r7", 500)).frame is Frame.ABSENT
    refused = [*framed(), frame_requested(), response_received("r4", 400)]
    got = mount(refused, iframe_loaded(), request_started("r8"), body_read("r4"), response_received("r8"))
    assert got.frame is Frame.FAILED
    assert got.last_signal[Signal.FRAME_FAILED] == len(entries(refused))


def test_a_frame_that_may_not_be_shown_was_not_delivered() -> None:
    """Its document was answered with 200, and what its headers say made the browser drop it."""
    answered_frame = [*framed(), frame_requested(), response_received("r4")]
    got = mount(answered_frame, request_failed("r4", "net::ERR_BLOCKED_BY_RESPONSE"))
    assert (got.frame, got.last_milestone) == (Frame.FAILED, Milestone.OPTIONS_ACCEPTED)
    went_away = mount(answered_frame, request_failed("r4", "net::ERR_ABORTED"))
    assert (went_away.frame, went_away.last_milestone) == (Frame.DELIVERED, Milestone.FRAME_DELIVERED)
    spoke = mount(answered_frame, log("app.init"), request_failed("r4", "net::ERR_BLOCKED_BY_RESPONSE"))
    assert spoke.frame is Frame.BOOTED
    assert Milestone.FRAME_DELIVERED in spoke.milestones


def test_a_frame_that_is_asked_for_again_has_another_chance() -> None:
    """The first document was given up; the second one counts."""
    given_up = [*framed(), frame_requested("r4"), request_failed("r4", "net::ERR_ABORTED")]
    assert mount(given_up).frame is Frame.FAILED
    assert mount(given_up, frame_requested("r5"), response_received("r5")).frame is Frame.DELIVERED
    assert mount(given_up, frame_requested("r5")).frame is Frame.REQUESTED


@pytest.mark.parametrize(
    "message",
    [log("app.init"), command(), command("onAddMetadataToRequest"), frame_message(type="fetch", name="", detail_name=CUSTOM),
     frame_message(name="composer.layout.change")],
)  # fmt: skip
def test_any_message_of_its_own_proves_that_the_frame_booted(message: Step) -> None:
    """Whatever it says first."""
    got = mount(framed(), message)
    assert got.frame is Frame.BOOTED
    assert Milestone.FRAME_BOOTED in got.milestones


@pytest.mark.parametrize(
    "message",
    [frame_message(type="response", name=""), response("n1"), frame_error("HttpError", "500"), unmount()],
    ids=["a response", "an answer to it", "an error", "a farewell"],
)
def test_other_messages_do_not(message: Step) -> None:
    """A stub that refuses every command answers too."""
    assert mount(framed(), frame_requested(), message).frame is Frame.REQUESTED


def test_ready_and_a_payload_in_the_address_prove_nothing() -> None:
    """`chatkit.ready` and `data-loaded` come for an error page too."""
    got = mount(framed(), frame_requested(), iframe_loaded(), frame_navigated(has_bare_hash=True))
    assert (got.element, got.frame, got.has_ready_event) == (Element.LOADED, Frame.REQUESTED, True)


REFUSALS: dict[str, tuple[Step, Frame]] = {
    "options": (frame_error("FatalAppError", "ChatKit.create():\n✖ Unrecognized key"), Frame.REJECTED),
    "an older frame's parameters": (frame_error("InvalidFrameParamsError", "Invalid frame params: …"), Frame.REJECTED),
    "its address": (frame_error("FatalAppError", "Invalid ChatKit frame parameters."), Frame.REJECTED),
    "the anti-abuse script": (frame_error("FatalAppError", "Failed to load Sentinel SDK script"), Frame.DELIVERED),
    "a stream": (frame_error("StreamError", "There was an error"), Frame.DELIVERED),
    "nothing": (log("app.init"), Frame.BOOTED),
}


@pytest.mark.parametrize(("message", "expected"), REFUSALS.values(), ids=REFUSALS.keys())
def test_what_a_frame_refuses_before_it_boots(message: Step, expected: Frame) -> None:
    """A fatal error at creation is about the options; the widget works without the anti-abuse script."""
    assert mount(framed(), frame_arrived(), message).frame is expected


def test_a_fatal_error_of_a_booted_frame_is_not_about_options() -> None:
    """`FatalAppError` is a name that the frame uses for more than that."""
    assert mount(hosted(), frame_error("FatalAppError", "Something else")).frame is Frame.READY
    assert mount(hosted(), frame_error("FatalAppError", "ChatKit.create(): late")).frame is Frame.REJECTED


# --- secret -------------------------------------------------------------------------------------------------------


def test_a_secret_that_is_pre_fetched_waits_for_the_frame() -> None:
    """Fetched, asked for, delivered."""
    fetched = [*page_with_loader(), *session_fetched(), *element_shown(), *frame_arrived()]
    assert mount(fetched).session is Session.FETCHED
    assert mount(fetched, command()).session is Session.ASKED
    got = mount(fetched, command(), response())
    assert (got.session, got.asked) == (Session.DELIVERED, {})
    assert Milestone.SECRET_DELIVERED in got.milestones


def test_only_an_answer_to_its_question_delivers_a_secret() -> None:
    """By the nonce; metadata is another question."""
    got = mount(framed(), frame_arrived(), command(nonce="n1"), response("n7"))
    assert (got.session, got.asked) == (Session.ASKED, {"n1": "onGetClientSecret"})
    got = mount(framed(), frame_arrived(), command("onAddMetadataToRequest", "m1"), response("m1"))
    assert (got.session, got.asked) == (Session.NONE, {})


def test_a_secret_of_another_format_is_not_delivered_yet() -> None:
    """The frame refuses it; a call with a bearer shows that it did not, and an empty one that it did."""
    handed = [*framed(), *frame_arrived(), command(), response(value_format="other")]
    assert mount(handed).session is Session.ASKED
    assert mount(handed, conversation_asked(bearer="digest-x")).session is Session.DELIVERED
    assert mount(handed, conversation_asked(bearer="empty")).session is Session.ASKED
    assert mount(handed, asked("r8", SESSION, bearer="digest-x")).session is Session.ASKED


def test_a_call_with_a_bearer_answers_the_question_that_nobody_saw_answered() -> None:
    """Where the frame cannot be looked into, its next request tells."""
    got = mount(framed(), frame_arrived(), command(), verification())
    assert (got.session, got.asked) == (Session.DELIVERED, {})


def test_a_rejected_promise_and_a_refused_format_reject_a_secret() -> None:
    """The page's own words, or the frame's."""
    booted = [*framed(), *frame_arrived(), command()]
    assert mount(booted, rejection()).session is Session.REJECTED
    assert mount(booted, response(error_name="", error_message="no", value_format="")).session is Session.REJECTED
    error = frame_error("IntegrationError", "ChatKitOptions.api.getClientSecret():\n✖ Invalid client secret format")
    assert mount(booted, response(value_format="other"), error).session is Session.REJECTED
    assert mount(mock_secret()).session is Session.REJECTED


def test_an_integration_error_about_something_else_rejects_nothing() -> None:
    """A missing handler for a tool is no matter of the secret."""
    assert (
        mount(hosted(), frame_error("IntegrationError", "No handler for client tool calls.")).session
        is Session.DELIVERED
    )


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_a_refusal_is_known_by_its_status(status: int) -> None:
    """Before its body is read, which may never be."""
    got = mount(page_with_loader(), asked("r3", SESSION), response_received("r3", status))
    assert got.session is Session.REFUSED


def test_a_late_body_does_not_refuse_the_next_request() -> None:
    """The app tried again; what the first answer said is no news."""
    again = [*session_refused()[:-1], asked("r5", SESSION), body_read("r3", error_text="Sign in first.")]
    got = mount(page_with_loader(), again)
    assert got.session is Session.REQUESTED
    assert mount(page_with_loader(), again, answered("r5", **secret_read())).session is Session.FETCHED


NO_REFUSALS = {
    "a redirect": exchange("r3", SESSION, 307, body=None, unread_reason="no body"),
    "a body that nobody could read": exchange("r3", SESSION, body=None, unread_reason="Target closed"),
    "an answer on its way": [asked("r3", SESSION), response_received("r3"), request_finished("r3")],
}


@pytest.mark.parametrize("steps", NO_REFUSALS.values(), ids=NO_REFUSALS.keys())
def test_what_says_nothing_about_a_secret_refuses_nothing(steps: Steps) -> None:
    """It may have been there."""
    assert mount(page_with_loader(), steps).session is Session.REQUESTED


def test_a_request_that_the_page_gave_up_and_asked_again_is_no_refusal() -> None:
    """React's strict mode runs an effect twice; the first request may end after the second one began."""
    twice = [asked("r3", SESSION), asked("r5", SESSION), request_failed("r3", "net::ERR_ABORTED")]
    assert mount(page_with_loader(), twice, answered("r5", **secret_read())).session is Session.FETCHED


def test_the_configured_endpoint_is_the_session() -> None:
    """Its name is the project's to say."""
    steps = [*page_with_loader(), *exchange("r3", "https://app.test/api/boot", 401)]
    assert mount(steps).session is Session.NONE
    assert mount(steps, session_endpoint="**/api/boot").session is Session.REFUSED


def test_a_secret_under_a_known_name_is_a_session_wherever_it_comes_from() -> None:
    """Also in the page's document."""
    assert (
        mount(page_with_loader(), exchange("r3", "https://app.test/api/boot", **secret_read())).session
        is Session.FETCHED
    )
    document = request_started("r1", PAGE, resource_type="document", is_navigation=True)
    assert mount(document, answered("r1", **secret_read(secret_key="(text)"))).session is Session.FETCHED


def test_several_answers_may_be_reported_before_their_questions() -> None:
    """Each waits for its own question."""
    early = [
        response("m1", value_kind="null", value_format=""),
        response("n1"),
        command("onAddMetadataToRequest", "m1"),
    ]
    got = mount(framed(), early)
    assert (got.session, got.asked, list(got.early)) == (Session.NONE, {}, ["n1"])
    assert mount(framed(), early, command()).session is Session.DELIVERED


def test_a_secret_is_missing_only_where_one_is_needed() -> None:
    """A frame that booted without asking waits for its composer; one that asked waits for the secret."""
    booted = [*page_with_loader(), *element_shown(), *frame_arrived(), log("app.init")]
    assert mount(booted).next_milestone is Milestone.COMPOSER_READY
    assert mount(booted, command()).next_milestone is Milestone.SECRET_DELIVERED
    refused = [*page_with_loader(), *session_refused(), *custom()[len(page_with_loader()) :]]
    assert mount(refused).next_milestone is Milestone.MOUNTED


def test_the_backend_of_custom_mode_is_no_session_endpoint() -> None:
    """Whatever its path is called."""
    url = "https://app.test/chatkit/session"
    call = [frame_message(type="fetch", name="", nonce="f1", detail_name=url), *exchange("r6", url, 500)]
    got = mount(custom(backend=call))
    assert (got.session, got.backend) == (Session.NONE, Backend.FAILING)


# --- domain check -------------------------------------------------------------------------------------------------

CHECKS: dict[str, tuple[Steps, Verification]] = {
    "none": ([], Verification.UNSEEN),
    "asked": (verification()[:1], Verification.PENDING),
    "answered, but not read yet": (verification()[:-1], Verification.PENDING),
    "yes": (verification(), Verification.VERIFIED),
    "yes, in custom mode": (verification(url=VERIFY), Verification.VERIFIED),
    "no": (verification(is_verified=False), Verification.REFUSED),
    "something else": (verification(is_verified=None), Verification.REFUSED),
    "unreadable": ([*verification()[:-1], body_read("r5", body=None, unread_reason="closed")], Verification.UNSEEN),
    "401": (verification(401), Verification.REFUSED),
    "unreachable": ([*verification()[:1], request_failed("r5")], Verification.REFUSED),
    "skipped": ([verification_skipped()], Verification.SKIPPED),
    "asked again after 503": ([*verification(503), *verification(request_id="r7")[:1]], Verification.PENDING),
    "yes after 503": ([*verification(503), *verification(request_id="r7")], Verification.VERIFIED),
    "yes after no network": (
        [*verification()[:1], request_failed("r5"), *verification(request_id="r7")],
        Verification.VERIFIED,
    ),
}


@pytest.mark.parametrize(("check", "expected"), CHECKS.values(), ids=CHECKS.keys())
def test_the_domain_check(check: Steps, expected: Verification) -> None:
    """The newest answer counts; the frame asks once more after a 5xx or a failure of the network."""
    got = mount(hosted(check=check, backend=[]))
    assert got.verification is expected
    assert (Milestone.DOMAIN_VERIFIED in got.milestones) is (expected in (Verification.VERIFIED, Verification.SKIPPED))
    assert got.is_optional(Milestone.DOMAIN_VERIFIED) is (expected is Verification.UNSEEN)


def test_other_lines_of_the_console_skip_nothing() -> None:
    """Near misses: another text, and a page without an element."""
    assert mount(
        hosted(check=[console_message("Domain key verification failed for https://app.test")])
    ).verification is (Verification.UNSEEN)
    assert mount(page_with_loader(), verification_skipped()).verification is Verification.UNSEEN
    early = [frame_requested(), verification_skipped(), *element_shown()]  # the page is busy, and its frame is not
    assert mount(page_with_loader(), early).verification is Verification.SKIPPED


# --- backend ------------------------------------------------------------------------------------------------------

BACKENDS: dict[str, tuple[Steps, Backend]] = {
    "none": ([], Backend.UNSEEN),
    "to come": (metadata_asked(), Backend.ANNOUNCED),
    "asked": ([conversation_asked()], Backend.PENDING),
    "accepted": (conversation(), Backend.ACCEPTED),
    "accepted as a stream": ([conversation_asked(), response_received("r6")], Backend.ACCEPTED),
    "400": (conversation(400), Backend.REFUSED),
    "401": (conversation(401), Backend.REFUSED),
    "401, then asked again": ([*conversation(401), conversation_asked("r7")], Backend.PENDING),
    "401, then accepted": ([*conversation(401), *conversation(request_id="r7")], Backend.ACCEPTED),
    "accepted, then 401": ([*conversation(), *conversation(401, "r7")], Backend.ACCEPTED),
    "429": (conversation(429), Backend.REFUSED),
    "500": (conversation(500), Backend.FAILING),
    "500, then accepted": ([*conversation(500), *conversation(request_id="r7")], Backend.ACCEPTED),
    "unreachable": ([conversation_asked(), request_failed("r6")], Backend.FAILING),
    "given up by the frame": (
        [conversation_asked(), request_failed("r6", "net::ERR_ABORTED"), conversation_asked("r7")],
        Backend.PENDING,
    ),
    "redirected": ([conversation_asked(), *answered("r6", 307)], Backend.ANNOUNCED),
    "custom, to come": (custom_call()[:1], Backend.ANNOUNCED),
    "custom, accepted": (custom_call(), Backend.ACCEPTED),
    "custom, redirected": (custom_call(307), Backend.ANNOUNCED),
    "custom, 404": (custom_call(404), Backend.REFUSED),
}


@pytest.mark.parametrize(("calls", "expected"), BACKENDS.values(), ids=BACKENDS.keys())
def test_the_backend(calls: Steps, expected: Backend) -> None:
    """One accepted call is enough; otherwise the newest answer counts."""
    got = mount(hosted(backend=[]), calls)
    assert got.backend is expected
    assert (Milestone.BACKEND_ACCEPTED in got.milestones) is (expected is Backend.ACCEPTED)
    assert got.is_optional(Milestone.BACKEND_ACCEPTED) is (expected in (Backend.UNSEEN, Backend.ANNOUNCED))


def test_the_line_of_a_refusal_is_remembered() -> None:
    """The answer, not what came after it."""
    refused = [*hosted(backend=[]), *conversation(404)]
    got = mount(refused, request_started("r9"), response_received("r9"))
    assert got.last_signal[Signal.BACKEND_REFUSED] == len(entries(refused))


# --- one page after another ---------------------------------------------------------------------------------------


def test_a_navigation_begins_anew() -> None:
    """From the request on, for the new page's first requests can come before its probe speaks."""
    second = request_started("r20", PAGE, is_navigation=True, resource_type="document")
    got = mount(hosted(), second)
    assert (got.script, got.element, got.session, got.frame) == (
        Script.ABSENT,
        Element.ABSENT,
        Session.NONE,
        Frame.ABSENT,
    )
    assert (got.milestones, got.embed, got.documents, list(got.kept)) == ({}, None, {}, ["r20"])
    assert got.decided_at_ms == len(entries(hosted())) + 1


def test_a_navigation_keeps_what_is_configured_and_when_the_wait_began() -> None:
    """The time limit counts from the visit, not from each page of it."""
    second = request_started("r20", PAGE, is_navigation=True)
    got = mount(pause(50), visit_started(), page_opened(), second, session_endpoint="**/boot")
    assert (got.session_endpoint, got.opened_at_ms) == ("**/boot", 51)


def test_the_old_page_has_no_say_in_the_new_one() -> None:
    """Its elements, its frames and its load event may still be reported while the new page loads."""
    late = [
        *element_shown(2),
        element_defined(),
        document_loaded(),
        log("app.init"),
        log("composer.ready"),
        widget_event(),
        unmount(),
        verification_skipped(),
        frame_message(type="fetch", name="", detail_name=CUSTOM),
    ]
    second = request_started("r20", PAGE, is_navigation=True)
    assert mount(hosted(), second, late).milestones == {}
    got = mount(hosted(), second, late)
    assert (got.embed, got.frame, got.verification, got.backend) == (
        None,
        Frame.ABSENT,
        Verification.UNSEEN,
        Backend.UNSEEN,
    )


def test_the_new_page_is_judged_by_its_own_elements() -> None:
    """Numbers begin at 1 in each document."""
    second = [
        *page_opened(document="d9", request_id="r20"),
        element_defined("d9"),
        element_connected(document="d9"),
        shadow_changed(STYLE, document="d9"),
    ]
    got = mount(hosted(), second, shadow_changed(data_loaded=True), hidden_box())
    assert got.embed == ("d9", 1)
    assert (got.element, got.box) == (Element.UPGRADED, None)


def test_a_document_in_a_frame_can_hold_the_element() -> None:
    """A portal shows the app in an iframe; the page's own load event is what counts for loading."""
    inner = [document_started("d5", url="https://inner.test/", is_top=False), element_defined("d5")]
    got = mount(page_opened(), inner, element_connected(document="d5"), shadow_changed(STYLE, document="d5"))
    assert (got.embed, got.element, got.top_document) == (("d5", 1), Element.UPGRADED, DOCUMENT)
    assert not mount(page_opened(), inner, document_loaded("d5")).has_loaded
    assert mount(page_opened(), inner, document_loaded()).has_loaded


def test_an_element_in_a_document_that_never_spoke_is_not_of_this_page() -> None:
    """Every document introduces itself first."""
    assert mount(page_opened(), element_connected(document="d7")).embed is None


def test_the_first_answer_and_the_load_event_both_mean_that_the_page_is_there() -> None:
    """Only the load event says that its scripts have run."""
    assert Milestone.PAGE_LOADED in mount(page_opened(), navigated()).milestones
    assert not mount(page_opened(), navigated()).has_loaded
    assert Milestone.PAGE_LOADED in mount(page_opened(), document_loaded()).milestones
    assert mount(page_opened()).milestones == {}


# --- one embed after another --------------------------------------------------------------------------------------


def after(first: Steps, *, embed: int = 2) -> Mount:
    """Return the mount when a page takes the first embed out and shows another one, which is healthy."""
    second = [*element_shown(embed), *hosted_boot(embed=embed, nonce="n5", digest="digest-a", frame_request="r14")]
    return mount(first, element_disconnected(1), second)


FIRSTS: dict[str, Steps] = {
    "healthy": hosted(),
    "with refused options": options_rejected(),
    "not verified": unverified(),
    "with a mock secret": mock_secret(),
    "with a frame that was refused": [*framed(), frame_requested(), response_received("r4", 400), *iframe_loaded()],
    "refused by the backend": hosted(backend=conversation(401)),
    "that asks for a secret and gets no answer": [*framed(), *frame_arrived(), command()],
    "moved": re_parented(),
    "never configured": [*page_with_loader(), element_connected(), shadow_changed(STYLE)],
}


@pytest.mark.parametrize("first", FIRSTS.values(), ids=FIRSTS.keys())
def test_a_new_embed_after_the_first_was_taken_out_is_judged_for_itself(first: Steps) -> None:
    """Nothing of the first one sticks to it: no failure, no question, no check."""
    got = after(first)
    assert got.embed == (DOCUMENT, 2)
    assert (got.element, got.frame, got.session) == (Element.LOADED, Frame.READY, Session.DELIVERED)
    assert (got.verification, got.backend, got.asked) == (Verification.UNSEEN, Backend.UNSEEN, {})
    assert got.next_milestone is Milestone.MOUNTED
    assert not {Signal.UNVERIFIED, Signal.MOVED, Signal.OPTIONS_REJECTED, Signal.SECRET_REJECTED} & set(got.last_signal)


def test_the_next_embed_starts_with_what_the_page_has() -> None:
    """The script stays defined, and a secret that was fetched is still there; one that was only asked for is not."""
    got = mount(hosted(), element_disconnected(), element_connected(2))
    assert (got.script, got.element, got.frame, got.session) == (
        Script.DEFINED,
        Element.CONNECTED,
        Frame.ABSENT,
        Session.FETCHED,
    )
    assert set(got.milestones) == {Milestone.PAGE_LOADED, Milestone.SCRIPT_REQUESTED, Milestone.ELEMENT_DEFINED}
    assert (got.shadow, got.box, got.has_ready_event) == (None, None, False)
    asked_only = [*framed(), *frame_arrived(), command(), rejection()]
    assert mount(asked_only, element_disconnected(), element_connected(2)).session is Session.NONE
    refused_before = [*page_with_loader(), *session_refused(), *element_shown()]
    assert mount(refused_before, element_disconnected(), element_connected(2)).session is Session.REFUSED


def test_the_first_embed_keeps_what_was_seen_before_it() -> None:
    """Its frame may be on the network before the element is reported."""
    got = mount(page_with_loader(), session_fetched(), frame_requested(), element_shown())
    assert (got.session, got.frame) == (Session.FETCHED, Frame.REQUESTED)


def test_the_refused_frame_of_the_first_is_not_the_documents_of_the_second() -> None:
    """Both iframes have the same address; only one that is not answered yet can be the new one's."""
    refused = [*framed(), frame_requested(), response_received("r4", 400), element_disconnected()]
    assert mount(refused, element_shown(2)).frame is Frame.ABSENT
    asked_early = [*refused, frame_requested("r14"), *element_shown(2)]
    assert mount(asked_early).frame is Frame.REQUESTED
    assert mount(asked_early, response_received("r14")).frame is Frame.DELIVERED


def test_messages_of_another_embed_are_its_own() -> None:
    """Two widgets on one page; what goes wrong in one is not told of the other."""
    second = [
        *element_shown(2),
        frame_error("FatalAppError", "ChatKit.create(): no", embed=2),
        unmount(embed=2),
        command(nonce="n8", embed=2),
        rejection("n8"),
        shadow_changed(STYLE, embed=2, data_loaded=True),
        hidden_box(embed=2),
        widget_event("chatkit.error", embed=2),
    ]
    got = mount(hosted(), second)
    assert (got.embed, got.element, got.frame, got.session) == (
        (DOCUMENT, 1),
        Element.LOADED,
        Frame.READY,
        Session.DELIVERED,
    )
    assert got.is_visible
    assert got.asked == {}


def test_an_embed_that_was_there_all_along_takes_over() -> None:
    """The page shows the new one first and takes the old one out afterwards."""
    second = [
        *element_shown(2),
        *frame_arrived("r14"),
        command(nonce="n5", embed=2),
        log("app.init", embed=2),
        *iframe_loaded(2),
        response("n5"),
        log("composer.ready", embed=2),
    ]
    got = mount(options_rejected(), second, pause(10), element_disconnected(1))
    assert got.embed == (DOCUMENT, 2)
    assert (got.element, got.frame, got.session, got.others) == (Element.LOADED, Frame.READY, Session.DELIVERED, {})
    assert got.is_visible
    assert got.active_at_ms == got.decided_at_ms == len(entries(options_rejected(), second)) + 11


def test_an_embed_that_is_gone_does_not_take_over() -> None:
    """It was taken out before, whatever is still reported of it."""
    second = [*element_shown(2), element_disconnected(2), log(embed=2), widget_event(embed=2)]
    got = mount(hosted(), second, element_disconnected(1))
    assert (got.embed, got.element, got.others) == ((DOCUMENT, 1), Element.DISCONNECTED, {})
    assert mount(hosted(), second, element_disconnected(1), element_connected(3)).embed == (DOCUMENT, 3)


def test_the_last_that_was_spoken_of_takes_over() -> None:
    """Of several others, the one that shows signs of life."""
    others = [element_connected(2), element_connected(3), shadow_changed(embed=2)]
    assert mount(hosted(), others, element_disconnected(1)).embed == (DOCUMENT, 2)


def test_an_embed_without_options_gives_way_to_one_that_is_used() -> None:
    """A spare one stands first; when it gets its options after all, the one in use stays the judged one."""
    used = [*element_shown(2), *hosted_boot(embed=2)]
    got = mount(page_with_loader(), session_fetched(), element_connected(1), used)
    assert (got.embed, got.element, got.frame, got.session) == (
        (DOCUMENT, 2),
        Element.LOADED,
        Frame.READY,
        Session.DELIVERED,
    )
    assert list(got.others) == [(DOCUMENT, 1)]
    assert mount(page_with_loader(), element_connected(1), used, shadow_changed(embed=1)).embed == (DOCUMENT, 2)
    assert mount(page_with_loader(), element_connected(1), element_connected(2)).embed == (DOCUMENT, 1)


def test_an_embed_that_is_hidden_gives_way_to_one_that_can_be_seen() -> None:
    """And the other way round, as often as the page changes its mind; nothing that was said of either is lost."""
    second = [*element_shown(2), *frame_arrived("r14"), command(nonce="n5", embed=2), log("app.init", embed=2)]
    steps = [*hosted(), *second, *iframe_loaded(2), response("n5"), log("composer.ready", embed=2)]
    hidden = mount(steps, hidden_box(embed=1))
    assert (hidden.embed, hidden.frame, hidden.is_visible) == ((DOCUMENT, 2), Frame.READY, True)
    back = mount(steps, hidden_box(embed=1), box_changed(embed=1), hidden_box(embed=2))
    assert (back.embed, back.element, back.frame, back.session, back.is_visible) == (
        (DOCUMENT, 1),
        Element.LOADED,
        Frame.READY,
        Session.DELIVERED,
        True,
    )
    assert mount(steps, hidden_box(embed=1), hidden_box(embed=2)).embed == (DOCUMENT, 2)
    assert mount(steps, hidden_box(embed=2)).embed == (DOCUMENT, 1)


def test_a_wanted_embed_is_judged_whatever_happens() -> None:
    """Neither the first one, nor one that takes over, nor one that can be seen."""
    second = [*element_shown(2), *frame_arrived("r14"), log("app.init", embed=2), hidden_box(embed=2)]
    lines = entries(hosted(), second, element_disconnected(2))
    got = mount_of(lines, wanted=(DOCUMENT, 2))
    assert (got.embed, got.element, got.frame) == ((DOCUMENT, 2), Element.DISCONNECTED, Frame.BOOTED)


def test_a_message_that_nobody_can_place_is_the_judged_embeds() -> None:
    """0 is what the probe says when it cannot tell which iframe spoke."""
    assert mount(framed(), log("composer.ready", embed=0)).frame is Frame.READY


# --- the rest -----------------------------------------------------------------------------------------------------


def test_what_ends_a_frame_ends_its_questions() -> None:
    """Nobody will answer them, so nobody waits for an answer."""
    booted = [*framed(), *frame_arrived(), command()]
    for end in (
        unmount(),
        shadow_changed(STYLE, data_loaded=True),
        element_disconnected(),
        frame_error("FatalAppError", "ChatKit.create(): late"),
        shadow_changed(STYLE, WRAPPER, STYLE),
    ):
        assert mount(booted).asked
        assert mount(booted, end).asked == {}


def test_a_crash_is_remembered_until_the_next_page() -> None:
    """A reload brings a new process."""
    assert mount(hosted(), page_crashed()).is_crashed
    assert not mount(hosted(), page_crashed(), request_started("r20", PAGE, is_navigation=True)).is_crashed


def test_only_what_a_mount_depends_on_is_a_sign_of_life() -> None:
    """A beacon, a picture and a line of the console are none; the end of a request that was waited for is one."""
    base = len(entries(hosted()))
    for steps, moment in (
        ([request_started("r9", "https://chatgpt.com/ces/v1/t"), request_failed("r9")], base),
        ([request_started("r9", resource_type="image"), request_finished("r9")], base),
        ([console_message(), box_changed(), page_crashed()], base),
        ([request_finished("r99"), body_read("r99")], base),
        ([request_started("r9"), response_received("r9"), request_finished("r9"), body_read("r9")], base + 4),
        ([request_started("r9"), request_failed("r9")], base + 2),
        ([widget_event()], base + 1),
    ):
        assert mount(hosted(), steps).active_at_ms == moment


def test_exchanges_that_are_over_are_not_kept() -> None:
    """Only those that a track depends on: the frame's document, the domain check, the backend."""
    kept = {x.url for x in mount(hosted()).kept.values()}
    assert kept == {FRAME, "https://us.api.openai.com/v1/chatkit/domain_keys/verify_hosted",
                    "https://us.api.openai.com/v1/chatkit/conversation"}  # fmt: skip
    assert "r9" not in mount(hosted(), request_started("r9"), request_failed("r9")).kept
    assert "r9" in mount(hosted(), request_started("r9")).kept


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_the_last_milestone_is_never_behind_a_missing_one(name: str) -> None:
    """What is reported as reached was reached without a gap, optional ones left aside."""
    lines = entries(TRANSCRIPTS[name])
    for end in range(len(lines) + 1):
        got = mount_of(lines[:end])
        order = list(Milestone)
        last = order.index(got.last_milestone) if got.last_milestone else -1
        following = order.index(got.next_milestone) if got.next_milestone else len(order)
        assert last < following
        assert all(m in got.milestones or got.is_optional(m) for m in order[:following])


def test_where_on_demand_asks_before_it_fetches() -> None:
    """A question that is open is no refusal and no delivery."""
    lines = entries(on_demand())
    asked_at = next(line.seq for line in lines if line.event == command())
    assert mount_of(lines[:asked_at]).session is Session.ASKED
    assert any(isinstance(line.event, RequestStarted) and line.event.url == SESSION for line in lines[asked_at:])


def test_an_answer_may_be_reported_before_its_question() -> None:
    """Two documents report question and answer: whichever comes first, nothing is waited for afterwards."""
    question, answer = command("onGetClientSecret", nonce="n9"), response("n9")
    for steps in ((question, answer), (answer, question)):
        mount = mount_of(entries(page_with_loader(), element_shown(), steps))
        assert mount.session is Session.DELIVERED
        assert mount.busy_until_ms == 0

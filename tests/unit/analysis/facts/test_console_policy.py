"""Which lines of the console are problems: telemetry that is blocked, refused or broken is none, in whatever words the frame says it."""

from __future__ import annotations

import hashlib

import pytest
from builders import (
    FRAME,
    Steps,
    body,
    body_read,
    console_message,
    entries,
    pause,
    request_blocked,
    request_failed,
    request_finished,
    request_started,
    response_received,
)

from harness.analysis.facts.console_policy import console_of
from harness.model.events import Body

CHUNK = "https://cdn.platform.openai.com/assets/ck1/anything-at-all.js"
TELEMETRY = "https://chatgpt.com/ces/v1/projects/oai/settings"
BACKEND = "https://api.openai.com/v1/chatkit/conversation"
REFUSAL = "Blocked by\n  your company"


def in_frame(request_id: str, url: str, resource_type: str = "fetch") -> Steps:
    """Return a request of ChatKit's frame."""
    return [request_started(request_id, url, resource_type=resource_type, frame_url=FRAME, is_top_frame=False)]


def chunk() -> Steps:
    """Return a script of the frame's own."""
    return [
        *in_frame("r1", CHUNK, "script"),
        response_received("r1", media_type="text/javascript"),
        request_finished("r1"),
    ]


def line(text: str, url: str = CHUNK) -> Steps:
    """Return an error on the console."""
    return [console_message(text, "error", url=url)]


def of(text: str) -> Body:
    """Return the reference to a body."""
    return body(text, "text/html", sha256=hashlib.sha256(text.encode()).hexdigest())


def problems(*steps: Steps) -> list[str]:
    """Return the texts that count."""
    found = console_of(entries(*(step for part in steps for step in part)), ())
    return [problem.text for problem in found if not problem.is_allowed]


FAILED = [*in_frame("r2", TELEMETRY), request_failed("r2", "net::ERR_BLOCKED_BY_CLIENT")]


def refused(text: str, status: int = 403) -> Steps:
    """Return a refusal of the telemetry."""
    return [*in_frame("r2", TELEMETRY), response_received("r2", status), body_read("r2", body=of(text))]


@pytest.mark.parametrize(
    ("telemetry", "text"),
    [
        (FAILED, "Failed to fetch"),
        (FAILED, "NetworkError when attempting to fetch resource."),
        (FAILED, "TypeError: Load failed"),
        (refused(REFUSAL), REFUSAL),
        (refused("", 500), ""),
        ([*in_frame("r2", TELEMETRY), response_received("r2", 403)], "a body that was not read"),
        ([*in_frame("r2", TELEMETRY), response_received("r2")], "Unexpected token '<' is not valid JSON"),
        ([*in_frame("r2", TELEMETRY), response_received("r2")], "Unexpected end of JSON input"),
    ],
)
def test_telemetry_that_fails_is_no_problem(telemetry: Steps, text: str) -> None:
    """Blocked, refused or broken: what a script of the frame says of it is known by its moment and its source."""
    assert problems(chunk(), telemetry, line(text)) == []


@pytest.mark.parametrize(
    "steps",
    [
        [*chunk(), *line("Failed to fetch")],  # nothing failed
        [*FAILED, *line("Failed to fetch")],  # not by a script of the frame
        [*chunk(), *FAILED, *line("Failed to fetch", "https://app.example/app.js")],  # by the page
        [
            *chunk(),
            *FAILED,
            *in_frame("r3", BACKEND),
            request_failed("r3"),
            *line("Failed to fetch"),
        ],  # something else failed too
        [*chunk(), *in_frame("r2", BACKEND), request_failed("r2"), *line("Failed to fetch")],
        [*chunk(), *FAILED, *line("x is not a function")],  # of something else
        [*chunk(), *refused(REFUSAL), *line("x is not a function")],
        [*chunk(), *in_frame("r2", TELEMETRY), response_received("r2"), *line("Failed to fetch")],
    ],
)
def test_other_errors_of_the_frame_are_problems(steps: Steps) -> None:
    """One thing less, and nothing says that the line is about telemetry."""
    assert len(problems(steps)) == 1


def test_one_failure_accounts_for_one_line() -> None:
    """The second line is about something that is not known."""
    assert problems(chunk(), FAILED, line("Failed to fetch"), line("Failed to fetch")) == ["Failed to fetch"]


def test_a_failure_long_ago_accounts_for_nothing() -> None:
    """The line has to come at the moment of the failure."""
    assert problems(chunk(), FAILED, [pause(5_000)], line("Failed to fetch")) == ["Failed to fetch"]


KEPT = [request_blocked("CONNECT", "https://live.example")]
NOT_OPENED = "WebSocket connection to 'wss://live.example/ws' failed: Establishing a tunnel via proxy server failed."
NOT_LOADED = "Failed to load resource: net::ERR_TUNNEL_CONNECTION_FAILED"


def test_what_a_hermetic_run_kept_on_its_machine_is_no_problem_of_the_page() -> None:
    """A request that failed for that alone, and a WebSocket; in Firefox's words too."""
    firefox = "Firefox can\u2019t establish a connection to the server at wss://live.example/ws."
    said = (line(NOT_OPENED, ""), line(firefox, ""), line(NOT_LOADED, "https://live.example/t.js"))
    assert problems(*said, KEPT) == []


def test_other_errors_of_a_hermetic_run_are_problems() -> None:
    """Of a host that was not refused, on another port, without a refusal, and what the page itself says about one."""
    assert problems(line(NOT_OPENED, "")) == [NOT_OPENED]
    assert problems(line(NOT_LOADED, "https://other.example/t.js"), KEPT) == [NOT_LOADED]
    assert problems(line(NOT_LOADED, "https://live.example:8443/t.js"), KEPT) == [NOT_LOADED]
    own = "cannot reach https://live.example"
    assert problems(line(own, "https://live.example/t.js"), KEPT) == [own]

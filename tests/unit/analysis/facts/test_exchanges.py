"""Requests and their answers, put together; what is in flight, and what only measures."""

from __future__ import annotations

import pytest
from builders import (
    body_read,
    console_message,
    entries,
    request_failed,
    request_finished,
    request_started,
    response_received,
)

from harness.analysis.facts.exchanges import Exchange, add, exchanges_of, is_telemetry, split_url
from harness.model.events import Event


def exchange_of(*events: Event) -> Exchange:
    """Return the one exchange of these events."""
    [exchange] = exchanges_of(entries(*events))
    return exchange


def test_an_exchange_has_all_that_became_of_a_request() -> None:
    """Times are the harness's; the body comes last, when it was read."""
    exchange = exchange_of(request_started(), response_received(), request_finished(), body_read(error_text="x"))
    assert (exchange.seq, exchange.started_at_ms, exchange.response_at_ms, exchange.ended_at_ms) == (1, 1, 2, 3)
    assert (exchange.status, exchange.failure) == (200, "")
    assert exchange.body == body_read(error_text="x")
    assert exchange.finished == request_finished()


def test_a_failure_ends_an_exchange() -> None:
    """Its line is remembered; one without a text has failed all the same."""
    exchange = exchange_of(request_started(), request_failed(error_text=""))
    assert (exchange.status, exchange.failure, exchange.failure_seq, exchange.ended_at_ms) == (0, "failed", 2, 2)


def test_exchanges_come_in_the_order_they_started() -> None:
    """However they end."""
    steps = [request_started("r1"), request_started("r2"), request_finished("r2"), request_finished("r1")]
    assert [x.request.request_id for x in exchanges_of(entries(steps))] == ["r1", "r2"]


def test_what_belongs_to_no_request_is_passed_over() -> None:
    """A visit may be cut at both ends; nothing is made up for what is missing."""
    strays = [response_received("r9"), request_finished("r9"), request_failed("r9"), body_read("r9"), console_message()]
    assert exchanges_of(entries(strays)) == ()
    known = {"r1": exchange_of(request_started())}
    assert all(add(known, entry) is known for entry in entries(strays))


OPEN = {
    "without an answer": ([], True),
    "with the beginning of one": ([response_received()], True),
    "with a stream that has begun": ([response_received(media_type="text/event-stream")], False),
    "with a refusal whose body nobody reads": ([response_received(status=401)], False),
    "answered": ([response_received(), request_finished()], False),
    "failed": ([request_failed()], False),
}


@pytest.mark.parametrize(("events", "expected"), OPEN.values(), ids=OPEN.keys())
def test_a_request_is_open_until_its_answer_ends(events: list[Event], expected: bool) -> None:
    """Streams and refusals count as answered when they begin: their end may never be reported."""
    assert exchange_of(request_started(), *events).is_open is expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        *((kind, True) for kind in ("document", "script", "fetch", "xhr", "stylesheet", "other")),
        *((kind, False) for kind in ("image", "font", "media", "ping", "beacon", "websocket", "eventsource")),
    ],
)
def test_a_mount_depends_on_some_kinds_of_requests(kind: str, expected: bool) -> None:
    """No picture, font, beacon or socket keeps a widget waiting."""
    assert exchange_of(request_started(resource_type=kind)).is_relevant is expected


HOSTS = {
    "https://chatgpt.com/ces/v1/projects/oai/settings": True,
    "https://browser-intake-datadoghq.com/api/v2/logs": True,
    "https://o123.ingest.sentry.io/api/1": True,
    "https://api.segment.io/v1/t": True,
    "https://featuregates.org/v1/initialize": True,
    "https://app.test/chatgpt.com": False,
    "https://mychatgpt.company.test/api": False,
    "https://chatgpt.com.evil.test/": False,
    "https://market-segment.test/api": False,
    "https://notsentry.io/": False,
    "https://sentinel.openai.com/backend-api/sentinel/sdk.js": False,
    "nonsense": False,
    "http://[::1": False,
}


@pytest.mark.parametrize(("url", "expected"), HOSTS.items())
def test_telemetry_is_known_by_its_whole_host(url: str, expected: bool) -> None:
    """A host and all below it; an app whose name contains one is an app."""
    assert is_telemetry(url) is expected
    assert exchange_of(request_started(url=url)).is_relevant is not expected


def test_an_abort_is_no_failure_of_the_network() -> None:
    """The page changed its mind, as Chromium and Firefox say it."""
    for text, expected in (("net::ERR_ABORTED", True), ("NS_BINDING_ABORTED", True), ("net::ERR_FAILED", False)):
        assert exchange_of(request_started(), request_failed(error_text=text)).is_aborted is expected


def test_a_url_that_is_none_has_no_parts() -> None:
    """Whatever a page asks for, nothing crashes on its address."""
    assert split_url("http://[::1").path == ""
    assert exchange_of(request_started(url="http://[::1")).path == ""
    assert exchange_of(request_started(url="https://app.test/a/b?c")).path == "/a/b"

"""A smoke run as an OpenTelemetry trace."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from nights import broken, flight, mounted, verdict

from harness.analysis.smoke.transitions import Escalation, next_record
from harness.report.otlp import endpoint_of, headers_of, trace_json

START, END = datetime(2026, 1, 1, 2, 0, tzinfo=UTC), datetime(2026, 1, 1, 2, 1, tzinfo=UTC)


def traced(*, is_good: bool, **environ: str) -> dict[str, Any]:
    """Return the trace of a run."""
    preflight, attempts = flight(), (mounted(),) if is_good else (broken("loader-refused"),)
    record = next_record((), verdict(1, preflight, *attempts), Escalation())
    return trace_json(record, preflight.preflight, attempts, started=START, ended=END, environ=environ, version="1.2.3")


def attributes(of: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of a span or a resource."""
    return {item["key"]: next(iter(item["value"].values())) for item in of["attributes"]}


def test_a_run_is_one_trace() -> None:
    """The run's span above one for each hop and each visit, with ids of the right length and times in nanoseconds."""
    trace = traced(is_good=True, OTEL_SERVICE_NAME="nightly")["resourceSpans"][0]
    assert attributes(trace["resource"]) == {"service.name": "nightly", "service.version": "1.2.3"}
    root, *below = trace["scopeSpans"][0]["spans"]
    assert [span["name"] for span in below] == ["hop page", "hop loader", "hop frame", "visit chat 1"]
    assert {span["parentSpanId"] for span in below} == {root["spanId"]}
    assert "parentSpanId" not in root
    assert {len(span["spanId"]) for span in (root, *below)} == {16}
    assert len({span["spanId"] for span in (root, *below)}) == 5
    assert {span["traceId"] for span in below} == {root["traceId"]}
    assert len(root["traceId"]) == 32
    assert int(root["endTimeUnixNano"]) - int(root["startTimeUnixNano"]) == 60_000_000_000
    assert int(below[0]["endTimeUnixNano"]) - int(below[0]["startTimeUnixNano"]) == 100_000_000
    assert attributes(root)["chatkit.outcome"] == "ok"
    assert all(span["status"]["code"] == 1 for span in (root, *below))


def test_what_failed_is_an_error_with_its_words() -> None:
    """The run, and the visit that did not mount."""
    root, *below = traced(is_good=False)["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert (root["status"]["code"], attributes(root)["chatkit.cause"]) == (2, "loader-refused")
    assert below[-1]["status"]["code"] == 2
    assert below[-1]["status"]["message"]


@pytest.mark.parametrize(
    ("environ", "endpoint"),
    [
        ({}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/"}, "http://collector:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/x", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://d"}, "http://c/x"),
    ],
)
def test_the_endpoint_is_as_opentelemetry_says(environ: dict[str, str], endpoint: str) -> None:
    """The variable for traces is the whole address; the general one gets the path."""
    assert endpoint_of(environ) == endpoint


def test_headers_are_decoded() -> None:
    """As in URLs."""
    environ = {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Basic%20dGVzdA==, x-team = chat"}
    assert headers_of(environ) == {"authorization": "Basic dGVzdA==", "x-team": "chat"}
    assert headers_of({}) == {}

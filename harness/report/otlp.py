"""A smoke run as an OpenTelemetry trace: a span for the run, and one below it for each hop and each visit.

In: the result of a run. Out: the JSON of OTLP over HTTP, which collectors accept at `/v1/traces`; and the address to send it to, from
OpenTelemetry's own variables. Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding and
…/specs/otel/protocol/exporter/. Thirty lines in place of an exporter and its five packages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from harness.model.history import FAILING, Attempt, Record
from harness.model.hops import PreflightFacts

SERVICE = "chatkit-harness"
INTERNAL, CLIENT = 1, 3
OK, ERROR = 1, 2


def endpoint_of(environ: Mapping[str, str]) -> str:
    """Return where traces go, "" when nobody asks for them."""
    whole = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
    base = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").rstrip("/")
    return whole or (f"{base}/v1/traces" if base else "")


def headers_of(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the headers to send along: `name=value` with commas, values encoded as in URLs."""
    text = environ.get("OTEL_EXPORTER_OTLP_TRACES_HEADERS") or environ.get("OTEL_EXPORTER_OTLP_HEADERS") or ""
    pairs = (part.partition("=") for part in text.split(",") if "=" in part)
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs}


def trace_json(
    record: Record,
    preflight: PreflightFacts,
    attempts: Iterable[Attempt],
    *,
    started: datetime,
    ended: datetime,
    environ: Mapping[str, str],
    version: str,
) -> dict[str, Any]:
    """Return one run's trace. Its ids come from the run's name, so that a repeated export is the same trace."""
    verdict = record.verdict
    seed = f"{verdict.run} {verdict.project}"
    trace_id, root = _id(seed, 32), _id(f"{seed} root", 16)

    def span(
        name: str, start_ns: int, ms: float, *, kind: int, is_good: bool, message: str = "", **about: Any
    ) -> dict[str, Any]:
        return {
            "traceId": trace_id,
            "spanId": _id(f"{seed} {name} {start_ns}", 16),
            "parentSpanId": root,
            "name": name,
            "kind": kind,
            "startTimeUnixNano": str(start_ns),
            "endTimeUnixNano": str(start_ns + int(max(ms, 0) * 1e6)),
            "attributes": _attributes(about),
            "status": {"code": OK if is_good else ERROR, **({"message": message} if message else {})},
        }

    begun_ns = _ns(started)
    spans = [
        span(
            f"hop {hop.name}", begun_ns + int(hop.began_ms * 1e6), hop.total_ms, kind=CLIENT,
            is_good=hop.is_answered and hop.status < 400, message=hop.failure.value or hop.error_text,
            url=hop.url, status=hop.status, request_id=hop.request_id,
        )
        for hop in preflight.hops
        if not hop.skipped
    ]  # fmt: skip
    for attempt in attempts:
        result = attempt.result
        start_ns = _ns(datetime.fromisoformat(result.started_at)) if result and result.started_at else begun_ns
        spans.append(
            span(
                f"visit {attempt.entry} {attempt.number}", start_ns, result.decided_at_ms if result else 0, kind=INTERNAL,
                is_good=attempt.is_passed, message=attempt.told or (result.explanation if result else ""),
                outcome=result.outcome if result else "", first_token_ms=attempt.first_token_ms,
            )
        )  # fmt: skip
    whole = span(
        f"smoke {verdict.project}", begun_ns, (_ns(ended) - begun_ns) / 1e6, kind=INTERNAL, is_good=verdict.outcome != FAILING,
        message=verdict.summary if verdict.outcome == FAILING else "", outcome=verdict.outcome, cause=verdict.cause,
        blame=verdict.blame, alert=record.alert, run=verdict.run, **{f"sdk_{name}": value for name, value in verdict.sdk},
    )  # fmt: skip
    whole.pop("parentSpanId")
    whole["spanId"] = root
    resource = {"service.name": environ.get("OTEL_SERVICE_NAME") or SERVICE, "service.version": version}
    scope = {"scope": {"name": SERVICE, "version": version}, "spans": [whole, *spans]}
    return {"resourceSpans": [{"resource": {"attributes": _attributes(resource)}, "scopeSpans": [scope]}]}


def _attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": name if "." in name else f"chatkit.{name}", "value": _value(value)}
        for name, value in values.items()
        if value not in ("", None)
    ]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": str(value)}


def _id(seed: str, digits: int) -> str:
    return hashlib.sha256(seed.encode()).hexdigest()[:digits]


def _ns(at: datetime) -> int:
    return int(at.timestamp() * 1e9)

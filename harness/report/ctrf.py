"""A run as CTRF, the Common Test Report Format (https://ctrf.io, its JSON schema of specification 1.0).

In: a `RunOnDisk`. Out: a plain value for `json.dumps`.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from harness.analysis.fingerprint import fingerprint_of
from harness.model.file_names import CONSOLE_NAME, ERROR_CONTEXT_NAME, HAR_NAME, TIMELINE_NAME, TRACE_NAME
from harness.model.results import TestOutcome, VisitResult
from harness.report.run_on_disk import RunOnDisk, TestOnDisk

SPECIFICATION = "1.0.0"
STATUSES = {
    "passed": "passed",
    "failed": "failed",
    "error": "failed",
    "skipped": "skipped",
}  # everything else is "other"
CONTENT_TYPES = {
    "screenshot-page.png": "image/png",
    "screenshot-element.png": "image/png",
    TRACE_NAME: "application/zip",
    HAR_NAME: "application/json",
    TIMELINE_NAME: "application/jsonl",
    CONSOLE_NAME: "text/plain",
    ERROR_CONTEXT_NAME: "text/markdown",
}


def render_ctrf(run: RunOnDisk, *, version: str) -> dict[str, Any]:
    """Return the run as a CTRF document."""
    tests = [_test(test) for test in run.tests]
    record = run.record
    start, stop = _epoch_ms(record.started_at), _epoch_ms(record.ended_at or record.started_at)
    counted = {status: sum(test["status"] == status for test in tests) for status in ("passed", "failed", "skipped")}
    environment = {
        "appName": record.project,
        "commit": record.commit,
        "buildUrl": record.ci_url,
        "testEnvironment": record.network,
    }
    return {
        "reportFormat": "CTRF",
        "specVersion": SPECIFICATION,
        "reportId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"chatkit-harness:{run.folder.name}")),
        "generatedBy": f"chatkit-harness {version}",
        "results": {
            "tool": {"name": "chatkit-harness", "version": version},
            "summary": {
                "tests": len(tests),
                **counted,
                "pending": 0,
                "other": len(tests) - sum(counted.values()),
                "flaky": sum(test["flaky"] for test in tests),
                "start": start,
                "stop": max(stop, start),
                "duration": max(stop - start, 0),
            },
            "tests": tests,
            "environment": {name: value for name, value in environment.items() if value},
        },
    }


def _test(test: TestOnDisk) -> dict[str, Any]:
    outcome = test.outcome
    results = test.results
    path, _, rest = outcome.nodeid.partition("::")
    value: dict[str, Any] = {
        "name": outcome.nodeid or "visit",
        "status": STATUSES.get(outcome.outcome, "other"),
        "rawStatus": outcome.outcome,
        "duration": round(outcome.duration_s * 1000),
        "suite": [path, *rest.split("::")[:-1]] if rest else [path or "visits"],
        "type": "e2e",
        "retries": outcome.attempts - 1,
        "flaky": outcome.is_flaky,
        "attachments": _attachments(test),
        "extra": {"findings": [_finding(result) for result in results]},
    }
    value |= {"filePath": path} if path.endswith(".py") else {}
    value |= {"browser": results[0].browser} if results and results[0].browser else {}
    value |= _message(outcome, results)
    return value


def _message(outcome: TestOutcome, results: tuple[VisitResult, ...]) -> dict[str, str]:
    """The cause first, then the test's own message; "" for a good test."""
    if outcome.is_good and outcome.outcome != "skipped":
        return {}
    causes = [f"{r.cause.title} ({r.cause.rule}): {r.cause.summary}" for r in results if r.cause and not r.is_mounted]
    message = causes[0] if causes else next(iter(outcome.message.splitlines()), "")
    return ({"message": message} if message else {}) | ({"trace": outcome.message} if outcome.message else {})


def _finding(result: VisitResult) -> dict[str, Any]:
    return {
        "verdict": result.outcome,
        "reason": result.reason,
        "fingerprint": fingerprint_of(result),
        "cause": result.cause.rule if result.cause else "",
        "also": [finding.rule for finding in result.also],
        "prefetch": result.prefetch,
    }


def _attachments(test: TestOnDisk) -> list[dict[str, str]]:
    return [
        {"name": name, "contentType": content_type, "path": f"{visit.bundle}/{name}"}
        for visit in test.visits
        for name, content_type in CONTENT_TYPES.items()
        if name in visit.files
    ]


def _epoch_ms(instant: str) -> int:
    try:
        return round(datetime.fromisoformat(instant).timestamp() * 1000)
    except ValueError:
        return 0

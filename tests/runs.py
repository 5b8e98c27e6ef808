"""Writes what a run leaves behind without a browser: bundles made of transcripts, `tests.jsonl`, `run.json`."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

from builders import Step, Steps, entries, visit_started

from harness.analysis.mount.verdict import judge
from harness.analysis.result import result_of
from harness.model.limits import Limits
from harness.model.results import TestOutcome, VisitResult
from harness.model.run_record import RunRecord
from harness.model.timeline import encode, header_line
from harness.report.bundle import saved_result, write_bytes, write_json, write_text
from harness.report.folders import folder_of
from harness.report.run_on_disk import write_record

STARTED = "2026-11-24T08:00:00.000+00:00"
# One pixel; a PNG of its own for each number, so that pictures can be told apart.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def record(**changes: object) -> RunRecord:
    """Return the record of a finished run."""
    given = {
        "kind": "gate",
        "command": "chatkit-harness gate",
        "started_at": STARTED,
        "ended_at": "2026-11-24T08:01:05.000+00:00",
        "exit_code": 1,
        "project": "local",
        "network": "hermetic",
        "browser": "chromium",
        "versions": ("chatkit-harness 0.1.0", "Python 3.12.1"),
    }
    return RunRecord(**given | changes)  # type: ignore[arg-type]


def write_bundle(
    folder: Path, steps: Steps, *, is_whole: bool = True, picture: bytes = PIXEL, **visit: str
) -> VisitResult:
    """Write the bundle of a visit in which nothing happens after these steps; without a result when it was cut short."""
    first: Step = visit_started(**visit)
    lines = entries(first, *(steps[1:] if type(steps[0]) is type(first) else steps))
    judgement = judge(lines, Limits(), now_ms=1e9)
    result = result_of(lines, limits=Limits(), started_at=STARTED, judgement=judgement)
    text = "\n".join([header_line(started_at=STARTED), *map(encode, lines)])
    write_text(folder / "timeline.jsonl", f"{text}\n")
    if is_whole:
        write_json(folder / "result.json", saved_result(result))
        write_text(folder / "console.log", "(no console messages)\n")
        write_bytes(folder / "screenshot-page.png", picture)
    return result


def outcome(nodeid: str, word: str = "passed", **changes: object) -> TestOutcome:
    """Return the outcome of a test whose bundle has its name."""
    plain = TestOutcome(
        nodeid=nodeid, outcome=word, attempts=1, duration_s=1.2, message="", exit_code=0, bundles=(bundle_of(nodeid),)
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def bundle_of(nodeid: str) -> str:
    """Return the name of a test's bundle."""
    return folder_of(nodeid)


def write_run(folder: Path, visits: Mapping[str, Steps], **changes: object) -> Path:
    """Write a run with one test for each visit, named `tests/test_it.py::test_<name>[chromium]`."""
    folder.mkdir(parents=True, exist_ok=True)
    outcomes = []
    for name, steps in visits.items():
        nodeid = f"tests/test_it.py::test_{name}[chromium]"
        result = write_bundle(folder / bundle_of(nodeid), steps)
        message = "" if result.is_mounted else f"MountFailed: expected the widget to be mounted ({name})"
        outcomes.append(outcome(nodeid, "passed" if result.is_mounted else "failed", message=message))
    write_outcomes(folder, outcomes)
    write_record(folder, record(**changes))
    return folder


def write_outcomes(folder: Path, outcomes: Iterable[TestOutcome]) -> None:
    """Write `tests.jsonl`."""
    write_text(folder / "tests.jsonl", "".join(f"{json.dumps(asdict(one))}\n" for one in outcomes))

"""The report of a large run: 500 visits, each with a timeline of its own, open in less than two seconds."""

from __future__ import annotations

import os
from pathlib import Path

from builders import console_message, exchange, hosted, mock_secret
from playwright.sync_api import Page, expect
from runs import PIXEL, bundle_of, outcome, record, write_bundle, write_outcomes

from harness.report.run_on_disk import write_record
from harness.report.run_report import write_report

VISITS = 500
MOST_S = 2.0
PICTURE_BYTES = 60_000  # as screenshots of the page are


def test_500_visits_open_in_two_seconds(page: Page, tmp_path: Path) -> None:
    """From navigation to interactive, in time of the page's own thread: how busy the machine is besides does not count."""
    folder = tmp_path / "run-20261124-080000-abcd"
    noise = [
        step for n in range(40) for step in (console_message(f"line {n}"), *exchange(f"x{n}", f"https://app.test/{n}"))
    ]
    kinds = {"passed": [*hosted(), *noise], "failed": [*mock_secret(), *noise]}
    for word, steps in kinds.items():
        write_bundle(tmp_path / word, steps)
    outcomes = []
    for number in range(VISITS):
        word = "failed" if number % 5 == 0 else "passed"
        nodeid = f"tests/test_it.py::test_{number:03}[chromium]"
        bundle = folder / bundle_of(nodeid)
        bundle.mkdir(parents=True)
        for path in (tmp_path / word).iterdir():
            os.link(path, bundle / path.name)
        (bundle / "screenshot-element.png").write_bytes(PIXEL + f"{number}".encode() * (PICTURE_BYTES // 3))
        outcomes.append(outcome(nodeid, word, message="MountFailed: not mounted\n" * 12 if word == "failed" else ""))
    write_outcomes(folder, outcomes)
    write_record(folder, record())
    report = write_report(folder, version="0.1.0")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(report.as_uri())
    metrics = {item["name"]: item["value"] for item in session.send("Performance.getMetrics")["metrics"]}
    assert metrics["TaskDuration"] < MOST_S, f"for {report.stat().st_size / 1e6:.1f} MB"
    page.locator("#t400 > summary").click()
    expect(page.locator("#t400 figure.lanes")).to_be_visible()

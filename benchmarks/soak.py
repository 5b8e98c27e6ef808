"""Healthy mounts, many of them, two at a time, with the processor busy: every failure is a false alarm.

    python benchmarks/soak.py [--mounts 1000] [--workers 2] [--load 2]

Prints progress, and each false alarm, a finding on a healthy page included, with its bundle. Exit code 1 when there was one.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

from harness.config.reading import read_config
from harness.drive.browsers import find_browser
from harness.model.redaction import Redactor
from harness.model.results import VisitResult
from harness.servers.scenarios import scenario_named
from harness.servers.server import serve_stack
from harness.visit.browser import opened
from harness.visit.target import Keep, target_of

SCENARIOS = ("healthy", "on-demand", "production")
LONGEST_S = 3_600  # the load stops by itself, whatever happens


def burn(until: float) -> None:
    """Keep one processor busy until a moment."""
    while time.time() < until:
        sum(range(10_000))


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep processors busy while the block lasts."""
    until = time.time() + LONGEST_S
    loads = [multiprocessing.Process(target=burn, args=(until,), daemon=True) for _ in range(processes)]
    for load in loads:
        load.start()
    try:
        yield
    finally:
        for load in loads:
            load.terminate()
            load.join()


def mount(worker: int, count: int, folder: str, results: multiprocessing.Queue[tuple[str, VisitResult, str]]) -> None:
    """Visit `count` times and report each result."""
    config = read_config(None, environ={}, root=Path(folder))
    choice = find_browser("chromium", "", os.environ)
    with (
        serve_stack(scenario=scenario_named("healthy")) as stack,
        sync_playwright() as playwright,
        playwright.chromium.launch(**choice.launch_options()) as browser,
    ):
        for number in range(count):
            scenario = SCENARIOS[number % len(SCENARIOS)]
            target = target_of(config.project("local"), entry="topic-generation", scenario=scenario, stack=stack)
            bundle = Path(folder) / f"{worker}-{number}"
            keep = Keep(screenshot="only-on-failure")
            with opened(browser, target, bundle, config=config, keep=keep, redactor=Redactor(), stack=stack) as visit:
                visit.open()
                visit.wait_until_decided()
            results.put((scenario, visit.result(), bundle.as_posix()))


def main() -> None:
    """Mount, count, and say what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mounts", type=int, default=1_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--load", type=int, default=2, help="how many processes burn processor time meanwhile")
    options = parser.parse_args()
    multiprocessing.set_start_method("spawn")
    folder = tempfile.mkdtemp(prefix="chatkit-soak-")
    results: multiprocessing.Queue[tuple[str, VisitResult, str]] = multiprocessing.Queue()
    share = options.mounts // options.workers
    workers = [
        multiprocessing.Process(target=mount, args=(number, share, folder, results))
        for number in range(options.workers)
    ]
    times: list[float] = []
    alarms = 0
    with busy(options.load):
        for worker in workers:
            worker.start()
        for number in range(1, share * options.workers + 1):
            scenario, result, bundle = results.get(timeout=120)
            times.append(result.decided_at_ms - result.opened_at_ms)
            is_expected = result.prefetch == ("on demand" if scenario == "on-demand" else "pre-fetched")
            if not (result.is_mounted and result.is_console_clean and is_expected) or result.findings:
                alarms += 1
                found = ", ".join(finding.rule for finding in result.findings) or "no finding"
                told = f"{result.outcome}, {result.reason}, {result.prefetch}, {found}"
                print(f"FALSE ALARM in {scenario}: {told}: {bundle}")
            if number % 50 == 0:
                print(f"{number} mounts, {alarms} false alarms, median {statistics.median(times):.0f} ms", flush=True)
        for worker in workers:
            worker.join()
    print(f"{len(times)} mounts with {options.workers} workers under load: {alarms} false alarms and findings")
    sys.exit(1 if alarms else 0)


if __name__ == "__main__":
    main()

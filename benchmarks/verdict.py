"""How soon a mount is decided: for every scenario the time from the deciding fact to the verdict.

    python benchmarks/verdict.py [--only NAME …] [--slowest 10]

A runner that knows nothing waits out its timeout, 30 s by default, counted from the same fact.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from harness.config.reading import read_config
from harness.drive.browsers import find_browser
from harness.model.redaction import Redactor
from harness.model.results import VisitResult
from harness.servers.scenarios import read_scenarios, scenario_named
from harness.servers.server import Stack, serve_stack
from harness.visit.browser import opened
from harness.visit.target import Keep, target_of

TIMEOUT_MS = 30_000
CONFIG = read_config(None, environ={}, root=Path(tempfile.gettempdir()) / "no-configuration-here")


def visited(browser: Browser, stack: Stack, scenario: str, folder: Path) -> VisitResult:
    """Return the result of one visit."""
    target = target_of(CONFIG.project("local"), entry="topic-generation", scenario=scenario, stack=stack)
    target = replace(target, limits=replace(target.limits, mount_timeout_ms=8_000))
    keep = Keep(screenshot="off")
    with opened(
        browser, target, folder / scenario, config=CONFIG, keep=keep, redactor=Redactor(), stack=stack
    ) as visit:
        visit.open()
        return visit.wait_until_decided()


def main() -> None:
    """Measure and print medians, and the slowest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--slowest", type=int, default=10)
    options = parser.parse_args()
    names = options.only or list(read_scenarios())
    results: dict[str, VisitResult] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        serve_stack(scenario=scenario_named("healthy")) as stack,
        sync_playwright() as playwright,
        playwright.chromium.launch(**find_browser("chromium", "", os.environ).launch_options()) as browser,
    ):
        for name in names:
            try:
                results[name] = visited(browser, stack, name, Path(folder))
            except Exception as error:  # a page that cannot be visited has no mount to decide
                print(f"{name}: not a visit: {str(error).splitlines()[0]}")
    for outcome, aim in (("failed", "at most 1500"), ("mounted", "the stability window: 300 or 2000")):
        times = {name: result.after_fact_ms for name, result in results.items() if result.outcome == outcome}
        if times:
            median = statistics.median(times.values())
            ratio = statistics.median(TIMEOUT_MS / max(ms, 1) for ms in times.values())
            print(
                f"{outcome}: {len(times)} scenarios, median {median:.0f} ms after the fact (aim: {aim}); {ratio:.0f} x sooner than 30 s"
            )
            for name, ms in sorted(times.items(), key=lambda item: -item[1])[: options.slowest]:
                print(f"    {ms:6.0f} ms  {name} ({results[name].reason})")
    undecided = [name for name, result in results.items() if result.outcome not in ("failed", "mounted")]
    print(f"waited out their time limit: {', '.join(undecided) or 'none'}")


if __name__ == "__main__":
    main()

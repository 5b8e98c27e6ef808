"""What evidence costs: the same page in the same browser, bare, observed, and observed with screenshots.

    python benchmarks/overhead.py [--visits 30]

The three kinds of visit are interleaved, so that a noisy machine treats them alike. The bare one is what a plain
pytest-playwright test does: new context, route to the same servers, open, click, wait for the composer in the frame and the
backend's first answer. The observed ones wait for their verdict with a stability window of nothing, so that the window is
not counted as a cost of observing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Browser, Page, Response, sync_playwright

from harness.config.reading import read_config
from harness.drive.browsers import find_browser
from harness.model.redaction import Redactor
from harness.servers.network_path import serve_network_path
from harness.servers.scenarios import scenario_named
from harness.servers.server import Stack, serve_stack
from harness.visit.browser import opened
from harness.visit.opening import context_options, destinations_of
from harness.visit.target import Keep, target_of

CONFIG = read_config(None, environ={}, root=Path(tempfile.gettempdir()) / "no-configuration-here")
AIMS = {"observed": 1.08, "with screenshots": 1.3}


def await_composer(page: Page) -> None:
    """Return when the composer stands in the frame."""
    page.frame_locator("openai-chatkit iframe").get_by_role("textbox").wait_for()


def is_backends_answer(response: Response) -> bool:
    """Whether the backend answered the widget's first question."""
    return response.url.endswith("/v1/chatkit/conversation")


def bare(browser: Browser, stack: Stack, _folder: Path) -> None:
    """Visit as a plain test does."""
    with (
        serve_network_path(destinations_of(stack)) as path,
        browser.new_context(**context_options(CONFIG, "hermetic", proxy_url=path.url)) as context,
    ):
        stack.use(scenario_named("healthy"))
        page = context.new_page()
        page.goto(f"{stack.app_url}/test-chatkit", wait_until="commit")
        with page.expect_response(is_backends_answer):
            page.get_by_role("button", name="Topic Generation").click()
            await_composer(page)


def observed(browser: Browser, stack: Stack, folder: Path, *, screenshot: str = "off") -> None:
    """Visit with timeline, console, HAR and DOM."""
    target = target_of(CONFIG.project("local"), entry="topic-generation", stack=stack)
    target = replace(target, limits=replace(target.limits, settled_stable_for_ms=0))
    keep = Keep(trace="off", screenshot=screenshot)
    with opened(browser, target, folder, config=CONFIG, keep=keep, redactor=Redactor(), stack=stack) as visit:
        visit.open()
        await_composer(visit.page)
        assert visit.wait_until_decided().is_mounted


def with_screenshots(browser: Browser, stack: Stack, folder: Path) -> None:
    """Visit with everything but a trace."""
    observed(browser, stack, folder, screenshot="on")


def main() -> None:
    """Measure and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, default=30)
    visits = parser.parse_args().visits
    kinds: dict[str, Callable[[Browser, Stack, Path], None]] = {
        "bare": bare,
        "observed": observed,
        "with screenshots": with_screenshots,
    }
    times: dict[str, list[float]] = {name: [] for name in kinds}
    choice = find_browser("chromium", "", os.environ)
    with (
        tempfile.TemporaryDirectory() as folder,
        serve_stack(scenario=scenario_named("healthy")) as stack,
        sync_playwright() as playwright,
        playwright.chromium.launch(**choice.launch_options()) as browser,
    ):
        for number in range(visits + 2):  # the first two warm up
            for name, visit in kinds.items():
                started = time.perf_counter()
                visit(browser, stack, Path(folder) / f"{name}-{number}")
                if number >= 2:
                    times[name].append((time.perf_counter() - started) * 1000)
        sizes = [
            sum(path.stat().st_size for path in bundle.iterdir()) for bundle in Path(folder).glob("with screenshots-*")
        ]
    print(f"{visits} visits of each kind, interleaved; {browser.browser_type.name} {choice.source}")
    for name, values in times.items():
        ratios = [value / base for value, base in zip(values, times["bare"], strict=True)]
        aim = f"  (aim: at most {AIMS[name]})" if name in AIMS else ""
        print(f"  {name:17} median {statistics.median(values):7.1f} ms   ratio {statistics.median(ratios):.3f}{aim}")
    print(
        f"  bundle of a passing visit with screenshots: median {statistics.median(sizes) / 1000:.0f} kB (aim: at most 200)"
    )


if __name__ == "__main__":
    main()

"""One visit to one URL, with nothing configured: does a ChatKit widget mount there, and if not, why?

In: a URL and what to click. Out: the verdict on the console or as JSON, a bundle, an exit code.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Error, sync_playwright
from rich.console import Console
from rich.markup import escape

from harness.config import Config
from harness.drive.browsers import find_browser, launch_failure
from harness.errors import EnvironmentFailure
from harness.model.redaction import Redactor
from harness.model.results import VisitResult
from harness.report.bundle import result_dict
from harness.report.context import render_failure, render_prefetch
from harness.report.run_folder import new_run_folder
from harness.report.terminal import milestones
from harness.run import Keep, Target, Visit, context_options, open_visit, target_of

MOST_CONSOLE_LINES = 5


def run_check(console: Console, config: Config, url: str, *, clicks: tuple[str, ...], as_json: bool) -> int:
    """Return 0 when the widget mounts and 1 when not. Raises PageError when the page cannot be visited."""
    target = target_of(config.project_at(url), entry="page")
    folder = new_run_folder(config.output_dir, keep_runs=config.keep_runs) / "check"
    with ExitStack() as resources:
        if not as_json:
            resources.enter_context(console.status(f"opening {escape(url)}"))
        browser = resources.enter_context(launched_browser(config))
        visit = resources.enter_context(_opened(browser, config, target, folder))
        visit.open()
        for name in clicks:
            visit.embed.click(name)
        result = visit.wait_until_decided()
        shown = visit.folder_shown
    if as_json:
        print(json.dumps({"bundle": shown, **result_dict(result)}, ensure_ascii=False, indent=1))
    else:
        _print(console, result, shown)
    return 0 if result.is_mounted else 1


@contextmanager
def launched_browser(config: Config) -> Iterator[Browser]:
    """Yield the configured browser. Raises EnvironmentFailure when it is not there, or does not start."""
    use = config.use
    options = find_browser(use.browser, use.executable_path, os.environ, headless=use.headless).launch_options()
    with sync_playwright() as playwright:
        try:
            browser: Browser = getattr(playwright, use.browser).launch(headless=use.headless, **options)
        except Error as error:
            raise launch_failure(error.message, options) from error
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def _opened(browser: Browser, config: Config, target: Target, folder: Path) -> Iterator[Visit]:
    options: dict[str, Any] = context_options(config, target.network)
    context = browser.new_context(**options)
    keep = Keep(trace=config.use.trace, screenshot=config.use.screenshot)
    with open_visit(
        context=context,
        page=context.new_page(),
        target=target,
        folder=folder,
        redactor=Redactor(config.secrets),
        keep=keep,
        stack=None,
    ) as visit:
        try:
            yield visit
        except Error as error:
            if not browser.is_connected():
                raise EnvironmentFailure(
                    f"the browser died during the visit\n  bundle: {visit.folder_shown}"
                ) from error
            raise


def _print(console: Console, result: VisitResult, bundle: str) -> None:
    if result.is_mounted:
        took_ms = result.decided_at_ms - result.opened_at_ms
        console.print(f"[bold green]mounted[/] after {took_ms:.0f} ms: {escape(result.url)}", highlight=False)
        console.print(f"  secret:     {render_prefetch(result)}", markup=False, highlight=False)
        console.print(f"  milestones: {milestones(result)}", markup=False, highlight=False)
    else:
        first, *rest = render_failure(result, bundle=bundle).splitlines()
        console.print(first, style="bold red", markup=False, highlight=False)
        console.print("\n".join(rest), markup=False, highlight=False, soft_wrap=True)
    problems = [problem for problem in result.console if not problem.is_allowed]
    for problem in problems[:MOST_CONSOLE_LINES]:
        console.print(f"  console:    {problem.text.splitlines()[0]}", markup=False, highlight=False)
    if len(problems) > MOST_CONSOLE_LINES:
        console.print(f"  console:    and {len(problems) - MOST_CONSOLE_LINES} more errors", highlight=False)
    if result.is_mounted:
        console.print(f"  bundle:     {bundle}", markup=False, highlight=False)

"""Visits without a test runner: starts a browser, and a context for each visit.

In: the configuration, a target. Out: a browser while the block lasts, a `Visit` while it lasts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Error, sync_playwright

from harness.config.reading import Config
from harness.drive.browsers import find_browser, launch_failure
from harness.drive.interrupts import driver_in_a_group_of_its_own
from harness.drive.sealing import sealed_options
from harness.errors import EnvironmentFailure
from harness.model.redaction import Redactor
from harness.servers.replay import ReplayServer
from harness.servers.server import Stack
from harness.visit.opening import NewContext, open_visit
from harness.visit.target import Keep, Target
from harness.visit.visit import Visit


@contextmanager
def launched_browser(
    config: Config, engine: str = "", *, is_shown: bool = False, is_sealed: bool = False
) -> Iterator[Browser]:
    """Yield the configured browser, or another engine. Raises EnvironmentFailure when it is missing or does not start.

    `is_sealed`: it makes hermetic visits and replays only.
    """
    use = config.use
    engine, is_headless = engine or use.browser, use.headless and not is_shown
    path = use.executable_path if engine == use.browser else ""
    options = find_browser(engine, path, os.environ, headless=is_headless).launch_options()
    if is_sealed:
        options = sealed_options(engine, options)
    with ExitStack() as resources:
        with driver_in_a_group_of_its_own():
            playwright = resources.enter_context(sync_playwright())
        try:
            browser: Browser = getattr(playwright, engine).launch(headless=is_headless, **options)
        except Error as error:
            raise launch_failure(error.message, options) from error
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(
    browser: Browser,
    target: Target,
    folder: Path,
    *,
    config: Config,
    keep: Keep,
    redactor: Redactor | None = None,
    stack: Stack | None = None,
    replay: ReplayServer | None = None,
) -> Iterator[Visit]:
    """Yield a visit as `open_visit` has it, in a context that is closed with it. Raises EnvironmentFailure when the browser dies."""
    with (
        _contexts_of(browser) as new_context,
        open_visit(
            new_context,
            target,
            folder,
            config=config,
            keep=keep,
            redactor=redactor,
            engine=browser.browser_type.name,
            stack=stack,
            replay=replay,
        ) as visit,
    ):
        try:
            yield visit
        except Error as error:
            if not browser.is_connected():
                raise EnvironmentFailure(
                    f"the browser crashed during the visit\n  bundle: {visit.folder_shown}"
                ) from error
            raise


@contextmanager
def _contexts_of(browser: Browser) -> Iterator[NewContext]:
    """Yield what makes contexts of a browser; they are closed when the block ends."""
    made: list[BrowserContext] = []

    def new_context(**options: Any) -> BrowserContext:
        made.append(browser.new_context(**options))
        return made[-1]

    try:
        yield new_context
    finally:
        for context in made:
            with suppress(Exception):  # the browser may be gone, for which Playwright has three kinds of errors
                context.close()

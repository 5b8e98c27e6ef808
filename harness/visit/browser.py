"""Visits without a test runner: starts a browser, and a context for each visit.

In: the configuration, a target. Out: a browser while the block lasts, a `Visit` while it lasts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Error, sync_playwright

from harness.config.reading import Config
from harness.drive.browsers import find_browser, launch_failure
from harness.drive.interrupts import driver_in_a_group_of_its_own
from harness.errors import EnvironmentFailure
from harness.model.redaction import Redactor
from harness.servers.server import Stack
from harness.visit.visit import Target, Visit, context_options, keep_of, open_visit


@contextmanager
def launched_browser(config: Config, engine: str = "", *, is_shown: bool = False) -> Iterator[Browser]:
    """Yield the configured browser, or another engine. Raises EnvironmentFailure when it is missing or does not start."""
    use = config.use
    engine, is_headless = engine or use.browser, use.headless and not is_shown
    path = use.executable_path if engine == use.browser else ""
    options = find_browser(engine, path, os.environ, headless=is_headless).launch_options()
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
    config: Config,
    target: Target,
    folder: Path,
    redactor: Redactor,
    *,
    bodies: str = "only-on-failure",
    stack: Stack | None = None,
) -> Iterator[Visit]:
    """Yield a visit in a new context; `stack` as in `open_visit`. Raises EnvironmentFailure when the browser crashes."""
    options: dict[str, Any] = context_options(
        config,
        target.network,
        has_faults=bool(target.faults),
        has_servers=stack is not None,
        storage_state=target.storage_state,
    )
    context = browser.new_context(**options)
    with open_visit(
        context=context,
        page=context.new_page(),
        target=target,
        folder=folder,
        redactor=redactor,
        keep=keep_of(config.use, bodies=bodies),
        stack=stack,
    ) as visit:
        try:
            yield visit
        except Error as error:
            if not browser.is_connected():
                raise EnvironmentFailure(
                    f"the browser crashed during the visit\n  bundle: {visit.folder_shown}"
                ) from error
            raise

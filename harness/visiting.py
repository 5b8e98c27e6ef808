"""What commands share that make a visit of their own: a browser, and the search for secrets afterwards.

In: the configuration. Out: a browser while it is needed; SecretFound when what was written held a secret.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Error, sync_playwright
from rich.console import Console

from harness.config import Config
from harness.drive.browsers import find_browser, launch_failure
from harness.drive.interrupts import driver_in_a_group_of_its_own
from harness.errors import EnvironmentFailure, SecretFound
from harness.model.redaction import Redactor
from harness.report.run_folder import shown
from harness.report.search import NOT_SEARCHED, Secret, prove, render_proof
from harness.run import Keep, Target, Visit, context_options, open_visit

PLAIN: dict[str, Any] = {"markup": False, "highlight": False, "soft_wrap": True}  # text as it is, for any terminal


@contextmanager
def launched_browser(config: Config, engine: str = "", *, headless: bool | None = None) -> Iterator[Browser]:
    """Yield the configured browser, or another engine. Raises EnvironmentFailure when it is not there, or does not start."""
    use = config.use
    engine = engine or use.browser
    is_headless = use.headless if headless is None else headless
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
def opened_visit(
    browser: Browser, config: Config, target: Target, folder: Path, redactor: Redactor, keep: Keep
) -> Iterator[Visit]:
    """Yield a visit in a context of its own. Raises EnvironmentFailure when the browser dies."""
    options: dict[str, Any] = context_options(config, target.network, has_faults=bool(target.faults))
    context = browser.new_context(**options)
    with open_visit(
        context=context,
        page=context.new_page(),
        target=target,
        folder=folder,
        redactor=redactor,
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


def search_for_secrets(console: Console, run: Path, redactor: Redactor, *, is_searched: bool) -> None:
    """Search what a command wrote for every secret. Raises SecretFound."""
    for kind, why in redactor.refused:
        console.print(f"not redacted: a secret of the kind {kind}, because {why}", **PLAIN)
    if not is_searched:
        console.print(NOT_SEARCHED, style="bold yellow", **PLAIN)
        return
    proof = prove(run, (Secret(kind=kind, value=value) for kind, value in redactor.learned))
    told = render_proof(proof, folder=shown(run))
    if proof.hits:
        raise SecretFound(told)
    if told:
        console.print(told, **PLAIN)

"""The fixtures of the pytest plugin: `chatkit`, and pytest-playwright's fixtures extended by what they cannot know.

In: the configuration in pytest's stash. Out: fixtures. Registered last, so that `x(x)` extends pytest-playwright's x.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Error

from harness.chatkit import Chatkit
from harness.config import Config
from harness.drive.browsers import find_browser, launch_failure
from harness.model.bounds import Allowance
from harness.model.redaction import Redactor
from harness.servers.scenarios import scenario_named
from harness.servers.server import Stack, serve_stack

CONFIG = pytest.StashKey[Config]()
REDACTOR = pytest.StashKey[Redactor]()  # of this process: knows what the configuration and every visit so far taught
ALLOWANCE = pytest.StashKey[Allowance]()  # what this process may still write in the run
STACK = pytest.StashKey[Stack]()  # servers that run for the whole run, because the page's own backend talks to them


@pytest.fixture(scope="session")
def delete_output_dir() -> None:
    """Delete nothing: the run has a folder of its own, and in a parallel run its first bundles may be there already."""


@pytest.fixture(scope="session")
def chatkit_config(pytestconfig: pytest.Config) -> Config:
    """The configuration in force."""
    return pytestconfig.stash[CONFIG]


@pytest.fixture(scope="session")
def browser_type_launch_args(
    browser_type_launch_args: dict[str, Any], browser_name: str, chatkit_config: Config
) -> dict[str, Any]:
    """Launch the browser that is configured or there; what pytest-playwright was told by option or mark wins."""
    use = chatkit_config.use
    args = {"headless": use.headless} | browser_type_launch_args
    if "executable_path" in args or "channel" in args:
        return args
    path = use.executable_path if browser_name == use.browser else ""
    return find_browser(browser_name, path, os.environ, headless=args["headless"]).launch_options() | args


@pytest.fixture(scope="session")
def launch_browser(
    launch_browser: Callable[..., Browser], browser_type_launch_args: dict[str, Any]
) -> Callable[..., Browser]:
    """Launch, and say in a sentence why that is not possible."""

    def launch(**options: Any) -> Browser:
        try:
            return launch_browser(**options)
        except Error as error:
            raise launch_failure(error.message, browser_type_launch_args) from error

    return launch


@pytest.fixture(scope="session")
def chatkit_stack(pytestconfig: pytest.Config) -> Iterator[Callable[[], Stack]]:
    """The embedded servers of this process, started when somebody asks for them; or those of the whole run."""
    with ExitStack() as resources:
        started = [pytestconfig.stash[STACK]] if STACK in pytestconfig.stash else []

        def stack() -> Stack:
            if not started:
                started.append(resources.enter_context(serve_stack(scenario=scenario_named("healthy"))))
            return started[0]

        yield stack


@pytest.fixture
def chatkit(
    new_context: Callable[..., BrowserContext],
    chatkit_config: Config,
    chatkit_stack: Callable[[], Stack],
    output_path: str,
    pytestconfig: pytest.Config,
) -> Iterator[Chatkit]:
    """Opens ChatKit pages: `chatkit.open("entry")`; each visit leaves a bundle in the test's output folder."""
    scenario = pytestconfig.option.chatkit_scenario
    folder = Path(output_path)
    with Chatkit(
        config=chatkit_config,
        new_context=new_context,
        stack=chatkit_stack,
        folder=folder,
        scenario=scenario,
        allowance=pytestconfig.stash[ALLOWANCE],
    ) as opened:
        yield opened

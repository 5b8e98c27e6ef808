"""The fixtures of the pytest plugin: `chatkit`, and extensions of pytest-playwright's fixtures.

In: the configuration in pytest's stash. Out: fixtures. Registered last, so that `x(x)` extends pytest-playwright's x.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Error

from harness.config.reading import Config
from harness.config.sdk_source import SdkSource
from harness.drive.browsers import find_browser, launch_failure
from harness.model.bounds import Allowance
from harness.model.redaction import Redactor
from harness.pytest_plugin.chatkit import Chatkit
from harness.pytest_plugin.run import RUN
from harness.pytest_plugin.speed_control import FOLDER, Control
from harness.report.folders import folder_of
from harness.servers.scenarios import scenario_named
from harness.servers.server import Stack, serve_stack

CONFIG = pytest.StashKey[Config]()
REDACTOR = pytest.StashKey[Redactor]()  # of this process: knows what the configuration and every visit so far taught
ALLOWANCE = pytest.StashKey[Allowance]()  # what this process may still write in the run
SHARED_NAMES = pytest.StashKey[frozenset[str]]()  # the tests whose usual folder is another test's too
SDK_SOURCE = pytest.StashKey[SdkSource]()
STACK = pytest.StashKey[Stack]()  # servers that run for the whole run, because the page's own backend talks to them


@pytest.fixture(scope="session")
def delete_output_dir() -> None:
    """Delete nothing: the run has a folder of its own, and in a parallel run its first bundles may be there already."""


@pytest.fixture(scope="session")
def chatkit_config(pytestconfig: pytest.Config) -> Config:
    """The effective configuration."""
    return pytestconfig.stash[CONFIG]


@pytest.fixture(scope="session")
def browser_type_launch_args(
    browser_type_launch_args: dict[str, Any], browser_name: str, chatkit_config: Config
) -> dict[str, Any]:
    """Launch the configured or an available browser; options and marks of pytest-playwright have priority."""
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
                started.append(resources.enter_context(_serve(pytestconfig)))
            return started[0]

        yield stack


def _serve(pytestconfig: pytest.Config) -> AbstractContextManager[Stack]:
    sdk = pytestconfig.stash[SDK_SOURCE]
    return serve_stack(scenario=scenario_named("healthy"), sdk_dir=sdk.folder, sdk_url=sdk.url)


@pytest.fixture(scope="session")
def chatkit_control(
    browser: Browser, chatkit_config: Config, chatkit_stack: Callable[[], Stack], pytestconfig: pytest.Config
) -> Iterator[Control]:
    """The control visits of this process, which measure the machine's speed during the run; one more is made at its end."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    with ExitStack() as resources:

        def stack() -> Stack:
            # Servers that the page's own backend talks to are not ours to set up for another page.
            if STACK not in pytestconfig.stash:
                return chatkit_stack()
            if not own:
                own.append(resources.enter_context(_serve(pytestconfig)))
            return own[0]

        own: list[Stack] = []
        folder = Path(pytestconfig.option.output) / FOLDER / worker
        control = Control(config=chatkit_config, browser=browser, stack=stack, folder=folder)
        yield control
        control.take()


@pytest.fixture
def output_path(output_path: str, request: pytest.FixtureRequest) -> str:
    """The test's folder: pytest-playwright's, unless another test has the same, or its name is too long for a file system."""
    usual, nodeid = Path(output_path), request.node.nodeid
    is_shared = nodeid in request.config.stash.get(SHARED_NAMES, frozenset())
    retry = getattr(request.node, "execution_count", 1) - 1  # pytest-rerunfailures'
    return str(_unused(usual.with_name(folder_of(nodeid, retry=retry, is_shared=is_shared))))


def _unused(folder: Path) -> Path:
    """Return the folder, or one beside it: the test may run a second time because its first worker died, and left its evidence."""
    unused, number = folder, 2
    with suppress(OSError):  # a path that is too long is not in use
        while unused.exists():
            unused, number = folder.with_name(f"{folder.name}-again{number}"), number + 1
    return unused


@pytest.fixture
def chatkit(
    request: pytest.FixtureRequest,
    new_context: Callable[..., BrowserContext],
    browser_context_args: dict[str, Any],
    chatkit_config: Config,
    chatkit_stack: Callable[[], Stack],
    output_path: str,
    pytestconfig: pytest.Config,
) -> Iterator[Chatkit]:
    """Opens ChatKit pages: `chatkit.open("entry")`; each visit leaves a bundle in the test's output folder."""
    run = pytestconfig.stash[RUN]
    if run.is_controlled:
        request.getfixturevalue("chatkit_control").refresh()
    mark = request.node.get_closest_marker("browser_context_args")
    folder = Path(output_path)
    with Chatkit(
        config=chatkit_config,
        new_context=new_context,
        stack=chatkit_stack,
        folder=folder,
        scenario=run.scenario,
        allowance=pytestconfig.stash[ALLOWANCE],
        told={*browser_context_args, *(mark.kwargs if mark else ())},
    ) as opened:
        yield opened

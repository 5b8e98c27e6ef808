"""Which SDK is judged, and the servers around it.

In: the configuration's `chatkit.sdk`, which `--chatkit-sdk` and CHATKIT_HARNESS_SDK set. Out: fixtures.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page

from conformance.differences import BY_TEST
from conformance.host import DEADLINE_MS, Host
from conformance.server import HostServer, serve_host
from harness.config.sdk_source import STAND_IN, SdkSource
from harness.drive.sealing import proxy_options
from harness.model.sdk_generations import FRAME_2026
from harness.pytest_plugin.fixtures import SDK_SOURCE
from harness.servers.network_path import Destinations, serve_network_path
from harness.servers.scenarios import Scenario
from harness.servers.server import Stack, serve_stack

KEY = "sk-test-topic-project"
HEALTHY = Scenario(name="healthy", generation=FRAME_2026.name)  # the facts are those of this generation
WORKFLOW = "wf_test_topic_generation"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Expect of a real SDK what is known to be otherwise there."""
    if config.stash[SDK_SOURCE] == STAND_IN:
        return
    for item in items:
        known = BY_TEST.get(f"{item.path.name}::{getattr(item, 'originalname', item.name)}")
        if known and item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.xfail(reason=f"seen with {known.generation.told}: {known.seen}", strict=False))


@pytest.fixture(scope="session")
def sdk(pytestconfig: pytest.Config) -> SdkSource:
    """The SDK that is configured."""
    return pytestconfig.stash[SDK_SOURCE]


@pytest.fixture(scope="session")
def stack(sdk: SdkSource) -> Iterator[Stack]:
    """The embedded CDN and OpenAI API."""
    with serve_stack(scenario=HEALTHY, sdk_dir=sdk.folder, sdk_url=sdk.url) as running:
        yield running


@pytest.fixture(scope="session")
def host_server() -> Iterator[HostServer]:
    """The server of host page and custom backend, started once."""
    with serve_host() as server:
        yield server


@pytest.fixture(scope="session")
def browser_context_args(
    browser_context_args: dict[str, Any], browser_name: str, stack: Stack, host_server: HostServer
) -> Iterator[dict[str, Any]]:
    """Have the embedded servers answer for OpenAI's hosts, trust their own certificates, and let a page on a public name reach them."""
    permissions = {"permissions": ["local-network-access"]} if browser_name == "chromium" else {}
    with serve_network_path(Destinations(cdn=stack.sdk_url, api=stack.api_tls_url, app=host_server.tls_url)) as path:
        proxy = proxy_options(path.url, browser_name)
        yield browser_context_args | permissions | {"ignore_https_errors": True, "proxy": proxy}


@pytest.fixture
def server(host_server: HostServer) -> HostServer:
    """The server of host page and custom backend, with nothing remembered."""
    host_server.reset()
    return host_server


@pytest.fixture
def host(page: Page, stack: Stack, server: HostServer) -> Host:
    """The host page, not yet opened; the embedded servers answer for OpenAI's hosts."""
    stack.use(HEALTHY)
    return Host(page, server)


@pytest.fixture
def secret(stack: Stack, host: Host) -> str:  # noqa: ARG001 (the session must outlive the reset of the stack)
    """A client secret that the embedded API accepts."""
    answer = httpx.post(
        f"{stack.api_url}/v1/chatkit/sessions",
        json={"workflow": {"id": WORKFLOW}, "user": "test-user"},
        headers={"authorization": f"Bearer {KEY}", "openai-beta": "chatkit_beta=v1"},
        trust_env=False,
        timeout=DEADLINE_MS / 1000,
    )
    return str(answer.json()["client_secret"])

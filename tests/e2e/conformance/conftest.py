"""Which SDK is judged, and the servers around it.

In: `--chatkit-sdk` or CHATKIT_HARNESS_SDK: "stand-in" (default), "snapshot:<folder>" or "live". Out: fixtures.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page

from conformance.host import Host
from conformance.server import HostServer, serve_host
from harness.drive.routes import Destinations, install_routes
from harness.servers.scenarios import Scenario
from harness.servers.server import Stack, serve_stack

KEY = "sk-test-topic-project"
WORKFLOW = "wf_test_topic_generation"
CDN = "https://cdn.platform.openai.com/**"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --chatkit-sdk, unless the plugin has it already."""
    with contextlib.suppress(ValueError):
        parser.addoption("--chatkit-sdk", default=None, help='"stand-in", "snapshot:<folder>" or "live"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdk:
    """The SDK that is judged."""

    name: str
    folder: Path | None = None  # None: the stand-in, or the CDN itself

    @property
    def is_live(self) -> bool:
        """Whether the loader and the frame come from the real CDN."""
        return self.name == "live"


@pytest.fixture(scope="session")
def sdk(pytestconfig: pytest.Config) -> Sdk:
    """The SDK that is configured."""
    name = str(pytestconfig.getoption("chatkit_sdk", None) or os.environ.get("CHATKIT_HARNESS_SDK") or "stand-in")
    if name.startswith("snapshot:"):
        folder = Path(name.removeprefix("snapshot:")).expanduser()
        if not (folder / "deployments/chatkit/chatkit.js").is_file():
            raise pytest.UsageError(f"--chatkit-sdk: {folder} has no deployments/chatkit/chatkit.js")
        return Sdk(name=name, folder=folder)
    if name not in ("stand-in", "live"):
        raise pytest.UsageError(f'--chatkit-sdk: "stand-in", "snapshot:<folder>" or "live", not {name!r}')
    return Sdk(name=name)


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any], browser_name: str) -> dict[str, Any]:
    """Trust the servers' own certificates, and let a page on a public name reach them."""
    permissions = {"permissions": ["local-network-access"]} if browser_name == "chromium" else {}
    return browser_context_args | permissions | {"ignore_https_errors": True}


@pytest.fixture(scope="session")
def stack(sdk: Sdk) -> Iterator[Stack]:
    """The embedded CDN and OpenAI API."""
    with serve_stack(scenario=Scenario(name="healthy"), sdk_dir=sdk.folder) as running:
        yield running


@pytest.fixture(scope="session")
def host_server() -> Iterator[HostServer]:
    """The server of host page and custom backend, started once."""
    with serve_host() as server:
        yield server


@pytest.fixture
def server(host_server: HostServer) -> HostServer:
    """The server of host page and custom backend, with nothing remembered."""
    host_server.reset()
    return host_server


@pytest.fixture
def host(page: Page, context: BrowserContext, stack: Stack, server: HostServer, sdk: Sdk) -> Host:
    """The host page, not yet opened; OpenAI's hosts are routed to the embedded servers."""
    stack.use(Scenario(name="healthy"))
    to = Destinations(cdn=stack.cdn_tls_url, api=stack.api_tls_url, app=server.tls_url)
    install_routes(context, to, on_blocked=lambda _method, _url: None)
    if sdk.is_live:
        context.route(CDN, lambda route: route.continue_())
    return Host(page, server)


@pytest.fixture
def secret(stack: Stack, host: Host) -> str:  # noqa: ARG001 (the session must outlive the reset of the stack)
    """A client secret that the embedded API accepts."""
    answer = httpx.post(
        f"{stack.api_url}/v1/chatkit/sessions",
        json={"workflow": {"id": WORKFLOW}, "user": "test-user"},
        headers={"authorization": f"Bearer {KEY}", "openai-beta": "chatkit_beta=v1"},
        trust_env=False,
    )
    return str(answer.json()["client_secret"])

"""The fixtures of the conformance suite, for tests of what only the stand-in has.

In: nothing. Out: fixtures; a run on another SDK skips these tests.
"""

from __future__ import annotations

import pytest

from conformance.conftest import browser_context_args, host, host_server, sdk, secret, server, stack
from harness.config.sdk_source import SdkSource

__all__ = ["browser_context_args", "host", "host_server", "sdk", "secret", "server", "stack"]


@pytest.fixture(autouse=True)
def stand_in_only(sdk: SdkSource) -> None:
    """Skip when another SDK is judged."""
    if sdk.name != "stand-in":
        pytest.skip(f"tests the stand-in, not {sdk.name}")

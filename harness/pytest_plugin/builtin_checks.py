"""The built-in checks: every entry of the project is opened once and must mount as configured.

Collected by `chatkit-harness gate`, before the tests of the project's own `test_dir`.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.errors import EmbedError
from harness.pytest_plugin.chatkit import Chatkit
from harness.pytest_plugin.expectations import expect


def test_embed(chatkit: Chatkit, chatkit_entry: str) -> None:
    """The widget mounts, its secret is fetched as configured, and the console is clean."""
    __tracebackhide__ = True
    embed = chatkit.open(chatkit_entry)
    expect(embed).to_be_mounted()
    checks: tuple[Callable[[], None], ...] = (expect(embed).to_have_clean_console,)
    if embed.target.prefetch == "required" and embed.result().mode != "custom":
        checks = (expect(embed).to_have_prefetched_client_secret, *checks)
    failures = [failure for failure in map(_failure_of, checks) if failure]
    if failures:
        raise EmbedError("\n\n".join(failures))


def _failure_of(check: Callable[[], None]) -> str:
    try:
        check()
    except EmbedError as failure:
        return str(failure)
    return ""

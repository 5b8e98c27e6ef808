"""The gate on the embedded default: both workflows mount, and each well-known fault fails as it should."""

from __future__ import annotations

import pytest

from harness import Chatkit, expect


@pytest.mark.parametrize("entry", ["topic-generation", "post-writer"])
def test_workflow_mounts(chatkit: Chatkit, entry: str) -> None:
    """Either button opens a chat whose secret was there first, by the page's own clock, and nothing is on the console."""
    embed = chatkit.open(entry)
    expect(embed).to_be_mounted()
    expect(embed).to_have_prefetched_client_secret()
    expect(embed).to_have_clean_console()
    expect(embed.element).to_be_visible()
    result = embed.result()
    assert 0 < result.secret_ended_page_ms <= result.connected_page_ms
    assert result.secret_url.endswith("/api/chatkit/session")


def test_secret_fetched_on_demand_is_told_apart(chatkit: Chatkit) -> None:
    """A widget that asks for its secret itself mounts too, and was not pre-fetched."""
    embed = chatkit.open("topic-generation", scenario="on-demand")
    expect(embed).to_be_mounted()
    expect(embed).not_to_have_prefetched_client_secret(outcome="on demand")


FAULTS = {
    "deadlock": ("element-absent", "element-defined"),  # first: it takes the longest
    "session-401": ("session-refused", "element-defined"),
    "workflow-404": ("session-refused", "element-defined"),
    "mock-secret": ("secret-rejected", "frame-booted"),
    "user-missing": ("session-refused", "element-defined"),
    "script-missing": ("element-not-defined", "page-loaded"),
    "script-blocked": ("script-failed", "script-requested"),
    "domain-not-verified": ("domain-not-verified", "composer-ready"),
}


@pytest.mark.parametrize("scenario", FAULTS)
def test_fault_fails_as_it_should(chatkit: Chatkit, scenario: str) -> None:
    """The mount fails for the right reason, and the last milestone reached is the right one."""
    reason, last_milestone = FAULTS[scenario]
    embed = chatkit.open("topic-generation", scenario=scenario)
    expect(embed).not_to_be_mounted(reason=reason, last_milestone=last_milestone)


def test_ready_is_not_mounted(chatkit: Chatkit) -> None:
    """`chatkit.ready` fires for a frame that answered 400; that proves nothing, and nothing is mounted."""
    embed = chatkit.open("topic-generation", scenario="frame-400")
    expect(embed).not_to_be_mounted(reason="frame-failed", last_milestone="options-accepted")
    assert embed.result().has_ready_event

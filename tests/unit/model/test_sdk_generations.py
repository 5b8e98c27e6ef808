"""What is known of ChatKit's options by generation, and which one somebody meant by a key that is none."""

from __future__ import annotations

import pytest

from harness.model.sdk_generations import FRAMES, GENERATIONS, OPTIONS, meant_by, path_without_indices
from tests.published_types import events_in, options_in

TYPES = """
export type ChatKitOptions = {
  /** Where: { it: 'is' } */
  api: CustomApi | HostedApi;
  onClientTool?: (call: { name: string }) => Promise<Record<string, unknown>>;
  prompts?: Prompt[]; // with an icon
  attachments?: { enabled: boolean; accept?: Record<string, string[]> };
};
export type CustomApi = { url: string; fetch?: typeof fetch };
export type HostedApi = { getClientSecret: (now: string | null) => Promise<string> };
export type Prompt = { label: string; inner?: Prompt };
export type ChatKitEvents = {
  'chatkit.ready': CustomEvent<void>;
  'chatkit.error': CustomEvent<{ error: Error }>;
};
"""


def test_types_are_read() -> None:
    """Comments, what functions take and return, and types within themselves are no options."""
    assert options_in(TYPES) == {
        "api", "api.url", "api.fetch", "api.getClientSecret", "onClientTool", "prompts", "prompts.label", "prompts.inner",
        "attachments", "attachments.enabled", "attachments.accept",
    }  # fmt: skip
    assert events_in(TYPES) == {"ready", "error"}


def test_generations_are_in_order() -> None:
    """By date; what the types got in August the frame of June does not have, and each option's parent is one, too."""
    dates = [generation.date for generation in GENERATIONS]
    assert dates == sorted(dates)
    assert {path for path, option in OPTIONS.items() if option.is_newer_than_frame} == {
        "commands", "commands.enabled", "commands.onSearch", "commands.onSelect",
    }  # fmt: skip
    assert all(path.rpartition(".")[0] in {"", *OPTIONS} for path in OPTIONS)
    assert set(FRAMES.values()) <= set(GENERATIONS)


@pytest.mark.parametrize(
    ("above", "key", "meant"),
    [
        ("composer", "placeHolder", "composer.placeholder"),
        ("composer", "placeholdr", "composer.placeholder"),
        ("", "start_screen", "startScreen"),
        ("", "initialThreadId", "initialThread"),
        ("", "greeting", "startScreen.greeting"),
        ("", "domainKey", "api.domainKey"),
        ("startScreen.prompts", "Icon", "startScreen.prompts.icon"),
        ("", "style", ""),
        ("", "colour", ""),
        ("", "icon", ""),
        ("header.title", "content", ""),
        ("nowhere", "foo", ""),
    ],
)
def test_what_is_meant(above: str, key: str, meant: str) -> None:
    """A similar name beside it, or this very name in one other place; everyday names and far ones mean nothing."""
    assert meant_by(above, key) == meant


def test_indices_are_left_out() -> None:
    """Of a path as the frame says it."""
    assert path_without_indices("startScreen.prompts[12].prompt[0].text") == "startScreen.prompts.prompt.text"

"""What a page says of its browser is kept where it can be true: a page may have changed what its scripts see."""

from __future__ import annotations

from playwright.sync_api import Page

from harness.drive.environment import environment_of
from harness.model.codec import fits, plain
from harness.model.recording import Environment

CHANGED = """() => {
  Object.defineProperty(navigator, 'language', { get: () => '<img src=x>' });
  Object.defineProperty(window, 'devicePixelRatio', { get: () => 'many' });
}"""


def test_what_no_browser_has_is_left_out(page: Page) -> None:
    """The rest is kept, and what is kept can be read from a manifest again."""
    untouched = environment_of(page)
    assert (untouched.scale, untouched.locale != "") == (1, True)
    page.evaluate(CHANGED)
    seen = environment_of(page)
    assert (seen.locale, seen.scale) == ("", 1)
    assert (seen.user_agent, seen.timezone, seen.width) == (untouched.user_agent, untouched.timezone, untouched.width)
    assert fits(Environment, plain(seen))

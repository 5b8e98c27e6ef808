"""What is said when the button that opens the chat is there, and cannot be clicked."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Page

from harness.drive import actions
from harness.drive.embed import Embed
from harness.errors import PageError
from harness.model.limits import Limits
from harness.model.redaction import Redactor
from harness.model.timeline import Timeline

BANNER = '<div class="consent" style="position: fixed; inset: 0">We value your privacy.</div>'
MOVING = "<style>@keyframes a { to { margin-left: 400px } } button { animation: a 1s infinite linear }</style>"


@pytest.mark.parametrize(
    ("html", "said"),
    [
        (f"<button>Help</button>{BANNER}", '<div class="consent"> covers it; close the banner first'),
        ("<button disabled>Help</button>", "it is disabled"),
        (f"<button>Help</button>{MOVING}", "it is moving"),
        ('<button style="position: fixed; left: -900px">Help</button>', "it cannot be scrolled to"),
        ("<button>Contact</button>", 'no button, link or text "Help" on about:blank; there are: "Contact"'),
    ],
)
def test_what_keeps_a_click_from_happening_is_named(
    page: Page, monkeypatch: pytest.MonkeyPatch, html: str, said: str
) -> None:
    """A banner of a consent manager is a reason to close it, and no reason to doubt the button's name."""
    monkeypatch.setattr(actions, "ACT_TIMEOUT_MS", 700)
    monkeypatch.setattr(actions, "FIND_TIMEOUT_MS", 700)
    monkeypatch.setattr(actions, "LISTEN_TIMEOUT_MS", 0)
    page.set_content(html)
    embed = Embed(
        page=page,
        timeline=Timeline(clock_ms=lambda: time.monotonic() * 1000, redactor=Redactor()),
        limits=Limits(),
        session_endpoint="",
        read_bodies=lambda: None,
    )
    with pytest.raises(PageError) as failure:
        embed.click("Help")
    assert said in str(failure.value)

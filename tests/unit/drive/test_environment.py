"""What was stored for a page before it opened is kept without its values."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Error

from harness.drive.environment import storage_of
from harness.drive.replay_context import net_error_of
from harness.model.redaction import Redactor

STATE: dict[str, Any] = {
    "cookies": [
        {"name": "sid", "value": "0123456789abcdef0123", "domain": "app.test", "path": "/"},
        {"name": "theme", "value": "dark", "domain": "app.test", "path": "/"},
        {"name": "empty", "value": "", "domain": "app.test", "path": "/"},
    ],
    "origins": [
        {
            "origin": "https://app.test",
            "localStorage": [
                {"name": "auth", "value": '{"access_token": "0123456789abcdefXYZ"}'},
                {"name": "n", "value": "5"},
            ],
        }
    ],
}


class Context:
    """A browser context with a state."""

    def storage_state(self) -> dict[str, Any]:
        """Return it."""
        return STATE


class Gone:
    """A browser context that is gone."""

    def storage_state(self) -> dict[str, Any]:
        """Raise as Playwright does."""
        raise Error("Target page, context or browser has been closed")


def test_values_of_cookies_and_tokens_are_placeholders() -> None:
    """A token is looked for everywhere from then on, an ordinary word is not."""
    redactor = Redactor()
    state = storage_of(Context(), redactor)  # type: ignore[arg-type]  # no browser here
    assert [cookie["value"] for cookie in state["cookies"]] == ["<redacted:cookie:1>", "<redacted:cookie:2>", ""]
    [origin] = state["origins"]
    assert [item["value"] for item in origin["localStorage"]] == ['{"access_token": "<redacted:secret:1>"}', "5"]
    assert redactor.text("dark 0123456789abcdef0123") == "dark <redacted:cookie:1>"


def test_a_context_that_is_gone_stored_nothing() -> None:
    """No test fails for it."""
    assert storage_of(Gone(), Redactor()) == {}  # type: ignore[arg-type]


def test_failures_have_playwrights_words() -> None:
    """Where it has none, the nearest; the timeline says the recorded one."""
    assert net_error_of("net::ERR_BLOCKED_BY_CLIENT.Inspector") == "blockedbyclient"
    assert net_error_of("net::ERR_NAME_NOT_RESOLVED") == "namenotresolved"
    assert net_error_of("net::ERR_CERT_AUTHORITY_INVALID") == "failed"
    assert net_error_of("NS_ERROR_CONNECTION_REFUSED") == "connectionrefused"
    assert net_error_of("NS_ERROR_SOMETHING") == "failed"

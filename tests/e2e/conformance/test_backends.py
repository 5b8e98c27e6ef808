"""A whole talk in custom mode with a backend that nobody scripted for the test: the embedded one, and OpenAI's own server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext

from conformance.host import APP, Host
from harness.servers.server import Stack

pytestmark = pytest.mark.filterwarnings("ignore:Direct usage of named widget classes:DeprecationWarning")

OPTIONS = """{
  api: { url: '/chatkit', domainKey: 'domain_pk_test_app' },
  disableTelemetry: true,
  onClientTool: noting('onClientTool', { ok: true }),
}"""


@pytest.fixture(scope="module")
def real_url() -> Iterator[str]:
    """The address of OpenAI's own server, with the embedded servers' replies."""
    reference = pytest.importorskip("tests.reference_backend", reason="needs the checkout, and its extra `clients`")
    with reference.serve_reference(tls=True) as server:
        yield server.url


@pytest.fixture(params=["embedded", "openai-chatkit"])
def page_host(request: pytest.FixtureRequest, host: Host, context: BrowserContext, stack: Stack) -> Host:
    """The host page on a production origin, whose `/chatkit` is answered by a real backend."""
    url = stack.app_tls_url if request.param == "embedded" else request.getfixturevalue("real_url")
    context.route(f"{APP}/chatkit", lambda route: route.continue_(url=f"{url}/chatkit"))
    host.boot(OPTIONS, origin=APP)
    return host


def test_messages_are_answered_and_found_again(page_host: Host) -> None:
    """§5.1, §5.3: two messages, their streamed answers, and after a reload the thread in the history with all of it."""
    page_host.send_and_wait("three topics about tea")
    page_host.send_and_wait("and coffee?")
    page_host.boot(OPTIONS, origin=APP)
    page_host.button("Conversation history").click()
    page_host.widget.get_by_text("three topics about tea").first.click()
    page_host.wait_for_event("thread.load.end")
    shown = page_host.frame.locator("#chatkit-thread-container")
    for text in ("three topics about tea", "and coffee?"):
        shown.get_by_text(text, exact=True).wait_for()
        shown.get_by_text(f"You asked: “{text}”. This answer comes from the stand-in, one word at a time.").wait_for()
    assert page_host.errors() == []


def test_client_tool_call_goes_round(page_host: Host) -> None:
    """§5.3: the page's tool is called once, and what it returned is answered in a further stream."""
    page_host.send("tool")
    page_host.widget.get_by_text("The tool returned").wait_for()
    page_host.wait_for_event("response.end")
    assert page_host.calls == [
        {"name": "onClientTool", "args": [{"name": "switch_theme", "params": {"theme": "dark"}}]}
    ], "§2.5"
    page_host.send_and_wait("still there?")
    page_host.widget.get_by_text("You asked: “still there?”.").wait_for()
    assert page_host.errors() == []


def test_failed_answer_is_asked_for_again(page_host: Host) -> None:
    """§1.11, §5.1: an exception in the backend is a StreamError; Retry asks once more, and takes the place of the rest."""
    page_host.send_and_wait("crash")
    assert [name for name, _ in page_host.errors()] == ["StreamError"]
    page_host.button("Retry").click()
    page_host.wait_for_event("response.end", 2)
    page_host.wait_for_event("error", 2)
    page_host.send_and_wait("hello")
    page_host.widget.get_by_text("You asked: “hello”.").wait_for()


def test_widget_buttons_reach_the_backend(page_host: Host) -> None:
    """§5.3: an action that streams and one that does not both change the card."""
    page_host.send_and_wait("widget")
    page_host.button("Add one").click()
    page_host.widget.get_by_text("Counted.").wait_for()
    page_host.widget.get_by_text("1", exact=True).wait_for()
    page_host.button("Add one at once").click()
    page_host.widget.get_by_text("2", exact=True).wait_for()
    assert page_host.errors() == []

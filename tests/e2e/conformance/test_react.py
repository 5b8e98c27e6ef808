"""The published React wrapper, unmodified, in a small Vite page: it mounts and chats. Protocol facts §1.13."""

from __future__ import annotations

import mimetypes
from pathlib import Path

import pytest

from conformance.events import answer, assistant, done, tool_call
from conformance.host import Host
from conformance.react_page import built_react_page
from conformance.server import Answer, HostServer, Stream


@pytest.fixture(scope="session")
def built_page() -> Path:
    """The built page, or a skip with the reason why there is none."""
    return built_react_page()


class ReactPage:
    """The page of `fixtures/pages/react` as a person sees it."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def open(self, query: str = "") -> None:
        """Open the page and wait until the composer stands."""
        self.host.page.goto(f"{self.host.server.url}/{query}", wait_until="domcontentloaded")
        self.wait_for("log composer.ready")

    def wait_for(self, line: str) -> None:
        """Wait for a line of the page's event log."""
        self.host.page.get_by_text(line, exact=True).first.wait_for()

    def lines(self) -> list[str]:
        """The page's event log."""
        return self.host.page.locator(".log li").all_inner_texts()

    def click(self, name: str) -> None:
        """Click a button of the page itself."""
        self.host.page.get_by_role("button", name=name).click()


@pytest.fixture
def react(host: Host, server: HostServer, built_page: Path) -> ReactPage:
    """The built page behind the test's own server."""
    server.page = (built_page / "index.html").read_text(encoding="utf-8")
    for path in (built_page / "assets").iterdir():
        media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        text = path.read_text(encoding="utf-8")
        server.on(f"/assets/{path.name}", Answer(text=text, media_type=media_type))
    return ReactPage(host)


def test_mounts_and_chats(react: ReactPage, host: Host, server: HostServer) -> None:
    """§1.13: options, events and a client tool go through the hook."""
    server.on("threads.create", answer(done(tool_call("count")), asked="Three topics about tea"))
    server.on("threads.add_client_tool_output", Stream(events=(done(assistant("Green, black, white.")),)))
    react.open()
    react.click("Clicked 0")
    react.click("Clicked 1")
    host.button("Topics").click()
    host.widget.get_by_text("Green, black, white.").wait_for()
    react.wait_for("response.end")
    (output,) = server.requests_of("threads.add_client_tool_output")
    assert output.params["result"] == {"name": "count", "params": {}, "clicks": 2}, "§1.13 not the latest closure"
    host.frame.locator("#chatkit-header button").last.click()
    react.wait_for("clicked at 2")
    lines = react.lines()
    assert {"ready", "response.start", "response.end", "thread.change thr_1"} <= set(lines), "§1.13"
    assert lines.count("ready") == 1, "§1.13"
    assert not [line for line in lines if line.startswith("error")]
    assert host.page_errors == []


def test_methods_and_live_options(react: ReactPage, host: Host, server: HostServer) -> None:
    """§1.13: the hook's methods work, and a new theme is an option of the same frame."""
    server.on("threads.create", answer(done(assistant("Got it.")), asked="Sent by the page"))
    react.open()
    element = host.page.locator("openai-chatkit")
    assert (element.get_attribute("data-color-scheme"), element.get_attribute("class")) == ("light", "chat")
    react.click("Switch theme")
    host.wait_until(lambda: element.get_attribute("data-color-scheme") == "dark", "the dark theme")
    react.click("Send a message")
    host.widget.get_by_text("Got it.").wait_for()
    react.wait_for("response.end")
    react.click("Leave the thread")
    react.wait_for("thread.change null")
    frames = [line for line in host.requests if "/deployments/chatkit/index-" in line]
    assert len(frames) == 1, "§1.13"
    assert host.page_errors == []


def test_hosted_mode(react: ReactPage, host: Host, server: HostServer, secret: str) -> None:
    """§1.13: getClientSecret goes through the hook too."""
    server.on("/api/chatkit/session", Answer(json={"client_secret": secret}))
    react.open("?mode=hosted")
    host.send("Three topics about tea")
    react.wait_for("response.end")
    assert [request.path for request in server.requests] == ["/api/chatkit/session"], "§1.13"
    assert any(line.startswith("thread.change cthr_") for line in react.lines())
    assert host.frame.locator("#chatkit-thread-container").inner_text().count("The assistant said:") == 1

"""The smallest page that embeds ChatKit, and what can be seen of the widget from there.

In: the options as JavaScript. Out: the element's events, the messages of the frame, and both documents. It uses nothing
that only one SDK has.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import ConsoleMessage, Frame, FrameLocator, Locator, Page

from conformance.server import HostServer

APP = "https://app.test"
LOADER = "https://cdn.platform.openai.com/deployments/chatkit/chatkit.js"
DEADLINE_MS = 120_000  # on a machine that is as busy as can be

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Host page</title><link rel="icon" href="data:,">
<style>body { margin: 0; } .slot { width: 400px; height: 640px; }</style>
<script>
  const seen = { events: [], messages: [], calls: [], errors: [], bubbled: [] };
  addEventListener('message', ({ data, origin }) => {
    if (data?.__oaiChatKit === true) seen.messages.push({ ...data, origin });
  });
  addEventListener('error', ({ message }) => seen.errors.push(message));
  const NAMES = ['ready', 'error', 'log', 'response.start', 'response.end', 'response.stop', 'thread.change',
    'thread.load.start', 'thread.load.end', 'tool.change', 'effect', 'deeplink', 'composer.submit',
    'composer.layout.change', 'toast.show', 'toast.hide', 'history.open', 'history.close'];
  const plainError = (error) => ({ name: error.name, message: error.message, isError: error instanceof Error });
  const plain = (detail) => (detail?.error ? { error: plainError(detail.error) } : detail);
  for (const name of NAMES) document.addEventListener(`chatkit.${name}`, ({ target }) => seen.bubbled.push(name));
  /* Note every call of a function among the options. */
  const noting = (name, answer) => async (...args) => {
    seen.calls.push({ name, args });
    return typeof answer === 'function' ? answer(...args) : answer;
  };
  const watch = (element) => {
    element.seen = [];
    for (const name of NAMES) element.addEventListener(`chatkit.${name}`, ({ detail, bubbles, composed }) => {
      const event = { name, detail: plain(detail), bubbles, composed };
      element.seen.push(event);
      seen.events.push(event);
    });
    return element;
  };
  const slot = () => {
    const node = document.createElement('div');
    node.className = 'slot';
    document.body.append(node);
    return node;
  };
  const mount = (options, at = slot()) => {
    const element = watch(document.createElement('openai-chatkit'));
    element.setOptions(options);
    at.append(element);
    window.chat = element;
    return element;
  };
</script>
LOADER
</head><body>
<script>
SCRIPT
</script>
</body></html>
"""


class Host:
    """One visit to the host page."""

    def __init__(self, page: Page, server: HostServer) -> None:
        self.page = page
        self.server = server
        self.console: list[ConsoleMessage] = []
        self.page_errors: list[str] = []
        self.requests: list[str] = []
        self.failed: list[str] = []
        page.on("console", lambda message: self.console.append(message))
        page.on("pageerror", lambda error: self.page_errors.append(f"{error.name}: {error.message}"))
        page.on("requestfailed", lambda request: self.failed.append(f"{request.method} {request.url.split('#')[0]}"))
        page.on("request", lambda request: self.requests.append(f"{request.method} {request.url.split('#')[0]}"))

    # --- opening ---------------------------------------------------------------------------------------------------

    def open(
        self,
        script: str,
        *,
        origin: str = "",
        loader: str = f'<script src="{LOADER}"></script>',
        headers: dict[str, str] | None = None,
    ) -> None:
        """Open the page and run a script in its body. `origin`: https://app.test, else loopback."""
        self.server.page = PAGE.replace("LOADER", loader).replace("SCRIPT", script)
        self.server.page_headers = headers or {}
        self.page.goto(f"{origin or self.server.url}/", wait_until="domcontentloaded")

    def mount(self, options: str, **settings: Any) -> None:
        """Open the page with one element of these options."""
        self.open(f"mount({options});", **settings)

    def boot(self, options: str, **settings: Any) -> None:
        """Open the page and wait until the composer stands."""
        self.mount(options, **settings)
        self.wait_for_log("composer.ready")

    def custom(self, more: str = "", api: str = "") -> str:
        """Return options for custom mode against the test's own server, telemetry off."""
        return f"{{ api: {{ url: '/chatkit', domainKey: 'local-dev', {api} }}, disableTelemetry: true, {more} }}"

    # --- looking ---------------------------------------------------------------------------------------------------

    def evaluate(self, expression: str, argument: Any = None) -> Any:
        """Return what an expression in the page gives."""
        return self.page.evaluate(expression, argument)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of the element so far: name without prefix, detail, bubbles, composed."""
        found: list[dict[str, Any]] = self.evaluate("() => JSON.parse(JSON.stringify(seen.events))")
        return found

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The frame's messages so far."""
        found: list[dict[str, Any]] = self.evaluate("() => JSON.parse(JSON.stringify(seen.messages))")
        return found

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The calls of functions that were wrapped by `noting`: name, args."""
        found: list[dict[str, Any]] = self.evaluate("() => JSON.parse(JSON.stringify(seen.calls))")
        return found

    def names(self) -> list[str]:
        """The names of the element's events so far; a log entry as "log:<its name>"."""
        return [f"log:{e['detail']['name']}" if e["name"] == "log" else e["name"] for e in self.events]

    def errors(self) -> list[tuple[str, str]]:
        """Name and message of each `chatkit.error` so far."""
        found = (event["detail"]["error"] for event in self.events if event["name"] == "error")
        return [(error["name"], error["message"]) for error in found]

    def texts(self, kind: str) -> list[str]:
        """The console messages of one kind, such as "warning"."""
        return [message.text for message in self.console if message.type == kind]

    @property
    def frame(self) -> Frame:
        """The first ChatKit frame."""
        return next(frame for frame in self.page.frames if frame.name == "chatkit")

    @property
    def widget(self) -> FrameLocator:
        """What the first ChatKit frame shows."""
        return self.page.frame_locator("iframe.ck-iframe").first

    @property
    def editor(self) -> Locator:
        """Where a person types."""
        return self.widget.get_by_role("textbox").first

    def button(self, name: str) -> Locator:
        """A button of the widget by its accessible name."""
        return self.widget.get_by_role("button", name=name, exact=True)

    # --- waiting ---------------------------------------------------------------------------------------------------

    def wait_for(self, expression: str, argument: Any = None) -> None:
        """Wait until an expression in the page is true."""
        self.page.wait_for_function(expression, arg=argument, timeout=DEADLINE_MS, polling=20)

    def wait_for_event(self, name: str, count: int = 1) -> None:
        """Wait until the element has dispatched that many events of a name."""
        self.wait_for("([name, count]) => seen.events.filter((e) => e.name === name).length >= count", [name, count])

    def wait_for_log(self, name: str, count: int = 1) -> None:
        """Wait until the frame has logged a name that often."""
        self.wait_for(
            "([name, count]) => seen.events.filter((e) => e.name === 'log' && e.detail.name === name).length >= count",
            [name, count],
        )

    def wait_until(self, is_so: Callable[[], bool], what: str) -> None:
        """Wait for something that only this process can see, such as a request that arrived."""
        deadline = time.monotonic() + DEADLINE_MS / 1000
        while not is_so():
            if time.monotonic() > deadline:
                raise AssertionError(f"did not happen within {DEADLINE_MS / 1000:g} s: {what}")
            self.page.wait_for_timeout(20)

    def wait_for_uncaught(self, text: str) -> None:
        """Wait for an uncaught error that ends in a text, in whichever document."""
        self.wait_until(lambda: any(error.endswith(text) for error in self.page_errors), f"an uncaught {text!r}")

    # --- acting ----------------------------------------------------------------------------------------------------

    def send(self, text: str) -> None:
        """Type a message and press Enter, as a person does."""
        self.editor.click()
        self.page.keyboard.type(text)
        self.page.keyboard.press("Enter")

    def send_and_wait(self, text: str) -> None:
        """Send a message and wait for the end of the answer."""
        before = self.names().count("response.end")
        self.send(text)
        self.wait_for_event("response.end", before + 1)

"""The harness is a polite guest: a page behaves the same with it attached."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import BrowserContext, Page

from harness import Chatkit, expect
from harness.servers.network_path import serve_network_path
from harness.servers.server import Stack
from harness.visit.opening import context_options, destinations_of

# What the page can see of its own world: globals, natives, event order, DOM.
LOOK = """() => {
  const log = [...document.querySelectorAll('#log li')].map((line) => line.lastChild.textContent);
  const el = document.querySelector('openai-chatkit');
  return {
    log,
    attributes: [...el.attributes].map((a) => a.name + '=' + a.value),
    shadow: [...el.shadowRoot.children].map((c) => c.outerHTML.replace(/src="[^"]*"/, '').slice(0, 300)),
    natives: [fetch, postMessage, setTimeout, customElements.define].map(String),
    attachShadow: [Element.prototype.attachShadow.name, Element.prototype.attachShadow.length],
  };
}"""


def test_page_sees_the_same_with_and_without_the_harness(
    chatkit: Chatkit, new_context: Any, chatkit_stack: Any, chatkit_config: Any
) -> None:
    """Event order, shadow DOM, attributes and natives are the same."""
    embed = chatkit.open("topic-generation")
    expect(embed).to_be_mounted()
    attached = embed.page.evaluate(LOOK)
    stack: Stack = chatkit_stack()
    with serve_network_path(destinations_of(stack)) as path:
        context: BrowserContext = new_context(**context_options(chatkit_config, "hermetic", proxy_url=path.url))
        page: Page = context.new_page()
        page.goto(f"{stack.app_url}/test-chatkit")
        page.get_by_role("button", name="Topic Generation").click()
        page.get_by_text("chatkit.log composer.ready").wait_for()
        alone = page.evaluate(LOOK)
    # `chatkit.ready` may come before or after the frame's first words: that is the browser's choice, not ours.
    attached["log"].sort()
    alone["log"].sort()
    assert attached == alone

"""Takes what a page looks like at one moment: screenshots and the DOM with its open shadow roots and frames.

In: a page. Out: bytes and text, or None where the browser does not answer in time. Never raises for the page's sake.
"""

from __future__ import annotations

import asyncio
import html

from playwright.sync_api import Error, Frame, Page

ANSWER_TIMEOUT_MS = 3_000
LARGEST_DOM_CHARS = 400_000

SERIALIZE = """() => {
  const roots = [], walk = (node) => {
    for (const el of node.querySelectorAll('*')) if (el.shadowRoot) { roots.push(el.shadowRoot); walk(el.shadowRoot); }
  };
  walk(document);
  const root = document.documentElement;
  if (!root) return '';
  const attributes = [...root.attributes].map((a) => ` ${a.name}="${a.value.replaceAll('"', '&quot;')}"`).join('');
  const inner = root.getHTML ? root.getHTML({ shadowRoots: roots }) : root.innerHTML;
  return `<html${attributes}>${inner}</html>`;
}"""

# The saved page must not run anything, nor fetch anything, when a person opens it.
POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    "style-src 'unsafe-inline'; frame-src 'self'; img-src data:\">"
)


def page_screenshot(page: Page) -> bytes | None:
    """Return the viewport as PNG."""
    try:
        return page.screenshot(timeout=ANSWER_TIMEOUT_MS, animations="disabled", caret="hide")
    except Error:
        return None


def element_screenshot(page: Page) -> bytes | None:
    """Return the first `<openai-chatkit>` as PNG; None when it has no box."""
    try:
        element = page.locator("openai-chatkit").first
        box = element.bounding_box(timeout=500)
        if box is None or box["width"] < 1 or box["height"] < 1:
            return None
        return element.screenshot(timeout=ANSWER_TIMEOUT_MS, animations="disabled", caret="hide")
    except Error:
        return None


def dom_html(page: Page) -> str:
    """Return one HTML file with the page's DOM and, below it, each frame's."""
    main, *children = page.frames
    top, *others = page._sync(_serialized([main, *children]))
    frames = "".join(
        f"\n<hr><p>frame <code>{html.escape(frame.url.split('#')[0])}</code></p>"
        f'<iframe sandbox="" style="width:100%;height:480px" srcdoc="{html.escape(POLICY + text)}"></iframe>'
        for frame, text in zip(children, others, strict=True)
    )
    return f"<!doctype html>{POLICY}\n{top}{frames}\n"


async def _serialized(frames: list[Frame]) -> list[str]:
    """Return each frame's DOM. One that never commits would keep `evaluate` waiting without an end, hence the limit."""

    async def one(frame: Frame) -> str:
        try:
            text = await asyncio.wait_for(frame._impl_obj.evaluate(SERIALIZE), ANSWER_TIMEOUT_MS / 1000)
        except (Error, TimeoutError) as error:
            reason = str(error).splitlines()[0] if str(error) else "time-out"
            return f"<!-- this document did not answer: {html.escape(reason)} -->"
        return _cut(str(text))

    return list(await asyncio.gather(*map(one, frames)))


def _cut(text: str) -> str:
    if len(text) <= LARGEST_DOM_CHARS:
        return text
    return text[:LARGEST_DOM_CHARS] + f"<!-- cut after {LARGEST_DOM_CHARS} of {len(text)} characters -->"

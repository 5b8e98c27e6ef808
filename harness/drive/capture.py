"""Captures a page: screenshots, and the DOM with its open shadow roots and frames.

In: a page. Out: bytes and text, or None where the browser does not answer in time. Never raises for the page's sake. In screenshots
elements whose text holds a secret are covered.
"""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Error, FloatRect, Frame, Locator, Page, ViewportSize

from harness.model.bounds import FULL, Bounds
from harness.model.chatkit import TAG
from harness.model.redaction import LONGEST_SECRET_CHARS, Redactor, in_markup
from harness.observe.playwright_private import evaluated, run_on_loop

ANSWER_TIMEOUT_MS = 3_000
LARGEST_SHOWN_CHARS = 400_000
MOST_MASKS = 50

SERIALIZE = """(most) => {
  const roots = [], walk = (node) => {
    for (const el of node.querySelectorAll('*')) if (el.shadowRoot) { roots.push(el.shadowRoot); walk(el.shadowRoot); }
  };
  walk(document);
  const root = document.documentElement;
  if (!root) return { text: '', length: 0 };
  const attributes = [...root.attributes].map((a) => ` ${a.name}="${a.value.replaceAll('"', '&quot;')}"`).join('');
  const inner = root.getHTML ? root.getHTML({ shadowRoots: roots }) : root.innerHTML;
  const text = `<html${attributes}>${inner}</html>`;
  return { text: text.slice(0, most), length: text.length };
}"""

# What a person can read in a frame, open shadow roots included; scripts are in it too, and match nothing that is visible.
SHOWN = f"""() => {{
  const texts = [], fields = [], loose = [], walk = (root) => {{
    texts.push(root.textContent ?? '');
    for (const el of root.querySelectorAll('*')) {{
      if (el.shadowRoot) {{
        walk(el.shadowRoot);
        for (const node of el.shadowRoot.childNodes) if (node.nodeType === Node.TEXT_NODE) loose.push(node.data);
      }}
      if (typeof el.value === 'string' && el.value.length > 5) fields.push(el.value);
    }}
  }};
  if (document.documentElement) walk(document.documentElement);
  const joined = (parts) => parts.join('\\n').slice(0, {LARGEST_SHOWN_CHARS});
  return {{ texts: joined(texts), fields: joined(fields), loose: joined(loose) }};
}}"""

# The saved page must not run anything, nor ask for anything, nor lead elsewhere by itself, when a person opens it.
POLICY = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; base-uri 'none'; form-action 'none'\">"
    '<meta http-equiv="x-dns-prefetch-control" content="off">'
)
# No policy keeps a refresh from leaving the page, or a link's hint from opening a connection.
REFRESH = re.compile(r"http-equiv(?=[\s/]*=)", re.IGNORECASE)
LINK = re.compile(r"<link(?=[\s/>])", re.IGNORECASE)


NO_DOM = f"<!doctype html>{POLICY}\n<!-- this document did not answer: time-out -->\n"  # of a page that answers nothing


def secret_elements(page: Page, redactor: Redactor) -> list[Locator] | None:
    """Return locators of what shows a secret, in every frame: texts that hold one, and the fields of a frame where a field does.

    None when the page itself does not answer: it is busy, or was never there.
    """
    masks: list[Locator] = []
    frames = page.frames
    answers = run_on_loop(page, _evaluated(frames, SHOWN))
    if isinstance(answers[0], _Silence):
        return None
    for frame, answer in zip(frames, answers, strict=True):
        if not isinstance(answer, dict):
            continue
        texts, fields = str(answer["texts"]), str(answer["fields"])
        redactor.text(texts)  # it may show what nobody has seen yet
        masks += [frame.get_by_text(value) for value in redactor.secrets if value in texts]
        loose = str(answer["loose"])
        if redactor.text(loose) != loose:  # directly in a shadow root: no element that a locator could name
            masks.append(frame.locator("body"))
        if redactor.text(fields) != fields:
            masks.append(frame.locator("input, textarea, select"))
    return masks[:MOST_MASKS]


def page_screenshot(page: Page, mask: Sequence[Locator] = ()) -> bytes | None:
    """Return the viewport as PNG."""
    try:
        return page.screenshot(timeout=ANSWER_TIMEOUT_MS, animations="disabled", caret="hide", mask=mask)
    except Error:
        return None


def element_screenshot(page: Page, mask: Sequence[Locator] = (), most_px: int = FULL.screenshot_px) -> bytes | None:
    """Return the first `<openai-chatkit>` as PNG; None when it has no box, or one of too many pixels."""
    try:
        element = page.locator(TAG).first
        box = element.bounding_box(timeout=500)
        if box is None or box["width"] < 1 or box["height"] < 1 or box["width"] * box["height"] > most_px:
            return None
        if _is_in_sight(box, page.viewport_size):  # a clip needs no scrolling, and half the time
            return page.screenshot(timeout=ANSWER_TIMEOUT_MS, animations="disabled", caret="hide", mask=mask, clip=box)
        return element.screenshot(timeout=ANSWER_TIMEOUT_MS, animations="disabled", caret="hide", mask=mask)
    except Error:
        return None


def _is_in_sight(box: FloatRect, viewport: ViewportSize | None) -> bool:
    return (
        viewport is not None
        and min(box["x"], box["y"]) >= 0
        and box["x"] + box["width"] <= viewport["width"]
        and box["y"] + box["height"] <= viewport["height"]
    )


def dom_html(page: Page, redactor: Redactor, bounds: Bounds = FULL) -> str:
    """Return one HTML file with the page's DOM and, below it, each frame's; omissions are noted in comments."""
    main, *children = page.frames[: bounds.frames]
    answers = run_on_loop(page, _evaluated([main, *children], SERIALIZE, bounds.dom_chars + LONGEST_SECRET_CHARS))
    top, *others = (_document(answer, redactor, bounds.dom_chars) for answer in answers)
    more = len(page.frames) - bounds.frames
    top = harmless(top)
    frames = "".join(
        f"\n<hr><p>frame <code>{html.escape(frame.url.split('#')[0])}</code></p>"
        f'<iframe sandbox="" style="width:100%;height:480px" srcdoc="{html.escape(POLICY + harmless(text))}"></iframe>'
        for frame, text in zip(children, others, strict=True)
    )
    left_out = f"\n<!-- {more} more frames are omitted -->" if more > 0 else ""
    return f"<!doctype html>{POLICY}\n{top}{frames}{left_out}\n"


def harmless(markup: str) -> str:
    """Return markup that does no more by itself than the policy before it allows; what it shows stays the same.

    Names of tags and attributes cannot be written in another way, so that two words are enough. Both elements have no content.
    """
    return LINK.sub("<meta data-was=link", REFRESH.sub(r"data-\g<0>", markup))


def _document(answer: Any, redactor: Redactor, most_chars: int) -> str:
    """One frame's DOM, redacted before it is cut."""
    if isinstance(answer, _Silence):
        return f"<!-- this document did not answer: {html.escape(answer.reason)} -->"
    text = in_markup(redactor.cut(answer["text"], most_chars))
    is_cut = answer["length"] > most_chars
    return text + (f"<!-- truncated after {len(text)} of {answer['length']} characters -->" if is_cut else "")


@dataclass(frozen=True, slots=True)
class _Silence:
    """A frame that did not answer."""

    reason: str


async def _evaluated(frames: list[Frame], expression: str, argument: Any = None) -> list[Any]:
    """Return each frame's answer. One that never commits would keep `evaluate` waiting without an end, hence the limit."""

    async def one(frame: Frame) -> Any:
        try:
            return await asyncio.wait_for(evaluated(frame, expression, argument), ANSWER_TIMEOUT_MS / 1000)
        except (Error, TimeoutError) as error:
            return _Silence(str(error).splitlines()[0] if str(error) else "time-out")

    return list(await asyncio.gather(*map(one, frames)))

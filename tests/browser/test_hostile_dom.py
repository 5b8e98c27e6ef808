"""What a hostile page put into `dom.html` does nothing when a person opens it: nothing runs, nothing is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page

from harness.drive.capture import dom_html
from harness.model.redaction import Redactor
from tests.site import Answer, serve_site

RUN = "window.ran = (window.ran || 0) + 1; console.log('RAN'); fetch('SITE/ran')"
MARKUP = """
<base href="SITE/base/">
<link rel="stylesheet" href="SITE/style.css"><LINK/rel=preload as=image href=SITE/preload>
<link rel=preconnect href="SITE/preconnect"><link rel=prefetch href="SITE/prefetch"><link rel=icon href="SITE/icon">
<link rel=manifest href="SITE/manifest"><link rel=modulepreload href="SITE/module">
<style>@import url("SITE/import.css"); @font-face { font-family: evil; src: url(SITE/font) }
  body { background: url(SITE/background); font-family: evil; color: rgb(1, 2, 3) }</style>
<script>RUN</script><script src="SITE/script.js"></script><script type="module">RUN</script>
<script type="speculationrules">{"prefetch": [{"source": "list", "urls": ["SITE/speculation"]}]}</script>
<img src="SITE/image" onerror="RUN"><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" onload="RUN" onerror="RUN">
<picture><source srcset="SITE/source"><img src="x"></picture><input type="image" src="SITE/input">
<input autofocus onfocus="RUN"><details open ontoggle="RUN"><summary>s</summary></details>
<svg onload="RUN"><style>@import "SITE/svg.css";</style><script>RUN</script><image href="SITE/svg-image"/>
  <use href="SITE/use#a"/><animate onbegin="RUN" attributeName="x" dur="1s"/><a href="javascript:RUN"><text y="9">x</text></a></svg>
<math><mtext href="javascript:RUN">m</mtext></math>
<video src="SITE/video" poster="SITE/poster" autoplay onerror="RUN"><track default src="SITE/track"></video><audio src="SITE/audio"></audio>
<iframe src="SITE/frame"></iframe><iframe src="javascript:RUN"></iframe>
<iframe srcdoc="<script>RUN</script>
  <meta http-equiv=refresh content='0;url=SITE/refresh-in-frame'><img src=SITE/in-srcdoc onerror=RUN>"></iframe>
<object data="SITE/object"></object><embed src="SITE/embed"><table background="SITE/table"><tr><td>t</td></tr></table>
<div id="host"><template shadowrootmode="open"><img src="SITE/in-shadow" onerror="RUN"><script>RUN</script></template></div>
<a id="link" href="javascript:RUN" ping="SITE/ping">a link</a>
<form id="form" action="SITE/form"><button id="submit" formaction="javascript:RUN">send</button><button id="post">post</button></form>
<p id="told">what the page says</p>
"""
# A page writes its own serializer, and this is what it returns: it ends whatever it may stand in, and goes elsewhere.
FORGED = (
    """--></style></script></title></textarea></template></head><body>
<meta http-equiv="refresh" content="0;url=SITE/refresh"><meta HTTP-Equiv = 'Refresh' content='0;url=SITE/refresh-2'>
<META/HTTP-EQUIV=refresh/content=0;url=SITE/refresh-3><meta http-equiv
 = refresh content="0; url=SITE/refresh-4"><svg><meta http-equiv=refresh content="0;url=SITE/refresh-5"></svg>
"""
    + MARKUP
)


def page_of(site: str, markup: str, *, forged: str = "") -> bytes:
    """A page with this markup; with `forged`, it answers with that when it is asked for its DOM."""
    literal = json.dumps(forged).replace("<", "\\u003c")
    forgery = f"<script>Element.prototype.getHTML = () => {literal};</script>" if forged else ""
    return (
        f"<!doctype html><title>hostile</title><body>{forgery}{markup}".replace("RUN", RUN).replace("SITE", site)
    ).encode()


def opened(context: BrowserContext, path: Path) -> tuple[Page, list[str]]:
    """Open a saved file as a person does; return the page and what its console said of scripts that ran."""
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.text == "RAN" else None)
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.goto(path.as_uri())
    page.wait_for_load_state("networkidle")
    return page, said


@pytest.mark.parametrize("kind", ["as it is", "forged"])
def test_a_saved_page_runs_nothing_and_asks_for_nothing(
    page: Page, context: BrowserContext, tmp_path: Path, kind: str
) -> None:
    """Scripts, handlers, imports, frames, hints, refreshes, forms and javascript: links, in the page, a frame and a shadow root."""
    asked: list[str] = []
    asked_by_saved: list[str] = []
    answers = {"/style.css": Answer(media_type="text/css"), "/script.js": Answer(media_type="text/javascript")}
    site_pages: dict[str, Answer] = dict(answers)
    # The saved page gets a site of its own: the last requests of the page itself may come late.
    with serve_site(site_pages, asked) as site, serve_site(site_pages, asked_by_saved) as own_site:
        in_frame = MARKUP.replace("SITE/frame", "about:blank").replace("SITE/base/", "SITE/")
        site_pages["/frame"] = Answer(body=page_of(site, in_frame))
        forged = FORGED.replace("RUN", RUN).replace("SITE", site) if kind == "forged" else ""
        site_pages["/"] = Answer(body=page_of(site, MARKUP, forged=forged))
        page.goto(site, wait_until="load")
        saved = tmp_path / "dom.html"
        text = dom_html(page, Redactor()).replace(site.rpartition(":")[2], own_site.rpartition(":")[2])
        saved.write_text(text, encoding="utf-8")
        assert own_site in text
        assert "<link" not in text.lower()  # a connection that is only opened asks for nothing that could be seen here
        page.goto("about:blank")
        assert {"/ran", "/import.css", "/svg.css", "/frame", "/in-shadow"} <= set(asked)  # the page itself did all that
        shown, said = opened(context, saved)
        for name in ("#link", "#post", "#submit"):
            shown.locator(name).first.dispatch_event("click")
            shown.locator(name).first.click(force=True, no_wait_after=True)
        shown.wait_for_load_state("networkidle")
        assert shown.url == saved.as_uri()
        assert said == []
        assert shown.evaluate("window.ran") is None
        assert shown.locator("#told").first.inner_text() == "what the page says"
        assert shown.evaluate("getComputedStyle(document.body).color") == "rgb(1, 2, 3)"  # its own styles are kept
        if kind == "as it is":
            assert shown.frame_locator("iframe[sandbox]").first.locator("#told").inner_text() == "what the page says"
        assert asked_by_saved == []


def test_the_test_itself_can_fail(context: BrowserContext, tmp_path: Path) -> None:
    """The same markup saved without protection runs, asks, and leaves."""
    asked: list[str] = []
    with serve_site({}, asked) as site:
        saved = tmp_path / "raw.html"
        saved.write_bytes(page_of(site, FORGED))
        _, said = opened(context, saved)
        assert said
        assert any(path.startswith("/refresh") for path in asked)
        assert {"/ran", "/import.css", "/svg.css", "/frame"} <= set(asked)

"""Clicks on pages whose handlers come late, come once, or hide among noise: how many are lost, how many come twice.

    python benchmarks/clicks.py [--visits 200] [--load 0] [--only NAME]

The pages are small and served on loopback. Each has a button from the start, and counts in `heard` what its own handler got: 0 is a
lost click, more than 1 a double one. `--load N` keeps N processes busy meanwhile. Prints a line for each kind of page. Exit code 1
when a click was lost or came twice. `benchmarks/clicks_apps.py` counts the same on apps of real frameworks.
"""

# ruff: noqa: E501 (pages in one line each)

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.soak import busy
from harness.drive.browsers import find_browser
from harness.drive.embed import Embed
from harness.errors import PageError
from harness.model.events import ActionEnded
from harness.model.limits import Limits
from harness.model.redaction import Redactor
from harness.model.timeline import Timeline
from harness.observe.bodies import BodyStore
from harness.observe.network import NetworkObserver
from tests.site import Answer, serve_site

HEAD = """<!doctype html><title>Shop</title><main><button>Chat</button><p id="out" hidden>closed</p></main><script>
let heard = 0, isOpen = false;
const button = document.querySelector('button'), out = document.getElementById('out'), main = document.querySelector('main');
const open_ = () => { heard++; out.textContent = 'open'; };
const toggle = () => { heard++; isOpen = !isOpen; out.hidden = !isOpen; };
const after = (ms, what) => setTimeout(what, ms);
const onDocument = (what) => document.addEventListener('click', (event) => event.target === button && what());
const chunk = (what) => { const script = document.createElement('script'); script.src = '/chunk.js'; script.onload = what; document.head.append(script); };
"""
# A clock, a spinner, requests again and again, and a socket that stays open.
RESTED_MS = 2_000  # a page marked so is left alone first
NOISE = """
setInterval(() => { out.dataset.now = Date.now(); }, 40);
setInterval(() => { main.style.opacity = main.style.opacity === '1' ? '0.99' : '1'; }, 100);
setInterval(() => { fetch('/poll'); }, 200);
new EventSource('/never');
"""
# As React 17 and later do it: one root hears every kind of event, before the components behind it are there.
ROOT = """
let isHydrated = false;
for (const type of ['click', 'mousedown', 'mouseup', 'keydown', 'keyup', 'input', 'change', 'focusin', 'focusout', 'drag', 'drop', 'copy', 'paste', 'wheel'])
  main.addEventListener(type, (event) => { if (type === 'click' && event.target === button && isHydrated) open_(); });
"""
MEASURED = "document.addEventListener('click', () => {{ {0} }});"
PAGES = {
    "handler at once": "button.onclick = open_;",
    "handler after 0.3 s": "after(300, () => { button.onclick = open_; });",
    "handler after 1 s": "after(1000, () => { button.onclick = open_; });",
    "handler after 3 s": "after(3000, () => { button.onclick = open_; });",
    "toggle at once": "button.onclick = toggle;",
    "toggle after 1 s": "after(1000, () => { button.onclick = toggle; });",
    "toggle that shows nothing, after 0.3 s": "after(300, () => { button.onclick = () => { heard++; }; });",
    "delegated to the document": "onDocument(open_);",
    "delegated to the document after 1 s": "after(1000, () => onDocument(open_));",
    "delegated toggle, while a chunk loads": "onDocument(toggle); chunk(() => {});",
    "delegated, effect 1 s later, while a chunk loads": "onDocument(() => { heard++; after(1000, () => { out.textContent = 'open'; }); }); chunk(() => {});",
    "delegated, shows nothing, long after the page was ready": "onDocument(() => { heard++; }); /*rested*/",
    "delegated, effect 2 s later, long after the page was ready": "onDocument(() => { heard++; after(2000, () => { out.textContent = 'open'; }); }); /*rested*/",
    "measured, delegated to the document after 1 s": f"{MEASURED.format('')} after(1000, () => onDocument(open_));",
    "replaced by another button after 0.5 s": "after(500, () => { const other = button.cloneNode(true); other.onclick = open_; button.replaceWith(other); });",
    "noise, handler after 1 s": f"{NOISE} after(1000, () => {{ button.onclick = open_; }});",
    "noise, toggle after 3 s": f"{NOISE} after(3000, () => {{ button.onclick = toggle; }});",
    "measured by a beacon, handler after 1 s": f"{MEASURED.format('navigator.sendBeacon(`/hit`)')} after(1000, () => {{ button.onclick = open_; }});",
    "measured by a request, handler after 1 s": f"{MEASURED.format('fetch(`/hit`)')} after(1000, () => {{ button.onclick = open_; }});",
    "measured in the console, toggle after 1 s": f"{MEASURED.format('console.log(`click`)')} after(1000, () => {{ button.onclick = toggle; }});",
    "measured, silent toggle as the page has loaded": f"{MEASURED.format('')} addEventListener('load', () => after(60, () => {{ button.onclick = () => {{ heard++; }}; }}));",
    "effect after 0.3 s": "button.onclick = () => { heard++; after(300, () => { out.textContent = 'open'; }); };",
    "effect after 1 s": "button.onclick = () => { heard++; after(1000, () => { out.textContent = 'open'; }); };",
    "effect by a chunk": "button.onclick = () => { heard++; chunk(() => { out.textContent = 'open'; }); };",
    "opens on pointerdown": "after(300, () => button.addEventListener('pointerdown', open_));",
    "root that is hydrated": f"{ROOT} isHydrated = true;",
    "root that is hydrated 2 s later": f"{ROOT} after(2000, () => {{ isHydrated = true; }});",
    "root, effect 1 s later": f"{ROOT.replace('open_()', '{ heard++; after(1000, open__); }')} const open__ = () => {{ out.textContent = 'open'; }}; isHydrated = true;",
    "noise, root whose components come with a chunk": f"{NOISE} {ROOT} chunk(() => {{ isHydrated = true; }});",
    "root whose components come with a chunk": f"{ROOT} chunk(() => {{ isHydrated = true; }});",
}  # fmt: skip
ANSWERS = {
    "/chunk.js": Answer(media_type="text/javascript", pieces=(b"// \n",) * 6),  # 1.2 s
    "/poll": Answer(body=b"{}", media_type="application/json"),
    "/hit": Answer(status=204),
    "/never": Answer(media_type="text/event-stream", never_ends=True),
}


def clicked(browser: Browser, url: str) -> tuple[int, float, ActionEnded | None]:
    """Click once on a fresh page; return how often its handler ran, the seconds it took, and what is said of it."""
    with browser.new_context() as context:
        page = context.new_page()
        timeline = Timeline(clock_ms=lambda: time.monotonic() * 1000, redactor=Redactor())
        NetworkObserver(timeline, BodyStore(Redactor()), "salt").attach(context, page)
        embed = Embed(page=page, timeline=timeline, limits=Limits(), session_endpoint="", read_bodies=lambda: None)
        embed.goto(url, timeout_ms=60_000)
        if page.content().count("/*rested*/"):
            page.wait_for_timeout(RESTED_MS)
        began = time.monotonic()
        try:
            embed.click("Chat")
        except PageError as error:
            print(f"  {error}", flush=True)
        took = time.monotonic() - began
        said = [entry.event for entry in timeline.entries if isinstance(entry.event, ActionEnded)]
        return int(page.evaluate("heard")), took, said[-1] if said else None


def main() -> None:
    """Visit, count, and say what was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, default=200, help="in all, over the kinds of pages")
    parser.add_argument("--load", type=int, default=0, help="how many processes burn processor time meanwhile")
    parser.add_argument("--only", default="", help="only the pages whose name has this text")
    options = parser.parse_args()
    pages = {name: script for name, script in PAGES.items() if options.only in name}
    if not pages:
        parser.error(f"no page has {options.only!r} in its name; there are: {', '.join(PAGES)}")
    answers = {
        f"/{number}": Answer(body=f"{HEAD}{script}</script>".encode()) for number, script in enumerate(pages.values())
    }
    heard: dict[str, Counter[int]] = defaultdict(Counter)
    took: dict[str, list[float]] = defaultdict(list)
    silent: Counter[str] = Counter()
    choice = find_browser("chromium", "", os.environ)
    with (
        busy(options.load),
        serve_site({**ANSWERS, **answers}) as site,
        sync_playwright() as playwright,
        playwright.chromium.launch(**choice.launch_options()) as browser,
    ):
        for visit in range(options.visits):
            number, name = visit % len(pages), list(pages)[visit % len(pages)]
            times, seconds, said = clicked(browser, f"{site}/{number}")
            heard[name][times] += 1
            took[name].append(seconds)
            silent[name] += said is not None and not said.effect
    for name, counts in heard.items():
        lost, double = counts[0], sum(count for times, count in counts.items() if times > 1)
        told = f", {silent[name]} said to change nothing" if silent[name] else ""
        print(
            f"{name}: {counts.total()} visits, {lost} lost, {double} double, {statistics.median(took[name]):.2f} s{told}"
        )
    lost = sum(counts[0] for counts in heard.values())
    double = sum(count for counts in heard.values() for times, count in counts.items() if times > 1)
    print(f"load {options.load}: {options.visits} visits, {lost} lost, {double} double")
    sys.exit(1 if lost or double else 0)


if __name__ == "__main__":
    main()

"""An action reaches the page: it waits for whoever listens, its effect is observed, and nothing is done twice.

Each page counts what it heard in `heard`. `LATE` stands for the moment at which a framework attaches its handlers.
"""

# ruff: noqa: E501 (pages in one line each)

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Page

from harness.drive import actions
from harness.drive.embed import Embed
from harness.errors import PageError
from harness.model.events import ActionEnded, ActionRepeated, ActionTaken
from harness.model.limits import Limits
from harness.model.recording import Action
from harness.model.redaction import Redactor
from harness.model.timeline import Timeline
from harness.observe.bodies import BodyStore
from harness.observe.network import NetworkObserver
from tests.site import Answer, serve_site

BUTTON = '<button>Go</button><p id="out"></p><script>let heard = 0; const button = document.querySelector("button"), out = document.getElementById("out");'
SHOW = "() => { out.textContent = ++heard; }"
NOISE = "setInterval(() => { document.title = out.dataset.now = Date.now(); }, 30);"
# As React 17 and later do it: one root hears every kind of event, before the components behind it are there.
ROOT = """
const root = document.createElement('div'); document.body.append(root); root.append(button, out);
for (const type of ['click', 'mousedown', 'mouseup', 'keydown', 'keyup', 'input', 'change', 'focusin', 'focusout', 'drag', 'drop', 'copy', 'paste', 'wheel'])
  root.addEventListener(type, (event) => type === 'click' && isHydrated && (SHOW)(event));
let isHydrated = false;
"""

# A framework that delegates: its root listens from the start, and finds the handler at the element, where it is put late. Meanwhile its
# router sets a timer at every click, the page changes by itself, and the handler shows nothing.
DELEGATING = """
const root = document.createElement('div'); document.body.append(root); root.append(button, out);
const handlers = new WeakMap(), late = () => { out.textContent = 'loaded'; PUT; handlers.set(button, () => { heard++; }); };
root.addEventListener('click', (event) => { setTimeout(() => {}, 20); const handler = handlers.get(event.target); if (handler) handler(); });
setTimeout(late, 2500);
"""
PUT = {
    "React": "button.__reactProps$k3 = { children: 'Go', onClick: () => {} }",
    "React, for what begins outside": "button.__reactProps$k3 = { onClickCapture: () => {} }",
    "Svelte 5": "button.__click = () => {}",
    "Svelte 5, with arguments": "button.__click = [() => {}, 1]",
    "Svelte 5, under a symbol": "button[Symbol('events')] = { click: () => {} }",
    "Solid": "button.$$click = () => {}",
}
# Angular and Qwik keep what was clicked until the handler is there, and do it then.
KEEPING = """
button.setAttribute('ATTRIBUTE', 'click:;');
const kept = [], keep = (event) => kept.push(event);
document.addEventListener('click', keep);
setTimeout(() => { document.removeEventListener('click', keep); button.onclick = SHOW; kept.forEach(button.onclick); }, 1500);
"""


def opened(page: Page, html: str) -> Embed:
    """Return the page with this content, observed."""
    timeline = Timeline(clock_ms=lambda: time.monotonic() * 1000, redactor=Redactor())
    NetworkObserver(timeline, BodyStore(Redactor()), "salt").attach(page.context, page)
    page.set_content(html)
    return Embed(page=page, timeline=timeline, limits=Limits(), session_endpoint="", read_bodies=lambda: None)


def ended(embed: Embed) -> ActionEnded:
    """Return what became of the last action."""
    return [entry.event for entry in embed.timeline.entries if isinstance(entry.event, ActionEnded)][-1]


HEARD_ONCE = {
    "a handler that is there": (f"button.onclick = {SHOW};", "near"),
    "a handler that comes after 0.3 s": (f"setTimeout(() => button.onclick = {SHOW}, 300);", "near"),
    "a handler that comes after a second": (f"setTimeout(() => button.onclick = {SHOW}, 1000);", "near"),
    "a handler that comes after three seconds": (f"setTimeout(() => button.onclick = {SHOW}, 3000);", "near"),
    "a handler on what is around it": (f"document.querySelector('p').before(Object.assign(document.createElement('div'), {{onclick: {SHOW}}})); const outer = document.createElement('main'), inner = document.querySelector('div'); inner.replaceWith(outer); outer.append(inner); inner.append(button);", "near"),
    "a handler of the document": (f"document.addEventListener('click', (e) => e.target === button && ({SHOW})());", "far"),
    "a toggle whose effect nobody sees": ("button.onclick = () => { heard++; };", "near"),
    "an effect that comes later": ("button.onclick = () => { heard++; setTimeout(() => { out.textContent = heard; }, 900); };", "near"),
    "an effect of a document's handler that comes later": (
        "document.addEventListener('click', () => { heard++; setTimeout(() => { out.textContent = heard; }, 900); });", "far"),
    "a page that never rests": (f"{NOISE} setTimeout(() => button.onclick = {SHOW}, 800);", "near"),
    "measuring on the document, and a handler that comes later": (
        f"document.addEventListener('click', () => navigator.sendBeacon('/hit')); setTimeout(() => button.onclick = {SHOW}, 900);", "near"),
    "a root that hears everything": (ROOT.replace("SHOW", SHOW) + "isHydrated = true;", "root"),
    "a root that knows its handlers late": (ROOT.replace("SHOW", SHOW) + "setTimeout(() => { isHydrated = true; }, 2000);", "root"),
    "a root whose effect comes after a second": (
        ROOT.replace("(SHOW)(event)", "(heard++, setTimeout(() => { out.textContent = heard; }, 1000))") + "isHydrated = true;", "root"),
    "a handler that comes between the question and the click": (
        "document.addEventListener('click', () => {}); button.onpointerenter = () => { button.onclick = () => { heard++; }; };", "near"),
    "measuring by a request, and a handler that comes much later": (
        f"document.addEventListener('click', () => fetch('data:,')); setTimeout(() => button.onclick = {SHOW}, 2500);", "near"),
    "measuring on the document, and delegation that comes later": (
        f"document.addEventListener('click', () => {{}}); setTimeout(() => document.addEventListener('click', {SHOW}), 1000);", "far"),
    "a button that is replaced": (
        f"setTimeout(() => {{ const other = button.cloneNode(true); other.onclick = {SHOW}; button.replaceWith(other); }}, 500);", "near"),
    "a handler that stops the event": (f"button.addEventListener('click', (e) => {{ e.stopImmediatePropagation(); ({SHOW})(); }});", "near"),
    "a handler for the pointer": (f"button.addEventListener('pointerdown', {SHOW});", "near"),
    **{f"a root that knows the handler late: {name}": (DELEGATING.replace("PUT", put), "near") for name, put in PUT.items()},
    "a root whose handler passes the click on, to one that comes after three seconds": (
        "const root = document.createElement('div'); document.body.append(root); root.append(button, out); let own;"
        "button[Symbol('events')] = { click: function (...given) { (own)?.apply(this, given); } };"
        "root.addEventListener('click', (event) => { setTimeout(() => {}, 20); button[Object.getOwnPropertySymbols(button)[0]].click(event); });"
        f"setTimeout(() => {{ out.dataset.is = 'loaded'; own = {SHOW}; }}, 3000);", "root"),
    "a root whose effect comes with messages to itself": (
        ROOT.replace("(SHOW)(event)", "(heard++, say(3))") + "isHydrated = true; const channel = new MessageChannel(); const say = (n) => channel.port2.postMessage(n);"
        "channel.port1.onmessage = ({ data }) => data ? say(data - 1) : (out.textContent = heard);", "root"),
    **{
        f"a page that keeps what was clicked: {name}": (KEEPING.replace("ATTRIBUTE", name).replace("SHOW", SHOW), "near")
        for name in ("jsaction", "on:click", "q-e:click")
    },
    "an error in the handler": ("button.onclick = () => { heard++; throw new Error('no'); };", "near"),
}  # fmt: skip


@pytest.mark.parametrize("case", HEARD_ONCE)
def test_a_click_is_heard_once(page: Page, case: str) -> None:
    """Whenever its handler comes, wherever it is, and whatever else the page does."""
    script, audience = HEARD_ONCE[case]
    embed = opened(page, f"{BUTTON}{script}</script>")
    embed.click("Go")
    page.wait_for_function("heard > 0")
    assert page.evaluate("heard") == 1
    assert ended(embed).audience == audience


def test_a_click_that_only_measuring_heard_is_repeated(page: Page) -> None:
    """A handler on the document says nothing about the button's own; when that comes, nobody has heard the first click."""
    # The button's own comes after the first click, however busy the machine is.
    comes = f"const wait = setInterval(() => {{ if (wasMeasured) {{ clearInterval(wait); button.onclick = {SHOW}; }} }}, 100);"
    script = f"let wasMeasured = false; document.addEventListener('click', () => {{ wasMeasured = true; }}); {comes}"
    embed = opened(page, f"{BUTTON}{script}</script>")
    embed.click("Go")
    told = [type(entry.event) for entry in embed.timeline.entries if "Action" in type(entry.event).__name__]
    assert told == [ActionTaken, ActionRepeated, ActionEnded]
    assert ended(embed).attempts == 2
    assert ended(embed).effect == ("dom",)


@pytest.mark.parametrize(
    "script",
    ["button.addEventListener('pointerdown', SHOW);", "setInterval(() => { out.dataset.now = Date.now(); }, 30); button.onclick = SHOW;"],
)  # fmt: skip
def test_an_effect_is_seen(page: Page, script: str) -> None:
    """One of the press before the click, and one on a node that changes in another way by itself."""
    embed = opened(page, f"{BUTTON}{script.replace('SHOW', SHOW)}</script>")
    embed.click("Go")
    assert "dom" in ended(embed).effect


def test_what_a_document_heard_on_a_page_at_rest_is_not_repeated(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have been a toggle that shows nothing."""
    monkeypatch.setattr(actions, "FRESH_MS", 3_000)
    embed = opened(page, f"{BUTTON}document.addEventListener('click', () => {{ heard++; }});</script>")
    embed.click("Go")
    assert (page.evaluate("heard"), ended(embed).attempts, ended(embed).effect) == (1, 1, ())


def test_a_field_that_loses_the_focus_is_no_effect(page: Page) -> None:
    """What was typed before changes its field when the button is pressed, and the page checks it; the button's handler is not there yet."""
    checks = "const field = document.querySelector('input'); field.onchange = () => { out.textContent = 'checked'; };"
    measures = f"document.addEventListener('click', () => {{}}); setTimeout(() => button.onclick = {SHOW}, 4000);"
    embed = opened(page, f"<label>Email <input></label>{BUTTON}{checks}{measures}</script>")
    embed.do(Action(action="fill", target="Email", text="ada"))
    embed.click("Go")
    assert page.evaluate("heard") == 1


def test_a_button_that_nobody_listens_to_is_told(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is clicked all the same, once, and changes nothing, however much the page changes by itself."""
    monkeypatch.setattr(actions, "LISTEN_TIMEOUT_MS", 500)
    embed = opened(page, f"{BUTTON}{NOISE}</script>")
    embed.click("Go")
    assert (ended(embed).audience, ended(embed).effect) == ("none", ())


def test_a_page_that_never_finishes_loading_is_clicked(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """And that it had not is said."""
    monkeypatch.setattr(actions, "LOAD_TIMEOUT_MS", 500)
    html = f"{BUTTON} document.addEventListener('click', {SHOW});</script><img src=/never>"
    with serve_site({"/": Answer(body=f"<!doctype html>{html}".encode()), "/never": Answer(never_begins=True)}) as site:
        embed = opened(page, "")
        page.goto(site, wait_until="commit")
        embed.click("Go")
        assert page.evaluate("heard") == 1
    assert not ended(embed).is_loaded


def test_a_link_leads_on(page: Page) -> None:
    """Going elsewhere is an effect."""
    with serve_site({"/": Answer(body=b"<a href=/next>Go</a>"), "/next": Answer(body=b"<h1>Next</h1>")}) as site:
        embed = opened(page, "")
        page.goto(site)
        embed.click("Go")
        page.wait_for_url("**/next")
    assert ended(embed).audience == "native"


def test_what_is_in_an_open_root_or_a_frame_is_found(page: Page) -> None:
    """By its name, as everything else."""
    shadow = "<x-menu></x-menu><script>const root = document.querySelector('x-menu').attachShadow({mode: 'open'}); root.innerHTML = '<button>Go</button>'; root.querySelector('button').onclick = () => { root.append('done'); heard = 1; }; let heard = 0;</script>"
    embed = opened(page, shadow)
    embed.click("Go")
    assert page.evaluate("heard") == 1
    assert ended(embed).effect == ("dom",)
    page.set_content(
        "<iframe srcdoc='<button onclick=\"parent.heard = 1; this.textContent = 1\">Inside</button>'></iframe>"
    )
    embed.click("Inside")
    assert page.evaluate("heard") == 1


def test_a_hidden_twin_is_no_obstacle(page: Page) -> None:
    """The one for phones stands first in the document, and cannot be seen."""
    embed = opened(
        page,
        f"<div hidden><button>Go</button></div>{BUTTON.replace('querySelector', 'querySelectorAll').replace(chr(34) + 'button' + chr(34) + ')', chr(34) + 'button' + chr(34) + ')[1]')}button.onclick = {SHOW};</script>",
    )
    embed.click("Go")
    assert page.evaluate("heard") == 1


FORM = """
<label>Email <input name=mail></label><label>Word <input type=password></label>
<label>Topic <select><option>Coffee</option><option>Tea</option></select></label>
<button type=button onclick="out.textContent = [mail.value, word.value, topic.value].join(' ')">Send</button><p id=out></p>
<script>const [mail, word] = document.querySelectorAll('input'), topic = document.querySelector('select'), out = document.getElementById('out');
mail.addEventListener('keydown', (e) => { if (e.key === 'Enter') out.textContent = 'entered'; });</script>
"""


def test_steps_fill_select_press_and_wait(page: Page) -> None:
    """Each by the name that a person sees; a password is known as a secret from then on."""
    embed = opened(page, FORM)
    for action in (
        Action(action="fill", target="Email", text="ada@example.org"),
        Action(action="fill", target="Word", text="open-sesame"),
        Action(action="select", target="Topic", text="Tea"),
        Action(action="click", target="Send"),
        Action(action="wait_for_text", target="ada@example.org open-sesame Tea"),
        Action(action="press", target="Email", text="Enter"),
        Action(action="wait_for_text", target="entered"),
    ):
        embed.do(action)
    assert embed.timeline.redactor.text("open-sesame") == "<redacted:password:1>"


def test_what_a_page_throws_away_is_filled_in_again(page: Page) -> None:
    """A framework that takes a server's page over gives its fields its own values; what was typed before is gone."""
    slow = Answer(body=b"{}", media_type="application/json", pieces=(b" ",) * 3)
    html = b"<label>Email <input></label><script>addEventListener('load', () => fetch('/slow').then((r) => r.text()).then(() => { const field = document.querySelector('input'); if (!window.isTaken) { window.isTaken = true; field.value = ''; } }));</script>"
    with serve_site({"/": Answer(body=html), "/slow": slow}) as site:
        embed = opened(page, "")
        page.goto(site)
        embed.do(Action(action="fill", target="Email", text="ada"))
        assert page.input_value("input") == "ada"
        assert page.evaluate("window.isTaken")


@pytest.mark.parametrize(
    ("html", "action", "told"),
    [
        (FORM, Action(action="fill", target="Name", text="x"), 'no field "Name" on about:blank; there are: "Email", "Word", "Topic"'),
        (FORM, Action(action="select", target="Topic", text="Milk"), '"Topic" on about:blank has no option "Milk"; there are: "Coffee", "Tea"'),
        (FORM, Action(action="click", target="Submit"), 'no button, link or text "Submit" on about:blank; there are: "Send"'),
        ("<h1>Welcome</h1>", Action(action="wait_for_text", target="Ready"), 'for the text "Ready" on about:blank; its headings are: "Welcome"'),
        ("<p>", Action(action="wait_for_url", target="**/chat"), "for the URL **/chat; the page is at about:blank"),
        ("<input disabled aria-label=Email>", Action(action="fill", target="Email", text="x"), "it is disabled"),
        (
            "<x-menu></x-menu><script>customElements.define('x-menu', class extends HTMLElement { constructor() { super(); this.attachShadow({mode: 'closed'}).innerHTML = '<button>Go</button>'; } });</script>",
            Action(action="click", target="Go"),
            "elements in a closed shadow root cannot be found: <x-menu>",
        ),
    ],
)  # fmt: skip
def test_a_step_that_cannot_be_done_says_what_there_is(
    page: Page, monkeypatch: pytest.MonkeyPatch, html: str, action: Action, told: str
) -> None:
    """One sentence each."""
    for name in ("FIND_TIMEOUT_MS", "ACT_TIMEOUT_MS", "WAIT_TIMEOUT_MS"):
        monkeypatch.setattr(actions, name, 700)
    embed = opened(page, html)
    with pytest.raises(PageError) as error:
        embed.do(action)
    assert told in str(error.value)

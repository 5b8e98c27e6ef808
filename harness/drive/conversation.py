"""Talks to a mounted widget as a person does: by roles and accessible names, which hold on the real frame too.

In: the embed and a text. Out: a `Reply`. It waits for the widget's own events, and never for a fixed time.
"""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Error, Frame, FrameLocator

from harness.analysis.facts.exchanges import exchanges_of
from harness.drive.embed import Embed
from harness.errors import ConversationFailed
from harness.model.chatkit import ERROR, TOAST_SHOWN
from harness.model.events import ActionTaken, WidgetEvent
from harness.model.timeline import Entry

CLICK_TIMEOUT_MS = 5_000
START_TIMEOUT_MS = 10_000
# A client tool call ends one response and starts the next one at once.
NEXT_RESPONSE_MS = 250
FAILURES = (ERROR, TOAST_SHOWN)

# Turns begin with a prefix for screen readers. The watcher notes when text first stands in a turn that is new.
WATCH = """() => {
  const prefix = 'The assistant said:';
  const marks = () => [...document.querySelectorAll('*')].filter((e) => !e.children.length && e.textContent.trim() === prefix);
  const known = marks().length, begun = performance.now();
  const text = () => marks().slice(known)
    .map((mark) => mark.parentElement.innerText.replace(prefix, '').trim()).join('\\n\\n').trim();
  const watch = { first_ms: -1, text };
  const observer = new MutationObserver(() => {
    if (!text()) return;
    watch.first_ms = performance.now() - begun;
    observer.disconnect();
  });
  observer.observe(document, { subtree: true, childList: true, characterData: true });
  window.__chatkitHarnessReply = watch;
}"""
REPLY = "() => [window.__chatkitHarnessReply.text(), window.__chatkitHarnessReply.first_ms]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back for one message. Times are milliseconds after it was sent."""

    text: str  # "" when the widget showed something else, such as a card
    first_token_ms: float  # -1 without text
    total_ms: float
    thread_id: str  # "" when the widget told none
    events: tuple[str, ...]  # the widget's events from sending to the end, in order


def send(embed: Embed, text: str, *, via: str, timeout_ms: float) -> Reply:
    """Send a message and return the whole reply.

    `via`: "composer" types into the textbox and presses Enter; "method" calls `sendUserMessage`.
    Raises ConversationFailed when it is not sent, fails, or is not answered within `timeout_ms`.
    """
    frame = frame_of(embed)
    frame.evaluate(WATCH)
    watched_ms = embed.timeline.now_ms
    begin = embed.timeline.entries[-1].seq
    embed.timeline.append(ActionTaken(action="send", target=via))
    started_ms = embed.timeline.now_ms
    _submit(embed, text, via)
    start = _await(embed, begin, ("chatkit.response.start",), START_TIMEOUT_MS, "the message to be sent")
    end = _await_end(embed, start, timeout_ms)
    answer, first_ms = frame.evaluate(REPLY)
    said = [e.event for e in embed.timeline.since(begin) if isinstance(e.event, WidgetEvent)]
    if any(event.name == ERROR and "Sentinel" not in event.message for event in said):
        raise _failed(embed, begin, "the answer ended in an error")
    refused = _refusal(embed, begin)
    if not answer and refused:
        raise _failed(embed, begin, f"there was no answer: {refused}")
    return Reply(
        text=str(answer),
        first_token_ms=round(first_ms - (started_ms - watched_ms), 1) if first_ms >= 0 else -1,
        total_ms=round(end.at_ms - started_ms, 1),
        thread_id=_thread_id(embed),
        events=tuple(event.name for event in said),
    )


def new_thread(embed: Embed) -> None:
    """Press "New chat"."""
    _press(embed, "New chat")


def open_history(embed: Embed) -> None:
    """Press "Conversation history"."""
    _press(embed, "Conversation history")


def frame_locator(embed: Embed) -> FrameLocator:
    """Return the widget's frame for Playwright's locators."""
    return embed.element.frame_locator("iframe")


def frame_of(embed: Embed) -> Frame:
    """Return the widget's frame. Raises ConversationFailed when there is none."""
    handle = embed.element.locator("iframe").first.element_handle(timeout=CLICK_TIMEOUT_MS)
    frame = handle.content_frame()
    if frame is None:
        raise ConversationFailed("the widget has no frame to talk to")
    return frame


def _submit(embed: Embed, text: str, via: str) -> None:
    if via == "method":
        embed.element.evaluate("(element, text) => element.sendUserMessage({ text })", text)
        return
    textbox = frame_locator(embed).get_by_role("textbox").last
    try:
        textbox.click(timeout=CLICK_TIMEOUT_MS)
        textbox.press_sequentially(text) if len(text) < 80 else textbox.fill(text)
        textbox.press("Enter")
    except Error as error:
        raise ConversationFailed(f"cannot type into the composer: {error.message.splitlines()[0]}") from error


def _press(embed: Embed, name: str) -> None:
    try:
        frame_locator(embed).get_by_role("button", name=name, exact=True).click(timeout=CLICK_TIMEOUT_MS)
    except Error as error:
        raise ConversationFailed(f"cannot press {name!r}: {error.message.splitlines()[0]}") from error


def _await(embed: Embed, after: int, names: tuple[str, ...], timeout_ms: float, what: str) -> Entry:
    """Return the first of the widget's events of these names after a line. Raises ConversationFailed without one."""

    def is_awaited(entry: Entry) -> bool:
        return isinstance(entry.event, WidgetEvent) and entry.event.name in names

    found = embed.wait_for(is_awaited, after=after, timeout_ms=timeout_ms)
    if found is None:
        raise _failed(embed, after, f"waited {timeout_ms / 1000:g} s for {what}")
    return found


def _await_end(embed: Embed, start: Entry, timeout_ms: float) -> Entry:
    """Return the event that ends the response, and those that follow it at once."""
    deadline_ms = embed.timeline.now_ms + timeout_ms
    while True:
        left_ms = max(deadline_ms - embed.timeline.now_ms, 1)
        end = _await(embed, start.seq, ("chatkit.response.end",), left_ms, "the end of the response")
        following = embed.wait_for(
            lambda entry: isinstance(entry.event, WidgetEvent) and entry.event.name == "chatkit.response.start",
            after=end.seq,
            timeout_ms=NEXT_RESPONSE_MS,
        )
        if following is None:
            return end
        start = following


def _thread_id(embed: Embed) -> str:
    changes = (e.event for e in reversed(embed.timeline.entries) if isinstance(e.event, WidgetEvent))
    return next((change.detail_name for change in changes if change.name == "chatkit.thread.change"), "")


def _refusal(embed: Embed, after: int) -> str:
    """How the backend refused a call since a line; "" when it did not."""
    judgement, entries = embed.judged()
    for exchange in exchanges_of(entries):
        if exchange.seq > after and judgement.mount.is_backend(exchange):
            if exchange.failure and not exchange.is_aborted:  # the widget itself closes what it has read to the end
                return f"{exchange.request.method} {exchange.url} failed with {exchange.failure}"
            if exchange.status >= 400:
                return f"{exchange.request.method} {exchange.url} answered {exchange.status}"
    return ""


def _failed(embed: Embed, after: int, what: str) -> ConversationFailed:
    said = [e.event for e in embed.timeline.since(after) if isinstance(e.event, WidgetEvent)]
    errors = [f"{event.name} {event.detail_name}: {event.message}" for event in said if event.name in FAILURES]
    events = ", ".join(event.name for event in said) or "nothing"
    return ConversationFailed(
        "\n".join([what, *(f"  it said:   {error}" for error in errors), f"  events:    {events}"])
    )

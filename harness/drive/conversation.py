"""Sends messages to a mounted widget by roles and accessible names, which the real frame has too.

In: the embed and a text. Out: a `Reply`. It waits for the widget's own events, never for a fixed time; it fails at once when no reply is
possible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Error, Frame, FrameLocator, Locator

from harness.analysis.facts.exchanges import Exchange, exchanges_of
from harness.analysis.rules.rule import on_one_line, told
from harness.drive.embed import Embed
from harness.errors import ConversationFailed
from harness.model.addresses import SENTINEL
from harness.model.chatkit import ERROR, RESPONSE_END, RESPONSE_START, TAG, TOAST_SHOWN
from harness.model.events import ActionTaken, DocumentStarted, RequestFailed, ResponseReceived, WidgetEvent
from harness.model.timeline import Entry

CLICK_TIMEOUT_MS = 5_000
START_TIMEOUT_MS = 10_000
# A client tool call ends one response and starts the next one at once.
NEXT_RESPONSE_MS = 250
# How long a response that has failed may take to end, so that all that it says is known; and its last words to be drawn.
LAST_WORDS_MS = 1_000
SENTINEL_MS = 5_000  # without that script no message is sent
LONGEST_TYPED = 80  # characters; a longer text is put in at once
MOST_SHOWN = 300
SENT = ("chatkit.composer.submit", RESPONSE_START)  # each frame says both, in an order of its own
TOAST_LOG = "toast.show"  # the name of the log line that has the toast's words
FAILURES = (ERROR, TOAST_SHOWN)
NEWS = (*FAILURES, RESPONSE_END)

# Turns and items are marked. The text of a message is what it shows, without the words for screen readers. Where nothing is marked, turns
# are known by those words. The watcher notes when text first stands in a message that is new.
WATCH = """() => {
  const prefix = 'The assistant said:';
  const marks = () => [...document.querySelectorAll('*')].filter((e) => !e.children.length && e.textContent.trim() === prefix);
  const marked = () => [...document.querySelectorAll('[data-thread-item]')]
    .filter((e) => e.dataset.threadItem !== 'user-message' && !e.closest('[data-exiting]'));
  const shown = (item) => [...item.children].filter((e) => e.offsetWidth > 1 || e.offsetHeight > 1)
    .map((e) => e.innerText.trim()).filter(Boolean).join('\\n');
  const known = marked().length, knownMarks = marks().length;
  const items = () => {
    const all = marked();
    if (all.length || document.querySelector('[data-thread-item]'))
      return all.slice(known).map((e) => ({ kind: e.dataset.threadItem, text: shown(e) }));
    return marks().slice(knownMarks)
      .map((mark) => ({ kind: 'assistant-message', text: mark.parentElement.innerText.replace(prefix, '').trim() }));
  };
  const answer = () => items().filter(({ kind, text }) => kind !== 'progress-update' && (text || kind !== 'assistant-message'));
  const words = () => answer().some(({ kind, text }) => kind === 'assistant-message' && text);
  const notice = () => {
    const turns = [...document.querySelectorAll('[data-thread-turn]')].slice(-1);
    return turns.map((turn) => (turn.dataset.threadTurn === 'assistant' ? turn.innerText.replace(prefix, '').trim() : '')).join('');
  };
  const watch = { first: -1, answer, notice, drawn: (ms) => new Promise((done) => {
    if (answer().length) return done();
    const late = new MutationObserver(() => { if (answer().length) { late.disconnect(); done(); } });
    late.observe(document, { subtree: true, childList: true, characterData: true });
    setTimeout(() => { late.disconnect(); done(); }, ms);
  }) };
  const observer = new MutationObserver(() => {
    if (!words()) return;
    watch.first = performance.timeOrigin + performance.now();
    observer.disconnect();
  });
  observer.observe(document, { subtree: true, childList: true, characterData: true });
  window.__chatkitHarnessReply = watch;
}"""
REPLY = """async (ms) => {
  const reply = window.__chatkitHarnessReply;
  await reply.drawn(ms);
  return { items: reply.answer(), first: reply.first, notice: reply.notice() };
}"""
# The promise of `sendUserMessage` may outlast the response, or never settle.
CALL = """(element, [text, ms]) => new Promise((done, fail) => {
  element.addEventListener('chatkit.response.start', () => done(), { once: true });
  setTimeout(done, ms);
  element.sendUserMessage({ text }).then(() => done(), fail);
})"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The reply to one message. Times are milliseconds after it was sent."""

    text: str  # the assistant's words; "" when the widget showed something else, such as a card
    cards: tuple[str, ...]  # the texts of the cards (widgets) that it showed
    items: tuple[
        str, ...
    ]  # what it showed, in order: "assistant-message" | "widget" | "workflow" | "task" | "generated-image" | …
    first_token_ms: float  # -1 without text
    total_ms: float
    typing_ms: float  # from the first key to the moment when it was sent
    thread_id: str  # "" when the widget told none
    events: tuple[str, ...]  # the widget's events from sending to the end, in order


def send(embed: Embed, text: str, *, via: str, timeout_ms: float) -> Reply:
    """Send a message and return the whole reply.

    `via`: "composer" types into the textbox and presses Enter; "method" calls `sendUserMessage`.
    Raises ConversationFailed when it is not sent, fails, or is not answered within `timeout_ms`.
    """
    frame = frame_of(embed)
    frame.evaluate(WATCH)
    begin = embed.timeline.entries[-1].seq
    embed.timeline.append(ActionTaken(action="send", target=via))
    started_ms = embed.timeline.now_ms
    _submit(embed, text, via)
    start = _await(embed, begin, (RESPONSE_START,), START_TIMEOUT_MS, "the message to be sent")
    end = _await_end(embed, begin, start, timeout_ms)
    embed.read_bodies()
    problem = _problem(embed, begin, is_over=True)
    if problem:
        raise _failed(embed, begin, problem)
    answer: dict[str, Any] = frame.evaluate(REPLY, LAST_WORDS_MS)
    items = [(str(item["kind"]), str(item["text"])) for item in answer["items"]]
    events = tuple(event.name for event in _said(embed, begin))
    if not items and "chatkit.effect" not in events:
        raise _failed(embed, begin, _empty(embed, begin, str(answer["notice"])))
    sent = next(e for e in embed.timeline.since(begin) if isinstance(e.event, WidgetEvent) and e.event.name in SENT)
    first_ms = _between(_instant_of(embed, sent), float(answer["first"])) if answer["first"] >= 0 else -1
    return Reply(
        text="\n\n".join(shown for kind, shown in items if kind == "assistant-message"),
        cards=tuple(shown for kind, shown in items if kind == "widget"),
        items=tuple(kind for kind, _ in items),
        first_token_ms=first_ms,
        total_ms=max(_between(_instant_of(embed, sent), _instant_of(embed, end)), first_ms),  # a busy frame draws late
        typing_ms=round(max(sent.at_ms - started_ms, 0), 1) if via == "composer" else 0.0,
        thread_id=_thread_id(embed),
        events=events,
    )


def new_thread(embed: Embed) -> None:
    """Click "New chat"."""
    _press(embed, "New chat")


def open_history(embed: Embed) -> None:
    """Click "Conversation history"."""
    _press(embed, "Conversation history")


def frame_locator(embed: Embed) -> FrameLocator:
    """Return the widget's frame for Playwright's locators."""
    return element_of(embed).frame_locator("iframe")


def element_of(embed: Embed) -> Locator:
    """Return the element to talk to: the first that is visible and has its frame, wherever in the page it stands; else the first."""
    for frame in embed.page.frames:
        for element in frame.locator(TAG).all():
            if element.is_visible() and element.locator("iframe").count():
                return element
    return embed.element


def frame_of(embed: Embed) -> Frame:
    """Return the widget's frame. Raises ConversationFailed when there is none."""
    handle = element_of(embed).locator("iframe").first.element_handle(timeout=CLICK_TIMEOUT_MS)
    frame = handle.content_frame()
    if frame is None:
        raise ConversationFailed("the widget has no frame")
    return frame


def _submit(embed: Embed, text: str, via: str) -> None:
    if via == "method":
        try:
            element_of(embed).evaluate(CALL, [text, START_TIMEOUT_MS])
        except Error as error:
            raise ConversationFailed(f"sendUserMessage failed: {error.message.splitlines()[0]}") from error
        return
    textbox = frame_locator(embed).get_by_role("textbox").last
    try:
        textbox.click(timeout=CLICK_TIMEOUT_MS)
        _write(embed, textbox, text)
        textbox.press("Enter")
    except Error as error:
        raise ConversationFailed(f"cannot type into the composer: {error.message.splitlines()[0]}") from error


def _write(embed: Embed, textbox: Locator, text: str) -> None:
    """Put a text into the composer; Enter would send it, so that its lines are broken as a person breaks them."""
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n")):
        if number:
            textbox.press("Shift+Enter")
        if len(text) < LONGEST_TYPED:
            textbox.press_sequentially(line)
        else:
            embed.page.keyboard.insert_text(line)


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


def _await_end(embed: Embed, begin: int, start: Entry, timeout_ms: float) -> Entry:
    """Return the event that ends the response, and those that follow it at once. Raises ConversationFailed as soon as it cannot."""
    deadline_ms = embed.timeline.now_ms + timeout_ms
    limit_ms, last = min(deadline_ms, embed.timeline.now_ms + SENTINEL_MS), start
    while True:
        news = embed.wait_for(_is_news, after=last.seq, timeout_ms=max(limit_ms - embed.timeline.now_ms, 1))
        problem = _problem(embed, begin, is_over=False)
        if problem and news is not None:
            limit_ms = min(limit_ms, embed.timeline.now_ms + LAST_WORDS_MS)
        if isinstance(news, Entry) and isinstance(news.event, WidgetEvent) and news.event.name == RESPONSE_END:
            following = _next_start(embed, news)
            if following is None:
                return news
            news = following
        elif news is None:
            embed.read_bodies()  # for the words of a refusal
            problem = _problem(embed, begin, is_over=False) or _unsent(embed, begin)
            if problem:
                raise _failed(embed, begin, problem)
            if embed.timeline.now_ms >= deadline_ms:
                raise _failed(
                    embed, begin, f"waited {timeout_ms / 1000:g} s for the end of the response{_waiting(embed, begin)}"
                )
            limit_ms = deadline_ms
        last = news or last


def _is_news(entry: Entry) -> bool:
    """Whether a line may be the end of a response, or be why it has none."""
    event = entry.event
    return isinstance(event, ResponseReceived | RequestFailed) or (
        isinstance(event, WidgetEvent) and event.name in NEWS
    )


def _next_start(embed: Embed, end: Entry) -> Entry | None:
    return embed.wait_for(
        lambda entry: isinstance(entry.event, WidgetEvent) and entry.event.name == RESPONSE_START,
        after=end.seq,
        timeout_ms=NEXT_RESPONSE_MS,
    )


def _problem(embed: Embed, begin: int, *, is_over: bool) -> str:
    """What keeps a message from being answered; "" as long as nothing does.

    The widget repeats what failed with 5xx, after a second or two: that is final where it failed again, or where the response is over.
    """
    said = _said(embed, begin)
    if any(event.name == ERROR and "Sentinel" not in event.message for event in said):
        return "the response ended with an error"
    streams = [x for x in _calls(embed, begin) if x.wants_stream and (x.status or x.failure)]
    if streams and _is_refused(streams[-1]):
        failing = [x for x in streams if x.status >= 500]
        if streams[-1].status < 500 or is_over or len(failing) > 1:
            times = f", {len(failing)} times" if len(failing) > 1 else ""
            return f"there was no reply: {told(streams[-1])}{_instead_of_stream(streams[-1])}{times}"
    toasts = [event for event in said if event.name == TOAST_SHOWN]
    return "the widget shows a toast instead of a reply" if toasts else ""


def _is_refused(stream: Exchange) -> bool:
    """Whether nothing that the frame reads came: it closes itself what it has read to the end."""
    return stream.status >= 400 or _instead_of_stream(stream) != "" or (stream.failure != "" and not stream.is_aborted)


def _instead_of_stream(stream: Exchange) -> str:
    is_other = 200 <= stream.status < 300 and stream.media_type != "text/event-stream"
    return f" with {stream.media_type or 'no content type'} instead of text/event-stream" if is_other else ""


def _unsent(embed: Embed, begin: int) -> str:
    """What a message waits for that the widget has taken, and not sent; "" when it is sent, or nothing is known."""
    if any(x.wants_stream for x in _calls(embed, begin)):
        return ""
    waiting = [x for x in exchanges_of(embed.judged()[1]) if SENTINEL in x.path and x.is_open]
    return f"the message was not sent: the widget waits for {waiting[-1].url}, which does not answer" if waiting else ""


def _waiting(embed: Embed, begin: int) -> str:
    """What the response waits for, to end a sentence with."""
    calls = _calls(embed, begin)
    if not calls:
        return "; the widget accepted the message, and sent no request to its backend"
    return f"; {told(calls[-1])}"


def _empty(embed: Embed, begin: int, notice: str) -> str:
    """Why a response that ended without a reply has none, as far as that is known."""
    refused = [x for x in _calls(embed, begin) if x.status >= 400 or (x.failure and not x.is_aborted)]
    if refused:
        return f"there was no reply: {told(refused[-1])}"
    streams = [x for x in _calls(embed, begin) if x.wants_stream]
    came = f"{streams[-1].request.method} {streams[-1].url} answered {streams[-1].status}" if streams else ""
    if notice:
        return f"the response ended without a reply; {f'{came}, and ' if came else ''}it shows: {on_one_line(notice, MOST_SHOWN)}"
    seen = f"{came}, and no thread item was created" if came else "the widget sent no request to its backend"
    return f"the response ended without a reply: {seen}"


def _calls(embed: Embed, begin: int) -> list[Exchange]:
    """The backend's calls since a line."""
    judgement, entries = embed.judged()
    return [x for x in exchanges_of(entries) if x.seq > begin and judgement.mount.is_backend(x)]


def _said(embed: Embed, begin: int) -> list[WidgetEvent]:
    return [e.event for e in embed.timeline.since(begin) if isinstance(e.event, WidgetEvent)]


def _instant_of(embed: Embed, entry: Entry) -> float:
    """When the page had one of the widget's events, in milliseconds since 1970 by the browser's clock."""
    assert isinstance(entry.event, WidgetEvent)
    document, page_ms = entry.event.document, entry.event.page_ms
    starts = (e.event for e in embed.timeline.entries if isinstance(e.event, DocumentStarted))
    return page_ms + next((start.time_origin_ms for start in starts if start.document == document), 0.0)


def _between(from_ms: float, to_ms: float) -> float:
    return round(max(to_ms - from_ms, 0.0), 1)


def _thread_id(embed: Embed) -> str:
    changes = (e.event for e in reversed(embed.timeline.entries) if isinstance(e.event, WidgetEvent))
    return next((change.detail_name for change in changes if change.name == "chatkit.thread.change"), "")


def _failed(embed: Embed, after: int, what: str) -> ConversationFailed:
    said = _said(embed, after)
    toasts = [event.message for event in said if event.detail_name == TOAST_LOG and event.message]
    errors = [f"{event.name} {event.detail_name}: {event.message}" for event in said if event.name == ERROR]
    errors += [f"{TOAST_SHOWN}: {words}" for words in toasts] or [e.name for e in said if e.name == TOAST_SHOWN]
    events = ", ".join(event.name for event in said) or "nothing"
    return ConversationFailed(
        "\n".join([what, *(f"  error:     {error}" for error in errors), f"  events:    {events}"])
    )

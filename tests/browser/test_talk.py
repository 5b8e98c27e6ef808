"""Talking to the widget by roles and accessible names: the reply, its times, and what is said when there is none."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Request, Route

from harness import Chatkit, Visit, expect
from harness.errors import ConversationFailed, MountFailed
from harness.model.events import WidgetEvent


@pytest.mark.parametrize("via", ["composer", "method"])
def test_message_is_answered(chatkit: Chatkit, via: str) -> None:
    """Typed or called: the streamed reply comes back whole, with its times and events."""
    embed = chatkit.open("topic-generation")
    reply = embed.send("three topics about tea", via=via)
    assert "three topics about tea" in reply.text
    assert 0 < reply.first_token_ms <= reply.total_ms
    assert reply.thread_id.startswith("cthr_")
    assert reply.events.index("chatkit.response.start") < reply.events.index("chatkit.response.end")
    expect(embed).to_be_mounted()


def test_second_message_goes_to_the_same_thread_and_new_chat_begins_another(chatkit: Chatkit) -> None:
    """The reply is that of the newest message only."""
    embed = chatkit.open("topic-generation")
    first = embed.send("one")
    second = expect(embed).to_reply("two", containing="two", first_token_within_ms=10_000)
    assert second.thread_id == first.thread_id
    assert "one" not in second.text.replace("one word", "")
    embed.new_thread()
    assert embed.send("three").thread_id != first.thread_id
    embed.open_history()
    expect(embed.frame.get_by_role("button", name="Back to chat")).to_be_visible()


def test_reply_that_is_not_as_expected_is_told(chatkit: Chatkit) -> None:
    """The message quotes what came instead, and names the bundle."""
    embed = chatkit.open("topic-generation")
    with pytest.raises(ConversationFailed, match=r"contains 'coffee'; it was: 'You asked(?s:.*)bundle: "):
        expect(embed).to_reply("tea", containing="coffee")
    with pytest.raises(ConversationFailed, match="with text; it was: '', and cards: 'This card was"):
        expect(embed).to_reply("card")


def test_nobody_talks_to_a_widget_that_is_not_mounted(chatkit: Chatkit) -> None:
    """The cause of the failed mount is told instead of a time-out on the composer."""
    embed = chatkit.open("topic-generation", scenario="session-401")
    with pytest.raises(MountFailed, match="answered 401"):
        embed.send("hello")


def test_refused_message_is_told_with_the_answer_and_the_events(chatkit: Chatkit) -> None:
    """A stream that is refused ends at once in what the backend said."""
    embed = chatkit.open("topic-generation")
    expect(embed).to_be_mounted()
    embed.page.context.route("**/v1/chatkit/conversation", lambda route: route.fulfill(status=403, json={"error": {}}))
    with pytest.raises(ConversationFailed, match=r"conversation answered 403(?s:.*)chatkit.response.end"):
        embed.send("hello")


def test_answer_without_text_is_an_answer(chatkit: Chatkit) -> None:
    """A reply that is a card has no text and no first token, and is whole all the same; the card's words are its own."""
    reply = chatkit.open("topic-generation").send("card")
    assert (reply.text, reply.first_token_ms, reply.items) == ("", -1, ("widget",))
    assert reply.cards == ("This card was written a word at a time.",)
    assert reply.total_ms > 0


def test_what_was_done_before_the_words_is_an_item(chatkit: Chatkit) -> None:
    """The text is what the assistant said, and not what it worked on."""
    reply = chatkit.open("topic-generation").send("workflow")
    assert reply.items == ("workflow", "assistant-message")
    assert reply.text == "I searched and thought."


def sent_texts(embed: Visit) -> list[str]:
    """Keep what the backend is sent from now on."""
    texts: list[str] = []

    def keep(request: Request) -> None:
        if "text/event-stream" in request.headers.get("accept", ""):
            content = (request.post_data_json or {})["params"]["input"]["content"]
            texts.append("".join(part["text"] for part in content))

    embed.page.context.on("request", keep)
    return texts


LINES = "one\ntwo\n\nfour"


@pytest.mark.parametrize("scenario", ["healthy", "custom"])
@pytest.mark.parametrize(("text", "via"), [(LINES, "composer"), (LINES * 20, "composer"), (LINES, "method")])
def test_text_with_line_breaks_is_one_message(chatkit: Chatkit, scenario: str, text: str, via: str) -> None:
    """Typed, put in at once or called: the backend has it once, with its lines."""
    embed = chatkit.open("topic-generation", scenario=scenario)
    expect(embed).to_be_mounted()
    texts = sent_texts(embed)
    embed.send(text, via=via)
    assert texts == [text]


SLOW_KEYS = """(box) => box.addEventListener('keydown', () => {
  const end = performance.now() + 20;
  while (performance.now() < end);
})"""


def test_times_begin_when_the_message_was_sent(chatkit: Chatkit) -> None:
    """By the page's own clock, however long the typing takes; that is a figure of its own."""
    visit = chatkit.open("topic-generation")
    expect(visit).to_be_mounted()
    visit.frame.get_by_role("textbox").last.evaluate(SLOW_KEYS)
    reply = visit.send("x" * 75)
    said = {e.event.name: e.event.page_ms for e in visit.embed.timeline.entries if isinstance(e.event, WidgetEvent)}
    sent_ms = min(said["chatkit.composer.submit"], said["chatkit.response.start"])
    assert reply.total_ms == max(round(said["chatkit.response.end"] - sent_ms, 1), reply.first_token_ms)
    assert 0 < reply.first_token_ms <= reply.total_ms
    assert reply.typing_ms > 75 * 20
    assert visit.send("by method", via="method").typing_ms == 0


# What answers a message in place of its stream, and what is said of it.
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "JSON": (
        {"status": 200, "json": {"ok": True}},
        "answered 200 with application/json instead of text/event-stream",
    ),
    "a page": (
        {"status": 200, "content_type": "text/html", "body": "<h1>Hello</h1>"},
        "answered 200 with text/html instead",
    ),
    "no type": ({"status": 200, "body": "", "content_type": ""}, "instead of text/event-stream"),
    "500": (
        {"status": 500, "json": {"error": {"message": "Out of memory"}}},
        r"answered 500(?: \(Out of memory\))?, 2 times",
    ),
    "404": ({"status": 404, "json": {"error": {"message": "No such version"}}}, "answered 404"),
    "nothing": (
        {"status": 200, "content_type": "text/event-stream", "body": ""},
        "ended without a reply: POST .* answered 200",
    ),
    "no data": (
        {"status": 200, "content_type": "text/event-stream", "body": "event: message\n\n: a comment\n\n"},
        "ended without a reply: POST .* answered 200",
    ),
}


@pytest.mark.parametrize("scenario", ["healthy", "custom"])
@pytest.mark.parametrize("what", WRONG)
def test_message_that_no_stream_answers_fails_at_once(chatkit: Chatkit, scenario: str, what: str) -> None:
    """In its words, long before the widget has given up repeating, and never as an empty reply."""
    answer, said = WRONG[what]
    embed = chatkit.open("topic-generation", scenario=scenario)
    expect(embed).to_be_mounted()

    def wrong(route: Route) -> None:
        is_message = "text/event-stream" in route.request.headers.get("accept", "")
        allowed = {"access-control-allow-origin": route.request.headers.get("origin", "*")}
        route.fulfill(**answer, headers=allowed) if is_message else route.fallback()

    embed.page.context.route("**/*chatkit*", wrong)
    embed.page.context.route("**/v1/chatkit/conversation", wrong)
    with pytest.raises(ConversationFailed, match=said):
        embed.send("hello", timeout_ms=120_000)


def test_reply_without_an_item_is_none(chatkit: Chatkit) -> None:
    """A stream that makes a thread and ends, as that of a workflow that did not run, is no answer."""
    with pytest.raises(ConversationFailed, match=r"ended without a reply: POST .* no thread item was created"):
        chatkit.open("topic-generation").send("nothing")


def test_toast_is_told_in_its_words(chatkit: Chatkit) -> None:
    """What the widget shows a person in place of an answer stands in the message."""
    embed = chatkit.open("topic-generation")
    expect(embed).to_be_mounted()
    embed.page.context.route("**/v1/chatkit/conversation", lambda route: route.fulfill(status=429, json={"error": {}}))
    with pytest.raises(ConversationFailed, match=r"answered 429(?s:.*)chatkit.toast.show: \w+"):
        embed.send("hello")


def test_message_that_waits_for_the_sentinel_is_told_so(chatkit: Chatkit) -> None:
    """The widget has taken it, and will never send it; or the frame asks for the script so early that its load event waits for it."""
    embed = chatkit.open("topic-generation", fault="hang:sentinel")
    waits = r"not sent: the widget waits for https://sentinel\.openai\.com/\S+, which does not answer|chatkit\.ready for that"
    with pytest.raises((ConversationFailed, MountFailed), match=waits):
        embed.send("hello", timeout_ms=120_000)
    assert [finding.rule for finding in embed.result().findings] == ["sentinel-unanswered"]


@pytest.mark.parametrize("via", ["composer", "method"])
def test_hidden_element_is_not_talked_to(chatkit: Chatkit, via: str) -> None:
    """Of two elements the one that a person sees is talked to, also when it is not the first."""
    embed = chatkit.open("topic-generation", scenario="two-elements-one-hidden")
    expect(embed).to_be_mounted()
    assert "hello" in embed.send("hello", via=via).text


def test_answer_that_ends_in_an_error_is_told(chatkit: Chatkit) -> None:
    """The widget's own error is in the message."""
    with pytest.raises(ConversationFailed, match=r"the response ended with an error(?s:.*)StreamError"):
        chatkit.open("topic-generation").send("error")

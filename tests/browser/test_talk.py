"""Talking to the widget by roles and accessible names: the reply, its times, and what is said when there is none."""

from __future__ import annotations

import pytest

from harness import Chatkit, expect
from harness.errors import ConversationFailed, MountFailed


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
    """A reply that is a widget has no text and no first token, and is whole all the same."""
    reply = chatkit.open("topic-generation").send("widget")
    assert reply.text == ""
    assert reply.first_token_ms == -1
    assert reply.total_ms > 0


def test_answer_that_ends_in_an_error_is_told(chatkit: Chatkit) -> None:
    """The widget's own error is in the message."""
    with pytest.raises(ConversationFailed, match=r"the answer ended in an error(?s:.*)StreamError"):
        chatkit.open("topic-generation").send("error")

"""Chooses the reply: to a message, to what the page or a form sends back, and to a widget's button.

In: a `Turn`, or an action. Out: stream events, or an item.
"""

from __future__ import annotations

from harness.servers.chat import events
from harness.servers.chat.requests import Json
from harness.servers.chat.scripts import SCRIPTS, Script, after_form, after_tool, echo
from harness.servers.chat.speech import Events, say
from harness.servers.chat.turn import ScriptedError, Turn
from harness.servers.chat.widgets import counted


async def respond(turn: Turn) -> Events:
    """Yield the reply to a message, to a tool's output, or to a form."""
    async for event in _script_of(turn)(turn):
        is_text_complete = event.get("update", {}).get("type") == "assistant_message.content_part.done"
        if is_text_complete or event["type"] == "thread.item.done":
            turn.entitle()
        yield event


def _script_of(turn: Turn) -> Script:
    if turn.message is None:
        return after_tool if turn.last and turn.last["type"] == "client_tool_call" else after_form
    return SCRIPTS.get(turn.text.strip().casefold(), echo)


async def action(turn: Turn, act: Json, sender: Json | None) -> Events:
    """Yield what follows a widget's button. Raises ScriptedError for an action that no script knows."""
    if sender is None or act["type"] != "count.add":
        raise ScriptedError(f"no script for the action {act['type']!r}")
    yield events.item_replaced(sender | {"widget": counted(sender["widget"])})
    async for event in say(turn, "Counted. The card above was replaced."):
        yield event


def sync_action(act: Json, sender: Json | None) -> Json:
    """Return the widget's item as it is after a button that does not stream. Raises ScriptedError as `action` does."""
    if sender is None or act["type"] != "count.add_at_once":
        raise ScriptedError(f"no script for the action {act['type']!r}")
    return sender | {"widget": counted(sender["widget"])}

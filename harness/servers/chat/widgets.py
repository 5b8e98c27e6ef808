"""The two widgets of the scripted replies, as component trees.

In: a number or a text. Out: JSON in the shapes of ChatKit's widgets.
"""

from __future__ import annotations

from harness.servers.chat.requests import Json


def counter(count: int) -> Json:
    """Return a card that shows a number, with a button for each way in which an action can be handled."""
    return {
        "type": "Card",
        "size": "sm",
        "children": [
            {"type": "Title", "value": "A counter", "size": "sm"},
            {"type": "Text", "id": "count", "value": f"{count}"},
            {
                "type": "Row",
                "gap": 2,
                "children": [
                    _button("Add one", "count.add", handler="server", is_streamed=True),
                    _button("Add one at once", "count.add_at_once", handler="server", is_streamed=False),
                    _button("Tell the page", "count.tell", handler="client", is_streamed=True),
                ],
            },
        ],
    }


def counted(widget: Json) -> Json:
    """Return a counter with one more."""
    shown = next(child for child in widget["children"] if child.get("id") == "count")
    return counter(int(shown["value"]) + 1)


def note_card(text: str, *, is_streaming: bool) -> Json:
    """Return a card with a text of the id "text"."""
    return {
        "type": "Card",
        "children": [{"type": "Text", "id": "text", "value": text, "streaming": is_streaming}],
    }


def _button(label: str, kind: str, *, handler: str, is_streamed: bool) -> Json:
    action = {
        "type": kind,
        "payload": {"step": 1},
        "handler": handler,
        "loadingBehavior": "auto",
        "streaming": is_streamed,
    }
    return {"type": "Button", "label": label, "onClickAction": action}

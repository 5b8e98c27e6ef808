"""Words that show a feature: each of these words, alone and in any case, plays a script.

In: a `Turn`. Out: stream events. Everything else that is written is answered by an echo, a word at a time.

| message  | what comes |
|----------|------------|
| help     | this list |
| long     | four hundred words, to scroll and to stop |
| slow     | a reply that starts late and stutters |
| markdown | headings, a list, a table and code |
| sources  | a reply with a web, a file and an entity source |
| progress | three progress lines, then a reply |
| notice   | a notice of each level, then a reply |
| error    | an error that may be retried |
| refuse   | an error that may not |
| crash    | a reply that fails half-way, as an exception in a backend does |
| drop     | a connection that breaks half-way |
| nothing  | a title and the end: the stream of a workflow that did not run |
| unknown  | events of a type that does not exist, around a reply |
| tool     | a call of the client tool `switch_theme` with `{"theme": "dark"}`; its output is answered |
| effect   | the client effect `confetti` with `{"amount": 3}` |
| widget   | a card with buttons for the server, streamed and at once, and for the page |
| card     | a card whose text streams |
| form     | questions to choose from and to answer in words |
| workflow | a reasoning workflow with tasks, then a reply |
| task     | a single task |
| image    | a generated image, with progress |
| replace  | a message that is replaced by another one |
| remove   | a message that vanishes again |
| lock     | a reply that locks the thread |
| close    | a reply that closes the thread |
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from urllib.parse import quote

from harness.servers.chat import events
from harness.servers.chat.requests import Json
from harness.servers.chat.speech import Events, say, words_of
from harness.servers.chat.store import status
from harness.servers.chat.turn import DroppedError, ScriptedError, Turn
from harness.servers.chat.widgets import counter, note_card

Script = Callable[[Turn], Events]

SLOW_START = 40  # chunk gaps
SLOW_STEP = 10
LONG_SENTENCE = (
    "This answer goes on and on, so that there is something to scroll through, and time enough to press Stop."
)
PICTURE = "data:image/svg+xml," + quote(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 180">'
    '<rect width="320" height="180" fill="#0b7285"/><circle cx="230" cy="70" r="45" fill="#ffd43b"/>'
    '<path d="M0 180 90 70l60 60 40-30 130 80z" fill="#2b8a3e"/></svg>'
)

MARKDOWN = """# A heading

Some **bold** and some *slanted* words, `code`, and a [link](https://example.com/).

1. one
2. two
   - and a half

| key | value |
|-----|-------|
| tea | green |

```python
print("the stand-in")
```
"""


async def echo(turn: Turn) -> Events:
    """Repeat what was asked."""
    text = f"You asked: “{turn.text}”. This answer comes from the stand-in, one word at a time."
    async for event in say(turn, text):
        yield event


async def help_(turn: Turn) -> Events:
    """List the words that play a script."""
    lines = [f"- `{word}`: {(script.__doc__ or '').rstrip('.')}" for word, script in SCRIPTS.items()]
    async for event in say(turn, "Write one of these words:\n\n" + "\n".join(lines), gaps=0.2):
        yield event


async def long(turn: Turn) -> Events:
    """Say four hundred words, to scroll and to stop."""
    paragraph = " ".join([LONG_SENTENCE] * 4)
    async for event in say(turn, "\n\n".join([paragraph] * 5)):
        yield event


async def slow(turn: Turn) -> Events:
    """Start late, and stutter."""
    await turn.pause(SLOW_START)
    async for event in say(turn, "I had to think about that for a while.", gaps=SLOW_STEP):
        yield event


async def markdown(turn: Turn) -> Events:
    """Show headings, a list, a table and code."""
    async for event in say(turn, MARKDOWN.strip()):
        yield event


async def sources(turn: Turn) -> Events:
    """Cite a web page, a file and an entity."""
    text = "Tea is older than coffee. The file agrees, and so does the entity."
    cited: list[Json] = [
        {"title": "Tea", "type": "url", "url": "https://example.com/tea", "attribution": "example.com"},
        {"title": "History", "type": "file", "filename": "history.pdf"},
        {"title": "Camellia", "type": "entity", "id": "plant_1", "interactive": False, "data": {"kind": "plant"}},
    ]
    ends = [match.end() for match in re.finditer(r"[.,]", text)]
    annotations = [
        {"type": "annotation", "source": source, "index": end} for source, end in zip(cited, ends, strict=True)
    ]
    async for event in say(turn, text, annotations=annotations):
        yield event


async def progress(turn: Turn) -> Events:
    """Show three progress lines, then reply."""
    for text, icon in (("Searching", "search"), ("Reading", "document"), ("Writing", "write")):
        yield events.progress(f"{text} …", icon)
        await turn.pause(10)
    async for event in say(turn, "Found, read and written."):
        yield event


async def notice(turn: Turn) -> Events:
    """Show a notice of each level, then reply."""
    yield events.notice("info", "This is only the stand-in.", "Good to know")
    yield events.notice("warning", "Two messages are left. [Why?](https://example.com/limits)")
    yield events.notice("danger", "This was the last message.", "Limit reached")
    async for event in say(turn, "Those were three notices."):
        yield event


async def error(turn: Turn) -> Events:
    """Fail with an error that may be retried."""
    await turn.pause(5)
    yield events.error(code="custom", message="The stand-in fails because you asked for it.", allow_retry=True)


async def refuse(turn: Turn) -> Events:
    """Fail with an error that may not be retried."""
    await turn.pause(5)
    yield events.error(code="custom", message="The stand-in will not answer that.", allow_retry=False)


async def crash(turn: Turn) -> Events:
    """Fail half-way, as an exception in a backend does."""
    async for event in say(turn, "This answer never ends, because it fails.", until=5):
        yield event
    raise ScriptedError("asked for")


async def drop(turn: Turn) -> Events:
    """Break the connection half-way."""
    async for event in say(turn, "This answer never ends, because its connection breaks.", until=5):
        yield event
    raise DroppedError("asked for")


async def nothing(turn: Turn) -> Events:
    """Set a title, and end."""
    turn.entitle()
    no_events: tuple[Json, ...] = ()
    for event in no_events:
        yield event


async def unknown(turn: Turn) -> Events:
    """Send events of a type that does not exist, around a reply."""
    yield {"type": "stand_in.nonsense", "anything": [1, 2, 3]}
    async for event in say(turn, "There were unknown events around this."):
        yield event
    yield {"type": "thread.item.levitated", "item_id": "msg_nowhere"}


async def tool(turn: Turn) -> Events:
    """Call the client tool `switch_theme`."""
    await turn.pause(5)
    yield events.item_done(
        turn.item(
            "client_tool_call",
            id_kind="tool_call",
            status="pending",
            call_id=turn.ids.new("call"),
            name="switch_theme",
            arguments={"theme": "dark"},
        )
    )


async def after_tool(turn: Turn) -> Events:
    """Say what the client tool returned."""
    output = turn.last.get("output") if turn.last else None
    async for event in say(turn, f"The tool returned `{json.dumps(output)}`."):
        yield event


async def effect(turn: Turn) -> Events:
    """Send the client effect `confetti`, then reply."""
    yield events.client_effect("confetti", {"amount": 3})
    async for event in say(turn, "The page was told."):
        yield event


async def widget(turn: Turn) -> Events:
    """Show a card with buttons for the server and for the page."""
    yield events.item_done(turn.item("widget", widget=counter(0), copy_text="A counter"))


async def card(turn: Turn) -> Events:
    """Show a card whose text streams."""
    text = "This card was written a word at a time."
    item = turn.item("widget", widget=note_card("", is_streaming=True))
    yield events.item_added(item)
    pieces = words_of(text)
    for index, piece in enumerate(pieces, start=1):
        await turn.pause(1)
        is_last = index == len(pieces)
        yield events.item_updated(
            item, "widget.streaming_text.value_delta", component_id="text", delta=piece, done=is_last
        )
    yield events.item_done(item | {"widget": note_card(text, is_streaming=False)})


async def form(turn: Turn) -> Events:
    """Ask questions to choose from and to answer in words."""
    choices = [{"value": "Green"}, {"value": "Black"}, {"value": "White"}]
    inputs: list[Json] = [
        {
            "id": "tea",
            "question": "Which tea?",
            "type": "multiple_choice",
            "options": choices,
            "multiple": False,
        },
        {"id": "name", "question": "For whom?", "type": "freeform", "description": "A first name is enough."},
    ]
    yield events.item_done(turn.item("structured_input", status="pending", inputs=inputs))


async def after_form(turn: Turn) -> Events:
    """Say that the form came back."""
    async for event in say(turn, "Thank you, the form is complete."):
        yield event


async def workflow(turn: Turn) -> Events:
    """Show a workflow with tasks, then reply."""
    search: Json = {
        "status_indicator": "loading",
        "type": "web_search",
        "title": "Search",
        "queries": ["tea"],
        "sources": [],
    }
    thought: Json = {"status_indicator": "none", "type": "thought", "title": "Think", "content": "Green it is."}
    state: Json = {"type": "reasoning", "tasks": [], "expanded": True}
    item = turn.item("workflow", id_kind="workflow", workflow=state)
    yield events.item_added(item)
    for index, task_ in enumerate((search, thought)):
        await turn.pause(10)
        yield events.item_updated(item, "workflow.task.added", task_index=index, task=task_)
    await turn.pause(10)
    search = search | {"status_indicator": "complete"}
    yield events.item_updated(item, "workflow.task.updated", task_index=0, task=search)
    done = state | {"tasks": [search, thought], "summary": {"duration": 2}, "expanded": False}
    yield events.item_done(item | {"workflow": done})
    async for event in say(turn, "I searched and thought."):
        yield event


async def task(turn: Turn) -> Events:
    """Show a single task."""
    shown = {"status_indicator": "none", "type": "custom", "title": "Put the kettle on", "content": "Done."}
    yield events.item_done(turn.item("task", id_kind="task", task=shown))


async def image(turn: Turn) -> Events:
    """Show a generated image, with progress."""
    item = turn.item("generated_image")
    picture = {"id": "img_1", "url": PICTURE}
    yield events.item_added(item)
    for share in (0.3, 0.6, 1.0):
        await turn.pause(10)
        yield events.item_updated(item, "generated_image.updated", image=picture, progress=share)
    yield events.item_done(item | {"image": picture})


async def replace(turn: Turn) -> Events:
    """Put a second message in the place of the first."""
    done: Json = {}
    async for event in say(turn, "This is the first version."):
        done = event
        yield event
    await turn.pause(20)
    part = done["item"]["content"][0] | {"text": "This is the second version."}
    yield events.item_replaced(done["item"] | {"content": [part]})


async def remove(turn: Turn) -> Events:
    """Take a message away again, and say so."""
    done: Json = {}
    async for event in say(turn, "You will not see this for long."):
        done = event
        yield event
    await turn.pause(20)
    yield events.item_removed(done["item"]["id"])
    async for event in say(turn, "A message was here, and is gone."):
        yield event


async def lock(turn: Turn) -> Events:
    """Reply, and lock the thread."""
    turn.thread.status = status("locked", "The stand-in locked this thread.")
    async for event in say(turn, "This thread is locked now."):
        yield event


async def close(turn: Turn) -> Events:
    """Reply, and close the thread."""
    turn.thread.status = status("closed")
    async for event in say(turn, "This thread is closed now."):
        yield event


SCRIPTS: dict[str, Script] = {
    "help": help_,
    "long": long,
    "slow": slow,
    "markdown": markdown,
    "sources": sources,
    "progress": progress,
    "notice": notice,
    "error": error,
    "refuse": refuse,
    "crash": crash,
    "drop": drop,
    "nothing": nothing,
    "unknown": unknown,
    "tool": tool,
    "effect": effect,
    "widget": widget,
    "card": card,
    "form": form,
    "workflow": workflow,
    "task": task,
    "image": image,
    "replace": replace,
    "remove": remove,
    "lock": lock,
    "close": close,
}

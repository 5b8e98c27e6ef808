"""Steps of an entry: the actions before the chat appears, as written in the configuration and on the command line.

In: tables such as `{ fill = "Email", with = "${EMAIL}" }`, texts such as `fill=Email=ada@example.org`. Out: an `Action` for each, or a
ValueError with one sentence.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.model.recording import Action  # its bounds load the codec, which `--help` does not need

# The verb of a step, and its second key.
SECOND: Mapping[str, str] = {
    "click": "",
    "fill": "with",
    "select": "option",
    "press": "on",
    "wait_for_text": "",
    "wait_for_url": "",
}
OPTIONAL = ("press",)
EXAMPLES = (
    '{ click = "Open chat" }, { fill = "Email", with = "${EMAIL}" }, { select = "Topic", option = "Tea" }, { press = "Enter" }, '
    '{ wait_for_text = "Ready" }, { wait_for_url = "**/chat" }'
)


def step_of(table: Any) -> Action:
    """Return the step of a table in the configuration. Raises ValueError."""
    if not isinstance(table, Mapping) or not all(isinstance(text, str) for text in table.values()):
        raise ValueError(f"a step is a table of strings, such as {EXAMPLES.partition('}')[0]}}}")
    verbs = [name for name in table if name in SECOND]
    if len(verbs) != 1:
        raise ValueError(_told_verb([*table]) if not verbs else f"a step has one verb, not {' and '.join(verbs)}")
    verb, second = verbs[0], SECOND[verbs[0]]
    unknown = [name for name in table if name not in (verb, second)]
    if unknown:
        raise ValueError(f"{verb} has no {unknown[0]}" + (f"; it has {second}" if second else ""))
    if second and second not in table and verb not in OPTIONAL:
        raise ValueError(f"{verb} needs {second}: {{ {verb} = …, {second} = … }}")
    if not table[verb]:
        raise ValueError(f"{verb} has an empty text")
    return _action(verb, table[verb], table.get(second, "") if second else "")


def step_from(text: str) -> Action:
    """Return the step of a command line's argument: `click=Open chat`, `fill=Email=ada@example.org`. Raises ValueError."""
    verb, _, rest = text.partition("=")
    if verb not in SECOND:
        raise ValueError(_told_verb([verb]))
    first, has_second, second = rest.partition("=") if SECOND[verb] else (rest, "", "")
    return step_of({verb: first, **({SECOND[verb]: second} if has_second else {})})


def _action(verb: str, first: str, second: str) -> Action:
    from harness.model.recording import Action

    if verb == "press":
        return Action(action=verb, target=second, text=first)
    return Action(action=verb, target=first, text=second)


def _told_verb(names: list[str]) -> str:
    close = difflib.get_close_matches(names[0], SECOND, n=1) if names else []
    meant = f"; did you mean {close[0]}?" if close else ""
    return f"{names[0] if names else 'an empty table'!r} is not a step: use one of {', '.join(SECOND)}{meant}"

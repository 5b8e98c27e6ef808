"""A recording as a test of the user's own suite: the file that pytest collects, and what it expects.

In: a name, where the recording stands, how it was judged. Out: the text of a Python file.
"""

from __future__ import annotations

import re

from harness.model.recording import RecordedVerdict, Recording

TEMPLATE = '''"""{about}"""

from __future__ import annotations

from harness import Chatkit, expect

RECORDING = "{recording}"


def test_{name}(chatkit: Chatkit) -> None:
    """{fact}"""
    embed = chatkit.open(recording=RECORDING)
{expectations}
'''


def scenario_name(text: str) -> str:
    """Return a name as a Python function may have it."""
    return re.sub(r"\W+", "_", text).strip("_").lower() or "recorded"


def render_scenario_test(recording: Recording, *, name: str, path: str) -> str:
    """Return the test that a recording becomes. `path`: of the recording, relative to the project's folder."""
    day = recording.started_at[:10] or "an unknown day"
    return TEMPLATE.format(
        about=f"Recorded on {day} from {_quoted(recording.url)}; replayed from {_quoted(path)}.",
        recording=_quoted(path),
        name=scenario_name(name),
        fact=_fact(recording.judged),
        expectations="\n".join(f"    {line}" for line in _expectations(recording.judged)),
    )


def _fact(judged: RecordedVerdict) -> str:
    if judged.outcome in ("mounted", ""):
        return "The widget mounts as it did when it was recorded."
    return f"The widget does not mount, for the reason that was recorded: {judged.cause or judged.reason}."


def _expectations(judged: RecordedVerdict) -> list[str]:
    if judged.outcome in ("mounted", ""):
        return ["expect(embed).to_be_mounted()"]
    lines = [f'expect(embed).not_to_be_mounted(reason="{_quoted(judged.reason)}")']
    if judged.cause:
        lines += [
            "cause = embed.result().cause",
            f'assert cause is not None and cause.rule == "{_quoted(judged.cause)}"',
        ]
    return lines


def _quoted(text: str) -> str:
    """A text as it may stand between double quotes."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")

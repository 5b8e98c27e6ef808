"""The console policy: every console error and every uncaught error is a problem, unless it is allowed or only about measuring.

In: entries, and the texts that a project allows. Out: problems, each with its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.analysis.facts.exchanges import TELEMETRY_HOSTS, is_telemetry
from harness.model.events import ConsoleMessage, PageErrorRaised
from harness.model.results import ConsoleProblem
from harness.model.timeline import Entry

# What browsers and ChatKit's own frame say of healthy widgets.
BENIGN = re.compile(
    r"No handler found for nonce|\[Statsig\]|Unable to access localStorage|Feature Policy: Skipping unsupported feature name|__cf_bm"
)
STATUS_ECHO = "Failed to load resource: "  # what the browser prints for each answer of 400 and above


def console_of(entries: Iterable[Entry], allowed: tuple[str, ...]) -> tuple[ConsoleProblem, ...]:
    """Return the errors of a visit's console; `allowed` names texts that make one harmless."""
    problems = []
    for entry in entries:
        match entry.event:
            case ConsoleMessage(level="error", text=text, url=url):
                is_harmless = _is_about_telemetry(text, url) or BENIGN.search(text) is not None
                kind = "console.error"
            case PageErrorRaised(name=name, message=message):
                kind, is_harmless = "uncaught", False
                text = message if message.startswith(name) else f"{name}: {message}"
            case _:
                continue
        is_allowed = is_harmless or any(part in text for part in allowed)
        shown = text if text.strip() else "(without text)"
        problems.append(ConsoleProblem(seq=entry.seq, kind=kind, text=shown, is_allowed=is_allowed))
    return tuple(problems)


def _is_about_telemetry(text: str, url: str) -> bool:
    """Whether an error only says that a measuring host did not answer, as many networks and blockers have it."""
    is_blocked = text.startswith("Access to ") and any(f"//{host}/" in text for host in TELEMETRY_HOSTS)
    return is_blocked or (text.startswith(STATUS_ECHO) and is_telemetry(url))

"""The responses that the browser blocked because of a missing or wrong Access-Control-Allow-Origin header.

In: a timeline's console lines. Out: for each such URL the header that it had, "" for none. Only the console reports this.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.model.events import ConsoleMessage
from harness.model.timeline import Entry

CHROMIUM = re.compile(
    r"Access to .{1,40} at '([^']+)'.{0,2000}? from origin '[^']*' has been blocked by CORS policy: (.*)", re.S
)
FIREFOX = re.compile(r"Cross-Origin Request Blocked: .* remote resource at (\S+?)\.? \(Reason: (.*)", re.S)
HEADER_VALUE = re.compile(
    r"'Access-Control-Allow-Origin' header has a value '([^']*)'|does not match .([^'\u2019]*)['\u2019]"
)


def cors_headers_of(entries: Iterable[Entry]) -> dict[str, str]:
    """Return the refused URLs with the Access-Control-Allow-Origin header that each had."""
    found: dict[str, str] = {}
    for entry in entries:
        if not isinstance(entry.event, ConsoleMessage):
            continue
        text = entry.event.text
        match = CHROMIUM.match(text) or FIREFOX.match(text)
        if match is None:
            continue
        value = HEADER_VALUE.search(match[2])
        wildcard = "*" if "wildcard" in match[2] else ""
        found[match[1]] = (value[1] or value[2] or "") if value else wildcard
    return found

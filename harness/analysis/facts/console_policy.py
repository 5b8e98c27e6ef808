"""The console policy: every console error and every uncaught error is a problem, unless it is allowed or only concerns telemetry.

In: entries, and the texts that a project allows. Out: problems, each with its line.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from harness.analysis.facts.exchanges import TELEMETRY_HOSTS, Exchange, exchanges_of, is_telemetry, split_url
from harness.model.addresses import server_of
from harness.model.events import ConsoleMessage, PageErrorRaised, RequestBlocked
from harness.model.results import ConsoleProblem
from harness.model.timeline import Entry

# What browsers and ChatKit's own frame say of healthy widgets.
BENIGN = re.compile(
    r"No handler found for nonce|\[Statsig\]|Unable to access localStorage|Feature Policy: Skipping unsupported feature name|__cf_bm"
)
STATUS_ECHO = "Failed to load resource: "  # what the browser prints for each answer of 400 and above
# What Chromium and Firefox print for a WebSocket that could not be opened.
SOCKET_FAILED = re.compile(
    r"(?:WebSocket connection to '|Firefox can.t establish a connection to the server at )(?P<url>wss?://[^\s']+)"
)
# What `fetch` rejects with when nothing answers, as Chromium, Firefox and WebKit word it.
NO_ANSWER = re.compile(r"(TypeError: )?(Failed to fetch|NetworkError when attempting to fetch resource\.|Load failed)")
NO_JSON = re.compile(r"\bJSON\b")  # what `response.json()` rejects with in every engine
# How long before a line, and by how much after it, the failure that the line is about may be reported.
BEFORE_MS = 2_000
AFTER_MS = 250


def console_of(entries: Iterable[Entry], allowed: tuple[str, ...]) -> tuple[ConsoleProblem, ...]:
    """Return the errors of a visit's console; `allowed` names texts that make one harmless."""
    problems = []
    entries = tuple(entries)
    echoes = _telemetry_echoes(entries)
    kept = frozenset(server_of(entry.event.url) for entry in entries if isinstance(entry.event, RequestBlocked))
    for entry in entries:
        match entry.event:
            case ConsoleMessage(level="error", text=text, url=url):
                is_of_telemetry = entry.seq in echoes or _is_about_telemetry(text, url)
                is_harmless = is_of_telemetry or _is_kept_here(text, url, kept) or BENIGN.search(text) is not None
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


def _is_kept_here(text: str, url: str, kept: frozenset[tuple[str, int]]) -> bool:
    """Whether the browser only reports that a request failed which the hermetic run itself kept on this machine."""
    socket = SOCKET_FAILED.match(text)
    asked = socket["url"] if socket else url if text.startswith(STATUS_ECHO) else ""
    return asked != "" and server_of(asked) in kept


def _is_about_telemetry(text: str, url: str) -> bool:
    """Whether an error only says that a measuring host did not answer, as many networks and blockers have it."""
    is_blocked = text.startswith("Access to ") and any(f"//{host}/" in text for host in TELEMETRY_HOSTS)
    return is_blocked or (text.startswith(STATUS_ECHO) and is_telemetry(url))


def _telemetry_echoes(entries: tuple[Entry, ...]) -> frozenset[int]:
    """The lines in which a widget's frame repeats that its telemetry failed; the text itself does not say so.

    Such a line is written by a script of the frame's own, at the moment when one of the frame's measuring requests fails, and no other
    request of the frame. One request accounts for one line.
    """
    lines = [(e, e.event) for e in entries if isinstance(e.event, ConsoleMessage) and e.event.level == "error"]
    if not any(event.url and not is_telemetry(event.url) for _, event in lines):
        return frozenset()
    exchanges = [x for x in exchanges_of(entries) if not x.request.is_top_frame]
    owners = {x.url: x.request.frame_url for x in exchanges if x.request.resource_type == "script" and _is_own(x)}
    calls = [x for x in exchanges if x.request.resource_type in ("fetch", "xhr")]
    echoes, used = set(), set()
    for entry, event in lines:
        frame_url = owners.get(event.url.split("#")[0])
        near = [x for x in calls if x.request.frame_url == frame_url and _is_near(x, entry.at_ms)]
        if not near or any(not is_telemetry(x.url) and _is_failed(x) for x in near):
            continue
        told = next(
            (x for x in near if is_telemetry(x.url) and x.seq not in used and _is_repeated(x, event.text)), None
        )
        if told is not None:
            used.add(told.seq)
            echoes.add(entry.seq)
    return frozenset(echoes)


def _is_own(script: Exchange) -> bool:
    """Whether a script comes from where its frame comes from."""
    url, frame = split_url(script.url), split_url(script.request.frame_url)
    return bool(url.netloc) and (url.scheme, url.netloc) == (frame.scheme, frame.netloc)


def _is_failed(exchange: Exchange) -> bool:
    return exchange.status >= 400 or (exchange.failure != "" and not exchange.is_aborted)


def _is_near(exchange: Exchange, at_ms: float) -> bool:
    """Whether a request failed, or was answered, at this time."""
    ended_at_ms = exchange.response_at_ms if exchange.response_at_ms is not None else exchange.ended_at_ms
    return ended_at_ms is not None and ended_at_ms - AFTER_MS <= at_ms <= ended_at_ms + BEFORE_MS


def _is_repeated(exchange: Exchange, text: str) -> bool:
    """Whether a line says what code says of this request: that nothing came, the refusal's body, or that it is no JSON."""
    if exchange.response is None:
        return exchange.failure != "" and NO_ANSWER.fullmatch(text) is not None
    if exchange.status < 400:
        return NO_JSON.search(text) is not None or (exchange.failure != "" and NO_ANSWER.fullmatch(text) is not None)
    body = exchange.body.body if exchange.body else None
    is_whole = body is not None and not body.is_truncated
    return not is_whole or body is None or body.sha256 == hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()

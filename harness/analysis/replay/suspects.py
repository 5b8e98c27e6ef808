"""What in a recorded visit may be what stopped it, and the smallest part of that whose healing lets the widget mount.

In: a recording; then the answers of experiments. Out: suspects, those that look wrong first, and the next experiment to make. Exchanges
are named as in the fault language; a page's own facts are `tag`, `options`, `layout` and `embed`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from harness.analysis.facts.exchanges import ABORTED
from harness.analysis.replay.matching import is_given_up_at_once, is_twin
from harness.analysis.rules import BY_ID
from harness.model.addresses import API, CONVERSATION, SENTINEL, VERIFY, is_loader, names_a_session, split_url
from harness.model.chatkit import CDN_HOST
from harness.model.faults import ALL_EXCHANGES, Asked
from harness.model.recording import NEVER, RecordedExchange, Recording
from harness.model.shapes import Packed, shape_of

# What is wrong in a page itself, and no server can heal.
FACTS = {
    "tag": "the loader's script tag",
    "options": "what setOptions is called with",
    "layout": "where the element stands, how large it is, and what hides it",
    "embed": "the page's own code around the element",
}
UNSUSPECTED = ("page", "openai-sessions", "telemetry")
DESTINATIONS = {"fetch": "empty", "xhr": "empty", "stylesheet": "style", "eventsource": "empty"}
BINDING = ("content-security-policy", "x-frame-options", "cross-origin-embedder-policy", "cross-origin-opener-policy")
SECRET = re.compile(r"[A-Za-z0-9_\-]+_(?:00|01)[A-Za-z0-9+/=]{8,}")
LIKE_SESSION = re.compile(r"session|secret", re.IGNORECASE)
SLOW_MS = 3_000
USABLE_S = 30  # a secret that ends sooner is asked for again

# Which suspects a rule's finding is about, by its layer.
OF_LAYER: dict[str, tuple[str, ...]] = {
    "page": ("page", "embed"),
    "loader script": ("script", "tag", "page"),
    "custom element": ("embed", "options"),
    "options": ("options",),
    "session endpoint": ("session", "page", "embed"),
    "OpenAI sessions API": ("session",),
    "frame": ("frame", "entry", "assets", "page", "script"),
    "handshake": ("page", "embed"),
    "domain verification": ("verify", "options"),
    "chat backend": ("conversation", "custom", "page", "options", "sentinel"),
    "visibility": ("layout", "page"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """Something that can be healed. `why` says what looks wrong about it, "" when nothing does."""

    name: str
    why: str = ""
    seq: int = 0  # the line of the recorded timeline

    @property
    def is_odd(self) -> bool:
        """Whether it looks wrong."""
        return bool(self.why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Smallest:
    """The smallest set of suspects whose healing lets the widget mount; none when even all together do not."""

    names: tuple[str, ...]
    experiments: int


def suspects_of(recording: Recording) -> tuple[Suspect, ...]:
    """Return every suspect, those that look wrong first, in the order of their evidence."""
    found: dict[str, Suspect] = {}
    for exchange in recording.exchanges:
        if is_given_up_at_once(exchange) and any(_is_again(exchange, x) for x in recording.exchanges):
            continue
        for name in targets_of(exchange, recording):
            why = _oddness(name, exchange, recording)
            if name not in found or (why and not found[name].is_odd):
                found[name] = Suspect(name=name, why=why, seq=exchange.seq)
    odd_facts = {
        name: rule
        for rule in reversed(recording.judged.findings or (recording.judged.cause,))
        if rule in BY_ID
        for name in OF_LAYER.get(BY_ID[rule].layer, ())
        if name in FACTS
    }
    for name in FACTS:
        found[name] = Suspect(name=name, why=f"a rule says {odd_facts[name]}" if name in odd_facts else "")
    # What no answer tells is suspected last, and the page's whole code after everything else.
    return tuple(sorted(found.values(), key=lambda s: (not s.is_odd, s.name == "embed", s.name in FACTS, s.seq)))


def disagreement(rule: str, names: Iterable[str]) -> str:
    """Return in what the rules and the experiments disagree, as a sentence; nothing when they do not."""
    names = tuple(names)
    if not names or rule not in BY_ID:
        return ""
    expected = OF_LAYER.get(BY_ID[rule].layer, ())
    if any(name in expected for name in names):
        return ""
    return f"the rules say {rule} ({BY_ID[rule].layer}), but the widget mounts when {' and '.join(names)} is healed"


def smallest(suspects: Iterable[Suspect], works: Callable[[frozenset[str]], bool]) -> Smallest:
    """Return the smallest set that `works`, asking as seldom as it can: single ones, then all, then all but one after another."""
    suspects = tuple(suspects)
    odd = [s.name for s in suspects if s.is_odd]
    others = [s.name for s in suspects if not s.is_odd]
    known: dict[frozenset[str], bool] = {}

    def tried(names: Iterable[str]) -> bool:
        chosen = frozenset(names)
        if chosen not in known:
            known[chosen] = works(chosen)
        return known[chosen]

    for group in _attempts(odd, others):
        if tried(group):
            return Smallest(names=tuple(_reduced(group, tried)), experiments=len(known))
    return Smallest(names=(), experiments=len(known))


def _attempts(odd: list[str], others: list[str]) -> Iterator[list[str]]:
    last = [name for name in others if name == "embed"]
    rest = [name for name in others if name != "embed"]
    yield from ([name] for name in odd)
    if len(odd) > 1:
        yield odd
    yield from ([name] for name in rest)
    if rest:
        yield odd + rest
    yield from ([name] for name in last)
    if last:
        yield odd + rest + last


def _reduced(names: list[str], works: Callable[[Iterable[str]], bool]) -> list[str]:
    """Leave out, one after another from the last, what is not needed."""
    left = list(names)
    for name in reversed(names):
        without = [other for other in left if other != name]
        if without and works(without):
            left = without
    return left


# --- exchanges ----------------------------------------------------------------------------------------------------


def targets_of(exchange: RecordedExchange, recording: Recording) -> Iterator[str]:
    """Yield what an exchange is in the words of the fault language."""
    is_page = exchange.resource_type == "document" and exchange.url == recording.url.split("#")[0]
    kind = exchange.resource_type
    destination = ("document" if is_page else "iframe") if kind == "document" else DESTINATIONS.get(kind, kind)
    asked = Asked(method=exchange.method, url=exchange.url, destination=destination, operation=exchange.operation)
    if is_page:
        yield "page"
    names = [x.name for x in ALL_EXCHANGES if x.name not in UNSUSPECTED and x.is_it(asked)]
    yield from names
    session = session_of(recording) if "session" not in names else None
    if session is not None and (session.method, session.url) == (exchange.method, exchange.url):
        yield "session"


def session_of(recording: Recording) -> RecordedExchange | None:
    """Return the request that asked for the client secret: by its name, by the configured endpoint, or by the likest name there is."""
    own = split_url(recording.url)
    asked = [
        x
        for x in recording.exchanges
        if x.resource_type in ("fetch", "xhr")
        and not split_url(x.url).path.startswith((API, CONVERSATION, VERIFY, SENTINEL))
    ]
    endpoint = recording.judged.session_endpoint
    ways: tuple[Callable[[RecordedExchange], bool], ...] = (
        lambda x: names_a_session(split_url(x.url).path, x.method),
        lambda x: bool(endpoint) and (fnmatchcase(x.url, endpoint) or fnmatchcase(x.url.split("?")[0], endpoint)),
        lambda x: split_url(x.url)[:2] == own[:2] and bool(LIKE_SESSION.search(split_url(x.url).path)),
    )
    return next((x for is_it in ways for x in asked if is_it(x)), None)


def _is_again(given_up: RecordedExchange, other: RecordedExchange) -> bool:
    return (given_up.method, given_up.url) == (other.method, other.url) and is_twin(given_up, other)


def _oddness(name: str, exchange: RecordedExchange, recording: Recording) -> str:
    """Return what looks wrong about an exchange, or nothing."""
    if exchange.failure and exchange.failure not in ABORTED:
        return f"failed with {exchange.failure}"
    if exchange.status >= 400:
        return f"answered {exchange.status}"
    if exchange.status == 0:
        return "was never answered"
    if exchange.ended_ms == NEVER and exchange.media_type != "text/event-stream":
        return "never ended"
    if max(exchange.answered_ms, exchange.ended_ms) > SLOW_MS and exchange.media_type != "text/event-stream":
        return f"took {max(exchange.answered_ms, exchange.ended_ms) / 1000:.1f} s"
    return _content_oddness(name, exchange, recording)


def _content_oddness(name: str, exchange: RecordedExchange, recording: Recording) -> str:
    headers = {header.lower() for header, _ in exchange.headers}
    match name:
        case "page" | "frame":
            bound = [header for header in BINDING if header in headers]
            is_meta = name == "page" and "content-security-policy" in exchange.text.lower()
            return f"has {', '.join(bound)}" if bound else "has a policy in its HTML" if is_meta else ""
        case "script" | "entry" | "assets":
            wrong = exchange.media_type.endswith(("html", "plain", "json"))
            is_elsewhere = name == "script" and not is_usual_loader(exchange.url)
            return f"is {exchange.media_type}" if wrong else "is not on ChatKit's CDN" if is_elsewhere else ""
        case "session":
            return "" if has_good_secret(exchange.text, recording) else "has no client secret that works"
        case "verify":
            return "" if '"verified":true' in exchange.text.replace(" ", "") else "does not say verified"
        case "conversation" | "custom":
            is_right = exchange.media_type.endswith("json") or exchange.media_type == "text/event-stream"
            return "" if is_right else f"is {exchange.media_type or 'nothing'}"
        case _:
            return ""


def is_usual_loader(url: str) -> bool:
    """Whether a loader comes from where OpenAI serves it."""
    parts = split_url(url)
    return is_loader(url) and parts.hostname == CDN_HOST and parts.path.startswith("/deployments/")


def has_good_secret(text: str, recording: Recording) -> bool:
    """Whether a text holds a client secret in the real format that was good for a while when it was recorded."""
    try:
        now_s = datetime.fromisoformat(recording.started_at).timestamp()
    except ValueError:
        now_s = 0.0
    for found in SECRET.finditer(text):
        packed = [part for part in shape_of(found[0]) if isinstance(part, Packed)]
        expires_at = dict(packed[0].claims).get("expires_at") if packed else None
        if isinstance(expires_at, int | float) and expires_at > now_s + USABLE_S:
            return True
    return False

"""A rule: a failing state with a name, its meaning, its remedy, and the pure function that finds it.

In: nothing. Out: the types that the other files of this folder use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from harness.analysis.facts.exchanges import Exchange
from harness.analysis.facts.facts import Facts, Seen
from harness.model.chatkit import LOADER_URL

CHATKIT_GUIDE = "https://developers.openai.com/api/docs/guides/chatkit"
CHATKIT_JS = "https://openai.github.io/chatkit-js/"
CHATKIT_PYTHON = "https://openai.github.io/chatkit-python/"
ALLOWLIST = "https://platform.openai.com/settings/organization/security/domain-allowlist"
MDN = "https://developer.mozilla.org/en-US/docs/Web/"
LONGEST_TOLD = 300
LOAD_IT = f'Put <script src="{LOADER_URL}" async></script> into the document\'s head.'


class Layer(StrEnum):
    """The parts of a mount, in the order in which they have to work."""

    NETWORK = "network"  # of this machine; only a preflight can find it, see `hops`
    PAGE = "page"
    SCRIPT = "loader script"
    ELEMENT = "custom element"
    OPTIONS = "options"
    SESSION = "session endpoint"
    UPSTREAM = "OpenAI sessions API"
    FRAME = "frame"
    HANDSHAKE = "handshake"
    DOMAIN = "domain verification"
    BACKEND = "chat backend"
    SIGHT = "visibility"
    CONSOLE = "console"


class Party(StrEnum):
    """Who has to act."""

    APP = "our app"
    CONFIGURATION = "our configuration"
    API = "OpenAI's API"
    CDN = "the CDN"
    NETWORK = "the network"
    NOBODY = "nobody yet"  # nothing explains it


class Confidence(StrEnum):
    """How sure a finding is."""

    CERTAIN = "certain"  # the evidence excludes the alternatives
    LIKELY = "likely"
    POSSIBLE = "possible"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One occurrence of a failing state: what was observed, and on which lines. Without lines there is no finding."""

    summary: str
    evidence: tuple[int, ...]
    confidence: Confidence | None = None  # when it differs from the rule's
    is_prediction: bool = False  # nothing failed yet; this would stop the mount next


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A failing state that has a name."""

    id: str
    layer: Layer
    owner: Party  # who has to act
    title: str
    cause: str
    remedy: str
    finds: Callable[[Facts], Iterator[Found]]
    confidence: Confidence = Confidence.CERTAIN
    stops_mount: bool = True
    outlives_mount: bool = (
        False  # also reported for mounted widgets: it does not always stop the mount, or it can happen later
    )
    symptom_of: tuple[str, ...] = ()  # rules, or layers, that explain this one when they are found as well
    covers: tuple[str, ...] = ()  # entries of the catalogue of known failures
    doc: str = ""


def told(exchange: Exchange) -> str:
    """Return the result of a request as a clause."""
    what = f"{exchange.request.method} {exchange.url}"
    if exchange.failure and exchange.status < 400:
        return f"{what} failed with {exchange.failure}" + (f" after {exchange.status}" if exchange.status else "")
    if exchange.response is None:
        return f"{what} was not answered"
    error = exchange.error_text
    return f"{what} answered {exchange.status}" + (f" ({on_one_line(error)})" if error else "")


def on_one_line(text: str, longest: int = LONGEST_TOLD) -> str:
    """Return a text without line breaks, and not too long."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def lines_of(seen: Iterable[Seen[object]]) -> tuple[int, ...]:
    """Return the line numbers of these entries."""
    return tuple(one.seq for one in seen)


def with_loaded(facts: Facts, *lines: int) -> tuple[int, ...]:
    """Return the lines and the line of the page's load event, by which the missing thing was expected."""
    return tuple(dict.fromkeys(seq for seq in (*lines, facts.page.loaded_seq) if seq)) or (facts.page.seq,)

"""What a rule is: a failing state with a name, what it means and what to do, and the pure function that finds it.

In: nothing. Out: the types that the files beside this one fill in.
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
    """Where the chain of a mount breaks, in the order in which it has to hold."""

    NETWORK = "network"  # of the machine that asks; no visit tells, see `hops`
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
    """One occurrence of a failing state: what was seen, and on which lines. Without lines there is no finding."""

    summary: str
    evidence: tuple[int, ...]
    confidence: Confidence | None = None  # when it is another one than the rule's
    is_prediction: bool = False  # nothing broke yet; this is what would stop the mount next


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A failing state that has a name."""

    id: str
    layer: Layer
    owner: Party  # whose fault it is
    title: str
    cause: str
    remedy: str
    finds: Callable[[Facts], Iterator[Found]]
    confidence: Confidence = Confidence.CERTAIN
    stops_mount: bool = True
    outlives_mount: bool = False  # reported for widgets that stand, too: it need not stop them, or can come later
    symptom_of: tuple[str, ...] = ()  # rules, or layers, that explain it when they are found too
    covers: tuple[str, ...] = ()  # entries of the catalogue of known failures
    doc: str = ""


def told(exchange: Exchange) -> str:
    """Return what became of a request, as a clause."""
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
    """Return the lines on which these stand."""
    return tuple(one.seq for one in seen)


def with_loaded(facts: Facts, *lines: int) -> tuple[int, ...]:
    """Return the lines with that of the page's load event: what is missing by then was expected before."""
    return tuple(dict.fromkeys(seq for seq in (*lines, facts.page.loaded_seq) if seq)) or (facts.page.seq,)

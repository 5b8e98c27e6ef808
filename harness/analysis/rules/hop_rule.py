"""The common parts of the hop rules: their types, and functions that read a preflight.

In: nothing. Out: the types that `hops`, `api_hops` and `ahead` use, and functions about hops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.analysis.rules.rule import Confidence, Found, Layer, Party
from harness.model.addresses import split_url
from harness.model.hops import Failure, Hop, HopKind, PreflightFacts

STATUS_PAGE = "https://status.openai.com"
KEYS_PAGE = "https://platform.openai.com/api-keys"
UNREACHED = (Failure.NAME, Failure.REFUSED, Failure.UNREACHABLE, Failure.SLOW_CONNECT, Failure.TLS, Failure.BROKEN)
LOOPBACK = ("localhost", "127.0.0.1", "::1")
API_KINDS = (HopKind.MODELS, HopKind.API_SESSION)


@dataclass(frozen=True, slots=True, kw_only=True)
class HopRule:
    """A failing state that only a preflight knows."""

    id: str
    layer: Layer
    owner: Party  # who has to act
    title: str
    cause: str
    remedy: str
    finds: Callable[[PreflightFacts], Iterator[Found]]
    confidence: Confidence = Confidence.CERTAIN
    is_fatal: bool = True  # the preflight fails because of it; otherwise it is a warning
    is_of_machine: bool = False  # of this machine: the preflight says nothing about other parties
    hides: tuple[str, ...] = ()  # rules that are left out for the same hops when this one is found
    hides_all: bool = False  # it explains all other findings of its hops
    is_about_key: bool = False  # it concerns the key's text, which no hop explains
    doc: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """A visit's rule that headers can match before a browser loads the page."""

    rule: str
    finds: Callable[[PreflightFacts], Iterator[Found]]


def numbers_of(*hops: Hop) -> tuple[int, ...]:
    """Return the numbers of hops, as evidence."""
    return tuple(dict.fromkeys(hop.number for hop in hops))


def is_here(hop: Hop) -> bool:
    """Whether a hop goes to this machine."""
    return (split_url(hop.url).hostname or "") in LOOPBACK


def waited(hop: Hop) -> str:
    """Return how long the preflight waited for a hop, as a clause."""
    begun = "began to answer and did not finish" if hop.status else "did not answer"
    return f"{begun} within {hop.limit_ms / 1000:g} s"


def skipped_of(preflight: PreflightFacts, *kinds: HopKind) -> list[Hop]:
    """Return the hops of these kinds that were skipped."""
    return [hop for hop in preflight.hops if hop.kind in kinds and hop.skipped]


def page_of(preflight: PreflightFacts) -> Hop | None:
    """Return the page, when it was answered."""
    return next((hop for hop in preflight.of(HopKind.PAGE) if hop.is_answered), None)


def owner_of(preflight: PreflightFacts) -> Hop | None:
    """Return the first answer that names the key's organisation and project; not every answer does."""
    return next((hop for hop in preflight.of(*API_KINDS) if hop.project or hop.organization), None)


def workflow_404s(preflight: PreflightFacts) -> list[Hop]:
    """Return the hops whose workflow was not found."""
    return [h for h in preflight.of(HopKind.API_SESSION) if h.status == 404 and "Workflow" in h.error_text]


def origin_of(url: str) -> str:
    """Return the origin of an address."""
    parts = split_url(url)
    return f"{parts.scheme}://{parts.netloc}"

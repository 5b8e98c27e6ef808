"""The state of one embed: four tracks, the checks, and the data that is needed to interpret the next entries.

In: nothing. Out: frozen values that `mount` folds a timeline into. They say how things stand, and pass no verdict.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum
from math import inf

from harness.analysis.facts.exchanges import Exchange
from harness.analysis.facts.roles import (
    is_conversation,
    is_frame_document,
    is_loader,
    is_page_document,
    is_session_request,
    is_session_url,
    is_verification,
)
from harness.analysis.mount.tracks import Element, Frame, Script, Session, Signal
from harness.model.events import BoxChanged, FrameMessage, ShadowChanged
from harness.model.timeline import Entry

LONGEST_UNREAD_MS = 2_000  # an app's request that is answered, but whose end is not reported
LONGEST_UNANSWERED_MS = 10_000  # an app's request without an answer: a long poll, unless it is the session's

EmbedId = tuple[str, int]  # a document, and the number of an element in it


class Milestone(StrEnum):
    """What a healthy mount reaches, in this order."""

    PAGE_LOADED = "page-loaded"
    SCRIPT_REQUESTED = "script-requested"
    ELEMENT_DEFINED = "element-defined"
    ELEMENT_CONNECTED = "element-connected"
    OPTIONS_ACCEPTED = "options-accepted"
    FRAME_DELIVERED = "frame-delivered"
    FRAME_BOOTED = "frame-booted"
    SECRET_DELIVERED = "secret-delivered"
    COMPOSER_READY = "composer-ready"
    DOMAIN_VERIFIED = "domain-verified"
    BACKEND_ACCEPTED = "backend-accepted"
    MOUNTED = "mounted"


class Verification(Enum):
    """The state of the domain check."""

    UNSEEN = "unseen"
    PENDING = "pending"
    VERIFIED = "verified"
    SKIPPED = "skipped"
    REFUSED = "refused"  # decides nothing: the frame asks once more, or has itself removed


class Backend(Enum):
    """The result of the first backend calls."""

    UNSEEN = "unseen"
    ANNOUNCED = "announced"  # the frame has said that a call is to come
    PENDING = "pending"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    FAILING = "failing"  # a 5xx or a network error: the frame tries again by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """When a milestone was first seen, and on which line."""

    at_ms: float
    seq: int


def is_in_sight(box: BoxChanged) -> bool:
    """Whether this box is visible for a user."""
    return box.is_rendered and box.is_reachable and box.width_px > 0 and box.height_px > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """The state of one embed of the current page. Others are set aside until this one is taken out, or turns out to be a spare."""

    script: Script = Script.ABSENT
    element: Element = Element.ABSENT
    session: Session = Session.NONE
    frame: Frame = Frame.ABSENT
    verification: Verification = Verification.UNSEEN
    backend: Backend = Backend.UNSEEN
    milestones: dict[Milestone, Reached] = field(default_factory=dict)
    last_signal: dict[Signal, int] = field(default_factory=dict)  # seq of the newest entry that meant it
    embed: EmbedId | None = None
    wanted: EmbedId | None = (
        None  # the one to judge whatever happens; None: the first that the page does something with
    )
    said: tuple[Entry, ...] = ()  # of the judged one
    others: dict[EmbedId, tuple[Entry, ...]] = field(default_factory=dict)  # what was said of the page's other embeds
    top_document: str = ""
    documents: dict[str, str] = field(default_factory=dict)  # URLs of the current page's, as far as they spoke
    shadow: ShadowChanged | None = None
    box: BoxChanged | None = None
    kept: dict[str, Exchange] = field(default_factory=dict)  # open ones, and those a track depends on
    special: tuple[
        str, ...
    ] = ()  # the ids of those that a track depends on, oldest first: one page may make thousands of others
    asked: dict[str, str] = field(default_factory=dict)  # what the frame waits for: commands by nonce
    early: dict[str, FrameMessage] = field(default_factory=dict)  # answers whose question is not seen yet, by nonce
    ended: tuple[Exchange, ...] = ()  # the last requests of the app's code; one may turn out to have been the frame's
    backend_urls: frozenset[str] = frozenset()  # what the frame asked the host page to fetch (custom mode)
    backend_calls: frozenset[str] = frozenset()  # the nonces of those
    session_endpoint: str = ""  # glob from the configuration; "" to find it by its answer and its name
    is_crashed: bool = False
    has_loaded: bool = False  # the page's load event fired: every script it came with has run
    has_ready_event: bool = False  # `chatkit.ready` fired, which proves little
    opened_at_ms: float = 0.0
    active_at_ms: float = 0.0  # the last sign of life that a mount can depend on
    decided_at_ms: float = 0.0  # the last change of anything a verdict depends on
    pause_ms: float = 0.0  # the longest one after which the page's code has repeated a request that had failed

    @property
    def is_visible(self) -> bool:
        """Whether the element has a box that a person could see."""
        return self.box is not None and is_in_sight(self.box)

    @property
    def needs_no_secret(self) -> bool:
        """Whether the frame got as far as the composer without asking for a secret: custom mode asks for none."""
        return self.frame is Frame.READY and Signal.SECRET_ASKED not in self.last_signal

    @property
    def busy_until_ms(self) -> float:
        """Until when something in flight can still change a mount that looks lost; infinite for ChatKit's own requests."""
        if self.asked:
            return inf
        return max((self._awaited_until_ms(x) for x in self.kept.values() if x.is_open), default=0.0)

    @property
    def special_exchanges(self) -> list[Exchange]:
        """The exchanges that a track depends on, oldest first."""
        return [self.kept[key] for key in self.special if key in self.kept]

    @property
    def last_milestone(self) -> Milestone | None:
        """The last milestone before the first one that is missing, optional ones left aside."""
        if Milestone.MOUNTED in self.milestones:
            return Milestone.MOUNTED
        last = None
        for milestone in Milestone:
            if milestone in self.milestones:
                last = milestone
            elif not self.is_optional(milestone):
                break
        return last

    @property
    def next_milestone(self) -> Milestone | None:
        """The first milestone that is missing; None when there is none."""
        if Milestone.MOUNTED in self.milestones:
            return None
        return next((m for m in Milestone if m not in self.milestones and not self.is_optional(m)), None)

    def is_optional(self, milestone: Milestone) -> bool:
        """Whether this mount may be whole without it: no secret was asked for, no check or backend call was made."""
        match milestone:
            case Milestone.SECRET_DELIVERED:
                return self.session is Session.NONE or self.needs_no_secret
            case Milestone.DOMAIN_VERIFIED:
                return self.verification is Verification.UNSEEN
            case Milestone.BACKEND_ACCEPTED:
                return self.backend in (Backend.UNSEEN, Backend.ANNOUNCED)
            case _:
                return False

    def is_backend(self, exchange: Exchange) -> bool:
        """Whether it is a backend call: of the frame in hosted mode, of the page on the frame's behalf in custom mode."""
        return is_conversation(exchange) or exchange.url in self.backend_urls

    def is_session(self, exchange: Exchange) -> bool:
        """Whether it asks the app for a client secret."""
        return not self.is_backend(exchange) and is_session_request(exchange, self.session_endpoint)

    def is_session_url(self, url: str) -> bool:
        """Whether an address says that a client secret is asked for there; for requests that policy kept from being made."""
        return is_session_url(url, self.session_endpoint)

    def is_special(self, exchange: Exchange) -> bool:
        """Whether a track depends on it also after it ended."""
        return is_frame_document(exchange) or is_verification(exchange) or self.is_backend(exchange)

    def _awaited_until_ms(self, exchange: Exchange) -> float:
        """Until when an open exchange counts: the app's may be long polls, or answers whose body nobody reads."""
        is_read_by_browser = is_loader(exchange.url) or is_frame_document(exchange) or is_page_document(exchange)
        if exchange.response_at_ms is not None and not is_read_by_browser:
            return exchange.response_at_ms + LONGEST_UNREAD_MS
        if is_read_by_browser or self.is_special(exchange) or self.is_session(exchange):
            return inf
        return exchange.started_at_ms + LONGEST_UNANSWERED_MS

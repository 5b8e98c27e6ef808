"""The facts of one visit for the rules: those of the judged embed on the current page.

In: nothing; `gathering` fills it from a timeline. Out: a frozen `Facts`. Only rules interpret it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Generic, TypeVar

from harness.analysis.facts.exchanges import Exchange, is_telemetry, split_url
from harness.analysis.facts.roles import (
    is_loader,
)
from harness.analysis.mount.prefetch import PrefetchReport
from harness.analysis.mount.state import EmbedId, Mount
from harness.analysis.mount.tracks import Element, Frame
from harness.analysis.mount.verdict import Outcome
from harness.model.addresses import server_of
from harness.model.chatkit import CDN_HOST
from harness.model.events import (
    ActionEnded,
    BoxChanged,
    ConsoleMessage,
    DocumentStarted,
    ElementDefined,
    FrameMessage,
    LookalikeSeen,
    NoticeShown,
    OptionsSeen,
    PageCrashed,
    PageErrorRaised,
    PolicyViolated,
    RequestBlocked,
    ResourceTimed,
    ScriptReferenced,
    ShadowChanged,
    WidgetEvent,
)
from harness.model.results import OtherEmbed

# A file of this name is meant to be the loader, wherever it is said to be.
LOADER_NAME = re.compile(
    r"(openai-)?chatkit([.-](min|umd|iife|esm|bundle|loader|sdk|latest|v?\d[\w.]*))*\.m?js", re.IGNORECASE
)
SOUNDS_LIKE_IT = re.compile(r"chat|token|session|secret|assistant|openai|credential", re.IGNORECASE)
REAL_FORMATS = ("v00", "v01")
MOST_CONSOLE_LINES = 2_000

E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen(Generic[E_co]):
    """An event of one kind, and the line it stands on."""

    seq: int
    at_ms: float
    event: E_co


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFacts:
    """The document that the embed stands in, or the page's own when there is no embed."""

    url: str
    origin: str  # "null" when opaque; "" when the probe never spoke
    is_top: bool
    is_secure_context: bool
    asked_url: str  # where the visit was to go
    status: int  # of the page; 0 when unknown
    headers: tuple[tuple[str, str], ...]  # of the page's answer, names in lower case
    seq: int  # of the page's request, or the first line
    loaded_seq: int  # of the load event; 0 when it did not fire

    def header(self, name: str) -> str:
        """Return a header of the page's answer; "" when it has none."""
        return ", ".join(value for key, value in self.headers if key == name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """One question of the frame for a client secret, and the page's answer."""

    asked_seq: int
    has_current: bool  # the frame had a secret already and wants a new one
    answered_seq: int = 0  # 0 while unanswered
    kind: str = ""  # of the answer: "string" | "undefined" | …; "" when it was an error
    format: str = ""
    digest: str = ""
    error: str = ""

    @property
    def is_real(self) -> bool:
        """Whether the frame got a secret of the format that it accepts."""
        return self.format in REAL_FORMATS


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameCall:
    """A call to the custom backend that the frame has the page make, and what the page's code says of it."""

    asked_seq: int
    answered_seq: int = 0  # 0 while unanswered
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCall:
    """A request of the page that is to bring a client secret."""

    exchange: Exchange
    is_named: bool  # known by its address or its answer; else only by the moment it was made
    has_secret: bool
    is_refused: bool  # failed, was refused, or came without a secret

    @property
    def error_text(self) -> str:
        """What the answer says is wrong."""
        return self.exchange.error_text

    @property
    def secret_format(self) -> str:
        """The form of the secret in its answer: "v00", "v01", "other"; "" without one."""
        return self.exchange.body.secret_format if self.exchange.body and self.has_secret else ""

    @property
    def is_mock(self) -> bool:
        """Whether its answer holds a secret and calls itself a mock."""
        return self.exchange.body is not None and self.exchange.body.is_mock and self.has_secret

    @property
    def digests(self) -> frozenset[str]:
        """The digests of what may be the secret in its answer."""
        body = self.exchange.body
        return frozenset({body.secret_digest, *body.string_digests} - {""}) if body else frozenset()

    @property
    def evidence(self) -> tuple[int, ...]:
        """The lines of the request and of its end."""
        return evidence_of(self.exchange)


@dataclass(frozen=True, slots=True, kw_only=True)
class WidgetError:
    """An error that ChatKit itself reports, from its frame or on its element."""

    seq: int
    name: str
    message: str
    is_from_frame: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedFacts:
    """One element, and when it was inserted and removed."""

    id: EmbedId
    connected: tuple[int, ...]  # lines
    disconnected: tuple[int, ...]

    @property
    def is_there(self) -> bool:
        """Whether it stands in the document."""
        return len(self.connected) > len(self.disconnected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The input of the rules. Tuples are in the order of the timeline."""

    mount: Mount
    outcome: Outcome | None  # None while the mount is undecided: nothing can be concluded from silence then
    decided_at_ms: float
    page: PageFacts
    prefetch: PrefetchReport
    exchanges: tuple[Exchange, ...]
    scripts: tuple[Seen[ScriptReferenced], ...]
    loaders: tuple[Exchange, ...]
    defined: tuple[Seen[ElementDefined], ...]
    lookalikes: tuple[Seen[LookalikeSeen], ...]
    notices: tuple[Seen[NoticeShown], ...]
    timings: tuple[Seen[ResourceTimed], ...]  # of the document that matters
    embeds: tuple[EmbedFacts, ...]
    options: Seen[OptionsSeen] | None
    shadows: tuple[Seen[ShadowChanged], ...]
    box: Seen[BoxChanged] | None
    messages: tuple[Seen[FrameMessage], ...]  # of the embed's frame to the page
    errors: tuple[WidgetError, ...]
    events: tuple[Seen[WidgetEvent], ...]
    frame_starts: tuple[Seen[DocumentStarted], ...]  # the probe's first words in the frame's documents
    frame_documents: tuple[Exchange, ...]
    frame_scripts: tuple[Exchange, ...]
    handovers: tuple[Handover, ...]
    frame_calls: tuple[FrameCall, ...]
    sessions: tuple[SessionCall, ...]
    checks: tuple[Exchange, ...]
    calls: tuple[Exchange, ...]
    console: tuple[Seen[ConsoleMessage], ...]  # errors and warnings
    page_errors: tuple[Seen[PageErrorRaised], ...]
    violations: tuple[Seen[PolicyViolated], ...]  # enforced ones
    blocked: tuple[Seen[RequestBlocked], ...]
    crashes: tuple[Seen[PageCrashed], ...]
    others: tuple[OtherEmbed, ...]  # the verdicts on other embeds of the page that are not that of the judged one
    acted_seq: int  # of the harness's last action on the page; 0 when there was none
    actions: tuple[Seen[ActionEnded], ...] = ()  # what became of each

    @property
    def is_mounted(self) -> bool:
        """Whether the widget really mounted."""
        return self.outcome is Outcome.MOUNTED

    @property
    def is_settled(self) -> bool:
        """Whether the mount is decided and the page has loaded, or had all its time: what is missing stays missing."""
        return self.outcome is Outcome.TIMEOUT or (self.outcome is not None and self.page.loaded_seq > 0)

    @property
    def embed(self) -> EmbedFacts | None:
        """The judged embed; None when the page has none."""
        return next((embed for embed in self.embeds if embed.id == self.mount.embed), None)

    @property
    def is_defined(self) -> bool:
        """Whether the element is defined in the document that matters."""
        return bool(self.defined)

    @property
    def is_configured(self) -> bool:
        """Whether the element took its options, at any time."""
        return self.mount.element in (Element.CONFIGURED, Element.LOADED, Element.REMOVED, Element.MOVED)

    @property
    def has_frame_spoken(self) -> bool:
        """Whether any message of the frame arrived."""
        return bool(self.messages)

    @property
    def is_frame_alive(self) -> bool:
        """Whether the frame's app runs, with options that it accepts."""
        return self.mount.frame in (Frame.BOOTED, Frame.READY)

    @property
    def real_secret_seq(self) -> int:
        """The line on which the frame last got a secret of the real format; 0 when never."""
        return max((handover.answered_seq for handover in self.handovers if handover.is_real), default=0)

    @property
    def is_custom(self) -> bool:
        """Whether the frame does without a client secret."""
        keys = self.options.event.api_keys if self.options else ()
        return self.mount.needs_no_secret or ("url" in keys and "getClientSecret" not in keys)

    @property
    def failed_session(self) -> SessionCall | None:
        """The page's last request for a secret when it brought none, and no other has brought one since."""
        ended = [call for call in self.sessions if call.has_secret or call.is_refused]
        if not ended or ended[-1].has_secret or self.is_custom:
            return None
        # A frame that has what it last asked for does not depend on other requests of the page.
        return None if self.handovers and self.handovers[-1].is_real else ended[-1]

    @property
    def failed_loader(self) -> Exchange | None:
        """The last request for the loader when it failed, and the element was never defined."""
        if self.is_defined or not self.loaders:
            return None
        last = self.loaders[-1]
        return last if last.failure or last.status >= 400 else None

    def is_kept_here(self, exchange: Exchange) -> bool:
        """Whether a request failed because a hermetic run kept it on this machine."""
        kept = {server_of(s.event.url) for s in self.blocked}
        return exchange.status == 0 and exchange.failure != "" and server_of(exchange.url) in kept

    @property
    def missed(self) -> tuple[Exchange, ...]:
        """What the page's own code asked for and did not get: it failed, was refused, or was answered by a web page."""
        return tuple(
            x
            for x in self.exchanges
            if x.request.is_top_frame
            and x.request.resource_type in ("fetch", "xhr", "script")
            and not (is_telemetry(x.url) or is_loader_candidate(x.url) or self.is_kept_here(x))
            # A module that is answered 404 is reported as aborted, too.
            and (x.status >= 400 or (not x.is_aborted and (x.failure != "" or x.media_type == "text/html")))
        )

    @property
    def frame_document(self) -> Exchange | None:
        """The last request for the document of the embed's iframe."""
        return self.frame_documents[-1] if self.frame_documents else None

    @property
    def last_check(self) -> Exchange | None:
        """The last domain check."""
        return self.checks[-1] if self.checks else None

    @property
    def failed_call(self) -> Exchange | None:
        """The last backend call when it failed, and none has been accepted since; renewed ones count as the last."""
        ended = [x for x in self.calls if x.status or (x.failure and not x.is_aborted)]
        return ended[-1] if ended and not 200 <= ended[-1].status < 400 else None

    @property
    def refused_call(self) -> Exchange | None:
        """The last backend call that was refused, whatever was accepted since."""
        return next((x for x in reversed(self.calls) if x.status >= 400), None)

    def names_session(self, url: str) -> bool:
        """Whether an address is one that the page's requests for a secret have: by the configuration, else by its name."""
        return self.mount.is_session_url(url)

    def console_about(self, *needles: str, pattern: str = "") -> tuple[Seen[ConsoleMessage], ...]:
        """Return the console's errors and warnings that contain all of these texts, and match the pattern."""
        found = (seen for seen in self.console if all(needle in seen.event.text for needle in needles))
        return tuple(seen for seen in found if re.search(pattern, seen.event.text, re.IGNORECASE))

    def notices_about(self, pattern: str) -> tuple[Seen[NoticeShown], ...]:
        """Return the texts about the chat that the page has shown and that match the pattern."""
        return tuple(seen for seen in self.notices if re.search(pattern, seen.event.text, re.IGNORECASE))

    def page_errors_about(self, pattern: str) -> tuple[Seen[PageErrorRaised], ...]:
        """Return the uncaught errors whose name and message match the pattern."""
        return tuple(
            seen
            for seen in self.page_errors
            if re.search(pattern, f"{seen.event.name}: {seen.event.message}", re.IGNORECASE)
        )

    def errors_about(self, pattern: str) -> tuple[WidgetError, ...]:
        """Return ChatKit's own errors whose name and message match the pattern."""
        return tuple(e for e in self.errors if re.search(pattern, f"{e.name}: {e.message}", re.IGNORECASE))

    def violations_of(self, exchange: Exchange, directives: tuple[str, ...]) -> tuple[Seen[PolicyViolated], ...]:
        """Return the violations of these directives that are about a request's address."""
        return tuple(
            seen
            for seen in self.violations
            if seen.event.directive.startswith(directives) and is_same_target(seen.event.blocked_url, exchange.url)
        )


def evidence_of(exchange: Exchange) -> tuple[int, ...]:
    """Return the lines of a request, of its failure and of its body, as far as they are known."""
    return tuple(seq for seq in (exchange.seq, exchange.answer_seq, exchange.failure_seq, exchange.body_seq) if seq)


def is_same_target(blocked_url: str, url: str) -> bool:
    """Whether a violation's address is that of a request; browsers may report the origin only."""
    if blocked_url.split("?")[0] == url.split("?")[0]:
        return True
    blocked, wanted = split_url(blocked_url), split_url(url)
    is_origin = blocked.path in ("", "/") and blocked.netloc != ""
    return is_origin and (blocked.scheme, blocked.netloc) == (wanted.scheme, wanted.netloc)


def is_official(url: str) -> bool:
    """Whether an address is on ChatKit's own CDN."""
    return split_url(url).hostname == CDN_HOST


def is_loader_candidate(url: str) -> bool:
    """Whether a script's address says that it is the ChatKit loader."""
    path = split_url(url).path
    return is_loader(url) or LOADER_NAME.fullmatch(path.rpartition("/")[2]) is not None

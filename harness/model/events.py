"""The closed union of the events of a visit.

In: nothing. Out: frozen values that the timeline stamps and saves. An event records an observation, not its meaning.
Times named `page_ms` are `performance.now()` of the reporting document; `document` is that document's id.
"""

from __future__ import annotations

from dataclasses import dataclass

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A request or response body, kept once in the bundle and referred to by hash."""

    sha256: str  # of the redacted text
    size_bytes: int  # of the body as it was sent, before redaction or truncation
    media_type: str
    is_truncated: bool = False


# --- harness ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitStarted:
    """The harness is about to open a page."""

    url: str
    project: str
    entry: str
    scenario: str
    browser: str
    browser_version: str
    viewport: str  # "1280x720"
    network: str  # "hermetic" | "live" | "replay"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionTaken:
    """The harness acted on the page for the first time; all but "send" open an earlier verdict again."""

    action: str  # "click" | "fill" | "select" | "press" | "wait_for_text" | "wait_for_url" | "send" | "reload"
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRepeated:
    """The harness did the same once more, because the page had not heard it."""

    action: str
    target: str
    attempt: int  # from 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionEnded:
    """The result of an action: its listeners and its effects."""

    action: str
    target: str
    attempts: int
    audience: str  # who listened at the last attempt: "native" | "near" | "root" | "far" | "none" | "unknown"
    effect: tuple[str, ...]  # what changed, such as "dom" and "network"; () when nothing did
    waited_ms: float  # for somebody to listen, before the first attempt
    is_loaded: bool  # whether the page's load event had fired by the last attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Navigated:
    """The first navigation of the visit was answered."""

    url: str
    status: int
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaughtUp:
    """The page answered the harness, or did not in time: all that the browser had to say stands above this line.

    It distinguishes an inactive page from a busy machine: before the visit ends, nothing is decided without such a line.
    """

    is_answered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HarnessFault:
    """An error of the harness itself during observation; the run raises it at its next step."""

    where: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitEnded:
    """Nothing is observed after this line."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Omitted:
    """A limit was reached; from here on this kind of event is omitted."""

    what: str
    limit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultInjected:
    """The harness injected a fault into this request. Faults of embedded servers are in the notes of their responses."""

    fault: str  # in the fault language
    method: str
    url: str


# --- in-page probe ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentStarted:
    """The probe runs in a new document."""

    document: str
    url: str  # without the hash
    origin: str  # "null" when it is opaque: a file, a sandbox without allow-same-origin
    is_top: bool
    is_secure_context: bool
    page_ms: float
    time_origin_ms: float  # Unix epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentLoaded:
    """The document's `load` event fired."""

    document: str
    page_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptReferenced:
    """A `<script>` that points to a ChatKit loader stands in the document."""

    document: str
    page_ms: float
    src: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookalikeSeen:
    """An element whose name resembles ChatKit's, but which nothing has defined a second after it was put there."""

    document: str
    page_ms: float
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeShown:
    """The page put up a short text about the chat: that it is being prepared, or cannot be had."""

    document: str
    page_ms: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementDefined:
    """`customElements.get('openai-chatkit')` answers with a class."""

    document: str
    page_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementConnected:
    """An `<openai-chatkit>` was put into the document. `embed` numbers the elements of a document from 1."""

    document: str
    embed: int
    page_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementDisconnected:
    """An `<openai-chatkit>` was taken out of the document."""

    document: str
    embed: int
    page_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowChanged:
    """The element's shadow root has these children now."""

    document: str
    embed: int
    page_ms: float
    children: tuple[str, ...]  # lower case names with class: "style", "div.ck-wrapper"
    iframe_src: str  # without the hash; "" when there is no iframe
    data_loaded: bool
    color_scheme: str  # "" before the loader accepted options


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionsSeen:
    """The names of the options that the element handed to its frame; never their values."""

    document: str
    embed: int
    page_ms: float
    keys: tuple[str, ...]
    api_keys: tuple[str, ...]
    domain_key_format: str  # "domain_pk" | "placeholder" | "other"; "" when there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxChanged:
    """The element's box and what can be seen of it."""

    document: str
    embed: int
    page_ms: float
    width_px: float
    height_px: float
    is_rendered: bool  # no display:none, visibility:hidden or opacity 0 on it or above it
    is_reachable: bool  # the box can be scrolled into the viewport
    hidden_by: str  # what takes it out of sight, e.g. "display:none on div#chat"; "" when nothing does
    covered_by: str  # the topmost node over its centre when that is another one; "" otherwise
    container: str  # the nearest node above that has a box of its own
    container_height_px: float  # what it offers the element; -1 when there is none
    height_css: str  # the element's computed `height`: "auto", "100%", "600px"; "" where the engine does not tell


@dataclass(frozen=True, slots=True, kw_only=True)
class WidgetEvent:
    """A `chatkit.*` DOM event of the element."""

    document: str
    embed: int
    page_ms: float
    name: str  # "chatkit.ready", "chatkit.log", …
    detail_name: str  # log name, error name, thread id, …
    message: str  # of an error, or of a toast that was logged; "" otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameMessage:
    """A postMessage of the ChatKit protocol, seen where it arrives."""

    document: str
    page_ms: float
    direction: str  # "to_host" | "to_frame"
    embed: int  # 0 when the receiving document cannot tell
    type: str  # "event" | "command" | "response" | …
    name: str  # event or command name
    nonce: str
    detail_name: str  # the log name of a public_event, or the URL of a fetch
    error_name: str
    error_message: str
    value_kind: str  # of a response: "string" | "null" | "undefined" | "object" | …; "" otherwise
    value_digest: str  # salted digest of a string response
    value_format: str  # "v00" | "v01" | "other"; "" when not a string
    has_current: bool  # onGetClientSecret was handed a current secret


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceTimed:
    """One `PerformanceResourceTiming` or navigation entry of a document."""

    document: str
    page_ms: float
    url: str
    initiator: str
    started_page_ms: float
    response_ended_page_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyViolated:
    """A `securitypolicyviolation` event."""

    document: str
    page_ms: float
    directive: str
    blocked_url: str
    is_enforced: bool
    source: str  # the script that did what was forbidden; "" when the document itself did


# --- network ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestStarted:
    """The page asked for something. URLs are the page's own, whatever they were routed to."""

    request_id: str
    method: str
    url: str
    resource_type: str
    frame_url: str
    is_top_frame: bool
    is_navigation: bool
    headers: Headers
    body: Body | None
    string_digests: tuple[str, ...]  # salted digests of strings in body and query
    bearer: str  # "" no authorization header, "empty" a bearer without value, else a salted digest of it


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseReceived:
    """Status line and headers arrived."""

    request_id: str
    status: int
    status_text: str
    headers: Headers
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFinished:
    """The last byte arrived. Times are milliseconds after the request started, -1 when unknown."""

    request_id: str
    dns_ms: float
    connect_ms: float
    tls_ms: float
    wait_ms: float
    receive_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyRead:
    """The body of a response, read after it finished."""

    request_id: str
    body: Body | None  # None when it is not text, or could not be read
    secret_key: str  # where a client secret stood, e.g. "client_secret" or "data.client_secret"; "" when nowhere
    secret_digest: str
    secret_format: str  # "v00" | "v01" | "other" | ""
    is_mock: bool  # a JSON answer that calls itself a mock
    is_verified: bool | None  # the boolean `verified` of a JSON answer; None when there is none
    error_text: str  # message of an error answer: of JSON by its usual keys, of a page its title and first words
    string_digests: tuple[str, ...]
    unread_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTimed:
    """When the pieces of a stream came, as the document that read them saw it; told once, with the body."""

    request_id: str
    offsets_ms: tuple[float, ...]  # of each piece, after the stream was opened
    sizes: tuple[int, ...]  # characters of each piece in the kept, redacted body; empty when they do not fit it


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketOpened:
    """The page asked for a WebSocket (Playwright's `websocket`)."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketEnded:
    """A WebSocket was closed, by either side."""

    url: str
    error_text: str  # the browser's words; "" when nothing failed


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayMissed:
    """A replayed visit asked for something that its recording does not answer."""

    method: str
    url: str
    nearest: str  # the recorded request that is most like it; "" when there is none
    difference: str  # what is different about it


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFailed:
    """The browser gave up on a request (Playwright's `requestfailed`)."""

    request_id: str
    error_text: str  # verbatim, e.g. "net::ERR_CONNECTION_REFUSED"; "csp" when policy blocked it


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBlocked:
    """The harness blocked a request of a hermetic run that would leave this machine."""

    method: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameNavigated:
    """A frame committed a document, or changed its hash."""

    frame: str
    name: str
    url: str  # without the hash
    has_hash_payload: bool
    has_bare_hash: bool  # the URL ends in "#": the frame's entry module ran its first statements
    is_top: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameDetached:
    """A frame was removed from the page."""

    frame: str
    name: str
    url: str


# --- console, errors ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleMessage:
    """One line of the browser's console."""

    level: str  # "error" | "warning" | "info" | "log" | "debug" | …
    text: str
    url: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PageErrorRaised:
    """An uncaught exception or rejection (Playwright's `pageerror`)."""

    name: str
    message: str
    stack: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageCrashed:
    """The page's process died, or the browser went away."""

    what: str  # "page" | "browser"


@dataclass(frozen=True, slots=True, kw_only=True)
class DialogOpened:
    """The page opened alert, confirm or prompt; the harness dismissed it."""

    type: str
    message: str


# --- embedded servers ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAnswered:
    """An embedded server answered a request."""

    server: str  # "app" | "api" | "cdn"
    method: str
    path: str
    status: int
    note: str  # what the server has to say about it, e.g. "mock secret issued"


Event = (
    VisitStarted
    | ActionTaken
    | ActionRepeated
    | ActionEnded
    | Navigated
    | CaughtUp
    | HarnessFault
    | VisitEnded
    | Omitted
    | FaultInjected
    | DocumentStarted
    | DocumentLoaded
    | ScriptReferenced
    | LookalikeSeen
    | NoticeShown
    | ElementDefined
    | ElementConnected
    | ElementDisconnected
    | ShadowChanged
    | OptionsSeen
    | BoxChanged
    | WidgetEvent
    | FrameMessage
    | ResourceTimed
    | PolicyViolated
    | RequestStarted
    | ResponseReceived
    | RequestFinished
    | BodyRead
    | StreamTimed
    | SocketOpened
    | SocketEnded
    | ReplayMissed
    | RequestFailed
    | RequestBlocked
    | FrameNavigated
    | FrameDetached
    | ConsoleMessage
    | PageErrorRaised
    | PageCrashed
    | DialogOpened
    | ServerAnswered
)


def is_message(event: Event) -> bool:
    """Whether the harness sent a message: no reason to doubt that the widget it was sent to is there."""
    return isinstance(event, ActionTaken) and event.action == "send"

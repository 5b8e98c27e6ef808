"""Timeline entries as sentences, with the lane in the drawing and an importance.

In: events. Out: one `Sentence` for each. It does not judge: an error is what the browser, the SDK or a status reports as one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from harness.analysis.action_moves import action_outcome
from harness.model import events
from harness.model.events import Event

PAGE, NETWORK, SCRIPT, SECRET, ELEMENT, FRAME, CONSOLE = LANES = (
    "page",
    "network",
    "script",
    "client secret",
    "element",
    "frame",
    "console",
)
LISTED, TICK, MARK, ERROR = 0, 1, 2, 3  # only in the list; a small tick; a mark; a mark that says error
ASKS_SECRET = "onGetClientSecret"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """What one entry says."""

    lane: str
    text: str
    weight: int = TICK


def sentence_of(event: Event) -> Sentence:
    """Return what an event says, in one line."""
    match event:
        case events.RequestStarted() | events.ResponseReceived() | events.RequestFinished() | events.BodyRead():
            return _of_exchange(event)
        case events.RequestFailed() | events.RequestBlocked() | events.ServerAnswered() | events.ResourceTimed():
            return _of_network(event)
        case events.StreamTimed() | events.ReplayMissed() | events.SocketOpened() | events.SocketEnded():
            return _of_recording(event)
        case events.ConsoleMessage() | events.PageErrorRaised() | events.PolicyViolated() | events.DialogOpened():
            return _of_console(event)
        case events.FrameMessage() | events.FrameNavigated() | events.FrameDetached():
            return _of_frame(event)
        case (
            events.ElementConnected()
            | events.ElementDisconnected()
            | events.ShadowChanged()
            | events.OptionsSeen()
            | events.BoxChanged()
            | events.WidgetEvent()
            | events.LookalikeSeen()
        ):
            return _of_element(event)
        case events.ScriptReferenced(src=src):
            return Sentence(lane=SCRIPT, text=f"a script tag refers to {src}", weight=LISTED)
        case events.ElementDefined():
            return Sentence(lane=SCRIPT, text="<openai-chatkit> is defined", weight=MARK)
        case _:
            return _of_page(event)


def _of_exchange(
    event: events.RequestStarted | events.ResponseReceived | events.RequestFinished | events.BodyRead,
) -> Sentence:
    match event:
        case events.RequestStarted(method=method, url=url):
            return Sentence(lane=NETWORK, text=f"{method} {url}", weight=LISTED)
        case events.ResponseReceived(status=status, status_text=said, media_type=media_type):
            weight = ERROR if status >= 400 else LISTED
            return Sentence(lane=NETWORK, text=f"answered {status} {said}".strip() + f", {media_type}", weight=weight)
        case events.RequestFinished():
            return Sentence(lane=NETWORK, text="the last byte of an answer arrived", weight=LISTED)
        case events.BodyRead():
            told = [f"a client secret under {event.secret_key}"] if event.secret_key else []
            told += ["the response says that it is a mock"] if event.is_mock else []
            told += [event.error_text] if event.error_text else []
            told += [f"not read: {event.unread_reason}"] if event.unread_reason else []
            return Sentence(lane=NETWORK, text="; ".join(["the body of an answer", *told]), weight=LISTED)


def _of_network(
    event: events.RequestFailed | events.RequestBlocked | events.ServerAnswered | events.ResourceTimed,
) -> Sentence:
    match event:
        case events.RequestFailed(error_text=error):
            return Sentence(lane=NETWORK, text=f"a request failed: {error}", weight=LISTED)
        case events.RequestBlocked(method=method, url=url):
            return Sentence(lane=NETWORK, text=f"blocked by the hermetic run: {method} {url}", weight=MARK)
        case events.ServerAnswered(server=server, method=method, path=path, status=status, note=note):
            said = f": {note}" if note else ""
            return Sentence(
                lane=NETWORK, text=f"embedded {server} answered {status} to {method} {path}{said}", weight=LISTED
            )
        case events.ResourceTimed(url=url):
            return Sentence(lane=NETWORK, text=f"the page's timing entry of {url}", weight=LISTED)


def _of_recording(
    event: events.StreamTimed | events.ReplayMissed | events.SocketOpened | events.SocketEnded,
) -> Sentence:
    match event:
        case events.SocketOpened(url=url):
            return Sentence(lane=NETWORK, text=f"a WebSocket to {url}", weight=LISTED)
        case events.SocketEnded(url=url, error_text=error):
            failed = f": {error}" if error else ""
            return Sentence(lane=NETWORK, text=f"the WebSocket to {url} was closed{failed}", weight=LISTED)
        case events.StreamTimed(offsets_ms=offsets):
            last = f" in {offsets[-1]:.0f} ms" if offsets else ""
            return Sentence(lane=NETWORK, text=f"a stream arrived in {len(offsets)} pieces{last}", weight=LISTED)
        case events.ReplayMissed(method=method, url=url, nearest=nearest, difference=difference):
            near = f"; nearest: {nearest} ({difference})" if nearest else ""
            return Sentence(lane=NETWORK, text=f"not in the recording: {method} {url}{near}", weight=ERROR)


def _of_console(
    event: events.ConsoleMessage | events.PageErrorRaised | events.PolicyViolated | events.DialogOpened,
) -> Sentence:
    match event:
        case events.ConsoleMessage(level=level, text=text):
            return Sentence(lane=CONSOLE, text=f"console.{level}: {text}", weight=ERROR if level == "error" else TICK)
        case events.PageErrorRaised(name=name, message=message):
            return Sentence(lane=CONSOLE, text=f"uncaught {name}: {message}", weight=ERROR)
        case events.PolicyViolated(directive=directive, blocked_url=url, is_enforced=is_enforced):
            verb = "blocked" if is_enforced else "would block"
            text = f"the Content-Security-Policy {verb} {url} ({directive})"
            return Sentence(lane=CONSOLE, text=text, weight=ERROR if is_enforced else TICK)
        case events.DialogOpened(type=kind, message=message):
            return Sentence(lane=CONSOLE, text=f"the page opened {kind}(): {message}", weight=MARK)


def _of_frame(event: events.FrameMessage | events.FrameNavigated | events.FrameDetached) -> Sentence:
    match event:
        case events.FrameNavigated(url=url, is_top=is_top):
            what = "the page" if is_top else "a frame"
            return Sentence(
                lane=PAGE if is_top else FRAME, text=f"{what} shows {url}", weight=LISTED if is_top else MARK
            )
        case events.FrameDetached(url=url):
            return Sentence(lane=FRAME, text=f"a frame was removed: {url}", weight=MARK)
        case events.FrameMessage():
            return _of_message(event)


def _of_message(event: events.FrameMessage) -> Sentence:
    by, to = ("the frame", "the page") if event.direction == "to_host" else ("the page", "the frame")
    lane = SECRET if event.name == ASKS_SECRET or event.value_format else FRAME
    if event.error_message or event.error_name:
        return Sentence(lane=lane, text=f"{by} says {event.error_name}: {event.error_message}", weight=ERROR)
    if event.name == ASKS_SECRET and event.type == "command":
        return Sentence(lane=SECRET, text="the frame asks for the client secret (getClientSecret)", weight=MARK)
    if event.value_format or (event.type == "response" and event.name == ASKS_SECRET):
        what = "a client secret" if event.value_kind == "string" else event.value_kind or "nothing"
        return Sentence(lane=SECRET, text=f"getClientSecret answers: {what}", weight=MARK)
    what = " ".join(filter(None, (event.type, event.name, event.detail_name)))
    weight = MARK if event.detail_name in ("app.init", "composer.ready") or event.name == "unmount" else TICK
    return Sentence(lane=FRAME, text=f"{by} to {to}: {what}", weight=weight)


def _of_element(
    event: events.ElementConnected
    | events.ElementDisconnected
    | events.ShadowChanged
    | events.OptionsSeen
    | events.BoxChanged
    | events.WidgetEvent
    | events.LookalikeSeen,
) -> Sentence:
    match event:
        case events.ElementConnected():
            return Sentence(lane=ELEMENT, text="<openai-chatkit> is put into the page", weight=MARK)
        case events.ElementDisconnected():
            return Sentence(lane=ELEMENT, text="<openai-chatkit> is removed from the page", weight=ERROR)
        case events.ShadowChanged(children=children, data_loaded=is_loaded):
            loaded = ", its frame has loaded a document" if is_loaded else ""
            return Sentence(lane=ELEMENT, text=f"shadow root: {', '.join(children) or 'empty'}{loaded}")
        case events.OptionsSeen(keys=keys, api_keys=api_keys):
            return Sentence(lane=ELEMENT, text=f"options: {', '.join(keys)}; api: {', '.join(api_keys)}", weight=MARK)
        case events.BoxChanged(width_px=width, height_px=height):
            hidden = f", hidden by {event.hidden_by}" if event.hidden_by else ""
            covered = f", covered by {event.covered_by}" if event.covered_by else ""
            return Sentence(lane=ELEMENT, text=f"box {width:g} x {height:g} px{hidden}{covered}")
        case events.WidgetEvent(name=name, detail_name=detail, message=message):
            said = f": {message}" if message else ""
            weight = ERROR if name == "chatkit.error" else MARK if name == "chatkit.ready" else TICK
            return Sentence(lane=ELEMENT, text=f"{name} {detail}".strip() + said, weight=weight)
        case events.LookalikeSeen(tag=tag):
            return Sentence(lane=ELEMENT, text=f"<{tag}> is in the page, and no script defines it", weight=ERROR)


def _of_page(
    event: events.VisitStarted
    | events.ActionTaken
    | events.ActionRepeated
    | events.ActionEnded
    | events.Navigated
    | events.CaughtUp
    | events.HarnessFault
    | events.VisitEnded
    | events.Omitted
    | events.FaultInjected
    | events.DocumentStarted
    | events.DocumentLoaded
    | events.NoticeShown
    | events.PageCrashed,
) -> Sentence:
    match event:
        case events.VisitStarted(url=url):
            return Sentence(lane=PAGE, text=f"the visit of {url} begins", weight=LISTED)
        case events.ActionTaken(action=action, target=target):
            return Sentence(lane=PAGE, text=f"{action} {target}".strip(), weight=MARK)
        case events.ActionRepeated(action=action, target=target, attempt=attempt):
            return Sentence(lane=PAGE, text=f"{action} {target} (attempt {attempt})", weight=MARK)
        case events.ActionEnded(effect=effect):
            return Sentence(lane=PAGE, text=action_outcome(event), weight=LISTED if effect else ERROR)
        case events.Navigated(url=url, status=status):
            return Sentence(
                lane=PAGE, text=f"the page {url} answered {status}", weight=ERROR if status >= 400 else MARK
            )
        case events.CaughtUp(is_answered=is_answered):
            told = (
                "all earlier events of the browser are above" if is_answered else "the page does not answer the harness"
            )
            return Sentence(lane=PAGE, text=told, weight=LISTED)
        case events.HarnessFault(where=where, message=message):
            return Sentence(lane=PAGE, text=f"an error of the harness in {where}: {message}", weight=ERROR)
        case events.VisitEnded(reason=reason):
            return Sentence(lane=PAGE, text=f"the visit ends: {reason}", weight=LISTED)
        case events.Omitted(what=what, limit=limit):
            return Sentence(lane=PAGE, text=f"omitted from here on: {what} ({limit})", weight=LISTED)
        case events.FaultInjected(fault=fault, method=method, url=url):
            return Sentence(lane=PAGE, text=f"the harness injected a fault into {method} {url}: {fault}", weight=MARK)
        case events.DocumentStarted(url=url, is_top=is_top):
            return Sentence(lane=PAGE if is_top else FRAME, text=f"a document begins: {url}", weight=TICK)
        case events.DocumentLoaded():
            return Sentence(lane=PAGE, text="a document has loaded", weight=TICK)
        case events.NoticeShown(text=text):
            return Sentence(lane=PAGE, text=f"the page shows: {text}", weight=MARK)
        case events.PageCrashed(what=what):
            return Sentence(lane=PAGE, text=f"the {what} crashed", weight=ERROR)
        case _:
            assert_never(event)

"""Visits on which something goes wrong, by the place where it does.

In: what differs. Out: transcripts of the builders' kind.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from builders import (
    CUSTOM,
    FRAME,
    LOADER,
    PAGE,
    SESSION,
    STYLE,
    Steps,
    answered,
    asked,
    body,
    body_read,
    box_changed,
    command,
    console_message,
    custom,
    document_loaded,
    element_connected,
    element_defined,
    element_shown,
    frame_arrived,
    frame_error,
    frame_message,
    frame_requested,
    hosted,
    iframe_loaded,
    loader_requested,
    log,
    navigated,
    options_seen,
    page_opened,
    page_with_loader,
    pause,
    re_parented,
    rejection,
    request_failed,
    request_finished,
    request_started,
    resource_timed,
    response,
    response_received,
    script_referenced,
    session_fetched,
    shadow_changed,
    unmount,
    verification,
    visit_started,
    widget_event,
)

from harness.model import events
from harness.model.events import Event

OPENED: Steps = [visit_started(), *page_opened(), navigated()]
ELEMENT: Steps = [element_connected(), box_changed(0, 0, container_height_px=400, height_css="auto")]
INVALID = "ChatKit.create():\n✖ Invalid input\n  → at "
BAD_SECRET = "ChatKitOptions.api.getClientSecret():\n✖ Invalid client secret format"
HTML = "text/html"
MOVED: Steps = re_parented()


def bare(*steps: Event | Steps) -> Steps:
    """Return a page without the loader."""
    return [*OPENED, *_flat(steps), document_loaded()]


def with_loader(*answer: Event | Steps, src: str = LOADER, type: str = "") -> Steps:
    """Return a page whose script tag names the loader, with the end of that request, and an element that waits."""
    asked_for = request_started("r2", src, resource_type="script")
    return bare(script_referenced(src, type=type), asked_for, *answer, ELEMENT)


def refused(status: int, media_type: str = HTML, error_text: str = "", request_id: str = "r2", **more: Any) -> Steps:
    """Return an answer that is an error."""
    return [
        response_received(request_id, status, media_type=media_type, **more),
        request_finished(request_id),
        body_read(request_id, error_text=error_text),
    ]


def idle(*steps: Event | Steps, type: str = "") -> Steps:
    """Return a page on which the element is defined, and what happens then."""
    del type
    return [*page_with_loader(), *_flat(steps)]


def upgraded(*steps: Event | Steps) -> Steps:
    """Return an element that is alive and has no options."""
    return idle(element_connected(), shadow_changed(STYLE), box_changed(), *steps)


def framed(*steps: Event | Steps) -> Steps:
    """Return an element with its options, whose frame has been asked for."""
    return idle(session_fetched(), element_shown(), *steps)


def booting(*steps: Event | Steps) -> Steps:
    """Return a hosted frame that boots on demand, up to its question for a secret."""
    return idle(element_shown(), frame_arrived(), command(), log(), iframe_loaded(), *steps)


def session(
    status: int, error_text: str = "", *, url: str = SESSION, media_type: str = "application/json", **read: Any
) -> Steps:
    """Return a page that asks for its secret before it renders, and is answered like that."""
    return idle(
        asked("r3", url),
        response_received("r3", status, media_type=media_type),
        request_finished("r3"),
        body_read("r3", error_text=error_text, **read),
    )


def session_failed(error_text: str, *said: Event) -> Steps:
    """Return a request for a secret that the browser gave up on."""
    return idle(asked("r3", SESSION), *said, request_failed("r3", error_text))


def rejected_options(message: str, *api_keys: str, name: str = "FatalAppError", **seen: Any) -> Steps:
    """Return a frame that refuses its options with a message."""
    return framed(options_seen(*api_keys, **seen), frame_arrived(), frame_error(name, message), iframe_loaded())


def removed(check: Steps, *said: Event, before: Steps | None = None) -> Steps:
    """Return a widget that a domain check has removed."""
    gone = shadow_changed(STYLE, data_loaded=True)
    return [*hosted(check=check), *(before or []), *said, unmount(), gone]


def check(status: int = 200, bearer: str = "digest-a", *, is_verified: bool | None = None, **more: Any) -> Steps:
    """Return a domain check with this answer."""
    first, *rest = verification(status, is_verified=is_verified, **more)
    assert isinstance(first, events.RequestStarted)
    return [replace(first, bearer=bearer), *rest]


def check_failed(error_text: str, *, after_ms: float = 0) -> Steps:
    """Return a domain check that ends without an answer."""
    return [verification()[0], pause(after_ms), request_failed("r5", error_text)]


def custom_failed(error_text: str, *said: Event) -> Steps:
    """Return a call of custom mode that the browser gave up on."""
    return custom(
        backend=[
            frame_message(type="fetch", name="", nonce="f1", detail_name=CUSTOM),
            asked("r6", CUSTOM),
            *said,
            request_failed("r6", error_text),
        ]
    )


def streamed(media_type: str = "text/event-stream", *after: Event, url: str = CUSTOM) -> Steps:
    """Return a custom widget that was sent a message."""
    return [
        *custom(),
        frame_message(type="fetchEventSource", name="", nonce="f9", detail_name=url),
        asked("r9", url, headers=(("accept", "text/event-stream"),)),
        response_received("r9", media_type=media_type),
        request_finished("r9"),
        *after,
    ]


def cors(url: str) -> Event:
    """Return the browser's complaint about a foreign origin."""
    return console_message(
        f"Access to fetch at '{url}' from origin 'https://app.test' has been blocked by CORS policy: No", "error"
    )


def mixed(url: str) -> Event:
    """Return the browser's complaint about plain http."""
    return console_message(f"Mixed Content: The page at '{PAGE}' requested an insecure resource '{url}'.", "error")


def boxed(**box: Any) -> Steps:
    """Return a widget that works, in another box."""
    return [box_changed(**box) if isinstance(step, events.BoxChanged) else step for step in hosted()]


def without_box(*said: Event) -> Steps:
    """Return a widget that works, in a page that could not be looked at."""
    return [*[step for step in hosted() if not isinstance(step, events.BoxChanged)], *said]


def page_headers(steps: Steps, *headers: tuple[str, str]) -> Steps:
    """Return the visit with these headers on the page's own answer."""
    return [
        replace(s, headers=headers) if isinstance(s, events.ResponseReceived) and s.request_id == "r1" else s
        for s in steps
    ]


def as_document(steps: Steps, **changes: Any) -> Steps:
    """Return the visit with another kind of page document."""
    return [replace(s, **changes) if isinstance(s, events.DocumentStarted) and s.is_top else s for s in steps]


def frame_script(*end: Event | Steps) -> Steps:
    """Return a frame whose document came, and the request for its script."""
    url = "https://cdn.platform.openai.com/assets/ck1/index-x.js"
    told = request_started("r8", url, resource_type="script", frame_url=FRAME, is_top_frame=False)
    return framed(frame_arrived(), told, *end, iframe_loaded())


def frame_ended(*end: Event | Steps, said: Steps | None = None) -> Steps:
    """Return a frame whose document ends like that."""
    return framed(*(said or []), frame_requested(), *end, iframe_loaded())


def copied(status: int = 404, frame: str = "https://app.test/vendor/index-abc.html") -> Steps:
    """Return a loader of the app's own, and the frame that it looks for beside itself."""
    src = "https://app.test/vendor/chatkit.js"
    asking = replace(frame_requested(), url=frame)
    return [
        *OPENED,
        script_referenced(src),
        request_started("r2", src, resource_type="script"),
        *answered("r2", body=body("(() => {})()", "text/javascript")),
        element_defined(),
        document_loaded(),
        element_connected(),
        shadow_changed(iframe_src=frame),
        box_changed(),
        asking,
        response_received("r4", status, media_type=HTML),
        request_finished("r4"),
        shadow_changed(iframe_src=frame, data_loaded=True),
        widget_event(),
    ]


def _flat(steps: tuple[Any, ...]) -> Steps:
    return [inner for step in steps for inner in (step if isinstance(step, list) else [step])]


def no_answer(name: str, message: str) -> Steps:
    """Return a widget whose frame says this, while the composer stands."""
    return [*hosted(), frame_error(name, message)]


def arriving(*more: Event | Steps, status: int = 200, media_type: str = "text/javascript", **loader: Any) -> Steps:
    """Return a loader that arrives with this answer."""
    return with_loader(
        response_received("r2", status, media_type=media_type), request_finished("r2"), body_read("r2"), *more, **loader
    )


def page_status(steps: Steps, status: int) -> Steps:
    """Return the visit with another status on the page itself."""
    return [
        replace(s, status=status) if isinstance(s, events.ResponseReceived) and s.request_id == "r1" else s
        for s in steps
    ]


def other(url: str, *end: Event | Steps, kind: str = "script") -> Steps:
    """Return a request of the page for something else."""
    return _flat((request_started("o1", url, resource_type=kind), *end))


def copy_named(src: str, status: int, *, kind: str = "script", loader_status: int = 200) -> Steps:
    """Return a loader of no known name, and the refused frame that it looks for beside /vendor."""
    steps = copied(status)
    return [
        replace(s, url=src, resource_type=kind) if isinstance(s, events.RequestStarted) and s.request_id == "r2"
        else replace(s, status=loader_status) if isinstance(s, events.ResponseReceived) and s.request_id == "r2"
        else s
        for s in steps if not isinstance(s, events.ScriptReferenced)
    ]  # fmt: skip


def frame_other_script(*end: Event | Steps) -> Steps:
    """Return a frame whose document came, and the request for a script that is not of its build."""
    return [
        replace(s, url="https://cdn.platform.openai.com/cdn-cgi/challenge.js")
        if isinstance(s, events.RequestStarted) and s.request_id == "r8"
        else s
        for s in frame_script(*end)
    ]


def insecure_frame(steps: Steps) -> Steps:
    """Return the visit on a page that is not secure, nor its frame."""
    return [replace(s, is_secure_context=False) if isinstance(s, events.DocumentStarted) else s for s in steps]


def taken_name(defined_ms: float) -> Steps:
    """Return an element whose name was defined at this moment of the page's clock, and a loader that ended at 60 ms."""
    return [
        *OPENED,
        *loader_requested(),
        element_defined(page_ms=defined_ms),
        *answered("r2", body=body("(() => {})()", "text/javascript")),
        resource_timed(LOADER, 10, 60, initiator="script"),
        document_loaded(),
        element_connected(),
        box_changed(),
    ]


def frame_call(nonce: str = "f1") -> Event:
    """Return the frame's wish that the page call the app's own backend."""
    return frame_message(type="fetch", name="", nonce=nonce, detail_name=CUSTOM)


def call_answered(nonce: str = "f1", **said: Any) -> Event:
    """Return what the page's code says of a call that it was to make for the frame."""
    return response(nonce, "", **{"value_kind": "", "value_format": ""} | said)


def asked_at(started_ms: float, *end: Event | Steps, url: str = "https://app.test/v2/go") -> Steps:
    """Return a request of no telling name that the page made at this moment, and a frame that asked at 200 ms and got nothing.

    The request is reported before the question, as it can be.
    """
    return idle(
        element_shown(),
        frame_arrived(),
        asked("r3", url),
        command(page_ms=200.0),
        log(),
        iframe_loaded(),
        *end,
        resource_timed(url, started_ms, 260),
        rejection(message="that is not valid JSON"),
    )

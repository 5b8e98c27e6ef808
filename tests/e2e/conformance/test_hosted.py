"""Hosted mode: the frame talks to the API itself. Protocol facts §1.10, §1.11, §2.5 and §4."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Request

from conformance.client_secrets import EMPTY_PAGE, Api, make_secret, operation_of
from conformance.events import answer, assistant, done
from conformance.facts import is_in_order
from conformance.host import APP, DEADLINE_MS, Host
from conformance.server import Stream

SENTINEL = "https://*.openai.com/backend-api/sentinel/**"
SENTINEL_FALLBACK = "https://chatgpt.com/backend-api/sentinel/**"
SETTINGS = "GET https://chatgpt.com/ces/v1/projects/oai/settings"
FAILED = ("FatalAppError", "Failed to load Sentinel SDK script")
WRONG = "Something went wrong. Please try again later."


def hosted(more: str = "", api: str = "", *, telemetry: bool = False) -> str:
    """Return options for hosted mode."""
    quiet = "" if telemetry else "disableTelemetry: true,"
    secret = f"getClientSecret: noting('getClientSecret', {json.dumps(make_secret())})"
    return f"{{ api: {{ {secret}, {api} }}, {quiet} {more} }}"


def stream_of(stream: Stream) -> dict[str, Any]:
    """Return a stream as the answer of a route."""
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in stream.events)
    return {"status": 200, "content_type": "text/event-stream", "body": body}


@pytest.fixture
def api(host: Host) -> Api:
    """The hosted endpoints: verified, no threads, and one answer to the first message."""
    api = Api(host.page.context)

    def answers(request: Request) -> dict[str, Any]:
        if "domain_keys" in request.url:
            return {"json": {"verified": True}}
        if operation_of(request) == "threads.list":
            return {"json": EMPTY_PAGE}
        return stream_of(answer(done(assistant("Hello back."))))

    api.answer = answers
    return api


def test_boot_order(host: Host, api: Api) -> None:
    """§1.10: what is asked, said and requested, in the observed order."""
    host.boot(hosted(), origin=APP)
    host.wait_until(lambda: len(api.requests) >= 2, "verification and thread list")
    host.wait_for_event("composer.layout.change", 2)
    said = [
        message.get("command") or (message["data"][1].get("name") or message["data"][0])
        for message in host.messages
        if message["type"] == "command" or message.get("event") == "public_event"
    ]
    order = ("onGetClientSecret", "app.init", "onAddMetadataToRequest", "composer.ready")
    assert is_in_order(said, *order), f"§1.10 {said}"
    metadata = next(m["data"] for m in host.messages if m.get("command") == "onAddMetadataToRequest")
    assert metadata["op"] == "threads.list", "§2.5"
    loaded = [line.split(" ")[1] for line in host.requests]
    script, frame = "/deployments/chatkit/chatkit.js", "/deployments/chatkit/index-"
    parts = [name for url in loaded for name in (script, frame, "/assets/ck1/index-", "verify_hosted") if name in url]
    assert is_in_order(parts, script, frame, "/assets/ck1/index-", "verify_hosted"), "§1.10"
    secret = next(m["data"] for m in host.messages if m.get("command") == "onGetClientSecret")
    assert secret is None, "§2.5"


def test_requests_are_the_frames_own(host: Host, api: Api) -> None:
    """§4, §1.12: the frame sends the operations itself, a stream with the sentinel's token."""
    host.boot(hosted())
    host.send_and_wait("hello")
    host.widget.get_by_text("Hello back.").wait_for()
    listed, created = api.of("conversation")
    assert (listed.frame, created.frame) == (host.frame, host.frame), "§1.12"
    assert listed.post_data_json == {"type": "threads.list", "params": {"limit": 9999, "order": "desc"}}, "§5.1"
    assert created.post_data_json["type"] == "threads.create", "§5.1"
    assert created.headers["accept"] == "text/event-stream", "§4"
    assert created.headers["openai-sentinel-token"], "§4"
    assert "openai-sentinel-token" not in listed.headers, "§4"
    assert not [m for m in host.messages if m["type"] in ("fetch", "fetchEventSource")], "§2"


def test_metadata_is_added_to_every_request(host: Host, api: Api) -> None:
    """§2.5: the page is asked before each request, which waits for the answer and carries it."""
    host.boot(hosted("", "addMetadataToRequest: noting('metadata', ({ op }) => ({ for: op }))"))
    host.send_and_wait("hello")
    bodies = [request.post_data_json for request in api.of("conversation")]
    assert [body["metadata"] for body in bodies] == [{"for": "threads.list"}, {"for": "threads.create"}], "§2.5"
    asked = [call["args"][0] for call in host.calls if call["name"] == "metadata"]
    assert asked == [{"op": body["type"], "params": body["params"]} for body in bodies], "§2.5"


def test_metadata_of_the_wrong_shape(host: Host, api: Api) -> None:
    """§2.5: anything but an object or null fails the request."""
    host.boot(hosted("", "addMetadataToRequest: () => ['a list']"))
    host.send_and_wait("hello")
    assert api.of("conversation") == [], "§2.5"


STATUSES = (
    pytest.param(400, WRONG, id="400"),
    pytest.param(404, WRONG, id="404"),
    pytest.param(429, "You’ve sent too many requests. Please try again later.", id="429"),  # noqa: RUF001
)


@pytest.mark.parametrize(("status", "toast"), STATUSES)
def test_stream_that_is_refused(host: Host, api: Api, status: int, toast: str) -> None:
    """§1.11: a toast, no chatkit.error, no repeat; the message vanishes and the start screen returns."""
    api.answer = lambda request: (
        {"json": EMPTY_PAGE} if operation_of(request) == "threads.list" else {"status": status, "json": {}}
    )
    host.boot(hosted())
    host.send_and_wait("hello")
    host.widget.get_by_text(toast).wait_for()
    assert host.errors() == [], "§1.11"
    names = [name for name in host.names() if name.startswith(("response", "thread", "toast", "log:toast"))]
    assert sorted(names) == sorted(["response.start", "toast.show", "log:toast.show", "thread.change", "response.end"])
    assert is_in_order(names, "response.start", "thread.change", "response.end"), "§1.11"
    assert [operation_of(request) for request in api.of("conversation")].count("threads.create") == 1, "§1.11"
    host.widget.get_by_text("What can I help with today?").wait_for()


def test_stream_that_is_repeated(host: Host, api: Api) -> None:
    """§1.11: a 5xx is tried again; the response goes on meanwhile."""
    answers = [{"status": 503, "json": {}}, stream_of(answer(done(assistant("At last."))))]
    api.answer = lambda request: {"json": EMPTY_PAGE} if operation_of(request) == "threads.list" else answers.pop(0)
    host.boot(hosted())
    host.send("hello")
    host.widget.get_by_text("At last.").wait_for(timeout=DEADLINE_MS)
    assert (answers, host.errors()) == ([], []), "§1.11"


def test_stream_that_cannot_be_sent(host: Host, api: Api) -> None:
    """§2.3: a request that fails is not repeated."""
    api.answer = lambda request: {"json": EMPTY_PAGE} if operation_of(request) == "threads.list" else {"abort": True}
    host.boot(hosted())
    host.send_and_wait("hello")
    host.widget.get_by_text("There was an error while generating the assistant's response.").wait_for()
    assert [operation_of(request) for request in api.of("conversation")].count("threads.create") == 1, "§2.3"
    assert [name for name, _ in host.errors()] == ["StreamError"], "§1.11"


def test_thread_list_429(host: Host, api: Api) -> None:
    """§1.11: a toast at boot, and nothing else."""
    api.answer = lambda _request: {"status": 429, "json": {}}
    host.boot(hosted())
    host.wait_for_event("toast.show")
    assert host.errors() == [], "§1.11"
    assert len(api.of("conversation")) == 1, "§1.11"


def test_sentinel_that_is_blocked(host: Host, api: Api, context: BrowserContext) -> None:
    """§1.11, §4: both addresses are tried; a FatalAppError that is not fatal, and again at each stream."""
    for pattern in (SENTINEL, SENTINEL_FALLBACK):
        context.route(pattern, lambda route: route.abort("blockedbyclient"))
    host.boot(hosted())
    host.wait_for_event("error")
    assert host.errors() == [FAILED], "§1.11"
    assert is_in_order(host.requests, *(f"GET {base}/backend-api/sentinel/sdk.js" for base in
                                        ("https://sentinel.openai.com", "https://chatgpt.com"))), "§4"  # fmt: skip
    host.send_and_wait("hello")
    host.widget.get_by_text("Hello back.").wait_for()
    assert host.errors() == [FAILED, FAILED], "§4"
    assert "openai-sentinel-token" not in api.of("conversation")[-1].headers, "§4"


@pytest.mark.parametrize("telemetry", [True, False])
def test_telemetry(host: Host, api: Api, telemetry: bool) -> None:
    """§4: the settings are fetched unless telemetry is off."""
    host.boot(hosted(telemetry=telemetry))
    host.wait_until(lambda: any("sentinel" in line for line in host.requests), "the requests of the boot")
    host.page.wait_for_timeout(200)
    assert (SETTINGS in host.requests) is telemetry, "§4"
    assert api.requests


def test_device_id_is_kept(host: Host, api: Api) -> None:
    """§4: the device keeps its id from load to load, the frame has a new one each time."""
    ids = []
    for _ in range(2):
        api.requests.clear()
        host.boot(hosted())
        host.wait_until(lambda: bool(api.requests), "a request")
        ids.append([api.requests[0].headers[f"chatkit-{name}-id"] for name in ("device", "frame-instance")])
    assert ids[0][0] == ids[1][0], "§4"
    assert ids[0][1] != ids[1][1], "§4"

"""OpenAI's published Python client, unmodified, against the embedded API."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import LazyLoader, find_spec, module_from_spec
from typing import Any

import httpx
import pytest

from harness.servers.named_faults import faults_of
from harness.servers.scenarios import Scenario
from harness.servers.server import Stack, serve_stack
from tests.clock import NEW_YEAR, Clock
from tests.commands import TIMEOUT_S

spec = find_spec("openai")
if spec is None or spec.loader is None:
    pytest.skip("the client is not installed: pip install 'chatkit-harness[clients]'", allow_module_level=True)
# It takes half a second to import: only the worker that asks for it does so.
spec.loader = LazyLoader(spec.loader)
openai = module_from_spec(spec)
sys.modules["openai"] = openai
spec.loader.exec_module(openai)

FAST = Scenario(name="fast", chunk_gap_ms=0)
TOPICS = "wf_test_topic_generation"
KEY = "sk-test-topic-project"
CLOCK = Clock()


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    """The servers, without pauses, on a clock that stands still."""
    with serve_stack(scenario=FAST, now=CLOCK) as stack:
        yield stack


@pytest.fixture
def stack(running: Stack) -> Stack:
    """The servers with nothing remembered."""
    running.use(FAST)
    return running


def client_of(stack: Stack, *, key: str = KEY, max_retries: int = 0, **more: Any) -> Any:
    """Return a client as an app's backend makes one."""
    return openai.OpenAI(api_key=key, base_url=f"{stack.api_url}/v1", max_retries=max_retries, **more)


@pytest.fixture
def beta(stack: Stack) -> Iterator[Any]:
    """The client's ChatKit resources."""
    with client_of(stack) as client:
        yield client.beta.chatkit


def say(stack: Stack, secret: str, text: str, thread_id: str = "") -> None:
    """Send a message as the frame does."""
    message = {
        "content": [{"type": "input_text", "text": text}],
        "attachments": [],
        "quoted_text": "",
        "inference_options": {},
    }
    body = {"type": "threads.create", "params": {"input": message}}
    if thread_id:
        body = {"type": "threads.add_user_message", "params": {"thread_id": thread_id, "input": message}}
    headers = {"authorization": f"Bearer {secret}"}
    httpx.post(
        f"{stack.api_url}/v1/chatkit/conversation", json=body, headers=headers, timeout=TIMEOUT_S
    ).raise_for_status()


def test_session_is_created_with_every_argument(beta: Any) -> None:
    """The client's own model takes the answer, and holds what was asked for."""
    session = beta.sessions.create(
        user="u1",
        workflow={
            "id": TOPICS,
            "version": "3",
            "state_variables": {"topic": "tea", "count": 3, "loud": True},
            "tracing": {"enabled": False},
        },
        expires_after={"anchor": "created_at", "seconds": 120},
        rate_limits={"max_requests_per_1_minute": 25},
        chatkit_configuration={
            "automatic_thread_titling": {"enabled": False},
            "file_upload": {"enabled": True, "max_file_size": 16, "max_files": 4},
            "history": {"enabled": True, "recent_threads": 5},
        },
    )
    assert session.status == "active"
    assert session.client_secret.startswith("ek_")
    assert session.expires_at == int(NEW_YEAR) + 120
    assert session.workflow.version == "3"
    assert session.workflow.state_variables == {"topic": "tea", "count": 3, "loud": True}
    assert session.workflow.tracing.enabled is False
    assert session.max_requests_per_1_minute == session.rate_limits.max_requests_per_1_minute == 25
    assert session.chatkit_configuration.file_upload.max_file_size == 16
    assert session.chatkit_configuration.history.recent_threads == 5
    assert not session.model_extra, "the answer has fields that the client does not know"
    assert session._request_id.startswith("req_")


def test_every_model_is_complete(stack: Stack, beta: Any) -> None:
    """Whatever the API answers validates strictly: nothing is missing, of another type, or unknown."""
    session = beta.sessions.create(user="u1", workflow={"id": TOPICS}, rate_limits={"max_requests_per_1_minute": 99})
    say(stack, session.client_secret, "sources")
    thread = beta.threads.list().data[0]
    for word in ("workflow", "task", "widget", "lock", "tool"):
        say(stack, session.client_secret, word, thread.id)
    thread = beta.threads.retrieve(thread.id)
    items = list(beta.threads.list_items(thread.id, limit=100))
    cancelled = beta.sessions.cancel(session.id)
    for model in (session, thread, *items, cancelled):
        assert type(model).model_validate(model.to_dict(), strict=True) == model
        assert not model.model_extra
    assert {type(item).__name__ for item in items} == {
        "ChatKitThreadUserMessageItem",
        "ChatKitThreadAssistantMessageItem",
        "ChatKitWidgetItem",
        "DataChatKitClientToolCall",
        "DataChatKitTask",
        "DataChatKitTaskGroup",
    }


def test_session_is_cancelled(stack: Stack, beta: Any) -> None:
    """The secret is gone from the answer, and refused by the conversation."""
    session = beta.sessions.create(user="u1", workflow={"id": TOPICS})
    cancelled = beta.sessions.cancel(session.id)
    assert (cancelled.id, cancelled.status, cancelled.client_secret) == (session.id, "cancelled", "")
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        say(stack, session.client_secret, "anybody there?")


def test_threads_are_paged_through_read_and_deleted(stack: Stack, beta: Any) -> None:
    """The client's iteration follows `last_id` over several pages, of threads and of items."""
    session = beta.sessions.create(user="u1", workflow={"id": TOPICS}, rate_limits={"max_requests_per_1_minute": 99})
    other = beta.sessions.create(user="u2", workflow={"id": TOPICS})
    for number in range(5):
        say(stack, session.client_secret, f"thread {number}")
    say(stack, other.client_secret, "another user's")
    pages = beta.threads.list(limit=2, user="u1")
    assert (len(pages.data), pages.has_more, pages.last_id) == (2, True, pages.data[1].id)
    assert [thread.title for thread in pages] == [f"thread {number}" for number in (4, 3, 2, 1, 0)]
    assert len(stack.answers("api", "/v1/chatkit/threads")) == 3
    first = beta.threads.list(limit=1, user="u1", order="asc").data[0]
    assert [thread.title for thread in beta.threads.list(before=first.id, user="u1", limit=2)][:2] == [
        "thread 2",
        "thread 1",
    ]
    say(stack, session.client_secret, "more", first.id)
    items = list(beta.threads.list_items(first.id, limit=3, order="asc"))
    assert [item.type for item in items] == ["chatkit.user_message", "chatkit.assistant_message"] * 2
    assert items[0].content[0].text == "thread 0"
    assert beta.threads.retrieve(first.id).user == "u1"
    deleted = beta.threads.delete(first.id)
    assert (deleted.id, deleted.deleted, deleted.object) == (first.id, True, "chatkit.thread.deleted")
    with pytest.raises(openai.NotFoundError):
        beta.threads.retrieve(first.id)
    assert len(list(beta.threads.list(user="u1"))) == 4


MINIMAL: dict[str, Any] = {"user": "u1", "workflow": {"id": TOPICS}}


@pytest.mark.parametrize(
    ("change", "key", "more", "error", "code", "param"),
    [
        ({}, "sk-test-nobody-has-this-one", {}, "AuthenticationError", "invalid_api_key", None),
        ({}, "sk-test-topic-restricted", {}, "AuthenticationError", "missing_scope", None),
        ({}, KEY, {"workflow": {"id": "wf_test_nowhere"}}, "NotFoundError", None, None),
        ({}, "sk-test-billing-project", {}, "NotFoundError", None, None),
        ({}, KEY, {"user": ""}, "BadRequestError", "empty_string", "user"),
        ({}, KEY, {"extra_body": {"scope": {}}}, "BadRequestError", "unknown_parameter", "scope"),
        ({}, KEY, {"extra_headers": {"OpenAI-Beta": ""}}, "BadRequestError", "invalid_beta", None),
        (
            {"faults": faults_of(["status:openai-sessions=403"])},
            KEY,
            {},
            "PermissionDeniedError",
            "unsupported_country_region_territory",
            None,
        ),
        ({"faults": faults_of(["status:openai-sessions=429"])}, KEY, {}, "RateLimitError", "rate_limit_exceeded", None),
        ({"faults": faults_of(["status:openai-sessions=500"])}, KEY, {}, "InternalServerError", None, None),
        ({"faults": faults_of(["status:openai-sessions=503"])}, KEY, {}, "InternalServerError", None, None),
    ],
)
def test_errors_are_the_clients_own_classes(
    stack: Stack,
    change: dict[str, Any],
    key: str,
    more: dict[str, Any],
    error: str,
    code: str | None,
    param: str | None,
) -> None:
    """Each answer raises the class of its status, which carries code, parameter, message and request id."""
    stack.use(replace(FAST, **change))
    with client_of(stack, key=key) as client, pytest.raises(getattr(openai, error)) as caught:
        client.beta.chatkit.sessions.create(**{**MINIMAL, **more})
    raised = caught.value
    assert (raised.code, raised.param) == (code, param)
    assert raised.request_id.startswith("req_")
    assert raised.body["message"] in str(raised)


@pytest.mark.parametrize(("status", "requests"), [(429, 3), (500, 3), (400, 1), (401, 1), (403, 1)])
def test_client_repeats_what_is_worth_it(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, status: int, requests: int
) -> None:
    """With its default of two repeats it tries again after 429, as long as `retry-after` says, and after 5xx."""
    stack.use(replace(FAST, faults=faults_of([f"status:openai-sessions={status}"])))
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    with client_of(stack, max_retries=2) as client, pytest.raises(openai.APIStatusError):
        client.beta.chatkit.sessions.create(**MINIMAL)
    assert len(stack.answers("api", "/v1/chatkit/sessions")) == requests
    assert len(waits) == requests - 1
    if status == 429:
        assert waits == [1.0, 1.0]


def test_missing_things_are_not_found(beta: Any) -> None:
    """A session or thread that does not exist is a 404, an id of another kind a 400."""
    for call, wanted in ((beta.sessions.cancel, "cksess_nowhere"), (beta.threads.retrieve, "cthr_nowhere")):
        with pytest.raises(openai.NotFoundError, match=f"with id '{wanted}' not found"):
            call(wanted)
        with pytest.raises(openai.BadRequestError, match="Expected an ID that begins with"):
            call("wf_1")


def test_key_of_a_region_needs_its_host(stack: Stack) -> None:
    """On the plain host the European key is refused, and the message names the right one."""
    create = {"user": "u1", "workflow": {"id": "wf_test_europe_helpdesk"}}
    for host, is_right in (("api.openai.com", False), ("eu.api.openai.com", True)):
        with client_of(stack, key="sk-test-europe-project", default_headers={"Host": host}) as client:
            if is_right:
                assert client.beta.chatkit.sessions.create(**create).status == "active"
                continue
            with pytest.raises(
                openai.AuthenticationError, match=r"make your request to eu\.api\.openai\.com"
            ) as caught:
                client.beta.chatkit.sessions.create(**create)
            assert caught.value.code == "incorrect_hostname"


def test_models_prove_a_key(stack: Stack) -> None:
    """A key that is good lists models."""
    with client_of(stack) as client:
        assert [model.object for model in client.models.list()] == ["model"]


def test_unknown_endpoint_is_a_not_found_error(stack: Stack) -> None:
    """What the embedded API does not know is the client's `NotFoundError`, and a line of the log."""
    with client_of(stack) as client, pytest.raises(openai.NotFoundError, match=r"Invalid URL \(POST /v1/responses\)"):
        client.responses.create(model="gpt-4.1", input="hello")
    assert stack.log[-1].note == "nothing is known here about POST /v1/responses"

"""The embedded OpenAI side over real sockets: sessions, threads, hosts, limits, errors and headers."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from harness.servers.named_faults import faults_of
from harness.servers.scenarios import Scenario
from harness.servers.server import Stack, serve_stack
from tests.clock import NEW_YEAR, Clock
from tests.commands import TIMEOUT_S

FAST = Scenario(name="fast", chunk_gap_ms=0)
TOPICS = "wf_test_topic_generation"
EUROPE = "wf_test_europe_helpdesk"
KEY = "sk-test-topic-project"
RESTRICTED_KEY = "sk-test-topic-restricted"
FOREIGN_KEY = "sk-test-billing-project"
EUROPE_KEY = "sk-test-europe-project"
ELSEWHERE_KEY = "sk-test-elsewhere-project"
BETA = {"openai-beta": "chatkit_beta=v1"}
MINIMAL = {"workflow": {"id": TOPICS}, "user": "u1"}
CHATKIT = "/v1/chatkit"

CLOCK = Clock()


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    """The servers, without pauses, on a clock of our own."""
    with serve_stack(scenario=FAST, now=CLOCK) as stack:
        yield stack


@pytest.fixture
def stack(running: Stack) -> Stack:
    """The servers with nothing remembered, at the beginning of time."""
    CLOCK.seconds = NEW_YEAR
    running.use(FAST)
    return running


@pytest.fixture(scope="module")
def web() -> Iterator[httpx.Client]:
    """A client that loads no certificates."""
    with httpx.Client(verify=False, trust_env=False, timeout=TIMEOUT_S) as client:
        yield client


class Api:
    """Asks the API as an app's backend and as a frame."""

    def __init__(self, stack: Stack, web: httpx.Client) -> None:
        self.stack = stack
        self.web = web

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str = KEY,
        beta: bool = True,
        host: str = "",
        **query: Any,
    ) -> httpx.Response:
        """Send a request with a bearer token."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        headers |= (BETA if beta else {}) | ({"host": host} if host else {})
        return self.web.request(method, self.stack.api_url + path, json=body, headers=headers, params=query)

    def create(self, body: Any = None, *, token: str = KEY, **more: Any) -> httpx.Response:
        """Create a session."""
        return self.ask("POST", f"{CHATKIT}/sessions", MINIMAL if body is None else body, token=token, **more)

    def secret(self, user: str = "u1", *, token: str = KEY, workflow: str = TOPICS, **more: Any) -> str:
        """Return the client secret of a new session."""
        answer = self.create({"workflow": {"id": workflow}, "user": user, **more}, token=token)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["client_secret"])

    def converse(self, secret: str, operation: str, params: Any, *, host: str = "") -> httpx.Response:
        """Send one operation as the frame does."""
        body = {"type": operation, "params": params}
        return self.ask("POST", f"{CHATKIT}/conversation", body, token=secret, beta=False, host=host)

    def start(self, secret: str, text: str, **more: Any) -> str:
        """Begin a thread, and return its id."""
        return str(self.events(secret, "threads.create", {"input": message(text, **more)})[0]["thread"]["id"])

    def events(self, secret: str, operation: str, params: Any) -> list[Any]:
        """Return the events of a stream."""
        answer = self.converse(secret, operation, params)
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8", answer.text
        return [json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if line]


@pytest.fixture
def api(stack: Stack, web: httpx.Client) -> Api:
    """The API."""
    return Api(stack, web)


def message(text: str, **more: Any) -> dict[str, Any]:
    """Return a message as the composer sends it."""
    content = [{"type": "input_text", "text": text}]
    return {"content": content, "attachments": [], "quoted_text": "", "inference_options": {}, **more}


def error_of(answer: httpx.Response) -> dict[str, Any]:
    """Return the error of an answer, which has the four fields and no others."""
    error = answer.json()["error"]
    assert set(answer.json()) == {"error"}
    assert set(error) == {"message", "type", "param", "code"}
    return dict(error)


# --- sessions -----------------------------------------------------------------------------------------------------


def test_session_has_every_field_and_the_documented_defaults(api: Api) -> None:
    """A minimal request gives a session of ten minutes and ten requests a minute, with titles and history, no files."""
    answer = api.create().json()
    session_id, secret = answer.pop("id"), answer.pop("client_secret")
    assert session_id.startswith("cksess_")
    assert secret.startswith("ek_")
    assert answer == {
        "object": "chatkit.session",
        "status": "active",
        "expires_at": int(NEW_YEAR) + 600,
        "user": "u1",
        "workflow": {"id": TOPICS, "version": None, "state_variables": None, "tracing": {"enabled": True}},
        "rate_limits": {"max_requests_per_1_minute": 10},
        "max_requests_per_1_minute": 10,
        "chatkit_configuration": {
            "automatic_thread_titling": {"enabled": True},
            "file_upload": {"enabled": False, "max_file_size": 512, "max_files": 10},
            "history": {"enabled": True, "recent_threads": None},
        },
    }


def test_session_keeps_what_the_request_says(api: Api) -> None:
    """Every documented field is taken over."""
    configuration = {
        "automatic_thread_titling": {"enabled": False},
        "file_upload": {"enabled": True, "max_file_size": 1, "max_files": 2},
        "history": {"enabled": False, "recent_threads": 3},
    }
    variables = {"text": "a", "whole": 1, "flag": False, "part": 0.5}
    answer = api.create(
        {
            "user": "u2",
            "workflow": {
                "id": TOPICS,
                "version": "latest",
                "state_variables": variables,
                "tracing": {"enabled": False},
            },
            "expires_after": {"anchor": "created_at", "seconds": 60},
            "rate_limits": {"max_requests_per_1_minute": 7},
            "chatkit_configuration": configuration,
        }
    ).json()
    assert answer["expires_at"] == int(NEW_YEAR) + 60
    assert answer["workflow"] == {
        "id": TOPICS,
        "version": "latest",
        "state_variables": variables,
        "tracing": {"enabled": False},
    }
    assert answer["rate_limits"] == {"max_requests_per_1_minute": 7}
    assert answer["max_requests_per_1_minute"] == 7
    assert answer["chatkit_configuration"] == configuration


WORKFLOW = {"id": TOPICS}


@pytest.mark.parametrize(
    ("change", "param", "code", "words"),
    [
        ({"user": ...}, "user", "missing_required_parameter", "Missing required parameter: 'user'."),
        ({"user": ""}, "user", "empty_string", "minimum length 1, but got an empty string"),
        ({"user": None}, "user", "invalid_type", "expected a string, but got null instead."),
        (
            {"user": 5},
            "user",
            "invalid_type",
            "Invalid type for 'user': expected a string, but got an integer instead.",
        ),
        ({"user": {"id": "u"}}, "user", "invalid_type", "expected a string, but got an object instead."),
        ({"workflow": ...}, "workflow", "missing_required_parameter", "Missing required parameter: 'workflow'."),
        ({"workflow": {}}, "workflow.id", "missing_required_parameter", "Missing required parameter: 'workflow.id'."),
        ({"workflow": TOPICS}, "workflow", "invalid_type", "expected an object, but got a string instead."),
        ({"workflow": [TOPICS]}, "workflow", "invalid_type", "expected an object, but got an array instead."),
        ({"workflow": {"id": True}}, "workflow.id", "invalid_type", "expected a string, but got a boolean instead."),
        ({"workflow": WORKFLOW | {"version": 1.5}}, "workflow.version", "invalid_type", "but got a decimal instead."),
        ({"workflow": WORKFLOW | {"name": "x"}}, "workflow.name", "unknown_parameter", "'workflow.name'."),
        ({"workflow": WORKFLOW | {"tracing": {"enabled": 1}}}, "workflow.tracing.enabled", "invalid_type", "a boolean"),
        (
            {"workflow": WORKFLOW | {"state_variables": {str(n): n for n in range(65)}}},
            "workflow.state_variables",
            "object_above_max_properties",
            "at most 64 properties, but got an object with 65 properties",
        ),
        (
            {"workflow": WORKFLOW | {"state_variables": {"k" * 65: 1}}},
            f"workflow.state_variables.{'k' * 65}",
            "property_name_above_max_length",
            "maximum length 64, but got a string with length 65",
        ),
        (
            {"workflow": WORKFLOW | {"state_variables": {"k": [1]}}},
            "workflow.state_variables.k",
            "invalid_type",
            "one of a string, integer, boolean, or number, but got an array instead.",
        ),
        ({"expires_after": {}}, "expires_after.anchor", "missing_required_parameter", "'expires_after.anchor'."),
        (
            {"expires_after": {"anchor": "last_active_at", "seconds": 60}},
            "expires_after.anchor",
            "invalid_value",
            "Invalid value: 'last_active_at'. Supported values are: 'created_at'.",
        ),
        (
            {"expires_after": {"anchor": "created_at"}},
            "expires_after.seconds",
            "missing_required_parameter",
            "'expires_after.seconds'.",
        ),
        (
            {"expires_after": {"anchor": "created_at", "seconds": 0}},
            "expires_after.seconds",
            "integer_below_min_value",
            "Expected a value >= 1, but got 0 instead.",
        ),
        (
            {"expires_after": {"anchor": "created_at", "seconds": 601}},
            "expires_after.seconds",
            "integer_above_max_value",
            "Expected a value <= 600, but got 601 instead.",
        ),
        ({"expires_after": None}, "expires_after", "invalid_type", "expected an object, but got null instead."),
        (
            {"rate_limits": {"max_requests_per_1_minute": 0}},
            "rate_limits.max_requests_per_1_minute",
            "integer_below_min_value",
            ">= 1",
        ),
        ({"rate_limits": {"per_hour": 1}}, "rate_limits.per_hour", "unknown_parameter", "'rate_limits.per_hour'."),
        (
            {"chatkit_configuration": {"file_upload": {"max_file_size": 513}}},
            "chatkit_configuration.file_upload.max_file_size",
            "integer_above_max_value",
            "<= 512",
        ),
        (
            {"chatkit_configuration": {"file_upload": {"max_files": 0}}},
            "chatkit_configuration.file_upload.max_files",
            "integer_below_min_value",
            ">= 1",
        ),
        (
            {"chatkit_configuration": {"history": {"recent_threads": 0}}},
            "chatkit_configuration.history.recent_threads",
            "integer_below_min_value",
            ">= 1",
        ),
        (
            {"chatkit_configuration": {"history": {"recent_threads": None}}},
            "chatkit_configuration.history.recent_threads",
            "invalid_type",
            "an integer, but got null",
        ),
        (
            {"chatkit_configuration": {"titles": {}}},
            "chatkit_configuration.titles",
            "unknown_parameter",
            "'chatkit_configuration.titles'.",
        ),
        ({"scope": {"user_id": "u"}}, "scope", "unknown_parameter", "Unknown parameter: 'scope'."),
    ],
)
def test_field_that_is_wrong_is_named(api: Api, change: dict[str, Any], param: str, code: str, words: str) -> None:
    """The 400 says which field, in the API's words; nothing is created."""
    body = {name: value for name, value in (MINIMAL | change).items() if value is not ...}
    answer = api.create(body)
    error = error_of(answer)
    assert (answer.status_code, error["type"], error["param"], error["code"]) == (
        400,
        "invalid_request_error",
        param,
        code,
    )
    assert words in error["message"]
    assert api.stack.visit.sessions == {}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff\xfe"])
def test_body_that_is_no_object_is_refused(api: Api, body: bytes) -> None:
    """What cannot be parsed is a 400 with a hint."""
    headers = BETA | {"authorization": f"Bearer {KEY}"}
    answer = api.web.post(f"{api.stack.api_url}{CHATKIT}/sessions", content=body, headers=headers)
    assert answer.status_code == 400
    assert error_of(answer)["message"].startswith("We could not parse the JSON body of your request.")


def test_session_can_be_cancelled(api: Api) -> None:
    """The answer is the session without its secret, and the secret opens nothing any more."""
    created = api.create().json()
    secret, url = created["client_secret"], f"{CHATKIT}/sessions/{created['id']}/cancel"
    assert api.converse(secret, "threads.list", {}).status_code == 200
    answer = api.ask("POST", url)
    assert answer.json() == created | {"status": "cancelled", "client_secret": ""}
    refused = api.converse(secret, "threads.list", {})
    assert (refused.status_code, error_of(refused)["code"]) == (401, "invalid_client_secret")
    assert api.ask("POST", url).json()["status"] == "cancelled"


def test_session_of_another_project_is_not_found(api: Api) -> None:
    """Another project's key cannot cancel it; an id of another kind is malformed."""
    session_id = api.create().json()["id"]
    foreign = api.ask("POST", f"{CHATKIT}/sessions/{session_id}/cancel", token=FOREIGN_KEY)
    assert foreign.status_code == 404
    assert error_of(foreign)["message"] == f"Chatkit Session with id '{session_id}' not found."
    malformed = error_of(api.ask("POST", f"{CHATKIT}/sessions/wf_1/cancel"))
    assert malformed == {
        "message": "Invalid 'session_id': 'wf_1'. Expected an ID that begins with 'cksess'.",
        "type": "invalid_request_error",
        "param": "session_id",
        "code": "invalid_value",
    }
    assert api.ask("POST", f"{CHATKIT}/sessions/{session_id}/cancel").status_code == 200


def test_secret_expires_with_its_session(api: Api) -> None:
    """It is good until the second before `expires_at`, for conversations and for the domain check alike."""
    secret = api.secret(expires_after={"anchor": "created_at", "seconds": 30})
    verify = (f"{CHATKIT}/domain_keys/verify_hosted", {"referrer_origin": "https://app.test"})
    CLOCK.advance(29)
    assert api.converse(secret, "threads.list", {}).status_code == 200
    assert api.ask("POST", *verify, token=secret, beta=False).json() == {"verified": True}
    CLOCK.advance(1)
    assert error_of(api.converse(secret, "threads.list", {}))["message"] == "The client secret has expired."
    assert api.ask("POST", *verify, token=secret, beta=False).status_code == 401


def test_requests_of_a_minute_are_counted_for_each_session(api: Api) -> None:
    """The one too many is a 429 that says when to try again; it does not count, and other sessions are not concerned."""
    secret, other = api.secret(rate_limits={"max_requests_per_1_minute": 3}), api.secret()
    for _ in range(3):
        assert api.converse(secret, "threads.list", {}).status_code == 200
        CLOCK.advance(10)
    refused = api.converse(secret, "threads.list", {})
    assert refused.status_code == 429
    error = error_of(refused)
    assert (error["type"], error["code"]) == ("requests", "rate_limit_exceeded")
    assert "Limit 3, Used 3, Requested 1. Please try again in 30s." in error["message"]
    assert refused.headers["retry-after"] == "30"
    assert refused.headers["x-ratelimit-limit-requests"] == "3"
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert refused.headers["x-ratelimit-reset-requests"] == "30s"
    assert api.converse(other, "threads.list", {}).status_code == 200
    CLOCK.advance(29.5)
    assert api.converse(secret, "threads.list", {}).headers["retry-after"] == "1"
    CLOCK.advance(0.5)
    assert api.converse(secret, "threads.list", {}).status_code == 200
    assert api.converse(secret, "threads.list", {}).status_code == 429


def test_ten_requests_a_minute_are_the_default_and_the_domain_check_is_none(api: Api) -> None:
    """Streams and lists count, a refused request too; the domain check does not."""
    secret = api.secret()
    for _ in range(20):
        body = {"referrer_origin": "https://app.test"}
        assert api.ask("POST", f"{CHATKIT}/domain_keys/verify_hosted", body, token=secret).status_code == 200
    api.start(secret, "one")
    api.converse(secret, "threads.nonsense", {})
    for _ in range(8):
        assert api.converse(secret, "threads.list", {}).status_code == 200
    assert api.converse(secret, "threads.list", {}).status_code == 429


# --- keys and hosts -----------------------------------------------------------------------------------------------

FIVE = [
    ("POST", "/sessions"),
    ("POST", "/sessions/cksess_1/cancel"),
    ("GET", "/threads"),
    ("GET", "/threads/cthr_1"),
    ("DELETE", "/threads/cthr_1"),
    ("GET", "/threads/cthr_1/items"),
]


@pytest.mark.parametrize(("method", "path"), FIVE)
def test_every_operation_wants_key_permission_and_beta_header(api: Api, method: str, path: str) -> None:
    """Without a key, with a made-up or restricted one, and without the header, the answer says which."""
    path = CHATKIT + path
    missing = api.ask(method, path, token="")
    assert missing.status_code == 401
    assert error_of(missing)["message"] == "Missing bearer or basic authentication in header"
    made_up = api.ask(method, path, token="sk-test-nobody-has-this-one")
    assert made_up.status_code == 401
    assert error_of(made_up)["code"] == "invalid_api_key"
    restricted = api.ask(method, path, token=RESTRICTED_KEY)
    assert restricted.status_code == 401
    assert "Missing scopes: " in error_of(restricted)["message"]
    for answer in (missing, made_up, restricted):
        assert answer.headers["www-authenticate"] == 'Bearer realm="OpenAI API"'
    no_beta = api.ask(method, path, beta=False)
    assert no_beta.status_code == 400
    assert error_of(no_beta) == {
        "message": "You must provide the 'OpenAI-Beta' header to access the Chatkit API. Please try again by setting the "
        "header 'OpenAI-Beta: chatkit_beta=v1'.",
        "type": "invalid_request_error",
        "param": None,
        "code": "invalid_beta",
    }


def test_keys_of_the_world_see_their_own_workflows(api: Api) -> None:
    """A second organisation and a European project have workflows of their own; a restricted key may list models."""
    for key, workflow, slug, project in (
        (EUROPE_KEY, EUROPE, "test-publishing", "proj_test_europe"),
        (ELSEWHERE_KEY, "wf_test_travel_guide", "test-elsewhere", "proj_test_elsewhere"),
    ):
        answer = api.create({"workflow": {"id": workflow}, "user": "u"}, token=key)
        assert answer.status_code == 200
        assert (answer.headers["openai-organization"], answer.headers["openai-project"]) == (slug, project)
        assert api.create(MINIMAL, token=key).status_code == 404
    assert api.ask("GET", "/v1/models", token=RESTRICTED_KEY).status_code == 200


def test_domains_belong_to_their_organisation(api: Api) -> None:
    """A session's page must be on the list of its own organisation, whichever project it is in."""
    url = f"{CHATKIT}/domain_keys/verify_hosted"
    secrets = {
        "https://app.test": api.secret(token=EUROPE_KEY, workflow=EUROPE),
        "https://elsewhere-app.test": api.secret(token=ELSEWHERE_KEY, workflow="wf_test_travel_guide"),
    }
    for own, secret in secrets.items():
        for origin in secrets:
            answer = api.ask("POST", url, {"referrer_origin": origin}, token=secret)
            assert answer.json() == {"verified": origin == own}


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("verify", {"referrer_origin": "https://app.test"}, "domain_key"),
        ("verify", {"domain_key": "domain_pk_test_app"}, "referrer_origin"),
        ("verify_hosted", {}, "referrer_origin"),
    ],
)
def test_domain_check_names_what_is_missing(api: Api, path: str, body: dict[str, str], param: str) -> None:
    """A body without a field is a 400."""
    answer = api.ask("POST", f"{CHATKIT}/domain_keys/{path}", body, token=api.secret(), beta=False)
    assert (answer.status_code, error_of(answer)["param"]) == (400, param)


@pytest.mark.parametrize(
    ("key", "host", "right_host"),
    [
        (KEY, "api.openai.com", None),
        (KEY, "us.api.openai.com", "api.openai.com"),
        (KEY, "eu.api.openai.com", ""),
        (KEY, "localhost", None),
        (EUROPE_KEY, "eu.api.openai.com", None),
        (EUROPE_KEY, "api.openai.com", "eu.api.openai.com"),
        (EUROPE_KEY, "us.api.openai.com", "eu.api.openai.com"),
    ],
)
def test_key_is_valid_on_the_host_of_its_region(api: Api, key: str, host: str, right_host: str | None) -> None:
    """On another host the answer names the right one, or says that the project has no region."""
    answer = api.ask("GET", "/v1/models", token=key, host=host)
    if right_host is None:
        assert answer.status_code == 200
        return
    error = error_of(answer)
    assert answer.status_code == 401
    if right_host:
        assert error["message"].endswith(f"Please make your request to {right_host}")
        assert error["code"] == "incorrect_hostname"
    else:
        assert "geography restrictions" in error["message"]


@pytest.mark.parametrize(
    ("key", "workflow", "accepted"),
    [
        (KEY, TOPICS, {"us.api.openai.com", "api.openai.com", "127.0.0.1"}),
        (EUROPE_KEY, EUROPE, {"eu.api.openai.com", "127.0.0.1"}),
    ],
)
def test_secret_is_valid_on_the_host_that_the_frame_reads_out_of_it(
    api: Api, key: str, workflow: str, accepted: set[str]
) -> None:
    """Version 00 means the US host, which the plain one serves too; version 01 means the host of its locality."""
    secret = api.secret(token=key, workflow=workflow)
    tail = secret.rpartition("_")[2]
    claims = json.loads(base64.b64decode(tail[2:]))
    if key == KEY:
        assert (tail[:2], claims) == ("00", {"expires_at": int(NEW_YEAR) + 600})
    else:
        assert (tail[:2], claims) == ("01", {"expires_at": int(NEW_YEAR) + 600, "data_locality": "EU"})
    for host in ("api.openai.com", "us.api.openai.com", "eu.api.openai.com", "127.0.0.1"):
        status = api.converse(secret, "threads.list", {}, host=host).status_code
        assert status == (200 if host in accepted else 401), host


# --- threads and items --------------------------------------------------------------------------------------------


def test_threads_are_listed_by_page_and_user(api: Api) -> None:
    """Newest first by default; the next page begins after `last_id`, the previous one ends before `first_id`."""
    secrets = {user: api.secret(user, rate_limits={"max_requests_per_1_minute": 100}) for user in ("u1", "u2")}
    ids = []
    for number in range(5):
        CLOCK.advance(1)
        ids.append(api.start(secrets["u1" if number % 2 == 0 else "u2"], f"thread {number}"))
    url = f"{CHATKIT}/threads"
    whole = api.ask("GET", url).json()
    assert [thread["id"] for thread in whole["data"]] == ids[::-1]
    assert whole["data"][0] == {
        "id": ids[4],
        "object": "chatkit.thread",
        "created_at": int(NEW_YEAR) + 5,
        "title": "thread 4",
        "user": "u1",
        "status": {"type": "active"},
    }
    edges = {name: whole[name] for name in ("object", "first_id", "last_id", "has_more")}
    assert edges == {"object": "list", "first_id": ids[4], "last_id": ids[0], "has_more": False}

    def listed(**query: Any) -> tuple[list[int], bool]:
        page = api.ask("GET", url, **query).json()
        return [ids.index(thread["id"]) for thread in page["data"]], page["has_more"]

    assert listed(limit=2) == ([4, 3], True)
    assert listed(limit=2, after=ids[3]) == ([2, 1], True)
    assert listed(limit=2, after=ids[1]) == ([0], False)
    assert listed(limit=2, before=ids[1]) == ([3, 2], True)
    assert listed(before=ids[3]) == ([4], False)
    assert listed(after=ids[4], before=ids[1]) == ([3, 2], False)
    assert listed(order="asc", limit=3) == ([0, 1, 2], True)
    assert listed(order="asc", after=ids[3]) == ([4], False)
    assert listed(user="u2") == ([3, 1], False)
    assert listed(user="nobody") == ([], False)
    assert listed(limit=0) == ([], True)
    assert api.ask("GET", url, user="nobody").json() == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }


@pytest.mark.parametrize(
    ("query", "status", "param"),
    [
        ({"limit": 101}, 400, "limit"),
        ({"limit": -1}, 400, "limit"),
        ({"limit": "many"}, 400, "limit"),
        ({"order": "sideways"}, 400, "order"),
        ({"user": ""}, 400, "user"),
        ({"user": "u" * 513}, 400, "user"),
        ({"page": 2}, 400, "page"),
        ({"after": "cthr_nowhere"}, 404, None),
        ({"before": "cthr_nowhere"}, 404, None),
    ],
)
def test_list_refuses_a_query_that_is_wrong(api: Api, query: dict[str, Any], status: int, param: str | None) -> None:
    """Limits, orders, users and cursors are checked."""
    answer = api.ask("GET", f"{CHATKIT}/threads", **query)
    assert (answer.status_code, error_of(answer)["param"]) == (status, param)


def test_thread_is_read_and_deleted_in_its_project_only(api: Api) -> None:
    """Another project's key finds nothing; after deletion nobody does, the frame included."""
    secret = api.secret()
    thread_id = api.start(secret, "lock")
    url = f"{CHATKIT}/threads/{thread_id}"
    assert api.ask("GET", url).json()["status"] == {"type": "locked", "reason": "The stand-in locked this thread."}
    for method, path in (("GET", url), ("DELETE", url), ("GET", f"{url}/items")):
        foreign = api.ask(method, path, token=FOREIGN_KEY)
        assert foreign.status_code == 404
        assert error_of(foreign)["message"] == f"Thread with id '{thread_id}' not found."
    deleted = api.ask("DELETE", url).json()
    assert deleted == {"id": thread_id, "object": "chatkit.thread.deleted", "deleted": True}
    assert api.ask("GET", url).status_code == 404
    assert api.converse(secret, "threads.get_by_id", {"thread_id": thread_id}).status_code == 404
    malformed = api.ask("GET", f"{CHATKIT}/threads/thr_1")
    assert (malformed.status_code, error_of(malformed)["param"]) == (400, "thread_id")


def test_closed_thread_has_a_reason_of_null(api: Api) -> None:
    """A status other than active always has its reason."""
    thread_id = api.start(api.secret(), "close")
    answer = api.ask("GET", f"{CHATKIT}/threads/{thread_id}").json()
    assert answer["status"] == {"type": "closed", "reason": None}


def test_items_have_the_shapes_of_the_rest_api(api: Api) -> None:
    """Types begin with `chatkit.`, times are Unix seconds, trees are JSON strings; what has no shape is left out."""
    secret = api.secret(rate_limits={"max_requests_per_1_minute": 100})
    tag = {"type": "input_tag", "id": "t", "text": "@tea", "data": {}}
    content = [{"type": "input_text", "text": "sources"}, tag]
    options = {"model": "m"}
    thread_id = api.start(secret, "", content=content, quoted_text="a quotation", inference_options=options)
    for word in ("sources", "workflow", "task", "widget", "form", "image", "tool"):
        api.converse(secret, "threads.add_user_message", {"thread_id": thread_id, "input": message(word)})
    url = f"{CHATKIT}/threads/{thread_id}/items"
    items = api.ask("GET", url, order="asc", limit=100).json()["data"]
    for item in items:
        assert item.pop("id").startswith("cti_")
        assert (item.pop("object"), item.pop("thread_id")) == ("chatkit.thread_item", thread_id)
        assert item.pop("created_at") == int(NEW_YEAR)
    by_type = {item["type"]: item for item in items}
    assert [item["type"] for item in items].count("chatkit.user_message") == 8
    assert items[0] == {
        "type": "chatkit.user_message",
        "content": [
            {"type": "quoted_text", "text": "a quotation"},
            {"type": "input_text", "text": "sources"},
            {"type": "input_text", "text": "@tea"},
        ],
        "attachments": [],
        "inference_options": {"model": "m", "tool_choice": None},
    }
    assert items[2]["inference_options"] is None
    assert items[3]["content"][0]["annotations"] == [
        {"type": "url", "source": {"type": "url", "url": "https://example.com/tea"}},
        {"type": "file", "source": {"type": "file", "filename": "history.pdf"}},
    ]
    assert by_type["chatkit.task_group"]["tasks"] == [
        {"type": "custom", "heading": "Search", "summary": None},
        {"type": "thought", "heading": "Think", "summary": "Green it is."},
    ]
    assert by_type["chatkit.task"] == {
        "type": "chatkit.task",
        "task_type": "custom",
        "heading": "Put the kettle on",
        "summary": "Done.",
    }
    assert json.loads(by_type["chatkit.widget"]["widget"])["type"] == "Card"
    call = by_type["chatkit.client_tool_call"]
    assert call.pop("call_id").startswith("call_")
    assert call == {
        "type": "chatkit.client_tool_call",
        "name": "switch_theme",
        "arguments": '{"theme": "dark"}',
        "status": "in_progress",
        "output": None,
    }
    assert len(by_type) == 6, "the form and the image have no shape"
    api.converse(secret, "threads.add_client_tool_output", {"thread_id": thread_id, "result": {"ok": True}})
    answered = api.ask("GET", url, limit=2).json()["data"][1]
    assert (answered["status"], answered["output"]) == ("completed", '{"ok": true}')


# --- the frame ----------------------------------------------------------------------------------------------------


def test_user_sees_own_threads_in_own_project_only(api: Api) -> None:
    """Threads of another user, and of the same name in another project, are not found and not listed."""
    thread_id = api.start(api.secret("u1"), "mine")
    again = api.converse(api.secret("u1"), "threads.list", {}).json()
    assert [thread["id"] for thread in again["data"]] == [thread_id]
    for secret in (api.secret("u2"), api.secret("u1", token=EUROPE_KEY, workflow=EUROPE)):
        assert api.converse(secret, "threads.list", {}).json() == {"data": [], "has_more": False}
        for operation, more in (
            ("threads.get_by_id", {}),
            ("threads.update", {"title": "stolen"}),
            ("threads.delete", {}),
            ("items.list", {}),
            ("threads.add_user_message", {"input": message("intruding")}),
        ):
            answer = api.converse(secret, operation, {"thread_id": thread_id, **more})
            assert answer.status_code == 404
            assert error_of(answer)["message"] == f"Thread with id '{thread_id}' not found."


def test_every_json_operation_is_answered(api: Api) -> None:
    """Title, items, feedback, attachments, speech and an action at once."""
    secret = api.secret(rate_limits={"max_requests_per_1_minute": 100})
    thread_id = api.start(secret, "widget")
    thread = {"thread_id": thread_id}
    assert api.converse(secret, "threads.update", thread | {"title": "Tea"}).json()["title"] == "Tea"
    items = api.converse(secret, "items.list", thread | {"order": "asc"}).json()["data"]
    assert [item["type"] for item in items] == ["user_message", "widget"]
    feedback = thread | {"item_ids": [items[1]["id"]], "kind": "positive"}
    assert api.converse(secret, "items.feedback", feedback).json() == {}
    assert api.stack.visit.hosted.feedback == [(thread_id, (items[1]["id"],), "positive")]
    file = {"name": "a.pdf", "size": 3, "mime_type": "application/pdf"}
    attachment = api.converse(secret, "attachments.create", file).json()
    assert attachment["id"].startswith("cfile_")
    url = attachment["upload_descriptor"]["url"]
    assert url == f"https://api.openai.com/v1/chatkit/files/{attachment['id']}"
    assert api.converse(secret, "attachments.delete", {"attachment_id": attachment["id"]}).json() == {}
    assert api.converse(secret, "attachments.delete", {"attachment_id": attachment["id"]}).status_code == 404
    speech = {"audio_base64": base64.b64encode(bytes(5)).decode(), "mime_type": "audio/webm"}
    assert "5 bytes of audio/webm" in api.converse(secret, "input.transcribe", speech).json()["text"]
    act = thread | {"item_id": items[1]["id"], "action": {"type": "count.add_at_once", "payload": {}}}
    updated = api.converse(secret, "threads.sync_custom_action", act).json()["updated_item"]
    assert updated["widget"]["children"][1]["value"] == "1"
    unknown = api.converse(secret, "threads.sync_custom_action", act | {"action": {"type": "nonsense"}})
    assert unknown.status_code == 400
    assert api.converse(secret, "threads.delete", thread).json() == {}
    assert api.converse(secret, "threads.list", {}).json() == {"data": [], "has_more": False}


def test_operation_that_is_wrong_is_a_400_in_the_apis_shape(api: Api) -> None:
    """An unknown type lists the known ones; a parameter is named with its path; no stream begins."""
    secret = api.secret()
    unknown = error_of(api.converse(secret, "threads.stop", {}))
    assert (unknown["param"], unknown["code"]) == ("type", "invalid_value")
    assert "'threads.create'" in unknown["message"]
    content = [{"type": "input_text"}]
    missing = api.converse(secret, "threads.create", {"input": message("", content=content)})
    assert missing.status_code == 400
    assert error_of(missing)["param"] == "params.input.content[0].text"
    no_call = api.converse(secret, "threads.add_client_tool_output", {"thread_id": api.start(secret, "x"), "result": 1})
    assert no_call.status_code == 400


def test_list_of_threads_can_fail(api: Api) -> None:
    """A fault of one operation leaves the others alone."""
    api.stack.use(replace(FAST, faults=faults_of(["status:conversation.threads.list=503"])))
    secret = api.secret()
    failed = api.converse(secret, "threads.list", {})
    assert (failed.status_code, error_of(failed)["type"]) == (503, "server_error")
    assert api.start(secret, "still works").startswith("cthr_")


def test_configuration_of_the_session_is_obeyed(api: Api) -> None:
    """Without titles none is given; without history nothing is listed; with a limit, the newest are."""
    for _ in range(3):
        thread_id = api.start(
            api.secret(chatkit_configuration={"automatic_thread_titling": {"enabled": False}}), "untitled"
        )
    assert api.ask("GET", f"{CHATKIT}/threads/{thread_id}").json()["title"] is None
    for history, count in (({"enabled": False}, 0), ({"recent_threads": 2}, 2), ({}, 3)):
        secret = api.secret(chatkit_configuration={"history": history})
        page = api.converse(secret, "threads.list", {"limit": 9999}).json()
        assert len(page["data"]) == count
        assert page["has_more"] is False
    limited = api.secret(chatkit_configuration={"history": {"recent_threads": 2}})
    first = api.converse(limited, "threads.list", {"limit": 1}).json()
    assert first["has_more"] is True
    second = api.converse(limited, "threads.list", {"limit": 1, "after": first["after"]}).json()
    assert (len(second["data"]), second["has_more"]) == (1, False)


def test_times_are_utc_without_zone(api: Api) -> None:
    """The recorded form, whatever this machine's zone is."""
    events = api.events(api.secret(), "threads.create", {"input": message("when?")})
    assert events[0]["thread"]["created_at"] == "2026-01-01T00:00:00"


def test_title_comes_before_the_answer_is_complete(api: Api) -> None:
    """The recorded order: parts and words, the title, the complete answer."""
    events = api.events(api.secret(), "threads.create", {"input": message("tea?")})
    kinds = [event.get("update", event)["type"] for event in events]
    assert kinds[-3:] == ["assistant_message.content_part.done", "thread.updated", "thread.item.done"]
    assert (
        "".join(event.get("update", {}).get("delta", "") for event in events)
        == events[-1]["item"]["content"][0]["text"]
    )


def test_file_can_be_uploaded_where_the_session_allows_it(api: Api) -> None:
    """A form becomes an attachment of the real shape, up to the session's size, and can be sent with a message."""
    url = f"{api.stack.api_url}{CHATKIT}/files"
    content = b"\x89PNG\r\n" + bytes(range(256))

    def post(secret: str, **files: Any) -> httpx.Response:
        return api.web.post(url, files=files or None, headers={"authorization": f"Bearer {secret}"})

    refused = post(api.secret(), file=("a.png", content, "image/png"))
    assert (refused.status_code, error_of(refused)["type"]) == (400, "invalid_request_error")
    secret = api.secret(chatkit_configuration={"file_upload": {"enabled": True, "max_file_size": 1}})
    answer = post(secret, file=("a.png", content, "image/png")).json()
    assert answer == {
        "id": answer["id"],
        "name": "a.png",
        "mime_type": "image/png",
        "type": "image",
        "preview_url": f"https://api.openai.com/v1/chatkit/files/{answer['id']}",
        "upload_url": f"https://api.openai.com/v1/chatkit/files/{answer['id']}",
    }
    assert api.web.get(f"{url}/{answer['id']}").content == content
    assert api.web.get(f"{url}/cfile_nowhere").status_code == 404
    assert error_of(post(secret, other=("a.png", content, "image/png")))["param"] == "file"
    assert error_of(post(secret))["param"] == "file"
    assert "larger than 1 MB" in error_of(post(secret, file=("b", bytes(1024 * 1024 + 1))))["message"]
    thread_id = api.start(secret, "look", attachments=[answer["id"]])
    sent = api.ask("GET", f"{CHATKIT}/threads/{thread_id}/items", order="asc").json()["data"][0]["attachments"][0]
    assert sent == {name: answer[name] for name in ("id", "type", "name", "mime_type", "preview_url")}
    unknown = api.converse(secret, "threads.create", {"input": message("x", attachments=["cfile_nowhere"])})
    assert unknown.status_code == 404


def test_files_of_a_person_stay_on_this_machine(web: httpx.Client) -> None:
    """Where nothing is routed, an attachment's address is the server's own."""
    with serve_stack(scenario=FAST, is_for_people=True) as people:
        api = Api(people, web)
        file = {"name": "a.png", "size": 3, "mime_type": "image/png"}
        attachment = api.converse(api.secret(), "attachments.create", file).json()
        url = attachment["upload_descriptor"]["url"]
        assert url == f"{people.api_url}/v1/chatkit/files/{attachment['id']}"
        assert web.put(url, content=b"png").status_code == 200
        assert web.get(attachment["preview_url"]).content == b"png"


@pytest.mark.parametrize("secret", ["", "ek_made_up", KEY], ids=["empty", "made-up", "an API key"])
def test_frame_without_a_valid_secret_is_refused(api: Api, secret: str) -> None:
    """401 for the conversation, the domain check and files."""
    for path, body in (
        ("conversation", {"type": "threads.list", "params": {}}),
        ("domain_keys/verify_hosted", {"referrer_origin": "https://app.test"}),
        ("files", {}),
    ):
        answer = api.ask("POST", f"{CHATKIT}/{path}", body, token=secret, beta=False)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="OpenAI API"'
        assert error_of(answer)["code"] == ("invalid_client_secret" if secret else None)


# --- every answer -------------------------------------------------------------------------------------------------


def test_unknown_request_is_a_404_of_the_api_and_a_line_of_the_log(api: Api) -> None:
    """Path and method are named; a known path with another method is a 405; the log says that nothing is known."""
    for method, path, status, words in (
        ("POST", "/v1/chatkit/sessions/refresh", 404, "Invalid URL (POST /v1/chatkit/sessions/refresh)"),
        ("GET", "/v1/responses", 404, "Invalid URL (GET /v1/responses)"),
        ("DELETE", "/", 404, "Invalid URL (DELETE /)"),
        ("GET", "/v1/chatkit/files", 405, "Invalid method for URL (GET /v1/chatkit/files)"),
        ("GET", "/v1/chatkit/sessions", 405, "Invalid method for URL (GET /v1/chatkit/sessions)"),
        ("PUT", "/v1/chatkit/threads/cthr_1", 405, "Invalid method for URL (PUT /v1/chatkit/threads/cthr_1)"),
    ):
        answer = api.ask(method, path)
        assert answer.status_code == status
        assert error_of(answer) == {"message": words, "type": "invalid_request_error", "param": None, "code": None}
        logged = api.stack.log[-1]
        assert (logged.server, logged.method, logged.path, logged.status) == ("api", method, path, status)
        assert logged.note == f"nothing is known here about {method} {path}"


def test_answers_have_the_recorded_headers(api: Api) -> None:
    """Errors and successes alike; the owner is named to a known key, and never in a server error."""
    recorded = {
        "openai-version": "2020-10-01",
        "x-openai-proxy-wasm": "v0.1",
        "cf-cache-status": "DYNAMIC",
        "server": "cloudflare",
        "x-content-type-options": "nosniff",
    }
    created, refused = api.create(), api.create(token="sk-test-nobody-has-this-one")
    api.stack.use(replace(FAST, faults=faults_of(["openai-500"])))
    failed = api.create()
    for answer in (created, refused, failed, api.ask("GET", "/v1/nonsense")):
        assert answer.headers["content-type"] == "application/json"
        assert {name: answer.headers[name] for name in recorded} == recorded
        assert answer.headers["x-request-id"].startswith("req_")
        assert answer.headers["cf-ray"]
        assert int(answer.headers["openai-processing-ms"]) == int(answer.headers["x-envoy-upstream-service-time"])
    assert created.headers["openai-organization"] == "test-publishing"
    assert created.headers["openai-project"] == "proj_test_topics"
    assert "openai-organization" not in refused.headers
    assert "openai-organization" not in failed.headers


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, "invalid_request_error", None),
        (401, "invalid_request_error", "invalid_api_key"),
        (403, "request_forbidden", "unsupported_country_region_territory"),
        (429, "requests", "rate_limit_exceeded"),
        (500, "server_error", None),
        (503, "server_error", None),
    ],
)
def test_session_requests_fail_as_the_scenario_says(api: Api, status: int, kind: str, code: str | None) -> None:
    """A fault of `openai-sessions` gives the error that belongs to the status; everything else goes on."""
    secret = api.secret()
    sessions = dict(api.stack.visit.sessions)
    api.stack.use(replace(FAST, faults=faults_of([f"status:openai-sessions={status}"])))
    api.stack.visit.sessions.update(sessions)
    answer = api.create()
    error = error_of(answer)
    assert (answer.status_code, error["type"], error["code"]) == (status, kind, code)
    assert ("retry-after" in answer.headers) is (status == 429)
    assert api.converse(secret, "threads.list", {}).status_code == 200

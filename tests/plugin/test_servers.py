"""The embedded servers over real sockets: who is let in, what is passed on, and what the log says."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import jwt
import pytest

from harness.errors import ServerError
from harness.model.events import ServerAnswered
from harness.servers import listening
from harness.servers.named_faults import faults_of
from harness.servers.scenarios import Scenario, read_scenarios
from harness.servers.server import Stack, serve_stack
from harness.servers.session import MOCK_SECRET, access_token_of
from harness.servers.world import read_world
from tests.commands import TIMEOUT_S

HEALTHY = Scenario(name="healthy")
TOPICS = "wf_test_topic_generation"
ELSEWHERE = "wf_test_invoice_clerk"
KEY = "sk-test-topic-project"
FOREIGN_KEY = "sk-test-billing-project"
BETA = {"openai-beta": "chatkit_beta=v1"}
JWT_SECRET = read_world().app.jwt_secret
WEB = httpx.Client(verify=False, trust_env=False, timeout=TIMEOUT_S)  # no certificates to load


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    """The servers, started once."""
    with serve_stack(scenario=HEALTHY) as stack:
        yield stack


@pytest.fixture
def stack(running: Stack) -> Stack:
    """The servers in the healthy scenario, with nothing remembered."""
    running.use(HEALTHY)
    return running


def bearer(token: str) -> dict[str, str]:
    """Return an authorization header."""
    return {"authorization": f"Bearer {token}"}


def ask_app(stack: Stack, body: Any = None, **headers: str) -> httpx.Response:
    """Ask the app for a session."""
    body = {"workflow_id": TOPICS} if body is None else body
    return WEB.post(f"{stack.app_url}/api/chatkit/session", json=body, headers=headers)


def ask_api(stack: Stack, body: dict[str, Any], *, key: str = KEY, beta: bool = True) -> httpx.Response:
    """Ask the API for a session."""
    headers = bearer(key) | (BETA if beta else {})
    return WEB.post(f"{stack.api_url}/v1/chatkit/sessions", json=body, headers=headers)


def secret_of(stack: Stack) -> str:
    """Return the secret of a new session."""
    return str(ask_app(stack).json()["client_secret"])


def converse(stack: Stack, operation: str, params: dict[str, Any], secret: str) -> httpx.Response:
    """Send one operation as the frame does."""
    body = {"type": operation, "params": params}
    return WEB.post(f"{stack.api_url}/v1/chatkit/conversation", json=body, headers=bearer(secret))


# --- the page -----------------------------------------------------------------------------------------------------


def test_page_refers_to_the_real_loader_unless_a_person_looks(stack: Stack) -> None:
    """A routed browser sees the real URL, a normal one a loopback URL, and `script = "none"` leaves it out."""
    url = "/test-chatkit"
    assert 'src="https://cdn.platform.openai.com/deployments/chatkit/chatkit.js"' in WEB.get(stack.app_url + url).text
    stack.use(replace(HEALTHY, script="none"))
    assert "chatkit.js" not in WEB.get(stack.app_url + url).text.replace("test-chatkit.js", "")
    with serve_stack(scenario=HEALTHY, is_for_people=True) as people:
        assert f'src="{people.cdn_url}/deployments/chatkit/chatkit.js"' in WEB.get(people.app_url + url).text
        frame = WEB.get(f"{people.cdn_url}/deployments/chatkit/index-standin01.html").text
        assert f'<meta name="chatkit-stand-in-api" content="{people.api_url}">' in frame


def test_page_configuration_cannot_end_its_script(stack: Stack) -> None:
    """A `<` in the scenario is escaped inside the JSON island."""
    stack.use(replace(HEALTHY, about="</script><script>alert(1)</script>"))
    assert "</script><script>alert" not in WEB.get(f"{stack.app_url}/test-chatkit").text


@pytest.mark.parametrize(
    "path", ["/static/../world.toml", "/static/..%2Fworld.toml", "/static/%2e%2e/scenarios.toml", "/static//etc/passwd"]
)
def test_app_serves_nothing_outside_its_folder(stack: Stack, path: str) -> None:
    """No spelling of a path leads out of the pages' folder."""
    assert raw_status(stack.app_url, path) == 404


def test_cdn_serves_nothing_outside_its_folder(stack: Stack) -> None:
    """No spelling of a path leads out of the SDK's folder."""
    assert raw_status(stack.cdn_url, "/..%2Fworld.toml") == 404
    assert raw_status(stack.cdn_url, "/assets/../../world.toml") == 404


def raw_status(base: str, path: str) -> int:
    """Return the status for a path that is sent exactly as it is written."""
    host, _, port = base.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return int(connection.recv(64).split()[1])


def test_no_token_stands_in_a_script(stack: Stack) -> None:
    """What a page sends as its sentinel's token is made in the page: a literal would be a secret that all files hold."""
    script = WEB.get(f"{stack.api_url}/backend-api/sentinel/sdk.js").text
    assert "crypto.getRandomValues" in script
    assert not re.search(r"""["'`][\w-]{12,}["'`]""", script)


# --- the app's session API ----------------------------------------------------------------------------------------


def test_session_is_created_upstream(stack: Stack) -> None:
    """The app answers with the secret and expiry of a session that the API knows."""
    answer = ask_app(stack).json()
    assert set(answer) == {"client_secret", "expires_at"}
    session = stack.visit.sessions[answer["client_secret"]]
    assert (session.workflow_id, session.user) == (TOPICS, "local-developer")
    assert ask_app(stack, {"workflow": {"id": TOPICS}, "user": "u1"}).status_code == 200


def test_session_secret_has_the_real_format(stack: Stack) -> None:
    """The tail after the last underscore is version 00 and base64 of JSON with the expiry."""
    answer = ask_app(stack).json()
    tail = answer["client_secret"].rpartition("_")[2]
    assert tail.startswith("00")
    assert json.loads(base64.b64decode(tail[2:])) == {"expires_at": answer["expires_at"]}


def test_valid_token_names_the_user(stack: Stack) -> None:
    """With a token the session is that user's, whatever the body says."""
    stack.use(replace(HEALTHY, session_auth="required"))
    token = access_token_of("user-7", secret=JWT_SECRET)
    answer = ask_app(stack, {"workflow_id": TOPICS, "user": "somebody-else"}, **bearer(token))
    assert stack.visit.sessions[answer.json()["client_secret"]].user == "user-7"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "not-a-jwt",
        access_token_of("u", secret="another secret that is long enough"),
        access_token_of("u", secret=JWT_SECRET, lifetime_s=-1),
        jwt.encode({"sub": "u", "aud": "anon", "exp": time.time() + 60}, JWT_SECRET, algorithm="HS256"),
        jwt.encode({"sub": "u", "aud": "authenticated"}, JWT_SECRET, algorithm="HS256"),
        jwt.encode({"sub": "u", "aud": "authenticated", "exp": time.time() + 60}, "", algorithm="none"),
    ],
    ids=["missing", "garbage", "other-secret", "expired", "other-audience", "no-expiry", "unsigned"],
)
def test_bad_token_is_refused(stack: Stack, token: str) -> None:
    """Whatever is wrong with the token, the answer is 401 and nothing is asked upstream."""
    stack.use(replace(HEALTHY, session_auth="required"))
    answer = ask_app(stack, **(bearer(token) if token else {}))
    assert answer.status_code == 401
    assert answer.json()["error"]
    assert stack.answers("api") == ()


def test_bypass_is_for_loopback_names_only(stack: Stack) -> None:
    """Without a token, the host name asked for must be this machine's; a wrong token is never bypassed."""
    assert ask_app(stack, host="localhost").status_code == 200
    assert ask_app(stack, host="app.test").status_code == 401
    assert ask_app(stack, **bearer("not-a-jwt")).status_code == 401


@pytest.mark.parametrize("body", [{}, [], {"workflow_id": 7}, {"workflow": "wf"}, {"workflow_id": TOPICS, "user": 1}])
def test_malformed_request_is_refused(stack: Stack, body: Any) -> None:
    """A body of another shape gets 400 from the app itself."""
    assert ask_app(stack, body).status_code == 400


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"workflow_visible": False}, 404, f"Workflow with id '{TOPICS}' not found."),
        ({"send_user": False}, 400, "Missing required parameter: 'user'."),
        ({"faults": faults_of(["openai-down"])}, 502, "cannot be reached"),
        ({"faults": faults_of(["openai-html"])}, 502, "without JSON"),
        ({"faults": faults_of(["openai-429"])}, 429, "Rate limit reached"),
        ({"faults": faults_of(["openai-500"])}, 500, "The server had an error"),
        ({"api_key": "sk-test-nobody-has-this-one"}, 401, "Incorrect API key provided: sk-test-***************-one."),
        ({"api_key": "sk-test-topic-restricted"}, 401, "Missing scopes"),
    ],
)
def test_upstream_errors_are_passed_on(stack: Stack, change: dict[str, Any], status: int, words: str) -> None:
    """The app answers with upstream's status, message and body, and with 502 when there was no answer to speak of."""
    stack.use(replace(HEALTHY, **change))
    answer = ask_app(stack)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    has_upstream_answer = status != 502
    assert (
        answer.json().get("details", {}).get("error", {}).get("message") == answer.json()["error"]
    ) is has_upstream_answer


def test_session_endpoint_answers_as_the_starter_app_does(stack: Stack) -> None:
    """It takes the workflow in three spellings, names what is missing, and refuses other methods in JSON."""
    for body in ({"workflow": {"id": TOPICS}}, {"workflowId": TOPICS}, {"workflow_id": TOPICS}):
        assert ask_app(stack, body).status_code == 200
    assert ask_app(stack, {}).json() == {"error": "Missing workflow id"}
    refused = WEB.get(f"{stack.app_url}/api/chatkit/session")
    assert (refused.status_code, refused.json()) == (405, {"error": "Method Not Allowed"})


def test_mock_mode_hides_a_missing_workflow(stack: Stack) -> None:
    """A missing workflow becomes a mock secret that says so, and that the API does not accept."""
    stack.use(replace(HEALTHY, mock_mode=True, workflow_visible=False))
    answer = ask_app(stack)
    assert answer.status_code == 200
    assert answer.headers["x-chatkit-mock"] == "true"
    assert answer.json()["_mock"] is True
    assert stack.answers("app", "/api/chatkit/session")[0].note.startswith("MOCK SECRET ISSUED")
    assert converse(stack, "threads.list", {}, MOCK_SECRET).status_code == 401


def test_mock_mode_is_for_missing_workflows_on_loopback_only(stack: Stack) -> None:
    """Other errors stay errors, and so does every error of a public host name."""
    stack.use(replace(HEALTHY, mock_mode=True, send_user=False))
    assert ask_app(stack).status_code == 400
    stack.use(replace(HEALTHY, mock_mode=True, workflow_visible=False))
    token = access_token_of("u", secret=JWT_SECRET)
    assert ask_app(stack, host="app.test", **bearer(token)).status_code == 404


def test_delay_keeps_other_requests_going(stack: Stack) -> None:
    """A slow session endpoint is slow by itself."""
    stack.use(replace(HEALTHY, faults=faults_of(["delay:session=300ms"])))
    slow = threading.Thread(target=ask_app, args=(stack,))
    slow.start()
    assert WEB.get(f"{stack.app_url}/health").json() == {"status": "ok"}
    assert stack.answers("app", "/api/chatkit/session") == ()
    slow.join()
    assert stack.answers("app", "/api/chatkit/session")[0].status == 200


def test_workflows_are_found_by_name(stack: Stack) -> None:
    """Part of the name is enough; workflows of other projects are not found."""
    url = f"{stack.app_url}/api/chatkit/workflows"
    assert WEB.get(url, params={"name": "topic"}).json() == {"data": [{"id": TOPICS, "name": "Topic Generation"}]}
    assert WEB.get(url, params={"name": "Invoice"}).json() == {"data": []}
    assert WEB.get(url, headers={"host": "app.test"}).status_code == 401


# --- the API ------------------------------------------------------------------------------------------------------


def test_key_sees_the_workflows_of_its_project_only(stack: Stack) -> None:
    """Each key finds its own workflow and gets 404 for the other's."""
    for key, own, other in ((KEY, TOPICS, ELSEWHERE), (FOREIGN_KEY, ELSEWHERE, TOPICS)):
        assert ask_api(stack, {"workflow": {"id": own}, "user": "u"}, key=key).status_code == 200
        refused = ask_api(stack, {"workflow": {"id": other}, "user": "u"}, key=key)
        assert refused.status_code == 404
        assert refused.json()["error"] == {
            "message": f"Workflow with id '{other}' not found.",
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        }
        assert refused.headers["openai-project"].startswith("proj_test_")


def test_unknown_key_is_refused_without_naming_it(stack: Stack) -> None:
    """401 in the real shape, with the key masked and no owner in the headers."""
    answer = ask_api(stack, {}, key="sk-test-nobody-has-this-one")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="OpenAI API"'
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert "nobody" not in answer.text
    assert "openai-project" not in answer.headers
    assert WEB.get(f"{stack.api_url}/v1/models").status_code == 401
    assert WEB.get(f"{stack.api_url}/v1/models", headers=bearer(KEY)).json()["object"] == "list"


@pytest.mark.parametrize(
    ("body", "beta", "words"),
    [
        ({"workflow": {"id": TOPICS}, "user": "u"}, False, "'OpenAI-Beta' header"),
        ({"workflow": {"id": TOPICS}}, True, "Missing required parameter: 'user'."),
        ({"user": "u"}, True, "Missing required parameter: 'workflow'."),
        ({"workflow": {}, "user": "u"}, True, "Missing required parameter: 'workflow.id'."),
        ({"workflow": {"id": TOPICS}, "user": 5}, True, "Invalid type for 'user'"),
    ],
)
def test_incomplete_session_request_is_refused(stack: Stack, body: dict[str, Any], beta: bool, words: str) -> None:
    """What is missing is named in a 400."""
    answer = ask_api(stack, body, beta=beta)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("change", "origin", "is_verified"),
    [
        ({}, "https://app.test", True),
        ({}, "https://elsewhere.test", False),
        ({}, "https://app.test:8443", False),
        ({"domain_verified": False}, "https://app.test", False),
    ],
)
def test_domain_is_verified_by_the_allowlist(
    stack: Stack, change: dict[str, Any], origin: str, is_verified: bool
) -> None:
    """The exact origin must be on the list of the session's organisation."""
    stack.use(replace(HEALTHY, **change))
    url = f"{stack.api_url}/v1/chatkit/domain_keys/verify_hosted"
    body = {"referrer_origin": origin}
    assert WEB.post(url, json=body, headers=bearer(secret_of(stack))).json() == {"verified": is_verified}
    assert WEB.post(url, json=body).status_code == 401


def test_domain_key_belongs_to_one_origin(stack: Stack) -> None:
    """Custom mode's verification asks for the key that was issued for the origin."""
    url = f"{stack.api_url}/v1/chatkit/domain_keys/verify"
    for key, is_verified in (("domain_pk_test_app", True), ("domain_pk_other", False)):
        body = {"referrer_origin": "https://app.test", "domain_key": key}
        assert WEB.post(url, json=body).json() == {"verified": is_verified}


def test_answer_arrives_while_it_is_written(stack: Stack) -> None:
    """The first events are there although the next word takes minutes."""
    stack.use(replace(HEALTHY, chunk_gap_ms=TIMEOUT_S * 1000))
    question = {
        "content": [{"type": "input_text", "text": "tea?"}],
        "attachments": [],
        "quoted_text": "",
        "inference_options": {},
    }
    body = {"type": "threads.create", "params": {"input": question}}
    url = f"{stack.api_url}/v1/chatkit/conversation"
    with WEB.stream("POST", url, json=body, headers=bearer(secret_of(stack))) as response:
        assert json.loads(next(filter(None, response.iter_lines())).removeprefix("data: "))["type"] == "thread.created"


def test_message_is_answered_by_a_stream_in_pieces(stack: Stack) -> None:
    """A new thread streams events, and can be listed, read and continued afterwards."""
    secret = secret_of(stack)
    question = {
        "content": [{"type": "input_text", "text": "tea?"}],
        "attachments": [],
        "quoted_text": "",
        "inference_options": {},
    }
    events = []
    url = f"{stack.api_url}/v1/chatkit/conversation"
    body = {"type": "threads.create", "params": {"input": question}}
    with WEB.stream("POST", url, json=body, headers=bearer(secret)) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        for line in response.iter_lines():
            if line:
                events.append(json.loads(line.removeprefix("data: ")))
    assert [event["type"] for event in events[:3]] == ["thread.created", "thread.item.done", "stream_options"]
    thread_id = events[0]["thread"]["id"]
    assert converse(stack, "threads.list", {}, secret).json()["data"][0]["id"] == thread_id
    more = converse(stack, "threads.add_user_message", {"thread_id": thread_id, "input": question}, secret)
    assert "thread.created" not in more.text
    items = converse(stack, "threads.get_by_id", {"thread_id": thread_id}, secret).json()["items"]["data"]
    assert [item["type"] for item in items] == ["user_message", "assistant_message"] * 2
    assert converse(stack, "threads.get_by_id", {"thread_id": "cthr_no"}, secret).status_code == 404


def test_conversation_needs_a_live_secret(stack: Stack) -> None:
    """Without a secret, with a made-up one, and with one of an earlier visit the answer is 401."""
    secret = secret_of(stack)
    assert converse(stack, "threads.list", {}, secret).json() == {"data": [], "has_more": False}
    assert converse(stack, "threads.list", {}, "ek_made_up").json()["error"]["type"] == "invalid_request_error"
    stack.use(HEALTHY)
    assert converse(stack, "threads.list", {}, secret).status_code == 401
    stack.use(replace(HEALTHY, faults=faults_of(["threads-500"])))
    assert converse(stack, "threads.list", {}, secret_of(stack)).json()["error"]["type"] == "server_error"


def test_frame_may_call_across_origins(stack: Stack) -> None:
    """The pre-flight of the frame's headers is answered, also for a host that is not ours."""
    asked = "authorization,content-type,chatkit-device-id,chatkit-frame-instance-id,openai-sentinel-token"
    headers = {
        "host": "us.api.openai.com",
        "origin": "https://cdn.platform.openai.com",
        "access-control-request-method": "POST",
        "access-control-request-headers": asked,
    }
    answer = WEB.options(f"{stack.api_url}/v1/chatkit/conversation", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert all(name in answer.headers["access-control-allow-headers"].lower() for name in asked.split(","))


# --- the CDN ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "path"),
    [
        ("status:script=400", "/deployments/chatkit/chatkit.js"),
        ("status:frame=400", "/deployments/chatkit/index-standin01.html"),
        ("status:entry=400", "/assets/ck1/index-standin01.js"),
    ],
)
def test_cdn_fails_where_the_scenario_says(stack: Stack, fault: str, path: str) -> None:
    """Each file is there, is never cached, and alone answers the status that its scenario names."""
    paths = [
        "/deployments/chatkit/chatkit.js",
        "/deployments/chatkit/index-standin01.html",
        "/assets/ck1/index-standin01.js",
    ]
    assert WEB.get(stack.cdn_url + path).headers["cache-control"] == "no-store"
    stack.use(replace(HEALTHY, faults=faults_of([fault])))
    statuses = {each: WEB.get(stack.cdn_url + each).status_code for each in paths}
    assert statuses == {each: 400 if each == path else 200 for each in paths}


# --- the stack ----------------------------------------------------------------------------------------------------


def test_every_server_also_speaks_tls(stack: Stack) -> None:
    """The https addresses answer as the http ones do."""
    for url in (f"{stack.app_tls_url}/health", f"{stack.cdn_tls_url}/deployments/chatkit/chatkit.js"):
        assert WEB.get(url).status_code == 200
    assert WEB.get(f"{stack.api_tls_url}/v1/models", headers=bearer(KEY)).status_code == 200


def test_answers_do_not_wait_for_acknowledgements(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nagle's algorithm is off on every connection: no answer waits the 40 ms of a delayed ACK for its body to leave."""
    delays: list[bool] = []

    class Protocol(listening._Protocol):
        """The servers' own, which notes how its connection sends."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            """Note whether small packets are held back."""
            sock = transport.get_extra_info("socket")
            delays.append(not sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            super().connection_made(transport)

    monkeypatch.setattr(listening, "_Protocol", Protocol)
    with serve_stack(scenario=HEALTHY) as stack:
        assert WEB.get(f"{stack.app_url}/health").status_code == 200
        assert WEB.get(f"{stack.api_tls_url}/v1/models", headers=bearer(KEY)).status_code == 200
    assert delays == [False, False]


def test_answers_are_reported_before_they_arrive(stack: Stack) -> None:
    """Who has an answer finds it in the log, and the listener was told in the order of the answers."""
    heard: list[ServerAnswered] = []
    stack.on_answer = heard.append
    ask_app(stack)
    assert [(answer.server, answer.path) for answer in heard] == [
        ("api", "/v1/chatkit/sessions"),
        ("app", "/api/chatkit/session"),
    ]
    assert stack.log == tuple(heard)


def test_listener_that_raises_does_not_break_the_answer(stack: Stack) -> None:
    """The page gets its answer; the fault is raised at the harness's next step."""

    def refuse(_answer: ServerAnswered) -> None:
        raise RuntimeError("full")

    stack.on_answer = refuse
    assert WEB.get(f"{stack.app_url}/health").status_code == 200
    stack.on_answer = lambda _answer: None
    with pytest.raises(ServerError, match="full"):
        stack.use(HEALTHY)


def test_taken_port_is_explained() -> None:
    """The error names address and remedy, and leaves nothing running."""
    before = threading.active_count()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ServerError, match=f"127.0.0.1:{port}"), serve_stack(scenario=HEALTHY, app_port=port):
            pass
    assert threading.active_count() == before


def test_stack_stops_soon_although_requests_are_open() -> None:
    """Neither an idle connection nor a request in progress keeps the servers alive; the address is free again."""
    request = b"POST /api/chatkit/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
    slow = replace(HEALTHY, faults=faults_of(["hang:session"]))
    with socket.socket() as waiting, httpx.Client(timeout=TIMEOUT_S) as idle, serve_stack(scenario=slow) as stack:
        waiting.connect(("127.0.0.1", int(stack.app_url.rpartition(":")[2])))
        waiting.sendall(request)
        idle.get(f"{stack.app_url}/health")
        address = stack.app_url
        waiting.settimeout(TIMEOUT_S)
        # The block's end stops the servers first: both connections are still open then, and one would be for ever.
    with pytest.raises(httpx.ConnectError):
        WEB.get(f"{address}/health")


def test_scenarios_are_complete() -> None:
    """Every scenario says what it is about."""
    scenarios = read_scenarios()
    assert {"healthy", "production", "deadlock", "domain-not-verified"} <= scenarios.keys()
    assert all(scenario.about for scenario in scenarios.values())

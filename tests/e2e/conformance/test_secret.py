"""The client secret: its format, its refresh, and what a bad one does. Protocol facts §1.11, §2.5, §3.3."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from playwright.sync_api import Request

from conformance.client_secrets import EMPTY_PAGE, EMPTY_STREAM, Api, make_secret, operation_of
from conformance.host import APP, Host

INVALID = "ChatKitOptions.api.getClientSecret():\n✖ Invalid client secret format"


@pytest.fixture
def api(host: Host) -> Api:
    """The hosted endpoints; thread lists are empty unless the test says otherwise."""
    return Api(host.page.context)


def hosted(answer: str, more: str = "") -> str:
    """Return options for hosted mode whose getClientSecret is noted and answers with an expression."""
    return f"{{ api: {{ getClientSecret: noting('getClientSecret', {answer}) }}, disableTelemetry: true, {more} }}"


def arguments(host: Host) -> list[object]:
    """Return what getClientSecret was called with, call by call."""
    return [call["args"][0] for call in host.calls if call["name"] == "getClientSecret"]


BASES = (
    pytest.param({"version": "00"}, "https://us.api.openai.com", id="v00"),
    pytest.param({"version": "01", "data_locality": "US"}, "https://us.api.openai.com", id="v01-US"),
    pytest.param({"version": "01", "data_locality": "EU"}, "https://eu.api.openai.com", id="v01-EU"),
    pytest.param({"version": "01", "data_locality": None}, "https://api.openai.com", id="v01-null"),
    pytest.param({"version": "00", "prefix": "any_thing_goes"}, "https://us.api.openai.com", id="prefix"),
)


@pytest.mark.parametrize(("made_of", "base"), BASES)
def test_secret_names_the_api_host(host: Host, api: Api, made_of: dict[str, Any], base: str) -> None:
    """§3.3: the version and locality inside the secret decide which host is called; the secret is the bearer."""
    secret = make_secret(**made_of)
    host.boot(hosted(json.dumps(secret)))
    host.wait_until(lambda: bool(api.requests), "a request to the API")
    assert api.requests[0].url == f"{base}/v1/chatkit/conversation", "§3.3"
    assert api.bearers("conversation")[0] == secret, "§4"
    assert arguments(host) == [None], "§2.5 the first call is made with null"


REFUSED = (
    pytest.param("'not-a-secret'", INVALID, id="no-underscore"),
    pytest.param("undefined", INVALID, id="undefined"),
    pytest.param("null", INVALID, id="null"),
    pytest.param("({ value: 'x' })", INVALID, id="object"),
    pytest.param(json.dumps("ek_test_00"), INVALID, id="empty-tail"),
    pytest.param(json.dumps("ek_test_00e30="), INVALID, id="no-expiry"),
    pytest.param(
        json.dumps("ek_test_00" + base64.b64encode(b'{"expires_at": "soon"}').decode()), INVALID, id="expiry-is-text"
    ),
    pytest.param(
        json.dumps(make_secret("07")),
        'ChatKitOptions.api.getClientSecret():\n✖ Unsupported token version: "07"',
        id="version",
    ),
)


@pytest.mark.parametrize(("answer", "message"), REFUSED)
def test_secret_in_another_format_is_dropped(host: Host, api: Api, answer: str, message: str) -> None:
    """§1.11, §3.3: an IntegrationError for each attempt, an empty bearer, and a normal composer."""
    api.answer = lambda _request: {"status": 401, "json": {}}
    host.boot(hosted(answer))
    host.wait_until(lambda: len(api.of("conversation")) >= 2, "the request and its repeat")
    assert set(host.errors()) == {("IntegrationError", message)}, "§1.11"
    assert set(api.bearers("conversation")) == {""}, "§1.11 the value was sent"
    assert set(arguments(host)) == {None}, "§1.11 the dropped secret is handed back"
    assert len(arguments(host)) >= 2, "§1.11 it is not asked again"
    host.wait_for_uncaught(f"IntegrationError: {message}")
    assert host.editor.is_visible(), "§1.11"


def test_rejected_secret_is_asked_once(host: Host, api: Api) -> None:
    """§1.11, §3.3: on a development origin nothing tells of a rejection, and the frame never asks again."""
    api.answer = lambda _request: {"status": 401, "json": {}}
    host.boot(hosted("() => Promise.reject(new Error('signed out'))"))
    host.wait_until(lambda: len(api.of("conversation")) >= 2, "the request and its repeat")
    host.send_and_wait("hello")
    assert arguments(host) == [None], "§3.3 it was asked again"
    assert host.errors() == [], "§1.11"
    assert set(api.bearers("conversation")) == {""}, "§1.11"
    assert host.editor.is_visible(), "§1.11"


def test_rejected_secret_on_a_production_origin(host: Host, api: Api) -> None:
    """§1.11: verification goes out with an empty bearer, and its 401 removes the widget."""
    api.answer = lambda _request: {"status": 401, "json": {}}
    host.mount(hosted("() => Promise.reject(new Error('signed out'))"), origin=APP)
    host.wait_for("() => !chat.shadowRoot.querySelector('.ck-wrapper')")
    assert api.bearers("domain_keys/verify_hosted") == [""], "§1.11"
    name, message = host.errors()[-1]
    assert name == "DomainVerificationRequestError", "§1.11"
    assert message.startswith("Domain verification request failed with"), "§1.11"
    assert host.evaluate("() => chat.dataset.loaded") == "true", "§1.3"


def test_secret_that_never_comes(host: Host, api: Api) -> None:
    """§1.11: a normal composer, no request to the API, and nothing said."""
    host.boot(hosted("() => new Promise(() => {})"), origin=APP)
    host.page.wait_for_timeout(500)
    assert api.requests == [], "§1.11"
    assert (host.errors(), host.editor.is_visible()) == ([], True), "§1.11"


def test_concurrent_needs_share_one_call(host: Host, api: Api) -> None:
    """§3.3: verification, the thread list and a first message wait for one call."""
    api.answer = lambda request: {"json": {"verified": True} if "verify" in request.url else EMPTY_PAGE}
    secret = json.dumps(make_secret())
    answer = f"() => new Promise((resolve) => {{ window.give = () => resolve({secret}); }})"
    host.boot(hosted(answer), origin=APP)
    host.send("hello")
    host.page.wait_for_timeout(200)
    assert (api.requests, arguments(host)) == ([], [None]), "§3.3"
    host.evaluate("() => give()")
    host.wait_until(lambda: len(api.requests) >= 3, "verification, thread list and message")
    assert arguments(host) == [None], "§3.3"


def test_stale_secret_is_renewed_before_use(host: Host, api: Api) -> None:
    """§3.3: 30 s before its expiry a secret is stale: the next request asks for another one with the old one."""
    old, new = make_secret(lasts_s=25), make_secret(lasts_s=600)
    host.boot(hosted(f"(current) => current === null ? {json.dumps(old)} : {json.dumps(new)}"))
    host.wait_until(lambda: bool(api.of("conversation")), "the thread list")
    assert api.bearers("conversation") == [new], "§3.3"
    assert arguments(host) == [None, old], "§3.3"


def test_fresh_secret_is_kept(host: Host, api: Api) -> None:
    """§3.3: a secret that lasts is used again without asking."""
    secret = make_secret(lasts_s=45)
    api.answer = lambda request: {"json": EMPTY_PAGE} if operation_of(request) == "threads.list" else EMPTY_STREAM
    host.boot(hosted(json.dumps(secret)))
    host.send_and_wait("hello")
    assert len(api.of("conversation")) == 2
    assert (set(api.bearers("conversation")), arguments(host)) == ({secret}, [None]), "§3.3"


def test_401_renews_the_secret_once(host: Host, api: Api) -> None:
    """§1.11, §4: a 401 of the backend asks once with the old secret, and repeats the request once."""
    old, new = make_secret(prefix="ek_old"), make_secret(prefix="ek_new")

    def answer(request: Request) -> dict[str, object]:
        is_new = request.headers["authorization"] == f"Bearer {new}"
        return {"json": EMPTY_PAGE} if is_new else {"status": 401, "json": {}}

    api.answer = answer
    host.boot(hosted(f"(current) => current === null ? {json.dumps(old)} : {json.dumps(new)}"))
    host.wait_until(lambda: len(api.requests) >= 2, "the repeat")
    assert api.bearers("conversation") == [old, new], "§4"
    assert arguments(host) == [None, old], "§4"
    assert host.errors() == [], "§1.11"


def test_401_twice_is_the_end(host: Host, api: Api) -> None:
    """§1.11: the repeat is not repeated."""
    api.answer = lambda _request: {"status": 401, "json": {}}
    host.boot(hosted(json.dumps(make_secret())))
    host.wait_until(lambda: len(api.requests) >= 2, "the repeat")
    host.page.wait_for_timeout(400)
    assert (len(api.requests), len(arguments(host))) == (2, 2), "§1.11"
    assert (host.errors(), host.names().count("toast.show")) == ([], 0), "§1.11"


def test_missing_get_client_secret_later(host: Host, api: Api) -> None:
    """§2.5: when the options lose getClientSecret, the next need for a secret is an IntegrationError."""
    old = make_secret(lasts_s=45)
    host.boot(hosted(json.dumps(old)))
    host.wait_until(lambda: bool(api.requests), "the thread list")
    api.answer = lambda _request: {"status": 401, "json": {}}
    host.evaluate("() => chat.setOptions({ api: { url: '/chatkit', domainKey: 'k' } })")
    host.send("hello")
    host.wait_for_event("error")
    message = "Could not refresh the session because ChatKitOptions.api.getClientSecret is not configured."
    assert host.errors() == [("IntegrationError", message)], "§2.5"

"""Domain verification: when it is asked for, with what, and what an answer does. Protocol facts §1.11 and §4."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import BrowserContext

from conformance.client_secrets import EMPTY_PAGE, Api, make_secret
from conformance.host import APP, DEADLINE_MS, Host

ALLOWLIST = "https://platform.openai.com/settings/organization/security/domain-allowlist"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SECRET = make_secret()
HOSTED = f"{{ api: {{ getClientSecret: async () => {json.dumps(SECRET)} }}, disableTelemetry: true }}"
IS_GONE = "() => !chat.shadowRoot.querySelector('.ck-wrapper')"


@pytest.fixture
def api(host: Host) -> Api:
    """The hosted endpoints; every domain is verified unless the test says otherwise."""
    api = Api(host.page.context)
    answers_verification(api, {"json": {"verified": True}})
    return api


def answers_verification(api: Api, answer: dict[str, Any]) -> None:
    """Answer verification this way, and everything else with an empty page."""
    api.answer = lambda request: answer if "domain_keys" in request.url else {"json": EMPTY_PAGE}


def custom(url: str = "/chatkit") -> str:
    """Return options for custom mode at a URL."""
    return f"{{ api: {{ url: '{url}', domainKey: 'domain_pk_test_app' }}, disableTelemetry: true }}"


# An origin, the options, and whether it is verified.
ORIGINS = (
    pytest.param("{local}", HOSTED, False, id="hosted-127.x"),
    pytest.param("http://localhost:{port}", HOSTED, False, id="hosted-localhost"),
    pytest.param("https://shop.local", HOSTED, False, id="hosted-.local"),
    pytest.param("https://app.test:8443", HOSTED, False, id="hosted-other-port"),
    pytest.param("https://app.test", HOSTED, True, id="hosted-production"),
    pytest.param("https://local.test", HOSTED, True, id="hosted-looks-local"),
    pytest.param("https://app.test", custom("/chatkit"), True, id="custom-production"),
    pytest.param("https://app.test", custom("https://api.shop.test/chatkit"), True, id="custom-other-host"),
    pytest.param("https://app.test", custom("{local}/chatkit"), False, id="custom-http-api"),
    pytest.param("https://app.test", custom("https://localhost/chatkit"), False, id="custom-local-api"),
    pytest.param("https://app.test", custom("https://api.shop.test:8443/chatkit"), False, id="custom-api-port"),
    pytest.param("{local}", custom("https://api.shop.test/chatkit"), False, id="custom-development"),
)


@pytest.mark.parametrize(("origin", "options", "is_verified"), ORIGINS)
def test_origins_that_are_verified(
    host: Host, api: Api, context: BrowserContext, origin: str, options: str, is_verified: bool
) -> None:
    """§4: development origins, and custom backends that cannot be in production, are skipped with a warning."""
    local = host.server.url
    origin = origin.format(local=local, port=local.rpartition(":")[2])
    to_host = re.compile(
        r"^https://(?:app\.test:8443|shop\.local|local\.test|localhost|api\.shop\.test(?::\d+)?)/(.*)$"
    )
    context.route(
        to_host, lambda route: route.continue_(url=to_host.sub(rf"{host.server.tls_url}/\1", route.request.url))
    )
    host.boot(options.replace("{local}", local), origin=origin)
    skipped = f"Domain verification skipped for {origin} - this check is required in production."
    asked = lambda: [r for r in api.requests if "domain_keys" in r.url]  # noqa: E731 (one expression)
    host.wait_until(lambda: bool(asked() or host.texts("warning")), "a decision")
    host.page.wait_for_timeout(100)
    assert bool(asked()) is is_verified, "§4"
    assert any(text.startswith(skipped) for text in host.texts("warning")) is not is_verified, "§4"
    assert host.evaluate(IS_GONE) is False, "§4"


def test_hosted_verification_request(host: Host, api: Api) -> None:
    """§4: one POST with the secret, the ids and the host's origin; the answer gates nothing."""
    host.boot(HOSTED, origin=APP)
    host.wait_until(lambda: bool(api.of("domain_keys/verify_hosted")), "verification")
    (request,) = api.of("domain_keys/verify_hosted")
    headers = request.headers
    assert (request.method, request.post_data_json) == ("POST", {"referrer_origin": APP}), "§4"
    assert (headers["authorization"], headers["content-type"]) == (f"Bearer {SECRET}", "application/json"), "§4"
    assert UUID.fullmatch(headers["chatkit-device-id"]), "§4"
    assert UUID.fullmatch(headers["chatkit-frame-instance-id"]), "§4"
    assert request.frame == host.frame, "§4 not sent by the frame"
    host.wait_until(lambda: bool(api.of("conversation")), "the thread list")
    sent = api.of("conversation")[0].headers
    same = ("authorization", "chatkit-device-id", "chatkit-frame-instance-id")
    assert {name: sent[name] for name in same} == {name: headers[name] for name in same}, "§4"


def test_custom_verification_request(host: Host, api: Api) -> None:
    """§4: custom mode sends the domain key to another endpoint, and no authorization."""
    host.boot(custom(), origin=APP)
    host.wait_until(lambda: bool(api.requests), "verification")
    (request,) = api.requests
    assert request.url == "https://api.openai.com/v1/chatkit/domain_keys/verify", "§4"
    assert request.post_data_json == {"referrer_origin": APP, "domain_key": "domain_pk_test_app"}, "§4"
    assert "authorization" not in request.headers, "§4"
    assert UUID.fullmatch(request.headers["chatkit-frame-instance-id"]), "§4"


NOT_VERIFIED = f"Domain verification failed for {APP}. Please register your domain at {ALLOWLIST}."
NOT_ASKED = "Domain verification request failed with "

# The answer, the error's name and the start of its message, and how often verification was asked for.
ANSWERS = (
    pytest.param({"json": {"verified": False}}, "IntegrationError", NOT_VERIFIED, 1, id="200-false"),
    pytest.param({"status": 400, "json": {}}, "IntegrationError", NOT_VERIFIED, 1, id="400"),
    pytest.param({"status": 404, "json": {}}, "IntegrationError", NOT_VERIFIED, 1, id="404"),
    pytest.param({"status": 401, "json": {}}, "DomainVerificationRequestError", NOT_ASKED, 1, id="401"),
    pytest.param({"status": 403, "json": {}}, "DomainVerificationRequestError", NOT_ASKED, 1, id="403"),
    pytest.param({"status": 503, "json": {}}, "DomainVerificationRequestError", NOT_ASKED, 2, id="503"),
    pytest.param({"abort": True}, "DomainVerificationRequestError", "Failed to fetch", 2, id="network"),
)


@pytest.mark.parametrize(("answer", "name", "message", "count"), ANSWERS)
@pytest.mark.parametrize("options", [pytest.param(HOSTED, id="hosted"), pytest.param(custom(), id="custom")])
def test_answers_that_remove_the_widget(
    host: Host, api: Api, browser_name: str, options: str, answer: dict[str, Any], name: str, message: str, count: int
) -> None:
    """§1.11: no, or no answer: one error and `unmount`; only a 5xx and a failed request are tried once more."""
    answers_verification(api, answer)
    host.mount(options, origin=APP)
    host.wait_for(IS_GONE)
    assert host.errors()[-1][0] == name, "§1.11"
    if message != "Failed to fetch" or browser_name == "chromium":  # engines word it differently
        assert host.errors()[-1][1].startswith(message), "§1.11"
    assert len([request for request in api.requests if "domain_keys" in request.url]) == count, "§1.11"
    assert "unmount" in [message.get("event") for message in host.messages], "§2.6"
    children = "() => [...chat.shadowRoot.children].map((node) => node.tagName)"
    assert host.evaluate(children) == ["STYLE"], "§1.3"
    assert host.evaluate("() => chat.dataset.loaded") == "true", "§1.3"
    is_uncaught = any(error.endswith(NOT_VERIFIED) for error in host.page_errors)
    assert is_uncaught is (name == "IntegrationError"), "§2.6"


def test_a_second_try_can_save_the_widget(host: Host, api: Api) -> None:
    """§1.11: after one 5xx the repeat decides."""
    answers = [{"status": 500, "json": {}}, {"json": {"verified": True}}]
    api.answer = lambda request: answers.pop(0) if "domain_keys" in request.url else {"json": EMPTY_PAGE}
    host.boot(HOSTED, origin=APP)
    host.wait_until(lambda: not answers, "the repeat")
    host.page.wait_for_timeout(300)
    assert (host.errors(), host.evaluate(IS_GONE)) == ([], False), "§1.11"


def test_local_warning(host: Host, api: Api) -> None:
    """§1.11: `dev_local_warning` is a console warning, and nothing else."""
    answers_verification(api, {"json": {"verified": True, "dev_local_warning": "Not on the allowlist."}})
    host.boot(HOSTED, origin=APP)
    host.wait_until(lambda: bool(host.texts("warning")), "the warning")
    assert "Not on the allowlist." in host.texts("warning")[-1], "§1.11"
    assert (host.errors(), host.evaluate(IS_GONE)) == ([], False), "§1.11"


def test_verification_times_out(host: Host, api: Api) -> None:
    """§1.11: without an answer the widget is removed after ten seconds."""
    answers_verification(api, {})
    host.boot(HOSTED, origin=APP)
    host.page.wait_for_function(IS_GONE, timeout=DEADLINE_MS)
    assert host.errors()[-1] == ("DomainVerificationRequestError", "Domain verification request timed out"), "§1.11"
    assert "unmount" in [message.get("event") for message in host.messages], "§2.6"

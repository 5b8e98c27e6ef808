"""In a browser whose requests are routed here, each of OpenAI's hosts is still itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.servers.network_path import serve_network_path
from harness.servers.scenarios import scenario_named
from harness.servers.server import Stack
from harness.visit.opening import context_options, destinations_of

ASK = """async ([host, secret]) => {
  const response = await fetch(`https://${host}/v1/chatkit/conversation`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${secret}` },
    body: JSON.stringify({ type: 'threads.list', params: {} }),
  });
  const body = await response.json();
  return [response.status, response.url, body.error?.message ?? ''];
}"""


@pytest.mark.parametrize(
    ("key", "workflow", "right_hosts"),
    [
        ("sk-test-topic-project", "wf_test_topic_generation", {"api.openai.com", "us.api.openai.com"}),
        ("sk-test-europe-project", "wf_test_europe_helpdesk", {"eu.api.openai.com"}),
    ],
)
def test_secret_is_good_on_the_hosts_of_its_region(
    new_context: Any, chatkit_stack: Any, chatkit_config: Any, key: str, workflow: str, right_hosts: set[str]
) -> None:
    """The page sees the host that it asked, and is refused by the others with the right one's name."""
    stack: Stack = chatkit_stack()
    stack.use(replace(scenario_named("healthy"), api_key=key))
    with serve_network_path(destinations_of(stack)) as path:
        context = new_context(**context_options(chatkit_config, "hermetic", proxy_url=path.url))
        page = context.new_page()
        page.goto(f"{stack.app_url}/health")
        request = {"method": "POST", "body": f'{{"workflow_id": "{workflow}"}}'}
        session = page.evaluate("(r) => fetch('/api/chatkit/session', r).then((answer) => answer.json())", request)
        for host in ("api.openai.com", "us.api.openai.com", "eu.api.openai.com"):
            status, url, message = page.evaluate(ASK, [host, session["client_secret"]])
            assert url == f"https://{host}/v1/chatkit/conversation"
            assert status == (200 if host in right_hosts else 401)
            assert ("Please make your request to" in message) is (host not in right_hosts)

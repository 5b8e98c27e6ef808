"""A backend of another origin that refuses a CORS pre-flight is red in a hermetic visit, and named, as in any browser; so is one that is
not on this machine, in its replay too."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.config.reading import Config
from harness.model.events import RequestBlocked
from harness.servers.scenarios import scenario_named
from harness.servers.server import Stack
from harness.visit.opening import open_visit
from harness.visit.target import Keep, target_of
from harness.visit.visit import Visit
from tests.commands import run_command

CHATKIT = """<!doctype html><title>chat</title>
<script src="https://cdn.platform.openai.com/deployments/chatkit/chatkit.js"></script>
<openai-chatkit style="display: block; width: 400px; height: 500px"></openai-chatkit>
<script type="module">
await customElements.whenDefined('openai-chatkit');
const given = { method: 'PUT', credentials: 'include', headers: { 'content-type': 'application/json', 'x-app': '1' } };
document.querySelector('openai-chatkit').setOptions({ api: API });
</script>"""
HOSTED = "{ getClientSecret: async () => (await (await fetch('BACKEND/session', given)).json()).client_secret }"
CUSTOM = (
    "{ url: 'BACKEND/chatkit', domainKey: 'domain_pk_test_app', fetch: (url, init) => fetch(url, "
    "{ ...init, method: 'PUT', credentials: 'include', headers: { ...init.headers, 'x-app': '1' } }) }"
)
ALLOWED = {
    "access-control-allow-origin": "ORIGIN",
    "access-control-allow-credentials": "true",
    "access-control-allow-methods": "PUT",
    "access-control-allow-headers": "*",
}
# What the answer to the pre-flight lacks.
REFUSALS = {
    "origin": {"access-control-allow-origin": "https://elsewhere.test"},
    "method": {"access-control-allow-methods": "GET"},
    "header": {"access-control-allow-headers": "content-type"},
    "credentials": {"access-control-allow-origin": "*"},
    "everything": dict.fromkeys(ALLOWED, ""),
}


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """Yield the URL of a server on loopback that answers every request so."""

    class Handler(BaseHTTPRequestHandler):
        do_GET = do_PUT = do_OPTIONS = lambda self: answer(self)  # noqa: N815 (the names of http.server)

        def log_message(self, *_given: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
    """Send one answer."""
    handler.send_response(status)
    for name, value in {**headers, "content-length": str(len(body))}.items():
        if value:
            handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


EVERY_RUN = (("hosted", ""), ("hosted", "header"), ("custom", "origin"))
WAYS = [(mode, refused) for mode in ("hosted", "custom") for refused in ("", *REFUSALS)]


@pytest.mark.parametrize(
    ("mode", "refused"), [way if way in EVERY_RUN else pytest.param(*way, marks=pytest.mark.soak) for way in WAYS]
)
def test_a_refused_preflight_is_red_and_named(
    mode: str,
    refused: str,
    chatkit_config: Config,
    chatkit_stack: Callable[[], Stack],
    new_context: Callable[..., Any],
    output_path: str,
) -> None:
    """With nothing refused the widget mounts."""
    stack = chatkit_stack()
    stack.use(scenario_named("healthy"))
    origin: list[str] = []

    def backend(handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        headers = ALLOWED | {"access-control-allow-origin": origin[0]}
        if handler.command == "OPTIONS":
            headers["access-control-allow-headers"] = handler.headers["access-control-request-headers"]
            send(handler, 204, b"", headers | REFUSALS.get(refused, {}))
        elif handler.path == "/session":
            made = httpx.post(f"{stack.app_url}/api/chatkit/session", json={"workflow_id": "wf_test_topic_generation"})
            send(handler, 200, made.content, headers | {"content-type": "application/json"})
        else:
            done = httpx.post(f"{stack.app_url}/chatkit", content=body)
            send(handler, done.status_code, done.content, headers | {"content-type": done.headers["content-type"]})

    with serving(backend) as url:
        page = CHATKIT.replace("API", HOSTED if mode == "hosted" else CUSTOM).replace("BACKEND", url).encode()
        with serving(lambda handler: send(handler, 200, page, {"content-type": "text/html"})) as own:
            origin.append(own)
            target = replace(target_of(chatkit_config.project_at(f"{own}/")), network="hermetic", prefetch="allowed")
            keep = Keep(screenshot="off")
            with open_visit(
                new_context, target, Path(output_path), config=chatkit_config, keep=keep, stack=stack
            ) as visit:
                visit.open()
                result = visit.wait_until_decided()
    if not refused:
        assert result.is_mounted, result.explanation
    else:
        assert result.cause is not None, result.explanation
        expected = "session-blocked-by-cors" if mode == "hosted" else "custom-backend-blocked-by-cors"
        assert (result.is_mounted, result.cause.rule) == (False, expected)


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_an_endpoint_elsewhere_is_named_in_the_visit_and_in_its_replay(
    scheme: str,
    chatkit_config: Config,
    chatkit_stack: Callable[[], Stack],
    new_context: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """The run kept it on this machine, and the replay does so again."""
    stack = chatkit_stack()
    stack.use(scenario_named("healthy"))
    page = CHATKIT.replace("API", HOSTED).replace("BACKEND", f"{scheme}://elsewhere.test").encode()
    with serving(lambda handler: send(handler, 200, page, {"content-type": "text/html"})) as own:
        target = replace(target_of(chatkit_config.project_at(f"{own}/")), network="hermetic", prefetch="allowed")
        keep = Keep(screenshot="off", bodies="on")
        folder = tmp_path / "bundle"
        with open_visit(new_context, target, folder, config=chatkit_config, keep=keep, stack=stack) as visit:
            visit.open()
            result = visit.wait_until_decided()
    assert result.cause is not None, result.explanation
    assert result.cause.rule == "session-kept-on-machine"
    assert {evidence.split("//")[1][:14] for evidence in blocked(visit)} == {"elsewhere.test"}
    done = run_command("repro", str(folder), "--json", cwd=tmp_path)
    told = json.loads(done.stdout)["comparison"]["sentence"]
    assert (done.returncode, told) == (0, "reproduced: same verdict, same cause"), done.stdout


def blocked(visit: Visit) -> list[str]:
    """Return the URLs that a visit kept on this machine."""
    return [entry.event.url for entry in visit.embed.timeline.entries if isinstance(entry.event, RequestBlocked)]

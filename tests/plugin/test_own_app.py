"""A project with a page and a backend of its own, hermetic: nothing of it is ours, and nothing leaves the machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.commands import TIMEOUT_S, clean_environ

BACKEND = '''
"""A backend as the ChatKit starter app has it: a page, and POST /api/create-session."""
import json
import os
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = b"""<!doctype html><title>Mine</title>
<script src="https://cdn.platform.openai.com/deployments/chatkit/chatkit.js" async></script>
<div id="chat" style="height: 500px"></div>
<script type="module">
  const answer = await fetch('/api/create-session', { method: 'POST' });
  const { client_secret } = await answer.json();
  await customElements.whenDefined('openai-chatkit');
  const element = document.createElement('openai-chatkit');
  element.setOptions({ api: { getClientSecret: async () => client_secret } });
  document.getElementById('chat').append(element);
</script>"""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer("text/html", PAGE)

    def do_POST(self):
        request = urllib.request.Request(
            os.environ["CHATKIT_API_BASE"] + "/v1/chatkit/sessions",
            data=json.dumps({"workflow": {"id": "wf_mine"}, "user": "me"}).encode(),
            headers={
                "content-type": "application/json",
                "openai-beta": "chatkit_beta=v1",
                "authorization": "Bearer " + os.environ["OPENAI_API_KEY"],
            },
        )
        with urllib.request.urlopen(request) as response:
            session = json.load(response)
        self.answer("application/json", json.dumps({"client_secret": session["client_secret"]}).encode())

    def answer(self, media_type, body):
        self.send_response(200)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
'''
TEST = """
from harness import expect


def test_it_mounts_and_answers(chatkit):
    embed = chatkit.open()
    expect(embed).to_be_mounted()
    expect(embed).to_have_prefetched_client_secret()
    assert "hello" in embed.send("hello").text


def test_it_mounts_again(chatkit):
    expect(chatkit.open()).to_be_mounted()
"""


def test_own_page_with_own_backend_mounts_hermetically(tmp_path: Path, free_tcp_port: int) -> None:
    """The page's SDK and the backend's API calls are answered on this machine, with any key and any workflow; in parallel, too."""
    tmp_path.joinpath("backend.py").write_text(BACKEND, encoding="utf-8")
    tmp_path.joinpath("test_it.py").write_text(TEST, encoding="utf-8")
    command = f"{sys.executable} backend.py {free_tcp_port}"
    config = f'[projects.app]\nweb_server = {{ command = "{command}", url = "http://127.0.0.1:{free_tcp_port}" }}\n'
    tmp_path.joinpath("playwright.config.toml").write_text(config, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2"],
        cwd=tmp_path,
        env=clean_environ() | {"OPENAI_API_KEY": "sk-test-of-my-own"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr

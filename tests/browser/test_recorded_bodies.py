"""What a page needs is in its recording: large scripts, data that is no text, and sockets that stay open. What is not there is named."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from harness.analysis.replay.comparison import compared
from harness.model.events import ConsoleMessage, Navigated, SocketEnded, SocketOpened
from harness.model.redaction import Redactor
from harness.model.timeline import read_timeline
from harness.observe import network
from harness.report.recordings import opened_recording, pack
from harness.servers.replay import FAST
from harness.visit.browser import opened
from harness.visit.replay import Replayed, replayed
from harness.visit.target import Keep, keep_of, target_of
from tests.commands import run_command
from tests.recorded import plain_config

TOKEN = "v1te4T0kenXq9"
WASM = b"\0asm\x01\0\0\0" + bytes(range(256))
SCRIPT = "/* " + "a comment of a bundler, " * 130_000 + " */ window.ran = 'whole';"  # 3 MB
PAGE = f"""<!doctype html><title>an app</title><link rel="icon" href="data:,"><p>app</p><script src="/app.js"></script><script>
fetch('/module.wasm').then((answer) => answer.arrayBuffer()).then((content) => {{ window.size = content.byteLength; }});
const socket = new WebSocket(`ws://${{location.host}}/hot?token={TOKEN}`);
socket.binaryType = 'arraybuffer';
socket.onmessage = ({{ data }}) => {{ if (data.byteLength) window.bytes = [...new Uint8Array(data)]; else window.heard = data; }};
socket.onclose = socket.onerror = () => {{ console.error('the server is gone'); location.reload(); }};
</script>"""


class Site(BaseHTTPRequestHandler):
    """A small development server: a page, what it needs, and a socket that says a text and some bytes, and stays open."""

    protocol_version = "HTTP/1.1"
    script = SCRIPT

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer."""
        match self.path.split("?")[0]:
            case "/":
                self._send(PAGE.encode(), "text/html")
            case "/app.js":
                self._send(self.script.encode(), "text/javascript")
            case "/module.wasm":
                self._send(WASM, "application/wasm")
            case "/hot":
                self._hold()
            case _:
                self.send_error(404)

    def _send(self, content: bytes, media_type: str) -> None:
        self.send_response(200)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _hold(self) -> None:
        """RFC 6455: a handshake, one text, some bytes, and then whatever comes until the browser is gone."""
        key = self.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("upgrade", "websocket")
        self.send_header("connection", "Upgrade")
        self.send_header("sec-websocket-accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        text = json.dumps({"type": "connected"}).encode()
        self.wfile.write(bytes([0x81, len(text)]) + text + bytes([0x82, 3]) + b"\xff\0\x01")
        while self.rfile.read(1):
            pass
        self.close_connection = True


@contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve until the block ends; then nothing listens there."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def record(browser: Browser, folder: Path, handler: type[BaseHTTPRequestHandler] = Site) -> None:
    """Record a visit of the site. It has no chat, so that the verdict is soon there."""
    config = plain_config(folder)
    with served(handler) as url:
        target = target_of(config.project_at(url), entry="page")
        target = replace(target, limits=replace(target.limits, mount_timeout_ms=4_000))
        keep = keep_of(config.use, bodies="on")
        with opened(browser, target, folder, config=config, keep=keep, redactor=Redactor()) as visit:
            visit.open()
            if handler is Site:
                visit.page.wait_for_function("window.ran && window.size && window.heard && window.bytes")
            visit.wait_until_decided()


def again(browser: Browser, path: Path, folder: Path, **more: Any) -> Replayed:
    """Replay it, with nobody to answer but the recording."""
    with opened_recording(path) as (recording, _):
        return replayed(
            browser, recording, folder, config=plain_config(folder), timing=FAST, keep=Keep(screenshot="off"), **more
        )


@pytest.fixture(scope="module")
def bundle(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording of the site, whose server is gone."""
    folder = tmp_path_factory.mktemp("site") / "bundle"
    record(browser, folder)
    return folder


def events_of(folder: Path) -> list[Any]:
    """Return the events of a bundle's timeline."""
    lines = (folder / "timeline.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry.event for entry in read_timeline(lines)]


def test_bodies_are_files_named_by_their_hash(bundle: Path) -> None:
    """Whole ones; small texts stand in the HAR."""
    found = {path.name: path.read_bytes() for path in (bundle / "bodies").iterdir()}
    assert sorted(found.values(), key=len) == [WASM, SCRIPT.encode()]
    assert all(name.split(".")[0] == hashlib.sha256(content).hexdigest() for name, content in found.items())
    assert {Path(name).suffix for name in found} == {".wasm", ".js"}
    har = json.loads((bundle / "network.har").read_text(encoding="utf-8"))
    contents = {entry["request"]["url"][-6:]: entry["response"]["content"] for entry in har["log"]["entries"]}
    assert f"bodies/{hashlib.sha256(SCRIPT.encode()).hexdigest()}.js" == contents["app.js"]["_file"]
    assert len(json.dumps(har)) < 20_000


@pytest.mark.parametrize("is_packed", [False, True], ids=["a folder", "a zip"])
def test_a_page_finds_in_a_replay_what_it_found_in_its_server(
    browser: Browser, bundle: Path, tmp_path: Path, is_packed: bool
) -> None:
    """The large script, the module, and the socket with what its server said; no error, and no reload."""
    path = pack(bundle, tmp_path / "sent.zip") if is_packed else bundle
    seen: dict[str, Any] = {}

    def ask(visit: Any) -> None:
        visit.page.wait_for_function("window.ran && window.size && window.heard && window.bytes")
        seen.update(visit.page.evaluate("({ran, size, heard, bytes, state: socket.readyState})"))

    found = again(browser, path, tmp_path / "again", on_end=ask)
    assert seen == {
        "ran": "whole",
        "size": len(WASM),
        "heard": '{"type": "connected"}',
        "bytes": [255, 0, 1],
        "state": 1,
    }
    assert (found.misses, found.lacks) == ((), ())
    events = events_of(tmp_path / "again")
    assert [e.text for e in events if isinstance(e, ConsoleMessage) and e.level == "error"] == []
    assert len([e for e in events if isinstance(e, Navigated)]) == len(
        [e for e in events_of(bundle) if isinstance(e, Navigated)]
    )


def test_a_socket_is_in_the_timeline_without_its_token(bundle: Path) -> None:
    """It stands in the page too, and in its address; nowhere in what is kept."""
    [opened_one] = [e for e in events_of(bundle) if isinstance(e, SocketOpened)]
    assert opened_one.url.startswith("ws://127.0.0.1")
    assert "token=<redacted:token:1>" in opened_one.url
    assert not any(isinstance(e, SocketEnded) and e.error_text for e in events_of(bundle))
    assert not any(TOKEN.encode() in path.read_bytes() for path in bundle.rglob("*") if path.is_file())


class Huge(Site):
    """Its script is larger than what is kept of one."""

    script = ""

    def do_GET(self) -> None:
        """Answer; of the script say only how large it is, and begin to send it."""
        if self.path != "/app.js":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("content-type", "text/javascript")
        self.send_header("content-length", str(33_000_000))
        self.end_headers()
        self.wfile.write(b"window.ran = 'whole';" + b" " * (33_000_000 - 21))


def test_what_is_too_large_is_named_and_the_page_is_not_judged_without_it(browser: Browser, tmp_path: Path) -> None:
    """In the recording's report, and by `repro`, with a code of its own."""
    folder = tmp_path / "huge"
    record(browser, folder, Huge)
    lack = "/app.js is missing: larger than 32000000 bytes"
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert [what.endswith(lack) for what in manifest["missing"]] == [True]
    assert "Cannot be replayed exactly: the body of GET" in (folder / "error-context.md").read_text(encoding="utf-8")
    found = again(browser, folder, tmp_path / "again")
    with opened_recording(folder) as (recording, _):
        told = compared(recording.judged, found.result, lacks=found.lacks)
    assert told.is_possible is False
    done = run_command("repro", str(folder), cwd=tmp_path)
    assert done.returncode == 11, done.stdout + done.stderr
    assert "cannot be reproduced: the body of GET" in done.stdout
    assert lack in done.stdout


class Endless(Site):
    """A page whose frame never answers the browser any more."""

    def do_GET(self) -> None:
        """Answer with a page that hangs."""
        if self.path == "/":
            self._send(b"<!doctype html><script>setTimeout(() => { for (;;); }, 500)</script>", "text/html")
        else:
            self.send_error(404)


def test_a_page_that_hangs_hands_over_nothing_and_ends(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bodies are awaited no longer than the time of silence."""
    monkeypatch.setattr(network, "JUDGED_SILENCE_S", 1.0)
    monkeypatch.setattr(network, "SILENCE_S", 1.0)
    record(browser, tmp_path / "hangs", Endless)
    manifest = json.loads((tmp_path / "hangs" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["judged"]["outcome"] != "mounted"


def test_a_recording_is_replayed_once_before_it_is_said_to_be_done(tmp_path: Path) -> None:
    """With its verdict, whatever that is; the replay leaves nothing behind."""
    with served(Site) as url:
        done = run_command("record", url, "--out", "sent.zip", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "  verified:  reproduced: same verdict, same cause" in done.stdout
    assert not list((tmp_path / "test-results").glob("run-*/verify"))


def test_a_recording_that_cannot_be_replayed_is_said_to_be_none(tmp_path: Path) -> None:
    """Exit code 11, unless nobody wants to know."""
    with served(Huge) as url:
        done = run_command("record", url, cwd=tmp_path)
        assert done.returncode == 11, done.stdout + done.stderr
        assert "  verified:  cannot be reproduced: the body of GET" in done.stdout
        assert list((tmp_path / "test-results").glob("run-*/verify/manifest.json"))
        done = run_command("record", url, "--no-verify", cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "verified" not in done.stdout

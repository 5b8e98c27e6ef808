"""Certificate authorities of one's own, for everything that asks a server: `--ca`, `SSL_CERT_FILE`, and files that are none."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import trustme

from harness.config.authorities import trusted
from harness.drive.notify import post_json
from harness.drive.sdk_download import pull
from harness.errors import ConfigError, EnvironmentFailure
from harness.model.hops import Failure, Hop, HopKind
from harness.model.redaction import Redactor
from harness.observe.http_probe import Asker, Question
from harness.servers.live import passed_to
from tests.commands import TIMEOUT_S, run_command
from tests.plugin.test_sdk import SITE
from tests.site import Answer, serve_site


@dataclass(frozen=True, slots=True, kw_only=True)
class Private:
    """A site whose certificate a private authority signed."""

    url: str
    ca: Path


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Private]:
    """The smallest SDK, and an address that accepts notices."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    ca = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    with serve_site({**SITE, "/notice": Answer(body=b"ok")}, tls=context) as url:
        yield Private(url=url, ca=ca)


@pytest.fixture(autouse=True)
def public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's own authorities, to begin with."""
    for name in ("CHATKIT_HARNESS_CA", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


def asked_preflight(url: str, environ: dict[str, str]) -> Failure | None:
    """Return what failed when preflight's asker asks a URL."""
    asker = Asker(redactor=Redactor(), environ=environ, limit_ms=20_000)
    return asker.ask(Question(hop=Hop(number=1, kind=HopKind.PAGE, name="page", url=f"{url}/notice"))).hop.failure


def asked_live(url: str) -> int:
    """Return the status of what a replay takes from its real server."""

    async def ask() -> int:
        transport = httpx.ASGITransport(app=passed_to(f"{url}/notice"))
        async with httpx.AsyncClient(transport=transport, base_url="http://here", timeout=TIMEOUT_S) as client:
            return (await client.get("/")).status_code

    return asyncio.run(ask())


@pytest.mark.parametrize("variable", ["CHATKIT_HARNESS_CA", "SSL_CERT_FILE"])
def test_an_authority_of_ones_own_holds_everywhere(
    private: Private, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Pull, preflight, notices, and the live part of a replay; on this machine, too."""
    with pytest.raises(EnvironmentFailure, match=r"CERTIFICATE_VERIFY_FAILED(.|\n)*to fix: .*--ca FILE"):
        pull(private.url)
    assert asked_preflight(private.url, {}) is Failure.CERTIFICATE
    assert "cannot be reached" in post_json(f"{private.url}/notice", {}, timeout_s=20)
    assert asked_live(private.url) == 502

    monkeypatch.setenv(variable, str(private.ca))
    assert len(pull(private.url).contents) == len(SITE)
    assert not asked_preflight(private.url, {variable: str(private.ca)})
    assert post_json(f"{private.url}/notice", {}, timeout_s=20) == ""
    assert asked_live(private.url) == 200


def test_an_own_authority_is_one_more(private: Private) -> None:
    """`--ca` adds to the public ones; `SSL_CERT_FILE` is in their place, as everywhere else."""
    public, own = trusted({}), trusted({"CHATKIT_HARNESS_CA": str(private.ca)})
    assert len(own.get_ca_certs()) == len(public.get_ca_certs()) + 1 > 50
    assert len(trusted({"SSL_CERT_FILE": str(private.ca)}).get_ca_certs()) == 1
    assert own.verify_mode is ssl.CERT_REQUIRED
    assert own.check_hostname


NONE = {
    "nowhere": (None, "No such file"),
    "a folder": (b"", "Is a directory"),
    "text": (b"hello", "it contains no certificate"),
    "cut off": (b"-----BEGIN CERTIFICATE-----\nMIIB", "its certificate cannot be read"),
}


@pytest.mark.parametrize("name", NONE)
@pytest.mark.parametrize("variable", ["CHATKIT_HARNESS_CA", "SSL_CERT_FILE"])
def test_a_file_that_is_no_authority_is_named(tmp_path: Path, name: str, variable: str) -> None:
    """What names it, the file, what is wrong, and what to do."""
    content, told = NONE[name]
    file = tmp_path / "ca.pem"
    if name == "a folder":
        file.mkdir()
    elif content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"{variable}.*ca\.pem: .*{told}(.|\n)*to fix"):
        trusted({variable: str(file)})


@pytest.mark.parametrize(
    "command",
    ["check http://127.0.0.1:9", "gate", "preflight", "smoke", "record http://127.0.0.1:9", "repro x", "sdk pull", "sdk diff"],
)  # fmt: skip
def test_every_command_that_asks_servers_refuses_a_file_that_is_none(tmp_path: Path, command: str) -> None:
    """One sentence, exit code 4, before anything else."""
    (tmp_path / "ca.pem").write_text("hello")
    done = run_command(*command.split(), "--ca", "ca.pem", cwd=tmp_path)
    assert done.returncode == 4, done.stdout + done.stderr
    assert "--ca (CHATKIT_HARNESS_CA) is not a certificate authority" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ca.pem"]


def test_a_command_trusts_what_it_is_told_to(private: Private, tmp_path: Path) -> None:
    """`sdk pull --ca` from the shell, with a relative path."""
    (tmp_path / "own.pem").write_bytes(private.ca.read_bytes())
    asked = ("sdk", "pull", "--no-mount", "--from", private.url, "--out", "sdk")
    assert run_command(*asked, cwd=tmp_path).returncode == 13
    done = run_command(*asked, "--ca", "own.pem", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr

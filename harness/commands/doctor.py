"""The command `doctor`: checks this machine, and says how to fix each problem.

In: the configuration, or its error. Out: a line for each check on a console, and an exit code.
"""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import trustme
from rich.console import Console

from harness.commands.install import description_of, launch, say
from harness.config.reading import Config
from harness.drive.browsers import BIDI_FIREFOX
from harness.errors import ConfigError, EnvironmentFailure

ENGINES = ("chromium", "firefox", "webkit")
BIDI_HINT = "an installed Firefox works only for live pages and repro, with playwright 1.60 to 1.64 (not 1.65)"
FREE_BYTES = 500_000_000
LINE_BREAK = "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the doctor's table."""

    name: str
    is_good: bool
    found: str
    fix: str = ""
    is_required: bool = True  # a run needs it; an engine that is not configured is not required required


def run_doctor(console: Console, config: Config | ConfigError, environ: Mapping[str, str] = os.environ) -> int:
    """Return 0 when this machine is ready for a run, otherwise 13. Prints one line for each check, and a fix for each failed one.

    An unreadable configuration is a failed check, so the error itself may be passed.
    """
    checks = []
    for check in _checks(config, environ):
        checks.append(check)
        sign = "ok" if check.is_good else "FAIL" if check.is_required else "-"
        say(console, f"{sign:5} {check.name:22} {check.found.replace(LINE_BREAK, LINE_BREAK + ' ' * 29)}")
        if not check.is_good:
            say(console, f"{'':28} to fix: {check.fix}")
    is_well = all(check.is_good for check in checks if check.is_required)
    say(console, "ready" if is_well else "not ready: see the lines with FAIL")
    return 0 if is_well else EnvironmentFailure.exit_code


def _checks(config: Config | ConfigError, environ: Mapping[str, str]) -> Iterator[Check]:
    yield Check(
        name="Python",
        is_good=sys.version_info >= (3, 11),
        found=".".join(str(part) for part in sys.version_info[:3]),
        fix="use Python 3.11 or newer",
    )
    for package in ("playwright", "pytest", "pytest-playwright"):
        yield _package(package)
    configured = "chromium" if isinstance(config, ConfigError) else config.use.browser
    for engine in ENGINES:
        named = "" if isinstance(config, ConfigError) or engine != configured else config.use.executable_path
        yield _engine(engine, named, environ, is_required=engine == configured)
    yield _loopback()
    if isinstance(config, ConfigError):
        yield Check(name="configuration", is_good=False, found=str(config), fix="see the message")
        return
    yield Check(name="configuration", is_good=True, found=config.where)
    yield _output_dir(config.output_dir)
    yield _disk(config.output_dir)


def _package(name: str) -> Check:
    try:
        return Check(name=name, is_good=True, found=version(name))
    except PackageNotFoundError:
        return Check(name=name, is_good=False, found="not installed", fix=f"pip install {name}")


def _engine(name: str, executable_path: str, environ: Mapping[str, str], *, is_required: bool) -> Check:
    tried = launch(name, executable_path, environ)
    is_bidi = tried.choice is not None and tried.choice.channel == BIDI_FIREFOX
    found = description_of(tried) if tried.version else ": ".join(filter(None, (description_of(tried), tried.trouble)))
    fix = f"chatkit-harness install --browser {name}" + (f"; {BIDI_HINT}" if name == "firefox" else "")
    return Check(
        name=f"{name}, configured" if is_required else name,
        is_good=bool(tried.version),
        found=f"{found}; {BIDI_HINT}" if is_bidi and tried.version else found,
        fix="correct use.executable_path" if executable_path else fix,
        is_required=is_required,
    )


def _loopback() -> Check:
    try:
        protocol = _tls_handshake()
    except OSError as error:  # ssl.SSLError is one
        return Check(name="TLS on loopback", is_good=False, found=str(error), fix="allow servers on 127.0.0.1")
    return Check(name="TLS on loopback", is_good=True, found=f"{protocol} on 127.0.0.1")


def _tls_handshake() -> str:
    """Return the protocol that a client and a server on loopback negotiate. Raises OSError when they cannot."""
    authority = trustme.CA()
    served, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(served)
    authority.configure_trust(client)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        answering = threading.Thread(target=_answer_once, args=(server, served), daemon=True)
        answering.start()
        with (
            socket.create_connection(server.getsockname(), timeout=5) as plain,
            client.wrap_socket(plain, server_hostname="localhost") as secured,
        ):
            protocol = secured.version() or "TLS"
        answering.join(timeout=5)
    return protocol


def _answer_once(server: socket.socket, context: ssl.SSLContext) -> None:
    try:
        connection, _ = server.accept()
        with connection, context.wrap_socket(connection, server_side=True):
            pass
    except OSError:
        pass  # the client fails too, and reports it


def _existing(folder: Path) -> Path:
    return next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())


def _output_dir(folder: Path) -> Check:
    place = _existing(folder)
    return Check(
        name="output folder",
        is_good=place.is_dir() and os.access(place, os.W_OK | os.X_OK),
        found=str(folder),
        fix=f"make {place} a writable folder, or choose another output_dir",
    )


def _disk(folder: Path) -> Check:
    free_bytes = shutil.disk_usage(_existing(folder)).free
    return Check(
        name="free disk space",
        is_good=free_bytes >= FREE_BYTES,
        found=f"{free_bytes / 1e9:.1f} GB",
        fix=f"free disk space: a run needs {FREE_BYTES / 1e6:.0f} MB",
    )

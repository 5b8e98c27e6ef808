"""Set-up of the machine: `install` gets a working browser, `doctor` says what works and what does not.

In: an engine's name, or the configuration. Out: lines on a console and an exit code. A browser works when it starts.
"""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import trustme
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import sync_playwright
from rich.console import Console

from harness.config.reading import Config
from harness.drive.browsers import BIDI_FIREFOX, BrowserChoice, cause_of, find_browser
from harness.errors import ConfigError, EnvironmentFailure

ENGINES = ("chromium", "firefox", "webkit")
LAUNCH_TIMEOUT_MS = 20_000
DOWNLOAD_DEADLINE_S = 300
# Playwright tries each of its servers several times with this limit; where the network swallows packets it adds up.
DOWNLOAD_CONNECTION_TIMEOUT_MS = 5_000
APT_DEADLINE_S = 600
APT_OPTIONS = ("-o", "Acquire::http::Timeout=15", "-o", "Acquire::Retries=1", "-o", "DPkg::Lock::Timeout=60", "-qq")
# What Debian calls an engine. Ubuntu has these names as snap stubs or not at all.
DEBIAN_PACKAGES: Mapping[str, str] = {"chromium": "chromium-headless-shell", "firefox": "firefox-esr"}
BIDI_HINT = "a distribution's Firefox is for live pages and repro, with playwright 1.60 to 1.64 (1.65 fails)"
FREE_BYTES = 500_000_000
LINE_BREAK = "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What came of starting a browser."""

    choice: BrowserChoice | None = None
    version: str = ""  # as the browser says it; empty: it does not work
    trouble: str = ""  # one line, when it does not work


def launch(name: str, executable_path: str, environ: Mapping[str, str]) -> Launch:
    """Return whether the browser for an engine starts and opens a page; it is closed again."""
    try:
        choice = find_browser(name, executable_path, environ)
    except EnvironmentFailure as failure:
        return Launch(trouble=str(failure).splitlines()[0])
    try:
        with sync_playwright() as playwright:
            browser = getattr(playwright, name).launch(**choice.launch_options(), timeout=LAUNCH_TIMEOUT_MS)
            browser.new_page().goto("about:blank")
            found = str(browser.version)
            browser.close()
    except PlaywrightError as error:
        return Launch(choice=choice, trouble=cause_of(error.message))
    return Launch(choice=choice, version=found)


# -- install


def run_install(console: Console, browser: str = "chromium", environ: Mapping[str, str] = os.environ) -> int:
    """Return 0 once a browser for the engine works, and 13 when none could be had. Says each step in one line."""
    tried = launch(browser, "", environ)
    if tried.version:
        _say(console, f"{browser}: {_description(tried)} works; nothing to do")
        return 0
    _say(console, f"{browser}: {tried.trouble}")
    steps: tuple[Callable[[Console, str, Mapping[str, str]], bool], ...] = (
        _download,
        _install_libraries,
        _install_package,
    )
    for step in steps:
        if step(console, browser, environ):
            tried = launch(browser, "", environ)
            if tried.version:
                _say(console, f"{browser}: {_description(tried)} works")
                return 0
            _say(console, f"{browser}: still not working: {tried.trouble}")
    _say(console, f"{browser}: no browser that works could be set up here. To fix, type: {_by_hand(browser)}")
    return EnvironmentFailure.exit_code


def _download(console: Console, browser: str, environ: Mapping[str, str]) -> bool:
    shell = ("--only-shell",) if browser == "chromium" else ()
    limits = {"PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT": str(DOWNLOAD_CONNECTION_TIMEOUT_MS)}
    _say(console, f"{browser}: downloading Playwright's own build")
    return _run(
        console,
        (sys.executable, "-m", "playwright", "install", *shell, browser),
        {**limits, **environ},
        DOWNLOAD_DEADLINE_S,
        "the download",
    )


def _install_libraries(console: Console, browser: str, environ: Mapping[str, str]) -> bool:
    """Install the system libraries for a build that is there but does not start."""
    choice = launch(browser, "", environ).choice
    if choice is None or choice.source != "Playwright's own" or _apt_prefix() is None:
        return False
    _say(console, f"{browser}: installing the system libraries it needs")
    command = (sys.executable, "-m", "playwright", "install-deps", browser)
    return _run(console, command, environ, APT_DEADLINE_S, "installing system libraries")


def _install_package(console: Console, browser: str, environ: Mapping[str, str]) -> bool:
    package, prefix = DEBIAN_PACKAGES.get(browser, ""), _apt_prefix()
    if not package or prefix is None:
        return False
    _say(console, f"{browser}: installing the distribution's package {package} with apt-get")
    quiet = {**environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run(console, (*prefix, "apt-get", *APT_OPTIONS, "update"), quiet, APT_DEADLINE_S, "apt-get update")
    if not _has_package(package):
        _say(console, f"{browser}: this distribution has no package {package}")
        return False
    install = (*prefix, "apt-get", *APT_OPTIONS, "install", "-y", "--no-install-recommends", package)
    return _run(console, install, quiet, APT_DEADLINE_S, "apt-get install")


def _apt_prefix() -> tuple[str, ...] | None:
    """Return what to put before apt-get: nothing as root, sudo where it asks no password; None where neither helps."""
    if not shutil.which("apt-get"):
        return None
    if os.geteuid() == 0:
        return ()
    sudo = shutil.which("sudo")
    is_silent = sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0
    return (sudo, "-n") if sudo and is_silent else None


def _has_package(package: str) -> bool:
    """Whether apt could install the package, and not only knows its name."""
    policy = subprocess.run(["apt-cache", "policy", package], capture_output=True, text=True, check=False).stdout
    return "Candidate:" in policy and "Candidate: (none)" not in policy


def _by_hand(browser: str) -> str:
    package = DEBIAN_PACKAGES.get(browser)
    if package and shutil.which("apt-get") and _has_package(package):
        return f"sudo apt-get install -y {package}"
    return f"{sys.executable} -m playwright install --with-deps {browser}"


def _run(console: Console, command: Sequence[str], environ: Mapping[str, str], deadline_s: int, what: str) -> bool:
    """Run a command without a terminal to ask at; on failure say its first line that names an error."""
    try:
        done = subprocess.run(
            command,
            env=dict(environ),
            timeout=deadline_s,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        ended = f"no end after {deadline_s} s" if isinstance(error, subprocess.TimeoutExpired) else str(error)
        _say(console, f"{what} failed: {ended}")
        return False
    if done.returncode != 0:
        lines = [line.strip() for line in (done.stderr + "\n" + done.stdout).splitlines() if line.strip()]
        error_line = next((line for line in lines if line.startswith(("Error", "E:"))), lines[-1] if lines else "")
        _say(console, f"{what} failed: {error_line or f'exit code {done.returncode}'}")
    return done.returncode == 0


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _description(tried: Launch) -> str:
    choice = tried.choice
    if choice is None:
        return ""
    where = f"{choice.source}: {choice.executable_path}" if choice.executable_path else choice.source
    return f"{tried.version} ({where})" if tried.version else where


# -- doctor


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the doctor's table."""

    name: str
    is_good: bool
    found: str
    fix: str = ""
    is_required: bool = True  # a run needs it; an engine that is not configured is not


def run_doctor(console: Console, config: Config | ConfigError, environ: Mapping[str, str] = os.environ) -> int:
    """Return 0 when a run can work here, else 13. Prints one line for each check, and what to do for each that fails.

    An unreadable configuration is a finding too, so the error itself may be passed.
    """
    checks = []
    for check in _checks(config, environ):
        checks.append(check)
        sign = "ok" if check.is_good else "FAIL" if check.is_required else "-"
        _say(console, f"{sign:5} {check.name:22} {check.found.replace(LINE_BREAK, LINE_BREAK + ' ' * 29)}")
        if not check.is_good:
            _say(console, f"{'':28} to fix: {check.fix}")
    is_well = all(check.is_good for check in checks if check.is_required)
    _say(console, "ready" if is_well else "not ready: see the lines that FAIL")
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
    found = _description(tried) if tried.version else ": ".join(filter(None, (_description(tried), tried.trouble)))
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
    """Return the protocol that a client and a server on loopback agree on, port 0. Raises OSError when they cannot."""
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
        pass  # the client's side sees it too, and reports it


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
        fix=f"free some: a run wants {FREE_BYTES / 1e6:.0f} MB",
    )

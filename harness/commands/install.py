"""The command `install`: install a browser, Playwright's own build if it can be downloaded, otherwise the distribution's package.

In: an engine's name. Out: a line for each step on a console, and an exit code. A browser works when it starts and opens a page.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import sync_playwright
from rich.console import Console

from harness.commands.printing import PLAIN
from harness.drive.browsers import BrowserChoice, cause_of, find_browser
from harness.errors import EnvironmentFailure

LAUNCH_TIMEOUT_MS = 20_000
DOWNLOAD_DEADLINE_S = 300
# Playwright retries each of its servers with this timeout; when the network drops packets, the total is long.
DOWNLOAD_CONNECTION_TIMEOUT_MS = 5_000
APT_DEADLINE_S = 600
APT_OPTIONS = ("-o", "Acquire::http::Timeout=15", "-o", "Acquire::Retries=1", "-o", "DPkg::Lock::Timeout=60", "-qq")
# Debian's packages for the engines. On Ubuntu these are snap stubs or do not exist.
DEBIAN_PACKAGES: Mapping[str, str] = {"chromium": "chromium-headless-shell", "firefox": "firefox-esr"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """The result of starting a browser."""

    choice: BrowserChoice | None = None
    version: str = ""  # as the browser reports it; empty: it does not work
    trouble: str = ""  # one line, when it does not work


def launch(name: str, executable_path: str, environ: Mapping[str, str]) -> Launch:
    """Return whether the browser for an engine starts and opens a page."""
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


def run_install(console: Console, browser: str = "chromium", environ: Mapping[str, str] = os.environ) -> int:
    """Return 0 when a browser for the engine works, and 13 when none could be installed. Prints a line for each step."""
    tried = launch(browser, "", environ)
    if tried.version:
        say(console, f"{browser}: {description_of(tried)} works; nothing to do")
        return 0
    say(console, f"{browser}: {tried.trouble}")
    steps: tuple[Callable[[Console, str, Mapping[str, str]], bool], ...] = (
        _download,
        _install_libraries,
        _install_package,
    )
    for step in steps:
        if step(console, browser, environ):
            tried = launch(browser, "", environ)
            if tried.version:
                say(console, f"{browser}: {description_of(tried)} works")
                return 0
            say(console, f"{browser}: still not working: {tried.trouble}")
    say(console, f"{browser}: no working browser could be installed. To fix it, run: {_by_hand(browser)}")
    return EnvironmentFailure.exit_code


def _download(console: Console, browser: str, environ: Mapping[str, str]) -> bool:
    shell = ("--only-shell",) if browser == "chromium" else ()
    limits = {"PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT": str(DOWNLOAD_CONNECTION_TIMEOUT_MS)}
    say(console, f"{browser}: downloading Playwright's own build")
    return _run(
        console,
        (sys.executable, "-m", "playwright", "install", *shell, browser),
        {**limits, **environ},
        DOWNLOAD_DEADLINE_S,
        "the download",
    )


def _install_libraries(console: Console, browser: str, environ: Mapping[str, str]) -> bool:
    """Install the system libraries for a build that exists but does not start."""
    choice = launch(browser, "", environ).choice
    if choice is None or choice.source != "Playwright's own" or _apt_prefix() is None:
        return False
    say(console, f"{browser}: installing the system libraries it needs")
    command = (sys.executable, "-m", "playwright", "install-deps", browser)
    return _run(console, command, environ, APT_DEADLINE_S, "installing system libraries")


def _install_package(console: Console, browser: str, environ: Mapping[str, str]) -> bool:
    package, prefix = DEBIAN_PACKAGES.get(browser, ""), _apt_prefix()
    if not package or prefix is None:
        return False
    say(console, f"{browser}: installing the distribution's package {package} with apt-get")
    quiet = {**environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run(console, (*prefix, "apt-get", *APT_OPTIONS, "update"), quiet, APT_DEADLINE_S, "apt-get update")
    if not _has_package(package):
        say(console, f"{browser}: this distribution has no package {package}")
        return False
    install = (*prefix, "apt-get", *APT_OPTIONS, "install", "-y", "--no-install-recommends", package)
    return _run(console, install, quiet, APT_DEADLINE_S, "apt-get install")


def _apt_prefix() -> tuple[str, ...] | None:
    """Return the prefix for apt-get: nothing as root, sudo if it needs no password; None if neither works."""
    if not shutil.which("apt-get"):
        return None
    if os.geteuid() == 0:
        return ()
    sudo = shutil.which("sudo")
    is_silent = sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0
    return (sudo, "-n") if sudo and is_silent else None


def _has_package(package: str) -> bool:
    """Whether apt can install the package (it may know only its name)."""
    policy = subprocess.run(["apt-cache", "policy", package], capture_output=True, text=True, check=False).stdout
    return "Candidate:" in policy and "Candidate: (none)" not in policy


def _by_hand(browser: str) -> str:
    package = DEBIAN_PACKAGES.get(browser)
    if package and shutil.which("apt-get") and _has_package(package):
        return f"sudo apt-get install -y {package}"
    return f"{sys.executable} -m playwright install --with-deps {browser}"


def _run(console: Console, command: Sequence[str], environ: Mapping[str, str], deadline_s: int, what: str) -> bool:
    """Run a command that cannot ask questions; on failure print its first line with an error."""
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
        ended = f"not finished after {deadline_s} s" if isinstance(error, subprocess.TimeoutExpired) else str(error)
        say(console, f"{what} failed: {ended}")
        return False
    if done.returncode != 0:
        lines = [line.strip() for line in (done.stderr + "\n" + done.stdout).splitlines() if line.strip()]
        error_line = next((line for line in lines if line.startswith(("Error", "E:"))), lines[-1] if lines else "")
        say(console, f"{what} failed: {error_line or f'exit code {done.returncode}'}")
    return done.returncode == 0


def say(console: Console, text: str) -> None:
    """Print one line unchanged."""
    console.print(text, **PLAIN)


def description_of(tried: Launch) -> str:
    """Return the browser's name, and its version if it works."""
    choice = tried.choice
    if choice is None:
        return ""
    where = f"{choice.source}: {choice.executable_path}" if choice.executable_path else choice.source
    return f"{tried.version} ({where})" if tried.version else where

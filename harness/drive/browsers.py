"""Chooses the browser: the configured one, otherwise Playwright's own, otherwise an installed one.

In: an engine's name and the environment. Out: a `BrowserChoice` to launch with. It reads the disk and starts no process.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import playwright

from harness.errors import EnvironmentFailure

# WebDriver BiDi, the only way in which Playwright drives a Firefox that it did not build itself.
BIDI_FIREFOX = "moz-firefox"

# The headless shell first: it is several times faster per page than a full Chromium.
HEADLESS_SHELLS = ("chromium-headless-shell", "chrome-headless-shell")
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "chromium": ("google-chrome", "google-chrome-stable", "chromium", "chromium-browser", "microsoft-edge", "msedge"),
    "firefox": ("firefox-esr", "firefox"),
    "webkit": (),  # Playwright drives its own build of WebKit only
}
MAC_APPLICATIONS: Mapping[str, tuple[str, ...]] = {
    "chromium": (
        "Google Chrome.app/Contents/MacOS/Google Chrome",
        "Chromium.app/Contents/MacOS/Chromium",
        "Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    ),
    "firefox": ("Firefox.app/Contents/MacOS/firefox",),
    "webkit": (),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserChoice:
    """A browser to launch."""

    name: str  # the engine: "chromium" | "firefox" | "webkit"
    executable_path: str | None = None  # None: Playwright knows
    channel: str | None = None
    args: tuple[str, ...] = ()
    source: str  # "named in the configuration" | "Playwright's own" | "installed"

    def launch_options(self) -> dict[str, Any]:
        """Return the keyword arguments for Playwright's `launch`, without those that have nothing to say."""
        options = {"executable_path": self.executable_path, "channel": self.channel, "args": list(self.args)}
        return {name: value for name, value in options.items() if value}


def find_browser(
    name: str, executable_path: str, environ: Mapping[str, str], *, headless: bool = True
) -> BrowserChoice:
    """Return the browser to launch. Raises EnvironmentFailure when there is none, or the named one is not there."""
    if executable_path:
        return _named(name, executable_path)
    own = _playwrights_own(name, environ, headless=headless)
    if own:
        return own
    installed = next(_installed(name, environ, headless=headless), None)
    if installed:
        return _choice(name, installed, "installed")
    raise EnvironmentFailure(_none_found(name))


def _none_found(name: str) -> str:
    looked = (
        "Playwright's own browser is not downloaded, and no other one is installed"
        if name != "webkit"
        else "Playwright's own browser is not downloaded"
    )
    return f"no {name} to run: {looked}\n  to fix: chatkit-harness install --browser {name}"


def _named(name: str, executable_path: str) -> BrowserChoice:
    path = Path(executable_path).expanduser()
    if path.is_file() and os.access(path, os.X_OK):
        return _choice(name, str(path), "named in the configuration")
    found = "it is not executable" if path.exists() else "it does not exist"
    raise EnvironmentFailure(
        f"the browser {executable_path} cannot be started: {found if not path.is_dir() else 'it is a folder'}\n"
        "  to fix: correct use.executable_path or CHATKIT_HARNESS_EXECUTABLE_PATH, or remove both"
    )


def _choice(name: str, executable_path: str, source: str) -> BrowserChoice:
    is_foreign_firefox = name == "firefox" and not _is_playwrights(Path(executable_path))
    return BrowserChoice(
        name=name,
        executable_path=executable_path,
        channel=BIDI_FIREFOX if is_foreign_firefox else None,
        args=_args(name),
        source=source,
    )


def _args(name: str) -> tuple[str, ...]:
    """Return what Playwright does not already pass: updates and background traffic are off by its own defaults."""
    is_root = sys.platform == "linux" and os.geteuid() == 0
    return ("--no-sandbox",) if name == "chromium" and is_root else ()  # as root Chromium refuses to start with one


def _installed(name: str, environ: Mapping[str, str], *, headless: bool) -> Iterator[str]:
    shells = HEADLESS_SHELLS if name == "chromium" and headless else ()
    for command in (*shells, *COMMANDS[name]):
        found = shutil.which(command, path=environ.get("PATH", ""))
        if found:
            yield found
    if sys.platform == "darwin":
        folders = (Path("/Applications"), Path(environ.get("HOME", "/")) / "Applications")
        applications = [folder / application for application in MAC_APPLICATIONS[name] for folder in folders]
        yield from (str(application) for application in applications if application.is_file())


def _playwrights_own(name: str, environ: Mapping[str, str], *, headless: bool) -> BrowserChoice | None:
    """Return Playwright's own build when it is complete on disk.

    Since Playwright 1.49 a headless launch wants the headless shell; the full build alone needs `channel="chromium"`.
    """
    if name == "chromium" and headless and _is_downloaded("chromium-headless-shell", environ):
        return BrowserChoice(name=name, args=_args(name), source="Playwright's own")
    if _is_downloaded(name, environ):
        channel = "chromium" if name == "chromium" and headless else None
        return BrowserChoice(name=name, channel=channel, args=_args(name), source="Playwright's own")
    return None


def _is_downloaded(name: str, environ: Mapping[str, str]) -> bool:
    stem = name.replace("-", "_")
    folders = [browsers_dir(environ) / f"{stem}-{revision}" for revision in revisions(name)]
    return any((folder / "INSTALLATION_COMPLETE").is_file() for folder in folders)


def _driver_dir() -> Path:
    return Path(playwright.__file__).parent / "driver" / "package"


def revisions(name: str) -> tuple[str, ...]:
    """Return the builds this Playwright asks for: one, and another on some older systems.

    Source: `browsers.json` of the driver: {"browsers": [{"name", "revision", "revisionOverrides": {platform: …}}]}.
    """
    listed = json.loads((_driver_dir() / "browsers.json").read_text(encoding="utf-8"))["browsers"]
    browser: dict[str, Any] = next((item for item in listed if item["name"] == name), {})
    return tuple(browser[key] for key in ("revision",) if key in browser) + tuple(
        browser.get("revisionOverrides", {}).values()
    )


def browsers_dir(environ: Mapping[str, str]) -> Path:
    """Return the folder where Playwright keeps its browsers, https://playwright.dev/python/docs/browsers#managing-browser-binaries."""
    configured = environ.get("PLAYWRIGHT_BROWSERS_PATH", "")
    if configured == "0":
        return _driver_dir() / ".local-browsers"
    if configured:
        return Path(configured)
    home = Path(environ.get("HOME") or Path.home())
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "ms-playwright"
    if sys.platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "ms-playwright"
    return Path(environ.get("XDG_CACHE_HOME") or home / ".cache") / "ms-playwright"


def _is_playwrights(executable: Path) -> bool:
    """Whether the executable is a build that Playwright downloaded, and so needs no channel."""
    return any((parent / "INSTALLATION_COMPLETE").is_file() for parent in executable.parents)


def require_rerouting(name: str, executable_path: str, environ: Mapping[str, str]) -> None:
    """Raise EnvironmentFailure for a browser whose requests cannot be answered by other servers than those it asks.

    Firefox over BiDi takes such an answer, and neither runs the script nor shows the frame that came with it; bodies of its requests
    cannot be read either, so nobody can ask for it. (Firefox ESR 153, Playwright 1.64)
    """
    if name == "firefox" and find_browser(name, executable_path, environ).channel == BIDI_FIREFOX:
        raise EnvironmentFailure(
            "requests of an installed Firefox cannot be changed: faults on your own page, and a chosen SDK on a live "
            "page, need another browser\n"
            "  to fix: --browser chromium, or Playwright's own Firefox (chatkit-harness install --browser "
            "firefox);\n"
            "          hermetic projects, live pages and repro work in this one"
        )


def launch_failure(message: str, options: Mapping[str, Any]) -> EnvironmentFailure:
    """Return the error for a browser that did not start, in a sentence. `message` is Playwright's."""
    browser = options.get("executable_path") or "Playwright's own browser"
    fix = "run chatkit-harness doctor"
    if "DISPLAY" in message or "XServer" in message:
        fix = "this machine has no display: remove --headed and --pause, or use a virtual display (xvfb-run)"
    return EnvironmentFailure(f"{browser} did not start: {cause_of(message)}\n  to fix: {fix}")


def cause_of(message: str) -> str:
    """Return the line of a long launch error that says why."""
    lines = [line.strip(" ║╔╗╚╝═\t") for line in message.splitlines()]
    telling = [line for line in lines if "error while loading" in line or "missing dependencies" in line]
    return next(iter([*telling, *(line for line in lines if line)]), "it did not start")[:200]

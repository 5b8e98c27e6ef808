"""Which browser is chosen: the named one, Playwright's own, an installed one; and what is said when there is none."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from harness.config.reading import read_config
from harness.drive.browsers import browsers_dir, find_browser, launch_failure, require_rerouting, revisions
from harness.errors import EnvironmentFailure
from harness.visit.opening import context_options


def executable(path: Path) -> Path:
    """Return the path of a program that was put there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def environ_of(folder: Path) -> dict[str, str]:
    """Return an environment in which only this folder has programs and browsers."""
    return {"PATH": str(folder / "bin"), "PLAYWRIGHT_BROWSERS_PATH": str(folder / "ms-playwright"), "HOME": str(folder)}


def downloaded(folder: Path, name: str) -> None:
    """Put a complete download of Playwright's own browser there."""
    build = folder / "ms-playwright" / f"{name.replace('-', '_')}-{revisions(name)[0]}"
    build.mkdir(parents=True)
    (build / "INSTALLATION_COMPLETE").touch()


@pytest.fixture(autouse=True)
def _linux(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Mac's applications stay out of these tests."""
    monkeypatch.setattr(sys, "platform", "linux")


def test_the_named_executable_comes_first(tmp_path: Path) -> None:
    """What the configuration names wins over a download and over what is installed."""
    named = executable(tmp_path / "mine" / "chrome")
    executable(tmp_path / "bin" / "google-chrome")
    downloaded(tmp_path, "chromium-headless-shell")
    choice = find_browser("chromium", str(named), environ_of(tmp_path))
    assert (choice.executable_path, choice.channel) == (str(named), None)
    assert choice.source == "named in the configuration"


def test_playwrights_own_comes_before_an_installed_one(tmp_path: Path) -> None:
    """A complete download is used, and Playwright knows where it is."""
    executable(tmp_path / "bin" / "chromium-headless-shell")
    downloaded(tmp_path, "chromium-headless-shell")
    choice = find_browser("chromium", "", environ_of(tmp_path))
    assert (choice.executable_path, choice.channel, choice.source) == (None, None, "Playwright's own")


def test_a_download_that_was_cut_off_does_not_count(tmp_path: Path) -> None:
    """The folder alone is not a browser."""
    shell = executable(tmp_path / "bin" / "chromium-headless-shell")
    downloaded(tmp_path, "chromium-headless-shell")
    next((tmp_path / "ms-playwright").rglob("INSTALLATION_COMPLETE")).unlink()
    assert find_browser("chromium", "", environ_of(tmp_path)).executable_path == str(shell)


def test_a_download_for_another_playwright_does_not_count(tmp_path: Path) -> None:
    """Only the build that this Playwright asks for is its own."""
    build = tmp_path / "ms-playwright" / "chromium_headless_shell-1"
    build.mkdir(parents=True)
    (build / "INSTALLATION_COMPLETE").touch()
    with pytest.raises(EnvironmentFailure):
        find_browser("chromium", "", environ_of(tmp_path))


def test_the_full_build_alone_runs_headless_by_its_channel(tmp_path: Path) -> None:
    """Without the headless shell Playwright needs the channel; with a window it does not."""
    downloaded(tmp_path, "chromium")
    assert find_browser("chromium", "", environ_of(tmp_path)).channel == "chromium"
    assert find_browser("chromium", "", environ_of(tmp_path), headless=False).channel is None


INSTALLED = (
    ("chromium", "chromium-headless-shell"),
    ("chromium", "google-chrome"),
    ("chromium", "chromium"),
    ("chromium", "chromium-browser"),
    ("chromium", "msedge"),
    ("firefox", "firefox-esr"),
    ("firefox", "firefox"),
)


@pytest.mark.parametrize(("name", "command"), INSTALLED)
def test_an_installed_browser_is_found_on_the_path(tmp_path: Path, name: str, command: str) -> None:
    """Every usual name will do."""
    path = executable(tmp_path / "bin" / command)
    choice = find_browser(name, "", environ_of(tmp_path))
    assert (choice.name, choice.executable_path, choice.source) == (name, str(path), "installed")


@pytest.mark.parametrize(
    ("name", "headless", "expected"),
    [
        ("chromium", True, "chromium-headless-shell"),
        ("chromium", False, "google-chrome"),
        ("firefox", True, "firefox-esr"),
    ],
)
def test_the_better_one_of_two_installed_is_used(tmp_path: Path, name: str, headless: bool, expected: str) -> None:
    """The headless shell is the fastest, and cannot open a window."""
    for _, command in INSTALLED:
        executable(tmp_path / "bin" / command)
    choice = find_browser(name, "", environ_of(tmp_path), headless=headless)
    assert choice.executable_path == str(tmp_path / "bin" / expected)


def test_a_distributions_firefox_is_driven_over_bidi(tmp_path: Path) -> None:
    """Installed or named, a Firefox that Playwright did not build needs its channel; Playwright's own does not."""
    installed = executable(tmp_path / "bin" / "firefox-esr")
    assert find_browser("firefox", "", environ_of(tmp_path)).channel == "moz-firefox"
    assert find_browser("firefox", str(installed), environ_of(tmp_path)).channel == "moz-firefox"
    downloaded(tmp_path, "firefox")
    assert find_browser("firefox", "", environ_of(tmp_path)).channel is None
    own = executable(next((tmp_path / "ms-playwright").iterdir()) / "firefox" / "firefox")
    assert find_browser("firefox", str(own), environ_of(tmp_path)).channel is None


def test_a_distributions_firefox_cannot_be_sent_to_other_servers(tmp_path: Path) -> None:
    """It would be told that the loader defines nothing, of a page that is whole: it is refused instead."""
    executable(tmp_path / "bin" / "firefox-esr")
    with pytest.raises(EnvironmentFailure, match=r"cannot be changed: .*\n  to fix: --browser chromium"):
        require_rerouting("firefox", "", environ_of(tmp_path))
    config = read_config(None, environ=environ_of(tmp_path), overrides={"use.browser": "firefox"}, root=tmp_path)
    assert "permissions" not in context_options(config, "live")
    downloaded(tmp_path, "firefox")
    require_rerouting("firefox", "", environ_of(tmp_path))
    require_rerouting("chromium", "/nowhere", environ_of(tmp_path))


def test_a_window_without_a_screen_is_said() -> None:
    """Playwright says so in a frame of its own; a user is told what to leave out."""
    message = (
        "Target closed\nBrowser logs:\n║ Looks like you launched a headed browser without having a XServer running. ║"
    )
    assert "this machine has no display: remove --headed" in str(launch_failure(message, {"executable_path": "/bin/c"}))


@pytest.mark.parametrize(("user", "args"), [(0, ["--no-sandbox"]), (1000, None)])
def test_root_runs_chromium_without_its_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int, args: list[str] | None
) -> None:
    """As root Chromium refuses to start otherwise; nobody else gives up the sandbox here."""
    monkeypatch.setattr(os, "geteuid", lambda: user)
    shell = executable(tmp_path / "bin" / "chromium-headless-shell")
    options = find_browser("chromium", "", environ_of(tmp_path)).launch_options()
    assert options["executable_path"] == str(shell)
    assert options.get("args") == args
    assert "channel" not in options


@pytest.mark.parametrize("name", ["chromium", "firefox", "webkit"])
def test_without_any_browser_the_message_says_what_to_type(tmp_path: Path, name: str) -> None:
    """One sentence and one command."""
    with pytest.raises(EnvironmentFailure) as caught:
        find_browser(name, "", environ_of(tmp_path))
    sentence, command = str(caught.value).splitlines()
    assert sentence.startswith(f"no {name} to run")
    assert command.endswith(f"chatkit-harness install --browser {name}")


def test_a_named_executable_that_cannot_start_is_named(tmp_path: Path) -> None:
    """Missing, a folder, or not executable; never silently another one."""
    executable(tmp_path / "bin" / "chromium-headless-shell")
    (tmp_path / "plain").write_text("", encoding="utf-8")
    for path, reason in (
        (tmp_path / "missing", "does not exist"),
        (tmp_path, "is a folder"),
        (tmp_path / "plain", "is not executable"),
    ):
        with pytest.raises(EnvironmentFailure) as caught:
            find_browser("chromium", str(path), environ_of(tmp_path))
        assert str(path) in str(caught.value)
        assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HOME": "/home/me"}, "/home/me/.cache/ms-playwright"),
        ({"HOME": "/home/me", "XDG_CACHE_HOME": "/cache"}, "/cache/ms-playwright"),
        ({"HOME": "/home/me", "PLAYWRIGHT_BROWSERS_PATH": "/browsers"}, "/browsers"),
    ],
)
def test_downloads_are_looked_for_where_playwright_keeps_them(environ: dict[str, str], expected: str) -> None:
    """The environment is read as Playwright reads it."""
    assert browsers_dir(environ) == Path(expected)

"""Records scenarios of the embedded default as bundles, for tests that replay them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Browser

from harness.config.reading import Config, read_config
from harness.model.redaction import Redactor
from harness.model.results import VisitResult
from harness.servers.scenarios import scenario_named
from harness.servers.server import Stack
from harness.visit.browser import opened
from harness.visit.target import Keep, target_of

UNDECIDED_MS = 6_000  # how long what cannot be decided is awaited
ENTRY = "topic-generation"


def plain_config(root: Path) -> Config:
    """Return the defaults, whatever is configured on this machine."""
    return read_config(None, environ={}, root=root / "no-configuration-here")


def record_scenario(browser: Browser, stack: Stack, name: str, folder: Path, *, message: str = "") -> VisitResult:
    """Write the bundle of one visit to the embedded page in a scenario, with a message sent when there is one."""
    config = plain_config(folder)
    target = target_of(config.project("local"), entry=ENTRY, scenario=name, stack=stack)
    if scenario_named(name).verdict == "timeout":
        target = replace(target, limits=replace(target.limits, mount_timeout_ms=UNDECIDED_MS))
    keep = Keep(screenshot="off", bodies="on")
    with opened(browser, target, folder, config=config, keep=keep, redactor=Redactor(), stack=stack) as visit:
        visit.open()
        visit.wait_until_decided()
        if message:
            visit.send(message)
        return visit.finish()

"""The control visits of a run: visits of the embedded healthy page between the tests, which measure the speed of this machine.

In: a browser, the embedded servers, a folder. Out: a bundle for each control, below that folder. A control never fails a test: a failed
one is skipped, and the comparison reports a missing control.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Browser, Error

from harness.config.reading import EMBEDDED_ENTRIES, EMBEDDED_PAGE, EMBEDDED_SCENARIO, Config
from harness.errors import HarnessError
from harness.model.limits import Limits
from harness.model.recording import Action
from harness.servers.scenarios import scenario_named
from harness.servers.server import Stack
from harness.visit.browser import opened
from harness.visit.target import Keep, Target

FOLDER = "control"
WARM_UP = "warm-up"  # the first visit of a browser takes longer than all others, and is not measured
STALE_S = 5.0
ENTRY = "topic-generation"


class Control:
    """Visits the embedded healthy page when the last time was a while ago."""

    def __init__(
        self,
        *,
        config: Config,
        browser: Browser,
        stack: Callable[[], Stack],
        folder: Path,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config, self._browser, self._stack, self._folder = config, browser, stack, folder
        self._clock_s = clock_s
        self._count = 0
        self._taken_s: float | None = None

    def refresh(self) -> None:
        """Take a control if there is none yet, or the last one is stale."""
        if self._taken_s is None:
            self._visit(WARM_UP)
            self.take()
        elif self._clock_s() - self._taken_s > STALE_S:
            self.take()

    def take(self) -> None:
        """Take a control now."""
        self._count += 1
        self._visit(f"visit-{self._count}")
        self._taken_s = self._clock_s()

    def _visit(self, name: str) -> None:
        with suppress(Error, HarnessError):
            stack = self._stack()
            target = Target(
                url=stack.app_url + EMBEDDED_PAGE,
                project=FOLDER,
                entry=ENTRY,
                actions=(Action(action="click", target=EMBEDDED_ENTRIES[ENTRY]["click"]),),
                scenario=scenario_named(EMBEDDED_SCENARIO),
                network="hermetic",
                limits=Limits(),
            )
            with opened(
                self._browser,
                target,
                self._folder / name,
                config=self._config,
                keep=Keep(screenshot="off"),
                stack=stack,
            ) as visit:
                visit.open()
                visit.wait_until_decided()

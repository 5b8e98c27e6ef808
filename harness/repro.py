"""Has a recorded visit again, from its bundle alone: does it fail here too, and for the same reason?

In: a bundle and what to change about it. Out: the verdict beside the recorded one, a bundle of its own, an exit code.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from harness.analysis.verdict import Limits
from harness.config import Config
from harness.drive.replaying import replay_options
from harness.errors import ConversationFailed, MountFailed
from harness.model.faults import Fault
from harness.model.recording import Recording
from harness.model.redaction import Redactor
from harness.model.results import VisitResult
from harness.run import Keep, Target, Visit, open_visit
from harness.servers.replay import RECORDED, Elsewhere, ReplayServer, serve_replay


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a replay came to."""

    result: VisitResult
    folder: Path
    misses: tuple[str, ...]  # requests that nothing answered, as sentences
    repeats: int  # answers that were given once more than they were recorded


def replayed(
    browser: Browser,
    recording: Recording,
    folder: Path,
    *,
    config: Config,
    timing: str = RECORDED,
    faults: tuple[Fault, ...] = (),
    elsewhere: Elsewhere | None = None,
    limits: Limits | None = None,
    keep: Keep | None = None,
) -> Replayed:
    """Return what one replay of a recording comes to, and write its bundle."""
    with (
        serve_replay(recording, timing=timing, faults=faults, elsewhere=elsewhere) as server,
        _visit(browser, recording, folder, server, config, limits, keep or Keep(bodies="on")) as visit,
    ):
        visit.open()
        _act(visit, recording)
        visit.wait_until_decided()
        result = visit.finish()
        replay = server.replay
        misses = tuple(
            f"{m.method} {m.url}" + (f" (nearest: {m.nearest}; {m.difference})" if m.nearest else "")
            for m in replay.misses
        )
        return Replayed(result=result, folder=folder, misses=misses, repeats=len(replay.matcher.repeats))


@contextmanager
def _visit(
    browser: Browser,
    recording: Recording,
    folder: Path,
    server: ReplayServer,
    config: Config,
    limits: Limits | None,
    keep: Keep,
) -> Iterator[Visit]:
    options: dict[str, Any] = replay_options(recording, server.url, browser=browser.browser_type.name)
    with (
        browser.new_context(**options) as context,
        open_visit(
            context=context,
            page=context.new_page(),
            target=target_of_recording(recording, limits),
            folder=folder,
            redactor=Redactor(config.secrets),
            keep=keep,
            stack=None,
            replay=server,
        ) as visit,
    ):
        yield visit


def target_of_recording(recording: Recording, limits: Limits | None = None) -> Target:
    """Return what was visited, to be judged as it was."""
    judged = recording.judged
    return Target(
        url=recording.url,
        project=recording.project or "replay",
        entry=recording.entry,
        network="replay",
        limits=limits
        or Limits(
            mount_timeout_ms=judged.mount_timeout_ms,
            stable_for_ms=judged.stable_for_ms,
            settled_stable_for_ms=judged.settled_stable_for_ms,
            quiet_ms=judged.quiet_ms,
            idle_ms=judged.idle_ms,
        ),
        prefetch=judged.prefetch_expected,
        console_allow=judged.console_allow,
        session_endpoint=judged.session_endpoint,
    )


def _act(visit: Visit, recording: Recording) -> None:
    """Do on the page what was done when it was recorded."""
    for action in recording.actions:
        match action.action:
            case "click":
                visit.embed.click(action.target)
            case "reload":
                visit.page.reload(wait_until="commit")
            case "send":
                try:
                    visit.send(action.text, via=action.target)
                except (MountFailed, ConversationFailed):  # what became of it is in the timeline
                    return

"""The command `record`: one visit with everything that a replay needs, as a folder and optionally as a zip.

In: a URL and actions. Out: the verdict in a line, whether a replay has the same verdict, the bundle, an exit code.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser
from rich.console import Console

from harness.analysis.replay.comparison import ReplayComparison, compared
from harness.commands.pack import tell_bundle
from harness.commands.printing import PLAIN
from harness.commands.session import run_session, tell_report
from harness.config.reading import Config
from harness.config.way_in import WayIn, way_in
from harness.errors import EmbedError, ExitCode
from harness.report.context import render_verdict
from harness.report.recordings import opened_recording
from harness.report.run_folder import shown
from harness.visit.browser import launched_browser, opened
from harness.visit.replay import replayed
from harness.visit.target import keep_of, target_of

VERIFY = "verify"  # the folder of the replay


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOptions:
    """The command-line options of `record`."""

    way: WayIn = field(default_factory=WayIn)
    messages: tuple[str, ...] = ()
    fault: str = ""
    out: Path | None = None
    is_searched: bool = True
    is_verified: bool = True  # replayed once as a check


def run_record(console: Console, config: Config, url: str, options: RecordOptions) -> int:
    """Return 0 when the bundle is written and its replay has the same verdict and cause; 11 when the replay has another one.

    Raises PageError, SecretFound, BundleError.
    """
    config, entry = way_in(config, options.way)
    target = target_of(config.project_at(url, entry=entry), entry="page", fault=options.fault)
    with (
        run_session(
            console, config, "record", project=target.project, network=target.network, is_searched=options.is_searched
        ) as session,
        launched_browser(config) as browser,
    ):
        run, keep = session.folder, keep_of(config.use, bodies="on")
        with opened(browser, target, run / "record", config=config, keep=keep, redactor=session.redactor) as visit:
            session.visits.append(visit)
            visit.open()
            visit.wait_until_decided()
            with suppress(EmbedError):  # the result of a message is in the bundle
                for text in options.messages:
                    visit.send(text)
            result = visit.finish()
        verified = _verified(browser, config, run) if options.is_verified else None
        session.exit_code = 0 if verified is None or verified.is_same else ExitCode.BAD_RECORDING
    console.print(f"recorded: {render_verdict(result)}", style="bold", **PLAIN)
    if verified is not None:
        _tell_verified(console, verified, run)
    tell_bundle(console, run / "record", options.out)
    tell_report(console, run)
    return session.exit_code


def _verified(browser: Browser, config: Config, run: Path) -> ReplayComparison:
    """Return the comparison of a replay with the recording; the replay's bundle is kept if it differs."""
    with opened_recording(run / "record") as (recording, _):
        again = replayed(browser, recording, run / VERIFY, config=config, keep=keep_of(config.use, bodies="on"))
    comparison = compared(
        recording.judged, again.result, misses=again.misses, missing=recording.missing, lacks=again.lacks
    )
    if comparison.is_same:
        shutil.rmtree(run / VERIFY, ignore_errors=True)
    return comparison


def _tell_verified(console: Console, comparison: ReplayComparison, run: Path) -> None:
    if comparison.is_same:
        console.print(f"  verified:  {comparison.sentence}", style="green", **PLAIN)
        return
    console.print(f"  verified:  {comparison.sentence}", style="bold red", **PLAIN)
    for difference in comparison.differences:
        console.print(f"  differs:   {difference}", **PLAIN)
    console.print(f"  replayed:  {shown((run / VERIFY).absolute())}", **PLAIN)

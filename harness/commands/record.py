"""The command `record`: one visit with everything that a replay needs, as a folder and optionally as a zip.

In: a URL and actions. Out: the verdict in a line, whether a replay has the same verdict, the bundle, an exit code.
"""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser
from rich.console import Console

from harness.analysis.replay.comparison import Comparison, compared
from harness.commands.session import PLAIN, Ending, tell_report
from harness.config.reading import Config
from harness.config.way_in import WayIn, way_in
from harness.drive.interrupts import interrupts
from harness.errors import BundleError, EmbedError, ExitCode
from harness.model.redaction import Redactor
from harness.report.context import render_verdict
from harness.report.recordings import MANIFEST, opened_recording, pack
from harness.report.run_files import RunFiles, record_of
from harness.report.run_folder import publish, run_folder_for, shown
from harness.visit.browser import launched_browser, opened
from harness.visit.replay import replayed
from harness.visit.visit import keep_of, target_of

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
    run = run_folder_for(config.output_dir, keep_runs=config.keep_runs).path
    with ExitStack() as resources:
        redactor = Redactor(config.secrets)
        files = RunFiles(run, redactor)
        files.begin(
            record_of(
                "record",
                project=target.project,
                network=target.network,
                browser=config.use.browser,
                environ=os.environ,
                clean=redactor,
            )
        )
        ending = Ending(console=console, redactor=redactor, files=files, is_searched=options.is_searched)
        resources.enter_context(interrupts())
        resources.callback(publish, run)
        resources.push(ending.close)
        browser = resources.enter_context(launched_browser(config))
        with opened(browser, config, target, run / "record", redactor, bodies="on") as visit:
            visit.open()
            visit.wait_until_decided()
            with suppress(EmbedError):  # the result of a message is in the bundle
                for text in options.messages:
                    visit.send(text)
            result = visit.finish()
        verified = _verified(browser, config, run) if options.is_verified else None
        ending.exit_code = 0 if verified is None or verified.is_same else ExitCode.BAD_RECORDING
    console.print(f"recorded: {render_verdict(result)}", style="bold", **PLAIN)
    if verified is not None:
        _tell_verified(console, verified, run)
    _tell_bundle(console, run / "record", options.out)
    tell_report(console, run)
    return ending.exit_code


def _verified(browser: Browser, config: Config, run: Path) -> Comparison:
    """Return the comparison of a replay with the recording; the replay's bundle is kept if it differs."""
    with opened_recording(run / "record") as (recording, _):
        again = replayed(browser, recording, run / VERIFY, config=config, keep=keep_of(config.use, bodies="on"))
    comparison = compared(
        recording.judged, again.result, misses=again.misses, missing=recording.missing, lacks=again.lacks
    )
    if comparison.is_same:
        shutil.rmtree(run / VERIFY, ignore_errors=True)
    return comparison


def _tell_verified(console: Console, comparison: Comparison, run: Path) -> None:
    if comparison.is_same:
        console.print(f"  verified:  {comparison.sentence}", style="green", **PLAIN)
        return
    console.print(f"  verified:  {comparison.sentence}", style="bold red", **PLAIN)
    for difference in comparison.differences:
        console.print(f"  differs:   {difference}", **PLAIN)
    console.print(f"  replayed:  {shown((run / VERIFY).absolute())}", **PLAIN)


def run_pack(console: Console, folder: Path, out: Path | None) -> int:
    """Write a bundle's folder as one zip, and return 0. Raises BundleError."""
    if not (folder / MANIFEST).is_file():
        raise BundleError(f"{folder} is not a bundle that can be replayed: it has no {MANIFEST}")
    _tell_bundle(console, folder, out or folder.with_name(folder.name + ".zip"))
    return 0


def _tell_bundle(console: Console, folder: Path, out: Path | None) -> None:
    with opened_recording(folder) as (recording, _):
        for what in recording.missing:
            console.print(f"  missing:   {what}", style="yellow", **PLAIN)
        bundle = pack(folder, out) if out else folder
        kilobytes = sum(f.stat().st_size for f in ([bundle] if out else bundle.rglob("*")) if f.is_file()) / 1000
        console.print(
            f"  bundle:    {shown(bundle.absolute())} ({len(recording.exchanges)} exchanges, {kilobytes:.0f} kB)",
            **PLAIN,
        )
        console.print(f"  replay:    chatkit-harness repro {shown(bundle.absolute())}", **PLAIN)

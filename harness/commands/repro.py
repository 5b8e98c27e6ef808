"""The command `repro`: replays a recorded visit from its bundle, and compares verdict and cause.

In: a bundle, a zip or a HAR, and changes. Out: text on the console or JSON, a bundle of the replay, an exit code.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Error
from rich.console import Console

from harness.analysis.replay.comparison import ReplayComparison, compared, verdict_told
from harness.analysis.replay.suspects import FACTS
from harness.commands.printing import PLAIN
from harness.commands.session import run_session, tell_report
from harness.config.reading import COMMAND_LINE, Config
from harness.config.sdk_source import sdk_source_of
from harness.errors import ConfigError, ExitCode, RecordingError
from harness.model.recording import Action, Recording
from harness.report.bundle import result_dict, write_text
from harness.report.context import render_failure
from harness.report.recordings import opened_recording, pack, write_smaller
from harness.report.run_folder import shown
from harness.report.scenario_test import render_scenario_test, scenario_name
from harness.servers.live import LiveSdk
from harness.servers.named_faults import fixtures_dir
from harness.servers.replay import RECORDED
from harness.visit.browser import launched_browser
from harness.visit.replay import RECORD_AGAIN, ReplayCause, Replayed, Smaller, cause_of, change_of, minimised, replayed
from harness.visit.target import keep_of
from harness.visit.visit import Visit

DIFFERS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ReproOptions:
    """The command-line options of `repro`."""

    timing: str = RECORDED
    clicks: tuple[str, ...] = ()  # after the recorded ones
    what_if: tuple[str, ...] = ()
    is_cause: bool = False
    sdk: str = "recorded"
    is_headed: bool = False
    is_paused: bool = False
    minimise: Path | None = None  # path of the smaller bundle
    to_scenario: str = ""
    as_json: bool = False
    is_searched: bool = True


def run_repro(console: Console, config: Config, path: Path, options: ReproOptions) -> int:
    """Return 0 when the verdict was reproduced, or the widget mounts with the change, or a cause was found; otherwise 1.

    Raises RecordingError for an unreadable recording, ConfigError for an invalid change.
    """
    change, sdk = change_of(options.what_if), _sdk_of(options.sdk)
    plain = Console(stderr=True) if options.as_json else console
    with ExitStack() as resources:
        recording, folder = resources.enter_context(opened_recording(path))
        more = tuple(Action(action="click", target=name) for name in options.clicks)
        recording = replace(recording, actions=(*recording.actions, *more))
        if options.to_scenario and options.minimise is None:
            return _write_scenario(console, config, recording, folder, options.to_scenario)
        engine = config.use.browser if config.settings["use.browser"].source == COMMAND_LINE else ""
        engine = engine or recording.environment.browser or config.use.browser
        is_one_visit = not options.is_cause and options.minimise is None  # experiments have no report
        session = resources.enter_context(
            run_session(
                plain,
                config,
                "repro" if is_one_visit else "",
                project=recording.project,
                network="replay",
                browser=engine,
                is_searched=options.is_searched,
            )
        )
        run = session.folder
        _introduce(plain, recording)
        is_shown = options.is_headed or options.is_paused
        browser = resources.enter_context(launched_browser(config, engine, is_shown=is_shown, is_sealed=True))
        if options.is_cause:
            cause = cause_of(browser, recording, run / "experiments", config=config, on_experiment=_teller(plain))
            return _tell_cause(console, cause, options)
        if options.minimise is not None:
            smaller = minimised(browser, recording, run / "experiments", config=config, on_experiment=_counter(plain))
            return _keep_smaller(console, config, recording, folder, smaller, options)
        again = replayed(
            browser,
            recording,
            run / "repro",
            config=config,
            timing=options.timing,
            change=change,
            sdk=sdk,
            keep=keep_of(config.use, bodies="on"),
            on_end=_pause(plain) if options.is_paused else None,
        )
        tell = _tell_replay if change.is_nothing and sdk is None else _tell_change
        session.exit_code = tell(console, recording, again, options)
    if not options.as_json:
        tell_report(console, run)
    return session.exit_code


def _sdk_of(text: str) -> Path | LiveSdk | None:
    """Return the source of the SDK; None for the recorded one. Raises ConfigError, RecordingError."""
    if text in ("", "recorded"):
        return None
    source = sdk_source_of(text, root=Path.cwd(), where="--sdk")
    return LiveSdk() if source.is_live else source.folder or fixtures_dir() / "sdk"


# --- words --------------------------------------------------------------------------------------------------------


def _introduce(console: Console, recording: Recording) -> None:
    known = recording.environment
    browser = f"{known.browser} {known.browser_version}".strip() or "an unknown browser"
    when = recording.started_at[:19].replace("T", " ") or "an unknown time"
    count = len(recording.exchanges)
    console.print(f"recording: {recording.name}: {count} exchanges, {browser}, {when} UTC", **PLAIN)
    console.print(f"  page:      {recording.url}", **PLAIN)
    for warning in recording.warnings:
        console.print(f"  warning:   {warning}", style="yellow", **PLAIN)
    for what in recording.missing:
        console.print(f"  missing:   {what}", style="yellow", **PLAIN)


def _tell_replay(console: Console, recording: Recording, again: Replayed, options: ReproOptions) -> int:
    comparison = compared(
        recording.judged, again.result, misses=again.misses, missing=recording.missing, lacks=again.lacks
    )
    if options.as_json:
        _print_json(recording, again, {"comparison": asdict(comparison)})
    else:
        _tell_comparison(console, recording, again, comparison)
    if not comparison.is_possible:
        return ExitCode.BAD_RECORDING
    return 0 if comparison.is_same or (comparison.is_same is None and again.result.is_mounted) else DIFFERS


def _tell_comparison(console: Console, recording: Recording, again: Replayed, comparison: ReplayComparison) -> None:
    style = {True: "bold green", False: "bold red", None: "bold"}[comparison.is_same]
    console.print(comparison.sentence, style=style, **PLAIN)
    if recording.judged.outcome:
        console.print(f"  recorded:  {verdict_told(recording.judged.outcome, recording.judged.cause)}", **PLAIN)
    console.print(f"  replayed:  {_verdict(again)}", **PLAIN)
    for difference in comparison.differences[1:]:
        console.print(f"  differs:   {difference}", **PLAIN)
    if not comparison.is_possible:
        console.print(f"  to fix:    {RECORD_AGAIN}", **PLAIN)
        console.print(f"  bundle:    {shown(again.folder.absolute())}", **PLAIN)
        return
    _tell_details(console, again, is_miss_told=comparison.is_same is not False)


def _tell_details(console: Console, again: Replayed, *, is_miss_told: bool) -> None:
    result = again.result
    if again.trouble:
        console.print(f"  page:      {again.trouble}", **PLAIN)
    if not result.is_mounted:
        console.print("\n".join(render_failure(result, bundle="").splitlines()[1:-1]), **PLAIN)
    for miss in again.misses[:5] if is_miss_told else ():
        console.print(f"  unanswered: {miss}", **PLAIN)
    console.print(f"  bundle:    {shown(again.folder.absolute())}", **PLAIN)


def _tell_change(console: Console, recording: Recording, again: Replayed, options: ReproOptions) -> int:
    changed = ", ".join(options.what_if) or f"the SDK from {options.sdk}"
    if options.as_json:
        _print_json(recording, again, {"changed": changed})
    else:
        if again.lacks and not again.result.is_mounted:
            console.print(f"cannot be reproduced: {again.lacks[0]}", style="bold red", **PLAIN)
        mounts = "the widget mounts" if again.result.is_mounted else "the widget still does not mount"
        console.print(
            f"with {changed}: {mounts}", style="bold green" if again.result.is_mounted else "bold red", **PLAIN
        )
        console.print(f"  recorded:  {verdict_told(recording.judged.outcome, recording.judged.cause)}", **PLAIN)
        console.print(f"  replayed:  {_verdict(again)}", **PLAIN)
        _tell_details(console, again, is_miss_told=True)
    if again.lacks and not again.result.is_mounted:
        return ExitCode.BAD_RECORDING
    return 0 if again.result.is_mounted else DIFFERS


def _verdict(again: Replayed) -> str:
    return verdict_told(again.result.outcome, again.result.cause.rule if again.result.cause else "")


def _print_json(recording: Recording, again: Replayed, more: dict[str, Any]) -> None:
    saved = {
        "recorded": asdict(recording.judged),
        **more,
        "misses": list(again.misses),
        "lacks": list(again.lacks),
        "missing": list(recording.missing),
        "warnings": list(recording.warnings),
        "bundle": shown(again.folder.absolute()),
        "replayed": result_dict(again.result),
    }
    print(json.dumps(saved, ensure_ascii=False, indent=1))


def _teller(console: Console) -> Callable[[frozenset[str], bool], None]:
    def tell(names: frozenset[str], is_mounted: bool) -> None:
        ending = "mounts" if is_mounted else "does not mount"
        console.print(f"  healthy {' + '.join(sorted(names))}: {ending}", style="dim", **PLAIN)

    return tell


def _tell_cause(console: Console, cause: ReplayCause, options: ReproOptions) -> int:
    found, baseline = cause.found, cause.baseline
    rule = baseline.cause.rule if baseline.cause else ""
    why = {suspect.name: suspect.why for suspect in cause.suspects}
    if options.as_json:
        told = {"smallest": list(found.names), "experiments": found.experiments, "warning": cause.warning}
        suspects = [asdict(suspect) for suspect in cause.suspects]
        print(
            json.dumps({**told, "rule": rule, "suspects": suspects, "bundle": shown(cause.folder.absolute())}, indent=1)
        )
        return 0 if found.names else DIFFERS
    if baseline.is_mounted:
        console.print(
            "the widget mounts in the replay without a change: there is no cause to find", style="bold", **PLAIN
        )
        return DIFFERS
    if not found.names:
        console.print(
            "no cause found: with a healthy answer for everything that can be replaced, the widget still does not "
            "mount",
            style="bold red",
            **PLAIN,
        )
        console.print("  not replaced: the page's protocol and origin, its scripts, and the browser itself", **PLAIN)
    else:
        console.print(f"smallest cause: {' and '.join(found.names)}", style="bold green", **PLAIN)
        for name in found.names:
            about = FACTS.get(name, f"the exchange {name}")
            console.print(f"  {name + ':':10} {about}" + (f": {why[name]}" if why.get(name) else ""), **PLAIN)
        console.print(
            "  proof:     the widget mounts when this is healthy, and does not mount as recorded "
            f"({found.experiments} experiments)",
            **PLAIN,
        )
    console.print(
        f"  rule:      {rule or 'nothing'}" + (f": {baseline.cause.title}" if baseline.cause else ""), **PLAIN
    )
    if cause.warning:
        console.print(f"  WARNING:   {cause.warning}", style="bold yellow", **PLAIN)
    console.print(f"  bundles:   {shown(cause.folder.absolute())}", **PLAIN)
    return 0 if found.names else DIFFERS


def _counter(console: Console) -> Callable[[int, bool], None]:
    def tell(count: int, is_same: bool) -> None:
        console.print(
            f"  with {count} exchanges: {'the same cause' if is_same else 'another verdict'}", style="dim", **PLAIN
        )

    return tell


def _keep_smaller(
    console: Console, config: Config, recording: Recording, folder: Path | None, smaller: Smaller, options: ReproOptions
) -> int:
    """Write the smaller bundle, as a zip if its name ends in .zip, and a test of it if requested."""
    out = options.minimise
    if folder is None or out is None:
        raise RecordingError("a HAR without a bundle cannot be minimised: put it into a folder as network.har first")
    with TemporaryDirectory(prefix="chatkit-smaller-") as place:
        into = Path(place) / "bundle" if out.suffix == ".zip" else out
        write_smaller(folder, into, smaller.recording, smaller.kept)
        if out.suffix == ".zip":
            pack(into, out)
        before, after = len(recording.exchanges), len(smaller.kept)
        console.print(f"minimised: {after} of {before} exchanges have the same cause", style="bold green", **PLAIN)
        console.print(f"  verdict:   {verdict_told(recording.judged.outcome, recording.judged.cause)}", **PLAIN)
        console.print(f"  bundle:    {shown(out.absolute())} ({smaller.experiments} experiments)", **PLAIN)
        if options.to_scenario:
            return _write_scenario(console, config, smaller.recording, into, options.to_scenario)
    return 0


def _write_scenario(console: Console, config: Config, recording: Recording, folder: Path | None, name: str) -> int:
    """Copy the recording and a test of it into the project's tests. Raises ConfigError when the test exists already."""
    if folder is None:
        raise RecordingError(
            "a HAR without a bundle has no verdict to test: replay it first, and use the bundle of the replay"
        )
    plain = scenario_name(name)
    archive, test = config.test_dir / "recordings" / f"{plain}.zip", config.test_dir / f"test_{plain}.py"
    if test.exists():
        raise ConfigError(f"{shown(test.absolute())} exists already\n  to fix: choose another name, or delete it")
    pack(folder, archive)
    place = archive.relative_to(config.root).as_posix() if archive.is_relative_to(config.root) else archive.as_posix()
    write_text(test, render_scenario_test(recording, name=plain, path=place))
    console.print(f"test:      {shown(test.absolute())}", style="bold green", **PLAIN)
    console.print(f"  recording: {shown(archive.absolute())}", **PLAIN)
    console.print(f"  run it:    pytest {shown(test.absolute())}", **PLAIN)
    return 0


# --- pause -----------------------------------------------------------------------------------------------------


def _pause(console: Console) -> Callable[[Visit], None]:
    """Return a function that keeps the page open, and answered, until the user presses Enter or closes it."""

    def wait(visit: Visit) -> None:
        console.print(
            "the page stays open and is answered from the recording; press Enter to end", style="bold", **PLAIN
        )
        is_over = threading.Event()

        def read() -> None:
            sys.stdin.readline()
            is_over.set()

        threading.Thread(target=read, daemon=True).start()
        try:
            while not is_over.is_set() and not visit.page.is_closed():
                visit.page.wait_for_timeout(200)
        except Error:  # the window was closed
            return

    return wait

"""The commands `sdk pull`, `show`, `diff` and `verify`: snapshots of ChatKit's SDK in folders.

In: a CDN's base URL, folders. Out: a snapshot that a run can use, text about it, an exit code.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from harness.commands.printing import PLAIN
from harness.config.reading import EMBEDDED_SCENARIO, Config
from harness.config.sdk_folders import (
    LOADER,
    SdkFolder,
    cache_folder,
    discard,
    newest_in,
    read_folder,
    read_traits,
    same_in,
    seal,
    stage,
    staging_of,
)
from harness.config.sdk_source import SNAPSHOT, STAND_IN
from harness.config.tables import SDK_NAME
from harness.drive.sdk_download import Pulled, path_of, pull, pull_more
from harness.errors import ConfigError, RecordingError
from harness.model.chatkit import CDN_ORIGIN
from harness.model.redaction import Redactor
from harness.model.results import VisitResult
from harness.model.sdk_generations import SdkTraits
from harness.model.snapshot import SNAPSHOT_FILE, Difference, Snapshot, SnapshotFile, content_digest, difference
from harness.servers.scenarios import fixtures_dir, scenario_named
from harness.servers.server import serve_stack
from harness.visit.browser import launched_browser, opened
from harness.visit.target import keep_of, target_of

DIFFERENT = 1
MOST_ROUNDS = 5
MOST_NAMED = 20
LIVE = "live"
ENTRY = "topic-generation"
DAMAGED = RecordingError.exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class PullOptions:
    """The command-line options of `sdk pull`."""

    base_url: str = CDN_ORIGIN
    out: Path | None = None  # None: a new folder below the user's cache
    is_mounted: bool = True  # mount once, for the files that only a running SDK requests
    is_verbose: bool = False  # list each file that is missing or on another host


def run_pull(console: Console, config: Config, options: PullOptions, environ: Mapping[str, str] = os.environ) -> int:
    """Store the current files of a CDN, and return 0.

    Raises EnvironmentFailure, RecordingError, BundleError; then nothing is stored.
    """
    store = cache_folder(environ, Path.home())
    console.print(f"pulling:   {options.base_url}", **PLAIN)
    pulled = pull(options.base_url)
    place = options.out or store / "snapshot"
    staging = staging_of(place)
    try:
        stage(staging, pulled.contents)
        mounted = _watched(config, pulled, staging) if options.is_mounted else None
        snapshot = pulled.snapshot
        folder = options.out or _place_for(store, snapshot)
        is_new = seal(staging, folder, snapshot)
    finally:
        discard(staging)
    told = "stored" if is_new else "unchanged, already stored"
    console.print(f"{told}: {folder}", style="bold green", **PLAIN)
    _tell_snapshot(console, snapshot)
    _tell_traits(console, snapshot.traits, is_verbose=options.is_verbose)
    _tell_pull(console, pulled, mounted, is_verbose=options.is_verbose)
    console.print(f'  use it:    chatkit-harness gate --sdk "{SNAPSHOT}{folder}"', **PLAIN)
    return 0


def _place_for(store: Path, snapshot: Snapshot) -> Path:
    """Return the folder of a snapshot below the user's cache: named by its day and its content."""
    return same_in(store, snapshot) or store / f"{snapshot.taken_at[:10]}-{snapshot.digest[:12]}"


def _watched(config: Config, pulled: Pulled, staging: Path) -> VisitResult:
    """Mount a widget from the downloaded files, and download other files that it requests, until it requests no more."""
    plain = config.changed({"use.trace": "off", "use.screenshot": "off"})
    with (
        TemporaryDirectory(prefix="chatkit-sdk-") as place,
        serve_stack(scenario=scenario_named(EMBEDDED_SCENARIO), sdk_dir=staging) as stack,
        launched_browser(plain) as browser,
    ):
        for number in range(MOST_ROUNDS):
            target = target_of(plain.embedded_project(), entry=ENTRY, stack=stack)
            with opened(
                browser,
                target,
                Path(place) / str(number),
                config=plain,
                keep=keep_of(plain.use, bodies="off"),
                redactor=Redactor(),
                stack=stack,
            ) as visit:
                visit.open()
                result = visit.wait_until_decided()
            asked = {path_of(answer.path) for answer in stack.answers("cdn") if answer.status == 404}
            before = set(pulled.contents)
            if not pull_more(pulled, sorted(asked)):
                break
            stage(staging, {path: content for path, content in pulled.contents.items() if path not in before})
    return result


def run_show(
    console: Console,
    config: Config,
    folder: Path | None,
    environ: Mapping[str, str] = os.environ,
    *,
    is_verbose: bool = False,
) -> int:
    """Print the content of a snapshot (default: the newest) and the SDK in use; return 0. Raises RecordingError."""
    setting = config.settings[SDK_NAME]
    console.print(f"in use:    {setting.value} ({setting.source})", **PLAIN)
    store = cache_folder(environ, Path.home())
    path = folder or newest_in(store)
    if path is None:
        console.print(f"no snapshot in {store}; create one: chatkit-harness sdk pull", **PLAIN)
        return 0
    found = read_folder(path)
    console.print(f"snapshot:  {path}", style="bold", **PLAIN)
    if found.listed is None:
        console.print(f"  warning:   no {SNAPSHOT_FILE}: its source and date are unknown", style="yellow", **PLAIN)
        _tell_size(console, found.found)
        _tell_traits(console, read_traits(found), is_verbose=is_verbose)
    else:
        _tell_snapshot(console, found.listed)
        traits = found.listed.traits if found.listed.traits.is_known else read_traits(found)
        _tell_traits(console, traits, is_verbose=is_verbose)
        _tell_damage(console, found, is_verbose=is_verbose)
    files = found.found if is_verbose else _first_of(found.found)
    for file in files:
        console.print(f"  {file.sha256[:16]}  {file.bytes:>10,}  {file.path}", **PLAIN)
    if len(files) < len(found.found):
        console.print(f"  … {len(found.found) - len(files):,} more files (-v lists them)", **PLAIN)
    return 0


def _first_of(files: tuple[SnapshotFile, ...]) -> tuple[SnapshotFile, ...]:
    """Return all files if they are few; otherwise the largest ones and those in the loader's folder."""
    if len(files) <= MOST_NAMED:
        return files
    largest = sorted(files, key=lambda file: file.bytes, reverse=True)[: MOST_NAMED // 2]
    beside = LOADER.rpartition("/")[0]
    return tuple(file for file in files if file in largest or file.path.startswith(f"{beside}/"))


def run_verify(
    console: Console, folder: Path | None, environ: Mapping[str, str] = os.environ, *, is_verbose: bool = False
) -> int:
    """Return 0 when a snapshot matches its listing, 11 when it does not. Raises RecordingError when there is no listing."""
    path = folder or _newest(environ)
    found = read_folder(path)
    if found.listed is None:
        raise RecordingError(f"{path} has no {SNAPSHOT_FILE}: there are no hashes to verify")
    if found.damage.is_nothing:
        console.print(f"verified: {path}, {len(found.found)} files", style="bold green", **PLAIN)
        return 0
    console.print(f"damaged: {path}", style="bold red", **PLAIN)
    _tell_difference(console, found.damage, is_verbose=is_verbose)
    return DAMAGED


def run_diff(
    console: Console,
    before: str,
    after: str,
    base_url: str,
    environ: Mapping[str, str] = os.environ,
    *,
    is_verbose: bool = False,
) -> int:
    """Print new, removed and changed files; return 0 when there are none, otherwise 1. Raises RecordingError, EnvironmentFailure."""
    first, second = before or str(_newest(environ)), after or LIVE
    folders = {name: _folder_of(name) for name in (first, second) if name != LIVE}
    sides: dict[str, tuple[SnapshotFile, ...]] = {name: folder.found for name, folder in folders.items()}
    traits = {name: read_traits(folder) for name, folder in folders.items()}
    if LIVE in (first, second):
        # No file names the files that only a mount requests: they are taken from the other side's list.
        known = [file.path for files in sides.values() for file in files]
        live = pull(base_url, seeds=known).snapshot
        sides[LIVE], traits[LIVE] = live.files, live.traits
    names = {LIVE: f"{LIVE} ({base_url})"}
    changes = difference(sides[first], sides[second])
    console.print(f"from: {names.get(first, first)}  {_size(sides[first])}", **PLAIN)
    console.print(f"to:   {names.get(second, second)}  {_size(sides[second])}", **PLAIN)
    if changes.is_nothing:
        console.print("the same files", style="bold green", **PLAIN)
        return 0
    _tell_difference(console, changes, is_verbose=is_verbose)
    _tell_other_traits(console, traits[first], traits[second])
    return DIFFERENT


def _tell_other_traits(console: Console, before: SdkTraits, after: SdkTraits) -> None:
    """Print every option, event and log line that only one of two SDKs has."""
    if not (before.is_known and after.is_known):
        return
    for what, old, new in (
        ("option", before.options, after.options),
        ("event", before.events, after.events),
        ("log line", before.log_lines, after.log_lines),
    ):
        for name in sorted({*new} - {*old}):
            console.print(f"  new {what}: {name}", style="yellow", **PLAIN)
        for name in sorted({*old} - {*new}):
            console.print(f"  removed {what}: {name}", style="yellow", **PLAIN)


def _folder_of(name: str) -> SdkFolder:
    if name == STAND_IN.name:
        return read_folder(fixtures_dir() / "sdk")
    return read_folder(Path(name.removeprefix(SNAPSHOT)).expanduser())


def _newest(environ: Mapping[str, str]) -> Path:
    store = cache_folder(environ, Path.home())
    found = newest_in(store)
    if found is None:
        raise ConfigError(
            f"there is no snapshot in {store}\n  to fix: name a folder, or create one: chatkit-harness sdk pull"
        )
    return found


# --- words --------------------------------------------------------------------------------------------------------


def _tell_snapshot(console: Console, snapshot: Snapshot) -> None:
    when = snapshot.taken_at[:19].replace("T", " ")
    console.print(f"  from:      {snapshot.base_url}, {when} UTC", **PLAIN)
    _tell_size(console, snapshot.files)


def _tell_size(console: Console, files: tuple[SnapshotFile, ...]) -> None:
    console.print(f"  content:   {_size(files)}", **PLAIN)


def _tell_traits(console: Console, traits: SdkTraits, *, is_verbose: bool) -> None:
    """Print its generation of options, events and log lines, and the differences from the last known one."""
    console.print(f"  is:        {traits.told}", **PLAIN)
    counted = f"{len(traits.options)} options, {len(traits.events)} events, {len(traits.log_lines)} log lines"
    console.print(f"  knows:     {counted}", **PLAIN)
    for name, names in (("more", traits.beyond), ("fewer", traits.without)):
        for one in names if is_verbose else ():
            console.print(f"    {name}: {one}", **PLAIN)


def _size(files: tuple[SnapshotFile, ...]) -> str:
    total = sum(file.bytes for file in files)
    return f"{len(files)} files, {total:,} bytes, {content_digest(files)[:12]}"


def _tell_pull(console: Console, pulled: Pulled, mounted: VisitResult | None, *, is_verbose: bool) -> None:
    if mounted is None:
        told, style = "not tried: files that only a running SDK requests may be missing", "yellow"
    elif mounted.is_mounted:
        told, style = "the widget mounts with this SDK", "green"
    else:
        cause = mounted.cause.title if mounted.cause else mounted.explanation
        told, style = f"the widget does not mount with this SDK: {cause}", "yellow"
    console.print(f"  mount:     {told}", style=style, **PLAIN)
    if pulled.missing:
        told = f"{len(pulled.missing):,} files that are loaded later, or only mentioned"
        lines = [f"{path}: {what}" for path, what in sorted(pulled.missing.items())]
        _tell_list(console, "missing:  ", told, lines, is_verbose=is_verbose)
    if pulled.outside:
        told = f"{len(pulled.outside):,} files on other hosts (not stored)"
        lines = [f"{url} (not stored)" for url in pulled.outside]
        _tell_list(console, "elsewhere:", told, lines, is_verbose=is_verbose)


def _tell_list(console: Console, title: str, told: str, lines: list[str], *, is_verbose: bool) -> None:
    """Print the number of files, and with --verbose each one; a single file is printed directly."""
    if len(lines) == 1:
        told, lines = lines[0], []
    elif not is_verbose:
        told, lines = f"{told}; {SNAPSHOT_FILE} lists them", []
    console.print(f"  {title} {told}", style="yellow", **PLAIN)
    for line in lines:
        console.print(f"    {line}", **PLAIN)


def _tell_damage(console: Console, found: SdkFolder, *, is_verbose: bool) -> None:
    if not found.damage.is_nothing:
        console.print(f"  damaged:   it does not match its {SNAPSHOT_FILE}", style="bold red", **PLAIN)
        _tell_difference(console, found.damage, is_verbose=is_verbose)


def _tell_difference(console: Console, changes: Difference, *, is_verbose: bool) -> None:
    """Print the first changes of each kind; with --verbose all of them."""
    new = [f"new      {file.path}  {file.bytes:,} bytes" for file in changes.new]
    gone = [f"removed  {file.path}  {file.bytes:,} bytes" for file in changes.gone]
    changed = [
        f"changed  {before.path}  {before.bytes:,} → {after.bytes:,} bytes ({after.bytes - before.bytes:+,})"
        for before, after in changes.changed
    ]
    for name, lines in (("new", new), ("removed", gone), ("changed", changed)):
        for line in lines if is_verbose else lines[:MOST_NAMED]:
            console.print(f"  {line}", style="yellow", **PLAIN)
        if len(lines) > MOST_NAMED and not is_verbose:
            console.print(f"  … {len(lines) - MOST_NAMED:,} more files are {name} (-v names them)", **PLAIN)

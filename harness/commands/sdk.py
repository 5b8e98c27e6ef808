"""The commands `sdk pull`, `show`, `diff` and `verify`: what ChatKit's CDN serves, kept as a folder.

In: a CDN's base URL, folders. Out: a snapshot that a run can be had on, words about it, an exit code.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from harness.commands.session import PLAIN
from harness.config.reading import EMBEDDED_SCENARIO, Config
from harness.config.schema import SDK_NAME
from harness.config.sdk_folders import (
    SdkFolder,
    cache_folder,
    discard,
    newest_in,
    read_folder,
    same_in,
    seal,
    stage,
    staging_of,
)
from harness.config.sdk_source import SNAPSHOT, STAND_IN
from harness.drive.sdk_download import Pulled, path_of, pull, pull_more
from harness.errors import ConfigError, RecordingError
from harness.model.chatkit import CDN_ORIGIN
from harness.model.redaction import Redactor
from harness.model.results import VisitResult
from harness.model.snapshot import SNAPSHOT_FILE, Difference, Snapshot, SnapshotFile, content_digest, difference
from harness.servers.scenarios import fixtures_dir, scenario_named
from harness.servers.server import serve_stack
from harness.visit.browser import launched_browser, opened
from harness.visit.visit import target_of

DIFFERENT = 1
MOST_ROUNDS = 5
LIVE = "live"
ENTRY = "topic-generation"
DAMAGED = RecordingError.exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class PullOptions:
    """What the command line says about this download."""

    base_url: str = CDN_ORIGIN
    out: Path | None = None  # None: a folder of its own below the user's cache
    is_mounted: bool = True  # watch one mount, for the files that only running the SDK asks for


def run_pull(console: Console, config: Config, options: PullOptions, environ: Mapping[str, str] = os.environ) -> int:
    """Store what a CDN serves now, and return 0.

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
    told = "stored" if is_new else "unchanged, stored already"
    console.print(f"{told}: {folder}", style="bold green", **PLAIN)
    _tell_snapshot(console, snapshot)
    _tell_pull(console, pulled, mounted)
    console.print(f'  use it:    chatkit-harness gate --sdk "{SNAPSHOT}{folder}"', **PLAIN)
    return 0


def _place_for(store: Path, snapshot: Snapshot) -> Path:
    """Return where a snapshot is, or is to be, below the user's cache: named by its day and its content."""
    return same_in(store, snapshot) or store / f"{snapshot.taken_at[:10]}-{snapshot.digest[:12]}"


def _watched(config: Config, pulled: Pulled, staging: Path) -> VisitResult:
    """Mount a widget from what was downloaded, download what it asks for besides, until it asks for nothing more."""
    plain = replace(config, use=replace(config.use, trace="off", screenshot="off"))
    with (
        TemporaryDirectory(prefix="chatkit-sdk-") as place,
        serve_stack(scenario=scenario_named(EMBEDDED_SCENARIO), sdk_dir=staging) as stack,
        launched_browser(plain) as browser,
    ):
        for number in range(MOST_ROUNDS):
            target = target_of(plain.embedded_project(), entry=ENTRY, stack=stack)
            with opened(
                browser, plain, target, Path(place) / str(number), Redactor(), bodies="off", stack=stack
            ) as visit:
                visit.open()
                result = visit.wait_until_decided()
            asked = {path_of(answer.path) for answer in stack.answers("cdn") if answer.status == 404}
            before = set(pulled.contents)
            if not pull_more(pulled, sorted(asked)):
                break
            stage(staging, {path: content for path, content in pulled.contents.items() if path not in before})
    return result


def run_show(console: Console, config: Config, folder: Path | None, environ: Mapping[str, str] = os.environ) -> int:
    """Say what is in a snapshot, the newest one by default, and which SDK is in force; return 0. Raises RecordingError."""
    setting = config.settings[SDK_NAME]
    console.print(f"in force:  {setting.value} ({setting.source})", **PLAIN)
    store = cache_folder(environ, Path.home())
    path = folder or newest_in(store)
    if path is None:
        console.print(f"no snapshot in {store}; make one: chatkit-harness sdk pull", **PLAIN)
        return 0
    found = read_folder(path)
    console.print(f"snapshot:  {path}", style="bold", **PLAIN)
    if found.listed is None:
        console.print(f"  warning:   no {SNAPSHOT_FILE}: unknown where it is from, and when", style="yellow", **PLAIN)
        _tell_size(console, found.found)
    else:
        _tell_snapshot(console, found.listed)
        _tell_damage(console, found)
    for file in found.found:
        console.print(f"  {file.sha256[:16]}  {file.bytes:>10,}  {file.path}", **PLAIN)
    return 0


def run_verify(console: Console, folder: Path | None, environ: Mapping[str, str] = os.environ) -> int:
    """Return 0 when a snapshot is what its listing says, 11 when not. Raises RecordingError when there is no listing."""
    path = folder or _newest(environ)
    found = read_folder(path)
    if found.listed is None:
        raise RecordingError(f"{path} has no {SNAPSHOT_FILE}: there is nothing to verify it against")
    if found.damage.is_nothing:
        console.print(f"whole: {path}, {len(found.found)} files", style="bold green", **PLAIN)
        return 0
    console.print(f"damaged: {path}", style="bold red", **PLAIN)
    _tell_difference(console, found.damage)
    return DAMAGED


def run_diff(
    console: Console,
    before: str,
    after: str,
    base_url: str,
    environ: Mapping[str, str] = os.environ,
) -> int:
    """Say which files are new, gone and changed; return 0 when none is, else 1. Raises RecordingError, EnvironmentFailure."""
    first, second = before or str(_newest(environ)), after or LIVE
    sides: dict[str, tuple[SnapshotFile, ...]] = {
        name: _folder_of(name).found for name in (first, second) if name != LIVE
    }
    if LIVE in (first, second):
        # What a mount asked for is not named by any file: it is asked for by the other side's list.
        known = [file.path for files in sides.values() for file in files]
        sides[LIVE] = pull(base_url, seeds=known).snapshot.files
    names = {LIVE: f"{LIVE} ({base_url})"}
    changes = difference(sides[first], sides[second])
    console.print(f"from: {names.get(first, first)}  {_size(sides[first])}", **PLAIN)
    console.print(f"to:   {names.get(second, second)}  {_size(sides[second])}", **PLAIN)
    if changes.is_nothing:
        console.print("the same files", style="bold green", **PLAIN)
        return 0
    _tell_difference(console, changes)
    return DIFFERENT


def _folder_of(name: str) -> SdkFolder:
    if name == STAND_IN.name:
        return read_folder(fixtures_dir() / "sdk")
    return read_folder(Path(name.removeprefix(SNAPSHOT)).expanduser())


def _newest(environ: Mapping[str, str]) -> Path:
    store = cache_folder(environ, Path.home())
    found = newest_in(store)
    if found is None:
        raise ConfigError(
            f"there is no snapshot in {store}\n  to fix: name a folder, or make one: chatkit-harness sdk pull"
        )
    return found


# --- words --------------------------------------------------------------------------------------------------------


def _tell_snapshot(console: Console, snapshot: Snapshot) -> None:
    when = snapshot.taken_at[:19].replace("T", " ")
    console.print(f"  from:      {snapshot.base_url}, {when} UTC", **PLAIN)
    _tell_size(console, snapshot.files)


def _tell_size(console: Console, files: tuple[SnapshotFile, ...]) -> None:
    console.print(f"  content:   {_size(files)}", **PLAIN)


def _size(files: tuple[SnapshotFile, ...]) -> str:
    total = sum(file.bytes for file in files)
    return f"{len(files)} files, {total:,} bytes, {content_digest(files)[:12]}"


def _tell_pull(console: Console, pulled: Pulled, mounted: VisitResult | None) -> None:
    if mounted is None:
        told, style = "not tried: files that only a running SDK asks for may be missing", "yellow"
    elif mounted.is_mounted:
        told, style = "the widget mounts from it", "green"
    else:
        cause = mounted.cause.title if mounted.cause else mounted.explanation
        told, style = f"the widget does not mount from it: {cause}", "yellow"
    console.print(f"  mount:     {told}", style=style, **PLAIN)
    for path, what in sorted(pulled.missing.items()):
        console.print(f"  missing:   {path}: {what}", style="yellow", **PLAIN)
    for url in pulled.outside:
        console.print(f"  elsewhere: {url} (not stored)", style="yellow", **PLAIN)


def _tell_damage(console: Console, found: SdkFolder) -> None:
    if not found.damage.is_nothing:
        console.print(f"  damaged:   it is not what its {SNAPSHOT_FILE} says", style="bold red", **PLAIN)
        _tell_difference(console, found.damage)


def _tell_difference(console: Console, changes: Difference) -> None:
    for file in changes.new:
        console.print(f"  new      {file.path}  {file.bytes:,} bytes", style="yellow", **PLAIN)
    for file in changes.gone:
        console.print(f"  gone     {file.path}  {file.bytes:,} bytes", style="yellow", **PLAIN)
    for before, after in changes.changed:
        sizes = f"{before.bytes:,} → {after.bytes:,} bytes ({after.bytes - before.bytes:+,})"
        console.print(f"  changed  {before.path}  {sizes}", style="yellow", **PLAIN)

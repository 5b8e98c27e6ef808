"""Replays a recorded visit, unchanged or with a change, and finds the cause of its failure by experiment.

In: a recording, a browser, a change. Out: results, each with its own bundle. Nothing is printed here.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from harness.analysis.replay.minimising import MOST_EXPERIMENTS, minimal
from harness.analysis.replay.suspects import FACTS, Smallest, Suspect, disagreement, smallest, suspects_of
from harness.config.reading import Config
from harness.drive.page_healing import install_mending
from harness.errors import PageError, RecordingError
from harness.model.faults import EXCHANGES, HEALED, HEALTHY, Asked, Fault, combined
from harness.model.limits import Limits
from harness.model.recording import Recording
from harness.model.results import VisitResult
from harness.servers.healing import Healer, sdk_only, session_request
from harness.servers.live import LiveSdk
from harness.servers.named_faults import faults_of
from harness.servers.replay import RECORDED, Elsewhere, serve_replay
from harness.visit.browser import opened
from harness.visit.target import Keep, Target
from harness.visit.visit import Visit

EXPERIMENT_TIMEOUT_MS = 8_000
LONGEST_NAME = 100
RECORD_AGAIN = "record it again: chatkit-harness record URL --out FILE keeps every body up to 32 MB (what needs a larger one has no replay)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayChanges:
    """The changes of a replay: injected faults, healthy exchanges, and repaired parts of the page."""

    faults: tuple[Fault, ...] = ()
    heals: tuple[Fault, ...] = ()
    facts: tuple[str, ...] = ()

    @property
    def is_nothing(self) -> bool:
        """Whether the replay is as it was recorded."""
        return not (self.faults or self.heals or self.facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """The result of a replay."""

    result: VisitResult
    folder: Path
    misses: tuple[str, ...]  # requests that nothing answered, as sentences
    lacks: tuple[str, ...]  # bodies that were asked for and are not in the recording, as sentences
    repeats: int  # answers that were given once more than they were recorded
    trouble: str = ""  # what kept the page from being opened and clicked as it was recorded


def replayed(
    browser: Browser,
    recording: Recording,
    folder: Path,
    *,
    config: Config,
    timing: str = RECORDED,
    change: ReplayChanges | None = None,
    sdk: Path | LiveSdk | None = None,
    limits: Limits | None = None,
    keep: Keep | None = None,
    on_end: Callable[[Visit], None] | None = None,
) -> Replayed:
    """Replay a recording once, write the bundle, and return the result.

    `sdk`: the SDK's files come from there, whatever was recorded. `on_end`: called when there is a verdict, while the page is still open.
    """
    change, trouble = change or ReplayChanges(), ""
    elsewhere = elsewhere_of(recording, change, sdk)
    with (
        serve_replay(recording, timing=timing, faults=change.faults, elsewhere=elsewhere) as server,
        opened(
            browser,
            target_of_recording(recording, limits),
            folder,
            config=config,
            keep=keep or Keep(bodies="on"),
            replay=server,
        ) as visit,
    ):
        if change.facts and isinstance(elsewhere, Healer):
            session = session_request(recording)
            install_mending(
                visit.page.context,
                change.facts,
                session=session,
                secret=elsewhere.secret(),
                custom_url=custom_url(recording),
            )
        try:
            visit.open()
        except PageError as error:
            trouble = str(error)
        visit.wait_until_decided()
        if on_end is not None:
            on_end(visit)
        result = visit.finish()
        replay = server.replay
        misses = tuple(
            f"{m.method} {m.url}" + (f" (nearest: {m.nearest}; {m.difference})" if m.nearest else "")
            for m in replay.misses
        )
        return Replayed(
            result=result,
            folder=folder,
            misses=misses,
            lacks=tuple(replay.lacks),
            repeats=len(replay.matcher.repeats),
            trouble=trouble,
        )


def change_of(texts: Iterable[str]) -> ReplayChanges:
    """Return what expressions such as "session=healthy", "delay:session=8s" and "layout=healthy" change about a replay.

    `healthy` takes back a fault that was named before it; where there is none, it heals what was recorded. Raises ConfigError.
    """
    faults: list[Fault] = []
    heals: list[Fault] = []
    facts: list[str] = []
    for text in texts:
        name, _, value = text.partition("=")
        if name in FACTS and value in HEALED:
            facts.append(name)
            continue
        for fault in faults_of([text]):
            left = combined((*faults, fault))
            if fault.verb == HEALTHY and len(left) == len(faults):
                heals.append(fault)
            faults = list(left)
    return ReplayChanges(faults=tuple(faults), heals=tuple(heals), facts=tuple(dict.fromkeys(facts)))


def healing(names: Iterable[str]) -> ReplayChanges:
    """Return the change that heals these suspects."""
    names = tuple(names)
    return ReplayChanges(
        heals=tuple(Fault(verb=HEALTHY, target=name) for name in names if name not in FACTS),
        facts=tuple(name for name in names if name in FACTS),
    )


def elsewhere_of(recording: Recording, change: ReplayChanges, sdk: Path | LiveSdk | None = None) -> Elsewhere | None:
    """Return what answers in place of a recording when this is changed; None when nothing does."""
    if change.heals or change.facts:
        return Healer(change.heals, recording, sdk_dir=sdk if isinstance(sdk, Path) else None)
    return sdk_only(recording, sdk) if isinstance(sdk, Path) else sdk


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayCause:
    """The result of the experiments."""

    baseline: VisitResult  # of the replay without a change
    suspects: tuple[Suspect, ...]
    found: Smallest
    warning: str  # where the rules say something else; "" where they do not
    folder: Path  # of the experiments' bundles


def cause_of(
    browser: Browser,
    recording: Recording,
    folder: Path,
    *,
    config: Config,
    on_experiment: Callable[[frozenset[str], bool], None] = lambda _names, _is_mounted: None,
) -> ReplayCause:
    """Return the smallest set of suspects whose healing lets the widget mount. Nothing is healed that mounts by itself."""
    limits = target_of_recording(recording).limits
    quick = dataclasses.replace(limits, mount_timeout_ms=min(limits.mount_timeout_ms, EXPERIMENT_TIMEOUT_MS))

    def one(name: str, change: ReplayChanges) -> Replayed:
        return replayed(
            browser,
            recording,
            folder / name,
            config=config,
            change=change,
            limits=quick,
            keep=Keep(screenshot="off"),
        )

    as_recorded = one("as-recorded", ReplayChanges())
    baseline = as_recorded.result
    if as_recorded.lacks and not baseline.is_mounted:
        raise RecordingError(f"{recording.name} cannot be reproduced: {as_recorded.lacks[0]}\n  to fix: {RECORD_AGAIN}")
    suspects = suspects_of(recording)

    def works(names: frozenset[str]) -> bool:
        is_mounted = one("+".join(sorted(names))[:LONGEST_NAME], healing(names)).result.is_mounted
        on_experiment(names, is_mounted)
        return is_mounted

    found = Smallest(names=(), experiments=0) if baseline.is_mounted else smallest(suspects, works)
    rule = baseline.cause.rule if baseline.cause else ""
    return ReplayCause(
        baseline=baseline,
        suspects=suspects,
        found=found,
        warning=disagreement(rule, found.names),
        folder=folder,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Smaller:
    """A recording that shows the same cause with less."""

    recording: Recording
    kept: frozenset[int]  # numbers of its exchanges in the whole one
    experiments: int


def minimised(
    browser: Browser,
    recording: Recording,
    folder: Path,
    *,
    config: Config,
    on_experiment: Callable[[int, bool], None],
    most: int = MOST_EXPERIMENTS,
) -> Smaller:
    """Return the recording without what is not needed to see the same verdict and cause.

    `on_experiment` hears how many exchanges were left, and whether it was the same. Raises RecordingError when not even the
    whole recording shows it.
    """
    numbers = itertools.count(1)
    limits = target_of_recording(recording).limits
    quick = dataclasses.replace(limits, mount_timeout_ms=min(limits.mount_timeout_ms, EXPERIMENT_TIMEOUT_MS))

    def verdict(smaller: Recording) -> tuple[str, str]:
        result = replayed(
            browser,
            smaller,
            folder / f"{next(numbers):03}",
            config=config,
            limits=quick,
            keep=Keep(screenshot="off", bodies="off"),
        ).result
        return result.outcome, result.cause.rule if result.cause else ""

    def without(kept: frozenset[int], storage: dict[str, Any]) -> Recording:
        exchanges = tuple(x for x in recording.exchanges if x.number in kept)
        left_out = recording.left_out + len(recording.exchanges) - len(exchanges)
        return dataclasses.replace(recording, exchanges=exchanges, storage=storage, left_out=left_out)

    whole = verdict(recording)
    if recording.judged.outcome and whole != (recording.judged.outcome, recording.judged.cause):
        raise RecordingError(
            f"{recording.name} is not reproduced without a change (recorded {recording.judged.outcome} "
            f"{recording.judged.cause}, replayed {' '.join(whole)}): it cannot be minimised"
        )

    def works(kept: frozenset[int]) -> bool:
        is_same = verdict(without(kept, recording.storage)) == whole
        on_experiment(len(kept), is_same)
        return is_same

    kept, experiments = minimal(recording, works, most=most)
    storage = recording.storage
    if storage and verdict(without(kept, {})) == whole:
        storage = {}
    return Smaller(recording=without(kept, storage), kept=kept, experiments=experiments)


def custom_url(recording: Recording) -> str:
    """Return the URL of the page's own chat backend, "" when there is none."""
    custom = EXCHANGES["custom"]
    for x in recording.exchanges:
        if custom.is_it(Asked(method=x.method, url=x.url, operation=x.operation)):
            return x.url
    return ""


def target_of_recording(recording: Recording, limits: Limits | None = None) -> Target:
    """Return what was visited, to be judged as it was."""
    judged = recording.judged
    return Target(
        url=recording.url,
        project=recording.project or "replay",
        entry=recording.entry,
        actions=recording.actions,
        network="replay",
        limits=limits or judged.limits,
        prefetch=judged.prefetch_expected,
        console_allow=judged.console_allow,
        session_endpoint=judged.session_endpoint,
    )

"""The gate's baseline: compare a run with it, measure slow tests again, and save a run as the new baseline.

In: the configuration, command-line options, folders of runs. Out: text for the console, `regressions.json`, a baseline file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.analysis.baseline import (
    BaselineComparison,
    RunProfile,
    Tolerance,
    VisitProfile,
    compare,
    confirmed,
    control_ms_of,
    profile_of,
    updated,
)
from harness.config.reading import COMMAND_LINE, DEFAULT, Config
from harness.config.schema import problem
from harness.errors import BundleError, ConfigError, ExitCode, RecordingError
from harness.model.redaction import Redactor
from harness.model.results import VisitResult
from harness.pytest_plugin.speed_control import FOLDER as CONTROL_FOLDER
from harness.pytest_plugin.speed_control import WARM_UP
from harness.report.baseline_file import Baseline, read_baseline, write_baseline
from harness.report.bundle import read_result, write_json
from harness.report.comparison import FILE_NAME, Bundles, Compared, render_comparison, saved_comparison
from harness.report.run_folder import shown
from harness.report.run_on_disk import is_within, read_entries, read_outcomes

MOST_REPETITIONS = 2  # of tests whose regressions may be random
AGAIN = "again"
ENDED_WELL = (ExitCode.PASSED, ExitCode.PASSED_AFTER_RETRY)  # of a run that may become the baseline
# Runs these tests with results below a folder, and returns the folder of that run.
Repeat = Callable[[list[str], Path], Path | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineOptions:
    """The command-line options for the baseline. None: the option was not given; "": it was given without a file."""

    compared: str | None = None
    updated: str | None = None
    is_forced: bool = False
    is_left_out: bool = False
    is_partial: bool = False  # only some tests are selected


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselinePlan:
    """Which baseline to use, and what to do with it."""

    path: Path
    before: Baseline  # empty when there is no file yet
    is_updated: bool  # otherwise it is compared, and a regression fails the run
    is_forced: bool
    is_partial: bool
    project: str
    browser: str
    tolerance: Tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineOutcome:
    """The result: text, the number of regressions, and whether an update was refused."""

    words: str = ""
    regressions: int = 0
    is_refused: bool = False


def plan_of(config: Config, options: BaselineOptions) -> BaselinePlan | None:
    """Return the plan; None when no baseline is used. Raises ConfigError for a file that cannot be used."""
    if options.is_left_out and (options.compared is not None or options.updated is not None):
        raise _contradiction(
            "--no-baseline cannot be combined with --baseline or --update-baseline", "remove one of the options"
        )
    if options.compared is not None and options.updated is not None:
        raise _contradiction("--baseline and --update-baseline cannot be combined", "remove one of the options")
    if options.is_forced and options.updated is None:
        raise _contradiction("--force requires --update-baseline", "add --update-baseline, or remove --force")
    is_configured = config.settings["baseline.file"].source != DEFAULT and not options.is_left_out
    is_updated = options.updated is not None
    if not is_updated and options.compared is None and not is_configured:
        return None
    named = options.updated or options.compared
    path = Path(named) if named else config.root / config.baseline.file
    is_new = is_updated and not path.exists()
    if is_updated:
        _require_writable(path)
    return BaselinePlan(
        path=path,
        before=Baseline() if is_new else read_baseline(path),
        is_updated=is_updated,
        is_forced=options.is_forced,
        is_partial=options.is_partial,
        project=config.project_name,
        browser=config.use.browser,
        tolerance=Tolerance(ratio=config.baseline.slower_ratio, by_ms=config.baseline.slower_by_ms),
    )


def _contradiction(what: str, fix: str) -> ConfigError:
    expected = "--baseline [FILE], --update-baseline [FILE] [--force], or --no-baseline"
    return problem(what, where=COMMAND_LINE, key="", expected=expected, found="both", fix=fix)


def _require_writable(path: Path) -> None:
    """Raise ConfigError before the tests run, not after them."""
    folder = path.absolute().parent
    if path.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        raise problem(
            f"the baseline {path} cannot be written",
            where=str(path),
            key="",
            expected="a file in an existing, writable folder",
            found="a folder" if path.is_dir() else "no such folder" if not folder.exists() else "no permission",
            fix="correct the path, or create the folder",
        )


# --- profiles of a run --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRead:
    """A run on disk."""

    profile: RunProfile
    bundles: Bundles
    nodeids: Mapping[str, str]  # pytest's node id of each test on this machine


def read_run(folder: Path, config: Config, redactor: Redactor) -> RunRead:
    """Return the profile of a run from the last attempt of each test; unreadable bundles are skipped."""
    tests: list[str] = []
    visits: list[VisitProfile] = []
    bundles: dict[tuple[str, int], str] = {}
    nodeids: dict[str, str] = {}
    for outcome in read_outcomes(folder):
        if outcome.outcome == "skipped":
            continue
        nodeid, test = outcome.nodeid, _portable(outcome.nodeid, config.root)
        tests.append(test)
        nodeids[test] = nodeid
        for number, place in enumerate(outcome.bundles, start=1):
            profile = _profile_in(folder, folder / place, config, redactor, test, number)
            if profile is not None:
                visits.append(profile)
                bundles[test, number] = shown(folder / place)
    controls = (
        _profile_in(folder, place, config, redactor, CONTROL_FOLDER, 1)
        for place in sorted(folder.glob(f"{CONTROL_FOLDER}/*/*"))
    )
    measured = [profile for profile in controls if profile is not None]
    return RunRead(
        profile=RunProfile(tests=tuple(dict.fromkeys(tests)), visits=tuple(visits), control_ms=control_ms_of(measured)),
        bundles=bundles,
        nodeids=nodeids,
    )


def _profile_in(
    run: Path, bundle: Path, config: Config, redactor: Redactor, test: str, number: int
) -> VisitProfile | None:
    if bundle.name == WARM_UP or not is_within(run, bundle):
        return None
    try:
        result = read_result(bundle)
        entries, _ = read_entries(bundle)
    except (BundleError, RecordingError, OSError):
        return None
    return profile_of(
        entries,
        result,
        test=test,
        number=number,
        session_endpoint=_endpoint(config, result),
        clean=redactor.shown,
    )


def _endpoint(config: Config, result: VisitResult) -> str:
    try:
        return config.project(result.project).session_endpoint
    except ConfigError:  # a URL of no project
        return ""


def _portable(nodeid: str, root: Path) -> str:
    """Return a node id that is the same on all machines: pytest uses absolute paths for files outside of its root."""
    file, separator, rest = nodeid.partition("::")
    return os.path.relpath(file, root).replace(os.sep, "/") + separator + rest if Path(file).is_absolute() else nodeid


# --- judgement ----------------------------------------------------------------------------------------------------


def judge_run(
    plan: BaselinePlan,
    folder: Path,
    config: Config,
    *,
    code: int,
    redactor: Redactor,
    repeat: Repeat,
    say: Callable[[str], None],
) -> BaselineOutcome:
    """Compare a finished run with its baseline and write `regressions.json`, or save the run as the baseline."""
    run = read_run(folder, config, redactor)
    before = plan.before.run(plan.project, plan.browser) or RunProfile(tests=(), visits=(), control_ms=None)
    comparison = compare(before, run.profile, plan.tolerance)
    if not plan.is_updated:
        comparison = _measured_again(plan, comparison, before, run.nodeids, folder, config, redactor, repeat, say)
    known = {(visit.test, visit.number) for visit in before.visits}
    compared = Compared(
        file=shown(plan.path.absolute()),
        project=plan.project,
        browser=plan.browser,
        visits=sum((visit.test, visit.number) in known for visit in run.profile.visits),
        control_ms=run.profile.control_ms,
        baseline_control_ms=before.control_ms,
    )
    refused = _refusal(plan, run.profile, code) if plan.is_updated else ""
    is_accepted = plan.is_updated and not refused
    words = []
    if before.tests or not plan.is_updated:
        write_json(folder / FILE_NAME, redactor.value(saved_comparison(compared, comparison, run.bundles)))
        told = render_comparison(compared, comparison, run.bundles, is_accepted=is_accepted)
        words.append(redactor.shown(told))
    if not plan.is_updated:
        return BaselineOutcome(words="\n".join(words), regressions=len(comparison.regressions))
    words.append(refused or _update(plan, run.profile))
    return BaselineOutcome(words="\n".join(words), is_refused=bool(refused))


def _measured_again(
    plan: BaselinePlan,
    comparison: BaselineComparison,
    before: RunProfile,
    nodeids: Mapping[str, str],
    folder: Path,
    config: Config,
    redactor: Redactor,
    repeat: Repeat,
    say: Callable[[str], None],
) -> BaselineComparison:
    """Return the comparison with only those timing regressions that occur in every measurement."""
    for number in range(1, MOST_REPETITIONS + 1):
        tests = list(dict.fromkeys(r.test for r in comparison.regressions if r.is_timing))
        if not tests:
            break
        what = "1 test" if len(tests) == 1 else f"{len(tests)} tests"
        say(f"baseline: {what} may be slow only by chance: measuring again ({number} of {MOST_REPETITIONS})")
        found = repeat([nodeids[test] for test in tests], folder / f"{AGAIN}-{number}")
        if found is None:
            break
        again = read_run(found, config, redactor).profile
        comparison = confirmed(comparison, compare(before, again, plan.tolerance), again.visits)
    return comparison


def _refusal(plan: BaselinePlan, profile: RunProfile, code: int) -> str:
    """Why this run is not saved as the baseline; "" when it is."""
    left = f"baseline: {shown(plan.path.absolute())} is unchanged"
    if not profile.visits:
        return f"{left}: no test of this run opened a page"
    if code in ENDED_WELL or (code == ExitCode.FAILED and plan.is_forced):
        return ""
    if code == ExitCode.FAILED:
        return f"{left}, because the run failed (to save it anyway: --update-baseline --force)"
    return f"{left}, because the run did not complete (exit code {code})"


def _update(plan: BaselinePlan, profile: RunProfile) -> str:
    before = plan.before.run(plan.project, plan.browser)
    run = updated(before, profile, plan.tolerance, is_partial=plan.is_partial)
    write_baseline(plan.path, plan.before.with_run(plan.project, plan.browser, run))
    tests = "1 test" if len(run.tests) == 1 else f"{len(run.tests)} tests"
    visits = "1 visit" if len(run.visits) == 1 else f"{len(run.visits)} visits"
    return (
        f"baseline: {shown(plan.path.absolute())} holds {tests} with {visits} of project {plan.project} on "
        f"{plan.browser}"
    )

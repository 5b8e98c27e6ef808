"""The baseline on disk: one JSON file for all projects and browsers, with a stable order so that diffs show only real changes.

In: run profiles, a path. Out: run profiles. Times are multiples of the run's control visit, so that they can be compared between
machines; `control_ms` is the duration of one control. Raises ConfigError that names the file and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from harness.analysis.baseline import RunProfile, VisitProfile
from harness.config.schema import problem
from harness.errors import BundleError, ConfigError, RecordingError
from harness.model import codec
from harness.model.codec import Amount, Count, Format, NewerFormat, Unfit
from harness.report.bundle import write_text
from harness.report.run_folder import shown

FORMAT = Format(name="chatkit-harness/baseline", version=1)
WHERE = "the baseline"
MAKE = "chatkit-harness gate --update-baseline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The content of a baseline file: a run's profile for each project and browser."""

    runs: Mapping[tuple[str, str], RunProfile] = field(default_factory=dict)

    def run(self, project: str, browser: str) -> RunProfile | None:
        """Return the profile for a project in a browser; None when the file has none."""
        return self.runs.get((project, browser))

    def with_run(self, project: str, browser: str, run: RunProfile) -> Baseline:
        """Return the baseline with a replaced profile."""
        return replace(self, runs={**self.runs, (project, browser): run})


# --- writing ------------------------------------------------------------------------------------------------------


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write the file atomically. Raises ConfigError when that is not possible."""
    try:
        write_text(path, render_baseline(baseline))
    except BundleError as error:
        raise problem(
            f"the baseline {path} cannot be written",
            where=str(path),
            key="",
            expected="a file in a folder that can be written",
            found=str(error),
            fix=f"correct the path or its permissions: {MAKE} FILE",
        ) from error


def render_baseline(baseline: Baseline) -> str:
    """Return the file's text: everything sorted, one value per line."""
    projects: dict[str, Any] = {}
    for (project, browser), run in sorted(baseline.runs.items()):
        projects.setdefault(project, {})[browser] = _saved_run(run)
    return codec.json_text({**FORMAT.header, "projects": projects}, indent=1) + "\n"


def _saved_run(run: RunProfile) -> dict[str, Any]:
    tests: dict[str, list[Any]] = {test: [] for test in sorted(run.tests)}
    for visit in sorted(run.visits, key=lambda visit: (visit.test, visit.number)):
        tests.setdefault(visit.test, []).append(_saved_visit(visit, run.control_ms))
    return {"control_ms": round(run.control_ms) if run.control_ms else None, "tests": tests}


def _saved_visit(visit: VisitProfile, control_ms: float | None) -> dict[str, Any]:
    control = round(control_ms) if control_ms else 0
    return {
        "visit": visit.number,
        "entry": visit.entry,
        "outcome": visit.outcome,
        "session_requests": visit.session_requests,
        "outside_hosts": sorted(visit.outside_hosts),
        "console_errors": sorted(visit.console_errors),
        "milestones": {
            name: round(at_ms / control, 2) if at_ms is not None and control else None
            for name, at_ms in visit.milestones
        },
    }


# --- reading ------------------------------------------------------------------------------------------------------


def read_baseline(path: Path) -> Baseline:
    """Return the content of a file. Raises ConfigError when it is missing, unreadable, not a baseline, newer, or damaged."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        make = f"create one from a good run: {MAKE} {shown(path.absolute())}"
        raise _refusal(path, "there is no baseline", "no such file", make) from None
    except OSError as error:
        fix = "correct the path or its permissions"
        raise _refusal(path, "the baseline cannot be read", error.strerror or str(error), fix) from error
    try:
        data = FORMAT.opened(codec.parsed(content, WHERE), WHERE)
        saved = codec.decoded(_Projects, data.get("projects"), where=WHERE, at="projects")
    except NewerFormat as error:
        fix = f"update chatkit-harness, or {_anew(path)}"
        raise _refusal(path, str(error).partition(";")[0], "a newer one", fix) from error
    except Unfit as damage:
        fix = f"restore it from version control, or {_anew(path)}"
        raise _refusal(path, f"{WHERE} is damaged", damage.found, fix, damage.at, damage.expected) from damage
    except RecordingError as error:
        fix = f"name the right file, or {_anew(path)}"
        raise _refusal(path, "this is not a baseline", "another kind of JSON", fix) from error
    return Baseline(
        runs={(project, browser): _run(run) for project, runs in saved.items() for browser, run in runs.items()}
    )


def _anew(path: Path) -> str:
    return f"delete it and create a new one: {MAKE} {shown(path.absolute())}"


def _refusal(path: Path, what: str, found: str, fix: str, key: str = "", expected: str = "") -> ConfigError:
    error: ConfigError = problem(
        what,
        where=str(path),
        key=key,
        expected=expected or f"a {FORMAT.name} file, version {FORMAT.version}",
        found=found,
        fix=fix,
    )
    return error


@dataclass(frozen=True, slots=True, kw_only=True)
class _SavedVisit:
    """A visit in the file; `milestones` are multiples of the control."""

    visit: Count
    entry: str
    outcome: Literal["mounted", "failed", "timeout", "undecided"]
    session_requests: Count
    outside_hosts: tuple[str, ...]
    console_errors: tuple[str, ...]
    milestones: dict[str, Amount | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _SavedRun:
    """A run in the file."""

    tests: dict[str, tuple[_SavedVisit, ...]]
    control_ms: Amount | None = None


_Projects = dict[str, dict[str, _SavedRun]]


def _run(saved: _SavedRun) -> RunProfile:
    control_ms = saved.control_ms or None
    return RunProfile(
        tests=tuple(saved.tests),
        visits=tuple(_visit(visit, test, control_ms) for test, visits in saved.tests.items() for visit in visits),
        control_ms=control_ms,
    )


def _visit(saved: _SavedVisit, test: str, control_ms: float | None) -> VisitProfile:
    return VisitProfile(
        test=test,
        number=saved.visit,
        entry=saved.entry,
        outcome=saved.outcome,
        session_requests=saved.session_requests,
        outside_hosts=saved.outside_hosts,
        console_errors=saved.console_errors,
        milestones=tuple(
            (name, None if at is None or not control_ms else at * control_ms) for name, at in saved.milestones.items()
        ),
    )

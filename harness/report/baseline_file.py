"""The baseline on disk: JSON that differs between two versions only where the runs do, for all projects and browsers in one file.

In: run profiles, a path. Out: the same again. Times are in controls (how long the control visit of the same run took), so that they mean
something on another machine; `control_ms` says what one control was. Raises ConfigError that names the file and what to do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from harness.analysis.baseline import RunProfile, VisitProfile
from harness.config.schema import problem
from harness.errors import BundleError, ConfigError
from harness.report.bundle import write_text
from harness.report.run_folder import shown

FORMAT = "chatkit-harness/baseline"
VERSION = 1
MAKE = "chatkit-harness gate --update-baseline"
OUTCOMES = ("mounted", "failed", "timeout", "undecided")


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What a baseline file holds: a run's profile by project and browser."""

    runs: Mapping[tuple[str, str], RunProfile] = field(default_factory=dict)

    def run(self, project: str, browser: str) -> RunProfile | None:
        """Return the profile for a project in a browser; None when the file has none."""
        return self.runs.get((project, browser))

    def with_run(self, project: str, browser: str, run: RunProfile) -> Baseline:
        """Return the baseline with another profile there."""
        return replace(self, runs={**self.runs, (project, browser): run})


# --- writing ------------------------------------------------------------------------------------------------------


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write the file whole or not at all. Raises ConfigError when that is not possible."""
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
    """Return the file's text: everything sorted, one value a line."""
    projects: dict[str, Any] = {}
    for (project, browser), run in sorted(baseline.runs.items()):
        projects.setdefault(project, {})[browser] = _saved_run(run)
    return json.dumps({"format": FORMAT, "version": VERSION, "projects": projects}, ensure_ascii=False, indent=1) + "\n"


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
    """Return what a file holds. Raises ConfigError: it is missing, unreadable, no baseline, newer, or damaged."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        _refuse(
            path, "there is no baseline", "no such file", f"make one from a good run: {MAKE} {shown(path.absolute())}"
        )
    except OSError as error:
        _refuse(
            path, "the baseline cannot be read", error.strerror or str(error), "correct the path or its permissions"
        )
    except (ValueError, RecursionError) as error:
        found = "bytes that are not UTF-8" if isinstance(error, UnicodeDecodeError) else f"no JSON: {error}"
        _refuse(path, "the baseline is damaged", found, _anew(path))
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        _refuse(path, "this is no baseline", "another kind of JSON", f"name the right file, or {_anew(path)}")
    version = data.get("version")
    if type(version) is not int or version < 1:
        _refuse(path, "the baseline is damaged", f"version {version!r:.40}", _anew(path))
    if version > VERSION:
        _refuse(
            path,
            f"the baseline's format {version} is newer than the {VERSION} that this version reads",
            f'"version": {version}',
            f"update chatkit-harness, or {_anew(path)}",
        )
    try:
        return Baseline(
            runs={
                (project, browser): _run(run, f"projects.{project}.{browser}")
                for project, browsers in _table(data.get("projects"), "projects").items()
                for browser, run in _table(browsers, f"projects.{project}").items()
            }
        )
    except _Damaged as damage:
        _refuse(path, "the baseline is damaged", str(damage), f"restore it from version control, or {_anew(path)}")


def _anew(path: Path) -> str:
    return f"delete it and make it anew: {MAKE} {shown(path.absolute())}"


def _refuse(path: Path, what: str, found: str, fix: str) -> NoReturn:
    error: ConfigError = problem(
        what, where=str(path), key="", expected=f"a {FORMAT} file, version {VERSION}", found=found, fix=fix
    )
    raise error from None


class _Damaged(Exception):
    """A value of the file is not what it has to be: its path, and what was found."""


def _run(data: Any, where: str) -> RunProfile:
    table = _table(data, where)
    control = table.get("control_ms")
    control_ms = None if control is None else _number(control, f"{where}.control_ms")
    tests = _table(table.get("tests"), f"{where}.tests")
    return RunProfile(
        tests=tuple(tests),
        visits=tuple(
            _visit(visit, test, control_ms, f"{where}.tests[{test!r}][{place}]")
            for test, visits in tests.items()
            for place, visit in enumerate(_list(visits, f"{where}.tests[{test!r}]"))
        ),
        control_ms=control_ms or None,
    )


def _visit(data: Any, test: str, control_ms: float | None, where: str) -> VisitProfile:
    table = _table(data, where)
    milestones = _table(table.get("milestones"), f"{where}.milestones")
    return VisitProfile(
        test=test,
        number=_whole(table.get("visit"), f"{where}.visit"),
        entry=_text(table.get("entry"), f"{where}.entry"),
        outcome=_one_of(OUTCOMES, table.get("outcome"), f"{where}.outcome"),
        session_requests=_whole(table.get("session_requests"), f"{where}.session_requests"),
        outside_hosts=_texts(table.get("outside_hosts"), f"{where}.outside_hosts"),
        console_errors=_texts(table.get("console_errors"), f"{where}.console_errors"),
        milestones=tuple(
            (name, None if at is None or not control_ms else _number(at, f"{where}.milestones.{name}") * control_ms)
            for name, at in milestones.items()
        ),
    )


def _table(value: Any, where: str) -> dict[str, Any]:
    return value if isinstance(value, dict) else _damaged(where, "an object", value)


def _list(value: Any, where: str) -> list[Any]:
    return value if isinstance(value, list) else _damaged(where, "a list", value)


def _text(value: Any, where: str) -> str:
    return value if isinstance(value, str) else _damaged(where, "a text", value)


def _texts(value: Any, where: str) -> tuple[str, ...]:
    return tuple(_text(item, f"{where}[{place}]") for place, item in enumerate(_list(value, where)))


def _one_of(names: tuple[str, ...], value: Any, where: str) -> str:
    return str(value) if value in names else _damaged(where, f"one of {', '.join(names)}", value)


def _whole(value: Any, where: str) -> int:
    return value if type(value) is int and value >= 0 else _damaged(where, "a whole number, 0 or more", value)


def _number(value: Any, where: str) -> float:
    is_number = type(value) in (int, float) and 0 <= value < float("inf")
    return float(value) if is_number else _damaged(where, "a number, 0 or more", value)


def _damaged(where: str, expected: str, value: Any) -> NoReturn:
    raise _Damaged(f"{where} is {json.dumps(value)[:60]}, not {expected}")

"""The command `report`: regenerates `report.html` from the files of a run, or merges the runs of several shards.

In: folders. Out: files, their paths on the console, an exit code. Raises BundleError for a folder without a run, SecretFound.
"""

from __future__ import annotations

import os
import sys
import webbrowser
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from harness import __version__
from harness.commands.printing import PLAIN
from harness.config.reading import Config
from harness.errors import BundleError, SecretFound
from harness.model.file_names import CTRF_NAME
from harness.model.redaction import Redactor
from harness.report.ci_systems import CiSystem, tell_ci
from harness.report.history import read_history
from harness.report.merge import merge_runs, runs_named
from harness.report.run_files import typed_command, write_ctrf
from harness.report.run_folder import new_run_folder, publish, runs_in, shown
from harness.report.run_on_disk import read_run
from harness.report.run_report import write_report
from harness.report.search import Secret, prove, render_proof
from harness.report.trend import Night, nights_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """The command-line options of `report`."""

    folders: tuple[Path, ...] = ()
    is_merged: bool = False
    is_opened: bool = False
    history: Path | None = None
    ci: CiSystem | None = None


def run_report(console: Console, config: Config, options: ReportOptions) -> int:
    """Write the reports and return 0."""
    nights = _nights(console, options.history)
    redactor = Redactor(config.secrets)
    folders = options.folders or (config.output_dir,)
    runs = tuple(dict.fromkeys(run.resolve() for folder in folders for run in runs_named(folder)))
    if options.is_merged:
        target = new_run_folder(config.output_dir, keep_runs=config.keep_runs)
        record = merge_runs(runs, target, command=redactor.text(typed_command(sys.argv)))
        console.print(f"merged {len(runs)} runs", **PLAIN)
        for problem in record.problems:
            console.print(f"  {problem.splitlines()[0]}", style="bold yellow", **PLAIN)
        runs = (target,)
    for folder in runs:
        path = _written(console, folder, redactor, nights)
        if options.is_merged:
            tell_ci(read_run(folder), options.ci, os.environ, redactor)
        if options.is_opened:
            webbrowser.open(path.as_uri())
    return 0


def _nights(console: Console, history: Path | None) -> tuple[Night, ...]:
    if history is None:
        return ()
    if not history.exists():
        raise BundleError(f"cannot read the history {history}: there is no such file")
    lines = read_history(history)
    if lines.unreadable:
        console.print(f"{history}: {lines.unreadable} lines cannot be read, and were skipped", **PLAIN)
    if lines.newer:
        console.print(f"{history}: {lines.newer} lines have a newer format, and were skipped", **PLAIN)
    return nights_of(lines)


def _written(console: Console, folder: Path, redactor: Redactor, nights: tuple[Night, ...]) -> Path:
    run = read_run(folder)
    path = write_report(folder, version=__version__, clean=redactor.text, nights=nights, run=run)
    write_ctrf(run, redactor)
    proof = prove(
        folder, (Secret(kind=kind, value=value) for kind, value in redactor.learned), (path, folder / CTRF_NAME)
    )
    if proof.hits:
        raise SecretFound(render_proof(proof, folder=shown(folder)))
    if runs_in(folder.parent)[:1] == (folder,):  # an older run's report does not replace the newest
        publish(folder)
    console.print(f"report: {shown(path)}", **PLAIN)
    return path

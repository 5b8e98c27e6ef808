"""What commands have around their visits, as one `with`: the run's folder, its record, interruptions, the report, the search for secrets.

In: a console, and the configuration. Out: a `RunSession` while it lasts; afterwards files, words, and SecretFound if a secret was written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console

from harness.commands.printing import PLAIN
from harness.config.reading import Config
from harness.drive.interrupts import interrupts
from harness.errors import ExitCode, HarnessError, SecretFound
from harness.model.file_names import REPORT_NAME
from harness.model.redaction import Redactor
from harness.model.results import Loss
from harness.report.ci_systems import CiSystem
from harness.report.losses import render_losses
from harness.report.run_files import RunFiles, record_of
from harness.report.run_folder import publish, run_folder_for, shown
from harness.report.search import NOT_SEARCHED, Secret, prove, render_proof
from harness.report.trend import Night

if TYPE_CHECKING:
    from harness.visit.visit import Visit


@dataclass(slots=True, kw_only=True)
class RunSession:
    """One call of a command, from its folder to its end. What it is told here stands in the report."""

    console: Console
    folder: Path  # of the run
    redactor: Redactor
    files: RunFiles
    is_searched: bool
    exit_code: int = -1  # until the command sets it
    problems: list[str] = field(default_factory=list)  # the error, for the report
    nights: tuple[Night, ...] = ()  # earlier runs, for the trend
    visits: list[Visit] = field(default_factory=list)  # those whose losses are said at the end

    def close(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Write the report, and search the command's files for every secret. Raises SecretFound."""
        self._tell_losses([loss for visit in self.visits for loss in visit.losses])
        self.files.mask(value for _, value in self.redactor.learned)
        told = [] if error is None else [f"{type(error).__name__}: {error}"]
        losses = self.files.end(
            exit_code=self.exit_code if error is None else _code_of(error),
            problems=(*self.problems, *told),
            nights=self.nights,
        )
        self._tell_losses(losses)
        self._search()

    def _tell_losses(self, losses: list[Loss]) -> None:
        """Print which files could not be written, and why."""
        below = (Loss(file=_below(self.folder, loss.file), reason=loss.reason) for loss in losses)
        if losses:
            self.console.print(render_losses(below, folder=shown(self.folder)), style="bold red", **PLAIN)

    def _search(self) -> None:
        """Search what the command wrote for every secret. Raises SecretFound."""
        for kind, why in self.redactor.refused:
            self.console.print(f"not redacted: a secret of the kind {kind}, because {why}", **PLAIN)
        if not self.is_searched:
            self.console.print(NOT_SEARCHED, style="bold yellow", **PLAIN)
            return
        proof = prove(self.folder, (Secret(kind=kind, value=value) for kind, value in self.redactor.learned))
        told = render_proof(proof, folder=shown(self.folder))
        if proof.hits:
            raise SecretFound(told)
        if told:
            self.console.print(told, **PLAIN)


@contextmanager
def run_session(
    console: Console,
    config: Config,
    kind: str = "",
    *,
    project: str = "",
    network: str = "",
    browser: str = "",
    environ: Mapping[str, str] = os.environ,
    ci: CiSystem | None = None,
    is_searched: bool = True,
) -> Iterator[RunSession]:
    """Yield the session of a command. `kind` says what the run was, in its record and its report; without one it has neither.

    `console`: for what is said of the run as a whole. However the block ends, what was written is published. Raises SecretFound.
    """
    found = run_folder_for(config.output_dir, keep_runs=config.keep_runs)
    if found.problem:
        console.print(found.problem, style="bold red", **PLAIN)
    redactor = Redactor(config.secrets)
    files = RunFiles(found.path, redactor, ci=ci, environ=environ)
    files.mask(value for _, value in redactor.learned)
    if kind:
        browser = browser or config.use.browser
        files.begin(record_of(kind, project=project, network=network, browser=browser, environ=environ, clean=redactor))
    session = RunSession(console=console, folder=found.path, redactor=redactor, files=files, is_searched=is_searched)
    with ExitStack() as resources:
        resources.enter_context(interrupts())
        resources.enter_context(_telling_an_interruption(console, found.path))
        resources.callback(publish, found.path)
        resources.push(session.close)
        yield session


@contextmanager
def _telling_an_interruption(console: Console, run: Path) -> Iterator[None]:
    """Print the folder of the unfinished visit; the caller prints that it was interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        console.print(f"the unfinished visit is in {shown(run)}", **PLAIN)
        raise


def _below(run: Path, file: str) -> str:
    path = Path(file)
    return path.relative_to(run).as_posix() if path.is_relative_to(run) else file


def _code_of(error: BaseException) -> int:
    if isinstance(error, HarnessError):
        return error.exit_code
    return ExitCode.INTERRUPTED if isinstance(error, KeyboardInterrupt) else ExitCode.INTERNAL_ERROR


def tell_report(console: Console, run: Path) -> None:
    """Print the path of the report, if it could be written."""
    if (run / REPORT_NAME).is_file():
        console.print(f"  report:    {shown(run / REPORT_NAME)}", **PLAIN)

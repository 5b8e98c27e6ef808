"""The end of every command that makes visits: write the report, then search the files for secrets.

In: a run's folder and its redactor. Out: files, text on a console; SecretFound when a file contained a secret.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console

from harness.errors import ExitCode, HarnessError, SecretFound
from harness.model.redaction import Redactor
from harness.report.losses import render_losses
from harness.report.run_files import RunFiles
from harness.report.run_folder import shown
from harness.report.run_report import REPORT_NAME
from harness.report.search import NOT_SEARCHED, Secret, prove, render_proof
from harness.report.trend import Night

PLAIN: dict[str, Any] = {"markup": False, "highlight": False, "soft_wrap": True}  # unchanged text, for any terminal


def search_for_secrets(console: Console, run: Path, redactor: Redactor, *, is_searched: bool = True) -> None:
    """Search the files of a command for every secret. Raises SecretFound."""
    for kind, why in redactor.refused:
        console.print(f"not redacted: a secret of the kind {kind}, because {why}", **PLAIN)
    if not is_searched:
        console.print(NOT_SEARCHED, style="bold yellow", **PLAIN)
        return
    proof = prove(run, (Secret(kind=kind, value=value) for kind, value in redactor.learned))
    told = render_proof(proof, folder=shown(run))
    if proof.hits:
        raise SecretFound(told)
    if told:
        console.print(told, **PLAIN)


@dataclass(slots=True, kw_only=True)
class Ending:
    """Ends a command after its visits, also after a failure: the report, then the search for secrets."""

    console: Console
    redactor: Redactor
    files: RunFiles
    is_searched: bool
    exit_code: int = -1  # until the command sets it
    problems: list[str] = field(default_factory=list)  # the error, for the report
    nights: tuple[Night, ...] = ()  # earlier runs, for the trend

    def close(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Write the report, and search the command's files for every secret. Raises SecretFound."""
        run = self.files.folder
        self.files.mask(value for _, value in self.redactor.learned)
        told = [] if error is None else [f"{type(error).__name__}: {error}"]
        losses = self.files.end(
            exit_code=self.exit_code if error is None else _code_of(error),
            problems=(*self.problems, *told),
            nights=self.nights,
        )
        if losses:
            self.console.print(render_losses(losses, folder=shown(run)), style="bold red", **PLAIN)
        search_for_secrets(self.console, run, self.redactor, is_searched=self.is_searched)


def _code_of(error: BaseException) -> int:
    if isinstance(error, HarnessError):
        return error.exit_code
    return ExitCode.INTERRUPTED if isinstance(error, KeyboardInterrupt) else ExitCode.INTERNAL_ERROR


def tell_report(console: Console, run: Path) -> None:
    """Print the path of the report, if it could be written."""
    if (run / REPORT_NAME).is_file():
        console.print(f"  report:    {shown(run / REPORT_NAME)}", **PLAIN)

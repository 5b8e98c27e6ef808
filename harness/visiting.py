"""What commands share that make visits of their own: the search for secrets afterwards.

In: a run's folder, and the redactor that was in force. Out: words on a console; SecretFound when what was written held a secret.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from harness.errors import SecretFound
from harness.model.redaction import Redactor
from harness.report.run_folder import shown
from harness.report.search import NOT_SEARCHED, Secret, prove, render_proof

PLAIN: dict[str, Any] = {"markup": False, "highlight": False, "soft_wrap": True}  # text as it is, for any terminal


def search_for_secrets(console: Console, run: Path, redactor: Redactor, *, is_searched: bool = True) -> None:
    """Search what a command wrote for every secret. Raises SecretFound."""
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

"""Makes one zip of a bundle's folder, to send to somebody, and says what is in it.

In: the folder of a visit. Out: a zip, and words on a console.
"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from harness.commands.printing import PLAIN
from harness.errors import BundleError
from harness.model.file_names import MANIFEST_NAME
from harness.report.recordings import opened_recording, pack
from harness.report.run_folder import shown


def run_pack(console: Console, folder: Path, out: Path | None) -> int:
    """Write a bundle's folder as one zip, and return 0. Raises BundleError."""
    if not (folder / MANIFEST_NAME).is_file():
        raise BundleError(f"{folder} is not a bundle that can be replayed: it has no {MANIFEST_NAME}")
    tell_bundle(console, folder, out or folder.with_name(folder.name + ".zip"))
    return 0


def tell_bundle(console: Console, folder: Path, out: Path | None) -> None:
    """Say what a bundle lacks, where it is and how it is replayed; write it as one zip, too, when asked. Raises BundleError."""
    with opened_recording(folder) as (recording, _):
        for what in recording.missing:
            console.print(f"  missing:   {what}", style="yellow", **PLAIN)
        bundle = pack(folder, out) if out else folder
        kilobytes = sum(f.stat().st_size for f in ([bundle] if out else bundle.rglob("*")) if f.is_file()) / 1000
        console.print(
            f"  bundle:    {shown(bundle.absolute())} ({len(recording.exchanges)} exchanges, {kilobytes:.0f} kB)",
            **PLAIN,
        )
        console.print(f"  replay:    chatkit-harness repro {shown(bundle.absolute())}", **PLAIN)

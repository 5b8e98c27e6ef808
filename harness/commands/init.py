"""The command `init`: creates the files that a repository needs to use chatkit-harness.

In: a folder. Out: configuration, an example test, workflows. Existing files are overwritten only with --force.
"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from harness.commands.printing import PLAIN
from harness.errors import BundleError
from harness.report.bundle import write_text
from harness.servers.scenarios import fixtures_dir

FILES: tuple[tuple[str, str], ...] = (
    ("playwright.config.toml", "playwright.config.toml"),
    ("test_chatkit.py", "tests/e2e/test_chatkit.py"),
    ("env.example", ".env.example"),
    ("gitignore", ".gitignore"),
    ("chatkit-gate.yml", ".github/workflows/chatkit-gate.yml"),
    ("chatkit-nightly.yml", ".github/workflows/chatkit-nightly.yml"),
)
COMMANDS = ("chatkit-harness install", "chatkit-harness gate")
KEPT_OUT = (".env", "test-results/")  # of the repository


def run_init(console: Console, folder: Path, *, is_forced: bool) -> int:
    """Write the files, print each one, and return 0. Raises BundleError when the folder cannot be written."""
    if not folder.is_dir():
        raise BundleError(f"there is no folder {folder}")
    for source, name in FILES:
        target = folder / name
        if target.exists() and not is_forced:
            console.print(f"  kept     {name}(exists already; --force overwrites it)", **PLAIN)
            continue
        word = "replaced" if target.exists() else "written"
        write_text(target, (fixtures_dir() / "starter" / source).read_text(encoding="utf-8"))
        console.print(f"  {word:8} {name}", **PLAIN)
    missing = _not_ignored(folder)
    if missing:
        console.print(f"  to do    add to .gitignore: {', '.join(missing)}", style="bold yellow", **PLAIN)
    console.print("\nNow run:", **PLAIN)
    for command in COMMANDS:
        console.print(f"  {command}", style="bold", **PLAIN)
    return 0


def _not_ignored(folder: Path) -> list[str]:
    """Paths that must not be committed and are missing in .gitignore."""
    try:
        lines = {line.strip().strip("/") for line in (folder / ".gitignore").read_text(encoding="utf-8").splitlines()}
    except (OSError, UnicodeDecodeError):
        return list(KEPT_OUT)
    return [name for name in KEPT_OUT if name.strip("/") not in lines]

"""axe-core, the accessibility checks, from npm's registry; kept in the user's cache folder between runs.

In: Node, npm and a registry. Out: the script's text. Skips the test where they cannot be had.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

VERSION = "4.14.1"
TIMEOUT_S = 120


def axe_source() -> str:
    """Return the script that defines `axe`."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chatkit-harness"
    kept = base / f"axe-core-{VERSION}.min.js"
    if not kept.is_file():
        _fetch(kept)
    return kept.read_text(encoding="utf-8")


def _fetch(kept: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("axe-core needs npm, which is not installed")
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        install = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--prefer-offline"]
        install += ["--fetch-retries=1", "--loglevel=error", f"axe-core@{VERSION}"]
        try:
            done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip(f"axe-core did not arrive within {TIMEOUT_S} s")
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines()
            pytest.skip(f"axe-core cannot be had: {said[0] if said else done.returncode}")
        (Path(folder) / "node_modules" / "axe-core" / "axe.min.js").replace(kept)

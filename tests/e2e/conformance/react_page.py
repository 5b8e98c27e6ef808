"""Builds `fixtures/pages/react` with the published React wrapper, once for each state of its sources.

In: Node, npm and a registry. Out: the folder of the built page, kept in the user's cache folder between runs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness.servers.scenarios import fixtures_dir

SOURCES = ("package.json", "package-lock.json", "vite.config.js", "index.html", "src")
OLDEST_NODE = (20, 19)
INSTALL = (
    "ci",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--prefer-offline",
    "--fetch-retries=1",
    "--loglevel=error",
)
INSTALL_TIMEOUT_S = 180
BUILD_TIMEOUT_S = 120


def built_react_page() -> Path:
    """Return the folder with index.html and assets. Skips the test where Node or the packages cannot be had."""
    source = fixtures_dir() / "pages" / "react"
    built = _cache_dir() / _digest(source)
    if not (built / "index.html").is_file():
        _build(source, built, _npm())
    return built


def _cache_dir() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "chatkit-harness" / "react-page"


def _digest(source: Path) -> str:
    digest = hashlib.sha256()
    for name in SOURCES:
        top = source / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file():
                digest.update(path.relative_to(source).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _npm() -> str:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("the React page needs Node and npm, which are not installed")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    found = tuple(int(part) for part in version.removeprefix("v").split(".")[:2])
    if found < OLDEST_NODE:
        pytest.skip(f"the React page needs Node {'.'.join(map(str, OLDEST_NODE))} or newer, this is {version}")
    return npm


def _build(source: Path, built: Path, npm: str) -> None:
    built.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=built.parent) as folder:
        work = Path(folder) / "page"
        work.mkdir()
        for name in SOURCES:
            copy = shutil.copytree if (source / name).is_dir() else shutil.copy2
            copy(source / name, work / name)
        _install(npm, work)
        done = subprocess.run(
            [npm, "run", "build"], cwd=work, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False
        )
        assert done.returncode == 0, f"the React page does not build:\n{done.stdout}\n{done.stderr}"
        try:
            (work / "dist").rename(built)
        except OSError:  # another worker was faster
            assert (built / "index.html").is_file()


def _install(npm: str, work: Path) -> None:
    try:
        done = subprocess.run(
            [npm, *INSTALL], cwd=work, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"the packages of the React page did not arrive within {INSTALL_TIMEOUT_S} s")
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        pytest.skip(f"the packages of the React page cannot be had: {said[0] if said else done.returncode}")

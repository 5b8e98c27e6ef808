"""The table of options and events against the newest published types, from npm."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.model.sdk_generations import EVENTS, OPTIONS, TYPES_VERSION
from tests.published_types import events_in, options_in

TIMEOUT_S = 120
PACKAGE = "@openai/chatkit"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The newest published package. Skips where npm or the package cannot be had."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"{PACKAGE} needs npm, which is not installed")
    folder = tmp_path_factory.mktemp("types")
    install = [
        npm,
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-save",
        "--fetch-retries=1",
        "--loglevel=error",
    ]
    try:
        done = subprocess.run(
            [*install, f"{PACKAGE}@latest"], cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"{PACKAGE} did not arrive within {TIMEOUT_S} s")
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        pytest.skip(f"{PACKAGE} cannot be had: {said[0] if said else done.returncode}")
    return folder / "node_modules" / PACKAGE


def test_the_table_is_as_new_as_the_published_types(package: Path) -> None:
    """Every option and event that they list is in the table, and the table says of no other one that it is typed."""
    about = json.loads((package / "package.json").read_text(encoding="utf-8"))
    [types] = (
        text for path in package.rglob("*.d.ts") if "ChatKitOptions = " in (text := path.read_text(encoding="utf-8"))
    )
    assert about["version"] == TYPES_VERSION, "there are newer types: add their generation to model/sdk_generations.py"
    assert options_in(types) == {path for path, option in OPTIONS.items() if option.typed_since}
    assert events_in(types) == {name for name, version in EVENTS.items() if version}

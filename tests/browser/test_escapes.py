"""Nothing of a hermetic visit leaves this machine, on any channel that a page has; and each attempt is named.

In a network namespace of its own, whose every address is a fake internet (`tests/escapes.py`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from escapes import UNNAMED

from harness.drive.browsers import find_browser
from harness.errors import EnvironmentFailure
from tests.commands import TIMEOUT_S, clean_environ

ALONE = ("unshare", "--net", "--mount")
ESCAPES = Path(__file__).parents[1] / "escapes.py"


@pytest.fixture(scope="module", autouse=True)
def namespaces() -> None:
    """Skip where this user may not make a network of their own."""
    try:
        made = subprocess.run([*ALONE, "ip", "link", "set", "lo", "up"], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        pytest.skip(f"a network namespace cannot be made here: {error}")
    if made.returncode != 0:
        pytest.skip(f"a network namespace cannot be made here: {made.stderr.strip()}")


def tried(mode: str, folder: Path, *more: str) -> dict[str, Any]:
    """Return what became of each channel."""
    done = subprocess.run(
        [*ALONE, sys.executable, str(ESCAPES), mode, "--folder", str(folder), *more],
        cwd=ESCAPES.parents[1],
        env=clean_environ() | {"PYTHONPATH": str(ESCAPES.parents[1])},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("engine", "sealing"),
    [
        ("chromium", "--unsealed"),
        pytest.param("chromium", "", marks=pytest.mark.soak),
        pytest.param("firefox", "", marks=pytest.mark.soak),
    ],
)
def test_nothing_of_a_hermetic_visit_leaves_this_machine(tmp_path: Path, engine: str, sealing: str) -> None:
    """Neither a packet nor the name of a host; the timeline names what was tried."""
    try:
        find_browser(engine, "", os.environ)
    except EnvironmentFailure as error:
        pytest.skip(str(error))
    result = tried("hermetic", tmp_path, "--engine", engine, *filter(None, [sealing]))
    channels = result["channels"]
    assert {name: channel["arrived"] for name, channel in channels.items() if channel["arrived"]} == {}
    assert result["others"] == []
    assert [name for name, channel in channels.items() if not channel["is_named"] and name not in UNNAMED[engine]] == []


@pytest.mark.soak
def test_the_same_page_gets_out_of_a_browser_that_nobody_holds_back(tmp_path: Path) -> None:
    """So what does not arrive above was tried, and would have been seen."""
    channels = tried("plain", tmp_path)["channels"]
    assert {name for name, channel in channels.items() if not channel["arrived"]} <= {
        "icon",
        "preconnect",
        "dns-prefetch",
    }

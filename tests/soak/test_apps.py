"""The gate on small apps of our own, each on a published framework: healthy they pass, broken they are named, replayed they say the same.

Needs Node.js and npm, and a registry of packages the first time: an app is installed and built under `.apps/`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.apps import APPS, why_not
from tests.apps.faults import CUSTOM, CUSTOM_SENDING, HOSTED, expected_cause
from tests.apps.gates import Gated, gate
from tests.commands import run_command

HAS_OWN_BACKEND = ("vite", "plain")
WAYS = [(app, way) for app, described in APPS.items() for way in described.serves]
KINDS = [
    (app, way, kind)
    for app, way in WAYS
    for kind in (("hosted", "custom", "sending") if app in HAS_OWN_BACKEND else ("hosted",))
]
# Development servers add an overlay and error pages of their own: Next stands for them.
BROKEN_WAYS = [(app, "production") for app in APPS] + [("next", "development")]
FAULTS = [(app, way, "hosted", fault) for app, way in BROKEN_WAYS for fault in HOSTED] + [
    (app, "production", kind, fault)
    for app in HAS_OWN_BACKEND
    for kind, faults in (("custom", CUSTOM), ("sending", CUSTOM_SENDING))
    for fault in faults
]
# What is said in place of the expected cause, today, by general class. A better answer fails here: take its line out.
#
# A secret that is fetched before there is a widget, from an address that sounds like none: that the app logs the failure is all there is.
RENDERS_NOTHING = {(app, way, "hosted", "session-route-typo"): "app-request-failed" for app, way in BROKEN_WAYS}
# The secret comes under another name than the page reads: it hands over undefined, and that is said, with the name.
HANDS_OVER_NOTHING = {(app, way, "hosted", "json-key-wrong"): "secret-not-a-string" for app, way in BROKEN_WAYS}
KNOWN_MISSES = RENDERS_NOTHING | HANDS_OVER_NOTHING
# A page in place of the list of threads is said, and does not keep the widget from mounting: the gate passes.
PASSES = {(app, "production", "custom", "route-not-mounted") for app in HAS_OWN_BACKEND}
REPLAYED = ("secret-as-object", "backend-throws")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder of a project of its own, as a user has one."""
    return tmp_path / "project"


def gated(app: str, way: str, kind: str, folder: Path, fault: str = "") -> Gated:
    """Return what the gate on the app came to; skip where this machine cannot build it."""
    if lacks := why_not(APPS[app]):
        pytest.skip(lacks)
    return gate(app, way, kind, folder, fault=fault)


@pytest.mark.parametrize(("app", "way", "kind"), KINDS)
def test_a_healthy_app_passes_the_gate(folder: Path, app: str, way: str, kind: str) -> None:
    """With the default configuration, and without a finding."""
    done = gated(app, way, kind, folder)
    assert done.exit_code == 0, done.printed
    assert done.result["outcome"] == "mounted"
    assert done.result["findings"] == []
    assert done.result["prefetch"] == ("pre-fetched" if kind == "hosted" else "never")


@pytest.mark.parametrize(("app", "way", "kind", "fault"), FAULTS)
def test_an_everyday_fault_is_named(folder: Path, app: str, way: str, kind: str, fault: str) -> None:
    """The gate fails, for the cause that was expected before it was run; or says what is known to be said instead."""
    done = gated(app, way, kind, folder, fault)
    assert done.exit_code == (0 if (app, way, kind, fault) in PASSES else 1), done.printed
    assert done.said == KNOWN_MISSES.get((app, way, kind, fault), expected_cause(app, kind, fault)), done.printed


def test_a_known_miss_is_one() -> None:
    """Each is a fault that is run, and says something else than expected."""
    for (app, way, kind, fault), said in KNOWN_MISSES.items():
        assert (app, way, kind, fault) in FAULTS
        assert said != expected_cause(app, kind, fault)


@pytest.mark.parametrize("fault", REPLAYED)
@pytest.mark.parametrize(("app", "way"), BROKEN_WAYS)
def test_a_failure_is_reproduced_without_the_app(folder: Path, app: str, way: str, fault: str) -> None:
    """The gate has stopped the server; the bundle alone gives the same verdict and cause."""
    done = gated(app, way, "hosted", folder, fault)
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    shutil.move(done.bundle, elsewhere / "bundle")
    replayed = run_command("repro", "bundle", "--json", cwd=elsewhere, timeout_s=300)
    told = json.loads(replayed.stdout)
    assert told["comparison"]["is_same"], (told["comparison"], told["misses"])
    assert replayed.returncode == 0

"""What a run of pytest was told, as one value: the plugin, its fixtures and the workers of pytest-xdist all have the same one.

In: the options of pytest; or the value itself, from a gate that starts pytest, or from the controller in a worker. Out: a `Run`.
"""

from __future__ import annotations

import argparse
import os
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import pytest

from harness.config.reading import Config, read_config
from harness.config.tables import GIVEN_KEYS, ConfigKey
from harness.report.ci_systems import CI_CHOICES

OPTION = "option"
SENT = "chatkit_run"  # what a worker is sent it as
OUTPUT = "test-results"  # pytest-playwright's default: nobody named a folder

# Keys that an option of pytest, pytest-playwright, pytest-xdist or pytest-rerunfailures sets: none of ours is added for them.
THEIRS: Mapping[str, Callable[[argparse.Namespace], Any]] = {
    "use.browser": lambda option: option.browser[0] if option.browser else None,
    "use.headless": lambda option: False if option.headed else None,
    "output_dir": lambda option: None if option.output == OUTPUT else str(Path(option.output).absolute()),
    "workers": lambda _option: None,  # -n, and
    "retries": lambda _option: None,  # --reruns: what they say is theirs to do
}


def option(name: str, default: Any, help: str, **more: Any) -> Any:
    """Return the field of a run that an option of pytest sets."""
    return field(default=default, metadata={OPTION: (name, {"help": help, **more})})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """One run: its configuration, and what is only about this run."""

    config: Config
    scenario: str = option("--chatkit-scenario", "", "scenario of the embedded page", metavar="NAME")
    is_searched: bool = option(
        "--chatkit-no-secret-scan", True, "do not search the files of the run for secrets",
        action="store_const", const=False,
    )  # fmt: skip
    shard: str = option("--chatkit-shard", "", "run only part K of N of the tests", metavar="K/N")
    ci: str = option("--chatkit-ci", "auto", "CI system to write outputs for (default: detected)", choices=CI_CHOICES)
    is_debug: bool = option(
        "--chatkit-debug", False, "print tracebacks of chatkit-harness's own errors", action="store_const", const=True
    )
    is_controlled: bool = option(
        "--chatkit-control", False, "make control visits of the embedded page, for comparing times",
        action="store_const", const=True,
    )  # fmt: skip
    only: str | None = option(
        "--chatkit-only", None, "run only the tests whose node ids are listed in this file", metavar="FILE"
    )


RUN = pytest.StashKey[Run]()


def add_options(group: pytest.OptionGroup) -> None:
    """Add an option for every key that has one and that no other plugin sets, and for every other field of a run."""
    group.addoption("--chatkit-config", metavar="FILE", help="configuration file (default: playwright.config.toml)")
    for name in OURS:
        group.addoption(pytest_option(name), dest=_dest(name), default=None, **_kind_of_option(GIVEN_KEYS[name]))
    for item in fields(Run):
        if OPTION in item.metadata:
            flag, more = item.metadata[OPTION]
            group.addoption(flag, dest=_dest(item.name), default=None, **more)


OURS = tuple(name for name, key in GIVEN_KEYS.items() if key.option and name not in THEIRS)


def pytest_option(name: str) -> str:
    """Return our option of pytest for a key: `--chatkit-trace` where the commands have `--trace`."""
    return f"--chatkit-{GIVEN_KEYS[name].option.rpartition('--')[2]}"


def _kind_of_option(key: ConfigKey) -> dict[str, Any]:
    if key.kind.flag is not None:
        return {"help": key.help, "action": "store_const", "const": key.kind.flag}
    if key.kind.names:
        return {"help": key.help, "choices": key.kind.names}
    return {"help": key.help, "metavar": key.kind.metavar, "type": key.kind.parse}


def _dest(name: str) -> str:
    return f"chatkit_{name.replace('.', '_')}"


def run_of(config: pytest.Config) -> Run:
    """Return what this run was told. Raises ConfigError."""
    if hasattr(config, "workerinput"):
        return received(config.workerinput[SENT])
    given = next((plugin for plugin in config.pluginmanager.get_plugins() if isinstance(plugin, Run)), None)
    overrides = {name: getattr(config.option, _dest(name)) for name in OURS}
    overrides |= {name: theirs(config.option) for name, theirs in THEIRS.items()}
    if given is not None:  # what was given to pytest after the -- of a gate wins
        run = replace(given, config=given.config.changed(overrides))
    else:
        named = Path(config.option.chatkit_config) if config.option.chatkit_config else None
        root = None if named else config.rootpath
        run = Run(config=read_config(named, environ=os.environ, overrides=overrides, root=root))
    told = {item.name: getattr(config.option, _dest(item.name)) for item in fields(Run) if OPTION in item.metadata}
    return replace(run, **{name: value for name, value in told.items() if value is not None})


def sent(run: Run) -> bytes:
    """Return the value as it goes through a pipe to another process of the same run. It holds secrets: never into a file."""
    return pickle.dumps(run)


def received(content: bytes) -> Run:
    """Return the value that another process of this run sent."""
    run = pickle.loads(content)
    assert isinstance(run, Run), "only a run is sent"
    return run

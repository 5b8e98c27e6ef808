"""Scenarios: named settings of the embedded default, read from `fixtures/scenarios.toml`.

In: a name. Out: a frozen `Scenario`. Every field has a healthy default, so that a scenario states only what it breaks.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from harness.errors import ConfigError


def fixtures_dir() -> Path:
    """Return the folder of the embedded default: inside the wheel, or at the top of a checkout."""
    packaged = Path(__file__).parents[1] / "fixtures"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "fixtures"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What the embedded default does, and what is expected to come of it."""

    name: str
    about: str = ""
    # the page
    wrapper: str = "prefetch"  # "prefetch" | "on-demand" | "deadlock" | "double-fetch" | "hidden" | "never"
    script: str = "cdn"  # "cdn" | "none": whether the page references the loader
    origin: str = "local"  # "local" (http loopback) | "https://app.test" in hermetic runs
    # the CDN
    loader_status: int = 200
    frame_status: int = 200
    entry_status: int = 200
    block: str = ""  # a URL glob that the harness aborts in the browser, as a blocker or a firewall does
    always_verify: bool = False  # the stand-in verifies development origins too, so that a person can see it
    # the app's session API
    session_status: int = 200  # any other: answered without asking upstream
    session_delay_ms: int = 0
    session_auth: str = (
        "bypass"  # "bypass" (localhost only) | "required" | "signed-in" (required, and the page has a token)
    )
    mock_mode: bool = False  # a workflow 404 becomes a mock secret
    send_user: bool = True
    api_key: str = ""  # the app's key; that of world.toml when empty
    # the OpenAI side
    upstream: str = "up"  # "up" | "down" (refuses connections) | "invalid" (answers session requests with a web page)
    upstream_status: int = 200  # any other: what session requests are answered with
    accepts_any_key: bool = False  # any API key and any workflow, for a page and a backend that are not ours
    workflow_visible: bool = True  # False: the key belongs to another project
    domain_verified: bool = True
    threads_status: int = 200
    # both backends of the chat
    chunk_gap_ms: int = 30  # between the words of a streamed reply
    # what the visit is expected to end in
    verdict: str = "mounted"  # "mounted" | "failed" | "timeout"
    milestone: str = "mounted"  # the last one reached


# What the OpenAI side does for a page and a backend that are not ours.
FOREIGN_BACKEND = Scenario(name="foreign-backend", accepts_any_key=True)


def read_scenarios(path: Path | None = None) -> dict[str, Scenario]:
    """Return every scenario by name. Raises ConfigError for an unknown key or a wrong type."""
    path = path or fixtures_dir() / "scenarios.toml"
    known = {field.name: field.type for field in fields(Scenario)}
    scenarios: dict[str, Scenario] = {}
    for name, table in tomllib.loads(path.read_text(encoding="utf-8")).items():
        for key, value in table.items():
            if key not in known or key == "name":
                raise ConfigError(
                    f"{path}: scenario {name!r} has the unknown key {key!r}; known are {', '.join(known)}"
                )
            if type(value).__name__ != known[key]:
                raise ConfigError(f"{path}: {name}.{key} must be {known[key]}, is {type(value).__name__} {value!r}")
        scenarios[name] = Scenario(name=name, **table)
    return scenarios


def scenario_named(name: str) -> Scenario:
    """Return one scenario. Raises ConfigError that lists the names there are."""
    scenarios = read_scenarios()
    if name not in scenarios:
        raise ConfigError(f"no scenario {name!r}; there are: {', '.join(sorted(scenarios))}")
    return scenarios[name]

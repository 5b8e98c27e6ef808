"""What a visit is about: the page, what is done on it, what is expected of it, and what is kept of it.

In: a project of the configuration, or what a test asks for. Out: a `Target`, and a `Keep`. No browser is needed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

from harness.config.storage_state import read_storage_state
from harness.config.tables import Project, ProjectEntry, Use
from harness.errors import ConfigError
from harness.model.faults import Fault, combined
from harness.model.limits import Limits
from harness.model.recording import Action
from harness.model.results import VisitResult
from harness.servers.named_faults import faults_of
from harness.servers.scenarios import Scenario, scenario_named
from harness.servers.server import Stack


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What to visit, and what is expected of it."""

    url: str
    project: str
    entry: str = ""
    actions: tuple[Action, ...] = ()  # what is done on the page, in order
    # What the browser begins with, as Playwright saves it.
    storage_state: dict[str, Any] | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # of requests to the page's own origin
    scenario: Scenario | None = None
    network: str = "live"  # "hermetic" | "live" | "replay"
    faults: tuple[Fault, ...] = ()  # injected on a page of somebody else; an embedded one's are its scenario's
    limits: Limits
    prefetch: str = "required"
    console_allow: tuple[str, ...] = ()
    session_endpoint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Which of the costlier artifacts a visit keeps: "on", "off", "only-on-failure" or "retain-on-failure"."""

    trace: str = "off"
    films: bool = False  # whether a trace holds a film of the page
    screenshot: str = "on"
    bodies: str = "only-on-failure"  # of scripts and styles: what a replay needs


def keep_of(use: Use, *, bodies: str = "only-on-failure") -> Keep:
    """Return what the configuration has a visit keep."""
    return Keep(trace=use.trace, films=use.trace_screenshots, screenshot=use.screenshot, bodies=bodies)


def target_of(
    project: Project,
    *,
    entry: str = "",
    scenario: str = "",
    click: str = "",
    steps: tuple[Action, ...] = (),
    fault: str = "",
    stack: Stack | None = None,
) -> Target:
    """Return the target for an entry of a project. `click` takes the place of the entry's own actions, `steps` follow them.

    Raises ConfigError for an entry, scenario, fault or storage state that is not there.
    """
    faults = faults_of([fault] if fault else [])
    known = {e.name: e for e in project.entries}
    if entry and entry not in known:
        raise ConfigError(f"project {project.name!r} has no entry {entry!r}; it has: {', '.join(known) or 'none'}")
    chosen = scenario_named(scenario or project.scenario) if project.is_embedded else None
    if scenario and chosen is None:
        raise ConfigError(f"project {project.name!r} is not the embedded default, so it has no scenario {scenario!r}")
    base_url = project.base_url or (project.web_server.url if project.web_server else "")
    if chosen is not None:
        assert stack is not None, "the embedded default needs its servers"
        chosen = replace(chosen, faults=combined((*chosen.faults, *faults)))
        base_url = stack.app_url if chosen.origin == "local" else chosen.origin
    elif any(fault.target == "openai-sessions" for fault in faults):
        raise ConfigError(
            f"the fault {fault!r} is between the app's server and OpenAI; it cannot be injected from the browser"
        )
    chosen_entry = known[entry] if entry else ProjectEntry(name="")
    own = (Action(action="click", target=click),) if click else chosen_entry.actions
    return Target(
        url=base_url.rstrip("/") + (chosen_entry.page or project.page),
        project=project.name,
        entry=entry,
        actions=(*own, *steps),
        storage_state=(
            read_storage_state(chosen_entry.storage_state, now_s=time.time()) if chosen_entry.storage_state else None
        ),
        headers=chosen_entry.headers,
        scenario=chosen,
        network=project.network,
        faults=() if chosen is not None else combined(faults),
        limits=project.chatkit.limits,
        prefetch=project.chatkit.prefetch,
        console_allow=project.chatkit.console_allow,
        session_endpoint=project.session_endpoint,
    )


def is_wanted(mode: str, result: VisitResult) -> bool:
    """Whether a visit with this result keeps what is kept in a mode of `Keep`."""
    return mode == "on" or (mode != "off" and not result.is_good)

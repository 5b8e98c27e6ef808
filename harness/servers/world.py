"""The small world behind the stand-in API: organisations, projects, keys, workflows and allowed domains.

In: `fixtures/world.toml`. Out: frozen values and look-ups. All of its values are made up; none opens anything.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.servers.scenarios import fixtures_dir

LOCALITIES = ("", "US", "EU", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """An Agent Builder workflow of one project."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldProject:
    """A project: its keys see its workflows and no others."""

    id: str
    keys: tuple[str, ...]
    restricted_keys: tuple[str, ...] = ()  # without the permission for ChatKit
    data_locality: str = ""  # "US" | "EU" | "none" | "": sessions name none, and are served in the US
    workflows: tuple[Workflow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """An origin on an organisation's allowlist, with the key that custom mode sends."""

    origin: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """An organisation: the domain allowlist is its, not the project's."""

    slug: str
    domains: tuple[Domain, ...]
    projects: tuple[WorldProject, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSettings:
    """What the app's backend is configured with."""

    jwt_secret: str
    api_key: str
    foreign_api_key: str  # of another project: the fault behind a workflow 404


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything the stand-in API knows before the first request."""

    app: AppSettings
    organizations: tuple[Organization, ...]

    def project_of_key(self, key: str) -> WorldProject | None:
        """Return the project that an API key belongs to, None for a key that does not exist."""
        return next((p for p in self._projects() if key in p.keys or key in p.restricted_keys), None)

    def is_restricted(self, key: str) -> bool:
        """Tell whether an API key lacks the permission for ChatKit."""
        return any(key in project.restricted_keys for project in self._projects())

    def organization_of_project(self, project_id: str) -> Organization:
        """Return the organisation of a project. Raises LookupError when there is no such project."""
        for organization in self.organizations:
            if any(project.id == project_id for project in organization.projects):
                return organization
        raise LookupError(project_id)

    def workflows_of_key(self, key: str) -> tuple[Workflow, ...]:
        """Return the workflows that an API key sees."""
        project = self.project_of_key(key)
        return project.workflows if project else ()

    def is_domain_of_project(self, origin: str, project_id: str) -> bool:
        """Tell whether an origin is on the allowlist of the project's organisation."""
        return any(domain.origin == origin for domain in self.organization_of_project(project_id).domains)

    def is_domain_of_key(self, origin: str, domain_key: str) -> bool:
        """Tell whether a domain key was issued for exactly this origin."""
        return Domain(origin=origin, key=domain_key) in [
            domain for organization in self.organizations for domain in organization.domains
        ]

    def key_of_domain(self, origin: str) -> str:
        """Return the domain key that was issued for an origin, "" when it is on no allowlist."""
        domains = [domain for organization in self.organizations for domain in organization.domains]
        return next((domain.key for domain in domains if domain.origin == origin), "")

    def _projects(self) -> list[WorldProject]:
        return [project for organization in self.organizations for project in organization.projects]


def read_world(path: Path | None = None) -> World:
    """Return the world of a TOML file. Raises ConfigError when a table or key is missing or unknown."""
    path = path or fixtures_dir() / "world.toml"
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        return World(
            app=AppSettings(**data["app"]), organizations=tuple(_organization(item) for item in data["organization"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{path}: not a world as fixtures/world.toml describes one: {error}") from error


def _organization(data: dict[str, Any]) -> Organization:
    return Organization(
        domains=tuple(Domain(**item) for item in data.get("domain", [])),
        projects=tuple(_project(item) for item in data["project"]),
        **{name: value for name, value in data.items() if name not in ("domain", "project")},
    )


def _project(data: dict[str, Any]) -> WorldProject:
    values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in data.items()}
    workflows = tuple(Workflow(**item) for item in values.pop("workflow", ()))
    project = WorldProject(workflows=workflows, **values)
    if project.data_locality not in LOCALITIES:
        raise ValueError(
            f"{project.id}: data_locality {project.data_locality!r} is none of {', '.join(LOCALITIES[1:])}"
        )
    return project

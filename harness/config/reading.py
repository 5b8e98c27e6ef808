"""Reads the configuration. Order of precedence: command line, environment, `.env`, `playwright.config.toml`, defaults.

In: the file, the environment as a mapping, options. Out: a frozen `Config` that knows the source of each value. `${…}` is resolved only
for the selected project, so that no project needs the variables of another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from dotenv import dotenv_values

from harness.config.kinds import is_web_url
from harness.config.schema import FILE_NAME, checked, problem, read_tables, shown, wrong_value
from harness.config.sdk_source import SdkSource, sdk_source_of
from harness.config.secrets import REFERENCE, masked, secrets_of
from harness.config.steps import step_of
from harness.config.tables import (
    GIVEN_KEYS,
    INNER,
    KEY,
    KEYS,
    PROJECT,
    PROJECT_CHATKIT_KEYS,
    SDK_NAME,
    SETTING_KEYS,
    ChatkitSettings,
    Project,
    ProjectEntry,
    Settings,
)
from harness.errors import ConfigError

EMBEDDED_PAGE = "/test-chatkit"
EMBEDDED_SCENARIO = "healthy"
EMBEDDED_ENTRIES = {"topic-generation": {"click": "Topic Generation"}, "post-writer": {"click": "Post Writer"}}
DEFAULT_PROJECT = "local"
COMMAND_LINE = "command line"
DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A value and its source."""

    value: Any
    source: str  # "command line", "environment NAME", ".env NAME", the file's name, "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(Settings):
    """The whole configuration. Each project is resolved separately, see `project`."""

    path: Path | None  # the file; None: there is none
    root: Path  # base of relative paths
    project_name: str  # the project to run
    project_names: tuple[str, ...]
    secrets: tuple[tuple[str, str], ...] = field(repr=False)  # (kind, value), for the redactor
    settings: Mapping[str, Setting] = field(repr=False)  # by dotted key, without the projects
    tables: Mapping[str, Mapping[str, Any]] = field(repr=False)  # the projects as written
    variables: Mapping[str, Setting] = field(repr=False)  # environment over .env

    @property
    def where(self) -> str:
        """The file's name in messages."""
        return str(self.path) if self.path else "the defaults (no playwright.config.toml)"

    @property
    def is_sdk_chosen(self) -> bool:
        """Whether the SDK was chosen for this run, so that a live page gets it too."""
        return self.settings[SDK_NAME].source == COMMAND_LINE and self.chatkit.sdk != "live"

    def sdk(self) -> SdkSource:
        """Return the source of the SDK. Raises ConfigError, or RecordingError when it cannot be used."""
        source = self.settings[SDK_NAME].source
        is_from_file = self.path is not None and source == self.path.name
        root = self.root if is_from_file else Path.cwd()
        return sdk_source_of(self.chatkit.sdk, root=root, where=str(self.path) if is_from_file else source)

    def changed(self, overrides: Mapping[str, Any]) -> Config:
        """Return this configuration with other values, as if the command line had set them. Raises ConfigError."""
        changed = {name: _option(name, value) for name, value in _given(overrides).items() if name in SETTING_KEYS}
        settings = {**self.settings, **changed}
        if overrides.get("project"):
            selected = Setting(value=overrides["project"], source=COMMAND_LINE)
            settings["project"] = _known_project(selected, self.project_names, self.path)
        return replace(self, settings=settings, **_built(settings, self.root))

    def project(self, name: str = "") -> Project:
        """Return a project, by default the selected one. Raises ConfigError when the project or one of its variables is missing."""
        name = name or self.project_name
        if name not in self.tables:
            raise _unknown_project(name, self.project_names, self.where, "correct the name, or add [projects.…]")
        try:
            given = _without_unset(self.tables[name], self.variables, "projects.*")
            resolved = _resolved(given, self.variables, ("projects", name), self.where)
            table = checked({"projects": {name: resolved}}, self.where)["projects"][name]
        except ConfigError as error:  # a variable may contain a secret that was set for the wrong key
            raise ConfigError(masked(str(error), self.secrets)) from None
        return _project_of(name, table, self)

    def embedded_project(self) -> Project:
        """Return the project of the embedded page, independent of the configured ones."""
        return _project_of(DEFAULT_PROJECT, {}, self)

    def project_at(self, url: str, *, entry: ProjectEntry | None = None) -> Project:
        """Return a project for one URL without configuration: live, one entry. Raises ConfigError when it is not a URL."""
        if not is_web_url(url):
            raise problem(
                f"{shown(url)} is not a URL",
                where=COMMAND_LINE,
                key="",
                expected="a URL that starts with http:// or https://",
                found=shown(url),
                fix="write it in full, such as https://staging.example.com/chat",
            )
        parts = urlsplit(url)
        base_url = f"{parts.scheme}://{parts.netloc}"
        page = urlunsplit(("", "", parts.path or "/", parts.query, parts.fragment))
        table = {"base_url": base_url, "page": page}
        found = _project_of(parts.hostname or parts.netloc, table, self)
        return replace(found, entries=(replace(entry, name="page"),)) if entry else found


def read_config(
    path: Path | None,
    *,
    environ: Mapping[str, str],
    overrides: Mapping[str, Any] | None = None,
    root: Path | None = None,
) -> Config:
    """Return the configuration. Without a path, the file is searched in `root` (default: the current folder).

    `overrides`: what the command line sets, by dotted key, and `project`; None leaves a key to environment, file and default.
    Raises ConfigError: an unreadable file, an unknown key, a wrong value, an unknown project, a secret in the file.
    """
    # Absolute: nothing that is below it depends on the current folder, which is another one in some process of a run.
    root = (root or (path.parent if path else Path.cwd())).absolute()
    if path is None and (root / FILE_NAME).exists():
        path = root / FILE_NAME
    written = read_tables(path) if path else {}
    variables = _read_variables(root / ".env", environ)
    settings = _settings(written, path, variables, _given(overrides or {}))
    tables: dict[str, Any] = written.get("projects") or {DEFAULT_PROJECT: {}}
    return Config(
        path=path,
        root=root,
        project_names=tuple(tables),
        secrets=secrets_of(written, {name: setting.value for name, setting in variables.items()}),
        settings=settings,
        tables=tables,
        variables=variables,
        **_built(settings, root),
    )


def _built(settings: Mapping[str, Setting], root: Path) -> dict[str, Any]:
    """Return what of a configuration its settings say: every field of the tables, and the project."""
    values = {name: setting.value for name, setting in settings.items()}
    return {"project_name": values["project"], **_fields(Settings, values, "", root)}


def _fields(table: type[Any], values: Mapping[str, Any], prefix: str, root: Path) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for item in fields(table):
        dotted = f"{prefix}{item.name}"
        if INNER in item.metadata:
            made[item.name] = item.metadata[INNER](**_fields(item.metadata[INNER], values, f"{dotted}.", root))
        else:
            is_folder = item.metadata[KEY].kind.is_folder
            made[item.name] = root / values[dotted] if is_folder else values[dotted]
    return made


def _given(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the command line really sets. Raises ValueError for a key that there is not."""
    unknown = overrides.keys() - GIVEN_KEYS.keys()
    if unknown:
        raise ValueError(f"no such keys: {', '.join(sorted(unknown))}")
    return {name: value for name, value in overrides.items() if value is not None}


def _read_variables(dotenv: Path, environ: Mapping[str, str]) -> dict[str, Setting]:
    """Return every variable with its source. The environment overrides `.env`; an empty variable counts as not set."""
    try:
        from_file = dotenv_values(dotenv, interpolate=False) if dotenv.is_file() else {}
    except (OSError, UnicodeDecodeError) as error:
        raise problem(
            f"{dotenv} cannot be read",
            where=str(dotenv),
            key="",
            expected="UTF-8 lines of the form NAME=value",
            found=type(error).__name__,
            fix="correct the file or its permissions, or remove it",
        ) from error
    variables = {name: Setting(value=value, source=f".env {name}") for name, value in from_file.items() if value}
    return variables | {
        name: Setting(value=text, source=f"environment {name}") for name, text in environ.items() if text
    }


def _settings(
    written: Mapping[str, Any], path: Path | None, variables: Mapping[str, Setting], options: Mapping[str, Any]
) -> dict[str, Setting]:
    settings = {name: _setting(name, written, path, variables, options) for name in SETTING_KEYS}
    return settings | {"project": _selected(written, path, variables, options)}


def _setting(
    name: str,
    written: Mapping[str, Any],
    path: Path | None,
    variables: Mapping[str, Setting],
    options: Mapping[str, Any],
) -> Setting:
    """Return a value from the first source that has one: command line, environment, .env, file, default."""
    key, in_file = SETTING_KEYS[name], _at(written, name)
    if name in options:
        return _option(name, options[name])
    if key.variable in variables:
        return _from_variable(name, variables[key.variable])
    if in_file is None or path is None:
        return Setting(value=key.default, source=DEFAULT)
    value = _resolved(in_file, variables, tuple(name.split(".")), str(path))
    if not key.kind.accepts(value):
        raise wrong_value(key, name, value, str(path))
    return Setting(value=value, source=path.name)


def _option(name: str, value: Any) -> Setting:
    if not SETTING_KEYS[name].kind.accepts(value):
        raise wrong_value(SETTING_KEYS[name], name, value, COMMAND_LINE, "correct the option, or remove it")
    return Setting(value=value, source=COMMAND_LINE)


def _from_variable(name: str, variable: Setting) -> Setting:
    key = SETTING_KEYS[name]
    try:
        value = key.kind.parse(variable.value)
    except ValueError:
        value = None
    if value is None or not key.kind.accepts(value):
        raise wrong_value(key, key.variable, variable.value, variable.source, "correct the variable, or unset it")
    return Setting(value=value, source=variable.source)


def _selected(
    written: Mapping[str, Any], path: Path | None, variables: Mapping[str, Setting], options: Mapping[str, Any]
) -> Setting:
    """Return the project to run: the selected one, otherwise `local`, otherwise the first in the file."""
    names = tuple(written.get("projects") or (DEFAULT_PROJECT,))
    selected = Setting(value=DEFAULT_PROJECT if DEFAULT_PROJECT in names else names[0], source=DEFAULT)
    selected = variables.get(PROJECT.variable, selected)
    if options.get("project"):
        selected = Setting(value=options["project"], source=COMMAND_LINE)
    return _known_project(selected, names, path)


def _known_project(selected: Setting, names: tuple[str, ...], path: Path | None) -> Setting:
    if selected.value not in names:
        where = f"{selected.source}, looked up in {path or 'the defaults (no playwright.config.toml)'}"
        raise _unknown_project(selected.value, names, where, "name one of these, or add [projects.…] to the file")
    return selected


def _unknown_project(name: str, names: tuple[str, ...], where: str, fix: str) -> ConfigError:
    expected = f"one of {', '.join(names)}"
    return problem(f"no project {name!r}", where=where, key=f"projects.{name}", expected=expected, found=name, fix=fix)


def _resolved(value: Any, variables: Mapping[str, Setting], path: tuple[str, ...], where: str) -> Any:
    """Return the value with every `${VARIABLE}` replaced. Raises ConfigError for a variable that is not set."""
    if isinstance(value, Mapping):
        return {name: _resolved(inner, variables, (*path, name), where) for name, inner in value.items()}
    if isinstance(value, tuple):
        return tuple(_resolved(item, variables, path, where) for item in value)
    if not isinstance(value, str):
        return value
    for name in REFERENCE.findall(value):
        if name not in variables:
            raise problem(
                f"the variable {name} is not set",
                where=where,
                key=".".join(path),
                expected=f"{name} in the environment or in .env",
                found="nothing",
                fix=f"export {name}=…, or add the line {name}=… to .env",
            )
    return REFERENCE.sub(lambda match: str(variables[match[1]].value), value)


def _without_unset(table: Mapping[str, Any], variables: Mapping[str, Setting], pattern: str) -> dict[str, Any]:
    """Return a project's table without the optional keys whose variable is not set."""
    left: dict[str, Any] = {}
    for name, value in table.items():
        key = KEYS.get(f"{pattern}.{name}")
        if key is not None and key.may_be_unset and isinstance(value, str):
            if all(variable in variables for variable in REFERENCE.findall(value)):
                left[name] = value
        elif key is None and isinstance(value, Mapping):
            left[name] = _without_unset(value, variables, f"{pattern}.{name}")
        else:
            left[name] = value
    return left


def _project_of(name: str, table: Mapping[str, Any], config: Config) -> Project:
    network, _, recording = str(table.get("network") or "").partition(":")
    is_embedded = "base_url" not in table and "web_server" not in table and network != "replay"
    page = table.get("page") or (EMBEDDED_PAGE if is_embedded else "/")
    entries = table.get("entries") or (EMBEDDED_ENTRIES if is_embedded and page == EMBEDDED_PAGE else {"page": {}})
    found = {
        "page": page,
        "scenario": table.get("scenario") or (EMBEDDED_SCENARIO if is_embedded else ""),
        "network": network or ("live" if "base_url" in table and "web_server" not in table else "hermetic"),
        "recording": config.root / recording if recording else None,
        "entries": tuple(_entry_of(entry, options, config.root) for entry, options in entries.items()),
        "chatkit": ChatkitSettings(
            **{item.name: chatkit_setting(item.name, table, config).value for item in fields(ChatkitSettings)}
        ),
    }
    return Project(name=name, **(_as_written(Project, table) | found))


def _as_written(project: type[Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that stand in a project's table, its inner tables as their values."""
    written = [item for item in fields(project) if item.name in table]
    return {
        item.name: item.metadata[INNER](**table[item.name]) if INNER in item.metadata else table[item.name]
        for item in written
    }


def _entry_of(name: str, options: Mapping[str, Any], root: Path) -> ProjectEntry:
    found = {name: value for name, value in options.items() if name not in ("storage_state", "headers", "steps")}
    state = options.get("storage_state")
    return ProjectEntry(
        name=name,
        storage_state=root / state if state else None,
        headers=tuple(options.get("headers", {}).items()),
        steps=tuple(map(step_of, options.get("steps", ()))),
        **found,
    )


def chatkit_setting(key: str, table: Mapping[str, Any], config: Config) -> Setting:
    """Return a setting of [chatkit] for one project: the project's own, unless the command line or the environment sets it."""
    setting = config.settings[f"chatkit.{key}"]
    is_from_file = setting.source == DEFAULT or (config.path is not None and setting.source == config.path.name)
    if key in PROJECT_CHATKIT_KEYS and key in table and is_from_file:
        return Setting(value=table[key], source=config.path.name if config.path else COMMAND_LINE)
    return setting


def _at(table: Mapping[str, Any], dotted: str) -> Any:
    value: Any = table
    for name in dotted.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value

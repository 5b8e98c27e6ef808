"""The command `config`: the effective configuration, and where each value comes from.

In: a `Config`. Out: TOML with the source of each value as a comment. Secrets are masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from harness.config.reading import DEFAULT, Config, Setting, chatkit_setting
from harness.config.schema import bare, literal
from harness.config.secrets import REFERENCE, masked, texts_of
from harness.config.tables import PROJECT_CHATKIT_KEYS, ProjectEntry
from harness.errors import ConfigError


def render_config(config: Config) -> str:
    """Return the effective configuration as TOML. Comments name the source of each value; secrets are masked."""
    lines: list[str] = []
    for head in ("", "use", "use.viewport", "chatkit", "baseline"):
        lines += ["", f"[{head}]"] if head else []
        for name, setting in config.settings.items():
            if name.rpartition(".")[0] == head and name != "project":
                lines.append(_line(name.rpartition(".")[2], setting, config))
    for name in config.project_names:
        source = config.settings["project"].source
        lines += ["", f"[projects.{bare(name)}]" + (f"  # runs; {source}" if name == config.project_name else "")]
        lines += _project_lines(name, config)
    return "\n".join(lines) + "\n"


def _project_lines(name: str, config: Config) -> list[str]:
    table = config.tables[name]
    try:
        project = config.project(name)
    except ConfigError as error:
        first = str(error).splitlines()[0]
        file = config.path.name if config.path else DEFAULT
        return [
            f"# cannot be used: {first}",
            *(_line(key, Setting(value=value, source=file), config) for key, value in table.items()),
        ]
    values: dict[str, Any] = {
        key: getattr(project, key) for key in ("page", "base_url", "scenario", "network", "session_endpoint")
    }
    if project.recording is not None:
        values["network"] = table["network"]
        values |= {key: table[key] for key in ("record", "max_age_days") if key in table}
    written = table.get("entries", {})
    values["entries"] = {entry.name: written.get(entry.name) or _shown_entry(entry) for entry in project.entries}
    for key in ("web_server", "preflight", "smoke"):
        part = getattr(project, key) if key in table else None
        values[key] = {item.name: getattr(part, item.name) for item in fields(part)} if part else ""
    values |= {key: getattr(project.chatkit, key) for key in PROJECT_CHATKIT_KEYS if key in table}
    sources = {key: _project_source(key, table, config) for key in values}
    return [
        _line(key, Setting(value=value, source=sources[key]), config) for key, value in values.items() if value != ""
    ]


def _shown_entry(entry: ProjectEntry) -> dict[str, str]:
    return {"click": entry.click} if entry.click else {}


def _project_source(key: str, table: Mapping[str, Any], config: Config) -> str:
    if key not in table or config.path is None:
        return DEFAULT
    if key in PROJECT_CHATKIT_KEYS:
        return chatkit_setting(key, table, config).source
    names = dict.fromkeys(name for _, text in texts_of(table[key]) for name in REFERENCE.findall(text))
    return ", ".join([config.path.name, *(config.variables[name].source for name in names if name in config.variables)])


def _line(key: str, setting: Setting, config: Config) -> str:
    return f"{bare(key)} = {literal(_masked_in(setting.value, config.secrets))}  # {setting.source}"


def _masked_in(value: Any, secrets: tuple[tuple[str, str], ...]) -> Any:
    if isinstance(value, Mapping):
        return {name: _masked_in(inner, secrets) for name, inner in value.items()}
    if isinstance(value, tuple):
        return tuple(_masked_in(item, secrets) for item in value)
    return masked(value, secrets) if isinstance(value, str) else value

"""How to open the chat at a URL, from the command line: clicks, steps, a storage state, headers.

In: arguments. Out: a `ProjectEntry`, and the configuration with the values of its variables as secrets; or a ConfigError that names the
argument.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from harness.config.reading import COMMAND_LINE, Config
from harness.config.schema import problem, shown
from harness.config.secrets import REFERENCE
from harness.config.steps import EXAMPLES, step_from
from harness.config.tables import ProjectEntry
from harness.model.recording import Action


@dataclass(frozen=True, slots=True, kw_only=True)
class WayIn:
    """The given arguments."""

    clicks: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    storage_state: Path | None = None
    headers: tuple[str, ...] = ()  # "Name: value"


def way_in(config: Config, way: WayIn) -> tuple[Config, ProjectEntry]:
    """Return the entry with resolved variables, and the configuration that has their values as secrets. Raises ConfigError."""
    found: dict[str, str] = {}

    def resolved(text: str) -> str:
        for name in REFERENCE.findall(text):
            if name not in config.variables:
                raise problem(
                    f"the variable {name} is not set",
                    where=COMMAND_LINE,
                    key="",
                    expected=f"{name} in the environment or in .env",
                    found="nothing",
                    fix=f"export {name}=…, or add the line {name}=… to .env",
                )
            found[str(config.variables[name].value)] = "secret"
        return REFERENCE.sub(lambda match: str(config.variables[match[1]].value), text)

    entry = ProjectEntry(
        name="page",
        steps=(
            *(Action(action="click", target=name) for name in way.clicks),
            *(_step(resolved(text), text) for text in way.steps),
        ),
        storage_state=way.storage_state,
        headers=tuple(_header(resolved(text), text) for text in way.headers),
    )
    known = {value for _, value in config.secrets}
    more = tuple((kind, value) for value, kind in found.items() if value not in known)
    return replace(config, secrets=(*config.secrets, *more)), entry


def _step(text: str, given: str) -> Action:
    try:
        return step_from(text)
    except ValueError as error:
        raise problem(
            f"--step: {error}",
            where=COMMAND_LINE,
            key="",
            expected=EXAMPLES,
            found=shown(given),
            fix="write it as click=NAME",
        ) from None


def _header(text: str, given: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip() or any(character in text for character in "\r\n\0"):
        raise problem(
            "--header is not a header",
            where=COMMAND_LINE,
            key="",
            expected="NAME: VALUE",
            found=shown(given),
            fix="write --header 'x-preview: ${PREVIEW_TOKEN}'",
        )
    return name.strip(), value.strip()

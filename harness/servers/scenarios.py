"""Scenarios: named settings of the embedded default, read from `fixtures/scenarios.toml`.

In: a name. Out: a frozen `Scenario`. Every field has a healthy default, so that a scenario states only what it breaks. Faults between two
machines are written in the fault language; the other fields describe the page, the app and OpenAI.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.model.faults import Fault, combined, nearest_of
from harness.model.sdk_generations import FRAME_2026
from harness.servers.named_faults import faults_of, fixtures_dir

__all__ = ["Scenario", "fixtures_dir", "read_scenarios", "scenario_named"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """The settings of the embedded page and its servers, and the expected result."""

    name: str
    about: str = ""
    # between the machines: expressions of the fault language, or names of `fixtures/faults.toml`
    faults: tuple[Fault, ...] = ()
    # the page
    mode: str = "hosted"
    wrapper: str = "prefetch"  # how the element is put into the page, `fixtures/pages/wrappers.js`
    container: str = "plain"  # what stands around the element, `fixtures/pages/containers.js`
    options: str = "plain"  # what `setOptions` is called with, `fixtures/pages/options.js`
    script: str = "cdn"  # how the page references the loader
    session: str = "own"  # where the page asks for its secret
    backend: str = "own"  # where custom mode sends its requests
    extras: str = "none"  # what else is on the page, `fixtures/pages/extras.js`
    origin: str = "local"  # "local": http on loopback; the others in hermetic runs only
    # the CDN
    generation: str = "newest"  # whose options the stand-in takes: of all that is known, or of the frame of June 2026
    early_sentinel: bool = False  # the stand-in asks for the sentinel before its `load`, as the real frame may
    always_verify: bool = False  # the stand-in verifies development origins too, so that a person can see it
    # the app's session API
    session_auth: str = "bypass"  # on localhost; "signed-in": required, and the page has a token
    mock_mode: bool = False  # a workflow 404 becomes a mock secret
    secret: str = "real"  # what the endpoint hands out, `servers.handed_secret`
    send_user: bool = True
    api_key: str = ""  # the app's key; that of world.toml when empty
    # the OpenAI side
    accepts_any_key: bool = False  # any API key and any workflow, for a page and a backend that are not ours
    workflow_visible: bool = True  # False: the key belongs to another project
    domain_verified: bool = True
    # both backends of the chat
    chunk_gap_ms: int = 30  # between the words of a streamed reply
    # what the visit is expected to end in
    verdict: str = "mounted"
    milestone: str = "mounted"  # the last one reached
    failure: str = ""  # which known way to fail it stands for; "" for what is no failure
    rules: tuple[str, ...] = ()  # the findings that are expected
    prefetch: str = "pre-fetched"  # how the widget gets its secret; in custom mode it has none


WRAPPERS = ("prefetch", "on-demand", "double-fetch", "deadlock", "never", "rejects", "retries", "stale", "unconfigured",
            "placed-first", "too-early", "method-first", "wrong-tag", "wrong-global", "impatient", "moved", "removed",
            "recreated", "in-shadow", "twice", "responsive", "spare", "second-refused",
            "nothing", "nested", "remounts")  # fmt: skip
CONTAINERS = ("plain", "zero-height", "zero-width", "display-none", "invisible", "transparent", "covered", "off-screen",
              "clipped", "overlay", "opens-later", "collapsed-flex", "unpainted", "cut-out")  # fmt: skip
OPTIONS = ("plain", "unknown-key", "misspelled", "commands", "domain-key", "no-domain-key", "stale-domain-key", "client-token",
           "empty-api", "theme", "prompt-icon", "header-title", "field-type", "attachments", "undefined", "circular",
           "later-invalid", "url-change", "missing-thread", "no-history")  # fmt: skip
ALLOWED: dict[str, tuple[str, ...]] = {
    "mode": ("hosted", "custom"),
    "wrapper": WRAPPERS,
    "container": CONTAINERS,
    "options": OPTIONS,
    "generation": ("newest", FRAME_2026.name),
    "script": ("cdn", "none", "module", "twice", "late", "self-hosted", "wrong-url", "import", "pasted", "pinned", "inline"),
    "session": ("own", "other-origin", "wrong-route", "in-url"),
    "backend": ("own", "other-origin", "wrong-route", "insecure"),
    "extras": ("none", "noise", "analytics", "favicon", "broken-script", "hydrated-late", "never-hydrated"),
    "origin": ("local", "https://app.test", "http://app.test"),
    "session_auth": ("bypass", "required", "signed-in"),
    "secret": ("real", "quoted", "session-id", "api-key", "jwt", "version-99", "missing", "null", "object", "expired",
               "foreign", "cached"),
    "verdict": ("mounted", "failed", "timeout"),
    "prefetch": ("pre-fetched", "on demand", "fetched twice", "pre-fetched but not used", "never"),
}  # fmt: skip


# What the OpenAI side does for a page and a backend that are not ours.
FOREIGN_BACKEND = Scenario(name="foreign-backend", accepts_any_key=True)


def read_scenarios(path: Path | None = None) -> dict[str, Scenario]:
    """Return every scenario by name. Raises ConfigError that names file, scenario and key, and what was expected."""
    path = path or fixtures_dir() / "scenarios.toml"
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    return {name: _scenario(path, name, table) for name, table in tables.items()}


def scenario_named(name: str) -> Scenario:
    """Return one scenario. Raises ConfigError that names the nearest, and lists the names there are."""
    scenarios = read_scenarios()
    if name not in scenarios:
        nearest = nearest_of(name, scenarios)
        raise ConfigError(
            f"no scenario {name!r}"
            + (f"\n  nearest:  {nearest}" if nearest else "")
            + f"\n  there are: {', '.join(sorted(scenarios))}"
        )
    return scenarios[name]


def _scenario(path: Path, name: str, table: Any) -> Scenario:
    if not isinstance(table, Mapping):
        raise ConfigError(f"{path}: {name} is outside of a table\n  expected: [{name}], and its keys below")
    return Scenario(name=name, **{key: _value(path, name, key, value) for key, value in table.items()})


def _value(path: Path, name: str, key: str, value: Any) -> Any:
    kinds = {field.name: str(field.type) for field in fields(Scenario) if field.name != "name"}
    if key not in kinds:
        raise _problem(
            path, name, key, "it is not a key of a scenario", f"one of {', '.join(kinds)}", nearest_of(key, kinds)
        )
    if kinds[key].startswith("tuple"):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise _problem(path, name, key, f"found {value!r}", "a list of strings")
        return _faults(path, name, value) if key == "faults" else tuple(value)
    if type(value).__name__ != kinds[key]:
        raise _problem(path, name, key, f"found {value!r}", f"a value of type {kinds[key]}")
    allowed = ALLOWED.get(key)
    if allowed and value not in allowed:
        raise _problem(path, name, key, f"found {value!r}", f"one of {', '.join(allowed)}", nearest_of(value, allowed))
    return value


def _faults(path: Path, name: str, texts: list[str]) -> tuple[Fault, ...]:
    try:
        return combined(faults_of(texts))
    except ConfigError as error:
        raise ConfigError(f"{path}: scenario {name!r}, key 'faults': {error}") from None


def _problem(path: Path, name: str, key: str, what: str, expected: str, nearest: str = "") -> ConfigError:
    did_you_mean = f"\n  nearest:  {nearest}" if nearest else ""
    return ConfigError(f"{path}: scenario {name!r}, key {key!r}: {what}\n  expected: {expected}{did_you_mean}")

"""The schema of the configuration: the keys of `playwright.config.toml`, and the types of its tables.

In: the file. Out: its validated tables, or a ConfigError in the common form. It does not read the environment.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from harness.config.secrets import REFERENCE, masked, secrets_in_file
from harness.config.steps import EXAMPLES, step_of
from harness.errors import ConfigError
from harness.model.chatkit import CDN_ORIGIN

if TYPE_CHECKING:
    from harness.model.recording import Action  # its bounds load the codec, which `--help` does not need

FILE_NAME = "playwright.config.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """The type of a value, and how to parse it from a variable's text."""

    expects: str  # as in error messages
    accepts: Callable[[Any], bool]
    parse: Callable[[str], Any] = str  # raises ValueError
    is_text: bool = True  # a string may contain a ${REFERENCE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key: its kind, its default, and its environment variable."""

    kind: Kind
    default: Any = ""
    variable: str = ""
    may_be_unset: bool = False  # a reference to an unset variable removes the key and is not an error


def choice(*names: str) -> Kind:
    """Return the kind of a string that must be one of these."""
    return Kind(expects=listed(names), accepts=lambda value: value in names)


def whole(least: int) -> Kind:
    """Return the kind of a whole number with a lower bound."""
    return Kind(
        expects=f"a whole number, {least} or more",
        accepts=lambda value: type(value) is int and value >= least,  # a bool is an int too
        parse=int,
        is_text=False,
    )


def number(least: float) -> Kind:
    """Return the kind of a number with a lower bound."""
    return Kind(
        expects=f"a number, {least:g} or more",
        accepts=lambda value: type(value) in (int, float) and value >= least,
        parse=float,
        is_text=False,
    )


def listed(names: tuple[str, ...]) -> str:
    """Return the names for a sentence: "a", "b" or "c"."""
    quoted = [f'"{name}"' for name in names]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else quoted[0]


def flag(text: str) -> bool:
    """Return a variable's text as true or false. Raises ValueError for anything else."""
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError(text)


def is_web_url(value: Any) -> bool:
    """Whether the value is an absolute http or https URL."""
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:  # an unclosed bracket of an IPv6 host
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def is_json(value: Any) -> bool:
    """Whether the value is a string that contains JSON."""
    try:
        json.loads(value)
    except (TypeError, ValueError):
        return False
    return isinstance(value, str)


TEXT = Kind(expects="a text", accepts=lambda value: isinstance(value, str))
FILLED = Kind(expects="a non-empty string", accepts=lambda value: isinstance(value, str) and bool(value.strip()))
PATH = Kind(expects="a path that starts with /", accepts=lambda value: isinstance(value, str) and value.startswith("/"))
WEB_URL = Kind(expects="a URL that starts with http:// or https://", accepts=is_web_url)
FLAG = Kind(expects="true or false", accepts=lambda value: isinstance(value, bool), parse=flag, is_text=False)
HEADLESS = Kind(expects="true or false", accepts=FLAG.accepts, parse=lambda text: not flag(text), is_text=False)
TEXTS = Kind(
    expects="a list of strings",
    accepts=lambda value: isinstance(value, list | tuple) and all(isinstance(item, str) for item in value),
    is_text=False,
)
STEPS = Kind(
    expects=f"a list of steps: {EXAMPLES}", accepts=lambda value: isinstance(value, list | tuple), is_text=False
)
NETWORK = Kind(
    expects='"hermetic", "live" or "replay:<recording>", such as "replay:recordings/happy.zip"',
    accepts=lambda value: isinstance(value, str) and bool(re.fullmatch(r"hermetic|live|replay:.*\S.*", value)),
)
RECORD = choice("none", "once", "new_episodes", "all")
ADDRESS = Kind(
    expects="a URL, or a path of the page's own origin that starts with /",
    accepts=lambda value: is_web_url(value) or PATH.accepts(value),
)
JSON_TEXT = Kind(expects="a string that contains JSON", accepts=lambda value: is_json(value))
REPO = Kind(
    expects="a repository, owner/name",
    accepts=lambda value: isinstance(value, str) and re.fullmatch(r"[\w.-]+/[\w.-]+", value) is not None,
)
SDK = Kind(
    expects='"stand-in", "live" or "snapshot:<folder>"',
    accepts=lambda value: isinstance(value, str) and bool(re.fullmatch(r"stand-in|live|snapshot:\s*\S.*", value)),
)
SDK_NAME = "chatkit.sdk"
BROWSER = choice("chromium", "firefox", "webkit")
TRACE = choice("off", "on", "retain-on-failure")
SCREENSHOT = choice("off", "on", "only-on-failure")
PREFETCH = choice("required", "allowed")

# "*" stands for a name that the user chooses. Default None: depends on other keys, see `config.Project`.
KEYS: Mapping[str, Key] = {
    "test_dir": Key(kind=FILLED, default="tests/e2e"),
    "output_dir": Key(kind=FILLED, default="test-results", variable="CHATKIT_HARNESS_OUTPUT_DIR"),
    "test_ignore": Key(kind=TEXTS, default=()),
    "workers": Key(kind=whole(1), default=1, variable="CHATKIT_HARNESS_WORKERS"),
    "retries": Key(kind=whole(0), default=0),
    "keep_runs": Key(kind=whole(1), default=5),
    "run_megabytes": Key(kind=whole(1), default=2_000),
    "use.browser": Key(kind=BROWSER, default="chromium", variable="CHATKIT_HARNESS_BROWSER"),
    "use.executable_path": Key(kind=TEXT, variable="CHATKIT_HARNESS_EXECUTABLE_PATH"),
    "use.viewport.width": Key(kind=whole(1), default=1280),
    "use.viewport.height": Key(kind=whole(1), default=720),
    "use.trace": Key(kind=TRACE, default="retain-on-failure", variable="CHATKIT_HARNESS_TRACE"),
    "use.trace_screenshots": Key(kind=FLAG, default=False, variable="CHATKIT_HARNESS_TRACE_SCREENSHOTS"),
    "use.screenshot": Key(kind=SCREENSHOT, default="on", variable="CHATKIT_HARNESS_SCREENSHOT"),
    "use.headless": Key(kind=HEADLESS, default=True, variable="CHATKIT_HARNESS_HEADED"),
    "chatkit.prefetch": Key(kind=PREFETCH, default="required"),
    "chatkit.mount_timeout_ms": Key(kind=whole(1), default=15_000, variable="CHATKIT_HARNESS_MOUNT_TIMEOUT_MS"),
    "chatkit.stable_for_ms": Key(kind=whole(0), default=2_000),
    "chatkit.settled_stable_for_ms": Key(kind=whole(0), default=300),
    "chatkit.quiet_ms": Key(kind=whole(0), default=750),
    "chatkit.idle_ms": Key(kind=whole(0), default=2_000),
    "chatkit.console_allow": Key(kind=TEXTS, default=()),
    SDK_NAME: Key(kind=SDK, default="stand-in", variable="CHATKIT_HARNESS_SDK"),
    "baseline.file": Key(kind=FILLED, default="chatkit-baseline.json"),
    "baseline.slower_ratio": Key(kind=number(1), default=1.5),
    "baseline.slower_by_ms": Key(kind=whole(0), default=500),
    "projects.*.page": Key(kind=PATH, default=None),
    "projects.*.base_url": Key(kind=WEB_URL),
    "projects.*.scenario": Key(kind=FILLED, default=None),
    "projects.*.network": Key(kind=NETWORK, default=None),
    "projects.*.record": Key(kind=RECORD, default=None),
    "projects.*.max_age_days": Key(kind=whole(1), default=None),
    "projects.*.session_endpoint": Key(kind=FILLED),
    "projects.*.prefetch": Key(kind=PREFETCH, default=None),
    "projects.*.mount_timeout_ms": Key(kind=whole(1), default=None),
    "projects.*.console_allow": Key(kind=TEXTS, default=None),
    "projects.*.entries.*.click": Key(kind=FILLED),
    "projects.*.entries.*.page": Key(kind=PATH),
    "projects.*.entries.*.storage_state": Key(kind=FILLED),
    "projects.*.entries.*.headers.*": Key(kind=FILLED),
    "projects.*.entries.*.steps": Key(kind=STEPS, default=()),
    "projects.*.web_server.command": Key(kind=FILLED),
    "projects.*.web_server.url": Key(kind=WEB_URL),
    "projects.*.web_server.log_ready": Key(kind=TEXT),
    "projects.*.web_server.timeout_ms": Key(kind=whole(1), default=60_000),
    "projects.*.preflight.api_key": Key(kind=FILLED, may_be_unset=True),
    "projects.*.preflight.organization": Key(kind=TEXT),
    "projects.*.preflight.project": Key(kind=TEXT),
    "projects.*.preflight.workflows": Key(kind=TEXTS, default=()),
    "projects.*.preflight.domains": Key(kind=TEXTS, default=()),
    "projects.*.preflight.domain_key": Key(kind=FILLED, may_be_unset=True),
    "projects.*.preflight.session_url": Key(kind=ADDRESS),
    "projects.*.preflight.session_body": Key(kind=JSON_TEXT),
    "projects.*.preflight.session_token": Key(kind=FILLED, may_be_unset=True),
    "projects.*.preflight.backend_url": Key(kind=ADDRESS),
    "projects.*.preflight.backend_token": Key(kind=FILLED, may_be_unset=True),
    "projects.*.preflight.user": Key(kind=FILLED, default="chatkit-harness-preflight"),
    "projects.*.preflight.api_base": Key(kind=WEB_URL, default="https://api.openai.com"),
    "projects.*.preflight.cdn_base": Key(kind=WEB_URL, default=CDN_ORIGIN),
    "projects.*.preflight.timeout_ms": Key(kind=whole(1), default=10_000),
    "projects.*.smoke.attempts": Key(kind=whole(1), default=3),
    "projects.*.smoke.backoff_ms": Key(kind=whole(0), default=5_000),
    "projects.*.smoke.message": Key(kind=TEXT),
    "projects.*.smoke.first_token_ms": Key(kind=whole(1), default=10_000),
    "projects.*.smoke.slow_mount_ms": Key(kind=whole(1), default=8_000),
    "projects.*.smoke.history": Key(kind=FILLED, default="smoke-history.jsonl"),
    "projects.*.smoke.webhook": Key(kind=WEB_URL, may_be_unset=True),
    "projects.*.smoke.github_repo": Key(kind=REPO, may_be_unset=True),
    "projects.*.smoke.github_token": Key(kind=FILLED, may_be_unset=True),
    "projects.*.smoke.github_api": Key(kind=WEB_URL, default="https://api.github.com"),
    "projects.*.smoke.notify_timeout_ms": Key(kind=whole(1), default=10_000),
    "projects.*.smoke.escalate_after_runs": Key(kind=whole(0), default=3),
    "projects.*.smoke.escalate_after_minutes": Key(kind=whole(0), default=0),
    "projects.*.smoke.metrics_file": Key(kind=TEXT),
}
GLOBAL_KEYS: Mapping[str, Key] = {name: key for name, key in KEYS.items() if "*" not in name}


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewport:
    """The size of the page in CSS pixels."""

    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """The browser and its artifacts, `[use]`."""

    browser: str  # "chromium" | "firefox" | "webkit"
    executable_path: str  # empty: detected
    viewport: Viewport
    trace: str  # "off" | "on" | "retain-on-failure"
    trace_screenshots: bool  # whether a trace contains screenshots, which doubles the cost of a visit
    screenshot: str  # "off" | "on" | "only-on-failure"
    headless: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chatkit:
    """What counts as mounted, and how long to wait for it, `[chatkit]`."""

    prefetch: str  # "required" | "allowed"
    mount_timeout_ms: int
    stable_for_ms: int  # while domain verification is unanswered
    settled_stable_for_ms: int  # after it succeeded or was skipped
    quiet_ms: int  # time without a pending relevant request before a failure is final
    idle_ms: int
    console_allow: tuple[str, ...]  # console messages that contain one of these are clean
    sdk: str = "stand-in"  # "stand-in" | "live" | "snapshot:<folder>": the SDK of a hermetic page


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The baseline of the gate, and how much slower a milestone may become, `[baseline]`."""

    file: str
    slower_ratio: float  # of the expected time on this machine
    slower_by_ms: int  # a regression must exceed both bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One way to open the chat: a button to click, or only the page."""

    name: str
    click: str = ""  # short form of one step: the button's text; empty: no click is needed
    page: str = ""  # a path below the base URL; empty: the project's page
    storage_state: Path | None = None  # cookies and local storage of a signed-in browser, as saved by Playwright
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # for requests to the page's own origin
    steps: tuple[Action, ...] = field(default=(), repr=False)  # the actions on the page, in order

    @property
    def actions(self) -> tuple[Action, ...]:
        """The actions on the page: the click, then the steps."""
        from harness.model.recording import Action

        return (*((Action(action="click", target=self.click),) if self.click else ()), *self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebServer:
    """A server to start before the run."""

    command: str
    url: str
    log_ready: str = ""  # text in its output that means ready; empty: ready when the URL answers
    timeout_ms: int = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """The settings of the preflight, `preflight` of a project."""

    api_key: str = field(default="", repr=False)
    organization: str = ""  # expected of the key
    project: str = ""  # expected of the key
    workflows: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()  # expected on the allowlist; empty: the page's own
    domain_key: str = ""  # of the custom mode
    session_url: str = ""  # of the app; empty: from `session_endpoint` if that is one address
    session_body: str = ""  # JSON; empty: the first workflow and the user
    session_token: str = field(default="", repr=False)  # sent as a bearer
    backend_url: str = ""  # of the custom mode
    backend_token: str = field(default="", repr=False)
    user: str = "chatkit-harness-preflight"
    api_base: str = "https://api.openai.com"
    cdn_base: str = CDN_ORIGIN
    timeout_ms: int = 10_000  # for each hop


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoke:
    """Attempts, time limits and notifications of the smoke test, `smoke` of a project."""

    attempts: int = 3
    backoff_ms: int = 5_000  # before the second attempt; doubled before each further one
    message: str = ""  # sent to the widget; empty: none
    first_token_ms: int = 10_000
    slow_mount_ms: int = 8_000
    history: str = "smoke-history.jsonl"
    webhook: str = field(default="", repr=False)
    github_repo: str = ""
    github_token: str = field(default="", repr=False)
    github_api: str = "https://api.github.com"
    notify_timeout_ms: int = 10_000
    escalate_after_runs: int = 3  # 0: never
    escalate_after_minutes: int = 0  # 0: never
    metrics_file: str = ""


def problem(what: str, *, where: str, key: str, expected: str, found: str, fix: str) -> ConfigError:
    """Return an error in the common form of configuration errors."""
    lines = {"in": where, "key": key, "expected": expected, "found": found, "to fix": fix}
    return ConfigError("\n".join([what, *(f"  {f'{name}:':<9} {text}" for name, text in lines.items() if text)]))


def wrong_value(key: Key, name: str, value: Any, where: str, fix: str = "") -> ConfigError:
    """Return the error for a value that its key does not accept."""
    example = f"write {name.rsplit('.', 1)[-1]} = {literal(key.default)}" if key.default else "correct the value"
    if key.kind is WEB_URL and isinstance(value, str) and re.fullmatch(r"[\w.-]+\.?\w+(:\d+)?(/\S*)?", value):
        example = f"add the scheme: https://{value}"
    return problem(
        f"{name} is not {key.kind.expects}",
        where=where,
        key=name,
        expected=key.kind.expects,
        found=shown(value),
        fix=fix or example,
    )


def read_tables(path: Path) -> dict[str, Any]:
    """Return the validated tables of a file. Raises ConfigError when it is unreadable or invalid, or contains a secret."""

    def refused(what: str, found: object, fix: str) -> ConfigError:
        return problem(
            f"{path} {what}", where=str(path), key="", expected="a TOML file in UTF-8", found=str(found), fix=fix
        )

    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise refused("cannot be read", error.strerror, "correct the path, or the permissions of the file") from error
    except UnicodeDecodeError as error:
        raise refused("is not UTF-8", error.reason, "save the file as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise refused("is not valid TOML", error, "correct that line") from error
    _refuse_secrets(written, str(path))
    tree = checked(written, str(path))
    for name, table in tree.get("projects", {}).items():
        _refuse_contradictions(name, table, str(path))
    return tree


def _refuse_secrets(written: Mapping[str, Any], where: str) -> None:
    for path, kind in secrets_in_file(written):
        key = ".".join(path)
        variable = re.sub(r"\W", "_", path[-1]).upper()
        raise problem(
            f"{key} contains a secret",
            where=where,
            key=key,
            expected=f'a reference to a variable, such as "${{{variable}}}"',
            found=f"a value that looks like a {kind} (not shown)",
            fix="move the value to the environment or to .env; if it was already shared, revoke it and create a "
            "new one",
        )


def _refuse_contradictions(name: str, table: Mapping[str, Any], where: str) -> None:
    key = f"projects.{name}"
    server = table.get("web_server", {})
    for missing in [part for part in ("command", "url") if "web_server" in table and part not in server]:
        raise problem(
            f"{key}.web_server has no {missing}",
            where=where,
            key=f"{key}.web_server.{missing}",
            expected=KEYS[f"projects.*.web_server.{missing}"].kind.expects,
            found="nothing",
            fix='write web_server = { command = "npm run dev", url = "http://localhost:3000" }',
        )
    if "scenario" in table and ("base_url" in table or "web_server" in table):
        raise problem(
            f"{key} has both a scenario and its own page",
            where=where,
            key=f"{key}.scenario",
            expected="no scenario: a scenario is for the embedded page, which this project does not use",
            found=shown(table["scenario"]),
            fix="remove scenario, or remove base_url and web_server",
        )


def checked(table: Mapping[str, Any], where: str, path: tuple[str, ...] = (), pattern: str = "") -> dict[str, Any]:
    """Return the validated table; lists become tuples. Raises ConfigError for the first error."""
    known = _children(pattern)
    result: dict[str, Any] = {}
    for name, value in table.items():
        segment = name if name in known else "*"
        if segment not in known:
            raise _unknown((*path, name), known, where)
        inner, dotted = f"{pattern}.{segment}".lstrip("."), ".".join((*path, name))
        if inner in KEYS:
            result[name] = _checked_value(KEYS[inner], dotted, value, where)
        elif isinstance(value, Mapping):
            result[name] = checked(value, where, (*path, name), inner)
        else:
            raise problem(
                f"{dotted} is not a table",
                where=where,
                key=dotted,
                expected=f"a table with {', '.join(_children(inner))}",
                found=shown(value),
                fix=f"write [{dotted}]",
            )
    return result


def _checked_value(key: Key, name: str, value: Any, where: str) -> Any:
    if key.kind is STEPS and key.kind.accepts(value):
        return tuple(_checked_step(item, f"{name}[{number}]", where) for number, item in enumerate(value))
    awaits_variable = key.kind.is_text and isinstance(value, str) and bool(REFERENCE.search(value))
    if not awaits_variable and not key.kind.accepts(value):
        raise wrong_value(key, name, value, where)
    return tuple(value) if isinstance(value, list) else value


def _checked_step(item: Any, name: str, where: str) -> Any:
    """Return a validated step's table; its variables are resolved later. Raises ConfigError."""
    try:
        step_of(item)
    except ValueError as error:
        raise problem(
            f"{name}: {error}", where=where, key=name, expected=EXAMPLES, found=shown(item), fix="correct this step"
        ) from None
    return item


def _children(pattern: str) -> tuple[str, ...]:
    depth = len(pattern.split(".")) if pattern else 0
    inside = [name.split(".") for name in KEYS if not pattern or name.startswith(f"{pattern}.")]
    return tuple(dict.fromkeys(parts[depth] for parts in inside))


def _unknown(path: tuple[str, ...], known: tuple[str, ...], where: str) -> ConfigError:
    close = difflib.get_close_matches(path[-1], known, n=1)
    return problem(
        f"unknown key {'.'.join(path)}",
        where=where,
        key=".".join(path),
        expected=f"one of {', '.join(known)}",
        found=path[-1],
        fix=f"did you mean {close[0]}?" if close else "remove the key, or correct its name",
    )


def shown(value: Any) -> str:
    """Return a value for an error message: as TOML, shortened, without secrets."""
    text = masked(literal(value))
    return text if len(text) <= 80 else f"{text[:79]}…"


def literal(value: Any) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{bare(name)} = {literal(inner)}" for name, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False, default=str)


def bare(name: str) -> str:
    """Return a key as TOML writes it: quoted only when it must be."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)

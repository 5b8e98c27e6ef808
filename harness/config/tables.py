"""Every key of `playwright.config.toml`, each declared once: its name, its kind, its default, what it is, its variable and its option.

In: nothing. Out: the tables as frozen values, and `KEYS`, what stands in them by dotted name. Nothing else lists keys: the file is checked,
variables and options are read, and the options of the commands and of pytest are made from these lines.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.config.kinds import (
    ADDRESS,
    BROWSER,
    FILE,
    FILLED,
    FLAG,
    FOLDER,
    HEADLESS,
    JSON_TEXT,
    NAME,
    NETWORK,
    PATH,
    PREFETCH,
    RECORD,
    REPO,
    SCREENSHOT,
    SDK,
    STEPS,
    TEXT,
    TEXTS,
    TRACE,
    WEB_URL,
    ValueKind,
    number,
    whole,
)
from harness.model.chatkit import CDN_ORIGIN
from harness.model.limits import Limits

if TYPE_CHECKING:
    from harness.model.recording import Action  # its bounds load the codec, which `--help` does not need

# What a field of a table is: a key, a table, tables under names of the user's.
KEY, INNER, NAMED = "key", "inner", "named"
LIMITS = Limits()
SDK_NAME = "chatkit.sdk"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigKey:
    """One key. A default of None means that it depends on other keys, see `reading.Config.project`."""

    kind: ValueKind
    default: Any = ""
    help: str = ""
    variable: str = ""
    option: str = ""  # of the commands, such as "-n --workers"; pytest's is `pytest_option`
    is_of_gate: bool = False  # no other command has the option
    is_per_project: bool = False  # a project may have its own
    may_be_unset: bool = False  # a reference to an unset variable removes the key and is not an error


def key(kind: ValueKind, default: Any = "", help: str = "", *, is_shown: bool = True, **more: Any) -> Any:
    """Return the field of a table that is a key. `is_shown`: whether its value stands in the text of the table's value."""
    return field(
        default=default, repr=is_shown, metadata={KEY: ConfigKey(kind=kind, default=default, help=help, **more)}
    )


def inner(table: type[Any], *, is_always_there: bool = False) -> Any:
    """Return the field that is a table in the table."""
    made: dict[str, Any] = {"default_factory": table} if is_always_there else {"default": None}
    return field(metadata={INNER: table}, **made)


def named(content: type[Any] | ConfigKey, *, is_shown: bool = True) -> Any:
    """Return the field that is a table with names that the user gives, each of which has a table or a value."""
    return field(default=(), repr=is_shown, metadata={NAMED: content})


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewport:
    """The size of the page in CSS pixels."""

    width: int = key(whole(1), 1280, "The width of the page in CSS pixels.")
    height: int = key(whole(1), 720, "The height of the page in CSS pixels.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """The browser and its artifacts, `[use]`."""

    browser: str = key(BROWSER, "chromium", "Browser engine.", variable="CHATKIT_HARNESS_BROWSER", option="--browser")
    executable_path: str = key(
        FILE,
        "",
        "Path to the browser executable.",
        variable="CHATKIT_HARNESS_EXECUTABLE_PATH",
        option="--executable-path",
    )
    viewport: Viewport = inner(Viewport, is_always_there=True)
    trace: str = key(
        TRACE,
        "retain-on-failure",
        "When to keep a Playwright trace.",
        variable="CHATKIT_HARNESS_TRACE",
        option="--trace",
    )
    trace_screenshots: bool = key(
        FLAG, False, "Whether a trace films the page: twice the cost.", variable="CHATKIT_HARNESS_TRACE_SCREENSHOTS"
    )
    screenshot: str = key(SCREENSHOT, "on", "When to keep screenshots.", variable="CHATKIT_HARNESS_SCREENSHOT")
    headless: bool = key(
        HEADLESS, True, "Run the browser with a window.", variable="CHATKIT_HARNESS_HEADED", option="--headed"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatkitSettings(Limits):
    """What counts as mounted, and how long to wait for it, `[chatkit]`."""

    prefetch: str = key(
        PREFETCH,
        "required",
        "Whether the client secret must be pre-fetched.",
        option="--prefetch",
        is_of_gate=True,
        is_per_project=True,
    )
    mount_timeout_ms: float = key(
        whole(1, "MS"), LIMITS.mount_timeout_ms, "Timeout for an undecided mount.",
        variable="CHATKIT_HARNESS_MOUNT_TIMEOUT_MS", option="--mount-timeout-ms", is_per_project=True,
    )  # fmt: skip
    stable_for_ms: float = key(whole(0), LIMITS.stable_for_ms, "How long a widget stays before its domain is verified.")
    settled_stable_for_ms: float = key(whole(0), LIMITS.settled_stable_for_ms, "How long it stays after that.")
    quiet_ms: float = key(whole(0), LIMITS.quiet_ms, "How long nothing is in flight before a failure is final.")
    idle_ms: float = key(whole(0), LIMITS.idle_ms, "How long nothing happens before an unfinished mount is final.")
    console_allow: tuple[str, ...] = key(
        TEXTS, (), "Console messages that contain one of these are clean.", is_per_project=True
    )
    sdk: str = key(
        SDK, "stand-in", "Source of ChatKit's SDK: stand-in, live, or snapshot:<folder>.",
        variable="CHATKIT_HARNESS_SDK", option="--sdk", is_of_gate=True,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineSettings:
    """The baseline of the gate, and how much slower a milestone may become, `[baseline]`."""

    file: str = key(FILLED, "chatkit-baseline.json", "What a gate is compared with.")
    slower_ratio: float = key(number(1), 1.5, "How much of the time that is expected on this machine is too slow.")
    slower_by_ms: int = key(whole(0), 500, "By how much at least: both bounds have to be passed.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectEntry:
    """One way to open the chat: a button to click, or only the page."""

    name: str
    click: str = key(FILLED, "", "The button to click; the short form of one step.")
    page: str = key(PATH, "", "A path below the base URL, in place of the project's page.")
    storage_state: Path | None = key(FILLED, None, "Cookies and local storage of a browser that has signed in.")
    headers: tuple[tuple[str, str], ...] = named(  # for requests to the page's own origin
        ConfigKey(kind=FILLED, help="A header for requests to the page's own origin."), is_shown=False
    )
    steps: tuple[Action, ...] = key(STEPS, (), "What is done on the page, in order.", is_shown=False)

    @property
    def actions(self) -> tuple[Action, ...]:
        """The actions on the page: the click, then the steps."""
        from harness.model.recording import Action

        return (*((Action(action="click", target=self.click),) if self.click else ()), *self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebServer:
    """A server to start before the run."""

    command: str = key(FILLED, "", "What starts it.")
    url: str = key(WEB_URL, "", "Where it answers.")
    log_ready: str = key(TEXT, "", "The text in its output that means ready; else it is when the URL answers.")
    timeout_ms: int = key(whole(1), 60_000, "How long it may take to be ready.")
    reuse_existing_server: bool = key(
        FLAG, False, "Use a server that already answers at the URL; else that is an error."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightSettings:
    """The settings of the preflight, `preflight` of a project."""

    api_key: str = key(FILLED, "", "The key of OpenAI's API.", may_be_unset=True, is_shown=False)
    organization: str = key(TEXT, "", "The organization that the key should belong to.")
    project: str = key(TEXT, "", "The project that the key should belong to.")
    workflows: tuple[str, ...] = key(TEXTS, (), "The workflows that should be there.")
    domains: tuple[str, ...] = key(TEXTS, (), "What should be on the allowlist; else the page's own.")
    domain_key: str = key(FILLED, "", "The domain key of the custom mode.", may_be_unset=True)
    session_url: str = key(
        ADDRESS, "", "The app's session endpoint; else `session_endpoint`, where that is one address."
    )
    session_body: str = key(JSON_TEXT, "", "What it is sent; else the first workflow and the user.")
    session_token: str = key(FILLED, "", "What it is sent as a bearer.", may_be_unset=True, is_shown=False)
    backend_url: str = key(ADDRESS, "", "The chat backend of the custom mode.")
    backend_token: str = key(FILLED, "", "What it is sent as a bearer.", may_be_unset=True, is_shown=False)
    user: str = key(FILLED, "chatkit-harness-preflight", "The user that OpenAI is sent.")
    api_base: str = key(WEB_URL, "https://api.openai.com", "The base URL of OpenAI's API.")
    cdn_base: str = key(WEB_URL, CDN_ORIGIN, "The base URL of ChatKit's CDN.")
    timeout_ms: int = key(whole(1), 10_000, "How long each hop may take.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoke:
    """Attempts, time limits and notifications of the smoke test, `smoke` of a project."""

    attempts: int = key(whole(1), 3, "How often a page is tried.")
    backoff_ms: int = key(whole(0), 5_000, "The pause before the second attempt; doubled before each further one.")
    message: str = key(TEXT, "", "What is sent to the mounted widget.")
    first_token_ms: int = key(whole(1), 10_000, "A later first word is degraded.")
    slow_mount_ms: int = key(whole(1), 8_000, "A slower mount is degraded.")
    history: str = key(FILLED, "smoke-history.jsonl", "The history of earlier runs.")
    webhook: str = key(WEB_URL, "", "Where notices are sent.", may_be_unset=True, is_shown=False)
    github_repo: str = key(REPO, "", "Where an issue is opened for each outage.", may_be_unset=True)
    github_token: str = key(FILLED, "", "The token for that.", may_be_unset=True, is_shown=False)
    github_api: str = key(WEB_URL, "https://api.github.com", "The base URL of GitHub's API.")
    notify_timeout_ms: int = key(whole(1), 10_000, "How long each channel may take.")
    escalate_after_runs: int = key(whole(0), 3, "After how many failed runs there is a second notice; 0: never.")
    escalate_after_minutes: int = key(whole(0), 0, "After how many minutes there is a second notice; 0: never.")
    metrics_file: str = key(TEXT, "", "Where metrics are written, in the text format of Prometheus.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """One page to test, with every reference resolved."""

    name: str
    page: str = key(PATH, None, "A path below the base URL.")
    base_url: str = key(WEB_URL, "", "The page's origin; else that of `web_server`, or the embedded default.")
    scenario: str = key(FILLED, None, "What is broken on the embedded page.")
    network: str = key(NETWORK, None, "What answers the page.")  # here: "hermetic" | "live" | "replay"
    recording: Path | None = None  # what is replayed, of `network`; `{entry}` in it stands for the entry's name
    record: str = key(RECORD, "none", "When the recording is made, or made again.")
    max_age_days: int | None = key(whole(1), None, "An older recording is refused.")
    session_endpoint: str = key(
        FILLED, "", "A glob of the call that fetches the client secret; else it is found by itself."
    )
    entries: tuple[ProjectEntry, ...] = named(ProjectEntry)
    chatkit: ChatkitSettings  # with this project's settings
    web_server: WebServer | None = inner(WebServer)
    preflight: PreflightSettings | None = inner(PreflightSettings)
    smoke: Smoke = inner(Smoke, is_always_there=True)

    @property
    def is_embedded(self) -> bool:
        """Whether the embedded page is tested."""
        return not self.base_url and self.web_server is None and self.network != "replay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What holds for every project."""

    test_dir: Path = key(FOLDER, "tests/e2e", "Your own tests, run after the built-in checks.")
    output_dir: Path = key(
        FOLDER, "test-results", "Folder for results (default: test-results).",
        variable="CHATKIT_HARNESS_OUTPUT_DIR", option="--output-dir",
    )  # fmt: skip
    test_ignore: tuple[str, ...] = key(TEXTS, (), "Globs of paths that a gate does not collect.")
    workers: int = key(
        whole(1), 1, "Number of tests to run in parallel.",
        variable="CHATKIT_HARNESS_WORKERS", option="-n --workers", is_of_gate=True,
    )  # fmt: skip
    retries: int = key(
        whole(0),
        0,
        "Number of retries for a failed test. A pass after a retry has exit code 7.",
        option="--retries",
        is_of_gate=True,
    )
    keep_runs: int = key(whole(1), 5, "Older runs beyond this number are deleted.")
    run_megabytes: int = key(whole(1), 2_000, "What a run's visits may write until they keep little.")
    use: Use = inner(Use, is_always_there=True)
    chatkit: ChatkitSettings = inner(ChatkitSettings, is_always_there=True)
    baseline: BaselineSettings = inner(BaselineSettings, is_always_there=True)


PROJECT = ConfigKey(
    kind=NAME, default=None, help="Project of the configuration to run.",
    variable="CHATKIT_HARNESS_PROJECT", option="-p --project",
)  # fmt: skip


def _keys_of(table: type[Any], prefix: str = "") -> Iterator[tuple[str, ConfigKey]]:
    for item in fields(table):
        match dict(item.metadata):
            case {"key": ConfigKey() as found}:
                yield f"{prefix}{item.name}", found
            case {"inner": found}:
                yield from _keys_of(found, f"{prefix}{item.name}.")
            case {"named": ConfigKey() as found}:
                yield f"{prefix}{item.name}.*", found
            case {"named": found}:
                yield from _keys_of(found, f"{prefix}{item.name}.*.")


SETTING_KEYS: Mapping[str, ConfigKey] = dict(_keys_of(Settings))
# The keys of [chatkit] that a project may set for itself.
PROJECT_CHATKIT_KEYS: Mapping[str, ConfigKey] = {
    item.name: item.metadata[KEY] for item in fields(ChatkitSettings) if item.metadata[KEY].is_per_project
}
# A "*" stands for a name that the user gives.
KEYS: Mapping[str, ConfigKey] = {
    **SETTING_KEYS,
    **{f"projects.*.{name}": found for name, found in _keys_of(Project)},
    **{
        f"projects.*.{name}": dataclasses.replace(found, default=None, variable="", option="")
        for name, found in PROJECT_CHATKIT_KEYS.items()
    },
}
# What the command line or the environment may set: the settings, and which project is run.
GIVEN_KEYS: Mapping[str, ConfigKey] = {"project": PROJECT, **SETTING_KEYS}

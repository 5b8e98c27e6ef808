"""Configuration: precedence, projects, errors, and what becomes of secrets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from harness.commands.config import render_config
from harness.config.reading import Config, read_config
from harness.config.schema import KEYS
from harness.config.tables import PreflightSettings, ProjectEntry, Smoke, WebServer
from harness.errors import ConfigError

# Put together here, so that no file of the project holds anything in the shape of a secret.
API_KEY = "sk-" + "proj-4f7Qm2ZxW9vB"
CLIENT_SECRET = "ek_" + "68a1f00dcafe4711"
JWT = ".".join(("eyJ" + "hbGciOiJIUzI1NiJ9", "eyJ" + "zdWIiOiIxMjM0NTYifQ", "c2lnbmF0dXJlLW9ubHk"))
PASSWORD = "correct-horse-battery"


def configured(
    folder: Path,
    toml: str | None = None,
    *,
    dotenv: str = "",
    environ: dict[str, str] | None = None,
    overrides: dict[str, Any] | None = None,
) -> Config:
    """Return the configuration of a folder with this file and these variables."""
    if toml is not None:
        (folder / "playwright.config.toml").write_text(toml, encoding="utf-8")
    if dotenv:
        (folder / ".env").write_text(dotenv, encoding="utf-8")
    return read_config(None, environ=environ or {}, overrides=overrides, root=folder)


def refusal(folder: Path, toml: str | None = None, *, project: str = "", **sources: object) -> str:
    """Return the message of the one ConfigError that reading this configuration raises."""
    with pytest.raises(ConfigError) as caught:
        configured(folder, toml, **sources).project(project)  # type: ignore[arg-type]  # handed on as they came
    return str(caught.value)


# -- defaults and precedence


def test_without_a_file_the_embedded_page_is_tested(tmp_path: Path) -> None:
    """Nothing to configure: the project `local` has the embedded page and its two entries."""
    config = configured(tmp_path)
    project = config.project()
    assert (config.path, config.project_names) == (None, ("local",))
    assert (project.name, project.page, project.scenario, project.network) == (
        "local",
        "/test-chatkit",
        "healthy",
        "hermetic",
    )
    assert project.is_embedded
    assert project.entries == (
        ProjectEntry(name="topic-generation", click="Topic Generation"),
        ProjectEntry(name="post-writer", click="Post Writer"),
    )
    assert (config.use.browser, config.use.headless, config.use.viewport.width) == ("chromium", True, 1280)
    assert (config.chatkit.prefetch, config.chatkit.mount_timeout_ms, config.chatkit.console_allow) == (
        "required",
        15_000,
        (),
    )
    assert (config.test_dir, config.output_dir) == (tmp_path / "tests/e2e", tmp_path / "test-results")


def test_a_file_without_projects_keeps_the_embedded_one(tmp_path: Path) -> None:
    """A file that only sets [use] still has the project `local`."""
    config = configured(tmp_path, '[use]\nbrowser = "firefox"\n')
    assert config.use.browser == "firefox"
    assert config.project().is_embedded


LAYERS = (
    ("default", None, "", "", None, 15_000),
    ("playwright.config.toml", "[chatkit]\nmount_timeout_ms = 1\n", "", "", None, 1),
    (".env CHATKIT_HARNESS_MOUNT_TIMEOUT_MS", "[chatkit]\nmount_timeout_ms = 1\n", "2", "", None, 2),
    ("environment CHATKIT_HARNESS_MOUNT_TIMEOUT_MS", "[chatkit]\nmount_timeout_ms = 1\n", "2", "3", None, 3),
    ("command line", "[chatkit]\nmount_timeout_ms = 1\n", "2", "3", 4, 4),
)


@pytest.mark.parametrize(("source", "toml", "dotenv", "environ", "option", "expected"), LAYERS)
def test_the_nearest_source_wins_and_is_remembered(
    tmp_path: Path,
    source: str,
    toml: str | None,
    dotenv: str,
    environ: str,
    option: int | None,
    expected: int,
) -> None:
    """Command line over environment over .env over file over default."""
    name = "CHATKIT_HARNESS_MOUNT_TIMEOUT_MS"
    config = configured(
        tmp_path,
        toml,
        dotenv=f"{name}={dotenv}\n" if dotenv else "",
        environ={name: environ},
        overrides={"chatkit.mount_timeout_ms": option},
    )
    assert config.chatkit.mount_timeout_ms == expected
    assert config.settings["chatkit.mount_timeout_ms"].source == source


VARIABLES = (
    ("BROWSER", "webkit", "use.browser", "webkit"),
    ("EXECUTABLE_PATH", "/opt/chrome", "use.executable_path", "/opt/chrome"),
    ("PROJECT", "local", "project", "local"),
    ("OUTPUT_DIR", "out", "output_dir", "out"),
    ("MOUNT_TIMEOUT_MS", "900", "chatkit.mount_timeout_ms", 900),
    ("HEADED", "1", "use.headless", False),
    ("HEADED", "false", "use.headless", True),
    ("TRACE", "on", "use.trace", "on"),
    ("TRACE_SCREENSHOTS", "yes", "use.trace_screenshots", True),
    ("SCREENSHOT", "only-on-failure", "use.screenshot", "only-on-failure"),
)


@pytest.mark.parametrize(("variable", "text", "setting", "expected"), VARIABLES)
def test_each_variable_sets_its_key(
    tmp_path: Path, variable: str, text: str, setting: str, expected: str | int | bool
) -> None:
    """Variables are parsed to the type of their key, and leave a source."""
    name = f"CHATKIT_HARNESS_{variable}"
    found = configured(tmp_path, environ={name: text}).settings[setting]
    assert (found.value, found.source) == (expected, f"environment {name}")


def test_an_empty_variable_is_not_set(tmp_path: Path) -> None:
    """`CHATKIT_HARNESS_BROWSER=` leaves the browser to `.env` and the rest."""
    config = configured(tmp_path, dotenv="CHATKIT_HARNESS_BROWSER=webkit\n", environ={"CHATKIT_HARNESS_BROWSER": ""})
    assert config.use.browser == "webkit"


def test_reading_leaves_the_environment_alone(tmp_path: Path) -> None:
    """`.env` is read, never exported."""
    before = dict(os.environ)
    configured(tmp_path, dotenv="CHATKIT_HARNESS_TRACE=on\n")
    assert dict(os.environ) == before


# -- projects

STAGING = """
[chatkit]
mount_timeout_ms = 1000
[projects.app]
web_server = { command = "npm run dev", url = "http://localhost:3000", log_ready = "Ready in" }
[projects.staging]
base_url = "${STAGING_URL}"
prefetch = "allowed"
mount_timeout_ms = 2000
entries = { chat = { click = "Open chat" }, plain = {} }
preflight = { api_key = "${OPENAI_API_KEY}", workflows = ["wf_1"], domains = ["${STAGING_HOST}"] }
"""


def test_references_are_resolved_when_the_project_is_asked_for(tmp_path: Path) -> None:
    """`${…}` comes from the environment or .env, in texts, tables and lists."""
    environ = {"STAGING_URL": "https://staging.example.com", "STAGING_HOST": "staging.example.com"}
    project = configured(tmp_path, STAGING, environ=environ, dotenv=f"OPENAI_API_KEY={API_KEY}\n").project("staging")
    assert project.base_url == "https://staging.example.com"
    assert project.network == "live"
    assert project.entries == (ProjectEntry(name="chat", click="Open chat"), ProjectEntry(name="plain"))
    assert project.preflight is not None
    assert (project.preflight.api_key, project.preflight.domains) == (API_KEY, ("staging.example.com",))


def test_missing_variables_of_another_project_do_not_matter(tmp_path: Path) -> None:
    """The app runs although the staging variables are not set; it comes first, so it is selected."""
    config = configured(tmp_path, STAGING)
    project = config.project()
    assert project.name == "app"
    assert project.web_server == WebServer(
        command="npm run dev", url="http://localhost:3000", log_ready="Ready in", timeout_ms=60_000
    )
    assert (project.network, project.page, project.entries) == ("hermetic", "/", (ProjectEntry(name="page"),))
    assert (project.is_embedded, project.scenario) == (False, "")


def test_a_project_has_its_own_chatkit_settings(tmp_path: Path) -> None:
    """A project's keys win over [chatkit], and lose against the environment."""
    environ = {"STAGING_URL": "https://s.test", "STAGING_HOST": "s.test", "OPENAI_API_KEY": API_KEY}
    own = configured(tmp_path, STAGING, environ=environ).project("staging").chatkit
    assert (own.prefetch, own.mount_timeout_ms) == ("allowed", 2000)
    environ["CHATKIT_HARNESS_MOUNT_TIMEOUT_MS"] = "3000"
    assert configured(tmp_path, environ=environ).project("staging").chatkit.mount_timeout_ms == 3000


def test_a_url_alone_is_a_project(tmp_path: Path) -> None:
    """`check URL` needs no file: a live project with one entry."""
    project = configured(tmp_path).project_at(
        "https://staging.example.com/chat?tab=1", entry=ProjectEntry(name="", click="Topic Generation")
    )
    assert (project.name, project.base_url, project.page) == (
        "staging.example.com",
        "https://staging.example.com",
        "/chat?tab=1",
    )
    assert (project.network, project.entries) == ("live", (ProjectEntry(name="page", click="Topic Generation"),))
    assert configured(tmp_path).project_at("http://localhost:3000").page == "/"
    with pytest.raises(ConfigError, match='"staging" is not a URL'):
        configured(tmp_path).project_at("staging")


# -- errors: where, which key, what was expected, what was there, what to do

IN_FILE = (
    ("unknown-key", "[use]\nbrowsr = 1\n", ("unknown key use.browsr", "did you mean browser?")),
    ("unknown-table", "[chatkitt]\nx = 1\n", ("unknown key chatkitt", "did you mean chatkit?")),
    (
        "unknown-in-project",
        "[projects.a.entries.b]\nklick = 'x'\n",
        ("unknown key projects.a.entries.b.klick", "did you mean click?"),
    ),
    ("far-from-any", "zzz = 1\n", ("unknown key zzz", "remove the key")),
    ("not-a-number", "retries = '2'\n", ("retries is not a whole number", 'found:    "2"')),
    ("true-is-no-number", "retries = true\n", ("retries is not a whole number", "found:    true")),
    ("too-small", "[chatkit]\nmount_timeout_ms = 0\n", ("1 or more", "found:    0", "mount_timeout_ms = 15000")),
    ("not-a-flag", "[use]\nheadless = 'yes'\n", ("use.headless is not true or false", 'found:    "yes"')),
    (
        "wrong-choice",
        "[use]\nbrowser = 'chrome'\n",
        ('"chromium", "firefox" or "webkit"', 'found:    "chrome"', 'browser = "chromium"'),
    ),
    ("not-a-list", "[chatkit]\nconsole_allow = 'x'\n", ("chatkit.console_allow is not a list of strings",)),
    ("list-of-numbers", "[chatkit]\nconsole_allow = [1]\n", ("a list of strings", "found:    [1]")),
    ("not-a-table", "use = 1\n", ("use is not a table", "found:    1", "[use]")),
    ("no-url", "[projects.a]\nbase_url = 'app.test'\n", ("starts with http://", 'found:    "app.test"')),
    ("no-path", "[projects.a]\npage = 'chat'\n", ("projects.a.page is not a path that starts with /",)),
    ("server-without-url", "[projects.a.web_server]\ncommand = 'x'\n", ("projects.a.web_server has no url",)),
    (
        "scenario-of-a-foreign-page",
        "[projects.a]\nscenario = 'healthy'\nbase_url = 'https://a.test'\n",
        ("projects.a has both a scenario and its own page",),
    ),
    ("invalid-toml", "[use]\nbrowser = \n", ("is not valid TOML", "line 2")),
)


@pytest.mark.parametrize(("toml", "parts"), [case[1:] for case in IN_FILE], ids=[case[0] for case in IN_FILE])
def test_a_fault_in_the_file_is_named(tmp_path: Path, toml: str, parts: tuple[str, ...]) -> None:
    """One ConfigError that says the file, the key, what was expected, what was there, and what to do."""
    message = refusal(tmp_path, toml)
    for part in (*parts, f"in:       {tmp_path / 'playwright.config.toml'}", "expected:", "found:", "to fix:"):
        assert part in message


IN_VARIABLES = (
    ("BROWSER", "chrome", '"chromium", "firefox" or "webkit"'),
    ("MOUNT_TIMEOUT_MS", "soon", "a whole number, 1 or more"),
    ("MOUNT_TIMEOUT_MS", "0", "a whole number, 1 or more"),
    ("HEADED", "maybe", "true or false"),
    ("TRACE", "yes", '"off", "on" or "retain-on-failure"'),
    ("SCREENSHOT", "yes", '"off", "on" or "only-on-failure"'),
)


@pytest.mark.parametrize(("variable", "text", "expected"), IN_VARIABLES)
def test_a_fault_in_a_variable_is_named(tmp_path: Path, variable: str, text: str, expected: str) -> None:
    """The message names the variable, not the key that it stands for."""
    name = f"CHATKIT_HARNESS_{variable}"
    message = refusal(tmp_path, environ={name: text})
    assert f"in:       environment {name}" in message
    assert f"expected: {expected}" in message
    assert f'found:    "{text}"' in message


def test_a_fault_in_an_option_is_named(tmp_path: Path) -> None:
    """An option that is no choice is the command line's fault, not the file's."""
    message = refusal(tmp_path, overrides={"use.trace": "sometimes"})
    assert "in:       command line" in message
    assert 'found:    "sometimes"' in message


def test_a_missing_variable_is_named(tmp_path: Path) -> None:
    """File, key and variable, as soon as the project that refers to it is asked for."""
    message = refusal(tmp_path, STAGING, project="staging")
    assert "the variable STAGING_URL is not set" in message
    assert "key:      projects.staging.base_url" in message
    assert str(tmp_path / "playwright.config.toml") in message


def test_a_wrong_value_from_a_variable_is_found_when_it_is_resolved(tmp_path: Path) -> None:
    """A reference is checked for what it stands for."""
    environ = {"STAGING_URL": "staging", "OPENAI_API_KEY": API_KEY, "STAGING_HOST": "x"}
    message = refusal(tmp_path, STAGING, project="staging", environ=environ)
    assert 'found:    "staging"' in message
    assert "add the scheme: https://staging" in message


PAGE_OF_STAGING = Path(__file__).parents[3] / "docs" / "staging.md"


def test_secrets_of_preflight_and_smoke_may_be_unset(tmp_path: Path) -> None:
    """The project of docs/staging.md works without its secrets, and with them; nothing else may be missing."""
    toml = PAGE_OF_STAGING.read_text(encoding="utf-8").partition("```toml")[2].partition("```")[0]
    environ = {"STAGING_URL": "https://staging.example.com"}
    project = configured(tmp_path, toml, environ=environ).project("staging")
    assert project.preflight is not None
    assert (project.preflight.api_key, project.smoke.webhook, project.smoke.github_token) == ("", "", "")
    assert (project.preflight.workflows, project.smoke.github_repo) == (("wf_0123",), "acme/chat")
    secrets = {"OPENAI_API_KEY": API_KEY, "SMOKE_WEBHOOK": "https://hooks.example.com/T0/B0/0123456789abcdef"}
    config = configured(tmp_path, toml, environ=environ | secrets)
    assert config.project("staging").smoke.webhook == secrets["SMOKE_WEBHOOK"]
    assert not [text for text in secrets.values() if text in render_config(config)]
    assert secrets["SMOKE_WEBHOOK"] in [value for _, value in config.secrets]


def test_every_key_of_preflight_and_smoke_is_documented() -> None:
    """With the default that is in force."""
    page = PAGE_OF_STAGING.read_text(encoding="utf-8")
    for dotted, key in KEYS.items():
        if dotted.startswith(("projects.*.preflight.", "projects.*.smoke.")):
            name = dotted.rpartition(".")[2]
            rows = [line for line in page.splitlines() if line.startswith("| `") and f"`{name}`" in line]
            assert rows, name
            is_shown = type(key.default) is int or name in ("history", "user")
            assert not is_shown or str(key.default) in rows[-1], name


def test_the_defaults_of_preflight_and_smoke_are_those_of_their_keys() -> None:
    """They stand in two places: where a file is checked, and where a project has no such table."""
    for table, made in (("preflight", PreflightSettings()), ("smoke", Smoke())):
        for dotted, key in KEYS.items():
            if dotted.startswith(f"projects.*.{table}."):
                assert getattr(made, dotted.rpartition(".")[2]) == key.default, dotted


def test_a_webhook_in_the_file_is_refused(tmp_path: Path) -> None:
    """Its address is a secret."""
    message = refusal(tmp_path, '[projects.a.smoke]\nwebhook = "https://hooks.example.com/T0/B0/0123456789abcdef"\n')
    assert "projects.a.smoke.webhook contains a secret" in message


@pytest.mark.parametrize(
    ("sources", "where"),
    [
        ({"overrides": {"project": "prod"}}, "command line"),
        ({"environ": {"CHATKIT_HARNESS_PROJECT": "prod"}}, "environment CHATKIT_HARNESS_PROJECT"),
    ],
)
def test_an_unknown_project_is_named(tmp_path: Path, sources: dict[str, object], where: str) -> None:
    """The message lists the projects there are, and who asked."""
    message = refusal(tmp_path, STAGING, **sources)  # type: ignore[arg-type]  # one of two shapes
    assert "no project 'prod'" in message
    assert "one of app, staging" in message
    assert where in message


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    """A file that was named and is missing, is a folder, or is not UTF-8."""
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        read_config(tmp_path / "other.toml", environ={})
    assert "No such file" in str(caught.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config(tmp_path, environ={})
    (tmp_path / "latin.toml").write_bytes(b"test_dir = '\xe4'")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        read_config(tmp_path / "latin.toml", environ={})


def test_an_unreadable_dotenv_is_named(tmp_path: Path) -> None:
    """`.env` must be UTF-8 too."""
    (tmp_path / ".env").write_bytes(b"A=\xff\xfe")
    with pytest.raises(ConfigError, match=r"\.env cannot be read"):
        read_config(None, environ={}, root=tmp_path)


# -- secrets

WRITTEN_SECRETS = (
    ("by-shape-key", f"[projects.a]\nsession_endpoint = '{API_KEY}'\n", API_KEY),
    ("by-shape-client-secret", f"[chatkit]\nconsole_allow = ['{CLIENT_SECRET}']\n", CLIENT_SECRET),
    ("by-shape-jwt", f"[projects.a.web_server]\ncommand = 'run {JWT}'\nurl = 'http://a.test'\n", JWT),
    ("by-key", f"[projects.a.preflight]\napi_key = '{PASSWORD}'\n", PASSWORD),
    ("by-key-beside-a-reference", "[projects.a.preflight]\napi_key = 'hunter22${X}'\n", "hunter22"),
    ("by-unknown-key", f"[projects.a]\nadmin_password = '{PASSWORD}'\n", PASSWORD),
    ("in-a-place-of-another-type", f"retries = '{API_KEY}'\n", API_KEY),
)


@pytest.mark.parametrize(
    ("toml", "secret"), [case[1:] for case in WRITTEN_SECRETS], ids=[case[0] for case in WRITTEN_SECRETS]
)
def test_a_secret_in_the_file_is_refused_without_showing_it(tmp_path: Path, toml: str, secret: str) -> None:
    """The message names the key and never the value."""
    message = refusal(tmp_path, toml)
    assert "contains a secret" in message
    assert secret not in message
    assert secret[-4:] not in message


def test_ordinary_texts_are_no_secrets(tmp_path: Path) -> None:
    """Near misses: words with sk- inside, an entry named after a password, an empty key, a reference."""
    toml = """
    [chatkit]
    console_allow = ["Bearer authentication failed", "risk-assessment-of-tokens", "task-management"]
    [projects.a]
    entries = { forgot-password = { click = "Forgot password?" } }
    preflight = { api_key = "${OPENAI_API_KEY}" }
    """
    config = configured(tmp_path, toml, environ={"OPENAI_API_KEY": "x"})
    assert config.project().entries[0].name == "forgot-password"


SECRET_VARIABLES = (
    ("OPENAI_API_KEY", "plain-value-1", "api_key"),
    ("OPENAI_API_KEY_2", "plainvalue", "api_key"),
    ("SUPABASE_JWT", "plainvalue", "jwt"),
    ("DB_PASSWORD", "plainvalue", "password"),
    ("MY_TOKEN", "plainvalue", "token"),
    ("CLIENT_SECRET", "plainvalue", "secret"),
    ("TOKEN_FOR_CI", "Pl4in-value", "token"),
    ("INNOCENT", API_KEY, "api_key"),
    ("INNOCENT", JWT, "jwt"),
    ("STAGING_URL", "https://me:p4ssw0rd@s.test/", ""),
    ("TOKEN_URL", "https://auth.test/token", None),
    ("JWT_AUDIENCE", "authenticated", None),
    ("MY_KEY", "short", None),
    ("HOME", "/home/me", None),
)


@pytest.mark.parametrize("place", ["environment", ".env"])
@pytest.mark.parametrize(("name", "value", "kind"), SECRET_VARIABLES)
def test_secret_variables_are_told_to_the_redactor(
    tmp_path: Path, place: str, name: str, value: str, kind: str | None
) -> None:
    """By name or by shape, from either place; a setting with a telling name is none."""
    environ, dotenv = ({name: value}, "") if place == "environment" else ({}, f"{name}='{value}'\n")
    secrets = configured(tmp_path, environ=environ, dotenv=dotenv).secrets
    if kind == "":
        assert secrets == (("password", "p4ssw0rd"),)
    else:
        assert secrets == (((kind, value),) if kind else ())


def test_what_a_secret_key_refers_to_is_secret(tmp_path: Path) -> None:
    """A variable with an innocent name is secret when api_key refers to it."""
    config = configured(tmp_path, "[projects.a.preflight]\napi_key = '${X}'\n", environ={"X": "plain value"})
    assert config.secrets == (("api_key", "plain value"),)


def test_a_secret_in_the_wrong_place_is_not_shown(tmp_path: Path) -> None:
    """A variable's value is masked in messages, also one that is known by its name only."""
    toml = "[projects.a]\nbase_url = '${MY_TOKEN}'\n"
    assert PASSWORD not in refusal(tmp_path, toml, environ={"MY_TOKEN": PASSWORD})
    assert API_KEY not in refusal(tmp_path, environ={"CHATKIT_HARNESS_BROWSER": API_KEY})


def test_no_secret_is_in_the_text_of_the_objects(tmp_path: Path) -> None:
    """A Config or Project that ends up in a traceback shows no secret."""
    toml = "[projects.a.preflight]\napi_key = '${OPENAI_API_KEY}'\n"
    config = configured(tmp_path, toml, environ={"OPENAI_API_KEY": API_KEY})
    assert API_KEY not in repr(config) + repr(config.project())


# -- the effective configuration, shown


def test_the_effective_configuration_says_where_each_value_is_from(tmp_path: Path) -> None:
    """Each line of `chatkit-harness config` ends in its source; secrets are masked."""
    environ = {"STAGING_URL": "https://s.test", "STAGING_HOST": "s.test", "CHATKIT_HARNESS_TRACE": "on"}
    text = render_config(
        configured(
            tmp_path,
            STAGING,
            environ=environ,
            dotenv=f"OPENAI_API_KEY={API_KEY}\n",
            overrides={"use.browser": "firefox", "project": "staging"},
        )
    )
    for line in (
        'browser = "firefox"  # command line',
        'trace = "on"  # environment CHATKIT_HARNESS_TRACE',
        "mount_timeout_ms = 1000  # playwright.config.toml",
        "quiet_ms = 750  # default",
        "[projects.staging]  # runs; command line",
        'base_url = "https://s.test"  # playwright.config.toml, environment STAGING_URL',
        'network = "live"  # default',
        "mount_timeout_ms = 2000  # playwright.config.toml",
    ):
        assert line in text.splitlines()
    assert API_KEY not in text
    assert f'api_key = "api_key …{API_KEY[-4:]} (masked)"' in text


def test_a_project_that_cannot_run_is_shown_with_its_reason(tmp_path: Path) -> None:
    """A missing variable is a line in the text, not the end of it."""
    text = render_config(configured(tmp_path, STAGING))
    assert "# cannot be used: the variable STAGING_URL is not set" in text
    assert 'base_url = "${STAGING_URL}"  # playwright.config.toml' in text


def test_the_file_of_this_project_is_the_embedded_default() -> None:
    """The file at the root of the checkout reads, and says what holds without it."""
    root = Path(__file__).parents[3]
    written = read_config(root / "playwright.config.toml", environ={})
    without = read_config(None, environ={}, root=root / "docs")
    assert written.path is not None
    assert without.path is None
    assert written.use == without.use
    assert written.project().entries == without.project().entries
    assert written.project().scenario == without.project().scenario

"""Steps as the configuration and the command line write them, saved sign-ins, and headers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.config.reading import Config, read_config
from harness.config.steps import step_from, step_of
from harness.config.storage_state import read_storage_state
from harness.config.way_in import WayIn, way_in
from harness.errors import ConfigError
from harness.model.recording import Action

NOW_S = 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("click=Open chat", Action(action="click", target="Open chat")),
        ("click=a=b", Action(action="click", target="a=b")),
        ("fill=Email=ada@example.org", Action(action="fill", target="Email", text="ada@example.org")),
        ("fill=Query=a=b", Action(action="fill", target="Query", text="a=b")),
        ("fill=Email=", Action(action="fill", target="Email", text="")),
        ("select=Topic=Tea", Action(action="select", target="Topic", text="Tea")),
        ("press=Enter", Action(action="press", target="", text="Enter")),
        ("press=Enter=Message", Action(action="press", target="Message", text="Enter")),
        ("wait_for_text=Ready", Action(action="wait_for_text", target="Ready")),
        ("wait_for_url=**/chat?a=b", Action(action="wait_for_url", target="**/chat?a=b")),
    ],
)
def test_an_argument_is_a_step(text: str, action: Action) -> None:
    """Only steps of two words are split at the second sign."""
    assert step_from(text) == action


@pytest.mark.parametrize(
    ("table", "action"),
    [
        ({"click": "Open chat"}, Action(action="click", target="Open chat")),
        ({"fill": "Email", "with": "a"}, Action(action="fill", target="Email", text="a")),
        ({"press": "Enter"}, Action(action="press", target="", text="Enter")),
        ({"press": "Enter", "on": "Message"}, Action(action="press", target="Message", text="Enter")),
    ],
)
def test_a_table_is_a_step(table: dict[str, str], action: Action) -> None:
    """The words are those of Playwright's locators."""
    assert step_of(table) == action


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({}, "an empty table"),
        ({"clik": "Open"}, "did you mean click?"),
        ({"click": "a", "fill": "b"}, "one verb, not click and fill"),
        ({"fill": "Email"}, "fill needs with"),
        ({"select": "Topic", "with": "Tea"}, "select has no with; it has option"),
        ({"click": "a", "with": "b"}, "click has no with"),
        ({"click": ""}, "click has an empty text"),
        ({"click": 3}, "a table of strings"),
        ("click", "a table of strings"),
    ],
)
def test_what_is_no_step_is_told_in_a_sentence(table: Any, told: str) -> None:
    """With what there is."""
    with pytest.raises(ValueError, match=told.replace("?", r"\?")):
        step_of(table)


def configured(folder: Path, text: str, **environ: str) -> Config:
    """Return the configuration that a file with this text makes."""
    (folder / "playwright.config.toml").write_text(text, encoding="utf-8")
    return read_config(folder / "playwright.config.toml", environ=environ)


ENTRY = """
[projects.app]
base_url = "https://app.test"
network = "live"
[projects.app.entries.chat]
page = "/chat"
storage_state = "state.json"
headers = { x-preview = "${PREVIEW}" }
steps = [{ fill = "Email", with = "${WHO}" }, { click = "Sign in" }, { wait_for_url = "**/chat" }]
"""


def test_an_entry_has_a_page_a_sign_in_headers_and_steps(tmp_path: Path) -> None:
    """What a variable holds is a secret, whatever it is called: it is what somebody types to sign in."""
    config = configured(tmp_path, ENTRY, WHO="ada@example.org", PREVIEW="preview-of-monday")
    entry = config.project("app").entries[0]
    assert (entry.page, entry.storage_state) == ("/chat", tmp_path / "state.json")
    assert entry.headers == (("x-preview", "preview-of-monday"),)
    assert entry.actions == (
        Action(action="fill", target="Email", text="ada@example.org"),
        Action(action="click", target="Sign in"),
        Action(action="wait_for_url", target="**/chat"),
    )
    assert {("secret", "ada@example.org"), ("secret", "preview-of-monday")} <= set(config.secrets)


def test_a_click_comes_before_the_steps(tmp_path: Path) -> None:
    """The short form is one step."""
    text = ENTRY.replace('page = "/chat"', 'click = "Start"')
    entry = configured(tmp_path, text, WHO="ada", PREVIEW="p").project("app").entries[0]
    assert [action.action for action in entry.actions] == ["click", "fill", "click", "wait_for_url"]


def test_a_wrong_step_is_named_with_its_place(tmp_path: Path) -> None:
    """The second of them."""
    text = ENTRY.replace('{ click = "Sign in" }', '{ klick = "Sign in" }')
    with pytest.raises(ConfigError) as error:
        configured(tmp_path, text, WHO="a", PREVIEW="p")
    assert "projects.app.entries.chat.steps[1]: 'klick' is not a step" in str(error.value)
    assert "did you mean click?" in str(error.value)


def test_a_variable_of_a_step_that_is_not_set_is_named(tmp_path: Path) -> None:
    """As everywhere in the file."""
    with pytest.raises(ConfigError, match="the variable WHO is not set"):
        configured(tmp_path, ENTRY, PREVIEW="p").project("app")


def test_the_command_line_looks_variables_up_too(tmp_path: Path) -> None:
    """So that a password need not stand in the shell's history."""
    config = configured(tmp_path, "", SECRET_WORD="open-sesame")
    way = WayIn(clicks=("Start",), steps=("fill=Word=${SECRET_WORD}",), headers=("X-Word: ${SECRET_WORD}",))
    known, entry = way_in(config, way)
    assert entry.actions == (
        Action(action="click", target="Start"),
        Action(action="fill", target="Word", text="open-sesame"),
    )
    assert entry.headers == (("X-Word", "open-sesame"),)
    assert "open-sesame" in {value for _, value in known.secrets}


@pytest.mark.parametrize(
    ("way", "told"),
    [
        (WayIn(steps=("klick=Open",)), "did you mean click?"),
        (WayIn(steps=("fill=Word=${NOT_THERE}",)), "the variable NOT_THERE is not set"),
        (WayIn(headers=("no colon",)), "--header is not a header"),
        (WayIn(headers=("a: b\r\nc: d",)), "--header is not a header"),
        (WayIn(headers=(": value",)), "--header is not a header"),
    ],
)
def test_a_wrong_argument_is_told_with_what_is_expected(tmp_path: Path, way: WayIn, told: str) -> None:
    """One sentence, and an example."""
    with pytest.raises(ConfigError) as error:
        way_in(configured(tmp_path, ""), way)
    assert told in str(error.value)


# --- saved sign-ins -----------------------------------------------------------------------------------------------


def saved(folder: Path, state: Any) -> Path:
    """Write a storage state, as JSON unless it is a text, and return its path."""
    path = folder / "state.json"
    path.write_text(state if isinstance(state, str) else json.dumps(state), encoding="utf-8")
    return path


def cookie(expires: float) -> dict[str, Any]:
    """Return a cookie as Playwright saves it."""
    return {"name": "sid", "value": "v", "domain": "app.test", "path": "/", "expires": expires}


@pytest.mark.parametrize("expires", [-1, NOW_S + 60])
def test_a_saved_sign_in_is_read(tmp_path: Path, expires: float) -> None:
    """A cookie of the session, -1, never expires by itself."""
    state = {"cookies": [cookie(expires)], "origins": []}
    assert read_storage_state(saved(tmp_path, state), now_s=NOW_S) == state


def test_one_cookie_that_is_good_is_enough(tmp_path: Path) -> None:
    """Which one signs in is not known."""
    state = {"cookies": [cookie(NOW_S - 60), cookie(NOW_S + 60)], "origins": []}
    assert len(read_storage_state(saved(tmp_path, state), now_s=NOW_S)["cookies"]) == 2


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("no json", "is no JSON"),
        ([], "is not a storage state"),
        ({"cookies": {}}, "is not a storage state"),
        ({"cookies": [{"name": 1, "value": "v"}]}, "is not a storage state"),
        ({"cookies": [], "origins": ["x"]}, "is not a storage state"),
        ({"cookies": [cookie(NOW_S - 60), cookie(NOW_S - 5)]}, "has expired"),
    ],
)
def test_a_sign_in_that_is_none_is_told_in_a_sentence(tmp_path: Path, state: Any, told: str) -> None:
    """With how to make one."""
    with pytest.raises(ConfigError) as error:
        read_storage_state(saved(tmp_path, state), now_s=NOW_S)
    assert told in str(error.value)
    assert "context.storage_state(path=" in str(error.value)


def test_a_sign_in_that_is_not_there_is_told(tmp_path: Path) -> None:
    """By its path."""
    with pytest.raises(ConfigError, match="cannot be read"):
        read_storage_state(tmp_path / "none.json", now_s=NOW_S)

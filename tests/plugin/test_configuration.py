"""Every key of the configuration reaches whatever runs: the commands, the tests of a gate and of pytest, and the workers of pytest-xdist.

The keys are those of the tables, whatever they are: each is given another value than its default in the file, another one in its variable
and another one on the command line, where it has these; what a test is handed has to be the nearest of the three.
"""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from playwright.sync_api import sync_playwright

from harness.cli import cli, key_parameter
from harness.commands.gate import _repeat
from harness.config.kinds import (
    ADDRESS,
    FILE,
    FILLED,
    FLAG,
    FOLDER,
    HEADLESS,
    JSON_TEXT,
    NAME,
    NETWORK,
    PATH,
    RECORD,
    REPO,
    SDK,
    STEPS,
    TEXT,
    TEXTS,
    WEB_URL,
    ValueKind,
)
from harness.config.reading import Config, read_config
from harness.config.schema import literal
from harness.config.secrets import is_secret_key
from harness.config.steps import step_of
from harness.config.tables import GIVEN_KEYS, INNER, KEY, KEYS, NAMED, SETTING_KEYS, ConfigKey, Project, Settings
from harness.drive.browsers import find_browser
from harness.model.limits import Limits
from harness.pytest_plugin.run import THEIRS, Run, pytest_option
from tests.commands import clean_environ, run_command
from tests.plugin.test_plugin import run_pytest

FILE_NAME = "playwright.config.toml"
SELECTED = "walked"
SECRET = "WALKED_SECRET"  # the variable that keys with secrets refer to, which may not stand in the file
URL = "https://walked.test"
PLACES = ("file", "variable", "option")

# What a key of a kind is set to in the file, in its variable and on the command line; three values, none of them anybody's default.
TEXTS_OF: Mapping[int, tuple[Any, Any, Any]] = {
    id(TEXT): ("of the file", "of the variable", "of the option"),
    id(FILLED): ("of-the-file", "of-the-variable", "of-the-option"),
    id(NAME): ("of-the-file", "of-the-variable", "of-the-option"),
    id(FILE): ("{folder}/file", "{folder}/variable", "{folder}/option"),
    id(FOLDER): ("out/file", "out/variable", "out/option"),
    id(PATH): ("/of/the/file", "/of/the/variable", "/of/the/option"),
    id(ADDRESS): ("/of/the/file", "/of/the/variable", "/of/the/option"),
    id(WEB_URL): (f"{URL}/file", f"{URL}/variable", f"{URL}/option"),
    id(FLAG): (True, True, True),
    id(HEADLESS): (False, False, False),
    id(TEXTS): (("of the file",), ("of the variable",), ("of the option",)),
    id(STEPS): (({"fill": "Email", "with": "ada@example.org"}, {"press": "Enter"}),) * 3,
    id(NETWORK): ("live", "live", "live"),
    id(RECORD): ("once", "new_episodes", "all"),
    id(JSON_TEXT): ('{"of": "the file"}', '{"of": "the variable"}', '{"of": "the option"}'),
    id(REPO): ("of/file", "of/variable", "of/option"),
    id(SDK): ("live", "live", "live"),
}


def other_value(name: str, key: ConfigKey, place: str, folder: Path) -> Any:
    """Return what a key is set to in a place: something that it accepts, and that is not its default."""
    number = PLACES.index(place)
    if key.kind.names and id(key.kind) not in TEXTS_OF:
        others = [one for one in key.kind.names if one != key.default]
        value = others[number % len(others)]
    elif id(key.kind) in TEXTS_OF:
        value = TEXTS_OF[id(key.kind)][number]
    else:  # a number
        value = (key.default or 0) + 2 + number
    value = value.format(folder=folder) if key.kind is FILE else value
    assert key.kind.accepts(value), f"add a value to TEXTS_OF for the kind of {name}: {key.kind.expects}"
    assert value != key.default, f"the default of {name} is what the test sets it to"
    return value


def is_secret(name: str) -> bool:
    """Whether the file must refer to a variable for this key."""
    return is_secret_key(tuple(name.split("."))) or name.endswith(".webhook")


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A folder whose configuration sets every key, and what sets them besides."""

    folder: Path
    in_file: dict[str, Any]
    variables: dict[str, str]
    options: dict[str, Any]

    @property
    def expected(self) -> dict[str, Any]:
        """Each key with the value of the nearest place that sets it."""
        found = dict(self.in_file)
        for name, key in SETTING_KEYS.items():
            if key.variable:
                found[name] = other_value(name, key, "variable", self.folder)
        return found | {name: value for name, value in self.options.items() if name in SETTING_KEYS}

    def command_line(self, option_of: Callable[[str], str | None]) -> list[str]:
        """Return the options, as a command or pytest calls them; None: it has none for this key."""
        arguments: list[str] = []
        for name, value in self.options.items():
            option = option_of(name)
            if option is not None:
                arguments += [option] if GIVEN_KEYS[name].kind.flag is not None else [option, str(value)]
        return arguments


@pytest.fixture
def walk(tmp_path: Path) -> Walk:
    """A folder whose file, variables and options set every key there is."""
    folder = tmp_path
    in_file = {name: other_value(name, key, "file", folder) for name, key in KEYS.items()}
    variables = {
        key.variable: _text(other_value(name, key, "variable", folder), key.kind)
        for name, key in SETTING_KEYS.items()
        if key.variable
    }
    options = {name: other_value(name, key, "option", folder) for name, key in SETTING_KEYS.items() if key.option}
    options["project"] = SELECTED
    walk = Walk(folder=folder, in_file=in_file, variables=variables | {SECRET: f"{URL}/secret"}, options=options)
    (folder / FILE_NAME).write_text(_toml(in_file), encoding="utf-8")
    for place in PLACES:  # a gate looks whether its browser is there
        (folder / place).write_text("#!/bin/sh\n", encoding="utf-8")
        (folder / place).chmod(0o755)
    return walk


def _text(value: Any, kind: ValueKind) -> str:
    """Return a value as a variable holds it."""
    if isinstance(value, bool):
        return str(value is (kind.flag is not False)).lower()
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _toml(values: Mapping[str, Any]) -> str:
    """Return the file: each key in its table, the project's own in one project, what only the embedded page has in another."""
    lines = [f"{name} = {literal(value)}" for name, value in values.items() if "." not in name]
    for name, value in values.items():
        if "." in name and not name.startswith("projects."):
            lines.append(f"{name} = {literal(value)}")
    for name, value in values.items():
        if name.startswith("projects."):
            project = "embedded" if name == "projects.*.scenario" else SELECTED
            dotted = name.replace("projects.*", f"projects.{project}").replace("*", "walked")
            lines.append(f"{dotted} = {literal(f'${{{SECRET}}}' if is_secret(name) else value)}")
    # What starts a server of its own is not the project to run.
    lines = [line.replace(f"projects.{SELECTED}.web_server", "projects.served.web_server") for line in lines]
    return "\n".join(lines) + "\n"


def differences(walk: Walk, config: Config) -> dict[str, tuple[Any, Any]]:
    """Return every key whose value in the configuration is not the one that was set, with both."""
    expected, found = walk.expected, {name: value_at(config, name) for name in KEYS}
    wanted = {name: _handed(name, value, config.root, walk) for name, value in expected.items()}
    return {name: (found[name], wanted[name]) for name in KEYS if found[name] != wanted[name]}


def value_at(config: Config, name: str) -> Any:
    """Return what a configuration holds for a key, where code looks for it."""
    if not name.startswith("projects."):
        return _attribute(config, name.split("."))
    steps = name.split(".")[2:]
    project = config.project({"scenario": "embedded", "web_server": "served"}.get(steps[0], SELECTED))
    if steps[0] == "entries":
        (entry,) = project.entries
        return dict(entry.headers)["walked"] if steps[2] == "headers" else getattr(entry, steps[2])
    is_setting = not hasattr(project, steps[0])
    return _attribute(project.chatkit if is_setting else project, steps)


def _attribute(value: Any, steps: Iterable[str]) -> Any:
    for step in steps:
        value = getattr(value, step)
    return value


def _handed(name: str, value: Any, root: Path, walk: Walk) -> Any:
    """Return a value as the configuration hands it on."""
    if is_secret(name):
        return walk.variables[SECRET]
    setting = name.replace("projects.*.", "chatkit.")
    if setting in SETTING_KEYS and setting != name and (setting in walk.options or SETTING_KEYS[setting].variable):
        return walk.expected[setting]  # command line and environment hold for every project
    if KEYS[name].kind is FOLDER or name.endswith(".storage_state"):
        return root / value
    return tuple(map(step_of, value)) if KEYS[name].kind is STEPS else value


HANDS_IT_OVER = """
import os, pathlib, pickle, time


def test_one(chatkit_config):
    hand_over(chatkit_config, "one")


def test_two(chatkit_config):
    hand_over(chatkit_config, "two")


def hand_over(config, name):
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    pathlib.Path(config.root, f"handed-{worker}-{name}").write_bytes(pickle.dumps(config))
"""


def handed_over(walk: Walk) -> dict[str, Config]:
    """Return the configurations that the two tests were handed, by worker and test."""
    found = {path.name: pickle.loads(path.read_bytes()) for path in walk.folder.glob("handed-*")}
    assert {name.rpartition("-")[2] for name in found} == {"one", "two"}
    return found


def commands_option(name: str) -> str | None:
    """Return what the commands call the option of a key."""
    return GIVEN_KEYS[name].option.split()[-1]


def option_of_pytest(name: str) -> str | None:
    """Return what pytest calls the option of a key; it has none for what other plugins do by themselves."""
    theirs = {"use.browser": "--browser", "use.headless": "--headed", "output_dir": "--output"}
    assert not theirs.keys() - THEIRS.keys()
    return theirs.get(name) if name in THEIRS else pytest_option(name)


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two-workers"])
def test_a_gate_hands_every_key_to_its_tests(walk: Walk, workers: tuple[str, ...]) -> None:
    """In its own process, and in the workers of pytest-xdist."""
    tests = walk.folder / str(walk.in_file["test_dir"])
    tests.mkdir(parents=True)
    (tests / "test_it.py").write_text(HANDS_IT_OVER, encoding="utf-8")
    walk.options["workers"] = int(workers[1]) if workers else 1
    arguments = [*walk.command_line(commands_option), "-k", "test_it", "--no-baseline"]
    done = run_command("gate", *arguments, cwd=walk.folder, **walk.variables)
    assert done.returncode == 0, done.stdout + done.stderr
    configs = handed_over(walk)
    assert {name.split("-")[1] for name in configs} == ({"gw0", "gw1"} if workers else {"main"})
    for name, config in configs.items():
        assert differences(walk, config) == {}, name
    assert [*(walk.folder / str(walk.options["output_dir"])).glob("run-*/run.json")], (
        "the results are where they should go"
    )


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two-workers"])
def test_pytest_hands_every_key_to_its_tests(
    walk: Walk, workers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a gate: from its own options, and those of pytest-playwright."""
    for name, value in walk.variables.items():
        monkeypatch.setitem(os.environ, name, value)
    monkeypatch.setattr("tests.plugin.test_plugin.clean_environ", lambda: clean_environ() | walk.variables)
    for name in ("workers", "retries"):  # what only a gate does
        del walk.options[name]
    arguments = walk.command_line(option_of_pytest)
    done = run_pytest(walk.folder, *arguments, *workers, test_it__py=HANDS_IT_OVER)
    assert done.returncode == 0, done.stdout + done.stderr
    configs = handed_over(walk)
    assert {name.split("-")[1] for name in configs} == ({"gw0", "gw1"} if workers else {"main"})
    for name, config in configs.items():
        assert differences(walk, config) == {}, name


COMMANDS = {
    "check": ("check", URL),
    "config": ("config",),
    "doctor": ("doctor",),
    "gate": ("gate",),
    "preflight": ("preflight",),
    "record": ("record", URL),
    "report": ("report",),
    "repro": ("repro", "bundle"),
    "sdk pull": ("sdk", "pull"),
    "sdk show": ("sdk", "show"),
    "smoke": ("smoke",),
}


class Read(Exception):
    """A command has its configuration, and need not go on."""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_reads_every_key(walk: Walk, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its own options where it has them, which all of them have for every key that is not the gate's."""
    read: list[Config] = []

    def reading(*arguments: Any, **more: Any) -> Config:
        read.append(read_config(*arguments, **more))
        raise Read

    monkeypatch.setattr("harness.cli.read_config", reading)
    monkeypatch.chdir(walk.folder)
    for variable, text in walk.variables.items():
        monkeypatch.setenv(variable, text)
    *groups, last = COMMANDS[name][: name.count(" ") + 1]
    command: Any = cli
    for step in (*groups, last):
        command = command.commands[step]
    offered = {key for key in walk.options if key_parameter(key) in {param.name for param in command.params}}
    assert offered >= {key for key in walk.options if not GIVEN_KEYS[key].is_of_gate}
    assert name != "gate" or offered == walk.options.keys()
    for key in walk.options.keys() - offered:
        del walk.options[key]
    done = CliRunner().invoke(cli, [*COMMANDS[name], *walk.command_line(commands_option)])
    assert isinstance(done.exception, Read), done.output
    assert differences(walk, read[0]) == {}


def test_every_command_with_a_configuration_is_walked() -> None:
    """One that is new is one that nobody looked at."""
    found = set()
    for name, command in cli.commands.items():
        inside = {f"{name} {last}": one for last, one in getattr(command, "commands", {}).items()} or {name: command}
        found |= {full for full, one in inside.items() if "config_file" in {param.name for param in one.params}}
    assert found == set(COMMANDS)


def keyless(table: type[Any], prefix: str = "") -> Iterable[str]:
    """Yield the fields of a table, and of those in it, that are neither a key nor a table."""
    for item in fields(table):
        inside = item.metadata.get(INNER) or item.metadata.get(NAMED)
        if inside is None and KEY not in item.metadata:
            yield f"{prefix}{item.name}"
        elif isinstance(inside, type):
            yield from keyless(inside, f"{prefix}{item.name}.")


def test_every_field_is_a_key() -> None:
    """One that is none could be set by nobody; a limit of the model is a key, too."""
    assert [*keyless(Settings)] == []
    assert {*keyless(Project)} == {"name", "recording", "chatkit", "entries.name"}  # of the table itself, of `network`
    assert {item.name for item in fields(Limits)} <= {name.removeprefix("chatkit.") for name in SETTING_KEYS}


def test_every_key_says_what_it_is() -> None:
    """In one sentence, and no two keys share a variable or an option."""
    for name, key in {**KEYS, **GIVEN_KEYS}.items():
        assert re.fullmatch(r"[A-Z].*\.", key.help) or key.help.endswith("snapshot:<folder>."), name
    for told in ([key.variable for key in GIVEN_KEYS.values()], [key.option for key in GIVEN_KEYS.values()]):
        given = [text for text in told if text]
        assert len(given) == len(set(given))


# --- a browser, and a file elsewhere ------------------------------------------------------------------------------


def a_browser_that_leaves_a_mark(folder: Path) -> tuple[Path, Path]:
    """Return a program that starts the usual browser, and the file that it writes then."""
    with sync_playwright() as playwright:
        usual = find_browser("chromium", "", os.environ).executable_path or playwright.chromium.executable_path
    program, mark = folder / "own-chromium", folder / "was-started"
    program.write_text(f'#!/bin/sh\necho started >> {mark}\nexec {usual} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return program, mark


@pytest.mark.parametrize(
    "arguments",
    [("--executable-path={}",), ("--executable-path={}", "-n", "2"), ("--", "--chatkit-executable-path={}")],
    ids=["alone", "two-workers", "told-to-pytest"],
)
def test_a_gate_starts_the_browser_that_it_names(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """`--executable-path` is what the tests are run with, and not only what the first line says."""
    program, mark = a_browser_that_leaves_a_mark(tmp_path)
    words = [word.format(program) for word in arguments]
    done = run_command("gate", "-k", "topic-generation", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(program) in done.stdout.splitlines()[0]
    assert mark.exists()


@pytest.mark.parametrize("file", ["own.toml", "elsewhere/own.toml"])
def test_a_gate_names_places_as_they_are_seen_from_the_current_folder(tmp_path: Path, file: str) -> None:
    """Wherever its file is: each bundle that is named is there."""
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text('[projects.local]\nscenario = "session-401"\n', encoding="utf-8")
    done = run_command("gate", "--config", file, "-n", "2", "-k", "topic-generation", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    named = [word for word in done.stdout.split() if "-topic-generation-" in word]
    assert len(named) == 2  # of the failure, and in the table
    for place in named:
        assert (tmp_path / place / "result.json").is_file(), place


def test_what_is_given_to_pytest_after_a_gates_own_options_wins(tmp_path: Path) -> None:
    """`gate --trace on -- --chatkit-trace=off`; and of a file's own limit the project's is in force."""
    toml = "[projects.local]\nmount_timeout_ms = 4321\n\n[chatkit]\nmount_timeout_ms = 1234\n"
    (tmp_path / FILE_NAME).write_text(toml, encoding="utf-8")
    tests = tmp_path / "tests/e2e"
    tests.mkdir(parents=True)
    (tests / "test_it.py").write_text(HANDS_IT_OVER, encoding="utf-8")
    done = run_command("gate", "--trace", "on", "-k", "test_it", "--", "--chatkit-trace=off", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (config, _) = [pickle.loads(path.read_bytes()) for path in tmp_path.glob("handed-*")]
    assert config.use.trace == "off"
    assert config.project().chatkit.limits == Limits(mount_timeout_ms=4321)


def test_tests_that_are_run_again_have_the_same_configuration(walk: Walk) -> None:
    """As a gate does that measures some of them again: all but the folder of the results, and none of the run's own reports."""
    tests = walk.folder / str(walk.in_file["test_dir"])
    tests.mkdir(parents=True)
    (tests / "test_it.py").write_text(HANDS_IT_OVER, encoding="utf-8")
    overrides = {name: value for name, value in walk.options.items() if name not in ("workers", "output_dir")}
    config = read_config(None, environ=walk.variables, overrides=overrides, root=walk.folder)
    for name in ("workers", "output_dir"):
        del walk.options[name]
    asked = [f"{tests.relative_to(walk.folder)}/test_it.py::test_{name}" for name in ("one", "two")]
    folder = walk.folder / "again"
    folder.mkdir()
    arguments = [f"--rootdir={walk.folder}", "-p", "no:cacheprovider", str(tests)]
    run = _repeat(Run(config=config), arguments, asked, folder)
    assert run is not None, (folder / "pytest.log").read_text(encoding="utf-8")
    assert run.parent == folder
    for name, handed in handed_over(walk).items():
        assert differences(walk, handed).keys() == {"output_dir"}, name
        assert handed.output_dir == folder


HANDS_OVER_THE_RUN = """
import os, pathlib, pickle

from harness.pytest_plugin.run import RUN


def test_one(request):
    hand_over(request.config, "one")


def test_two(request):
    hand_over(request.config, "two")


def hand_over(config, name):
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    pathlib.Path(config.rootpath, f"handed-{worker}-{name}").write_bytes(pickle.dumps(config.stash[RUN]))
"""
# What a run is told besides its configuration: as options of a gate where it has them, as options of pytest, and what its tests find.
TOLD: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], Any]] = {
    "scenario": ((), ("--chatkit-scenario", "late"), "late"),
    "is_searched": (("--no-secret-scan",), ("--chatkit-no-secret-scan",), False),
    "shard": (("--shard", "1/1"), ("--chatkit-shard", "1/1"), "1/1"),
    "ci": (("--ci", "gitlab"), ("--chatkit-ci", "gitlab"), "gitlab"),
    "is_debug": (("--debug",), ("--chatkit-debug",), True),
    "is_controlled": (("--update-baseline",), ("--chatkit-control",), True),
    "only": ((), ("--chatkit-only", "asked.txt"), "asked.txt"),
}


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two-workers"])
@pytest.mark.parametrize("starts_it", ["gate", "pytest"])
def test_what_a_run_is_told_besides_reaches_its_tests(tmp_path: Path, starts_it: str, workers: tuple[str, ...]) -> None:
    """Each field of a `Run`, from a gate and from pytest."""
    assert TOLD.keys() == {item.name for item in fields(Run)} - {"config"}
    tests = tmp_path / "tests/e2e"
    tests.mkdir(parents=True)
    (tests / "test_it.py").write_text(HANDS_OVER_THE_RUN, encoding="utf-8")
    asked = [f"tests/e2e/test_it.py::test_{name}\n" for name in ("one", "two")]
    (tmp_path / "asked.txt").write_text("".join(asked), encoding="utf-8")
    if starts_it == "gate":
        before = [word for of_gate, _, _ in TOLD.values() for word in of_gate]
        after = [word for of_gate, of_pytest, _ in TOLD.values() if not of_gate for word in of_pytest]
        done = run_command("gate", *workers, *before, "--", *after, cwd=tmp_path)
    else:
        done = run_pytest(tmp_path, *workers, *(word for _, of_pytest, _ in TOLD.values() for word in of_pytest))
    assert done.returncode in (0, 1), done.stdout + done.stderr  # there is no visit that could be a baseline
    found = [pickle.loads(path.read_bytes()) for path in tmp_path.glob("handed-*")]
    assert len(found) == 2
    for run in found:
        assert {name: getattr(run, name) for name in TOLD} == {name: value for name, (_, _, value) in TOLD.items()}


def test_a_browser_that_pytest_is_told_and_that_is_not_there_ends_a_gate(tmp_path: Path) -> None:
    """As one that the gate itself is told."""
    missing = "/nowhere/chromium"
    for words in (("--executable-path", missing), ("--", "--chatkit-executable-path", missing)):
        done = run_command("gate", *words, cwd=tmp_path)
        assert done.returncode == 13, done.stdout + done.stderr
        assert f"the browser {missing} cannot be started: it does not exist" in done.stdout + done.stderr

"""The command `chatkit-harness`: the same engine as the pytest plugin, for the shell.

In: arguments. Out: words for people on the terminal, JSON where it is asked for, and an exit code.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.markup import escape

from harness import __version__
from harness.config.kinds import is_web_url
from harness.config.reading import Config, read_config
from harness.config.schema import problem, shown
from harness.config.tables import GIVEN_KEYS, SDK_NAME
from harness.errors import ConfigError, ExitCode, HarnessError
from harness.model.chatkit import CDN_ORIGIN
from harness.model.texts import for_terminal

EXIT_CODES = "\b\nExit codes:\n" + "\n".join(
    f"  {code:2}  {code.meaning.replace('`', '')}" for code in sorted(ExitCode)
)
Command = TypeVar("Command", bound=Callable[..., Any])


def main() -> None:
    """Run the command line; our own errors are one message, without a traceback unless --debug asks for it."""
    try:
        code = cli.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except HarnessError as error:
        if "--debug" in sys.argv:
            raise
        _stderr().print(
            f"[bold red]{type(error).__name__}:[/] {escape(for_terminal(str(error)))}", highlight=False, soft_wrap=True
        )
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(ConfigError.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _stderr().print("interrupted")
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:  # the reader went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _stderr() -> Console:
    return Console(stderr=True)


def _stdout() -> Console:
    return Console()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, epilog=EXIT_CODES)
@click.version_option(__version__, prog_name="chatkit-harness")
def cli() -> None:
    """Find out whether the OpenAI ChatKit widget on a page mounts, and if not, why.

    \b
    Begin with one of these:
      chatkit-harness check https://staging.example.com/chat --click "Open chat"
      chatkit-harness gate             does this change break the mount? (CI)
      chatkit-harness repro BUNDLE     does a recorded failure happen here too, and why?
      chatkit-harness preflight        is each hop of a real deployment as it has to be?
      chatkit-harness smoke            does the real thing work tonight; if not, whose fault is it?
      chatkit-harness serve            a page with a working widget, to look at
      chatkit-harness explain RULE     what a finding's name means, and what to do
      chatkit-harness doctor           what works on this machine
    """
    if "--debug" not in sys.argv:  # what Playwright has under way when its loop ends is told there, after our last word
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)


def _config_options(command: Command) -> Command:
    """Add the options that choose and override the configuration: one for each key that has an option, and does not belong to the gate."""
    keys = [_key_option(name) for name, key in GIVEN_KEYS.items() if key.option and not key.is_of_gate]
    for option in reversed(
        (
            click.option("--config", "config_file", type=click.Path(path_type=Path), help="The configuration file."),
            *keys,
            click.option("--debug", is_flag=True, help="Show tracebacks of our own errors."),
        )
    ):
        command = option(command)
    return command


def _gate_options(command: Command) -> Command:
    """Add the options of the keys that belong to the gate."""
    for name in reversed([name for name, key in GIVEN_KEYS.items() if key.option and key.is_of_gate]):
        command = _key_option(name)(command)
    return command


def key_parameter(name: str) -> str:
    """Return the name that a key has among the parameters of a command, whose own ones may be called like it."""
    return f"key__{name.replace('.', '__')}"


def _key_option(name: str) -> Callable[[Command], Command]:
    """Return the option of a key."""
    key = GIVEN_KEYS[name]
    more: dict[str, Any] = {"metavar": key.kind.metavar, "type": key.kind.parse}
    if key.kind.names:
        more = {"type": click.Choice(key.kind.names)}
    if key.kind.flag is not None:
        more = {"is_flag": True, "callback": lambda _context, _option, is_given: key.kind.flag if is_given else None}
    return click.option(*key.option.split(), key_parameter(name), help=key.help, **more)


def _page_options(command: Command) -> Command:
    """Add the options that say what is done on a page before its chat is expected, and who asks for it."""
    step = (
        "Do this on the page first, in order: click=NAME, fill=FIELD=TEXT, select=FIELD=OPTION, press=KEY[=FIELD], wait_for_text=TEXT, \
wait_for_url=GLOB. A ${VARIABLE} in it, in single quotes, is a secret."
    )
    for option in reversed(
        (
            click.option(
                "--click", "clicks", multiple=True, metavar="NAME", help="A button, link or text to click first."
            ),
            click.option("--step", "steps", multiple=True, metavar="STEP", help=step),
            click.option(
                "--storage-state",
                type=click.Path(path_type=Path),
                metavar="FILE",
                help="Cookies and local storage of a browser that has signed in, as Playwright saves them.",
            ),
            click.option(
                "--header",
                "headers",
                multiple=True,
                metavar="'NAME: VALUE'",
                help="Send this header to the page's own origin. A ${VARIABLE} in it is a secret.",
            ),
        )
    ):
        command = option(command)
    return command


def _ci_option(command: Command) -> Command:
    """Add the option that chooses the CI system to write for."""
    choices = click.Choice(["auto", "github", "gitlab", "off"])
    told = "The CI system to write for: annotations and a job summary, or a code quality report."
    return click.option("--ci", type=choices, default="auto", show_default=True, help=told)(command)


def _sdk_option(command: Command) -> Command:
    """Add the option that chooses the SDK, to a command that has not all of the gate's."""
    return _key_option(SDK_NAME)(command)


def _ca_option(command: Command) -> Command:
    """Add the option that names a certificate authority of one's own. It holds for the process, and for those it starts."""

    def trust(_context: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
        from harness.config.authorities import OWN_CA, VARIABLES, trusted

        if value is not None:
            os.environ[OWN_CA] = str(value.expanduser().absolute())
        if any(os.environ.get(name) for name in VARIABLES):
            trusted(os.environ)  # a file that is none is said now, whoever named it

    told = "Trust the certificates that this PEM file's authority signed, too. (A browser has its own store.)"
    return click.option(
        "--ca", type=click.Path(path_type=Path), metavar="FILE", help=told, expose_value=False, callback=trust
    )(command)


def _config(options: dict[str, Any]) -> Config:
    """Return the configuration for a command's options; what the command does not offer is left alone."""
    overrides = {name: options.get(key_parameter(name)) for name in GIVEN_KEYS}
    return read_config(options.get("config_file"), environ=os.environ, overrides=overrides)


@cli.command(epilog=EXIT_CODES, short_help="Does a widget mount at this URL? Nothing to configure.")
@click.argument("url")
@_page_options
@click.option(
    "--send",
    "message",
    default="",
    metavar="TEXT",
    help="Send this message when the widget is mounted; no answer is a failure.",
)
@click.option(
    "--retries",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Visit up to N more times; a pass is then exit code 7.",
)
@click.option("--fault", default="", metavar="NAME", help="Break something on purpose; `faults` lists what there is.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and nothing else.")
@click.option("--no-secret-scan", is_flag=True, help="Do not search what the run wrote for secrets afterwards.")
@_sdk_option
@_ci_option
@_ca_option
@_config_options
def check(
    url: str,
    clicks: tuple[str, ...],
    steps: tuple[str, ...],
    storage_state: Path | None,
    headers: tuple[str, ...],
    message: str,
    retries: int,
    fault: str,
    as_json: bool,
    no_secret_scan: bool,
    ci: str,
    **options: Any,
) -> int:
    """Open URL, do what is named, and say whether a ChatKit widget mounts.

    Nothing has to be configured: the call that fetches the client secret is found by its answer.
    """
    from harness.commands.check import CheckOptions, run_check
    from harness.config.way_in import WayIn
    from harness.report.ci_systems import ci_system

    chosen = CheckOptions(
        way=WayIn(clicks=clicks, steps=steps, storage_state=storage_state, headers=headers),
        message=message,
        retries=retries,
        fault=fault,
        as_json=as_json,
        is_searched=not no_secret_scan,
        ci=None if as_json else ci_system(ci, os.environ),
    )
    return run_check(_stdout(), _config(options), url, chosen)


@cli.command(epilog=EXIT_CODES, short_help="Does a recorded visit fail here too, and why?")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--timing",
    type=click.Choice(["recorded", "fast"]),
    default="recorded",
    show_default=True,
    help="How soon to answer.",
)
@click.option("--click", "clicks", multiple=True, metavar="NAME", help="A button, link or text to click besides.")
@click.option("--what-if", multiple=True, metavar="CHANGE", help="Change one thing: session=healthy, delay:session=8s.")
@click.option("--cause", is_flag=True, help="Find by experiment the smallest thing whose healing lets it mount.")
@click.option(
    "--sdk", default="recorded", show_default=True, metavar="SOURCE", help="stand-in, live, snapshot:<folder>."
)
@click.option(
    "--minimise", type=click.Path(path_type=Path), metavar="PATH", help="Write a smaller bundle: folder or zip."
)
@click.option("--to-scenario", default="", metavar="NAME", help="Make a test of your own suite of it.")
@click.option("--pause", is_flag=True, help="Show the browser, and keep the page open after the verdict.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and nothing else.")
@click.option("--no-secret-scan", is_flag=True, help="Do not search what the run wrote for secrets afterwards.")
@_ca_option
@_config_options
def repro(
    bundle: Path,
    timing: str,
    clicks: tuple[str, ...],
    what_if: tuple[str, ...],
    cause: bool,
    minimise: Path | None,
    to_scenario: str,
    sdk: str,
    pause: bool,
    as_json: bool,
    no_secret_scan: bool,
    **options: Any,
) -> int:
    """Replay BUNDLE, the folder of a visit or one zip of it, in a real browser: every request is answered from it, none leaves.

    \b
    Exit codes of its own:
       0  the same verdict for the same cause; with --what-if or --sdk: the widget mounts; with --cause: one was found
       1  something else
      11  the recording cannot be read
    """
    from harness.commands.repro import ReproOptions, run_repro

    chosen = ReproOptions(
        timing=timing,
        clicks=clicks,
        what_if=what_if,
        is_cause=cause,
        minimise=minimise,
        to_scenario=to_scenario,
        sdk=sdk,
        is_headed=options[key_parameter("use.headless")] is False,
        is_paused=pause,
        as_json=as_json,
        is_searched=not no_secret_scan,
    )
    return run_repro(_stdout(), _config(options), bundle, chosen)


@cli.command(epilog=EXIT_CODES, short_help="Record a visit, so that it can be replayed.")
@click.argument("url")
@_page_options
@click.option("--send", "messages", multiple=True, metavar="TEXT", help="A message to send when the widget is mounted.")
@click.option("--fault", default="", metavar="NAME", help="Break something on purpose; `faults` lists what there is.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write the bundle as this zip, too.")
@click.option("--no-verify", is_flag=True, help="Do not replay the recording once to see that it has the same verdict.")
@click.option("--no-secret-scan", is_flag=True, help="Do not search what the run wrote for secrets afterwards.")
@_ca_option
@_config_options
def record(
    url: str,
    clicks: tuple[str, ...],
    steps: tuple[str, ...],
    storage_state: Path | None,
    headers: tuple[str, ...],
    messages: tuple[str, ...],
    fault: str,
    out: Path | None,
    no_verify: bool,
    no_secret_scan: bool,
    **options: Any,
) -> int:
    """Open URL, do what is named, and keep everything that `repro` needs; then replay it once.

    Ends with 0 whatever the verdict, and with 11 when the replay has another one.
    """
    from harness.commands.record import RecordOptions, run_record
    from harness.config.way_in import WayIn

    chosen = RecordOptions(
        way=WayIn(clicks=clicks, steps=steps, storage_state=storage_state, headers=headers),
        messages=messages,
        fault=fault,
        out=out,
        is_searched=not no_secret_scan,
        is_verified=not no_verify,
    )
    return run_record(_stdout(), _config(options), url, chosen)


@cli.command(short_help="Make one zip of a visit's folder.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="The zip; beside the folder by default.")
@click.option("--debug", is_flag=True, help="Show tracebacks of our own errors.")
def pack(folder: Path, out: Path | None, **_debug: Any) -> int:
    """Make one zip of FOLDER, the bundle of a visit, to send to somebody."""
    from harness.commands.pack import run_pack

    return run_pack(_stdout(), folder, out)


@cli.command(epilog=EXIT_CODES, short_help="Does this change break the mount? For CI.")
@_gate_options
@click.option("-k", "only", default="", metavar="EXPRESSION", help="Run only tests whose names match, as in pytest.")
@click.option("--no-secret-scan", is_flag=True, help="Do not search what the run wrote for secrets afterwards.")
@click.option("--shard", default="", metavar="K/N", help="Run only the K-th of N parts; `report --merge` joins them.")
@click.option(
    "--baseline",
    is_flag=False,
    flag_value="",
    metavar="[FILE]",
    help="Fail when something is worse than in this baseline (default: baseline.file, chatkit-baseline.json).",
)
@click.option(
    "--update-baseline",
    is_flag=False,
    flag_value="",
    metavar="[FILE]",
    help="Make this run the baseline, if it is good.",
)
@click.option("--force", is_flag=True, help="With --update-baseline: also when tests fail.")
@click.option("--no-baseline", is_flag=True, help="Compare with no baseline, whatever the configuration says.")
@_ci_option
@click.argument("pytest_args", nargs=-1, type=click.UNPROCESSED)
@_ca_option
@_config_options
def gate(
    only: str,
    no_secret_scan: bool,
    shard: str,
    ci: str,
    baseline: str | None,
    update_baseline: str | None,
    force: bool,
    no_baseline: bool,
    pytest_args: tuple[str, ...],
    **options: Any,
) -> int:
    """Run the regression gate: the built-in checks for every entry of the project, then its own tests.

    Arguments after -- go to pytest.
    """
    from harness.commands.baseline import BaselineOptions
    from harness.commands.gate import GateOptions, run_gate
    from harness.pytest_plugin.run import Run

    told = Run(config=_config(options), is_searched=not no_secret_scan, shard=shard, ci=ci, is_debug=options["debug"])
    chosen = GateOptions(
        only=only,
        baseline=BaselineOptions(
            compared=baseline,
            updated=update_baseline,
            is_forced=force,
            is_left_out=no_baseline,
            is_partial=bool(only or shard or pytest_args),
        ),
        pytest_args=pytest_args,
    )
    return run_gate(_stdout(), told, chosen)


@cli.command(epilog=EXIT_CODES, short_help="Write report.html anew, or join the reports of shards.")
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path), metavar="[DIR]...")
@click.option("--merge", "is_merged", is_flag=True, help="Join the runs in these folders into a new one.")
@click.option("--open", "is_opened", is_flag=True, help="Open the report in the browser of this machine.")
@click.option(
    "--history", type=click.Path(path_type=Path), metavar="FILE", help="A history of smoke runs, for the trend."
)
@_ci_option
@_config_options
def report(
    folders: tuple[Path, ...], is_merged: bool, is_opened: bool, history: Path | None, ci: str, **options: Any
) -> int:
    """Write report.html anew from what runs left on disk, also after a kill.

    DIR is a run's folder, or one with runs in it, of which the newest is taken; without any it is the newest run here.
    """
    from harness.commands.report import ReportOptions, run_report
    from harness.report.ci_systems import ci_system

    chosen = ReportOptions(
        folders=folders, is_merged=is_merged, is_opened=is_opened, history=history, ci=ci_system(ci, os.environ)
    )
    return run_report(_stdout(), _config(options), chosen)


@cli.command(short_help="Write into a repository what it needs to use this: configuration, a test, workflows.")
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), metavar="[DIR]")
@click.option("--force", "is_forced", is_flag=True, help="Overwrite what is there.")
@click.option("--debug", is_flag=True, help="Show tracebacks of our own errors.")
def init(folder: Path, is_forced: bool, **_debug: Any) -> int:
    """Write configuration, an example test, .env.example and GitHub workflows into DIR, the current folder by default."""
    from harness.commands.init import run_init

    return run_init(_stdout(), folder, is_forced=is_forced)


@cli.command(epilog=EXIT_CODES, short_help="Is every hop to a working chat as it has to be? Without a browser.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and nothing else.")
@_ca_option
@_config_options
def preflight(as_json: bool, **options: Any) -> int:
    """Ask each hop of the project by itself: page, CDN, OpenAI's API with the key, allowlist, the app's own endpoints.

    Sessions that it makes are cancelled again. A key is never shown: its kind and its last four characters are.
    """
    from harness.commands.preflight import run_preflight

    return run_preflight(_stdout(), _config(options), os.environ, as_json=as_json)


@cli.command(epilog=EXIT_CODES, short_help="Does the real thing work tonight, and if not, whose fault is it?")
@click.option("--all", "is_all", is_flag=True, help='Every project with network = "live", not only the selected one.')
@_ci_option
@_ca_option
@_config_options
def smoke(is_all: bool, ci: str, **options: Any) -> int:
    """Preflight, then real visits; tell people what is new: degraded, failing, recovered, and nothing else.

    The history file knows what was before. Exit code 7 means that it works, but was slow, retried, or has findings.
    """
    from harness.commands.smoke import Surroundings, run_smoke
    from harness.report.ci_systems import ci_system

    around = Surroundings(environ=os.environ, ci=ci_system(ci, os.environ))
    return run_smoke(_stdout(), _config(options), around, is_all=is_all)


@cli.command(short_help="Serve the test page, working or broken, for a browser tab.")
@click.option("--scenario", default="healthy", show_default=True, metavar="NAME", help="What is broken, if anything.")
@click.option("--port", type=int, default=0, metavar="PORT", help="The page's port; 0 takes any that is free.")
@_sdk_option
@click.option("--list", "is_list", is_flag=True, help="List the scenarios.")
@click.option("--debug", is_flag=True, help="Show tracebacks of our own errors.")
def serve(scenario: str, port: int, is_list: bool, **options: Any) -> int:
    """Serve the test page with a stand-in ChatKit for a normal browser tab, until Ctrl-C."""
    from harness.commands.serve import list_scenarios, run_serve
    from harness.config.sdk_source import sdk_source_of

    if is_list:
        return list_scenarios(_stdout())
    source = sdk_source_of(options[key_parameter(SDK_NAME)] or "stand-in", root=Path.cwd(), where="--sdk")
    return run_serve(_stdout(), scenario, port, source)


@cli.group(short_help="Keep what ChatKit's CDN serves, and compare it.")
def sdk() -> None:
    """Keep what ChatKit's CDN serves now as a folder that runs can be had on, and say what has changed since."""


def _from_option(command: Command) -> Command:
    told = "The CDN's base URL."
    return click.option("--from", "base_url", default=CDN_ORIGIN, show_default=True, metavar="URL", help=told)(command)


def _verbose_option(command: Command) -> Command:
    return click.option("-v", "--verbose", "is_verbose", is_flag=True, help="Name every file.")(command)


@sdk.command("pull", epilog=EXIT_CODES, short_help="Store what the CDN serves now.")
@_from_option
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Where to; your cache folder by default."
)
@click.option("--mount/--no-mount", default=True, show_default=True, help="Watch one mount, for what it asks besides.")
@_verbose_option
@_ca_option
@_config_options
def sdk_pull(base_url: str, out: Path | None, mount: bool, is_verbose: bool, **options: Any) -> int:
    """Store loader, frame and assets in the CDN's own layout, with hashes and date. What is there is never overwritten.

    The widget is mounted once from what was downloaded, on this machine: files that it asks for besides are stored too.
    """
    from harness.commands.sdk import PullOptions, run_pull

    place = out.expanduser() if out else None
    chosen = PullOptions(base_url=_base(base_url), out=place, is_mounted=mount, is_verbose=is_verbose)
    return run_pull(_stdout(), _config(options), chosen)


@sdk.command("show", short_help="Say what is in a snapshot, and which SDK is in force.")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@_verbose_option
@_config_options
def sdk_show(folder: Path | None, is_verbose: bool, **options: Any) -> int:
    """Say which SDK is in force, and what is in FOLDER, the newest snapshot by default: date, sizes, hashes."""
    from harness.commands.sdk import run_show

    return run_show(_stdout(), _config(options), folder, is_verbose=is_verbose)


@sdk.command("diff", short_help="Say what changed between two snapshots, or since one.")
@click.argument("before", required=False, metavar="[A]")
@click.argument("after", required=False, metavar="[B]")
@_from_option
@_ca_option
@_verbose_option
@click.option("--debug", is_flag=True, help="Show tracebacks of our own errors.")
def sdk_diff(before: str | None, after: str | None, base_url: str, is_verbose: bool, **_debug: Any) -> int:
    """Say which files are new, gone and changed from A, the newest snapshot by default, to B, by default `live`: what the CDN serves.

    A and B are folders, `stand-in` or `live`.

    \b
    Exit codes of its own:
       0  the same files
       1  different files
      11  a snapshot, or what the CDN serves, cannot be read
    """
    from harness.commands.sdk import run_diff

    return run_diff(_stdout(), before or "", after or "", _base(base_url), is_verbose=is_verbose)


@sdk.command("verify", short_help="Is a snapshot what its listing says?")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@_verbose_option
@click.option("--debug", is_flag=True, help="Show tracebacks of our own errors.")
def sdk_verify(folder: Path | None, is_verbose: bool, **_debug: Any) -> int:
    """Hold the files of FOLDER, the newest snapshot by default, against the hashes in its snapshot.json; 11 when damaged."""
    from harness.commands.sdk import run_verify

    return run_verify(_stdout(), folder, is_verbose=is_verbose)


def _base(url: str) -> str:
    if not is_web_url(url):
        raise problem(
            f"{shown(url)} is not a URL",
            where="--from",
            key="",
            expected="a URL that starts with http:// or https://",
            found=shown(url),
            fix="write it in full, such as https://cdn.platform.openai.com",
        )
    return url.rstrip("/")


@cli.command(short_help="List the faults that can be brought into any page.")
def faults() -> int:
    """List the named faults, and the words of the language that they are written in."""
    from harness.commands.serve import list_faults

    return list_faults(_stdout())


@cli.command(short_help="What a finding's name means, and what to do.")
@click.argument("rule", default="")
@click.option("--debug", is_flag=True, help="Show tracebacks of our own errors.")
def explain(rule: str, **_debug: Any) -> int:
    """Explain RULE, the name of a finding, at length; without a name list them all."""
    from harness.commands.explain import run_explain

    return run_explain(_stdout(), rule)


@cli.command(short_help="Print the effective configuration.")
@_config_options
def config(**options: Any) -> int:
    """Print the effective configuration, where each value comes from, with secrets masked."""
    from harness.commands.config import render_config

    click.echo(render_config(_config(options)), nl=False)
    return 0


@cli.command(short_help="Say what works on this machine.")
@_config_options
def doctor(**options: Any) -> int:
    """Say what works on this machine and what does not: Python, packages, browsers, TLS, configuration, disk."""
    from harness.commands.doctor import run_doctor

    try:
        found: Config | ConfigError = _config(options)
    except ConfigError as error:
        found = error
    return run_doctor(_stdout(), found)


@cli.command(short_help="Get a browser that works.")
@click.option("--browser", type=click.Choice(["chromium", "firefox", "webkit"]), default="chromium", show_default=True)
@click.option("--debug", is_flag=True, help="Show tracebacks of our own errors.")
def install(browser: str, **_debug: Any) -> int:
    """Get a browser that works: Playwright's own where it can be downloaded, else the distribution's."""
    from harness.commands.install import run_install

    return run_install(_stdout(), browser)


if __name__ == "__main__":
    main()

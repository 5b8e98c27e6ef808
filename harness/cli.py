"""The command `chatkit-harness`: what the pytest plugin does, for the shell.

In: arguments. Out: text on the terminal, JSON with --json, and an exit code.
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
    """Run the command line. Our own errors are printed as one message; --debug prints the traceback."""
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
    except BrokenPipeError:  # the reader closed the pipe, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _stderr() -> Console:
    return Console(stderr=True)


def _stdout() -> Console:
    return Console()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, epilog=EXIT_CODES)
@click.version_option(__version__, prog_name="chatkit-harness")
def cli() -> None:
    """Check whether the OpenAI ChatKit widget on a page mounts, and find out why not.

    \b
    Start with one of these:
      chatkit-harness check https://staging.example.com/chat --click "Open chat"
      chatkit-harness gate             run the regression gate (CI): does this change break the mount?
      chatkit-harness repro BUNDLE     reproduce a recorded failure on this machine
      chatkit-harness preflight        check each hop of a real deployment, without a browser
      chatkit-harness smoke            smoke test a real deployment, and name who has to act
      chatkit-harness serve            serve a test page with a working widget
      chatkit-harness explain RULE     explain a finding, and how to fix it
      chatkit-harness doctor           check this machine
    """
    if "--debug" not in sys.argv:  # Playwright's loop logs unfinished tasks when it ends, after our last message
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)


def _config_options(command: Command) -> Command:
    """Add the options that choose and override the configuration: one for each key that has an option, and does not belong to the gate."""
    keys = [_key_option(name) for name, key in GIVEN_KEYS.items() if key.option and not key.is_of_gate]
    for option in reversed(
        (
            click.option("--config", "config_file", type=click.Path(path_type=Path), help="Configuration file to use."),
            *keys,
            click.option("--debug", is_flag=True, help="Print tracebacks of chatkit-harness's own errors."),
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
    """Add the options for the actions before the chat appears, and for signing in."""
    step = (
        "Action on the page before the chat appears; repeat for several, in order: click=NAME, fill=FIELD=TEXT, "
        "select=FIELD=OPTION, press=KEY[=FIELD], wait_for_text=TEXT, wait_for_url=GLOB. The value of a "
        "${VARIABLE} (in single quotes) is treated as a secret."
    )
    for option in reversed(
        (
            click.option(
                "--click",
                "clicks",
                multiple=True,
                metavar="NAME",
                help="Button, link or text to click before the chat appears.",
            ),
            click.option("--step", "steps", multiple=True, metavar="STEP", help=step),
            click.option(
                "--storage-state",
                type=click.Path(path_type=Path),
                metavar="FILE",
                help="Cookies and local storage of a signed-in browser, as saved by Playwright.",
            ),
            click.option(
                "--header",
                "headers",
                multiple=True,
                metavar="'NAME: VALUE'",
                help="Send this header to the page's own origin. The value of a ${VARIABLE} is treated as a secret.",
            ),
        )
    ):
        command = option(command)
    return command


def _ci_option(command: Command) -> Command:
    """Add the option that selects the CI system."""
    choices = click.Choice(["auto", "github", "gitlab", "off"])
    told = "CI system to write annotations and a job summary (GitHub) or a code quality report (GitLab) for."
    return click.option("--ci", type=choices, default="auto", show_default=True, help=told)(command)


def _sdk_option(command: Command) -> Command:
    """Add the option that chooses the SDK, to a command that has not all of the gate's."""
    return _key_option(SDK_NAME)(command)


def _ca_option(command: Command) -> Command:
    """Add the option for a certificate authority of your own. It applies to this process and its child processes."""

    def trust(_context: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
        from harness.config.authorities import OWN_CA, VARIABLES, trusted

        if value is not None:
            os.environ[OWN_CA] = str(value.expanduser().absolute())
        if any(os.environ.get(name) for name in VARIABLES):
            trusted(os.environ)  # report an invalid file now, from the option or from the environment

    told = "Also trust the certificate authority in this PEM file. (Browsers use their own store.)"
    return click.option(
        "--ca", type=click.Path(path_type=Path), metavar="FILE", help=told, expose_value=False, callback=trust
    )(command)


def _config(options: dict[str, Any]) -> Config:
    """Return the configuration for a command's options; options that the command does not have change nothing."""
    overrides = {name: options.get(key_parameter(name)) for name in GIVEN_KEYS}
    return read_config(options.get("config_file"), environ=os.environ, overrides=overrides)


@cli.command(epilog=EXIT_CODES, short_help="Check whether a widget mounts at a URL, without configuration.")
@click.argument("url")
@_page_options
@click.option(
    "--send",
    "message",
    default="",
    metavar="TEXT",
    help="Message to send when the widget is mounted. The check fails without a reply.",
)
@click.option(
    "--retries",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Number of retries. A pass after a retry has exit code 7.",
)
@click.option("--fault", default="", metavar="NAME", help="Fault to inject; `chatkit-harness faults` lists them.")
@click.option("--json", "as_json", is_flag=True, help="Print only the result, as JSON.")
@click.option("--no-secret-scan", is_flag=True, help="Do not search the files of the run for secrets.")
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
    """Open URL, run the given actions, and check whether a ChatKit widget mounts.

    No configuration is needed: the request for the client secret is recognised by its response.
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


@cli.command(epilog=EXIT_CODES, short_help="Reproduce a recorded visit from its bundle.")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--timing",
    type=click.Choice(["recorded", "fast"]),
    default="recorded",
    show_default=True,
    help="Speed of the responses.",
)
@click.option(
    "--click",
    "clicks",
    multiple=True,
    metavar="NAME",
    help="Button, link or text to click, after the recorded actions.",
)
@click.option(
    "--what-if", multiple=True, metavar="CHANGE", help="Change to make, such as session=healthy or delay:session=8s."
)
@click.option(
    "--cause",
    is_flag=True,
    help="Find the smallest change to healthy responses with which the widget mounts, by experiment.",
)
@click.option(
    "--sdk",
    default="recorded",
    show_default=True,
    metavar="SOURCE",
    help="Source of ChatKit's SDK: recorded, stand-in, live, or snapshot:<folder>.",
)
@click.option(
    "--minimise",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Write a smaller bundle with the same cause to this folder or zip.",
)
@click.option(
    "--to-scenario",
    default="",
    metavar="NAME",
    help="Copy the recording into your test suite, with a test of this name.",
)
@click.option("--pause", is_flag=True, help="Run the browser with a window, and keep the page open after the verdict.")
@click.option("--json", "as_json", is_flag=True, help="Print only the result, as JSON.")
@click.option("--no-secret-scan", is_flag=True, help="Do not search the files of the run for secrets.")
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
    """Replay BUNDLE, a visit's folder or zip, in a real browser. All requests are answered from the bundle; none leaves this machine.

    \b
    Exit codes of this command:
       0  the same verdict for the same cause; with --what-if or --sdk: the widget mounts; with --cause: one was found
       1  another result
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


@cli.command(epilog=EXIT_CODES, short_help="Record a visit for a replay.")
@click.argument("url")
@_page_options
@click.option("--send", "messages", multiple=True, metavar="TEXT", help="Message to send when the widget is mounted.")
@click.option("--fault", default="", metavar="NAME", help="Fault to inject; `chatkit-harness faults` lists them.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Also write the bundle to this zip.")
@click.option("--no-verify", is_flag=True, help="Do not replay the recording to check that it has the same verdict.")
@click.option("--no-secret-scan", is_flag=True, help="Do not search the files of the run for secrets.")
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
    """Open URL, run the given actions, save everything that `repro` needs, and replay it once as a check.

    The exit code is 0 for any verdict, and 11 when the replay has another verdict.
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


@cli.command(short_help="Pack a visit's folder into a zip.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="Path of the zip (default: next to the folder)."
)
@click.option("--debug", is_flag=True, help="Print tracebacks of chatkit-harness's own errors.")
def pack(folder: Path, out: Path | None, **_debug: Any) -> int:
    """Pack FOLDER, the bundle of a visit, into one zip that can be shared."""
    from harness.commands.pack import run_pack

    return run_pack(_stdout(), folder, out)


@cli.command(epilog=EXIT_CODES, short_help="Run the regression gate, for CI.")
@_gate_options
@click.option(
    "-k", "only", default="", metavar="EXPRESSION", help="Run only tests that match the expression, as in pytest."
)
@click.option("--no-secret-scan", is_flag=True, help="Do not search the files of the run for secrets.")
@click.option("--shard", default="", metavar="K/N", help="Run only part K of N; `report --merge` merges the reports.")
@click.option(
    "--baseline",
    is_flag=False,
    flag_value="",
    metavar="[FILE]",
    help="Fail if the run has regressions against this baseline (default: baseline.file, chatkit-baseline.json).",
)
@click.option(
    "--update-baseline",
    is_flag=False,
    flag_value="",
    metavar="[FILE]",
    help="Save this run as the baseline, if it passes.",
)
@click.option("--force", is_flag=True, help="With --update-baseline: save it even if tests fail.")
@click.option("--no-baseline", is_flag=True, help="Do not compare with a baseline, even if one is configured.")
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
    """Run the regression gate: the built-in checks for every entry of the project, then the project's own tests.

    Arguments after -- are passed to pytest.
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


@cli.command(epilog=EXIT_CODES, short_help="Regenerate report.html, or merge the reports of shards.")
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path), metavar="[DIR]...")
@click.option("--merge", "is_merged", is_flag=True, help="Merge the runs in these folders into one report.")
@click.option("--open", "is_opened", is_flag=True, help="Open the report in the default browser.")
@click.option(
    "--history", type=click.Path(path_type=Path), metavar="FILE", help="History file of smoke runs, for the trend."
)
@_ci_option
@_config_options
def report(
    folders: tuple[Path, ...], is_merged: bool, is_opened: bool, history: Path | None, ci: str, **options: Any
) -> int:
    """Regenerate report.html from the files of a run, also of a run that was killed.

    DIR is a run's folder, or a folder with runs (the newest is used). Without DIR, the newest run in the output folder is used.
    """
    from harness.commands.report import ReportOptions, run_report
    from harness.report.ci_systems import ci_system

    chosen = ReportOptions(
        folders=folders, is_merged=is_merged, is_opened=is_opened, history=history, ci=ci_system(ci, os.environ)
    )
    return run_report(_stdout(), _config(options), chosen)


@cli.command(short_help="Create a configuration, an example test and workflows.")
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), metavar="[DIR]")
@click.option("--force", "is_forced", is_flag=True, help="Overwrite existing files.")
@click.option("--debug", is_flag=True, help="Print tracebacks of chatkit-harness's own errors.")
def init(folder: Path, is_forced: bool, **_debug: Any) -> int:
    """Create a configuration, an example test, .env.example and GitHub workflows in DIR (default: the current folder)."""
    from harness.commands.init import run_init

    return run_init(_stdout(), folder, is_forced=is_forced)


@cli.command(epilog=EXIT_CODES, short_help="Check every hop of a deployment, without a browser.")
@click.option("--json", "as_json", is_flag=True, help="Print only the result, as JSON.")
@_ca_option
@_config_options
def preflight(as_json: bool, **options: Any) -> int:
    """Check each hop of the project separately: page, CDN, OpenAI's API with the key, domain allowlist, and the app's own endpoints.

    Sessions that it creates are cancelled. A key is never printed; only its kind and its last four characters are.
    """
    from harness.commands.preflight import run_preflight

    return run_preflight(_stdout(), _config(options), os.environ, as_json=as_json)


@cli.command(epilog=EXIT_CODES, short_help="Smoke test a real deployment, and name who has to act.")
@click.option(
    "--all", "is_all", is_flag=True, help='Test every project with network = "live", not only the selected one.'
)
@_ci_option
@_ca_option
@_config_options
def smoke(is_all: bool, ci: str, **options: Any) -> int:
    """Run the preflight, then real visits, and notify only about changes: degraded, failing, recovered.

    The history file has the earlier results. Exit code 7 means that the chat works, but was slow, needed a retry, or has findings.
    """
    from harness.commands.smoke import Surroundings, run_smoke
    from harness.report.ci_systems import ci_system

    around = Surroundings(environ=os.environ, ci=ci_system(ci, os.environ))
    return run_smoke(_stdout(), _config(options), around, is_all=is_all)


@cli.command(short_help="Serve the test page, working or broken, for your browser.")
@click.option(
    "--scenario", default="healthy", show_default=True, metavar="NAME", help="Scenario to serve; --list shows all."
)
@click.option("--port", type=int, default=0, metavar="PORT", help="Port of the page; 0 selects a free port.")
@_sdk_option
@click.option("--list", "is_list", is_flag=True, help="List the scenarios.")
@click.option("--debug", is_flag=True, help="Print tracebacks of chatkit-harness's own errors.")
def serve(scenario: str, port: int, is_list: bool, **options: Any) -> int:
    """Serve the test page with a stand-in for ChatKit until Ctrl-C, for a normal browser tab."""
    from harness.commands.serve import list_scenarios, run_serve
    from harness.config.sdk_source import sdk_source_of

    if is_list:
        return list_scenarios(_stdout())
    source = sdk_source_of(options[key_parameter(SDK_NAME)] or "stand-in", root=Path.cwd(), where="--sdk")
    return run_serve(_stdout(), scenario, port, source)


@cli.group(short_help="Store ChatKit's SDK, and compare versions.")
def sdk() -> None:
    """Store the files of ChatKit's CDN in a folder (a snapshot) that runs can use, and show what changed since."""


def _from_option(command: Command) -> Command:
    told = "Base URL of the CDN."
    return click.option("--from", "base_url", default=CDN_ORIGIN, show_default=True, metavar="URL", help=told)(command)


def _verbose_option(command: Command) -> Command:
    return click.option("-v", "--verbose", "is_verbose", is_flag=True, help="List every file.")(command)


@sdk.command("pull", epilog=EXIT_CODES, short_help="Download the current SDK from the CDN.")
@_from_option
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Target folder (default: in your cache folder)."
)
@click.option(
    "--mount/--no-mount",
    default=True,
    show_default=True,
    help="Mount the widget once, to find files that only a running widget requests.",
)
@_verbose_option
@_ca_option
@_config_options
def sdk_pull(base_url: str, out: Path | None, mount: bool, is_verbose: bool, **options: Any) -> int:
    """Store the loader, frame and assets in the layout of the CDN, with hashes and date. Existing snapshots are never overwritten.

    The widget is mounted once from the downloaded files, on this machine. Other files that it requests are stored too.
    """
    from harness.commands.sdk import PullOptions, run_pull

    place = out.expanduser() if out else None
    chosen = PullOptions(base_url=_base(base_url), out=place, is_mounted=mount, is_verbose=is_verbose)
    return run_pull(_stdout(), _config(options), chosen)


@sdk.command("show", short_help="Show the content of a snapshot, and the SDK in use.")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@_verbose_option
@_config_options
def sdk_show(folder: Path | None, is_verbose: bool, **options: Any) -> int:
    """Show the SDK in use, and the content of FOLDER (default: the newest snapshot): date, sizes, hashes."""
    from harness.commands.sdk import run_show

    return run_show(_stdout(), _config(options), folder, is_verbose=is_verbose)


@sdk.command("diff", short_help="Compare two snapshots, or a snapshot with the CDN.")
@click.argument("before", required=False, metavar="[A]")
@click.argument("after", required=False, metavar="[B]")
@_from_option
@_ca_option
@_verbose_option
@click.option("--debug", is_flag=True, help="Print tracebacks of chatkit-harness's own errors.")
def sdk_diff(before: str | None, after: str | None, base_url: str, is_verbose: bool, **_debug: Any) -> int:
    """Show new, removed and changed files from A (default: the newest snapshot) to B (default: `live`, the current files of the CDN).

    A and B are folders, `stand-in` or `live`.

    \b
    Exit codes of this command:
       0  the same files
       1  different files
      11  a snapshot or the CDN cannot be read
    """
    from harness.commands.sdk import run_diff

    return run_diff(_stdout(), before or "", after or "", _base(base_url), is_verbose=is_verbose)


@sdk.command("verify", short_help="Verify the files of a snapshot against their hashes.")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@_verbose_option
@click.option("--debug", is_flag=True, help="Print tracebacks of chatkit-harness's own errors.")
def sdk_verify(folder: Path | None, is_verbose: bool, **_debug: Any) -> int:
    """Verify the files of FOLDER (default: the newest snapshot) against the hashes in its snapshot.json. Exit code 11 if damaged."""
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


@cli.command(short_help="List the faults that can be injected into any page.")
def faults() -> int:
    """List the named faults, and the verbs and targets of the fault language."""
    from harness.commands.serve import list_faults

    return list_faults(_stdout())


@cli.command(short_help="Explain a finding, and how to fix it.")
@click.argument("rule", default="")
@click.option("--debug", is_flag=True, help="Print tracebacks of chatkit-harness's own errors.")
def explain(rule: str, **_debug: Any) -> int:
    """Explain RULE, the name of a finding. Without a name, list all rules."""
    from harness.commands.explain import run_explain

    return run_explain(_stdout(), rule)


@cli.command(short_help="Print the effective configuration.")
@_config_options
def config(**options: Any) -> int:
    """Print the effective configuration with the source of each value. Secrets are masked."""
    from harness.commands.config import render_config

    click.echo(render_config(_config(options)), nl=False)
    return 0


@cli.command(short_help="Check this machine.")
@_config_options
def doctor(**options: Any) -> int:
    """Check this machine: Python, packages, browsers, TLS, configuration, disk."""
    from harness.commands.doctor import run_doctor

    try:
        found: Config | ConfigError = _config(options)
    except ConfigError as error:
        found = error
    return run_doctor(_stdout(), found)


@cli.command(short_help="Install a browser.")
@click.option("--browser", type=click.Choice(["chromium", "firefox", "webkit"]), default="chromium", show_default=True)
@click.option("--debug", is_flag=True, help="Print tracebacks of chatkit-harness's own errors.")
def install(browser: str, **_debug: Any) -> int:
    """Install a browser: Playwright's own build if it can be downloaded, otherwise the distribution's package."""
    from harness.commands.install import run_install

    return run_install(_stdout(), browser)


if __name__ == "__main__":
    main()

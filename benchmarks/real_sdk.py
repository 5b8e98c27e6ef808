"""Whether the harness is right about an SDK in a folder: healthy mounts, every scenario, and messages that go wrong.

    python benchmarks/real_sdk.py FOLDER [--healthy 50] [--only NAME …] [--scenarios] [--messages]

FOLDER is laid out as ChatKit's CDN: a snapshot of `chatkit-harness sdk pull`, or another copy. Without `--scenarios` or `--messages` all is
done. Nothing leaves this machine: the embedded servers answer for OpenAI. Every difference from the stand-in is printed.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from harness.analysis.facts.console_policy import STATUS_ECHO
from harness.config.reading import read_config
from harness.drive.browsers import find_browser
from harness.errors import ConversationFailed, EmbedError
from harness.model.faults import combined
from harness.model.results import VisitResult
from harness.servers.named_faults import faults_of
from harness.servers.scenarios import read_scenarios, scenario_named
from harness.servers.server import Stack, serve_stack
from harness.visit import browser as own_browser
from harness.visit.target import Keep, target_of
from harness.visit.visit import Visit

CONFIG = read_config(None, environ={}, root=Path(tempfile.gettempdir()) / "no-configuration-here")
TIME_LIMIT_MS = 8_000  # for what is expected to be undecided
TOPIC = "three topics about tea"
STREAM = "conversation.threads.create"
# What is done to the network beside a healthy visit, and what becomes of a message then: a part of the reply, or of the error.
MESSAGES: dict[str, tuple[tuple[str, ...], str]] = {
    "healthy": ((), TOPIC),
    "telemetry is blocked": (("abort:telemetry=blockedbyclient",), TOPIC),
    "telemetry is refused": (("status:telemetry=403", "body:telemetry=blocked by policy"), TOPIC),
    "telemetry fails": (("status:telemetry=500", "body:telemetry="), TOPIC),
    "telemetry is a page": (("body:telemetry=<!doctype html><h1>Sign in</h1>", "type:telemetry=text/html"), TOPIC),
    "the sentinel is blocked": (("abort:sentinel=blockedbyclient",), TOPIC),
    "the sentinel hangs": (("hang:sentinel",), r"was not sent: the widget waits for https://\S+/sentinel/"),
    "a stream of 404": ((f"status:{STREAM}=404",), "answered 404"),
    "a stream of 429": ((f"status:{STREAM}=429",), "answered 429"),
    "a stream of 500": ((f"status:{STREAM}=500",), "answered 500.*, 2 times"),
    "JSON in place of a stream": ((f'body:{STREAM}={{"ok":true}}', f"type:{STREAM}=application/json"), "with application/json where"),
    "a page in place of a stream": ((f"body:{STREAM}=<!doctype html><h1>Hello</h1>", f"type:{STREAM}=text/html"), "with text/html where"),
    "a stream that is empty": ((f"body:{STREAM}=", f"type:{STREAM}=text/event-stream"), "ended without a reply"),
    "a stream that breaks": ((f"truncate:{STREAM}=600",), "the response ended with an error|ended without a reply"),
}  # fmt: skip
QUIET = (
    "the sentinel hangs",
    "the sentinel is blocked",
)  # beside these a finding is right, without any stream that failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the visits of one run share."""

    browser: Browser
    stack: Stack
    folder: Path


@contextmanager
def opened(setting: Setting, name: str, scenario: str, faults: tuple[str, ...] = ()) -> Iterator[Visit]:
    """Yield a visit of a scenario, with these faults besides."""
    target = target_of(CONFIG.project("local"), entry="topic-generation", scenario=scenario, stack=setting.stack)
    assert target.scenario is not None
    target = replace(
        target, scenario=replace(target.scenario, faults=combined((*target.scenario.faults, *faults_of(faults))))
    )
    if target.scenario is not None and target.scenario.verdict == "timeout":
        target = replace(target, limits=replace(target.limits, mount_timeout_ms=TIME_LIMIT_MS))
    with own_browser.opened(
        setting.browser,
        target,
        setting.folder / re.sub(r"\W+", "-", name),
        config=CONFIG,
        keep=Keep(screenshot="off"),
        stack=setting.stack,
    ) as visit:
        visit.open()
        yield visit


def problems_of(result: VisitResult) -> list[str]:
    """Return what speaks against a healthy visit: its findings and the console's errors.

    A copy may lack files that the frame loads when it first needs them; what the browser prints of those is not the harness's.
    """
    said = [p.text for p in result.console if not p.is_allowed and not p.text.startswith(STATUS_ECHO)]
    return [f.rule for f in result.findings] + said


def healthy(setting: Setting, count: int) -> None:
    """Print how many of as many mounts are clean."""
    clean = 0
    for number in range(count):
        with opened(setting, f"healthy-{number}", "healthy") as visit:
            result = visit.wait_until_decided()
        result = visit.final or result
        clean += result.is_mounted and not problems_of(result)
        if not result.is_mounted or problems_of(result):
            print(f"    {number}: {result.outcome} ({result.reason}): {problems_of(result)}")
    print(f"healthy mounts: {clean} of {count} mounted, without a finding or a problem on the console")


def scenarios(setting: Setting, names: list[str]) -> None:
    """Print how many scenarios end on this SDK as they do on the stand-in, and what is different in the others."""
    same = 0
    for name in names:
        expected = scenario_named(name)
        try:
            with opened(setting, name, name) as visit:
                result = visit.wait_until_decided()
        except EmbedError as error:
            print(f"    {name}: not a visit: {str(error).splitlines()[0]}")
            continue
        found = [f.rule for f in sorted(result.findings, key=lambda f: f.role != "cause") if f.role != "consequence"]
        is_same = (result.outcome, sorted(found)) == (expected.verdict, sorted(expected.rules))
        same += is_same
        if not is_same:
            print(f"    {name}: {result.outcome} {found}; expected: {expected.verdict} {list(expected.rules)}")
    print(f"scenarios: {same} of {len(names)} end as on the stand-in")


def messages(setting: Setting) -> None:
    """Print how many messages are answered, or fail, as they should, and what became of the others."""
    right = 0
    for name, (faults, expected) in MESSAGES.items():
        with opened(setting, name, "healthy", faults) as visit:
            visit.wait_until_decided()
            try:
                said = visit.send(TOPIC).text
            except ConversationFailed as failure:
                said = str(failure)
        left = problems_of(visit.final) if visit.final and expected == TOPIC and name not in QUIET else []
        is_right = re.search(expected, said) is not None and not left
        right += is_right
        if not is_right:
            print(
                f"    {name}: {said.splitlines()[0][:200] if said else 'an empty reply'} {left or ''}; expected: {expected}"
            )
    print(f"messages: {right} of {len(MESSAGES)} end as they should")


def main() -> None:
    """Do what is asked for, in this order: healthy mounts, messages, scenarios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sdk", type=Path, metavar="FOLDER")
    parser.add_argument("--healthy", type=int, default=50)
    parser.add_argument("--only", nargs="*", default=[], help="these scenarios, and nothing else")
    parser.add_argument("--scenarios", action="store_true", help="the scenarios, and nothing else")
    parser.add_argument("--messages", action="store_true", help="the messages, and nothing else")
    options = parser.parse_args()
    is_all = not (options.scenarios or options.messages or options.only)
    with (
        tempfile.TemporaryDirectory() as folder,
        serve_stack(scenario=scenario_named("healthy"), sdk_dir=options.sdk) as stack,
        sync_playwright() as playwright,
        playwright.chromium.launch(**find_browser("chromium", "", os.environ).launch_options()) as browser,
    ):
        setting = Setting(browser=browser, stack=stack, folder=Path(folder))
        if is_all:
            healthy(setting, options.healthy)
        if is_all or options.messages:
            messages(setting)
        if is_all or options.scenarios or options.only:
            scenarios(setting, options.only or list(read_scenarios()))


if __name__ == "__main__":
    main()

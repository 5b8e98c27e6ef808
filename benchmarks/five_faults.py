"""Five mount faults, each through the test that most people write with pytest-playwright, and through chatkit-harness.

    python benchmarks/five_faults.py [--times 3] [--timeout-ms 5000] [--full]

Both tests open the same embedded pages in the same browser, and for both OpenAI's hosts are answered on this machine under their own names.
Prints what each says, and how long its test took: the test itself, and with set-up and what is written afterwards; the first of each tool
starts the browser too. `--timeout-ms` is that of Playwright's `expect`, whose own default is 5 s. `--full` prints the whole messages,
the page's accessibility tree that Playwright adds included.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

FAULTS = {
    "csp-script": "the page's CSP blocks the script",
    "script-404": "the script is answered 404",
    "session-401": "the session endpoint answers 401",
    "options-undefined": "the element throws in setOptions",
    "frame-400": "the iframe is answered 400",
}
TIMEOUT_VARIABLE = "FIVE_FAULTS_TIMEOUT_MS"
HEAD = f"""
import os

import pytest

every_fault = pytest.mark.parametrize("fault", {list(FAULTS)!r})
"""
PLAIN = f"""{HEAD}
from playwright.sync_api import Page, expect

expect.set_options(timeout=float(os.environ["{TIMEOUT_VARIABLE}"]))


@every_fault
def test_chat_appears(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_role("button", name="Topic Generation").click()
    expect(page.locator("openai-chatkit")).to_be_visible()
    expect(page.frame_locator("openai-chatkit iframe").get_by_role("textbox")).to_be_visible()
"""
OURS = f"""{HEAD}
from harness import expect


@every_fault
def test_chat_appears(chatkit, fault: str) -> None:
    expect(chatkit.open("topic-generation", scenario=fault)).to_be_mounted()
"""
# What pytest knows of each test, whole and not as one of its reports shortens it.
TOLD = """
import json
from pathlib import Path


def pytest_runtest_logreport(report):
    crash = getattr(report.longrepr, "reprcrash", None)
    message = crash.message if crash else str(report.longrepr or "PASSED")
    row = {"test": report.nodeid, "when": report.when, "message": message, "seconds": report.duration}
    with Path("told.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\\n")
"""
# The network that the plain test's page is on: the one that ours is on too.
NETWORK = """
import os
from pathlib import Path

import pytest

from harness.config.reading import read_config
from harness.drive.browsers import find_browser
from harness.drive.faults import install_aborts
from harness.servers.network_path import serve_network_path
from harness.visit.opening import context_options, destinations_of
from harness.servers.scenarios import scenario_named
from harness.servers.server import serve_stack


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    return browser_type_launch_args | find_browser("chromium", "", os.environ).launch_options()


@pytest.fixture(scope="session")
def stack():
    with serve_stack(scenario=scenario_named("healthy")) as running:
        yield running


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args, stack):
    config = read_config(None, environ={}, root=Path.cwd())
    with serve_network_path(destinations_of(stack)) as path:
        yield browser_context_args | context_options(config, "hermetic", proxy_url=path.url)


@pytest.fixture
def url(context, stack, fault):
    stack.use(scenario_named(fault))
    install_aborts(context, stack.injector, lambda asked, faults: None)
    return stack.app_url + "/test-chatkit"
"""
TOOLS = {
    "pytest-playwright": (PLAIN, NETWORK + TOLD, ("-p", "no:chatkit_harness")),
    "chatkit-harness": (OURS, TOLD, ()),
}
LONGEST_S = 900
TREE = "\nAria snapshot:"
VARYING = re.compile(r"\d+|[ ]{2,}")  # ports, times, counts, and how far they indent


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one test said about one fault."""

    message: str
    seconds: float
    seconds_in_all: float


def run(tool: str, timeout_ms: int, folder: Path) -> dict[str, Told]:
    """Return what a tool says about each fault."""
    test, conftest, options = TOOLS[tool]
    folder.mkdir()
    (folder / "test_chat.py").write_text(test, encoding="utf-8")
    (folder / "conftest.py").write_text(conftest, encoding="utf-8")
    own = {TIMEOUT_VARIABLE: str(timeout_ms), "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env=os.environ | own,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    told = folder / "told.jsonl"
    rows = [json.loads(line) for line in told.read_text(encoding="utf-8").splitlines()] if told.is_file() else []
    found = {
        fault: Told(
            message=row["message"].removeprefix("harness.errors."),
            seconds=row["seconds"],
            seconds_in_all=sum(phase["seconds"] for phase in rows if phase["test"] == row["test"]),
        )
        for row in rows
        for fault in FAULTS
        if row["when"] == "call" and (f"-{fault}]" in row["test"] or f"[{fault}]" in row["test"])
    }
    if found.keys() != FAULTS.keys():
        sys.exit(f"{tool} did not run all tests:\n{done.stdout}{done.stderr}")
    return found


def main() -> None:
    """Run both tools, print each message with its time, and how many different ones there are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=1, help="the median of so many runs is told")
    parser.add_argument("--timeout-ms", type=int, default=5_000)
    parser.add_argument("--full", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        runs = {
            tool: [run(tool, options.timeout_ms, Path(name) / f"{tool}-{n}") for n in range(options.times)]
            for tool in TOOLS
        }
    for fault, about in FAULTS.items():
        print(f"\n== {about} ({fault})")
        for tool, told in runs.items():
            message = told[-1][fault].message
            seconds = statistics.median(one[fault].seconds for one in told)
            in_all = statistics.median(one[fault].seconds_in_all for one in told)
            print(f"-- {tool}, {seconds:.1f} s ({in_all:.1f} s in all)")
            print("\n".join(f"   {line}" for line in (message if options.full else said(message)).splitlines()))
    print()
    for tool, told in runs.items():
        different = {VARYING.sub("#", said(told[-1][fault].message)) for fault in FAULTS}
        seconds = statistics.median(one[fault].seconds for one in told for fault in FAULTS)
        print(f"{tool}: {len(different)} different messages for {len(FAULTS)} faults, {seconds:.1f} s each (median)")


def said(message: str) -> str:
    """Return a message without the picture of the whole page that Playwright puts behind it."""
    text, tree, picture = message.partition(TREE)
    return text.rstrip() + (f"\n({len(picture.splitlines())} lines of the page's accessibility tree)" if tree else "")


if __name__ == "__main__":
    main()

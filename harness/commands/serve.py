"""The command `serve`: serve the embedded page, session API, stand-in ChatKit and OpenAI API until Ctrl-C.

In: a scenario and a port. Out: the URL on the console, and one line for each response of the app's and the API's servers.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType

from rich.console import Console
from rich.table import Table

from harness.config.sdk_source import STAND_IN, SdkSource
from harness.model.events import ServerAnswered
from harness.model.faults import ALL_EXCHANGES, ALL_VERBS, render_fault
from harness.model.texts import visible
from harness.servers.named_faults import named_faults
from harness.servers.scenarios import read_scenarios, scenario_named
from harness.servers.server import serve_stack

PAGE = "/test-chatkit"


def run_serve(console: Console, scenario: str, port: int, sdk: SdkSource = STAND_IN) -> int:
    """Serve until interrupted, and return 0. Raises ConfigError for an unknown scenario, ServerError for a taken port."""
    chosen = scenario_named(scenario)
    stop = threading.Event()

    def on_answer(answer: ServerAnswered) -> None:
        if answer.server == "cdn" and answer.status < 400:
            return
        note = f"  {answer.note}" if answer.note else ""
        line = visible(f"{answer.server:4}{answer.status}  {answer.method} {answer.path}{note}")
        style = "red" if answer.status >= 400 else "bold yellow" if answer.note else "dim"
        console.print(line, style=style, markup=False, highlight=False)

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with serve_stack(
            scenario=chosen,
            on_answer=on_answer,
            is_for_people=True,
            app_port=port,
            sdk_dir=sdk.folder,
            sdk_url=sdk.url,
        ) as stack:
            console.print(f"scenario {chosen.name}: {chosen.about}", markup=False, highlight=False)
            console.print(f"page:     {stack.app_url}{PAGE}", style="bold", markup=False, highlight=False)
            console.print(f"expected: {_expected(chosen.verdict, chosen.milestone)}", markup=False, highlight=False)
            if sdk.name != STAND_IN.name:
                _tell_sdk(console, sdk)
            console.print("Press Ctrl-C to stop. Other scenarios: chatkit-harness serve --list", highlight=False)
            if chosen.mock_mode:
                console.print("MOCK MODE: a missing workflow gets a secret that no widget can use", style="bold yellow")
            stop.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    console.print("stopped", highlight=False)
    return 0


def _tell_sdk(console: Console, sdk: SdkSource) -> None:
    if sdk.warning:
        console.print(f"sdk:      {sdk.warning}", style="yellow", markup=False, highlight=False)
    console.print(f"sdk:      {sdk.name}", markup=False, highlight=False)
    told = "in a normal tab OpenAI's SDK calls OpenAI's API, which does not know the client secret of this page"
    console.print(f"          {told}", style="yellow", markup=False, highlight=False)


def _expected(verdict: str, milestone: str) -> str:
    return "the widget mounts" if verdict == "mounted" else f"the mount fails; the last milestone is {milestone}"


def list_scenarios(console: Console) -> int:
    """Print every scenario and what it breaks, and return 0."""
    table = _table("scenario", "expected", "what it is")
    for scenario in read_scenarios().values():
        expected = "mounts" if scenario.verdict == "mounted" else f"{scenario.verdict} after {scenario.milestone}"
        table.add_row(scenario.name, expected, scenario.about)
    console.print(table, highlight=False)
    return 0


def list_faults(console: Console) -> int:
    """Print every named fault, then the verbs and targets of the fault language, and return 0."""
    named = _table("fault", "what it does", "in the fault language")
    for fault in named_faults().values():
        named.add_row(fault.name, fault.about, "  ".join(map(render_fault, fault.faults)))
    verbs = _table("verb", "what it does", "such as")
    for verb in ALL_VERBS:
        verbs.add_row(verb.name, verb.about, verb.example)
    targets = _table("target", "what it is")
    for exchange in ALL_EXCHANGES:
        targets.add_row(exchange.name, exchange.about)
    targets.add_row("a URL glob", "any other request: https://cdn.example.com/*.js")
    for table in (named, verbs, targets):
        console.print(table, highlight=False, markup=False)
        console.print()
    console.print(
        "<verb>:<target>[#n][=<value>]; #2 applies it only to the second such request.", highlight=False, markup=False
    )
    return 0


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold", header_style="bold")
    return table

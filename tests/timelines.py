"""Golden timelines: what the embedded default's page does in each scenario, recorded once, for tests that need no browser.

    make timelines [ARGS="NAME …"]      records every scenario, or these, into fixtures/timelines/

In: scenarios. Out: a compressed file for each: a line about the recording, then the timeline as a bundle has it. A visit that does not
end as `fixtures/scenarios.toml` says is not kept. Record a scenario again when it, its page, the stand-in or the observers change.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright
from visits import visited

from harness.config.reading import read_config
from harness.drive.browsers import find_browser
from harness.errors import HarnessError
from harness.model.results import VisitResult
from harness.model.timeline import Entry, read_timeline
from harness.servers.scenarios import Scenario, read_scenarios, scenario_named
from harness.servers.server import Stack, serve_stack

FOLDER = Path(__file__).parents[1] / "fixtures" / "timelines"
NOT_SETTINGS = (
    "about",
    "verdict",
    "milestone",
    "failure",
    "rules",
    "prefetch",
)  # what is said of a scenario, and is not done
Told = tuple[str, str, str, str, list[str]]
FIRST_PORT = 40_001  # in place of the ports that the servers had


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """A recorded visit. `settings` is a digest of what the scenario did when it was recorded."""

    scenario: str
    settings: str
    started_at: str
    entries: tuple[Entry, ...]


def read_golden(name: str) -> Golden:
    """Return the recorded timeline of a scenario."""
    path = path_of(name)
    assert path.exists(), f"the scenario has no timeline yet: make timelines ARGS={name}"
    about, *lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    header = json.loads(lines[0])
    return Golden(**json.loads(about), started_at=header["started_at"], entries=read_timeline(lines))


def path_of(name: str) -> Path:
    """Return where the timeline of a scenario is kept."""
    return FOLDER / f"{name}.jsonl.gz"


def settings_of(scenario: Scenario) -> str:
    """Return a digest of everything that a scenario does, and a healthy one does not."""
    healthy = asdict(Scenario(name=scenario.name))
    done = {
        name: value for name, value in asdict(scenario).items() if name not in NOT_SETTINGS and value != healthy[name]
    }
    return hashlib.sha256(json.dumps(done, sort_keys=True).encode()).hexdigest()[:16]


def is_as_expected(result: VisitResult, scenario: Scenario) -> bool:
    """Whether a visit ended as its scenario says: the verdict, the last milestone, the cause and what else is wrong."""
    return told(result) == expected(scenario)


def told(result: VisitResult) -> Told:
    """Return the verdict, the last milestone, how the secret came, the cause, and the other findings in alphabetical order."""
    also = sorted(finding.rule for finding in result.also)
    return result.outcome, result.last_milestone, result.prefetch, result.cause.rule if result.cause else "", also


def expected(scenario: Scenario) -> Told:
    """Return what a scenario says of its visit, in the form of `told`."""
    cause, also = ("", scenario.rules) if scenario.verdict == "mounted" else (scenario.rules[0], scenario.rules[1:])
    prefetch = "never" if scenario.mode == "custom" else scenario.prefetch
    return scenario.verdict, scenario.milestone, prefetch, cause, sorted(also)


# --- recording ----------------------------------------------------------------------------------------------------


def record(scenarios: list[Scenario], folder: Path) -> Iterator[str]:
    """Record scenarios one after another; yield a line for each that was not kept."""
    with (
        serve_stack(scenario=scenarios[0]) as stack,
        sync_playwright() as playwright,
        playwright.chromium.launch(**find_browser("chromium", "", os.environ).launch_options()) as browser,
        tempfile.TemporaryDirectory() as scratch,
    ):
        for scenario in scenarios:
            visit_folder = Path(scratch) / scenario.name
            try:
                result = _visited(scenario, browser, stack, visit_folder)
            except (HarnessError, AssertionError) as error:
                yield f"{scenario.name}: {type(error).__name__}: {error}"
                continue
            if not is_as_expected(result, scenario):
                yield f"{scenario.name}: it ended as {told(result)}, and not as {expected(scenario)}: {result.explanation}"
                continue
            text = (visit_folder / "timeline.jsonl").read_text(encoding="utf-8")
            about = json.dumps({"scenario": scenario.name, "settings": settings_of(scenario)})
            whole = f"{about}\n{_with_fixed_ports(text, stack.addresses)}"
            (folder / f"{scenario.name}.jsonl.gz").write_bytes(gzip.compress(whole.encode(), mtime=0))


def _visited(scenario: Scenario, browser: Browser, stack: Stack, folder: Path) -> VisitResult:
    config = read_config(None, environ={}, root=folder)
    with ExitStack() as contexts:

        def new_context(**options: Any) -> Any:
            return contexts.enter_context(browser.new_context(**options))

        return visited(scenario, config=config, stack=stack, new_context=new_context, folder=folder)


def _with_fixed_ports(text: str, addresses: Mapping[str, str]) -> str:
    """The timeline with the same port for the same server, whenever it is recorded."""
    for number, name in enumerate(sorted(addresses), start=FIRST_PORT):
        host = addresses[name].rpartition("/")[2]
        text = text.replace(host, f"{host.rpartition(':')[0]}:{number}")
    return text


def _record_some(scenarios: list[Scenario]) -> list[str]:
    return list(record(scenarios, FOLDER))


def main() -> None:
    """Record what was asked for; say what was not kept, and exit with 1 then."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    scenarios = read_scenarios()
    chosen = [scenario_named(name) for name in options.names or scenarios]
    FOLDER.mkdir(exist_ok=True)
    if not options.names:
        for left_over in FOLDER.glob("*.jsonl.gz"):
            if left_over.name.removesuffix(".jsonl.gz") not in scenarios:
                left_over.unlink()
    shares = [share for n in range(options.jobs) if (share := chosen[n :: options.jobs])]
    with ProcessPoolExecutor(len(shares)) as pool:
        futures = [pool.submit(_record_some, share) for share in shares]
        problems = [problem for future in as_completed(futures) for problem in future.result()]
    size_kb = sum(path.stat().st_size for path in FOLDER.glob("*.jsonl.gz")) // 1000
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    sys.stdout.write(
        f"{len(chosen) - len(problems)} of {len(chosen)} recorded into {FOLDER.name}/, {size_kb} kB in all\n"
    )
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()

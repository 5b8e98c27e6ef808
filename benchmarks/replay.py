"""How faithful replays are: some scenarios recorded once and had again many times, and the gaps of a streamed reply.

    python -m benchmarks.replay [--times 100] [--only session-401 frame-400 zero-height]

Every replay has to come to the recorded verdict and cause, with every server down. The gaps between the pieces of a stream are measured
where the page reads them, once recorded and in each replay of it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from harness.drive.browsers import find_browser
from harness.report.recordings import opened_recording
from harness.servers.replay import RECORDED
from harness.servers.scenarios import scenario_named
from harness.servers.server import serve_stack
from harness.visit.replay import replayed
from harness.visit.target import Keep
from tests.recorded import plain_config, record_scenario

SCENARIOS = ("session-401", "frame-400", "zero-height")
STREAM_TIMES = 10
MOST_MS = 20.0


def pieces(folder: Path) -> list[list[float]]:
    """Return time and size of each piece of the streamed reply of a bundle."""
    har = json.loads((folder / "network.har").read_text(encoding="utf-8"))
    contents = [entry["response"]["content"] for entry in har["log"]["entries"]]
    return next((content["_chunks"] for content in contents if "_chunks" in content), [])


def same_verdicts(browser: Browser, folder: Path, name: str, times: int) -> None:
    """Replay one scenario many times, and print how often it came to the same."""
    config, took, same = plain_config(folder), [], 0
    with opened_recording(folder / name) as (recording, _):
        wanted = (recording.judged.outcome, recording.judged.cause)
        for number in range(times):
            began = time.perf_counter()
            keep = Keep(screenshot="off", bodies="off")
            result = replayed(
                browser, recording, folder / "again" / f"{name}-{number}", config=config, keep=keep
            ).result
            same += (result.outcome, result.cause.rule if result.cause else "") == wanted
            took.append(time.perf_counter() - began)
    print(f"{name}: {same} of {times} the same verdict and cause; median {statistics.median(took):.2f} s a replay")


def gaps(browser: Browser, folder: Path) -> None:
    """Replay a streamed reply, and print how far the gaps between its pieces are from the recorded ones."""
    config = plain_config(folder)
    recorded = pieces(folder / "healthy")
    errors: list[float] = []
    orders = 0
    for number in range(STREAM_TIMES):
        into = folder / "again" / f"stream-{number}"
        with opened_recording(folder / "healthy") as (recording, _):
            replayed(browser, recording, into, config=config, timing=RECORDED, keep=Keep(screenshot="off", bodies="on"))
        again = pieces(into)
        orders += [size for _, size in again] == [size for _, size in recorded]
        errors += gap_errors(recorded, again)
    within = sum(error <= MOST_MS for error in errors)
    print(
        f"stream of {len(recorded)} pieces, {STREAM_TIMES} replays: {orders} in the very same pieces; "
        f"{within} of {len(errors)} gaps within {MOST_MS:.0f} ms, median error {statistics.median(errors):.1f} ms"
    )


def gap_errors(recorded: list[list[float]], again: list[list[float]]) -> list[float]:
    """Return the errors of the gaps between pieces that end at the same places in both."""
    first, second = _ends(recorded), _ends(again)
    shared = sorted(first.keys() & second.keys())
    return [abs((second[b] - second[a]) - (first[b] - first[a])) for a, b in pairwise(shared)]


def _ends(chunks: list[list[float]]) -> dict[float, float]:
    """When the stream was read up to each of its places."""
    total, ends = 0.0, {}
    for at_ms, size in chunks:
        total += size
        ends[total] = at_ms
    return ends


def main() -> None:
    """Record, close the servers, replay, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--only", nargs="*", default=list(SCENARIOS))
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as place,
        sync_playwright() as playwright,
        playwright.chromium.launch(**_options()) as browser,
    ):
        folder = Path(place)
        with serve_stack(scenario=scenario_named("healthy")) as stack:
            for name in options.only:
                record_scenario(browser, stack, name, folder / name)
            record_scenario(browser, stack, "healthy", folder / "healthy", message="three topics about tea")
        for name in options.only:
            same_verdicts(browser, folder, name, options.times)
        gaps(browser, folder)


def _options() -> dict[str, Any]:
    return dict(find_browser("chromium", "", os.environ).launch_options())


if __name__ == "__main__":
    main()

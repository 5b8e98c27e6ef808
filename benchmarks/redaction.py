"""What it costs that nothing secret is written: visits with traces, redacted and not, and the search after the run.

    python benchmarks/redaction.py [--visits 50]

The two kinds of visit are interleaved, so that a noisy machine treats them alike. One redacts everything and rewrites its trace; the
other has a redactor that knows and changes nothing, and keeps the trace as Playwright wrote it. Then the bundles of the redacted ones are
searched, as after a run. Times of this process's processor are printed beside those of the clock: they are the same on a busy machine.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from playwright.sync_api import Browser, sync_playwright

from harness.config.reading import read_config
from harness.drive.browsers import find_browser
from harness.model.redaction import Redactor
from harness.report.search import Proof, Secret, prove
from harness.servers.scenarios import scenario_named
from harness.servers.server import Stack, serve_stack
from harness.visit import tracing
from harness.visit.browser import opened
from harness.visit.target import Keep, target_of

CONFIG = read_config(None, environ={}, root=Path(tempfile.gettempdir()) / "no-configuration-here")
KINDS = ("redacted", "not redacted")


class Nothing(Redactor):
    """A redactor that changes nothing."""

    def text(self, text: str) -> str:
        """Return it."""
        return text

    def header(self, name: str, value: str) -> str:  # noqa: ARG002 (the same call)
        """Return it."""
        return value

    def cut(self, text: str, limit: int) -> str:
        """Return its beginning."""
        return text[:limit]

    def value(self, value: Any) -> Any:
        """Return it."""
        return value


@contextmanager
def traces_as_they_are() -> Iterator[None]:
    """Keep traces as Playwright wrote them."""

    def copy(source: Path, target: Path, *_: object) -> None:
        shutil.copyfile(source, target)

    with mock.patch.object(tracing, "learn_from_trace"), mock.patch.object(tracing, "rewrite_trace", copy):
        yield


def visit(browser: Browser, stack: Stack, folder: Path, redactor: Redactor) -> None:
    """Visit the embedded page with a trace and everything else."""
    target = target_of(CONFIG.project("local"), entry="topic-generation", stack=stack)
    keep = Keep(trace="on", screenshot="on")
    with opened(browser, target, folder, config=CONFIG, keep=keep, redactor=redactor, stack=stack) as seen:
        seen.open()
        assert seen.wait_until_decided().is_mounted


def main() -> None:
    """Measure and print medians, ratios and shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, default=50)
    visits = parser.parse_args().visits
    clock: dict[str, list[float]] = {kind: [] for kind in KINDS}
    processor: dict[str, list[float]] = {kind: [] for kind in KINDS}
    secrets: list[Secret] = []
    with tempfile.TemporaryDirectory() as temporary, serve_stack(scenario=scenario_named("healthy")) as stack:
        folder = Path(temporary)
        with (
            sync_playwright() as playwright,
            playwright.chromium.launch(**find_browser("chromium", "", os.environ).launch_options()) as browser,
        ):
            for number in range(visits):
                home = folder / "redacted" / str(number)
                redactor = Redactor()
                for kind in KINDS:
                    before, used = time.perf_counter(), time.process_time()
                    if kind == "redacted":
                        visit(browser, stack, home, redactor)
                    else:
                        with traces_as_they_are():
                            visit(browser, stack, folder / kind / str(number), Nothing())
                    clock[kind].append(time.perf_counter() - before)
                    processor[kind].append(time.process_time() - used)
                secrets += [Secret(kind=name, value=value, home=str(home)) for name, value in redactor.learned]
        before, used = time.perf_counter(), time.process_time()
        proof = prove(folder / "redacted", secrets)
        scan, scan_used = time.perf_counter() - before, time.process_time() - used
        report(visits, clock, processor, (scan, scan_used), proof, secrets, folder / "redacted")


def report(
    visits: int,
    clock: dict[str, list[float]],
    processor: dict[str, list[float]],
    scan: tuple[float, float],
    proof: Proof,
    secrets: list[Secret],
    folder: Path,
) -> None:
    """Print what was measured."""
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{visits} visits with trace and screenshots of each kind, interleaved; {size / 1e6:.1f} MB of bundles")
    for name, times in (("clock", clock), ("processor", processor)):
        medians = [statistics.median(times[kind]) * 1000 for kind in KINDS]
        ratio = statistics.median(a / b for a, b in zip(times["redacted"], times["not redacted"], strict=True))
        print(f"  {name:10} redacted {medians[0]:7.0f} ms   not {medians[1]:7.0f} ms   ratio {ratio:.3f}")
    for name, spent, times in zip(("clock", "processor"), scan, (clock, processor), strict=True):
        share = spent / (spent + sum(times["redacted"]))
        print(f"  {name:10} search of all {spent:6.2f} s, {share:.1%} of the run")
    print(
        f"  {proof.searched_files} files searched for {len(secrets)} secrets: {len(proof.hits)} hits, {len(proof.late)} late"
    )


if __name__ == "__main__":
    main()

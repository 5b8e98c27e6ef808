"""Healthy gates against one baseline, with the processor busy: every regression is a false one.

    python benchmarks/baseline.py [--runs 20] [--load 2] [--workers 2] [--at-once 1]

The baseline is made without that load, as on a quiet machine. Prints each run: what its controls took, what was measured again, and
what was called a regression. Exit code 1 when anything was.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from soak import busy

LONGEST_S = 600
CONFIG = '[use]\nscreenshot = "off"\n'


def gate(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run a gate on the embedded page; return its exit code and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli", "gate", "--trace", "off", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def healthy(folder: Path, number: int, workers: tuple[str, ...]) -> tuple[int, int, int]:
    """Run one gate against the baseline and tell it; return how many visits it compared, its exit code, and its repetitions."""
    started = time.monotonic()
    code, told = gate(folder, *workers, "--baseline", f"--output-dir=results-{number}")
    saved = json.loads((folder / f"results-{number}" / "latest" / "regressions.json").read_text(encoding="utf-8"))
    repeated = told.count("measured again (")
    controls = f"control {saved['control_ms']:.0f} ms ({saved['baseline_control_ms']:.0f} in the baseline)"
    took = f"{time.monotonic() - started:.0f} s"
    lines = [f"run {number}: exit code {code}, {took}, {controls}, measured again {repeated} times"]
    for title, rows in (("FALSE", saved["regressions"]), ("acquitted", saved["not_seen_again"])):
        lines += [f"  {title}: {row['kind']}: {row['what']}: {row['before']} -> {row['now']}" for row in rows]
    print("\n".join([*lines, *([told] if code and not saved["regressions"] else [])]), flush=True)
    return saved["visits"], code, repeated


def main() -> None:
    """Make the baseline, run the gates, and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--load", type=int, default=2, help="how many processes burn processor time meanwhile")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--at-once", type=int, default=1, help="how many gates run at a time")
    options = parser.parse_args()
    multiprocessing.set_start_method("spawn")
    workers = ("-n", str(options.workers))
    with tempfile.TemporaryDirectory(prefix="chatkit-baseline-") as name:
        folder = Path(name)
        (folder / "playwright.config.toml").write_text(CONFIG, encoding="utf-8")
        code, told = gate(folder, *workers, "--update-baseline")
        if code:
            sys.exit(f"no baseline: exit code {code}\n{told}")
        with busy(options.load), ThreadPoolExecutor(options.at_once) as pool:
            numbers = range(1, options.runs + 1)
            done = list(pool.map(lambda number: healthy(folder, number, workers), numbers))
    alarms = sum(code != 0 for _, code, _ in done)
    visits, again = sum(visits for visits, _, _ in done), sum(repeated > 0 for _, _, repeated in done)
    print(f"{len(done)} healthy gates, {visits} visits: {alarms} false alarms; measured again in {again} of them")
    sys.exit(1 if alarms else 0)


if __name__ == "__main__":
    main()

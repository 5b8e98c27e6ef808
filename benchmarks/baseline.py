"""Healthy gates against one baseline, with the processor busy: every regression is a false one.

    python benchmarks/baseline.py [--runs 20] [--load 2] [--workers 2]

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
from pathlib import Path

from soak import busy

LONGEST_S = 600


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


def main() -> None:
    """Make the baseline, run the gates, and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--load", type=int, default=2, help="how many processes burn processor time meanwhile")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    multiprocessing.set_start_method("spawn")
    workers = ("-n", str(options.workers))
    alarms = again = visits = 0
    with tempfile.TemporaryDirectory(prefix="chatkit-baseline-") as name:
        folder = Path(name)
        code, told = gate(folder, *workers, "--update-baseline")
        if code:
            sys.exit(f"no baseline: exit code {code}\n{told}")
        with busy(options.load):
            for number in range(1, options.runs + 1):
                started = time.monotonic()
                code, told = gate(folder, *workers, "--baseline")
                saved = json.loads((folder / "test-results/latest/regressions.json").read_text(encoding="utf-8"))
                repeated = told.count("measured again")
                visits, again, alarms = visits + saved["visits"], again + (repeated > 0), alarms + (code != 0)
                controls = f"control {saved['control_ms']} ms ({saved['baseline_control_ms']} in the baseline)"
                took = f"{time.monotonic() - started:.0f} s"
                print(
                    f"run {number}: exit code {code}, {took}, {controls}, measured again {repeated} times", flush=True
                )
                for row in saved["regressions"]:
                    print(f"  FALSE: {row['kind']}: {row['what']}: {row['before']} -> {row['now']} in {row['test']}")
                for row in saved["not_seen_again"]:
                    print(f"  acquitted: {row['kind']}: {row['what']}: {row['before']} -> {row['now']}")
                if code and not saved["regressions"]:
                    print(told)
    print(f"{options.runs} healthy gates, {visits} visits: {alarms} false alarms; measured again in {again} of them")
    sys.exit(1 if alarms else 0)


if __name__ == "__main__":
    main()

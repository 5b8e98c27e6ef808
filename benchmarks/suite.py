"""How long the tests take, and whether any fails on a busy machine: whole runs, beside processes that burn processor time.

    python benchmarks/suite.py [--times 5] [--busy 15] [--workers 5] [pytest's arguments …]

Out: for each run its seconds, the load average at its end and what failed. Exits with 1 when anything did.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from soak import busy

ROOT = Path(__file__).resolve().parents[1]


def run(arguments: list[str]) -> tuple[float, list[str]]:
    """Run the tests once; return how long it took, and the last lines that say what failed."""
    began_s = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    lines = done.stdout.splitlines()
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    if done.returncode and not failed:
        failed = lines[-5:] + done.stderr.splitlines()[-5:]
    return time.monotonic() - began_s, failed


def main() -> None:
    """Run, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument(
        "--busy", type=int, default=15, help="how many processes burn processor time meanwhile; 0 for a quiet machine"
    )
    parser.add_argument("--workers", type=int, default=2 * (os.cpu_count() or 1) + 1)
    options, arguments = parser.parse_known_args()
    arguments = ["-n", str(options.workers), "--dist", "worksteal", "--chatkit-trace=off", *arguments]
    has_failed = False
    for number in range(1, options.times + 1):
        with busy(options.busy):
            took_s, failed = run(arguments)
            has_failed = has_failed or bool(failed)
            print(
                f"run {number}: {took_s:.0f} s, {len(failed)} failed, load {os.getloadavg()[0]:.1f} beside {options.busy} busy processes"
            )
            print("".join(f"    {line}\n" for line in failed), end="", flush=True)
    sys.exit(1 if has_failed else 0)


if __name__ == "__main__":
    main()

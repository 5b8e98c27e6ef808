"""What it costs to read a saved timeline, beside what its JSON alone costs, and to import what reads it.

    python benchmarks/codec.py [--lines 100000]

The lines are those of a visit to the embedded page, over and over. Times are of this process's processor, the best of three.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from harness.model.timeline import read_timeline

SAVED = Path(__file__).parent.parent / "tests" / "unit" / "model" / "saved_v1" / "timeline.jsonl"
IMPORTS = ("json", "harness", "harness.cli", "msgspec", "harness.model.timeline")


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--lines", type=int, default=100_000)
    wanted = options.parse_args().lines
    head, *rows = SAVED.read_text(encoding="utf-8").splitlines()
    lines = [rows[number % len(rows)] for number in range(wanted)]
    print(f"{wanted} lines, {sum(map(len, lines)) / 1e6:.1f} MB")
    print(f"  json.loads     {best(lambda: [json.loads(line) for line in lines]):.2f} s")
    print(f"  read_timeline  {best(lambda: read_timeline([head, *lines])):.2f} s")
    for name in IMPORTS:
        done = [sys.executable, "-X", "importtime", "-c", f"import {name}"]
        told = subprocess.run(done, capture_output=True, text=True, check=True).stderr.splitlines()
        line = next(line for line in reversed(told) if line.split("|")[-1].strip() == name)
        print(f"  import {name}: {int(line.split('|')[1]) / 1000:.1f} ms with all that it imports")


def best(do: Callable[[], object]) -> float:
    """Return the least seconds of the processor that three attempts took."""
    taken = []
    for _ in range(3):
        began = time.process_time()
        do()
        taken.append(time.process_time() - began)
    return min(taken)


if __name__ == "__main__":
    main()

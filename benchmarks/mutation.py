"""How many broken conditions of a module its tests notice: each is broken in turn, and the tests run until one fails.

    python benchmarks/mutation.py [--module harness.analysis.mount.verdict] [--tests PATH …]

Out: how many mutants there are, and those that no test noticed. A mutant that is alike in everything may be among them.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
TESTS = ["tests/unit/analysis/mount", "tests/unit/test_timelines.py"]


def passes(tests: list[str]) -> bool:
    """Return whether all of these tests pass in this process, as they are."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        code = pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *tests])
    return code == pytest.ExitCode.OK


def main() -> None:
    """Break, test, and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", default="harness.analysis.mount.verdict")
    parser.add_argument("--tests", nargs="*", default=TESTS)
    options = parser.parse_args()
    from mutants import mutants_in

    assert passes(options.tests), "the tests fail as it is"
    every = list(mutants_in(import_module(options.module)))
    survivors = []
    for mutant in every:
        with mutant.in_place():
            if passes(options.tests):
                survivors.append(mutant)
                print(f"survives: {mutant}", flush=True)
    print(f"{len(every) - len(survivors)} of {len(every)} mutants of {options.module} are noticed")


if __name__ == "__main__":
    main()

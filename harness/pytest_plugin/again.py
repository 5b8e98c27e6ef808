"""Runs pytest for a run that is already going on: `python -m harness.pytest_plugin.again ARGUMENTS`.

In: pytest's own arguments; and through standard input a `Run`, since it holds secrets that no file and no command line may have.
Out: an exit code.
"""

from __future__ import annotations

import sys

import pytest

from harness.pytest_plugin.run import received


def main() -> int:
    """Return pytest's exit code."""
    return int(pytest.main(sys.argv[1:], plugins=[received(sys.stdin.buffer.read())]))


if __name__ == "__main__":
    sys.exit(main())

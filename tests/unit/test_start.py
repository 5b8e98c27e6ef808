"""What a command that does nothing yet does not wait for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.commands import TIMEOUT_S


@pytest.mark.parametrize("module", ["harness", "harness.cli"])
def test_help_and_the_package_load_no_codec(module: str) -> None:
    """`--help` and `import harness` read no saved file."""
    code = f"import sys, {module}; print([name for name in ('msgspec', 'playwright', 'pytest') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=TIMEOUT_S)
    assert done.stdout.strip() == "[]"

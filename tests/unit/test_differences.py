"""The list of what the real SDK does otherwise is one of tests that there are, and the documents have all of it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "e2e" / "conformance"


def test_every_difference_is_of_a_test_and_in_the_documents() -> None:
    """By file and function; what was seen stands in docs/sdk.md in the same words."""
    spec = importlib.util.spec_from_file_location("known_differences", FOLDER / "differences.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    document = (ROOT / "docs" / "sdk.md").read_text(encoding="utf-8")
    for difference in module.DIFFERENCES:
        file, _, function = difference.test.partition("::")
        assert f"def {function}(" in (FOLDER / file).read_text(encoding="utf-8")
        assert f"`{function}`" in document
        assert difference.seen in document

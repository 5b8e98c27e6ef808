"""One name stands for one thing in the whole package."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

HARNESS = Path(__file__).parents[2] / "harness"


def test_a_public_class_name_stands_for_one_class() -> None:
    """Who reads it in a message, a signature or a document knows which one is meant."""
    places = defaultdict(list)
    for path in HARNESS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(path.relative_to(HARNESS).as_posix())
    assert len(places) > 300
    assert {name: sorted(files) for name, files in places.items() if len(files) > 1} == {}

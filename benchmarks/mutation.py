"""How many broken conditions of a module its tests notice: each is broken in turn, and the tests run until one fails.

    python benchmarks/mutation.py [--module harness.analysis.mount.verdict] [--tests FILE …]

Out: how many mutants there are, and those that no test noticed; some of them differ in nothing. Tests that need a fixture are left out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from itertools import product
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
TESTS = ["tests/unit/analysis/mount/test_verdict.py", "tests/unit/test_timelines.py"]
Case = Callable[[], object]


def cases_of(file: Path) -> Iterator[Case]:
    """Return the tests of a file with each of their parameters, as pytest would call them."""
    spec = spec_from_file_location(f"mutation_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, test in vars(module).items():
        if name.startswith("test_") and callable(test):
            marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
            for chosen in product(*(_arguments(mark) for mark in marks)):
                arguments = {key: value for part in chosen for key, value in part.items()}
                if hasattr(test, "hypothesis") or set(test.__annotations__) - {"return"} == set(arguments):
                    yield lambda test=test, arguments=arguments: test(**arguments)


def _arguments(mark: Any) -> Iterator[dict[str, Any]]:
    names, values = mark.args[:2]
    names = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    for value in values:
        value = getattr(value, "values", value) if type(value).__name__ == "ParameterSet" else value
        yield dict(zip(names, value if len(names) > 1 else [value], strict=True))


def failing(cases: list[Case]) -> Case | None:
    """Return the first test that fails, or None."""
    for case in cases:
        try:
            case()
        except Exception:
            return case
    return None


def main() -> None:
    """Break, test, and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", default="harness.analysis.mount.verdict")
    parser.add_argument("--tests", nargs="*", default=TESTS)
    options = parser.parse_args()
    from hypothesis import Phase, settings
    from mutants import mutants_in

    settings.register_profile(
        "quick", derandomize=True, database=None, deadline=None, max_examples=25, phases=[Phase.generate]
    )
    settings.load_profile("quick")
    cases = [case for file in options.tests for case in cases_of(ROOT / file)]
    assert failing(cases) is None, "a test fails as it is"
    every = list(mutants_in(import_module(options.module)))
    survivors = 0
    for mutant in every:
        with mutant.in_place():
            noticed = failing(cases)
        if noticed is None:
            survivors += 1
            print(f"survives: {mutant}", flush=True)
        else:  # what noticed one thing notices the next
            cases.remove(noticed)
            cases.insert(0, noticed)
    print(f"{len(every) - survivors} of {len(every)} mutants of {options.module} are noticed by {len(cases)} tests")


if __name__ == "__main__":
    main()

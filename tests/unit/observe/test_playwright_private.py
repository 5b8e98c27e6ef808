"""The private parts of Playwright: one module names them, and says so when a version has none."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from playwright.sync_api import BrowserContext

import harness
from harness.errors import EnvironmentFailure
from harness.observe.playwright_private import OF_OBJECTS, check_parts

NAMES = re.compile(r"\._(sync|impl_obj|loop|dispatcher_fiber)\b|playwright\._impl")


def context_of(**changes: Any) -> BrowserContext:
    """Return an object with the parts that a context of Playwright has."""
    parts: dict[str, Any] = {**dict.fromkeys(OF_OBJECTS), "_impl_obj": SimpleNamespace(add_cookies=print), **changes}
    return cast(BrowserContext, SimpleNamespace(**{name: part for name, part in parts.items() if part != "missing"}))


def test_a_version_that_has_every_part_is_taken() -> None:
    """Nothing is raised."""
    check_parts(context_of())


@pytest.mark.parametrize("name", OF_OBJECTS)
def test_a_version_that_lacks_a_part_is_named_with_it(name: str) -> None:
    """The message has the part, the version, and what to do."""
    with pytest.raises(EnvironmentFailure, match=rf"Playwright \d+\.\d+\S* has no {name}, (.|\n)*to fix: ") as raised:
        check_parts(context_of(**{name: "missing"}))
    assert raised.value.exit_code == 13


def test_an_implementation_that_lacks_a_part_is_named_with_it() -> None:
    """What stands behind the context is looked at too."""
    with pytest.raises(EnvironmentFailure, match=r"has no _impl_obj\.add_cookies, "):
        check_parts(context_of(_impl_obj=SimpleNamespace()))


def test_one_module_names_the_private_parts() -> None:
    """No other file of the package does."""
    files = Path(harness.__file__).parent.rglob("*.py")
    assert [file.name for file in files if NAMES.search(file.read_text(encoding="utf-8"))] == ["playwright_private.py"]

"""Reads what `storage_state` names: cookies and local storage of a signed-in browser, as saved by Playwright.

In: a file. Out: the value for `new_context`, or a ConfigError: the file is missing, not JSON, has the wrong shape, or all of it is
expired. Source: https://playwright.dev/python/docs/auth
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.config.schema import problem
from harness.errors import ConfigError

SAVE = "save it again after a sign-in: context.storage_state(path=…)"


def read_storage_state(path: Path, *, now_s: float) -> dict[str, Any]:
    """Return the saved state. `now_s` is the time since the Unix epoch. Raises ConfigError."""
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _refused(path, "cannot be read", error.strerror or str(error), "correct the path, or " + SAVE) from error
    except (ValueError, RecursionError) as error:
        raise _refused(path, "is no JSON", f"{error}", SAVE) from error
    cookies = state.get("cookies") if isinstance(state, dict) else None
    origins = state.get("origins", []) if isinstance(state, dict) else None
    if not _is_list_of(cookies, ("name", "value")) or not _is_list_of(origins, ("origin",)):
        raise _refused(path, "is not a storage state", "JSON without lists of cookies and origins", SAVE)
    assert isinstance(cookies, list)
    ends = [cookie.get("expires", -1) for cookie in cookies]
    if ends and not origins and all(isinstance(end, int | float) and 0 <= end < now_s for end in ends):
        last = datetime.fromtimestamp(max(ends), UTC).isoformat(timespec="minutes")
        raise _refused(path, "has expired", f"{len(ends)} cookies, and the last one expired at {last}", SAVE)
    return {"cookies": cookies, "origins": origins}


def _is_list_of(value: Any, names: tuple[str, ...]) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, dict) and all(isinstance(item.get(name), str) for name in names) for item in value
    )


def _refused(path: Path, what: str, found: str, fix: str) -> ConfigError:
    return problem(
        f"the storage state {path} {what}",
        where="",
        key="storage_state",
        expected='JSON of Playwright: {"cookies": […], "origins": […]}',
        found=found,
        fix=fix,
    )

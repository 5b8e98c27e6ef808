"""When a control is taken: at the beginning, when the last one is stale, and when somebody says so; the first visit only warms up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clock import Clock

from harness.config.reading import read_config
from harness.pytest_plugin.speed_control import STALE_S, WARM_UP, Control


class Counted(Control):
    """A control that writes down its visits instead of making them."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.visits: list[str] = []

    def _visit(self, name: str) -> None:
        self.visits.append(name)


def test_a_control_is_taken_when_the_last_one_is_stale(tmp_path: Path) -> None:
    """Not before every test: each costs the time of a visit."""
    clock, nothing = Clock(), Any
    control = Counted(
        config=read_config(None, environ={}, root=tmp_path),
        browser=nothing,
        stack=nothing,
        folder=tmp_path,
        clock_s=clock,
    )
    control.refresh()
    assert control.visits == [WARM_UP, "visit-1"]
    clock.advance(STALE_S)
    control.refresh()
    assert control.visits[2:] == []
    clock.advance(0.1)
    control.refresh()
    control.refresh()
    control.take()
    assert control.visits[2:] == ["visit-2", "visit-3"]


def test_a_control_that_does_not_work_fails_nothing(tmp_path: Path) -> None:
    """Whoever compares times says that there was none."""

    def no_servers() -> Any:
        from harness.errors import ServerError

        raise ServerError("no free port")

    config = read_config(None, environ={}, root=tmp_path)
    Control(config=config, browser=Any, stack=no_servers, folder=tmp_path).refresh()
    assert list(tmp_path.iterdir()) == []

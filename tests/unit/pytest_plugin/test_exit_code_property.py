"""What a report says about an error of ours passes from a worker of pytest-xdist to its controller."""

from __future__ import annotations

from types import SimpleNamespace

import execnet
import pytest

from harness.errors import ConfigError, HarnessError, RecordingError, ServerError
from harness.pytest_plugin import plugin
from harness.pytest_plugin.outcomes import EXIT_CODE
from harness.pytest_plugin.run import RUN


@pytest.mark.parametrize(
    "error", [ConfigError("x"), ServerError("x"), RecordingError("x")], ids=lambda e: type(e).__name__
)
def test_the_exit_code_of_an_error_is_a_plain_number(error: HarnessError, monkeypatch: pytest.MonkeyPatch) -> None:
    """xdist sends plain values only, and a worker that cannot send its report is lost with its tests."""
    monkeypatch.setattr(plugin, "_without_secrets", lambda *_: None)
    item = SimpleNamespace(funcargs={}, config=SimpleNamespace(stash={RUN: SimpleNamespace(is_debug=False)}))
    call = SimpleNamespace(excinfo=SimpleNamespace(value=error))
    report = SimpleNamespace(when="call", user_properties=[], longrepr=None)
    making = plugin.pytest_runtest_makereport(item, call)  # type: ignore[arg-type]
    next(making)
    with pytest.raises(StopIteration):
        making.send(report)  # type: ignore[arg-type]
    assert report.user_properties == [(EXIT_CODE, int(error.exit_code))]
    assert execnet.loads(execnet.dumps(report.user_properties)) == report.user_properties

"""The web server of the page under test: started by us, or left alone where the configuration says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ServerError
from harness.servers.web_server import WebServerCommand, WebServerProcess
from tests.site import Answer, serve_site


def test_a_server_that_was_there_already_is_refused(tmp_path: Path) -> None:
    """It may be another app, and its calls to OpenAI are not answered here. Any answer counts."""
    with serve_site({"/": Answer(status=503)}) as url, pytest.raises(ServerError) as refused:
        WebServerProcess.start(WebServerCommand(command="npm run dev", url=url), log=tmp_path / "web-server.log")
    assert str(refused.value).splitlines()[0] == f"a server already answers at {url}, so `npm run dev` was not started"
    assert "web_server.reuse_existing_server = true" in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_was_there_already_is_used_where_that_is_wanted(tmp_path: Path) -> None:
    """It is not started again, and goes on after the run."""
    asked: list[str] = []
    with serve_site({"/": Answer()}, asked) as url:
        command = WebServerCommand(command="exit 1", url=url, reuse_existing_server=True)
        WebServerProcess.start(command, log=tmp_path / "web-server.log").stop()
        assert asked == ["/"]
        with pytest.raises(ServerError):
            WebServerProcess.start(WebServerCommand(command="exit 1", url=url), log=tmp_path / "web-server.log")

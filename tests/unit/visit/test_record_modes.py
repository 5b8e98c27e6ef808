"""VCR's record modes: what answers a visit, and whether it is recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.config.reading import read_config
from harness.config.tables import Project
from harness.errors import ConfigError, RecordingError
from harness.visit.record_modes import episode_of

HAR = {
    "log": {
        "entries": [
            {
                "startedDateTime": "2026-11-24T08:00:00Z",
                "request": {"method": "GET", "url": "https://app.test/"},
                "response": {"status": 200, "content": {"text": "hi", "mimeType": "text/html"}},
            }
        ]
    }
}


def project(root: Path, **table: Any) -> Project:
    """Return a project as the file says it."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    (root / "playwright.config.toml").write_text("\n".join(["[projects.recorded]", *lines]))
    return read_config(None, environ={}, root=root).project()


@pytest.mark.parametrize(
    ("mode", "is_there", "is_replayed", "is_open", "is_kept"),
    [
        ("none", True, True, False, False),
        ("once", True, True, False, False),
        ("once", False, False, True, True),
        ("new_episodes", True, True, True, True),
        ("new_episodes", False, False, True, True),
        ("all", True, False, True, True),
        ("all", False, False, True, True),
    ],
)
def test_a_mode_says_what_answers(
    tmp_path: Path, mode: str, is_there: bool, is_replayed: bool, is_open: bool, is_kept: bool
) -> None:
    """The recording, the network, or both; and whether the visit becomes the recording."""
    found = project(tmp_path, network="replay:recordings/{entry}.har", record=mode)
    path = tmp_path / "recordings" / "chat.har"
    path.parent.mkdir()
    if is_there:
        path.write_text(json.dumps(HAR))
    with episode_of(found, "chat") as episode:
        assert episode.path == path
        assert (episode.recording is not None, episode.is_open, episode.is_kept) == (is_replayed, is_open, is_kept)


def test_a_recording_that_is_not_there_is_told(tmp_path: Path) -> None:
    """With what to do."""
    found = project(tmp_path, network="replay:happy.zip")
    with (
        pytest.raises(RecordingError, match=r"there is no recording .*happy\.zip[\s\S]*record = \"once\""),
        episode_of(found, ""),
    ):
        pass


def test_a_replayed_project_is_not_the_embedded_one(tmp_path: Path) -> None:
    """It has no scenario; its recording is sought from the configuration's folder."""
    found = project(tmp_path, network="replay:happy.zip", max_age_days=30)
    assert (found.network, found.recording, found.record, found.max_age_days) == (
        "replay",
        tmp_path / "happy.zip",
        "none",
        30,
    )
    assert not found.is_embedded
    assert found.scenario == ""


@pytest.mark.parametrize(
    "table",
    [
        {"network": "replay"},
        {"network": "replay: "},
        {"network": "offline"},
        {"record": "sometimes"},
        {"max_age_days": 0},
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, table: dict[str, Any]) -> None:
    """By name, key and what was expected."""
    with pytest.raises(ConfigError, match=next(iter(table))):
        project(tmp_path, **table)

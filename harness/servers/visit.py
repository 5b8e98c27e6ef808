"""The state of the embedded servers during one scenario: sessions, and the chats of both backends."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from harness.servers.chat.store import ChatStore
from harness.servers.scenarios import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What a session's widget may do."""

    has_titles: bool = True
    has_file_upload: bool = False
    max_file_size_mb: int = 512
    max_files: int = 10
    has_history: bool = True
    recent_threads: int | None = None  # no limit


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedSession:
    """A ChatKit session that the stand-in API has created."""

    id: str
    project_id: str
    data_locality: str  # of its project: "" | "US" | "EU" | "none"
    workflow_id: str
    workflow_version: str | None
    state_variables: dict[str, Any] | None
    is_traced: bool
    user: str
    created_at: int  # Unix seconds
    expires_at: int
    max_requests_per_1_minute: int
    configuration: Configuration
    is_cancelled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedVisit:
    """The current scenario and its state. A new visit begins with an empty state."""

    scenario: Scenario
    sessions: dict[str, ServedSession] = field(default_factory=dict)  # by client secret
    requests_at: dict[str, deque[float]] = field(default_factory=dict)  # by session: Unix seconds of the last minute
    hosted: ChatStore = field(default_factory=ChatStore)
    custom: ChatStore = field(default_factory=ChatStore)
    handed_out: list[str] = field(default_factory=list)  # what an app that caches its secret keeps

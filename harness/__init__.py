"""chatkit-harness: find out whether an OpenAI ChatKit widget mounts, and if not, why."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.config.reading import Config, read_config
    from harness.drive.conversation import Reply
    from harness.errors import ConversationFailed, EmbedError, HarnessError, MountFailed, MountTimeout, PageError
    from harness.model.results import VisitResult
    from harness.pytest_plugin.chatkit import Chatkit
    from harness.pytest_plugin.expectations import expect
    from harness.visit.visit import Visit

__version__ = "0.1.0"
__all__ = [
    "Chatkit",
    "Config",
    "ConversationFailed",
    "EmbedError",
    "HarnessError",
    "MountFailed",
    "MountTimeout",
    "PageError",
    "Reply",
    "Visit",
    "VisitResult",
    "expect",
    "read_config",
]

_HOMES = {
    "Chatkit": "pytest_plugin.chatkit",
    "Config": "config.reading",
    "ConversationFailed": "errors",
    "EmbedError": "errors",
    "HarnessError": "errors",
    "MountFailed": "errors",
    "MountTimeout": "errors",
    "PageError": "errors",
    "Reply": "drive.conversation",
    "Visit": "visit.visit",
    "VisitResult": "model.results",
    "expect": "pytest_plugin.expectations",
    "read_config": "config.reading",
}


def __getattr__(name: str) -> Any:
    """Return a public name; it is loaded when it is first asked for, so that importing a layer loads no browser."""
    if name not in _HOMES:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    return getattr(importlib.import_module(f"harness.{_HOMES[name]}"), name)

"""The error tree. Its first split is who is at fault: our tool and its inputs, or the page under test."""

from __future__ import annotations


class HarnessError(Exception):
    """Our tool, its set-up, or its inputs are wrong."""

    exit_code = 4


class ConfigError(HarnessError):
    """A configuration value is wrong: which file, which key, what was expected."""

    exit_code = 4


class RecordingError(HarnessError):
    """A recording or saved timeline is unreadable, or of a newer format."""

    exit_code = 11


class ProbeError(HarnessError):
    """The in-page script is silent, or of another version."""

    exit_code = 13


class EnvironmentFailure(HarnessError):
    """This machine lacks what a run needs: no browser, a port taken, a browser that died."""

    exit_code = 13


class ServerError(EnvironmentFailure):
    """An embedded server or a configured web server did not start."""


class BundleError(HarnessError):
    """A bundle cannot be read or written."""


class SecretFound(HarnessError):
    """What a run wrote held a secret; the files are deleted."""

    exit_code = 10


class PageError(HarnessError):
    """The page could not be visited at all: nothing listens, it is no page, or the button to click does not exist."""

    exit_code = 14


class EmbedError(AssertionError):
    """The page under test did not do what was expected of it."""


class MountFailed(EmbedError):
    """The mount is decided, and it failed."""


class MountTimeout(EmbedError):
    """The mount was still undecided at the deadline: the milestone awaited, and the last one reached."""


class ConversationFailed(EmbedError):
    """The widget is mounted, but a message was not sent, not answered, or answered with an error."""

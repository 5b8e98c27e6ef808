"""What a command ends with, and the error tree. Its first split is who is at fault: our tool and its inputs, or the page under test."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Self


class ExitCode(IntEnum):
    """What a command ends with, the worst first: where several apply, the first one listed here is the result.

    A broken environment comes before failures, because what was judged beside it is in doubt. `--help` and README have these meanings.
    """

    meaning: str

    SECRET_FOUND = 10, "a secret was found in what the run wrote; the files are deleted"
    INTERNAL_ERROR = 3, "an internal error"
    BROKEN_ENVIRONMENT = (
        13,
        "broken environment: no browser, no network, a server that does not start, a browser that died",
    )
    WRONG_USAGE = 4, "wrong usage or configuration"
    PAGE_NOT_VISITED = 14, "the page cannot be visited: nothing listens, no web page, no such button"
    PREFLIGHT_FAILED = 12, "the preflight failed"
    BAD_RECORDING = 11, "a recording is too old, damaged, of a newer format, not there, or lacks what a replay needs"
    INTERRUPTED = 2, "interrupted"
    FAILED = 1, "a test failed, the widget does not mount, or something is worse than in the baseline"
    PASSED_AFTER_RETRY = 7, "passed, but only after a retry; `smoke`: degraded"
    NO_TEST_RAN = 5, "no test ran"  # after what passed: a shard without any test has nothing to say
    PASSED = 0, "passed"

    def __new__(cls, code: int, meaning: str) -> Self:
        """Take the code for the value."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member


RANKS: dict[int, int] = {code: rank for rank, code in enumerate(ExitCode)}


def worst_of(codes: Iterable[int]) -> int:
    """Return the code that stands for all of these; one that is not ours, or -1 of a run that has not ended, counts as a failure.

    Without any code: that of a failure.
    """
    return min(codes, key=lambda code: RANKS.get(code, RANKS[ExitCode.FAILED]), default=ExitCode.FAILED)


class HarnessError(Exception):
    """Our tool, its set-up, or its inputs are wrong."""

    exit_code: ExitCode = ExitCode.WRONG_USAGE


class ConfigError(HarnessError):
    """A configuration value is wrong: which file, which key, what was expected."""

    exit_code = ExitCode.WRONG_USAGE


class RecordingError(HarnessError):
    """A recording or saved timeline is unreadable, or of a newer format."""

    exit_code = ExitCode.BAD_RECORDING


class EnvironmentFailure(HarnessError):
    """This machine lacks what a run needs: no browser, a port taken, a browser that died."""

    exit_code = ExitCode.BROKEN_ENVIRONMENT


class ServerError(EnvironmentFailure):
    """An embedded server or a configured web server did not start."""


class BundleError(HarnessError):
    """A bundle cannot be read or written."""


class SecretFound(HarnessError):
    """What a run wrote held a secret; the files are deleted."""

    exit_code = ExitCode.SECRET_FOUND


class PageError(HarnessError):
    """The page could not be visited at all: nothing listens, it is no page, or the button to click does not exist."""

    exit_code = ExitCode.PAGE_NOT_VISITED


class EmbedError(AssertionError):
    """The page under test did not do what was expected of it."""


class MountFailed(EmbedError):
    """The mount is decided, and it failed."""


class MountTimeout(EmbedError):
    """The mount was still undecided at the deadline: the milestone awaited, and the last one reached."""


class ConversationFailed(EmbedError):
    """The widget is mounted, but a message was not sent, not answered, or answered with an error."""

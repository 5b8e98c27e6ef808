"""The exit codes and the error classes. `HarnessError`: this tool or its inputs are wrong. `EmbedError`: the page under test is."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Self


class ExitCode(IntEnum):
    """The exit codes of all commands, the worst first: when several apply, the first one in this list is the result.

    A broken environment comes before failures, because results in a broken environment are not reliable. `--help` and README show these
    meanings.
    """

    meaning: str

    SECRET_FOUND = 10, "a secret was found in the files of the run; the files with a secret are deleted"
    INTERNAL_ERROR = 3, "an internal error"
    BROKEN_ENVIRONMENT = (
        13,
        "broken environment: no browser, no network, a server that did not start, or a browser that crashed",
    )
    WRONG_USAGE = 4, "wrong usage or configuration"
    PAGE_NOT_VISITED = (
        14,
        "the page cannot be visited: no server, not a web page, or the button to click does not exist",
    )
    PREFLIGHT_FAILED = 12, "the preflight failed"
    BAD_RECORDING = 11, "a recording is missing, damaged, too old, in a newer format, or lacks data for the replay"
    INTERRUPTED = 2, "interrupted"
    FAILED = 1, "a test failed, the widget does not mount, or there is a regression against the baseline"
    PASSED_AFTER_RETRY = 7, "passed, but only after a retry; `smoke`: degraded"
    # After PASSED_AFTER_RETRY: a shard without tests does not change the result of the others.
    NO_TEST_RAN = 5, "no test ran"
    PASSED = 0, "passed"

    def __new__(cls, code: int, meaning: str) -> Self:
        """Use the code as the value."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member


RANKS: dict[int, int] = {code: rank for rank, code in enumerate(ExitCode)}


def worst_of(codes: Iterable[int]) -> int:
    """Return the worst of these codes. An unknown code, or -1 of a run that has not ended, counts as a failure.

    Without codes the result is a failure.
    """
    return min(codes, key=lambda code: RANKS.get(code, RANKS[ExitCode.FAILED]), default=ExitCode.FAILED)


class HarnessError(Exception):
    """This tool, its set-up, or its inputs are wrong."""

    exit_code: ExitCode = ExitCode.WRONG_USAGE


class ConfigError(HarnessError):
    """A configuration value is wrong: which file, which key, what was expected."""

    exit_code = ExitCode.WRONG_USAGE


class RecordingError(HarnessError):
    """A recording or saved timeline is unreadable, or of a newer format."""

    exit_code = ExitCode.BAD_RECORDING


class EnvironmentFailure(HarnessError):
    """This machine cannot run the tests: no browser, a port in use, or a browser that crashed."""

    exit_code = ExitCode.BROKEN_ENVIRONMENT


class ServerError(EnvironmentFailure):
    """An embedded server or a configured web server did not start."""


class BundleError(HarnessError):
    """A bundle cannot be read or written."""


class SecretFound(HarnessError):
    """Files of the run contained a secret; they are deleted."""

    exit_code = ExitCode.SECRET_FOUND


class PageError(HarnessError):
    """The page could not be visited: no server, not a web page, or the button to click does not exist."""

    exit_code = ExitCode.PAGE_NOT_VISITED


class EmbedError(AssertionError):
    """The page under test did not behave as expected."""


class MountFailed(EmbedError):
    """The mount is decided, and it failed."""


class MountTimeout(EmbedError):
    """The mount was still undecided at the deadline; the message names the awaited milestone and the last one reached."""


class ConversationFailed(EmbedError):
    """The widget is mounted, but a message was not sent, not answered, or answered with an error."""

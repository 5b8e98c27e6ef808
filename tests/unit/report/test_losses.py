"""What is said about results that cannot be written: once for each reason, with what to do."""

from __future__ import annotations

import errno
import os

import pytest

from harness.model.results import Loss
from harness.report.losses import MOST_FOLDERS, remedy_of, render_first_loss, render_losses

FULL = os.strerror(errno.ENOSPC)


def test_nothing_missing_is_nothing_said() -> None:
    """The usual run."""
    assert render_losses([], folder="test-results") == ""


def test_files_are_named_by_folder_and_the_reason_once() -> None:
    """However many there are."""
    losses = [
        Loss(file=f"test-{number}/{name}", reason=FULL) for number in range(9) for name in ("a.har", "b.png", "b.png")
    ]
    told = render_losses([*losses, Loss(file="tests.jsonl", reason="Read-only file system")], folder="out/run-1")
    assert told.count(FULL) == 1
    assert "RESULTS ARE MISSING in out/run-1: No space left on device" in told
    assert "    test-0: a.har, b.png\n" in told
    assert f"    and in {9 - MOST_FOLDERS} more folders" in told
    assert "free space on its disk" in told
    assert (
        "Read-only file system\n  missing or incomplete:\n    tests.jsonl\n  to fix: make it a writable folder" in told
    )


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free space"),
        (errno.EDQUOT, "quota"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EMFILE, "ulimit -n"),
        (errno.ENAMETOOLONG, "shorter path"),
        (errno.EROFS, "writable folder"),
        (errno.EACCES, "writable folder"),
        (errno.ENOTDIR, "writable folder"),
    ],
)
def test_each_reason_has_its_remedy(number: int, remedy: str) -> None:
    """In the system's own words, which is all that a file of a worker brings along."""
    assert remedy in remedy_of(os.strerror(number))


def test_the_first_loss_is_told_at_once() -> None:
    """What, where, why, and that the run goes on."""
    told = render_first_loss(Loss(file="a/network.har", reason=FULL), folder="out/run-1")
    assert told.startswith("cannot write out/run-1/a/network.har: No space left on device; the run continues")

"""Where the SDK comes from, in the words of `[chatkit] sdk` and of every `--sdk`: the stand-in, the CDN, or a folder.

In: "stand-in", "live" or "snapshot:<folder>". Out: an `SdkSource`, or a ConfigError in the one form they all have.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.config.kinds import SDK
from harness.config.schema import problem, shown
from harness.config.tables import SDK_NAME
from harness.errors import RecordingError
from harness.model.chatkit import CDN_ORIGIN

SNAPSHOT = "snapshot:"


@dataclass(frozen=True, slots=True, kw_only=True)
class SdkSource:
    """Where a page gets ChatKit's loader, frame and assets from."""

    name: str  # as it is written
    folder: Path | None = None  # of a snapshot; None: the stand-in's, or the CDN
    warning: str = ""  # what to know before its verdicts are trusted

    @property
    def is_live(self) -> bool:
        """Whether the CDN itself answers."""
        return self.name == "live"

    @property
    def url(self) -> str:
        """The CDN that answers; "" when a folder does."""
        return CDN_ORIGIN if self.is_live else ""


STAND_IN = SdkSource(name="stand-in")


def sdk_source_of(text: str, *, root: Path, where: str) -> SdkSource:
    """Return what the words say; a folder is relative to `root`, and `where` is where they are written.

    Raises ConfigError for other words, and for a folder that is not there or not laid out as the CDN is; RecordingError for one that
    is not what its `snapshot.json` says.
    """
    if not SDK.accepts(text):
        raise problem(
            f"{shown(text)} is no source of the SDK",
            where=where,
            key=SDK_NAME,
            expected=SDK.expects,
            found=shown(text),
            fix="write one of these",
        )
    if not text.startswith(SNAPSHOT):
        return SdkSource(name=text)
    return _snapshot_in(text, root=root, where=where)


def _snapshot_in(text: str, *, root: Path, where: str) -> SdkSource:
    # Imported here, so that `--help` and a run with the stand-in do not wait for what reads listings.
    from harness.config.sdk_folders import LOADER, has_loader, read_folder
    from harness.model.snapshot import SNAPSHOT_FILE

    folder = root / Path(text.removeprefix(SNAPSHOT).strip()).expanduser()
    if not folder.is_dir():
        raise _no_snapshot(f"there is no folder {folder}", text, where, LOADER)
    found = read_folder(folder)
    if not has_loader(found.found):
        raise _no_snapshot(f"{folder} is not laid out as ChatKit's CDN is: it has no {LOADER}", text, where, LOADER)
    if not found.damage.is_nothing:
        damage = found.damage
        bad = [after.path for _, after in damage.changed] + [file.path for file in (*damage.gone, *damage.new)]
        raise RecordingError(
            f"the snapshot {folder} is not what its {SNAPSHOT_FILE} says: {', '.join(bad[:5])}"
            + (f" and {len(bad) - 5} more" if len(bad) > 5 else "")
            + f"\n  to fix: pull another one, or delete {SNAPSHOT_FILE} to use the files as they are"
        )
    warning = "" if found.listed else f"{folder} has no {SNAPSHOT_FILE}: nothing says what SDK this is, or from when"
    return SdkSource(name=text, folder=folder, warning=warning)


def _no_snapshot(what: str, text: str, where: str, loader: str) -> Exception:
    return problem(
        what,
        where=where,
        key=SDK_NAME,
        expected=f"a folder with {loader}",
        found=shown(text),
        fix="correct the folder, or make one: chatkit-harness sdk pull",
    )

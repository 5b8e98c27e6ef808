"""The source of the SDK, as in `[chatkit] sdk` and `--sdk`: the stand-in, the CDN, or a folder.

In: "stand-in", "live" or "snapshot:<folder>". Out: an `SdkSource`, or a ConfigError in the common form.
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
    """The source of ChatKit's loader, frame and assets for a page."""

    name: str  # as it is written
    folder: Path | None = None  # of a snapshot; None: the stand-in's, or the CDN
    warning: str = ""  # a warning about verdicts with this SDK

    @property
    def is_live(self) -> bool:
        """Whether the CDN itself is the source."""
        return self.name == "live"

    @property
    def url(self) -> str:
        """The CDN that is the source; "" for a folder."""
        return CDN_ORIGIN if self.is_live else ""


STAND_IN = SdkSource(name="stand-in")


def sdk_source_of(text: str, *, root: Path, where: str) -> SdkSource:
    """Return the source for a text. A folder is relative to `root`; `where` names the place of the text in errors.

    Raises ConfigError for another text, and for a folder that is missing or has another layout than the CDN; RecordingError for a folder
    that does not match its `snapshot.json`.
    """
    if not SDK.accepts(text):
        raise problem(
            f"{shown(text)} is not a source of the SDK",
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
    # Imported here, so that `--help` and runs with the stand-in do not load it.
    from harness.config.sdk_folders import LOADER, has_loader, read_folder
    from harness.model.snapshot import SNAPSHOT_FILE

    folder = root / Path(text.removeprefix(SNAPSHOT).strip()).expanduser()
    if not folder.is_dir():
        raise _no_snapshot(f"there is no folder {folder}", text, where, LOADER)
    found = read_folder(folder)
    if not has_loader(found.found):
        raise _no_snapshot(
            f"{folder} does not have the layout of ChatKit's CDN: it has no {LOADER}", text, where, LOADER
        )
    if not found.damage.is_nothing:
        damage = found.damage
        bad = [after.path for _, after in damage.changed] + [file.path for file in (*damage.gone, *damage.new)]
        raise RecordingError(
            f"the snapshot {folder} does not match its {SNAPSHOT_FILE}: {', '.join(bad[:5])}"
            + (f" and {len(bad) - 5} more" if len(bad) > 5 else "")
            + f"\n  to fix: pull another snapshot, or delete {SNAPSHOT_FILE} to use the files as they are"
        )
    warning = "" if found.listed else f"{folder} has no {SNAPSHOT_FILE}: the version and date of this SDK are unknown"
    return SdkSource(name=text, folder=folder, warning=warning)


def _no_snapshot(what: str, text: str, where: str, loader: str) -> Exception:
    return problem(
        what,
        where=where,
        key=SDK_NAME,
        expected=f"a folder with {loader}",
        found=shown(text),
        fix="correct the folder, or create one: chatkit-harness sdk pull",
    )

"""Record modes, as in VCR: decides whether a visit is answered from a recording or from the network, and stores recordings.

In: a project and an entry. Out: an `Episode`: the recording to replay, whether the network may be asked, where the bundle is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.config.tables import Project
from harness.errors import RecordingError, SecretFound
from harness.model.recording import Recording
from harness.model.redaction import Redactor
from harness.report.recordings import opened_recording, pack
from harness.report.search import Secret, prove, render_proof

NONE, ONCE, NEW_EPISODES, ALL = "none", "once", "new_episodes", "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """How one visit of a project is answered."""

    path: Path
    recording: Recording | None  # None: the network answers
    is_open: bool  # what was never recorded is asked of the network
    is_kept: bool  # the visit's bundle becomes the recording


@contextmanager
def episode_of(project: Project, entry: str) -> Iterator[Episode]:
    """Yield how a visit of an entry is answered. Raises RecordingError when there is no recording, or it is too old."""
    assert project.recording is not None, "the project has no recording"
    path = Path(str(project.recording).replace("{entry}", entry or "page"))
    mode = project.record
    if mode == ALL or (mode in (ONCE, NEW_EPISODES) and not path.exists()):
        yield Episode(path=path, recording=None, is_open=True, is_kept=True)
        return
    if not path.exists():
        raise RecordingError(
            f"there is no recording {path}\n"
            f'  to fix: create one (chatkit-harness record URL --out {path}), or write record = "once"'
        )
    with opened_recording(path) as (recording, _):
        require_fresh(recording, project.max_age_days)
        is_open = mode == NEW_EPISODES
        yield Episode(path=path, recording=recording, is_open=is_open, is_kept=is_open)


def require_fresh(recording: Recording, max_age_days: int | None, *, now: datetime | None = None) -> None:
    """Raise RecordingError when a recording is older than so many days, or does not say how old it is."""
    if max_age_days is None:
        return
    try:
        recorded_at = datetime.fromisoformat(recording.started_at)
    except ValueError:
        raise RecordingError(f"{recording.name} does not say when it was recorded, and max_age_days is set") from None
    recorded_at = recorded_at if recorded_at.tzinfo else recorded_at.replace(tzinfo=UTC)
    age_days = ((now or datetime.now(UTC)) - recorded_at).total_seconds() / 86_400
    if age_days > max_age_days:
        raise RecordingError(
            f"{recording.name} is {age_days:.0f} days old; max_age_days is {max_age_days}\n"
            '  to fix: record it again (record = "all" once, or chatkit-harness record)'
        )


def keep_episode(folder: Path, path: Path, redactor: Redactor) -> None:
    """Make a visit's bundle the recording. Raises SecretFound when it holds a secret, BundleError when it cannot be written."""
    proof = prove(folder, (Secret(kind=kind, value=value) for kind, value in redactor.learned))
    if proof.hits:
        raise SecretFound(render_proof(proof, folder=str(folder)))
    pack(folder, path)

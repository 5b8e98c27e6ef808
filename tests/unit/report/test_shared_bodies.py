"""Bodies that are files of a bundle: named by their hash, on the disk once for a run, and redacted each for itself."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from harness.model.redaction import Redactor
from harness.report.bundle import Bundle
from harness.report.run_folder import SHARED_BODIES, new_run_folder, publish, shared_bodies_of, written_bytes
from harness.report.search import Secret, prove, redact_file

CONTENT = b"export const answer = 42; // 4f7qm2zxw9vb1aa"
NAME = f"bodies/{hashlib.sha256(CONTENT).hexdigest()}.js"
SECRET = "4f7qm2zxw9vb1aa"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run that goes on."""
    return new_run_folder(tmp_path, keep_runs=3)


def written(run: Path, *visits: str) -> list[Path]:
    """Write the body in the bundles of these visits, and return the files."""
    for visit in visits:
        Bundle(run / visit, shared_bodies_of(run / visit)).write_bodies({NAME: CONTENT})
    return [run / visit / NAME for visit in visits]


def test_two_visits_of_a_run_have_a_body_once_on_the_disk(run: Path) -> None:
    """Each bundle is complete by itself; when the run is over nothing else holds it."""
    first, second = written(run, "tests/one", "tests/two")
    assert first.read_bytes() == second.read_bytes() == CONTENT
    assert first.stat().st_ino == second.stat().st_ino
    publish(run)
    assert not (run / SHARED_BODIES).exists()
    assert first.stat().st_nlink == 2


def test_what_another_visit_wrote_is_not_counted_again(run: Path) -> None:
    """Of the disk that a run may fill."""
    written(run, "one")
    assert written_bytes(run / "one") == len(CONTENT)
    written(run, "two")
    assert written_bytes(run / "two") == 0


def test_without_links_each_visit_has_its_own(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a file system that has none."""

    def refuse(*_paths: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    first, second = written(run, "one", "two")
    assert first.read_bytes() == second.read_bytes() == CONTENT
    assert first.stat().st_ino != second.stat().st_ino


def test_what_is_half_written_is_not_shared(run: Path) -> None:
    """A process that was killed may have left it."""
    written(run, "one")
    shared = run / SHARED_BODIES / Path(NAME).name
    shared.unlink()
    shared.write_bytes(CONTENT[:5])
    [second] = written(run, "two")
    assert second.read_bytes() == CONTENT


def test_outside_of_a_run_nothing_is_shared(tmp_path: Path) -> None:
    """A test may give a visit any folder."""
    assert shared_bodies_of(tmp_path / "visit") is None
    Bundle(tmp_path / "visit").write_bodies({NAME: CONTENT})
    assert (tmp_path / "visit" / NAME).stat().st_nlink == 1


def test_a_late_redaction_of_one_leaves_the_other_as_it_was(run: Path) -> None:
    """It is a new file, not new bytes in one that others hold."""
    first, second = written(run, "one", "two")
    redact_file(first, Redactor([("token", SECRET)]))
    assert SECRET.encode() not in first.read_bytes()
    assert second.read_bytes() == CONTENT


def test_the_search_redacts_every_link_late(run: Path) -> None:
    """What only a third visit learned stands in none of them, and in nothing that is shared."""
    files = written(run, "one", "two")
    (run / "three").mkdir()
    proof = prove(run, [Secret(kind="token", value=SECRET, home=str(run / "three"))])
    assert proof.hits == ()
    assert {place for place in proof.late if not place.startswith(SHARED_BODIES)} == {f"one/{NAME}", f"two/{NAME}"}
    assert not any(SECRET.encode() in path.read_bytes() for path in (*files, *(run / SHARED_BODIES).iterdir()))


def test_the_search_looks_at_shared_bytes_once(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty failed visits have the same megabytes."""
    files = written(run, "one", "two", "three")
    opened: list[Path] = []
    whole = Path.open

    def counted(path: Path, *arguments: object, **options: object) -> object:
        opened.append(path)
        return whole(path, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", counted)
    assert prove(run, [Secret(kind="token", value="another-secret-1")]).hits == ()
    assert len([path for path in opened if path in files or path.parent.name == SHARED_BODIES]) == 1

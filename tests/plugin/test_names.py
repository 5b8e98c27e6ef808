"""Tests with odd names in runs of their own: each has a folder, whatever it is called; one that is tried again, another."""

from __future__ import annotations

from pathlib import Path

from tests.plugin.test_plugin import outcomes_of, run_pytest

# No browser: what matters is where a test's results go.
ODD = """
from pathlib import Path

import pytest

NAMES = ["a/b", "a-b", "A-B", "🙂", "🙃", "x\\ny", "nul\\0", "..", "../../../etc/passwd", "CON", "q\\"'", "n" * 300, "N" * 300, ""]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name.replace("\\0", "").replace("\\n", "") or "empty")
def test_odd(output_path, name):
    folder = Path(output_path)
    folder.mkdir()
    folder.joinpath("name.txt").write_text(name)


def test_again(output_path):
    folder = Path(output_path)
    folder.mkdir()
    assert folder.name.endswith("-retry1")
"""
INI = "[pytest]\ndisable_test_id_escaping_and_forfeit_all_rights_to_community_support = true\n"


def test_every_test_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """Also those whose names differ only in case or in an emoji; none is outside of the run's folder."""
    done = run_pytest(tmp_path, "--reruns=1", test_it__py=ODD, pytest__ini=INI)
    assert done.returncode == 0, done.stdout + done.stderr
    run = tmp_path / "test-results" / "latest"
    folders = [path for path in run.iterdir() if path.is_dir()]
    assert len(folders) == 14 + 2
    assert len([path for path in tmp_path.rglob("name.txt") if path.parent.parent == run.resolve()]) == 14
    assert len(outcomes_of(tmp_path)) == 15

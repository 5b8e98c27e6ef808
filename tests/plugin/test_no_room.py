"""Runs whose results cannot be written: the tests run and are judged, the error is told once, and what is missing is named."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from harness.report.run_on_disk import read_outcomes, visits_below
from tests.commands import run_command
from tests.disks import disk, make_read_only
from tests.site import Answer, serve_site


def test_a_gate_on_a_full_disk_judges_and_says_what_is_missing(tmp_path: Path) -> None:
    """There is room for some of it: the verdict is there, the reports parse, and each missing file is named in all of them."""
    with disk(tmp_path / "disk", size="192k") as small:
        done = run_command("gate", "--output-dir", str(small), cwd=tmp_path)
        told = done.stdout
        assert done.returncode == 0, told + done.stderr
        assert told.count("the run continues") == 1
        assert told.count("RESULTS ARE MISSING") == 1
        assert "No space left on device" in told
        assert "to fix: free space on its disk" in told
        assert told.splitlines()[-1].startswith("gate: passed; some results are missing")
        run = (small / "latest").resolve()
        outcomes = read_outcomes(run)
        assert [outcome.outcome for outcome in outcomes] == ["passed", "passed"]
        missing = {loss.file for outcome in outcomes for loss in outcome.missing}
        assert missing
        assert {loss.reason for outcome in outcomes for loss in outcome.missing} == {"No space left on device"}
        assert all(Path(file).name in told for file in missing)
        properties = ElementTree.parse(run / "junit.xml").iter("property")
        assert len([one for one in properties if one.get("name") == "chatkit_missing"]) == len(missing)
        visits = {visit.bundle: visit for visit in visits_below(run)}
        assert visits  # the first one took the room; it has its verdict, and says what it lacks
        for (bundle,) in (outcome.bundles for outcome in outcomes):
            own, visit = {file for file in missing if file.startswith(f"{bundle}/")}, visits.get(bundle)
            if visit is None:
                assert f"{bundle}/result.json" in own
                continue
            assert visit.is_whole
            assert visit.result is not None
            told = {f"{bundle}/{loss.file}" for loss in visit.result.missing}
            assert told <= own
            assert own - told <= {f"{bundle}/manifest.json"}  # written after the result; there may be no room to say so
        assert [path for path in run.rglob("*") if path.name.startswith(".")] == []


def test_a_check_on_a_read_only_disk_keeps_its_results_elsewhere(tmp_path: Path) -> None:
    """The superuser cannot write there either; the verdict comes, and its bundle is named."""
    page = Answer(body=b"<!doctype html><title>Shop</title>")
    with disk(tmp_path / "disk", size="1m") as small, serve_site({"/": page}) as site:
        make_read_only(small)
        done = run_command("check", site, "--json", "--output-dir", str(small), cwd=tmp_path, TMPDIR=str(tmp_path))
        assert list(small.iterdir()) == []
    assert f"cannot write results to {small}: Read-only file system" in done.stderr
    assert "to fix: make it a writable folder" in done.stderr
    assert "Traceback" not in done.stderr
    result = json.loads(done.stdout)
    assert done.returncode == 1
    assert result["missing"] == []
    assert (tmp_path / result["bundle"] / "result.json").is_file()

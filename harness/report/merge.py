"""Merges the runs of several shards into one ordinary run.

In: folders: of runs, or with runs below them, as CI systems download them. Out: a new run's folder with every bundle, `tests.jsonl`,
`run.json` and `junit.xml`. If a test ran in two of them, the later result counts.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from harness.errors import BundleError, worst_of
from harness.model.codec import json_text, plain
from harness.model.file_names import JUNIT_NAME, RECORD_NAME, TIMELINE_NAME
from harness.model.results import TestOutcome
from harness.model.run_record import RunRecord
from harness.model.texts import in_json
from harness.report.bundle import write_bytes, write_text
from harness.report.run_folder import LATEST, TESTS_NAME, runs_in
from harness.report.run_on_disk import outcomes_in, record_in, write_record


def is_run(folder: Path) -> bool:
    """Whether a folder is that of one run."""
    return any((folder / name).is_file() for name in (RECORD_NAME, TESTS_NAME))


def runs_named(folder: Path) -> tuple[Path, ...]:
    """Return the runs that a folder stands for: itself, its newest one, or those of the folders in it.

    Raises BundleError when there is none.
    """
    if is_run(folder):
        return (folder,)
    if folder.is_dir():
        newest = runs_in(folder)
        if newest:
            return newest[:1]
        below = [path for path in sorted(folder.iterdir()) if path.is_dir() and path.name != LATEST]
        found = [run for path in below for run in ((path,) if is_run(path) else runs_in(path)[:1])]
        if found:
            return tuple(found)
    raise BundleError(
        f"{folder} contains no run of chatkit-harness: no {RECORD_NAME}, no {TESTS_NAME}, no run-… folder"
    )


def merge_runs(runs: Iterable[Path], target: Path, *, command: str) -> RunRecord:
    """Copy the runs into the folder of a new one, and return its record. Raises BundleError."""
    records = [(run, _record_in(run)) for run in runs]
    records.sort(key=lambda item: (item[1].started_at, item[0].name))
    outcomes: dict[str, TestOutcome] = {}
    try:
        for run, _ in records:
            names = _copy_bundles(run, target)
            for outcome in outcomes_in(run)[0]:
                bundles = tuple(_renamed(bundle, names) for bundle in outcome.bundles)
                outcomes[outcome.nodeid] = replace(outcome, bundles=bundles)
    except (OSError, shutil.Error) as error:
        raise BundleError(f"cannot copy to {target}: {error}") from error
    lines = [json_text(plain(outcomes[nodeid])) for nodeid in sorted(outcomes)]
    write_text(target / TESTS_NAME, "".join(f"{in_json(line)}\n" for line in lines))
    _merge_junit([run / JUNIT_NAME for run, _ in records], target / JUNIT_NAME)
    record = _record(tuple(record for _, record in records), command)
    write_record(target, record)
    return record


def _record_in(run: Path) -> RunRecord:
    """Return the record of a run, with what is damaged in its folder."""
    record, damage = record_in(run)
    record = record or RunRecord(kind="pytest", command="", started_at="")
    return replace(record, problems=(*record.problems, *damage, *outcomes_in(run)[1]))


def _copy_bundles(run: Path, target: Path) -> dict[str, str]:
    """Copy each folder with a timeline in it; return the new names of those whose name was taken."""
    names: dict[str, str] = {}
    for folder in sorted(path for path in run.iterdir() if path.is_dir() and not path.is_symlink()):
        if not any(folder.glob(f"**/{TIMELINE_NAME}")):
            continue
        name, number = folder.name, 2
        while (target / name).exists():
            name, number = f"{folder.name}-{number}", number + 1
        shutil.copytree(folder, target / name, symlinks=True)
        names[folder.name] = name
    return names


def _renamed(bundle: str, names: dict[str, str]) -> str:
    first, separator, rest = bundle.partition("/")
    return f"{names.get(first, first)}{separator}{rest}"


def _record(records: tuple[RunRecord, ...], command: str) -> RunRecord:
    first = records[0]
    ended = [record.ended_at for record in records]
    return RunRecord(
        kind="merge",
        command=command,
        started_at=min(record.started_at for record in records),
        ended_at=max(ended) if all(ended) else "",
        exit_code=worst_of(record.exit_code for record in records),
        project=", ".join(dict.fromkeys(record.project for record in records if record.project)),
        network=", ".join(dict.fromkeys(record.network for record in records if record.network)),
        browser=", ".join(dict.fromkeys(record.browser for record in records if record.browser)),
        shards=len(records),
        versions=first.versions,
        commit=first.commit,
        ci_url=first.ci_url,
        problems=(*_missing(records), *_of_parts(records)),
    )


def _missing(records: tuple[RunRecord, ...]) -> tuple[str, ...]:
    """Report which shards are missing, and which did not finish."""
    parts = [record.shard.partition("/") for record in records if record.shard]
    total = max((int(of) for _, _, of in parts if of.isdecimal()), default=0)
    there = {int(number) for number, _, _ in parts if number.isdecimal()}
    missing = [f"{number}/{total}" for number in range(1, total + 1) if number not in there]
    told = (
        [f"Missing: the results of shard {', '.join(missing)}. Their tests are not in this report."] if missing else []
    )
    told += [f"Not finished: shard {record.shard or record.command}." for record in records if not record.is_finished]
    return tuple(told)


def _of_parts(records: tuple[RunRecord, ...]) -> tuple[str, ...]:
    told = (
        f"{f'Shard {record.shard}: ' if record.shard else ''}{text}" for record in records for text in record.problems
    )
    return tuple(dict.fromkeys(told))


def _merge_junit(paths: list[Path], target: Path) -> None:
    """Put the suites of all files into one; a file that cannot be read is left out, as its tests are in `tests.jsonl`."""
    root = ElementTree.Element("testsuites", name="chatkit-harness")
    for path in (path for path in paths if not path.is_symlink()):
        try:
            tree = ElementTree.parse(path)
        except (OSError, ElementTree.ParseError):
            continue
        root.extend(tree.getroot().iter("testsuite"))
    if len(root):
        write_bytes(target, ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))

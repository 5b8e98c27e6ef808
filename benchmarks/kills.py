"""Runs that are killed at random moments: worker, browser, driver and controller, with SIGKILL. Nothing finished may be lost.

    python benchmarks/kills.py [--runs 50] [--seed 1]

After each kill it looks at what is left. Every test that finished has a whole bundle, every file parses, no file is half written, a report
can be made of what is there and names the unfinished visits, and no browser or server goes on. Ends only processes that it started, by
their ids. Linux only, for it reads /proc. Exit code 1 when something was wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from rich.console import Console

from harness.files import is_partial
from harness.model.timeline import read_timeline
from harness.report.run_folder import LATEST, RESERVE, RUNNING
from harness.report.run_on_disk import read_outcomes, read_run, visits_below
from harness.report.terminal import run_table

VICTIMS = ("worker", "browser", "controller", "driver")
RUN_TIMEOUT_S = 180.0  # for a run that goes on after the kill
END_TIMEOUT_S = (
    25.0  # until everything that a killed run had started is gone; a worker of pytest-xdist takes up to 15 s
)
LOOK_EVERY_S = 0.05
WHOLE = ("timeline.jsonl", "result.json", "console.log", "network.har", "dom.html", "screenshot-page.png")
WITNESS = "witness.txt"
TESTS = """
from harness import expect


def test_first(chatkit):
    expect(chatkit.open("topic-generation", project="local")).to_be_mounted()


def test_second(chatkit):
    expect(chatkit.open("post-writer", project="local", scenario="session-401")).not_to_be_mounted()


def test_third(chatkit):
    expect(chatkit.open("post-writer", project="local")).to_be_mounted()
"""
# A witness of our own for what was finished: written by the controller when all other plugins have had the report.
CONFTEST = f"""
import os

import pytest


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report):
    if report.when == "teardown" and "PYTEST_XDIST_WORKER" not in os.environ:
        with open({WITNESS!r}, "a") as file:
            file.write(report.nodeid + "\\n")
"""
# The tests open the embedded page; this server is only there to be left over.
CONFIGURATION = """
[projects.local]
[projects.app]
network = "live"
web_server = {{ command = "{python} -m http.server {port} --bind 127.0.0.1", url = "http://127.0.0.1:{port}" }}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process of the run. Its id alone may be another's later; with its start it is not."""

    pid: int
    started: str
    parent: int
    command: str

    @property
    def kind(self) -> str:
        """What it is to the run: "worker", "browser", "driver", or ""."""
        is_script = self.command.startswith("/bin/sh ")  # a distribution's, around the browser
        if "--remote-debugging-pipe" in self.command and "--type=" not in self.command and not is_script:
            return "browser"
        if "run-driver" in self.command:
            return "driver"
        return "worker" if "exec(eval(sys.stdin.readline()))" in self.command else ""


@dataclass(slots=True, kw_only=True)
class Killed:
    """What came of one run."""

    victim: str
    is_parallel: bool
    after_s: float
    was_hit: bool = False
    exit_code: int | None = None
    finished: int = 0
    unfinished: int = 0
    ended_after_s: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        how = "in parallel" if self.is_parallel else "alone"
        hit = f"killed after {self.after_s:4.1f} s of its life" if self.was_hit else "ended before the kill"
        told = f"{self.victim:10} {how:11} {hit}; exit code {self.exit_code}, {self.finished} finished, {self.unfinished} unfinished"
        return "\n".join(
            [f"{told}, all gone after {self.ended_after_s:.1f} s", *(f"    WRONG: {what}" for what in self.wrong)]
        )


def processes() -> dict[int, Process]:
    """Return every process of this machine that can be seen."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                values = (folder / "stat").read_text().rpartition(")")[2].split()
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                if values[0] not in "ZX":
                    pid = int(folder.name)
                    found[pid] = Process(pid=pid, started=values[19], parent=int(values[1]), command=command)
    return found


def descendants(root: int) -> list[Process]:
    """Return what a process started, and what that started, and so on."""
    there = processes()
    family = {root}
    while more := {p.pid for p in there.values() if p.parent in family} - family:
        family |= more
    return [there[pid] for pid in family - {root} if pid in there]


def still_there(known: set[Process]) -> list[Process]:
    """Return those that go on; one that was adopted has another parent now."""
    there = {(p.pid, p.started): p for p in processes().values()}
    return [p for p in known if (p.pid, p.started) in there]


def kill_one_run(folder: Path, *, victim: str, is_parallel: bool, after_s: float, tests: str = TESTS) -> Killed:
    """Run the suite in the folder, kill the victim so long after it appeared, and return what is left and what is wrong."""
    killed = Killed(victim=victim, is_parallel=is_parallel, after_s=after_s)
    with _started(folder, tests, is_parallel=is_parallel) as (run, known):
        _kill(run, killed, known)
        killed.exit_code = _ended(run, known)
        began = time.monotonic()
        while (left := still_there(known)) and time.monotonic() - began < END_TIMEOUT_S:
            time.sleep(LOOK_EVERY_S)
        killed.ended_after_s = time.monotonic() - began
        killed.wrong += [f"goes on {END_TIMEOUT_S:.0f} s later: {process.command[:160]}" for process in left]
    look_at(folder, killed)
    return killed


@contextlib.contextmanager
def _started(folder: Path, tests: str, *, is_parallel: bool) -> Iterator[tuple[subprocess.Popen[bytes], set[Process]]]:
    """Start the suite in the folder, and yield it with the set of what it is known to have started; in the end none goes on."""
    (folder / "test_it.py").write_text(tests, encoding="utf-8")
    (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configuration = CONFIGURATION.format(python=sys.executable, port=port)
    (folder / "playwright.config.toml").write_text(configuration, encoding="utf-8")
    (folder / "tmp").mkdir()
    arguments = ["-q", "-p", "no:cacheprovider", "--chatkit-project=app", *(["-n", "2"] if is_parallel else [])]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("CHATKIT_", "PYTEST_"))}
    with (folder / "output.txt").open("wb") as output:
        run = subprocess.Popen(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=folder,
            env=environ | {"TMPDIR": str(folder / "tmp")},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    known: set[Process] = set()
    try:
        yield run, known
    finally:
        if run.poll() is None:
            known |= set(descendants(run.pid))
            run.kill()
            run.wait()
        for process in still_there(known):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)


def _pids_of(victim: str, run: subprocess.Popen[bytes], there: list[Process]) -> list[int]:
    return [run.pid] if victim == "controller" else [process.pid for process in there if process.kind == victim]


def _kill(run: subprocess.Popen[bytes], killed: Killed, known: set[Process]) -> None:
    """Wait for the victim, and then for the moment."""
    due: float | None = None
    while run.poll() is None:
        there = descendants(run.pid)
        known |= set(there)
        targets = _pids_of(killed.victim, run, there)
        if targets and due is None:
            due = time.monotonic() + killed.after_s
        if targets and due is not None and time.monotonic() >= due:
            with contextlib.suppress(ProcessLookupError):
                os.kill(min(targets), signal.SIGKILL)
                killed.was_hit = True
            return
        time.sleep(LOOK_EVERY_S)


def lives_of(folder: Path, *, is_parallel: bool) -> dict[str, float]:
    """Return how many seconds each victim lives in a run that nobody kills."""
    appeared: dict[str, float] = {}
    with _started(folder, TESTS, is_parallel=is_parallel) as (run, known):
        while run.poll() is None:
            there = descendants(run.pid)
            known |= set(there)
            for victim in VICTIMS:
                if _pids_of(victim, run, there):
                    appeared.setdefault(victim, time.monotonic())
            time.sleep(LOOK_EVERY_S)
        if run.wait() != 0:
            raise RuntimeError(f"the suite fails without a kill, too:\n{(folder / 'output.txt').read_text()}")
    return {victim: time.monotonic() - at for victim, at in appeared.items()}


def _ended(run: subprocess.Popen[bytes], known: set[Process]) -> int:
    """Return the exit code, once there is one."""
    deadline = time.monotonic() + RUN_TIMEOUT_S
    while run.poll() is None:
        known |= set(descendants(run.pid))
        if time.monotonic() > deadline:
            run.kill()
            run.wait()
            raise TimeoutError(f"the run did not end within {RUN_TIMEOUT_S:.0f} s after the kill")
        time.sleep(10 * LOOK_EVERY_S)
    return run.wait()


def look_at(folder: Path, killed: Killed) -> None:
    """Note everything that is wrong with what a run left in its folder."""
    witness = folder / WITNESS
    finished = witness.read_text(encoding="utf-8").splitlines() if witness.exists() else []
    killed.finished = len(finished)
    latest = folder / "test-results" / LATEST
    if not latest.exists():
        if finished:
            killed.wrong.append("there is no run's folder")
        return
    run = latest.resolve()
    for path in sorted(path for path in (folder / "test-results").rglob("*") if path.is_file()):
        reason = fault_of(path)
        if reason:
            killed.wrong.append(f"{path.relative_to(folder)}: {reason}")
    if killed.victim != "controller" or not killed.was_hit:
        killed.wrong += [f"left over: {path}" for path in run.rglob(".*") if is_partial(path)]
        killed.wrong += [f"left over: {name}" for name in (RUNNING, RESERVE) if (run / name).exists()]
    saved = {outcome.nodeid: outcome for outcome in read_outcomes(run)}
    for nodeid in finished:
        if nodeid not in saved:
            killed.wrong.append(f"{nodeid} finished, and is not in tests.jsonl")
        elif saved[nodeid].outcome == "passed":
            bundles = [run / bundle for bundle in saved[nodeid].bundles]
            missing = [name for bundle in bundles for name in WHOLE if not (bundle / name).is_file()]
            killed.wrong += [f"{nodeid} passed, and its bundle lacks {missing}"] if missing or not bundles else []
    _look_at_report(run, killed)
    raw = [path for path in (folder / "tmp").rglob("*.zip") if path.parent.name.startswith("chatkit-trace-")]
    killed.wrong += [f"a trace that was not redacted is left: {path}" for path in raw]


def _look_at_report(run: Path, killed: Killed) -> None:
    """The report of what is there can be made, and names each visit that did not come to its end."""
    rows = [(test.outcome, test.results) for test in read_run(run).tests]
    told = io.StringIO()
    Console(file=told, width=400).print(run_table(rows, folder="."))
    unfinished = [visit for visit in visits_below(run) if not visit.is_finished]
    killed.unfinished = len(unfinished)
    for visit in unfinished:
        own = [outcome for outcome, _ in rows if visit.bundle in outcome.bundles]
        if not own or own[0].outcome not in ("unfinished", "error") or visit.bundle not in told.getvalue():
            killed.wrong.append(f"{visit.bundle} is unfinished, and the report does not say so")


def fault_of(path: Path) -> str:
    """Return why a file cannot be read as what its name says; "" when it can."""
    try:
        match path.suffix:
            case ".jsonl" if path.name == "timeline.jsonl":
                text = path.read_text(encoding="utf-8", errors="replace")
                read_timeline(text.splitlines()) if text else None
            case ".jsonl":
                lines = path.read_text(encoding="utf-8").split("\n")
                list(map(json.loads, lines[:-1]))  # what stands after the last line's end was cut
            case ".json" | ".har":
                json.loads(path.read_text(encoding="utf-8"))
            case ".zip":
                with zipfile.ZipFile(path) as archive:
                    bad = archive.testzip()
                return f"{bad} is damaged" if bad else ""
            case ".png":
                content = path.read_bytes()
                return "" if content.startswith(b"\x89PNG") and b"IEND" in content[-12:] else "cut"
            case ".xml":
                ElementTree.parse(path)
            case ".partial":
                return "" if is_partial(path) else "half a file, and it looks like a whole one"
            case ".html":
                return "" if path.read_text(encoding="utf-8").endswith("\n") else "cut"
    except Exception as error:  # whatever a reader says
        return repr(error)
    return ""


def plans(seed: int, runs: int) -> Iterator[tuple[str, bool, float]]:
    """Yield who is killed, in which kind of run, and after which part of its life: the same for the same seed."""
    chance = random.Random(seed)
    for number in range(runs):
        victim = VICTIMS[number % len(VICTIMS)]
        yield victim, victim == "worker" or chance.random() < 0.5, chance.random()


def main() -> None:
    """Kill, look, and say what was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="delete no folder")
    options = parser.parse_args()
    results = []
    began = time.monotonic()
    lives = {}
    for is_parallel in (False, True):
        with tempfile.TemporaryDirectory(prefix="chatkit-kills-") as name:
            lives[is_parallel] = lives_of(Path(name), is_parallel=is_parallel)
    for number, (victim, is_parallel, part) in enumerate(plans(options.seed, options.runs), start=1):
        folder = Path(tempfile.mkdtemp(prefix="chatkit-kills-"))
        after_s = part * lives[is_parallel][victim]
        killed = kill_one_run(folder, victim=victim, is_parallel=is_parallel, after_s=after_s)
        results.append(killed)
        print(f"{number:3} {killed}", flush=True)
        if killed.wrong or options.keep:
            print(f"    see {folder}", flush=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    hits = Counter(killed.victim for killed in results if killed.was_hit)
    wrong = [killed for killed in results if killed.wrong]
    print(f"{len(results)} runs in {time.monotonic() - began:.0f} s; killed: {dict(hits)}")
    print(f"{sum(k.finished for k in results)} tests finished, {sum(k.unfinished for k in results)} visits unfinished")
    print(f"everything gone after {statistics.median(k.ended_after_s for k in results):.1f} s (median), ", end="")
    print(f"{max(k.ended_after_s for k in results):.1f} s at most; {len(wrong)} runs with something wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()

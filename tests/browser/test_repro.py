"""A recorded visit is had again from its bundle alone: a sample of what tests/soak does with every scenario."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from harness.config.reading import Config
from harness.model.events import ReplayMissed
from harness.model.recording import Recording
from harness.model.timeline import read_timeline
from harness.report.recordings import opened_recording, pack
from harness.report.run_on_disk import read_run
from harness.servers.replay import FAST
from harness.servers.scenarios import scenario_named
from harness.servers.server import Stack, serve_stack
from harness.visit.replay import Replayed, cause_of, change_of, replayed
from harness.visit.target import Keep
from tests.commands import run_command
from tests.recorded import plain_config, record_scenario

NOTHING_COSTLY = Keep(screenshot="off", bodies="on")


@pytest.fixture(scope="module")
def bundles(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bundles of a few scenarios. The servers that they were recorded from are gone."""
    folder = tmp_path_factory.mktemp("bundles")
    with serve_stack(scenario=scenario_named("healthy")) as stack:
        _record(browser, stack, folder)
    return folder


def _record(browser: Browser, stack: Stack, folder: Path) -> None:
    assert record_scenario(browser, stack, "healthy", folder / "healthy", message="three topics about tea").is_mounted
    assert not record_scenario(browser, stack, "session-401", folder / "session-401").is_mounted


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Another configuration than the one that was in force."""
    return plain_config(tmp_path)


def recording_in(path: Path) -> Iterator[Recording]:
    """Yield the recording at a path."""
    with opened_recording(path) as (recording, _):
        yield recording


def again(browser: Browser, config: Config, path: Path, folder: Path, **changes: Any) -> Replayed:
    """Replay a bundle, as fast as it can be."""
    [recording] = recording_in(path)
    return replayed(browser, recording, folder, config=config, timing=FAST, keep=NOTHING_COSTLY, **changes)


def test_a_failure_is_reproduced_elsewhere_in_another_process(bundles: Path, tmp_path: Path) -> None:
    """From a zip, in another folder, under another configuration: the same verdict, the same cause, exit code 0; no secret in it."""
    archive = pack(bundles / "session-401", tmp_path / "sent" / "bundle.zip")
    (tmp_path / "playwright.config.toml").write_text(
        '[chatkit]\nprefetch = "allowed"\n[projects.mine]\nbase_url = "https://mine.test"\n'
    )
    done = run_command("repro", str(archive), "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["comparison"]["sentence"] == "reproduced: same verdict, same cause"
    assert told["replayed"]["findings"][0]["rule"] == "session-unauthorized"
    assert (told["misses"], told["missing"], told["warnings"]) == ([], [], [])
    assert read_run((tmp_path / "test-results" / "latest").resolve()).record.kind == "repro"
    report = (tmp_path / "test-results" / "report.html").read_text(encoding="utf-8")
    assert "The widget does not mount" in report
    assert "session-unauthorized" in report
    with zipfile.ZipFile(archive) as packed:
        assert not any(b"ek_" in packed.read(name) for name in packed.namelist())


def test_a_bundle_is_made_on_purpose_with_a_report(tmp_path: Path) -> None:
    """The visit of a page that mounts, as a folder and as a zip, and what a person looks at."""
    with serve_stack(scenario=scenario_named("healthy"), is_for_people=True) as stack:
        url = f"{stack.app_url}/test-chatkit"
        done = run_command("record", url, "--click", "Topic Generation", "--out", "sent.zip", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("recorded: mounted")
    assert "  report:    test-results/run-" in done.stdout
    (test,) = read_run((tmp_path / "test-results" / "latest").resolve()).tests
    assert test.outcome.outcome == "passed"
    assert "The widget mounts" in (tmp_path / "test-results" / "report.html").read_text(encoding="utf-8")
    assert (tmp_path / "sent.zip").is_file()


def chunks(folder: Path) -> list[list[int]]:
    """Return the sizes of the pieces of every stream of a bundle."""
    har = json.loads((folder / "network.har").read_text(encoding="utf-8"))
    contents = [entry["response"]["content"] for entry in har["log"]["entries"]]
    return [[size for _, size in content["_chunks"]] for content in contents if "_chunks" in content]


def test_a_healthy_visit_mounts_again_with_its_streamed_reply(
    browser: Browser, bundles: Path, config: Config, tmp_path: Path
) -> None:
    """The reply comes in the same pieces, in order; what the replay leaves behind is a bundle that replays as well."""
    [recording] = recording_in(bundles / "healthy")
    first = replayed(browser, recording, tmp_path / "first", config=config, keep=NOTHING_COSTLY)
    assert first.result.is_mounted
    assert first.misses == ()
    [recorded], [replayed_sizes] = chunks(bundles / "healthy"), chunks(tmp_path / "first")
    assert sum(replayed_sizes) == sum(recorded)
    assert len(recorded) > 5
    # A browser may hand over two pieces at once when it is busy, but never in another order, or cut elsewhere.
    ends = {sum(recorded[:n]) for n in range(len(recorded) + 1)}
    assert {sum(replayed_sizes[:n]) for n in range(len(replayed_sizes) + 1)} <= ends
    assert again(browser, config, tmp_path / "first", tmp_path / "second").result.is_mounted


def test_what_if_the_session_were_refused(browser: Browser, bundles: Path, config: Config, tmp_path: Path) -> None:
    """A fault in a healthy recording has the cause that it has anywhere."""
    result = again(browser, config, bundles / "healthy", tmp_path / "r", change=change_of(["session-401"])).result
    assert (result.is_mounted, result.cause.rule if result.cause else "") == (False, "session-unauthorized")


def test_the_smallest_cause_is_found_by_experiment(
    browser: Browser, bundles: Path, config: Config, tmp_path: Path
) -> None:
    """Proof beside the rules' diagnosis, which agrees."""
    [single] = recording_in(bundles / "session-401")
    found = cause_of(browser, single, tmp_path / "single", config=config)
    assert (found.found.names, found.warning) == (("session",), "")


def test_a_request_that_nobody_recorded_goes_nowhere(
    browser: Browser, bundles: Path, config: Config, tmp_path: Path
) -> None:
    """It is in the timeline with what is nearest; nothing leaves the machine. The page's clock is that of the recording."""
    [recording] = recording_in(bundles / "session-401")
    recording = replace(recording, started_at="2020-06-01T08:00:00+00:00")

    def ask(visit: Any) -> None:
        now, given, kind = visit.page.evaluate(
            "[new Date().toISOString(), new Date(0).getTime(), new Date() instanceof Date]"
        )
        assert (now[:13], given, kind) == ("2020-06-01T08", 0, True)
        asked = visit.page.evaluate("fetch('https://example.com/api').then((answer) => answer.status, () => 'refused')")
        assert asked == 502

    found = replayed(browser, recording, tmp_path / "r", config=config, timing=FAST, keep=NOTHING_COSTLY, on_end=ask)
    assert [miss.split(" (")[0] for miss in found.misses] == ["GET https://example.com/api"]
    entries = read_timeline((tmp_path / "r" / "timeline.jsonl").read_text(encoding="utf-8").splitlines())
    assert [e.event.url for e in entries if isinstance(e.event, ReplayMissed)] == ["https://example.com/api"]


CHANGED = {
    "a time zone that does not exist": ("environment", {"timezone": "Mars/Olympus"}, "Mars/Olympus"),
    "a viewport of a trillion pixels": ("environment", {"width": 10**12}, "at:       environment.width"),
    "a time limit of eleven days": ("judged", {"mount_timeout_ms": 1e9}, "at:       judged.mount_timeout_ms"),
}


@pytest.mark.parametrize(("table", "change", "told"), CHANGED.values(), ids=CHANGED)
def test_a_manifest_that_somebody_changed_is_one_error(
    bundles: Path, tmp_path: Path, table: str, change: dict[str, Any], told: str
) -> None:
    """What no bundle has, and what only the browser can refuse: exit code 11, no traceback."""
    folder = tmp_path / "sent"
    shutil.copytree(bundles / "session-401", folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest[table] |= change
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    done = run_command("repro", str(folder), cwd=tmp_path)
    assert done.returncode == 11, done.stdout + done.stderr
    assert "manifest.json is damaged" in done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_recording_with_its_bodies_in_the_har_is_replayed(browser: Browser, config: Config, tmp_path: Path) -> None:
    """As bundles were written before bodies were files."""
    old = Path(__file__).parents[1] / "recordings" / "bodies-in-the-har.zip"
    found = again(browser, config, old, tmp_path / "r")
    assert (found.result.outcome, found.result.cause.rule if found.result.cause else "") == (
        "failed",
        "session-unauthorized",
    )
    assert (found.misses, found.lacks) == ((), ())


def test_playwright_reads_our_har_and_we_read_its_own(browser: Browser, bundles: Path, tmp_path: Path) -> None:
    """With bodies attached, in a folder and in a zip; the large ones come from files in both directions."""
    har = json.loads((bundles / "healthy" / "network.har").read_text(encoding="utf-8"))
    entries = {e["request"]["url"]: e["response"]["content"] for e in har["log"]["entries"]}
    url, content = next((u, c) for u, c in entries.items() if u.endswith(".js") and "_file" in c)
    text = (bundles / "healthy" / content["_file"]).read_text(encoding="utf-8")
    zipped = pack(bundles / "healthy", tmp_path / "healthy.zip")
    for source in (bundles / "healthy" / "network.har", zipped):
        with browser.new_context(ignore_https_errors=True) as context:
            context.route_from_har(source, not_found="abort")
            page = context.new_page()
            page.goto(url)
            assert page.evaluate("document.body.innerText").strip() == text.strip()
    for name in ("attached.zip", "attached.har"):
        with browser.new_context(record_har_path=tmp_path / name, record_har_content="attach") as context:
            context.route_from_har(bundles / "healthy" / "network.har", not_found="abort")
            context.new_page().goto(url)
        [recording] = recording_in(tmp_path / name)
        [exchange] = [x for x in recording.exchanges if x.url == url]
        assert (exchange.text, exchange.missing) == (text, "")

"""The pytest plugin in runs of its own: what a user's suite sees, alone and in parallel, passing and failing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import TIMEOUT_S, clean_environ
from tests.ports import free_port

HEALTHY_TEST = """
from harness import expect


def test_topic_generation_mounts(chatkit):
    embed = chatkit.open("topic-generation")
    expect(embed).to_have_prefetched_client_secret()
    expect(embed).to_be_mounted()
    expect(embed).to_have_clean_console()


def test_post_writer_mounts(chatkit):
    expect(chatkit.open("post-writer")).to_be_mounted()
"""
FAILING_TEST = """
from harness import expect


def test_it_mounts(chatkit):
    expect(chatkit.open("topic-generation", scenario="session-401")).to_be_mounted()
"""
BUNDLE = {"timeline.jsonl", "result.json", "console.log", "network.har", "dom.html", "screenshot-page.png"}


def run_pytest(folder: Path, *arguments: str, **files: str) -> subprocess.CompletedProcess[str]:
    """Write the files, run pytest in the folder, and return what came of it."""
    for name, text in files.items():
        folder.joinpath(name.replace("__", ".")).write_text(text, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def outcomes_of(folder: Path) -> list[dict[str, object]]:
    """Return the lines of the newest run's `tests.jsonl`."""
    lines = (folder / "test-results" / "latest" / "tests.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_healthy_suite_passes_and_leaves_a_bundle_for_each_visit(tmp_path: Path) -> None:
    """Nothing is configured, there are two workers, and each test has a complete bundle."""
    done = run_pytest(tmp_path, "-n", "2", "--output", "test-results", test_it__py=HEALTHY_TEST)
    assert done.returncode == 0, done.stdout + done.stderr
    tests = outcomes_of(tmp_path)
    assert sorted(test["outcome"] for test in tests) == ["passed", "passed"]
    for test in tests:
        (bundle,) = test["bundles"]  # type: ignore[misc]
        names = {path.name for path in (tmp_path / "test-results" / "latest" / bundle).iterdir()}
        assert names >= BUNDLE
    assert (tmp_path / "test-results" / "junit.xml").stat().st_size > 0


def test_failure_is_told_with_cause_milestone_and_bundle(tmp_path: Path) -> None:
    """The message names what was expected, why it is not so, how far the mount came, and where the evidence lies."""
    done = run_pytest(tmp_path, test_it__py=FAILING_TEST)
    assert done.returncode == 1
    told = done.stdout
    assert "expected the widget to be mounted" in told
    assert "/api/chatkit/session answered 401" in told
    assert "reached:   element-defined; missing: element-connected" in told
    bundle = tmp_path / told.split("bundle:")[1].split()[0]
    assert (bundle / "error-context.md").read_text(encoding="utf-8").startswith("# NOT MOUNTED")
    assert (bundle / "trace.zip").stat().st_size > 0
    assert "harness/pytest_plugin/expectations.py" not in told, "the traceback shows the user's line, not ours"


def test_a_later_run_keeps_the_results_of_earlier_ones(tmp_path: Path) -> None:
    """Each run has a folder; `latest` points to the newest; nothing finished is deleted by the next run."""
    for _ in range(2):
        assert run_pytest(tmp_path, test_it__py="def test_nothing():\n    pass\n").returncode == 0
    runs = [path for path in (tmp_path / "test-results").iterdir() if path.name.startswith("run-")]
    assert len(runs) == 2
    assert (tmp_path / "test-results" / "latest").resolve() == max(runs, key=lambda path: path.stat().st_mtime_ns)


def test_missing_browser_is_an_environment_error(tmp_path: Path) -> None:
    """A browser that is not there: one sentence for the test, no traceback, exit code 13."""
    config = '[use]\nexecutable_path = "/nowhere/chromium"\n'
    tmp_path.joinpath("playwright.config.toml").write_text(config, encoding="utf-8")
    done = run_pytest(tmp_path, test_it__py=HEALTHY_TEST)
    assert done.returncode == 13, done.stdout
    assert "EnvironmentFailure: the browser /nowhere/chromium cannot be started: it does not exist" in done.stdout
    assert "Traceback" not in done.stdout


def test_wrong_configuration_stops_the_run(tmp_path: Path) -> None:
    """A configuration error is pytest's usage error, with file, key and what was expected."""
    tmp_path.joinpath("playwright.config.toml").write_text("[chatkit]\nprefetched = true\n", encoding="utf-8")
    done = run_pytest(tmp_path, test_it__py=HEALTHY_TEST)
    assert done.returncode == 4
    assert "ConfigError: unknown key chatkit.prefetched" in done.stderr
    assert "did you mean prefetch?" in done.stderr


def test_an_unknown_entry_lists_those_there_are(tmp_path: Path) -> None:
    """A typo in the name of an entry is answered with the names."""
    test = 'def test_it(chatkit):\n    chatkit.open("topic-generator")\n'
    done = run_pytest(tmp_path, test_it__py=test)
    assert done.returncode == 1
    assert "ConfigError: project 'local' has no entry 'topic-generator'" in done.stdout
    assert "topic-generation, post-writer" in done.stdout


def test_playwrights_own_fixtures_go_on_to_work(tmp_path: Path) -> None:
    """`page` is of the same browser, `expect` knows its locators, and visits are what a device or a mark says."""
    test = """
import pytest
from harness import expect


def test_page(page):
    page.set_content("<h1>Hello</h1>")
    expect(page.get_by_role("heading")).to_have_text("Hello")


@pytest.mark.browser_context_args(viewport={"width": 400, "height": 900}, locale="de-DE")
def test_visit(chatkit):
    page = chatkit.open("topic-generation", timezone_id="Asia/Tokyo").page
    assert page.evaluate("[innerWidth, navigator.language]") == [400, "de-DE"]
    assert page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone") == "Asia/Tokyo"
    assert "iPhone" in page.evaluate("navigator.userAgent")
"""
    done = run_pytest(tmp_path, "--device", "iPhone 13", test_it__py=test)
    assert done.returncode == 0, done.stdout


def test_web_server_of_a_project_is_started_and_stopped(tmp_path: Path) -> None:
    """The project's own server runs while the tests do, and its output is kept; one that fails is exit code 13."""
    tmp_path.joinpath("index.html").write_text("<!doctype html><title>Mine</title>", encoding="utf-8")
    server = '{{ command = "{} -m http.server {} --bind 127.0.0.1", url = "http://127.0.0.1:{}", timeout_ms = {} }}'
    port = free_port()
    config = f"[projects.app]\nweb_server = {server.format(sys.executable, port, port, 20_000)}\n"
    tmp_path.joinpath("playwright.config.toml").write_text(config, encoding="utf-8")
    test = f'def test_it(page):\n    page.goto("http://127.0.0.1:{port}")\n    assert page.title() == "Mine"\n'
    done = run_pytest(tmp_path, test_it__py=test)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "GET / HTTP/1.1" in (tmp_path / "test-results" / "latest" / "web-server.log").read_text(encoding="utf-8")
    with pytest.raises(ConnectionRefusedError):
        _connect(port)
    broken = f"[projects.app]\nweb_server = {server.format('/nowhere/python', port, port, 5_000)}\n"
    tmp_path.joinpath("playwright.config.toml").write_text(broken, encoding="utf-8")
    done = run_pytest(tmp_path, test_it__py=test)
    assert done.returncode == 13, done.stdout + done.stderr
    assert "ended with exit code 127" in done.stdout + done.stderr


def _connect(port: int) -> None:
    import socket

    socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S).close()


DYING_BROWSER_TEST = """
import os
import signal

from harness import expect


def process_of(browser, kind):
    processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    return next(process["id"] for process in processes if process["type"] == kind)


def test_page_dies(chatkit, browser):
    embed = chatkit.open("topic-generation", scenario="secret-never")
    os.kill(process_of(browser, "renderer"), signal.SIGKILL)
    expect(embed).not_to_be_mounted(reason="page-crashed")


def test_browser_dies(chatkit, browser):
    embed = chatkit.open("topic-generation", scenario="secret-never")
    os.kill(process_of(browser, "browser"), signal.SIGKILL)
    expect(embed).to_be_mounted()


def test_next(chatkit):
    chatkit.open("topic-generation")
"""


def test_browser_that_dies_is_an_environment_error(tmp_path: Path) -> None:
    """A page that crashes is a verdict; a browser that dies is exit code 13, and its visit's bundle is written."""
    done = run_pytest(tmp_path, test_it__py=DYING_BROWSER_TEST)
    assert done.returncode == 13, done.stdout + done.stderr
    outcomes = [(test["outcome"], test["exit_code"], len(test["bundles"])) for test in outcomes_of(tmp_path)]  # type: ignore[arg-type]
    assert outcomes == [("passed", 0, 1), ("failed", 13, 1), ("failed", 13, 0)]
    assert "EnvironmentFailure: the browser crashed during the visit" in done.stdout
    assert "EnvironmentFailure: the browser is not available: it crashed earlier in this run" in done.stdout
    assert (tmp_path / "test-results/latest/test-it-py-test-browser-dies-chromium/result.json").is_file()


PARAMETRISED_TEST = """
import pytest


@pytest.mark.parametrize("key", ["sk-test-0123456789abcdef0123456789", "sk-test-fedcba9876543210fedcba9876"])
def test_key(key):
    assert key
"""


def test_a_secret_among_parameters_stands_in_no_report(tmp_path: Path) -> None:
    """The tests of two workers keep different names, and the search at the end finds nothing."""
    done = run_pytest(tmp_path, "-n", "2", test_it__py=PARAMETRISED_TEST)
    assert done.returncode == 0, done.stdout + done.stderr
    names = {str(test["nodeid"]) for test in outcomes_of(tmp_path)}
    assert names == {f"test_it.py::test_key[<redacted:api_key:{number}>]" for number in (1, 2)}

"""`chatkit-harness check`: a verdict on any page without set-up, and one clear sentence where there is no page to judge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.servers.scenarios import scenario_named
from harness.servers.server import serve_stack
from tests.commands import run_command
from tests.site import Answer, serve_site

# `test_scenarios` has all of them, without a process for each.
VARIANTS = [
    ("session-401", "session-refused"),
    *(
        pytest.param(*variant, marks=pytest.mark.soak)
        for variant in (
            ("mock-secret", "secret-rejected"),
            ("script-missing", "element-not-defined"),
            ("frame-400", "frame-failed"),
        )
    ),
]


def test_check_says_that_the_served_page_mounts(tmp_path: Path) -> None:
    """A healthy page: exit code 0, the verdict first, milestones, pre-fetch, and a complete bundle."""
    with serve_stack(scenario=scenario_named("healthy"), is_for_people=True) as stack:
        done = run_command("check", f"{stack.app_url}/test-chatkit", "--click", "Topic Generation", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("mounted after ")
    assert "pre-fetched" in done.stdout
    assert "backend-accepted" in done.stdout
    bundle = tmp_path / done.stdout.split("bundle:")[1].split()[0]
    assert "  report:    test-results/run-" in done.stdout
    assert "The widget mounts" in (tmp_path / "test-results" / "report.html").read_text(encoding="utf-8")
    names = ["timeline.jsonl", "result.json", "console.log", "network.har", "dom.html"]
    for name in [*names, "screenshot-page.png", "screenshot-element.png"]:
        assert (bundle / name).stat().st_size > 0, name


@pytest.mark.parametrize(("scenario", "reason"), VARIANTS)
def test_check_says_why_the_served_page_does_not_mount(tmp_path: Path, scenario: str, reason: str) -> None:
    """A broken page: exit code 1, the right reason and last milestone."""
    with serve_stack(scenario=scenario_named(scenario), is_for_people=True) as stack:
        page = f"{stack.app_url}/test-chatkit"
        done = run_command("check", page, "--click", "Topic Generation", "--json", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["reason"] == reason
    assert result["last_milestone"] == scenario_named(scenario).milestone
    assert result["after_fact_ms"] >= 0


PDF = Answer(body=b"%PDF-1.4\n%%EOF\n", media_type="application/pdf")
PLAIN_PAGE = Answer(body=b"<!doctype html><title>Shop</title><button>Buy</button><a href=/>Home</a>")


@pytest.mark.parametrize(
    ("path", "code", "sentence"),
    [
        ("/shop", 1, "There is no ChatKit on this page"),
        pytest.param("/pdf", 14, "(application/pdf), not a web page", marks=pytest.mark.soak),
        ("/gone", 14, "answered 404"),
        pytest.param("/file", 14, "(application/zip), not a web page", marks=pytest.mark.soak),
    ],
)
def test_check_tells_what_is_no_chatkit_page(tmp_path: Path, path: str, code: int, sentence: str) -> None:
    """A page without ChatKit fails; what is no page at all is an error of its own, in one sentence."""
    file = Answer(body=b"PK", media_type="application/zip", headers=(("content-disposition", "attachment"),))
    with serve_site({"/shop": PLAIN_PAGE, "/pdf": PDF, "/file": file}) as site:
        done = run_command("check", site + path, cwd=tmp_path)
    assert done.returncode == code, done.stdout + done.stderr
    assert sentence in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_check_judges_a_page_that_never_stops_loading(tmp_path: Path) -> None:
    """A document whose end never comes is judged all the same."""
    with serve_site({"/": Answer(body=PLAIN_PAGE.body, never_ends=True)}) as site:
        done = run_command("check", site, "--mount-timeout-ms", "3000", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "There is no ChatKit on this page" in done.stdout


def test_check_lists_the_buttons_when_a_name_is_mistyped(tmp_path: Path) -> None:
    """A typo in --click is answered with what could have been clicked."""
    with serve_site({"/": PLAIN_PAGE}) as site:
        done = run_command("check", site, "--click", "By", cwd=tmp_path)
    assert done.returncode == 14
    assert done.stderr.startswith("PageError: ")
    assert '"Buy"' in done.stderr
    assert '"Home"' in done.stderr


@pytest.mark.parametrize(
    ("url", "code", "sentence"),
    [
        ("https://127.0.0.1:1", 14, "browsers block this port"),
        ("127.0.0.1:80", 4, "starts with http:// or https://"),
    ],
)
def test_check_explains_a_url_that_leads_nowhere(tmp_path: Path, url: str, code: int, sentence: str) -> None:
    """A URL that cannot work is explained."""
    done = run_command("check", url, cwd=tmp_path)
    assert done.returncode == code
    assert sentence in done.stderr


def test_check_names_a_port_where_nothing_listens(tmp_path: Path) -> None:
    """A refused connection is told as one."""
    with serve_site({}) as site:
        pass  # its port is free again
    done = run_command("check", site, cwd=tmp_path)
    assert done.returncode == 14
    assert "connection refused" in done.stderr

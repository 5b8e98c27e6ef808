"""The report in a browser: it opens from disk, draws what is asked for, is not fooled by hostile pages, and can be read by everybody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe import axe_source
from builders import (
    SESSION,
    TRANSCRIPTS,
    Steps,
    console_message,
    exchange,
    hosted,
    mock_secret,
    page_error,
    server_answered,
)
from playwright.sync_api import Browser, Page, expect
from runs import bundle_of, outcome, record, write_bundle, write_outcomes, write_run

from harness.pytest_plugin.chatkit import Chatkit
from harness.report.run_folder import publish
from harness.report.run_on_disk import write_record
from harness.report.run_report import write_report
from harness.report.trend import Night

SCRIPT_END = "</script><script>document.title = 'owned'</script>"
MARKUP = '"><img src=x onerror="document.title = \'owned\'"><h1>All 3 tests passed</h1>'
HOSTILE = f"{SCRIPT_END}{MARKUP}<!--{{{{ 7*7 }}}} \u2028\u0000 javascript:alert(1)"
NAME = HOSTILE.replace("\0", "")  # no name that a file may hold has that character
NIGHTS = tuple(
    Night(at=f"2026-11-{day:02}T03:17:00+00:00", outcome=word, mount_ms=ms, cause=HOSTILE if ms < 0 else "", sdk=sdk)
    for day, word, ms, sdk in [
        (1, "ok", 900, "a"),
        (2, "degraded", 4100, "a"),
        (3, "failing", -1, "b"),
        (4, "ok", 950, "b"),
    ]
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a visit of every kind."""
    folder = tmp_path_factory.mktemp("output") / "run-20261124-080000-abcd"
    write_run(folder, dict(TRANSCRIPTS))
    write_report(folder, version="0.1.0", nights=NIGHTS)
    publish(folder)
    return folder


@pytest.fixture
def report(page: Page, run: Path) -> Iterator[Page]:
    """The report, opened from disk; an error on its console, or a request that leaves it, fails the test."""
    yield from opened(page, run / "report.html")


def opened(page: Page, path: Path, fragment: str = "") -> Iterator[Page]:
    """Yield the page, and see afterwards that nothing was said or asked for that should not be."""
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri() + fragment)
    yield page
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]


def open_all(page: Page, *names: str, drawn: int) -> None:
    """Open the tests with these names, and whatever can be opened in them, as a person would with many clicks."""
    page.evaluate(
        """names => document.querySelectorAll('.test').forEach((test) => {
            const name = test.querySelector('.name').textContent;
            if (names.some((one) => name === one || name.includes(`::${one}`) || one === '')) test.open = true;
        })""",
        list(names),
    )
    expect(page.locator("figure.lanes")).to_have_count(drawn)
    page.evaluate("document.querySelectorAll('.test[open] details.more').forEach((more) => { more.open = true; })")
    expect(page.locator(".test[open] details.more[open] .scroll").first).to_be_visible()


def test_evidence_leads_to_its_line_in_the_timeline(report: Page) -> None:
    """The first evidence of the first cause opens its visit, draws it, and puts the focus on the line."""
    link = report.locator(".cause .ev").first
    target = (link.get_attribute("href") or "").removeprefix("#")
    link.click()
    line = report.locator(f"tr#{target}")
    expect(line).to_be_focused()
    visit = report.locator(f"section#{target.partition('-')[0]}")
    expect(visit.locator("figure.lanes")).to_be_visible()
    expect(visit.locator(".on").first).to_be_visible()  # the mark in the picture
    expect(visit.locator("output.readout")).to_contain_text(f"line {target.partition('-')[2]}")


def test_the_picture_can_be_read_with_the_keyboard(report: Page) -> None:
    """Arrow keys step through everything in the picture, and each step is said."""
    report.locator("#t1 > summary").press("Enter")
    stage = report.locator("#t1 .stage")
    stage.focus()
    told = set()
    for _ in range(3):
        stage.press("ArrowRight")
        told.add(report.locator("#t1 output").inner_text())
    assert len(told) == 3
    assert all("line" in text for text in told)


def test_tests_can_be_found_and_the_console_filtered(report: Page) -> None:
    """The list answers to words and to good or not good; so does the console to its levels."""
    report.get_by_label("Find", exact=True).first.fill("re-parented")
    expect(report.locator(".test:visible")).to_have_count(1)
    report.get_by_label("Find", exact=True).first.fill("")
    report.get_by_label("not passed", exact=True).check()
    bad = report.locator(".test:visible").count()
    assert 0 < bad < len(TRANSCRIPTS)
    report.locator(".test", has_text="mock-secret").locator("summary").first.click()
    rows = report.locator(".test[open] .console tbody tr")
    expect(rows.first).to_be_visible()
    report.locator(".test[open] .cfilter").get_by_role("checkbox").first.uncheck()
    expect(rows.locator("visible=true")).to_have_count(0)


def test_the_copy_beside_the_runs_leads_to_the_bundles(page: Page, run: Path) -> None:
    """`report.html` of the output folder is the same, and its links lead into the run's folder."""
    for there in opened(page, run.parent / "report.html", "#v1"):
        link = there.locator("#v1 .files a", has_text="result.json")
        href = link.evaluate("a => a.href")
        assert Path(href.removeprefix("file://")).is_file(), href


def test_a_hostile_page_can_run_and_forge_nothing(page: Page, tmp_path: Path) -> None:
    """Console, addresses, server notes, test names and messages of a page that wants to take over are text, and only text."""
    folder = tmp_path / "run-20261124-080000-abcd"
    hostile: Steps = [
        *mock_secret(),
        console_message(HOSTILE, level="error"),
        page_error(HOSTILE),
        server_answered(note=HOSTILE),
        *exchange("r9", f"{SESSION}?q={HOSTILE}", 500, error_text=HOSTILE),
    ]
    nodeid = f"tests/test_it.py::test_{NAME}"
    write_bundle(folder / bundle_of(nodeid), hostile, entry=NAME, url=f"https://app.test/{NAME}")
    write_outcomes(
        folder, [outcome(nodeid, "failed", message=HOSTILE), outcome(NAME, "failed", message=HOSTILE, bundles=())]
    )
    write_record(folder, record(project=NAME, command=NAME, problems=(HOSTILE,), commit=NAME))
    report = write_report(folder, version="0.1.0", nights=NIGHTS)
    for there in opened(page, report):
        open_all(there, "", drawn=1)
        assert there.title() != "owned"
        assert there.title().startswith("2 of 2 tests failed")
        assert there.locator("h1").count() == 1
        assert there.locator("img[src=x]").count() == 0
        assert there.locator("script:not([type])").count() == 1
        hrefs = there.locator("a").evaluate_all("all => all.map((a) => a.protocol)")
        assert set(hrefs) <= {"file:", "https:"}
        assert there.get_by_text("document.title = 'owned'").count() > 3, "it is all there to be read"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")], ids=["desktop, light", "phone, dark"])
def test_axe_finds_nothing(browser: Browser, run: Path, width: int, scheme: str) -> None:
    """No violation of axe-core's rules in the list, in an opened failure, in an opened pass; nothing is wider than a phone."""
    source = axe_source()
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True)  # type: ignore[arg-type]
    try:
        page.goto((run / "report.html").as_uri())
        open_all(page, "mock-secret", "hosted-development", "hidden", drawn=3)
        page.evaluate(source)
        found = page.evaluate("async () => (await axe.run(document)).violations")
        told = [(v["id"], v["help"], [n["html"][:200] for n in v["nodes"][:3]]) for v in found]
        assert told == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    finally:
        page.close()


def test_the_report_of_a_killed_run_says_so(page: Page, tmp_path: Path) -> None:
    """Without `result.json` a visit is judged by its timeline, and neither it nor the run is called finished."""
    folder = tmp_path / "run-20261124-080000-abcd"
    write_bundle(folder / "under-way", hosted()[:9], is_whole=False)
    write_record(folder, record(ended_at="", exit_code=-1))
    for there in opened(page, write_report(folder, version="0.1.0")):
        expect(there.locator("h1")).to_have_text("The run was interrupted after 1 test, 1 of them did not pass")
        expect(there.locator("#v1")).to_contain_text("The visit was interrupted")
        expect(there.locator("#v1 figure.lanes")).to_be_visible()


def test_axe_finds_nothing_on_the_test_page(chatkit: Chatkit) -> None:
    """The page that people try the widget on has no violation either, nor has the stand-in's own document."""
    embed = chatkit.open("topic-generation")
    assert embed.wait_until_decided().is_mounted
    source = axe_source()
    for frame in embed.page.frames:
        frame.evaluate(source)
        # A widget in a frame is no page of its own, and needs no heading as one.
        rules = {"page-has-heading-one": {"enabled": frame == embed.page.main_frame}}
        found = frame.evaluate("async (rules) => (await axe.run(document, {iframes: false, rules})).violations", rules)
        assert [(v["id"], v["help"], [n["html"][:200] for n in v["nodes"][:3]]) for v in found] == []

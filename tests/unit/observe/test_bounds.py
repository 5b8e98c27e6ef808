"""What a visit leaves out when a page is too much, and what it never leaves out."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from builders import secret_text

from harness.model.bounds import FULL, SPARSE, Allowance, Bounds
from harness.model.events import ConsoleMessage, DialogOpened, Omitted, PageErrorRaised, RequestStarted, VisitEnded
from harness.model.redaction import Redactor
from harness.model.timeline import Timeline, encode, redacted
from harness.observe.bodies import BodyStore
from harness.observe.console import PageObserver
from harness.observe.network import NetworkObserver


@dataclass(eq=False)
class Asked:
    """What the observer needs of Playwright's request."""

    url: str
    method: str = "GET"
    resource_type: str = "fetch"
    is_document: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    post_data: str | None = None

    def is_navigation_request(self) -> bool:
        """Whether it is a document."""
        return self.is_document

    @property
    def frame(self) -> Any:
        """The page's own."""
        return SimpleNamespace(url="https://app.test/", parent_frame=None, page=None)


def observed(requests: list[Asked], bounds: Bounds) -> tuple[list[str], list[str]]:
    """Return the URLs that are written down, and what is said to be left out."""
    timeline = Timeline(clock_ms=lambda: 0.0, redactor=Redactor())
    observer = NetworkObserver(timeline, BodyStore(Redactor()), "salt", bounds)
    for request in requests:
        observer._on_request(request)  # type: ignore[arg-type]
    kept = [e.event.url for e in timeline.entries if isinstance(e.event, RequestStarted)]
    return kept, [f"{e.event.what}: {e.event.limit}" for e in timeline.entries if isinstance(e.event, Omitted)]


def test_requests_that_are_alike_are_written_down_a_number_of_times() -> None:
    """Polls and pictures of one folder, whatever their query; said once for each kind."""
    requests = [Asked(f"https://app.test/img/{n}.png?{n}") for n in range(10)]
    requests += [Asked(f"https://app.test/poll?{n}") for n in range(10)]
    kept, said = observed(requests, Bounds(requests_alike=3))
    assert len(kept) == 6
    assert said == ["requests like GET https://app.test/img/: 3", "requests like GET https://app.test/: 3"]


def test_what_a_mount_depends_on_is_counted_for_itself() -> None:
    """After thousands of other requests the loader, the session, OpenAI's API and documents are still seen."""
    noise = [Asked(f"https://app.test/{n}/x") for n in range(50)]
    vital = [
        Asked("https://app.test/frame", is_document=True),
        Asked("https://cdn.platform.openai.com/deployments/chatkit/chatkit.js", resource_type="script"),
        Asked("https://app.test/api/chatkit/session", method="POST"),
        Asked("https://api.openai.com/v1/chatkit/conversation", method="POST"),
    ]
    kept, said = observed([*noise, *vital, *noise], Bounds(requests=10))
    assert len(kept) == 10 + len(vital)
    assert kept[10:] == [request.url for request in vital]
    assert said == ["requests: 10"]
    endless = [Asked(f"https://app.test/{n}/chatkit/session", method="POST") for n in range(50)]
    assert len(observed(endless, Bounds(requests=10))[0]) == 20


def test_a_session_among_others_of_its_folder_is_seen() -> None:
    """Vital requests are alike only when they go to the same place."""
    polls = [Asked(f"https://app.test/api/chatkit/status?{n}") for n in range(10)]
    session = Asked("https://app.test/api/chatkit/session", method="GET")
    assert session.url in observed([*polls, session], Bounds(requests_alike=3))[0]


def test_the_console_ends_where_its_bound_is_reached() -> None:
    """Messages, errors and dialogs together; the empty ones count too, and the end is told once."""
    timeline = Timeline(clock_ms=lambda: 0.0, redactor=Redactor())
    observer = PageObserver(timeline, Bounds(console_chars=1_000, message_chars=100))
    dialog = SimpleNamespace(type="alert", message="d" * 500, dismiss=lambda: None)
    for _ in range(50):
        observer._on_console(SimpleNamespace(type="log", text="", location={}))  # type: ignore[arg-type]
        observer._on_error(SimpleNamespace(name="Error", message="e" * 500, stack="s" * 500))  # type: ignore[arg-type]
        observer._on_dialog(dialog)  # type: ignore[arg-type]
    kinds = [type(entry.event) for entry in timeline.entries]
    assert kinds == [*(ConsoleMessage, PageErrorRaised, DialogOpened) * 2, ConsoleMessage, Omitted]
    assert len(encode(timeline.entries[1])) < 400


def test_a_timeline_is_bounded_by_its_size_too() -> None:
    """What is vital still comes after the end."""
    timeline = Timeline(clock_ms=lambda: 0.0, redactor=Redactor(), bounds=Bounds(timeline_chars=1_000))
    for n in range(50):
        timeline.append(ConsoleMessage(level="log", text=f"{n}" + "x" * 100, url="", line=0))
    timeline.append(VisitEnded(reason="finished"))
    *lines, omitted, ended = (entry.event for entry in timeline.entries)
    assert 3 <= len(lines) <= 5
    assert omitted == Omitted(what="timeline entries", limit="1000 characters")
    assert ended == VisitEnded(reason="finished")


def test_a_long_text_of_an_event_is_cut_and_says_so() -> None:
    """Addresses and headers have no bound of their own; no half of a secret stays at the cut."""
    secret = secret_text()
    request = RequestStarted(
        request_id="r1", method="GET", url="https://app.test/?" + "x" * 90 + secret + "y" * 20_000, resource_type="fetch",
        frame_url="", is_top_frame=True, is_navigation=False, headers=(("x-long", "z" * 300), ("x-secret", "z" * 95 + secret)),
        body=None, string_digests=(), bearer="",
    )  # fmt: skip
    clean = redacted(request, Redactor(), 100)
    assert isinstance(clean, RequestStarted)
    assert clean.url.startswith("https://app.test/?xxx")
    assert clean.url.endswith(f"… (cut) of {len(request.url)} characters")
    assert clean.headers[0] == ("x-long", "z" * 100 + "… (cut) of 300 characters")
    assert secret[:8] not in str(clean)
    assert redacted(clean, Redactor()) == clean


def test_a_run_that_has_written_enough_keeps_little() -> None:
    """Each process has its share; the reason names the bound of the whole run."""
    allowance = Allowance(1_000, processes=2)
    assert (allowance.bounds, allowance.reason) == (FULL, "")
    allowance.spend(499)
    assert allowance.bounds is FULL
    allowance.spend(1)
    assert (allowance.bounds, allowance.reason) == (SPARSE, "this run's files are larger than 1000 bytes")
    assert SPARSE.entries > 0
    assert SPARSE.dom_chars == SPARSE.screenshot_px == SPARSE.trace_bytes == SPARSE.bodies_chars == 0


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("TypeError", PageErrorRaised),
        ("", PageErrorRaised),
        ("my.Error$1", PageErrorRaised),
        ("Cross-Origin Request Blocked", ConsoleMessage),
        ("Content-Security-Policy", ConsoleMessage),
    ],
)
def test_words_of_the_browser_are_no_errors_of_the_page(name: str, kind: type) -> None:
    """Firefox over WebDriver BiDi reports its own messages as page errors; nothing was thrown with such a name."""
    timeline = Timeline(clock_ms=lambda: 0.0, redactor=Redactor())
    PageObserver(timeline)._on_error(SimpleNamespace(name=name, message="what", stack="s"))  # type: ignore[arg-type]
    (event,) = (entry.event for entry in timeline.entries)
    assert type(event) is kind
    if isinstance(event, ConsoleMessage):
        assert (event.level, event.text) == ("error", f"{name}: what")

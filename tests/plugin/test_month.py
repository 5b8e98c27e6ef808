"""A month of nights with outages, flakes and a new SDK: exactly one alert for each transition and cause, and notice of recovery."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from nights import broken, flight, mounted, night, offline, verdict
from rich.console import Console

from harness.commands.notifications import Teller
from harness.config.tables import Smoke
from harness.model.history import PastVerdict, Record
from harness.model.redaction import Redactor
from harness.report.history import read_history
from harness.report.notice import render_metrics, render_smoke
from tests.receiver import REPO, TOKEN, Receiver, serve_receiver

OLD, NEW = "a" * 64, "b" * 64


def ok(n: int) -> PastVerdict:
    """Return a good night before the SDK changed."""
    return verdict(n, flight(OLD), mounted())


def ok_new(n: int) -> PastVerdict:
    """Return a good night after it."""
    return verdict(n, flight(NEW), mounted())


def flaky(n: int) -> PastVerdict:
    """Return a night that needed a second attempt."""
    return verdict(n, flight(OLD), mounted(2))


def cdn_down(n: int) -> PastVerdict:
    """Return a night on which the CDN says no, to the preflight and to the browser."""
    return verdict(n, flight(OLD, loader={"status": 503}), broken("loader-refused"))


def app_down(n: int) -> PastVerdict:
    """Return a night on which the app's endpoint fails."""
    return verdict(n, flight(OLD), broken("session-server-error"))


def key_wrong(n: int) -> PastVerdict:
    """Return a night on which the app has another project's key."""
    return verdict(n, flight(OLD), broken("workflow-not-found"))


def sdk_broken(n: int) -> PastVerdict:
    """Return a night on which the new SDK refuses the page's options."""
    return verdict(n, flight(NEW), broken("option-unknown"))


def no_network(n: int) -> PastVerdict:
    """Return a night on which this machine is offline."""
    return verdict(n, offline())


# Nights, what they are like, and what is told on the first of them.
MONTH: tuple[tuple[int, Callable[[int], PastVerdict], str], ...] = (
    (6, ok, ""),
    (1, flaky, "degraded"),
    (4, ok, "recovered"),
    (2, cdn_down, "failing"),
    (5, ok, "recovered"),
    (2, no_network, ""),  # too short to be told of
    (3, ok, ""),
    (1, flaky, "degraded"),
    (2, app_down, "failing"),
    (1, key_wrong, "failing"),  # another cause in the same outage, and its third night
    (2, app_down, "escalated"),  # the first cause again: known, but it lasts
    (6, ok, "recovered"),
    (5, no_network, ""),  # on the third night
    (4, ok, "sighted"),
    (4, sdk_broken, "failing"),
    (3, ok_new, "recovered"),
    (9, ok_new, ""),
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Return a receiver that listens."""
    with serve_receiver() as listening:
        yield listening


def teller(tmp_path: Path, receiver: Receiver, said: StringIO, **changes: Any) -> Teller:
    """Return what remembers and tells; everything goes to the receiver."""
    given: dict[str, Any] = {
        "webhook": receiver.webhook,
        "github_repo": REPO,
        "github_token": TOKEN,
        "github_api": receiver.url,
    }
    settings = Smoke(**given | {"notify_timeout_ms": 5_000} | changes)
    redactor = Redactor((("token", TOKEN), ("webhook", receiver.webhook)))
    return Teller(Console(file=said, width=200), settings, tmp_path / "history.jsonl", redactor)


def test_a_month_of_nights(tmp_path: Path, receiver: Receiver) -> None:
    """Sixty runs, each of its own process as far as memory goes: only the history is kept from one to the next."""
    expected: list[tuple[int, str]] = []
    number = 0
    for nights, of_night, alert in MONTH:
        for index in range(nights):
            number += 1
            said = StringIO()
            before = len(receiver.messages)
            record = teller(tmp_path, receiver, said).remember(of_night(number))
            is_first = index == 0
            is_escalated = of_night in (app_down, sdk_broken) and record.alert == "escalated"
            is_blind = of_night is no_network and index == 2
            wanted = alert if is_first else "escalated" if is_escalated else "blind" if is_blind else ""
            assert record.alert == wanted, (number, of_night.__name__, record.alert)
            assert len(receiver.messages) - before == (1 if wanted else 0)
            expected += [(number, wanted)] if wanted else []
    assert number == 60
    # outages: the CDN's, the app's with its second cause, the SDK's; the latter two last long enough to escalate
    told = [alert for _, alert in expected]
    assert told == [
        "degraded", "recovered", "failing", "recovered", "degraded", "failing", "failing", "escalated", "recovered", "blind", "sighted",
        "failing", "escalated", "recovered",
    ]  # fmt: skip
    assert len(receiver.messages) == len(told)
    # one issue for each outage, closed when it ends, with the second cause and the escalation as comments
    assert [issue["state"] for issue in receiver.issues] == ["closed"] * 3
    assert [len(issue["comments"]) for issue in receiver.issues] == [1, 3, 2]
    assert "loader-refused" in receiver.issues[0]["body"]
    assert "workflow-not-found" in receiver.issues[1]["comments"][0]
    assert receiver.authorizations == {f"Bearer {TOKEN}"}
    # a changed SDK is said first, on each night until the next green one
    lines = [line for line in read_history(tmp_path / "history.jsonl").lines if isinstance(line, Record)]
    assert [i for i, line in enumerate(lines, start=1) if line.sdk_changed] == [45, 46, 47, 48, 49]
    broken_night = receiver.messages[told.index("escalated", told.index("sighted")) - 1]
    assert broken_night["blocks"][1]["text"]["text"].startswith("SDK changed since last green: loader: ")
    assert broken_night["text"].startswith(":red_circle: SDK changed since last green; staging is FAILING")
    assert receiver.issues[2]["title"].startswith("Smoke test: SDK changed since last green; staging is FAILING")
    assert render_smoke(lines[44]).splitlines()[0].startswith("SDK changed since last green: loader: ")
    assert render_smoke(lines[44]).splitlines()[1] == "smoke: staging is FAILING"
    assert [line.verdict.at for line in lines] == [night(n) for n in range(1, 61)]


@pytest.mark.parametrize(("status", "words"), [(500, "it answered 500"), (0, "no answer within")])
def test_a_webhook_that_fails_is_a_warning_and_told_again(
    tmp_path: Path, receiver: Receiver, status: int, words: str
) -> None:
    """The run goes on, GitHub is told once, and the next run tells the webhook what it has missed."""
    said = StringIO()
    telling = teller(tmp_path, receiver, said, notify_timeout_ms=500)
    receiver.webhook_status = status
    telling.remember(cdn_down(1))
    assert f"webhook was not notified of failing: {words}" in said.getvalue()
    assert "notified:  github of failing" in said.getvalue()
    assert receiver.webhook not in said.getvalue()
    receiver.webhook_status = 200
    second = teller(tmp_path, receiver, said).remember(cdn_down(2))
    assert (second.alert, second.pending) == ("", "failing")
    assert len(receiver.messages) == 1
    assert (len(receiver.issues), receiver.issues[0]["comments"]) == (1, [])
    assert teller(tmp_path, receiver, said, escalate_after_runs=0).remember(cdn_down(3)).pending == ""
    assert len(receiver.messages) == 1


def test_github_that_refuses_is_a_warning(tmp_path: Path, receiver: Receiver) -> None:
    """Such as for a token without the right; the token is not in the words."""
    said = StringIO()
    receiver.github_status = 403
    teller(tmp_path, receiver, said).remember(cdn_down(1))
    assert f"github was not notified of failing: GET /repos/{REPO}/issues answered 403" in said.getvalue()
    assert len(receiver.messages) == 1


def test_an_issue_is_found_again_when_the_history_is_lost(tmp_path: Path, receiver: Receiver) -> None:
    """By its marker: no second issue is opened for the same outage, and it is closed at the end."""
    said = StringIO()
    teller(tmp_path, receiver, said).remember(cdn_down(1))
    (tmp_path / "history.jsonl").unlink()
    teller(tmp_path, receiver, said).remember(cdn_down(2))
    assert len(receiver.issues) == 1
    assert len(receiver.issues[0]["comments"]) == 1
    teller(tmp_path, receiver, said).remember(ok(3))
    assert receiver.open_issues() == []


def test_a_damaged_history_is_a_warning(tmp_path: Path, receiver: Receiver) -> None:
    """Its good lines count."""
    said = StringIO()
    teller(tmp_path, receiver, said).remember(cdn_down(1))
    path = tmp_path / "history.jsonl"
    path.write_bytes(path.read_bytes() + b'{"format": "chatkit-har')
    record = teller(tmp_path, receiver, said).remember(cdn_down(2))
    assert (record.alert, record.runs) == ("", 2)
    assert "1 line(s) of" in said.getvalue()


def test_a_history_that_cannot_be_written_is_a_warning(tmp_path: Path, receiver: Receiver) -> None:
    """People are told all the same."""
    said = StringIO()
    (tmp_path / "history.jsonl").mkdir()
    assert teller(tmp_path, receiver, said).remember(cdn_down(1)).alert == "failing"
    assert "this run is judged without a history" in said.getvalue()
    assert len(receiver.messages) == 1


def test_no_secret_is_told(tmp_path: Path, receiver: Receiver) -> None:
    """Not in a message, not in an issue, not in the history, not in the metrics."""
    said = StringIO()
    secret = "sk-test-0123456789-not-to-be-told"
    leaky = replace(cdn_down(1), summary=f"answered 401 (Incorrect API key provided: {secret})")
    record = teller(tmp_path, receiver, said).remember(leaky)
    everything = [said.getvalue(), str(receiver.messages), str(receiver.issues), render_metrics(record)]
    everything.append((tmp_path / "history.jsonl").read_text(encoding="utf-8"))
    assert not [text for text in everything if secret in text or TOKEN in text]

"""The timeline: stamping, bounds, redaction at append, and what a saved file can go through."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest
from builders import (
    ONE_OF_EACH,
    body,
    body_read,
    console_message,
    entries,
    harness_fault,
    hosted,
    omitted,
    page_crashed,
    request_started,
    response_received,
    secret_text,
    shadow_changed,
    visit_ended,
)

from harness.errors import RecordingError
from harness.model.bounds import Bounds
from harness.model.events import ConsoleMessage, Event, HarnessFault, Omitted, PageCrashed, RequestStarted, VisitEnded
from harness.model.redaction import Redactor
from harness.model.timeline import (
    EVENT_TYPES,
    FORMAT,
    Entry,
    Timeline,
    decode,
    encode,
    header_line,
    read_timeline,
)

HEAD = header_line(started_at="2026-11-24T08:00:00.000+00:00")


def ticking(*moments: float) -> Callable[[], float]:
    """Return a clock that shows these moments, one for each look."""
    left = list(moments)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def timeline(
    *, limit: int = 50_000, redactor: Redactor | None = None, clock: Callable[[], float] | None = None
) -> Timeline:
    """Return an empty timeline on a clock that stands still."""
    return Timeline(clock_ms=clock or ticking(0.0), redactor=redactor or Redactor(), bounds=Bounds(entries=limit))


# --- stamping -----------------------------------------------------------------------------------------------------


def test_entries_are_numbered_from_one_and_timed_from_the_start() -> None:
    """`seq` counts from 1; `at_ms` counts from the moment the timeline was made."""
    line = timeline(clock=ticking(1_000.0, 1_000.25, 1_012.5))
    line.append(console_message("a"))
    line.append(console_message("b"))
    assert [(entry.seq, entry.at_ms) for entry in line.entries] == [(1, 0.25), (2, 12.5)]


def test_now_is_never_later_than_what_is_stamped_afterwards() -> None:
    """Whoever asks for the time first, and lets an event in then, sees them in this order to the last digit."""
    line = timeline(clock=ticking(0.0, 100.000_4))
    before = line.now_ms
    line.append(console_message())
    assert before <= line.entries[0].at_ms


def test_each_entry_goes_to_the_sink_and_then_wakes_the_waiter() -> None:
    """The sink has the line before anybody is told that there is one."""
    seen: list[str] = []
    line = Timeline(clock_ms=ticking(0.0), redactor=Redactor(), sink=lambda entry: seen.append(f"line {entry.seq}"))
    line.wake = lambda: seen.append("wake")
    line.append(console_message())
    assert seen == ["line 1", "wake"]


def test_since_returns_what_came_after() -> None:
    """A reader that remembers the last `seq` gets every entry once."""
    line = timeline()
    for text in "abc":
        line.append(console_message(text))
    assert [entry.seq for entry in line.since(1)] == [2, 3]
    assert line.since(3) == ()


def test_events_of_many_threads_get_numbers_without_gaps() -> None:
    """Servers and browser callbacks append at the same time."""
    line = timeline()
    threads = [threading.Thread(target=lambda: [line.append(console_message()) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry.seq for entry in line.entries] == list(range(1, 201))


# --- bounds -------------------------------------------------------------------------------------------------------


def kinds(line: Timeline) -> list[type[Event]]:
    """Return the kinds of the entries."""
    return [type(entry.event) for entry in line.entries]


def test_past_the_limit_one_line_stands_for_the_rest() -> None:
    """The bound is said once, however much follows."""
    line = timeline(limit=2)
    for _ in range(5):
        line.append(console_message())
    assert kinds(line) == [ConsoleMessage, ConsoleMessage, Omitted]
    assert line.entries[-1].event == omitted("timeline entries", "2")


def test_past_the_limit_the_end_and_what_must_not_be_missed_are_kept() -> None:
    """A crash, a fault of ours and the end of the visit come through; nothing is left out twice."""
    line = timeline(limit=1)
    for event in (
        console_message(),
        console_message(),
        page_crashed(),
        harness_fault(),
        console_message(),
        visit_ended(),
    ):
        line.append(event)
    line.append(console_message())
    assert kinds(line) == [ConsoleMessage, Omitted, PageCrashed, HarnessFault, VisitEnded]


@pytest.mark.parametrize("limit", [0, 1])
def test_the_limit_is_said_whatever_the_last_line_was(limit: int) -> None:
    """The first event past the limit is replaced, also on an empty timeline and after another `Omitted`."""
    line = timeline(limit=limit)
    for event in [omitted("console")] * limit:
        line.append(event)
    line.append(console_message())
    assert line.entries[-1].event == omitted("timeline entries", str(limit))


# --- redaction ----------------------------------------------------------------------------------------------------


def test_secrets_never_get_past_append() -> None:
    """Texts, headers and tuples of texts are clean in memory, not only on disk."""
    secret, line = secret_text(), timeline()
    headers = (("authorization", f"Bearer {secret}"), ("cookie", "sid=4f7Qm2ZxW9vB4f7Q"), ("x-note", f"see {secret}"))
    line.append(request_started(url=f"https://app.test/?s={secret}", headers=headers, body=body("q")))
    line.append(console_message(f"got {secret}"))
    line.append(shadow_changed("style", f"div.{secret}"))
    text = "".join(encode(entry) for entry in line.entries)
    assert secret not in text
    assert "4f7Qm2ZxW9vB4f7Q" not in text
    assert text.count("<redacted:client_secret:1>") == 5


def test_ids_hashes_and_digests_stay_as_they_are() -> None:
    """What is never a secret is not searched, so that a learned value cannot change an id."""
    redactor = Redactor([("token", "r123456"), ("token", "digest-a"), ("token", "abc123def")])
    line = timeline(redactor=redactor)
    line.append(request_started("r123456", string_digests=("digest-a",), body=body("abc123def")))
    line.append(body_read("r123456", secret_digest="digest-a"))
    assert [entry.event for entry in line.entries] == [
        request_started("r123456", string_digests=("digest-a",), body=body("abc123def")),
        body_read("r123456", secret_digest="digest-a"),
    ]


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: type(event).__name__)
def test_an_event_without_secrets_is_kept_as_it_is(event: Event) -> None:
    """Redaction gives back an equal event of the same kind."""
    line = timeline()
    line.append(event)
    assert line.entries[0].event == event


# --- saved files --------------------------------------------------------------------------------------------------


def saved(*lines: str, head: str = HEAD) -> list[str]:
    """Return the lines of a saved timeline."""
    return [head, *lines]


def test_there_is_a_builder_for_every_kind_of_event() -> None:
    """A new event has to take part in these tests."""
    assert {type(event).__name__ for event in ONE_OF_EACH} == set(EVENT_TYPES)


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: type(event).__name__)
def test_every_kind_of_event_comes_back_from_its_line(event: Event) -> None:
    """One line of JSON without a line break holds everything."""
    entry = Entry(seq=7, at_ms=12.5, event=event)
    line = encode(entry)
    assert "\n" not in line
    assert decode(line) == entry


def test_optional_values_come_back_as_none() -> None:
    """`Body | None` and `bool | None`."""
    for event in (request_started(body=None), body_read(body=None, is_verified=None), body_read(is_verified=False)):
        assert decode(encode(Entry(seq=1, at_ms=0.0, event=event))).event == event


def test_texts_with_every_kind_of_line_break_stay_on_one_line() -> None:
    """Also for a reader that splits at U+2028 or U+0085, as `str.splitlines` does."""
    text = "a\nb\rc\u2028d\u2029e\u0085f\x0bg\x0ch\x1ci ✖ \ud83d"
    entry = Entry(seq=1, at_ms=0.0, event=console_message(text))
    assert len(encode(entry).splitlines()) == 1
    assert decode(encode(entry)) == entry


def test_a_saved_timeline_comes_back() -> None:
    """Header, entries, and blank lines that an editor left."""
    visit = entries(hosted(), visit_ended())
    assert read_timeline(saved(*map(encode, visit), "", "  ")) == visit


def test_the_header_names_format_version_and_both_clocks() -> None:
    """Line one says how to read the others."""
    head = json.loads(HEAD)
    assert (head["format"], head["version"], head["started_at"]) == (
        FORMAT.name,
        FORMAT.version,
        "2026-11-24T08:00:00.000+00:00",
    )
    assert set(head["clocks"]) == {"at_ms", "page_ms"}


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_last_line_that_was_cut_is_left_out(kept: float) -> None:
    """A killed process loses at most the line it was writing."""
    whole = [encode(entry) for entry in entries(console_message("a"), console_message("b"))]
    cut = whole[1][: int(len(whole[1]) * kept)]
    assert read_timeline(saved(whole[0], cut)) == entries(console_message("a"))


def test_a_line_that_was_cut_in_the_middle_is_an_error() -> None:
    """Only the last line can be cut by a killed process; elsewhere the file is damaged."""
    whole = [encode(entry) for entry in entries(console_message("a"), console_message("b"))]
    with pytest.raises(RecordingError, match="line 2 is damaged"):
        read_timeline(saved(whole[0][:20], whole[1]))


def test_a_newer_format_is_refused_with_a_sentence() -> None:
    """Reading it would misunderstand it."""
    newer = HEAD.replace(f'"version":{FORMAT.version}', f'"version":{FORMAT.version + 1}')
    with pytest.raises(RecordingError, match=rf"format {FORMAT.version + 1} is newer .* update chatkit-harness"):
        read_timeline(saved(head=newer))


NO_HEADER = (
    "",
    "{}",
    "[]",
    "1",
    "not JSON",
    '{"format": "har"}',
    HEAD[:30],
    HEAD.replace('"version":1', '"version":"1"'),
)


@pytest.mark.parametrize("head", NO_HEADER)
def test_a_file_that_is_no_timeline_is_refused(head: str) -> None:
    """Another format, a damaged header, or nothing at all."""
    with pytest.raises(RecordingError, match=r"line 1 is (not a chatkit-harness/timeline file|damaged)"):
        read_timeline(saved(head=head))


GOOD = encode(Entry(seq=1, at_ms=0.5, event=response_received()))
BAD_LINES = {
    "a list": "[1]",
    "a number": "1",
    "no kind": '{"seq":1,"at_ms":0}',
    "an unknown kind": GOOD.replace("ResponseReceived", "ResponseImagined"),
    "a kind that is no name": GOOD.replace('"ResponseReceived"', "[]"),
    "a missing field": GOOD.replace('"status":200,', ""),
    "a field of another type": GOOD.replace('"status":200', '"status":"200"'),
    "a null": GOOD.replace('"status":200', '"status":null'),
    "headers that are none": GOOD.replace('[["content-type","application/json"]]', "7"),
    "a seq that is not a number": GOOD.replace('"seq":1', '"seq":"1"'),
    "a time that is not a number": GOOD.replace('"at_ms":0.5', '"at_ms":true'),
}


@pytest.mark.parametrize("line", BAD_LINES.values(), ids=BAD_LINES.keys())
def test_a_line_that_does_not_fit_is_refused(line: str) -> None:
    """Whatever stands there, it is a RecordingError and not a crash further down."""
    assert decode(GOOD)
    with pytest.raises(RecordingError, match="timeline's line is damaged"):
        decode(line)


def test_fields_of_a_later_version_are_passed_over() -> None:
    """A line may say more than we know."""
    more = GOOD.replace('"status":200', '"status":200,"protocol":"h3"')
    assert isinstance(decode(more).event, type(response_received()))


def test_whole_numbers_are_times_too() -> None:
    """JSON has one kind of number."""
    assert decode(GOOD.replace('"at_ms":0.5', '"at_ms":3')).at_ms == 3


def test_the_timeline_in_memory_reads_back_from_its_sink() -> None:
    """What is written line by line is what is held."""
    lines: list[str] = []
    line = Timeline(clock_ms=ticking(0.0), redactor=Redactor(), sink=lambda entry: lines.append(encode(entry)))
    for entry in entries(hosted()):
        line.append(entry.event)
    assert read_timeline(saved(*lines)) == line.entries
    assert any(isinstance(entry.event, RequestStarted) for entry in line.entries)

"""What the in-page probe says becomes events; what does not fit becomes a fault of ours, and never an exception."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from builders import (
    ONE_OF_EACH,
    box_changed,
    element_connected,
    omitted,
    shadow_changed,
)

from harness.drive import sealing
from harness.model.chatkit import EVENTS, TAG
from harness.model.events import Event, HarnessFault, NoticeShown
from harness.model.redaction import Redactor
from harness.model.timeline import Timeline
from harness.observe.probe import KINDS, Probe, event_of, probe_source

NAMES = {kind: name for name, kind in KINDS.items()}


def fact_of(event: Event) -> dict[str, Any]:
    """Return an event as the probe's JSON has it: lists, and whole numbers where they are whole."""
    return json.loads(json.dumps({"kind": NAMES[type(event)], **asdict(event)}))  # type: ignore[no-any-return]


def received(*messages: Any) -> list[Event]:
    """Return the events that these messages become. A text is sent as it is."""
    timeline = Timeline(clock_ms=lambda: 0.0, redactor=Redactor())
    probe = Probe(timeline, "salt")
    for message in messages:
        probe.receive(message if isinstance(message, str) else json.dumps(message))
    return [entry.event for entry in timeline.entries]


@pytest.mark.parametrize(
    "event", [event for event in ONE_OF_EACH if type(event) in NAMES], ids=lambda event: type(event).__name__
)
def test_every_fact_becomes_its_event(event: Event) -> None:
    """One kind of fact for each kind of in-page event."""
    assert event_of(fact_of(event)) == event


def test_every_kind_has_a_builder() -> None:
    """A new kind has to take part in these tests."""
    assert set(NAMES) <= {type(event) for event in ONE_OF_EACH}


def test_a_fact_is_not_changed_by_reading_it() -> None:
    """The caller's value stays as it was."""
    fact = fact_of(element_connected())
    event_of(fact)
    assert fact == fact_of(element_connected())


def test_facts_of_one_message_come_in_order() -> None:
    """Facts of one task travel together."""
    facts = [fact_of(element_connected()), fact_of(shadow_changed()), fact_of(box_changed())]
    assert received({"v": 1, "facts": facts}) == [element_connected(), shadow_changed(), box_changed()]


def test_what_the_probe_left_out_is_said() -> None:
    """Its own bound is a fact like others."""
    fact = {"kind": "omitted", "page_ms": 3, "document": "d1"}
    assert received({"v": 1, "facts": [fact]}) == [omitted("facts of the in-page probe", "4000")]


def changed(**changes: Any) -> dict[str, Any]:
    """Return a fact that is wrong in one place."""
    return {**fact_of(shadow_changed()), **changes}


UNUSABLE: dict[str, Any] = {
    "no JSON": "{",
    "no object": "[]",
    "a bare number": "7",
    "nested too deeply": "[" * 100_000,
    "another version": {"v": 2, "facts": []},
    "no version": {"facts": []},
    "no facts": {"v": 1},
    "facts that are none": {"v": 1, "facts": 7},
    "a fact that is a text": {"v": 1, "facts": ["x"]},
    "a fact without a kind": {"v": 1, "facts": [{}]},
    "an unknown kind": {"v": 1, "facts": [{"kind": "element-imagined"}]},
    "a kind that is no text": {"v": 1, "facts": [{"kind": []}]},
    "a missing field": {"v": 1, "facts": [{"kind": "element-connected", "document": "d1", "embed": 1}]},
    "a field nobody knows": {"v": 1, "facts": [changed(colour="red")]},
    "a number that is a text": {"v": 1, "facts": [changed(page_ms="soon")]},
    "a number that is none": {"v": 1, "facts": [changed(embed=1.5)]},
    "a statement that is none": {"v": 1, "facts": [changed(data_loaded="true")]},
    "a list of other things": {"v": 1, "facts": [changed(children=["style", {}])]},
    "a list that is none": {"v": 1, "facts": [changed(children="style")]},
}


@pytest.mark.parametrize("message", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_an_unusable_message_is_a_fault_of_ours(message: Any) -> None:
    """It is written down, and nothing is raised into the browser's callback."""
    assert [type(event) for event in received(message)] == [HarnessFault]


def test_good_facts_before_a_bad_one_are_kept() -> None:
    """One wrong fact costs what follows it, not what was there."""
    events = received({"v": 1, "facts": [fact_of(element_connected()), {"kind": "x"}]})
    assert [type(event).__name__ for event in events] == ["ElementConnected", "HarnessFault"]


def test_the_script_names_every_kind_and_the_place_of_the_salt() -> None:
    """The two halves of the probe fit together, and it stays a small guest. One kind is of the script that keeps WebRTC here."""
    source, seal = probe_source(), (Path(sealing.__file__).with_name("seal.js")).read_text(encoding="utf-8")
    assert {name for name in KINDS if f"kind: '{name}'" not in source} == {"request-blocked"}
    assert "kind: 'request-blocked'" in seal
    assert source.count("__SALT__") == source.count("__CHATKIT__") == 1
    assert len(source) < 20_000


class Context:
    """A browser context that keeps what is installed."""

    def __init__(self) -> None:
        self.script = ""
        self.bindings: dict[str, Any] = {}

    def expose_binding(self, name: str, callback: Any) -> None:
        """Keep the binding."""
        self.bindings[name] = callback

    def add_init_script(self, script: str) -> None:
        """Keep the script."""
        self.script = script


def stream(**changes: Any) -> dict[str, Any]:
    """Return what the probe says of a stream."""
    fact = {"kind": "stream-read", "page_ms": 9, "document": "d2", "url": "https://a.test/s", "number": 1}
    return fact | {"at_ms": [5, 40.5], "texts": ["data: a", "data: b"]} | changes


def test_a_stream_goes_to_who_has_its_body_and_not_into_the_timeline() -> None:
    """Its pieces are not redacted yet."""
    timeline, heard = Timeline(clock_ms=lambda: 0.0, redactor=Redactor()), []
    Probe(timeline, "salt", heard.append).receive(json.dumps({"v": 1, "facts": [stream()]}))
    assert timeline.entries == ()
    assert [(read.number, read.at_ms, read.texts) for read in heard] == [(1, (5.0, 40.5), ("data: a", "data: b"))]


@pytest.mark.parametrize(
    "change",
    [
        {"url": 7},
        {"number": "1"},
        {"at_ms": [5]},
        {"at_ms": 5},
        {"texts": [1, 2]},
        {"texts": None},
        {"at_ms": ["a", "b"]},
    ],
)
def test_a_stream_that_does_not_fit_is_a_fault_of_ours(change: dict[str, Any]) -> None:
    """As any other fact."""
    assert [type(event) for event in received({"v": 1, "facts": [stream(**change)]})] == [HarnessFault]


def test_only_the_page_of_the_visit_is_listened_to() -> None:
    """A pop-up has the probe too, and its documents are not the page's."""
    timeline, context, page, pop_up = Timeline(clock_ms=lambda: 0.0, redactor=Redactor()), Context(), object(), object()
    Probe(timeline, "pepper").install(context, page)  # type: ignore[arg-type]  # no browser here
    [send] = context.bindings.values()
    for source in (pop_up, page):
        send({"page": source}, json.dumps({"v": 1, "facts": [fact_of(element_connected())]}))
    assert [entry.event for entry in timeline.entries] == [element_connected()]
    assert "'pepper'" in context.script
    assert "__SALT__" not in context.script
    assert "__CHATKIT__" not in context.script
    assert f'"tag": "{TAG}"' in context.script
    assert all(f'"{name}"' in context.script for name in EVENTS)


@pytest.mark.parametrize("number", ["NaN", "1e999", "-Infinity", "1e300"])
def test_a_number_that_is_none_is_a_fault_of_ours(number: str) -> None:
    """No event has a time that cannot be saved and read again."""
    fact = json.dumps({"v": 1, "facts": [fact_of(element_connected())]})
    message = re.sub(r'"page_ms": [\d.]+', f'"page_ms": {number}', fact)
    assert message != fact
    assert [type(event) for event in received(message)] == [HarnessFault]


def test_half_a_character_is_kept() -> None:
    """A page's text may be cut in the middle of one."""
    text = json.dumps(
        {"v": 1, "facts": [{"kind": "notice-shown", "document": "d", "page_ms": 1, "text": "wait \ud83d"}]}
    )
    assert received(text) == [NoticeShown(document="d", page_ms=1.0, text="wait \ud83d")]

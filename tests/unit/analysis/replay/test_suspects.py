"""What looks wrong in a recording, and how experiments find the smallest part of it that matters."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from builders import CONVERSATION, CUSTOM, FRAME, LOADER, SESSION, VERIFY_HOSTED, secret_text

from harness.analysis.replay.minimising import filtered, minimal, relevant
from harness.analysis.replay.suspects import FACTS, OF_LAYER, Suspect, disagreement, smallest, suspects_of, targets_of
from harness.analysis.rules import BY_ID
from harness.model.faults import EXCHANGES
from harness.model.recording import Chunk, RecordedExchange, RecordedVerdict, Recording

PAGE = "https://app.test/chat"
GOOD_SECRET = f'{{"client_secret": "{secret_text("c0ffee00" * 6, expires_at=1795600000)}"}}'
ENTRY = "https://cdn.platform.openai.com/assets/ck1/index-abc.js"


def exchange(url: str, text: str = "", **changes: Any) -> RecordedExchange:
    """Return an exchange that went well."""
    kinds = {PAGE: ("document", "text/html"), FRAME: ("document", "text/html"), LOADER: ("script", "text/javascript"),
             ENTRY: ("script", "text/javascript")}  # fmt: skip
    kind, media_type = kinds.get(url, ("fetch", "application/json"))
    defaults = {"method": "POST" if kind == "fetch" else "GET", "resource_type": kind, "media_type": media_type, "status": 200,
                "answered_ms": 5.0, "ended_ms": 9.0, "chunks": (Chunk(at_ms=0, text=text),)}  # fmt: skip
    return RecordedExchange(**{"number": 1, "url": url} | defaults | changes)


HEALTHY = (
    exchange(PAGE),
    exchange(LOADER),
    exchange(SESSION, GOOD_SECRET),
    exchange(FRAME),
    exchange(ENTRY),
    exchange(VERIFY_HOSTED, '{"verified": true}'),
    exchange(CONVERSATION, "{}", operation="threads.list"),
    exchange(CUSTOM, "{}", operation="threads.list"),
)


def recording(*exchanges: RecordedExchange, **changes: Any) -> Recording:
    """Return a recording of these exchanges, numbered in order."""
    numbered = tuple(replace(x, number=number) for number, x in enumerate(exchanges, start=1))
    return Recording(name="x", url=PAGE, started_at="2026-11-24T08:00:00+00:00", exchanges=numbered, **changes)


def odd(*exchanges: RecordedExchange, **changes: Any) -> dict[str, str]:
    """Return what looks wrong, with why."""
    return {suspect.name: suspect.why for suspect in suspects_of(recording(*exchanges, **changes)) if suspect.is_odd}


def test_a_healthy_visit_has_suspects_and_nothing_odd() -> None:
    """Experiments may be made with all of them."""
    assert odd(*HEALTHY) == {}
    names = [suspect.name for suspect in suspects_of(recording(*HEALTHY))]
    assert set(names) == {"page", "script", "session", "frame", "entry", "verify", "conversation", "custom", *FACTS}
    assert names[-1] == "embed"  # it heals too much, so it is tried last


ODD: list[tuple[RecordedExchange, str, str]] = [
    (exchange(SESSION, status=401), "session", "answered 401"),
    (exchange(SESSION, '{"client_secret": "mock-secret"}'), "session", "has no valid client secret"),
    (exchange(SESSION, GOOD_SECRET.replace("_00", "_99")), "session", "has no valid client secret"),
    (exchange(SESSION, f'{{"s": "{secret_text("c0ffee", expires_at=1700000000)}"}}'), "session", "has no valid "
    "client secret"),
    (exchange(SESSION, GOOD_SECRET, answered_ms=8_000, ended_ms=8_001), "session", "took 8.0 s"),
    (exchange(SESSION, GOOD_SECRET, ended_ms=-1), "session", "never ended"),
    (exchange(LOADER, status=0, failure="net::ERR_BLOCKED_BY_CLIENT"), "script", "failed with net::ERR_BLOCKED_BY_CLIENT"),
    (exchange(LOADER, status=0, answered_ms=-1, ended_ms=-1), "script", "was never answered"),
    (exchange(LOADER, media_type="text/html"), "script", "is text/html"),
    (exchange("https://cdn.openai.com/chatkit.js", resource_type="script", method="GET", media_type="text/javascript"), "script",
     "is not on ChatKit's CDN"),
    (exchange(FRAME, headers=(("X-Frame-Options", "deny"),)), "frame", "has x-frame-options"),
    (exchange(PAGE, headers=(("Content-Security-Policy", "script-src 'self'"),)), "page", "has content-security-policy"),
    (exchange(PAGE, '<meta http-equiv="Content-Security-Policy" content="x">'), "page", "has a policy in its HTML"),
    (exchange(ENTRY, media_type="text/html"), "entry", "is text/html"),
    (exchange(VERIFY_HOSTED, '{"verified": false}'), "verify", 'does not have the result "verified"'),
    (exchange(CONVERSATION, media_type="text/html"), "conversation", "is text/html"),
    (exchange(CUSTOM, operation="threads.list", status=500), "custom", "answered 500"),
]  # fmt: skip


@pytest.mark.parametrize(("found", "name", "why"), ODD, ids=[f"{name} {why}" for _, name, why in ODD])
def test_what_looks_wrong_is_said(found: RecordedExchange, name: str, why: str) -> None:
    """Why, in a few words."""
    assert odd(found) == {name: why}


def test_what_the_page_broke_off_itself_is_not_odd() -> None:
    """It changed its mind."""
    assert odd(exchange(SESSION, GOOD_SECRET, failure="net::ERR_ABORTED")) == {}


def test_a_request_that_was_aborted_at_once_and_made_again_is_the_second_one() -> None:
    """React's StrictMode does it in development: what is odd is the answer to the request that was made again."""
    first = exchange(SESSION, status=0, failure="net::ERR_ABORTED", answered_ms=-1, ended_ms=2, chunks=())
    assert odd(first, exchange(SESSION, status=500)) == {"session": "answered 500"}
    assert odd(first) == {"session": "was never answered"}
    assert odd(first, exchange(SESSION, status=500, started_ms=5_000)) == {"session": "was never answered"}


def test_the_rules_propose_facts_of_the_page() -> None:
    """No answer of a server tells them."""
    judged = RecordedVerdict(findings=("loader-not-referenced", "element-without-height"))
    assert set(odd(*HEALTHY, judged=judged)) == {"tag", "layout"}


def test_every_layer_of_the_rules_is_about_some_suspect() -> None:
    """A new layer has to be thought of here."""
    assert {rule.layer for rule in BY_ID.values()} == set(OF_LAYER)
    assert {name for names in OF_LAYER.values() for name in names} <= {*EXCHANGES, *FACTS}


def test_experiments_that_contradict_the_rules_are_said() -> None:
    """Only where none of the healed parts is what the rule is about."""
    assert disagreement("session-unauthorized", ["session"]) == ""
    assert disagreement("element-without-height", ["session", "layout"]) == ""
    assert "session-unauthorized (session endpoint)" in disagreement("session-unauthorized", ["verify"])
    assert disagreement("unexplained", ["verify"]) == ""
    assert disagreement("session-unauthorized", []) == ""


# --- delta debugging ----------------------------------------------------------------------------------------------


def needing(*names: str) -> Callable[[frozenset[str]], bool]:
    """Return an experiment that works when all of these are healed."""
    return lambda healed: set(names) <= healed


SUSPECTS = [Suspect(name=name, why="odd" if name in ("session", "script") else "") for name in
            ("session", "script", "page", "frame", "tag", "layout", "embed")]  # fmt: skip


@pytest.mark.parametrize(
    ("needed", "most"),
    [(["session"], 1), (["script"], 2), (["session", "script"], 5), (["layout"], 7), (["frame", "layout"], 14),
     (["session", "page", "tag"], 14), (["embed"], 9), (["script", "embed"], 16)],
)  # fmt: skip
def test_the_smallest_set_is_found(needed: list[str], most: int) -> None:
    """Exactly what is needed, with few experiments."""
    found = smallest(SUSPECTS, needing(*needed))
    assert set(found.names) == set(needed)
    assert found.experiments <= most


def test_no_set_is_found_where_nothing_helps() -> None:
    """It is said, and no experiment is made twice."""
    made: list[frozenset[str]] = []

    def works(names: frozenset[str]) -> bool:
        made.append(names)
        return False

    assert smallest(SUSPECTS, works).names == ()
    assert len(made) == len(set(made))


def numbers(*wanted: int) -> Callable[[frozenset[int]], bool]:
    """Return an experiment that works with all of these."""
    return lambda kept: set(wanted) <= kept


def noisy(count: int) -> Recording:
    """Return the healthy recording among so many images."""
    images = [exchange(f"https://ads.test/{n}.png", resource_type="image", method="GET") for n in range(count)]
    return recording(*HEALTHY, *images)


def test_unrelated_requests_are_left_out_at_once() -> None:
    """200 of them cost one experiment; the rest is tried one by one."""
    kept, experiments = minimal(noisy(200), numbers(1, 3))
    assert kept == {1, 3}
    assert experiments <= 25


def test_what_is_needed_stays_wherever_it_is() -> None:
    """Also when it did not look relevant, and when the experiments run out."""
    kept, _ = minimal(noisy(30), numbers(1, 3, 20))
    assert kept == {1, 3, 20}
    kept, experiments = minimal(noisy(60), numbers(1, 3, 20, 40, 61), most=8)
    assert kept >= {1, 3, 20, 40, 61}
    assert experiments <= 8


def test_relevant_is_the_page_its_scripts_and_chatkit() -> None:
    """Not the images, and not what other hosts measure."""
    own = exchange("https://app.test/app.js", resource_type="script", method="GET")
    other = exchange("https://ads.test/t.js", resource_type="script", method="GET")
    assert relevant(recording(*HEALTHY, own, other)) == set(range(1, 10))


def row(seq: int, **content: Any) -> dict[str, Any]:
    """Return a HAR entry."""
    return {"_seq": seq, "request": {"url": f"https://a.test/{seq}"}, "response": {"content": content}}


def test_a_body_whose_first_place_is_left_out_moves() -> None:
    """The next entry that refers to it holds it, and later ones refer to that."""
    har = {"log": {"entries": [row(3, text="x"), row(5, _sameAs=3), row(7, _sameAs=3), row(9, text="y")]}}
    entries = filtered(har, frozenset({2, 3}))["log"]["entries"]
    assert [entry["response"]["content"] for entry in entries] == [{"text": "x"}, {"text": "x"}]
    assert filtered(har, frozenset({1, 2}))["log"]["entries"][1]["response"]["content"] == {"_sameAs": 3}
    assert len(har["log"]["entries"]) == 4  # what was given is not changed


def test_a_target_is_named_as_in_the_fault_language() -> None:
    """An exchange can be several."""

    def names(x: RecordedExchange) -> Iterable[str]:
        return list(targets_of(x, recording(x)))

    assert names(exchange(PAGE)) == ["page"]
    assert names(exchange(LOADER)) == ["script"]
    assert names(exchange("https://ads.test/1.png", resource_type="image")) == []

"""The store of bodies: each text once, redacted before it is cut, bounded, and redacted again when it is read."""

from __future__ import annotations

import hashlib

import pytest
from builders import secret_text

from harness.model.bounds import Bounds
from harness.model.redaction import Redactor
from harness.observe import bodies
from harness.observe.bodies import BodyStore


def test_a_text_is_kept_once_and_found_by_its_reference() -> None:
    """Two answers with the same body share it."""
    store = BodyStore(Redactor())
    first, second = store.keep("ä text", "text/plain"), store.keep("ä text", "application/json")
    assert (first.sha256, first.size_bytes, first.media_type) == (
        hashlib.sha256("ä text".encode()).hexdigest(),
        7,
        "text/plain",
    )
    assert second.sha256 == first.sha256
    assert store.text(second) == "ä text"
    assert not first.is_truncated


def test_the_hash_is_of_what_is_kept_and_the_size_of_what_was_sent() -> None:
    """Nobody can tell a secret from the hash of a body."""
    secret = secret_text()
    body = BodyStore(Redactor()).keep(secret, "text/plain")
    assert body.size_bytes == len(secret)
    assert body.sha256 == hashlib.sha256(b"<redacted:client_secret:1>").hexdigest()


def test_a_secret_that_is_learned_later_is_not_in_the_text() -> None:
    """The report is written when more is known than when the body was read."""
    redactor = Redactor()
    store = BodyStore(redactor)
    body = store.keep("the value is opaque-4711", "text/plain")
    redactor.learn("token", "opaque-4711")
    assert store.text(body) == "the value is <redacted:token:1>"


def test_a_secret_across_the_bound_is_not_cut_in_two() -> None:
    """Redaction comes before the cut, so that no half of a secret stays."""
    store = BodyStore(Redactor(), Bounds(body_chars=60))
    body = store.keep("x" * 49 + " " + secret_text(), "text/plain")
    assert store.text(body) == "x" * 49 + " <redacted:"
    assert body.is_truncated


def test_the_far_end_of_a_large_body_is_not_even_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle of megabytes is not redacted only to be thrown away; no half of a secret stays where the look ends."""
    monkeypatch.setattr(bodies, "LONGEST_SECRET_CHARS", 100)
    redactor = Redactor()
    body = BodyStore(redactor, Bounds(body_chars=1_000)).keep("x " * 2_000 + secret_text(), "text/plain")
    assert body.is_truncated
    assert redactor.secrets == ()
    # Placeholders are so much shorter than secrets that all that was looked at would be kept.
    secret = secret_text("0123456789ab" * 4)
    store = BodyStore(Redactor([("client_secret", secret)]), Bounds(body_chars=1_000))
    kept = store.text(store.keep(" ".join([secret] * 60), "text/plain"))
    assert 300 < len(kept) < 1_000
    assert {word[:10] for word in kept.split()[:-1]} == {"<redacted:"}
    assert "<redacted:client_secret:1>".startswith(kept.split()[-1])


def test_a_visit_keeps_a_bounded_amount_of_text() -> None:
    """What is over the bound is referred to, and says that it is cut; a text that is there costs nothing more."""
    store = BodyStore(Redactor(), Bounds(bodies_chars=10))
    kept = [store.keep(text, "text/plain") for text in ("aaaaaa", "aaaaaa", "bbbbbb", "cccccc")]
    assert [store.text(body) for body in kept] == ["aaaaaa", "aaaaaa", "bbbb", ""]
    assert [body.is_truncated for body in kept] == [False, False, True, True]
    assert [body.size_bytes for body in kept] == [6, 6, 6, 6]


def test_a_body_of_another_visit_has_no_text() -> None:
    """A reference that nothing stands behind is empty, not an error."""
    elsewhere = BodyStore(Redactor()).keep("text", "text/plain")
    assert BodyStore(Redactor()).text(elsewhere) == ""


def test_half_a_character_can_be_kept() -> None:
    """A body that was decoded badly is text like others."""
    store = BodyStore(Redactor())
    assert store.text(store.keep("\ud83d", "text/plain")) == "\ud83d"


def test_a_body_that_is_no_text_is_kept_as_it_is() -> None:
    """Whole, once, and with what is secret in it overwritten."""
    secret = secret_text()
    store = BodyStore(Redactor([("client_secret", secret)]))
    body = store.keep_bytes(b"\0asm\xff" + secret.encode(), "application/wasm")
    assert store.content(body) == b"\0asm\xff" + b"*" * len(secret)
    assert (store.text(body), body.is_truncated) == ("", False)


def test_half_of_a_body_that_is_no_text_is_not_kept() -> None:
    """Nothing can be done with it."""
    store = BodyStore(Redactor(), Bounds(bodies_chars=3))
    body = store.keep_bytes(b"\0asm\xff", "application/wasm")
    assert (store.content(body), body.is_truncated) == (b"", True)


def test_a_body_is_searched_again_only_when_more_is_secret() -> None:
    """A large one takes a while."""
    redactor = Redactor()
    store = BodyStore(redactor)
    body = store.keep(f"late: {secret_text()[3:30]}", "text/plain")
    first = store.content(body)
    assert store.content(body) is first
    placeholder = redactor.learn("token", secret_text()[3:30])
    assert store.content(body) == f"late: {placeholder}"

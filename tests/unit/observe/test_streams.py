"""The pieces of a stream are found again in its body, also when a secret in it is replaced."""

from __future__ import annotations

from builders import secret_text

from harness.model.redaction import Redactor
from harness.observe.streams import kept_sizes


def test_an_unredacted_stream_keeps_its_sizes() -> None:
    """The usual case."""
    assert kept_sizes(("ab", "cde", ""), Redactor()) == (2, 3, 0)


def test_a_secret_in_two_pieces_belongs_to_the_first() -> None:
    """What is kept is as long as the sizes say, and no half of it is left."""
    secret = secret_text("abcdef0123456789")
    pieces = ("data: hello\n\n", f"data: {secret[:20]}", f"{secret[20:]} and more\n\n", "data: end\n\n")
    redactor = Redactor([("client_secret", secret)])
    sizes = kept_sizes(pieces, redactor)
    whole = redactor.text("".join(pieces))
    assert sum(sizes) == len(whole)
    assert sizes[0] == len(pieces[0])
    assert sizes[3] == len(pieces[3])
    assert secret[:20] not in whole

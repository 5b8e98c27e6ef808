"""Maps the pieces of a stream to its redacted body.

In: the pieces as a document read them. Out: how long each is in the redacted body.
"""

from __future__ import annotations

from harness.model.redaction import Redactor


def kept_sizes(pieces: tuple[str, ...], redactor: Redactor) -> tuple[int, ...]:
    """Return how many characters of the redacted body belong to each piece.

    A secret that stands in two pieces belongs to the first of them.
    """
    whole = redactor.text("".join(pieces))
    if whole == "".join(pieces):
        return tuple(map(len, pieces))
    sizes, done, raw = [], 0, ""
    for piece in pieces[:-1]:
        raw += piece
        before = redactor.text(raw)
        end = len(before) if whole.startswith(before) else done
        sizes.append(max(end - done, 0))
        done = max(end, done)
    return (*sizes, len(whole) - done)

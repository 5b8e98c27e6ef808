"""Finds the pieces of a stream again in its body, also where the body is redacted before it is kept.

In: a body, and how long its pieces were when a document read them. Out: the pieces, and how long they are in what is kept.
"""

from __future__ import annotations

import codecs

from harness.model.redaction import Redactor


def pieces_of(text: str, sizes: tuple[int, ...], unit: str) -> tuple[str, ...]:
    """Return the body in the pieces that it came in; none when they are not as long as it is.

    `unit`: "bytes" of UTF-8, or "chars" as JavaScript counts them.
    """
    encoding = "utf-8" if unit == "bytes" else "utf-16-le"
    width = 1 if unit == "bytes" else 2
    content = text.encode(encoding, "surrogatepass")
    if sum(sizes) * width != len(content):
        return ()
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    pieces, at = [], 0
    for size in sizes:
        pieces.append(decoder.decode(content[at : at + size * width]))
        at += size * width
    return tuple(pieces)


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

"""Takes compressed bytes apart and puts them together again: gzip, zlib with its header, and deflate without one.

In: bytes. Out: their content up to a bound, and how to pack it again. A bomb is cut, never unpacked whole.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass

LARGEST_BYTES = 32_000_000
SHORTEST_BARE_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """What was inside of compressed bytes."""

    content: bytes
    pack: Callable[[bytes], bytes]
    is_cut: bool  # there is more, which was not looked at


def unpacked(content: bytes) -> Unpacked | None:
    """Return what is compressed there; None when it is not."""
    if content[:2] == b"\x1f\x8b":
        return _inflated(content, 31, lambda data: gzip.compress(data, mtime=0))
    if content[:1] == b"\x78" and len(content) > 2 and int.from_bytes(content[:2]) % 31 == 0:
        return _inflated(content, 15, zlib.compress)
    return _bare(content)


def _bare(content: bytes) -> Unpacked | None:
    """Deflate without a header (`deflate-raw` of a browser's CompressionStream): known only by coming out even."""
    if len(content) < SHORTEST_BARE_BYTES or content.isascii():
        return None
    machine = zlib.decompressobj(-15)
    try:
        data = machine.decompress(content, LARGEST_BYTES)
    except zlib.error:
        return None
    if not machine.eof or machine.unused_data or len(data) < SHORTEST_BARE_BYTES:
        return None
    return Unpacked(content=data, pack=_deflated, is_cut=False)


def _deflated(data: bytes) -> bytes:
    machine = zlib.compressobj(wbits=-15)
    return machine.compress(data) + machine.flush()


def _inflated(content: bytes, bits: int, pack: Callable[[bytes], bytes]) -> Unpacked | None:
    machine = zlib.decompressobj(bits)
    try:
        data = machine.decompress(content, LARGEST_BYTES)
    except zlib.error:
        return None
    if not data and not machine.eof:  # a text that begins like one
        return None
    return Unpacked(content=data, pack=pack, is_cut=not machine.eof or bool(machine.unused_data))

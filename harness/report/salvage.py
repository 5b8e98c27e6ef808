"""Reads what is whole in a zip that is damaged or was cut short, file by file from its beginning.

In: an archive that `untrusted` refuses, because its list of files at the end is missing or does not fit. Out: the texts that are
whole, in a folder. The same names and sizes are refused; nothing is read but what a replay needs.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from harness.model.file_names import HAR_NAME, MANIFEST_NAME
from harness.report.untrusted import LIMITS, ReadLimits, name_problem

LOCAL_SIGNATURE = b"PK\x03\x04"
LOCAL = struct.Struct("<4s5H3I2H")  # signature, version, flags, method, time, date, CRC, packed, unpacked, name, extra
SIZES_FOLLOW = 0x8
WANTED = (MANIFEST_NAME, HAR_NAME)
BODY = re.compile(r"(?:[^/]+/)?(bodies/[0-9a-f]{64}\.\w{1,20})")


def salvaged(archive: Path, into: Path, limits: ReadLimits = LIMITS) -> tuple[str, ...]:
    """Write what is whole of manifest, HAR and bodies to a folder, and return their names. Raises OSError."""
    with archive.open("rb") as file:
        content = file.read(limits.text_bytes)
    found: list[str] = []
    at = 0
    while content[at : at + 4] == LOCAL_SIGNATURE and len(content) >= at + LOCAL.size:
        _, _, flags, method, _, _, crc, packed, _, name_length, extra_length = LOCAL.unpack_from(content, at)
        start = at + LOCAL.size + name_length + extra_length
        name = content[at + LOCAL.size : at + LOCAL.size + name_length].decode("utf-8", "replace")
        if flags & SIZES_FOLLOW:
            break
        body = BODY.fullmatch(name)
        plain = body[1] if body else PurePosixPath(name).name
        text = (
            _unpacked(content[start : start + packed], method, limits)
            if (body or plain in WANTED) and not name_problem(name)
            else None
        )
        if text is not None and zlib.crc32(text) == crc and plain not in found:
            (into / plain).parent.mkdir(parents=True, exist_ok=True)
            (into / plain).write_bytes(text)
            found.append(plain)
        at = start + packed
    return tuple(found)


def _unpacked(content: bytes, method: int, limits: ReadLimits) -> bytes | None:
    if method == zipfile.ZIP_STORED:
        return content
    if method != zipfile.ZIP_DEFLATED:
        return None
    machine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        text = machine.decompress(content, limits.text_bytes)
    except zlib.error:
        return None
    return text if machine.eof else None

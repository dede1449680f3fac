"""Frames: sealed payloads in a file, one after the other, and found again though parts of the file are damaged. Pure.

frame  = header blob
header = "GHP1" length id digest check     4, 4, 16, 32 and 4 bytes; numbers are big-endian

    length   of the blob, in bytes
    id       the exchange's id
    digest   SHA-256 of the blob
    check    CRC-32 of the header up to here (that of zlib)

A file holds nothing else. A damaged header costs no more than its own frame: the next one is found by its first bytes and check.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

MAGIC: Final = b"GHP1"
_FIELDS: Final = struct.Struct(">4sI16s32s")
_CHECK: Final = struct.Struct(">I")
HEADER_BYTES: Final = _FIELDS.size + _CHECK.size
CHUNK: Final = 1_048_576
"""Bytes that are read at once."""

Read = Callable[[int, int], bytes]
"""Returns the bytes of a file from an offset on, at most so many; fewer only where the file ends."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a file from `at` to `end`: a frame, or what is none.

    `exchange` and `digest` are what a sound header says, else empty. `damage` says what is wrong, nothing where it is intact.
    """

    at: int
    end: int
    exchange: bytes = b""
    digest: bytes = b""
    damage: str = ""

    @property
    def blob_at(self) -> int:
        """Where the blob of a frame begins."""
        return self.at + HEADER_BYTES


def header(exchange: bytes, digest: bytes, *, length: int) -> bytes:
    """Return what stands before a blob of that length and digest; `exchange` is the id's 16 bytes."""
    fields = _FIELDS.pack(MAGIC, length, exchange, digest)
    return fields + _CHECK.pack(zlib.crc32(fields))


def parse(data: bytes, at: int) -> Piece | None:
    """Return the frame that begins with these bytes, which stand at offset `at`, or None where they are no sound header."""
    if len(data) < HEADER_BYTES or not data.startswith(MAGIC):
        return None
    fields = data[: _FIELDS.size]
    if _CHECK.pack(zlib.crc32(fields)) != data[_FIELDS.size : HEADER_BYTES]:
        return None
    _, length, exchange, digest = _FIELDS.unpack(fields)
    return Piece(at, at + HEADER_BYTES + length, exchange, digest)


def scan(read: Read, start: int, end: int, *, contents: bool) -> Iterator[Piece]:
    """Yield every piece of a file between two offsets, `start` being where a frame should begin.

    Blobs are compared with their digests only where `contents` are wanted.
    """
    at = start
    while at < end:
        found = parse(read(at, HEADER_BYTES), at)
        if found is None:
            following = _next(read, at + 1, end)
            yield Piece(at, following, damage="no frame begins here")
            at = following
        elif found.end > end:
            yield Piece(at, end, found.exchange, found.digest, f"it ends {found.end - end} bytes after the file")
            at = end
        else:
            damaged = contents and digest_of(read, found) != found.digest
            yield Piece(at, found.end, found.exchange, found.digest, "its digest is another") if damaged else found
            at = found.end


def digest_of(read: Read, frame: Piece) -> bytes:
    """Return the SHA-256 of a frame's blob as it stands in the file."""
    digest = hashlib.sha256()
    for at in range(frame.blob_at, frame.end, CHUNK):
        digest.update(read(at, min(CHUNK, frame.end - at)))
    return digest.digest()


def _next(read: Read, start: int, end: int) -> int:
    """Return where the next sound header begins, or the end."""
    at = start
    while at < end:
        chunk = read(at, CHUNK)
        place = chunk.find(MAGIC)
        while place >= 0:
            if parse(read(at + place, HEADER_BYTES), at + place) is not None:
                return at + place
            place = chunk.find(MAGIC, place + 1)
        # The last bytes are read again: a header may begin in them.
        at += max(len(chunk) - len(MAGIC) + 1, 1)
    return end

"""SQLite's WAL file, read without SQLite, which ends at the first damaged frame without a word.

The format is SQLite's (https://www.sqlite.org/fileformat2.html, section 4): a header, then frames, each with the salts of the
header and a checksum that goes on from the frame before. Frames of an earlier round, which have other salts, may follow; so may a
frame that was being written when the process died.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

_HEADER: Final = struct.Struct(">8I")
_FRAME: Final = struct.Struct(">6I")
_MAGIC: Final = 0x377F0682
_BIG_ENDIAN: Final = 1
_LEAST_PAGE: Final = 512
_MOST_PAGE: Final = 65_536
_WORD: Final = 0xFFFF_FFFF

Sum = tuple[int, int]


class _Header(NamedTuple):
    page: int
    salts: tuple[int, int]
    big_endian: bool
    sum: Sum


def damage(path: Path) -> str | None:
    """Return what is damaged in a WAL file that nobody writes to, or None; raises `OSError`.

    Damage of the very last frame cannot be told from a write that a crash cut short.
    """
    with path.open("rb") as file:
        data = file.read(_HEADER.size)
        if len(data) < _HEADER.size or not any(data):
            return None
        header = _header(data)
        if header is None:
            return "the header is damaged: nothing in the file can be read"
        bad: int | None = None
        for number, sound in enumerate(_frames(file, header), 1):
            if not sound:
                bad = bad or number
            elif bad is not None:
                return f"frame {bad} is damaged, or was being written when the power failed: the log is read up to there"
    return None


def _header(data: bytes) -> _Header | None:
    magic, _version, page, _round, salt, salt_2, sum_1, sum_2 = _HEADER.unpack(data)
    big_endian = magic & 1 == _BIG_ENDIAN
    if magic & ~1 != _MAGIC or not _LEAST_PAGE <= page <= _MOST_PAGE or page & (page - 1):
        return None
    found = checksum(data[:24], (0, 0), big_endian=big_endian)
    return _Header(page, (salt, salt_2), big_endian, found) if found == (sum_1, sum_2) else None


def _frames(file: BinaryIO, header: _Header) -> Iterator[bool]:
    """Yield for each whole frame whether it is of this round and its checksum goes on from that of the frame before."""
    before = header.sum
    while len(frame := file.read(_FRAME.size + header.page)) == _FRAME.size + header.page:
        _number, _size, salt, salt_2, sum_1, sum_2 = _FRAME.unpack_from(frame)
        own = (salt, salt_2) == header.salts
        yield own and checksum(frame[:8] + frame[_FRAME.size :], before, big_endian=header.big_endian) == (sum_1, sum_2)
        before = (sum_1, sum_2)


def checksum(data: bytes, before: Sum, *, big_endian: bool) -> Sum:
    """Return SQLite's checksum of some bytes, a multiple of 8, going on from the one of what came before."""
    words = array("I", data)
    if big_endian != (sys.byteorder == "big"):
        words.byteswap()
    first, second = before
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = first + even + second & _WORD
        second = second + odd + first & _WORD
    return first, second

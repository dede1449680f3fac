"""Entries in one piece of bytes, and cut out of it again. Pure; the form is that of C2SP tlog-tiles' entry bundles.

piece = *( length entry )     length: 16 bits, big-endian
"""

from __future__ import annotations

from collections.abc import Iterable

_LENGTH = 2


class FrameError(Exception):
    """A piece of bytes that does not consist of whole entries."""


def pack(entries: Iterable[bytes]) -> bytes:
    """Return entries as one piece; each has at most 65,535 bytes, else it raises `OverflowError`."""
    parts: list[bytes] = []
    for entry in entries:
        parts += (len(entry).to_bytes(_LENGTH, "big"), entry)
    return b"".join(parts)


def unpack(piece: bytes) -> list[bytes]:
    """Return the entries of a piece; raises `FrameError` unless they end exactly where it ends."""
    entries: list[bytes] = []
    at = 0
    while at < len(piece):
        start = at + _LENGTH
        at = start + int.from_bytes(piece[at:start], "big")
        if start > len(piece) or at > len(piece):
            raise FrameError(f"entry {len(entries)} of a piece of {len(piece)} bytes is cut off")
        entries.append(piece[start:at])
    return entries

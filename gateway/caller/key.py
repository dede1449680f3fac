"""The text of an API key: `gth_<12 base32>_<43 base62><6 checksum>`.

The parts are an id (60 random bits, lower case, not a secret), a secret of 256 random bits, and the CRC-32 of everything
before it. The checksum lets a typing error, a cut key or a guess be refused without a look into the database, and lets a
scanner for leaked secrets tell a real key from noise; it protects nothing.
"""

from __future__ import annotations

import re
import secrets
import zlib
from dataclasses import dataclass, field
from typing import Final

PREFIX: Final = "gth_"
KEY_LENGTH: Final = 66
ID: Final = slice(4, 16)
"""Where the id stands in a key."""

_BASE32: Final = "abcdefghijklmnopqrstuvwxyz234567"
_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FORM: Final = re.compile(r"gth_[a-z2-7]{12}_[0-9A-Za-z]{49}")
_CHECKSUM: Final = slice(-6, None)
_CHECKED: Final = slice(None, -6)


@dataclass(frozen=True, slots=True)
class KeyParts:
    """A key of the right form: its id, and its whole text, which must never be printed or logged."""

    id: str
    text: str = field(repr=False)


def new_key() -> KeyParts:
    """Return a new key from the operating system's random numbers."""
    name = "".join(secrets.choice(_BASE32) for _ in range(12))
    checked = f"{PREFIX}{name}_{_base62(secrets.randbits(256), 43)}"
    return KeyParts(id=name, text=checked + _checksum(checked))


def parse(text: str) -> KeyParts | None:
    """Return the parts of a key, or None where form or checksum are wrong."""
    if _FORM.fullmatch(text) is None or text[_CHECKSUM] != _checksum(text[_CHECKED]):
        return None
    return KeyParts(id=text[ID], text=text)


def _checksum(checked: str) -> str:
    return _base62(zlib.crc32(checked.encode()), 6)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))

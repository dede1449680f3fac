"""Ids of exchanges: the one place that makes them."""

from __future__ import annotations

import random
import time

_VERSION = 7 << 76
_VARIANT = 2 << 62


def new_id() -> str:
    """Return a UUIDv7 (RFC 9562, section 5.7) in its canonical form: 48 bits of Unix milliseconds, then 74 random bits."""
    # Unique, not secret: a system call for random bytes would cost more than all else here.
    bits = random.getrandbits(74)
    low = _VARIANT | bits & 0x3FFF_FFFF_FFFF_FFFF
    text = f"{time.time_ns() // 1_000_000 << 80 | _VERSION | bits >> 62 << 64 | low:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

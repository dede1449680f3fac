"""The header `Idempotency-Key`."""

from __future__ import annotations

import re

from gateway.errors import InvalidRequest

HEADER = "Idempotency-Key"
MAX_LENGTH = 255

_printable = re.compile(r"[\x20-\x7e]{1,255}")


def check_key(key: str) -> str:
    """Return a key of 1 to 255 printable ASCII characters; raises `InvalidRequest`."""
    if _printable.fullmatch(key) is None:
        raise InvalidRequest(f"{HEADER} must be 1 to {MAX_LENGTH} printable ASCII characters.", param=HEADER)
    return key

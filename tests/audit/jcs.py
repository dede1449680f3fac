"""RFC 8785 (JSON Canonicalization Scheme), written from its text and from nothing that the product uses.

Only what our profile allows: objects, arrays, strings, booleans, integers that a double holds exactly.
"""

from __future__ import annotations

from typing import Any

# Section 3.2.2.2: the two-character escapes; other controls are \u00xx in lower case; all else stands as it is.
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def canonical(value: Any) -> bytes:
    return _text(value).encode("utf-8")


def _text(value: Any) -> str:
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        if abs(value) > 2**53 - 1:
            raise ValueError("not exact as a double")
        return str(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list):
        return "[" + ",".join(_text(each) for each in value) + "]"
    if isinstance(value, dict):
        # Section 3.2.3: by the UTF-16 code units of the names.
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{_string(name)}:{_text(value[name])}" for name in names) + "}"
    raise TypeError(type(value).__name__)


def _string(text: str) -> str:
    parts = ['"']
    for character in text:
        if character in _ESCAPES:
            parts.append(_ESCAPES[character])
        elif ord(character) < 0x20:
            parts.append(f"\\u{ord(character):04x}")
        else:
            parts.append(character)
    return "".join([*parts, '"'])

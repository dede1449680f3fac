"""Cuts a long text where a tokenizer cuts it anyway, so that its parts can be counted one by one.

Why: a tokenizer answers with a list of all tokens, for some with all their texts; for a megabyte that stops every other thread
for tens of milliseconds or takes hundreds of megabytes, and tiktoken's pattern for white space gives up on a million blanks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

SLICE_CHARS = 65_536

STRETCH_CHARS = 131_072
"""The longest stretch without a place to cut that is given to a tokenizer."""

WINDOW_CHARS = 16_384
"""So many characters are searched at a time: nothing else runs meanwhile."""

# Behind a letter or digit, before a blank or one of these, every pattern of tiktoken's ends a piece, and what follows is cut as
# if it stood alone: none of them matches across such a place, looks behind it, or looks from the left side at the right.
_place = re.compile(
    r"(?<=[^\W_])(?=[ \n\r\t.,;:!?()\[\]{}<>\"/\\+=*&%$#@|~^`\u3001\u3002\u300c\u300d\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f])"
)


@dataclass(slots=True)
class Slices:
    """The parts of a text: `counted` together have as many tokens as the text, but for the `uncounted` stretches."""

    counted: list[str] = field(default_factory=list)
    uncounted: list[str] = field(default_factory=list)


def slices_of(text: str, *, slice_chars: int = SLICE_CHARS, stretch_chars: int = STRETCH_CHARS) -> Slices:
    """Return a text in parts of about `slice_chars` characters; stretches above `stretch_chars` are `uncounted`."""
    slices = Slices()
    start = 0
    while len(text) - start > slice_chars:
        end = _next_place(text, start + slice_chars // 2)
        part = text[start:end]
        (slices.counted if len(part) <= stretch_chars else slices.uncounted).append(part)
        start = end
    if start < len(text):
        slices.counted.append(text[start:])
    return slices


def _next_place(text: str, start: int) -> int:
    for window in range(start, len(text), WINDOW_CHARS):
        # One character more, so that a place at the window's end is seen.
        place = _place.search(text, window, window + WINDOW_CHARS + 1)
        if place:
            return place.start()
    return len(text)

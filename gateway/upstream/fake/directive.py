"""What a request asks of the fake: the first line of its last user message, when that line starts with `#fake `.

    #fake fault=reset-mid-stream after=3
    #fake delay=0.2 chunks=50 gap=0.02
    #fake text="My card is 4111 1111 1111 1111"

The line is taken off; what follows it is the message. A value is bare, or a JSON string. Unknown keys and values out of
bounds are refused with 400, never ignored.

    fault        one of `gateway.upstream.fake.faults.FAULTS`
    after        events (or, not streamed, nothing) that still arrive before the fault; default 3: the role and two tokens
    times        the fault meets only the first so many requests with this very line; the next ones are answered
    only         the line counts only for this model; the others answer as if it were not there
    retry-after  seconds in the header of those faults that send it; default 1
    size         bytes of the faults that are about size
    delay        seconds before the head
    gap          seconds of silence before each event of a stream; between bytes of a trickle
    text         the answer, instead of an echo (also where a schema or a tool was asked for)
    chunks       the answer is so many one-token words: w1 w2 w3 …
    reasoning    reasoning that comes before the answer
    refusal      the answer is a refusal with this text
    tool         names of tools to call, with commas between them
    arguments    their arguments, as they are: may be anything but JSON
    finish       the finish_reason
    cached       prompt tokens reported as cached
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

MARK = "#fake "

Seconds = Annotated[float, Meta(ge=0, le=3600)]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]

_pair = re.compile(r'([a-z-]+)=("(?:[^"\\]|\\.)*"|[^\s"]\S*)(?:\s+|$)')


class DirectiveError(Exception):
    """The line cannot be followed; the message says why."""


class Directive(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """A parsed line; the defaults are an ordinary answer."""

    fault: str = ""
    after: Count = 3
    times: Count | None = None
    only: str = ""
    retry_after: Seconds = 1.0
    size: Annotated[int, Meta(ge=0, le=1_073_741_824)] | None = None
    delay: Seconds = 0.0
    gap: Seconds = 0.0
    text: str | None = None
    chunks: Count | None = None
    reasoning: str = ""
    refusal: str = ""
    tool: str = ""
    arguments: str | None = None
    finish: str = ""
    cached: Count = 0


def split(text: str) -> tuple[str, str]:
    """Return the directive's line without its mark, or nothing, and the rest of the message."""
    if not text.startswith(MARK):
        return "", text
    line, _, rest = text.partition("\n")
    return line.removeprefix(MARK).strip(), rest


def parse(line: str) -> Directive:
    """Return what a line asks; raises `DirectiveError`."""
    try:
        return msgspec.convert(_pairs(line), Directive, strict=False)
    except msgspec.ValidationError as error:
        raise DirectiveError(f"#fake: {error}") from error


def _pairs(line: str) -> Mapping[str, str]:
    pairs: dict[str, str] = {}
    at = 0
    while at < len(line):
        found = _pair.match(line, at)
        if found is None:
            raise DirectiveError(f"#fake: expected key=value at position {at}")
        key, value = found.groups()
        if key in pairs:
            raise DirectiveError(f"#fake: {key} is given twice")
        pairs[key] = _plain(value)
        at = found.end()
    return pairs


def _plain(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return msgspec.json.decode(value, type=str)
    except msgspec.DecodeError as error:
        raise DirectiveError("#fake: a quoted value is not a JSON string") from error

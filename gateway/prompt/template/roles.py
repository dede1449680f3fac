"""Role lines: where one message of a prompt ends and the next begins.

A role line is a line of the body that holds a role and a colon (`system:`, `# User:`, `assistant[name="anna"]:`), as the
Prompty format has it. It is found in the body's own text, before any value is in place, and never in a `raw` block; a line of
a value that looks like one stays text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from msgspec import UNSET, UnsetType

from gateway.wire.message import AssistantMessage, DeveloperMessage, Message, SystemMessage, UserMessage

Role = Literal["system", "developer", "user", "assistant"]

_ROLE_LINE = re.compile(
    r"^[^\S\n]*\#?[^\S\n]*(system|developer|user|assistant)[^\S\n]*(?:\[([^\]\n]*)\])?[^\S\n]*:[^\S\n]*$",
    re.IGNORECASE | re.MULTILINE,
)
_NAME = re.compile(r"""\s*name\s*=\s*(?:"([A-Za-z0-9_-]{1,64})"|([A-Za-z0-9_-]{1,64}))\s*""")
_KINDS: dict[str, type[SystemMessage | DeveloperMessage | UserMessage | AssistantMessage]] = {
    "system": SystemMessage,
    "developer": DeveloperMessage,
    "user": UserMessage,
    "assistant": AssistantMessage,
}


@dataclass(frozen=True, slots=True)
class Voice:
    """Who speaks: a role, and a name where the role line gives one."""

    role: Role
    name: str | UnsetType = UNSET

    def says(self, content: str) -> Message:
        """Return the message."""
        return _KINDS[self.role](content=content, name=self.name)


@dataclass(frozen=True, slots=True)
class RoleLine:
    """A role line; `offset` counts the lines from the beginning of its text. `voice` is None where its attributes are wrong."""

    voice: Voice | None
    offset: int


Segment: TypeAlias = str | RoleLine


def split_roles(text: str, *, opens_line: bool, closes_line: bool) -> Iterator[Segment]:
    """Cut text at its role lines, in order; what begins or ends within a line of the body is no role line there."""
    done = 0
    for match in _ROLE_LINE.finditer(text):
        if (match.start() == 0 and not opens_line) or (match.end() == len(text) and not closes_line):
            continue
        if match.start() > done:
            yield text[done : match.start()]
        yield RoleLine(_voice(match), text.count("\n", 0, match.start()))
        done = match.end()
    if done < len(text):
        yield text[done:]


def _voice(match: re.Match[str]) -> Voice | None:
    role: Role = match[1].lower()  # type: ignore[assignment]  # the pattern knows no other
    if match[2] is None:
        return Voice(role)
    named = _NAME.fullmatch(match[2])
    return Voice(role, named[1] or named[2]) if named else None

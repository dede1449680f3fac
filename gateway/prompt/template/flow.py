"""Where a body's text stands: in which message, on every way through its conditions and loops.

The number of messages must not depend on what a value holds. So it is settled when the body is read which text begins a
message, and text of which that cannot be said is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gateway.prompt.template.roles import Voice


@dataclass(frozen=True, slots=True)
class Place:
    """Where the next text stands.

    - `nowhere`: before the first role line
    - `line`: right behind a role line, with nothing but whitespace since; `mark` is its marker
    - `message`: in a message
    - `thread`: right behind a thread
    - `unsure`: one or the other, by the values

    `voice` is that of the message, or of the one before the thread; None where that depends on the values. `block` is the block
    in which a role line stands.
    """

    kind: Literal["nowhere", "line", "message", "thread", "unsure"]
    voice: Voice | None = None
    mark: int = -1
    block: int = -1


NOWHERE = Place("nowhere")
UNSURE = Place("unsure")


def join(one: Place, other: Place) -> Place:
    """Return where text stands that is reached from either place."""
    if one == other:
        return one
    voice = one.voice if one.voice == other.voice else None
    inside = {"line", "message"}
    if one.kind in inside and other.kind in inside:
        return Place("message", voice)
    if one.kind == other.kind == "thread":
        return Place("thread", voice)
    return UNSURE

"""What one template may hold and what one rendering may cost: one dataclass, so that every cap can be read in one place."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.wire.limits import LIMITS


@dataclass(frozen=True, slots=True)
class RenderLimits:
    """Caps of a body and of a rendering; `*_chars` count code points.

    The caps of a body keep the engine's recursive parser off the end of its stack, where it would take the process along.
    `fuel`, `output_chars` and `cpu_seconds` are what a rendering has at any rate; the values add to them by their size as JSON.
    """

    body_chars: int = 262_144
    tags: int = 1_000
    tokens: int = 200
    """Of one tag."""
    literal_chars: int = 4_096
    """Of the quoted texts of one tag together."""
    brackets: int = 16
    """Brackets inside brackets."""
    blocks: int = 16
    """Loops and conditions inside each other."""
    loops: int = 4
    """Loops inside each other."""
    branches: int = 64
    """`elif` of one condition."""
    copies: int = 64
    """How often the text of the values may stand in one variable of the template: doubling comes to this in six steps."""
    range_items: int = 1_000
    split_items: int = 10_000
    fuel: int = 20_000
    """Instructions of the engine, which also charges one for every 64 bytes of text that it makes."""
    fuel_per_item: int = 12
    """On top for every item of a list and field of an object that the values hold."""
    bytes_per_fuel: int = 8
    """On top one for so many bytes of the values."""
    fuel_by_extent: int = 524_288
    """All that is on top of `fuel`."""
    output_chars: int = 262_144
    output_share: int = 4
    """How often the values may be written out on top of `output_chars`."""
    cpu_seconds: float = 0.04
    cpu_seconds_per_byte: float = 1e-7
    messages: int = LIMITS.messages


RENDER_LIMITS = RenderLimits()

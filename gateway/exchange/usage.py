"""What an exchange used, in tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

UsageSource = Literal["upstream", "counted", "estimated"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one exchange; `cached` and `reasoning` are parts of `input` and `output`, never added to them."""

    input: int
    output: int
    cached: int = 0
    reasoning: int = 0
    source: UsageSource = "upstream"

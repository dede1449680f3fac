"""What a caller set of the numbers and switches that shape an answer: fit for an entry of the log. Pure."""

from __future__ import annotations

from operator import attrgetter
from typing import Final

from msgspec import UNSET

from gateway.wire.chat import ChatRequest

NAMES: Final = (
    "temperature",
    "top_p",
    "n",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
    "reasoning_effort",
    "verbosity",
    "service_tier",
    "parallel_tool_calls",
    "top_k",
    "min_p",
    "repetition_penalty",
)
"""Numbers, switches and closed words; texts belong to the payload."""
_values = attrgetter(*NAMES)


def set_parameters(request: ChatRequest) -> dict[str, float | str]:
    """Return the parameters that the caller set, by name."""
    return {name: value for name, value in zip(NAMES, _values(request), strict=True) if value is not UNSET and value is not None}

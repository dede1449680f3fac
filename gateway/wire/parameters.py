"""What a caller set of the numbers and switches that shape an answer: fit for an entry of the log. Pure."""

from __future__ import annotations

from typing import Final

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


def set_parameters(request: ChatRequest) -> dict[str, float | str]:
    """Return the parameters that the caller set, by name."""
    found: dict[str, float | str] = {}
    for name in NAMES:
        value = getattr(request, name)
        if isinstance(value, int | float | str):
            found[name] = value
    return found

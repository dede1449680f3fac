"""How long the steps of an exchange took. Pure: whoever asks brings the time."""

from __future__ import annotations

from gateway.exchange.exchange import Exchange

NANOSECONDS = 1e-9
MILLISECONDS = 1e-6


def server_timing(exchange: Exchange) -> str:
    """Return the steps that have ended so far as a Server-Timing header (W3C Server Timing, section 2): milliseconds each."""
    parts = []
    before = exchange.started
    for step, at in exchange.marks:
        parts.append(f"{step};dur={(at - before) * MILLISECONDS:.3f}")
        before = at
    return ", ".join(parts)


def first_byte(exchange: Exchange) -> int | None:
    """Return the nanoseconds until the upstream's first byte, or None where none came."""
    for step, at in exchange.marks:
        if step == "first_byte":
            return at - exchange.started
    return None

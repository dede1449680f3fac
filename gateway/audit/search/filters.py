"""What a search asks for, and where its next page begins. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple, get_args

from gateway.audit.layout import is_slot

Outcome = Literal["complete", "refused", "failed", "cancelled", "abandoned", "open"]
"""How an exchange ended: its end entry's result; `abandoned` without one after a crash; `open` where neither is there yet."""
Kind = Literal["exchange", "refused", "access", "caller", "label", "config", "gap", "clock", "close", "genesis"]
"""What is looked for: exchanges, or the entries of one kind that stand beside them."""

OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

_PROMPT: Final = re.compile(r"([a-z0-9][a-z0-9_-]{0,63}/[a-z0-9][a-z0-9_-]{0,63})(?:@(v[1-9][0-9]{0,8}|draft))?")
_CURSOR: Final = re.compile(r"(\d{1,16})-(\d{1,9}|cli)-(\d{1,16})", re.ASCII)
_AGO: Final = re.compile(r"(\d{1,6})([smhd])", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
SECOND: Final = 1_000_000
"""Microseconds."""


class Place(NamedTuple):
    """Where something stands in the order of a search, latest first: its time in microseconds, its log, its index there."""

    at: int
    slot: str
    entry: int

    def __str__(self) -> str:
        """Return it as a cursor: the next page begins after it."""
        return f"{self.at}-{self.slot}-{self.entry}"


@dataclass(frozen=True, slots=True)
class Filters:
    """What must be so of what is found; None takes anything. `since` is in it, `until` is not; microseconds since 1970.

    `prompt` is the prompt of an exchange's messages, or whose label was moved; `version` that version of it, or the version that
    the move brought, wholly or as a canary.
    """

    kind: Kind = "exchange"
    tenant: str | None = None
    app: str | None = None
    route: str | None = None
    outcome: Outcome | None = None
    since: int | None = None
    until: int | None = None
    prompt: str | None = None
    version: str | None = None


def prompt(text: str) -> tuple[str, str | None] | None:
    """Return a prompt's id, and the version if one is named: "support/triage", "support/triage@v7". None where it is neither."""
    match = _PROMPT.fullmatch(text)
    return None if match is None else (match[1], match[2])


def cursor(text: str) -> Place | None:
    """Return the place that a cursor stands for, or None where it is none."""
    match = _CURSOR.fullmatch(text)
    if match is None or not is_slot(match[2]):
        return None
    return Place(int(match[1]), match[2], int(match[3]))


def moment(text: str, *, now: float) -> int | None:
    """Return a point in time in microseconds since 1970, or None where the text is none.

    It is a day or a time of ISO 8601, in UTC unless it says otherwise, or so long before `now` (seconds since 1970): "90m", "7d".
    """
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return max(0, int((now - int(ago[1]) * _SECONDS[ago[2]]) * SECOND))
    try:
        given = datetime.fromisoformat(text)
        given = given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    since = given - datetime(1970, 1, 1, tzinfo=UTC)
    return max(0, (since.days * _SECONDS["d"] + since.seconds) * SECOND + since.microseconds)


def iso(at: int) -> str:
    """Return a point in time, in microseconds since 1970, as ISO 8601 in UTC."""
    seconds, rest = divmod(at, SECOND)
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:06}Z"
    except (ValueError, OverflowError, OSError):  # an entry may tell of any time below 2^53
        return f"{at} µs"

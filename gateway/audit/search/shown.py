"""An exchange and its payload as programs get them, over HTTP and from the command line. Pure."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.audit.search.archive import Found, Record
from gateway.audit.search.plaintext import Commitment, Part


@dataclass(frozen=True, slots=True)
class ShownEntry:
    """One entry with its fields as they stand in the log; `leaf_hash` is hexadecimal (RFC 6962, section 2.1)."""

    log: str
    index: int
    leaf_hash: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ShownExchange:
    """An exchange with its entries: begin, attempts, end, then the accesses to its payload."""

    exchange: Found
    entries: list[ShownEntry]


@dataclass(frozen=True, slots=True)
class ShownPart:
    """One part of a payload: as `text` where its bytes are UTF-8, else as `base64`."""

    name: str
    bytes: int
    commitment: Commitment
    text: str | None
    base64: str | None


@dataclass(frozen=True, slots=True)
class ShownPayload:
    """The plaintext of an exchange's payload."""

    id: str
    parts: list[ShownPart]


def shown(record: Record) -> ShownExchange:
    """Return an exchange for programs."""
    entries = [
        ShownEntry(slot, stored.index, stored.leaf.hex(), msgspec.json.decode(stored.data, type=dict[str, Any]))
        for slot, stored in record.entries
    ]
    return ShownExchange(record.found, entries)


def shown_payload(record: Record, parts: Sequence[Part]) -> ShownPayload:
    """Return a payload for programs."""
    return ShownPayload(record.found.id, [_part(part) for part in parts])


def _part(part: Part) -> ShownPart:
    try:
        return ShownPart(part.name, len(part.data), part.commitment, part.data.decode(), None)
    except UnicodeDecodeError:
        return ShownPart(part.name, len(part.data), part.commitment, None, b64encode(part.data).decode())

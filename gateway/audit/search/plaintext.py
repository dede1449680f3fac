"""The plaintext of an exchange's payload: who reads it and why is entered in the log before it is opened."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from gateway.audit.clock import Moment
from gateway.audit.entry import Access, End, Payload
from gateway.audit.reader import ReadError
from gateway.audit.search.archive import Record
from gateway.audit.search.rights import View, check_plaintext
from gateway.audit.vault.reader import PayloadReader
from gateway.errors import InvalidRequest, NotFound

MOST_REASON: Final = 1024
"""Characters."""

Commitment = Literal["opens", "differs", "none"]
"""Whether a part is what the log commits to; none where it does not commit to it."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a payload, its exact bytes."""

    name: str
    data: bytes
    commitment: Commitment


def access_to(record: Record, view: View, *, reason: str, moment: Moment) -> Access:
    """Return the entry that must be durable before the payload is opened.

    Raises `Forbidden` unless `view` may read plaintext, `InvalidRequest` for a reason that says nothing or too much, `NotFound`
    where no payload was kept.
    """
    check_plaintext(view)
    if not reason.strip() or len(reason) > MOST_REASON or not _is_text(reason):
        raise InvalidRequest(f"Say why you read it, in at most {MOST_REASON} characters.", param="reason")
    _payload(record)
    return Access(
        at=moment.at,
        mono=moment.mono,
        id=record.found.id,
        tenant=record.found.tenant,
        by=view.by,
        role=view.role,
        reason=reason,
    )


def open_parts(record: Record, payloads: PayloadReader) -> list[Part]:
    """Return the parts of an exchange's payload, held against the log's commitments; it waits for the disk.

    Raises `PayloadError` where it cannot be opened, `ReadError` where its files cannot be read.
    """
    found = record.found
    try:
        opened = payloads.open_payload(found.id, _payload(record), tenant=found.tenant, slot=found.log)
    except (sqlite3.Error, OSError) as error:
        raise ReadError(f"The files of the payload cannot be read: {error}") from error
    committed = dict(_commitments(record))
    parts = []
    for name, data in opened.parts.items():
        said = committed.get(name)
        commitment: Commitment = "none" if said is None else "opens" if opened.commitment(name) == said else "differs"
        parts.append(Part(name, data, commitment))
    return parts


def _payload(record: Record) -> Payload:
    end = record.end
    if not isinstance(end, End) or end.payload == "none":
        raise NotFound("No payload of this exchange was kept.")
    return end.payload


def _commitments(record: Record) -> Iterator[tuple[str, str]]:
    """Yield what the entries commit to: the part's name and the commitment."""
    end = record.end
    pairs = [("received", record.begin.received)]
    if isinstance(end, End):
        pairs += [("answer", end.answer), ("delivered", end.delivered)]
        pairs += [(f"sent/{number}", tried.sent) for number, tried in enumerate(end.attempts, 1)]
    for name, commitment in pairs:
        if commitment:
            yield name, commitment


def _is_text(reason: str) -> bool:
    """Tell whether UTF-8 can hold it: an argument of a command may be any bytes."""
    try:
        reason.encode()
    except UnicodeEncodeError:
        return False
    return True

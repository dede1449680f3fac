"""What a store holds after the processes that wrote it have gone, read exchange by exchange and held against what was seen."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import UnsetType

from gateway.audit.entry import Abandoned, Begin, End, Entry
from gateway.audit.layout import slot_folder, slot_folders
from gateway.audit.vault.keyring import read_keyring
from gateway.audit.vault.reader import Opened, PayloadReader
from gateway.audit.vault.recordkey import sent
from gateway.audit.verify.logs import verify
from tests.audit.logs import entries_in
from tests.fault.client import Seen


@dataclass(slots=True)
class Recorded:
    """The exchanges of slot 0 by id, and all entries; reading checks that indices are contiguous and each story is one."""

    store: Path
    entries: list[Entry]
    begins: dict[str, Begin] = field(default_factory=dict)
    ends: dict[str, End] = field(default_factory=dict)
    abandoned: set[str] = field(default_factory=set)

    @property
    def unended(self) -> set[str]:
        """Exchanges that have neither ended nor been abandoned."""
        return self.begins.keys() - self.ends.keys() - self.abandoned

    def lost(self, seen: Iterable[Seen]) -> list[str]:
        """Return the exchanges whose answer a client holds completely, and whose `end` does not say so."""
        return [each.id for each in seen if each.id not in self.ends or self.ends[each.id].result != "complete"]


def recorded(store: Path) -> Recorded:
    """Read the log of slot 0, which is the only one."""
    assert [folder.name for folder in slot_folders(store)] == ["0"], "each process takes over the log of the one before"
    found = Recorded(store, entries_in(slot_folder(store, "0")))
    for entry in found.entries:
        if isinstance(entry, Begin):
            found.begins[entry.id] = entry
        elif isinstance(entry, End):
            found.ends[entry.id] = entry
        elif isinstance(entry, Abandoned):
            found.abandoned.add(entry.id)
    return found


def verified(store: Path) -> list[str]:
    """Return what `gatehouse audit verify` finds wrong."""
    report = verify(store, now=time.time())
    return [f"{each.kind} {each.where}: {each.detail}" for each in report.problems]


def opened(found: Recorded) -> dict[str, Opened]:
    """Open the payloads of all exchanges that ended, and the commitments to each of their parts."""
    with closing(read_keyring(found.store)) as keyring:
        reader = PayloadReader(found.store, keyring)
        payloads = {}
        for exchange, end in found.ends.items():
            if end.payload != "none":
                begin = found.begins[exchange]
                payload = reader.open_payload(exchange, end.payload, tenant=begin.tenant, slot="0")
                assert _commitments(payload) == _committed(begin, end)
                payloads[exchange] = payload
    return payloads


def _commitments(payload: Opened) -> dict[str, str]:
    """Compute what an entry should say of each part (HMAC-SHA256 under the part's salt, of the part's SHA-256)."""
    return {
        name: hmac.new(payload._key.salt(name), hashlib.sha256(data).digest(), hashlib.sha256).hexdigest()
        for name, data in payload.parts.items()
    }


def _committed(begin: Begin, end: End) -> dict[str, str]:
    """Return the commitments in an exchange's entries, by part."""
    found = {"received": begin.received, "answer": end.answer, "delivered": end.delivered}
    found |= {sent(number): attempt.sent for number, attempt in enumerate(end.attempts, 1)}
    return {name: value for name, value in found.items() if not isinstance(value, UnsetType)}

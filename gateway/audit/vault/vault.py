"""The vault of this process: tenants' keys for new records, and records sealed at their end, on the event loop or beside it.

Measured on 2 cores: sealing 4.4 kB of parts takes 15 µs of CPU where it is, 55 to 100 in a thread with handing over and back, so
it stays on the loop. From `LARGE` on it goes to a thread: zstd, SHA-256 and AES-GCM run without the GIL.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

from gateway.audit.batch import unavailable
from gateway.audit.contract import Sealed
from gateway.audit.vault.blob import Compression
from gateway.audit.vault.errors import PayloadError
from gateway.audit.vault.keyring import Keyring, open_keyring
from gateway.audit.vault.record import Record
from gateway.audit.vault.recordkey import TenantKey
from gateway.audit.writer import reason_of

Kept = Literal["full", "none"]
"""What is kept of an exchange's payload (setting `payloads`)."""

LARGE: Final = 32_768
"""Bytes of parts from which sealing goes to a thread, and is compressed for size instead of speed."""
LONG: Final = 262_144
"""Bytes from which hashing goes to a thread."""
QUICK: Final = 1
THOROUGH: Final = 3
WINDOW: Final = 24
"""16 MiB: a request as sent mostly repeats the one received, and one with images is longer than zstd usually looks back."""
REFRESH: Final = 60.0
"""Seconds after which a tenant's key is looked up again: so long a rotation by another process may stay unseen."""
_DAY: Final = 86_400
"""Seconds."""


class Vault:
    """The records of this process's exchanges; everything but its making is for the event loop's thread.

    `wall` gives seconds since 1970, `monotonic` seconds of a clock that never steps.
    """

    def __init__(
        self,
        keyring: Keyring,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keyring = keyring
        self._wall = wall
        self._monotonic = monotonic
        self._refresh_at: dict[str, float] = {}
        self._quick = Compression(QUICK)
        self._day = (-1, "")

    def held(self, tenant: str) -> TenantKey | None:
        """Return a tenant's key for new records, or None where it must be fetched first."""
        key = self._keyring.held(tenant)
        if key is not None:
            now = self._monotonic()
            if now >= self._refresh_at.get(tenant, 0.0):
                self._refresh_at[tenant] = now + REFRESH
                asyncio.get_running_loop().run_in_executor(None, self._refresh, tenant)
        return key

    async def fetch(self, tenant: str) -> TenantKey:
        """Return a tenant's key for new records, its first one made where it has none.

        Raises `Unavailable` (code `audit_unavailable`) where it cannot be had.
        """
        try:
            key = await asyncio.to_thread(self._keyring.prepare, tenant)
        except (sqlite3.Error, OSError, PayloadError) as error:
            raise unavailable(f"tenant key: {reason_of(error)}") from error
        self._refresh_at[tenant] = self._monotonic() + REFRESH
        return key

    def seal(self, record: Record, parts: Mapping[str, bytes]) -> Sealed:
        """Return the parts of an exchange, sealed; only where together they are smaller than `LARGE`.

        The bytes must be those that were committed to. Once for each record.
        """
        return record.seal(parts, compression=self._quick, day=self._today())

    async def seal_beside(self, record: Record, parts: Mapping[str, bytes]) -> Sealed:
        """Return large parts, sealed; else as `seal`."""
        return await asyncio.to_thread(record.seal, parts, compression=Compression(THOROUGH, window=WINDOW), day=self._today())

    async def digest(self, data: bytes) -> bytes:
        """Return the SHA-256 of bytes that are there at once; it waits only where they are many."""
        if len(data) < LONG:
            return hashlib.sha256(data).digest()
        return await asyncio.to_thread(_digest, data)

    def close(self) -> None:
        """Forget all keys."""
        self._keyring.close()

    def _refresh(self, tenant: str) -> None:
        try:
            self._keyring.refresh(tenant)
        except (sqlite3.Error, OSError, PayloadError):
            return  # the key at hand still works; the next look comes in a minute

    def _today(self) -> str:
        number = int(self._wall() // _DAY)
        if number != self._day[0]:
            self._day = (number, day_of(number * _DAY))
        return self._day[1]


def day_of(seconds: float) -> str:
    """Return the UTC day of a time since 1970: "2026-11-24"."""
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))


def open_vault(store: Path) -> Vault:
    """Open the vault under `store.path`; its keys are made on the first start. Raises `SettingsError`."""
    return Vault(open_keyring(store))


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()

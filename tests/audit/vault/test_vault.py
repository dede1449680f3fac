"""Opening and sealing a record never keeps the event loop waiting."""

from __future__ import annotations

import asyncio
import hashlib
import random
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from gateway.audit.contract import Sealed
from gateway.audit.vault.blob import Compression, id_bytes, unseal
from gateway.audit.vault.keyring import Keyring, open_keyring
from gateway.audit.vault.record import Record
from gateway.audit.vault.recordkey import TenantKey
from gateway.audit.vault.vault import LARGE, LONG, REFRESH, Vault, open_vault
from gateway.errors import Unavailable
from gateway.exchange.ids import new_id
from tests.audit.vault.kit import PARTS, Faulty, flipped

NOON = 1_795_521_600.0  # 2026-11-24T12:00:00Z


class Clock:
    """Time that the test moves."""

    wall = NOON
    monotonic = 0.0

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


class Threads(Keyring):
    """A keyring that notes in which threads it waits for the disk; `asked` is set by a refresh that has ended."""

    def note(self) -> Threads:
        self.seen: list[int] = []
        self.asked = threading.Event()
        return self

    def prepare(self, tenant: str) -> TenantKey:
        self.seen.append(threading.get_ident())
        return super().prepare(tenant)

    def refresh(self, tenant: str) -> TenantKey:
        try:
            return super().refresh(tenant)
        finally:
            self.asked.set()


class Noted(Record):
    """A record that notes in which thread it is sealed."""

    sealed_in = 0

    def seal(self, parts: Mapping[str, bytes], *, compression: Compression, day: str) -> Sealed:
        self.sealed_in = threading.get_ident()
        return super().seal(parts, compression=compression, day=day)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keyring(tmp_path: Path) -> Threads:
    opened = open_keyring(tmp_path)
    return Threads(opened._root, opened._ask(lambda table: table), open_table=opened._open_table).note()


def run(keyring: Keyring, clock: Clock, use: Callable[[Vault], Awaitable[None]]) -> None:
    vault = Vault(keyring, wall=lambda: clock.wall, monotonic=lambda: clock.monotonic)

    async def main() -> None:
        await use(vault)

    asyncio.run(main())
    vault.close()


async def opened(vault: Vault, tenant: str = "acme") -> Record:
    return Record(new_id(), vault.held(tenant) or await vault.fetch(tenant))


async def sealed_by(vault: Vault, record: Record, parts: Mapping[str, bytes]) -> Sealed:
    """Return the parts sealed, as the log of exchanges has them sealed."""
    small = sum(map(len, parts.values())) < LARGE
    return vault.seal(record, parts) if small else await vault.seal_beside(record, parts)


def waits(awaitable: Awaitable[object]) -> bool:
    """Tell whether awaiting suspends, by taking the first step of it."""
    try:
        awaitable.__await__().__next__()
    except StopIteration:
        return False
    return True


def test_a_record_is_opened_and_sealed(keyring: Threads, clock: Clock) -> None:
    async def use(vault: Vault) -> None:
        record = await opened(vault)
        record.commit("received", hashlib.sha256(PARTS["received"]).digest())
        sealed = await sealed_by(vault, record, PARTS)
        assert (sealed.day, sealed.tenant, sealed.key_version) == ("2026-11-24", "acme", 1)
        key = (await asyncio.to_thread(keyring.find, "acme", 1)).unwrap(sealed.wrapped_key)
        assert unseal(sealed.blob, key=key.encryption, exchange=id_bytes(record.exchange_id), tenant="acme") == PARTS

    run(keyring, clock, use)


def test_a_tenants_first_record_waits_for_its_key_in_a_thread_and_no_later_one_waits(keyring: Threads, clock: Clock) -> None:
    async def use(vault: Vault) -> None:
        await opened(vault)
        assert len(keyring.seen) == 1
        assert keyring.seen[0] != threading.get_ident()
        assert not waits(opened(vault))
        assert len(keyring.seen) == 1

    run(keyring, clock, use)


def test_first_records_of_a_tenant_at_once_share_its_key(keyring: Threads, clock: Clock) -> None:
    async def use(vault: Vault) -> None:
        records = await asyncio.gather(*(opened(vault) for _ in range(20)))
        sealed = [await sealed_by(vault, record, PARTS) for record in records]
        assert {each.key_version for each in sealed} == {1}

    run(keyring, clock, use)


def test_a_key_that_cannot_be_had_refuses_the_exchange_and_is_tried_again(tmp_path: Path, clock: Clock) -> None:
    faulty = Faulty()

    async def use(vault: Vault) -> None:
        faulty.failing = "INSERT"
        with pytest.raises(Unavailable) as caught:
            await opened(vault)
        assert caught.value.code == "audit_unavailable"
        assert caught.value.retry_after
        assert caught.value.reason == "audit: tenant key: OperationalError"
        await opened(vault)

    run(open_keyring(tmp_path, connect=faulty.connect), clock, use)


def test_a_key_that_was_changed_refuses_the_exchange(tmp_path: Path, clock: Clock) -> None:
    with closing(open_keyring(tmp_path)) as keyring:
        keyring.prepare("acme")
    connection = sqlite3.connect(tmp_path / "keys" / "tenants.sqlite3")
    ((wrapped,),) = connection.execute("SELECT wrapped FROM tenant_keys").fetchall()
    with connection:
        connection.execute("UPDATE tenant_keys SET wrapped = ?", (flipped(wrapped, 200),))
    connection.close()

    async def use(vault: Vault) -> None:
        with pytest.raises(Unavailable) as caught:
            await opened(vault)
        assert caught.value.reason == "audit: tenant key: PayloadDamaged"

    run(open_keyring(tmp_path), clock, use)


def test_a_rotation_elsewhere_is_used_within_a_minute_and_costs_no_exchange_a_wait(
    tmp_path: Path, keyring: Threads, clock: Clock
) -> None:
    elsewhere = open_keyring(tmp_path)

    async def use(vault: Vault) -> None:
        await opened(vault)
        await asyncio.to_thread(elsewhere.rotate, "acme")
        keyring.asked.clear()
        clock.pass_(REFRESH - 1)
        assert not waits(opened(vault))
        assert not keyring.asked.is_set()
        clock.pass_(1)
        for _ in range(3):  # one of them asks
            assert not waits(opened(vault))
        await asyncio.to_thread(keyring.asked.wait, 20)
        sealed = await sealed_by(vault, await opened(vault), PARTS)
        assert sealed.key_version == 2

    run(keyring, clock, use)
    elsewhere.close()


def test_a_refresh_that_fails_leaves_the_key_at_hand(tmp_path: Path, clock: Clock) -> None:
    faulty = Faulty()
    plain = open_keyring(tmp_path, connect=faulty.connect)
    keyring = Threads(plain._root, plain._ask(lambda table: table), open_table=plain._open_table).note()

    async def use(vault: Vault) -> None:
        await opened(vault)
        clock.pass_(REFRESH)
        keyring.asked.clear()
        faulty.failing = "SELECT version"
        await opened(vault)
        await asyncio.to_thread(keyring.asked.wait, 20)
        assert faulty.failing == ""
        sealed = await sealed_by(vault, await opened(vault), PARTS)
        assert sealed.key_version == 1

    run(keyring, clock, use)


@pytest.mark.parametrize(("size", "aside"), [(LARGE - 1, False), (LARGE, True), (3_000_000, True)])
def test_large_payloads_are_sealed_in_a_thread_and_small_ones_where_they_are(
    keyring: Threads, clock: Clock, size: int, aside: bool
) -> None:
    async def use(vault: Vault) -> None:
        record = Noted(new_id(), await asyncio.to_thread(keyring.prepare, "acme"))
        half = size // 2
        sealed = await sealed_by(vault, record, {"received": bytes(half), "answer": bytes(size - half)})
        assert (record.sealed_in != threading.get_ident()) is aside
        assert len(sealed.blob) < 1000

    run(keyring, clock, use)


def test_a_large_request_is_stored_once_though_it_was_sent_with_another_models_name(keyring: Threads, clock: Clock) -> None:
    image = random.Random(1).randbytes(3_000_000)  # noqa: S311  # repeatable

    async def use(vault: Vault) -> None:
        sealed = await sealed_by(vault, await opened(vault), {"received": b"chat" + image, "sent/1": b"tiny" + image})
        assert len(sealed.blob) < 1.01 * len(image)

    run(keyring, clock, use)


@pytest.mark.parametrize(("size", "aside"), [(0, False), (LONG - 1, False), (LONG, True), (3_000_000, True)])
def test_a_digest_is_that_of_the_bytes_and_long_ones_are_made_in_a_thread(
    keyring: Threads, clock: Clock, size: int, aside: bool
) -> None:
    data = random.Random(1).randbytes(size)  # noqa: S311  # repeatable

    async def use(vault: Vault) -> None:
        assert await vault.digest(data) == hashlib.sha256(data).digest()
        assert waits(vault.digest(data)) is aside

    run(keyring, clock, use)


def test_a_payload_belongs_to_the_utc_day_on_which_it_was_sealed(keyring: Threads, clock: Clock) -> None:
    days = []

    async def use(vault: Vault) -> None:
        for wall in (NOON, NOON + 43_199.9, NOON + 43_200, NOON):  # the last one: a clock that was set back
            clock.wall = wall
            sealed = await sealed_by(vault, await opened(vault), PARTS)
            days.append(sealed.day)

    run(keyring, clock, use)
    assert days == ["2026-11-24", "2026-11-24", "2026-11-25", "2026-11-24"]


def test_a_vault_makes_its_keys_on_the_first_start(tmp_path: Path) -> None:
    open_vault(tmp_path / "var").close()
    assert sorted(each.name for each in (tmp_path / "var").iterdir()) == ["keys", "root.key"]

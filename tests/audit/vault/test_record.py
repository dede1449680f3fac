"""A record commits while the exchange runs, and is sealed once."""

from __future__ import annotations

import hashlib

import pytest
from msgspec import UNSET

from gateway.audit.vault.blob import Compression, id_bytes, unseal
from gateway.audit.vault.record import UNKEPT, Record, payload_of
from gateway.exchange.ids import new_id
from tests.audit.vault.kit import DAY, PARTS, tenant_key

QUICK = Compression(1)


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def test_what_was_committed_to_opens_with_what_was_sealed() -> None:
    exchange = new_id()
    record = Record(exchange, tenant_key())
    committed = {part: record.commit(part, digest(data)) for part, data in PARTS.items()}
    sealed = record.seal(PARTS, compression=QUICK, day=DAY)
    key = tenant_key().unwrap(sealed.wrapped_key)
    parts = unseal(sealed.blob, key=key.encryption, exchange=id_bytes(exchange), tenant="acme")
    assert parts == PARTS
    assert {part: key.commitment(part, digest(data)) for part, data in parts.items()} == committed


def test_it_says_of_itself_what_a_store_and_an_entry_need() -> None:
    exchange = new_id()
    sealed = Record(exchange, tenant_key("acme", 9)).seal(PARTS, compression=QUICK, day=DAY)
    assert (sealed.exchange_id, sealed.tenant, sealed.key_version, sealed.day) == (exchange, "acme", 9, DAY)
    assert sealed.digest == digest(bytes(sealed.blob))
    payload = payload_of(sealed)
    assert (payload.digest, payload.bytes, payload.day, payload.key) == (sealed.digest.hex(), len(sealed.blob), DAY, 9)


def test_a_second_sealing_is_refused() -> None:
    record = Record(new_id(), tenant_key())
    record.seal(PARTS, compression=QUICK, day=DAY)
    with pytest.raises(RuntimeError, match=r"^sealed twice"):
        record.seal(PARTS, compression=QUICK, day=DAY)


def test_a_sealing_that_failed_is_not_tried_again() -> None:
    record = Record("no id", tenant_key())
    with pytest.raises(ValueError, match="hexadecimal"):
        record.seal(PARTS, compression=QUICK, day=DAY)
    with pytest.raises(RuntimeError, match=r"^sealed twice"):
        record.seal(PARTS, compression=QUICK, day=DAY)


def test_equal_exchanges_have_nothing_in_common() -> None:
    exchange = new_id()  # even the same id
    records = [Record(exchange, tenant_key()) for _ in range(100)]
    assert len({record.commit("received", digest(b"Hi")) for record in records}) == 100
    sealed = [record.seal(PARTS, compression=QUICK, day=DAY) for record in records]
    assert len({each.blob for each in sealed}) == 100
    assert len({each.wrapped_key for each in sealed}) == 100


def test_where_nothing_is_kept_nothing_is_committed_to() -> None:
    assert UNKEPT.commit("received", digest(b"Hi")) is UNSET


def test_a_record_cannot_be_printed() -> None:
    record = Record(new_id(), tenant_key())
    assert record._key._secret.hex() not in repr(record)

"""A record key gives secrets that follow the RFCs, for ever, and opens under its tenant's key alone."""

from __future__ import annotations

import hashlib
import hmac
import pickle

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.vault.errors import PayloadDamaged
from gateway.audit.vault.recordkey import MOST_ATTEMPTS, RecordKey, TenantKey, new_secret, sent
from tests.audit.vault.kit import flipped, tenant_key

SECRET = bytes(range(32))
DIGEST = hashlib.sha256(b"What is asked").digest()


def expand(key: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand as RFC 5869, section 2.3 writes it."""
    block, out = b"", b""
    for number in range(1, -(-length // 32) + 1):
        block = hmac.digest(key, block + info + bytes([number]), "sha256")
        out += block
    return out[:length]


def test_the_derivation_is_that_of_rfc_5869() -> None:
    # Appendix A.1
    key = bytes.fromhex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5")
    info = bytes.fromhex("f0f1f2f3f4f5f6f7f8f9")
    okm = bytes.fromhex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")
    assert expand(key, info, 42) == okm
    assert HKDFExpand(SHA256(), 42, info).derive(key) == okm


def test_secrets_are_consecutive_keys_of_that_derivation() -> None:
    stream = expand(SECRET, b"gatehouse record 1", 32 * 255)
    key = RecordKey(SECRET)
    parts = ["received", "answer", "delivered", "meta", *(sent(number) for number in range(1, MOST_ATTEMPTS + 1))]
    assert b"".join([key.encryption, *map(key.salt, parts)]) == stream
    assert len({stream[at : at + 32] for at in range(0, len(stream), 32)}) == 255


def test_old_commitments_open_for_ever() -> None:
    # These never change: an entry that holds one cannot be written anew.
    key = RecordKey(SECRET)
    assert key.encryption.hex() == "5fdf1d9670cfe8b42c3f1c719e6f5f64742a6167beb48608627424f1b9187e8d"
    assert key.commitment("received", DIGEST) == "f4f6cacca435ddaf29cf293aeee86983ded01abe0fcc88e80daf3c485a279c9b"
    assert key.commitment("sent/2", DIGEST) == "68bda2597bcd12a3d7cd5788148bb817f19037eea9dbba09afec02e21167aeec"


@given(secret=st.binary(min_size=32, max_size=32), data=st.binary(max_size=200), attempt=st.integers(1, MOST_ATTEMPTS))
def test_a_commitment_is_hmac_of_the_digest_under_the_parts_own_salt(secret: bytes, data: bytes, attempt: int) -> None:
    key = RecordKey(secret)
    digest = hashlib.sha256(data).digest()
    for part in ("received", "answer", "delivered", "meta", sent(attempt)):
        outer, inner = (bytes(byte ^ pad for byte in key.salt(part).ljust(64, b"\0")) for pad in (0x5C, 0x36))  # RFC 2104
        expected = hashlib.sha256(outer + hashlib.sha256(inner + digest).digest()).hexdigest()
        assert key.commitment(part, digest) == expected


def test_a_late_attempt_changes_no_salt() -> None:
    key = RecordKey(SECRET)
    before = [key.encryption, key.salt("received"), key.salt("sent/1")]
    key.salt(sent(MOST_ATTEMPTS))
    assert [key.encryption, key.salt("received"), key.salt("sent/1")] == before


def test_equal_bytes_give_other_commitments_in_each_part_and_exchange() -> None:
    keys = [RecordKey(new_secret()) for _ in range(50)]
    made = [
        key.commitment(part, DIGEST) for key in keys for part in ("received", "answer", "delivered", "meta", "sent/1", "sent/2")
    ]
    assert len(set(made)) == len(made)


@pytest.mark.parametrize("part", ["", "headers", "sent", "sent/0", "sent/01", f"sent/{MOST_ATTEMPTS + 1}"])
def test_other_parts_are_not_committed_to(part: str) -> None:
    with pytest.raises(ValueError, match="no commitment is made to"):
        RecordKey(SECRET).commitment(part, DIGEST)


@pytest.mark.parametrize("digest", [b"", b"the text itself", bytes(31), bytes(33)])
def test_only_a_digest_is_committed_to(digest: bytes) -> None:
    with pytest.raises(ValueError, match=f"^{len(digest)} bytes are no SHA-256 digest$"):
        RecordKey(SECRET).commitment("received", digest)


def test_wrapping_is_that_of_rfc_3394() -> None:
    # Section 4.6
    data = bytes.fromhex("00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F")
    wrapped = bytes.fromhex("28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21")
    assert TenantKey("acme", 1, secret=SECRET).wrap(data) == wrapped
    assert RecordKey(data).wrapped_by(TenantKey("acme", 1, secret=SECRET)) == wrapped
    assert TenantKey("acme", 1, secret=SECRET).unwrap(wrapped).encryption == RecordKey(data).encryption


def test_every_flipped_bit_of_a_wrapped_key_is_found_out() -> None:
    key = tenant_key(version=3)
    wrapped = key.wrap(SECRET)
    for bit in range(8 * len(wrapped)):
        with pytest.raises(PayloadDamaged, match=r"^its key was changed, or wrapped by another than key 3$"):
            key.unwrap(flipped(wrapped, bit))


@pytest.mark.parametrize("wrapped", [b"", bytes(39), bytes(48), None, 5, "text"])
def test_what_is_no_wrapped_key_is_found_out(wrapped: bytes) -> None:
    with pytest.raises(PayloadDamaged):
        tenant_key().unwrap(wrapped)


@given(first=st.binary(min_size=32, max_size=32), second=st.binary(min_size=32, max_size=32))
def test_one_tenants_key_never_opens_anothers_record(first: bytes, second: bytes) -> None:
    ours, theirs = TenantKey("acme", 1, secret=first), TenantKey("globex", 2, secret=second)
    if first != second:
        with pytest.raises(PayloadDamaged):
            theirs.unwrap(ours.wrap(SECRET))


@pytest.mark.parametrize(
    "key", [RecordKey(b"s3cret-bytes-that-must-not-leak!"), TenantKey("acme", 1, secret=b"s3cret-bytes-that-must-not-leak!")]
)
def test_keys_cannot_be_printed_or_pickled(key: RecordKey | TenantKey) -> None:
    assert "s3cret" not in repr(key)
    with pytest.raises(TypeError):
        pickle.dumps(key)


def test_new_keys_are_new() -> None:
    assert len({new_secret() for _ in range(1000)}) == 1000
    assert len(new_secret()) == 32

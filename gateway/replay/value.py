"""What stands under a key's name. Pure.

One letter for the state, then what belongs to it:

R  token (16 bytes)  fingerprint (32)      running; "R" and the token are its owner
K  fingerprint (32)  recording (msgpack)   kept
S  fingerprint (32)                        spent
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.replay.contract import Recording

TOKEN_BYTES = 16
FINGERPRINT_BYTES = 32

RUNNING, KEPT, SPENT = b"R", b"K", b"S"

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[dict[str, str], list[list[dict[str, Any]]]])


def owner(token: bytes) -> bytes:
    """Return how the value of a running claim begins."""
    return RUNNING + token


def running(token: bytes, fingerprint: bytes) -> bytes:
    """Return the value of a claim."""
    return owner(token) + fingerprint


def kept(fingerprint: bytes, recording: Recording, *, max_bytes: int) -> bytes | None:
    """Return the value of an answer, or None where it is larger than `max_bytes` or holds what msgpack cannot say.

    Batches are encoded one by one, so that an answer that is too large costs no more than its limit.
    """
    size = 0
    batches: list[msgspec.Raw] = []
    try:
        for batch in recording.batches:
            encoded = _encoder.encode(batch)
            size += len(encoded)
            if size > max_bytes:
                return None
            batches.append(msgspec.Raw(encoded))
        value = KEPT + fingerprint + _encoder.encode((recording.facts, batches))
    except OverflowError:
        # JSON has integers beyond 64 bits.
        return None
    return value if len(value) <= max_bytes else None


def spent(fingerprint: bytes) -> bytes:
    """Return the value of an answer that is not here."""
    return SPENT + fingerprint


def without_recording(value: bytes) -> bytes:
    """Return what remains of a kept value when its recording makes room."""
    return spent(value[1 : 1 + FINGERPRINT_BYTES])


def fingerprint_of(value: bytes) -> bytes:
    """Return the fingerprint in a value."""
    start = 1 + TOKEN_BYTES if value.startswith(RUNNING) else 1
    return value[start : start + FINGERPRINT_BYTES]


def recording_of(value: bytes) -> Recording:
    """Return the recording of a kept value."""
    facts, batches = _decoder.decode(memoryview(value)[1 + FINGERPRINT_BYTES :])
    return Recording(batches, facts)

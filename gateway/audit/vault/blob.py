"""The sealed form of an exchange's parts. Pure.

blob      = ciphertext tag            AES-256-GCM (NIST SP 800-38D) over the packed parts; a tag of 16 bytes, a nonce of 12 zeros;
            associated data: "gatehouse payload 1" id tenant        (id: the UUID's 16 bytes; tenant: UTF-8, to the end)
packed    = one frame of zstd (RFC 8878) over: length layout contents        length: of the layout, 4 bytes, big-endian
layout    = JSON {part: [offset, length]}: where in the contents each part lies; equal parts lie there once

Invariants
- A key encrypts one blob and no other (`gateway.audit.vault.record` sees to it), so that the nonce may be fixed.
- Names and lengths of parts lie inside, authenticated and unseen: the length of what a caller sent as metadata is nobody's
  business, and once the key is destroyed no trace of it is left.
- Parts of one exchange are compressed together and with nothing else: a length tells nothing about another exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from zstandard import ZstdCompressionParameters, ZstdCompressor, ZstdDecompressor, ZstdError

from gateway.audit.vault.errors import PayloadDamaged

_LABEL: Final = b"gatehouse payload 1"
_NONCE: Final = bytes(12)
_LENGTH_BYTES: Final = 4

_JOINED: Final = 1_048_576
"""Bytes of contents that are joined before they are compressed; more are compressed slice by slice."""
_SLICE: Final = 131_072

Layout = dict[str, tuple[int, int]]


class Compression:
    """How parts are compressed; to be used by one thread at a time.

    `level` is one of zstd's, below 0 for the quickest. `window` is the binary logarithm of the distance over which repetitions
    are found, 0 for what is usual at that level.
    """

    def __init__(self, level: int, *, window: int = 0) -> None:
        parameters = ZstdCompressionParameters.from_level(level, **{"window_log": window} if window else {})
        self._compressor = ZstdCompressor(compression_params=parameters)

    def pack(self, parts: Mapping[str, bytes]) -> bytes | bytearray:
        """Return the packed parts; however large they are, no step of it holds the GIL for long."""
        layout: Layout = {}
        contents: list[tuple[tuple[int, int], bytes]] = []
        length = 0
        for name, data in parts.items():
            for place, other in contents:
                if other == data:
                    layout[name] = place
                    break
            else:
                layout[name] = place = (length, len(data))
                contents.append((place, data))
                length += len(data)
        head = _encode(layout)
        pieces = [len(head).to_bytes(_LENGTH_BYTES, "big"), head, *(data for _, data in contents)]
        if length <= _JOINED:
            return self._compressor.compress(b"".join(pieces))
        stream = self._compressor.compressobj(size=sum(map(len, pieces)))
        packed = bytearray()
        for piece in pieces:
            for at in range(0, len(piece), _SLICE):
                packed += stream.compress(memoryview(piece)[at : at + _SLICE])
        packed += stream.flush()
        return packed


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Layout).decode


def seal(packed: bytes | bytearray, *, key: bytes, exchange: bytes, tenant: str) -> bytes:
    """Return the blob; the key must never have sealed another one. `exchange` is the id's 16 bytes."""
    return AESGCM(key).encrypt(_NONCE, packed, _bound(exchange, tenant))


def unseal(blob: bytes, *, key: bytes, exchange: bytes, tenant: str) -> dict[str, bytes]:
    """Return the parts; raises `PayloadDamaged` where they are not what was sealed with this key for this exchange and tenant."""
    try:
        packed = AESGCM(key).decrypt(_NONCE, blob, _bound(exchange, tenant))
    except (InvalidTag, ValueError):  # ValueError: too short to be one
        raise PayloadDamaged("it was changed, or sealed for another exchange, tenant or key") from None
    return _unpack(packed)


def id_bytes(exchange_id: str) -> bytes:
    """Return the 16 bytes of an exchange's id; raises `ValueError` for what is none."""
    data = bytes.fromhex(exchange_id.replace("-", ""))
    if len(data) != len(UUID(int=0).bytes):
        raise ValueError("not an exchange's id")
    return data


def _bound(exchange: bytes, tenant: str) -> bytes:
    return _LABEL + exchange + tenant.encode()


def _unpack(packed: bytes) -> dict[str, bytes]:
    try:
        data = ZstdDecompressor().decompress(packed)
        start = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "big")
        layout = _decode(data[_LENGTH_BYTES:start])
    except (ZstdError, msgspec.MsgspecError, UnicodeError):
        raise PayloadDamaged("what was sealed is no payload") from None
    return {name: data[start + offset :][:length] for name, (offset, length) in layout.items()}

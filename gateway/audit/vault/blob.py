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
- However large the parts are, no step holds the GIL for long, so that a thread may do it beside the event loop. Measured with
  40 MB of parts that do not compress: the loop waited up to 10, 15 and 19 ms while `pack`, `seal` and `unseal` had new memory
  filled with the GIL held (`bytes`, a growing `bytearray`, slices); without that, 4, 0.1 and 3.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping, Sequence
from typing import Annotated, Final
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from zstandard import ZstdCompressionParameters, ZstdCompressor, ZstdDecompressor, ZstdError

from gateway.audit.vault.errors import PayloadDamaged

_LABEL: Final = b"gatehouse payload 1"
_NONCE: Final = bytes(12)
_LENGTH_BYTES: Final = 4

_TAG_BYTES: Final = 16
_LARGE: Final = 1_048_576
"""Bytes from which no memory is filled with the GIL held: 1 MB takes 0.4 ms where its pages are new."""
_SLICE: Final = 131_072

Count = Annotated[int, msgspec.Meta(ge=0)]
Layout = dict[str, tuple[Count, Count]]
Buffer = bytes | memoryview


class Compression:
    """How parts are compressed; to be used by one thread at a time.

    `level` is one of zstd's, below 0 for the quickest. `window` is the binary logarithm of the distance over which repetitions
    are found, 0 for what is usual at that level.
    """

    def __init__(self, level: int, *, window: int = 0) -> None:
        parameters = ZstdCompressionParameters.from_level(level, **{"window_log": window} if window else {})
        self._compressor = ZstdCompressor(compression_params=parameters)

    def pack(self, parts: Mapping[str, bytes]) -> Buffer:
        """Return the packed parts."""
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
        if length < _LARGE:
            return self._compressor.compress(b"".join(pieces))
        return _joined(self._slices(pieces))

    def _slices(self, pieces: Sequence[bytes]) -> list[bytes]:
        stream = self._compressor.compressobj(size=sum(map(len, pieces)))
        packed = [stream.compress(memoryview(piece)[at : at + _SLICE]) for piece in pieces for at in range(0, len(piece), _SLICE)]
        return [*packed, stream.flush()]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Layout).decode


def seal(packed: Buffer, *, key: bytes, exchange: bytes, tenant: str) -> Buffer:
    """Return the blob; the key must never have sealed another one. `exchange` is the id's 16 bytes."""
    cipher, bound = AESGCM(key), _bound(exchange, tenant)
    if len(packed) < _LARGE:
        return cipher.encrypt(_NONCE, packed, bound)
    blob = _room(len(packed) + _TAG_BYTES)
    cipher.encrypt_into(_NONCE, packed, bound, blob)
    return blob


def unseal(blob: Buffer, *, key: bytes, exchange: bytes, tenant: str) -> dict[str, bytes]:
    """Return the parts; raises `PayloadDamaged` where they are not what was sealed with this key for this exchange and tenant."""
    try:
        packed = _decrypt(blob, AESGCM(key), bound=_bound(exchange, tenant))
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


def _decrypt(blob: Buffer, cipher: AESGCM, *, bound: bytes) -> Buffer:
    if len(blob) < _LARGE:
        return cipher.decrypt(_NONCE, blob, bound)
    packed = _room(len(blob) - _TAG_BYTES)
    cipher.decrypt_into(_NONCE, blob, bound, packed)
    return packed


def _unpack(packed: Buffer) -> dict[str, bytes]:
    try:
        with ZstdDecompressor().stream_reader(packed) as data:
            layout = _decode(data.read(int.from_bytes(data.read(_LENGTH_BYTES), "big")))
            # Each into bytes of its own, in the order in which they lie there: slices would be filled with the GIL held.
            found = {place: data.read(place[1]) for place in sorted(set(layout.values()))}
    except (ZstdError, msgspec.MsgspecError, UnicodeError):
        raise PayloadDamaged("what was sealed is no payload") from None
    end = 0
    for (at, size), part in found.items():
        if at != end or size != len(part):
            raise PayloadDamaged("what was sealed is no payload")
        end += size
    return {name: found[place] for name, place in layout.items()}


def _joined(pieces: Sequence[bytes]) -> memoryview:
    room = _room(sum(map(len, pieces)))
    at = 0
    for piece in pieces:
        room[at : at + len(piece)] = piece
        at += len(piece)
    return room


def _room(size: int) -> memoryview:
    """Return so much memory, whose pages come when they are first written to: by who has let go of the GIL."""
    return memoryview(mmap.mmap(-1, size))

"""MessagePack and HMAC from C libraries while a simulation runs: the same bytes, much faster.

Property tests hold the product's own to the same bytes, and `tests/simulation` runs a seed with
each. Bytes that were not encoded here are read by the product's own decoder, with all its
refusals.
"""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgpack

from edge.core.journal import chain
from edge.core.numbers import pack

_KNOWN_MAX = 50_000

#: A seal at the end of a batch or an acknowledgement, as MessagePack.
_SEAL_BYTES = 2 + chain.HASH_BYTES


@contextmanager
def fast_codec() -> Iterator[None]:
    """Within the block, `pack.encode`, `pack.decode` and `chain.mac` are those of libraries."""
    known: set[bytes] = set()
    pack_one = msgpack.Packer(use_bin_type=True).pack  # a new one for each call costs more than it
    slow = pack.encode, pack.decode, chain.mac

    def encode(value: Any, size: int = 0) -> bytes:
        data: bytes = pack_one(value)
        if len(known) >= _KNOWN_MAX:
            known.clear()
        known.add(data)
        if data[-_SEAL_BYTES:] == b"\xc4\x20" + bytes(chain.HASH_BYTES):
            known.add(data[:-_SEAL_BYTES])  # to be sealed
        return data

    def decode(data: bytes, items_max: int = 1 << 20) -> Any:
        if data in known or data[:-_SEAL_BYTES] in known:
            try:
                return msgpack.unpackb(data, raw=False)
            except ValueError:
                pass  # a seal that was damaged
        return slow[1](data, items_max)

    def mac(key: bytes, purpose: bytes, message: bytes | bytearray) -> bytes:
        if isinstance(message, bytearray):
            known.add(bytes(message))  # a batch that is made
        return hmac.digest(key, purpose + message, "sha256")

    pack.encode, pack.decode, chain.mac = encode, decode, mac
    try:
        yield
    finally:
        pack.encode, pack.decode, chain.mac = slow

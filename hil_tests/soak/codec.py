"""MessagePack from the C library while a simulation runs: the same bytes, in a fifth of the time.

A property test holds both codecs to the same bytes, and `tests/simulation` runs a seed with each.
Bytes that were not encoded here are read by the product's own decoder, with all its refusals.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgpack

from edge.core.numbers import pack

_KNOWN_MAX = 50_000


@contextmanager
def fast_codec() -> Iterator[None]:
    """Within the block, `pack.encode` and `pack.decode` are those of the library."""
    known: set[bytes] = set()
    slow_encode, slow_decode = pack.encode, pack.decode

    def encode(value: Any) -> bytes:
        data: bytes = msgpack.packb(value, use_bin_type=True)
        if len(known) >= _KNOWN_MAX:
            known.clear()
        known.add(data)
        return data

    def decode(data: bytes, items_max: int = 1 << 20) -> Any:
        if data in known:
            return msgpack.unpackb(data, raw=False)
        return slow_decode(data, items_max)

    pack.encode, pack.decode = encode, decode
    try:
        yield
    finally:
        pack.encode, pack.decode = slow_encode, slow_decode

"""Batches that come deflated: authentic first, then inflated, and never to more than a batch."""

import zlib

from edge.core.errors import DataError, SyncError
from edge.core.journal import chain
from edge.core.numbers import pack
from edge.core.sync.batch import PAYLOAD_MAX_BYTES
from edge.core.sync.deflated import FIRST_BYTE, MAC_BYTES, VERSION

#: Array items in the frame.
_ITEMS = 5


def plain_batch(payload: bytes, key: bytes) -> bytes:
    """The batch in a deflated payload, with a MAC of its own; any other payload as it is.

    The result has at most PAYLOAD_MAX_BYTES, and no more is ever made of it on the way.
    Raises SyncError "sync.mac", DataError "data.pack" or "data.record".
    """
    if payload[:1] != bytes((FIRST_BYTE,)):
        return payload
    if len(payload) > PAYLOAD_MAX_BYTES:
        raise DataError("data.pack", reason=f"larger than {PAYLOAD_MAX_BYTES} bytes")
    signed, seal = payload[:-MAC_BYTES], payload[-MAC_BYTES:]
    fields = pack.decode(payload, _ITEMS)
    if not isinstance(fields, list) or not isinstance(fields[1], str):
        raise DataError("data.record", seq=-1, reason="not a batch")
    if not chain.same(seal, pack.encode(chain.mac(key, chain.BATCH_PURPOSE, signed))):
        raise SyncError("sync.mac", what="batch", gateway=fields[1])
    version, gateway, epoch, body, _ = fields
    if version != VERSION or not isinstance(body, bytes):
        raise DataError("data.record", seq=-1, reason="unknown batch version")
    inner = _inflated(body)
    if not inner.startswith(_head(gateway, epoch)):
        raise DataError("data.record", seq=-1, reason="another batch within")
    return inner + pack.encode(chain.mac(key, chain.BATCH_PURPOSE, inner))


def _head(gateway: str, epoch: object) -> bytes:
    """How a batch of twelve begins that is of this gateway and epoch."""
    return b"\x9c\x01" + pack.encode(gateway) + pack.encode(epoch)


def _inflated(body: bytes) -> bytes:
    most = PAYLOAD_MAX_BYTES - MAC_BYTES
    maker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        made = maker.decompress(body, most + 1)
    except zlib.error as error:
        raise DataError("data.pack", reason="not in deflate") from error
    if len(made) > most:
        raise DataError("data.pack", reason=f"inflates to more than {PAYLOAD_MAX_BYTES} bytes")
    if not maker.eof or maker.unused_data:
        raise DataError("data.pack", reason="deflate that ends early, or does not end")
    return made

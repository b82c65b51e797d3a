"""A batch that was deflated: the frame around it. Deflating and inflating are for others.

MessagePack array of five: version 2, gateway id, epoch, the batch of `sync.batch` up to its MAC
element as raw deflate (RFC 1951), MAC over the purpose string and all bytes before it. The MAC is
over what travels, so that it is checked before anything is inflated; the batch within has none.
A receiver that knows no version 2 refuses it as no batch, and says where it stands.
"""

from edge.core.journal import chain
from edge.core.numbers import pack

VERSION = 2

#: The first byte of such a payload; a plain batch is an array of twelve, 0x9c.
FIRST_BYTE = 0x95

MAC_BYTES = 2 + chain.HASH_BYTES


def encode_deflated(gateway: str, epoch: bytes, body: bytes, key: bytes) -> bytes:
    """Build the payload around `body`, the deflated bytes."""
    fields: list[object] = [VERSION, gateway, epoch, body, bytes(chain.HASH_BYTES)]
    signed = pack.encode(fields)[:-MAC_BYTES]
    return signed + pack.encode(chain.mac(key, chain.BATCH_PURPOSE, signed))

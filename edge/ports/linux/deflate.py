"""Batches in deflate, where there is a zlib that can: an ESP32 inflates only."""

import zlib

from edge.core.sync.deflated import MAC_BYTES, encode_deflated

#: More of it takes twice the time for 1 % of the bytes.
LEVEL = 6


class Deflater:
    """Makes the payloads of one gateway smaller."""

    def __init__(self, gateway: str, key: bytes) -> None:
        self._gateway = gateway
        self._key = key

    def shrink(self, payload: bytes | bytearray, epoch: bytes) -> bytes | bytearray:
        """The payload in deflate, or as it is where that is no larger."""
        maker = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        body = maker.compress(payload[:-MAC_BYTES]) + maker.flush()
        made = encode_deflated(self._gateway, epoch, body, self._key)
        return made if len(made) < len(payload) else payload

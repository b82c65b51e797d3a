"""The acknowledgement: what the cloud has committed to its database.

MessagePack array of eight: version 1, gateway id, epoch, highest contiguous seq committed (-1
when none), chain hash at it (the genesis hash when none), gaps above it as flat [first, last,
...] (at most GAPS_MAX pairs), Unix milliseconds at the receiver, MAC over the purpose string and
all bytes before it.
"""

from collections import namedtuple

from edge.core.errors import DataError, SyncError
from edge.core.journal import chain
from edge.core.journal.record import is_integer
from edge.core.numbers import pack

VERSION = 1
GAPS_MAX = 16
PAYLOAD_MAX_BYTES = 1024

_MAC_BYTES = 2 + chain.HASH_BYTES

Ack = namedtuple("Ack", ("gateway", "epoch", "seq", "hash", "gaps", "received_ms"))


def encode_ack(ack: Ack, key: bytes) -> bytes:
    """Build the payload; gaps beyond GAPS_MAX are left out, the next ack names them."""
    fields = [
        VERSION,
        ack.gateway,
        ack.epoch,
        ack.seq,
        ack.hash,
        list(ack.gaps[: 2 * GAPS_MAX]),
        ack.received_ms,
        bytes(chain.HASH_BYTES),
    ]
    signed = pack.encode(fields)[:-_MAC_BYTES]
    return signed + pack.encode(chain.mac(key, chain.ACK_PURPOSE, signed))


def decode_ack(payload: bytes, gateway: str, key: bytes) -> Ack:
    """Verify and read an acknowledgement for `gateway`.

    Raises DataError "data.pack" or "data.record", SyncError "sync.mac" or "sync.ack".
    """
    if len(payload) > PAYLOAD_MAX_BYTES:
        raise DataError("data.pack", reason="larger than %d bytes" % PAYLOAD_MAX_BYTES)
    fields = pack.decode(payload, 64)
    if not isinstance(fields, list) or len(fields) != 8 or not isinstance(fields[7], bytes):
        raise DataError("data.record", seq=-1, reason="not an acknowledgement")
    expected = chain.mac(key, chain.ACK_PURPOSE, payload[:-_MAC_BYTES])
    if not chain.same(fields[7], expected):
        raise SyncError("sync.mac", what="acknowledgement", gateway=gateway)
    version, found, epoch, seq, head, gaps, received_ms, _ = fields
    if version != VERSION or found != gateway:
        raise SyncError("sync.ack", reason="another version or gateway")
    if (
        not isinstance(epoch, bytes)
        or not is_integer(seq)
        or seq < -1
        or not isinstance(head, bytes)
        or len(head) != chain.HASH_BYTES
        or not isinstance(gaps, list)
        or len(gaps) % 2
        or not all(is_integer(item) for item in gaps)
        or not is_integer(received_ms)
    ):
        raise DataError("data.record", seq=-1, reason="an acknowledgement of a wrong shape")
    return Ack(gateway, epoch, seq, head, tuple(gaps), received_ms)


def is_missing(seq: int, gaps: tuple[int, ...]) -> bool:
    """True when an ack with these gaps names `seq` as missing."""
    return any(gaps[at] <= seq <= gaps[at + 1] for at in range(0, len(gaps), 2))


def has_batch(first: int, last: int, seq: int, gaps: tuple[int, ...]) -> bool:
    """True when an ack of `seq` with these gaps says for sure that batch first..last is there.

    A batch arrives as a whole, so the record behind the last gap stands for its batch.
    """
    if last <= seq:
        return True
    for at in range(1, len(gaps), 2):
        behind = gaps[at] + 1
        if first >= behind and (first == behind or (at + 1 < len(gaps) and last < gaps[at + 1])):
            return True
    return False

"""The acknowledgement: what the cloud has committed to its database.

MessagePack array of eight: version 1, gateway id, epoch, highest contiguous seq committed (-1
when none), chain hash at it (the genesis hash when none), gaps above it as flat [first, last,
...] (at most GAPS_MAX pairs), Unix milliseconds at the receiver, MAC over the purpose string and
all bytes before it. One that answers a fork is an array of ten of version 2: a seq and the chain
hash that the cloud has there, another than the gateway sent, stand before the MAC.
"""

from collections import namedtuple

from edge.core.errors import DataError, SyncError
from edge.core.journal import chain
from edge.core.journal.record import is_integer
from edge.core.numbers import pack
from edge.core.sync.bounds import ACK_MAX_BYTES

VERSION = 1
VERSION_FORK = 2
GAPS_MAX = 16
PAYLOAD_MAX_BYTES = ACK_MAX_BYTES

_MAC_BYTES = 2 + chain.HASH_BYTES

#: fork: None, or (seq, chain hash that the cloud has there) where the gateway sent another.
Ack = namedtuple("Ack", ("gateway", "epoch", "seq", "hash", "gaps", "received_ms", "fork"))


def encode_ack(ack: Ack, key: bytes) -> bytes:
    """Build the payload; gaps beyond GAPS_MAX are left out, the next ack names them."""
    fields = [
        VERSION if ack.fork is None else VERSION_FORK,
        ack.gateway,
        ack.epoch,
        ack.seq,
        ack.hash,
        list(ack.gaps[: 2 * GAPS_MAX]),
        ack.received_ms,
    ]
    fields += list(ack.fork or ())
    fields.append(bytes(chain.HASH_BYTES))
    signed = pack.encode(fields)[:-_MAC_BYTES]
    return signed + pack.encode(chain.mac(key, chain.ACK_PURPOSE, signed))


def decode_ack(payload: bytes, gateway: str, key: bytes) -> Ack:
    """Verify and read an acknowledgement for `gateway`.

    Raises DataError "data.pack" or "data.record", SyncError "sync.mac" or "sync.ack".
    """
    if len(payload) > PAYLOAD_MAX_BYTES:
        raise DataError("data.pack", reason="larger than %d bytes" % PAYLOAD_MAX_BYTES)
    fields = pack.decode(payload, 64)
    if (
        not isinstance(fields, list)
        or len(fields) not in (8, 10)
        or not isinstance(fields[-1], bytes)
    ):
        raise DataError("data.record", seq=-1, reason="not an acknowledgement")
    expected = chain.mac(key, chain.ACK_PURPOSE, payload[:-_MAC_BYTES])
    if not chain.same(fields[-1], expected):
        raise SyncError("sync.mac", what="acknowledgement", gateway=gateway)
    version = VERSION if len(fields) == 8 else VERSION_FORK
    if fields[0] != version or fields[1] != gateway:
        raise SyncError("sync.ack", reason="another version or gateway")
    _, _, epoch, seq, head, gaps, received_ms = fields[:7]
    fork = tuple(fields[7:-1]) or None
    if (
        not isinstance(epoch, bytes)
        or not _is_place(seq, head)
        or not isinstance(gaps, list)
        or len(gaps) % 2
        or not all(is_integer(item) for item in gaps)
        or not is_integer(received_ms)
        or (fork is not None and not _is_place(fork[0], fork[1]))
    ):
        raise DataError("data.record", seq=-1, reason="an acknowledgement of a wrong shape")
    return Ack(gateway, epoch, seq, head, tuple(gaps), received_ms, fork)


def _is_place(seq: object, digest: object) -> bool:
    """True for a seq from -1 on and a chain hash."""
    if not isinstance(seq, int) or not is_integer(seq) or seq < -1:
        return False
    return isinstance(digest, bytes) and len(digest) == chain.HASH_BYTES


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
        if at + 1 == len(gaps):
            return first == behind
        if first >= behind and last < gaps[at + 1]:
            return True
    return False

"""The batch: a run of records on its way to the cloud, columnar and authenticated.

MessagePack array of twelve: version 1, gateway id, epoch (8 bytes), first seq, chain hash before
the first record, the five columns of `sync.columns`, chain hash at the last record, MAC over the
purpose string and all bytes before the MAC element.
"""

from collections import namedtuple

from edge.core.errors import DataError, SyncError
from edge.core.journal import chain
from edge.core.journal.record import Record, encode_record, is_integer
from edge.core.numbers import pack
from edge.core.sync.columns import decode_columns
from edge.core.sync.row_columns import put_columns

VERSION = 1

#: Largest payload either side accepts, checked before anything is read.
PAYLOAD_MAX_BYTES = 65_536

#: Most array items in a payload.
ITEMS_MAX = 200_000

_FIELDS = 12

#: What a payload and its way to the broker take beside the records, about.
_FRAME_BYTES = 320
_MAC_BYTES = 2 + chain.HASH_BYTES

#: records: tuple of Record; hashes: the chain hash at each.
Batch = namedtuple("Batch", ("gateway", "epoch", "first", "hash_before", "records", "hashes"))


def encode_rows(
    gateway: str, epoch: bytes, hash_before: bytes, rows: "list[tuple[bytes, bytes]]", key: bytes
) -> bytearray:
    """Build the payload for consecutive rows of a journal: (canonical bytes, chain hash) each.

    hash_before: chain hash before the first row.
    """
    head = pack.Reader(rows[0][0])
    head.count()
    head.integer()
    out = pack.with_room(sum([len(data) for data, _ in rows]) + _FRAME_BYTES)
    out.append(0x90 | _FIELDS)
    for field in (VERSION, gateway, epoch, head.integer(), hash_before):
        pack.put(out, field)
    put_columns(out, [data for data, _ in rows])
    pack.put(out, rows[-1][1])
    pack.put(out, chain.mac(key, chain.BATCH_PURPOSE, out))
    return out


def encode_batch(
    gateway: str,
    epoch: bytes,
    hash_before: bytes,
    records: tuple[Record, ...],
    hash_last: bytes,
    key: bytes,
) -> bytes:
    """Build the payload for consecutive records.

    hash_before: chain hash before the first record; hash_last: at the last.
    """
    rows = [(encode_record(record), hash_last) for record in records]
    return bytes(encode_rows(gateway, epoch, hash_before, rows, key))


def _unpack(payload: bytes) -> list[object]:
    if len(payload) > PAYLOAD_MAX_BYTES:
        raise DataError("data.pack", reason="larger than %d bytes" % PAYLOAD_MAX_BYTES)
    fields = pack.decode(payload, ITEMS_MAX)
    if not isinstance(fields, list) or len(fields) != _FIELDS or not isinstance(fields[1], str):
        raise DataError("data.record", seq=-1, reason="not a batch")
    return fields


def read_gateway(payload: bytes) -> str:
    """The gateway a payload claims to come from, to find its key; nothing is verified yet.

    Raises DataError "data.pack" or "data.record".
    """
    return str(_unpack(payload)[1])


def decode_batch(payload: bytes, key: bytes) -> Batch:
    """Verify and read a payload: size, MAC, shape of every record, and the chain.

    Raises DataError "data.pack" or "data.record", SyncError "sync.mac" or "sync.chain". Nothing
    of a payload that raises may be used.
    """
    fields = _unpack(payload)
    version, gateway, epoch, first, before = fields[:5]
    hash_last, seal = fields[10:]
    signed = payload[:-_MAC_BYTES]
    if not isinstance(seal, bytes) or payload[-_MAC_BYTES:] != pack.encode(seal):
        raise DataError("data.record", seq=-1, reason="no MAC at the end")
    if not chain.same(seal, chain.mac(key, chain.BATCH_PURPOSE, signed)):
        raise SyncError("sync.mac", what="batch", gateway=gateway)
    if version != VERSION:
        raise DataError("data.record", seq=-1, reason="unknown batch version")
    if not isinstance(epoch, bytes) or len(epoch) != chain.EPOCH_BYTES:
        raise DataError("data.record", seq=-1, reason="the epoch has a wrong length")
    if not isinstance(before, bytes) or len(before) != chain.HASH_BYTES:
        raise DataError("data.record", seq=-1, reason="a hash has a wrong length")
    if not isinstance(first, int) or not is_integer(first) or first < 0:
        raise DataError("data.record", seq=-1, reason="the first seq is no number")
    records = decode_columns(first, fields[5:10])
    head = before
    hashes = []
    for record in records:
        head = chain.link(head, encode_record(record))
        hashes.append(head)
    if head != hash_last:
        raise SyncError("sync.chain", gateway=gateway, seq=records[-1].seq)
    return Batch(gateway, epoch, first, before, records, tuple(hashes))

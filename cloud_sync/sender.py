"""Who sent a message: a registered gateway by its topic, and the key that it signed with. Pure."""

from typing import NamedTuple

from cloud_sync.keys import Keys
from edge.core.errors import DataError, SyncError
from edge.core.journal import chain
from edge.core.numbers import pack
from edge.core.sync import topics
from edge.core.sync.batch import ITEMS_MAX, PAYLOAD_MAX_BYTES

_SEAL_BYTES = len(pack.encode(bytes(chain.HASH_BYTES)))


class Sender(NamedTuple):
    """A registered gateway. objection: why `key` may not be used now, "" when it may."""

    tenant: str
    gateway: str
    key: bytes
    objection: str

    @property
    def owner(self) -> str:
        return f"{self.tenant}/{self.gateway}"


def identify(keys: Keys, topic: str, leaf: str, payload: bytes, now_ms: int) -> Sender:
    """The gateway of a topic, with the key that fits the payload, else with the latest valid one.

    now_ms: Unix milliseconds. Nothing is verified yet.
    Raises SyncError "sync.topic" or "sync.unknown_gateway".
    """
    parts = topics.parse_topic(topic)
    if parts is None or parts[2] != leaf:
        raise SyncError("sync.topic", topic=topic, leaf=leaf)
    tenant, gateway, _ = parts
    senders = [
        Sender(tenant, gateway, key.secret, key.objection(now_ms))
        for key in keys.of(tenant, gateway)
    ]
    if not senders:
        raise SyncError("sync.unknown_gateway", gateway=f"{tenant}/{gateway}")
    if len(senders) > 1 and len(payload) <= PAYLOAD_MAX_BYTES:
        for sender in senders:
            if is_authentic(sender, payload):
                return sender
    return next((one for one in reversed(senders) if not one.objection), senders[-1])


def is_authentic(sender: Sender, payload: bytes) -> bool:
    """True when the payload ends in the MAC of the sender's key over the rest of it."""
    signed, seal = payload[:-_SEAL_BYTES], payload[-_SEAL_BYTES:]
    return chain.same(seal, pack.encode(chain.mac(sender.key, chain.BATCH_PURPOSE, signed)))


def read_epoch(sender: Sender, payload: bytes) -> bytes | None:
    """The epoch of an authentic payload of this gateway that can be read so far, else None."""
    if len(payload) > PAYLOAD_MAX_BYTES or not is_authentic(sender, payload):
        return None
    try:
        fields = pack.decode(payload, ITEMS_MAX)
    except DataError:
        return None
    if not isinstance(fields, list) or fields[1:2] != [sender.gateway] or len(fields) < 3:
        return None
    epoch = fields[2]
    return epoch if isinstance(epoch, bytes) and len(epoch) == chain.EPOCH_BYTES else None

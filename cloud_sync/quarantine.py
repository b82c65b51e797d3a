"""Messages that were refused and kept: reading them, and giving them to a receiver again."""

import json
from collections.abc import Iterator
from typing import NamedTuple

from cloud_sync.receiver import Receiver, Reply
from cloud_sync.store.contract import Store
from edge.core.errors import DataError, StoreError, TallyError
from edge.core.numbers import pack
from edge.core.sync.batch import ITEMS_MAX, PAYLOAD_MAX_BYTES

_COLUMNS = "id, owner, topic, code, fields, size_bytes, digest, payload, first_ms, last_ms, count"


class Refused(NamedTuple):
    """A row of quarantine. owner: "tenant/gateway", "" for nobody known.

    payload: what was kept of it, None for an unknown owner's; first_ms, last_ms: Unix
    milliseconds; times: how often it came.
    """

    id: int
    owner: str
    topic: str
    code: str
    fields: dict[str, object]
    size_bytes: int
    digest: bytes
    payload: bytes | None
    first_ms: int
    last_ms: int
    times: int

    @property
    def is_whole(self) -> bool:
        """True when the payload can be given to a receiver again."""
        return self.payload is not None and len(self.payload) == self.size_bytes

    @property
    def reason(self) -> TallyError:
        """Why it was refused."""
        return TallyError(self.code, **self.fields)


class Outcome(NamedTuple):
    """What became of a message: the ack when it is stored, why it is refused, or neither.

    Neither: not all of it was kept.
    """

    refused: Refused
    reply: Reply | None
    error: TallyError | None


def read_refused(store: Store, number: int | None = None, owner: str = "") -> list[Refused]:
    """The rows of quarantine, the oldest first; number: only this one, owner: only its own."""
    where = "WHERE 1 = 1"
    values: list[object] = []
    if number is not None:
        where, values = where + " AND id = ?", [*values, number]
    if owner:
        where, values = where + " AND owner = ?", [*values, owner]
    found = store.query(
        f"SELECT {_COLUMNS} FROM quarantine {where} ORDER BY first_ms, id", *values
    )
    return [Refused._make((*row[:4], json.loads(row[4]), *row[5:])) for row in found]


def replay(store: Store, receiver: Receiver, refused: list[Refused]) -> Iterator[Outcome]:
    """Give messages to a receiver again; what is stored now leaves quarantine, the rest stays.

    A process that ends in between has stored a message that is still in quarantine: replayed
    again it changes nothing. Raises StoreError.
    """
    for one in refused:
        if one.payload is None or not one.is_whole:
            yield Outcome(one, None, None)
            continue
        try:
            reply = receiver.replay(one.topic, one.payload)
        except StoreError:
            raise
        except TallyError as error:
            yield Outcome(one, None, error)
            continue
        with store.transaction():
            store.drop_refusal(one.id)
        yield Outcome(one, reply, None)


def claims_of(payload: bytes | None) -> dict[str, object]:
    """What a payload says of itself, unproved: version, gateway, epoch, first; {} if unread."""
    try:
        fields = pack.decode(payload or b"", ITEMS_MAX) if payload else None
    except DataError:
        return {}
    if not isinstance(fields, list) or len(payload or b"") > PAYLOAD_MAX_BYTES:
        return {}
    names = ("version", "gateway", "epoch", "first")
    plain = [value.hex() if isinstance(value, bytes) else value for value in fields[:4]]
    return {
        name: value
        for name, value in zip(names, plain, strict=False)
        if isinstance(value, (int, str))
    }

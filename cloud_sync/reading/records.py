"""The records of a store, as `carbontally explain` follows a figure through them.

It finds `StoreRecords` by its name, as the gateway's half of the program imports nothing of the
cloud's (decision 144): what it calls is to stay as it is.
"""

from collections.abc import Iterator

from cloud_sync.raw import find_journals, read_kind, read_raw
from cloud_sync.sound import has_span, sound_parts
from cloud_sync.store.address import open_store, parse_address
from edge.core.errors import DataError
from edge.core.journal.record import Kind, decode_record, encode_record


class StoreRecords:
    """A store that is only read."""

    def __init__(self, url: str) -> None:
        """Raises UsageError "usage.value" for no address of a store, StoreError "cloud.open",
        "cloud.unavailable" or "cloud.damaged"."""
        self._store = open_store(parse_address(url), read_only=True)

    def owners(self, gateway: str) -> list[tuple[int, str]]:
        """(number, tenant/id) of each journal, the oldest first; gateway: its id, tenant/id, or ""
        for any. Raises UsageError "usage.value" for one that is not here."""
        return [(one.number, one.owner) for one in find_journals(self._store, gateway or None)]

    def read(
        self, journal: int, kind: int | None, first: int, last: int
    ) -> Iterator[tuple[bytes, bytes]]:
        """(canonical bytes, hash) of records first..last, ascending; kind: None for all, which
        POLL may not be, as polls are not kept apart."""
        assert kind != Kind.POLL
        if kind is None:
            found = read_raw(self._store, journal, first, last)
        else:
            found = read_kind(self._store, journal, kind)
        for raw in found:
            if raw.seq > last:
                return
            if raw.seq >= first and (body := _sound(raw.body)):
                yield body, raw.hash

    def refuse_damaged(self, reason: str) -> None:
        """Raise StoreError "cloud.damaged"."""
        self._store.refuse_damaged(reason)

    def close(self) -> None:
        """Let go of the database."""
        self._store.close()


def _sound(body: bytes) -> bytes:
    """A record's bytes without what it cannot mean, b"" when that is all; damage stays."""
    try:
        record = decode_record(body)
    except DataError:
        return body
    if record.kind == Kind.TABLE:
        parts = sound_parts(record.body)
        if len(parts) < len(record.body):
            return encode_record(record._replace(body=parts)) if parts else b""
    return b"" if record.kind == Kind.INTERVAL and not has_span(record) else body

"""What a ring log does not take: the journal stays as it was."""

from binascii import crc32

import pytest

from edge.core.errors import StoreError
from edge.core.journal import chain
from edge.core.journal.record import Kind, Record, encode_record
from edge.ports.esp32.ring_store import RingStore
from tests.unit.flash_doubles import SECTOR_BYTES, NorFlash

from .test_store import GATEWAY


def test_a_journal_of_another_format_is_told_and_left_as_it_is():
    """An earlier program can still send it."""
    flash = NorFlash(6 * SECTOR_BYTES)
    RingStore(flash, GATEWAY, sectors=1).close()
    at = flash.cells.index(b"CT2")
    payload = bytes(flash.cells[6 : 6 + (int.from_bytes(flash.cells[:2], "big") & 0x1FFF)])
    head, earlier = bytes(flash.cells[:2]), payload.replace(b"CT2", b"CT1")
    flash.cells[: 6 + len(earlier)] = head + crc32(head + earlier).to_bytes(4, "big") + earlier
    assert at == 7
    before = bytes(flash.cells)
    with pytest.raises(StoreError, match=r"store\.open") as caught:
        RingStore(flash, GATEWAY, sectors=1)
    assert caught.value.fields["reason"] == "format CT1, not CT2" and flash.cells == before


def test_a_record_that_no_entry_holds_is_refused_and_spoils_nothing():
    flash = NorFlash(64 * SECTOR_BYTES)
    store = RingStore(flash, GATEWAY, sectors=4)
    rows = []
    for size in (8_000, 8_400):
        body: list[object] = ["x", [["text", "a" * size]]]
        data = encode_record(Record(Kind.EVENT, len(rows), 1, 1_000, 1_000, 0, body))
        rows.append((len(rows), Kind.EVENT, data, chain.link(store.head, data)))
        if size == 8_000:
            store.append(rows)
    with pytest.raises(StoreError, match=r"store\.write"):
        store.append(rows[1:])
    again = RingStore(flash, GATEWAY, sectors=4)
    assert again.next_seq == 1 and again.read(0, 9) == [rows[0][2:]]

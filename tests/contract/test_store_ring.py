"""The ring log keeps the contract of every store, and what flash adds to it."""

from binascii import crc32
from collections.abc import Callable
from typing import Any

import pytest

from edge.app.recorder import Recorder
from edge.core.journal import chain
from edge.core.journal.record import Kind, Record, decode_record, encode_record
from edge.ports.contracts import Store
from edge.ports.esp32.ring_reader import IDLE_COMMITS
from edge.ports.esp32.ring_store import BEGIN, RingStore
from edge.ports.esp32.row_codec import RowCodec
from tests.unit.flash_doubles import SECTOR_BYTES, NorFlash, PowerFailedError
from tests.unit.metered_ring import metered
from tests.unit.port_doubles import ManualClock

from .test_store import (  # noqa: F401
    GATEWAY,
    POINTS,
    add,
    contents,
    test_a_new_journal_is_empty_and_begins_from_its_genesis,
    test_a_renewed_journal_carries_tables_and_what_is_not_acked,
    test_acks_may_shrink_as_a_restored_receiver_makes_them,
    test_an_append_is_all_or_nothing,
    test_another_gateways_journal_is_refused,
    test_findings_that_no_event_was_made_of_are_told_again,
    test_reading_takes_any_span_and_hashes_are_those_of_hashlib,
    test_records_are_found_by_kind,
    test_the_newest_interval_outlives_two_renewals,
    test_what_was_appended_is_there_after_reopening,
    times,
)


@pytest.fixture
def flash() -> NorFlash:
    return NorFlash(256 << 10)


@pytest.fixture
def reopen(flash: NorFlash) -> Callable[..., Store]:
    """Open the journal of this test, again and again."""

    def open_one(gateway: str = GATEWAY, **_: Any) -> Store:
        return RingStore(flash, gateway)

    return open_one


class Site:
    """A gateway without its bus on a ring of few small segments: polls, events, intervals."""

    def __init__(self, flash: NorFlash, sectors: int = 1) -> None:
        self.flash = flash
        self.sectors = sectors
        self.clock = ManualClock()
        self.polls = 0
        self.registers = [0, 500_000]
        self.promised: dict[bytes, tuple[int, bytes]] = {}

    def open(self) -> None:
        self.store = RingStore(self.flash, GATEWAY, sectors=self.sectors)
        self.recorder = Recorder(self.store, self.clock, 500)
        self.recorder.keep_time(self.clock.mono)
        if not self.store.state.tables:
            for device in (0, 1):
                part = [1, device, f"m{device}", "bus", 1, "x/y", b"p" * 32, 5_000, POINTS]
                self.recorder.add(Kind.TABLE, [part], 0)
            self.commit()

    def commit(self) -> None:
        assert self.recorder.commit(self.clock.mono, True), self.recorder.failure

    def run(self, commits: int, acks: bool = False) -> None:
        for _ in range(commits):
            self.clock.mono += 5_000
            for device in (0, 1):
                self.registers[device] += (self.polls * 7 + device) % 13
                noise = crc32(b"%d" % self.polls)  # takes its place on the flash
                values: list[object] = [self.registers[device], noise]
                body: list[object] = [device, values, [], []]
                self.recorder.add(Kind.POLL, body, self.clock.mono)
            self.polls += 1
            if self.polls % 60 == 0:
                end = self.clock.mono
                self.recorder.add(Kind.INTERVAL, [end - 300_000, end, [], [None] * 5], end)
            self.commit()
            if acks and self.polls % 5 == 0:
                self.store.ack(self.store.next_seq - 1)

    def records(self) -> list[Record]:
        return [decode_record(data) for data in contents(self.store)]

    def explained(self) -> int:
        """How many seqs the tombstones in force speak for; each is proved on the way."""
        seq = count = 0
        while (gap := self.store.gap_from(seq)) is not None:
            body = decode_record(self.store.read(gap.tombstone, gap.tombstone)[0][0]).body
            assert body[:2] == [gap.first, gap.last]
            assert self.store.hash_at(gap.last) == body[7]
            count += gap.last - gap.first + 1
            seq = gap.last + 1
        return count


def test_acked_history_makes_room_and_tables_outlive_many_laps():
    small = NorFlash(8 * SECTOR_BYTES)
    site = Site(small)
    site.open()
    site.run(6_000, acks=True)
    assert site.store.wear(1)["laps"] >= 3
    records = site.records()
    assert len(records) + site.explained() == site.store.next_seq
    assert [r.body[0][1] for r in records if r.kind == Kind.TABLE] == [0, 1]
    assert records[-1].seq == site.store.next_seq - 1
    assert small.unerased_bytes == 0, "a cell was programmed twice without an erase"
    before = contents(site.store)
    site.store.close()
    site.open()
    assert contents(site.store)[: len(before)] == before
    assert max(small.wear) - min(small.wear) <= 1, "every sector takes the same"


def test_unacked_polls_are_thinned_then_dropped_and_all_of_it_is_explained():
    site = Site(NorFlash(10 * SECTOR_BYTES))
    site.open()
    reasons: set[str] = set()
    for _ in range(15):
        site.run(450)
        records = site.records()
        assert len(records) + site.explained() == site.store.next_seq
        reasons |= {str(r.body[2]) for r in records if r.kind == Kind.TOMBSTONE}
        polls = [r for r in records if r.kind == Kind.POLL and r.body[0] == 0]
        newest = max(polls, key=lambda poll: poll.mono_ms)
        assert newest.body[1][0] == site.registers[0], "the newest register is never lost"
    assert reasons == {"minute", "quarter", "dropped"}
    assert site.store.acked_seq == -1


@pytest.mark.parametrize("mode", ["atomic", "half", "garbage"])
def test_power_may_fail_at_every_program_and_erase(mode: str):
    """What was promised is there or explained, nothing else is, and the journal goes on."""
    first = Site(NorFlash(6 * SECTOR_BYTES))
    first.open()
    while first.store.state.generation < 9 or first.store.offset < 3_000:
        first.run(1, acks=True)
    image = bytes(first.flash.cells)
    whole, erased = _life(image, 0, mode)
    assert whole > 50 and erased >= 1, "the ring went round within this life"
    for at in range(1, whole + 1):
        _life(image, at, mode)


def _life(image: bytes, cut_at: int, mode: str) -> tuple[int, int]:
    """One life from an image, cut at an operation, and the next one; its operations, erases."""
    flash = NorFlash(len(image))
    flash.cells[:] = image
    flash.cut(cut_at, mode)
    site = Site(flash)
    site.clock.mono = 10_000_000
    promised, acked = -1, -1
    try:
        site.open()
        for step in range(50):
            promised, acked = site.store.next_seq - 1, site.store.acked_seq
            head = site.store.head
            site.run(1, acks=step % 2 == 0)
    except PowerFailedError:
        pass
    operations, erased = flash.operations, sum(flash.wear)
    was = getattr(site, "store", None)
    again = Site(flash)
    again.clock.mono = 20_000_000
    again.open()
    if promised >= 0 and was is not None:
        assert again.store.epoch == was.epoch
        assert again.store.next_seq - 1 >= promised and again.store.acked_seq >= acked
        assert again.store.hash_at(promised) in (None, head)
    assert len(again.records()) + again.explained() == again.store.next_seq
    again.run(10, acks=True)
    before = contents(again.store)
    again.store.close()
    again.open()
    assert contents(again.store)[: len(before)] == before
    return operations, erased


@pytest.mark.parametrize("mode", ["atomic", "half", "garbage"])
def test_power_may_fail_at_every_step_out_of_an_epoch(mode: str):
    """Renewing goes on where it was: every record that was not acked is there once."""
    first = Site(NorFlash(6 * SECTOR_BYTES))
    first.open()
    first.run(150)
    first.store.ack(60)
    wanted = [r.mono_ms for r in first.records() if r.seq > 60]
    assert all(r.kind in (Kind.POLL, Kind.INTERVAL) for r in first.records() if r.seq > 60)
    image = bytes(first.flash.cells)
    at = 0
    while True:
        at += 1
        flash = NorFlash(len(image))
        flash.cells[:] = image
        site = Site(flash)
        site.open()
        epoch = site.store.epoch
        flash.cut(at, mode)
        try:
            site.recorder.renew("rewound", 0)
        except PowerFailedError:
            site = Site(flash)
            site.open()
            if site.store.epoch == epoch:
                site.recorder.renew("rewound", 0)
        is_whole = flash.operations < at
        flash.cut(0, mode)
        site.run(20)
        records = site.records()
        polls = [r.mono_ms for r in records if r.kind in (Kind.POLL, Kind.INTERVAL)]
        assert polls[: len(wanted)] == wanted
        events = [r.body for r in records if r.kind == Kind.EVENT]
        told = [flat for code, flat in events if code == "journal.salvaged"][0]
        fields = dict(zip(told[::2], told[1::2], strict=True))
        assert (fields["carried"], fields["lost"]) == (len(wanted), 0)
        if is_whole:
            break
    assert at > 20


def test_history_and_live_records_that_are_read_in_turn_are_decoded_once(monkeypatch):
    """As the uploader does behind an outage: 8 records from one place, 8 from the other."""
    store, _ = metered(200)
    half = store.next_seq // 2
    whole = store.read(0, store.next_seq - 1)
    decoded = 0
    take = RowCodec.take

    def counted(self: RowCodec, digits: object, seq: int, is_kept: bool = False):
        nonlocal decoded
        decoded += 1
        return take(self, digits, seq, is_kept)

    monkeypatch.setattr(RowCodec, "take", counted)
    store.forget()
    history, live = [], []
    for at in range(0, half, 8):
        last = min(at + 8, half) - 1
        history += store.read(at, last)
        live += store.read(half + at, half + last)
        assert store.hash_at(last) == whole[last][1]
    assert history + live == whole[: 2 * half]
    # And once what lies before the place at which reading live ones began, in its segment.
    assert decoded <= 4 * half


def test_a_partition_of_1_mb_holds_a_week_of_eight_meters_and_lasts():
    hours = 16
    store, flash = metered(60 * hours)
    # Of whole segments: the tables that begin the journal are there once.
    ends = [store.segments.head(at) for at in (1, store.state.generation)]
    segments, polls = store.state.generation - 1, ends[1].first_seq - ends[0].first_seq
    room = store.segments.count - BEGIN
    days = room * polls / segments / (8 * 24 * 60 + 4 * 24)
    assert days >= 7.6, f"{days:.2f} days at full resolution; after that polls are thinned"
    assert store.wear(hours * 3_600_000)["years_left"] >= 100
    assert flash.unerased_bytes == 0


def test_a_place_that_nothing_is_read_from_is_given_up():
    store, _ = metered(3)
    rows = store.read(0, store.next_seq - 1)
    assert store._cursors
    head, seq = store.head, store.next_seq
    for at in range(seq, seq + IDLE_COMMITS + 1):
        data = encode_record(Record(Kind.EVENT, at, 1, 200_000, 200_000, 0, ["x", []]))
        head = chain.link(head, data)
        store.append([(at, Kind.EVENT, data, head)])
        rows.append((data, head))
    assert not store._cursors
    assert store.read(0, store.next_seq - 1) == rows

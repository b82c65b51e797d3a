"""A ring log in its later years: places that take nothing any more, and tables that pile up."""

import pytest

from edge.core.journal.record import Kind, Part, decode_record
from tests.unit.flash_doubles import SECTOR_BYTES, NorFlash, PowerFailedError

from .test_store_ring import Site, contents

SECTORS = 10
WORN = 4
LEARNERS = 3


class WornFlash(NorFlash):
    """`worn`: sectors that don't erase any more. is_told: whether the driver says so."""

    worn: frozenset[int] = frozenset()
    is_told = False

    def ioctl(self, request: int, argument: int) -> int:
        if request == 6 and argument in self.worn:
            if self.is_told:
                raise OSError(5)
            self.operations += 1
            return 0
        return super().ioctl(request, argument)


def check_whole(site: Site) -> None:
    """Every seq is there or explained, now and after a start."""
    before = contents(site.store)
    assert len(before) + site.explained() == site.store.next_seq
    site.store.close()
    site.open()
    assert not site.store.is_damaged
    assert contents(site.store)[: len(before)] == before


@pytest.mark.parametrize(
    ("worn", "is_told", "acks"),
    [
        ({WORN}, True, True),
        ({0}, False, False),
        ({WORN, WORN + 1}, True, False),
        ({SECTORS - 1, 0}, False, True),
    ],
)
def test_a_place_that_does_not_erase_is_passed_over(worn: set[int], is_told: bool, acks: bool):
    flash = WornFlash(SECTORS * SECTOR_BYTES)
    site = Site(flash)
    site.open()
    site.run(30, acks)
    epoch = site.store.epoch
    flash.worn, flash.is_told = frozenset(worn), is_told
    told: set[object] = set()
    whole_event = site.recorder.event

    def event(code: str, fields: dict[str, object], now_ms: int) -> None:
        if code == "journal.worn":
            told.add(fields["segment"])
        whole_event(code, fields, now_ms)

    site.recorder.event = event  # type: ignore[method-assign]
    while site.store.state.generation < SECTORS + WORN + 3 or told != worn:
        site.run(10, acks)
        assert site.store.state.generation < 3 * SECTORS, "each was come by"
    check_whole(site)
    assert site.store.epoch == epoch, "no new incarnation: nothing was damaged"


def test_a_ring_begins_on_a_flash_whose_first_places_take_nothing():
    flash = WornFlash(SECTORS * SECTOR_BYTES)
    flash.cells[: 2 * SECTOR_BYTES] = bytes(2 * SECTOR_BYTES)
    flash.worn = frozenset((0, 1))
    site = Site(flash)
    site.open()
    site.run(300)
    check_whole(site)


def test_a_flash_of_which_nothing_erases_is_told_and_goes_on_when_it_does():
    flash = WornFlash(SECTORS * SECTOR_BYTES)
    site = Site(flash)
    site.open()
    site.run(30)
    promised, flash.worn, flash.is_told = contents(site.store), frozenset(range(SECTORS)), True
    with pytest.raises(AssertionError, match=r"store\.write"):
        site.run(400)
    flash.worn = frozenset()
    site.run(10)
    assert contents(site.store)[: len(promised)] == promised
    check_whole(site)


@pytest.mark.parametrize("mode", ["half", "garbage"])
def test_power_may_fail_while_a_place_is_passed_over(mode: str):
    first = Site(WornFlash(SECTORS * SECTOR_BYTES))
    first.open()
    while first.store.state.generation < WORN - 1 or first.store.offset < 3_900:
        first.run(1)
    image = bytearray(first.flash.cells)
    image[WORN * SECTOR_BYTES : (WORN + 1) * SECTOR_BYTES] = bytes(SECTOR_BYTES)
    at, is_whole = 0, False
    while not is_whole:
        at += 1
        flash = WornFlash(len(image))
        flash.worn = frozenset((WORN,))
        flash.cells[:] = image
        flash.cut(at, mode)
        promised = (-1, first.store.epoch)
        site = Site(flash)
        try:
            site.open()
            for _ in range(8):
                site.run(1)
                promised = (site.store.next_seq - 1, site.store.head)
            is_whole = flash.operations < at
            assert site.store.state.generation == WORN + 1
        except PowerFailedError:
            pass
        flash.cut(0, mode)
        again = Site(flash)
        again.open()
        assert promised[0] < 0 or again.store.hash_at(promised[0]) == promised[1]
        again.run(8)
        check_whole(again)
    assert at > 10


def test_more_tables_than_a_segment_may_leave_behind_still_let_it_go():
    site = Site(NorFlash(SECTORS * SECTOR_BYTES))
    site.open()
    count = 2 * site.store.kept_of_segment
    for number in range(count):
        site.recorder.add(Kind.TABLE, [[Part.STREAM, number, f"s{number}"]], 0)
    site.commit()
    while site.store.wear(1)["laps"] < 3:
        site.run(100, acks=True)
    tables = [decode_record(data).body[0] for data in site.store.of_kind(Kind.TABLE)]
    assert [part[1] for part in tables if part[0] == Part.STREAM] == list(range(count))
    check_whole(site)


@pytest.mark.parametrize("acks", [True, False])
def test_what_stations_teach_again_and_again_does_not_fill_the_ring(acks: bool):
    """Each time is a TABLE row; the newest of a station holds, the others go like a poll."""
    site = Site(NorFlash(SECTORS * SECTOR_BYTES))
    site.open()
    told: dict[int, int] = {}
    stale = 0
    for turn in range(900 if acks else 500):
        # The first one teaches rarely: retention has passed its last word when the next comes.
        device = 0 if turn in (20, 450, 850) else 1 + turn % (LEARNERS - 1)
        part = [Part.LEARNED, device, 125, [], [], 40 + turn]
        site.recorder.add(Kind.TABLE, [part], site.clock.mono)
        told[device] = 40 + turn
        site.run(2, acks)
        stale += len(site.store.state.stale)
    check_whole(site)
    parts = [decode_record(data).body[0] for data in site.store.of_kind(Kind.TABLE)]
    assert {part[1]: part[5] for part in parts if part[0] == Part.LEARNED} == told
    assert len(parts) == 2 + LEARNERS and site.store.wear(1)["laps"] >= 1
    assert stale or not acks, "the rare one was passed by retention before it was replaced"
